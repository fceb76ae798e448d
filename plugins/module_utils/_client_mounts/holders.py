# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that hold mounts, by /proc.  Imports `managers`, `mountinfo`, `namespaces`, `system`.

Works with names of links and IDs of mounts, which the kernel knows without asking the server: a
look at a file system the server of which is gone would hang.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.managers import (
    Manager,
    manager_of_process,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import (
    Mount,
    is_below,
    mount_of,
    unescape,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.namespaces import (
    OWN,
    Namespaces,
    is_tied,
    list_pids,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.options import (
    option_values,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import System

NAMED_HOLDERS = 10


def find_holders(
    system: System, mounts: Sequence[Mount], ours: Sequence[Mount], namespaces: Namespaces
) -> dict[int, list[dict[str, Any]]]:
    """Return the processes that hold some mounts, by the mounts' IDs.

    Also processes in other mount namespaces, where the mount is the same and goes away with it.
    """
    held: dict[int, list[dict[str, Any]]] = {}
    if not ours:
        return held
    own_ids = {mount.id: mount.id for mount in ours}
    views: dict[str, tuple[Sequence[Mount], dict[int, int]]] = {
        system.read_link(OWN): (mounts, own_ids)
    }
    for key, namespace in namespaces.readable.items():
        ids = {
            other.id: mount.id
            for mount in ours
            for other in namespace.table
            if is_tied(other, namespace.table, mount, mounts)
        }
        views[key] = (namespace.table, ids)
    for pid in list_pids(system):
        table, ids = views.get(_link(system, f"/proc/{pid}/ns/mnt"), (mounts, {}))
        if ids and pid != system.own_pid():
            for mount_id in sorted({ids[used] for used in _used(system, pid, table, ids)}):
                held.setdefault(mount_id, []).append(describe_process(system, pid))
    tables = [mounts, *(namespace.table for namespace in namespaces.readable.values())]
    for path, holder in [*_kernel(system), *_overlays(tables)]:
        # Containers have thousands of folders: most lie below none of these mounts.
        if any(is_below(path, mount.target) for mount in ours):
            used = mount_of(path, mounts)
            if used and used.id in own_ids and holder not in held.get(used.id, []):
                held.setdefault(used.id, []).append(holder)
    return held


def _kernel(system: System) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield files that the kernel itself holds: those of loop devices and of swap."""
    try:
        names = sorted(system.list_dir("/sys/block"))
    except OSError:
        names = []
    for name in names:
        if name.startswith("loop"):
            try:
                path = system.read_text(f"/sys/block/{name}/loop/backing_file").rstrip("\n")
            except OSError:
                continue
            yield path, {"pid": 0, "command": f"/dev/{name} of the kernel", "user": "root"}
    try:
        swaps = system.read_text("/proc/swaps").splitlines()[1:]
    except OSError:
        return
    for line in swaps:
        path = unescape(line.split()[0])
        yield path, {"pid": 0, "command": "swap of the kernel", "user": "root"}


def _overlays(tables: Iterable[Sequence[Mount]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the folders that overlay file systems are made of.

    They keep private copies of the mounts: unmounting succeeds, and the overlay goes on using the
    share (clone_private_mount, fs/namespace.c).
    """
    overlays: dict[str, Mount] = {}  # one file system is mounted here and in a container, often
    for table in tables:
        for mount in table:
            if mount.type == "overlay":
                overlays.setdefault(mount.device, mount)
    for mount in overlays.values():
        holder = {"pid": 0, "command": f"overlay at {mount.target}", "user": "root"}
        for name in ("lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir"):
            for value in option_values(mount.super_flags, name):
                for path in re.split(r"(?<!\\):+", value):
                    yield re.sub(r"\\(.)", r"\1", path), holder


def describe_process(system: System, pid: int) -> dict[str, Any]:
    """Return a process' ID, command and user, as results and messages have it."""
    try:
        command = system.read_text(f"/proc/{pid}/comm").rstrip("\n")
        user = system.owner(f"/proc/{pid}")
    except OSError:
        return {"pid": pid, "command": "?", "user": "?"}
    return {"pid": pid, "command": command, "user": user}


def process_manager(system: System, pid: int) -> Manager | None:
    """Tell which program a process works for; None if none that is known, or if it has ended."""
    try:
        control_group = system.read_text(f"/proc/{pid}/cgroup")
        arguments = system.read_text(f"/proc/{pid}/cmdline").split("\0")
    except OSError:
        return None
    return manager_of_process(control_group, arguments)


def _link(system: System, path: str) -> str:
    """Return what a link of /proc says; "" for a process that has ended, or is another's."""
    try:
        return system.read_link(path)
    except OSError:
        return ""


def _used(system: System, pid: int, table: Sequence[Mount], ids: dict[int, int]) -> set[int]:
    """Return which of some mounts a process uses: by its folders, its open files, and its mapped files."""
    used: set[int] = set()
    folder = f"/proc/{pid}"

    def add(path: str, device: str | None = None) -> None:
        mount = mount_of(path, table)
        if mount and mount.id in ids and device in {None, mount.device}:
            used.add(mount.id)

    for name in ("cwd", "root", "exe"):
        add(_link(system, f"{folder}/{name}"))
    try:
        numbers = system.list_dir(f"{folder}/fdinfo")
    except OSError:
        numbers = []
    for number in numbers:
        try:
            text = system.read_text(f"{folder}/fdinfo/{number}")
        except OSError:
            continue  # it was closed meanwhile
        mount_id = re.search(r"^mnt_id:\s*(\d+)", text, re.MULTILINE)
        if mount_id:
            used |= {int(mount_id.group(1))} & set(ids)
    try:
        for device, path in mapped_files(system.read_text(f"{folder}/maps")):
            add(path, device)
    except OSError:
        pass
    return used


def mapped_files(maps: str) -> list[tuple[str, str]]:
    """Read /proc/PID/maps: the devices, as mountinfo writes them, and paths of mapped files."""
    files = []
    for line in maps.split("\n"):
        fields = line.split(None, 5)
        device = re.fullmatch("([0-9a-f]+):([0-9a-f]+)", fields[3]) if len(fields) == 6 else None
        if device and fields[4] != "0":
            numbers = ":".join(str(int(number, 16)) for number in device.groups())
            files.append((numbers, unescape(fields[5])))
    return files


def holders_text(holders: Sequence[Mapping[str, Any]]) -> str:
    """Name processes in a message, ten at most."""
    named = [
        f"{holder['command']} (pid {holder['pid']}, user {holder['user']})"
        for holder in holders[:NAMED_HOLDERS]
    ]
    more = len(holders) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
