# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and migrations for people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._engine.record import as_record
from ansible_collections.manila.migration.plugins.module_utils._engine.types import Memory, Track
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.request import Pace, Request
from ansible_collections.manila.migration.plugins.module_utils._model.wording import cells
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.plugins.module_utils._report.text import (
    Progress,
    migration_lines,
    open_lines,
    plan_lines,
    pool_lines,
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
    assert text[2:5] == [
        "  what             size    from   to     by      state",
        "  share server v1  50 GiB  n@old  n@one  driver  idle   "
        "5 shares: share 1, share 2, share 3 and 2 more",
        "  share server v2  1 GiB   n@old  n@one  driver  idle   1 share: share 9",
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
    (line,) = lines(world([share(1)]), share_type_map={"plain": "thick"})[3:4]
    assert line == f"  share 1  10 GiB  {OLD}  {ONE}  auto  idle   with a new share type"


@pytest.mark.parametrize(
    ("request_", "mechanism"),
    [
        ({}, "auto"),
        ({"mechanism": "host"}, "host"),
        ({"mechanism": "driver"}, "driver"),
        ({"require": ["writable"]}, "driver"),
    ],
)
def test_who_copies_is_told(request_, mechanism):
    assert f" {mechanism} " in lines(world([share(1)]), **request_)[3]


def test_pools_have_bars_before_and_after():
    text = lines(world([share(1, 55)], [pool(OLD, 100, 40), pool(ONE), pool(TWO, "unknown")]))
    after = text.index("pools before and after:")
    assert text[after + 1 : after + 4] == [
        "  n@old#p  100 GiB  [############........]  60 %  ->  [#...................]   5 %",
        "  n@one#p  100 GiB  [....................]   0 %  ->  [###########.........]  55 %",
        "  1 other pool stays as before",
    ]
    text = lines(world([share(1, 55)], [pool(OLD, 100, 40), pool(TWO, "unknown")]))
    assert "  n@two#p  unknown  not known                     ->  not known" in text


@pytest.mark.parametrize(
    ("rate", "time"), [(1024, "10 s"), (100, "1 min"), (1, "2 h 50 min"), (0, None)]
)
def test_how_long_it_takes_at_least(rate, time):
    text = lines(world([share(1)]), pace=Pace(rate))[0]
    assert text == "n@old: 1 share moves, 10 GiB" + (
        f"; copying takes at least {time}" if time else ""
    )


def test_only_so_many_moves_are_listed():
    shares = [share(number, 1) for number in range(1, 206)]
    text = lines(world(shares, [pool(OLD, 300, 0), pool(ONE, 300, 300)]))
    assert "  and 5 more, which come later" in text


def test_what_a_rebalance_costs_and_brings():
    inventory = world([share(n) for n in range(6)], [pool(OLD, 100, 40), pool(ONE)])
    request = Request("n@old", ["n@one"], "rebalance", pace=Pace(1024))
    assert plan_lines(make_plan(inventory, request))[0] == (
        "rebalance n@old, n@one: 3 shares move, 30 GiB; copying takes at least 15 s; "
        "pools are filled 0 to 60 % before and 30 to 30 % after"
    )


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


# -- while it runs ---------------------------------------------------------------------------


def tracks(**given: Track) -> tuple[list[Migration], Memory]:
    plan = [Migration(name, "n@old#p", "n@new#p", name=name, size_gb=100) for name in given]
    return plan, Memory(tracks=given)


SLOT = Reason("slot", "5 migrations are at work")


def test_a_line_tells_what_is_done_what_works_and_what_waits():
    plan, memory = tracks(
        a=Track(phase="completed", outcome="reached", progress=100),
        b=Track(phase="copied", outcome="reached", progress=100),
        c=Track(phase="copying", progress=40),
        d=Track(phase="copying", progress=80),
        e=Track(waiting_for=SLOT),
        f=Track(waiting_for=SLOT),
        g=Track(phase="copied", progress=100, waiting_for=Reason("window", "it opens at …")),
        h=Track(phase="failed", outcome="failed", error="It failed."),
    )
    assert Progress().line(plan, memory, 0.0) == (
        "1 completed, 2 copied, 2 copying (40 to 80 %), 3 waiting (2 slot, 1 window), 1 failed of 8; "
        "420 of 800 GiB copied (52 %)"
    )


def test_what_is_about_to_be_cut_over_is_counted_once():
    line = Progress().line(*tracks(a=Track(phase="copied", sent={"complete": "copied"})), 0.0)
    assert line.startswith("1 copied of 1;")


def test_a_line_tells_how_fast_it_goes_from_the_second_poll_on():
    progress = Progress()
    assert progress.line(*tracks(a=Track(phase="copying", progress=50)), 0.0).endswith("(50 %)")
    later = progress.line(*tracks(a=Track(phase="copying", progress=60)), 100.0)
    assert later == (
        "1 copying (60 %) of 1; 60 of 100 GiB copied (60 %), 102 MiB/s, about 6 min left"
    )


@pytest.mark.parametrize("plan", [[], ["a"]])
def test_a_line_without_anything_done(plan):
    plan, memory = tracks(**{name: Track() for name in plan})
    line = Progress().line(plan, memory, 0.0)
    assert line.startswith("1 waiting (1 poll) of 1" if plan else "nothing done of 0")


def test_the_table_has_what_works():
    plan, memory = tracks(a=Track(phase="copying", progress=40), b=Track(waiting_for=SLOT))
    (row,) = Progress().table(plan, memory)
    assert row.split() == ["a", "100", "GiB", "copying", "40", "%", "n@old#p", "->", "n@new#p"]


def test_what_is_done_is_only_counted():
    plan, memory = tracks(
        a=Track(phase="completed", outcome="reached"),
        b=Track(phase="completed", outcome="reached"),
        c=Track(waiting_for=SLOT),
        d=Track(phase="failed", outcome="failed", error="It failed."),
    )
    records = [as_record(one, memory.tracks[one.id]) for one in plan]
    found = [" ".join(line.split()) for line in open_lines(records)]
    assert found == [
        "d 100 GiB failed n@old#p -> n@new#p It failed.",
        "c 100 GiB idle n@old#p -> n@new#p slot: 5 migrations are at work",
        "2 completed",
    ]
    assert open_lines(records, 1)[1:] == ["and 1 more, see the report", "2 completed"]
    assert open_lines([]) == []


ESCAPES, ESCAPED = "\x1b[31mred\n\u202e", "\\u001b[31mred\\u000a\\u202e"
SERVICE = {"host": "n@old", "status": "disabled", "alive": True, "disabled_reason": ESCAPES}
POOL = {
    "total_gb": 100,
    "free_gb": 50,
    "used_percent": 50,
    "fits_gb": 45,
    "shares": 2,
    "coming_gb": 0,
}
OUTSIDE = st.text(st.characters(exclude_categories=())) | st.text(
    "a\n\x1b\u202e\u200d\u0301数\ud800 "
)


@given(st.lists(st.tuples(OUTSIDE, OUTSIDE), min_size=1, max_size=4))
def test_whatever_names_and_messages_hold_tables_keep_their_lines_and_columns(texts):
    records = [
        as_record(
            Migration(f"s{number}", "a@b#c", "d@e#f", name=name, size_gb=7),
            Track(phase="copying", error=error),
        )
        for number, (name, error) in enumerate(texts)
    ]
    lines = migration_lines(records)
    assert len(lines) == len(records)
    assert all(line.isprintable() for line in lines + open_lines(records))
    starts = {cells(line[: line.index("  7 GiB  copying")]) for line in lines}
    assert len(starts) == 1 and starts <= set(range(41))


@given(OUTSIDE, OUTSIDE)
def test_whatever_names_hold_a_plan_keeps_its_lines(first, second):
    def told(*names):
        shares = [replace(share(number), name=name) for number, name in enumerate(names, 1)]
        stuck = replace(share(8), status="error", name=names[0])
        plan = make_plan(world([*shares, stuck]), Request("n@old", exclude=["s2"]))
        reason = {"code": "gone", "message": f"{names[0]} is not at n@old any more"}
        return plan_lines({**plan, "differences": [reason], "warnings": [reason]})

    lines_of_plan = told(first or "x", second or "x")
    assert all(line.isprintable() for line in lines_of_plan)
    plain = told("x", "y")
    assert len(lines_of_plan) == len(plain)


def test_names_of_pools_and_what_keeps_them_from_being_used_are_readable():
    reason = {"code": "lock", "message": ESCAPES}
    (line,) = pool_lines([{**POOL, "name": f"n@old#{ESCAPES}", "blockers": [reason]}], [])
    assert line.startswith(f"n@old#{ESCAPED}  ") and line.endswith(f"  {ESCAPED}")


def test_reasons_of_locks_are_readable():
    (line,) = pool_lines([], [SERVICE])
    assert line == f"manila-share n@old is disabled ({ESCAPED}) and up"


def test_a_record_keeps_the_name_and_shows_the_messages():
    migration = Migration("s1", "a@b#c", "d@e#f", name=ESCAPES)
    reason = Reason("driver", f"waiting for {ESCAPES}")
    record = as_record(migration, Track(error=f"the driver said {ESCAPES}", waiting_for=reason))
    assert record["name"] == ESCAPES
    assert record["error"] == f"the driver said {ESCAPED}"
    assert record["waiting_for"]["message"] == f"waiting for {ESCAPED}"
    assert migration.label == f"share {ESCAPED}"


def test_the_plan_keeps_the_name_and_shows_the_label():
    plan = make_plan(world([replace(share(1), name=ESCAPES)]), Request("n@old"))
    (entry,) = plan["migrations"]
    assert (entry["name"], entry["label"]) == (ESCAPES, ESCAPED)
