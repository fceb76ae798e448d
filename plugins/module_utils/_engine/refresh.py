# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which shares need a look of their own beside the lists of what migrates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    NEW_TRACK,
    START,
    Memory,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    MIGRATING,
    STUCK,
)


def shares_to_refresh(
    plan: Sequence[Migration], memory: Memory, running: Iterable[Observation]
) -> set[str]:
    """IDs of shares that need a look of their own beside the list of what migrates.

    Share servers need none: their list says everything, and so does that of the shares with a
    replica that is moved.  A share costs a look when it is first met, when its other end isn't
    known yet, and at its end, when it is no longer in that list.  What waits for its turn, and
    what runs, costs nothing.
    """
    migrating = {seen.id: seen for seen in running}
    wanted: set[str] = set()
    known = {other for other, what in memory.others.items() if what.destination is not None}
    tracks = memory.tracks
    for migration in plan:
        moves = migration.id in migrating
        if moves:
            known.add(migration.id)
        track = tracks.get(migration.id, NEW_TRACK)
        if track.outcome is not None or migration.kind == SHARE_SERVER:
            continue
        if moves:
            if migration.kind == SHARE_REPLICA:
                continue
            # Not met while migrating yet: whose it is, and where to, only instances tell.
            started = track.sent.get(START) == ACCEPTED
            if track.look or not (track.ours and (track.destination or started)):
                wanted.add(migration.id)
        elif not track.seen or track.look or track.ours or track.phase in _UNDER_WAY:
            wanted.add(migration.id)
    for seen in migrating.values():
        if seen.id not in known and seen.kind == SHARE:
            wanted.add(seen.id)
    for other, what in memory.others.items():
        if other not in migrating and what.kind == SHARE:
            wanted.add(other)
    return wanted


_UNDER_WAY = MIGRATING | {STUCK}
