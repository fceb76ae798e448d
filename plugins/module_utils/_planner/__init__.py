# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes where: a plan from an inventory and a request, and plan files read again.

Knows objectives, placement, cutover groups and forecasts.  Pure.

``planner`` is what others call; it reads from top to bottom as a plan is made.  ``request`` and
``context`` say what is asked for in which cloud, ``sorting`` hands each thing at the source to the
planner of its kind (``share_planner`` with ``share_sites``, ``server_planner``,
``replica_planner``), which answers in ``outcomes``.  ``choice`` finds destinations with
``objectives`` and ``packing``, ``groups`` and ``grouping`` say what is cut over together.
``entries``, ``pool_entries``, ``plan_warnings`` and ``refusals`` say it.

A new kind is one planner and a line in ``sorting``.  A new warning of a plan goes into
``plan_warnings``, a new key of an entry into ``entries``.

``plan_file`` and ``baseline`` read plans again, ``pools`` describes pools without a plan.
May import ``_model``, ``_states``, ``_scheduler`` and ``_feasibility``.
"""

from __future__ import annotations
