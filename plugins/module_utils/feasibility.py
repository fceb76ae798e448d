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

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ansible_collections.manila.migration.plugins.module_utils.capacity import (
    NOTHING,
    Load,
    fits,
    under_way,
)
from ansible_collections.manila.migration.plugins.module_utils.records import (
    Compatibility,
    Instance,
    Options,
    Pool,
    Reason,
    Service,
    Share,
    ShareNetwork,
    ShareServer,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils.specs import (
    spec_matches,
    uses_share_servers,
)
from ansible_collections.manila.migration.plugins.module_utils.states import (
    MIGRATING,
    Observation,
)
from ansible_collections.manila.migration.plugins.module_utils.wording import many

if TYPE_CHECKING:
    from ansible_collections.manila.migration.plugins.module_utils.engine import Migration

CODES: dict[str, str] = {
    # The share itself.
    "replicas": "A share has replicas; Manila migrates only shares without, drivers perhaps share servers.",
    "share_group": "The share belongs to a share group; Manila does not migrate its members.",
    "status": "The status of a share is not 'available', or that of a share server not 'active'.",
    "busy": "The task state says that something works on it.",
    "access_rules_error": "The access rules of the share are in error.",
    "soft_deleted": "The share is in the recycle bin.",
    "instances": "A share has more instances than it should, or one in the wrong state: a leftover.",
    "snapshots": "There are snapshots that this way of migrating can't keep, or that are not available.",
    "no_share_type": "The share has no share type, or one that is not known.",
    "size_limit": "The new share type does not allow shares of this size.",
    "share_network": "A share network is missing, must not be there, or is not active.",
    # Its replicas.
    "replica_state": "A replica of the share is in error, in the middle of something, or one too many.",
    "no_active_replica": "The share has no active replica, or one that the scheduler doesn't consider.",
    "second_replica": "Another replica of the share, also at the source, is moved first: run it again then.",
    "replica_there": "The pool holds a replica of the share already.",
    "replication_domain": "The pool is not in the replication domain of the share's active replica.",
    # The share server.
    "encryption": "The share server has an encryption key.",
    "no_shares": "The share server has no shares.",
    "unfinished_destination": "A destination of an older migration is still migrating.",
    "same_place": "The share server is there already, in the same share network.",
    "same_backend_name": "Another host's back end of the same name, which Manila takes for the same.",
    "share_network_subnet": "The share network has no subnet in the destination's zone.",
    "not_writable": "The shares shall stay writable, and the driver can't do that.",
    "not_nondisruptive": "Clients shall stay connected, and the driver can't do that.",
    "not_preserve_snapshots": "Snapshots shall be kept, and the driver can't do that.",
    "incompatible": "The driver says no, and not why.",
    "refused": "Manila's own check refuses it.",
    # What is asked for.
    "options_conflict": "Options that exclude each other.",
    "excluded_share": "A share is excluded, and its share server moves with all its shares or not at all.",
    # The destination.
    "pool_unknown": "There is no such pool.",
    "same_pool": "The share is there already.",
    "service_missing": "No manila-share service is registered for the destination.",
    "service_disabled": "The destination's manila-share service is disabled.",
    "service_down": "The destination's manila-share service gives no sign of life.",
    "type_pinned": "The share type is pinned to another back end; for a share server a warning.",
    "share_servers": "What moves and the destination differ in driver_handles_share_servers.",
    "protocol": "The pool does not offer the protocol of the share.",
    "capability": "The pool lacks a capability that the share type asks for.",
    "availability_zone": "The share type is not allowed in the destination's availability zone.",
    "no_capacity": "There is no room for it.",
    "capacity_invalid": "The pool reports capacities that Manila's scheduler can't work with.",
    "scheduler_down": "No manila-scheduler is up, and only it knows the pools.",
    "no_destination": "No place is left where it could go.",
    # Migrations that exist already.
    "migrating_elsewhere": "It already migrates to a place that is not allowed.",
    "destination_unknown": "It just began to migrate, or is being cancelled; the place doesn't show.",
    "stuck": "Its migration came to a halt, or failed at the end, and needs a repair.",
    "leftover": "An instance at the source that serves no share from there.",
    # Warnings.
    "read_only": "Clients can only read during the copy.",
    "disruptive": "The cutover disconnects clients: export locations change.",
    "no_cancel": "The driver can't cancel the migration.",
    "no_progress": "The driver can't tell how far the migration is.",
    "leftover_destination": "A share server is left of a migration that failed or was cancelled.",
    "affinity": "The share has an affinity hint, which is not looked at here.",
    "capacity_unknown": "A pool is used that does not report its capacity.",
    "filter_function": "A pool is used whose driver filters by a function of its own.",
    "fills_source": "Something is migrating to the place that shall be emptied.",
    "exclude_unknown": "Something is excluded that is not there.",
    "exclude_several": "A name that is excluded belongs to more than one share.",
    "empty_server": "A share server at the source has no shares: nothing that has to be moved.",
    "type_kept": "A share type is mapped, and its shares move with their share servers or as replicas, "
    "which keeps it.",
    "active_disabled": "The share is served from a disabled back end, so no replica can be added to it now.",
    "metadata_not_asked": "preserve_metadata is required, and can't be asked for with share servers.",
    # Differences between a plan file and the cloud.
    "new": "Something is at the source that is not in the plan file.",
    "gone": "Something in the plan file is not at the source any more.",
    "not_possible": "It can't go where the plan file says any more.",
    "redirected": "It migrates to another place than the plan file says.",
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
    migrates anywhere.  ``instances`` are by share ID, ``snapshot_statuses`` too; ``services``
    (manila-share) by ``host@backend``; ``share_types`` and ``networks`` by ID.

    Only where there are share servers: ``servers`` are all of the cloud, ``grouped_servers`` the
    IDs of those with share groups, ``checks`` what Manila says of moving a server (ID) to a back
    end (``host@backend``).
    """

    shares: Sequence[Share] = ()
    instances: Mapping[str, Sequence[Instance]] = field(default_factory=dict)
    snapshot_statuses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pools: Sequence[Pool] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    share_types: Mapping[str, ShareType] = field(default_factory=dict)
    scheduler_up: bool = True
    """Only the scheduler knows pools: while none is up, ``pools`` is empty."""
    servers: Sequence[ShareServer] = ()
    networks: Mapping[str, ShareNetwork] = field(default_factory=dict)
    grouped_servers: frozenset[str] = frozenset()
    checks: Mapping[tuple[str, str], Compatibility] = field(default_factory=dict)

    def snapshots(self, share_id: str) -> int:
        """How many snapshots a share has."""
        return len(self.snapshot_statuses.get(share_id, ()))

    @cached_property
    def shares_by_id(self) -> Mapping[str, Share]:
        """The shares, to be found."""
        return {one.id: one for one in self.shares}

    @cached_property
    def pools_by_name(self) -> Mapping[str, Pool]:
        """The pools, to be found."""
        return {one.name: one for one in self.pools}

    @cached_property
    def on_servers(self) -> Mapping[str, Sequence[Instance]]:
        """The instances on each share server.

        Where those of a share were not read, the share itself says where its instance is.
        """
        found: dict[str, list[Instance]] = {}
        for several in self.instances.values():
            for one in several:
                found.setdefault(one.share_server_id or "", []).append(one)
        for share in self.shares:
            if share.share_server_id and not self.instances.get(share.id):
                one = Instance("", share.id, share.host, share.status)
                found.setdefault(share.share_server_id, []).append(one)
        found.pop("", None)
        return {
            server_id: sorted(several, key=lambda one: (one.share_id, one.host, one.id))
            for server_id, several in found.items()
        }

    def aboard(self, server_id: str) -> list[tuple[Share, str]]:
        """The shares on a share server, each with the pool where it is there.

        Whoever has an instance there counts, as for Manila: replicas and leftovers, too.
        """
        return [
            (self.shares_by_id[one.share_id], one.host)
            for one in self.on_servers.get(server_id, ())
            if one.share_id in self.shares_by_id
        ]


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
                f"it has {many(snapshots, 'snapshot')}: host-assisted migration takes only "
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
                f"it has {many(snapshots, 'snapshot')}: a driver that keeps them will do so, any "
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


# -- one migration ---------------------------------------------------------------------------


def start_blockers(
    inventory: Inventory, migration: Migration, loads: Mapping[str, Load] | None = None
) -> list[Reason]:
    """Every reason why one migration of one share of the inventory must not be started now.

    ``loads`` are those of ``under_way``, for who asks of many migrations.
    """
    share = inventory.shares_by_id.get(migration.id)
    if share is None:
        return [Reason("status", "it does not exist any more")]
    options = migration.options
    share_type = inventory.share_types.get(options.new_share_type_id or share.share_type_id or "")
    found = share_blockers(
        share,
        inventory.instances.get(share.id, ()),
        inventory.snapshots(share.id),
        options,
        share_type,
    )
    if migration.destination is None:
        return found
    pool = inventory.pools_by_name.get(migration.destination)
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
    loads = under_way(inventory).loads if loads is None else loads
    load = loads.get(pool.name, NOTHING)
    from_snapshot = share.snapshot_id is not None
    full = fits(pool, share_type, share.size_gb, load.committed_gb, from_snapshot, load.written_gb)
    if full:
        reasons.append(full)
    found += [Reason(one.code, f"{pool.name}: {one.message}") for one in reasons]
    return found
