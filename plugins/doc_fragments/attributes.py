# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the modules have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes and requirements of the modules of this collection."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
requirements:
  - python-manilaclient >= 6.3.0
notes:
  - The user needs the role C(admin), because Manila shows the location of shares, and migrates them, only for administrators.
  - Works with Manila 15 (Zed, API 2.73) and newer. Tested with Manila 15.1 and 23.
"""

    STANDALONE = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
"""

    ACTIONGROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/manila.migration.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - manila.migration.all
"""
