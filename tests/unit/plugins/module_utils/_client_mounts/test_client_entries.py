# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a mount is made again: the entries of mounts, lines of fstab, and what is noted of them."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import fstab
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.acceptance import (
    Acceptance,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.discovery import (
    Entry,
    ShareMount,
    find,
    imagined,
    new_source,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.findings import (
    Findings,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    BEFORE,
    Share,
    wanted_types,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import (
    Mount,
    parse_mountinfo,
)

OFFICE = Share("o", "", ("\\\\192.0.2.10\\officeX",), ("\\\\192.0.2.20\\office",))
NFS = Share("n", "", ("192.0.2.10:/shares/a",), ("192.0.2.20:/new/a",))
VOLUME = Share("v", "", ("192.0.2.10:/vol",), ("192.0.2.20:/vol",))
CEPH = Share("c", "", ("192.0.2.1:6789:/volumes/x",), ("192.0.2.2:6789:/volumes/x",))
TYPES = wanted_types(["nfs", "cifs", "glusterfs", "ceph"])


def found(*lines: str, table: str = "") -> list[ShareMount]:
    mounts = parse_mountinfo("\n".join(lines))
    shares = [OFFICE, NFS, VOLUME, CEPH]
    return find(mounts, fstab.parse_fstab(table), shares, BEFORE, TYPES, lambda name: set())[0]


def cifs(number: int, target: str, root: str = "/", device: str = "0:47", flags: str = "rw") -> str:
    return f"{number} 22 {device} {root} {target} {flags} - cifs //192.0.2.10/officeX rw,sec=krb5,addr=192.0.2.10"


def fuse(number: int, target: str, root: str = "/", device: str = "0:50", flags: str = "rw") -> str:
    return f"{number} 22 {device} {root} {target} {flags} - fuse.glusterfs 192.0.2.10:/vol rw"


def made(rows: list[ShareMount]) -> list[tuple[str, str, str]]:
    return [(row.entry.source, row.entry.type, row.entry.options) for row in rows]


WHOLE = ("//192.0.2.10/officeX", "cifs", "sec=krb5")
VOL = ("192.0.2.10:/vol", "fuse.glusterfs", "")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([cifs(50, "/srv/o")], [WHOLE]),
        # A part of it, mounted a second time.
        (
            [cifs(50, "/srv/oX"), cifs(51, "/m", "/minX", flags="ro,nosuid")],
            [WHOLE, ("/srv/oX/minX", "none", "bind,ro")],
        ),
        ([cifs(50, "/"), cifs(51, "/m", "/min")], [WHOLE, ("/min", "none", "bind")]),
        # Two mounts of one export may share a device.
        ([cifs(50, "/srv/o"), cifs(51, "/m")], [WHOLE, WHOLE]),
        (
            [cifs(50, "/srv/o"), cifs(51, "/m", "/min", "0:48")],
            [WHOLE, ("//192.0.2.10/officeX/min", "cifs", "sec=krb5")],
        ),
        # The original is gone.
        ([cifs(50, "/m", "/minX")], [("//192.0.2.10/officeX/minX", "cifs", "sec=krb5")]),
        (
            [cifs(50, "/m", "/minX"), cifs(51, "/d", "/minX/d")],
            [("//192.0.2.10/officeX/minX", "cifs", "sec=krb5"), ("/m/d", "none", "bind")],
        ),
        (
            [cifs(50, "/m", "/min"), cifs(51, "/d", "/minutes")],
            [
                ("//192.0.2.10/officeX/min", "cifs", "sec=krb5"),
                ("//192.0.2.10/officeX/minutes", "cifs", "sec=krb5"),
            ],
        ),
        (
            [cifs(50, "/d", "/min/d"), cifs(51, "/m", "/min")],
            [
                ("//192.0.2.10/officeX/min/d", "cifs", "sec=krb5"),
                ("//192.0.2.10/officeX/min", "cifs", "sec=krb5"),
            ],
        ),
        # Mounts of FUSE have a device each: the same one is the same mount.
        ([fuse(50, "/srv/v"), fuse(51, "/m")], [VOL, ("/srv/v", "none", "bind")]),
        ([fuse(50, "/"), fuse(51, "/m")], [VOL, ("/", "none", "bind")]),
        ([fuse(50, "/srv/v"), fuse(51, "/m", device="0:51")], [VOL, VOL]),
        (
            [fuse(50, "/d", "/d"), fuse(51, "/e", "/e")],
            [
                ("192.0.2.10:/vol/d", "fuse.glusterfs", ""),
                ("192.0.2.10:/vol/e", "fuse.glusterfs", ""),
            ],
        ),
    ],
)
def test_how_a_mount_is_made_again(lines, expected):
    rows = found(*lines)
    assert made(rows) == expected
    assert [row.entry.bind for row in rows] == [one[1] == "none" for one in expected]
    assert {row.entry.fstab for row in rows} == {False}


def test_what_the_kernel_shows_and_mount_does_not_take():
    nfs = "50 22 0:45 / /srv/a rw - nfs4 {} rw,vers=4.2,addr=192.0.2.10"
    (row,) = found(nfs.format(":/shares/a/sub"))
    assert row.entry.source == "192.0.2.10:/shares/a/sub"
    assert (row.entry.export, row.entry.subdirectory) == ("192.0.2.10:/shares/a", "/sub")
    assert row.match.share is NFS
    assert found(nfs.format("192.0.2.10:shares")) == []
    device = "me@1f2e.files=/volumes/x"
    (row,) = found(f"50 22 0:45 / /srv/c rw - ceph {device} rw,mon_addr=192.0.2.1:3300")
    assert row.entry.source == device
    (row,) = found("50 22 0:45 / /srv/v rw - fuse.glusterfs 192.0.2.10:vol rw")
    assert row.entry.source == "192.0.2.10:/vol"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("//h/o /srv/o cifs guest 0 0", ("cifs", "guest", False, True)),
        ("//h/o /srv/o smb3 guest", ("smb3", "guest", False, True)),
        ("/dev/sdb /srv/o ext4 noauto 0 0", ("cifs", "sec=krb5", False, False)),
        ("/x /srv/o none rbind 0 0", ("none", "rbind", True, True)),
        ("//h/o /srv/else cifs guest 0 0", ("cifs", "sec=krb5", False, False)),
    ],
)
def test_a_line_in_fstab_says_how_it_is_mounted(line, expected):
    (row,) = found(cifs(50, "/srv/o"), table=line)
    entry = row.entry
    assert (entry.type, entry.options, entry.bind, entry.fstab) == expected


def entry(source: str, export: str, fstype: str = "nfs4", bind: bool = False) -> Entry:
    return Entry("x", export, "/sub", "/srv/x", source, fstype, "rw", bind, False)


@pytest.mark.parametrize(
    ("given", "share", "expected"),
    [
        (entry("192.0.2.10:/shares/a/sub", "192.0.2.10:/shares/a"), NFS, "192.0.2.20:/new/a/sub"),
        # Its export is not named any more.
        (entry("192.0.2.10:/shares/a/b", "filer:/shares/a"), NFS, "192.0.2.20:/new/a/b"),
        (entry("filer:/elsewhere", "filer:/elsewhere"), NFS, None),
        (
            entry("192.0.2.10:/shares/a", "192.0.2.10:/shares/a"),
            Share("n", "", NFS.before, ()),
            None,
        ),
        (entry("/srv/x", "192.0.2.10:/shares/a", bind=True), NFS, "/srv/x"),
    ],
)
def test_what_takes_its_place(given, share, expected):
    assert new_source(given, share, lambda name: set()) == expected


def test_check_mode_imagines_what_mount_would_make():
    table = parse_mountinfo(
        "\n".join(
            ["22 1 254:0 / / rw - ext4 /dev/vda rw", cifs(50, "/srv/oX", "/d"), fuse(51, "/v")]
        )
    )
    # A source of CIFS looks like a path, and is none.
    one = imagined(entry("//192.0.2.20/o", "", "cifs"), "//192.0.2.20/o", table)
    assert (one.type, one.source, one.root, one.target) == ("cifs", "//192.0.2.20/o", "/", "/srv/x")
    assert one.id not in {mount.id for mount in table}
    bound = imagined(entry("/srv/oX/eX/", "", "none", bind=True), "/srv/oX/eX/", table)
    assert (bound.type, bound.source, bound.root) == ("cifs", "//192.0.2.10/officeX", "/d/eX")
    assert (bound.target, bound.device) == ("/srv/x", "0:47")
    assert bound.id not in {mount.id for mount in table}
    whole = imagined(entry("/v", "", "none", bind=True), "/v", table)
    assert (whole.root, whole.device) == ("/", "0:50")
    nfs = Mount(60, 22, "0:60", "/", "/n", "rw", (), "nfs4", "192.0.2.10:/shares/aX/", "rw")
    part = imagined(entry("/n/s", "", "none", bind=True), "/n/s", [*table, nfs])
    assert (part.root, part.source) == ("/", "192.0.2.10:/shares/aX/s")


# -- fstab -------------------------------------------------------------------------------------


def test_lines_of_fstab():
    text = (
        "# a comment with words\n"
        "#h:/a /srv/a nfs rw\n"
        "h:/a\t/srv/aX/ nfs\n"
        "\n"
        "too few\n"
        "h:/b\\040c /\\011b nfs4 ro,hard 0 0\r\n"
        "h:/r / nfs\r\n"
        "h:/c /c none ro,rbind\n"
    )
    lines = [astuple(one) for one in fstab.parse_fstab(text)]
    assert lines == [
        (2, "h:/a", "/srv/aX", "nfs", "defaults"),
        (5, "h:/b c", "/\tb", "nfs4", "ro,hard"),
        (6, "h:/r", "/", "nfs", "defaults"),
        (7, "h:/c", "/c", "none", "ro,rbind"),
    ]
    assert [one.is_bind for one in fstab.parse_fstab(text)] == [False, False, False, True]
    changed = fstab.with_sources(text, {2: "i:/z y", 6: "i:/r"})
    assert changed == text.replace("\nh:/a\t", "\ni:/z\\040y\t").replace("h:/r", "i:/r")


# -- what is noted -----------------------------------------------------------------------------


def test_what_differs_in_anything_is_noted_by_itself_and_nothing_twice():
    findings = Findings({"n": NFS, "v": VOLUME}, [Acceptance("busy", "", "/kept")])
    given = {"share_id": "n", "code": "busy", "source": "s", "target": "/t"}
    for change in (
        {},
        {},
        {"share_id": "v"},
        {"code": "below"},
        {"source": "z"},
        {"target": "/u"},
        {"place": "mnt:[1]"},
    ):
        assert findings.add(**{**given, **change}, message="m") is False
    assert len(findings.left) == 6
    assert findings.add(**{**given, "target": "/kept"}, message="m", keep=True) is True
    assert findings.add(**{**given, "target": "/goes"}, message="m", keep=True) is False
    assert findings.staying == {("n", "/kept"), ("n", "/goes")}
    assert findings.kept == {("n", "/kept")}
    assert [row["target"] for row in findings.accepted] == ["/kept"]
    assert findings.used == set(findings.acceptances)
    assert findings.share_ids() == {"n", "v"}
