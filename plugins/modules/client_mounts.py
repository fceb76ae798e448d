#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find, unmount and mount what a client has mounted of shares that migrate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: client_mounts
short_description: Move a client's mounts of shares that migrate
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Runs on a client of shares. Finds what it has mounted of them, unmounts it before the cutover, mounts the new export in its
    place afterwards, and the old one again where the cutover failed.
  - The mounts are found by their export, in whatever form the server is written, as a name or an address, and below the
    export's root, too. Bind mounts of them are moved along.
  - What was done is read from C(/proc/self/mountinfo), not believed. C(/etc/fstab) is kept in step; its comments and other
    lines stay as they are.
  - A mount that is held by processes stays, and they are named. A share is unmounted from a client wholly or not at all.
  - What was unmounted is written down on the client first, so that a run that was killed can be repeated.
options:
  exports:
    description: The shares. What a record of a migration says, O(exports[].before) and O(exports[].after).
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: ID of the share.
        type: str
        required: true
      name:
        description: Name of the share, for messages.
        type: str
        default: ""
      before:
        description: Export locations before the migration. Add other names of the same server if clients use some that they can't look up.
        type: list
        elements: str
        required: true
      after:
        description:
          - Export locations after the migration. Needed for O(state=mounted).
          - Of several, one of the same protocol and the same form of address (name, IPv4, IPv6) as was mounted is taken.
        type: list
        elements: str
        default: []
  state:
    description:
      - V(found) only tells what is mounted.
      - V(unmounted) takes the mounts of O(exports[].before) away, and writes down what they were.
      - V(mounted) mounts O(exports[].after) where something was unmounted, or is still mounted of O(exports[].before), and changes fstab.
      - V(restored) mounts again what V(unmounted) took away, as it was, and changes fstab back.
    type: str
    choices: [found, unmounted, mounted, restored]
    default: found
  types:
    description:
      - The types of file systems to look at. V(nfs) stands for C(nfs4), too, V(cifs) for C(smb3), and each for its form with FUSE, such
        as C(fuse.glusterfs).
    type: list
    elements: str
    default: [nfs, cifs, ceph, glusterfs]
  force:
    description:
      - Whether to detach mounts that are busy, or whose server doesn't answer (C(umount --lazy)). Processes that hold them are not ended,
        and go on using the old export.
    type: bool
    default: false
  timeout:
    description: Seconds that one mount, one unmount, or the search for processes may take.
    type: int
    default: 60
  fstab:
    description: The file to keep in step.
    type: path
    default: /etc/fstab
  record:
    description: The file on the client in which unmounted mounts are written down. Only root can read it.
    type: path
    default: /var/lib/manila-migration/client_mounts.json
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - Needs root, but for O(state=found), which finds the processes of others only with it.
  - Needs Linux with C(mount) and C(umount) of util-linux, C(timeout) of coreutils, and what mounts the protocol.
  - Mounts by autofs or by an automount unit of systemd are named, not moved.
extends_documentation_fragment:
  - manila.migration.attributes.standalone
seealso:
  - module: manila.migration.share_migration_info
"""

EXAMPLES = r"""
- name: Show what is mounted of a share, and who holds it
  manila.migration.client_mounts:
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]

- name: Unmount it before the cutover
  manila.migration.client_mounts:
    state: unmounted
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]

- name: Mount the new export after it
  manila.migration.client_mounts:
    state: mounted
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]
        after: ["192.0.2.20:/shares/projects"]

- name: Mount the old export again, where the cutover failed
  manila.migration.client_mounts:
    state: restored
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]
"""

RETURN = r"""
mounts:
  description: What the client has mounted of the shares, or had, in the order of mounting.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: ID of the share.
      type: str
    name:
      description: Name of the share.
      type: str
    target:
      description: Where it is mounted.
      type: str
    source:
      description: What is mounted there, or was until it was unmounted. A folder, if RV(mounts[].bind).
      type: str
    type:
      description: Type of the file system.
      type: str
    options:
      description: Options of the mount, passwords made unreadable.
      type: str
    bind:
      description: Whether it shows a folder of the share a second time.
      type: bool
    fstab:
      description: Whether fstab has a line for it.
      type: bool
    state:
      description: V(mounted) or V(unmounted).
      type: str
    sides:
      description: Of which export locations it is mounted, V(before) or V(after), or both where these are the same. Empty if unmounted.
      type: list
      elements: str
left:
  description: Mounts that are not as O(state) says, and why. With O(state=found), what would keep them from being unmounted.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: ID of the share.
      type: str
    name:
      description: Name of the share.
      type: str
    target:
      description: Where it is mounted.
      type: str
    code:
      description: One of V(busy), V(below), V(autofs), V(credentials), V(namespace), V(taken), V(no_export), V(failed).
      type: str
    message:
      description: The reason.
      type: str
    holders:
      description: The processes that hold the mount, each with C(pid), C(command) and C(user).
      type: list
      elements: dict
ready:
  description: IDs of shares of which nothing is mounted here. With O(state=unmounted), these can be cut over.
  type: list
  elements: str
  returned: always
similar:
  description: Mounts with the path of an export, of a server that is none of the export's. They are not touched.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: ID of the share with that export.
      type: str
    target:
      description: Where it is mounted.
      type: str
    source:
      description: What is mounted there.
      type: str
fstab_lines:
  description: Numbers of the lines of fstab that were changed.
  type: list
  elements: int
  returned: always
"""

import fcntl
import json
import os
import pwd
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.manila.migration.plugins.module_utils import mounts as logic

FOUND = "found"
UNMOUNTED = "unmounted"
MOUNTED = "mounted"
RESTORED = "restored"
GRACE = 5  # seconds: until SIGKILL, for a mount of FUSE to appear, and for a name to be looked up
UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")


class ClientMounts:
    """Reads what is mounted, decides with ``module_utils.mounts``, and runs mount and umount."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.shares = [
            logic.Share(one["id"], one["name"], tuple(one["before"]), tuple(one["after"]))
            for one in self.params["exports"]
        ]
        self.by_id = {one.id: one for one in self.shares}
        self.types = logic.wanted_types(self.params["types"])
        self.names: dict[str, set[str]] = {}
        self.left: list[dict[str, Any]] = []
        self.changed = False
        self.fstab_before = self.fstab_after = ""
        self.fstab_lines: list[int] = []
        self.record: list[logic.Entry] = []

    def run(self) -> None:
        """Do what ``state`` says and leave."""
        state = self.params["state"]
        if self.params["timeout"] < 1:
            self.module.fail_json(msg="timeout: has to be a second at least.")
        if state != FOUND and os.geteuid() != 0:
            self.module.fail_json(msg=f"state: {state} needs root; run the task with become.")
        if state == MOUNTED:
            without = [one.label() for one in self.shares if not one.after]
            if without:
                self.module.fail_json(
                    msg=f"exports: {', '.join(without)} has no export location after the migration."
                )
        with self._locked():
            self.record = self._read_record()
            self.fstab_before = self.fstab_after = self._read(self.params["fstab"])
            mounts = self._mounts()
            shown_before = self._shown(mounts)
            if state == FOUND:
                self._hinder(mounts)
            elif state == UNMOUNTED:
                mounts = self._unmount(mounts)
            else:
                mounts = self._mount(mounts, logic.AFTER if state == MOUNTED else logic.BEFORE)
        self._leave(shown_before, mounts)

    # -- the states --------------------------------------------------------------------------

    def _hinder(self, mounts: list[logic.Mount]) -> list[logic.Found]:
        """Find what is mounted before the cutover, and note what would keep it so."""
        found, _similar = self._find(mounts, logic.BEFORE)
        self._hindrances(mounts, found)
        self._foreign(mounts, found)
        return found

    def _unmount(self, mounts: list[logic.Mount]) -> list[logic.Mount]:
        """Take away all mounts of each share, or leave all of it."""
        found = self._hinder(mounts)
        stuck = {one["id"] for one in self.left}
        return self._take_away(mounts, [one for one in found if one.entry.share_id not in stuck])

    def _mount(self, mounts: list[logic.Mount], side: str) -> list[logic.Mount]:
        """Mount one side's export wherever the other's was, in the order of mounting."""
        other = logic.AFTER if side == logic.BEFORE else logic.BEFORE
        entries = {
            (one.share_id, one.target): one for one in self.record if one.share_id in self.by_id
        }
        there = {one.mount.id for one in self._find(mounts, side)[0]}
        stale = []
        for one in self._find(mounts, other)[0]:
            key = (one.entry.share_id, one.entry.target)
            # What is of the new side and was never unmounted has nothing to go back to.
            if one.mount.id not in there and (side == logic.AFTER or key in entries):
                entries.setdefault(key, one.entry)
                stale.append(one)
        self._hindrances(mounts, stale)
        sources = {}
        for key, entry in entries.items():
            sources[key] = self._wanted(entry, side)
        stuck = {one["id"] for one in self.left}
        mounts = self._take_away(mounts, [one for one in stale if one.entry.share_id not in stuck])
        stuck = {one["id"] for one in self.left}
        for key, entry in entries.items():
            source = sources[key]
            if source is None or entry.share_id in stuck:
                continue
            mounts, works = self._put(mounts, entry, source, side)
            if not works:
                stuck.add(entry.share_id)
        self._edit_fstab([one for one in self.shares if one.id not in stuck], side)
        # Last of all: until here, a run that is killed can be repeated, and a share be restored.
        if not self.module.check_mode:
            done = set(self.by_id) - stuck
            self._write_record([one for one in self.record if one.share_id not in done])
        return mounts

    def _wanted(self, entry: logic.Entry, side: str) -> str | None:
        """Return what to mount for an entry; None, and a reason in ``left``, if there is nothing."""
        if side == logic.BEFORE:
            return entry.source
        share = self.by_id[entry.share_id]
        source = logic.new_source(entry, share, self._resolve)
        if source is None:
            message = (
                f"{entry.target} has {entry.source} mounted, and of that kind the share "
                f"{share.label()} has no export location now, only {', '.join(share.after)}"
            )
            self._leave_alone(entry, "no_export", message)
        return source

    # -- what keeps a mount from being moved -------------------------------------------------

    def _hindrances(self, mounts: list[logic.Mount], found: Sequence[logic.Found]) -> None:
        """Note in ``left`` what can't be unmounted."""
        by_id = {one.id: one for one in mounts}
        ours = {one.mount.id for one in found}
        forced = self.params["force"]
        held = self._holders(mounts, found)
        for one in found:
            entry, where = one.entry, one.entry.target
            parent = by_id.get(one.mount.parent)
            others = [other for other in logic.below(one.mount, mounts) if other.id not in ours]
            holders = held.get(one.mount.id, [])
            if parent and parent.type == "autofs":
                by = "an automount unit" if parent.target == where else "autofs"
                message = f"{where} is mounted by {by}: change what that mounts, and stop it for the cutover"
                self._leave_alone(entry, "autofs", message)
            elif others:
                named = ", ".join(f"{other.source} at {other.target}" for other in others)
                self._leave_alone(entry, "below", f"on {where} something else is mounted: {named}")
            elif not entry.bind and logic.lacks_password(entry.type, entry.options):
                message = (
                    f"{where} is mounted with a password that nobody here could give again: "
                    "make a line in fstab for it, with credentials= and noauto"
                )
                self._leave_alone(entry, "credentials", message)
            elif holders and not forced:
                message = f"{where} is held by {logic.holders_text(holders)}"
                self._leave_alone(entry, "busy", message, holders)

    def _foreign(self, mounts: list[logic.Mount], found: Sequence[logic.Found]) -> None:
        """Note mounts in other namespaces that don't go away with one of the host's."""
        if self.params["force"]:
            return
        for pid, table in self._namespaces().items():
            for one in self._find(table, logic.BEFORE)[0]:
                if not any(logic.tied(one.mount, table, ours.mount, mounts) for ours in found):
                    holder = self._process(pid)
                    message = (
                        f"{one.mount.source} is mounted at {one.entry.target} in the mount "
                        f"namespace of {logic.holders_text([holder])}, too: stop that"
                    )
                    self._leave_alone(one.entry, "namespace", message, [holder])

    def _leave_alone(
        self,
        entry: logic.Entry,
        code: str,
        message: str,
        holders: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.left.append(
            {
                "id": entry.share_id,
                "name": self.by_id[entry.share_id].name,
                "target": entry.target,
                "code": code,
                "message": f"{logic.mask(message)}.",
                "holders": list(holders),
            }
        )

    # -- unmounting and mounting -------------------------------------------------------------

    def _take_away(
        self, mounts: list[logic.Mount], going: Sequence[logic.Found]
    ) -> list[logic.Mount]:
        """Unmount; what one mount of a share refuses brings the others of it back."""
        if not going:
            return mounts
        self.changed = True
        if self.module.check_mode:
            ids = {one.mount.id for one in going}
            return [one for one in mounts if one.id not in ids]
        known = {(one.share_id, one.target) for one in self.record}
        new = [one.entry for one in going if (one.entry.share_id, one.entry.target) not in known]
        self._write_record([*self.record, *new])
        refused: set[str] = set()
        for one in reversed(going):
            if one.entry.share_id not in refused and not self._unmount_one(one):
                refused.add(one.entry.share_id)
        back = []
        for one in going:
            if one.entry.share_id not in refused:
                continue
            said = "" if self._seen(one.mount) else self._mount_one(one.entry, one.entry.source)
            if said:
                message = f"{one.entry.source} can't be mounted at {one.entry.target} again: {said}"
                self._leave_alone(one.entry, "failed", message)
            else:
                back.append(one.entry)
        self._write_record([one for one in self.record if one not in new or one not in back])
        return self._mounts()

    def _unmount_one(self, found: logic.Found) -> bool:
        target = found.entry.target
        # Without -c, umount looks at the target first, and hangs where the server is gone.
        _status, said = self._limited(["umount", "-c", target])
        if self._seen(found.mount) and self.params["force"]:
            _status, said = self._limited(["umount", "-c", "--lazy", target])
        if not self._seen(found.mount):
            return True
        holders = self._holders(self._mounts(), [found]).get(found.mount.id, [])
        if holders:
            message = f"{target} is held by {logic.holders_text(holders)}"
        else:
            message = f"{target} can't be unmounted: {said or 'umount said nothing'}"
        self._leave_alone(
            found.entry, "busy" if holders or "busy" in said else "failed", message, holders
        )
        return False

    def _put(
        self, mounts: list[logic.Mount], entry: logic.Entry, source: str, side: str
    ) -> tuple[list[logic.Mount], bool]:
        """Mount a source at an entry's target, unless it is there.  Out: what is mounted; whether it works."""
        seen = logic.top(entry.target, mounts)
        if seen and self._is(seen, entry, source, side):
            return mounts, True
        if seen:
            message = f"{entry.target} has {seen.source} ({seen.type}) mounted instead"
            self._leave_alone(entry, "taken", message)
            return mounts, False
        self.changed = True
        if self.module.check_mode:
            return [*mounts, logic.imagined(entry, source, mounts)], True
        said = self._mount_one(entry, source)
        until = time.monotonic() + GRACE
        while True:
            mounts = self._mounts()
            seen = logic.top(entry.target, mounts)
            if seen and self._is(seen, entry, source, side):
                return mounts, True
            if said or time.monotonic() > until:
                break
            time.sleep(0.1)
        instead = f"mount reported success, and {seen.source if seen else 'nothing'} is mounted"
        message = f"{source} can't be mounted at {entry.target}: {said or instead}"
        self._leave_alone(entry, "failed", message)
        return mounts, False

    def _is(self, seen: logic.Mount, entry: logic.Entry, source: str, side: str) -> bool:
        """Tell whether a mount is what was asked for; a bind mount, whether it is of that side."""
        shares = [self.by_id[entry.share_id]]
        if logic.family(seen.type) not in self.types:
            return False
        found = logic.match(seen.source, seen.super_flags, shares, side, self._resolve)
        if not found or not found.certain:
            return False
        return entry.bind or logic.same_source(seen.source, source)

    def _mount_one(self, entry: logic.Entry, source: str) -> str:
        """Mount; "" or what mount said."""
        fstype = entry.type
        if fstype.startswith("fuse.") and self.module.get_bin_path(f"mount.{fstype[5:]}"):
            fstype = fstype[5:]
        command = ["mount", "-o", entry.options or "defaults"]
        command += [] if entry.bind else ["-t", fstype]
        status, said = self._limited([*command, source, entry.target])
        return said or f"mount ended with {status}" if status else ""

    def _limited(self, command: list[str]) -> tuple[int, str]:
        """Run a command, no longer than ``timeout``.  Out: its status, and what it said in a line."""
        limit = self.params["timeout"]
        status, out, err = self.module.run_command(
            ["timeout", "-k", str(GRACE), str(limit), *command],
            environ_update={"LC_ALL": "C", "LANG": "C"},
        )
        if status in {124, 137}:
            return status, f"{command[0]} gave no answer for {limit} seconds"
        return status, logic.mask(" ".join((err or out).split()))

    # -- fstab -------------------------------------------------------------------------------

    def _edit_fstab(self, shares: Sequence[logic.Share], side: str) -> None:
        """Give the lines of shares the sources of a side; for what was, only of what was unmounted here."""
        lines = logic.parse_fstab(self.fstab_before)
        recorded = {(one.share_id, one.target): one for one in self.record}
        if side == logic.BEFORE:
            ids = {one.share_id for one in self.record}
            shares = [one for one in shares if one.id in ids]
        sources = logic.moved_lines(lines, shares, side, self._resolve)
        if side == logic.BEFORE:
            for line in lines:
                for share in shares:
                    entry = recorded.get((share.id, line.target))
                    if line.number in sources and entry and entry.fstab and not entry.bind:
                        sources[line.number] = entry.source
        if not sources:
            return
        self.changed = True
        self.fstab_lines = [number + 1 for number in sorted(sources)]
        self.fstab_after = logic.with_sources(self.fstab_before, sources)
        if self.module.check_mode:
            return
        self._write(os.path.realpath(self.params["fstab"]), self.fstab_after)
        if os.path.isdir("/run/systemd/system"):
            # Its mount units are made of fstab.
            self._limited(["systemctl", "daemon-reload"])

    # -- what there is -----------------------------------------------------------------------

    def _mounts(self) -> list[logic.Mount]:
        return logic.parse_mountinfo(self._read("/proc/self/mountinfo"))

    def _seen(self, mount: logic.Mount) -> bool:
        """Tell whether it is still mounted.  IDs are given out again."""
        return any((one.id, one.target) == (mount.id, mount.target) for one in self._mounts())

    def _find(
        self, mounts: Sequence[logic.Mount], side: str
    ) -> tuple[list[logic.Found], list[logic.Found]]:
        lines = logic.parse_fstab(self.fstab_before)
        return logic.find(mounts, lines, self.shares, side, self.types, self._resolve)

    def _resolve(self, name: str) -> set[str]:
        """Look a name up, once, and not for ever."""
        if name not in self.names:
            found: set[str] = set()

            def look_up() -> None:
                try:
                    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                except (OSError, UnicodeError):
                    return
                found.update(logic.canonical_host(str(one[4][0])) for one in answers)

            _within(GRACE, look_up)
            self.names[name] = set(found)
        return self.names[name]

    def _namespaces(self) -> dict[int, list[logic.Mount]]:
        """Return what is mounted in the other mount namespaces, each by one of its processes."""
        seen = {_link("/proc/self/ns/mnt")}
        namespaces = {}
        for pid in _pids():
            namespace = _link(f"/proc/{pid}/ns/mnt")
            if namespace and namespace not in seen:
                seen.add(namespace)
                try:
                    namespaces[pid] = logic.parse_mountinfo(self._text(f"/proc/{pid}/mountinfo"))
                except OSError:
                    continue
        return namespaces

    def _holders(
        self,
        mounts: list[logic.Mount],
        found: Sequence[logic.Found],
    ) -> dict[int, list[dict[str, Any]]]:
        """Return the processes that hold mounts, by the mounts' IDs.

        By names of links and IDs of mounts, which the kernel knows without asking the server.
        """
        held: dict[int, list[dict[str, Any]]] = {}
        if not found:
            return held
        ours = {one.mount.id: one.mount.id for one in found}
        views = {_link("/proc/self/ns/mnt"): (mounts, ours)}
        for pid, table in self._namespaces().items():
            ids = {
                other.id: one.mount.id
                for one in found
                for other in table
                if logic.tied(other, table, one.mount, mounts)
            }
            views[_link(f"/proc/{pid}/ns/mnt")] = (table, ids)

        def search() -> None:
            for pid in _pids():
                table, ids = views.get(_link(f"/proc/{pid}/ns/mnt"), (mounts, {}))
                if ids and pid != os.getpid():
                    for mount_id in sorted({ids[one] for one in _used(pid, table, ids)}):
                        held.setdefault(mount_id, []).append(self._process(pid))

        if not _within(self.params["timeout"], search):
            self.module.warn(
                "The search for processes that hold mounts took too long; some may be missing."
            )
        for path, holder in self._kernel():
            mount = logic.mount_of(path, mounts)
            if mount and mount.id in ours:
                held.setdefault(mount.id, []).append(holder)
        return dict(list(held.items()))

    def _kernel(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield files that the kernel itself holds: those of loop devices and of swap."""
        for name in sorted(os.listdir("/sys/block")) if os.path.isdir("/sys/block") else []:
            if name.startswith("loop"):
                try:
                    path = self._text(f"/sys/block/{name}/loop/backing_file").rstrip("\n")
                except OSError:
                    continue
                yield path, {"pid": 0, "command": f"/dev/{name} of the kernel", "user": "root"}
        try:
            swaps = self._text("/proc/swaps").splitlines()[1:]
        except OSError:
            return
        for line in swaps:
            path = logic.unescape(line.split()[0])
            yield path, {"pid": 0, "command": "swap of the kernel", "user": "root"}

    def _process(self, pid: int) -> dict[str, Any]:
        try:
            command = self._text(f"/proc/{pid}/comm").rstrip("\n")
            uid = os.stat(f"/proc/{pid}").st_uid
        except OSError:
            return {"pid": pid, "command": "?", "user": "?"}
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:
            user = str(uid)
        return {"pid": pid, "command": command, "user": user}

    # -- files -------------------------------------------------------------------------------

    def _text(self, path: str) -> str:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()

    def _read(self, path: str) -> str:
        try:
            return self._text(path)
        except FileNotFoundError:
            return ""
        except OSError as error:
            self.module.fail_json(msg=f"{path} can't be read: {error.strerror}.")
            raise

    def _write(self, path: str, text: str) -> None:
        """Put a text in a file's place at once; a file that is there keeps its mode and owner."""
        descriptor, temporary = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(
            descriptor, "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:
            file.write(text)
        self.module.atomic_move(temporary, path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one run at a time have the client."""
        if self.params["state"] == FOUND or self.module.check_mode:
            yield
            return
        path = f"{self.params['record']}.lock"
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            file = open(path, "w", encoding="utf-8")  # noqa: SIM115  (it is closed below)
        except OSError as error:
            self.module.fail_json(msg=f"record: {path} can't be written: {error.strerror}.")
            raise
        with file:
            until = time.monotonic() + self.params["timeout"]
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > until:
                        self.module.fail_json(
                            msg=f"Another run has {path} locked; wait until it ends."
                        )
                    time.sleep(0.2)
            yield

    def _read_record(self) -> list[logic.Entry]:
        path = self.params["record"]
        text = self._read(path) if os.access(os.path.dirname(path) or ".", os.X_OK) else ""
        try:
            return [logic.Entry(**one) for one in json.loads(text)["mounts"]] if text else []
        except (ValueError, KeyError, TypeError):
            self.module.fail_json(msg=f"record: {path} is no record of unmounted mounts.")
            raise

    def _write_record(self, entries: list[logic.Entry]) -> None:
        path = self.params["record"]
        if entries == self.record:
            return
        self.record = entries
        if not entries:
            os.unlink(path)
            return
        # As made by mkstemp: mode 0600.
        self._write(path, json.dumps({"version": 1, "mounts": [one.as_dict() for one in entries]}))
        os.chmod(path, 0o600)

    # -- results -----------------------------------------------------------------------------

    def _told(self, mounts: list[logic.Mount]) -> list[dict[str, Any]]:
        told = {
            one.target: self._row(one, UNMOUNTED)
            for one in self.record
            if one.share_id in self.by_id
        }
        for side in (logic.BEFORE, logic.AFTER):
            for found in self._find(mounts, side)[0]:
                entry = found.entry
                had = told.get(entry.target, {"sides": []})["sides"]
                told[entry.target] = {**self._row(entry, MOUNTED), "sides": [*had, side]}
        return list(told.values())

    def _row(self, entry: logic.Entry, state: str) -> dict[str, Any]:
        return {
            "id": entry.share_id,
            "name": self.by_id[entry.share_id].name,
            "target": entry.target,
            "source": entry.source,
            "type": entry.type,
            "options": logic.mask(entry.options),
            "bind": entry.bind,
            "fstab": entry.fstab,
            "state": state,
            "sides": [],
        }

    def _shown(self, mounts: list[logic.Mount]) -> str:
        """Return a diff's text: what is mounted of the shares, and of which side."""
        rows = {
            f"{one.mount.source} {one.entry.target} {logic.family(one.mount.type)}\n"
            for side in (logic.BEFORE, logic.AFTER)
            for one in self._find(mounts, side)[0]
        }
        return "".join(sorted(rows))

    def _leave(self, shown_before: str, mounts: list[logic.Mount]) -> None:
        state = self.params["state"]
        moved = {one.mount.target for one in self._find(mounts, logic.AFTER)[0]}
        similar = [
            one for one in self._find(mounts, logic.BEFORE)[1] if one.mount.target not in moved
        ]
        told = self._told(mounts)
        mounted = {one["id"] for one in told if one["state"] == MOUNTED}
        foreign = {one["id"] for one in self.left if one["code"] == "namespace"}
        results: dict[str, Any] = {
            "changed": self.changed,
            "mounts": told,
            "left": self.left,
            "ready": [one.id for one in self.shares if one.id not in mounted | foreign],
            "similar": [
                {
                    "id": one.match.share.id,
                    "target": one.mount.target,
                    "source": one.mount.source,
                }
                for one in similar
            ],
            "fstab_lines": self.fstab_lines,
        }
        for one in similar:
            self.module.warn(
                f"{one.mount.target} has {one.mount.source} mounted: the path is that of the share "
                f"{one.match.share.label()}, the server none that it is known by. If it is the same, add this to `before`."
            )
        if state == MOUNTED:
            self._warn_of_units(told)
        diff = [_difference("mounts", shown_before, self._shown(mounts))]
        if self.fstab_after != self.fstab_before:
            texts = [self.fstab_before, self.fstab_after]
            diff.append(_difference(self.params["fstab"], *map(logic.mask, texts)))
        results["diff"] = diff
        if self.left and state != FOUND:
            self.module.fail_json(msg=" ".join(one["message"] for one in self.left), **results)
        self.module.exit_json(**results)

    def _warn_of_units(self, told: Sequence[dict[str, Any]]) -> None:
        """Name units of systemd that somebody wrote: fstab isn't where their source stands."""
        for one in told:
            unit = logic.unit_name(one["target"])
            path = next(
                (
                    f"{folder}/{unit}"
                    for folder in UNIT_FOLDERS
                    if os.path.exists(f"{folder}/{unit}")
                ),
                None,
            )
            if path and not one["fstab"] and not one["bind"]:
                self.module.warn(
                    f"{path} mounts at {one['target']}, too: its What= has to be {one['source']} now."
                )


def _difference(header: str, before: str, after: str) -> dict[str, str]:
    return {
        "before_header": header,
        "after_header": header,
        "before": before,
        "after": after,
    }


def _pids() -> list[int]:
    return sorted(int(one) for one in os.listdir("/proc") if one.isdigit())


def _link(path: str) -> str:
    """Return what a link of /proc says; "" for a process that has ended, or is another's."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _used(pid: int, table: list[logic.Mount], ids: dict[int, int]) -> set[int]:
    """Return which mounts of some a process uses: by its folders, its open files, and its mapped files."""
    used: set[int] = set()
    folder = f"/proc/{pid}"

    def add(path: str, device: str | None = None) -> None:
        mount = logic.mount_of(path, table)
        if mount and mount.id in ids and device in {None, mount.device}:
            used.add(mount.id)

    for name in ("cwd", "root", "exe"):
        add(_link(f"{folder}/{name}"))
    try:
        for number in os.listdir(f"{folder}/fdinfo"):
            with open(f"{folder}/fdinfo/{number}", encoding="ascii", errors="replace") as file:
                for line in file:
                    if line.startswith("mnt_id:"):
                        used |= {int(line.split()[1])} & set(ids)
                        break
    except OSError:
        pass
    try:
        with open(f"{folder}/maps", encoding="utf-8", errors="surrogateescape") as file:
            for device, path in logic.mapped_files(file.read()):
                add(path, device)
    except OSError:
        pass
    return used


def _within(seconds: float, work: Any) -> bool:
    """Do some work, and wait no longer than that for it.  Out: whether it was done."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def main() -> None:
    """Run the module."""
    spec: dict[str, dict[str, Any]] = {
        "exports": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "id": {"required": True},
                "name": {"default": ""},
                "before": {"type": "list", "elements": "str", "required": True},
                "after": {"type": "list", "elements": "str", "default": []},
            },
        },
        "state": {"choices": [FOUND, UNMOUNTED, MOUNTED, RESTORED], "default": FOUND},
        "types": {
            "type": "list",
            "elements": "str",
            "default": ["nfs", "cifs", "ceph", "glusterfs"],
        },
        "force": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 60},
        "fstab": {"type": "path", "default": "/etc/fstab"},
        "record": {"type": "path", "default": "/var/lib/manila-migration/client_mounts.json"},
    }
    ClientMounts(AnsibleModule(spec, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
