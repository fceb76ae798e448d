#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show migrations of share servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_server_migration_info
short_description: Show the migrations of share servers in OpenStack Manila
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Returns phase, progress, source, destination and shares of migrations. Changes nothing.
  - Without O(share_server), everything in the cloud that migrates at this moment.
options:
  share_server:
    description:
      - IDs of share servers, whether they migrate or not.
      - The ID of a share server that was moved, and so doesn't exist any more, finds the one that took its place.
    type: list
    elements: str
    aliases: [share_servers]
  host:
    description: Only migrations that come from or go to this back end, in the form V(host@backend).
    type: str
  with_progress:
    description:
      - Whether to ask for the percentage copied. Costs one request a share server that copies, answered by
        the manila-share of the destination; one that died makes each of them take up to a minute.
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
  - module: manila.migration.share_server_migration
"""

EXAMPLES = r"""
- name: Which share servers migrate now
  manila.migration.share_server_migration_info:
    cloud: mycloud
    with_progress: true
  register: running

- name: Return the migration of one share server
  manila.migration.share_server_migration_info:
    cloud: mycloud
    share_server: f3089d4f-89e8-4730-b6e6-7cab553df071
"""

RETURN = r"""
migrations:
  description:
    - One record for each share server, as M(manila.migration.share_server_migration) returns it.
    - A share server that doesn't migrate has the back end where it is as C(source) and C(destination) V(null).
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: ID of the share server that is, or was, moved.
      type: str
    destination_share_server_id:
      description: ID of the share server at the destination, V(null) while there is none.
      type: str
    phase:
      description: What the migration is at.
      type: str
    shares:
      description: The shares on it, each with C(id), C(name), C(size_gb) and C(status).
      type: list
      elements: dict
    servers:
      description:
        - The share server, and those that its migrations made, each with C(id), C(host), C(status) and C(task_state).
        - A migration that failed or was cancelled may leave its destination behind, with the status V(error) or V(inactive).
      type: list
      elements: dict
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._api.errors import NotFound
from ansible_collections.manila.migration.plugins.module_utils._engine.record import (
    as_record,
    describe,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.places import is_backend
from ansible_collections.manila.migration.plugins.module_utils._model.records import ShareServer
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.observe import observe_server
from ansible_collections.manila.migration.plugins.module_utils._states.tables import COPYING, MOVING


class ShareServerMigrationInfoModule(MigrationModule):
    """Read migrations of share servers and return their records."""

    argument_spec = {
        "share_server": {"type": "list", "elements": "str", "aliases": ["share_servers"]},
        "host": {},
        "with_progress": {"type": "bool", "default": False},
    }
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Find the share servers, and make their records."""
        host = self.params["host"]
        if host is not None and not is_backend(host):
            self.refuse(f'host must have the form host@backend, got: "{host}".')
        cloud = self.open_cloud()
        servers = cloud.share_servers()
        ids = self.params["share_server"] or [
            one.id for one in servers if one.status == MOVING[SHARE_SERVER]
        ]
        shown = []
        for server_id in dict.fromkeys(ids):
            seen = observe_server(server_id, servers)
            if seen is None:
                raise NotFound(f"There is no share server with the ID {server_id!r}.")
            if host is None or any(host == place.host for place in seen.instances or ()):
                shown.append(seen)
        managers = cloud.share_managers() if shown else {}
        self.results["migrations"] = [self._record(cloud, one, servers, managers) for one in shown]

    def _record(
        self,
        cloud: Cloud,
        seen: Observation,
        servers: Sequence[ShareServer],
        managers: Any,
    ) -> dict[str, Any]:
        asked = seen.state.phase == COPYING and seen.state.progress is None and seen.moving
        if self.params["with_progress"] and asked:
            seen = replace(seen, progress=cloud.progress(SHARE_SERVER, seen.id))
        lives_at = seen.successor if seen.resting and seen.successor else seen.id
        shares = cloud.shares(share_server_id=lives_at)
        seen = replace(seen, size_gb=sum(one.size_gb for one in shares))
        concerned = [one for one in servers if seen.id in (one.id, one.source_id)]
        return {
            **as_record(*describe(seen, managers, cloud.now())),
            "shares": [
                {"id": one.id, "name": one.name, "size_gb": one.size_gb, "status": one.status}
                for one in sorted(shares, key=lambda one: (one.name, one.id))
            ],
            "servers": [
                {"id": one.id, "host": one.host, "status": one.status, "task_state": one.task_state}
                for one in concerned
            ],
        }


def main() -> None:
    """Run the module."""
    ShareServerMigrationInfoModule()()


if __name__ == "__main__":
    main()
