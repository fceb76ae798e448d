# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of mounts: which export they are of, in whatever form, and what replaces them."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import locations
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    AFTER,
    BEFORE,
    Share,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.client_samples import (
    CIFS,
    NFS,
    resolve,
)


def found(
    source: str, *shares: Share, options: str = "", side: str = BEFORE
) -> locations.Match | None:
    return locations.match(source, options, shares, side, resolve)


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
    assert match and locations.replacement(source, match, AFTER) == expected


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
    assert match and locations.replacement(source, match, AFTER) == expected


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
    instead = locations.replacement(source, there, AFTER)
    assert instead is not None
    back = found(instead, share, side=AFTER)
    assert back and back.certain and back.subdirectory == there.subdirectory
    again = locations.replacement(instead, back, BEFORE)
    assert again is not None and locations.same_source(again, source)


def test_a_backslash_in_a_path_of_nfs_stays() -> None:
    assert locations.joined("192.0.2.20:/a\\b", "/c") == "192.0.2.20:/a\\b/c"
    assert locations.joined("\\\\192.0.2.20\\a", "/c") == "//192.0.2.20/a/c"


def test_the_same_server_by_one_location_and_the_path_by_another_is_no_certainty() -> None:
    share = Share("1", "", ("192.0.2.21:/a", "192.0.2.22:/b"), ())
    assert not found("192.0.2.21:/b", share).certain
    told = locations.doubts("192.0.2.21:/b", "nfs4", "", [share], BEFORE, resolve)
    assert [(doubt.code, doubt.similar) for doubt in told] == [("unidentified", True)]


def test_nothing_takes_the_place_of_cephfs_by_its_id() -> None:
    share = Share("3", "", ("192.0.2.1:6789:/volumes/x",), ("192.0.2.2:6789:/volumes/x",))
    source = "me@1f2e.files=/volumes/x"
    match = found(source, share, options="mon_addr=192.0.2.1:3300")
    assert match and match.certain and locations.replacement(source, match, AFTER) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\\\Xhost\\share\\x", (True, ("xhost",), "/share/x")),
        ("//", None),
        ("h:/a:/b", (False, ("h",), "/a:/b")),
        ("/x:/y", None),
        (":/a", (False, (), "/a")),
        ("h1:6789,h2:6789:/a", (False, ("h1", "h2"), "/a")),
        ("XX.example.x.:/a", (False, ("xx.example.x",), "/a")),
        ("u@f.x=/a//b/", (False, (), "/a/b")),
    ],
)
def test_what_is_read_of_a_source(text: str, expected: tuple[bool, tuple[str, ...], str] | None):
    found = locations.parse_location(text)
    assert (found and (found.unc, found.hosts, found.path)) == expected


def test_the_first_of_equal_exports_is_meant_and_a_server_that_is_known_before_any() -> None:
    first = Share("1", "", ("192.0.2.10:/a",), ())
    second = Share("2", "", ("filer:/a", "192.0.2.10:/a"), ())
    match = found("192.0.2.10:/a", first, second)
    assert match and match.share is first
    unknown = Share("3", "", ("gone:/a/deep",), ())
    match = found("192.0.2.10:/a/deep", unknown, first)
    assert match and match.share is first and match.certain
    # The root of another server says nothing, and does not end the search.
    everything = Share("4", "", ("gone:/",), ())
    match = found("192.0.2.10:/a", everything, first)
    assert match and match.share is first
    match = found("192.0.2.10:/", everything)
    assert match and not match.certain and match.subdirectory == ""
    match = found("other:/shares/a/b", NFS)
    assert match and match.subdirectory == "/b" and not match.certain


def told(source: str, *shares: Share, fstype: str = "nfs4", options: str = "") -> list[tuple]:  # type: ignore[type-arg]
    rows = locations.doubts(source, fstype, options, shares, BEFORE, resolve)
    return [(row.share.id, row.location, row.code, row.similar) for row in rows]


CEPH = Share("c", "", ("//h/x", "192.0.2.1:6789:/volumes/x", "192.0.2.2:6789:/volumes/x"), ())
DEEP = Share("d", "", ("192.0.2.10:/ifs/m/s", "192.0.2.11:/ifs/m/s"), ())


@pytest.mark.parametrize(
    ("source", "fstype", "expected"),
    [
        (
            "ceph-fuse",
            "fuse.ceph-fuse",
            [("c", "192.0.2.1:6789:/volumes/x", "unidentified", False)],
        ),
        ("ceph-fuse", "fuse.other", []),
        ("smart:/ifs/m/s", "nfs4", [("d", "192.0.2.11:/ifs/m/s", "unidentified", True)]),
        ("smart:/ifs/m/s/sub", "nfs4", [("d", "192.0.2.11:/ifs/m/s", "unidentified", True)]),
        ("smart:/ifs/m", "nfs4", [("d", "192.0.2.10:/ifs/m/s", "unidentified", False)]),
        ("smart:/ifs/x", "nfs4", []),
        # Whose name nobody knows may be any server, and its root may be above any export.
        (
            "smart:/",
            "nfs4",
            [
                ("c", "192.0.2.1:6789:/volumes/x", "unidentified", False),
                ("d", "192.0.2.10:/ifs/m/s", "unidentified", False),
            ],
        ),
        ("smart:/m/s", "nfs4", [("d", "192.0.2.10:/ifs/m/s", "unidentified", False)]),
        ("192.0.2.10:/ifs", "nfs4", [("d", "192.0.2.10:/ifs/m/s", "parent", False)]),
        ("192.0.2.10:/m/s", "nfs4", [("d", "192.0.2.10:/ifs/m/s", "unidentified", False)]),
        ("192.0.2.10:/s/x", "nfs", [("d", "192.0.2.10:/ifs/m/s", "unidentified", False)]),
        ("192.0.2.10:/m/s", "fuse.glusterfs", []),
        ("192.0.2.10:/m", "nfs4", []),
        ("//192.0.2.10/ifs", "cifs", []),
    ],
)
def test_what_may_be_of_a_share(source: str, fstype: str, expected: list[tuple]) -> None:  # type: ignore[type-arg]
    assert told(source, CEPH, DEEP, fstype=fstype) == expected


def test_each_share_counts_whatever_comes_before_it() -> None:
    shares = [
        Share("1", "", ("//192.0.2.10/x", "192.0.2.10:/ifs/a"), ()),
        Share("2", "", ("//192.0.2.10/y",), ()),
        Share("3", "", ("192.0.2.10:/ifs/b",), ()),
    ]
    assert [one[0] for one in told("192.0.2.10:/ifs", *shares)] == ["1", "3"]
    by_address = told("alias:/ifs", *shares, options="addr=192.0.2.10")
    assert [one[2] for one in by_address] == ["parent", "parent"]
    named = [Share("4", "", ("filer:/ifs/a",), ())]
    assert [one[2] for one in told("alias:/ifs", *named, options="addr=192.0.2.10")] == ["parent"]


def test_any_of_several_addresses_is_the_server() -> None:
    share = Share("c", "", ("192.0.2.7:6789:/x", "192.0.2.8:6789:/x"), ())
    for options in (
        "mon_addr=192.0.2.7:3300/192.0.2.9:3300",
        "mon_addr=192.0.2.9:3300/192.0.2.8:1",
    ):
        match = found("u@f.x=/x", share, options=options)
        assert match and match.certain
    assert found("192.0.2.10:/shares/a", NFS, options="addr=192.0.2.10,mon_addr=1")
    several = Share("s", "", ("192.0.2.99:/x",), ())
    match = found("other,192.0.2.55:/x", several)
    assert match and match.certain
    named = Share("n", "", ("filer:/x",), ())
    match = found("192.0.2.55:/x", named, options="addr=192.0.2.10")
    assert match and match.certain
    assert not found("nobody:/x", Share("u", "", ("unknown:/x",), ())).certain  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("location", "subdirectory", "expected"),
    [
        ("h:/aX", "", "h:/aX"),
        ("h:/aX/", "/b", "h:/aX/b"),
        ("h:/X", "/b", "h:/X/b"),
        ("h:/", "", "h:/"),
        ("h:/ ", "/b", "h:/ /b"),
        ("//h/s:/x", "/b", "//h/s:/x/b"),
        ("//h/s/", "/b", "//h/s/b"),
        ("//h/s ", "/b", "//h/s /b"),
        ("2001:db8::1:/a:/b", "", "[2001:db8::1]:/a:/b"),
        ("volume", "/b", "volume/b"),
        ("", "/b", "/b"),
    ],
)
def test_an_export_and_a_folder_in_it(location: str, subdirectory: str, expected: str) -> None:
    assert locations.joined(location, subdirectory) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("h:/a", "H:/a/", True),
        ("h:/a", "h:/b", False),
        ("tmpfs", "tmpfs", True),
        ("tmpfs", "h:/a", False),
        ("h:/a", "tmpfs", False),
        ("tmpfs", "none", False),
    ],
)
def test_two_ways_to_write_a_source(one: str, other: str, expected: bool) -> None:
    assert locations.same_source(one, other) is expected


def test_what_replaces_a_source_is_in_the_same_place_of_its_form() -> None:
    before = ("//192.0.2.9/a", "[2001:db8::1]:/a", "192.0.2.10:/a", "192.0.2.11:/a")
    after = ("tmpfs", ":/b", "[2001:db8::2]:/b", "192.0.2.20:/b", "192.0.2.21:/b", "//192.0.2.9/b")
    share = Share("1", "", before, after)
    for source, expected in (
        ("192.0.2.10:/a", "192.0.2.20:/b"),
        ("192.0.2.11:/a/x", "192.0.2.21:/b/x"),
        ("[2001:db8::1]:/a", "[2001:db8::2]:/b"),
        ("//192.0.2.9/a", "//192.0.2.9/b"),
    ):
        match = found(source, share)
        assert match and locations.replacement(source, match, AFTER) == expected
        back = found(expected, share, side=AFTER)
        assert back and locations.same_source(locations.replacement(expected, back, BEFORE) or "", source)  # fmt: skip
    matched = locations.Match(share, 0, "", True)
    assert locations.replacement("tmpfs", matched, AFTER) is None
    # A name of which there is none: the first address of the form of the export that was meant.
    match = found("filer:/a", share)
    assert match and locations.replacement("filer:/a", match, AFTER) == "192.0.2.20:/b"
