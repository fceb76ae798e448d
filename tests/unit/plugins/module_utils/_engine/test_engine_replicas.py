# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's rules for the replicas of shares, one story each, on the model of Manila.

A new replica is made at the destination and, once it is in sync, takes the place of the one at the
source: by a promotion if the share is served from there.  Then the old one is removed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._engine import outcomes
from ansible_collections.manila.migration.plugins.module_utils._engine.decide import decide
from ansible_collections.manila.migration.plugins.module_utils._engine.gates import (
    refuses_cancel,
    refuses_complete,
    refuses_remove,
    refuses_start,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.record import (
    as_record,
    describe,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    GOALS,
    REACHED,
    START,
    Limits,
    Memory,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_REPLICA
from ansible_collections.manila.migration.plugins.module_utils._model.markers import Mark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    IDLE,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._engine.test_engine import (
    ends,
    sent,
    waits_for,
    wants,
    why,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    FOREIGNER,
    Manila,
    Pace,
    Unknown,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.model_cloud import (
    Evacuation,
)

OLD, NEW, THIRD = "old@array#p", "new@box#p", "third@crate#p"


def story(*at: str, faults: tuple[str, ...] = (), number: int = 1, **limits) -> Evacuation:
    """Shares with replicas ``at`` these pools (OLD), the first active; the one at OLD is to go."""
    manila = Manila((OLD, NEW, THIRD), faults=faults, odds=1.0, pace=Pace(step=5.0))
    plan = []
    for index in range(number):
        manila.add_replicated(f"s{index}", *(at or (OLD,)), snapshots=("snap",))
        plan.append(Migration(f"s{index}", OLD, NEW, size_gb=10, kind=SHARE_REPLICA))
    chosen = {"max_parallel": 5, "max_parallel_per_pool": 5, "max_failures": 99} | limits
    return Evacuation(manila, plan, Limits(**chosen))


def at(loop: Evacuation, share_id: str = "s0") -> dict[str, str]:
    return {one.host: one.state for one in loop.manila.replicated[share_id].replicas}


def mark(loop: Evacuation, destination: str = NEW) -> Mark:
    return Mark(OLD, destination, timestamp(loop.manila.now))


# -- the way through -------------------------------------------------------------------------


def test_a_replica_is_made_and_rests():
    loop = story(goal=COPIED)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("mark", "s0"), ("start", "s0")]
    track = loop.track("s0")
    assert (track.phase, track.mechanism, track.progress) == (COPIED, "driver", 100)
    assert (track.task_state, track.destination) == ("replica_in_sync", NEW)
    assert at(loop) == {OLD: "active", NEW: "in_sync"}
    assert track.started_at < track.copied_at


def test_the_states_on_the_way():
    loop = story(goal=COMPLETED)
    loop.interval = 1.0
    passed = []
    while not loop.finished and loop.polls < 1000:
        loop.run(1)
        now = (loop.track("s0").phase, loop.track("s0").task_state)
        if now not in passed:
            passed.append(now)
    assert passed == [
        (COPYING, "replica_scheduling"),
        (COPYING, "replica_creating"),
        (COPYING, "replica_out_of_sync"),
        (COPIED, "replica_in_sync"),
        (COMPLETING, "replica_promoting"),
        (COMPLETING, "replica_promoted"),
        (COMPLETING, "replica_removing"),
        (COMPLETED, "replica_moved"),
    ]
    assert at(loop) == {NEW: "active"}
    verbs = ["mark", "start", "complete", "remove", "unmark"]
    assert sent(loop) == [(verb, "s0") for verb in verbs]
    record = as_record(loop.plan[0], loop.track("s0"))
    assert (record["kind"], record["phase"], record["progress"]) == (SHARE_REPLICA, COMPLETED, 100)
    assert record["export_locations_before"] == [f"{OLD}:/s0-r0"]
    assert record["export_locations_after"][0].startswith(f"{NEW}:/")
    assert record["destination_share_server_id"] is None


def test_one_for_disasters_is_left_where_it_is():
    loop = story(OLD, THIRD, goal=COMPLETED)
    assert ends(loop) == (REACHED, "")
    assert at(loop) == {THIRD: "in_sync", NEW: "active"}


def test_one_that_nobody_is_served_from_is_not_promoted():
    loop = story(THIRD, OLD, goal=COMPLETED)
    assert ends(loop) == (REACHED, "")
    assert at(loop) == {THIRD: "active", NEW: "in_sync"}
    # The complete is the removal.
    assert [verb for verb, _id in sent(loop)] == ["mark", "start", "complete", "unmark"]


def test_in_the_window_only_but_the_old_one_goes_at_any_time():
    opens = CutoverWindow.parse({"start": "2027-01-15T10:00", "end": "2027-01-15T10:06"})
    loop = story(goal=COMPLETED, window=opens)
    loop.interval = 350.0
    assert ends(loop) == (REACHED, "")
    times = {call.verb: timestamp(call.at)[11:16] for call in loop.manila.calls}
    assert "10:00" <= times["complete"] < "10:06" <= times["remove"]


def test_caps_count_them_as_all_others():
    loop = story(number=3, goal=COPIED, max_parallel_per_pool=2)
    assert wants(loop) == [("start", "s0"), ("start", "s1")]
    assert waits_for(loop, "s2") == "slot"
    loop.run()
    assert [loop.track(f"s{index}").phase for index in range(3)] == [COPIED] * 3


def test_those_of_others_count_too():
    loop = story(number=2, goal=COPIED, max_parallel=1)
    loop.manila.mark("s1", mark(loop), FOREIGNER)
    loop.manila.create_replica("s1", NEW, FOREIGNER)
    loop.plan.pop()
    assert wants(loop) == []
    assert waits_for(loop) == "slot"


def test_one_that_waits_for_its_removal_only_is_not_at_work():
    loop = story(number=2, goal=COPIED, max_parallel=1)
    share = loop.manila.replicate("s1", mark(loop), "available:active")
    share.replicas[0].state = "in_sync"
    loop.plan.pop()
    assert wants(loop) == [("start", "s0")]


# -- what is ours ----------------------------------------------------------------------------


def test_one_at_the_destination_that_is_not_marked_is_nobodys_business():
    loop = story(OLD, NEW, goal=COMPLETED)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert f"it has a replica at {NEW} already, which this migration has not made" in error
    loop.limits = Limits(goal=CANCELLED)
    loop.forget()
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == []


def test_one_that_is_older_than_the_mark_is_not_ours():
    loop = story(OLD, NEW, goal=CANCELLED)
    loop.manila.advance(60)
    loop.manila.mark("s0", mark(loop), FOREIGNER)
    assert ends(loop) == (REACHED, "")
    assert at(loop) == {OLD: "active", NEW: "in_sync"}
    assert sent(loop) == [("unmark", "s0")]  # what says nothing is removed


def test_a_mark_to_another_pool_is_another_migration():
    loop = story(goal=COMPLETED)
    loop.manila.replicate("s0", mark(loop, THIRD), "available:in_sync")
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert f"it already migrates to {THIRD}, not to {NEW} as planned" in error
    assert sent(loop) == []


def test_two_in_the_pool_are_one_too_many():
    for goal in (COMPLETED, CANCELLED):
        loop = story(goal=goal)
        loop.manila.replicate("s0", mark(loop), "available:in_sync")
        loop.manila.replicate("s0", mark(loop), "available:in_sync")
        outcome, error = ends(loop)
        assert outcome == FAILED
        assert "3 instances of it where two are expected" in error
        assert sent(loop) == []


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        ("error", "in_sync", "its replica at third@crate#p is in the status 'error'"),
        ("available", "error", "its replica at third@crate#p is in the replica state 'error'"),
        ("deleting", "in_sync", "its replica at third@crate#p is in the status 'deleting'"),
        ("available", "active", "2 of its replicas are active, not one"),
    ],
)
@pytest.mark.parametrize("copied", [False, True])
def test_nothing_begins_while_another_one_is_unclear(status, state, said, copied):
    loop = story(OLD, THIRD, goal=COMPLETED)
    if copied:
        loop.manila.replicate("s0", mark(loop), "available:in_sync")
    other = loop.manila.replicated["s0"].replicas[1]
    other.status, other.state = status, state
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert said in error
    assert sent(loop) == []


def test_a_busy_share_is_left_alone():
    loop = story(goal=COPIED)
    loop.manila.replicated["s0"].task_state = "data_copying_in_progress"  # a backup
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "it is busy: its task state is 'data_copying_in_progress'" in error


# -- cancelled -------------------------------------------------------------------------------


@pytest.mark.parametrize("polls", range(1, 14, 3))
def test_a_cancel_removes_the_new_one_only(polls):
    loop = story(OLD, THIRD, goal=COPIED)
    loop.run(polls)
    loop.limits = replace(loop.limits, goal=CANCELLED)
    loop.forget()
    assert ends(loop) == (REACHED, "")
    assert loop.track("s0").phase == CANCELLED
    assert at(loop) == {OLD: "active", THIRD: "in_sync"}
    assert loop.manila.replicated["s0"].metadata == {}
    assert [verb for verb, _id in sent(loop)] == ["mark", "start", "cancel", "unmark"]


def test_a_cutover_can_not_be_cancelled():
    loop = story(goal=CANCELLED)
    share = loop.manila.replicate("s0", mark(loop), "available:active")
    share.replicas[0].state = "in_sync"
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "is served from new@box#p already, which can't be cancelled: complete it" in error
    assert sent(loop) == []


def test_cancelled_by_somebody_else():
    loop = story(goal=COMPLETED)
    loop.run(3)
    (new,) = [one for one in loop.manila.replicated["s0"].replicas if one.state != "active"]
    loop.manila.delete_replica("s0", new.id, FOREIGNER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "was cancelled by somebody else" in error


# -- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", ["scheduler_refuses", "replica_create_fails", "replica_update_fails"]
)
def test_a_new_one_in_error_is_told_and_removed_by_a_cancel(fault):
    loop = story(goal=COMPLETED, faults=(fault,))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith("The new replica of share replica s0 at new@box#p is in error:")
    assert "cancel the migration" in error
    loop.limits = replace(loop.limits, goal=CANCELLED)
    loop.forget()
    assert ends(loop) == (REACHED, "")
    assert at(loop) == {OLD: "active"}
    assert loop.manila.replicated["s0"].metadata == {}


def test_a_promotion_that_fails_is_final():
    loop = story(goal=COMPLETED, faults=("promotion_fails",))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "is in error, as a promotion that fails leaves all replicas of a share" in error
    before = len(sent(loop))
    for goal in GOALS:
        loop.limits = replace(loop.limits, goal=goal)
        loop.forget()
        assert ends(loop)[0] == FAILED
    assert len(sent(loop)) == before


def test_a_promotion_that_does_nothing_is_not_sent_again():
    loop = story(goal=COMPLETED, faults=("promotion_reverts",))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "has not begun since" in error
    assert [verb for verb, _id in sent(loop)] == ["mark", "start", "complete"]


def test_one_that_can_not_be_removed_is_told_and_tried_by_the_next_run():
    loop = story(goal=COMPLETED, faults=("replica_delete_fails",))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "Manila has not removed its replica s0-r0 at the source" in error
    loop.manila.faults = frozenset()
    loop.forget()
    assert ends(loop) == (REACHED, "")
    assert at(loop) == {NEW: "active"}


@pytest.mark.parametrize(
    ("fault", "state"),
    [("replica_lags", "replica_out_of_sync"), ("replica_looks_bad", "replica_sync_error")],
)
def test_one_that_lags_waits_until_it_is_in_sync_again(fault, state):
    loop = story(goal=COMPLETED, faults=(fault,))
    opens = timestamp(loop.manila.now + 900)
    loop.limits = replace(
        loop.limits, window=CutoverWindow.parse({"start": opens, "end": "2027-01-16T00:00:00Z"})
    )
    loop.interval = 10.0
    states = []
    while not loop.finished and loop.polls < 200:
        loop.run(1)
        states.append(loop.track("s0").task_state)
    met = states.index("replica_in_sync")
    assert state in states[met:]
    assert loop.track("s0").outcome == REACHED
    assert loop.broken == []


def test_snapshots_are_waited_for():
    loop = story(goal=COMPLETED, faults=("snapshots_late",))
    while loop.track("s0").task_state != "replica_in_sync" and loop.polls < 100:
        loop.run(1)
    assert waits_for(loop) == "snapshots"
    assert "still being made: snap" in why(loop)
    assert loop.track("s0").phase == COPIED
    assert ends(loop) == (REACHED, "")
    assert loop.manila.violations == []


def test_snapshots_are_not_waited_for_for_ever():
    loop = story(goal=COMPLETED, patience=60.0, faults=("snapshots_late",))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith("share replica s0 is not cut over: its new replica lacks snapshots")


def test_a_cancel_whose_request_is_late_is_not_overtaken_by_a_cutover():
    """A promotion would make the active one of what is removed a moment later."""
    loop = story(goal=COPIED)
    loop.run()
    loop.limits = Limits(goal=CANCELLED)
    loop.forget()
    loop.run(1, kill=(2, False))
    (new,) = [one for one in loop.manila.replicated["s0"].replicas if one.host == NEW]
    loop.manila.at(100, lambda: loop.manila.delete_replica("s0", new.id))
    loop.limits = Limits(goal=COMPLETED, start_new=False)
    assert wants(loop) == []
    assert waits_for(loop) == "cancelling"
    loop.run()
    assert at(loop) == {OLD: "active"}
    assert ("complete", "s0") not in sent(loop)


def test_a_cancelled_replica_leaves_no_metadata():
    loop = story(goal=COPIED)
    loop.run()
    loop.limits = Limits(goal=CANCELLED)
    loop.forget()
    loop.run()
    assert ("record", "s0") in [(one.verb, one.subject) for one in loop.manila.calls]
    assert loop.manila.replicated["s0"].metadata == {}


def test_the_look_before_a_removal_finds_that_the_new_one_serves_nobody():
    loop = story(goal=COMPLETED)
    while wants(loop) != [("remove", "s0")]:
        loop.run(1)
    (action,) = loop.poll().actions
    states = {OLD: "active", NEW: "in_sync"}
    for one in loop.manila.replicated["s0"].replicas:
        one.state = states[one.host]
    loop.perform(action)
    assert ("remove", "s0") not in sent(loop)
    assert at(loop) == states
    assert loop.broken == []


@pytest.mark.parametrize("fault", ["rule_lost", "snapshot_error"])
def test_the_old_one_is_kept_where_the_new_one_is_not_in_order(fault):
    loop = story(goal=COMPLETED, faults=(fault,))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "is served from its destination, and its replica at the source was kept, but" in error
    assert at(loop) == {OLD: "in_sync", NEW: "active"}


def test_a_lost_start_is_waited_for():
    loop = story(goal=COPIED)
    asked = []

    def lose(share_id: str, pool: str) -> int:
        asked.append((share_id, pool))
        raise Unknown("connection reset by peer")

    loop.manila.create_replica = lose
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "The answer to the start of share replica s0 was lost" in error
    assert asked == [("s0", NEW)]


def test_a_mark_that_is_never_written_is_no_lost_start():
    loop = story(goal=COPIED, faults=("answer_lost_never",))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "write its metadata manila_migration_replica" in error
    assert set(sent(loop)) == {("mark", "s0")}
    assert START not in loop.track("s0").sent


def test_a_start_that_is_carried_out_later_is_taken_up():
    loop = story(goal=COPIED, faults=("answer_lost_later",))
    assert ends(loop) == (REACHED, "")
    assert [verb for verb, _id in sent(loop)] == ["mark", "start"]
    assert at(loop) == {OLD: "active", NEW: "in_sync"}


# -- killed ----------------------------------------------------------------------------------


def test_killed_after_the_mark():
    loop = story(goal=COMPLETED)
    loop.manila.mark("s0", mark(loop), FOREIGNER)
    assert ends(loop) == (REACHED, "")
    assert at(loop) == {NEW: "active"}


@pytest.mark.parametrize("goal", [COPIED, COMPLETED])
def test_killed_between_promotion_and_removal(goal):
    loop = story(OLD, THIRD, goal=goal)
    share = loop.manila.replicate("s0", mark(loop), "available:active")
    share.replicas[0].state = "out_of_sync"
    assert ends(loop) == (REACHED, "")
    assert at(loop) == {THIRD: "in_sync", NEW: "active"}
    assert sent(loop) == [("remove", "s0"), ("unmark", "s0")]


@pytest.mark.parametrize("goal", GOALS)
def test_killed_before_the_mark_was_removed(goal):
    loop = story(NEW, goal=goal)
    loop.manila.mark("s0", mark(loop), FOREIGNER)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("unmark", "s0")]
    loop.forget()
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("unmark", "s0")]


def test_a_stale_mark_hinders_nothing():
    """It was moved here, and the mark stayed: now it goes on."""
    loop = story(goal=COMPLETED)
    loop.manila.mark("s0", Mark(THIRD, OLD, mark(loop).since), FOREIGNER)
    assert ends(loop) == (REACHED, "")
    assert at(loop) == {NEW: "active"}


# -- services --------------------------------------------------------------------------------


def test_the_old_one_goes_when_its_manager_is_back():
    loop = story(goal=COMPLETED)
    share = loop.manila.replicate("s0", mark(loop), "available:active")
    share.replicas[0].state = "in_sync"
    loop.manila.stop_service("old@array", 600)
    loop.manila.advance(120)
    loop.run(2)
    assert waits_for(loop) == "service_down"
    assert sent(loop) == []
    assert ends(loop) == (REACHED, "")


def test_nothing_is_started_from_a_disabled_back_end():
    """Manila's scheduler doesn't find the domain of an active replica there."""
    migration = Migration("s", OLD, NEW, kind=SHARE_REPLICA)
    here = Place(OLD, "available", "r")
    services = {
        "old@array": Service("manila-share", "old@array", "disabled", "up"),
        "new@box": Service("manila-share", "new@box", "enabled", "up"),
    }
    for leads, verbs in ((True, []), (False, ["start"])):
        seen = Observation("s", "available", OLD, None, (here,), kind=SHARE_REPLICA, leads=leads)
        reading = Reading({"s": seen}, services=services)
        decision = decide([migration], reading, Limits(), 0.0, Memory())
        assert [action.verb for action in decision.actions] == verbs
        assert decision.finished == leads
        waiting = decision.memory.tracks["s"].waiting_for
        assert (waiting.code if waiting else "") == ("cordoned" if leads else "")


def test_it_is_the_destination_that_promotes_and_removes_the_new_one():
    migration = Migration("s", OLD, NEW, kind=SHARE_REPLICA)
    places = (Place(OLD, "replicating", "r"), Place(NEW, "available", "n"))
    seen = Observation(
        "s", "replicating", OLD, "replica_in_sync", places, kind=SHARE_REPLICA, leads=True
    )
    services = {"new@box": Service("manila-share", "new@box", "enabled", "down")}
    for goal in (COMPLETED, CANCELLED):
        reading = Reading({"s": seen}, services=services)
        decision = decide([migration], reading, Limits(goal=goal), 0.0, Memory())
        assert decision.actions == ()
        assert decision.memory.tracks["s"].waiting_for.code == "service_down"


# -- the gates -------------------------------------------------------------------------------

COPY = Observation(
    "s",
    "replicating",
    OLD,
    "replica_in_sync",
    (Place(OLD, "replicating", "r"), Place(NEW, "available", "n")),
    kind=SHARE_REPLICA,
    leads=True,
)
PLANNED = Migration("s", OLD, NEW, kind=SHARE_REPLICA)


@pytest.mark.parametrize(
    ("task_state", "complete", "cancel", "remove"),
    [
        ("replica_scheduling", False, False, False),
        ("replica_creating", False, True, False),
        ("replica_out_of_sync", False, True, False),
        ("replica_in_sync", True, True, False),
        ("replica_promoting", False, False, False),
        ("replica_promoted", False, False, True),
        ("replica_removing", False, False, False),
        ("replica_cancelling", False, False, False),
        ("replica_sync_error", False, True, False),
        ("replica_unclear", False, False, False),
        ("replica_error", False, True, False),
    ],
)
def test_what_may_be_sent_when(task_state, complete, cancel, remove):
    seen = replace(COPY, task_state=task_state, leads=task_state != "replica_promoted")
    assert (refuses_complete(PLANNED, Track(), seen) is None) == complete
    assert (refuses_cancel(PLANNED, seen) is None) == cancel
    assert (refuses_remove(PLANNED, seen) is None) == remove
    assert refuses_start(PLANNED, seen)


def test_gates_look_at_the_place():
    elsewhere = replace(PLANNED, source=THIRD)
    promoted = replace(COPY, task_state="replica_promoted", leads=False)
    assert "not from third@crate#p as planned" in str(refuses_complete(elsewhere, Track(), COPY))
    assert refuses_cancel(elsewhere, COPY)
    assert refuses_remove(elsewhere, promoted)
    assert refuses_complete(PLANNED, Track(), replace(COPY, obstacle="x")) == "x"
    idle = Observation("s", "available", OLD, None, kind=SHARE_REPLICA, obstacle="y")
    idle = replace(idle, instances=(Place(OLD, "available", "r"),))
    assert refuses_start(PLANNED, idle) == "y"
    assert refuses_start(elsewhere, idle)


@pytest.mark.parametrize(
    ("before", "found", "said"),
    [
        (None, {}, []),
        ({}, {}, []),
        ({"copies": 2}, {}, ["it has 1 replicas where 2 are expected"]),
        (None, {"host": OLD}, [f"it is at {OLD}, not at {NEW}"]),
        (None, {"exports": ()}, ["it has no export location"]),
        # One that waits for a disaster need not have any, but keeps what it has.
        (None, {"exports": (), "active": False}, []),
        ({"exports": ("e",)}, {"exports": (), "active": False}, ["it has no export location"]),
        # Manila 15 never notes that it has handed a new replica its rules.
        (None, {"unapplied": frozenset({("ip 192.0.2.1", "queued_to_apply")})}, []),
        (
            None,
            {
                "unapplied": frozenset({("ip 192.0.2.1", "queued_to_apply")}),
                "rules_status": "syncing",
            },
            ["its access rules are 'syncing'"],
        ),
        (
            None,
            {"unapplied": frozenset({("ip 192.0.2.1", "error"), ("b", "queued_to_apply")})},
            [
                "access rules are not in force (ip 192.0.2.1 (error)), so clients may only be able "
                "to read: any change of a rule of this share makes Manila apply all of them"
            ],
        ),
    ],
)
def test_what_is_compared(before, found, said):
    facts = Facts(NEW, "available", 1, exports=("e",))
    old = None if before is None else replace(facts, host=OLD, **before)
    track = Track(phase=COMPLETED, facts_before=old)
    assert outcomes.faults(PLANNED, track, replace(facts, **found)) == said


def test_described_without_a_plan():
    migration, track = describe(COPY, {}, 0.0)
    assert (migration.kind, migration.source, migration.destination) == (SHARE_REPLICA, OLD, NEW)
    assert (track.phase, track.waiting_for.code) == (COPIED, "operator")
    assert migration.label == "share replica s"
    assert describe(replace(COPY, task_state=None, status="available"), {}, 0.0)[1].phase == IDLE
