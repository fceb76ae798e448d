# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full the pools of a plan are before and after it.  Sizes are GiB, fills percent.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.manila.migration.plugins.module_utils._planner.context import Context
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    MigrationEntry,
    PoolEntry,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.forecast import traffic
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    written_part,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import Room


def pool_entries(
    context: Context, migrations: Sequence[MigrationEntry], running: Sequence[MigrationEntry]
) -> list[PoolEntry]:
    """Describe source and possible destinations, before and after.

    Args:
        context: The cloud; its rooms know what was placed in them.
        migrations: All that the plan wants, what runs included.
        running: What runs.
    """
    coming, going = traffic(migrations)
    begun_in, begun_out = traffic(running)
    entries: list[PoolEntry] = []
    for name, pool in context.pools.items():
        room = context.rooms.get(name)
        if room is None and not (context.request.places and context.scope.takes_from(name)):
            continue
        figures = room or Room(pool)
        used, more = figures.used, figures.load.written_gb
        more -= going.get(name, 0) * written_part(pool)
        if used is not None and name in context.contents:
            # As what chose the moves sees it: by what lies there when they have ended.
            used = context.contents[name] - begun_in.get(name, 0) + begun_out.get(name, 0)
            more = coming.get(name, 0) - going.get(name, 0)
            used, more = used * context.weights[name], more * context.weights[name]
        after = None if used is None else max(0.0, used + more)
        entries.append(
            {
                "name": name,
                "total_gb": pool.total_gb,
                "free_gb": pool.free_gb,
                "used_percent_before": _percent(used, figures.total),
                "used_percent_after": _percent(after, figures.total),
                "planned_gb_in": coming.get(name, 0),
                "planned_gb_out": going.get(name, 0),
            }
        )
    return entries


def _percent(used: float | None, total: float | None) -> float | None:
    return None if used is None or not total else round(100 * used / total, 1)
