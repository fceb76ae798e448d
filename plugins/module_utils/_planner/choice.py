# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which candidates move, and where to, by the objective of the request.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._model.request import (
    CONSOLIDATE,
    REBALANCE,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.context import Context
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    UnplacedEntry,
    unplaced_entry,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.groups import CutoverGroups
from ansible_collections.manila.migration.plugins.module_utils._planner.objectives import (
    Chosen,
    Level,
    consolidate,
    rebalance,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import (
    Candidate,
    Outcome,
    Running,
    Staying,
    Unplaced,
    only,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.packing import (
    Item,
    arrange,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_warnings import Planned
from ansible_collections.manila.migration.plugins.module_utils._planner.refusals import Shortages


class Choice(NamedTuple):
    """What moves, all that can't, and what was chosen."""

    planned: list[Planned]
    unplaced: list[UnplacedEntry]
    chosen: Chosen


def choose_moves(context: Context, outcomes: Sequence[Outcome], groups: CutoverGroups) -> Choice:
    """Find a destination for every candidate or, with some objectives, for those chosen."""
    request = context.request
    unplaced = [outcome.entry for outcome in only(outcomes, Unplaced)]
    candidates = only(outcomes, Candidate)
    shortages = Shortages()
    if request.chooses:
        candidates = _still_to_move(context, candidates)
        chosen = _choose(context, candidates, outcomes)
    else:
        chosen = _choose(context, candidates, outcomes)
        # What stays with its group leaves room to others, in whose groups somebody had none.
        while groups:
            left, unplaced = groups.leave_incomplete(
                candidates, chosen.placings, unplaced, shortages
            )
            if len(left) == len(candidates):
                break
            candidates = left
            for room in context.rooms.values():
                room.reset()
            chosen = _choose(context, candidates, outcomes)
    planned = []
    for candidate in candidates:
        placing = chosen.placings.get(candidate.item.id)
        if placing is not None:
            planned.append(Planned(candidate, candidate.make_entry(placing)))
        elif not request.chooses or request.agreed:
            unplaced.append(unplaced_entry(candidate.subject, shortages.of(candidate)))
    return Choice(planned, unplaced, chosen)


def _still_to_move(context: Context, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Leave out what an older plan did not choose, and what is where it wanted it."""
    agreed = context.request.agreed
    if agreed is None:
        return list(candidates)
    return [
        candidate
        for candidate in candidates
        if agreed.get(candidate.item.id, candidate.item.host) != candidate.item.host
    ]


def _choose(
    context: Context, candidates: Sequence[Candidate], outcomes: Sequence[Outcome]
) -> Chosen:
    request, rooms = context.request, context.rooms
    items = [candidate.item for candidate in candidates]
    if request.agreed is None and request.objective == REBALANCE:
        return rebalance(items, _levels(context), rooms, request.tolerance)
    if request.agreed is None and request.objective == CONSOLIDATE:
        return _consolidate(context, items, outcomes)
    # All moves, or those that an older plan has chosen.
    return Chosen(arrange(items, tuple(rooms.values()), request.placement))


def _levels(context: Context) -> dict[str, Level]:
    return {
        name: Level(name, room.total, context.contents[name], context.weights[name])
        for name, room in context.rooms.items()
        if room.total
    }


def _consolidate(context: Context, items: Sequence[Item], outcomes: Sequence[Outcome]) -> Chosen:
    staying: dict[str, list[str]] = {}
    for stay in only(outcomes, Staying):
        staying.setdefault(stay.host, []).append(stay.why)
    kept: dict[str, str] = {}
    for name, why in staying.items():
        more = f", as {len(why) - 1} more do" if len(why) > 1 else ""
        kept[name] = f"{why[0]}{more}"
    leaving = []
    for running in only(outcomes, Running):
        leaving.append(running.entry["source"])
        kept.setdefault(
            running.entry["destination"], f"{running.entry['label']} is on its way to it"
        )
    for name in context.under_way.loads:
        kept.setdefault(name, "something is on its way to it")
    full: dict[str, float] = {name: size for name, size in context.contents.items() if size}
    for name in (*leaving, *kept):
        if name in context.rooms:
            full.setdefault(name, 0.0)
    kept = {name: why for name, why in kept.items() if name in full}
    return consolidate(items, full, kept, leaving, context.rooms)
