# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes where, when everything takes room from everything else.

An item is a share, or a share server with all its shares; a site is a pool, or a back end with its
pools.  What an item is, and which sites can take it at all, is told; here only room is looked at.
The same input gives the same answer.  Sizes are GiB.  Pure.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._model.request import PACK, SPREAD
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    Load,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import (
    Claim,
    Room,
    Settlement,
    settle,
)

_SMALL = 60
"""Up to how many items are tried out, when the first answer leaves one without a place."""


_STEPS = 5_000
"""How many times a site is tried before that is given up."""


_ENOUGH = 0.01
"""How much fuller than the next pool is now, as a part of its capacity, is good enough."""


@dataclass(frozen=True)
class Site:
    """A place that takes items: the rooms that count there, by name."""

    name: str
    rooms: tuple[Room, ...]


class Item(NamedTuple):
    """What looks for one site for all its claims (largest first)."""

    id: str
    size_gb: int
    claims: tuple[Claim, ...]
    sites: Mapping[str, Site]
    """By name.  That of a share is a pool, and named like its only room."""
    order: tuple[Any, ...]
    """What sorts items of one size, those with fewer choices first.  Those that agree in it must
    be alike in sites and, size aside, in what room they want."""
    to_backend: bool = False
    """Whether its sites are back ends with all their pools."""
    apart: frozenset[str] = frozenset()
    """IDs of other items that must not come to the same site."""

    @property
    def host(self) -> str:
        """The pool where it is, or its largest part."""
        return self.claims[0].pool


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
    found = (_rank(site, item, placement) for site in item.sites.values())
    return [one for one in found if one]


class Ladder:
    """Names in the order of their keys, of which one changes now and then."""

    def __init__(self, keys: Mapping[str, tuple[Any, ...]]) -> None:
        self._keys = {name: (*key, name) for name, key in keys.items()}
        self._steps: list[tuple[Any, ...]] = sorted(self._keys.values())

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Keys with the name at the end, the least first."""
        yield from self._steps

    def __reversed__(self) -> Iterator[tuple[Any, ...]]:
        yield from reversed(self._steps)

    def move(self, name: str, key: tuple[Any, ...]) -> None:
        """Give a name another key."""
        del self._steps[bisect_left(self._steps, self._keys[name])]
        self._keys[name] = (*key, name)
        insort(self._steps, self._keys[name])


class _Pools:
    """Pools by how full they are, the emptiest first; those that don't tell come last."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self.rooms = {room.name: room for room in rooms}
        self._largest = (
            max((room.total or 0 for room in self.rooms.values()), default=0) or math.inf
        )
        self.ladder = Ladder({name: room.fill() for name, room in self.rooms.items()})

    def add(self, name: str, load: Load) -> None:
        """Something comes to a pool."""
        self.rooms[name].add(load)
        self.ladder.move(name, self.rooms[name].fill())

    def best(self, item: Item, placement: str, taken: Collection[str] = ()) -> Room | None:
        """The pool that is best for one share, and is not ``taken``.

        It may be a little fuller than the best one: looking at all pools for each share would
        take the product of both.
        """
        (claim,) = item.claims
        sites, size_gb = item.sites, claim.size_gb
        best: tuple[bool, float, str] | None = None
        packed = placement == PACK
        # No pool gets fuller by less than this.
        step = size_gb * (claim.written if claim.thin else 1) / self._largest
        for silent, fill, name in reversed(self.ladder) if packed else self.ladder:
            near = best and (best[1] - fill <= _ENOUGH or (silent, fill + step) >= best[:2])
            if best and not best[0] and (packed or near):
                break
            if name not in sites or name in taken:
                continue
            room = self.rooms[name]
            unknown, after = room.fill_with(claim)
            key = (unknown, -after if packed and not unknown else after, name)
            # Whether there is room takes longer to say than how good it would be.
            if (best is None or key < best) and room.holds(claim) >= size_gb:
                best = key
        return self.rooms[best[2]] if best else None


def arrange(items: Sequence[Item], rooms: Sequence[Room], placement: str) -> Placings:
    """A site for every item for which there is one left; ``rooms`` know it afterwards."""
    items = sorted(items, key=_urgency)
    best = _place(items, rooms, placement)
    if len(best) == len(items):
        return best
    # What was asked for left somebody out.  Packed tightly more may fit; if a few items are all
    # there is, trying tells for sure.
    attempts: tuple[Callable[[], Placings], ...] = (
        partial(_place, items, rooms, PACK),
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


def _urgency(item: Item) -> tuple[Any, ...]:
    return -item.size_gb, item.order, item.id


def _reset(rooms: Sequence[Room]) -> None:
    for room in rooms:
        room.reset()


def _worth(items: Sequence[Item], placings: Placings) -> tuple[int, int]:
    """What an answer is worth: how many shares have a place, and how many GiB."""
    placed = [item for item in items if item.id in placings]
    return sum(len(item.claims) for item in placed), sum(item.size_gb for item in placed)


def _place(items: Sequence[Item], rooms: Sequence[Room], placement: str) -> Placings:
    """Largest first, each at the best site that has room for it."""
    placings: Placings = {}
    pools = _Pools(rooms)
    for _key, row in groupby(items, key=lambda item: (item.size_gb, item.order)):
        for item in row:
            taken = [placings[one].site.name for one in item.apart if one in placings]
            placing = _settle(item, pools, placement, taken)
            if placing is None:
                break  # those of its row are like it
            placings[item.id] = placing
    return placings


def _settle(
    item: Item, pools: _Pools, placement: str, taken: Collection[str] = ()
) -> Placing | None:
    """Place one item, if anything has room for it."""
    if not item.to_backend:
        room = pools.best(item, placement, taken)
        if room is None:
            return None
        pools.add(room.name, room.takes(item.claims[0]))
        return Placing(item.sites[room.name], (room,))
    best = min(_ranked(item, placement), default=None)
    if best is None:
        return None
    for name, load in best.settlement.loads.items():
        pools.add(name, load)
    return Placing(best.site, best.settlement.rooms)


def _try(items: Sequence[Item]) -> Placings:
    """A place for every item that has room by itself, if trying finds one for all of them."""
    items = [item for item in items if _ranked(item, SPREAD)]
    most: dict[str, float] = {}
    for item in items:
        for site in item.sites.values():
            for room in site.rooms:
                # What a thin pool can take in all depends on what is written: no bound.
                thin = room.pool.thin_provisioning
                holds = math.inf if thin else max(map(room.holds, item.claims))
                most[room.name] = max(most.get(room.name, 0), holds)
    if any(item.apart for item in items):
        return {}
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
            for room in one.site.rooms:
                room.add(one.settlement.loads.get(room.name, NOTHING))
            if descend(index + 1):
                placings[item.id] = Placing(one.site, one.settlement.rooms)
                return True
            for room, load in before:
                room.set(load)
        return False

    return placings if descend(0) else {}
