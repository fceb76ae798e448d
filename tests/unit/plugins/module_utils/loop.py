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
from ansible_collections.manila.migration.plugins.module_utils.states import (
    CANCELLED,
    COMPLETED,
    COPIED,
    FAILED,
    Observation,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
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
        self._working: dict[str, set[str]] = {}

    def track(self, share_id: str) -> Track:
        return self.memory.tracks.get(share_id, Track())

    def run(self, polls: int | None = None) -> Loop:
        """Poll until nothing is left to do, until the timeout, or so many times."""
        deadline = self.manila.now + self.timeout
        while polls is None or polls > 0:
            decision = self.poll()
            for action in decision.actions:
                self.perform(action)
            if decision.finished:
                return self
            if self.manila.now >= deadline:
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
        running = self.manila.migrating()
        wanted = engine.looks(self.plan, self.memory, running)
        self.looked.append(wanted)
        looked, gone = self.manila.observe(wanted)
        seen = {one.id: one for one in running} | looked
        reading = Reading(seen, frozenset(gone), self.manila.services())
        decision = engine.decide(self.plan, reading, self.limits, self.manila.now, self.memory)
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

    def _note_working(self, running: Sequence[Observation]) -> None:
        """What worked in the cloud when it was read, with the pools it worked in."""
        known = {one.id for one in running} | set(self.memory.tracks) | set(self.memory.others)
        self._working = {
            one.id: {instance.host for instance in one.instances}
            for one in self.manila.shares.values()
            if one.id in known
            and (one.working or (one.asked_to_complete and self.track(one.id).busy))
        }
        for migration in self.plan:
            if migration.id in self._working and engine.START in self.track(migration.id).sent:
                self._working[migration.id] |= {migration.source, migration.destination or ""}

    # -- acting ------------------------------------------------------------------------------

    def perform(self, action: Action) -> None:
        """Do one action as the runner does it, and tell the engine how it went."""
        migration = action.migration
        if action.verb == engine.VERIFY:
            self._verify(action)
            return
        if action.verb == engine.COMPLETE:
            self._remember_facts(migration)
        self.manila.advance(self.latency)
        looked, _gone = self.manila.observe([migration.id])
        seen = looked.get(migration.id)
        if seen is None or self._refuses(action, seen):
            self._tell(action, engine.OUTDATED)
            return
        self._check(action, seen)
        try:
            if action.verb == engine.START:
                assert migration.destination
                self.manila.start(migration.id, migration.destination, migration.options)
            elif action.verb == engine.COMPLETE:
                self.manila.complete(migration.id)
            else:
                self.manila.cancel(migration.id)
        except Unknown as unknown:
            self._tell(action, engine.UNKNOWN, str(unknown))
        except Refused as refused:
            looked, _gone = self.manila.observe([migration.id])
            now = looked.get(migration.id)
            same = now and (now.status, now.task_state) == (seen.status, seen.task_state)
            self._tell(action, engine.REFUSED if same else engine.OUTDATED, str(refused))
        else:
            self._tell(action, engine.ACCEPTED)

    def _refuses(self, action: Action, seen: Observation) -> str | None:
        if action.verb == engine.CANCEL:
            return None
        withheld = engine.withholds(action, self.memory, self.limits, self.manila.now)
        if withheld:
            return withheld
        if action.verb == engine.START:
            return engine.refuses_start(action.migration, seen)
        return engine.refuses_complete(action.migration, self.track(action.migration.id), seen)

    def _remember_facts(self, migration: Migration) -> None:
        if migration.id not in self.manila.shares:
            return
        track = replace(self.track(migration.id), facts_before=self.manila.facts(migration.id))
        self.memory = replace(self.memory, tracks={**self.memory.tracks, migration.id: track})

    def _verify(self, action: Action) -> None:
        migration = action.migration
        track = self.track(migration.id)
        if migration.id not in self.manila.shares:
            wrong, found = ["it could not be checked"], None
        else:
            found = self.manila.facts(migration.id)
            destination = migration.destination or track.destination
            wrong = engine.differences(migration, track.facts_before, found, destination)
        outcome = engine.REFUSED if wrong else engine.ACCEPTED
        self._tell(action, outcome, "; ".join(wrong), found=found)
        if outcome == engine.ACCEPTED:
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
        share = self.manila.shares.get(migration.id)
        if share is None:
            self._demand(7, not track.ours, f"{migration.id} is gone, and was being moved")
            return
        where = f"{migration.id} is said to be {track.phase}, but "
        if track.phase == COMPLETED:
            self._demand(7, share.host == migration.destination, where + f"at {share.host}")
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

    def _check(self, action: Action, seen: Observation) -> None:
        migration, limits = action.migration, self.limits
        verb, share = action.verb, self.manila.shares[migration.id]

        def demand(number: int, holds: object, what: str) -> None:
            self._demand(number, holds, f"{verb} of {migration.id}: {what}")

        failures = sum(one.outcome == FAILED for one in self.memory.tracks.values())
        demand(4, seen.host == migration.source or verb == engine.CANCEL, f"it is at {seen.host}")
        if verb == engine.START:
            demand(3, len(share.instances) == 1, f"it has {len(share.instances)} instances")
            demand(3, seen.status == "available", f"its status is {seen.status}")
            demand(6, failures < limits.max_failures, f"{failures} have failed")
        if verb == engine.COMPLETE:
            demand(1, seen.state.complete, f"its task state is {seen.task_state}")
            demand(1, not self.track(migration.id).tainted, "an error interrupted its copy")
            demand(4, seen.destination in (None, migration.destination), f"to {seen.destination}")
            demand(5, limits.window is None or limits.window.is_open(self.manila.now), "no window")
            demand(6, failures < limits.max_failures, f"{failures} have failed")
        if verb in (engine.START, engine.COMPLETE):
            pools = {migration.source, migration.destination or ""}
            self._working[migration.id] = pools
            demand(2, len(self._working) <= limits.max_parallel, f"{len(self._working)} at work")
            for pool in pools:
                count = sum(pool in where for where in self._working.values())
                demand(2, count <= limits.max_parallel_per_pool, f"{count} at work in {pool}")
