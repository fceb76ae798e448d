# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that all other packages exchange.

Knows what Manila's API returns, as typed records, and what the collection makes of it: places,
observations' marks, migrations, requests, reasons, text for people.  Pure: no I/O, no clock.
May import the standard library only.
"""

from __future__ import annotations
