# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An evacuation of one share, request by request, and the action plugin that watches it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.action import evacuation as action
from ansible_collections.manila.migration.plugins.module_utils._model.markers import INTERRUPTED
from ansible_collections.manila.migration.plugins.modules import evacuation
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    ANY_SERVICES,
    CUT,
    FORBIDDEN,
    LATE,
    MARKED,
    MIGRATING,
    NEW,
    OLD,
    Clock,
    Session,
    instance,
    live_services,
    refusal,
    service,
    share,
)

ENTRY = {
    "kind": "share",
    "id": "s1",
    "name": "web",
    "source": OLD,
    "destination": NEW,
    "size_gb": 3,
}
PLAN = {"version": 1, "migrations": [ENTRY]}

AT_SOURCE, AT_DESTINATION = [instance("i1")], [instance("i2", host=NEW)]
BOTH = [
    instance("i1", status="migrating"),
    instance("i2", host=NEW, status="migrating_to", created_at="2027-01-15T08:00:00"),
]
IDLE = share()
COPYING = share(status="migrating", task_state="migration_driver_in_progress")
COPIED = share(status="migrating", task_state="migration_driver_phase1_done")
COMPLETING = share(status="migrating", task_state="migration_completing")
COMPLETED = share(host=NEW, task_state="migration_success")

START = {
    "migration_start": {
        "host": NEW,
        "force_host_assisted_migration": False,
        "preserve_metadata": False,
        "preserve_snapshots": False,
        "writable": False,
        "nondisruptive": False,
        "new_share_network_id": None,
        "new_share_type_id": None,
    }
}
COMPLETE, CANCEL = {"migration_complete": None}, {"migration_cancel": None}


class Script:
    """The parts of which an evacuation's script is made."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self.session = session
        self.clock = clock
        self.services = ANY_SERVICES

    def opens(self) -> None:
        in_process.open_cloud(self.session, self.clock)
        # The lease looks for a cordon, and finds none.
        self.reads_services()

    def reads_services(self) -> None:
        self.session.expect("GET", "/services", live_services(self.clock, self.services))

    def looks(self, shown: dict[str, Any], instances: list[dict[str, Any]]) -> None:
        """A look at the share, as before everything that is sent."""
        self.session.expect("GET", "/shares/s1", {"share": shown})
        self.session.expect("GET", "/shares/s1/instances", {"share_instances": instances})

    def polls(
        self,
        shown: dict[str, Any],
        instances: list[dict[str, Any]] | None = None,
        progress: int | None = None,
    ) -> None:
        """One poll; of what is known to migrate the list alone is read."""
        moving = [shown] if shown["status"] == "migrating" else []
        self.session.expect("GET", MIGRATING, {"shares": moving})
        self.session.expect("GET", "/share-servers", {"share_servers": []})
        self.session.expect("GET", MARKED, {"shares": []})
        if instances is not None:
            self.looks(shown, instances)
        self.reads_services()
        if progress is not None:
            answer = {"total_progress": progress}
            self.session.expect("GET", "/shares/s1/migration-progress", answer)

    def reads_facts(self, path: str, snapshots: bool = True) -> None:
        rules = [{"id": "r", "access_type": "ip", "access_to": "192.0.2.1", "access_level": "rw"}]
        self.session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": rules})
        if snapshots:
            url = "/snapshots/detail?all_tenants=1&share_id=s1"
            self.session.expect("GET", url, {"snapshots": []})
        exports = [{"path": path, "is_admin_only": False}]
        self.session.expect("GET", "/shares/s1/export_locations", {"export_locations": exports})

    def sends(self, body: dict[str, Any], answer: Any = None, status: int = 202) -> None:
        self.session.expect("POST", "/shares/s1/action", answer, status, body)

    def starts(self) -> None:
        self.polls(IDLE, AT_SOURCE)
        self.looks(IDLE, AT_SOURCE)
        self.sends(START)

    def copies(self) -> None:
        """From the start to the end of the first phase."""
        self.opens()
        self.starts()
        self.polls(COPYING, progress=40)
        self.polls(COPIED)
        self.polls(COPIED, BOTH)  # where it really goes


@pytest.fixture
def script(session, clock) -> Script:
    return Script(session, clock)


@pytest.fixture
def run(session, clock):
    def call(check: bool = False, **args: Any) -> dict[str, Any]:
        args = {"cloud": "mycloud", "plan": PLAN, "poll_interval": 10, **args}
        return in_process.run(evacuation, args, session=session, clock=clock, check=check)

    return call


@pytest.fixture(autouse=True)
def grace(monkeypatch):
    """A share that is met copied is left alone for 10 s."""
    monkeypatch.setattr("random.uniform", lambda _low, _high: 1)


def test_a_share_is_copied_and_only_once(session, run, script, clock):
    script.copies()
    result = run()
    (record,) = result["migrations"]
    assert result["changed"] and (record["phase"], record["error"]) == ("copied", None)
    assert result["summary"]["copied"] == result["summary"]["total"] == 1
    assert session.changes() == [("POST", "/shares/s1/action", START)]
    assert clock.naps == [10, 10, 10]
    in_process.check_complete(evacuation, result)

    session.sent.clear()
    script.opens()
    script.polls(COPIED, BOTH)
    again = run()
    assert not again["changed"] and again["migrations"][0]["phase"] == "copied"
    assert session.changes() == []


def test_what_is_copied_is_cut_over_and_only_once(session, run, script):
    script.opens()
    script.polls(COPIED, BOTH)
    script.polls(COPIED)
    script.reads_facts("192.0.2.10:/old", snapshots=True)
    script.looks(COPIED, BOTH)
    script.sends(COMPLETE)
    script.polls(COMPLETING)
    script.polls(COMPLETED, AT_DESTINATION)
    script.reads_facts("192.0.2.50:/new", snapshots=False)
    result = run(state="completed", start_new=False)
    (record,) = result["migrations"]
    assert result["changed"] and record["phase"] == "completed"
    assert record["export_locations_before"] == ["192.0.2.10:/old"]
    assert record["export_locations_after"] == ["192.0.2.50:/new"]
    assert session.changes() == [("POST", "/shares/s1/action", COMPLETE)]
    in_process.check_complete(evacuation, result)

    session.sent.clear()
    script.opens()
    script.polls(COMPLETED, AT_DESTINATION)
    again = run(state="completed")
    assert not again["changed"] and session.changes() == []


def test_what_runs_is_cancelled_and_only_once(session, run, script, clock):
    script.opens()
    script.polls(COPYING, BOTH, progress=40)
    script.looks(COPYING, BOTH)
    mark = {INTERRUPTED: f"i2 cancelled at {clock.text()[:19]}Z"}
    session.expect("POST", "/shares/s1/metadata", {"metadata": mark}, body={"metadata": mark})
    script.looks({**COPYING, "metadata": mark}, BOTH)
    script.sends(CANCEL)
    cancelled = share(task_state="migration_cancelled", metadata=mark)
    script.polls(cancelled, AT_SOURCE)
    script.looks(cancelled, AT_SOURCE)
    session.expect("DELETE", f"/shares/s1/metadata/{INTERRUPTED}")
    result = run(state="cancelled")
    assert result["changed"] and result["migrations"][0]["phase"] == "cancelled"

    script.opens()
    script.polls(share(task_state="migration_cancelled"), AT_SOURCE)
    assert not run(state="cancelled")["changed"]


@pytest.mark.parametrize(
    ("shown", "instances", "state", "waits_for", "changed"),
    [
        (IDLE, AT_SOURCE, "copied", "operator", True),
        (IDLE, AT_SOURCE, "cancelled", None, False),
        (COPIED, BOTH, "completed", "operator", True),
        (COPIED, BOTH, "cancelled", None, True),
        (COPIED, BOTH, "copied", None, False),
    ],
)
def test_check_mode_looks_once_and_sends_nothing(
    session, run, script, clock, shown, instances, state, waits_for, changed
):
    in_process.open_cloud(session, clock)  # no claim on a cordon is looked for
    script.polls(shown, instances)
    result = run(check=True, state=state)
    waiting = result["migrations"][0]["waiting_for"]
    assert (waiting and waiting["code"]) == waits_for
    assert result["changed"] is changed
    assert session.changes() == [] and clock.naps == []
    in_process.check_complete(evacuation, result)


def test_exports_of_what_is_copied_on_request(run, script, session, clock):
    in_process.open_cloud(session, clock)
    script.polls(COPIED, BOTH)
    script.looks(COPIED, BOTH)
    script.reads_facts("192.0.2.10:/old")
    result = run(check=True, with_exports=True)
    assert result["migrations"][0]["export_locations_before"] == ["192.0.2.10:/old"]


# -- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (FORBIDDEN, 403),
        (refusal("Service node@new could not be found.", 404), 404),
        (refusal("Share has replicas", 409), 409),
    ],
    ids=["403", "404", "409"],
)
def test_a_refused_start_is_a_failure_with_the_words_of_manila(
    session, run, script, answer, status
):
    script.opens()
    script.polls(IDLE, AT_SOURCE)
    script.looks(IDLE, AT_SOURCE)
    script.sends(START, answer, status)
    script.looks(IDLE, AT_SOURCE)  # whether it was refused for what has changed meanwhile
    result = run()
    (record,) = result["migrations"]
    assert result["failed"] and not result["changed"]
    assert record["error"] and record["error"] in result["msg"]
    assert result["summary"]["failed"] == 1
    in_process.check_complete(evacuation, result)


@pytest.mark.parametrize(
    ("answer", "status"), [(refusal("oh", 500), 500), (LATE, 200)], ids=["500", "late"]
)
def test_a_start_without_an_answer_is_looked_for_and_not_sent_again(
    session, run, script, answer, status
):
    script.opens()
    script.polls(IDLE, AT_SOURCE)
    script.looks(IDLE, AT_SOURCE)
    script.sends(START, answer, status)
    script.polls(COPYING, BOTH, progress=40)
    script.polls(COPIED)
    script.polls(COPIED, BOTH)
    result = run()
    assert not result.get("failed") and result["migrations"][0]["phase"] == "copied"
    assert len(session.changes()) == 1


def test_a_copy_that_fails(run, script):
    script.opens()
    script.starts()
    script.polls(COPYING, progress=40)
    script.polls(share(task_state="migration_error"), AT_SOURCE)
    result = run()
    assert result["failed"] and result["migrations"][0]["phase"] == "failed"


def test_a_share_that_its_owner_has_deleted_is_no_failure(run, script, session):
    script.opens()
    session.expect("GET", MIGRATING, {"shares": []})
    session.expect("GET", "/share-servers", {"share_servers": []})
    session.expect("GET", MARKED, {"shares": []})
    session.expect("GET", "/shares/s1", refusal("not found", 404), 404)
    script.reads_services()
    result = run()
    assert not result["changed"] and result["migrations"][0]["error"] is None


def test_time_that_is_over_is_a_failure_that_says_how_to_go_on(run, script, clock):
    script.opens()
    script.starts()
    script.polls(COPYING, progress=40)
    script.polls(COPYING, progress=50)
    result = run(timeout=15)
    (record,) = result["migrations"]
    assert result["failed"] and result["changed"]
    assert (record["phase"], record["progress"]) == ("copying", 50)
    assert "After 15 s" in result["msg"] and "Run it again" in result["msg"]
    assert clock.naps == [10, 5]


def test_a_manila_that_is_away_for_a_moment_is_waited_for(run, script, session, clock):
    script.opens()
    script.starts()
    for _number in range(9):
        session.expect("GET", MIGRATING, CUT)
    script.polls(COPIED)
    script.polls(COPIED, BOTH)
    assert run()["migrations"][0]["phase"] == "copied"


def test_another_run_at_work_is_named_and_nothing_is_sent(session, run, script):
    def reason(beat: int) -> str:
        who = "someone@elsewhere (12.34@other-machine)"
        return (
            f"manila.migration: evacuating; at work: run cafe0123 of {who}, "
            f"sign of life {beat}, every 40 s"
        )

    for beat in (5, 6):
        cordoned = service("node@old", status="disabled", disabled_reason=reason(beat))
        script.services = (cordoned, *ANY_SERVICES[1:])
        if beat == 5:
            script.opens()
        else:
            script.reads_services()
    result = run()
    assert result["failed"] and "cafe0123" in result["msg"] and session.changes() == []


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({"plan": {"version": 2, "migrations": []}}, "plan"),
        ({"plan": {"version": 1, "migrations": [{**ENTRY, "source": NEW}]}}, "plan"),
        ({"plan": {"version": 1, "migrations": [ENTRY, ENTRY]}}, "plan"),
        ({"state": "moved"}, "state"),
        ({"max_parallel": 0}, "max_parallel"),
        ({"max_parallel_per_pool": 0}, "max_parallel_per_pool"),
        ({"max_failures": 0}, "max_failures"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"copy_timeout": -1}, "copy_timeout"),
        ({"cutover_timeout": -1}, "cutover_timeout"),
        ({"cutover_window": {"start": "22:00"}}, "cutover_window"),
        ({"cutover_window": {"start": "late", "end": "05:00"}}, "cutover_window"),
        (
            {"cutover_window": {"start": "22:00", "end": "05:00", "cutover_seconds": -1}},
            "cutover_window",
        ),
        ({"progress_file": "/nowhere/progress"}, "progress_file"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(session, run, args, option):
    result = run(**args)
    assert result["failed"] and option in result["msg"]
    assert session.sent == []


def test_a_plan_without_migrations_takes_no_cloud(session, run):
    result = run(plan={"version": 1, "migrations": []})
    assert not result["changed"] and result["migrations"] == [] and session.sent == []
    in_process.check_complete(evacuation, result)


# -- the file of progress, and who watches it --------------------------------------------------


@pytest.fixture
def progress(tmp_path):
    return tmp_path / "progress"


@pytest.fixture
def lock(progress) -> Iterator[Any]:
    """Held as the action plugin does it: the kernel drops it with the process."""
    with open(f"{progress}.lock", "w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield held


def lines(progress) -> list[dict[str, Any]]:
    return [json.loads(text) for text in progress.read_text().splitlines()]


def test_each_poll_is_a_line_of_progress(run, script, progress, lock):
    script.copies()
    run(progress_file=str(progress))
    _begun, copying, _copied, end = lines(progress)
    assert "40 %" in copying["table"][0] and end["line"].startswith("1 copied of 1")


def test_a_file_without_a_lock_is_written_to_the_end(run, script, progress):
    script.copies()
    assert not run(progress_file=str(progress)).get("failed")
    assert len(lines(progress)) == 4


@pytest.mark.parametrize("leaves", ["dies", "goes with its folder"])
def test_without_its_watcher_nothing_more_is_sent(
    session, run, script, progress, lock, tmp_path, leaves
):
    """The lock goes after the first poll has been read, right before the start is sent."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "progress"
    watched = open(f"{path}.lock", "w", encoding="utf-8")  # noqa: SIM115
    fcntl.flock(watched, fcntl.LOCK_EX)

    def last_answer() -> dict[str, Any]:
        watched.close()
        if leaves != "dies":
            for entry in folder.iterdir():
                entry.unlink()
            folder.rmdir()
        return {"share_instances": AT_SOURCE}

    script.opens()
    script.polls(IDLE, AT_SOURCE)
    session.expect("GET", "/shares/s1", {"share": IDLE})
    session.expect("GET", "/shares/s1/instances", last_answer)
    result = run(progress_file=str(path))
    assert result["failed"] and "stops here" in result["msg"]
    assert not result["changed"] and session.changes() == []
    assert len(result["migrations"]) == 1


def test_a_watcher_that_dies_during_a_copy_ends_the_run_at_the_next_poll(
    session, run, script, progress, lock
):
    script.opens()
    script.starts()
    script.polls(COPYING)
    session.expect("GET", "/shares/s1/migration-progress", lock.close)
    result = run(progress_file=str(progress))
    assert result["failed"] and result["changed"] and "stops here" in result["msg"]
    assert result["migrations"][0]["phase"] == "copying"
    assert len(lines(progress)) == 1


# -- the action plugin -----------------------------------------------------------------------


class Display:
    """What the plugin shows."""

    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, text: str, stderr: bool = False) -> None:
        assert stderr  # stdout is block-buffered on a pipe, and callbacks print JSON there
        self.lines.append(text)


@pytest.fixture
def display(monkeypatch) -> Display:
    shown = Display()
    monkeypatch.setattr(action, "display", shown)
    return shown


@pytest.fixture
def plugin(monkeypatch, tmp_path):
    """Run the plugin; ``execute`` stands for Ansible's way to run the module."""
    monkeypatch.setattr(action.tempfile, "tempdir", str(tmp_path))

    def call(execute, *, check=False, become=False, transport="local", **args):
        task = SimpleNamespace(
            args={"plan": PLAN, **args}, check_mode=check, async_val=0, action="evacuation"
        )
        context = SimpleNamespace(become=become)
        shell = SimpleNamespace(tmpdir=str(tmp_path))
        connection = SimpleNamespace(transport=transport, _shell=shell)
        module = action.ActionModule(task, connection, context, None, None, None)
        monkeypatch.setattr(module, "_execute_module", execute)
        result = module.run(task_vars={})
        # Nothing is left of the file of progress.
        assert [
            entry for entry in os.listdir(tmp_path) if entry.startswith("manila-migration-")
        ] == []
        return result

    return call


@pytest.fixture
def execute(session, clock):
    """Run the module in this process, in the place of Ansible."""

    def call(module_name, module_args, task_vars):
        assert module_name == "manila.migration.evacuation"
        args = {"cloud": "mycloud", "poll_interval": 10, **module_args}
        return in_process.run(evacuation, args, session=session, clock=clock)

    return call


def writes(*news: tuple[str, list[str]]):
    """A module that writes some lines of progress, with their tables."""

    def call(module_name, module_args, task_vars):
        with open(module_args["progress_file"], "a", encoding="utf-8") as progress:
            for line, table in news:
                progress.write(json.dumps({"line": line, "table": table}) + "\n")
        return {"changed": False}

    return call


def test_the_progress_of_the_module_is_shown_and_its_result_returned(
    plugin, execute, script, display
):
    script.copies()
    result = plugin(execute)
    assert result["changed"] and result["migrations"][0]["phase"] == "copied"
    told = [text.split(" ", 1)[1] for text in display.lines if " copied: " in text]
    assert told[0].startswith("copied: 1 copying") and told[-1].startswith("copied: 1 copied of 1")


def test_a_failure_of_the_module_is_that_of_the_task(plugin, execute, script, display):
    script.opens()
    script.polls(IDLE, AT_SOURCE)
    script.looks(IDLE, AT_SOURCE)
    script.sends(START, FORBIDDEN, 403)
    script.looks(IDLE, AT_SOURCE)
    result = plugin(execute)
    assert result["failed"] and result["summary"]["failed"] == 1


@pytest.mark.parametrize(
    ("how", "args"),
    [
        ({"check": True}, {}),
        ({"become": True}, {}),
        ({"transport": "ssh"}, {}),
        ({}, {"progress_file": "/srv/progress"}),
    ],
    ids=["check mode", "become", "elsewhere", "a file of one's own"],
)
def test_where_nothing_can_be_watched_the_module_runs_as_any_other(plugin, display, how, args):
    asked = []

    def execute(module_name, module_args, task_vars):
        asked.append(module_args)
        return {"changed": False, "summary": {}}

    result = plugin(execute, **how, **args)
    assert asked == [{"plan": PLAN, **args}] and result["summary"] == {}
    assert display.lines == []


def test_a_line_that_says_nothing_new_is_shown_once_a_minute(plugin, display, monkeypatch):
    times = iter([0.0, 30.0, 59.0, 60.0, 61.0])
    clock = SimpleNamespace(monotonic=lambda: next(times), strftime=lambda _form: "12:00:00")
    monkeypatch.setattr(action, "time", clock)
    plugin(writes(*[("a", [])] * 4, ("b", [])), state="completed")
    assert display.lines == ["12:00:00 completed: a"] * 2 + ["12:00:00 completed: b"]


@pytest.mark.parametrize(("verbosity", "tables"), [(0, 2), (1, 3)])
def test_the_table_is_shown_every_ten_minutes_and_more_often_on_request(
    plugin, display, monkeypatch, verbosity, tables
):
    times = iter([700.0, 1000.0, 1300.0])
    clock = SimpleNamespace(monotonic=lambda: next(times), strftime=lambda _form: "12:00:00")
    monkeypatch.setattr(action, "time", clock)
    display.verbosity = verbosity
    plugin(writes(("a", ["row"]), ("b", ["row"]), ("c", ["row"])))
    assert len(display.lines) == 3 + tables


def test_a_line_is_shown_when_it_is_written_to_its_end(display, tmp_path):
    """The lines of large runs are longer than what is written at once."""
    module = action.ActionModule(SimpleNamespace(args={}), None, None, None, None, None)
    text = json.dumps({"line": "a", "table": ["row"]}) + "\n"
    path = tmp_path / "progress"
    with open(path, "w", encoding="utf-8") as writer, open(path, encoding="utf-8") as progress:
        for part, shown in ((text[:5], 0), ("", 0), (text[5:] + text[:-1], 1), ("\n", 1)):
            display.lines.clear()
            writer.write(part)
            writer.flush()
            module._said = ("", 0.0)
            module._show(progress)
            assert sum(line.endswith(": a") for line in display.lines) == shown


def test_an_error_around_the_module_is_that_of_the_task(plugin, display):
    def execute(module_name, module_args, task_vars):
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        plugin(execute)


def test_no_result_is_a_failure(plugin, display):
    result = plugin(lambda **_given: {})
    assert result["failed"] and "without a result" in result["msg"]


def test_the_module_stops_when_its_watcher_loses_its_playbook(
    plugin, execute, script, session, display, monkeypatch
):
    """The plugin is left alone while the module is in the middle of a poll."""
    watched, over, results = threading.Event(), threading.Event(), []

    def late_answer() -> dict[str, Any]:
        assert watched.wait(timeout=30)
        return {"share_instances": AT_SOURCE}

    def runs(**given: Any) -> dict[str, Any]:
        results.append(execute(**given))
        over.set()
        return results[0]

    script.opens()
    script.polls(IDLE, AT_SOURCE)
    session.expect("GET", "/shares/s1", {"share": IDLE})
    session.expect("GET", "/shares/s1/instances", late_answer)
    parents = iter([1000])
    monkeypatch.setattr(action.os, "getppid", lambda: next(parents, 1))
    assert plugin(runs)["failed"]
    watched.set()
    assert over.wait(timeout=30)
    assert "stops here" in results[0]["msg"] and session.changes() == []
