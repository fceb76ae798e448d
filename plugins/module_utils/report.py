# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and migrations as lines of text for people.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils.engine import (
    Memory,
    Migration,
    Track,
    summarize,
)
from ansible_collections.manila.migration.plugins.module_utils.states import (
    COMPLETED,
    COPIED,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils.wording import many, some


def status_line(plan: Sequence[Migration], memory: Memory) -> str:
    """Where a plan is, in one line: done, running, waiting, failed, GiB and percent."""
    counts = summarize(plan, memory)
    tracks = [(one, memory.tracks.get(one.id, Track())) for one in plan]
    running = sum(
        not track.settled and track.phase != COPIED and (track.busy or track.phase == COMPLETED)
        for _one, track in tracks
    )
    total = sum(one.size_gb for one in plan)
    moved = sum(
        one.size_gb * (track.progress or 0) / 100 for one, track in tracks if track.error is None
    )
    percent = 100 * moved / total if total else 100
    return (
        f"{counts['completed']} completed, {counts['copied']} copied, {running} running, "
        f"{counts['waiting'] - running} waiting, {counts['failed']} failed, "
        f"{counts['cancelled']} cancelled of {counts['total']}; "
        f"{moved:.0f} of {total} GiB copied ({percent:.0f} %)"
    )


def migration_lines(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each record of a migration: what it is at, and what it waits for since when."""
    rows = []
    for one in records:
        state = str(one["phase"])
        if one["phase"] == "copying" and one["progress"] is not None:
            state += f" {one['progress']} %"
        rows.append(
            (
                _name(one),
                f"{one['size_gb']} GiB",
                state,
                f"{one['source']} -> {one['destination'] or '?'}",
                _why(one),
            )
        )
    return _table(rows)


def _why(record: Mapping[str, Any]) -> str:
    if record["error"]:
        return str(record["error"])
    waiting = record["waiting_for"]
    if not waiting:
        return ""
    since = f" (since {waiting['since']})" if waiting["since"] else ""
    return f"{waiting['code']}: {waiting['message']}{since}"


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """A plan as text: moves, what can't move and why, warnings, pools before and after."""
    summary = Counter((one["source"], one["destination"]) for one in plan["migrations"])
    size = sum(one["size_gb"] for one in plan["migrations"])
    lines = [f"{plan['source']}: {_total(plan['migrations'])}, {size} GiB"]
    lines += [f"  {count} x {source} -> {to}" for (source, to), count in sorted(summary.items())]
    lines += _indent(
        _table(
            [
                (
                    _name(one),
                    f"{one['size_gb']} GiB",
                    one["phase"],
                    f"-> {one['destination']}",
                    _detail(one),
                )
                for one in plan["migrations"]
            ]
        )
    )
    if plan["unplaced"]:
        lines.append(f"{len(plan['unplaced'])} can't move:")
        alike: dict[str, list[str]] = {}
        for one in plan["unplaced"]:
            reasons = "; ".join(reason["message"] for reason in one["reasons"])
            alike.setdefault(reasons, []).append(_name(one))
        lines += [f"  {', '.join(names)}: {reasons}" for reasons, names in alike.items()]
    if plan["excluded"]:
        names = ", ".join(map(_name, plan["excluded"]))
        lines.append(f"left out as asked: {names}")
    for one in plan.get("differences", ()):
        lines.append(f"different from the plan file: {one['message']}")
    lines += [f"warning: {one['message']}" for one in plan["warnings"]]
    lines.append("pools, percent full before and after:")
    lines += _indent(
        _table(
            [
                (
                    one["name"],
                    f"{one['total_gb']} GiB",
                    f"{_percent(one['used_percent_before'])} -> "
                    f"{_percent(one['used_percent_after'])}",
                )
                for one in plan["pools"]
            ]
        )
    )
    return lines


def _total(migrations: Sequence[Mapping[str, Any]]) -> str:
    """How many of which kind move."""
    servers = [one for one in migrations if one["kind"] == SHARE_SERVER]
    replicas = sum(one["kind"] == SHARE_REPLICA for one in migrations)
    shares = len(migrations) - len(servers) - replicas
    parts = [many(shares, "share")] if shares or not migrations else []
    if replicas:
        parts.append(many(replicas, "share replica"))
    if servers:
        aboard = sum(len(one["shares"]) for one in servers)
        parts.append(f"{many(len(servers), 'share server')} with {many(aboard, 'share')}")
    return f"{' and '.join(parts)} {'moves' if len(migrations) == 1 else 'move'}"


def _name(entry: Mapping[str, Any]) -> str:
    """What people call it: share servers have no names."""
    if entry["kind"] == SHARE_SERVER:
        return f"share server {entry['id']}"
    return str(entry["name"] or entry["id"])


def _detail(entry: Mapping[str, Any]) -> str:
    if entry["kind"] == SHARE_SERVER:
        names = [one["name"] or one["id"] for one in entry["shares"]]
        return f"{many(len(names), 'share')}: {some(names)}"
    return "with a new share type" if entry["options"].get("new_share_type_id") else ""


def _percent(value: Any) -> str:
    return f"{value:.0f} %" if isinstance(value, (int, float)) else "?"


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]
