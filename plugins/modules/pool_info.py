#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show pools, and what fits into them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pool_info
short_description: Show the pools of OpenStack Manila, what fits into them, and the services behind them
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Returns capacities of pools as Manila's scheduler calculates with them, how many shares are there, and what
    migrations bring. Changes nothing.
  - Manila hands out what its scheduler remembers. Drivers report once a minute or more rarely, and the scheduler
    takes their reports up only when it places something. RV(pools[].reported_at) says how old a figure is, as
    far as the driver reports it. Pools of services that are gone or disabled are still listed.
  - What can't be known is V(null), or what the driver says instead of a number.
options:
  host:
    description:
      - Only pools and services of this place, in the form V(host@backend) or V(host@backend#pool).
    type: str
  share_type:
    description:
      - Name or ID of a share type. Each pool then has RV(pools[].blockers), empty where shares of the type can
        go, and RV(pools[].fits_gb). Those where they can go come first.
    type: str
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
  - module: manila.migration.evacuation_plan
  - module: manila.migration.share_migration_check
"""

EXAMPLES = r"""
- name: Look at all pools
  manila.migration.pool_info:
    cloud: mycloud
  register: found

- name: Show them
  ansible.builtin.debug:
    var: found.text

- name: Find out where shares of a type can go
  manila.migration.pool_info:
    cloud: mycloud
    share_type: array9
  register: found

- name: Name the pools that have room for 20 GiB, as far as that is known
  ansible.builtin.debug:
    msg: "{{ found.pools | rejectattr('fits_gb', 'none') | selectattr('fits_gb', '>=', 20) | map(attribute='name') }}"
"""

RETURN = r"""
pools:
  description: The pools by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the pool.
      type: str
      sample: stor2@array9#pool1
    backend:
      description: Its back end.
      type: str
      sample: stor2@array9
    availability_zone:
      description: The availability zone of its manila-share service.
      type: str
    service_status:
      description: Whether its manila-share service is V(enabled) or V(disabled), or is V(missing).
      type: str
    service_state:
      description: Whether its manila-share service is V(up) or V(down), by state and heartbeat, or is V(missing).
      type: str
    total_gb:
      description: Capacity in GiB, or V(unknown) or V(infinite).
      type: raw
    free_gb:
      description: Free capacity in GiB, or V(unknown) or V(infinite).
      type: raw
    used_percent:
      description: Percent of the capacity that is not free.
      type: float
    reserved_percentage:
      description: Percent of the capacity that the scheduler keeps free.
      type: float
    reserved_gb:
      description: The same in GiB.
      type: float
    provisioned_gb:
      description: The sizes of all shares together, as far as the driver reports it.
      type: float
    allocated_gb:
      description: The sizes of Manila's shares together, as far as the driver reports it.
      type: float
    thin_provisioning:
      description: Whether more may be provisioned in the pool than it has.
      type: bool
    max_over_subscription_ratio:
      description: How many times its capacity may be provisioned, as far as the driver reports it.
      type: float
    fits_thin_gb:
      description:
        - The largest share that the scheduler would accept by its size, for a share type that allows thin provisioning.
        - Running migrations are not in it, as the scheduler doesn't count them. M(manila.migration.evacuation_plan) does.
        - V(null) where any size would be accepted, as the driver reports no free capacity, and for thin pools where
          the scheduler computes a value that the driver doesn't report.
      type: int
    fits_thick_gb:
      description: The same for a share type that forbids thin provisioning.
      type: int
    fits_gb:
      description: The same for shares of O(share_type), V(0) where they can't go.
      type: int
      returned: with O(share_type)
    blockers:
      description: Why shares of O(share_type) can't go there, each with C(code) and C(message).
      type: list
      elements: dict
      returned: with O(share_type)
    shares:
      description: How many share instances are there. Replicas and destinations of migrations count, too.
      type: int
    coming_gb:
      description: GiB that migrations bring and the pool does not report yet.
      type: float
    coming_written_gb:
      description: How much of its free capacity migrations are still going to take.
      type: float
    reported_at:
      description: When the driver reported it, by the clock of the back end.
      type: str
services:
  description: The manila-share services.
  type: list
  elements: dict
  returned: success
  contains:
    host:
      description: The back end.
      type: str
    status:
      description: V(enabled) or V(disabled).
      type: str
    state:
      description: What Manila believes of the process, V(up), V(down) or V(stopped).
      type: str
    alive:
      description: Whether C(state) is V(up) and the last heartbeat is recent.
      type: bool
    disabled_reason:
      description: Why it is disabled, V(null) where Manila keeps no reason.
      type: str
    zone:
      description: The availability zone.
      type: str
text:
  description: The same for people, line by line.
  type: list
  elements: str
  returned: success
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.inventory_reader import (
    read_pools,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import (
    SCHEDULER_DOWN,
)
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    backend_of,
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import instead
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils._planner.pools import pool_records
from ansible_collections.manila.migration.plugins.module_utils._report.text import pool_lines


class PoolInfoModule(MigrationModule):
    """Read pools and return their records."""

    argument_spec: dict[str, Any] = {"host": {}, "share_type": {}}
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Check the arguments, read, and return the pools."""
        host, name = self.params["host"], self.params["share_type"]
        if host is not None and not (is_backend(host) or is_pool(host)):
            self.refuse(
                f'host must have the form host@backend or host@backend#pool, got: "{host}".'
            )
        cloud = self.open_cloud()
        share_type = cloud.find_share_type(name) if name else None
        inventory = read_pools(cloud, host)
        pools = pool_records(inventory, host, share_type)
        services = [
            one.as_dict()
            for _name, one in sorted(inventory.services.items())
            if host is None or one.host == backend_of(host)
        ]
        known = services if host is None or is_backend(host) else pools
        if host is not None and not (pools or known) and inventory.scheduler_up:
            what = "pool" if is_pool(host) else "back end"
            names = [one.name for one in inventory.pools] if is_pool(host) else inventory.services
            self.refuse(f"host: there is no {what} {host}; {instead(host, names)}.")
        if not inventory.scheduler_up:
            self.warn(f"{SCHEDULER_DOWN.message}.")
        self.results.update(pools=pools, services=services, text=pool_lines(pools, services))


def main() -> None:
    """Run the module."""
    PoolInfoModule()()


if __name__ == "__main__":
    main()
