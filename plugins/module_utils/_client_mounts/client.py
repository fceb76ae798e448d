# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a client's mounts into a state: found, unmounted, mounted, restored.

Decides with the pure parts of the package, and acts through `system`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.codes import (
    FOUND,
    MOUNTED,
    NEVER_MOVED,
    UNMOUNTED,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.discovery import (
    Entry,
    ShareMount,
    imagined,
    new_source,
    source_of,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.findings import (
    Findings,
    Request,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.fstab import (
    moved_lines,
    with_sources,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.holders import (
    holders_text,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    AFTER,
    BEFORE,
    match,
    same_source,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import (
    Mount,
    top,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.namespaces import (
    Namespaces,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.options import (
    family,
    mask,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.record import Record
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.report import (
    FstabEdit,
    Report,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.survey import Survey
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import (
    ClientError,
    System,
)

KILL_SECONDS = 5  # from SIGTERM to SIGKILL for a command
APPEAR_SECONDS = 5  # for a mount of FUSE to appear after mount has ended
APPEAR_POLL_SECONDS = 0.1


class Client:
    """One request to one client.

    Args:
        system: The client.
        request: What is asked of it.
    """

    def __init__(self, system: System, request: Request) -> None:
        self.system = system
        self.request = request
        self.shares = {share.id: share for share in request.shares}
        self.findings = Findings(self.shares, request.acceptances)
        self.changed = False

    def run(self) -> dict[str, Any]:
        """Do what the state says.

        Returns:
            The module's result, with ``warnings``, and with ``msg`` where something is left that
            should not be.

        Raises:
            ClientError: if nothing can be done on this client, with a sentence.
        """
        request = self.request
        if request.timeout < 1:
            raise ClientError(f"timeout: must be 1 second or more, got: {request.timeout}.")
        if request.state != FOUND and not self.system.is_root():
            raise ClientError(f"state: {request.state} needs root; run the task with become.")
        for share in request.shares:
            if not share.before:  # it is not known to be mounted nowhere
                raise ClientError(
                    f"exports: {share.label()} has no export location before the migration."
                )
        if request.state == MOUNTED:
            without = [share.label() for share in request.shares if not share.after]
            if without:
                raise ClientError(
                    f"exports: {', '.join(without)} has no export location after the migration."
                )
        if request.state == FOUND or request.check_mode:
            return self._run()
        with self.system.locked(f"{request.record}.lock", request.timeout):
            return self._run()

    def _run(self) -> dict[str, Any]:
        self.survey = Survey(self.system, self.request)
        self.record = Record(self.system, self.request.record)
        self.fstab = FstabEdit(self.survey.fstab, self.survey.fstab)
        report = Report(self.request, self.survey, self.record, self.findings)
        mounts = self.survey.read_mounts()
        shown_before = report.describe_mounts(mounts)
        state = self.request.state
        if state in {FOUND, UNMOUNTED}:
            going = self._look(mounts)
            if state == UNMOUNTED:
                mounts = self._unmount(mounts, going)
        else:
            mounts = self._mount(mounts, AFTER if state == MOUNTED else BEFORE)
        return report.result(mounts, self.fstab, shown_before, changed=self.changed)

    # -- the states --------------------------------------------------------------------------

    def _look(self, mounts: list[Mount]) -> list[ShareMount]:
        """Note what keeps mounts where they are.  Returns what can be unmounted."""
        namespaces = self.survey.read_namespaces(mounts)
        share_mounts, _doubtful = self.survey.find(mounts, BEFORE)
        self.survey.note_hindrances(mounts, share_mounts, namespaces, self.findings)
        self.survey.note_elsewhere(mounts, namespaces, self.findings, moved=False)
        self.survey.note_overlaps(share_mounts, (), self.findings)
        return self._movable(share_mounts, self.findings.share_ids())

    def _movable(self, share_mounts: Iterable[ShareMount], stuck: set[str]) -> list[ShareMount]:
        """Return the mounts of shares that are not stuck, less those that are left or accepted."""
        stay = self.findings.staying
        return [
            share_mount
            for share_mount in share_mounts
            if share_mount.entry.share_id not in stuck and share_mount.entry.key not in stay
        ]

    def _unmount(self, mounts: list[Mount], going: Sequence[ShareMount]) -> list[Mount]:
        """Take away all mounts of each share, or none of it; then look again, everywhere."""
        if not going or self.request.check_mode:
            return self._take_away(mounts, going)
        new = self.record.add(share_mount.entry for share_mount in going)
        self.changed = True
        refused = self._unmount_all(going)
        mounts = self.survey.read_mounts()
        self.survey.note_elsewhere(
            mounts, self.survey.read_namespaces(mounts), self.findings, moved=False
        )
        ids = {share_mount.entry.share_id for share_mount in going} - refused
        for share_mount in self._movable(self.survey.find(mounts, BEFORE)[0], set()):
            entry = share_mount.entry
            if entry.share_id in ids:
                message = (
                    f"{entry.source} was mounted at {entry.target} while it was being unmounted"
                )
                self.findings.add(entry.share_id, "failed", entry.source, entry.target, message)
        self.survey.note_overlaps(going, refused, self.findings)
        self._put_back(going, refused | (ids & self.findings.share_ids()), new)
        return self.survey.read_mounts()

    def _mount(self, mounts: list[Mount], side: str) -> list[Mount]:
        """Mount one side's export wherever the other's was, in the order of mounting."""
        at_first = mounts
        other = AFTER if side == BEFORE else BEFORE
        entries = {
            entry.key: entry for entry in self.record.entries if entry.share_id in self.shares
        }
        there = {share_mount.mount.id for share_mount in self.survey.find(mounts, side)[0]}
        stale = [
            share_mount
            for share_mount in self.survey.find(mounts, other)[0]
            # What is of the new side and was never unmounted has nothing to go back to.
            if share_mount.mount.id not in there
            and (side == AFTER or share_mount.entry.key in entries)
        ]
        namespaces = self.survey.read_namespaces(mounts)
        self.survey.note_hindrances(mounts, stale, namespaces, self.findings)
        stale = self._movable(stale, set())
        for key in self.findings.kept:
            entries.pop(key, None)
        for share_mount in stale:
            entries.setdefault(share_mount.entry.key, share_mount.entry)
        sources = {key: self._wanted(entry, side) for key, entry in entries.items()}
        stuck = self._stuck()
        mounts = self._take_away(mounts, [row for row in stale if row.entry.share_id not in stuck])
        stuck = self._stuck()
        for key, entry in entries.items():
            source = sources[key]
            if source is None or entry.share_id in stuck:
                continue
            mounts, works = self._put(mounts, entry, source, side)
            if not works:
                stuck.add(entry.share_id)
        self._edit_fstab([share for share in self.shares.values() if share.id not in stuck], side)
        # Last of all: until here, a run that is killed can be repeated, and a share be restored.
        if not self.request.check_mode:
            done = set(self.shares) - stuck
            self.record.replace(
                [entry for entry in self.record.entries if entry.share_id not in done]
            )
        if side == AFTER:
            # In check mode nothing has gone, and the copies in other namespaces neither.
            self._note_remaining(at_first if self.request.check_mode else mounts, namespaces)
        return mounts

    def _note_remaining(self, mounts: list[Mount], namespaces: Namespaces) -> None:
        """Note where the old exports are still mounted after the cutover."""
        if self.changed and not self.request.check_mode:
            namespaces = self.survey.read_namespaces(mounts)
        self.survey.note_elsewhere(mounts, namespaces, self.findings, moved=True)
        self.survey.note_overlaps(self.survey.find(mounts, BEFORE)[0], (), self.findings)

    def _stuck(self) -> set[str]:
        """Return the shares of which no mount is moved after a cutover, as one of them can't be."""
        return {row["id"] for row in self.findings.left if row["code"] not in NEVER_MOVED}

    def _wanted(self, entry: Entry, side: str) -> str | None:
        """Return what to mount for an entry; None, and a reason in ``left``, if there is nothing."""
        if side == BEFORE:
            return entry.source
        share = self.shares[entry.share_id]
        source = new_source(entry, share, self.survey.resolve)
        if source is None:
            message = (
                f"{entry.target} has {entry.source} mounted, and of that kind the share "
                f"{share.label()} has no export location now, only {', '.join(share.after)}"
            )
            self._leave(entry, "no_export", message)
        return source

    def _leave(
        self, entry: Entry, code: str, message: str, holders: Sequence[dict[str, Any]] = ()
    ) -> bool:
        """Note why a mount stays as it is.  Returns whether the operator accepts that."""
        return self.findings.add(
            entry.share_id, code, entry.source, entry.target, message, holders=holders, keep=True
        )

    # -- unmounting and mounting -------------------------------------------------------------

    def _take_away(self, mounts: list[Mount], going: Sequence[ShareMount]) -> list[Mount]:
        """Unmount; what one mount of a share refuses brings the others of it back."""
        if not going:
            return mounts
        self.changed = True
        if self.request.check_mode:
            ids = {share_mount.mount.id for share_mount in going}
            return [mount for mount in mounts if mount.id not in ids]
        new = self.record.add(share_mount.entry for share_mount in going)
        self._put_back(going, self._unmount_all(going), new)
        return self.survey.read_mounts()

    def _unmount_all(self, going: Sequence[ShareMount]) -> set[str]:
        """Unmount, the last mounted first.  Returns the shares a mount of which refuses, and isn't accepted."""
        refused: set[str] = set()
        for share_mount in reversed(going):
            share_id = share_mount.entry.share_id
            if share_id not in refused and not self._unmount_one(share_mount):
                refused.add(share_id)
        return refused

    def _put_back(
        self, going: Sequence[ShareMount], refused: set[str], new: Sequence[Entry]
    ) -> None:
        """Mount again what was unmounted of some shares, and forget it if it was written down just now."""
        back = []
        for share_mount in going:
            entry = share_mount.entry
            if entry.share_id not in refused:
                continue
            said = ""
            if not self._is_mounted(share_mount.mount):
                said = self._mount_source(entry, entry.source)
            if said:
                message = f"{entry.source} cannot be mounted at {entry.target} again: {said}"
                self._leave(entry, "failed", message)
            else:
                back.append(entry)
        self.record.replace(
            [
                entry
                for entry in self.record.entries
                if (entry not in new or entry not in back) and entry.key not in self.findings.kept
            ]
        )

    def _is_mounted(self, mount: Mount) -> bool:
        """Tell whether it is still mounted.  IDs are given out again."""
        return any(
            (other.id, other.target) == (mount.id, mount.target)
            for other in self.survey.read_mounts()
        )

    def _unmount_one(self, share_mount: ShareMount) -> bool:
        target = share_mount.entry.target
        visible = top(target, self.survey.read_mounts())
        if visible and visible.id != share_mount.mount.id:
            message = f"{visible.source} is mounted over {target}"
            return self._leave(share_mount.entry, "below", message)
        # Without -c, umount looks at the target first, and hangs where the server is gone.
        said = self._limited(["umount", "-c", target])[1]
        if self._is_mounted(share_mount.mount) and self.request.force:
            said = self._limited(["umount", "-c", "--lazy", target])[1]
        if not self._is_mounted(share_mount.mount):
            return True
        mounts = self.survey.read_mounts()
        namespaces = self.survey.read_namespaces(mounts)
        holders = self.survey.holders(mounts, [share_mount], namespaces).get(
            share_mount.mount.id, []
        )
        if holders:
            message = f"{target} is held by {holders_text(holders)}"
        else:
            message = f"{target} cannot be unmounted: {said or 'umount reports nothing'}"
        code = "busy" if holders or "busy" in said else "failed"
        return self._leave(share_mount.entry, code, message, holders)

    def _put(
        self, mounts: list[Mount], entry: Entry, source: str, side: str
    ) -> tuple[list[Mount], bool]:
        """Mount a source at an entry's target, unless it is there.

        Returns:
            What is mounted then, and whether the entry is.
        """
        visible = top(entry.target, mounts)
        if visible and self._is(visible, entry, source, side):
            return mounts, True
        if visible:
            message = f"{entry.target} has {visible.source} ({visible.type}) mounted instead"
            self._leave(entry, "taken", message)
            return mounts, False
        self.changed = True
        if self.request.check_mode:
            return [*mounts, imagined(entry, source, mounts)], True
        said = self._mount_source(entry, source)
        until = self.system.monotonic() + APPEAR_SECONDS
        while True:
            mounts = self.survey.read_mounts()
            visible = top(entry.target, mounts)
            if visible and self._is(visible, entry, source, side):
                return mounts, True
            if said or self.system.monotonic() > until:
                break
            self.system.sleep(APPEAR_POLL_SECONDS)
        instead = (
            f"mount reports success, and {visible.source if visible else 'nothing'} is mounted"
        )
        message = f"{source} cannot be mounted at {entry.target}: {said or instead}"
        self._leave(entry, "failed", message)
        return mounts, False

    def _is(self, mount: Mount, entry: Entry, source: str, side: str) -> bool:
        """Tell whether a mount is what was asked for; a bind mount, whether it is of that side."""
        if family(mount.type) not in self.request.types:
            return False
        shares = [self.shares[entry.share_id]]
        there = source_of(mount)
        matched = match(there, mount.super_flags, shares, side, self.survey.resolve)
        if not matched or not matched.certain:
            return False
        return entry.bind or same_source(there, source)

    def _mount_source(self, entry: Entry, source: str) -> str:
        """Mount; "" or what mount said."""
        fstype = entry.type
        if fstype.startswith("fuse.") and self.system.has_command(f"mount.{fstype[5:]}"):
            fstype = fstype[5:]
        command = ["mount", "-o", entry.options or "defaults"]
        command += [] if entry.bind else ["-t", fstype]
        status, said = self._limited([*command, source, entry.target])
        return said or f"mount ended with {status}" if status else ""

    def _limited(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a command, no longer than ``timeout``.  Returns its status, and what it said in a line."""
        limit = self.request.timeout
        status, out, err = self.system.run(
            ["timeout", "-k", str(KILL_SECONDS), str(limit), *command]
        )
        if status in {124, 137}:
            return status, f"{command[0]} gave no answer for {limit} seconds"
        return status, mask(" ".join((err or out).split()))

    # -- fstab -------------------------------------------------------------------------------

    def _edit_fstab(self, shares: Sequence[Any], side: str) -> None:
        """Give the lines of shares the sources of a side; for what was, only of what was unmounted here."""
        lines = self.survey.lines
        recorded = {entry.key: entry for entry in self.record.entries}
        if side == BEFORE:
            ids = {entry.share_id for entry in self.record.entries}
            shares = [share for share in shares if share.id in ids]
        sources = moved_lines(lines, shares, side, self.survey.resolve)
        if side == BEFORE:
            for line in lines:
                for share in shares:
                    entry = recorded.get((share.id, line.target))
                    if line.number in sources and entry and entry.fstab and not entry.bind:
                        sources[line.number] = entry.source
        if not sources:
            return
        self.changed = True
        self.fstab.numbers = [number + 1 for number in sorted(sources)]
        self.fstab.after = with_sources(self.fstab.before, sources)
        if self.request.check_mode:
            return
        self.system.write_text(self.system.real_path(self.request.fstab), self.fstab.after)
        if self.system.exists("/run/systemd/system"):
            # Its mount units are made of fstab.
            self._limited(["systemctl", "daemon-reload"])
