# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._model.places import is_pool

PROJECT = "project"


SINGLE = "share"


METADATA = "metadata:"
"""Before the key of the metadata that is meant."""


LARGEST = "largest"


SMALLEST = "smallest"


Groups = Sequence[tuple[str, Sequence[str]]]
"""Names of groups with the names or IDs of their shares."""


SPREAD = "spread"


PACK = "pack"


PLACEMENTS = (SPREAD, PACK)


EVACUATE = "evacuate"


REBALANCE = "rebalance"


CONSOLIDATE = "consolidate"


RELOCATE = "relocate"


OBJECTIVES = (EVACUATE, REBALANCE, CONSOLIDATE, RELOCATE)


CHOOSING = frozenset({REBALANCE, CONSOLIDATE})
"""Objectives that move some of what there is, among pools that are source and destination."""


MECHANISMS = ("auto", "driver", "host")


REQUIREMENTS = ("writable", "nondisruptive", "preserve_metadata", "preserve_snapshots")


WHOLE = "whole"


SPLIT = "split"


SHARE_SERVERS = (WHOLE, SPLIT)


TOLERANCE = 5.0


class Pace(NamedTuple):
    """How fast migrations may go: MiB/s of each one (0: not known), and how many at once."""

    rate: float = 0.0
    max_parallel: int = 5
    max_parallel_per_pool: int = 2


@dataclass(frozen=True)
class Request:
    """What the operator wants.

    ``source`` and ``destinations`` are back ends or pools: taken from and brought to, where no
    destinations mean any but the source.  To evacuate needs a source; to relocate takes from
    everywhere without one, and brings to pools in ``availability_zone``; to rebalance and to
    consolidate, both together are the pools in question.

    ``share_type_map`` goes from names or IDs to names or IDs, ``share_network_map`` from IDs to
    IDs, ``exclude`` holds names or IDs of shares, and IDs of share servers; ``select`` is a
    JMESPath expression over shares (``selection``).  ``delete_snapshots`` are names or IDs of those
    that may be lost, so that their shares can move.  ``share_servers`` says whether these move
    whole, or are split into shares.  ``tolerance`` (percent points) is how far from the mean a
    pool may be after a rebalance, ``pace`` what the time is told by.  ``agreed`` are the moves of
    an older plan, destinations by IDs: what objectives that choose choose again.  ``group_by`` and
    ``groups`` say what is cut over together, ``order`` what is started first (``grouping``).
    """

    source: str = ""
    destinations: Sequence[str] = ()
    objective: str = EVACUATE
    share_type_map: Mapping[str, str] = field(default_factory=dict)
    share_network_map: Mapping[str, str] = field(default_factory=dict)
    mechanism: str = "auto"
    require: Sequence[str] = ()
    exclude: Sequence[str] = ()
    select: str = ""
    delete_snapshots: Sequence[str] = ()
    placement: str = SPREAD
    share_servers: str = WHOLE
    availability_zone: str = ""
    pace: Pace = field(default_factory=Pace)
    tolerance: float = TOLERANCE
    agreed: Mapping[str, str] | None = None
    group_by: str = ""
    groups: Groups = ()
    order: str = LARGEST

    @property
    def chooses(self) -> bool:
        """Whether only some of what could move shall move."""
        return self.objective in CHOOSING

    @property
    def places(self) -> tuple[str, ...]:
        """Where to look for what may move; none: everywhere."""
        given = (self.source, *self.destinations) if self.chooses else (self.source,)
        return tuple(filter(None, given))

    @property
    def moves_servers(self) -> bool:
        """Whether share servers move as they are: of a single pool they can't."""
        return self.share_servers == WHOLE and not self.chooses and not is_pool(self.source)
