# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutover groups in a plan: what stays with members that can't move, and what is said of it."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    ONE,
    moving,
    places,
    reasons,
    share,
    world,
)

GROUPED = (("db", ("s1", "s2", "s3")),)


def test_a_group_that_stays_leaves_its_room_to_others():
    shares = [share(1, 1000), share(2, 80), share(4, 10)]
    alone = make_plan(world([share(4, 10)]), Request("n@old"))
    plan = make_plan(world(shares), Request("n@old", groups=GROUPED))
    assert places(plan) == places(alone) == {"s4": ONE}
    assert plan["pools"][1]["planned_gb_in"] == 10


def test_who_stays_with_a_group_does_not_count_as_missing():
    """Only the member that has a reason of its own has to be seen to."""
    running, instances = moving(1, ONE)
    shares = [running, share(2, status="error"), share(3)]
    plan = make_plan(world(shares, instances=instances), Request("n@old", groups=GROUPED))
    assert reasons(plan)["s3"] == ["group_incomplete"]
    (entry,) = plan["migrations"]
    assert entry["group_missing"] == ["share 2"]


def test_a_listed_member_that_is_not_to_be_moved_is_named():
    groups = (("db", ("s1", "share 9")),)
    plan = make_plan(world([share(1)]), Request("n@old", groups=groups))
    assert [warning["code"] for warning in plan["warnings"]] == ["group_unknown"]
    assert "'share 9'" in plan["warnings"][0]["message"]
