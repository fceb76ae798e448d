# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the numbers of the whole run, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._report.html.markup import (
    Markup,
    tag,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.parts import (
    render_section,
)
from ansible_collections.manila.migration.plugins.module_utils._report.text import (
    duration,
    gib,
)
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    LOOKS,
    Entry,
    Moments,
    count_kinds,
    format_amount,
    list_entries,
    moments_of,
    next_steps,
    number_or_zero,
    seconds_between,
    state_of,
    tally,
)


def render_summary(report: Entry) -> Markup:
    """Render counts, data, failures and times as tiles, and one strip of all migrations."""
    migrations = list_entries(report, "migrations")
    counts = tally(report)
    planned = report.get("phase") == "plan"
    total = len(migrations)
    size = sum(number_or_zero(one.get("size_gb")) for one in migrations)
    done = sum(
        number_or_zero(one.get("size_gb"))
        for one in migrations
        if state_of(one) in ("copied", "completed")
    )
    shares = sum(
        len(list_entries(one, "shares")) if one.get("kind") == SHARE_SERVER else 1
        for one in migrations
    )
    tiles = [
        _tile(
            "To move" if planned else "Moved",
            str(total) if planned else f"{counts['completed']} of {total}",
            count_kinds(migrations, shares),
        ),
        _tile(
            "Data" if planned else "Data copied",
            f"{format_amount(size)} GiB"
            if planned
            else f"{format_amount(done)} of {format_amount(size)} GiB",
            "",
        ),
    ]
    tiles += [_tile("Failed", str(counts["failed"]), "", bad=True)] if counts["failed"] else []
    unplaced = list_entries(report, "unplaced")
    stays = "stays where it is" if len(unplaced) == 1 else "stay where they are"
    tiles += [_tile("Can't move", str(len(unplaced)), stays, bad=True)] if unplaced else []
    tiles += _times(report, migrations, done)
    return render_section("summary", "Summary", tag("dl", tiles, class_="tiles"), _outcome(counts))


def _times(report: Entry, migrations: Sequence[Entry], done: float) -> list[Markup]:
    """Render duration, rate and typical cutover, each where it is known.  ``done`` is in GiB."""
    moments = [Moments.of(one) for one in migrations]
    known = moments_of(report)
    copied = [one for one in moments if one.copied is not None and one.started is not None]
    tiles = []
    if known and max(known) > min(known):
        # From the first start to the last copy: a wait for the night is no slow copy.
        seconds = seconds_between(
            min((one.started or 0 for one in copied), default=None),
            max((one.copied or 0 for one in copied), default=None),
        )
        note = (
            f"copying {1024 * done / seconds:,.0f} MiB/s together" if done and seconds > 0 else ""
        )
        tiles.append(_tile("Duration", duration(max(known) - min(known)), note))
    if report.get("rate"):
        tiles.append(_tile("Rate", f"{gib(report['rate'])} MiB/s", "of a single migration"))
    cutovers = [seconds_between(one.cutover, one.completed) for one in moments]
    cutovers = [one for one in cutovers if one >= 0]
    if cutovers:
        tiles.append(
            _tile(
                "Cutover",
                duration(median(cutovers)),
                f"typical; the longest {duration(max(cutovers))}",
            )
        )
    return tiles


def _tile(name: str, value: str, note: str, *, bad: bool = False) -> Markup:
    said = [tag("dd", value, class_="value"), tag("dd", note, class_="note") if note else None]
    return tag("div", tag("dt", name), said, class_="tile bad" if bad else "tile")


def _outcome(counts: Mapping[str, int]) -> Markup | None:
    """Render one strip of all migrations, its parts labelled beneath; None without migrations."""
    total = sum(counts.values())
    if not total:
        return None
    there = [(state, count) for state, count in counts.items() if count][::-1]
    strip = [tag("i", class_=f"p-{state}", style=f"flex-grow:{count}") for state, count in there]
    key = [
        tag(
            "li",
            tag("i", class_=f"swatch p-{state}", aria_hidden="true"),
            f"{LOOKS[state].sign} {count} {LOOKS[state].many}",
        )
        for state, count in there
    ]
    return tag(
        "div", tag("div", strip, class_="stack", aria_hidden="true"), tag("ul", key, class_="key")
    )


def render_next_steps(report: Entry) -> Markup | None:
    """Render what the reader has to do now; None where that is nothing."""
    steps = next_steps(report)
    return (
        render_section("next", "What to do next", tag("ol", [tag("li", one) for one in steps]))
        if steps
        else None
    )
