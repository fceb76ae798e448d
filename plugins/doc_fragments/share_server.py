# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of what is asked for when a share server shall be migrated."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that the migration of a share server and its check have in common."""

    DOCUMENTATION = r"""
options:
  share_server:
    description: ID of the share server. Share servers have no names.
    type: str
    required: true
    aliases: [share_server_id]
  preserve_snapshots:
    description:
      - Whether the snapshots of its shares must be kept. Manila refuses the migration where the driver can't.
      - With V(false) the driver decides. One that can't keep snapshots still refuses a share server that has some.
    type: bool
    default: false
  writable:
    description:
      - Whether the shares must stay writable during the copy. Manila refuses the migration where the driver can't.
      - With V(false) the driver decides. Where it can't, all access rules are read-only until the end of the migration.
    type: bool
    default: false
  nondisruptive:
    description:
      - Whether clients must stay connected all the time. Manila refuses the migration where the driver can't,
        and where the share network changes.
      - With V(false) the driver decides.
    type: bool
    default: false
  new_share_network:
    description:
      - Name or ID of the share network of the new share server. Without it the present one is kept.
      - Manila itself chooses the subnet, by the availability zone of the destination. A share network with
        neither a subnet there nor a default subnet is refused.
    type: str
    aliases: [new_share_network_id]
"""
