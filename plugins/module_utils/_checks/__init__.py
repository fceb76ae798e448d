# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of one migration before it is started: read what decides, and judge it.

May import ``_model``, ``_scheduler``, ``_feasibility`` and ``_api``.
"""

from __future__ import annotations
