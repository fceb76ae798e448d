# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can migrate, and the two ways in which Manila does it."""

from __future__ import annotations

DRIVER = "driver"


HOST = "host"


# Kinds: what can migrate.
SHARE = "share"


SHARE_SERVER = "share_server"


SHARE_REPLICA = "share_replica"
