# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared of a share or a share server before and after a cutover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark


@dataclass(frozen=True)
class Facts:
    """What must be the same before and after a cutover, and the export locations.

    ``members`` are the shares of a share server by their IDs; a share has none.  Of a replica that
    is moved, ``copies`` are all replicas but the one at the source.
    """

    host: str
    status: str
    copies: int
    share_type_id: str | None = None
    share_network_id: str | None = None
    rules: frozenset[tuple[str, str, str]] = frozenset()
    rules_status: str = "active"
    snapshots: Mapping[str, str] = field(default_factory=dict)
    exports: tuple[str, ...] = ()
    unapplied: frozenset[tuple[str, str]] = frozenset()
    """Access rules that are not in force as they are listed, each with its state."""
    name: str = ""
    members: Mapping[str, Facts] = field(default_factory=dict)
    copy_mark: CopyMark | None = None
    """Which copy of it must never be completed, as its metadata say."""
    active: bool = True
    """False of a replica that the share is not served from: it may have no export locations."""

    def mark_of(self, copy: str | None) -> CopyMark | None:
        """What one of the shares says of the copy with this ID; None if nothing."""
        marks = (one.copy_mark for one in (self, *self.members.values()))
        return next((mark for mark in marks if mark and mark.copy == copy), None)
