# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which shares to move, where not all of them have to: to rebalance pools, to empty some.

How full a pool is, is told here by the sizes of the shares that lie in it (``capacity.weights``
say how they count in thin pools).  What drivers report is older than that: Manila's scheduler
renews it only when something is scheduled, and who asked again after a rebalance would be told
to do it again.
Sizes are GiB, fills parts of a whole, tolerances percent points.  Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.request import PACK
from ansible_collections.manila.migration.plugins.module_utils._model.wording import listed
from ansible_collections.manila.migration.plugins.module_utils._planner.packing import (
    Item,
    Ladder,
    Placing,
    Placings,
    Site,
    arrange,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import Room

_FEW_POOLS = 8
_FEW_ITEMS = 60
"""Up to which all choices of pools to empty are tried."""


class Chosen(NamedTuple):
    """What shall move where, what one should know of the rest, and the pools made empty."""

    placings: Placings
    warnings: Sequence[Reason] = ()
    emptied: frozenset[str] = frozenset()


@dataclass
class Level:
    """How full a pool is: ``content`` GiB of shares, of ``total`` when each counts ``weight``."""

    name: str
    total: float
    content: float = 0.0
    weight: float = 1.0

    @property
    def fill(self) -> float:
        """The part of it that is taken."""
        return self.content * self.weight / self.total

    def beyond(self, fill: float) -> float:
        """GiB of shares that are in it above that fill, or with a minus can come up to it."""
        return self.content - fill * self.total / self.weight


# -- rebalance -------------------------------------------------------------------------------


def rebalance(
    items: Iterable[Item],
    levels: Mapping[str, Level],
    rooms: Mapping[str, Room],
    tolerance: float,
) -> Chosen:
    """The least data that brings all pools to within ``tolerance`` of the mean of all.

    Few large shares rather than many small ones, as each move disturbs somebody.  ``levels`` are
    the pools in question, and know afterwards; ``rooms`` what else bounds them.
    """
    balance = _Balance(items, levels, rooms, tolerance / 100)
    balance.relieve()
    balance.fill_up()
    return Chosen(balance.placings, balance.warnings())


@dataclass
class _Stock:
    """The shares of one kind in one pool that can move, by size and ID."""

    shares: list[tuple[int, str, Item]] = field(default_factory=list)

    def below(self, size_gb: float) -> Item | None:
        """The largest up to this size."""
        index = bisect_right(self.shares, (size_gb, chr(0x10FFFF)))
        return self.shares[index - 1][2] if index else None

    def above(self, size_gb: float) -> Item | None:
        """The smallest that is larger."""
        index = bisect_right(self.shares, (size_gb, chr(0x10FFFF)))
        return self.shares[index][2] if index < len(self.shares) else None

    def take(self, item: Item) -> None:
        """It goes."""
        del self.shares[bisect_right(self.shares, (item.size_gb, item.id))]


class _Balance:
    """A rebalance in the making."""

    def __init__(
        self,
        items: Iterable[Item],
        levels: Mapping[str, Level],
        rooms: Mapping[str, Room],
        tolerance: float,
    ) -> None:
        self.levels = levels
        self.rooms = rooms
        total = sum(level.total for level in levels.values())
        mean = sum(level.fill * level.total for level in levels.values()) / total if total else 0.0
        self.lower, self.upper = mean - tolerance, mean + tolerance
        self.mean = mean
        self.ladder = Ladder({name: (level.fill,) for name, level in levels.items()})
        self.placings: Placings = {}
        self.stocks: dict[str, dict[tuple[object, ...], _Stock]] = {name: {} for name in levels}
        for item in sorted(items, key=lambda item: (item.size_gb, item.id)):
            if item.host in levels:
                stock = self.stocks[item.host].setdefault(item.order, _Stock())
                stock.shares.append((item.size_gb, item.id, item))

    def relieve(self) -> None:
        """From pools that are too full to the emptiest that can take something."""
        for *_fill, name in list(reversed(self.ladder)):
            donor = self.levels[name]

            def excess(level: Level = donor) -> float:
                return level.beyond(self.upper)

            def receiver(item: Item, giver: Level = donor) -> Level | None:
                return self._receiver(item, giver)

            self._shift(donor, excess, receiver)

    def fill_up(self) -> None:
        """To pools that are too empty, from the fullest that have something for them."""
        for *_fill, name in list(self.ladder):
            taker = self.levels[name]

            def receiver(item: Item, level: Level = taker) -> Level | None:
                return level if self._takes(level, item) else None

            for *_full, giver in list(reversed(self.ladder)):
                donor = self.levels[giver]
                if taker.fill >= self.lower or donor.fill <= self.mean or donor is taker:
                    break

                def lack(level: Level = taker, other: Level = donor) -> float:
                    return min(-level.beyond(self.lower), other.beyond(self.mean))

                self._shift(donor, lack, receiver)

    def _shift(
        self,
        donor: Level,
        wanted: Callable[[], float],
        receiver: Callable[[Item], Level | None],
    ) -> None:
        """Move shares out of one pool until nothing more is ``wanted``, in GiB.

        The largest share up to that, or else the smallest above it that leaves the pool full
        enough.  Pools only fill up meanwhile, so where one share found no place a larger one of
        its kind won't either.
        """
        stocks = self.stocks[donor.name]
        most = dict.fromkeys(stocks, float("inf"))
        while True:
            need = wanted()
            if need <= 0:
                return
            below, above = [], []
            for kind, stock in stocks.items():
                fits = stock.below(min(need, most[kind]))
                over = stock.above(need)
                if fits:
                    below.append((-fits.size_gb, fits.id, fits, kind))
                elif over and over.size_gb <= most[kind]:
                    above.append((over.size_gb, over.id, over, kind))
            if below or above:
                _size, _id, item, kind = min(below or above, key=lambda one: one[:2])
                keeps = donor.beyond(self.lower) - item.size_gb >= 0
                level = receiver(item) if keeps else None
                if level:
                    self._move(item, donor, level, kind)
                else:
                    most[kind] = item.size_gb - 1
            else:
                return

    def _receiver(self, item: Item, donor: Level) -> Level | None:
        """The emptiest pool that takes a share and isn't too full with it."""
        for fill, name in self.ladder:
            if fill >= self.upper:
                return None
            level = self.levels[name]
            if level is not donor and self._takes(level, item):
                return level
        return None

    def _takes(self, level: Level, item: Item) -> bool:
        (claim,) = item.claims
        room = self.rooms.get(level.name)
        if room is None or level.name not in item.sites or room.holds(claim) < claim.size_gb:
            return False
        return level.beyond(self.upper) + claim.size_gb <= 0

    def _move(self, item: Item, donor: Level, taker: Level, kind: tuple[object, ...]) -> None:
        (claim,) = item.claims
        room = self.rooms[taker.name]
        self.stocks[donor.name][kind].take(item)
        self.placings[item.id] = Placing(item.sites[taker.name], (room,))
        room.add(room.takes(claim))
        donor.content -= item.size_gb
        taker.content += item.size_gb
        for level in (donor, taker):
            self.ladder.move(level.name, (level.fill,))

    def warnings(self) -> list[Reason]:
        """The pools that stay outside, and which way."""
        found = []
        for names, what in (
            ([name for fill, name in self.ladder if fill > self.upper + _HAIR], "fuller"),
            ([name for fill, name in self.ladder if fill < self.lower - _HAIR], "emptier"),
        ):
            if names:
                found.append(
                    Reason(
                        "not_balanced",
                        f"{listed(names, 'pool')}: {what} than the tolerance allows (the mean is "
                        f"{100 * self.mean:.1f} %), and no move is possible that would mend it",
                    )
                )
        return found


_HAIR = 1e-9
"""What sums of fractions may be wrong by."""


# -- consolidate -----------------------------------------------------------------------------


def consolidate(
    items: Iterable[Item],
    contents: Mapping[str, float],
    kept: Mapping[str, str],
    leaving: Iterable[str],
    rooms: Mapping[str, Room],
) -> Chosen:
    """As many pools as possible made empty by moves into the others.

    ``contents`` (GiB) are the pools in question with something in them; ``kept`` those of them
    that can't be emptied, and why; ``leaving`` those whose shares are on their way already.  Pools
    that are empty stay so.
    """
    by_pool: dict[str, list[Item]] = {name: [] for name in contents}
    for item in items:
        if item.host in by_pool:
            by_pool[item.host].append(item)
    # The cheapest first; what was begun is finished before that.
    begun = sorted(name for name in set(leaving) if name in contents and name not in kept)
    others = sorted(
        (name for name in contents if name not in kept and name not in begun),
        key=lambda name: (contents[name], name),
    )
    task = _Emptying(by_pool, rooms)
    for name in begun:
        task.add(name)
    if len(others) <= _FEW_POOLS and sum(len(by_pool[name]) for name in others) <= _FEW_ITEMS:
        task.add_most(others)
    else:
        for name in others:
            task.add(name)
    reasons = [Reason("not_emptied", f"{name}: {why}") for name, why in sorted(kept.items())]
    full = [name for name in (*begun, *others) if name not in task.emptied]
    if full:
        reasons.append(
            Reason(
                "not_emptied",
                f"{listed(sorted(full), 'pool')}: "
                + ("its shares fill" if len(full) == 1 else "their shares fill")
                + " what room there is, or take what others are emptied into",
            )
        )
    return Chosen(task.placings, reasons, frozenset(task.emptied))


class _Emptying:
    """Pools that are emptied one after the other."""

    def __init__(self, by_pool: Mapping[str, Sequence[Item]], rooms: Mapping[str, Room]) -> None:
        self.by_pool = by_pool
        self.rooms = rooms
        self.emptied: set[str] = set()
        self.placings: Placings = {}

    def add(self, name: str) -> bool:
        """Empty one more, if that is possible; it must not have got anything."""
        got = {placing.site.name for placing in self.placings.values()}
        if name in got:
            return False
        rooms = self._targets({*self.emptied, name})
        items = _among(self.by_pool[name], rooms)
        placings = arrange(items, list(rooms.values()), PACK)
        for room in rooms.values():
            room.keep() if len(placings) == len(items) else room.reset()
        if len(placings) < len(items):
            return False
        self.placings.update(placings)
        self.emptied.add(name)
        return True

    def add_most(self, names: Sequence[str]) -> None:
        """Empty the most of these that is possible, the cheapest first."""
        for count in range(len(names), 0, -1):
            for some in sorted(combinations(names, count), key=self._content):
                rooms = self._targets({*self.emptied, *some})
                if not {placing.site.name for placing in self.placings.values()} <= set(rooms):
                    continue
                items = _among([item for name in some for item in self.by_pool[name]], rooms)
                placings = arrange(items, list(rooms.values()), PACK)
                if len(placings) == len(items):
                    self.placings.update(placings)
                    self.emptied.update(some)
                    return
                for room in rooms.values():
                    room.reset()

    def _content(self, names: Sequence[str]) -> int:
        return sum(item.size_gb for name in names for item in self.by_pool[name])

    def _targets(self, emptied: set[str]) -> dict[str, Room]:
        return {
            name: room
            for name, room in self.rooms.items()
            if name in self.by_pool and name not in emptied
        }


def _among(items: Sequence[Item], rooms: Mapping[str, Room]) -> list[Item]:
    """The items with those sites only that are among ``rooms``."""
    known: dict[int, Mapping[str, Site]] = {}
    return [
        item._replace(
            sites=known.setdefault(
                id(item.sites),
                {name: site for name, site in item.sites.items() if name in rooms},
            ),
        )
        for item in items
    ]
