# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: which share goes to which pool, and which can't go anywhere, and why.

``make_plan()`` turns an inventory and a request into a plan, a dictionary that can be printed,
kept in a file and read again by ``to_migrations()``.  It changes nothing and asks nobody.  The
same input gives the same plan, whatever the order in which the cloud listed it.

Manila's scheduler checks the capacity of a destination when a migration starts but sets nothing
aside, so several that start together may overfill a pool.  The planner adds up what it places.
Sizes are GiB, fills are percent.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils.engine import Migration
from ansible_collections.manila.migration.plugins.module_utils.feasibility import (
    SCHEDULER_DOWN,
    Inventory,
    Load,
    capacity_invalid,
    headroom,
    in_flight,
    observe,
    options_conflict,
    pool_blockers,
    share_blockers,
    start_blockers,
    thinks_thin,
    uses_share_servers,
    warnings,
    written_gb_at,
    written_part,
)
from ansible_collections.manila.migration.plugins.module_utils.records import (
    SHARE,
    Instance,
    Options,
    Pool,
    Reason,
    Share,
    ShareType,
    backend_of,
    covers,
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils.states import (
    COMPLETED,
    COMPLETING,
    IDLE,
    MIGRATING,
    STUCK,
    Target,
    classify,
)

__all__ = ["Inventory", "Request", "make_plan", "to_migrations"]

VERSION = 1
"""Of the form of a plan."""

SHARE_INSTANCE = "share_instance"

EVACUATE = "evacuate"
OBJECTIVES = (EVACUATE,)

MECHANISMS = ("auto", "driver", "host")
REQUIREMENTS = ("writable", "nondisruptive", "preserve_metadata", "preserve_snapshots")

SPREAD = "spread"
PACK = "pack"
PLACEMENTS = (SPREAD, PACK)

_NAMED = 3
"""How many pools a reason names before it only counts them."""


@dataclass(frozen=True)
class Request:
    """What the operator wants.

    ``source`` is a back end or a pool; ``destinations`` are back ends or pools, none meaning any
    but the source.  ``share_type_map`` goes from names or IDs to names or IDs,
    ``share_network_map`` from IDs to IDs, ``exclude`` holds names or IDs of shares.
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

    def allows(self, pool: str) -> bool:
        """Whether something may be moved to this pool."""
        if covers(self.source, pool):
            return False
        return not self.destinations or any(covers(place, pool) for place in self.destinations)


def make_plan(inventory: Inventory, request: Request) -> dict[str, Any]:
    """The plan.  Raises ValueError, with one sentence, for a request that can't be meant."""
    types = _check(inventory, request)
    return _Planner(inventory, request, types).plan()


# -- the request -----------------------------------------------------------------------------


def _check(inventory: Inventory, request: Request) -> dict[str, str]:
    """Refuse what can't be meant.  Returns the share type map in IDs."""
    for name, value, allowed in (
        ("objective", request.objective, OBJECTIVES),
        ("mechanism", request.mechanism, MECHANISMS),
        ("placement", request.placement, PLACEMENTS),
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


# -- what is placed, and where ---------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """Shares that are alike in all that decides which pools can take them, size aside.

    ``targets`` are these pools, ``refusals`` why the others can't.
    """

    share_type: ShareType
    thin: bool
    from_snapshot: bool
    part: float
    """How much of their sizes is written: see ``written_part``."""
    targets: tuple[_Room, ...]
    refusals: tuple[Reason, ...]


@dataclass(frozen=True)
class _Item:
    """A share that looks for a place."""

    share: Share
    options: Options
    group: _Group
    order: tuple[Any, ...]
    """What sorts shares of one size: those with fewer choices go first."""

    @property
    def size(self) -> int:
        """GiB."""
        return self.share.size_gb


class _Room:
    """A pool, and what comes to it beside what it reports."""

    def __init__(self, pool: Pool, load: Load) -> None:
        self.pool = pool
        self.name = pool.name
        self.load = load
        self.begun = load
        self.rooms: dict[tuple[bool, bool], float] = {}
        self.total = None if isinstance(pool.total_gb, str) else max(pool.total_gb, 0)
        self.used = (
            None
            if self.total is None or isinstance(pool.free_gb, str)
            else self.total - pool.free_gb
        )

    def holds(self, group: _Group) -> float:
        """The largest share of that group for which there is room, in GiB."""
        key = group.thin, group.from_snapshot
        room = self.rooms.get(key)
        if room is None:
            room = self.rooms[key] = headroom(
                self.pool,
                group.share_type,
                self.load.committed_gb,
                group.from_snapshot,
                self.load.written_gb,
            )
        return room

    def add(self, group: _Group, size: float) -> None:
        """Count a share in."""
        written = written_gb_at(self.pool, group.thin, size, group.part)
        self.set(Load(self.load.committed_gb + size, self.load.written_gb + written))

    def set(self, load: Load) -> None:
        """Say what comes to it; ``begun`` is what came before anything was placed."""
        self.load = load
        self.rooms.clear()

    def fill(self, group: _Group, size: float) -> tuple[bool, float]:
        """How near its limits the pool will be with a share of that size, to compare pools by.

        Of a thin pool the space or the promises, whichever is scarcer.  Pools that don't tell
        come after all that do, those with the least planned first.
        """
        if self.used is None or not self.total:
            return True, self.load.committed_gb + size
        pool = self.pool
        written = written_gb_at(pool, group.thin, size, group.part)
        fill = (self.used + self.load.written_gb + written) / self.total
        if pool.thin_provisioning and pool.provisioned_gb is not None:
            promised = pool.provisioned_gb + self.load.committed_gb + size
            fill = max(fill, promised / (self.total * max(1, pool.max_over_subscription_ratio)))
        return False, fill


def _place(items: Sequence[_Item], placement: str) -> dict[str, str]:
    """Pools by share ID: largest first, each to the best pool that has room for it.

    Shares of one size and group come in a row.  Within a row only the pool that took the last
    share changes its rank, so a heap finds the next one: the cost is that of sorting, plus sizes
    times pools.
    """
    places: dict[str, str] = {}
    packed = placement == PACK

    def rank(room: _Room, group: _Group, size: int) -> tuple[bool, float, str, _Room]:
        silent, fill = room.fill(group, size)
        return silent, -fill if packed and not silent else fill, room.name, room

    rows = groupby(items, key=lambda item: (item.size, item.order))
    for (size, _order), row in rows:
        same = list(row)
        group = same[0].group
        heap = [rank(room, group, size) for room in group.targets if room.holds(group) >= size]
        heapq.heapify(heap)
        for item in same:
            if not heap:
                break
            room = heap[0][-1]
            places[item.share.id] = room.name
            room.add(group, size)
            if room.holds(group) >= size:
                heapq.heapreplace(heap, rank(room, group, size))
            else:
                heapq.heappop(heap)
    return places


def _search(items: Sequence[_Item], steps: int) -> dict[str, str] | None:
    """A place for every share, found by trying; None if there is none, or not within ``steps``."""
    places: dict[str, str] = {}
    left = steps

    def descend(index: int) -> bool:
        nonlocal left
        if index == len(items):
            return True
        item = items[index]
        for room in sorted(item.group.targets, key=lambda one: one.fill(item.group, item.size)):
            left -= 1
            if left < 0:
                return False
            if room.holds(item.group) < item.size:
                continue
            before = room.load
            room.add(item.group, item.size)
            if descend(index + 1):
                places[item.share.id] = room.name
                return True
            room.set(before)
        return False

    return places if descend(0) else None


# -- the plan --------------------------------------------------------------------------------

_SMALL = 60
"""Up to how many shares the planner tries, when its first answer leaves one without a place."""

_STEPS = 5_000
"""How many times it tries a pool before it gives up."""

_GOING = frozenset({"migrating", "inactive", "deleting"})
"""Statuses of a source instance at the end of a migration."""


class _Planner:
    """One plan in the making."""

    def __init__(self, inventory: Inventory, request: Request, types: Mapping[str, str]) -> None:
        self.inventory = inventory
        self.request = request
        self.types = types
        self.pools = {pool.name: pool for pool in inventory.pools}
        loads = in_flight(inventory)
        self.rooms = {
            name: _Room(pool, loads.get(name, Load()))
            for name, pool in sorted(self.pools.items())
            if request.allows(name)
        }
        self.parts = {name: written_part(pool) for name, pool in self.pools.items()}
        self.groups: dict[tuple[Any, ...], _Group] = {}
        self.ready: dict[tuple[str | None, str | None], Options] = {}
        self.excluded: list[dict[str, Any]] = []
        self.unplaced: list[dict[str, Any]] = []
        self.warnings: list[Reason] = []
        self.running: list[dict[str, Any]] = []
        self.items: list[_Item] = []
        self.full: dict[tuple[Any, ...], tuple[Reason, ...]] = {}

    def plan(self) -> dict[str, Any]:
        if not self.inventory.scheduler_up:
            self.warnings.append(SCHEDULER_DOWN)
        self._sort_out()
        self.items.sort(key=lambda item: (-item.size, item.order, item.share.id))
        places = self._evacuate()
        planned = []
        for item in self.items:
            place = places.get(item.share.id)
            if place is None:
                self._cannot(item.share, self._no_room(item))
            else:
                planned.append(self._entry(item.share, item.share.host, place, item.options, IDLE))
        for entries in (self.running, planned):
            entries.sort(key=lambda entry: (-entry["size_gb"], entry["id"]))
        self.unplaced.sort(key=lambda entry: (entry["kind"], entry["id"]))
        self.excluded.sort(key=lambda entry: (entry["kind"], entry["id"]))
        migrations = self.running + planned
        self._warn_of_pools({entry["destination"] for entry in planned})
        return {
            "version": VERSION,
            "source": self.request.source,
            "objective": self.request.objective,
            "migrations": migrations,
            "unplaced": self.unplaced,
            "excluded": self.excluded,
            "warnings": [reason.as_dict() for reason in self.warnings],
            "pools": self._pools(migrations),
            "summary": {
                "migrations": len(migrations),
                "running": len(self.running),
                "unplaced": len(self.unplaced),
                "excluded": len(self.excluded),
                "size_gb": sum(entry["size_gb"] for entry in migrations),
            },
        }

    def _evacuate(self) -> dict[str, str]:
        """Everything to somewhere.  Other objectives choose other items, and go the same way."""
        places = _place(self.items, self.request.placement)
        if len(places) == len(self.items):
            return places
        # What was asked for left somebody out.  Packed tightly more may fit; if a few shares are
        # all there is, trying tells for sure.
        best = places
        for attempt in (self._packed, self._tried):
            self._reset()
            places = attempt()
            if self._worth(places) > self._worth(best):
                best = places
        self._reset()
        for item in self.items:
            if item.share.id in best:
                self.rooms[best[item.share.id]].add(item.group, item.size)
        return best

    def _packed(self) -> dict[str, str]:
        return _place(self.items, PACK)

    def _tried(self) -> dict[str, str]:
        """Every share that has room by itself, if trying finds a place for all of them."""
        items = [
            item
            for item in self.items
            if any(room.holds(item.group) >= item.size for room in item.group.targets)
        ]
        most: dict[str, float] = {}
        for item in items:
            for room in item.group.targets:
                # What a thin pool can take in all depends on what is written: no bound.
                holds = math.inf if room.pool.thin_provisioning else room.holds(item.group)
                most[room.name] = max(most.get(room.name, 0), holds)
        if len(items) > _SMALL or sum(item.size for item in items) > sum(most.values()):
            return {}
        return _search(items, _STEPS) or {}

    def _reset(self) -> None:
        for room in self.rooms.values():
            room.set(room.begun)

    def _worth(self, places: Mapping[str, str]) -> tuple[int, int]:
        """What a placement is worth: how many shares have a place, and how many GiB."""
        return len(places), sum(item.size for item in self.items if item.share.id in places)

    # -- what each share is ----------------------------------------------------------------

    def _sort_out(self) -> None:
        """Every share at the source into one of: excluded, unplaced, running, to be placed."""
        source = self.request.source
        names = set(self.request.exclude) - {""}  # what an empty field of a form arrives as
        matched: dict[str, int] = {}
        shares = {share.id: share for share in self.inventory.shares}
        instances = self.inventory.instances
        for share_id in sorted(set(shares) | set(instances)):
            share = shares.get(share_id)
            several = instances.get(share_id, ())
            here = [one for one in several if covers(source, one.host)]
            if not here and not (share and covers(source, share.host)):
                continue
            hits = {share_id, *(one.id for one in here)} | ({share.name} if share else set())
            if hits & names:
                for name in hits & names:
                    matched[name] = matched.get(name, 0) + 1
                self.excluded.append(_subject(share_id, share))
            elif share is None:
                self._leftovers(here, None)
            else:
                self._sort_share(share, several, here)
        for name, count in sorted(matched.items()):
            if count > 1:
                self.warnings.append(
                    Reason("exclude_several", f"{name!r} excludes {count} shares of that name")
                )
        for name in sorted(names - set(matched)):
            self.warnings.append(
                Reason("exclude_unknown", f"{name!r} is excluded, but there is no such share here")
            )

    def _sort_share(
        self, share: Share, several: Sequence[Instance], here: Sequence[Instance]
    ) -> None:
        seen = observe(share, several)
        away = not covers(self.request.source, share.host)
        phase = classify(seen, Target(share.host if away else None))
        if share.status == "migrating" and phase in MIGRATING:
            if away:
                self.warnings.append(
                    Reason(
                        "fills_source",
                        f"share {share.name or share.id} migrates from {share.host} to "
                        f"{', '.join(sorted(one.host for one in here))}",
                    )
                )
                return
            self._adopt(share, several, share.host, seen.destination, phase)
        elif (
            away and phase in (COMPLETING, COMPLETED) and all(one.status in _GOING for one in here)
        ):
            # Manila serves it from the destination already and still deletes the source.
            self._adopt(share, several, here[0].host, share.host, COMPLETING)
        elif share.status == "migrating" and phase == STUCK:
            reason = Reason(
                "stuck",
                f"it has the status 'migrating' and the task state {share.task_state!r}: find out "
                "which copy is good, and repair it",
            )
            self._cannot(share, [reason])
        elif away and not share.has_replicas:
            self._leftovers(here, share)
        else:
            self._consider(share, several)

    def _adopt(
        self,
        share: Share,
        several: Sequence[Instance],
        source: str,
        destination: str | None,
        phase: str,
    ) -> None:
        """A migration away from the source that exists: it goes on, wherever it was started."""
        if destination is None:
            reason = Reason(
                "destination_unknown",
                "it was started a moment ago, where to is not known: ask again",
            )
            if len(several) > 1:
                places = ", ".join(sorted(f"{one.host} ({one.status})" for one in several))
                reason = Reason("instances", f"it migrates and has several instances, at {places}")
            self._cannot(share, [reason])
        elif not self.request.allows(destination):
            reason = Reason(
                "migrating_elsewhere",
                f"it already migrates to {destination}, which is not among the destinations: "
                "allow that, or cancel that migration",
            )
            self._cannot(share, [reason])
        else:
            new = next((one for one in several if one.host == destination), None)
            options = self._options(share)
            # What it becomes was settled when it was started.
            options = replace(
                options,
                new_share_type_id=_changed(new, several, "share_type_id"),
                new_share_network_id=_changed(new, several, "share_network_id"),
            )
            self.running.append(self._entry(share, source, destination, options, phase))

    def _leftovers(self, here: Iterable[Instance], share: Share | None) -> None:
        whose = (
            f"the share {share.name or share.id}, which is at {share.host}"
            if share
            else "a share that Manila does not list"
        )
        for one in sorted(here, key=lambda one: one.id):
            reason = Reason(
                "leftover",
                f"at {one.host} an instance with the status {one.status!r} is left of {whose}",
            )
            entry = {**_subject(one.share_id, share), "kind": SHARE_INSTANCE, "id": one.id}
            self.unplaced.append({**entry, "reasons": [reason.as_dict()]})

    def _consider(self, share: Share, several: Sequence[Instance]) -> None:
        options = self._options(share)
        share_type = self.inventory.share_types.get(
            options.new_share_type_id or share.share_type_id or ""
        )
        snapshots = self.inventory.snapshots.get(share.id, 0)
        reasons = share_blockers(share, several, snapshots, options, share_type)
        group = None if share_type is None else self._group(share, share_type, options)
        if reasons or group is None or not group.targets:
            # All reasons at once: those of the pools too, if none of them could take it.
            if group and not group.targets:
                reasons += group.refusals
            self._cannot(share, reasons)
            return
        order = (len(group.targets), *self._kind(share, group.share_type, options))
        self.items.append(_Item(share, options, group, order))

    def _options(self, share: Share) -> Options:
        """What Manila shall be asked for: shared by all shares of one type and network."""
        key = share.share_type_id, share.share_network_id
        options = self.ready.get(key)
        if options is None:
            required = set(self.request.require)
            if self.request.mechanism == "driver" and not required:
                # Manila has no switch for "by the driver or not at all".  It falls back to a
                # host-assisted copy unless something is demanded that only drivers can do
                # (share/manager.py, migration_start): this is the least demand.
                required.add("preserve_metadata")
            old = share.share_type_id or ""
            new = self.types.get(old, old)
            share_type = self.inventory.share_types.get(new)
            network = None
            if share_type is not None and uses_share_servers(share_type):
                network = self.request.share_network_map.get(share.share_network_id or "")
            options = self.ready[key] = Options(
                preserve_metadata="preserve_metadata" in required,
                preserve_snapshots="preserve_snapshots" in required,
                writable="writable" in required,
                nondisruptive="nondisruptive" in required,
                force_host_assisted_migration=self.request.mechanism == "host",
                new_share_type_id=new if new != old else None,
                new_share_network_id=network if network != share.share_network_id else None,
            )
        return options

    def _kind(self, share: Share, share_type: ShareType, options: Options) -> tuple[Any, ...]:
        """What decides about pools; and sorts the same in every run."""
        return (
            share_type.id,
            share.protocol,
            options.new_share_network_id or "",
            share.snapshot_id is not None,
            self.parts.get(share.host, 1.0),
        )

    def _group(self, share: Share, share_type: ShareType, options: Options) -> _Group:
        key = self._kind(share, share_type, options)
        group = self.groups.get(key)
        if group is None:
            targets = []
            refused: list[tuple[str, list[Reason]]] = []
            from_snapshot = share.snapshot_id is not None
            for room in self.rooms.values():
                pool = room.pool
                service = self.inventory.services.get(pool.backend)
                reasons = pool_blockers(share, share_type, pool, service, options, share.host)
                invalid = capacity_invalid(pool, share_type, from_snapshot)
                if invalid:
                    reasons.append(invalid)
                if reasons:
                    refused.append((pool.name, reasons))
                else:
                    targets.append(room)
            refusals = _condensed(refused)
            if not self.inventory.scheduler_up:
                refusals.append(SCHEDULER_DOWN)
            elif not self.rooms:
                where = f" at {', '.join(self.request.destinations)}"
                refusals.append(
                    Reason(
                        "no_destination",
                        "Manila's scheduler knows no pool"
                        + (where if self.request.destinations else " beside the source"),
                    )
                )
            group = self.groups[key] = _Group(
                share_type,
                thinks_thin(share_type),
                from_snapshot,
                self.parts.get(share.host, 1.0),
                tuple(targets),
                tuple(refusals),
            )
        return group

    # -- what it says ----------------------------------------------------------------------

    def _no_room(self, item: _Item) -> Sequence[Reason]:
        key = item.size, item.order
        reasons = self.full.get(key)
        if reasons is None:
            rooms = item.group.targets
            most = max(rooms, key=lambda room: room.holds(item.group))
            names = [room.name for room in rooms]
            reason = Reason(
                "no_capacity",
                f"{_listed(names)}: {item.size} GiB are needed and, with what is planned, there is "
                f"room for {most.holds(item.group):g} GiB"
                + (f" at most (at {most.name})" if len(names) > 1 else ""),
            )
            reasons = self.full[key] = (reason, *item.group.refusals)
        return reasons

    def _cannot(self, share: Share, reasons: Iterable[Reason]) -> None:
        entry = _subject(share.id, share)
        self.unplaced.append({**entry, "reasons": [reason.as_dict() for reason in reasons]})

    def _entry(
        self, share: Share, source: str, destination: str, options: Options, phase: str
    ) -> dict[str, Any]:
        found = warnings(share, self.inventory.snapshots.get(share.id, 0), options)
        share_type = self.inventory.share_types.get(share.share_type_id or "")
        return {
            "kind": SHARE,
            "id": share.id,
            "name": share.name,
            "label": share.name or share.id,
            "project_id": share.project_id,
            "source": source,
            "destination": destination,
            "size_gb": share.size_gb,
            "phase": phase,
            "share_type": share_type.name if share_type else share.share_type_name,
            "options": {one: getattr(options, one) for one in _OPTION_NAMES},
            "warnings": [reason.as_dict() for reason in found],
        }

    def _warn_of_pools(self, used: set[str]) -> None:
        silent = [name for name in sorted(used) if self.rooms[name].used is None]
        if silent:
            self.warnings.append(
                Reason("capacity_unknown", f"{_listed(silent)}: the capacity is not reported")
            )
        poison = [name for name, pool in sorted(self.pools.items()) if pool.free_gb == "infinite"]
        if poison:
            # The scheduler calculates with every pool of the destination's zone before it looks
            # at the destination, and fails altogether: scheduler/filters/capacity.py.
            self.warnings.append(
                Reason(
                    "capacity_invalid",
                    f"{_listed(poison)}: 'infinite' is reported as free capacity, with which "
                    "Manila's scheduler fails for all pools of the same availability zone",
                )
            )
        own = [
            name
            for name in sorted(used)
            if self.pools[name].capabilities.get("filter_function") is not None
        ]
        if own:
            self.warnings.append(
                Reason(
                    "filter_function",
                    f"{_listed(own)}: the driver filters by a function of its own, which only "
                    "Manila's scheduler applies",
                )
            )

    def _pools(self, migrations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Source and possible destinations, before and after."""
        coming: dict[str, int] = {}
        going: dict[str, int] = {}
        for entry in migrations:
            size = entry["size_gb"]
            coming[entry["destination"]] = coming.get(entry["destination"], 0) + size
            going[entry["source"]] = going.get(entry["source"], 0) + size
        listed = []
        for name, pool in sorted(self.pools.items()):
            room = self.rooms.get(name)
            if room is None and not covers(self.request.source, name):
                continue
            figures = room or _Room(pool, Load())
            more = figures.load.written_gb - going.get(name, 0) * self.parts[name]
            listed.append(
                {
                    "name": name,
                    "total_gb": pool.total_gb,
                    "free_gb": pool.free_gb,
                    "used_percent_before": _percent(figures.used, figures.total),
                    "used_percent_after": _percent(
                        None if figures.used is None else max(0.0, figures.used + more),
                        figures.total,
                    ),
                    "planned_gb_in": coming.get(name, 0),
                    "planned_gb_out": going.get(name, 0),
                }
            )
        return listed


_OPTION_NAMES = tuple(one.name for one in fields(Options))


def _subject(share_id: str, share: Share | None) -> dict[str, Any]:
    return {
        "kind": SHARE,
        "id": share_id,
        "name": share.name if share else "",
        "label": (share.name if share else "") or share_id,
        "size_gb": share.size_gb if share else None,
    }


def _condensed(refused: Sequence[tuple[str, Sequence[Reason]]]) -> list[Reason]:
    """Why the pools can't take a share: every reason of those that lack the least.

    A pool of another kind altogether has a dozen reasons of its own, and nobody will mend those.
    """
    least = min((len(reasons) for _name, reasons in refused), default=0)
    pools: dict[Reason, list[str]] = {}
    for name, reasons in refused:
        if len(reasons) == least:
            for reason in reasons:
                pools.setdefault(reason, []).append(name)
    return [Reason(one.code, f"{_listed(names)}: {one.message}") for one, names in pools.items()]


def _changed(new: Instance | None, several: Sequence[Instance], name: str) -> str | None:
    """A property of the new instance where it is not what the others have, else None."""
    if new is None:
        return None
    value: str | None = getattr(new, name)
    return value if any(getattr(one, name) != value for one in several) else None


def _percent(used: float | None, total: float | None) -> float | None:
    return None if used is None or not total else round(100 * used / total, 1)


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{len(names)} pools ({', '.join(names[:_NAMED])} …)"


# -- a plan read again -----------------------------------------------------------------------


def to_migrations(plan: Mapping[str, Any]) -> list[Migration]:
    """What a plan wants to be done, in its order.

    The plan may have been in anybody's hands: raises ValueError, with one sentence that says what
    is wrong where.
    """
    if not isinstance(plan, Mapping):
        raise ValueError("The plan is no dictionary.")
    if plan.get("version") != VERSION:
        raise ValueError(f"The plan has the version {plan.get('version')!r}, not {VERSION}.")
    entries = plan.get("migrations")
    if isinstance(entries, (str, Mapping)) or not isinstance(entries, Sequence):
        raise ValueError("The plan has no list of migrations.")
    migrations: list[Migration] = []
    known: set[str] = set()
    for number, entry in enumerate(entries, 1):
        migration = _to_migration(f"Migration {number} of the plan", entry)
        if migration.id in known:
            raise ValueError(f"Migration {number} of the plan repeats the share {migration.id}.")
        known.add(migration.id)
        migrations.append(migration)
    return migrations


def _to_migration(which: str, entry: object) -> Migration:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{which} is no dictionary.")
    if not isinstance(entry.get("id"), str) or not entry["id"]:
        raise ValueError(f"{which} has no id.")
    which = f"{which} ({entry['id']})"
    kind = entry.get("kind", SHARE)
    if kind != SHARE:
        raise ValueError(f"{which} is of the kind {kind!r}, which is not known.")
    for name in ("source", "destination"):
        place = entry.get(name)
        if not isinstance(place, str) or not is_pool(place):
            raise ValueError(f"{which} has the {name} {place!r}, which is not host@backend#pool.")
    if entry["source"] == entry["destination"]:
        raise ValueError(f"{which} has its source as destination, {entry['source']}.")
    size = entry.get("size_gb", 0)
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ValueError(f"{which} has the size_gb {size!r}, which is no number of GiB.")
    return Migration(
        id=entry["id"],
        source=entry["source"],
        destination=entry["destination"],
        name=str(entry.get("name") or ""),
        size_gb=size,
        kind=SHARE,
        options=_to_options(which, entry.get("options") or {}),
    )


def _to_options(which: str, given: object) -> Options:
    if not isinstance(given, Mapping):
        raise ValueError(f"{which} has options that are no dictionary.")
    unknown = sorted(str(name) for name in set(given) - set(_OPTION_NAMES))
    if unknown:
        raise ValueError(f"{which} has the unknown option {unknown[0]}.")
    for name, value in given.items():
        is_id = name.startswith("new_")
        if not (value is None or isinstance(value, str) if is_id else isinstance(value, bool)):
            wanted = "an ID" if is_id else "true or false"
            raise ValueError(f"{which} has the option {name} = {value!r}, which is not {wanted}.")
    options = Options(**given)
    conflict = options_conflict(options)
    if conflict:
        raise ValueError(f"{which} can't be: {conflict.message}.")
    return options


def _with_moves(
    pools: Sequence[Mapping[str, Any]], migrations: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The pools with what other moves bring and take; every share counted in full."""
    listed = []
    for pool in pools:
        coming = sum(one["size_gb"] for one in migrations if one["destination"] == pool["name"])
        going = sum(one["size_gb"] for one in migrations if one["source"] == pool["name"])
        before, total, after = pool["used_percent_before"], pool["total_gb"], None
        if before is not None and not isinstance(total, str) and total:
            after = round(max(0.0, before + 100 * (coming - going) / total), 1)
        moves = {"planned_gb_in": coming, "planned_gb_out": going, "used_percent_after": after}
        listed.append({**pool, **moves})
    return listed


def follow(
    plan: Mapping[str, Any], agreed: Mapping[str, Any], inventory: Inventory
) -> dict[str, Any]:
    """The plan that was agreed upon, as far as reality (a fresh ``plan``) still allows.

    Idle shares go where the agreed plan says, in its order; what runs already, where it goes.
    ``differences`` of the result names what is not as agreed.  Raises ValueError, with one
    sentence, if ``agreed`` is no plan or one for something else.
    """
    wanted = {migration.id: number for number, migration in enumerate(to_migrations(agreed))}
    if agreed.get("source") != plan["source"]:
        raise ValueError(f"It is a plan for {agreed.get('source')!r}, not for {plan['source']!r}.")
    differences = []
    migrations = {}
    for entry in plan["migrations"]:
        name = entry["name"] or entry["id"]
        number = wanted.get(entry["id"])
        if number is None:
            differences.append(Reason("new", f"{name} is at the source and not in the plan file"))
            continue
        old = agreed["migrations"][number]
        migrations[number] = entry
        if entry["phase"] == IDLE:
            migrations[number] = {
                **entry,
                "destination": old["destination"],
                "options": {**entry["options"], **(old.get("options") or {})},
            }
        elif entry["destination"] != old["destination"]:
            differences.append(
                Reason(
                    "redirected",
                    f"{name} migrates to {entry['destination']}, not to {old['destination']}",
                )
            )
    cannot = {entry["id"] for entry in plan["unplaced"] + plan["excluded"]}
    for number, old in enumerate(agreed["migrations"]):
        if number not in migrations and old["id"] not in cannot:
            name = old.get("name") or old["id"]
            differences.append(Reason("gone", f"{name} is not at the source any more"))
    followed = [migrations[number] for number in sorted(migrations)]
    for migration in to_migrations({"version": VERSION, "migrations": followed}):
        if migrations[wanted[migration.id]]["phase"] == IDLE:
            differences += [
                Reason("not_possible", f"{migration.name or migration.id}: {reason.message}")
                for reason in start_blockers(inventory, migration)
            ]
    return {
        **plan,
        "pools": _with_moves(plan["pools"], followed),
        "migrations": followed,
        "differences": [one.as_dict() for one in differences],
        "summary": {
            **plan["summary"],
            "migrations": len(followed),
            "size_gb": sum(entry["size_gb"] for entry in followed),
        },
    }
