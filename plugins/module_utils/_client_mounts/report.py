# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's result: rows of mounts, shares that are ready, warnings, and a diff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.codes import (
    FOUND,
    MOUNTED,
    RESTORED,
    UNMOUNTED,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.discovery import Entry
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.findings import (
    Findings,
    Request,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    AFTER,
    BEFORE,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import Mount
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.options import (
    family,
    mask,
    mask_options,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.record import Record
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.survey import Survey
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable


@dataclass
class FstabEdit:
    """fstab before and after, and the numbers of the lines that differ, from 1."""

    before: str
    after: str
    numbers: list[int] = field(default_factory=list)


class Report:
    """Makes the result of one request."""

    def __init__(
        self, request: Request, survey: Survey, record: Record, findings: Findings
    ) -> None:
        self.request = request
        self.survey = survey
        self.record = record
        self.findings = findings

    def _rows(self, mounts: list[Mount]) -> list[dict[str, Any]]:
        """Return a row for each share and target, with every side that is mounted there, once."""
        rows = {
            entry.key: self._row(entry, UNMOUNTED, None, mounts)
            for entry in self.record.entries
            if entry.share_id in self.findings.shares
        }
        for side in (BEFORE, AFTER):
            for share_mount in self.survey.find(mounts, side)[0]:
                entry = share_mount.entry
                sides = rows[entry.key]["sides"] if entry.key in rows else []
                row = self._row(entry, MOUNTED, share_mount.mount, mounts)
                row["sides"] = list(dict.fromkeys([*sides, side]))
                rows[entry.key] = row
        return list(rows.values())

    def _row(
        self, entry: Entry, state: str, mount: Mount | None, mounts: list[Mount]
    ) -> dict[str, Any]:
        program = self.survey.programs.get(entry.key, "")
        if not program:
            manager = self.survey.manager(entry, mount, mounts)
            program = manager.program if manager else ""
        return {
            "id": entry.share_id,
            "name": self.findings.shares[entry.share_id].name,
            "target": entry.target,
            "source": entry.source,
            "type": entry.type,
            "options": mask_options(entry.options),
            "bind": entry.bind,
            "fstab": entry.fstab,
            "managed_by": program,
            "state": state,
            "sides": [],
        }

    def describe_mounts(self, mounts: list[Mount]) -> str:
        """Return a diff's text: what is mounted of the shares, and of which side."""
        rows = {
            readable(f"{row.mount.source} {row.entry.target} {family(row.mount.type)}") + "\n"
            for side in (BEFORE, AFTER)
            for row in self.survey.find(mounts, side)[0]
        }
        return "".join(sorted(rows))

    def _ready(self, rows: Sequence[dict[str, Any]], mounts: list[Mount]) -> list[str]:
        """Return the shares that this client doesn't use, but for what is accepted."""
        blocked = self.findings
        if self.request.state == RESTORED:
            # What the old exports are still used by is in order here, and no share ready by it.
            blocked = Findings(self.findings.shares, self.request.acceptances)
            namespaces = self.survey.read_namespaces(mounts)
            self.survey.note_elsewhere(mounts, namespaces, blocked, moved=False)
            old = self.survey.find(mounts, BEFORE)[0]
            self.survey.note_overlaps(old, {row.entry.share_id for row in old}, blocked)
        # Before a cutover only the old exports count: what has the new one has been cut over.
        sides = {BEFORE} if self.request.state in {FOUND, UNMOUNTED} else {BEFORE, AFTER}
        used = {
            row["id"]
            for row in rows
            if sides & set(row["sides"]) and (row["id"], row["target"]) not in self.findings.kept
        }
        used |= blocked.share_ids() | self.findings.share_ids()
        return [share.id for share in self.request.shares if share.id not in used]

    def result(
        self, mounts: list[Mount], edit: FstabEdit, shown_before: str, *, changed: bool
    ) -> dict[str, Any]:
        """Return the module's result.

        Args:
            mounts: What is mounted now, or would be.
            edit: What became of fstab.
            shown_before: What ``describe_mounts`` returned at first.
            changed: Whether something was changed, or would be.
        """
        new = {row.mount.target for row in self.survey.find(mounts, AFTER)[0]}
        doubtful = self.survey.find(mounts, BEFORE)[1]
        rows = self._rows(mounts)
        results: dict[str, Any] = {
            "changed": changed,
            "mounts": rows,
            "left": self.findings.left,
            "accepted": self.findings.accepted,
            "ready": self._ready(rows, mounts),
            "similar": [
                {
                    "id": row.doubt.share.id,
                    "target": row.mount.target,
                    "source": row.mount.source,
                }
                for row in doubtful
                if row.doubt.similar and row.mount.target not in new
            ],
            "fstab_lines": edit.numbers,
        }
        diff = [_difference("mounts", shown_before, self.describe_mounts(mounts))]
        if edit.after != edit.before:
            texts = [edit.before, edit.after]
            diff.append(_difference(self.request.fstab, *map(mask, texts)))
        results["diff"] = diff
        results["warnings"] = self._warnings(rows)
        if self.findings.left and self.request.state != FOUND:
            results["msg"] = " ".join(row["message"] for row in self.findings.left)
        return results

    def _warnings(self, rows: Sequence[dict[str, Any]]) -> list[str]:
        warnings = list(dict.fromkeys(self.survey.warnings))
        warnings += [
            f"Accepted ({row['code']}): {row['message']}" for row in self.findings.accepted
        ]
        state = self.request.state
        if state in {FOUND, UNMOUNTED}:
            warnings += [
                f"accept: nothing here is left as {readable(acceptance.label())}."
                for acceptance in self.request.acceptances
                if acceptance not in self.findings.used
            ]
        if state == FOUND:
            unreadable = [row for row in self.findings.left if row["code"] == "unreadable"]
            warnings += list(dict.fromkeys(row["message"] for row in unreadable))
        if state == MOUNTED:
            # fstab isn't where the source of a unit that somebody wrote stands.
            for row in rows:
                path = self.survey.unit_file(row["target"])
                if path and not row["fstab"] and not row["bind"]:
                    warnings.append(
                        f"{path} mounts at {row['target']}, too: its What= must be {row['source']} now."
                    )
        return warnings


def _difference(header: str, before: str, after: str) -> dict[str, str]:
    return {
        "before_header": header,
        "after_header": header,
        "before": before,
        "after": after,
    }
