# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from the cloud what the planner needs.  Requests grow with back ends, not with shares."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    handles_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.binaries import (
    DATA,
    SCHEDULER,
    SHARE_MANAGER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.locks import locks_by_share
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    backend_of,
    covers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Service,
    Share,
    ShareServer,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.affinity import (
    named_in_hints,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    hides_promises,
    with_promises,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import MOVING


def read_inventory(cloud: Cloud, *sources: str) -> Inventory:
    """Read everything at ``sources`` (back ends or pools; none: anywhere), and everything that migrates.

    Share servers are asked for where any pool of the cloud has them, networks and groups where
    the source has them.  Manila's checks of share servers are the caller's.  Raises CloudError.
    """
    services, scheduler_up = _services(cloud)
    backends: list[str | None] = [*sorted(set(map(backend_of, sources)))] or [None]
    at_source = [
        one
        for backend in backends
        for one in cloud.instances(backend)
        if not sources or any(covers(source, one.host) for source in sources)
    ]
    share_ids = {one.share_id for one in at_source}
    shares: dict[str, Share] = {}
    # Manila's filter takes whole pool names, and matches any instance of a share.
    pools_there = sorted({one.host for one in at_source})
    for filters in [{"host": pool} for pool in pools_there] if sources else [{}]:
        shares.update((one.id, one) for one in cloud.shares(**filters))
    migrating = cloud.shares(status="migrating")
    shares.update((one.id, one) for one in migrating)
    if share_ids - set(shares):
        deleted = {one.id: one for one in cloud.soft_deleted_shares()}
        shares.update((one, deleted[one]) for one in share_ids - set(shares) if one in deleted)
    # The other instances of these shares: where they migrate to, replicas, leftovers.
    several = {one.id for one in migrating} | {
        one.id for one in shares.values() if one.has_replicas or one.status != "available"
    }
    # And those of the shares that one of them has to be near, or far from.
    several |= {named for one in shares.values() for named in named_in_hints(one.metadata)}
    instances = _by_share(at_source)
    pools = cloud.pools() if scheduler_up else []
    adding_up = any(map(hides_promises, pools))
    everywhere = cloud.instances() if several or adding_up else []
    instances.update((share_id, []) for share_id in several)
    for instance in everywhere:
        if instance.share_id in several:
            instances[instance.share_id].append(instance)
    if adding_up:
        everything = [*cloud.shares(), *cloud.soft_deleted_shares()]
        pools = with_promises(pools, everywhere, {one.id: one.size_gb for one in everything})
    # A back end may be left with nothing but share servers, and others may send theirs there.
    servers: list[ShareServer] = []
    if any(map(handles_servers, pools)) or any(one.share_server_id for one in at_source):
        servers = cloud.share_servers()
    _add_aboard(cloud, shares, servers)
    for one, copies in cloud.marked():
        shares[one.id] = one
        instances[one.id] = copies
    locks = cloud.locks() if shares else []
    with_servers = any(None in backends or one.host in backends for one in servers)
    return Inventory(
        shares=tuple(shares.values()),
        instances=instances,
        snapshots_by_share=cloud.snapshots() if shares else {},
        pools=tuple(pools),
        services={one.host: one for one in services if one.binary == SHARE_MANAGER},
        scheduler_up=scheduler_up,
        data_services=tuple(one for one in services if one.binary == DATA),
        share_types={one.id: one for one in cloud.share_types()},
        servers=tuple(servers),
        networks={one.id: one for one in cloud.share_networks()} if with_servers else {},
        grouped_servers=frozenset(cloud.grouped_servers()) if with_servers else frozenset(),
        frees_addresses=cloud.frees_addresses,
        locks=None if locks is None else locks_by_share(locks),
    )


def read_pools(cloud: Cloud, host: str | None = None) -> Inventory:
    """Read the pools of the cloud, what is at ``host`` (back end or pool; everywhere), and what moves.

    Of the shares only those that migrate.  Raises CloudError.
    """
    services, scheduler_up = _services(cloud)
    pools = cloud.pools() if scheduler_up else []
    shares = {one.id: one for one in cloud.shares(status=MOVING[SHARE])}
    servers = cloud.share_servers() if any(map(handles_servers, pools)) else []
    _add_aboard(cloud, shares, servers)
    return Inventory(
        shares=tuple(shares.values()),
        # What moves has instances elsewhere.
        instances=_by_share(cloud.instances(None if shares else host)),
        pools=tuple(pools),
        services={one.host: one for one in services if one.binary == SHARE_MANAGER},
        scheduler_up=scheduler_up,
        share_types={one.id: one for one in cloud.share_types()},
        servers=tuple(servers),
    )


def _services(cloud: Cloud) -> tuple[list[Service], bool]:
    """Read all services, and whether there is a scheduler to ask for pools.

    Read first: they are refused to everybody but administrators, with a clear word.
    """
    services = cloud.services()
    # Asked for pools, a Manila without a scheduler is silent for a minute and then fails.
    return services, any(one.binary == SCHEDULER and one.alive and one.enabled for one in services)


def _by_share(instances: Iterable[Instance]) -> dict[str, list[Instance]]:
    found: dict[str, list[Instance]] = {}
    for one in instances:
        found.setdefault(one.share_id, []).append(one)
    return found


def _add_aboard(cloud: Cloud, shares: dict[str, Share], servers: Iterable[ShareServer]) -> None:
    """Add the shares that migrate with their share servers."""
    if any(one.status == MOVING[SHARE_SERVER] for one in servers):
        aboard = cloud.shares(status=MOVING[SHARE_SERVER])
        shares.update((one.id, one) for one in aboard if one.id not in shares)
