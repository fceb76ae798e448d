# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options for the migration of a share."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that the migration of a share and its check have in common."""

    DOCUMENTATION = r"""
options:
  share:
    description: Name or ID of the share, of any project.
    type: str
    required: true
  preserve_metadata:
    description: Whether the migration must preserve file system metadata. V(true) rules out host-assisted migration.
    type: bool
    default: false
  preserve_snapshots:
    description: Whether the migration must preserve the snapshots of the share. V(true) rules out host-assisted migration.
    type: bool
    default: false
  writable:
    description: Whether the share must stay writable during the copy. V(true) rules out host-assisted migration.
    type: bool
    default: false
  nondisruptive:
    description: Whether clients must stay connected all the time. V(true) rules out host-assisted migration.
    type: bool
    default: false
  force_host_assisted_migration:
    description:
      - Whether to skip driver-assisted migration and have the Data Service copy the files.
      - Cannot be combined with O(preserve_metadata), O(preserve_snapshots), O(writable) or O(nondisruptive).
      - When all five are V(false), Manila tries the driver first, and silently falls back to the Data Service.
    type: bool
    default: false
  new_share_type:
    description:
      - Name or ID of the share type that the share gets with the migration.
      - Required if the present share type pins the share to its back end, for example by C(share_backend_name).
    type: str
    aliases: [new_share_type_id]
  new_share_network:
    description: Name or ID of the share network that the share gets with the migration.
    type: str
    aliases: [new_share_network_id]
"""
