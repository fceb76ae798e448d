# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agreed plan compared with what is there now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_replica import (
    replica_start_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    server_start_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.start import (
    start_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._planner.forecast import traffic
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import (
    VERSION,
    refuse_other_plan,
    to_migrations,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import Load
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import under_way
from ansible_collections.manila.migration.plugins.module_utils._states.tables import IDLE


def follow(
    plan: Mapping[str, Any], agreed: Mapping[str, Any], inventory: Inventory
) -> dict[str, Any]:
    """The plan that was agreed upon, as far as reality (a fresh ``plan``) still allows.

    What is idle goes where the agreed plan says, in its order; what runs already, where it goes.
    ``differences`` of the result names what is not as agreed.  Raises ValueError, with one
    sentence, if ``agreed`` is no plan or one for something else.
    """
    wanted = {migration.id: number for number, migration in enumerate(to_migrations(agreed))}
    refuse_other_plan(agreed, plan)
    differences: list[Reason] = []
    migrations = {}
    for entry in plan["migrations"]:
        number = wanted.get(entry["id"])
        if number is None:
            differences.append(
                Reason("new", f"{entry['label']} is at {entry['source']} and not in the plan file")
            )
            continue
        old = agreed["migrations"][number]
        differences += _shares_differ(entry, old)
        migrations[number] = entry
        if entry["phase"] == IDLE:
            migrations[number] = _as_agreed(entry, old)
        elif entry["destination"] != old["destination"]:
            differences.append(
                Reason(
                    "redirected",
                    f"{entry['label']} migrates to {entry['destination']}, not to "
                    f"{old['destination']}",
                )
            )
    cannot = {entry["id"] for entry in plan["unplaced"] + plan["excluded"]}
    for number, old in enumerate(agreed["migrations"]):
        if number not in migrations and old["id"] not in cannot:
            name = old.get("label") or old.get("name") or old["id"]
            differences.append(Reason("gone", f"{name} is not at {old['source']} any more"))
    followed = [migrations[number] for number in sorted(migrations)]
    fresh = {entry["id"]: entry for entry in plan["migrations"]}
    loads = under_way(inventory).loads
    for migration in to_migrations({"version": VERSION, "migrations": followed}):
        entry = fresh[migration.id]
        if entry["phase"] == IDLE:
            differences += [
                Reason("not_possible", f"{entry['label']}: {reason.message}")
                for reason in _start_blockers(inventory, migration, entry, loads)
            ]
    return {
        **plan,
        "pools": _with_moves(plan["pools"], followed),
        "migrations": followed,
        "differences": [one.as_dict() for one in differences],
        "summary": {
            **plan["summary"],
            "migrations": len(followed),
            "size_gb": sum(entry["size_gb"] for entry in followed),
        },
    }


def _as_agreed(entry: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """What is idle, to where and how the agreed plan says."""
    new = {
        **entry,
        "destination": old["destination"],
        "options": {**entry["options"], **(old.get("options") or {})},
    }
    if entry["kind"] == SHARE_SERVER:
        expected = {one["id"]: one.get("destination") for one in old.get("shares", ())}
        new["shares"] = [{**one, "destination": expected.get(one["id"])} for one in entry["shares"]]
    return new


def _shares_differ(entry: Mapping[str, Any], old: Mapping[str, Any]) -> list[Reason]:
    """What a share server has that it didn't have when the plan was made, and the other way."""
    if entry["kind"] != SHARE_SERVER or "shares" not in old:
        return []
    now = {one["id"]: one["name"] or one["id"] for one in entry["shares"]}
    then = {one["id"]: one.get("name") or one["id"] for one in old["shares"]}
    came = [name for share_id, name in now.items() if share_id not in then]
    went = [name for share_id, name in then.items() if share_id not in now]
    return [
        *(
            Reason("new", f"{name} is on {entry['label']} and was not when the plan was made")
            for name in came
        ),
        *(Reason("gone", f"{name} is not on {entry['label']} any more") for name in went),
    ]


def _start_blockers(
    inventory: Inventory,
    migration: Migration,
    fresh: Mapping[str, Any],
    loads: Mapping[str, Load],
) -> list[Reason]:
    if migration.kind == SHARE:
        return start_blockers(inventory, migration, loads)
    if migration.kind == SHARE_REPLICA:
        return replica_start_blockers(inventory, migration, loads)
    check = inventory.checks.get((migration.id, migration.destination or ""))
    if migration.options != Options(**fresh["options"]):
        check = None  # Manila was asked about other options
    return server_start_blockers(inventory, migration, check, loads)


def _with_moves(
    pools: Sequence[Mapping[str, Any]], migrations: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The pools with what other moves bring and take; every share counted in full."""
    coming, going = traffic(migrations)
    listed = []
    for pool in pools:
        came, went = coming.get(pool["name"], 0), going.get(pool["name"], 0)
        before, total, after = pool["used_percent_before"], pool["total_gb"], None
        if before is not None and not isinstance(total, str) and total:
            after = round(max(0.0, before + 100 * (came - went) / total), 1)
        moves = {"planned_gb_in": came, "planned_gb_out": went, "used_percent_after": after}
        listed.append({**pool, **moves})
    return listed
