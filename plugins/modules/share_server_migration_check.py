#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say whether a share server can be migrated, and everything that is against it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_server_migration_check
short_description: Check whether a share server of OpenStack Manila can be migrated to a back end
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Asks Manila, and with it the driver of the destination, and names every capability that is asked for and
    not supported.
  - Adds the reasons at which Manila stops one by one, that it writes only into its logs, or that it finds too late.
    Among them are shares without which the share server can't move, and instances that would leave it
    stuck in the middle of the start.
  - Changes nothing. If it is not compatible, the module succeeds with that answer.
options:
  destination_host:
    description: The back end to migrate to, in the form V(host@backend).
    type: str
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
extends_documentation_fragment:
  - manila.migration.share_server
  - openstack.cloud.openstack
  - manila.migration.attributes
  - manila.migration.attributes.actiongroup
seealso:
  - module: manila.migration.share_server_migration
"""

EXAMPLES = r"""
- name: Ask whether a share server can move, with its snapshots, while clients write
  manila.migration.share_server_migration_check:
    cloud: mycloud
    share_server: f3089d4f-89e8-4730-b6e6-7cab553df071
    destination_host: stor2@array9
    preserve_snapshots: true
    writable: true
  register: checked

- name: Stop if it can't, with all reasons
  ansible.builtin.assert:
    that: checked.compatible
    fail_msg: "{{ checked.blockers | map(attribute='message') | join('; ') }}"
"""

RETURN = r"""
compatible:
  description: Whether neither Manila nor anything seen here is against it.
  type: bool
  returned: success
requested_capabilities:
  description: What was asked for, as Manila names it.
  type: dict
  returned: success
  sample: {host: stor2@array9, nondisruptive: false, preserve_snapshots: true, share_network_id: null, writable: true}
supported_capabilities:
  description:
    - What the drivers support in this case. Empty where Manila did not ask them.
    - Besides the three that can be asked for, C(migration_cancel), C(migration_get_progress) and
      C(share_network_id), the share network that would be used.
  type: dict
  returned: success
  sample:
    migration_cancel: true
    migration_get_progress: true
    nondisruptive: false
    preserve_snapshots: true
    share_network_id: ac8e103f-c21a-4442-bddc-fdadee093099
    writable: true
blockers:
  description: Everything that keeps the share server from being migrated so, each with C(code) and C(message).
  type: list
  elements: dict
  returned: success
cautions:
  description:
    - What does not prevent the migration but should be known before, each with C(code) and C(message).
    - Ansible shows the messages as warnings, too. C(warnings) itself is a key that Ansible keeps for plain texts.
  type: list
  elements: dict
  returned: success
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

from ansible_collections.manila.migration.plugins.module_utils._checks.share_server import (
    SERVER_ARGUMENTS,
    check_destination,
    judge,
    requested_capabilities,
    server_options,
)
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule


class ShareServerMigrationCheckModule(MigrationModule):
    """Ask Manila, and return the verdict."""

    argument_spec = {"destination_host": {"required": True}, **SERVER_ARGUMENTS}
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Check the arguments, ask, and return the verdict."""
        destination = self.params["destination_host"]
        wrong = check_destination(destination)
        if wrong:
            self.refuse(wrong)
        cloud = self.open_cloud()
        options = server_options(cloud, self.params)
        server = cloud.find_share_server(self.params["share_server"])
        verdict = judge(cloud, server, destination, options)
        self.results.update(
            compatible=verdict.compatible,
            requested_capabilities=requested_capabilities(destination, options),
            supported_capabilities=dict(verdict.check.supported),
            blockers=[one.as_dict() for one in verdict.blockers],
            cautions=[one.as_dict() for one in verdict.warnings],
        )
        for one in verdict.warnings:
            self.warn(f"share server {server.id}: {one.message}.")


def main() -> None:
    """Run the module."""
    ShareServerMigrationCheckModule()()


if __name__ == "__main__":
    main()
