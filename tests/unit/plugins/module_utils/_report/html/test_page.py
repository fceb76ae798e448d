# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says.  tests/browser looks at it as a browser shows it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from ansible_collections.manila.migration.plugins.module_utils._report.files import complete
from ansible_collections.manila.migration.plugins.module_utils._report.html.page import page
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    Axis,
    Bar,
    bars_of,
    next_steps,
    state_of,
    tally,
    title_of,
    verdict,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.reports import make_report

NOW = "2026-11-18T14:00:00Z"


def moment(seconds):
    return None if seconds is None else f"2026-11-18T10:00:{seconds:02d}Z"


def record(phase, *moments, **more):
    names = ("started_at", "copied_at", "cutover_at", "completed_at")
    return {"id": "s", "phase": phase, **dict(zip(names, map(moment, moments))), **more}


def made(*records, **more):
    return {"migrations": list(records), **more}


DONE, COPIED, IDLE = record("completed"), record("copied"), record("idle")
FAILED = record("copied", error="no")
STAYS = [{"id": "x", "reasons": []}]


@pytest.mark.parametrize(
    ("report", "kind", "sentence"),
    [
        (made(), "good", "There was nothing to move."),
        (made(error="no cloud"), "bad", "The run failed."),
        (made(phase="plan"), "good", "Nothing has to be moved."),
        (made(IDLE, phase="plan"), "good", "1 migration planned."),
        (made(IDLE, phase="plan", unplaced=STAYS), "bad", "1 migration planned; 1 can't move."),
        (made(DONE), "good", "1 migration done: everything is at its new place."),
        (made(DONE, DONE), "good", "2 migrations done: everything is at its new place."),
        (made(DONE, FAILED, unplaced=STAYS), "bad", "1 failed and 1 can't move; 1 moved."),
        (made(FAILED), "bad", "1 failed."),
        (made(DONE, error="left"), "bad", "Not finished: 1 moved."),
        (made(DONE, COPIED, IDLE), "open", "1 moved, 1 copied and 1 not begun."),
        (
            made(COPIED, COPIED, phase="copy"),
            "good",
            "Everything is copied (2 copied); clients have not been moved yet.",
        ),
        (
            made(record("cancelled"), phase="cancel"),
            "good",
            "Everything is cancelled; all shares are where they were.",
        ),
    ],
)
def test_the_sentence_at_the_top(report, kind, sentence):
    assert verdict(report) == (kind, sentence)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (record("copying"), "running"),
        (record("completing"), "running"),
        (record("cancelling"), "running"),
        (record("stuck"), "failed"),
        (record("completed", error="moved, but"), "failed"),
        (record("something new"), "waiting"),
        ({}, "waiting"),
    ],
)
def test_every_phase_has_a_state(given, state):
    assert state_of(given) == state
    assert tally(made(given))[state] == 1


@pytest.mark.parametrize(
    ("given", "bars"),
    [
        (record("completed", 0, 5, 7, 9), [("copy", 0, 5), ("wait", 5, 7), ("cutover", 7, 9)]),
        (record("completed", 0, 5, None, 9), [("copy", 0, 5), ("late", 5, 9)]),
        (record("completed", None, None, 7, 9), [("cutover", 7, 9)]),
        (record("completed", 0, None, 7, 9), [("copy", 0, 7), ("cutover", 7, 9)]),
        (record("copied", 0, 5), [("copy", 0, 5), ("wait", 5, 20)]),
        (record("copying", 3), [("copy", 3, 20)]),
        (record("completing", 3, 4, 5), [("copy", 3, 4), ("wait", 4, 5), ("cutover", 5, 20)]),
        (record("copying", 3, error="it broke"), [("copy", 3, 3)]),
        (record("cancelled", 0, 5), [("copy", 0, 5)]),
        # Clocks that disagree make no bar run backwards.
        (record("completed", 9, 5, 4, 3), [("copy", 9, 9), ("wait", 5, 5), ("cutover", 4, 4)]),
        (record("idle"), []),
        ({"started_at": "yesterday"}, []),
    ],
)
def test_bars_of_the_timeline(given, bars):
    start = bars_of(record("copying", 0), 0)[0].begin
    shown = [
        Bar(one.what, one.begin - start, one.end - start) for one in bars_of(given, start + 20)
    ]
    assert shown == [Bar(*one) for one in bars]


@pytest.mark.parametrize(
    ("length", "texts"),
    [
        (5, ["10:00:00", "10:00:01", "10:00:02", "10:00:03", "10:00:04", "10:00:05"]),
        (600, ["10:00", "10:02", "10:04", "10:06", "10:08", "10:10"]),
        (
            3 * 86400,
            [
                "Nov 18 12:00",
                "Nov 19 00:00",
                "Nov 19 12:00",
                "Nov 20 00:00",
                "Nov 20 12:00",
                "Nov 21 00:00",
            ],
        ),
    ],
)
def test_ticks_are_round(length, texts):
    start = bars_of(record("copying", 0), 0)[0].begin
    assert [text for _moment, text in Axis(start, start + length).ticks()] == texts


@pytest.mark.parametrize("days", [1, 30, 400, 40_000])
def test_there_are_never_many_ticks(days):
    assert 1 <= len(Axis(1e9, 1e9 + days * 86400).ticks()) <= 7


def test_what_to_do_next():
    assert next_steps(made()) == [] == next_steps(made(record("cancelled"), phase="cancel"))
    steps = " ".join(next_steps(made(COPIED, phase="copy")))
    assert "1 copied migration, with phase cutover" in steps and "phase copy" not in steps
    assert "phase cancel again" in " ".join(next_steps(made(COPIED, phase="cancel")))
    assert "client_mounts.json" in " ".join(next_steps(made(DONE, phase="all")))
    assert "migration_repair" in next_steps(made(DONE, FAILED))[0]


def test_titles():
    assert title_of({"source": "n@b"}) == "Evacuation of n@b"
    assert title_of({"source": "", "objective": "rebalance"}) == "Rebalance"


@pytest.mark.parametrize("phase", ["plan", "copy", "cutover", "all", "cancel", "status"])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_every_phase_has_a_page(phase, count):
    result, plan = make_report(count, phase)
    text = unescape(page(complete(result, plan, NOW)))
    for one in plan["migrations"]:
        assert one["id"] in text
        assert all(share["id"] in text for share in one.get("shares", ()))
    for one in result["migrations"]:
        for path in one.get("export_locations_after", ()):
            assert f"<code>{path}</code>" in text
        assert not one.get("error") or one["error"] in text
    for one in result["unplaced"]:
        assert all(reason["message"] in text for reason in one["reasons"])
    for heading in ("Summary", "Pools before and after"):
        assert f">{heading}</h2>" in text
    assert ("Every migration</h2>" in text) == (count > 0)


def test_whatever_is_missing_is_left_out():
    result, plan = make_report(30)
    report = complete(result, plan, NOW)
    for key in report:
        page({name: value for name, value in report.items() if name != key})
        page({**report, key: None})
    for one in (record for record in report["migrations"][:7]):
        for key in one:
            page({**report, "migrations": [{**one, key: None}]})
            page({**report, "migrations": [{k: v for k, v in one.items() if k != key}]})
    assert "<h1><bdi>Evacuation of an unnamed back end" in page({})


def test_the_page_asks_for_nothing():
    result, plan = make_report(5)
    text = page(complete(result, plan, NOW))
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<link|<img|<iframe| src=| href=", text)


def test_numbers_are_summed_up():
    size = [record("completed", 0, 5, 7, 9, size_gb=6000), record("copied", 1, 6, size_gb=4400)]
    text = page(made(*size, record("idle", size_gb=100), rate=212.4, written_at=NOW))
    assert ">1 of 3<" in text and ">10,400 of 10,500 GiB<" in text and ">212.4 MiB/s<" in text
    assert ">2 s<" in text  # the cutover
    assert ">copying 1,774,933 MiB/s together<" in text  # 10400 GiB in 6 s
