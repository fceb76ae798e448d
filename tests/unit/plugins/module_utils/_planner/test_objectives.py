# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that move some of what there is: to rebalance, to consolidate, to relocate, as selected."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.baseline import follow
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    ONE,
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

POOLS = (OLD, ONE, TWO)


def plan_for(inventory, objective, **more):
    backends = sorted({one.backend for one in inventory.pools})
    given = {"destinations": backends, "objective": objective, **more}
    return make_plan(inventory, Request(**given))


def moved(inventory, plan):
    """The cloud after the plan, its pools still reported as they were before."""
    to = places(plan)
    shares = [replace(one, host=to.get(one.id, one.host)) for one in inventory.shares]
    instances = {one.id: [instance(one)] for one in shares}
    return replace(inventory, shares=shares, instances=instances)


def contents(inventory):
    found = dict.fromkeys((one.name for one in inventory.pools), 0)
    for one in inventory.shares:
        found[one.host] += one.size_gb
    return found


def codes(plan):
    return {one["code"] for one in plan["warnings"]}


# -- rebalance -------------------------------------------------------------------------------


def test_pools_are_brought_to_within_the_tolerance_with_as_little_data_as_that_takes():
    inventory = world([share(n) for n in range(9)])
    plan = plan_for(inventory, "rebalance", tolerance=10)
    assert contents(moved(inventory, plan)) == {OLD: 40, ONE: 30, TWO: 20}
    assert plan["summary"]["size_gb"] == 50
    assert not plan["warnings"]


def test_one_large_share_moves_rather_than_many_small_ones():
    shares = [share(1, 28), *(share(n, 1) for n in range(2, 32))]
    plan = plan_for(world(shares, [pool(OLD), pool(ONE)]), "rebalance", tolerance=1)
    assert places(plan) == {"s1": ONE}


def test_what_is_balanced_already_stays():
    shares = [share(1, host=OLD), share(2, host=ONE), share(3, 12, host=TWO)]
    assert places(plan_for(world(shares), "rebalance")) == {}


def test_a_pool_that_is_too_empty_is_filled_although_none_is_too_full():
    pools = [pool(f"n@p{n}#p", 100, 50) for n in range(9)] + [pool("n@p9#p")]
    shares = [share(n, 5, host=f"n@p{n % 9}#p") for n in range(90)]
    request = Request(destinations=[one.backend for one in pools], objective="rebalance")
    plan = make_plan(world(shares, pools), replace(request, tolerance=6))
    filled = contents(moved(world(shares, pools), plan))
    assert min(filled.values()) >= 39
    assert max(filled.values()) <= 51


def test_pools_of_different_sizes_are_filled_alike_in_percent():
    shares = [share(n) for n in range(12)]
    inventory = world(shares, [pool(OLD, 200, 80), pool(ONE, 100), pool(TWO, 300, 300)])
    plan = plan_for(inventory, "rebalance", tolerance=3)
    assert contents(moved(inventory, plan)) == {OLD: 40, ONE: 20, TWO: 60}


def test_what_runs_counts_as_arrived():
    one, instances = moving(1, ONE, size=50)
    inventory = world([one, share(2, 50)], [pool(OLD, 100, 0), pool(ONE)], instances)
    plan = plan_for(inventory, "rebalance", destinations=("n@old", "n@one"))
    assert places(plan) == {"s1": ONE}
    assert plan["summary"]["running"] == 1
    assert [one["used_percent_before"] for one in plan["pools"]] == [100, 0]
    assert [one["used_percent_after"] for one in plan["pools"]] == [50, 50]


def test_the_end_of_a_cutover_is_part_of_the_plan():
    one = share(1, 50, host=ONE, task_state="migration_completing")
    left = [instance(one), instance(one, OLD, "deleting")]
    inventory = world([one, share(2, 50)], [pool(OLD), pool(ONE)], {"s1": left})
    plan = plan_for(inventory, "rebalance", destinations=("n@old", "n@one"))
    assert [(one["id"], one["source"], one["phase"]) for one in plan["migrations"]] == [
        ("s1", OLD, "completing")
    ]


def test_what_leaves_the_pools_in_question_is_nobodys_business():
    one, instances = moving(1, TWO, size=50)
    inventory = world([one, share(2, 20)], None, instances)
    plan = plan_for(inventory, "rebalance", destinations=("n@old", "n@one"), tolerance=15)
    assert places(plan) == {}
    assert reasons(plan) == {}


def test_what_cannot_move_stays_and_is_named_if_that_matters():
    shares = [share(n, status="error") for n in range(6)]
    plan = plan_for(world(shares), "rebalance")
    assert plan["migrations"] == plan["unplaced"] == []
    assert codes(plan) == {"not_balanced"}
    assert "n@old#p: fuller" in plan["warnings"][0]["message"]


def test_shares_on_share_servers_move_only_if_these_are_split():
    pools = [server_pool(one) for one in POOLS]
    inventory = tenants([aboard(n, f"v{n}") for n in range(1, 7)], pools=pools)
    assert places(plan_for(inventory, "rebalance")) == {}
    assert len(places(plan_for(inventory, "rebalance", share_servers="split"))) == 4


def test_thin_pools_are_compared_by_what_is_written_or_at_least_by_what_they_may_promise():
    thin = {"thin_provisioning": True, "max_over_subscription_ratio": 10.0}
    for used, percent, left in ((0, 10, 60), (50, 50, 50)):
        pools = [pool(OLD, 100, 100 - used, provisioned_gb=100, **thin), pool(ONE, **thin)]
        inventory = world([share(n) for n in range(10)], pools)
        plan = plan_for(inventory, "rebalance", tolerance=1)
        assert contents(moved(inventory, plan)) == {OLD: left, ONE: 100 - left}
        assert plan["pools"][0]["used_percent_before"] == percent


def test_an_older_plan_is_followed_and_not_chosen_again():
    inventory = world([share(n) for n in range(6)], [pool(OLD), pool(ONE)])
    old = plan_for(inventory, "rebalance", destinations=("n@old", "n@one"))
    assert len(old["migrations"]) == 3
    # One has arrived, and the others would do now without a further move.
    half = moved(inventory, {"migrations": old["migrations"][:1]})
    agreed = places(old)
    request = Request(destinations=("n@old", "n@one"), objective="rebalance", tolerance=50)
    assert make_plan(half, request)["migrations"] == []
    plan = follow(make_plan(half, replace(request, agreed=agreed)), old, half)
    assert places(plan) == dict(list(agreed.items())[1:])
    assert [one["code"] for one in plan["differences"]] == ["gone"]


SHARES = st.lists(
    st.builds(
        share,
        st.integers(0, 10**6),
        st.integers(1, 40),
        st.sampled_from(POOLS),
        st.sampled_from(["plain", "thick", "fast"]),
    ),
    max_size=25,
    unique_by=lambda one: one.id,
)


@st.composite
def clouds(draw):
    shares = draw(SHARES)
    pools = []
    for name in POOLS:
        used = sum(one.size_gb for one in shares if one.host == name)
        total = used + draw(st.integers(0, 100)) + 1
        pools.append(
            pool(name, total, total - used, reserved_percentage=draw(st.sampled_from([0, 5])))
        )
    return world(shares, pools)


@settings(max_examples=150, deadline=None)
@given(clouds(), st.integers(0, 30), st.randoms())
def test_a_rebalance_keeps_what_it_promises(inventory, tolerance, random):
    plan = plan_for(inventory, "rebalance", tolerance=tolerance)
    total = {one.name: one.total_gb for one in inventory.pools}
    before, after = contents(inventory), contents(moved(inventory, plan))
    mean = sum(before.values()) / sum(total.values())
    for one in inventory.pools:
        # Nothing over a limit, and no pool further away than the tolerance that wasn't before.
        coming = sum(e["size_gb"] for e in plan["migrations"] if e["destination"] == one.name)
        limit = int(one.free_gb - one.total_gb * one.reserved_percentage / 100)
        assert coming == 0 or coming <= limit
        was, is_ = (abs(some[one.name] / total[one.name] - mean) for some in (before, after))
        assert is_ <= max(was, tolerance / 100) + 1e-9
    outside = any(abs(after[name] / total[name] - mean) > tolerance / 100 + 1e-9 for name in POOLS)
    assert ("not_balanced" in codes(plan)) == outside
    # The pools are still reported as before, and yet it isn't done twice.
    if not outside:
        assert places(plan_for(moved(inventory, plan), "rebalance", tolerance=tolerance)) == {}
    listed = list(inventory.shares)
    random.shuffle(listed)
    again = plan_for(replace(inventory, shares=listed), "rebalance", tolerance=tolerance)
    assert again == plan


def test_what_concerns_several_sources_is_said_once():
    hosts = ("data1", "data2")
    services = [Service("manila-data", host, "enabled", "up") for host in hosts]
    shares = [share(n, host=(OLD, ONE)[n % 2]) for n in range(10)]
    inventory = world(shares, data_services=services)
    plan = plan_for(inventory, "rebalance", tolerance=1)
    assert {migration["source"] for migration in plan["migrations"]} == {OLD, ONE}
    assert [warning["code"] for warning in plan["warnings"]].count("data_service_several") == 1


def test_a_share_server_that_arrives_fills_no_source_where_pools_are_both():
    inventory = tenants([aboard(1, host=TWO)], servers=going(1, "n@one", host="n@two"))
    plan = plan_for(inventory, "rebalance", destinations=(OLD, ONE))
    assert "fills_source" not in codes(plan)
    assert "fills_source" in codes(make_plan(inventory, Request("n@one")))


# -- consolidate -----------------------------------------------------------------------------


def test_a_pool_with_an_instance_of_no_share_is_not_emptied():
    left = instance(share(9, host=ONE), status="error")
    shares = [share(1, 40), share(2, host=ONE)]
    pools = [pool(OLD, 100, 60), pool(ONE, 100, 90)]
    plan = plan_for(world(shares, pools, {"s9": [left]}), "consolidate")
    assert plan["emptied"] == [OLD]
    assert plan["unplaced"] == []


def test_pools_are_emptied_into_the_others():
    shares = [share(1, 40), share(2, 30, host=ONE), share(3, 20, host=TWO)]
    pools = [pool(OLD, 100, 60), pool(ONE, 100, 70), pool(TWO, 100, 80)]
    plan = plan_for(world(shares, pools), "consolidate")
    assert plan["emptied"] == [ONE, TWO]
    assert places(plan) == {"s2": OLD, "s3": OLD}
    assert [one["used_percent_after"] for one in plan["pools"]] == [90, 0, 0]


def test_an_empty_pool_stays_empty():
    plan = plan_for(world([share(1)], [pool(OLD, 100, 90), pool(ONE), pool(TWO)]), "consolidate")
    assert plan["migrations"] == plan["emptied"] == []
    assert codes(plan) == {"not_emptied"}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "error"}, "share share 2 can't move: its status is 'error', not 'available'"),
        ({"has_replicas": True}, "share share 2 has replicas, which stay where they are"),
    ],
)
def test_a_pool_with_something_that_cannot_move_is_not_emptied(more, why):
    shares = [share(1, 40), share(2, host=ONE, **more), share(3, host=ONE)]
    plan = plan_for(world(shares, [pool(OLD, 100, 60), pool(ONE, 20, 0)]), "consolidate")
    assert plan["migrations"] == []
    assert any(why in one["message"] for one in plan["warnings"])
    assert plan["unplaced"] == []


def test_what_is_left_out_keeps_its_pool():
    shares = [share(1, 40), share(2, host=ONE)]
    pools = [pool(OLD, 100, 60), pool(ONE, 100, 90)]
    plan = plan_for(world(shares, pools), "consolidate", exclude=["share 2"])
    assert plan["emptied"] == [OLD]
    assert [one["id"] for one in plan["excluded"]] == ["s2"]


def test_what_was_begun_is_finished_first_and_no_pool_that_gets_something_is_emptied():
    one, instances = moving(1, TWO, size=40)
    shares = [one, share(2, 10), share(3, 5, host=TWO), share(4, 20, host=ONE)]
    pools = [pool(OLD, 100, 50), pool(ONE, 100, 80), pool(TWO, 100, 55)]
    plan = plan_for(world(shares, pools, instances), "consolidate")
    assert OLD in plan["emptied"]
    assert TWO not in plan["emptied"]
    assert places(plan)["s2"] in (ONE, TWO)


def brute_force(inventory):
    """How many pools can be emptied at most, by trying everything."""
    pools = {one.name: one for one in inventory.pools}
    full = sorted(name for name, size in contents(inventory).items() if size)
    best = 0
    for emptied in chain.from_iterable(combinations(full, n) for n in range(len(full) + 1)):
        targets = [name for name in full if name not in emptied]
        going = [one for one in inventory.shares if one.host in emptied]
        for choice in product(targets, repeat=len(going)):
            room = {
                name: int(one.free_gb - one.total_gb * one.reserved_percentage / 100)
                for name, one in pools.items()
            }
            for one, name in zip(going, choice):
                room[name] -= one.size_gb
            if all(room[name] >= 0 for name in choice):
                best = max(best, len(emptied))
                break
    return best


@settings(max_examples=80, deadline=None)
@given(clouds())
def test_as_many_pools_as_possible_are_emptied(inventory):
    few = [replace(one, share_type_id="id-plain") for one in inventory.shares[:6]]
    inventory = replace(inventory, shares=few, instances={one.id: [instance(one)] for one in few})
    plan = plan_for(inventory, "consolidate")
    after = moved(inventory, plan)
    assert len(plan["emptied"]) == brute_force(inventory)
    assert all(contents(after)[name] == 0 for name in plan["emptied"])
    for one in inventory.pools:
        coming = sum(e["size_gb"] for e in plan["migrations"] if e["destination"] == one.name)
        limit = int(one.free_gb - one.total_gb * one.reserved_percentage / 100)
        assert coming == 0 or coming <= limit


def test_many_pools_are_emptied_one_after_the_other():
    pools = [pool(f"n@p{n:02}#p", 100, 90 - n) for n in range(20)]
    shares = [share(n, 10 + n, host=f"n@p{n:02}#p") for n in range(20)]
    backends = [one.backend for one in pools]
    request = Request(destinations=backends, objective="consolidate")
    plan = make_plan(world(shares, pools), request)
    # 390 GiB need four pools of 100 GiB.
    assert len(plan["emptied"]) >= 15
    assert not {one["destination"] for one in plan["migrations"]} & set(plan["emptied"])


# -- relocate, select ------------------------------------------------------------------------


def zones(inventory, **zone):
    services = {
        f"n@{name}": Service("manila-share", f"n@{name}", "enabled", "up", zone=zone.get(name, "a"))
        for name in ("old", "one", "two")
    }
    return replace(inventory, services=services)


def test_everything_outside_a_zone_moves_into_it():
    shares = [share(1), share(2, host=TWO), share(3, host=ONE)]
    inventory = zones(world(shares), one="b")
    request = Request(objective="relocate", availability_zone="b")
    assert places(make_plan(inventory, request)) == {"s1": ONE, "s2": ONE}
    request = replace(request, source="n@two")
    assert places(make_plan(inventory, request)) == {"s2": ONE}


def test_destinations_in_another_zone_are_none():
    inventory = zones(world([share(1)]), one="b")
    request = Request(objective="relocate", availability_zone="b", destinations=["n@two"])
    assert reasons(make_plan(inventory, request)) == {"s1": ["no_destination"]}


def test_share_servers_are_relocated_whole():
    inventory = zones(tenants([aboard(1), aboard(2)], [server(1)]), one="b")
    plan = make_plan(inventory, Request(objective="relocate", availability_zone="b"))
    assert places(plan) == {"v1": "n@one"}


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("[?size_gb > `10`]", {"s2"}),
        ("[?metadata.tier == 'gold'].id", {"s3"}),
        ("[?share_type == 'plain' && host == 'n@old#p' && name != 'share 3']", {"s1", "s2"}),
        ("[?project_id == 'nobody']", set()),
        ("", {"s1", "s2", "s3"}),
    ],
)
def test_what_is_selected_moves_and_the_rest_is_left_out(expression, selected):
    shares = [share(1), share(2, 20), share(3, metadata={"tier": "gold"})]
    plan = make_plan(world(shares), Request("n@old", select=expression))
    assert set(places(plan)) == selected
    assert {one["id"] for one in plan["excluded"]} == {"s1", "s2", "s3"} - selected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("[?size_gb >", "is no JMESPath expression over shares"),
        ("nonsense(@)", "is no JMESPath expression over shares"),
        ("length(@)", "gives no list of shares, nor of their IDs"),
        ("[].size_gb", "gives no list of shares, nor of their IDs"),
        ("foo", "gives no list of shares, nor of their IDs"),
    ],
)
def test_an_expression_that_cannot_be_meant_is_refused_in_one_sentence(expression, message):
    with pytest.raises(ValueError, match=r"^select: ") as failure:
        make_plan(world([share(1)]), Request("n@old", select=expression))
    assert message in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "source: it is missing"),
        ({"objective": "rebalance"}, "destinations: rebalance needs the back ends or pools"),
        (
            {"objective": "consolidate", "source": "n@old"},
            "destinations: consolidate needs at least two pools, and of n@old Manila's scheduler "
            "knows 1.",
        ),
        ({"objective": "relocate"}, "availability_zone: it is missing; the zones"),
        (
            {"objective": "relocate", "availability_zone": "x"},
            "availability_zone: there is no zone 'x'; the zones with back ends are a, b.",
        ),
        (
            {"source": "n@old", "availability_zone": "b"},
            "availability_zone: it is for relocate only, not for evacuate.",
        ),
        ({"source": "n@old", "tolerance": -1}, "tolerance: -1 is no number of percent points"),
        (
            {"source": "n@old", "tolerance": float("nan")},
            "tolerance: nan is no number of percent points",
        ),
    ],
)
def test_what_an_objective_needs(request_, message):
    with pytest.raises(ValueError, match=r": ") as failure:
        make_plan(zones(world([share(1)]), one="b"), Request(**request_))
    assert message in str(failure.value)
