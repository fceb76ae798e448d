# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the migrations under way will take up at their destinations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    Load,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import (
    Room,
    claim_for,
    claims_aboard,
    settle,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_server,
    observe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    COMPLETING,
    COPIED,
    COPYING,
    MOVING,
)

# The destination's back end has not been asked for anything yet, or is just being asked.
_NOT_THERE_YET = frozenset(
    {"migration_starting", "migration_in_progress", "migration_driver_starting"}
)


class UnderWay(NamedTuple):
    """What migrations that run bring to pools, and the pools that don't report it yet.

    ``loads`` are by pool, ``places`` the pools in which the shares of migrating share servers are
    expected, by the IDs of the shares.
    """

    loads: Mapping[str, Load]
    places: Mapping[str, str]


def under_way(inventory: Inventory) -> UnderWay:
    """What runs, of shares and of share servers.

    It counts in full until the destination's back end has been asked for it, which the task state
    shows, and from then on as far as a pool's report lacks it.  Counted twice it would make a plan
    that is repeated in the middle of a run find the destination full.
    """
    rooms = {pool.name: Room(pool) for pool in sorted(inventory.pools, key=lambda one: one.name)}
    _add_shares(inventory, rooms)
    places = _add_servers(inventory, rooms)
    return UnderWay(
        {name: room.load for name, room in rooms.items() if room.load != NOTHING}, places
    )


def _add_shares(inventory: Inventory, rooms: Mapping[str, Room]) -> None:
    """Shares by themselves: a pool's report has their size when the destination has been made.

    What a thin pool has free, however, shrinks only as data comes in: there the written part
    counts until the copy is done.
    """
    for share in inventory.shares:
        if share.status != MOVING[SHARE]:
            continue
        instances = inventory.instances.get(share.id, ())
        seen = observe_share(share, instances or None)
        room = rooms.get(seen.destination or "")
        if room is None or classify(seen, Target()) != COPYING:
            continue
        types = [one.share_type_id or "" for one in instances if one.host == room.name]
        share_type = inventory.share_types.get(types[0])
        claim = claim_for(share, share.host, share_type, inventory.pools_by_name)
        load = room.takes(claim).started()
        if share.task_state not in _NOT_THERE_YET:
            load = Load(0, load.written_gb if room.pool.thin_provisioning else 0)
        room.add(load)


def _add_servers(inventory: Inventory, rooms: Mapping[str, Room]) -> dict[str, str]:
    """Shares that migrate with their servers.  Returns the pools where they are expected.

    Their instances change places only at the end (share/manager.py,
    _server_migration_complete_driver).  Until then the promises of thin pools, which Manila sums
    up from its database for every driver that migrates servers (scheduler/host_manager.py), lack
    them.  The free space is the driver's word, and shrinks as for any other share.
    """
    places: dict[str, str] = {}
    moving = (one.id for one in inventory.servers if one.status == MOVING[SHARE_SERVER])
    for server_id in sorted(moving):
        seen = observe_server(server_id, inventory.servers)
        if seen is None or seen.destination is None:
            continue
        phase = classify(seen, Target())
        targets = [room for room in rooms.values() if room.pool.backend == seen.destination]
        if not targets or phase not in (COPYING, COPIED, COMPLETING):
            continue
        claims = claims_aboard(inventory, server_id)
        arrived = seen.task_state not in _NOT_THERE_YET
        for claim, room in zip(claims, settle(claims, targets, arrived).rooms):
            places[claim.share_id] = room.name
            load = room.takes(claim).started()
            if arrived:
                thin = room.pool.thin_provisioning
                load = Load(
                    load.committed_gb if thin else 0,
                    load.written_gb if thin and phase == COPYING else 0,
                )
            room.add(load)
    return places
