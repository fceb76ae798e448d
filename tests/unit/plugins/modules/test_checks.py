# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks before a migration read, and that they only read."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.manila.migration.plugins.modules import (
    share_migration_check,
    share_server_migration_check,
)
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    FORBIDDEN,
    NETWORKS,
    NEW,
    OLD,
    TYPES,
    instance,
    pool,
    read_source,
    refusal,
    server,
    share,
)

ON_SERVER = {"share_type": "type-3", "share_network_id": "n1", "share_server_id": "v1"}


WITHOUT_SERVERS = pool(OLD), pool(NEW)
WITH_SERVERS = pool(OLD, servers=True), pool(NEW, servers=True)


def codes(reasons):
    return [entry["code"] for entry in reasons]


# -- of a share ------------------------------------------------------------------------------


@pytest.fixture
def check_share(session, clock):
    def call(subject=None, pools=WITHOUT_SERVERS, check=False, rules=(), **args):
        subject = subject or share()
        in_process.open_cloud(session, clock)
        session.expect("GET", "/shares/s1", {"share": subject})
        read_source(session, clock, [subject], [instance("i1")], pools)
        session.expect("GET", "/shares/s1/instances", {"share_instances": [instance("i1")]})
        url = "/snapshots/detail?all_tenants=1&share_id=s1"
        session.expect("GET", url, {"snapshots": []})
        session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": list(rules)})
        args = {"share": "s1", "destination_pool": NEW, **args}
        run = partial(in_process.run, share_migration_check, session=session, clock=clock)
        return run(args, check=check)

    return call


@pytest.mark.parametrize("check", [False, True])
def test_a_share_that_can_move(session, check_share, check):
    result = check_share(check=check)
    assert result["host_assisted"]["possible"] and result["host_assisted"]["blockers"] == []
    assert result["driver_assisted"]["possible"]
    assert not result["changed"] and session.changes() == []
    in_process.check_complete(share_migration_check, result)


@pytest.mark.parametrize(
    ("subject", "pools", "args", "mechanism", "code"),
    [
        (share(share_group_id="g1"), WITHOUT_SERVERS, {}, "host_assisted", "share_group"),
        (share(share_type="type-2"), WITHOUT_SERVERS, {}, "driver_assisted", "type_pinned"),
        (None, [pool(OLD)], {}, "host_assisted", "pool_unknown"),
        (None, [pool(OLD), pool(NEW, free_capacity_gb=1)], {}, "host_assisted", "no_capacity"),
        (None, WITHOUT_SERVERS, {"nondisruptive": True}, "host_assisted", "driver_only"),
    ],
)
def test_a_share_that_cannot_move_has_its_reasons(
    check_share, subject, pools, args, mechanism, code
):
    result = check_share(subject, pools, **args)
    verdict = result[mechanism]
    assert not verdict["possible"] and not result.get("failed")
    assert code in codes(verdict["blockers"])


def test_a_rule_for_the_data_node_is_warned_of(check_share):
    rule = {"id": "r", "access_type": "ip", "access_to": "192.0.2.30", "access_level": "rw"}
    subject = share(share_proto="NFS")
    result = check_share(subject, rules=[rule], data_node_access_ips=["192.0.2.30"])
    assert "data_access_rule" in codes(result["host_assisted"]["warnings"])
    assert "data_access_rule" not in codes(result["driver_assisted"]["warnings"])


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({"share": "s1"}, "destination_pool"),
        ({"destination_pool": NEW}, "share"),
        ({"share": "s1", "destination_pool": "node@new"}, "destination_pool"),
    ],
)
def test_a_wrong_argument_of_a_share_is_named_before_anything_is_sent(session, clock, args, option):
    result = in_process.run(share_migration_check, args, session=session, clock=clock)
    assert result["failed"] and option in result["msg"]
    assert session.sent == []


def test_a_share_type_that_is_not_there(session, clock):
    in_process.open_cloud(session, clock)
    session.expect("GET", "/types?is_public=all", {"share_types": TYPES})
    args = {"share": "s1", "destination_pool": NEW, "new_share_type": "lead"}
    result = in_process.run(share_migration_check, args, session=session, clock=clock)
    assert result["failed"] and "'lead'" in result["msg"]


# -- of a share server -----------------------------------------------------------------------

CAPABILITIES = {
    "writable": True,
    "nondisruptive": False,
    "preserve_snapshots": True,
    "migration_cancel": True,
    "migration_get_progress": True,
    "share_network_id": "n1",
}


@pytest.fixture
def check_server(session, clock):
    def call(answer=None, status=200, subject=None, check=False, body=None, network=False, **args):
        subject = subject or server()
        servers = [subject, server("v9", host="node@new")]
        aboard = share(**ON_SERVER)
        in_process.open_cloud(session, clock)
        if network:
            url = "/share-networks/detail?all_tenants=1"
            session.expect("GET", url, {"share_networks": NETWORKS})
        session.expect("GET", "/share-servers", {"share_servers": servers})
        aboard_at = [instance("i1", share_server_id="v1")]
        read_source(session, clock, [aboard], aboard_at, WITH_SERVERS, servers)
        session.expect("GET", "/share-servers", {"share_servers": servers})
        session.expect("GET", "/share-networks/detail?all_tenants=1", {"share_networks": NETWORKS})
        session.expect("GET", "/share-groups/detail?all_tenants=1", {"share_groups": []})
        answer = answer or {"compatible": True, "supported_capabilities": CAPABILITIES}
        sent = {
            "host": "node@new",
            "writable": False,
            "nondisruptive": False,
            "preserve_snapshots": False,
            "new_share_network_id": None,
            **(body or {}),
        }
        session.expect(
            "POST", "/share-servers/v1/action", answer, status, {"migration_check": sent}
        )
        args = {"share_server": "v1", "destination_host": "node@new", **args}
        run = partial(in_process.run, share_server_migration_check, session=session, clock=clock)
        return run(args, check=check)

    return call


@pytest.mark.parametrize("check", [False, True])
def test_a_share_server_that_can_move(check_server, check):
    asked = {"writable": True, "preserve_snapshots": True}
    result = check_server(body=asked, check=check, **asked)
    assert result["compatible"] and result["blockers"] == [] and not result["changed"]
    assert result["supported_capabilities"] == CAPABILITIES
    assert result["requested_capabilities"] == {
        "host": "node@new",
        "writable": True,
        "preserve_snapshots": True,
        "nondisruptive": False,
        "share_network_id": None,
    }
    # What should be known before is a warning of Ansible, too.
    assert codes(result["cautions"]) == ["disruptive"] and len(result["warnings"]) == 1
    in_process.check_complete(share_server_migration_check, result)


def test_a_new_share_network_is_asked_for_by_its_id(check_server):
    body = {"new_share_network_id": "n2"}
    answer = {
        "compatible": True,
        "supported_capabilities": {**CAPABILITIES, "share_network_id": "n2"},
    }
    result = check_server(answer, body=body, network=True, new_share_network="other")
    assert result["requested_capabilities"]["share_network_id"] == "n2" and result["compatible"]


def test_a_capability_that_the_drivers_lack_is_named(check_server):
    answer = {"compatible": False, "supported_capabilities": CAPABILITIES}
    result = check_server(answer, body={"nondisruptive": True}, nondisruptive=True)
    assert not result["compatible"] and not result.get("failed")
    assert any("nondisruptive" in entry["message"] for entry in result["blockers"])


@pytest.mark.parametrize("status", [400, 404, 409])
def test_the_refusal_of_the_check_is_an_answer(check_server, status):
    result = check_server(refusal("It is related to share groups", status), status)
    assert not result["compatible"] and codes(result["blockers"]) == ["refused"]
    assert result["supported_capabilities"] == {} and not result.get("failed")


def test_what_is_known_to_be_in_the_way_is_not_told_twice(check_server):
    subject = server(status="error")
    result = check_server(refusal("It is in error", 409), 409, subject=subject)
    assert not result["compatible"] and "refused" not in codes(result["blockers"])
    assert codes(result["blockers"])


def test_what_is_seen_here_counts_where_manila_says_yes(check_server):
    result = check_server(subject=server(status="error"))
    assert not result["compatible"] and result["blockers"]
    assert result["supported_capabilities"] == CAPABILITIES


def test_a_check_that_is_forbidden_is_a_failure(check_server):
    result = check_server(FORBIDDEN, 403)
    assert result["failed"] and result["status_code"] == 403


@pytest.mark.parametrize("destination", ["array9", "node@new#pool"])
def test_a_destination_that_is_no_back_end(session, clock, destination):
    args = {"share_server": "v1", "destination_host": destination}
    result = in_process.run(share_server_migration_check, args, session=session, clock=clock)
    assert result["failed"] and result["msg"].startswith(f"destination_host: '{destination}'")
    assert session.sent == []


def test_a_share_server_or_a_network_that_is_not_there(session, clock):
    args = {"share_server": "v1", "destination_host": "node@new"}
    run = partial(in_process.run, share_server_migration_check, session=session, clock=clock)
    in_process.open_cloud(session, clock)
    session.expect("GET", "/share-servers", {"share_servers": []})
    result = run(args)
    assert result["failed"] and "'v1'" in result["msg"]
    in_process.open_cloud(session, clock)
    session.expect("GET", "/share-networks/detail?all_tenants=1", {"share_networks": NETWORKS})
    result = run({**args, "new_share_network": "none"})
    assert result["failed"] and "'none'" in result["msg"]
