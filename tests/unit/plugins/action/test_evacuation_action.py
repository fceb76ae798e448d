# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin prints of what its module reports."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.action import evacuation

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text("a\n\x1b\u202e\u0301 ")


@given(ANY_TEXT, st.lists(ANY_TEXT, min_size=1, max_size=3), ANY_TEXT)
def test_no_line_holds_what_a_terminal_acts_on(line, table, state):
    printed = []
    plugin = evacuation.ActionModule.__new__(evacuation.ActionModule)
    plugin._task = SimpleNamespace(args={"state": state})
    news = io.StringIO(json.dumps({"line": line, "table": table}) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            evacuation,
            "display",
            SimpleNamespace(display=lambda text, stderr: printed.append(text), verbosity=1),
        )
        plugin._show(news)
    assert len(printed) == 1 + len(table)
    assert all(text.isprintable() for text in printed)
