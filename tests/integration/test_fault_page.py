# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of faults and the tests of faults agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_page import read

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def test_the_page_lists_exactly_the_tests(request: pytest.FixtureRequest) -> None:
    known = request.config.pluginmanager.get_plugin("fault_page").known
    if not known:
        pytest.skip("only this file was collected")
    written = read(PAGE)
    assert {title: set(rows) for title, rows in known.items()} == {
        title: set(rows) for title, rows in written.items() if title in known
    }
    assert not [row for rows in written.values() for row in rows.values() if row == "**failed**"]
