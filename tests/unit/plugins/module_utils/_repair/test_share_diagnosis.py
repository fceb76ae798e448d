# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a share's migration, from what everything concerned looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    LISTED,
    MARK,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    AccessRule,
    Instance,
    Service,
    Share,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.diagnosis import (
    ASK,
    CANCEL,
    CODES,
    DELETE,
    RESET_STATUS,
    RESET_TASK_STATE,
    SHARE_INSTANCE,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_diagnosis import (
    diagnose_share,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_scene import (
    ShareScene,
    suspects,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import SHARE_STATES

OLD, NEW = "node@old#p", "node@new#p"
BEFORE, THEN = "2027-01-15T07:00:00", "2027-01-15T08:00:00"
THEN_S = 1_800_000_000.0
"""The last change of every instance, in seconds."""
NOW, LATER = THEN_S + 60, THEN_S + 660
"""A minute later, and eleven minutes later."""

ADDRESS = "192.0.2.30"
TENANTS = AccessRule("t", "ip", "192.0.2.10", "active", "rw", BEFORE)
MANILAS = AccessRule("m", "ip", ADDRESS, "active", "rw", THEN)


def service(binary: str, host: str, up: bool = True, beat: float = LATER + 9) -> Service:
    return Service(binary, host, "enabled", "up" if up else "down", up, beat)


SERVICES = {
    "old": service("manila-share", "node@old"),
    "new": service("manila-share", "node@new"),
    "data": service("manila-data", "node"),
    "scheduler": service("manila-scheduler", "node"),
}


def without(*names: str) -> list[Service]:
    return [
        replace(one, state="down", fresh=False) if name in names else one
        for name, one in SERVICES.items()
    ]


def scene(
    status: str,
    task_state: str | None,
    *statuses: str,
    read_only: bool = False,
    services: Sequence[Service] = tuple(SERVICES.values()),
    **more: Any,
) -> ShareScene:
    """A share whose instances have ``statuses``, the source first, not seen to change for long."""
    places = [(OLD, BEFORE), (NEW, THEN), (NEW, THEN)]
    instances = [
        Instance(
            f"i{n}", "s", host, one, created_at=made, updated_at=THEN, read_only=read_only and not n
        )
        for n, (one, (host, made)) in enumerate(zip(statuses, places, strict=False))
    ]
    serving = next((one.host for one in instances if one.status == status), OLD)
    more.setdefault("since", THEN_S)
    more.setdefault("rules", [TENANTS])
    metadata = more.pop("metadata", {})
    share = Share("s", "projects", 1, serving, status, task_state, metadata=metadata)
    return ShareScene(share, instances, services=services, **more)


def moving(task_state: str | None, second: str | None = "migrating_to", **more: Any) -> ShareScene:
    return scene("migrating", task_state, "migrating", *([second] if second else []), **more)


def resting(task_state: str | None, *others: str, **more: Any) -> ShareScene:
    return scene("available", task_state, "available", *others, **more)


def crashed(task_state: str, **more: Any) -> ShareScene:
    return moving(task_state, read_only=True, rules=[TENANTS, MANILAS], **more)


def task(state: str | None) -> str:
    return f"reset the task state of share s to {state!r}"


def instance(number: int, status: str) -> str:
    return f"reset the status of share instance i{number} to {status!r}"


def delete(number: int) -> str:
    return f"force-delete share instance i{number}"


ALLOWED = "allow ip rw 192.0.2.10 to share s again, if that access rule has gone with an instance"
ASKED = "ask manila-data whether it copies share s, and go on only if it says no"
CANCELLED = "cancel the migration of share s"
RECORDED = "write into the metadata of share s that its copy i1 was interrupted"
BY_DATA = [RECORDED, task("data_copying_completed"), CANCELLED]
BY_DRIVER = [RECORDED, task("migration_driver_phase1_done"), CANCELLED]
RECOVERY_A = [task("data_copying_in_progress"), ASKED, *BY_DATA]
FREE = [instance(0, "available"), task(None)]
SECOND_DATA = [*SERVICES.values(), service("manila-data", "other", up=False)]
DISABLED_DATA = [
    replace(one, status="disabled") if one.binary == "manila-data" else one
    for one in SERVICES.values()
]
KEPT = [Snapshot("x", "s", "migrating", "kept")]
BROKEN = [Snapshot("x", "s", "error", "kept")]


@pytest.mark.parametrize(
    ("what", "now", "code", "steps", "safe"),
    [
        # In use.
        (resting(None), LATER, "nothing", [], True),
        (resting("migration_success"), LATER, "nothing", [], True),
        (resting("migration_error"), NOW, "phase1_failed", [], True),
        (resting("migration_cancelled"), NOW, "cancelled", [], True),
        (resting("data_copying_error"), NOW, "backup", [], True),
        (
            scene("backup_creating", "data_copying_in_progress", "backup_creating"),
            LATER,
            "backup",
            [],
            True,
        ),
        (
            scene("backup_restoring", "data_copying_error", "backup_restoring"),
            LATER,
            "backup",
            [],
            True,
        ),
        (scene("extending", None, "extending"), NOW, "nothing", [], True),
        (scene("server_migrating", None, "server_migrating"), NOW, "running", [], True),
        (resting("migration_driver_phase1_done"), LATER, "stale_state", [task(None)], True),
        (resting("data_copying_completed"), LATER, "stale_state", [task(None)], True),
        (resting("migration_completing", since=None), LATER, "running", [], True),
        (resting("migration_starting"), LATER, "stale_state", [task(None)], True),
        (resting("migration_starting"), NOW, "running", [], True),
        # On its way.
        (moving("migration_starting", None), NOW, "running", [], True),
        (moving("migration_in_progress", "creating"), NOW, "running", [], True),
        (moving("migration_driver_starting"), NOW, "running", [], True),
        (moving("migration_driver_in_progress"), LATER, "running", [], True),
        (moving("migration_driver_phase1_done"), LATER, "copied", [], True),
        (moving("data_copying_completed", read_only=True), LATER, "copied", [], True),
        (moving("data_copying_in_progress", copying=True), LATER, "running", [], True),
        (moving("data_copying_completing", since=THEN_S + 600), LATER, "running", [], True),
        (moving("migration_completing"), NOW, "running", [], True),
        (moving("migration_error", None), NOW, "running", [], True),
        # What has to come back first.
        (
            moving("migration_starting", None, services=without("scheduler")),
            LATER,
            "service_down",
            [],
            True,
        ),
        (
            moving("migration_starting", None, services=without("old")),
            LATER,
            "service_down",
            [],
            True,
        ),
        (
            moving("migration_driver_in_progress", services=without("old")),
            LATER,
            "service_down",
            [],
            True,
        ),
        (moving("migration_completing", services=without("new")), LATER, "service_down", [], True),
        (
            moving("migration_in_progress", read_only=True, services=without("data")),
            LATER,
            "service_down",
            [],
            True,
        ),
        (
            crashed("data_copying_in_progress", services=without("data")),
            LATER,
            "service_down",
            [],
            True,
        ),
        (crashed("data_copying_error", services=without("data")), LATER, "service_down", [], True),
        (crashed("data_copying_error", services=without("old")), LATER, "service_down", [], True),
        (
            resting("migration_error", "deleting", services=without("new")),
            LATER,
            "service_down",
            [],
            True,
        ),
        # The start came to nothing.
        (moving("migration_starting", None), LATER, "start_lost", FREE, True),
        (moving("migration_starting", None, since=LATER + 9), LATER, "running", [], True),
        (moving("migration_in_progress", None), LATER, "start_halted", FREE, False),
        (
            moving("migration_in_progress", "creating"),
            LATER,
            "start_halted",
            [instance(1, "migrating_to"), *BY_DATA],
            False,
        ),
        (moving("migration_in_progress", read_only=True), LATER, "start_halted", BY_DATA, False),
        (
            moving("migration_driver_starting"),
            LATER,
            "start_halted",
            [RECORDED, task("migration_driver_in_progress"), CANCELLED],
            False,
        ),
        # Copies of the Data Service.
        (crashed("data_copying_error"), NOW, "copy_interrupted", RECOVERY_A, True),
        (crashed("data_copying_error", since=LATER + 9), LATER, "running", [], True),
        (
            crashed("data_copying_in_progress", copying=False),
            NOW,
            "copy_interrupted",
            RECOVERY_A[1:],
            True,
        ),
        (crashed("data_copying_in_progress", copying=None), LATER, "running", [], True),
        # Of a second manila-data nobody knows what it does.
        (
            crashed("data_copying_error", services=SECOND_DATA),
            NOW,
            "copy_interrupted",
            BY_DATA,
            False,
        ),
        (
            crashed("data_copying_in_progress", copying=False, services=SECOND_DATA),
            LATER,
            "running",
            [],
            True,
        ),
        (
            crashed("data_copying_error", services=DISABLED_DATA),
            NOW,
            "copy_interrupted",
            BY_DATA,
            False,
        ),
        # Without its rule manila-data has perhaps asked for a completion that is on its way.
        (moving("data_copying_error"), NOW, "copy_interrupted", RECOVERY_A, False),
        (
            moving("data_copying_error", rules=[replace(MANILAS, state="queued_to_deny")]),
            NOW,
            "copy_interrupted",
            RECOVERY_A,
            False,
        ),
        (crashed("data_copying_completed"), NOW, "copy_interrupted", [CANCELLED], True),
        (
            moving("data_copying_completed", metadata={INTERRUPTED: "i1"}),
            NOW,
            "copy_interrupted",
            [CANCELLED],
            True,
        ),
        (moving("data_copying_completed", metadata={INTERRUPTED: "i9"}), NOW, "copied", [], True),
        # A cancel is on its way: of that nothing shows.
        *(
            (moving(state, metadata={INTERRUPTED: mark}), NOW, code, [], code != "cancel_failed")
            for state in ("migration_driver_phase1_done", "data_copying_completed")
            for mark, code in (
                ("i1 cancelled at 2027-01-15T08:00:30Z", "cancelling"),
                ("i1 cancelled at 2027-01-15T06:00:00Z", "cancel_failed"),
                ("i9 cancelled at 2027-01-15T08:00:30Z", "copied"),
            )
        ),
        (
            moving("migration_driver_phase1_done", metadata={INTERRUPTED: "i1"}),
            NOW,
            "cancelling",
            [],
            True,
        ),
        (crashed("data_copying_starting"), NOW, "running", [], True),
        (crashed("data_copying_starting"), LATER, "copy_interrupted", BY_DATA, False),
        (crashed("data_copying_completing"), LATER, "copy_interrupted", BY_DATA, False),
        (moving("data_copying_cancelled"), LATER, "copy_interrupted", BY_DATA, False),
        # The cancel, or what cleans up, came to a halt.
        (moving("data_copying_completed", None), LATER, "cancel_failed", FREE, True),
        (
            moving("migration_driver_phase1_done", None, snapshots=KEPT),
            LATER,
            "cancel_failed",
            [FREE[0], "reset the status of snapshot x to 'available'", FREE[1]],
            True,
        ),
        (moving("migration_completing", None), LATER, "cancel_failed", FREE, False),
        (
            moving("data_copying_completed", "deleting"),
            LATER,
            "cancel_failed",
            [delete(1), *FREE],
            False,
        ),
        (moving("migration_error", None), LATER, "stale_status", FREE[:1], True),
        (moving(None, None), LATER, "stale_status", FREE[:1], True),
        (moving("migration_error"), LATER, "start_halted", BY_DRIVER, False),
        # The cutover.
        (moving("migration_completing"), LATER, "cutover_halted", BY_DRIVER, False),
        (moving("migration_completing", read_only=True), LATER, "cutover_halted", [], False),
        (
            moving("migration_completing", read_only=True, snapshots=KEPT),
            LATER,
            "cutover_halted",
            BY_DRIVER,
            False,
        ),
        (
            moving("migration_completing", read_only=True, mechanism="host"),
            LATER,
            "cutover_halted",
            BY_DATA,
            False,
        ),
        (
            moving("migration_completing", read_only=True, good_copy="destination"),
            LATER,
            "cutover_halted",
            [instance(1, "available"), task(None), delete(0), ALLOWED],
            False,
        ),
        (scene("error", "migration_error", "error", "error"), NOW, "running", [], True),
        (
            scene("error", "migration_error", "error", "error", snapshots=BROKEN),
            LATER,
            "phase2_failed",
            [
                instance(0, "available"),
                "reset the status of snapshot x to 'available'",
                task(None),
                delete(1),
                ALLOWED,
            ],
            False,
        ),
        (
            scene("error", "migration_error", "error", "error", good_copy="destination"),
            LATER,
            "phase2_failed",
            [instance(1, "available"), task(None), delete(0), ALLOWED],
            False,
        ),
        # Two instances, one in use.
        (resting("migration_error", "migrating_to"), NOW, "running", [], True),
        (resting("migration_error", "migrating_to"), LATER, "leftover", [delete(1)], True),
        (resting("migration_cancelled", "error"), LATER, "leftover", [delete(1)], True),
        (resting(None, "migrating_to", "error"), LATER, "leftover", [delete(1), delete(2)], True),
        (
            resting("data_copying_in_progress", "migrating_to"),
            LATER,
            "leftover",
            [delete(1), task(None)],
            False,
        ),
        (resting(None, "creating"), LATER, "leftover", [delete(1)], False),
        (
            scene("available", "migration_completing", "deleting", "available"),
            NOW,
            "running",
            [],
            True,
        ),
        (
            scene("available", "migration_completing", "deleting", "available"),
            LATER,
            "source_left",
            [delete(0), task(None)],
            True,
        ),
        (
            scene("available", "migration_completing", "inactive", "available"),
            LATER,
            "source_left",
            [delete(0), task(None)],
            False,
        ),
        (resting("migration_error", "available"), NOW, "running", [], True),
        (resting("migration_error", "available"), LATER, "source_left", [delete(0)], False),
        (
            resting("migration_error", "available", good_copy="source"),
            LATER,
            "source_left",
            [delete(1)],
            False,
        ),
        # What stays of access rules.
        (resting("data_copying_completed", since=None, read_only=True), LATER, "running", [], True),
        (resting("migration_cancelled", read_only=True), LATER, "rules_not_restored", [], False),
        (
            resting("migration_cancelled", rules=[MANILAS], access_to=frozenset({ADDRESS})),
            LATER,
            "rules_left",
            ["deny access rule m of share s"],
            True,
        ),
        (
            resting(None, rules=[MANILAS], access_to=frozenset({ADDRESS})),
            LATER,
            "nothing",
            [],
            True,
        ),
        (resting("migration_cancelled", rules=[MANILAS]), LATER, "cancelled", [], True),
        (
            resting(
                "migration_cancelled",
                rules=[replace(MANILAS, state="queued_to_deny")],
                access_to=frozenset({ADDRESS}),
            ),
            LATER,
            "cancelled",
            [],
            True,
        ),
        (
            resting(
                "data_copying_completed",
                since=None,
                rules=[MANILAS],
                access_to=frozenset({ADDRESS}),
            ),
            LATER,
            "running",
            [],
            True,
        ),
        (
            resting(None, snapshots=KEPT),
            LATER,
            "stale_status",
            ["reset the status of snapshot x to 'available'"],
            True,
        ),
        # Nothing that is known.
        (
            scene("error", "migration_error", "error", "error", "deleting"),
            LATER,
            "unknown",
            [],
            False,
        ),
        (scene("error", None, "error"), LATER, "unknown", [], False),
        (
            scene("migrating", "migration_in_progress", "migrating", "creating", "creating"),
            LATER,
            "unknown",
            [],
            False,
        ),
        (moving("migration_starting"), LATER, "unknown", [], False),
    ],
)
def test_diagnosis(what: ShareScene, now: float, code: str, steps: list[str], safe: bool) -> None:
    found = diagnose_share(what, now, 600)
    assert (found.code, [one.text for one in found.steps], found.safe) == (code, steps, safe)
    assert code in CODES
    assert found.message.endswith(".") and "\n" not in found.message
    assert found.well == (safe and not steps)
    assert {one["id"] for one in found.resources} >= {"s", *(one.id for one in what.instances)}
    assert all(one["text"] for one in found.as_dict()["resources"])


def test_a_replica_that_is_moved_is_none_of_this() -> None:
    mark = {MARK: str(Mark(OLD, NEW, f"{THEN}Z")), **LISTED}
    at = Instance("i0", "s", OLD, "available", replica_state="active", created_at=BEFORE)
    new = Instance("i1", "s", NEW, "available", replica_state="in_sync", created_at=THEN)
    what = ShareScene(Share("s", "p", 1, OLD, "available", metadata=mark), [at, new])
    going = diagnose_share(what, LATER, 600)
    assert (going.code, going.steps, going.safe) == ("replica", (), True)
    assert "Run evacuation again" in going.message and "copied" in going.message
    broken = replace(what, instances=[replace(at, status="error"), new])
    stuck = diagnose_share(broken, LATER, 600)
    assert (stuck.code, stuck.steps, stuck.safe) == ("replica", (), False)


def test_replicas_that_nobody_moves_are_left_alone() -> None:
    what = resting(None, "error")
    found = diagnose_share(replace(what, share=replace(what.share, has_replicas=True)), LATER, 600)
    assert (found.code, found.steps) == ("nothing", ())


def test_a_copy_that_goes_on_is_said_to() -> None:
    found = diagnose_share(crashed("data_copying_in_progress", copying=True), LATER, 600)
    assert found.message == "The Data Service copies."


def test_the_rule_of_a_copy_is_named_where_its_address_was_not_given() -> None:
    unnamed = diagnose_share(crashed("data_copying_error"), NOW, 600)
    assert f"The access rule for {ADDRESS} was made by Manila" in unnamed.message
    named = diagnose_share(crashed("data_copying_error", access_to=frozenset({ADDRESS})), NOW, 600)
    assert "access rule for" not in named.message and named.safe
    # Another one than that which was named proves nothing.
    other = diagnose_share(
        crashed("data_copying_error", access_to=frozenset({"192.0.2.31"})), NOW, 600
    )
    assert not other.safe


def test_what_may_need_a_repair() -> None:
    listed = [
        replace(moving("data_copying_error").share, id="a"),
        replace(resting("migration_success").share, id="b"),
        replace(resting("migration_cancelled").share, id="c"),
        replace(resting(None).share, id="d", host="node@elsewhere#p"),
        replace(resting(None).share, id="e"),
        replace(resting("migration_starting").share, id="f"),
        replace(scene("server_migrating", None, "server_migrating").share, id="g"),
        replace(resting("migration_error").share, id="h"),
    ]
    instances = [
        *(Instance(f"{one.id}0", one.id, one.host, one.status) for one in listed),
        Instance("c1", "c", NEW, "migrating_to"),
        Instance("d1", "d", OLD, "error"),
    ]
    instances[4] = replace(instances[4], read_only=True)
    assert [one.id for one in suspects(listed, instances, "node@old")] == list("acdefh")
    assert [one.id for one in suspects(listed, instances, NEW)] == ["c"]


STATUSES = [
    "available",
    "migrating",
    "migrating_to",
    "creating",
    "error",
    "deleting",
    "error_deleting",
    "inactive",
]
ORDER = ["migrating", "available", "error"]


@st.composite
def scenes(draw: st.DrawFn) -> ShareScene:
    """Any share that Manila might show, in any state that its parts can be in."""
    statuses = draw(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=3))
    status = next((one for one in ORDER if one in statuses), statuses[0])
    rule = replace(MANILAS, state=draw(st.sampled_from(["active", "queued_to_deny", "applying"])))
    return scene(
        status,
        draw(st.sampled_from([None, *SHARE_STATES])),
        *statuses,
        read_only=draw(st.booleans()),
        rules=draw(st.sampled_from([[TENANTS], [TENANTS, rule], []])),
        services=draw(
            st.sampled_from([[*SERVICES.values()], SECOND_DATA, without("data"), without("new")])
        ),
        snapshots=draw(st.sampled_from([[], KEPT, BROKEN])),
        copying=draw(st.sampled_from([None, True, False])),
        since=draw(st.sampled_from([None, THEN_S, NOW])),
        access_to=draw(st.sampled_from([frozenset(), frozenset({ADDRESS})])),
        good_copy=draw(st.sampled_from([None, "source", "destination"])),
        mechanism=draw(st.sampled_from([None, "driver", "host"])),
    )


@given(scenes(), st.sampled_from([NOW, LATER]), st.sampled_from([0, 1, 600]))
def test_nothing_that_may_be_the_only_good_copy_is_touched(
    what: ShareScene, now: float, patience: float
) -> None:
    found = diagnose_share(what, now, patience)
    assert found.code in CODES and found.message.endswith(".")
    by_id = {one.id: one for one in what.instances}
    gone = {one.id for one in found.steps if (one.verb, one.kind) == (DELETE, SHARE_INSTANCE)}
    in_use = {one.id for one in what.instances if one.status == "available"}
    in_use |= {
        one.id for one in found.steps if one.verb == RESET_STATUS and one.value == "available"
    }
    # Never the only one, whoever says so, and one in use remains.
    assert gone < set(by_id)
    if gone:
        assert (in_use & set(by_id)) - gone
    if found.safe:
        assert all(
            by_id[one].status in ("migrating_to", "error", "deleting", "error_deleting")
            for one in gone
        )
        # A copy is given up only if manila-data says itself that it is none, or has left its rule.
        if any(one.verb == CANCEL for one in found.steps):
            asked = any(one.verb == ASK for one in found.steps)
            assert asked or what.task_state == "data_copying_completed"
            assert MANILAS in what.rules and not what.copying
    # A partial copy is never offered for a cutover but on the way to its cancel.
    for step, then in zip(found.steps, [*found.steps, None][1:], strict=True):
        if step.verb == RESET_TASK_STATE and step.value in (
            "data_copying_completed",
            "migration_driver_phase1_done",
        ):
            assert then is not None and then.verb == CANCEL


@given(scenes(), st.sampled_from([NOW, LATER]))
def test_the_first_look_changes_nothing_of_what_may_be_at_work(
    what: ShareScene, now: float
) -> None:
    silent = [replace(one, beat=now) for one in what.services]
    found = diagnose_share(replace(what, since=now, services=silent), now, 600)
    if what.share.status == "migrating" and len(what.instances) < 3:
        assert not found.steps


@pytest.mark.parametrize(("watched", "undecided"), [(0, 3), (1, 2), (3, 0), (60, 0)])
def test_a_contradiction_must_last(watched: float, undecided: float) -> None:
    """A share and its instances are read one after the other, and may change between."""
    torn = scene("migrating", "migration_in_progress", "available", since=LATER - watched)
    found = diagnose_share(torn, LATER, 600)
    assert (found.code, found.undecided) == ("unknown", undecided)
