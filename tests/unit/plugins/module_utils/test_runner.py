# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: what it looks at before it sends, when it stops, what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils import runner as under_test
from ansible_collections.manila.migration.plugins.module_utils.cloud import (
    CloudError,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils.engine import Limits, Migration
from ansible_collections.manila.migration.plugins.module_utils.records import Facts, Service
from ansible_collections.manila.migration.plugins.module_utils.runner import Abandoned, Runner
from ansible_collections.manila.migration.plugins.module_utils.states import (
    CANCELLED,
    COMPLETED,
    COPIED,
    FAILED,
    Observation,
    Place,
)

OLD, NEW = "n@old#p", "n@new#p"
DONE = "migration_driver_phase1_done"


def at_source(task_state: str | None = None) -> Observation:
    return Observation("s", "available", OLD, task_state, instances=(Place(OLD, "available"),))


def migrating(task_state: str) -> Observation:
    places = (Place(OLD, "migrating"), Place(NEW, "migrating_to"))
    return Observation("s", "migrating", OLD, task_state, instances=places)


MOVED = Observation("s", "available", NEW, "migration_success", (Place(NEW, "available"),))


class FakeCloud:
    """A cloud with one share, whose observations come one by one; the last one stays."""

    def __init__(self, *seen: Observation | Exception) -> None:
        self.seen = list(seen)
        self.sent: list[str] = []
        self.answers: dict[str, Exception] = {}
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
        if not set(ids):
            return {}, set()
        now = self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]
        if isinstance(now, Exception):
            raise now
        return {"s": now}, set()

    def migrating(self) -> list[Observation]:
        return []

    def services(self) -> list[Service]:
        return [Service("manila-share", host, "enabled", "up") for host in ("n@old", "n@new")]

    def progress(self, share_id: str) -> int:
        return 50

    def facts(self, share_id: str) -> Facts:
        return Facts(NEW, "available", 1, exports=("e",))

    def _send(self, what: str) -> None:
        self.sent.append(what)
        if what in self.answers:
            raise self.answers[what]

    def start(self, share_id: str, destination: str, options: Any) -> None:
        self._send("start")

    def complete(self, share_id: str) -> None:
        self._send("complete")

    def cancel(self, share_id: str) -> None:
        self._send("cancel")


def drive(cloud: FakeCloud, goal: str = COMPLETED, **more: Any) -> Runner:
    limits = Limits(goal=goal, grace=more.pop("grace", 0))
    return Runner(
        cloud,  # type: ignore[arg-type]
        [Migration("s", OLD, NEW)],
        limits,
        timeout=more.pop("timeout", 100),
        poll_interval=1,
        sleep=cloud.sleep,
        **more,
    )


def end(runner: Runner) -> tuple[str, str | None]:
    track = runner.track(runner.plan[0])
    return track.phase, track.outcome


def test_a_whole_migration() -> None:
    cloud = FakeCloud(
        at_source(),
        at_source(),
        migrating("migration_driver_in_progress"),
        migrating(DONE),
        migrating(DONE),
        migrating(DONE),
        MOVED,
    )
    runner = drive(cloud)
    runner.run()
    assert cloud.sent == ["start", "complete"]
    assert end(runner) == (COMPLETED, "reached")
    assert runner.changed


def test_the_look_before_a_start_finds_another_situation() -> None:
    elsewhere = replace(at_source(), host="n@third#p")
    cloud = FakeCloud(at_source(), elsewhere)
    runner = drive(cloud)
    runner.run()
    assert cloud.sent == []
    assert end(runner)[1] == FAILED


def test_the_look_before_a_complete_finds_that_somebody_was_faster() -> None:
    cloud = FakeCloud(migrating(DONE), migrating("migration_completing"), MOVED)
    runner = drive(cloud)
    runner.run()
    assert cloud.sent == []
    assert end(runner) == (COMPLETED, "reached")
    assert not runner.changed


def test_a_refusal_of_what_has_changed_meanwhile_is_no_failure() -> None:
    cloud = FakeCloud(at_source(), at_source(), migrating(DONE))
    cloud.answers["start"] = Refused("400: status", 400)
    runner = drive(cloud, COPIED)
    runner.run()
    assert end(runner) == (COPIED, "reached")


def test_a_refusal_is_told_with_its_status() -> None:
    cloud = FakeCloud(at_source())
    cloud.answers["start"] = Refused("Share limit exceeded.", 413)
    runner = drive(cloud)
    runner.run()
    track = runner.track(runner.plan[0])
    assert (track.outcome, track.status_code) == (FAILED, 413)
    assert "Share limit exceeded." in str(track.error)


def test_a_refusal_survives_a_cloud_that_goes_away() -> None:
    cloud = FakeCloud(at_source(), at_source(), CloudError("gone"), at_source())
    cloud.answers["start"] = Refused("no", 400)
    runner = drive(cloud)
    runner.run()
    assert end(runner)[1] == FAILED


def test_a_lost_answer_is_not_sent_again() -> None:
    cloud = FakeCloud(migrating(DONE), migrating(DONE), migrating(DONE), migrating(DONE), MOVED)
    cloud.answers["complete"] = Unknown("time-out")
    runner = drive(cloud)
    runner.run()
    assert cloud.sent == ["complete"]
    assert end(runner) == (COMPLETED, "reached")
    assert runner.changed


@pytest.mark.parametrize("goal", [COMPLETED, CANCELLED])
def test_nothing_is_sent_once_the_watcher_is_gone(goal: str) -> None:
    def gone() -> None:
        raise Abandoned

    cloud = FakeCloud(migrating(DONE))
    with pytest.raises(Abandoned):
        drive(cloud, goal, guard=gone).run()
    assert cloud.sent == []


def test_without_waiting_a_cutover_is_seen_through() -> None:
    cloud = FakeCloud(
        migrating(DONE),
        migrating(DONE),
        migrating(DONE),
        migrating(DONE),
        migrating("migration_completing"),
    )
    drive(cloud).run(wait=False)
    # The same again at once: it is completing by now, and nothing is sent.
    drive(cloud).run(wait=False)
    assert cloud.sent == ["complete"]


def test_without_waiting_a_start_is_all() -> None:
    cloud = FakeCloud(at_source(), at_source(), migrating(DONE))
    runner = drive(cloud)
    runner.run(wait=False)
    assert cloud.sent == ["start"]
    assert runner.track(runner.plan[0]).phase == "copying"


def test_at_the_deadline_one_more_look_and_nothing_new() -> None:
    copying = migrating("migration_driver_in_progress")
    cloud = FakeCloud(copying, copying, copying, migrating(DONE))
    runner = drive(cloud, timeout=3)
    runner.run()
    assert runner.timed_out
    assert cloud.sent == []
    assert runner.track(runner.plan[0]).phase == COPIED


def test_a_cloud_that_is_away_for_a_while_is_waited_for() -> None:
    cloud = FakeCloud(at_source(), at_source(), CloudError("away"), CloudError("away"), MOVED)
    runner = drive(cloud)
    runner.run()
    assert end(runner) == (COMPLETED, "reached")


@pytest.mark.parametrize("timeout", [5, 100_000])
def test_a_cloud_that_stays_away_ends_the_run(timeout: int) -> None:
    cloud = FakeCloud(at_source(), at_source(), CloudError("away"))
    with pytest.raises(CloudError):
        drive(cloud, timeout=timeout).run()
    assert cloud.time - 1_000_000 <= min(timeout, Limits().patience) + 2


def test_wrong_credentials_are_not_waited_for() -> None:
    cloud = FakeCloud(at_source(), at_source(), CloudError("no", 401))
    with pytest.raises(CloudError):
        drive(cloud).run()
    assert cloud.time == 1_000_001


def test_a_preview_sends_nothing() -> None:
    cloud = FakeCloud(at_source())
    decision = drive(cloud).preview()
    assert [one.verb for one in decision.actions] == ["start"]
    assert cloud.sent == []


def test_a_few_are_asked_for_their_progress_others_the_next_time() -> None:
    asked: list[list[str]] = []

    class Crowd(FakeCloud):
        def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
            seen = migrating("migration_driver_in_progress")
            return {one: replace(seen, id=one) for one in ids}, set()

        def progress(self, share_id: str) -> int:
            asked[-1].append(share_id)
            return 1

        def services(self) -> list[Service]:
            asked.append([])
            return super().services()

    plan = [Migration(f"s{number}", OLD, NEW) for number in range(10)]
    cloud = Crowd(at_source())
    Runner(
        cloud,  # type: ignore[arg-type]
        plan,
        Limits(),
        timeout=3,
        poll_interval=1,
        sleep=cloud.sleep,
    ).run()
    assert all(len(one) == under_test.SAMPLES for one in asked[1:])
    assert len({one for poll in asked for one in poll}) == len(plan)
