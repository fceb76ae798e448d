# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that several messages share, and text from outside as it is shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._model.wording import (
    cells,
    instead,
    listed,
    many,
    padded,
    readable,
    shortened,
    some,
)


def test_numbers_and_lists():
    assert (many(1, "share"), many(2, "share")) == ("1 share", "2 shares")
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert listed(["a", "b"], "pool") == "a, b"
    assert listed(["a", "b", "c", "d"], "pool") == "4 pools (a, b, c …)"


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        ("n@file", ["n@file2", "n@file1", "n@old"], "there are: n@file1, n@file2, n@old"),
        (
            "n@new#pool",
            ["z@other#x", "n@new#pools", "n@ne#pool", "n@new#pool1", "y@other#x"],
            "there are: n@new#pool1, n@new#pools, n@ne#pool and 2 more",
        ),
        ("gold", ["tin"], "there are: tin"),
        ("gold", [], "there is none at all"),
    ],
)
def test_what_could_be_meant(name, known, told):
    assert instead(name, known) == told


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m\x07", "\\u001b[31mred\\u001b[0m\\u0007"),
        ("two\nlines\r\t\x00\x7f\x9b", "two\\u000alines\\u000d\\u0009\\u0000\\u007f\\u009b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069\u200f\u061c", "\\u2066x\\u2069\\u200f\\u061c"),
        ("\u200b\ufeff\u00ad a\u200db", "\\u200b\\ufeff\\u00ad a\\u200db"),
        ("\ud800", "\\ud800"),
        ("\u00a0\u3000\u2028", "\\u00a0\\u3000\\u2028"),
        ("\ue000\U000e0041\U0010ffff", "\\ue000\\U000e0041\\U0010ffff"),
        ("\u3164\u115f\u2800\ufe0f", "\\u3164\\u115f\\u2800\\ufe0f"),
        ("\u0301a\u0301 \u0301", "\\u0301a\u0301 \\u0301"),
        ("e" + "\u0301" * 11 + "x\u0301", "e" + "\u0301" * 8 + "\\u0301" * 3 + "x\u0301"),
        ("plain \\u202e", "plain \\u202e"),
        ("נפח 数据 📦 é", "נפח 数据 📦 é"),
        (7, "7"),
    ],
)
def test_what_cannot_be_seen_is_shown_by_its_number(text, shown):
    assert readable(text) == shown
    readable(text).encode()


ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    "a\n\x1b\u202e\u200d\u0301数\ud800 "
)


@given(ANY_TEXT)
def test_nothing_that_is_shown_is_a_control_or_format_character(text):
    shown = readable(text)
    assert {unicodedata.category(one)[0] for one in shown} <= set("LMNPSZ")
    assert shown.isprintable()
    assert not shown or unicodedata.category(shown[0])[0] != "M"
    assert readable(shown) == shown


@given(ANY_TEXT, st.integers(2, 12))
def test_what_is_cut_and_filled_is_as_wide_as_asked_for(text, width):
    shown = readable(text)
    cut = shortened(shown, width)
    assert cells(padded(cut, width)) == width
    assert cut == shown if cells(shown) <= width else cut.endswith("…")


def test_the_width_on_a_terminal():
    assert [cells(one) for one in ("abc", "数据", "e\u0301", "📦", "é")] == [3, 4, 1, 2, 1]
    assert shortened("a" * 120) == "a" * 39 + "…"
    assert (
        shortened(readable("e" + "\u0301" * 10000)) == "e" + "\u0301" * 8 + "\\u0301" * 6 + "\\u…"
    )
    assert shortened("数" * 20) == "数" * 20
    assert shortened("数" * 21) == "数" * 19 + "…"
