# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summarize runs in several clouds, for the playbook evacuate_clouds."""

from __future__ import annotations

DOCUMENTATION = r"""
name: clouds_summary
short_description: Summarize evacuations in several clouds
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Adds up the results of the role C(evacuate), one for each cloud or region. The playbook C(evacuate_clouds) uses it.
positional: _input
options:
  _input:
    description:
      - One record for each run, with C(name) of the host in the inventory, C(cloud), C(source), C(phase), C(summary) of its result,
        C(error), and C(report), the path of its report.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Add up two regions
  ansible.builtin.debug:
    msg: "{{ [north, south] | manila.migration.clouds_summary }}"
  vars:
    north:
      name: north
      cloud: mycloud-north
      source: stor1@array7
      phase: copy
      summary: {total: 5, copied: 5}
      error: ""
      report: evacuation-report/north/report.json
    south: "{{ north | combine({'name': 'south', 'cloud': 'mycloud-south', 'error': 'No answer.', 'summary': {}}) }}"
"""

RETURN = r"""
_value:
  description:
    - C(version) (1), C(clouds) with the records by their names, C(summary) with the sums, C(text) with the same as lines, and C(error),
      which is empty if nothing failed.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.plugin_utils.clouds_summary import (
    clouds_summary as add_up,
)


def clouds_summary(records: Any) -> dict[str, Any]:
    """Return the summary.  Raises AnsibleFilterError."""
    try:
        return add_up(records)
    except (AttributeError, KeyError, TypeError):
        raise AnsibleFilterError(
            "clouds_summary must get one record for each cloud, with name, cloud, source, phase, summary, error and report."
        ) from None


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"clouds_summary": clouds_summary}
