# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator accepts to be left mounted, by name.  Pure; imports `codes`, `locations`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.codes import (
    ACCEPTABLE,
    CODES,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    same_source,
)


@dataclass(frozen=True)
class Acceptance:
    """A code with the mounts for which it is accepted, by their source, their target, or both."""

    code: str
    source: str
    target: str

    def covers(self, code: str, source: str, target: str) -> bool:
        """Tell whether it speaks of a mount that is left for a reason."""
        return (
            code == self.code
            and (not self.source or same_source(source, self.source))
            and (not self.target or (target.rstrip("/") or "/") == self.target)
        )

    def label(self) -> str:
        """Name it in a message."""
        return " ".join(part for part in (self.code, self.source, self.target) if part)


def parse_acceptances(entries: Iterable[Mapping[str, Any]]) -> list[Acceptance]:
    """Read what the operator wrote.

    Raises:
        ValueError: with a sentence that says what is wrong with which entry.
    """
    acceptances = []
    for number, entry in enumerate(entries, 1):
        code, source, target = (
            str(entry.get(key) or "").strip() for key in ("code", "source", "target")
        )
        if code not in ACCEPTABLE:
            after = " It is about mounting after the cutover." if code in CODES else ""
            raise ValueError(
                f"accept: the code of entry {number} must be one of {', '.join(ACCEPTABLE)}, "
                f'got: "{code}".{after}'
            )
        if not source and not target:
            raise ValueError(
                f"accept: entry {number} ({code}) must have a source or a target: "
                "a mount is accepted by name, not a code for all mounts."
            )
        acceptances.append(Acceptance(code, source, target.rstrip("/") or ("/" if target else "")))
    return acceptances
