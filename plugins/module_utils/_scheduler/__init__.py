# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Manila's scheduler computes: capacity, extra specs, affinity, and what is in flight.

Knows the arithmetic of the scheduler's filters to the last bit, and which room a pool has left.  Pure.
May import ``_model`` and ``_states``.
"""

from __future__ import annotations
