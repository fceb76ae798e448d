# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of pools, and what is left open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._planner.pools import pool_records
from ansible_collections.manila.migration.plugins.module_utils._report.text import pool_lines
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    ONE,
    TWO,
    kind,
    moving,
    pool,
    share,
    world,
)

RATIO = {"max_over_subscription_ratio": 2.0}
THIN = {"thin_provisioning": True, "max_over_subscription_ratio": 2.0, "provisioned_gb": 150}


def record(one, **more):
    (found,) = pool_records(world([], [one], **more))
    return found


def test_a_plain_pool():
    found = record(pool(ONE, 100, 40, reserved_percentage=5, able={"timestamp": "now"}))
    assert found == {
        "name": ONE,
        "backend": "n@one",
        "availability_zone": None,
        "service_status": "enabled",
        "service_state": "up",
        "total_gb": 100,
        "free_gb": 40,
        "used_percent": 60.0,
        "reserved_percentage": 5,
        "reserved_gb": 5.0,
        "provisioned_gb": None,
        "allocated_gb": None,
        "thin_provisioning": False,
        "max_over_subscription_ratio": None,
        "fits_thin_gb": 35,
        "fits_thick_gb": 35,
        "reported_at": "now",
        "shares": 0,
        "coming_gb": 0,
        "coming_written_gb": 0,
    }


@pytest.mark.parametrize(
    ("one", "thin", "thick"),
    [
        (pool(ONE, 100, 40, able=RATIO, **THIN), 50, 40),
        # What the driver doesn't report the scheduler fills in: nobody here knows with what.
        (pool(ONE, 100, 40, **THIN), None, 40),
        (pool(ONE, 100, 40, able=RATIO, **{**THIN, "provisioned_gb": None}), None, 40),
        (pool(ONE, "unknown", 40), 40, 40),
        (pool(ONE, 100, "unknown"), None, None),
        (pool(ONE, 100, "infinite"), 0, 0),
        (pool(ONE, "unknown", 40, reserved_percentage=5), 0, 0),
        (pool(ONE, 0, 0), 0, 0),
        (pool(ONE, 100, 0.9), 0, 0),
    ],
)
def test_what_fits(one, thin, thick):
    found = record(one)
    assert (found["fits_thin_gb"], found["fits_thick_gb"]) == (thin, thick)


@pytest.mark.parametrize("one", [pool(ONE, "unknown", 40), pool(ONE, 0, 0)])
def test_percents_of_nothing_are_left_open(one):
    found = record(one)
    assert (found["used_percent"], found["reserved_gb"]) == (None, None)


@pytest.mark.parametrize(
    ("change", "status", "state"),
    [
        ({"status": "disabled"}, "disabled", "up"),
        ({"state": "down"}, "enabled", "down"),
        ({"fresh": False}, "enabled", "down"),
    ],
)
def test_the_state_of_the_service(change, status, state):
    inventory = world([], [pool(ONE)])
    changed = {"n@one": replace(inventory.services["n@one"], zone="north", **change)}
    (found,) = pool_records(replace(inventory, services=changed))
    assert (found["service_status"], found["service_state"]) == (status, state)
    assert found["availability_zone"] == "north"
    (found,) = pool_records(replace(inventory, services={}))
    assert (found["service_status"], found["service_state"]) == ("missing", "missing")


def test_shares_and_what_is_on_its_way():
    going, instances = moving(1, ONE, "migration_starting", size=8)
    inventory = world([going, share(2, host=ONE)], instances=instances)
    found = {one["name"]: one for one in pool_records(inventory)}
    assert {name: one["shares"] for name, one in found.items()} == {OLD: 1, ONE: 2, TWO: 0}
    assert found[ONE]["coming_gb"] == found[ONE]["coming_written_gb"] == 8
    assert found[TWO]["coming_gb"] == 0
    # The scheduler doesn't count it.
    assert found[ONE]["fits_thick_gb"] == 100


@pytest.mark.parametrize(
    ("host", "names"),
    [
        (None, [OLD, ONE, "n@one#q", "n@one2#p"]),
        ("n@one", [ONE, "n@one#q"]),
        (ONE, [ONE]),
        ("n@on", []),
    ],
)
def test_places_are_matched_exactly(host, names):
    inventory = world([], [pool(one) for one in (OLD, ONE, "n@one#q", "n@one2#p")])
    assert [one["name"] for one in pool_records(inventory, host)] == names


def test_where_a_type_can_go():
    pools = [pool(OLD), pool(ONE, 100, 0), pool(TWO, able={"disk": "ssd"}), pool("n@three#p")]
    inventory = world([], [*pools, pool("n@four#p", free="unknown", able={"disk": "ssd"})])
    fast = pool_records(inventory, share_type=kind("fast", disk="ssd"))
    assert [(one["name"], one["fits_gb"]) for one in fast] == [
        ("n@four#p", None),
        (TWO, 100),
        (OLD, 0),
        (ONE, 0),
        ("n@three#p", 0),
    ]
    assert [[reason["code"] for reason in one["blockers"]] for one in fast] == [
        [],
        [],
        ["capability"],
        ["capability", "no_capacity"],
        ["capability"],
    ]


def test_a_type_that_forbids_thin_provisioning():
    inventory = world([], [pool(ONE, 100, 40, able=RATIO, **THIN)])
    (thick,) = pool_records(inventory, share_type=kind("thick", thin_provisioning="False"))
    (plain,) = pool_records(inventory, share_type=kind("plain"))
    assert (thick["fits_gb"], plain["fits_gb"]) == (40, 50)


def test_lines_for_people():
    inventory = world(
        [share(1)],
        [
            pool(OLD, 100, 90),
            pool(ONE, 100, 40, able=RATIO, **THIN),
            pool(TWO, "unknown", "unknown"),
        ],
    )
    down = replace(
        inventory.services["n@two"], status="disabled", state="down", disabled_reason="firmware"
    )
    inventory = replace(inventory, services={**inventory.services, "n@two": down})
    services = [one.as_dict() for one in inventory.services.values()]
    old, one, two, service = pool_lines(pool_records(inventory), services)
    assert (
        old.split()
        == f"{OLD} 90 of 100 GiB free [##..................] 10 % fits 90 GiB 1 share".split()
    )
    assert "fits 50 GiB thin, 40 GiB thick" in one
    assert two.split() == f"{TWO} unknown of unknown GiB free not known fits ? GiB 0 shares".split()
    assert service == "manila-share n@two is disabled (firmware) and down"
    lines = pool_lines(pool_records(inventory, share_type=kind("fast", disk="ssd")), [])
    assert "fits 0 GiB" in lines[0] and "asks for disk = 'ssd'" in lines[0]
    assert pool_lines([], []) == []
