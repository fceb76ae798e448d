# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render what failed, what can't move, and what remains."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._report.html.markup import (
    Markup,
    tag,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.parts import (
    render_name_cell,
    render_reasons,
    render_route,
    render_section,
    render_table,
)
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    FORESEEN,
    Entry,
    format_name,
    format_size,
    format_state,
    list_entries,
    state_of,
)


def render_failures(report: Entry) -> Markup | None:
    """Render the failed migrations, or else why the run failed; None where neither did."""
    failed = [one for one in list_entries(report, "migrations") if state_of(one) == "failed"]
    rows = [
        tag(
            "tr",
            render_name_cell(one),
            tag("td", render_route(one)),
            tag("td", one.get("error") or format_state(one)),
        )
        for one in failed
    ]
    if not rows:
        error = report.get("error")
        return (
            render_section("failed", "Why the run failed", tag("p", str(error)))
            if error and not list_entries(report, "unplaced")
            else None
        )
    return render_section(
        "failed",
        "What failed, and why",
        render_table("Failed migrations", ("Share", "From and to", "Why"), rows),
    )


def render_unplaced(report: Entry) -> Markup | None:
    """Render what can't move, with the reasons; None where everything can."""
    rows = [
        tag(
            "tr",
            render_name_cell(one),
            tag("td", format_size(one), class_="num"),
            tag("td", render_reasons(list_entries(one, "reasons"))),
        )
        for one in list_entries(report, "unplaced")
    ]
    if not rows:
        return None
    return render_section(
        "unplaced",
        "What can't move, and why",
        render_table("What can't move", ("Share", "Size", "Why"), rows),
    )


def render_remaining(report: Entry) -> Markup | None:
    """Render what is still at the source after a run; None in phases that move nothing."""
    left = list_entries(report, "remaining")
    if not left or report.get("phase") in FORESEEN:
        return None
    where = (
        f"At {report['source']}"
        if report.get("source") and report.get("objective") == "evacuate"
        else "Not done"
    )
    names = tag(
        "ul",
        [
            tag(
                "li",
                tag("bdi", format_name(one)),
                f" ({format_size(one)})" if format_size(one) else None,
            )
            for one in left
        ],
        class_="names",
    )
    return render_section(
        "remaining",
        "What remains",
        tag("details", tag("summary", f"{where}: {len(left)}"), names, open=len(left) <= 12),
    )
