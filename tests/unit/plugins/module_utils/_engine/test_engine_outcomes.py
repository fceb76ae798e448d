# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine remembers of an action, what it checks afterwards, and what users see of it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._engine import outcomes
from ansible_collections.manila.migration.plugins.module_utils._engine.outcomes import faults
from ansible_collections.manila.migration.plugins.module_utils._engine.record import (
    as_record,
    summarize,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    BARRED,
    CANCEL,
    COMPLETE,
    HINDERED,
    OUTDATED,
    REACHED,
    RECORD,
    REFUSED,
    REMOVE,
    START,
    UNKNOWN,
    VERIFY,
    Action,
    Memory,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    IDLE,
)

OLD, NEW = "old@array#p", "new@array#p"
NOW = 1000.0


def told(
    verb: str, outcome: str, track: Track, *, kind: str = SHARE, now: float = NOW, **more
) -> Track:
    """The track after an action."""
    return remembered(verb, outcome, track, kind=kind, now=now, **more).tracks["s0"]


def remembered(
    verb: str, outcome: str, track: Track, *, kind: str = SHARE, now: float = NOW, **more
) -> Memory:
    migration = Migration("s0", OLD, NEW, "name-0", kind=kind)
    memory = Memory({"s0": track, "s1": Track(phase=COPIED)}, failures=3)
    return outcomes.after(memory, Action(verb, migration), outcome, now, **more)


# -- what is remembered ----------------------------------------------------------------------


@pytest.mark.parametrize("verb", [START, COMPLETE, CANCEL, REMOVE])
@pytest.mark.parametrize(("outcome", "look"), [(ACCEPTED, False), (UNKNOWN, True)])
def test_what_was_sent_is_remembered(verb, outcome, look):
    before = Track(
        want=verb,
        waiting_for=Reason("slot", ""),
        sent={"earlier": ACCEPTED},
        sent_at={"earlier": 1.0},
        held=("x", 1.0),
    )
    track = told(verb, outcome, before)
    assert track.sent == {"earlier": ACCEPTED, verb: outcome}
    assert track.sent_at == {"earlier": 1.0, verb: NOW}
    assert (track.ours, track.look, track.held) == (True, look, None)
    assert (track.want, track.waiting_for, track.outcome) == (None, None, None)


def test_what_needed_a_look_needs_it_still():
    assert told(COMPLETE, ACCEPTED, Track(look=True)).look is True


@pytest.mark.parametrize(
    ("kind", "task_state"), [(SHARE, "migration_starting"), (SHARE_REPLICA, "replica_scheduling")]
)
def test_an_accepted_start_copies(kind, task_state):
    track = told(START, ACCEPTED, Track(phase=FAILED, progress=9), kind=kind)
    assert (track.phase, track.task_state, track.progress) == (COPYING, task_state, 0)
    assert (track.started_at, track.since) == (NOW, NOW)


def test_a_start_whose_answer_was_lost_may_have_begun():
    track = told(START, UNKNOWN, Track(phase=FAILED, task_state="migration_error", since=1.0))
    assert (track.phase, track.task_state) == (FAILED, "migration_error")
    assert (track.started_at, track.since) == (NOW, NOW)


def test_a_cutover_leaves_the_phase_to_manila():
    track = told(COMPLETE, ACCEPTED, Track(phase=COPIED, started_at=1.0, since=2.0))
    assert (track.phase, track.started_at, track.since) == (COPIED, 1.0, 2.0)


@pytest.mark.parametrize(
    ("verb", "kind", "message", "refusal"),
    [
        (START, SHARE_SERVER, "no.", ("no.", 409)),
        (START, SHARE_SERVER, "", None),
        (START, SHARE, "no.", None),
        (CANCEL, SHARE_SERVER, "no.", None),
    ],
)
def test_the_refusal_of_a_start_that_left_something_is_kept(verb, kind, message, refusal):
    track = told(verb, OUTDATED, Track(want=verb), kind=kind, message=message, status_code=409)
    assert track.refusal == refusal
    assert (track.look, track.sent, track.outcome) == (True, {}, None)
    # Whatever else it was is on its way, and waited for.
    waits = bool(message) and not refusal
    assert track.waiting_for == (Reason("snapshots", message) if waits else None)


def test_a_hindrance_of_a_cutover_is_held_since_it_was_first_found():
    first = told(COMPLETE, HINDERED, Track(want=COMPLETE), message="late")
    assert first.held == ("late", NOW)
    assert first.waiting_for == Reason("snapshots", "late")
    assert first.waiting_since == NOW
    second = told(COMPLETE, HINDERED, first, message="later", now=1100.0)
    assert (second.held, second.waiting_since) == (("late", NOW), NOW)
    assert second.waiting_for == Reason("snapshots", "later")


@pytest.mark.parametrize(
    ("verb", "code"), [(COMPLETE, "snapshots"), (START, "answer"), (CANCEL, "answer")]
)
def test_what_must_come_first_and_has_not_happened_is_waited_for(verb, code):
    track = told(verb, HINDERED, Track(want=verb), message="late")
    assert (track.waiting_for, track.held) == (Reason(code, "late"), ("late", NOW))
    assert (track.look, track.want, track.sent, track.outcome) == (True, None, {}, None)


def test_what_is_on_its_way_is_no_hindrance_any_more():
    track = told(COMPLETE, OUTDATED, Track(held=("x", 1.0)), message="deleting")
    assert (track.held, track.waiting_since) == (None, NOW)
    assert track.waiting_for == Reason("snapshots", "deleting")


@pytest.mark.parametrize(
    ("verb", "done"),
    [(START, "started"), (COMPLETE, "cut over"), (REMOVE, "removed"), (CANCEL, "cancelled")],
)
def test_what_must_come_first_and_was_refused_is_a_failure(verb, done):
    track = told(verb, BARRED, Track(want=verb), message="no.", status_code=403)
    assert (track.outcome, track.status_code, track.sent) == (FAILED, 403, {})
    assert (track.error or "").endswith(f"is not {done}: no..")
    assert remembered(verb, BARRED, Track()).failures == 4


def test_an_outdated_cutover_without_a_word_waits_for_nothing():
    track = told(COMPLETE, OUTDATED, Track(want=COMPLETE))
    assert (track.held, track.waiting_for, track.look) == (None, None, True)


@pytest.mark.parametrize("verb", [START, COMPLETE, CANCEL, REMOVE])
def test_a_refusal_is_a_failure_with_manilas_status(verb):
    track = told(verb, REFUSED, Track(want=verb), message="no.", status_code=403)
    assert (track.outcome, track.status_code, track.sent) == (FAILED, 403, {})
    assert (track.error or "").endswith(": no.")


def test_a_record_that_was_written_is_the_other_way_round_now():
    for before in (False, True):
        assert told(RECORD, ACCEPTED, Track(recorded=before)).recorded is not before
        assert told(RECORD, UNKNOWN, Track(recorded=before)).recorded is before
    assert told(RECORD, ACCEPTED, Track()).look is True


def test_a_new_failure_counts_once():
    assert remembered(CANCEL, REFUSED, Track()).failures == 4
    assert remembered(CANCEL, REFUSED, Track(outcome=FAILED)).failures == 3
    assert remembered(CANCEL, ACCEPTED, Track()).failures == 3
    memory = remembered(CANCEL, REFUSED, Track())
    assert memory.tracks["s1"] == Track(phase=COPIED)


# -- the check at the end --------------------------------------------------------------------

FOUND = Facts(NEW, "available", 1, exports=("new",))


@pytest.mark.parametrize(
    ("track", "checked", "outcome", "after"),
    [
        (Track(phase=COMPLETED), False, REACHED, FOUND),
        (Track(phase=CANCELLED, task_state="replica_marked"), False, REACHED, None),
        (Track(phase=COMPLETING, task_state="replica_promoted"), True, None, None),
    ],
)
def test_a_check_that_finds_everything_in_order(track, checked, outcome, after):
    done = told(VERIFY, ACCEPTED, track, found=FOUND)
    assert (done.checked, done.outcome, done.facts_after) == (checked, outcome, after)
    assert done.look is True


def test_what_was_found_first_stays_where_nothing_was_found():
    done = told(VERIFY, ACCEPTED, Track(phase=COMPLETED, facts_after=FOUND))
    assert done.facts_after is FOUND


@pytest.mark.parametrize(
    ("patience", "now", "outcome"),
    [
        (600.0, 1119.0, None),
        (600.0, 1120.0, FAILED),  # at most so long, however patient
        (60.0, 1059.0, None),
        (60.0, 1060.0, FAILED),
    ],
)
def test_what_is_not_in_order_is_looked_at_again(patience, now, outcome):
    first = told(VERIFY, REFUSED, Track(phase=COMPLETED), message="a", patience=patience)
    assert (first.outcome, first.held, first.look) == (None, ("a", NOW), True)
    assert (first.waiting_for or Reason("", "")).code == "settling"
    assert first.waiting_since == NOW
    second = told(VERIFY, REFUSED, first, message="b", patience=patience, now=now, found=FOUND)
    assert (second.outcome, second.held, second.facts_after) == (outcome, ("a", NOW), FOUND)
    said = second.error if outcome else second.waiting_for and second.waiting_for.message
    assert "b" in (said or "").split("but ")[1]


@pytest.mark.parametrize(
    ("track", "word"),
    [
        (Track(phase=COMPLETED), "was moved"),
        (Track(phase=CANCELLED), "was cancelled"),
        (Track(phase=COMPLETING, task_state="replica_promoted"), "is served from its destination"),
    ],
)
def test_how_it_stands_with_what_is_not_in_order_is_said(track, word):
    first = told(VERIFY, REFUSED, track, message="a")
    assert word in (first.waiting_for or Reason("", "")).message
    assert word in (told(VERIFY, REFUSED, first, message="a", now=2000.0).error or "")


BEFORE = Facts(OLD, "available", 1, "t1", "n1", frozenset({("ip", "a", "rw")}), exports=("e",))
WANTED = Options(new_share_type_id="t2")


@pytest.mark.parametrize(
    ("track", "found", "wrong"),
    [
        (Track(phase=COMPLETED), {"host": NEW, "share_type_id": "t2"}, 0),
        (Track(phase=COMPLETED), {"host": OLD, "share_type_id": "t2"}, 1),
        (Track(phase=COMPLETED), {"host": NEW}, 1),
        (Track(phase=COMPLETED), {"host": NEW, "share_type_id": "t2", "rules": frozenset()}, 1),
        # Where it was, as what it was; its rules are its owner's.
        (Track(phase=CANCELLED), {"rules": frozenset()}, 0),
        (Track(phase=CANCELLED), {"host": NEW}, 1),
        # The replica at the source is still there, and counts nowhere.
        (Track(phase=COMPLETING, task_state="replica_promoted"), {"host": OLD}, 0),
        (Track(phase=COMPLETING, task_state="replica_promoted"), {"rules": frozenset()}, 1),
    ],
)
def test_what_is_checked_depends_on_what_has_happened(track, found, wrong):
    migration = Migration("s0", OLD, NEW, options=WANTED)
    track = replace(track, facts_before=BEFORE)
    assert len(faults(migration, track, replace(BEFORE, **found))) == wrong


def test_without_a_planned_destination_the_seen_one_is_checked():
    migration, track = Migration("s0", OLD, None), Track(phase=COMPLETED, destination=NEW)
    assert faults(migration, track, replace(BEFORE, host=NEW)) == []
    assert faults(migration, track, BEFORE) == [f"it is at {OLD}, not at {NEW}"]
    anywhere = replace(track, destination=None)
    assert faults(migration, anywhere, BEFORE) == []


def differences(kind: str, before: Facts | None, found: Facts, to: str | None = NEW) -> list[str]:
    return outcomes.differences(Migration("s0", OLD, NEW, kind=kind), before, found, to)


REPLICAS = Facts(NEW, "available", 2, exports=("e",))


@pytest.mark.parametrize(
    ("before", "found", "wrong"),
    [
        ({}, {}, []),
        (None, {"copies": 5}, []),
        ({}, {"copies": 3}, ["it has 3 replicas where 2 are expected"]),
        ({}, {"unapplied": frozenset({("ip a", "queued_to_apply")})}, []),
        (
            {},
            {"unapplied": frozenset({("ip b", "queued_to_apply"), ("ip a", "error")})},
            [
                "access rules are not in force (ip a (error)), so clients may only be able to read: "
                "any change of a rule of this share makes Manila apply all of them"
            ],
        ),
        # A replica that only waits has no export locations, and had none.
        ({"exports": (), "active": False}, {"exports": (), "active": False}, []),
        ({"active": False}, {"exports": (), "active": False}, ["it has no export location"]),
        (None, {"exports": (), "active": False}, []),
        (None, {"exports": (), "active": True}, ["it has no export location"]),
    ],
)
def test_the_replicas_of_a_share(before, found, wrong):
    was = None if before is None else replace(REPLICAS, **before)
    assert differences(SHARE_REPLICA, was, replace(REPLICAS, **found)) == wrong


def test_all_rules_that_are_not_in_force_are_named_in_order():
    found = replace(REPLICAS, copies=1, unapplied=frozenset({("ip b", "error"), ("ip a", "error")}))
    (wrong,) = differences(SHARE, None, found)
    assert "(ip a (error), ip b (error))" in wrong
    # Where their status says so already, it is said once.
    assert differences(SHARE, None, replace(found, rules_status="error")) == [
        "its access rules are 'error'"
    ]


MEMBER = Facts("new@array#q", "available", 1, exports=("e",), name="one")
SERVER = Facts(
    "new@array", "active", 1, members={"m1": MEMBER, "m2": replace(MEMBER, name="", exports=("f",))}
)


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({}, []),
        ({"status": "error"}, ["its status is 'error'"]),
        ({"copies": 2}, ["the server that it was moved from is still there"]),
        ({"host": "old@array", "members": {}}, 4),
        ({"members": {"m1": MEMBER}}, ["share m2 is not on it"]),
        ({"members": {"m2": SERVER.members["m2"]}}, ["share one is not on it"]),
    ],
)
def test_a_share_server(found, wrong):
    said = differences(SHARE_SERVER, SERVER, replace(SERVER, **found), "new@array")
    assert (len(said) if isinstance(wrong, int) else said) == wrong


def test_a_share_server_that_nobody_looked_at_before():
    assert differences(SHARE_SERVER, None, SERVER) == [f"it is at new@array, not at {NEW}"]
    assert differences(SHARE_SERVER, None, replace(SERVER, members={}), None) == [
        "it has no shares"
    ]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"status": "error"}, "its status is 'error'"),
        ({"host": "old@array#q"}, "it is at old@array#q"),
        ({"copies": 2}, "it has 2 instances"),
        ({"exports": ()}, "it has no export location"),
        ({"rules_status": "error"}, "its access rules are 'error'"),
        ({"rules": frozenset({("ip", "a", "rw")})}, "the access rule ip a rw was not there before"),
    ],
)
def test_a_share_of_a_share_server(change, wrong):
    for share_id, name in (("m1", "one"), ("m2", "m2")):
        members = {**SERVER.members, share_id: replace(SERVER.members[share_id], **change)}
        said = differences(SHARE_SERVER, SERVER, replace(SERVER, members=members), None)
        assert said == [f"share {name}: {wrong}"]


# -- what users see --------------------------------------------------------------------------


def test_a_record_has_all_that_is_known():
    track = Track(
        phase=COPIED,
        mechanism="driver",
        task_state="migration_driver_phase1_done",
        progress=100,
        destination="newer@array#p",
        successor="v2",
        error="x",
        started_at=0.0,
        copied_at=60.0,
        completed_at=180.0,
        sent_at={COMPLETE: 120.0},
        waiting_for=Reason("window", "later"),
        waiting_since=30.0,
        facts_before=Facts(OLD, "available", 1, exports=("a", "b")),
        facts_after=Facts(NEW, "available", 1, exports=("c",)),
    )
    assert as_record(Migration("s0", OLD, NEW, "n", 7), track) == {
        "kind": "share",
        "id": "s0",
        "name": "n",
        "source": OLD,
        "destination": "newer@array#p",
        "phase": "copied",
        "mechanism": "driver",
        "task_state": "migration_driver_phase1_done",
        "progress": 100,
        "size_gb": 7,
        "error": "x",
        "waiting_for": {
            "code": "window",
            "message": "later",
            "since": "1970-01-01T00:00:30Z",
            "transient": True,
        },
        "started_at": "1970-01-01T00:00:00Z",
        "copied_at": "1970-01-01T00:01:00Z",
        "cutover_at": "1970-01-01T00:02:00Z",
        "completed_at": "1970-01-01T00:03:00Z",
        "export_locations_before": ["a", "b"],
        "export_locations_after": ["c"],
        "destination_share_server_id": "v2",
        "shares": [],
    }


def test_a_record_of_what_was_never_met():
    record = as_record(Migration("s0", OLD, NEW), Track())
    assert record == {
        **dict.fromkeys(record),
        "kind": "share",
        "id": "s0",
        "name": "",
        "source": OLD,
        "destination": NEW,
        "phase": IDLE,
        "size_gb": 0,
        "export_locations_before": [],
        "export_locations_after": [],
        "shares": [],
    }


def test_what_others_wrote_reaches_no_terminal_raw():
    record = as_record(
        Migration("s0", OLD, NEW),
        Track(error="a\x1b[2Jb", waiting_for=Reason("slot", "c\x1b]0;d")),
    )
    assert "\x1b" not in record["error"] + record["waiting_for"]["message"]


@pytest.mark.parametrize(
    ("track", "since"),
    [
        (Track(waiting_for=Reason("slot", "m"), waiting_since=None), None),
        (Track(waiting_for=Reason("slot", "m"), waiting_since=1.0), "1970-01-01T00:00:01Z"),
    ],
)
def test_since_when_it_waits_is_said_where_it_is_known(track, since):
    record = as_record(Migration("s0", OLD, NEW), track)
    assert record["waiting_for"] == {
        "code": "slot",
        "message": "m",
        "since": since,
        "transient": True,
    }
    settled = as_record(Migration("s0", OLD, NEW), replace(track, outcome=REACHED))
    assert settled["waiting_for"] is None


def test_the_shares_of_a_share_server_before_and_after():
    gone = replace(MEMBER, name="gone", exports=("x", "y"))
    track = Track(
        facts_before=replace(SERVER, members={"m1": replace(MEMBER, name="old"), "m0": gone}),
        facts_after=replace(SERVER, exports=("own",)),
    )
    record = as_record(Migration("v", OLD, NEW, kind=SHARE_SERVER), track)
    assert record["shares"] == [
        {
            "id": "m0",
            "name": "gone",
            "export_locations_before": ["x", "y"],
            "export_locations_after": [],
        },
        {
            "id": "m1",
            "name": "one",
            "export_locations_before": ["e"],
            "export_locations_after": ["e"],
        },
        {
            "id": "m2",
            "name": "",
            "export_locations_before": [],
            "export_locations_after": ["f"],
        },
    ]
    assert record["export_locations_before"] == ["e", "x", "y"]
    assert record["export_locations_after"] == ["own", "e", "f"]


@pytest.mark.parametrize(
    ("track", "key"),
    [
        (Track(phase=COPIED, outcome=FAILED), "failed"),
        (Track(phase=CANCELLED, outcome=FAILED), "failed"),
        (Track(phase=CANCELLED), "cancelled"),
        (Track(phase=COPIED), "copied"),
        (Track(phase=COMPLETED), "waiting"),
        (Track(phase=COMPLETED, outcome=REACHED), "completed"),
        (Track(phase=COPYING), "waiting"),
        (Track(), "waiting"),
        (Track(phase=IDLE, outcome=REACHED), None),
    ],
)
def test_where_one_of_the_plan_is_counted(track, key):
    counts = summarize([Migration("s0", OLD, NEW)], Memory({"s0": track}))
    assert counts == {
        "total": 1,
        "copied": 0,
        "completed": 0,
        "failed": 0,
        "cancelled": 0,
        "waiting": 0,
        **({key: 1} if key else {}),
    }


def test_each_of_the_plan_is_counted():
    tracks = {name: Track(phase=COPIED) for name in "abc"}
    plan = [Migration(name, OLD, NEW) for name in "abc"]
    assert summarize(plan, Memory(tracks))["copied"] == 3


def test_moments_are_told_in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert timestamp(0.0) == "1970-01-01T00:00:00Z"
    finally:
        monkeypatch.undo()
        time.tzset()
