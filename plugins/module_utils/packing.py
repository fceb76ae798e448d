# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes where, when everything takes room from everything else.

An item is a share, or a share server with all its shares; a site is a pool, or a back end with its
pools.  What an item is, and which sites can take it at all, is told; here only room is looked at.
The same input gives the same answer.  Sizes are GiB.  Pure.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from ansible_collections.manila.migration.plugins.module_utils.capacity import (
    Claim,
    Room,
    Settlement,
    settle,
)

SPREAD = "spread"
PACK = "pack"
PLACEMENTS = (SPREAD, PACK)

_SMALL = 60
"""Up to how many items are tried out, when the first answer leaves one without a place."""

_STEPS = 5_000
"""How many times a site is tried before that is given up."""


@dataclass(frozen=True)
class Site:
    """A place that takes items: the rooms that count there, by name."""

    name: str
    rooms: tuple[Room, ...]


@dataclass(frozen=True)
class Item:
    """What looks for one site for all its claims (largest first)."""

    id: str
    claims: tuple[Claim, ...]
    sites: Sequence[Site]
    order: tuple[Any, ...]
    """What sorts items of one size, those with fewer choices first.  Those that agree in it must
    be alike in sites and, size aside, in what room they want."""

    @property
    def size_gb(self) -> int:
        """GiB of all claims."""
        return sum(one.size_gb for one in self.claims)


class Placing(NamedTuple):
    """The site of one item, and the room for each of its claims."""

    site: Site
    rooms: Sequence[Room]


class _Ranked(NamedTuple):
    """A site that has room for an item.  The best one is the least."""

    silent: bool
    fill: float
    name: str
    site: Site
    settlement: Settlement


Placings = dict[str, Placing]
"""By the IDs of items."""


def _rank(site: Site, item: Item, placement: str) -> _Ranked | None:
    """How good a site is for an item: by the fullest of the pools that get something."""
    settlement = settle(item.claims, site.rooms)
    if settlement.lacking:
        return None
    loads = settlement.loads
    silent, fill = max(room.fill(loads[room.name]) for room in site.rooms if room.name in loads)
    fill = -fill if placement == PACK and not silent else fill
    return _Ranked(silent, fill, site.name, site, settlement)


def _ranked(item: Item, placement: str) -> list[_Ranked]:
    found = (_rank(site, item, placement) for site in item.sites)
    return [one for one in found if one]


def _add(settlement: Settlement) -> None:
    rooms = {room.name: room for room in settlement.rooms}
    for name, load in settlement.loads.items():
        rooms[name].add(load)


def arrange(items: Sequence[Item], rooms: Sequence[Room], placement: str) -> Placings:
    """A site for every item for which there is one left; ``rooms`` know it afterwards."""
    items = sorted(items, key=lambda item: (-item.size_gb, item.order, item.id))
    best = _place(items, placement)
    if len(best) == len(items):
        return best
    # What was asked for left somebody out.  Packed tightly more may fit; if a few items are all
    # there is, trying tells for sure.
    attempts: tuple[Callable[[], Placings], ...] = (
        partial(_place, items, PACK),
        partial(_try, items),
    )
    for attempt in attempts:
        _reset(rooms)
        placings = attempt()
        if _worth(items, placings) > _worth(items, best):
            best = placings
    _reset(rooms)
    for item in items:
        if item.id in best:
            for claim, room in zip(item.claims, best[item.id].rooms):
                room.add(room.takes(claim))
    return best


def _reset(rooms: Sequence[Room]) -> None:
    for room in rooms:
        room.reset()


def _worth(items: Sequence[Item], placings: Placings) -> tuple[int, int]:
    """What an answer is worth: how many shares have a place, and how many GiB."""
    placed = [item for item in items if item.id in placings]
    return sum(len(item.claims) for item in placed), sum(item.size_gb for item in placed)


def _place(items: Sequence[Item], placement: str) -> Placings:
    """Largest first, each at the best site that has room for it.

    Items of one size and order come in a row.  Within a row only the site that took the last one
    changes its rank, so a heap finds the next one: the cost is that of sorting, plus rows times
    sites.
    """
    placings: Placings = {}
    rows = groupby(items, key=lambda item: (item.size_gb, item.order))
    for _key, row in rows:
        same = list(row)
        heap = _ranked(same[0], placement)
        heapq.heapify(heap)
        for item in same:
            if not heap:
                break
            best = heap[0]
            placings[item.id] = Placing(best.site, best.settlement.rooms)
            _add(best.settlement)
            again = _rank(best.site, item, placement)
            if again:
                heapq.heapreplace(heap, again)
            else:
                heapq.heappop(heap)
    return placings


def _try(items: Sequence[Item]) -> Placings:
    """A place for every item that has room by itself, if trying finds one for all of them."""
    items = [item for item in items if _ranked(item, SPREAD)]
    most: dict[str, float] = {}
    for item in items:
        for site in item.sites:
            for room in site.rooms:
                # What a thin pool can take in all depends on what is written: no bound.
                thin = room.pool.thin_provisioning
                holds = math.inf if thin else max(map(room.holds, item.claims))
                most[room.name] = max(most.get(room.name, 0), holds)
    if len(items) > _SMALL or sum(item.size_gb for item in items) > sum(most.values()):
        return {}
    return _search(items, _STEPS)


def _search(items: Sequence[Item], steps: int) -> Placings:
    """A place for every item, found by trying; nothing if there is none within ``steps``."""
    placings: Placings = {}
    left = steps

    def descend(index: int) -> bool:
        nonlocal left
        if index == len(items):
            return True
        item = items[index]
        left -= len(item.sites)
        if left < 0:
            return False
        for one in sorted(_ranked(item, SPREAD)):
            before = [(room, room.load) for room in one.site.rooms]
            _add(one.settlement)
            if descend(index + 1):
                placings[item.id] = Placing(one.site, one.settlement.rooms)
                return True
            for room, load in before:
                room.set(load)
        return False

    return placings if descend(0) else {}
