# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason why a share can't be migrated, or will lose something by it.

Manila stops at the first reason, and gives those of its scheduler and its drivers only to its
logs.  Here all of them are found, before anything is started, from what the API shows.  Each rule
names the file of Manila (release 23.0.1) that it follows.

Manila migrates by the driver, by the Data Service (host-assisted), or by the one if it can and
else by the other: ``mechanisms()``.  A rule that differs between the two is asked for one of them;
``forbidden()`` says what forbids all that Manila would try.

Messages are fragments of a sentence about one share ("its status is 'error', not 'available'") or
one pool ("the pool has no ..."): the caller says which.  Sizes are GiB, reservations percent.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING

from ansible_collections.manila.migration.plugins.module_utils.affinity import (
    affinity_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils.capacity import (
    NOTHING,
    Load,
    fits,
    scheduler_fails,
    under_way,
)
from ansible_collections.manila.migration.plugins.module_utils.data_service import (
    ACCESS_OPTIONS,
    CANT_COPY,
    DEFAULT_MAPPING,
)
from ansible_collections.manila.migration.plugins.module_utils.locks import (
    UNKNOWN,
    lock_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils.records import (
    AccessRule,
    Compatibility,
    Instance,
    Lock,
    Options,
    Pool,
    Quota,
    Reason,
    Service,
    Share,
    ShareNetwork,
    ShareServer,
    ShareType,
    Snapshot,
    backend_of,
)
from ansible_collections.manila.migration.plugins.module_utils.specs import (
    spec_matches,
    uses_share_servers,
)
from ansible_collections.manila.migration.plugins.module_utils.states import (
    MIGRATING,
    Observation,
)
from ansible_collections.manila.migration.plugins.module_utils.wording import (
    instead,
    many,
    some,
)

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
    "quota": "The quota of the project has no room for a second copy with the new share type.",
    "qos_type": "The share type names a QoS type that does not exist.",
    "share_network": "A share network is missing, must not be there, or is not active.",
    # The mechanism.
    "host_forced": "Host-assisted migration is forced, so no driver is asked.",
    "driver_only": "Something is asked for that only drivers can do.",
    "data_service_missing": "No manila-data service is registered, and only it copies files.",
    "data_service_down": "No manila-data service gives a sign of life.",
    "data_access": "The Data Service can't mount shares of this protocol, or needs an option for it.",
    # Its replicas.
    "replica_state": "A replica of the share is in error, in the middle of something, or one too many.",
    "no_active_replica": "The share has no active replica, or one that the scheduler doesn't consider.",
    "second_replica": "Another replica of the share, also at the source, is moved first: run it again then.",
    "replica_there": "The pool holds a replica of the share already.",
    "replication_domain": "The pool is not in the replication domain of the share's active replica.",
    # The share server.
    "encryption": "The share server has an encryption key; for a share a warning: it loses its key.",
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
    "service_missing": "No manila-share service is registered for the destination, or the source.",
    "service_disabled": "The destination's manila-share service is disabled.",
    "service_down": "The manila-share service of the destination, or the source, gives no sign of life.",
    "type_pinned": "The share type is pinned to another back end; for a share server a warning.",
    "share_servers": "What moves and the destination differ in driver_handles_share_servers.",
    "protocol": "The pool does not offer the protocol of the share.",
    "capability": "The pool lacks a capability that the share type asks for.",
    "availability_zone": "The share type is not allowed in the destination's availability zone.",
    "no_capacity": "There is no room for it.",
    "capacity_invalid": "The pool reports capacities that Manila's scheduler can't work with.",
    "scheduler_down": "No manila-scheduler is up, and only it knows the pools.",
    "no_destination": "No place is left where it could go.",
    "group_incomplete": "A member of its cutover group can't move.",
    # Migrations that exist already.
    "migrating_elsewhere": "It already migrates to a place that is not allowed.",
    "destination_unknown": "It just began to migrate, or is being cancelled; the place doesn't show.",
    "stuck": "Its migration came to a halt, or failed at the end, and needs a repair.",
    "leftover": "An instance at the source that serves no share from there.",
    # Warnings.
    "read_only": "Clients can only read during the copy.",
    "attached_to_instance": "The share is attached to an instance, by virtiofs: detach it before the cutover.",
    "locked": "The share has a resource lock, whose owner depends on it; it does not hinder a migration.",
    "locks_unknown": "This user may not list resource locks, so what they would tell is not known.",
    "disruptive": "The cutover disconnects clients: export locations change.",
    "no_cancel": "The driver can't cancel the migration.",
    "no_progress": "The driver can't tell how far the migration is.",
    "leftover_destination": "A share server is left of a migration that failed or was cancelled.",
    "addresses_freed": "A share server keeps its network addresses, and this release of Manila frees them.",
    "affinity": "An affinity hint of the share keeps it out of the pool.",
    "capacity_unknown": "A pool is used that does not report its capacity.",
    "filter_function": "A pool is used whose driver filters by a function of its own.",
    "driver_unknown": "Whether the driver can do it only the driver knows; Manila asks it after the start.",
    "other_driver": "Source and destination are of different vendors, and drivers migrate among their own.",
    "fallback": "If the driver can't do it, Manila goes on with a host-assisted migration, without a word.",
    "data_service_disabled": "manila-data is disabled: it copies, and can neither be watched nor cancelled.",
    "data_service_several": "There are several manila-data services: progress and cancel reach any of them.",
    "data_access_rule": "A client's access rule is, or may be, that of the Data Service, which deletes it.",
    "not_copied": "Some kinds of files and attributes are not copied as they are.",
    "mount_point_name": "If the share has a mount point name of its own, it loses it.",
    "quota_twice": "The share counts twice in the quota until the end, and for good if the driver fails.",
    "fills_source": "Something is migrating to the place that shall be emptied.",
    "exclude_unknown": "Something is excluded that is not there.",
    "group_unknown": "Something is listed in a cutover group that isn't to be moved.",
    "exclude_several": "A name that is excluded belongs to more than one share.",
    "empty_server": "A share server at the source has no shares: nothing that has to be moved.",
    "type_kept": "A share type is mapped, and its shares move with their share servers or as replicas, "
    "which keeps it.",
    "active_disabled": "The share is served from a disabled back end, so no replica can be added to it now.",
    "metadata_not_asked": "preserve_metadata is required, and can't be asked for with share servers.",
    "snapshot_unknown": "A snapshot shall be deleted that no share at the source has.",
    "snapshots_deleted": "Snapshots are deleted before their shares are copied, as asked.",
    "not_balanced": "A pool stays further away from the mean than a rebalance shall bring it.",
    "not_emptied": "A pool can't be emptied when pools are consolidated.",
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


@dataclass(frozen=True)
class Inventory:
    """What there is.

    ``shares`` are those that have an instance at the place in question, and everything that
    migrates anywhere.  ``instances`` are by share ID, ``snapshots_by_share`` too; ``services``
    (manila-share) by ``host@backend``; ``share_types`` and ``networks`` by ID.
    ``data_services`` are those of manila-data, None where nobody looked.

    Only where there are share servers: ``servers`` are all of the cloud, ``grouped_servers`` the
    IDs of those with share groups, ``checks`` what Manila says of moving a server (ID) to a back
    end (``host@backend``).
    """

    shares: Sequence[Share] = ()
    instances: Mapping[str, Sequence[Instance]] = field(default_factory=dict)
    snapshots_by_share: Mapping[str, Sequence[Snapshot]] = field(default_factory=dict)
    pools: Sequence[Pool] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    share_types: Mapping[str, ShareType] = field(default_factory=dict)
    scheduler_up: bool = True
    """Only the scheduler knows pools: while none is up, ``pools`` is empty."""
    data_services: Sequence[Service] | None = None
    servers: Sequence[ShareServer] = ()
    networks: Mapping[str, ShareNetwork] = field(default_factory=dict)
    grouped_servers: frozenset[str] = frozenset()
    checks: Mapping[tuple[str, str], Compatibility] = field(default_factory=dict)
    frees_addresses: bool = False
    """Whether Manila frees the addresses of a share server moved without disruption."""
    locks: Mapping[str, Sequence[Lock]] | None = field(default_factory=dict)
    """What keeps shares from being deleted, by their IDs; None where Manila does not tell."""

    def lock_warnings(self, share_id: str, whose: str = "") -> list[Reason]:
        """Return what the locks of a share warn of; ``whose`` names it where that isn't clear."""
        several = self.locks.get(share_id, ()) if self.locks else ()
        return lock_warnings(several, whose) if several else []

    def snapshots(self, share_id: str) -> Sequence[Snapshot]:
        """The snapshots that a share has."""
        return self.snapshots_by_share.get(share_id, ())

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


@dataclass(frozen=True)
class Details:
    """What is read only where one share is asked about.

    ``quotas`` are those that a new share type touches, by what they are ("the quota of its
    project"), and by resource, None where Manila is too old to count it; ``neighbours`` the places
    of the shares that its affinity hints name, by share ID, none for one that doesn't exist;
    ``qos_types`` the names and IDs of those that exist, None where Manila is too old to have any.
    """

    snapshots: Sequence[Snapshot] = ()
    rules: Sequence[AccessRule] = ()
    quotas: Mapping[str, Mapping[str, Quota]] | None = field(default_factory=dict)
    neighbours: Mapping[str, Sequence[str]] = field(default_factory=dict)
    qos_types: Collection[str] | None = None
    data_node_access_ips: Sequence[str] | None = None
    """The addresses of the Data Service, None if nobody told them."""


# -- the mechanism ---------------------------------------------------------------------------

DRIVER = "driver"
HOST = "host"

_DEMANDS = ("preserve_metadata", "preserve_snapshots", "writable", "nondisruptive")
"""What only drivers can promise."""


def _demands(options: Options) -> list[str]:
    return [name for name in _DEMANDS if getattr(options, name)]


# Few options are asked about for many shares: their answers are kept.
@cache
def mechanisms(options: Options) -> tuple[str, ...]:
    """What Manila would try, in this order: share/manager.py, migration_start()."""
    if options.force_host_assisted_migration:
        return (HOST,)
    return (DRIVER,) if _demands(options) else (DRIVER, HOST)


def forbidden(options: Options, ask: Callable[[str], list[Reason]]) -> list[Reason]:
    """What forbids every mechanism that Manila would try; nothing where one of them is open.

    ``ask`` says what forbids one.
    """
    found: list[Reason] = []
    for mechanism in mechanisms(options):
        reasons = ask(mechanism)
        if not reasons:
            return []
        found += reasons
    return list(dict.fromkeys(found))


def options_conflict(options: Options) -> Reason | None:
    """Forced host-assisted migration with something that only drivers can do: share/api.py."""
    flags = _demands(options)
    if not options.force_host_assisted_migration or not flags:
        return None
    return Reason(
        "options_conflict",
        f"force_host_assisted_migration excludes {', '.join(flags)}: a host-assisted migration "
        "can't promise that",
    )


@cache
def _option_blockers(options: Options, mechanism: str) -> tuple[Reason, ...]:
    """What is asked for against what a mechanism can do: share/api.py, share/manager.py."""
    conflict = options_conflict(options)
    if conflict:
        return (conflict,)
    if mechanism not in mechanisms(options):
        if mechanism == DRIVER:
            return (
                Reason(
                    "host_forced", "force_host_assisted_migration is asked for: no driver is asked"
                ),
            )
        return (
            Reason(
                "driver_only",
                f"{', '.join(_demands(options))}: asked for, and only drivers can promise that",
            ),
        )
    return ()


def data_service_blockers(inventory: Inventory) -> list[Reason]:
    """Why nothing can be copied by the Data Service: share/manager.py casts, and doesn't look.

    Disabled or not, one that lives takes up what was cast.
    """
    services = inventory.data_services
    if services is None or any(one.alive for one in services):
        return []
    waits = "Manila would accept the start, and clients could only read until one comes"
    if services:
        where = some(sorted(one.host for one in services))
        return [Reason("data_service_down", f"manila-data ({where}) is down: {waits}")]
    return [Reason("data_service_missing", f"no manila-data service is registered: {waits}")]


def data_service_warnings(inventory: Inventory) -> list[Reason]:
    """What hinders people while the Data Service copies: share/api.py, data/rpcapi.py."""
    alive = [one for one in inventory.data_services or () if one.alive]
    enabled = [one for one in inventory.data_services or () if one.enabled]
    found = []
    if alive and not any(one.enabled for one in alive):
        found.append(
            Reason(
                "data_service_disabled",
                f"manila-data ({some(sorted(one.host for one in alive))}) is disabled: it copies all "
                "the same, and Manila neither tells the progress nor cancels",
            )
        )
    reached = {one.host for one in (*alive, *enabled)}
    if alive and len(reached) > 1:
        found.append(
            Reason(
                "data_service_several",
                f"there are {len(reached)} manila-data services ({some(sorted(reached))}): progress "
                "and cancel reach any of them, and fail at those that don't copy",
            )
        )
    return found


def plan_blockers(inventory: Inventory, mechanism: str) -> list[Reason]:
    """Why no share can be migrated at all, whichever it is, for a plan's ``mechanism``."""
    return data_service_blockers(inventory) if mechanism == HOST else []


def plan_warnings(inventory: Inventory, source: str, mechanism: str) -> list[Reason]:
    """What to know of a plan for the shares at ``source``, by its ``mechanism`` (auto too)."""
    found = []
    backend = backend_of(source)
    service = inventory.services.get(backend)
    if service is not None and not service.alive:
        found.append(
            Reason(
                "service_down",
                f"the manila-share service of {backend} is down: no share can leave until it is back",
            )
        )
    if mechanism == DRIVER:
        return found
    if mechanism != HOST:
        found += [
            Reason(one.code, f"what no driver moves can't be moved: {one.message}")
            for one in data_service_blockers(inventory)
        ]
    return found + data_service_warnings(inventory)


# -- the share -------------------------------------------------------------------------------


def share_blockers(
    share: Share,
    instances: Sequence[Instance],
    snapshots: Sequence[Snapshot],
    options: Options,
    share_type: ShareType | None,
) -> list[Reason]:
    """Every reason in the share itself, wherever it shall go: docs/manila.md, "The start of a share".

    ``instances`` are those of the share (empty: not known), ``snapshots`` those that it will have
    then, ``share_type`` the type that it will have: the new one, or its own.
    """
    return forbidden(
        options,
        lambda mechanism: _share_blockers(
            share, instances, snapshots, options, share_type, mechanism
        ),
    )


def _share_blockers(
    share: Share,
    instances: Sequence[Instance],
    snapshots: Sequence[Snapshot],
    options: Options,
    share_type: ShareType | None,
    mechanism: str,
) -> list[Reason]:
    """The same for one mechanism."""
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
    if (
        share.task_state
        and Observation(share.id, share.status, share.host, share.task_state).state.phase
        in MIGRATING
    ):
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
    found += _snapshot_blockers(snapshots, mechanism)
    if mechanism == HOST and share.protocol.upper() in CANT_COPY:
        found.append(Reason("data_access", CANT_COPY[share.protocol.upper()]))
    found += _option_blockers(options, mechanism)
    return found + _type_blockers(share, options, share_type)


def _snapshot_blockers(snapshots: Sequence[Snapshot], mechanism: str) -> list[Reason]:
    """share/manager.py: a driver gets all snapshots or none, the Data Service takes none."""
    if not snapshots:
        return []
    if mechanism == HOST:
        return [
            Reason(
                "snapshots",
                f"it has {_named(snapshots)}: host-assisted migration takes only shares without",
            )
        ]
    bad = [f"{one.name or one.id}: {one.status}" for one in snapshots if one.status != "available"]
    if not bad:
        return []
    return [
        Reason(
            "snapshots",
            f"{len(bad)} of its snapshots {'is' if len(bad) == 1 else 'are'} not available "
            f"({some(bad)}): drivers migrate only snapshots that are",
        )
    ]


def _named(snapshots: Sequence[Snapshot]) -> str:
    names = some([one.name or one.id for one in snapshots])
    return f"{many(len(snapshots), 'snapshot')} ({names})"


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


def warnings(share: Share, snapshots: Sequence[Snapshot], options: Options) -> list[Reason]:
    """What does not prevent the migration of a share but may surprise somebody."""
    ways = mechanisms(options)
    found = _common_warnings(share, snapshots, options, ways)
    if len(ways) > 1 and share.protocol.upper() in CANT_COPY:
        found.append(
            Reason(
                "data_access", f"only its driver can move it: {CANT_COPY[share.protocol.upper()]}"
            )
        )
    return found


@cache
def _disturbance(options: Options, ways: tuple[str, ...]) -> tuple[Reason, ...]:
    """What clients may notice while a share is copied in one of these ways."""
    if DRIVER not in ways:
        return (Reason("read_only", "clients can only read while manila-data copies"),)
    if options.writable:
        return ()
    # share/manager.py migration_start(): any error of a driver leads to a host-assisted
    # migration if nothing was asked that only drivers can do: docs/manila.md, "Which mechanism runs".
    return (
        Reason(
            "read_only",
            "clients can only read during the copy if the driver can't do better"
            + (" or Manila falls back to a host-assisted migration" if HOST in ways else ""),
        ),
    )


def _common_warnings(
    share: Share, snapshots: Sequence[Snapshot], options: Options, ways: Sequence[str]
) -> list[Reason]:
    """What is to be said of a share that goes one of these ways."""
    found = list(_disturbance(options, tuple(ways)))
    if snapshots and DRIVER in ways and not options.preserve_snapshots:
        found.append(
            Reason(
                "snapshots",
                f"it has {_named(snapshots)}: a driver that keeps them will do so, any other makes "
                "the migration fail",
            )
        )
    if share.is_encrypted:
        # share/migration.py, share/manager.py: the destination instance is made without the key.
        found.append(
            Reason("encryption", "it has an encryption key, which Manila does not give to the copy")
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
    in type, options and source; and, where ``pool`` is the source, type and share network.
    """
    found = []
    if (
        pool.name == source
        and options.new_share_type_id in (None, share.share_type_id)
        and options.new_share_network_id in (None, share.share_network_id)
    ):
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
    inventory: Inventory,
    migration: Migration,
    loads: Mapping[str, Load] | None = None,
    details: Details | None = None,
) -> list[Reason]:
    """Every reason why one migration of one share of the inventory must not be started now.

    ``loads`` are those of ``under_way``, for who asks of many migrations.
    """
    loads = under_way(inventory).loads if loads is None else loads
    return forbidden(
        migration.options,
        lambda mechanism: mechanism_blockers(inventory, migration, mechanism, loads, details),
    )


def mechanism_blockers(
    inventory: Inventory,
    migration: Migration,
    mechanism: str,
    loads: Mapping[str, Load],
    details: Details | None = None,
) -> list[Reason]:
    """Every reason why one share can't be migrated by one mechanism, asked for or not."""
    share = inventory.shares_by_id.get(migration.id)
    if share is None:
        return [Reason("status", "it does not exist any more")]
    options = migration.options
    share_type = inventory.share_types.get(options.new_share_type_id or share.share_type_id or "")
    snapshots = inventory.snapshots(share.id) if details is None else details.snapshots
    snapshots = [one for one in snapshots if one.id not in migration.delete_snapshots]
    found = _share_blockers(
        share,
        inventory.instances.get(share.id, ()),
        snapshots,
        options,
        share_type,
        mechanism,
    )
    found += _source_blockers(inventory, share.host)
    if mechanism == HOST:
        found += data_service_blockers(inventory)
    if details is not None and share_type is not None:
        found += _quota_blockers(share, options, share_type, details)
        found += _qos_blockers(options, share_type, details, mechanism)
    if migration.destination is None:
        return found
    if details is not None:
        found += affinity_blockers(share.metadata, migration.destination, details.neighbours)
    return found + _destination_blockers(
        inventory, share, share_type, migration.destination, options, mechanism, loads
    )


def _source_blockers(inventory: Inventory, source: str) -> list[Reason]:
    """share/api.py does not look at it: the start would hang in 'migration_starting'."""
    backend = backend_of(source)
    service = inventory.services.get(backend)
    if service is None:
        return [
            Reason("service_missing", f"its own back end {backend} has no manila-share service")
        ]
    if service.alive:
        return []
    return [
        Reason(
            "service_down",
            f"the manila-share service of its own back end {backend} is down, and a start hangs "
            "until it is back",
        )
    ]


def _destination_blockers(
    inventory: Inventory,
    share: Share,
    share_type: ShareType | None,
    destination: str,
    options: Options,
    mechanism: str,
    loads: Mapping[str, Load],
) -> list[Reason]:
    service = inventory.services.get(backend_of(destination))
    found = _network_blockers(inventory, share, share_type, service, options, mechanism)
    pool = inventory.pools_by_name.get(destination)
    if pool is None:
        if inventory.scheduler_up:
            names = instead(destination, (one.name for one in inventory.pools))
            return [*found, Reason("pool_unknown", f"there is no pool {destination}; {names}")]
        return [*found, SCHEDULER_DOWN]
    if share_type is None:
        return found + _service_blockers(service)
    reasons = pool_blockers(share, share_type, pool, service, options, share.host)
    load = loads.get(pool.name, NOTHING)
    from_snapshot = share.snapshot_id is not None
    full = fits(pool, share_type, share.size_gb, load.committed_gb, from_snapshot, load.written_gb)
    if full:
        reasons.append(full)
    found += [Reason(one.code, f"{pool.name}: {one.message}") for one in reasons]
    others = [one for one in inventory.pools if one.name != pool.name]
    zone = service.zone if service else None
    fails = scheduler_fails(others, inventory.services, zone, share.snapshot_id is not None)
    return [*found, fails] if fails else found


def _network_blockers(
    inventory: Inventory,
    share: Share,
    share_type: ShareType | None,
    service: Service | None,
    options: Options,
    mechanism: str,
) -> list[Reason]:
    """The share network that it will have, where share networks were read: api/v2/shares.py."""
    network_id = options.new_share_network_id or share.share_network_id
    if not network_id or not inventory.networks:
        return []
    network = inventory.networks.get(network_id)
    if network is None:
        return [Reason("share_network", f"there is no share network {network_id}")]
    found = []
    if network.status != "active":
        found.append(
            Reason(
                "share_network",
                f"the share network {network_id} is {network.status!r}, not 'active'",
            )
        )
    # share/manager.py, provide_share_server(): asked unless the share stays on its share server.
    stays = mechanism == DRIVER and options.nondisruptive
    servers = share_type is not None and uses_share_servers(share_type)
    if servers and not stays and service and service.zone and not network.spans(service.zone):
        found.append(
            Reason(
                "share_network_subnet",
                f"the share network {network_id} has neither a subnet in the destination's "
                f"availability zone {service.zone} nor a default one",
            )
        )
    return found


def _quota_blockers(
    share: Share, options: Options, share_type: ShareType, details: Details
) -> list[Reason]:
    """share/api.py, _modify_quotas_for_share_migration(); -1 is no limit."""
    if options.new_share_type_id in (None, share.share_type_id) or details.quotas is None:
        return []
    needs = {"shares": 1, "gigabytes": share.size_gb}
    if share_type.extra_specs.get("replication_type"):
        needs.update(share_replicas=1, replica_gigabytes=share.size_gb)
    return [
        Reason(
            "quota",
            f"{whose} allows {quota.limit} {name.replace('_', ' ')}, and with a second copy, which "
            f"counts until the end, it would be {quota.used + needs[name]}",
        )
        for whose, quotas in details.quotas.items()
        for name, quota in quotas.items()
        if name in needs and 0 <= quota.limit < quota.used + needs[name]
    ]


def _qos_blockers(
    options: Options, share_type: ShareType, details: Details, mechanism: str
) -> list[Reason]:
    """share/api.py asks for that of a new type, share/manager.py for drivers."""
    wants = share_type.extra_specs.get("default_qos_type")
    if not wants or details.qos_types is None or wants in details.qos_types:
        return []
    if mechanism == HOST and options.new_share_type_id is None:
        return []
    return [
        Reason(
            "qos_type",
            f"the share type {share_type.name!r} has default_qos_type = {wants!r}, and there is no "
            "such QoS type",
        )
    ]


def mechanism_warnings(
    inventory: Inventory, migration: Migration, mechanism: str, details: Details
) -> list[Reason]:
    """What to know before one share is migrated by one mechanism."""
    share = inventory.shares_by_id.get(migration.id)
    if share is None:
        return []
    options = migration.options
    found = inventory.lock_warnings(share.id) or ([UNKNOWN] if inventory.locks is None else [])
    found += _common_warnings(share, details.snapshots, options, (mechanism,))
    if mechanism == DRIVER:
        found = _driver_warnings(inventory, share, migration) + found
    else:
        found += data_service_warnings(inventory) + _access_warnings(share, details)
        found.append(
            Reason(
                "not_copied",
                "hard links become files of their own and devices ordinary files, a FIFO stops the "
                "copy for ever, a socket or a name with a line break makes it fail, and lost are the "
                "attributes of the share's root and ACLs and extended attributes of directories",
            )
        )
    if mechanism == HOST or not options.nondisruptive:
        found.append(
            Reason("disruptive", "the cutover disconnects clients: export locations change")
        )
    own = inventory.share_types.get(share.share_type_id or "")
    if own is not None and spec_matches(True, own.extra_specs.get("mount_point_name_support", "")):
        found.append(
            Reason(
                "mount_point_name",
                f"its share type {own.name!r} allows mount point names: if it has one, which the API "
                "does not show, the copy won't",
            )
        )
    if details.quotas is not None and options.new_share_type_id not in (None, share.share_type_id):
        found.append(
            Reason(
                "quota_twice",
                "it counts twice in the quota of its project until the migration ends; where a "
                "driver fails, Manila never takes that back",
            )
        )
    return found + _pool_warnings(inventory, migration.destination)


def _driver_warnings(inventory: Inventory, share: Share, migration: Migration) -> list[Reason]:
    found = [
        Reason(
            "driver_unknown",
            "whether the driver can do it only the driver knows: Manila asks it after the start",
        )
    ]
    vendors = [
        pool.capabilities.get("vendor_name") if pool else None
        for pool in map(inventory.pools_by_name.get, (share.host, migration.destination or ""))
    ]
    if all(vendors) and vendors[0] != vendors[1]:
        found.append(
            Reason(
                "other_driver",
                f"the share is on storage of {vendors[0]!r} and the pool is of {vendors[1]!r}: "
                "drivers migrate among their own back ends",
            )
        )
    if HOST in mechanisms(migration.options):
        found.append(
            Reason(
                "fallback",
                "if the driver can't do it, Manila goes on with a host-assisted migration without a "
                "word; ask for preserve_metadata, say, to rule that out",
            )
        )
    return found


def _access_warnings(share: Share, details: Details) -> list[Reason]:
    """How the Data Service gets access, and whose rule that costs: data/helper.py.

    Which options it has can't be seen.  A rule that is, to the letter, one that it makes for
    itself is deleted with its own: docs/manila.md, "Access rules during a migration".
    """
    protocol = share.protocol.lower()
    if share.protocol.upper() in CANT_COPY:
        return []
    kinds = [kind for kind, mapped in DEFAULT_MAPPING.items() if protocol in mapped]
    if not kinds:
        return [
            Reason(
                "data_access",
                f"no access type is mapped to {share.protocol} unless protocol_access_mapping of both "
                "back ends says so",
            )
        ]
    found = []
    own = details.data_node_access_ips
    for kind in kinds:
        if kind == "ip" and own:
            lost = [one.access_to for one in details.rules if one.access_to in own]
            if lost:
                found.append(
                    Reason(
                        "data_access_rule",
                        f"{some(lost)}: an access rule for an address of the Data Service, which "
                        "deletes it for good after the copy: add it again then",
                    )
                )
            continue
        option = ACCESS_OPTIONS[kind]
        found.append(
            Reason(
                "data_access",
                f"manila-data needs {option} for {share.protocol}, and whether it is set can't be "
                "seen here",
            )
        )
        # The addresses of whole networks are written differently.
        single = [
            one.access_to
            for one in details.rules
            if one.access_type == kind and "/" not in one.access_to
        ]
        if single:
            found.append(
                Reason(
                    "data_access_rule",
                    f"it has {many(len(single), 'access rule')} ({some(single)}): one that is in "
                    f"{option} of manila-data is deleted for good after the copy",
                )
            )
    return found


def _pool_warnings(inventory: Inventory, destination: str | None) -> list[Reason]:
    pool = inventory.pools_by_name.get(destination or "")
    if pool is None:
        return []
    found = []
    if isinstance(pool.free_gb, str):
        found.append(Reason("capacity_unknown", f"{pool.name}: the capacity is not reported"))
    if pool.capabilities.get("filter_function") is not None:
        found.append(
            Reason(
                "filter_function",
                f"{pool.name}: the driver filters by a function of its own, which only Manila's "
                "scheduler applies",
            )
        )
    return found
