# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutover groups with tasks around them, room in the window, and two evacuations at once."""

from __future__ import annotations

import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from conftest import ALPHA, GAMMA, Ansible, Manila, sandbox, wait_for
from test_evacuate import result_of, service

TO_GAMMA = {"evacuate_destinations": ["sandbox@gamma"]}


def create(manila: Manila, name: str, app: str = "", **more: Any) -> str:
    share = manila.create(name, ALPHA, **more)
    if app:
        manila.api.shares.set_metadata(share, {"app": app, "prio": str(len(name))})
    return share


def note(ansible: Ansible, when: str) -> str:
    """A file of tasks that writes what it was called for into the log."""
    path = ansible.folder / f"{when}.yml"
    line = (
        f"{when} {{{{ evacuate_group or '-' }}}}:"
        "{{ evacuate_group_migrations | map(attribute='name') | sort | join(',') }}"
    )
    tasks = [
        {
            "name": "Write it down",
            "ansible.builtin.lineinfile": {
                "path": str(ansible.folder / "log"),
                "line": line,
                "create": True,
                "insertafter": "EOF",
                "mode": "0600",
            },
        },
        {
            "name": "Fail where it was asked for",
            "ansible.builtin.fail": {"msg": "the application does not stop"},
            "when": f"evacuate_group == 'stubborn' and '{when}' == 'before'",
        },
    ]
    path.write_text(yaml.safe_dump(tasks))
    return path.name


def test_groups_are_cut_over_together_with_tasks_around_them(
    manila: Manila, ansible: Ansible
) -> None:
    web = [create(manila, f"web-{n}", "web") for n in range(2)]
    stubborn = create(manila, "stubborn-1", "stubborn")
    single = create(manila, "single")
    half = [create(manila, "half-1", "half"), create(manila, "half-2", "half")]
    variables = {
        **TO_GAMMA,
        "evacuate_group_by": "metadata:app",
        "evacuate_order": "metadata:prio",
        "evacuate_before_cutover": note(ansible, "before"),
        "evacuate_after_cutover": note(ansible, "after"),
        "evacuate_max_failures": 5,
    }
    plan = ansible.evacuate("plan", **variables).by_name("Plan where everything goes")["plan"]
    names = [one["name"] for one in plan["migrations"]]
    assert names[0] == "stubborn-1", names
    assert {one["name"]: one["group"] for one in plan["migrations"]} == {
        "web-0": "web",
        "web-1": "web",
        "stubborn-1": "stubborn",
        "single": "",
        "half-1": "half",
        "half-2": "half",
    }

    copied = ansible.evacuate("copy", **variables)
    assert copied.returncode == 0, copied.stdout
    assert not (ansible.folder / "log").exists()
    # One of a group that came to nothing keeps the other one where it is.
    manila.api.shares.migration_cancel(half[1])
    manila.await_task_state(half[1], "migration_cancelled")

    run = ansible.evacuate("cutover", **variables)
    assert run.returncode == 2, run.stdout
    log = (ansible.folder / "log").read_text().splitlines()
    assert log == [
        "before stubborn:stubborn-1",
        "after stubborn:stubborn-1",
        "before web:web-0,web-1",
        "after web:web-0,web-1",
        "before -:single",
        "after -:single",
    ]
    report = result_of(ansible, run)
    assert report["summary"]["completed"] == 3, report["summary"]
    assert "The group stubborn: not cut over, as a task before it failed" in report["error"]
    assert "The group half: not cut over" in report["error"]
    for share in (*web, single):
        assert manila.share(share).host == GAMMA
    for share in (stubborn, *half):
        assert manila.share(share).host == ALPHA

    # What hindered it is mended: the same command goes on.
    manila.api.shares.set_metadata(stubborn, {"app": "tame"})
    again = ansible.evacuate("all", **variables)
    assert again.returncode == 0, again.stdout
    assert {manila.share(one).host for one in (stubborn, *half)} == {GAMMA}


def test_a_group_with_a_member_that_cannot_move_stays(manila: Manila, ansible: Ansible) -> None:
    pinned = create(manila, "pinned", share_type="pinned-alpha")
    other, free = create(manila, "other"), create(manila, "free")
    groups = [{"name": "both", "shares": ["other", pinned, "nobody"]}]
    run = ansible.evacuate("all", evacuate_groups=groups, **TO_GAMMA)
    assert run.returncode == 2
    plan = run.by_name("Plan where everything goes")["plan"]
    reasons = {one["name"]: one["reasons"] for one in plan["unplaced"]}
    (reason,) = reasons["other"]
    assert reason["code"] == "group_incomplete"
    assert (
        "it is cut over together with pinned (group 'both'), which can't move" in reason["message"]
    )
    assert [one["code"] for one in plan["warnings"] if one["code"] == "group_unknown"]
    assert manila.share(free).host == GAMMA
    assert {manila.share(one).host for one in (other, pinned)} == {ALPHA}


def test_nothing_is_cut_over_that_would_not_end_in_the_window(
    manila: Manila, ansible: Ansible
) -> None:
    share = create(manila, "late")
    now = datetime.now(timezone.utc)
    start, end = (f"{now + timedelta(minutes=one):%Y-%m-%dT%H:%M:%S}" for one in (-10, 9))
    window = {"start": start, "end": end, "cutover_seconds": 600}
    run = ansible.evacuate("all", evacuate_cutover_window=window, **TO_GAMMA)
    assert run.returncode == 2
    (record,) = result_of(ansible, run)["migrations"]
    assert record["waiting_for"]["code"] == "window_over"
    assert "expected to take 600 s, more than the window has left" in run.stdout
    assert manila.share(share).task_state == "migration_driver_phase1_done"


@pytest.mark.needs_api("2.83")  # the claim stands in the reason of the cordon
def test_a_second_evacuation_says_that_a_first_is_at_work(manila: Manila, ansible: Ansible) -> None:
    sandbox("speed", "--copy-seconds", "60")
    share = create(manila, "contested")
    first = subprocess.Popen(
        ansible.command(
            "manila.migration.evacuate",
            evacuate_cloud="sandbox",
            evacuate_source="sandbox@alpha",
            evacuate_phase="copy",
            evacuate_poll_interval=1,
        ),
        cwd=ansible.folder,
        env=ansible.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: "at work: run " in (service(manila).disabled_reason or ""))
        second = ansible.evacuate("copy")
        assert second.returncode == 2
        assert "Another evacuation is at work at sandbox@alpha: run " in second.stdout
        # Looking is free.
        assert ansible.evacuate("status").returncode == 0
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    sandbox("speed", "--copy-seconds", "1")
    begun = time.monotonic()
    third = ansible.evacuate("copy")
    assert third.returncode == 0, third.stdout
    assert time.monotonic() - begun < 120
    assert manila.share(share).task_state == "migration_driver_phase1_done"
    assert "at work" not in service(manila).disabled_reason


def test_snapshots_that_are_given_up_are_deleted_with_their_share_only(
    manila: Manila, ansible: Ansible
) -> None:
    given, kept = (create(manila, name) for name in ("given", "kept"))
    snapshots = {
        share: manila.api.share_snapshots.create(share, name=f"of-{number}").id
        for number, share in enumerate((given, kept))
    }
    wait_for(lambda: all(one.status == "available" for one in manila.api.share_snapshots.list()))
    # No driver keeps snapshots: the other share fails, before or after this one is begun.
    variables = {**TO_GAMMA, "evacuate_max_failures": 5}
    sandbox("refuse", "preserve_snapshots")
    plan = ansible.evacuate("plan", evacuate_delete_snapshots=["of-0"], **variables)
    listed = plan.by_name("Plan where everything goes")["plan"]["migrations"]
    doomed = {one["name"]: [snap["name"] for snap in one["delete_snapshots"]] for one in listed}
    assert doomed["given"] == ["of-0"]
    assert doomed.get("kept", []) == []
    assert {one.id for one in manila.api.share_snapshots.list()} == set(snapshots.values())

    ansible.evacuate("copy", evacuate_delete_snapshots=["of-0"], **variables)
    assert [one.id for one in manila.api.share_snapshots.list()] == [snapshots[kept]]
    manila.await_task_state(given, "migration_driver_phase1_done")
