# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for one migration share: they hand the engine a plan of one."""

from __future__ import annotations

import math
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._engine.record import as_record
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    START,
    Limits,
    Memory,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import (
    Runner,
    draw_grace,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COPIED,
    FAILED,
)

GOALS = {"started": COPIED, "completed": COMPLETED, "cancelled": CANCELLED}

ARGUMENTS: dict[str, Any] = {
    "state": {"choices": list(GOALS), "default": "started"},
    "wait": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 86400},
    "poll_interval": {"type": "float", "default": 15},
}


class SingleMigrationModule(MigrationModule):
    """Drives a plan of one migration; subclasses say of what, and what hinders it."""

    module_kwargs = {"supports_check_mode": True}

    def blockers(self, cloud: Cloud, migration: Migration) -> list[Reason]:
        """Everything that keeps ``migration`` from being started.  Raises CloudError."""
        raise NotImplementedError

    def check_poll_interval(self) -> None:
        """Refuse an interval that can't be."""
        if self.params["poll_interval"] <= 0:
            self.refuse("poll_interval: it must be more than 0 seconds.")

    def drive(self, cloud: Cloud, migration: Migration) -> None:
        """Bring the migration to the wanted state, and leave what is known in ``results``."""
        limits = Limits(
            goal=GOALS[self.params["state"]],
            max_parallel=math.inf,
            max_parallel_per_pool=math.inf,
            grace=draw_grace(),
        )
        runner = Runner(
            cloud,
            [migration],
            limits,
            timeout=self.params["timeout"],
            poll_interval=self.params["poll_interval"],
            crowded=False,
        )
        first = runner.preview()
        before = as_record(migration, runner.track(migration))
        if runner.track(migration).want == START:
            blockers = self.blockers(cloud, migration)
            if blockers:
                self.results["migration"] = before
                self.refuse(
                    f"{migration.label} is not started: "
                    + "; ".join(reason.message for reason in blockers)
                    + ".",
                    blockers=[reason.as_dict() for reason in blockers],
                )
        if self.check_mode or (runner.track(migration).settled and not first.actions):
            runner.changed = bool(first.actions)
            self._note(runner, migration, before)
        else:
            if runner.track(migration).settled:
                # Its record is all that is left to do, and what is settled isn't looked at again.
                runner.memory = Memory()
            try:
                runner.run(wait=self.params["wait"])
            finally:
                self._note(runner, migration, before)
        track = runner.track(migration)
        if not self.check_mode and track.phase == COMPLETED and track.facts_after is None:
            # Asked again, it is not checked again; the new exports are wanted all the same.
            self.results["migration"] = runner.with_exports(migration)
        self._judge(runner, migration)

    def _note(self, runner: Runner, migration: Migration, before: dict[str, Any]) -> None:
        record = as_record(migration, runner.track(migration))
        shown = ("source", "destination", "phase")
        self.results.update(
            changed=runner.changed,
            migration=record,
            diff={
                "before": {key: before[key] for key in shown},
                "after": {key: record[key] for key in shown},
            },
        )

    def _judge(self, runner: Runner, migration: Migration) -> None:
        track = runner.track(migration)
        if track.outcome == FAILED:
            status = {} if track.status_code is None else {"status_code": track.status_code}
            self.refuse(track.error or "It failed.", **status)
        waiting = track.waiting_for
        if (
            not self.check_mode
            and not track.settled
            and self.params["state"] == "completed"
            and waiting is not None
            and waiting.code == "cancelling"
        ):
            self.refuse(f"{migration.label} is not cut over: {waiting.message}.")
        if runner.timed_out:
            percent = "" if track.progress is None else f", {track.progress} % copied"
            self.refuse(
                f"{migration.label} is {track.phase}{percent} after {self.params['timeout']} s "
                f"(task state {track.task_state!r}). Manila goes on; run the task again to wait on."
            )
