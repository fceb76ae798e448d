# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of one share, and what is said of it for each mechanism."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    NotFound,
)
from ansible_collections.manila.migration.plugins.module_utils._checks.share import (
    judge,
    read_for_share,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    DRIVER,
    HOST,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.start import (
    start_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Details
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    AccessRule,
    Quota,
    Service,
    ShareNetwork,
    Snapshot,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils import planning
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    ONE,
    TWO,
    aboard,
    instance,
    kind,
    pool,
    server_pool,
    share,
    tenants,
    world,
)

DATA = Service("manila-data", "n", "enabled", "up")
NFS_RULE = AccessRule("r1", "ip", "192.0.2.7", level="rw")


def stock(one=None, pools=None, networks=None, types=(), services=(), **more):
    """A share at a healthy source, and what else there is."""
    one = one or share(1, project_id="p")
    inventory = world([one], pools, **{"data_services": (DATA,), **more})
    all_services = {}
    for host in ("n@old", "n@one", "n@two"):
        all_services.update(service(host))
    return replace(
        inventory,
        services={**all_services, **dict(services)},
        share_types={**inventory.share_types, **{added.id: added for added in types}},
        networks=networks or {},
    )


def verdicts(inventory, destination=ONE, details=None, **options):
    one = inventory.shares[0]
    migration = Migration(one.id, one.host, destination, options=Options(**options))
    return judge(inventory, migration, details or Details())


def blockers(*given, **more):
    return {
        mechanism: [one.code for one in verdict.blockers]
        for mechanism, verdict in verdicts(*given, **more).items()
    }


def warned(*given, **more):
    return {
        mechanism: {one.code for one in verdict.warnings}
        for mechanism, verdict in verdicts(*given, **more).items()
    }


def service(host, **more):
    given = {"status": "enabled", "state": "up", "zone": "north", **more}
    return {host: Service("manila-share", host, **given)}


FORCED = {"force_host_assisted_migration": True}
RETYPED = {"new_share_type_id": "id-fast"}
AFFINE = {"__affinity_same_host": "s8,s9"}
APART = {"__affinity_different_host": "s8"}
ON_SERVER = {"pools": [server_pool(OLD), server_pool(ONE)]}
FAST = [pool(OLD), pool(ONE, able={"disk": "ssd"})]
REPLICATED = kind("replicated", replication_type="dr")
DOMAINS = [pool(OLD), pool(ONE, able={"replication_type": "dr", "replication_domain": "d"})]


def test_a_healthy_share_can_go_both_ways():
    assert blockers(stock()) == {DRIVER: [], HOST: []}


BOTH = [
    ("no_share_type", {"one": share(1, share_type_id="gone")}, {}),
    ("service_missing", {"one": share(1, host="n@gone#p")}, {}),
    ("service_down", {"services": service("n@old", state="down")}, {}),
    ("service_down", {"services": service("n@one", state="down")}, {}),
    ("service_disabled", {"services": service("n@one", status="disabled")}, {}),
    ("pool_unknown", {}, {"destination": "n@one#nowhere"}),
    ("scheduler_down", {"pools": [], "scheduler_up": False}, {}),
    ("same_pool", {}, {"destination": OLD}),
    ("same_pool", {}, {"destination": OLD, "new_share_type_id": "id-plain"}),
    ("no_capacity", {"one": share(1, 101)}, {}),
    ("capacity_invalid", {"pools": [pool(OLD), pool(ONE), pool(TWO, free="infinite")]}, {}),
    ("type_pinned", {"one": share(1, type_name="pinned")}, {}),
    ("share_network", {"networks": {"net": ShareNetwork("net")}}, {"new_share_network_id": "net"}),
    ("options_conflict", {}, {**FORCED, "writable": True}),
    (
        "share_network",
        {"one": aboard(1), "networks": {"other": ShareNetwork("other")}, **ON_SERVER},
        {},
    ),
    (
        "share_network",
        {"one": aboard(1), "networks": {"net": ShareNetwork("net", status="error")}, **ON_SERVER},
        {},
    ),
    (
        "share_network_subnet",
        {
            "one": aboard(1),
            "networks": {"net": ShareNetwork("net", zones=frozenset({"south"}))},
            **ON_SERVER,
        },
        {},
    ),
    (
        "quota",
        {"pools": FAST},
        {**RETYPED, "details": Details(quotas={"its": {"gigabytes": Quota(19, 10)}})},
    ),
    (
        "quota",
        {"pools": FAST},
        {**RETYPED, "details": Details(quotas={"its": {"shares": Quota(0, 0)}})},
    ),
    (
        "quota",
        {"pools": DOMAINS, "types": [REPLICATED]},
        {
            "new_share_type_id": REPLICATED.id,
            "details": Details(quotas={"its": {"share_replicas": Quota(1, 1)}}),
        },
    ),
    (
        "affinity",
        {"one": share(1, metadata=AFFINE)},
        {"details": Details(neighbours={"s8": [ONE], "s9": [TWO]})},
    ),
    (
        "affinity",
        {"one": share(1, metadata=AFFINE)},
        {"details": Details(neighbours={"s8": [ONE], "s9": []})},
    ),
    (
        "affinity",
        {"one": share(1, metadata=APART)},
        {"details": Details(neighbours={"s8": [TWO, ONE]})},
    ),
]


@pytest.mark.parametrize(("code", "given", "asked"), BOTH)
def test_what_forbids_both(code, given, asked):
    inventory = stock(**given)
    assert blockers(inventory, **asked) == {DRIVER: [code], HOST: [code]}
    details = asked.pop("details", None)
    destination = asked.pop("destination", ONE)
    migration = Migration("s1", OLD, destination, options=Options(**asked))
    assert [one.code for one in start_blockers(inventory, migration, details=details)] == [code]


BAD = Details(
    snapshots=[Snapshot("n1", "s1", "error", "nightly"), Snapshot("n2", "s1", "deleting")]
)
GOOD = Details(snapshots=[Snapshot("n1", "s1", "available", "nightly")])
QOS = kind("gold", default_qos_type="gold")
QOS_POOLS = [pool(OLD), pool(ONE, able={"qos_type_support": True})]
NO_QOS = Details(qos_types={"silver"})

ONE_WAY = [
    ([], ["snapshots"], {}, {"details": GOOD}),
    (["snapshots"], ["snapshots"], {}, {"details": BAD}),
    ([], ["data_service_missing"], {"data_services": ()}, {}),
    ([], ["data_service_down"], {"data_services": (replace(DATA, fresh=False),)}, {}),
    ([], ["data_access"], {"one": share(1, protocol="CEPHFS"), "pools": [
        pool(one, able={"storage_protocol": "NFS_CEPHFS"}) for one in (OLD, ONE)]}, {}),
    ([], ["driver_only"], {}, {"writable": True}),
    (["host_forced"], [], {}, FORCED),
    ([], ["share_network_subnet", "driver_only"], {
        "one": aboard(1), "networks": {"net": ShareNetwork("net", zones=frozenset({"south"}))},
        **ON_SERVER}, {"nondisruptive": True}),
    (["qos_type"], [], {"one": share(1, type_name="gold"), "types": [QOS], "pools": QOS_POOLS},
     {"details": NO_QOS}),
    (["qos_type"], ["qos_type"], {"types": [QOS], "pools": QOS_POOLS},
     {"new_share_type_id": "id-gold", "details": NO_QOS}),
    ([], [], {"types": [QOS], "pools": QOS_POOLS},
     {"new_share_type_id": "id-gold", "details": Details(qos_types={"gold"})}),
    # What no limit is, or holds, or is not touched.
    ([], [], {"pools": FAST}, {**RETYPED, "details": Details(quotas={
        "its": {"shares": Quota(-1, 9), "gigabytes": Quota(20, 10), "snapshots": Quota(0, 0)}})}),
    ([], [], {"one": share(1, metadata=AFFINE)},
     {"details": Details(neighbours={"s8": [ONE], "s9": [TWO, ONE]})}),
    ([], [], {"one": share(1, metadata=APART)}, {"details": Details(neighbours={"s8": [OLD]})}),
    # The source's may be disabled: that is the cordon.
    ([], [], {"services": service("n@old", status="disabled")}, {}),
    # Only the zone of the destination counts, and only what the scheduler asks.
    ([], [], {"pools": [pool(OLD), pool(ONE), pool(TWO, free="infinite")],
              "services": service("n@two", zone="south")}, {}),
    ([], [], {"pools": [pool(OLD), pool(ONE), pool(TWO, free="infinite")],
              "services": service("n@two", status="disabled")}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("by_driver", "by_host", "given", "asked"), ONE_WAY)
def test_what_forbids_one_way(by_driver, by_host, given, asked):
    found = blockers(stock(**given), **asked)
    assert {way: sorted(codes) for way, codes in found.items()} == {
        DRIVER: sorted(by_driver),
        HOST: sorted(by_host),
    }


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        # Manila tries the driver first, so what forbids only a host-assisted migration is none.
        ({"data_services": ()}, {"details": GOOD}, []),
        ({"data_services": ()}, FORCED, ["data_service_missing"]),
        ({}, {**FORCED, "details": GOOD}, ["snapshots"]),
        ({}, {"details": BAD}, ["snapshots", "snapshots"]),
        ({}, {"preserve_snapshots": True, "details": BAD}, ["snapshots"]),
        ({}, {"preserve_snapshots": True, "details": GOOD}, []),
        # Nobody looked.
        ({"data_services": None}, FORCED, []),
    ],
)
def test_a_start_is_refused_where_all_that_manila_would_try_is_forbidden(given, asked, expected):
    inventory, details = stock(**given), asked.pop("details", None)
    migration = Migration("s1", OLD, ONE, options=Options(**asked))
    assert [one.code for one in start_blockers(inventory, migration, details=details)] == expected


def test_snapshots_are_named():
    found = verdicts(stock(), details=BAD)
    assert "(nightly: error, n2: deleting)" in found[DRIVER].blockers[0].message
    assert "2 snapshots (nightly, n2)" in found[HOST].blockers[0].message


def test_everything_at_once():
    """A share on a share server that lacks everything, to a pool that is none for it."""
    one = aboard(1, share_group_id="g", access_rules_status="error", status="error")
    found = blockers(
        stock(one, data_services=(), networks={"net": ShareNetwork("net", status="error")}),
        details=BAD,
        **RETYPED,
    )
    both = {
        "share_group",
        "status",
        "access_rules_error",
        "snapshots",
        "share_network",
        "capability",
    }
    assert set(found[DRIVER]) == both
    assert set(found[HOST]) == both | {"data_service_missing"}


# -- warnings --------------------------------------------------------------------------------

ALWAYS = {
    DRIVER: {"driver_unknown", "read_only", "disruptive"},
    HOST: {"read_only", "disruptive", "not_copied", "data_access"},
}


def test_what_is_always_said():
    found = warned(stock())
    assert found == {DRIVER: ALWAYS[DRIVER] | {"fallback"}, HOST: ALWAYS[HOST]}
    # Whoever asks for something that only drivers can do gets no other migration.
    assert warned(stock(), preserve_metadata=True)[DRIVER] == ALWAYS[DRIVER]
    promised = warned(stock(), writable=True, nondisruptive=True)
    assert promised == {DRIVER: {"driver_unknown"}, HOST: ALWAYS[HOST]}


VENDORS = [pool(one, able={"vendor_name": one}) for one in (OLD, ONE)]
DISABLED = replace(DATA, status="disabled")
OTHER = replace(DATA, host="m")


@pytest.mark.parametrize(
    ("by_driver", "by_host", "given", "asked"),
    [
        (["other_driver"], [], {"pools": VENDORS}, {}),
        (["snapshots"], [], {}, {"details": GOOD}),
        ([], ["data_service_several"], {"data_services": (DATA, OTHER)}, {}),
        (
            [],
            ["data_service_several"],
            {"data_services": (DATA, replace(OTHER, state="down"))},
            {},
        ),
        ([], [], {"data_services": (DATA, replace(OTHER, state="down", status="disabled"))}, {}),
        ([], ["data_service_disabled"], {"data_services": (DISABLED,)}, {}),
        ([], [], {"data_services": (replace(DATA, state="down"),)}, {}),
        ([], [], {"data_services": tuple(replace(one, state="down") for one in (DATA, OTHER))}, {}),
        ([], ["data_access_rule"], {}, {"details": Details(rules=[NFS_RULE])}),
        ([], [], {}, {"details": Details(rules=[replace(NFS_RULE, access_to="192.0.2.0/24")])}),
        (["encryption"], ["encryption"], {"one": share(1, is_encrypted=True)}, {}),
        (
            ["mount_point_name"],
            ["mount_point_name"],
            {
                "one": share(1, type_name="named"),
                "types": [kind("named", mount_point_name_support="<is> True")],
            },
            {},
        ),
        (["quota_twice"], ["quota_twice"], {"pools": FAST}, RETYPED),
        ([], [], {"pools": FAST}, {**RETYPED, "details": Details(quotas=None)}),
        (
            ["capacity_unknown"],
            ["capacity_unknown"],
            {"pools": [pool(OLD), pool(ONE, free="unknown")]},
            {},
        ),
        (
            ["filter_function"],
            ["filter_function"],
            {"pools": [pool(OLD), pool(ONE, able={"filter_function": "share.size < 9"})]},
            {},
        ),
    ],
)
def test_each_warning(by_driver, by_host, given, asked):
    found = warned(stock(**given), **asked)
    assert found[DRIVER] == ALWAYS[DRIVER] | {"fallback"} | set(by_driver)
    assert found[HOST] == ALWAYS[HOST] | set(by_host)


def test_who_tells_the_addresses_of_the_data_service_is_told_what_they_cost():
    rules = [NFS_RULE, replace(NFS_RULE, access_to="192.0.2.8")]
    told = Details(rules=rules, data_node_access_ips=["192.0.2.7"])
    (rule,) = [one for one in verdicts(stock(), details=told)[HOST].warnings if "rule" in one.code]
    assert rule.message.startswith("192.0.2.7: ")
    assert "data_access" not in warned(stock(), details=told)[HOST]
    other = replace(told, data_node_access_ips=["192.0.2.9"])
    assert warned(stock(), details=other)[HOST] == ALWAYS[HOST] - {"data_access"}


@pytest.mark.parametrize(
    ("protocol", "names"), [("CIFS", "data_node_access_admin_user"), ("HDFS", "protocol_access_")]
)
def test_what_the_data_service_needs_for_a_protocol(protocol, names):
    found = verdicts(stock(share(1, protocol=protocol)))[HOST].warnings
    assert names in next(one.message for one in found if one.code == "data_access")


def test_a_share_that_is_gone_is_blocked_and_nothing_else():
    inventory = stock()
    found = judge(inventory, Migration("gone", OLD, ONE), Details())
    assert [one.code for one in found[HOST].blockers] == ["status"]
    assert found[HOST].as_dict()["possible"] is False
    assert found[HOST].warnings == []


# -- reading ---------------------------------------------------------------------------------


class Cloud(planning.Cloud):
    """Answers about one share, too."""

    forbidden = False
    counts_new_types = True

    def instances_of(self, share_id):
        self.asked.append(f"instances of {share_id}")
        if share_id not in self.inventory.instances:
            raise NotFound("no such share")
        return self.inventory.instances[share_id]

    def snapshots_of(self, share_id):
        self.asked.append("snapshots of")
        return [Snapshot("n1", share_id, "available")]

    def access_rules(self, share_id):
        self.asked.append("rules")
        return [NFS_RULE]

    def quotas(self, project_id, share_type_id=None):
        self.asked.append(f"quotas {project_id} {share_type_id}")
        if self.forbidden:
            raise CloudError("no", 403)
        return {"shares": Quota(5, 1)}

    def qos_types(self):
        self.asked.append("qos types")
        return {"gold"}


READ = ["instances of s1", "snapshots of", "rules"]


@pytest.mark.parametrize(
    ("one", "options", "more"),
    [
        (share(1), Options(), []),
        (share(1, project_id="p"), Options(**RETYPED), ["quotas p None", "quotas p id-fast"]),
        (share(1, project_id="p"), Options(new_share_type_id="id-plain"), []),
        (share(1), Options(new_share_type_id="id-gold"), ["qos types"]),
        (share(1, share_network_id="net"), Options(), ["networks"]),
        (share(1), Options(new_share_network_id="new"), ["networks"]),
        (share(1, metadata=APART), Options(), ["instances of s8"]),
    ],
)
def test_no_more_is_read_than_counts(one, options, more):
    cloud = Cloud(stock(one, types=[QOS]))
    inventory, details = read_for_share(cloud, one, options)
    asked = cloud.asked[cloud.asked.index("share_types") + 1 :]
    assert sorted(asked) == sorted([*READ, *more])
    assert inventory.shares_by_id["s1"] == one
    assert details.rules == [NFS_RULE]
    assert set(details.neighbours) == {
        one[13:] for one in more if one.startswith("instances of s8")
    }


def test_where_a_new_type_is_not_counted_no_quota_is_read():
    cloud = Cloud(stock())
    cloud.counts_new_types = False
    _inventory, details = read_for_share(cloud, cloud.inventory.shares[0], Options(**RETYPED))
    assert details.quotas is None and not any("quotas" in one for one in cloud.asked)


def test_quotas_that_may_not_be_read_are_left_out():
    cloud = Cloud(stock())
    cloud.forbidden = True
    _inventory, details = read_for_share(cloud, cloud.inventory.shares[0], Options(**RETYPED))
    assert details.quotas == {}


def test_a_leftover_elsewhere_is_found():
    one = share(1)
    cloud = Cloud(stock(one, instances={"s1": [instance(one), instance(one, TWO, "error")]}))
    inventory, details = read_for_share(cloud, one, Options())
    assert blockers(inventory, details=details)[DRIVER] == ["instances"]


def test_a_share_without_a_place_is_known_all_the_same():
    nowhere = share(1, host="", status="error")
    cloud = Cloud(stock(nowhere))
    inventory, details = read_for_share(cloud, nowhere, Options())
    assert "status" in blockers(inventory, details=details)[DRIVER]


def test_a_new_network_is_looked_at_in_the_destination_s_zone():
    new = ShareNetwork("new", zones=frozenset({"south"}))
    inventory = tenants([aboard(1)], networks={"new": new}, data_services=(DATA,))
    services = {host: replace(one, zone="north") for host, one in inventory.services.items()}
    found = blockers(replace(inventory, services=services), new_share_network_id="new")
    assert found[DRIVER] == found[HOST] == ["share_network_subnet"]
