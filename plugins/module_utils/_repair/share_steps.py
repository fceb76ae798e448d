# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the documented procedures for shares."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import DRIVER, SHARE
from ansible_collections.manila.migration.plugins.module_utils._model.records import Instance
from ansible_collections.manila.migration.plugins.module_utils._repair.diagnosis import (
    ALLOW,
    CANCEL,
    DELETE,
    RECORD,
    RESET_STATUS,
    RESET_TASK_STATE,
    SHARE_INSTANCE,
    SNAPSHOT,
    Step,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_scene import (
    COPY,
    OVER,
    STARTING,
    ShareScene,
)


def reset_task_state(scene: ShareScene, task_state: str | None) -> Step:
    return Step(RESET_TASK_STATE, SHARE, scene.share.id, task_state)


def cancel_steps(scene: ShareScene, copy: Instance, mechanism: str) -> list[Step]:
    """Cancel, from a state in which Manila accepts that: docs/manila.md, "An interrupted copy".

    It accepts a complete there, too: every run of ours heeds the record that it must not be sent.
    """
    state = "data_copying_completed"
    if mechanism == DRIVER:
        # Before the end of the first phase a driver may refuse what belongs to the second.
        early = scene.task_state in STARTING
        state = "migration_driver_in_progress" if early else "migration_driver_phase1_done"
    ready = [] if copy.status == COPY else [Step(RESET_STATUS, SHARE_INSTANCE, copy.id, COPY)]
    record = Step(RECORD, SHARE, scene.share.id, copy.id)
    return [*ready, record, reset_task_state(scene, state), Step(CANCEL, SHARE, scene.share.id)]


def release_steps(scene: ShareScene, source: Instance) -> list[Step]:
    """Give the share back to its only copy."""
    return [
        Step(RESET_STATUS, SHARE_INSTANCE, source.id, "available"),
        *snapshot_steps(scene, "migrating"),
        *([] if scene.task_state in OVER else [reset_task_state(scene, None)]),
    ]


def take_steps(scene: ShareScene, keep: Instance, drop: Instance) -> list[Step]:
    """Have the share served from one copy, and delete the other."""
    return [
        Step(RESET_STATUS, SHARE_INSTANCE, keep.id, "available"),
        *snapshot_steps(scene, "migrating", COPY, "error"),
        reset_task_state(scene, None),
        Step(DELETE, SHARE_INSTANCE, drop.id),
        # Rules belong to instances: what was not copied to this one goes with the other one.
        *(
            Step(ALLOW, SHARE, scene.share.id, f"{one.access_type} {one.level} {one.access_to}")
            for one in scene.rules
            if one.access_to not in scene.access_to
        ),
    ]


def snapshot_steps(scene: ShareScene, *statuses: str) -> list[Step]:
    return [
        Step(RESET_STATUS, SNAPSHOT, one.id, "available")
        for one in scene.snapshots
        if one.status in statuses
    ]
