# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records and the summary that users see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._engine.advance import note
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    CANCEL,
    COMPLETE,
    Memory,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.waiting import (
    WAITING,
    WAITS_FOR_OPERATOR,
    running_reason,
    wait,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COMPLETING,
    COPIED,
    FAILED,
    MIGRATING,
    STUCK,
)


def describe(
    seen: Observation, services: Mapping[str, Service], now: float
) -> tuple[Migration, Track]:
    """What one look says of a migration, where no plan says what was wanted."""
    migration = Migration(
        seen.id, seen.host, seen.destination, seen.name, seen.size_gb, kind=seen.kind
    )
    track = note(migration, seen, now, Track())
    if track.phase == COPIED and not (track.copy_mark and track.copy_mark.cancelled_at):
        track = wait(track, WAITS_FOR_OPERATOR[CANCEL if track.copy_mark else COMPLETE], now)
    elif track.phase in MIGRATING | {STUCK}:
        reason = running_reason(migration, track, Reading(services=services))
        track = wait(track, reason, now)
    elif track.phase == FAILED:
        track = replace(track, error="Its last migration failed; the reason is in Manila's logs.")
    return migration, track


def as_record(migration: Migration, track: Track) -> dict[str, Any]:
    """The record ``migration`` that every module returns."""
    moments = {
        name: timestamp(value) if value is not None else None
        for name, value in (
            ("started_at", track.started_at),
            ("copied_at", track.copied_at),
            ("cutover_at", track.sent_at.get(COMPLETE)),
            ("completed_at", track.completed_at),
        )
    }
    waiting = None
    if track.waiting_for and not track.settled:
        since = track.waiting_since
        waiting = {
            **track.waiting_for.as_dict(),
            "since": timestamp(since) if since else None,
            "transient": WAITING[track.waiting_for.code].transient,
        }
    return {
        "kind": migration.kind,
        "id": migration.id,
        "name": migration.name,
        "source": migration.source,
        "destination": track.destination or migration.destination,
        # `completed` is said after the check only.
        "phase": COMPLETING if track.phase == COMPLETED and not track.settled else track.phase,
        "mechanism": track.mechanism,
        "task_state": track.task_state,
        "progress": track.progress,
        "size_gb": migration.size_gb,
        "error": track.error and readable(track.error),
        "waiting_for": waiting,
        **moments,
        "export_locations_before": _exports(track.facts_before),
        "export_locations_after": _exports(track.facts_after),
        "destination_share_server_id": track.successor,
        "shares": _members(track),
    }


def _exports(facts: Facts | None) -> list[str]:
    """The export locations of a share, or those of all shares of a share server."""
    if facts is None:
        return []
    return [*facts.exports, *(path for one in facts.members.values() for path in one.exports)]


def _members(track: Track) -> list[dict[str, Any]]:
    """The shares of a share server, with what their clients mounted and have to mount now."""
    before = track.facts_before.members if track.facts_before else {}
    after = track.facts_after.members if track.facts_after else {}
    return [
        {
            "id": share_id,
            "name": (after.get(share_id) or before[share_id]).name,
            "export_locations_before": _exports(before.get(share_id)),
            "export_locations_after": _exports(after.get(share_id)),
        }
        for share_id in sorted(set(before) | set(after))
    ]


def summarize(plan: Sequence[Migration], memory: Memory) -> dict[str, int]:
    """How many of the plan are where.  ``waiting`` is what has no result yet, begun or not.

    What was idle and had nothing to be cancelled is in ``total`` only.
    """
    counts = {"total": len(plan), "copied": 0, "completed": 0, "failed": 0, "cancelled": 0}
    counts["waiting"] = 0
    for migration in plan:
        track = memory.track(migration)
        if track.outcome == FAILED:
            counts["failed"] += 1
        elif track.phase == CANCELLED:
            counts["cancelled"] += 1
        elif track.phase == COPIED or (track.phase == COMPLETED and track.settled):
            counts[track.phase] += 1
        elif not track.settled:
            counts["waiting"] += 1
    return counts
