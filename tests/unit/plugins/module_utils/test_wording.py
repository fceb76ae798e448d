# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that several messages share."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils.wording import (
    instead,
    listed,
    many,
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
