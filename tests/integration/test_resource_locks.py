# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource locks: who locked what is to be moved, and what a lock hinders."""

from __future__ import annotations

import pytest
from conftest import ALPHA, GAMMA, Ansible, Manila, wait_for


def codes(reasons: list[dict[str, str]]) -> list[str]:
    return [one["code"] for one in reasons]


@pytest.mark.needs_api("2.81")
def test_locks_are_told_with_their_owner(manila: Manila, ansible: Ansible) -> None:
    locked, attached, free = manila.create_all(["locked", "attached", "free"], ALPHA)
    manila.api.resource_locks.create(locked, "share", lock_reason="pay\x1b[31mroll")
    # As Nova does when it hands a share to an instance: nova/share/manila.py.
    rule = manila.api.shares.allow(
        attached,
        "ip",
        "192.0.2.77",
        "rw",
        lock_visibility=True,
        lock_deletion=True,
        lock_reason="Lock by nova",
    )["id"]
    wait_for(lambda: manila.share(attached).access_rules_status == "active")
    checked, planned = ansible.tasks(
        {
            "manila.migration.share_migration_check": {
                "share": attached,
                "destination_pool": GAMMA,
            }
        },
        {"manila.migration.evacuation_plan": {"source": "sandbox@alpha"}},
    ).results
    plan = planned["plan"]
    for mechanism in ("driver_assisted", "host_assisted"):
        assert "attached_to_instance" in codes(checked[mechanism]["warnings"])
    found = {
        one["id"]: [w for w in one["warnings"] if w["code"] in ("locked", "attached_to_instance")]
        for one in plan["migrations"]
    }
    assert {share: codes(several) for share, several in found.items()} == {
        locked: ["locked"],
        attached: ["attached_to_instance"],
        free: [],
    }
    (lock,) = [one for one in manila.api.resource_locks.list() if one.resource_id == locked]
    message = found[locked][0]["message"]
    assert lock.user_id in message and lock.project_id in message and "roll" in message
    assert message.isprintable()
    assert "Lock by nova" in found[attached][0]["message"]

    # A lock hinders no migration, and is there after it.
    run = ansible.evacuate("all")
    assert run.returncode == 0, run.stdout
    assert {manila.share(one).host.partition("#")[0] for one in (locked, attached)} != {
        "sandbox@alpha"
    }
    left = {(one.resource_id, one.resource_action) for one in manila.api.resource_locks.list()}
    assert left == {(locked, "delete"), (attached, "delete"), (rule, "delete"), (rule, "show")}

    # An access rule that is locked is not removed, and the lock is named.
    remove = {"access_to": ["192.0.2.77"], "state": "absent"}
    refused = ansible.module("data_service_rules", **remove)
    (of_rule,) = [
        one
        for one in manila.api.resource_locks.list()
        if (one.resource_id, one.resource_action) == (rule, "delete")
    ]
    assert refused["failed"] and refused["status_code"] == 403
    assert refused["msg"].endswith(f"(openstack share lock delete {of_rule.id}).")
    assert "\n" not in refused["msg"]
