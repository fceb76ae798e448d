#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive a plan of migrations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evacuation
short_description: Drive a plan of migrations in OpenStack Manila, many at a time
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Brings every migration of a plan to O(state), never more than O(max_parallel) at a time, and stops
    beginning new ones after O(max_failures).
  - All state is in Manila. After a run was killed, start it again. It takes over migrations of the plan
    that already run, also those of another operator.
  - While it runs it prints a line a poll; in a job runner's output too.
  - Where a source is cordoned as the role C(evacuate) does it, the run writes into the reason of the
    cordon that it is active. A second run then fails with that message and sends nothing. It notices on the same host at once
    that the first run was killed, elsewhere after two and a half times the interval in the reason.
options:
  plan:
    description:
      - The plan, as M(manila.migration.evacuation_plan) returns it.
      - Members of a cutover group are cut over together, once all of them in the plan are copied, or not at all.
    type: dict
    required: true
  state:
    description:
      - V(copied) copies everything; clients keep working.
      - V(completed) also cuts over what is copied, each share as soon as it is its turn.
      - V(cancelled) ends what runs; the shares stay at their source.
    type: str
    choices: [copied, completed, cancelled]
    default: copied
  start_new:
    description:
      - Whether migrations that are not started yet may be started. With V(false), O(state=completed) cuts
        over what is copied or being copied, and skips the others.
    type: bool
    default: true
  max_parallel:
    description:
      - How many migrations may be active in the cloud at the same time, those of other operators included.
        A share that is copied and waits for its cutover is not active.
    type: int
    default: 5
  max_parallel_per_pool:
    description: How many may be active in one pool at the same time, as source or destination.
    type: int
    default: 2
  max_failures:
    description:
      - After so many failures neither a copy nor a cutover starts. What runs completes its copy phase.
    type: int
    default: 1
  cutover_window:
    description: When clients may be disturbed. Outside of it nothing is cut over; the module waits for it.
    type: dict
    suboptions:
      start:
        description: A time of day (V(22:00)), for a window every day, or a date with a time (V(2026-11-22T22:00)).
        type: str
        required: true
      end:
        description: Likewise. A daily window whose end is before its start runs over midnight.
        type: str
        required: true
      timezone:
        description: The time zone of both, for example V(Europe/Berlin).
        type: str
        default: UTC
      cutover_seconds:
        description:
          - How long one cutover is expected to take. None is begun that would end after the window; a cutover group counts as
            a whole. If one is seen to take longer, that counts.
        type: int
        default: 60
  copy_timeout:
    description:
      - Seconds after which a copy that still runs counts as failed and is skipped, 0 for never.
      - For a copy that was already running, from the first poll on.
    type: int
    default: 0
  cutover_timeout:
    description: The same for a cutover.
    type: int
    default: 7200
  with_exports:
    description:
      - Whether to look up what clients mount of everything that is copied and waits for its cutover. Costs some requests a
        share. Records of what is cut over always have it.
    type: bool
    default: false
  progress_file:
    description:
      - A file on the host that runs the module, to which it appends a line of JSON a poll.
      - The action plugin of this module uses it by itself, to print the lines.
      - If a file of the same name with C(.lock) appended exists, the module stops as soon as no process
        holds a lock on it.
    type: path
attributes:
  check_mode:
    support: full
    details: Looks once and returns what every migration is at and waits for.
  diff_mode:
    support: none
    details: A plan has no short form to show; see RV(migrations).
  idempotent:
    support: full
  action:
    description: Has an action plugin, so parts of it run on the controller.
    support: full
    details: Shows the progress while the module runs.
extends_documentation_fragment:
  - manila.migration.migration
  - openstack.cloud.openstack
  - manila.migration.attributes
  - manila.migration.attributes.actiongroup
seealso:
  - module: manila.migration.evacuation_plan
"""

EXAMPLES = r"""
- name: Copy everything, clients go on
  manila.migration.evacuation:
    cloud: mycloud
    plan: "{{ planned.plan }}"
    state: copied
    max_parallel: 8

- name: Cut over at night
  manila.migration.evacuation:
    cloud: mycloud
    plan: "{{ planned.plan }}"
    state: completed
    start_new: false
    cutover_window:
      start: "22:00"
      end: "05:00"
      timezone: Europe/Berlin

- name: Why does nothing move
  manila.migration.evacuation:
    cloud: mycloud
    plan: "{{ planned.plan }}"
    state: completed
  check_mode: true
  register: status
"""

RETURN = r"""
migrations:
  description:
    - One record for each migration of the plan, in its order, as M(manila.migration.share_migration) returns it.
    - C(waiting_for) says what a migration that is not at its goal waits for, and since when.
  type: list
  elements: dict
  returned: unless an argument was wrong
  contains:
    id:
      description: ID of the share or share server.
      type: str
    phase:
      description: What it is at.
      type: str
    error:
      description: Why it failed, V(null) if it did not.
      type: str
    waiting_for:
      description: >-
        C(code), C(message), C(since), and C(transient), whether a run that waits may see it end. Codes are V(slot), V(grace),
        V(window), V(window_over), V(window_short), V(group), V(group_broken), V(failures), V(not_started), V(status),
        V(service_down), V(service_disabled), V(cordoned), V(snapshots), V(driver), V(copy), V(completing), V(settling),
        V(cancelling), V(answer), V(unclear) and V(operator).
      type: dict
text:
  description: The same for people, a line a migration.
  type: list
  elements: str
  returned: unless an argument was wrong
brief:
  description: The same, with a line only for what failed or waits, and how many have reached O(state).
  type: list
  elements: str
  returned: unless an argument was wrong
summary:
  description: How many are C(copied), C(completed), C(failed), C(cancelled), or C(waiting) without a result, of C(total).
  type: dict
  returned: unless an argument was wrong
rate:
  description: MiB that one migration copied in a second, as O(manila.migration.evacuation_plan#module:rate) takes it; V(null)
    if this run saw none copied.
  type: float
  returned: unless an argument was wrong
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

import fcntl
import json
import math
import os
from collections.abc import Sequence

from ansible_collections.manila.migration.plugins.module_utils._api.lease import Held
from ansible_collections.manila.migration.plugins.module_utils._engine.record import (
    as_record,
    summarize,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    GOALS,
    Limits,
    Memory,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import (
    to_migrations,
)
from ansible_collections.manila.migration.plugins.module_utils._report.text import (
    Progress,
    measured_rate,
    migration_lines,
    open_lines,
)
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import (
    Abandoned,
    Runner,
    draw_grace,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import FAILED


class EvacuationModule(MigrationModule):
    """Drives a plan."""

    argument_spec = {
        "plan": {"type": "dict", "required": True},
        "state": {"choices": list(GOALS), "default": "copied"},
        "start_new": {"type": "bool", "default": True},
        "max_parallel": {"type": "int", "default": 5},
        "max_parallel_per_pool": {"type": "int", "default": 2},
        "max_failures": {"type": "int", "default": 1},
        "cutover_window": {
            "type": "dict",
            "options": {
                "start": {"required": True},
                "end": {"required": True},
                "timezone": {"default": "UTC"},
                "cutover_seconds": {"type": "int", "default": 60},
            },
        },
        "copy_timeout": {"type": "int", "default": 0},
        "cutover_timeout": {"type": "int", "default": 7200},
        "poll_interval": {"type": "float", "default": 15},
        "timeout": {"type": "int", "default": 86400},
        "with_exports": {"type": "bool", "default": False},
        "progress_file": {"type": "path"},
    }
    module_kwargs = {"supports_check_mode": True}

    _progress = Progress()

    def run(self) -> None:
        """Check the arguments, drive the plan, and return the result."""
        limits, plan = self._limits(), []
        try:
            plan = to_migrations(self.params["plan"])
        except ValueError as error:
            self.refuse(f"plan: {error}")
        self._try_progress_file()
        if not plan:
            self._tell([], Memory(), changed=False)
            return
        runner = Runner(
            self.open_cloud(),
            plan,
            limits,
            timeout=self.params["timeout"],
            poll_interval=self.params["poll_interval"],
            lease=True,
            report=self._report,
            guard=self._stop_if_abandoned,
        )
        abandoned = False
        try:
            if self.check_mode:
                runner.changed = bool(runner.preview().actions)
            else:
                runner.run()
            if self.params["with_exports"]:
                runner.note_exports()
        except Abandoned:
            abandoned = True
        except Held as held:
            self._note(runner)
            self.refuse(str(held))
        finally:
            self._note(runner)
        if abandoned:
            self.refuse(
                "The process that watched this evacuation is gone, so it stops here. Migrations that run "
                "in Manila continue. Run it again to take them over."
            )
        if not self.check_mode:
            self._judge(runner)

    def _limits(self) -> Limits:
        for name in ("max_parallel", "max_parallel_per_pool", "max_failures"):
            if self.params[name] < 1:
                self.refuse(f"{name} must be at least 1, got: {self.params[name]}.")
        if self.params["poll_interval"] <= 0:
            self.refuse(
                f"poll_interval must be more than 0 seconds, got: {self.params['poll_interval']:g}."
            )
        for name in ("copy_timeout", "cutover_timeout"):
            if self.params[name] < 0:
                self.refuse(f"{name} must be 0 or more seconds, got: {self.params[name]}.")
        window, expected = None, 0
        if self.params["cutover_window"]:
            expected = self.params["cutover_window"]["cutover_seconds"]
            if expected < 0:
                self.refuse(f"cutover_window.cutover_seconds must be 0 or more, got: {expected}.")
            try:
                window = CutoverWindow.parse(self.params["cutover_window"])
            except ValueError as error:
                self.refuse(str(error))
        return Limits(
            goal=self.params["state"],
            max_parallel=self.params["max_parallel"],
            max_parallel_per_pool=self.params["max_parallel_per_pool"],
            max_failures=self.params["max_failures"],
            window=window,
            cutover_seconds=expected,
            copy_timeout=self.params["copy_timeout"] or math.inf,
            cutover_timeout=self.params["cutover_timeout"] or math.inf,
            start_new=self.params["start_new"],
            grace=draw_grace(),
        )

    def _report(self, runner: Runner) -> None:
        path = self.params["progress_file"]
        if not path:
            return
        self._stop_if_abandoned()
        news = {
            "line": self._progress.line(runner.plan, runner.memory, runner.cloud.now()),
            "table": self._progress.table(runner.plan, runner.memory),
        }
        with open(path, "a", encoding="utf-8") as progress:
            progress.write(json.dumps(news) + "\n")

    def _try_progress_file(self) -> None:
        path = self.params["progress_file"]
        if not path:
            return
        try:
            with open(path, "a", encoding="utf-8"):
                pass
        except OSError as error:
            self.refuse(f"progress_file: {path} can't be written ({error.strerror}).")

    def _stop_if_abandoned(self) -> None:
        path = self.params["progress_file"]
        if path and _abandoned(path + ".lock"):
            raise Abandoned

    def _note(self, runner: Runner) -> None:
        self._tell(runner.plan, runner.memory, runner.changed)

    def _tell(self, plan: Sequence[Migration], memory: Memory, changed: bool) -> None:
        records = [as_record(one, memory.track(one)) for one in plan]
        self.results.update(
            changed=changed,
            migrations=records,
            text=migration_lines(records),
            brief=open_lines(records),
            summary=summarize(plan, memory),
            rate=measured_rate(plan, memory),
        )

    def _judge(self, runner: Runner) -> None:
        failed = [one for one in runner.plan if runner.track(one).outcome == FAILED]
        open_ends = [one for one in runner.plan if not runner.track(one).settled]
        if not failed and not open_ends:
            return
        goal, total = self.params["state"], len(runner.plan)
        parts = [f"{len(failed) + len(open_ends)} of {total} migrations are not {goal}"]
        parts += [str(runner.track(one).error) for one in failed[:3]]
        if len(failed) > 3:
            parts.append(f"and {len(failed) - 3} more failed, see 'migrations'.")
        if open_ends:
            parts.append(self._open_ends(runner, open_ends))
        self.refuse(": ".join([parts[0], " ".join(parts[1:])]))

    def _open_ends(self, runner: Runner, open_ends: list[Migration]) -> str:
        waits: dict[str, int] = {}
        for one in open_ends:
            reason = runner.track(one).waiting_for
            message = reason.message if reason else "not read yet"
            waits[message] = waits.get(message, 0) + 1
        text = "; ".join(f"{count} x {message}" for message, count in list(waits.items())[:3])
        when = f"After {self.params['timeout']} s " if runner.timed_out else ""
        return f"{when}{len(open_ends)} without a result ({text}). Run it again to continue."


def _abandoned(lease: str) -> bool:
    """Whether a lease was given (a locked file) and its holder is gone."""
    try:
        with open(lease, encoding="utf-8") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        # Removed with its folder by a watcher that was ended in good order, or never there.
        return not os.path.isdir(os.path.dirname(lease))
    except OSError:
        return False
    return True


def main() -> None:
    """Run the module."""
    EvacuationModule()()


if __name__ == "__main__":
    main()
