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
    """Runs tasks on the controller, for clients that are models."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self.tree = tree
        self.folder = folder
        self.clients: dict[str, dict[str, Any]] = {}
        for name in ("quiesce", "resume"):
            command = {"cmd": f"echo {name} >>{folder}/journal"}
            task = {"name": name, "ansible.builtin.shell": command, "changed_when": True}
            (folder / f"{name}.yml").write_text(yaml.safe_dump([task]))

    def add(self, name: str, client: FakeClient, **variables: Any) -> None:
        """Add a client to the inventory."""
        client.save(str(self.folder / name))
        self.clients[name] = {"ansible_connection": "local", "ansible_become": False, **variables}

    def client(self, name: str = "client") -> FakeClient:
        """What has become of a client."""
        return FakeClient.load(str(self.folder / name))

    def journal(self) -> list[str]:
        """Return which tasks of the user have run."""
        path = self.folder / "journal"
        return path.read_text().split() if path.exists() else []

    def run(
        self, hosts: str, tasks: list[dict[str, Any]], *arguments: str, **variables: Any
    ) -> Any:
        """Run tasks.  Returns the finished process, with the fact `told` as `told`."""
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

    def phases(self, *phases: str, arguments: tuple[str, ...] = (), **variables: Any) -> Any:
        """Run phases of the role on the client."""
        role = {"ansible.builtin.include_role": {"name": "manila.migration.client_mounts"}}
        tasks = [{**role, "vars": {"client_mounts_phase": phase}} for phase in phases]
        return self.run("clients", tasks, *arguments, client_mounts_exports=EXPORTS, **variables)


@pytest.fixture
def play(tree: Path, tmp_path: Path) -> Play:
    return Play(tree, tmp_path)


# -- the role ------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [["unmount", "mount"], ["mount"]])
def test_what_uses_a_stack_of_mounts_is_quiesced_and_resumed(play: Play, phases) -> None:
    play.add("client", FakeClient(*STACK))
    run = play.phases(*phases)
    assert run.returncode == 0, run.stdout
    assert play.journal() == ["quiesce", "resume"]
    assert play.client().targets() == [f"/srv/projects {NEW}"]


def test_what_only_a_namespace_uses_is_quiesced_and_resumed(play: Play) -> None:
    client = FakeClient()
    client.add_namespace("other", COPY, root="rw")
    client.add_process(80, namespace="other")
    play.add("client", client)
    run = play.phases("unmount")
    assert run.returncode == 2 and "app (pid 80" in run.stdout
    assert play.journal() == ["quiesce", "resume"]


def test_a_share_that_is_left_is_refused_and_everything_is_as_before(play: Play) -> None:
    other = MOUNT.replace("50 22", "51 22").replace("0:45", "0:46").replace("/srv/", "/mnt/")
    play.add("client", FakeClient(VOLUME, other))
    before = play.client().targets()
    run = play.phases("unmount")
    assert run.returncode == 2 and "container engine" in run.stdout
    assert play.client().targets() == before and play.journal() == ["quiesce", "resume"]


def test_after_the_cutover_what_is_left_elsewhere_does_not_stop_the_applications(
    play: Play,
) -> None:
    client = FakeClient(MOUNT)
    client.add_namespace("other", COPY, root="rw")
    client.add_process(80, namespace="other")
    play.add("client", client)
    run = play.phases("mount")
    assert run.returncode == 2 and "app (pid 80" in run.stdout
    assert play.client().targets() == [f"/srv/projects {NEW}"]
    assert play.journal() == ["quiesce", "resume"]


@pytest.mark.parametrize(
    ("entry", "ready"), [({}, True), ({"host": "client"}, True), ({"host": "client-2"}, False)]
)
def test_a_mount_is_accepted_on_a_host_by_name(play: Play, entry, ready) -> None:
    play.add("client", FakeClient(VOLUME))
    accepted = [{"code": "managed", "source": OLD, **entry}]
    run = play.phases("unmount", client_mounts_accept=accepted)
    assert (run.returncode == 0) is ready, run.stdout


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

    def call(*arguments: str, records=RECORDS, group="clients", **variables) -> tuple[bool, str]:
        include = {
            "ansible.builtin.include_role": {
                "name": "manila.migration.evacuate",
                "tasks_from": "clients.yml",
                "rolespec_validate": False,
            },
            "vars": {
                "client_mounts_phase": "unmount",
                "evacuate_client_ready_only": True,
                "evacuate_client_records": records,
                "evacuate_client_group": group,
            },
        }
        told = {"failed": "{{ evacuate_client_failed }}"}
        tasks = [
            include,
            {"ansible.builtin.copy": {"content": "{{ told | to_json }}", "dest": f"{play.folder}/told", "mode": "0600"}, "vars": {"told": told}},
        ]  # fmt: skip
        run = play.run("localhost", tasks, *arguments, **variables)
        if run.returncode:
            return False, run.stdout
        failed = json.loads((play.folder / "told").read_text())["failed"]
        return failed == [], " ".join(failed)

    return call


def test_a_client_that_lets_go_is_passed(play: Play, visit) -> None:
    play.add("client", FakeClient(MOUNT))
    assert visit() == (True, "")
    assert play.client().targets() == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-e", "client_mounts_busy=leave"),
        ("-e", "client_mounts_phase=find"),
        ("-e", '{"client_mounts_exports": [{"id": "x", "before": ["192.0.2.1:/x"]}]}'),
        ("--check",),
    ],
)
def test_no_variable_gets_round_a_share_that_is_not_ready(play: Play, visit, arguments) -> None:
    play.add("client", FakeClient(VOLUME))
    play.add("client-2", FakeClient())
    passed, why = visit(*arguments)
    assert not passed and "client (" in why


def test_an_accepted_mount_of_one_client_is_not_accepted_on_another(play: Play, visit) -> None:
    play.add("client", FakeClient(VOLUME))
    play.add("client-2", FakeClient(VOLUME))
    accepted = [{"code": "managed", "source": OLD, "host": "client"}]
    passed, why = visit(client_mounts_accept=accepted)
    assert not passed and "client-2 (" in why and "client (" not in why


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9},
        {"ansible_python_interpreter": "/nonexistent/python"},
    ],
    ids=["unreachable", "no Python"],
)
def test_a_client_that_cannot_be_asked(play: Play, visit, variables) -> None:
    play.add("client-1", FakeClient(), **variables)
    play.add("client-2", FakeClient(MOUNT))
    passed, why = visit()
    assert not passed and "client-1 (unmount)" in why
    assert play.client("client-2").targets() == []  # the others are asked all the same


def test_a_client_without_root(play: Play, visit) -> None:
    play.add("client", FakeClient(root=False))
    passed, why = visit()
    assert not passed and "become" in why


@pytest.mark.parametrize("group", ["clients", "clinets"])
def test_a_group_without_hosts(visit, group) -> None:
    passed, why = visit(group=group)
    assert not passed and "evacuate_client_group" in why


@pytest.mark.parametrize("kind", ["share", "share_server"])
def test_a_share_whose_exports_are_not_known(play: Play, visit, kind) -> None:
    play.add("client", FakeClient())
    unknown = {**RECORDS[0], "id": "s-2", "export_locations_before": []}
    if kind == "share_server":
        unknown = {"kind": kind, "id": "v-1", "phase": "copied", "shares": [unknown]}
    passed, why = visit(records=[*RECORDS, unknown])
    assert not passed and "s-2" in why
