# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each thing at the source is: excluded, unplaced, running, staying, or a candidate.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.context import (
    Context,
    ServerShare,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    describe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.exclusions import Exclusions
from ansible_collections.manila.migration.plugins.module_utils._planner.motion import (
    observe_moving_replica,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import (
    Excluded,
    Outcome,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.replica_planner import (
    ReplicaPlanner,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.selection import (
    select_shares,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.server_planner import (
    ServerPlanner,
    share_servers_of,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.share_planner import (
    SharePlanner,
    stay,
)


def sort_out(context: Context) -> Iterator[Outcome]:
    """Ask the planner of its kind about everything at the source.

    Raises:
        ValueError: One sentence, for a selection that can't be meant.
    """
    inventory, request = context.inventory, context.request
    takes_from = context.scope.takes_from
    exclusions = Exclusions(request.exclude)
    share_planner, replica_planner = SharePlanner(context), ReplicaPlanner(context)
    server_planner = ServerPlanner(context, exclusions)
    shares_by_server: dict[str, list[ServerShare]] = {}
    shares, instances = inventory.shares_by_id, inventory.instances
    selected = select_shares(inventory, request.select, takes_from)
    for share_id in sorted(shares.keys() | instances.keys()):
        share = shares.get(share_id)
        here = [instance for instance in instances.get(share_id, ()) if takes_from(instance.host)]
        moving = share is not None and observe_moving_replica(context, share) is not None
        if not here and not (share and (takes_from(share.host) or moving)):
            continue
        excluded = _is_excluded(context, exclusions, share_id, share, here)
        excluded = excluded or (selected is not None and share_id not in selected)
        servers = share_servers_of(context, share, here) if share else []
        if share and servers:
            for server_id, host in servers:
                shares_by_server.setdefault(server_id, []).append(
                    ServerShare(share, host, excluded)
                )
        elif excluded:
            yield Excluded(describe_share(context, share_id, share, here))
            yield from stay(share_id, share, here, "is left out as asked")
        elif share is None:
            yield from share_planner.plan_leftovers(here, None)
        elif share.has_replicas or moving:
            yield from replica_planner.plan(share, here)
        else:
            yield from share_planner.plan(share, instances.get(share_id, ()), here)
    if not request.chooses:
        yield from server_planner.warn_of_arrivals()
    if request.moves_servers:
        yield from server_planner.plan(shares_by_server)
    yield from exclusions.warnings()


def _is_excluded(
    context: Context,
    exclusions: Exclusions,
    share_id: str,
    share: Share | None,
    here: Sequence[Instance],
) -> bool:
    """Tell whether a share is excluded, by itself or with its share server."""
    if not exclusions:
        return False
    names = [share_id, *(instance.id for instance in here), share.name if share else ""]
    excluded = exclusions.match(*names)
    if not context.request.moves_servers:
        # Split, the shares of an excluded share server stay.
        servers = [instance.share_server_id for instance in here]
        excluded = exclusions.match_part(*servers) or excluded
    return excluded
