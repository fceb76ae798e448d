# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When clients may be disturbed, and every sentence that refuses a window."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def window(start: str, end: str, zone: str | None = None) -> CutoverWindow:
    return CutoverWindow.parse({"start": start, "end": end, "timezone": zone})


@pytest.mark.parametrize(
    ("start", "end", "moment", "is_open"),
    [
        ("09:00", "17:00", "2026-11-22T08:59:59", False),
        ("09:00", "17:00", "2026-11-22T09:00:00", True),
        ("09:00", "17:00", "2026-11-22T16:59:59", True),
        ("09:00", "17:00", "2026-11-22T17:00:00", False),
        ("22:00", "06:00", "2026-11-22T21:59:59", False),
        ("22:00", "06:00", "2026-11-22T22:00:00", True),
        ("22:00", "06:00", "2026-11-23T00:00:00", True),
        ("22:00", "06:00", "2026-11-23T05:59:59", True),
        ("22:00", "06:00", "2026-11-23T06:00:00", False),
        ("22:00:30", "22:01", "2026-11-23T22:00:29", False),
        ("22:00:30", "22:01", "2026-11-23T22:00:30", True),
        ("2026-11-22T22:00", "2026-11-23T02:00", "2026-11-22T21:59:59", False),
        ("2026-11-22T22:00", "2026-11-23T02:00", "2026-11-22T22:00:00", True),
        ("2026-11-22T22:00", "2026-11-23T02:00", "2026-11-23T01:59:59", True),
        ("2026-11-22T22:00", "2026-11-23T02:00", "2026-11-23T02:00:00", False),
        ("2026-11-22 22:00:00", "2026-11-23T02:00Z", "2026-11-22T23:00:00", True),
        ("2026-11-22T22:00+02:00", "2026-11-22T22:00Z", "2026-11-22T20:00:00", True),
        ("2026-11-22T22:00+02:00", "2026-11-22T22:00Z", "2026-11-22T19:59:59", False),
    ],
)
def test_open(start, end, moment, is_open):
    assert window(start, end).is_open(utc(moment)) is is_open


@pytest.mark.parametrize(
    ("start", "end", "moment", "opens"),
    [
        ("09:00", "17:00", "2026-11-22T08:00:00", "2026-11-22T09:00:00"),
        ("09:00", "17:00", "2026-11-22T10:30:00", "2026-11-22T10:30:00"),  # it is open
        ("09:00", "17:00", "2026-11-22T18:00:00", "2026-11-23T09:00:00"),
        ("22:00", "06:00", "2026-11-22T06:00:00", "2026-11-22T22:00:00"),
        ("22:00:30", "06:00", "2026-11-30T06:00:00", "2026-11-30T22:00:30"),
        ("2026-11-22T22:00", "2026-11-23T02:00", "2026-11-01T00:00:00", "2026-11-22T22:00:00"),
    ],
)
def test_opens_at(start, end, moment, opens):
    assert window(start, end).opens_at(utc(moment)) == utc(opens)


def test_a_window_that_is_over_never_opens():
    once = window("2026-11-22T22:00", "2026-11-23T02:00")
    assert once.opens_at(utc("2026-11-23T02:00:00")) is None


def test_hours_are_those_of_the_zone():
    night = window("22:00", "06:00", "Europe/Berlin")
    assert not night.is_open(utc("2026-11-22T20:59:59"))
    assert night.is_open(utc("2026-11-22T21:00:00"))  # winter: an hour ahead of UTC
    assert night.is_open(utc("2026-07-22T20:00:00"))  # summer: two hours
    assert window("22:00", "06:00").zone is timezone.utc


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        # 2026-03-29: at 02:00 CET clocks show 03:00 CEST.
        ("2026-03-29T00:29:59", False),
        ("2026-03-29T00:30:00", True),
        ("2026-03-29T00:59:59", True),
        ("2026-03-29T01:00:00", True),
        ("2026-03-29T01:29:59", True),
        ("2026-03-29T01:30:00", False),
    ],
)
def test_daily_window_over_the_change_to_summer(moment, is_open):
    assert window("01:30", "03:30", "Europe/Berlin").is_open(utc(moment)) is is_open


def test_an_opening_in_the_lost_hour_is_a_moment_at_which_it_is_open():
    early = window("02:30", "04:00", "Europe/Berlin")
    opens = early.opens_at(utc("2026-03-29T00:00:00"))
    assert opens is not None
    assert early.is_open(opens)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        # 2026-10-25: at 03:00 CEST clocks show 02:00 CET again.
        ("2026-10-25T00:14:59", False),  # 02:14:59 CEST
        ("2026-10-25T00:15:00", True),  # 02:15 CEST, as `start` says
        ("2026-10-25T01:14:00", False),  # 02:14 CET: the end was half an hour ago
        ("2026-10-25T00:44:59", True),
        ("2026-10-25T00:45:00", False),  # 02:45 CEST, as `end` says
        ("2026-10-25T01:20:00", False),  # 02:20 CET: the wall clock is inside again
    ],
)
def test_a_window_with_dates_is_not_opened_again_by_the_clocks_going_back(moment, is_open):
    once = window("2026-10-25T02:15", "2026-10-25T02:45", "Europe/Berlin")
    assert once.is_open(utc(moment)) is is_open


def test_a_daily_opening_after_the_change_keeps_the_wall_clock():
    night = window("22:00", "23:00", "Europe/Berlin")
    assert night.opens_at(utc("2026-10-24T21:30:00")) == utc("2026-10-25T21:00:00")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            {"start": "22:00", "end": "06:00", "timezone": "Mars/Olympus"},
            "cutover_window: timezone 'Mars/Olympus' is not known here; "
            "use a name such as Europe/Berlin or UTC.",
        ),
        (
            {"start": "22:00", "end": "06:00", "timezone": "../../etc/passwd"},
            "cutover_window: timezone '../../etc/passwd' is not known here; "
            "use a name such as Europe/Berlin or UTC.",
        ),
        (
            {"start": "tonight", "end": "06:00"},
            "cutover_window: start is 'tonight'; give a time of day (22:00) "
            "or a date with a time (2026-11-22T22:00).",
        ),
        (
            {"start": "22:00"},
            "cutover_window: end is ''; give a time of day (22:00) "
            "or a date with a time (2026-11-22T22:00).",
        ),
        (
            {"start": "2026-11-22", "end": "2026-11-23"},
            "cutover_window: start is '2026-11-22'; give a time of day (22:00) "
            "or a date with a time (2026-11-22T22:00).",
        ),
        (
            {"start": "22:00", "end": "2026-11-23T06:00"},
            "cutover_window: start and end must both be times of day (22:00) "
            "or both be dates with times (2026-11-22T22:00).",
        ),
        ({"start": "22:00", "end": "22:00"}, "cutover_window: end must be after start."),
        (
            {"start": "2026-11-23T06:00", "end": "2026-11-22T22:00"},
            "cutover_window: end must be after start.",
        ),
        (
            {"start": "2026-11-22T22:00+02:00", "end": "2026-11-22T20:00Z"},
            "cutover_window: end must be after start.",
        ),
        (
            {"start": "22:00Z", "end": "06:00"},
            "cutover_window: start is '22:00Z'; a time of day takes its zone from timezone.",
        ),
        (
            # What YAML makes of an unquoted 22:00, and Python 3.11 would take for 13:20.
            {"start": 1320, "end": "06:00"},
            "cutover_window: start is the number 1320; put a time of day in quotes "
            '("22:00"), YAML counts it in minutes otherwise.',
        ),
    ],
)
def test_refusals(value, sentence):
    with pytest.raises(ValueError, match="cutover_window: ") as refusal:
        CutoverWindow.parse(value)
    assert str(refusal.value) == sentence


TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
MOMENTS = st.floats(utc("2026-01-01T00:00:00"), utc("2027-12-31T00:00:00"))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"])


@given(start=TIMES, end=TIMES, zone=ZONES, now=MOMENTS)
def test_it_is_open_when_it_says_that_it_opens(start, end, zone, now):
    if start == end:
        return
    daily = window(start, end, zone)
    opens = daily.opens_at(now)
    assert opens is not None
    assert now <= opens <= now + 25 * 3600
    # An opening in the hour that the change to summer swallows comes out up to an hour late,
    # when a short window may be over again.
    local = datetime.fromtimestamp(opens, daily.zone).strftime("%H:%M")
    assert daily.is_open(opens) or local != start


@pytest.mark.parametrize(
    ("window", "now", "closes", "seconds"),
    [
        ({"start": "22:00", "end": "23:30"}, "2026-11-22T22:10", "2026-11-22T23:30", 5400),
        ({"start": "22:00", "end": "04:00"}, "2026-11-22T23:10", "2026-11-23T04:00", 21600),
        ({"start": "22:00", "end": "04:00"}, "2026-11-22T03:10", "2026-11-22T04:00", 21600),
        (
            {"start": "2026-11-22T22:00", "end": "2026-11-24T22:00"},
            "2026-11-23T12:00",
            "2026-11-24T22:00",
            2 * 86400,
        ),
    ],
)
def test_when_it_closes_and_how_long_it_is_open(window, now, closes, seconds):
    moment, end = (
        datetime.fromisoformat(one).replace(tzinfo=timezone.utc).timestamp()
        for one in (now, closes)
    )
    parsed = CutoverWindow.parse(window)
    assert parsed.is_open(moment)
    assert parsed.closes_at(moment) == end
    assert parsed.seconds == seconds
