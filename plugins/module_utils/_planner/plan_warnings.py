# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be known of a plan before it starts.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    plan_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.wording import listed, many
from ansible_collections.manila.migration.plugins.module_utils._planner.context import Context
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    MigrationEntry,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.forecast import traffic
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import Candidate


class Planned(NamedTuple):
    """A candidate that has a destination, and its entry."""

    candidate: Candidate
    entry: MigrationEntry


def warn_of_unknown_snapshots(context: Context) -> Iterator[Reason]:
    """Name the snapshots that are to be deleted, and are not there."""
    for name in context.unknown_snapshots:
        yield Reason(
            "snapshot_unknown",
            f"snapshot {name!r} shall be deleted, but no share here has one of that name",
        )


def warn_of_plan(context: Context, planned: Sequence[Planned]) -> Iterator[Reason]:
    """Name what is to be known of the pools that are used, and of what is lost and how."""
    entries = [move.entry for move in planned]
    scheduled = [move.entry for move in planned if move.candidate.by_scheduler]
    yield from _warn_of_silent_pools(context, entries)
    yield from _warn_of_filters(context, scheduled)
    yield from _warn_of_deletions(entries)
    mechanism = context.request.mechanism if scheduled else "driver"
    sources = sorted({backend_of(entry["source"]) for entry in entries})
    yield from dict.fromkeys(
        warning
        for source in sources
        for warning in plan_warnings(context.inventory, source, mechanism)
    )


def _warn_of_silent_pools(context: Context, entries: Sequence[MigrationEntry]) -> Iterator[Reason]:
    coming, _going = traffic(entries)
    silent = [name for name in sorted(coming) if context.rooms[name].used is None]
    if silent:
        yield Reason("capacity_unknown", f"{listed(silent, 'pool')}: the capacity is not reported")


def _warn_of_filters(context: Context, entries: Sequence[MigrationEntry]) -> Iterator[Reason]:
    """Name the pools with a filter of their own, where the scheduler judges the destination."""
    filtering = [
        name
        for name in sorted({entry["destination"] for entry in entries})
        if context.pools[name].capabilities.get("filter_function") is not None
    ]
    if filtering:
        yield Reason(
            "filter_function",
            f"{listed(filtering, 'pool')}: the driver filters by a function of its own, which only "
            "Manila's scheduler applies",
        )


def _warn_of_deletions(entries: Sequence[MigrationEntry]) -> Iterator[Reason]:
    snapshots = [
        f"{snapshot['name'] or snapshot['id']} of {entry['label']}"
        for entry in entries
        for snapshot in entry.get("delete_snapshots", ())
    ]
    if snapshots:
        yield Reason(
            "snapshots_deleted",
            f"{many(len(snapshots), 'snapshot')} will be deleted before the copying, as asked: "
            f"{', '.join(snapshots)}",
        )
