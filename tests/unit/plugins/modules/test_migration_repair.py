# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnosis and repair of one share or share server, request by request.

``CASES`` has every code of the module for both kinds: what Manila shows, and what a repair sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.markers import INTERRUPTED
from ansible_collections.manila.migration.plugins.module_utils._repair.diagnosis import CODES
from ansible_collections.manila.migration.plugins.modules import migration_repair
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    ANY_SERVICES,
    CUT,
    FORBIDDEN,
    LATE,
    NEW,
    NOW,
    OLD,
    Clock,
    Session,
    instance,
    live_services,
    refusal,
    server,
    service,
    share,
)

AGE = 3600
"""For so many seconds nothing has changed when the module begins."""

TIMES = {"patience": 30, "poll_interval": 40}
"""So that two looks are enough for what has to be watched."""

BEFORE, THEN = Clock(NOW - 2 * AGE).text(), Clock(NOW - AGE).text()

ADDRESS = "192.0.2.30"
"""That of the manila-data node."""

Expect = Callable[[Session], None]


def rule(rule_id: str, address: str, created_at: str) -> dict[str, Any]:
    return {
        "id": rule_id,
        "access_type": "ip",
        "access_to": address,
        "state": "active",
        "access_level": "rw",
        "created_at": created_at,
    }


TENANTS, MANILAS = rule("t", "192.0.2.10", BEFORE), rule("m", ADDRESS, THEN)


@dataclass(frozen=True)
class Scene:
    """What Manila shows of a share (``instances`` by status, the source first) or a share server."""

    status: str
    task_state: str | None
    instances: Sequence[str] = ("available",)
    read_only: bool = False
    rules: Sequence[dict[str, Any]] = (TENANTS,)
    snapshots: Sequence[str] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    services: tuple[dict[str, Any], ...] = ANY_SERVICES
    copying: tuple[Any, int] | None = None
    """What manila-data answers when it is asked for the progress of its copy."""
    has_replicas: bool = False

    def expect(self, session: Session, clock: Clock) -> None:
        """Expect one look at it."""
        places = [(OLD, BEFORE), (NEW, THEN), (NEW, THEN)]
        instances = [
            instance(
                f"i{number}",
                host=host,
                status=status,
                created_at=made,
                updated_at=THEN,
                cast_rules_to_readonly=self.read_only and not number,
                replica_state="active" if self.has_replicas else None,
            )
            for number, (status, (host, made)) in enumerate(zip(self.instances, places))
        ]
        listed = share(
            status=self.status,
            task_state=self.task_state,
            metadata=self.metadata,
            has_replicas=self.has_replicas,
        )
        snapshots = [
            {"id": f"x{number}", "share_id": "s1", "status": status}
            for number, status in enumerate(self.snapshots)
        ]
        session.expect("GET", "/shares/s1", {"share": listed})
        session.expect("GET", "/shares/s1/instances", {"share_instances": instances})
        session.expect(
            "GET", "/snapshots/detail?all_tenants=1&share_id=s1", {"snapshots": snapshots}
        )
        if self.copying:
            session.expect("GET", "/shares/s1/migration-progress", *self.copying)
        session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": list(self.rules)})
        session.expect("GET", "/services", live_services(clock, self.services))


SOURCE = server(status="server_migrating", updated_at=THEN)
COPY = server(
    "v2",
    host="node@new",
    status="server_migrating_to",
    source_share_server_id="v1",
    task_state="migration_driver_in_progress",
    updated_at=THEN,
)
BROKEN = {**COPY, "status": "error", "task_state": "migration_error"}


@dataclass(frozen=True)
class Servers:
    """What Manila shows of share server v1: all servers, and share instances on one of them."""

    servers: Sequence[dict[str, Any]]
    instances: Sequence[str] = ("available",)
    at: str = "v1"
    snapshot: str = "available"
    applied: bool = True
    services: tuple[dict[str, Any], ...] = ANY_SERVICES

    def expect(self, session: Session, clock: Clock) -> None:
        """Expect one look at it."""
        session.expect("GET", "/share-servers", {"share_servers": list(self.servers)})
        for entry in sorted(entry["id"] for entry in self.servers):
            shares = [share(share_server_id=self.at)] if entry == self.at else []
            url = f"/shares/detail?all_tenants=1&share_server_id={entry}"
            session.expect("GET", url, {"shares": shares})
        copies = [
            instance(f"i{number}", status=status, share_server_id=self.at)
            for number, status in enumerate(self.instances)
        ]
        session.expect("GET", "/share_instances", {"share_instances": copies})
        snapshots = [{"id": "x0", "share_id": "s1", "status": self.snapshot}]
        session.expect(
            "GET", "/snapshots/detail?all_tenants=1&share_id=s1", {"snapshots": snapshots}
        )
        state = "active" if self.applied else "queued_to_apply"
        rules = [{**TENANTS, "state": state}]
        session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": rules})
        session.expect("GET", "/services", live_services(clock, self.services))


def source(task_state: str | None, status: str = "server_migrating") -> dict[str, Any]:
    return {**SOURCE, "status": status, "task_state": task_state}


# -- the steps, as requests ------------------------------------------------------------------


def act(url: str, **body: Any) -> Expect:
    return lambda session: session.expect("POST", f"{url}/action", status=202, body=body)


def task(state: str | None, url: str = "/shares/s1") -> Expect:
    return act(url, reset_task_state={"task_state": state})


def status(url: str, value: str) -> Expect:
    return act(url, reset_status={"status": value})


def delete(instance_id: str, others: Sequence[str] = ("available",)) -> Expect:
    """The other instances are read right before an instance is deleted."""

    def expect(session: Session) -> None:
        copies = [instance(f"o{n}", status=entry) for n, entry in enumerate(others)]
        listed = [instance(instance_id), *copies]
        session.expect("GET", "/shares/s1/instances", {"share_instances": listed})
        act(f"/share_instances/{instance_id}", force_delete=None)(session)

    return expect


def ask(session: Session) -> None:
    """manila-data is asked as often as two processes of one name could take turns, and then some."""
    copying = share(status="migrating", task_state="data_copying_in_progress")
    for _number in range(4):
        session.expect("GET", "/shares/s1/migration-progress", refusal("no job", 500), 500)
        session.expect("GET", "/shares/s1", {"share": copying})


def record(session: Session) -> None:
    written = {"metadata": {INTERRUPTED: "i1"}}
    session.expect("POST", "/shares/s1/metadata", written, body=written)


def snapshot(session: Session) -> None:
    """Its copies are reset, as Manila would pick any of them."""
    copies = [{"id": "y0"}, {"id": "y1"}]
    session.expect("GET", "/snapshot-instances?snapshot_id=x0", {"snapshot_instances": copies})
    for entry in copies:
        status(f"/snapshot-instances/{entry['id']}", "available")(session)


def allow(session: Session) -> None:
    """Manila takes rules again once the other instance is gone."""
    both = {"share_instances": [instance("i0"), instance("i1")]}
    session.expect("GET", "/shares/s1/instances", both)
    session.expect("GET", "/shares/s1/instances", {"share_instances": [instance("i1")]})
    session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": []})
    given = {"access_type": "ip", "access_to": "192.0.2.10", "access_level": "rw"}
    body = {"allow_access": given}
    session.expect(
        "POST", "/shares/s1/action", {"access": rule("a", "192.0.2.10", THEN)}, body=body
    )


def remove(session: Session, server_id: str = "v2") -> None:
    session.expect("DELETE", f"/share-servers/{server_id}", status=202)


CANCEL = act("/shares/s1", migration_cancel=None)
SERVER = "/share-servers/v1"
CANCEL_SERVER = act(SERVER, migration_cancel=None)
DENY = act("/shares/s1", deny_access={"access_id": "m"})
BY_DATA = [record, task("data_copying_completed"), CANCEL]
BY_DRIVER = [record, task("migration_driver_phase1_done"), CANCEL]
FREE = [status("/share_instances/i0", "available"), task(None)]
RELEASE = [
    status("/share_instances/i0", "available"),
    status("/snapshots/x0", "available"),
    task(None, SERVER),
    status(SERVER, "active"),
]
TAKE_SECOND = [
    status("/share_instances/i1", "available"),
    task(None),
    delete("i0"),
    allow,
]


# -- every code ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What Manila shows, what the module calls that, and the requests of its repair."""

    code: str
    scene: Scene | Servers
    steps: Sequence[Expect] = ()
    safe: bool = True
    looks: int = 1
    """How many looks it takes until that is clear."""
    args: dict[str, Any] = field(default_factory=dict)
    good_copy: str | None = None
    """The word that makes a repair of what is not safe; None: there is no repair."""
    cancel_again: bool = False
    """Whether the word is that instead: a driver may still be at the cancel."""
    afterwards: Scene | Servers | None = None
    """What Manila shows when the repair is done."""

    @property
    def subject(self) -> dict[str, str]:
        return {"share": "s1"} if isinstance(self.scene, Scene) else {"share_server": "v1"}

    @property
    def words(self) -> dict[str, Any]:
        """What the operator has to say for its repair."""
        good_copy = {"good_copy": self.good_copy} if self.good_copy else {}
        return good_copy | ({"cancel_again": True} if self.cancel_again else {})

    @property
    def well(self) -> bool:
        return self.safe and not self.steps


def moving(task_state: str | None, second: str | None = "migrating_to", **more: Any) -> Scene:
    return Scene("migrating", task_state, ("migrating", *([second] if second else [])), **more)


def crashed(task_state: str, **more: Any) -> Scene:
    """A copy whose manila-data has died: its rule is still there."""
    more.setdefault("copying", None)
    return moving(task_state, read_only=True, rules=(TENANTS, MANILAS), **more)


def resting(task_state: str | None, *others: str, **more: Any) -> Scene:
    return Scene("available", task_state, ("available", *others), **more)


RESTS, WAS_CANCELLED = resting(None), resting("migration_cancelled")
FAILED = resting("migration_error")
SERVER_RESTS = Servers([source(None, "active")])
SERVER_CANCELLED = Servers([source("migration_cancelled", "active")])
MOVED = Servers([{**COPY, "status": "active", "task_state": "migration_success"}], at="v2")
NO_JOB = (refusal("no such job", 500), 500)
MARK = {
    "manila_migration_replica": f"{OLD} -> {NEW} since 2027-01-15T08:00:00Z",
    "manila_migration": "replica",
}


def without(*names: str) -> tuple[dict[str, Any], ...]:
    """The services, some of them down."""
    return tuple(
        {**entry, "state": "down"} if name_of(entry) in names else entry for entry in ANY_SERVICES
    )


def name_of(entry: dict[str, Any]) -> str:
    return entry["host"].partition("@")[2] or entry["binary"]


CASES = {
    "in use": Case("nothing", RESTS),
    "moved": Case("nothing", resting("migration_success")),
    "with replicas": Case("nothing", replace(RESTS, has_replicas=True)),
    "first phase failed": Case("phase1_failed", FAILED),
    "cancelled": Case("cancelled", WAS_CANCELLED),
    "backup runs": Case(
        "backup", Scene("backup_creating", "data_copying_in_progress", ("backup_creating",))
    ),
    "backup failed": Case("backup", resting("data_copying_error")),
    "driver copies": Case("running", moving("migration_driver_in_progress")),
    "manila-data copies": Case(
        "running", moving("data_copying_in_progress", copying=({"total_progress": 5}, 200))
    ),
    "with its share server": Case(
        "running", Scene("server_migrating", None, ("server_migrating",))
    ),
    "driver has copied": Case("copied", moving("migration_driver_phase1_done")),
    "manila-data has copied": Case("copied", moving("data_copying_completed")),
    "its manila-share is down": Case(
        "service_down", moving("migration_driver_in_progress", services=without("old"))
    ),
    "manila-data is down": Case(
        "service_down", crashed("data_copying_error", services=without("manila-data"))
    ),
    "a replica": Case("replica", replace(RESTS, metadata=MARK, has_replicas=True)),
    "start lost": Case(
        "start_lost", moving("migration_starting", None), FREE, looks=2, afterwards=RESTS
    ),
    "start halted without a copy": Case(
        "start_halted",
        moving("migration_in_progress", None),
        FREE,
        safe=False,
        looks=2,
        good_copy="source",
        afterwards=RESTS,
    ),
    "start halted before a driver was asked": Case(
        "start_halted",
        moving("migration_in_progress", "creating"),
        [status("/share_instances/i1", "migrating_to"), *BY_DATA],
        safe=False,
        looks=2,
        good_copy="source",
        afterwards=WAS_CANCELLED,
    ),
    "start halted in a driver": Case(
        "start_halted",
        moving("migration_driver_starting"),
        [record, task("migration_driver_in_progress"), CANCEL],
        safe=False,
        looks=2,
        good_copy="source",
        afterwards=WAS_CANCELLED,
    ),
    "manila-data died": Case(
        "copy_interrupted",
        crashed("data_copying_error"),
        [task("data_copying_in_progress"), ask, *BY_DATA],
        looks=2,
        afterwards=WAS_CANCELLED,
    ),
    "manila-data has lost its job": Case(
        "copy_interrupted",
        crashed("data_copying_in_progress", copying=NO_JOB),
        [ask, *BY_DATA],
        looks=2,
        afterwards=WAS_CANCELLED,
    ),
    "an earlier repair died before its cancel": Case(
        "copy_interrupted",
        moving("data_copying_completed", metadata={INTERRUPTED: "i1"}),
        [CANCEL],
        looks=2,
        afterwards=WAS_CANCELLED,
    ),
    "two manila-data, one of them died": Case(
        "copy_interrupted",
        crashed(
            "data_copying_error",
            services=(*ANY_SERVICES, service("other", "manila-data", state="down")),
        ),
        BY_DATA,
        safe=False,
        looks=2,
        good_copy="source",
        afterwards=WAS_CANCELLED,
    ),
    "cancel halted": Case(
        "cancel_failed",
        moving("data_copying_completed", None),
        FREE,
        looks=2,
        afterwards=RESTS,
    ),
    "cancel halted with a snapshot": Case(
        "cancel_failed",
        moving("migration_driver_phase1_done", None, snapshots=["migrating"]),
        [FREE[0], snapshot, FREE[1]],
        looks=2,
        afterwards=RESTS,
    ),
    "cancel halted while the copy is deleted": Case(
        "cancel_failed",
        moving("data_copying_completed", "deleting"),
        [delete("i1", ["migrating"]), *FREE],
        safe=False,
        looks=2,
        good_copy="source",
        afterwards=RESTS,
    ),
    "cutover failed, the source is good": Case(
        "phase2_failed",
        Scene("error", "migration_error", ("error", "error"), snapshots=["error"]),
        [FREE[0], snapshot, task(None), delete("i1"), allow],
        safe=False,
        good_copy="source",
        afterwards=RESTS,
    ),
    "cutover failed, the destination is good": Case(
        "phase2_failed",
        Scene("error", "migration_error", ("error", "error")),
        TAKE_SECOND,
        safe=False,
        good_copy="destination",
        afterwards=RESTS,
    ),
    "cutover halted": Case(
        "cutover_halted",
        moving("migration_completing"),
        BY_DRIVER,
        safe=False,
        looks=2,
        good_copy="source",
        afterwards=WAS_CANCELLED,
    ),
    "cutover halted, the destination is good": Case(
        "cutover_halted",
        moving("migration_completing"),
        TAKE_SECOND,
        safe=False,
        looks=2,
        good_copy="destination",
        afterwards=RESTS,
    ),
    "cutover halted, nobody says who copied": Case(
        "cutover_halted",
        moving("migration_completing", read_only=True),
        safe=False,
        looks=2,
    ),
    "a copy was left": Case(
        "leftover",
        resting("migration_error", "migrating_to"),
        [delete("i1")],
        looks=2,
        afterwards=FAILED,
    ),
    "a copy was left that may be worked on": Case(
        "leftover",
        resting("data_copying_in_progress", "migrating_to"),
        [delete("i1"), task(None)],
        safe=False,
        looks=2,
        good_copy="source",
        afterwards=RESTS,
    ),
    "in use, with the state of a migration": Case(
        "stale_state", resting("data_copying_completed"), [task(None)], looks=2, afterwards=RESTS
    ),
    "over, with the status of a migration": Case(
        "stale_status",
        moving("migration_error", None),
        FREE[:1],
        looks=2,
        afterwards=FAILED,
    ),
    "read-only": Case(
        "rules_not_restored",
        replace(WAS_CANCELLED, read_only=True),
        safe=False,
    ),
    "a rule was left": Case(
        "rules_left",
        replace(WAS_CANCELLED, rules=(TENANTS, MANILAS)),
        [DENY],
        args={"access_to": [ADDRESS]},
        afterwards=WAS_CANCELLED,
    ),
    "the source is still being deleted": Case(
        "source_left",
        Scene("available", "migration_completing", ("deleting", "available")),
        [delete("i0"), task(None)],
        looks=2,
        afterwards=RESTS,
    ),
    "two are available": Case(
        "source_left",
        resting("migration_error", "available"),
        [delete("i0")],
        safe=False,
        looks=2,
        good_copy="destination",
        afterwards=FAILED,
    ),
    "in error by itself": Case("unknown", Scene("error", None, ("error",)), safe=False, looks=2),
    # Share servers.
    "server in use": Case("nothing", SERVER_RESTS),
    "server moved": Case("nothing", MOVED),
    "server copies": Case(
        "running", Servers([source("migration_driver_in_progress"), COPY], ("server_migrating",))
    ),
    "server is copied": Case(
        "copied", Servers([source("migration_driver_phase1_done"), COPY], ("server_migrating",))
    ),
    "server's manila-share is down": Case(
        "service_down",
        Servers(
            [source("migration_driver_phase1_done"), COPY],
            ("server_migrating",),
            services=without("new"),
        ),
    ),
    "server's first phase failed": Case(
        "phase1_failed",
        Servers([source("migration_error", "active"), BROKEN]),
        [remove],
        afterwards=Servers([source("migration_error", "active")]),
    ),
    "server was cancelled": Case(
        "cancelled",
        Servers(
            [
                source("migration_cancelled", "active"),
                {**COPY, "status": "inactive", "task_state": "migration_cancelled"},
            ]
        ),
        [status("/share-servers/v2", "error"), remove],
        afterwards=SERVER_CANCELLED,
    ),
    "server's start was refused": Case(
        "start_refused",
        Servers([source("migration_starting")], ("error", "available")),
        [status(SERVER, "active"), task(None, SERVER)],
        afterwards=SERVER_RESTS,
    ),
    "server's start halted": Case(
        "start_halted",
        Servers([source("migration_starting")], ("server_migrating",), snapshot="server_migrating"),
        RELEASE,
        safe=False,
        good_copy="source",
        afterwards=SERVER_RESTS,
    ),
    "a cancel that does not show": Case(
        "cancelling",
        moving(
            "migration_driver_phase1_done",
            metadata={INTERRUPTED: f"i1 cancelled at {Clock().text(600)[:19]}Z"},
        ),
    ),
    "server's cancel failed": Case(
        "cancel_failed",
        Servers([source("migration_cancel_in_progress"), COPY], ("server_migrating",)),
        [task("migration_driver_in_progress", SERVER), CANCEL_SERVER],
        safe=False,
        cancel_again=True,
        afterwards=SERVER_CANCELLED,
    ),
    "server's cutover halted": Case(
        "cutover_halted",
        Servers([source("migration_completing"), COPY], ("server_migrating",)),
        [task("migration_driver_phase1_done", SERVER), CANCEL_SERVER],
        safe=False,
        good_copy="source",
        afterwards=SERVER_CANCELLED,
    ),
    "server's cutover failed": Case(
        "phase2_failed",
        Servers([source("migration_error", "error"), BROKEN], ("error",), snapshot="error"),
        [*RELEASE, remove],
        safe=False,
        good_copy="source",
        afterwards=SERVER_RESTS,
    ),
    "a server was left": Case(
        "leftover",
        Servers([source(None, "active"), BROKEN]),
        [remove],
        afterwards=SERVER_RESTS,
    ),
    "server in use, with the state of a migration": Case(
        "stale_state",
        Servers([source("migration_driver_phase1_done", "active")]),
        [task(None, SERVER)],
        afterwards=SERVER_RESTS,
    ),
    "server's rules are not in force": Case(
        "rules_not_restored",
        Servers([source("migration_cancelled", "active")], applied=False),
        safe=False,
    ),
    "server moved, the old one was left": Case(
        "source_left",
        Servers([source("migration_success", "inactive"), *MOVED.servers], at="v2"),
        [status(SERVER, "error"), partial(remove, server_id="v1")],
        afterwards=MOVED,
    ),
    "server in error by itself": Case(
        "unknown", Servers([source(None, "error")], ("error",)), safe=False
    ),
}


@pytest.fixture
def run(session, clock):
    def call(case: Case, *scenes: Scene | Servers, check: bool = False, **args: Any):
        """Run the module; the cloud shows ``scenes`` one after the other, else that of the case."""
        in_process.open_cloud(session, clock)
        if isinstance(case.scene, Scene):
            session.expect("GET", "/shares/s1", {"share": share(status=case.scene.status)})
        for scene in scenes or [case.scene] * case.looks:
            scene.expect(session, clock)
        args = {**TIMES, **case.subject, **case.args, **args}
        args = {name: value for name, value in args.items() if value is not None}
        return in_process.run(migration_repair, args, session=session, clock=clock, check=check)

    return call


def where(wanted: Callable[[Case], bool]) -> Any:
    chosen = {name: case for name, case in CASES.items() if wanted(case)}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen)


def test_every_code_is_among_the_cases():
    assert {case.code for case in CASES.values()} == set(CODES)


@where(lambda case: True)
def test_a_diagnosis_changes_nothing(session, run, case):
    result = run(case)
    diagnosis = result["diagnosis"]
    assert (diagnosis["code"], diagnosis["safe"]) == (case.code, case.safe)
    assert (result["changed"], result["actions"]) == (False, [])
    assert session.changes() == []
    assert diagnosis["id"] in case.subject.values()
    in_process.check_complete(migration_repair, result, without={"diagnoses"})


# -- repairs ---------------------------------------------------------------------------------

FORGET = f"/shares/s1/metadata/{INTERRUPTED}"


def requests(*steps: Expect) -> list[tuple[str, str, Any]]:
    """What some steps send that is not only read."""
    session = Session()
    for step in steps:
        step(session)
    return [
        (entry.method, entry.url, entry.body if entry.method == "POST" else None)
        for entry in session.script
        if entry.method != "GET"
    ]


@dataclass(frozen=True)
class Steps:
    """Steps of a repair, in the place of a scene."""

    steps: Sequence[Expect]

    def expect(self, session: Session, _clock: Clock) -> None:
        for step in self.steps:
            step(session)


@where(lambda case: bool(case.steps))
def test_a_repair_takes_its_steps_in_order_and_only_once(session, run, case):
    args = {"state": "repaired", **case.words}
    assert case.safe is not bool(case.words)
    looks = [case.scene] * case.looks
    ends = [case.afterwards]
    forget = case.subject == {"share": "s1"}
    if forget:
        ends.append(Steps([lambda session: session.expect("DELETE", FORGET)]))
    result = run(case, *looks, Steps(case.steps), *ends, **args)
    assert not result.get("failed"), result["msg"]
    assert result["changed"] and len(result["actions"]) >= 1
    assert result["diagnosis"]["safe"] and result["diagnosis"]["procedure"] == []
    assert result["diff"] == {
        "before": {"diagnosis": case.code},
        "after": {"diagnosis": result["diagnosis"]["code"]},
    }
    assert session.changes() == requests(*case.steps) + ([("DELETE", FORGET, None)] * forget)
    in_process.check_complete(migration_repair, result, without={"diagnoses"})

    session.sent.clear()
    again = run(replace(case, scene=case.afterwards), case.afterwards, **args)
    assert (again["changed"], again["actions"]) == (False, []) and session.changes() == []


@where(lambda case: bool(case.steps))
def test_check_mode_tells_the_steps_and_takes_none(session, run, case):
    result = run(case, check=True, state="repaired", **case.words)
    assert result["changed"] and session.changes() == []
    assert result["actions"] == result["diagnosis"]["procedure"] != []


@where(lambda case: not case.safe)
def test_what_is_not_safe_is_not_repaired_without_a_word(session, run, case):
    result = run(case, state="repaired")
    assert result["failed"] and f"({case.code})" in result["msg"]
    assert (result["changed"], result["actions"]) == (False, []) and session.changes() == []


@where(lambda case: not case.safe and not case.steps)
def test_a_word_does_not_help_where_there_is_no_procedure(session, run, case):
    result = run(case, state="repaired", good_copy="source")
    assert result["failed"] and not result["changed"] and session.changes() == []


@where(lambda case: case.well)
def test_what_is_well_is_left_alone(session, run, case):
    result = run(case, state="repaired")
    assert (result["changed"], result["actions"]) == (False, []) and session.changes() == []


DIED = CASES["manila-data died"]
HALTED = CASES["cancel halted"]
LEFT = CASES["a copy was left"]


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (FORBIDDEN, 403),
        (refusal("not found", 404), 404),
        (refusal("busy", 409), 409),
        (refusal("oh", 500), 500),
        (CUT, None),
        (LATE, None),
    ],
    ids=["403", "404", "409", "500", "cut", "late"],
)
def test_a_step_that_fails_ends_the_repair(session, run, number, answer, code):
    def fails(session: Session) -> None:
        HALTED.steps[number](session)
        session.script[-1] = replace(session.script[-1], answer=answer, status=code or 200)

    done = HALTED.steps[:number]
    scenes = [HALTED.scene, HALTED.scene, Steps([*done, fails]), HALTED.scene]
    result = run(HALTED, *scenes, state="repaired")
    assert result["failed"] and result.get("status_code") == code
    assert len(result["actions"]) == number and result["diagnosis"]["code"]
    # Where no answer came, it may have been done.
    assert result["changed"] is (number > 0 or code in (None, 500))


@pytest.mark.parametrize(
    ("answer", "code"),
    [(None, 202), (refusal("not found", 404), 404)],
    ids=["deleted", "gone"],
)
def test_an_instance_that_is_gone_needs_no_deletion(session, run, answer, code):
    def gone(session: Session) -> None:
        LEFT.steps[0](session)
        session.script[-1] = replace(session.script[-1], answer=answer, status=code)

    forget = Steps([lambda session: session.expect("DELETE", FORGET, refusal("none", 404), 404)])
    scenes = [LEFT.scene, LEFT.scene, Steps([gone]), FAILED, forget]
    result = run(LEFT, *scenes, state="repaired")
    assert not result.get("failed") and len(result["actions"]) == 1


@pytest.mark.parametrize("others", [[], ["error"], ["deleting", "migrating_to"]])
def test_a_share_is_never_deleted_with_its_last_instance(session, run, others):
    """What the last look says counts, not the diagnosis: another one may have acted meanwhile."""

    def look(session: Session) -> None:
        listed = [
            instance("i1"),
            *(instance(f"o{n}", status=entry) for n, entry in enumerate(others)),
        ]
        session.expect("GET", "/shares/s1/instances", {"share_instances": listed})

    result = run(LEFT, LEFT.scene, LEFT.scene, Steps([look]), LEFT.scene, state="repaired")
    assert result["failed"] and not result["changed"] and session.changes() == []


def test_a_copy_that_manila_data_works_on_is_not_cancelled(session, run):
    """Any manila-data that starts writes the error on running copies of others, too."""

    def copies(session: Session) -> None:
        session.expect("GET", "/shares/s1/migration-progress", {"total_progress": 5})

    running = moving("data_copying_in_progress", copying=({"total_progress": 6}, 200))
    scenes = [DIED.scene, DIED.scene, Steps([DIED.steps[0], copies]), running]
    result = run(DIED, *scenes, state="repaired")
    assert not result.get("failed") and result["diagnosis"]["code"] == "running"
    assert session.changes() == requests(DIED.steps[0])


@pytest.mark.parametrize("after", range(3))
@pytest.mark.parametrize("trouble", ["no answer", "another state"])
def test_manila_data_that_gives_no_clear_answer_is_not_taken_for_no(session, run, after, trouble):
    def unclear(session: Session) -> None:
        ask(session)
        del session.script[-8 + 2 * after + (1 if trouble == "no answer" else 2) :]
        if trouble == "no answer":
            session.script[-1] = replace(session.script[-1], answer=LATE)
        else:
            other = share(status="migrating", task_state="data_copying_completing")
            session.script[-1] = replace(session.script[-1], answer={"share": other})

    scenes = [DIED.scene, DIED.scene, Steps([DIED.steps[0], unclear]), DIED.scene]
    result = run(DIED, *scenes, state="repaired")
    assert result["failed"] and "no clear answer" in result["msg"]
    assert session.changes() == requests(DIED.steps[0])


def test_what_a_repair_uncovers_is_repaired_too(session, run):
    """A cancel of a share server leaves its destination."""
    case, then = CASES["server's cancel failed"], CASES["server was cancelled"]
    scenes = [case.scene, Steps(case.steps), then.scene, Steps(then.steps), then.afterwards]
    result = run(case, *scenes, state="repaired", **case.words)
    assert not result.get("failed")
    assert len(result["actions"]) == len(case.steps) + len(then.steps)


def test_the_end_of_a_repair_is_waited_for_and_not_for_ever(session, run, clock):
    case = CASES["server's cancel failed"]
    going = [case.scene] * 4  # at 0, 40, 80 and 120 s
    result = run(
        case, case.scene, Steps(case.steps), *going, state="repaired", timeout=100, **case.words
    )
    assert result["failed"] and result["changed"] and len(result["actions"]) == 2
    assert f"({case.code})" in result["msg"] and clock.naps == [40, 40, 40]


def test_the_mechanism_decides_from_where_a_share_is_cancelled(session, run):
    case = CASES["cutover halted, nobody says who copied"]
    for mechanism, task_state in (
        ("host", "data_copying_completed"),
        ("driver", "migration_driver_phase1_done"),
    ):
        result = run(case, mechanism=mechanism)
        procedure = result["diagnosis"]["procedure"]
        assert any(task_state in entry for entry in procedure)


# -- everything at a place -------------------------------------------------------------------


def test_everything_at_a_back_end_is_diagnosed_and_nothing_is_changed(session, clock):
    shares = [share(task_state="migration_error"), share("s2"), share("s3", host=NEW)]
    instances = [instance("i0"), instance("i2", "s2"), instance("i3", "s3", NEW)]
    in_process.open_cloud(session, clock)
    session.expect("GET", "/shares/detail?all_tenants=1", {"shares": shares})
    session.expect("GET", "/share_instances", {"share_instances": instances})
    scene = CASES["server's first phase failed"].scene
    session.expect("GET", "/share-servers", {"share_servers": list(scene.servers)})
    FAILED.expect(session, clock)
    scene.expect(session, clock)
    args = {"host": "node@old", **TIMES}
    result = in_process.run(migration_repair, args, session=session, clock=clock)
    assert [(entry["kind"], entry["id"], entry["code"]) for entry in result["diagnoses"]] == [
        ("share", "s1", "phase1_failed"),
        ("share_server", "v1", "phase1_failed"),
    ]
    assert not result["changed"] and session.changes() == []
    without = {"diagnosis", "actions"}
    in_process.check_complete(migration_repair, result, without=without)


def test_several_are_watched_in_the_same_minute_and_what_goes_is_left_out(session, clock):
    halted, gone = LEFT.scene, share("s2", status="error")
    shares = [share(status=halted.status, task_state=halted.task_state), gone]
    instances = [instance("i0"), instance("i1", host=NEW, status="migrating_to")]
    instances.append(instance("i2", "s2", status="error"))
    in_process.open_cloud(session, clock)
    session.expect("GET", "/shares/detail?all_tenants=1", {"shares": shares})
    session.expect("GET", "/share_instances", {"share_instances": instances})
    session.expect("GET", "/share-servers", {"share_servers": []})
    halted.expect(session, clock)
    session.expect("GET", "/shares/s2", refusal("not found", 404), 404)
    halted.expect(session, clock)
    session.expect("GET", "/shares/s2", refusal("not found", 404), 404)
    args = {"host": "node@old", **TIMES}
    result = in_process.run(migration_repair, args, session=session, clock=clock)
    assert [(entry["id"], entry["code"]) for entry in result["diagnoses"]] == [("s1", "leftover")]
    assert clock.naps == [40]


# -- arguments and what isn't there ----------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({}, "share"),
        ({"share": ""}, "share"),
        ({"host": None}, "host"),
        ({"share": "s1", "share_server": "v1"}, "mutually exclusive"),
        ({"share": "s1", "state": "mended"}, "state"),
        ({"share": "s1", "good_copy": "both"}, "good_copy"),
        ({"share": "s1", "poll_interval": 0}, "poll_interval"),
        ({"share": "s1", "patience": -1}, "patience"),
        ({"share_server": "v1", "good_copy": "destination"}, "good_copy"),
        ({"host": "node@old", "state": "repaired"}, "host"),
        ({"host": "node"}, "host"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(session, clock, args, option):
    result = in_process.run(migration_repair, args, session=session, clock=clock)
    assert result["failed"] and option in result["msg"]
    assert session.sent == []


def test_a_share_that_is_not_there(session, clock):
    in_process.open_cloud(session, clock)
    session.expect("GET", "/shares/web", refusal("not found", 404), 404)
    session.expect("GET", "/shares/detail?all_tenants=1&name=web", {"shares": []})
    result = in_process.run(migration_repair, {"share": "web"}, session=session, clock=clock)
    assert result["failed"] and "'web'" in result["msg"]


def test_a_share_server_that_is_not_there(session, clock):
    in_process.open_cloud(session, clock)
    session.expect("GET", "/share-servers", {"share_servers": [server("v9")]})
    args = {"share_server": "v1"}
    result = in_process.run(migration_repair, args, session=session, clock=clock)
    assert result["failed"] and "'v1'" in result["msg"]
