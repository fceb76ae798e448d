#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find access rules that the Data Service left behind, and remove them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: data_service_rules
short_description: Find access rules that the Data Service of OpenStack Manila left behind
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Manila's Data Service gives itself an access rule for the shares that it copies. If it dies during the copy, the
    rule stays. This module finds such rules of all projects, and removes them on request.
  - It checks shares that were migrated once and do not migrate now. Shares that migrate are skipped, as their rule is still needed.
options:
  access_to:
    description:
      - To whom the rules give access, the values of C(data_node_access_ips), C(data_node_access_cert) and C(data_node_access_admin_user).
      - Clients must not have rules for the same. Manila itself deletes these at each host-assisted migration.
    type: list
    elements: str
    required: true
  state:
    description: Whether to find them, or to find and remove them.
    type: str
    choices: [listed, absent]
    default: listed
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - openstack.cloud.openstack
  - manila.migration.attributes
  - manila.migration.attributes.actiongroup
seealso:
  - module: manila.migration.service_restart_check
"""

EXAMPLES = r"""
- name: Find rules that a crash of the Data Service left behind
  manila.migration.data_service_rules:
    cloud: mycloud
    access_to: [192.0.2.30]

- name: Remove them
  manila.migration.data_service_rules:
    cloud: mycloud
    access_to: [192.0.2.30]
    state: absent
"""

RETURN = r"""
rules:
  description: The rules that were found.
  type: list
  elements: dict
  returned: success
  contains:
    share_id:
      description: ID of the share.
      type: str
    id:
      description: ID of the rule.
      type: str
    access_type:
      description: The type, such as V(ip).
      type: str
    access_to:
      description: To whom it gives access.
      type: str
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

from ansible_collections.manila.migration.plugins.module_utils._api.errors import Refused
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule


class DataServiceRulesModule(MigrationModule):
    """Read the rules of shares that do not migrate, and deny those of the Data Service."""

    argument_spec = {
        "access_to": {"type": "list", "elements": "str", "required": True},
        "state": {"choices": ["listed", "absent"], "default": "listed"},
    }
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Find the rules, return them, and remove them if asked."""
        access_to = set(filter(None, self.params["access_to"]))
        if not access_to:
            self.refuse(
                "access_to must not be empty: name to whom the rules give access, such as the address of the node."
            )
        cloud = self.open_cloud()
        found = [
            (share.id, rule)
            for share in cloud.shares()
            # A task state is never cleared: without one, nothing was ever copied.
            if share.task_state and share.status == "available"
            for rule in cloud.access_rules(share.id)
            if rule.access_to in access_to
        ]
        self.results["rules"] = [
            {
                "share_id": share_id,
                "id": rule.id,
                "access_type": rule.access_type,
                "access_to": rule.access_to,
            }
            for share_id, rule in found
        ]
        if self.params["state"] != "absent":
            return
        going = [(share_id, rule) for share_id, rule in found if "deny" not in rule.state]
        if self.check_mode:
            self.results["changed"] = bool(going)
            return
        for share_id, rule in going:
            try:
                cloud.deny(share_id, rule.id)
            except Refused as refused:
                if refused.status_code != 404:  # else it is gone, whoever removed it
                    raise
            finally:
                self.results["changed"] = cloud.effects > 0


def main() -> None:
    """Run the module."""
    DataServiceRulesModule()()


if __name__ == "__main__":
    main()
