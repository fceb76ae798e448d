# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render every migration: filter and order, timeline, table of old and new exports."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    HOST,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import many
from ansible_collections.manila.migration.plugins.module_utils._report.html.markup import (
    LINE_BREAK,
    Child,
    Markup,
    tag,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.parts import (
    render_name_cell,
    render_route,
    render_section,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.timeline import (
    render_timeline,
)
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    LOOKS,
    Entry,
    Moments,
    format_seconds,
    format_size,
    format_state,
    list_entries,
    number_or_zero,
    seconds_between,
    state_of,
    tally,
)

_COLUMNS = ("State", "Share", "Size", "From and to", "Copying", "Cutover", "Exports, old and new")


_SORTABLE = range(6)


def render_migrations(report: Entry) -> Markup | None:
    """Render all migrations, with what filters and orders them; None where there are none."""
    migrations = list_entries(report, "migrations")
    if not migrations:
        return None
    counts = tally(report)
    chips = [
        tag("button", f"All {len(migrations)}", type="button", data_state="", aria_pressed="true")
    ]
    chips += [
        tag(
            "button",
            f"{look.sign} {look.word} {counts[state]}",
            type="button",
            data_state=state,
            aria_pressed="false",
        )
        for state, look in LOOKS.items()
        if counts[state]
    ]
    order = [
        tag("option", text, value=str(index))
        for index, text in enumerate(_COLUMNS)
        if index in _SORTABLE
    ]
    tools = tag(
        "div",
        tag(
            "label",
            "Filter",
            tag(
                "input",
                type="search",
                id="filter",
                placeholder="name, ID, project, pool, export …",
                autocomplete="off",
                spellcheck="false",
            ),
            class_="search",
        ),
        tag("div", chips, class_="chips", role="group", aria_label="State"),
        tag("label", "Sort by", tag("select", order, id="order"), class_="order"),
        tag("output", many(len(migrations), "migration"), id="shown", aria_live="polite"),
        class_="tools",
        id="tools",
        hidden=True,
    )
    return render_section(
        "migrations-title",
        "Every migration",
        tools,
        render_timeline(report, migrations),
        _listing(migrations),
    )


def _listing(migrations: Sequence[Entry]) -> Markup:
    heads = [
        tag(
            "th",
            tag("button", text, type="button", data_column=index) if index in _SORTABLE else text,
            scope="col",
        )
        for index, text in enumerate(_COLUMNS)
    ]
    caption = tag("caption", "Every migration, with the old and the new exports", class_="hidden")
    return tag(
        "table",
        caption,
        tag("thead", tag("tr", heads)),
        [_body(one) for one in migrations],
        id="migrations",
    )


def _body(record: Entry) -> Markup:
    """Render one migration as a table body, so that a share server and its shares stay together."""
    state = state_of(record)
    look = LOOKS[state]
    moments = Moments.of(record)
    copying = seconds_between(moments.started, moments.copied)
    cutover = seconds_between(moments.cutover, moments.completed)
    shown = tag("span", look.sign, aria_hidden="true"), " ", format_state(record)
    read_only = tag("span", "read only", class_="id") if record.get("mechanism") == HOST else None
    server = record.get("kind") == SHARE_SERVER
    row = tag(
        "tr",
        _cell(0, tag("span", shown, class_=f"state s-{state}"), value=list(LOOKS).index(state)),
        render_name_cell(record, why=True),
        _cell(2, format_size(record), value=number_or_zero(record.get("size_gb")), class_="num"),
        _cell(3, render_route(record)),
        _cell(4, format_seconds(copying), read_only, value=copying, class_="num"),
        _cell(5, format_seconds(cutover), value=cutover, class_="num"),
        tag("td") if server else _exports(record),
    )
    members = [
        tag(
            "tr",
            tag("td"),
            render_name_cell(one),
            _cell(2, format_size(one), class_="num"),
            [tag("td")] * 3,
            _exports(one),
            class_="member",
        )
        for one in (list_entries(record, "shares") if server else ())
    ]
    return tag("tbody", row, members, data_state=state)


def _cell(
    column: int, *children: Child, value: float | None = None, class_: str | None = None
) -> Markup:
    sorted_by = None if value is None else f"{value:.0f}"
    label = _COLUMNS[column]
    return tag("td", *children, LINE_BREAK, data_label=label, data_value=sorted_by, class_=class_)


def _exports(entry: Entry) -> Markup:
    """Render the old and the new exports, a line each."""
    lines = [
        tag(
            "span",
            tag("span", when, class_="when"),
            " ",
            tag("code", path),
            LINE_BREAK,
            class_=when,
        )
        for when, key in (("old", "export_locations_before"), ("new", "export_locations_after"))
        for path in list_entries(entry, key)
    ]
    return tag("td", lines, class_="exports")
