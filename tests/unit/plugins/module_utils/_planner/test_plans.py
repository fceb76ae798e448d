# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that were written down, and perhaps touched since."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import Compatibility
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.baseline import follow
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import (
    VERSION,
    explain_refusal,
    to_migrations,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    OLD2,
    ONE,
    ONE2,
    SERVER_POOLS,
    TWO,
    aboard,
    going,
    moving,
    pool,
    server,
    server_pool,
    share,
    tenants,
    world,
)


def test_a_plan_survives_the_file():
    plan = make_plan(
        world([share(1, type_name="pinned")]),
        Request("n@old", share_type_map={"pinned": "plain"}, require=["writable"]),
    )
    assert to_migrations(json.loads(json.dumps(plan))) == [
        Migration(
            "s1",
            OLD,
            ONE,
            "share 1",
            10,
            options=Options(writable=True, new_share_type_id="id-plain"),
        )
    ]


def spoiled(**changes):
    plan = make_plan(world([share(1)]), Request("n@old"))
    plan = copy.deepcopy(plan)
    entry = plan["migrations"][0]
    for key, value in changes.items():
        if key in ("version", "migrations"):
            plan[key] = value
        elif value is None:
            del entry[key]
        else:
            entry[key] = value
    return plan


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("text", "no dictionary"),
        ({}, "version None"),
        (spoiled(version=2), "version 2"),
        (spoiled(migrations=None), "no list of migrations"),
        (spoiled(migrations={"a": 1}), "no list of migrations"),
        (spoiled(migrations=["x"]), "Migration 1 of the plan is no dictionary"),
        (spoiled(id=None), "Migration 1 of the plan has no id"),
        (spoiled(id=7), "has no id"),
        (spoiled(kind="volume"), "kind 'volume'"),
        (spoiled(source=None), "the source None"),
        (spoiled(destination=None), "the destination None"),
        (spoiled(destination="n@one"), "destination 'n@one', which is not host@backend#pool"),
        (spoiled(destination=OLD), "its source as destination"),
        (spoiled(size_gb="big"), "size_gb 'big'"),
        (spoiled(size_gb=-1), "size_gb -1"),
        (spoiled(delete_snapshots="all"), "delete_snapshots that are no list of snapshots"),
        (spoiled(delete_snapshots=["n1"]), "delete_snapshots that are no list of snapshots"),
        (spoiled(options=["x"]), "options that are no dictionary"),
        (spoiled(options={"colour": True}), "unknown option colour"),
        (spoiled(options={"writable": "yes"}), "writable = 'yes'"),
        (spoiled(options={"new_share_type_id": 5}), "new_share_type_id = 5"),
        (
            spoiled(options={"force_host_assisted_migration": True, "writable": True}),
            "excludes writable",
        ),
        (
            spoiled(migrations=spoiled()["migrations"] * 2),
            "Migration 2 of the plan repeats the share s1",
        ),
    ],
)
def test_spoiled_plans_get_one_sentence(plan, words):
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        to_migrations(plan)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("missing", ["options", "name", "size_gb", "kind", "phase", "warnings"])
def test_what_a_plan_may_do_without(missing):
    (migration,) = to_migrations(spoiled(**{missing: None}))
    assert migration.destination == ONE


# -- share servers in plans ------------------------------------------------------------------

EMPTY = Request("n@old")


def test_a_share_server_survives_the_file():
    plan = make_plan(tenants([aboard(1)]), replace(EMPTY, require=["writable"]))
    assert to_migrations(json.loads(json.dumps(plan))) == [
        Migration(
            "v1", "n@old", "n@one", "", 10, kind="share_server", options=Options(writable=True)
        )
    ]


def spoiled_server(**changes):
    plan = copy.deepcopy(make_plan(tenants([aboard(1)]), EMPTY))
    plan["migrations"][0].update(changes)
    return plan


def spoiled_share(**changes):
    one = {"id": "s1", "name": "data", "size_gb": 1, "source": OLD, "destination": ONE, **changes}
    return spoiled_server(shares=[one])


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (spoiled_server(destination=ONE), "destination 'n@one#p', which is not host@backend."),
        (spoiled_server(source=OLD), "the source 'n@old#p', which is not host@backend."),
        (spoiled_server(destination="n@old"), "its source as destination"),
        (spoiled_server(kind="share"), "the source 'n@old', which is not host@backend#pool"),
        (spoiled_server(kind=["share"]), "kind ['share']"),
        (spoiled_server(shares="s1"), "shares that are no list"),
        (spoiled_server(shares={"id": "s1"}), "shares that are no list"),
        (spoiled_server(shares=["s1"]), "a share without an id"),
        (spoiled_share(id=1), "a share without an id"),
        (spoiled_share(size_gb="1"), "share s1, has the size_gb '1'"),
        (spoiled_share(source=None), "share s1, has the source None"),
        (spoiled_share(destination="n@one"), "share s1, has the destination 'n@one'"),
        (
            spoiled_server(options={"preserve_metadata": True}),
            "the option preserve_metadata, which share servers don't have",
        ),
        (spoiled_server(options={"force_host_assisted_migration": True}), "don't have"),
        (spoiled_server(options={"new_share_type_id": "t"}), "don't have"),
        (
            spoiled_server() | {"migrations": spoiled_server()["migrations"] * 2},
            "repeats the share server v1",
        ),
    ],
)
def test_spoiled_share_servers_get_one_sentence(plan, words):
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        to_migrations(plan)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    "plan", [spoiled_server(shares=[]), spoiled_share(destination=None), spoiled_server()]
)
def test_what_a_share_server_in_a_plan_may_do_without(plan):
    (migration,) = to_migrations(plan)
    assert migration.destination == "n@one"
    del plan["migrations"][0]["shares"]
    assert to_migrations(plan) == [migration]


# -- a plan that was agreed upon -------------------------------------------------------------


def differences(plan):
    return [one["code"] for one in plan["differences"]]


def moved(plan):
    return {one["id"]: one["destination"] for one in plan["migrations"]}


def agreed_upon(inventory, *destinations, request=EMPTY, **more):
    """A plan of that world, as somebody changed it before he agreed."""
    plan = copy.deepcopy(make_plan(inventory, request))
    for entry, destination in zip(plan["migrations"], destinations):
        entry["destination"] = destination
        entry.update(more)
    return json.loads(json.dumps(plan))


def test_what_is_idle_goes_where_and_in_the_order_that_was_agreed():
    inventory = world([share(1), share(2)])
    agreed = agreed_upon(inventory, TWO, TWO)
    agreed["migrations"].reverse()
    plan = follow(make_plan(inventory, EMPTY), agreed, inventory)
    assert moved(plan) == {"s2": TWO, "s1": TWO}
    assert [one["id"] for one in plan["migrations"]] == ["s2", "s1"]
    assert plan["differences"] == []
    assert {one["name"]: one["planned_gb_in"] for one in plan["pools"]}[TWO] == 20


def nulled(value):
    """As ansible-core hands on what AWX gives it: null for every empty text."""
    if isinstance(value, dict):
        return {key: nulled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [nulled(one) for one in value]
    return None if value == "" else value


@pytest.mark.parametrize("source", ["n@old", ""])
def test_a_plan_whose_empty_texts_became_null(source):
    inventory = world([share(1)])
    agreed = {**agreed_upon(inventory, TWO), "source": source}
    plan = {**make_plan(inventory, EMPTY), "source": source}
    assert moved(follow(plan, nulled(agreed), inventory)) == {"s1": TWO}


def test_what_came_went_and_cannot_be_any_more():
    agreed = agreed_upon(world([share(1), share(2), share(3)]), ONE, ONE, ONE)
    pools = [pool(OLD), pool(ONE, 100, 5), pool(TWO)]
    inventory = world([share(1), share(4), share(3, status="error")], pools)
    plan = follow(make_plan(inventory, EMPTY), agreed, inventory)
    assert moved(plan) == {"s1": ONE}
    assert [one["message"].split()[:2] for one in plan["differences"]] == [
        ["share", "4"],
        ["share", "2"],
        ["share", "1:"],
    ]
    assert differences(plan) == ["new", "gone", "not_possible"]


def test_what_runs_goes_where_it_goes():
    one, instances = moving(1, TWO)
    inventory = world([one], instances=instances)
    plan = follow(make_plan(inventory, EMPTY), agreed_upon(world([share(1)]), ONE), inventory)
    assert moved(plan) == {"s1": TWO}
    assert differences(plan) == ["redirected"]


@pytest.mark.parametrize(
    ("agreed", "words"),
    [
        ({"version": 1, "source": "n@other", "migrations": []}, "a plan for 'n@other', not for"),
        ({"version": 2}, "version 2"),
        (
            {"version": 1, "source": "n@old", "migrations": [], "share_servers": "split"},
            "share_servers 'split', not 'whole'",
        ),
    ],
)
def test_a_plan_for_something_else(agreed, words):
    inventory = world([share(1)])
    with pytest.raises(ValueError, match=re.escape(words)):
        follow(make_plan(inventory, EMPTY), agreed, inventory)


PURPOSE = {
    "source": "n@old",
    "objective": "evacuate",
    "share_servers": "whole",
    "availability_zone": "",
    "cloud": "mycloud",
    "workflow_job": "41",
}
HANDED_ON = {"version": VERSION, **PURPOSE, "availability_zone": None, "migrations": []}


@pytest.mark.parametrize(
    "plan", [HANDED_ON, json.dumps(HANDED_ON), {**HANDED_ON, "workflow_job": 41}]
)
def test_the_plan_that_was_approved_is_not_refused(plan):
    assert explain_refusal(plan, PURPOSE, required=True) == ""


def test_a_whole_plan_that_was_approved_is_not_refused():
    plan = {**make_plan(world([share(1)]), EMPTY), "cloud": "mycloud", "workflow_job": "41"}
    assert plan["migrations"] and explain_refusal(plan, PURPOSE, required=True) == ""
    older = make_plan(world([share(1)]), EMPTY)
    assert explain_refusal(older, PURPOSE, required=True) == ""


@pytest.mark.parametrize("plan", [{}, "", "  ", None, "{}", "null", []])
def test_no_plan_is_refused_where_one_is_required(plan):
    assert "evacuate_plan_required" in explain_refusal(plan, PURPOSE, required=True)
    assert explain_refusal(plan, PURPOSE) == ""


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ([1], "no dictionary"),
        (5, "no dictionary"),
        ("nonsense", "no dictionary"),
        ("[" * 200_000, "no dictionary"),
        ('"text"', "no dictionary"),
        ({"version": 1}, "no list of migrations"),
        ({**HANDED_ON, "version": 2}, "version 2"),
        ({**HANDED_ON, "source": "n@other"}, "'n@other', not for 'n@old'"),
        ({**HANDED_ON, "objective": "rebalance"}, "'rebalance', not 'evacuate'"),
        ({**HANDED_ON, "share_servers": "split"}, "'split', not 'whole'"),
        ({**HANDED_ON, "availability_zone": "z2"}, "'z2', not ''"),
        ({**HANDED_ON, "cloud": "north"}, "'north', not 'mycloud'"),
        ({**HANDED_ON, "workflow_job": "40"}, "'40', not '41'"),
        ({**HANDED_ON, "workflow_job": ""}, "'', not '41'"),
        ({**HANDED_ON, "migrations": [{"kind": "share"}]}, "Migration 1 of the plan"),
        ({**HANDED_ON, "cloud": "\x1b[31m\u202e"}, "\\x1b[31m\\u202e"),
    ],
)
def test_a_plan_that_was_handed_on_for_something_else_is_refused(plan, words, required):
    said = explain_refusal(plan, PURPOSE, required)
    assert said.startswith("evacuate_plan: ") and words in said and said.isprintable()


def test_an_older_plan_says_nothing_of_share_servers():
    inventory = world([share(1)])
    agreed = agreed_upon(inventory, TWO)
    del agreed["share_servers"]
    assert moved(follow(make_plan(inventory, EMPTY), agreed, inventory)) == {"s1": TWO}


def test_a_share_server_goes_where_it_was_agreed_with_the_pools_that_were_expected():
    shares = [aboard(1, size=10), aboard(2, size=20, host=OLD2)]
    inventory = tenants(shares)
    agreed = agreed_upon(inventory, "n@two", options={"writable": True})
    for one in agreed["migrations"][0]["shares"]:
        one["destination"] = TWO
    plan = follow(make_plan(inventory, EMPTY), agreed, inventory)
    (entry,) = plan["migrations"]
    assert (entry["destination"], entry["options"]["writable"]) == ("n@two", True)
    assert plan["differences"] == []
    figures = {one["name"]: one["planned_gb_in"] for one in plan["pools"]}
    assert (figures[ONE], figures[ONE2], figures[TWO]) == (0, 0, 30)
    # Where it isn't known any more, it is not counted.
    del agreed["migrations"][0]["shares"]
    plan = follow(make_plan(inventory, EMPTY), agreed, inventory)
    assert [one["destination"] for one in plan["migrations"][0]["shares"]] == [None, None]
    assert not any(one["planned_gb_in"] for one in plan["pools"])


def test_shares_that_came_to_a_server_or_left_it_are_named():
    agreed = agreed_upon(tenants([aboard(1), aboard(2)]), "n@one")
    inventory = tenants([aboard(1), aboard(3)])
    plan = follow(make_plan(inventory, EMPTY), agreed, inventory)
    assert [one["message"] for one in plan["differences"]] == [
        "share 3 is on share server v1 and was not when the plan was made",
        "share 2 is not on share server v1 any more",
    ]
    assert differences(plan) == ["new", "gone"]


def test_a_server_that_came_went_or_runs_elsewhere():
    agreed = agreed_upon(tenants([aboard(1, "v1"), aboard(2, "v2")]), "n@one", "n@one")
    shares = [aboard(1, "v1", status="server_migrating"), aboard(3, "v3")]
    inventory = tenants(shares, [*going(1, "n@two"), server(3)])
    plan = follow(make_plan(inventory, EMPTY), agreed, inventory)
    assert moved(plan) == {"v1": "n@two"}
    assert differences(plan) == ["redirected", "new", "gone"]
    messages = [one["message"] for one in plan["differences"]]
    assert messages[1] == "share server v3 is at n@old and not in the plan file"
    assert messages[2] == "share server v2 is not at n@old any more"


@pytest.mark.parametrize(
    ("checks", "options", "expected"),
    [
        ({}, {}, []),
        ({("v1", "n@two"): Compatibility(False, {})}, {}, ["not_possible"]),
        # It was about other options that Manila was asked.
        ({("v1", "n@two"): Compatibility(False, {})}, {"writable": True}, []),
    ],
)
def test_manilas_check_of_what_was_agreed(checks, options, expected):
    inventory = replace(tenants([aboard(1)]), checks=checks)
    agreed = agreed_upon(tenants([aboard(1)]), "n@two", options=options)
    plan = follow(make_plan(inventory, EMPTY), agreed, inventory)
    assert moved(plan) == {"v1": "n@two"}
    assert differences(plan) == expected


def test_everything_that_is_against_what_was_agreed():
    pools = [*SERVER_POOLS[:4], server_pool(TWO, free=5)]
    inventory = tenants([aboard(1)], pools=pools)
    services = {**inventory.services}
    services["n@two"] = replace(services["n@two"], status="disabled")
    inventory = replace(inventory, services=services)
    plan = follow(
        make_plan(inventory, EMPTY), agreed_upon(tenants([aboard(1)]), "n@two"), inventory
    )
    assert differences(plan) == ["not_possible"] * 2
    assert [one["message"] for one in plan["differences"]] == [
        "share server v1: n@two: the back end's manila-share service is disabled",
        "share server v1: n@two: there is no room for 1 share with 10 GiB",
    ]
