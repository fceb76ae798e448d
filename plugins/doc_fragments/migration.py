# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of how long a module waits, and how often it looks."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that the modules which drive migrations have in common."""

    DOCUMENTATION = r"""
options:
  poll_interval:
    description:
      - Seconds from one look at the cloud to the next; where a look takes long, at least half as many are between them.
      - While nothing happens they grow to a twentieth of the time for which nothing has happened, up to four times as
        many.
    type: float
    default: 15
  timeout:
    description:
      - Seconds after which the module takes a last look, begins nothing new and fails, saying how far everything is.
      - What runs in Manila goes on; the same task, run again, takes it up where it is.
    type: int
    default: 86400
"""
