# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources in fstab."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import (
    fstab,
    mountinfo,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    AFTER,
    BEFORE,
    Share,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.client_samples import (
    CIFS,
    FSTAB,
    LINES,
    NFS,
    resolve,
)


def test_only_the_sources_of_the_share_change_in_fstab() -> None:
    moved = fstab.moved_lines(LINES, [NFS, CIFS], AFTER, resolve)
    text = fstab.with_sources(FSTAB, moved)
    assert text == (
        FSTAB.replace("192.0.2.10:/shares/a\t/srv/projects", "192.0.2.20:/new/a\t/srv/projects")
        .replace("filer:/shares/a/b", "filer2:/new/a/b")
        .replace("//filer/office", "//192.0.2.20/office_2")
        .replace("192.0.2.10:/shares/a/later", "192.0.2.20:/new/a/later")
    )
    lines = fstab.parse_fstab(text)
    assert fstab.moved_lines(lines, [NFS, CIFS], AFTER, resolve) == {}
    back = fstab.with_sources(text, fstab.moved_lines(lines, [NFS, CIFS], BEFORE, resolve))
    assert back == FSTAB.replace("//filer/office", "//192.0.2.10/Office").replace(
        "filer:/shares/a/b", "filer:/shares/a/b"
    )


def test_an_export_that_stays_is_left_in_fstab() -> None:
    share = Share("1", "", NFS.before, ("192.0.2.30:/x", *NFS.before))
    assert fstab.moved_lines(LINES, [share], AFTER, resolve) == {}


@given(st.text(), st.data())
def test_lines_that_are_not_named_stay(text: str, data: st.DataObject) -> None:
    lines = fstab.parse_fstab(text)
    chosen = data.draw(st.sets(st.sampled_from(lines))) if lines else set()
    new = "host:/a b#c\\d"
    changed = fstab.with_sources(text, {one.number: new for one in chosen})
    numbers = {one.number for one in chosen}
    pairs = zip(text.split("\n"), changed.split("\n"), strict=True)
    assert all(one == other for number, (one, other) in enumerate(pairs) if number not in numbers)
    again = {one.number: one for one in fstab.parse_fstab(changed)}
    for one in chosen:
        assert again[one.number].source == new
        assert (again[one.number].target, again[one.number].options) == (one.target, one.options)


@given(st.text())
def test_escaping_there_and_back(text: str) -> None:
    escaped = mountinfo.escape(text)
    assert mountinfo.unescape(escaped) == text
    assert not set(" \t\n#") & set(escaped)
