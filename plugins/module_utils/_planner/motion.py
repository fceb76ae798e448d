# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether something may be migrating, whoever started it.  Pure.

What the plan has no destination for may migrate all the same, and also what is left out as asked.
No reason tells that: it is read from the states of everything there.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import Mark
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
    ShareServer,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.context import (
    Context,
    ServerShare,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Target,
    classify,
    may_migrate,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_replica,
    observe_server,
    observe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    FAILED,
    MARKED,
    MOVING,
    RESTING,
)

_IN_MOTION = frozenset({*MOVING.values(), "migrating_to", "creating"})
"""Statuses of an instance, of whatever share, that a migration may be working on."""


def observe_moving_replica(context: Context, share: Share) -> Observation | None:
    """Return the migration of a replica of a share away from the source that is not over."""
    if not share.metadata:
        return None
    mark = Mark.of(share.metadata)
    if mark is None or not context.scope.takes_from(mark.source):
        return None
    replicas = context.inventory.instances.get(share.id, ())
    seen = observe_replica(share, replicas, mark.source, mark.destination)
    return None if seen.task_state in (None, MARKED) else seen


def is_share_migrating(context: Context, share: Share) -> bool:
    """Tell whether a share may be migrating, by itself or with a replica."""
    instances = context.inventory.instances.get(share.id, ())
    if len(instances) > 1 and not share.has_replicas:
        return True  # of two instances one is a migration's
    if share.status == RESTING[SHARE] and not share.task_state and not share.metadata:
        return False  # by far the most, and the cheapest
    migrates = may_migrate(observe_share(share, instances or None))
    return migrates or observe_moving_replica(context, share) is not None


def is_server_migrating(
    context: Context, server: ShareServer, shares: Sequence[ServerShare]
) -> bool:
    """Tell whether a share server with these shares may be migrating."""
    seen = observe_server(server.id, context.inventory.servers)
    failed = seen is not None and seen.status == "error" and classify(seen, Target()) == FAILED
    return (
        (seen is not None and (may_migrate(seen) or seen.copies != 1))
        # Its cutover failed, and which of two servers has the shares only the storage knows.
        or (failed and bool(shares))
        or any(server_share.share.status == MOVING[SHARE_SERVER] for server_share in shares)
    )


def is_instance_migrating(context: Context, instance: Instance, share: Share | None) -> bool:
    """Tell whether a migration may still work on an instance that serves no share from here."""
    instances = context.inventory.instances.get(instance.share_id, ())
    moving = share is not None and may_migrate(observe_share(share, instances))
    return moving or has_moving_status(instance)


def has_moving_status(instance: Instance) -> bool:
    """Tell whether the status alone says that a migration may work on an instance."""
    return instance.status in _IN_MOTION
