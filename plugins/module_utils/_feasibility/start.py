# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason why a share can't be migrated, or will lose something by it.

Manila stops at the first reason, and gives those of its scheduler and its drivers only to its
logs.  Here all of them are found, before anything is started, from what the API shows.  Each rule
names the file of Manila (release 23.0.1) that it follows.

Manila migrates by the driver, by the Data Service (host-assisted), or by the one if it can and
else by the other: ``mechanisms()``.  A rule that differs between the two is asked for one of them;
``forbidden()`` says what forbids all that Manila would try.

Messages are fragments of a sentence about one share ("its status is 'error', not 'available'") or
one pool ("the pool has no ..."): the caller says which.  Sizes are GiB, reservations percent.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.manila.migration.plugins.module_utils._data_service.options import (
    ACCESS_OPTIONS,
    CANT_COPY,
    DEFAULT_MAPPING,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import (
    SCHEDULER_DOWN,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    DRIVER,
    HOST,
    data_service_blockers,
    data_service_warnings,
    forbidden,
    mechanisms,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.pool import (
    pool_blockers,
    service_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share import (
    common_share_blockers,
    common_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import (
    Details,
    Inventory,
)
from ansible_collections.manila.migration.plugins.module_utils._model.locks import UNKNOWN
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Service,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import (
    instead,
    many,
    some,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.affinity import (
    affinity_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    Load,
    fits,
    scheduler_fails,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    spec_matches,
    uses_share_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import under_way


def start_blockers(
    inventory: Inventory,
    migration: Migration,
    loads: Mapping[str, Load] | None = None,
    details: Details | None = None,
) -> list[Reason]:
    """Every reason why one migration of one share of the inventory must not be started now.

    ``loads`` are those of ``under_way``, for who asks of many migrations.
    """
    loads = under_way(inventory).loads if loads is None else loads
    return forbidden(
        migration.options,
        lambda mechanism: mechanism_blockers(inventory, migration, mechanism, loads, details),
    )


def mechanism_blockers(
    inventory: Inventory,
    migration: Migration,
    mechanism: str,
    loads: Mapping[str, Load],
    details: Details | None = None,
) -> list[Reason]:
    """Every reason why one share can't be migrated by one mechanism, asked for or not."""
    share = inventory.shares_by_id.get(migration.id)
    if share is None:
        return [Reason("status", "it does not exist any more")]
    options = migration.options
    share_type = inventory.share_types.get(options.new_share_type_id or share.share_type_id or "")
    snapshots = inventory.snapshots(share.id) if details is None else details.snapshots
    snapshots = [one for one in snapshots if one.id not in migration.delete_snapshots]
    found = common_share_blockers(
        share,
        inventory.instances.get(share.id, ()),
        snapshots,
        options,
        share_type,
        mechanism,
    )
    found += _source_blockers(inventory, share.host)
    if mechanism == HOST:
        found += data_service_blockers(inventory)
    if details is not None and share_type is not None:
        found += _quota_blockers(share, options, share_type, details)
        found += _qos_blockers(options, share_type, details, mechanism)
    if migration.destination is None:
        return found
    if details is not None:
        found += affinity_blockers(share.metadata, migration.destination, details.neighbours)
    return found + _destination_blockers(
        inventory, share, share_type, migration.destination, options, mechanism, loads
    )


def _source_blockers(inventory: Inventory, source: str) -> list[Reason]:
    """share/api.py does not look at it: the start would hang in 'migration_starting'."""
    backend = backend_of(source)
    service = inventory.services.get(backend)
    if service is None:
        return [
            Reason("service_missing", f"its own back end {backend} has no manila-share service")
        ]
    if service.alive:
        return []
    return [
        Reason(
            "service_down",
            f"the manila-share service of its own back end {backend} is down, and a start hangs "
            "until it is back",
        )
    ]


def _destination_blockers(
    inventory: Inventory,
    share: Share,
    share_type: ShareType | None,
    destination: str,
    options: Options,
    mechanism: str,
    loads: Mapping[str, Load],
) -> list[Reason]:
    service = inventory.services.get(backend_of(destination))
    found = _network_blockers(inventory, share, share_type, service, options, mechanism)
    pool = inventory.pools_by_name.get(destination)
    if pool is None:
        if inventory.scheduler_up:
            names = instead(destination, (one.name for one in inventory.pools))
            return [*found, Reason("pool_unknown", f"there is no pool {destination}; {names}")]
        return [*found, SCHEDULER_DOWN]
    if share_type is None:
        return found + service_blockers(service)
    reasons = pool_blockers(share, share_type, pool, service, options, share.host)
    load = loads.get(pool.name, NOTHING)
    from_snapshot = share.snapshot_id is not None
    full = fits(pool, share_type, share.size_gb, load.committed_gb, from_snapshot, load.written_gb)
    if full:
        reasons.append(full)
    found += [Reason(one.code, f"{pool.name}: {one.message}") for one in reasons]
    others = [one for one in inventory.pools if one.name != pool.name]
    zone = service.zone if service else None
    fails = scheduler_fails(others, inventory.services, zone, share.snapshot_id is not None)
    return [*found, fails] if fails else found


def _network_blockers(
    inventory: Inventory,
    share: Share,
    share_type: ShareType | None,
    service: Service | None,
    options: Options,
    mechanism: str,
) -> list[Reason]:
    """The share network that it will have, where share networks were read: api/v2/shares.py."""
    network_id = options.new_share_network_id or share.share_network_id
    if not network_id or not inventory.networks:
        return []
    network = inventory.networks.get(network_id)
    if network is None:
        return [Reason("share_network", f"there is no share network {network_id}")]
    found = []
    if network.status != "active":
        found.append(
            Reason(
                "share_network",
                f"the share network {network_id} is {network.status!r}, not 'active'",
            )
        )
    # share/manager.py, provide_share_server(): asked unless the share stays on its share server.
    stays = mechanism == DRIVER and options.nondisruptive
    servers = share_type is not None and uses_share_servers(share_type)
    if servers and not stays and service and service.zone and not network.spans(service.zone):
        found.append(
            Reason(
                "share_network_subnet",
                f"the share network {network_id} has neither a subnet in the destination's "
                f"availability zone {service.zone} nor a default one",
            )
        )
    return found


def _quota_blockers(
    share: Share, options: Options, share_type: ShareType, details: Details
) -> list[Reason]:
    """share/api.py, _modify_quotas_for_share_migration(); -1 is no limit."""
    if options.new_share_type_id in (None, share.share_type_id) or details.quotas is None:
        return []
    needs = {"shares": 1, "gigabytes": share.size_gb}
    if share_type.extra_specs.get("replication_type"):
        needs.update(share_replicas=1, replica_gigabytes=share.size_gb)
    return [
        Reason(
            "quota",
            f"{whose} allows {quota.limit} {name.replace('_', ' ')}, and with a second copy, which "
            f"counts until the end, it would be {quota.used + needs[name]}",
        )
        for whose, quotas in details.quotas.items()
        for name, quota in quotas.items()
        if name in needs and 0 <= quota.limit < quota.used + needs[name]
    ]


def _qos_blockers(
    options: Options, share_type: ShareType, details: Details, mechanism: str
) -> list[Reason]:
    """share/api.py asks for that of a new type, share/manager.py for drivers."""
    wants = share_type.extra_specs.get("default_qos_type")
    if not wants or details.qos_types is None or wants in details.qos_types:
        return []
    if mechanism == HOST and options.new_share_type_id is None:
        return []
    return [
        Reason(
            "qos_type",
            f"the share type {share_type.name!r} has default_qos_type = {wants!r}, and there is no "
            "such QoS type",
        )
    ]


def mechanism_warnings(
    inventory: Inventory, migration: Migration, mechanism: str, details: Details
) -> list[Reason]:
    """What to know before one share is migrated by one mechanism."""
    share = inventory.shares_by_id.get(migration.id)
    if share is None:
        return []
    options = migration.options
    found = inventory.lock_warnings(share.id) or ([UNKNOWN] if inventory.locks is None else [])
    found += common_warnings(share, details.snapshots, options, (mechanism,))
    if mechanism == DRIVER:
        found = _driver_warnings(inventory, share, migration) + found
    else:
        found += data_service_warnings(inventory) + _access_warnings(share, details)
        found.append(
            Reason(
                "not_copied",
                "hard links become files of their own and devices ordinary files, a FIFO stops the "
                "copy for ever, a socket or a name with a line break makes it fail, and lost are the "
                "attributes of the share's root and ACLs and extended attributes of directories",
            )
        )
    if mechanism == HOST or not options.nondisruptive:
        found.append(
            Reason("disruptive", "the cutover disconnects clients: export locations change")
        )
    own = inventory.share_types.get(share.share_type_id or "")
    if own is not None and spec_matches(True, own.extra_specs.get("mount_point_name_support", "")):
        found.append(
            Reason(
                "mount_point_name",
                f"its share type {own.name!r} allows mount point names: if it has one, which the API "
                "does not show, the copy won't",
            )
        )
    if details.quotas is not None and options.new_share_type_id not in (None, share.share_type_id):
        found.append(
            Reason(
                "quota_twice",
                "it counts twice in the quota of its project until the migration ends; where a "
                "driver fails, Manila never takes that back",
            )
        )
    return found + _pool_warnings(inventory, migration.destination)


def _driver_warnings(inventory: Inventory, share: Share, migration: Migration) -> list[Reason]:
    found = [
        Reason(
            "driver_unknown",
            "whether the driver can do it only the driver knows: Manila asks it after the start",
        )
    ]
    vendors = [
        pool.capabilities.get("vendor_name") if pool else None
        for pool in map(inventory.pools_by_name.get, (share.host, migration.destination or ""))
    ]
    if all(vendors) and vendors[0] != vendors[1]:
        found.append(
            Reason(
                "other_driver",
                f"the share is on storage of {vendors[0]!r} and the pool is of {vendors[1]!r}: "
                "drivers migrate among their own back ends",
            )
        )
    if HOST in mechanisms(migration.options):
        found.append(
            Reason(
                "fallback",
                "if the driver can't do it, Manila goes on with a host-assisted migration without a "
                "word; ask for preserve_metadata, say, to rule that out",
            )
        )
    return found


def _access_warnings(share: Share, details: Details) -> list[Reason]:
    """How the Data Service gets access, and whose rule that costs: data/helper.py.

    Which options it has can't be seen.  A rule that is, to the letter, one that it makes for
    itself is deleted with its own: docs/manila.md, "Access rules during a migration".
    """
    protocol = share.protocol.lower()
    if share.protocol.upper() in CANT_COPY:
        return []
    kinds = [kind for kind, mapped in DEFAULT_MAPPING.items() if protocol in mapped]
    if not kinds:
        return [
            Reason(
                "data_access",
                f"no access type is mapped to {share.protocol} unless protocol_access_mapping of both "
                "back ends says so",
            )
        ]
    found = []
    own = details.data_node_access_ips
    for kind in kinds:
        if kind == "ip" and own:
            lost = [one.access_to for one in details.rules if one.access_to in own]
            if lost:
                found.append(
                    Reason(
                        "data_access_rule",
                        f"{some(lost)}: an access rule for an address of the Data Service, which "
                        "deletes it for good after the copy: add it again then",
                    )
                )
            continue
        option = ACCESS_OPTIONS[kind]
        found.append(
            Reason(
                "data_access",
                f"manila-data needs {option} for {share.protocol}, and whether it is set can't be "
                "seen here",
            )
        )
        # The addresses of whole networks are written differently.
        single = [
            one.access_to
            for one in details.rules
            if one.access_type == kind and "/" not in one.access_to
        ]
        if single:
            found.append(
                Reason(
                    "data_access_rule",
                    f"it has {many(len(single), 'access rule')} ({some(single)}): one that is in "
                    f"{option} of manila-data is deleted for good after the copy",
                )
            )
    return found


def _pool_warnings(inventory: Inventory, destination: str | None) -> list[Reason]:
    pool = inventory.pools_by_name.get(destination or "")
    if pool is None:
        return []
    found = []
    if isinstance(pool.free_gb, str):
        found.append(Reason("capacity_unknown", f"{pool.name}: the capacity is not reported"))
    if pool.capabilities.get("filter_function") is not None:
        found.append(
            Reason(
                "filter_function",
                f"{pool.name}: the driver filters by a function of its own, which only Manila's "
                "scheduler applies",
            )
        )
    return found
