#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enable or disable a manila-share service: the cordon."""

from __future__ import annotations

DOCUMENTATION = r"""
module: share_service
short_description: Cordon or un-cordon a back end of OpenStack Manila
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Enables or disables the manila-share service of a back end, with a reason.
  - Manila's scheduler places no new shares at a disabled back end. Shares there are served as before
    and can be migrated away; nothing can be migrated to it.
options:
  host:
    description: The back end, in the form V(host@backend), as C(openstack share service list) shows it.
    type: str
    required: true
  state:
    description: Whether the scheduler may place shares there.
    type: str
    choices: [enabled, disabled]
    required: true
  disabled_reason:
    description:
      - Why it is disabled, for others to read. At most 255 characters.
      - Manila keeps it from API 2.83 (2024.1) on; with an older one it is ignored, with a warning.
      - Without it, the reason of a service that is already disabled is left as it is.
    type: str
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
  - module: manila.migration.evacuation_plan
  - module: manila.migration.evacuation
"""

EXAMPLES = r"""
- name: Keep new shares off a back end that is to be emptied
  manila.migration.share_service:
    cloud: mycloud
    host: stor1@array7
    state: disabled
    disabled_reason: end of life, emptied this week

- name: Allow new shares there again
  manila.migration.share_service:
    cloud: mycloud
    host: stor1@array7
    state: enabled
"""

RETURN = r"""
service:
  description: The service as it is after the module, in check mode as it would be.
  type: dict
  returned: when the service exists
  contains:
    host:
      description: The back end.
      type: str
      sample: stor1@array7
    status:
      description: V(enabled) or V(disabled).
      type: str
    state:
      description: What Manila believes of the process, V(up), V(down) or V(stopped).
      type: str
    alive:
      description: Whether O(ignore:state) is V(up) and its last heartbeat is recent.
      type: bool
    disabled_reason:
      description: Why it is disabled, V(null) where Manila keeps no reason.
      type: str
    zone:
      description: The availability zone.
      type: str
previous:
  description: The same before the module did anything.
  type: dict
  returned: when the service exists
status_code:
  description: HTTP status of the answer that was the reason of a failure.
  type: int
  returned: when Manila refused something
"""

from dataclasses import replace

from ansible_collections.manila.migration.plugins.module_utils._api.errors import Refused
from ansible_collections.manila.migration.plugins.module_utils._model.places import is_backend
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule


class ShareServiceModule(MigrationModule):
    """Brings one manila-share service to the wanted status."""

    argument_spec = {
        "host": {"required": True},
        "state": {"required": True, "choices": ["enabled", "disabled"]},
        "disabled_reason": {},
    }
    module_kwargs = {"supports_check_mode": True}

    def run(self) -> None:
        """Compare, and enable or disable."""
        host, state = self.params["host"], self.params["state"]
        # Manila stores it without blanks at its ends.
        reason = (self.params["disabled_reason"] or "").strip() or None
        if not is_backend(host):
            self.refuse(f'host must have the form host@backend, got: "{host}".')
        if reason and state == "enabled":
            self.refuse("disabled_reason applies to state=disabled only: leave it out.")
        if reason and len(reason) > 255:
            self.refuse(f"disabled_reason must have at most 255 characters, got: {len(reason)}.")
        cloud = self.open_cloud()
        services = cloud.share_managers()
        found = services.get(host)
        if found is None:
            names = ", ".join(sorted(services)) or "none"
            self.refuse(f"host: there is no manila-share service {host!r}; there are: {names}.")
            return
        wanted = replace(found, status=state, disabled_reason=None)
        if state == "disabled":
            if reason and not cloud.keeps_disabled_reason:
                self.warn(f"Manila's API {cloud.api_version} keeps no reason; it is ignored.")
                reason = None
            wanted = replace(wanted, disabled_reason=reason or found.disabled_reason)
        self.results.update(
            changed=wanted != found,
            previous=found.as_dict(),
            service=wanted.as_dict(),
            diff={"before": found.as_dict(), "after": wanted.as_dict()},
        )
        if wanted == found or self.check_mode:
            return
        try:
            if state == "enabled":
                cloud.enable_service(host)
            else:
                cloud.disable_service(host, reason)
        except Refused:
            self.results.update(changed=False, service=found.as_dict())
            self.results.pop("diff")
            raise


def main() -> None:
    """Run the module."""
    ShareServiceModule()()


if __name__ == "__main__":
    main()
