# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run writes into the reason of its cordon: that it is at work, and who it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "manila.migration: "
"""With what the reason of every cordon of ours begins."""


_FORM = re.compile(
    r"; at work: run (?P<run>\w+) of (?P<who>\S+) \((?P<process>\S*)\), "
    r"sign of life (?P<beat>\d+), every (?P<period>\d+) s$"
)


@dataclass(frozen=True)
class LeaseClaim:
    """One run's claim.  ``period`` is after how many seconds it is renewed at the latest."""

    run: str
    who: str
    process: str
    beat: int
    period: int

    def __str__(self) -> str:
        return (
            f"; at work: run {self.run} of {self.who} ({self.process}), sign of life {self.beat}, "
            f"every {self.period} s"
        )

    @classmethod
    def of(cls, reason: str | None) -> LeaseClaim | None:
        """Return the claim in the reason of a disabled service, None if there is none."""
        found = _FORM.search(reason or "")
        if not found:
            return None
        beat, period = int(found["beat"]), int(found["period"])
        return cls(found["run"], found["who"], found["process"], beat, period)


def without_claim(reason: str) -> str:
    """Return a reason without the claim in it."""
    return _FORM.sub("", reason)
