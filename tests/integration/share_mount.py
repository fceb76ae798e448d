# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's side of the sandbox's directories: ``share_mount.py ADDRESS:PATH TARGET``.

mount(8) runs it as ``mount.share``.  It shows the directory, and obeys the access rules that the
driver wrote beside it, at every call, as a server does.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import mfusepy


class Share(mfusepy.Operations):  # type: ignore[misc]
    """The directory of a share, for clients."""

    use_ns = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rules = path.with_suffix(".rules")

    def _allowed(self, *levels: str) -> None:
        try:
            given = json.loads(self.rules.read_text(encoding="utf-8")).values()
        except FileNotFoundError:
            given = ()
        if not set(given) & {"ro", "rw"}:
            raise mfusepy.FuseOSError(errno.EACCES)
        if not set(given) & set(levels):
            raise mfusepy.FuseOSError(errno.EROFS)

    def _real(self, path: str) -> Path:
        return self.path / path.lstrip("/")

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Say what something is."""
        self._allowed("ro", "rw")
        found = self._real(path).lstat()
        names = ("atime_ns", "ctime_ns", "gid", "mode", "mtime_ns", "nlink", "size", "uid")
        return {f"st_{one.removesuffix('_ns')}": getattr(found, f"st_{one}") for one in names}

    def readdir(self, path: str, fh: int) -> list[str]:
        """List a folder."""
        self._allowed("ro", "rw")
        return [".", "..", *os.listdir(self._real(path))]

    def open(self, path: str, flags: int) -> int:
        """Open a file."""
        self._allowed(*(("rw",) if flags & (os.O_WRONLY | os.O_RDWR) else ("ro", "rw")))
        return os.open(self._real(path), flags & ~os.O_APPEND)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """Make a file."""
        self._allowed("rw")
        return os.open(self._real(path), os.O_WRONLY | os.O_CREAT, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read."""
        self._allowed("ro", "rw")
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write, unless only reading is allowed by now."""
        self._allowed("rw")
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        """Cut a file off."""
        self._allowed("rw")
        os.truncate(self._real(path), length)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        """Have what was written on the disk."""
        self._allowed("rw")
        os.fsync(fh)

    def release(self, path: str, fh: int) -> None:
        """Close a file."""
        os.close(fh)


if __name__ == "__main__":
    source, target = sys.argv[1:3]
    mfusepy.FUSE(
        Share(Path(source.partition(":")[2])),
        target,
        fsname=source,
        subtype="share",
        nothreads=True,
    )
