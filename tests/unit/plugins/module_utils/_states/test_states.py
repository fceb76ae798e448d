# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the state tables, and every branch of the function that reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    BUSY,
    CANCELLED,
    CANCELLING,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    ENDS,
    FAILED,
    IDLE,
    MIGRATING,
    MOVING,
    PHASES,
    RESTING,
    SERVER_STATES,
    SHARE_STATES,
    STATES,
    STUCK,
    State,
)

HERE, THERE = "a@src#p", "b@dst#p"
TARGET = Target(THERE)

# task_state, phase, mechanism, complete, cancel, progress; the table of share/api.py.
ROWS = [
    ("migration_starting", COPYING, None, False, False, 0),
    ("migration_in_progress", COPYING, None, False, False, 0),
    ("migration_driver_starting", COPYING, "driver", False, False, 0),
    ("migration_driver_in_progress", COPYING, "driver", False, True, None),
    ("migration_driver_phase1_done", COPIED, "driver", True, True, 100),
    ("data_copying_starting", COPYING, "host", False, False, 0),
    ("data_copying_in_progress", COPYING, "host", False, True, None),
    ("data_copying_completing", COPYING, "host", False, False, 100),
    ("data_copying_completed", COPIED, "host", True, True, 100),
    ("data_copying_error", STUCK, "host", False, False, None),
    ("data_copying_cancelled", CANCELLING, "host", False, False, None),
    ("migration_completing", COMPLETING, None, False, False, None),
    ("migration_cancel_in_progress", CANCELLING, None, False, False, None),
    ("migration_success", COMPLETED, None, False, False, None),
    ("migration_error", FAILED, None, False, False, None),
    ("migration_cancelled", CANCELLED, None, False, False, None),
]


def seen(status: str, task_state: str | None, host: str = HERE, copies: int = 1) -> Observation:
    places = (Place(host, status), Place("other@x#p", "migrating_to"))[:copies]
    return Observation("s", status, host, task_state, places)


@pytest.mark.parametrize(("name", "phase", "mechanism", "complete", "cancel", "progress"), ROWS)
def test_table(name, phase, mechanism, complete, cancel, progress):
    assert SHARE_STATES[name] == State(phase, mechanism, complete, cancel, progress)


def test_table_has_no_other_rows():
    assert set(SHARE_STATES) == {row[0] for row in ROWS}


@pytest.mark.parametrize("name", [None, "", "no_such_state"])
def test_unknown_task_states_say_nothing(name):
    assert seen("available", name).state == State(IDLE)


def test_only_ends_of_a_first_phase_can_be_completed():
    completable = {name for name, state in SHARE_STATES.items() if state.complete}
    assert completable == {"migration_driver_phase1_done", "data_copying_completed"}
    assert all(SHARE_STATES[name].cancel for name in completable)


def test_ends_are_no_running_phases():
    assert {SHARE_STATES[name].phase for name in ENDS} == {
        COMPLETED,
        FAILED,
        CANCELLED,
    }
    assert {COPYING, COPIED, COMPLETING, CANCELLING} == MIGRATING
    assert MIGRATING - {COPIED} == BUSY
    assert set(PHASES) >= {state.phase for state in SHARE_STATES.values()}


@pytest.mark.parametrize(("name", "phase"), [(row[0], row[1]) for row in ROWS])
def test_while_migrating_the_table_counts_but_ends_are_not_believed(name, phase):
    expected = STUCK if name in ENDS else phase
    assert classify(seen("migrating", name, copies=2), TARGET) == expected


def test_migrating_without_a_task_state_is_stuck():
    assert classify(seen("migrating", None), TARGET) == STUCK


@pytest.mark.parametrize(
    ("task_state", "copies", "phase"),
    [
        (None, 1, IDLE),
        (None, 2, IDLE),
        # Manila is still at work, though the share looks at rest.
        ("migration_completing", 1, COMPLETING),
        ("migration_completing", 2, COMPLETING),
        ("data_copying_cancelled", 2, CANCELLING),
        ("migration_cancel_in_progress", 1, CANCELLING),
        # No migration works on an available share.
        ("migration_starting", 1, IDLE),
        ("migration_starting", 2, STUCK),
        ("migration_in_progress", 1, IDLE),
        ("data_copying_in_progress", 2, STUCK),
        ("migration_driver_phase1_done", 1, IDLE),
        ("data_copying_completed", 2, STUCK),
        # A failed backup.
        ("data_copying_error", 1, IDLE),
        ("data_copying_error", 2, IDLE),
        # Success at the source: a copy that was cancelled, or an earlier migration.
        ("migration_success", 1, IDLE),
        ("migration_error", 1, FAILED),
        ("migration_error", 2, FAILED),
        ("migration_cancelled", 1, CANCELLED),
    ],
)
def test_available_at_the_source(task_state, copies, phase):
    assert classify(seen("available", task_state, copies=copies), TARGET) == phase


@pytest.mark.parametrize(
    ("task_state", "copies", "phase"),
    [
        ("migration_success", 1, COMPLETED),
        (None, 1, COMPLETED),  # it was created there, or reset
        ("migration_error", 1, COMPLETED),  # the source's slow delete ends like this
        ("migration_cancelled", 1, COMPLETED),
        ("migration_success", 2, STUCK),  # a leftover
        (None, 2, STUCK),
        ("migration_error", 2, STUCK),
        ("migration_completing", 2, COMPLETING),
        ("migration_completing", 1, COMPLETING),
        ("data_copying_error", 1, IDLE),
    ],
)
def test_available_at_the_destination(task_state, copies, phase):
    assert classify(seen("available", task_state, THERE, copies), TARGET) == phase


@pytest.mark.parametrize(
    ("status", "task_state", "phase"),
    [
        ("inactive", "migration_success", COMPLETING),  # the instances were read a moment before
        ("deleting", "migration_success", COMPLETING),
        ("deleting", "migration_error", STUCK),
        ("error", "migration_success", STUCK),
        ("available", "migration_success", STUCK),
    ],
)
def test_a_second_copy_at_the_source(status, task_state, phase):
    places = (Place(THERE, "available"), Place(HERE, status))
    there = Observation("s", "available", THERE, task_state, places)
    assert classify(there, TARGET) == phase


def test_instances_that_were_not_asked_for_prove_nothing():
    there = Observation("s", "available", THERE, "migration_success")
    assert classify(there, TARGET) == COMPLETING
    assert there.copies is None
    assert there.destination is None


@pytest.mark.parametrize(
    ("status", "task_state", "phase"),
    [
        ("error", "migration_completing", COMPLETING),  # the instances change places
        ("inactive", "migration_completing", COMPLETING),
        ("error", "migration_error", STUCK),  # a cutover failed: both instances are in error
        ("deleting", "migration_success", STUCK),
        ("creating", None, IDLE),
        ("extending", None, IDLE),
        ("backup_creating", "data_copying_in_progress", STUCK),
    ],
)
def test_other_statuses(status, task_state, phase):
    assert classify(seen(status, task_state), TARGET) == phase


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        (Target(), False),
        (Target(THERE), False),
        (Target(HERE), True),
        (Target(HERE, "type-1"), True),
        (Target(HERE, "type-2"), False),
        (Target(HERE, None, "net-1"), True),
        (Target(HERE, None, "net-2"), False),
    ],
)
def test_a_target_is_a_place_a_type_and_a_network(target, reached):
    there = Observation("s", "available", HERE, share_type_id="type-1", share_network_id="net-1")
    assert target.reached_by(there) is reached


@pytest.mark.parametrize(
    ("status", "places", "destination"),
    [
        ("migrating", [(HERE, "migrating"), (THERE, "migrating_to")], THERE),
        ("migrating", [(HERE, "migrating"), (THERE, "creating")], THERE),
        ("migrating", [(HERE, "migrating")], None),
        ("migrating", [(HERE, "migrating"), ("", "creating")], None),
        ("migrating", [(HERE, "migrating"), (THERE, "migrating_to"), ("x@y#z", "error")], None),
        ("available", [(HERE, "available"), (THERE, "deleting")], None),
    ],
)
def test_the_destination_is_where_the_other_copy_is(status, places, destination):
    there = Observation("s", status, HERE, None, tuple(Place(*place) for place in places))
    assert there.destination == destination
    assert there.copies == len(places)


# -- share servers ---------------------------------------------------------------------------

# task_state, phase, mechanism, complete, cancel, progress; share_server_migration_*() of share/api.py.
SERVER_ROWS = [
    ("migration_starting", COPYING, "driver", False, False, 0),
    ("migration_in_progress", COPYING, "driver", False, False, 0),
    ("migration_driver_starting", COPYING, "driver", False, False, 0),
    ("migration_driver_in_progress", COPYING, "driver", False, True, None),
    ("migration_driver_phase1_done", COPIED, "driver", True, True, 100),
    ("migration_completing", COMPLETING, "driver", False, False, None),
    ("migration_cancel_in_progress", CANCELLING, "driver", False, False, None),
    ("migration_success", COMPLETED, None, False, False, None),
    ("migration_error", FAILED, None, False, False, None),
    ("migration_cancelled", CANCELLED, None, False, False, None),
]

SRC, DST = "a@src", "b@dst"


def server(
    status: str, task_state: str | None, host: str = SRC, copies: int = 1, **more: str
) -> Observation:
    places = (Place(host, status), Place("c@other", "server_migrating_to"))[:copies]
    return Observation("s", status, host, task_state, places, kind=SHARE_SERVER, **more)


@pytest.mark.parametrize(
    ("name", "phase", "mechanism", "complete", "cancel", "progress"), SERVER_ROWS
)
def test_table_of_servers(name, phase, mechanism, complete, cancel, progress):
    assert SERVER_STATES[name] == State(phase, mechanism, complete, cancel, progress)


def test_table_of_servers_has_no_other_rows():
    assert set(SERVER_STATES) == {row[0] for row in SERVER_ROWS}
    assert set(SERVER_STATES) <= set(SHARE_STATES)
    assert set(STATES) == set(RESTING) == set(MOVING) == {"share", "share_server", "share_replica"}


@pytest.mark.parametrize("name", ["data_copying_completed", "data_copying_error", "", None])
def test_states_of_copies_by_the_data_service_say_nothing_of_a_server(name):
    assert server("server_migrating", name).state == State(IDLE)


@pytest.mark.parametrize(
    ("kind", "status", "resting", "moving"),
    [
        ("share", "available", True, False),
        ("share", "migrating", False, True),
        ("share", "active", False, False),
        ("share", "server_migrating", False, False),
        ("share_server", "active", True, False),
        ("share_server", "server_migrating", False, True),
        ("share_server", "server_migrating_to", False, False),
        ("share_server", "available", False, False),
        ("share_server", "migrating", False, False),
        ("share_server", "inactive", False, False),
    ],
)
def test_each_kind_has_its_own_words(kind, status, resting, moving):
    there = Observation("s", status, SRC, kind=kind)
    assert (there.resting, there.moving) == (resting, moving)


BEGINS = ("migration_starting", "migration_in_progress", "migration_driver_starting")

# For each status the phases of all task states; what isn't named is stuck.
MATRIX = {
    "server_migrating": {
        **dict.fromkeys((*BEGINS, "migration_driver_in_progress"), COPYING),
        "migration_driver_phase1_done": COPIED,
        "migration_completing": COMPLETING,
        "migration_cancel_in_progress": CANCELLING,
        # Ends are not: Manila writes them together with another status.
    },
    "active": {
        # A status that was reset by hand; Manila would refuse to start.
        **dict.fromkeys((None, *BEGINS, "migration_driver_in_progress"), IDLE),
        "migration_driver_phase1_done": IDLE,
        "migration_completing": COMPLETING,
        "migration_cancel_in_progress": CANCELLING,
        "migration_success": IDLE,  # it was moved here before, and rests
        "migration_error": FAILED,
        "migration_cancelled": CANCELLED,
    },
    # The second phase failed.
    "error": {None: IDLE, "migration_completing": COMPLETING, "migration_error": FAILED},
    # It is done with, and its successor is about to come.
    "inactive": {
        None: IDLE,
        "migration_completing": COMPLETING,
        "migration_success": COMPLETING,
    },
    "deleting": {
        None: IDLE,
        "migration_completing": COMPLETING,
        "migration_success": COMPLETING,
    },
    # The destination speaks for a source that is gone.
    "server_migrating_to": {None: IDLE, "migration_completing": COMPLETING},
    "creating": {None: IDLE, "migration_completing": COMPLETING},
}


@pytest.mark.parametrize("task_state", [None, *(row[0] for row in SERVER_ROWS)])
@pytest.mark.parametrize("status", MATRIX)
def test_every_task_state_in_every_status_of_a_server(status, task_state):
    phase = MATRIX[status].get(task_state, STUCK)
    assert classify(server(status, task_state), Target(DST)) == phase


@pytest.mark.parametrize(
    ("task_state", "copies", "phase"),
    [
        (None, 1, COMPLETED),
        ("migration_success", 1, COMPLETED),
        ("migration_error", 1, COMPLETED),  # of a later migration, that failed
        ("migration_cancelled", 1, COMPLETED),
        ("migration_driver_in_progress", 1, IDLE),
        ("migration_completing", 1, COMPLETING),
        ("migration_success", 2, STUCK),  # an older destination beside it
        ("migration_error", 2, STUCK),
        (None, 2, STUCK),
    ],
)
def test_a_server_in_use_at_the_destination(task_state, copies, phase):
    assert classify(server("active", task_state, DST, copies), Target(DST)) == phase


@pytest.mark.parametrize(
    ("task_state", "phase"),
    [
        ("migration_driver_in_progress", STUCK),
        ("migration_driver_phase1_done", STUCK),
        ("migration_error", FAILED),
        ("migration_cancelled", CANCELLED),
        ("migration_success", IDLE),
        (None, IDLE),
    ],
)
def test_a_server_in_use_at_the_source_beside_an_older_destination(task_state, phase):
    assert classify(server("active", task_state, copies=2), Target(DST)) == phase


@pytest.mark.parametrize(
    ("left", "phase"),
    [
        ("inactive", COMPLETING),
        ("deleting", COMPLETING),
        ("error", STUCK),  # it can't be removed
        ("active", STUCK),
    ],
)
def test_a_server_that_is_moved_while_the_old_one_is_there(left, phase):
    places = (Place(DST, "active"), Place(SRC, left))
    there = server("active", "migration_success", DST, successor="s2")
    assert classify(replace(there, instances=places), Target(DST)) == phase


@pytest.mark.parametrize(("network", "reached"), [(None, True), ("net-1", True), ("net-2", False)])
def test_a_server_may_move_to_another_network_only(network, reached):
    there = server("active", "migration_success", share_network_id="net-1")
    assert Target(SRC, None, network).reached_by(there) is reached


@pytest.mark.parametrize(
    ("status", "places", "destination"),
    [
        ("server_migrating", [(SRC, "server_migrating")], None),
        ("server_migrating", [(SRC, "server_migrating"), (DST, "server_migrating_to")], DST),
        ("server_migrating", [(SRC, "server_migrating"), (SRC, "server_migrating_to")], SRC),
        (
            "server_migrating",
            [
                (SRC, "server_migrating"),
                (DST, "server_migrating_to"),
                ("c@x", "server_migrating_to"),
            ],
            None,
        ),
        ("active", [(SRC, "active"), (DST, "server_migrating_to")], None),
    ],
)
def test_the_destination_of_a_server(status, places, destination):
    there = Observation(
        "s", status, SRC, None, tuple(Place(*one) for one in places), kind=SHARE_SERVER
    )
    assert there.destination == destination


def test_the_source_alone_is_no_destination():
    """The share was read before the end of a cancel, its instances after it."""
    seen = Observation(
        "s", "migrating", "n@a#p", "migration_driver_phase1_done", (Place("n@a#p", "available"),)
    )
    assert seen.destination is None
