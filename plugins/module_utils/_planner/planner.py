# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: what goes where, and what can't go anywhere, and why.

``make_plan()`` turns an inventory and a request into a plan, a dictionary that can be printed,
kept in a file and read again (``plan_file``).  It changes nothing and asks nobody.  The
same input gives the same plan, whatever the order in which the cloud listed it.

Shares move one by one or, on share servers and unless they are to be split, with their server.
Whether a server can move only Manila and the drivers know: ``checks_to_ask()`` says what to ask
before a plan is made.

Everything at the source goes to the planner of its kind (``sorting``; ``share_planner``,
``server_planner``, ``replica_planner``), which says what it is (``outcomes``).  For what can move,
``choice`` finds a destination, with the members of its cutover group (``groups``) or not at all.

Manila's scheduler checks the capacity of a destination when the migration of a share starts but
sets nothing aside, so several that start together may overfill a pool; for share servers it isn't
even asked.  The planner adds up what it places.  Sizes are GiB, fills are percent.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import (
    SCHEDULER_DOWN,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.locks import UNKNOWN
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.choice import (
    Choice,
    choose_moves,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.context import (
    Context,
    read_context,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    MigrationEntry,
    Plan,
    as_dicts,
    by_label,
    shares_in,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.forecast import forecast
from ansible_collections.manila.migration.plugins.module_utils._planner.grouping import in_order
from ansible_collections.manila.migration.plugins.module_utils._planner.groups import (
    CutoverGroups,
    find_groups,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import (
    Candidate,
    Excluded,
    Outcome,
    Question,
    Running,
    Unplaced,
    only,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import VERSION
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_warnings import (
    warn_of_plan,
    warn_of_unknown_snapshots,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.pool_entries import (
    pool_entries,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.sorting import sort_out


def checks_to_ask(inventory: Inventory, request: Request) -> list[Question]:
    """What only Manila and the drivers know, and a plan depends on.

    Nothing is asked of what migrates already, and of what can't move for other reasons.  The
    answers belong in ``checks`` of the inventory; one that is missing is no objection.  Raises
    ValueError like ``make_plan``.
    """
    return only(sort_out(read_context(inventory, request)), Question)


def make_plan(inventory: Inventory, request: Request) -> dict[str, Any]:
    """The plan.  Raises ValueError, with one sentence, for a request that can't be meant."""
    context = read_context(inventory, request)
    outcomes = list(sort_out(context))
    running = [outcome.entry for outcome in only(outcomes, Running)]
    excluded = [outcome.subject for outcome in only(outcomes, Excluded)]
    groups = _find_groups(context, outcomes)
    choice = choose_moves(context, outcomes, groups)
    planned = [move.entry for move in choice.planned]
    groups.label([*running, *planned], choice.unplaced)
    # What runs comes first.
    migrations = _in_order(context, running) + _in_order(context, planned)
    plan: Plan = {
        "version": VERSION,
        "source": request.source,
        "destinations": list(request.destinations),
        "objective": request.objective,
        "availability_zone": request.availability_zone or None,
        "share_servers": request.share_servers,
        "migrations": migrations,
        "unplaced": sorted(choice.unplaced, key=by_label),
        "excluded": sorted(excluded, key=by_label),
        "warnings": as_dicts(_warnings(context, outcomes, groups, choice, bool(migrations))),
        "pools": pool_entries(context, migrations, running),
        "emptied": sorted(choice.chosen.emptied),
        "summary": {
            "migrations": len(migrations),
            "running": len(running),
            "unplaced": len(choice.unplaced),
            "excluded": len(excluded),
            "size_gb": sum(entry["size_gb"] or 0 for entry in migrations),
            "shares": sum(len(entry.get("shares", "1")) for entry in migrations),
            "expected_seconds": forecast(migrations, request.pace),
        },
    }
    return dict(plan)


def _find_groups(context: Context, outcomes: list[Outcome]) -> CutoverGroups:
    """Find the cutover groups of all that moves, or should."""
    candidates = [outcome.subject for outcome in only(outcomes, Candidate)]
    running = [outcome.entry for outcome in only(outcomes, Running)]
    unplaced = [outcome.entry for outcome in only(outcomes, Unplaced)]
    return find_groups(context, [*candidates, *running, *unplaced])


def _in_order(context: Context, entries: list[MigrationEntry]) -> list[MigrationEntry]:
    shares = context.inventory.shares_by_id
    return in_order(entries, context.request.order, lambda entry: shares_in(entry, shares))


def _warnings(
    context: Context,
    outcomes: list[Outcome],
    groups: CutoverGroups,
    choice: Choice,
    migrates: bool,
) -> list[Reason]:
    """Return what is to be known before the plan is carried out, in the order of the planning."""
    return [
        *warn_of_unknown_snapshots(context),
        *([] if context.inventory.scheduler_up else [SCHEDULER_DOWN]),
        *only(outcomes, Reason),
        *groups.warnings(),
        *choice.chosen.warnings,
        *warn_of_plan(context, choice.planned),
        *([UNKNOWN] if migrates and context.inventory.locks is None else []),
    ]
