# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What at a source migrates still, for the role evacuate."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unfinished_migrations
short_description: What migrates, of everything that a plan names
version_added: 1.1.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Picks from a plan everything that migrates, or may, whether the plan moves it, has no pool for it, or excludes it as asked.
  - An entry that does not say so counts as one that migrates.
positional: _input
options:
  _input:
    description: The plan, as RV(manila.migration.evacuation_plan#module:plan).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Fail as long as something migrates
  ansible.builtin.assert:
    that: planned.plan | manila.migration.unfinished_migrations | length == 0
"""

RETURN = r"""
_value:
  description: The entries of the plan.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

LISTS = ("migrations", "unplaced", "excluded")


def unfinished_migrations(plan: Any) -> list[dict[str, Any]]:
    """Return what migrates, or may.  Raises AnsibleFilterError, with a sentence."""
    try:
        entries = [entry for name in LISTS for entry in plan[name]]
        return [entry for entry in entries if entry.get("migrating", True)]
    except (AttributeError, KeyError, TypeError):
        raise AnsibleFilterError(
            "unfinished_migrations: it takes a plan, as the module evacuation_plan returns it."
        ) from None


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"unfinished_migrations": unfinished_migrations}
