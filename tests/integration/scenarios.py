# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds made up by chance, to compare the planner with Manila's scheduler.

A scenario is back ends with pools, share types, shares, and a request for a plan, in the form that
tests/sandbox/drivers/fake_backends.py builds.  The same number gives the same scenario.
Sizes are GiB.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OLD = "fake-old@a"
ZONES = ("nova", "fake-zone1", "fake-zone2")

# What pools report, and what share types ask for; None reports nothing.
CAPABILITIES: dict[str, list[Any]] = {
    "disk": [None, "ssd", "SSD", "hdd", ["ssd", "hdd"], []],
    "iops": [None, 100, 5000, "5000", 99.5, [100, 5000], "many"],
    "encrypted": [None, True, False, "True", "false", [True, False], ["True"]],
    "compression": [None, True, False, [True, False]],
    "tier": [None, {"level": "gold"}, {"level": ["gold", "silver"]}, "gold"],
    "label": [None, "alpha beta", "Alpha", "", "beta"],
    "snapshot_support": [None, True, True, True, False],
    "revert_to_snapshot_support": [None, True, False],
    "mount_snapshot_support": [None, True, False],
    "replication_domain": [None, None, "here"],
    "replication_type": [None, None, "dr"],
    "qos_type_support": [None, True, False],
    "storage_protocol": [None] * 6 + ["NFS", "NFS_CIFS", ["NFS", "CIFS"], "CIFS"],
}

SPECS = (
    *(("disk", wants) for wants in ("ssd", "SSD", "<in> ss", "<or> ssd <or> nvme", "<or> hdd")),
    *(("disk", wants) for wants in ("s== ssd", "s!= hdd", "s>= i", "s<= i", "s< p", "s> p")),
    *(("iops", wants) for wants in ("= 1000", ">= 1000", "<= 1000", "== 5000", "!= 100")),
    *(("iops", wants) for wants in ("5000", ">=", "<is> True", "s== 5000")),
    ("capabilities:iops", ">= 100"),
    ("vendor:iops", ">= 1000000"),
    *(("encrypted", wants) for wants in ("<is> True", "True", "<is> False", "yes", "no", "maybe")),
    *(("compression", wants) for wants in ("<is> True", "True", "False")),
    *(("capabilities:tier:level", wants) for wants in ("gold", "<in> gol", "<or> silver")),
    ("tier:level", "bronze"),
    *(("label", wants) for wants in ("<or> alpha beta", "<in> beta", "alpha beta", " beta", "")),
    *(("snapshot_support", wants) for wants in ("True", "<is> True", "False")),
    ("revert_to_snapshot_support", "True"),
    ("mount_snapshot_support", "False"),
    ("replication_type", "dr"),
    ("default_qos_type", "fake-qos"),
    *(("storage_protocol", wants) for wants in ("NFS", "<in> CIFS", "NFS_CIFS")),
    ("capabilities:storage_protocol", "<in> NFS"),
    *(("share_backend_name", wants) for wants in ("OLD", "NEW0", "<or> NEW0 <or> NEW1")),
    *(("availability_zones", wants) for wants in ("nova", "nova,fake-zone1", "fake-zone2")),
)
THIN = (None, None, False, True, True, [True, False], [True, False], [False])
THIN_SPECS = ("True", "<is> True", "False", "<is> False", "maybe", "<or> True", " yes ")
REQUIREMENTS = ("writable", "nondisruptive", "preserve_metadata", "preserve_snapshots")
AFFINITY = ("__affinity_same_host", "__affinity_different_host")


@dataclass
class Scenario:
    """A cloud and a request.  ``written`` is how much of the shares in a thin pool takes space."""

    number: int
    backends: list[dict[str, Any]] = field(default_factory=list)
    types: list[dict[str, Any]] = field(default_factory=list)
    shares: list[dict[str, Any]] = field(default_factory=list)
    request: dict[str, Any] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)

    def pools(self) -> dict[str, dict[str, Any]]:
        """What each pool reports, by its name."""
        return {
            f"{backend['host']}#{pool['pool_name']}": pool
            for backend in self.backends
            for pool in backend["capabilities"]["pools"]
        }

    def share(self, share_id: str) -> dict[str, Any]:
        """One share."""
        return next(one for one in self.shares if one["id"] == share_id)

    def arrive(self, share_id: str, pool: str, thin: bool) -> list[dict[str, Any]]:
        """Let a pool take in a share, whose new type is ``thin``; the back ends that change."""
        figures = self.pools().get(pool)
        if figures is None:
            return []
        share = self.share(share_id)
        size = share["size_gb"]
        part = self.written[share["pool"]] if thin and is_thin(figures) else 1
        if isinstance(figures["free_capacity_gb"], (int, float)):
            figures["free_capacity_gb"] -= size * part
        for name in ("provisioned_capacity_gb", "allocated_capacity_gb"):
            if isinstance(figures.get(name), (int, float)):
                figures[name] += size
        return [one for one in self.backends if pool.startswith(f"{one['host']}#")]


def is_thin(figures: Mapping[str, Any]) -> bool:
    """Whether a pool reports that it over-subscribes."""
    thin = figures.get("thin_provisioning")
    return True in (thin if isinstance(thin, list) else [thin])


def make(number: int) -> Scenario:
    """The scenario of a number."""
    return _Maker(number).make()


class _Maker:
    def __init__(self, number: int) -> None:
        self.scenario = Scenario(number)
        self.random = random.Random(number)

    def make(self) -> Scenario:
        self._types()
        news = [f"fake-new@b{n}" for n in range(self.random.randint(1, 4))]
        self._backend(OLD, "OLD", self.random.randint(1, 2))
        for n, host in enumerate(news):
            self._backend(host, f"NEW{n}", self.random.randint(1, 3))
        self._hints()
        self._request(news)
        return self.scenario

    def _often(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def _pick(self, several: Any) -> Any:
        return self.random.choice(several)

    def _id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _types(self) -> None:
        for n in range(self.random.randint(2, 5)):
            specs = {"driver_handles_share_servers": "False"}
            if n:  # the first one goes wherever there is room
                specs.update(self.random.sample(SPECS, self._pick([0, 1, 1, 1, 2])))
            if self._often(35):
                key = self._pick(["thin_provisioning"] * 3 + ["capabilities:thin_provisioning"])
                specs[key] = self._pick(THIN_SPECS)
            if self._often(10):
                specs[f"provisioning:{self._pick(['min', 'max'])}_share_size"] = "15"
            self.scenario.types.append({"id": self._id(), "extra_specs": specs})

    def _backend(self, host: str, name: str, pools: int) -> None:
        is_old = host == OLD
        capabilities: dict[str, Any] = {
            "share_backend_name": name,
            "driver_handles_share_servers": self._pick([False] * 15 + [True, [True, False]]),
            "storage_protocol": self._pick(["NFS_CIFS"] * 4 + [["NFS", "CIFS"], "NFS", "CIFS"]),
            "vendor_name": "None",
            "driver_version": "1",
            "snapshot_support": True,
            "pools": [self._pool(f"{host}#p{n}", f"p{n}") for n in range(pools)],
        }
        self.scenario.backends.append(
            {
                "host": host,
                "zone": self._pick(ZONES) if self._often(40) else ZONES[0],
                "up": not self._often(10),
                "enabled": not self._often(40 if is_old else 10),
                "capabilities": capabilities,
            }
        )

    def _pool(self, name: str, short: str) -> dict[str, Any]:
        is_old = name.startswith(f"{OLD}#")
        count = self.random.randint(2, 9) if is_old else self.random.randint(0, 4)
        promised = sum(self._share(name) for _number in range(count))
        thin = self._pick(THIN)
        part = self.scenario.written[name] = self._pick([0.25, 0.5, 0.75, 1])
        used = promised * (part if is_thin({"thin_provisioning": thin}) else 1)
        if not is_old and self._often(30):
            used += self.random.randint(1, 50)
        free: Any = self._pick([0, 5, 20, 40, 60, 100, 150]) + self.random.randint(0, 20)
        if not is_old and self._often(20):
            free += 0.7
        total: Any = used + free
        pool = {
            "pool_name": short,
            "total_capacity_gb": total,
            "free_capacity_gb": free,
            "reserved_percentage": self._pick([0, 0, 0, 5, 10, 33]),
            "reserved_snapshot_percentage": self._pick([0, 0, 5, 20, 50]),
            "reserved_share_extend_percentage": self._pick([0, 10]),
        }
        optional = {
            "thin_provisioning": thin,
            "max_over_subscription_ratio": self._pick([None, 1, 1, 1.5, 2.0, 2.0, 20.0, 0.5]),
            "provisioned_capacity_gb": self._pick([None, promised, promised]),
            "allocated_capacity_gb": self._pick([None, used, promised]),
            "filter_function": self._pick([None] * 30 + ["share.size < 20"]),
            **{key: self._pick(values) for key, values in CAPABILITIES.items()},
        }
        pool.update((key, value) for key, value in optional.items() if value is not None)
        if not is_old:
            self._odd_figures(pool)
        return pool

    def _odd_figures(self, pool: dict[str, Any]) -> None:
        """Capacities that are no numbers, sometimes."""
        name = self._pick(["free_capacity_gb", "total_capacity_gb"])
        if self._often(10):
            pool[name] = "unknown"
        elif self._often(1):
            pool[name] = self._pick(["infinite", None, float("inf"), -1, 0])

    def _share(self, pool: str) -> int:
        size = self.random.randint(1, 40)
        share: dict[str, Any] = {
            "id": self._id(),
            "size_gb": size,
            "pool": pool,
            # Half of them of the type that asks for nothing.
            "type": self._pick([self.scenario.types[0], self._pick(self.scenario.types)])["id"],
            "protocol": "CIFS" if self._often(10) else "NFS",
        }
        if self._often(20):
            share["snapshot_id"] = self._id()
        if self._often(10):
            share["snapshots"] = self.random.randint(1, 2)
        self.scenario.shares.append(share)
        return size

    def _hints(self) -> None:
        if not self._often(25):
            return
        ids = [one["id"] for one in self.scenario.shares]
        for share in self.random.sample(self.scenario.shares, min(2, len(ids))):
            others = self.random.sample(ids, min(self._pick([1, 1, 2]), len(ids)))
            if self._often(10):
                others.append(self._id())
            share["metadata"] = {self._pick(AFFINITY): ",".join(others)}

    def _request(self, news: list[str]) -> None:
        request: dict[str, Any] = {
            "source": OLD,
            "mechanism": self._pick(["auto", "host", "driver"]),
            "placement": self._pick(["spread", "pack"]),
        }
        if self._often(85):  # or else the sandbox's own back ends, too
            request["destinations"] = news
        if request["mechanism"] != "host":
            request["require"] = self.random.sample(REQUIREMENTS, self._pick([0, 0, 1, 2]))
        ids = [one["id"] for one in self.scenario.types]
        if self._often(50):
            request["share_type_map"] = {
                self._pick(ids): self._pick(ids) for _number in range(self.random.randint(1, 2))
            }
        if self._often(10):
            request["source"] = f"{OLD}#p0"
        self.scenario.request = request
