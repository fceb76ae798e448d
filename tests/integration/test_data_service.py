# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role data_service: its files, its refusals, and the guard around a copy of real files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import CLOUD, FILES1, FILES2, SANDBOX, Ansible, Manila, Run, sandbox, wait_for

PASSWORD = "hunter2-in-the-cellar"

OPTIONS: dict[str, Any] = {
    "data_service_protocols": ["NFS", "CIFS", "GLUSTERFS"],
    "data_service_data_node_access_ips": ["192.0.2.10", "2001:db8::10"],
    "data_service_data_node_access_cert": "data-node",
    "data_service_data_node_access_admin_user": "manila",
    "data_service_data_node_mount_options": {
        "nfs": "-o nfsvers=4.1,proto=tcp",
        "cifs": f"-o username=manila,password={PASSWORD}",
    },
    "data_service_data_access_wait_access_rules_timeout": 200,
    "data_service_mount_tmp_location": "/var/lib/manila/migration",
    "data_service_check_hash": True,
    "data_service_migration_wait_access_rules_timeout": 201,
    "data_service_migration_create_delete_share_timeout": 202,
    "data_service_backends": {
        "array7": {
            "migration_ignore_files": ["lost+found", ".snapshot"],
            "share_mount_template": "mount -vt %(proto)s %(options)s %(export)s %(path)s",
            "share_unmount_template": "umount -v %(path)s",
            "protocol_access_mapping": {"ip": ["nfs"], "user": ["cifs"], "cert": ["glusterfs"]},
        }
    },
}

DATA = """\
[DEFAULT]
data_node_access_ips = 192.0.2.10,2001:db8::10
data_node_access_cert = data-node
data_node_access_admin_user = manila
data_node_mount_options = cifs:-o username=manila -o password={password},nfs:-o nfsvers=4.1 -o proto=tcp
data_access_wait_access_rules_timeout = 200
mount_tmp_location = /var/lib/manila/migration
check_hash = True
"""
SHARE = """\
[DEFAULT]
migration_wait_access_rules_timeout = 201
migration_create_delete_share_timeout = 202

[array7]
migration_ignore_files = lost+found,.snapshot
share_mount_template = mount -vt %(proto)s %(options)s %(export)s %(path)s
share_unmount_template = umount -v %(path)s
protocol_access_mapping = cert:[glusterfs],ip:[nfs],user:[cifs]
"""


def role(ansible: Ansible, *options: str, **variables: Any) -> Run:
    return ansible.playbook("manila.migration.data_service", *options, **variables)


# -- files of other deployment tools -----------------------------------------------------------


def test_kolla_ansible(ansible: Ansible) -> None:
    variables = {
        **OPTIONS,
        "data_service_mode": "kolla_ansible",
        "data_service_kolla_config_dir": str(ansible.folder / "kolla"),
    }
    loud = ("-vvv", "--diff")
    data = ansible.folder / "kolla" / "manila" / "manila-data.conf"
    share = data.with_name("manila-share.conf")
    checked = role(ansible, "--check", *loud, **variables)
    assert checked.returncode == 0 and checked.changed and not data.exists()

    run = role(ansible, *loud, **variables)
    assert run.returncode == 0, run.last
    assert data.read_text() == DATA.format(password=PASSWORD)
    assert share.read_text() == SHARE
    # Each file has what its service reads, and none is for others to read.
    assert [stat.S_IMODE(file.stat().st_mode) for file in (data, share)] == [0o600, 0o600]
    for one in (checked, run):
        assert PASSWORD not in one.stdout + one.stderr
        assert "password=***" in one.stdout
    assert role(ansible, **variables).changed == 0

    # What others wrote there stays, with its mode.
    data.write_text("# ours\n[DEFAULT]\ndebug = True\n")
    data.chmod(0o640)
    assert role(ansible, **variables).returncode == 0
    assert data.read_text().startswith("# ours\n[DEFAULT]\ndebug = True\ndata_node_access_ips = ")
    assert stat.S_IMODE(data.stat().st_mode) == 0o640


def test_openstack_ansible(ansible: Ansible) -> None:
    file = ansible.folder / "user_manila_data_service.yml"
    variables = {
        **OPTIONS,
        "data_service_mode": "openstack_ansible",
        "data_service_openstack_ansible_file": str(file),
    }
    run = role(ansible, "-vvv", "--diff", **variables)
    assert run.returncode == 0 and PASSWORD not in run.stdout
    overrides = yaml.safe_load(file.read_text())["manila_manila_conf_overrides"]
    assert overrides["DEFAULT"]["data_node_access_ips"] == "192.0.2.10,2001:db8::10"
    assert overrides["DEFAULT"]["migration_create_delete_share_timeout"] == "202"
    assert overrides["array7"]["protocol_access_mapping"] == "cert:[glusterfs],ip:[nfs],user:[cifs]"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert role(ansible, **variables).changed == 0


def test_print(ansible: Ansible) -> None:
    run = role(ansible, "-vvv", data_service_mode="print", data_service_harden=True, **OPTIONS)
    assert run.returncode == 0 and run.changed == 0 and PASSWORD not in run.stdout
    shown = run.last["data_service_options.options"]
    assert shown["DEFAULT"]["data_node_mount_options"] == (
        "cifs:-o username=manila -o password=*** -o nosuid -o nodev -o noexec,"
        "nfs:-o nfsvers=4.1 -o proto=tcp -o nosuid -o nodev -o noexec"
    )


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"data_service_data_node_access_ips": ["data1"]}, "'data1' is no IP address"),
        ({"data_service_mount_tmp_location": "/tmp/"}, "which all users share"),
        (
            {"data_service_backends": {"a": {"share_mount_template": "mount %(export)s"}}},
            "has to contain %(path)s",
        ),
        (
            {"data_service_backends": {"a": {"protocol_access_mapping": {"cephx": ["cephfs"]}}}},
            "can't ask for access of type 'cephx'",
        ),
        ({"data_service_protocols": ["AFS"]}, "value of data_service_protocols must be"),
        (
            {"data_service_data_node_access_ip": "192.0.2.10"},
            "use data_service_data_node_access_ips instead",
        ),
    ],
)
def test_bad_options_write_nothing(ansible: Ansible, variables: dict[str, Any], words: str) -> None:
    run = role(
        ansible,
        **{
            **OPTIONS,
            "data_service_mode": "kolla_ansible",
            "data_service_kolla_config_dir": str(ansible.folder / "kolla"),
            **variables,
        },
    )
    failed = [one["msg"] for one in run.results if one.get("failed")]
    assert run.returncode != 0 and any(words in one for one in failed), run.results
    assert PASSWORD not in run.stdout
    assert not (ansible.folder / "kolla").exists()


def config(ansible: Ansible, file: Path, **arguments: Any) -> dict[str, Any]:
    return ansible.module(
        "data_service_config", path=str(file), data_node_access_ips=["192.0.2.10"], **arguments
    )


def test_the_file_and_the_node_are_looked_at(ansible: Ansible) -> None:
    file = ansible.folder / "manila.conf"
    assert "can't be read" in config(ansible, file)["msg"]

    file.write_text("[DEFAULT]\ndata_node_access_ip = 192.0.2.10\n\n[array7]\n")
    removed = config(ansible, file)
    assert removed["failed"] and "line 2: data_node_access_ip" in removed["msg"]
    file.write_text("[DEFAULT]\n\n[array7]\n")
    missing = config(ansible, file, backends={"array8": {"migration_ignore_files": ["x"]}})
    assert "has no such section, only: array7" in missing["msg"]

    # A password in a file that everybody may read.
    file.chmod(0o644)
    secret = {"data_node_mount_options": {"nfs": f"-o password={PASSWORD}"}}
    refused = config(ansible, file, **secret)
    assert "for everybody to read" in refused["msg"] and PASSWORD not in json.dumps(refused)
    assert config(ansible, file, mode="o-rwx", **secret)["changed"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640

    # A place that others can look into, and what is no folder at all.
    place = ansible.folder / "mounts"
    place.mkdir(mode=0o755)
    where = {"inspect_node": True, "mount_tmp_location": str(place)}
    if not str(place).startswith("/tmp"):
        assert "has the mode 0755" in config(ansible, file, **where)["msg"]
    allowed = config(ansible, file, allow_shared_mount_location=True, **where)
    assert not allowed.get("failed")
    link = ansible.folder / "link"
    link.symlink_to(place)
    linked = {"inspect_node": True, "mount_tmp_location": str(link)}
    assert (
        "is no folder" in config(ansible, file, allow_shared_mount_location=True, **linked)["msg"]
    )


def test_the_validator_of_oslo_is_asked_where_manila_is(manila: Manila, ansible: Ansible) -> None:
    file = ansible.folder / "manila.conf"
    file.write_text("[DEFAULT]\n\n[array7]\n")
    venv = Path(os.environ["MANILA_SANDBOX_VENV"])
    ansible.environment["PATH"] = f"{venv / 'bin'}:{ansible.environment['PATH']}"
    known = config(
        ansible,
        file,
        check_hash=True,
        backends={"array7": {"share_unmount_template": "umount %(path)s"}},
    )
    assert known["changed"], known
    # A Manila whose sample lacks one of them.
    fake = ansible.folder / "bin"
    fake.mkdir()
    (fake / "oslo-config-validator").write_text(
        "#!/bin/sh\necho 'ERROR:root:DEFAULT/data_node_access_ips is not part of the sample config'; exit 1\n"
    )
    (fake / "oslo-config-validator").chmod(0o755)
    ansible.environment["PATH"] = f"{fake}:{ansible.environment['PATH']}"
    file.write_text("[DEFAULT]\n")
    unknown = config(ansible, file)
    assert (
        "data_node_access_ips: the Manila that is installed here has no such option"
        in unknown["msg"]
    )
    assert file.read_text() == "[DEFAULT]\n"


# -- on the sandbox: its own services, and real files --------------------------------------------


class Node:
    """The sandbox as a node with manila-data and manila-share, configured by the role."""

    def __init__(self, ansible: Ansible) -> None:
        self.ansible = ansible
        root = Path(os.environ["OS_CLIENT_CONFIG_FILE"]).parent
        self.run = root / "run"
        self.config = root / "etc" / "local.conf"
        self.config.write_text("[DEFAULT]\n\n[files1]\n\n[files2]\n")
        self.config.chmod(0o640)
        self.mounts = Path(os.environ["MANILA_SANDBOX_MOUNTS"])
        folder = ansible.folder
        (folder / "inventory").write_text(
            "[all:vars]\nansible_connection=local\n"
            "ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
            "[manila_data]\nnode\n[manila_share]\nnode\n"
        )
        (folder / "restart.yml").write_text(
            yaml.safe_dump(
                [
                    {
                        "name": "Restart a service of the sandbox",
                        "ansible.builtin.command": {
                            "argv": [str(SANDBOX), "{{ item.1 }}", "{{ item.0 }}"]
                        },
                        "loop": (
                            "{{ {'manila-data': ['manila-data'], 'manila-share':"
                            " ['manila-share@files1', 'manila-share@files2']}[data_service_binary]"
                            " | product(['stop', 'start']) }}"
                        ),
                    }
                ]
            )
        )
        self.variables: dict[str, Any] = {
            "ansible_become": False,
            "data_service_cloud": CLOUD,
            "data_service_host": "sandbox",
            "data_service_user": "root",
            "data_service_install_helpers": False,
            "data_service_config_file": str(self.config),
            "data_service_due_dir": str(folder / "due"),
            "data_service_restart_tasks": str(folder / "restart.yml"),
            "data_service_restart_poll_interval": 0.5,
            "data_service_restart_timeout": 0,
            "data_service_mount_tmp_location": str(self.mounts / "private"),
            "data_service_data_node_access_ips": ["127.0.0.1"],
            "data_service_check_hash": True,
            "data_service_backends": {
                name: {
                    "migration_ignore_files": ["lost+found", "left behind"],
                    "share_mount_template": "mount --bind %(export)s %(path)s",
                    "share_unmount_template": "umount %(path)s",
                }
                for name in ("files1", "files2")
            },
        }
        if str(self.mounts).startswith("/tmp/"):
            (self.mounts / "private").mkdir(mode=0o700, exist_ok=True)
            self.variables["data_service_allow_shared_mount_location"] = True

    def configure(self, *options: str, **variables: Any) -> Run:
        """Run the playbook."""
        return role(
            self.ansible,
            "--inventory",
            str(self.ansible.folder / "inventory"),
            *options,
            **{**self.variables, **variables},
        )

    def pid(self, process: str) -> int:
        """The process of a service."""
        return int(json.loads((self.run / f"{process}.json").read_text())["pid"])

    def mounted(self) -> list[str]:
        """What is mounted below the mount location."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line.split()[4] for line in lines if line.split()[4].startswith(f"{self.mounts}/")]


@pytest.fixture
def node(manila: Manila, ansible: Ansible) -> Iterator[Node]:
    node = Node(ansible)
    yield node
    node.config.unlink()
    sandbox("reset")
    for process in ("manila-data", "manila-share@files1", "manila-share@files2"):
        sandbox("stop", process)
    for point in node.mounted():
        subprocess.run(["umount", point], check=True)
    sandbox("up")


class Gate:
    """A pipe in a share: cp waits at it, so that a copy lasts until the gate is opened."""

    def __init__(self, export: Path) -> None:
        self.path = export / "gate"
        os.mkfifo(self.path)
        self._opener = threading.Thread(target=self._open, daemon=True)

    def open(self) -> None:
        """Let everything pass that waits, now and later."""
        self._opener.start()

    def _open(self) -> None:
        while self.path.is_fifo():
            # Without a reader there is no such device; the share may go at any time.
            with contextlib.suppress(OSError):
                os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
            time.sleep(0.05)


def fill(export: Path) -> None:
    """Real files of every kind that a host-assisted migration keeps."""
    (export / "empty" / "emptier").mkdir(parents=True)
    (export / "empty").chmod(0o2750)
    odd = export / "Füße — 文件 \N{SNOWMAN} and blanks"
    odd.mkdir()
    (odd / "naïve 'quoted' & $HOME *").write_bytes(b"odd")
    (odd / ".hidden").write_bytes(b"")
    with (export / "sparse").open("wb") as file:
        file.seek(64 * 1024 * 1024)
        file.write(b"end")
    (export / "large").write_bytes(os.urandom(1024) * 20_000)
    (export / "secret").write_bytes(b"secret")
    (export / "secret").chmod(0o600)
    (export / "program").write_bytes(b"#!/bin/sh\n")
    (export / "program").chmod(0o4755)
    os.chown(export / "secret", 1234, 2345)
    (export / "link").symlink_to("large")
    (export / "left behind").write_bytes(b"ignored")


def listing(export: Path) -> dict[str, tuple[Any, ...]]:
    """Everything about the files that has to be the same afterwards."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(export.rglob("*")):
        if path.name in ("gate", "left behind"):
            continue
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        mode = None if path.is_symlink() else oct(status.st_mode)
        owner = None if path.is_dir() else (status.st_uid, status.st_gid)
        found[str(path.relative_to(export))] = (mode, owner, content)
    return found


def test_the_guard(manila: Manila, ansible: Ansible, node: Node) -> None:
    # Restarts take their time: one story, in one node's life.
    before = node.config.read_text()
    second = node.configure(data_service_host="data2")
    assert second.returncode != 0 and "The cloud already has manila-data" in second.last["msg"]
    assert node.config.read_text() == before

    configures_the_sandbox(node)
    waits_for_a_copy_of_real_files(manila, ansible, node)
    without_it_the_copy_breaks_and_can_be_cleaned_up(manila, ansible, node)


def instance_of(mount: str, manila: Manila, share: str) -> bool:
    return Path(mount).name in [one.id for one in manila.instances(share)]


def configures_the_sandbox(node: Node) -> None:
    before = {name: node.pid(name) for name in ("manila-data", "manila-share@files1")}
    first = node.configure("--diff")
    assert first.returncode == 0, first.last
    assert all(before[name] != node.pid(name) for name in before)
    assert stat.S_IMODE((node.mounts / "private").stat().st_mode) == 0o700
    assert stat.S_IMODE(node.config.stat().st_mode) == 0o640


def waits_for_a_copy_of_real_files(manila: Manila, ansible: Ansible, node: Node) -> None:
    """An evacuation of real files, and in the middle of it a play that changes an option."""
    after = {name: node.pid(name) for name in ("manila-data", "manila-share@files1")}
    share = manila.create("papers", FILES1, 1, "files")
    source = manila.folder(share)
    fill(source)
    gate = Gate(source)
    files = listing(source)
    outcome: list[Run] = []
    evacuation = threading.Thread(
        target=lambda: outcome.append(
            Ansible(ansible.folder).evacuate(
                "all", evacuate_source="sandbox@files1", evacuate_mechanism="host"
            )
        )
    )
    evacuation.start()
    manila.await_task_state(share, "data_copying_in_progress")
    refused = node.configure(data_service_check_hash=False)
    assert refused.returncode != 0
    assert "must not be restarted now" in refused.last["msg"] and share in refused.last["msg"]
    assert "check_hash = False" in node.config.read_text()
    assert node.pid("manila-data") == after["manila-data"]
    # The same play again, with patience: nothing changes, and still it knows that a restart is due.
    threading.Timer(15, gate.open).start()
    patient = node.configure(data_service_check_hash=False, data_service_restart_timeout=300)
    evacuation.join()
    assert patient.returncode == 0, patient.last
    assert node.pid("manila-data") != after["manila-data"]
    # Its own options did not change.
    assert node.pid("manila-share@files1") == after["manila-share@files1"]

    (run,) = outcome
    assert run.returncode == 0, run.last
    assert manila.share(share).host.startswith("sandbox@files2")
    moved = manila.folder(share)
    assert listing(moved) == files and not (moved / "left behind").exists()
    sparse = (moved / "sparse").stat()
    assert sparse.st_size > 64 * 1024 * 1024 > 100 * 512 * sparse.st_blocks
    assert not node.mounted()


def without_it_the_copy_breaks_and_can_be_cleaned_up(
    manila: Manila, ansible: Ansible, node: Node
) -> None:
    changed = {"data_service_data_access_wait_access_rules_timeout": 100}
    # The evacuation has left its source disabled.
    manila.api.services.enable("sandbox@files1", "manila-share")
    sandbox("refresh")
    share = manila.create("letters", FILES1, 1, "files")
    source = manila.folder(share)
    fill(source)
    gate = Gate(source)
    files = listing(source)
    manila.api.shares.migration_start(share, FILES2, True, False, False, False, False)
    manila.await_task_state(share, "data_copying_in_progress")
    wait_for(lambda: len(node.mounted()) == 2)

    # The same play, its restart made by somebody who doesn't ask.
    unguarded = node.configure(**changed, data_service_restart="never")
    assert unguarded.returncode == 0
    sandbox("stop", "manila-data")
    sandbox("start", "manila-data")
    broken = ("data_copying_error", "migration_error")
    wait_for(lambda: manila.share(share).task_state in broken)
    assert manila.share(share).host == FILES1 and listing(source) == files
    gate.open()

    # At SIGTERM manila-data may still clean up behind itself; in a crash it does not.
    share = manila.create("diaries", FILES1, 1, "files")
    source = manila.folder(share)
    fill(source)
    gate = Gate(source)
    files = listing(source)
    manila.api.shares.migration_start(share, FILES2, True, False, False, False, False)
    manila.await_task_state(share, "data_copying_in_progress")
    left = wait_for(
        lambda: sorted(one for one in node.mounted() if instance_of(one, manila, share))
    )
    sandbox("stop", "manila-data", "--signal", "KILL")
    sandbox("start", "manila-data")
    manila.await_task_state(share, "data_copying_error")
    gate.open()
    assert manila.share(share).status == "migrating"

    # What the crash left is shown, and removed when that is asked for.
    shown = node.configure(**changed)
    assert shown.returncode == 0 and set(left) <= set(node.mounted())
    assert set(left) <= set(
        shown.by_name("Show mounts and access rules left by a crash")["msg"]["mounts"]
    )
    cleaned = node.configure(**changed, data_service_cleanup=True)
    assert cleaned.returncode == 0, cleaned.last
    assert not node.mounted() and not list((node.mounts / "private").iterdir())

    # Back by the documented way; the rule of the Data Service stays until it is cleaned up, too.
    manila.api.shares.reset_task_state(share, "data_copying_completed")
    manila.api.shares.migration_cancel(share)
    manila.await_task_state(share, "migration_cancelled")
    wait_for(lambda: manila.share(share).status == "available")
    assert listing(source) == files
    assert ("ip", "127.0.0.1", "rw") in manila.rules(share)
    listed = ansible.module("data_service_rules", access_to=["127.0.0.1"])
    assert share in [one["share_id"] for one in listed["rules"]] and not listed["changed"]
    cleaned = node.configure(**changed, data_service_cleanup=True)
    assert cleaned.returncode == 0 and cleaned.changed == 1, cleaned.last
    wait_for(lambda: manila.rules(share) == [("ip", "192.0.2.10", "rw")])
