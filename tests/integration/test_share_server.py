# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Share servers: the modules for one, their failures and repairs, and a back end of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import (
    CLOUD,
    PATIENCE,
    SERVERS1,
    SERVERS2,
    SERVERS3,
    Ansible,
    Manila,
    sandbox,
    wait_for,
)


def move(server: str, **arguments: Any) -> dict[str, Any]:
    """A task of share_server_migration, impatient and allowed to fail."""
    return {
        "manila.migration.share_server_migration": {
            "share_server": server,
            "poll_interval": 0.5,
            "timeout": PATIENCE,
            **arguments,
        },
        "ignore_errors": True,
    }


def repair(server: str, **arguments: Any) -> dict[str, Any]:
    """A task of migration_repair, the same."""
    return {
        "manila.migration.migration_repair": {
            "share_server": server,
            "poll_interval": 0.5,
            "timeout": PATIENCE,
            **arguments,
        },
        "ignore_errors": True,
    }


def check(server: str, **arguments: Any) -> dict[str, Any]:
    return {
        "manila.migration.share_server_migration_check": {
            "share_server": server,
            "destination_host": SERVERS2,
            **arguments,
        }
    }


def codes(reasons: list[dict[str, str]]) -> list[str]:
    return [one["code"] for one in reasons]


def is_whole(manila: Manila, server: str, shares: int) -> bool:
    """Whether a share server and everything on it is in use."""
    found = manila.shares_on(server)
    return (
        manila.server(server).status == "active"
        and len(found) == shares
        and all(one.status == "available" for one in found)
    )


def test_two_phases_each_asked_twice(manila: Manila, ansible: Ansible) -> None:
    server = manila.create_server("tenant", "web", "mail")
    snapshot = manila.api.share_snapshots.create(manila.shares_on(server)[0], name="kept").id
    wait_for(lambda: manila.api.share_snapshots.get(snapshot).status == "available")
    where = {"destination_host": SERVERS2, "preserve_snapshots": True, "writable": True}
    checked, copied, info, again, moved, over, by_new_id = ansible.tasks(
        check(server, preserve_snapshots=True, writable=True),
        move(server, **where),
        {"manila.migration.share_server_migration_info": {"with_progress": True}},
        move(server, **where),
        move(server, **where, state="completed"),
        move(server, **where, state="completed"),
        {"manila.migration.share_server_migration_info": {"share_server": [server]}},
    ).results
    assert checked["compatible"] and checked["blockers"] == []
    assert checked["requested_capabilities"]["host"] == SERVERS2
    assert checked["supported_capabilities"]["migration_cancel"] is True
    assert codes(checked["cautions"]) == ["disruptive"]

    record = copied["migration"]
    assert copied["changed"] and record["phase"] == "copied" and record["mechanism"] == "driver"
    assert (record["source"], record["destination"]) == (SERVERS1, SERVERS2)
    assert record["size_gb"] == 2
    assert [one["id"] for one in info["migrations"]] == [server]
    running = info["migrations"][0]
    assert running["phase"] == "copied" and running["progress"] == 100
    assert [one["name"] for one in running["shares"]] == ["mail", "web"]
    assert [(one["host"], one["status"]) for one in running["servers"]] == [
        (SERVERS1, "server_migrating"),
        (SERVERS2, "server_migrating_to"),
    ] or len(running["servers"]) == 2
    assert not again["changed"] and again["migration"]["phase"] == "copied"

    done = moved["migration"]
    assert moved["changed"] and done["phase"] == "completed" and done["error"] is None
    new = done["destination_share_server_id"]
    assert new == record["destination_share_server_id"] == running["destination_share_server_id"]
    for one in done["shares"]:
        assert one["export_locations_before"] and one["export_locations_after"]
        assert set(one["export_locations_before"]).isdisjoint(one["export_locations_after"])
    assert not over["changed"] and over["migration"]["phase"] == "completed"
    assert over["migration"]["export_locations_after"] == done["export_locations_after"]
    assert by_new_id["migrations"][0]["destination_share_server_id"] == new

    # The source is gone, and everything is at the destination.
    assert manila.server(server) is None
    assert is_whole(manila, new, shares=2)
    for share in manila.shares_on(new):
        assert share.host.startswith(f"{SERVERS2}#")
        assert manila.rules(share.id) == [("ip", "192.0.2.10", "rw")]
    assert manila.api.share_snapshots.get(snapshot).status == "available"
    # Asked with its new ID, it is there already.
    assert not ansible.tasks(move(new, destination_host=SERVERS2)).last["changed"]


def test_cancel_brings_all_back_and_repair_removes_what_is_left(
    manila: Manila, ansible: Ansible
) -> None:
    sandbox("speed", "--copy-seconds", "600")
    server = manila.create_server("tenant", "web", "mail")
    step, copying, cancelled, again, idle = ansible.tasks(
        move(server, destination_host=SERVERS2, wait=False),
        move(server, destination_host=SERVERS2, timeout=6),
        move(server, state="cancelled"),
        move(server, state="cancelled"),
        repair(server),
    ).results
    assert step["changed"] and step["migration"]["phase"] == "copying"
    assert copying["failed"] and not copying["changed"] and "is copying" in copying["msg"]
    assert cancelled["changed"] and cancelled["migration"]["phase"] == "cancelled"
    assert not again["changed"]
    assert is_whole(manila, server, shares=2)
    assert idle["diagnosis"]["code"] == "cancelled" and idle["diagnosis"]["safe"]
    left = {one["id"] for one in idle["diagnosis"]["resources"] if one.get("role") == "destination"}
    if left:
        assert idle["diagnosis"]["procedure"][-1] == f"delete share server {left.pop()}"
        mended, clean = ansible.tasks(repair(server, state="repaired"), repair(server)).results
        assert mended["changed"] and clean["diagnosis"]["procedure"] == []
    assert [one.id for one in manila.servers()] == [server]


def test_a_failure_in_the_first_phase(manila: Manila, ansible: Ansible) -> None:
    server = manila.create_server("tenant", "web")
    # The destination's manila-share drives it all.
    sandbox("fail", "share_server_migration_start", "servers2")
    sandbox("fail", "share_server_migration_continue", "servers3")
    at_start, first, in_copy, asked, mended, nothing = ansible.tasks(
        move(server, destination_host=SERVERS2),
        repair(server),
        move(server, destination_host=SERVERS3),
        repair(server),
        repair(server, state="repaired"),
        repair(server, state="repaired"),
    ).results
    for failed in (at_start, in_copy):
        assert failed["failed"] and failed["migration"]["phase"] == "failed"
        assert "'migration_error'" in failed["msg"] and "active again" in failed["msg"]
    assert first["diagnosis"]["code"] == asked["diagnosis"]["code"] == "phase1_failed"
    assert first["diagnosis"]["safe"] and asked["diagnosis"]["safe"]
    assert "log of the destination's manila-share" in asked["diagnosis"]["message"]
    # The one that failed in the copy leaves its destination behind.
    left = [one for one in asked["diagnosis"]["resources"] if one.get("role") == "destination"]
    assert [(one["host"], one["status"]) for one in left] == [(SERVERS3, "error")]
    assert mended["changed"] and mended["actions"] == [f"delete share server {left[0]['id']}"]
    assert not nothing["changed"] and nothing["diagnosis"]["procedure"] == []
    assert is_whole(manila, server, shares=1)
    assert [one.id for one in manila.servers()] == [server]


def test_a_failure_in_the_second_phase(manila: Manila, ansible: Ansible) -> None:
    server = manila.create_server("tenant", "web")
    share = manila.shares_on(server)[0].id
    snapshot = manila.api.share_snapshots.create(share, name="kept").id
    wait_for(lambda: manila.api.share_snapshots.get(snapshot).status == "available")
    sandbox("fail", "share_server_migration_complete")
    failed, again, asked, refused, rehearsed = ansible.tasks(
        move(server, destination_host=SERVERS2, state="completed"),
        move(server, destination_host=SERVERS2, state="completed"),
        repair(server),
        repair(server, state="repaired"),
        {**repair(server, state="repaired", good_copy="source"), "check_mode": True},
    ).results
    for run in (failed, again):
        assert run["failed"] and "which copy is good" in run["msg"]
        assert "migration_repair" in run["msg"] and run["migration"]["phase"] == "failed"
    assert failed["changed"] and not again["changed"]
    found = asked["diagnosis"]
    assert (found["code"], found["safe"]) == ("phase2_failed", False)
    assert {(one["kind"], one["status"]) for one in found["resources"]} == {
        ("share_server", "error"),
        ("share_instance", "error"),
        ("snapshot", "error"),
    }
    assert len(found["resources"]) == 4
    # Nobody said which copy is good, so nothing was done.
    assert refused["failed"] and refused["actions"] == [] and not refused["changed"]
    assert rehearsed["changed"] and rehearsed["actions"] == found["procedure"]
    assert manila.server(server).status == "error"

    sandbox("fail", "share_server_migration_complete", "--never")
    mended, moved = ansible.tasks(
        repair(server, state="repaired", good_copy="source"),
        move(server, destination_host=SERVERS2, state="completed"),
    ).results
    assert mended["changed"] and mended["diagnosis"]["code"] == "nothing", mended
    assert moved["changed"] and moved["migration"]["phase"] == "completed", moved
    assert manila.share(share).status == "available"
    assert manila.api.share_snapshots.get(snapshot).status == "available"


def test_a_failure_to_cancel(manila: Manila, ansible: Ansible) -> None:
    server = manila.create_server("tenant", "web")
    manila.start_server(server, SERVERS2)
    manila.await_server(server, "migration_driver_phase1_done")
    sandbox("fail", "share_server_migration_cancel")
    stuck, patient, asked, refused, safe, failing = ansible.tasks(
        move(server, state="cancelled", timeout=5),
        repair(server),
        repair(server, patience=1),
        repair(server, patience=1, state="repaired"),
        repair(server, patience=1, driver_timeout=1, state="repaired"),
        repair(server, patience=1, cancel_again=True, state="repaired", timeout=3),
    ).results
    assert stuck["failed"] and "is cancelling" in stuck["msg"]
    assert manila.server(server).task_state == "migration_cancel_in_progress"
    # What may only be slow is left alone.
    assert patient["diagnosis"]["code"] == "running"
    # The driver could need hours, and a second cancel is nobody's but the operator's.
    for result, is_safe in ((asked, False), (refused, False), (safe, True)):
        told = result["diagnosis"]
        assert told["code"] == "cancel_failed", told
        assert (told["safe"], told["requires"]) == (is_safe, "cancel_again")
    assert refused["failed"] and safe["failed"] and not refused["changed"]
    assert refused["actions"] == safe["actions"] == []
    assert failing["failed"] and "is still not repaired" in failing["msg"]
    sandbox("fail", "share_server_migration_cancel", "--never")
    # The playbook mends it with the same word only, and names it without.
    whole = {"repair_cloud": CLOUD, "repair_source": SERVERS1, "repair_apply": True}
    named = ansible.playbook("manila.migration.repair", **whole, repair_patience=1)
    assert named.returncode == 2 and "cancel_again" in named.last["msg"], named.stdout
    assert manila.server(server).task_state == "migration_cancel_in_progress"
    run = ansible.playbook(
        "manila.migration.repair", **whole, repair_patience=1, repair_cancel_again=True
    )
    mended = run.by_name("Repair migrations that can lose no data")["results"][0]
    assert run.returncode == 0, run.stdout
    assert mended["changed"] and mended["diagnosis"]["procedure"] == []
    assert is_whole(manila, server, shares=1)
    assert [one.id for one in manila.servers()] == [server]


def test_a_cancel_that_takes_its_time_is_left_alone(manila: Manila, ansible: Ansible) -> None:
    server = manila.create_server("tenant", "web")
    manila.start_server(server, SERVERS2)
    manila.await_server(server, "migration_driver_phase1_done")
    sandbox("speed", "--cancel-seconds", "600")
    manila.api.share_servers.migration_cancel(server)
    manila.await_server(server, "migration_cancel_in_progress")
    refused = ansible.tasks(repair(server, patience=0, state="repaired")).last
    assert refused["failed"] and refused["actions"] == []
    assert (refused["diagnosis"]["safe"], refused["diagnosis"]["requires"]) == (
        False,
        "cancel_again",
    )
    assert manila.server(server).task_state == "migration_cancel_in_progress"
    # The driver was at it all the time.
    sandbox("speed", "--cancel-seconds", "0")
    manila.await_server(server, "migration_cancelled")
    assert is_whole(manila, server, shares=1)


def test_an_instance_in_the_way(manila: Manila, ansible: Ansible) -> None:
    """Manila would write that it migrates, and stay there."""
    server = manila.create_server("tenant", "web", "mail")
    web = next(one.id for one in manila.shares_on(server) if one.name == "web")
    instance = manila.instances(web)[0]
    manila.api.share_instances.reset_state(instance.id, "error")
    world = manila.snapshot_of_world()
    refused, checked = ansible.tasks(move(server, destination_host=SERVERS2), check(server)).results
    assert refused["failed"] and "share web" in refused["msg"]
    assert not checked["compatible"] and checked["blockers"] == refused["blockers"]
    assert manila.snapshot_of_world() == world


def test_capabilities_that_are_missing_are_named(manila: Manila, ansible: Ansible) -> None:
    server = manila.create_server("tenant", "web")
    snapshot = manila.api.share_snapshots.create(manila.shares_on(server)[0], name="kept").id
    wait_for(lambda: manila.api.share_snapshots.get(snapshot).status == "available")
    for capability in (
        "writable",
        "preserve_snapshots",
        "migration_cancel",
        "migration_get_progress",
    ):
        sandbox("refuse", capability)
    world = manila.snapshot_of_world()
    everything = {"writable": True, "nondisruptive": True, "preserve_snapshots": True}
    checked, rehearsed, refused = ansible.tasks(
        check(server, **everything),
        {**move(server, destination_host=SERVERS2, **everything), "check_mode": True},
        move(server, destination_host=SERVERS2),
    ).results
    assert not checked["compatible"]
    assert codes(checked["blockers"]) == [
        "not_writable",
        "not_nondisruptive",
        "not_preserve_snapshots",
        "snapshots",
    ]
    assert "supports writable = False" in checked["blockers"][0]["message"]
    assert codes(checked["cautions"]) == ["no_cancel", "no_progress", "read_only", "disruptive"]
    assert rehearsed["failed"] and rehearsed["blockers"] == checked["blockers"]
    assert codes(refused["blockers"]) == ["snapshots"] and "(web)" in refused["msg"]
    assert manila.snapshot_of_world() == world


def test_bad_input_is_told_in_one_sentence_and_nothing_starts(
    manila: Manila, ansible: Ansible
) -> None:
    server = manila.create_server("tenant", "web")
    manila.api.services.disable(SERVERS3, "manila-share")
    world = manila.snapshot_of_world()
    there = {"destination_host": SERVERS2}
    expected = [
        (move("nope", **there), "no share server with the ID 'nope'"),
        (move(server, destination_host=f"{SERVERS2}#gold"), "write it as host@backend"),
        (move(server, destination_host="sandbox"), "write it as host@backend"),
        (
            move(server, destination_host="sandbox@nope"),
            "sandbox@nope: the back end has no manila-share",
        ),
        (move(server, destination_host="sandbox@alpha"), "does not handle share servers"),
        (move(server, destination_host=SERVERS1), "is at sandbox@servers1 already"),
        (move(server, destination_host=SERVERS3), "is disabled"),
        (move(server, **there, new_share_network="nope"), "no share network with the name or ID"),
        (move(server, **there, nondisruptive=True), "nondisruptive is asked for"),
        (move(server), "to start it, say where to"),
        (move(server, **there, poll_interval=0), "more than 0 seconds"),
        (move(server, **there, cloud="sandbox-member"), "admin role"),
        (repair("nope"), "no share server with the ID 'nope'"),
        (repair(server, patience=-1), "patience"),
    ]
    results = ansible.tasks(*(task for task, _text in expected)).results
    for result, (task, text) in zip(results, expected, strict=True):
        assert result["failed"] and text in result["msg"], (task, result)
        assert "\n" not in result["msg"] and not result.get("changed")
    assert manila.snapshot_of_world() == world


def report_of(ansible: Ansible) -> dict[str, Any]:
    return dict(json.loads((ansible.folder / "evacuation-report" / "report.json").read_text()))


@pytest.fixture
def tenants(manila: Manila) -> list[str]:
    """Three share servers with seven shares."""
    servers = [
        manila.create_server("one", "one-a", "one-b", "one-c", size=2),
        manila.create_server("two", "two-a", "two-b"),
        manila.create_server("three", "three-a", "three-b", size=3),
    ]
    snapshot = manila.api.share_snapshots.create(manila.shares_on(servers[0])[0], name="kept").id
    wait_for(lambda: manila.api.share_snapshots.get(snapshot).status == "available")
    return servers


def test_a_back_end_of_share_servers_is_evacuated(
    manila: Manila, ansible: Ansible, tenants: list[str]
) -> None:
    where = {"evacuate_source": SERVERS1, "evacuate_destinations": [SERVERS2, SERVERS3]}
    rules = {one.id: manila.rules(one.id) for server in tenants for one in manila.shares_on(server)}
    sandbox("speed", "--copy-seconds", "600")
    copying = ansible.evacuate("copy", **where, evacuate_timeout=8)
    assert copying.returncode == 2
    assert {one["phase"] for one in report_of(ansible)["migrations"]} == {"copying"}
    # Given up in the middle of the copy, everything is in use as before.
    cancelled = ansible.evacuate("cancel", **where)
    assert cancelled.returncode == 0, cancelled.stdout
    assert report_of(ansible)["summary"]["cancelled"] == 3
    for server, count in zip(tenants, (3, 2, 2), strict=True):
        assert is_whole(manila, server, count)
    (service,) = [one for one in manila.api.services.list() if one.host == SERVERS1]
    # Without a reason nobody knows whose cordon it is.
    assert service.status == ("enabled" if manila.keeps_reasons else "disabled")

    sandbox("speed", "--copy-seconds", "1")
    run = ansible.evacuate("all", **where)
    assert run.returncode == 0, run.stdout
    report = report_of(ansible)
    assert report["summary"]["completed"] == report["summary"]["total"] == 3
    assert report["remaining"] == []
    assert {one["id"] for one in report["migrations"]} == set(tenants)
    assert {one["destination"] for one in report["migrations"]} == {SERVERS2, SERVERS3}
    assert manila.servers(SERVERS1) == []
    for one in report["migrations"]:
        assert is_whole(manila, one["destination_share_server_id"], len(one["shares"]))
        for share in one["shares"]:
            assert manila.rules(share["id"]) == rules.pop(share["id"])
    assert rules == {}
    again = ansible.evacuate("all", **where)
    assert again.returncode == 0 and again.changed == 0


def test_a_share_server_that_copies_keeps_the_cordon_though_nothing_of_it_is_to_be_moved(
    manila: Manila, ansible: Ansible
) -> None:
    server = manila.create_server("two", "two-a", "two-b")
    sandbox("speed", "--copy-seconds", "600")
    manila.start_server(server, SERVERS2)
    manila.await_server(server, "migration_driver_in_progress")
    manila.disable(SERVERS1, "manila.migration: being emptied")
    where = {"evacuate_source": SERVERS1, "evacuate_destinations": [SERVERS2]}

    def status() -> str:
        (service,) = [one for one in manila.api.services.list() if one.host == SERVERS1]
        return str(service.status)

    for left_out, named in (
        ({"evacuate_exclude": ["two-a"]}, f"share server {server}"),
        ({"evacuate_select": "[?name == 'another']"}, f"share server {server}"),
        ({"evacuate_exclude": ["two-a"], "evacuate_share_servers": "split"}, "two-a"),
    ):
        run = ansible.evacuate("cancel", **where, **left_out)
        assert (run.returncode, status()) == (2, "disabled"), (left_out, run.stdout)
        assert "still migrating or unclear, and so left cordoned" in run.last["msg"]
        assert named in run.last["msg"]
        assert manila.server(server).task_state == "migration_driver_in_progress"
    # With nothing left out it is cancelled, and the cordon goes.
    run = ansible.evacuate("cancel", **where)
    assert run.returncode == 0, run.stdout
    assert status() == ("enabled" if manila.keeps_reasons else "disabled")
    assert is_whole(manila, server, shares=2)


def test_what_stands_in_the_way_of_a_share_server_is_named(
    manila: Manila, ansible: Ansible, tenants: list[str]
) -> None:
    share = next(one for one in manila.shares_on(tenants[1]) if one.name == "two-a")
    manila.api.shares.reset_state(share.id, "error")
    where = {"evacuate_source": SERVERS1, "evacuate_destinations": [SERVERS2]}
    run = ansible.evacuate("all", **where)
    assert run.returncode == 2
    report = report_of(ansible)
    assert [one["id"] for one in report["unplaced"]] == [tenants[1]]
    messages = [one["message"] for one in report["unplaced"][0]["reasons"]]
    assert any("share two-a: its status is 'error'" in one for one in messages)
    assert report["summary"]["completed"] == 2
    assert [one.id for one in manila.servers(SERVERS1)] == [tenants[1]]
