# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason why a share can't be migrated, or will lose something by it.

Manila stops at the first reason, and gives those of its scheduler and its drivers only to its
logs.  Here all of them are found, before anything is started, from what the API shows.  Each rule
names the file of Manila (release 23.0.1) that it follows.

Messages are fragments of a sentence about one share ("its status is 'error', not 'available'") or
one pool ("the pool has no ..."): the caller says which.  Sizes are GiB, reservations percent.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.manila.migration.plugins.module_utils.records import (
    Instance,
    Options,
    Pool,
    Reason,
    Service,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils.states import (
    COPYING,
    MIGRATING,
    Observation,
    Place,
    Target,
    classify,
)

if TYPE_CHECKING:
    from ansible_collections.manila.migration.plugins.module_utils.engine import Migration

CODES: dict[str, str] = {
    # The share itself.
    "replicas": "The share has replicas; Manila migrates only shares without.",
    "share_group": "The share belongs to a share group; Manila does not migrate its members.",
    "status": "The status of the share is not 'available'.",
    "busy": "The task state of the share says that something works on it.",
    "access_rules_error": "The access rules of the share are in error.",
    "soft_deleted": "The share is in the recycle bin.",
    "instances": "The share has more than one instance: a leftover of an earlier migration.",
    "snapshots": "The share has snapshots that this way of migrating can't keep.",
    "no_share_type": "The share has no share type, or one that is not known.",
    "size_limit": "The new share type does not allow shares of this size.",
    "share_network": "The share type needs a share network, or must not have one.",
    # What is asked for.
    "options_conflict": "Options that exclude each other.",
    # The destination.
    "pool_unknown": "There is no such pool.",
    "same_pool": "The share is there already.",
    "service_missing": "No manila-share service is registered for the pool.",
    "service_disabled": "The pool's manila-share service is disabled.",
    "service_down": "The pool's manila-share service gives no sign of life.",
    "type_pinned": "The share type is pinned to another back end.",
    "share_servers": "Share type and pool differ in driver_handles_share_servers.",
    "protocol": "The pool does not offer the protocol of the share.",
    "capability": "The pool lacks a capability that the share type asks for.",
    "availability_zone": "The share type is not allowed in the pool's availability zone.",
    "no_capacity": "There is no room for the share.",
    "capacity_invalid": "The pool reports capacities that Manila's scheduler can't work with.",
    "scheduler_down": "No manila-scheduler is up, and only it knows the pools.",
    "no_destination": "No pool is left where the share could go.",
    # Migrations that exist already.
    "migrating_elsewhere": "The share already migrates to a place that is not allowed.",
    "destination_unknown": "The share just began to migrate; Manila hasn't chosen the place yet.",
    "stuck": "A migration of the share came to a halt and needs a repair.",
    "leftover": "An instance at the source that serves no share from there.",
    # Warnings.
    "read_only": "Clients can only read during the copy.",
    "affinity": "The share has an affinity hint, which is not looked at here.",
    "capacity_unknown": "A pool is used that does not report its capacity.",
    "filter_function": "A pool is used whose driver filters by a function of its own.",
    "fills_source": "A share is migrating to the place that shall be emptied.",
    "exclude_unknown": "Something is excluded that is not there.",
    "exclude_several": "A name that is excluded belongs to more than one share.",
    # Differences between a plan file and the cloud.
    "new": "Something is at the source that is not in the plan file.",
    "gone": "Something in the plan file is not at the source any more.",
    "not_possible": "A share can't go where the plan file says any more.",
    "redirected": "A share migrates to another place than the plan file says.",
}
"""Every code that a reason may have, with its meaning."""

SCHEDULER_DOWN = Reason(
    "scheduler_down", "no manila-scheduler is up and enabled, and only it knows the pools"
)

AFFINITY_KEYS = ("__affinity_same_host", "__affinity_different_host")
"""Metadata that the scheduler reads as hints: scheduler/drivers/filter.py."""


@dataclass(frozen=True)
class Inventory:
    """What there is.

    ``shares`` are those that have an instance at the place in question, and everything that
    migrates anywhere.  ``instances`` are by share ID, ``snapshots`` (how many) too; ``services``
    (manila-share) by ``host@backend``; ``share_types`` by ID.
    """

    shares: Sequence[Share] = ()
    instances: Mapping[str, Sequence[Instance]] = field(default_factory=dict)
    snapshots: Mapping[str, int] = field(default_factory=dict)
    pools: Sequence[Pool] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    share_types: Mapping[str, ShareType] = field(default_factory=dict)
    scheduler_up: bool = True
    """Only the scheduler knows pools: while none is up, ``pools`` is empty."""


# -- the share -------------------------------------------------------------------------------


def options_conflict(options: Options) -> Reason | None:
    """Forced host-assisted migration with something that only drivers can do: share/api.py."""
    if not options.force_host_assisted_migration:
        return None
    flags = [
        name
        for name in ("preserve_metadata", "preserve_snapshots", "writable", "nondisruptive")
        if getattr(options, name)
    ]
    if not flags:
        return None
    return Reason(
        "options_conflict",
        f"force_host_assisted_migration excludes {', '.join(flags)}: a host-assisted migration "
        "can't promise that",
    )


def share_blockers(
    share: Share,
    instances: Sequence[Instance],
    snapshots: int,
    options: Options,
    share_type: ShareType | None,
) -> list[Reason]:
    """Every reason in the share itself, wherever it shall go: share/api.py, migration_start().

    ``instances`` are those of the share (empty: not known), ``snapshots`` their number,
    ``share_type`` the type that it will have: the new one, or its own.
    """
    found = []
    replicas = sum(one.replica_state is not None for one in instances)
    has_replicas = share.has_replicas or replicas > 1
    if share.is_soft_deleted:
        found.append(Reason("soft_deleted", "it is in the recycle bin: restore it, or delete it"))
    if has_replicas:
        found.append(
            Reason("replicas", "it has replicas: Manila migrates a share only when it has none")
        )
    if share.share_group_id:
        found.append(
            Reason(
                "share_group",
                f"it belongs to the share group {share.share_group_id}: Manila does not migrate "
                "shares out of groups",
            )
        )
    if share.status != "available":
        found.append(Reason("status", f"its status is {share.status!r}, not 'available'"))
    if share.access_rules_status == "error":
        found.append(
            Reason("access_rules_error", "its access rules are in error: mend or remove them")
        )
    if Observation(share.id, share.status, share.host, share.task_state).state.phase in MIGRATING:
        # Backups show the same names: data/manager.py.
        found.append(
            Reason("busy", f"its task state is {share.task_state!r}: something works on it")
        )
    if len(instances) > 1 and not (has_replicas and replicas == len(instances)):
        places = ", ".join(sorted(f"{one.host or 'nowhere'} ({one.status})" for one in instances))
        found.append(
            Reason(
                "instances",
                f"it has {len(instances)} instances where one is expected, at {places}: Manila "
                "would mix them up, remove what is left over first",
            )
        )
    if snapshots and options.force_host_assisted_migration:
        found.append(
            Reason(
                "snapshots",
                f"it has {_many(snapshots, 'snapshot')}: host-assisted migration takes only "
                "shares without",
            )
        )
    conflict = options_conflict(options)
    if conflict:
        found.append(conflict)
    return found + _type_blockers(share, options, share_type)


def _type_blockers(share: Share, options: Options, share_type: ShareType | None) -> list[Reason]:
    """What the share type forbids anywhere: share/api.py, share/share_types.py."""
    if share_type is None:
        # Manila answers with an internal error where there is none.
        which = f"of the ID {share.share_type_id}, which is not known"
        which = which if share.share_type_id else "that is missing"
        return [Reason("no_share_type", f"it has a share type {which}: give it a new share type")]
    found = []
    if options.new_share_type_id is not None:
        # Manila checks the limits of new types only (provision_filter_on_size).
        for key, word, exceeds in (
            ("provisioning:min_share_size", "at least", operator.lt),
            ("provisioning:max_share_size", "at most", operator.gt),
        ):
            limit = share_type.extra_specs.get(key, "").strip()
            if limit.isdigit() and exceeds(share.size_gb, int(limit)):
                found.append(
                    Reason(
                        "size_limit",
                        f"it has {share.size_gb} GiB, and its new share type {share_type.name!r} "
                        f"wants {word} {limit} GiB",
                    )
                )
    servers = uses_share_servers(share_type)
    if servers and not (options.new_share_network_id or share.share_network_id):
        found.append(
            Reason(
                "share_network",
                f"the share type {share_type.name!r} works with share servers and it has no share "
                "network: give it a new share network",
            )
        )
    if not servers and options.new_share_network_id:
        found.append(
            Reason(
                "share_network",
                f"the share type {share_type.name!r} works without share servers: a new share "
                "network must not be given",
            )
        )
    return found


def warnings(share: Share, snapshots: int, options: Options) -> list[Reason]:
    """What does not prevent the migration of a share but may surprise somebody."""
    found = []
    if options.force_host_assisted_migration:
        found.append(Reason("read_only", "clients can only read while manila-data copies"))
    elif not options.writable:
        # share/manager.py migration_start(): any error of a driver leads to a host-assisted
        # migration if nothing was asked that only drivers can do.
        may_fall_back = not (
            options.preserve_metadata or options.preserve_snapshots or options.nondisruptive
        )
        found.append(
            Reason(
                "read_only",
                "clients can only read during the copy if the driver can't do better"
                + (" or Manila falls back to a host-assisted migration" if may_fall_back else ""),
            )
        )
    if snapshots and not (options.preserve_snapshots or options.force_host_assisted_migration):
        found.append(
            Reason(
                "snapshots",
                f"it has {_many(snapshots, 'snapshot')}: a driver that keeps them will do so, any "
                "other makes the migration fail",
            )
        )
    for key in AFFINITY_KEYS:
        if share.metadata.get(key):
            found.append(
                Reason(
                    "affinity",
                    f"it has the hint {key} = {share.metadata[key]}, which the scheduler obeys "
                    "and this check does not look at",
                )
            )
    return found


# -- the pool --------------------------------------------------------------------------------


def pool_blockers(
    share: Share,
    share_type: ShareType,
    pool: Pool,
    service: Service | None,
    options: Options,
    source: str,
) -> list[Reason]:
    """Every reason why ``pool`` can't take the share, its size aside (``fits`` does that).

    ``share_type`` is the type that the share will have, ``source`` the pool where it is.
    Of the share only the protocol counts, so one answer holds for all shares alike in that,
    in type, options and source.
    """
    found = []
    if pool.name == source and not (options.new_share_type_id or options.new_share_network_id):
        # Manila answers 200, does nothing and calls it a success: share/api.py.
        found.append(Reason("same_pool", "the share is in this pool already"))
    found += _service_blockers(service)
    zones = share_type.extra_specs.get("availability_zones", "")
    if zones and service and service.zone and service.zone not in zones.split(","):
        # share/api.py; exact names, blanks count.
        found.append(
            Reason(
                "availability_zone",
                f"the share type {share_type.name!r} is for the availability zones {zones}, and "
                f"the pool is in {service.zone}",
            )
        )
    return found + _spec_blockers(share, share_type, pool)


def _service_blockers(service: Service | None) -> list[Reason]:
    """utils.validate_service_host() in share/api.py, scheduler/host_manager.py."""
    if service is None:
        return [Reason("service_missing", "the pool has no manila-share service")]
    found = []
    if not service.enabled:
        why = f" ({service.disabled_reason})" if service.disabled_reason else ""
        found.append(
            Reason("service_disabled", f"the pool's manila-share service is disabled{why}")
        )
    if not service.alive:
        found.append(Reason("service_down", "the pool's manila-share service is down"))
    return found


# common/constants.py, ExtraSpecs.BOOLEAN: compared as truth values whatever the type says.
_BOOLEAN_SPECS = (
    "driver_handles_share_servers",
    "snapshot_support",
    "create_share_from_snapshot_support",
    "revert_to_snapshot_support",
    "mount_snapshot_support",
    "snapshot_inherit_share_access_support",
)

# scheduler/utils.py: no capabilities of pools.
_NOT_CAPABILITIES = ("availability_zones", "capabilities:availability_zones", "default_qos_type")


def _spec_blockers(share: Share, share_type: ShareType, pool: Pool) -> list[Reason]:
    """Extra specs against capabilities: scheduler/filters/capabilities.py, drivers/filter.py."""
    specs = {key: str(value) for key, value in share_type.extra_specs.items()}
    for key in _BOOLEAN_SPECS:
        if key in specs and not specs[key].startswith("<is>"):
            specs[key] = f"<is> {specs[key]}"
    if share.protocol:
        specs.setdefault("storage_protocol", f"<in> {share.protocol}")
    found = []
    for key, wants in sorted(specs.items()):
        scope = key.split(":")
        if key in _NOT_CAPABILITIES or (len(scope) > 1 and scope[0] != "capabilities"):
            continue
        path = scope[1:] if scope[0] == "capabilities" else scope
        has = _capability(pool, path)
        # Several values: one that fits is enough.
        if not any(spec_matches(one, wants) for one in (has if isinstance(has, list) else [has])):
            found.append(_mismatch(share, share_type, ":".join(path), wants, has))
    if specs.get("default_qos_type") and not pool.capabilities.get("qos_type_support"):
        found.append(_mismatch(share, share_type, "qos_type_support", "True", None))
    if "replication_type" in specs and pool.capabilities.get("replication_domain") is None:
        # scheduler/filters/share_replication.py
        found.append(_mismatch(share, share_type, "replication_domain", "any", None))
    return found


def _capability(pool: Pool, path: Sequence[str]) -> object:
    value: object = pool.capabilities
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _mismatch(share: Share, share_type: ShareType, key: str, wants: str, has: object) -> Reason:
    """The reason for one capability, in the words of what it is about."""
    kind = repr(share_type.name)
    reported = "reports none" if has is None else f"has {has!r}"
    if key == "share_backend_name":
        return Reason(
            "type_pinned",
            # Without a word of the pool: it is the same sentence for all of them.
            f"the share type {kind} is pinned to share_backend_name = {wants!r}: map it to another "
            "type (share_type_map, new_share_type)",
        )
    if key == "driver_handles_share_servers":
        return Reason(
            "share_servers",
            f"the share type {kind} asks for driver_handles_share_servers = {wants!r} and the pool "
            f"{reported}",
        )
    if key == "storage_protocol" and wants == f"<in> {share.protocol}":
        return Reason("protocol", f"the share needs {share.protocol} and the pool {reported}")
    return Reason(
        "protocol" if key == "storage_protocol" else "capability",
        f"the share type {kind} asks for {key} = {wants!r} and the pool {reported}",
    )


_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_FALSE = frozenset({"0", "f", "false", "off", "n", "no"})


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in _TRUE


def _by_number(compare: Callable[[float, float], bool]) -> Callable[[Any, str], bool]:
    return lambda has, wants: compare(float(has), float(wants))


_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "=": _by_number(operator.ge),  # at least: as the scheduler has it
    "==": _by_number(operator.eq),
    "!=": _by_number(operator.ne),
    ">=": _by_number(operator.ge),
    "<=": _by_number(operator.le),
    "<in>": lambda has, wants: wants in has,
    "<is>": lambda has, wants: _is_true(has) is _is_true(wants),
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}


def spec_matches(has: object, wants: str) -> bool:
    """Whether a capability satisfies an extra spec: scheduler/filters/extra_specs_ops.py.

    What makes the scheduler fail with an exception (a number compared with a text) is no match
    here: the migration would end in an error all the same.
    """
    if has is None:
        return False
    value: Any = has.lower() if isinstance(has, str) else has
    wants = wants.lower()
    words = wants.split()
    sign = words[0] if words else ""
    if sign == "<or>":
        return isinstance(value, str) and value in words[1::2]
    if sign not in _OPERATORS:
        if isinstance(value, bool):
            word = wants.strip()
            return word in (_TRUE if value else _FALSE)
        return bool(value == wants)
    if len(words) < 2:
        return False
    try:
        return bool(_OPERATORS[sign](value, words[1]))
    except (TypeError, ValueError):
        return False


def uses_share_servers(share_type: ShareType) -> bool:
    """Whether shares of the type live on share servers (and so need a share network)."""
    return _is_true(share_type.extra_specs.get("driver_handles_share_servers", ""))


# -- capacity --------------------------------------------------------------------------------


class Load(NamedTuple):
    """What comes to a pool and is not in its figures yet.

    ``committed_gb`` is the size of the shares, ``written_gb`` the part of it that will really be
    taken from the free space.
    """

    committed_gb: float = 0
    written_gb: float = 0


def thinks_thin(share_type: ShareType) -> bool:
    """Whether the scheduler may over-subscribe for shares of this type: scheduler/utils.py."""
    specs = share_type.extra_specs
    wish = specs.get("thin_provisioning", specs.get("capabilities:thin_provisioning"))
    if wish is None:
        return True
    word = str(wish).strip().lower()
    return word in _TRUE or (word not in _FALSE and spec_matches(True, str(wish)))


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


def written_gb_at(pool: Pool, thin: bool, size_gb: float, part: float) -> float:
    """How much of the free space of ``pool`` a share of ``size_gb`` will take.

    ``thin`` is what ``thinks_thin`` says of its type, ``part`` how much of it is written
    (``written_part`` of the pool that it leaves).  Only where type and pool are thin does that
    lessen what it takes.
    """
    return size_gb * part if thin and pool.thin_provisioning else size_gb


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

    Where a driver doesn't say, the scheduler adds up the instances in its database
    (scheduler/host_manager.py): what is allocated comes next to that, and what is used.
    """
    if pool.provisioned_gb is not None:
        return pool.provisioned_gb
    if pool.allocated_gb is not None:
        return pool.allocated_gb
    if isinstance(pool.total_gb, str) or isinstance(pool.free_gb, str):
        return 0
    return max(0, pool.total_gb - pool.free_gb)


# -- what is under way -----------------------------------------------------------------------


def observe(share: Share, instances: Sequence[Instance]) -> Observation:
    """The share as the table of states reads it.  Without instances these are not known."""
    return Observation(
        id=share.id,
        name=share.name,
        size_gb=share.size_gb,
        status=share.status,
        host=share.host,
        task_state=share.task_state,
        instances=tuple(Place(one.host, one.status) for one in instances) or None,
        share_type_id=share.share_type_id,
        share_network_id=share.share_network_id,
        access_rules_status=share.access_rules_status,
    )


# The destination's back end has not been asked for anything yet, or is just being asked.
_NOT_THERE_YET = frozenset(
    {"migration_starting", "migration_in_progress", "migration_driver_starting"}
)


def in_flight(inventory: Inventory) -> dict[str, Load]:
    """By pool, what migrations that run already bring and the pool may not report yet.

    A share counts in full until the destination has been created, which the task state shows.
    From then on a pool's report has its size, within a minute; counting it twice would make a
    plan that is repeated in the middle of a run find the destination full.  What a thin pool has
    free, however, shrinks only as data comes in: there the written part counts until the copy is
    done.
    """
    pools = {pool.name: pool for pool in inventory.pools}
    loads: dict[str, Load] = {}
    for share in inventory.shares:
        instances = inventory.instances.get(share.id, ())
        seen = observe(share, instances)
        pool = pools.get(seen.destination or "")
        if pool is None or classify(seen, Target()) != COPYING:
            continue
        source = pools.get(share.host)
        types = [one.share_type_id or "" for one in instances if one.host == pool.name]
        share_type = inventory.share_types.get(types[0])
        thin = share_type is None or thinks_thin(share_type)
        part = written_part(source) if source else 1.0
        load = Load(share.size_gb, written_gb_at(pool, thin, share.size_gb, part))
        if share.task_state not in _NOT_THERE_YET:
            load = Load(0, load.written_gb if pool.thin_provisioning else 0)
        had = loads.get(pool.name, Load())
        loads[pool.name] = Load(
            had.committed_gb + load.committed_gb, had.written_gb + load.written_gb
        )
    return loads


def start_blockers(inventory: Inventory, migration: Migration) -> list[Reason]:
    """Every reason why one migration of one share of the inventory must not be started now."""
    share = next((one for one in inventory.shares if one.id == migration.id), None)
    if share is None:
        return [Reason("status", "it does not exist any more")]
    options = migration.options
    share_type = inventory.share_types.get(options.new_share_type_id or share.share_type_id or "")
    found = share_blockers(
        share,
        inventory.instances.get(share.id, ()),
        inventory.snapshots.get(share.id, 0),
        options,
        share_type,
    )
    if migration.destination is None:
        return found
    pool = next((one for one in inventory.pools if one.name == migration.destination), None)
    if pool is None:
        if inventory.scheduler_up:
            found.append(Reason("pool_unknown", f"there is no pool {migration.destination}"))
        else:
            found.append(SCHEDULER_DOWN)
        return found
    if share_type is None:
        return found + _service_blockers(inventory.services.get(pool.backend))
    service = inventory.services.get(pool.backend)
    reasons = pool_blockers(share, share_type, pool, service, options, share.host)
    load = in_flight(inventory).get(pool.name, Load())
    from_snapshot = share.snapshot_id is not None
    full = fits(pool, share_type, share.size_gb, load.committed_gb, from_snapshot, load.written_gb)
    if full:
        reasons.append(full)
    found += [Reason(one.code, f"{pool.name}: {one.message}") for one in reasons]
    return found


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _gb(capacity: float | str) -> str:
    return capacity if isinstance(capacity, str) else f"{capacity:g}"
