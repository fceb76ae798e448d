# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cutover groups of a plan: who is in which, and who stays with members that can't move.  Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.wording import listed
from ansible_collections.manila.migration.plugins.module_utils._planner.context import Context
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    MigrationEntry,
    Subject,
    UnplacedEntry,
    shares_in,
    unplaced_entry,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.grouping import (
    group_names,
    unknown_members,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import Candidate
from ansible_collections.manila.migration.plugins.module_utils._planner.refusals import Shortages


class CutoverGroups:
    """The names of groups by the IDs of what moves, and the listed members that don't move."""

    def __init__(self, names: Mapping[str, str], unknown: Sequence[str] = ()) -> None:
        self._names = names
        self._unknown = unknown

    def __bool__(self) -> bool:
        return bool(self._names)

    def warnings(self) -> list[Reason]:
        """Name the members that are not to be moved."""
        return [
            Reason("group_unknown", f"{name!r} is to be cut over in a group, but isn't to be moved")
            for name in self._unknown
        ]

    def label(self, entries: Iterable[MigrationEntry], unplaced: Iterable[UnplacedEntry]) -> None:
        """Write into entries which group they are in, and who of it can't move."""
        missing = self._missing_members(unplaced)
        for entry in entries:
            entry["group"] = self._names.get(entry["id"], "")
            entry["group_missing"] = missing.get(entry["group"], [])

    def leave_incomplete(
        self,
        candidates: Sequence[Candidate],
        placed: Container[str],
        unplaced: Sequence[UnplacedEntry],
        shortages: Shortages,
    ) -> tuple[list[Candidate], list[UnplacedEntry]]:
        """Leave out the groups of which somebody can't move.

        Args:
            candidates: What looks for a destination.
            placed: The IDs of those that have one.
            unplaced: What can't move.
            shortages: Why there is no room.

        Returns:
            The candidates that are left, and all that can't move now.
        """
        unplaced = [
            *unplaced,
            *(
                unplaced_entry(candidate.subject, shortages.of(candidate))
                for candidate in candidates
                if candidate.item.id not in placed and self._names.get(candidate.item.id)
            ),
        ]
        gone = {entry["id"] for entry in unplaced}
        missing = self._missing_members(unplaced)
        left = []
        for candidate in candidates:
            if candidate.item.id in gone:
                continue
            group = self._names.get(candidate.item.id, "")
            if group in missing:
                reason = _incomplete(group, missing[group])
                unplaced.append(unplaced_entry(candidate.subject, [reason]))
            else:
                left.append(candidate)
        return left, unplaced

    def _missing_members(self, unplaced: Iterable[UnplacedEntry]) -> dict[str, list[str]]:
        """Return what can't move, by the group that it would be cut over with."""
        missing: dict[str, list[str]] = {}
        for entry in unplaced:
            group = self._names.get(entry["id"], "")
            apart = any(reason["code"] == "group_incomplete" for reason in entry["reasons"])
            if group and not apart:
                missing.setdefault(group, []).append(entry["label"])
        return {group: sorted(labels) for group, labels in missing.items()}


def find_groups(context: Context, subjects: Iterable[Subject]) -> CutoverGroups:
    """Find the cutover group of everything that moves, or should."""
    request = context.request
    if not (request.group_by or request.groups):
        return CutoverGroups({})
    shares_by_id = context.inventory.shares_by_id
    parts = {subject["id"]: shares_in(subject, shares_by_id) for subject in subjects}
    shares = [share for several in parts.values() for share in several]
    return CutoverGroups(
        group_names(parts, request.group_by, request.groups),
        unknown_members(shares, request.groups),
    )


def _incomplete(group: str, others: Sequence[str]) -> Reason:
    return Reason(
        "group_incomplete",
        f"it is cut over together with {listed(list(others), 'share')} (group {group!r}), which "
        "can't move: mend that, or exclude it",
    )
