# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A little model of a client: mount namespaces, processes, files, mount and umount.

It stands in for ``_client_mounts.system.LocalSystem``.  Unmounting propagates as the kernel does it
(mount_namespaces(7)); what is used can't be unmounted; the clock goes on only where somebody sleeps.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import (
    Mount,
    escape,
    is_below,
    mount_of,
    parse_mountinfo,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import (
    ClientError,
)

ROOT = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"
OWN_PID = 4000


@dataclass
class Process:
    """A process: where it lives, what it uses, and what /proc says of it."""

    namespace: str = "host"
    command: str = "app"
    user: str = "games"
    cwd: str = "/"
    root: str = "/"
    exe: str = "/usr/bin/app"
    fds: dict[str, str] = field(default_factory=dict)  # number -> what the link says
    mount_ids: list[int] = field(default_factory=list)  # mounts on which it has files open
    maps: str = ""
    cgroup: str = "0::/system.slice/app.service\n"
    cmdline: str = "app\0"
    threads: dict[int, str] = field(default_factory=dict)  # thread -> namespace
    denied: bool = False  # it can't be traced
    gone: bool = False  # it ends before its mounts are read
    hidden: bool = False  # nor can mountinfo be read, which everybody may as a rule


class FakeClient:
    """A client, as the package's ``System`` sees it."""

    def __init__(self, *lines: str, fstab: str = "", root: bool = True) -> None:
        self.namespaces: dict[str, list[Mount]] = {
            "host": parse_mountinfo("\n".join([ROOT, *lines]))
        }
        self.numbers = {"host": 4026531840}
        self.files: dict[str, str] = {"/etc/fstab": fstab} if fstab else {}
        self.folders: set[str] = set()
        self.processes: dict[int, Process] = {
            1: Process(command="systemd", user="root", cgroup="0::/init.scope\n"),
            OWN_PID: Process(command="python3", user="root"),
        }
        self.hosts: dict[str, set[str]] = {}
        self.unmountable: dict[str, str] = {}  # target -> what umount says
        self.broken: dict[str, str] = {}  # source -> what mount says
        self.slow: list[list[str]] = []  # what is mounted only when somebody has slept
        self.is_slow = False
        self.hung: set[str] = set()  # targets for which umount doesn't end by itself
        self.ignored: set[str] = set()  # sources of which mount says that all is well
        self.on_unmount: Callable[[str], None] | None = None
        self.hanging = False
        self.root = root
        self.commands: list[list[str]] = []
        self.secrets: set[str] = set()
        self.helpers: set[str] = set()
        self.lock_owner = ""
        self.clock = 0.0
        self._next_id = 500

    # -- building it -------------------------------------------------------------------------

    def add_namespace(self, name: str, *lines: str, root: str = "rw master:1") -> str:
        """Add a mount namespace.  Returns its key, as /proc has it."""
        first = f"1022 1021 254:0 / / {root} - ext4 /dev/vda rw"
        self.namespaces[name] = parse_mountinfo("\n".join([first, *lines]))
        self.numbers[name] = 4026531841 + len(self.numbers)
        return self.key(name)

    def add_process(self, pid: int, **facts: object) -> Process:
        """Add a process."""
        self.processes[pid] = Process(**facts)  # type: ignore[arg-type]
        return self.processes[pid]

    def key(self, name: str) -> str:
        """Name a namespace as /proc does."""
        return f"mnt:[{self.numbers[name]}]"

    def targets(self, name: str = "host") -> list[str]:
        """What is mounted where, but for the root."""
        return [f"{mount.target} {mount.source}" for mount in self.namespaces[name][1:]]

    # -- kept from one run of the module to the next -------------------------------------------

    def save(self, path: str) -> None:
        """Write what there is to a file, but for what is made to fail."""
        state = {
            "namespaces": {
                name: [asdict(mount) for mount in table] for name, table in self.namespaces.items()
            },
            "processes": {pid: asdict(process) for pid, process in self.processes.items()},
            "numbers": self.numbers,
            "files": self.files,
            "root": self.root,
            "unmountable": self.unmountable,
            "_next_id": self._next_id,
        }
        Path(path).write_bytes(pickle.dumps(state))

    @classmethod
    def load(cls, path: str) -> FakeClient:
        """Read what ``save`` has written."""
        client = cls()
        client.__dict__.update(pickle.loads(Path(path).read_bytes()))
        client.namespaces = {
            name: [Mount(**mount) for mount in table]  # type: ignore[arg-type]
            for name, table in client.namespaces.items()
        }
        client.processes = {
            pid: Process(**process)  # type: ignore[arg-type]
            for pid, process in client.processes.items()
        }
        return client

    # -- System ------------------------------------------------------------------------------

    def is_root(self) -> bool:
        return self.root

    def own_pid(self) -> int:
        return OWN_PID

    def read_text(self, path: str) -> str:
        if path == "/proc/self/mountinfo":
            return self._mountinfo("host")
        found = re.fullmatch(r"/proc/(\d+)(?:/task/(\d+))?/(.*)", path)
        if not found:
            if path not in self.files:
                raise FileNotFoundError(2, "No such file or directory", path)
            if not self.root and path in self.secrets:
                raise PermissionError(13, "Permission denied", path)
            return self.files[path]
        process = self._process(int(found.group(1)))
        name = found.group(3)
        if name == "comm":
            return f"{process.command}\n"
        if name == "cgroup":
            return process.cgroup
        if name == "cmdline":
            return process.cmdline
        if name == "mountinfo":
            if process.gone:
                raise ProcessLookupError(3, "No such process")
            if process.hidden:
                raise PermissionError(13, "Permission denied")
            return self._mountinfo(self._namespace(process, found.group(2)), process.root)
        self._allow(process)
        if name == "maps":
            return process.maps
        number = re.fullmatch(r"fdinfo/(\d+)", name)
        if number and not process.mount_ids[int(number.group(1))]:
            raise FileNotFoundError(2, "No such file or directory", path)  # closed meanwhile
        if number:
            return f"pos:\t0\nflags:\t0100000\nmnt_id:\t{process.mount_ids[int(number.group(1))]}\n"
        raise AssertionError(path)

    def read_link(self, path: str) -> str:
        if path == "/proc/self/ns/mnt":
            return self.key("host")
        found = re.fullmatch(r"/proc/(\d+)(?:/task/(\d+))?/(.*)", path)
        assert found, path
        process = self._process(int(found.group(1)))
        self._allow(process)
        name = found.group(3)
        if name == "ns/mnt":
            return self.key(self._namespace(process, found.group(2)))
        if name.startswith("fd/"):
            if not process.fds[name[3:]]:
                raise FileNotFoundError(2, "No such file or directory", path)  # closed meanwhile
            return process.fds[name[3:]]
        return {"cwd": process.cwd, "root": process.root, "exe": process.exe}[name]

    def list_dir(self, path: str) -> list[str]:
        if path == "/proc":
            return ["self", "sys", *map(str, self.processes)]
        found = re.fullmatch(r"/proc/(\d+)/(task|fd|fdinfo)", path)
        if not found:
            names = {
                name[len(path) + 1 :].partition("/")[0]
                for name in self.files
                if name.startswith(f"{path}/")
            }
            if not names:
                raise FileNotFoundError(2, "No such file or directory", path)
            return sorted(names)
        pid = int(found.group(1))
        process = self._process(pid)
        if found.group(2) == "task":
            return [str(pid), *map(str, process.threads)]
        self._allow(process)
        if found.group(2) == "fd":
            return list(process.fds)
        return [str(number) for number in range(len(process.mount_ids))]

    def exists(self, path: str) -> bool:
        return path in self.files or path in self.folders

    def real_path(self, path: str) -> str:
        return path

    def owner(self, path: str) -> str:
        return self._process(int(path.split("/")[2])).user

    def has_command(self, name: str) -> bool:
        return name in self.helpers

    def resolve(self, name: str) -> set[str]:
        return self.hosts.get(name, set())

    def write_text(self, path: str, text: str, *, secret: bool = False) -> None:
        self.files[path] = text
        if secret:
            self.secrets.add(path)

    def remove(self, path: str) -> None:
        del self.files[path]

    @contextmanager
    def locked(self, path: str, seconds: float) -> Iterator[None]:
        if self.lock_owner:
            raise ClientError(f"Another run has locked {path}; wait until it ends.")
        yield

    def finish_within(self, seconds: float, work: Callable[[], None]) -> bool:
        if not self.hanging:
            work()
        return not self.hanging

    def monotonic(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        self.is_slow = False
        while self.slow:
            self._mount(self.slow.pop())

    def read_namespace(self, path: str) -> str:
        for name in self.namespaces:
            kept = [
                mount
                for mount in self.namespaces["host"]
                if mount.type == "nsfs" and mount.target == path and mount.root == self.key(name)
            ]
            links = re.fullmatch(r"/proc/(\d+)/fd/(\d+)", path)
            inside = re.fullmatch(r"/proc/(\d+)/root(/.*)", path)
            if inside:
                table = self.namespaces[self._process(int(inside.group(1))).namespace]
                kept = [
                    mount
                    for mount in table
                    if mount.target == inside.group(2) and mount.root == self.key(name)
                ]
            if links:
                process = self._process(int(links.group(1)))
                if process.fds.get(links.group(2)) == self.key(name):
                    return self._mountinfo(name)
            if kept:
                return self._mountinfo(name)
        raise OSError(0, "Operation not permitted", path)

    # -- commands ----------------------------------------------------------------------------

    def run(self, command: Sequence[str]) -> tuple[int, str, str]:
        assert command[:2] == ["timeout", "-k"], command
        command = list(command[4:])
        self.commands.append(command)
        if command[-1] in self.hung:
            return 124, "", ""
        if command[0] == "umount":
            said = self._unmount(command[-1], lazy="--lazy" in command)
        elif command[0] == "mount":
            said = self._mount(command[1:])
        else:
            assert command == ["systemctl", "daemon-reload"]
            said = ""
        return (32 if said else 0), "", said

    def _unmount(self, target: str, *, lazy: bool) -> str:
        table = self.namespaces["host"]
        mount = next((other for other in reversed(table) if other.target == target), None)
        if mount is None:
            return f"umount: {target}: not mounted."
        if target in self.unmountable:
            return self.unmountable[target]
        children = [other for other in table if other.parent == mount.id]
        if not lazy and (children or self._users(mount)):
            return f"umount: {target}: target is busy."
        parent = next(other for other in table if other.id == mount.parent)
        table.remove(mount)
        groups = {tag[7:] for tag in parent.propagation if tag.startswith("shared:")}
        for copies in list(self.namespaces.values())[1:]:
            self._propagate(mount, parent, groups, copies)
        if self.on_unmount:
            self.on_unmount(target)
        return ""

    def _propagate(
        self, mount: Mount, parent: Mount, groups: set[str], copies: list[Mount]
    ) -> None:
        place = f"{parent.root}/{mount.target[len(parent.target) :]}".replace("//", "/")
        for copy in list(copies):
            above = next((other for other in copies if other.id == copy.parent), None)
            tags = {tag.partition(":")[2] for tag in above.propagation} if above else set()
            has_child = any(other.parent == copy.id for other in copies)
            here = above and f"{above.root}/{copy.target[len(above.target) :]}".replace("//", "/")
            if copy.device == mount.device and here == place and tags & groups and not has_child:
                copies.remove(copy)

    def _users(self, mount: Mount) -> list[int]:
        table = self.namespaces["host"]
        return [
            pid
            for pid, process in self.processes.items()
            if process.namespace == "host"
            and (mount_of(process.cwd, table) is mount or mount.id in process.mount_ids)
        ]

    def _mount(self, arguments: Sequence[str]) -> str:
        options, source, target = arguments[1], arguments[-2], arguments[-1]
        fstype = arguments[3] if "-t" in arguments else "none"
        if source in self.broken:
            return self.broken[source]
        if source in self.ignored:
            return ""
        if self.is_slow:
            self.slow.append(list(arguments))
            return ""
        table = self.namespaces["host"]
        parent = mount_of(target, table)
        assert parent
        self._next_id += 1
        if "bind" in options.split(","):
            base = mount_of(source, table)
            assert base
            rest = source[len(base.target.rstrip("/")) :].rstrip("/")
            changes = {"id": self._next_id, "parent": parent.id, "target": target}
            if base.type.startswith("nfs"):  # it shows the folder in the source
                table.append(replace(base, **changes, source=base.source.rstrip("/") + rest))
            else:
                table.append(replace(base, **changes, root=(base.root.rstrip("/") + rest) or "/"))
            return ""
        if source.startswith(":") and fstype.startswith("nfs"):
            return "mount.nfs: remote share not in 'host:dir' format"
        host = re.sub(r"[\[\]]", "", source.lstrip("/").partition(":/")[0].partition("/")[0])
        address = next(iter(sorted(self.hosts.get(host, {host}))))
        fstype = {"nfs": "nfs4", "glusterfs": "fuse.glusterfs"}.get(fstype, fstype)
        table.append(
            Mount(
                self._next_id,
                parent.id,
                f"0:{self._next_id}",
                "/",
                target,
                "rw",
                ("shared:99",),
                fstype,
                source,
                f"rw,addr={address}",
            )
        )
        return ""

    # -- /proc -------------------------------------------------------------------------------

    def _mountinfo(self, name: str, root: str = "/") -> str:
        lines = []
        for mount in self.namespaces[name]:
            if not is_below(mount.target, root):
                continue  # it can't be reached from there
            target = mount.target[len(root.rstrip("/")) :] or "/"
            left = [str(mount.id), str(mount.parent), mount.device, escape(mount.root)]
            left += [escape(target), mount.flags, *mount.propagation]
            right = [mount.type, escape(mount.source), escape(mount.super_flags)]
            lines.append(f"{' '.join(left)} - {' '.join(right)}\n")
        return "".join(lines)

    def _process(self, pid: int) -> Process:
        if pid not in self.processes:
            raise ProcessLookupError(3, "No such process")
        return self.processes[pid]

    def _namespace(self, process: Process, thread: str | None) -> str:
        return process.threads[int(thread)] if thread else process.namespace

    def _allow(self, process: Process) -> None:
        if process.denied or (not self.root and process.user == "root"):
            raise PermissionError(13, "Permission denied")
