# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other mount namespaces of a client, and what of them goes away with a mount of this one.

Imports `mountinfo`, `system`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import (
    Mount,
    parse_mountinfo,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import System

OWN = "/proc/self/ns/mnt"


@dataclass
class Namespace:
    """A mount namespace: what is mounted in it, and the processes that live in it.

    ``path`` is a file that keeps it where no process does; "" otherwise.
    """

    key: str
    table: list[Mount]
    pids: list[int] = field(default_factory=list)
    path: str = ""


@dataclass(frozen=True)
class Unreadable:
    """A namespace that could not be read, or a process (``pid`` is not 0) in one."""

    path: str
    pid: int
    reason: str


@dataclass
class Namespaces:
    """The other mount namespaces of a client, and what keeps this from being all of them."""

    readable: dict[str, Namespace] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)


def list_pids(system: System) -> list[int]:
    """Return the IDs of all processes that can be seen."""
    return sorted(int(name) for name in system.list_dir("/proc") if name.isdigit())


def read_namespaces(system: System, own_table: Sequence[Mount]) -> Namespaces:
    """Read what is mounted in the other mount namespaces of a client.

    Namespaces have three kinds of owners: threads of processes, open files, and files on which they
    are mounted (nsfs), as ``ip netns`` and snapd do it.  Mounts of nsfs are looked for in each
    namespace that is read, too.
    """
    result = Namespaces()
    own = system.read_link(OWN)
    threads: dict[str, dict[str, list[tuple[int, str]]]] = {}
    files: dict[str, str] = {}
    unnamed: list[tuple[int, list[Mount]]] = []
    for pid in list_pids(system):
        _read_process(system, pid, threads, files, unnamed, result)
    for key, roots in threads.items():
        if key != own:
            _read_threads(system, key, roots, result)
    _sort_unnamed(unnamed, own_table, result)
    _note_files(own_table, "", files)
    for namespace in list(result.readable.values()):
        _note_files(namespace.table, f"/proc/{namespace.pids[0]}/root", files)
    seen = {own, *threads}
    while set(files) - seen:
        key = min(set(files) - seen)
        seen.add(key)
        path = files[key]
        try:
            table = parse_mountinfo(system.read_namespace(path))
        except OSError as error:
            result.unreadable.append(Unreadable(path, 0, error.strerror or str(error)))
            continue
        result.readable[key] = Namespace(key, table, [], path)
        # What is mounted in there has no path from here.
        for mount in table:
            kept = _kept_by(mount)
            if kept and kept not in seen and kept not in files:
                seen.add(kept)
                reason = "it is kept by a file in a namespace without processes"
                result.unreadable.append(Unreadable(f"{path}:{mount.target}", 0, reason))
    return result


def _read_process(
    system: System,
    pid: int,
    threads: dict[str, dict[str, list[tuple[int, str]]]],
    files: dict[str, str],
    unnamed: list[tuple[int, list[Mount]]],
    result: Namespaces,
) -> None:
    """Note the namespaces of a process' threads, by their roots, and those that its open files keep.

    Where the link that names the namespace can't be read, mountinfo often can: the kernel lets
    everybody read that, and wants the right to trace the process for the link (fs/proc_namespace.c,
    fs/proc/namespaces.c).
    """
    try:
        names = system.list_dir(f"/proc/{pid}/task")
    except OSError:
        names = [str(pid)]
    for name in names:
        folder = f"/proc/{pid}" if name == str(pid) else f"/proc/{pid}/task/{name}"
        try:
            key = system.read_link(f"{folder}/ns/mnt")
            root = system.read_link(f"{folder}/root")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        except OSError:
            try:
                unnamed.append((pid, parse_mountinfo(system.read_text(f"{folder}/mountinfo"))))
            except (FileNotFoundError, ProcessLookupError):
                continue
            except OSError as error:
                result.unreadable.append(Unreadable("/proc", pid, error.strerror or str(error)))
            continue
        threads.setdefault(key, {}).setdefault(root, []).append((pid, folder))
    try:
        numbers = system.list_dir(f"/proc/{pid}/fd")
    except OSError:
        return  # it has ended, or it is unreadable above all
    for number in numbers:
        try:
            link = system.read_link(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
        if link.startswith("mnt:["):
            files.setdefault(link, f"/proc/{pid}/fd/{number}")


def _read_threads(
    system: System, key: str, roots: dict[str, list[tuple[int, str]]], result: Namespaces
) -> None:
    """Read a namespace by a thread for each root: mountinfo shows what can be reached from there."""
    mounts: dict[int, Mount] = {}
    error = None
    read = False
    for root in sorted(roots):
        for _pid, folder in roots[root]:
            try:
                table = parse_mountinfo(system.read_text(f"{folder}/mountinfo"))
            except (FileNotFoundError, ProcessLookupError):
                continue
            except OSError as denied:
                error = denied
                continue
            for mount in table:
                mounts.setdefault(mount.id, mount)
            read = True
            break
    pids = sorted({pid for threads in roots.values() for pid, _folder in threads})
    if read:
        result.readable[key] = Namespace(key, list(mounts.values()), pids)
    elif error is not None:
        reason = error.strerror or str(error)
        result.unreadable += [Unreadable("/proc", pid, reason) for pid in pids]


def _sort_unnamed(
    unnamed: Sequence[tuple[int, list[Mount]]], own_table: Sequence[Mount], result: Namespaces
) -> None:
    """Tell the namespaces of processes by what is mounted in them: no two have a mount's ID in common."""
    own = {mount.id for mount in own_table}
    for pid, table in unnamed:
        ids = {mount.id for mount in table}
        if not ids or ids & own:
            continue
        for namespace in result.readable.values():
            if ids & {mount.id for mount in namespace.table}:
                namespace.pids = sorted({*namespace.pids, pid})
                break
        else:
            key = f"mounts of {pid}"
            result.readable[key] = Namespace(key, table, [pid])


def _note_files(table: Sequence[Mount], root: str, files: dict[str, str]) -> None:
    for mount in table:
        key = _kept_by(mount)
        if key:
            files.setdefault(key, root + mount.target)


def _kept_by(mount: Mount) -> str:
    """Return the key of the mount namespace that a mount of nsfs keeps, "" for any other mount."""
    return mount.root if mount.type == "nsfs" and mount.root.startswith("mnt:[") else ""


def is_tied(mount: Mount, table: Sequence[Mount], other: Mount, mounts: Sequence[Mount]) -> bool:
    """Return whether unmounting propagates to a mount of another namespace.

    It does so from where something is mounted on (mount_namespaces(7)).

    Args:
        mount: The mount of the other namespace.
        table: What is mounted there.
        other: The mount of this namespace.
        mounts: What is mounted here.
    """
    above = next((parent for parent in mounts if parent.id == other.parent), None)
    copy = next((parent for parent in table if parent.id == mount.parent), None)
    if above is None or copy is None or mount.device != other.device:
        return False
    if _place(mount, copy) != _place(other, above):
        return False  # a mount of its own beside
    groups = {_group(tag) for tag in above.propagation if tag.startswith("shared:")}
    return any(
        _group(tag) in groups for tag in copy.propagation if tag.startswith(("shared:", "master:"))
    )


def leaving(table: Sequence[Mount], others: Collection[Mount], mounts: Sequence[Mount]) -> set[int]:
    """Return the IDs of the mounts of another namespace that go away with mounts of this one.

    The kernel skips a mount on which something else is mounted (propagate_umount, fs/pnode.c).
    """
    ids = {
        mount.id for mount in table if any(is_tied(mount, table, other, mounts) for other in others)
    }
    while True:
        kept = {mount.parent for mount in table if mount.parent in ids and mount.id not in ids}
        if not kept:
            return ids
        ids -= kept


def _place(mount: Mount, parent: Mount) -> str:
    """Return where in its parent's file system a mount is mounted."""
    return parent.root.rstrip("/") + mount.target[len(parent.target.rstrip("/")) :]


def _group(tag: str) -> str:
    return tag.partition(":")[2]
