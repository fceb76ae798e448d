#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say whether a service of Manila may be restarted now, and wait until it may."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_restart_check
short_description: Find out whether a service of OpenStack Manila may be restarted now
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Reads everything that migrates in the cloud, also what another operator started, and says whether the restart
    of a service would break a migration. Can wait until it would not. Changes nothing and restarts nothing.
  - Manila itself prevents none of this. A manila-data that is stopped breaks its copies. One that starts, on any
    node, declares all copies of the cloud failed. A manila-share that is restarted while it starts or
    cuts over a migration leaves that stuck.
  - While a driver cancels, Manila shows the share as copied, or as copying. Restart no manila-share right after a cancel,
    which may take a driver an hour.
  - It sees what Manila shows at one moment. Restart right afterwards, and start no host-assisted
    migrations in between.
options:
  binary:
    description:
      - The service. For V(manila-data) the answer is the same for every node, also for one that
        is about to get its first.
    type: str
    choices: [manila-data, manila-scheduler, manila-share]
    required: true
  host:
    description:
      - Where it runs. For V(manila-share) required, a back end V(host@backend), or V(host) with all its back ends,
        as they usually are one unit of the service manager.
      - The names are those that Manila uses, see C(openstack share service list).
    type: str
  wait:
    description:
      - Whether to wait until it is safe. If it isn't within O(timeout), the module fails and names what stands in the way.
      - In check mode nothing is waited for.
    type: bool
    default: false
  timeout:
    description: Seconds to wait.
    type: int
    default: 3600
  poll_interval:
    description: Seconds between two looks at the cloud.
    type: float
    default: 15
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
extends_documentation_fragment:
  - openstack.cloud.openstack
  - manila.migration.attributes
  - manila.migration.attributes.actiongroup
seealso:
  - module: manila.migration.data_service_config
"""

EXAMPLES = r"""
- name: May the Data Service be restarted?
  manila.migration.service_restart_check:
    cloud: mycloud
    binary: manila-data
  register: check

- name: Say what stands in the way
  ansible.builtin.debug:
    msg: "{{ check.blockers | map(attribute='message') | join('; ') or 'nothing' }}"

- name: Wait until the manila-share of a node may be restarted, with all its back ends
  manila.migration.service_restart_check:
    cloud: mycloud
    binary: manila-share
    host: stor1
    wait: true
    timeout: 600
"""

RETURN = r"""
safe:
  description: Whether a restart breaks nothing.
  type: bool
  returned: when the cloud could be read
blockers:
  description:
    - Everything that stands in the way. The page C(docs/reasons.md) of the collection lists the codes.
  type: list
  elements: dict
  returned: when the cloud could be read
  contains:
    code:
      description: A stable name of the reason.
      type: str
      sample: copying
    message:
      description: The share or share server, where it is, and what a restart would do to it.
      type: str
services:
  description: The services that were asked about, as Manila knows them. For V(manila-data), all of the cloud.
  type: list
  elements: dict
  returned: when the cloud could be read
  contains:
    host:
      description: Where it runs.
      type: str
    status:
      description: V(enabled) or V(disabled).
      type: str
    state:
      description: What Manila believes of the process, V(up), V(down) or V(stopped).
      type: str
    alive:
      description: Whether RV(services[].state) is V(up) and its last heartbeat is recent.
      type: bool
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

import time

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils._repair.service_restarts import (
    BINARIES,
    SHARE_MANAGER,
    as_dicts,
    blockers,
    serves,
    works,
)


class ServiceRestartCheckModule(MigrationModule):
    """Read, compare with the table of forbidden restarts, and wait if asked."""

    argument_spec = {
        "binary": {"required": True, "choices": sorted(BINARIES)},
        "host": {},
        "wait": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 3600},
        "poll_interval": {"type": "float", "default": 15},
    }
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Look until it is safe, or until the time is over."""
        binary, timeout = self.params["binary"], self.params["timeout"]
        host, pause = self.params["host"], self.params["poll_interval"]
        if binary == SHARE_MANAGER and not host:
            self.refuse(
                "host is missing: name the manila-share to restart, as host@backend or host."
            )
        if host and ("#" in host or host.strip("@ ") != host):
            self.refuse(f'host must have the form host@backend or host, got: "{host}".')
        if timeout < 0:
            self.refuse(f"timeout must be 0 or more seconds, got: {timeout}.")
        if pause <= 0:
            self.refuse(f"poll_interval must be more than 0 seconds, got: {pause:g}.")
        cloud = self.open_cloud()
        deadline = time.monotonic() + timeout
        while True:
            found = self._look(cloud, binary, host)
            if not found or not self.params["wait"] or self.check_mode:
                return
            if time.monotonic() >= deadline:
                break
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        where = f" of {host}" if binary == SHARE_MANAGER else ""
        self.refuse(
            f"{binary}{where} must not be restarted now, and that did not change within {timeout} s. "
            f"Blockers: {'; '.join(one.message for one in found)}."
        )

    def _look(self, cloud: Cloud, binary: str, host: str | None) -> list[Reason]:
        services = [one for one in cloud.services() if one.binary == binary]
        if binary == SHARE_MANAGER:
            known = ", ".join(sorted(one.host for one in services)) or "none"
            services = [one for one in services if serves(one, host)]
            if not services:
                self.refuse(f"host: there is no manila-share at {host!r}; there are: {known}.")
        # Shares first: an instance that is made in between then shows beside its share.
        shares, servers = cloud.shares(), cloud.share_servers()
        running = works(shares, [], servers)
        if running:
            running = works(shares, cloud.instances(), servers)
        found = blockers(binary, host, running, services)
        self.results.update(
            safe=not found,
            blockers=[one.as_dict() for one in found],
            services=as_dicts(services),
        )
        return found


def main() -> None:
    """Run the module."""
    ServiceRestartCheckModule()()


if __name__ == "__main__":
    main()
