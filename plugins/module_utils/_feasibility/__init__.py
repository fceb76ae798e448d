# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason why a share, a share server or a replica can't move, or will lose something.

Knows Manila's preconditions for each mechanism and kind.  ``codes`` has each code with its meaning.
Pure.  May import ``_model``, ``_states``, ``_scheduler`` and the options of ``_data_service``.
"""

from __future__ import annotations
