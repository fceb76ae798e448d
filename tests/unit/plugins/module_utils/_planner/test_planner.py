# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: what it puts where, what it leaves out, and what it says of it."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import CODES
from ansible_collections.manila.migration.plugins.module_utils._feasibility.pool import (
    pool_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share import (
    share_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import covers
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import (
    to_migrations,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import fits
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    ONE,
    TWO,
    instance,
    moving,
    places,
    pool,
    reasons,
    share,
    snapshots,
    world,
)

# -- placing ---------------------------------------------------------------------------------


def test_the_plan_has_the_keys_of_the_contract():
    plan = make_plan(world([share(1)]), Request("n@old"))
    assert set(plan) >= {
        "version",
        "source",
        "objective",
        "migrations",
        "unplaced",
        "warnings",
        "pools",
        "summary",
    }
    (entry,) = plan["migrations"]
    assert entry == {
        "kind": "share",
        "id": "s1",
        "name": "share 1",
        "label": "share 1",
        "project_id": None,
        "source": OLD,
        "destination": ONE,
        "size_gb": 10,
        "migrating": False,
        "phase": "idle",
        "share_type": "plain",
        "options": {
            "preserve_metadata": False,
            "preserve_snapshots": False,
            "writable": False,
            "nondisruptive": False,
            "force_host_assisted_migration": False,
            "new_share_type_id": None,
            "new_share_network_id": None,
        },
        "delete_snapshots": [],
        "group": "",
        "group_missing": [],
        "warnings": entry["warnings"],
    }
    assert plan["summary"] == {
        "migrations": 1,
        "running": 0,
        "unplaced": 0,
        "excluded": 0,
        "size_gb": 10,
        "shares": 1,
        "expected_seconds": None,
    }
    assert json.loads(json.dumps(plan)) == plan


# -- cutover groups --------------------------------------------------------------------------

GROUPED = (("db", ("s1", "s2")), ("web", ("s3",)))


def groups_of(plan):
    return {one["id"]: one["group"] for one in plan["migrations"]}


def test_each_entry_names_its_group():
    plan = make_plan(world([share(one) for one in range(1, 5)]), Request("n@old", groups=GROUPED))
    assert groups_of(plan) == {"s1": "db", "s2": "db", "s3": "web", "s4": ""}
    assert {one.id: one.group for one in to_migrations(plan)} == groups_of(plan)


def test_groups_by_project():
    shares = [share(one, project_id=f"p{one % 2}") for one in range(3)]
    plan = make_plan(world(shares), Request("n@old", group_by="project"))
    assert groups_of(plan) == {"s0": "p0", "s1": "p1", "s2": "p0"}


@pytest.mark.parametrize(
    "hindered", [{"status": "error"}, {"type_name": "pinned"}, {"size_gb": 1000}]
)
def test_a_group_of_which_one_can_not_move_is_left_behind(hindered):
    given = {"number": 1, "size": hindered.pop("size_gb", 10), **hindered}
    plan = make_plan(world([share(**given), share(2), share(3)]), Request("n@old", groups=GROUPED))
    assert groups_of(plan) == {"s3": "web"}
    found = reasons(plan)
    assert set(found) == {"s1", "s2"}
    assert found["s2"] == ["group_incomplete"]
    assert "group_incomplete" not in found["s1"]


def test_of_a_group_that_migrates_already_the_missing_are_named():
    """What is copied stays; it is not cut over without the others."""
    one, instances = moving(1, ONE)
    plan = make_plan(
        world([one, share(2, status="error")], instances=instances),
        Request("n@old", groups=GROUPED),
    )
    (entry,) = plan["migrations"]
    assert (entry["id"], entry["group"], entry["group_missing"]) == ("s1", "db", ["share 2"])


def test_an_empty_source_gives_an_empty_plan():
    plan = make_plan(world([]), Request("n@old"))
    assert plan["migrations"] == plan["unplaced"] == plan["warnings"] == []


def test_largest_first_and_equals_by_id():
    shares = [share(3, 5), share(1, 5), share(2, 7)]
    plan = make_plan(world(shares), Request("n@old"))
    assert [one["id"] for one in plan["migrations"]] == ["s2", "s1", "s3"]


def test_spread_keeps_the_highest_fill_low_and_pack_the_number_of_pools():
    pools = [pool(OLD), pool(ONE, 100, 80), pool(TWO, 200, 200)]
    shares = [share(number) for number in range(6)]
    spread = make_plan(world(shares, pools), Request("n@old"))
    assert max(one["used_percent_after"] for one in spread["pools"] if one["name"] != OLD) <= 30
    packed = make_plan(world(shares, pools), Request("n@old", placement="pack"))
    assert set(places(packed).values()) == {ONE}


def test_what_is_placed_is_reserved():
    pools = [pool(OLD), pool(ONE, 100, 25), pool(TWO, 100, 25)]
    plan = make_plan(world([share(number) for number in range(5)], pools), Request("n@old"))
    assert len(plan["migrations"]) == 4
    assert list(reasons(plan).values()) == [["no_capacity"]]
    (entry,) = plan["unplaced"]
    assert "10 GiB are needed" in entry["reasons"][0]["message"]
    assert "room for 5 GiB" in entry["reasons"][0]["message"]


def test_a_share_with_fewer_choices_goes_before_its_equals():
    pools = [pool(OLD), pool(ONE, 100, 10, able={"disk": "ssd"}), pool(TWO, 100, 10)]
    shares = [share(1), share(2, type_name="fast")]
    plan = make_plan(world(shares, pools), Request("n@old"))
    assert places(plan) == {"s1": TWO, "s2": ONE}


def test_what_spreading_leaves_out_is_packed():
    # Spread evenly, the many take the room of those that can only go to one of the pools.
    pools = [pool(OLD), pool(ONE, 260, 125), pool(TWO, able={"disk": "ssd"})]
    shares = [share(n, 2) for n in range(61)]
    shares += [share(n, 1, type_name="fast") for n in range(100, 200)]
    assert len(places(make_plan(world(shares, pools), Request("n@old")))) == 161


def test_trying_finds_what_no_order_does():
    # First-fit in falling order fails in both manners: only 6+3+3 and 4+4+4 fill both pools.
    pools = [pool(OLD), pool(ONE, 12, 12), pool(TWO, 12, 12)]
    shares = [share(n, size) for n, size in enumerate([6, 4, 4, 4, 3, 3])]
    for placement in ("spread", "pack"):
        plan = make_plan(world(shares, pools), Request("n@old", placement=placement))
        assert len(plan["migrations"]) == 6


def test_pools_that_do_not_tell_their_capacity_come_last_and_are_named():
    pools = [pool(OLD), pool(ONE, "unknown", "unknown"), pool(TWO, 100, 10)]
    plan = make_plan(world([share(1), share(2)], pools), Request("n@old"))
    assert sorted(places(plan).values()) == [ONE, TWO]
    assert [one["code"] for one in plan["warnings"]] == ["capacity_unknown"]
    silent = next(one for one in plan["pools"] if one["name"] == ONE)
    assert (silent["free_gb"], silent["used_percent_before"]) == ("unknown", None)


def test_an_infinite_pool_gets_nothing_and_nor_does_its_zone():
    pools = [pool(OLD), pool(ONE, "infinite", "infinite"), pool(TWO)]
    plan = make_plan(world([share(1)], pools), Request("n@old"))
    assert reasons(plan) == {"s1": ["capacity_invalid"] * 2}
    inventory = world([share(1)], pools)
    away = {"n@two": replace(inventory.services["n@two"], zone="b")}
    inventory = replace(inventory, services={**inventory.services, **away})
    assert places(make_plan(inventory, Request("n@old"))) == {"s1": TWO}


def test_shares_that_must_be_apart_come_to_different_pools():
    shares = [
        share(1, metadata={"__affinity_different_host": "s2,s3"}),
        share(2, metadata={"__affinity_different_host": "s1"}),
        share(3, host=ONE),
        share(4, 90, host=TWO),
    ]
    pools = [pool(OLD), pool(ONE), pool(TWO, 200, 110), pool("n@six#p")]
    plan = make_plan(world(shares, pools), Request("n@old"))
    assert places(plan) == {"s1": "n@six#p", "s2": ONE}
    plan = make_plan(world(shares, pools[:3]), Request("n@old"))
    assert places(plan) == {"s1": TWO, "s2": ONE}
    plan = make_plan(world(shares, pools[:2]), Request("n@old"))
    assert reasons(plan) == {"s1": ["affinity"]}


def test_shares_that_must_be_together_stay_together():
    shares = [share(1, metadata={"__affinity_same_host": "s2"}), share(2), share(3)]
    plan = make_plan(world(shares), Request("n@old"))
    assert set(places(plan)) == {"s2", "s3"}
    assert set(reasons(plan)["s1"]) == {"affinity"}


def test_a_driver_with_a_filter_of_its_own_is_named():
    pools = [pool(OLD), pool(ONE, able={"filter_function": "share.size < 5"})]
    plan = make_plan(world([share(1)], pools), Request("n@old"))
    assert [one["code"] for one in plan["warnings"]] == ["filter_function"]


def test_from_a_thin_pool_only_what_is_written_takes_space():
    # A quarter is written: 80 GiB promised take 20 of the 25 that are free.
    thin = {"thin_provisioning": True, "max_over_subscription_ratio": 4}
    pools = [pool(OLD, 100, 75, provisioned_gb=100, **thin)]
    pools.append(pool(ONE, 100, 25, provisioned_gb=100, **thin))
    shares = [share(number, 20) for number in range(4)]
    plan = make_plan(world(shares, pools), Request("n@old"))
    assert len(plan["migrations"]) == 4
    after = {one["name"]: one["used_percent_after"] for one in plan["pools"]}
    assert after == {OLD: 5.0, ONE: 95.0}
    thick = [replace(one, share_type_id="id-thick") for one in shares]
    assert len(make_plan(world(thick, pools), Request("n@old"))["migrations"]) == 1


def test_pools_before_and_after():
    pools = [pool(OLD, 100, 40), pool(ONE, 200, 150), pool("n@out#p")]
    plan = make_plan(world([share(1, 30)], pools), Request("n@old", ["n@one"]))
    assert (
        plan["pools"]
        == [
            {
                "name": OLD,
                "total_gb": 100,
                "free_gb": 40,
                "used_percent_before": 60.0,
                "used_percent_after": 30.0,
                "planned_gb_in": 0,
                "planned_gb_out": 30,
            },
            {
                "name": ONE,
                "total_gb": 200,
                "free_gb": 150,
                "used_percent_before": 25.0,
                "used_percent_after": 40.0,
                "planned_gb_in": 30,
                "planned_gb_out": 0,
            },
        ]
        or plan["pools"][0]["name"] == ONE
    )


# -- the request -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request("old"), "'old' is no place"),
        (Request("n@old#"), "is no place"),
        (Request("n@lost"), "no back end n@lost"),
        (Request("n@old#lost"), "no pool n@old#lost"),
        (Request("n@old", ["n@lost"]), "no back end n@lost"),
        (Request("n@old", ["n@one#lost"]), "no pool n@one#lost"),
        (Request("n@old", ["one"]), "'one' is no place"),
        (Request("n@old", ["n@old"]), "n@old is the source"),
        (Request("n@old", [OLD]), "is the source or a part of it"),
        (Request(OLD, [OLD]), "is the source"),
        (Request("n@old", share_type_map={"lost": "plain"}), "no share type 'lost'"),
        (Request("n@old", share_type_map={"plain": "lost"}), "no share type 'lost'"),
        (Request("n@old", mechanism="host", require=["writable"]), "excludes require"),
        (Request("n@old", mechanism="magic"), "'magic' is none of"),
        (Request("n@old", require=["speed"]), "'speed' is none of"),
        (Request("n@old", placement="random"), "'random' is none of"),
        (Request("n@old", objective="tidy"), "'tidy' is none of"),
    ],
)
def test_bad_requests_get_one_sentence(request_, words):
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        make_plan(world([share(1)]), request_)
    text = str(error.value)
    assert text.endswith(".")
    assert "\n" not in text


def test_a_source_that_the_scheduler_has_forgotten_is_still_known_by_its_shares():
    inventory = replace(world([share(1)], [pool(ONE)]), services={})
    inventory = replace(inventory, services=world([], [pool(ONE)]).services)
    assert places(make_plan(inventory, Request("n@old"))) == {"s1": ONE}
    assert places(make_plan(inventory, Request(OLD))) == {"s1": ONE}


def test_one_pool_may_be_emptied_into_its_sister():
    pools = [pool(OLD), pool("n@old#q")]
    plan = make_plan(world([share(1)], pools), Request(OLD, ["n@old"]))
    assert places(plan) == {"s1": "n@old#q"}
    plan = make_plan(world([share(1), share(2, host="n@old#q")], pools), Request(OLD))
    assert places(plan) == {"s1": "n@old#q"}
    assert reasons(make_plan(world([share(1)], pools), Request("n@old"))) == {
        "s1": ["no_destination"]
    }


def test_destinations_are_kept_to():
    shares = [share(number) for number in range(4)]
    for allowed in ("n@two", TWO):
        assert set(places(make_plan(world(shares), Request("n@old", [allowed]))).values()) == {TWO}


@pytest.mark.parametrize("old", ["pinned", "id-pinned"])
@pytest.mark.parametrize("new", ["plain", "id-plain"])
def test_a_pinned_type_needs_a_map(old, new):
    inventory = world([share(1, type_name="pinned"), share(2)])
    assert reasons(make_plan(inventory, Request("n@old"))) == {"s1": ["type_pinned"]}
    plan = make_plan(inventory, Request("n@old", share_type_map={old: new}))
    options = {one["id"]: one["options"]["new_share_type_id"] for one in plan["migrations"]}
    assert options == {"s1": "id-plain", "s2": None}


def test_a_map_to_the_same_type_asks_for_nothing():
    plan = make_plan(world([share(1)]), Request("n@old", share_type_map={"plain": "id-plain"}))
    assert plan["migrations"][0]["options"]["new_share_type_id"] is None


def test_share_networks_are_mapped_where_there_are_servers():
    pools = [pool(OLD), pool(ONE, able={"driver_handles_share_servers": True}), pool(TWO)]
    shares = [
        share(1, type_name="servers", share_network_id="net"),
        share(2, share_network_id="net"),
    ]
    request = Request("n@old", share_network_map={"net": "new"})
    plan = make_plan(world(shares, pools), request)
    options = {one["id"]: one["options"]["new_share_network_id"] for one in plan["migrations"]}
    assert options == {"s1": "new", "s2": None}
    assert places(plan) == {"s1": ONE, "s2": TWO}


@pytest.mark.parametrize(
    ("mechanism", "require", "flags"),
    [
        ("auto", [], set()),
        ("auto", ["writable", "nondisruptive"], {"writable", "nondisruptive"}),
        ("driver", [], {"preserve_metadata"}),
        ("driver", ["preserve_snapshots"], {"preserve_snapshots"}),
        ("host", [], {"force_host_assisted_migration"}),
    ],
)
def test_mechanisms(mechanism, require, flags):
    request = Request("n@old", mechanism=mechanism, require=require)
    (entry,) = make_plan(world([share(1)]), request)["migrations"]
    assert {name for name, value in entry["options"].items() if value} == flags


@pytest.mark.parametrize("word", ["share 1", "s1"])
def test_what_is_excluded_is_neither_moved_nor_a_failure(word):
    broken = share(1, status="error")
    plan = make_plan(world([broken, share(2)]), Request("n@old", exclude=[word]))
    assert places(plan) == {"s2": ONE}
    assert plan["unplaced"] == plan["warnings"] == []
    assert [one["id"] for one in plan["excluded"]] == ["s1"]
    assert plan["summary"]["excluded"] == 1


def test_an_exclusion_that_matches_nothing_is_a_warning():
    plan = make_plan(world([share(1)]), Request("n@old", exclude=["typo"]))
    assert [one["code"] for one in plan["warnings"]] == ["exclude_unknown"]
    assert "'typo'" in plan["warnings"][0]["message"]


# -- what migrates already -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task_state", "phase"),
    [
        ("migration_driver_in_progress", "copying"),
        ("data_copying_completed", "copied"),
        ("migration_completing", "completing"),
    ],
)
def test_a_running_migration_is_adopted_and_comes_first(task_state, phase):
    one, two = moving(9, TWO, task_state, size=1)
    plan = make_plan(world([share(1, 50), one], instances=two), Request("n@old"))
    assert [(m["id"], m["phase"]) for m in plan["migrations"]] == [("s9", phase), ("s1", "idle")]
    assert places(plan)["s9"] == TWO
    assert plan["summary"]["running"] == 1


@pytest.mark.parametrize("task_state", ["migration_completing", "migration_success"])
@pytest.mark.parametrize("all_known", [True, False])
def test_a_share_that_is_served_from_its_destination_is_still_completing(task_state, all_known):
    one = share(1, host=ONE, status="available", task_state=task_state)
    left = instance(one, OLD, "deleting")
    two = {"s1": [instance(one), left] if all_known else [left]}
    plan = make_plan(world([one], instances=two), Request("n@old"))
    (entry,) = plan["migrations"]
    assert (entry["source"], entry["destination"], entry["phase"]) == (OLD, ONE, "completing")


def test_an_adopted_migration_keeps_the_type_it_was_given():
    one = share(1, type_name="pinned", status="migrating", task_state="data_copying_completed")
    two = {
        "s1": [
            instance(one, status="migrating"),
            instance(one, TWO, "migrating_to", share_type_id="id-plain"),
        ]
    }
    (entry,) = make_plan(world([one], instances=two), Request("n@old"))["migrations"]
    assert entry["options"]["new_share_type_id"] == "id-plain"


def test_a_migration_to_elsewhere_is_named():
    one, two = moving(1, TWO)
    plan = make_plan(world([one], instances=two), Request("n@old", ["n@one"]))
    assert reasons(plan) == {"s1": ["migrating_elsewhere"]}
    assert TWO in plan["unplaced"][0]["reasons"][0]["message"]


def test_within_the_source_is_elsewhere():
    one, two = moving(1, "n@old#q")
    pools = [pool(OLD), pool("n@old#q"), pool(ONE)]
    plan = make_plan(world([one], pools, two), Request("n@old"))
    assert reasons(plan) == {"s1": ["migrating_elsewhere"]}


def test_a_migration_that_has_just_begun_has_no_destination_yet():
    one = share(1, status="migrating", task_state="migration_starting")
    inventory = world([one], instances={"s1": [instance(one, status="migrating")]})
    assert reasons(make_plan(inventory, Request("n@old"))) == {"s1": ["destination_unknown"]}


def test_a_migration_with_three_instances_is_ambiguous():
    one, two = moving(1, TWO)
    two["s1"].append(instance(one, ONE, "error"))
    plan = make_plan(world([one], instances=two), Request("n@old"))
    assert reasons(plan) == {"s1": ["instances"]}


def test_a_stuck_migration_is_no_migration():
    one, two = moving(1, TWO, "data_copying_error")
    plan = make_plan(world([one], instances=two), Request("n@old"))
    assert reasons(plan) == {"s1": ["stuck"]}


def test_a_share_that_comes_is_a_warning():
    one, two = moving(1, OLD, host=ONE)
    plan = make_plan(world([one], instances=two), Request("n@old"))
    assert plan["migrations"] == plan["unplaced"] == []
    assert [reason["code"] for reason in plan["warnings"]] == ["fills_source"]


def test_warnings_come_in_the_order_of_the_shares():
    comers = [moving(number, OLD, host=ONE) for number in range(20)]
    instances = {key: value for _one, two in comers for key, value in two.items()}
    plan = make_plan(world([one for one, _two in comers], instances=instances), Request("n@old"))
    messages = [reason["message"] for reason in plan["warnings"]]
    assert messages == [
        f"share {one.name} migrates from {ONE} to {OLD}"
        for one in sorted((one for one, _two in comers), key=lambda one: one.id)
    ]


def test_migrations_of_others_count_at_their_destination():
    one, two = moving(9, ONE, "migration_starting", size=95, host="n@two#p")
    pools = [pool(OLD), pool(ONE), pool(TWO, 100, 0)]
    plan = make_plan(world([share(1), one], pools, two), Request("n@old"))
    assert reasons(plan) == {"s1": ["no_capacity"]}
    # Once the destination exists its size is in the pool's report.
    one, two = moving(9, ONE, size=95, host="n@two#p")
    pools = [pool(OLD), pool(ONE, 100, 10), pool(TWO, 100, 0)]
    plan = make_plan(world([share(1), one], pools, two), Request("n@old"))
    assert places(plan) == {"s1": ONE}


# -- what can't be moved ---------------------------------------------------------------------


def test_all_reasons_at_once_of_the_share_and_of_the_pools():
    one = share(1, type_name="pinned", status="error", share_group_id="g")
    plan = make_plan(world([one]), Request("n@old", ["n@one"]))
    assert reasons(plan) == {"s1": ["share_group", "status", "type_pinned"]}


def test_a_share_that_some_pool_could_take_gets_no_reasons_of_pools():
    pools = [pool(OLD), pool(ONE), pool(TWO, able={"storage_protocol": "CIFS"})]
    plan = make_plan(world([share(1, status="error")], pools), Request("n@old"))
    assert reasons(plan) == {"s1": ["status"]}


def test_no_room_and_the_reasons_of_the_other_pools():
    pools = [pool(OLD), pool(ONE, 100, 5), pool(TWO, able={"storage_protocol": "CIFS"})]
    plan = make_plan(world([share(1)], pools), Request("n@old"))
    assert reasons(plan) == {"s1": ["no_capacity", "protocol"]}


def test_the_same_reason_for_many_pools_is_said_once():
    pools = [pool(OLD)] + [pool(f"n@b{n}#p", able={"storage_protocol": "CIFS"}) for n in range(40)]
    plan = make_plan(world([share(1)], pools), Request("n@old"))
    (entry,) = plan["unplaced"]
    assert len(entry["reasons"]) == 1
    assert "40 pools" in entry["reasons"][0]["message"]


def test_services_count():
    inventory = world([share(1)])
    services = {
        **inventory.services,
        "n@one": replace(inventory.services["n@one"], status="disabled"),
        "n@two": replace(inventory.services["n@two"], fresh=False),
    }
    plan = make_plan(replace(inventory, services=services), Request("n@old"))
    assert reasons(plan) == {"s1": ["service_disabled", "service_down"]}
    # The source may be disabled: that is the cordon.
    services["n@one"] = inventory.services["n@one"]
    services["n@old"] = replace(inventory.services["n@old"], status="disabled")
    assert places(make_plan(replace(inventory, services=services), Request("n@old"))) == {"s1": ONE}


def test_leftovers_are_named():
    moved = share(1, host=ONE, task_state="migration_success")
    ghost = share(2)
    two = {"s1": [instance(moved), instance(moved, OLD, "error")], "s2": [instance(ghost)]}
    plan = make_plan(world([moved], instances=two), Request("n@old"))
    assert plan["migrations"] == []
    assert {(one["kind"], one["id"]) for one in plan["unplaced"]} == {
        ("share_instance", f"i-s1-{OLD}"),
        ("share_instance", f"i-s2-{OLD}"),
    }
    assert set(map(tuple, reasons(plan).values())) == {("leftover",)}


def test_shares_elsewhere_are_nobodys_business():
    assert places(make_plan(world([share(1, host=ONE)]), Request("n@old"))) == {}


def test_snapshots_warn_or_block():
    inventory = world([share(1)], snapshots_by_share=snapshots(s1=["available"] * 2))
    (entry,) = make_plan(inventory, Request("n@old"))["migrations"]
    assert "snapshots" in [one["code"] for one in entry["warnings"]]
    plan = make_plan(inventory, Request("n@old", mechanism="host"))
    assert reasons(plan) == {"s1": ["snapshots"]}


def test_snapshots_are_deleted_only_if_they_are_named():
    inventory = world([share(1), share(2)], snapshots_by_share=snapshots(s1=["available"] * 2))
    request = Request("n@old", mechanism="host", delete_snapshots=["snap 0"])
    plan = make_plan(inventory, request)
    assert reasons(plan) == {"s1": ["snapshots"]}
    assert "1 snapshot (snap 1)" in plan["unplaced"][0]["reasons"][0]["message"]
    plan = make_plan(inventory, replace(request, delete_snapshots=["snap 0", "s1-1"]))
    (first, second) = plan["migrations"]
    assert [one["id"] for one in first["delete_snapshots"]] == ["s1-0", "s1-1"]
    assert second["delete_snapshots"] == []
    (warning,) = [one for one in plan["warnings"] if one["code"] == "snapshots_deleted"]
    assert "snap 0 of share 1, snap 1 of share 1" in warning["message"]
    assert [one.delete_snapshots for one in to_migrations(plan)] == [("s1-0", "s1-1"), ()]
    assert make_plan(inventory, Request("n@old"))["migrations"][0]["delete_snapshots"] == []


def test_snapshots_of_what_does_not_move_are_kept():
    found = snapshots(s1=["available"], s2=["available"], s3=["available"])
    one, instances = moving(3, ONE)
    shares = [share(1, host=ONE), share(2, status="error"), one]
    inventory = world(shares, None, instances, snapshots_by_share=found)
    request = Request("n@old", delete_snapshots=["s1-0", "s2-0", "s3-0", ""])
    plan = make_plan(inventory, request)
    assert [one["delete_snapshots"] for one in plan["migrations"]] == [[]]
    assert "snapshot_unknown" in [one["code"] for one in plan["warnings"]]


def test_a_name_of_several_snapshots_deletes_none():
    found = snapshots(s1=["available"], s2=["available"])
    inventory = world([share(1), share(2)], snapshots_by_share=found)
    with pytest.raises(ValueError, match="2 snapshots are named 'snap 0'; use IDs"):
        make_plan(inventory, Request("n@old", delete_snapshots=["snap 0"]))
    with pytest.raises(ValueError, match="excludes require"):
        make_plan(
            inventory,
            Request("n@old", delete_snapshots=["s1-0"], require=["preserve_snapshots"]),
        )


@pytest.mark.parametrize(
    ("mechanism", "code", "unplaced"),
    [("host", None, {"s1": ["data_service_missing"]}), ("auto", "data_service_missing", {})],
)
def test_without_a_data_service(mechanism, code, unplaced):
    plan = make_plan(world([share(1)], data_services=()), Request("n@old", mechanism=mechanism))
    assert reasons(plan) == unplaced
    assert [one["code"] for one in plan["warnings"]] == ([code] if code else [])


# -- properties ------------------------------------------------------------------------------

capacities = st.integers(0, 60) | st.just("unknown")


@st.composite
def pools_(draw, name):
    total = draw(capacities)
    free = draw(st.integers(0, 60) | st.just("unknown"))
    return pool(
        name,
        total,
        min(free, total) if isinstance(free, int) and isinstance(total, int) else free,
        provisioned_gb=draw(st.none() | st.integers(0, 90)),
        reserved_percentage=draw(st.sampled_from([0, 0, 5, 20])),
        reserved_snapshot_percentage=draw(st.sampled_from([0, 50])),
        thin_provisioning=draw(st.booleans()),
        max_over_subscription_ratio=draw(st.sampled_from([1, 1.5, 4])),
        able={"disk": draw(st.sampled_from(["ssd", "hdd"]))},
    )


@st.composite
def shares_(draw, number):
    return share(
        number,
        draw(st.integers(1, 30)),
        draw(st.sampled_from([OLD, "n@old#q"])),
        draw(st.sampled_from(["plain", "plain", "fast", "thick", "pinned"])),
        status=draw(st.sampled_from(["available"] * 6 + ["error"])),
        snapshot_id=draw(st.sampled_from([None, None, "snapshot"])),
    )


@st.composite
def worlds(draw):
    """An inventory and a request."""
    names = [OLD, "n@old#q", ONE, "n@one#q", TWO, "n@three#p"]
    pools = [draw(pools_(name)) for name in names]
    shares = [draw(shares_(number)) for number in range(draw(st.integers(0, 12)))]
    instances = {}
    if draw(st.booleans()):
        task_state = draw(st.sampled_from(["migration_starting", "data_copying_in_progress"]))
        one, instances = moving(99, ONE, task_state, size=draw(st.integers(1, 20)))
        shares.append(one)
    inventory = world(shares, pools, instances)
    if draw(st.booleans()):
        dead = replace(inventory.services["n@two"], state="down")
        inventory = replace(inventory, services={**inventory.services, "n@two": dead})
    request = Request(
        source=draw(st.sampled_from(["n@old", OLD])),
        destinations=draw(st.sampled_from([(), (), ("n@one", TWO), ("n@three",)])),
        share_type_map=draw(st.sampled_from([{}, {"pinned": "plain"}])),
        mechanism=draw(st.sampled_from(["auto", "driver", "host"])),
        placement=draw(st.sampled_from(["spread", "pack"])),
    )
    return inventory, request


def options_of(entry):
    return Options(**entry["options"])


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_everything_is_said_once_and_nothing_lands_where_it_must_not(case):
    inventory, request = case
    plan = make_plan(inventory, request)
    listed = [one["id"] for one in plan["migrations"] + plan["unplaced"]]
    here = [one.id for one in inventory.shares if covers(request.source, one.host)]
    assert sorted(listed) == sorted(here)
    for entry in plan["migrations"]:
        assert covers(request.source, entry["source"])
        assert not covers(request.source, entry["destination"])
        assert not request.destinations or any(
            covers(place, entry["destination"]) for place in request.destinations
        )
    for entry in plan["unplaced"]:
        assert entry["reasons"]
        assert all(reason["code"] in CODES for reason in entry["reasons"])
    migrations = to_migrations(json.loads(json.dumps(plan)))
    assert [one.id for one in migrations] == [one["id"] for one in plan["migrations"]]


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_no_pool_is_filled_beyond_what_the_scheduler_lets_in(case):
    """The scheduler's arithmetic, one start after the other, with what came before in full."""
    inventory, request = case
    pools = {one.name: one for one in inventory.pools}
    shares = {one.id: one for one in inventory.shares}
    loads = defaultdict(float)
    taken = defaultdict(float)
    for entry in make_plan(inventory, request)["migrations"]:
        target, size = pools[entry["destination"]], entry["size_gb"]
        one = shares[entry["id"]]
        type_id = entry["options"]["new_share_type_id"] or one.share_type_id
        thin = target.thin_provisioning and type_id != "id-thick"
        source = pools[entry["source"]]
        part = 1.0
        known = isinstance(source.total_gb, int) and isinstance(source.free_gb, int)
        if thin and source.thin_provisioning and source.provisioned_gb and known:
            part = min(1, (source.total_gb - source.free_gb) / source.provisioned_gb)
        if entry["phase"] == "idle":
            assert lets_in(target, thin, size, loads[target.name], taken[target.name], one), entry
        task_state = one.task_state
        if entry["phase"] == "idle" or task_state == "migration_starting":
            loads[target.name] += size
        if entry["phase"] == "idle" or task_state == "migration_starting" or thin:
            taken[target.name] += size * part


def lets_in(pool, thin, size, promised, taken, share):
    """CapacityFilter, step by step."""
    reserved = (
        pool.reserved_snapshot_percentage if share.snapshot_id else pool.reserved_percentage
    ) / 100
    if pool.free_gb == "unknown":
        return True
    free = pool.free_gb - taken
    if pool.total_gb == "unknown":
        return reserved == 0 and size <= free
    free = math.floor(free - pool.total_gb * reserved)
    if not thin:
        return free >= size
    provisioned = pool.provisioned_gb
    if provisioned is None:
        provisioned = pool.total_gb - pool.free_gb
    ratio = pool.max_over_subscription_ratio
    return (provisioned + promised + size) / pool.total_gb <= ratio and free * ratio >= size


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_every_constraint_is_kept_and_every_reason_is_true(case):
    inventory, request = case
    plan = make_plan(inventory, request)
    pools = {one.name: one for one in inventory.pools}
    shares = {one.id: one for one in inventory.shares}
    allowed = [
        one
        for name, one in pools.items()
        if not covers(request.source, name)
        and (not request.destinations or any(covers(to, name) for to in request.destinations))
    ]
    host = Options(force_host_assisted_migration=request.mechanism == "host")

    def refusals(one, target, options):
        new = inventory.share_types[options.new_share_type_id or one.share_type_id]
        service = inventory.services[target.backend]
        return pool_blockers(one, new, target, service, options, one.host)

    for entry in plan["migrations"]:
        one = shares[entry["id"]]
        options = options_of(entry)
        if entry["phase"] == "idle":
            assert refusals(one, pools[entry["destination"]], options) == []
            new = inventory.share_types[options.new_share_type_id or one.share_type_id]
            assert share_blockers(one, inventory.instances[one.id], 0, options, new) == []
    for entry in plan["unplaced"]:
        one = shares[entry["id"]]
        if one.status == "migrating":
            continue
        mapped = "id-plain" if request.share_type_map and one.share_type_id == "id-pinned" else None
        options = replace(host, new_share_type_id=mapped)
        new = inventory.share_types[mapped or one.share_type_id]
        own = {
            reason.code
            for reason in share_blockers(one, inventory.instances[one.id], 0, options, new)
        }
        found = {reason["code"] for reason in entry["reasons"]}
        assert own <= found
        if own:
            continue
        # Nothing in the share: then no pool may be left that takes it as things are planned.
        load = defaultdict(float)
        for other in plan["migrations"]:
            load[other["destination"]] += other["size_gb"]
        for target in allowed:
            full = fits(target, new, one.size_gb, load[target.name], one.snapshot_id is not None)
            assert refusals(one, target, options) or full, (entry, target)
        true = {reason.code for target in allowed for reason in refusals(one, target, options)} | {
            "no_capacity",
            "capacity_invalid",
        }
        assert found <= true


@settings(max_examples=60, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(case, random):
    inventory, request = case
    plan = make_plan(inventory, request)

    def shuffled(things):
        things = list(things)
        random.shuffle(things)
        return things

    other = Inventory(
        shares=shuffled(inventory.shares),
        instances={k: shuffled(v) for k, v in shuffled(inventory.instances.items())},
        snapshots_by_share=inventory.snapshots_by_share,
        pools=shuffled(inventory.pools),
        services=dict(shuffled(inventory.services.items())),
        share_types=dict(shuffled(inventory.share_types.items())),
    )
    assert json.dumps(make_plan(other, request)) == json.dumps(plan)


# -- without a scheduler ---------------------------------------------------------------------


def test_without_a_scheduler_what_runs_is_in_the_plan_all_the_same():
    here = world([share(1)])
    silent = replace(here, pools=(), scheduler_up=False)
    plan = make_plan(silent, Request("n@old"))
    assert reasons(plan) == {"s1": ["scheduler_down"]}
    assert [one["code"] for one in plan["warnings"]] == ["scheduler_down"]
