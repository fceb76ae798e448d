# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook: plan, copy, status, cutover, all, cancel."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import ALPHA, BETA, GAMMA, SILVER, Ansible, Manila, Run, sandbox, wait_for

TYPES = {"pinned-alpha": "replacement"}


def result_of(ansible: Ansible, run: Run) -> dict[str, Any]:
    """The report of a run, which must agree with its facts."""
    report = json.loads((ansible.folder / "evacuation-report" / "report.json").read_text())
    fact = run.by_name("Summarize the run")["ansible_facts"]["evacuate_outcome"]
    if isinstance(fact["rate"], str):  # ansible-core 2.18 makes a text of it
        fact = {**fact, "rate": float(fact["rate"]) if fact["rate"] else None}
    assert all(report[key] == value for key, value in fact.items() if key != "migrations")
    # The report also has what only the plan says of them.
    for told, known in zip(report["migrations"], fact["migrations"], strict=True):
        assert {**told, **known, "shares": told["shares"]} == told
    return report


def fill(manila: Manila, count: int = 6) -> list[str]:
    plain = manila.create_all([f"plain-{n}" for n in range(count - 2)], ALPHA, 2)
    pinned = manila.create_all(["pinned-0", "pinned-1"], ALPHA, 1, "pinned-alpha")
    return plain + pinned


def service(manila: Manila, host: str = "sandbox@alpha") -> Any:
    return next(one for one in manila.api.services.list() if one.host == host)


def test_copy_status_cutover_and_once_more(manila: Manila, ansible: Ansible) -> None:
    shares = fill(manila)
    copy = ansible.evacuate("copy", evacuate_share_type_map=TYPES)
    assert copy.returncode == 0, copy.stdout
    assert result_of(ansible, copy)["summary"]["copied"] == 6
    # Phase 1 is done, and every share is still used at the source, which takes no new ones.
    for share in shares:
        now = manila.share(share)
        assert (now.host, now.task_state) == (ALPHA, "migration_driver_phase1_done")
    assert service(manila).status == "disabled"
    if manila.keeps_reasons:
        assert service(manila).disabled_reason.startswith("manila.migration: ")
    # A line a poll, also when something reads the output.
    assert "6 copied" in copy.stderr

    status = ansible.evacuate("status", evacuate_share_type_map=TYPES)
    waiting = [one["waiting_for"] for one in result_of(ansible, status)["migrations"]]
    assert {one["code"] for one in waiting} == {"operator"} and all(one["since"] for one in waiting)
    assert status.returncode == 0 and status.changed == 0

    # Another process, without any file of the first.
    (ansible.folder / "evacuation-report" / "report.json").unlink()
    cutover = ansible.evacuate("cutover", evacuate_share_type_map=TYPES)
    assert cutover.returncode == 0, cutover.stdout
    report = result_of(ansible, cutover)
    assert report["summary"]["completed"] == 6 and report["remaining"] == []
    for share in shares:
        now = manila.share(share)
        assert now.host in (BETA, SILVER, GAMMA) and now.status == "available"
        assert len(manila.instances(share)) == 1
        assert manila.rules(share) == [("ip", "192.0.2.10", "rw")]

    again = ansible.evacuate("all", evacuate_share_type_map=TYPES)
    assert again.returncode == 0 and again.changed == 0


def test_what_cannot_move_is_named_and_does_not_stop_the_others(
    manila: Manila, ansible: Ansible
) -> None:
    fill(manila)
    run = ansible.evacuate("all")  # no map: the pinned ones can't go anywhere
    assert run.returncode == 2
    report = result_of(ansible, run)
    assert report["summary"]["completed"] == 4 and report["summary"]["unplaced"] == 2
    assert {one["name"] for one in report["unplaced"]} == {"pinned-0", "pinned-1"}
    for one in report["unplaced"]:
        assert "type_pinned" in {reason["code"] for reason in one["reasons"]}
    assert "2 can't move: pinned-0, pinned-1" in run.last["msg"]
    assert "sandbox@alpha is not empty" in run.last["msg"]

    excluded = ansible.evacuate("all", evacuate_exclude=["pinned-0", "pinned-1"])
    assert excluded.returncode == 0 and excluded.changed == 0


def test_plan_changes_nothing_and_a_plan_file_is_carried_out(
    manila: Manila, ansible: Ansible
) -> None:
    fill(manila, 4)
    world = manila.snapshot_of_world()
    variables = {"evacuate_share_type_map": TYPES, "evacuate_plan_file": "plan.json"}
    plan = ansible.evacuate("plan", **variables)
    assert plan.returncode == 0 and manila.snapshot_of_world() == world
    written = json.loads((ansible.folder / "plan.json").read_text())
    assert len(written["migrations"]) == 4 and written["version"] == 1

    # What was agreed is done, whatever a new plan would do; what is new is named and left.
    wanted = {}
    for entry in written["migrations"]:
        entry["destination"] = wanted[entry["id"]] = SILVER
    (ansible.folder / "plan.json").write_text(json.dumps(written))
    manila.create("late", ALPHA)
    run = ansible.evacuate("all", **variables)
    assert run.returncode == 2 and "late" in run.last["msg"]
    assert all(manila.share(share).host == pool for share, pool in wanted.items())


def test_cancel_in_the_middle_brings_all_back(manila: Manila, ansible: Ansible) -> None:
    shares = fill(manila, 4)
    ansible.evacuate("copy", evacuate_share_type_map=TYPES)
    cancel = ansible.evacuate("cancel", evacuate_share_type_map=TYPES)
    assert cancel.returncode == 0, cancel.stdout
    assert result_of(ansible, cancel)["summary"]["cancelled"] == 4
    for share in shares:
        assert (manila.share(share).host, manila.share(share).status) == (ALPHA, "available")
    # Without a reason nobody knows whose cordon it is.
    assert service(manila).status == ("enabled" if manila.keeps_reasons else "disabled")
    again = ansible.evacuate("cancel", evacuate_share_type_map=TYPES)
    assert again.returncode == 0 and again.changed == 0


def test_a_cordon_of_somebody_else_stays(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("one", ALPHA)
    manila.disable("sandbox@alpha", "by hand")
    for phase in ("copy", "cancel"):
        run = ansible.evacuate(phase)
        assert run.returncode == 0, run.stdout
    assert manila.share(share).host == ALPHA
    assert service(manila).status == "disabled"
    if manila.keeps_reasons:
        assert service(manila).disabled_reason == "by hand"


def test_check_mode_of_the_playbook_sends_nothing(manila: Manila, ansible: Ansible) -> None:
    fill(manila, 4)
    running = manila.create("running", ALPHA)
    manila.start(running, GAMMA)
    manila.await_task_state(running, "migration_driver_phase1_done")
    manila.disable("sandbox@alpha", "manila.migration: emptied")
    world = manila.snapshot_of_world()
    for phase in ("copy", "cutover", "all", "cancel"):
        run = ansible.evacuate(phase, "--check", evacuate_share_type_map=TYPES)
        assert run.returncode == 0, (phase, run.stdout)
        assert run.changed > 0, phase
    assert manila.snapshot_of_world() == world


def test_a_cancel_with_something_just_begun(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("one", ALPHA)
    sandbox("stop", "manila-scheduler")
    wait_for(lambda: any(one.state != "up" for one in manila.api.services.list()))
    manila.start(share, GAMMA)  # stays migration_starting, to where is not known
    try:
        stuck = ansible.evacuate("cancel")
        status = ansible.evacuate("status")
    finally:
        sandbox("start", "manila-scheduler")
    assert stuck.returncode == 2
    assert "still migrating or unclear" in stuck.last["msg"]
    assert status.returncode == 0, status.stdout
    assert "no manila-scheduler is up" in status.stdout
    manila.await_task_state(share, "migration_driver_phase1_done")
    cancel = ansible.evacuate("cancel")
    assert cancel.returncode == 0, cancel.stdout
    assert manila.share(share).host == ALPHA


def test_caps_hold_and_count_what_others_started(manila: Manila, ansible: Ansible) -> None:
    sandbox("speed", "--copy-seconds", "600")
    foreign = manila.create("foreign", GAMMA)
    shares = fill(manila, 6)
    manila.start(foreign, BETA)
    planned = ansible.module(
        "evacuation_plan",
        source="sandbox@alpha",
        destinations=["sandbox@gamma"],
        share_type_map=TYPES,
    )
    process = ansible.tasks(
        {
            "manila.migration.evacuation": {
                "plan": planned["plan"],
                "max_parallel": 3,
                "max_parallel_per_pool": 2,
                "poll_interval": 0.5,
                "timeout": 5,
            },
            "ignore_errors": True,
        }
    )
    result = process.last
    running = [one for one in result["migrations"] if one["phase"] == "copying"]
    # gamma has two places, one of which the other operator's migration takes.
    assert len(running) == 1, result
    slots = [one["waiting_for"] for one in result["migrations"] if one["phase"] == "idle"]
    assert len(slots) == 5 and {one["code"] for one in slots} == {"slot"}
    assert result["failed"] and "Run it again to continue" in result["msg"]
    assert sum(manila.share(one).status == "migrating" for one in shares) == 1


def test_failure_budget(manila: Manila, ansible: Ansible) -> None:
    shares = fill(manila, 6)
    sandbox("fail", "migration_continue")
    run = ansible.evacuate("copy", evacuate_share_type_map=TYPES, evacuate_max_parallel_per_pool=1)
    report = result_of(ansible, run)
    assert run.returncode == 2
    assert report["summary"]["failed"] == 1 and report["summary"]["waiting"] == 5
    assert "max_failures is 1" in run.last["msg"]
    assert all(manila.share(one).host == ALPHA for one in shares)


def test_closed_window_and_dead_service_are_waited_for(manila: Manila, ansible: Ansible) -> None:
    manila.create("one", ALPHA)
    ansible.evacuate("copy", evacuate_destinations=["sandbox@gamma"])
    window = {"start": "2020-01-01T00:00", "end": "2020-01-02T00:00"}
    over = ansible.evacuate("cutover", evacuate_cutover_window=window)
    assert over.returncode == 2 and "the cutover window is over" in over.last["msg"]
    future = {"start": "2099-01-01T00:00", "end": "2099-01-02T00:00"}
    status = ansible.evacuate("status", evacuate_cutover_window=future)
    waiting = result_of(ansible, status)["migrations"][0]["waiting_for"]
    assert waiting["code"] == "window" and "2099-01-01T00:00:00Z" in waiting["message"]

    sandbox("stop", "manila-share@gamma", "--signal", "KILL")
    try:
        wait_for(lambda: service(manila, "sandbox@gamma").state == "down")
        status = ansible.evacuate("status")
        waiting = result_of(ansible, status)["migrations"][0]["waiting_for"]
        assert waiting["code"] == "service_down" and "sandbox@gamma" in waiting["message"]
    finally:
        sandbox("start", "manila-share@gamma")
    cutover = ansible.evacuate("cutover")
    assert cutover.returncode == 0, cutover.stdout


def test_bad_input_of_the_modules(manila: Manila, ansible: Ansible) -> None:
    manila.create("one", ALPHA, share_type="pinned-alpha")
    world = manila.snapshot_of_world()
    plan = {"source": "sandbox@alpha"}
    drive = {"plan": {"version": 1, "migrations": []}}
    entry = {"id": "x", "source": ALPHA, "destination": BETA}
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("evacuation_plan", {"source": "sandbox"}, "must have the form host@backend"),
        ("evacuation_plan", {"source": "sandbox@nope"}, "sandbox@nope"),
        ("evacuation_plan", {**plan, "destinations": ["sandbox@nope"]}, "sandbox@nope"),
        ("evacuation_plan", {**plan, "destinations": ["sandbox@alpha"]}, "is the source"),
        ("evacuation_plan", {**plan, "share_type_map": {"nope": "replacement"}}, "'nope'"),
        ("evacuation_plan", {**plan, "share_type_map": {"pinned-alpha": "nope"}}, "'nope'"),
        ("evacuation_plan", {**plan, "mechanism": "host", "require": ["writable"]}, "writable"),
        ("evacuation_plan", {**plan, "baseline": {"version": 7}}, "version 7"),
        ("evacuation_plan", {**plan, "cloud": "nope"}, "nope was not found"),
        ("evacuation_plan", {**plan, "cloud": "sandbox-member"}, "admin role"),
        ("evacuation_plan", {**plan, "cloud": "sandbox-unreachable"}, "no answer"),
        ("evacuation", {"plan": {"version": 1}}, "no list of migrations"),
        ("evacuation", {"plan": {**drive["plan"], "migrations": [entry, entry]}}, "repeats"),
        ("evacuation", {**drive, "max_parallel": 0}, "at least 1"),
        ("evacuation", {**drive, "max_failures": 0}, "at least 1"),
        ("evacuation", {**drive, "cutover_window": {"start": "25:00", "end": "1:00"}}, "25:00"),
        (
            "evacuation",
            {"plan": {"version": 1, "migrations": [entry]}, "cloud": "sandbox-member"},
            "admin role",
        ),
    ]
    results = ansible.tasks(
        *(
            {f"manila.migration.{module}": arguments, "ignore_errors": True}
            for module, arguments, _text in cases
        )
    ).results
    for result, (_module, arguments, text) in zip(results, cases, strict=True):
        assert result["failed"], arguments
        assert text in result["msg"], (arguments, result["msg"])
        assert "\n" not in result["msg"]
    assert manila.snapshot_of_world() == world


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"evacuate_phase": "explode"}, "explode"),
        ({"evacuate_destinations": ["sandbox@nope"]}, "sandbox@nope"),
        # Known before the source is cordoned.
        ({"evacuate_max_parallel": 0}, "at least 1"),
    ],
)
def test_bad_input_of_the_playbook(
    manila: Manila, ansible: Ansible, variables: dict[str, Any], text: str
) -> None:
    world = manila.snapshot_of_world()
    run = ansible.evacuate(variables.pop("evacuate_phase", "copy"), **variables)
    assert run.returncode == 2
    assert text in run.last["msg"]
    assert manila.snapshot_of_world() == world
