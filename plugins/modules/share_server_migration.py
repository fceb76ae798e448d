#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the migration of one share server to a state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_server_migration
short_description: Migrate a share server of OpenStack Manila with all its shares, in two phases
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Starts, completes or cancels the migration of a share server with all its shares, their access rules
    and, if the driver can, their snapshots. The first phase copies. The second phase, the cutover,
    disconnects clients, as the export locations change; it is begun only by O(state=completed).
  - A migration makes a new share server at the destination, with an ID of its own. The old one becomes
    V(inactive) after the cutover, and Manila removes it. The module, run again with the old ID, finds the
    new one.
  - While it migrates, Manila refuses all other actions on the share server, its shares and their snapshots.
  - Only drivers migrate share servers. Source and destination must be configured on all manila-share nodes.
  - The module sends nothing that Manila has already done or is doing. A migration to the same destination that
    another operator started is taken over, one to another destination is an error.
  - Before a start everything is checked that M(manila.migration.share_server_migration_check) checks.
  - A share server is reported as completed only after a look at it and at all its shares.
options:
  destination_host:
    description:
      - The back end to migrate to, in the form V(host@backend).
      - Required to start a migration. Without it, O(state=completed) and O(state=cancelled) take the
        migration that is under way, wherever it goes.
    type: str
  state:
    description:
      - V(started) brings the share server to the end of the first phase, its data copied and the source still in use.
      - V(completed) starts the migration where that is needed, and cuts over. A cutover can't be cancelled.
      - V(cancelled) ends a migration that is under way; the share server and its shares stay where they are. A driver may need
        an hour for that; until it is over V(completed) is refused, or waited with.
    type: str
    choices: [started, completed, cancelled]
    default: started
  wait:
    description:
      - Whether to wait for the end of what O(state) asks for.
      - With V(false) only the next step is sent. Run the task again for the one after it. A cutover that
        was sent is waited for until Manila shows it.
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
  - manila.migration.share_server
  - manila.migration.migration
  - openstack.cloud.openstack
  - manila.migration.attributes
  - manila.migration.attributes.actiongroup
seealso:
  - module: manila.migration.share_server_migration_check
  - module: manila.migration.share_server_migration_info
  - module: manila.migration.migration_repair
"""

EXAMPLES = r"""
- name: Copy a share server with all its shares to another back end, clients go on
  manila.migration.share_server_migration:
    cloud: mycloud
    share_server: f3089d4f-89e8-4730-b6e6-7cab553df071
    destination_host: stor2@array9
    preserve_snapshots: true
    writable: true
  register: copy

- name: Cut over, at the agreed time
  manila.migration.share_server_migration:
    cloud: mycloud
    share_server: "{{ copy.migration.id }}"
    destination_host: "{{ copy.migration.destination }}"
    state: completed
  register: moved

- name: Show the new share server, and what clients of each share have to mount now
  ansible.builtin.debug:
    msg: "{{ moved.migration.destination_share_server_id }}: {{ moved.migration.shares }}"

- name: Give up a migration
  manila.migration.share_server_migration:
    cloud: mycloud
    share_server: "{{ moved.migration.destination_share_server_id }}"
    state: cancelled
"""

RETURN = r"""
migration:
  description: What is known of the migration.
  type: dict
  returned: when the share server was found
  contains:
    kind:
      description: Always V(share_server).
      type: str
    id:
      description: ID of the share server that is, or was, moved. It doesn't exist any more after the cutover.
      type: str
    destination_share_server_id:
      description: ID of the share server at the destination, V(null) until Manila has made it.
      type: str
    name:
      description: Always empty, share servers have no names.
      type: str
    source:
      description: The back end it comes from.
      type: str
    destination:
      description: The back end it goes to.
      type: str
    phase:
      description: >-
        V(idle), V(copying), V(copied), V(completing), V(completed), V(cancelling), V(cancelled),
        V(failed) or V(stuck).
      type: str
    mechanism:
      description: Always V(driver), V(null) while nothing migrates.
      type: str
    task_state:
      description: Manila's own name of the step. It stays after the end of a migration.
      type: str
    progress:
      description: Percent copied, V(null) where it is not known.
      type: int
    size_gb:
      description: Size of its shares together in GiB.
      type: int
    shares:
      description:
        - Its shares, each with C(id), C(name), C(export_locations_before) and C(export_locations_after).
        - Empty unless this run cut over, or found it completed.
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
      description: Export locations of all its shares before the cutover, empty unless this run cut over.
      type: list
      elements: str
    export_locations_after:
      description: Export locations of all its shares after the cutover.
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
from ansible_collections.manila.migration.plugins.module_utils._checks.share_server import (
    SERVER_ARGUMENTS,
    check_destination,
    judge,
    server_options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._module.single import (
    ARGUMENTS,
    SingleMigrationModule,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import DESTINATION


class ShareServerMigrationModule(SingleMigrationModule):
    """Drives a plan of one migration."""

    argument_spec = {"destination_host": {}, **SERVER_ARGUMENTS, **ARGUMENTS}

    def run(self) -> None:
        """Check the arguments, look at the share server, and bring it to the wanted state."""
        destination = self.params["destination_host"]
        if destination is not None:
            wrong = check_destination(destination)
            if wrong:
                self.refuse(wrong)
        self.check_poll_interval()
        cloud = self.open_cloud()
        options = server_options(cloud, self.params)
        server = cloud.find_share_server(self.params["share_server"])
        if server.id != self.params["share_server"]:
            subject = self.params["share_server"]  # it was moved: the new one answers for it
        elif server.status == DESTINATION and server.source_id:
            subject = server.source_id
        else:
            subject = server.id
            network = options.new_share_network_id or server.share_network_id
            there = server.host == destination and network == server.share_network_id
            if there and server.source_id is None:
                self.refuse(
                    f"share server {server.id} is at {destination} already, in the same share "
                    "network: give another destination_host or new_share_network."
                )
        self.drive(
            cloud,
            Migration(
                id=subject,
                source=server.host,
                destination=destination,
                size_gb=sum(one.size_gb for one in cloud.shares(share_server_id=server.id)),
                kind=SHARE_SERVER,
                options=options,
            ),
        )

    def blockers(self, cloud: Cloud, migration: Migration) -> list[Reason]:
        """Everything that keeps the share server from being migrated as asked for."""
        if migration.destination is None:
            return []  # the engine says that there is nowhere to go
        server = cloud.find_share_server(migration.id)
        return judge(cloud, server, migration.destination, migration.options).blockers


def main() -> None:
    """Run the module."""
    ShareServerMigrationModule()()


if __name__ == "__main__":
    main()
