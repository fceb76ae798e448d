# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The batch engine: what to do next, given a plan, one reading of the cloud and the time.

``decide()`` is the whole of it.  It has no clock and does no I/O: the runner reads the cloud,
asks it, performs its actions and tells the outcomes with ``after()``.  One migration and ten
thousand go through it alike.

What Manila makes necessary (docs/manila.md, "A complete is sent once", "Starts are check-then-write",
"Answers that are lost"):

* A ``complete`` is accepted twice until the manager acts, and the second one destroys: it is
  sent once, and never again whatever its answer was, unless Manila refused it.
* Starts are check-then-write in Manila: the runner looks again right before each one.
* An action whose answer got lost may be carried out minutes later: it counts as sent.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

from ansible_collections.manila.migration.plugins.module_utils.records import (
    CopyMark,
    Facts,
    Options,
    Reason,
    Service,
    backend_of,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils.states import (
    BUSY,
    CANCELLED,
    CANCELLING,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    HOST,
    IDLE,
    LONGEST_CANCEL_SECONDS,
    MARKED,
    MIGRATING,
    MOVED,
    PROMOTED,
    RESTING,
    SCHEDULING,
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
    STUCK,
    Observation,
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils.wording import readable

START = "start"
COMPLETE = "complete"
CANCEL = "cancel"
REMOVE = "remove"
"""The second step of a replica's cutover: its source is removed when its destination serves."""
VERIFY = "verify"
RECORD = "record"
"""Bring in step what the metadata of a share say of an interrupted copy: no other process, and not
this one after a kill, could know it."""

GOALS = (COPIED, COMPLETED, CANCELLED)

SETTLING = 120.0
"""Seconds that what was moved has to become as it was: rules are applied, exports written."""

REACHED = "reached"

ACCEPTED = "accepted"
REFUSED = "refused"
UNKNOWN = "unknown"
OUTDATED = "outdated"
"""The runner looked again, found another situation, and sent nothing."""
HINDERED = "hindered"
"""What must come before it has not happened yet: it was not sent, and is tried again."""
BARRED = "barred"
"""What must come before it was refused: it was not sent, and will not be."""


@dataclass(frozen=True)
class Migration:
    """One planned migration.  ``destination`` may be None where there is nothing to start."""

    id: str
    source: str
    destination: str | None
    name: str = ""
    size_gb: int = 0
    kind: str = SHARE
    options: Options = field(default_factory=Options)
    delete_snapshots: tuple[str, ...] = ()
    """IDs of snapshots of the share that are deleted right before it is started."""
    group: str = ""
    """It is cut over together with the others of the plan in this group; empty: for itself."""
    group_missing: tuple[str, ...] = ()
    """Members of the group that can't be moved, in words: then it isn't cut over."""

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.kind.replace('_', ' ')} {readable(self.name or self.id)}"


@dataclass(frozen=True)
class Limits:
    """What the operator allows.  The window is None when clients may be disturbed at any time."""

    goal: str = COPIED
    max_parallel: float = 5
    max_parallel_per_pool: float = 2
    max_failures: int = 1
    window: CutoverWindow | None = None
    cutover_seconds: float = 0.0
    """How long one cutover is expected to take: none is begun that would end after the window.  If
    one has been seen to take longer, that counts."""
    copy_timeout: float = math.inf
    """Seconds after which a copy that still goes on is called a failure, and left alone."""
    cutover_timeout: float = math.inf
    """The same for a cutover."""
    start_new: bool = True
    rehearsal: bool = False
    """Nothing will be done: say what everything waits for now, not after what a run would do."""
    patience: float = 600.0
    """Seconds after which a state without a way out, or a lost answer, is called a failure."""
    grace: float = 0.0
    """Seconds for which a share that is met copied rests before it is completed: a complete that
    another process has just sent doesn't show until Manila acts on it (seen: 5 s under load;
    docs/manila.md, "A complete is sent once")."""


@dataclass(frozen=True)
class Reading:
    """One reading of the cloud.

    ``seen`` holds everything that migrates in the cloud, whoever started it, and what was looked
    at beside that; ``gone`` what was looked at and doesn't exist; ``services`` the manila-share
    services by ``host@backend`` (empty: not known); ``workers`` whether any service of another
    binary is up and enabled.
    """

    seen: Mapping[str, Observation] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    services: Mapping[str, Service] = field(default_factory=dict)
    workers: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """What is known of one migration of the plan."""

    phase: str = IDLE
    outcome: str | None = None
    """None while work is left; REACHED or FAILED."""
    error: str | None = None
    status_code: int | None = None
    """HTTP status of the answer that was the reason of a failure."""
    waiting_for: Reason | None = None
    waiting_since: float | None = None
    since: float | None = None
    """Since when it is in its task_state."""
    met_at: float | None = None
    """When this run saw it for the first time."""
    task_state: str | None = None
    mechanism: str | None = None
    progress: int | None = None
    destination: str | None = None
    """Where Manila really moves it, once that is seen."""
    origin: tuple[str | None, str | None] | None = None
    """Share type and share network of the source, once it was seen to migrate."""
    successor: str | None = None
    """Of a share server: the ID of the one that its migration makes."""
    seen: bool = False
    ours: bool = False
    """Started or adopted by this run: its end is our business."""
    sent: Mapping[str, str] = field(default_factory=dict)
    """Action sent and how Manila answered: at most one entry an action, for ever."""
    sent_at: Mapping[str, float] = field(default_factory=dict)
    tainted: bool = False
    """An error or a cancel interrupted the copy: it must never be completed."""
    recorded: bool = False
    """Of a share server: that is written down in the metadata of one of its shares."""
    copy_mark: CopyMark | None = None
    """What is written down of the copy that is made now; of a share server as far as it was read."""
    listed_mark: CopyMark | None = None
    """What the metadata said when they were last read, of whichever copy."""
    own_mark: CopyMark | None = None
    """What this run has written down right before a cancel of its own."""
    refusal: tuple[str, int | None] | None = None
    """What Manila said, and its HTTP status, when a refused start was found begun all the same."""
    leads: bool = False
    """Of a replica: whether the share is served from the one at the source."""
    held: tuple[str, float] | None = None
    """What was found to hinder a cutover, or not to be in order after it, and when first."""
    checked: bool = False
    """Of a replica that was promoted: found in order, so that the one at the source can go."""
    look: bool = False
    want: str | None = None
    started_at: float | None = None
    copied_at: float | None = None
    completed_at: float | None = None
    facts_before: Facts | None = None
    facts_after: Facts | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.outcome is not None

    @property
    def busy(self) -> bool:
        """Whether it occupies a slot, now or as soon as Manila acts on what was sent."""
        if self.settled:
            return False
        if self.phase in BUSY or self.phase == STUCK:
            # Manila cleans up after an error, and a copy may go on behind a false one.
            return True
        if self.phase == COPIED:
            return COMPLETE in self.sent
        return START in self.sent and self.phase in (IDLE, FAILED, CANCELLED)


_NOTHING = Track()


@dataclass(frozen=True)
class Other:
    """A migration that is not ours to drive: somebody else's, or one of the plan that is settled."""

    source: str
    destination: str | None
    busy: bool
    since: float | None = None
    kind: str = SHARE


@dataclass(frozen=True)
class Memory:
    """What the engine remembers between two readings."""

    tracks: Mapping[str, Track] = field(default_factory=dict)
    others: Mapping[str, Other] = field(default_factory=dict)
    """By ID, migrations that this run has no (more) work with, but that may occupy slots."""
    failures: int = 0
    """How many of the tracks have failed."""
    queue: tuple[Hashable, ...] = ()
    """What all that waited for a slot could wait for, while all slots were taken."""

    def track(self, migration: Migration) -> Track:
        """What is known of one migration of the plan."""
        return self.tracks.get(migration.id, _NOTHING)


@dataclass(frozen=True)
class Action:
    """One thing to do: START, COMPLETE, REMOVE, CANCEL or VERIFY of one migration."""

    verb: str
    migration: Migration


@dataclass(frozen=True)
class Decision:
    """What to do now, what to remember, and whether anything can still happen."""

    actions: tuple[Action, ...]
    memory: Memory
    finished: bool


# -- what to look at -------------------------------------------------------------------------


def looks(plan: Sequence[Migration], memory: Memory, running: Iterable[Observation]) -> set[str]:
    """IDs of shares that need a look of their own beside the list of what migrates.

    Share servers need none: their list says everything, and so does that of the shares with a
    replica that is moved.  A share costs a look when it is first met, when its other end isn't
    known yet, and at its end, when it is no longer in that list.  What waits for its turn, and
    what runs, costs nothing.
    """
    migrating = {seen.id: seen for seen in running}
    wanted: set[str] = set()
    known = {other for other, what in memory.others.items() if what.destination is not None}
    tracks = memory.tracks
    for migration in plan:
        moves = migration.id in migrating
        if moves:
            known.add(migration.id)
        track = tracks.get(migration.id, _NOTHING)
        if track.outcome is not None or migration.kind == SHARE_SERVER:
            continue
        if moves:
            if migration.kind == SHARE_REPLICA:
                continue
            # Not met while migrating yet: whose it is, and where to, only instances tell.
            started = track.sent.get(START) == ACCEPTED
            if track.look or not (track.ours and (track.destination or started)):
                wanted.add(migration.id)
        elif not track.seen or track.look or track.ours or track.phase in _UNDER_WAY:
            wanted.add(migration.id)
    for seen in migrating.values():
        if seen.id not in known and seen.kind == SHARE:
            wanted.add(seen.id)
    for other, what in memory.others.items():
        if other not in migrating and what.kind == SHARE:
            wanted.add(other)
    return wanted


_UNDER_WAY = MIGRATING | {STUCK}


# -- the two gates before an action that changes something -----------------------------------


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
    return _elsewhere(migration, seen) or seen.obstacle


def refuses_remove(migration: Migration, seen: Observation) -> str | None:
    """Why the replica at the source must not be removed as it is now, None if it may."""
    if not seen.moving or seen.task_state != PROMOTED or seen.leads:
        return f"its new replica does not serve it: task state {seen.task_state!r}"
    return _elsewhere(migration, seen)


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
    return _elsewhere(migration, seen)


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
    return mark.is_cancelled_within(_longest_cancel(kind, limits), now)


def _longest_cancel(kind: str, limits: Limits) -> float:
    """Seconds after which a cancel has failed, or never arrived: no second one is sent before."""
    return max(limits.patience, LONGEST_CANCEL_SECONDS.get(kind, 0.0))


def _elsewhere(migration: Migration, seen: Observation) -> str | None:
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


# -- one migration, one reading --------------------------------------------------------------


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
        return _fail(
            track, f"{migration.label} does not exist any more: it was deleted while it migrated."
        )
    if seen is None:
        return track
    track = _note(migration, seen, now, track)
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
        return _fail(
            track,
            f"The second phase of the migration of {migration.label} failed: the server, its "
            "destination, its shares and their snapshots are in error, and Manila can't tell which "
            "copy is good. Ask migration_repair for everything that is concerned.",
        )
    elsewhere = _elsewhere(migration, seen)
    if elsewhere:
        return _fail(track, f"{migration.label} is left alone: {elsewhere}.")
    if not seen.moving:
        return _fail(
            track,
            f"{migration.label} is in error, as a promotion that fails leaves all replicas of a "
            "share (the reason is in the log of the destination's manila-share). Nothing was "
            "removed: find out on the back ends which replica is good, and reset that one.",
        )
    if limits.goal == CANCELLED:
        return _advance_cancelling(migration, seen, limits, now, replace(track, ours=True))
    return _fail(
        track,
        f"The new replica of {migration.label} at {migration.destination or seen.destination} is "
        "in error: the reason is in the logs of manila-scheduler and of the destination's "
        "manila-share, and in the user messages of Manila. The share is served from where it was; "
        "cancel the migration, which removes this replica, before it is started again.",
    )


def _note(migration: Migration, seen: Observation, now: float, track: Track) -> Track:
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
        copy_mark=_copy_mark(seen, track),
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


def _copy_mark(seen: Observation, track: Track) -> CopyMark | None:
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


def _advance_migrating(
    migration: Migration, seen: Observation, limits: Limits, now: float, track: Track
) -> Track:
    if track.phase == COMPLETING and seen.resting and seen.successor:
        return _await_removal(migration, seen, limits, now, track)
    promoted = seen.task_state == PROMOTED
    elsewhere = None
    if track.phase != COMPLETING or promoted:
        elsewhere = _elsewhere(migration, seen)
    if elsewhere:
        # Ours too: somebody may have cancelled it and started another one since.
        return _fail(track, f"{migration.label} is left alone: {elsewhere}.")
    if track.phase == CANCELLING:
        since = max(_else(track.since, now), _else(track.met_at, now))
        # Of a share only manila-share cleans up in such a state, of a server a driver works.
        slow = migration.kind == SHARE_SERVER
        if now - since >= (_longest_cancel(migration.kind, limits) if slow else limits.patience):
            return _fail(
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
        if now - _else(track.since, now) < limits.patience:
            return replace(track, look=True)  # unless somebody else was faster, and this is theirs
        message, status = track.refusal
        track = _fail(
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
        return _fail(
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
        return _fail(track, f"{migration.label} is not cut over: {refusal}.")
    return replace(track, want=COMPLETE)


def _in_time(migration: Migration, limits: Limits, now: float, track: Track) -> Track:
    """A copy or a cutover that goes on, unless it has for too long."""
    met = _else(track.met_at, now)
    if track.phase == COPYING:
        # Of one that was met on its way, only from then on: otherwise it could never be met again.
        name, begun, limit = "copy", max(_else(track.started_at, now), met), limits.copy_timeout
    elif track.phase == COMPLETING:
        begun = track.sent_at.get(COMPLETE, max(_else(track.since, now), met))
        name, limit = "cutover", limits.cutover_timeout
    else:
        return track
    if now - begun < limit:
        return track
    return _fail(
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
        return _fail(
            track,
            f"{migration.label} is served from {seen.destination} already, which can't be "
            "cancelled: complete it, and its replica at the source will be removed.",
        )
    if REMOVE in track.sent:
        left = seen.at(seen.host)
        if now - track.sent_at[REMOVE] < limits.patience:
            return track
        return _fail(
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
            return _fail(track, f"{migration.label} is not cancelled: {track.held[0]}.")
        return replace(track, want=CANCEL)
    # A copying manila-data looks for a cancel between two files: that may take hours.  A driver
    # that can't cancel says so in a log only, and nothing changes (share/manager.py).
    taken = track.sent[CANCEL] == ACCEPTED and track.phase == COPYING
    if taken or now - track.sent_at[CANCEL] < _longest_cancel(migration.kind, limits):
        return track
    return _fail(
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
    since = max(_else(track.since, now), _else(track.met_at, now))
    if now - since < limits.patience:
        return replace(track, look=True)
    if seen.resting and seen.successor:
        return _await_removal(migration, seen, limits, now, track)
    noun = "servers" if seen.kind == SHARE_SERVER else "instances"
    copies = "" if seen.copies is None else f", {seen.copies} {noun}"
    return _fail(
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
    since = max(_else(track.since, now), _else(track.met_at, now))
    if left == "deleting" or now - since < limits.patience:
        return replace(track, ours=True)
    return _fail(
        track,
        f"{migration.label} was moved to {seen.host}, where share server {seen.successor} has "
        f"taken its place, but Manila has not removed the old one (status {left!r}): look into the "
        "log of the source's manila-share, then ask migration_repair.",
    )


def _advance_completed(migration: Migration, limits: Limits, track: Track) -> Track:
    if limits.goal == CANCELLED:
        if track.ours:
            return _fail(
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
            return _fail(
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
        return _fail(
            track,
            f"{migration.label} is not migrating (status {seen.status!r}, task state "
            f"{seen.task_state!r}): to start it, say where to.",
        )
    refusal = refuses_start(migration, seen)
    passing = not seen.resting and seen.status not in _FINAL and seen.host == migration.source
    if refusal and passing and now - _else(track.met_at, now) < limits.patience:
        # Its owner extends it, say: that is no failure of ours.
        return replace(track, look=True)
    if refusal:
        return _fail(track, f"{migration.label} is not started: {refusal}.")
    if track.held and now - track.held[1] >= limits.patience:
        return _fail(track, f"{migration.label} is not started: {track.held[0]}.")
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
        return _fail(
            track,
            f"The answer to the start of {migration.label} was lost and nothing has started for "
            f"{limits.patience:.0f} s; Manila may still carry it out: look at it before you start "
            "it again.",
        )
    if track.phase == FAILED and seen.kind == SHARE_SERVER:
        return _fail(
            track,
            f"Manila reports {seen.task_state!r} for {migration.label}, which is active again at "
            f"{seen.host}; the reason is in the log of {_manager(migration)}. Ask "
            "migration_repair what the failure has left behind.",
        )
    if track.phase == FAILED:
        return _fail(
            track,
            f"Manila reports {seen.task_state!r} for {migration.label}, which is available at "
            f"{seen.host}; the reason is in the logs of manila-scheduler, manila-share or "
            "manila-data. When that is mended, run it again.",
        )
    if seen.host != migration.source:
        return _fail(
            track,
            f"{migration.label} is at {seen.host} (share type {seen.share_type_id}, share network "
            f"{seen.share_network_id}): it was moved, but not as planned.",
        )
    if track.phase == CANCELLED or seen.task_state == "migration_success":
        # The copy of a host-assisted migration that is cancelled ends as a "success" at the source.
        return _fail(
            replace(track, phase=CANCELLED),
            f"The migration of {migration.label} was cancelled by somebody else. Run it again to "
            "start it anew.",
        )
    return _fail(
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


def _else(moment: float | None, now: float) -> float:
    return now if moment is None else moment


def _fail(track: Track, error: str) -> Track:
    return replace(track, outcome=FAILED, error=error, want=None, waiting_for=None)


# -- the plan as a whole ---------------------------------------------------------------------


class _Slots:
    """The caps, counting everything that works in the cloud at this moment."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.total = 0
        self.pools: dict[str, int] = {}
        self._refused: dict[tuple[str | None, ...], Reason | None] = {}
        self.since: float | None = None
        """When the newest of what works now began its present step: slots are full since then."""

    def take(self, since: float | None, *places: str | None) -> None:
        self.total += 1
        self._refused.clear()
        if since is not None:
            self.since = max(self.since or since, since)
        for place in {place for place in places if place}:
            self.pools[place] = self.pools.get(place, 0) + 1

    def _at(self, place: str) -> int:
        """How many work in a pool.  A share server is at work in all pools of its back ends."""
        if is_pool(place):
            return self.pools.get(place, 0) + self.pools.get(backend_of(place), 0)
        inside = [
            count
            for pool, count in self.pools.items()
            if is_pool(pool) and backend_of(pool) == place
        ]
        return self.pools.get(place, 0) + max(inside, default=0)

    def refuse(self, *places: str | None) -> Reason | None:
        """Why nothing more may work at these places, None if it may."""
        if places not in self._refused:
            self._refused[places] = self._full(places)
        return self._refused[places]

    def _full(self, places: Iterable[str | None]) -> Reason | None:
        if self.total >= self.limits.max_parallel:
            return _all_taken(self.total, self.limits.max_parallel)
        for place in places:
            if place and self._at(place) >= self.limits.max_parallel_per_pool:
                return Reason(
                    "slot",
                    f"{_at_work(self._at(place))} in {place}, max_parallel_per_pool is "
                    f"{self.limits.max_parallel_per_pool}",
                )
        return None


@cache
def _all_taken(total: int, limit: int) -> Reason:
    # One object for the thousands that wait for it, poll after poll.
    return Reason("slot", f"{_at_work(total)} in the cloud, max_parallel is {limit}")


def _at_work(count: int) -> str:
    return "1 migration is at work" if count == 1 else f"{count} migrations are at work"


def decide(
    plan: Sequence[Migration], reading: Reading, limits: Limits, now: float, memory: Memory
) -> Decision:
    """The next actions.

    Order matters: verifications, removals and cancels first (they end work), then completes (they
    free the source), then starts, in the order of the plan, each under the caps that hold at this
    moment.
    """
    tracks = {migration.id: _NOTHING for migration in plan}
    tracks.update(memory.tracks)
    read = reading.seen.keys() | reading.gone
    met = [one for one in plan if one.id in read]
    for migration in met:
        seen, gone = reading.seen.get(migration.id), migration.id in reading.gone
        track = tracks[migration.id]
        tracks[migration.id] = advance(migration, seen, gone, limits, now, track)
    wants: dict[str | None, list[Migration]] = defaultdict(list)
    """What is not settled, in the order of the plan."""
    failures = 0
    for migration in plan:
        track = tracks[migration.id]
        if track.outcome is None:
            wants[track.want].append(migration)
        elif track.outcome == FAILED:
            failures += 1
    others = _others(met, tracks, reading, memory)
    slots = _Slots(limits)
    for other in others.values():
        if other.busy:
            slots.take(other.since, other.source, other.destination)
    # What waits for its start works nowhere.
    for migration in chain(*(some for want, some in wants.items() if want != START)):
        track = tracks[migration.id]
        if track.busy:
            slots.take(track.since, migration.source, track.destination or migration.destination)

    actions = [Action(VERIFY, migration) for migration in wants[VERIFY]]
    for verb in (REMOVE, CANCEL):
        for migration in wants[verb]:
            # Manila refuses it, or lets it wait, while the manager that would do it is down.
            acting = _acting(migration, tracks[migration.id])
            down = _service_down(migration.source if verb == REMOVE else acting, reading)
            if down:
                tracks[migration.id] = _waits(tracks[migration.id], down, now)
            else:
                actions.append(Action(verb, migration))
    actions += [
        Action(RECORD, migration)
        for migration in met
        if _must_record(migration, tracks, reading, memory)
    ]
    too_many = _too_many(failures, limits)
    groups = _Groups(plan, tracks, limits)
    not_started = None if limits.start_new else _NOT_STARTED
    closed = cache(partial(_closed, reading))
    queue: tuple[Hashable, ...] = ()
    unchanged = False
    for verb in (COMPLETE, START):
        ready = groups.in_turn(wants[verb]) if verb == COMPLETE else wants[verb]
        for migration in ready:
            track = tracks[migration.id]
            if verb == START and slots.total >= limits.max_parallel:
                # Thousands may wait at each poll, and most of them for the same as before.
                if not queue:
                    queue = (slots.refuse(), too_many, not_started, _states(reading))
                    unchanged = queue == memory.queue
                if unchanged and track.waiting_for is queue[0]:
                    continue
            pools = (migration.source, track.destination or migration.destination)
            if verb == START:
                hold = too_many or not_started or closed(verb, pools, track.leads)
            else:
                hold = (
                    too_many
                    or _unsure(migration, track, limits, reading, now)
                    or closed(verb, pools, track.leads)
                    or groups.hold(migration)
                    or _window_hold(limits, now, groups.needs(migration))
                )
            begun = now
            if hold is None:
                hold, begun = slots.refuse(*pools), slots.since or now
            if hold:
                tracks[migration.id] = _waits(track, hold, begun)
            else:
                actions.append(Action(verb, migration))
                if limits.rehearsal:
                    reason = _FAILED_BEFORE if track.phase == FAILED else _NOBODY[verb]
                    tracks[migration.id] = _waits(track, reason, now)
                else:
                    slots.take(now, *pools)
    for migration in wants[None]:
        track = tracks[migration.id]
        tracks[migration.id] = _waits(track, _running_reason(migration, track, reading), now)
    finished = not actions and not any(
        _can_still_move(tracks[one.id]) for one in chain(*wants.values())
    )
    return Decision(tuple(actions), Memory(tracks, others, failures, queue), finished)


def _states(reading: Reading) -> Hashable:
    """What of the services may hinder a start."""
    return frozenset((one.host, one.alive, one.enabled) for one in reading.services.values())


def _too_many(failures: int, limits: Limits) -> Reason | None:
    """Why nothing new is begun after so many failures, None if it is."""
    if failures < limits.max_failures or limits.goal == CANCELLED:
        return None
    return Reason(
        "failures",
        f"{failures} of the plan failed, max_failures is {limits.max_failures}: nothing new "
        "is begun",
    )


def withholds(
    action: Action, group: Sequence[Migration], memory: Memory, limits: Limits, now: float
) -> str | None:
    """Why an action that was decided must not be sent any more, None if it may.

    ``group`` is what of the plan is cut over with it, itself too; empty if it goes for itself.
    Between decision and sending others were sent, which takes time and may fail: the window may
    have closed, the failures may be too many, and one of its cutover group may be left behind.
    """
    if action.verb not in (START, COMPLETE):
        return None
    if _too_many(memory.failures, limits):
        return "too many have failed"
    closing = action.verb == COMPLETE and limits.window is not None
    if closing and _window_hold(limits, now, _expected(memory.tracks, limits)):
        return "the cutover window has closed, or is about to"
    if action.verb == COMPLETE and group:
        hold = _Groups(group, memory.tracks, limits).hold(action.migration)
        return hold.message if hold else None
    return None


def _expected(tracks: Mapping[str, Track], limits: Limits) -> float:
    """Seconds that one cutover takes, by what was told and what was seen."""
    seen = (
        track.completed_at - track.sent_at[COMPLETE]
        for track in tracks.values()
        if track.completed_at is not None and COMPLETE in track.sent_at
    )
    return max(limits.cutover_seconds, *seen, 0.0)


def _window_hold(limits: Limits, now: float, needed: float) -> Reason | None:
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


class _Groups:
    """What is cut over together: once all of it is copied, or not at all."""

    def __init__(
        self, plan: Sequence[Migration], tracks: Mapping[str, Track], limits: Limits
    ) -> None:
        self._tracks = tracks
        self._limits = limits
        self._members: dict[str, list[Migration]] = {}
        for migration in plan:
            if migration.group:
                self._members.setdefault(migration.group, []).append(migration)
        self._expected = _expected(tracks, limits) if limits.window else 0.0
        self._holds = {group: self._find_hold(group) for group in self._members}

    def in_turn(self, plan: Sequence[Migration]) -> list[Migration]:
        """Some of the plan, with what belongs to groups in front whose cutover has begun."""
        begun = {
            group
            for group, members in self._members.items()
            if any(self._tracks[one.id].phase in (COMPLETING, COMPLETED) for one in members)
        }
        return sorted(plan, key=lambda migration: migration.group not in begun)

    def hold(self, migration: Migration) -> Reason | None:
        """Why the group is not cut over yet."""
        return self._holds.get(migration.group)

    def needs(self, migration: Migration) -> float:
        """Seconds that the cutover of what is left of its group is expected to take."""
        if self._limits.window is None:
            return 0.0
        members = self._members.get(migration.group, [migration])
        left = [one for one in members if self._tracks[one.id].want == COMPLETE]
        if len(left) < len(members):
            return self._expected  # it has begun: the rest follows as it can
        busiest = max(Counter(one.source for one in left).values(), default=1)
        rounds = max(
            math.ceil(len(left) / self._limits.max_parallel),
            math.ceil(busiest / self._limits.max_parallel_per_pool),
        )
        return rounds * self._expected

    def _find_hold(self, group: str) -> Reason | None:
        members = self._members[group]
        tracks = {one.label: self._tracks[one.id] for one in members}
        broken = [label for label, track in tracks.items() if track.outcome == FAILED]
        broken += sorted({label for one in members for label in one.group_missing})
        if broken:
            return Reason(
                "group_broken",
                f"it is copied, but {_few(broken)} of its cutover group {group!r} can't be: they "
                "are cut over together, or not at all",
            )
        lacking = [label for label, track in tracks.items() if not _goes_along(track)]
        if not lacking:
            return None
        return Reason(
            "group",
            f"it is copied, and {_few(lacking)} of its cutover group {group!r} not yet",
        )


def _goes_along(track: Track) -> bool:
    """Whether a member of a group could be cut over now, or is."""
    ready = track.want == COMPLETE or track.phase in (COMPLETING, COMPLETED)
    sent = COMPLETE in track.sent and track.phase != STUCK
    return ready or sent or track.outcome == REACHED


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _code(track: Track) -> str | None:
    return track.waiting_for.code if track.waiting_for else None


def _must_record(
    migration: Migration, tracks: Mapping[str, Track], reading: Reading, memory: Memory
) -> bool:
    """Whether the metadata of a share lack an interruption, or tell of one that is over.

    Most errors are passed through in seconds, and leave a failure: of these only what lasts for two
    readings is written down, or was there before this run.
    """
    seen, track = reading.seen.get(migration.id), tracks[migration.id]
    if migration.kind == SHARE_REPLICA or seen is None or seen.instances is None:
        return False
    if seen.resting:
        return (seen.copy_mark is not None or track.recorded) and seen.copies == 1
    before = memory.track(migration)
    due = track.tainted and (before.tainted or not before.seen)
    if migration.kind == SHARE_SERVER:
        return due and not track.recorded and seen.moving and seen.successor is not None
    return due and seen.copy is not None and not seen.spoilt


_NOBODY = {
    START: Reason("operator", "nothing hinders it, and nobody has started it"),
    COMPLETE: Reason("operator", "it is copied, and waits for somebody to cut over"),
}

_FAILED_BEFORE = Reason(
    "operator",
    "its last migration failed (the reason is in Manila's logs), and nobody has started it again",
)


class Wait(NamedTuple):
    """What a code of ``waiting_for`` means, and whether a run that waits may see it end."""

    transient: bool
    meaning: str


# `transient` is what a run goes on for.  A service that is down or disabled counts as that: whoever
# is at work on it brings it back.  So does `unclear`: `_advance_stuck()` and its like bear it for the
# patience, as nearly all of it passes within seconds, and make a failure of what lasts.
WAITING: dict[str, Wait] = {
    "slot": Wait(
        True,
        "As many migrations are at work as `max_parallel` or "
        "`max_parallel_per_pool` allow, those of others included.",
    ),
    "operator": Wait(False, "Nothing hinders it; nobody has started it, or cut it over."),
    "grace": Wait(
        True,
        "It was met copied; for some seconds another process may already have asked"
        " for its cutover.",
    ),
    "window": Wait(
        True,
        "It is copied, and the cutover window is closed. The message says when it opens.",
    ),
    "window_over": Wait(
        False,
        "It is copied, and the cutover window will not open again, or not for long enough.",
    ),
    "window_short": Wait(
        False,
        "It is copied, and its cutover, with its group, takes longer than the "
        "cutover window is open.",
    ),
    "group": Wait(True, "It is copied, and waits for others of its cutover group."),
    "group_broken": Wait(False, "It is copied, and another one of its cutover group can't be."),
    "status": Wait(
        True,
        "Something else is done to it, an extension for example; a start has to wait for that.",
    ),
    "failures": Wait(False, "As many have failed as `max_failures` allows; nothing new is begun."),
    "not_started": Wait(False, "Nobody has copied it, and this run was told to start nothing."),
    "service_down": Wait(
        True,
        "The service that has to act gives no sign of life: manila-share of its "
        "source or destination, manila-scheduler, manila-data.",
    ),
    "service_disabled": Wait(
        True,
        "The manila-share service of its destination is disabled; Manila would refuse.",
    ),
    "cordoned": Wait(
        False,
        "The share has replicas and is served from a disabled back end: Manila's "
        "scheduler places no new one then.",
    ),
    "snapshots": Wait(
        True,
        "Its new replica is in sync and lacks snapshots that Manila is still "
        "making: a promotion would put these in error. Or the snapshots that the "
        "plan gives up are being deleted.",
    ),
    "driver": Wait(True, "The driver is copying."),
    "copy": Wait(True, "Manila, or the Data Service, is copying."),
    "completing": Wait(True, "Manila is cutting over."),
    "settling": Wait(
        True,
        "It is over, and not yet as it should be; two minutes are given to that.",
    ),
    "cancelling": Wait(
        True,
        "It is being cancelled, by this run or another one. Manila may show it as "
        "copied until the driver is done.",
    ),
    "answer": Wait(
        True,
        "The answer to its start or its cutover got lost; Manila may carry it out "
        "later. Or that to a request that comes first, such as the deletion of a "
        "snapshot: it is asked for again.",
    ),
    "unclear": Wait(
        True,
        "Task state and status contradict each other. Most of that passes; if it "
        "lasts for ten minutes, it is a failure.",
    ),
}
"""Every code that ``waiting_for`` may have; docs/reasons.md says the same."""


def _can_still_move(track: Track) -> bool:
    """Whether anything may still happen with it without anybody's doing, or that of others."""
    code = _code(track)
    # What waits for its group waits for others, and these for what can move by itself.
    passes = code is None or (WAITING[code].transient and code != "group")
    return not track.settled and passes


def _others(
    met: Sequence[Migration], tracks: Mapping[str, Track], reading: Reading, memory: Memory
) -> dict[str, Other]:
    """Everything that migrates and is not ours to drive, with what was known of it before.

    ``met`` is what of the plan was read now.
    """
    settled = {
        migration.id: Other(migration.source, tracks[migration.id].destination, busy=False)
        for migration in met
        if migration.id in reading.seen and tracks[migration.id].settled
    }
    others: dict[str, Other] = {}
    for seen in reading.seen.values():
        if seen.id in tracks and seen.id not in settled:
            continue
        phase = classify(seen, Target())
        if phase not in MIGRATING:
            continue
        if (
            seen.id in settled
            and tracks[seen.id].refusal
            and seen.task_state == "migration_starting"
        ):
            continue  # nobody works on it: its start was refused
        known = memory.others.get(seen.id) or settled.get(seen.id) or Other(seen.host, None, False)
        # The host of a share changes while it is completed: the source is where it began.
        source = known.source if phase == COMPLETING else seen.host
        destination = seen.destination or known.destination
        # What was promoted and not removed rests until somebody asks for the removal.
        busy = phase in BUSY and seen.task_state != PROMOTED
        others[seen.id] = Other(source, destination, busy, seen.changed_at, seen.kind)
    return others


_NOT_STARTED = Reason("not_started", "it was not copied: run the copy phase first")


def _unsure(
    migration: Migration, track: Track, limits: Limits, reading: Reading, now: float
) -> Reason | None:
    """Why a complete must wait for somebody else's to show, None if there can't be one."""
    met_at = _else(track.met_at, now)
    rested = now - met_at
    acting = reading.services.get(backend_of(_acting(migration, track) or ""))
    # A manager that just died still counts as alive, and carries out at its return what was sent.
    silent = acting is not None and acting.beat is not None and acting.beat <= met_at
    # The complete of a replica shows before Manila answers.
    unsure = migration.kind != SHARE_REPLICA and (rested < limits.grace or silent)
    if START not in track.sent and limits.grace and unsure:
        return Reason(
            "grace",
            f"it was met copied; for {limits.grace:.0f} s it could be that another process has "
            "asked for its cutover already",
        )
    return None


def _closed(
    reading: Reading, verb: str, pools: tuple[str, str | None], leads: bool
) -> Reason | None:
    """Why the services at the two ends let nothing begin, None if they do."""
    source, _destination = pools
    for host in pools:
        down = _service_down(host, reading)
        if down:
            return down
        service = reading.services.get(backend_of(host or ""))
        if verb != START or service is None or service.enabled:
            continue
        if host != source:
            return Reason(
                "service_disabled", f"the manila-share service {service.host} is disabled"
            )
        if leads:
            # The scheduler learns the replication domain from the active replica's pool, among
            # those of enabled services only: scheduler/drivers/filter.py.
            return Reason(
                "cordoned",
                f"the manila-share service {service.host} is disabled, and Manila's scheduler "
                "places no replica of a share that is served from there: enable it until the "
                "replica is made",
            )
    return None


def _acting(migration: Migration, track: Track) -> str | None:
    """Where the manager is that carries out a complete or a cancel.

    Of a share the source's, of the others the destination's (share/rpcapi.py).
    """
    if migration.kind == SHARE:
        return migration.source
    return track.destination or migration.destination


def _service_down(host: str | None, reading: Reading) -> Reason | None:
    """A service that can't be believed to run.  Its death in a cutover leaves errors on both sides."""
    service = reading.services.get(backend_of(host or ""))
    if service is None or service.alive:
        return None
    return Reason(
        "service_down",
        f"the manila-share service {service.host} is down, its last sign of life is of "
        f"{service.updated_at or 'an unknown time'}",
    )


def _running_reason(migration: Migration, track: Track, reading: Reading) -> Reason:
    """What a migration that nothing can be done for is waiting for."""
    destination = track.destination or migration.destination
    for host in (migration.source, destination):
        down = _service_down(host, reading)
        if down:
            return down
    if track.phase in (IDLE, FAILED, CANCELLED) and START not in track.sent:
        return Reason("status", "its status does not allow a start yet")
    if START in track.sent and track.phase in (IDLE, FAILED, CANCELLED):
        return Reason("answer", "the answer to its start was lost; Manila may carry it out later")
    if track.phase == COPIED and track.sent.get(COMPLETE) == UNKNOWN:
        return Reason("answer", "the answer to its cutover was lost; it is not asked for twice")
    mark = track.copy_mark
    if mark and mark.cancelled_at and CANCEL not in track.sent and COMPLETE not in track.sent:
        return Reason(
            "cancelling",
            f"it is being cancelled since {mark.cancelled_at}, which a driver may take an hour for "
            f"(task state {track.task_state!r})",
        )
    if CANCEL in track.sent or track.phase == CANCELLING:
        return Reason("cancelling", f"Manila is cancelling it (task state {track.task_state!r})")
    if COMPLETE in track.sent or track.phase == COMPLETING:
        return Reason("completing", f"Manila is completing it (task state {track.task_state!r})")
    if track.phase == STUCK:
        return Reason("unclear", f"its task state {track.task_state!r} does not fit its status")
    binary = _worker_of(migration, track)
    if binary and reading.workers.get(binary) is False:
        return Reason("service_down", f"no {binary} is up and enabled; it goes on when one is")
    if migration.kind == SHARE_SERVER and track.task_state == "migration_starting":
        return Reason(
            "driver",
            "the destination's manila-share has not begun (task state 'migration_starting')",
        )
    who = {"driver": "the driver", "host": "manila-data"}.get(track.mechanism or "", "Manila")
    percent = "" if track.progress is None else f", {track.progress} %"
    return Reason(
        "driver" if track.mechanism == "driver" else "copy",
        f"{who} is copying it (task state {track.task_state!r}{percent})",
    )


def _worker_of(migration: Migration, track: Track) -> str | None:
    """The service beside manila-share that has to do the present step, where one surely has."""
    if migration.kind == SHARE_SERVER:
        return None
    if track.task_state in ("migration_starting", SCHEDULING):
        return "manila-scheduler"
    forced = migration.options.force_host_assisted_migration
    if track.mechanism == HOST or (forced and track.task_state == "migration_in_progress"):
        return "manila-data"
    return None


def _waits(track: Track, reason: Reason, begun: float) -> Track:
    since = track.waiting_since
    if since is None or track.waiting_for is None or track.waiting_for.code != reason.code:
        since = begun
    # What Manila itself is at, it is at since its last step; known even by another process.
    if reason.code not in _OURS and track.since is not None:
        since = track.since
    if (track.waiting_for, track.waiting_since) == (reason, since):
        return track
    return replace(track, waiting_for=reason, waiting_since=since)


_OURS = frozenset({"slot", "failures", "not_started", "service_disabled", "cordoned", "grace"})
"""Reasons that lie in this run and not in a state of the share."""


# -- outcomes --------------------------------------------------------------------------------


def after(
    memory: Memory,
    action: Action,
    outcome: str,
    now: float,
    message: str = "",
    status_code: int | None = None,
    found: Facts | None = None,
    patience: float = 600.0,
) -> Memory:
    """The memory after an action.

    ``outcome`` is ACCEPTED, REFUSED or UNKNOWN, the answer to the action's own request, or
    OUTDATED, HINDERED or BARRED where that was not sent.
    """
    track = memory.tracks[action.migration.id]
    label = action.migration.label
    track = replace(track, want=None, waiting_for=None)
    if outcome == OUTDATED:
        track = replace(track, look=True)
        if message and action.verb == START and action.migration.kind == SHARE_SERVER:
            track = replace(track, refusal=(message, status_code))
        elif message:
            # Something comes first that takes its time, and it is on its way.
            track = _waits(replace(track, held=None), Reason("snapshots", message), now)
    elif outcome == HINDERED:
        held = track.held or (message, now)
        code = "snapshots" if action.verb == COMPLETE else "answer"
        track = _waits(replace(track, look=True, held=held), Reason(code, message), held[1])
    elif outcome == BARRED:
        track = _fail(track, f"{label} is not {_DONE[action.verb]}: {message}.")
        track = replace(track, status_code=status_code)
    elif action.verb == VERIFY:
        moved = track.phase == COMPLETED
        track = replace(track, look=True)
        if moved:
            track = replace(track, facts_after=found or track.facts_after)
        if outcome == ACCEPTED and track.task_state == PROMOTED:
            track = replace(track, checked=True)
        elif outcome == ACCEPTED:
            track = replace(track, outcome=REACHED)
        else:
            what = "was moved" if moved else _STAYS.get(track.task_state or "", _CANCELLED)
            held = track.held or (message, now)
            if now - held[1] >= min(patience, SETTLING):
                track = _fail(track, f"{label} {what}, but {message}.")
            else:
                reason = Reason("settling", f"it {what}, but {message}")
                track = _waits(replace(track, held=held), reason, held[1])
    elif action.verb == RECORD:
        done = outcome == ACCEPTED
        track = replace(track, look=True, recorded=track.recorded != done)
    elif outcome == REFUSED:
        what = "remove the source" if action.verb == REMOVE else f"{action.verb} the migration"
        track = _fail(track, f"Manila refused to {what} of {label}: {message}")
        track = replace(track, status_code=status_code)
    else:
        track = replace(
            track,
            ours=True,
            look=track.look or outcome == UNKNOWN,
            sent={**track.sent, action.verb: outcome},
            sent_at={**track.sent_at, action.verb: now},
            held=None,
        )
        if action.verb == START:
            track = replace(track, started_at=now, since=now)
            if outcome == ACCEPTED:
                # Manila writes this state before it answers (share/api.py, migration_start).
                replica = action.migration.kind == SHARE_REPLICA
                begun = SCHEDULING if replica else "migration_starting"
                track = replace(track, phase=COPYING, task_state=begun, progress=0)
    failed = track.outcome == FAILED and memory.tracks[action.migration.id].outcome != FAILED
    tracks = {**memory.tracks, action.migration.id: track}
    return replace(memory, tracks=tracks, failures=memory.failures + failed)


_DONE = {START: "started", COMPLETE: "cut over", REMOVE: "removed", CANCEL: "cancelled"}

_CANCELLED = "was cancelled and stays where it was"

_STAYS = {PROMOTED: "is served from its destination, and its replica at the source was kept"}
"""How it stands with what was found not to be in order."""


def faults(migration: Migration, track: Track, found: Facts) -> list[str]:
    """What is not as it should be at the end of a migration, each as half a sentence.

    Before the replica at a source is removed, the place is not looked at: it is still there.
    """
    if track.task_state == PROMOTED:
        migration = replace(migration, options=Options(), destination=None)
        return differences(migration, track.facts_before, found, None)
    if track.phase == CANCELLED:
        unchanged = replace(migration, options=Options())
        return differences(unchanged, None, found, migration.source)
    destination = migration.destination or track.destination
    return differences(migration, track.facts_before, found, destination)


def differences(
    migration: Migration, before: Facts | None, found: Facts, destination: str | None
) -> list[str]:
    """What is not as it should be after a cutover, each as half a sentence.

    This is invariant 7 of docs/design.md.

    ``before`` is None where somebody else completed it: then only what must hold in any case is
    checked.
    """
    wrong = []
    if found.status != RESTING[migration.kind]:
        wrong.append(f"its status is {found.status!r}")
    if destination and found.host != destination:
        wrong.append(f"it is at {found.host}, not at {destination}")
    for wanted, has, what in (
        (migration.options.new_share_type_id, found.share_type_id, "share type"),
        (migration.options.new_share_network_id, found.share_network_id, "share network"),
    ):
        if wanted and wanted != has:
            wrong.append(f"its {what} is {has}, not {wanted}")
    if migration.kind == SHARE_SERVER:
        return wrong + _member_differences(before, found)
    if migration.kind == SHARE_REPLICA:
        if before is not None and before.copies != found.copies:
            wrong.append(f"it has {found.copies} replicas where {before.copies} are expected")
        # Manila 15 hands a new replica its rules, and never notes that it has: what waits
        # while the share's rules are 'active' waits for nothing (share/manager.py,
        # create_share_replica).
        unapplied = {one for one in found.unapplied if one[1] != "queued_to_apply"}
        found = replace(found, unapplied=frozenset(unapplied))
        return wrong + _share_differences(before, found)
    if found.copies != 1:
        wrong.append(f"it has {found.copies} instances")
    return wrong + _share_differences(before, found)


def _member_differences(before: Facts | None, found: Facts) -> list[str]:
    """What is wrong with the shares of a share server."""
    wrong = []
    if found.copies != 1:
        wrong.append("the server that it was moved from is still there")
    if not found.members:
        wrong.append("it has no shares")
    old = before.members if before else {}
    for share_id in sorted(set(old) - set(found.members)):
        wrong.append(f"share {old[share_id].name or share_id} is not on it")
    for share_id, share in sorted(found.members.items()):
        which = f"share {share.name or share_id}: "
        if share.status != "available":
            wrong.append(f"{which}its status is {share.status!r}")
        if backend_of(share.host) != backend_of(found.host):
            wrong.append(f"{which}it is at {share.host}")
        if share.copies != 1:
            wrong.append(f"{which}it has {share.copies} instances")
        wrong += [which + one for one in _share_differences(old.get(share_id), share)]
    return wrong


def _share_differences(before: Facts | None, found: Facts) -> list[str]:
    """What is wrong with the parts of one share."""
    wrong = []
    # A replica that only waits for a disaster may have none.
    needed = found.active or (before is not None and before.exports)
    if needed and not found.exports:
        wrong.append("it has no export location")
    if found.rules_status != "active":
        wrong.append(f"its access rules are {found.rules_status!r}")
    elif found.unapplied:
        # Their status may be a lie: Manila fails to lift the read-only access of a share server's
        # migration and calls it active (share/manager.py, _reset_read_only_access_rules_for_server;
        # docs/manila.md, "Access rules during a migration").
        rules = ", ".join(f"{rule} ({state})" for rule, state in sorted(found.unapplied))
        wrong.append(
            f"access rules are not in force ({rules}), so clients may only be able to read: any "
            "change of a rule of this share makes Manila apply all of them"
        )
    if before is not None:
        for lost in sorted(before.rules - found.rules):
            wrong.append(f"the access rule {' '.join(lost)} is missing")
        for new in sorted(found.rules - before.rules):
            wrong.append(f"the access rule {' '.join(new)} was not there before")
        for snapshot in sorted(set(before.snapshots) - set(found.snapshots)):
            wrong.append(f"its snapshot {snapshot} is missing")
    for snapshot, status in sorted(found.snapshots.items()):
        if status != "available":
            wrong.append(f"its snapshot {snapshot} is {status!r}")
    return wrong


# -- without a plan --------------------------------------------------------------------------


def describe(
    seen: Observation, services: Mapping[str, Service], now: float
) -> tuple[Migration, Track]:
    """What one look says of a migration, where no plan says what was wanted."""
    migration = Migration(
        seen.id, seen.host, seen.destination, seen.name, seen.size_gb, kind=seen.kind
    )
    track = _note(migration, seen, now, Track())
    if track.phase == COPIED and not (track.copy_mark and track.copy_mark.cancelled_at):
        track = _waits(track, _NOBODY[COMPLETE], now)
    elif track.phase in MIGRATING | {STUCK}:
        reason = _running_reason(migration, track, Reading(services=services))
        track = _waits(track, reason, now)
    elif track.phase == FAILED:
        track = replace(track, error="Its last migration failed; the reason is in Manila's logs.")
    return migration, track


# -- what users see --------------------------------------------------------------------------


def timestamp(seconds: float) -> str:
    """A moment as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


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
