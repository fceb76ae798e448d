# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do next, from a plan, one reading of the cloud, the limits and the time.

Knows when an action is safe, what a migration waits for, and what an outcome means.  ``decide`` is
the entrance.  Pure: no clock, no I/O.  May import ``_model`` and ``_states``.
"""

from __future__ import annotations
