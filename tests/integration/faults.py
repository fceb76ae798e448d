# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of faults share: a command to be killed and run again, looks at the shares.

The looks go past the collection.  Every such test carries its fault and what must be true
afterwards as the marker ``fault``, from which `make faults` makes the page; what bears ``quick``
as well is part of `make integration`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ALPHA, CLOUD, Ansible, Manila, Run, wait_for

RULE = [("ip", "192.0.2.10", "rw")]


def case(
    name: str, what: str, expected: str, *values: Any, quick: bool = False, defect: str = ""
) -> Any:
    """A parameter of a test, with its fault; ``defect`` is why it is known to fail."""
    marks = [pytest.mark.fault(what, expected)]
    if quick:
        marks.append(pytest.mark.quick)
    if defect:
        marks.append(pytest.mark.xfail(strict=True, reason=defect))
    return pytest.param(*values, id=name, marks=marks)


_GOALS = {"copy": "copied", "cutover": "completed", "all": "completed"}


class Evacuation:
    """One command with the same arguments, as often as needed.

    A play that plans and drives the plan, which is what takes time; or, with ``role``, the whole
    playbook with the cordon and the report.  ``more`` are the variables of the role without prefix.
    """

    def __init__(
        self,
        ansible: Ansible,
        phase: str = "all",
        role: bool = False,
        playbook: str = "evacuate",
        **more: Any,
    ) -> None:
        self._ansible = ansible
        self._name = f"{phase}-{id(self)}"
        options = {
            "source": "sandbox@alpha",
            "max_parallel": 5,
            "max_parallel_per_pool": 5,
            "poll_interval": 0.5,
            "timeout": 120,
            **more,
        }
        if role:
            variables = {f"evacuate_{key}": value for key, value in options.items()}
            self._command = ansible.command(
                f"manila.migration.{playbook}",
                evacuate_cloud=CLOUD,
                evacuate_phase=phase,
                **variables,
            )
        else:
            play = ansible.folder / f"{self._name}.yml"
            play.write_text(yaml.safe_dump([_play(phase, options)]))
            self._command = ansible.command(str(play))
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> Evacuation:
        """Start it, and don't wait."""
        folder = self._ansible.folder
        with (
            (folder / f"{self._name}.out").open("wb") as out,
            (folder / f"{self._name}.err").open("wb") as err,
        ):
            self._process = subprocess.Popen(
                self._command,
                cwd=folder,
                env=self._ansible.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return self

    def kill(self, whole: bool = True) -> None:
        """Kill it without a warning, with everything that it has started or alone.

        Returns when nothing of it is left: what has lost its parent has to end by itself.
        """
        assert self._process
        assert self._process.poll() is None, "it has ended already"
        for pid in [self._process.pid, *(self._processes() if whole else [])]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        wait_for(lambda: not self._processes())

    def end(self, seconds: float = 300) -> Run:
        """Wait for its end."""
        assert self._process
        self._process.wait(seconds)
        out, err = (
            (self._ansible.folder / f"{self._name}.{end}").read_text() for end in ("out", "err")
        )
        return self._ansible.read(self._process.returncode, out, err)

    def run(self, seconds: float = 300) -> Run:
        """Run it to its end."""
        return self.begin().end(seconds)

    def succeed(self) -> Run:
        """Run it to its end, which must be a good one."""
        run = self.run()
        assert run.returncode == 0, run.last
        return run

    def _processes(self) -> list[int]:
        """What runs with the folder of this test in its environment; workers make own sessions."""
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                try:
                    state = (process / "stat").read_text().rpartition(")")[2].split()[0]
                    environment = (process / "environ").read_bytes()
                except OSError:
                    continue
                if state not in "ZX" and os.fsencode(f"={self._ansible.folder}/") in environment:
                    found.append(int(process.name))
        return found


def _play(phase: str, options: dict[str, Any]) -> dict[str, Any]:
    planning = ("source", "destinations", "exclude")
    plan = {key: value for key, value in options.items() if key in planning}
    drive = {key: value for key, value in options.items() if key not in planning}
    drive.update(plan="{{ planned.plan }}", state=_GOALS[phase], start_new=phase != "cutover")
    return {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/manila.migration.all": {"cloud": CLOUD}},
        "tasks": [
            {"manila.migration.evacuation_plan": plan, "register": "planned"},
            {"manila.migration.evacuation": drive},
        ],
    }


# -- what must be true -------------------------------------------------------------------------


def assert_moved(manila: Manila, shares: list[str], source: str = ALPHA) -> None:
    """Each share is in one place, which is not its source, and serves as before."""
    for share in shares:
        now = manila.share(share)
        assert (now.status, now.task_state) == ("available", "migration_success"), now.name
        assert now.host != source
        assert [one.host for one in manila.instances(share)] == [now.host]
        assert manila.rules(share) == RULE


def assert_at_source(manila: Manila, shares: list[str], source: str = ALPHA) -> None:
    """Each share is in one place, its source, and serves as before."""
    for share in shares:
        now = manila.share(share)
        assert (now.status, now.host) == ("available", source), now.name
        assert len(manila.instances(share)) == 1
        assert manila.rules(share) == RULE


def cancel_by_hand(manila: Manila, share: str, task_state: str) -> None:
    """The documented way out of a halt: from a state in which Manila takes a cancel."""
    manila.api.shares.reset_task_state(share, task_state)
    manila.api.shares.migration_cancel(share)
    wait_for(lambda: manila.share(share).status == "available")
    wait_for(lambda: len(manila.instances(share)) == 1)


def write_files(folder: Path, count: int) -> dict[str, str]:
    """Fill a share; returns what ``hashes`` will say."""
    for number in range(count):
        (folder / f"file-{number}").write_bytes(os.urandom(10_000))
    return hashes(folder)


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
