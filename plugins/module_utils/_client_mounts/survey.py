# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps mounts where they are: in the own mount namespace, in others, and what nobody can tell.

Reads the client through `system`; changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.discovery import (
    DoubtfulMount,
    Entry,
    ShareMount,
    find,
    source_of,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.findings import (
    Findings,
    Request,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.fstab import (
    parse_fstab,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.holders import (
    describe_process,
    find_holders,
    holders_text,
    process_manager,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    AFTER,
    BEFORE,
    is_ceph_device,
    overlaps,
    parse_location,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.managers import (
    AUTOFS,
    CINDER,
    CONTAINER_ENGINE,
    FSTAB,
    NOVA,
    SYSTEMD,
    UNIT_FOLDERS,
    Manager,
    manager_of_instance,
    manager_of_path,
    unit_name,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import (
    Mount,
    mounted_on,
    parse_mountinfo,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.namespaces import (
    Namespace,
    Namespaces,
    Unreadable,
    leaving,
    read_namespaces,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.options import (
    lacks_password,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import (
    ClientError,
    System,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

_PROGRAMS = {CONTAINER_ENGINE: "a container engine", NOVA: "Nova", CINDER: "Cinder"}


class Survey:
    """Looks at a client for one request."""

    def __init__(self, system: System, request: Request) -> None:
        self.system = system
        self.request = request
        self.warnings: list[str] = []
        # Programs that manage mounts, by share and target, as far as they were looked for.
        self.programs: dict[tuple[str, str], str] = {}
        self._addresses: dict[str, set[str]] = {}
        self.fstab = self._read_fstab()
        self.lines = parse_fstab(self.fstab)

    def _read_fstab(self) -> str:
        """Return fstab, "" if there is none."""
        try:
            return self.system.read_text(self.request.fstab)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ClientError(
                f"fstab: {self.request.fstab} cannot be read: {error.strerror}."
            ) from None

    def read_mounts(self) -> list[Mount]:
        """Return what is mounted here.  A client that doesn't say is no client without mounts."""
        path = "/proc/self/mountinfo"
        try:
            mounts = parse_mountinfo(self.system.read_text(path))
        except OSError as error:
            raise ClientError(
                f"{path} cannot be read: {error.strerror}. What is mounted is not known."
            ) from None
        if not mounts:
            raise ClientError(f"{path} names no mounts. What is mounted is not known.")
        return mounts

    def resolve(self, name: str) -> set[str]:
        """Look a server's name up, once."""
        if name not in self._addresses:
            self._addresses[name] = self.system.resolve(name)
        return self._addresses[name]

    def find(
        self, mounts: Sequence[Mount], side: str, *, own: bool = True
    ) -> tuple[list[ShareMount], list[DoubtfulMount]]:
        """Find the shares' mounts; see ``discovery.find``.  fstab speaks of the own namespace only."""
        request = self.request
        lines = self.lines if own else []
        return find(mounts, lines, request.shares, side, request.types, self.resolve)

    def read_namespaces(self, mounts: Sequence[Mount]) -> Namespaces:
        """Read the other mount namespaces, as far as that is possible in the time."""
        answers: list[Namespaces] = []
        errors: list[OSError] = []

        def read() -> None:
            try:
                answers.append(read_namespaces(self.system, mounts))
            except OSError as error:
                errors.append(error)

        done = self.system.finish_within(self.request.timeout, read)
        if answers:
            if not self.system.is_root():
                reason = "open files and roots of other users' processes may hide some"
                answers[0].unreadable.append(Unreadable("/proc", 0, reason))
            return answers[0]
        why = f"the search took longer than {self.request.timeout} seconds"
        if done and errors:
            why = errors[0].strerror or str(errors[0])
        return Namespaces(unreadable=[Unreadable("/proc", 0, why)])

    # -- who manages a mount -----------------------------------------------------------------

    def manager(
        self,
        entry: Entry,
        mount: Mount | None = None,
        mounts: Sequence[Mount] = (),
        holders: Sequence[dict[str, Any]] = (),
    ) -> Manager | None:
        """Tell which program manages a mount; None if none that is known."""
        parent = next((other for other in mounts if mount and other.id == mount.parent), None)
        if parent and parent.type == "autofs":
            is_unit = parent.source == "systemd-1"
            by = "an automount unit of systemd" if is_unit else "autofs"
            advice = "change what that mounts, and stop it for the cutover"
            return Manager(SYSTEMD if is_unit else AUTOFS, by, advice)
        if entry.fstab:
            return Manager(FSTAB, "", "")
        manager = manager_of_path(entry.target) or manager_of_instance(
            entry.target, [holder["command"] for holder in holders]
        )
        if manager is None and not entry.bind and self.unit_file(entry.target):
            manager = Manager(SYSTEMD, "", "")
        return manager

    def unit_file(self, target: str) -> str | None:
        """Return the mount unit that somebody wrote for a target."""
        paths = [f"{folder}/{unit_name(target)}" for folder in UNIT_FOLDERS]
        return next((path for path in paths if self.system.exists(path)), None)

    # -- what keeps a mount from being moved -------------------------------------------------

    def note_hindrances(
        self,
        mounts: Sequence[Mount],
        share_mounts: Sequence[ShareMount],
        namespaces: Namespaces,
        findings: Findings,
    ) -> None:
        """Note which mounts of shares in the own namespace can't be unmounted."""
        ours = {share_mount.mount.id for share_mount in share_mounts}
        held = self.holders(mounts, share_mounts, namespaces)
        for share_mount in share_mounts:
            mount, entry = share_mount.mount, share_mount.entry
            where = entry.target
            holders = held.get(mount.id, [])
            manager = self.manager(entry, mount, mounts, holders)
            if manager:
                self.programs[entry.key] = manager.program
            others = [other for other in mounted_on(mount, mounts) if other.id not in ours]
            code = ""
            if manager and manager.advice and manager.program in {AUTOFS, SYSTEMD}:
                code = "autofs"
                message = f"{where} is mounted by {manager.purpose}: {manager.advice}"
            elif manager and manager.advice:
                code = "managed"
                holders = [*holders, *self._elsewhere(mount, namespaces, holders)]
                by = _PROGRAMS.get(manager.program, manager.program)
                message = f"{where} ({entry.source}) is mounted by {by} for {manager.purpose}: "
                message += manager.advice
                message += f"; it is held by {holders_text(holders)}" if holders else ""
            elif is_ceph_device(mount.source) and not entry.bind:
                code = "unsupported"
                message = (
                    f"{where} has {mount.source} mounted, and an export cannot take its place in "
                    "that form: mount it by its monitors, as in monitor:6789:/path"
                )
            elif others:
                code = "below"
                named = ", ".join(f"{other.source} at {other.target}" for other in others)
                message = f"something else is mounted on {where}: {named}"
            elif not entry.bind and lacks_password(entry.type, entry.options):
                code = "credentials"
                message = (
                    f"{where} is mounted with a password that cannot be read: "
                    "write a line in fstab for it, with credentials= and noauto"
                )
            elif holders and not self.request.force:
                code = "busy"
                message = f"{where} is held by {holders_text(holders)}"
            elif holders:
                self.warnings.append(
                    f"{readable(where)} is detached from under {holders_text(holders)}, as `force` says: "
                    "they use the old export until they end."
                )
            if code:
                findings.add(
                    entry.share_id,
                    code,
                    entry.source,
                    where,
                    message,
                    holders=holders,
                    managed_by=manager.program if manager else "",
                    keep=True,
                )

    def holders(
        self, mounts: Sequence[Mount], share_mounts: Sequence[ShareMount], namespaces: Namespaces
    ) -> dict[int, list[dict[str, Any]]]:
        """Return the processes that hold mounts, by the mounts' IDs, as far as the time allows."""
        held: dict[int, list[dict[str, Any]]] = {}
        ours = [share_mount.mount for share_mount in share_mounts]

        def search() -> None:
            held.update(find_holders(self.system, mounts, ours, namespaces))

        if not self.system.finish_within(self.request.timeout, search):
            self.warnings.append(
                "The search for processes that hold mounts took too long; some may be missing."
            )
        return dict(held)

    def _elsewhere(
        self, mount: Mount, namespaces: Namespaces, known: Iterable[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Describe the processes of other namespaces that have the same file system mounted."""
        pids = {holder["pid"] for holder in known}
        return [
            describe_process(self.system, pid)
            for namespace in namespaces.readable.values()
            if any(
                (other.device, other.type) == (mount.device, mount.type)
                for other in namespace.table
            )
            for pid in namespace.pids
            if pid not in pids
        ]

    # -- what is mounted elsewhere, and what can't be told -----------------------------------

    def note_elsewhere(
        self, mounts: Sequence[Mount], namespaces: Namespaces, findings: Findings, *, moved: bool
    ) -> None:
        """Note what may be of a share here, what is of one in other namespaces, and what can't be read.

        What goes away together with a mount that is still here counts with that one.

        Args:
            mounts: What is mounted here.
            namespaces: The other mount namespaces.
            findings: What is noted.
            moved: Whether mounts of the new exports are in order.
        """
        self._note_unparsed(findings)
        certain, doubtful = self.find(mounts, BEFORE)
        new = {row.mount.id for row in self.find(mounts, AFTER)[0]}
        doubtful = [row for row in doubtful if row.mount.id not in new]
        for row in doubtful:
            self._note_doubt(row, None, findings)
        known = {(row.mount.device, row.mount.source) for row in doubtful}
        for namespace in namespaces.readable.values():
            table = namespace.table
            new = {row.mount.id for row in self.find(table, AFTER, own=False)[0]}
            theirs, unsure = self.find(table, BEFORE, own=False)
            gone = leaving(table, [row.mount for row in certain], mounts)
            for share_mount in theirs:
                if share_mount.mount.id in gone or (moved and share_mount.mount.id in new):
                    continue
                self._note_foreign(share_mount, namespace, findings)
                self._note_overlaps(share_mount, namespace, findings)
            for row in unsure:
                if row.mount.id not in new and (row.mount.device, row.mount.source) not in known:
                    self._note_doubt(row, namespace, findings)
        self._note_unreadable(namespaces.unreadable, findings)

    def _note_unparsed(self, findings: Findings) -> None:
        """Note the export locations that no mount can be compared with."""
        for share in self.request.shares:
            for text in share.before:
                if parse_location(text) is None:
                    message = (
                        f'the share {share.label()} has the export location "{text}", whose form is not '
                        "known, so that its mounts cannot be looked for: look for them, and accept it by name"
                    )
                    findings.add(share.id, "unidentified", text, "", message)

    def note_overlaps(
        self, share_mounts: Sequence[ShareMount], refused: Collection[str], findings: Findings
    ) -> None:
        """Note the shares that can be used through mounts of other shares that stay here.

        Args:
            share_mounts: Mounts of shares, whether they stay or not.
            refused: Shares the mounts of which stay, beside those of which something is left.
            findings: What is noted; what is accepted stays, too.
        """
        while True:
            before = len(findings.left) + len(findings.accepted)
            stuck = findings.share_ids() | set(refused)
            for row in share_mounts:
                if row.entry.share_id in stuck or row.entry.key in findings.staying:
                    self._note_overlaps(row, None, findings)
            if len(findings.left) + len(findings.accepted) == before:
                return

    def _note_overlaps(
        self, row: ShareMount, namespace: Namespace | None, findings: Findings
    ) -> None:
        others = [share for share in self.request.shares if share.id != row.entry.share_id]
        source, options = source_of(row.mount), row.mount.super_flags
        for doubt in overlaps(source, options, others, BEFORE, self.resolve):
            self._note_doubt(DoubtfulMount(row.mount, doubt), namespace, findings)

    def _note_foreign(
        self, share_mount: ShareMount, namespace: Namespace, findings: Findings
    ) -> None:
        mount, entry = share_mount.mount, share_mount.entry
        where, holders, manager = self._describe(namespace, mount.target)
        message = f"{mount.source} is mounted at {mount.target} in {where}, too: stop that"
        if manager and manager.advice:
            by = _PROGRAMS.get(manager.program, manager.program)
            message = f"{mount.source} is mounted at {mount.target} in {where}, by {by} "
            message += f"for {manager.purpose}: {manager.advice}"
        findings.add(
            entry.share_id,
            "namespace",
            mount.source,
            mount.target,
            message,
            holders=holders,
            managed_by=manager.program if manager else "",
            place=namespace.key,
        )

    def _note_doubt(
        self, row: DoubtfulMount, namespace: Namespace | None, findings: Findings
    ) -> None:
        mount, share = row.mount, row.doubt.share
        where, manager = "", manager_of_path(mount.target)
        holders: list[dict[str, Any]] = []
        if namespace:
            where, holders, manager = self._describe(namespace, mount.target)
            where = f" in {where}"
        label = f"the share {share.label()}, {row.doubt.location}"
        at = f"{mount.target}{where} has {mount.source} ({mount.type}) mounted"
        if row.doubt.code == "parent":
            lies = "in" if row.doubt.similar else "above"
            message = f"{at}, a folder {lies} the export of {label}: unmount it, or mount the share by itself"
        elif row.doubt.code == "unsupported":
            message = (
                f"{at}, which is {label}, and {mount.type} is not among the types to move: unmount it, "
                "or add it to `types`"
            )
        elif row.doubt.similar:
            message = (
                f"{at}: the path is that of {label}, and its server is none that the export is known by. "
                "If it is the same, add this source to `before`; if it is another, accept it by name"
            )
        else:
            message = (
                f"{at}: it cannot be told whether that is {label}. "
                "Unmount it for the cutover; if it is another, accept it by name"
            )
        findings.add(
            share.id,
            row.doubt.code,
            mount.source,
            mount.target,
            message,
            holders=holders,
            managed_by=manager.program if manager else "",
            place=namespace.key if namespace else "",
        )

    def _describe(
        self, namespace: Namespace, target: str
    ) -> tuple[str, list[dict[str, Any]], Manager | None]:
        """Name a namespace, and who lives in it."""
        holders = [describe_process(self.system, pid) for pid in namespace.pids]
        managers = (process_manager(self.system, pid) for pid in namespace.pids)
        manager = next((known for known in managers if known), None) or manager_of_path(target)
        if not holders:
            opened = re.match(r"/proc/(\d+)/fd/", namespace.path)
            holders = [describe_process(self.system, int(opened.group(1)))] if opened else []
            by = f" of {holders_text(holders)}" if holders else ""
            return f"the mount namespace that {namespace.path}{by} keeps", holders, manager
        return f"the mount namespace of {holders_text(holders)}", holders, manager

    def _note_unreadable(self, unreadable: Sequence[Unreadable], findings: Findings) -> None:
        """Note, for every share, what could not be read: it may be mounted there."""
        by_path: dict[str, list[Unreadable]] = {}
        for row in unreadable:
            by_path.setdefault(row.path, []).append(row)
        for path, rows in by_path.items():
            pids = [row.pid for row in rows if row.pid]
            holders = [describe_process(self.system, pid) for pid in pids]
            whose = f"the mount namespace at {path}"
            if holders:
                whose = f"the mount namespace of {holders_text(holders)}"
            elif path == "/proc":
                whose = "every mount namespace"
            advice = (
                "look there, and accept it by name"
                if self.system.is_root()
                else "run the task as root, with become"
            )
            message = (
                f"{whose} cannot be read ({rows[0].reason}), and the share may be mounted there: "
                f"{advice}"
            )
            for share in self.request.shares:
                findings.add(share.id, "unreadable", "", path, message, holders=holders)
