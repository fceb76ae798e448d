# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ties engine and cloud together for one module call: read, decide, act, sleep, again."""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils._api.lease import Lease
from ansible_collections.manila.migration.plugins.module_utils._api.manila_api import ManilaApi
from ansible_collections.manila.migration.plugins.module_utils._engine.decide import (
    decide,
    withholds,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.gates import (
    hinders_cutover,
    is_being_cancelled,
    refuses_cancel,
    refuses_complete,
    refuses_remove,
    refuses_start,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.outcomes import after, faults
from ansible_collections.manila.migration.plugins.module_utils._engine.record import as_record
from ansible_collections.manila.migration.plugins.module_utils._engine.refresh import (
    shares_to_refresh,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    BARRED,
    CANCEL,
    COMPLETE,
    HINDERED,
    OUTDATED,
    RECORD,
    REFUSED,
    REMOVE,
    START,
    UNKNOWN,
    VERIFY,
    Action,
    Decision,
    Limits,
    Memory,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.binaries import (
    DATA,
    SCHEDULER,
    SHARE_MANAGER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    MARK,
    CopyMark,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_replica,
    observe_server,
    observe_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    COMPLETING,
    COPIED,
    COPYING,
    MARKED,
    MOVED,
)

SAMPLES = 4
"""How many migrations are asked for their progress at once: what a poll costs must not grow."""

SAMPLED = 5.0
"""Seconds between that, at least: percents are for people."""

GRACE = 10.0
"""Seconds for which a share that is met copied is left alone, at least: whoever was killed a moment
ago may have sent the complete, and under load Manila takes 5 s to show it."""


def draw_grace() -> float:
    """For how long one run leaves it alone: two that began in the same moment don't go in step."""
    return GRACE * random.uniform(1, 2)


SLOWEST = 4
"""How many times longer the pause between two polls gets at most while nothing happens."""

LATE = 0.05
"""What is seen late by a longer pause is late by this part of the time it took, at most."""

_NOTHING = Reason("", "")


def _places(migration: Migration) -> tuple[str, str | None]:
    return migration.source, migration.destination


def _same(before: Memory, after: Memory) -> bool:
    """Whether nothing has taken a step, percents aside."""
    return len(before.tracks) == len(after.tracks) and all(
        track is old or (track.phase, track.task_state) == (old.phase, old.task_state)
        for track, old in zip(after.tracks.values(), before.tracks.values())
    )


def _informed(track: Track, before: Facts) -> Track:
    """What is known right before a cutover, another run's word of a copy included.

    Share servers have no metadata: what is written down of theirs, only their shares tell.
    """
    mark = before.mark_of(track.successor) if track.successor else track.copy_mark
    return replace(track, facts_before=before, copy_mark=mark)


def _copy_id(seen: Observation) -> str | None:
    """The ID of the copy that a migration makes, None if there is none, or if it is unclear which."""
    if seen.kind == SHARE_SERVER:
        return seen.successor if seen.moving else None
    return seen.copy.id if seen.copy else None


class Abandoned(Exception):
    """Whoever watched this run is gone: nothing more may be sent."""


class _Unprepared(Exception):
    """A request that must come before an action failed: the action itself was not sent.

    ``outcome`` is what the engine is told: HINDERED or BARRED.
    """

    def __init__(self, outcome: str, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.status_code = status_code


class Runner:
    """Drives one plan to its goal.

    ``timeout`` and ``poll_interval`` are seconds.  ``crowded`` says whether the caps matter, and
    with them every other migration of the cloud; ``lease`` whether to claim the sources that are
    cordoned (``lease``), which may raise Held.  ``report`` is called after every poll,
    ``guard`` right before anything is sent: it may raise Abandoned.
    """

    def __init__(
        self,
        cloud: ManilaApi,
        plan: Sequence[Migration],
        limits: Limits,
        *,
        timeout: float,
        poll_interval: float,
        crowded: bool = True,
        lease: bool = False,
        report: Callable[[Runner], None] | None = None,
        guard: Callable[[], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cloud = cloud
        self.plan = tuple(plan)
        self.limits = limits
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.crowded = crowded
        self.memory = Memory()
        self.changed = False
        self.timed_out = False
        self._report = report
        self._guard = guard
        self._sleep = sleep
        self._lease: Lease | None = None
        if lease:
            sources = (backend_of(one.source) for one in self.plan)
            self._lease = Lease(cloud, sources, max(10.0, SLOWEST * poll_interval), sleep)
        self._planned = {one.id: one for one in self.plan}
        self._servers = {one.id for one in self.plan if one.kind == SHARE_SERVER}
        self._replicas = {one.id: one for one in self.plan if one.kind == SHARE_REPLICA}
        self._groups: dict[str, list[Migration]] = defaultdict(list)
        for one in self.plan:
            if one.group:
                self._groups[one.group].append(one)
        self._polls = 0
        self._samples = 0
        self._sampled_at = -math.inf
        self._before: Observation | None = None
        self._seen: Mapping[str, Observation] = {}

    def track(self, migration: Migration) -> Track:
        """What is known of one migration of the plan."""
        return self.memory.track(migration)

    def with_exports(self, migration: Migration) -> dict[str, Any]:
        """The record of what was moved before this run, with the exports of today."""
        found = self._facts(migration, self._seen.get(migration.id), has_snapshots=False)
        return as_record(migration, replace(self.track(migration), facts_after=found))

    def note_exports(self) -> None:
        """Find out what clients mount of all that is copied.  Raises CloudError."""
        for migration in self.plan:
            track = self.track(migration)
            if track.phase == COPIED and track.facts_before is None:
                self._remember(migration, _informed(track, self._facts(migration)))

    def _remember(self, migration: Migration, track: Track) -> None:
        self.memory = replace(self.memory, tracks={**self.memory.tracks, migration.id: track})

    def preview(self) -> Decision:
        """Read and decide, and do nothing: what there is to do, and what everything waits for."""
        return self.decide_next(replace(self.limits, rehearsal=True, grace=0))

    def decide_next(self, limits: Limits | None = None, deadline: float = math.inf) -> Decision:
        """Read the cloud and decide, under other limits if need be; sends nothing.

        Waits for a cloud that doesn't answer, until ``deadline`` at most.  Raises CloudError.
        """
        decision = self._poll(limits or self.limits, deadline)
        self.memory = decision.memory
        return decision

    def run(self, wait: bool = True) -> None:
        """Poll and act until the plan is at its goal, at rest, or out of time.

        With ``wait`` false: one step only, but a cutover is seen through until Manila shows it.
        Raises CloudError when the cloud can't be read for
        longer than the engine's patience; ``memory`` then holds what was known last.
        """
        if self._lease is None:
            self._drive(wait)
            return
        self._lease.take()
        try:
            self._drive(wait)
        finally:
            self._lease.release()

    def _drive(self, wait: bool) -> None:
        moved_at = self.cloud.now()
        deadline = moved_at + self.timeout
        while True:
            begun = self.cloud.now()
            before = self.memory
            decision = self.decide_next(deadline=deadline)
            still = not decision.actions and _same(before, decision.memory)
            last = self.cloud.now() >= deadline
            for action in decision.actions:
                # At the deadline one more look is taken and nothing new is begun.
                if not last or action.verb == VERIFY:
                    self.perform(action)
            if self._report:
                self._report(self)
            if decision.finished or self._all_settled() or not (wait or self._cutting_over()):
                return
            if last:
                self.timed_out = True
                return
            # While clients are disturbed every second counts; a copy may go on for hours.
            now = self.cloud.now()
            if not still or any(one.phase == COMPLETING for one in self.memory.tracks.values()):
                moved_at = now
            pause = min(LATE * (now - moved_at), SLOWEST * self.poll_interval)
            pause = max(pause, self.poll_interval)
            # From the beginning of one poll to that of the next; a slow cloud gets its rest.
            pause = max(pause - max(0.0, now - begun), self.poll_interval / 2)
            self._sleep(max(0.0, min(pause, self._next_event(deadline) - now)))

    def _next_event(self, deadline: float) -> float:
        """When the next look must be taken whatever happens until then."""
        now = self.cloud.now()
        opens = self.limits.window.opens_at(now) if self.limits.window else None
        return deadline if opens is None or opens <= now else min(deadline, opens)

    def _all_settled(self) -> bool:
        return all(track.settled for track in self.memory.tracks.values())

    def _cutting_over(self) -> bool:
        """Whether a cutover doesn't show yet: who left now might come back and ask for it twice."""
        return any(
            track.phase == COPIED
            and not track.settled
            and (COMPLETE in track.sent or (track.waiting_for or _NOTHING).code == "grace")
            for track in self.memory.tracks.values()
        )

    # -- reading -----------------------------------------------------------------------------

    def _poll(self, limits: Limits, deadline: float) -> Decision:
        """One reading and what follows from it.  A cloud that doesn't answer is waited for."""
        begun = self.cloud.now()
        while True:
            try:
                reading = self._read()
                break
            except CloudError as error:
                passing = error.status_code is None or error.status_code >= 500
                first = self._polls == 0
                given_up = min(begun + self.limits.patience, deadline)
                if first or not passing or self.cloud.now() > given_up:
                    raise
                self._sleep(self.poll_interval)
        self._polls += 1
        return decide(self.plan, reading, limits, self.cloud.now(), self.memory)

    def _read(self) -> Reading:
        running = self.cloud.migrating() if self.crowded else []
        listed = self._read_servers() + self._read_replicas()
        running += [one for one in listed if one.moving]
        seen = {one.id: one for one in running}
        seen.update((one.id, one) for one in listed)
        wanted = shares_to_refresh(self.plan, self.memory, running)
        looked, gone = self.cloud.observe(wanted - set(self._replicas))
        seen.update(looked)
        looked, missing = self.cloud.observe_replicas(
            {one: _places(self._replicas[one]) for one in wanted & set(self._replicas)}
        )
        seen.update(looked)
        gone |= missing | (self._servers - set(seen))
        services = self.cloud.services()
        managers = {one.host: one for one in services if one.binary == SHARE_MANAGER}
        workers = {
            binary: any(one.alive and one.enabled for one in services if one.binary == binary)
            for binary in (SCHEDULER, DATA)
        }
        if self._lease:
            self._lease.check(managers)
        self._seen = seen
        return Reading(self._with_progress(seen), frozenset(gone), managers, workers)

    def _read_servers(self) -> list[Observation]:
        """The share servers of the plan, and all that migrate: one request for all of them."""
        if not (self._servers or self.crowded):
            return []
        return observe_servers(self._servers, self.cloud.share_servers())

    def _read_replicas(self) -> list[Observation]:
        """The replicas that are moved in the cloud: two requests for all of them."""
        if not (self.crowded or self._replicas):
            return []
        return [
            observe_replica(
                share,
                replicas,
                *(_places(self._replicas[share.id]) if share.id in self._replicas else ()),
            )
            for share, replicas in self.cloud.marked()
            if share.id not in self._planned or share.id in self._replicas
        ]

    def _with_progress(self, seen: dict[str, Observation]) -> dict[str, Observation]:
        """Ask a few of the running copies how far they are, others the next time."""
        copying = [
            one.id
            for one in seen.values()
            if one.id in self._planned
            and not self.track(self._planned[one.id]).settled
            and one.state.phase == COPYING
            and one.state.progress is None
        ]
        now = self.cloud.now()
        if not copying or now < self._sampled_at + SAMPLED:
            return seen
        self._sampled_at = now
        self._samples += SAMPLES
        begin = self._samples % len(copying)
        for one in (copying + copying)[begin : begin + min(SAMPLES, len(copying))]:
            seen[one] = replace(seen[one], progress=self.cloud.progress(seen[one].kind, one))
        return seen

    # -- acting ------------------------------------------------------------------------------

    def perform(self, action: Action) -> None:
        """Send one action that was decided, if the last look still allows it, and note the answer.

        Raises Abandoned, out of ``guard``, right before anything is sent.
        """
        perform = {
            START: self._start,
            COMPLETE: self._complete,
            REMOVE: self._remove,
            CANCEL: self._cancel,
            RECORD: self._record,
        }
        if action.verb == VERIFY:
            self._verify(action)
            return
        try:
            perform[action.verb](action)
        except _Unprepared as failed:
            self._tell(action, failed.outcome, str(failed), failed.status_code)
        except Unknown:
            self.changed = True
            self._tell(action, UNKNOWN)
        except Refused as refused:
            self._tell(action, self._refused(action), str(refused), refused.status_code)
            if action.verb == START and action.migration.kind == SHARE_REPLICA:
                with suppress(CloudError):
                    self._unmark(action)
        except CloudError:
            # One of the shares_to_refresh before the sending failed: nothing was sent, look again.
            self._tell(action, OUTDATED)

    def _prepare(self, deed: str, send: Callable[[], None]) -> None:
        """Send a request that comes before an action's own: its answer is never the action's.

        ``deed`` names it in messages, as in "Manila refused to ``deed``".  A lost answer is no
        matter: what was asked for is looked for, and asked for again.  Raises _Unprepared.
        """
        if self._guard:
            self._guard()
        try:
            send()
        except Refused as refused:
            message = f"Manila refused to {deed}: {refused}"
            # What is gone is another situation: the next look tells.
            outcome = HINDERED if refused.status_code == 404 else BARRED
            raise _Unprepared(outcome, message, refused.status_code) from None
        except CloudError as error:
            self.changed = True
            message = f"the answer to the request to {deed} was lost: {error}"
            raise _Unprepared(HINDERED, message) from None
        self.changed = True

    def _tell(
        self, action: Action, outcome: str, message: str = "", status_code: int | None = None
    ) -> None:
        self.changed = self.changed or outcome == ACCEPTED
        self.memory = after(self.memory, action, outcome, self.cloud.now(), message, status_code)

    def _look(self, action: Action) -> Observation | None:
        if action.migration.kind == SHARE_SERVER:
            return observe_server(action.migration.id, self.cloud.share_servers())
        if action.migration.kind == SHARE_REPLICA:
            places = {action.migration.id: _places(action.migration)}
            return self.cloud.observe_replicas(places)[0].get(action.migration.id)
        seen, _gone = self.cloud.observe([action.migration.id])
        return seen.get(action.migration.id)

    def _facts(
        self, migration: Migration, seen: Observation | None = None, has_snapshots: bool = True
    ) -> Facts:
        """What must survive a cutover; of a share, ``seen`` saves half of the requests."""
        if migration.kind == SHARE_SERVER:
            return self.cloud.server_facts(migration.id)
        if migration.kind == SHARE_REPLICA:
            return self.cloud.replica_facts(migration.id, *_places(migration))
        return self.cloud.facts(migration.id, seen, has_snapshots)

    def _refused(self, action: Action) -> str:
        """Say whether a refusal is final; if the share has changed, the next reading tells."""
        try:
            seen = self._look(action)
        except CloudError:
            return REFUSED
        before = self._before
        same = (
            seen and before and (seen.status, seen.task_state) == (before.status, before.task_state)
        )
        return REFUSED if same else OUTDATED

    def _ready(
        self, action: Action, refuses: Callable[[Observation], str | None]
    ) -> Observation | None:
        """Look once more right before something is sent.

        Returns what was seen, None if the action must not be sent: then the engine knows it.
        """
        self._before = seen = self._look(action)
        group = self._groups.get(action.migration.group, [])
        if (
            seen is None
            or refuses(seen)
            or withholds(action, group, self.memory, self.limits, self.cloud.now())
        ):
            self._tell(action, OUTDATED)
            return None
        if self._guard:
            self._guard()
        return seen

    def _start(self, action: Action) -> None:
        migration = action.migration
        if not migration.destination or not self._ready(
            action, lambda seen: refuses_start(migration, seen)
        ):
            return
        if migration.kind == SHARE_REPLICA:
            self._start_replica(action, migration.destination)
            return
        deleting = self._delete_snapshots(migration) if migration.delete_snapshots else []
        if deleting:
            # And look again until they are gone.
            self._tell(action, OUTDATED, f"its snapshots are being deleted: {', '.join(deleting)}")
            return
        self.cloud.start(migration.kind, migration.id, migration.destination, migration.options)
        self._tell(action, ACCEPTED)

    def _delete_snapshots(self, migration: Migration) -> list[str]:
        """Have the snapshots deleted that the plan gives up.  Returns those that are still there.

        Raises _Unprepared.
        """
        left = [
            one
            for one in self.cloud.snapshots_of(migration.id)
            if one.id in migration.delete_snapshots
        ]
        for one in left:
            name = one.name or one.id
            if one.status == "error_deleting":
                raise _Unprepared(
                    BARRED, f"its snapshot {name} could not be deleted (status {one.status!r})"
                )
            if one.status != "deleting":
                self._prepare(
                    f"delete its snapshot {name}", partial(self.cloud.delete_snapshot, one.id)
                )
        return sorted(one.name or one.id for one in left)

    def _start_replica(self, action: Action, destination: str) -> None:
        """Mark the share, then have a replica made: a run that dies between leaves only the mark."""
        migration = action.migration
        mark = Mark(migration.source, destination, timestamp(self.cloud.now()))
        self._prepare(f"write its metadata {MARK}", partial(self.cloud.mark, migration.id, mark))
        # Who else has looked before the mark was there may have been faster.
        if self._ready(action, lambda seen: refuses_start(migration, seen)):
            network = migration.options.new_share_network_id
            self.cloud.create_replica(migration.id, destination, network)
            self._tell(action, ACCEPTED)

    def _complete(self, action: Action) -> None:
        migration = action.migration
        # Where it stands is looked at again below; the rest can't change while it migrates.
        before = self._facts(migration, self._seen.get(migration.id))
        self._remember(migration, _informed(self.track(migration), before))
        hindrance = hinders_cutover(migration, before)
        if hindrance:
            self._tell(action, HINDERED, hindrance)
            return
        # The last look comes right before the sending: a second complete would destroy.
        track = self.track(migration)
        seen = self._ready(action, lambda seen: refuses_complete(migration, track, seen))
        if seen is None:
            return
        if migration.kind != SHARE_REPLICA:
            self.cloud.complete(migration.kind, migration.id)
        elif seen.leads:
            self.cloud.promote_replica(self._found_at(seen.destination))
        else:
            # Nobody is served from it: its place is taken by the new one when it goes.
            self.cloud.delete_replica(self._found_at(migration.source))
        self._tell(action, ACCEPTED)

    def _remove(self, action: Action) -> None:
        migration = action.migration
        if self._ready(action, lambda seen: refuses_remove(migration, seen)):
            self.cloud.delete_replica(self._found_at(migration.source))
            self._tell(action, ACCEPTED)

    def _cancel(self, action: Action) -> None:
        """Write down that the copy is cancelled, then cancel it.

        Of a share Manila shows nothing of a cancel until it is over: who comes after a kill would
        complete what is being cancelled.  A kill between the two leaves a copy that nobody
        completes, and that can be cancelled again.
        """
        migration = action.migration
        seen = self._ready(action, lambda seen: refuses_cancel(migration, seen))
        if seen is None:
            return
        carrier, old = self._read_copy_mark(seen)
        mark = CopyMark(_copy_id(seen) or "", timestamp(self.cloud.now()))
        if old and old.copy != mark.copy:
            old = None  # of an earlier copy
        if carrier and mark.copy:
            track = self.track(migration)
            own, now = track.own_mark, self.cloud.now()
            if is_being_cancelled(migration.kind, old, own, self.limits, now):
                self._remember(migration, replace(track, copy_mark=old))
                self._tell(action, OUTDATED)
                return
            self._remember(migration, replace(track, own_mark=mark))
            self._prepare(
                f"write its metadata {INTERRUPTED}", partial(self.cloud.mark_copy, carrier, mark)
            )
            # Who else has looked before the mark was there may have been faster.
            seen = self._ready(action, lambda seen: refuses_cancel(migration, seen))
            if seen is None:
                return
            if self._read_copy_mark(seen)[1] != mark:
                self._tell(action, OUTDATED)
                return
        try:
            if migration.kind == SHARE_REPLICA:
                self.cloud.delete_replica(self._found_at(seen.destination))
            else:
                self.cloud.cancel(migration.kind, migration.id)
        except Refused as refused:
            outcome = self._refused(action)
            if carrier and mark.copy and outcome == REFUSED:
                with suppress(CloudError):
                    self._write_copy_mark(carrier, old)
            self._tell(action, outcome, str(refused), refused.status_code)
            return
        self._tell(action, ACCEPTED)

    def _read_copy_mark(self, seen: Observation) -> tuple[str | None, CopyMark | None]:
        """The ID of the share whose metadata tell of copies, and what they say.

        Share servers have no metadata: the first of its shares carries it.  Raises CloudError.
        """
        if seen.kind != SHARE_SERVER:
            return seen.id, seen.copy_mark
        at = seen.successor if seen.resting and seen.successor else seen.id
        shares = self.cloud.shares(share_server_id=at)
        if not shares:
            return None, None
        first = min(shares, key=lambda share: share.id)
        return first.id, CopyMark.of(first.metadata)

    def _write_copy_mark(self, carrier: str, mark: CopyMark | None) -> None:
        """Write what a share's metadata say of a copy, or take it away.  Raises CloudError."""
        if self._guard:
            self._guard()
        if mark:
            self.cloud.mark_copy(carrier, mark)
        else:
            self.cloud.unmark_copy(carrier)

    def _record(self, action: Action) -> None:
        """Write down that the copy was interrupted, or take away what was written of an old one."""
        seen = self._look(action)
        carrier, old = self._read_copy_mark(seen) if seen else (None, None)
        copy = _copy_id(seen) if seen else None
        if seen is None or carrier is None or (copy is None and not seen.resting):
            self._tell(action, OUTDATED)
            return
        if copy is None or old is None or old.copy != copy:
            self._write_copy_mark(carrier, CopyMark(copy) if copy else None)
        self._tell(action, ACCEPTED)

    def _found_at(self, pool: str | None) -> str:
        """The ID of the replica that the last look has found in a pool."""
        place = self._before.at(pool) if self._before else None
        if place is None:
            raise CloudError(f"There is no replica at {pool}.")
        return place.id

    def _unmark(self, action: Action) -> None:
        """Remove the mark of a migration that is over.  Raises CloudError."""
        seen = self._look(action)
        if seen and seen.task_state in (MARKED, MOVED):
            if self._guard:
                self._guard()
            if seen.copy_mark:
                self.cloud.unmark_copy(seen.id)
            self.cloud.unmark(seen.id)
            self.changed = True

    def _verify(self, action: Action) -> None:
        migration = action.migration
        track = self.track(migration)
        found: Facts | None = None
        seen = self._seen.get(migration.id)
        if seen and seen.instances is None:
            seen = None
        # Manila takes no snapshot of a share that migrates.
        has_snapshots = track.facts_before is None or bool(track.facts_before.snapshots)
        try:
            found = self._facts(migration, seen, has_snapshots)
        except CloudError as error:
            wrong = [f"it could not be checked: {error}"]
        else:
            wrong = faults(migration, track, found)
        if not wrong and migration.kind == SHARE_REPLICA and track.phase != COMPLETING:
            try:
                self._unmark(action)
            except CloudError as error:
                wrong = [f"its metadata {MARK} could not be removed: {error}"]
        if not wrong and found:
            # That of a server is void once its copy is gone; a share's is looked after by RECORD.
            for share_id, share in found.members.items():
                if share.copy_mark:
                    with suppress(CloudError):
                        self._write_copy_mark(share_id, None)
        self.memory = after(
            self.memory,
            action,
            REFUSED if wrong else ACCEPTED,
            self.cloud.now(),
            "; ".join(wrong),
            found=found,
            patience=self.limits.patience,
        )
