# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access rules that the Data Service left behind: which are found, and which are removed."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.manila.migration.plugins.modules import data_service_rules
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    CUT,
    FORBIDDEN,
    LATE,
    refusal,
    share,
)

ADDRESS = "192.0.2.30"
SHARES = [
    share("s1", task_state="migration_error"),
    share("s2", task_state="migration_success"),
    # Not looked at: never migrated, and migrating now.
    share("s3"),
    share("s4", task_state="data_copying_in_progress", status="migrating"),
]


def rule(rule_id, address=ADDRESS, state="active"):
    return {
        "id": rule_id,
        "access_type": "ip",
        "access_to": address,
        "state": state,
        "access_level": "rw",
    }


LOCKS = "/resource-locks?all_projects=1"
OURS, TENANTS = rule("r1"), rule("r2", "192.0.2.10")


@pytest.fixture
def run(session, clock):
    return partial(in_process.run, data_service_rules, session=session, clock=clock)


@pytest.fixture
def reads(session, clock):
    def expect(*of_s1, of_s2=()):
        in_process.open_cloud(session, clock)
        session.expect("GET", "/shares/detail?all_tenants=1", {"shares": SHARES})
        for share_id, rules in (("s1", of_s1), ("s2", of_s2)):
            url = f"/share-access-rules?share_id={share_id}"
            session.expect("GET", url, {"access_list": list(rules)})

    return expect


def deny(session, share_id, rule_id, answer=None, status=202):
    body = {"deny_access": {"access_id": rule_id}}
    session.expect("POST", f"/shares/{share_id}/action", answer, status, body)


def test_rules_of_shares_at_rest_are_listed(run, reads):
    reads(OURS, TENANTS)
    result = run({"access_to": [ADDRESS]})
    assert not result["changed"]
    assert result["rules"] == [
        {"share_id": "s1", "id": "r1", "access_type": "ip", "access_to": ADDRESS}
    ]
    in_process.check_complete(data_service_rules, result)


def test_rules_are_removed_and_only_once(session, run, reads):
    args = {"access_to": [ADDRESS], "state": "absent"}
    reads(OURS, TENANTS, of_s2=[rule("r3")])
    deny(session, "s1", "r1")
    deny(session, "s2", "r3")
    result = run(args)
    assert result["changed"] and [entry["id"] for entry in result["rules"]] == ["r1", "r3"]
    in_process.check_complete(data_service_rules, result)
    # Manila takes its time; what it removes already is not asked for again.
    reads(rule("r1", state="queued_to_deny"), TENANTS, of_s2=[rule("r3", state="denying")])
    result = run(args)
    assert not result["changed"] and len(result["rules"]) == 2
    reads(TENANTS)
    assert run(args)["rules"] == []


def test_check_mode_removes_nothing(run, reads):
    reads(OURS)
    result = run({"access_to": [ADDRESS], "state": "absent"}, check=True)
    assert result["changed"] and len(result["rules"]) == 1


def test_a_rule_that_is_gone_already_is_no_failure(session, run, reads):
    reads(OURS)
    deny(session, "s1", "r1", refusal("not found", 404), 404)
    result = run({"access_to": [ADDRESS], "state": "absent"})
    assert not result.get("failed") and not result["changed"]


@pytest.mark.parametrize(
    ("answer", "status", "changed"),
    [
        (FORBIDDEN, 403, False),
        (refusal("Share is busy", 409), 409, False),
        (refusal("oh", 500), 500, True),  # it may have been done
        (CUT, None, True),
        (LATE, None, True),
    ],
    ids=["403", "409", "500", "cut", "late"],
)
def test_what_goes_wrong_is_told_and_nothing_more_is_sent(
    session, run, reads, answer, status, changed
):
    reads(OURS, of_s2=[rule("r3")])
    deny(session, "s1", "r1", answer, status)
    if status == 403:
        session.expect("GET", f"{LOCKS}&resource_id=r1", {"resource_locks": []})
    result = run({"access_to": [ADDRESS], "state": "absent"})
    assert result["failed"] and result.get("status_code") == status
    assert result["changed"] is changed and len(result["rules"]) == 2


def test_after_the_first_rule_something_has_changed(session, run, reads):
    reads(OURS, of_s2=[rule("r3")])
    deny(session, "s1", "r1")
    deny(session, "s2", "r3", FORBIDDEN, 403)
    session.expect("GET", f"{LOCKS}&resource_id=r3", {"resource_locks": []})
    result = run({"access_to": [ADDRESS], "state": "absent"})
    assert result["failed"] and result["changed"]


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({}, "access_to"),
        ({"access_to": []}, "access_to"),
        ({"access_to": [ADDRESS], "state": "removed"}, "state"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(session, run, args, option):
    result = run(args)
    assert result["failed"] and option in result["msg"]
    assert session.sent == []
