# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator wants, and whether it can be meant.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.manila.migration.plugins.module_utils.feasibility import Inventory
from ansible_collections.manila.migration.plugins.module_utils.packing import PLACEMENTS, SPREAD
from ansible_collections.manila.migration.plugins.module_utils.records import (
    backend_of,
    covers,
    is_backend,
    is_pool,
)

EVACUATE = "evacuate"
OBJECTIVES = (EVACUATE,)

MECHANISMS = ("auto", "driver", "host")
REQUIREMENTS = ("writable", "nondisruptive", "preserve_metadata", "preserve_snapshots")

WHOLE = "whole"
SPLIT = "split"
SHARE_SERVERS = (WHOLE, SPLIT)


@dataclass(frozen=True)
class Request:
    """What the operator wants.

    ``source`` is a back end or a pool; ``destinations`` are back ends or pools, none meaning any
    but the source.  ``share_type_map`` goes from names or IDs to names or IDs,
    ``share_network_map`` from IDs to IDs, ``exclude`` holds names or IDs of shares, and IDs of
    share servers.  ``share_servers`` says whether these move whole, or are split into shares.
    """

    source: str
    destinations: Sequence[str] = ()
    objective: str = EVACUATE
    share_type_map: Mapping[str, str] = field(default_factory=dict)
    share_network_map: Mapping[str, str] = field(default_factory=dict)
    mechanism: str = "auto"
    require: Sequence[str] = ()
    exclude: Sequence[str] = ()
    placement: str = SPREAD
    share_servers: str = WHOLE

    @property
    def moves_servers(self) -> bool:
        """Whether share servers move as they are: of a single pool they can't."""
        return self.share_servers == WHOLE and not is_pool(self.source)

    def allows(self, pool: str) -> bool:
        """Whether something may be moved to this pool."""
        if covers(self.source, pool):
            return False
        return not self.destinations or any(covers(place, pool) for place in self.destinations)

    def allows_backend(self, backend: str) -> bool:
        """Whether a share server may be moved to this back end: to all of it, or to a pool of it."""
        if backend == backend_of(self.source):
            return False
        places = map(backend_of, self.destinations)
        return not self.destinations or backend in places


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
    _check_place(inventory, "source", request.source)
    for place in request.destinations:
        _check_place(inventory, "destinations", place)
        if covers(request.source, place):
            raise ValueError(
                f"destinations: {place} is the source or a part of it ({request.source})."
            )
    if request.share_servers == WHOLE and is_pool(request.source):
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
    raise ValueError(f"{name}: there is no {what} {place}.")


def _type_id(inventory: Inventory, name: str) -> str:
    if name in inventory.share_types:
        return name
    found = sorted(one.id for one in inventory.share_types.values() if one.name == name)
    if len(found) > 1:
        raise ValueError(
            f"share_type_map: {len(found)} share types are named {name!r}; use the ID."
        )
    if not found:
        raise ValueError(f"share_type_map: there is no share type {name!r}.")
    return found[0]
