# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes where: a plan from an inventory and a request, and plan files read again.

Knows objectives, placement, cutover groups and forecasts.  Pure.
May import ``_model``, ``_states``, ``_scheduler`` and ``_feasibility``.
"""

from __future__ import annotations
