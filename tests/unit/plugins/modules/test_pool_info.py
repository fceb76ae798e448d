# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools: what is read, what is returned, and what is said where it can't be told."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.manila.migration.plugins.modules import pool_info
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    ANY_SERVICES,
    MIGRATING,
    NEW,
    OLD,
    instance,
    live_services,
    pool,
    service,
    share,
)

TYPES = [
    {"id": "t1", "name": "gold", "extra_specs": {"share_backend_name": "new"}},
    {"id": "t2", "name": "tin", "extra_specs": {"driver_handles_share_servers": "False"}},
]


FIGURES = {
    "reserved_percentage": 10,
    "max_over_subscription_ratio": 2.0,
    "timestamp": "2027-01-15T08:00:00.000000",
}
POOLS = [pool(OLD, **FIGURES), pool(NEW, free_capacity_gb=300, **FIGURES)]


@pytest.fixture
def run(session, clock):
    return partial(in_process.run, pool_info, session=session, clock=clock)


@pytest.fixture
def reads(session, clock):
    """Expect the reads of the module; the pools only where a scheduler can be asked."""

    def expect(
        *pools, moving=(), instances=(), share_type=False, at="", services=ANY_SERVICES, asked=True
    ):
        in_process.open_cloud(session, clock, services=services)
        if share_type:
            session.expect("GET", "/types?is_public=all", {"share_types": TYPES})
        session.expect("GET", "/services", live_services(clock, services))
        if asked:
            session.expect("GET", "/scheduler-stats/pools/detail", {"pools": list(pools)})
        session.expect("GET", MIGRATING, {"shares": list(moving)})
        session.expect("GET", f"/share_instances{at}", {"share_instances": list(instances)})
        session.expect("GET", "/types?is_public=all", {"share_types": TYPES})

    return expect


def test_all_pools_with_their_figures(run, reads):
    reads(*POOLS, instances=[instance("i1"), instance("i2", "s2")])
    result = run({})
    new, old = result["pools"]
    assert not result["changed"]
    assert (old["name"], old["backend"], old["shares"]) == (OLD, "node@old", 2)
    assert (old["total_gb"], old["free_gb"], old["used_percent"]) == (1000, 400, 60.0)
    assert (old["reserved_gb"], old["fits_thick_gb"], new["fits_thick_gb"]) == (100, 300, 200)
    assert [entry["host"] for entry in result["services"]] == ["node@new", "node@old"]
    assert any(NEW in line for line in result["text"])
    in_process.check_complete(pool_info, result, without={"pools.fits_gb", "pools.blockers"})


@pytest.mark.parametrize("check", [False, True])
def test_a_share_type_says_where_its_shares_can_go(run, reads, check):
    reads(*POOLS, share_type=True)
    result = run({"share_type": "gold"}, check=check)
    good, bad = result["pools"]
    assert (good["name"], good["fits_gb"], good["blockers"]) == (NEW, 200, [])
    assert (bad["name"], bad["fits_gb"]) == (OLD, 0)
    assert [entry["code"] for entry in bad["blockers"]] == ["type_pinned"]
    in_process.check_complete(pool_info, result)


def test_what_moves_there_is_counted(run, reads):
    moving = share(size=30, status="migrating", task_state="migration_in_progress")
    copies = [instance("i1", status="migrating"), instance("i2", host=NEW, status="migrating_to")]
    reads(*POOLS, moving=[moving], instances=copies)
    new = run({})["pools"][0]
    assert (new["name"], new["shares"], new["coming_gb"]) == (NEW, 1, 30)


def test_a_back_end_alone(run, reads):
    reads(*POOLS, at="?host=node%40new")
    result = run({"host": "node@new"})
    assert [entry["name"] for entry in result["pools"]] == [NEW]
    assert [entry["host"] for entry in result["services"]] == ["node@new"]


def test_what_cannot_be_known_is_null(run, reads):
    bare = {"total_capacity_gb": "unknown", "driver_handles_share_servers": False}
    reads({"name": NEW, "capabilities": bare})
    (record,) = run({})["pools"]
    assert (record["total_gb"], record["free_gb"]) == ("unknown", "unknown")
    assert (record["used_percent"], record["provisioned_gb"], record["reported_at"]) == (None,) * 3


def test_without_a_scheduler_there_are_no_pools_and_a_warning(run, reads):
    services = (service("node@old"), service("node", "manila-scheduler", state="down"))
    reads(services=services, asked=False)
    result = run({})
    assert result["pools"] == [] and len(result["services"]) == 1
    assert len(result["warnings"]) == 1 and "manila-scheduler" in result["warnings"][0]


@pytest.mark.parametrize(("host", "word"), [("node@other", "back end"), ("node@old#other", "pool")])
def test_a_place_that_is_not_there_is_named(run, reads, host, word):
    reads(*POOLS, at=f"?host={host.replace('@', '%40').replace('#', '%23')}")
    result = run({"host": host})
    assert result["failed"] and f"no {word} {host}" in result["msg"]


def test_a_share_type_that_is_not_there_is_named_with_those_that_are(session, clock, run):
    in_process.open_cloud(session, clock)
    session.expect("GET", "/types?is_public=all", {"share_types": TYPES})
    result = run({"share_type": "lead"})
    assert result["failed"] and result["msg"].endswith("there are: gold, tin.")


def test_what_is_no_place_is_refused_before_anything_is_sent(session, run):
    result = run({"host": "array7"})
    assert result["failed"] and result["msg"].startswith("host ") and '"array7"' in result["msg"]
    assert session.sent == []
