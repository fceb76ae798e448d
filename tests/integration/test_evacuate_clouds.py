# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several clouds in one run; here they are one, with another back end to be emptied in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from conftest import ALPHA, BETA, CLOUD, GAMMA, Ansible, Manila, Run

CLOUDS = {
    "north": {"evacuate_cloud": CLOUD, "evacuate_source": "sandbox@alpha"},
    "south": {"evacuate_cloud": CLOUD, "evacuate_source": "sandbox@beta"},
    "nowhere": {"evacuate_cloud": "sandbox-unreachable", "evacuate_source": "sandbox@alpha"},
}


def evacuate_clouds(ansible: Ansible, clouds: dict[str, Any], **variables: Any) -> Run:
    inventory = ansible.folder / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"clouds": {"hosts": clouds}}))
    return ansible.playbook(
        "manila.migration.evacuate_clouds",
        "--inventory",
        str(inventory),
        evacuate_phase="all",
        evacuate_poll_interval=0.5,
        evacuate_destinations=["sandbox@gamma"],
        **variables,
    )


def test_each_cloud_has_its_report_and_all_have_one_summary(
    manila: Manila, ansible: Ansible
) -> None:
    north = manila.create_all(["north-0", "north-1"], ALPHA)
    south = manila.create("south-0", BETA)
    run = evacuate_clouds(ansible, CLOUDS)
    assert [manila.share(share).host for share in (*north, south)] == [GAMMA] * 3, run.stdout
    # One that can't be reached keeps no other from being done, and is told at the end.
    assert run.returncode == 2 and run.last["msg"].startswith("nowhere: "), run.last

    folder = ansible.folder / "evacuation-report"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["summary"]["completed"] == 3
    assert set(summary["clouds"]) == set(CLOUDS)
    for name, completed in (("north", 2), ("south", 1)):
        cloud = summary["clouds"][name]
        report = json.loads((ansible.folder / Path(cloud["report"])).read_text())
        assert report["summary"] == cloud["summary"]
        assert report["source"] == cloud["source"] == CLOUDS[name]["evacuate_source"]
        assert report["summary"]["completed"] == completed and cloud["error"] == ""
    assert summary["clouds"]["nowhere"]["error"] == summary["error"].removeprefix("nowhere: ")
    assert run.by_name("Show the summary")["msg"] == summary["text"]
    assert summary["text"][-1].startswith("all: total 3, ")


def test_files_that_clouds_would_have_in_common(ansible: Ansible) -> None:
    run = evacuate_clouds(ansible, CLOUDS, evacuate_plan_file="plan.json")
    assert run.returncode == 2
    assert "north: Each cloud needs its own files. " in run.last["msg"]
    assert not (ansible.folder / "plan.json").exists()


def test_without_clouds(ansible: Ansible) -> None:
    run = evacuate_clouds(ansible, {})
    assert run.returncode == 2
    assert run.last["msg"].startswith(
        "The inventory must have one host for each cloud in the group clouds"
    )
