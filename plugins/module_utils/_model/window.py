# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cutover window: when clients may be disturbed.  Pure: no clock in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class CutoverWindow:
    """From ``start`` to ``end``: both moments (once), or both times of day (every day).

    A daily window whose end is before its start runs over midnight.
    """

    start: Any
    end: Any
    zone: tzinfo = timezone.utc

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> CutoverWindow:
        """Read the user's ``{start, end, timezone}``.

        Raises ValueError with one sentence for the user if it is no window.
        """
        zone_name = value.get("timezone") or "UTC"
        try:
            zone: tzinfo = timezone.utc if zone_name == "UTC" else ZoneInfo(zone_name)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"cutover_window: timezone {zone_name!r} is not known here; "
                "use a name such as Europe/Berlin or UTC."
            ) from None
        start, end = (_moment(name, str(value.get(name) or ""), zone) for name in ("start", "end"))
        if isinstance(start, time) != isinstance(end, time):
            raise ValueError(
                "cutover_window: start and end must both be times of day (22:00) "
                "or both be dates with times (2026-11-22T22:00)."
            )
        if start == end or (isinstance(start, datetime) and start > end):
            raise ValueError("cutover_window: end must be after start.")
        return cls(start, end, zone)

    def is_open(self, now: float) -> bool:
        """Whether clients may be disturbed at ``now`` (seconds since the epoch)."""
        moment = datetime.fromtimestamp(now, self.zone)
        if isinstance(self.start, datetime):
            # By the seconds: within one zone Python compares wall clocks, which are put back.
            return bool(self.start.timestamp() <= now < self.end.timestamp())
        clock = moment.time()
        if self.start < self.end:
            return bool(self.start <= clock < self.end)
        return bool(clock >= self.start or clock < self.end)

    def closes_at(self, now: float) -> float:
        """When it closes next (seconds since the epoch), asked while it is open."""
        if isinstance(self.end, datetime):
            return float(self.end.timestamp())
        return self._next(self.end, now)

    def opens_at(self, now: float) -> float | None:
        """When it next opens (seconds since the epoch), ``now`` if it is open, None if never."""
        if self.is_open(now):
            return now
        if isinstance(self.start, datetime):
            start = float(self.start.timestamp())
            return start if now < start else None
        return self._next(self.start, now)

    @property
    def seconds(self) -> float:
        """How long it is open at a time."""
        if isinstance(self.start, datetime):
            return float(self.end.timestamp() - self.start.timestamp())
        day = datetime(2026, 1, 1, tzinfo=timezone.utc)
        start, end = (datetime.combine(day, one) for one in (self.start, self.end))
        return (end - start).total_seconds() % timedelta(days=1).total_seconds()

    def _next(self, clock: time, now: float) -> float:
        """When a time of day comes next."""
        moment = datetime.fromtimestamp(now, self.zone)
        then = moment.replace(
            hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0
        )
        if then <= moment:
            then += timedelta(days=1)
        return then.timestamp()


def _moment(name: str, text: str, zone: tzinfo) -> Any:
    if text.isdigit():
        # Python would read 1320 as 13:20; YAML makes it of 22:00 where the quotes are missing.
        raise ValueError(
            f"cutover_window: {name} is the number {text}; put a time of day in quotes "
            '("22:00"), YAML counts it in minutes otherwise.'
        )
    for kind in (time, datetime):
        try:
            # 3.9 and 3.10 don't read the Z that everybody writes
            value = kind.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            continue
        if isinstance(value, datetime):
            # A date alone parses too, as midnight: too easy to get wrong for a cutover.
            if len(text) <= len("2026-11-22"):
                continue
            return value if value.tzinfo else value.replace(tzinfo=zone)
        if value.tzinfo:
            raise ValueError(
                f"cutover_window: {name} is {text!r}; a time of day takes its zone from timezone."
            )
        return value
    raise ValueError(
        f"cutover_window: {name} is {text!r}; give a time of day (22:00) "
        "or a date with a time (2026-11-22T22:00)."
    )
