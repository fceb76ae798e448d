# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan says of everything at the source: whether it migrates.

The cordon of a source stays as long as anything there does, whatever the plan makes of it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    LISTED,
    MARK,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    ONE,
    TWO,
    aboard,
    going,
    instance,
    moving,
    reasons,
    server,
    share,
    tenants,
    world,
)

TO_ONE = Request("n@old", ["n@one"])


def migrating(plan):
    """What migrates, by the list that names it."""
    return {
        name: sorted(one["id"] for one in plan[name] if one["migrating"])
        for name in ("migrations", "unplaced", "excluded")
    }


def only(**lists):
    return {"migrations": [], "unplaced": [], "excluded": [], **lists}


# -- shares ----------------------------------------------------------------------------------


def test_what_rests_does_not_migrate():
    history = [
        share(1),
        share(2, task_state="migration_success"),
        share(3, task_state="migration_error"),
        share(4, task_state="migration_cancelled"),
        share(5, task_state="data_copying_error"),  # of a backup that failed
        share(6, status="error"),
        share(7, status="extending", task_state="migration_success"),
        share(8, 1000),
        share(9, status="backup_creating", task_state="data_copying_in_progress"),
    ]
    plan = make_plan(world(history), replace(TO_ONE, exclude=["s2", "s8"]))
    assert sum(len(plan[name]) for name in only()) == 9
    assert migrating(plan) == only()


def test_a_migration_of_the_plan():
    one, instances = moving(1, ONE)
    plan = make_plan(world([one, share(2)], instances=instances), TO_ONE)
    assert migrating(plan) == only(migrations=["s1"])


@pytest.mark.parametrize(
    ("to", "states", "code"),
    [
        (TWO, {}, "migrating_elsewhere"),
        (ONE, {"task_state": "migration_error"}, "stuck"),
        (ONE, {"task_state": None}, "stuck"),
        (ONE, {"task_state": "not_known_to_us"}, "status"),
        (ONE, {"status": "error", "task_state": "migration_error"}, "instances"),
        (ONE, {"status": "available", "task_state": "migration_cancel_in_progress"}, "busy"),
        (ONE, {"status": "available", "task_state": "migration_error"}, "instances"),
    ],
)
def test_a_share_that_has_no_place_and_may_migrate(to, states, code):
    one, instances = moving(1, to)
    plan = make_plan(world([replace(one, **states)], instances=instances), TO_ONE)
    assert code in reasons(plan)["s1"]
    assert migrating(plan) == only(unplaced=["s1"])


@pytest.mark.parametrize("task_state", ["data_copying_in_progress", "migration_completing", "new"])
def test_a_share_with_one_instance_whose_states_contradict_each_other(task_state):
    one = share(1, status="error", task_state=task_state)
    assert migrating(make_plan(world([one]), TO_ONE)) == only(unplaced=["s1"])


def test_a_share_of_which_it_is_not_known_where_to():
    one, _instances = moving(1, ONE)
    plan = make_plan(world([one], instances={"s1": [instance(one, status="migrating")]}), TO_ONE)
    assert reasons(plan) == {"s1": ["destination_unknown"]}
    assert migrating(plan) == only(unplaced=["s1"])


@pytest.mark.parametrize(
    "left_out",
    [
        {"exclude": ["share 1"]},
        {"exclude": ["s1"]},
        {"select": "[?id != 's1']"},
        {"select": "[?share_type != 'plain']"},
    ],
)
def test_what_is_left_out_may_migrate_all_the_same(left_out):
    pytest.importorskip("jmespath")
    one, instances = moving(1, ONE)
    request = replace(TO_ONE, **left_out)
    plan = make_plan(world([one, share(2, type_name="fast")], instances=instances), request)
    assert migrating(plan) == only(excluded=["s1"])


def test_of_an_incomplete_group_the_member_that_migrates():
    # What migrates stays in the plan, and is not cut over; what rests has no place.
    one, instances = moving(1, ONE)
    shares = [one, share(2), share(3, 1000)]
    request = replace(TO_ONE, groups=[("g", ["s1", "s2", "s3"])])
    plan = make_plan(world(shares, instances=instances), request)
    assert reasons(plan) == {"s2": ["group_incomplete"], "s3": ["no_capacity"]}
    assert migrating(plan) == only(migrations=["s1"])
    # Where it goes elsewhere, all three are without a place.
    plan = make_plan(world(shares, instances=instances), replace(request, destinations=["n@two"]))
    assert set(reasons(plan)) == {"s1", "s2", "s3"}
    assert migrating(plan) == only(unplaced=["s1"])


def test_a_share_that_is_served_from_its_destination_and_leaves_the_source():
    one = share(1, host=ONE, task_state="migration_success")
    instances = {"s1": [instance(one), instance(one, OLD, "deleting")]}
    plan = make_plan(world([one], instances=instances), TO_ONE)
    assert migrating(plan) == only(migrations=["s1"])


@pytest.mark.parametrize(
    ("status", "moves"),
    [("error", False), ("error_deleting", False), ("migrating", True), ("migrating_to", True)],
)
def test_an_instance_that_is_left_at_the_source(status, moves):
    one = share(1, host=ONE)
    instances = {"s1": [instance(one), instance(one, OLD, status)]}
    plan = make_plan(world([one], instances=instances), TO_ONE)
    assert reasons(plan) == {f"i-s1-{OLD}": ["leftover"]}
    assert migrating(plan) == only(unplaced=[f"i-s1-{OLD}"] if moves else [])


def test_an_instance_of_a_share_that_is_not_listed():
    hidden = share(1)
    for status, moves in (("migrating", True), ("available", False)):
        instances = {"s1": [instance(hidden, status=status)]}
        plan = make_plan(world([], instances=instances), TO_ONE)
        assert migrating(plan) == only(unplaced=[f"i-s1-{OLD}"] if moves else [])
        plan = make_plan(world([], instances=instances), replace(TO_ONE, exclude=["s1"]))
        assert migrating(plan) == only(excluded=["s1"] if moves else [])


# -- share servers ---------------------------------------------------------------------------


def copying(*servers, **more):
    shares = [aboard(n, status="server_migrating") for n in (1, 2)]
    return make_plan(tenants(shares, servers or going(1, "n@one")), replace(TO_ONE, **more))


def test_a_share_server_that_copies_with_a_share_that_is_excluded():
    plan = copying(exclude=["s1"])
    assert reasons(plan) == {"v1": ["excluded_share"]}
    assert migrating(plan) == only(unplaced=["v1"], excluded=["s1"])


@pytest.mark.parametrize(
    ("left_out", "entry"),
    [({"exclude": ["v1"]}, "v1"), ({"exclude": ["s1", "s2"]}, "v1")],
)
def test_a_share_server_that_copies_and_is_left_out(left_out, entry):
    assert migrating(copying(**left_out)) == only(excluded=[entry])


def test_a_share_server_that_copies_as_planned():
    assert migrating(copying()) == only(migrations=["v1"])


@pytest.mark.parametrize(
    "servers",
    [
        going(1, "n@two"),
        going(1, "n@one", "migration_starting")[:1],
        going(1, "n@one", "migration_cancel_in_progress")[:1],
        going(1, "n@one", "migration_error"),
        going(1, "n@one", None),
        [*going(1, "n@one"), server(3, "n@two", "server_migrating_to", source_id="v1")],
        # It is hidden, or went a moment ago: its shares say that it migrates.
        [server(9)],
    ],
)
@pytest.mark.parametrize("excluded", [[], ["s1"]])
def test_a_share_server_that_has_no_place_and_may_migrate(servers, excluded):
    plan = copying(*servers, exclude=excluded)
    assert migrating(plan)["unplaced"] == ["v1"]


@pytest.mark.parametrize(
    ("servers", "shares"),
    [
        # Of a server in error after its cutover nobody knows which one has the shares.
        ([server(1, status="error", task_state="migration_error")], "error"),
        # In use, and the destination of an older migration is there.
        (
            [
                server(1, task_state="migration_cancelled"),
                server("1x", "n@one", "server_migrating_to", source_id="v1"),
            ],
            "available",
        ),
    ],
)
def test_a_share_server_that_has_come_to_rest_in_doubt(servers, shares):
    inventory = tenants([aboard(1, status=shares)], servers)
    assert migrating(make_plan(inventory, TO_ONE)) == only(unplaced=["v1"])
    plan = make_plan(inventory, replace(TO_ONE, exclude=["v1"]))
    assert migrating(plan) == only(excluded=["v1"])


def test_a_share_of_a_server_that_migrates_is_told_where_servers_are_split():
    shares = [aboard(1, status="server_migrating"), aboard(2, "v2")]
    request = replace(TO_ONE, share_servers="split")
    plan = make_plan(tenants(shares, [*going(1, "n@one"), server(2)]), request)
    assert reasons(plan) == {"s1": ["status"]}
    assert migrating(plan) == only(unplaced=["s1"])


def test_share_servers_that_rest_do_not_migrate():
    servers = [server(1), server(2, task_state="migration_cancelled"), server(3, status="error")]
    shares = [aboard(n, f"v{n}") for n in (1, 2, 3)]
    plan = make_plan(tenants(shares, servers), replace(TO_ONE, exclude=["v2"]))
    assert [len(plan[name]) for name in only()] == [1, 1, 1]
    assert migrating(plan) == only()


# -- share replicas --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        (TO_ONE, "migrations"),
        (replace(TO_ONE, destinations=["n@two"]), "unplaced"),
        (replace(TO_ONE, exclude=["s1"]), "excluded"),
    ],
)
def test_a_share_whose_replica_is_moved(request_, where):
    mark = Mark(OLD, ONE, "2026-05-04T12:00:00Z")
    one = share(1, has_replicas=True, metadata={MARK: str(mark), **LISTED})
    made = {"created_at": "2026-05-04T12:00:09.0", "replica_state": "out_of_sync"}
    old = instance(one, replica_state="active", created_at="2026-05-01T12:00:00.0")
    plan = make_plan(world([one], instances={"s1": [old, instance(one, ONE, **made)]}), request_)
    assert migrating(plan) == only(**{where: ["s1"]})
    # What is marked only, or has its replicas for itself, rests.
    plan = make_plan(world([one], instances={"s1": [old]}), request_)
    assert migrating(plan) == only()
