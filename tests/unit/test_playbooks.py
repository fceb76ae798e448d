# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as ansible-playbook prints them, as far as they get without a cloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.manila.migration.tests.unit.plugins.module_utils.reports import make_report

COLLECTIONS = next(
    one for one in sys.path if Path(one, "ansible_collections", "manila", "migration").is_dir()
)
"""The folder that holds ansible_collections, with this collection in it."""

RAW = "\x1b[31mred\x1b[0m\x07 two\nlines \u202egnp.exe \u009b1m"
SHOWN = "\\u001b[31mred\\u001b[0m\\u0007 two\\u000alines \\u202egnp.exe \\u009b1m"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def playbook(tmp_path: Path) -> Run:
    """Run a playbook, of the collection by its name or of these plays, with variables."""

    def call(what: str | list[dict[str, Any]], *options: str, **variables: Any) -> Any:
        if not isinstance(what, str):
            (tmp_path / "play.yml").write_text(yaml.safe_dump(what))
            what = str(tmp_path / "play.yml")
        (tmp_path / "variables.json").write_text(json.dumps(variables))
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml"),
            "PWD": str(tmp_path),
        }
        variables_file = f"@{tmp_path / 'variables.json'}"
        command = [sys.executable, "-m", "ansible", "playbook", what, "-e", variables_file]
        return subprocess.run(
            [*command, *options],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    return call


def unreadable(printed: str) -> list[str]:
    """Lines that hold what a terminal would act on, or nobody could see."""
    return [line for line in re.split("\n", printed) if not line.isprintable()]


def evacuate() -> list[dict[str, Any]]:
    return [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "roles": [{"role": "manila.migration.evacuate"}],
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        }
    ]


PLAN = {
    "version": 1,
    "source": "stor1@array7",
    "objective": "evacuate",
    "migrations": [],
    "cloud": "nowhere",
    "workflow_job": "41",
}
CLOUD = {"evacuate_cloud": "nowhere", "evacuate_source": "stor1@array7"}
NO_CLOUD = "Cloud nowhere was not found."
MISSING = "evacuate_plan is empty, and evacuate_plan_required is true"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"evacuate_phase": "copy"}, MISSING),
        ({"evacuate_phase": "all", "evacuate_plan": None}, MISSING),
        ({"evacuate_plan": PLAN, "awx_workflow_job_id": 42}, "workflow_job '41', not '42'"),
        ({"evacuate_plan": PLAN, "tower_workflow_job_id": 41}, NO_CLOUD),
        ({"evacuate_plan_required": None}, NO_CLOUD),
    ],
)
def test_without_the_approved_plan_no_cloud_is_asked(
    playbook: Run, variables: dict[str, Any], message: str
) -> None:
    run = playbook(evacuate(), **CLOUD, **{"evacuate_plan_required": True, **variables})
    (failure,) = re.findall(r"^fatal: .*", run.stdout, re.MULTILINE)
    assert message in failure, run.stdout
    asked = "Plan where everything goes" in run.stdout
    assert asked == (message == NO_CLOUD), run.stdout


def test_a_plan_file_is_no_approved_plan(playbook: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    run = playbook(evacuate(), **CLOUD, evacuate_plan_required=True, evacuate_plan_file="plan.json")
    assert MISSING in run.stdout and "Plan where everything goes" not in run.stdout


def test_a_plan_file_of_another_cloud_is_refused(playbook: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({**PLAN, "cloud": "north"}))
    run = playbook(evacuate(), **CLOUD, evacuate_plan_file="plan.json")
    assert "evacuate_plan_file: It is a plan with cloud 'north'" in run.stdout, run.stdout
    assert "Plan where everything goes" not in run.stdout


def test_what_the_loop_over_cutover_groups_prints(playbook: Run) -> None:
    entry = {"kind": "share", "id": "s1", "source": "a@b#c", "destination": "d@e#f", "size_gb": 1}
    entry |= {"name": RAW, "label": SHOWN, "group": RAW, "phase": "copied", "options": {}}
    entry |= {"delete_snapshots": [], "group_missing": []}
    plan = {"version": 1, "migrations": [entry, {**entry, "id": "s2", "group": ""}]}
    variables = {**CLOUD, "evacuate_phase": "cutover", "evacuate_planned": {"plan": plan}}
    play = evacuate()[0] | {
        "roles": [],
        "tasks": [
            {"import_role": {"name": "manila.migration.evacuate", "tasks_from": "migrate"}},
            {"fail": {"msg": "{{ evacuate_group_runs | map(attribute='msg') | join }}"}},
        ],
    }
    run = playbook([play], **variables, evacuate_before_cutover="tasks.yml")
    assert f"(item={SHOWN})" in run.stdout, run.stdout
    assert "(item=what is in no group)" in run.stdout
    assert f"The group {SHOWN}: not cut over" in run.stdout
    assert unreadable(run.stdout) == []


def test_what_the_report_prints(playbook: Run, tmp_path: Path) -> None:
    result, plan = make_report(3, "cutover")
    result["migrations"][0]["name"] = RAW
    result["error"] = f"share {RAW} is not cut over."
    plan["migrations"][0]["name"] = RAW
    run = playbook(
        "manila.migration.report", "--diff", evacuate_result=result, evacuate_plan=plan,
        report_phase="cutover",
    )  # fmt: skip
    assert f"share {SHOWN} is not cut over." in run.stdout
    assert unreadable(run.stdout) == []
    report = json.loads((tmp_path / "evacuation-report" / "report.json").read_text())
    assert report["migrations"][0]["name"] == RAW


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"report_phase": "copy"}, "phase 'cutover', source"),
        ({"evacuate_result": None}, "evacuate_result is required"),
    ],
)
def test_the_report_of_another_run_is_not_written(
    playbook: Run, tmp_path: Path, variables: dict[str, Any], message: str
) -> None:
    result, _plan = make_report(3, "cutover")
    run = playbook("manila.migration.report", **{"evacuate_result": result, **variables})
    assert run.returncode and message in run.stdout, run.stdout
    assert not (tmp_path / "evacuation-report").exists()
