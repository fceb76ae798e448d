# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One planned migration, and what is asked for with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable


@dataclass(frozen=True)
class Options:
    """What the operator demands of a migration: the parameters of Manila's migration_start."""

    preserve_metadata: bool = False
    preserve_snapshots: bool = False
    writable: bool = False
    nondisruptive: bool = False
    force_host_assisted_migration: bool = False
    new_share_type_id: str | None = None
    new_share_network_id: str | None = None


@dataclass(frozen=True)
class Migration:
    """One planned migration.  ``destination`` may be None where there is nothing to start."""

    id: str
    source: str
    destination: str | None
    name: str = ""
    size_gb: int = 0
    kind: str = SHARE
    options: Options = field(default_factory=Options)
    delete_snapshots: tuple[str, ...] = ()
    """IDs of snapshots of the share that are deleted right before it is started."""
    group: str = ""
    """It is cut over together with the others of the plan in this group; empty: for itself."""
    group_missing: tuple[str, ...] = ()
    """Members of the group that can't be moved, in words: then it isn't cut over."""

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.kind.replace('_', ' ')} {readable(self.name or self.id)}"
