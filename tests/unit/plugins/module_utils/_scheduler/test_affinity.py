# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares that have to be in one pool, and shares that must not."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._scheduler.affinity import (
    affinity_blockers,
    named_in_hints,
)

SAME, DIFFERENT = "__affinity_same_host", "__affinity_different_host"
PLACES = {"a": ["n@b#one"], "b": ["n@b#one", "n@b#two"], "c": ["n@b#two"], "gone": []}


@pytest.mark.parametrize(
    ("metadata", "pool", "words"),
    [
        ({}, "one", []),
        ({SAME: ""}, "two", []),
        ({"other": "a"}, "two", []),
        ({SAME: "a"}, "one", []),
        (
            {SAME: "a"},
            "two",
            [["must be in one pool with a (__affinity_same_host), which is at n@b#one"]],
        ),
        ({SAME: "a,b"}, "one", []),
        ({SAME: "a,b"}, "two", [["in one pool with a, b (", "which are at n@b#one"]]),
        ({SAME: "a,c"}, "one", [["which are at no pool together"]]),
        ({DIFFERENT: "a"}, "two", []),
        (
            {DIFFERENT: "a"},
            "one",
            [["must not be in one pool with a (__affinity_different_host), which is at"]],
        ),
        ({DIFFERENT: "a,b"}, "two", [["with a, b (", "which are at n@b#one, n@b#two"]]),
        ({SAME: "b", DIFFERENT: "a"}, "one", [[DIFFERENT, "must not be"]]),
        ({SAME: "a", DIFFERENT: "b"}, "two", [[SAME, "must be"], [DIFFERENT, "must not be"]]),
        # A share that doesn't exist stops the scheduler, wherever the others are.
        ({SAME: "a,gone"}, "one", [[SAME, "there is no share gone"]]),
        ({DIFFERENT: "never"}, "two", [[DIFFERENT, "there is no share never"]]),
        ({DIFFERENT: "b, a"}, "three", [["there is no share  a"]]),  # blanks count
    ],
)
def test_hints_keep_a_share_out_of_pools(metadata, pool, words):
    found = affinity_blockers(metadata, f"n@b#{pool}", PLACES)
    assert [one.code for one in found] == ["affinity"] * len(words)
    for reason, expected in zip(found, words):
        for word in expected:
            assert word in reason.message


def test_whose_places_have_to_be_known():
    assert named_in_hints({SAME: "a,b", DIFFERENT: "c", "other": "d"}) == {"a", "b", "c"}
    assert named_in_hints({SAME: ""}) == frozenset()
