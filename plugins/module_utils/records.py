# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Manila says of its resources, as typed values.

The door to the cloud makes these records; everything else only reads them.
Names follow Manila's API.  Sizes are GiB, times are strings as Manila prints
them (UTC, ISO 8601, no zone) unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Union

from ansible_collections.manila.migration.plugins.module_utils.wording import readable

Capacity = Union[float, str]
"""GiB, or what a driver says instead: ``unknown``, or what nobody can calculate with."""


def backend_of(host: str) -> str:
    """``host@backend`` of a pool's or a back end's name."""
    return host.split("#", 1)[0]


def is_pool(host: str) -> bool:
    """Whether ``host`` names a pool: ``host@backend#pool``, no part empty."""
    backend, hash_sign, pool = host.partition("#")
    return bool(hash_sign and pool) and is_backend(backend)


def is_backend(host: str) -> bool:
    """Whether ``host`` names a back end: ``host@backend``, no part empty."""
    node, at_sign, backend = host.partition("@")
    return bool(node and at_sign and backend) and "#" not in backend and "@" not in backend


def covers(place: str, host: str) -> bool:
    """Whether ``host`` (a pool) is ``place``, or a pool of the back end ``place``."""
    return place == host or (not is_pool(place) and backend_of(host) == place)


MARK = "manila_migration_replica"
"""The metadata of a share that tells whose its new replica is, and where it comes from."""

LISTED = {"manila_migration": "replica"}
"""Beside the mark: Manila lists shares by whole values of metadata, and marks differ."""


INTERRUPTED = "manila_migration_interrupted"
"""The metadata of a share that names a copy that must never be completed, whatever its task state
will say: see CopyMark."""


@dataclass(frozen=True)
class CopyMark:
    """What INTERRUPTED says: a copy was interrupted, or its cancel was about to be sent.

    ``copy`` is the ID of the share instance, share server or replica that the migration has made:
    for a later copy the mark is void.  ``cancelled_at`` is when the cancel was sent (ISO 8601,
    UTC), empty if the copy was interrupted.
    """

    copy: str
    cancelled_at: str = ""

    def __str__(self) -> str:
        return f"{self.copy} cancelled at {self.cancelled_at}" if self.cancelled_at else self.copy

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> CopyMark | None:
        """The mark among the metadata of a share; None if there is none.

        Tenants may write metadata, too: what is no time is left out.
        """
        copy, _sign, cancelled_at = metadata.get(INTERRUPTED, "").partition(" cancelled at ")
        mark = cls(copy, cancelled_at)
        return (mark if mark._cancelled() is not None else cls(copy)) if copy else None

    def _cancelled(self) -> float | None:
        try:
            sent = datetime.strptime(self.cancelled_at, "%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            return None
        return sent.replace(tzinfo=timezone.utc).timestamp()

    def is_cancelled_within(self, seconds: float, now: float) -> bool:
        """Whether a cancel was sent so many seconds before ``now`` at most (since the epoch).

        A time far ahead of the clock doesn't count: it is none of ours.
        """
        sent = self._cancelled()
        return sent is not None and abs(now - sent) < seconds


@dataclass(frozen=True)
class Mark:
    """What a migration by replica writes to the share before it has a replica made.

    A replica at ``destination`` that is older than ``since`` (ISO 8601, UTC) is not ours.
    """

    source: str
    destination: str
    since: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} since {self.since}"

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> Mark | None:
        """The mark among the metadata of a share; None if there is none, or not of this form."""
        places, since_sign, since = metadata.get(MARK, "").rpartition(" since ")
        source, arrow, destination = places.partition(" -> ")
        if not (since_sign and arrow and is_pool(source) and is_pool(destination)):
            return None
        return cls(source, destination, since)


@dataclass(frozen=True)
class Instance:
    """One copy of a share at one place: a share that migrates has two."""

    id: str
    share_id: str
    host: str
    status: str
    share_type_id: str | None = None
    share_network_id: str | None = None
    share_server_id: str | None = None
    replica_state: str | None = None
    read_only: bool = False
    """Whether Manila has made its access rules read-only for a migration."""
    created_at: str | None = None
    updated_at: str | None = None


@dataclass(frozen=True)
class Share:
    """A share.  ``host`` is the pool that Manila serves it from, the source while it migrates."""

    id: str
    name: str
    size_gb: int
    host: str
    status: str
    task_state: str | None = None
    project_id: str | None = None
    protocol: str = ""
    share_type_id: str | None = None
    share_type_name: str | None = None
    share_network_id: str | None = None
    share_server_id: str | None = None
    share_group_id: str | None = None
    has_replicas: bool = False
    access_rules_status: str = "active"
    availability_zone: str | None = None
    snapshot_id: str | None = None
    is_soft_deleted: bool = False
    is_encrypted: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a share."""

    id: str
    share_id: str
    status: str
    name: str = ""


@dataclass(frozen=True)
class AccessRule:
    """Who may access a share.  ``state`` is ``active`` where the back end has it in force."""

    id: str
    access_type: str
    access_to: str
    state: str = "active"
    level: str = ""
    created_at: str | None = None


@dataclass(frozen=True)
class ShareServer:
    """A share server.  ``host`` is its back end, ``host@backend``."""

    id: str
    host: str
    status: str
    task_state: str | None = None
    project_id: str | None = None
    share_network_id: str | None = None
    source_id: str | None = None
    """Of the destination of a migration: the server that it was made from.  It is kept for ever."""
    is_encrypted: bool = False
    created_at: str | None = None
    updated_at: str | None = None


@dataclass(frozen=True)
class ShareNetwork:
    """A share network.  ``zones`` are those of its subnets, None standing for the default subnet."""

    id: str
    name: str = ""
    status: str = "active"
    zones: frozenset[str | None] = frozenset({None})

    def spans(self, zone: str | None) -> bool:
        """Whether servers in this availability zone can be reached through it."""
        return None in self.zones or zone in self.zones


@dataclass(frozen=True)
class Compatibility:
    """What Manila's check says of moving a share server to a back end.

    ``supported`` are the capabilities of the driver, by Manila's names; empty where Manila
    refused to ask the driver at all, for the reason ``refusal``.
    """

    compatible: bool
    supported: Mapping[str, object] = field(default_factory=dict)
    refusal: str | None = None


@dataclass(frozen=True)
class ShareType:
    """A share type with its extra specs, values as Manila keeps them: strings."""

    id: str
    name: str
    extra_specs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Quota:
    """How much of a resource is allowed, -1 for any amount, and how much is in use or reserved."""

    limit: int
    used: int


@dataclass(frozen=True)
class Pool:
    """A pool as the scheduler last heard of it.  Capacities in GiB, reservations in percent."""

    name: str
    total_gb: Capacity = "unknown"
    free_gb: Capacity = "unknown"
    provisioned_gb: float | None = None
    allocated_gb: float | None = None
    reserved_percentage: float = 0
    reserved_snapshot_percentage: float = 0
    max_over_subscription_ratio: float = 1.0
    thin_provisioning: bool = False
    capabilities: Mapping[str, object] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        """``host@backend``: the name of the service that owns the pool."""
        return backend_of(self.name)


@dataclass(frozen=True)
class Service:
    """A Manila service.  ``state`` is what Manila stored, ``fresh`` whether its heartbeat agrees."""

    binary: str
    host: str
    status: str
    state: str
    fresh: bool = True
    beat: float | None = None
    """When it last gave a sign of life, in seconds since the epoch, by the server's clock."""
    disabled_reason: str | None = None
    zone: str | None = None
    updated_at: str | None = None

    @property
    def enabled(self) -> bool:
        """Whether the scheduler may place something there."""
        return self.status == "enabled"

    @property
    def alive(self) -> bool:
        """Whether it can be believed to run: ``state`` alone or a heartbeat alone may lie.

        docs/manila.md, "Services and restarts".
        """
        return self.state == "up" and self.fresh

    def as_dict(self) -> dict[str, object]:
        """The form in which modules return it."""
        return {
            "host": self.host,
            "status": self.status,
            "state": self.state,
            "alive": self.alive,
            "disabled_reason": self.disabled_reason,
            "zone": self.zone,
        }


@dataclass(frozen=True)
class Lock:
    """A resource lock (API 2.81 and newer): who keeps a share or an access rule from being deleted.

    ``kind`` is ``share`` or ``access_rule``, ``action`` what is locked: ``delete``, or of a rule also
    ``show``.  ``context`` says as what its user acted: ``user``, ``admin`` or ``service``.
    """

    id: str
    kind: str
    resource_id: str
    action: str
    context: str
    user_id: str
    project_id: str
    reason: str = ""


@dataclass(frozen=True)
class Options:
    """What the operator demands of a migration: the parameters of Manila's migration_start."""

    preserve_metadata: bool = False
    preserve_snapshots: bool = False
    writable: bool = False
    nondisruptive: bool = False
    force_host_assisted_migration: bool = False
    new_share_type_id: str | None = None
    new_share_network_id: str | None = None


@dataclass(frozen=True)
class Facts:
    """What must be the same before and after a cutover, and the export locations.

    ``members`` are the shares of a share server by their IDs; a share has none.  Of a replica that
    is moved, ``copies`` are all replicas but the one at the source.
    """

    host: str
    status: str
    copies: int
    share_type_id: str | None = None
    share_network_id: str | None = None
    rules: frozenset[tuple[str, str, str]] = frozenset()
    rules_status: str = "active"
    snapshots: Mapping[str, str] = field(default_factory=dict)
    exports: tuple[str, ...] = ()
    unapplied: frozenset[tuple[str, str]] = frozenset()
    """Access rules that are not in force as they are listed, each with its state."""
    name: str = ""
    members: Mapping[str, Facts] = field(default_factory=dict)
    copy_mark: CopyMark | None = None
    """Which copy of it must never be completed, as its metadata say."""
    active: bool = True
    """False of a replica that the share is not served from: it may have no export locations."""

    def mark_of(self, copy: str | None) -> CopyMark | None:
        """What one of the shares says of the copy with this ID; None if nothing."""
        marks = (one.copy_mark for one in (self, *self.members.values()))
        return next((mark for mark in marks if mark and mark.copy == copy), None)


@dataclass(frozen=True)
class Reason:
    """Why something can't be done, will lose something, or waits: a stable code and a sentence."""

    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The form in which modules return it."""
        return {"code": self.code, "message": readable(self.message)}
