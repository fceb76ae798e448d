# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is returned is as docs/schemas says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from ansible_collections.manila.migration.plugins.module_utils._engine.record import as_record
from ansible_collections.manila.migration.plugins.module_utils._engine.types import Track
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.baseline import follow
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import VERSION
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.plugins.module_utils._report import files as report_files
from ansible_collections.manila.migration.plugins.module_utils._report.files import complete
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    SERVER_POOLS,
    aboard,
    going,
    moving,
    pool,
    server,
    share,
    tenants,
    world,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.reports import make_report

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def check(plan: dict[str, Any]) -> None:
    schema = json.loads((SCHEMAS / "plan.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["version"]["const"] == VERSION
    Draft202012Validator(schema).validate(plan)
    # What isn't documented isn't there.
    assert set(plan) <= set(schema["properties"])
    assert set(plan["summary"]) == set(schema["properties"]["summary"]["properties"])
    definitions = schema["$defs"]
    for one in plan["pools"]:
        assert set(one) == set(definitions["pool"]["properties"])
    documented = {**definitions["subject"]["properties"]}
    for one in plan["unplaced"]:
        assert set(one) - {"reasons"} <= set(documented)
    documented.update(definitions["migration"]["allOf"][1]["properties"])
    for one in plan["migrations"]:
        assert set(one) <= set(documented)


RUNNING, INSTANCES = moving(7, "n@one#p")
INVENTORIES = {
    "shares": world(
        [share(1), share(2, status="error"), share(3, 900), RUNNING], instances=INSTANCES
    ),
    "unknown capacities": world([share(1)], [pool("n@old#p"), pool("n@one#p", "unknown")]),
    "share servers": tenants(
        [aboard(1), aboard(2, "v2"), aboard(3, "v3", status="error"), aboard(4, "v4")],
        [server(1), *going(2, "n@one"), server(3), server(4)],
        SERVER_POOLS,
    ),
}


@pytest.mark.parametrize("inventory", INVENTORIES.values(), ids=INVENTORIES)
@pytest.mark.parametrize(
    "more",
    [
        {"source": "n@old"},
        {"source": "n@old", "exclude": ["share 1", "nothing"]},
        {"source": "n@old", "destinations": ["n@one"], "objective": "rebalance"},
        {"source": "n@old", "destinations": ["n@one"], "objective": "consolidate"},
    ],
    ids=["evacuate", "exclude", "rebalance", "consolidate"],
)
def test_a_plan_is_as_its_schema_says(inventory: Any, more: dict[str, Any]) -> None:
    plan = make_plan(inventory, Request(**more))
    check(plan)
    check(follow(plan, plan, inventory))
    check(json.loads(json.dumps(plan)))


@pytest.mark.parametrize("phase", ["plan", "copy", "cutover", "all", "cancel", "status"])
def test_a_report_is_as_its_schema_says(phase: str) -> None:
    plan_schema, schema = (
        json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
        for name in ("plan.json", "report.json")
    )
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["version"]["const"] == report_files.VERSION
    registry = Registry().with_resource("plan.json", Resource.from_contents(plan_schema))
    result, plan = make_report(60, phase)
    real = make_plan(INVENTORIES["share servers"], Request("n@old"))
    for one in ((result, plan), ({**result, "migrations": real["migrations"]}, real)):
        report = complete(*one, "2026-11-18T14:00:00Z")
        Draft202012Validator(schema, registry=registry).validate(json.loads(json.dumps(report)))
        # What isn't documented isn't there.
        assert set(report) == set(schema["properties"])
        for migration in report["migrations"]:
            assert set(migration) <= set(schema["$defs"]["migration"]["properties"])


def test_a_made_up_report_is_like_a_real_one() -> None:
    result, _plan = make_report(20)
    record = as_record(Migration("s", "n@old#p", "n@one#p"), Track())
    assert all(set(one) == set(record) for one in result["migrations"])
