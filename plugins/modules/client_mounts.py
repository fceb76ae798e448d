#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find, unmount and mount what a client has mounted of shares that migrate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: client_mounts
short_description: Move a client's mounts of shares that migrate
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Runs on a client of shares. Finds what it has mounted of them, unmounts it before the cutover, mounts the new export in its
    place afterwards, and the old one again where the cutover failed.
  - The mounts are found by their export, in whatever form the server is written, as a name, an address or not at all, and below the
    export's root, too. Bind mounts of them are moved along.
  - A share is ready for its cutover only if every mount of it on the client is accounted for, in every mount namespace. What can't be
    identified, reached or moved is left, with a code, and so the share is not ready unless the operator accepts it by name.
  - Mounts that another program manages are named with that program and not moved, as it would mount the old export again.
  - The result is read from C(/proc/self/mountinfo) afterwards. Lines of C(/etc/fstab) get the new exports; comments and
    other lines stay as they are.
  - A mount that is held by processes stays, and they are named. A share is unmounted from a client wholly or not at all, less what is
    accepted.
  - What was unmounted is written down on the client first, so that a run that was killed can be repeated.
options:
  exports:
    description: The shares. What a record of a migration says, O(exports[].before) and O(exports[].after).
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: ID of the share.
        type: str
        required: true
      name:
        description: Name of the share, for messages.
        type: str
        default: ""
      before:
        description: Export locations before the migration, one at least. Add other names of the same server if clients use some that they can't look up.
        type: list
        elements: str
        required: true
      after:
        description:
          - Export locations after the migration. Needed for O(state=mounted).
          - Of several, one of the same protocol and the same form of address (name, IPv4, IPv6) as was mounted is taken.
        type: list
        elements: str
        default: []
  state:
    description:
      - V(found) only returns what is mounted, and what would be left.
      - V(unmounted) unmounts O(exports[].before), and writes down what was mounted.
      - V(mounted) mounts O(exports[].after) where something was unmounted, or is still mounted of O(exports[].before), and changes fstab.
        It fails where the old export is still mounted in another mount namespace, or by another program, after it has moved the rest.
      - V(restored) mounts again what V(unmounted) unmounted, as it was, and changes fstab back.
    type: str
    choices: [found, unmounted, mounted, restored]
    default: found
  types:
    description:
      - The types of file systems to look at. V(nfs) stands for C(nfs4), too, V(cifs) for C(smb3), and each for its form with FUSE, such
        as C(fuse.glusterfs). What has an export mounted by another type is left with the code V(unsupported).
    type: list
    elements: str
    default: [nfs, cifs, ceph, glusterfs]
  accept:
    description:
      - What may stay mounted although it is left, each by its code and by its source, its target, or both. Such a mount stays as it is,
        and doesn't keep its share from being ready; it is listed in RV(accepted), and in a warning. Data that is written through it
        after the cutover begins is lost.
      - An entry that speaks of nothing on this client is a warning.
    type: list
    elements: dict
    default: []
    version_added: 1.1.0
    suboptions:
      code:
        description:
          - A code of RV(left[].code), but V(taken), V(no_export) and V(failed), which are about mounting and unmounting itself.
        type: str
        required: true
      source:
        description: What is mounted, as RV(left[].source) has it.
        type: str
        default: ""
      target:
        description: Where it is mounted, as RV(left[].target) has it.
        type: str
        default: ""
  force:
    description:
      - Whether to detach mounts that are busy, or whose server doesn't answer (C(umount --lazy)). Processes that hold them are not ended,
        and still use the old export. They are named in a warning. Mounts in other namespaces, and those that other programs manage,
        stay nevertheless.
    type: bool
    default: false
  timeout:
    description: Seconds that one mount, one unmount, or the search for processes may take.
    type: int
    default: 60
  fstab:
    description: The file whose lines get the new exports.
    type: path
    default: /etc/fstab
  record:
    description: The file on the client in which unmounted mounts are written down. Only root can read it.
    type: path
    default: /var/lib/manila-migration/client_mounts.json
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - Needs root. Without it O(state=found) works, but no share is ready, as other mount namespaces can't be read.
  - Needs Linux with C(mount) and C(umount) of util-linux, C(timeout) of coreutils, and what mounts the protocol.
  - Mounts by autofs, by an automount unit of systemd, by kubelet, container engines, Nova and Cinder are named, not moved.
  - Mount namespaces are searched for in the threads of all processes, in their open files, and among mounts of nsfs. To read one that
    has no process, a child of the module enters it; no program in it is run.
extends_documentation_fragment:
  - manila.migration.attributes.standalone
seealso:
  - module: manila.migration.share_migration_info
"""

EXAMPLES = r"""
- name: Show what is mounted of a share, and who holds it
  manila.migration.client_mounts:
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]

- name: Unmount it before the cutover
  manila.migration.client_mounts:
    state: unmounted
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]

- name: Unmount it, but for a volume of a container that nobody writes to
  manila.migration.client_mounts:
    state: unmounted
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]
    accept:
      - code: managed
        target: /var/lib/docker/volumes/archive/_data

- name: Mount the new export after it
  manila.migration.client_mounts:
    state: mounted
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]
        after: ["192.0.2.20:/shares/projects"]

- name: Mount the old export again, where the cutover failed
  manila.migration.client_mounts:
    state: restored
    exports:
      - id: 5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11
        name: projects
        before: ["192.0.2.10:/shares/projects"]
"""

RETURN = r"""
mounts:
  description: What the client has mounted of the shares, or had, in the order of mounting.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: ID of the share.
      type: str
    name:
      description: Name of the share.
      type: str
    target:
      description: Where it is mounted.
      type: str
    source:
      description: What is mounted there, or was until it was unmounted. A folder, if RV(mounts[].bind).
      type: str
    managed_by:
      description:
        - The program that manages the mount, one of V(fstab), V(autofs), V(systemd), V(container engine), V(kubelet), V(nova), V(cinder).
        - Empty where none is known to.
      type: str
    type:
      description: Type of the file system.
      type: str
    options:
      description: Options of the mount, passwords made unreadable.
      type: str
    bind:
      description: Whether it shows a folder of the share a second time.
      type: bool
    fstab:
      description: Whether fstab has a line for it.
      type: bool
    state:
      description: V(mounted) or V(unmounted).
      type: str
    sides:
      description:
        - Of which export locations it is mounted, V(before) or V(after), or both where these are the same, or mounted over each other.
          Each is there once, in this order. Empty if unmounted.
      type: list
      elements: str
left:
  description:
    - Mounts that are not as O(state) says, and why. With O(state=found), what would keep them from being unmounted.
    - What is accepted is not among them.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: ID of the share.
      type: str
    name:
      description: Name of the share.
      type: str
    source:
      description: What is mounted. Empty with V(unreadable).
      type: str
    target:
      description: Where it is mounted, in the namespace in question. With V(unreadable), the file that can't be read.
      type: str
    code:
      description:
        - One of V(busy), V(below), V(autofs), V(managed), V(credentials), V(unsupported), V(namespace), V(unreadable), V(unidentified),
          V(parent), V(taken), V(no_export), V(failed).
      type: str
    message:
      description: The reason.
      type: str
    holders:
      description: The processes that hold the mount, or have it in their namespace, each with C(pid), C(command) and C(user).
      type: list
      elements: dict
    managed_by:
      description: The program that manages the mount, as RV(mounts[].managed_by).
      type: str
accepted:
  description: What would be in RV(left), and is accepted by O(accept), with the same keys.
  type: list
  elements: dict
  returned: always
ready:
  description:
    - IDs of shares of which nothing is mounted here but what is accepted, and nothing is left. With O(state=unmounted), these can be
      cut over. With O(state=found) and O(state=unmounted), mounts of O(exports[].after) alone don't count.
  type: list
  elements: str
  returned: always
similar:
  description:
    - Mounts with the path of an export, from a server that the export is not known by. They are not touched, and they are in RV(left), too,
      with the code V(unidentified).
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: ID of the share with that export.
      type: str
    target:
      description: Where it is mounted.
      type: str
    source:
      description: What is mounted there.
      type: str
fstab_lines:
  description: Numbers of the lines of fstab that were changed.
  type: list
  elements: int
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.acceptance import (
    parse_acceptances,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.client import Client
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.codes import STATES
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.findings import (
    Request,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    Share,
    wanted_types,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import (
    ClientError,
    LocalSystem,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable


def argument_spec() -> dict[str, dict[str, Any]]:
    """Return the module's arguments."""
    return {
        "exports": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "id": {"required": True},
                "name": {"default": ""},
                "before": {"type": "list", "elements": "str", "required": True},
                "after": {"type": "list", "elements": "str", "default": []},
            },
        },
        "state": {"choices": list(STATES), "default": "found"},
        "types": {
            "type": "list",
            "elements": "str",
            "default": ["nfs", "cifs", "ceph", "glusterfs"],
        },
        "accept": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "code": {"required": True},
                "source": {"default": ""},
                "target": {"default": ""},
            },
        },
        "force": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 60},
        "fstab": {"type": "path", "default": "/etc/fstab"},
        "record": {"type": "path", "default": "/var/lib/manila-migration/client_mounts.json"},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(), supports_check_mode=True)
    params = module.params
    try:
        acceptances = tuple(parse_acceptances(params["accept"]))
    except ValueError as error:
        module.fail_json(msg=readable(error))
        raise
    try:
        request = Request(
            state=params["state"],
            shares=tuple(
                Share(
                    share["id"],
                    share["name"],
                    *(tuple(text.strip() for text in share[side]) for side in ("before", "after")),
                )
                for share in params["exports"]
            ),
            types=frozenset(wanted_types(params["types"])),
            force=params["force"],
            timeout=params["timeout"],
            fstab=params["fstab"],
            record=params["record"],
            acceptances=acceptances,
            check_mode=module.check_mode,
        )
        result = Client(LocalSystem(module), request).run()
    except ClientError as error:
        module.fail_json(msg=readable(error))
        raise
    for warning in result.pop("warnings"):
        module.warn(readable(warning))
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
