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

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import chain

from ansible_collections.manila.migration.plugins.module_utils._engine.advance import advance
from ansible_collections.manila.migration.plugins.module_utils._engine.gates import (
    expected_cutover_seconds,
    too_many_failures,
    window_hold,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.groups import Groups
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    CANCEL,
    COMPLETE,
    NEW_TRACK,
    RECORD,
    REMOVE,
    START,
    VERIFY,
    Action,
    Decision,
    Limits,
    Memory,
    Other,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.waiting import (
    FAILED_BEFORE,
    NOT_STARTED,
    WAITING,
    WAITS_FOR_OPERATOR,
    acting_host,
    foreign_complete_hold,
    running_reason,
    service_down,
    service_hold,
    wait,
    waiting_code,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    backend_of,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    BUSY,
    COMPLETING,
    FAILED,
    MIGRATING,
    PROMOTED,
)


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


# The order of actions is the rule itself, and is to be seen in one place.
def decide(  # noqa: C901
    plan: Sequence[Migration], reading: Reading, limits: Limits, now: float, memory: Memory
) -> Decision:
    """The next actions.

    Order matters: verifications, removals and cancels first (they end work), then completes (they
    free the source), then starts, in the order of the plan, each under the caps that hold at this
    moment.
    """
    tracks = {migration.id: NEW_TRACK for migration in plan}
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
            acting = acting_host(migration, tracks[migration.id])
            down = service_down(migration.source if verb == REMOVE else acting, reading)
            if down:
                tracks[migration.id] = wait(tracks[migration.id], down, now)
            else:
                actions.append(Action(verb, migration))
    actions += [
        Action(RECORD, migration)
        for migration in met
        if _must_record(migration, tracks, reading, memory)
    ]
    too_many = too_many_failures(failures, limits)
    groups = Groups(plan, tracks, limits)
    not_started = None if limits.start_new else NOT_STARTED
    closed = cache(partial(service_hold, reading))
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
                    or foreign_complete_hold(migration, track, limits, reading, now)
                    or closed(verb, pools, track.leads)
                    or groups.hold(migration)
                    or window_hold(limits, now, groups.needs(migration))
                )
            begun = now
            if hold is None:
                hold, begun = slots.refuse(*pools), slots.since or now
            if hold:
                tracks[migration.id] = wait(track, hold, begun)
            else:
                actions.append(Action(verb, migration))
                if limits.rehearsal:
                    reason = FAILED_BEFORE if track.phase == FAILED else WAITS_FOR_OPERATOR[verb]
                    tracks[migration.id] = wait(track, reason, now)
                else:
                    slots.take(now, *pools)
    for migration in wants[None]:
        track = tracks[migration.id]
        tracks[migration.id] = wait(track, running_reason(migration, track, reading), now)
    finished = not actions and not any(
        _can_still_move(tracks[one.id]) for one in chain(*wants.values())
    )
    return Decision(tuple(actions), Memory(tracks, others, failures, queue), finished)


def _states(reading: Reading) -> Hashable:
    """What of the services may hinder a start."""
    return frozenset((one.host, one.alive, one.enabled) for one in reading.services.values())


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
    if too_many_failures(memory.failures, limits):
        return "too many have failed"
    closing = action.verb == COMPLETE and limits.window is not None
    if closing and window_hold(limits, now, expected_cutover_seconds(memory.tracks, limits)):
        return "the cutover window has closed, or is about to"
    if action.verb == COMPLETE and group:
        hold = Groups(group, memory.tracks, limits).hold(action.migration)
        return hold.message if hold else None
    return None


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


def _can_still_move(track: Track) -> bool:
    """Whether anything may still happen with it without anybody's doing, or that of others."""
    code = waiting_code(track)
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
