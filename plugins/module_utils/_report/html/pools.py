# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render how full the pools are, before and after."""

from __future__ import annotations

from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.wording import many
from ansible_collections.manila.migration.plugins.module_utils._report.html.markup import (
    Markup,
    tag,
)
from ansible_collections.manila.migration.plugins.module_utils._report.html.parts import (
    render_section,
)
from ansible_collections.manila.migration.plugins.module_utils._report.text import gib
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    FORESEEN,
    Entry,
    format_amount,
    list_entries,
)


def render_pools(report: Entry) -> Markup | None:
    """Render the pools that change, and folded the others; None where no pool is known."""
    pools = report.get("pools") or {}
    before = {str(one.get("name")): one for one in list_entries(pools, "before")}
    after = {str(one.get("name")): one for one in list_entries(pools, "after")}
    foreseen = report.get("phase") in FORESEEN
    changed: list[Markup] = []
    same: list[Markup] = []
    for name in sorted({**before, **after}):
        one, then = before.get(name, {}), after.get(name, {})
        now = then.get("used_percent_after" if foreseen else "used_percent_before")
        old = one.get("used_percent_before")
        coming = then.get("used_percent_after")
        moved = old != now or coming != old
        (changed if moved else same).append(
            _pool(name, then or one, old, now, None if foreseen else coming, foreseen)
        )
    if not changed and not same:
        return None
    others = (
        tag(
            "details",
            tag("summary", f"{many(len(same), 'pool')} unchanged"),
            tag("ul", same, class_="pools"),
        )
        if same
        else None
    )
    key = tag(
        "p",
        tag("i", class_="swatch before", aria_hidden="true"),
        "before ",
        tag("i", class_="swatch after", aria_hidden="true"),
        "planned" if foreseen else "now",
        class_="key",
    )
    return render_section(
        "pools", "Pools before and after", key, tag("ul", changed, class_="pools"), others
    )


def _pool(name: str, pool: Entry, old: Any, now: Any, coming: Any, foreseen: bool) -> Markup:
    """Render one pool; ``old``, ``now`` and ``coming`` are percent used, None where not known."""
    total = pool.get("total_gb")
    planned = f"planned {coming:.0f} %" if coming not in (None, now) else ""
    return tag(
        "li",
        tag(
            "div",
            tag("bdi", name),
            tag(
                "span",
                f"{format_amount(total)} GiB"
                if isinstance(total, (int, float))
                else f"capacity {gib(total)}",
                class_="soft",
            ),
            class_="who",
        ),
        tag(
            "div",
            _fill("before", "before", old),
            _fill("after", "planned" if foreseen else "now", now),
            tag("span", planned, class_="soft") if planned else None,
            class_="bars",
        ),
    )


def _fill(class_: str, when: str, percent: Any) -> Markup:
    """Render one bar; ``percent`` may be outside of 0 to 100, or no number."""
    if not isinstance(percent, (int, float)):
        return tag("div", tag("span", f"{when}: not known", class_="soft"), class_="fill")
    width = max(0.0, min(100.0, float(percent)))
    strip = tag(
        "i",
        tag("i", class_=class_, style=f"width:{width:.1f}%"),
        class_="track",
        aria_hidden="true",
    )
    return tag(
        "div",
        strip,
        tag("span", tag("span", f"{when} ", class_="hidden"), f"{percent:.0f} %", class_="num"),
        class_="fill",
    )
