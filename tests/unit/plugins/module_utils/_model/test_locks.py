# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource locks: what they tell of shares, in plans and in checks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.inventory_reader import (
    read_inventory,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    server_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.start import (
    mechanism_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Details
from ansible_collections.manila.migration.plugins.module_utils._model.locks import (
    lock_warnings,
    locks_by_share,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    LISTED,
    MARK,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.records import Lock
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    ONE,
    Cloud,
    aboard,
    instance,
    moving,
    server,
    share,
    tenants,
    world,
)

BY_HAND = Lock("l1", "share", "s1", "delete", "user", "u1", "p1", "payroll")
# What Nova makes, and what Manila makes of that.
NOVA_DELETE = Lock("n1", "access_rule", "r1", "delete", "admin", "nova", "service", "Lock by nova")
NOVA_SHOW = Lock("n2", "access_rule", "r1", "show", "admin", "nova", "service", "Lock by nova")
NOVA = Lock("n3", "share", "s1", "delete", "admin", "nova", "service", "Locked by access lock: n1")
NOVAS = [NOVA_DELETE, NOVA_SHOW, NOVA]


def codes(reasons):
    return [one.code for one in reasons]


def test_of_what_is_locked_with_a_rule_the_lock_of_the_rule_tells():
    other = replace(BY_HAND, id="l2", resource_id="s2")
    assert locks_by_share([*NOVAS, BY_HAND, other]) == {"s1": [NOVA_DELETE, BY_HAND], "s2": [other]}
    # A lock that went a moment ago, or that this user may not see.
    assert locks_by_share([NOVA]) == {"s1": [NOVA]}
    # Who sees a rule is nothing that a share is told by.
    assert locks_by_share([NOVA_SHOW]) == {}


@pytest.mark.parametrize(
    ("lock", "code"),
    [
        (BY_HAND, "locked"),
        (replace(BY_HAND, reason=""), "locked"),
        (replace(BY_HAND, context="admin"), "locked"),
        (replace(BY_HAND, context="service"), "attached_to_instance"),
        (NOVA_DELETE, "attached_to_instance"),
        (replace(NOVA_DELETE, context="user"), "attached_to_instance"),
    ],
)
def test_whose_lock_it_is(lock, code):
    (reason,) = lock_warnings([lock])
    assert reason.code == code
    named = (lock.user_id, lock.project_id, lock.context, lock.reason)
    assert all(one in reason.message for one in named)


def test_what_owners_write_can_not_do_anything_to_who_reads_it():
    text = "\x1b[31mred\x07\ntwo lines \u202egnp.exe" + 1000 * "x"
    (reason,) = lock_warnings([replace(BY_HAND, reason=text)])
    assert reason.message.isprintable()
    assert len(reason.message) < 400


# -- where they are told ---------------------------------------------------------------------


class Locked(Cloud):
    """A cloud with locks."""

    def locks(self):
        self.asked.append("locks")
        return [*NOVAS, BY_HAND]


class Silent(Cloud):
    """A cloud that doesn't tell."""

    def locks(self):
        return None


BOTH = ["locked", "attached_to_instance"]


def first(warnings):
    return [one["code"] for one in warnings if one["code"] in BOTH]


@pytest.mark.parametrize("count", [1, 50])
def test_a_plan_asks_once_and_tells_each_share(count):
    cloud = Locked(world([share(n, 1) for n in range(1, count + 1)]))
    plan = make_plan(read_inventory(cloud, "n@old"), Request("n@old"))
    assert cloud.asked.count("locks") == 1
    told = {one["id"]: first(one["warnings"]) for one in plan["migrations"]}
    assert told.pop("s1") == BOTH
    assert not any(told.values())
    assert plan["unplaced"] == []


def test_a_plan_tells_of_what_migrates_already():
    one, instances = moving(1, ONE)
    inventory = read_inventory(Locked(world([one], instances=instances)), "n@old")
    (entry,) = make_plan(inventory, Request("n@old"))["migrations"]
    assert first(entry["warnings"]) == BOTH


def test_a_plan_tells_of_shares_on_share_servers_and_of_replicas():
    inventory = read_inventory(Locked(tenants([aboard(1), aboard(2)])), "n@old")
    (entry,) = make_plan(inventory, Request("n@old"))["migrations"]
    assert first(entry["warnings"]) == BOTH
    assert all("share 1" in one["message"] for one in entry["warnings"] if one["code"] in BOTH)
    assert set(BOTH) <= set(codes(server_warnings(inventory, server(1), None)))

    mark = Mark(OLD, ONE, "2026-05-04T12:00:00Z")
    one = share(1, has_replicas=True, metadata={MARK: str(mark), **LISTED})
    made = {"created_at": "2026-05-04T12:00:09.0", "replica_state": "in_sync"}
    old = instance(one, replica_state="active", created_at="2026-05-01T12:00:00.0")
    several = {"s1": [old, instance(one, ONE, **made)]}
    inventory = read_inventory(Locked(world([one], instances=several)), "n@old")
    (entry,) = make_plan(inventory, Request("n@old"))["migrations"]
    assert (entry["kind"], first(entry["warnings"])) == ("share_replica", BOTH)


@pytest.mark.parametrize("mechanism", ["driver", "host"])
def test_a_check_of_one_share_tells(mechanism):
    inventory = read_inventory(Locked(world([share(1)])), "n@old")
    found = mechanism_warnings(inventory, Migration("s1", OLD, ONE), mechanism, Details())
    assert [code for code in codes(found) if code in BOTH] == BOTH


def test_who_may_not_list_locks_is_told():
    inventory = read_inventory(Silent(world([share(1)])), "n@old")
    plan = make_plan(inventory, Request("n@old"))
    assert [one["code"] for one in plan["warnings"]].count("locks_unknown") == 1
    found = mechanism_warnings(inventory, Migration("s1", OLD, ONE), "driver", Details())
    assert "locks_unknown" in codes(found)
