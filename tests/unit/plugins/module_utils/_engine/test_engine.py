# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's rules, one story each, told on a model of Manila with a virtual clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.errors import CloudError
from ansible_collections.manila.migration.plugins.module_utils._engine import outcomes
from ansible_collections.manila.migration.plugins.module_utils._engine.decide import (
    decide,
    withholds,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.gates import (
    refuses_complete,
    refuses_start,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.outcomes import differences
from ansible_collections.manila.migration.plugins.module_utils._engine.record import (
    as_record,
    describe,
    summarize,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.refresh import (
    shares_to_refresh,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    CANCEL,
    COMPLETE,
    HINDERED,
    OUTDATED,
    REACHED,
    RECORD,
    REFUSED,
    START,
    UNKNOWN,
    VERIFY,
    Action,
    Limits,
    Memory,
    Other,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.waiting import (
    WAITS_FOR_OPERATOR,
    running_reason,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    CopyMark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import (
    Abandoned,
    Runner,
)
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
    LONGEST_CANCEL_SECONDS,
    STUCK,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    EVACUATION,
    FOREIGNER,
    Manila,
    Refused,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.model_cloud import (
    Evacuation,
)

OLD, NEW, NEWER, OTHER = "old@array#p", "new@array#p", "newer@array#p", "other@array#p"
POOLS = (OLD, NEW, NEWER, OTHER)


def story(
    number: int = 1, *, faults: tuple[str, ...] = (), driver: bool = True, **limits
) -> Evacuation:
    """So many shares at OLD with a plan to bring them to NEW; the named faults always happen."""
    manila = Manila(POOLS, faults=faults, odds=1.0)
    plan = []
    for index in range(number):
        manila.add(f"s{index}", OLD, driver_assisted=driver)
        plan.append(Migration(f"s{index}", OLD, NEW, name=f"name-{index}", size_gb=10))
    chosen = {"max_parallel": 5, "max_parallel_per_pool": 5, "max_failures": 99} | limits
    return Evacuation(manila, plan, Limits(**chosen))


def sent(loop: Evacuation, who: str = EVACUATION) -> list[tuple[str, str]]:
    return [
        (call.verb, call.subject)
        for call in loop.manila.calls
        if call.who == who and call.verb not in ("record", "forget")
    ]


def wants(loop: Evacuation) -> list[tuple[str, str]]:
    return [(action.verb, action.migration.id) for action in loop.poll().actions]


def waits_for(loop: Evacuation, share_id: str = "s0") -> str:
    reason = loop.track(share_id).waiting_for
    assert reason, loop.track(share_id)
    return reason.code


def why(loop: Evacuation, share_id: str = "s0") -> str:
    reason = loop.track(share_id).waiting_for
    assert reason, loop.track(share_id)
    return reason.message


def ends(loop: Evacuation, share_id: str = "s0") -> tuple[str | None, str]:
    track = loop.run().track(share_id)
    assert not loop.timed_out
    assert loop.broken == []
    return track.outcome, track.error or ""


# -- the way through -------------------------------------------------------------------------


@pytest.mark.parametrize("driver", [True, False])
def test_a_share_is_copied_and_rests_at_the_source(driver):
    loop = story(driver=driver, goal=COPIED)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("start", "s0")]
    track = loop.track("s0")
    assert (track.phase, track.mechanism) == (COPIED, "driver" if driver else "host")
    assert loop.manila.shares["s0"].host == OLD
    assert track.started_at
    assert track.copied_at
    assert track.started_at < track.copied_at


@pytest.mark.parametrize("driver", [True, False])
def test_a_share_is_moved_and_checked(driver):
    loop = story(driver=driver, goal=COMPLETED)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("start", "s0"), ("complete", "s0")]
    share = loop.manila.shares["s0"]
    assert (share.host, share.status, len(share.instances)) == (NEW, "available", 1)
    record = as_record(loop.plan[0], loop.track("s0"))
    assert record["phase"] == "completed"
    assert record["export_locations_before"] != record["export_locations_after"] != []
    assert record["waiting_for"] is None


def test_a_second_run_does_nothing():
    first = story(3, goal=COMPLETED).run()
    second = Evacuation(first.manila, first.plan, first.limits)
    calls = len(sent(first))
    second.run()
    assert len(sent(second)) == calls
    assert second.polls == 1
    assert {second.track(one.id).outcome for one in second.plan} == {REACHED}


# -- whose migration it is -------------------------------------------------------------------


def test_a_migration_of_somebody_else_to_the_same_place_is_adopted():
    loop = story(goal=COMPLETED)
    loop.manila.start("s0", NEW, Options(), FOREIGNER)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("complete", "s0")]


def test_a_migration_of_somebody_else_to_another_place_is_left_alone():
    loop = story(goal=COMPLETED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEWER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error == (
        f"share name-0 is left alone: it already migrates to {NEWER}, not to {NEW} as planned; "
        "cancel that migration, or plan with it."
    )
    assert sent(loop) == []


def test_it_is_not_cancelled_either():
    loop = story(goal=CANCELLED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEWER)
    assert ends(loop)[0] == FAILED
    assert sent(loop) == []


def test_without_a_planned_destination_any_is_right():
    loop = story(goal=COMPLETED)
    loop.plan = [Migration("s0", OLD, None)]
    loop.manila.rest("s0", "data_copying_completed", NEWER)
    loop.run()
    assert loop.track("s0").outcome == REACHED
    assert loop.manila.shares["s0"].host == NEWER


def test_without_a_destination_nothing_is_started():
    loop = story(goal=COMPLETED)
    loop.plan = [Migration("s0", OLD, None)]
    outcome, error = ends(loop)
    assert (outcome, sent(loop)) == (FAILED, [])
    assert "to start it, say where to" in error


def test_one_that_began_a_moment_ago_is_watched_until_it_shows_where_it_goes():
    loop = story(goal=COMPLETED)
    loop.manila.start("s0", NEWER, Options(), FOREIGNER)  # no second instance yet
    assert wants(loop) == []
    assert not loop.track("s0").settled
    assert ends(loop)[0] == FAILED
    assert sent(loop) == []


def test_somebody_else_starts_the_same_at_the_same_moment():
    loop = story(goal=COMPLETED)
    decision = loop.poll()
    assert [action.verb for action in decision.actions] == [START]
    loop.manila.start("s0", NEW, Options(), FOREIGNER)
    loop.perform(decision.actions[0])
    assert sent(loop) == []  # the look before the start saw it
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("complete", "s0")]


def test_ours_that_somebody_cancelled_and_started_elsewhere_is_left_alone():
    loop = story(goal=COPIED)
    loop.run(2)
    loop.manila.teleport("s0", OLD)
    loop.manila.shares["s0"].attempt += 1
    loop.manila.rest("s0", "migration_driver_phase1_done", NEWER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert f"it already migrates to {NEWER}" in error


@pytest.mark.parametrize(
    ("goal", "faults", "outcome", "phase", "share_type"),
    [
        (COMPLETED, (), REACHED, COMPLETED, "type-2"),
        (COMPLETED, ("driver_copy_fails",), FAILED, FAILED, "type-1"),
        (CANCELLED, (), REACHED, CANCELLED, "type-1"),
    ],
)
def test_one_that_changes_its_type_in_its_own_pool(goal, faults, outcome, phase, share_type):
    """Adopted wherever it may go: that it is where it was says nothing."""
    loop = story(goal=goal, faults=faults)
    loop.plan = [Migration("s0", OLD, None)]
    loop.manila.start("s0", OLD, Options(new_share_type_id="type-2"), FOREIGNER)
    loop.manila.advance(60)
    loop.run()
    assert loop.broken == []
    assert (loop.track("s0").outcome, loop.track("s0").phase) == (outcome, phase)
    assert loop.manila.shares["s0"].instance.share_type_id == share_type


# -- where it is -----------------------------------------------------------------------------


def test_a_share_that_is_not_where_the_plan_says_is_not_touched():
    loop = story(goal=COMPLETED)
    loop.manila.teleport("s0", NEWER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error == (
        f"share name-0 is not started: it is at {NEWER}, not at {OLD} where the plan says it is."
    )
    assert sent(loop) == []


def test_a_share_that_moved_while_it_waited_is_not_touched():
    loop = story(2, goal=COPIED, max_parallel=1)
    loop.run(1)
    loop.manila.teleport("s1", NEWER)
    assert ends(loop, "s1")[0] == FAILED
    assert sent(loop) == [("start", "s0")]


def test_a_share_that_somebody_moved_to_its_destination_is_done():
    loop = story(2, goal=COMPLETED, max_parallel=1)
    loop.run(1)
    loop.manila.teleport("s1", NEW)
    assert ends(loop, "s1") == (REACHED, "")
    assert ("start", "s1") not in sent(loop)


def test_a_share_that_its_owner_deletes_before_its_turn_is_no_failure():
    loop = story(2, goal=COMPLETED, max_parallel=1)
    loop.run(1)
    del loop.manila.shares["s1"]
    assert ends(loop, "s1") == (REACHED, "")
    assert ends(loop, "s0") == (REACHED, "")


def test_a_share_that_is_gone_while_it_migrates_fails_with_a_word():
    loop = story(goal=COMPLETED)
    loop.run(1)
    del loop.manila.shares["s0"]
    assert ends(loop) == (
        FAILED,
        "share name-0 does not exist any more: it was deleted while it migrated.",
    )


def test_a_share_that_its_owner_extends_is_waited_for():
    plan = [Migration("s0", OLD, NEW)]
    memory, codes = Memory(), []
    for now, status in enumerate(("extending", "extending", "available")):
        seen = Observation("s0", status, OLD, instances=(Place(OLD, status),))
        decision = decide(plan, Reading({"s0": seen}), Limits(), now, memory)
        memory = decision.memory
        waiting = memory.tracks["s0"].waiting_for
        codes.append(decision.actions[0].verb if decision.actions else waiting.code)
    assert codes == ["status", "status", START]


@pytest.mark.parametrize(
    ("task_state", "binary"),
    [("migration_starting", "manila-scheduler"), ("data_copying_in_progress", "manila-data")],
)
def test_a_dead_service_beside_the_managers_is_named(task_state, binary):
    seen = Observation("s0", "migrating", OLD, task_state)
    track = Track(phase=COPYING, task_state=task_state, mechanism=seen.state.mechanism)
    reading = Reading(workers={binary: False})
    reason = running_reason(Migration("s0", OLD, NEW), track, reading)
    assert reason.code == "service_down"
    assert binary in reason.message


def test_what_failed_before_is_said_to_have_failed_before():
    loop = story(goal=COPIED)
    loop.manila.shares["s0"].task_state = "migration_error"
    loop.limits = replace(loop.limits, rehearsal=True)
    loop.poll()
    assert "its last migration failed" in loop.memory.tracks["s0"].waiting_for.message


def test_a_manager_without_a_heartbeat_since_is_waited_for():
    seen = Observation("s0", "migrating", OLD, "migration_driver_phase1_done")
    seen = replace(seen, instances=(Place(OLD, "migrating"), Place(NEW, "migrating_to")))
    limits = Limits(goal=COMPLETED, grace=10)
    memory, codes = Memory(), []
    for now, beat in ((0.0, -5.0), (20.0, -5.0), (21.0, 20.0)):
        service = Service("manila-share", "n@old", "enabled", "up", beat=beat)
        reading = Reading({"s0": seen}, services={backend_of(OLD): service})
        decision = decide([Migration("s0", OLD, NEW)], reading, limits, now, memory)
        memory = decision.memory
        waiting = memory.tracks["s0"].waiting_for
        codes.append(decision.actions[0].verb if decision.actions else waiting.code)
    assert codes == ["grace", "grace", COMPLETE]


def test_success_at_another_place_than_planned_is_no_success():
    loop = story(goal=COMPLETED)
    loop.run(2)
    loop.manila.teleport("s0", NEWER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith(f"share name-0 is at {NEWER} (share type type-1,")


# -- what must not be started ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({}, None),
        ({"task_state": "migration_error"}, None),
        ({"task_state": "migration_cancelled"}, None),
        ({"task_state": "migration_success"}, None),
        ({"task_state": "data_copying_error"}, None),
        ({"status": "migrating"}, "its status is 'migrating', not 'available'"),
        ({"host": NEWER}, f"it is at {NEWER}, not at {OLD} where the plan says it is"),
        ({"task_state": "migration_starting"}, "it is busy: its task state is"),
        ({"task_state": "migration_completing"}, "it is busy: its task state is"),
        ({"task_state": "data_copying_cancelled"}, "it is busy: its task state is"),
        (
            {"instances": (Place(OLD, "available"), Place(NEW, "error"))},
            "it has 2 instances where one is expected",
        ),
        (
            {
                "instances": (Place(OLD, "available"), Place(NEW, "error")),
                "task_state": "data_copying_error",
            },
            "it is busy: its task state is 'data_copying_error'",
        ),
        ({"instances": None}, "it has None instances"),
        ({"access_rules_status": "error"}, "its access rules are in error"),
        ({"access_rules_status": "syncing"}, None),
    ],
)
def test_the_gate_before_a_start(change, refusal):
    seen = Observation("s0", "available", OLD, None, (Place(OLD, "available"),))
    answer = refuses_start(Migration("s0", OLD, NEW), replace(seen, **change))
    assert answer is None if refusal is None else (answer or "").startswith(refusal)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({}, None),
        ({"task_state": "data_copying_completed"}, None),
        ({"instances": None}, None),
        ({"task_state": "migration_driver_in_progress"}, "it is not copied"),
        ({"task_state": "migration_completing"}, "it is not copied"),
        ({"status": "available"}, "it is not copied"),
        ({"host": NEWER}, f"it migrates from {NEWER}"),
        (
            {"instances": (Place(OLD, "migrating"), Place(NEWER, "migrating_to"))},
            f"it already migrates to {NEWER}",
        ),
    ],
)
def test_the_gate_before_a_complete(change, refusal):
    seen = Observation(
        "s0",
        "migrating",
        OLD,
        "migration_driver_phase1_done",
        (Place(OLD, "migrating"), Place(NEW, "migrating_to")),
    )
    answer = refuses_complete(Migration("s0", OLD, NEW), Track(), replace(seen, **change))
    assert answer is None if refusal is None else (answer or "").startswith(refusal)


def test_a_leftover_instance_forbids_a_start():
    loop = story(goal=COMPLETED)
    loop.manila.leave_behind("s0", NEW)
    outcome, error = ends(loop)
    assert (outcome, sent(loop)) == (FAILED, [])
    assert "it has 2 instances where one is expected" in error


def test_a_transitional_moment_is_waited_for():
    """Manila writes the busy task state a moment before the status."""
    loop = story(goal=COMPLETED)
    loop.manila.shares["s0"].task_state = "migration_starting"
    assert wants(loop) == []
    assert not loop.track("s0").settled
    loop.manila.shares["s0"].task_state = None
    assert ends(loop) == (REACHED, "")


def test_a_busy_task_state_that_stays_is_refused():
    loop = story(goal=COMPLETED)
    loop.manila.shares["s0"].task_state = "migration_starting"
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.endswith("it is busy: its task state is 'migration_starting'.")
    assert sent(loop) == []


# -- caps ------------------------------------------------------------------------------------


def test_no_more_than_max_parallel_work_at_once():
    loop = story(5, goal=COPIED, max_parallel=2)
    assert wants(loop) == [(START, "s0"), (START, "s1")]
    assert waits_for(loop, "s2") == "slot"
    loop.run()
    assert loop.broken == []
    assert {loop.track(one.id).outcome for one in loop.plan} == {REACHED}


def test_no_more_than_max_parallel_per_pool_work_in_one():
    loop = story(3, goal=COPIED, max_parallel_per_pool=2)
    loop.plan[2] = replace(loop.plan[2], destination=NEWER)
    assert wants(loop) == [(START, "s0"), (START, "s1")]  # OLD is full
    assert "work in old@array#p" in why(loop, "s2")


def test_what_is_waited_for_is_told_anew_when_it_changes():
    """Who waits for a slot isn't looked at while nothing changes; that must not make it stale."""
    loop = story(4, goal=COPIED, max_parallel=2, max_parallel_per_pool=1)
    for index in (2, 3):  # from and to other pools
        loop.manila.teleport(f"s{index}", NEWER)
        loop.plan[index] = replace(loop.plan[index], source=NEWER, destination=OTHER)
    reasons = []
    for _poll in range(3):
        for action in loop.poll().actions:
            loop.perform(action)
        reasons.append([why(loop, one) for one in ("s1", "s3")])
        loop.manila.advance(1)
    assert sent(loop) == [("start", "s0"), ("start", "s2")]
    full = "2 migrations are at work in the cloud, max_parallel is 2"
    assert "work in old@array#p" in reasons[0][0] and reasons[0][1] == full
    assert reasons[1:] == [[full, full], [full, full]]
    assert loop.broken == []


def test_destinations_have_caps_as_sources_have():
    loop = story(3, goal=COPIED, max_parallel_per_pool=2)
    loop.manila.teleport("s2", NEWER)
    loop.plan[2] = replace(loop.plan[2], source=NEWER)
    assert wants(loop) == [(START, "s0"), (START, "s1")]
    assert "work in new@array#p" in why(loop, "s2")


def test_migrations_of_others_count():
    loop = story(2, goal=COPIED, max_parallel=2)
    loop.manila.add("theirs", NEWER)
    loop.manila.start("theirs", OLD, Options(), FOREIGNER)
    assert wants(loop) == [(START, "s0")]
    assert waits_for(loop, "s1") == "slot"


def test_migrations_of_others_count_in_their_pools():
    loop = story(goal=COPIED, max_parallel_per_pool=1)
    loop.manila.add("theirs", NEWER)
    loop.manila.start("theirs", NEW, Options(), FOREIGNER)
    loop.manila.advance(20)
    assert wants(loop) == []
    assert "work in new@array#p" in why(loop, "s0")


def test_a_completing_migration_of_others_counts_while_it_looks_at_rest():
    loop = story(goal=COPIED, max_parallel=1)
    loop.manila.add("theirs", NEWER, driver_assisted=False)
    loop.manila.rest("theirs", "data_copying_completed", NEW)
    loop.limits = replace(loop.limits, start_new=False)
    loop.run(1)
    loop.limits = replace(loop.limits, start_new=True)
    loop.manila.complete("theirs", FOREIGNER)
    loop.manila.advance(15)
    assert loop.manila.shares["theirs"].status == "available"  # and its source is deleting
    assert wants(loop) == []
    assert loop.memory.others["theirs"].source == NEWER
    loop.manila.advance(60)
    assert wants(loop) == [(START, "s0")]
    assert loop.memory.others == {}


def test_what_rests_takes_no_slot():
    loop = story(2, goal=COPIED, max_parallel=1)
    loop.manila.rest("s1", "migration_driver_phase1_done", NEW)
    loop.manila.add("theirs", NEWER)
    loop.manila.rest("theirs", "migration_driver_phase1_done", OLD)
    assert wants(loop) == [(START, "s0")]


def test_a_settled_share_that_works_counts():
    """Copied is all that was wanted; then somebody else cuts it over."""
    loop = story(2, goal=COPIED, max_parallel=1)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.limits = replace(loop.limits, start_new=False)
    loop.run(1)
    assert loop.track("s0").outcome == REACHED
    loop.manila.complete("s0", FOREIGNER)
    loop.manila.advance(2)
    loop.limits = replace(loop.limits, start_new=True)
    assert wants(loop) == []
    assert waits_for(loop, "s1") == "slot"


def test_a_complete_that_manila_has_not_acted_on_takes_a_slot():
    loop = story(2, goal=COMPLETED, max_parallel=1)
    for share_id in ("s0", "s1"):
        loop.manila.rest(share_id, "migration_driver_phase1_done", NEW)
    loop.manila.pace.manager = 100.0
    loop.run(1)
    assert sent(loop) == [("complete", "s0")]
    assert wants(loop) == []
    assert waits_for(loop, "s0") == "completing"
    assert waits_for(loop, "s1") == "slot"


def test_an_error_that_is_not_over_takes_a_slot():
    loop = story(2, goal=COPIED, max_parallel=1, driver=False)
    loop.run(2)
    loop.manila.advance(30)
    loop.manila.shares["s0"].task_state = "data_copying_error"
    loop.manila.shares["s0"].attempt += 1
    assert wants(loop) == []
    assert loop.track("s0").phase == STUCK
    assert waits_for(loop, "s1") == "slot"


def test_completes_come_before_starts():
    loop = story(2, goal=COMPLETED, max_parallel=1)
    loop.manila.rest("s1", "migration_driver_phase1_done", NEW)
    assert wants(loop) == [(COMPLETE, "s1")]


# -- failures --------------------------------------------------------------------------------


def test_after_max_failures_nothing_new_begins():
    loop = story(4, goal=COPIED, max_failures=1, max_parallel=2, faults=("driver_copy_fails",))
    loop.run()
    assert sent(loop) == [("start", "s0"), ("start", "s1")]
    assert not loop.timed_out
    assert loop.finished
    assert {loop.track(one).outcome for one in ("s0", "s1")} == {FAILED}
    assert waits_for(loop, "s2") == "failures"
    assert why(loop, "s2") == ("2 of the plan failed, max_failures is 1: nothing new is begun")


def test_what_runs_is_brought_to_a_rest_and_no_further():
    loop = story(2, goal=COMPLETED, max_failures=1)
    loop.run(1)
    del loop.manila.shares["s0"]
    loop.run()
    assert loop.track("s1").phase == COPIED
    assert waits_for(loop, "s1") == "failures"
    assert sent(loop) == [("start", "s0"), ("start", "s1")]
    assert loop.finished


def test_failures_below_the_budget_stop_nothing():
    loop = story(3, goal=COPIED, max_failures=2)
    loop.manila.teleport("s0", NEWER)
    assert wants(loop) == [(START, "s1"), (START, "s2")]


def test_failures_do_not_hinder_a_cancel():
    loop = story(2, goal=CANCELLED, max_failures=1)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEWER)
    loop.manila.rest("s1", "migration_driver_phase1_done", NEW)
    assert ends(loop, "s1") == (REACHED, "")


def test_a_failure_in_the_middle_of_a_poll_withholds_the_rest_of_it():
    loop = story(2, goal=COPIED, max_failures=1)
    first, second = loop.poll().actions
    loop.memory = outcomes.after(loop.memory, first, REFUSED, loop.manila.now, "413: no quota")
    assert withholds(second, (), loop.memory, loop.limits, loop.manila.now)
    loop.perform(second)
    assert sent(loop) == []


def test_the_sentence_of_a_refusal_reaches_the_user():
    loop = story(goal=COPIED)
    (action,) = loop.poll().actions
    memory = outcomes.after(loop.memory, action, REFUSED, 0.0, "Share limit exceeded.")
    assert memory.tracks["s0"].error == (
        "Manila refused to start the migration of share name-0: Share limit exceeded."
    )


@pytest.mark.parametrize(
    ("fault", "driver"),
    [
        ("scheduler_refuses", True),
        ("driver_copy_fails", True),
        ("mount_fails", False),
        ("copy_fails", False),
    ],
)
def test_a_copy_that_fails_is_a_failure_and_not_tried_again(fault, driver):
    loop = story(goal=COMPLETED, faults=(fault,), driver=driver)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error == (
        f"Manila reports 'migration_error' for share name-0, which is available at {OLD}; the "
        "reason is in the logs of manila-scheduler, manila-share or manila-data. When that is "
        "mended, run it again."
    )
    assert sent(loop) == [("start", "s0")]


def test_an_error_before_the_status_is_not_believed_at_once():
    loop = story(goal=COMPLETED, driver=False)
    loop.plan[0] = replace(loop.plan[0], options=Options(writable=True))
    loop.manila.pace.step = 60.0
    loop.run(2)
    loop.manila.advance(60)
    share = loop.manila.shares["s0"]
    assert (share.status, share.task_state) == ("migrating", "migration_error")
    loop.poll()
    assert loop.track("s0").outcome is None
    assert waits_for(loop) == "unclear"
    assert ends(loop)[0] == FAILED


def test_both_instances_in_error_ends_with_a_word():
    loop = story(goal=COMPLETED, faults=("driver_complete_fails",))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith(
        "share name-0 is stuck: status 'error', task state 'migration_error', 2 instances, for "
    )
    assert "find out which copy is good" in error
    assert sent(loop) == [("start", "s0"), ("complete", "s0")]


def test_a_slow_delete_of_the_source_is_waited_for():
    """The host flips to the destination, back to the source, and to the destination again."""
    loop = story(goal=COMPLETED, driver=False, faults=("slow_source_delete",))
    assert ends(loop) == (REACHED, "")
    assert loop.manila.shares["s0"].task_state == "migration_error"
    assert loop.manila.shares["s0"].host == NEW


def test_a_failed_cutover_that_leaves_two_instances_is_not_forgotten():
    loop = story(goal=COMPLETED)
    loop.run(2)
    loop.manila.reset("s0", "migration_error")
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "Manila reports 'migration_error'" in error


def test_a_leftover_beside_a_success_does_not_wait_for_ever():
    loop = story(goal=COMPLETED)
    loop.manila.teleport("s0", NEW)
    loop.manila.leave_behind("s0", OLD)
    outcome, error = ends(loop)
    assert (outcome, sent(loop)) == (FAILED, [])
    assert "task state 'migration_success', 2 instances" in error


# -- answers that got lost -------------------------------------------------------------------


def test_a_start_whose_answer_is_lost_is_found_running():
    loop = story(goal=COPIED, faults=("answer_lost_done",))
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("start", "s0")]


@pytest.mark.parametrize(
    "task_state", [None, "migration_error", "migration_cancelled", "migration_success"]
)
def test_a_start_that_is_carried_out_minutes_later(task_state):
    """Until then the end of an earlier migration says nothing about this one."""
    loop = story(goal=COPIED, faults=("answer_lost_later",))
    loop.manila.shares["s0"].task_state = task_state
    loop.run(2)
    assert loop.track("s0").sent == {START: UNKNOWN}
    assert waits_for(loop) == "answer"
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("start", "s0")]


@pytest.mark.parametrize("task_state", [None, "migration_error", "migration_success"])
def test_a_start_that_never_is_carried_out_fails_with_a_word(task_state):
    loop = story(goal=COPIED, faults=("answer_lost_never",))
    loop.manila.shares["s0"].task_state = task_state
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith("The answer to the start of share name-0 was lost")
    assert sent(loop) == [("start", "s0")]


def test_a_lost_start_takes_a_slot():
    loop = story(2, goal=COPIED, faults=("answer_lost_later",), max_parallel=1)
    loop.run(1)
    assert wants(loop) == []
    assert waits_for(loop, "s1") == "slot"


def test_a_lost_start_is_looked_at_when_it_runs():
    """What runs now may be somebody else's, to another place."""
    loop = story(goal=COPIED, faults=("answer_lost_never",))
    loop.run(1)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEWER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert f"it already migrates to {NEWER}" in error


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("answer_lost_done", REACHED),
        ("answer_lost_later", REACHED),
        ("answer_lost_never", FAILED),
    ],
)
def test_a_complete_is_never_sent_twice(fault, outcome):
    loop = story(goal=COMPLETED, faults=(fault,))
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.run(1)
    assert loop.track("s0").sent == {COMPLETE: UNKNOWN}
    assert ends(loop)[0] == outcome
    assert sent(loop) == [("complete", "s0")]
    assert loop.manila.violations == []


def test_a_lost_complete_says_what_is_waited_for_and_then_fails():
    loop = story(goal=COMPLETED, faults=("answer_lost_never",))
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.run(1)
    loop.poll()
    assert waits_for(loop) == "answer"
    assert "It is not asked for twice" in ends(loop)[1]


def test_a_complete_that_was_accepted_and_lost_fails_too():
    """RabbitMQ restarted: its queues are not durable."""
    loop = story(2, goal=COMPLETED, max_parallel=1)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.manila.pace.manager = 1e9
    loop.run(1)
    loop.manila.pace.manager = 1.0
    assert ends(loop)[0] == FAILED
    assert sent(loop).count(("complete", "s0")) == 1
    assert loop.track("s1").outcome == REACHED  # and its slot is free again


# -- copies that an error interrupted --------------------------------------------------------


@pytest.mark.parametrize("goal", [COPIED, COMPLETED])
def test_a_copy_that_was_interrupted_is_never_completed(goal):
    """manila-data died; an operator sets data_copying_completed to be able to cancel."""
    loop = story(goal=goal, driver=False, faults=("data_crash", "repair_in_the_open"))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "an error interrupted its copy" in error
    assert ("complete", "s0") not in sent(loop)
    assert loop.manila.violations == []


def test_a_false_error_taints_too():
    loop = story(goal=COMPLETED, driver=False, faults=("false_data_error",))
    outcome, error = ends(loop)
    assert (outcome, sent(loop)) == (FAILED, [("start", "s0")])
    assert "cancel it and copy again" in error


def test_a_crash_of_the_data_service_ends_as_stuck():
    loop = story(goal=COMPLETED, driver=False, faults=("data_crash",))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith(
        "share name-0 is stuck: status 'migrating', task state 'data_copying_error'"
    )


# -- cancel ----------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", [True, False])
@pytest.mark.parametrize("after", [0, 30, 100, 600])
def test_cancel_at_any_time(driver, after):
    """In the middle of a host-assisted copy it ends as migration_success at the source."""
    loop = story(goal=CANCELLED, driver=driver)
    loop.manila.start("s0", NEW, Options(), FOREIGNER)
    loop.manila.advance(after)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("cancel", "s0")]
    assert loop.track("s0").phase == CANCELLED
    loop.manila.advance(10)
    assert loop.manila.shares["s0"].host == OLD
    assert loop.manila.shares["s0"].task_state in ("migration_success", "migration_cancelled")


def test_a_mixed_plan_is_cancelled():
    loop = story(5, goal=CANCELLED)
    loop.manila.rest("s1", "migration_driver_phase1_done", NEW)
    loop.manila.start("s2", NEW, Options(), FOREIGNER)
    loop.manila.teleport("s3", NEW)
    loop.manila.leave_behind("s4", NEW)
    loop.run()
    assert not loop.timed_out
    assert {loop.track(one.id).outcome for one in loop.plan} == {REACHED}
    assert sorted(sent(loop)) == [("cancel", "s1"), ("cancel", "s2")]
    assert summarize(loop.plan, loop.memory) == {
        "total": 5,
        "copied": 0,
        "completed": 1,
        "failed": 0,
        "cancelled": 2,
        "waiting": 0,
    }


def test_a_share_that_is_being_cut_over_can_not_be_cancelled():
    loop = story(goal=CANCELLED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.manila.complete("s0", FOREIGNER)
    loop.manila.advance(2)
    outcome, error = ends(loop)
    assert (outcome, error) == (
        FAILED,
        "The migration of share name-0 was completed before it could be cancelled.",
    )
    assert sent(loop) == []


def test_a_driver_that_can_not_cancel_ends_with_a_word():
    loop = story(goal=CANCELLED, faults=("driver_cancel_fails",))
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "has had no effect (task state 'migration_driver_phase1_done')" in error
    assert sent(loop) == [("cancel", "s0")]


# -- a cancel that takes long ----------------------------------------------------------------


def cancelled_and_killed(after: bool = True, **more) -> Evacuation:
    """A copied share, and a run that was killed before or after Manila got its cancel."""
    loop = story(goal=CANCELLED, faults=("slow_cancel",), **more)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    # The first request writes the mark, the second one is the cancel.
    loop.run(1, kill=(2, after))
    assert loop.manila.shares["s0"].task_state == "migration_driver_phase1_done"
    assert bool(sent(loop)) == after
    return loop


@pytest.mark.parametrize("goal", [COPIED, COMPLETED])
def test_what_another_run_cancels_is_not_cut_over(goal):
    """Manila shows it copied until the driver is done, and would take a complete."""
    loop = cancelled_and_killed()
    loop.limits = replace(loop.limits, goal=goal, start_new=False)
    assert wants(loop) == []
    assert waits_for(loop) == "cancelling"
    assert not loop.finished
    loop.run()
    assert loop.manila.violations == []
    assert sent(loop) == [("cancel", "s0")]
    assert waits_for(loop) == "not_started"
    share = loop.manila.shares["s0"]
    assert (share.host, share.status, share.recorded) == (OLD, "available", "")


def test_what_another_run_cancels_is_not_cancelled_twice():
    loop = cancelled_and_killed()
    assert wants(loop) == []
    assert waits_for(loop) == "cancelling"
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("cancel", "s0")]
    assert loop.manila.violations == []
    assert loop.manila.shares["s0"].recorded == ""


def test_a_cancel_that_never_arrived_is_sent_once_a_driver_could_not_be_at_it_any_more():
    """The way out: cancel again.  Until then nobody can know that nothing was sent."""
    loop = cancelled_and_killed(after=False)
    begin = loop.manila.now
    assert wants(loop) == []
    assert ends(loop) == (REACHED, "")
    (call,) = [one for one in loop.manila.calls if one.verb == "cancel"]
    assert 0 <= call.at - begin - LONGEST_CANCEL_SECONDS[SHARE] < 300
    assert loop.manila.shares["s0"].recorded == ""


def test_what_was_to_be_cancelled_and_never_was_is_not_cut_over():
    loop = cancelled_and_killed(after=False)
    loop.limits = replace(loop.limits, goal=COMPLETED)
    begin = loop.manila.now
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "has not ended: cancel it again" in error
    assert loop.manila.now - begin >= LONGEST_CANCEL_SECONDS[SHARE]
    assert sent(loop) == []


def test_a_cancel_that_takes_an_hour_is_waited_for():
    loop = story(goal=CANCELLED, faults=("slow_cancel",))
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("cancel", "s0")]


def test_a_mark_of_an_earlier_copy_hinders_nothing():
    loop = story(goal=COMPLETED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    mark = CopyMark("s0-of-old", timestamp(loop.manila.now))
    loop.manila.record("s0", str(mark), FOREIGNER)
    assert ends(loop) == (REACHED, "")
    assert loop.manila.shares["s0"].recorded == ""


@pytest.mark.parametrize(
    "blanks", ["{}  cancelled at {}", " {} cancelled at {}", "{} cancelled at {}\n"]
)
def test_blanks_do_not_make_a_mark_void(blanks):
    loop = story(goal=COMPLETED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    sent_at = timestamp(loop.manila.now - 2 * LONGEST_CANCEL_SECONDS[SHARE])
    loop.manila.record("s0", blanks.format("s0-1", sent_at), FOREIGNER)
    outcome, error = ends(loop)
    assert outcome == FAILED and sent_at in error
    assert sent(loop) == []


def test_a_refused_cancel_leaves_what_was_written_before():
    for before in ("", "s0-1"):
        loop = story(goal=CANCELLED)
        share = loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
        share.recorded = before

        def refuse(_subject, _who=EVACUATION):
            raise Refused(400, "Migration cannot be cancelled at this moment.")

        loop.manila.cancel = refuse
        assert ends(loop)[0] == FAILED
        assert share.recorded == before


def test_a_mark_that_can_not_be_written_ends_with_a_word_and_without_a_cancel():
    loop = story(goal=CANCELLED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)

    def refuse(_share, _copy, _who=EVACUATION):
        raise Refused(403, "no metadata")

    loop.manila.record = refuse
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "write its metadata manila_migration_interrupted" in error
    assert sent(loop) == []


def test_somebody_cancels_right_before_a_cutover():
    """Between the reading and the last look another run has marked the copy and cancelled it."""
    loop = story(goal=COMPLETED, faults=("slow_cancel",))
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    (action,) = loop.poll().actions
    other = Evacuation(loop.manila, loop.plan, replace(loop.limits, goal=CANCELLED))
    other.run(1)
    loop.perform(action)
    assert sent(loop) == [("cancel", "s0")]
    loop.run(1)
    assert waits_for(loop) == "cancelling"


def test_of_two_that_cancel_at_once_one_waits():
    loop = story(goal=CANCELLED, faults=("slow_cancel",))
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    (action,) = loop.poll().actions
    other = Evacuation(loop.manila, loop.plan, loop.limits)
    other.run(1)
    loop.perform(action)
    assert sent(loop) == [("cancel", "s0")]
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("cancel", "s0")]


def test_a_look_that_fails_after_the_mark_does_not_hinder_the_cancel_of_the_same_run():
    loop = story(goal=CANCELLED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    observe, failures = loop.cloud.observe, [CloudError("away")]

    def fail_once(ids):
        if loop.manila.shares["s0"].recorded and set(ids) and failures:
            raise failures.pop()
        return observe(ids)

    loop.cloud.observe = fail_once
    begin = loop.manila.now
    assert ends(loop) == (REACHED, "")
    assert failures == []
    assert loop.manila.now - begin < 300


def test_of_two_that_mark_at_once_only_the_last_one_cancels():
    loop = story(goal=CANCELLED)
    share = loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    record = loop.manila.record
    theirs = CopyMark(share.instances[1].id, timestamp(loop.manila.now + 1))

    def record_and_lose(share_id, copy_id, who=EVACUATION):
        record(share_id, copy_id, who)
        return record(share_id, str(theirs), FOREIGNER)

    loop.manila.record = record_and_lose
    loop.run(1)
    assert sent(loop) == []
    loop.run(1)
    assert waits_for(loop) == "cancelling"


def test_what_was_to_be_cancelled_is_not_said_to_be_copied_either():
    loop = cancelled_and_killed(after=False)
    loop.limits = replace(loop.limits, goal=COPIED)
    loop.manila.advance(LONGEST_CANCEL_SECONDS[SHARE])
    assert ends(loop)[0] == FAILED


def test_a_cancel_of_another_run_shows_while_the_window_is_waited_for():
    loop = story(goal=COMPLETED, faults=("slow_cancel",))
    loop.limits = replace(loop.limits, window=window_of(loop, 3600, 7200))
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.run(2)
    assert waits_for(loop) == "window"
    Evacuation(loop.manila, loop.plan, replace(loop.limits, goal=CANCELLED)).run(1)
    loop.run(2)
    assert waits_for(loop) == "cancelling"


def test_what_hindered_a_start_hinders_no_cutover():
    loop = story(goal=COMPLETED)
    (action,) = loop.poll().actions
    begun = loop.manila.now
    loop.memory = outcomes.after(loop.memory, action, HINDERED, begun, "no answer")
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.manila.advance(2 * loop.limits.patience)
    assert ends(loop) == (REACHED, "")


def test_what_nobody_answers_ends_a_start():
    loop = story(goal=COMPLETED)
    for share in (0.0, 0.9, 0.1):
        loop.manila.advance(share * loop.limits.patience)
        actions = loop.poll().actions
        for action in actions:
            loop.memory = outcomes.after(
                loop.memory, action, HINDERED, loop.manila.now, "no answer"
            )
            assert waits_for(loop) == "answer"
    assert actions == ()
    assert loop.track("s0").outcome == FAILED


def interrupted_copy() -> tuple[Evacuation, Action]:
    """A share whose copy was interrupted, and the record of that, about to be written."""
    loop = story(goal=COMPLETED)
    loop.manila.rest("s0", "data_copying_error", NEW)
    (action,) = loop.poll().actions
    assert action.verb == RECORD
    return loop, action


@pytest.mark.parametrize("others", [0, 2])
def test_nothing_is_recorded_where_it_is_unclear_which_copy_is_meant(others):
    loop, action = interrupted_copy()
    share = loop.manila.shares["s0"]
    source, copy = share.instances
    share.instances = [source, copy, replace(copy, id="s0-other")][: 1 + others]
    loop.perform(action)
    assert loop.manila.calls == []


def test_nothing_is_recorded_once_the_watcher_is_gone():
    loop, action = interrupted_copy()

    def gone() -> None:
        raise Abandoned

    runner = Runner(loop.cloud, loop.plan, loop.limits, timeout=10, poll_interval=1, guard=gone)
    runner.memory = loop.memory
    with pytest.raises(Abandoned):
        runner.perform(action)
    assert loop.manila.calls == []
    loop.perform(action)
    assert [one.verb for one in loop.manila.calls] == ["record"]


def test_one_look_tells_that_it_is_being_cancelled():
    loop = cancelled_and_killed()
    (seen,), _gone = loop.manila.observe(["s0"])[0].values(), None
    migration, track = describe(seen, {}, loop.manila.now)
    assert as_record(migration, track)["waiting_for"]["code"] == "cancelling"


@pytest.mark.parametrize(("mark", "verb"), [(None, COMPLETE), ("", CANCEL)])
def test_one_look_tells_that_an_interrupted_copy_waits_for_its_cancel(mark, verb):
    loop = story(goal=COPIED).run()
    (seen,) = loop.manila.observe(["s0"])[0].values()
    copy = None if mark is None else CopyMark(seen.copy.id, mark)
    _migration, track = describe(replace(seen, copy_mark=copy), {}, loop.manila.now)
    assert track.waiting_for == WAITS_FOR_OPERATOR[verb]


@pytest.mark.parametrize(
    ("cancelled_at", "within"),
    [
        ("2027-01-15T08:00:00Z", True),
        ("2027-01-15T06:54:59Z", False),
        ("2027-01-15T10:00:00Z", False),  # far ahead: not by any clock of ours
        ("yesterday", False),
        ("", False),
    ],
)
def test_how_long_a_mark_of_a_cancel_holds(cancelled_at, within):
    """Tenants may write metadata, too."""
    now = 1_800_000_000.0  # 2027-01-15T08:00:00Z
    assert CopyMark("i", cancelled_at).is_cancelled_within(3900, now) is within
    read = CopyMark.of({INTERRUPTED: f"i cancelled at {cancelled_at}"})
    assert read == CopyMark("i", cancelled_at if cancelled_at.endswith("Z") else "")


def test_a_cancel_in_a_large_file_is_waited_for():
    """manila-data looks for a cancel between two files."""
    loop = story(goal=CANCELLED, driver=False)
    loop.manila.pace.copy = 8 * 3600.0
    loop.timeout = 24 * 3600.0
    loop.manila.start("s0", NEW, Options(), FOREIGNER)
    loop.manila.advance(100)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("cancel", "s0")]


def test_a_cancel_waits_for_the_manager_of_the_source():
    loop = story(goal=CANCELLED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.manila.stop_service("old@array", 400)
    loop.manila.advance(60)
    assert wants(loop) == []
    assert waits_for(loop) == "service_down"
    assert ends(loop) == (REACHED, "")


def test_cancelled_by_somebody_else_is_a_failure_of_ours():
    loop = story(goal=COMPLETED)
    loop.run(4)
    loop.manila.cancel("s0", FOREIGNER)
    outcome, error = ends(loop)
    assert (outcome, error) == (
        FAILED,
        "The migration of share name-0 was cancelled by somebody else. Run it again to start it anew.",
    )
    assert loop.track("s0").phase == CANCELLED


def test_a_reset_is_told_from_an_end():
    loop = story(goal=COMPLETED)
    loop.run(4)
    share = loop.manila.shares["s0"]
    share.instances = share.instances[:1]
    loop.manila.reset("s0", None)
    assert ends(loop)[1].endswith(
        "its task state is None; somebody reset it. Ask migration_repair how it stands."
    )


def test_a_left_instance_after_a_cancel_is_a_failure():
    loop = story(goal=CANCELLED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.poll()
    loop.manila.reset("s0", "migration_cancelled")
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.endswith(
        "but its cancelled migration left 2 instances. Ask migration_repair which of them can go."
    )


# -- when ------------------------------------------------------------------------------------


def window_of(loop: Evacuation, begin: float, end: float) -> CutoverWindow:
    moments = (timestamp(loop.manila.now + moment) for moment in (begin, end))
    return CutoverWindow.parse(dict(zip(("start", "end"), moments)))


def test_nothing_is_cut_over_before_the_window():
    loop = story(goal=COMPLETED)
    opens = loop.manila.now + 3600
    loop.limits = replace(loop.limits, window=window_of(loop, 3600, 7200))
    loop.run(40)
    assert sent(loop) == [("start", "s0")]
    assert waits_for(loop) == "window"
    assert timestamp(opens) in why(loop, "s0")
    assert ends(loop) == (REACHED, "")
    assert next(call for call in loop.manila.calls if call.verb == "complete").at >= opens


def test_a_window_that_is_over_ends_the_run():
    loop = story(goal=COMPLETED)
    loop.limits = replace(loop.limits, window=window_of(loop, -100, -50))
    loop.run()
    assert sent(loop) == [("start", "s0")]
    assert waits_for(loop) == "window_over"
    assert loop.finished


def test_a_window_that_closes_between_decision_and_sending():
    loop = story(goal=COMPLETED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.limits = replace(loop.limits, window=window_of(loop, -100, 10))
    (action,) = loop.poll().actions
    loop.manila.advance(11)
    loop.perform(action)
    assert sent(loop) == []


def test_a_service_that_is_down_is_waited_for():
    loop = story(goal=COPIED)
    loop.manila.stop_service("new@array", 300)
    loop.manila.advance(60)
    assert wants(loop) == []
    assert waits_for(loop) == "service_down"
    assert ends(loop) == (REACHED, "")


def test_no_cutover_towards_a_dead_service():
    """With the destination's manager dead both instances end in error."""
    loop = story(goal=COMPLETED)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.manila.stop_service("new@array", 300)
    loop.manila.advance(60)
    assert ends(loop) == (REACHED, "")


def services(**changes) -> dict[str, Service]:
    service = Service("manila-share", "new@array", "enabled", "up", updated_at="yesterday")
    return {"new@array": replace(service, **changes)}


@pytest.mark.parametrize(
    ("changes", "verb", "code"),
    [
        ({}, START, None),
        ({}, COMPLETE, None),
        ({"status": "disabled"}, START, "service_disabled"),
        ({"status": "disabled"}, COMPLETE, None),
        ({"state": "down"}, START, "service_down"),
        ({"state": "stopped"}, COMPLETE, "service_down"),
        ({"fresh": False}, COMPLETE, "service_down"),
    ],
)
def test_services_of_the_destination(changes, verb, code):
    loop = story(goal=COMPLETED)
    if verb == COMPLETE:
        loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    seen, _gone = loop.manila.observe(["s0"])
    reading = Reading(seen, frozenset(), services(**changes))
    decision = decide(loop.plan, reading, loop.limits, loop.manila.now, Memory())
    track = decision.memory.tracks["s0"]
    assert [action.verb for action in decision.actions] == ([] if code else [verb])
    assert (track.waiting_for and track.waiting_for.code) == code


def test_a_disabled_source_hinders_nothing():
    """That is the cordon."""
    loop = story(goal=COMPLETED)
    seen, _gone = loop.manila.observe(["s0"])
    cordon = {"old@array": Service("manila-share", "old@array", "disabled", "up")}
    reading = Reading(seen, frozenset(), cordon)
    decision = decide(loop.plan, reading, loop.limits, loop.manila.now, Memory())
    assert [action.verb for action in decision.actions] == [START]


def test_start_new_false_only_finishes_what_is_copied():
    loop = story(2, goal=COMPLETED, start_new=False)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.run()
    assert sent(loop) == [("complete", "s0")]
    assert loop.track("s0").outcome == REACHED
    assert waits_for(loop, "s1") == "not_started"
    assert loop.finished


def test_what_is_met_copied_rests_for_the_grace():
    loop = story(2, goal=COMPLETED, grace=45.0)
    loop.manila.rest("s0", "migration_driver_phase1_done", NEW)
    loop.manila.complete("s0", FOREIGNER)  # Manila will act on it in a second
    assert (COMPLETE, "s0") not in wants(loop)
    assert waits_for(loop) == "grace"
    assert ends(loop) == (REACHED, "")
    assert ("complete", "s0") not in sent(loop)
    assert ("complete", "s1") in sent(loop)
    assert loop.manila.violations == []


# -- why nothing moves, and since when -------------------------------------------------------


def test_waiting_says_since_when():
    loop = story(2, goal=COPIED, max_parallel=1)
    begin = loop.manila.now
    loop.run(3)
    first, second = (loop.track(one) for one in ("s0", "s1"))
    assert first.waiting_for == Reason(
        "driver",
        "the driver is copying it (task state 'migration_driver_in_progress', 50 %)",
    )
    assert first.waiting_since
    assert begin < first.waiting_since <= loop.manila.now
    # The slot is full since the first one took it, not since it was last asked for.
    assert waits_for(loop, "s1") == "slot"
    assert second.waiting_since == begin
    record = as_record(loop.plan[1], second)
    assert record["waiting_for"]["since"] == timestamp(begin)


def test_a_reason_that_changes_begins_anew():
    loop = story(goal=COPIED)
    loop.limits = replace(loop.limits, start_new=False)
    loop.poll()
    begin = loop.track("s0").waiting_since
    loop.manila.advance(100)
    loop.poll()
    assert loop.track("s0").waiting_since == begin
    loop.manila.stop_service("new@array")
    loop.manila.advance(100)
    loop.limits = replace(loop.limits, start_new=True)
    loop.poll()
    assert waits_for(loop) == "service_down"


@pytest.mark.parametrize(
    ("track", "code"),
    [
        (Track(phase=COPYING, mechanism="driver"), "driver"),
        (Track(phase=COPYING, mechanism="host"), "copy"),
        (Track(phase=COPYING), "copy"),
        (Track(phase=COMPLETING), "completing"),
        (Track(phase=COPIED, sent={COMPLETE: ACCEPTED}), "completing"),
        (Track(phase=COPIED, sent={COMPLETE: UNKNOWN}), "answer"),
        (Track(phase=COPYING, sent={CANCEL: ACCEPTED}), "cancelling"),
        (Track(phase=IDLE, sent={START: UNKNOWN}), "answer"),
        (Track(phase=STUCK), "unclear"),
    ],
)
def test_what_is_waited_for(track, code):
    migration = Migration("s0", OLD, NEW)
    assert running_reason(migration, track, Reading()).code == code


def test_progress_is_kept_between_two_samples():
    loop = story(goal=COPIED)
    loop.run(2)
    running = replace(
        loop.manila.migrating()[0], task_state="migration_driver_in_progress", progress=40
    )
    for sample in (running, replace(running, progress=None)):
        reading = Reading({"s0": sample})
        loop.memory = decide(loop.plan, reading, loop.limits, loop.manila.now, loop.memory).memory
    assert loop.track("s0").progress == 40
    assert "40 %" in why(loop, "s0")


def test_a_rehearsal_says_what_holds_each_now():
    """Not what would hold it after the others have been started."""
    loop = story(3, goal=COMPLETED, max_parallel=1, rehearsal=True)
    loop.manila.rest("s2", "migration_driver_phase1_done", NEW)
    assert sorted(wants(loop)) == [(COMPLETE, "s2"), (START, "s0"), (START, "s1")]
    assert {waits_for(loop, one.id) for one in loop.plan} == {"operator"}
    loop.manila.add("theirs", NEWER)
    loop.manila.start("theirs", OLD, Options(), FOREIGNER)
    assert wants(loop) == []
    assert {waits_for(loop, one.id) for one in loop.plan} == {"slot"}


# -- what to look at -------------------------------------------------------------------------


def look_at(track: Track, *, migrating: bool) -> bool:
    plan = [Migration("s0", OLD, NEW)]
    running = [Observation("s0", "migrating", OLD)] if migrating else []
    return "s0" in shares_to_refresh(plan, Memory({"s0": track}), running)


@pytest.mark.parametrize(
    ("track", "migrating", "looked_at"),
    [
        (Track(), False, True),  # never met
        (Track(), True, True),
        (Track(seen=True), False, False),  # waits for its turn
        (Track(seen=True), True, True),  # somebody started it
        (Track(seen=True, look=True), False, True),
        (Track(seen=True, ours=True, destination=NEW, phase=COPYING), True, False),
        (Track(seen=True, ours=True, sent={START: ACCEPTED}, phase=COPYING), True, False),
        (Track(seen=True, ours=True, sent={START: UNKNOWN}, phase=COPYING), True, True),
        (Track(seen=True, ours=True, phase=COPYING), True, True),
        (Track(seen=True, ours=True, destination=NEW, phase=COPYING), False, True),  # it ended
        (Track(seen=True, ours=True, destination=NEW, phase=COMPLETED), False, True),
        (Track(seen=True, phase=STUCK), False, True),
        (Track(seen=True, outcome=REACHED, phase=COMPLETED), False, False),
        (Track(seen=True, outcome=FAILED, phase=COPYING), True, False),
        (Track(seen=True, outcome=REACHED, look=True), True, False),
    ],
)
def test_what_costs_a_look(track, migrating, looked_at):
    assert look_at(track, migrating=migrating) is looked_at


def test_others_are_looked_at_until_their_pools_are_known_and_when_they_end():
    theirs = Observation("theirs", "migrating", NEWER)
    known = Memory({}, {"theirs": Other(NEWER, OLD, busy=True)})
    unknown = Memory({}, {"theirs": Other(NEWER, None, busy=True)})
    assert shares_to_refresh([], Memory(), [theirs]) == {"theirs"}
    assert shares_to_refresh([], unknown, [theirs]) == {"theirs"}
    assert shares_to_refresh([], known, [theirs]) == set()
    assert shares_to_refresh([], known, []) == {"theirs"}


# -- outcomes --------------------------------------------------------------------------------


def told(verb: str, outcome: str, track: Track, now: float = 1000.0, **more) -> Track:
    action = Action(verb, Migration("s0", OLD, NEW, "name-0"))
    return outcomes.after(Memory({"s0": track}), action, outcome, now, **more).tracks["s0"]


def test_an_accepted_start_is_at_work_from_that_moment():
    track = told(START, ACCEPTED, Track(seen=True, want=START))
    assert (track.phase, track.task_state, track.started_at) == (
        COPYING,
        "migration_starting",
        1000,
    )
    assert (track.ours, track.want, track.busy) == (True, None, True)


def test_an_outdated_action_left_no_trace():
    track = told(COMPLETE, OUTDATED, Track(seen=True, want=COMPLETE))
    assert (track.sent, track.look, track.outcome) == ({}, True, None)


def test_an_unknown_complete_counts_as_sent():
    track = told(COMPLETE, UNKNOWN, Track(seen=True, phase=COPIED))
    assert (track.sent, track.sent_at) == ({COMPLETE: UNKNOWN}, {COMPLETE: 1000.0})
    assert track.busy


def test_a_refused_action_was_not_sent():
    track = told(COMPLETE, REFUSED, Track(seen=True, phase=COPIED), message="no.")
    assert (track.outcome, track.sent) == (FAILED, {})


def test_a_check_that_fails_is_repeated_until_things_should_have_settled():
    moved = Track(seen=True, ours=True, phase=COMPLETED, completed_at=1000.0)
    first = told(VERIFY, REFUSED, moved, 1000.0, message="it is not")
    assert first.waiting_for == Reason("settling", "it was moved, but it is not")
    assert told(VERIFY, REFUSED, first, 1119.0, message="it is not").outcome is None
    late = told(VERIFY, REFUSED, first, 1120.0, message="it has no export location")
    assert late.outcome == FAILED
    assert late.error == "share name-0 was moved, but it has no export location."
    assert told(VERIFY, ACCEPTED, moved, 1119.0).outcome == REACHED


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("rule_lost", "the access rule ip 192.0.2.7 rw is missing"),
        ("snapshot_error", "its snapshot snap is 'error'"),
    ],
)
def test_a_cutover_that_lost_something_is_no_success(fault, what):
    loop = story(goal=COMPLETED, faults=(fault,))
    loop.manila.shares["s0"].snapshots = {"snap": "available"}
    assert ends(loop) == (FAILED, f"share name-0 was moved, but {what}.")


def test_completed_is_said_after_the_check_only():
    track = Track(seen=True, ours=True, phase=COMPLETED)
    plan = [Migration("s0", OLD, NEW)]
    assert as_record(plan[0], track)["phase"] == COMPLETING
    assert summarize(plan, Memory({"s0": track}))["completed"] == 0
    done = replace(track, outcome=REACHED)
    assert as_record(plan[0], done)["phase"] == COMPLETED
    assert summarize(plan, Memory({"s0": done}))["completed"] == 1


RULE = ("ip", "192.0.2.7", "rw")
GOOD = Facts(
    NEW, "available", 1, "type-1", "net-1", frozenset({RULE}), "active", {"x": "available"}, ("e",)
)


@pytest.mark.parametrize(
    ("found", "options", "wrong"),
    [
        ({}, {}, []),
        ({"status": "error"}, {}, ["its status is 'error'"]),
        ({"host": OLD}, {}, [f"it is at {OLD}, not at {NEW}"]),
        ({"copies": 2}, {}, ["it has 2 instances"]),
        ({"exports": ()}, {}, ["it has no export location"]),
        ({"rules_status": "error"}, {}, ["its access rules are 'error'"]),
        ({"rules": frozenset()}, {}, ["the access rule ip 192.0.2.7 rw is missing"]),
        (
            {"rules": frozenset({("ip", "192.0.2.7", "ro")})},
            {},
            [
                "the access rule ip 192.0.2.7 rw is missing",
                "the access rule ip 192.0.2.7 ro was not there before",
            ],
        ),
        ({"snapshots": {}}, {}, ["its snapshot x is missing"]),
        ({"snapshots": {"x": "error"}}, {}, ["its snapshot x is 'error'"]),
        ({"snapshots": {"x": "available", "new": "available"}}, {}, []),
        ({}, {"new_share_type_id": "type-1"}, []),
        ({}, {"new_share_type_id": "type-2"}, ["its share type is type-1, not type-2"]),
        ({}, {"new_share_network_id": "net-2"}, ["its share network is net-1, not net-2"]),
    ],
)
def test_differences(found, options, wrong):
    migration = Migration("s0", OLD, NEW, options=Options(**options))
    before = replace(GOOD, host=OLD)
    assert differences(migration, before, replace(GOOD, **found), NEW) == wrong


def test_differences_without_a_before():
    lost = replace(GOOD, rules=frozenset(), snapshots={"x": "error"})
    migration = Migration("s0", OLD, NEW)
    assert differences(migration, None, lost, NEW) == ["its snapshot x is 'error'"]


def test_a_summary_adds_up():
    plan = [Migration(str(number), OLD, NEW) for number in range(8)]
    tracks = {
        "0": Track(phase=COPIED),
        "1": Track(phase=COMPLETED, outcome=REACHED),
        "2": Track(phase=COMPLETED, outcome=FAILED, error="x"),
        "3": Track(phase=CANCELLED, outcome=FAILED, error="x"),
        "4": Track(phase=COPYING),
        "5": Track(phase=IDLE, outcome=REACHED),
        "6": Track(phase=CANCELLED, outcome=REACHED),
    }
    assert summarize(plan, Memory(tracks)) == {
        "total": 8,
        "copied": 1,
        "completed": 1,
        "failed": 2,
        "cancelled": 1,
        "waiting": 2,
    }


# -- groups ----------------------------------------------------------------------------------


def grouped(*groups: str, copied: int = 0, **limits) -> Evacuation:
    """A share for each group that is named, the first of them copied."""
    loop = story(len(groups), goal=COMPLETED, **limits)
    loop.plan = [replace(one, group=group) for one, group in zip(loop.plan, groups)]
    for one in loop.plan[:copied]:
        loop.manila.rest(one.id, "migration_driver_phase1_done", NEW)
    return loop


def test_a_group_is_cut_over_when_all_of_it_is_copied():
    loop = grouped("g", "g", "", copied=1)
    assert wants(loop) == [("start", "s1"), ("start", "s2")]
    assert waits_for(loop) == "group"
    assert why(loop) == ("it is copied, and share name-1 of its cutover group 'g' not yet")
    loop.run()
    assert loop.broken == []
    assert all(loop.track(one.id).phase == COMPLETED for one in loop.plan)
    order = [subject for verb, subject in sent(loop) if verb == "complete"]
    assert sorted(order[-2:]) == ["s0", "s1"] or order[0] == "s2"


@pytest.mark.parametrize("copied", [1, 2])
def test_a_group_of_which_one_fails_is_not_cut_over(copied):
    loop = grouped("g", "g", "g", copied=copied)
    loop.manila.shares["s2"].rules_status = "error"
    loop.run()
    assert [one for one in sent(loop) if one[0] == "complete"] == []
    assert waits_for(loop) == "group_broken"
    assert "share name-2 of its cutover group 'g' can't be" in why(loop)
    assert not loop.timed_out


def test_a_group_of_which_a_member_cannot_move_is_not_cut_over():
    loop = grouped("g", copied=1)
    loop.plan = [replace(loop.plan[0], group_missing=("pinned",))]
    assert wants(loop) == []
    assert waits_for(loop) == "group_broken"
    assert loop.finished


def test_a_group_of_which_one_is_refused_is_not_cut_over_in_the_same_poll():
    loop = grouped("g", "g", copied=2)
    first, second = loop.poll().actions
    complete = loop.manila.complete

    def refuse(_subject, _who=EVACUATION):
        raise Refused(400, "no")

    loop.manila.complete = refuse
    loop.perform(first)
    loop.manila.complete = complete
    loop.perform(second)
    assert loop.track(first.migration.id).outcome == FAILED
    assert sent(loop) == []
    assert wants(loop) == []
    assert waits_for(loop, second.migration.id) == "group_broken"


def test_a_group_that_nobody_copies_ends_the_wait():
    loop = grouped("g", "g", copied=1, start_new=False)
    assert wants(loop) == []
    assert (waits_for(loop), waits_for(loop, "s1")) == ("group", "not_started")
    assert loop.finished


def test_the_rest_of_a_group_goes_before_others():
    loop = grouped("", "g", "g", copied=3, max_parallel=1)
    loop.plan = [loop.plan[1], loop.plan[0], loop.plan[2]]
    loop.run()
    order = [subject for verb, subject in sent(loop) if verb == "complete"]
    assert order == ["s1", "s2", "s0"]


# -- what the window has room for ------------------------------------------------------------


def windowed(loop: Evacuation, begin: float, end: float) -> Evacuation:
    start, stop = (timestamp(loop.manila.now + one) for one in (begin, end))
    window = CutoverWindow.parse({"start": start, "end": stop})
    loop.limits = replace(loop.limits, window=window)
    return loop


@pytest.mark.parametrize(
    ("number", "end", "expected"),
    [(1, 100, []), (1, 140, ["s0"]), (4, 200, []), (4, 260, ["s0", "s1"])],
)
def test_nothing_is_cut_over_that_would_end_after_the_window(number, end, expected):
    groups = ["g"] * number if number > 1 else [""]
    loop = grouped(*groups, copied=number, max_parallel=2, cutover_seconds=120.0)
    windowed(loop, -600, end)
    assert [subject for _verb, subject in wants(loop)] == expected
    if not expected:
        assert waits_for(loop) == "window_over"
        assert loop.finished


def test_a_cutover_longer_than_the_window_is_said_at_once():
    loop = windowed(grouped("", copied=1, cutover_seconds=900.0), 3600, 3660)
    assert wants(loop) == []
    assert waits_for(loop) == "window_short"
    assert "900 s, longer than the cutover window is open" in why(loop)


def test_a_daily_window_that_is_too_short_today_is_waited_for():
    loop = grouped("", copied=1, cutover_seconds=1800.0)
    now = datetime.fromtimestamp(loop.manila.now, timezone.utc)
    start, end = ((now + timedelta(seconds=one)).strftime("%H:%M:%S") for one in (-3600, 600))
    loop.limits = replace(loop.limits, window=CutoverWindow.parse({"start": start, "end": end}))
    assert wants(loop) == []
    assert waits_for(loop) == "window"
    assert "it opens again at" in why(loop)
    assert not loop.finished


def test_what_was_seen_to_take_longer_counts():
    loop = grouped("", "", copied=2, max_parallel=1, cutover_seconds=1.0)
    windowed(loop, -600, 55)
    loop.run()
    done = [one.id for one in loop.plan if loop.track(one.id).phase == COMPLETED]
    assert len(done) == 1
    (left,) = [one.id for one in loop.plan if one.id not in done]
    assert waits_for(loop, left) == "window_over"


# -- time-outs of one migration --------------------------------------------------------------


def test_a_copy_that_takes_too_long_is_left_alone():
    loop = story(goal=COPIED, copy_timeout=60.0)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "The copy of share name-0 still goes on after" in error
    assert "copy_timeout is 60 s" in error
    assert sent(loop) == [("start", "s0")]


def test_a_copy_that_was_met_gets_the_whole_time():
    loop = story(goal=COPIED)
    loop.run(2)
    loop.manila.advance(100)
    loop.forget()
    loop.limits = replace(loop.limits, copy_timeout=500.0)
    assert ends(loop)[0] == REACHED


def test_a_cutover_that_hangs_fails_with_a_word():
    loop = grouped("", copied=1, cutover_timeout=300.0)
    loop.manila.pace.delete = 10_000.0
    loop.manila.pace.delete_timeout = 20_000.0
    loop.manila.pace.step = 10_000.0
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "The cutover of share name-0 still goes on after" in error


# -- what is written down of an interrupted copy ---------------------------------------------


def test_an_interrupted_copy_is_remembered_by_the_next_run():
    loop = story(goal=COMPLETED, driver=False)
    copy = loop.manila.rest("s0", "data_copying_error", NEW).instances[1]
    loop.run(1)
    assert loop.manila.shares["s0"].recorded == copy.id
    loop.manila.shares["s0"].task_state = "data_copying_completed"
    loop.forget()
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "an error interrupted its copy" in error
    assert ("complete", "s0") not in sent(loop)


def test_a_cancel_takes_the_record_away():
    loop = story(goal=CANCELLED, driver=False)
    loop.manila.rest("s0", "data_copying_completed", NEW)
    share = loop.manila.shares["s0"]
    share.recorded = share.instances[1].id
    assert ends(loop)[0] == REACHED
    loop.forget()
    loop.run(1)
    assert share.recorded == ""


def test_the_record_of_an_older_copy_hinders_nothing():
    loop = story(goal=COMPLETED)
    loop.manila.shares["s0"].recorded = "an-older-instance"
    assert ends(loop) == (REACHED, "")
    assert loop.manila.shares["s0"].recorded == ""


@pytest.mark.parametrize(
    ("outcome", "recorded"), [(ACCEPTED, True), (REFUSED, False), (UNKNOWN, False)]
)
def test_only_what_was_written_down_counts_as_written(outcome, recorded):
    track = told(RECORD, outcome, Track(seen=True, phase=COPIED, tainted=True))
    assert (track.recorded, track.outcome, track.sent) == (recorded, None, {})
    assert told(RECORD, ACCEPTED, replace(track, recorded=True)).recorded is False
