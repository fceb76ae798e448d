# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids the restart of a service."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.markers import INTERRUPTED
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Service,
    Share,
    ShareServer,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.service_restarts import (
    BINARIES,
    CODES,
    FORBIDDEN,
    blockers,
    works,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    REPLICA_STATES,
    SHARE_STATES,
)

A, B, C = "stor1@a#one", "stor2@b#one", "stor3@c#one"
SERVICES = [
    Service(binary, host, "enabled", "up")
    for binary, host in (
        ("manila-data", "data1"),
        ("manila-scheduler", "control"),
        ("manila-share", "stor1@a"),
        ("manila-share", "stor1@a2"),
        ("manila-share", "stor2@b"),
        ("manila-share", "stor3@c"),
    )
]


def codes(
    binary: str,
    host: str | None = None,
    task_state: str | None = None,
    status: str = "migrating",
    hosts: tuple[str, ...] = (A, B),
    services: list[Service] = SERVICES,
    servers: tuple[ShareServer, ...] = (),
) -> list[str]:
    share = Share("1", "projects", 1, hosts[0], status, task_state)
    instances = [Instance(f"i{n}", "1", place, status) for n, place in enumerate(hosts)]
    running = works([share], instances, servers)
    return [one.code for one in blockers(binary, host, running, services)]


@pytest.mark.parametrize(
    ("mark", "status", "expected"),
    [
        ("i1 cancelled at 2027-01-15T08:00:00Z", "migrating", ["cancelling"]),
        ("i9 cancelled at 2027-01-15T08:00:00Z", "migrating", []),
        ("i1 cancelled at 2027-01-15T08:00:00Z", "available", []),
        ("i1", "migrating", []),
    ],
)
def test_a_cancel_that_only_its_mark_shows(mark: str, status: str, expected: list[str]) -> None:
    done = "migration_driver_phase1_done"
    share = Share("1", "s", 1, A, status, done, metadata={INTERRUPTED: mark})
    instances = [Instance(f"i{n}", "1", place, status) for n, place in enumerate((A, B))]
    running = works([share], instances, ())
    assert [one.code for one in blockers("manila-share", "stor1@a", running, SERVICES)] == expected
    assert blockers("manila-data", None, running, SERVICES) == []


def test_every_code_is_used_and_every_state_exists() -> None:
    used = {code for states in FORBIDDEN.values() for code in states.values()} | {"backup"}
    assert used == set(CODES)
    named = {state for states in FORBIDDEN.values() for state in states}
    assert named <= set(SHARE_STATES) | set(REPLICA_STATES)


@pytest.mark.parametrize(
    ("status", "host", "binary", "where", "found"),
    [
        ("creating", A, "manila-share", "stor1@a", ["replica"]),
        ("replication_change", A, "manila-share", "stor1", ["replica"]),
        ("deleting", A, "manila-share", "stor1@a", ["replica"]),
        ("creating", A, "manila-share", "stor2@b", []),
        ("creating", A, "manila-scheduler", None, []),
        ("creating", "", "manila-scheduler", None, ["replica"]),
        ("available", A, "manila-share", "stor1@a", []),
        ("error", A, "manila-share", "stor1@a", []),
        ("creating", A, "manila-data", None, []),
    ],
)
def test_replicas(status, host, binary, where, found) -> None:
    share = Share("1", "projects", 1, B, "available")
    copies = [
        Instance("r", "1", B, "available", replica_state="active"),
        Instance("n", "1", host, status, replica_state="out_of_sync"),
    ]
    reasons = blockers(binary, where, works([share], copies, ()), SERVICES)
    assert [one.code for one in reasons] == found
    # An instance that is no replica is a share that is made or deleted: no migration of ours.
    plain = [Instance("n", "1", host, status)]
    assert blockers(binary, where, works([share], plain, ()), SERVICES) == []


@pytest.mark.parametrize("state", [state for state in SHARE_STATES if "data_copying" in state])
def test_no_manila_data_is_restarted_in_any_state_of_a_copy(state: str) -> None:
    assert codes("manila-data", task_state=state)
    # The host doesn't matter, also not one where none is yet: a start is as bad as a restart.
    assert codes("manila-data", "elsewhere", task_state=state)


def test_no_manila_data_is_restarted_while_a_copy_may_be_asked_for() -> None:
    assert codes("manila-data", task_state="migration_in_progress") == ["copying"]


@pytest.mark.parametrize(
    "state",
    ["migration_driver_in_progress", "migration_driver_phase1_done", "migration_completing"],
)
def test_manila_data_has_no_part_in_what_drivers_copy(state: str) -> None:
    assert not codes("manila-data", task_state=state)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("migration_starting", "starting"),
        ("migration_in_progress", "starting"),
        ("migration_driver_starting", "starting"),
        ("migration_completing", "completing"),
        ("data_copying_cancelled", "cancelling"),
    ],
)
def test_manila_share_of_source_and_destination(state: str, code: str) -> None:
    for host in ("stor1@a", "stor1", "stor2@b", "stor2"):
        assert codes("manila-share", host, state) == [code]
    for host in ("stor1@a2", "stor3"):
        assert not codes("manila-share", host, state)


@pytest.mark.parametrize(
    "state",
    ["migration_driver_in_progress", "migration_driver_phase1_done", "data_copying_in_progress"],
)
def test_manila_share_resumes_or_is_not_needed(state: str) -> None:
    assert not codes("manila-share", "stor1", state)


def test_what_is_over_forbids_nothing() -> None:
    for binary in BINARIES:
        for state in (None, "migration_success", "migration_error", "migration_cancelled"):
            assert not codes(binary, "stor1", state, "available", (A,))
        # A failed backup, and a status that was reset by hand.
        for state in ("data_copying_error", "data_copying_in_progress", "migration_starting"):
            assert not codes(binary, "stor1", state, "available", (A,))


def test_available_with_a_second_copy_is_not_over() -> None:
    assert codes("manila-data", None, "data_copying_in_progress", "available") == ["copying"]
    # The destination serves already, and the source is still being deleted.
    assert codes("manila-share", "stor1", "migration_completing", "available") == ["completing"]
    assert codes("manila-share", "stor2", "migration_completing", "available", (B,))


def test_backups_are_copies_too() -> None:
    for status in ("backup_creating", "backup_restoring"):
        assert codes("manila-data", None, "data_copying_in_progress", status, (A,)) == ["backup"]


def test_what_is_dead_breaks_nothing() -> None:
    dead = [Service("manila-data", "data1", "enabled", "up", fresh=False)]
    assert not codes("manila-data", None, "data_copying_in_progress", services=dead)
    other = [*dead, Service("manila-data", "data2", "disabled", "up")]
    assert codes("manila-data", None, "data_copying_in_progress", services=other) == ["copying"]
    gone = [Service("manila-share", "stor1@a", "enabled", "down")]
    assert not codes("manila-share", "stor1", "migration_starting", services=gone)


def test_the_scheduler_is_asked_at_the_start_only() -> None:
    assert codes("manila-scheduler", None, "migration_starting") == ["starting"]
    assert not codes("manila-scheduler", None, "migration_in_progress")


def test_share_servers() -> None:
    def found(host: str, source_state: str, destination_state: str | None = None) -> list[str]:
        servers = (
            ShareServer("s", "stor1@a", "server_migrating", source_state),
            ShareServer("d", "stor2@b", "server_migrating_to", destination_state, source_id="s"),
            # Kept for ever after an earlier one.
            ShareServer("old", "stor3@c", "inactive", "migration_cancelled", source_id="s"),
        )
        return codes("manila-share", host, servers=servers)

    for host in ("stor1", "stor2@b"):
        assert found(host, "migration_driver_starting") == ["starting"]
        assert found(host, "migration_completing", "migration_completing") == ["completing"]
        assert found(host, "migration_cancel_in_progress") == ["cancelling"]
        assert not found(host, "migration_driver_in_progress")
        assert not found(host, "migration_driver_phase1_done")
    assert not found("stor3", "migration_completing")
    # The destination alone may be ahead.
    assert found("stor2", "migration_driver_phase1_done", "migration_completing") == ["completing"]


def test_a_blocker_says_what_where_and_why() -> None:
    share = Share("1", "projects", 1, A, "migrating", "data_copying_in_progress")
    instances = [Instance("i", "1", A, "migrating"), Instance("j", "1", B, "migrating_to")]
    (found,) = blockers("manila-data", None, works([share], instances, []), SERVICES)
    assert found.message == (
        "share projects (1): data_copying_in_progress, stor1@a to stor2@b: the Data Service copies, "
        "or is about to"
    )
