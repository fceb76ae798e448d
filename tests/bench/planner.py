# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long planning takes, and how well it fills.

Each row is a process of its own, as each run of the module is.  The clouds are synthetic: sizes
of shares log-normal (a few large ones have most of the data), pools of unequal size, four share
types.  The bound is the least that the fullest pool can have: all data over all capacity.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import subprocess
import sys
import time

from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Pool,
    Service,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.tests.bench.page import table, write

POOLS = 200
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
OLD = "old@array"
ABLE = {
    "storage_protocol": "NFS",
    "driver_handles_share_servers": False,
    "snapshot_support": True,
    "thin_provisioning": False,
}


def cloud(count: int, objective: str) -> Inventory:
    """``count`` shares, to evacuate all at one back end, or else anywhere."""
    chance = random.Random(count)
    types = {
        f"t{n}": ShareType(f"t{n}", f"type{n}", {"driver_handles_share_servers": "False"})
        for n in range(4)
    }
    names = [f"host{n // 10}@array{n // 10}#pool{n % 10}" for n in range(POOLS)]
    places = [f"{OLD}#pool{n}" for n in range(10)] if objective == "evacuate" else names
    skew = [chance.random() ** 3 + 0.02 for _place in places]
    shares = []
    used = dict.fromkeys([*names, *places], 0)
    for number in range(count):
        size = min(2_000, max(1, int(chance.lognormvariate(4, 1.5))))
        host = chance.choices(places, skew)[0]
        share_type = types[f"t{chance.randrange(4)}"]
        used[host] += size
        shares.append(
            Share(
                id=f"{chance.getrandbits(128):032x}",
                name=f"share-{number}",
                size_gb=size,
                host=host,
                status="available",
                protocol="NFS",
                share_type_id=share_type.id,
            )
        )
    mean = sum(used.values()) / POOLS
    pools = []
    for name, content in used.items():
        # No pool smaller than its largest share makes sense, nor than what lies in it.
        total = int(max(content * 1.05, 4_000, mean * chance.uniform(1.2, 2.5)))
        pools.append(Pool(name, total, total - content, capabilities=ABLE))
    return Inventory(
        shares=tuple(shares),
        instances={
            one.id: [Instance(f"i{one.id}", one.id, one.host, "available", one.share_type_id)]
            for one in shares
        },
        pools=tuple(pools),
        services={
            one.backend: Service("manila-share", one.backend, "enabled", "up") for one in pools
        },
        share_types=types,
    )


def measure(count: int, objective: str) -> dict[str, float]:
    """One plan: seconds of the processor, MB at the peak, percent of fills."""
    inventory = cloud(count, objective)
    backends = sorted({pool.backend for pool in inventory.pools} - {OLD})
    request = Request(OLD)
    if objective == "rebalance":
        request = Request(destinations=backends, objective=objective, tolerance=1)
    gc.collect()
    gc.disable()  # as the module does
    before = time.process_time()
    plan = make_plan(inventory, request)
    seconds = time.process_time() - before
    pools = [pool for pool in plan["pools"] if not pool["name"].startswith(OLD)]
    total = sum(pool["total_gb"] for pool in pools)
    return {
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "moved": len(plan["migrations"]),
        "unplaced": len(plan["unplaced"]),
        "before": max(pool["used_percent_before"] for pool in pools),
        "after": max(pool["used_percent_after"] for pool in pools),
        "bound": 100 * sum(share.size_gb for share in inventory.shares) / total,
    }


def rows() -> list[str]:
    """All of them, as Markdown."""
    found_rows = []
    for objective in ("evacuate", "rebalance"):
        for count in SIZES:
            command = [sys.executable, "-m", __spec__.name, str(count), objective]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(ran.stdout)
            found_rows.append(
                [
                    objective,
                    f"{count:,}",
                    f"{found['moved']:,}",
                    f"{found['seconds']:.2f}",
                    f"{found['megabytes']:.0f}",
                    *(f"{found[part]:.1f} %" for part in ("before", "after", "bound")),
                ]
            )
    head = ["Objective", "Shares", "Moved", "s", "MB", "Fullest pool before", "after", "Bound"]
    return table(head, found_rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
    else:
        write("planner", rows())
