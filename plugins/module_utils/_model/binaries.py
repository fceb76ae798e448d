# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names under which Manila's services are registered."""

from __future__ import annotations

SHARE_MANAGER = "manila-share"


SCHEDULER = "manila-scheduler"


DATA = "manila-data"
