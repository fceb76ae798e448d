# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a share before it is diagnosed, and which shares are worth a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE
from ansible_collections.manila.migration.plugins.module_utils._model.markers import Mark
from ansible_collections.manila.migration.plugins.module_utils._model.moments import epoch
from ansible_collections.manila.migration.plugins.module_utils._model.places import covers
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    AccessRule,
    Instance,
    Service,
    Share,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.diagnosis import (
    ACCESS_RULE,
    SHARE_INSTANCE,
    SNAPSHOT,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    ENDS,
    IDLE,
    MIGRATING,
    SHARE_STATES,
    State,
)

SOON = 1.0
"""What is undecided may be told by any next look."""


COPY = "migrating_to"
"""The status of the instance that a migration makes, until its end."""


OVER = ENDS | {None, "data_copying_error", "data_copying_cancelled"}
"""Task states in which nothing works on a share that has come to rest."""


@dataclass(frozen=True)
class ShareScene:
    """Everything that a share's migration is concerned with, as it is now.

    ``services`` are all of the cloud.  ``copying`` is what manila-data answers when it is asked
    whether it has the copy in hand, None where nobody could tell.  ``since`` is from when on
    nothing of this was seen to change, in seconds since the epoch.  ``access_to`` is what the rules
    of the Data Service let in, ``mechanism`` and ``good_copy`` what somebody says who knows.
    """

    share: Share
    instances: Sequence[Instance]
    snapshots: Sequence[Snapshot] = ()
    rules: Sequence[AccessRule] = ()
    services: Sequence[Service] = ()
    copying: bool | None = None
    since: float | None = None
    access_to: frozenset[str] = frozenset()
    mechanism: str | None = None
    good_copy: str | None = None

    @property
    def task_state(self) -> str | None:
        """The task state of the share."""
        return self.share.task_state

    @property
    def sources(self) -> list[Instance]:
        """The instances that a migration copies from: one, if all is as it should be."""
        return [one for one in self.instances if one.status == "migrating"]

    def others(self, *but: Instance) -> list[Instance]:
        """All other instances, the older ones first."""
        left = [one for one in self.instances if one not in but]
        return sorted(left, key=lambda one: (one.created_at or "", one.id))

    def resources(self) -> list[dict[str, Any]]:
        """All of it, for somebody who has to decide."""
        share = self.share
        found: list[dict[str, Any]] = [
            {
                "kind": SHARE,
                "id": share.id,
                "name": share.name,
                "host": share.host,
                "status": share.status,
                "task_state": share.task_state,
            }
        ]
        for one in self.others():
            found.append(
                {
                    "kind": SHARE_INSTANCE,
                    "id": one.id,
                    "name": share.name,
                    "share_id": share.id,
                    "host": one.host,
                    "status": one.status,
                    "read_only": one.read_only,
                    "created_at": one.created_at,
                    "updated_at": one.updated_at,
                }
            )
        for snapshot in self.snapshots:
            found.append(
                {
                    "kind": SNAPSHOT,
                    "id": snapshot.id,
                    "name": snapshot.name,
                    "share_id": snapshot.share_id,
                    "status": snapshot.status,
                }
            )
        made = {one.id for one in rules_of_the_migration(self)}
        for rule in self.rules:
            if rule.id in made or rule.access_to in self.access_to or rule.state != "active":
                found.append(
                    {
                        "kind": ACCESS_RULE,
                        "id": rule.id,
                        "name": f"{rule.access_type} {rule.access_to}",
                        "share_id": share.id,
                        "status": rule.state,
                        "created_at": rule.created_at,
                    }
                )
        return found


def rules_of_the_migration(scene: ShareScene) -> list[AccessRule]:
    """The access rules that only Manila itself can have made, for its Data Service.

    While a share has a second instance that is no replica, Manila refuses rules to everybody else
    (share/api.py, allow_access()); and it removes older ones for the same address before it makes
    these (data/helper.py).
    """
    made = [epoch(one.created_at) for one in scene.others(*scene.sources)]
    begin = min((one for one in made if one is not None), default=None)
    if not scene.sources or begin is None:
        return []
    return [
        one
        for one in scene.rules
        if (epoch(one.created_at) or 0) >= begin
        and (not scene.access_to or one.access_to in scene.access_to)
    ]


def suspects(shares: Iterable[Share], instances: Iterable[Instance], host: str) -> list[Share]:
    """The shares with an instance at ``host`` that may need a repair."""
    at: dict[str, list[Instance]] = {}
    for one in instances:
        at.setdefault(one.share_id, []).append(one)
    found = []
    for share in shares:
        copies = at.get(share.id, [])
        there = any(covers(host, one.host) for one in copies) or covers(host, share.host)
        if there and _suspicious(share, copies):
            found.append(share)
    return found


def _suspicious(share: Share, copies: Sequence[Instance]) -> bool:
    if share.status == "server_migrating":
        return False  # its share server is asked about
    phase = SHARE_STATES.get(share.task_state or "", State(IDLE)).phase
    return (
        share.status in ("migrating", "error")
        or phase in MIGRATING
        or share.task_state in ("migration_error", "data_copying_error")
        or Mark.of(share.metadata) is not None
        or any(one.read_only for one in copies)
        or (len(copies) > 1 and any(one.replica_state is None for one in copies))
    )


STARTING = frozenset({"migration_in_progress", "migration_driver_starting"})
