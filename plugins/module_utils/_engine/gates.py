# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an action must not be sent as things are now, in the cloud and in the run."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    COMPLETE,
    Limits,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    LONGEST_CANCEL_SECONDS,
    MIGRATING,
    PROMOTED,
    RESTING,
    STUCK,
)


def refuses_start(migration: Migration, seen: Observation) -> str | None:
    """Why this must not be started as it is now, None if it may.

    Sources: share/api.py migration_start() for status, rules and busy task states; Manila accepts
    two instances, and mixes them up: docs/manila.md, "Leftover instances".
    """
    if not seen.resting:
        return f"its status is {seen.status!r}, not {RESTING[seen.kind]!r}"
    if seen.host != migration.source:
        return f"it is at {seen.host}, not at {migration.source} where the plan says it is"
    if seen.state.phase in MIGRATING or (seen.state.phase == STUCK and seen.copies != 1):
        return f"it is busy: its task state is {seen.task_state!r}"
    if seen.copies != 1 and seen.kind == SHARE_SERVER:
        return "an older destination is still there, with the status 'server_migrating_to'"
    if seen.copies != 1:
        return (
            f"it has {seen.copies} instances where one is expected: a leftover of an earlier "
            "migration, or a replica, must be dealt with first (migration_repair tells how)"
        )
    if seen.successor:
        return f"it has been moved already, share server {seen.successor} has taken its place"
    if seen.access_rules_status == "error":
        return (
            "its access rules are in error; Manila refuses to migrate it until they are mended: "
            "remove or add one, which makes Manila apply all of them"
        )
    return seen.obstacle


def refuses_complete(migration: Migration, track: Track, seen: Observation) -> str | None:
    """Why this migration must not be completed as it is now, None if it may."""
    mark = seen.spoilt or track.copy_mark
    if mark and mark.cancelled_at:
        return f"its cancelling was begun at {mark.cancelled_at} and has not ended: cancel it again"
    if (mark or track.tainted) and migration.kind != SHARE_SERVER:
        return "an error interrupted its copy, completing could lose data: cancel it and copy again"
    if mark or track.tainted:
        return (
            "its cancelling was begun and has not ended, its copy can't be trusted: cancel it again"
        )
    if not seen.moving or not seen.state.complete:
        return f"it is not copied: status {seen.status!r}, task state {seen.task_state!r}"
    return differs_from_plan(migration, seen) or seen.obstacle


def refuses_remove(migration: Migration, seen: Observation) -> str | None:
    """Why the replica at the source must not be removed as it is now, None if it may."""
    if not seen.moving or seen.task_state != PROMOTED or seen.leads:
        return f"its new replica does not serve it: task state {seen.task_state!r}"
    return differs_from_plan(migration, seen)


def hinders_cutover(migration: Migration, facts: Facts) -> str | None:
    """What must be waited for right before a cutover, None if nothing.

    A promotion puts the snapshots in error that the new replica doesn't have yet: share/manager.py,
    promote_share_replica().  That they are under way doesn't show in the state of the replica.
    """
    late = sorted(one for one, status in facts.snapshots.items() if status == "creating")
    if migration.kind != SHARE_REPLICA or not late:
        return None
    return f"its new replica lacks snapshots that are still being made: {', '.join(late)}"


def refuses_cancel(migration: Migration, seen: Observation) -> str | None:
    """Why this migration must not be cancelled as it is now, None if it may."""
    if not seen.moving or not seen.state.cancel:
        return f"it can't be cancelled: status {seen.status!r}, task state {seen.task_state!r}"
    return differs_from_plan(migration, seen)


def is_being_cancelled(
    kind: str, mark: CopyMark | None, own: CopyMark | None, limits: Limits, now: float
) -> bool:
    """Whether a cancel that another run has sent may still be carried out.

    ``mark`` is what is written down of the copy, ``own`` what this run has written.  Manila accepts
    a second cancel, and a complete, as if there was none.  The removal of a replica shows at once,
    unless the request itself is late.
    """
    if mark is None or mark == own:
        return False
    return mark.is_cancelled_within(longest_cancel_seconds(kind, limits), now)


def longest_cancel_seconds(kind: str, limits: Limits) -> float:
    """Seconds after which a cancel has failed, or never arrived: no second one is sent before."""
    return max(limits.patience, LONGEST_CANCEL_SECONDS.get(kind, 0.0))


def differs_from_plan(migration: Migration, seen: Observation) -> str | None:
    if seen.host != migration.source:
        return f"it migrates from {seen.host}, not from {migration.source} as planned"
    if migration.destination and seen.destination and seen.destination != migration.destination:
        return (
            f"it already migrates to {seen.destination}, not to {migration.destination} as "
            "planned; cancel that migration, or plan with it"
        )
    if (seen.copies or 0) > 2:
        # Starts are check-then-write; or it was started beside the leftover of an earlier one.
        noun = "share servers" if seen.kind == SHARE_SERVER else "instances"
        return f"there are {seen.copies} {noun} of it where two are expected, Manila mixes them up"
    return None


def too_many_failures(failures: int, limits: Limits) -> Reason | None:
    """Why nothing new is begun after so many failures, None if it is."""
    if failures < limits.max_failures or limits.goal == CANCELLED:
        return None
    return Reason(
        "failures",
        f"{failures} of the plan failed, max_failures is {limits.max_failures}: nothing new "
        "is begun",
    )


def expected_cutover_seconds(tracks: Mapping[str, Track], limits: Limits) -> float:
    """Seconds that one cutover takes, by what was told and what was seen."""
    seen = (
        track.completed_at - track.sent_at[COMPLETE]
        for track in tracks.values()
        if track.completed_at is not None and COMPLETE in track.sent_at
    )
    return max(limits.cutover_seconds, *seen, 0.0)


def window_hold(limits: Limits, now: float, needed: float) -> Reason | None:
    """Why cutovers that take ``needed`` seconds must not begin now, None if they may."""
    window = limits.window
    if window is None:
        return None
    opens = window.opens_at(now)
    if opens is None:
        return Reason("window_over", "it is copied, and the cutover window is over")
    takes = f"its cutover, with its group, is expected to take {needed:.0f} s"
    if needed > window.seconds:
        return Reason(
            "window_short", f"it is copied, and {takes}, longer than the cutover window is open"
        )
    if opens > now:
        return Reason("window", f"it is copied, the cutover window opens at {timestamp(opens)}")
    closes = window.closes_at(now)
    if now + needed <= closes:
        return None
    again = window.opens_at(closes)
    if again is None:
        return Reason("window_over", f"it is copied, but {takes}, more than the window has left")
    return Reason(
        "window",
        f"it is copied, but {takes}, more than the window has left; it opens again at "
        f"{timestamp(again)}",
    )
