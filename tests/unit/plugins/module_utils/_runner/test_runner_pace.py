# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the runner looks, how long it waits, when it ends, and what it hands to the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.errors import CloudError
from ansible_collections.manila.migration.plugins.module_utils._api.lease_claim import LeaseClaim
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    COMPLETE,
    Limits,
    Memory,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils._runner import runner as under_test
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import Runner
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._runner.test_runner import (
    DONE,
    MOVED,
    NEW,
    OLD,
    ClaimedCloud,
    FakeCloud,
    QueueCloud,
    at_source,
    drive,
    migrating,
)

BEGIN = 1_000_000.0
COPIES = "migration_driver_in_progress"


def pauses_of(run: Runner) -> list[float]:
    """Run, and return how long it has slept each time."""
    pauses: list[float] = []
    sleep = run._sleep

    def noting(seconds: float) -> None:
        pauses.append(seconds)
        sleep(seconds)

    run._sleep = noting
    run.run()
    return pauses


def opening(run: Runner, begin: float, end: float) -> None:
    moments = (timestamp(BEGIN + one) for one in (begin, end))
    window = CutoverWindow.parse(dict(zip(("start", "end"), moments, strict=True)))
    run.limits = replace(run.limits, window=window)


# -- pauses ------------------------------------------------------------------------------------


def test_a_new_state_makes_it_look_often_again() -> None:
    states = [*["migration_driver_starting"] * 60, *[COPIES] * 40]
    run = drive(FakeCloud(*map(migrating, states), MOVED), timeout=1000)
    pauses = pauses_of(run)
    assert pauses[59] > 2
    assert pauses[60:80] == [1] * 20
    assert pauses[-1] > 1


def test_the_longest_pause_is_four_times_the_interval() -> None:
    run = drive(FakeCloud(migrating(COPIES)), timeout=2000)
    run.poll_interval = 2
    pauses = pauses_of(run)
    assert max(pauses) == 8
    assert run.timed_out is True


def test_while_clients_are_cut_off_it_looks_as_often_as_it_may() -> None:
    run = drive(FakeCloud(*[migrating("migration_completing")] * 90, MOVED), timeout=1000)
    assert set(pauses_of(run)) == {1}
    assert run.timed_out is False


def test_a_slow_first_look_is_no_time_in_which_nothing_happened() -> None:
    cloud = FakeCloud(*[migrating("migration_driver_starting")] * 9, MOVED)
    observe = cloud.observe

    def slow(ids: Any) -> Any:
        cloud.time += 200 if cloud.time == BEGIN and set(ids) else 0
        return observe(ids)

    cloud.observe = slow  # type: ignore[method-assign]
    assert pauses_of(drive(cloud, timeout=1000))[1:4] == [1, 1, 1]


def test_after_something_was_sent_it_looks_often_again() -> None:
    cloud = FakeCloud(*[migrating(DONE)] * 120, MOVED)
    run = drive(cloud, timeout=2000)
    opening(run, 300, 1900)
    pauses = pauses_of(run)
    assert cloud.sent == ["complete"]
    assert max(pauses) == 4
    assert pauses[-5:] == [1] * 5


def test_the_opening_of_a_window_and_the_end_of_the_time_cut_a_pause_short() -> None:
    cloud = FakeCloud(migrating(DONE))
    run = drive(cloud, timeout=1000)
    run.poll_interval = 30
    opening(run, 499, 900)
    sent_at: list[float] = []
    cloud.complete = lambda kind, share_id: sent_at.append(cloud.time - BEGIN)  # type: ignore[method-assign]
    run.run()
    assert sent_at == [499]
    assert (cloud.time - BEGIN, run.timed_out) == (1000, True)


def test_two_runs_that_begin_together_do_not_go_in_step(monkeypatch: Any) -> None:
    for pick, seconds in ((min, 10.0), (max, 20.0)):
        monkeypatch.setattr(under_test.random, "uniform", lambda *ends, pick=pick: pick(ends))
        assert under_test.draw_grace() == seconds


# -- the end -----------------------------------------------------------------------------------


def test_what_has_arrived_at_the_last_moment_is_checked() -> None:
    copying = migrating(COPIES)
    run = drive(FakeCloud(copying, copying, copying, MOVED), timeout=3)
    run.run()
    assert (run.track(run.plan[0]).outcome, run.timed_out) == ("reached", False)


def test_the_run_is_reported_after_each_look() -> None:
    reported: list[Runner] = []
    run = drive(FakeCloud(migrating(COPIES), MOVED), report=reported.append)
    run.run()
    assert reported == [run, run]


def test_without_waiting_it_ends_as_soon_as_the_cutover_shows() -> None:
    cloud = FakeCloud(*[migrating(DONE)] * 4, migrating("migration_completing"))
    run = drive(cloud)
    run.run(wait=False)
    assert (cloud.sent, run.track(run.plan[0]).phase) == (["complete"], COMPLETING)
    assert cloud.time - BEGIN <= 3


def test_without_waiting_the_grace_is_waited_for_all_the_same() -> None:
    """Whoever left now might find it copied again at once, and ask for the cutover twice."""
    cloud = FakeCloud(*[migrating(DONE)] * 20, migrating("migration_completing"))
    drive(cloud, grace=10).run(wait=False)
    assert cloud.sent == ["complete"]


@pytest.mark.parametrize("seen", [migrating(COPIES), at_source()])
def test_without_waiting_nothing_else_is_waited_for(seen: Observation) -> None:
    # The look before the complete finds another situation: nothing is sent.
    cloud = FakeCloud(migrating(DONE), seen)
    run = drive(cloud)
    run.run(wait=False)
    assert (cloud.sent, cloud.time) == ([], BEGIN)


def test_without_waiting_a_cutover_that_failed_is_none_to_be_seen_through() -> None:
    cloud = QueueCloud()
    cloud.shares = {one: replace(migrating(COPIES), id=one) for one in ("s", "t")}
    run = drive(cloud, plan=[Migration(one, OLD, NEW) for one in ("s", "t")])
    failed = Track(seen=True, phase=COPIED, outcome=FAILED, sent={COMPLETE: ACCEPTED})
    run.memory = Memory({"s": failed})
    run.run(wait=False)
    assert run.track(run.plan[1]).phase == COPYING
    assert cloud.time == BEGIN


# -- a cloud that does not answer --------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "waited"),
    [(None, True), (500, True), (503, True), (499, False), (404, False), (401, False)],
)
def test_what_passes_is_waited_for(status: int | None, waited: bool) -> None:
    run = drive(FakeCloud(migrating(COPIES), CloudError("x", status), MOVED))
    if waited:
        run.run()
        assert run.track(run.plan[0]).outcome == "reached"
    else:
        with pytest.raises(CloudError):
            run.run()


def test_a_cloud_that_never_answered_is_not_waited_for() -> None:
    cloud = FakeCloud(CloudError("away"))
    with pytest.raises(CloudError):
        drive(cloud).run()
    assert cloud.time == BEGIN


@pytest.mark.parametrize(("timeout", "until"), [(5, 6), (9000, 602)])
def test_it_is_waited_for_until_patience_or_time_is_over(timeout: int, until: int) -> None:
    cloud = FakeCloud(migrating(COPIES), CloudError("away"))
    with pytest.raises(CloudError):
        drive(cloud, timeout=timeout).run()
    assert cloud.time - BEGIN == until


# -- what the engine is told -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task_state", "binary"),
    [("migration_starting", "manila-scheduler"), ("data_copying_in_progress", "manila-data")],
)
@pytest.mark.parametrize(
    ("states", "down"),
    [
        ([("enabled", "up")], False),
        ([("enabled", "down")], True),
        ([("disabled", "up")], True),
        ([("enabled", "down"), ("enabled", "up")], False),
        ([("disabled", "up"), ("enabled", "down")], True),
        ([], True),
    ],
)
def test_one_worker_that_is_up_and_enabled_is_enough(
    task_state: str, binary: str, states: list[tuple[str, str]], down: bool
) -> None:
    class Cloud(FakeCloud):
        def services(self) -> list[Service]:
            workers = [Service(binary, f"n{number}", *one) for number, one in enumerate(states)]
            return [*super().services(), *workers]

    run = drive(Cloud(migrating(task_state)))
    run.memory = Memory({"s": Track(seen=True, ours=True, destination=NEW)})
    run.decide_next()
    reason = run.track(run.plan[0]).waiting_for
    assert reason
    assert (reason.code == "service_down") is down


def test_a_preview_says_what_nobody_has_done() -> None:
    run = drive(FakeCloud(at_source()), grace=10)
    run.preview()
    reason = run.track(run.plan[0]).waiting_for
    assert reason
    assert reason.code == "operator"
    assert run.limits.rehearsal is False


def test_the_exports_of_today_are_asked_for_with_what_was_seen() -> None:
    cloud = FakeCloud(MOVED)
    run = drive(cloud)
    run.with_exports(run.plan[0])
    run.run()
    run.with_exports(run.plan[0])
    assert cloud.asked == [(None, False), (MOVED, False)]


def test_what_the_list_says_without_instances_is_not_enough_for_a_check() -> None:
    class Cloud(FakeCloud):
        def migrating(self) -> list[Observation]:
            return [replace(migrating(COPIES), instances=None)]

    run = drive(Cloud(MOVED), COMPLETED)
    run.memory = Memory({"s": Track(seen=True, ours=True, destination=NEW, phase=COPYING)})
    run.decide_next()
    run.perform(under_test.Action(under_test.VERIFY, run.plan[0]))
    assert run.cloud.asked == [(None, True)]


# -- claims ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interval", "period"), [(1, 10), (5, 20)])
def test_a_claim_is_good_for_some_polls(interval: float, period: float) -> None:
    cloud = ClaimedCloud(migrating(COPIES), MOVED)
    claims: list[LeaseClaim | None] = []
    run = Runner(
        cloud,
        [Migration("s", OLD, NEW)],
        Limits(goal=COMPLETED),
        timeout=100,
        poll_interval=interval,
        lease=True,
        report=lambda run: claims.append(LeaseClaim.of(cloud.reason)),
        sleep=cloud.sleep,
    )
    run.run()
    assert [claim.period for claim in claims if claim] == [period] * len(claims)
    assert claims


def test_the_claim_of_a_run_that_died_is_waited_for_by_the_same_clock() -> None:
    cloud = ClaimedCloud(MOVED)
    cloud.reason += str(LeaseClaim("other", "root@far", "1.2@elsewhere", 1, 10))
    run = drive(cloud, lease=True)
    run.run()
    assert cloud.time - BEGIN >= 25
    assert cloud.reason == ClaimedCloud.reason
