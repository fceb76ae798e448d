# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator wants, and whether it can be meant.  Pure."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    backend_of,
    covers,
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils._model.request import (
    EVACUATE,
    MECHANISMS,
    OBJECTIVES,
    PLACEMENTS,
    RELOCATE,
    REQUIREMENTS,
    SHARE_SERVERS,
    WHOLE,
    Request,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import instead
from ansible_collections.manila.migration.plugins.module_utils._planner.grouping import (
    check_grouping,
)


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
