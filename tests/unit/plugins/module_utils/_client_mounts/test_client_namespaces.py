# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other mount namespaces."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import (
    mountinfo,
    namespaces,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.client_samples import (
    TABLE,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.fake_client import (
    FakeClient,
)


@pytest.mark.parametrize(
    ("propagation", "expected"),
    [
        ((), False),
        (("shared:1",), True),
        (("master:1",), True),
        (("shared:7", "master:1"), True),
        (("shared:2",), False),
    ],
)
def test_mounts_of_other_namespaces(propagation: tuple[str, ...], expected: bool) -> None:
    # The mount's own group says nothing: a container may have bound it elsewhere, too.
    root = mountinfo.Mount(80, 1, "254:0", "/", "/", "rw", propagation, "ext4", "/dev/vda", "")
    target = TABLE[1].target
    other = mountinfo.Mount(90, 80, "0:45", "/", target, "rw", ("master:28",), "nfs4", "x", "")
    assert namespaces.is_tied(other, [root, other], TABLE[1], TABLE) is expected


@pytest.mark.parametrize(
    ("root", "target", "other", "expected"),
    [
        ("/", "/", "/opt/own", False),  # what it has mounted itself
        ("/srv", "/mnt", "/mnt/projects", True),  # its parent shows a folder of ours
        ("/srv", "/", "/projects", True),
        ("/", "/", "/projects", False),
    ],
)
def test_only_what_lies_at_the_same_place_goes_along(
    root: str, target: str, other: str, expected: bool
) -> None:
    """propagate_umount(), fs/pnode.c, looks for a mount at the same folder of each parent."""
    parent = mountinfo.Mount(80, 1, "254:0", root, target, "rw", ("master:1",), "ext4", "v", "")
    mount = mountinfo.Mount(90, 80, "0:45", "/", other, "rw", (), "nfs4", "x", "")
    assert namespaces.is_tied(mount, [parent, mount], TABLE[1], TABLE) is expected


def test_lines_that_are_no_mounts_hide_no_other() -> None:
    text = (
        "\n22 1 0:1 / / rw - ext4 x rw\nno line\n1 2 3 - a b c\n23 1 0:1 / /a rw - ext4 x\n"
        "24 1 0:1 / /b rw ext4 x rw\n25 22 0:2 / /c\\377 rw - nfs4 a rw - x y z\n26 22 0:3 / /d rw - tmpfs t rw\n"
    )
    mounts = mountinfo.parse_mountinfo(text)
    assert [(one.id, one.target, one.type) for one in mounts] == [
        (22, "/", "ext4"),
        (25, "/c\udcff", "nfs4"),
        (26, "/d", "tmpfs"),
    ]
    assert mountinfo.unescape("\udcff\\040") == "\udcff "


class Client(FakeClient):
    """A client of which some files raise what a test says."""

    def __init__(self, *lines: str, **errors: OSError) -> None:
        super().__init__(*lines)
        self.errors: dict[str, OSError] = dict(errors)

    def _raise(self, path: str) -> None:
        if path in self.errors:
            raise self.errors[path]

    def read_link(self, path: str) -> str:
        self._raise(path)
        return super().read_link(path)

    def read_text(self, path: str) -> str:
        self._raise(path)
        return super().read_text(path)

    def list_dir(self, path: str) -> list[str]:
        self._raise(path)
        return super().list_dir(path)

    def read_namespace(self, path: str) -> str:
        self._raise(path)
        return super().read_namespace(path)


def read(client: Client) -> namespaces.Namespaces:
    return namespaces.read_namespaces(client, client.namespaces["host"])


COPY = "60 1022 0:45 / /srv/a rw master:28 - nfs4 h:/a rw"


@pytest.mark.parametrize("ended", [FileNotFoundError(2, "x"), ProcessLookupError(3, "x")])
@pytest.mark.parametrize("file", ["ns/mnt", "root", "mountinfo"])
def test_a_process_that_ends_while_it_is_read_is_none(file: str, ended: OSError) -> None:
    client = Client()
    key = client.add_namespace("other", COPY)
    client.add_process(80, namespace="other")
    client.add_process(81, namespace="other")
    client.errors[f"/proc/80/{file}"] = ended
    found = read(client)
    assert (list(found.readable), found.unreadable) == ([key], [])
    client.errors[f"/proc/81/{file}"] = ended
    found = read(client)
    assert (found.readable, found.unreadable) == ({}, [])


@pytest.mark.parametrize("ended", [FileNotFoundError(2, "x"), ProcessLookupError(3, "x")])
def test_one_that_cannot_be_traced_and_ends_hides_no_other(ended: OSError) -> None:
    client = Client()
    client.add_namespace("other", COPY)
    client.add_process(80, namespace="other", denied=True, threads={79: "other"})
    client.add_process(81, namespace="other", denied=True)
    client.errors["/proc/80/mountinfo"] = ended
    found = read(client)
    assert [one.pids for one in found.readable.values()] == [[80, 81]]
    client.errors["/proc/80/task/79/mountinfo"] = ended
    found = read(client)
    assert {key: (one.key, one.pids) for key, one in found.readable.items()} == {
        "mounts of 81": ("mounts of 81", [81])
    }
    assert found.unreadable == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "Permission denied"), "Permission denied"), (OSError("odd"), "odd")],
)
def test_what_cannot_be_read_is_told_with_its_processes(error: OSError, reason: str) -> None:
    client = Client()
    client.add_namespace("other", COPY)
    for pid in (80, 81):
        client.add_process(pid, namespace="other")
        client.errors[f"/proc/{pid}/mountinfo"] = error
    found = read(client)
    assert found.readable == {}
    assert found.unreadable == [namespaces.Unreadable("/proc", pid, reason) for pid in (80, 81)]
    # Nor by those that can't be traced either.
    for pid in (80, 81):
        client.processes[pid].denied = True
    assert read(client).unreadable == found.unreadable
    # One that can be read is enough for all that live there.
    client.processes[80].denied = client.processes[81].denied = False
    del client.errors["/proc/81/mountinfo"]
    found = read(client)
    assert [one.pids for one in found.readable.values()] == [[80, 81]]
    assert found.unreadable == []


def kept(number: int, key: str, target: str, parent: int = 22, fstype: str = "nsfs") -> str:
    return f"{number} {parent} 0:4 {key} {target} rw shared:5 - {fstype} nsfs rw"


@pytest.mark.parametrize(("error", "reason"), [(OSError(0, "denied"), "denied"), (OSError("odd"), "odd")])  # fmt: skip
def test_namespaces_that_files_keep(error: OSError, reason: str) -> None:
    client = Client()
    first = client.add_namespace("first", COPY)
    second = client.add_namespace("second")
    for number, key, target in ((90, first, "/run/first"), (91, second, "/run/second")):
        client.namespaces["host"] += mountinfo.parse_mountinfo(kept(number, key, target))
    # Not a namespace: any file system may have such a folder.
    client.namespaces["host"] += mountinfo.parse_mountinfo(kept(92, "mnt:[9]", "/x", 22, "ext4"))
    found = read(client)
    assert {key: (one.key, one.pids, one.path) for key, one in found.readable.items()} == {
        first: (first, [], "/run/first"),
        second: (second, [], "/run/second"),
    }
    assert found.unreadable == []
    client.errors["/run/first"] = error
    found = read(client)
    assert list(found.readable) == [second]
    assert found.unreadable == [namespaces.Unreadable("/run/first", 0, reason)]
    # What lives in it is read by that, and its own by itself.
    client.add_process(80, namespace="first")
    client.namespaces["host"] += mountinfo.parse_mountinfo(kept(93, client.key("host"), "/run/own"))
    found = read(client)
    assert set(found.readable) == {first, second}
    assert (found.readable[first].path, found.unreadable) == ("", [])


def test_what_is_kept_in_there_only_is_told_once() -> None:
    client = Client()
    inner = client.add_namespace("inner", COPY)
    for name, target in (("one", "/run/one"), ("two", "/run/two")):
        key = client.add_namespace(name, kept(70, inner, "/in", 1022))
        client.namespaces["host"] += mountinfo.parse_mountinfo(kept(90, key, target))
    found = read(client)
    assert [(one.path, one.pid) for one in found.unreadable] == [("/run/one:/in", 0)]
    assert found.unreadable[0].reason


def test_a_file_that_a_process_keeps_open() -> None:
    client = Client()
    key = client.add_namespace("idle", COPY)
    client.processes[1].fds = {"3": "socket:[1]", "9": key}
    found = read(client)
    assert found.readable[key].path == "/proc/1/fd/9"
    client.errors["/proc/1/fd"] = PermissionError(13, "x")
    assert read(client).readable == {}
    client = Client()
    client.add_process(80)
    client.errors["/proc/80/task"] = ProcessLookupError(3, "x")
    assert read(client).unreadable == []


def test_those_that_cannot_be_traced_are_told_apart_by_the_mounts_they_have() -> None:
    client = Client()
    client.add_namespace("first", COPY)
    client.add_namespace("second", "71 2022 0:46 / /b rw - nfs4 h:/b rw")
    second = client.namespaces["second"]
    second[0] = mountinfo.Mount(2022, 1, "254:0", "/", "/", "rw", (), "ext4", "/dev/vda", "rw")
    client.add_namespace("empty")
    client.namespaces["empty"] = []
    for pid, name in (
        (80, "first"),
        (81, "empty"),
        (82, "second"),
        (83, "first"),
        (84, "host"),
        (85, "second"),
    ):
        client.add_process(pid, namespace=name, denied=True)
    found = read(client)
    assert [(key, one.pids) for key, one in found.readable.items()] == [
        ("mounts of 80", [80, 83]),
        ("mounts of 82", [82, 85]),
    ]


def mount(number: int, parent: int, *tags: str, device: str = "0:45") -> mountinfo.Mount:
    return mountinfo.Mount(number, parent, device, "/", "/x", "rw", tags, "nfs4", "x", "")


def test_what_goes_along_is_tied_by_the_group_of_what_it_is_mounted_on() -> None:
    here = [mount(1, 0, "shared:7"), mount(2, 1)]
    for tags, tied in (
        (("master:7",), True),
        (("propagate_from:7",), False),
        (("shared:9", "master:7"), True),
    ):
        there = [mount(11, 10, *tags), mount(12, 11)]
        assert namespaces.is_tied(there[1], there, here[1], here) is tied
    there = [mount(11, 10, "master:7"), mount(12, 11)]
    # Where what it is mounted on is not seen, nothing is known to go.
    assert namespaces.is_tied(there[1], there[1:], here[1], here) is False
    assert namespaces.is_tied(there[1], there, here[1], here[1:]) is False
    other = mount(12, 11, device="0:9")
    assert namespaces.is_tied(other, [there[0], other], here[1], here) is False
    master = [mount(1, 0, "master:7"), mount(2, 1)]
    assert namespaces.is_tied(there[1], there, master[1], master) is False


def test_what_something_stays_mounted_on_stays() -> None:
    here = [mount(1, 0, "shared:7"), mount(2, 1, "shared:8"), mount(3, 2)]
    there = [mount(11, 10, "master:7"), mount(12, 11, "master:8"), mount(13, 12)]
    assert namespaces.leaving(there, here[1:], here) == {12, 13}
    assert namespaces.leaving(there, here[1:2], here) == set()
    assert namespaces.leaving([*there, mount(14, 13, device="0:9")], here[1:], here) == set()
