# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner, where shares live on share servers."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import CODES
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    check_blockers,
    place_blockers,
    server_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    backend_of,
    covers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import Compatibility
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import (
    to_migrations,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import (
    Question,
    checks_to_ask,
    make_plan,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.request import Scope
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import headroom
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    OLD2,
    ONE,
    ONE2,
    SERVER_POOLS,
    TWO,
    aboard,
    going,
    instance,
    moving,
    places,
    pool,
    reasons,
    server,
    server_pool,
    share,
    tenants,
    world,
)

EMPTY = Request("n@old")
SPLIT = Request("n@old", share_servers="split")


def shares_of(plan, server_id="v1"):
    """Where the shares of a server are expected."""
    (entry,) = [one for one in plan["migrations"] if one["id"] == server_id]
    return {one["id"]: one["destination"] for one in entry["shares"]}


def warned(plan):
    return [one["code"] for one in plan["warnings"]]


# -- what a plan says of a share server ------------------------------------------------------


def test_one_migration_a_server():
    v = server(1, project_id="tenant")
    shares = [aboard(1, size=10), aboard(2, size=20, host=OLD2)]
    plan = make_plan(tenants(shares, [v]), EMPTY)
    (entry,) = plan["migrations"]
    assert entry == {
        "kind": "share_server",
        "id": "v1",
        "name": "",
        "label": "share server v1",
        "project_id": "tenant",
        "source": "n@old",
        "destination": "n@one",
        "size_gb": 30,
        "migrating": False,
        "phase": "idle",
        "options": {
            "preserve_metadata": False,
            "preserve_snapshots": False,
            "writable": False,
            "nondisruptive": False,
            "force_host_assisted_migration": False,
            "new_share_type_id": None,
            "new_share_network_id": None,
        },
        "group": "",
        "group_missing": [],
        "warnings": [],
        "shares": [
            {"id": "s1", "name": "share 1", "size_gb": 10, "source": OLD, "destination": ONE},
            {"id": "s2", "name": "share 2", "size_gb": 20, "source": OLD2, "destination": ONE2},
        ],
    }
    assert plan["share_servers"] == "whole"
    assert plan["summary"]["migrations"] == 1
    assert plan["summary"]["size_gb"] == 30
    (migration,) = to_migrations(json.loads(json.dumps(plan)))
    assert (migration.kind, migration.source, migration.destination) == (
        "share_server",
        "n@old",
        "n@one",
    )


def test_split_plans_share_by_share():
    shares = [aboard(1), aboard(2)]
    request = replace(SPLIT, share_network_map={"net": "new"})
    plan = make_plan(tenants(shares), request)
    assert {one["kind"] for one in plan["migrations"]} == {"share"}
    assert set(places(plan)) == {"s1", "s2"}
    assert {one["options"]["new_share_network_id"] for one in plan["migrations"]} == {"new"}
    assert plan["share_servers"] == "split"


def test_shares_without_a_server_go_by_themselves():
    pools = [*SERVER_POOLS[:2], server_pool(ONE), pool(TWO)]
    plan = make_plan(tenants([aboard(1), share(2)], [server(1)], pools), EMPTY)
    assert places(plan) == {"v1": "n@one", "s2": TWO}


def test_what_is_asked_of_a_server():
    request = replace(
        EMPTY,
        require=["writable", "nondisruptive", "preserve_snapshots"],
        share_network_map={"net": "new", "other": "net"},
    )
    (entry,) = make_plan(tenants([aboard(1)]), request)["migrations"]
    assert {name for name, value in entry["options"].items() if value} == {
        "writable",
        "nondisruptive",
        "preserve_snapshots",
        "new_share_network_id",
    }
    same = replace(EMPTY, share_network_map={"net": "net"})
    (entry,) = make_plan(tenants([aboard(1)]), same)["migrations"]
    assert entry["options"]["new_share_network_id"] is None


def test_driver_asks_for_nothing_more_since_only_drivers_move_servers():
    (entry,) = make_plan(tenants([aboard(1)]), replace(EMPTY, mechanism="driver"))["migrations"]
    assert not any(entry["options"].values())


def test_warnings_of_the_check_stand_at_the_migration():
    inventory = tenants([aboard(1)], pools=SERVER_POOLS[:4])
    check = Compatibility(True, {"nondisruptive": False, "writable": True})
    (entry,) = make_plan(replace(inventory, checks={("v1", "n@one"): check}), EMPTY)["migrations"]
    assert [one["code"] for one in entry["warnings"]] == ["disruptive"]


# -- where to --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "free", "expected"),
    [
        # The pool of the same name, if it has room, or else where most is.
        ([(10, OLD), (10, OLD2)], (50, 50), [ONE, ONE2]),
        ([(10, OLD2)], (50, 10), [ONE2]),
        ([(10, OLD2)], (50, 9), [ONE]),
        ([(10, "n@old#other")], (50, 40), [ONE]),
        ([(10, "n@old#other")], (40, 50), [ONE2]),
        ([(10, "n@old#other")], (50, 50), [ONE]),
        # The largest first: it takes the room at its place.
        ([(30, OLD), (31, OLD)], (60, 60), [ONE2, ONE]),
        ([(30, OLD), (31, OLD), (30, OLD2)], (61, 30), [ONE, ONE, ONE2]),
        # What doesn't tell comes after what does.
        ([(10, "n@old#other")], ("unknown", 20), [ONE2]),
        ([(30, "n@old#other")], ("unknown", 20), [ONE]),
    ],
)
def test_in_which_pools_the_shares_are_expected(shares, free, expected):
    pools = [*SERVER_POOLS[:2], server_pool(ONE, free=free[0]), server_pool(ONE2, free=free[1])]
    listed = [aboard(n, size=size, host=host) for n, (size, host) in enumerate(shares)]
    plan = make_plan(tenants(listed, pools=pools), EMPTY)
    assert list(shares_of(plan).values()) == expected


def test_a_server_goes_only_where_all_its_shares_find_room():
    pools = [*SERVER_POOLS[:2], server_pool(ONE, free=30), server_pool(TWO, free=60)]
    shares = [aboard(1, size=20), aboard(2, size=20)]
    assert places(make_plan(tenants(shares, pools=pools), EMPTY)) == {"v1": "n@two"}
    pools[3] = server_pool(TWO, free=39)
    plan = make_plan(tenants(shares, pools=pools), EMPTY)
    (entry,) = plan["unplaced"]
    assert (entry["kind"], entry["id"], entry["name"]) == ("share_server", "v1", "")
    assert (entry["label"], entry["size_gb"]) == ("share server v1", 40)
    assert [one["id"] for one in entry["shares"]] == ["s1", "s2"]
    (reason,) = entry["reasons"]
    assert reason["code"] == "no_capacity"
    assert "2 shares with 40 GiB" in reason["message"]
    assert "20 GiB of that find some at most (at n@one)" in reason["message"]


def test_shares_of_one_server_take_room_from_each_other_and_all_of_them_from_what_follows():
    shares = [aboard(number, size=20) for number in range(3)]
    pools = [server_pool(OLD), server_pool(ONE, free=59)]
    assert reasons(make_plan(tenants(shares, pools=pools), EMPTY)) == {"v1": ["no_capacity"]}
    pools[1] = server_pool(ONE, free=70)
    shares.append(aboard(9, "v2", 11))
    assert places(make_plan(tenants(shares, pools=pools), EMPTY)) == {"v1": "n@one"}
    shares[3] = aboard(9, "v2", 10)
    assert len(places(make_plan(tenants(shares, pools=pools), EMPTY))) == 2


def test_what_is_placed_takes_room_from_what_follows():
    pools = [*SERVER_POOLS[:2], server_pool(ONE, free=50)]
    shares = [aboard(1, "v1", 30), aboard(2, "v2", 20), aboard(3, "v3", 1), share(4)]
    plan = make_plan(tenants(shares, [server(n) for n in (1, 2, 3)], pools), EMPTY)
    assert set(places(plan)) == {"v1", "v2"}
    assert reasons(plan)["v3"] == ["no_capacity"]


def test_servers_and_shares_share_their_room():
    able = {"driver_handles_share_servers": [True, False]}
    pools = [*SERVER_POOLS[:2], server_pool(ONE, free=50, able=able)]
    plan = make_plan(tenants([aboard(1, size=30), share(2, 21)], [server(1)], pools), EMPTY)
    assert places(plan) == {"v1": "n@one"}
    assert reasons(plan) == {"s2": ["no_capacity"]}
    plan = make_plan(tenants([aboard(1, size=30), share(2, 20)], [server(1)], pools), EMPTY)
    assert places(plan) == {"v1": "n@one", "s2": ONE}


@pytest.mark.parametrize(("placement", "expected"), [("spread", "n@two"), ("pack", "n@one")])
def test_the_fullest_pool_decides(placement, expected):
    # 80 % at n@one where a share comes, 30 % at n@two; full pools that get nothing don't count.
    pools = [
        *SERVER_POOLS[:2],
        server_pool(ONE, free=30),
        server_pool(ONE2, free=100),
        server_pool(TWO, free=80),
        server_pool("n@two#full", free=1),
    ]
    shares = [aboard(1, size=10), aboard(2, size=2, host=OLD2)]
    plan = make_plan(tenants(shares, pools=pools), replace(EMPTY, placement=placement))
    assert places(plan) == {"v1": expected}


def test_the_largest_server_first_and_of_equals_the_one_with_fewer_choices():
    pools = [*SERVER_POOLS[:2], server_pool(ONE, free=10), server_pool(TWO, free=10)]
    shares = [aboard(1, "v1"), aboard(2, "v2")]
    only = {("v2", "n@two"): Compatibility(False, {})}
    inventory = replace(tenants(shares, pools=pools), checks=only)
    assert places(make_plan(inventory, EMPTY)) == {"v1": "n@two", "v2": "n@one"}
    shares = [aboard(1, "v1", 5), aboard(2, "v1", 5), aboard(3, "v2", 9), aboard(4, "v3", 11)]
    plan = make_plan(tenants(shares), EMPTY)
    assert [one["id"] for one in plan["migrations"]] == ["v3", "v1", "v2"]


def test_trying_finds_room_for_servers_too():
    # First-fit in falling order fails in both manners: only 6+3+3 and 4+4+4 fill both pools.
    pools = [server_pool(OLD), server_pool(ONE, 12, 12), server_pool(TWO, 12, 12)]
    shares = [aboard(n, f"v{n}", size) for n, size in enumerate([6, 4, 4, 4, 3, 3])]
    for placement in ("spread", "pack"):
        plan = make_plan(tenants(shares, pools=pools), replace(EMPTY, placement=placement))
        assert len(plan["migrations"]) == 6
        assert [one["used_percent_after"] for one in plan["pools"][1:]] == [100, 100]


def test_servers_with_fewer_choices_go_before_their_equals_also_when_there_are_many():
    pools = [server_pool(OLD), server_pool(ONE, 62, 62), server_pool(TWO, 62, 62)]
    shares = [aboard(number, f"v{number}", 1) for number in range(100, 224)]
    no = Compatibility(False, {})
    checks = {(f"v{number}", "n@two"): no for number in range(162, 224)}
    inventory = replace(tenants(shares, pools=pools), checks=checks)
    assert len(places(make_plan(inventory, EMPTY))) == 124


@pytest.mark.parametrize(("type_name", "fits"), [("servers", True), ("thickservers", False)])
def test_thin_or_thick_is_a_matter_of_each_share(type_name, fits):
    thin = {"thin_provisioning": True, "max_over_subscription_ratio": 4, "provisioned_gb": 0}
    pools = [server_pool(OLD), server_pool(ONE, 100, 20, **thin)]
    shares = [aboard(1, size=15), aboard(2, size=15, type_name=type_name)]
    plan = make_plan(tenants(shares, pools=pools), EMPTY)
    # What is written in a pool that isn't thin counts in full: 15 of 20 GiB are taken by the first.
    assert bool(plan["migrations"]) is fits


def test_a_destination_of_single_pools_counts_their_room_only():
    shares = [aboard(1, size=60), aboard(2, size=60)]
    plan = make_plan(tenants(shares), replace(EMPTY, destinations=["n@one"]))
    assert shares_of(plan) == {"s1": ONE, "s2": ONE2}
    plan = make_plan(tenants(shares), replace(EMPTY, destinations=[ONE]))
    assert reasons(plan) == {"v1": ["no_capacity"]}
    plan = make_plan(tenants(shares[:1]), replace(EMPTY, destinations=[ONE2]))
    assert shares_of(plan) == {"s1": ONE2}
    plan = make_plan(tenants(shares), replace(EMPTY, destinations=[ONE, ONE2]))
    assert shares_of(plan) == {"s1": ONE, "s2": ONE2}


def test_pools_before_and_after_by_the_pools_where_shares_are_expected():
    shares = [aboard(1, size=10), aboard(2, size=20, host=OLD2)]
    plan = make_plan(tenants(shares, pools=SERVER_POOLS[:4]), EMPTY)
    figures = {
        one["name"]: (one["planned_gb_in"], one["planned_gb_out"], one["used_percent_after"])
        for one in plan["pools"]
    }
    assert figures == {OLD: (0, 10, 0), OLD2: (0, 20, 0), ONE: (10, 0, 10), ONE2: (20, 0, 20)}


def test_pools_that_do_not_tell_are_named_and_functions_of_the_scheduler_are_not():
    able = {"filter_function": "share.size < 5"}
    pools = [server_pool(OLD), server_pool(ONE, "unknown", "unknown", able=able)]
    assert warned(make_plan(tenants([aboard(1)], pools=pools), EMPTY)) == ["capacity_unknown"]


# -- what to ask Manila ----------------------------------------------------------------------


def test_only_what_depends_on_the_answer_is_asked():
    shares = [
        aboard(1, "v1"),
        aboard(2, "v2", status="error"),
        aboard(3, "v3"),
        aboard(4, "v4", status="server_migrating"),
        aboard(5, "v5"),
    ]
    servers = [server(n) for n in (1, 2, 3, 5)] + going(4, "n@one")
    pools = [*SERVER_POOLS, pool("n@plain#p")]
    request = replace(EMPTY, exclude=["v3", "share 5"], require=["writable"])
    asked = checks_to_ask(tenants(shares, servers, pools), request)
    options = Options(writable=True)
    assert asked == [Question("v1", "n@one", options), Question("v1", "n@two", options)]
    assert checks_to_ask(tenants(shares, servers, pools), replace(EMPTY, mechanism="host")) == []
    assert checks_to_ask(tenants(shares, servers, pools), SPLIT) == []


def test_a_back_end_is_ruled_out_by_manila():
    inventory = tenants([aboard(1)])
    no = {("v1", "n@one"): Compatibility(False, {})}
    assert places(make_plan(replace(inventory, checks=no), EMPTY)) == {"v1": "n@two"}
    both = {**no, ("v1", "n@two"): Compatibility(False, refusal="Share s1 has replicas.")}
    plan = make_plan(replace(inventory, checks=both), EMPTY)
    assert reasons(plan) == {"v1": ["incompatible", "refused"]}
    messages = [one["message"] for one in plan["unplaced"][0]["reasons"]]
    assert messages[0].startswith("n@one: the driver says")
    assert messages[1] == "n@two: Manila refuses it: Share s1 has replicas"


def test_the_same_reason_for_many_back_ends_is_said_once():
    pools = [server_pool(OLD)] + [pool(f"n@b{number}#p") for number in range(40)]
    (entry,) = make_plan(tenants([aboard(1)], pools=pools), EMPTY)["unplaced"]
    (reason,) = entry["reasons"]
    assert reason["code"] == "share_servers"
    assert reason["message"].startswith("40 back ends (n@b0, n@b1, n@b10 …): the back end")


# -- what can't move -------------------------------------------------------------------------


def test_shares_in_the_way_are_named_and_nothing_else_if_there_is_a_place():
    shares = [aboard(1), aboard(2, status="error")]
    plan = make_plan(tenants(shares), EMPTY)
    assert reasons(plan) == {"v1": ["status"]}
    assert plan["unplaced"][0]["reasons"][0]["message"].startswith("share share 2: ")
    assert plan["migrations"] == []


def test_all_reasons_at_once_of_the_server_and_of_the_back_ends():
    pools = [server_pool(OLD), pool(ONE)]
    plan = make_plan(tenants([aboard(1, status="error")], pools=pools), EMPTY)
    assert reasons(plan) == {"v1": ["status", "share_servers"]}


def test_no_place_at_all():
    plan = make_plan(tenants([aboard(1)], pools=[server_pool(OLD)]), EMPTY)
    assert reasons(plan) == {"v1": ["no_destination"]}
    silent = replace(tenants([aboard(1)]), pools=(), scheduler_up=False)
    assert reasons(make_plan(silent, EMPTY)) == {"v1": ["scheduler_down"]}


def test_pools_without_usable_figures_are_no_place():
    pools = [server_pool(OLD), server_pool(ONE, "infinite", "infinite")]
    assert reasons(make_plan(tenants([aboard(1)], pools=pools), EMPTY)) == {
        "v1": ["capacity_invalid"]
    }


def test_the_data_service_moves_no_servers():
    plan = make_plan(tenants([aboard(1), share(2)], [server(1)]), replace(EMPTY, mechanism="host"))
    assert reasons(plan)["v1"] == ["options_conflict"]
    assert "share_servers: split" in plan["unplaced"][-1]["reasons"][0]["message"]


def test_a_server_that_manila_does_not_list():
    assert reasons(make_plan(tenants([aboard(1)], []), EMPTY)) == {"v1": ["status"]}


def test_a_single_pool_is_no_source_for_servers():
    with pytest.raises(
        ValueError, match=re.escape("give n@old as source, or share_servers: split.")
    ):
        make_plan(tenants([aboard(1)]), Request(OLD))
    assert set(places(make_plan(tenants([aboard(1)]), replace(SPLIT, source=OLD)))) == {"s1"}
    # Nothing of a server is in this one.
    assert make_plan(tenants([aboard(1)]), Request(OLD2))["unplaced"] == []
    with pytest.raises(ValueError, match="'half' is none of whole, split"):
        make_plan(world([]), replace(EMPTY, share_servers="half"))


# -- exclusions ------------------------------------------------------------------------------


def test_a_server_is_excluded_by_its_id_with_all_its_shares():
    shares = [aboard(1, status="error"), aboard(2, "v2")]
    plan = make_plan(tenants(shares), replace(EMPTY, exclude=["v1"]))
    assert places(plan) == {"v2": "n@one"}
    assert plan["unplaced"] == plan["warnings"] == []
    (entry,) = plan["excluded"]
    assert (entry["kind"], entry["id"], [one["id"] for one in entry["shares"]]) == (
        "share_server",
        "v1",
        ["s1"],
    )


@pytest.mark.parametrize("source", ["n@old", OLD])
def test_split_the_id_of_a_server_excludes_all_shares_on_it(source):
    shares = [aboard(1), aboard(2), aboard(3, "v2")]
    request = replace(SPLIT, source=source, exclude=["v1", "share 2"])
    plan = make_plan(tenants(shares), request)
    assert [one["id"] for one in plan["excluded"]] == ["s1", "s2"]
    assert set(places(plan)) == {"s3"}
    assert plan["warnings"] == []


@pytest.mark.parametrize("word", ["share 1", "s1"])
def test_an_excluded_share_keeps_its_server(word):
    plan = make_plan(tenants([aboard(1), aboard(2)]), replace(EMPTY, exclude=[word]))
    assert reasons(plan) == {"v1": ["excluded_share"]}
    assert plan["unplaced"][0]["reasons"][0]["message"].startswith("share 1: excluded")
    assert [one["id"] for one in plan["excluded"]] == ["s1"]
    assert plan["warnings"] == []
    # Split, it is a matter of that share alone.
    plan = make_plan(tenants([aboard(1), aboard(2)]), replace(SPLIT, exclude=[word]))
    assert set(places(plan)) == {"s2"}


def test_a_server_of_which_all_shares_are_excluded_is_excluded():
    plan = make_plan(tenants([aboard(1), aboard(2)]), replace(EMPTY, exclude=["s1", "share 2"]))
    assert plan["unplaced"] == plan["migrations"] == plan["warnings"] == []
    assert [one["id"] for one in plan["excluded"]] == ["v1"]


def test_a_migration_that_takes_an_excluded_share_along_is_not_taken_up():
    shares = [aboard(n, status="server_migrating") for n in (1, 2)]
    plan = make_plan(tenants(shares, going(1, "n@one")), replace(EMPTY, exclude=["s1"]))
    assert reasons(plan) == {"v1": ["excluded_share"]}
    plan = make_plan(tenants(shares, going(1, "n@one")), replace(EMPTY, exclude=["v1"]))
    assert plan["migrations"] == plan["unplaced"] == []


# -- what is different from what was asked ---------------------------------------------------


def test_types_are_kept_and_metadata_is_not_asked_for():
    request = replace(
        EMPTY,
        require=["preserve_metadata"],
        share_type_map={"servers": "plain", "plain": "fast", "thick": "thick"},
    )
    plan = make_plan(tenants([aboard(1), share(2)], [server(1)]), request)
    assert warned(plan) == ["metadata_not_asked", "type_kept"]
    assert plan["warnings"][1]["message"].startswith("servers: mapped")
    entry = next(one for one in plan["migrations"] if one["id"] == "v1")
    assert not any(entry["options"].values())
    assert warned(make_plan(tenants([share(2)], []), request)) == []
    split = make_plan(tenants([aboard(1)]), replace(request, share_servers="split"))
    assert warned(split) == []


# -- servers without shares ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ("active", True),
        ("inactive", True),
        ("error", True),
        ("creating", False),
        ("deleting", False),
        ("server_migrating_to", False),
    ],
)
def test_servers_without_shares_are_no_data(status, named):
    servers = [server(1, status=status), server(2, "n@one")]
    plan = make_plan(tenants([], servers), EMPTY)
    assert plan["migrations"] == plan["unplaced"] == plan["excluded"] == []
    assert warned(plan) == (["empty_server"] if named else [])
    if named:
        assert "v1; Manila removes idle ones itself" in plan["warnings"][0]["message"]
    assert warned(make_plan(tenants([], servers), SPLIT)) == []
    assert warned(make_plan(tenants([], servers), replace(EMPTY, exclude=["v1"]))) == []


def test_many_empty_servers_are_counted_and_those_of_groups_named_apart():
    servers = [server(number) for number in range(6)]
    inventory = tenants([], servers, grouped_servers=frozenset({"v3"}))
    messages = [one["message"] for one in make_plan(inventory, EMPTY)["warnings"]]
    assert "5 share servers (v0, v1, v2 …); Manila removes" in messages[0]
    assert "v3; share groups live on them" in messages[1]


# -- what migrates already -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task_state", "phase"),
    [
        ("migration_in_progress", "copying"),
        ("migration_driver_in_progress", "copying"),
        ("migration_driver_phase1_done", "copied"),
        ("migration_completing", "completing"),
        ("migration_cancel_in_progress", "cancelling"),
    ],
)
def test_a_running_migration_is_adopted_and_comes_first(task_state, phase):
    shares = [aboard(1, size=1, status="server_migrating"), aboard(2, "v2", 50)]
    servers = [*going(1, "n@two", task_state, share_network_id="new"), server(2)]
    plan = make_plan(tenants(shares, servers), EMPTY)
    assert [(m["id"], m["phase"]) for m in plan["migrations"]] == [("v1", phase), ("v2", "idle")]
    entry = plan["migrations"][0]
    assert (entry["source"], entry["destination"]) == ("n@old", "n@two")
    assert entry["options"]["new_share_network_id"] == "new"
    assert plan["summary"]["running"] == 1
    assert plan["unplaced"] == plan["warnings"] == []
    if phase != "cancelling":
        assert shares_of(plan) == {"s1": TWO}


def test_in_split_shares_of_a_migrating_server_are_left_alone():
    shares = [aboard(1, status="server_migrating"), aboard(2, "v2")]
    plan = make_plan(tenants(shares, [*going(1, "n@two"), server(2)]), SPLIT)
    assert reasons(plan) == {"s1": ["status"]}
    assert set(places(plan)) == {"s2"}


@pytest.mark.parametrize("status", ["inactive", "deleting"])
def test_a_server_whose_shares_have_changed_places_is_still_completing(status):
    source = server(1, status=status, task_state="migration_success")
    target = server("1x", "n@one", "server_migrating_to", source_id="v1")
    one = aboard(1, "v1x", host=ONE, status="server_migrating")
    plan = make_plan(tenants([one], [source, target]), EMPTY)
    (entry,) = plan["migrations"]
    assert (entry["id"], entry["destination"], entry["phase"]) == ("v1", "n@one", "completing")
    assert entry["size_gb"] == 10
    moves = [(pool["planned_gb_in"], pool["planned_gb_out"]) for pool in plan["pools"]]
    assert set(moves) == {(0, 0)}


def test_a_server_that_has_arrived_is_nobodys_business_but_its_source():
    arrived = server("1x", "n@one", source_id="v1", task_state="migration_success")
    shares = [aboard(1, "v1x", host=ONE)]
    plan = make_plan(tenants(shares, [arrived]), EMPTY)
    assert plan["migrations"] == plan["unplaced"] == plan["warnings"] == []
    left = server(1, status="inactive", task_state="migration_success")
    assert warned(make_plan(tenants(shares, [left, arrived]), EMPTY)) == ["empty_server"]


def running(*servers, **more):
    shares = [aboard(1, status="server_migrating")]
    return make_plan(tenants(shares, servers), Request("n@old", ["n@one"], **more))


@pytest.mark.parametrize(
    ("servers", "code", "words"),
    [
        (going(1, "n@two"), "migrating_elsewhere", "n@two"),
        (going(1, "n@old"), "migrating_elsewhere", "n@old"),
        (going(1, "n@one", "migration_starting")[:1], "destination_unknown", "a moment ago"),
        (
            going(1, "n@one", "migration_cancel_in_progress")[:1],
            "destination_unknown",
            "is being cancelled",
        ),
        (going(1, "n@one", "migration_error"), "stuck", "migration_repair"),
        (going(1, "n@one", None), "stuck", "migration_repair"),
        (
            [*going(1, "n@one"), server(3, "n@two", "server_migrating_to", source_id="v1")],
            "stuck",
            "n@one, n@two",
        ),
        (
            [server(1, status="error", task_state="migration_error")],
            "stuck",
            "second phase",
        ),
    ],
)
def test_migrations_that_cannot_be_taken_up(servers, code, words):
    plan = running(*servers)
    assert plan["migrations"] == []
    (entry,) = plan["unplaced"]
    assert (entry["kind"], entry["id"]) == ("share_server", "v1")
    assert reasons(plan) == {"v1": [code]}
    assert words in entry["reasons"][0]["message"]
    assert plan["warnings"] == []


@pytest.mark.parametrize("request_", [EMPTY, SPLIT, Request(OLD2, share_servers="split")])
def test_servers_that_come_are_a_warning(request_):
    shares = [aboard(1, host=ONE, status="server_migrating")]
    plan = make_plan(tenants(shares, going(1, "n@old", host="n@one")), request_)
    assert plan["migrations"] == plan["unplaced"] == []
    assert warned(plan) == ["fills_source"]
    assert (
        "share server v1 with 1 share migrates from n@one to n@old"
        in (plan["warnings"][0]["message"])
    )


def test_a_share_that_leaves_its_server_by_itself_goes_on():
    one, instances = moving(1, TWO, type_name="servers", share_server_id="v1")
    plan = make_plan(tenants([one], [server(1)], instances=instances), EMPTY)
    assert places(plan) == {"s1": TWO}
    assert plan["unplaced"] == plan["warnings"] == []
    # What stays behind can't move before that is over.
    plan = make_plan(tenants([one, aboard(2)], [server(1)], instances=instances), EMPTY)
    assert places(plan) == {"s1": TWO}
    assert reasons(plan) == {"v1": ["status", "busy"]}


def test_a_leftover_on_a_server_is_named_as_such():
    one = aboard(1, "v9", host=ONE)
    instances = {"s1": [instance(one), instance(one, OLD, "error", share_server_id="v1")]}
    plan = make_plan(tenants([one], [server(1)], instances=instances), EMPTY)
    assert reasons(plan) == {f"i-s1-{OLD}": ["leftover"]}
    assert plan["warnings"] == []
    plan = make_plan(tenants([one, aboard(2)], [server(1)], instances=instances), EMPTY)
    assert reasons(plan) == {f"i-s1-{OLD}": ["leftover"], "v1": ["instances"]}


def test_a_replica_moves_with_the_server_that_it_is_on():
    one = aboard(1, "v9", host=ONE, has_replicas=True)
    instances = {
        "s1": [
            instance(one, replica_state="active"),
            instance(one, OLD, replica_state="in_sync", share_server_id="v1"),
        ]
    }
    plan = make_plan(tenants([one], [server(1)], instances=instances), EMPTY)
    (entry,) = plan["migrations"]
    assert (entry["id"], entry["size_gb"]) == ("v1", 10)
    assert [(one["id"], one["source"]) for one in entry["shares"]] == [("s1", OLD)]
    plan = make_plan(tenants([one], [server(1)], instances=instances), SPLIT)
    assert reasons(plan) == {"s1": ["replication_domain"]}


# -- a plan in the middle of a run -----------------------------------------------------------

THIN = {"thin_provisioning": True, "max_over_subscription_ratio": 1.5}


@pytest.mark.parametrize(
    ("task_state", "thin", "free", "left"),
    [
        # Nothing has been told to the destination: its figures are as they were.
        ("migration_in_progress", False, 100, 60),
        ("migration_driver_starting", True, 100, 90),
        # A thick pool has made room, and says so; of a thin one space goes as data comes,
        ("migration_driver_in_progress", False, 60, 60),
        ("migration_driver_in_progress", True, 90, 75),
        ("migration_driver_phase1_done", False, 60, 60),
        ("migration_driver_phase1_done", True, 60, 90),
        # and Manila counts promises where the instances are, until the end at the source.
        ("migration_driver_phase1_done", True, 100, 110),
        ("migration_completing", True, 100, 110),
    ],
)
def test_a_running_server_counts_once_at_its_destination(task_state, thin, free, left):
    # 40 of 100 GiB come.  A thin pool may promise 150, and half as much again as is free.
    more = {**THIN, "provisioned_gb": 0} if thin else {}
    pools = [server_pool(OLD), server_pool(ONE, 100, free, **more)]
    servers = [*going(1, "n@one", task_state), server(2)]
    for size in (left, left + 1):
        shares = [aboard(1, "v1", 40, status="server_migrating"), aboard(2, "v2", size)]
        plan = make_plan(tenants(shares, servers, pools), EMPTY)
        assert set(places(plan)) == ({"v1", "v2"} if size == left else {"v1"})
        assert shares_of(plan) == {"s1": ONE}


def test_a_plan_that_is_made_again_has_room_for_what_it_placed():
    pools = [server_pool(OLD), server_pool(OLD2), server_pool(ONE), server_pool(ONE2)]
    shares = [
        aboard(1, "v1", 60),
        aboard(2, "v1", 30, host=OLD2),
        aboard(3, "v2", 40),
        aboard(4, "v2", 50, host=OLD2),
    ]
    before = make_plan(tenants(shares, pools=pools), EMPTY)
    assert places(before) == {"v1": "n@one", "v2": "n@one"}
    begun = [replace(one, status="server_migrating") for one in shares[:2]] + shares[2:]
    for task_state, free in (("migration_in_progress", 100), ("migration_driver_in_progress", 40)):
        now = [*pools[:2], server_pool(ONE, free=free), server_pool(ONE2, free=min(free + 30, 100))]
        servers = [*going(1, "n@one", task_state), server(2)]
        after = make_plan(tenants(begun, servers, now), EMPTY)
        assert places(after) == places(before)
        assert {one["id"]: shares_of(after, one["id"]) for one in after["migrations"]} == {
            one["id"]: shares_of(before, one["id"]) for one in before["migrations"]
        }


# -- properties ------------------------------------------------------------------------------

figures = st.integers(10, 60) | st.integers(10, 60) | st.just("unknown")
TYPES = ["servers", "servers", "thickservers"]
LONE = ["plain", "plain", "thick"]


@st.composite
def pools_(draw, name, handles):
    total, free = draw(figures), draw(figures)
    numbers = isinstance(free, int) and isinstance(total, int)
    return server_pool(
        name,
        total,
        min(free, total) if numbers else free,
        able={"driver_handles_share_servers": handles},
        provisioned_gb=draw(st.none() | st.integers(0, 60)),
        reserved_percentage=draw(st.sampled_from([0, 0, 5, 20])),
        thin_provisioning=draw(st.booleans()),
        max_over_subscription_ratio=draw(st.sampled_from([1, 1.5, 4])),
    )


@st.composite
def clouds(draw):
    """An inventory with share servers at the source, and a request."""
    handles = {
        "n@old": True,
        "n@one": draw(st.sampled_from([True, True, [True, False]])),
        "n@two": draw(st.sampled_from([True, False])),
        "n@three": draw(st.sampled_from([True, False, [True, False]])),
    }
    names = [OLD, OLD2, ONE, ONE2, TWO, "n@three#p"]
    pools = [draw(pools_(name, handles[backend_of(name)])) for name in names]
    shares, servers = [], []
    for number in range(draw(st.sampled_from([3, 4, 5, 2, 1, 0]))):
        status = draw(st.sampled_from(["active"] * 14 + ["error", "inactive"]))
        servers.append(server(number, status=status))
        for _unused in range(draw(st.sampled_from([3, 4, 5, 2, 1, 0]))):
            shares.append(
                aboard(
                    len(shares),
                    f"v{number}",
                    draw(st.sampled_from([8, 12, 5, 16, 20, 3, 25])),
                    draw(st.sampled_from([OLD, OLD2])),
                    type_name=draw(st.sampled_from(TYPES)),
                    status=draw(st.sampled_from(["available"] * 24 + ["error"])),
                    snapshot_id=draw(st.sampled_from([None, None, "snapshot"])),
                )
            )
    for _unused in range(draw(st.integers(0, 3))):
        lone = {"type_name": draw(st.sampled_from(LONE)), "size": draw(st.integers(1, 25))}
        shares.append(share(len(shares), **lone))
    if draw(st.booleans()):
        task_state = draw(
            st.sampled_from(
                [
                    "migration_in_progress",
                    "migration_driver_in_progress",
                    "migration_driver_phase1_done",
                ]
            )
        )
        servers += going(9, draw(st.sampled_from(["n@one", "n@three"])), task_state)
        for _unused in range(draw(st.integers(1, 2))):
            status = "server_migrating"
            shares.append(aboard(len(shares), "v9", draw(st.integers(1, 15)), status=status))
    inventory = tenants(shares, servers, pools)
    request = Request(
        "n@old",
        destinations=draw(st.sampled_from([(), (), ("n@one", TWO), (ONE2, "n@three")])),
        exclude=draw(st.sampled_from([*[()] * 6, ("s0",), ("v1",), ("share 0", "s1", "s2")])),
        mechanism=draw(st.sampled_from([*["auto"] * 8, "driver", "host"])),
        require=(),
        placement=draw(st.sampled_from(["spread", "pack"])),
        share_servers=draw(st.sampled_from([*["whole"] * 9, "split"])),
    )
    answers = st.sampled_from(
        [
            Compatibility(True, {"nondisruptive": False}),
            *[Compatibility(True)] * 2,
            *[None] * 2,
            Compatibility(False, {}),
            Compatibility(False, refusal="No."),
        ]
    )
    checks = {
        (one.server_id, one.destination): draw(answers) for one in checks_to_ask(inventory, request)
    }
    return (
        replace(inventory, checks={key: value for key, value in checks.items() if value}),
        request,
    )


@given(clouds())
def test_everything_is_said_once_and_nothing_lands_where_it_must_not(case):
    inventory, request = case
    plan = make_plan(inventory, request)
    entries = plan["migrations"] + plan["unplaced"] + plan["excluded"]
    listed = Counter(
        one["id"]
        for entry in entries
        for one in (entry["shares"] if entry["kind"] == "share_server" else [entry])
    )
    here = {one.id: one for one in inventory.shares if covers(request.source, one.host)}
    assert set(listed) == set(here)
    # A share is said twice only if it is why its server stays.
    kept = [one for one in plan["unplaced"] if "excluded_share" in reasons(plan)[one["id"]]]
    twice = {one["id"] for entry in kept for one in entry["shares"]}
    twice &= {one["id"] for one in plan["excluded"]}
    assert {one for one, count in listed.items() if count > 1} == twice
    for entry in entries:
        if entry["kind"] == "share_server":
            assert request.share_servers == "whole"
            assert {one["id"] for one in entry["shares"]} == {
                one.id for one in here.values() if one.share_server_id == entry["id"]
            }
        elif request.share_servers == "whole" and entry not in plan["excluded"]:
            assert here[entry["id"]].share_server_id is None
    for entry in plan["migrations"]:
        if entry["kind"] == "share_server":
            assert entry["size_gb"] == sum(one["size_gb"] for one in entry["shares"])
            for one in entry["shares"]:
                assert backend_of(one["destination"]) == entry["destination"]
                if entry["phase"] == "idle" and request.destinations:
                    assert any(covers(place, one["destination"]) for place in request.destinations)
    for entry in plan["unplaced"]:
        assert entry["reasons"]
        assert all(reason["code"] in CODES for reason in entry["reasons"])
    migrations = to_migrations(json.loads(json.dumps(plan)))
    assert [one.id for one in migrations] == [one["id"] for one in plan["migrations"]]


class Ledger:
    """What comes to pools, counted as Manila's scheduler counts, one share after the other."""

    def __init__(self, inventory):
        self.inventory = inventory
        self.pools = inventory.pools_by_name
        self.promised = defaultdict(float)
        self.taken = defaultdict(float)

    def thin(self, one, name):
        return self.pools[name].thin_provisioning and "thick" not in one.share_type_id

    def part(self, one):
        source = self.pools[one.host]
        known = isinstance(source.total_gb, int) and isinstance(source.free_gb, int)
        if source.thin_provisioning and source.provisioned_gb and known:
            return min(1, (source.total_gb - source.free_gb) / source.provisioned_gb)
        return 1.0

    def room(self, one, name):
        kind = self.inventory.share_types[one.share_type_id]
        return headroom(
            self.pools[name],
            kind,
            self.promised[name],
            one.snapshot_id is not None,
            self.taken[name],
        )

    def add(self, one, name, promised=True, taken=True):
        self.promised[name] += one.size_gb if promised else 0
        written = one.size_gb * (self.part(one) if self.thin(one, name) else 1)
        self.taken[name] += written if taken else 0

    def add_running(self, plan):
        """What runs already: under_way() says what counts."""
        tasks = {one.id: one.task_state for one in self.inventory.servers}
        shares = self.inventory.shares_by_id
        for entry in plan["migrations"] + plan["unplaced"]:
            if entry.get("phase", "idle") == "idle":
                continue
            state = tasks[entry["id"]]
            begun = state != "migration_in_progress"
            for one in entry["shares"]:
                thin = self.pools[one["destination"]].thin_provisioning
                self.add(
                    shares[one["id"]],
                    one["destination"],
                    promised=not begun or thin,
                    taken=not begun or (thin and state == "migration_driver_in_progress"),
                )


def adopted(plan):
    """Whether everything that migrates is in the plan, so that it is known what it brings."""
    return not any(one["id"] == "v9" for one in plan["unplaced"] + plan["excluded"])


@given(clouds())
def test_no_pool_is_filled_beyond_what_the_scheduler_lets_in(case):
    inventory, request = case
    plan = make_plan(inventory, request)
    if request.share_servers == "split" or not adopted(plan):
        return
    ledger = Ledger(inventory)
    ledger.add_running(plan)
    for entry in plan["migrations"]:
        if entry["phase"] == "idle":
            for one in entry["shares"] if entry["kind"] == "share_server" else [entry]:
                item = inventory.shares_by_id[one["id"]]
                assert ledger.room(item, one["destination"]) >= item.size_gb, (entry, one)
                ledger.add(item, one["destination"])


@given(clouds())
def test_every_server_that_stays_has_a_true_reason(case):
    inventory, request = case
    plan = make_plan(inventory, request)
    if request.share_servers == "split" or not adopted(plan):
        return
    ledger = Ledger(inventory)
    ledger.add_running(plan)
    for entry in plan["migrations"]:
        if entry["phase"] == "idle":
            for one in entry["shares"] if entry["kind"] == "share_server" else [entry]:
                ledger.add(inventory.shares_by_id[one["id"]], one["destination"])
    servers = {one.id: one for one in inventory.servers}
    for entry in plan["migrations"]:
        if entry["kind"] == "share_server" and entry["phase"] == "idle":
            v = servers[entry["id"]]
            assert server_blockers(inventory, v) == []
            assert refusals(inventory, v, entry["destination"]) == []
    for entry in plan["unplaced"]:
        if entry["kind"] != "share_server":
            continue
        v = servers[entry["id"]]
        found = {one["code"] for one in entry["reasons"]}
        own = {one.code for one in server_blockers(inventory, v)}
        own |= {"options_conflict"} if request.mechanism == "host" else set()
        out = {"s0", "share 0", "s1", "s2"} & set(request.exclude)
        if any(out & {one["id"], one["name"]} for one in entry["shares"]):
            own.add("excluded_share")
        assert own <= found
        backends = sorted(
            {
                one.backend
                for one in inventory.pools
                if Scope(request, inventory).brings_to(one.name)
            }
        )
        others = {one.code for backend in backends for one in refusals(inventory, v, backend)} | {
            "no_capacity",
            "capacity_invalid",
        }
        assert found <= own | others
        if own:
            continue
        # Nothing in the server: then no back end may be left that takes it as things are planned.
        for backend in backends:
            assert refusals(inventory, v, backend) or not settles(
                ledger, request, inventory, entry, backend
            )


def refusals(inventory, v, backend):
    check = inventory.checks.get((v.id, backend))
    found = place_blockers(inventory, v, backend, Options())
    return found + (check_blockers(inventory, v, Options(), check) if check else [])


def settles(ledger, request, inventory, entry, backend):
    """As it is documented: largest first, the pool of the same name, or the one with most room."""
    trial = Ledger(inventory)
    trial.promised.update(ledger.promised)
    trial.taken.update(ledger.taken)
    names = [
        one.name
        for one in inventory.pools
        if one.backend == backend and Scope(request, inventory).brings_to(one.name)
    ]
    shares = [inventory.shares_by_id[one["id"]] for one in entry["shares"]]
    for one in sorted(shares, key=lambda one: (-one.size_gb, one.id)):
        rooms = {name: trial.room(one, name) for name in names}
        able = {name: room for name, room in rooms.items() if room >= one.size_gb}
        if not able:
            return False
        twin = f"{backend}#{one.host.split('#')[1]}"
        known = [name for name in able if trial.pools[name].free_gb != "unknown"] or list(able)
        known = [name for name in known if trial.pools[name].total_gb != "unknown"] or known
        trial.add(one, twin if twin in able else max(sorted(known), key=able.__getitem__))
    return True


@given(clouds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(case, random):
    inventory, request = case

    def shuffled(things):
        things = list(things)
        random.shuffle(things)
        return things

    other = Inventory(
        shares=shuffled(inventory.shares),
        instances={k: shuffled(v) for k, v in shuffled(inventory.instances.items())},
        pools=shuffled(inventory.pools),
        services=dict(shuffled(inventory.services.items())),
        share_types=dict(shuffled(inventory.share_types.items())),
        servers=shuffled(inventory.servers),
        networks=inventory.networks,
        checks=dict(shuffled(inventory.checks.items())),
    )
    assert json.dumps(make_plan(other, request)) == json.dumps(make_plan(inventory, request))
    assert checks_to_ask(other, request) == checks_to_ask(inventory, request)
