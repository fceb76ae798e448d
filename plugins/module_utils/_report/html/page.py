# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the report as one page: for customers and managers, on paper, on a phone, in a mail.

The page sends no request, and its policy allows none: only the one script that is in it may run.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode

from ansible_collections.manila.migration.plugins.module_utils._report.html.assets import (
    SCRIPT,
    STYLE,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.markup import (
    Child,
    Markup,
    document,
    tag,
    verbatim,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.migrations import (
    render_migrations,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.parts import (
    render_reasons,
    render_section,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.pools import (
    render_pools,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.summary import (
    render_next_steps,
    render_summary,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.tables import (
    render_failures,
    render_remaining,
    render_unplaced,
)
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    VERDICTS,
    Entry,
    clock,
    count_warnings,
    format_name,
    format_span,
    list_entries,
    moments_of,
    title_of,
    verdict,
    when,
)


def page(report: Entry) -> str:
    """Return the whole page.  A section whose data the report does not have is left out."""
    digest = b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = title_of(report)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        verbatim("style", STYLE),
    )
    body = tag(
        "body",
        _header(report, title),
        tag(
            "main",
            render_summary(report),
            render_next_steps(report),
            render_failures(report),
            render_unplaced(report),
            render_remaining(report),
            render_pools(report),
            render_migrations(report),
            _notes(report),
        ),
        _footer(report),
        verbatim("script", SCRIPT),
    )
    return document(head, body)


def _header(report: Entry, title: str) -> Markup:
    phase = str(report.get("phase") or "")
    written = when(report.get("written_at"))
    moments = moments_of(report)
    facts: list[Child] = [tag("span", "Phase ", tag("b", phase))] if phase else []
    if moments:
        facts.append(tag("span", format_span(min(moments), max(moments))))
    if written is not None:
        facts.append(tag("span", f"Written {clock(written)} UTC"))
    kind, sentence = verdict(report)
    return tag(
        "header",
        tag("p", "OpenStack Manila", class_="over"),
        tag("h1", tag("bdi", title)),
        tag("p", facts, class_="facts"),
        tag(
            "p",
            tag("span", VERDICTS[kind], aria_hidden="true"),
            " ",
            sentence,
            class_=f"verdict {kind}",
        ),
    )


def _notes(report: Entry) -> Markup | None:
    """Render the warnings of the plan, the differences from the plan file, and what is excluded."""
    parts: list[Child] = []
    for heading, reasons in (
        ("Warnings", [*list_entries(report, "warnings"), *count_warnings(report)]),
        ("Different from the plan file", list_entries(report, "differences")),
    ):
        parts += [tag("h3", heading), render_reasons(reasons)] if reasons else []
    excluded = list_entries(report, "excluded")
    if excluded:
        names = [tag("li", tag("bdi", format_name(one))) for one in excluded]
        parts += [tag("h3", "Left out as asked"), tag("ul", names, class_="names")]
    return render_section("notes", "To know", parts) if parts else None


def _footer(report: Entry) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            "All times are UTC. This file needs no network. Beside it: report.json with all that is shown here, "
            "exports.csv with old and new exports, client_mounts.json for the role client_mounts.",
        ),
        tag("p", f"manila.migration, report version {report.get('version', '?')}"),
    )
