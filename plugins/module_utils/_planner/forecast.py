# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the migrations of a plan will take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.request import Pace


def traffic(entries: Iterable[Mapping[str, Any]]) -> tuple[dict[str, int], dict[str, int]]:
    """What these migrations bring to pools, and take from pools, in GiB.

    With share servers as far as it is known what goes to which pool.
    """
    coming: dict[str, int] = {}
    going: dict[str, int] = {}
    for entry in entries:
        for one in entry["shares"] if entry["kind"] == SHARE_SERVER else [entry]:
            if one["destination"] not in (None, one["source"]):
                for pool, side in ((one["destination"], coming), (one["source"], going)):
                    side[pool] = side.get(pool, 0) + one["size_gb"]
    return coming, going


def forecast(entries: Sequence[Mapping[str, Any]], pace: Pace) -> int | None:
    """Seconds that the copying takes at least, with all caps used to the full; None: not known.

    The longest of: all that is copied, what one pool gives and takes, the largest one.
    """
    if not pace.rate:
        return None
    coming, going = traffic(entries)
    busiest = max((coming.get(one, 0) + going.get(one, 0) for one in {*coming, *going}), default=0)
    sizes: list[int] = [entry["size_gb"] for entry in entries]
    largest = max(sizes, default=0)
    at_once, at_once_there = max(1, pace.max_parallel), max(1, pace.max_parallel_per_pool)
    copied: float = max(largest, sum(sizes) / at_once, busiest / at_once_there)
    return math.ceil(copied * 1024 / pace.rate)
