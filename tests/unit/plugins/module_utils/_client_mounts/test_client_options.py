# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of mounts, and secrets in them."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import options
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.client_samples import (
    FSTAB,
)


@pytest.mark.parametrize(
    ("fstype", "given", "expected"),
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
def test_passwords_that_nobody_could_give_again(fstype: str, given: str, expected: bool) -> None:
    assert options.lacks_password(fstype, given) is expected


def test_commas_between_quotes_are_part_of_an_option() -> None:
    given = 'rw,context="system_u:object_r:nfs_t:s0:c1,c2",hard'
    assert options.split_options(given) == ["rw", 'context="system_u:object_r:nfs_t:s0:c1,c2"', "hard"]  # fmt: skip


def test_no_password_is_shown() -> None:
    shown = options.mask(FSTAB + "\n//h/s /x cifs pass=a,PASSWORD=b,password2=c,secret=d==")
    assert not {"hunter2", "=a", "=b", "=c", "=d"} & set(shown.replace(",", " ").split())
    assert "hunter2" not in shown and "credentials=/etc/office" in shown
