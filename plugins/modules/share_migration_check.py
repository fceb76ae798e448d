#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say by which mechanism a share can be migrated, and everything that is against it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_migration_check
short_description: Check whether a share of OpenStack Manila can be migrated to a pool, and by which mechanism
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Says of driver-assisted and of host-assisted migration whether anything forbids it, with every blocker and
    every warning at once. Manila itself has no such check for shares. It stops at the first reason, and writes
    those of its scheduler and its drivers only into its logs, after it has said yes.
  - Possible means that nothing that can be seen from outside forbids it. Whether the driver can migrate the
    share in this way, and with which capabilities, only the driver knows, and Manila asks it only after the
    start. Nor do the options of the Data Service show. Both are among the warnings.
  - What the scheduler knows of pools is as old as its last look at them. M(manila.migration.pool_info) says more.
  - Changes nothing. If a migration is not possible, the module succeeds with that answer.
options:
  destination_pool:
    description: The pool to migrate to, in the form V(host@backend#pool).
    type: str
    required: true
  data_node_access_ips:
    description:
      - The value of the option of the same name of manila-data, which can't be read from Manila.
      - Manila deletes access rules of clients for these addresses for good after a host-assisted copy.
        With the addresses the check names these rules; without, it says that there may be some.
    type: list
    elements: str
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
extends_documentation_fragment:
  - manila.migration.share
  - openstack.cloud.openstack
  - manila.migration.attributes
  - manila.migration.attributes.actiongroup
seealso:
  - module: manila.migration.share_migration
  - module: manila.migration.pool_info
  - module: manila.migration.data_service_config
"""

EXAMPLES = r"""
- name: Ask whether a share can move, and how
  manila.migration.share_migration_check:
    cloud: mycloud
    share: projects
    destination_pool: stor2@array9#pool1
    new_share_type: array9
    data_node_access_ips: [192.0.2.7]
  register: checked

- name: Stop if neither the driver nor the Data Service can, with all reasons
  ansible.builtin.assert:
    that: checked.driver_assisted.possible or checked.host_assisted.possible
    fail_msg: >-
      {{ (checked.driver_assisted.blockers + checked.host_assisted.blockers)
         | map(attribute='message') | unique | join('; ') }}

- name: Show what to know before
  ansible.builtin.debug:
    var: checked.driver_assisted.warnings
"""

RETURN = r"""
driver_assisted:
  description: What is known of the migration by the driver.
  type: dict
  returned: success
  contains:
    possible:
      description: Whether nothing that can be seen forbids it.
      type: bool
    blockers:
      description: Everything that forbids it, each with C(code) and C(message).
      type: list
      elements: dict
    warnings:
      description: What does not forbid it but should be known before, each with C(code) and C(message).
      type: list
      elements: dict
  sample:
    possible: false
    blockers:
      - code: type_pinned
        message: >-
          stor2@array9#pool1: the share type 'array7' is pinned to share_backend_name = 'ARRAY7': map it to another
          type (share_type_map, new_share_type)
    warnings:
      - code: driver_unknown
        message: "whether the driver can do it only the driver knows: Manila asks it after the start"
host_assisted:
  description: The same of the migration by the Data Service, which copies the files.
  type: dict
  returned: success
  contains:
    possible:
      description: Whether nothing that can be seen forbids it.
      type: bool
    blockers:
      description: Everything that forbids it, each with C(code) and C(message).
      type: list
      elements: dict
    warnings:
      description: What does not forbid it but should be known before, each with C(code) and C(message).
      type: list
      elements: dict
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

from ansible_collections.manila.migration.plugins.module_utils._checks.share import (
    SHARE_ARGUMENTS,
    check_destination,
    judge,
    read_for_share,
    share_options,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    DRIVER,
    HOST,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule


class ShareMigrationCheckModule(MigrationModule):
    """Read what decides, and return the verdict."""

    argument_spec = {
        "destination_pool": {"required": True},
        "data_node_access_ips": {"type": "list", "elements": "str"},
        **SHARE_ARGUMENTS,
    }
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Check the arguments, read, and return the verdict."""
        destination = self.params["destination_pool"]
        wrong = check_destination(destination)
        if wrong:
            self.refuse(wrong)
        cloud = self.open_cloud()
        options = share_options(cloud, self.params)
        share = cloud.find_share(self.params["share"])
        inventory, details = read_for_share(
            cloud, share, options, self.params["data_node_access_ips"]
        )
        migration = Migration(
            id=share.id,
            name=share.name,
            source=share.host,
            destination=destination,
            size_gb=share.size_gb,
            options=options,
        )
        verdicts = judge(inventory, migration, details)
        self.results.update(
            driver_assisted=verdicts[DRIVER].as_dict(), host_assisted=verdicts[HOST].as_dict()
        )


def main() -> None:
    """Run the module."""
    ShareMigrationCheckModule()()


if __name__ == "__main__":
    main()
