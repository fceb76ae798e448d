# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client with a writer on a share, whose mounts move with it.

The client is this machine with mounts of its own (a mount namespace); Ansible's modules run in it,
as the interpreter that it is told is a script that enters it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import FILES1, FILES2, Ansible, Manila, sandbox, wait_for
from test_evacuate import result_of

WRITER = """
import os, sys, time
target, acknowledged, stop = sys.argv[1:]
number, file = 0, None
while True:
    try:
        if os.path.exists(stop):
            if file is not None:
                os.close(file)
                file = None
            open(f"{stop}ped", "w").close()
            time.sleep(0.05)
            continue
        if file is None:
            file = os.open(f"{target}/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{number}\\n".encode())
        os.fsync(file)
    except OSError as error:
        if file is not None:
            os.close(file)
        file = None
        with open(f"{acknowledged}.errors", "a") as errors:
            print(error.errno, file=errors)
        time.sleep(0.05)
        continue
    with open(acknowledged, "a") as done:
        print(number, file=done)
    number += 1
    time.sleep(0.005)
"""

READER = "import os, sys, time; os.chdir(sys.argv[1]); time.sleep(9999)"


class Client:
    """A machine of which only the mounts are its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "mnt"
        self.target.mkdir(parents=True)
        self.acknowledged = folder / "acknowledged"
        self.stop = folder / "stop"
        helpers = folder / "helpers"
        helpers.mkdir()
        mount = helpers / "mount.share"
        here = Path(__file__).parent / "share_mount.py"
        self.broken = folder / "broken"
        mount.write_text(
            f'#!/bin/sh\n[ -e {self.broken} ] && echo "mount.share: broken" >&2 && exit 32\n'
            f'exec {sys.executable} {here} "$1" "$2"\n'
        )
        mount.chmod(0o755)
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sleep", "infinity"]
        )
        own = os.stat("/proc/self/ns/mnt").st_ino
        wait_for(lambda: os.stat(f"/proc/{self.process.pid}/ns/mnt").st_ino != own, 10)
        # mount(8) looks for its helpers there only.
        overlay = f"lowerdir={helpers}:/usr/sbin"
        self.run("mount", "-t", "overlay", "overlay", "-o", overlay, "/usr/sbin")
        self.python = folder / "python"
        enter = f"nsenter --target {self.process.pid} --mount --wd={folder}"
        self.python.write_text(f'#!/bin/sh\nexec {enter} -- {sys.executable} "$@"\n')
        self.python.chmod(0o755)
        self.processes = [self.process]

    def run(self, *command: str) -> str:
        """Run a command there."""
        inside = ["nsenter", "--target", str(self.process.pid), "--mount", "--", *command]
        return subprocess.run(inside, capture_output=True, text=True, check=True).stdout

    def mounted(self) -> list[str]:
        """What is mounted of shares."""
        lines = self.run("cat", "/proc/self/mounts").splitlines()
        return [line.split()[0] for line in lines if line.split()[2] == "fuse.share"]

    def write(self) -> None:
        """Start to write to what is mounted, a line a time, and to note what was acknowledged."""
        command = [self.python, "-c", WRITER, self.target, self.acknowledged, self.stop]
        self.processes.append(subprocess.Popen(command))
        wait_for(lambda: len(self.lines()) > 10, 30)

    def lines(self) -> list[str]:
        """What was acknowledged."""
        return self.acknowledged.read_text().split() if self.acknowledged.exists() else []

    def errors(self) -> set[int]:
        """The numbers of the errors that the writer got."""
        path = Path(f"{self.acknowledged}.errors")
        return {int(one) for one in path.read_text().split()} if path.exists() else set()

    def close(self) -> None:
        """Leave nothing."""
        if self.process.poll() is None:
            # What serves the mount ends with it.
            enter = ["nsenter", "--target", str(self.process.pid), "--mount", "--"]
            subprocess.run([*enter, "umount", "--lazy", self.target], check=False)
        for one in self.processes:
            one.kill()
            one.wait()

    def inventory(self) -> dict[str, Any]:
        """What Ansible has to know of it."""
        return {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": str(self.python),
        }


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    made = Client(tmp_path / "client")
    yield made
    made.close()


def variables(ansible: Ansible, client: Client, **others: dict[str, Any]) -> dict[str, Any]:
    """What the evacuation has to know of the clients, and the tasks that stop and start the writer."""
    quiesce = [
        {
            "name": "Stop the writer",
            "ansible.builtin.file": {"path": str(client.stop), "state": "touch", "mode": "0600"},
        },
        {
            "name": "Wait until it has closed its file",
            "ansible.builtin.wait_for": {"path": f"{client.stop}ped", "timeout": 60},
        },
    ]
    resume = [
        {"name": "Start the writer", "ansible.builtin.file": {"path": path, "state": "absent"}}
        for path in (f"{client.stop}ped", str(client.stop))
    ]
    for name, tasks in (("quiesce", quiesce), ("resume", resume)):
        (ansible.folder / f"{name}.yml").write_text(yaml.safe_dump(tasks))
    hosts = {"clients": {"hosts": {"client-1": client.inventory(), **others}}}
    (ansible.folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": hosts}}))
    return {
        "evacuate_source": "sandbox@files1",
        "evacuate_destinations": ["sandbox@files2"],
        "evacuate_client_group": "clients",
        "client_mounts_types": ["share"],
        "client_mounts_fstab": str(client.folder / "fstab"),
        "client_mounts_record": str(client.folder / "record.json"),
        "client_mounts_quiesce_tasks": str(ansible.folder / "quiesce.yml"),
        "client_mounts_resume_tasks": str(ansible.folder / "resume.yml"),
    }


def export(manila: Manila, share: str) -> str:
    """The export location that clients are told."""
    exports = manila.api.share_export_locations.list(share)
    return str(next(one.path for one in exports if not one.is_admin_only))


def begin(manila: Manila, client: Client) -> str:
    """A share that the client has mounted and writes to."""
    share = manila.create("papers", FILES1, 1, "files")
    old = export(manila, share)
    (client.folder / "fstab").write_text(f"# shares\n{old} {client.target} share defaults 0 0\n")
    client.run("mount", "-t", "share", old, str(client.target))
    client.write()
    return share


def assert_nothing_lost(manila: Manila, client: Client, share: str) -> None:
    """The writer goes on, and all that it was told is written can be read at the server."""
    done = len(client.lines())
    wait_for(lambda: len(client.lines()) > done + 10, 30)
    client.close()
    kept = set((manila.folder(share) / "log").read_text().split())
    missing = [one for one in client.lines() if one not in kept]
    assert missing == []


def test_a_writer_loses_nothing(manila: Manila, ansible: Ansible, client: Client) -> None:
    share = begin(manila, client)
    old = export(manila, share)
    sandbox("speed", "--complete-seconds", "1")
    run = ansible.evacuate("all", "-i", "inventory.yml", **variables(ansible, client))
    assert run.returncode == 0, run.stdout
    assert manila.share(share).host == FILES2
    new = export(manila, share)
    assert client.mounted() == [new] and new != old
    assert (client.folder / "fstab").read_text() == (
        f"# shares\n{new} {client.target} share defaults 0 0\n"
    )
    # While manila-data copies, Manila lets clients only read: the writer was told so.
    assert client.errors() == {30}
    assert_nothing_lost(manila, client, share)


def test_who_uses_a_mount_is_named_and_keeps_it(
    manila: Manila, ansible: Ansible, client: Client
) -> None:
    share = begin(manila, client)
    more = variables(ansible, client)
    reader = subprocess.Popen([client.python, "-c", READER, client.target])
    client.processes.append(reader)
    run = ansible.evacuate("all", "-i", "inventory.yml", **more)
    report = result_of(ansible, run)
    # Whoever still reads is named, and the share is not taken away from under it.
    assert run.returncode == 2 and "papers: not cut over" in report["error"], report["error"]
    assert f"{client.target} is held by python (pid {reader.pid}" in report["error"]
    assert manila.share(share).task_state == "data_copying_completed"
    assert client.mounted() == [export(manila, share)]

    reader.kill()
    reader.wait()
    run = ansible.evacuate("cutover", "-i", "inventory.yml", **more)
    assert run.returncode == 0, run.stdout
    assert client.mounted() == [export(manila, share)]
    assert_nothing_lost(manila, client, share)


def test_a_client_that_does_not_answer_keeps_the_share_where_it_is(
    manila: Manila, ansible: Ansible, client: Client
) -> None:
    share = begin(manila, client)
    old = export(manila, share)
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(("127.0.0.1", 0))
        gone = {"ansible_host": "127.0.0.1", "ansible_port": closed.getsockname()[1]}
        more = variables(ansible, client, **{"client-2": gone})
        run = ansible.evacuate("all", "-i", "inventory.yml", **more)
    report = result_of(ansible, run)
    assert run.returncode == 2, run.stdout
    assert "papers: not cut over" in report["error"], report["error"]
    assert "client-2 (unmount): " in report["error"] and "Connection refused" in report["error"]
    assert manila.share(share).task_state == "data_copying_completed"
    # The other one was seen to all the same: it has its old mount back, and goes on.
    assert client.mounted() == [old]
    done = len(client.lines())
    assert manila.share(share).host == FILES1
    manila.api.shares.migration_cancel(share)
    manila.await_task_state(share, "migration_cancelled")
    wait_for(lambda: len(client.lines()) > done + 10, 30)
    assert_nothing_lost(manila, client, share)


def test_what_a_client_cannot_mount_is_reported(
    manila: Manila, ansible: Ansible, client: Client
) -> None:
    share = begin(manila, client)
    more = variables(ansible, client)
    with (ansible.folder / "quiesce.yml").open("a") as tasks:
        touched = {"path": str(client.broken), "state": "touch", "mode": "0600"}
        yaml.safe_dump([{"name": "Break the client", "ansible.builtin.file": touched}], tasks)
    run = ansible.evacuate("all", "-i", "inventory.yml", **more)
    report = result_of(ansible, run)
    assert run.returncode == 2 and "client-1 (mount)" in report["error"], report["error"]
    assert report["summary"]["completed"] == 1 and manila.share(share).host == FILES2
