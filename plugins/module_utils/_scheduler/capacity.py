# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much fits into a pool, counted as Manila's scheduler does it, and what is coming already.

Sizes are GiB, reservations percent.  Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Pool,
    Service,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import listed
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    thinks_thin,
)


class Load(NamedTuple):
    """What comes to a pool and is not in its figures yet.

    ``committed_gb`` is the size of the shares, ``written_gb`` the part of it that will really be
    taken from the free space.  ``spare_gb`` must be left of it when all have come, or the scheduler
    refuses the one that starts last, whichever that is.
    """

    committed_gb: float = 0
    written_gb: float = 0
    spare_gb: float = -math.inf

    def plus(self, other: Load) -> Load:
        """Both together."""
        return Load(
            self.committed_gb + other.committed_gb,
            self.written_gb + other.written_gb,
            max(self.spare_gb, other.spare_gb),
        )

    def started(self) -> Load:
        """The same for what the scheduler has let in already."""
        return self._replace(spare_gb=-math.inf)


NOTHING = Load()


def written_part(pool: Pool) -> float:
    """How much of what ``pool`` has promised is really written there, 0 to 1.

    Manila doesn't know it of a single share.  Of a thin pool it can be told for all its shares
    together; of any other everything counts as written.
    """
    total, free, promised = pool.total_gb, pool.free_gb, pool.provisioned_gb
    if not pool.thin_provisioning or isinstance(total, str) or isinstance(free, str):
        return 1.0
    if not promised or promised <= 0:
        return 1.0
    return min(1.0, max(0.0, total - free) / promised)


def weights(pools: Iterable[Pool]) -> dict[str, float]:
    """How much of a share's size counts in each of these pools when they are compared.

    All of it, except in thin ones: there the written part, told of all of them together, as it
    hardly changes when shares move between them; but no less than what a share takes of what the
    pool may promise.
    """
    pools = list(pools)
    used = promised = 0.0
    for pool in pools:
        if pool.thin_provisioning and pool.provisioned_gb:
            used += written_part(pool) * pool.provisioned_gb
            promised += pool.provisioned_gb
    written = used / promised if promised else 1.0
    return {
        pool.name: max(written, 1 / max(1.0, pool.max_over_subscription_ratio))
        if pool.thin_provisioning
        else 1.0
        for pool in pools
    }


def capacity_invalid(
    pool: Pool, share_type: ShareType, from_snapshot: bool = False
) -> Reason | None:
    """Why the scheduler can't calculate with the figures of ``pool`` at all, None if it can.

    scheduler/filters/capacity.py.  A free space of 'infinite' makes the filter itself fail, so
    such a pool gets nothing, whatever it could hold.
    """
    total, free = pool.total_gb, pool.free_gb
    if free == "unknown":
        return None
    if isinstance(free, str) or not math.isfinite(free):
        return Reason(
            "capacity_invalid",
            f"the pool reports {free!r} as its free capacity, which Manila's scheduler can't "
            "work with",
        )
    if total == "unknown":
        if reserved_gb(pool, from_snapshot):
            return Reason(
                "capacity_invalid",
                "the pool reserves a part of a total capacity that it does not report",
            )
        return None
    if isinstance(total, str) or not math.isfinite(total) or total <= 0:
        return Reason("capacity_invalid", f"the pool reports {total!r} as its total capacity")
    if pool.thin_provisioning and thinks_thin(share_type) and pool.max_over_subscription_ratio < 1:
        return Reason(
            "capacity_invalid",
            f"the pool's max_over_subscription_ratio is {pool.max_over_subscription_ratio:g}, "
            "Manila's scheduler wants 1 or more",
        )
    return None


def breaks_scheduler(pool: Pool, from_snapshot: bool = False) -> bool:
    """Whether the scheduler fails at the figures of ``pool``, instead of leaving it out.

    scheduler/filters/capacity.py.
    """
    total, free = pool.total_gb, pool.free_gb
    if free in ("unknown", "None"):
        return False
    if total == "unknown":
        return isinstance(free, str) and not reserved_gb(pool, from_snapshot)
    return isinstance(total, str) or (total > 0 and isinstance(free, str))


def scheduler_fails(
    pools: Iterable[Pool],
    services: Mapping[str, Service],
    zone: str | None,
    from_snapshot: bool = False,
) -> Reason | None:
    """Why the scheduler lets nothing into any pool of the availability zone ``zone``, or None.

    ``services`` are those of manila-share, by ``host@backend``.  Before the scheduler looks at the
    destination that it was asked for, it calculates with all pools of the destination's zone whose
    services are up and enabled (scheduler/drivers/filter.py, host_passes_filters).
    """
    breaking = [
        pool.name
        for pool in pools
        if breaks_scheduler(pool, from_snapshot)
        for service in [services.get(pool.backend)]
        if service and service.enabled and service.alive and service.zone == zone
    ]
    if not breaking:
        return None
    return Reason(
        "capacity_invalid",
        f"{listed(sorted(breaking), 'pool')}: Manila's scheduler can't calculate with the "
        f"capacities that are reported, and so it fails for all pools of the availability zone "
        f"{zone}: disable the service of that back end until its driver is mended",
    )


def with_promises(
    pools: Iterable[Pool], instances: Iterable[Instance], sizes: Mapping[str, int]
) -> list[Pool]:
    """The pools, with what thin ones have promised where their drivers don't report it.

    scheduler/host_manager.py adds up the sizes of the shares that have an instance in the pool.
    It counts instances that were deleted long ago, too, as long as their shares exist elsewhere
    (db/sqlalchemy/api.py, share_instance_sizes_sum_by_host); those nobody can see.  ``instances``
    are all of the cloud, ``sizes`` those of all shares, by ID.
    """
    sums: dict[str, int] = {}
    for one in instances:
        sums[one.host] = sums.get(one.host, 0) + sizes.get(one.share_id, 0)
    return [
        replace(pool, provisioned_gb=sums.get(pool.name, 0)) if hides_promises(pool) else pool
        for pool in pools
    ]


def hides_promises(pool: Pool) -> bool:
    """Whether the scheduler has to add up what a pool has promised."""
    return pool.thin_provisioning and pool.provisioned_gb is None


def headroom(
    pool: Pool,
    share_type: ShareType,
    committed_gb: float = 0,
    from_snapshot: bool = False,
    written_gb: float | None = None,
) -> float:
    """The largest share, in whole GiB, that the scheduler would let into ``pool``.

    scheduler/filters/capacity.py, after ``committed_gb`` more than the pool reports has come to
    it, of which ``written_gb`` (None: all) is taken from its free space.  ``from_snapshot``: the
    share was made from one, which has a reservation of its own.  The scheduler itself
    doesn't reserve for migrations (scheduler/manager.py, migrate_share_to_host), so whoever plans
    must.  Infinite where the pool doesn't report its free space: Manila tries its luck there.
    """
    if capacity_invalid(pool, share_type, from_snapshot):
        return 0
    total, free = pool.total_gb, pool.free_gb
    if isinstance(free, str):
        return math.inf
    free -= committed_gb if written_gb is None else written_gb
    if isinstance(total, str):
        return max(0, math.floor(free))
    free = math.floor(free - total * (reserved_gb(pool, from_snapshot) / 100))
    if not (pool.thin_provisioning and thinks_thin(share_type)):
        return max(0, free)
    ratio = pool.max_over_subscription_ratio
    promised = _provisioned(pool) + committed_gb
    room = math.floor(total * ratio - promised)
    # The scheduler compares quotients: agree with it to the last bit.
    if room > 0 and (promised + room) / total > ratio:
        room -= 1
    elif (promised + room + 1) / total <= ratio:
        room += 1
    return max(0, min(room, math.floor(free * ratio)))


def fits(
    pool: Pool,
    share_type: ShareType,
    size_gb: float,
    committed_gb: float = 0,
    from_snapshot: bool = False,
    written_gb: float | None = None,
) -> Reason | None:
    """Why a share of ``size_gb`` has no room in ``pool``, None if it has.  See ``headroom``."""
    invalid = capacity_invalid(pool, share_type, from_snapshot)
    if invalid:
        return invalid
    room = headroom(pool, share_type, committed_gb, from_snapshot, written_gb)
    if size_gb <= room:
        return None
    details = [f"{_gb(pool.free_gb)} of {_gb(pool.total_gb)} GiB are free"]
    if reserved_gb(pool, from_snapshot):
        details.append(f"{reserved_gb(pool, from_snapshot):g} % are reserved")
    if pool.thin_provisioning and thinks_thin(share_type):
        details.append(
            f"{_provisioned(pool):g} GiB are promised, "
            f"{pool.max_over_subscription_ratio:g} times the capacity may be"
        )
    if committed_gb:
        details.append(f"{committed_gb:g} GiB are planned or on their way")
    return Reason(
        "no_capacity",
        f"{size_gb:g} GiB are needed and there is room for {room:g} GiB ({', '.join(details)})",
    )


def reserved_gb(pool: Pool, from_snapshot: bool) -> float:
    return pool.reserved_snapshot_percentage if from_snapshot else pool.reserved_percentage


def _provisioned(pool: Pool) -> float:
    """What a thin pool has promised so far.

    Where a driver doesn't say, and nobody added up (``with_promises``), what is allocated comes
    next to that, and what is used.
    """
    if pool.provisioned_gb is not None:
        return pool.provisioned_gb
    if pool.allocated_gb is not None:
        return pool.allocated_gb
    if isinstance(pool.total_gb, str) or isinstance(pool.free_gb, str):
        return 0
    return max(0, pool.total_gb - pool.free_gb)


def _gb(capacity: float | str) -> str:
    return capacity if isinstance(capacity, str) else f"{capacity:g}"
