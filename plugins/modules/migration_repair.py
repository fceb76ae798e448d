#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what is wrong with a migration, and mend it by the documented procedure."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_repair
short_description: Diagnose and repair a migration of OpenStack Manila that came to a halt
version_added: 0.1.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Looks at everything that the migration of a share server is concerned with, says what is wrong, and lists
    all resources with their states and the steps that mend it.
  - With O(state=repaired) it takes these steps, but only where they can't lose anything. Which of two copies is
    good it never guesses; somebody who has looked at the storage may say so with O(good_copy).
  - Repairs of shares are not built yet, only those of share servers.
options:
  share_server:
    description: ID of the share server that is, or was, the source of the migration.
    type: str
    required: true
    aliases: [share_server_id]
  state:
    description:
      - V(diagnosed) changes nothing.
      - V(repaired) takes the steps of RV(diagnosis.procedure), and fails if the migration isn't well after that.
    type: str
    choices: [diagnosed, repaired]
    default: diagnosed
  good_copy:
    description:
      - Your word that you have looked at the storage, that the source serves its shares as before, and that nothing
        works on the migration any more. Only used where RV(diagnosis.safe) is V(false).
    type: str
    choices: [source]
  patience:
    description: For how many seconds a state that should pass by itself must have lasted before it is called a halt.
    type: int
    default: 600
  timeout:
    description: Seconds to wait for the end of what the steps have begun.
    type: int
    default: 600
  poll_interval:
    description: Seconds between two looks at the cloud.
    type: float
    default: 5
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
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
- name: Ask what is wrong
  manila.migration.migration_repair:
    cloud: mycloud
    share_server: f3089d4f-89e8-4730-b6e6-7cab553df071
  register: asked

- name: Show it, with everything that is concerned
  ansible.builtin.debug:
    var: asked.diagnosis

- name: Mend it, if nothing can be lost by that
  manila.migration.migration_repair:
    cloud: mycloud
    share_server: f3089d4f-89e8-4730-b6e6-7cab553df071
    state: repaired
  when: asked.diagnosis.safe

- name: Give everything back to the source, after a look at the storage
  manila.migration.migration_repair:
    cloud: mycloud
    share_server: f3089d4f-89e8-4730-b6e6-7cab553df071
    state: repaired
    good_copy: source
"""

RETURN = r"""
diagnosis:
  description: What is wrong; after a repair, how it is now.
  type: dict
  returned: when the share server was found
  contains:
    code:
      description: What it is, see the page of reasons in the documentation of the collection.
      type: str
      sample: cancel_failed
    message:
      description: The same for people, with what to do.
      type: str
    resources:
      description:
        - Everything that is concerned, share servers, share instances and snapshots, each with C(kind), C(id), C(name)
          and C(status), and what else tells about it.
      type: list
      elements: dict
    procedure:
      description: The steps that mend it, in words. Empty where nothing is to be done, or no procedure is known.
      type: list
      elements: str
    safe:
      description: Whether these steps can't lose anything. If not, they are taken only with O(good_copy).
      type: bool
actions:
  description: What was done, or, in check mode, would be.
  type: list
  elements: str
  returned: when the share server was found
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

import time

from ansible_collections.manila.migration.plugins.module_utils.cloud import (
    Cloud,
    NotFound,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils.diagnosis import (
    CANCEL,
    DELETE,
    RESET_STATUS,
    Diagnosis,
    ServerScene,
    Step,
    diagnose_server,
)
from ansible_collections.manila.migration.plugins.module_utils.module import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils.observation import observe_server


class MigrationRepairModule(MigrationModule):
    """Looks, tells, and mends."""

    argument_spec = {
        "share_server": {"required": True, "aliases": ["share_server_id"]},
        "state": {"choices": ["diagnosed", "repaired"], "default": "diagnosed"},
        "good_copy": {"choices": ["source"]},
        "patience": {"type": "int", "default": 600},
        "timeout": {"type": "int", "default": 600},
        "poll_interval": {"type": "float", "default": 5},
    }
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Diagnose, and repair where that is asked for and allowed."""
        if self.params["poll_interval"] <= 0:
            self.refuse("poll_interval: it must be more than 0 seconds.")
        if self.params["patience"] < 0:
            self.refuse("patience: it can't be less than 0 seconds.")
        cloud = self.open_cloud()
        found = self._diagnose(cloud)
        self.results.update(changed=False, diagnosis=found.as_dict(), actions=[])
        if self.params["state"] == "diagnosed" or found.well:
            return
        if not found.safe and (self.params["good_copy"] is None or not found.steps):
            self.refuse(f"{self._subject} is not repaired ({found.code}): {found.message}")
        self.results.update(changed=True, diff=self._diff(found, found))
        if self.check_mode:
            self.results["actions"] = [step.text for step in found.steps]
            return
        self._mend(cloud, found)

    @property
    def _subject(self) -> str:
        return f"share server {self.params['share_server']}"

    def _mend(self, cloud: Cloud, found: Diagnosis) -> None:
        for step in found.steps:
            try:
                _take(cloud, step)
            except (Refused, Unknown) as error:
                self.results["diagnosis"] = self._diagnose(cloud).as_dict()
                self.refuse(
                    f"{self._subject} is not repaired: to {step.text} failed: {error}",
                    **({} if error.status_code is None else {"status_code": error.status_code}),
                )
            self.results["actions"].append(step.text)
        deadline = time.monotonic() + self.params["timeout"]
        while True:
            # What was begun takes its time: the removal of a server, a cancel.
            now = self._diagnose(cloud)
            self.results.update(diagnosis=now.as_dict(), diff=self._diff(found, now))
            if now.well and now.code != "running":
                return
            if now.code not in ("running", found.code):
                if now.safe and now.steps:
                    # One repair uncovers the next: a cancel leaves a destination to be removed.
                    self._mend(cloud, now)
                    return
                break
            if time.monotonic() >= deadline:
                break
            time.sleep(self.params["poll_interval"])
        self.refuse(f"{self._subject} is still not well ({now.code}): {now.message}")

    def _diagnose(self, cloud: Cloud) -> Diagnosis:
        server_id = self.params["share_server"]
        servers = cloud.share_servers()
        if observe_server(server_id, servers) is None:
            raise NotFound(f"There is no share server with the ID {server_id!r}.")
        concerned = {one.id for one in servers if server_id in (one.id, one.source_id)}
        shares = [
            one for server in sorted(concerned) for one in cloud.shares(share_server_id=server)
        ]
        scene = ServerScene(
            server_id,
            servers,
            shares,
            [one for one in cloud.instances() if one.share_server_id in concerned],
            [one for share in shares for one in cloud.snapshots_of(share.id)],
            {one.id: cloud.unapplied_rules(one.id) for one in shares},
            cloud.share_managers(),
        )
        return diagnose_server(scene, cloud.now(), self.params["patience"])

    def _diff(self, before: Diagnosis, after: Diagnosis) -> dict[str, object]:
        return {"before": {"diagnosis": before.code}, "after": {"diagnosis": after.code}}


def _take(cloud: Cloud, step: Step) -> None:
    """Take one step.  What is gone already needs no deletion."""
    if step.verb == CANCEL:
        cloud.cancel(step.kind, step.id)
    elif step.verb == DELETE:
        try:
            cloud.delete_server(step.id)
        except Refused as error:
            if error.status_code != 404:
                raise
    elif step.verb == RESET_STATUS:
        cloud.reset_status(step.kind, step.id, step.value or "")
    else:
        cloud.reset_task_state(step.kind, step.id, step.value)


def main() -> None:
    """Run the module."""
    MigrationRepairModule()()


if __name__ == "__main__":
    main()
