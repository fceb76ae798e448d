# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render when each migration did what, as strips on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import HOST
from ansible_collections.manila.migration.plugins.module_utils._report.html.markup import (
    Child,
    Markup,
    tag,
)
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    BARS,
    LEGEND,
    LOOKS,
    Axis,
    Bar,
    Entry,
    bars_of,
    format_name,
    format_span,
    format_state,
    state_of,
    when,
)


def render_timeline(report: Entry, migrations: Sequence[Entry]) -> Markup | None:
    """Render one strip for each migration that has begun; None where none has."""
    now = when(report.get("written_at"))
    ways = [(index, one, bars_of(one, now)) for index, one in enumerate(migrations)]
    ways = [one for one in ways if one[2]]
    if not ways:
        return None
    ways.sort(key=lambda way: (way[2][0].begin, way[0]))
    begin = min(bars[0].begin for _index, _record, bars in ways)
    end = max(strip.end for _index, _record, bars in ways for strip in bars)
    axis = Axis(begin, max(end, begin + 1))
    classes = {_class(strip, one) for _index, one, bars in ways for strip in bars}
    legend = [
        tag("li", tag("i", class_=f"swatch b {class_}", aria_hidden="true"), text)
        for class_, text in LEGEND
        if class_ in classes or (class_ == "wait" and "wait read" in classes)
    ]
    ticks = [
        tag("span", text, style=f"left:{axis.at(moment):.2f}%") for moment, text in axis.ticks()
    ]
    rows = [_way(index, one, bars, axis) for index, one, bars in ways]
    return tag(
        "div",
        tag("h3", "When it happened", id="timeline-title"),
        tag("ul", legend, class_="key"),
        tag(
            "div",
            tag(
                "div",
                tag("span", "UTC", class_="who"),
                tag("div", ticks, class_="lane"),
                class_="axis",
                aria_hidden="true",
            ),
            tag("ol", rows),
            id="timeline",
            tabindex="0",
            role="region",
            aria_labelledby="timeline-title",
        ),
        class_="timeline",
    )


def _class(strip: Bar, record: Entry) -> str:
    """Return the CSS class of a bar, with ``read`` where clients can only read.

    The Data Service copies only a share that nobody writes to.
    """
    return (
        f"{strip.what} read"
        if record.get("mechanism") == HOST and strip.what in ("copy", "wait")
        else strip.what
    )


def _way(index: int, record: Entry, bars: Sequence[Bar], axis: Axis) -> Markup:
    """Render the strip of one migration, with its bars as text, too."""
    parts: list[Child] = []
    said = []
    for strip in bars:
        left, right = axis.at(strip.begin), axis.at(strip.end)
        parts.append(
            tag(
                "i",
                class_=f"b {_class(strip, record)}",
                style=f"left:{left:.2f}%;width:{right - left:.2f}%",
            )
        )
        said.append(f"{BARS[strip.what]} {format_span(strip.begin, strip.end)}")
    state = state_of(record)
    if state in ("failed", "cancelled"):
        parts.append(
            tag(
                "i",
                LOOKS[state].sign,
                class_=f"end s-{state}",
                style=f"left:{axis.at(bars[-1].end):.2f}%",
            )
        )
    said.append(format_state(record))
    text = "; ".join(said)
    return tag(
        "li",
        tag("span", tag("bdi", format_name(record)), class_="who", title=format_name(record)),
        tag("span", parts, class_="lane", title=text, role="img", aria_label=text),
        data_row=index,
    )
