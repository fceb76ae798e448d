# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint the prose of the repository; `tools/prose` calls this and says how."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import yaml

from ansible_collections.manila.migration.tools.prose_lint import extract, rules
from ansible_collections.manila.migration.tools.prose_lint.baseline import entry_of, grown, shrunk

GLOSSARY_PAGE = "docs/concepts.md"
_GLOSSARY = re.compile(r"(<!-- words: [^>]*-->\n\n).*?(\n<!-- end of words -->)", re.DOTALL)
_HEADER = """\
# How many findings files and folders still have; `tools/prose --shrink` lowers the numbers, and
# nothing may raise one.  A folder's number is that of all files below it that have none of their
# own, for files to be divided and renamed without a change here.
"""


def with_glossary(page: str) -> str:
    """Put the table of terms between the marks of a page."""
    return _GLOSSARY.sub(lambda match: f"{match[1]}{rules.glossary()}{match[2]}", page, count=1)


def _print(findings: list[rules.Finding]) -> None:
    print("".join(f"{finding}\n" for finding in findings), end="")


def main(arguments: list[str]) -> int:
    """Judge all files against the baseline, or the named ones without it."""
    parser = argparse.ArgumentParser(prog="tools/prose", add_help=False)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--glossary", action="store_true")
    parser.add_argument("paths", nargs="*")
    options = parser.parse_args(arguments)
    baseline_file = options.root / "tools" / "prose_lint" / "baseline.yml"
    baseline: dict[str, int] = yaml.safe_load(baseline_file.read_text(encoding="utf-8")) or {}

    page = options.root / GLOSSARY_PAGE
    text = page.read_text(encoding="utf-8")
    if options.glossary:
        page.write_text(with_glossary(text), encoding="utf-8")
        return 0

    findings = list(rules.judge(extract.passages(options.root)))
    if options.shrink:
        entries = yaml.safe_dump(shrunk(findings, baseline))
        baseline_file.write_text(f"{_HEADER}---\n{entries}", encoding="utf-8")
        return 0
    if options.paths:
        named = [finding for finding in findings if finding.path.startswith(tuple(options.paths))]
        _print(named)
        return bool(named)
    over = grown(findings, baseline)
    for name in sorted(over):
        here = [finding for finding in findings if entry_of(finding.path, baseline) == name]
        _print(here)
        print(f"{name}: {len(here)} findings, at most {baseline.get(name, 0)} (baseline.yml)")
    if with_glossary(text) != text:
        print(f"{GLOSSARY_PAGE}: its words are not those of terms.yml: run tools/prose --glossary")
        return 1
    return bool(over)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
