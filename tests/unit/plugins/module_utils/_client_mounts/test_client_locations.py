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
