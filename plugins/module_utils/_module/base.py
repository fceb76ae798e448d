# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules share: authentication as in openstack.cloud, and one sentence for an error."""

from __future__ import annotations

from typing import Any

from ansible_collections.openstack.cloud.plugins.module_utils.openstack import OpenStackModule

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._api.errors import CloudError
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable


class MigrationModule(OpenStackModule):
    """Base of the modules: subclasses set ``argument_spec`` and write ``run``.

    ``results`` holds what is known so far; a failure returns it beside ``msg``.
    """

    def __call__(self) -> None:
        """Run the module and leave through exit_json or fail_json, never with a traceback."""
        for name, option in self.argument_spec.items():
            # AWX makes a null of a blank answer, and Ansible an empty text of that.
            if option.get("required") and self.params[name] == "":
                self.refuse(f"{name} must not be empty.")
        try:
            self.run()
        except CloudError as error:
            status = {} if error.status_code is None else {"status_code": error.status_code}
            self.refuse(str(error), **status)
        except self.sdk.exceptions.SDKException as error:
            self.refuse(f"openstacksdk: {error}")
        self.exit_json(**self.results)

    def openstack_cloud_from_module(self) -> tuple[Any, Any]:
        """Make the connection; whatever is wrong with the user's configuration is one sentence."""
        # The base class has just set these to Ansible's own, whose text ansible-playbook prints raw.
        self.fail = self.fail_json = self._fail
        self.warn = self._warn
        try:
            found: tuple[Any, Any] = super().openstack_cloud_from_module()
        except Exception as error:  # openstacksdk and its plugins raise all kinds here
            self.fail_json(
                msg=f"The cloud's configuration can't be used: {' '.join(str(error).split())}."
            )
            raise
        return found

    def run(self) -> None:
        """Do the module's work and fill ``results``."""
        raise NotImplementedError

    def _fail(self, msg: str, **known: Any) -> None:
        self.ansible.fail_json(msg=readable(msg), **known)

    def _warn(self, warning: str) -> None:
        self.ansible.warn(readable(warning))

    def refuse(self, message: str, **extra: Any) -> None:
        """Fail with one sentence and everything that is known."""
        self.fail_json(msg=message, **{**self.results, **extra})

    def open_cloud(self) -> Cloud:
        """Open the door to this cloud's Manila, for an administrator.  Raises CloudError."""
        cloud = Cloud.connect(self.conn)
        # Manila hides from other users what it would refuse them: shares seem not to exist.
        cloud.share_managers()
        return cloud
