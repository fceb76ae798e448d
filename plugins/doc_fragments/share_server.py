# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options for the migration of a share server."""

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
      - Whether the snapshots of its shares must be kept. Manila refuses the migration if the driver can't keep them.
      - With V(false) the driver decides. A driver that can't keep snapshots still refuses a share server with snapshots.
    type: bool
    default: false
  writable:
    description:
      - Whether the shares must stay writable during the copy. Manila refuses the migration if the driver can't do that.
      - With V(false) the driver decides. If it can't do that, all access rules are read-only until the end of the migration.
    type: bool
    default: false
  nondisruptive:
    description:
      - Whether clients must stay connected all the time. Manila refuses the migration if the driver can't do
        that, and if the share network changes.
      - With V(false) the driver decides.
    type: bool
    default: false
  new_share_network:
    description:
      - Name or ID of the share network of the new share server. By default the share network stays the same.
      - Manila chooses the subnet by the availability zone of the destination. It refuses a share network with
        neither a subnet there nor a default subnet.
    type: str
    aliases: [new_share_network_id]
"""
