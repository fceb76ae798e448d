# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a migration, and the documented procedure out of it.

Knows what kills, crashes and drivers leave behind, and when a restart of a service is safe.  Pure:
the modules read, and take the steps.  May import ``_model`` and ``_states``.
"""

from __future__ import annotations
