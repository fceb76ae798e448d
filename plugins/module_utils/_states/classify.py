# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one observation means: its phase, by the tables."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    BACKUP,
    CANCELLING,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    ENDS,
    FAILED,
    GOING,
    IDLE,
    MARKED,
    MIGRATING,
    MOVED,
    MOVING,
    RESTING,
    STATES,
    STUCK,
    State,
)

_LEFT = ENDS | {MARKED, MOVED}
"""What stays of a migration that is over."""


@dataclass(frozen=True)
class Place:
    """Where one copy is: the pool of an instance, or the back end of a share server, and its status."""

    host: str
    status: str
    id: str = ""


@dataclass(frozen=True)
class Observation:
    """What one reading of the cloud says of a share, of a share server, or of a share's replica.

    ``instances`` is None where they were not asked for; of a share server these are the server
    itself and the destination that its migration made, of a replica likewise.  ``changed_at`` is
    when Manila last changed the record (seconds since the epoch), which for a migration is its
    last step.
    """

    id: str
    status: str
    host: str
    task_state: str | None = None
    instances: tuple[Place, ...] | None = None
    share_type_id: str | None = None
    share_network_id: str | None = None
    access_rules_status: str = "active"
    progress: int | None = None
    changed_at: float | None = None
    started_at: float | None = None
    size_gb: int = 0
    name: str = ""
    kind: str = SHARE
    successor: str | None = None
    """ID of the share server that takes the place of this one; at rest, that has taken it."""
    leads: bool = False
    """Of a replica: whether the share is served from the one at the source."""
    copy_mark: CopyMark | None = None
    """Which copy must never be completed, as the metadata of a share say; of a share server, whose
    list says nothing of its shares, always None."""
    obstacle: str | None = None
    """Of a replica: why nothing may be begun, as half a sentence; None where nothing hinders."""

    @property
    def state(self) -> State:
        """The row of the table for its ``task_state``; an idle one for None and unknown names."""
        return STATES[self.kind].get(self.task_state or "", State(IDLE))

    @property
    def resting(self) -> bool:
        """Whether it is in use, and nothing works on it."""
        return self.status == RESTING[self.kind]

    @property
    def moving(self) -> bool:
        """Whether it is the source of a migration."""
        return self.status == MOVING[self.kind]

    @property
    def destination(self) -> str | None:
        """The pool of the other copy while it migrates; None if there is none or it isn't known."""
        if self.instances is None or len(self.instances) < 2 or not self.moving:
            # Alone it is the source itself: a cancel may end between the two reads.
            return None
        others = [
            place.host
            for place in self.instances
            if place.host and place.status != MOVING[self.kind]
        ]
        return others[0] if len(others) == 1 else None

    @property
    def copy(self) -> Place | None:
        """The other copy while it migrates; None if there is none, or several."""
        others = [one for one in self.instances or () if one.status != MOVING[self.kind]]
        return others[0] if self.moving and len(others) == 1 else None

    @property
    def spoilt(self) -> CopyMark | None:
        """What is written down of the copy that is made now: then it must never be completed."""
        mark = self.copy_mark
        others = (one for one in self.instances or () if one.status != MOVING[self.kind])
        return mark if mark and any(one.id == mark.copy for one in others) else None

    def at(self, host: str | None) -> Place | None:
        """The copy at a pool."""
        return next((one for one in self.instances or () if one.host == host), None)

    @property
    def copies(self) -> int | None:
        """How many instances there are, None where they were not asked for."""
        return None if self.instances is None else len(self.instances)


@dataclass(frozen=True)
class Target:
    """Where a share shall be, and as what.  None leaves a property as it is."""

    host: str | None = None
    share_type_id: str | None = None
    share_network_id: str | None = None

    def reached_by(self, seen: Observation) -> bool:
        """Whether the share is served from there, as that.  Says nothing of its instances."""
        return (
            self.host is not None
            and seen.host == self.host
            and self.share_type_id in (None, seen.share_type_id)
            and self.share_network_id in (None, seen.share_network_id)
        )


def may_migrate(seen: Observation) -> bool:
    """Tell whether a migration works on this, or may: False only where the reading rules it out.

    The task state of an earlier migration stays for ever, so an end with a single copy is history.
    A second copy is none: Manila removes it, with a migration that is over.
    """
    if seen.moving or seen.status == MOVING[SHARE_SERVER]:
        return True  # a share has the latter, and no task state, while its share server migrates
    if seen.status in BACKUP:
        return False
    phase = classify(seen, Target())
    if phase == STUCK:
        return seen.copies != 1 or seen.task_state not in ENDS
    return phase in MIGRATING


def classify(seen: Observation, target: Target) -> str:
    """The phase of one share, share server or replica, from one reading.

    An end is believed only when the share has come to rest: Manila writes
    ``migration_error`` before the status (share/manager.py, migration_start), and shows a
    share as available at its destination while it still deletes the source.  ``completed``
    asks for host, status and a single instance, never for ``migration_success`` alone: a
    copy that was cancelled ends in that state too, at the source.
    """
    state = seen.state
    if seen.resting:
        return _classify_resting(seen, state, target)
    if seen.moving:
        # An end under status `migrating` is either about to be followed by the status, or the
        # leftover of a crash.  Only time can tell: the engine waits before it believes it.
        return STUCK if seen.task_state in ENDS or seen.task_state is None else state.phase
    if state.phase == COMPLETING:
        # Driver-assisted: the instances change places, the share may show their states.
        return COMPLETING
    if seen.kind == SHARE_SERVER and seen.status in GOING and state.phase == COMPLETED:
        return COMPLETING  # the source is done with; the destination is about to be active
    if seen.kind != SHARE and seen.status == "error" and state.phase == FAILED:
        return FAILED  # final: the second phase failed (share/manager.py)
    return STUCK if seen.task_state else IDLE


def _classify_resting(seen: Observation, state: State, target: Target) -> str:
    if state.phase in (COMPLETING, CANCELLING):
        return state.phase
    if seen.task_state == "migration_starting" or state.phase in (COPYING, COPIED):
        # No migration works on an available share: a status was reset by hand, or a backup
        # uses the same data_copying_* names (data/manager.py).  Manila refuses to start.
        return IDLE if seen.copies == 1 else STUCK
    if target.reached_by(seen) and (state.phase == IDLE or seen.task_state in _LEFT):
        if seen.copies == 1:
            return COMPLETED
        # Manila writes migration_success when the source is gone: seen a moment apart, it may
        # still be on its way out.  Any other second copy is a leftover.
        others = [one for one in seen.instances or () if one.host != seen.host]
        going = all(one.status in GOING for one in others)
        return COMPLETING if seen.task_state == "migration_success" and going else STUCK
    if seen.task_state == "data_copying_error":
        return IDLE  # a failed backup: a migration's would have left the share `migrating`
    if seen.task_state in ("migration_success", MOVED):
        return IDLE  # an earlier migration, or a copy that was cancelled: it rests where it is
    return state.phase
