# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mounts are of the shares, which may be, and how to mount them again.  Pure.

Imports ``fstab``, ``locations``, ``mountinfo``, ``options``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.fstab import Line
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    AFTER,
    BEFORE,
    Doubt,
    Match,
    Resolve,
    Share,
    doubts,
    is_ceph_device,
    joined,
    match,
    parse_location,
    replacement,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import (
    Mount,
    is_below,
    mount_of,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.options import (
    family,
    options_to_mount,
)


@dataclass(frozen=True)
class Entry:
    """How to mount something as it was; what the record on the client holds, in the order of mounting.

    ``export`` and ``subdirectory`` say which part of the share it is; ``bind`` is True where the
    source is a folder; ``fstab`` is True where fstab has a line for it.
    """

    share_id: str
    export: str
    subdirectory: str
    target: str
    source: str
    type: str
    options: str
    bind: bool
    fstab: bool

    @property
    def key(self) -> tuple[str, str]:
        """The share and the target: of mounts over each other, one stands for all."""
        return (self.share_id, self.target)

    def as_dict(self) -> dict[str, Any]:
        """Return it for a file."""
        return asdict(self)


@dataclass(frozen=True)
class ShareMount:
    """A mount of a share, and how to mount it again."""

    mount: Mount
    match: Match
    entry: Entry


@dataclass(frozen=True)
class DoubtfulMount:
    """A mount that may be of a share."""

    mount: Mount
    doubt: Doubt


def find(
    mounts: Sequence[Mount],
    lines: Sequence[Line],
    shares: Sequence[Share],
    side: str,
    types: Collection[str],
    resolve: Resolve,
) -> tuple[list[ShareMount], list[DoubtfulMount]]:
    """Find the mounts of shares, in the order in which they were mounted.

    Returns:
        Those that are certain, and those that may be of a share.
    """
    by_target = {line.target: line for line in lines}
    certain: list[ShareMount] = []
    doubtful: list[DoubtfulMount] = []
    for mount in mounts:
        source = source_of(mount)
        matched = match(source, mount.super_flags, shares, side, resolve)
        if family(mount.type) not in types:
            # Nobody asks for these, but one that certainly has an export of a share is in use.
            if matched and matched.certain:
                export = matched.share.locations(side)[matched.number]
                doubtful.append(
                    DoubtfulMount(mount, Doubt(matched.share, export, "unsupported", False))
                )
            continue
        if matched and matched.certain:
            base = _base(mount, [other.mount for other in certain])
            entry = _entry(mount, matched, side, by_target.get(mount.target), base)
            certain.append(ShareMount(mount, matched, entry))
        else:
            told = doubts(source, mount.type, mount.super_flags, shares, side, resolve)
            doubtful += [DoubtfulMount(mount, doubt) for doubt in told]
    return certain, doubtful


def source_of(mount: Mount) -> str:
    """Return a mount's source as exports are written.

    GlusterFS takes ``host:volume`` and ``host:volume/folder``, too.  A path alone, as a source of
    NFS, is one whose server only the options say.
    """
    protocol = family(mount.type)
    if protocol == "glusterfs":
        return re.sub(r"^([^/]+):(?=[^/:])", r"\1:/", mount.source)
    if protocol == "nfs" and re.match(r"/(?!/)", mount.source):
        return f":{mount.source}"
    return mount.source


def _base(mount: Mount, earlier: Iterable[Mount]) -> Mount | None:
    """Return the mount that this one shows a part of, or all of, a second time (``mount --bind``).

    NFS says nothing of it: there, the source has the subdirectory, and mounting that is the same.
    """
    for other in earlier:
        deeper = mount.root != other.root and is_below(mount.root, other.root)
        # Two mounts of one export of NFS or CIFS may share a device; those of FUSE never do.
        same = mount.root == other.root and mount.type.startswith("fuse")
        if mount.device == other.device and (deeper or same):
            return other
    return None


def _entry(mount: Mount, matched: Match, side: str, line: Line | None, base: Mount | None) -> Entry:
    # The root of NFS says nothing: it is in the source.
    deeper = mount.root.rstrip("/")
    export = matched.share.locations(side)[matched.number]
    part = (matched.share.id, export, matched.subdirectory + deeper)
    if line and line.is_bind:
        return Entry(*part, mount.target, line.source, line.type, line.options, True, True)
    if base:
        rest = mount.root[len(base.root.rstrip("/")) :].rstrip("/")
        source = base.target.rstrip("/") + rest or "/"
        options = ",".join(["bind", *(flag for flag in mount.flags.split(",") if flag == "ro")])
        return Entry(*part, mount.target, source, "none", options, True, False)
    source = source_of(mount)
    location = parse_location(source)
    if location and not location.hosts and not is_ceph_device(source):
        # mount takes no source without a server, as the kernel shows it.
        source = joined(export, matched.subdirectory)
    # The original is gone, and only a part of it is still mounted somewhere.
    source = source.rstrip("/") + deeper if deeper else source
    if line and family(line.type) == family(mount.type):
        return Entry(*part, mount.target, source, line.type, line.options, False, True)
    options = options_to_mount(mount.type, mount.options)
    return Entry(*part, mount.target, source, mount.type, options, False, False)


def new_source(entry: Entry, share: Share, resolve: Resolve) -> str | None:
    """Return what to mount for an entry after the cutover; None if the share has nothing of its kind."""
    if entry.bind:
        return entry.source
    if entry.export in share.before:
        number = share.before.index(entry.export)
        matched: Match | None = Match(share, number, entry.subdirectory, True)
    else:
        matched = match(entry.source, entry.options, [share], BEFORE, resolve)
    return replacement(entry.source, matched, AFTER) if matched else None


def imagined(entry: Entry, source: str, mounts: Sequence[Mount]) -> Mount:
    """Return the mount that mounting a source would make, for check mode."""
    base = mount_of(source, mounts) if entry.bind else None
    if base is None:
        return Mount(0, 0, "", "/", entry.target, "", (), entry.type, source, entry.options)
    rest = source[len(base.target.rstrip("/")) :].rstrip("/")
    if family(base.type) == "nfs":
        source, root = base.source.rstrip("/") + rest, "/"
    else:
        source, root = base.source, base.root.rstrip("/") + rest or "/"
    return replace(base, id=0, parent=0, target=entry.target, source=source, root=root)
