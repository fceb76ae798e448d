# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a client, and what stays as it is on it.  Pure; imports `acceptance`, `locations`, `options`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.acceptance import (
    Acceptance,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import Share
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.options import (
    mask,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable


@dataclass(frozen=True)
class Request:
    """What is asked of a client; see the module's options."""

    state: str
    shares: tuple[Share, ...]
    types: frozenset[str]
    force: bool
    timeout: int
    fstab: str
    record: str
    acceptances: tuple[Acceptance, ...] = ()
    check_mode: bool = False


@dataclass
class Findings:
    """What stays as it is, and why: what is left, and what the operator accepts."""

    shares: dict[str, Share]
    acceptances: Sequence[Acceptance]
    left: list[dict[str, Any]] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    used: set[Acceptance] = field(default_factory=set)
    # Shares and targets of their mounts in the own namespace: all that are left or accepted, and
    # those that are accepted.
    staying: set[tuple[str, str]] = field(default_factory=set)
    kept: set[tuple[str, str]] = field(default_factory=set)
    _known: set[tuple[str, ...]] = field(default_factory=set)

    def add(
        self,
        share_id: str,
        code: str,
        source: str,
        target: str,
        message: str,
        *,
        holders: Sequence[dict[str, Any]] = (),
        managed_by: str = "",
        place: str = "",
        keep: bool = False,
    ) -> bool:
        """Note something, once.  Returns whether it is accepted.

        Args:
            share_id: ID of the share that is concerned.
            code: One of ``codes.CODES``.
            source: What is mounted.
            target: Where it is mounted.
            message: The reason, without a full stop.
            holders: The processes that hold it.
            managed_by: The program that manages it.
            place: The mount namespace, if it is another one.
            keep: Whether it is certainly a mount of the share in the own namespace, which stays.
        """
        covering = [
            acceptance for acceptance in self.acceptances if acceptance.covers(code, source, target)
        ]
        self.used.update(covering)
        if keep:
            self.staying.add((share_id, target))
            if covering:
                self.kept.add((share_id, target))
        key = (share_id, code, source, target, place)
        if key not in self._known:
            self._known.add(key)
            (self.accepted if covering else self.left).append(
                {
                    "id": share_id,
                    "name": self.shares[share_id].name,
                    "source": source,
                    "target": target,
                    "code": code,
                    "message": f"{readable(mask(message))}.",
                    "holders": list(holders),
                    "managed_by": managed_by,
                }
            )
        return bool(covering)

    def share_ids(self) -> set[str]:
        """Return the shares of which something is left."""
        return {row["id"] for row in self.left}
