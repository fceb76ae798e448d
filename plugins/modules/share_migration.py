#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the migration of one share to a state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_migration
short_description: Migrate one share of OpenStack Manila to another pool, in two phases
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Starts, completes or cancels the migration of a share. The first phase copies, while clients keep working
    (with host-assisted migration they can only read). The second phase, the cutover, disconnects
    clients and removes the source; it is begun only by O(state=completed).
  - The module sends nothing that Manila has already done or is doing. A migration to the same destination that
    another operator started is taken over, one to another destination is an error.
  - A share is reported as completed only after a look at its host, status, instances, access rules,
    snapshots and export locations.
options:
  destination_pool:
    description:
      - The pool to migrate to, in the form V(host@backend#pool).
      - Required to start a migration. Without it, O(state=completed) and O(state=cancelled) take the
        migration that is under way, wherever it goes.
    type: str
  state:
    description:
      - V(started) brings the share to the end of the first phase, its data copied and the source still in use.
      - V(completed) starts the migration where that is needed, and cuts over.
      - V(cancelled) ends a migration that is under way; the share stays at its source. A driver may need an hour for that, and the
        share looks copied all the while; until it is over V(completed) is refused, or waited with.
    type: str
    choices: [started, completed, cancelled]
    default: started
  wait:
    description:
      - Whether to wait for the end of what O(state) asks for.
      - With V(false) only the next step is sent. Run the task again for the one after it. A cutover that
        was sent is waited for until Manila shows it, as a second one could destroy the share.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - manila.migration.migration
  - manila.migration.share
  - openstack.cloud.openstack
  - manila.migration.attributes
  - manila.migration.attributes.actiongroup
seealso:
  - module: manila.migration.share_migration_check
  - module: manila.migration.share_migration_info
  - module: manila.migration.share_server_migration
  - module: manila.migration.evacuation
"""

EXAMPLES = r"""
- name: Copy a share to another pool, clients go on
  manila.migration.share_migration:
    cloud: mycloud
    share: projects
    destination_pool: stor2@array9#pool1
    new_share_type: array9
  register: copy

- name: Cut over, at the agreed time
  manila.migration.share_migration:
    cloud: mycloud
    share: "{{ copy.migration.id }}"
    destination_pool: "{{ copy.migration.destination }}"
    new_share_type: array9
    state: completed
  register: moved

- name: Show what clients have to mount now
  ansible.builtin.debug:
    var: moved.migration.export_locations_after

- name: Give up a migration
  manila.migration.share_migration:
    cloud: mycloud
    share: projects
    state: cancelled
"""

RETURN = r"""
migration:
  description: What is known of the migration.
  type: dict
  returned: when the share was found
  contains:
    kind:
      description: Always V(share).
      type: str
    id:
      description: ID of the share. A migration doesn't change it.
      type: str
    name:
      description: Name of the share.
      type: str
    source:
      description: The pool it comes from.
      type: str
    destination:
      description: The pool it goes to.
      type: str
    phase:
      description: >-
        V(idle), V(copying), V(copied), V(completing), V(completed), V(cancelling), V(cancelled),
        V(failed) or V(stuck).
      type: str
    mechanism:
      description: V(driver) or V(host), V(null) until Manila shows which.
      type: str
    task_state:
      description: Manila's own name of the step. It stays after the end of a migration.
      type: str
    progress:
      description: Percent copied, V(null) where it is not known.
      type: int
    size_gb:
      description: Size of the share in GiB.
      type: int
    destination_share_server_id:
      description: Always V(null), see M(manila.migration.share_server_migration).
      type: str
    shares:
      description: Always empty, see M(manila.migration.share_server_migration).
      type: list
      elements: dict
    error:
      description: Why it failed, V(null) if it did not.
      type: str
    waiting_for:
      description: >-
        What it waits for, as C(code), C(message), C(since) (V(null) where that isn't known) and C(transient), whether a run
        that waits may see it end.
      type: dict
    started_at:
      description: When the migration was started.
      type: str
    copied_at:
      description: When the first phase was over, as far as this run knows.
      type: str
    cutover_at:
      description: When this run asked for the cutover, V(null) if it did not.
      type: str
    completed_at:
      description: When the cutover was over, as seen by this run.
      type: str
    export_locations_before:
      description: Export locations before the cutover, empty unless this run cut over.
      type: list
      elements: str
    export_locations_after:
      description: Export locations after the cutover.
      type: list
      elements: str
blockers:
  description: Why the migration can't be started, each with C(code) and C(message).
  type: list
  elements: dict
  returned: when it was refused before anything was sent
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._checks.share import (
    SHARE_ARGUMENTS,
    asked_for,
    check_destination,
    read_for_share,
    share_options,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    options_conflict,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.start import (
    start_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._module.single import (
    ARGUMENTS,
    SingleMigrationModule,
)


class ShareMigrationModule(SingleMigrationModule):
    """Drives a plan of one migration."""

    argument_spec = {"destination_pool": {}, **SHARE_ARGUMENTS, **ARGUMENTS}

    def run(self) -> None:
        """Check the arguments, look at the share, and bring it to the wanted state."""
        destination = self.params["destination_pool"]
        conflict = options_conflict(asked_for(self.params))
        if conflict:
            self.refuse(f"{conflict.message}.", blockers=[conflict.as_dict()])
        wrong = check_destination(destination) if destination is not None else None
        if wrong:
            self.refuse(wrong)
        self.check_poll_interval()
        cloud = self.open_cloud()
        share = cloud.find_share(self.params["share"])
        migration = Migration(
            id=share.id,
            name=share.name,
            source=share.host,
            destination=destination,
            size_gb=share.size_gb,
            options=share_options(cloud, self.params),
        )
        self.drive(cloud, migration)

    def blockers(self, cloud: Cloud, migration: Migration) -> list[Reason]:
        """Everything that keeps the share from being migrated as asked for."""
        share = cloud.share(migration.id)
        inventory, details = read_for_share(cloud, share, migration.options)
        return start_blockers(inventory, migration, details=details)


def main() -> None:
    """Run the module."""
    ShareMigrationModule()()


if __name__ == "__main__":
    main()
