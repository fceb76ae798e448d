# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one reading of the cloud says that a planner or a check needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.manila.migration.plugins.module_utils._model.locks import lock_warnings
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    AccessRule,
    Compatibility,
    Instance,
    Lock,
    Pool,
    Quota,
    Service,
    Share,
    ShareNetwork,
    ShareServer,
    ShareType,
    Snapshot,
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
