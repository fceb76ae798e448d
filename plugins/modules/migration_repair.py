#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnose a migration, and repair it by the documented procedure."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_repair
short_description: Diagnose and repair a migration of OpenStack Manila that is stuck
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Reads everything that the migration of a share or share server concerns, and says what is wrong. Lists
    all resources with their states and the steps of the repair.
  - With O(state=repaired) it takes these steps, but only where they can't lose anything. It never guesses which
    of two copies is good. After a look at the storage, name it with O(good_copy).
  - Manila keeps no time of some states, and shows no message that waits for a service. Where that matters the module
    watches until the services concerned have a new heartbeat and nothing has changed, up to a minute to diagnose.
  - Exactly one of O(share), O(share_server) and O(host) has to be given.
options:
  share:
    description: Name or ID of the share.
    type: str
  share_server:
    description: ID of the share server that is, or was, the source of the migration.
    type: str
    aliases: [share_server_id]
  host:
    description:
      - A back end or pool, in the form V(host@backend) or V(host@backend#pool), to diagnose everything there that migrates,
        is in error, or is left of a migration.
    type: str
  state:
    description:
      - V(diagnosed) changes nothing.
      - V(repaired) takes the steps of RV(diagnosis.procedure), and fails if the migration isn't well after that. Not
        possible with O(host).
    type: str
    choices: [diagnosed, repaired]
    default: diagnosed
  good_copy:
    description:
      - Your word that you have looked at the storage, that this copy has all data, and that nothing works on the migration
        any more. Only used where RV(diagnosis.requires) is V(good_copy).
      - V(source) gives everything back to the source.
      - V(destination) is for shares only. The share is served from its newer instance then, and the other one is deleted.
    type: str
    choices: [source, destination]
  mechanism:
    description:
      - Who has copied a share, its driver or the Data Service. Only needed where the diagnosis says so, as Manila does not
        record it.
    type: str
    choices: [driver, host]
  access_to:
    description:
      - To whom the access rules of the Data Service give access, the values of C(data_node_access_ips), C(data_node_access_cert) and
        C(data_node_access_admin_user). Such rules are removed from a share that was migrated once and does not migrate now.
      - Clients must not have rules for the same. Manila itself deletes these at each host-assisted migration.
    type: list
    elements: str
    default: []
  patience:
    description: For how many seconds a state that should pass by itself must have lasted before the migration counts as stuck.
    type: int
    default: 600
  driver_timeout:
    description:
      - After how many seconds at most the drivers in use end a cancel or a cutover by themselves. Before that a driver may still
        be active, so that RV(diagnosis.safe) is V(false).
      - The default is the longest that the drivers of Manila may need by their own defaults. It is NetApp's, for share servers, three
        times C(netapp_server_migration_state_change_timeout). Where these options are set to other values, this should be their sum.
    type: int
    default: 10800
    version_added: 1.1.0
  cancel_again:
    description:
      - Your word that no driver works on the first cancel any more, so that a second one may be sent. Only used where
        RV(diagnosis.requires) is V(cancel_again).
    type: bool
    default: false
    version_added: 1.1.0
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
  - module: manila.migration.share_migration
  - module: manila.migration.share_server_migration
  - module: manila.migration.data_service_rules
"""

EXAMPLES = r"""
- name: Ask what is wrong with a share
  manila.migration.migration_repair:
    cloud: mycloud
    share: projects
  register: asked

- name: Show it, with everything that is concerned
  ansible.builtin.debug:
    var: asked.diagnosis

- name: Mend it, if nothing can be lost by that
  manila.migration.migration_repair:
    cloud: mycloud
    share: projects
    access_to: [192.0.2.30]
    state: repaired
  when: asked.diagnosis.safe

- name: Ask about everything at a back end
  manila.migration.migration_repair:
    cloud: mycloud
    host: stor1@array7
  register: all_of_it

- name: Ask what is wrong with a share server
  manila.migration.migration_repair:
    cloud: mycloud
    share_server: f3089d4f-89e8-4730-b6e6-7cab553df071

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
  returned: when the share or share server was found
  contains:
    kind:
      description: What it is about, V(share) or V(share_server).
      type: str
    id:
      description: ID of that.
      type: str
    name:
      description: Name of that; share servers have none.
      type: str
    code:
      description: What it is, see the page of reasons in the documentation of the collection.
      type: str
      sample: cancel_failed
    message:
      description: The same for people, with what to do.
      type: str
    resources:
      description:
        - Everything that is concerned, shares, share servers, share instances, snapshots and access rules, each with C(kind),
          C(id), C(name) and C(status), other fields that matter, and as C(text) the same in words.
      type: list
      elements: dict
    procedure:
      description: The steps of the repair, in words. Empty where nothing is to be done, or no procedure is known.
      type: list
      elements: str
    safe:
      description: Whether these steps can't lose anything.
      type: bool
    requires:
      description:
        - The option without which these steps are not taken. V(good_copy) where they are not safe; V(cancel_again) where they
          repeat a cancel, safe or not; V(null) where there is none.
      type: str
diagnoses:
  description: With O(host), one like RV(diagnosis) for everything there that may need a repair.
  type: list
  elements: dict
  returned: with O(host)
actions:
  description: What was done, or, in check mode, would be.
  type: list
  elements: str
  returned: when the share or share server was found
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

import time
from dataclasses import dataclass
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    NotFound,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule
from ansible_collections.manila.migration.plugins.module_utils._repair.diagnosis import (
    ALLOW,
    ASK,
    CANCEL,
    DELETE,
    DENY,
    RECORD,
    RESET_STATUS,
    RESET_TASK_STATE,
    SHARE_INSTANCE,
    SNAPSHOT,
    WELL,
    Diagnosis,
    Step,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_diagnosis import (
    DESTINATION,
    SETTLE,
    diagnose_share,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_scene import (
    ShareScene,
    suspects,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_server_diagnosis import (
    ServerScene,
    diagnose_server,
    suspect_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import observe_server
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    LONGEST_CANCEL_SECONDS,
)

_ALLOWED = 300
"""For so many seconds the removal of an instance is waited for."""

_ASKED = 4
"""How often manila-data is asked: of two processes under one name, RabbitMQ asks them in turn."""

_ONGOING = WELL - {"nothing"}
"""Diagnoses that are not the end of a repair."""


class StillCopies(Exception):
    """What was said to have failed is being copied."""


@dataclass
class Subject:
    """What is diagnosed, and since when everything about it looks as it does."""

    kind: str
    id: str
    name: str = ""
    seen: Any = None
    since: float = 0.0

    @property
    def label(self) -> str:
        """The words for it in a sentence."""
        name = f"{self.name} ({self.id})" if self.name else self.id
        return f"{self.kind.replace('_', ' ')} {readable(name)}"


class MigrationRepairModule(MigrationModule):
    """Diagnose and repair."""

    argument_spec = {
        "share": {},
        "share_server": {"aliases": ["share_server_id"]},
        "host": {},
        "state": {"choices": ["diagnosed", "repaired"], "default": "diagnosed"},
        "good_copy": {"choices": ["source", "destination"]},
        "mechanism": {"choices": ["driver", "host"]},
        "access_to": {"type": "list", "elements": "str", "default": []},
        "patience": {"type": "int", "default": 600},
        "driver_timeout": {"type": "int", "default": int(max(LONGEST_CANCEL_SECONDS.values()))},
        "cancel_again": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 600},
        "poll_interval": {"type": "float", "default": 5},
    }
    module_kwargs = {
        "supports_check_mode": True,
        "mutually_exclusive": [("share", "share_server", "host")],
        "required_one_of": [("share", "share_server", "host")],
    }

    def run(self) -> None:
        """Diagnose, and repair where that is asked for and allowed."""
        self._check()
        cloud = self.open_cloud()
        if self.params["host"]:
            self._diagnose_all(cloud)
            return
        subject = self._subject(cloud)
        found = self._told(cloud, subject)
        self.results.update(changed=False, diagnosis=_as_dict(subject, found), actions=[])
        if self.params["state"] == "diagnosed" or found.well:
            return
        if not self._may_take(found):
            self.refuse(f"{subject.label} is not repaired ({found.code}): {found.message}")
        self.results["diff"] = _diff(found, found)
        if self.check_mode:
            self.results.update(changed=True, actions=[step.text for step in found.steps])
            return
        self._mend(cloud, subject, found)

    def _check(self) -> None:
        """Refuse what can't be meant."""
        if not any(self.params[name] for name in ("share", "share_server", "host")):
            self.refuse("One of share, share_server and host must not be empty.")
        if self.params["poll_interval"] <= 0:
            self.refuse(
                f"poll_interval must be more than 0 seconds, got: {self.params['poll_interval']:g}."
            )
        if self.params["patience"] < 0:
            self.refuse(f"patience must be 0 or more seconds, got: {self.params['patience']}.")
        if self.params["driver_timeout"] < 0:
            self.refuse(
                f"driver_timeout must be 0 or more seconds, got: {self.params['driver_timeout']}."
            )
        if self.params["good_copy"] == DESTINATION and self.params["share_server"]:
            self.refuse(
                "good_copy: of share servers only the source can be chosen; for the destination no "
                "call of Manila's API exists."
            )
        host = self.params["host"]
        if host and self.params["state"] == "repaired":
            self.refuse("host: only one share or share server at a time can be repaired.")
        if host and not (is_backend(host) or is_pool(host)):
            self.refuse(
                f'host must have the form host@backend or host@backend#pool, got: "{host}".'
            )

    def _may_take(self, found: Diagnosis) -> bool:
        """Return whether the steps of a diagnosis may be taken, with the operator's word where needed."""
        if found.requires is not None:
            return bool(self.params[found.requires])
        return found.safe

    def _subject(self, cloud: Cloud) -> Subject:
        if self.params["share"]:
            share = cloud.find_share(self.params["share"])
            return Subject(SHARE, share.id, share.name)
        return Subject(SHARE_SERVER, self.params["share_server"])

    def _diagnose_all(self, cloud: Cloud) -> None:
        """Diagnose everything at a host that may need it; several are watched in the same minute."""
        host = self.params["host"]
        shares = suspects(cloud.shares(), cloud.instances(), host)
        servers = suspect_servers(cloud.share_servers(), host)
        subjects = [Subject(SHARE, one.id, one.name) for one in shares]
        subjects += [Subject(SHARE_SERVER, one.id) for one in servers]
        told: dict[str, Diagnosis] = {}
        deadline = time.monotonic() + SETTLE
        while True:
            open_ones = []
            for subject in subjects:
                if subject.id in told and not _worth(told[subject.id], deadline):
                    continue
                try:
                    told[subject.id] = self._diagnose(cloud, subject)
                except NotFound:
                    told.pop(subject.id, None)
                    continue
                open_ones += [subject] if _worth(told[subject.id], deadline) else []
            if not open_ones:
                break
            time.sleep(self.params["poll_interval"])
        self.results.update(
            changed=False,
            diagnoses=[_as_dict(one, told[one.id]) for one in subjects if one.id in told],
        )

    def _told(self, cloud: Cloud, subject: Subject) -> Diagnosis:
        """A diagnosis, after as many looks as it takes; only a repair waits for all the patience."""
        patience = self.params["patience"] if self.params["state"] == "repaired" else 0
        deadline = time.monotonic() + patience + SETTLE
        while True:
            found = self._diagnose(cloud, subject)
            if not _worth(found, deadline):
                return found
            time.sleep(self.params["poll_interval"])

    def _mend(self, cloud: Cloud, subject: Subject, found: Diagnosis) -> None:
        for step in found.steps:
            try:
                self._take(cloud, step, subject)
            except StillCopies:
                self.results["actions"].append(step.text)
                self.results["diagnosis"] = _as_dict(subject, self._diagnose(cloud, subject))
                return  # it is in the state that it should be in, now
            except (Refused, Unknown) as error:
                self.results["diagnosis"] = _as_dict(subject, self._diagnose(cloud, subject))
                self.refuse(
                    f"{subject.label} is not repaired: to {step.text} failed: {error}",
                    **({} if error.status_code is None else {"status_code": error.status_code}),
                )
            self.results["actions"].append(step.text)
        deadline = time.monotonic() + self.params["timeout"]
        while True:
            # What was begun takes its time: the removal of a server, a cancel.
            now = self._diagnose(cloud, subject, SETTLE)
            self.results.update(diagnosis=_as_dict(subject, now), diff=_diff(found, now))
            if now.well and now.code not in _ONGOING:
                if subject.kind == SHARE:
                    cloud.unmark_copy(subject.id)
                return
            if now.code not in (*_ONGOING, found.code) and not _worth(now, deadline):
                if now.safe and now.steps and self._may_take(now):
                    # One repair uncovers the next: a cancel leaves a destination to be removed.
                    self._mend(cloud, subject, now)
                    return
                break
            if time.monotonic() >= deadline:
                break
            time.sleep(self.params["poll_interval"])
        self.refuse(f"{subject.label} is still not repaired ({now.code}): {now.message}")

    def _take(self, cloud: Cloud, step: Step, subject: Subject) -> None:
        """Take one step.  Raises Refused, Unknown, StillCopies."""
        try:
            _take(cloud, step, subject)
        finally:
            self.results["changed"] = cloud.effects > 0

    def _diagnose(self, cloud: Cloud, subject: Subject, patience: float = 0.0) -> Diagnosis:
        """Look once; of a share with ``patience`` at least, as after steps that have begun something."""
        if subject.kind == SHARE_SERVER:
            return self._diagnose_server(cloud, subject.id)
        share = cloud.share(subject.id)
        instances = cloud.instances_of(share.id)
        snapshots = cloud.snapshots_of(share.id)
        asked = share.task_state == "data_copying_in_progress" and share.status == "migrating"
        copying = cloud.copying(share.id) if asked else None
        seen = (
            (share.status, share.task_state, copying),
            {one.id: (one.status, one.updated_at) for one in instances},
            {one.id: one.status for one in snapshots},
        )
        if seen != subject.seen:
            subject.seen, subject.since = seen, cloud.now()
        scene = ShareScene(
            share,
            instances,
            snapshots,
            cloud.access_rules(share.id),
            cloud.services(),
            copying,
            subject.since,
            frozenset(self.params["access_to"]),
            self.params["mechanism"],
            self.params["good_copy"],
        )
        return diagnose_share(
            scene,
            cloud.now(),
            max(patience, self.params["patience"]),
            self.params["driver_timeout"],
        )

    def _diagnose_server(self, cloud: Cloud, server_id: str) -> Diagnosis:
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
        return diagnose_server(
            scene, cloud.now(), self.params["patience"], self.params["driver_timeout"]
        )


def _worth(found: Diagnosis, deadline: float) -> bool:
    """Return whether watching until a deadline can make the diagnosis clearer."""
    return bool(found.undecided) and time.monotonic() + found.undecided <= deadline


def _as_dict(subject: Subject, found: Diagnosis) -> dict[str, Any]:
    return {"kind": subject.kind, "id": subject.id, "name": subject.name, **found.as_dict()}


def _diff(before: Diagnosis, after: Diagnosis) -> dict[str, object]:
    return {"before": {"diagnosis": before.code}, "after": {"diagnosis": after.code}}


def _take(cloud: Cloud, step: Step, subject: Subject) -> None:
    """Take one step.  What is gone already needs no deletion.  Raises Refused, Unknown, StillCopies."""
    if step.verb == CANCEL:
        cloud.cancel(step.kind, step.id)
    elif step.verb == ASK:
        _ask(cloud, step.id)
    elif step.verb in (DELETE, DENY):
        try:
            _remove(cloud, step, subject)
        except Refused as error:
            if error.status_code != 404:
                raise
    elif step.verb == ALLOW:
        _allow(cloud, step)
    elif step.verb == RECORD:
        cloud.mark_copy(step.id, CopyMark(step.value or ""))
    elif step.verb == RESET_STATUS and (step.kind, subject.kind) == (SNAPSHOT, SHARE):
        # Of a snapshot with two copies Manila would set the status of any one.
        for copy in cloud.snapshot_instances(step.id):
            cloud.reset_status("snapshot_instance", copy, step.value or "")
    elif step.verb == RESET_STATUS:
        cloud.reset_status(step.kind, step.id, step.value or "")
    elif step.verb == RESET_TASK_STATE:
        cloud.reset_task_state(step.kind, step.id, step.value)


def _allow(cloud: Cloud, step: Step) -> None:
    """Give an access rule back that went with an instance, once that is gone.

    Until then Manila refuses rules (share/api.py, allow_access()).
    """
    access_type, level, access_to = (step.value or "").split(" ", 2)
    for _number in range(_ALLOWED):
        if len(cloud.instances_of(step.id)) == 1:
            break
        time.sleep(1)
    held = {(one.access_type, one.access_to) for one in cloud.access_rules(step.id)}
    if (access_type, access_to) not in held:
        cloud.allow(step.id, access_type, access_to, level)


def _remove(cloud: Cloud, step: Step, subject: Subject) -> None:
    if step.verb == DENY:
        cloud.deny(step.value or "", step.id)
    elif step.kind != SHARE_INSTANCE:
        cloud.delete_server(step.id)
    else:
        # With its only instance a share is gone; so another one has to be in use at this moment.
        others = [one for one in cloud.instances_of(subject.id) if one.id != step.id]
        if not any(one.status in ("available", "migrating") for one in others):
            raise Refused(f"no other instance of {subject.label} is in use.")
        cloud.delete_instance(step.id)


def _ask(cloud: Cloud, share_id: str) -> None:
    """Make sure that manila-data doesn't copy a share.  Raises StillCopies, Unknown."""
    for _number in range(_ASKED):
        answer = cloud.copying(share_id)
        if answer:
            raise StillCopies
        if answer is None or cloud.share(share_id).task_state != "data_copying_in_progress":
            raise Unknown("manila-data gave no clear answer.")


def main() -> None:
    """Run the module."""
    MigrationRepairModule()()


if __name__ == "__main__":
    main()
