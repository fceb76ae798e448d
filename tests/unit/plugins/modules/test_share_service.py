# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cordon: what the module sends, and what it returns."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.manila.migration.plugins.modules import share_service
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    CUT,
    FORBIDDEN,
    LATE,
    live_services,
    refusal,
    service,
)

HOST = "node@old"
ENABLED = service(HOST)
DISABLED = service(HOST, status="disabled", disabled_reason="empty it")
TARGET = {"host": HOST, "binary": "manila-share"}


@pytest.fixture
def run(session, clock):
    return partial(in_process.run, share_service, session=session, clock=clock)


@pytest.fixture
def reads(session, clock):
    """Expect all reads of the module: it looks at the services for access, and for its own."""

    def expect(*services, version="2.98"):
        in_process.open_cloud(session, clock, version, services=services)
        session.expect("GET", "/services", live_services(clock, services))

    return expect


def test_a_back_end_is_disabled_with_a_reason_and_only_once(session, run, reads):
    args = {"host": HOST, "state": "disabled", "disabled_reason": " empty it "}
    reads(ENABLED, service("node@new"))
    body = {**TARGET, "disabled_reason": "empty it"}
    session.expect("PUT", "/services/disable", body=body)
    result = run(args)
    assert result["changed"]
    assert result["previous"]["status"] == "enabled"
    assert (result["service"]["status"], result["service"]["disabled_reason"]) == (
        "disabled",
        "empty it",
    )
    assert result["diff"] == {"before": result["previous"], "after": result["service"]}
    in_process.check_complete(share_service, result)

    reads(DISABLED)
    result = run(args)
    assert not result["changed"] and result["service"] == result["previous"]
    in_process.check_complete(share_service, result)


def test_a_back_end_is_enabled_and_only_once(session, run, reads):
    reads(DISABLED)
    session.expect("PUT", "/services/enable", body=TARGET)
    result = run({"host": HOST, "state": "enabled"})
    assert result["changed"] and result["service"]["disabled_reason"] is None
    reads(ENABLED)
    assert not run({"host": HOST, "state": "enabled"})["changed"]


@pytest.mark.parametrize(
    ("listed", "state"), [(ENABLED, "disabled"), (DISABLED, "enabled")], ids=["disable", "enable"]
)
def test_check_mode_tells_and_sends_nothing(run, reads, listed, state):
    reads(listed)
    result = run({"host": HOST, "state": state}, check=True)
    assert result["changed"] and result["service"]["status"] == state
    assert result["diff"]["before"]["status"] != result["diff"]["after"]["status"]


def test_the_reason_of_a_disabled_back_end_stays_unless_another_is_given(session, run, reads):
    reads(DISABLED)
    assert run({"host": HOST, "state": "disabled"})["service"]["disabled_reason"] == "empty it"
    reads(DISABLED)
    session.expect("PUT", "/services/disable", body={**TARGET, "disabled_reason": "firmware"})
    args = {"host": HOST, "state": "disabled", "disabled_reason": "firmware"}
    assert run(args)["changed"]


def test_a_manila_that_keeps_no_reason_is_told_with_a_warning(session, run, reads):
    args = {"host": HOST, "state": "disabled", "disabled_reason": "firmware"}
    reads(ENABLED, version="2.82")
    session.expect("PUT", "/services/disable", body=TARGET)
    result = run(args)
    assert result["changed"] and result["service"]["disabled_reason"] is None
    assert result["warnings"] == ["Manila's API 2.82 keeps no reason; it is ignored."]
    reads(service(HOST, status="disabled"), version="2.82")
    assert not run(args)["changed"]


def test_a_back_end_whose_service_is_down_can_be_disabled(session, run, reads):
    reads(service(HOST, state="down"))
    session.expect("PUT", "/services/disable", body=TARGET)
    result = run({"host": HOST, "state": "disabled"})
    assert result["changed"] and result["service"]["alive"] is False


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({"state": "enabled"}, "host"),
        ({"host": HOST}, "state"),
        ({"host": HOST, "state": "off"}, "state"),
        ({"host": "node", "state": "enabled"}, "host"),
        ({"host": "node@old#pool", "state": "enabled"}, "host"),
        ({"host": HOST, "state": "enabled", "disabled_reason": "x"}, "disabled_reason"),
        ({"host": HOST, "state": "disabled", "disabled_reason": "x" * 256}, "disabled_reason"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(session, run, args, option):
    result = run(args)
    assert result["failed"] and option in result["msg"]
    assert session.sent == []


def test_a_back_end_that_is_not_there_is_named_with_those_that_are(session, run, reads):
    reads(service("node@b"), service("node@a"), service("node", "manila-data"))
    result = run({"host": HOST, "state": "disabled"})
    assert result["failed"] and result["msg"].endswith("there are: node@a, node@b.")
    assert session.changes() == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (FORBIDDEN, 403),
        (refusal("gone", 404), 404),
        (refusal("no", 409), 409),
        (refusal("", 500), 500),
    ],
)
def test_a_refusal_fails_with_its_status(session, run, reads, answer, status):
    reads(ENABLED)
    session.expect("PUT", "/services/disable", answer, status)
    result = run({"host": HOST, "state": "disabled"})
    assert result["failed"] and result["status_code"] == status
    # Of a server error nobody knows whether it was done.
    assert result["changed"] is (status == 500)
    assert result["service"]["status"] == ("disabled" if status == 500 else "enabled")
    assert result["previous"]["status"] == "enabled"


@pytest.mark.parametrize("trouble", [CUT, LATE], ids=["before", "after"])
def test_a_connection_that_is_lost_is_no_success_and_nothing_is_sent_twice(
    session, run, reads, clock, trouble
):
    reads(ENABLED)
    session.expect("PUT", "/services/disable", trouble)
    result = run({"host": HOST, "state": "disabled"})
    assert result["failed"] and result["msg"].startswith("no answer") and not clock.naps
    assert "status_code" not in result
