# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have Manila do something: migrations, replicas, marks, repairs, access rules, services.

Each action is sent once and may raise Refused (nothing has happened) or Unknown (Manila may
have done it, or may do it later).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils._api.records import Records
from ansible_collections.manila.migration.plugins.module_utils._model.binaries import SHARE_MANAGER
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.locks import describe_owner
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    LISTED,
    MARK,
    CopyMark,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.records import Lock


class Actions(Records):
    """Actions on shares, share servers, replicas, snapshots, access rules and services."""

    def start(self, kind: str, subject: str, destination: str, options: Options) -> None:
        """Start the migration of a share or of a share server.  Raises Refused or Unknown."""
        if kind == SHARE_SERVER:
            self._act(
                lambda: self._client.share_servers.migration_start(
                    subject,
                    destination,
                    options.writable,
                    options.nondisruptive,
                    options.preserve_snapshots,
                    new_share_network_id=options.new_share_network_id,
                )
            )
            return
        self._act(
            lambda: self._client.shares.migration_start(
                subject,
                destination,
                options.force_host_assisted_migration,
                options.preserve_metadata,
                options.writable,
                options.nondisruptive,
                options.preserve_snapshots,
                new_share_network_id=options.new_share_network_id,
                new_share_type_id=options.new_share_type_id,
            )
        )

    def complete(self, kind: str, subject: str) -> None:
        """Cut over what is copied.  Raises Refused or Unknown; see the engine for when to send it."""
        self._act(lambda: self._manager(kind).migration_complete(subject))

    def cancel(self, kind: str, subject: str) -> None:
        """Cancel a migration.  Raises Refused or Unknown."""
        self._act(lambda: self._manager(kind).migration_cancel(subject))

    def create_replica(self, share_id: str, pool: str, share_network_id: str | None) -> None:
        """Have a replica made in a pool.  Raises Refused or Unknown."""
        self._act(
            lambda: self._client.share_replicas.create(
                share_id, scheduler_hints={"only_host": pool}, share_network=share_network_id
            )
        )

    def promote_replica(self, replica_id: str) -> None:
        """Have a share served from another replica.  Raises Refused or Unknown.

        Of an administrator Manila takes it for what is not in sync, too: see the engine.
        """
        self._act(lambda: self._client.share_replicas.promote(replica_id))

    def delete_replica(self, replica_id: str) -> None:
        """Remove a replica; Manila refuses it only for the last active one.  Raises Refused or Unknown."""
        self._act(lambda: self._client.share_replicas.delete(replica_id))

    def mark(self, share_id: str, mark: Mark) -> None:
        """Write whose the replica is that a share will get.  Raises Refused or CloudError.

        A lost answer does no harm: the mark is looked for, and written again.
        """
        try:
            self._act(
                lambda: self._client.shares.set_metadata(share_id, {MARK: str(mark), **LISTED})
            )
        except Unknown as unknown:
            raise CloudError(str(unknown), unknown.status_code) from None

    def unmark(self, share_id: str) -> None:
        """Take the mark away; nothing happens where there is none.  Raises Refused or Unknown."""
        for key in (MARK, *LISTED):
            self._forget(share_id, key)

    def mark_copy(self, share_id: str, mark: CopyMark) -> None:
        """Write down that a copy must never be completed.  Raises Refused or Unknown."""
        self._act(lambda: self._client.shares.set_metadata(share_id, {INTERRUPTED: str(mark)}))

    def unmark_copy(self, share_id: str) -> None:
        """Remove the mark of an interrupted copy.  Raises Refused or Unknown."""
        self._forget(share_id, INTERRUPTED)

    def _forget(self, share_id: str, key: str) -> None:
        """Delete a key of a share's metadata; nothing happens where there is none."""
        try:
            self._act(lambda: self._client.shares.delete_metadata(share_id, [key]))
        except Refused as refused:
            if refused.status_code != 404:
                raise

    def reset_status(self, kind: str, subject: str, status: str) -> None:
        """Write a status.  Raises Refused or Unknown.

        ``kind`` is share_server, share_instance, snapshot or snapshot_instance.
        """
        self._act(lambda: self._resettable(kind).reset_state(subject, status))

    def _resettable(self, kind: str) -> Any:
        managers = {
            SHARE_SERVER: self._client.share_servers,
            "share_instance": self._client.share_instances,
            "snapshot": self._client.share_snapshots,
            "snapshot_instance": self._client.share_snapshot_instances,
        }
        return managers[kind]

    def reset_task_state(self, kind: str, subject: str, task_state: str | None) -> None:
        """Write a task state.  Raises Refused or Unknown."""
        self._act(lambda: self._manager(kind).reset_task_state(subject, task_state))

    def delete_server(self, server_id: str) -> None:
        """Delete a share server: Manila refuses that while a share is on it.  Raises Refused or Unknown."""
        self._act(lambda: self._client.share_servers.delete(server_id))

    def delete_instance(self, instance_id: str) -> None:
        """Force-delete a share instance.  With a share's only one, Manila deletes the share.

        Raises Refused or Unknown.
        """
        self._act(lambda: self._client.share_instances.force_delete(instance_id))

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Have a snapshot deleted.  Raises Refused or Unknown."""
        self._act(lambda: self._client.share_snapshots.delete(snapshot_id))

    def allow(self, share_id: str, access_type: str, access_to: str, level: str) -> None:
        """Give a share an access rule.  Raises Refused or Unknown."""
        self._act(lambda: self._client.shares.allow(share_id, access_type, access_to, level))

    def deny(self, share_id: str, rule_id: str) -> None:
        """Take an access rule away from a share.  Raises Refused, which names a lock, or Unknown."""
        try:
            self._act(lambda: self._client.shares.deny(share_id, rule_id))
        except Refused as error:
            locks = self._locks_of_rule(rule_id) if error.status_code == 403 else []
            if not locks:
                raise
            # Manila refuses administrators, too: api/v2/shares.py, _check_for_access_rule_locks().
            names = "; ".join(f"lock {lock.id} of {describe_owner(lock)}" for lock in locks)
            raise Refused(
                f"Access rule {rule_id} of share {share_id} is locked, so Manila does not remove it: "
                f"{names}. Remove the lock first (openstack share lock delete {locks[0].id}).",
                status_code=403,
            ) from None

    def _locks_of_rule(self, rule_id: str) -> list[Lock]:
        try:
            listed = self.locks(resource_id=rule_id)
        except CloudError:
            return []  # what was refused is told in Manila's words
        return [lock for lock in listed or () if lock.action == "delete"]

    def enable_service(self, host: str) -> None:
        """Let the scheduler place shares at a back end again.  Raises Refused or Unknown."""
        self._act(lambda: self._client.services.enable(host, SHARE_MANAGER))

    def disable_service(self, host: str, reason: str | None) -> None:
        """Keep the scheduler from placing shares at a back end.  Raises Refused or Unknown."""
        services = self._client.services
        if reason and self.keeps_disabled_reason:
            self._act(lambda: services.disable(host, SHARE_MANAGER, disable_reason=reason))
        else:
            self._act(lambda: services.disable(host, SHARE_MANAGER))
