# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold at each moment of an evacuation, whatever Manila does: the invariants.

They are checked against the model of Manila, which knows the truth, when something is sent and when a
result is claimed.  docs/design.md numbers them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.manila.migration.plugins.module_utils._engine.decide import decide
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    CANCEL,
    COMPLETE,
    REACHED,
    START,
    Decision,
    Memory,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import Runner
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COMPLETING,
    COPIED,
    FAILED,
    MOVED,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    CANCELLING,
    EVACUATION,
    MOVING,
    PHASE1_DONE,
    RESTING_BUSY_STATES,
    RULES,
    Manila,
)


class Invariants:
    """Watches one run on a model; what breaks is kept in ``broken``, each as a sentence."""

    def __init__(self, manila: Manila) -> None:
        self.manila = manila
        self.broken: list[str] = []
        self.runner: Runner | None = None
        """Who is watched."""
        self._working: dict[str, set[str]] = {}
        self._given_up: set[tuple[str, int]] = set()
        """Share servers, and which of their migrations, that were seen while being cancelled."""
        self._settled: set[str] = set()

    @property
    def _watched(self) -> Runner:
        assert self.runner
        return self.runner

    def watch(self, runner: Runner) -> None:
        """Look at this runner from now on: what it has settled is not claimed anew."""
        self.runner = runner
        self._settled = {one for one, track in runner.memory.tracks.items() if track.settled}

    # -- after each decision, and after each action -------------------------------------------

    def decided(self, reading: Reading, before: Memory, decision: Decision) -> None:
        """Check what was decided: nothing of it was done yet."""
        runner = self._watched
        if before.queue and before.queue == decision.memory.queue:
            # What is not looked at as it can't have changed has not changed.
            forgetful = replace(before, queue=())
            now = self.manila.now
            if decision != decide(runner.plan, reading, runner.limits, now, forgetful):
                self.broken.append("whoever waits for a slot waits for something else by now")
        self._note_working(reading.seen)
        self.claimed()

    def claimed(self) -> None:
        """Check the results that are claimed now and were not before."""
        for migration in self._watched.plan:
            track = self._track(migration.id)
            if track.settled and migration.id not in self._settled:
                self._settled.add(migration.id)
                if track.outcome == REACHED:
                    self._check_result(migration, track)

    def planned(self, subject: str) -> Migration | None:
        """What the plan says of a share or a share server."""
        return next((one for one in self._watched.plan if one.id == subject), None)

    def _track(self, share_id: str) -> Track:
        return self._watched.memory.tracks.get(share_id, Track())

    def _note_working(self, read: Iterable[str]) -> None:
        """What worked in the cloud when it was read, with the pools it worked in."""
        memory = self._watched.memory
        known = {*read, *memory.tracks, *memory.others}
        self._working = {
            one.id: {instance.host for instance in one.instances}
            for one in self.manila.shares.values()
            if one.id in known
            and (one.working or (one.asked_to_complete and self._track(one.id).busy))
        }
        self._working |= self.manila.servers_at_work()
        self._working |= {
            one.id: one.places() for one in self.manila.replicated.values() if one.places()
        }
        for server in self.manila.servers.values():
            if server.asked_to_complete and self._track(server.id).busy:
                copies = self.manila.copies_of(server.id)
                self._working[server.id] = {server.host, *(one.host for one in copies)}
            if server.status == MOVING and server.task_state == CANCELLING:
                self._given_up.add((server.id, server.attempt))
        for migration in self._watched.plan:
            if migration.id in self._working and START in self._track(migration.id).sent:
                self._working[migration.id] |= {migration.source, migration.destination or ""}

    # -- before something is sent ------------------------------------------------------------

    def _demand(self, number: int, holds: object, what: str) -> None:
        if not holds:
            self.broken.append(f"invariant {number}: {what}")

    def sending(self, verb: str, subject: str, seen: Observation | None) -> None:
        """Check a request right before Manila gets it; ``seen`` is how it stands at that moment."""
        migration = self.planned(subject)
        self._demand(4, migration, f"{verb} of {subject}, which is not in the plan")
        self._demand(4, seen, f"{verb} of {subject}, which doesn't exist")
        if migration and seen:
            self._check(verb, migration, seen)

    def deleting(self, share_id: str, replica_id: str, verb: str) -> None:
        """Check the removal of a replica beyond that."""
        share = self.manila.replicated[share_id]
        state = share.find(replica_id).state
        self._demand(4, state != "active", f"{verb} of {share_id}: {replica_id} is active")
        others = [one for one in share.replicas if one.id != replica_id]
        if verb != CANCEL:
            good = any(one.state in ("active", "in_sync") for one in others)
            self._demand(1, good, f"{verb} of {share_id}: the others are {others}")

    def _check(self, verb: str, migration: Migration, seen: Observation) -> None:
        memory, limits = self._watched.memory, self._watched.limits

        def demand(number: int, holds: object, what: str) -> None:
            self._demand(number, holds, f"{verb} of {migration.id}: {what}")

        failures = sum(one.outcome == FAILED for one in memory.tracks.values())
        demand(4, seen.host == migration.source, f"it is at {seen.host}")
        right = (None, migration.destination or seen.destination)
        demand(4, seen.destination in right, f"to {seen.destination}")
        if migration.kind == SHARE_SERVER:
            server, copies = self.manila.servers[migration.id], self.manila.copies_of(migration.id)
            count, resting = 1 + len(copies), server.status == "active"
            whole = len(copies) == 1 and (server.id, server.attempt) not in self._given_up
        elif migration.kind == SHARE_REPLICA:
            replicated = self.manila.replicated[migration.id]
            new = replicated.made(Mark.of(replicated.metadata))
            count, resting = 1 + (new is not None), replicated.instance.status == "available"
            if verb == START:
                busy = [one for one in replicated.replicas if one.status != "available"]
                demand(3, not busy, f"busy are {busy}")
                there = [one for one in replicated.replicas if one.host == migration.destination]
                demand(4, not there, f"there is {there}")
            whole = new is not None and new.state in ("in_sync", "active")
        else:
            share = self.manila.shares[migration.id]
            count, resting, whole = len(share.instances), share.status == "available", True
        if verb == CANCEL:
            copy, written = self._copy_and_mark(migration, seen)
            demand(11, copy and written.startswith(f"{copy} cancelled at "), f"marked {written!r}")
        if verb == START:
            demand(3, count == 1, f"there are {count} of it")
            demand(3, resting, f"its status is {seen.status}")
            demand(6, failures < limits.max_failures, f"{failures} have failed")
        if verb == COMPLETE:
            demand(1, seen.state.complete, f"its task state is {seen.task_state}")
            demand(1, not self._track(migration.id).tainted, "an error interrupted its copy")
            demand(1, whole, "it was being cancelled, or copied twice")
            demand(11, EVACUATION not in self._cancels(migration.id), "we have had it cancelled")
            demand(5, limits.window is None or limits.window.is_open(self.manila.now), "no window")
            apart = [one.id for one in self._watched.plan if self._left_behind(migration, one)]
            demand(5, not apart, f"of its group are not copied: {apart}")
            demand(6, failures < limits.max_failures, f"{failures} have failed")
        if verb in (START, COMPLETE):
            self._working[migration.id] = {migration.source, migration.destination or ""}
            demand(2, len(self._working) <= limits.max_parallel, f"{len(self._working)} at work")
            for place in self._working[migration.id]:
                for pool, count in self._at_work_in(place).items():
                    most = limits.max_parallel_per_pool
                    demand(2, count <= most, f"{count} at work in {pool}")

    def _cancels(self, subject: str) -> list[str]:
        """Who has had the copy cancelled that is made now; the removal of a replica shows at once."""
        if subject in self.manila.servers:
            return self.manila.servers[subject].cancels
        return self.manila.shares[subject].cancels if subject in self.manila.shares else []

    def _copy_and_mark(self, migration: Migration, seen: Observation) -> tuple[str, str]:
        """The ID of the copy that a migration makes, and what the metadata say of copies."""
        if migration.kind == SHARE_SERVER:
            members = self.manila.servers[migration.id].members
            return seen.successor or "", members[min(members)].recorded
        copy = seen.copy.id if seen.copy else ""
        if migration.kind == SHARE_REPLICA:
            return copy, self.manila.replicated[migration.id].metadata.get(INTERRUPTED, "")
        return copy, self.manila.shares[migration.id].recorded

    def _left_behind(self, migration: Migration, other: Migration) -> bool:
        """Whether another one of its cutover group could not be cut over with it."""
        if not migration.group or other.group != migration.group:
            return False
        track = self._track(other.id)
        there = track.phase in (COPIED, COMPLETING, COMPLETED) or track.outcome == REACHED
        return not there or track.outcome == FAILED

    def _at_work_in(self, place: str) -> dict[str, int]:
        """How many work in a pool, or in each pool of a back end.

        A share is at work in the pools of its instances.  A share server is at work in every
        pool of the back ends it is at: its shares may be in any of them.
        """
        pools = [one for one in (*self.manila.pools, place) if place in (one, backend_of(one))]
        return {
            pool: sum(
                any(where in (pool, backend_of(pool)) for where in places)
                for places in self._working.values()
            )
            for pool in pools
        }

    # -- when a result is claimed --------------------------------------------------------------

    def _check_result(self, migration: Migration, track: Track) -> None:
        """Whether what is said to be reached is so."""
        if migration.kind == SHARE_SERVER:
            self._check_server_result(migration, track)
            return
        if migration.kind == SHARE_REPLICA:
            self._check_replica_result(migration, track)
            return
        share = self.manila.shares.get(migration.id)
        if share is None:
            self._demand(7, not track.ours, f"{migration.id} is gone, and was being moved")
            return
        where = f"{migration.id} is said to be {track.phase}, but "
        if track.phase == COMPLETED:
            right = migration.destination in (None, share.host)
            self._demand(7, right, where + f"at {share.host}")
            self._demand(7, share.status == "available", where + share.status)
            self._demand(7, len(share.instances) == 1, where + f"it has {len(share.instances)}")
            if COMPLETE in track.sent:
                self._demand(7, share.rules == RULES, where + f"its rules are {share.rules}")
                bad = set(share.snapshots.values()) - {"available"}
                self._demand(7, not bad, where + f"its snapshots are {bad}")
        elif track.phase == COPIED:
            places = {one.host: one for one in share.instances}
            self._demand(7, share.task_state in RESTING_BUSY_STATES, where + str(share.task_state))
            self._demand(7, migration.destination in places, where + f"at {set(places)}")
            self._demand(7, all(one.content == 1.0 for one in places.values()), where + "not whole")
        elif self._watched.limits.goal == CANCELLED:
            self._demand(7, not share.working, where + str(share.task_state))
            self._demand(7, share.status != "migrating", where + share.status)

    def _check_server_result(self, migration: Migration, track: Track) -> None:
        manila = self.manila
        source, successor = manila.servers.get(migration.id), manila.successor_of(migration.id)
        if source is None and successor is None:
            self._demand(7, not track.ours, f"{migration.id} is gone, and was being moved")
            return
        where = f"{migration.id} is said to be {track.phase}, but "
        if source and source.host == migration.destination and not track.ours:
            return  # asked for by the ID that it has there
        if track.phase == COMPLETED:
            self._demand(7, source is None, where + "the source is still there")
            if successor is None:
                self._demand(7, False, where + "nothing took its place")
                return
            self._demand(7, track.successor == successor.id, where + f"by {successor.id}")
            right = migration.destination in (None, successor.host)
            self._demand(7, right, where + f"at {successor.host}")
            if COMPLETE not in track.sent:
                return
            self._demand(7, successor.members, where + "it has no shares")
            for share_id, share in successor.members.items():
                fine = share.status == "available" and share.rules == RULES
                fine = fine and not share.unapplied
                fine = fine and set(share.snapshots.values()) <= {"available"}
                fine = fine and backend_of(share.host) == successor.host
                self._demand(7, fine, where + f"{share_id} is {share}")
        elif track.phase == COPIED:
            copies = manila.copies_of(migration.id)
            self._demand(7, source and source.task_state == PHASE1_DONE, where + str(source))
            there = [one.host for one in copies]
            self._demand(7, there == [migration.destination], where + f"copied to {there}")
            self._demand(7, all(one.content == 1.0 for one in copies), where + "not whole")
        elif self._watched.limits.goal == CANCELLED and source:
            self._demand(7, source.status != MOVING, where + f"{source.status} {source.task_state}")
            if track.phase == CANCELLED:
                fine = all(
                    one.status == "available" and not one.unapplied
                    for one in source.members.values()
                )
                self._demand(7, fine, where + f"its shares are {source.members}")

    def _check_replica_result(self, migration: Migration, track: Track) -> None:
        share = self.manila.replicated.get(migration.id)
        if share is None:
            self._demand(7, not track.ours, f"{migration.id} is gone, and was being moved")
            return
        where = f"{migration.id} is said to be {track.phase}, but "
        at = {one.host: one for one in share.replicas}
        new, old = at.get(migration.destination or ""), at.get(migration.source)
        if track.phase == COMPLETED:
            self._demand(7, old is None, where + "the replica at the source is still there")
            fine = new and new.content == 1.0 and new.status == "available"
            self._demand(7, fine, where + f"the new one is {new}")
            if COMPLETE in track.sent:
                self._demand(7, share.rules == RULES, where + f"its rules are {share.rules}")
                bad = set(share.snapshots.values()) - {"available"}
                self._demand(7, not bad, where + f"its snapshots are {bad}")
            if track.ours or track.task_state == MOVED:
                self._demand(7, not share.metadata, where + f"it is marked, {share.metadata}")
        elif track.phase == COPIED:
            self._demand(7, new and new.content == 1.0, where + f"the new one is {new}")
        elif track.phase == CANCELLED:
            self._demand(7, not share.metadata, where + f"it is marked, {share.metadata}")
