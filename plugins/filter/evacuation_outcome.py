# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a run, for the role evacuate."""

from __future__ import annotations

DOCUMENTATION = r"""
name: evacuation_outcome
short_description: Compute the outcome of an evacuation from the results of its steps
version_added: 1.1.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Computes what the role P(manila.migration.evacuate#role) sets as C(evacuate_result), and whether it may remove the cordon.
positional: _input
options:
  _input:
    description:
      - The results of the steps. C(phase), C(source), C(objective), and C(planned), the result of M(manila.migration.evacuation_plan),
        are required.
      - The others may be missing. C(moved), C(replicated), C(groups) are results of M(manila.migration.evacuation), C(afterwards) is the
        result of M(manila.migration.evacuation_plan) after the run, C(by_group) says whether C(groups) has the migrations.
      - C(cloud), C(workflow_job), C(check_mode), C(can_cordon), C(cordon_prefix), C(last_rate), and C(problems) with further sentences.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Plan the evacuation
  manila.migration.evacuation_plan:
    cloud: production
    source: stor1@array7
  register: planned

- name: Show the outcome of the plan alone
  ansible.builtin.debug:
    msg: "{{ {'phase': 'plan', 'source': 'stor1@array7', 'objective': 'evacuate', 'planned': planned} | manila.migration.evacuation_outcome }}"
"""

RETURN = r"""
_value:
  description: The outcome.
  type: dict
  contains:
    result:
      description: As C(evacuate_result). C(error) is empty if the phase succeeded.
      type: dict
    lift_cordon:
      description: Whether nothing at the source migrates, and the cordon is one of the role.
      type: bool
    text:
      description: The same for people, one line for each entry.
      type: list
      elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.plugin_utils.outcome import (
    Steps,
    compute_outcome,
)


def evacuation_outcome(steps: Any) -> dict[str, Any]:
    """Return the outcome.  Raises AnsibleFilterError, with a sentence."""
    try:
        return compute_outcome(Steps(**steps))
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"evacuation_outcome must get the results of the steps of an evacuation, got: {error}"
        ) from None


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"evacuation_outcome": evacuation_outcome}
