# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of Manila behind the interface of ``Cloud``: what the production runner drives in tests.

Reads and requests are those of the door (module_utils/cloud.py), for shares, share servers and
replicas.  On the way a request may take time, a process may be killed right before or right after a
request is carried out, and whoever watches is told of each one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    NotFound,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils._api.manila_api import ManilaApi
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    CANCEL,
    COMPLETE,
    REMOVE,
    START,
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
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark, Mark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Service,
    Share,
    ShareServer,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import Runner
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.observe import observe_server
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    LONGEST_CANCEL_SECONDS,
    PROMOTED,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils import manila_model
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.invariants import (
    Invariants,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    Manila,
)


class Killed(Exception):
    """The process that runs the runner is killed."""


class ModelCloud(ManilaApi):
    """The door to a model instead of a cloud.

    ``latency`` is how many seconds each read takes; ``watch`` is told what is sent.
    """

    def __init__(self, manila: Manila, watch: Invariants | None = None) -> None:
        self.manila = manila
        self.latency = 0.0
        self.looked: set[str] = set()
        """The IDs of shares that were looked at since this was emptied."""
        self._watch = watch
        self._lives: tuple[int, bool] | None = None

    def kill_at(self, request: int, *, carried_out: bool) -> None:
        """Kill whoever sends the so-manieth request from now on, after or before it is carried out."""
        self._lives = (request, carried_out)

    def spare(self) -> None:
        """Kill nobody."""
        self._lives = None

    def now(self) -> float:
        """The virtual clock."""
        return self.manila.now

    # -- reads -------------------------------------------------------------------------------

    def _wait(self) -> None:
        if self.latency:
            self.manila.advance(self.latency)

    def services(self) -> list[Service]:
        """All services: beside those of the model one for each of the other binaries."""
        self._wait()
        others = [Service(binary, "n", "enabled", "up") for binary in (SCHEDULER, DATA)]
        return [*self.manila.services().values(), *others]

    def share_managers(self) -> dict[str, Service]:
        """The same by ``host@backend``."""
        self._wait()
        return self.manila.services()

    def migrating(self) -> list[Observation]:
        """The list of shares that migrate."""
        self._wait()
        return self.manila.migrating()

    def share_servers(self) -> list[ShareServer]:
        """The list of share servers."""
        self._wait()
        return self.manila.share_servers()

    def marked(self) -> list[tuple[Share, list[Instance]]]:
        """The shares that a replica is moved of."""
        self._wait()
        return self.manila.marked()

    def shares(self, **filters: str) -> list[Share]:
        """The shares of a share server."""
        self._wait()
        return self.manila.members_of(filters["share_server_id"])

    def observe(self, ids: Iterable[str]) -> tuple[dict[str, Observation], set[str]]:
        """A look at some shares; beside it what doesn't exist."""
        wanted = set(ids)
        if wanted:
            self._wait()
        self.looked |= wanted
        return self.manila.observe(wanted)

    def observe_replicas(
        self, planned: Mapping[str, tuple[str, str | None]]
    ) -> tuple[dict[str, Observation], set[str]]:
        """The same of replicas."""
        if planned:
            self._wait()
        self.looked |= set(planned)
        looks = {one: self.manila.observe_replica(one, *where) for one, where in planned.items()}
        found = {one: seen for one, seen in looks.items() if seen}
        return found, set(planned) - set(found)

    def progress(self, kind: str, subject: str) -> int | None:
        """Percent copied."""
        self._wait()
        return 50

    def facts(
        self, share_id: str, seen: Observation | None = None, has_snapshots: bool = True
    ) -> Facts:
        """What must survive the cutover of a share."""
        self._wait()
        return self._found(self.manila.facts(share_id), share_id)

    def server_facts(self, server_id: str) -> Facts:
        """The same of a share server."""
        self._wait()
        return self._found(self.manila.server_facts(server_id), server_id)

    def replica_facts(self, share_id: str, source: str, to: str | None) -> Facts:
        """The same of a replica."""
        self._wait()
        return self._found(self.manila.replica_facts(share_id, source, to), share_id)

    @staticmethod
    def _found(facts: Facts | None, subject: str) -> Facts:
        if facts is None:
            raise NotFound(f"There is no {subject}.", 404)
        return facts

    def snapshots_of(self, share_id: str) -> list[Snapshot]:
        """The snapshots of a share."""
        self._wait()
        return self.manila.snapshots_of(share_id)

    # -- requests that change something ------------------------------------------------------

    def _send(self, carry_out: Callable[[], object]) -> None:
        """Have the model carry out a request, unless the sender is killed before or after it."""
        dies, carried_out = False, False
        if self._lives:
            left, carried_out = self._lives
            dies = left <= 1
            self._lives = None if dies else (left - 1, carried_out)
        if dies and not carried_out:
            raise Killed
        try:
            carry_out()
        except manila_model.Refused as refused:
            if dies:
                raise Killed from None
            kind = Unknown if refused.status >= 500 else Refused
            raise kind(str(refused), refused.status) from None
        except manila_model.Unknown as unknown:
            if dies:
                raise Killed from None
            raise Unknown(str(unknown)) from None
        if dies:
            raise Killed

    def _act(self, verb: str, subject: str, carry_out: Callable[[], object]) -> None:
        """The same of a request that the invariants are about."""

        def watched() -> object:
            if self._watch:
                self._watch.sending(verb, subject, self._see(subject))
            return carry_out()

        self._send(watched)

    def _see(self, subject: str) -> Observation | None:
        """How it stands, without a request."""
        reads = self.manila.reads
        try:
            if subject in self.manila.replicated:
                migration = self._watch and self._watch.planned(subject)
                where = (migration.source, migration.destination) if migration else ("", None)
                return self.manila.observe_replica(subject, *where)
            if self.manila.is_server(subject):
                return observe_server(subject, self.manila.share_servers())
            return self.manila.observe([subject])[0].get(subject)
        finally:
            self.manila.reads = reads

    def start(self, kind: str, subject: str, destination: str, options: Options) -> None:
        """Start the migration of a share or a share server."""
        assert self.manila.is_server(subject) == (kind == SHARE_SERVER)
        self._act(START, subject, lambda: self.manila.start(subject, destination, options))

    def complete(self, kind: str, subject: str) -> None:
        """Cut it over."""
        assert self.manila.is_server(subject) == (kind == SHARE_SERVER)
        self._act(COMPLETE, subject, lambda: self.manila.complete(subject))

    def cancel(self, kind: str, subject: str) -> None:
        """Cancel it."""
        assert self.manila.is_server(subject) == (kind == SHARE_SERVER)
        self._act(CANCEL, subject, lambda: self.manila.cancel(subject))

    def create_replica(self, share_id: str, pool: str, share_network_id: str | None) -> None:
        """Have a replica made."""
        self._act(START, share_id, lambda: self.manila.create_replica(share_id, pool))

    def promote_replica(self, replica_id: str) -> None:
        """Have a share served from another replica."""
        share = self._share_of(replica_id)
        self._act(COMPLETE, share.id, lambda: self.manila.promote_replica(share.id, replica_id))

    def delete_replica(self, replica_id: str) -> None:
        """Remove a replica: the new one cancels, the old one completes or ends a cutover."""
        share = self._share_of(replica_id)
        new = share.made(Mark.of(share.metadata))
        verb = CANCEL
        if new and new.id != replica_id:
            verb = REMOVE if new.state == "active" else COMPLETE
        seen = self._see(share.id)
        if seen and verb == COMPLETE and seen.task_state == PROMOTED:
            verb = REMOVE

        def delete() -> object:
            if self._watch:
                self._watch.deleting(share.id, replica_id, verb)
            return self.manila.delete_replica(share.id, replica_id, verb=verb)

        self._act(verb, share.id, delete)

    def _share_of(self, replica_id: str) -> manila_model.Replicated:
        for share in self.manila.replicated.values():
            if any(one.id == replica_id for one in share.replicas):
                return share
        raise Refused(f"No replica exists with ID {replica_id}.", 404)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Have a snapshot deleted."""
        self._send(lambda: self.manila.delete_snapshot(snapshot_id))

    def mark(self, share_id: str, mark: Mark) -> None:
        """Write whose a new replica is."""
        try:
            self._send(lambda: self.manila.mark(share_id, mark))
        except Unknown as unknown:
            raise CloudError(str(unknown), unknown.status_code) from None

    def unmark(self, share_id: str) -> None:
        """Take that away."""
        self._send(lambda: self.manila.unmark(share_id))

    def mark_copy(self, share_id: str, mark: CopyMark) -> None:
        """Write down that a copy must never be completed."""
        self._send(lambda: self.manila.record(share_id, str(mark)))

    def unmark_copy(self, share_id: str) -> None:
        """Take that away."""
        self._send(lambda: self.manila.record(share_id, ""))

    def disable_service(self, host: str, reason: str | None) -> None:
        """The model's services are not cordoned."""
        raise NotImplementedError


class Evacuation:
    """A plan, driven by the production runner on a model, and watched.

    ``interval`` is the pause between polls and ``timeout`` that of a run, in virtual seconds;
    ``latency`` is how long each look takes before something is sent: others act meanwhile.
    Plan, limits and interval may be changed between two runs.
    """

    def __init__(
        self,
        manila: Manila,
        plan: Iterable[Migration],
        limits: Limits,
        *,
        interval: float = 30.0,
        timeout: float = 4 * 3600.0,
        latency: float = 0.0,
    ) -> None:
        self.manila = manila
        self.plan = list(plan)
        self.limits = limits
        self.interval = interval
        self.timeout = timeout
        self.latency = latency
        self.watch = Invariants(manila)
        self.cloud = ModelCloud(manila, self.watch)
        self.polls = 0
        self.looked: list[set[str]] = []
        """The shares that each poll has looked at."""
        self.finished = False
        self.timed_out = False
        self._runner: _WatchedRunner | None = None
        self._left: int | None = None
        self._moved_at = manila.now

    @property
    def broken(self) -> list[str]:
        """The invariants that did not hold."""
        return self.watch.broken

    @property
    def runner(self) -> _WatchedRunner:
        """The production runner, one that was made anew if the plan or the limits are others now."""
        now = (tuple(self.plan), self.limits, self.interval)
        old = self._runner
        if old is None or now != (old.plan, old.limits, old.poll_interval):
            self._runner = _WatchedRunner(self)
            if old:
                self._runner.memory = old.memory
        assert self._runner
        return self._runner

    @property
    def memory(self) -> Memory:
        """What the engine remembers."""
        return self.runner.memory

    @memory.setter
    def memory(self, memory: Memory) -> None:
        self.runner.memory = memory

    def track(self, share_id: str) -> Track:
        """What is known of one migration."""
        return self.memory.tracks.get(share_id, Track())

    def forget(self) -> None:
        """The process was killed and runs again: it remembers nothing."""
        self._runner = None

    def poll(self) -> Decision:
        """One reading and what follows from it; sends nothing."""
        return self.runner.decide_next()

    def perform(self, action: Action) -> None:
        """Do one action that was decided."""
        self.runner.perform(action)

    def run(self, polls: int | None = None, kill: tuple[int, bool] | None = None) -> Evacuation:
        """Run until nothing is left to do, until the timeout, or so many polls.

        ``kill``: the process is killed at the so-manieth request that changes something, before or
        (True) after Manila got it; then everything is forgotten.

        Where nobody is at anything any more, and nothing is waited for that time alone brings,
        the timeout has come as good as: that saves hours of polls in which nothing happens.
        """
        if polls == 0 and kill is None:
            return self
        self._left, self._moved_at = polls, self.manila.now
        if kill:
            self.cloud.kill_at(kill[0], carried_out=kill[1])
        runner = self.runner
        try:
            runner.run()
            self.timed_out, self.finished = runner.timed_out, not runner.timed_out
        except _Enough:
            pass
        except Killed:
            self.forget()
        finally:
            self.cloud.spare()
        return self

    def sleep(self, seconds: float) -> None:
        """The pause of the runner between two polls."""
        now, window = self.manila.now, self.limits.window
        timed = window is not None and window.opens_at(now) is not None
        if timed or not self.manila.idle:
            self._moved_at = now
        patience = max(self.limits.patience, *LONGEST_CANCEL_SECONDS.values())
        if now >= self._moved_at + 2 * patience:
            self.timed_out = True
            raise _Enough
        self.manila.advance(seconds)
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise _Enough


class _Enough(Exception):
    """The polls that were asked for are over."""


class _WatchedRunner(Runner):
    """The production runner; after each step whoever watches has a look."""

    def __init__(self, drive: Evacuation) -> None:
        super().__init__(
            drive.cloud,
            drive.plan,
            drive.limits,
            timeout=drive.timeout,
            poll_interval=drive.interval,
            sleep=drive.sleep,
        )
        self._drive_of = drive
        self._reading = Reading()
        drive.watch.watch(self)

    def _read(self) -> Reading:
        self._reading = super()._read()
        return self._reading

    def decide_next(self, *arguments: Any, **more: Any) -> Decision:
        drive, before = self._drive_of, self.memory
        drive.polls += 1
        drive.cloud.looked = set()
        drive.watch.runner = self
        decision = super().decide_next(*arguments, **more)
        drive.finished = decision.finished
        drive.looked.append(drive.cloud.looked)
        drive.watch.decided(self._reading, before, decision)
        return decision

    def perform(self, action: Action) -> None:
        drive = self._drive_of
        drive.watch.runner = self
        # What is found in order is in order at that moment.
        drive.cloud.latency = drive.latency if action.verb != VERIFY else 0.0
        try:
            super().perform(action)
        finally:
            drive.cloud.latency = 0.0
        drive.watch.claimed()
