# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of shares: which are shown, and what of them."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.manila.migration.plugins.modules import share_migration_info
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    MARKED,
    MIGRATING,
    NEW,
    OLD,
    instance,
    live_services,
    refusal,
    share,
)

MARK = {
    "manila_migration_replica": f"{OLD} -> {NEW} since 2027-01-15T08:00:00Z",
    "manila_migration": "replica",
}
COPYING = share(status="migrating", task_state="migration_driver_in_progress")
COPIES = [
    instance("i1", status="migrating"),
    instance("i2", host=NEW, status="migrating_to"),
]


@pytest.fixture
def run(session, clock):
    return partial(in_process.run, share_migration_info, session=session, clock=clock)


@pytest.fixture
def cloud(session, clock):
    """Expect the reads, in the order of the arguments."""

    class Cloud:
        def opens(self):
            in_process.open_cloud(session, clock)

        def lists(self, *shares):
            session.expect("GET", MIGRATING, {"shares": list(shares)})

        def has(self, shown, *instances):
            url = f"/shares/{shown['id']}"
            session.expect("GET", url, {"share": shown})
            session.expect("GET", f"{url}/instances", {"share_instances": list(instances)})

        def has_marked(self, *shares):
            session.expect("GET", MARKED, {"shares": list(shares)})

        def tells_services(self):
            session.expect("GET", "/services", live_services(clock))

    return Cloud()


def test_all_that_migrates_is_shown(run, cloud):
    cloud.opens()
    cloud.lists(COPYING)
    cloud.has(COPYING, *COPIES)
    cloud.has_marked()
    cloud.tells_services()
    result = run({})
    (record,) = result["migrations"]
    assert not result["changed"]
    assert (record["kind"], record["id"], record["phase"]) == ("share", "s1", "copying")
    assert (record["source"], record["destination"]) == (OLD, NEW)
    assert (record["mechanism"], record["progress"]) == ("driver", None)
    assert record["instances"] == [
        {"host": OLD, "status": "migrating"},
        {"host": NEW, "status": "migrating_to"},
    ]
    in_process.check_complete(share_migration_info, result)


def test_check_mode_is_the_same(run, cloud):
    cloud.opens()
    cloud.lists()
    cloud.has_marked()
    cloud.tells_services()
    assert run({}, check=True)["migrations"] == []


@pytest.mark.parametrize(
    ("answer", "status", "progress"),
    [({"total_progress": 40}, 200, 40), (refusal("oh", 500), 500, None)],
)
def test_progress_is_asked_for_once_and_only_on_request(
    session, run, cloud, answer, status, progress
):
    cloud.opens()
    cloud.lists(COPYING)
    cloud.has(COPYING, *COPIES)
    cloud.has_marked()
    session.expect("GET", "/shares/s1/migration-progress", answer, status)
    cloud.tells_services()
    assert run({"with_progress": True})["migrations"][0]["progress"] == progress


def test_shares_are_named_and_one_at_rest_is_where_it_is(session, run, cloud):
    rested = share("s2", task_state="migration_success", host=NEW)
    cloud.opens()
    session.expect("GET", "/shares/web", refusal("not found", 404), 404)
    session.expect("GET", "/shares/detail?all_tenants=1&name=web", {"shares": [rested]})
    cloud.has(rested, instance("i3", "s2", NEW))
    cloud.has_marked()
    cloud.tells_services()
    result = run({"share": ["web"], "with_progress": True})
    (record,) = result["migrations"]
    assert (record["source"], record["destination"]) == (NEW, None)
    in_process.check_complete(share_migration_info, result)


@pytest.mark.parametrize(
    ("host", "shown"), [("node@old", 1), (NEW, 1), ("node@other", 0), ("node@ol", 0)]
)
def test_a_place_selects_what_comes_from_it_or_goes_to_it(run, cloud, host, shown):
    cloud.opens()
    cloud.lists(COPYING)
    cloud.has(COPYING, *COPIES)
    cloud.has_marked()
    cloud.tells_services()
    assert len(run({"host": host})["migrations"]) == shown


def test_a_replica_that_is_moved_is_shown_with_its_kind(session, run, cloud):
    moved = share(metadata=MARK, has_replicas=True)
    copies = [
        instance("i1", replica_state="active"),
        instance("i2", host=NEW, replica_state="out_of_sync"),
    ]
    cloud.opens()
    cloud.lists()
    cloud.has_marked(moved)
    session.expect("GET", "/share_instances", {"share_instances": copies})
    cloud.tells_services()
    result = run({})
    (record,) = result["migrations"]
    assert (record["kind"], record["source"], record["destination"]) == ("share_replica", OLD, NEW)
    in_process.check_complete(share_migration_info, result)


def test_a_share_that_is_not_there_is_a_failure_with_its_name(session, run, cloud):
    cloud.opens()
    session.expect("GET", "/shares/web", refusal("not found", 404), 404)
    session.expect("GET", "/shares/detail?all_tenants=1&name=web", {"shares": []})
    result = run({"share": ["web"]})
    assert result["failed"] and "'web'" in result["msg"]


def test_a_place_that_is_none_is_refused_before_anything_is_sent(session, run):
    result = run({"host": "array7"})
    assert result["failed"] and result["msg"].startswith("host ") and '"array7"' in result["msg"]
    assert session.sent == []
