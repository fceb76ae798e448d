# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan does with the replicas of a share.  Pure.

They are moved one after the other: a share tells of one migration only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_replica import (
    replica_blockers,
    replica_pool_blockers,
    replica_warnings,
    request_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_REPLICA
from ansible_collections.manila.migration.plugins.module_utils._model.markers import Mark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.context import Context
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    MigrationEntry,
    Subject,
    as_dicts,
    describe_share,
    share_entry,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.motion import (
    observe_moving_replica,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import (
    Candidate,
    Outcome,
    Running,
    Unplaced,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.packing import (
    Item,
    Placing,
    Site,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.refusals import (
    condense,
    elsewhere,
    explain_full_pools,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.share_planner import stay
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    capacity_invalid,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    uses_share_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import claim_for
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    COMPLETING,
    IDLE,
    MOVED,
)


class ReplicaPlanner:
    """Plans shares with replicas that do not move with a share server."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def plan(self, share: Share, here: Sequence[Instance]) -> Iterator[Outcome]:
        """Plan one share; ``here`` are its replicas at the source."""
        if self._context.request.chooses:
            yield from stay(share.id, share, here, "has replicas, which stay where they are")
            return
        later = sorted(here, key=lambda replica: (replica.host, replica.id))
        seen = observe_moving_replica(self._context, share)
        if seen:
            yield from self._take_up(share, seen)
            later = [replica for replica in later if replica.host != seen.host]
        elif later:
            yield self._consider(share, later.pop(0).host)
        for replica in later:
            reason = Reason(
                "second_replica",
                f"its replica at {replica.host} is moved after the other one that is at the source",
            )
            subject = self._describe(share)
            subject["id"] = replica.id
            yield Unplaced.because(subject, reason)

    def _describe(self, share: Share) -> Subject:
        subject = describe_share(self._context, share.id, share)
        subject["kind"] = SHARE_REPLICA
        return subject

    def _take_up(self, share: Share, seen: Observation) -> Iterator[Running | Unplaced]:
        """Take up a migration, wherever it was started; what failed, or only is marked, too."""
        mark = Mark.of(share.metadata)
        if mark is None:
            return
        if not self._context.scope.brings_to(mark.destination):
            yield Unplaced.because(self._describe(share), elsewhere(mark.destination))
            return
        phase = COMPLETING if seen.task_state == MOVED else classify(seen, Target())
        yield Running(self._entry(share, mark.source, mark.destination, Options(), phase))

    def _consider(self, share: Share, source: str) -> Candidate | Unplaced:
        inventory, request = self._context.inventory, self._context.request
        share_type = inventory.share_types.get(share.share_type_id or "")
        network = None
        if share_type is not None and uses_share_servers(share_type):
            network = request.share_network_map.get(share.share_network_id or "")
        options = Options(
            new_share_network_id=network if network != share.share_network_id else None
        )
        reasons = replica_blockers(inventory, share, source, options)
        reasons += request_blockers(inventory, request, share, source)
        sites: Mapping[str, Site] = {}
        refusals: list[Reason] = []
        if share_type is not None:
            sites, refusals = self._find_pools(share, share_type, source)
        subject = self._describe(share)
        if reasons or share_type is None or not sites:
            return Unplaced.because(subject, *(reasons if sites else reasons + refusals))

        def make_entry(placing: Placing) -> MigrationEntry:
            return self._entry(share, source, placing.site.name, options, IDLE)

        claim = claim_for(share, source, share_type, self._context.pools)
        order = (len(sites), share_type.id, share.protocol, share.id)
        item = Item(share.id, share.size_gb, (claim,), sites, order)
        return Candidate(item, subject, refusals, make_entry, explain_full_pools)

    def _find_pools(
        self, share: Share, share_type: ShareType, source: str
    ) -> tuple[dict[str, Site], list[Reason]]:
        """Find the pools that can take a replica, and why the others can't."""
        context = self._context
        sites = {}
        refused: list[tuple[str, list[Reason]]] = []
        for room in context.rooms.values():
            reasons = replica_pool_blockers(context.inventory, share, share_type, room.pool, source)
            invalid = capacity_invalid(room.pool, share_type, share.snapshot_id is not None)
            if invalid:
                reasons.append(invalid)
            if reasons:
                refused.append((room.name, reasons))
            else:
                sites[room.name] = Site(room.name, (room,))
        return sites, condense(refused, "pool") + context.no_destination()

    def _entry(
        self, share: Share, source: str, destination: str, options: Options, phase: str
    ) -> MigrationEntry:
        inventory = self._context.inventory
        old = share.share_type_id or ""
        mapped = self._context.types.get(old, old) != old
        losses = inventory.lock_warnings(share.id)
        losses += replica_warnings(inventory, share, source, mapped)
        entry = share_entry(self._context, share, source, destination, options, phase)
        entry["kind"], entry["warnings"] = SHARE_REPLICA, as_dicts(losses)
        return entry
