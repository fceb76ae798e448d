# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service may be restarted: what the module reads, how long it waits, what it returns."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.manila.migration.plugins.modules import service_restart_check
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    NEW,
    instance,
    live_services,
    refusal,
    server,
    service,
    share,
)

COPYING = share(status="migrating", task_state="data_copying_in_progress")
COPIES = [instance("i1", status="migrating"), instance("i2", host=NEW, status="migrating_to")]


@pytest.fixture
def run(session, clock):
    return partial(in_process.run, service_restart_check, session=session, clock=clock)


@pytest.fixture
def look(session, clock):
    """Expect one look at the cloud; instances are read only where something could be in the way."""

    def expect(shares=(), instances=None, servers=(), **more):
        session.expect("GET", "/services", live_services(clock, **more))
        session.expect("GET", "/shares/detail?all_tenants=1", {"shares": list(shares)})
        session.expect("GET", "/share-servers", {"share_servers": list(servers)})
        if instances is not None:
            session.expect("GET", "/share_instances", {"share_instances": instances})

    return expect


def codes(result):
    return [entry["code"] for entry in result["blockers"]]


@pytest.mark.parametrize(
    ("binary", "host", "listed"),
    [
        ("manila-data", None, ["node"]),
        ("manila-scheduler", None, ["node"]),
        ("manila-share", "node", ["node@new", "node@old"]),
        ("manila-share", "node@old", ["node@old"]),
    ],
)
def test_nothing_runs_so_everything_may_be_restarted(
    session, clock, run, look, binary, host, listed
):
    in_process.open_cloud(session, clock)
    look([share()], servers=[server()])
    result = run({"binary": binary, "host": host})
    assert (result["safe"], result["changed"], result["blockers"]) == (True, False, [])
    assert sorted(entry["host"] for entry in result["services"]) == listed
    in_process.check_complete(service_restart_check, result)


@pytest.mark.parametrize(
    ("binary", "host", "blockers"),
    [
        ("manila-data", None, ["copying"]),
        ("manila-scheduler", None, []),
        ("manila-share", "node", []),
    ],
)
def test_a_copy_of_the_data_service_is_in_the_way_of_manila_data_alone(
    session, clock, run, look, binary, host, blockers
):
    in_process.open_cloud(session, clock)
    look([COPYING], COPIES)
    result = run({"binary": binary, "host": host})
    assert (codes(result), result["safe"]) == (blockers, not blockers)
    in_process.check_complete(service_restart_check, result)


def test_a_share_server_that_starts_is_in_the_way_of_its_manila_share(session, clock, run, look):
    in_process.open_cloud(session, clock)
    moving = server(status="server_migrating", task_state="migration_driver_starting")
    look(instances=[], servers=[moving])
    result = run({"binary": "manila-share", "host": "node@old"})
    assert codes(result) == ["starting"] and "share server v1" in result["blockers"][0]["message"]


def test_it_waits_until_nothing_is_in_the_way(session, clock, run, look):
    in_process.open_cloud(session, clock)
    look([COPYING], COPIES)
    look([COPYING], COPIES)
    look([share(task_state="migration_success")])
    args = {"binary": "manila-data", "wait": True, "timeout": 60, "poll_interval": 20}
    result = run(args)
    assert result["safe"] and not result["changed"]
    assert clock.naps == [20, 20]


def test_a_wait_that_ends_in_vain_is_a_failure_with_the_reasons(session, clock, run, look):
    in_process.open_cloud(session, clock)
    for _number in range(3):
        look([COPYING], COPIES)
    args = {"binary": "manila-data", "wait": True, "timeout": 30, "poll_interval": 20}
    result = run(args)
    assert result["failed"] and result["safe"] is False and codes(result) == ["copying"]
    assert clock.naps == [20, 10]  # never longer than the timeout


def test_check_mode_does_not_wait(session, clock, run, look):
    in_process.open_cloud(session, clock)
    look([COPYING], COPIES)
    result = run({"binary": "manila-data", "wait": True}, check=True)
    assert not result.get("failed") and codes(result) == ["copying"] and clock.naps == []


def test_a_service_that_is_down_breaks_nothing(session, clock, run, look):
    in_process.open_cloud(session, clock)
    look([COPYING], COPIES, services=(service("node", "manila-data", state="down"),))
    result = run({"binary": "manila-data"})
    assert result["safe"] and result["services"][0]["alive"] is False


def test_a_poll_that_fails_for_a_moment_is_repeated(session, clock, run, look):
    in_process.open_cloud(session, clock)
    session.expect("GET", "/services", refusal("busy", 503), 503)
    look([share()])
    assert run({"binary": "manila-data"})["safe"] and clock.naps == [0.5]


def test_a_manila_share_that_is_not_there_is_named_with_those_that_are(session, clock, run):
    in_process.open_cloud(session, clock)
    session.expect("GET", "/services", live_services(clock))
    result = run({"binary": "manila-share", "host": "nod"})
    assert result["failed"] and result["msg"].endswith("there are: node@new, node@old.")


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({}, "binary"),
        ({"binary": "manila-api"}, "binary"),
        ({"binary": "manila-share"}, "host"),
        ({"binary": "manila-share", "host": "node@old#pool"}, "host"),
        ({"binary": "manila-share", "host": "@old"}, "host"),
        ({"binary": "manila-data", "timeout": -1}, "timeout"),
        ({"binary": "manila-data", "poll_interval": 0}, "poll_interval"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(session, run, args, option):
    result = run(args)
    assert result["failed"] and option in result["msg"]
    assert session.sent == []
