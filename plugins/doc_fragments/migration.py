# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of how long a module waits, and how often it polls."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that the modules which drive migrations have in common."""

    DOCUMENTATION = r"""
options:
  poll_interval:
    description:
      - Seconds from one poll of the cloud to the next. After a long poll the module waits at least half of that time.
      - While nothing changes, the interval backs off to 5 % of the idle time, at most to four times O(poll_interval).
    type: float
    default: 15
  timeout:
    description:
      - Seconds after which the module polls a last time, starts nothing more, and fails. The message contains the state of every
        migration.
      - Active migrations continue in Manila. Run the same task again to continue.
    type: int
    default: 86400
"""
