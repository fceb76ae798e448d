# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and migrations for people."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils.engine import (
    Migration,
    Track,
    as_record,
)
from ansible_collections.manila.migration.plugins.module_utils.placement import Request, make_plan
from ansible_collections.manila.migration.plugins.module_utils.report import (
    migration_lines,
    plan_lines,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    ONE,
    SERVER_POOLS,
    TWO,
    aboard,
    pool,
    server,
    share,
    tenants,
    world,
)


def lines(inventory, **request):
    return plan_lines(make_plan(inventory, Request("n@old", **request)))


@pytest.mark.parametrize(
    ("shares", "total"),
    [
        ([], "0 shares move, 0 GiB"),
        ([share(1)], "1 share moves, 10 GiB"),
        ([share(1), share(2)], "2 shares move, 20 GiB"),
        ([aboard(1)], "1 share server with 1 share moves, 10 GiB"),
        (
            [aboard(1), aboard(2), aboard(3, "v2")],
            "2 share servers with 3 shares move, 30 GiB",
        ),
        ([share(1), aboard(2), aboard(3)], "1 share and 1 share server with 2 shares move, 30 GiB"),
    ],
)
def test_how_many_of_which_kind_move(shares, total):
    servers = [server(1), server(2)] if any(one.share_server_id for one in shares) else []
    inventory = tenants(shares, servers, [*SERVER_POOLS[:4], pool(TWO)])
    assert lines(inventory)[0] == f"n@old: {total}"


def test_a_share_server_has_a_readable_line():
    shares = [aboard(number) for number in range(1, 6)] + [aboard(9, "v2", 1)]
    text = lines(tenants(shares, pools=SERVER_POOLS[:4]))
    assert text[1] == "  2 x n@old -> n@one"
    assert text[2:4] == [
        "  share server v1  50 GiB  idle  -> n@one  5 shares: share 1, share 2, share 3 and 2 more",
        "  share server v2  1 GiB   idle  -> n@one  1 share: share 9",
    ]


def test_what_stays_is_named():
    shares = [aboard(1, status="error"), aboard(2, "v2"), share(3, status="error")]
    text = lines(tenants(shares, [server(1), server(2), server(3)]), exclude=["v2"])
    assert "2 can't move:" in text
    assert "  share 3: its status is 'error', not 'available'" in "\n".join(text)
    assert any(line.startswith("  share server v1: share share 1: its status") for line in text)
    assert "left out as asked: share server v2" in text
    assert any(line.startswith("warning: share servers without shares: v3") for line in text)


def test_a_new_type_is_told():
    (line,) = lines(world([share(1)]), share_type_map={"plain": "thick"})[2:3]
    assert line == f"  share 1  10 GiB  idle  -> {ONE}  with a new share type"


def test_records_of_both_kinds():
    plan = [
        Migration("v1", "n@old", "n@one", "", 5, "share_server"),
        Migration("s1", OLD, ONE, "data", 10),
        Migration("s2", OLD, ONE),
    ]
    assert migration_lines([as_record(one, Track()) for one in plan]) == [
        "share server v1  5 GiB   idle  n@old -> n@one",
        f"data             10 GiB  idle  {OLD} -> {ONE}",
        f"s2               0 GiB   idle  {OLD} -> {ONE}",
    ]
