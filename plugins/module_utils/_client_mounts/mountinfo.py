# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of /proc/PID/mountinfo.  Pure; imports nothing of the package."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo; see proc_pid_mountinfo(5) for the fields."""

    id: int
    parent: int
    device: str
    root: str
    target: str
    flags: str
    propagation: tuple[str, ...]
    type: str
    source: str
    super_flags: str

    @property
    def options(self) -> str:
        """All options, as /proc/mounts has them."""
        return ",".join([self.flags, self.super_flags])


def parse_mountinfo(text: str) -> list[Mount]:
    """Read the lines; one that is no such line is skipped."""
    mounts = []
    for line in text.split("\n"):
        head, separator, tail = line.partition(" - ")
        fields, rest = head.split(" "), tail.split(" ")
        if not separator or len(fields) < 6 or len(rest) < 3:
            continue
        mounts.append(
            Mount(
                int(fields[0]),
                int(fields[1]),
                fields[2],
                unescape(fields[3]),
                unescape(fields[4]),
                fields[5],
                tuple(fields[6:]),
                unescape(rest[0]),
                unescape(rest[1]),
                unescape(rest[2]),
            )
        )
    return mounts


def unescape(text: str) -> str:
    r"""Replace the octal escapes of /proc/mounts and fstab, such as ``\040``."""
    raw = text.encode("utf-8", "surrogateescape")
    plain = re.sub(rb"\\([0-3][0-7]{2})", lambda octal: bytes([int(octal.group(1), 8)]), raw)
    return plain.decode("utf-8", "surrogateescape")


def escape(text: str) -> str:
    """Write blanks, backslashes and number signs as fstab wants them."""
    return re.sub(r"[ \t\n\\#]", lambda char: f"\\{ord(char.group()):03o}", text)


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """Return what a path lies on: the mount with the longest target, of several there the last."""
    best = None
    for mount in mounts:
        if is_below(path, mount.target) and (best is None or len(mount.target) >= len(best.target)):
            best = mount
    return best


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def mounted_on(mount: Mount, mounts: Sequence[Mount]) -> list[Mount]:
    """Return what is mounted on a mount, at any depth."""
    children = [other for other in mounts if other.parent == mount.id and other.id != mount.id]
    return [*children, *(deeper for child in children for deeper in mounted_on(child, mounts))]


def top(target: str, mounts: Iterable[Mount]) -> Mount | None:
    """Return what can be seen at a target: the last that was mounted there."""
    return next((mount for mount in reversed(list(mounts)) if mount.target == target), None)
