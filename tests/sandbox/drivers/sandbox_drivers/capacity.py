# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools whose figures are right at every moment: counted from the share instances themselves."""

from __future__ import annotations

from typing import Any

from manila import context
from manila.share import utils as share_utils
from oslo_config import cfg

from sandbox_drivers import releases
from sandbox_drivers.behaviour import switches

# what a thin share really takes of its size
_THIN_USE = 0.25

pool_opts = [
    cfg.ListOpt(
        "sandbox_pools",
        default=[],
        help="Pools as name:size in GiB:reserved percentage:over-subscription ratio, where a "
        "ratio of 0 means that the pool is not thin.",
    ),
    cfg.StrOpt("sandbox_storage", default="dummy", help="The capability 'storage' to report."),
]


def pools_info(driver: Any) -> list[dict[str, Any]]:
    """Return the pools of a driver's back end with what its share instances leave free."""
    configuration = driver.configuration
    host = f"{cfg.CONF.host}@{configuration.config_group}"
    provisioned: dict[str, float] = {}
    instances = releases.instances_by_host(context.get_admin_context(), host, with_share_data=True)
    for instance in instances:
        pool = share_utils.extract_host(instance["host"], level="pool")
        provisioned[pool] = provisioned.get(pool, 0.0) + float(instance["size"] or 0)
    pools = []
    factor = float(switches()["pool_factor"])
    for option in configuration.sandbox_pools:
        name, size, reserved, ratio = option.split(":")
        thin = float(ratio) > 0
        total = factor * float(size)
        promised = provisioned.get(name, 0.0)
        taken = promised * _THIN_USE if thin else promised
        pool_info: dict[str, Any] = {
            "pool_name": name,
            "storage": configuration.sandbox_storage,
            "total_capacity_gb": total,
            "free_capacity_gb": max(0.0, total - taken),
            "allocated_capacity_gb": promised,
            "provisioned_capacity_gb": promised,
            "thin_provisioning": thin,
            "reserved_percentage": int(reserved),
            "reserved_snapshot_percentage": int(reserved),
            "reserved_share_extend_percentage": int(reserved),
        }
        if thin:
            pool_info["max_over_subscription_ratio"] = float(ratio)
        pools.append(pool_info)
    return pools
