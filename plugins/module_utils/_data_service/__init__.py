# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of host-assisted migration: what they may be, what is wrong, how to write them.

Knows nothing of a cloud.  Pure.  May import the standard library only.
"""

from __future__ import annotations
