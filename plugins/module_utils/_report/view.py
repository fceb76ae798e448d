# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report shows: states, verdict, next steps, bars and their words, without any HTML.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import epoch
from ansible_collections.manila.migration.plugins.module_utils._model.wording import many
from ansible_collections.manila.migration.plugins.module_utils._report.text import called, duration
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    IDLE,
    STUCK,
)

Entry = Mapping[str, Any]


class Look(NamedTuple):
    """How a state is shown: never by its colour alone."""

    sign: str
    word: str
    many: str


LOOKS = {
    "failed": Look("✕", "Failed", "failed"),
    "cancelled": Look("↩", "Cancelled", "cancelled"),
    "waiting": Look("○", "Not begun", "not begun"),
    "running": Look("▸", "Running", "running"),
    "copied": Look("◐", "Copied", "copied"),
    "completed": Look("✓", "Moved", "moved"),
}
"""In the order in which a reader wants them: what needs attention first."""


_STATES = {
    IDLE: "waiting",
    COPYING: "running",
    COPIED: "copied",
    COMPLETING: "running",
    COMPLETED: "completed",
    CANCELLING: "running",
    CANCELLED: "cancelled",
    FAILED: "failed",
    STUCK: "failed",
}


VERBS = {COPYING: "Copying", COMPLETING: "Cutting over", CANCELLING: "Being cancelled"}


_TITLES = {"rebalance": "Rebalance", "consolidate": "Consolidation", "relocate": "Relocation"}


FORESEEN = ("plan", "status")
"""Phases that move nothing: what pools hold afterwards is what is planned."""


def state_of(record: Entry) -> str:
    """Return the state of a record, a key of LOOKS."""
    if record.get("error"):
        return "failed"
    return _STATES.get(str(record.get("phase")), "waiting")


class Moments(NamedTuple):
    """When a migration did what, seconds since the epoch; None is not known."""

    started: float | None
    copied: float | None
    cutover: float | None
    completed: float | None

    @classmethod
    def of(cls, record: Entry) -> Moments:
        """Those of a record."""
        names = ("started_at", "copied_at", "cutover_at", "completed_at")
        return cls(*(when(record.get(name)) for name in names))

    def known(self) -> list[float]:
        """Those that are known, in order."""
        return [one for one in self if one is not None]


def when(text: Any) -> float | None:
    return epoch(str(text).rstrip("Z")) if text else None


def moments_of(report: Entry) -> list[float]:
    """Return all known times of migrations, now too while something runs."""
    migrations = list_entries(report, "migrations")
    known = [one for record in migrations for one in Moments.of(record).known()]
    now = when(report.get("written_at"))
    if now is not None and any(state_of(one) == "running" for one in migrations):
        known.append(now)
    return known


def clock(seconds: float, form: str = "%Y-%m-%d %H:%M") -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime(form)


def title_of(report: Entry) -> str:
    """Return what the report is about, in a few words."""
    objective = str(report.get("objective") or "evacuate")
    source = report.get("source")
    if objective == "evacuate":
        return f"Evacuation of {source or 'an unnamed back end'}"
    return _TITLES.get(objective, objective.capitalize()) + (f" of {source}" if source else "")


VERDICTS = {"good": "✓", "open": "◐", "bad": "✕"}


def verdict(report: Entry) -> tuple[str, str]:
    """Return how the run stands in one sentence, and whether that is ``good``, ``open`` or ``bad``."""
    counts, phase = tally(report), report.get("phase")
    total = sum(counts.values())
    bad = [
        f"{counts['failed']} failed" if counts["failed"] else "",
        f"{len(list_entries(report, 'unplaced'))} can't move"
        if list_entries(report, "unplaced")
        else "",
    ]
    troubles = " and ".join(filter(None, bad))
    if phase == "plan":
        plan = f"{many(total, 'migration')} planned" if total else "Nothing has to be moved"
        return ("bad" if troubles else "good"), f"{plan}{f'; {troubles}' if troubles else ''}."
    if not total and not troubles:
        return (
            ("bad", "The run failed.")
            if report.get("error")
            else ("good", "There was nothing to move.")
        )
    done = _enumerate(
        f"{counts[state]} {LOOKS[state].many}"
        for state in reversed(LOOKS)
        if counts[state] and state != "failed"
    )
    if troubles:
        return "bad", f"{troubles.capitalize()}{f'; {done}' if done else ''}."
    if report.get("error"):
        return "bad", f"Not finished: {done}."
    if counts["completed"] == total:
        return "good", f"{many(total, 'migration')} done: everything is at its new place."
    if phase == "copy" and counts["copied"] + counts["completed"] == total:
        return "good", f"Everything is copied ({done}); clients have not been moved yet."
    if phase == "cancel" and counts["cancelled"] == total:
        return "good", "Everything is cancelled; all shares are where they were."
    return "open", f"{done[:1].upper()}{done[1:]}."


def _enumerate(parts: Iterable[str]) -> str:
    known = list(parts)
    return " and ".join(filter(None, [", ".join(known[:-1]), *known[-1:]]))


def tally(report: Entry) -> dict[str, int]:
    """Count the migrations in each state."""
    counts = dict.fromkeys(LOOKS, 0)
    for one in list_entries(report, "migrations"):
        counts[state_of(one)] += 1
    return counts


def next_steps(report: Entry) -> list[str]:
    """Return what the reader has to do now, most urgent first."""
    phase, counts, steps = report.get("phase"), tally(report), []
    if counts["failed"]:
        steps.append(
            "Look at what failed, below. When the cause is gone, run the same phase again: it goes on where things "
            "are. The module migration_repair says what is wrong with a migration that came to a halt."
        )
    if list_entries(report, "unplaced"):
        steps.append(
            "Decide on what can't move: take the reasons away, or exclude it by name (evacuate_exclude)."
        )
    if phase == "plan":
        steps.append(
            "Copy, with phase copy. It does not move clients; a copy by the Data Service lets them only read."
        )
    elif phase == "cancel":
        if counts["running"] or counts["copied"]:
            steps.append("Run phase cancel again, until nothing migrates any more.")
    elif phase is not None:
        if counts["copied"]:
            steps.append(
                f"Agree with the clients on a time, and cut over the {many(counts['copied'], 'copied migration')}, "
                "with phase cutover. Clients are disconnected then."
            )
        if counts["waiting"] or counts["running"]:
            steps.append("Copy what is left, with phase copy: what runs is taken over.")
    if counts["completed"]:
        steps.append(
            "Have clients mount the new exports of what was moved. They are in the table below, in exports.csv, and in "
            "client_mounts.json for the role client_mounts."
        )
    return steps


class Bar(NamedTuple):
    """A part of a migration on the timeline, in seconds since the epoch."""

    what: str
    begin: float
    end: float


def bars_of(record: Entry, now: float | None) -> list[Bar]:
    """Return the bars of a migration, in order.  ``now`` ends what is not over; None: unknown.

    ``copy``, ``wait`` (for the cutover), ``cutover`` (clients are disconnected), and ``late``
    where a cutover is somewhere in it, but nobody knows since when.
    """
    started, copied, cutover, completed = Moments.of(record)
    running = state_of(record) in ("running", "copied")
    # How long a failed copy went on isn't known.
    end = completed if completed is not None else (now if running else None)
    bars = []
    if started is not None:
        bars.append(Bar("copy", started, _first(copied, cutover, end, started)))
    if copied is not None and cutover is not None:
        bars.append(Bar("wait", copied, cutover))
    elif copied is not None and end is not None:
        bars.append(Bar("wait" if completed is None else "late", copied, end))
    if cutover is not None:
        bars.append(Bar("cutover", cutover, _first(end, cutover)))
    return [one._replace(end=max(one.begin, one.end)) for one in bars]


def _first(*moments: float | None) -> float:
    return next(one for one in moments if one is not None)


BARS = {
    "copy": "copied",
    "wait": "waited",
    "cutover": "cut over",
    "late": "waited, then cut over",
}


LEGEND = (
    ("copy", "Copying, clients go on"),
    ("copy read", "Copying, clients can only read"),
    ("wait", "Copied, waiting for the cutover"),
    ("cutover", "Cutover, clients disconnected"),
    ("late", "Waiting and cutover, not known when it began"),
)


class Axis(NamedTuple):
    """A stretch of time as percent of a width."""

    begin: float
    end: float

    def at(self, moment: float) -> float:
        """Where a moment is, in percent."""
        return 100 * (moment - self.begin) / (self.end - self.begin)

    def ticks(self) -> list[tuple[float, str]]:
        """At most six round moments, with their texts."""
        length = self.end - self.begin
        step = next(
            (one for one in _STEPS if length / one <= 6),
            _STEPS[-1] * (1 + length // (6 * _STEPS[-1])),
        )
        form = "%H:%M:%S" if step < 60 else "%H:%M"
        if length >= _DAY:
            form = "%b %d" if step >= _DAY else "%b %d %H:%M"
        first = -(-self.begin // step) * step
        return [
            (first + number * step, clock(first + number * step, form))
            for number in range(int((self.end - first) // step) + 1)
        ]


_DAY = 86400


_STEPS = (
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200,
    _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY,
)  # fmt: skip


def list_entries(entry: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list under ``key``, empty where there is none."""
    return entry.get(key) or []


def count_kinds(migrations: Sequence[Entry], shares: int) -> str:
    """Return how many ``shares``, share servers and replicas the migrations move, in words."""
    servers = sum(one.get("kind") == SHARE_SERVER for one in migrations)
    replicas = sum(one.get("kind") == SHARE_REPLICA for one in migrations)
    parts = [many(shares, "share")]
    parts += [f"{many(servers, 'share server')}"] if servers else []
    parts += [f"{many(replicas, 'replica')}"] if replicas else []
    return ", ".join(parts)


def count_warnings(report: Entry) -> list[dict[str, Any]]:
    """Return the warnings of single migrations, each once, with the number of its migrations."""
    counts: dict[tuple[str, str], int] = {}
    for one in list_entries(report, "migrations"):
        for warning in list_entries(one, "warnings"):
            key = (str(warning.get("code", "")), str(warning.get("message", "")))
            counts[key] = counts.get(key, 0) + 1
    return [
        {"code": code, "message": f"{many(count, 'migration')}: {message}"}
        for (code, message), count in counts.items()
    ]


def format_name(entry: Entry) -> str:
    """Return the label of an entry, or else its kind, name and ID."""
    return str(entry.get("label") or called({"kind": "", "name": "", "id": "?", **entry}))


def format_size(entry: Entry) -> str:
    """Return ``12,400 GiB``, empty where the size is not known."""
    size = entry.get("size_gb")
    return f"{format_amount(size)} GiB" if isinstance(size, (int, float)) else ""


def format_amount(value: float) -> str:
    """Return a number with separators: ``12,400``; below 10 with its decimals."""
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def number_or_zero(value: Any) -> float:
    """Return a number as it is, 0 for anything else."""
    return value if isinstance(value, (int, float)) else 0


def format_state(record: Entry) -> str:
    """Return the state in a word or two, with the percentage while it copies."""
    state, phase, progress = state_of(record), str(record.get("phase")), record.get("progress")
    if state != "running":
        return LOOKS[state].word
    return VERBS.get(phase, phase) + (
        f" {progress} %" if phase == COPYING and progress is not None else ""
    )


def format_span(begin: float, end: float) -> str:
    """Return ``2026-11-22 10:00:05 to 10:12:00 UTC (12 min)``."""
    form = "%H:%M:%S" if clock(begin)[:10] == clock(end)[:10] else "%Y-%m-%d %H:%M:%S"
    return (
        f"{clock(begin, '%Y-%m-%d %H:%M:%S')} to {clock(end, form)} UTC ({duration(end - begin)})"
    )


def format_seconds(seconds: float) -> str:
    """Return a duration in words, empty for less than 0."""
    return "" if seconds < 0 else duration(seconds)


def seconds_between(begin: float | None, end: float | None) -> float:
    """Return the seconds between two moments, -1 where one is not known: these sort first or last."""
    return -1 if begin is None or end is None else max(0.0, end - begin)
