# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a share asks of a pool, and the room that a pool has left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Pool,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    Load,
    headroom,
    reserved_gb,
    written_part,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    thinks_thin,
)


class Claim(NamedTuple):
    """The room that one share wants.

    ``pool`` is where it is, ``thin`` whether its type allows over-subscription (``thinks_thin``);
    ``written`` how much of it takes space, see ``written_part``.
    """

    share_id: str
    size_gb: int
    pool: str
    share_type: ShareType
    thin: bool
    from_snapshot: bool = False
    written: float = 1.0


def claim_for(
    share: Share, host: str, share_type: ShareType | None, pools: Mapping[str, Pool]
) -> Claim:
    """What a share that is at the pool ``host`` wants, with the type that it will have."""
    source = pools.get(host)
    share_type = share_type or ShareType("", "")
    return Claim(
        share.id,
        share.size_gb,
        host,
        share_type,
        thinks_thin(share_type),
        share.snapshot_id is not None,
        written_part(source) if source else 1.0,
    )


def claims_aboard(inventory: Inventory, server_id: str) -> tuple[Claim, ...]:
    """What the shares on a share server want, which keep their types; largest first."""
    claims = (
        claim_for(
            share,
            host,
            inventory.share_types.get(share.share_type_id or ""),
            inventory.pools_by_name,
        )
        for share, host in inventory.aboard(server_id)
    )
    return tuple(sorted(claims, key=lambda one: (-one.size_gb, one.share_id, one.pool)))


class Room:
    """A pool, and what comes to it beside what it reports."""

    def __init__(self, pool: Pool, load: Load = NOTHING) -> None:
        self.pool = pool
        self.name = pool.name
        self.load = load
        self._begun = load
        self._holds: dict[tuple[bool, bool, float], float] = {}
        self._promised = pool.provisioned_gb if pool.thin_provisioning else None
        self.total = None if isinstance(pool.total_gb, str) else max(pool.total_gb, 0)
        self.used = (
            None
            if self.total is None or isinstance(pool.free_gb, str)
            else self.total - pool.free_gb
        )
        self._ratio = (
            max(1, pool.max_over_subscription_ratio)
            if self.total is not None and pool.thin_provisioning
            else 1
        )
        self._may_promise = (self.total or 0) * self._ratio
        self._reserved = {
            from_snapshot: (self.total or 0) * (reserved_gb(pool, from_snapshot) / 100)
            for from_snapshot in (False, True)
        }

    def holds(self, claim: Claim, more: Load = NOTHING) -> float:
        """The largest share like ``claim`` for which there is room beside ``more``, in GiB.

        In whatever order they start: what counts as room for one must not be needed by another.
        """
        if more != NOTHING:
            return self._headroom(claim, self.load.plus(more))
        key = claim.thin, claim.from_snapshot, claim.written
        room = self._holds.get(key)
        if room is None:
            room = self._holds[key] = self._headroom(claim, self.load)
        return room

    def _headroom(self, claim: Claim, load: Load) -> float:
        free = self.pool.free_gb
        last = headroom(
            self.pool, claim.share_type, load.committed_gb, claim.from_snapshot, load.written_gb
        )
        part = self._part(claim)
        if isinstance(free, str) or load.spare_gb == -math.inf or not part:
            return last
        first = free - load.written_gb - load.spare_gb
        return max(0, min(last, math.floor(first / part)))

    def takes(self, claim: Claim) -> Load:
        """What comes to the pool with a share.

        Of its free space the written part, if type and pool are thin, or else all of it.
        """
        size_gb = needed = claim.size_gb
        reserved = self._reserved[claim.from_snapshot]
        part = self._part(claim)
        if claim.thin:
            # Of the free space whole GiB count, times the ratio: see ``headroom``.
            needed = math.ceil(size_gb / self._ratio)
        return Load(size_gb, size_gb * part, reserved + (needed - size_gb * part))

    def _part(self, claim: Claim) -> float:
        return claim.written if claim.thin and self.pool.thin_provisioning else 1.0

    def add(self, load: Load) -> None:
        """Count something in."""
        self.set(self.load.plus(load))

    def set(self, load: Load) -> None:
        """Say what comes to it."""
        self.load = load
        self._holds.clear()

    def keep(self) -> None:
        """What has been placed stays."""
        self._begun = self.load

    def reset(self) -> None:
        """Back to what came before anything was placed, or to what was kept."""
        self.set(self._begun)

    def fill(self, more: Load = NOTHING) -> tuple[bool, float]:
        """How near its limits the pool will be with ``more``, to compare pools by.

        Of a thin pool the space or the promises, whichever is scarcer.  Pools that don't tell
        come after all that do, those with the least planned first.
        """
        return self._filled(more.committed_gb, more.written_gb)

    def fill_with(self, claim: Claim) -> tuple[bool, float]:
        """The same with one share: ``fill(takes(claim))``, without working out all of that."""
        return self._filled(claim.size_gb, claim.size_gb * self._part(claim))

    def _filled(self, committed_gb: float, written_gb: float) -> tuple[bool, float]:
        committed = self.load.committed_gb + committed_gb
        if self.used is None or not self.total:
            return True, committed
        fill = (self.used + self.load.written_gb + written_gb) / self.total
        if self._promised is not None:
            fill = max(fill, (self._promised + committed) / self._may_promise)
        return False, fill


class Settlement(NamedTuple):
    """Rooms for several shares, one for each in their order, and what comes to each room.

    ``lacking`` are those for which none was left; they stand where they are expected all the same.
    """

    rooms: Sequence[Room]
    loads: Mapping[str, Load]
    lacking: Sequence[Claim] = ()


def settle(claims: Sequence[Claim], rooms: Sequence[Room], arrived: bool = False) -> Settlement:
    """Room for shares, largest first, that go to one back end together, as it is likely to come.

    Which of its pools takes which share only the driver decides.  Pools are often named alike
    where back ends are, and a share is expected in the pool that is named like its own, if that
    has room, or else where most room is.  ``rooms`` are by name.  What has ``arrived`` needs no
    more room: pools count it in what they report.
    """
    chosen: list[Room] = []
    lacking: list[Claim] = []
    loads: dict[str, Load] = {}
    for claim in claims:
        room, has_room = _best(claim, rooms, loads, 0 if arrived else claim.size_gb)
        chosen.append(room)
        if has_room:
            loads[room.name] = loads.get(room.name, NOTHING).plus(room.takes(claim))
        else:
            lacking.append(claim)
    return Settlement(chosen, loads, lacking)


def _best(
    claim: Claim, rooms: Sequence[Room], loads: Mapping[str, Load], needed_gb: int
) -> tuple[Room, bool]:
    name = claim.pool.partition("#")[2]

    def rank(room: Room) -> tuple[bool, bool, bool, float]:
        holds = room.holds(claim, loads.get(room.name, NOTHING))
        has_name = room.name.partition("#")[2] == name
        return holds >= needed_gb, has_name, room.used is not None, holds

    # The first of equals: max() keeps it.
    best = max(rooms, key=rank)
    return best, rank(best)[0]
