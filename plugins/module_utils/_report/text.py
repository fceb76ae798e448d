# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans, migrations and pools as lines of text for people.  Pure.

Whatever stands in them is ``readable``; in the columns of tables names are cut, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._engine.record import (
    as_record,
    summarize,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import Memory, Track
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.request import (
    CHOOSING,
    EVACUATE,
    REBALANCE,
    RELOCATE,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import (
    cells,
    many,
    padded,
    readable,
    shortened,
    some,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    IDLE,
)


class Progress:
    """How a run gets on: a line a poll, and a table of what works now."""

    def __init__(self) -> None:
        self._begun: tuple[float, float] | None = None
        """When this run first looked, and the GiB that were copied by then."""

    def line(self, plan: Sequence[Migration], memory: Memory, now: float) -> str:
        """Return what is done, running and waiting, in GiB too, how fast it goes and how long it takes.

        ``now`` is in seconds since the epoch.
        """
        tracks = [(one, memory.track(one)) for one in plan]
        counts = summarize(plan, memory)
        parts = [f"{counts[name]} {name}" for name in (COMPLETED, COPIED) if counts[name]]
        phases: dict[str, list[Track]] = {}
        waits: Counter[str] = Counter()
        for _one, track in tracks:
            if track.settled:
                continue
            if _works(track):
                if track.phase != COPIED:  # those are counted already
                    phases.setdefault(track.phase, []).append(track)
            elif track.phase != COPIED or track.waiting_for:
                waits[track.waiting_for.code if track.waiting_for else "poll"] += 1
        parts += [
            f"{len(several)} {phase}{_spread(several) if phase == COPYING else ''}"
            for phase, several in sorted(phases.items())
        ]
        if waits:
            why = ", ".join(f"{count} {code}" for code, count in waits.most_common())
            parts.append(f"{sum(waits.values())} waiting ({why})")
        parts += [f"{counts[name]} {name}" for name in (FAILED, CANCELLED) if counts[name]]
        return f"{', '.join(parts) or 'nothing done'} of {len(plan)}; {self._copied(tracks, now)}"

    def table(self, plan: Sequence[Migration], memory: Memory) -> list[str]:
        """Return what works now, each with its percent and since when."""
        tracks = [(one, memory.track(one)) for one in plan]
        return migration_lines(
            [as_record(one, track) for one, track in tracks if not track.settled and _works(track)]
        )

    def _copied(self, tracks: Sequence[tuple[Migration, Track]], now: float) -> str:
        total = sum(one.size_gb for one, _track in tracks)
        copied = sum(
            one.size_gb * (track.progress or 0) / 100 for one, track in tracks if not track.error
        )
        left = sum(
            one.size_gb * (1 - (track.progress or 0) / 100)
            for one, track in tracks
            if not track.settled and track.phase not in (COPIED, COMPLETING, COMPLETED)
        )
        if self._begun is None:
            self._begun = now, copied
        seconds, more = now - self._begun[0], copied - self._begun[1]
        percent = 100 * copied / total if total else 100
        text = f"{copied:.0f} of {total} GiB copied ({percent:.0f} %)"
        if seconds <= 0 or more <= 0:
            return text
        text += f", {1024 * more / seconds:.0f} MiB/s"
        return f"{text}, about {duration(left * seconds / more)} left" if left else text


def _works(track: Track) -> bool:
    """Whether back ends work for it now."""
    return (track.busy and track.phase != IDLE) or track.phase == COMPLETED


def _spread(tracks: Sequence[Track]) -> str:
    """How far they are, as far as somebody told."""
    known = sorted({one.progress for one in tracks if one.progress is not None})
    if not known:
        return ""
    return f" ({known[0]} %)" if len(known) == 1 else f" ({known[0]} to {known[-1]} %)"


def measured_rate(plan: Sequence[Migration], memory: Memory) -> float | None:
    """MiB that one migration copied in a second, over all whose copying was seen; None: of none."""
    tracks = [(one, memory.track(one)) for one in plan]
    copied = [
        (one.size_gb, track.copied_at - track.started_at)
        for one, track in tracks
        if track.copied_at and track.started_at and track.copied_at > track.started_at
    ]
    seconds = sum(one[1] for one in copied)
    return round(1024 * sum(one[0] for one in copied) / seconds, 1) if seconds else None


def migration_lines(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each record of a migration: what it is at, and what it waits for since when."""
    rows = []
    for one in records:
        state = str(one["phase"])
        if one["phase"] == "copying" and one["progress"] is not None:
            state += f" {one['progress']} %"
        rows.append(
            (
                _short_name(one),
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


def open_lines(records: Sequence[Mapping[str, Any]], rows: int = 20) -> list[str]:
    """Return the same of what is not at its destination, failures first; of the others the number."""
    failed = [one for one in records if one["error"]]
    waiting = [one for one in records if one["waiting_for"] and not one["error"]]
    done = Counter(one["phase"] for one in records if not (one["error"] or one["waiting_for"]))
    listed = failed + waiting
    lines = migration_lines(listed[:rows]) if listed else []
    if len(listed) > rows:
        lines.append(f"and {len(listed) - rows} more, see the report")
    return lines + [f"{count} {phase}" for phase, count in sorted(done.items())]


def plan_lines(plan: Mapping[str, Any], rows: int = 200) -> list[str]:
    """Return a plan as text: moves, what can't move and why, warnings, pools before and after.

    Of more than ``rows`` migrations the others are only counted: the JSON has them all.
    """
    moves = plan["migrations"]
    lines = [_headline(plan)]
    lines += [f"emptied: {', '.join(plan['emptied'])}"] if plan["emptied"] else []
    counts = Counter((one["source"], one["destination"]) for one in moves)
    lines += [f"  {count} x {source} -> {to}" for (source, to), count in sorted(counts.items())]
    if moves:
        listed = [
            (
                _short_name(one),
                f"{one['size_gb']} GiB",
                one["source"],
                one["destination"],
                _mechanism(one),
                one["phase"],
                _detail(one),
            )
            for one in moves[:rows]
        ]
        lines += _indent(_table([("what", "size", "from", "to", "by", "state", ""), *listed]))
    if len(moves) > rows:
        lines.append(f"  and {len(moves) - rows} more, which come later")
    if plan["unplaced"]:
        lines.append(f"{len(plan['unplaced'])} can't move:")
        alike: dict[str, list[str]] = {}
        for one in plan["unplaced"]:
            reasons = "; ".join(reason["message"] for reason in one["reasons"])
            alike.setdefault(reasons, []).append(called(one))
        lines += [f"  {_names(names, rows)}: {reasons}" for reasons, names in alike.items()]
    if plan["excluded"]:
        lines.append(f"left out as asked: {_names(list(map(called, plan['excluded'])), rows)}")
    for one in plan.get("differences", ()):
        lines.append(f"different from the plan file: {one['message']}")
    lines += [f"warning: {one['message']}" for one in plan["warnings"]]
    return [readable(line) for line in lines] + _pool_lines(plan)


def _pool_lines(plan: Mapping[str, Any]) -> list[str]:
    """Return the pools before and after.  Where the pools are what it is about, those that stay, too."""
    pools = [
        one
        for one in plan["pools"]
        if plan["objective"] in CHOOSING or one["planned_gb_in"] or one["planned_gb_out"]
    ]
    rows = [
        (
            one["name"],
            gib(one["total_gb"]) + (" GiB" if isinstance(one["total_gb"], (int, float)) else ""),
            _bar(one["used_percent_before"]),
            "->",
            _bar(one["used_percent_after"]),
        )
        for one in pools
    ]
    rest = len(plan["pools"]) - len(pools)
    lines = ["pools before and after:", *_indent(_table(rows))] if rows else []
    if rest and rows:
        lines.append(f"  {many(rest, 'other pool')} {'stays' if rest == 1 else 'stay'} as before")
    return lines


def _headline(plan: Mapping[str, Any]) -> str:
    """Return the objective of a plan, its costs and its effect."""
    place = plan["source"] or ", ".join(plan["destinations"]) or "everything"
    if plan["source"] and plan["destinations"] and plan["objective"] in CHOOSING:
        place = ", ".join((plan["source"], *plan["destinations"]))
    head = {
        EVACUATE: place,
        RELOCATE: f"relocate {plan['source'] or 'everything'} to {plan['availability_zone']}",
    }.get(plan["objective"], f"{plan['objective']} {place}")
    parts = [f"{_total(plan['migrations'])}, {plan['summary']['size_gb']} GiB"]
    seconds = plan["summary"]["expected_seconds"]
    if seconds:
        parts.append(f"copying takes at least {duration(seconds)}")
    if plan["objective"] == REBALANCE:
        fills = [
            [
                one[f"used_percent_{when}"]
                for one in plan["pools"]
                if one[f"used_percent_{when}"] is not None
            ]
            for when in ("before", "after")
        ]
        before, after = (f"{min(one):.0f} to {max(one):.0f} %" for one in fills if one)
        parts.append(f"pools are filled {before} before and {after} after")
    return f"{head}: {'; '.join(parts)}"


def _mechanism(entry: Mapping[str, Any]) -> str:
    """Who copies: settled for what only drivers can do, or the Data Service."""
    options = entry["options"]
    if options.get("force_host_assisted_migration"):
        return "host"
    demands = ("writable", "nondisruptive", "preserve_metadata", "preserve_snapshots")
    if entry["kind"] != SHARE or any(options.get(name) for name in demands):
        return "driver"
    return "auto"


def duration(seconds: float) -> str:
    """``50 s``, ``12 min``, ``3 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest} s"


def _names(names: Sequence[str], most: int) -> str:
    """All of them, as long as that can be read."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _bar(percent: float | None) -> str:
    """Return a bar of twenty characters and the figure."""
    if percent is None:
        return "not known"
    full = max(0, min(20, round(percent / 5)))
    return f"[{'#' * full}{'.' * (20 - full)}] {percent:3.0f} %"


def pool_lines(
    pools: Sequence[Mapping[str, Any]], services: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return a line for each pool: how full it is, what fits, why nothing goes there; then the services."""
    lines = _table(
        [
            (
                one["name"],
                f"{gib(one['free_gb'])} of {gib(one['total_gb'])} GiB free",
                _bar(one["used_percent"]),
                _room(one),
                many(one["shares"], "share"),
                f"{gib(one['coming_gb'])} GiB coming" if one["coming_gb"] else "",
                "; ".join(reason["message"] for reason in one.get("blockers", ())),
            )
            for one in pools
        ]
    )
    for one in services:
        why = f" ({one['disabled_reason']})" if one["disabled_reason"] else ""
        if one["status"] != "enabled" or not one["alive"]:
            state = "up" if one["alive"] else "down"
            lines.append(
                readable(f"manila-share {one['host']} is {one['status']}{why} and {state}")
            )
    return lines


def _room(pool: Mapping[str, Any]) -> str:
    if "fits_gb" in pool:
        return f"fits {gib(pool['fits_gb'])} GiB"
    if pool["fits_thin_gb"] == pool["fits_thick_gb"]:
        return f"fits {gib(pool['fits_thick_gb'])} GiB"
    return f"fits {gib(pool['fits_thin_gb'])} GiB thin, {gib(pool['fits_thick_gb'])} GiB thick"


def gib(value: Any) -> str:
    """Return a number of GiB, or what a driver says instead."""
    return f"{value:g}" if isinstance(value, (int, float)) else str(value or "?")


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


def called(entry: Mapping[str, Any]) -> str:
    """Return what people call it: share servers have no names."""
    if entry["kind"] == SHARE_SERVER:
        return f"share server {entry['id']}"
    return str(entry["name"] or entry["id"])


def _short_name(entry: Mapping[str, Any]) -> str:
    """Return the same for a column of a table."""
    return shortened(readable(called(entry)))


def _detail(entry: Mapping[str, Any]) -> str:
    if entry["kind"] == SHARE_SERVER:
        names = [shortened(readable(one["name"] or one["id"])) for one in entry["shares"]]
        return f"{many(len(names), 'share')}: {some(names)}"
    doomed = len(entry.get("delete_snapshots", ()))
    notes = [
        "with a new share type" if entry["options"].get("new_share_type_id") else "",
        f"{many(doomed, 'snapshot')} deleted before" if doomed else "",
    ]
    return ", ".join(filter(None, notes))


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    shown = [[readable(cell) for cell in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(*shown)]
    return ["  ".join(map(padded, row, widths)).rstrip() for row in shown]
