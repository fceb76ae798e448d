# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of Manila's migrations as data, and the one function that reads them.

Sources: ``manila/common/constants.py`` (the names), ``manila/share/manager.py``,
``manila/share/api.py`` and ``manila/data/manager.py`` (who sets them, and when),
release 23.0.1.  A ``task_state`` is never cleared: after a migration the last one
stays for ever, so it says something only together with status, host and instances:
docs/manila.md, "What a task state does not prove".
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.manila.migration.plugins.module_utils.records import CopyMark

# Phases: what an operator needs to know, whatever the mechanism.
IDLE = "idle"
COPYING = "copying"
COPIED = "copied"
COMPLETING = "completing"
COMPLETED = "completed"
CANCELLING = "cancelling"
CANCELLED = "cancelled"
FAILED = "failed"
STUCK = "stuck"

PHASES = (IDLE, COPYING, COPIED, COMPLETING, COMPLETED, CANCELLING, CANCELLED, FAILED, STUCK)

BUSY = frozenset({COPYING, COMPLETING, CANCELLING})
"""Phases in which back ends work: these occupy a slot.  A copied share rests."""

MIGRATING = BUSY | {COPIED}
"""Phases in which Manila refuses everything else that one could want of the share."""

DRIVER = "driver"
HOST = "host"

# Kinds: what can migrate.
SHARE = "share"
SHARE_SERVER = "share_server"
SHARE_REPLICA = "share_replica"

RESTING = {SHARE: "available", SHARE_SERVER: "active", SHARE_REPLICA: "available"}
"""The status of what is in use and not migrating."""

MOVING = {SHARE: "migrating", SHARE_SERVER: "server_migrating", SHARE_REPLICA: "replicating"}
"""The status of the source of a migration while it lasts.  That of a share replica is none of
Manila's: observation.py gives it while a replica of ours stands beside it."""


@dataclass(frozen=True)
class State:
    """One ``task_state``: its phase while the migration runs, and what Manila accepts in it."""

    phase: str
    mechanism: str | None = None
    complete: bool = False
    cancel: bool = False
    progress: int | None = None
    """Percent where the state alone tells; None where a service must be asked."""


# `complete` and `cancel`: share/api.py migration_complete() and migration_cancel().
# `progress`: share/api.py _migration_get_progress_state(); 100 for ends of every kind.
# docs/manila.md, "Shares: task states".
SHARE_STATES: dict[str, State] = {
    "migration_starting": State(COPYING, progress=0),
    "migration_in_progress": State(COPYING, progress=0),
    "migration_driver_starting": State(COPYING, DRIVER, progress=0),
    "migration_driver_in_progress": State(COPYING, DRIVER, cancel=True),
    "migration_driver_phase1_done": State(COPIED, DRIVER, complete=True, cancel=True, progress=100),
    "data_copying_starting": State(COPYING, HOST, progress=0),
    "data_copying_in_progress": State(COPYING, HOST, cancel=True),
    "data_copying_completing": State(COPYING, HOST, progress=100),
    "data_copying_completed": State(COPIED, HOST, complete=True, cancel=True, progress=100),
    # Both are passed through on the way to migration_error and migration_cancelled; they stay
    # when manila-data died, or while the source's manila-share is away.
    "data_copying_error": State(STUCK, HOST),
    "data_copying_cancelled": State(CANCELLING, HOST),
    "migration_completing": State(COMPLETING),
    "migration_cancel_in_progress": State(CANCELLING),
    "migration_success": State(COMPLETED),
    "migration_error": State(FAILED),
    "migration_cancelled": State(CANCELLED),
}

# share/api.py share_server_migration_*(): no scheduler, no data service, always the driver.  The
# names are those of shares; progress is asked of the destination's manila-share.
# docs/manila.md, "Share servers: task states".
SERVER_STATES: dict[str, State] = {
    "migration_starting": State(COPYING, DRIVER, progress=0),
    "migration_in_progress": State(COPYING, DRIVER, progress=0),
    "migration_driver_starting": State(COPYING, DRIVER, progress=0),
    "migration_driver_in_progress": State(COPYING, DRIVER, cancel=True),
    "migration_driver_phase1_done": State(COPIED, DRIVER, complete=True, cancel=True, progress=100),
    "migration_completing": State(COMPLETING, DRIVER),
    # Stays for ever where the driver fails to cancel: share/manager.py has no handler for that.
    "migration_cancel_in_progress": State(CANCELLING, DRIVER),
    "migration_success": State(COMPLETED),
    "migration_error": State(FAILED),
    "migration_cancelled": State(CANCELLED),
}

SCHEDULING = "replica_scheduling"
PROMOTED = "replica_promoted"
MARKED = "replica_marked"
MOVED = "replica_moved"

# Manila has no task state for replicas: observation.py makes these of the statuses of two replicas
# (share/api.py and share/manager.py, *_share_replica()) and of the mark of a migration.
# docs/manila.md, "Share replicas: statuses".
REPLICA_STATES: dict[str, State] = {
    # The record is there, a pool is not chosen yet: until then nobody could remove what comes.
    SCHEDULING: State(COPYING, DRIVER, progress=0),
    # A removal waits for the creation: share/manager.py, locked_share_replica_operation().
    "replica_creating": State(COPYING, DRIVER, cancel=True, progress=0),
    "replica_out_of_sync": State(COPYING, DRIVER, cancel=True, progress=0),
    "replica_in_sync": State(COPIED, DRIVER, complete=True, cancel=True, progress=100),
    "replica_promoting": State(COMPLETING, DRIVER),
    PROMOTED: State(COMPLETING, DRIVER),
    "replica_removing": State(COMPLETING, DRIVER),
    "replica_cancelling": State(CANCELLING, DRIVER),
    # The driver said so in one look; the next one may find it in sync again.
    "replica_sync_error": State(STUCK, DRIVER, cancel=True),
    "replica_unclear": State(STUCK, DRIVER),
    # The creation failed, or a look at it: Manila never takes this status back.
    "replica_error": State(FAILED, DRIVER, cancel=True),
    # A promotion that fails leaves all replicas in error: nobody knows which one is good.
    "replica_promotion_error": State(FAILED, DRIVER),
    # Both of these rest: only the mark is left of a migration.
    MARKED: State(CANCELLED),
    MOVED: State(COMPLETED),
}

STATES = {SHARE: SHARE_STATES, SHARE_SERVER: SERVER_STATES, SHARE_REPLICA: REPLICA_STATES}

BACKUP = frozenset({"backup_creating", "backup_restoring"})
"""Statuses of a share that the Data Service works on for a backup: data/manager.py.  The task state is
one of a migration's copy."""

ENDS = frozenset({"migration_success", "migration_error", "migration_cancelled"})

_LEFT = ENDS | {MARKED, MOVED}
"""What stays of a migration that is over."""

LONGEST_CANCEL_SECONDS = {SHARE: 3900.0, SHARE_SERVER: 10800.0}
"""Seconds that a driver may need for a cancel, or for a cutover, before it gives up by itself.

Manila waits for a driver without a limit; the drivers have limits of their own.  Of release 23.0.1
only zfsonlinux, container, netapp and dummy migrate anything, and only NetApp's waits (in
netapp/dataontap/cluster_mode).  Of a share it waits once for up to 3600 s (lib_base.py:
netapp_migration_cancel_timeout, netapp_volume_move_cutover_timeout), and Manila shows the state from
before all the while (share/manager.py, migration_cancel()).  Of a share server it waits three times
in a row, each for up to 3600 s by default: with SVM migrate for the job of the pause, the pause, and
the job of the cancel (lib_multi_svm.py, _migration_cancel_using_svm_migrate():
netapp_server_migration_state_change_timeout), with SVM DR for the transfers, the state of the
destination, and the release (data_motion.py, cancel_snapmirror_svm():
netapp_snapmirror_quiesce_timeout, netapp_server_migration_state_change_timeout,
netapp_snapmirror_release_timeout).  The removal of a replica shows at once.
"""

GOING = frozenset({"inactive", "deleting"})
"""Statuses of the source (an instance, a share server) between cutover and its end."""


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
