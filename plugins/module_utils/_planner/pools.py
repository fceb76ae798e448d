# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of pools, with what can't be known left open.  Sizes are GiB.  Pure."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._feasibility.pool import (
    pool_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import covers
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Pool,
    Service,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    capacity_invalid,
    fits,
    headroom,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    thinks_thin,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import under_way

_THIN = ShareType("", "")
_THICK = ShareType("", "", {"thin_provisioning": "False"})

_ANY_SHARE = Share("", "", 0, "", "available")
"""Nothing of a share counts where only its type is asked about."""


def pool_records(
    inventory: Inventory, host: str | None = None, share_type: ShareType | None = None
) -> list[dict[str, Any]]:
    """The pools at ``host`` (all), each as a dictionary.

    With a ``share_type`` also whether its shares can go there; those where they can come first.
    """
    shares = Counter(one.host for several in inventory.instances.values() for one in several)
    loads = under_way(inventory).loads
    found = []
    for name, pool in sorted(inventory.pools_by_name.items()):
        if host is not None and not covers(host, name):
            continue
        service = inventory.services.get(pool.backend)
        load = loads.get(name, NOTHING)
        record = {
            "name": name,
            "backend": pool.backend,
            "availability_zone": service.zone if service else None,
            **_service_state(service),
            **_figures(pool),
            "shares": shares[name],
            "coming_gb": load.committed_gb,
            "coming_written_gb": round(load.written_gb, 1),
        }
        if share_type is not None:
            record.update(_for_type(pool, service, share_type))
        found.append(record)
    return sorted(found, key=lambda one: bool(one.get("blockers")))


def _service_state(service: Service | None) -> dict[str, str]:
    if service is None:
        return {"service_status": "missing", "service_state": "missing"}
    return {
        "service_status": service.status,
        "service_state": "up" if service.alive else "down",
    }


def _figures(pool: Pool) -> dict[str, Any]:
    """What the scheduler calculates with, None where a driver doesn't say it."""
    total, free = pool.total_gb, pool.free_gb
    used = reserved = None
    if not isinstance(total, str) and total > 0:
        reserved = round(total * pool.reserved_percentage / 100, 1)
        used = None if isinstance(free, str) else round(100 * (total - free) / total, 1)
    has_ratio = pool.capabilities.get("max_over_subscription_ratio") is not None
    return {
        "total_gb": total,
        "free_gb": free,
        "used_percent": used,
        "reserved_percentage": pool.reserved_percentage,
        "reserved_gb": reserved,
        "provisioned_gb": pool.provisioned_gb,
        "allocated_gb": pool.allocated_gb,
        "thin_provisioning": pool.thin_provisioning,
        "max_over_subscription_ratio": pool.max_over_subscription_ratio if has_ratio else None,
        "fits_thin_gb": _largest(pool, _THIN),
        "fits_thick_gb": _largest(pool, _THICK),
        "reported_at": pool.capabilities.get("timestamp"),
    }


def _largest(pool: Pool, share_type: ShareType) -> int | None:
    """The largest share that the scheduler would let in, None where that can't be told.

    A free capacity that isn't reported lets everything in.  Of a thin pool the scheduler takes
    what a driver doesn't report from its own options and its database (scheduler/host_manager.py).
    """
    reported = (pool.provisioned_gb, pool.capabilities.get("max_over_subscription_ratio"))
    if pool.thin_provisioning and thinks_thin(share_type) and None in reported:
        return None if capacity_invalid(pool, share_type) is None else 0
    room = headroom(pool, share_type)
    return int(room) if math.isfinite(room) else None


def _for_type(pool: Pool, service: Service | None, share_type: ShareType) -> dict[str, Any]:
    """Whether shares of a type can go to a pool, and the largest of them."""
    blockers = pool_blockers(_ANY_SHARE, share_type, pool, service, Options(), "")
    room = _largest(pool, share_type)
    # Shares have whole GiB.
    full = fits(pool, share_type, 1) if room == 0 else None
    if full:
        blockers.append(full)
    return {
        "fits_gb": 0 if blockers else room,
        "blockers": [one.as_dict() for one in blockers],
    }
