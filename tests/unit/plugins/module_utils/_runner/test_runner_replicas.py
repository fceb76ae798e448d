# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner on the model of Manila, with replicas: the order of what it sends, and who may die when."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils._engine.types import Limits
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_REPLICA
from ansible_collections.manila.migration.plugins.module_utils._model.markers import Mark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import (
    Abandoned,
    Runner,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_replica,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COPIED,
    FAILED,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils import manila_model
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    EVACUATION,
    Manila,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.model_cloud import (
    ModelCloud,
)

OLD, NEW, THIRD = "old@array#p", "new@box#p", "third@crate#p"


def model(*at: str, faults: tuple[str, ...] = ()) -> Manila:
    manila = Manila((OLD, NEW, THIRD), faults=faults, odds=1.0)
    manila.add_replicated("s", *at, snapshots=("snap",))
    return manila


def runner(manila: Manila, goal: str = COMPLETED, **more: Any) -> Runner:
    return Runner(
        ModelCloud(manila),
        [Migration("s", OLD, NEW, kind=SHARE_REPLICA)],
        Limits(goal=goal),
        timeout=more.pop("timeout", 7200),
        poll_interval=15,
        sleep=manila.advance,
        **more,
    )


def sent(manila: Manila) -> list[str]:
    return [one.verb for one in manila.calls if one.who == EVACUATION]


def at(manila: Manila) -> dict[str, str]:
    return {one.host: one.state for one in manila.replicated["s"].replicas}


@pytest.mark.parametrize(
    ("places", "ends", "verbs"),
    [
        ([OLD], {NEW: "active"}, ["mark", "start", "complete", "remove", "unmark"]),
        (
            [OLD, THIRD],
            {NEW: "active", THIRD: "in_sync"},
            ["mark", "start", "complete", "remove", "unmark"],
        ),
        ([THIRD, OLD], {THIRD: "active", NEW: "in_sync"}, ["mark", "start", "complete", "unmark"]),
    ],
)
def test_the_whole_way(places, ends, verbs):
    manila = model(*places)
    run = runner(manila)
    run.run()
    assert (run.track(run.plan[0]).outcome, run.changed) == ("reached", True)
    assert at(manila) == ends
    assert sent(manila) == verbs
    assert manila.violations == []
    again = runner(manila)
    again.run()
    assert (again.track(run.plan[0]).phase, again.changed) == (COMPLETED, False)


@pytest.mark.parametrize("places", [[OLD], [OLD, THIRD], [THIRD, OLD]])
@pytest.mark.parametrize("deaths", range(1, 6))
def test_killed_before_each_thing_that_is_sent(places, deaths):
    manila = model(*places)
    for goal in (COPIED, COMPLETED):
        left = deaths

        def die() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Abandoned

        try:
            runner(manila, goal, guard=die).run()
        except Abandoned:
            manila.advance(5)
    runner(manila).run()
    assert at(manila).get(OLD) is None
    assert NEW in at(manila)
    assert len(at(manila)) == len(places)
    assert sent(manila).count("start") == 1
    assert manila.replicated["s"].metadata == {}
    assert manila.violations == []


def test_cancelled_and_asked_once_more():
    manila = model(OLD, THIRD)
    runner(manila, COPIED).run()
    run = runner(manila, CANCELLED)
    run.run()
    assert (run.track(run.plan[0]).phase, run.changed) == (CANCELLED, True)
    assert at(manila) == {OLD: "active", THIRD: "in_sync"}
    assert manila.replicated["s"].metadata == {}
    again = runner(manila, CANCELLED)
    again.run()
    assert not again.changed


def test_a_refused_start_takes_its_mark_back():
    manila = model(OLD)

    def refuse(*_arguments: Any) -> None:
        raise manila_model.Refused(413, "share_replicas quota")

    manila.create_replica = refuse  # type: ignore[method-assign]
    run = runner(manila)
    run.run()
    track = run.track(run.plan[0])
    assert (track.outcome, track.status_code) == (FAILED, 413)
    assert "share_replicas quota" in str(track.error)
    assert manila.replicated["s"].metadata == {}


def test_one_that_came_between_two_looks_is_not_doubled():
    """Somebody else's run marks and starts right after ours has marked."""
    manila = model(OLD)
    cloud_mark = manila.mark

    def mark_and_lose(share_id: str, mark: Any) -> int:
        cloud_mark(share_id, mark)
        return manila.create_replica(share_id, NEW, "somebody else")

    manila.mark = mark_and_lose  # type: ignore[method-assign]
    run = runner(manila)
    run.run()
    assert sent(manila).count("start") == 0
    assert run.track(run.plan[0]).outcome == "reached"
    assert at(manila) == {NEW: "active"}


def test_check_mode_sends_nothing_wherever_it_is():
    for new in ("available:in_sync", "available:active", "error:error"):
        manila = model(OLD)
        mark = Mark(OLD, NEW, "2027-01-15T08:00:00Z")
        share = manila.replicate("s", mark, new)
        if new.endswith("active"):
            share.replicas[0].state = "in_sync"
        for goal in (COPIED, COMPLETED, CANCELLED):
            runner(manila, goal).preview()
        assert sent(manila) == []


def test_those_that_nobody_planned_are_read_by_their_marks():
    manila = model(OLD)
    manila.mark("s", Mark(OLD, NEW, "2027-01-15T08:00:00Z"))
    ((share, replicas),) = manila.marked()
    assert observe_replica(share, replicas).host == OLD
    run = Runner(
        ModelCloud(manila),
        [],
        Limits(),
        timeout=10,
        poll_interval=1,
        sleep=manila.advance,
    )
    manila.create_replica("s", NEW, "somebody else")
    run.preview()
    assert run.memory.others["s"].busy
    assert run.memory.others["s"].destination == NEW
