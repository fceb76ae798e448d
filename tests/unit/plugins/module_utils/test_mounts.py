# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of shares: found in whatever form, replaced by the right export, written into fstab."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils import mounts
from ansible_collections.manila.migration.plugins.module_utils.mounts import AFTER, BEFORE, Share

ADDRESSES = {
    "filer": {"192.0.2.10", "2001:db8::10"},
    "filer.example.com": {"192.0.2.10"},
    "other": {"192.0.2.99"},
}
NFS = Share(
    "1",
    "projects",
    ("192.0.2.10:/shares/a", "[2001:db8::10]:/shares/a", "filer:/shares/a"),
    ("192.0.2.20:/new/a", "[2001:db8::20]:/new/a", "filer2:/new/a"),
)
CIFS = Share("2", "office", ("\\\\192.0.2.10\\Office",), ("\\\\192.0.2.20\\office_2",))
TYPES = mounts.wanted_types(["nfs", "CIFS", "glusterfs"])


def resolve(name: str) -> set[str]:
    return ADDRESSES.get(name, set())


def found(
    source: str, *shares: Share, options: str = "", side: str = BEFORE
) -> mounts.Match | None:
    return mounts.match(source, options, shares, side, resolve)


# -- which share a mount is of ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "subdirectory"),
    [
        ("192.0.2.10:/shares/a", ""),
        ("192.0.2.10:/shares/a/", ""),
        ("192.0.2.10://shares//a", ""),
        ("[192.0.2.10]:/shares/a", ""),
        ("[::ffff:192.0.2.10]:/shares/a", ""),
        ("[2001:db8::10]:/shares/a", ""),
        ("[2001:DB8:0::0:10]:/shares/a", ""),
        ("2001:db8::10:/shares/a", ""),
        ("[2001:db8::10%eth0]:/shares/a", ""),
        ("filer:/shares/a", ""),
        ("FILER.example.com.:/shares/a", ""),
        ("192.0.2.10:/shares/a/b/c", "/b/c"),
    ],
)
def test_the_same_export_in_another_form(source: str, subdirectory: str) -> None:
    match = found(source, NFS)
    assert match and match.certain and match.subdirectory == subdirectory


@pytest.mark.parametrize("source", ["//192.0.2.10/office", "//FILER/Office/", "\\\\filer\\OFFICE"])
def test_names_of_cifs_know_no_case(source: str) -> None:
    match = found(source, NFS, CIFS)
    assert match and match.certain and match.share is CIFS


@pytest.mark.parametrize(
    "source",
    [
        "192.0.2.10:/shares/ab",
        "192.0.2.10:/shares",
        "192.0.2.10:/Shares/a",
        "//192.0.2.10/shares/a",
        "/shares/a",
        "UUID=0d8c4f1e",
        "tmpfs",
        "host:relative",
        ":/shares/a",
        "",
    ],
)
def test_what_is_no_export(source: str) -> None:
    assert found(source, NFS) is None


def test_another_server_with_the_same_path_is_not_certain() -> None:
    for source in ("other:/shares/a", "unknown:/shares/a", "192.0.2.11:/shares/a"):
        match = found(source, NFS)
        assert match and not match.certain


def test_every_path_lies_below_the_root_of_another_server() -> None:
    assert found("other:/home", Share("3", "", ("192.0.2.10:/",), ())) is None
    match = found("192.0.2.10:/home", Share("3", "", ("192.0.2.10:/",), ()))
    assert match and match.subdirectory == "/home"


def test_the_address_that_the_kernel_says_is_the_server() -> None:
    match = found("alias:/shares/a", NFS, options="rw,vers=4.2,addr=192.0.2.10")
    assert match and match.certain


def test_the_deepest_export_is_meant() -> None:
    inner = Share("9", "", ("192.0.2.10:/shares/a/inner",), ())
    match = found("192.0.2.10:/shares/a/inner/x", NFS, inner)
    assert match and match.share is inner and match.subdirectory == "/x"


def test_several_monitors_of_ceph_are_any_of_them() -> None:
    share = Share("3", "", ("192.0.2.1:6789,192.0.2.2:6789:/volumes/_nogroup/x",), ())
    match = found("192.0.2.2:6789:/volumes/_nogroup/x", share)
    assert match and match.certain


# -- what to mount instead -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("192.0.2.10:/shares/a", "192.0.2.20:/new/a"),
        ("192.0.2.10:/shares/a/b", "192.0.2.20:/new/a/b"),
        ("[2001:db8::10]:/shares/a", "[2001:db8::20]:/new/a"),
        ("filer:/shares/a/", "filer2:/new/a"),
        ("filer.example.com:/shares/a", "filer2:/new/a"),
    ],
)
def test_the_form_of_the_address_stays(source: str, expected: str) -> None:
    match = found(source, NFS)
    assert match and mounts.replacement(source, match, AFTER) == expected


@pytest.mark.parametrize(
    ("before", "after", "source", "expected"),
    [
        # no name among them: the address of the export that was meant
        (["192.0.2.10:/a"], ["[2001:db8::20]:/b", "192.0.2.20:/b"], "filer:/a", "192.0.2.20:/b"),
        # the second of two stays the second
        (["192.0.2.9:/a", "192.0.2.10:/a"], ["192.0.2.20:/b", "192.0.2.21:/b"], "192.0.2.10:/a", "192.0.2.21:/b"),
        (["192.0.2.9:/a", "192.0.2.10:/a"], ["192.0.2.20:/b"], "192.0.2.10:/a", "192.0.2.20:/b"),
        # another form, if there is none of this
        (["192.0.2.10:/a"], ["[2001:db8::20]:/b"], "192.0.2.10:/a/x", "[2001:db8::20]:/b/x"),
        # some drivers give addresses without brackets
        (["192.0.2.10:/a"], ["2001:db8::20:/b"], "192.0.2.10:/a", "[2001:db8::20]:/b"),
        (["192.0.2.10:/a"], ["192.0.2.20:/"], "192.0.2.10:/a", "192.0.2.20:/"),
        (["192.0.2.10:/a"], ["192.0.2.20:/"], "192.0.2.10:/a/x", "192.0.2.20:/x"),
        (["\\\\192.0.2.10\\a"], ["192.0.2.20:/b", "\\\\192.0.2.20\\b"], "//192.0.2.10/a/x", "//192.0.2.20/b/x"),
        (["192.0.2.10:/a"], ["//192.0.2.20/b"], "192.0.2.10:/a", None),
        (["192.0.2.10:/a"], [], "192.0.2.10:/a", None),
    ],
)  # fmt: skip
def test_one_of_several_exports(
    before: list[str], after: list[str], source: str, expected: str | None
) -> None:
    match = found(source, Share("1", "", tuple(before), tuple(after)))
    assert match and mounts.replacement(source, match, AFTER) == expected


NAMES = st.text(string.ascii_lowercase + string.digits + "-_. ", min_size=1, max_size=8).filter(
    lambda text: text.strip(". ") == text
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.from_regex(r"[a-z]{3,8}\.example", fullmatch=True),
)


@given(HOSTS, PATHS, HOSTS, PATHS, st.one_of(st.just(""), PATHS), st.booleans())
def test_there_and_back(
    old: str, path: str, new: str, new_path: str, below: str, unc: bool
) -> None:
    """What is mounted instead is found as the new side's, and its replacement is what there was."""
    form = (
        (lambda host, what: f"//{host}/{what}") if unc else (lambda host, what: f"{host}:/{what}")
    )
    share = Share("1", "", (form(old, path),), (form(new, new_path),))
    source = form(old, path) + (f"/{below}" if below else "")
    there = found(source, share)
    assert there and there.certain
    instead = mounts.replacement(source, there, AFTER)
    assert instead is not None
    back = found(instead, share, side=AFTER)
    assert back and back.certain and back.subdirectory == there.subdirectory
    again = mounts.replacement(instead, back, BEFORE)
    assert again is not None and mounts.same_source(again, source)


# -- /proc/self/mountinfo --------------------------------------------------------------------

# As kernels write them; mountinfo(5) and fs/nfs/super.c, fs/smb/client/cifsfs.c.
MOUNTINFO = "\n".join(
    [
        "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
        "51 22 0:45 / /srv/projects rw,relatime shared:28 - nfs4 192.0.2.10:/shares/a "
        "rw,vers=4.2,rsize=1048576,hard,proto=tcp,timeo=600,sec=sys,clientaddr=192.0.2.5,"
        "local_lock=none,addr=192.0.2.10",
        r"52 22 0:46 / /srv/with\040blank ro,nosuid,relatime shared:29 - nfs 192.0.2.10:/shares/a/b\040c "
        "rw,vers=3,mountaddr=192.0.2.10,mountvers=3,mountport=20048,mountproto=udp,addr=192.0.2.10",
        "53 22 0:47 / /srv/office rw,relatime shared:30 - cifs //192.0.2.10/Office "
        "rw,vers=3.1.1,sec=krb5,cache=strict,uid=0,addr=192.0.2.10,soft",
        "54 22 0:47 /minutes /srv/minutes ro,relatime shared:30 - cifs //192.0.2.10/Office "
        "rw,vers=3.1.1,sec=krb5,addr=192.0.2.10",
        "55 51 0:50 / /srv/projects/cache rw shared:31 - tmpfs tmpfs rw",
        "56 22 0:51 / /srv/alike rw shared:32 - nfs4 other:/shares/a rw,vers=4.2,addr=192.0.2.99",
        "57 22 0:52 / /srv/elsewhere rw shared:33 - nfs4 192.0.2.10:/shares/z rw,addr=192.0.2.10",
        "",
    ]
)
TABLE = mounts.parse_mountinfo(MOUNTINFO)
FSTAB = r"""# static file systems
UUID=0d8c4f1e-0000  /  ext4  errors=remount-ro  0  1

192.0.2.10:/shares/a	/srv/projects/	nfs4	rw,_netdev,nofail	0 0	# the projects
#192.0.2.10:/shares/a	/srv/old	nfs	defaults	0 0
filer:/shares/a/b\040c   /srv/with\040blank nfs ro
//filer/office /srv/office cifs credentials=/etc/office,password=hunter2 0 0
filer:/shares/z /srv/elsewhere nfs defaults 0 0
192.0.2.10:/shares/a/later /srv/later nfs noauto 0 0"""
LINES = mounts.parse_fstab(FSTAB)


def test_mounts_of_shares_are_found_with_what_mounts_them_again() -> None:
    certain, similar = mounts.find(TABLE, LINES, [NFS, CIFS], BEFORE, TYPES, resolve)
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
    types = mounts.wanted_types(["smb3"])
    certain, _similar = mounts.find(TABLE, LINES, [NFS, CIFS], BEFORE, types, resolve)
    assert [one.entry.target for one in certain] == ["/srv/office", "/srv/minutes"]


def test_without_a_line_in_fstab_the_present_options_are_used() -> None:
    certain, _similar = mounts.find(TABLE, [], [NFS, CIFS], BEFORE, TYPES, resolve)
    assert [one.entry.options for one in certain][:3] == [
        "vers=4.2,rsize=1048576,hard,proto=tcp,timeo=600,sec=sys,local_lock=none",
        "ro,nosuid,vers=3,mountvers=3,mountproto=udp",
        "vers=3.1.1,sec=krb5,cache=strict,uid=0,soft",
    ]


def test_a_part_of_a_share_whose_whole_is_not_mounted() -> None:
    table = [one for one in TABLE if one.target != "/srv/office"]
    certain, _similar = mounts.find(table, [], [CIFS], BEFORE, TYPES, resolve)
    entry = certain[0].entry
    assert (entry.source, entry.bind) == ("//192.0.2.10/Office/minutes", False)
    assert mounts.new_source(entry, CIFS, resolve) == "//192.0.2.20/office_2/minutes"


def test_a_bind_mount_of_fstab_is_made_as_it_says() -> None:
    part = "60 22 0:45 / /home/p rw - nfs4 192.0.2.10:/shares/a/p rw"
    table = [*TABLE, *mounts.parse_mountinfo(part)]
    lines = mounts.parse_fstab("/srv/projects/p /home/p none bind,nosuid 0 0\n")
    certain, _similar = mounts.find(table, lines, [NFS], BEFORE, TYPES, resolve)
    entry = certain[-1].entry
    assert (entry.source, entry.options, entry.bind) == ("/srv/projects/p", "bind,nosuid", True)
    assert mounts.new_source(entry, NFS, resolve) == "/srv/projects/p"


def test_fuse_mounts_with_one_device_are_one_mount_shown_twice() -> None:
    share = Share("1", "", ("192.0.2.10:/vol",), ("192.0.2.20:/vol",))
    table = mounts.parse_mountinfo(
        "60 22 0:60 / /a rw - fuse.glusterfs filer:/vol "
        "rw,user_id=0,group_id=0,default_permissions,allow_other,max_read=131072\n"
        "61 22 0:60 /x /b rw - fuse.glusterfs filer:/vol rw\n"
        "62 22 0:60 / /c rw - fuse.glusterfs filer:/vol rw\n"
        "63 22 0:61 / /d rw - fuse.glusterfs filer:/vol rw\n"
    )
    certain, _similar = mounts.find(table, [], [share], BEFORE, TYPES, resolve)
    assert [(one.entry.source, one.entry.bind) for one in certain] == [
        ("filer:/vol", False),
        ("/a/x", True),
        ("/a", True),
        ("filer:/vol", False),
    ]
    assert certain[0].entry.options == ""


def test_check_mode_thinks_of_bind_mounts_as_the_kernel_shows_them() -> None:
    certain, _similar = mounts.find(TABLE, [], [CIFS], BEFORE, TYPES, resolve)
    whole = mounts.imagined(certain[0].entry, "//192.0.2.20/office_2", [])
    part = mounts.imagined(certain[1].entry, "/srv/office/minutes", [whole])
    assert (part.source, part.root, part.target) == ("//192.0.2.20/office_2", "/minutes", "/srv/minutes")  # fmt: skip


def test_what_is_mounted_on_a_mount() -> None:
    assert [one.target for one in mounts.below(TABLE[1], TABLE)] == ["/srv/projects/cache"]
    mount = mounts.mount_of("/srv/projects/cache/x", TABLE)
    assert mount and mount.id == 55
    mount = mounts.mount_of("/srv/projectsX", TABLE)
    assert mount and mount.id == 22


def test_the_last_mount_at_a_target_is_seen() -> None:
    over = mounts.Mount(70, 51, "0:70", "/", "/srv/projects", "rw", (), "tmpfs", "x", "")
    assert mounts.top("/srv/projects", [*TABLE, over]) is over
    assert mounts.top("/srv", TABLE) is None


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
    # A container may have bound the mount elsewhere: its own group says nothing then.
    root = mounts.Mount(80, 1, "254:0", "/", "/", "rw", propagation, "ext4", "/dev/vda", "")
    other = mounts.Mount(90, 80, "0:45", "/", "/x", "rw", ("master:28",), "nfs4", "x", "")
    assert mounts.tied(other, [root, other], TABLE[1], TABLE) is expected


@pytest.mark.parametrize(
    ("fstype", "options", "expected"),
    [
        ("cifs", "rw,username=me,sec=ntlmssp", True),
        ("smb3", "rw,username=me", True),
        ("cifs", "rw,sec=krb5i", False),
        ("cifs", "rw,sec=none", False),
        ("cifs", "credentials=/etc/x", False),
        ("cifs", "guest", False),
        ("nfs4", "rw", False),
    ],
)
def test_passwords_that_nobody_could_give_again(fstype: str, options: str, expected: bool) -> None:
    assert mounts.lacks_password(fstype, options) is expected


def test_commas_between_quotes_are_part_of_an_option() -> None:
    options = 'rw,context="system_u:object_r:nfs_t:s0:c1,c2",hard'
    assert mounts.split_options(options) == ["rw", 'context="system_u:object_r:nfs_t:s0:c1,c2"', "hard"]  # fmt: skip


def test_no_password_is_shown() -> None:
    shown = mounts.mask(FSTAB + "\n//h/s /x cifs pass=a,PASSWORD=b,password2=c,secret=d==")
    assert not {"hunter2", "=a", "=b", "=c", "=d"} & set(shown.replace(",", " ").split())
    assert "hunter2" not in shown and "credentials=/etc/office" in shown


def test_mapped_files() -> None:
    maps = (
        "7f1 r--p 0 00:2d 1234   /srv/projects/lib with blank.so\n"
        "7f2 rw-p 0 00:00 0 \n"
        "7f3 rw-p 0 00:00 0      [heap]\n"
    )
    assert mounts.mapped_files(maps) == [("0:45", "/srv/projects/lib with blank.so")]


def test_ten_processes_are_named() -> None:
    holders = [{"pid": pid, "command": "db", "user": "me"} for pid in range(12)]
    assert mounts.holders_text(holders[:1]) == "db (pid 0, user me)"
    assert mounts.holders_text(holders).endswith("db (pid 9, user me) and 2 more")


# -- fstab -----------------------------------------------------------------------------------


def test_only_the_sources_of_the_share_change_in_fstab() -> None:
    moved = mounts.moved_lines(LINES, [NFS, CIFS], AFTER, resolve)
    text = mounts.with_sources(FSTAB, moved)
    assert text == (
        FSTAB.replace("192.0.2.10:/shares/a\t/srv/projects", "192.0.2.20:/new/a\t/srv/projects")
        .replace("filer:/shares/a/b", "filer2:/new/a/b")
        .replace("//filer/office", "//192.0.2.20/office_2")
        .replace("192.0.2.10:/shares/a/later", "192.0.2.20:/new/a/later")
    )
    lines = mounts.parse_fstab(text)
    assert mounts.moved_lines(lines, [NFS, CIFS], AFTER, resolve) == {}
    back = mounts.with_sources(text, mounts.moved_lines(lines, [NFS, CIFS], BEFORE, resolve))
    assert back == FSTAB.replace("//filer/office", "//192.0.2.10/Office").replace(
        "filer:/shares/a/b", "filer:/shares/a/b"
    )


def test_an_export_that_stays_is_left_in_fstab() -> None:
    share = Share("1", "", NFS.before, ("192.0.2.30:/x", *NFS.before))
    assert mounts.moved_lines(LINES, [share], AFTER, resolve) == {}


@given(st.text(), st.data())
def test_lines_that_are_not_named_stay(text: str, data: st.DataObject) -> None:
    lines = mounts.parse_fstab(text)
    chosen = data.draw(st.sets(st.sampled_from(lines))) if lines else set()
    new = "host:/a b#c\\d"
    changed = mounts.with_sources(text, {one.number: new for one in chosen})
    numbers = {one.number for one in chosen}
    pairs = zip(text.split("\n"), changed.split("\n"), strict=True)
    assert all(one == other for number, (one, other) in enumerate(pairs) if number not in numbers)
    again = {one.number: one for one in mounts.parse_fstab(changed)}
    for one in chosen:
        assert again[one.number].source == new
        assert (again[one.number].target, again[one.number].options) == (one.target, one.options)


@given(st.text())
def test_escaping_there_and_back(text: str) -> None:
    escaped = mounts.escape(text)
    assert mounts.unescape(escaped) == text
    assert not set(" \t\n#") & set(escaped)


@given(st.text(), st.text())
def test_nothing_that_a_client_has_mounted_ends_it(text: str, other: str) -> None:
    mounts.parse_mountinfo(text)
    mounts.mapped_files(text)
    mounts.present_options(mounts.Mount(1, 1, "", "/", "/", text, (), "nfs", "", other))
    mounts.match(text, other, [Share("1", "", (text, other), (other,))], BEFORE, resolve)


@pytest.mark.parametrize(
    ("target", "unit"),
    [
        ("/srv/projects", "srv-projects.mount"),
        ("/srv/with blank", "srv-with\\x20blank.mount"),
        ("/srv/a-b/", "srv-a\\x2db.mount"),
        ("/.hidden", "\\x2ehidden.mount"),
        ("/", "-.mount"),
    ],
)
def test_units_of_systemd(target: str, unit: str) -> None:
    assert mounts.unit_name(target) == unit
