# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one reading means for one migration of the plan: its next state, and the action it wants."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.manila.migration.plugins.module_utils._engine.gates import (
    differs_from_plan,
    is_being_cancelled,
    longest_cancel_seconds,
    refuses_complete,
    refuses_start,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    CANCEL,
    COMPLETE,
    REACHED,
    REMOVE,
    START,
    UNKNOWN,
    VERIFY,
    Limits,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    MARKED,
    MIGRATING,
    MOVED,
    PROMOTED,
    STUCK,
)

SETTLING = 120.0
"""Seconds that what was moved has to become as it was: rules are applied, exports written."""


def advance(
    migration: Migration,
    seen: Observation | None,
    gone: bool,
    limits: Limits,
    now: float,
    track: Track,
) -> Track:
    """What one reading means for one migration of the plan.  ``want`` says what should follow."""
    if track.settled:
        return track
    if gone:
        if not track.ours and not track.sent:
            # Its owner deleted it in time: nothing is left to be moved.
            return replace(track, outcome=REACHED, want=None, waiting_for=None)
        return fail(
            track, f"{migration.label} does not exist any more: it was deleted while it migrated."
        )
    if seen is None:
        return track
    track = note(migration, seen, now, track)
    if track.phase in MIGRATING:
        return _advance_migrating(migration, seen, limits, now, track)
    if track.phase == STUCK:
        return _advance_stuck(migration, seen, limits, now, track)
    if track.phase == COMPLETED:
        return _advance_completed(migration, limits, track)
    if track.phase == FAILED and not seen.resting:
        return _advance_failed(migration, seen, limits, now, track)
    return _advance_resting(migration, seen, limits, now, track)


def _advance_failed(
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    """A failure that has left something: it will not pass."""
    if migration.kind == SHARE_SERVER:
        return fail(
            track,
            f"The second phase of the migration of {migration.label} failed: the server, its "
            "destination, its shares and their snapshots are in error, and Manila can't tell which "
            "copy is good. Ask migration_repair for everything that is concerned.",
        )
    elsewhere = differs_from_plan(migration, seen)
    if elsewhere:
        return fail(track, f"{migration.label} is left alone: {elsewhere}.")
    if not seen.moving:
        return fail(
            track,
            f"{migration.label} is in error, as a promotion that fails leaves all replicas of a "
            "share (the reason is in the log of the destination's manila-share). Nothing was "
            "removed: find out on the back ends which replica is good, and reset that one.",
        )
    if limits.goal == CANCELLED:
        return _advance_cancelling(migration, seen, limits, now, replace(track, ours=True))
    return fail(
        track,
        f"The new replica of {migration.label} at {migration.destination or seen.destination} is "
        "in error: the reason is in the logs of manila-scheduler and of the destination's "
        "manila-share, and in the user messages of Manila. The share is served from where it was; "
        "cancel the migration, which removes this replica, before it is started again.",
    )


def note(migration: Migration, seen: Observation, now: float, track: Track) -> Track:
    """Write down what was seen: phase, since when, mechanism, times."""
    destination = seen.destination or track.destination
    origin = track.origin
    if origin is None and seen.moving:
        origin = (seen.share_type_id, seen.share_network_id)
    phase = classify(seen, _aim(migration, seen, destination, track))
    changed = phase != track.phase or seen.task_state != track.task_state
    since = track.since
    if since is None:
        # Met in the middle: Manila's own time of its last step is the better answer.
        since = seen.changed_at if seen.changed_at is not None else now
    elif changed:
        since = now
    progress = seen.state.progress if phase in MIGRATING else None
    if phase in MIGRATING and progress is None:
        progress = seen.progress if seen.progress is not None else track.progress
    mechanism = seen.state.mechanism if phase in MIGRATING | {STUCK} else None
    started_at = track.started_at
    if started_at is None and phase in MIGRATING:
        started_at = seen.started_at if seen.started_at is not None else since
    copied_at = track.copied_at
    if copied_at is None and phase == COPIED:
        copied_at = since
    completed_at = track.completed_at
    if completed_at is None and phase == COMPLETED and track.ours:
        completed_at = now
    return replace(
        track,
        seen=True,
        met_at=track.met_at if track.met_at is not None else now,
        look=_has_new_mark(seen, track),
        want=None,
        phase=phase,
        since=since,
        task_state=seen.task_state,
        mechanism=mechanism or track.mechanism,
        progress=100 if phase == COMPLETED else progress,
        destination=destination,
        origin=origin,
        successor=seen.successor or track.successor,
        leads=seen.leads,
        tainted=track.tainted or (seen.moving and seen.task_state in _INTERRUPTED),
        copy_mark=copy_mark_of(seen, track),
        listed_mark=seen.copy_mark,
        held=track.held if phase == track.phase else None,
        started_at=started_at,
        copied_at=copied_at,
        completed_at=completed_at,
    )


def _has_new_mark(seen: Observation, track: Track) -> bool:
    """Whether the list shows a mark of which only a look can say whether it is of this copy."""
    if seen.instances is not None or seen.copy_mark is None:
        return False
    return track.ours and seen.copy_mark != track.listed_mark


def copy_mark_of(seen: Observation, track: Track) -> CopyMark | None:
    """What is known to be written down of the copy that is made now."""
    mark = track.copy_mark
    if not seen.moving:
        return None
    if seen.kind == SHARE_SERVER:
        return mark if mark and mark.copy == seen.successor else None
    if seen.instances is None:
        return mark if seen.copy_mark else None
    return seen.spoilt


_INTERRUPTED = frozenset({"data_copying_error", "migration_cancel_in_progress"})
"""Task states after which a copy is not what it says: one that goes on beside a failed cancel
ends as copied all the same (share/manager.py, share_server_migration_driver_continue)."""


def _aim(migration: Migration, seen: Observation, destination: str | None, track: Track) -> Target:
    """What must be reached for it to have been moved."""
    options = migration.options
    target = Target(
        migration.destination or destination,
        options.new_share_type_id,
        options.new_share_network_id,
    )
    if not track.ours:
        return target
    if seen.kind == SHARE_SERVER:
        # A server itself never moves: only another one can have arrived.
        return target if seen.successor else Target()
    stays = target.host == migration.source and target == Target(target.host)
    if stays and track.origin == (seen.share_type_id, seen.share_network_id):
        # Adopted, to become something else in its own pool: the place alone says nothing.
        return Target()
    return target


# Every phase of a running migration, in the order in which they are looked for.
def _advance_migrating(  # noqa: C901
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    if track.phase == COMPLETING and seen.resting and seen.successor:
        return _await_removal(migration, seen, limits, now, track)
    promoted = seen.task_state == PROMOTED
    elsewhere = None
    if track.phase != COMPLETING or promoted:
        elsewhere = differs_from_plan(migration, seen)
    if elsewhere:
        # Ours too: somebody may have cancelled it and started another one since.
        return fail(track, f"{migration.label} is left alone: {elsewhere}.")
    if track.phase == CANCELLING:
        since = max(value_or(track.since, now), value_or(track.met_at, now))
        # Of a share only manila-share cleans up in such a state, of a server a driver works.
        slow = migration.kind == SHARE_SERVER
        if now - since >= (
            longest_cancel_seconds(migration.kind, limits) if slow else limits.patience
        ):
            return fail(
                track,
                f"{migration.label} has been in {seen.task_state!r} for {now - since:.0f} s: a "
                "driver that fails to cancel leaves it so. Look into the log of "
                f"{_manager(migration)}, then ask migration_repair.",
            )
    if promoted:
        return _advance_promoted(migration, seen, limits, now, replace(track, ours=True))
    if limits.goal == CANCELLED:
        return _advance_cancelling(migration, seen, limits, now, replace(track, ours=True))
    begun = track.phase in (COPYING, COPIED) and COMPLETE not in track.sent
    if begun and is_being_cancelled(migration.kind, track.copy_mark, None, limits, now):
        return track
    if track.refusal and seen.task_state == "migration_starting":
        if now - value_or(track.since, now) < limits.patience:
            return replace(track, look=True)  # unless somebody else was faster, and this is theirs
        message, status = track.refusal
        track = fail(
            track,
            f"Manila refused to start the migration of {migration.label} and left it as if it "
            f"migrated: {message} Ask migration_repair for the way back.",
        )
        return replace(track, status_code=status)
    if not track.ours:
        if seen.destination is None and migration.destination and track.phase in (COPYING, COPIED):
            # Somebody started it and the scheduler hasn't chosen yet: whose it is will show.
            return replace(track, look=True)
        track = replace(track, ours=True)
    if track.phase != COPIED:
        return _in_time(migration, limits, now, track)
    if limits.goal == COPIED and not (track.tainted or track.copy_mark):
        if seen.instances is None:
            return replace(track, look=True)  # where to, before it is said to be done
        return replace(track, outcome=REACHED)
    if COMPLETE in track.sent:
        if now - track.sent_at[COMPLETE] < limits.patience:
            return track
        return fail(
            track,
            f"The cutover of {migration.label} was asked for at "
            f"{timestamp(track.sent_at[COMPLETE])} and has not begun since. It is not asked for "
            "twice, because Manila may still carry it out and a second time would destroy: look "
            f"at {_manager(migration)} before anything else.",
        )
    refusal = refuses_complete(migration, track, seen)
    if track.held and now - track.held[1] >= limits.patience:
        refusal = refusal or track.held[0]
    if refusal:
        return fail(track, f"{migration.label} is not cut over: {refusal}.")
    return replace(track, want=COMPLETE)


def _in_time(migration: Migration, limits: Limits, now: float, track: Track) -> Track:
    """A copy or a cutover that goes on, unless it has for too long."""
    met = value_or(track.met_at, now)
    if track.phase == COPYING:
        # Of one that was met on its way, only from then on: otherwise it could never be met again.
        name, begun, limit = "copy", max(value_or(track.started_at, now), met), limits.copy_timeout
    elif track.phase == COMPLETING:
        begun = track.sent_at.get(COMPLETE, max(value_or(track.since, now), met))
        name, limit = "cutover", limits.cutover_timeout
    else:
        return track
    if now - begun < limit:
        return track
    return fail(
        track,
        f"The {name} of {migration.label} still goes on after {now - begun:.0f} s, {name}_timeout is "
        f"{limit:.0f} s (task state {track.task_state!r}). It was left alone: look at "
        f"{_manager(migration)} and run it again to wait for longer, or cancel it.",
    )


def _advance_promoted(
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    """A share is served from its new replica, and the one at the source is still there."""
    if limits.goal == CANCELLED:
        return fail(
            track,
            f"{migration.label} is served from {seen.destination} already, which can't be "
            "cancelled: complete it, and its replica at the source will be removed.",
        )
    if REMOVE in track.sent:
        left = seen.at(seen.host)
        if now - track.sent_at[REMOVE] < limits.patience:
            return track
        return fail(
            track,
            f"{migration.label} is served from {seen.destination}, but Manila has not removed its "
            f"replica {left.id if left else ''} at the source: look into the log of the source's "
            "manila-share, and run it again to have it removed.",
        )
    return replace(track, want=REMOVE if track.checked else VERIFY)


def _advance_cancelling(
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    if not seen.state.cancel:
        return track
    if CANCEL not in track.sent:
        mark, own = track.copy_mark, track.own_mark
        if is_being_cancelled(migration.kind, mark, own, limits, now):
            return track
        if track.held and now - track.held[1] >= limits.patience:
            return fail(track, f"{migration.label} is not cancelled: {track.held[0]}.")
        return replace(track, want=CANCEL)
    # A copying manila-data looks for a cancel between two files: that may take hours.  A driver
    # that can't cancel says so in a log only, and nothing changes (share/manager.py).
    taken = track.sent[CANCEL] == ACCEPTED and track.phase == COPYING
    if taken or now - track.sent_at[CANCEL] < longest_cancel_seconds(migration.kind, limits):
        return track
    return fail(
        track,
        f"The cancelling of {migration.label} was asked for at "
        f"{timestamp(track.sent_at[CANCEL])} and has had no effect (task state "
        f"{seen.task_state!r}); the reason is in the log of {_manager(migration)}.",
    )


def _advance_stuck(
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    if limits.goal == CANCELLED and seen.state.cancel:
        return _advance_cancelling(migration, seen, limits, now, replace(track, ours=True))
    # Most such states are passed through in seconds: an error is written before the status, a
    # slow delete of the source leaves two instances for minutes.  Patience, then a clear word.
    # What is met in the middle may just have got there: the times of its instances don't tell.
    since = max(value_or(track.since, now), value_or(track.met_at, now))
    if now - since < limits.patience:
        return replace(track, look=True)
    if seen.resting and seen.successor:
        return _await_removal(migration, seen, limits, now, track)
    noun = "servers" if seen.kind == SHARE_SERVER else "instances"
    copies = "" if seen.copies is None else f", {seen.copies} {noun}"
    return fail(
        track,
        f"{migration.label} is stuck: status {seen.status!r}, task state {seen.task_state!r}"
        f"{copies}, for {now - since:.0f} s. Nothing was done to it; find out which copy is good "
        "before any repair.",
    )


def _await_removal(
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    """A share server has been moved, and the old one is still there."""
    left = next((one.status for one in seen.instances or () if one.status != "active"), None)
    since = max(value_or(track.since, now), value_or(track.met_at, now))
    if left == "deleting" or now - since < limits.patience:
        return replace(track, ours=True)
    return fail(
        track,
        f"{migration.label} was moved to {seen.host}, where share server {seen.successor} has "
        f"taken its place, but Manila has not removed the old one (status {left!r}): look into the "
        "log of the source's manila-share, then ask migration_repair.",
    )


def _advance_completed(migration: Migration, limits: Limits, track: Track) -> Track:
    if limits.goal == CANCELLED:
        if track.ours:
            return fail(
                track,
                f"The migration of {migration.label} was completed before it could be cancelled.",
            )
    elif track.ours:
        return replace(track, want=VERIFY)
    if track.task_state == MOVED:
        return replace(track, want=VERIFY)  # its mark is still there
    return replace(track, outcome=REACHED)


def _advance_resting(
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    """Available in one place, and not at the destination."""
    since = track.since if track.since is not None else now
    unclear = seen.state.phase in MIGRATING or (track.ours and seen.copies != 1)
    if unclear and now - since < limits.patience:
        # Status and task state are two records: one is a moment, or a slow delete, ahead.
        return replace(track, look=True)
    if limits.goal == CANCELLED:
        if track.ours and seen.copies != 1:
            return fail(
                track,
                f"{migration.label} is available at {seen.host}, but its cancelled migration left "
                f"{seen.copies} instances. Ask migration_repair which of them can go.",
            )
        cancelled = track.ours or seen.task_state == "migration_cancelled"
        if seen.task_state == MARKED or (cancelled and migration.kind == SHARE_SERVER):
            # A mark is removed when all is well.  Of a share server, Manila may fail to lift the
            # read-only access that it gave to the shares; and the one who cancelled may be gone.
            return replace(track, ours=True, phase=CANCELLED, want=VERIFY)
        if track.ours:
            track = replace(track, phase=CANCELLED)
        return replace(track, outcome=REACHED)
    if track.ours:
        return _advance_ended(migration, seen, limits, now, track)
    if migration.destination is None:
        return fail(
            track,
            f"{migration.label} is not migrating (status {seen.status!r}, task state "
            f"{seen.task_state!r}): to start it, say where to.",
        )
    refusal = refuses_start(migration, seen)
    passing = not seen.resting and seen.status not in _FINAL and seen.host == migration.source
    if refusal and passing and now - value_or(track.met_at, now) < limits.patience:
        # Its owner extends it, say: that is no failure of ours.
        return replace(track, look=True)
    if refusal:
        return fail(track, f"{migration.label} is not started: {refusal}.")
    if track.held and now - track.held[1] >= limits.patience:
        return fail(track, f"{migration.label} is not started: {track.held[0]}.")
    return replace(track, want=START)


def _advance_ended(
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    """A migration of ours is over, and the share is not at its destination."""
    # The mark that comes before a replica says nothing of it.
    unanswered = track.sent.get(START) == UNKNOWN and (
        seen.task_state == MARKED or _unchanged_since(track, START)
    )
    if unanswered and now - track.sent_at[START] < limits.patience:
        return replace(track, look=True)
    if unanswered:
        return fail(
            track,
            f"The answer to the start of {migration.label} was lost and nothing has started for "
            f"{limits.patience:.0f} s; Manila may still carry it out: look at it before you start "
            "it again.",
        )
    if track.phase == FAILED and seen.kind == SHARE_SERVER:
        return fail(
            track,
            f"Manila reports {seen.task_state!r} for {migration.label}, which is active again at "
            f"{seen.host}; the reason is in the log of {_manager(migration)}. Ask "
            "migration_repair what the failure has left behind.",
        )
    if track.phase == FAILED:
        return fail(
            track,
            f"Manila reports {seen.task_state!r} for {migration.label}, which is available at "
            f"{seen.host}; the reason is in the logs of manila-scheduler, manila-share or "
            "manila-data. When that is mended, run it again.",
        )
    if seen.host != migration.source:
        return fail(
            track,
            f"{migration.label} is at {seen.host} (share type {seen.share_type_id}, share network "
            f"{seen.share_network_id}): it was moved, but not as planned.",
        )
    if track.phase == CANCELLED or seen.task_state == "migration_success":
        # The copy of a host-assisted migration that is cancelled ends as a "success" at the source.
        return fail(
            replace(track, phase=CANCELLED),
            f"The migration of {migration.label} was cancelled by somebody else. Run it again to "
            "start it anew.",
        )
    return fail(
        track,
        f"The migration of {migration.label} ended without a result: its task state is "
        f"{seen.task_state!r}; somebody reset it. Ask migration_repair how it stands.",
    )


_FINAL = frozenset({"error", "inactive"})
"""Statuses that no waiting will change."""


def _unchanged_since(track: Track, verb: str) -> bool:
    """Whether its state is still the one in which ``verb`` was sent: then it tells nothing new."""
    return track.since is None or track.since <= track.sent_at[verb]


def _manager(migration: Migration) -> str:
    """The service that carries out what is sent, in words."""
    side = "source" if migration.kind == SHARE else "destination"
    return f"the {side}'s manila-share"


def value_or(moment: float | None, now: float) -> float:
    return now if moment is None else moment


def fail(track: Track, error: str) -> Track:
    return replace(track, outcome=FAILED, error=error, want=None, waiting_for=None)
