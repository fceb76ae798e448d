# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the module reads and asks before it has a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.records import Compatibility
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.modules import evacuation_plan
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    Cloud,
    aboard,
    going,
    places,
    reasons,
    server,
    share,
    tenants,
    world,
)

EMPTY = Request("n@old")


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    taken = []
    monkeypatch.setattr(evacuation_plan.time, "sleep", taken.append)
    return taken


def plan(cloud):
    return evacuation_plan.EvacuationPlanModule._plan(None, cloud, EMPTY)


def test_without_share_servers_it_reads_once_and_asks_nothing(pauses):
    cloud = Cloud(world([share(1)]))
    _inventory, planned = plan(cloud)
    assert set(places(planned)) == {"s1"}
    assert cloud.asked.count("services") == 1
    assert pauses == []


def test_manila_is_asked_of_every_server_that_could_move_and_believed(pauses):
    shares = [aboard(1, "v1"), aboard(2, "v2", status="error")]
    checks = {
        ("v1", "n@one"): Compatibility(False, {}),
        ("v1", "n@two"): Compatibility(True, {"nondisruptive": False}),
    }
    cloud = Cloud(replace(tenants(shares), checks=checks))
    inventory, planned = plan(cloud)
    assert [one for one in cloud.asked if one.startswith("check")] == [
        "check v1 n@one",
        "check v1 n@two",
    ]
    assert places(planned) == {"v1": "n@two"}
    assert [one["code"] for one in planned["migrations"][0]["warnings"]] == ["disruptive"]
    assert reasons(planned) == {"v2": ["status"]}
    assert inventory.checks == checks
    assert pauses == []


def test_while_a_place_does_not_show_it_reads_again_and_asks_only_in_the_end(pauses):
    shares = [aboard(1, "v1", status="server_migrating"), aboard(2, "v2")]
    servers = [*going(1, "n@one", "migration_starting")[:1], server(2)]
    yes = {("v2", "n@one"): Compatibility(True), ("v2", "n@two"): Compatibility(True)}
    cloud = Cloud(replace(tenants(shares, servers), checks=yes))
    _inventory, planned = plan(cloud)
    assert reasons(planned) == {"v1": ["destination_unknown"]}
    assert set(places(planned)) == {"v2"}
    assert cloud.asked.count("services") == len(evacuation_plan.PAUSES) + 1
    assert len([one for one in cloud.asked if one.startswith("check")]) == 2
    assert pauses[:3] == list(evacuation_plan.PAUSES)
