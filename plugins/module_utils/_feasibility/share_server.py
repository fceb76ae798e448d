# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason why a share server can't be migrated whole, or will lose something by it.

Manila has a check of its own for share servers.  It stops at the first reason, asks the driver
only when it finds none itself, and where the driver says no it doesn't say why.  Here everything
that the API shows is looked at, and what the check answers is put into words.  Each rule names
the file of Manila (release 23.0.1) that it follows; the codes are in ``feasibility``.

Messages are fragments of a sentence about one share server or, where they speak of the back end,
about one destination: the caller says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Compatibility,
    Pool,
    Service,
    Share,
    ShareServer,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import many, some
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    Load,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    spec_matches,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import under_way
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import (
    Room,
    claims_aboard,
    settle,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.observe import DESTINATION
from ansible_collections.manila.migration.plugins.module_utils._states.tables import MIGRATING

if TYPE_CHECKING:
    from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration

CAPABILITIES = ("writable", "nondisruptive", "preserve_snapshots")
"""What can be demanded of a share server's migration."""

_ANSWERS = (*CAPABILITIES, "migration_cancel", "migration_get_progress")
"""What Manila's check tells beside the share network."""

_LEFT = ("error", "inactive")
"""Statuses of destinations that failed or were cancelled: nothing uses them any more."""


def shares_on(inventory: Inventory, server_id: str) -> list[Share]:
    """The shares of a share server, by name and ID; those in the recycle bin too."""
    found = {share.id: share for share, _host in inventory.aboard(server_id)}
    return sorted(found.values(), key=lambda one: (one.name, one.id))


# -- the share server ------------------------------------------------------------------------


def server_blockers(inventory: Inventory, server: ShareServer) -> list[Reason]:
    """Every reason in the share server and its shares, wherever it shall go.

    share/api.py, _migration_initial_checks(), but for replicas: whether these are supported only
    Manila's check tells.  docs/manila.md, "The check and the start of a share server".
    """
    found = []
    if server.status != "active":
        found.append(Reason("status", f"its status is {server.status!r}, not 'active'"))
    seen = Observation(server.id, server.status, server.host, server.task_state, kind=SHARE_SERVER)
    if seen.resting and seen.state.phase in MIGRATING:
        # Manila doesn't look at it.  Somebody reset the status alone, and what it was in the
        # middle of may still be.
        found.append(
            Reason(
                "busy",
                f"its task state is {server.task_state!r} though it is active: migration_repair "
                "says what is wrong",
            )
        )
    if server.is_encrypted:
        found.append(
            Reason("encryption", "it has an encryption key: Manila does not migrate such servers")
        )
    shares = shares_on(inventory, server.id)
    if not shares:
        found.append(Reason("no_shares", "it has no shares: there is nothing to migrate"))
    if server.id in inventory.grouped_servers:
        found.append(
            Reason("share_group", "a share group lives on it: Manila does not migrate such servers")
        )
    if any(one.source_id == server.id and one.status == DESTINATION for one in inventory.servers):
        found.append(
            Reason(
                "unfinished_destination",
                "a destination of an older migration is still in 'server_migrating_to': it must be "
                "removed first",
            )
        )
    for share in shares:
        which = f"share {share.name or share.id}: "
        found += [Reason(one.code, which + one.message) for one in _in_the_way(inventory, share)]
    return found + _instance_blockers(inventory, server)


def _in_the_way(inventory: Inventory, share: Share) -> list[Reason]:
    """What in one share stands in the way of its server."""
    found = []
    if share.is_soft_deleted:
        return [Reason("soft_deleted", "it is in the recycle bin: restore it, or delete it")]
    if share.status != "available":
        found.append(Reason("status", f"its status is {share.status!r}, not 'available'"))
    if share.share_group_id:
        found.append(Reason("share_group", f"it belongs to the share group {share.share_group_id}"))
    if share.access_rules_status == "error":
        found.append(
            Reason("access_rules_error", "its access rules are in error: mend or remove them")
        )
    if Observation(share.id, share.status, share.host, share.task_state).state.phase in MIGRATING:
        found.append(
            Reason("busy", f"its task state is {share.task_state!r}: something works on it")
        )
    statuses = (one.status for one in inventory.snapshots(share.id))
    bad = [status for status in statuses if status != "available"]
    if bad:
        found.append(
            Reason(
                "snapshots",
                f"{len(bad)} of its snapshots are not available ({', '.join(sorted(set(bad)))})",
            )
        )
    return found


def _instance_blockers(inventory: Inventory, server: ShareServer) -> list[Reason]:
    """Instances that hide behind an available share, or belong to none that Manila lists.

    Manila comes upon one that is not available only after it has written `server_migrating`, and
    stops there: share_server_migration_start() in share/api.py.
    """
    found = []
    for one in inventory.on_servers.get(server.id, ()):
        share = inventory.shares_by_id.get(one.share_id)
        whose = f"share {share.name or share.id}" if share else "a share that Manila does not list"
        if share and share.status != "available":
            continue
        if one.status != "available":
            found.append(
                Reason(
                    "instances",
                    f"{whose}: its instance {one.id} on this server has the status {one.status!r}; "
                    "Manila would leave the server stuck in the middle of the start",
                )
            )
        elif share and share.host != one.host and not share.has_replicas:
            found.append(
                Reason(
                    "instances",
                    f"{whose}: its instance {one.id} on this server is left over, as it is at "
                    f"{share.host}; Manila would mix them up",
                )
            )
    return found


# -- the destination -------------------------------------------------------------------------


def place_blockers(
    inventory: Inventory, server: ShareServer, destination: str, options: Options
) -> list[Reason]:
    """Every reason why ``destination`` (``host@backend``) can't take the share server."""
    found = []
    network_id = options.new_share_network_id or server.share_network_id or ""
    same_network = network_id == server.share_network_id
    if destination == server.host and same_network:
        found.append(
            Reason("same_place", "the share server is there already, in the same share network")
        )
    elif _backend_name(destination) == _backend_name(server.host) and same_network:
        # share/api.py compares only what is behind the @.
        found.append(
            Reason(
                "same_backend_name",
                f"the back end has the name of {server.host}: Manila takes them for the same place "
                "unless the share network changes",
            )
        )
    service = inventory.services.get(destination)
    found += _service_blockers(service)
    network = inventory.networks.get(network_id)
    if network is None:
        if network_id:
            found.append(Reason("share_network", f"there is no share network {network_id}"))
    else:
        if network.status != "active":
            found.append(
                Reason("share_network", f"the share network {network_id} is {network.status!r}")
            )
        if service is not None and service.zone and not network.spans(service.zone):
            found.append(
                Reason(
                    "share_network_subnet",
                    f"the share network {network_id} has neither a subnet in the availability zone "
                    f"{service.zone} of the back end nor a default one",
                )
            )
    pools = [one for one in inventory.pools if one.backend == destination]
    if pools and not any(map(handles_servers, pools)):
        found.append(Reason("share_servers", "the back end does not handle share servers"))
    return found + _zone_blockers(inventory, server, service)


def _zone_blockers(
    inventory: Inventory, server: ShareServer, service: Service | None
) -> list[Reason]:
    if service is None or not service.zone:
        return []
    found = []
    for share_type in _types(inventory, shares_on(inventory, server.id)):
        zones = share_type.extra_specs.get("availability_zones", "")
        # share/api.py looks for a part of the text here, and not for one of the names.
        if zones and service.zone not in zones:
            found.append(
                Reason(
                    "availability_zone",
                    f"the share type {share_type.name!r} of its shares is for the availability "
                    f"zones {zones}, and the back end is in {service.zone}",
                )
            )
    return found


def _service_blockers(service: Service | None) -> list[Reason]:
    """utils.validate_service_host(); all of a share server's migration is done by this service."""
    if service is None:
        return [Reason("service_missing", "the back end has no manila-share service")]
    found = []
    if not service.enabled:
        why = f" ({service.disabled_reason})" if service.disabled_reason else ""
        found.append(
            Reason("service_disabled", f"the back end's manila-share service is disabled{why}")
        )
    if not service.alive:
        found.append(Reason("service_down", "the back end's manila-share service is down"))
    return found


def handles_servers(pool: Pool) -> bool:
    """Whether shares in this pool live on share servers, as far as the pool tells."""
    value = pool.capabilities.get("driver_handles_share_servers")
    return value is None or True in (value if isinstance(value, list) else [value])


def _backend_name(host: str) -> str:
    return host.rpartition("@")[2]


# -- Manila's own check ----------------------------------------------------------------------


def check_blockers(
    inventory: Inventory, server: ShareServer, options: Options, check: Compatibility
) -> list[Reason]:
    """What Manila's check has against it, in words: share/manager.py, share_server_migration_check.

    A driver that refuses may say None of its capabilities, which tells nothing of them.
    """
    if check.refusal is not None:
        return _refusal(inventory, server, check.refusal)
    if check.compatible:
        return []
    supported = check.supported
    if (
        options.nondisruptive
        and options.new_share_network_id
        and all(supported.get(name) is False for name in _ANSWERS)
    ):
        # So share/api.py answers when the share network's subnets differ, and asks no driver.
        return [
            Reason(
                "not_nondisruptive",
                "nondisruptive is asked for, and a new share network allows that only where Neutron "
                "network and subnet stay the same and the driver can do it",
            )
        ]
    found = [
        Reason(
            f"not_{name}",
            f"{name} is asked for, and the driver supports {name} = False on this way",
        )
        for name in CAPABILITIES
        if getattr(options, name) and supported.get(name) is False
    ]
    named = {
        one.name or one.id: len(inventory.snapshots(one.id))
        for one in shares_on(inventory, server.id)
    }
    count = sum(named.values())
    if count and supported.get("preserve_snapshots") is False:
        which = some([name for name, several in named.items() if several])
        found.append(
            Reason(
                "snapshots",
                f"{many(count, 'snapshot')} of its shares ({which}) can't be kept on this way: Manila "
                "migrates it only without them",
            )
        )
    return found or [
        Reason(
            "incompatible",
            "the driver says that source and destination are not compatible, and not why: the "
            "reason is in the log of the destination's manila-share",
        )
    ]


def _refusal(inventory: Inventory, server: ShareServer, refusal: str) -> list[Reason]:
    """Manila found something before it asked the driver, and stopped there: share/api.py."""
    found = [Reason("refused", f"Manila refuses it: {refusal.rstrip('.')}")]
    if "replicas" in refusal:
        # It names the first share only, and says it of no driver that can do better.
        found = [
            Reason(
                "replicas",
                f"share {share.name or share.id}: it has replicas, and this share server's driver "
                "can't migrate it with those",
            )
            for share in shares_on(inventory, server.id)
            if share.has_replicas
        ] + found
    return found


def server_warnings(
    inventory: Inventory,
    server: ShareServer,
    check: Compatibility | None,
    destination: str | None = None,
) -> list[Reason]:
    """What does not prevent the migration of a share server but may surprise somebody."""
    found = []
    supported = check.supported if check and check.refusal is None else {}
    if supported.get("migration_cancel") is False:
        found.append(Reason("no_cancel", "the driver can't cancel it: once begun it goes on"))
    if supported.get("migration_get_progress") is False:
        found.append(Reason("no_progress", "the driver can't tell how far it is"))
    if supported.get("writable") is False:
        found.append(Reason("read_only", "clients can only read during the copy"))
    if supported.get("nondisruptive") is False:
        found.append(
            Reason("disruptive", "the cutover changes the export locations of all its shares")
        )
    # share/manager.py, _server_migration_complete_driver(): what a driver can do is done, asked or not.
    if supported.get("nondisruptive") and inventory.frees_addresses:
        found.append(
            Reason(
                "addresses_freed",
                "it keeps its network addresses, and Manila before 20 (2025.1) gives them back at the "
                "cutover all the same, so that others can get them (bug 2064907)",
            )
        )
    left = [one for one in inventory.servers if one.source_id == server.id and one.status in _LEFT]
    for one in sorted(left, key=lambda one: one.id):
        found.append(
            Reason(
                "leftover_destination",
                f"the share server {one.id} at {one.host} ({one.status!r}) is left of an earlier "
                "migration: migration_repair removes it",
            )
        )
    shares = shares_on(inventory, server.id)
    for share in shares:
        found += inventory.lock_warnings(share.id, share.name or share.id)
    pinned = [
        share_type.name
        for share_type in _types(inventory, shares)
        if _pinned_elsewhere(inventory, share_type, destination)
    ]
    if pinned:
        found.append(
            Reason(
                "type_pinned",
                f"its shares keep the share types {some(sorted(pinned))}, which are pinned to a "
                "back end by share_backend_name",
            )
        )
    replicas = [one.name or one.id for one in shares if one.has_replicas]
    if replicas and check is not None and check.compatible:
        found.append(
            Reason(
                "replicas",
                f"{some(replicas)}: replicas on other share servers stay where they are",
            )
        )
    return found


def _pinned_elsewhere(inventory: Inventory, share_type: ShareType, destination: str | None) -> bool:
    """Whether a share type names a back end, and not the destination."""
    specs = share_type.extra_specs
    wants = specs.get("share_backend_name", specs.get("capabilities:share_backend_name"))
    if wants is None:
        return False
    return not any(
        spec_matches(one.capabilities.get("share_backend_name"), wants)
        for one in inventory.pools
        if one.backend == destination
    )


# -- one migration ---------------------------------------------------------------------------


def server_start_blockers(
    inventory: Inventory,
    migration: Migration,
    check: Compatibility | None = None,
    loads: Mapping[str, Load] | None = None,
) -> list[Reason]:
    """Every reason why one migration of one share server must not be started now.

    ``check`` is what Manila says of it, if it was asked; ``loads`` are those of ``under_way``.
    """
    server = next((one for one in inventory.servers if one.id == migration.id), None)
    if server is None:
        return [Reason("status", "it does not exist any more")]
    found = server_blockers(inventory, server)
    destination = migration.destination
    if destination is None:
        return found
    reasons = place_blockers(inventory, server, destination, migration.options)
    if check is not None:
        reasons += check_blockers(inventory, server, migration.options, check)
    loads = under_way(inventory).loads if loads is None else loads
    rooms = [
        Room(pool, loads.get(name, NOTHING))
        for name, pool in sorted(inventory.pools_by_name.items())
        if pool.backend == destination
    ]
    claims = claims_aboard(inventory, server.id)
    if rooms and settle(claims, rooms).lacking:
        size = sum(one.size_gb for one in claims)
        reasons.append(
            Reason(
                "no_capacity", f"there is no room for {many(len(claims), 'share')} with {size} GiB"
            )
        )
    return found + [Reason(one.code, f"{destination}: {one.message}") for one in reasons]


def _types(inventory: Inventory, shares: Iterable[Share]) -> list[ShareType]:
    ids = {one.share_type_id or "" for one in shares}
    return [inventory.share_types[one] for one in sorted(ids) if one in inventory.share_types]
