# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is cut over together, and what is copied first."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.records import Share
from ansible_collections.manila.migration.plugins.module_utils._planner.grouping import (
    check_grouping,
    group_names,
    in_order,
    unknown_members,
)


def share(name: str, project: str = "p", **metadata: str) -> Share:
    return Share(f"id-{name}", name, 1, "n@b#p", "available", project_id=project, metadata=metadata)


A, B, C = share("a", app="web"), share("b", "q", app="web"), share("c", prio="high")
ALONE = {one.id: [one] for one in (A, B, C)}


@pytest.mark.parametrize(
    ("group_by", "groups", "expected"),
    [
        ("", (), ("", "", "")),
        ("project", (), ("p", "q", "p")),
        ("share", (), ("id-a", "id-b", "id-c")),
        ("metadata:app", (), ("web", "web", "")),
        ("", [("both", ["a", "id-c"])], ("both", "", "both")),
        ("metadata:app", [("mine", ["b"])], ("web", "mine", "")),
    ],
)
def test_groups(group_by, groups, expected):
    assert tuple(group_names(ALONE, group_by, groups).values()) == expected


def test_a_share_server_brings_groups_together():
    parts = {"server": [A, C], "x": [B], "y": [share("d", "r")]}
    listed = [("one", ["a"]), ("two", ["c", "b"])]
    assert group_names(parts, "project", listed) == {
        "server": "one+two",
        "x": "one+two",
        "y": "r",
    }


def test_groups_are_brought_together_in_a_row():
    parts = {"s1": [share("a"), share("b")], "s2": [share("b2"), share("c")], "s3": [share("b")]}
    listed = [("1", ["a"]), ("2", ["b", "b2"]), ("3", ["c"])]
    assert set(group_names(parts, "", listed).values()) == {"1+2+3"}


@pytest.mark.parametrize(
    ("group_by", "groups", "order", "message"),
    [
        ("tenant", (), "largest", "group_by: 'tenant' is none of project, share and metadata:KEY."),
        ("metadata:", (), "largest", "group_by: 'metadata:' is none of"),
        ("", (), "first", "order: 'first' is none of largest, smallest and metadata:KEY."),
        ("", [("", ["a"])], "largest", "groups: a group has no name."),
        ("", [("x", ["a"]), ("y", ["a"])], "largest", "groups: 'a' is in 'x' and in 'y'."),
    ],
)
def test_what_cannot_be_meant(group_by, groups, order, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        check_grouping(group_by, groups, order)


def test_members_that_are_not_there():
    assert unknown_members([A, B], [("x", ["a", "id-b", "c"])]) == ["c"]


def entry(name: str, size: int, group: str = "") -> dict[str, object]:
    return {"id": name, "size_gb": size, "group": group}


PRIORITIES = {"a": "1", "b": "2.5", "c": "high", "d": "inf"}


@pytest.mark.parametrize(
    ("order", "entries", "expected"),
    [
        ("largest", [entry("a", 1), entry("b", 3), entry("c", 2)], "bca"),
        ("smallest", [entry("a", 1), entry("b", 3), entry("c", 2)], "acb"),
        ("largest", [entry("b", 1), entry("a", 1)], "ab"),
        ("metadata:p", [entry("c", 9), entry("a", 1), entry("b", 2), entry("d", 1)], "bacd"),
        ("largest", [entry("a", 9, "g"), entry("b", 5), entry("c", 1, "g")], "acb"),
        (
            "largest",
            [entry("a", 4, "g"), entry("b", 5), entry("c", 5, "h"), entry("d", 1, "g")],
            "bcad",
        ),
    ],
)
def test_order(order, entries, expected):
    def shares(one):
        return [share(one["id"], p=PRIORITIES[one["id"]])]

    assert "".join(one["id"] for one in in_order(entries, order, shares)) == expected
