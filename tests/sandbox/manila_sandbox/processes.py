# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the sandbox: started detached, noted, recognised in /proc, stopped by pid.

Every process carries MANILA_SANDBOX_MARK=<state dir>:<name> in its environment, and so do
the workers it forks. That mark, with the start time noted when it was started, tells whose a
pid is, also after a run that was killed before it could note anything.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from manila_sandbox.errors import SandboxError
from manila_sandbox.settings import MARK, Paths

POLL = 0.1


def wait_until(condition: Callable[[], bool], seconds: float, poll: float = POLL) -> bool:
    """Poll a condition until it holds or the time is over; return whether it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll)
    return True


@dataclass(frozen=True)
class Stat:
    """What /proc/PID/stat says of a living process."""

    parent: int
    session: int
    started: int


def read_stat(pid: int) -> Stat | None:
    """Return a process's parent, session and start time; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    if not fields or fields[0] in "ZX":
        return None
    return Stat(parent=int(fields[1]), session=int(fields[3]), started=int(fields[19]))


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _mark_of(pid: int) -> str | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    for item in environment.split(b"\0"):
        if item.startswith(prefix):
            return item[len(prefix) :].decode(errors="replace")
    return None


@dataclass(frozen=True)
class Note:
    """What was noted when a process was started."""

    pid: int
    started: int
    since: float
    fingerprint: str


class ProcessTable:
    """Starts, finds and stops the processes of one state directory."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def note_path(self, name: str) -> Path:
        """Return the file of a process's note."""
        return self._paths.run / f"{name}.json"

    def note(self, name: str) -> Note | None:
        """Return the note of a process that is alive and still ours."""
        try:
            note = Note(**json.loads(self.note_path(name).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        stat = read_stat(note.pid)
        if stat is None or stat.started != note.started:
            return None
        return note

    def _noted_leaders(self) -> dict[int, str]:
        """Return the pid noted for each name, dead or alive; the living win."""
        leaders: dict[int, str] = {}
        for path in sorted(self._paths.run.glob("*.json")):
            try:
                pid = int(json.loads(path.read_text(encoding="utf-8"))["pid"])
            except (OSError, ValueError, TypeError, KeyError):
                continue
            if pid not in leaders or self.note(path.stem) is not None:
                leaders[pid] = path.stem
        return leaders

    def find(self) -> dict[str, set[int]]:
        """Return the living pids of this sandbox by name, forked workers and helpers included.

        Ours is what carries the mark, or descends from it. Its name is that of the noted
        process which leads its session, or else the one in its mark.
        """
        prefix = f"{self._paths.root}:"
        leaders = self._noted_leaders()
        stats = {pid: stat for pid in _pids() if (stat := read_stat(pid)) is not None}
        names: dict[int, str] = {}
        for pid, stat in stats.items():
            mark = _mark_of(pid)
            if mark is not None and mark.startswith(prefix) and pid != os.getpid():
                names[pid] = leaders.get(stat.session, mark[len(prefix) :])
        changed = True
        while changed:
            changed = False
            for pid, stat in stats.items():
                if pid not in names and stat.parent in names:
                    names[pid] = names[stat.parent]
                    changed = True
        found: dict[str, set[int]] = {}
        for pid, name in names.items():
            found.setdefault(name, set()).add(pid)
        return found

    def environment(self, name: str, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for a process: a clean one that carries the mark."""
        keep = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR")
        base = {key: os.environ[key] for key in keep if key in os.environ}
        base.setdefault("LANG", "C.UTF-8")
        # without SPT_NOENV the title that Manila's services give themselves overwrites the mark
        return {**base, **extra, "SPT_NOENV": "1", MARK: f"{self._paths.root}:{name}"}

    def start(
        self,
        name: str,
        command: Sequence[str],
        extra: Mapping[str, str],
        fingerprint: str,
        cwd: Path,
    ) -> Note:
        """Start a process in a session of its own, with its output in its log."""
        since = time.time()
        with self._paths.log(name).open("ab") as log:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment(name, extra),
                cwd=cwd,
                start_new_session=True,
            )
        stat = read_stat(child.pid)
        note = Note(child.pid, stat.started if stat else 0, since, fingerprint)
        path = self.note_path(name)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(vars(note)), encoding="utf-8")
        temporary.replace(path)
        return note

    @staticmethod
    def send(pids: Iterable[int], number: signal.Signals) -> None:
        """Send a signal to pids that were found just now."""
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def stop(self, names: Iterable[str], number: signal.Signals, patience: float = 15) -> None:
        """Stop processes with all they forked and wait until they are gone."""
        wanted = set(names)

        def living() -> set[int]:
            found = self.find()
            return {pid for name in wanted for pid in found.get(name, ())}

        pids = living()
        self.send(pids, number)
        if not wait_until(lambda: not living(), patience):
            self.send(living(), signal.SIGKILL)
            if not wait_until(lambda: not living(), 10):
                rest = ", ".join(str(pid) for pid in sorted(living()))
                raise SandboxError(f"these processes could not be stopped: {rest}.")
        for name in wanted:
            self.note_path(name).unlink(missing_ok=True)
