# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares with replicas in a plan: what is moved by a new replica, and why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.inventory_reader import (
    read_inventory,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_replica import (
    replica_start_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_REPLICA
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    LISTED,
    MARK,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Pool,
    Service,
    Share,
    ShareNetwork,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._model.request import SPLIT, Request
from ansible_collections.manila.migration.plugins.module_utils._planner.baseline import follow
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import (
    VERSION,
    to_migrations,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.plugins.module_utils._report.text import plan_lines
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    OLD2,
    ONE,
    TWO,
    Cloud,
    places,
    reasons,
    world,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    pool as plain_pool,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    share as plain_share,
)

EMPTY = Request("n@old")
TYPES = {
    "id-rep": ShareType("id-rep", "rep", {"replication_type": "dr", "share_backend_name": "OLD"}),
    "id-new": ShareType("id-new", "new", {"replication_type": "dr"}),
    "id-net": ShareType(
        "id-net", "net", {"replication_type": "dr", "driver_handles_share_servers": "True"}
    ),
}
MOVE = Mark(OLD, ONE, "2026-05-04T12:00:00Z")


def pool(name: str, domain: str | None = "d", **more: object) -> Pool:
    able = {"replication_type": "dr", **more.pop("able", {})}
    return plain_pool(name, able=able | ({"replication_domain": domain} if domain else {}), **more)


def share(number: int = 1, host: str = OLD, mark: Mark | None = None, **more: object) -> Share:
    metadata = {MARK: str(mark), **LISTED} if mark else {}
    given = {"type_name": "rep", "has_replicas": True, "metadata": metadata, **more}
    return plain_share(number, host=host, **given)


def replicas(of: Share, *what: str) -> list[Instance]:
    """Replicas written as ``host``, ``host status`` or ``host status state``; the first leads."""
    found = []
    for number, text in enumerate(what):
        host, status, state = [*text.split(" "), *["available", "in_sync"][text.count(" ") :]]
        state = "active" if not number and text.count(" ") < 2 else state
        created = "2026-05-04T12:00:09.0"
        found.append(
            Instance(
                f"r{number}",
                of.id,
                host,
                status,
                of.share_type_id,
                of.share_network_id,
                replica_state=state,
                created_at=created,
            )
        )
    return found


def cloud(one: Share, *what: str, pools: tuple[Pool, ...] = (), **more: object):
    pools = pools or (pool(OLD), pool(OLD2), pool(ONE), pool(TWO))
    more = {"share_types": TYPES, **more}
    return world([one], list(pools), {one.id: replicas(one, *what)}, **more)


def only(plan: dict) -> dict:
    (entry,) = plan["migrations"]
    return entry


# -- what is moved ---------------------------------------------------------------------------


def test_one_that_a_share_is_served_from():
    plan = make_plan(cloud(share(), OLD, TWO), EMPTY)
    entry = only(plan)
    assert (entry["kind"], entry["id"], entry["phase"]) == (SHARE_REPLICA, "s1", "idle")
    # The other one has TWO already; the name of the back end in the type is no matter.
    assert (entry["source"], entry["destination"]) == (OLD, ONE)
    assert [one["code"] for one in entry["warnings"]] == ["disruptive"]
    assert to_migrations(plan) == [
        Migration("s1", OLD, ONE, "share 1", 10, SHARE_REPLICA, Options())
    ]
    assert plan_lines(plan)[0] == "n@old: 1 share replica moves, 10 GiB"


def test_one_that_nobody_is_served_from():
    entry = only(make_plan(cloud(share(host=TWO), TWO, OLD), EMPTY))
    assert (entry["source"], entry["destination"], entry["warnings"]) == (OLD, ONE, [])


def test_a_share_of_such_a_type_without_replicas_is_an_ordinary_one():
    one = share(has_replicas=False, type_name="new")
    assert only(make_plan(cloud(one, OLD), EMPTY))["kind"] == "share"


def test_two_at_the_source_go_one_after_the_other():
    plan = make_plan(cloud(share(host=OLD2), OLD2, OLD), EMPTY)
    assert only(plan)["source"] == OLD
    assert reasons(plan) == {"r0": ["second_replica"]}
    assert plan["unplaced"][0]["kind"] == SHARE_REPLICA
    assert to_migrations(plan)[0].source == OLD


def test_a_mapped_type_is_not_given():
    entry = only(make_plan(cloud(share(), OLD), replace(EMPTY, share_type_map={"rep": "new"})))
    assert entry["options"]["new_share_type_id"] is None
    assert [one["code"] for one in entry["warnings"]] == ["disruptive", "type_kept"]


def test_a_mapped_network_is_given():
    one = share(type_name="net", share_network_id="a", share_server_id="v1")
    servers = {"driver_handles_share_servers": True}
    pools = tuple(pool(name, able=servers) for name in (OLD, ONE))
    nets = {name: ShareNetwork(name) for name in ("a", "b")}
    there = cloud(one, OLD, pools=pools, networks=nets)
    request = replace(EMPTY, share_servers=SPLIT, share_network_map={"a": "b"})
    assert only(make_plan(there, request))["options"]["new_share_network_id"] == "b"


def test_the_source_may_be_disabled_but_then_nothing_can_be_made():
    there = cloud(share(), OLD)
    cordoned = replace(there.services["n@old"], status="disabled")
    there = replace(there, services={**there.services, "n@old": cordoned})
    entry = only(make_plan(there, EMPTY))
    assert [one["code"] for one in entry["warnings"]] == ["disruptive", "active_disabled"]


# -- what is not ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "what", "codes"),
    [
        ({"is_soft_deleted": True}, [OLD], ["soft_deleted"]),
        ({"share_group_id": "g"}, [OLD], ["share_group"]),
        ({"status": "extending"}, [OLD], ["status"]),
        ({"access_rules_status": "error"}, [OLD], ["access_rules_error"]),
        ({"task_state": "data_copying_in_progress"}, [OLD], ["busy"]),
        ({}, [OLD, f"{TWO} error"], ["replica_state"]),
        ({}, [OLD, f"{TWO} available error"], ["replica_state"]),
        ({}, [OLD, f"{TWO} creating out_of_sync"], ["replica_state"]),
        ({}, [OLD, " error error"], ["replica_state"]),
        ({}, [OLD, TWO, TWO], ["replica_state"]),
        ({}, [f"{OLD} available in_sync", TWO], ["no_active_replica"]),
        ({"share_type_id": "id-gone"}, [OLD], ["no_share_type"]),
        ({}, [OLD, ONE, TWO], ["replica_there"]),
        # Everything at once.
        (
            {"status": "error", "share_group_id": "g"},
            [OLD, f"{TWO} error"],
            ["share_group", "status", "replica_state"],
        ),
    ],
)
def test_reasons_in_the_share(changes, what, codes):
    plan = make_plan(cloud(share(**changes), *what), EMPTY)
    assert plan["migrations"] == []
    assert reasons(plan)["s1"] == codes


def test_an_instance_that_is_no_replica():
    one = share()
    there = cloud(one, OLD)
    odd = Instance("odd", "s1", TWO, "error")
    there = replace(there, instances={"s1": [*there.instances["s1"], odd]})
    assert reasons(make_plan(there, EMPTY)) == {"s1": ["instances"]}


@pytest.mark.parametrize(
    ("changes", "request_", "codes"),
    [
        ({"domain": "other"}, EMPTY, ["replication_domain"]),
        ({"domain": None}, EMPTY, ["capability", "replication_domain"]),
        ({"able": {"replication_type": "readable"}}, EMPTY, ["capability"]),
        ({"free": 5}, EMPTY, ["no_capacity"]),
        ({}, replace(EMPTY, destinations=["n@old"]), ["no_destination"]),
        ({}, replace(EMPTY, mechanism="host"), ["options_conflict"]),
        ({}, replace(EMPTY, require=["nondisruptive"]), ["not_nondisruptive"]),
    ],
)
def test_reasons_in_pools_and_wishes(changes, request_, codes):
    there = cloud(share(), OLD, pools=(pool(OLD), pool(ONE, **changes)))
    if codes == ["no_destination"]:
        there = replace(there, pools=[pool(OLD)])
        request_ = EMPTY
    assert reasons(make_plan(there, request_)) == {"s1": codes}


def test_a_replica_that_nobody_is_served_from_disturbs_nobody():
    there = cloud(share(host=TWO), TWO, OLD)
    assert places(make_plan(there, replace(EMPTY, require=["nondisruptive"]))) == {"s1": ONE}


@pytest.mark.parametrize("service", [{"status": "disabled"}, {"state": "down"}])
def test_an_active_replica_elsewhere_must_be_in_service(service):
    there = cloud(share(host=TWO), TWO, OLD)
    services = {**there.services, "n@two": replace(there.services["n@two"], **service)}
    plan = make_plan(replace(there, services=services), EMPTY)
    assert reasons(plan) == {"s1": ["no_active_replica"]}


def test_a_network_that_does_not_reach_the_pool():
    one = share(type_name="net", share_network_id="a", share_server_id="v1")
    servers = {"driver_handles_share_servers": True}
    pools = tuple(pool(name, able=servers) for name in (OLD, ONE))
    there = cloud(one, OLD, pools=pools, networks={"a": ShareNetwork("a", zones=frozenset("x"))})
    services = {"n@one": Service("manila-share", "n@one", "enabled", "up", zone="y")}
    plan = make_plan(
        replace(there, services={**there.services, **services}),
        replace(EMPTY, share_servers=SPLIT),
    )
    assert reasons(plan) == {"s1": ["share_network_subnet"]}


# -- what runs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "phase"),
    [
        ([OLD, f"{ONE} creating out_of_sync"], "copying"),
        ([OLD, ONE], "copied"),
        ([f"{ONE} available active", OLD], "completing"),
        ([OLD, f"{ONE} error error"], "failed"),
        ([f"{ONE} available active", TWO], "completing"),
    ],
)
def test_what_runs_goes_on(what, phase):
    host = ONE if "active" in what[0] else OLD
    one = share(host=host, mark=MOVE)
    copies = replicas(one, *what)
    there = replace(cloud(one, OLD), instances={one.id: copies})
    plan = make_plan(there, EMPTY)
    entry = only(plan)
    assert (entry["kind"], entry["source"], entry["destination"]) == (SHARE_REPLICA, OLD, ONE)
    assert entry["phase"] == phase
    assert plan["unplaced"] == []


def test_what_runs_elsewhere_is_not_taken_up():
    plan = make_plan(cloud(share(mark=MOVE), OLD, ONE), replace(EMPTY, destinations=["n@two"]))
    assert reasons(plan) == {"s1": ["migrating_elsewhere"]}


def test_a_mark_alone_is_nothing():
    assert only(make_plan(cloud(share(mark=MOVE), OLD), EMPTY))["phase"] == "idle"


def test_what_is_being_moved_to_the_source_is_left_alone():
    other = Mark(TWO, OLD, MOVE.since)
    plan = make_plan(cloud(share(host=TWO, mark=other), TWO, OLD), EMPTY)
    assert plan["migrations"] == []
    assert reasons(plan) == {"s1": ["busy"]}


def test_what_is_over_but_marked_is_read_and_finished():
    one = share(host=ONE, mark=MOVE, has_replicas=False)
    there = cloud(one, ONE)
    found = read_inventory(Cloud(there), "n@old")
    assert only(make_plan(found, EMPTY))["phase"] == "completing"


# -- plans that are read again ---------------------------------------------------------------


def test_what_was_agreed_is_kept_where_it_still_can_be():
    there = cloud(share(), OLD)
    agreed = make_plan(there, replace(EMPTY, destinations=["n@two"]))
    plan = make_plan(there, EMPTY)
    assert only(follow(plan, agreed, there))["destination"] == TWO
    assert follow(plan, agreed, there)["differences"] == []
    taken = cloud(share(), OLD, TWO)
    (one,) = follow(make_plan(taken, EMPTY), agreed, taken)["differences"]
    assert one["code"] == "not_possible"
    assert "another replica of the share is in this pool" in one["message"]


@pytest.mark.parametrize(
    ("migration", "codes"),
    [
        (Migration("gone", OLD, ONE, kind=SHARE_REPLICA), ["status"]),
        (Migration("s1", TWO, ONE, kind=SHARE_REPLICA), ["status"]),
        (Migration("s1", OLD, "n@x#y", kind=SHARE_REPLICA), ["pool_unknown"]),
        (Migration("s1", OLD, ONE, kind=SHARE_REPLICA), []),
    ],
)
def test_one_migration(migration, codes):
    found = replica_start_blockers(cloud(share(), OLD), migration)
    assert [one.code for one in found] == codes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "n@old"}, "which is not host@backend#pool"),
        ({"options": {"writable": True}}, "the option writable, which share replicas don't have"),
    ],
)
def test_plans_that_can_not_be(changes, said):
    entry = {"id": "s", "kind": SHARE_REPLICA, "source": OLD, "destination": ONE, **changes}
    with pytest.raises(ValueError, match=said):
        to_migrations({"version": VERSION, "migrations": [entry]})
