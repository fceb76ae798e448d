# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one reading means for one migration: what is written down, and what should follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._engine.advance import advance
from ansible_collections.manila.migration.plugins.module_utils._engine.gates import (
    hinders_cutover,
    refuses_cancel,
    refuses_complete,
    refuses_remove,
    refuses_start,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.record import describe
from ansible_collections.manila.migration.plugins.module_utils._engine.refresh import (
    shares_to_refresh,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    CANCEL,
    COMPLETE,
    REACHED,
    REMOVE,
    START,
    UNKNOWN,
    VERIFY,
    Limits,
    Memory,
    Other,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    IDLE,
    STUCK,
)

OLD, NEW, NEWER = "old@array#p", "new@array#p", "newer@array#p"
NOW = 1000.0
DONE = "migration_driver_phase1_done"
COPIES = "migration_driver_in_progress"
MOVING = {SHARE: "migrating", SHARE_SERVER: "server_migrating", SHARE_REPLICA: "replicating"}
RESTING = {SHARE: "available", SHARE_SERVER: "active", SHARE_REPLICA: "available"}


def moving(task_state: str | None, to: str = NEW, kind: str = SHARE, **more) -> Observation:
    """A share, a share server or a replica that moves from OLD."""
    places = (Place(OLD, MOVING[kind], "old"), Place(to, "migrating_to", "new"))
    seen = Observation("s0", MOVING[kind], OLD, task_state, places, kind=kind)
    return replace(seen, **more)


def resting(
    task_state: str | None = None, host: str = OLD, copies: int = 1, kind: str = SHARE, **more
) -> Observation:
    """The same at rest, with so many instances."""
    places = (Place(host, RESTING[kind], "old"), Place(NEWER, "error", "left"))[:copies]
    seen = Observation("s0", RESTING[kind], host, task_state, places, kind=kind)
    return replace(seen, **more)


def step(
    seen: Observation | None,
    track: Track | None = None,
    *,
    now: float = NOW,
    gone: bool = False,
    to: str | None = NEW,
    options: Options | None = None,
    **limits,
) -> Track:
    """The track after one reading."""
    migration = Migration("s0", OLD, to, "name-0", kind=seen.kind if seen else SHARE)
    return advance(
        replace(migration, options=options or Options()),
        seen,
        gone,
        Limits(**limits),
        now,
        track or Track(),
    )


# -- what occupies a slot --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("track", "busy"),
    [
        (Track(), False),
        (Track(phase=COPYING), True),
        (Track(phase=COMPLETING), True),
        (Track(phase=CANCELLING), True),
        (Track(phase=STUCK), True),
        (Track(phase=COPYING, outcome=REACHED), False),
        (Track(phase=COPIED), False),
        (Track(phase=COPIED, sent={START: ACCEPTED}), False),
        (Track(phase=COPIED, sent={COMPLETE: UNKNOWN}), True),
        (Track(phase=IDLE, sent={START: UNKNOWN}), True),
        (Track(phase=FAILED, sent={START: UNKNOWN}), True),
        (Track(phase=CANCELLED, sent={START: UNKNOWN}), True),
        (Track(phase=FAILED), False),
        (Track(phase=CANCELLED), False),
        (Track(phase=COMPLETED, sent={START: ACCEPTED}), False),
    ],
)
def test_what_occupies_a_slot(track, busy):
    assert track.busy is busy


# -- what needs a look -----------------------------------------------------------------------


def test_what_needs_no_look_keeps_nobody_else_from_one():
    plan = [
        Migration("done", OLD, NEW),
        Migration("server", OLD, NEW, kind=SHARE_SERVER),
        Migration("replica", OLD, NEW, kind=SHARE_REPLICA),
        Migration("known", OLD, NEW),
        Migration("new", OLD, NEW),
    ]
    tracks = {
        "done": Track(outcome=REACHED),
        "known": Track(seen=True, ours=True, destination=NEW),
    }
    running = [moving(COPIES, kind=SHARE_REPLICA, id="replica"), moving(COPIES, id="known")]
    assert shares_to_refresh(plan, Memory(tracks), running) == {"new"}


@pytest.mark.parametrize("phase", [COPYING, COPIED, COMPLETING, CANCELLING, STUCK])
def test_what_was_under_way_and_is_no_longer_listed_is_looked_at(phase):
    tracks = {"s0": Track(seen=True, phase=phase)}
    assert shares_to_refresh([Migration("s0", OLD, NEW)], Memory(tracks), []) == {"s0"}


def test_a_migration_of_another_run_with_a_known_destination_is_looked_at_when_it_becomes_ours():
    tracks = {"s0": Track(seen=True, destination=NEW)}
    assert shares_to_refresh([Migration("s0", OLD, NEW)], Memory(tracks), [moving(COPIES)]) == {
        "s0"
    }


def test_only_shares_that_nobody_planned_are_looked_at():
    running = [moving(COPIES, kind=kind, id=kind) for kind in (SHARE, SHARE_SERVER, SHARE_REPLICA)]
    assert shares_to_refresh([], Memory(), running) == {SHARE}
    others = {
        kind: Other(OLD, NEW, True, kind=kind) for kind in (SHARE, SHARE_SERVER, SHARE_REPLICA)
    }
    assert shares_to_refresh([], Memory({}, others), []) == {SHARE}


# -- the gates -------------------------------------------------------------------------------


def plan_of(seen: Observation, to: str | None = NEW) -> Migration:
    return Migration("s0", OLD, to, "name-0", kind=seen.kind)


def test_the_gate_before_a_start_of_what_has_been_moved_or_is_hindered():
    seen = resting(kind=SHARE_SERVER)
    assert refuses_start(plan_of(seen), seen) is None
    assert "v9 has taken its place" in (
        refuses_start(plan_of(seen), replace(seen, successor="v9")) or ""
    )
    older = resting(kind=SHARE_SERVER, copies=2)
    assert "server_migrating_to" in (refuses_start(plan_of(older), older) or "")
    held = resting(kind=SHARE_REPLICA, obstacle="it has a replica already")
    assert refuses_start(plan_of(held), held) == "it has a replica already"


@pytest.mark.parametrize(
    ("kind", "track", "mark", "way_out"),
    [
        (SHARE, Track(), None, None),
        (SHARE, Track(tainted=True), None, "copy again"),
        (SHARE, Track(), CopyMark("new"), "copy again"),
        (SHARE, Track(copy_mark=CopyMark("new")), None, "copy again"),
        (SHARE, Track(), CopyMark("new", "2026-01-01T00:00:00Z"), "ended: cancel it again"),
        (SHARE_SERVER, Track(tainted=True), None, "cancel it again"),
        (SHARE_SERVER, Track(copy_mark=CopyMark("v2")), None, "cancel it again"),
        (SHARE_SERVER, Track(), None, None),
        (SHARE, Track(), CopyMark("another"), None),
    ],
)
def test_the_gate_before_a_complete_of_what_was_interrupted(kind, track, mark, way_out):
    seen = moving(DONE, kind=kind, copy_mark=mark)
    answer = refuses_complete(plan_of(seen), track, seen)
    assert (answer is None) if way_out is None else (answer or "").endswith(way_out)


def test_the_gate_before_a_complete_of_what_has_an_obstacle():
    seen = moving("replica_in_sync", kind=SHARE_REPLICA, obstacle="a second one is made")
    assert refuses_complete(plan_of(seen), Track(), seen) == "a second one is made"


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, False),
        ({"leads": True}, True),
        ({"task_state": "replica_in_sync"}, True),
        ({"status": "available"}, True),
        ({"host": NEWER}, True),
        ({"instances": (Place(OLD, "replicating"), Place(NEWER, "available"))}, True),
    ],
)
def test_the_gate_before_the_source_is_removed(change, refused):
    seen = replace(moving("replica_promoted", kind=SHARE_REPLICA), **change)
    assert (refuses_remove(plan_of(seen), seen) is not None) is refused


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, False),
        ({"task_state": "migration_starting"}, True),
        ({"status": "available"}, True),
        ({"host": NEWER}, True),
        ({"instances": (Place(OLD, "migrating"), Place(NEWER, "migrating_to"))}, True),
        ({"instances": None}, False),
    ],
)
def test_the_gate_before_a_cancel(change, refused):
    seen = replace(moving(COPIES), **change)
    assert (refuses_cancel(plan_of(seen), seen) is not None) is refused
    if change.get("instances"):
        assert refuses_cancel(plan_of(seen, None), seen) is None  # any place is right


@pytest.mark.parametrize(("copies", "refused"), [(2, False), (3, True)])
@pytest.mark.parametrize("kind", [SHARE, SHARE_SERVER])
def test_more_than_two_of_it_are_mixed_up(kind, copies, refused):
    seen = moving(COPIES, kind=kind)
    seen = replace(seen, instances=(*seen.instances, Place(NEWER, "error"))[:copies])
    assert (refuses_cancel(plan_of(seen), seen) is not None) is refused


@pytest.mark.parametrize(
    ("kind", "snapshots", "late"),
    [
        (SHARE_REPLICA, {"b": "creating", "a": "creating", "c": "available"}, "a, b"),
        (SHARE_REPLICA, {"c": "available"}, None),
        (SHARE, {"a": "creating"}, None),
        (SHARE_REPLICA, {}, None),
    ],
)
def test_snapshots_that_are_being_made_hinder_a_promotion(kind, snapshots, late):
    facts = Facts(OLD, "available", 1, snapshots=snapshots)
    answer = hinders_cutover(Migration("s0", OLD, NEW, kind=kind), facts)
    assert (answer is None) if late is None else (answer or "").endswith(late)


# -- what is not there -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("track", "outcome"),
    [
        (Track(want=START, waiting_for=Reason("slot", "")), REACHED),
        (Track(ours=True, want=COMPLETE, waiting_for=Reason("slot", "")), FAILED),
        (Track(sent={CANCEL: UNKNOWN}), FAILED),
        (Track(ours=True, sent={START: ACCEPTED}), FAILED),
    ],
)
def test_what_is_gone(track, outcome):
    after = step(None, track, gone=True)
    assert (after.outcome, after.want, after.waiting_for) == (outcome, None, None)


def test_what_was_not_read_stays_as_it_was():
    track = Track(seen=True, phase=COPYING, want=START)
    assert step(None, track) is track


def test_what_is_settled_stays_settled():
    track = Track(seen=True, phase=COPIED, outcome=REACHED)
    assert step(resting(), track) is track


# -- what is written down --------------------------------------------------------------------


def test_what_is_written_down_of_a_copy_that_is_met():
    seen = moving(COPIES, share_type_id="t", share_network_id="n", progress=40)
    seen = replace(seen, changed_at=700.0, started_at=600.0, leads=True)
    track = step(seen, Track(look=True, want=COMPLETE))
    assert (track.seen, track.met_at, track.look, track.want) == (True, NOW, False, None)
    assert (track.phase, track.task_state, track.since) == (COPYING, COPIES, 700.0)
    assert (track.mechanism, track.progress, track.destination) == ("driver", 40, NEW)
    assert (track.origin, track.successor, track.leads) == (("t", "n"), None, True)
    assert (track.started_at, track.copied_at, track.completed_at) == (600.0, None, None)
    assert (track.tainted, track.ours) == (False, True)


def test_manilas_times_count_where_it_has_them():
    known = step(moving(COPIES, changed_at=0.0, started_at=0.0))
    assert (known.since, known.started_at) == (0.0, 0.0)
    unknown = step(moving(COPIES))
    assert (unknown.since, unknown.started_at) == (NOW, NOW)
    only_changed = step(moving(COPIES, changed_at=700.0))
    assert only_changed.started_at == 700.0


def test_what_was_known_is_kept():
    before = Track(
        seen=True,
        met_at=1.0,
        phase=COPYING,
        task_state=COPIES,
        since=2.0,
        started_at=3.0,
        copied_at=4.0,
        origin=("t", "n"),
        mechanism="driver",
        progress=70,
        destination=NEW,
        successor="v2",
        tainted=True,
        ours=True,
    )
    seen = moving(COPIES, instances=None, share_type_id="other", changed_at=9.0, started_at=9.0)
    after = step(seen, before)
    assert (after.met_at, after.since, after.started_at, after.copied_at) == (1.0, 2.0, 3.0, 4.0)
    assert (after.origin, after.mechanism, after.progress) == (("t", "n"), "driver", 70)
    assert (after.destination, after.successor, after.tainted) == (NEW, "v2", True)


@pytest.mark.parametrize(
    ("seen", "phase"),
    [
        (moving(DONE), COPIED),  # another task state, another phase
        (moving("migration_driver_starting"), COPYING),  # another task state, the same phase
    ],
)
def test_a_new_state_is_new_since_it_is_seen(seen, phase):
    before = Track(seen=True, phase=COPYING, task_state=COPIES, since=2.0, ours=True)
    after = step(seen, before)
    assert (after.phase, after.since) == (phase, NOW)


def test_a_new_phase_of_the_same_task_state_is_new_since_it_is_seen():
    before = Track(seen=True, phase=COPYING, task_state=COPIES, since=2.0, ours=True, met_at=2.0)
    after = step(resting(COPIES, copies=2), before)
    assert (after.phase, after.since) == (STUCK, NOW)


@pytest.mark.parametrize(
    ("seen", "progress", "mechanism"),
    [
        (moving("data_copying_completing"), 100, "host"),
        (moving("migration_starting", progress=30), 0, None),  # the state says more
        (moving(COPIES, progress=30), 30, "driver"),
        (moving(COPIES, progress=0), 0, "driver"),
        (moving(COPIES), 55, "driver"),
        (resting("data_copying_completed", copies=2), None, "host"),  # stuck
        (moving("data_copying_error", progress=30), None, "host"),  # stuck, too
        (resting("migration_error"), None, None),
        (resting("data_copying_in_progress"), None, None),  # a backup
    ],
)
def test_progress_and_mechanism_are_those_of_what_runs(seen, progress, mechanism):
    after = step(seen, Track(progress=55))
    assert (after.progress, after.mechanism) == (progress, mechanism)


def test_the_mechanism_is_known_ever_after():
    after = step(moving("migration_completing"), Track(mechanism="host", ours=True))
    assert after.mechanism == "host"


def test_what_has_arrived_is_copied_as_a_whole():
    after = step(resting("migration_success", host=NEW), Track(ours=True, progress=3, phase=COPIED))
    assert (after.phase, after.progress, after.completed_at) == (COMPLETED, 100, NOW)


@pytest.mark.parametrize(
    ("seen", "track", "started", "copied", "completed"),
    [
        (resting(), Track(), None, None, None),
        (resting("data_copying_error", copies=2), Track(), None, None, None),
        (moving(None), Track(), None, None, None),  # stuck is not started
        (moving(DONE), Track(), NOW, NOW, None),
        (moving(DONE, changed_at=900.0), Track(), 900.0, 900.0, None),
        (moving(DONE), Track(copied_at=5.0), NOW, 5.0, None),
        (moving(COPIES), Track(ours=True), NOW, None, None),
        (resting(host=NEW), Track(), None, None, None),  # not by this run
        (resting(host=NEW), Track(ours=True), None, None, NOW),
        (resting(host=NEW), Track(ours=True, completed_at=6.0), None, None, 6.0),
    ],
)
def test_the_times_of_the_three_steps(seen, track, started, copied, completed):
    after = step(seen, track)
    assert (after.started_at, after.copied_at, after.completed_at) == (started, copied, completed)


@pytest.mark.parametrize(
    ("seen", "tainted"),
    [
        (moving(COPIES), False),
        (moving("data_copying_error"), True),
        (moving("migration_cancel_in_progress"), True),
        (resting("data_copying_error"), False),
        (resting("migration_cancel_in_progress"), False),
    ],
)
def test_what_interrupts_a_copy(seen, tainted):
    assert step(seen).tainted is tainted


@pytest.mark.parametrize(
    ("seen", "before", "after"),
    [
        (moving(COPIES), None, None),
        (moving(COPIES, copy_mark=CopyMark("new")), None, CopyMark("new")),
        (moving(COPIES, copy_mark=CopyMark("another")), CopyMark("new"), None),
        (moving(COPIES), CopyMark("new"), None),
        # A list says only that there is a mark: of which copy, a look has told.
        (moving(COPIES, instances=None, copy_mark=CopyMark("new")), None, None),
        (moving(COPIES, instances=None, copy_mark=CopyMark("new")), CopyMark("x"), CopyMark("x")),
        (moving(COPIES, instances=None), CopyMark("new"), None),
        (resting(copy_mark=CopyMark("old")), CopyMark("old"), None),
        # The list of share servers says nothing of it.
        (moving(COPIES, kind=SHARE_SERVER, successor="v2"), CopyMark("v2"), CopyMark("v2")),
        (moving(COPIES, kind=SHARE_SERVER, successor="v3"), CopyMark("v2"), None),
        (moving(COPIES, kind=SHARE_SERVER, successor="v2"), None, None),
    ],
)
def test_what_is_known_to_be_written_down_of_the_copy(seen, before, after):
    track = step(seen, Track(copy_mark=before))
    assert (track.copy_mark, track.listed_mark) == (after, seen.copy_mark)
    assert not track.tainted


@pytest.mark.parametrize(
    ("instances", "mark", "ours", "listed", "look"),
    [
        (None, CopyMark("new"), True, None, True),
        (None, CopyMark("new"), True, CopyMark("new"), False),
        (None, CopyMark("new"), True, CopyMark("older"), True),
        (None, CopyMark("new"), False, None, False),
        (None, None, True, CopyMark("older"), False),
        (
            (Place(OLD, "migrating", "old"), Place(NEW, "x", "new")),
            CopyMark("x"),
            True,
            None,
            False,
        ),
    ],
)
def test_a_mark_that_is_new_in_the_list_wants_a_look(instances, mark, ours, listed, look):
    seen = moving(COPIES, instances=instances, copy_mark=mark)
    before = Track(seen=True, ours=ours, phase=COPYING, destination=NEW, listed_mark=listed)
    assert step(seen, before, to=None).look is look


def test_a_share_that_rests_has_no_origin():
    assert step(resting(share_type_id="t")).origin is None


# -- when it has arrived ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has", "phase"), [(("t2", "n2"), COMPLETED), (("t1", "n2"), IDLE), (("t2", "n1"), IDLE)]
)
def test_it_has_arrived_only_as_what_it_shall_be(has, phase):
    wanted = Options(new_share_type_id="t2", new_share_network_id="n2")
    seen = resting(host=NEW, share_type_id=has[0], share_network_id=has[1])
    assert step(seen, options=wanted).phase == phase


@pytest.mark.parametrize(
    ("origin", "options", "phase"),
    [
        (("t1", "n1"), Options(), IDLE),  # it is what it was: nothing has happened
        (("t0", "n1"), Options(), COMPLETED),
        (("t1", "n0"), Options(), COMPLETED),
        (None, Options(), COMPLETED),
        (("t1", "n1"), Options(new_share_type_id="t1"), COMPLETED),  # as was asked for
    ],
)
def test_an_arrival_in_its_own_pool_shows_in_its_type_and_network(origin, options, phase):
    seen = resting(share_type_id="t1", share_network_id="n1")
    track = Track(seen=True, ours=True, origin=origin, since=NOW)
    assert step(seen, track, to=OLD, options=options).phase == phase


def test_a_share_server_has_arrived_when_another_one_has_taken_its_place():
    seen = resting("migration_success", host=NEW, kind=SHARE_SERVER)
    ours = Track(seen=True, ours=True)
    assert step(seen, ours).phase == IDLE
    assert step(replace(seen, successor="v2"), ours).phase == COMPLETED
    assert step(seen).phase == COMPLETED  # of one that was not ours there is nothing to be told


# -- while it moves --------------------------------------------------------------------------


def test_what_goes_elsewhere_is_left_alone():
    for goal in (COPIED, COMPLETED, CANCELLED):
        after = step(moving(COPIES, NEWER), Track(ours=True), goal=goal)
        assert (after.outcome, after.want) == (FAILED, None)
    # A cutover changes the places: what is completed is left to end.
    assert step(moving("migration_completing", NEWER), goal=COMPLETED).outcome is None


def test_a_replica_that_serves_elsewhere_is_left_alone():
    seen = moving("replica_promoted", NEWER, kind=SHARE_REPLICA)
    assert step(seen, goal=COMPLETED).outcome == FAILED


@pytest.mark.parametrize(
    ("since", "met_at", "outcome"),
    [(300.0, 300.0, FAILED), (400.0, 400.0, FAILED), (401.0, 1.0, None), (1.0, 401.0, None)],
)
def test_a_cancel_that_hangs_is_waited_for_as_long_as_the_patience_lasts(since, met_at, outcome):
    state = "migration_cancel_in_progress"
    track = Track(seen=True, phase=CANCELLING, task_state=state, since=since, met_at=met_at)
    assert step(moving(state), track, goal=CANCELLED, patience=600.0).outcome == outcome


@pytest.mark.parametrize(
    ("now", "outcome", "look"), [(1599.0, None, True), (1600.0, FAILED, False)]
)
def test_a_start_that_was_refused_and_left_as_if_it_ran(now, outcome, look):
    state = "migration_starting"
    track = Track(seen=True, phase=COPYING, task_state=state, since=NOW, met_at=NOW)
    track = replace(track, refusal=("no.", 409))
    after = step(moving(state), track, now=now)
    assert (after.outcome, after.look) == (outcome, look)
    assert after.status_code == (409 if outcome else None)
    # Once it goes on, nobody was refused.
    assert step(moving(COPIES), track, now=now).outcome is None


@pytest.mark.parametrize(
    ("state", "to", "ours", "look"),
    [
        (COPIES, NEW, False, True),
        (DONE, NEW, False, True),
        (COPIES, None, True, False),  # wherever it goes is right
        ("migration_completing", NEW, True, False),
    ],
)
def test_it_is_ours_when_it_is_known_where_it_goes(state, to, ours, look):
    after = step(moving(state, instances=None), to=to, goal=COMPLETED)
    assert (after.ours, after.look) == (ours, look)


@pytest.mark.parametrize(
    ("seen", "track", "outcome", "want", "look"),
    [
        (moving(DONE), Track(), REACHED, None, False),
        (moving(DONE, instances=None), Track(ours=True), None, None, True),
        (moving(DONE), Track(ours=True, tainted=True), FAILED, None, False),
        (moving(COPIES), Track(), None, None, False),
    ],
)
def test_copied_is_all_that_is_wanted(seen, track, outcome, want, look):
    after = step(seen, track, goal=COPIED)
    assert (after.outcome, after.want, after.look) == (outcome, want, look)


@pytest.mark.parametrize(("now", "outcome"), [(1599.0, None), (1600.0, FAILED)])
def test_a_cutover_that_does_not_begin_is_not_asked_for_twice(now, outcome):
    track = Track(seen=True, phase=COPIED, task_state=DONE, since=1.0, ours=True)
    track = replace(track, sent={COMPLETE: ACCEPTED}, sent_at={COMPLETE: NOW})
    after = step(moving(DONE), track, now=now, goal=COMPLETED)
    assert (after.outcome, after.want) == (outcome, None)


@pytest.mark.parametrize(
    ("held", "now", "want", "outcome"),
    [
        (None, NOW, COMPLETE, None),
        (("snapshots", NOW), 1599.0, COMPLETE, None),
        (("snapshots", NOW), 1600.0, None, FAILED),
    ],
)
def test_what_hinders_a_cutover_is_waited_for(held, now, want, outcome):
    track = Track(seen=True, phase=COPIED, task_state=DONE, since=1.0, ours=True, held=held)
    after = step(moving(DONE), track, now=now, goal=COMPLETED)
    assert (after.want, after.outcome) == (want, outcome)
    assert "snapshots" in (after.error or "snapshots")


def test_the_error_of_a_cutover_names_what_forbids_it_and_not_what_delayed_it():
    track = Track(seen=True, ours=True, phase=COPIED, tainted=True, held=("snapshots", 0.0))
    assert "interrupted" in (step(moving(DONE), track, goal=COMPLETED).error or "")


# -- time limits of one migration ------------------------------------------------------------


@pytest.mark.parametrize(
    ("started_at", "met_at", "now", "outcome"),
    [
        (NOW, NOW, 1059.0, None),
        (NOW, NOW, 1060.0, FAILED),
        (1.0, NOW, 1059.0, None),  # met on its way
        (NOW, 1.0, 1059.0, None),
        (1.0, NOW, 1060.0, FAILED),
    ],
)
def test_the_time_of_a_copy(started_at, met_at, now, outcome):
    track = Track(seen=True, ours=True, phase=COPYING, task_state=COPIES, since=1.0)
    track = replace(track, started_at=started_at, met_at=met_at)
    after = step(moving(COPIES), track, now=now, copy_timeout=60.0, cutover_timeout=1.0)
    assert after.outcome == outcome


@pytest.mark.parametrize(
    ("sent_at", "since", "met_at", "now", "outcome"),
    [
        ({COMPLETE: NOW}, 1.0, 1.0, 1059.0, None),
        ({COMPLETE: NOW}, 1.0, 1.0, 1060.0, FAILED),
        ({COMPLETE: 1.0}, NOW, NOW, 1059.0, FAILED),  # it counts from what was sent
        ({}, NOW, 1.0, 1059.0, None),
        ({}, 1.0, NOW, 1059.0, None),
        ({}, 1.0, NOW, 1060.0, FAILED),
    ],
)
def test_the_time_of_a_cutover(sent_at, since, met_at, now, outcome):
    state = "migration_completing"
    track = Track(seen=True, ours=True, phase=COMPLETING, task_state=state)
    track = replace(track, since=since, met_at=met_at, sent_at=sent_at)
    after = step(
        moving(state), track, now=now, goal=COMPLETED, copy_timeout=1.0, cutover_timeout=60.0
    )
    assert after.outcome == outcome


def test_the_time_of_a_cancel_is_nobodys_limit():
    state = "migration_cancel_in_progress"
    track = Track(seen=True, ours=True, phase=CANCELLING, task_state=state, since=NOW, met_at=1.0)
    after = step(moving(state), track, copy_timeout=0.0, cutover_timeout=0.0)
    assert (after.outcome, after.phase) == (None, CANCELLING)


# -- a replica that was promoted -------------------------------------------------------------


@pytest.mark.parametrize(
    ("track", "goal", "now", "want", "outcome"),
    [
        (Track(), COMPLETED, NOW, VERIFY, None),
        (Track(checked=True), COMPLETED, NOW, REMOVE, None),
        (Track(checked=True), COPIED, NOW, REMOVE, None),
        (Track(checked=True), CANCELLED, NOW, None, FAILED),
        (Track(sent={REMOVE: ACCEPTED}, sent_at={REMOVE: NOW}), COMPLETED, 1599.0, None, None),
        (Track(sent={REMOVE: ACCEPTED}, sent_at={REMOVE: NOW}), COMPLETED, 1600.0, None, FAILED),
    ],
)
def test_the_source_of_a_promoted_replica(track, goal, now, want, outcome):
    seen = moving("replica_promoted", kind=SHARE_REPLICA)
    after = step(seen, track, goal=goal, now=now)
    assert (after.want, after.outcome) == (want, outcome)
    assert after.ours
    if REMOVE in track.sent and outcome:
        assert " old " in (after.error or "")


# -- cancelling ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "sent", "now", "want", "outcome"),
    [
        (moving(COPIES), None, NOW, CANCEL, None),
        (moving("migration_starting"), None, NOW, None, None),  # not yet
        (moving(COPIES), ACCEPTED, 9000.0, None, None),  # hours, between two files
        # As long as a driver may take, which shows nothing of it.
        (moving(COPIES), UNKNOWN, 4899.0, None, None),
        (moving(COPIES), UNKNOWN, 4900.0, None, FAILED),
        (moving(DONE), ACCEPTED, 4899.0, None, None),
        (moving(DONE), ACCEPTED, 4900.0, None, FAILED),
        (moving(DONE, kind=SHARE_SERVER), ACCEPTED, 11799.0, None, None),
        (moving(DONE, kind=SHARE_SERVER), ACCEPTED, 11800.0, None, FAILED),
        (moving("replica_sync_error", kind=SHARE_REPLICA), None, NOW, CANCEL, None),
        (moving("replica_sync_error", kind=SHARE_REPLICA), ACCEPTED, 1599.0, None, None),
        (moving("replica_sync_error", kind=SHARE_REPLICA), ACCEPTED, 1600.0, None, FAILED),
        (moving("replica_error", kind=SHARE_REPLICA), None, NOW, CANCEL, None),
        (moving("replica_error", kind=SHARE_REPLICA), ACCEPTED, 1599.0, None, None),
        (moving("replica_error", kind=SHARE_REPLICA), ACCEPTED, 1600.0, None, FAILED),
        (moving("replica_error", NEWER, kind=SHARE_REPLICA), None, NOW, None, FAILED),
    ],
)
def test_a_cancel(seen, sent, now, want, outcome):
    track = Track(
        sent={CANCEL: sent} if sent else {}, sent_at={CANCEL: NOW} if sent else {}, since=NOW
    )
    after = step(seen, track, now=now, goal=CANCELLED)
    assert (after.want, after.outcome) == (want, outcome)
    assert after.ours is (seen.at(NEW) is not None)


def test_a_replica_in_error_is_a_failure_that_a_cancel_removes():
    after = step(moving("replica_error", kind=SHARE_REPLICA), goal=COMPLETED)
    assert (after.outcome, after.phase) == (FAILED, FAILED)
    promotion = resting("replica_promotion_error", kind=SHARE_REPLICA, status="error")
    assert step(promotion, goal=CANCELLED).outcome == FAILED


@pytest.mark.parametrize(
    ("now", "want", "outcome"), [(1599.0, CANCEL, None), (1600.0, None, FAILED)]
)
def test_what_must_come_before_a_cancel_is_waited_for(now, want, outcome):
    track = Track(seen=True, phase=COPYING, task_state=COPIES, since=NOW, held=("late", NOW))
    after = step(moving(COPIES), track, now=now, goal=CANCELLED)
    assert (after.want, after.outcome) == (want, outcome)
    assert "late" in (after.error or "late")


def cancelled(seconds: float, copy: str = "new") -> CopyMark:
    """The mark of a cancel that was sent so many seconds ago."""
    return CopyMark(copy, timestamp(NOW - seconds))


@pytest.mark.parametrize(
    ("kind", "seconds", "waits"),
    [
        (SHARE, 3899.0, True),
        (SHARE, 3901.0, False),
        (SHARE_SERVER, 10799.0, True),
        (SHARE_SERVER, 10801.0, False),
        (SHARE_REPLICA, 599.0, True),
        (SHARE_REPLICA, 601.0, False),
    ],
)
@pytest.mark.parametrize("goal", [COPIED, COMPLETED, CANCELLED])
@pytest.mark.parametrize("phase", [COPYING, COPIED])
def test_a_cancel_of_another_run_is_waited_for_as_long_as_a_driver_may_need(
    kind, seconds, waits, goal, phase
):
    states = ("replica_out_of_sync", "replica_in_sync") if kind == SHARE_REPLICA else (COPIES, DONE)
    seen = moving(states[phase == COPIED], kind=kind, copy_mark=cancelled(seconds))
    track = Track()
    if kind == SHARE_SERVER:
        seen = replace(seen, copy_mark=None, successor="v2")
        track = Track(copy_mark=cancelled(seconds, "v2"))
    after = step(seen, track, goal=goal)
    assert ((after.want, after.outcome, after.phase) == (None, None, phase)) is (
        waits or (phase == COPYING and goal != CANCELLED)
    )
    if waits and goal != CANCELLED:
        assert not after.ours
    elif waits:
        assert step(replace(seen, copy_mark=None), Track(own_mark=after.copy_mark), goal=goal).want
        # The one that this run has written is no reason to wait.
        own = replace(track, own_mark=after.copy_mark)
        assert step(seen, own, goal=goal).want == CANCEL


@pytest.mark.parametrize(
    ("state", "sent"), [("migration_completing", {}), (DONE, {COMPLETE: ACCEPTED})]
)
def test_a_cutover_that_has_begun_is_not_held_by_the_mark_of_a_cancel(state, sent):
    seen = moving(state, copy_mark=cancelled(10.0))
    track = Track(sent=sent, sent_at=dict.fromkeys(sent, 0.0), phase=COPIED, task_state=DONE)
    after = step(seen, track, goal=COMPLETED)
    assert (after.ours, after.outcome) == (True, FAILED if sent else None)


def test_a_start_that_was_not_refused_needs_no_look():
    assert step(moving("migration_starting"), Track(ours=True)).look is False


# -- stuck -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "met_at", "now", "outcome", "look"),
    [
        (NOW, NOW, 1599.0, None, True),
        (NOW, NOW, 1600.0, FAILED, False),
        (1.0, NOW, 1599.0, None, True),
        (NOW, 1.0, 1599.0, None, True),
    ],
)
def test_a_state_that_fits_nothing_is_waited_for(since, met_at, now, outcome, look):
    state = "data_copying_error"
    track = Track(seen=True, phase=STUCK, task_state=state, since=since, met_at=met_at)
    after = step(moving(state), track, now=now)
    assert (after.outcome, after.look) == (outcome, look)


def test_a_share_that_is_stuck_is_not_cancelled():
    after = step(moving("data_copying_error"), goal=CANCELLED)
    assert (after.want, after.ours, after.look) == (None, False, True)


@pytest.mark.parametrize(
    ("copies", "said"),
    [
        (("server_migrating", "migrating_to"), ", 2 servers,"),
        (None, "task state 'migration_error', for"),
    ],
)
def test_how_many_there_are_is_said_where_it_is_known(copies, said):
    instances = copies and tuple(Place(OLD, one) for one in copies)
    seen = moving("migration_error", kind=SHARE_SERVER, instances=instances)
    track = Track(seen=True, phase=STUCK, task_state="migration_error", since=0.0, met_at=0.0)
    assert said in (step(seen, track).error or "")


@pytest.mark.parametrize(
    ("left", "now", "outcome"),
    [
        ("inactive", 1599.0, None),
        ("inactive", 1600.0, FAILED),
        ("deleting", 9000.0, None),  # Manila is at it
        ("error", 1600.0, FAILED),
    ],
)
@pytest.mark.parametrize("state", ["migration_success", "migration_completing"])
def test_the_old_share_server_is_waited_for(state, left, now, outcome):
    places = (Place(NEW, "active", "v2"), Place(OLD, left, "v1"))
    seen = Observation("s0", "active", NEW, state, places, kind=SHARE_SERVER, successor="v2")
    phase = step(seen, now=NOW, goal=COMPLETED).phase
    track = Track(seen=True, phase=phase, task_state=state, since=NOW, met_at=NOW, ours=True)
    after = step(seen, track, now=now, goal=COMPLETED)
    assert (after.outcome, after.ours) == (outcome, True)
    if left == "inactive":
        met = step(seen, replace(track, ours=False), now=1599.0, goal=COMPLETED)
        assert (met.outcome, met.ours) == (None, True)


@pytest.mark.parametrize("places", [None, (Place(NEW, "active", "v2"), Place(OLD, "active", "v1"))])
def test_an_old_share_server_whose_status_tells_nothing_is_not_waited_for_for_ever(places):
    seen = Observation(
        "s0", "active", NEW, "migration_success", places, kind=SHARE_SERVER, successor="v2"
    )
    phase = step(seen, goal=COMPLETED).phase
    track = Track(seen=True, phase=phase, task_state="migration_success", since=NOW, met_at=NOW)
    assert step(seen, track, now=1599.0, goal=COMPLETED).outcome is None
    assert step(seen, track, now=1600.0, goal=COMPLETED).outcome == FAILED


def test_a_share_server_that_is_stuck_on_its_way_has_no_old_one_to_wait_for():
    places = (Place(NEW, "deleting", "v2"), Place(OLD, "server_migrating", "v1"))
    seen = moving("migration_error", kind=SHARE_SERVER, instances=places, successor="v2")
    track = Track(seen=True, phase=STUCK, task_state="migration_error", since=0.0, met_at=0.0)
    assert step(seen, track, now=NOW, goal=COMPLETED).outcome == FAILED


def test_only_a_share_server_that_has_arrived_waits_for_the_removal_of_the_old_one():
    """What else is being completed, or cancelled at its destination, has no such limit, or is not ours."""
    long_ago = {"seen": True, "since": 0.0, "met_at": 0.0, "ours": True}
    completing = {**long_ago, "phase": COMPLETING, "task_state": "migration_completing"}
    seen = moving("migration_completing", kind=SHARE_SERVER, successor="v2")
    assert step(seen, Track(**completing), goal=COMPLETED).outcome is None
    places = (Place(NEW, "available"), Place(OLD, "inactive"))
    share = resting("migration_success", host=NEW, instances=places)
    track = Track(**{**completing, "task_state": "migration_success"})
    assert step(share, track, goal=COMPLETED).outcome is None
    cancelled = resting("migration_cancel_in_progress", NEW, kind=SHARE_SERVER, successor="v2")
    assert step(cancelled, Track(seen=True, since=NOW), goal=COMPLETED).outcome == FAILED


# -- when it is over -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "goal", "task_state", "kind", "want", "outcome"),
    [
        (True, COMPLETED, None, SHARE, VERIFY, None),
        (True, COPIED, None, SHARE, VERIFY, None),
        (False, COMPLETED, None, SHARE, None, REACHED),
        (True, CANCELLED, None, SHARE, None, FAILED),
        (False, CANCELLED, None, SHARE, None, REACHED),
        (False, COMPLETED, "replica_moved", SHARE_REPLICA, VERIFY, None),
        (False, CANCELLED, "replica_moved", SHARE_REPLICA, VERIFY, None),
    ],
)
def test_what_is_at_its_destination(ours, goal, task_state, kind, want, outcome):
    seen = resting(task_state, host=NEW, kind=kind)
    after = step(seen, Track(ours=ours), goal=goal)
    assert (after.phase, after.want, after.outcome) == (COMPLETED, want, outcome)


@pytest.mark.parametrize(
    ("seen", "ours", "now", "outcome", "look", "want"),
    [
        (resting("migration_starting"), False, 1599.0, None, True, None),
        (resting("migration_starting"), False, 1600.0, FAILED, False, None),
        (resting("migration_error", copies=2), True, 1599.0, None, True, None),
        (resting("migration_error", copies=2), True, 1600.0, FAILED, False, None),
        (resting("migration_error", copies=2), False, NOW, FAILED, False, None),
        (resting("migration_error"), True, NOW, FAILED, False, None),
        (resting("migration_error"), False, NOW, None, False, START),
        (resting(status="extending"), False, 1599.0, None, True, None),
        (resting(status="extending"), False, 1600.0, FAILED, False, None),
        (resting(status="error"), False, NOW, FAILED, False, None),
        (resting(status="inactive"), False, NOW, FAILED, False, None),
        (resting(status="extending", host=NEWER), False, NOW, FAILED, False, None),
        (resting(access_rules_status="error"), False, NOW, FAILED, False, None),
    ],
)
def test_what_rests_and_is_not_there(seen, ours, now, outcome, look, want):
    track = Track(seen=True, ours=ours, since=NOW, met_at=NOW, task_state=seen.task_state)
    track = replace(track, phase=step(seen).phase)
    after = step(seen, track, now=now)
    assert (after.outcome, after.look, after.want) == (outcome, look, want)


def test_without_a_destination_there_is_nothing_to_start():
    after = step(resting(), to=None)
    assert (after.outcome, after.want) == (FAILED, None)


@pytest.mark.parametrize(
    ("seen", "ours", "phase", "want", "outcome"),
    [
        (resting(), False, IDLE, None, REACHED),
        (resting("migration_cancelled"), False, CANCELLED, None, REACHED),
        (resting("migration_success"), True, CANCELLED, None, REACHED),
        (resting(), True, CANCELLED, None, REACHED),
        (resting("replica_marked", kind=SHARE_REPLICA), False, CANCELLED, VERIFY, None),
        (resting("migration_cancelled", kind=SHARE_SERVER), False, CANCELLED, VERIFY, None),
        (resting("migration_error", kind=SHARE_SERVER), True, CANCELLED, VERIFY, None),
        (resting("migration_error", kind=SHARE_SERVER), False, FAILED, None, REACHED),
        (resting(kind=SHARE_SERVER), False, IDLE, None, REACHED),
    ],
)
def test_what_rests_when_it_shall_be_cancelled(seen, ours, phase, want, outcome):
    after = step(seen, Track(ours=ours), goal=CANCELLED)
    assert (after.phase, after.want, after.outcome) == (phase, want, outcome)
    assert after.ours is (ours or want == VERIFY)


def test_a_cancel_that_leaves_an_instance_is_a_failure():
    track = Track(seen=True, ours=True, since=NOW, met_at=NOW, task_state="migration_cancelled")
    seen = resting("migration_cancelled", copies=2)
    track = replace(track, phase=step(seen).phase)
    assert step(seen, track, now=1599.0, goal=CANCELLED).outcome is None
    assert step(seen, track, now=1600.0, goal=CANCELLED).outcome == FAILED
    # Of somebody else's it is not ours to say.
    assert step(seen, replace(track, ours=False), now=1600.0, goal=CANCELLED).outcome == REACHED


@pytest.mark.parametrize(
    ("seen", "sent", "since", "now", "outcome", "word"),
    [
        (resting(), UNKNOWN, NOW, 1599.0, None, ""),
        (resting(), UNKNOWN, NOW, 1600.0, FAILED, "was lost"),
        (resting("migration_error"), UNKNOWN, NOW, 1599.0, None, ""),
        (resting("migration_error"), UNKNOWN, 1001.0, 1599.0, FAILED, "logs of manila-scheduler"),
        (resting("migration_error"), ACCEPTED, NOW, 1599.0, FAILED, "logs of manila-scheduler"),
        (resting("replica_marked", kind=SHARE_REPLICA), UNKNOWN, 1001.0, 1599.0, None, ""),
        (resting("replica_marked", kind=SHARE_REPLICA), UNKNOWN, 1001.0, 1600.0, FAILED, "lost"),
        (resting("migration_error", kind=SHARE_SERVER), ACCEPTED, NOW, NOW, FAILED, "active again"),
        (resting("migration_success", host=NEWER), ACCEPTED, NOW, NOW, FAILED, "not as planned"),
        (resting("migration_cancelled"), ACCEPTED, NOW, NOW, FAILED, "cancelled by somebody"),
        (resting("migration_success"), ACCEPTED, NOW, NOW, FAILED, "cancelled by somebody"),
        (resting(), ACCEPTED, NOW, NOW, FAILED, "without a result"),
    ],
)
def test_what_is_over_and_has_not_arrived(seen, sent, since, now, outcome, word):
    track = Track(seen=True, ours=True, since=since, met_at=1.0, task_state=seen.task_state)
    track = replace(track, phase=step(seen).phase, sent={START: sent}, sent_at={START: NOW})
    after = step(seen, track, now=now)
    assert after.outcome == outcome
    assert word in (after.error or "")
    assert after.look is (outcome is None)
    if "cancelled by" in word:
        assert after.phase == CANCELLED


def test_the_service_to_look_at_is_where_the_work_is_done():
    hung = {"phase": CANCELLING, "task_state": "migration_cancel_in_progress", "since": 0.0}
    for kind, side in ((SHARE, "source"), (SHARE_SERVER, "destination")):
        seen = moving("migration_cancel_in_progress", kind=kind)
        after = step(seen, Track(met_at=0.0, **hung), now=10800.0)
        assert f"the {side}'s manila-share" in (after.error or "")


# -- without a plan --------------------------------------------------------------------------


def test_a_failure_of_old_is_told_where_nobody_planned_anything():
    migration, track = describe(resting("migration_error", name="n", size_gb=7), {}, NOW)
    assert (migration.id, migration.source, migration.destination) == ("s0", OLD, None)
    assert (migration.name, migration.size_gb, migration.kind) == ("n", 7, SHARE)
    assert (track.phase, track.waiting_for) == (FAILED, None)
    assert track.error
    assert track.outcome is None


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (moving(DONE), "operator"),
        (moving(COPIES), "driver"),
        (moving("data_copying_error"), "unclear"),
        (moving("migration_completing"), "completing"),
        (resting(), None),
    ],
)
def test_what_is_waited_for_where_nobody_planned_anything(seen, code):
    migration, track = describe(seen, {}, NOW)
    assert migration.destination == seen.destination
    assert (track.waiting_for.code if track.waiting_for else None) == code
    assert track.waiting_since == (None if code is None else NOW)
    assert (track.since, track.met_at) == (NOW, NOW)
    assert track.error is None
