# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pools can take a share: worked out once for all shares that are alike.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._feasibility.pool import (
    pool_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.context import Context
from ansible_collections.manila.migration.plugins.module_utils._planner.packing import Site
from ansible_collections.manila.migration.plugins.module_utils._planner.refusals import condense
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    capacity_invalid,
    scheduler_fails,
    written_part,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    thinks_thin,
    uses_share_servers,
)


@dataclass(frozen=True)
class PoolGroup:
    """The pools for shares that are alike in all that decides which can take them, size aside.

    ``sites`` are these pools, ``refusals`` why the others can't.
    """

    share_type: ShareType
    sites: Mapping[str, Site]
    refusals: Sequence[Reason]


class Case(NamedTuple):
    """What shares of one pool that are alike have in common."""

    options: Options
    share_type: ShareType | None
    group: PoolGroup | None
    sites: Mapping[str, Site]
    order: tuple[Any, ...]
    thin: bool
    written: float


class Cases:
    """What holds for each share, with what was worked out for those like it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._cases: dict[tuple[Any, ...], Case] = {}
        self._groups: dict[tuple[Any, ...], PoolGroup] = {}
        self._options: dict[tuple[str | None, str | None], Options] = {}
        self._failures: dict[tuple[str | None, bool], Reason | None] = {}

    def of(self, share: Share) -> Case:
        """Return what holds for all shares like this one."""
        from_snapshot = share.snapshot_id is not None
        network = share.share_network_id
        key = (share.host, share.share_type_id, share.protocol, network, from_snapshot)
        case = self._cases.get(key)
        if case is None:
            case = self._cases[key] = self._work_out(share, from_snapshot)
        return case

    def options(self, share: Share) -> Options:
        """Return what Manila is asked for: the same for all shares of one type and network."""
        key = share.share_type_id, share.share_network_id
        options = self._options.get(key)
        if options is None:
            options = self._options[key] = self._work_out_options(share)
        return options

    def _work_out(self, share: Share, from_snapshot: bool) -> Case:
        options = self.options(share)
        share_type = self._context.inventory.share_types.get(
            options.new_share_type_id or share.share_type_id or ""
        )
        pool = self._context.pools.get(share.host)
        written = written_part(pool) if pool else 1.0
        if share_type is None:
            return Case(options, None, None, {}, (), True, written)
        kind = (
            share_type.id,
            share.protocol,
            options.new_share_network_id or "",
            from_snapshot,
            written,
        )
        group = self._groups.get(kind)
        if group is None:
            group = self._groups[kind] = self._find_pools(share, share_type, options)
        sites = {name: site for name, site in group.sites.items() if name != share.host}
        order = (len(sites), *kind, share.host if self._context.request.chooses else "")
        return Case(options, share_type, group, sites, order, thinks_thin(share_type), written)

    def _work_out_options(self, share: Share) -> Options:
        request = self._context.request
        required = set(request.require)
        if request.mechanism == "driver" and not required:
            # Manila has no switch for "by the driver or not at all".  It falls back to a
            # host-assisted copy unless something is demanded that only drivers can do
            # (share/manager.py, migration_start): this is the least demand.
            required.add("preserve_metadata")
        old = share.share_type_id or ""
        new = self._context.types.get(old, old)
        share_type = self._context.inventory.share_types.get(new)
        network = None
        if share_type is not None and uses_share_servers(share_type):
            network = request.share_network_map.get(share.share_network_id or "")
        return Options(
            preserve_metadata="preserve_metadata" in required,
            preserve_snapshots="preserve_snapshots" in required,
            writable="writable" in required,
            nondisruptive="nondisruptive" in required,
            force_host_assisted_migration=request.mechanism == "host",
            new_share_type_id=new if new != old else None,
            new_share_network_id=network if network != share.share_network_id else None,
        )

    def _find_pools(self, share: Share, share_type: ShareType, options: Options) -> PoolGroup:
        """Find the pools that can take shares like this one, and why the others can't."""
        sites = {}
        refused: list[tuple[str, list[Reason]]] = []
        from_snapshot = share.snapshot_id is not None
        for name, room in self._context.rooms.items():
            pool = room.pool
            service = self._context.inventory.services.get(pool.backend)
            reasons = pool_blockers(share, share_type, pool, service, options, "")
            invalid = capacity_invalid(pool, share_type, from_snapshot)
            if invalid:
                reasons.append(invalid)
            fails = self._scheduler_fails(service.zone if service else None, from_snapshot)
            if fails and not invalid:
                reasons.append(fails)
            if reasons:
                refused.append((name, reasons))
            else:
                sites[name] = Site(name, (room,))
        refusals = condense(refused, "pool") + self._context.no_destination()
        return PoolGroup(share_type, sites, refusals)

    def _scheduler_fails(self, zone: str | None, from_snapshot: bool) -> Reason | None:
        key = zone, from_snapshot
        if key not in self._failures:
            self._failures[key] = scheduler_fails(
                self._context.pools.values(), self._context.inventory.services, *key
            )
        return self._failures[key]
