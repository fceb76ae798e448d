# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Manila's API says, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of

Capacity = Union[float, str]
"""GiB, or what a driver says instead: ``unknown``, or what nobody can calculate with."""


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
    """Of the destination of a migration: the server that it was made from.  It is kept indefinitely."""
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
    """When it last gave a heartbeat, in seconds since the epoch, by the server's clock."""
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
