# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of benchmarks: each part of it stands between two marks, and is written by its program."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def machine() -> str:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} processors, {memory:.0f} GiB, {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown; all columns but the first are figures."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def spread(values: Sequence[float], form: str = "{:.0f}") -> str:
    """The median, and from where to where."""
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return middle if low == high else f"{middle} ({low} to {high})"


def write(section: str, lines: Sequence[str]) -> None:
    """Put the lines into their place, in PAGE or where MANILA_BENCH_PAGE says, and print them."""
    page = Path(os.environ.get("MANILA_BENCH_PAGE") or PAGE)
    text = page.read_text(encoding="utf-8")
    mark = f"<!-- {section} -->"
    pattern = re.compile(rf"{mark}\n.*?<!-- end -->", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{page.name} has no place for {mark}")
    body = "\n".join([mark, f"Measured on {machine()}.", "", *lines, "<!-- end -->"])
    page.write_text(pattern.sub(lambda _match: body, text, count=1), encoding="utf-8")
    print(body, flush=True)
