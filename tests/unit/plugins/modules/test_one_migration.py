# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for one share and for one share server, request by request."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.markers import INTERRUPTED
from ansible_collections.manila.migration.plugins.modules import (
    share_migration,
    share_server_migration,
)
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    CUT,
    FORBIDDEN,
    LATE,
    NETWORKS,
    NEW,
    OLD,
    instance,
    live_services,
    pool,
    read_source,
    refusal,
    server,
    share,
)


@pytest.fixture(autouse=True)
def grace(monkeypatch):
    """A share that is met copied is left alone for 10 s."""
    monkeypatch.setattr("random.uniform", lambda _low, _high: 1)


def facts(session, path, snapshots=True):
    session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": []})
    if snapshots:
        url = "/snapshots/detail?all_tenants=1&share_id=s1"
        session.expect("GET", url, {"snapshots": []})
    exports = {"export_locations": [{"path": path}]}
    session.expect("GET", "/shares/s1/export_locations", exports)


# -- one share -------------------------------------------------------------------------------

AT_SOURCE, AT_DESTINATION = [instance("i1")], [instance("i2", host=NEW)]
BOTH = [instance("i1", status="migrating"), instance("i2", host=NEW, status="migrating_to")]
IDLE = share(), AT_SOURCE
COPYING = share(status="migrating", task_state="migration_driver_in_progress"), BOTH
COPIED = share(status="migrating", task_state="migration_driver_phase1_done"), BOTH
COMPLETING = share(status="migrating", task_state="migration_completing"), BOTH
COMPLETED = share(host=NEW, task_state="migration_success"), AT_DESTINATION
CANCELLED = share(task_state="migration_cancelled"), AT_SOURCE


POOLS = pool(OLD), pool(NEW)


def mark(clock):
    """What is written right before a cancel."""
    return {INTERRUPTED: f"i2 cancelled at {clock.text()[:19]}Z"}


def marked(state, clock):
    return {**state[0], "metadata": mark(clock)}, state[1]


class ShareScript:
    """The parts of the script of one share."""

    def __init__(self, session, clock):
        self.session, self.clock = session, clock

    def opens(self, state):
        in_process.open_cloud(self.session, self.clock)
        self.session.expect("GET", "/shares/s1", {"share": state[0]})

    def looks(self, state):
        self.session.expect("GET", "/shares/s1", {"share": state[0]})
        self.session.expect("GET", "/shares/s1/instances", {"share_instances": state[1]})

    def polls(self, state, progress=None):
        self.looks(state)
        self.session.expect("GET", "/services", live_services(self.clock))
        if progress is not None:
            answer = {"total_progress": progress}
            self.session.expect("GET", "/shares/s1/migration-progress", answer)

    def reads_all(self, pools=POOLS):
        """What may be in the way is read before a start, and never otherwise."""
        self.session.expect("GET", "/shares/s1", {"share": share()})
        read_source(self.session, self.clock, [share()], AT_SOURCE, pools)
        self.session.expect("GET", "/shares/s1/instances", {"share_instances": AT_SOURCE})
        url = "/snapshots/detail?all_tenants=1&share_id=s1"
        self.session.expect("GET", url, {"snapshots": []})
        self.session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": []})

    def sends(self, name, answer=None, status=202, **fields):
        body = {name: {**fields} or None}
        self.session.expect("POST", "/shares/s1/action", answer, status, body)

    def marks(self):
        written = {"metadata": mark(self.clock)}
        self.session.expect("POST", "/shares/s1/metadata", written, body=written)

    def unmarks(self):
        self.session.expect("DELETE", f"/shares/s1/metadata/{INTERRUPTED}")

    def starts(self, answer=None, status=202, **options):
        given = {
            "host": NEW,
            "force_host_assisted_migration": False,
            "preserve_metadata": False,
            "writable": False,
            "nondisruptive": False,
            "preserve_snapshots": False,
            "new_share_network_id": None,
            "new_share_type_id": None,
            **options,
        }
        self.opens(IDLE)
        self.polls(IDLE)
        self.reads_all()
        # What was found idle is looked at again right before the start, not in between.
        self.session.expect("GET", "/services", live_services(self.clock))
        self.looks(IDLE)
        self.sends("migration_start", answer, status, **given)


@pytest.fixture
def script(session, clock):
    return ShareScript(session, clock)


@pytest.fixture
def run(session, clock):
    def call(check=False, **args):
        args = {"share": "s1", "destination_pool": NEW, "poll_interval": 10, **args}
        return in_process.run(share_migration, args, session=session, clock=clock, check=check)

    return call


def test_a_share_is_copied_and_only_once(session, run, script):
    script.starts(nondisruptive=True)
    script.polls(COPYING, progress=40)
    script.polls(COPIED)
    result = run(nondisruptive=True)
    assert result["changed"] and result["migration"]["phase"] == "copied"
    assert result["diff"]["before"]["phase"] == "idle"
    assert result["diff"]["after"]["phase"] == "copied"
    in_process.check_complete(share_migration, result, without={"blockers"})

    session.sent.clear()
    script.opens(COPIED)
    script.polls(COPIED)
    assert not run()["changed"] and session.changes() == []


def test_without_a_wait_it_is_started_and_left(run, script, clock):
    script.starts()
    result = run(wait=False)
    assert result["changed"] and not result.get("failed") and clock.naps == []


def test_a_share_is_cut_over_and_only_once(session, run, script):
    script.opens(COPIED)
    script.polls(COPIED)
    script.polls(COPIED)
    script.polls(COPIED)
    facts(session, "192.0.2.10:/old")
    script.looks(COPIED)
    script.sends("migration_complete")
    script.polls(COMPLETING)
    script.polls(COMPLETED)
    facts(session, "192.0.2.50:/new", snapshots=False)
    result = run(state="completed")
    record = result["migration"]
    assert result["changed"] and record["phase"] == "completed"
    assert record["export_locations_before"] == ["192.0.2.10:/old"]
    assert record["export_locations_after"] == ["192.0.2.50:/new"]

    session.sent.clear()
    script.opens(COMPLETED)
    script.polls(COMPLETED)
    facts(session, "192.0.2.50:/new", snapshots=False)
    again = run(state="completed")
    assert not again["changed"] and session.changes() == []
    assert again["migration"]["export_locations_after"] == ["192.0.2.50:/new"]


def test_a_migration_is_cancelled_and_only_once(session, run, script):
    script.opens(COPYING)
    script.polls(COPYING, progress=40)
    script.polls(COPYING)
    script.looks(COPYING)
    script.marks()
    script.looks(marked(COPYING, script.clock))
    script.sends("migration_cancel")
    script.polls(marked(CANCELLED, script.clock))
    script.looks(marked(CANCELLED, script.clock))
    script.unmarks()
    assert run(state="cancelled")["changed"]
    script.opens(CANCELLED)
    script.polls(CANCELLED)
    assert not run(state="cancelled")["changed"]


@pytest.mark.parametrize(
    ("state", "args", "changed"),
    [
        (COPIED, {}, False),
        (COPIED, {"state": "completed"}, True),
        (COPIED, {"state": "cancelled"}, True),
        (CANCELLED, {"state": "cancelled"}, False),
    ],
)
def test_check_mode_sends_nothing(session, run, script, state, args, changed):
    script.opens(state)
    script.polls(state)
    assert run(check=True, **args)["changed"] is changed
    assert session.changes() == []


def test_check_mode_of_a_start_tells_what_is_in_the_way_too(session, run, script):
    script.opens(IDLE)
    script.polls(IDLE)
    script.reads_all()
    assert run(check=True)["changed"]
    script.opens(IDLE)
    script.polls(IDLE)
    script.reads_all([pool(OLD)])
    result = run(check=True)
    assert result["failed"] and [script["code"] for script in result["blockers"]] == [
        "pool_unknown"
    ]
    assert session.changes() == []


@pytest.mark.parametrize("status", [403, 404, 409])
def test_a_refused_start_is_a_failure_with_its_status(run, script, status):
    answer = FORBIDDEN if status == 403 else refusal("Service could not be found.", status)
    script.starts(answer, status)
    script.looks(IDLE)
    result = run()
    assert result["failed"] and result["status_code"] == status and not result["changed"]
    assert result["migration"]["error"]


@pytest.mark.parametrize("trouble", [CUT, LATE], ids=["before", "after"])
def test_a_start_without_an_answer_is_not_sent_again(session, run, script, trouble):
    script.starts(trouble)
    script.polls(COPYING, progress=40)
    script.polls(COPIED)
    result = run()
    assert not result.get("failed") and result["changed"] and len(session.changes()) == 1


def test_a_migration_to_another_pool_is_not_taken_over(session, run, script):
    script.opens(COPYING)
    script.polls(COPYING, progress=40)
    result = run(destination_pool="node@third#pool")
    assert result["failed"] and NEW in result["msg"] and session.changes() == []


def test_a_timeout_is_a_failure_that_tells_how_far_it_is(run, script):
    script.starts()
    script.polls(COPYING, progress=40)
    script.polls(COPYING, progress=50)
    result = run(timeout=15)
    assert result["failed"] and "copying, 50 % copied after 15 s" in result["msg"]


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({"share": None}, "share"),
        ({"destination_pool": "node@new"}, "destination_pool"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"state": "moved"}, "state"),
        ({"force_host_assisted_migration": True, "writable": True}, "force_host_assisted"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(session, run, args, option):
    result = run(**args)
    assert result["failed"] and option in result["msg"] and session.sent == []


# -- one share server ------------------------------------------------------------------------

SERVER = server()
MOVING = server(status="server_migrating", task_state="migration_driver_in_progress")
DONE = server(status="server_migrating", task_state="migration_driver_phase1_done")
MADE = server(
    "v2",
    host="node@new",
    status="server_migrating_to",
    source_share_server_id="v1",
    task_state="migration_driver_in_progress",
)
REACHED = {**MADE, "status": "active", "task_state": "migration_success"}
ABOARD = share(share_type="type-3", share_network_id="n1", share_server_id="v1")
CAPABILITIES = {"writable": True, "nondisruptive": True, "preserve_snapshots": True}


class ServerScript:
    """The parts of the script of one share server."""

    def __init__(self, session, clock):
        self.session, self.clock = session, clock

    def lists(self, *servers):
        self.session.expect("GET", "/share-servers", {"share_servers": list(servers)})

    def opens(self, *servers, at="v1"):
        in_process.open_cloud(self.session, self.clock)
        self.lists(*servers)
        url = f"/shares/detail?all_tenants=1&share_server_id={at}"
        self.session.expect("GET", url, {"shares": [ABOARD]})

    def polls(self, *servers, progress=None):
        self.lists(*servers)
        self.session.expect("GET", "/services", live_services(self.clock))
        if progress is not None:
            body = {"migration_get_progress": None}
            answer = {"total_progress": progress}
            self.session.expect("POST", "/share-servers/v1/action", answer, body=body)

    def checks(self, compatible=True):
        self.lists(SERVER)
        pools = [pool(OLD, servers=True), pool(NEW, servers=True)]
        copies = [instance("i1", share_server_id="v1")]
        read_source(self.session, self.clock, [ABOARD], copies, pools, [SERVER])
        self.lists(SERVER)
        url = "/share-networks/detail?all_tenants=1"
        self.session.expect("GET", url, {"share_networks": NETWORKS})
        self.session.expect("GET", "/share-groups/detail?all_tenants=1", {"share_groups": []})
        answer = {"compatible": compatible, "supported_capabilities": CAPABILITIES}
        self.session.expect("POST", "/share-servers/v1/action", answer)

    def starts(self, answer=None, status=202):
        self.opens(SERVER)
        self.polls(SERVER)
        self.checks()
        self.polls(SERVER)
        self.lists(SERVER)
        given = {
            "host": "node@new",
            "writable": False,
            "nondisruptive": False,
            "preserve_snapshots": False,
            "new_share_network_id": None,
        }
        body = {"migration_start": given}
        self.session.expect("POST", "/share-servers/v1/action", answer, status, body)


@pytest.fixture
def server_script(session, clock):
    return ServerScript(session, clock)


@pytest.fixture
def run_server(session, clock):
    def call(check=False, **args):
        args = {
            "share_server": "v1",
            "destination_host": "node@new",
            "poll_interval": 10,
            **args,
        }
        run = partial(in_process.run, share_server_migration, session=session, clock=clock)
        return run(args, check=check)

    return call


def test_a_share_server_is_copied_and_only_once(session, run_server, server_script):
    server_script.starts()
    server_script.polls(MOVING, MADE, progress=40)
    server_script.polls(DONE, MADE)
    result = run_server()
    assert result["changed"] and result["migration"]["phase"] == "copied"
    assert result["migration"]["destination_share_server_id"] == "v2"
    in_process.check_complete(share_server_migration, result, without={"blockers"})

    session.sent.clear()
    server_script.opens(DONE, MADE)
    server_script.polls(DONE, MADE)
    assert not run_server()["changed"] and session.changes() == []


def test_the_refusal_of_the_check_keeps_a_share_server_where_it_is(
    session, run_server, server_script
):
    server_script.opens(SERVER)
    server_script.polls(SERVER)
    server_script.checks(compatible=False)
    result = run_server()
    assert result["failed"] and result["blockers"] and not result["changed"]
    assert [body for _method, _url, body in session.changes()] == [
        {"migration_check": session.changes()[0][2]["migration_check"]}
    ]


@pytest.mark.parametrize("status", [403, 404, 409])
def test_a_refused_start_of_a_share_server(run_server, server_script, status):
    answer = FORBIDDEN if status == 403 else refusal("It is related", status)
    server_script.starts(answer, status)
    server_script.lists(SERVER)
    result = run_server()
    assert result["failed"] and result["status_code"] == status and not result["changed"]


def test_check_mode_of_a_share_server_sends_only_the_check(session, run_server, server_script):
    server_script.opens(SERVER)
    server_script.polls(SERVER)
    server_script.checks()
    assert run_server(check=True)["changed"]
    assert [list(body) for _method, _url, body in session.changes()] == [["migration_check"]]


def test_a_share_server_that_is_there_already_is_refused(session, run_server):
    moved = server(host="node@new")
    session.expect("GET", "http://manila.test/share/", {"versions": [{"version": "2.98"}]})
    session.expect("GET", "/services", {"services": []})
    session.expect("GET", "/share-servers", {"share_servers": [moved]})
    result = run_server()
    assert result["failed"] and "node@new already" in result["msg"]


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({"destination_host": NEW}, "destination_host"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"state": "moved"}, "state"),
    ],
)
def test_a_wrong_argument_of_a_share_server(session, run_server, args, option):
    result = run_server(**args)
    assert result["failed"] and option in result["msg"] and session.sent == []
