# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator wants, and whether it can be meant.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils.feasibility import Inventory
from ansible_collections.manila.migration.plugins.module_utils.grouping import (
    LARGEST,
    Groups,
    check_grouping,
)
from ansible_collections.manila.migration.plugins.module_utils.packing import PLACEMENTS, SPREAD
from ansible_collections.manila.migration.plugins.module_utils.records import (
    backend_of,
    covers,
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils.wording import instead

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


class Scope:
    """Where a plan takes from and brings to, in one cloud."""

    def __init__(self, request: Request, inventory: Inventory) -> None:
        self._request = request
        self._services = inventory.services
        self._takes: dict[str, bool] = {}

    def takes_from(self, pool: str) -> bool:
        """Whether what is in this pool may move."""
        known = self._takes.get(pool)
        if known is None:
            places = self._request.places
            known = not places or any(covers(place, pool) for place in places)
            if self._request.objective == RELOCATE:
                known = known and not self._in_zone(backend_of(pool))
            self._takes[pool] = known
        return known

    def takes_from_backend(self, backend: str) -> bool:
        """Whether share servers of this back end may move."""
        return self._request.moves_servers and self.takes_from(backend)

    def brings_to(self, pool: str) -> bool:
        """Whether something may be moved to this pool."""
        if self._request.chooses:
            return self.takes_from(pool)
        if self.takes_from(pool) or not self._in_zone(backend_of(pool)):
            return False
        places = self._request.destinations
        return not places or any(covers(place, pool) for place in places)

    def brings_to_backend(self, backend: str) -> bool:
        """Whether a share server may be moved to this back end: to all of it, or a pool of it."""
        if self.takes_from(backend) or not self._in_zone(backend):
            return False
        places = map(backend_of, self._request.destinations)
        return not self._request.destinations or backend in places

    def _in_zone(self, backend: str) -> bool:
        zone = self._request.availability_zone
        service = self._services.get(backend)
        return not zone or (service is not None and service.zone == zone)


def check_request(inventory: Inventory, request: Request) -> dict[str, str]:
    """Refuse what can't be meant.  Returns the share type map in IDs."""
    for name, value, allowed in (
        ("objective", request.objective, OBJECTIVES),
        ("mechanism", request.mechanism, MECHANISMS),
        ("placement", request.placement, PLACEMENTS),
        ("share_servers", request.share_servers, SHARE_SERVERS),
        *(("require", one, REQUIREMENTS) for one in request.require),
    ):
        if value not in allowed:
            raise ValueError(f"{name}: {value!r} is none of {', '.join(allowed)}.")
    if request.mechanism == "host" and request.require:
        raise ValueError(
            f"mechanism 'host' excludes require ({', '.join(request.require)}): only drivers can "
            "promise that."
        )
    if request.delete_snapshots and "preserve_snapshots" in request.require:
        raise ValueError("delete_snapshots: it excludes require (preserve_snapshots).")
    if request.source:
        _check_place(inventory, "source", request.source)
    for place in request.destinations:
        _check_place(inventory, "destinations", place)
        if request.source and not request.chooses and covers(request.source, place):
            raise ValueError(
                f"destinations: {place} is the source or a part of it ({request.source})."
            )
    _check_objective(inventory, request)
    check_grouping(request.group_by, request.groups, request.order)
    if request.share_servers == WHOLE and not request.chooses and is_pool(request.source):
        on_servers = (one for several in inventory.on_servers.values() for one in several)
        if any(one.host == request.source for one in on_servers):
            raise ValueError(
                f"source: shares in {request.source} are on share servers, which span the pools of "
                f"their back end; give {backend_of(request.source)} as source, or share_servers: "
                "split."
            )
    return {
        _type_id(inventory, old): _type_id(inventory, new)
        for old, new in sorted(request.share_type_map.items())
    }


def _check_objective(inventory: Inventory, request: Request) -> None:
    """What each objective needs, and what the others can't take."""
    objective = request.objective
    if objective == EVACUATE and not request.source:
        raise ValueError("source: it is missing; evacuate needs a back end or pool to empty.")
    if not request.tolerance >= 0:
        raise ValueError(f"tolerance: {request.tolerance} is no number of percent points.")
    if request.chooses:
        if not request.places:
            raise ValueError(
                f"destinations: {objective} needs the back ends or pools in question, at least two "
                "pools."
            )
        scope = Scope(request, inventory)
        pools = [pool.name for pool in inventory.pools if scope.takes_from(pool.name)]
        if len(pools) < 2 and inventory.scheduler_up:
            raise ValueError(
                f"destinations: {objective} needs at least two pools, and of "
                f"{', '.join(request.places)} Manila's scheduler knows {len(pools)}."
            )
    zone = request.availability_zone
    zones = sorted({one.zone for one in inventory.services.values() if one.zone})
    if objective != RELOCATE and zone:
        raise ValueError(f"availability_zone: it is for relocate only, not for {objective}.")
    if objective == RELOCATE and zone not in zones:
        what = f"there is no zone {zone!r}" if zone else "it is missing"
        raise ValueError(
            f"availability_zone: {what}; the zones with back ends are {', '.join(zones) or 'none'}."
        )


def _check_place(inventory: Inventory, name: str, place: str) -> None:
    if not (is_pool(place) or is_backend(place)):
        raise ValueError(
            f"{name}: {place!r} is no place in Manila; write host@backend or host@backend#pool."
        )
    if any(covers(place, pool.name) for pool in inventory.pools):
        return
    if is_backend(place) and place in inventory.services:
        return
    # A back end may be so dead that the scheduler has forgotten it; its shares are still there.
    if name == "source" and any(
        covers(place, one.host) for several in inventory.instances.values() for one in several
    ):
        return
    if not inventory.scheduler_up and backend_of(place) in inventory.services:
        return
    what = "pool" if is_pool(place) else "back end"
    pools = [one.name for one in inventory.pools]
    known = pools if is_pool(place) else [*map(backend_of, pools), *inventory.services]
    raise ValueError(f"{name}: there is no {what} {place}; {instead(place, known)}.")


def _type_id(inventory: Inventory, name: str) -> str:
    if name in inventory.share_types:
        return name
    found = sorted(one.id for one in inventory.share_types.values() if one.name == name)
    if len(found) > 1:
        raise ValueError(
            f"share_type_map: {len(found)} share types are named {name!r}; use the ID."
        )
    if not found:
        known = [one.name for one in inventory.share_types.values()]
        raise ValueError(
            f"share_type_map: there is no share type {name!r}; {instead(name, known)}."
        )
    return found[0]
