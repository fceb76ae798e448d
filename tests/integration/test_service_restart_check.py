# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module service_restart_check."""

from __future__ import annotations

from typing import Any

from conftest import ALPHA, BETA, PATIENCE, SANDBOX, Ansible, Manila, sandbox


def check(binary: str, host: str | None = None, **more: Any) -> dict[str, Any]:
    arguments = {"binary": binary, "host": host, "poll_interval": 0.5, **more}
    return {
        "manila.migration.service_restart_check": {
            k: v for k, v in arguments.items() if v is not None
        },
        "ignore_errors": True,
    }


def codes(result: dict[str, Any]) -> list[str]:
    return [one["code"] for one in result["blockers"]]


def test_a_driver_assisted_migration(manila: Manila, ansible: Ansible) -> None:
    sandbox("speed", "--copy-seconds", "600", "--complete-seconds", "600")
    share = manila.create("projects", ALPHA)
    world = manila.snapshot_of_world()
    idle = ansible.tasks(check("manila-data"), check("manila-share", "sandbox")).results
    assert [one["safe"] for one in idle] == [True, True]
    assert not any(one["changed"] for one in idle)
    assert {one["host"] for one in idle[1]["services"]} >= {"sandbox@alpha", "sandbox@files1"}
    assert idle[0]["services"] == [
        {"host": "sandbox", "status": "enabled", "state": "up", "alive": True}
    ]
    assert manila.snapshot_of_world() == world

    # The driver copies: it is resumed after a restart.
    manila.start(share, BETA)
    manila.await_task_state(share, "migration_driver_in_progress")
    data, source = ansible.tasks(
        check("manila-data"), check("manila-share", "sandbox@alpha")
    ).results
    assert data["safe"] and source["safe"]

    # The cutover is not.
    sandbox("speed", "--copy-seconds", "0")
    manila.await_task_state(share, "migration_driver_phase1_done")
    manila.api.shares.migration_complete(share)
    manila.await_task_state(share, "migration_completing")
    in_a_while = f"sleep 4; '{SANDBOX}' speed --complete-seconds 0"
    source, destination, node, other, impatient, _released, waited = ansible.tasks(
        check("manila-share", "sandbox@alpha"),
        check("manila-share", "sandbox@beta"),
        check("manila-share", "sandbox"),
        check("manila-share", "sandbox@gamma"),
        check("manila-share", "sandbox@alpha", wait=True, timeout=0),
        {"ansible.builtin.shell": in_a_while, "async": 60, "poll": 0},
        check("manila-share", "sandbox@alpha", wait=True, timeout=PATIENCE),
    ).results
    assert codes(source) == codes(destination) == codes(node) == ["completing"]
    assert "share projects" in source["blockers"][0]["message"]
    assert other["safe"]
    assert impatient["failed"] and not impatient["safe"]
    assert "must not be restarted now" in impatient["msg"] and share in impatient["msg"]
    assert waited["safe"] and not waited.get("failed")
    assert manila.share(share).task_state == "migration_success"


def test_bad_input(manila: Manila, ansible: Ansible) -> None:
    expected: list[tuple[dict[str, Any], str]] = [
        ({"binary": "manila-share"}, "host is missing"),
        ({"binary": "manila-share", "host": "nowhere"}, "there are: sandbox@alpha"),
        (
            {"binary": "manila-share", "host": "sandbox@alpha#gold"},
            "must have the form host@backend or host",
        ),
        ({"binary": "manila-data", "timeout": -1}, "0 or more seconds"),
        ({"binary": "manila-data", "poll_interval": 0}, "more than 0 seconds"),
        ({"binary": "manila-api"}, "must be one of"),
        ({"binary": "manila-data", "cloud": "sandbox-member"}, "admin"),
    ]
    results = ansible.tasks(*(check(**arguments) for arguments, _text in expected)).results
    for result, (arguments, text) in zip(results, expected, strict=True):
        assert result["failed"] and text in result["msg"], (arguments, result)
