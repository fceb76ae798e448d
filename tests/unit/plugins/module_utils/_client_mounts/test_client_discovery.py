# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of shares, and how they are mounted again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import (
    discovery,
    fstab,
    holders,
    locations,
    mountinfo,
    options,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    BEFORE,
    Share,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.client_samples import (
    CIFS,
    LINES,
    NFS,
    TABLE,
    TYPES,
    resolve,
)


def test_mounts_of_shares_are_found_with_what_mounts_them_again() -> None:
    certain, similar = discovery.find(TABLE, LINES, [NFS, CIFS], BEFORE, TYPES, resolve)
    told = [(one.entry.target, one.entry.source, one.entry.options) for one in certain]
    assert told == [
        ("/srv/projects", "192.0.2.10:/shares/a", "rw,_netdev,nofail"),
        ("/srv/with blank", "192.0.2.10:/shares/a/b c", "ro"),
        ("/srv/office", "//192.0.2.10/Office", "credentials=/etc/office,password=hunter2"),
        ("/srv/minutes", "/srv/office/minutes", "bind,ro"),
    ]
    assert [one.entry.bind for one in certain] == [False, False, False, True]
    assert [one.entry.fstab for one in certain] == [True, True, True, False]
    assert [one.mount.target for one in similar] == ["/srv/alike"]


def test_only_the_types_that_were_named() -> None:
    types = locations.wanted_types(["smb3"])
    certain, _similar = discovery.find(TABLE, LINES, [NFS, CIFS], BEFORE, types, resolve)
    assert [one.entry.target for one in certain] == ["/srv/office", "/srv/minutes"]


def test_without_a_line_in_fstab_the_present_options_are_used() -> None:
    certain, _similar = discovery.find(TABLE, [], [NFS, CIFS], BEFORE, TYPES, resolve)
    assert [one.entry.options for one in certain][:3] == [
        "vers=4.2,rsize=1048576,hard,proto=tcp,timeo=600,sec=sys,local_lock=none",
        "ro,nosuid,vers=3,mountvers=3,mountproto=udp",
        "vers=3.1.1,sec=krb5,cache=strict,uid=0,soft",
    ]


def test_a_part_of_a_share_whose_whole_is_not_mounted() -> None:
    table = [one for one in TABLE if one.target != "/srv/office"]
    certain, _similar = discovery.find(table, [], [CIFS], BEFORE, TYPES, resolve)
    entry = certain[0].entry
    assert (entry.source, entry.bind) == ("//192.0.2.10/Office/minutes", False)
    assert discovery.new_source(entry, CIFS, resolve) == "//192.0.2.20/office_2/minutes"


def test_a_bind_mount_of_fstab_is_made_as_it_says() -> None:
    part = "60 22 0:45 / /home/p rw - nfs4 192.0.2.10:/shares/a/p rw"
    table = [*TABLE, *mountinfo.parse_mountinfo(part)]
    lines = fstab.parse_fstab("/srv/projects/p /home/p none bind,nosuid 0 0\n")
    certain, _similar = discovery.find(table, lines, [NFS], BEFORE, TYPES, resolve)
    entry = certain[-1].entry
    assert (entry.source, entry.options, entry.bind) == ("/srv/projects/p", "bind,nosuid", True)
    assert discovery.new_source(entry, NFS, resolve) == "/srv/projects/p"


def test_fuse_mounts_with_one_device_are_one_mount_shown_twice() -> None:
    share = Share("1", "", ("192.0.2.10:/vol",), ("192.0.2.20:/vol",))
    table = mountinfo.parse_mountinfo(
        "60 22 0:60 / /a rw - fuse.glusterfs filer:/vol "
        "rw,user_id=0,group_id=0,default_permissions,allow_other,max_read=131072\n"
        "61 22 0:60 /x /b rw - fuse.glusterfs filer:/vol rw\n"
        "62 22 0:60 / /c rw - fuse.glusterfs filer:/vol rw\n"
        "63 22 0:61 / /d rw - fuse.glusterfs filer:/vol rw\n"
    )
    certain, _similar = discovery.find(table, [], [share], BEFORE, TYPES, resolve)
    assert [(one.entry.source, one.entry.bind) for one in certain] == [
        ("filer:/vol", False),
        ("/a/x", True),
        ("/a", True),
        ("filer:/vol", False),
    ]
    assert certain[0].entry.options == ""


def test_check_mode_thinks_of_bind_mounts_as_the_kernel_shows_them() -> None:
    certain, _similar = discovery.find(TABLE, [], [CIFS], BEFORE, TYPES, resolve)
    whole = discovery.imagined(certain[0].entry, "//192.0.2.20/office_2", [])
    part = discovery.imagined(certain[1].entry, "/srv/office/minutes", [whole])
    assert (part.source, part.root, part.target) == ("//192.0.2.20/office_2", "/minutes", "/srv/minutes")  # fmt: skip


def test_what_is_mounted_on_a_mount() -> None:
    assert [one.target for one in mountinfo.mounted_on(TABLE[1], TABLE)] == ["/srv/projects/cache"]
    mount = mountinfo.mount_of("/srv/projects/cache/x", TABLE)
    assert mount and mount.id == 55
    mount = mountinfo.mount_of("/srv/projectsX", TABLE)
    assert mount and mount.id == 22


def test_the_last_mount_at_a_target_is_seen() -> None:
    over = mountinfo.Mount(70, 51, "0:70", "/", "/srv/projects", "rw", (), "tmpfs", "x", "")
    assert mountinfo.top("/srv/projects", [*TABLE, over]) is over
    assert mountinfo.top("/srv", TABLE) is None


@given(st.text(), st.text())
def test_nothing_that_a_client_has_mounted_ends_it(text: str, other: str) -> None:
    mountinfo.parse_mountinfo(text)
    holders.mapped_files(text)
    options.options_to_mount("nfs", f"{text},{other}")
    shares = [Share("1", "", (text, other), (other,))]
    locations.match(text, other, shares, BEFORE, resolve)
    locations.doubts(text, "nfs", other, shares, BEFORE, resolve)
