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


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("rw,credentials=/x", False),
        ("rw,cred=/x", False),
        ("rw,password=x", False),
        ("rw,pass=x", False),
        ("rw,sec=krb5", False),
        ("rw,sec=ntlmsspX", True),
        ("rw,sec=noneX", True),
        ("rw,domain=a=krb5", True),
    ],
)
def test_what_mounts_without_a_password(given: str, expected: bool) -> None:
    assert options.lacks_password("cifs", given) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("rw,username=me,Password=a b,c=d", "rw,username=me,Password=***,c=d"),
        ("pass,secret=x=y,keep", "pass,secret=***,keep"),
        ("user=me%hunter2,rw", "user=me%***,rw"),
        ("a=b=c,d", "a=b=c,d"),
    ],
)
def test_options_without_their_secrets(given: str, expected: str) -> None:
    assert options.mask_options(given) == expected


def test_text_without_its_secrets() -> None:
    assert options.mask("a pass=x, b") == "a pass=***, b"
    assert options.mask("//me:x@h/s at") == "//me:***@h/s at"
    assert options.mask("username=me%x y") == "username=me%*** y"


@pytest.mark.parametrize(
    ("fstype", "given", "expected"),
    [
        ("ceph", "rw,name=me,secret=<hidden>,acl", "name=me,acl"),
        ("nfs4", "rw,relatime,hard,hard,addr=h,clientaddr=c,vers=4.2", "hard,vers=4.2"),
        ("fuse.glusterfs", "ro,user_id=0,allow_other,default_permissions,x=1", "ro,x=1"),
        ("fuse.other", "ro,fd=4,allow_other", "ro,allow_other"),
        ("nfs", "ro,fd=4", "ro,fd=4"),
    ],
)
def test_options_to_mount_with(fstype: str, given: str, expected: str) -> None:
    assert options.options_to_mount(fstype, given) == expected


@pytest.mark.parametrize(
    "name", ["user_id", "group_id", "rootmode", "fd", "max_read", "blksize", "blkdev"]
)
def test_what_only_the_kernel_says_of_a_mount_of_fuse_is_not_said_to_mount(name: str) -> None:
    assert options.options_to_mount("fuse.x", f"nosuid,{name}=1") == "nosuid"
    assert options.options_to_mount("nfs4", f"nosuid,{name}=1") == f"nosuid,{name}=1"


def test_values_of_an_option() -> None:
    assert options.option_values("addr=a=b,x,addr=c,addrs=d", "addr") == ["a=b", "c"]


@pytest.mark.parametrize("name", ["pass", "password", "password2", "passwd", "secret"])
def test_every_name_of_a_secret(name: str) -> None:
    assert options.mask_options(f"{name}=a b") == f"{name}=***"


def test_types_that_are_one_protocol() -> None:
    types = {"nfs4": "nfs", "smb3": "cifs", "smbfs": "cifs", "fuse.ceph-fuse": "ceph", "x": "x"}
    assert {one: options.family(one) for one in types} == types
