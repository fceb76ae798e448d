# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ties engine and API together for one module call: read, decide, act, sleep, again.

Knows in which order something is looked at, written down and sent.
May import ``_model``, ``_states``, ``_engine`` and ``_api``.
"""

from __future__ import annotations
