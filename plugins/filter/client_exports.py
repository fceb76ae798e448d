# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert migrations to export locations, for the role client_mounts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: client_exports
short_description: Convert migrations to the export locations that clients mount
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Converts the records of migrations to the option O(manila.migration.client_mounts#module:exports) of M(manila.migration.client_mounts).
  - A share server is replaced by its shares, because clients mount those. Records without an export location are skipped.
positional: _input
options:
  _input:
    description:
      - Records of migrations, as in RV(manila.migration.evacuation#module:migrations), or as C(migrations) in the file C(report.json) of an evacuation.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Unmount the shares that an evacuation is about to cut over
  manila.migration.client_mounts:
    state: unmounted
    exports: "{{ (lookup('ansible.builtin.file', 'report.json') | from_json).migrations | manila.migration.client_exports }}"
"""

RETURN = r"""
_value:
  description: The shares, each with C(id), C(name) and the lists C(before) and C(after) of its export locations.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.module_utils._report.files import client_mounts


def client_exports(records: Any) -> list[dict[str, Any]]:
    """Return the shares with their export locations.  Raises AnsibleFilterError."""
    try:
        return client_mounts(records)
    except (AttributeError, KeyError, TypeError):
        raise AnsibleFilterError(
            "client_exports must get the records of migrations that the module evacuation returns."
        ) from None


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"client_exports": client_exports}
