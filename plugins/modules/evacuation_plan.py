#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which shares and share servers move where."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evacuation_plan
short_description: Plan which shares of OpenStack Manila move where
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Reads the cloud and returns which share goes to which pool, which share server to which back end, and
    why some can't move. Changes nothing.
  - By default it empties a back end or a pool. Other objectives move what is needed for something else.
  - Counts capacity as Manila's scheduler does, and also the shares that are placed but not there yet, which
    the scheduler does not count.
  - For each share server that could move, it asks Manila, and through it the drivers, whether it can.
  - Migrations that already run away from the source are part of the plan, with the destination they have.
options:
  source:
    description:
      - What to empty, V(host@backend) with all its pools or one pool V(host@backend#pool).
      - Needed with O(objective=evacuate). With O(objective=relocate), without it from everywhere outside the zone.
    type: str
  destinations:
    description:
      - Where shares may go, each V(host@backend) with all its pools or one pool V(host@backend#pool).
      - Without it, to every pool of an enabled back end that is up, the source's excepted.
      - With O(objective=rebalance) and O(objective=consolidate), O(source) and these together are the pools in
        question, between which shares move.
      - A share server goes to a back end. Of one that is allowed with single pools only the room of these counts,
        but in which of its pools shares come to lie is up to the driver.
    type: list
    elements: str
    default: []
  objective:
    description:
      - What the plan is for.
      - V(evacuate) empties O(source).
      - V(rebalance) moves the least data that brings every pool to within O(tolerance) of the mean of all.
      - V(consolidate) empties as many pools as possible, so that they can be taken offline. Pools that are empty
        already stay so.
      - V(relocate) moves what is outside O(availability_zone) to pools in it.
      - V(rebalance) and V(consolidate) compare pools by the sizes of the shares in them, as the scheduler's
        figures of free space are older than the last move. They move shares, and those on share servers only with
        O(share_servers=split).
    type: str
    choices: [evacuate, rebalance, consolidate, relocate]
    default: evacuate
  availability_zone:
    description: Where to, with O(objective=relocate).
    type: str
  tolerance:
    description: How many percent points the fill of a pool may be away from the mean, with O(objective=rebalance).
    type: float
    default: 5
  share_type_map:
    description:
      - New share types for shares of a type, by name or ID. A share type that pins shares to the source
        (C(share_backend_name)) must be mapped, or its shares can't move. Shares that move with their share
        server keep their type.
    type: dict
    default: {}
  share_network_map:
    description: New share networks for shares and share servers on a share network, by name or ID.
    type: dict
    default: {}
  mechanism:
    description:
      - V(auto) lets Manila try the driver and fall back to the Data Service.
      - V(driver) rules the Data Service out. Manila has no option for that, so the migration demands
        at least that file system metadata is preserved.
      - V(host) has the Data Service copy the files. Share servers can't be moved so, see O(share_servers).
    type: str
    choices: [auto, driver, host]
    default: auto
  require:
    description:
      - What migrations must be able to do; each of these rules the Data Service out.
      - V(preserve_metadata) can't be asked for with share servers.
    type: list
    elements: str
    choices: [writable, nondisruptive, preserve_metadata, preserve_snapshots]
    default: []
  exclude:
    description:
      - Names or IDs of shares to leave where they are, and IDs of share servers.
      - A share server of which some shares are excluded can't move; if all are, it is excluded itself.
    type: list
    elements: str
    default: []
  select:
    description:
      - A JMESPath expression over the list of the shares at the source that gives those to move, or their IDs. The
        others are left where they are, as if they were named in O(exclude).
      - Each has C(id), C(name), C(project_id), C(size_gb), C(host), C(status), C(protocol), C(share_type),
        C(share_type_id), C(share_network_id), C(share_server_id), C(availability_zone), C(snapshots) (how many)
        and C(metadata).
    type: str
  placement:
    description: V(spread) keeps the fullest pool as empty as possible, V(pack) fills one pool after the other.
    type: str
    choices: [spread, pack]
    default: spread
  share_servers:
    description:
      - How shares on share servers move.
      - V(whole) moves each share server with all its shares in one migration, by the drivers, to another back
        end. O(source) must be a back end then, as a share server spans all its pools.
      - V(split) moves the shares one by one to share servers that Manila finds or makes at the destination.
    type: str
    choices: [whole, split]
    default: whole
  delete_snapshots:
    description:
      - Names or IDs of snapshots that may be lost. They are deleted by M(manila.migration.evacuation) right before their
        share starts to be copied, and never without being named here.
      - Only drivers can keep snapshots. A share that the Data Service has to copy can't have any.
      - The snapshots of each migration that will be deleted are listed in RV(plan.migrations), in C(delete_snapshots).
    type: list
    elements: str
    default: []
  group_by:
    description:
      - What is cut over together, once all of it is copied, or not at all. V(project), V(metadata:KEY) for the shares with the
        same value of this key of their metadata, or V(share) for each alone.
      - Without it, and without O(groups), each is cut over as soon as it may be.
      - A share server brings the groups of its shares together. If a member can't move the others are left, too.
    type: str
    default: ""
  groups:
    description: The same for shares that are listed. They override O(group_by).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What to call the group.
        type: str
        required: true
      shares:
        description: Names or IDs of its shares.
        type: list
        elements: str
        required: true
  order:
    description:
      - What is started first. V(largest), V(smallest), or V(metadata:KEY), the highest number in this key of the shares'
        metadata; shares without one come last, and the largest of equals first.
      - The members of a cutover group follow each other.
    type: str
    default: largest
  rate:
    description: MiB that one migration copies in a second, as measured or expected. Without it the plan has no duration.
    type: float
  max_parallel:
    description: How many migrations are meant to run at the same time. Only RV(plan.summary) is affected.
    type: int
    default: 5
  max_parallel_per_pool:
    description: How many are meant to run at the same time in one pool. Only RV(plan.summary) is affected.
    type: int
    default: 2
  baseline:
    description:
      - An earlier plan that was approved. Everything that does not migrate yet goes where it says. RV(plan.differences) has what
        has changed in the cloud since then.
      - With O(objective=rebalance) and O(objective=consolidate), what it moves is moved, and nothing else.
    type: dict
requirements:
  - jmespath, for O(select)
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
  - module: manila.migration.evacuation
"""

EXAMPLES = r"""
- name: Plan how an array is emptied
  manila.migration.evacuation_plan:
    cloud: mycloud
    source: stor1@array7
    destinations:
      - stor2@array9
    share_type_map:
      array7: array9
  register: planned

- name: Plan how share servers are emptied one share at a time, into another share network
  manila.migration.evacuation_plan:
    cloud: mycloud
    source: stor1@array7
    share_servers: split
    share_network_map:
      tenant-old: tenant-new

- name: Plan how the pools of two arrays are filled alike, and what that takes
  manila.migration.evacuation_plan:
    cloud: mycloud
    objective: rebalance
    destinations:
      - stor1@array7
      - stor2@array9
    tolerance: 10
    rate: 120

- name: Plan how the large shares of a project come to where it computes
  manila.migration.evacuation_plan:
    cloud: mycloud
    objective: relocate
    availability_zone: nova
    select: "[?project_id == 'a51d' && size_gb > `100`]"

- name: Show what cannot move, and why
  ansible.builtin.debug:
    var: planned.plan.unplaced
"""

RETURN = r"""
plan:
  description: The plan, as M(manila.migration.evacuation) takes it.
  type: dict
  returned: success
  contains:
    version:
      description: Version of this structure.
      type: int
      sample: 1
    source:
      description: O(source).
      type: str
    destinations:
      description: O(destinations).
      type: list
      elements: str
    objective:
      description: What the plan is for.
      type: str
    availability_zone:
      description: O(availability_zone), or V(null).
      type: str
    share_servers:
      description: O(share_servers).
      type: str
      sample: whole
    migrations:
      description:
        - The migrations in the order in which they are begun, each with C(kind) (V(share), V(share_server) or V(share_replica)),
          C(id), C(name), C(source), C(destination), C(size_gb), C(phase), C(options) and C(warnings).
        - Source and destination of a share are pools, those of a share server back ends. It has no name, and
          with C(shares) a list of what is on it, each with C(id), C(name), C(size_gb), C(source) and C(destination).
          These are pools, the destination the one where the share is expected if the driver does
          what is likely, or V(null).
        - C(group) is the cutover group, empty for none, C(group_missing) what keeps it from being cut over.
        - C(delete_snapshots) of a share are those of O(delete_snapshots) that it has, each with C(id) and C(name).
      type: list
      elements: dict
    unplaced:
      description:
        - What can't move, each with C(kind), C(id), C(name), all its C(reasons), and C(migrating).
        - C(migrating) is whether it migrates, also if another operator started that. Entries of RV(plan.migrations) and
          RV(plan.excluded) have it, too. It is V(false) only where the state that was read rules that out.
      type: list
      elements: dict
    excluded:
      description: What is left where it is because O(exclude) or O(select) says so.
      type: list
      elements: dict
    warnings:
      description: What one should know before it starts, each with C(code) and C(message).
      type: list
      elements: dict
    differences:
      description: What is different from O(baseline), each with C(code) and C(message); only with O(baseline).
      type: list
      elements: dict
    pools:
      description:
        - The pools of the source and the destinations, in GiB and percent, before and after. Reported figures or,
          where the objective compares pools, by the sizes of the shares in them.
      type: list
      elements: dict
    emptied:
      description: The pools that O(objective=consolidate) empties.
      type: list
      elements: str
    summary:
      description:
        - Counts, the GiB that move (C(size_gb)), how many C(shares) are disturbed by it, and how long the copying
          takes at least if every migration goes at O(rate), in C(expected_seconds), or V(null).
      type: dict
text:
  description: The plan for people, line by line.
  type: list
  elements: str
  returned: success
brief:
  description: The same with the first ten migrations only.
  type: list
  elements: str
  returned: success
services:
  description: The manila-share services of the source, each with C(host), C(status), C(alive) and C(disabled_reason).
  type: list
  elements: dict
  returned: success
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

import gc
import math
import time
from dataclasses import replace
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._api.inventory_reader import (
    read_inventory,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    backend_of,
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils._model.request import Pace, Request
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils._planner.baseline import follow
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import (
    refuse_other_plan,
    to_migrations,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import (
    checks_to_ask,
    make_plan,
)
from ansible_collections.manila.migration.plugins.module_utils._report.text import plan_lines

PAUSES = (1, 2, 4)
"""Seconds between readings while something has just begun to migrate: its place shows soon."""


class EvacuationPlanModule(MigrationModule):
    """Reads the inventory and hands it to the planner."""

    argument_spec = {
        "source": {},
        "destinations": {"type": "list", "elements": "str", "default": []},
        "objective": {
            "choices": ["evacuate", "rebalance", "consolidate", "relocate"],
            "default": "evacuate",
        },
        "availability_zone": {},
        "tolerance": {"type": "float", "default": 5},
        "share_type_map": {"type": "dict", "default": {}},
        "share_network_map": {"type": "dict", "default": {}},
        "mechanism": {"choices": ["auto", "driver", "host"], "default": "auto"},
        "require": {
            "type": "list",
            "elements": "str",
            "choices": ["writable", "nondisruptive", "preserve_metadata", "preserve_snapshots"],
            "default": [],
        },
        "exclude": {"type": "list", "elements": "str", "default": []},
        "select": {},
        "delete_snapshots": {"type": "list", "elements": "str", "default": []},
        "placement": {"choices": ["spread", "pack"], "default": "spread"},
        "share_servers": {"choices": ["whole", "split"], "default": "whole"},
        "group_by": {"default": ""},
        "groups": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"required": True},
                "shares": {"type": "list", "elements": "str", "required": True},
            },
        },
        "order": {"default": "largest"},
        "rate": {"type": "float"},
        "max_parallel": {"type": "int", "default": 5},
        "max_parallel_per_pool": {"type": "int", "default": 2},
        "baseline": {"type": "dict"},
    }
    module_kwargs = {
        "supports_check_mode": True,
        "required_if": [
            ("objective", "evacuate", ("source",)),
            ("objective", "relocate", ("availability_zone",)),
        ],
    }

    def run(self) -> None:
        """Read, plan, return."""
        source = self.params["source"] or ""
        if source and not (is_backend(source) or is_pool(source)):
            self.refuse(
                f'source must have the form host@backend or host@backend#pool, got: "{source}".'
            )
        rate = self.params["rate"] or 0.0
        if not 0 <= rate < math.inf:
            self.refuse(f"rate must be 0 or more MiB per second, got: {rate:g}.")
        try:
            agreed = self._agreed()
        except ValueError as error:
            self.refuse(f"baseline: {error}")
        cloud = self.open_cloud()
        networks = {
            cloud.find_share_network(old): cloud.find_share_network(new)
            for old, new in self.params["share_network_map"].items()
        }
        request = Request(
            source=source,
            destinations=self._names("destinations"),
            objective=self.params["objective"],
            share_type_map=self.params["share_type_map"],
            share_network_map=networks,
            mechanism=self.params["mechanism"],
            require=tuple(self.params["require"]),
            exclude=self._names("exclude"),
            placement=self.params["placement"],
            share_servers=self.params["share_servers"],
            select=self.params["select"] or "",
            delete_snapshots=self._names("delete_snapshots"),
            availability_zone=self.params["availability_zone"] or "",
            tolerance=self.params["tolerance"],
            pace=Pace(rate, self.params["max_parallel"], self.params["max_parallel_per_pool"]),
            agreed=agreed,
            group_by=self.params["group_by"],
            groups=[(one["name"], one["shares"]) for one in self.params["groups"]],
            order=self.params["order"],
        )
        try:
            inventory, plan = self._plan(cloud, request)
        except ValueError as error:
            self.refuse(str(error))
        if self.params["baseline"] is not None:
            try:
                plan = follow(plan, self.params["baseline"], inventory)
            except ValueError as error:
                self.refuse(f"baseline: {error}")
        self.results["plan"] = plan
        self.results["text"] = plan_lines(plan)
        self.results["brief"] = plan_lines(plan, rows=10)
        backends = {backend_of(place) for place in request.places}
        self.results["services"] = [
            _as_dict(service)
            for backend, service in sorted(inventory.services.items())
            if backend in backends
        ]

    def _names(self, argument: str) -> tuple[str, ...]:
        """The names in a list; one that was typed as a text may be empty, or have spaces."""
        return tuple(filter(None, map(str.strip, self.params[argument])))

    def _agreed(self) -> dict[str, str] | None:
        """Destinations by IDs of the plan that was agreed upon.  Raises ValueError."""
        if self.params["baseline"] is None:
            return None
        names = ("objective", "share_servers", "availability_zone")
        wanted = {name: self.params[name] for name in names}
        migrations = to_migrations(self.params["baseline"])
        refuse_other_plan(
            self.params["baseline"], {"source": self.params["source"] or "", **wanted}
        )
        return {one.id: one.destination or "" for one in migrations}

    def _plan(self, cloud: Cloud, request: Request) -> tuple[Inventory, dict[str, Any]]:
        """Read and plan until all places are known.  Raises ValueError and CloudError."""
        for pause in (*PAUSES, 0):
            inventory = read_inventory(cloud, *request.places)
            plan = make_plan(inventory, request)
            if not any(
                reason["code"] == "destination_unknown"
                for one in plan["unplaced"]
                for reason in one["reasons"]
            ):
                break
            time.sleep(pause)
        # What only drivers know is asked once, and of nothing that can't move anyway.
        checks = {
            (one.server_id, one.destination): cloud.check_server(
                one.server_id, one.destination, one.options
            )
            for one in checks_to_ask(inventory, request)
        }
        if checks:
            inventory = replace(inventory, checks=checks)
            plan = make_plan(inventory, request)
        return inventory, plan


def _as_dict(service: Any) -> dict[str, Any]:
    return {
        "host": service.host,
        "status": service.status,
        "alive": service.alive,
        "disabled_reason": service.disabled_reason,
    }


def main() -> None:
    """Run the module."""
    # Plans of many shares are many objects, none of them garbage before the end.
    gc.disable()
    EvacuationPlanModule()()


if __name__ == "__main__":
    main()
