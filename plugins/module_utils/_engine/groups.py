# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutover groups: which of them can be cut over, and what they wait for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ansible_collections.manila.migration.plugins.module_utils._engine.gates import (
    expected_cutover_seconds,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    COMPLETE,
    REACHED,
    Limits,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    COMPLETED,
    COMPLETING,
    FAILED,
    STUCK,
)


class Groups:
    """What is cut over together: once all of it is copied, or not at all."""

    def __init__(
        self, plan: Sequence[Migration], tracks: Mapping[str, Track], limits: Limits
    ) -> None:
        self._tracks = tracks
        self._limits = limits
        self._members: dict[str, list[Migration]] = {}
        for migration in plan:
            if migration.group:
                self._members.setdefault(migration.group, []).append(migration)
        self._expected = expected_cutover_seconds(tracks, limits) if limits.window else 0.0
        self._holds = {group: self._find_hold(group) for group in self._members}

    def in_turn(self, plan: Sequence[Migration]) -> list[Migration]:
        """Some of the plan, with what belongs to groups in front whose cutover has begun."""
        begun = {
            group
            for group, members in self._members.items()
            if any(self._tracks[one.id].phase in (COMPLETING, COMPLETED) for one in members)
        }
        return sorted(plan, key=lambda migration: migration.group not in begun)

    def hold(self, migration: Migration) -> Reason | None:
        """Why the group is not cut over yet."""
        return self._holds.get(migration.group)

    def needs(self, migration: Migration) -> float:
        """Seconds that the cutover of what is left of its group is expected to take."""
        if self._limits.window is None:
            return 0.0
        members = self._members.get(migration.group, [migration])
        left = [one for one in members if self._tracks[one.id].want == COMPLETE]
        if len(left) < len(members):
            return self._expected  # it has begun: the rest follows as it can
        busiest = max(Counter(one.source for one in left).values(), default=1)
        rounds = max(
            math.ceil(len(left) / self._limits.max_parallel),
            math.ceil(busiest / self._limits.max_parallel_per_pool),
        )
        return rounds * self._expected

    def _find_hold(self, group: str) -> Reason | None:
        members = self._members[group]
        tracks = {one.label: self._tracks[one.id] for one in members}
        broken = [label for label, track in tracks.items() if track.outcome == FAILED]
        broken += sorted({label for one in members for label in one.group_missing})
        if broken:
            return Reason(
                "group_broken",
                f"it is copied, but {_first_names(broken)} of its cutover group {group!r} can't be: they "
                "are cut over together, or not at all",
            )
        lacking = [label for label, track in tracks.items() if not _goes_along(track)]
        if not lacking:
            return None
        return Reason(
            "group",
            f"it is copied, and {_first_names(lacking)} of its cutover group {group!r} not yet",
        )


def _goes_along(track: Track) -> bool:
    """Whether a member of a group could be cut over now, or is."""
    ready = track.want == COMPLETE or track.phase in (COMPLETING, COMPLETED)
    sent = COMPLETE in track.sent and track.phase != STUCK
    return ready or sent or track.outcome == REACHED


def _first_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
