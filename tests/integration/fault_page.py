# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page docs/faults.md: a row for each test with the marker ``fault``, and what became of it.

The plugin is always there, so that a test can compare the page with the tests; it writes the page
where MANILA_MIGRATION_FAULTS_PAGE names it.  A run of a part keeps the rows of the others.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

_BEGIN, _END = "<!-- faults -->", "<!-- end -->"

Rows = dict[str, dict[tuple[str, str], str]]
"""By the title of the file of the test, fault and expectation, and the result."""


class FaultPage:
    """Collects the tests of faults and their results."""

    def __init__(self) -> None:
        self.known: Rows = {}
        self._results: Rows = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note which there are, before some are deselected."""
        for item in items:
            marker = item.get_closest_marker("fault")
            if marker is None:
                continue
            module = item.getparent(pytest.Module)
            title = (module.obj.__doc__ or "").splitlines()[0].rstrip(".") if module else ""
            what, expected = marker.args
            rows = self.known.setdefault(title, {})
            assert (what, expected) not in rows, f"two tests of one fault: {what}"
            rows[what, expected] = "not run"
            item.user_properties.append(("fault", [title, what, expected]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a result; also those that come from the workers."""
        row = dict(report.user_properties).get("fault")
        if row is None:
            return
        title, what, expected = row  # type: ignore[misc]
        rows = self._results.setdefault(title, {})
        if report.failed:
            rows[what, expected] = "**failed**"
        elif report.when == "call" or report.skipped:
            defect = getattr(report, "wasxfail", "")
            result = (
                f"known defect: {defect}"
                if defect
                else "skipped"
                if report.skipped
                else "as expected"
            )
            rows[what, expected] = result

        if report.when == "teardown":
            self._write({title: {(what, expected): rows[what, expected]}})

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """After a run of everything: drop the rows of tests that are gone."""
        option = session.config.getoption
        everything = option("markexpr") == "fault" and not option("keyword")
        if everything and exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
        ):
            self._write(self._results, keep=False)

    @staticmethod
    def _write(rows: Rows, keep: bool = True) -> None:
        path = os.environ.get("MANILA_MIGRATION_FAULTS_PAGE")
        if not path or not rows or "PYTEST_XDIST_WORKER" in os.environ:
            return
        page = Path(path)
        written = read(page) if keep else {}
        for title, results in rows.items():
            written[title] = {**written.get(title, {}), **results}
        write(page, written)


def read(page: Path) -> Rows:
    """The rows of a page."""
    rows: Rows = {}
    title = ""
    for line in _table(page.read_text(encoding="utf-8")).splitlines():
        if line.startswith("### "):
            title = line[4:]
        cells = re.fullmatch(r"\| (.+) \| (.+) \| (.+) \|", line)
        if cells and cells[1] not in ("Fault", "---"):
            rows.setdefault(title, {})[cells[1], cells[2]] = cells[3]
    return rows


def write(page: Path, rows: Rows) -> None:
    """Put the rows into their place, sorted, so that a run changes no more than results."""
    lines = [_BEGIN]
    for title in sorted(rows):
        lines += ["", f"### {title}", "", "| Fault | Afterwards | Result |", "| --- | --- | --- |"]
        lines += [
            f"| {what} | {then} | {result} |"
            for (what, then), result in sorted(rows[title].items())
        ]
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(_table(text), "\n".join([*lines, "", ""])), encoding="utf-8")


def _table(text: str) -> str:
    """What is between the two marks, with the first."""
    return text[text.index(_BEGIN) : text.index(_END)]
