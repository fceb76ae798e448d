# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, run in process on a model of a client: what it moves, what it leaves, and what is ready."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import codes
from ansible_collections.manila.migration.plugins.modules import client_mounts
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.fake_client import (
    FakeClient,
)

OLD = "192.0.2.10:/shares/projects"
NEW = "192.0.2.20:/new/projects"
PROJECTS = {"id": "s-1", "name": "projects", "before": [OLD], "after": [NEW]}
RECORD = "/var/lib/manila-migration/client_mounts.json"
MOUNT = f"50 22 0:45 / /srv/projects rw,relatime shared:28 - nfs4 {OLD} rw,vers=4.2,addr=192.0.2.10"
FSTAB = f"# shares\n{OLD} /srv/projects nfs _netdev 0 0\n"
VOLUME = "/var/lib/docker/volumes/app_data/_data"
CSI = "/var/lib/kubelet/plugins/kubernetes.io/csi"
SNAP = "/var/snap/microk8s/common/var/lib"
POD = "/var/lib/kubelet/pods/0b1c/volumes/kubernetes.io~nfs/data"


@pytest.fixture
def run(monkeypatch):
    """Run the module on a client.  Returns its result; `failed` is there if it failed."""

    def call(
        client: FakeClient, state: str = "found", *shares: dict[str, Any], check=False, **more
    ):
        arguments = {
            "exports": list(shares) or [PROJECTS],
            "state": state,
            **more,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        monkeypatch.setattr("ansible.module_utils.basic._ANSIBLE_ARGS", given)
        monkeypatch.setattr("ansible.module_utils.basic._ANSIBLE_PROFILE", "legacy", raising=False)
        monkeypatch.setattr(client_mounts, "LocalSystem", lambda module: client)
        warned: list[str] = []
        monkeypatch.setattr(AnsibleModule, "warn", lambda self, text: warned.append(text))
        printed: list[str] = []
        monkeypatch.setattr("builtins.print", printed.append)
        with pytest.raises(SystemExit):
            client_mounts.main()
        result = json.loads(printed[-1])
        result["warnings"] = warned
        return result

    return call


def left(result) -> list[tuple[str, str]]:
    return [(row["code"], row["target"]) for row in result["left"]]


def accept(code: str, source: str = "", target: str = "") -> dict[str, str]:
    return {"code": code, "source": source, "target": target}


# -- the ordinary way ------------------------------------------------------------------------


def test_there_and_back(run) -> None:
    client = FakeClient(MOUNT, fstab=FSTAB)
    found = run(client)
    assert left(found) == [] and found["ready"] == [] and not found["changed"]
    assert found["mounts"][0]["sides"] == ["before"]
    assert found["mounts"][0]["managed_by"] == "fstab"

    gone = run(client, "unmounted")
    assert gone["ready"] == ["s-1"] and client.targets() == [] and RECORD in client.secrets
    assert [row["state"] for row in gone["mounts"]] == ["unmounted"]
    assert not run(client, "unmounted")["changed"]

    back = run(client, "restored")
    assert back["ready"] == [] and client.targets() == [f"/srv/projects {OLD}"]
    assert RECORD not in client.files and client.files["/etc/fstab"] == FSTAB

    moved = run(client, "mounted")
    assert client.targets() == [f"/srv/projects {NEW}"] and moved["fstab_lines"] == [2]
    assert client.files["/etc/fstab"] == FSTAB.replace(OLD, NEW)
    assert moved["mounts"][0]["sides"] == ["after"] and moved["ready"] == []
    assert not run(client, "mounted")["changed"]
    # What has the new export has been cut over.
    again = run(client, "unmounted")
    assert again["ready"] == ["s-1"] and not again["changed"]


@pytest.mark.parametrize("state", ["found", "unmounted", "mounted", "restored"])
def test_check_mode_changes_nothing_and_tells_the_truth(run, state) -> None:
    twin, client = FakeClient(MOUNT, fstab=FSTAB), FakeClient(MOUNT, fstab=FSTAB)
    for each in (twin, client):
        each.add_namespace("other", COPY)  # goes along
        each.add_process(80, namespace="other")
    before = (client.targets(), dict(client.files))
    told = run(client, state, check=True)
    assert (client.targets(), client.files) == before and client.commands == []
    really = run(twin, state)
    for key in ("changed", "ready", "left", "diff", "fstab_lines"):
        assert told[key] == really[key], key


# -- sources without a server (F01) ------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "export"),
    [
        ("nfs4 :/shares/projects rw,vers=4.1,addr=192.0.2.10", OLD),
        ("nfs4 :/shares/projects rw,vers=4.1,addr=2001:db8::10", "[2001:db8::10]:/shares/projects"),
        ("nfs :/shares/projects/sub rw,vers=3,addr=192.0.2.10,mountaddr=192.0.2.10", OLD),
        ("nfs4 any.name:/shares/projects rw,addr=192.0.2.10", OLD),
        ("cifs //nas/office rw,vers=3.1.1,sec=krb5,addr=192.0.2.10", "\\\\192.0.2.10\\office"),
        ("ceph me@1f2e.files=/volumes/x rw,mon_addr=192.0.2.1:3300/192.0.2.10:3300", "192.0.2.10:6789:/volumes/x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("target", "program", "purpose"),
    [
        (VOLUME, "container engine", "volume app_data"),
        ("/home/me/.local/share/containers/storage/volumes/w/_data", "container engine", "volume w"),
        ("/var/lib/nerdctl/1935db59/volumes/default/w/_data", "container engine", "volume w"),
        ("/run/containerd/io.containerd.runtime.v2.task/default/c1/rootfs/data", "container engine", "container c1"),
        ("/var/lib/containers/storage/overlay/9f/merged/data", "container engine", "container 9f"),
        ("/var/lib/lxc/web/rootfs/data", "container engine", "container web"),
        ("/var/lib/incus/storage-pools/fast/containers/web/rootfs/data", "container engine", "container web"),
    ],
)  # fmt: skip
def test_a_volume_of_a_container_is_found_by_its_address_and_stays(
    run, line, export, target, program, purpose
) -> None:
    client = FakeClient(f"120 22 0:55 / {target} rw - {line}")
    client.add_process(77, command="postgres", mount_ids=[120])
    share = {**PROJECTS, "before": [export], "after": [export.replace("10", "20")]}
    for state in ("found", "unmounted"):
        result = run(client, state, share)
        assert left(result) == [("managed", target)] and result["ready"] == []
        row = result["left"][0]
        assert row["managed_by"] == program and purpose in row["message"]
        assert [holder["pid"] for holder in row["holders"]] == [77]
        assert result["mounts"][0]["managed_by"] == program
    assert result["failed"] and len(client.targets()) == 1
    assert "has the old address" in result["msg"] and "postgres (pid 77" in result["msg"]


def test_without_a_manager_it_is_moved_in_a_form_that_mount_takes(run) -> None:
    client = FakeClient(
        "120 22 0:55 / /mnt/a rw shared:9 - nfs4 :/shares/projects/sub rw,vers=4.1,addr=192.0.2.10"
    )
    assert run(client, "unmounted")["ready"] == ["s-1"] and client.targets() == []
    assert run(client, "restored")["left"] == []
    assert client.targets() == [f"/mnt/a {OLD}/sub"]
    assert run(client, "mounted")["left"] == []
    assert client.targets() == [f"/mnt/a {NEW}/sub"]


def test_two_shares_with_one_path_are_told_apart_by_the_address(run) -> None:
    client = FakeClient(
        "60 22 0:60 / /mnt/a rw shared:9 - nfs4 :/shares/projects rw,addr=192.0.2.10",
        "61 22 0:61 / /mnt/b rw shared:9 - nfs4 :/shares/projects rw,addr=192.0.2.30",
    )
    other = {**PROJECTS, "id": "s-2", "before": ["192.0.2.30:/shares/projects"]}
    result = run(client, "found", PROJECTS, other)
    told = {row["id"]: row["target"] for row in result["mounts"]}
    assert told == {"s-1": "/mnt/a", "s-2": "/mnt/b"}
    assert result["left"] == []


def test_without_any_address_every_share_with_the_path_is_blocked(run) -> None:
    client = FakeClient("60 22 0:60 / /mnt/a rw shared:9 - nfs4 :/shares/projects rw")
    other = {**PROJECTS, "id": "s-2", "before": ["192.0.2.30:/shares/projects"]}
    third = {**PROJECTS, "id": "s-3", "before": ["192.0.2.30:/shares/else"]}
    result = run(client, "unmounted", PROJECTS, other, third)
    assert left(result) == [("unidentified", "/mnt/a")] * 2 and result["ready"] == ["s-3"]
    assert len(client.targets()) == 1


# -- servers that can't be identified (F02) ------------------------------------------------------

CLUSTER = {"id": "s-1", "name": "a", "before": ["192.0.2.21:/ifs/manila/share_1"], "after": [NEW]}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nfs4 smart.example.org:/ifs/manila/share_1 rw,addr=192.0.2.24", "unidentified"),
        ("nfs4 smart.example.org:/ifs/manila/share_1/sub rw,addr=192.0.2.24", "unidentified"),
        ("nfs4 gone.example.org:/ifs/manila/share_1 rw", "unidentified"),
        ("nfs4 192.0.2.24:/ifs rw,addr=192.0.2.24", "unidentified"),
        ("nfs4 192.0.2.21:/ifs rw,addr=192.0.2.21", "parent"),
        ("nfs4 192.0.2.21:/ rw,addr=192.0.2.21", "parent"),
        ("nfs4 192.0.2.21:/manila/share_1/sub rw,addr=192.0.2.21", "unidentified"),
    ],
)
def test_a_mount_that_may_be_of_the_share_blocks_it(run, line, code) -> None:
    client = FakeClient(f"60 22 0:60 / /mnt/a rw shared:9 - {line}")
    client.hosts = {"smart.example.org": {"192.0.2.22"}}
    source = line.split()[1]
    for state in ("found", "unmounted", "mounted"):
        result = run(client, state, CLUSTER)
        assert left(result) == [(code, "/mnt/a")] and result["ready"] == []
        assert result["left"][0]["source"] == source
        # The same path, or one below it, on a server that is not known.
        told = [row["source"] for row in result["similar"]]
        assert told == ([source] if "example.org" in source else [])
        assert result.get("failed", False) is (state != "found")
        assert run(client, state, {**CLUSTER, "id": "x"}, accept=[accept(code, source)])["left"] == []  # fmt: skip
    named = {**CLUSTER, "before": [*CLUSTER["before"], source]}
    assert run(client, "found", named)["left"] == []


@pytest.mark.parametrize(
    "line",
    [
        "nfs4 192.0.2.21:/ifs/manila/share_12 rw,addr=192.0.2.21",
        "nfs4 192.0.2.99:/ rw,addr=192.0.2.99",
        "nfs4 192.0.2.21:/home rw,addr=192.0.2.21",
        "cifs //192.0.2.21/ifs/manila/share_1 rw,addr=192.0.2.21",
        "fuse.ceph-fuse ceph-fuse rw",
        "nfs nowhere rw,addr=192.0.2.99",
        "xfs /dev/sdb rw",
    ],
)
def test_other_mounts_block_nothing(run, line) -> None:
    client = FakeClient(f"60 22 0:60 / /mnt/a rw shared:9 - {line}")
    result = run(client, "unmounted", CLUSTER)
    assert result["left"] == [] and result["ready"] == ["s-1"] and len(client.targets()) == 1


@pytest.mark.parametrize(
    ("line", "export", "code"),
    [
        ("nfs4 :/ rw", OLD, "unidentified"),
        ("nfs4 nowhere rw", OLD, "unidentified"),
        ("nfs4 nowhere rw,addr=192.0.2.10", OLD, "unidentified"),
        ("cifs nowhere rw", "//192.0.2.10/office", "unidentified"),
        ("fuse.glusterfs /etc/glusterfs/a.vol rw", "192.0.2.10:/a", "unidentified"),
        # No name server answers: it cannot be told that the two are different servers.
        ("nfs4 192.0.2.10:/ rw,addr=192.0.2.10", "nas:/shares/projects", "unidentified"),
        ("nfs4 192.0.2.10:/projects rw,addr=192.0.2.10", "nas:/shares/projects", "unidentified"),
        # Of a type that nobody asked for.
        ("lustre 192.0.2.10@tcp:/fs rw", "192.0.2.10@tcp:/fs", "unsupported"),
    ],
)
def test_what_cannot_be_told_apart_from_the_export_blocks(run, line, export, code) -> None:
    client = FakeClient(f"60 22 0:60 / /mnt/a rw shared:9 - {line}")
    result = run(client, "unmounted", {**PROJECTS, "before": [export]})
    assert left(result) == [(code, "/mnt/a")] and result["ready"] == []


@pytest.mark.parametrize(
    ("line", "export"),
    [
        ("nfs4 /shares/projects rw,addr=192.0.2.10", OLD),
        ("nfs4 192.0.2.10:/./shares/../shares/projects rw", OLD),
        ("nfs4 [fe80::1%eth0]:/x rw,addr=fe80::1%eth0", "[fe80::1]:/x"),
        ("nfs4 NAS.Example.ORG.:/x// rw,addr=192.0.2.99", "nas.example.org:/x/"),
        ("nfs4 192.0.2.10:/shares/projects rw", f" {OLD} "),
        ("fuse.glusterfs 192.0.2.10:vol/folder rw", "192.0.2.10:/vol"),
    ],
)
def test_other_spellings_of_an_export(run, line, export) -> None:
    client = FakeClient(f"60 22 0:60 / /mnt/a rw shared:9 - {line}")
    result = run(client, "unmounted", {**PROJECTS, "before": [export]})
    assert client.targets() == [] and result["ready"] == ["s-1"]


@pytest.mark.parametrize("state", ["found", "unmounted", "restored"])
def test_a_share_without_an_export_is_refused(run, state) -> None:
    client = FakeClient(MOUNT)
    result = run(client, state, {**PROJECTS, "before": []})
    assert result["failed"] and "exports" in result["msg"] and len(client.targets()) == 1


@pytest.mark.parametrize("text", ["", "192.0.2.10/shares/projects"])
def test_an_export_in_an_unknown_form_blocks_its_share_only(run, text) -> None:
    other = {**PROJECTS, "id": "s-2", "before": [text]}
    client = FakeClient(MOUNT, fstab=FSTAB)
    result = run(client, "unmounted", PROJECTS, other)
    assert left(result) == [("unidentified", "")] and result["ready"] == ["s-1"]
    moved = run(client, "mounted", PROJECTS, other)
    assert client.targets() == [f"/srv/projects {NEW}"] and left(moved) == [("unidentified", "")]
    if text:
        named = [accept("unidentified", source=text)]
        assert run(FakeClient(), "unmounted", other, accept=named)["ready"] == ["s-2"]


@pytest.mark.parametrize("state", ["found", "unmounted"])
@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        (50, [("busy", "/srv/a"), ("parent", "/srv/a"), ("parent", "/srv/b")]),
        (51, [("busy", "/srv/b"), ("parent", "/srv/a"), ("parent", "/srv/b")]),
        (0, []),
    ],
)
def test_a_share_in_the_export_of_another_stays_with_it(run, state, busy, expected) -> None:
    client = FakeClient(
        "50 22 0:45 / /srv/a rw shared:28 - nfs4 192.0.2.10:/s/a rw,addr=192.0.2.10",
        "51 22 0:46 / /srv/b rw shared:29 - nfs4 192.0.2.10:/s/a/b rw,addr=192.0.2.10",
    )
    client.add_process(80, mount_ids=[busy or 99])
    shares = [
        {**PROJECTS, "id": path, "before": [f"192.0.2.10:{path}"]} for path in ("/s/a", "/s/a/b")
    ]
    result = run(client, state, *shares)
    assert sorted(left(result)) == expected
    assert result["ready"] == (["/s/a", "/s/a/b"] if not expected and state == "unmounted" else [])
    assert len(client.targets()) == (0 if not expected and state == "unmounted" else 2)


def test_a_share_in_the_export_of_another_whose_mount_is_accepted_or_elsewhere(run) -> None:
    line = "nfs4 192.0.2.10:/s/a rw,addr=192.0.2.10"
    shares = [
        {**PROJECTS, "id": path, "before": [f"192.0.2.10:{path}"]} for path in ("/s/a", "/s/a/b")
    ]
    client = FakeClient(f"50 22 0:45 / /srv/a rw shared:28 - {line}")
    client.add_process(80, mount_ids=[50])
    result = run(client, "unmounted", *shares, accept=[accept("busy", target="/srv/a")])
    assert left(result) == [("parent", "/srv/a")] and result["ready"] == ["/s/a"]
    for state in ("mounted", "restored"):  # the old mount stays: nothing of either is free
        result = run(client, state, *shares)
        assert result["ready"] == []
    client = FakeClient()
    client.add_namespace("other", f"1050 1022 0:45 / /x rw - {line}")
    client.add_process(80, namespace="other")
    result = run(client, "unmounted", *shares)
    assert sorted(left(result)) == [("namespace", "/x"), ("parent", "/x")] and result["ready"] == []


def test_an_export_of_a_whole_server(run) -> None:
    """Every path lies below its root, so only the root itself may be meant."""
    share = {**CLUSTER, "before": ["192.0.2.21:/"]}
    for path, expected in (("/", [("unidentified", "/mnt/a")]), ("/home", [])):
        client = FakeClient(f"60 22 0:60 / /mnt/a rw - nfs4 smart:{path} rw,addr=192.0.2.24")
        assert left(run(client, "unmounted", share)) == expected


def test_glusterfs_without_a_slash(run) -> None:
    client = FakeClient("60 22 0:60 / /mnt/a rw - fuse.glusterfs 192.0.2.21:vol rw")
    share = {**CLUSTER, "before": ["192.0.2.21:/vol"], "after": ["192.0.2.22:/vol"]}
    assert run(client, "unmounted", share)["ready"] == ["s-1"] and client.targets() == []
    assert run(client, "restored", share)["left"] == []
    assert client.targets() == ["/mnt/a 192.0.2.21:/vol"]
    client = FakeClient("60 22 0:60 / /mnt/a rw - fuse.glusterfs 192.0.2.21:vol rw")
    client.helpers = {"mount.glusterfs"}
    assert run(client, "mounted", share)["left"] == []
    assert client.commands[-1][:5] == ["mount", "-o", "defaults", "-t", "glusterfs"]
    assert client.targets() == ["/mnt/a 192.0.2.22:/vol"]


def test_cephfs_by_fuse_names_nothing_and_may_be_every_share_of_cephfs(run) -> None:
    client = FakeClient("60 22 0:60 / /mnt/a rw shared:9 - fuse.ceph-fuse ceph-fuse rw")
    share = {**CLUSTER, "before": ["192.0.2.1:6789,192.0.2.2:6789:/volumes/x"]}
    result = run(client, "unmounted", share)
    assert left(result) == [("unidentified", "/mnt/a")] and result["ready"] == []


def test_the_form_of_cephfs_that_cannot_be_replaced_stays(run) -> None:
    client = FakeClient(
        "60 22 0:60 / /mnt/a rw shared:9 - ceph me@1f2e.files=/volumes/x rw,mon_addr=192.0.2.1:3300"
    )
    share = {**CLUSTER, "before": ["192.0.2.1:6789:/volumes/x"]}
    result = run(client, "unmounted", share)
    assert left(result) == [("unsupported", "/mnt/a")] and result["ready"] == []


def test_the_new_export_with_the_same_path_is_no_doubt(run) -> None:
    share = {**PROJECTS, "after": ["192.0.2.20:/shares/projects"]}
    client = FakeClient(MOUNT)
    assert run(client, "mounted", share)["left"] == []
    result = run(client, "mounted", share)
    assert result["left"] == [] and result["similar"] == [] and not result["changed"]


# -- other mount namespaces (F11, N6) ------------------------------------------------------------


def with_namespace(*lines: str, root: str = "rw master:1", **process: Any) -> FakeClient:
    client = FakeClient(MOUNT)
    client.add_namespace("other", *lines, root=root)
    client.add_process(80, namespace="other", command="httpd", **process)
    return client


COPY = f"60 1022 0:45 / /srv/projects rw master:28 - nfs4 {OLD} rw,addr=192.0.2.10"


def test_what_goes_along_with_ours_blocks_nothing(run) -> None:
    client = with_namespace(COPY)
    result = run(client, "unmounted")
    assert result["left"] == [] and result["ready"] == ["s-1"] and client.targets("other") == []


@pytest.mark.parametrize(
    ("lines", "root"),
    [
        # something is bound over a folder of it there
        ([COPY, "61 60 254:0 /x /srv/projects/home rw - ext4 /dev/vda rw"], "rw master:1"),
        # nothing comes through from here
        ([COPY], "rw"),
        # mounted by the container itself, without its server, at another place
        (["60 1022 0:99 / /data rw - nfs4 :/shares/projects rw,addr=192.0.2.10"], "rw master:1"),
        # by a thread only
        ([], "rw master:1"),
    ],
    ids=["below", "private", "own", "thread"],
)
@pytest.mark.parametrize("force", [False, True])
def test_another_namespace_blocks(run, lines, root, force) -> None:
    client = with_namespace(*lines, root=root)
    if not lines:
        client.add_namespace("thread", COPY, root="rw")
        client.processes[80].threads = {81: "thread"}
    for state in ("found", "unmounted"):
        result = run(client, state, force=force)
        assert {row["code"] for row in result["left"]} == {"namespace"} and result["ready"] == []
        assert [holder["pid"] for holder in result["left"][0]["holders"]] == [80]
    assert "httpd (pid 80, user games)" in result["msg"]
    assert client.targets() == [f"/srv/projects {OLD}"]


@pytest.mark.parametrize("after", [[], [OLD]])
def test_a_namespace_is_looked_at_again_after_unmounting(run, after) -> None:
    """A service starts while the mounts go: its copies stay, and the client gets back what it had."""
    client = FakeClient(MOUNT)

    def start(_target: str) -> None:
        client.add_namespace("late", COPY)
        client.add_process(80, namespace="late", command="httpd")
        client.on_unmount = None

    client.on_unmount = start
    result = run(client, "unmounted", {**PROJECTS, "after": after})
    assert left(result) == [("namespace", "/srv/projects")] and result["ready"] == []
    assert [holder["pid"] for holder in result["left"][0]["holders"]] == [80]
    assert client.targets() == [f"/srv/projects {OLD}"] and RECORD not in client.files


@pytest.mark.parametrize("accepted", [False, True])
def test_what_another_namespace_has_mounted_itself_blocks_beside_an_accepted_mount(
    run, accepted
) -> None:
    """One file system, mounted by each of both: the one does not go along with the other."""
    client = FakeClient(MOUNT)
    client.add_namespace("other", f"1050 1022 0:45 / /opt/own rw - nfs4 {OLD} rw,addr=192.0.2.10")
    client.add_process(80, namespace="other")
    client.add_process(81, mount_ids=[50])
    named = [accept("busy", target="/srv/projects")] if accepted else []
    result = run(client, "unmounted", accept=named)
    assert ("namespace", "/opt/own") in left(result) and result["ready"] == []


def test_a_mount_that_comes_back_while_it_is_unmounted(run) -> None:
    client = FakeClient(MOUNT)

    def mount_again(target: str) -> None:
        client.on_unmount = None
        client.run(["timeout", "-k", "5", "60", "mount", "-o", "rw", "-t", "nfs", OLD, target])

    client.on_unmount = mount_again
    result = run(client, "unmounted")
    assert left(result) == [("failed", "/srv/projects")] and result["ready"] == []


def test_the_old_export_in_a_namespace_is_told_after_the_cutover(run) -> None:
    client = with_namespace(COPY, root="rw")
    result = run(client, "mounted")
    # Our own mount is moved all the same: the old export is gone.
    assert client.targets() == [f"/srv/projects {NEW}"] and RECORD not in client.files
    assert left(result) == [("namespace", "/srv/projects")] and result["ready"] == []
    assert left(run(client, "mounted")) == [("namespace", "/srv/projects")]
    # Put back, the old export is in order; the share is not ready for that.
    result = run(client, "restored")
    assert result["left"] == [] and result["ready"] == []


def test_a_namespace_that_comes_up_while_the_new_export_is_mounted(run) -> None:
    client = FakeClient(MOUNT)

    def start(_target: str) -> None:
        client.add_namespace("late", COPY, root="rw")
        client.add_process(80, namespace="late")

    client.on_unmount = start
    assert left(run(client, "mounted")) == [("namespace", "/srv/projects")]


def test_the_old_export_only_in_a_namespace_is_in_order_but_not_ready_when_put_back(run) -> None:
    client = with_namespace(COPY, root="rw")
    client.namespaces["host"].pop()
    result = run(client, "restored")
    assert result["left"] == [] and result["ready"] == [] and not result["changed"]


def test_the_same_export_on_both_sides_is_in_order_in_a_namespace_after_the_cutover(run) -> None:
    client = with_namespace(COPY, root="rw")
    both = {**PROJECTS, "after": [OLD]}
    assert left(run(client, "unmounted", both)) == [("namespace", "/srv/projects")]
    assert run(client, "mounted", both)["left"] == []


def test_a_doubt_in_another_namespace_is_told_with_its_process_and_once(run) -> None:
    doubtful = "60 1022 0:60 / /data rw - nfs4 smart:/shares/projects rw,addr=192.0.2.99"
    client = with_namespace(doubtful)
    result = run(client, "unmounted")
    assert left(result) == [("unidentified", "/data")] and result["ready"] == []
    assert [holder["pid"] for holder in result["left"][0]["holders"]] == [80]
    # The copy of one that is here, too, is not told again.
    client = _with(client, doubtful.replace("60 1022", "60 22").replace("/data", "/mnt"))
    assert left(run(client)) == [("unidentified", "/mnt")]


def test_a_process_that_ends_meanwhile(run) -> None:
    client = with_namespace(COPY, root="rw", gone=True)
    assert run(client, "unmounted")["ready"] == ["s-1"]
    client = with_namespace(COPY, root="rw", gone=True)
    client.add_process(81, namespace="other")
    assert left(run(client, "unmounted")) == [("namespace", "/srv/projects")]


def test_a_chrooted_process_hides_nothing(run) -> None:
    """/proc/PID/mountinfo has only what can be reached from the root of that process."""
    client = FakeClient()
    client.add_namespace("other", COPY, "70 1022 254:0 /jail /jail rw - ext4 /dev/vda rw", root="rw")  # fmt: skip
    client.add_process(70, namespace="other", root="/jail")
    client.add_process(90, namespace="other")
    result = run(client, "unmounted")
    assert left(result) == [("namespace", "/srv/projects")] and result["ready"] == []


@pytest.mark.parametrize("kept", ["nsfs", "fd", "nested"])
def test_a_namespace_without_a_process_is_looked_into(run, kept) -> None:
    client = FakeClient()
    key = client.add_namespace("idle", COPY, root="rw")
    line = f"90 22 0:4 {key} /run/space rw shared:5 - nsfs nsfs rw"
    if kept == "nsfs":
        client = _with(client, line)
    elif kept == "fd":
        client.processes[1].fds = {"3": "", "9": key, "10": "socket:[1]"}
    else:
        client.add_namespace("outer", line.replace("90 22", "90 1022"))
        client.add_process(95, namespace="outer")
    result = run(client, "unmounted")
    assert left(result) == [("namespace", "/srv/projects")] and result["ready"] == []
    holders = [holder["pid"] for holder in result["left"][0]["holders"]]
    assert holders == ([1] if kept == "fd" else [])


def _with(client: FakeClient, line: str) -> FakeClient:
    client.namespaces["host"] += FakeClient(line).namespaces["host"][1:]
    return client


def test_a_namespace_that_cannot_be_looked_into_blocks_every_share(run) -> None:
    client = _with(FakeClient(MOUNT), "90 22 0:4 mnt:[17] /run/space rw shared:5 - nsfs nsfs rw")
    other = {**PROJECTS, "id": "s-2", "before": ["192.0.2.30:/x"]}
    result = run(client, "unmounted", PROJECTS, other)
    assert left(result) == [("unreadable", "/run/space")] * 2 and result["ready"] == []
    assert len(client.targets()) == 2
    accepted = [accept("unreadable", target="/run/space")]
    result = run(client, "unmounted", PROJECTS, other, accept=accepted)
    assert result["left"] == [] and result["ready"] == ["s-1", "s-2"]
    # Namespaces of a network, as `ip netns` makes them, mount nothing.
    client = _with(FakeClient(), "90 22 0:4 net:[17] /run/netns/a rw shared:5 - nsfs nsfs rw")
    assert run(client)["ready"] == ["s-1"]


def test_a_namespace_that_only_a_namespace_without_processes_keeps(run) -> None:
    client = FakeClient()
    inner = client.add_namespace("inner", COPY)
    lines = [
        f"90 {{}} 0:4 {key} {path} rw - nsfs nsfs rw"
        for key, path in ((inner, "/in"), ("net:[7]", "/net"))
    ]
    outer = client.add_namespace("outer", *(line.format(1022) for line in lines))
    _with(client, f"90 22 0:4 {outer} /run/space rw shared:5 - nsfs nsfs rw")
    assert left(run(client)) == [("unreadable", "/run/space:/in")]
    # Kept from here, too, it can be looked into.
    _with(client, f"91 22 0:4 {inner} /run/inner rw shared:5 - nsfs nsfs rw")
    assert left(run(client)) == [("namespace", "/srv/projects")]


def test_a_process_that_cannot_be_read_blocks(run) -> None:
    client = with_namespace(denied=True, hidden=True)
    result = run(client, "unmounted")
    assert left(result) == [("unreadable", "/proc")] and "httpd (pid 80" in result["msg"]
    assert result["ready"] == []


def test_a_process_that_cannot_be_traced_says_what_it_has_mounted(run) -> None:
    client = with_namespace(COPY, root="rw", denied=True)
    client.add_process(81, namespace="other", denied=True)
    client.processes[1].denied = True  # of this namespace
    result = run(client, "unmounted")
    assert left(result) == [("namespace", "/srv/projects")] and result["ready"] == []
    assert [holder["pid"] for holder in result["left"][0]["holders"]] == [80, 81]
    client = with_namespace(denied=True)
    client.processes[1].denied = True
    client.add_process(70, denied=True, gone=True)
    assert run(client, "unmounted")["ready"] == ["s-1"]


def test_without_root_nothing_is_ready_and_it_is_said(run) -> None:
    result = run(FakeClient(MOUNT, root=False))
    assert left(result) == [("unreadable", "/proc")] and result["ready"] == []
    assert any("become" in warning for warning in result["warnings"])
    refused = run(FakeClient(MOUNT, root=False), "unmounted")
    assert refused["failed"] and "left" not in refused


def test_a_client_that_does_not_say_what_is_mounted_is_not_ready(run) -> None:
    client = FakeClient()
    client.namespaces["host"] = []
    result = run(client, "unmounted")
    assert result["failed"] and "ready" not in result and "/proc/self/mountinfo" in result["msg"]


def test_a_search_that_takes_too_long_blocks(run) -> None:
    client = FakeClient()
    client.hanging = True
    result = run(client, "unmounted")
    assert left(result) == [("unreadable", "/proc")] and result["ready"] == []


# -- mounts that other programs manage (F17) -----------------------------------------------------


@pytest.mark.parametrize(
    ("target", "program", "purpose"),
    [
        (POD, "kubelet", "pod 0b1c, volume data"),
        ("/var/lib/kubelet/pods/0b1c/volumes/kubernetes.io~csi/pvc-1/mount", "kubelet", "pod 0b1c, volume pvc-1"),
        ("/var/lib/k0s/kubelet/pods/0b1c/volumes/kubernetes.io~nfs/data", "kubelet", "pod 0b1c, volume data"),
        ("/opt/nomad/client/csi/node/nfs/per-alloc/6f/data/rw", "container engine", "volume data"),
        ("/var/snap/docker/common/var-lib-docker/overlay2/9f/merged/d", "container engine", "container 9f"),
        (f"{SNAP}/kubelet/pods/0b1c/volume-subpaths/data/web/0", "kubelet", "pod 0b1c, volume data"),
        (f"{CSI}/nfs.csi.k8s.io/9f3a/globalmount", "kubelet", "driver nfs.csi.k8s.io, volume 9f3a"),
        (f"{CSI}/pv/pvc-1/globalmount", "kubelet", "volume pvc-1"),
        ("/var/lib/nova/mnt/0cc175b9c0f1b6a831c399e269772661", "nova", "mount 0cc175b9c0f1b6a831c399e269772661"),
        ("/var/lib/docker/volumes/nova_compute/_data/mnt/0cc175b9c0f1b6a831c399e269772661", "nova", "mount 0cc1"),
        ("/var/lib/cinder/mnt/0cc175b9c0f1b6a831c399e269772661", "cinder", "mount 0cc1"),
        (VOLUME, "container engine", "volume app_data"),
        ("/data/docker/overlay2/77aa/merged/data", "container engine", "container 77aa"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("force", [False, True])
def test_a_mount_that_another_program_manages_is_named_and_not_moved(
    run, target, program, purpose, force
) -> None:
    client = FakeClient(MOUNT.replace("/srv/projects", target))
    for state in ("found", "unmounted", "mounted"):
        result = run(client, state, force=force)
        assert left(result) == [("managed", target)] and result["ready"] == []
        assert result["left"][0]["managed_by"] == program == result["mounts"][0]["managed_by"]
        assert purpose in result["left"][0]["message"]
    assert client.targets() == [f"{target} {OLD}"] and client.commands == []


def test_the_container_that_has_a_managed_mount_is_named(run) -> None:
    client = FakeClient(MOUNT.replace("/srv/projects", VOLUME))
    client.add_namespace("container", "60 1022 0:77 / /data rw - tmpfs tmpfs rw")
    client.add_process(80, namespace="container")
    client.add_namespace("other", COPY.replace("/srv/projects", "/data"))
    client.add_process(90, namespace="other", command="postgres")
    row = run(client)["left"][0]
    assert row["code"] == "managed" and [holder["pid"] for holder in row["holders"]] == [90]


def test_an_instance_that_holds_a_mount_wherever_nova_put_it(run) -> None:
    target = "/srv/instances/0cc175b9c0f1b6a831c399e269772661"
    client = FakeClient(MOUNT.replace("/srv/projects", target))
    client.add_process(70, command="virtiofsd", cwd=target)
    result = run(client, "unmounted")
    assert left(result) == [("managed", target)] and result["left"][0]["managed_by"] == "nova"
    assert result["mounts"][0]["managed_by"] == "nova"


@pytest.mark.parametrize(
    ("process", "program", "purpose"),
    [
        (
            {"cgroup": "0::/kubepods.slice/kubepods-pod0b1c0000_1111_2222_3333_444444444444.slice/x\n"},
            "kubelet",
            "pod 0b1c0000-1111-2222-3333-444444444444",
        ),
        ({"cgroup": "12:cpu:/docker/0123456789abcdef0123\n"}, "container engine", "container 0123456789ab"),
        ({"cgroup": "0::/machine.slice/libpod-0123456789abcdef.scope\n"}, "container engine", "container 0123456789ab"),
        ({"cgroup": "0::/lxc.payload.web/init.scope\n"}, "container engine", "container web"),
        (
            {"cmdline": "/usr/libexec/virtiofsd\0--shared-dir\0/var/lib/nova/mnt/0cc175b9c0f1b6a831c399e269772661\0"},
            "nova",
            "mount 0cc175b9c0f1b6a831c399e269772661",
        ),
        ({}, "", "stop that"),
    ],
)  # fmt: skip
def test_who_manages_a_mount_of_another_namespace(run, process, program, purpose) -> None:
    client = with_namespace(COPY, root="rw", **process)
    result = run(client, "unmounted")
    assert result["left"][0]["managed_by"] == program and purpose in result["left"][0]["message"]


@pytest.mark.parametrize(("source", "program"), [("auto.nfs", "autofs"), ("systemd-1", "systemd")])
def test_what_is_mounted_on_demand(run, source, program) -> None:
    """Named, and in the way before the cutover; after it, everything else is moved."""
    client = FakeClient(
        f"40 22 0:40 / /srv rw shared:8 - autofs {source} rw,fd=7",
        MOUNT.replace("50 22", "50 40"),
        MOUNT.replace("50 22", "51 22").replace("0:45", "0:46").replace("/srv/", "/mnt/"),
        fstab=FSTAB.replace("/srv/", "/mnt/"),
    )
    result = run(client, "unmounted")
    assert left(result) == [("autofs", "/srv/projects")] and result["ready"] == []
    assert result["left"][0]["managed_by"] == program and len(client.targets()) == 3
    result = run(client, "mounted")
    assert left(result) == [("autofs", "/srv/projects")]
    assert client.targets()[1:] == [f"/srv/projects {OLD}", f"/mnt/projects {NEW}"]
    assert NEW in client.files["/etc/fstab"]


def test_a_unit_that_somebody_wrote_is_moved_and_named(run) -> None:
    client = FakeClient(MOUNT)
    client.files["/etc/systemd/system/srv-projects.mount"] = f"[Mount]\nWhat={OLD}\n"
    result = run(client, "mounted")
    assert result["left"] == [] and result["mounts"][0]["managed_by"] == "systemd"
    assert any("srv-projects.mount" in warning for warning in result["warnings"])


def test_a_line_in_fstab_is_the_manager_wherever_it_mounts(run) -> None:
    client = FakeClient(
        MOUNT.replace("/srv/projects", VOLUME), fstab=FSTAB.replace("/srv/projects", VOLUME)
    )
    result = run(client, "unmounted")
    assert result["mounts"][0]["managed_by"] == "fstab" and result["ready"] == ["s-1"]


# -- mounts over each other (F29) ----------------------------------------------------------------

STACK = [
    MOUNT,
    MOUNT.replace("50 22", "51 50").replace("0:45", "0:46"),
    MOUNT.replace("50 22", "52 51").replace("0:45", "0:47"),
]


def test_an_export_that_is_mounted_three_times_over_itself(run) -> None:
    client = FakeClient(*STACK, fstab=FSTAB)
    found = run(client)
    assert [(row["target"], row["sides"]) for row in found["mounts"]] == [
        ("/srv/projects", ["before"])
    ]
    assert run(client, "unmounted")["ready"] == ["s-1"] and client.targets() == []
    assert len(json.loads(client.files[RECORD])["mounts"]) == 1
    assert run(client, "mounted")["mounts"][0]["sides"] == ["after"]
    assert client.targets() == [f"/srv/projects {NEW}"] and RECORD not in client.files


def test_the_same_export_before_and_after_has_both_sides_once(run) -> None:
    client = FakeClient(*STACK)
    result = run(client, "found", {**PROJECTS, "after": [OLD]})
    assert result["mounts"][0]["sides"] == ["before", "after"]


def test_two_shares_over_each_other_are_two_rows(run) -> None:
    other = {**PROJECTS, "id": "s-2", "before": ["192.0.2.30:/x"], "after": ["192.0.2.31:/x"]}
    over = "51 50 0:46 / /srv/projects rw - nfs4 192.0.2.30:/x rw,addr=192.0.2.30"
    client = FakeClient(MOUNT, over)
    assert [row["id"] for row in run(client, "found", PROJECTS, other)["mounts"]] == ["s-1", "s-2"]
    assert run(client, "found", PROJECTS, other)["ready"] == []
    assert run(client, "unmounted", PROJECTS, other)["ready"] == ["s-1", "s-2"]
    # The lower one can't go from under one that is accepted, and this one isn't taken in its place.
    client = FakeClient(MOUNT, over)
    client.add_process(70, mount_ids=[51])
    result = run(client, "unmounted", PROJECTS, other, accept=[accept("busy", "192.0.2.30:/x")])
    assert left(result) == [("below", "/srv/projects")] and result["ready"] == ["s-2"]
    assert len(client.targets()) == 2 and client.commands == []


# -- accepting by name ---------------------------------------------------------------------------


def test_nothing_is_accepted_by_default(run) -> None:
    assert run(FakeClient(MOUNT))["accepted"] == []


@pytest.mark.parametrize(
    "named", [{"source": OLD}, {"target": f"{VOLUME}/"}, {"source": OLD, "target": VOLUME}]
)
def test_an_accepted_mount_stays_and_the_others_go(run, named) -> None:
    client = FakeClient(
        MOUNT, MOUNT.replace("50 22", "51 22").replace("/srv/projects", VOLUME).replace("0:45", "0:46")
    )  # fmt: skip
    accepted = [accept("managed", **named)]
    for state in ("unmounted", "mounted"):
        result = run(client, state, accept=accepted)
        assert result["left"] == []
        assert [(row["code"], row["target"]) for row in result["accepted"]] == [("managed", VOLUME)]
        assert any(VOLUME in warning for warning in result["warnings"])
        assert result["ready"] == (["s-1"] if state == "unmounted" else [])
    assert client.targets() == [f"{VOLUME} {OLD}", f"/srv/projects {NEW}"]


@pytest.mark.parametrize(
    "named",
    [accept("busy", OLD), accept("managed", "192.0.2.10:/else"), accept("managed", OLD, "/srv")],
)
def test_another_code_source_or_target_accepts_nothing(run, named) -> None:
    client = FakeClient(MOUNT.replace("/srv/projects", VOLUME))
    result = run(client, "unmounted", accept=[named])
    assert left(result) == [("managed", VOLUME)] and result["ready"] == []
    assert any(warning.startswith("accept: nothing") for warning in result["warnings"])


def test_accepting_a_namespace_does_not_accept_the_mount_at_the_same_place(run) -> None:
    client = with_namespace(COPY, root="rw")
    result = run(client, "unmounted", accept=[accept("namespace", target="/srv/projects")])
    assert result["left"] == [] and result["ready"] == ["s-1"] and client.targets() == []
    assert len(result["accepted"]) == 1


def test_accepting_what_is_busy_when_it_is_unmounted(run) -> None:
    client = FakeClient(MOUNT)
    client.unmountable = {"/srv/projects": "umount: /srv/projects: target is busy."}
    assert left(run(client, "unmounted")) == [("busy", "/srv/projects")]
    result = run(client, "unmounted", accept=[accept("busy", OLD)])
    assert result["left"] == [] and result["ready"] == ["s-1"] and RECORD not in client.files
    assert result["mounts"][0]["state"] == "mounted"


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (accept("bussy", OLD), "bussy"),
        (accept("", OLD), "code"),
        (accept("failed", OLD), "failed"),
        (accept("taken", target="/a"), "taken"),
        (accept("busy"), "source or a target"),
        (accept("busy", " ", " "), "source or a target"),
    ],
)
def test_what_cannot_be_accepted_is_refused_before_anything_is_done(run, entry, word) -> None:
    client = FakeClient(MOUNT)
    result = run(client, "unmounted", accept=[entry])
    assert result["failed"] and word in result["msg"] and "ready" not in result
    assert client.commands == [] and len(client.targets()) == 1


# -- the other codes, and what goes wrong --------------------------------------------------------


def test_a_process_that_holds_a_mount_is_named(run) -> None:
    client = FakeClient(MOUNT)
    client.add_process(70, command="vi", cwd="/srv/projects/x")
    for state in ("found", "unmounted"):
        result = run(client, state)
        assert left(result) == [("busy", "/srv/projects")] and result["ready"] == []
        assert result["left"][0]["holders"] == [{"pid": 70, "command": "vi", "user": "games"}]
    assert client.targets() == [f"/srv/projects {OLD}"]
    result = run(client, "unmounted", force=True)
    assert result["ready"] == ["s-1"] and client.targets() == []
    assert any("vi (pid 70" in warning for warning in result["warnings"])


@pytest.mark.parametrize(
    "process",
    [
        {"mount_ids": [22, 50]},
        {"root": "/srv/projects"},
        {"exe": "/srv/projects/bin/tool"},
        {"maps": "7f1 r--p 0 00:2d 1234   /srv/projects/lib.so\n"},
    ],
)
def test_ways_to_hold_a_mount(run, process) -> None:
    client = FakeClient(MOUNT)
    client.add_process(70, **process)
    assert left(run(client)) == [("busy", "/srv/projects")]


@pytest.mark.parametrize(
    ("path", "text", "command"),
    [
        ("/sys/block/loop3/loop/backing_file", "/srv/projects/disk.img\n", "/dev/loop3 of the kernel"),
        ("/proc/swaps", "Filename Type Size\n/srv/projects/swap file 1\n", "swap of the kernel"),
    ],
)  # fmt: skip
def test_what_the_kernel_holds(run, path, text, command) -> None:
    client = FakeClient(MOUNT)
    client.files[path] = text
    result = run(client)
    assert left(result) == [("busy", "/srv/projects")]
    assert [holder["command"] for holder in result["left"][0]["holders"]] == [command]


@pytest.mark.parametrize("name", ["lowerdir", "upperdir"])
@pytest.mark.parametrize("where", ["host", "other", "both"])
def test_an_overlay_that_has_a_folder_of_the_share_goes_on_using_it(run, name, where) -> None:
    overlay = f"0:60 / /ov rw - overlay overlay rw,{name}=/var/x\\:y:/srv/projects/base,workdir=/w"
    client = FakeClient(MOUNT, *([f"60 22 {overlay}"] if where != "other" else []))
    if where != "host":
        client.add_namespace("other", f"1060 1022 {overlay}")
        client.add_process(80, namespace="other")
    result = run(client, "unmounted")
    assert left(result) == [("busy", "/srv/projects")] and result["ready"] == []
    (holder,) = result["left"][0]["holders"]
    assert holder["command"] == "overlay at /ov"


def test_a_mount_on_the_mount(run) -> None:
    client = FakeClient(MOUNT, "60 50 0:60 / /srv/projects/tmp rw - tmpfs tmpfs rw")
    assert left(run(client, "unmounted")) == [("below", "/srv/projects")]


def test_a_password_that_nobody_knows(run) -> None:
    client = FakeClient("60 22 0:60 / /srv/o rw - cifs //192.0.2.10/o rw,username=me,addr=192.0.2.10")  # fmt: skip
    share = {**PROJECTS, "before": ["\\\\192.0.2.10\\o"], "after": ["\\\\192.0.2.20\\o"]}
    assert left(run(client, "unmounted", share)) == [("credentials", "/srv/o")]


def test_something_else_where_it_was(run) -> None:
    client = FakeClient(MOUNT)
    run(client, "unmounted")
    _with(client, "60 22 0:60 / /srv/projects rw - tmpfs tmpfs rw")
    result = run(client, "mounted")
    assert left(result) == [("taken", "/srv/projects")] and RECORD in client.files


def test_a_share_without_an_export_of_the_kind(run) -> None:
    client = FakeClient(MOUNT)
    result = run(client, "mounted", {**PROJECTS, "after": ["\\\\192.0.2.20\\o"]})
    assert left(result) == [("no_export", "/srv/projects")]
    assert client.targets() == [f"/srv/projects {OLD}"]


@pytest.mark.parametrize("how", ["broken", "ignored"])
def test_a_new_export_that_cannot_be_mounted(run, how) -> None:
    client = FakeClient(MOUNT, fstab=FSTAB)
    run(client, "unmounted")
    if how == "broken":
        client.broken = {NEW: "mount.nfs: access denied"}
    else:
        client.ignored = {NEW}
    result = run(client, "mounted")
    assert left(result) == [("failed", "/srv/projects")] and client.files["/etc/fstab"] == FSTAB
    assert run(client, "restored")["left"] == [] and client.targets() == [f"/srv/projects {OLD}"]


def test_a_mount_that_takes_its_time_to_appear(run) -> None:
    client = FakeClient(MOUNT)
    run(client, "unmounted")
    client.is_slow = True
    assert run(client, "mounted")["left"] == [] and client.targets() == [f"/srv/projects {NEW}"]


def test_a_command_that_does_not_end(run) -> None:
    client = FakeClient(MOUNT)
    client.hung = {"/srv/projects"}
    result = run(client, "unmounted", timeout=7)
    assert left(result) == [("failed", "/srv/projects")] and "for 7 seconds" in result["msg"]


def test_a_share_is_unmounted_wholly_or_not_at_all(run) -> None:
    second = MOUNT.replace("50 22", "51 22").replace("0:45", "0:46").replace("/srv/", "/mnt/")
    client = FakeClient(MOUNT, second)
    client.unmountable = {"/srv/projects": "umount: /srv/projects: input/output error"}
    result = run(client, "unmounted")
    assert left(result) == [("failed", "/srv/projects")] and RECORD not in client.files
    assert sorted(client.targets()) == [f"/mnt/projects {OLD}", f"/srv/projects {OLD}"]


def test_a_run_that_was_killed_before_fstab_was_changed(run) -> None:
    client = FakeClient(MOUNT, fstab=FSTAB)
    run(client, "unmounted")
    record = client.files[RECORD]
    run(client, "mounted")
    client.files.update({"/etc/fstab": FSTAB, RECORD: record})
    result = run(client, "mounted")
    assert result["left"] == [] and RECORD not in client.files
    assert client.files["/etc/fstab"] == FSTAB.replace(OLD, NEW)


@pytest.mark.parametrize(
    "url", ["nfs://192.0.2.10/shares/projects", "nfs://192.0.2.10:2049//shares/project%73/"]
)
def test_a_url_in_fstab_is_changed_too(run, url) -> None:
    client = FakeClient(MOUNT, fstab=FSTAB.replace(OLD, url))
    assert run(client, "mounted")["fstab_lines"] == [2]
    assert client.files["/etc/fstab"] == FSTAB.replace(OLD, NEW)


def test_fstab_is_put_back_as_it_was_and_only_for_what_was_unmounted(run) -> None:
    named = FSTAB.replace(OLD, "filer:/shares/projects")
    other = {**PROJECTS, "id": "s-2", "before": ["192.0.2.30:/x"], "after": ["192.0.2.31:/x"]}
    elsewhere = "192.0.2.31:/x /srv/x nfs noauto 0 0\n"
    client = FakeClient(
        MOUNT.replace(f" {OLD} ", " filer:/shares/projects "), fstab=named + elsewhere
    )
    client.hosts = {"filer": {"192.0.2.10"}}
    run(client, "unmounted", PROJECTS, other)
    # Killed after fstab was changed.
    client.files["/etc/fstab"] = FSTAB.replace(OLD, NEW) + elsewhere
    assert run(client, "restored", PROJECTS, other)["fstab_lines"] == [2]
    assert client.files["/etc/fstab"] == named + elsewhere


def test_without_root_a_record_that_cannot_be_read_is_no_error(run) -> None:
    client = FakeClient(MOUNT)
    run(client, "unmounted")
    client.root = False
    assert run(client)["mounts"] == []


def test_a_record_of_an_export_that_is_not_named_any_more(run) -> None:
    client = FakeClient(MOUNT.replace(f" {OLD} ", " filer:/shares/projects "))
    client.hosts = {"filer": {"192.0.2.10"}}
    both = {**PROJECTS, "before": ["filer:/shares/projects", OLD]}
    run(client, "unmounted", both)
    assert run(client, "mounted")["left"] == [] and client.targets() == [f"/srv/projects {NEW}"]


def test_bind_mounts_go_along_and_are_those_of_fstab(run) -> None:
    bind = "51 22 0:45 / /home/p rw shared:29 - nfs4 192.0.2.10:/shares/projects/p rw,addr=192.0.2.10"  # fmt: skip
    client = FakeClient(MOUNT, bind, fstab=FSTAB + "/srv/projects/p /home/p none bind 0 0\n")
    result = run(client)
    told = [(row["bind"], row["managed_by"]) for row in result["mounts"]]
    assert told == [(False, "fstab"), (True, "fstab")]
    assert run(client, "mounted")["left"] == []
    assert ["mount", "-o", "bind", "/srv/projects/p", "/home/p"] in client.commands


def test_the_diff_has_what_is_mounted_and_fstab(run) -> None:
    client = FakeClient(MOUNT, fstab=FSTAB)
    mounts, table = run(client, "mounted")["diff"]
    assert mounts["before"] == f"{OLD} /srv/projects nfs\n"
    assert mounts["after"] == f"{NEW} /srv/projects nfs\n"
    assert (table["before"], table["after"]) == (FSTAB, FSTAB.replace(OLD, NEW))


def test_what_holds_no_mount(run) -> None:
    client = FakeClient(MOUNT)
    client.files["/sys/block/loop3/loop/backing_file"] = "/var/disk.img\n"
    client.files.update({"/sys/block/loop0/size": "0\n", "/sys/block/vda/size": "9\n"})
    client.files["/proc/swaps"] = "Filename Type Size\n/swap file 1\n"
    client.add_process(70, cwd="/srv/projectsX", mount_ids=[22])
    client.processes[4000].cwd = "/srv/projects"  # the module itself
    assert left(run(client)) == []


def test_a_file_that_is_closed_meanwhile_hides_no_other(run) -> None:
    client = FakeClient(MOUNT)
    client.add_process(70, mount_ids=[0, 50])
    assert left(run(client)) == [("busy", "/srv/projects")]


def test_what_cannot_be_put_back_stays_written_down(run) -> None:
    second = MOUNT.replace("50 22", "51 22").replace("0:45", "0:46").replace("/srv/", "/mnt/")
    client = FakeClient(MOUNT, second)
    client.unmountable = {"/srv/projects": "umount: /srv/projects: input/output error"}
    client.broken = {OLD: "mount.nfs: access denied"}
    result = run(client, "unmounted")
    assert left(result) == [("failed", "/srv/projects"), ("failed", "/mnt/projects")]
    assert [row["target"] for row in json.loads(client.files[RECORD])["mounts"]] == ["/mnt/projects"]  # fmt: skip
    client.broken = {}
    assert run(client, "restored")["left"] == [] and RECORD not in client.files
    assert sorted(client.targets()) == [f"/mnt/projects {OLD}", f"/srv/projects {OLD}"]


def test_every_code_is_shown_by_a_test_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [code for code in codes.CODES if f'"{code}"' not in text] == []


@pytest.mark.parametrize("text", ["{", "[]", '{"mounts": [{"x": 1}]}'])
def test_a_file_that_is_no_record(run, text) -> None:
    client = FakeClient(MOUNT)
    client.files[RECORD] = text
    result = run(client, "unmounted")
    assert result["failed"] and RECORD in result["msg"] and client.commands == []


def test_another_run_at_the_same_time(run) -> None:
    client = FakeClient(MOUNT)
    client.lock_owner = "another"
    result = run(client, "unmounted")
    assert result["failed"] and client.commands == []


@pytest.mark.parametrize(
    ("more", "word"), [({"timeout": 0}, "timeout"), ({"state": "mounted"}, "export location")]
)
def test_bad_arguments(run, more, word) -> None:
    share = {**PROJECTS, "after": []}
    result = run(
        FakeClient(MOUNT),
        {"state": "found", **more}["state"],
        share,
        timeout=more.get("timeout", 60),
    )
    assert result["failed"] and word in result["msg"] and "left" not in result


def test_no_secret_and_no_raw_text_gets_out(run) -> None:
    line = '//nas/o /srv/o cifs username=me%hunter2,password=hun\\040ter2,pass="hunter2,x" 0 0\n'
    client = FakeClient(
        "60 22 0:60 / /srv/o rw - cifs //nas/o rw,username=me,addr=192.0.2.10",
        "61 22 0:61 / /srv/\\033[31m rw - nfs4 :/shares/projects rw",
        fstab=line,
    )
    client.add_process(70, command="a\x1b]0;x", cwd="/srv/o")
    office = {"id": "s-2", "before": ["\\\\192.0.2.10\\o"], "after": ["\\\\192.0.2.20\\o"]}
    for state in ("found", "unmounted", "mounted"):
        result = run(client, state, PROJECTS, office)
        text = json.dumps(result)
        assert "hunter2" not in text and "ter2" not in text
        assert "\x1b" not in " ".join(row["message"] for row in result["left"])
    assert result["left"]
    # What is only warned of, and what a difference shows.
    raw = FakeClient(MOUNT.replace("/srv/projects", "/srv/\x1b[31mp"))
    raw.add_process(70, command="a\x1b]0;x", mount_ids=[50])
    raw.folders.add("/etc/systemd/system/srv-\\x1b\\x5b31mp.mount")
    for state in ("found", "unmounted", "mounted"):
        result = run(raw, state, force=True)
        assert result["warnings"] and "\x1b" not in " ".join(result["warnings"])
        assert "\x1b" not in str(result["diff"][0]["before"]) + str(result["diff"][0]["after"])
    del client.processes[70]
    client.hosts = {"nas": {"192.0.2.10"}}
    result = run(client, "mounted", office)
    assert result["fstab_lines"] == [1] and "***" in result["diff"][1]["after"]
    assert "hunter2" not in json.dumps(result) and "ter2" not in json.dumps(result)
