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

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    DRIVER,
    HOST,
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)

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
