# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small cloud to plan with, and how to read what was planned."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.markers import MARK
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Pool,
    Service,
    Share,
    ShareNetwork,
    ShareServer,
    ShareType,
    Snapshot,
)

OLD = "n@old#p"
ONE = "n@one#p"
TWO = "n@two#p"


def kind(name, **specs):
    return ShareType(f"id-{name}", name, {"driver_handles_share_servers": "False", **specs})


TYPES = (
    kind("plain"),
    kind("pinned", share_backend_name="OLD"),
    kind("fast", disk="ssd"),
    kind("thick", thin_provisioning="False"),
    ShareType("id-servers", "servers", {"driver_handles_share_servers": "True"}),
    kind("thickservers", driver_handles_share_servers="True", thin_provisioning="False"),
)


def pool(name, total=100, free=100, **more):
    able = {
        "driver_handles_share_servers": False,
        "storage_protocol": "NFS",
        "thin_provisioning": [True, False],
        "share_backend_name": name.split("@")[1].split("#")[0].upper(),
        **more.pop("able", {}),
    }
    return Pool(name, total, free, capabilities=able, **more)


def share(number, size=10, host=OLD, type_name="plain", **more):
    return Share(
        **{
            "id": f"s{number}",
            "name": f"share {number}",
            "size_gb": size,
            "host": host,
            "status": "available",
            "protocol": "NFS",
            "share_type_id": f"id-{type_name}",
            **more,
        }
    )


def instance(of, host=None, status="available", **more):
    host = host or of.host
    given = {"share_type_id": of.share_type_id, "share_server_id": of.share_server_id, **more}
    return Instance(f"i-{of.id}-{host}", of.id, host, status, **given)


def world(shares, pools=None, instances=None, **more):
    pools = [pool(OLD), pool(ONE), pool(TWO)] if pools is None else pools
    services = {one.backend: Service("manila-share", one.backend, "enabled", "up") for one in pools}
    return Inventory(
        **{
            "shares": shares,
            "instances": {one.id: [instance(one)] for one in shares} | (instances or {}),
            "pools": pools,
            "services": services,
            "share_types": {one.id: one for one in TYPES},
            **more,
        }
    )


def moving(number, to, task_state="migration_driver_in_progress", **more):
    """A share on its way, and its instances."""
    one = share(number, status="migrating", task_state=task_state, **more)
    return one, {one.id: [instance(one, status="migrating"), instance(one, to, "migrating_to")]}


# -- share servers ---------------------------------------------------------------------------

OLD2 = "n@old#q"
ONE2 = "n@one#q"


def server(number, host="n@old", status="active", **more):
    return ShareServer(**{"id": f"v{number}", "host": host, "status": status, **NETWORK, **more})


NETWORK = {"share_network_id": "net"}


def aboard(number, on="v1", size=10, host=OLD, **more):
    """A share on a share server."""
    given = {"type_name": "servers", "share_server_id": on, **NETWORK, **more}
    return share(number, size, host, **given)


def server_pool(name, total=100, free=100, **more):
    able = {"driver_handles_share_servers": True, **more.pop("able", {})}
    return pool(name, total, free, able=able, **more)


SERVER_POOLS = tuple(map(server_pool, (OLD, OLD2, ONE, ONE2, TWO)))


def tenants(shares, servers=None, pools=SERVER_POOLS, **more):
    """A cloud of share servers; by default of those that the shares are on."""
    if servers is None:
        servers = [server(one[1:]) for one in sorted({one.share_server_id for one in shares})]
    given = {"networks": {"net": ShareNetwork("net"), "new": ShareNetwork("new")}, **more}
    return world(shares, list(pools), servers=servers, **given)


def going(number, to, task_state="migration_driver_in_progress", host="n@old", **more):
    """A share server on its way, and the one that its migration makes."""
    one = server(number, host, "server_migrating", task_state=task_state)
    return [one, server(f"{number}x", to, "server_migrating_to", source_id=one.id, **more)]


def snapshots(**statuses):
    """Snapshots by the IDs of their shares, from the statuses that they shall have."""
    return {
        of: [Snapshot(f"{of}-{n}", of, status, f"snap {n}") for n, status in enumerate(several)]
        for of, several in statuses.items()
    }


def places(plan):
    return {one["id"]: one["destination"] for one in plan["migrations"]}


def reasons(plan):
    return {one["id"]: [reason["code"] for reason in one["reasons"]] for one in plan["unplaced"]}


# -- a cloud that can be asked ---------------------------------------------------------------


class Cloud:
    """Answers from an inventory, and writes down what it was asked."""

    frees_addresses = False

    def __init__(self, inventory):
        self.inventory = inventory
        self.asked = []

    def answer(self, what):
        self.asked.append(what)
        return list(getattr(self.inventory, what))

    def services(self):
        self.asked.append("services")
        up = [Service("manila-scheduler", "n", "enabled", "up")]
        return [*self.inventory.services.values(), *(up if self.inventory.scheduler_up else [])]

    def instances(self, host=None):
        self.asked.append("instances")
        found = [one for several in self.inventory.instances.values() for one in several]
        return [one for one in found if host is None or one.host.split("#")[0] == host]

    def shares(self, **filters):
        self.asked.append("shares " + " ".join(filters.values()))
        return [
            one
            for one in self.inventory.shares
            if not one.is_soft_deleted
            and all(getattr(one, name) == value for name, value in filters.items())
        ]

    def soft_deleted_shares(self):
        self.asked.append("deleted")
        return [one for one in self.inventory.shares if one.is_soft_deleted]

    def locks(self):
        self.asked.append("locks")
        locks = self.inventory.locks
        return None if locks is None else [one for several in locks.values() for one in several]

    def snapshots(self):
        self.asked.append("snapshots")
        return self.inventory.snapshots_by_share

    def pools(self):
        return self.answer("pools")

    def share_servers(self):
        return self.answer("servers")

    def share_types(self):
        self.asked.append("share_types")
        return list(self.inventory.share_types.values())

    def share_networks(self):
        self.asked.append("networks")
        return list(self.inventory.networks.values())

    def marked(self):
        self.asked.append("marked")
        return [
            (one, list(self.inventory.instances[one.id]))
            for one in self.inventory.shares
            if MARK in one.metadata
        ]

    def grouped_servers(self):
        return set(self.answer("grouped_servers"))

    def check_server(self, server_id, host, options):
        self.asked.append(f"check {server_id} {host}")
        return self.inventory.checks[server_id, host]
