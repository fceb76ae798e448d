# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's rules where share servers differ from shares, one story each, on the model of Manila.

A share server migrates with all its shares; the manila-share of its destination does the work; a
new server takes the place of the old one, which Manila removes.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._engine import outcomes
from ansible_collections.manila.migration.plugins.module_utils._engine.decide import decide
from ansible_collections.manila.migration.plugins.module_utils._engine.gates import (
    refuses_cancel,
    refuses_complete,
    refuses_start,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.outcomes import differences
from ansible_collections.manila.migration.plugins.module_utils._engine.record import (
    as_record,
    describe,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.refresh import (
    shares_to_refresh,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    CANCEL,
    COMPLETE,
    GOALS,
    OUTDATED,
    REACHED,
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
from ansible_collections.manila.migration.plugins.module_utils._engine.waiting import running_reason
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    CopyMark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import observe_server
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    IDLE,
    LONGEST_CANCEL_SECONDS,
    STUCK,
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
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.model_cloud import (
    Evacuation,
)

OLD, NEW, NEWER = "old@array", "new@box", "newer@crate"
POOLS = tuple(f"{backend}#{pool}" for backend in (OLD, NEW, NEWER) for pool in "pq")

DESTINATION = "server_migrating_to"
DONE = "migration_driver_phase1_done"


def story(number: int = 1, *, faults: tuple[str, ...] = (), **limits) -> Evacuation:
    """So many share servers at OLD with a plan to bring them to NEW; the faults always happen."""
    manila = Manila(POOLS, faults=faults, odds=1.0)
    plan = []
    for index in range(number):
        manila.add_server(f"s{index}", OLD, snapshots=("snap",))
        plan.append(Migration(f"s{index}", OLD, NEW, size_gb=10, kind=SHARE_SERVER))
    chosen = {"max_parallel": 5, "max_parallel_per_pool": 5, "max_failures": 99} | limits
    return Evacuation(manila, plan, Limits(**chosen))


def seen(loop: Evacuation, server_id: str = "s0") -> Observation | None:
    return observe_server(server_id, loop.manila.share_servers())


def assert_sentences(text: str) -> None:
    """What users read: whole sentences, which name the server."""
    assert text[0].isupper() or text.startswith("share server "), text
    assert text.endswith("."), text
    assert "share server s0" in text, text


# -- the way through -------------------------------------------------------------------------


def test_a_server_is_copied_and_rests_at_the_source():
    loop = story(goal=COPIED)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("start", "s0")]
    track = loop.track("s0")
    (copy,) = loop.manila.copies_of("s0")
    assert (track.phase, track.mechanism, track.destination) == (COPIED, "driver", NEW)
    assert track.successor == copy.id
    assert loop.manila.servers["s0"].status == "server_migrating"
    assert track.started_at
    assert track.copied_at
    assert track.started_at < track.copied_at


@pytest.mark.parametrize("seed", range(6))
def test_a_server_is_moved_and_checked(seed):
    """The old one may be gone before the new one is in use, or after."""
    loop = story(goal=COMPLETED)
    loop.manila._rng.seed(seed)
    loop.interval = 2.0
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("start", "s0"), ("complete", "s0")]
    assert "s0" not in loop.manila.servers
    successor = loop.manila.successor_of("s0")
    assert successor
    assert (successor.host, successor.status) == (NEW, "active")
    record = as_record(loop.plan[0], loop.track("s0"))
    assert (record["kind"], record["id"], record["phase"]) == (SHARE_SERVER, "s0", COMPLETED)
    assert (record["source"], record["destination"]) == (OLD, NEW)
    assert record["destination_share_server_id"] == successor.id
    assert record["export_locations_before"] == [f"{OLD}:/0", f"{OLD}:/1"]
    assert record["export_locations_after"] == [f"{OLD}:/0-moved", f"{OLD}:/1-moved"]
    assert record["shares"] == [
        {
            "id": f"s0-share-{number}",
            "name": "",
            "export_locations_before": [f"{OLD}:/{number}"],
            "export_locations_after": [f"{OLD}:/{number}-moved"],
        }
        for number in range(2)
    ]
    assert record["waiting_for"] is None


@pytest.mark.parametrize("goal", GOALS)
def test_a_second_run_does_nothing(goal):
    first = story(3, goal=goal)
    first.manila.rest_server("s1", NEW)
    first.run()
    first.manila.advance(600)
    calls = len(sent(first))
    second = Evacuation(first.manila, first.plan, first.limits).run()
    assert len(sent(second)) == calls
    assert second.polls <= 2
    assert {second.track(one.id).outcome for one in second.plan} == {REACHED}


def test_asked_by_the_id_of_the_new_server_it_is_there_already():
    loop = story(goal=COMPLETED)
    loop.manila.teleport_server("s0", NEW)
    loop.plan = [Migration("s0-t", NEW, NEW, kind=SHARE_SERVER)]
    assert ends(loop, "s0-t") == (REACHED, "")
    assert loop.track("s0-t").phase == COMPLETED
    assert sent(loop) == []


def test_servers_never_cost_a_look():
    loop = story(3, goal=COMPLETED, max_parallel=1)
    loop.manila.add_server("theirs", NEWER)
    loop.manila.start("theirs", OLD, Options(), FOREIGNER)
    loop.run()
    assert not any(loop.looked)


# -- whose migration it is -------------------------------------------------------------------


def test_a_migration_of_somebody_else_to_the_same_place_is_adopted():
    loop = story(goal=COMPLETED)
    loop.manila.start("s0", NEW, Options(), FOREIGNER)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("complete", "s0")]


@pytest.mark.parametrize("goal", GOALS)
def test_a_migration_of_somebody_else_to_another_place_is_left_alone(goal):
    loop = story(goal=goal)
    loop.manila.rest_server("s0", NEWER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error == (
        f"share server s0 is left alone: it already migrates to {NEWER}, not to {NEW} as planned; "
        "cancel that migration, or plan with it."
    )
    assert sent(loop) == []


@pytest.mark.parametrize("destination", [NEW, NEWER])
def test_until_its_destination_is_made_nobody_knows_whose_it_is(destination):
    loop = story(goal=COMPLETED)
    loop.manila.start("s0", destination, Options(), FOREIGNER)
    loop.interval = 1.0
    for _unused in range(12):  # starting, in progress, and the new server in the making
        loop.run(1)
        assert not loop.track("s0").ours
        assert loop.track("s0").outcome is None
    loop.interval = 30.0
    assert ends(loop)[0] == (REACHED if destination == NEW else FAILED)
    assert sent(loop) == ([("complete", "s0")] if destination == NEW else [])


def test_without_a_planned_destination_any_is_right():
    loop = story(goal=COMPLETED)
    loop.plan = [Migration("s0", OLD, None, kind=SHARE_SERVER)]
    loop.manila.rest_server("s0", NEWER)
    loop.run()
    assert loop.track("s0").outcome == REACHED
    successor = loop.manila.successor_of("s0")
    assert successor
    assert successor.host == NEWER


def test_without_a_destination_nothing_is_started():
    loop = story(goal=COMPLETED)
    loop.plan = [Migration("s0", OLD, None, kind=SHARE_SERVER)]
    assert ends(loop) == (
        FAILED,
        "share server s0 is not migrating (status 'active', task state None): to start it, say "
        "where to.",
    )


def test_ours_that_somebody_cancelled_and_started_elsewhere_is_left_alone():
    loop = story(goal=COPIED)
    loop.run(2)
    loop.manila.servers = {
        one: what for one, what in loop.manila.servers.items() if what.source_id is None
    }
    loop.manila.rest_server("s0", NEWER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert f"it already migrates to {NEWER}" in error


@pytest.mark.parametrize("goal", GOALS)
def test_two_destinations_are_left_alone(goal):
    """Two starts passed Manila's checks at once; it refuses to complete or cancel either."""
    loop = story(goal=goal)
    loop.manila.rest_server("s0", NEW)
    loop.manila.leave_server("s0", NEW, DESTINATION)
    assert ends(loop) == (
        FAILED,
        "share server s0 is left alone: there are 3 share servers of it where two are expected, "
        "Manila mixes them up.",
    )
    assert sent(loop) == []


def test_ours_that_got_two_destinations_is_not_said_to_be_copied():
    loop = story(goal=COPIED, faults=("double_start",))
    outcome, error = ends(loop)
    assert (outcome, sent(loop)) == (FAILED, [("start", "s0")])
    assert "there are 3 share servers of it" in error


# -- where it is -----------------------------------------------------------------------------


def test_a_server_that_somebody_moved_to_its_destination_is_done():
    loop = story(2, goal=COMPLETED, max_parallel=1)
    loop.run(1)
    loop.manila.teleport_server("s1", NEW)
    assert ends(loop, "s1") == (REACHED, "")
    assert loop.track("s1").phase == COMPLETED
    assert loop.track("s1").successor == "s1-t"
    assert ("start", "s1") not in sent(loop)


def test_a_server_that_somebody_moved_elsewhere_is_not_touched():
    loop = story(goal=COMPLETED)
    loop.manila.teleport_server("s0", NEWER)
    assert ends(loop) == (
        FAILED,
        f"share server s0 is not started: it is at {NEWER}, not at {OLD} where the plan says it "
        "is.",
    )
    assert sent(loop) == []


def test_a_server_that_somebody_moved_to_another_network_is_not_started_by_its_old_id():
    loop = story(goal=COMPLETED)
    loop.manila.teleport_server("s0", OLD)
    assert ends(loop) == (
        FAILED,
        "share server s0 is not started: it has been moved already, share server s0-t has taken "
        "its place.",
    )
    assert sent(loop) == []


def test_ours_that_ends_elsewhere_is_no_success():
    loop = story(goal=COMPLETED)
    loop.run(2)
    loop.manila.servers = {"s0": loop.manila.servers["s0"]}
    loop.manila.teleport_server("s0", NEWER)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith(f"share server s0 is at {NEWER}")
    assert error.endswith("it was moved, but not as planned.")


def test_a_server_that_goes_with_its_last_share_before_its_turn_is_no_failure():
    loop = story(2, goal=COMPLETED, max_parallel=1)
    loop.run(1)
    loop.manila.delete_server("s1")
    assert ends(loop, "s1") == (REACHED, "")
    assert ends(loop, "s0") == (REACHED, "")


def test_a_server_that_is_gone_while_it_migrates_fails_with_a_word():
    loop = story(goal=COMPLETED)
    loop.run(3)
    loop.manila.servers.clear()
    assert ends(loop) == (
        FAILED,
        "share server s0 does not exist any more: it was deleted while it migrated.",
    )


# -- what must not be started ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({}, None),
        ({"task_state": "migration_error"}, None),
        ({"task_state": "migration_cancelled"}, None),
        ({"task_state": "migration_success"}, None),
        ({"status": "server_migrating"}, "its status is 'server_migrating', not 'active'"),
        ({"status": "error"}, "its status is 'error', not 'active'"),
        ({"host": NEWER}, f"it is at {NEWER}, not at {OLD} where the plan says it is"),
        ({"task_state": "migration_starting"}, "it is busy: its task state is"),
        ({"task_state": "migration_completing"}, "it is busy: its task state is"),
        ({"task_state": "migration_cancel_in_progress"}, "it is busy: its task state is"),
        (
            {"instances": (Place(OLD, "active"), Place(NEW, DESTINATION))},
            "an older destination is still there, with the status 'server_migrating_to'",
        ),
        ({"successor": "s1"}, "it has been moved already, share server s1 has taken its place"),
    ],
)
def test_the_gate_before_a_start(change, refusal):
    there = Observation("s0", "active", OLD, None, (Place(OLD, "active"),), kind=SHARE_SERVER)
    migration = Migration("s0", OLD, NEW, kind=SHARE_SERVER)
    answer = refuses_start(migration, replace(there, **change))
    assert answer is None if refusal is None else (answer or "").startswith(refusal)


COPY = (Place(OLD, "server_migrating"), Place(NEW, DESTINATION))


@pytest.mark.parametrize(
    ("change", "tainted", "refusal"),
    [
        ({}, False, None),
        ({}, True, "its cancelling was begun and has not ended, its copy can't be trusted"),
        ({"task_state": "migration_driver_in_progress"}, False, "it is not copied"),
        ({"task_state": "migration_completing"}, False, "it is not copied"),
        ({"task_state": "data_copying_completed"}, False, "it is not copied"),  # of shares
        ({"status": "active"}, False, "it is not copied"),
        ({"status": "migrating"}, False, "it is not copied"),
        ({"host": NEWER}, False, f"it migrates from {NEWER}"),
        (
            {"instances": (COPY[0], Place(NEWER, DESTINATION))},
            False,
            f"it already migrates to {NEWER}",
        ),
        ({"instances": (*COPY, COPY[1])}, False, "there are 3 share servers of it"),
    ],
)
def test_the_gate_before_a_complete(change, tainted, refusal):
    there = Observation("s0", "server_migrating", OLD, DONE, COPY, kind=SHARE_SERVER)
    answer = refuses_complete(
        Migration("s0", OLD, NEW, kind=SHARE_SERVER),
        Track(tainted=tainted),
        replace(there, **change),
    )
    assert answer is None if refusal is None else (answer or "").startswith(refusal)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({}, None),
        ({"task_state": "migration_driver_in_progress"}, None),
        ({"task_state": "migration_starting"}, "it can't be cancelled"),
        ({"task_state": "migration_completing"}, "it can't be cancelled"),
        ({"task_state": "migration_cancel_in_progress"}, "it can't be cancelled"),
        ({"status": "active"}, "it can't be cancelled"),
        ({"host": NEWER}, f"it migrates from {NEWER}"),
        ({"instances": (*COPY, COPY[1])}, "there are 3 share servers of it"),
    ],
)
def test_the_gate_before_a_cancel(change, refusal):
    there = Observation("s0", "server_migrating", OLD, DONE, COPY, kind=SHARE_SERVER)
    answer = refuses_cancel(Migration("s0", OLD, NEW, kind=SHARE_SERVER), replace(there, **change))
    assert answer is None if refusal is None else (answer or "").startswith(refusal)


def test_an_older_destination_forbids_a_start():
    loop = story(goal=COMPLETED)
    loop.manila.leave_server("s0", NEWER, DESTINATION)
    assert ends(loop) == (
        FAILED,
        "share server s0 is not started: an older destination is still there, with the status "
        "'server_migrating_to'.",
    )
    assert sent(loop) == []


@pytest.mark.parametrize("left", ["error", "inactive"])
def test_what_a_failed_or_cancelled_migration_left_hinders_nothing(left):
    loop = story(goal=COMPLETED)
    loop.manila.servers["s0"].task_state = "migration_error"
    loop.manila.leave_server("s0", NEW, left)
    assert ends(loop) == (REACHED, "")


def test_a_status_that_passes_is_waited_for():
    """Its owner adds a subnet, say."""
    loop = story(goal=COMPLETED)
    loop.manila.servers["s0"].status = "network_change"
    assert wants(loop) == []
    assert waits_for(loop) == "status"
    loop.manila.servers["s0"].status = "active"
    assert wants(loop) == [(START, "s0")]


@pytest.mark.parametrize("status", ["error", "inactive"])
def test_a_status_that_does_not_pass_is_refused_at_once(status):
    loop = story(goal=COMPLETED)
    loop.manila.servers["s0"].status = status
    loop.poll()
    assert loop.track("s0").error == (
        f"share server s0 is not started: its status is '{status}', not 'active'."
    )


# -- a start that is refused half-way --------------------------------------------------------


def test_a_start_that_manila_refuses_after_it_has_written_the_records():
    loop = story(goal=COMPLETED, faults=("stuck_start",))
    loop.run(2)
    assert loop.track("s0").outcome is None
    assert why(loop) == (
        "the destination's manila-share has not begun (task state 'migration_starting')"
    )
    assert ends(loop) == (
        FAILED,
        "Manila refused to start the migration of share server s0 and left it as if it migrated: "
        "400: Share instance status must be available, but is error. Ask migration_repair for the "
        "way back.",
    )
    assert loop.track("s0").status_code == 400
    assert sent(loop) == [("start", "s0")]
    assert loop.manila.now - loop.manila.calls[0].at >= loop.limits.patience


def test_a_start_that_was_refused_half_way_takes_no_slot_once_that_is_clear():
    loop = story(2, goal=COPIED, max_parallel=1, faults=("stuck_start",))
    loop.run(2)
    assert waits_for(loop, "s1") == "slot"
    loop.run()
    assert not loop.timed_out
    assert sent(loop) == [("start", "s0"), ("start", "s1")]


def test_somebody_elses_start_in_the_same_moment_is_not_taken_for_that():
    """Ours is refused because theirs was faster; it goes on."""
    loop = story(goal=COPIED)
    loop.manila.pace.manager = 100.0
    action = loop.poll().actions[0]
    start = loop.manila.start

    def start_behind_them(*what):
        start("s0", NEW, Options(), FOREIGNER)
        return start(*what)

    loop.manila.start = start_behind_them
    loop.perform(action)
    assert loop.track("s0").refusal == (
        "409: Share server status must be active, but is server_migrating.",
        409,
    )
    assert ends(loop) == (REACHED, "")
    assert [call.status for call in loop.manila.calls] == [202, 409]


def test_a_start_that_is_refused_with_nothing_written_fails_at_once():
    loop = story(goal=COPIED)
    loop.manila.servers["s0"].members.clear()
    loop.run(1)
    track = loop.track("s0")
    assert track.error == (
        "Manila refused to start the migration of share server s0: 409: Share server s0 does not "
        "have shares."
    )


# -- first phase -----------------------------------------------------------------------------

FIRST_PHASE = (
    "Manila reports 'migration_error' for share server s0, which is active again at old@array; the "
    "reason is in the log of the destination's manila-share. Ask migration_repair what the failure "
    "has left behind."
)


@pytest.mark.parametrize(
    ("faults", "left"),
    [
        (("server_setup_fails",), [(None, "error")]),  # it names no source
        (("server_start_fails",), []),
        (("server_start_fails", "server_delete_fails"), [("s0", "error")]),
        (("server_copy_fails",), [("s0", "error")]),
    ],
)
def test_a_first_phase_that_fails_is_a_failure_and_not_tried_again(faults, left):
    loop = story(goal=COMPLETED, faults=faults)
    assert ends(loop) == (FAILED, FIRST_PHASE)
    assert sent(loop) == [("start", "s0")]
    assert loop.manila.servers["s0"].status == "active"
    others = [one for one in loop.manila.servers.values() if one.id != "s0"]
    assert [(one.source_id, one.status) for one in others] == left
    # What it left hinders nobody.
    loop.manila.faults = frozenset()
    again = Evacuation(loop.manila, loop.plan, loop.limits)
    assert ends(again) == (REACHED, "")


@pytest.mark.parametrize("goal", [COMPLETED, CANCELLED])
def test_one_that_stays_on_its_back_end_and_fails_is_not_taken_for_moved(goal):
    """A migration to another network of the same back end, adopted wherever it may go."""
    loop = story(goal=goal)
    loop.plan = [Migration("s0", OLD, None, kind=SHARE_SERVER)]
    loop.manila.start("s0", OLD, Options(new_share_network_id="net-2"), FOREIGNER)
    loop.manila.advance(100)
    loop.run(1)
    assert loop.track("s0").destination == OLD
    if goal == COMPLETED:
        for copy in loop.manila.copies_of("s0"):
            copy.status = "error"
        loop.manila.reset_server("s0", "migration_error")
        outcome, error = ends(loop)
        assert (outcome, error[:23]) == (FAILED, "Manila reports 'migrati")
    else:
        assert ends(loop) == (REACHED, "")
        assert loop.track("s0").phase == CANCELLED


def test_one_that_stays_on_its_back_end_arrives_there():
    loop = story(goal=COMPLETED)
    options = Options(new_share_network_id="net-2")
    loop.plan = [Migration("s0", OLD, OLD, kind=SHARE_SERVER, options=options)]
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("start", "s0"), ("complete", "s0")]
    successor = loop.manila.successor_of("s0")
    assert successor
    assert (successor.host, successor.network) == (OLD, "net-2")


def test_a_killed_manager_resumes_a_copy():
    loop = story(goal=COMPLETED)
    loop.run(2)
    loop.manila.kill_service(NEW, 300)
    assert ends(loop) == (REACHED, "")


# -- second phase ----------------------------------------------------------------------------

SECOND_PHASE = (
    "The second phase of the migration of share server s0 failed: the server, its destination, its "
    "shares and their snapshots are in error, and Manila can't tell which copy is good. Ask "
    "migration_repair for everything that is concerned."
)


@pytest.mark.parametrize("goal", GOALS)
def test_a_second_phase_that_failed_is_final(goal):
    loop = story(goal=goal, faults=("server_complete_fails",))
    if goal != COMPLETED:
        loop.manila.rest_server("s0", NEW)
        loop.manila.complete("s0", FOREIGNER)
        loop.manila.advance(60)
    outcome, error = ends(loop)
    assert (outcome, error) == (FAILED, SECOND_PHASE)
    servers = [(one.status, one.task_state) for one in loop.manila.servers.values()]
    assert servers == [("error", "migration_error")] * 2
    if goal != COMPLETED:
        assert loop.polls == 1  # nothing is waited for
        assert sent(loop) == []


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
    loop.manila.rest_server("s0", NEW)
    loop.run(1)
    assert loop.track("s0").sent == {COMPLETE: UNKNOWN}
    assert ends(loop)[0] == outcome
    assert sent(loop) == [("complete", "s0")]
    assert loop.manila.violations == []


def test_two_completes_destroy_in_the_model():
    """What the rules are for."""
    loop = story(goal=COMPLETED)
    loop.manila.rest_server("s0", NEW)
    assert loop.manila.complete("s0", FOREIGNER) == loop.manila.complete("s0", FOREIGNER) == 200
    assert ends(loop) == (FAILED, SECOND_PHASE)
    assert {one.status for one in loop.manila.servers["s0"].members.values()} == {"error"}


def test_a_complete_that_nobody_acts_on_names_the_service_to_look_at():
    loop = story(goal=COMPLETED)
    loop.manila.rest_server("s0", NEW)
    loop.manila.pace.manager = 1e6
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith("The cutover of share server s0 was asked for at ")
    assert error.endswith("look at the destination's manila-share before anything else.")
    assert sent(loop) == [("complete", "s0")]


REMOVED_NOT = (
    "share server s0 was moved to new@box, where share server {} has taken its place, but Manila "
    "has not removed the old one (status '{}'): look into the log of the source's manila-share, "
    "then ask migration_repair."
)


def test_an_old_server_that_can_not_be_removed():
    loop = story(goal=COMPLETED, faults=("server_delete_fails",))
    loop.manila._rng.seed(1)
    outcome, error = ends(loop)
    successor = loop.manila.successor_of("s0")
    assert successor
    assert (outcome, error) == (FAILED, REMOVED_NOT.format(successor.id, "error"))


def test_an_old_server_that_is_never_removed():
    """The message to the source's manager was lost, with it or with RabbitMQ."""
    loop = story(goal=COMPLETED)
    loop.manila.teleport_server("s0", NEW)
    loop.manila.add_server("s0", OLD, 0, task_state="migration_success").status = "inactive"
    assert wants(loop) == []
    assert waits_for(loop) == "completing"
    assert ends(loop) == (FAILED, REMOVED_NOT.format("s0-t", "inactive"))


def test_a_removal_that_takes_long_is_waited_for():
    loop = story(goal=COMPLETED)
    loop.manila.teleport_server("s0", NEW)
    loop.manila.pace.delete = 5000.0
    old = loop.manila.add_server("s0", OLD, 0, task_state="migration_success")
    loop.manila._push(0.0, loop.manila._remove_server(old))
    loop.manila.advance(1)
    assert ends(loop) == (REACHED, "")
    assert loop.track("s0").phase == COMPLETED
    assert sent(loop) == []


# -- cancel ----------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 5, 12, 20, 30, 100, 600])
def test_cancel_at_any_time(after):
    loop = story(goal=CANCELLED)
    loop.manila.start("s0", NEW, Options(), FOREIGNER)
    loop.manila.advance(after)
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("cancel", "s0")]
    assert loop.track("s0").phase == CANCELLED
    loop.manila.advance(1000)
    server = loop.manila.servers["s0"]
    assert (server.status, server.task_state) == ("active", "migration_cancelled")
    assert loop.manila.copies_of("s0") == []


def test_cancelling_what_is_idle_is_nothing():
    loop = story(2, goal=CANCELLED)
    loop.manila.leave_server("s1", NEW, DESTINATION)  # an older one: not what is asked about
    loop.poll()
    assert {loop.track(one.id).outcome for one in loop.plan} == {REACHED}
    assert {loop.track(one.id).phase for one in loop.plan} == {IDLE}
    assert sent(loop) == []


def test_one_that_is_being_cut_over_can_not_be_cancelled():
    loop = story(goal=CANCELLED)
    loop.manila.rest_server("s0", NEW)
    loop.manila.complete("s0", FOREIGNER)
    loop.manila.advance(2)
    assert ends(loop) == (
        FAILED,
        "The migration of share server s0 was completed before it could be cancelled.",
    )
    assert sent(loop) == []


@pytest.mark.parametrize("goal", GOALS)
def test_a_cancel_that_the_driver_fails_in_ends_with_a_word(goal):
    """No handler in Manila: the state stays.  The word comes whatever is wanted of it."""
    loop = story(goal=goal)
    copy = loop.manila.rest_server("s0", NEW, "migration_cancel_in_progress")
    copy.task_state = DONE
    begin = loop.manila.now
    assert wants(loop) == [("record", "s0")]
    assert waits_for(loop) == "cancelling"
    outcome, error = ends(loop)
    waited = loop.manila.now - begin
    assert (outcome, error) == (
        FAILED,
        f"share server s0 has been in 'migration_cancel_in_progress' for {waited:.0f} s: a driver "
        "that fails to cancel leaves it so. Look into the log of the destination's manila-share, "
        "then ask migration_repair.",
    )
    assert waited >= LONGEST_CANCEL_SECONDS[SHARE_SERVER]  # the driver may need an hour
    assert sent(loop) == []


def test_an_old_cancel_is_given_time_from_when_it_is_met():
    """It may just have been repeated: Manila's times don't tell."""
    loop = story(goal=CANCELLED)
    loop.manila.rest_server("s0", NEW, "migration_cancel_in_progress")
    loop.manila.advance(5000)
    loop.poll()
    assert loop.track("s0").outcome is None


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("goal", [COPIED, COMPLETED, CANCELLED])
def test_killed_right_before_or_after_a_cancel(goal, after):
    """Until the destination's manager acts Manila shows it copied, and would take a complete."""
    loop = story(goal=CANCELLED, faults=("slow_cancel",))
    (copy,) = (loop.manila.rest_server("s0", NEW),)
    loop.run(1, kill=(2, after))
    member = loop.manila.servers["s0"].members["s0-share-0"]
    assert CopyMark.of({INTERRUPTED: member.recorded}).copy == copy.id
    loop.manila.stop_service(NEW, 45)  # it has not acted yet, and still counts as alive
    loop.limits = replace(loop.limits, goal=goal, start_new=False)
    for action in loop.poll().actions:
        loop.perform(action)
    assert sent(loop) == [("cancel", "s0")] * after
    if goal != COPIED:
        loop.run(1)
        assert waits_for(loop) == "cancelling"
    loop.run()
    assert loop.broken == loop.manila.violations == []
    cancels = sent(loop).count(("cancel", "s0"))
    assert sent(loop) == [("cancel", "s0")] * cancels
    if goal == CANCELLED:
        assert cancels == 1
        assert loop.track("s0").outcome == REACHED
        assert {one.recorded for one in loop.manila.servers["s0"].members.values()} == {""}


def test_the_mark_of_a_cancel_that_ended_unseen_is_removed():
    loop = story(goal=CANCELLED)
    loop.manila.rest_server("s0", NEW)
    loop.run(1, kill=(2, True))
    loop.manila.advance(600)
    members = loop.manila.servers["s0"].members
    assert members["s0-share-0"].recorded
    assert ends(loop) == (REACHED, "")
    assert {one.recorded for one in members.values()} == {""}
    assert sent(loop) == [("cancel", "s0")]


def test_what_another_run_knows_of_an_interrupted_copy_forbids_its_cutover():
    loop = story(goal=COMPLETED)
    copy = loop.manila.rest_server("s0", NEW)
    loop.manila.record("s0-share-0", copy.id, FOREIGNER)
    assert ends(loop)[0] == FAILED
    assert sent(loop) == []


def test_what_another_run_knows_of_an_earlier_copy_does_not():
    loop = story(goal=COMPLETED)
    loop.manila.rest_server("s0", NEW)
    loop.manila.record("s0-share-0", "of-an-earlier-migration", FOREIGNER)
    assert ends(loop) == (REACHED, "")


def test_of_what_is_copied_the_marks_are_read_with_the_exports():
    loop = story(goal=COMPLETED)
    copy = loop.manila.rest_server("s0", NEW)
    mark = CopyMark(copy.id, timestamp(loop.manila.now))
    loop.manila.record("s0-share-0", str(mark), FOREIGNER)
    loop.runner.preview()
    loop.runner.note_exports()
    loop.runner.preview()
    assert waits_for(loop) == "cancelling"


def test_ours_that_the_driver_fails_in():
    loop = story(goal=CANCELLED, faults=("server_cancel_fails",))
    loop.manila.rest_server("s0", NEW)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert "has been in 'migration_cancel_in_progress' for" in error
    assert sent(loop) == [("cancel", "s0")]


def test_a_copy_that_goes_on_beside_a_failed_cancel_is_never_completed():
    """The periodic task doesn't know of the cancel, and says that the first phase is done."""
    loop = story(goal=COMPLETED, faults=("server_cancel_fails",))
    loop.interval = 20.0
    loop.run(4)
    loop.manila.cancel("s0", FOREIGNER)
    loop.manila.advance(5)
    loop.run(1)
    assert loop.track("s0").phase == CANCELLING
    outcome, error = ends(loop)
    assert loop.manila.servers["s0"].task_state == DONE
    assert (outcome, error) == (
        FAILED,
        "share server s0 is not cut over: its cancelling was begun and has not ended, its copy "
        "can't be trusted: cancel it again.",
    )
    assert sent(loop) == [("start", "s0")]


def test_nor_is_it_said_to_be_copied():
    loop = story(goal=COPIED)
    loop.manila.rest_server("s0", NEW, "migration_cancel_in_progress")
    loop.poll()
    loop.manila.servers["s0"].task_state = DONE
    assert ends(loop)[0] == FAILED


def test_a_cancel_that_has_no_effect_names_the_service_to_look_at():
    loop = story(goal=CANCELLED)
    loop.manila.rest_server("s0", NEW)
    loop.manila.pace.manager = 1e6
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith("The cancelling of share server s0 was asked for at ")
    assert error.endswith(
        f"(task state '{DONE}'); the reason is in the log of the destination's manila-share."
    )


def test_a_cancel_waits_for_the_manager_of_the_destination():
    loop = story(goal=CANCELLED)
    loop.manila.rest_server("s0", NEW)
    loop.manila.stop_service(NEW, 400)
    loop.manila.advance(60)
    assert wants(loop) == []
    assert waits_for(loop) == "service_down"
    assert why(loop).startswith("the manila-share service new@box is down")
    assert ends(loop) == (REACHED, "")


def test_a_cancel_needs_no_manager_of_the_source():
    loop = story(goal=CANCELLED)
    loop.manila.rest_server("s0", NEW)
    loop.manila.stop_service(OLD)
    loop.manila.advance(60)
    assert wants(loop) == [(CANCEL, "s0")]


def test_a_cancel_of_what_goes_anywhere_asks_where_it_goes():
    loop = story(goal=CANCELLED)
    loop.plan = [Migration("s0", OLD, None, kind=SHARE_SERVER)]
    loop.manila.rest_server("s0", NEWER)
    loop.manila.stop_service(NEWER, 400)
    loop.manila.advance(60)
    assert wants(loop) == []
    assert "newer@crate is down" in why(loop)


def test_cancelled_by_somebody_else_is_a_failure_of_ours():
    loop = story(goal=COMPLETED)
    loop.run(4)
    loop.manila.cancel("s0", FOREIGNER)
    assert ends(loop) == (
        FAILED,
        "The migration of share server s0 was cancelled by somebody else. Run it again to start it anew.",
    )
    assert loop.track("s0").phase == CANCELLED


def test_a_cancelled_server_whose_shares_stay_read_only_is_no_success():
    """Manila fails to lift the read-only access that it gave them, and says that it is active."""
    loop = story(goal=CANCELLED, faults=("read_only_stays",))
    loop.manila.rest_server("s0", NEW)
    loop.interval = 10.0
    loop.run(4)
    assert loop.track("s0").phase == CANCELLED
    assert loop.track("s0").outcome is None  # it may take a moment
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith(
        "share server s0 was cancelled and stays where it was, but share s0-share-0: access rules "
        "are not in force (ip 192.0.2.7 rw (queued_to_apply)), so clients may only be able to read"
    )
    assert_sentences(error)
    assert as_record(loop.plan[0], loop.track("s0"))["shares"] == []


def test_a_moved_server_whose_shares_stay_read_only_is_no_success():
    loop = story(goal=COMPLETED, faults=("read_only_stays",))
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert error.startswith(
        "share server s0 was moved, but share s0-share-0: access rules are not in force "
        "(ip 192.0.2.7 rw (queued_to_apply))"
    )


# -- caps ------------------------------------------------------------------------------------


def mixed(loop: Evacuation, share_id: str, source: str, destination: str) -> None:
    """Add a share to the plan, too."""
    loop.manila.add(share_id, source)
    loop.plan.append(Migration(share_id, source, destination))


def test_servers_and_shares_count_together():
    loop = story(2, goal=COPIED, max_parallel=2)
    mixed(loop, "share", f"{NEWER}#p", f"{NEW}#p")
    assert wants(loop) == [(START, "s0"), (START, "s1")]
    assert waits_for(loop, "share") == "slot"
    assert why(loop, "share") == "2 migrations are at work in the cloud, max_parallel is 2"


@pytest.mark.parametrize("pool", ["p", "q"])
@pytest.mark.parametrize(("source", "destination"), [(OLD, NEWER), (NEWER, OLD), (NEWER, NEW)])
def test_a_server_is_at_work_in_every_pool_of_its_back_ends(source, destination, pool):
    loop = story(goal=COPIED, max_parallel_per_pool=1)
    mixed(loop, "share", f"{source}#{pool}", f"{destination}#{pool}")
    assert wants(loop) == [(START, "s0")]
    place = f"{source}#{pool}" if source == OLD else f"{destination}#{pool}"
    assert why(loop, "share") == (f"1 migration is at work in {place}, max_parallel_per_pool is 1")


def test_shares_in_different_pools_count_once_for_a_server():
    """Two shares in two pools: each pool has one at work, with the server it would be two."""
    loop = story(goal=COPIED, max_parallel_per_pool=2)
    server = loop.plan.pop()
    mixed(loop, "one", f"{NEW}#p", f"{NEWER}#p")
    mixed(loop, "two", f"{NEW}#q", f"{NEWER}#q")
    loop.plan.append(server)
    assert len(wants(loop)) == 3


def test_a_server_waits_for_the_fullest_pool_of_its_back_ends():
    loop = story(goal=COPIED, max_parallel_per_pool=2)
    server = loop.plan.pop()
    for number in range(2):
        mixed(loop, f"share-{number}", f"{NEW}#p", f"{NEWER}#{'pq'[number]}")
    loop.plan.append(server)
    assert wants(loop) == [(START, "share-0"), (START, "share-1")]
    assert why(loop, "s0") == "2 migrations are at work in new@box, max_parallel_per_pool is 2"


def test_two_servers_of_one_back_end_count_together_in_it():
    loop = story(3, goal=COPIED, max_parallel_per_pool=2)
    assert wants(loop) == [(START, "s0"), (START, "s1")]
    assert why(loop, "s2") == "2 migrations are at work in old@array, max_parallel_per_pool is 2"


def test_one_that_stays_on_its_back_end_counts_once_there():
    options = Options(new_share_network_id="net-2")
    loop = story(goal=COPIED, max_parallel_per_pool=2)
    loop.plan[0] = replace(loop.plan[0], destination=OLD, options=options)
    loop.manila.add_server("s1", OLD)
    loop.plan.append(Migration("s1", OLD, NEW, kind=SHARE_SERVER))
    assert wants(loop) == [(START, "s0"), (START, "s1")]


def test_servers_of_others_count_in_their_back_ends():
    loop = story(goal=COPIED, max_parallel_per_pool=1)
    mixed(loop, "share", f"{NEWER}#p", f"{NEWER}#q")
    loop.manila.add_server("theirs", NEWER)
    loop.manila.start("theirs", NEW, Options(), FOREIGNER)
    loop.manila.advance(60)
    assert wants(loop) == []
    assert "in new@box" in why(loop, "s0")
    assert "in newer@crate#p" in why(loop, "share")
    assert loop.memory.others["theirs"] == replace(
        loop.memory.others["theirs"], source=NEWER, destination=NEW, busy=True, kind=SHARE_SERVER
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_cutover_of_others_counts_to_its_last_moment(seed):
    """The source is done with or gone already, and the destination not in use yet."""
    loop = story(goal=COPIED, max_parallel=1)
    loop.manila._rng.seed(seed)
    loop.manila.add_server("theirs", NEWER)
    loop.manila.rest_server("theirs", NEW)
    loop.manila.complete("theirs", FOREIGNER)
    loop.manila.advance(1)
    while loop.manila.servers_at_work():
        assert wants(loop) == []
        theirs = loop.memory.others["theirs"]
        assert (theirs.source, theirs.destination, theirs.busy) == (NEWER, NEW, True)
        loop.manila.advance(1)
    assert loop.manila.successor_of("theirs")
    assert wants(loop) == [(START, "s0")]


def test_what_rests_takes_no_slot():
    loop = story(2, goal=COPIED, max_parallel=1)
    loop.manila.rest_server("s1", NEW)
    loop.manila.add_server("theirs", NEWER)
    loop.manila.rest_server("theirs", OLD)
    assert wants(loop) == [(START, "s0")]


def test_what_is_left_of_others_takes_no_slot():
    loop = story(goal=COPIED, max_parallel=1)
    loop.manila.add_server("theirs", NEWER)
    loop.manila.leave_server("theirs", NEW, DESTINATION)  # its source is in use
    loop.manila.add_server("error", NEWER, task_state="migration_error").status = "error"
    assert wants(loop) == [(START, "s0")]
    assert loop.memory.others == {}


# -- when ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "changes", "verb", "code"),
    [
        (NEW, {}, START, None),
        (NEW, {"status": "disabled"}, START, "service_disabled"),
        (NEW, {"status": "disabled"}, COMPLETE, None),
        (NEW, {"state": "down"}, START, "service_down"),
        (NEW, {"state": "stopped"}, COMPLETE, "service_down"),
        (NEW, {"fresh": False}, COMPLETE, "service_down"),
        (OLD, {"status": "disabled"}, START, None),  # the cordon
        (OLD, {"state": "down"}, COMPLETE, "service_down"),
    ],
)
def test_services(backend, changes, verb, code):
    loop = story(goal=COMPLETED)
    if verb == COMPLETE:
        loop.manila.rest_server("s0", NEW)
    service = replace(Service("manila-share", backend, "enabled", "up"), **changes)
    there = seen(loop)
    assert there
    reading = Reading({"s0": there}, services={backend: service})
    decision = decide(loop.plan, reading, loop.limits, loop.manila.now, Memory())
    track = decision.memory.tracks["s0"]
    assert [action.verb for action in decision.actions] == ([] if code else [verb])
    assert (track.waiting_for and track.waiting_for.code) == code


@pytest.mark.parametrize("planned", [NEW, None])
def test_the_rest_of_what_is_met_copied_ends_with_a_sign_of_life_of_the_destination(planned):
    there = Observation("s0", "server_migrating", OLD, DONE, COPY, kind=SHARE_SERVER)
    plan = [Migration("s0", OLD, planned, kind=SHARE_SERVER)]
    limits = Limits(goal=COMPLETED, grace=10)
    memory, codes = Memory(), []
    for now, beat in ((0.0, -5.0), (20.0, -5.0), (21.0, 20.0)):
        # The source's sign of life says nothing: it is the destination's manager that acts.
        services = {
            OLD: Service("manila-share", OLD, "enabled", "up", beat=now),
            NEW: Service("manila-share", NEW, "enabled", "up", beat=beat),
        }
        reading = Reading({"s0": there}, services=services)
        decision = decide(plan, reading, limits, now, memory)
        memory = decision.memory
        waiting = memory.tracks["s0"].waiting_for
        assert decision.actions or waiting
        codes.append(decision.actions[0].verb if decision.actions else waiting and waiting.code)
    assert codes == ["grace", "grace", COMPLETE]


def test_a_killed_run_does_not_complete_twice_while_the_manager_is_away():
    loop = story(goal=COMPLETED, grace=10.0)
    loop.manila.rest_server("s0", NEW)
    loop.interval = 15.0
    loop.run(1)
    assert sent(loop) == []
    action = loop.poll().actions[0]
    loop.manila.stop_service(NEW, 50)  # nobody knows it yet
    loop.perform(action)
    loop.forget()
    assert ends(loop) == (REACHED, "")
    assert sent(loop) == [("complete", "s0")]
    assert loop.manila.violations == []


def test_a_dead_scheduler_or_data_service_hinders_no_server():
    migration = Migration("s0", OLD, NEW, kind=SHARE_SERVER)
    for task_state in ("migration_starting", "migration_in_progress"):
        track = Track(phase=COPYING, task_state=task_state, mechanism="driver")
        reading = Reading(workers={"manila-scheduler": False, "manila-data": False})
        reason = running_reason(migration, track, reading)
        assert reason.code == "driver"


def test_a_rehearsal_says_what_holds_each_now():
    loop = story(3, goal=COMPLETED, max_parallel=1, rehearsal=True)
    loop.manila.rest_server("s2", NEW)
    assert sorted(wants(loop)) == [(COMPLETE, "s2"), (START, "s0"), (START, "s1")]
    assert {waits_for(loop, one.id) for one in loop.plan} == {"operator"}
    assert why(loop, "s2") == "it is copied, and waits for somebody to cut over"
    assert sent(loop) == []


def test_what_failed_before_is_said_to_have_failed_before():
    loop = story(goal=COPIED, rehearsal=True)
    loop.manila.servers["s0"].task_state = "migration_error"
    assert wants(loop) == [(START, "s0")]
    assert "its last migration failed" in why(loop)


# -- verification ----------------------------------------------------------------------------

RULE = ("ip", "192.0.2.7", "rw")


def share(**changes) -> Facts:
    there = Facts(
        f"{NEW}#p",
        "available",
        1,
        rules=frozenset({RULE}),
        snapshots={"x": "available"},
        exports=("e",),
        name="data",
    )
    return replace(there, **changes)


GOOD = Facts(NEW, "active", 1, share_network_id="net-1", members={"a": share(), "b": share()})


@pytest.mark.parametrize(
    ("found", "members", "network", "wrong"),
    [
        ({}, {}, None, []),
        ({}, {}, "net-1", []),
        ({}, {}, "net-2", ["its share network is net-1, not net-2"]),
        ({"status": "error"}, {}, None, ["its status is 'error'"]),
        (
            {"host": OLD},
            {},
            None,
            [
                f"it is at {OLD}, not at {NEW}",
                f"share data: it is at {NEW}#p",
                f"share data: it is at {NEW}#p",
            ],
        ),
        ({"copies": 2}, {}, None, ["the server that it was moved from is still there"]),
        ({}, {"a": None}, None, ["share data is not on it"]),
        (
            {},
            {"a": None, "b": None},
            None,
            ["it has no shares", "share data is not on it", "share data is not on it"],
        ),
        ({}, {"c": share(name="")}, None, []),  # it was made meanwhile
        ({}, {"c": share(name="", exports=())}, None, ["share c: it has no export location"]),
        ({}, {"a": share(host=f"{OLD}#p")}, None, [f"share data: it is at {OLD}#p"]),
        ({}, {"a": share(host=f"{NEW}#q")}, None, []),
        ({}, {"a": share(status="error")}, None, ["share data: its status is 'error'"]),
        ({}, {"a": share(exports=())}, None, ["share data: it has no export location"]),
        ({}, {"a": share(copies=2)}, None, ["share data: it has 2 instances"]),
        (
            {},
            {"a": share(rules=frozenset())},
            None,
            ["share data: the access rule ip 192.0.2.7 rw is missing"],
        ),
        (
            {},
            {"b": share(rules_status="error")},
            None,
            ["share data: its access rules are 'error'"],
        ),
        ({}, {"b": share(snapshots={})}, None, ["share data: its snapshot x is missing"]),
        (
            {},
            {"b": share(snapshots={"x": "error"})},
            None,
            ["share data: its snapshot x is 'error'"],
        ),
    ],
)
def test_differences_of_a_server(found, members, network, wrong):
    options = Options(new_share_network_id=network)
    migration = Migration("s0", OLD, NEW, kind=SHARE_SERVER, options=options)
    before = replace(GOOD, host=OLD, status="server_migrating", copies=2)
    there = {**GOOD.members, **members}
    after = replace(GOOD, members={one: what for one, what in there.items() if what}, **found)
    assert differences(migration, before, after, NEW) == wrong


def test_differences_of_a_server_without_a_before():
    """Somebody else completed it: only what must hold in any case."""
    migration = Migration("s0", OLD, NEW, kind=SHARE_SERVER)
    after = replace(GOOD, members={"a": share(rules=frozenset(), snapshots={})})
    assert differences(migration, None, after, NEW) == []
    none = replace(GOOD, members={})
    assert differences(migration, None, none, None) == ["it has no shares"]


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("rule_lost", "the access rule ip 192.0.2.7 rw is missing"),
        ("snapshot_error", "its snapshot snap is 'error'"),
    ],
)
def test_a_cutover_that_lost_something_is_no_success(fault, what):
    loop = story(goal=COMPLETED, faults=(fault,))
    outcome, error = ends(loop)
    assert (outcome, error) == (
        FAILED,
        f"share server s0 was moved, but share s0-share-0: {what}; share s0-share-1: {what}.",
    )
    assert_sentences(error)


def test_shares_that_become_available_a_moment_later_are_waited_for():
    loop = story(goal=COMPLETED)
    loop.manila.rest_server("s0", NEW)
    loop.interval = 0.1
    loop.run(1)
    assert sent(loop) == [("complete", "s0")]
    loop.manila.servers = {"s0": loop.manila.servers["s0"]}
    moved = loop.manila.teleport_server("s0", NEW)
    loop.manila._release(moved, "server_migrating")
    loop.run(1)
    assert loop.track("s0").outcome is None
    assert as_record(loop.plan[0], loop.track("s0"))["phase"] == COMPLETING
    loop.manila._release(moved)
    assert ends(loop) == (REACHED, "")


# -- what users see --------------------------------------------------------------------------


def test_a_record_of_a_server():
    before = Facts(
        OLD, "server_migrating", 2, members={"b": share(exports=("2", "3")), "a": share()}
    )
    after = Facts(NEW, "active", 1, members={"b": share(exports=("4",)), "c": share(name="new")})
    track = Track(
        phase=COMPLETED,
        outcome=REACHED,
        mechanism="driver",
        destination=NEW,
        successor="s9",
        facts_before=before,
        facts_after=after,
    )
    record = as_record(Migration("s0", OLD, None, size_gb=3, kind=SHARE_SERVER), track)
    assert (record["kind"], record["name"], record["size_gb"]) == (SHARE_SERVER, "", 3)
    assert (record["source"], record["destination"]) == (OLD, NEW)
    assert record["destination_share_server_id"] == "s9"
    assert sorted(record["export_locations_before"]) == ["2", "3", "e"]
    assert sorted(record["export_locations_after"]) == ["4", "e"]
    assert [(one["id"], one["name"]) for one in record["shares"]] == [
        ("a", "data"),
        ("b", "data"),
        ("c", "new"),
    ]
    assert record["shares"][1]["export_locations_before"] == ["2", "3"]
    assert record["shares"][1]["export_locations_after"] == ["4"]
    assert record["shares"][0]["export_locations_after"] == []
    assert record["shares"][2]["export_locations_before"] == []


def test_a_record_of_what_has_not_begun():
    record = as_record(Migration("s0", OLD, NEW, kind=SHARE_SERVER), Track())
    assert (record["destination_share_server_id"], record["shares"]) == (None, [])
    assert record["export_locations_before"] == record["export_locations_after"] == []


@pytest.mark.parametrize(
    ("task_state", "phase", "code"),
    [
        ("migration_starting", COPYING, "driver"),
        ("migration_driver_in_progress", COPYING, "driver"),
        (DONE, COPIED, "operator"),
        ("migration_completing", COMPLETING, "completing"),
        ("migration_cancel_in_progress", CANCELLING, "cancelling"),
        ("migration_success", STUCK, "unclear"),
    ],
)
def test_a_look_without_a_plan(task_state, phase, code):
    loop = story()
    loop.manila.rest_server("s0", NEW, task_state)
    there = seen(loop)
    assert there
    migration, track = describe(there, {}, loop.manila.now)
    record = as_record(migration, track)
    assert (record["kind"], record["phase"]) == (SHARE_SERVER, phase)
    assert (record["source"], record["destination"]) == (OLD, NEW)
    assert record["waiting_for"]["code"] == code
    assert record["destination_share_server_id"] == loop.manila.copies_of("s0")[0].id


def test_a_look_at_a_server_whose_manager_is_down():
    loop = story()
    loop.manila.rest_server("s0", NEW, "migration_driver_in_progress")
    there = seen(loop)
    assert there
    down = {NEW: Service("manila-share", NEW, "enabled", "down")}
    _migration, track = describe(there, down, loop.manila.now)
    assert track.waiting_for
    assert track.waiting_for.code == "service_down"


@pytest.mark.parametrize(
    ("faults", "goal"),
    [
        (("stuck_start",), COPIED),
        (("double_start",), COPIED),
        (("server_setup_fails",), COPIED),
        (("server_copy_fails",), COPIED),
        (("server_complete_fails",), COMPLETED),
        (("server_delete_fails",), COMPLETED),
        (("rule_lost",), COMPLETED),
        (("answer_lost_never",), COMPLETED),
    ],
)
def test_what_failed_is_told_in_sentences(faults, goal):
    loop = story(goal=goal, faults=faults)
    loop.manila._rng.seed(1)
    outcome, error = ends(loop)
    assert outcome == FAILED
    assert_sentences(error)


# -- outcomes --------------------------------------------------------------------------------


def told(verb: str, outcome: str, kind: str = SHARE_SERVER, **more) -> Track:
    action = Action(verb, Migration("s0", OLD, NEW, kind=kind))
    track = Track(seen=True, want=verb)
    return outcomes.after(Memory({"s0": track}), action, outcome, 1000.0, **more).tracks["s0"]


@pytest.mark.parametrize(
    ("verb", "outcome", "kind", "message", "refusal"),
    [
        (START, OUTDATED, SHARE_SERVER, "no.", ("no.", 400)),
        (START, OUTDATED, SHARE_SERVER, "", None),  # the look before it found something else
        (START, OUTDATED, "share", "no.", None),
        (COMPLETE, OUTDATED, SHARE_SERVER, "no.", None),
        (START, REFUSED, SHARE_SERVER, "no.", None),
        (START, ACCEPTED, SHARE_SERVER, "", None),
    ],
)
def test_a_refused_start_that_began_all_the_same_is_remembered(
    verb, outcome, kind, message, refusal
):
    assert told(verb, outcome, kind, message=message, status_code=400).refusal == refusal


def verified(track: Track, outcome: str, now: float, **more) -> Track:
    memory = Memory({"s0": track})
    action = Action(VERIFY, Migration("s0", OLD, NEW, kind=SHARE_SERVER))
    return outcomes.after(memory, action, outcome, now, **more).tracks["s0"]


def test_verification_is_told_of_servers_as_of_shares():
    found = replace(GOOD, members={})
    moved = Track(seen=True, ours=True, phase=COMPLETED, completed_at=1000.0)
    track = verified(moved, REFUSED, 1000.0, message="it has no shares", found=found)
    assert (track.outcome, track.facts_after) == (None, found)


def test_a_cancelled_server_whose_rules_stay_read_only_is_no_success():
    """share/manager.py fails to apply them again, and calls them active."""
    options = Options(new_share_network_id="net-2")
    migration = Migration("s0", OLD, NEW, kind=SHARE_SERVER, options=options)
    back = Track(seen=True, ours=True, phase=CANCELLED, since=1000.0)
    good = replace(share(), host=f"{OLD}#p")
    found = replace(GOOD, host=OLD, members={"a": good})
    assert outcomes.faults(migration, back, found) == []
    queued = replace(good, unapplied=frozenset({("ip 192.0.2.1", "queued_to_apply")}))
    wrong = outcomes.faults(migration, back, replace(found, members={"a": queued}))
    assert len(wrong) == 1 and "not in force (ip 192.0.2.1 (queued_to_apply))" in wrong[0]
    first = verified(back, REFUSED, 1000.0, message=wrong[0], found=found)
    late = verified(first, REFUSED, 1120.0, message=wrong[0], found=found)
    assert late.outcome == FAILED and late.facts_after is None
    assert "was cancelled and stays where it was, but" in (late.error or "")
    assert verified(back, REFUSED, 1119.0, message=wrong[0]).outcome is None
    assert verified(back, ACCEPTED, 1001.0).outcome == REACHED


def test_servers_of_others_cost_no_look_at_their_end():
    theirs = Other(OLD, NEW, busy=True, kind=SHARE_SERVER)
    assert shares_to_refresh([], Memory({}, {"theirs": theirs}), []) == set()
    running = Observation("theirs", "server_migrating", OLD, kind=SHARE_SERVER)
    assert shares_to_refresh([], Memory(), [running]) == set()
