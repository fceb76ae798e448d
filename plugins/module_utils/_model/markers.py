# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata in which a share carries what Manila itself can't show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from ansible_collections.manila.migration.plugins.module_utils._model.places import is_pool

MARK = "manila_migration_replica"
"""The metadata of a share that tells whose its new replica is, and where it comes from."""


LISTED = {"manila_migration": "replica"}
"""Beside the mark: Manila lists shares by whole values of metadata, and marks differ."""


INTERRUPTED = "manila_migration_interrupted"
"""The metadata of a share that names a copy that must never be completed, whatever its task state
will say: see CopyMark."""


@dataclass(frozen=True)
class CopyMark:
    """What INTERRUPTED says: a copy was interrupted, or its cancel was about to be sent.

    ``copy`` is the ID of the share instance, share server or replica that the migration has made:
    for a later copy the mark is void.  ``cancelled_at`` is when the cancel was sent (ISO 8601,
    UTC), empty if the copy was interrupted.
    """

    copy: str
    cancelled_at: str = ""

    def __str__(self) -> str:
        return f"{self.copy} cancelled at {self.cancelled_at}" if self.cancelled_at else self.copy

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> CopyMark | None:
        """The mark among the metadata of a share; None if there is none.

        Tenants may write metadata, too: what is no time is left out.
        """
        text = metadata.get(INTERRUPTED, "")
        copy, cancelled_at = (part.strip() for part in text.partition("cancelled at")[::2])
        mark = cls(copy, cancelled_at)
        return (mark if mark._cancelled() is not None else cls(copy)) if copy else None

    def _cancelled(self) -> float | None:
        try:
            sent = datetime.strptime(self.cancelled_at, "%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            return None
        return sent.replace(tzinfo=timezone.utc).timestamp()

    def is_cancelled_within(self, seconds: float, now: float) -> bool:
        """Whether a cancel was sent so many seconds before ``now`` at most (since the epoch).

        A time far ahead of the clock doesn't count: it is none of ours.
        """
        sent = self._cancelled()
        return sent is not None and abs(now - sent) < seconds


@dataclass(frozen=True)
class Mark:
    """What a migration by replica writes to the share before it has a replica made.

    A replica at ``destination`` that is older than ``since`` (ISO 8601, UTC) is not ours.
    """

    source: str
    destination: str
    since: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} since {self.since}"

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> Mark | None:
        """The mark among the metadata of a share; None if there is none, or not of this form."""
        places, since_sign, since = metadata.get(MARK, "").rpartition(" since ")
        source, arrow, destination = places.partition(" -> ")
        if not (since_sign and arrow and is_pool(source) and is_pool(destination)):
            return None
        return cls(source, destination, since)
