# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of Manila's migrations, with a virtual clock, that misbehaves as Manila does.

It is a documentation of the behaviour that the engine must live with, in the order in which
Manila 23.0.1 writes its records (manila/share/api.py, share/manager.py, data/manager.py,
scheduler/manager.py).  API calls are methods; they answer at once with Manila's HTTP status.
What managers do later is written as generators: each ``yield`` is a time in seconds in which
everybody sees the records as they are at that point.  Shares and share servers share the clock,
the services, the ways in which answers get lost, and the rules about what must never happen.

``faults`` names what goes wrong (FAULTS); without one, everything works.  What must never
happen, whoever caused it, is kept in ``violations``.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model import records
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    LISTED,
    MARK,
    CopyMark,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    backend_of,
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Service,
    ShareServer,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_replica,
    observe_server,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import PROMOTED

Flow = Generator[float, None, None]

EVACUATION = "evacuation"
FOREIGNER = "somebody else"

FAULTS: dict[str, str] = {
    "scheduler_refuses": "after 202 the scheduler finds no valid host: only migration_error says so",
    "driver_start_fails": "the driver can't start: Manila falls back to host-assisted",
    "driver_copy_fails": "the driver fails in the middle of its copy",
    "mount_fails": "manila-data can't mount: data_copying_error is passed through",
    "copy_fails": "manila-data can't copy a file: data_copying_error is passed through",
    "driver_complete_fails": "the cutover fails: both instances are in error",
    "host_complete_fails": "new access rules can't be applied: back to the source",
    "slow_source_delete": "deleting the source takes longer than Manila waits: the host flips twice",
    "driver_cancel_fails": "the driver can't cancel: only a log says so, and nothing changes",
    "slow_cancel": "the driver takes long to cancel; of a share nothing shows it until the end",
    "answer_lost_done": "the answer is lost, the request was carried out",
    "answer_lost_later": "the answer is lost, the request is carried out minutes later",
    "answer_lost_never": "the answer is lost, and so is the request",
    "data_crash": "manila-data dies in a copy; at its start it writes data_copying_error",
    "repair_in_the_open": "after such a crash an operator sets data_copying_completed, to cancel",
    "false_data_error": "another manila-data starts and writes data_copying_error on running copies",
    "rule_lost": "an access rule doesn't survive the cutover",
    "snapshot_error": "a snapshot is in error after the cutover",
    "share_manager_away": "a manila-share is away for some minutes",
    "server_setup_fails": "the destination can't be made: it is left in error, and names no source",
    "server_start_fails": "the driver can't start a server's copy: its destination is removed again",
    "server_copy_fails": "the driver fails in a server's copy: its destination is left in error",
    "server_complete_fails": "a server's cutover fails: both servers are in error, with all shares",
    "server_cancel_fails": "the driver can't cancel: migration_cancel_in_progress for ever",
    "server_delete_fails": "a share server that is done with can't be removed: it is left in error",
    "read_only_stays": "the shares of a server stay read-only, and Manila says that all is well",
    "stuck_start": "400, after the server's records were written as if it migrated",
    "double_start": "two starts of a server pass Manila's checks at once: it gets two destinations",
    "share_manager_killed": "a manila-share dies in the middle of what it does for share servers "
    "and replicas",
    "replica_create_fails": "a replica can't be made: it is left in error",
    "replica_lags": "a replica that was in sync is out of sync again, now and then",
    "replica_looks_bad": "the driver says once that a replica is in error, which passes",
    "replica_update_fails": "the driver can't tell the state of a replica: it is left in error",
    "promotion_fails": "a promotion fails: all replicas of the share are in error",
    "promotion_reverts": "a promotion finds no active replica, or so it seems, and does nothing",
    "replica_delete_fails": "a replica can't be removed: it is left in error_deleting",
    "snapshots_late": "the snapshots are there long after a new replica is in sync",
    "foreign_starts": "somebody else starts migrations of the same shares",
    "foreign_completes": "somebody else completes migrations",
    "foreign_cancels": "somebody else cancels migrations",
    "foreign_deletes": "somebody else deletes shares",
    "foreign_resets": "somebody else resets task states and statuses",
}

RULES = frozenset({("ip", "192.0.2.7", "rw")})

MOVING = "server_migrating"
DESTINATION = "server_migrating_to"
PHASE1_DONE = "migration_driver_phase1_done"
CANCELLING = "migration_cancel_in_progress"

BUSY_STATES = frozenset(
    {
        "migration_starting",
        "migration_in_progress",
        "migration_driver_starting",
        "migration_driver_in_progress",
        "migration_driver_phase1_done",
        "data_copying_starting",
        "data_copying_in_progress",
        "data_copying_completing",
        "data_copying_completed",
        "migration_completing",
    }
)
"""Task states in which migration_start is refused (common/constants.py)."""

CANCELLABLE = frozenset({PHASE1_DONE, "migration_driver_in_progress"})
"""Task states in which the migration of a share server can be cancelled (share/api.py)."""

RESTING_BUSY_STATES = frozenset({"migration_driver_phase1_done", "data_copying_completed"})
COPYING_STATES = frozenset(
    {"data_copying_starting", "data_copying_in_progress", "data_copying_completing"}
)

# Share.instance (db/sqlalchemy/models.py): which instance speaks for the share.
ORDER = ("migrating", "available", "error", "inactive", "creating", "deleting", "migrating_to")


class Refused(Exception):
    """An HTTP answer of 400 and above: nothing was done."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Unknown(Exception):
    """The connection broke before the answer came."""


@dataclass
class Instance:
    """One copy of a share at one pool."""

    id: str
    host: str
    status: str
    share_type_id: str
    content: float = 0.0
    """The truth that Manila doesn't know: which part of the data is there (1 is all of it)."""
    created_at: float = 0.0
    changed_at: float = 0.0


@dataclass
class Share:
    """A share, and beside it what its back end and its fate will be."""

    id: str
    size_gb: int
    instances: list[Instance]
    task_state: str | None = None
    driver_assisted: bool = True
    rules: frozenset[tuple[str, str, str]] = RULES
    rules_status: str = "active"
    snapshots: dict[str, str] = field(default_factory=dict)
    attempt: int = 0
    cancelled: bool = False
    """What manila-data was told while it copies."""
    completes: list[str] = field(default_factory=list)
    """Who sent a complete that was accepted, in this attempt."""
    cancels: list[str] = field(default_factory=list)
    """The same of cancels."""
    cancelling: bool = False
    """The driver is at a cancel."""
    interrupted: bool = False
    """A crash interrupted this attempt's copy."""
    recorded: str = ""
    """What its metadata say of that: the ID of an instance."""

    @property
    def instance(self) -> Instance:
        return min(self.instances, key=lambda one: ORDER.index(one.status))

    @property
    def status(self) -> str:
        return self.instance.status

    @property
    def host(self) -> str:
        return self.instance.host

    @property
    def asked_to_complete(self) -> bool:
        """Whether a complete was accepted that no manager has acted on yet."""
        return bool(self.completes) and self.task_state in RESTING_BUSY_STATES

    @property
    def working(self) -> bool:
        """Whether back ends work for it: what the caps are about."""
        if self.task_state == "migration_completing":
            return True
        return self.status == "migrating" and (
            self.task_state in BUSY_STATES - RESTING_BUSY_STATES
            or self.task_state == "data_copying_cancelled"
        )


@dataclass
class Member:
    """A share on a share server: it migrates with it."""

    host: str
    export: str
    status: str = "available"
    rules: frozenset[tuple[str, str, str]] = RULES
    unapplied: frozenset[tuple[str, str]] = frozenset()
    snapshots: dict[str, str] = field(default_factory=dict)
    recorded: str = ""
    """What its metadata say of an interrupted copy."""


@dataclass
class Server:
    """A share server, and beside it the truth that Manila doesn't know."""

    id: str
    host: str
    status: str = "active"
    task_state: str | None = None
    source_id: str | None = None
    network: str = "net-1"
    members: dict[str, Member] = field(default_factory=dict)
    content: float = 1.0
    created_at: float = 0.0
    changed_at: float = 0.0
    attempt: int = 0
    refused: bool = False
    """Manila refused the start after it had written the records: nobody works on it."""
    completes: list[str] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    cancelling: bool = False

    @property
    def asked_to_complete(self) -> bool:
        """Whether a complete was accepted that no manager has acted on yet."""
        return bool(self.completes) and self.task_state == PHASE1_DONE

    @property
    def working(self) -> bool:
        """Whether back ends work for it, as the source of a migration."""
        busy = BUSY_STATES - RESTING_BUSY_STATES | {CANCELLING}
        return self.status == MOVING and self.task_state in busy and not self.refused


@dataclass
class Replica:
    """One replica of a share."""

    id: str
    host: str = ""
    """Empty until the scheduler has chosen a pool."""
    status: str = "creating"
    state: str = "out_of_sync"
    content: float = 0.0
    """1 once all data came over for the first time; a lag is made up for by the promotion."""
    snapshots: str = "creating"
    created_at: float = 0.0
    changed_at: float = 0.0
    locked_until: float = 0.0
    """Until when a manila-share is making it, and has the lock of the share."""


@dataclass
class Replicated:
    """A share with replicas."""

    id: str
    replicas: list[Replica] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    task_state: str | None = None
    rules: frozenset[tuple[str, str, str]] = RULES
    snapshots: dict[str, str] = field(default_factory=dict)
    expected: int = 0
    """How many replicas its owner wants it to have."""

    @property
    def active(self) -> Replica | None:
        """The one that it is served from."""
        return next((one for one in self.replicas if one.state == "active"), None)

    @property
    def instance(self) -> Replica:
        """The one that speaks for it: Share.instance (db/sqlalchemy/models.py)."""
        changing = [one for one in self.replicas if one.status == "replication_change"]
        return (changing or [self.active or self.replicas[0]])[0]

    def find(self, replica_id: str) -> Replica:
        """One replica; refused where there is none."""
        for one in self.replicas:
            if one.id == replica_id:
                return one
        raise Refused(404, f"No replica exists with ID {replica_id}.")

    def places(self) -> set[str]:
        """The pools in which back ends work for a migration of it."""
        mark = Mark.of(self.metadata)
        new = self.made(mark)
        old = [one for one in self.replicas if mark and one.host == mark.source]
        if mark is None or new is None or not old:
            return set()
        busy = new.status in ("creating", "replication_change", "deleting")
        busy = busy or new.state == "out_of_sync" or old[0].status == "deleting"
        broken = new.status in ("error", "error_deleting") or old[0].status == "error"
        return {mark.source, mark.destination} if busy and not broken else set()

    def made(self, mark: Mark | None) -> Replica | None:
        """The replica that a mark speaks of."""
        if mark is None:
            return None
        for one in self.replicas:
            young = _printed(one.created_at) >= mark.since.rstrip("Z")
            if young and one.host in ("", mark.destination):
                return one
        return None


@dataclass(frozen=True)
class Call:
    """One action that was sent to Manila, and its HTTP status (None: the answer got lost)."""

    at: float
    who: str
    verb: str
    subject: str
    status: int | None


@dataclass(frozen=True)
class Violation:
    """Something that must never happen, and who took part in it."""

    what: str
    subject: str
    who: tuple[str, ...]


@dataclass
class Pace:
    """How long things take, in seconds."""

    scheduler: float = 2.0
    manager: float = 1.0
    """Until a manila-share acts on a message: the time in which a second complete is accepted."""
    step: float = 5.0
    """Between two records that Manila writes one after the other."""
    copy: float = 300.0
    delete: float = 40.0
    delete_timeout: float = 300.0
    report: float = 60.0
    """Until a dead service is known to be dead."""
    beat: float = 10.0
    """Between two signs of life of a service."""
    periodic: float = 60.0
    """Between two looks of a manila-share at the share servers that its driver copies."""


class World:
    """The clock, the manila-share services, and all that goes wrong between them and a caller."""

    def __init__(
        self,
        pools: Iterable[str],
        *,
        faults: Iterable[str] = (),
        seed: int = 0,
        odds: float = 0.5,
        pace: Pace | None = None,
    ) -> None:
        """``odds`` is how probable each of ``faults`` is each time that it could happen."""
        self.now = 1_800_000_000.0
        self.pools = list(pools)
        self.faults = frozenset(faults)
        assert self.faults <= set(FAULTS), self.faults - set(FAULTS)
        self.odds = odds
        self.pace = pace or Pace()
        self.calls: list[Call] = []
        self.reads = 0
        self.violations: list[Violation] = []
        self._down_since: dict[str, float] = {}
        self._up_since: dict[str, float] = {}
        self._deaths: dict[str, int] = {}
        self._rng = random.Random(seed)
        self._queue: list[tuple[float, int, Flow]] = []
        self._count = 0

    # -- the virtual clock -------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let time pass, and everybody work."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _unused, flow = heapq.heappop(self._queue)
            try:
                pause = next(flow)
            except StopIteration:
                continue
            self._push(pause, flow)
        self.now = end

    @property
    def idle(self) -> bool:
        """Whether nobody is at anything."""
        return not self._queue

    def _push(self, pause: float, flow: Flow) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + pause, self._count, flow))

    def at(self, pause: float, deed: Callable[[], object]) -> None:
        """Let something happen after ``pause`` seconds; a refusal concerns nobody."""

        def flow() -> Flow:
            with suppress(Refused, Unknown):
                deed()
            yield from ()

        self._push(pause, flow())

    def happens(self, fault: str) -> bool:
        """Whether this goes wrong now."""
        return fault in self.faults and self._rng.random() < self.odds

    # -- the services ------------------------------------------------------------------------

    def stop_service(self, backend: str, seconds: float | None = None) -> None:
        """Stop the manila-share of ``host@backend``, for some time or until it is started."""
        self._down_since.setdefault(backend, self.now)
        if seconds is not None:
            self.at(seconds, lambda: self.start_service(backend))

    def start_service(self, backend: str) -> None:
        """Start it again: it finds its messages waiting.

        It is down in its own words until its first report, which comes after it has begun to read
        them (manila/service.py, start).
        """
        if self._down_since.pop(backend, None) is not None:
            self._up_since[backend] = self.now

    def _up(self, host: str) -> bool:
        return backend_of(host) not in self._down_since

    def _known_down(self, host: str) -> bool:
        since = self._down_since.get(backend_of(host))
        return since is not None and self.now - since >= self.pace.report

    def _wait_for(self, host: str) -> Flow:
        while not self._up(host):
            yield 5.0

    def kill_service(self, backend: str, seconds: float) -> None:
        """Kill the manila-share of ``host@backend``: what it was at in a share server is over.

        Messages that it hasn't read yet wait for it, and its periodic tasks go on.
        """
        self._deaths[backend] = self._deaths.get(backend, 0) + 1
        self.stop_service(backend, seconds)

    def _mortal(self, host: str, work: Flow) -> Flow:
        """What the manila-share of ``host`` does when it reads a message, until it is killed."""
        yield from self._wait_for(host)
        deaths = self._deaths.get(backend_of(host), 0)
        for pause in work:
            yield pause
            if self._deaths.get(backend_of(host), 0) != deaths:
                return

    def services(self) -> dict[str, Service]:
        """The manila-share services.  A dead one looks alive for a minute."""
        self.reads += 1
        return {backend: self._service(backend) for backend in {*map(backend_of, self.pools)}}

    def _service(self, backend: str) -> Service:
        last = self._down_since.get(backend, self.now)
        last -= last % self.pace.beat
        up_since = self._up_since.get(backend, 0.0)
        starting = self.now - up_since < self.pace.beat
        state = "down" if starting or self._known_down(backend) else "up"
        return Service("manila-share", backend, "enabled", state, beat=max(last, up_since))

    # -- actions -----------------------------------------------------------------------------

    def _call(
        self, verb: str, subject: str, who: str, act: Callable[[], int], late: bool = True
    ) -> int:
        """Carry out a request; ``late`` is whether that may happen long after its answer got lost."""
        if who == EVACUATION:
            if self.happens("answer_lost_never"):
                self.calls.append(Call(self.now, who, verb, subject, None))
                raise Unknown("connection reset by peer")
            if late and self.happens("answer_lost_later"):
                self.calls.append(Call(self.now, who, verb, subject, None))
                self.at(self._rng.uniform(30, 500), act)
                raise Unknown("no answer within 60 s")
        try:
            status = act()
        except Refused as refused:
            self.calls.append(Call(self.now, who, verb, subject, refused.status))
            raise
        if who == EVACUATION and self.happens("answer_lost_done"):
            self.calls.append(Call(self.now, who, verb, subject, None))
            raise Unknown("connection closed without an answer")
        self.calls.append(Call(self.now, who, verb, subject, status))
        return status

    def _check_service(self, backend: str) -> None:
        if backend not in {backend_of(pool) for pool in self.pools}:
            raise Refused(404, f"ServiceNotFound: Service {backend} could not be found.")
        if self._known_down(backend):
            raise Refused(400, f"Service {backend} is down.")

    def _time_to_cancel(self) -> float:
        """Seconds; an hour is what drivers allow themselves."""
        return self._rng.uniform(300, 2700) if self.happens("slow_cancel") else self.pace.step

    def _violate(self, what: str, subject: Share | Server | Replicated, who: Iterable[str]) -> None:
        self.violations.append(Violation(what, subject.id, tuple(who)))

    def _note_complete(self, subject: Share | Server, who: str) -> None:
        if who == EVACUATION and who in subject.cancels:
            self._violate("complete of what we had cancelled", subject, [EVACUATION, who])
        if subject.cancelling:
            self._violate("complete of what was being cancelled", subject, [who])
        subject.completes.append(who)

    def _note_cancel(self, subject: Share | Server, who: str) -> None:
        if subject.cancelling and who == EVACUATION and who in subject.cancels:
            self._violate("cancelled while it was being cancelled", subject, [who])
        subject.cancels.append(who)

    def _hand_over(self, share: Share | Member | Replicated) -> None:
        """A share is served from its new place, with all that belongs to it."""
        if self.happens("rule_lost"):
            share.rules = frozenset()
        if share.snapshots and self.happens("snapshot_error"):
            share.snapshots = dict.fromkeys(share.snapshots, "error")


class ShareServers(World):
    """The share servers of one cloud: their records, and what is done to them.

    Start, complete and cancel are messages to the manila-share of the *destination*
    (share/rpcapi.py), which carries them out side by side and checks next to nothing.
    """

    def __init__(self, pools: Iterable[str], **how: Any) -> None:
        super().__init__(pools, **how)
        self.servers: dict[str, Server] = {}
        """Every record there is: sources, destinations, and what is left of either."""
        self._known: set[str] = set()

    def add_server(
        self,
        server_id: str,
        host: str,
        shares: int = 2,
        *,
        task_state: str | None = None,
        snapshots: Iterable[str] = (),
    ) -> Server:
        """A share server at a back end, with so many shares, each with such snapshots."""
        members = {
            f"{server_id}-share-{number}": Member(
                f"{host}#p", f"{host}:/{number}", snapshots=dict.fromkeys(snapshots, "available")
            )
            for number in range(shares)
        }
        server = self._keep(Server(server_id, host, task_state=task_state, members=members))
        self._known.add(server_id)
        return server

    def is_server(self, subject: str) -> bool:
        """Whether this is, or was, a share server."""
        return subject in self._known

    def _keep(self, server: Server) -> Server:
        server.created_at = server.changed_at = self.now
        self.servers[server.id] = server
        return server

    def _write(
        self, server: Server, *, task_state: str | None = "", status: str | None = None
    ) -> None:
        """One change of a record: both columns at once, where both are given."""
        server.task_state = server.task_state if task_state == "" else task_state
        server.status = status or server.status
        server.changed_at = self.now

    def copies_of(self, server_id: str) -> list[Server]:
        """The destinations of its migrations that are not over (as share/api.py looks for them)."""
        return [
            one
            for one in self.servers.values()
            if one.source_id == server_id and one.status == DESTINATION
        ]

    def successor_of(self, server_id: str) -> Server | None:
        """The share server that took its place."""
        for one in self.servers.values():
            done = (one.status, one.task_state) == ("active", "migration_success")
            if one.source_id == server_id and done:
                return one
        return None

    def servers_at_work(self) -> dict[str, set[str]]:
        """The share servers that back ends work for, with these back ends: what the caps are about."""
        work: dict[str, set[str]] = {}
        for server in self.servers.values():
            if server.working:
                work[server.id] = {server.host, *(one.host for one in self.copies_of(server.id))}
        for copy in self.servers.values():
            if copy.source_id and copy.status == DESTINATION:
                source = self.servers.get(copy.source_id)
                # The source is done with, or gone, a moment before its successor is in use.
                counted = source is not None and (source.working or source.status == "active")
                if copy.task_state == "migration_completing" and not counted:
                    work.setdefault(copy.source_id, set()).add(copy.host)
        return work

    # -- reads -------------------------------------------------------------------------------

    def share_servers(self) -> list[ShareServer]:
        """The list of all share servers: everything that there is to know of them."""
        self.reads += 1
        return [
            ShareServer(
                id=one.id,
                host=one.host,
                status=one.status,
                task_state=one.task_state,
                share_network_id=one.network,
                source_id=one.source_id,
                created_at=_printed(one.created_at),
                updated_at=_printed(one.changed_at),
            )
            for one in self.servers.values()
        ]

    def members_of(self, server_id: str) -> list[records.Share]:
        """The shares of a share server."""
        self.reads += 1
        members = self.servers[server_id].members if server_id in self.servers else {}
        return [
            records.Share(
                share_id,
                "",
                1,
                one.host,
                one.status,
                share_server_id=server_id,
                metadata={INTERRUPTED: one.recorded} if one.recorded else {},
            )
            for share_id, one in members.items()
        ]

    def server_facts(self, server_id: str) -> Facts | None:
        """What is checked before and after a cutover, as the door to the cloud collects it."""
        seen = observe_server(server_id, self.share_servers())
        if seen is None:
            return None
        at = seen.successor if seen.resting and seen.successor else server_id
        members = self.servers[at].members if at in self.servers else {}
        self.reads += 1 + 3 * len(members)
        return Facts(
            host=seen.host,
            status=seen.status,
            copies=len(seen.instances or ()),
            share_network_id=seen.share_network_id,
            members={
                share_id: Facts(
                    host=one.host,
                    status=one.status,
                    copies=1,
                    rules=one.rules,
                    unapplied=one.unapplied,
                    snapshots=dict(one.snapshots),
                    exports=(one.export,),
                    copy_mark=_copy_mark(one.recorded),
                )
                for share_id, one in members.items()
            },
        )

    # -- actions: share/api.py, share_server_migration_*() -----------------------------------

    def _server(self, server_id: str) -> Server:
        if server_id not in self.servers:
            raise Refused(404, f"Share server {server_id} could not be found.")
        return self.servers[server_id]

    def _start_server(self, server_id: str, destination: str, options: Options, who: str) -> int:
        source = self._server(server_id)
        if not is_backend(destination):
            raise Refused(400, "The host must not name a pool.")
        if not source.members:
            raise Refused(409, f"Share server {server_id} does not have shares.")
        if source.status != "active":
            raise Refused(409, f"Share server status must be active, but is {source.status}.")
        names = [one.partition("@")[2] for one in (source.host, destination)]
        network = options.new_share_network_id or source.network
        if names[0] == names[1] and network == source.network:
            raise Refused(409, "There is no difference between source and destination.")
        if self.copies_of(server_id):
            raise Refused(409, "There is at least one destination share server.")
        self._check_service(destination)
        if any(one.status != "available" for one in source.members.values()):
            raise Refused(409, "All shares must be available.")
        source.attempt += 1
        source.completes, source.cancels = [], []
        source.refused = False
        # Nothing locks the records between these checks and this.
        self._write(source, task_state="migration_starting", status=MOVING)
        if who == EVACUATION and self.happens("stuck_start"):
            source.refused = True
            raise Refused(400, "Share instance status must be available, but is error.")
        for member in source.members.values():
            member.status = MOVING
        for _unused in range(2 if self.happens("double_start") else 1):
            begin = self._begin_server(source, destination, network)
            self._push(self.pace.manager, self._mortal(destination, begin))
        return 202

    def _complete_server(self, server_id: str, who: str) -> int:
        source = self._server(server_id)
        if source.status != MOVING or source.task_state != PHASE1_DONE:
            raise Refused(400, "The first phase of migration has to finish.")
        copy = self._destination(source)
        if source.completes:
            # Nothing stops it: Manila looks only at the task state, which the manager changes.
            self._violate("complete accepted twice", source, [*source.completes, who])
        self._note_complete(source, who)
        self._push(self.pace.manager, self._mortal(copy.host, self._cut_over_server(source, copy)))
        return 200

    def _cancel_server(self, server_id: str, who: str) -> int:
        source = self._server(server_id)
        if source.status != MOVING or source.task_state not in CANCELLABLE:
            raise Refused(400, "Migration of share server cannot be cancelled.")
        copy = self._destination(source)
        self._note_cancel(source, who)
        self._push(self.pace.manager, self._mortal(copy.host, self._cancel_copy(source, copy)))
        return 202

    def _destination(self, source: Server) -> Server:
        copies = self.copies_of(source.id)
        if len(copies) != 1:
            raise Refused(400, f"{len(copies)} destination share servers were found.")
        self._check_service(copies[0].host)
        return copies[0]

    # -- share/manager.py of the destination: phase 1 ----------------------------------------

    def _begin_server(self, source: Server, destination: str, network: str) -> Flow:
        self._write(source, task_state="migration_in_progress")
        yield self.pace.step
        # Until it is ready, nothing tells whose destination this is.
        self._count += 1
        copy = Server(
            f"{source.id}-{self._count}", destination, "creating", network=network, content=0.0
        )
        self._keep(copy)
        yield self.pace.step
        if self.happens("server_setup_fails"):
            self._write(copy, status="error")
            self._release(source)
            self._write(source, task_state="migration_error", status="active")
            return
        self._write(copy, status="active")
        yield 1.0
        self._write(copy, task_state="migration_in_progress", status=DESTINATION)
        copy.source_id = source.id
        yield self.pace.step
        self._write(source, task_state="migration_driver_starting")
        self._write(copy, task_state="migration_driver_starting")
        yield self.pace.step
        if self.happens("server_start_fails"):
            self._release(source)
            self._write(copy, task_state="migration_error", status="error")
            yield 1.0
            yield from self._remove_server(copy)
            self._write(source, task_state="migration_error", status="active")
            return
        self._write(source, task_state="migration_driver_in_progress")
        yield 1.0
        self._write(copy, task_state="migration_driver_in_progress")
        self._push(self.pace.periodic, self._continue_server(copy))

    def _continue_server(self, copy: Server) -> Flow:
        """The periodic task, which survives restarts.  Only the copy's own records stop it."""
        ready = self.now + self.pace.copy * self._rng.uniform(0.5, 1.5)
        fails = self.happens("server_copy_fails")
        while True:
            yield from self._wait_for(copy.host)
            if (copy.status, copy.task_state) != (DESTINATION, "migration_driver_in_progress"):
                return
            source = self.servers.get(copy.source_id or "")
            if source is None or source.status != MOVING:
                self._write(copy, task_state="migration_error", status="error")
                return
            finished, deaths = self.now >= ready, self._deaths.get(copy.host, 0)
            yield self.pace.step  # the driver looks how far it is
            if self._deaths.get(copy.host, 0) == deaths:
                if finished and fails:
                    self._release(source)
                    self._write(copy, task_state="migration_error", status="error")
                    yield 1.0
                    self._write(source, task_state="migration_error", status="active")
                    return
                if finished:
                    # Whatever has become of them meanwhile: a cancel may be at work, or done.
                    copy.content = 1.0
                    self._write(source, task_state=PHASE1_DONE)
                    yield 1.0
                    self._write(copy, task_state=PHASE1_DONE)
                    return
            yield self.pace.periodic

    @staticmethod
    def _release(server: Server, status: str = "available") -> None:
        for member in server.members.values():
            member.status = status

    # -- share/manager.py of the destination: phase 2 ----------------------------------------

    def _cut_over_server(self, source: Server, copy: Server) -> Flow:
        if source.id not in self.servers or copy.id not in self.servers:
            return
        if source.task_state != PHASE1_DONE and len(source.completes) > 1:
            # The manager looks at nothing: the driver gets to do it once more, and can't.
            self._violate("complete carried out twice", source, source.completes)
            self._fail_cutover(source, copy)
            return
        self._write(source, task_state="migration_completing")
        self._write(copy, task_state="migration_completing")
        yield self.pace.step
        if copy.status == "inactive":
            self._violate("complete of what was being cancelled", source, source.completes)
        if self.happens("server_complete_fails") or copy.status != DESTINATION:
            self._fail_cutover(source, copy)
            return
        if copy.content < 1.0:
            self._violate("data lost", source, source.completes)
        for member in source.members.values():
            member.host, member.export = f"{copy.host}#q", member.export + "-moved"
            self._hand_over(member)
        self._lift(source)
        copy.members, source.members = source.members, {}
        self._write(source, task_state="migration_success", status="inactive")
        if self._rng.random() < 0.5:
            del self.servers[source.id]  # the driver made the new one of the old one
        else:
            self._push(self.pace.manager, self._mortal(source.host, self._remove_server(source)))
        yield self.pace.step
        self._write(copy, task_state="migration_success", status="active")
        yield 1.0
        self._release(copy)

    def _lift(self, server: Server) -> None:
        """Access rules are no longer read-only, as far as anybody is told."""
        if self.happens("read_only_stays"):
            for member in server.members.values():
                member.unapplied = frozenset({("ip 192.0.2.7 rw", "queued_to_apply")})

    def _fail_cutover(self, source: Server, copy: Server) -> None:
        for server in (source, copy):
            self._release(server, "error")
            self._write(server, task_state="migration_error", status="error")

    def _remove_server(self, server: Server) -> Flow:
        self._write(server, status="deleting")
        yield self.pace.delete
        if self.happens("server_delete_fails"):
            self._write(server, status="error")
        else:
            self.servers.pop(server.id, None)

    # -- share/manager.py of the destination: cancel -----------------------------------------

    def _cancel_copy(self, source: Server, copy: Server) -> Flow:
        if source.task_state not in CANCELLABLE:
            return
        self._write(source, task_state=CANCELLING)
        source.cancelling = True
        yield self._time_to_cancel()
        source.cancelling = False
        if self.happens("server_cancel_fails"):
            return  # only a log says so; and the periodic task goes on
        self._write(copy, task_state="migration_cancelled", status="inactive")
        yield 1.0
        self._release(source)
        self._lift(source)
        self._write(source, task_state="migration_cancelled", status="active")

    # -- what other people do ----------------------------------------------------------------

    def delete_server(self, server_id: str) -> None:
        """Its owner deletes all shares, and with the last one Manila removes the server."""
        server = self._server(server_id)
        if server.status != "active":
            raise Refused(403, "Shares are busy.")
        del self.servers[server_id]

    def reset_server(self, server_id: str, task_state: str | None, status: str = "active") -> None:
        """An administrator resets a share server: nothing is checked, and nothing is stopped."""
        server = self._server(server_id)
        server.attempt += 1
        self._write(server, task_state=task_state, status=status)

    def teleport_server(self, server_id: str, host: str) -> Server:
        """Somebody else has moved a share server, from start to end, while nobody looked."""
        server = self.servers.pop(server_id)
        for member in server.members.values():
            member.host, member.export = f"{host}#q", member.export + "-moved"
        moved = Server(
            f"{server_id}-t", host, "active", "migration_success", server_id, members=server.members
        )
        return self._keep(moved)

    def leave_server(self, server_id: str, host: str, status: str = "error") -> Server:
        """What an earlier migration left at ``host``."""
        self._count += 1
        left = Server(f"{server_id}-{self._count}", host, status, "migration_error", server_id)
        return self._keep(left)

    def copy_on(self, copy: Server) -> None:
        """The periodic task goes on with a destination, whatever its source is in."""
        copy.content = 0.0
        self._write(copy, task_state="migration_driver_in_progress")
        self._push(self.pace.periodic, self._continue_server(copy))

    def rest_server(
        self, server_id: str, destination: str, task_state: str = PHASE1_DONE
    ) -> Server:
        """Put a share server into phase 1 done, as a migration of somebody else."""
        source = self._server(server_id)
        self._write(source, task_state=task_state, status=MOVING)
        self._release(source, MOVING)
        copy = self.leave_server(server_id, destination, DESTINATION)
        self._write(copy, task_state=task_state)
        return copy


def _copy_mark(text: str) -> CopyMark | None:
    return CopyMark.of({INTERRUPTED: text})


def _printed(moment: float) -> str:
    """A moment as Manila prints it."""
    return datetime.fromtimestamp(moment, timezone.utc).replace(tzinfo=None).isoformat()


class Replicas(ShareServers):
    """The shares of one cloud that have replicas, and what is done to these.

    Creation, promotion and removal are messages to the manila-share that the replica is, or is to
    be, at; a lock of the share keeps one waiting for the other (share/manager.py).  What the API
    writes, it writes before it answers.
    """

    def __init__(self, pools: Iterable[str], **how: Any) -> None:
        super().__init__(pools, **how)
        self.replicated: dict[str, Replicated] = {}

    def add_replicated(
        self, share_id: str, *hosts: str, snapshots: Iterable[str] = ()
    ) -> Replicated:
        """A share with replicas in these pools, the first one active."""
        share = Replicated(share_id, snapshots=dict.fromkeys(snapshots, "available"))
        share.expected = len(hosts)
        for number, host in enumerate(hosts):
            one = self._new_replica(share, f"{share_id}-r{number}")
            one.host, one.status, one.content, one.snapshots = host, "available", 1.0, "available"
            one.state = "in_sync" if number else "active"
        self.replicated[share_id] = share
        return share

    def _new_replica(self, share: Replicated, replica_id: str) -> Replica:
        one = Replica(replica_id, created_at=self.now, changed_at=self.now)
        share.replicas.append(one)
        return one

    def _turn(self, one: Replica, status: str = "", state: str = "") -> None:
        one.status, one.state = status or one.status, state or one.state
        one.changed_at = self.now

    # -- reads -------------------------------------------------------------------------------

    def _records(self, share: Replicated) -> tuple[records.Share, list[records.Instance]]:
        speaks = share.instance
        return (
            records.Share(
                share.id,
                "",
                1,
                speaks.host,
                speaks.status,
                share.task_state,
                share_type_id="type-1",
                has_replicas=True,
                metadata=dict(share.metadata),
            ),
            [
                records.Instance(
                    one.id,
                    share.id,
                    one.host,
                    one.status,
                    replica_state=one.state,
                    created_at=_printed(one.created_at),
                    updated_at=_printed(one.changed_at),
                )
                for one in share.replicas
            ],
        )

    def marked(self) -> list[tuple[records.Share, list[records.Instance]]]:
        """The shares that a replica is moved of, with all their replicas."""
        self.reads += 2
        return [self._records(one) for one in self.replicated.values() if MARK in one.metadata]

    def observe_replica(self, share_id: str, source: str, to: str | None) -> Observation | None:
        """A look at one replica; None where the share doesn't exist."""
        self.reads += 2
        share = self.replicated.get(share_id)
        return observe_replica(*self._records(share), source, to) if share else None

    def replica_facts(self, share_id: str, source: str, to: str | None) -> Facts | None:
        """What is checked before and after a cutover, as the door to the cloud collects it."""
        self.reads += 5
        share = self.replicated.get(share_id)
        if share is None:
            return None
        seen = observe_replica(*self._records(share), source, to)
        place = seen.at(seen.destination if seen.task_state == PROMOTED else seen.host)
        if place is None:
            return None
        here = share.find(place.id)
        late = any(
            one.snapshots == "creating"
            for one in share.replicas
            if one.state in ("active", "in_sync")
        )
        status = share.instance.status if here.state == "active" else here.status
        if here.state not in ("active", "in_sync") and status == "available":
            status = here.state
        return Facts(
            host=seen.host,
            status=status,
            copies=sum(one.host != source for one in share.replicas),
            share_type_id="type-1",
            rules=share.rules,
            snapshots={
                one: "creating" if late and status == "available" else status
                for one, status in share.snapshots.items()
            },
            exports=(f"{here.host}:/{here.id}",),
            active=here.state == "active",
        )

    # -- actions: share/api.py, *_share_replica() --------------------------------------------

    def mark(self, share_id: str, mark: Mark, who: str = EVACUATION) -> int:
        """Write the metadata of a migration; a lost answer is no matter."""

        def write() -> int:
            self._replicated(share_id).metadata |= {MARK: str(mark), **LISTED}
            return 200

        return self._call("mark", share_id, who, write, late=False)

    def unmark(self, share_id: str, who: str = EVACUATION) -> int:
        """Remove it."""

        def remove() -> int:
            for key in (MARK, *LISTED):
                self._replicated(share_id).metadata.pop(key, None)
            return 200

        return self._call("unmark", share_id, who, remove, late=False)

    def create_replica(self, share_id: str, pool: str, who: str = EVACUATION) -> int:
        """Have a replica made."""
        return self._call("start", share_id, who, lambda: self._create(share_id, pool, who))

    def promote_replica(self, share_id: str, replica_id: str, who: str = EVACUATION) -> int:
        """Have the share served from another replica."""
        return self._call(
            "complete", share_id, who, lambda: self._promote(share_id, replica_id, who)
        )

    def delete_replica(
        self, share_id: str, replica_id: str, who: str = EVACUATION, verb: str = "cancel"
    ) -> int:
        """Remove a replica."""
        return self._call(verb, share_id, who, lambda: self._delete(share_id, replica_id, who))

    def _replicated(self, share_id: str) -> Replicated:
        if share_id not in self.replicated:
            raise Refused(404, f"Share {share_id} could not be found.")
        return self.replicated[share_id]

    def _create(self, share_id: str, pool: str, who: str) -> int:
        share = self._replicated(share_id)
        if share.active is None or share.active.status != "available":
            raise Refused(400, f"Share {share_id} has no active replica in available state.")
        taken = {one.host for one in share.replicas}
        if who == EVACUATION and "" in taken:
            # The scheduler's filter knows only the pools of this moment.
            self._violate("a second replica on its way to a pool", share, [who])
        self._count += 1
        one = self._new_replica(share, f"{share_id}-n{self._count}")
        self._push(self.pace.scheduler, self._place_replica(share, one, pool, taken))
        return 202

    def _promote(self, share_id: str, replica_id: str, who: str) -> int:
        share = self._replicated(share_id)
        one = share.find(replica_id)
        if one.state == "active":
            return 200
        if one.status != "available":
            raise Refused(400, f"Replica {replica_id} must be in available state to be promoted.")
        # An administrator may promote what is not in sync.
        self._turn(one, "replication_change")
        self._push(self.pace.manager, self._mortal(one.host, self._change_over(share, one, who)))
        return 202

    def _delete(self, share_id: str, replica_id: str, who: str) -> int:
        share = self._replicated(share_id)
        one = share.find(replica_id)
        if one.state == "active" and sum(each.state == "active" for each in share.replicas) == 1:
            raise Refused(400, "Cannot delete last active replica.")
        self._turn(one, "deleting")
        if not one.host:
            share.replicas.remove(one)
        else:
            work = self._remove_replica(share, one, who)
            self._push(self.pace.manager, self._mortal(one.host, work))
        return 202

    # -- scheduler, and share/manager.py -----------------------------------------------------

    def _place_replica(self, share: Replicated, one: Replica, pool: str, taken: set[str]) -> Flow:
        if one not in share.replicas:
            return
        if pool not in self.pools or pool in taken or self.happens("scheduler_refuses"):
            self._turn(one, "error", "error")
            return
        one.host = pool
        self._turn(one)
        yield from self._mortal(pool, self._make_replica(share, one))
        self._push(self.pace.periodic, self._look_after(share, one))

    def _make_replica(self, share: Replicated, one: Replica) -> Flow:
        one.locked_until = self.now + self.pace.step
        yield self.pace.step
        if one not in share.replicas:
            return
        if self.happens("replica_create_fails"):
            self._turn(one, "error", "error")
        else:
            # Also what was asked to be deleted meanwhile.
            self._turn(one, "available", "out_of_sync")

    def _look_after(self, share: Replicated, one: Replica) -> Flow:
        """The periodic task of its manila-share: the driver says what state it is in."""
        ready = self.now + self.pace.copy * self._rng.uniform(0.5, 1.5)
        late = ready + (self.pace.copy if self.happens("snapshots_late") else 0)
        odd = False
        while one in share.replicas and one.status != "creating":
            yield from self._wait_for(one.host)
            polled = one.status in ("available", "error") and one.state != "active"
            if polled and one.status == "available" and self.happens("replica_update_fails"):
                self._turn(one, "error", "error")
            elif polled and self.now >= ready:
                one.content = 1.0
                state = "in_sync"
                if not odd and self.happens("replica_lags"):
                    state = "out_of_sync"
                elif not odd and self.happens("replica_looks_bad"):
                    state = "error"
                odd = state != "in_sync"
                if state != one.state:
                    self._turn(one, state=state)
            if self.now >= late:
                one.snapshots = "available"
            elif one.state == "active" or one.snapshots != "creating":
                return
            yield self.pace.periodic
            if not share.metadata and one.state == "in_sync" and self.now >= late:
                return  # nothing more to tell of what is nobody's migration

    def _change_over(self, share: Replicated, one: Replica, who: str) -> Flow:
        yield self.pace.step
        old = share.active
        if old is None or self.happens("promotion_reverts"):
            self._turn(one, "available")
            return
        if self.happens("promotion_fails"):
            for each in share.replicas:
                self._turn(each, "error")
            return
        if one.content < 1.0:
            self._violate("data lost", share, [who])
        if one.snapshots == "creating" and share.snapshots:
            share.snapshots = dict.fromkeys(share.snapshots, "error")
            self._violate("snapshots lost", share, [who])
        one.snapshots = "available"
        self._turn(old, state="in_sync")
        self._hand_over(share)
        yield 1.0
        self._turn(one, "available", "active")

    def _remove_replica(self, share: Replicated, one: Replica, who: str) -> Flow:
        yield max(0.0, one.locked_until - self.now) + self.pace.step
        if self.happens("replica_delete_fails"):
            self._turn(one, "error_deleting", "error")
            return
        if one in share.replicas:
            share.replicas.remove(one)
        if not any(each.content == 1.0 and each.state == "active" for each in share.replicas):
            self._violate("data lost", share, [who])

    # -- what other people do ----------------------------------------------------------------

    def replicate(self, share_id: str, mark: Mark, new: str) -> Replicated:
        """Put a share into the middle of a migration: ``new`` is status and state of the new one."""
        share = self.replicated[share_id]
        share.metadata = {MARK: str(mark), **LISTED}
        one = self._new_replica(share, f"{share_id}-new")
        one.host, one.content = mark.destination, 1.0
        one.snapshots = "available"
        status, _colon, state = new.partition(":")
        self._turn(one, status, state)
        return share

    def delete_replicated(self, share_id: str) -> None:
        """A tenant deletes a share: refused while it has replicas."""
        if len(self._replicated(share_id).replicas) > 1:
            raise Refused(409, "Share has replicas.")
        del self.replicated[share_id]


class Manila(Replicas):
    """One cloud: shares, share servers, pools, manila-share services, and what they are doing."""

    def __init__(self, pools: Iterable[str], **how: Any) -> None:
        super().__init__(pools, **how)
        self.shares: dict[str, Share] = {}

    # -- the world ---------------------------------------------------------------------------

    def add(
        self,
        share_id: str,
        host: str,
        size_gb: int = 1,
        *,
        driver_assisted: bool = True,
        task_state: str | None = None,
        snapshots: Iterable[str] = (),
    ) -> Share:
        """A share at a pool."""
        share = Share(
            share_id,
            size_gb,
            [Instance(f"{share_id}-0", host, "available", "type-1", 1.0, self.now, self.now)],
            task_state=task_state,
            driver_assisted=driver_assisted,
            snapshots=dict.fromkeys(snapshots, "available"),
        )
        self.shares[share_id] = share
        return share

    @staticmethod
    def _remove(share: Share, instance: Instance) -> None:
        if instance in share.instances and len(share.instances) > 1:
            share.instances.remove(instance)

    def _set(self, instance: Instance, status: str) -> None:
        instance.status = status
        instance.changed_at = self.now

    # -- reads -------------------------------------------------------------------------------

    def migrating(self) -> list[Observation]:
        """The list of what migrates: instances are not in it."""
        self.reads += 1
        return [
            self._observation(share, instances=False)
            for share in self.shares.values()
            if share.status == "migrating"
        ]

    def observe(self, ids: Iterable[str]) -> tuple[dict[str, Observation], set[str]]:
        """A look at some shares, instances included, and those that don't exist."""
        wanted = set(ids)
        self.reads += 2 * len(wanted)
        found = {
            one: self._observation(self.shares[one], instances=True)
            for one in sorted(wanted)
            if one in self.shares
        }
        return found, wanted - set(found)

    def _observation(self, share: Share, *, instances: bool) -> Observation:
        copies = share.instances
        return Observation(
            id=share.id,
            status=share.status,
            host=share.host,
            task_state=share.task_state,
            instances=tuple(Place(one.host, one.status, one.id) for one in copies)
            if instances
            else None,
            copy_mark=_copy_mark(share.recorded),
            share_type_id=share.instance.share_type_id,
            access_rules_status=share.rules_status,
            changed_at=max(one.changed_at for one in copies) if instances else None,
            started_at=max(one.created_at for one in copies)
            if instances and len(copies) > 1
            else None,
            size_gb=share.size_gb,
        )

    def record(self, share_id: str, copy_id: str, who: str = EVACUATION) -> int:
        """Write down, or with nothing take away, which copy must never be completed."""
        verb = "record" if copy_id else "forget"
        return self._call(verb, share_id, who, lambda: self._record(share_id, copy_id), late=False)

    def _record(self, share_id: str, copy_id: str) -> int:
        if share_id in self.replicated:
            metadata = self.replicated[share_id].metadata
            metadata[INTERRUPTED] = copy_id
            if not copy_id:
                del metadata[INTERRUPTED]
            return 200
        carriers: list[Share | Member] = [
            server.members[share_id]
            for server in self.servers.values()
            if share_id in server.members
        ]
        if share_id in self.shares:
            carriers.append(self.shares[share_id])
        if not carriers:
            raise Refused(404, f"Share {share_id} could not be found.")
        for one in carriers:
            one.recorded = copy_id
        return 200

    def snapshots_of(self, share_id: str) -> list[Snapshot]:
        """The snapshots of a share."""
        self.reads += 1
        snapshots = self.shares[share_id].snapshots if share_id in self.shares else {}
        return [Snapshot(one, share_id, status) for one, status in snapshots.items()]

    def delete_snapshot(self, snapshot_id: str, who: str = EVACUATION) -> int:
        """Have a snapshot deleted."""
        return self._call(
            "delete_snapshot", snapshot_id, who, lambda: self._delete_snapshot(snapshot_id)
        )

    def _delete_snapshot(self, snapshot_id: str) -> int:
        for share in self.shares.values():
            if snapshot_id in share.snapshots:
                if share.snapshots[snapshot_id] not in ("available", "error"):
                    raise Refused(403, "Snapshot status must be available or error.")
                share.snapshots[snapshot_id] = "deleting"
                self._push(self.pace.delete, self._remove_snapshot(share, snapshot_id))
                return 202
        raise Refused(404, f"Snapshot {snapshot_id} could not be found.")

    @staticmethod
    def _remove_snapshot(share: Share, snapshot_id: str) -> Flow:
        share.snapshots.pop(snapshot_id, None)
        yield from ()

    def facts(self, share_id: str) -> Facts | None:
        """What is checked before and after a cutover; None where the share doesn't exist."""
        self.reads += 5
        share = self.shares.get(share_id)
        if share is None:
            return None
        return Facts(
            host=share.host,
            status=share.status,
            copies=len(share.instances),
            share_type_id=share.instance.share_type_id,
            rules=share.rules,
            rules_status=share.rules_status,
            snapshots=dict(share.snapshots),
            exports=(f"{share.host}:/{share.instance.id}",),
        )

    # -- actions: share/api.py ---------------------------------------------------------------

    def start(self, subject: str, destination: str, options: Options, who: str = EVACUATION) -> int:
        """Start a migration; 202, or 200 where there is nothing to do."""
        act = self._start_server if self.is_server(subject) else self._start
        return self._call("start", subject, who, lambda: act(subject, destination, options, who))

    def complete(self, subject: str, who: str = EVACUATION) -> int:
        """Start the cutover."""
        act = self._complete_server if self.is_server(subject) else self._complete
        return self._call("complete", subject, who, lambda: act(subject, who))

    def cancel(self, subject: str, who: str = EVACUATION) -> int:
        """Cancel a migration."""
        act = self._cancel_server if self.is_server(subject) else self._cancel
        return self._call("cancel", subject, who, lambda: act(subject, who))

    def _share(self, share_id: str) -> Share:
        if share_id not in self.shares:
            raise Refused(404, f"Share {share_id} could not be found.")
        return self.shares[share_id]

    def _start(self, share_id: str, destination: str, options: Options, who: str) -> int:
        share = self._share(share_id)
        source = share.instance
        if source.status != "available":
            raise Refused(400, f"Share instance status must be available, but is {source.status}.")
        if share.rules_status == "error":
            raise Refused(400, "access rules status must not be in error")
        if share.task_state in BUSY_STATES:
            raise Refused(400, f"Share {share_id} is busy: {share.task_state}")
        self._check_service(backend_of(destination))
        new_type = options.new_share_type_id or source.share_type_id
        if destination == source.host and new_type == source.share_type_id:
            share.task_state = "migration_success"
            return 200
        if len(share.instances) != 1:
            # Manila doesn't check it, and mixes the instances up.
            self._violate("started with two instances", share, [who])
        share.attempt += 1
        share.cancelled = share.interrupted = False
        share.completes, share.cancels = [], []
        # Both records are written before the answer.
        share.task_state = "migration_starting"
        self._set(source, "migrating")
        self._push(self.pace.scheduler, self._schedule(share, source, destination, options))
        return 202

    def _complete(self, share_id: str, who: str) -> int:
        share = self._share(share_id)
        if share.task_state not in RESTING_BUSY_STATES:
            raise Refused(400, "First migration phase not completed yet, or no migration.")
        source, destination = self._pair(share)
        if share.completes:
            # Nothing stops it: Manila looks only at the task state, which the manager changes.
            self._violate("complete accepted twice", share, [*share.completes, who])
        self._note_complete(share, who)
        self._push(self.pace.manager, self._manager_complete(share, source, destination))
        return 202

    def _cancel(self, share_id: str, who: str) -> int:
        share = self._share(share_id)
        if share.task_state == "data_copying_in_progress":
            if share.interrupted:
                raise Refused(500, "manila-data doesn't know this copy")
            share.cancelled = True
            share.cancels.append(who)
            return 202
        if share.task_state not in RESTING_BUSY_STATES | {"migration_driver_in_progress"}:
            raise Refused(400, "Migration cannot be cancelled at this moment.")
        source, destination = self._pair(share)
        if self._known_down(source.host):
            raise Refused(400, "Migration cannot be cancelled at this moment.")
        self._note_cancel(share, who)
        self._push(self.pace.manager, self._manager_cancel(share, source, destination))
        return 202

    def _pair(self, share: Share) -> tuple[Instance, Instance]:
        source = [one for one in share.instances if one.status == "migrating"]
        destination = [one for one in share.instances if one.status == "migrating_to"]
        if not source or not destination:
            raise Refused(500, "instances in inconsistent states")
        return source[0], destination[0]

    # -- scheduler/manager.py ----------------------------------------------------------------

    def _schedule(self, share: Share, source: Instance, destination: str, options: Options) -> Flow:
        if (
            not is_pool(destination)
            or destination not in self.pools
            or self.happens("scheduler_refuses")
        ):
            # The status first, then the only trace that this leaves.
            self._set(source, "available")
            yield 1.0
            share.task_state = "migration_error"
            return
        yield from self._wait_for(source.host)
        yield from self._manager_start(share, source, destination, options)

    # -- share/manager.py: phase 1 -----------------------------------------------------------

    def _manager_start(
        self, share: Share, source: Instance, destination: str, options: Options
    ) -> Flow:
        share.task_state = "migration_in_progress"
        yield self.pace.step
        copy: Instance | None = None
        if share.driver_assisted and not options.force_host_assisted_migration:
            copy = self._new_instance(share, destination, "migrating_to", options)
            yield self.pace.step
            if self.happens("driver_start_fails"):
                share.instances.remove(copy)
                copy = None
        if copy:
            yield from self._driver_phase_1(share, source, copy)
            return
        if options.writable or options.preserve_metadata or options.preserve_snapshots:
            yield from self._start_failed(share, source)
            return
        if share.snapshots:
            yield from self._start_failed(share, source)
            return
        # Manila falls back to host-assisted without a word.
        share.task_state = "migration_in_progress"
        yield from self._wait_for(destination)
        copy = self._new_instance(share, destination, "creating", options)
        yield self.pace.step
        self._set(copy, "available")
        yield self.pace.step
        self._set(copy, "migrating_to")
        yield from self._data_copy(share, source, copy)

    def _start_failed(self, share: Share, source: Instance) -> Flow:
        # The end is visible before the status, while access rules are mended.
        share.task_state = "migration_error"
        yield self.pace.step * 4
        self._set(source, "available")

    def _new_instance(self, share: Share, host: str, status: str, options: Options) -> Instance:
        self._count += 1
        copy = Instance(
            f"{share.id}-{self._count}",
            host,
            status,
            options.new_share_type_id or share.instance.share_type_id,
            0.0,
            self.now,
            self.now,
        )
        share.instances.append(copy)
        return copy

    def _driver_phase_1(self, share: Share, source: Instance, copy: Instance) -> Flow:
        attempt = share.attempt
        share.task_state = "migration_driver_starting"
        yield self.pace.step
        share.task_state = "migration_driver_in_progress"
        yield self.pace.copy * self._rng.uniform(0.5, 1.5)
        # A periodic task, which survives restarts, asks the driver to go on.
        yield from self._wait_for(source.host)
        if share.attempt != attempt or share.task_state != "migration_driver_in_progress":
            return
        if self.happens("driver_copy_fails"):
            self._remove(share, copy)
            yield self.pace.step
            self._set(source, "available")
            yield 1.0
            share.task_state = "migration_error"
            return
        copy.content = 1.0
        share.task_state = "migration_driver_phase1_done"

    # -- data/manager.py: phase 1, host-assisted ---------------------------------------------

    def _data_copy(self, share: Share, source: Instance, copy: Instance) -> Flow:
        attempt = share.attempt
        yield self.pace.step
        share.task_state = "data_copying_starting"
        yield self.pace.step
        if self.happens("mount_fails"):
            share.task_state = "data_copying_error"
            yield from self._copy_ended(share, source, copy)
            return
        share.task_state = "data_copying_in_progress"
        if self.happens("data_crash"):
            yield self.pace.copy / 3
            yield from self._data_crash(share, source, copy)
            return
        if self.happens("false_data_error"):
            yield self.pace.copy / 3
            share.task_state = "data_copying_error"  # and the copy goes on
        pieces = 4
        for _unused in range(pieces):
            # `cancel` is looked at between two files.
            yield self.pace.copy * self._rng.uniform(0.5, 1.5) / pieces
            if share.attempt != attempt or copy not in share.instances:
                return
            if share.cancelled:
                break
        share.task_state = "data_copying_completing"
        yield self.pace.step
        if share.cancelled:
            share.task_state = "data_copying_cancelled"
            yield from self._copy_ended(share, source, copy)
        elif self.happens("copy_fails"):
            share.task_state = "data_copying_error"
            yield from self._copy_ended(share, source, copy)
        else:
            copy.content = 1.0
            share.task_state = "data_copying_completed"

    def _data_crash(self, share: Share, source: Instance, copy: Instance) -> Flow:
        attempt = share.attempt
        copy.content = 0.3
        share.interrupted = True
        yield self.pace.copy  # it is away; the records stay as they were
        if share.task_state != "data_copying_in_progress":
            return
        share.task_state = "data_copying_error"
        # Start, complete and cancel are all refused now.
        if self.happens("repair_in_the_open"):
            yield self.pace.copy
            if share.attempt != attempt or share.task_state != "data_copying_error":
                return
            share.task_state = "data_copying_completed"
            yield self.pace.copy
            if share.task_state == "data_copying_completed":
                self.at(0.0, lambda: self.cancel(share.id, FOREIGNER))

    def _copy_ended(self, share: Share, source: Instance, copy: Instance) -> Flow:
        """manila-data tells the source's manager, which cleans up (manager.py, 2004-2030)."""
        cancelled = share.task_state == "data_copying_cancelled"
        yield self.pace.manager
        yield from self._wait_for(source.host)
        self._set(copy, "deleting")
        yield self.pace.delete
        self._remove(share, copy)
        if cancelled:
            self._set(source, "available")
            yield 1.0
            share.task_state = "migration_cancelled"
            yield 1.0
            # migration_complete() goes on as if all was well.
            share.task_state = "migration_success"
            return
        self._set(source, "available")
        yield 1.0
        share.task_state = "migration_error"

    # -- share/manager.py: phase 2 -----------------------------------------------------------

    def _manager_complete(self, share: Share, source: Instance, copy: Instance) -> Flow:
        yield from self._wait_for(source.host)
        if source not in share.instances or copy not in share.instances:
            return
        if share.task_state == "migration_driver_phase1_done":
            yield from self._driver_complete(share, source, copy)
        elif share.task_state == "data_copying_completed":
            yield from self._host_complete(share, source, copy)
        elif len(share.completes) > 1:
            # What a second complete does while the first one is at work.
            self._violate("complete carried out twice", share, share.completes)
            self._set(source, "error")
            self._set(copy, "error")
            share.task_state = "migration_error"

    def _driver_complete(self, share: Share, source: Instance, copy: Instance) -> Flow:
        share.task_state = "migration_completing"
        yield self.pace.step
        if self.happens("driver_complete_fails") or not self._up(copy.host):
            self._set(source, "error")
            self._set(copy, "error")
            yield 1.0
            share.task_state = "migration_error"
            return
        if copy not in share.instances or source not in share.instances:
            return
        self._hand_over(share)
        self._set(copy, "available")
        self._set(source, "inactive")
        yield self.pace.step
        self._remove_source(share, source, copy)
        share.task_state = "migration_success"

    def _host_complete(self, share: Share, source: Instance, copy: Instance) -> Flow:
        share.task_state = "migration_completing"
        yield self.pace.step
        if self.happens("host_complete_fails") or not self._up(copy.host):
            self._set(copy, "deleting")
            yield self.pace.delete
            self._remove(share, copy)
            self._set(source, "available")
            yield 1.0
            share.task_state = "migration_error"
            return
        self._hand_over(share)
        self._set(copy, "available")
        self._set(source, "inactive")
        yield 1.0
        self._set(source, "deleting")
        if self.happens("slow_source_delete"):
            yield self.pace.delete_timeout
            share.task_state = "migration_error"
            self._set(source, "available")  # the host flips back to it
            yield self.pace.delete
            self._remove_source(share, source, copy)
            return
        yield self.pace.delete
        self._remove_source(share, source, copy)
        share.task_state = "migration_success"

    def _remove_source(self, share: Share, source: Instance, copy: Instance) -> None:
        self._remove(share, source)
        if copy.content < 1.0:
            self._violate("data lost", share, share.completes)

    # -- share/manager.py: cancel ------------------------------------------------------------

    def _manager_cancel(self, share: Share, source: Instance, copy: Instance) -> Flow:
        yield from self._wait_for(source.host)
        if copy not in share.instances or share.task_state not in RESTING_BUSY_STATES | {
            "migration_driver_in_progress"
        }:
            return
        if share.task_state == "data_copying_completed":
            self._set(copy, "inactive")
            yield self.pace.delete
        else:
            share.cancelling = True
            yield self._time_to_cancel()
            share.cancelling = False
            if self.happens("driver_cancel_fails") or copy not in share.instances:
                return  # only a log says so
        self._remove(share, copy)
        self._set(source, "available")
        yield 1.0
        share.task_state = "migration_cancelled"

    # -- what other people do ----------------------------------------------------------------

    def delete(self, share_id: str) -> None:
        """A tenant deletes a share: refused while it migrates."""
        share = self._share(share_id)
        if share.status != "available" or share.task_state in BUSY_STATES:
            raise Refused(403, "Share is busy.")
        del self.shares[share_id]

    def reset(self, share_id: str, task_state: str | None, status: str = "available") -> None:
        """An administrator resets a share: nothing is checked, and nothing is stopped."""
        share = self._share(share_id)
        share.task_state = task_state
        share.attempt += 1
        self._set(share.instance, status)

    def teleport(self, share_id: str, host: str) -> None:
        """Somebody else has moved a share, from start to end, while nobody looked."""
        share = self._share(share_id)
        share.instances = [
            Instance(f"{share_id}-t", host, "available", "type-1", 1.0, self.now, self.now)
        ]
        share.task_state = "migration_success"

    def leave_behind(self, share_id: str, host: str) -> None:
        """An earlier migration left an instance at ``host``."""
        self._new_instance(self._share(share_id), host, "error", Options())

    def rest(self, share_id: str, task_state: str, destination: str) -> Share:
        """Put a share into phase 1 done, as a migration of somebody else to ``destination``."""
        share = self._share(share_id)
        self._set(share.instance, "migrating")
        copy = self._new_instance(share, destination, "migrating_to", Options())
        copy.content = 1.0
        share.task_state = task_state
        return share
