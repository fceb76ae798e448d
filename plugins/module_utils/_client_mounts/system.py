# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client itself: everything that touches its files, /proc, commands, names and clock.

The tests put a model of a client in its place.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    canonical_host,
)

RESOLVE_SECONDS = 5
LOCK_POLL_SECONDS = 0.2

# Enters the mount namespace that a file stands for and prints what is mounted in it. /proc is opened
# before, as the namespace may have none, and nothing that lies in the namespace is run.
_PRINT_NAMESPACE = """
import ctypes, os, sys
proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
space = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
if ctypes.CDLL(None, use_errno=True).setns(space, 0x20000):
    sys.exit(os.strerror(ctypes.get_errno()))
with open(os.open("self/mountinfo", os.O_RDONLY, dir_fd=proc), "rb") as table:
    sys.stdout.buffer.write(table.read())
"""


class ClientError(Exception):
    """Nothing can be done on this client; says why in a sentence."""


class System(Protocol):
    """What the rest of the package may ask of a client.  What can't be read raises OSError."""

    def is_root(self) -> bool:
        """Tell whether everything may be read and mounted."""

    def own_pid(self) -> int:
        """Return the ID of this process."""

    def read_text(self, path: str) -> str:
        """Return a file's text; bytes that are no UTF-8 are kept as surrogates."""

    def read_link(self, path: str) -> str:
        """Return what a symbolic link says."""

    def list_dir(self, path: str) -> list[str]:
        """Return the names in a folder."""

    def exists(self, path: str) -> bool:
        """Tell whether a path exists."""

    def real_path(self, path: str) -> str:
        """Return a path without symbolic links."""

    def owner(self, path: str) -> str:
        """Return the name, or else the number, of the user that owns a path."""

    def has_command(self, name: str) -> bool:
        """Tell whether a command is installed."""

    def run(self, command: Sequence[str]) -> tuple[int, str, str]:
        """Run a command.  Returns its status, its output and its errors."""

    def read_namespace(self, path: str) -> str:
        """Return the mountinfo of the mount namespace that a file stands for."""

    def resolve(self, name: str) -> set[str]:
        """Return the addresses of a server, in canonical form; none if they can't be told."""

    def write_text(self, path: str, text: str, *, secret: bool = False) -> None:
        """Put a text in a file's place at once; with ``secret``, only its owner can read it."""

    def remove(self, path: str) -> None:
        """Delete a file."""

    def locked(self, path: str, seconds: float) -> AbstractContextManager[None]:
        """Hold a lock.  Raises ClientError where another run has it for that long."""

    def finish_within(self, seconds: float, work: Callable[[], None]) -> bool:
        """Do some work, and wait no longer than that for it.  Returns whether it was done."""

    def monotonic(self) -> float:
        """Return the seconds of a clock that nobody sets."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class LocalSystem:
    """The client on which the module runs."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def is_root(self) -> bool:
        """Tell whether everything may be read and mounted."""
        return os.geteuid() == 0

    def own_pid(self) -> int:
        """Return the ID of this process."""
        return os.getpid()

    def read_text(self, path: str) -> str:
        """Return a file's text; bytes that are no UTF-8 are kept as surrogates."""
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()

    def read_link(self, path: str) -> str:
        """Return what a symbolic link says."""
        return os.readlink(path)

    def list_dir(self, path: str) -> list[str]:
        """Return the names in a folder."""
        return os.listdir(path)

    def exists(self, path: str) -> bool:
        """Tell whether a path exists."""
        return os.path.lexists(path)

    def real_path(self, path: str) -> str:
        """Return a path without symbolic links."""
        return os.path.realpath(path)

    def owner(self, path: str) -> str:
        """Return the name, or else the number, of the user that owns a path."""
        uid = os.stat(path).st_uid
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def has_command(self, name: str) -> bool:
        """Tell whether a command is installed."""
        return bool(self.module.get_bin_path(name))

    def run(self, command: Sequence[str]) -> tuple[int, str, str]:
        """Run a command.  Returns its status, its output and its errors."""
        status, out, err = self.module.run_command(
            list(command),
            environ_update={"LC_ALL": "C", "LANG": "C"},
            errors="surrogateescape",
        )
        return status, out, err

    def read_namespace(self, path: str) -> str:
        """Return the mountinfo of the mount namespace that a file stands for."""
        status, out, err = self.run(["timeout", "10", sys.executable, "-c", _PRINT_NAMESPACE, path])
        if status:
            raise OSError(0, (err.strip().splitlines() or [f"status {status}"])[-1], path)
        return out

    def resolve(self, name: str) -> set[str]:
        """Return the addresses of a server, in canonical form; none if they can't be told."""
        addresses: set[str] = set()

        def look_up() -> None:
            try:
                answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                return
            addresses.update(canonical_host(str(answer[4][0])) for answer in answers)

        self.finish_within(RESOLVE_SECONDS, look_up)
        return set(addresses)

    def write_text(self, path: str, text: str, *, secret: bool = False) -> None:
        """Put a text in a file's place at once; a file that is there keeps its mode and owner."""
        descriptor, temporary = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(
            descriptor, "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:
            file.write(text)
        # As made by mkstemp: mode 0600.
        self.module.atomic_move(temporary, path)
        if secret:
            os.chmod(path, 0o600)

    def remove(self, path: str) -> None:
        """Delete a file."""
        os.unlink(path)

    @contextmanager
    def locked(self, path: str, seconds: float) -> Iterator[None]:
        """Hold a lock.  Raises ClientError where another run has it for that long."""
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            file = open(path, "w", encoding="utf-8")  # noqa: SIM115  (it is closed below)
        except OSError as error:
            raise ClientError(f"record: {path} cannot be written: {error.strerror}.") from None
        with file:
            until = time.monotonic() + seconds
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise ClientError(
                            f"Another run has locked {path}; wait until it ends."
                        ) from None
                    time.sleep(LOCK_POLL_SECONDS)
            yield

    def finish_within(self, seconds: float, work: Callable[[], None]) -> bool:
        """Do some work, and wait no longer than that for it.  Returns whether it was done."""
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(seconds)
        return not thread.is_alive()

    def monotonic(self) -> float:
        """Return the seconds of a clock that nobody sets."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
