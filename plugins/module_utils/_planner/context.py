# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all parts of the planner read: the cloud, the request, and what both imply.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import (
    SCHEDULER_DOWN,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import Pool, Share
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.request import (
    Scope,
    check_request,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    weights,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import (
    UnderWay,
    under_way,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import Room
from ansible_collections.manila.migration.plugins.module_utils._states.tables import GOING

ENDING = GOING | {"migrating"}
"""Statuses of a source instance at the end of a migration."""


class ServerShare(NamedTuple):
    """A share on a share server, the pool where it is there, and whether it is excluded."""

    share: Share
    host: str
    excluded: bool = False


@dataclass(frozen=True)
class Context:
    """One cloud and one request.  Only the rooms change: they count what is placed in them.

    ``types`` is the share type map in IDs, ``pools`` are all that the scheduler knows and
    ``rooms`` those that something may be moved to, both by name in order.
    ``snapshots_to_delete`` are IDs, ``unknown_snapshots`` the names of that option that no
    snapshot has.
    """

    inventory: Inventory
    request: Request
    types: Mapping[str, str]
    scope: Scope
    under_way: UnderWay
    pools: Mapping[str, Pool]
    rooms: Mapping[str, Room]
    snapshots_to_delete: frozenset[str]
    unknown_snapshots: tuple[str, ...]

    @cached_property
    def contents(self) -> Mapping[str, int]:
        """GiB of shares in each room when what runs has ended, for objectives that choose."""
        return _contents(self.inventory, self.rooms) if self.request.chooses else {}

    @cached_property
    def weights(self) -> Mapping[str, float]:
        """How much a GiB of a share counts in each room."""
        return weights(room.pool for room in self.rooms.values())

    def no_destination(self) -> list[Reason]:
        """Return why there is no destination at all, whatever is to move."""
        if not self.inventory.scheduler_up:
            return [SCHEDULER_DOWN]
        if self.rooms:
            return []
        where = f" at {', '.join(self.request.destinations)}"
        return [
            Reason(
                "no_destination",
                "Manila's scheduler knows no pool"
                + (where if self.request.destinations else " beside the source"),
            )
        ]


def read_context(inventory: Inventory, request: Request) -> Context:
    """Work out what a request means in this cloud.

    Raises:
        ValueError: One sentence, for a request that can't be meant.
    """
    types = check_request(inventory, request)
    scope = Scope(request, inventory)
    running = under_way(inventory)
    pools = dict(sorted(inventory.pools_by_name.items()))
    rooms = {
        name: Room(pool, running.loads.get(name, NOTHING))
        for name, pool in pools.items()
        if scope.brings_to(name)
    }
    snapshots, unknown = _find_snapshots(inventory, request, scope)
    return Context(inventory, request, types, scope, running, pools, rooms, snapshots, unknown)


def _find_snapshots(
    inventory: Inventory, request: Request, scope: Scope
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Find the snapshots that may be deleted among those of what may move, and unknown names."""
    counts = {name: 0 for name in request.delete_snapshots if name}
    snapshots = set()
    for share in inventory.shares if counts else ():
        if not scope.takes_from(share.host):
            continue
        for snapshot in inventory.snapshots(share.id):
            for name in counts.keys() & {snapshot.id, snapshot.name}:
                counts[name] += 1
                snapshots.add(snapshot.id)
    for name, count in sorted(counts.items()):
        if count > 1:
            # What is deleted is lost: no guesses.
            raise ValueError(f"delete_snapshots: {count} snapshots are named {name!r}; use IDs.")
    return frozenset(snapshots), tuple(sorted(name for name, count in counts.items() if not count))


def _contents(inventory: Inventory, rooms: Mapping[str, Room]) -> dict[str, int]:
    contents = dict.fromkeys(rooms, 0)
    for share in inventory.shares:
        instances = inventory.instances.get(share.id, ())
        leaves = GOING if len(instances) == 1 else ENDING
        hosts = [instance.host for instance in instances if instance.status not in leaves]
        for host in hosts if instances else [share.host]:
            if host in contents:
                contents[host] += share.size_gb
    return contents
