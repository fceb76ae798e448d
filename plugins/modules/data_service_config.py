#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the options of host-assisted migration, and write them into a file of Manila's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: data_service_config
short_description: Configure host-assisted migration in OpenStack Manila's files
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Checks the options of the Data Service, and those of back ends that it depends on, for everything that Manila
    finds out only in the middle of a copy. All mistakes are reported at once, and nothing is written then.
  - Writes them into one file, each in the group where it is read. Everything else in the file stays, comments too, and
    so do its mode and owner.
  - Runs where the file is, and needs neither a cloud nor Manila there. It restarts nothing; see the role
    P(manila.migration.data_service#role) for that.
options:
  path:
    description:
      - The file. Without it, everything is checked and nothing is written; RV(options) shows what would be.
    type: path
  format:
    description:
      - V(ini) is Manila's own, also that of the files with which kolla-ansible overrides it.
      - V(openstack_ansible) is a YAML file with the variable C(manila_manila_conf_overrides). The module owns all of it.
    type: str
    choices: [ini, openstack_ansible]
    default: ini
  create:
    description:
      - Whether the file, and sections for O(backends) in it, may be made. A new file gets the mode 0600, unless O(mode) says
        something else.
    type: bool
    default: false
  services:
    description: Whose options to write. The file may be that of one of them.
    type: list
    elements: str
    choices: [manila-data, manila-share]
    default: [manila-data, manila-share]
  protocols:
    description: The protocols of the shares to copy. For each, the access that it needs must be configured.
    type: list
    elements: str
    choices: [NFS, CIFS, GLUSTERFS, HDFS, CEPHFS, MAPRFS, LUSTRE, WEKAFS]
    default: [NFS]
  inspect_node:
    description:
      - Whether the file is that of the node on which the module runs. If O(services) has V(manila-data),
        O(mount_tmp_location) must then be private to its owner, or not be there yet.
    type: bool
    default: false
  allow_shared_mount_location:
    description: Whether O(mount_tmp_location) may be in a folder that all users share, or be readable for others.
    type: bool
    default: false
  harden_mounts:
    description:
      - Whether to add C(nosuid), C(nodev) and C(noexec) to the mount options of NFS and CIFS, if they are among O(protocols).
        Without C(nodev), a device node on a share makes Manila copy what the node's device of that number holds.
    type: bool
    default: false
  data_node_access_ips:
    description: Addresses of the manila-data node in the administrators' network, for protocols with access by IP.
    type: list
    elements: str
  data_node_access_cert:
    description: Name of the certificate that grants access to the Data Service.
    type: str
  data_node_access_admin_user:
    description: Name of the user that may access everything, for protocols with access by user.
    type: str
  data_node_mount_options:
    description:
      - Options of mount, by protocol. Commas after C(-o) are turned into separate options, as oslo.config takes them for ends.
      - Better than a password is C(credentials=), the name of a file that only root can read. Passwords are shown nowhere.
    type: dict
  data_access_wait_access_rules_timeout:
    description: Seconds that manila-data waits for its access rules to be applied.
    type: int
  mount_tmp_location:
    description: Folder in which manila-data mounts shares.
    type: str
  check_hash:
    description: Whether manila-data compares hashes of all files that it copied.
    type: bool
  migration_wait_access_rules_timeout:
    description: Seconds that manila-share waits for access rules to be applied.
    type: int
  migration_create_delete_share_timeout:
    description: Seconds that manila-share waits for a share to be made or deleted.
    type: int
  backends:
    description:
      - Options of back ends, by the name of their section. Each may have C(migration_ignore_files) (a list of names),
        C(share_mount_template), C(share_unmount_template), and C(protocol_access_mapping) (lists of protocols by access type).
      - They are read by manila-share, not by manila-data.
    type: dict
    default: {}
extends_documentation_fragment:
  - ansible.builtin.files
  - manila.migration.attributes.standalone
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the options that the module manages, with passwords made unreadable, and nothing else of the file.
  idempotent:
    support: full
seealso:
  - module: manila.migration.service_restart_check
"""

EXAMPLES = r"""
- name: Check the options, and show what would be written
  manila.migration.data_service_config:
    data_node_access_ips: [192.0.2.10]
    mount_tmp_location: /var/lib/manila/migration
  register: checked

- name: Configure the manila-data of a node
  manila.migration.data_service_config:
    path: /etc/manila/manila.conf
    services: [manila-data]
    protocols: [NFS, CIFS]
    inspect_node: true
    data_node_access_ips: [192.0.2.10, "2001:db8::10"]
    data_node_access_admin_user: manila
    data_node_mount_options:
      nfs: -o nfsvers=4.1
      cifs: -o credentials=/etc/manila/data-service.cifs
    mount_tmp_location: /var/lib/manila/migration
    check_hash: true

- name: Tell the manila-share of a node how its shares are mounted
  manila.migration.data_service_config:
    path: /etc/manila/manila.conf
    services: [manila-share]
    data_node_access_ips: [192.0.2.10]
    backends:
      array7:
        migration_ignore_files: [lost+found, .snapshot]
"""

RETURN = r"""
options:
  description: What the file says afterwards of the options that were given, by group and option, passwords made unreadable.
  type: dict
  returned: when nothing is wrong
  sample: {"DEFAULT": {"data_node_access_ips": "192.0.2.10"}}
differs:
  description: Whether options of the file differ from the given ones, or did before; RV(ignore:changed) may be about its mode alone.
  type: bool
  returned: when nothing is wrong
problems:
  description: Everything that is wrong, a sentence each. The message of the failure holds them all.
  type: list
  elements: str
  returned: when something is wrong
"""

import os
import stat
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.manila.migration.plugins.module_utils._data_service import oslo_config_file
from ansible_collections.manila.migration.plugins.module_utils._data_service.options import (
    DATA,
    OPTIONS,
    PROTOCOLS,
    SHARE_MANAGER,
    mask,
    secrets,
)
from ansible_collections.manila.migration.plugins.module_utils._data_service.oslo_config_file import (
    merge,
    removed_options,
    sections,
)
from ansible_collections.manila.migration.plugins.module_utils._data_service.rendering import render
from ansible_collections.manila.migration.plugins.module_utils._data_service.validation import (
    notes,
    problems,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

try:
    import yaml

    HAS_YAML = True
except ImportError:  # only openstack_ansible needs it, on a host that runs Ansible and so has it
    HAS_YAML = False

OVERRIDES = "manila_manila_conf_overrides"

VALIDATOR = "oslo-config-validator"


class DataServiceConfig:
    """One file, from its checks to its writing."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        params = module.params
        self.options = {one.name: params[one.name] for one in OPTIONS if not one.per_backend}
        self.backends: Mapping[str, Any] = params["backends"]
        # Ansible would hide whole values, harmless ones too; it still keeps them out of the node's log.
        self.passwords = secrets([self.options, self.backends])
        module.no_log_values.clear()
        module.no_log_values.update(self.passwords)
        self.path = os.path.realpath(params["path"]) if params["path"] else None
        self.ini = params["format"] == "ini"

    def run(self) -> None:
        """Check everything, then write."""
        params = self.module.params
        protocols = params["protocols"]
        found = problems(
            self.options, self.backends, protocols, params["allow_shared_mount_location"]
        )
        found += self._wrong_place()
        text = ""
        if self.path and not found:
            try:
                text = self._read(self.path)
            except (OSError, UnicodeDecodeError) as error:
                found.append(f"path: {self.path} can't be read: {error}.")
        found += self._wrong_file(text) if self.path and not found else []
        if found:
            self.module.fail_json(msg=readable(" ".join(found)), problems=found)
        wanted = render(
            self.options, self.backends, params["services"], protocols, params["harden_mounts"]
        )
        after = merge(text, wanted) if self.ini else self._as_yaml(wanted)
        before = oslo_config_file.values(text) if self.ini else self._from_yaml(text)
        for note in notes(self.options, self.backends, protocols):
            self.module.warn(readable(note))
        changed = differs = bool(self.path) and after != text
        if differs:
            self._validate(wanted)
        # First, so that what is written is not, not for a moment, readable for more than it shall be.
        if self.path and os.path.exists(self.path):
            arguments = self.module.load_file_common_arguments(params, path=self.path)
            changed = self.module.set_fs_attributes_if_different(arguments, changed)
        if differs and not self.module.check_mode:
            self._write(after)
        self.module.exit_json(
            changed=changed,
            differs=differs,
            options={
                group: {name: mask(value) for name, value in given.items()}
                for group, given in wanted.items()
            },
            diff={
                "before_header": self.path or "",
                "after_header": self.path or "",
                "before": _shown(before, wanted),
                "after": _shown(wanted, wanted),
            },
        )

    # -- checks --------------------------------------------------------------------------

    def _wrong_place(self) -> list[str]:
        """What is wrong with the mount location as it is on this node."""
        params = self.module.params
        place = self.options["mount_tmp_location"]
        if not params["inspect_node"] or DATA not in params["services"] or not place:
            return []
        try:
            status = os.lstat(place.rstrip("/"))
        except OSError:
            return []  # Manila, or the role, will make it
        if not stat.S_ISDIR(status.st_mode):
            return [
                f"mount_tmp_location: {place} is no folder; name one, or a place where none is."
            ]
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077 and not params["allow_shared_mount_location"]:
            return [
                f"mount_tmp_location: {place} has the mode {mode:04o}, so that others can get at the "
                "shares that are mounted there; give it 0700."
            ]
        return []

    def _read(self, path: str) -> str:
        if self.module.params["create"] and not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read()

    def _wrong_file(self, text: str) -> list[str]:
        """List what is wrong with the file to change."""
        params = self.module.params
        found = []
        if self.ini:
            found += [f"{self.path}: {one}" for one in removed_options(text)]
            there = sections(text)
            if SHARE_MANAGER in params["services"] and not params["create"]:
                known = ", ".join(one for one in there if one != "DEFAULT") or "none"
                found += [
                    f"backends[{name}]: {self.path} has no such section, only: {known}. Name the back "
                    "ends of this node."
                    for name in self.backends
                    if name not in there
                ]
        if self.passwords and os.path.exists(self.path or ""):
            mode = stat.S_IMODE(os.stat(self.path or "").st_mode)
            if mode & 0o004 and not params["mode"]:
                found.append(
                    f"{self.path} has the mode {mode:04o}, and a password would be in it for everybody "
                    "to read; give it 0640, or name a file with credentials=… instead of the password."
                )
        return found

    def _validate(self, wanted: Mapping[str, Mapping[str, str]]) -> None:
        """Ask oslo's validator whether the Manila that is installed here has these options."""
        program = self.module.get_bin_path(VALIDATOR)
        if not self.ini or program is None:
            return
        asked = {
            one.name
            for one in OPTIONS
            # Some releases leave some out of their samples, and the validator knows only these.
            if one.in_sample and any(one.name in given for given in wanted.values())
        }
        # An option that every release has: without it, no Manila is installed beside the validator.
        probe = "share_driver"
        lines = ["[DEFAULT]", *(f"{name} = x" for name in sorted({*asked, probe}))]
        with tempfile.NamedTemporaryFile("w", dir=self.module.tmpdir, suffix=".conf") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            command = [program, "--namespace", "manila", "--input-file", file.name]
            _status, out, err = self.module.run_command(command)
        said = out + err
        if f"DEFAULT/{probe} is not part" in said or "Traceback" in said:
            return
        unknown = [name for name in sorted(asked) if f"DEFAULT/{name} is not part" in said]
        if unknown:
            found = [
                f"{name}: the Manila that is installed here has no such option." for name in unknown
            ]
            self.module.fail_json(msg=" ".join(found), problems=found)

    # -- the file ------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        """Put the text into place at once; the mode and owner of an older file stay."""
        path = self.path or ""
        try:
            if not os.path.exists(path):
                # So that it is never, not for a moment, readable for others.
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            descriptor, temporary = tempfile.mkstemp(dir=self.module.tmpdir)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self.module.fail_json(msg=readable(f"path: {path} can't be written: {error.strerror}."))
        self.module.atomic_move(temporary, path)

    def _as_yaml(self, wanted: Mapping[str, Any]) -> str:
        if not HAS_YAML:
            self.module.fail_json(
                msg="format: openstack_ansible takes PyYAML on the host of the file."
            )
        head = "---\n# Written by the role manila.migration.data_service; changes here get lost.\n"
        return head + str(yaml.safe_dump({OVERRIDES: wanted}, width=1000))

    def _from_yaml(self, text: str) -> Mapping[str, Mapping[str, str]]:
        try:
            had = (yaml.safe_load(text) or {}).get(OVERRIDES) or {}
            return {
                group: {name: str(one) for name, one in given.items()}
                for group, given in had.items()
            }
        except (yaml.YAMLError, AttributeError):
            return {}


def _shown(values: Mapping[str, Mapping[str, str]], of: Mapping[str, Mapping[str, str]]) -> str:
    """What a diff shows: the options in question, passwords made unreadable."""
    lines = []
    for group, names in of.items():
        lines.append(f"[{group}]")
        given = values.get(group, {})
        lines += [f"{name} = {mask(given[name])}" for name in names if name in given]
    return "\n".join([*lines, ""])


def main() -> None:
    """Run the module."""
    spec: dict[str, dict[str, Any]] = {
        "path": {"type": "path"},
        "format": {"choices": ["ini", "openstack_ansible"], "default": "ini"},
        "create": {"type": "bool", "default": False},
        "services": {
            "type": "list",
            "elements": "str",
            "choices": [DATA, SHARE_MANAGER],
            "default": [DATA, SHARE_MANAGER],
        },
        "protocols": {
            "type": "list",
            "elements": "str",
            "choices": list(PROTOCOLS),
            "default": ["NFS"],
        },
        "inspect_node": {"type": "bool", "default": False},
        "allow_shared_mount_location": {"type": "bool", "default": False},
        "harden_mounts": {"type": "bool", "default": False},
        "data_node_access_ips": {"type": "list", "elements": "str"},
        "data_node_access_cert": {},
        "data_node_access_admin_user": {},
        "data_node_mount_options": {"type": "dict", "no_log": True},
        "data_access_wait_access_rules_timeout": {"type": "int"},
        "mount_tmp_location": {},
        "check_hash": {"type": "bool"},
        "migration_wait_access_rules_timeout": {"type": "int"},
        "migration_create_delete_share_timeout": {"type": "int"},
        "backends": {"type": "dict", "default": {}, "no_log": True},
    }
    DataServiceConfig(
        AnsibleModule(spec, supports_check_mode=True, add_file_common_args=True)
    ).run()


if __name__ == "__main__":
    main()
