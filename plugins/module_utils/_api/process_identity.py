# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process of which machine a lease belongs to, and whether it is still alive."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket

from ansible_collections.manila.migration.plugins.module_utils._api.lease_claim import LeaseClaim


def user_at_host() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no name for this number
        user = str(os.getuid())
    return re.sub(r"\s", "_", f"{user}@{socket.gethostname()}")[:60]


def _space() -> str:
    """Return what distinguishes the processes of this machine, or container, from those of others."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            name = boot.read() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _started(pid: str) -> str | None:
    """When a process of this machine began, None if there is none of this number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    # proc(5): the state is the third field and the start the twenty-second; a zombie is dead.
    return None if fields[0] == "Z" else fields[19]


def this_process() -> str:
    return f"{os.getpid()}.{_started('self')}@{_space()}"


def _here(claim: LeaseClaim) -> tuple[str, str] | None:
    """Return the number and begin of a claim's process, None if it doesn't run on this machine."""
    process, _at, space = claim.process.partition("@")
    pid, dot, started = process.partition(".")
    if not (space and dot and space == _space() and pid.isdigit()):
        return None
    return pid, started


def is_dead(claim: LeaseClaim) -> bool:
    found = _here(claim)
    return found is not None and _started(found[0]) != found[1]


def is_alive(claim: LeaseClaim) -> bool:
    found = _here(claim)
    return found is not None and _started(found[0]) == found[1]
