# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that hold mounts."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import holders
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.namespaces import (
    Namespace,
    Namespaces,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.fake_client import (
    FakeClient,
)


def test_mapped_files() -> None:
    maps = (
        "7f1 r--p 0 00:2d 1234   /srv/projects/lib with blank.so\n"
        "7f2 rw-p 0 00:00 0 \n"
        "7f3 rw-p 0 00:00 0      [heap]\n"
    )
    assert holders.mapped_files(maps) == [("0:45", "/srv/projects/lib with blank.so")]


def test_ten_processes_are_named() -> None:
    processes = [{"pid": pid, "command": "db", "user": "me"} for pid in range(12)]
    assert holders.holders_text(processes[:1]) == "db (pid 0, user me)"
    assert holders.holders_text(processes).endswith("db (pid 9, user me) and 2 more")


OURS = [
    f"{number} 22 0:{number} / /srv/{name} rw shared:9 - nfs4 h:/{name} rw"
    for number, name in ((45, "aX"), (46, "b"))
]


class Client(FakeClient):
    """A client of which some links can't be read."""

    unreadable: frozenset[str] = frozenset()

    def read_link(self, path: str) -> str:
        if path in self.unreadable:
            raise PermissionError(13, "Permission denied")
        return super().read_link(path)


def held(client: FakeClient, spaces: Namespaces | None = None) -> dict[int, list[tuple[int, str]]]:
    mounts = client.namespaces["host"]
    ours = [one for one in mounts if one.type == "nfs4"]
    rows = holders.find_holders(client, mounts, ours, spaces or Namespaces())
    return {key: [(one["pid"], one["command"]) for one in found] for key, found in rows.items()}


def test_every_mount_that_a_process_has_a_file_open_on_is_held() -> None:
    client = Client(*OURS)
    client.add_process(70, command="viX", mount_ids=[45, 46, 22])
    assert held(client) == {45: [(70, "viX")], 46: [(70, "viX")]}


def test_a_mapped_file_is_of_its_device() -> None:
    """Something else may lie at that path for this process."""
    client = Client(*OURS)
    client.add_process(70, maps="7f1 r--p 0 00:2e 1 /srv/aX/lib.so\n")
    client.add_process(71, maps="7f1 r--p 0 00:2d 1 /srv/aX/lib.so\n")
    client.add_process(72, maps="7f1 r--p 0 00:2d 1 anonymous\n")
    assert held(client) == {45: [(71, "app")]}


def test_a_link_that_cannot_be_read_hides_no_other() -> None:
    client = Client(*OURS)
    client.add_process(70, exe="/srv/b/tool")
    client.unreadable = frozenset({"/proc/70/cwd"})
    assert held(client) == {46: [(70, "app")]}


def test_what_the_kernel_holds_by_each_loop_device_and_swap() -> None:
    client = Client(*OURS)
    client.files = {
        "/sys/block/loop0/size": "0\n",
        "/sys/block/loop1/loop/backing_file": "memfd:x\n",
        "/sys/block/loop2/loop/backing_file": "/var/disk\n",
        "/sys/block/loop3/loop/backing_file": "/srv/aX\n",
        "/sys/block/vda/loop/backing_file": "/srv/b/x\n",
        "/proc/swaps": "Filename Type Size\n/srv/b/s\\040w file 1\n/dev/zram0 partition 1\n",
    }
    mounts = client.namespaces["host"]
    found = holders.find_holders(client, mounts, mounts[1:], Namespaces())
    assert found == {
        45: [{"pid": 0, "command": "/dev/loop3 of the kernel", "user": "root"}],
        46: [{"pid": 0, "command": "swap of the kernel", "user": "root"}],
    }


def test_who_holds_the_copy_of_another_namespace_holds_ours() -> None:
    client = Client(*OURS)
    key = client.add_namespace("other", "60 1022 0:45 / /srv/aX rw master:9 - nfs4 h:/aX rw")
    client.add_process(80, namespace="other", cwd="/srv/aX/x")
    client.add_process(81, namespace="other", cwd="/data")  # nothing of it is there, in there
    spaces = Namespaces({key: Namespace(key, client.namespaces["other"], [80, 81])})
    assert held(client, spaces) == {45: [(80, "app")]}
