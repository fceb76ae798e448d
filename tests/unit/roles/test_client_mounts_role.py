# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role client_mounts, and how the role evacuate visits clients, by ansible-playbook.

The collection is the real one, in a copy in which the module meets models of clients.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts import (
    fake_client,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.fake_client import (
    FakeClient,
)

ROOT = Path(__file__).resolve().parents[3]
OLD = "192.0.2.10:/shares/projects"
NEW = "192.0.2.20:/new/projects"
EXPORTS = [{"id": "s-1", "name": "projects", "before": [OLD], "after": [NEW]}]
MOUNT = f"50 22 0:45 / /srv/projects rw shared:28 - nfs4 {OLD} rw,addr=192.0.2.10"
STACK = [
    MOUNT,
    MOUNT.replace("50 22", "51 50").replace("0:45", "0:46"),
    MOUNT.replace("50 22", "52 51").replace("0:45", "0:47"),
]
VOLUME = MOUNT.replace("/srv/projects", "/var/lib/docker/volumes/app/_data")
COPY = f"60 1022 0:45 / /srv/projects rw - nfs4 {OLD} rw,addr=192.0.2.10"


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the collection, the module of which loads and saves the client that its inventory names."""
    tree = tmp_path_factory.mktemp("tree")
    copy = tree / "ansible_collections" / "manila" / "migration"
    copy.mkdir(parents=True)
    for name in ("meta", "plugins", "roles", "galaxy.yml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    shutil.copy(fake_client.__file__, copy / "plugins" / "module_utils" / "fake_client.py")
    module = copy / "plugins" / "modules" / "client_mounts.py"
    text = module.read_text(encoding="utf-8")
    call = "result = Client(LocalSystem(module), request).run()"
    assert call in text
    text = text.replace(
        call,
        "import os\n"
        "        from ansible_collections.manila.migration.plugins.module_utils.fake_client import FakeClient\n"
        "        client = FakeClient.load(os.environ['FAKE_CLIENT'])\n"
        "        try:\n"
        "            result = Client(client, request).run()\n"
        "        finally:\n"
        "            client.save(os.environ['FAKE_CLIENT'])\n",
    )
    module.write_text(text, encoding="utf-8")
    return tree


class Play:
    """Runs tasks for clients that are models."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self.tree = tree
        self.folder = folder
        self.clients: dict[str, dict[str, Any]] = {}
        for name in ("quiesce", "resume"):
            command = {"cmd": f"echo {name} >>{folder}/{{{{ client_mounts_client }}}}.journal"}
            task = {"name": name, "ansible.builtin.shell": command, "changed_when": True}
            (folder / f"{name}.yml").write_text(yaml.safe_dump([task]))

    def add(self, name: str, client: FakeClient, **variables: Any) -> None:
        """Add a client to the inventory."""
        client.save(str(self.folder / name))
        self.clients[name] = {"ansible_connection": "local", "ansible_become": False, **variables}

    def client(self, name: str) -> FakeClient:
        """What has become of a client."""
        return FakeClient.load(str(self.folder / name))

    def journal(self, name: str) -> list[str]:
        """Return which tasks of the user have run for a client."""
        path = self.folder / f"{name}.journal"
        return path.read_text().split() if path.exists() else []

    def run(
        self, hosts: str, tasks: list[dict[str, Any]], *arguments: str, **variables: Any
    ) -> Any:
        """Run tasks.  Returns the finished process."""
        python = {"ansible_python_interpreter": sys.executable}
        environment = {"FAKE_CLIENT": f"{self.folder}/{{{{ client_mounts_client }}}}"}
        play = {
            "hosts": hosts,
            "gather_facts": False,
            "environment": environment,
            "vars": {
                "client_mounts_quiesce_tasks": str(self.folder / "quiesce.yml"),
                "client_mounts_resume_tasks": str(self.folder / "resume.yml"),
                "client_mounts_client": "{{ evacuate_client | default(inventory_hostname) }}",
                **variables,
            },
            "tasks": tasks,
        }
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        hosts_ = {name: {**python, **given} for name, given in self.clients.items()}
        local = {"localhost": {"ansible_connection": "local", **python}}
        inventory = {"all": {"hosts": local, "children": {"clients": {"hosts": hosts_}}}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
        return subprocess.run(
            ["ansible-playbook", "-i", "inventory.yml", "play.yml", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(self.tree),
                "ANSIBLE_HOME": str(self.folder / "home"),
                "ANSIBLE_PIPELINING": "true",
                "ANSIBLE_NOCOLOR": "true",
                "PYTHONPATH": "",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def phase(self, phase: str) -> Any:
        """Run a phase of the role on the clients."""
        role = {"ansible.builtin.include_role": {"name": "manila.migration.client_mounts"}}
        tasks = [{**role, "vars": {"client_mounts_phase": phase}}]
        return self.run("clients", tasks, client_mounts_exports=EXPORTS)


@pytest.fixture
def play(tree: Path, tmp_path: Path) -> Play:
    return Play(tree, tmp_path)


# -- the role ------------------------------------------------------------------------------------


def in_namespace(*lines: str) -> FakeClient:
    """A client with a mount of the share in another namespace as well."""
    client = FakeClient(*lines)
    client.add_namespace("other", COPY, root="rw")
    client.add_process(80, namespace="other")
    return client


def test_before_the_cutover(play: Play) -> None:
    other = MOUNT.replace("50 22", "51 22").replace("0:45", "0:46").replace("/srv/", "/mnt/")
    play.add("stack", FakeClient(*STACK))
    play.add("namespace", in_namespace())
    play.add("volume", FakeClient(VOLUME, other))
    play.add("idle", FakeClient())
    before = play.client("volume").targets()
    run = play.phase("unmount")
    assert run.returncode == 2 and "app (pid 80" in run.stdout and "container engine" in run.stdout
    assert play.journal("stack") == ["quiesce"] and play.client("stack").targets() == []
    # What is refused is as it was, and goes on, even where only another namespace had the share.
    assert play.journal("namespace") == play.journal("volume") == ["quiesce", "resume"]
    assert play.client("volume").targets() == before
    assert play.journal("idle") == []


def test_after_the_cutover(play: Play) -> None:
    broken = FakeClient(MOUNT)
    broken.unmountable = {"/srv/projects": "umount: /srv/projects: target is busy."}
    play.add("stack", FakeClient(*STACK))
    play.add("namespace", in_namespace(MOUNT))
    play.add("broken", broken)
    run = play.phase("mount")
    assert run.returncode == 2 and "app (pid 80" in run.stdout
    assert play.client("stack").targets() == [f"/srv/projects {NEW}"]
    assert play.journal("stack") == ["quiesce", "resume"]
    # What is left elsewhere is told, and keeps no application from the new export.
    assert play.client("namespace").targets() == [f"/srv/projects {NEW}"]
    assert play.journal("namespace") == ["quiesce", "resume"]
    assert play.journal("broken") == ["quiesce"]


# -- the role evacuate ---------------------------------------------------------------------------

RECORDS = [
    {
        "kind": "share",
        "id": "s-1",
        "name": "projects",
        "phase": "copied",
        "export_locations_before": [OLD],
        "export_locations_after": [],
    }
]


@pytest.fixture
def visit(play: Play) -> Callable[..., tuple[bool, str]]:
    """Unmount on the clients as before a cutover.  Returns whether it may go on, and why not."""

    def call(*arguments: str, records=None, group="clients", **variables) -> tuple[bool, str]:
        include = {
            "ansible.builtin.include_role": {
                "name": "manila.migration.evacuate",
                "tasks_from": "clients.yml",
                "rolespec_validate": False,
            },
            "vars": {
                "client_mounts_phase": "unmount",
                "evacuate_client_ready_only": True,
                "evacuate_client_records": records or RECORDS,
                "evacuate_client_group": group,
            },
        }
        content = "{{ evacuate_client_failed | to_json }}"
        note = {"content": content, "dest": f"{play.folder}/told", "mode": "0600"}
        tasks = [include, {"ansible.builtin.copy": note}]
        run = play.run("localhost", tasks, *arguments, **variables)
        if run.returncode:
            return False, run.stdout
        failed = json.loads((play.folder / "told").read_text())
        return failed == [], " ".join(failed)

    return call


@pytest.mark.parametrize(
    "arguments",
    [
        {"client_mounts_busy": "leave"},
        {
            "client_mounts_phase": "find",
            "client_mounts_exports": [{"id": "x", "before": ["192.0.2.1:/x"]}],
        },
    ],
)
def test_no_variable_gets_round_a_share_that_is_not_ready(play: Play, visit, arguments) -> None:
    play.add("client", FakeClient(VOLUME))
    passed, why = visit("-e", json.dumps(arguments))
    assert not passed and "client (" in why


def test_every_client_is_asked_and_each_that_is_not_ready_is_named(play: Play, visit) -> None:
    ssh = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
    play.add("gone", FakeClient(), **ssh)
    play.add("snake", FakeClient(), ansible_python_interpreter="/nonexistent/python")
    play.add("rootless", FakeClient(root=False))
    play.add("volume", FakeClient(VOLUME))
    play.add("accepted", FakeClient(VOLUME))
    play.add("mounted", FakeClient(MOUNT))
    accepted = [{"code": "managed", "source": OLD, "host": "accepted"}]
    passed, why = visit(client_mounts_accept=accepted)
    assert not passed
    for name in ("gone", "snake", "rootless", "volume"):
        assert f"{name} (unmount): " in why
    assert "accepted (" not in why and "mounted (" not in why
    assert play.client("mounted").targets() == []


def test_a_group_without_hosts(visit) -> None:
    passed, why = visit(group="clinets")
    assert not passed and "evacuate_client_group" in why


def test_a_share_whose_exports_are_not_known(play: Play, visit) -> None:
    play.add("client", FakeClient())
    unknown = {**RECORDS[0], "id": "s-2", "export_locations_before": []}
    served = {**unknown, "id": "s-3"}
    server = {"kind": "share_server", "id": "v-1", "phase": "copied", "shares": [served]}
    passed, why = visit(records=[*RECORDS, unknown, server])
    assert not passed and "s-2, s-3" in why
