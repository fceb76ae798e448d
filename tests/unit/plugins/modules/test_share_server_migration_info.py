# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of share servers: which are shown, and what of them."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.manila.migration.plugins.modules import share_server_migration_info
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    live_services,
    refusal,
    server,
    share,
)

SOURCE = server(status="server_migrating", task_state="migration_driver_in_progress")
COPY = server(
    "v2",
    host="node@new",
    status="server_migrating_to",
    source_share_server_id="v1",
    task_state="migration_driver_in_progress",
)
MOVED = {**COPY, "status": "active", "task_state": "migration_success"}
SHARES = [share("s2", size=4, status="server_migrating"), share("s1", status="server_migrating")]


@pytest.fixture
def run(session, clock):
    return partial(in_process.run, share_server_migration_info, session=session, clock=clock)


@pytest.fixture
def servers(session, clock):
    """Expect the list of share servers, and where one of them is shown, what is read of it."""

    def expect(*listed, shares_of=None, progress=None):
        in_process.open_cloud(session, clock)
        session.expect("GET", "/share-servers", {"share_servers": list(listed)})
        if shares_of is None:
            return
        session.expect("GET", "/services", live_services(clock))
        if progress is not None:
            body = {"migration_get_progress": None}
            session.expect("POST", "/share-servers/v1/action", *progress, body=body)
        url = f"/shares/detail?all_tenants=1&share_server_id={shares_of}"
        session.expect("GET", url, {"shares": SHARES})

    return expect


def test_all_that_migrate_are_shown(run, servers):
    servers(SOURCE, COPY, server("v9"), shares_of="v1")
    result = run({})
    (record,) = result["migrations"]
    assert not result["changed"]
    assert (record["kind"], record["id"], record["phase"]) == ("share_server", "v1", "copying")
    assert (record["source"], record["destination"]) == ("node@old", "node@new")
    assert (record["destination_share_server_id"], record["size_gb"]) == ("v2", 7)
    assert [entry["id"] for entry in record["shares"]] == ["s1", "s2"]
    assert [(entry["id"], entry["status"]) for entry in record["servers"]] == [
        ("v1", "server_migrating"),
        ("v2", "server_migrating_to"),
    ]
    in_process.check_complete(share_server_migration_info, result)


@pytest.mark.parametrize("check", [False, True])
def test_where_nothing_migrates_nothing_more_is_read(run, servers, check):
    servers(server())
    result = run({}, check=check)
    assert result["migrations"] == [] and not result["changed"]


@pytest.mark.parametrize(
    ("answer", "progress"),
    [(({"total_progress": 40},), 40), ((refusal("oh", 500), 500), None)],
    ids=["told", "not told"],
)
def test_progress_is_asked_for_once_and_only_on_request(run, servers, answer, progress):
    servers(SOURCE, COPY, shares_of="v1", progress=answer)
    assert run({"with_progress": True})["migrations"][0]["progress"] == progress


def test_one_at_rest_is_where_it_is(run, servers):
    servers(server(), shares_of="v1")
    (record,) = run({"share_server": "v1", "with_progress": True})["migrations"]
    assert (record["source"], record["destination"], record["phase"]) == ("node@old", None, "idle")


def test_the_id_from_before_finds_the_one_that_took_its_place(run, servers):
    servers(MOVED, shares_of="v2")
    result = run({"share_servers": ["v1", "v1"]})
    (record,) = result["migrations"]
    assert (record["id"], record["destination_share_server_id"]) == ("v1", "v2")
    assert (record["source"], record["phase"]) == ("node@new", "idle")
    in_process.check_complete(share_server_migration_info, result)


@pytest.mark.parametrize(("host", "shares_of"), [("node@new", "v1"), ("node@other", None)])
def test_a_back_end_selects_what_comes_from_it_or_goes_to_it(run, servers, host, shares_of):
    servers(SOURCE, COPY, shares_of=shares_of)
    assert len(run({"host": host})["migrations"]) == (shares_of is not None)


def test_one_that_is_not_there_is_a_failure_with_its_id(run, servers):
    servers(server())
    result = run({"share_server": ["v8"]})
    assert result["failed"] and "'v8'" in result["msg"]


@pytest.mark.parametrize("host", ["array7", "node@old#pool"])
def test_what_is_no_back_end_is_refused_before_anything_is_sent(session, run, host):
    result = run({"host": host})
    assert result["failed"] and result["msg"].startswith("host ") and f'"{host}"' in result["msg"]
    assert session.sent == []
