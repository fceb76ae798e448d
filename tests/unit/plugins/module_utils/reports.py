# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up results of runs, of any size, with everything that can be in them."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp

SOURCE = "stor1@array7"
POOLS = [f"stor2@array9#pool{number}" for number in (1, 2, 3)]
BEGIN = 1_795_000_000.0
NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</style></title><svg onload=alert(3)>",
    "'-alert(4)-'&amp;&#x3C;b&#x3E;",
    "safe\u202egnp.exe \u2066both\u2069 \x00\x1b[31m \ud800",
    "x" * 255,
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "נפח 数据 📦",
    "javascript:alert(5)",
]
"""What nobody should be able to do harm with."""

PROJECTS = [UUID(int=random.Random(number).getrandbits(128)).hex for number in range(8)]
TEAMS = ("billing", "genome", "render", "mail", "archive", "crm", "ci", "web")
ERRORS = (
    "share {name}: the driver failed to copy it (migration_error). Its source is in use as before.",
    "share {name} was moved, but the access rule 'ip 192.0.2.17 rw' is in error at the destination.",
)


def make_report(count: int = 50, phase: str = "all", *, nasty: bool = False, seed: int = 7) -> Any:
    """The result of a run and its plan: as evacuate_result and evacuation_plan have them."""
    dice = random.Random(seed)
    planned, records = [], []
    clock = BEGIN
    for number in range(count):
        entry = _planned(dice, number, nasty)
        planned.append(entry)
        clock += dice.uniform(2, 90)
        records.append(_record(dice, entry, phase, number, clock))
    unplaced = (
        [] if count < 10 else [_unplaced(dice, number, nasty) for number in range(count // 25)]
    )
    states = [_state(one) for one in records]
    summary = {
        name: states.count(name)
        for name in ("copied", "completed", "failed", "cancelled", "waiting")
    }
    before, after = _pools(planned, phase)
    warnings = [{"code": "capacity_unknown", "message": f"{POOLS[2]} does not report its capacity"}]
    result = {
        "cloud": "mycloud",
        "workflow_job": "",
        "source": SOURCE,
        "objective": "evacuate",
        "phase": phase,
        "migrations": planned if phase == "plan" else records,
        "unplaced": unplaced,
        "summary": {"total": count, **summary, "unplaced": len(unplaced)},
        "pools": {"before": before, "after": after},
        "differences": [{"code": "new", "message": "share late-comer is not in the plan file"}]
        if count
        else [],
        "remaining": [one for one, state in zip(planned, states) if state != "completed"]
        + unplaced,
        "rate": 212.4 if count else None,
        "error": f"{summary['failed']} of {count} migrations are not completed."
        if summary["failed"]
        else "",
    }
    return result, {"version": 1, "migrations": planned, "warnings": warnings, "excluded": []}


def _uuid(dice: random.Random) -> str:
    return str(UUID(int=dice.getrandbits(128), version=4))


def _name(dice: random.Random, number: int, nasty: bool) -> str:
    if nasty and number < len(NASTY):
        return NASTY[number]
    return f"{dice.choice(TEAMS)}-{dice.choice(('data', 'home', 'scratch', 'export', 'backup'))}-{number:03d}"


def _planned(dice: random.Random, number: int, nasty: bool) -> dict[str, Any]:
    name = _name(dice, number, nasty)
    kind = "share"
    if number % 12 == 5:
        kind = "share_server"
    elif number % 15 == 7:
        kind = "share_replica"
    size = dice.choice((10, 20, 50, 100, 200, 500, 1000))
    entry: dict[str, Any] = {
        "kind": kind,
        "id": _uuid(dice),
        "name": name,
        "project_id": dice.choice(PROJECTS),
        "source": f"{SOURCE}#pool{dice.randrange(2)}",
        "destination": POOLS[number % 3],
        "phase": "idle",
        "size_gb": size,
        "share_type": "standard",
        "options": {"new_share_type_id": _uuid(dice) if number % 9 == 0 else None},
        "delete_snapshots": [],
        "warnings": [
            {
                "code": "disruptive",
                "message": "the cutover disconnects clients: export locations change",
            }
        ],
    }
    if kind == "share_server":
        entry.update(name="", source=SOURCE, destination="stor2@array9")
        entry["shares"] = [
            {
                "id": _uuid(dice),
                "name": f"{name}/{member}",
                "size_gb": size // 2,
                "source": f"{SOURCE}#pool0",
                "destination": None,
            }
            for member in range(3)
        ]
    entry["label"] = entry["name"] or f"share server {entry['id']}"
    return entry


def _exports(dice: random.Random, share: str, net: str) -> list[str]:
    hosts = [f"{net}.{dice.randrange(10, 99)}"] * (1 + (dice.random() < 0.2))
    return [
        f"{host}:/shares/share_{share.replace('-', '_')}_{dice.getrandbits(32):08x}"
        for host in hosts
    ]


def _record(
    dice: random.Random, entry: dict[str, Any], phase: str, number: int, started: float
) -> Any:
    host = entry["kind"] == "share" and number % 4 == 0
    copied = started + entry["size_gb"] * 1024 / 212 * dice.uniform(0.8, 1.6)
    cutover = copied + dice.choice((0.0, 30.0, 600.0, 3600.0))
    completed = cutover + dice.uniform(4, 95)
    goal = {"copy": "copied", "cancel": "cancelled", "status": "copying"}.get(phase, "completed")
    if phase == "plan" or (phase == "status" and number % 3 == 0) or number % 17 == 16:
        goal = "idle"
    fails = number % 13 == 9 and goal != "idle"
    done = goal == "completed" and not fails
    moments: dict[str, float | None] = {
        "started_at": started if goal != "idle" else None,
        "copied_at": copied if goal in ("copied", "completed") and number % 26 != 9 else None,
        "cutover_at": cutover if goal == "completed" and number % 26 != 9 else None,
        "completed_at": completed if done else None,
    }
    shares = [
        {
            "id": one["id"],
            "name": one["name"],
            "export_locations_before": _exports(dice, one["id"], "192.0.2"),
            "export_locations_after": _exports(dice, one["id"], "198.51.100") if done else [],
        }
        for one in entry.get("shares", ())
        if moments["cutover_at"]
    ]
    before = [path for one in shares for path in one["export_locations_before"]]
    after = [path for one in shares for path in one["export_locations_after"]]
    if entry["kind"] != "share_server" and moments["cutover_at"]:
        before = _exports(dice, entry["id"], "192.0.2")
        after = _exports(dice, entry["id"], "198.51.100") if done else []
    waits = {
        "idle": ("slot", "5 migrations are at work, as many as allowed"),
        "copied": ("operator", "it is copied; nobody has cut it over"),
    }
    return {
        "kind": entry["kind"],
        "id": entry["id"],
        "name": entry["name"],
        "source": entry["source"],
        "destination": entry["destination"],
        "phase": "failed" if fails else goal,
        "mechanism": None if goal == "idle" else "host" if host else "driver",
        "task_state": None if goal == "idle" else "migration_success",
        "progress": 43 if goal == "copying" else 100,
        "size_gb": entry["size_gb"],
        "error": ERRORS[number % 2].format(name=entry["name"] or entry["id"]) if fails else None,
        "waiting_for": {
            "code": waits[goal][0],
            "message": waits[goal][1],
            "since": timestamp(started),
        }
        if goal in waits and not fails
        else None,
        **{name: None if one is None else timestamp(one) for name, one in moments.items()},
        "export_locations_before": before,
        "export_locations_after": after,
        "destination_share_server_id": _uuid(dice) if shares else None,
        "shares": shares,
    }


def _state(record: dict[str, Any]) -> str:
    if record["error"]:
        return "failed"
    return {"idle": "waiting", "copying": "waiting"}.get(record["phase"], record["phase"])


def _unplaced(dice: random.Random, number: int, nasty: bool) -> dict[str, Any]:
    name = _name(dice, number, nasty) + " (stays)"
    return {
        "kind": "share",
        "id": _uuid(dice),
        "name": name,
        "label": name,
        "size_gb": 300,
        "project_id": None,
        "reasons": [
            {
                "code": "share_group",
                "message": "it belongs to a share group; Manila does not migrate its members",
            },
            {"code": "no_capacity", "message": f"{POOLS[0]} has room for 120 GiB, not for 300"},
        ][: 1 + number % 2],
    }


def _pools(planned: list[dict[str, Any]], phase: str) -> Any:
    size = sum(one["size_gb"] for one in planned)
    total = max(100.0, size * 1.4)
    fills = [(f"{SOURCE}#pool0", 71.0, 4.0), (POOLS[0], 12.0, 38.5), (POOLS[1], 30.0, 61.0)]
    fills += [(f"stor3@array2#pool{number}", 40.0 + number, 40.0 + number) for number in range(4)]
    moves = phase not in ("plan", "status", "copy", "cancel")

    def pool(name: str, used: float | None, planned: float | None) -> dict[str, Any]:
        known = used is not None
        return {
            "name": name,
            "total_gb": round(total, 1) if known else "unknown",
            "free_gb": round(total / 2, 1) if known else "unknown",
            "used_percent_before": used,
            "used_percent_after": planned,
            "planned_gb_in": 0,
            "planned_gb_out": 0,
        }

    before = [*(pool(*one) for one in fills), pool(POOLS[2], None, None)]
    after = [
        *(pool(name, end if moves else begin, end) for name, begin, end in fills),
        pool(POOLS[2], None, None),
    ]
    return before, after
