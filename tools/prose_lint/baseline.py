# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many findings are left from before there was a linter; the numbers only fall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.manila.migration.tools.prose_lint.rules import Finding


def entry_of(path: str, baseline: dict[str, int]) -> str:
    """Find the entry of the baseline for a file: its own, that of a folder above, or a new one."""
    candidates = [path, *(str(parent) for parent in Path(path).parents)]
    return next((name for name in candidates if name in baseline), path)


def grown(findings: Iterable[Finding], baseline: dict[str, int]) -> set[str]:
    """List the entries with more findings than the baseline allows."""
    counts = Counter(entry_of(finding.path, baseline) for finding in findings)
    return {name for name, count in counts.items() if count > baseline.get(name, 0)}


def shrunk(findings: Iterable[Finding], baseline: dict[str, int]) -> dict[str, int]:
    """Lower the baseline to what is there; it raises nothing, and drops what is clean."""
    counts = Counter(entry_of(finding.path, baseline) for finding in findings)
    lower = {name: min(count, counts[name]) for name, count in baseline.items()}
    return {name: count for name, count in lower.items() if count}
