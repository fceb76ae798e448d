# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manila's task states as tables, and the one function that classifies an observation.

Knows every task state and status of shares, share servers and replicas, with the Manila file that
writes it.  Pure.  May import ``_model``.
"""

from __future__ import annotations
