# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much fits into a pool, counted as Manila's scheduler does it, and what is coming already.

Sizes are GiB, reservations percent.  Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.manila.migration.plugins.module_utils.observation import (
    observe_server,
    observe_share,
)
from ansible_collections.manila.migration.plugins.module_utils.records import (
    Instance,
    Pool,
    Reason,
    Service,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils.specs import thinks_thin
from ansible_collections.manila.migration.plugins.module_utils.states import (
    COMPLETING,
    COPIED,
    COPYING,
    MOVING,
    SHARE,
    SHARE_SERVER,
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils.wording import listed

if TYPE_CHECKING:
    from ansible_collections.manila.migration.plugins.module_utils.feasibility import Inventory


class Load(NamedTuple):
    """What comes to a pool and is not in its figures yet.

    ``committed_gb`` is the size of the shares, ``written_gb`` the part of it that will really be
    taken from the free space.  ``spare_gb`` must be left of it when all have come, or the scheduler
    refuses the one that starts last, whichever that is.
    """

    committed_gb: float = 0
    written_gb: float = 0
    spare_gb: float = -math.inf

    def plus(self, other: Load) -> Load:
        """Both together."""
        return Load(
            self.committed_gb + other.committed_gb,
            self.written_gb + other.written_gb,
            max(self.spare_gb, other.spare_gb),
        )

    def started(self) -> Load:
        """The same for what the scheduler has let in already."""
        return self._replace(spare_gb=-math.inf)


NOTHING = Load()


def written_part(pool: Pool) -> float:
    """How much of what ``pool`` has promised is really written there, 0 to 1.

    Manila doesn't know it of a single share.  Of a thin pool it can be told for all its shares
    together; of any other everything counts as written.
    """
    total, free, promised = pool.total_gb, pool.free_gb, pool.provisioned_gb
    if not pool.thin_provisioning or isinstance(total, str) or isinstance(free, str):
        return 1.0
    if not promised or promised <= 0:
        return 1.0
    return min(1.0, max(0.0, total - free) / promised)


def weights(pools: Iterable[Pool]) -> dict[str, float]:
    """How much of a share's size counts in each of these pools when they are compared.

    All of it, except in thin ones: there the written part, told of all of them together, as it
    hardly changes when shares move between them; but no less than what a share takes of what the
    pool may promise.
    """
    pools = list(pools)
    used = promised = 0.0
    for pool in pools:
        if pool.thin_provisioning and pool.provisioned_gb:
            used += written_part(pool) * pool.provisioned_gb
            promised += pool.provisioned_gb
    written = used / promised if promised else 1.0
    return {
        pool.name: max(written, 1 / max(1.0, pool.max_over_subscription_ratio))
        if pool.thin_provisioning
        else 1.0
        for pool in pools
    }


def capacity_invalid(
    pool: Pool, share_type: ShareType, from_snapshot: bool = False
) -> Reason | None:
    """Why the scheduler can't calculate with the figures of ``pool`` at all, None if it can.

    scheduler/filters/capacity.py.  A free space of 'infinite' makes the filter itself fail, so
    such a pool gets nothing, whatever it could hold.
    """
    total, free = pool.total_gb, pool.free_gb
    if free == "unknown":
        return None
    if isinstance(free, str) or not math.isfinite(free):
        return Reason(
            "capacity_invalid",
            f"the pool reports {free!r} as its free capacity, which Manila's scheduler can't "
            "work with",
        )
    if total == "unknown":
        if _reserved(pool, from_snapshot):
            return Reason(
                "capacity_invalid",
                "the pool reserves a part of a total capacity that it does not report",
            )
        return None
    if isinstance(total, str) or not math.isfinite(total) or total <= 0:
        return Reason("capacity_invalid", f"the pool reports {total!r} as its total capacity")
    if pool.thin_provisioning and thinks_thin(share_type) and pool.max_over_subscription_ratio < 1:
        return Reason(
            "capacity_invalid",
            f"the pool's max_over_subscription_ratio is {pool.max_over_subscription_ratio:g}, "
            "Manila's scheduler wants 1 or more",
        )
    return None


def breaks_scheduler(pool: Pool, from_snapshot: bool = False) -> bool:
    """Whether the scheduler fails at the figures of ``pool``, instead of leaving it out.

    scheduler/filters/capacity.py.
    """
    total, free = pool.total_gb, pool.free_gb
    if free in ("unknown", "None"):
        return False
    if total == "unknown":
        return isinstance(free, str) and not _reserved(pool, from_snapshot)
    return isinstance(total, str) or (total > 0 and isinstance(free, str))


def scheduler_fails(
    pools: Iterable[Pool],
    services: Mapping[str, Service],
    zone: str | None,
    from_snapshot: bool = False,
) -> Reason | None:
    """Why the scheduler lets nothing into any pool of the availability zone ``zone``, or None.

    ``services`` are those of manila-share, by ``host@backend``.  Before the scheduler looks at the
    destination that it was asked for, it calculates with all pools of the destination's zone whose
    services are up and enabled (scheduler/drivers/filter.py, host_passes_filters).
    """
    breaking = [
        pool.name
        for pool in pools
        if breaks_scheduler(pool, from_snapshot)
        for service in [services.get(pool.backend)]
        if service and service.enabled and service.alive and service.zone == zone
    ]
    if not breaking:
        return None
    return Reason(
        "capacity_invalid",
        f"{listed(sorted(breaking), 'pool')}: Manila's scheduler can't calculate with the "
        f"capacities that are reported, and so it fails for all pools of the availability zone "
        f"{zone}: disable the service of that back end until its driver is mended",
    )


def with_promises(
    pools: Iterable[Pool], instances: Iterable[Instance], sizes: Mapping[str, int]
) -> list[Pool]:
    """The pools, with what thin ones have promised where their drivers don't report it.

    scheduler/host_manager.py adds up the sizes of the shares that have an instance in the pool.
    It counts instances that were deleted long ago, too, as long as their shares exist elsewhere
    (db/sqlalchemy/api.py, share_instance_sizes_sum_by_host); those nobody can see.  ``instances``
    are all of the cloud, ``sizes`` those of all shares, by ID.
    """
    sums: dict[str, int] = {}
    for one in instances:
        sums[one.host] = sums.get(one.host, 0) + sizes.get(one.share_id, 0)
    return [
        replace(pool, provisioned_gb=sums.get(pool.name, 0)) if hides_promises(pool) else pool
        for pool in pools
    ]


def hides_promises(pool: Pool) -> bool:
    """Whether the scheduler has to add up what a pool has promised."""
    return pool.thin_provisioning and pool.provisioned_gb is None


def headroom(
    pool: Pool,
    share_type: ShareType,
    committed_gb: float = 0,
    from_snapshot: bool = False,
    written_gb: float | None = None,
) -> float:
    """The largest share, in whole GiB, that the scheduler would let into ``pool``.

    scheduler/filters/capacity.py, after ``committed_gb`` more than the pool reports has come to
    it, of which ``written_gb`` (None: all) is taken from its free space.  ``from_snapshot``: the
    share was made from one, which has a reservation of its own.  The scheduler itself
    doesn't reserve for migrations (scheduler/manager.py, migrate_share_to_host), so whoever plans
    must.  Infinite where the pool doesn't report its free space: Manila tries its luck there.
    """
    if capacity_invalid(pool, share_type, from_snapshot):
        return 0
    total, free = pool.total_gb, pool.free_gb
    if isinstance(free, str):
        return math.inf
    free -= committed_gb if written_gb is None else written_gb
    if isinstance(total, str):
        return max(0, math.floor(free))
    free = math.floor(free - total * (_reserved(pool, from_snapshot) / 100))
    if not (pool.thin_provisioning and thinks_thin(share_type)):
        return max(0, free)
    ratio = pool.max_over_subscription_ratio
    promised = _provisioned(pool) + committed_gb
    room = math.floor(total * ratio - promised)
    # The scheduler compares quotients: agree with it to the last bit.
    if room > 0 and (promised + room) / total > ratio:
        room -= 1
    elif (promised + room + 1) / total <= ratio:
        room += 1
    return max(0, min(room, math.floor(free * ratio)))


def fits(
    pool: Pool,
    share_type: ShareType,
    size_gb: float,
    committed_gb: float = 0,
    from_snapshot: bool = False,
    written_gb: float | None = None,
) -> Reason | None:
    """Why a share of ``size_gb`` has no room in ``pool``, None if it has.  See ``headroom``."""
    invalid = capacity_invalid(pool, share_type, from_snapshot)
    if invalid:
        return invalid
    room = headroom(pool, share_type, committed_gb, from_snapshot, written_gb)
    if size_gb <= room:
        return None
    details = [f"{_gb(pool.free_gb)} of {_gb(pool.total_gb)} GiB are free"]
    if _reserved(pool, from_snapshot):
        details.append(f"{_reserved(pool, from_snapshot):g} % are reserved")
    if pool.thin_provisioning and thinks_thin(share_type):
        details.append(
            f"{_provisioned(pool):g} GiB are promised, "
            f"{pool.max_over_subscription_ratio:g} times the capacity may be"
        )
    if committed_gb:
        details.append(f"{committed_gb:g} GiB are planned or on their way")
    return Reason(
        "no_capacity",
        f"{size_gb:g} GiB are needed and there is room for {room:g} GiB ({', '.join(details)})",
    )


def _reserved(pool: Pool, from_snapshot: bool) -> float:
    return pool.reserved_snapshot_percentage if from_snapshot else pool.reserved_percentage


def _provisioned(pool: Pool) -> float:
    """What a thin pool has promised so far.

    Where a driver doesn't say, and nobody added up (``with_promises``), what is allocated comes
    next to that, and what is used.
    """
    if pool.provisioned_gb is not None:
        return pool.provisioned_gb
    if pool.allocated_gb is not None:
        return pool.allocated_gb
    if isinstance(pool.total_gb, str) or isinstance(pool.free_gb, str):
        return 0
    return max(0, pool.total_gb - pool.free_gb)


def _gb(capacity: float | str) -> str:
    return capacity if isinstance(capacity, str) else f"{capacity:g}"


# -- shares and rooms ------------------------------------------------------------------------


class Claim(NamedTuple):
    """The room that one share wants.

    ``pool`` is where it is, ``thin`` whether its type allows over-subscription (``thinks_thin``);
    ``written`` how much of it takes space, see ``written_part``.
    """

    share_id: str
    size_gb: int
    pool: str
    share_type: ShareType
    thin: bool
    from_snapshot: bool = False
    written: float = 1.0


def claim_for(
    share: Share, host: str, share_type: ShareType | None, pools: Mapping[str, Pool]
) -> Claim:
    """What a share that is at the pool ``host`` wants, with the type that it will have."""
    source = pools.get(host)
    share_type = share_type or ShareType("", "")
    return Claim(
        share.id,
        share.size_gb,
        host,
        share_type,
        thinks_thin(share_type),
        share.snapshot_id is not None,
        written_part(source) if source else 1.0,
    )


def claims_aboard(inventory: Inventory, server_id: str) -> tuple[Claim, ...]:
    """What the shares on a share server want, which keep their types; largest first."""
    claims = (
        claim_for(
            share,
            host,
            inventory.share_types.get(share.share_type_id or ""),
            inventory.pools_by_name,
        )
        for share, host in inventory.aboard(server_id)
    )
    return tuple(sorted(claims, key=lambda one: (-one.size_gb, one.share_id, one.pool)))


class Room:
    """A pool, and what comes to it beside what it reports."""

    def __init__(self, pool: Pool, load: Load = NOTHING) -> None:
        self.pool = pool
        self.name = pool.name
        self.load = load
        self._begun = load
        self._holds: dict[tuple[bool, bool, float], float] = {}
        self._promised = pool.provisioned_gb if pool.thin_provisioning else None
        self.total = None if isinstance(pool.total_gb, str) else max(pool.total_gb, 0)
        self.used = (
            None
            if self.total is None or isinstance(pool.free_gb, str)
            else self.total - pool.free_gb
        )
        self._ratio = (
            max(1, pool.max_over_subscription_ratio)
            if self.total is not None and pool.thin_provisioning
            else 1
        )
        self._may_promise = (self.total or 0) * self._ratio
        self._reserved = {
            from_snapshot: (self.total or 0) * (_reserved(pool, from_snapshot) / 100)
            for from_snapshot in (False, True)
        }

    def holds(self, claim: Claim, more: Load = NOTHING) -> float:
        """The largest share like ``claim`` for which there is room beside ``more``, in GiB.

        In whatever order they start: what counts as room for one must not be needed by another.
        """
        if more != NOTHING:
            return self._headroom(claim, self.load.plus(more))
        key = claim.thin, claim.from_snapshot, claim.written
        room = self._holds.get(key)
        if room is None:
            room = self._holds[key] = self._headroom(claim, self.load)
        return room

    def _headroom(self, claim: Claim, load: Load) -> float:
        free = self.pool.free_gb
        last = headroom(
            self.pool, claim.share_type, load.committed_gb, claim.from_snapshot, load.written_gb
        )
        part = self._part(claim)
        if isinstance(free, str) or load.spare_gb == -math.inf or not part:
            return last
        first = free - load.written_gb - load.spare_gb
        return max(0, min(last, math.floor(first / part)))

    def takes(self, claim: Claim) -> Load:
        """What comes to the pool with a share.

        Of its free space the written part, if type and pool are thin, or else all of it.
        """
        size_gb = needed = claim.size_gb
        reserved = self._reserved[claim.from_snapshot]
        part = self._part(claim)
        if claim.thin:
            # Of the free space whole GiB count, times the ratio: see ``headroom``.
            needed = math.ceil(size_gb / self._ratio)
        return Load(size_gb, size_gb * part, reserved + (needed - size_gb * part))

    def _part(self, claim: Claim) -> float:
        return claim.written if claim.thin and self.pool.thin_provisioning else 1.0

    def add(self, load: Load) -> None:
        """Count something in."""
        self.set(self.load.plus(load))

    def set(self, load: Load) -> None:
        """Say what comes to it."""
        self.load = load
        self._holds.clear()

    def keep(self) -> None:
        """What has been placed stays."""
        self._begun = self.load

    def reset(self) -> None:
        """Back to what came before anything was placed, or to what was kept."""
        self.set(self._begun)

    def fill(self, more: Load = NOTHING) -> tuple[bool, float]:
        """How near its limits the pool will be with ``more``, to compare pools by.

        Of a thin pool the space or the promises, whichever is scarcer.  Pools that don't tell
        come after all that do, those with the least planned first.
        """
        return self._filled(more.committed_gb, more.written_gb)

    def fill_with(self, claim: Claim) -> tuple[bool, float]:
        """The same with one share: ``fill(takes(claim))``, without working out all of that."""
        return self._filled(claim.size_gb, claim.size_gb * self._part(claim))

    def _filled(self, committed_gb: float, written_gb: float) -> tuple[bool, float]:
        committed = self.load.committed_gb + committed_gb
        if self.used is None or not self.total:
            return True, committed
        fill = (self.used + self.load.written_gb + written_gb) / self.total
        if self._promised is not None:
            fill = max(fill, (self._promised + committed) / self._may_promise)
        return False, fill


class Settlement(NamedTuple):
    """Rooms for several shares, one for each in their order, and what comes to each room.

    ``lacking`` are those for which none was left; they stand where they are expected all the same.
    """

    rooms: Sequence[Room]
    loads: Mapping[str, Load]
    lacking: Sequence[Claim] = ()


def settle(claims: Sequence[Claim], rooms: Sequence[Room], arrived: bool = False) -> Settlement:
    """Room for shares, largest first, that go to one back end together, as it is likely to come.

    Which of its pools takes which share only the driver decides.  Pools are often named alike
    where back ends are, and a share is expected in the pool that is named like its own, if that
    has room, or else where most room is.  ``rooms`` are by name.  What has ``arrived`` needs no
    more room: pools count it in what they report.
    """
    chosen: list[Room] = []
    lacking: list[Claim] = []
    loads: dict[str, Load] = {}
    for claim in claims:
        room, has_room = _best(claim, rooms, loads, 0 if arrived else claim.size_gb)
        chosen.append(room)
        if has_room:
            loads[room.name] = loads.get(room.name, NOTHING).plus(room.takes(claim))
        else:
            lacking.append(claim)
    return Settlement(chosen, loads, lacking)


def _best(
    claim: Claim, rooms: Sequence[Room], loads: Mapping[str, Load], needed_gb: int
) -> tuple[Room, bool]:
    name = claim.pool.partition("#")[2]

    def rank(room: Room) -> tuple[bool, bool, bool, float]:
        holds = room.holds(claim, loads.get(room.name, NOTHING))
        has_name = room.name.partition("#")[2] == name
        return holds >= needed_gb, has_name, room.used is not None, holds

    # The first of equals: max() keeps it.
    best = max(rooms, key=rank)
    return best, rank(best)[0]


# -- what is under way -----------------------------------------------------------------------

# The destination's back end has not been asked for anything yet, or is just being asked.
_NOT_THERE_YET = frozenset(
    {"migration_starting", "migration_in_progress", "migration_driver_starting"}
)


class UnderWay(NamedTuple):
    """What migrations that run bring to pools, and the pools that don't report it yet.

    ``loads`` are by pool, ``places`` the pools in which the shares of migrating share servers are
    expected, by the IDs of the shares.
    """

    loads: Mapping[str, Load]
    places: Mapping[str, str]


def under_way(inventory: Inventory) -> UnderWay:
    """What runs, of shares and of share servers.

    It counts in full until the destination's back end has been asked for it, which the task state
    shows, and from then on as far as a pool's report lacks it.  Counted twice it would make a plan
    that is repeated in the middle of a run find the destination full.
    """
    rooms = {pool.name: Room(pool) for pool in sorted(inventory.pools, key=lambda one: one.name)}
    _add_shares(inventory, rooms)
    places = _add_servers(inventory, rooms)
    return UnderWay(
        {name: room.load for name, room in rooms.items() if room.load != NOTHING}, places
    )


def _add_shares(inventory: Inventory, rooms: Mapping[str, Room]) -> None:
    """Shares by themselves: a pool's report has their size when the destination has been made.

    What a thin pool has free, however, shrinks only as data comes in: there the written part
    counts until the copy is done.
    """
    for share in inventory.shares:
        if share.status != MOVING[SHARE]:
            continue
        instances = inventory.instances.get(share.id, ())
        seen = observe_share(share, instances or None)
        room = rooms.get(seen.destination or "")
        if room is None or classify(seen, Target()) != COPYING:
            continue
        types = [one.share_type_id or "" for one in instances if one.host == room.name]
        share_type = inventory.share_types.get(types[0])
        claim = claim_for(share, share.host, share_type, inventory.pools_by_name)
        load = room.takes(claim).started()
        if share.task_state not in _NOT_THERE_YET:
            load = Load(0, load.written_gb if room.pool.thin_provisioning else 0)
        room.add(load)


def _add_servers(inventory: Inventory, rooms: Mapping[str, Room]) -> dict[str, str]:
    """Shares that migrate with their servers.  Returns the pools where they are expected.

    Their instances change places only at the end (share/manager.py,
    _server_migration_complete_driver).  Until then the promises of thin pools, which Manila sums
    up from its database for every driver that migrates servers (scheduler/host_manager.py), lack
    them.  The free space is the driver's word, and shrinks as for any other share.
    """
    places: dict[str, str] = {}
    moving = (one.id for one in inventory.servers if one.status == MOVING[SHARE_SERVER])
    for server_id in sorted(moving):
        seen = observe_server(server_id, inventory.servers)
        if seen is None or seen.destination is None:
            continue
        phase = classify(seen, Target())
        targets = [room for room in rooms.values() if room.pool.backend == seen.destination]
        if not targets or phase not in (COPYING, COPIED, COMPLETING):
            continue
        claims = claims_aboard(inventory, server_id)
        arrived = seen.task_state not in _NOT_THERE_YET
        for claim, room in zip(claims, settle(claims, targets, arrived).rooms):
            places[claim.share_id] = room.name
            load = room.takes(claim).started()
            if arrived:
                thin = room.pool.thin_provisioning
                load = Load(
                    load.committed_gb if thin else 0,
                    load.written_gb if thin and phase == COPYING else 0,
                )
            room.add(load)
    return places
