# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a share server's migration, from what everything concerned looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.markers import INTERRUPTED
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Service,
    Share,
    ShareServer,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.diagnosis import (
    CODES,
    Diagnosis,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_server_diagnosis import (
    ServerScene,
    diagnose_server,
    suspect_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    LONGEST_CANCEL_SECONDS,
)

OLD, NEW = "node@old", "node@new"
THEN, NOW, LATER = "2027-01-15T08:00:00", 1_800_000_060.0, 1_800_000_660.0
"""The last change of everything, a minute later, and eleven minutes later."""

SOURCE = ShareServer("s", OLD, "server_migrating", None, updated_at=THEN)
COPY = ShareServer(
    "d",
    NEW,
    "server_migrating_to",
    "migration_driver_in_progress",
    None,
    None,
    "s",
    updated_at=THEN,
)
SHARE = Share("share0", "name0", 1, f"{OLD}#p", "server_migrating")
ALIVE = {host: Service("manila-share", host, "enabled", "up") for host in (OLD, NEW)}
DEAD = {**ALIVE, NEW: Service("manila-share", NEW, "enabled", "down")}


def scene(
    source: ShareServer | None,
    *others: ShareServer,
    instances: Sequence[str] = ("server_migrating", "server_migrating"),
    at: str = "s",
    read_only: bool = False,
    snapshot: str = "server_migrating",
    services: dict[str, Service] = ALIVE,
) -> ServerScene:
    return ServerScene(
        "s",
        [*([source] if source else []), *others],
        [Share(f"share{n}", f"name{n}", 1, f"{OLD}#p", one) for n, one in enumerate(instances)],
        [
            Instance(f"i{n}", f"share{n}", f"{OLD}#p", one, share_server_id=at, read_only=read_only)
            for n, one in enumerate(instances)
        ],
        [Snapshot("x", "share0", snapshot)],
        services=services,
    )


def moving(task_state: str) -> ShareServer:
    return replace(SOURCE, task_state=task_state)


def resting(task_state: str | None) -> ShareServer:
    return replace(SOURCE, status="active", task_state=task_state)


FAILED = replace(SOURCE, status="error", task_state="migration_error")
ARRIVED = replace(COPY, status="active", task_state="migration_success")
BROKEN = replace(COPY, status="error", task_state="migration_error")
CANCELLED = replace(COPY, status="inactive", task_state="migration_cancelled")
GONE_SOON = replace(SOURCE, status="inactive", task_state="migration_success")
FREE = ("available", "available")

REMOVE = ["delete share server d"]
RESET_AND_REMOVE = ["reset the status of share server d to 'error'", *REMOVE]
CANCEL_AGAIN = [
    "reset the task state of share server s to 'migration_driver_in_progress'",
    "cancel the migration of share server s",
]
TAKE_BACK = [
    "reset the task state of share server s to 'migration_driver_phase1_done'",
    "cancel the migration of share server s",
]
RELEASE = [
    "reset the status of share instance i0 to 'available'",
    "reset the status of share instance i1 to 'available'",
    "reset the status of snapshot x to 'available'",
    "reset the task state of share server s to None",
    "reset the status of share server s to 'active'",
]


@pytest.mark.parametrize(
    ("what", "now", "code", "steps", "safe"),
    [
        (scene(None), NOW, "unknown", [], False),
        # At rest.
        (scene(resting(None), instances=FREE), NOW, "nothing", [], True),
        (scene(resting("migration_success"), instances=FREE), NOW, "nothing", [], True),
        (scene(resting("migration_error"), instances=FREE), NOW, "phase1_failed", [], True),
        (
            scene(resting("migration_error"), BROKEN, instances=FREE),
            NOW,
            "phase1_failed",
            REMOVE,
            True,
        ),
        (scene(resting("migration_cancelled"), instances=FREE), NOW, "cancelled", [], True),
        (
            scene(resting("migration_cancelled"), CANCELLED, instances=FREE),
            NOW,
            "cancelled",
            RESET_AND_REMOVE,
            True,
        ),
        (scene(resting(None), BROKEN, instances=FREE), NOW, "leftover", REMOVE, True),
        (scene(resting(None), COPY, instances=FREE), NOW, "leftover", RESET_AND_REMOVE, True),
        (
            scene(resting("migration_driver_phase1_done"), CANCELLED, instances=FREE),
            NOW,
            "stale_state",
            ["reset the task state of share server s to None", *RESET_AND_REMOVE],
            True,
        ),
        # What a share lives on is never removed.
        (
            scene(resting("migration_error"), BROKEN, instances=FREE, at="d"),
            NOW,
            "phase1_failed",
            [],
            True,
        ),
        # On its way.
        (scene(moving("migration_starting")), NOW, "running", [], True),
        (scene(moving("migration_driver_starting"), COPY), NOW, "running", [], True),
        (scene(moving("migration_driver_in_progress"), COPY), LATER, "running", [], True),
        (
            scene(moving("migration_driver_in_progress"), COPY, services=DEAD),
            LATER,
            "service_down",
            [],
            True,
        ),
        (scene(moving("migration_driver_phase1_done"), COPY), LATER, "copied", [], True),
        *(
            (
                replace(
                    scene(moving("migration_driver_phase1_done"), COPY),
                    shares=[replace(SHARE, metadata={INTERRUPTED: mark})],
                ),
                LATER,
                code,
                [],
                code != "cancel_failed",
            )
            for mark, code in (
                ("d cancelled at 2027-01-15T08:00:30Z", "cancelling"),
                ("d cancelled at 2027-01-15T04:00:00Z", "cancel_failed"),
                ("e cancelled at 2027-01-15T08:00:30Z", "copied"),
            )
        ),
        (
            scene(moving("migration_driver_phase1_done"), COPY, services=DEAD),
            NOW,
            "service_down",
            [],
            True,
        ),
        (scene(moving("migration_completing"), COPY), NOW, "running", [], True),
        (scene(moving("migration_cancel_in_progress"), COPY), NOW, "running", [], True),
        # Came to a halt.
        (
            scene(moving("migration_starting"), instances=("error", "available")),
            NOW,
            "start_refused",
            [
                "reset the status of share server s to 'active'",
                "reset the task state of share server s to None",
            ],
            True,
        ),
        (scene(moving("migration_starting")), LATER, "start_halted", RELEASE, False),
        (scene(moving("migration_in_progress")), LATER, "start_halted", RELEASE, False),
        (
            scene(moving("migration_driver_starting"), COPY),
            LATER,
            "start_halted",
            CANCEL_AGAIN,
            False,
        ),
        (scene(moving("migration_error"), COPY), LATER, "start_halted", CANCEL_AGAIN, False),
        (
            scene(moving("migration_cancel_in_progress"), COPY),
            LATER,
            "cancel_failed",
            CANCEL_AGAIN,
            False,
        ),
        (
            scene(moving("migration_cancel_in_progress"), COPY),
            LATER + LONGEST_CANCEL_SECONDS[SHARE_SERVER],
            "cancel_failed",
            CANCEL_AGAIN,
            True,
        ),
        (scene(moving("migration_cancel_in_progress")), LATER, "cancel_failed", RELEASE, False),
        (scene(moving("migration_completing"), COPY), LATER, "cutover_halted", TAKE_BACK, False),
        (scene(moving("migration_completing")), LATER, "cutover_halted", [], False),
        # The second phase failed.
        (
            scene(FAILED, BROKEN, instances=("error", "error"), snapshot="error"),
            NOW,
            "phase2_failed",
            [*RELEASE, *REMOVE],
            False,
        ),
        (
            scene(FAILED, BROKEN, instances=("error", "error"), at="d"),
            NOW,
            "phase2_failed",
            [],
            False,
        ),
        (scene(FAILED), NOW, "unknown", [], False),
        # Moved.
        (scene(None, ARRIVED, at="d", instances=FREE), NOW, "nothing", [], True),
        (
            scene(None, ARRIVED, replace(BROKEN, id="e"), at="d", instances=FREE),
            NOW,
            "leftover",
            ["delete share server e"],
            True,
        ),
        (scene(GONE_SOON, ARRIVED, at="d", instances=FREE), NOW, "running", [], True),
        (scene(GONE_SOON, COPY, at="d", instances=FREE), NOW, "running", [], True),
        (
            scene(GONE_SOON, ARRIVED, at="d", instances=FREE),
            LATER,
            "source_left",
            ["reset the status of share server s to 'error'", "delete share server s"],
            True,
        ),
        (
            scene(replace(GONE_SOON, status="error"), ARRIVED, at="d", instances=FREE),
            NOW,
            "source_left",
            ["delete share server s"],
            True,
        ),
        (
            scene(replace(GONE_SOON, status="error"), ARRIVED, instances=FREE),
            NOW,
            "unknown",
            [],
            False,
        ),
        (scene(GONE_SOON, COPY, at="d", instances=FREE), LATER, "unknown", [], False),
    ],
)
def test_diagnosis(what: ServerScene, now: float, code: str, steps: list[str], safe: bool) -> None:
    found = diagnose_server(what, now, 600)
    assert (found.code, [one.text for one in found.steps], found.safe) == (code, steps, safe)
    assert code in CODES
    assert found.message.endswith(".") and "\n" not in found.message
    assert found.well == (safe and not steps)


CANCELLING = scene(moving("migration_cancel_in_progress"), COPY)


@pytest.mark.parametrize(
    ("seconds", "limit", "safe"),
    [(700, 10800, False), (10799, 10800, False), (10800, 10800, True), (700, 700, True)],
)
def test_a_cancel_is_safe_to_repeat_when_no_driver_can_be_at_it(
    seconds: int, limit: int, safe: bool
) -> None:
    found = diagnose_server(CANCELLING, NOW - 60 + seconds, 600, limit)
    assert (found.code, found.safe) == ("cancel_failed", safe)
    # Safe or not, a second cancel takes somebody's word.
    assert found.requires == found.as_dict()["requires"] == "cancel_again"
    assert ("driver_timeout" in found.message) is not safe


def test_what_the_steps_require() -> None:
    assert diagnose_server(scene(FAILED, BROKEN), NOW, 600).requires == "good_copy"
    assert diagnose_server(scene(FAILED), NOW, 600).requires is None
    assert diagnose_server(scene(resting("migration_error"), BROKEN), NOW, 600).requires is None
    lost = scene(moving("migration_cancel_in_progress"))
    assert (
        diagnose_server(lost, LATER + LONGEST_CANCEL_SECONDS[SHARE_SERVER], 600).requires
        == "good_copy"
    )


def test_a_cutover_of_a_driver_may_take_as_long() -> None:
    halted = scene(moving("migration_completing"), COPY)
    assert "driver_timeout" in diagnose_server(halted, LATER, 600).message
    assert (
        "driver_timeout"
        not in diagnose_server(halted, LATER + LONGEST_CANCEL_SECONDS[SHARE_SERVER], 600).message
    )


def test_everything_that_is_concerned_is_listed() -> None:
    what = scene(FAILED, BROKEN, instances=("error", "error"), snapshot="error", read_only=True)
    found = diagnose_server(what, NOW, 600)
    assert [(one["kind"], one["id"], one["status"]) for one in found.resources] == [
        ("share_server", "s", "error"),
        ("share_server", "d", "error"),
        ("share_instance", "i0", "error"),
        ("share_instance", "i1", "error"),
        ("snapshot", "x", "error"),
    ]
    assert [one.get("role") for one in found.resources[:2]] == ["source", "destination"]
    assert "read-only" in found.message
    assert found.as_dict()["procedure"] == [one.text for one in found.steps]


def test_a_diagnosis_without_a_procedure_is_not_well() -> None:
    assert not Diagnosis("unknown", "Who knows.", safe=False).well


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (scene(resting("migration_cancelled"), instances=FREE), "rules_not_restored"),
        (scene(resting("migration_error"), BROKEN, instances=FREE), "phase1_failed"),
        (scene(None, ARRIVED, at="d", instances=FREE), "rules_not_restored"),
        (scene(moving("migration_driver_in_progress"), COPY), "running"),
    ],
)
def test_access_rules_that_stay_read_only(what: ServerScene, code: str) -> None:
    queued = {"share0": {("ip 192.0.2.1", "queued_to_apply")}, "share1": set()}
    found = diagnose_server(replace(what, unapplied=queued), NOW, 600)
    assert found.code == code
    if code == "rules_not_restored":
        assert "of name0 are not in force" in found.message and not found.well


def test_what_may_need_a_repair() -> None:
    other = replace(BROKEN, id="o", source_id=None)
    idle, moved = replace(resting(None), id="idle"), replace(ARRIVED, id="moved")
    listed = [resting("migration_error"), BROKEN, other, idle, moved]
    assert suspect_servers(listed, OLD) == [listed[0]]
    assert suspect_servers(listed, NEW) == [other]
    assert suspect_servers([moving("migration_starting")], OLD) == [moving("migration_starting")]
    assert suspect_servers([resting("migration_starting")], OLD) != []
    assert suspect_servers([resting("migration_success"), ARRIVED], OLD) == []
