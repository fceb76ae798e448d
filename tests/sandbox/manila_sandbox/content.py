# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the cloud: users, catalogue, share types, and the shares of ``fill``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from manila_sandbox.errors import SandboxError
from manila_sandbox.install import Say
from manila_sandbox.processes import wait_until
from manila_sandbox.rest import Cloud, RestError
from manila_sandbox.services import Services
from manila_sandbox.settings import PERIODIC_INTERVAL, REGION, SHARE_TYPES, Backend, Settings

_SIZES = (1, 4, 2, 7, 3, 1, 5, 2, 9, 1)
_TYPES = {
    "dummy": ("standard", "standard", "pinned", "standard"),
    "servers": ("servers",),
    "mirrors": ("replicated",),
    "directory": ("files", "files", "pinned", "files"),
}
_PINNED = {"alpha": "pinned-alpha", "files1": "pinned-files1"}
_NETWORKS = 3
_AT_ONCE = 4
_NOWHERE = "nowhere@nowhere#nowhere"


def ensure_identity(settings: Settings, cloud: Cloud, secrets: dict[str, str]) -> None:
    """Make projects, users, roles and the catalogue's entry, as far as they are missing."""

    def one(kind: str, name: str, body: dict[str, Any]) -> str:
        found = cloud.identity("GET", f"/{kind}s?name={name}")[f"{kind}s"]
        if not found:
            made = cloud.identity("POST", f"/{kind}s", {kind: {"name": name, **body}})
            return str(made[kind]["id"])
        return str(found[0]["id"])

    roles = {role["name"]: role["id"] for role in cloud.identity("GET", "/roles")["roles"]}
    domain = {"domain_id": "default"}
    tenant, service = one("project", "tenant", domain), one("project", "service", domain)
    admin = one("user", "admin", domain)
    member = one("user", "member", {**domain, "password": secrets["member"]})
    manila = one("user", "manila", {**domain, "password": secrets["manila"]})
    for project, user, role in (
        (tenant, admin, "admin"),
        (tenant, member, "member"),
        (service, manila, "admin"),
        (service, manila, "service"),
    ):
        cloud.identity("PUT", f"/projects/{project}/users/{user}/roles/{roles[role]}")
    entry = one("service", "manilav2", {"type": "sharev2"})
    endpoints = {
        endpoint["interface"]: endpoint
        for endpoint in cloud.identity("GET", f"/endpoints?service_id={entry}")["endpoints"]
    }
    for interface in ("public", "internal", "admin"):
        known = endpoints.get(interface)
        body = {
            "endpoint": {
                "service_id": entry,
                "interface": interface,
                "region_id": REGION,
                "url": settings.share_url,
            }
        }
        if known is None:
            cloud.identity("POST", "/endpoints", body)
        elif known["url"] != settings.share_url:
            cloud.identity("PATCH", f"/endpoints/{known['id']}", body)


def ensure_share_types(cloud: Cloud) -> None:
    """Make the share types, as far as they are missing or were changed."""
    known = {
        item["name"]: item for item in cloud.share("GET", "/types?is_public=all")["share_types"]
    }
    for share_type in SHARE_TYPES:
        specs = {"driver_handles_share_servers": str(share_type.dhss), **share_type.specs}
        found = known.get(share_type.name)
        if found is None:
            cloud.share(
                "POST",
                "/types",
                {
                    "share_type": {
                        "name": share_type.name,
                        "share_type_access:is_public": True,
                        "extra_specs": specs,
                    }
                },
            )
            continue
        path = f"/types/{found['id']}/extra_specs"
        if found["extra_specs"] != specs:
            for key in set(found["extra_specs"]) - set(specs):
                cloud.share("DELETE", f"{path}/{key}")
            changed = {k: v for k, v in specs.items() if found["extra_specs"].get(k) != v}
            if changed:
                cloud.share("POST", path, {"extra_specs": changed})


def refresh_pools(services: Services, cloud: Cloud) -> None:
    """Make the scheduler renew its figures, by asking it for what no host can give."""
    share = _create(cloud, "refresh-pools", 1, "standard", _NOWHERE)
    path = f"/shares/{share}"

    def refused() -> bool:
        return str(cloud.share("GET", path)["share"]["status"]) != "creating"

    if not wait_until(refused, 30, poll=0.1):
        raise SandboxError(
            "the scheduler doesn't answer.", services.settings.paths.log("manila-scheduler")
        )
    try:
        cloud.share("DELETE", path)
    except RestError as error:
        if error.status != 404:
            raise


def _create(cloud: Cloud, name: str, size: int, share_type: str, host: str, **more: object) -> str:
    body = {
        "name": name,
        "size": size,
        "share_proto": "NFS",
        "share_type": share_type,
        "scheduler_hints": {"only_host": host},
        **more,
    }
    return str(cloud.share("POST", "/shares", {"share": body})["share"]["id"])


def await_figures(services: Services, cloud: Cloud, allocated: dict[str, float]) -> None:
    """Wait until the scheduler's figures say what is allocated in which pool."""

    def right() -> bool:
        refresh_pools(services, cloud)
        seen = {
            str(pool["name"]): pool["capabilities"].get("allocated_capacity_gb", 0)
            for pool in cloud.share("GET", "/scheduler-stats/pools/detail")["pools"]
        }
        return all(seen.get(name) == value for name, value in allocated.items())

    if not wait_until(right, 30 * PERIODIC_INTERVAL, poll=0.5):
        raise SandboxError(
            "the scheduler's figures don't follow.",
            services.settings.paths.log("manila-scheduler"),
        )


def allocated_by_pool(cloud: Cloud, pools: Iterable[str]) -> dict[str, float]:
    """Return how much is in each pool, counted from the instances."""
    sums = {pool: 0.0 for pool in pools}
    sizes = {
        share["id"]: share["size"]
        for share in cloud.share("GET", "/shares/detail?all_tenants=1")["shares"]
    }
    for instance in cloud.share("GET", "/share_instances")["share_instances"]:
        if instance["host"] in sums:
            sums[instance["host"]] += sizes.get(instance["share_id"], 0)
    return sums


@dataclass
class Fill:
    """Fills a back end with shares of unequal sizes, the same ones every time."""

    services: Services
    admin: Cloud
    tenant: Cloud
    backend: Backend
    say: Say

    def run(self, count: int, files: int) -> None:
        """Make ``count`` shares, those of them that are missing, and wait for them."""
        existing = {share["name"] for share in self._demo_shares()}
        names = [self._name(number) for number in range(1, count + 1)]
        missing = [(n, name) for n, name in enumerate(names, 1) if name not in existing]
        networks = self._networks() if self.backend.kind == "servers" else []
        free = self._free()
        orders = [self._order(number, name, free, networks) for number, name in missing]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda order: order(), orders))
            self.say(f"{len(orders)} shares asked for")
            self._await(names)
            self.say("all are available")
            numbers = {name: number for number, name in missing}
            new = [share for share in self._demo_shares() if share["name"] in numbers]
            furnish = [
                partial(self._furnish, numbers[share["name"]], share, files) for share in new
            ]
            list(pool.map(lambda work: work(), furnish))
        self.say("access rules, files and snapshots are there")
        pools = [self.backend.pool_host(pool.name) for pool in self.backend.pools]
        await_figures(self.services, self.admin, allocated_by_pool(self.admin, pools))
        where = self.backend.host
        if networks:
            servers = {share["share_server_id"] for share in self._demo_shares()}
            where = f"{len(servers)} share servers of {where}"
        self.say(f"{count} shares on {where}, {len(missing)} of them new")

    def _name(self, number: int) -> str:
        prefix = "demo" if self.backend.name == "alpha" else f"demo-{self.backend.name}"
        return f"{prefix}-{number:02d}"

    def _demo_shares(self) -> list[dict[str, Any]]:
        prefix = self._name(0)[:-2]
        shares = self.admin.share("GET", "/shares/detail?all_tenants=1")["shares"]
        return [
            s
            for s in shares
            if s["name"] and s["name"].startswith(prefix) and s["name"][len(prefix) :].isdigit()
        ]

    def _free(self) -> dict[str, float]:
        pools = [self.backend.pool_host(pool.name) for pool in self.backend.pools]
        used = allocated_by_pool(self.admin, pools)
        return {
            self.backend.pool_host(pool.name): pool.size * (1 - pool.reserved / 100)
            - used[self.backend.pool_host(pool.name)]
            for pool in self.backend.pools
        }

    def _networks(self) -> list[str]:
        known = {
            network["name"]: network["id"]
            for network in self.tenant.share("GET", "/share-networks")["share_networks"]
        }
        for number in range(1, _NETWORKS + 1):
            name = f"demo-net-{number}"
            if name not in known:
                body = {"share_network": {"name": name}}
                made = self.tenant.share("POST", "/share-networks", body)["share_network"]
                known[name] = made["id"]
        return [known[f"demo-net-{number}"] for number in range(1, _NETWORKS + 1)]

    def _order(
        self, number: int, name: str, free: dict[str, float], networks: list[str]
    ) -> Callable[[], str]:
        """Decide what a share is like and where it goes; what is returned creates it."""
        kinds = _TYPES[self.backend.kind]
        kind = kinds[number % len(kinds)]
        if kind == "pinned":
            fallback = "files" if self.backend.kind == "directory" else "standard"
            kind = _PINNED.get(self.backend.name, fallback)
        size = _SIZES[(number - 1) % len(_SIZES)] if self.backend.kind != "directory" else 1
        pool = list(free)[number % len(free)]
        if free[pool] < size:
            pool = max(free, key=lambda candidate: free[candidate])
        if free[pool] < size:
            raise SandboxError(f"{self.backend.host} has no room for {name} ({size} GiB).")
        free[pool] -= size
        cloud = self.admin if number % 4 == 0 and not networks else self.tenant
        more: dict[str, object] = {}
        if networks:
            # every third share has rules and every second one is in the same pool: so the turns
            # shift, for each server to have some of all
            turn = (number - 1) // len(networks)
            more["share_network_id"] = networks[(number - 1 + turn) % len(networks)]
        if number % 3 == 0:
            more["metadata"] = {"team": f"team-{number % 5}", "tier": "demo"}
        more["description"] = f"share {number} of the demonstration"
        return partial(_create, cloud, name, size, kind, pool, **more)

    def _await(self, names: list[str]) -> None:
        wanted = set(names)

        def settled() -> bool:
            shares = {share["name"]: share for share in self._demo_shares()}
            for name in wanted:
                if str(shares.get(name, {}).get("status", "")).startswith("error"):
                    raise SandboxError(
                        f"share {name} is in error.",
                        self.services.settings.paths.log(self.backend.process),
                    )
            return all(shares.get(name, {}).get("status") == "available" for name in wanted)

        if not wait_until(settled, 60 + 2 * len(names), poll=0.5):
            raise SandboxError(
                "not all shares are available in time.",
                self.services.settings.paths.log(self.backend.process),
            )

    def _furnish(self, number: int, share: dict[str, Any], files: int) -> None:
        """Give a new share access rules, and real files or now and then a snapshot."""
        path = f"/shares/{share['id']}"
        if number % 3 == 1:
            for address, level in ((f"192.0.2.{number}", "rw"), ("198.51.100.0/24", "ro")):
                self.admin.share(
                    "POST",
                    f"{path}/action",
                    {
                        "allow_access": {
                            "access_type": "ip",
                            "access_to": address,
                            "access_level": level,
                        }
                    },
                )
        if self.backend.kind == "directory":
            exports = self.admin.share("GET", f"{path}/export_locations")["export_locations"]
            (path,) = (one["path"] for one in exports if one["is_admin_only"])
            write_files(Path(path), files, number)
        elif number % 7 == 5:
            body = {"snapshot": {"share_id": share["id"], "name": f"{share['name']}-snapshot"}}
            self.admin.share("POST", "/snapshots", body)


def write_files(directory: Path, count: int, seed: int) -> None:
    """Write files with contents that differ, in a few folders."""
    for number in range(count):
        folder = directory / f"folder-{number % 3}"
        folder.mkdir(exist_ok=True)
        line = f"share {seed}, file {number}\n".encode()
        (folder / f"file-{number:04d}.txt").write_bytes(line * (100 + 37 * number % 900))


def wait_snapshots(cloud: Cloud, seconds: float = 60) -> None:
    """Wait until no snapshot is being made."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        snapshots = cloud.share("GET", "/snapshots/detail?all_tenants=1")["snapshots"]
        if all(snapshot["status"] != "creating" for snapshot in snapshots):
            return
        time.sleep(0.3)
