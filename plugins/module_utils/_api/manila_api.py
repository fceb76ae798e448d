# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runner and lease need of a cloud: the part of ``Cloud`` that they call.

Whoever stands in for a cloud, a model of Manila for instance, has these methods and nothing else.
What they return and raise is said at ``Cloud``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark, Mark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Service,
    Share,
    ShareServer,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation


class ManilaApi(Protocol):
    """One cloud's Manila, as far as migrations are driven through it."""

    def now(self) -> float:
        """Return the time in seconds since the epoch."""

    # -- reads: they raise CloudError ---------------------------------------------------------

    def migrating(self) -> list[Observation]:
        """List the shares that migrate."""

    def share_servers(self) -> list[ShareServer]:
        """List all share servers."""

    def marked(self) -> list[tuple[Share, list[Instance]]]:
        """List the shares that a replica is moved of, with all their replicas."""

    def observe(self, ids: Iterable[str]) -> tuple[dict[str, Observation], set[str]]:
        """Observe some shares; return those that don't exist beside."""

    def observe_replicas(
        self, planned: Mapping[str, tuple[str, str | None]]
    ) -> tuple[dict[str, Observation], set[str]]:
        """Observe replicas, in the same way."""

    def services(self) -> list[Service]:
        """List Manila's services."""

    def share_managers(self) -> dict[str, Service]:
        """Return the manila-share services by ``host@backend``."""

    def shares(self, **filters: str) -> list[Share]:
        """List the shares that match."""

    def snapshots_of(self, share_id: str) -> list[Snapshot]:
        """List the snapshots of a share."""

    def progress(self, kind: str, subject: str) -> int | None:
        """Return the percentage copied."""

    def facts(
        self, share_id: str, seen: Observation | None = None, has_snapshots: bool = True
    ) -> Facts:
        """Return what must survive the cutover of a share."""

    def server_facts(self, server_id: str) -> Facts:
        """Return the same of a share server."""

    def replica_facts(self, share_id: str, source: str, to: str | None) -> Facts:
        """Return the same of a replica."""

    # -- actions: they raise Refused or Unknown -----------------------------------------------

    def start(self, kind: str, subject: str, destination: str, options: Options) -> None:
        """Start the migration of a share or a share server."""

    def complete(self, kind: str, subject: str) -> None:
        """Cut it over."""

    def cancel(self, kind: str, subject: str) -> None:
        """Cancel it."""

    def create_replica(self, share_id: str, pool: str, share_network_id: str | None) -> None:
        """Have a replica made."""

    def promote_replica(self, replica_id: str) -> None:
        """Have a share served from another replica."""

    def delete_replica(self, replica_id: str) -> None:
        """Remove a replica."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Have a snapshot deleted."""

    def mark(self, share_id: str, mark: Mark) -> None:
        """Write whose a new replica is."""

    def unmark(self, share_id: str) -> None:
        """Remove that."""

    def mark_copy(self, share_id: str, mark: CopyMark) -> None:
        """Write down that a copy must never be completed."""

    def unmark_copy(self, share_id: str) -> None:
        """Remove that."""

    def disable_service(self, host: str, reason: str | None) -> None:
        """Keep the scheduler from placing shares at a back end."""
