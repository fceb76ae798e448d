# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of a client's mounts, and codes of what keeps a mount where it is.  Data only; imports nothing."""

from __future__ import annotations

FOUND = "found"
UNMOUNTED = "unmounted"
MOUNTED = "mounted"
RESTORED = "restored"
STATES = (FOUND, UNMOUNTED, MOUNTED, RESTORED)

CODES = {
    "busy": "processes hold the mount, or an overlay file system has a folder in it, or umount said so",
    "below": "something else is mounted below it, or over it",
    "autofs": "autofs, or an automount unit of systemd, mounts it",
    "managed": "another program manages the mount: kubelet, a container engine, Nova or Cinder",
    "credentials": "its password is nowhere that it could be mounted again with",
    "unsupported": "it is mounted in a form in which the new export cannot be mounted",
    "namespace": "it is mounted in another mount namespace, such as a container's, too",
    "unreadable": "another mount namespace cannot be read",
    "unidentified": "it may be the share's, but its server or its path cannot be identified",
    "parent": "a folder above the export is mounted, or another share's in it, in which the share can be used",
    "taken": "something else is mounted where it was",
    "no_export": "the share has no export location that could be mounted instead",
    "failed": "mount or umount failed, or did not do what they said",
}

# About mounting again, after the decision to cut over: an operator cannot accept these beforehand.
NOT_ACCEPTABLE = frozenset({"taken", "no_export", "failed"})
ACCEPTABLE = tuple(code for code in CODES if code not in NOT_ACCEPTABLE)

# Mounts that this collection never moves. After a cutover, they do not keep the share's other
# mounts from being moved. The role has the same list: client_mounts_never_moved.
NEVER_MOVED = frozenset(
    {"autofs", "managed", "namespace", "unreadable", "unidentified", "parent", "unsupported"}
)
