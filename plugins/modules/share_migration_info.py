#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show share migrations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_migration_info
short_description: Show the migrations of shares in OpenStack Manila
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Returns phase, mechanism, source, destination and instances of migrations. Changes nothing.
  - Without O(share), everything in the cloud that migrates at this moment.
options:
  share:
    description: Names or IDs of shares, whether they migrate or not.
    type: list
    elements: str
    aliases: [shares]
  host:
    description:
      - Only migrations that come from or go to this place, in the form V(host@backend) or V(host@backend#pool).
    type: str
  with_progress:
    description:
      - Whether to ask for the percentage copied. Costs one request a share that copies, answered by
        the service that copies; a service that died makes each of them take up to a minute.
    type: bool
    default: false
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
  - module: manila.migration.share_migration
"""

EXAMPLES = r"""
- name: Return what migrates in the cloud now
  manila.migration.share_migration_info:
    cloud: mycloud
    with_progress: true
  register: running

- name: Return the migrations of two shares
  manila.migration.share_migration_info:
    cloud: mycloud
    share: [projects, scratch]
"""

RETURN = r"""
migrations:
  description:
    - One record for each share, as M(manila.migration.share_migration) returns it, with RV(migrations[].instances).
    - A share that doesn't migrate has the place where it is as C(source) and C(destination) V(null).
    - A share of which a replica is moved has C(kind) V(share_replica), and two of its replicas as RV(migrations[].instances).
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: ID of the share.
      type: str
    phase:
      description: What the migration is at.
      type: str
    instances:
      description: The instances, each with C(host) and C(status). A share that does not migrate has one.
      type: list
      elements: dict
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._engine.record import (
    as_record,
    describe,
)
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    covers,
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_replica,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import MIGRATING


class ShareMigrationInfoModule(MigrationModule):
    """Read migrations of shares and return their records."""

    argument_spec = {
        "share": {"type": "list", "elements": "str", "aliases": ["shares"]},
        "host": {},
        "with_progress": {"type": "bool", "default": False},
    }
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Find the shares, look at them, and make their records."""
        host = self.params["host"]
        if host is not None and not (is_backend(host) or is_pool(host)):
            self.refuse(
                f'host must have the form host@backend or host@backend#pool, got: "{host}".'
            )
        cloud = self.open_cloud()
        if self.params["share"]:
            ids = [cloud.find_share(one).id for one in self.params["share"]]
        else:
            ids = [one.id for one in cloud.migrating()]
        seen, _gone = cloud.observe(ids)
        for share, replicas in cloud.marked():
            moved = observe_replica(share, replicas)
            if moved.moving and (share.id in seen or not self.params["share"]):
                ids.append(share.id)
                seen[share.id] = moved
        shown = [
            one
            for one in (seen[share_id] for share_id in dict.fromkeys(ids) if share_id in seen)
            if host is None or any(covers(host, place.host) for place in one.instances or ())
        ]
        if self.params["with_progress"]:
            shown = [
                replace(one, progress=cloud.progress(one.kind, one.id))
                if one.state.phase in MIGRATING and one.state.progress is None
                else one
                for one in shown
            ]
        services = cloud.share_managers()
        self.results["migrations"] = [_record(one, services, cloud.now()) for one in shown]


def _record(seen: Observation, services: Mapping[str, Service], now: float) -> dict[str, Any]:
    instances = [{"host": one.host, "status": one.status} for one in seen.instances or ()]
    return {**as_record(*describe(seen, services, now)), "instances": instances}


def main() -> None:
    """Run the module."""
    ShareMigrationInfoModule()()


if __name__ == "__main__":
    main()
