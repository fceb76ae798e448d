# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner leaves out as asked, by name or ID.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason


class Exclusions:
    """What is left out by name or ID, and how often each was met."""

    def __init__(self, names: Iterable[str]) -> None:
        self._met = {name: 0 for name in names if name}  # a form's empty field arrives as ""

    def __bool__(self) -> bool:
        return bool(self._met)

    def match(self, *names: str) -> bool:
        """Whether something with these names and IDs is left out."""
        hits = self._met.keys() & set(names)
        for hit in hits:
            self._met[hit] += 1
        return bool(hits)

    def match_part(self, *wholes: str | None) -> bool:
        """Whether something is left out as a part of these."""
        hits = self._met.keys() & set(wholes)
        for hit in hits:
            self._met[hit] = 1
        return bool(hits)

    def warnings(self) -> list[Reason]:
        """Return what was met more than once, and what was not met at all."""
        several = [
            Reason("exclude_several", f"{name!r} excludes {count} shares of that name")
            for name, count in sorted(self._met.items())
            if count > 1
        ]
        return several + [
            Reason("exclude_unknown", f"{name!r} is excluded, but nothing of that name is here")
            for name, count in sorted(self._met.items())
            if not count
        ]
