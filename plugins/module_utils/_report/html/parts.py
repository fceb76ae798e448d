# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render what several sections have: a section, a table, reasons, names, routes."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_REPLICA
from ansible_collections.manila.migration.plugins.module_utils._report.html.markup import (
    LINE_BREAK,
    Child,
    Markup,
    tag,
)
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    Entry,
    format_name,
)


def render_section(id_: str, heading: str, *children: Child) -> Markup:
    """Render a section with its heading, whose ID is ``id_``."""
    return tag("section", tag("h2", heading, id=id_), *children, aria_labelledby=id_)


def render_table(caption: str, heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    """Render a table; the caption is for screen readers only."""
    columns = [tag("th", text, scope="col") for text in heads]
    return tag(
        "table",
        tag("caption", caption, class_="hidden"),
        tag("thead", tag("tr", columns)),
        tag("tbody", rows),
        class_="plain",
    )


def render_reasons(reasons: Sequence[Entry]) -> Markup:
    """Render reasons as a list: message, then code."""
    items = [
        tag("li", one.get("message") or "", " ", tag("code", one.get("code") or "", class_="code"))
        for one in reasons
    ]
    return tag("ul", items, class_="reasons")


def render_name_cell(entry: Entry, *, why: bool = False) -> Markup:
    """Render a name and what helps to find it; with ``why``, its error or what it waits for."""
    name, id_, project = format_name(entry), str(entry.get("id") or ""), entry.get("project_id")
    notes: list[Child] = [] if id_ in name else [tag("span", tag("bdi", id_), class_="id")]
    if project:
        notes.append(tag("span", "project ", tag("bdi", project), class_="id"))
    if (entry.get("options") or {}).get("new_share_type_id"):
        notes.append(tag("span", "gets a new share type", class_="id"))
    if entry.get("kind") == SHARE_REPLICA:
        notes.append(tag("span", "by a new replica", class_="id"))
    error, waiting = entry.get("error"), (entry.get("waiting_for") or {}).get("message")
    if why and (error or waiting):
        notes.append(tag("span", error or waiting, class_="why s-failed" if error else "why"))
    lines = [[note, LINE_BREAK] for note in notes]
    return tag("th", tag("bdi", name, class_="name"), LINE_BREAK, lines, scope="row")


def render_route(entry: Entry) -> Child:
    """Render from which pool to which, a line each."""
    source, destination = entry.get("source"), entry.get("destination")
    return [
        tag("bdi", source or "?", class_="pool"),
        LINE_BREAK,
        tag("bdi", destination or "?", class_="pool to"),
    ]
