# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason why a replica of a share can't be moved to another pool.

Manila has no migration for shares with replicas (409): a replica is made at the destination, the
share is served from it once it is in sync, and the one at the source is removed.  What Manila asks
of a new replica is in ``api/v2/share_replicas.py``, ``share/api.py`` (create_share_replica) and
``scheduler/filters/share_replication.py``, release 23.0.1; of the rest it asks nothing.

The codes are in ``feasibility.CODES``; messages are fragments of a sentence, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import (
    SCHEDULER_DOWN,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.pool import (
    pool_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    backend_of,
    covers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Pool,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    Load,
    fits,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    uses_share_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import under_way
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    ACTIVE,
    observe_replica,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import MIGRATING

if TYPE_CHECKING:
    from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
    from ansible_collections.manila.migration.plugins.module_utils._model.request import Request


def active_of(replicas: Sequence[Instance]) -> Instance | None:
    """The replica that a share is served from; None if it isn't exactly one."""
    active = [one for one in replicas if one.replica_state == ACTIVE]
    return active[0] if len(active) == 1 else None


def replica_blockers(
    inventory: Inventory, share: Share, source: str, options: Options
) -> list[Reason]:
    """Every reason in the share and its replicas, wherever the one at ``source`` shall go."""
    replicas = inventory.instances.get(share.id, ())
    found = []
    if share.is_soft_deleted:
        found.append(Reason("soft_deleted", "it is in the recycle bin: restore it, or delete it"))
    if share.share_group_id:
        found.append(
            Reason(
                "share_group",
                f"it belongs to the share group {share.share_group_id}: Manila adds no replicas "
                "to such shares",
            )
        )
    if share.status != "available":
        found.append(Reason("status", f"its status is {share.status!r}, not 'available'"))
    if share.access_rules_status == "error":
        found.append(
            Reason("access_rules_error", "its access rules are in error: mend or remove them")
        )
    if Observation(share.id, share.status, share.host, share.task_state).state.phase in MIGRATING:
        found.append(
            Reason("busy", f"its task state is {share.task_state!r}: something works on it")
        )
    seen = observe_replica(share, replicas, source)
    if seen.moving and seen.host != source:
        found.append(
            Reason("busy", f"its replica at {seen.host} is being moved to {seen.destination}")
        )
    found += _state_blockers(replicas)
    found += _active_blockers(inventory, replicas, source)
    share_type = inventory.share_types.get(share.share_type_id or "")
    if share_type is None:
        found.append(Reason("no_share_type", "it has a share type that is not known"))
    elif options.new_share_network_id and not uses_share_servers(share_type):
        found.append(
            Reason(
                "share_network",
                f"the share type {share_type.name!r} works without share servers: a new share "
                "network must not be given",
            )
        )
    return found


def _state_blockers(replicas: Sequence[Instance]) -> list[Reason]:
    """With a replica in error, or in the middle of something, nobody knows what comes of it."""
    found = []
    for one in sorted(replicas, key=lambda one: (one.host, one.id)):
        where = f"at {one.host}" if one.host else "without a pool"
        if one.replica_state is None:
            found.append(Reason("instances", f"its instance {where} is no replica: a leftover"))
        elif one.status != "available" or one.replica_state == "error":
            found.append(
                Reason(
                    "replica_state",
                    f"its replica {where} has the status {one.status!r} and the replica state "
                    f"{one.replica_state!r}: mend or remove it",
                )
            )
    places = [one.host for one in replicas if one.host]
    for host in sorted({one for one in places if places.count(one) > 1}):
        found.append(
            Reason("replica_state", f"it has {places.count(host)} replicas at {host}: remove one")
        )
    return found


def _active_blockers(
    inventory: Inventory, replicas: Sequence[Instance], source: str
) -> list[Reason]:
    """Without an active replica in a pool that the scheduler considers, none can be added."""
    active = active_of(replicas)
    if active is None:
        return [Reason("no_active_replica", "it has no replica that is active, or several")]
    service = inventory.services.get(backend_of(active.host))
    usable = service is not None and service.alive
    if active.host != source:
        usable = usable and service is not None and service.enabled
    if usable:
        return []
    return [
        Reason(
            "no_active_replica",
            f"its active replica is at {active.host}, whose manila-share service is disabled or "
            "down: Manila's scheduler places no other replica then",
        )
    ]


def request_blockers(
    inventory: Inventory, request: Request, share: Share, source: str
) -> list[Reason]:
    """What is asked of a plan that a replica can't be moved with."""
    found = []
    if request.mechanism == "host":
        found.append(
            Reason(
                "options_conflict",
                "mechanism 'host' is asked for, and replicas are made by drivers",
            )
        )
    active = active_of(inventory.instances.get(share.id, ()))
    if "nondisruptive" in request.require and active is not None and active.host == source:
        found.append(
            Reason(
                "not_nondisruptive",
                "it is served from the replica that is to be moved, so its export locations change",
            )
        )
    return found


def replica_pool_blockers(
    inventory: Inventory, share: Share, share_type: ShareType, pool: Pool, source: str
) -> list[Reason]:
    """Every reason why ``pool`` can't take the replica at ``source``, its size aside."""
    # scheduler/drivers/filter.py: of a replica it doesn't ask for the name of the back end.
    specs = {
        key: value for key, value in share_type.extra_specs.items() if key != "share_backend_name"
    }
    unpinned = replace(share_type, extra_specs=specs)
    service = inventory.services.get(pool.backend)
    found = pool_blockers(share, unpinned, pool, service, Options(), source)
    replicas = inventory.instances.get(share.id, ())
    if pool.name != source and any(one.host == pool.name for one in replicas):
        found.append(Reason("replica_there", "another replica of the share is in this pool"))
    active = active_of(replicas)
    origin = inventory.pools_by_name.get(active.host) if active else None
    if origin is not None:
        wanted, has = (one.capabilities.get("replication_domain") for one in (origin, pool))
        if wanted is None or wanted != has:
            found.append(
                Reason(
                    "replication_domain",
                    f"the pool is in the replication domain {has!r}, the active replica of the "
                    f"share in {wanted!r}",
                )
            )
    network = inventory.networks.get(share.share_network_id or "")
    zone = service.zone if service else None
    if network is not None and zone and not network.spans(zone):
        found.append(
            Reason(
                "share_network_subnet",
                f"the share network {network.name or network.id} has no subnet in {zone}, the "
                "zone of the pool",
            )
        )
    return found


def replica_warnings(
    inventory: Inventory, share: Share, source: str, mapped: bool = False
) -> list[Reason]:
    """What does not prevent it but may surprise somebody."""
    found = []
    active = active_of(inventory.instances.get(share.id, ()))
    if active is not None and active.host == source:
        found.append(
            Reason(
                "disruptive",
                "the cutover disconnects clients: the share is served from another replica, with "
                "other export locations",
            )
        )
        service = inventory.services.get(backend_of(source))
        if service is not None and not service.enabled:
            found.append(
                Reason(
                    "active_disabled",
                    f"the manila-share service {service.host} is disabled: Manila's scheduler "
                    "places no replica of a share that is served from there, until it is enabled",
                )
            )
    if mapped:
        found.append(
            Reason("type_kept", "its share type is mapped to another one, which replicas keep")
        )
    return found


def replica_start_blockers(
    inventory: Inventory, migration: Migration, loads: Mapping[str, Load] | None = None
) -> list[Reason]:
    """Every reason why one replica of one share must not be moved now: as ``start_blockers``."""
    share = inventory.shares_by_id.get(migration.id)
    if share is None:
        return [Reason("status", "it does not exist any more")]
    source = migration.source
    replicas = inventory.instances.get(share.id, ())
    if not any(covers(source, one.host) for one in replicas):
        return [Reason("status", f"it has no replica at {source}")]
    found = replica_blockers(inventory, share, source, migration.options)
    pool = inventory.pools_by_name.get(migration.destination or "")
    share_type = inventory.share_types.get(share.share_type_id or "")
    if pool is None:
        unknown = Reason("pool_unknown", f"there is no pool {migration.destination}")
        return [*found, unknown if inventory.scheduler_up else SCHEDULER_DOWN]
    if share_type is None:
        return found
    reasons = replica_pool_blockers(inventory, share, share_type, pool, source)
    loads = under_way(inventory).loads if loads is None else loads
    load = loads.get(pool.name, NOTHING)
    from_snapshot = share.snapshot_id is not None
    full = fits(pool, share_type, share.size_gb, load.committed_gb, from_snapshot, load.written_gb)
    if full:
        reasons.append(full)
    return found + [Reason(one.code, f"{pool.name}: {one.message}") for one in reasons]
