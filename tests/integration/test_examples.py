# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of every module runs as it is printed, names aside."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml
from conftest import ALPHA, CLOUD, SERVERS2, Ansible, Manila

# What the examples call something, and what it is called in the sandbox.
NAMES = {
    "mycloud": CLOUD,
    "stor1@array7": "sandbox@alpha",
    "stor2@array9#pool1": "sandbox@gamma#gold",
    "stor2@array9": "sandbox@gamma",
    "array7: array9": "pinned-alpha: replacement",
    "share_type: array9": "share_type: replacement",
    '"22:00"': '"00:00"',  # the window is open now
    '"05:00"': '"23:59:59"',
    "host: stor1\n": "host: sandbox\n",
    "path: /etc/manila/manila.conf": 'path: "{{ playbook_dir }}/manila.conf"',
}


@pytest.mark.parametrize(
    "modules",
    [
        ["share_service"],
        ["share_migration_check", "share_migration", "share_migration_info", "pool_info"],
        ["evacuation_plan", "evacuation", "evacuation_report"],
        ["service_restart_check", "data_service_rules", "data_service_config"],
        ["client_mounts"],
    ],
    ids="-".join,
)
def test_examples(manila: Manila, ansible: Ansible, modules: list[str]) -> None:
    manila.create("projects", ALPHA, share_type="pinned-alpha")
    manila.create("scratch", ALPHA)
    for network in ("tenant-old", "tenant-new"):
        manila.api.share_networks.create(name=network)
    (ansible.folder / "manila.conf").write_text("[DEFAULT]\n[array7]\n")
    run_examples(ansible, modules, NAMES)


def test_examples_for_share_servers(manila: Manila, ansible: Ansible) -> None:
    server = manila.create_server("tenant", "web")
    manila.create("projects", ALPHA)
    names = {
        "mycloud": CLOUD,
        "stor1@array7": "sandbox@alpha",
        "f3089d4f-89e8-4730-b6e6-7cab553df071": server,
        "stor2@array9": SERVERS2,
    }
    modules = ["share_server_migration_check", "share_server_migration"]
    run_examples(ansible, [*modules, "share_server_migration_info", "migration_repair"], names)


def run_examples(ansible: Ansible, modules: list[str], names: dict[str, str]) -> None:
    """Run all examples of some modules, one after the other, with names that are real."""
    tasks = []
    for module in modules:
        text = examples(module)
        for printed, real in names.items():
            text = text.replace(printed, real)
        tasks += yaml.safe_load(text)
    for task in tasks:
        for name in ("share_migration", "share_server_migration", "evacuation"):
            if f"manila.migration.{name}" in task:
                task[f"manila.migration.{name}"]["poll_interval"] = 0.5
        if "manila.migration.client_mounts" in task:
            # Nothing of this machine's own.
            places = {name: str(ansible.folder / name) for name in ("fstab", "record")}
            task["manila.migration.client_mounts"].update(places)
    run = ansible.tasks(*tasks)
    assert run.returncode == 0, run.last
    assert [one["task_name"] for one in run.results] == [task["name"] for task in tasks]


def examples(module: str) -> str:
    """What `ansible-doc` prints."""
    name = f"manila.migration.{module}"
    told = subprocess.run(
        ["ansible-doc", "--json", name], capture_output=True, text=True, check=True
    )
    return str(json.loads(told.stdout)[name]["examples"])
