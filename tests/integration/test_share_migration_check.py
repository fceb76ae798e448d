# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module share_migration_check, and whether Manila agrees with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import (
    ALPHA,
    BETA,
    FILES1,
    FILES2,
    GAMMA,
    SERVERS2,
    Ansible,
    Manila,
    migrate,
    sandbox,
    wait_for,
)
from manilaclient import exceptions

FLAGS = (
    "force_host_assisted_migration",
    "preserve_metadata",
    "writable",
    "nondisruptive",
    "preserve_snapshots",
)
COPIED = ("migration_driver_phase1_done", "data_copying_completed")


def check(**arguments: Any) -> dict[str, Any]:
    """A task that asks."""
    return {"manila.migration.share_migration_check": arguments, "ignore_errors": True}


def codes(result: dict[str, Any], way: str, what: str = "blockers") -> set[str]:
    """The codes that were given for one way."""
    return {one["code"] for one in result[way][what]}


def starts(manila: Manila, share: str, destination_pool: str, **options: Any) -> bool:
    """Start a migration past the collection, and see whether Manila brings it to its cutover."""
    flags = [options.pop(name, False) for name in FLAGS]
    try:
        manila.api.shares.migration_start(share, destination_pool, *flags, **options)
    except exceptions.ClientException:
        return False
    ends = (*COPIED, "migration_error")
    wait_for(lambda: manila.share(share).task_state in ends)
    return manila.share(share).task_state in COPIED


@pytest.fixture
def poor(manila: Manila) -> Iterator[str]:
    """A share type of which nobody may have a share."""
    (share_type,) = [one for one in manila.api.share_types.list() if one.name == "replacement"]
    project = manila.api.client.session.get_project_id()
    manila.api.quotas.update(project, shares=0, share_type=share_type.name)
    yield str(share_type.id)
    manila.api.quotas.delete(project, share_type=share_type.name)


def test_manila_refuses_what_is_blocked(manila: Manila, ansible: Ansible, poor: str) -> None:
    names = ["plain", "retyped", "kept", "broken"]
    made = dict(zip(names, manila.create_all(names, ALPHA), strict=True))
    made["pinned"] = manila.create("pinned", ALPHA, share_type="pinned-alpha")
    made["big"] = manila.create("big", ALPHA, 58)
    for name in ("kept", "broken"):
        snapshot = manila.api.share_snapshots.create(made[name], name=f"snapshot of {name}")
        wait_for(lambda one=snapshot: manila.api.share_snapshots.get(one).status == "available")
        if name == "broken":
            manila.api.share_snapshots.reset_state(snapshot, "error")
    far = manila.create("far", BETA)
    hints = {"only_host": ALPHA, "different_host": far}
    made["shy"] = manila.api.shares.create(
        "NFS", 1, name="shy", share_type="standard", scheduler_hints=hints
    ).id
    wait_for(lambda: manila.share(made["shy"]).status == "available")
    network = manila.api.share_networks.create(name="of nobody").id
    forced = {"force_host_assisted_migration": True}
    cases: list[tuple[str, str, dict[str, Any], set[str], set[str]]] = [
        ("pinned", GAMMA, {}, {"type_pinned"}, {"type_pinned"}),
        ("big", BETA, {}, {"no_capacity"}, {"no_capacity"}),
        ("shy", BETA, {}, {"affinity"}, {"affinity"}),
        ("plain", "sandbox@beta#nowhere", {}, {"pool_unknown"}, {"pool_unknown"}),
        ("plain", f"{SERVERS2}#gold", {}, {"share_servers"}, {"share_servers"}),
        ("plain", FILES2, {}, {"capability"}, {"capability"}),
        ("plain", GAMMA, {"new_share_network_id": network}, {"share_network"}, {"share_network"}),
        ("kept", BETA, forced, {"host_forced"}, {"snapshots"}),
        ("broken", BETA, {}, {"snapshots"}, {"snapshots"}),
        ("broken", BETA, {"preserve_snapshots": True}, {"snapshots"}, {"snapshots", "driver_only"}),
        ("plain", BETA, {**forced, "writable": True}, {"options_conflict"}, {"options_conflict"}),
    ]
    retyped = ("retyped", BETA, {"new_share_type_id": poor}, {"quota"}, {"quota"})
    cases += [retyped] if manila.counts_new_types else []
    world = manila.snapshot_of_world()
    results = ansible.tasks(
        *(
            check(share=made[name], destination_pool=pool, **options)
            for name, pool, options, _driver, _host in cases
        )
    ).results
    assert manila.snapshot_of_world() == world
    for result, (name, pool, options, driver, host) in zip(results, cases, strict=True):
        case = (name, pool, options, result)
        assert not result.get("failed") and not result["changed"], case
        assert codes(result, "driver_assisted") == driver, case
        assert codes(result, "host_assisted") == host, case
        assert not starts(manila, made[name], pool, **options), case
        wait_for(lambda name=name: manila.share(made[name]).status == "available")
    if not manila.counts_new_types:
        assert starts(manila, made["retyped"], BETA, new_share_type_id=poor)
    assert "snapshot of broken" in str(results[8]["host_assisted"]["blockers"])
    assert all(manila.share(one).host == ALPHA for one in made.values())


def test_what_is_possible_succeeds(manila: Manila, ansible: Ansible) -> None:
    manila.create("plain", ALPHA, share_type="pinned-alpha")
    papers = manila.create("papers", FILES1, share_type="files")
    manila.api.shares.allow(papers, "ip", "127.0.0.1", "rw")
    wait_for(lambda: manila.share(papers).access_rules_status == "active")
    to_gamma = {"share": "plain", "destination_pool": GAMMA, "new_share_type": "replacement"}
    to_files = {"share": papers, "destination_pool": FILES2, "force_host_assisted_migration": True}
    by_driver, copied, by_host, untold, moved = ansible.tasks(
        check(**to_gamma, preserve_metadata=True),
        migrate(**to_gamma, preserve_metadata=True),
        check(**to_files, data_node_access_ips=["127.0.0.1"]),
        check(**to_files),
        migrate(**to_files, state="completed"),
    ).results
    assert by_driver["driver_assisted"]["possible"]
    assert codes(by_driver, "host_assisted") == {"driver_only"}
    assert codes(by_driver, "driver_assisted", "warnings") == {
        "driver_unknown",
        "read_only",
        "disruptive",
        *(["quota_twice"] if manila.counts_new_types else []),
    }
    assert copied["migration"]["phase"] == "copied", copied
    assert codes(by_host, "driver_assisted") == {"host_forced"}
    assert by_host["host_assisted"]["possible"]
    told = {one["code"]: one["message"] for one in by_host["host_assisted"]["warnings"]}
    assert set(told) == {"read_only", "data_access_rule", "not_copied", "disruptive"}
    assert told["data_access_rule"].startswith("127.0.0.1: ")
    told = {one["code"]: one["message"] for one in untold["host_assisted"]["warnings"]}
    assert "data_node_access_ips" in told["data_access"]
    assert "192.0.2.10" in told["data_access_rule"] and "127.0.0.1" in told["data_access_rule"]
    assert moved["migration"]["phase"] == "completed", moved
    # The check warned of it: Manila took a client's rule for its own.
    assert manila.rules(papers) == [("ip", "192.0.2.10", "rw")]


def test_services_that_are_needed(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("plain", ALPHA)
    manila.api.services.disable("sandbox@gamma", "manila-share")
    manila.api.services.disable("sandbox@alpha", "manila-share")
    forced = {"force_host_assisted_migration": True}
    manila.stop("manila-data")
    try:
        without, refused, disabled = ansible.tasks(
            check(share=share, destination_pool=BETA),
            migrate(share=share, destination_pool=BETA, **forced),
            check(share=share, destination_pool=GAMMA),
        ).results
    finally:
        sandbox("start", "manila-data")
    assert without["driver_assisted"]["possible"]
    assert codes(without, "host_assisted") == {"data_service_down"}
    assert refused["failed"] and "manila-data" in refused["msg"]
    assert codes(disabled, "driver_assisted") == {"service_disabled"}
    assert not starts(manila, share, GAMMA)
    manila.stop("manila-share@alpha")
    try:
        dead, refused = ansible.tasks(
            check(share=share, destination_pool=BETA), migrate(share=share, destination_pool=BETA)
        ).results
    finally:
        sandbox("start", "manila-share@alpha")
    assert codes(dead, "driver_assisted") == codes(dead, "host_assisted") == {"service_down"}
    assert refused["failed"] and "its own back end sandbox@alpha is down" in refused["msg"]
    assert manila.share(share).task_state is None


def test_share_networks(manila: Manila, ansible: Ansible) -> None:
    manila.create_server("tenant", "web")
    narrow = manila.api.share_networks.create(name="narrow")
    broken = manila.api.share_networks.create(name="broken")
    manila.api.share_networks.reset_state(broken, "error")
    pool = f"{SERVERS2}#gold"
    kept, elsewhere, inactive = ansible.tasks(
        check(share="web", destination_pool=pool),
        check(share="web", destination_pool=pool, new_share_network="narrow"),
        check(share="web", destination_pool=pool, new_share_network="broken"),
    ).results
    assert kept["driver_assisted"]["possible"], kept
    assert codes(inactive, "driver_assisted") == codes(inactive, "host_assisted")
    assert codes(inactive, "driver_assisted") == {"share_network"}
    # A share network is made with a default subnet.
    assert elsewhere["driver_assisted"]["possible"], elsewhere
    share = manila.api.shares.list(search_opts={"name": "web"})[0].id
    assert not starts(manila, share, pool, new_share_network_id=broken.id)
    assert starts(manila, share, pool, new_share_network_id=narrow.id)


def test_bad_arguments_are_told(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("plain", ALPHA)
    expected = [
        ({"destination_pool": "sandbox@beta"}, "write it as host@backend#pool"),
        ({"destination_pool": BETA, "share": "nope"}, "no share with the name or ID 'nope'"),
        ({"destination_pool": BETA, "new_share_type": "nope"}, "no share type 'nope'"),
        ({"destination_pool": BETA, "new_share_network": "nope"}, "no share network"),
        ({"destination_pool": BETA, "cloud": "sandbox-member"}, "admin role"),
    ]
    results = ansible.tasks(
        *(check(**{"share": share, **arguments}) for arguments, _text in expected)
    ).results
    for result, (arguments, text) in zip(results, expected, strict=True):
        assert result["failed"] and text in result["msg"], (arguments, result)
        assert "\n" not in result["msg"]
