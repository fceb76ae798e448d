# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of host-assisted migration, and what they may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

DATA = "manila-data"


SHARE_MANAGER = "manila-share"


@dataclass(frozen=True)
class Option:
    """One option: the service that reads it, its group, Manila's default, and where that is said."""

    name: str
    service: str
    default: str
    source: str
    per_backend: bool = False
    in_sample: bool = True
    """Whether every release lists it in its sample configuration, which oslo's validator goes by."""

    @property
    def group(self) -> str:
        """The group of the file that it belongs to."""
        return "the back end" if self.per_backend else "DEFAULT"


OPTIONS: tuple[Option, ...] = (
    Option("data_node_access_ips", DATA, "", "manila/data/helper.py"),
    Option("data_node_access_cert", DATA, "", "manila/data/helper.py"),
    Option("data_node_access_admin_user", DATA, "", "manila/data/helper.py"),
    Option("data_node_mount_options", DATA, "", "manila/data/helper.py"),
    Option("data_access_wait_access_rules_timeout", DATA, "180", "manila/data/helper.py"),
    Option("mount_tmp_location", DATA, "/tmp/", "manila/data/manager.py", in_sample=False),
    Option("check_hash", DATA, "False", "manila/data/manager.py", in_sample=False),
    Option(
        "migration_wait_access_rules_timeout",
        SHARE_MANAGER,
        "180",
        "manila/share/migration.py",
        in_sample=False,
    ),
    Option(
        "migration_create_delete_share_timeout",
        SHARE_MANAGER,
        "300",
        "manila/share/migration.py",
        in_sample=False,
    ),
    Option("migration_ignore_files", SHARE_MANAGER, "lost+found", "manila/share/driver.py", True),
    Option(
        "share_mount_template",
        SHARE_MANAGER,
        "mount -vt %(proto)s %(options)s %(export)s %(path)s",
        "manila/share/driver.py",
        True,
    ),
    Option(
        "share_unmount_template",
        SHARE_MANAGER,
        "umount -v %(path)s",
        "manila/share/driver.py",
        True,
    ),
    Option(
        "protocol_access_mapping",
        SHARE_MANAGER,
        "ip:[nfs],user:[cifs]",
        "manila/share/driver.py",
        True,
    ),
)


REMOVED: dict[str, str] = {
    "data_node_access_ip": "data_node_access_ips",
    "migration_data_node_ip": "data_node_access_ips",
    "migration_tmp_location": "mount_tmp_location",
}
"""Options of older releases, which Manila now ignores without a word, and what took their place."""


DEFAULT_MAPPING: dict[str, list[str]] = {"ip": ["nfs"], "user": ["cifs"]}


# common/constants.py, SUPPORTED_SHARE_PROTOCOLS.
PROTOCOLS = ("NFS", "CIFS", "GLUSTERFS", "HDFS", "CEPHFS", "MAPRFS", "LUSTRE", "WEKAFS")


# What data/helper.py, _get_access_entries_according_to_mapping, takes the value of a rule from.
ACCESS_OPTIONS: dict[str, str] = {
    "ip": "data_node_access_ips",
    "user": "data_node_access_admin_user",
    "cert": "data_node_access_cert",
}


CANT_COPY: dict[str, str] = {
    "CEPHFS": "Manila can't copy native CephFS: the Data Service knows no access type cephx "
    "(manila/data/helper.py), and the kernel knows no file system type 'cephfs'; move such shares with "
    "their driver, or export them through NFS",
}
"""Protocols that host-assisted migration can't work for, whatever is configured."""


NEEDS_VENDOR: dict[str, str] = {
    "HDFS": "no distribution has a package that mounts HDFS; install the client of its vendor on the "
    "manila-data node, and give its back ends a share_mount_template and a protocol_access_mapping",
    "MAPRFS": "no distribution has a package that mounts MapRFS; install the client of its vendor on the "
    "manila-data node, and give its back ends a share_mount_template and a protocol_access_mapping",
}
"""Protocols whose mount helper comes from a vendor."""


SHARED_PLACES = ("/tmp", "/var/tmp", "/dev/shm")


HARDENED = ("nosuid", "nodev", "noexec")


HARDENABLE = ("NFS", "CIFS")


SECRET = re.compile(r"(?i)\b(pass(?:word|wd)?2?|secret)=([^\s,]+)")


_SECRET_NAME = re.compile(
    r"(?i)(^|_)(pass(word|wd|phrase)?2?|pwd|secret|token|(api|private)_?key)(_|$)"
)
"""Names of options, of drivers also, whose values are secrets."""


def secrets(values: Iterable[object]) -> set[str]:
    """The passwords in mount options or templates, and of options that are named so, however nested."""
    found: set[str] = set()
    for value in values:
        if isinstance(value, Mapping):
            found |= secrets(value.values())
            found |= _texts(one for name, one in value.items() if _SECRET_NAME.search(str(name)))
        elif isinstance(value, (list, tuple)):
            found |= secrets(value)
        elif isinstance(value, str):
            found |= {match[2] for match in SECRET.finditer(value)}
    return found


def _texts(values: Iterable[object]) -> set[str]:
    """All that is written in some values."""
    texts: set[str] = set()
    for value in values:
        if isinstance(value, Mapping):
            texts |= _texts(value.values())
        elif isinstance(value, (list, tuple)):
            texts |= _texts(value)
        elif value not in (None, "", True, False):
            texts.add(str(value))
    return texts


def mask(text: str) -> str:
    """The text with its passwords made unreadable."""
    return SECRET.sub(r"\1=***", text)
