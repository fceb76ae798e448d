# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of the cloud before a plan is made, and how many requests that takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.inventory_reader import (
    read_inventory,
    read_pools,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    OLD2,
    ONE,
    SERVER_POOLS,
    TWO,
    Cloud,
    aboard,
    going,
    moving,
    pool,
    server,
    share,
    tenants,
    world,
)


def read(inventory, source="n@old"):
    cloud = Cloud(inventory)
    return read_inventory(cloud, source), cloud.asked


PLAIN = [
    "services",
    "instances",
    f"shares {OLD}",
    "shares migrating",
    "pools",
    "marked",
    "locks",
    "snapshots",
]


def test_a_cloud_without_share_servers_is_asked_for_none():
    found, asked = read(world([share(1), share(2, host=ONE)]))
    assert asked == [*PLAIN, "share_types"]
    assert [one.id for one in found.shares] == ["s1"]
    assert list(found.instances) == ["s1"]


def test_what_thin_pools_do_not_report_is_added_up():
    thin = pool(ONE, thin_provisioning=True)
    shares = [share(1), share(2, 7, ONE), share(3, 5, ONE, is_soft_deleted=True)]
    found, asked = read(world(shares, pools=[pool(OLD), thin]))
    assert found.pools_by_name[ONE].provisioned_gb == 12
    assert asked == [*PLAIN[:5], "instances", "shares ", "deleted", *PLAIN[5:], "share_types"]


def test_where_the_shares_are_that_a_hint_names():
    hints = {"__affinity_different_host": "s2,s9"}
    found, asked = read(world([share(1, metadata=hints), share(2, host=ONE), share(3, host=TWO)]))
    assert [one.host for one in found.instances["s2"]] == [ONE]
    assert found.instances["s9"] == []
    assert "s3" not in found.instances
    assert asked.count("instances") == 2


def test_a_source_without_share_servers_in_a_cloud_that_has_some_costs_one_request_more():
    pools = [pool(OLD), *SERVER_POOLS[2:]]
    inventory = tenants([share(1)], [server(1, "n@one")], pools, grouped_servers={"v1"})
    found, asked = read(inventory)
    assert sorted(asked) == sorted([*PLAIN, "share_types", "servers"])
    assert [one.id for one in found.servers] == ["v1"]
    assert found.networks == {}
    assert found.grouped_servers == frozenset()


@pytest.mark.parametrize("pools", [SERVER_POOLS, [pool(ONE)]])
def test_share_servers_of_the_source_bring_networks_and_groups(pools):
    # A back end that the scheduler has forgotten shows its servers by its shares.
    inventory = tenants([aboard(1)], pools=pools, grouped_servers={"v9"})
    found, asked = read(inventory)
    assert sorted(asked) == sorted(
        [*PLAIN, "share_types", "servers", "networks", "grouped_servers"]
    )
    assert set(found.networks) == {"net", "new"}
    assert found.grouped_servers == {"v9"}
    assert [share.id for share, _host in found.aboard("v1")] == ["s1"]


def test_servers_without_shares_are_read_too():
    found, _asked = read(tenants([], [server(1), server(2, "n@one")]))
    assert [one.id for one in found.servers] == ["v1", "v2"]
    assert set(found.networks) == {"net", "new"}


def test_shares_that_migrate_with_servers_are_read_wherever_they_are():
    shares = [
        aboard(1, host=OLD2),
        aboard(2, "v2", host=ONE, status="server_migrating"),
        aboard(3, "v3", host=ONE),
        aboard(4, "v1", host=OLD, is_soft_deleted=True),
    ]
    found, asked = read(tenants(shares, [server(1), *going(2, "n@two", host="n@one")]))
    assert asked.count("shares server_migrating") == 1
    assert "deleted" in asked
    assert {one.id for one in found.shares} == {"s1", "s2", "s4"}
    assert [one.id for one, _host in found.aboard("v2")] == ["s2"]
    assert {one.id: one.is_soft_deleted for one in found.shares}["s4"]


def test_without_a_scheduler_pools_are_not_asked_for():
    inventory = replace(tenants([aboard(1)]), scheduler_up=False)
    found, asked = read(inventory)
    assert "pools" not in asked
    assert [one.id for one in found.servers] == ["v1"]
    assert TWO not in found.pools_by_name


@pytest.mark.parametrize("count", [1, 100])
def test_more_shares_cost_no_more_requests(count):
    inventory = world([share(n) for n in range(count)])
    _found, asked = read(inventory)
    assert asked == [*PLAIN, "share_types"]


def test_several_places_and_the_whole_cloud():
    inventory = world([share(1), share(2, host=ONE), share(3, host=TWO)])
    cloud = Cloud(inventory)
    found = read_inventory(cloud, "n@old", "n@one#p")
    assert [one.id for one in found.shares] == ["s1", "s2"]
    assert cloud.asked.count(f"shares {OLD}") == cloud.asked.count(f"shares {ONE}") == 1
    cloud = Cloud(inventory)
    assert [one.id for one in read_inventory(cloud).shares] == ["s1", "s2", "s3"]
    assert cloud.asked == ["services", "instances", "shares ", *PLAIN[3:], "share_types"]


def test_data_services_are_kept():
    class Complete(Cloud):
        def services(self):
            return [*super().services(), Service("manila-data", "n", "enabled", "up")]

    found = read_inventory(Complete(world([share(1)])), "n@old")
    assert [one.host for one in found.data_services] == ["n"]
    assert set(found.services) == {"n@old", "n@one", "n@two"}


# -- pools -----------------------------------------------------------------------------------


def read_at(inventory, host=None):
    cloud = Cloud(inventory)
    return read_pools(cloud, host), cloud.asked


def test_pools_cost_a_handful_of_requests():
    found, asked = read_at(world([share(1), share(2, host=ONE)]), "n@old")
    assert sorted(asked) == sorted(
        ["services", "pools", "shares migrating", "instances", "share_types"]
    )
    assert set(found.pools_by_name) == {OLD, ONE, TWO}
    assert set(found.instances) == {"s1"}


def test_what_moves_is_read_with_all_its_places():
    one, instances = moving(1, ONE)
    inventory = world([one, share(2, host=TWO)], instances=instances)
    found, _asked = read_at(inventory, "n@one")
    assert {one.host for one in found.instances["s1"]} == {OLD, ONE}
    server_shares = [aboard(2, "v2", host=ONE, status="server_migrating")]
    servers = going(2, "n@two", host="n@one")
    found, asked = read_at(tenants(server_shares, servers))
    assert "shares server_migrating" in asked
    assert [one.id for one in found.shares] == ["s2"]


def test_without_a_scheduler_there_are_no_pools():
    found, asked = read_at(replace(world([share(1)]), scheduler_up=False))
    assert "pools" not in asked and found.pools == () and not found.scheduler_up
