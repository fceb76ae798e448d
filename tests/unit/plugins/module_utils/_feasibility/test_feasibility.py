# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules, one by one and all at once."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import CODES
from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    options_conflict,
    plan_blockers,
    plan_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.pool import (
    pool_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share import (
    share_blockers,
    warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    CAPABILITIES,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.start import (
    start_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model import places
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Pool,
    Service,
    Share,
    ShareType,
    Snapshot,
)

SOURCE = "node@old#pool"
TARGET = "node@new#pool"

SHARE = Share("id-1", "data", 10, SOURCE, "available", protocol="NFS", share_type_id="plain")
PLAIN = ShareType("plain", "plain", {"driver_handles_share_servers": "False"})
SERVERS = ShareType("servers", "servers", {"driver_handles_share_servers": "True"})
POOL = Pool(
    TARGET,
    100,
    50,
    capabilities={
        "driver_handles_share_servers": False,
        "storage_protocol": "NFS_CIFS",
        "share_backend_name": "NEW",
    },
)
SERVICE = Service("manila-share", "node@new", "enabled", "up", zone="north")
OWN = Service("manila-share", "node@old", "enabled", "up", zone="north")
KEPT = [Snapshot("n1", "s1", "available", "nightly")]
NOTHING = Options()
HOST = Options(force_host_assisted_migration=True)


def instance(host=SOURCE, status="available", **more):
    return Instance(f"{host}-{status}", SHARE.id, host, status, **more)


def codes(reasons):
    return [reason.code for reason in reasons]


def typed(**specs):
    return ShareType("t", "t", {"driver_handles_share_servers": "False", **specs})


# -- the share -------------------------------------------------------------------------------


AT_SOURCE = (instance(),)


def blockers(share=SHARE, instances=AT_SOURCE, snapshots=(), options=NOTHING, kind=PLAIN):
    return share_blockers(share, instances, snapshots, options, kind)


def test_a_healthy_share_has_no_blocker():
    assert blockers() == []


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("replicas", {"share": replace(SHARE, has_replicas=True)}),
        (
            "replicas",
            {
                "instances": (
                    instance(replica_state="active"),
                    instance("node@b#p", replica_state="in_sync"),
                )
            },
        ),
        ("share_group", {"share": replace(SHARE, share_group_id="g")}),
        ("status", {"share": replace(SHARE, status="error")}),
        ("access_rules_error", {"share": replace(SHARE, access_rules_status="error")}),
        ("soft_deleted", {"share": replace(SHARE, is_soft_deleted=True)}),
        ("instances", {"instances": (instance(), instance("node@b#p", "error"))}),
        ("busy", {"share": replace(SHARE, task_state="data_copying_in_progress")}),
        ("busy", {"share": replace(SHARE, task_state="migration_starting")}),
        ("snapshots", {"snapshots": KEPT * 2, "options": HOST}),
        (
            "snapshots",
            {
                "snapshots": [Snapshot("n2", "s1", "error")],
                "options": Options(preserve_metadata=True),
            },
        ),
        ("no_share_type", {"kind": None}),
        ("options_conflict", {"options": replace(HOST, writable=True)}),
        ("share_network", {"kind": SERVERS}),
        ("share_network", {"options": Options(new_share_network_id="n")}),
        (
            "size_limit",
            {
                "kind": typed(**{"provisioning:max_share_size": "9"}),
                "options": Options(new_share_type_id="t"),
            },
        ),
        (
            "size_limit",
            {
                "kind": typed(**{"provisioning:min_share_size": "11"}),
                "options": Options(new_share_type_id="t"),
            },
        ),
    ],
)
def test_each_blocker_of_a_share_alone(code, given):
    assert codes(blockers(**given)) == [code]


@pytest.mark.parametrize(
    "given",
    [
        # A replica type with one copy, an old end, a failed backup, rules being applied.
        {"instances": (instance(replica_state="active"),)},
        {"share": replace(SHARE, task_state="migration_success")},
        {"share": replace(SHARE, task_state="migration_error")},
        {"share": replace(SHARE, task_state="data_copying_error")},
        {"share": replace(SHARE, access_rules_status="syncing")},
        {"snapshots": KEPT * 2},
        # A driver can move it, and the Data Service need not.
        {"share": replace(SHARE, protocol="CEPHFS")},
        {"kind": SERVERS, "options": Options(new_share_network_id="n")},
        {"kind": SERVERS, "share": replace(SHARE, share_network_id="n")},
        {"share": replace(SHARE, share_type_id=None), "options": Options(new_share_type_id="t")},
        # Limits count for a new type only, and the limits themselves are allowed.
        {"kind": typed(**{"provisioning:max_share_size": "9"})},
        {
            "kind": typed(
                **{"provisioning:max_share_size": "10", "provisioning:min_share_size": "10"}
            ),
            "options": Options(new_share_type_id="t"),
        },
    ],
)
def test_what_does_not_block_a_share(given):
    assert blockers(**given) == []


def test_all_blockers_of_a_share_at_once():
    share = replace(
        SHARE,
        has_replicas=True,
        share_group_id="g",
        status="error",
        access_rules_status="error",
        is_soft_deleted=True,
        task_state="data_copying_starting",
    )
    found = blockers(
        share,
        (instance(replica_state="active"), instance("b@b#p", "error")),
        KEPT,
        Options(force_host_assisted_migration=True, writable=True, new_share_type_id="t"),
        ShareType(
            "t",
            "t",
            {"driver_handles_share_servers": "True", "provisioning:max_share_size": "9"},
        ),
    )
    assert set(codes(found)) == {
        "replicas",
        "share_group",
        "status",
        "access_rules_error",
        "soft_deleted",
        "busy",
        "instances",
        "snapshots",
        "options_conflict",
        "size_limit",
        "share_network",
    }


def test_every_code_that_the_planner_uses_is_documented():
    # Two kinds of codes are put together.
    used = {"capability", *(f"not_{name}" for name in CAPABILITIES)}
    packages = Path(places.__file__).parents[1]
    for package in ("_model", "_scheduler", "_feasibility", "_planner"):
        for path in (packages / package).glob("*.py"):
            used |= set(re.findall(r'Reason\(\s*"([a-z_]+)"', path.read_text(encoding="utf-8")))
    assert used == set(CODES)
    assert all(meaning.endswith(".") for meaning in CODES.values())


def test_messages_are_fragments():
    for found in (blockers(kind=None), blockers(kind=SERVERS), warnings(SHARE, KEPT, Options())):
        assert not any(reason.message.endswith(".") for reason in found)


@pytest.mark.parametrize(
    "flag", ["writable", "nondisruptive", "preserve_metadata", "preserve_snapshots"]
)
def test_flags_conflict_with_a_forced_host_assisted_migration_only(flag):
    assert options_conflict(Options(**{flag: True})) is None
    assert options_conflict(HOST) is None
    conflict = options_conflict(replace(HOST, **{flag: True}))
    assert conflict is not None
    assert flag in conflict.message


@pytest.mark.parametrize(
    ("snapshots", "options", "expected"),
    [
        ([], Options(), ["read_only"]),
        ([], Options(writable=True), []),
        ([], HOST, ["read_only"]),
        (KEPT, Options(), ["read_only", "snapshots"]),
        (KEPT, Options(preserve_metadata=True), ["read_only", "snapshots"]),
        (KEPT, Options(preserve_snapshots=True), ["read_only"]),
        (KEPT, HOST, ["read_only"]),
    ],
)
def test_warnings(snapshots, options, expected):
    assert codes(warnings(SHARE, snapshots, options)) == expected


def test_the_fallback_is_named_where_it_can_happen():
    assert "falls back" in warnings(SHARE, [], Options())[0].message
    assert "falls back" not in warnings(SHARE, [], Options(preserve_metadata=True))[0].message


def test_a_key_that_is_lost_is_warned_of():
    share = replace(SHARE, is_encrypted=True)
    assert codes(warnings(share, [], Options(writable=True))) == ["encryption"]


# -- the pool --------------------------------------------------------------------------------


def refusals(kind=PLAIN, pool=POOL, service=SERVICE, options=NOTHING, share=SHARE):
    return pool_blockers(share, kind, pool, service, options, SOURCE)


def able(**more):
    return replace(POOL, capabilities={**POOL.capabilities, **more})


def test_a_good_pool_has_no_blocker():
    assert refusals() == []


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("same_pool", {"pool": replace(POOL, name=SOURCE)}),
        ("service_missing", {"service": None}),
        ("service_disabled", {"service": replace(SERVICE, status="disabled")}),
        ("service_down", {"service": replace(SERVICE, state="down")}),
        ("service_down", {"service": replace(SERVICE, fresh=False)}),
        ("type_pinned", {"kind": typed(share_backend_name="OLD")}),
        ("type_pinned", {"kind": typed(**{"capabilities:share_backend_name": "OLD"})}),
        ("share_servers", {"kind": SERVERS}),
        ("share_servers", {"pool": able(driver_handles_share_servers=True)}),
        ("protocol", {"share": replace(SHARE, protocol="CEPHFS")}),
        ("protocol", {"kind": typed(storage_protocol="CIFS")}),
        ("capability", {"kind": typed(dedupe="<is> True")}),
        ("capability", {"kind": typed(default_qos_type="gold")}),
        (
            "capability",
            {"kind": typed(replication_type="dr"), "pool": able(replication_type="dr")},
        ),
        ("availability_zone", {"kind": typed(availability_zones="south,east")}),
    ],
)
def test_each_blocker_of_a_pool_alone(code, given):
    assert codes(refusals(**given)) == [code]


@pytest.mark.parametrize(
    "given",
    [
        {"kind": typed(share_backend_name="new")},
        {"kind": typed(share_backend_name="<or> OLD <or> NEW")},
        {"kind": typed(availability_zones="south,north")},
        {"kind": typed(availability_zones="south"), "service": replace(SERVICE, zone=None)},
        {"kind": typed(**{"vendor:shelf": "7", "capabilities:availability_zones": "x"})},
        {"kind": typed(dedupe="True"), "pool": able(dedupe=[False, True])},
        # A boolean spec compares as a truth value although the driver reports a text.
        {"kind": typed(snapshot_support="True"), "pool": able(snapshot_support="yes")},
        {"kind": typed(**{"capabilities:disk:kind": "ssd"}), "pool": able(disk={"kind": "SSD"})},
        {"share": replace(SHARE, protocol="CIFS"), "pool": able(storage_protocol=["NFS", "CIFS"])},
        {
            "kind": typed(replication_type="dr"),
            "pool": able(replication_type="dr", replication_domain="d"),
        },
        {"kind": typed(default_qos_type="gold"), "pool": able(qos_type_support=True)},
        {
            "pool": replace(POOL, name=SOURCE),
            "options": Options(new_share_type_id="t"),
        },
    ],
)
def test_what_does_not_block_a_pool(given):
    assert refusals(**given) == []


def test_all_blockers_of_a_pool_at_once():
    found = refusals(
        ShareType(
            "t",
            "t",
            {
                "driver_handles_share_servers": "True",
                "share_backend_name": "OLD",
                "dedupe": "True",
                "availability_zones": "south",
            },
        ),
        replace(POOL, name=SOURCE),
        replace(SERVICE, status="disabled", state="down", disabled_reason="firmware"),
        share=replace(SHARE, protocol="HDFS"),
    )
    assert set(codes(found)) == {
        "same_pool",
        "service_disabled",
        "service_down",
        "availability_zone",
        "type_pinned",
        "share_servers",
        "protocol",
        "capability",
    }
    assert any("firmware" in reason.message for reason in found)


def test_a_pinned_type_says_what_to_do():
    (reason,) = refusals(typed(share_backend_name="OLD"))
    assert "share_type_map" in reason.message
    assert "new_share_type" in reason.message
    assert "'OLD'" in reason.message


# -- one migration ---------------------------------------------------------------------------


def stock(share=SHARE, **more):
    return Inventory(
        **{
            "shares": [share],
            "instances": {share.id: [instance()]},
            "pools": [POOL],
            "services": {"node@old": OWN, "node@new": SERVICE},
            "share_types": {"plain": PLAIN, "servers": SERVERS},
            **more,
        }
    )


def wish(destination=TARGET, **options):
    return Migration(SHARE.id, SOURCE, destination, options=Options(**options))


def test_one_migration_that_can_start():
    assert start_blockers(stock(), wish()) == []


@pytest.mark.parametrize(
    ("inventory", "migration", "expected"),
    [
        (stock(), wish("node@new#nowhere"), ["pool_unknown"]),
        (stock(), Migration("gone", SOURCE, TARGET), ["status"]),
        (stock(replace(SHARE, status="error")), wish(None), ["status"]),
        (stock(replace(SHARE, size_gb=51)), wish(), ["no_capacity"]),
        (stock(), wish(new_share_type_id="servers"), ["share_network", "share_servers"]),
        (stock(share_types={}), wish(), ["no_share_type"]),
        (stock(services={"node@old": OWN}), wish(), ["service_missing"]),
        (
            stock(replace(SHARE, status="error", size_gb=51), services={"node@old": OWN}),
            wish(),
            ["status", "service_missing", "no_capacity"],
        ),
    ],
)
def test_one_migration_with_all_that_blocks_it(inventory, migration, expected):
    assert codes(start_blockers(inventory, migration)) == expected


def test_what_is_in_flight_counts_for_one_migration():
    busy = replace(SHARE, status="migrating", task_state="migration_starting", size_gb=8)
    other = replace(SHARE, id="id-2", size_gb=43)
    inventory = stock(
        other,
        shares=[other, busy],
        instances={
            busy.id: [instance(status="migrating"), instance(TARGET, "migrating_to")],
            other.id: [replace(instance(), share_id=other.id)],
        },
    )
    migration = Migration("id-2", SOURCE, TARGET)
    assert codes(start_blockers(inventory, migration)) == ["no_capacity"]
    free = replace(inventory, shares=[replace(other, size_gb=42), busy])
    assert start_blockers(free, migration) == []


# -- a plan ----------------------------------------------------------------------------------

DATA = Service("manila-data", "node", "enabled", "up")
DEAD = replace(DATA, state="down")


@pytest.mark.parametrize(
    ("services", "mechanism", "blocking", "warning"),
    [
        ((DATA,), "auto", [], []),
        ((DATA,), "host", [], []),
        ((), "auto", [], ["data_service_missing"]),
        ((), "host", ["data_service_missing"], []),
        ((), "driver", [], []),
        ((DEAD,), "auto", [], ["data_service_down"]),
        ((DEAD,), "host", ["data_service_down"], []),
        ((DATA, replace(DATA, host="b")), "host", [], ["data_service_several"]),
        ((DATA, replace(DATA, host="b")), "driver", [], []),
        ((replace(DATA, status="disabled"),), "auto", [], ["data_service_disabled"]),
        (None, "host", [], []),
    ],
)
def test_what_to_know_of_a_plan(services, mechanism, blocking, warning):
    inventory = stock(data_services=services)
    assert codes(plan_blockers(inventory, mechanism)) == blocking
    assert codes(plan_warnings(inventory, "node@old", mechanism)) == warning


@pytest.mark.parametrize("source", ["node@old", SOURCE])
def test_a_source_that_is_down_is_told(source):
    inventory = stock(services={"node@old": replace(OWN, state="down")})
    assert codes(plan_warnings(inventory, source, "driver")) == ["service_down"]
    disabled = stock(services={"node@old": replace(OWN, status="disabled")})
    assert plan_warnings(disabled, source, "driver") == []


def test_what_only_a_driver_can_move_is_warned_of_where_manila_would_go_on():
    share = replace(SHARE, protocol="CEPHFS")
    assert codes(warnings(share, [], Options())) == ["read_only", "data_access"]
    assert codes(warnings(share, [], Options(preserve_metadata=True))) == ["read_only"]
    assert codes(blockers(share, options=HOST)) == ["data_access"]
