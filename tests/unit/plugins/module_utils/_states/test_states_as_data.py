# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the states is a contract, written out: names, rows of replicas, what a field is unless said."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import DRIVER, HOST
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
    Target,
    classify,
    may_migrate,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    BUSY,
    ENDS,
    GOING,
    MIGRATING,
    MOVING,
    PHASES,
    REPLICA_STATES,
    RESTING,
    STATES,
    State,
)

HERE, THERE = "a@src#p", "b@dst#p"


def replica(task_state: str | None, status: str = "replicating", copies: int = 2) -> Observation:
    places = (Place(HERE, "replicating", "r1"), Place(THERE, "available", "r2"))[:copies]
    return Observation("s", status, HERE, task_state, places, kind="share_replica")


def test_the_phases_are_called_as_the_documentation_says():
    assert PHASES == (
        "idle",
        "copying",
        "copied",
        "completing",
        "completed",
        "cancelling",
        "cancelled",
        "failed",
        "stuck",
    )
    assert {"copying", "completing", "cancelling"} == BUSY
    assert {"copying", "completing", "cancelling", "copied"} == MIGRATING


def test_kinds_and_mechanisms_are_called_as_the_documentation_says():
    assert set(STATES) == {"share", "share_server", "share_replica"}
    assert (DRIVER, HOST) == ("driver", "host")
    assert RESTING == {
        "share": "available",
        "share_server": "active",
        "share_replica": "available",
    }
    assert MOVING == {
        "share": "migrating",
        "share_server": "server_migrating",
        "share_replica": "replicating",
    }


# task_state, phase, mechanism, complete, cancel, progress.
@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("replica_scheduling", State("copying", "driver", False, False, 0)),
        ("replica_creating", State("copying", "driver", False, True, 0)),
        ("replica_out_of_sync", State("copying", "driver", False, True, 0)),
        ("replica_in_sync", State("copied", "driver", True, True, 100)),
        ("replica_promoting", State("completing", "driver", False, False, None)),
        ("replica_promoted", State("completing", "driver", False, False, None)),
        ("replica_removing", State("completing", "driver", False, False, None)),
        ("replica_cancelling", State("cancelling", "driver", False, False, None)),
        ("replica_sync_error", State("stuck", "driver", False, True, None)),
        ("replica_unclear", State("stuck", "driver", False, False, None)),
        ("replica_error", State("failed", "driver", False, True, None)),
        ("replica_promotion_error", State("failed", "driver", False, False, None)),
        ("replica_marked", State("cancelled", None, False, False, None)),
        ("replica_moved", State("completed", None, False, False, None)),
    ],
)
def test_a_row_of_the_table_of_replicas(name, state):
    assert REPLICA_STATES[name] == state
    assert replica(name).state == state


def test_the_table_of_replicas_has_no_other_rows():
    assert len(REPLICA_STATES) == 14


def test_the_statuses_of_a_source_that_is_going():
    assert {"inactive", "deleting"} == GOING
    assert {"migration_success", "migration_error", "migration_cancelled"} == ENDS


def test_what_is_not_said_of_an_observation_is_not_known():
    seen = Observation("s", "available", HERE)
    assert (seen.task_state, seen.instances, seen.copies, seen.copy) == (None, None, None, None)
    assert (seen.share_type_id, seen.share_network_id) == (None, None)
    assert (seen.access_rules_status, seen.size_gb, seen.name) == ("active", 0, "")
    assert (seen.progress, seen.changed_at, seen.started_at) == (None, None, None)
    assert (seen.kind, seen.successor, seen.obstacle) == ("share", None, None)
    assert (seen.leads, seen.copy_mark, seen.spoilt) == (False, None, None)
    assert Place(HERE, "available").id == ""
    assert Target().host is None


def test_what_was_not_asked_for_is_at_no_place():
    seen = Observation("s", "migrating", HERE)
    assert seen.copy is None
    assert seen.at(HERE) is None
    assert not Observation("s", "migrating", HERE, copy_mark=CopyMark("i2")).spoilt


@pytest.mark.parametrize(
    ("statuses", "status", "copy"),
    [
        (("migrating", "migrating_to"), "migrating", "i1"),
        (("migrating", "migrating_to"), "available", None),  # at rest a leftover is no copy
        (("migrating", "migrating_to", "error"), "migrating", None),
        (("migrating",), "migrating", None),
    ],
)
def test_the_other_copy(statuses, status, copy):
    places = tuple(Place(HERE, one, f"i{index}") for index, one in enumerate(statuses))
    found = Observation("s", status, HERE, instances=places).copy
    assert (found.id if found else None) == copy


@pytest.mark.parametrize(("copy", "spoilt"), [("", False), ("i2", True), ("i9", False)])
def test_only_the_copy_that_was_interrupted_is_spoilt(copy, spoilt):
    places = (Place(HERE, "migrating", "i1"), Place(THERE, "migrating_to", "i2"))
    mark = CopyMark(copy) if copy else None
    seen = Observation("s", "migrating", HERE, instances=places, copy_mark=mark)
    assert seen.spoilt == (mark if spoilt else None)


def test_without_a_place_nothing_is_reached():
    assert not Target(None, "type").reached_by(
        Observation("s", "available", HERE, share_type_id="type")
    )
    # Not even what has no place: a share whose creation failed.
    assert not Target().reached_by(Observation("s", "error", None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task_state", "copies", "phase"),
    [
        ("replica_marked", 1, "completed"),
        ("replica_moved", 1, "completed"),
        ("replica_marked", 2, "stuck"),
        (None, 1, "completed"),
    ],
)
def test_a_replica_at_rest_at_its_destination(task_state, copies, phase):
    places = (Place(THERE, "available", "r2"), Place(HERE, "available", "r1"))[:copies]
    seen = Observation("s", "available", THERE, task_state, places, kind="share_replica")
    assert classify(seen, Target(THERE)) == phase


ONE, TWO = (Place(HERE, "x", "i1"),), (Place(HERE, "x", "i1"), Place(THERE, "x", "i2"))


@pytest.mark.parametrize(
    ("status", "task_state", "places", "expected"),
    [
        ("migrating", None, ONE, True),
        ("migrating", "migration_error", TWO, True),
        ("migrating", "migration_error", ONE, True),
        ("server_migrating", None, ONE, True),  # with its share server
        ("available", None, ONE, False),
        ("available", "migration_success", ONE, False),
        ("available", "migration_completing", TWO, True),
        ("available", "migration_cancel_in_progress", ONE, True),
        ("error", "migration_completing", ONE, True),
        # The task state of an earlier migration stays, with a single instance.
        ("error", "migration_success", ONE, False),
        ("error", "migration_success", TWO, True),
        ("error", "migration_success", None, True),
        ("error", "migration_in_progress", ONE, True),
        ("extending", None, TWO, False),
        # A backup has the task states of a copy.
        ("backup_creating", "data_copying_in_progress", TWO, False),
        ("backup_restoring", "data_copying_in_progress", ONE, False),
        ("extending", "data_copying_in_progress", ONE, True),
    ],
)
def test_what_may_migrate(status, task_state, places, expected):
    assert may_migrate(Observation("s", status, HERE, task_state, places)) is expected
