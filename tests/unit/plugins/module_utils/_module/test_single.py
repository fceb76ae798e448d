# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for one migration: when there is something to do, and when there is not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._module import single
from ansible_collections.manila.migration.plugins.module_utils._module.single import (
    SingleMigrationModule,
)
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import Runner
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._runner.test_runner import (
    MOVED,
    NEW,
    OLD,
    FakeCloud,
    at_source,
    migrating,
)


class Refusal(Exception):
    """Instead of the end of the process."""


class Single(SingleMigrationModule):
    """Without Ansible in front of it, and without a connection behind it."""

    def __init__(self, state: str, check_mode: bool = False) -> None:
        self.params = {"state": state, "wait": True, "timeout": 60, "poll_interval": 1.0}
        self.check_mode = check_mode
        self.results: dict[str, Any] = {}

    def refuse(self, message: str, **extra: Any) -> None:
        raise Refusal(message)

    def blockers(self, cloud: Any, migration: Migration) -> list[Any]:
        return []


class NotingCloud(FakeCloud):
    """Its share says in its metadata that a copy was interrupted, until that is taken away."""

    def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
        seen, gone = super().observe(ids)
        left = None if "forget" in self.sent else CopyMark("i1")
        return {one: replace(what, copy_mark=left) for one, what in seen.items()}, gone

    def unmark_copy(self, share_id: str) -> None:
        self._send("forget")


def run(
    cloud: FakeCloud, state: str, check_mode: bool = False, wait: bool = True
) -> dict[str, Any]:
    module = Single(state, check_mode)
    module.params["wait"] = wait
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(single, "Runner", partial(Runner, sleep=cloud.sleep))
        module.drive(cloud, Migration("s", OLD, NEW))  # type: ignore[arg-type]
    return module.results


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (MOVED, "completed"),
        (MOVED, "started"),
        (migrating("migration_driver_phase1_done"), "started"),
    ],
)
def test_what_is_where_it_shall_be_is_looked_at_and_left_alone(
    seen: Observation, state: str, check_mode: bool
) -> None:
    cloud = FakeCloud(seen)
    assert run(cloud, state, check_mode)["changed"] is False
    assert cloud.sent == []


def test_the_record_of_an_old_copy_is_taken_away_though_nothing_else_is_to_do() -> None:
    cloud = NotingCloud(MOVED)
    assert run(cloud, "completed", check_mode=True)["changed"] is True
    assert cloud.sent == []
    assert run(cloud, "completed")["changed"] is True
    assert cloud.sent == ["forget"]
    assert run(cloud, "completed")["changed"] is False
    assert cloud.sent == ["forget"]


@pytest.mark.parametrize("wait", [True, False])
def test_what_is_being_cancelled_is_neither_completed_nor_said_to_be(wait: bool) -> None:
    cloud = FakeCloud(migrating("migration_driver_phase1_done"))
    seen = cloud.seen[0]
    assert isinstance(seen, Observation) and seen.copy
    mark = CopyMark(seen.copy.id, timestamp(cloud.time))
    cloud.seen = [replace(seen, copy_mark=mark)]
    with pytest.raises(Refusal):
        run(cloud, "completed", wait=wait)
    assert cloud.sent == []


def test_check_mode_says_that_it_would_be_started_and_sends_nothing() -> None:
    cloud = FakeCloud(at_source())
    assert run(cloud, "started", check_mode=True)["changed"] is True
    assert cloud.sent == []


def test_a_timeout_says_how_far_it_is() -> None:
    cloud = FakeCloud(migrating("migration_driver_in_progress"))
    with pytest.raises(Refusal, match=r"is copying, 50 % copied after 60 s \(task state"):
        run(cloud, "completed")
    assert cloud.sent == []
