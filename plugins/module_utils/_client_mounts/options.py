# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of mounts, as text: read, cleaned for mounting again, and masked.  Pure; imports nothing."""

from __future__ import annotations

import re

# Types of /proc/mounts that are one protocol.  `fuse.x` counts as `x`.
_FAMILIES = {"nfs4": "nfs", "smb3": "cifs", "smbfs": "cifs", "ceph-fuse": "ceph"}

# Said of a mount by the kernel, and not, or not to the new server, to be said to mount.
# What is so anyway is left out: mount.glusterfs mounts nothing if it is told relatime.
_NOT_OPTIONS = {
    "rw",
    "relatime",
    "addr",
    "clientaddr",
    "mountaddr",
    "mounthost",
    "mountport",
    "seclabel",
}
_NOT_FUSE_OPTIONS = {"user_id", "group_id", "rootmode", "fd", "max_read", "blksize", "blkdev"}
_NOT_GLUSTERFS_OPTIONS = {"allow_other", "default_permissions"}

# A value ends at a comma or a blank, unless these are between double quotes.
_VALUE = r'(?:"[^"]*"|[^,\s])*'
_SECRET = re.compile(rf"(?i)\b(pass|password2?|passwd|secret)={_VALUE}")
# mount.cifs(8) and mount.smbfs took `username=NAME%PASSWORD` and `//NAME:PASSWORD@SERVER/SHARE`.
_USER_SECRET = re.compile(rf"(?i)\b(user|username)=([^,%\s]*)%{_VALUE}")
_SOURCE_SECRET = re.compile(r"(//[^/:@\s]+):[^/@\s]*@")
_SECRET_NAMES = {"pass", "password", "password2", "passwd", "secret"}


def family(fstype: str) -> str:
    """Name the protocol of a type of file system."""
    fstype = fstype[len("fuse.") :] if fstype.startswith("fuse.") else fstype
    return _FAMILIES.get(fstype, fstype)


def split_options(text: str) -> list[str]:
    """Split at commas, but for those between double quotes, as in ``context="a:s0:c1,c2"``."""
    return re.findall(r'(?:[^,"]|"[^"]*"?)+', text)


def option_values(options: str, name: str) -> list[str]:
    """Return the values that an option has, in their order."""
    parts = (option.partition("=") for option in split_options(options))
    return [value for key, _equals, value in parts if key == name]


def options_to_mount(fstype: str, options: str) -> str:
    """Return the options with which to mount again what the kernel shows with these."""
    without = set(_NOT_OPTIONS)
    if fstype.startswith("fuse"):
        without |= _NOT_FUSE_OPTIONS
    if family(fstype) == "glusterfs":
        without |= _NOT_GLUSTERFS_OPTIONS
    given = dict.fromkeys(split_options(options))
    return ",".join(
        option
        for option in given
        # The kernel hides the key of CephFS; mount.ceph(8) looks it up in its keyring then.
        if option.partition("=")[0] not in without and option != "secret=<hidden>"
    )


def lacks_password(fstype: str, options: str) -> bool:
    """Tell whether a mount could not be made again: the kernel doesn't say what its password is."""
    given = {
        option.partition("=")[0]: option.partition("=")[2] for option in split_options(options)
    }
    if family(fstype) != "cifs" or {"credentials", "cred", "password", "pass", "guest"} & set(
        given
    ):
        return False
    return given.get("sec", "").rstrip("i") not in {"krb5", "none"}


def mask_options(options: str) -> str:
    """Make passwords in a list of options unreadable, also such with blanks in them."""
    return ",".join(
        f"{option.partition('=')[0]}=***"
        if option.partition("=")[0].strip().lower() in _SECRET_NAMES and "=" in option
        else mask(option)
        for option in split_options(options)
    )


def mask(text: str) -> str:
    """Make passwords in a text, such as a message or a line of fstab, unreadable."""
    text = _SECRET.sub(r"\1=***", text)
    return _SOURCE_SECRET.sub(r"\1:***@", _USER_SECRET.sub(r"\1=\2%***", text))
