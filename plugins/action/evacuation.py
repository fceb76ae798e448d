# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of an evacuation while the module of the same name runs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import threading
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

display = Display()

AGAIN = 60.0
"""Seconds after which a line is printed again although nothing has changed."""

TABLE = 600.0
"""Seconds between two tables of what works; with -v there is one with each line."""


class ActionModule(ActionBase):
    """Runs the module beside a loop that prints what it reports.

    The lines go to stderr: stdout is block-buffered on a pipe, and callbacks that print JSON
    there stay readable.  Only where the module runs on this host; elsewhere it runs as any other.
    """

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    _begun = ""
    """The beginning of a line that was not written to its end when it was read."""
    _said = ("", 0.0)
    _listed = 0.0

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the module and return its result."""
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        alone = self._task.check_mode or args.get("progress_file") or self._play_context.become
        if alone or self._connection.transport != "local":
            return {**result, **self._module(args, task_vars)}
        folder = tempfile.mkdtemp(prefix="manila-migration-")
        try:
            return {**result, **self._watched(folder, args, task_vars)}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        outcome: dict[str, Any] = self._execute_module(
            module_name="manila.migration.evacuation", module_args=args, task_vars=task_vars
        )
        return outcome

    def _watched(
        self, folder: str, args: dict[str, Any], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        path = os.path.join(folder, "progress")
        outcome: dict[str, Any] = {}

        raised: list[BaseException] = []

        def execute() -> None:
            try:
                outcome.update(self._module({**args, "progress_file": path}, task_vars))
            except BaseException as error:  # told by the task, not by the thread
                raised.append(error)

        parent = os.getppid()
        with open(path, "a+", encoding="utf-8") as progress, open(path + ".lock", "w") as lease:
            # The module stops when nobody holds this lock: killed with its ansible-playbook,
            # it must not go on alone.  The kernel drops the lock whatever the way of dying.
            fcntl.flock(lease, fcntl.LOCK_EX)
            module = threading.Thread(target=execute, daemon=True)
            module.start()
            while module.is_alive():
                module.join(timeout=0.5)
                self._show(progress)
                if os.getppid() != parent:
                    break
            self._show(progress)
        if raised:
            raise raised[0]
        return outcome or {"failed": True, "msg": "The evacuation ended without a result."}

    def _show(self, progress: Any) -> None:
        """Print what is new; the same again once a minute, for nobody to think that it hangs."""
        while text := self._begun + progress.readline():
            if not text.endswith("\n"):  # the module is writing it
                self._begun = text
                return
            self._begun = ""
            news, now = json.loads(text), time.monotonic()
            if news["line"] == self._said[0] and now - self._said[1] < AGAIN:
                continue
            self._said = news["line"], now
            state = self._task.args.get("state", "copied")
            line = readable(f"{time.strftime('%H:%M:%S')} {state}: {news['line']}")
            display.display(line, stderr=True)
            often = display.verbosity > 0 or now - self._listed >= TABLE
            if news["table"] and often:
                self._listed = now
                for row in news["table"]:
                    display.display(f"         {readable(row)}", stderr=True)
