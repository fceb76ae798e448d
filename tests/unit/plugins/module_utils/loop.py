# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop around the engine, as the runner has it, on the model of Manila and its clock.

It reads, decides, looks again right before each action, acts and tells the outcome.  On the way
it checks what must hold at each moment (the invariants), and keeps what breaks in ``broken``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.manila.migration.plugins.module_utils import engine
from ansible_collections.manila.migration.plugins.module_utils.engine import (
    Action,
    Decision,
    Limits,
    Memory,
    Migration,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils.observation import (
    observe_replica,
    observe_server,
    observe_servers,
)
from ansible_collections.manila.migration.plugins.module_utils.records import (
    Facts,
    Mark,
    backend_of,
)
from ansible_collections.manila.migration.plugins.module_utils.states import (
    CANCELLED,
    COMPLETED,
    COMPLETING,
    COPIED,
    FAILED,
    MARKED,
    MOVED,
    SHARE_REPLICA,
    SHARE_SERVER,
    Observation,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    CANCELLING,
    MOVING,
    PHASE1_DONE,
    RESTING_BUSY_STATES,
    RULES,
    Manila,
    Refused,
    Unknown,
)


class Loop:
    """Drives a plan on a model.  ``interval`` is the pause between polls, in virtual seconds."""

    def __init__(
        self,
        manila: Manila,
        plan: Sequence[Migration],
        limits: Limits,
        *,
        interval: float = 30.0,
        timeout: float = 4 * 3600.0,
        latency: float = 0.0,
    ) -> None:
        """``latency`` is how long each request takes: others act between a look and a deed."""
        self.manila = manila
        self.plan = list(plan)
        self.limits = limits
        self.interval = interval
        self.timeout = timeout
        self.latency = latency
        self.memory = Memory()
        self.polls = 0
        self.timed_out = False
        self.looked: list[set[str]] = []
        self.finished = False
        self.broken: list[str] = []
        self._moved = manila.now
        self._working: dict[str, set[str]] = {}
        self._given_up: set[tuple[str, int]] = set()
        """Share servers, and which of their migrations, that were seen while being cancelled."""

    def track(self, share_id: str) -> Track:
        return self.memory.tracks.get(share_id, Track())

    def run(self, polls: int | None = None) -> Loop:
        """Poll until nothing is left to do, until the timeout, or so many times.

        Where nobody is at anything any more, and nothing is waited for that time alone brings,
        the timeout has come as good as: that saves hours of polls in which nothing happens.
        """
        deadline = self.manila.now + self.timeout
        while polls is None or polls > 0:
            decision = self.poll()
            for action in decision.actions:
                self.perform(action)
            if decision.finished:
                return self
            window = self.limits.window
            timed = window is not None and window.opens_at(self.manila.now) is not None
            if decision.actions or timed or not self.manila.idle:
                self._moved = self.manila.now
            if self.manila.now >= min(deadline, self._moved + 2 * self.limits.patience):
                self.timed_out = True
                return self
            self.manila.advance(self.interval)
            polls = None if polls is None else polls - 1
        return self

    def forget(self) -> None:
        """The process was killed and runs again: it remembers nothing."""
        self.memory = Memory()

    # -- reading -----------------------------------------------------------------------------

    def poll(self) -> Decision:
        """One reading and what follows from it; sends nothing."""
        self.polls += 1
        planned = {one.id for one in self.plan if one.kind == SHARE_SERVER}
        listed = observe_servers(planned, self.manila.share_servers()) + self._marked()
        running = self.manila.migrating() + [one for one in listed if one.moving]
        wanted = engine.looks(self.plan, self.memory, running)
        self.looked.append(wanted)
        replicas = {one.id: one for one in self.plan if one.kind == SHARE_REPLICA}
        looked, gone = self.manila.observe(wanted - set(replicas))
        for share_id in sorted(wanted & set(replicas)):
            found = self._look(replicas[share_id])
            looked |= {share_id: found} if found else {}
            gone |= set() if found else {share_id}
        seen = {one.id: one for one in running + listed} | looked
        gone |= planned - set(seen)
        reading = Reading(seen, frozenset(gone), self.manila.services())
        decision = engine.decide(self.plan, reading, self.limits, self.manila.now, self.memory)
        if self.memory.queue and self.memory.queue == decision.memory.queue:
            # What is not looked at as it can't have changed has not changed.
            forgetful = replace(self.memory, queue=())
            if decision != engine.decide(
                self.plan, reading, self.limits, self.manila.now, forgetful
            ):
                self.broken.append("whoever waits for a slot waits for something else by now")
        before, self.memory = self.memory, decision.memory
        self.finished = decision.finished
        self._note_working(running)
        for migration in self.plan:
            track = self.track(migration.id)
            if (
                track.outcome == engine.REACHED
                and not before.tracks.get(migration.id, Track()).settled
            ):
                self._check_result(migration, track)
        return decision

    def _marked(self) -> list[Observation]:
        planned = {one.id: (one.source, one.destination) for one in self.plan}
        return [
            observe_replica(share, replicas, *planned.get(share.id, ()))
            for share, replicas in self.manila.marked()
        ]

    def _note_working(self, running: Sequence[Observation]) -> None:
        """What worked in the cloud when it was read, with the pools it worked in."""
        known = {one.id for one in running} | set(self.memory.tracks) | set(self.memory.others)
        self._working = {
            one.id: {instance.host for instance in one.instances}
            for one in self.manila.shares.values()
            if one.id in known
            and (one.working or (one.asked_to_complete and self.track(one.id).busy))
        }
        self._working |= self.manila.servers_at_work()
        self._working |= {
            one.id: one.places() for one in self.manila.replicated.values() if one.places()
        }
        for server in self.manila.servers.values():
            if server.asked_to_complete and self.track(server.id).busy:
                copies = self.manila.copies_of(server.id)
                self._working[server.id] = {server.host, *(one.host for one in copies)}
            if server.status == MOVING and server.task_state == CANCELLING:
                self._given_up.add((server.id, server.attempt))
        for migration in self.plan:
            if migration.id in self._working and engine.START in self.track(migration.id).sent:
                self._working[migration.id] |= {migration.source, migration.destination or ""}

    def _look(self, migration: Migration) -> Observation | None:
        if migration.kind == SHARE_SERVER:
            return observe_server(migration.id, self.manila.share_servers())
        if migration.kind == SHARE_REPLICA:
            return self.manila.observe_replica(
                migration.id, migration.source, migration.destination
            )
        looked, _gone = self.manila.observe([migration.id])
        return looked.get(migration.id)

    def _facts(self, migration: Migration) -> Facts | None:
        if migration.kind == SHARE_SERVER:
            return self.manila.server_facts(migration.id)
        if migration.kind == SHARE_REPLICA:
            return self.manila.replica_facts(migration.id, migration.source, migration.destination)
        return self.manila.facts(migration.id) if migration.id in self.manila.shares else None

    # -- acting ------------------------------------------------------------------------------

    def perform(self, action: Action) -> None:
        """Do one action as the runner does it, and tell the engine how it went."""
        migration = action.migration
        if action.verb == engine.VERIFY:
            self._verify(action)
            return
        if action.verb == engine.COMPLETE:
            facts = self._remember_facts(migration)
            hindrance = facts and engine.hinders_cutover(migration, facts)
            if hindrance:
                self._tell(action, engine.HINDERED, hindrance)
                return
        self.manila.advance(self.latency)
        seen = self._look(migration)
        if seen is None or self._refuses(action, seen):
            self._tell(action, engine.OUTDATED)
            return
        if migration.kind == SHARE_REPLICA and action.verb == engine.START:
            self._mark(migration)
            self.manila.advance(self.latency)
            seen = self._look(migration)
            if seen is None or self._refuses(action, seen):
                self._tell(action, engine.OUTDATED)
                return
        if action.verb == engine.RECORD:
            copy = seen.copy.id if seen.copy else ""
            if migration.kind == SHARE_SERVER:
                copy = (seen.successor or "") if seen.moving else ""
            self.manila.record(migration.id, copy)
            self._tell(action, engine.ACCEPTED)
            return
        self._check(action, seen)
        try:
            if migration.kind == SHARE_REPLICA:
                self._send_of_replica(action, seen)
            elif action.verb == engine.START:
                assert migration.destination
                self.manila.start(migration.id, migration.destination, migration.options)
            elif action.verb == engine.COMPLETE:
                self.manila.complete(migration.id)
            else:
                self.manila.cancel(migration.id)
        except Unknown as unknown:
            self._tell(action, engine.UNKNOWN, str(unknown))
        except Refused as refused:
            if refused.status >= 500:
                self._tell(action, engine.UNKNOWN, str(refused))  # as the door to the cloud says
                return
            now = self._look(migration)
            same = now and (now.status, now.task_state) == (seen.status, seen.task_state)
            outcome = engine.REFUSED if same else engine.OUTDATED
            self._tell(action, outcome, str(refused), status_code=refused.status)
            if action.verb == engine.START and now and now.task_state == MARKED:
                self.manila.unmark(migration.id)
        else:
            self._tell(action, engine.ACCEPTED)

    def _mark(self, migration: Migration) -> None:
        assert migration.destination
        since = engine.timestamp(self.manila.now)
        self.manila.mark(migration.id, Mark(migration.source, migration.destination, since))

    def _send_of_replica(self, action: Action, seen: Observation) -> None:
        """As the runner: what to do is one thing, to which replica another."""
        manila, migration = self.manila, action.migration
        old, new = seen.at(migration.source), seen.at(seen.destination)
        if action.verb == engine.START:
            assert migration.destination
            manila.create_replica(migration.id, migration.destination)
            return
        assert old
        assert new
        share = manila.replicated[migration.id]
        if action.verb == engine.CANCEL:
            self._demand(4, share.find(new.id).state != "active", f"{new.id} is active")
            manila.delete_replica(migration.id, new.id)
        elif action.verb == engine.COMPLETE and seen.leads:
            manila.promote_replica(migration.id, new.id)
        else:
            serving = share.find(new.id).state
            self._demand(1, serving in ("active", "in_sync"), f"{new.id} is {serving}")
            self._demand(4, share.find(old.id).state != "active", f"{old.id} is active")
            manila.delete_replica(migration.id, old.id, verb=action.verb)

    def _refuses(self, action: Action, seen: Observation) -> str | None:
        withheld = engine.withholds(action, self.memory, self.limits, self.manila.now)
        if withheld:
            return withheld
        if action.verb == engine.RECORD:
            known = seen.copy or seen.resting or (seen.moving and seen.successor)
            return None if known else "it is unclear which copy is meant"
        if action.verb == engine.START:
            return engine.refuses_start(action.migration, seen)
        if action.verb == engine.CANCEL:
            return engine.refuses_cancel(action.migration, seen)
        if action.verb == engine.REMOVE:
            return engine.refuses_remove(action.migration, seen)
        return engine.refuses_complete(action.migration, self.track(action.migration.id), seen)

    def _remember_facts(self, migration: Migration) -> Facts | None:
        facts = self._facts(migration)
        if facts is None:
            return None
        track = self.track(migration.id)
        spoilt = track.tainted or facts.spoils(track.successor)
        track = replace(track, facts_before=facts, tainted=spoilt)
        self.memory = replace(self.memory, tracks={**self.memory.tracks, migration.id: track})
        return facts

    def _verify(self, action: Action) -> None:
        migration = action.migration
        track = self.track(migration.id)
        found = self._facts(migration)
        wrong = ["it could not be checked"]
        if found is not None:
            wrong = engine.faults(migration, track, found)
        outcome = engine.REFUSED if wrong else engine.ACCEPTED
        if not wrong and migration.kind == SHARE_REPLICA and track.phase != COMPLETING:
            seen = self._look(migration)
            if seen and seen.task_state in (MARKED, MOVED):
                self.manila.unmark(migration.id)
        self._tell(action, outcome, "; ".join(wrong), found=found)
        if self.track(migration.id).settled and outcome == engine.ACCEPTED:
            self._check_result(migration, self.track(migration.id))

    def _tell(self, action: Action, outcome: str, message: str = "", **facts: object) -> None:
        self.memory = engine.after(
            self.memory,
            action,
            outcome,
            self.manila.now,
            message,
            patience=self.limits.patience,
            **facts,  # type: ignore[arg-type]
        )

    # -- what must hold when something is sent -----------------------------------------------

    def _demand(self, number: int, holds: object, what: str) -> None:
        if not holds:
            self.broken.append(f"invariant {number}: {what}")

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
            if engine.COMPLETE in track.sent:
                self._demand(7, share.rules == RULES, where + f"its rules are {share.rules}")
                bad = set(share.snapshots.values()) - {"available"}
                self._demand(7, not bad, where + f"its snapshots are {bad}")
        elif track.phase == COPIED:
            places = {one.host: one for one in share.instances}
            self._demand(7, share.task_state in RESTING_BUSY_STATES, where + str(share.task_state))
            self._demand(7, migration.destination in places, where + f"at {set(places)}")
            self._demand(7, all(one.content == 1.0 for one in places.values()), where + "not whole")
        elif self.limits.goal == CANCELLED:
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
            if engine.COMPLETE not in track.sent:
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
        elif self.limits.goal == CANCELLED and source:
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
            if engine.COMPLETE in track.sent:
                self._demand(7, share.rules == RULES, where + f"its rules are {share.rules}")
                bad = set(share.snapshots.values()) - {"available"}
                self._demand(7, not bad, where + f"its snapshots are {bad}")
            if track.ours or track.task_state == MOVED:
                self._demand(7, not share.metadata, where + f"it is marked, {share.metadata}")
        elif track.phase == COPIED:
            self._demand(7, new and new.content == 1.0, where + f"the new one is {new}")
        elif track.phase == CANCELLED:
            self._demand(7, not share.metadata, where + f"it is marked, {share.metadata}")

    def _check(self, action: Action, seen: Observation) -> None:
        migration, limits = action.migration, self.limits
        verb = action.verb

        def demand(number: int, holds: object, what: str) -> None:
            self._demand(number, holds, f"{verb} of {migration.id}: {what}")

        failures = sum(one.outcome == FAILED for one in self.memory.tracks.values())
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
            if verb == engine.START:
                busy = [one for one in replicated.replicas if one.status != "available"]
                demand(3, not busy, f"busy are {busy}")
                there = [one for one in replicated.replicas if one.host == migration.destination]
                demand(4, not there, f"there is {there}")
            whole = new is not None and new.state in ("in_sync", "active")
        else:
            share = self.manila.shares[migration.id]
            count, resting, whole = len(share.instances), share.status == "available", True
        if verb == engine.START:
            demand(3, count == 1, f"there are {count} of it")
            demand(3, resting, f"its status is {seen.status}")
            demand(6, failures < limits.max_failures, f"{failures} have failed")
        if verb == engine.COMPLETE:
            demand(1, seen.state.complete, f"its task state is {seen.task_state}")
            demand(1, not self.track(migration.id).tainted, "an error interrupted its copy")
            demand(1, whole, "it was being cancelled, or copied twice")
            demand(5, limits.window is None or limits.window.is_open(self.manila.now), "no window")
            apart = [one.id for one in self.plan if self._left_behind(migration, one)]
            demand(5, not apart, f"of its group are not copied: {apart}")
            demand(6, failures < limits.max_failures, f"{failures} have failed")
        if verb in (engine.START, engine.COMPLETE):
            self._working[migration.id] = {migration.source, migration.destination or ""}
            demand(2, len(self._working) <= limits.max_parallel, f"{len(self._working)} at work")
            for place in self._working[migration.id]:
                for pool, count in self._at_work_in(place).items():
                    most = limits.max_parallel_per_pool
                    demand(2, count <= most, f"{count} at work in {pool}")

    def _left_behind(self, migration: Migration, other: Migration) -> bool:
        """Whether another one of its cutover group could not be cut over with it."""
        if not migration.group or other.group != migration.group:
            return False
        track = self.track(other.id)
        there = track.phase in (COPIED, COMPLETING, COMPLETED) or track.outcome == engine.REACHED
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
