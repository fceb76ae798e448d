# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a plan that was handed on cannot be carried out, for the role evacuate."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan_refusal
short_description: Why a plan that was handed on cannot be carried out
version_added: 1.1.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Looks at a plan of M(manila.migration.evacuation_plan) before any cloud is asked. It has to be of a version that is known, and made for
    what is to be done.
  - What a plan does not say of itself is not compared, its source excepted. A plan without migrations is a plan.
positional: _input
options:
  _input:
    description: The plan. An empty value is none.
    type: raw
    required: true
  wanted:
    description:
      - What the plan has to be for, with C(source), and C(objective), C(share_servers), C(availability_zone), C(cloud) and C(workflow_job)
        as far as these are known.
    type: dict
    required: true
  required:
    description: Whether there has to be a plan.
    type: bool
    default: false
  name:
    description: The variable that the plan came from, for the sentence.
    type: str
    default: evacuate_plan
"""

EXAMPLES = r"""
- name: Refuse a plan for another back end
  ansible.builtin.assert:
    that: refusal | length == 0
    fail_msg: "{{ refusal }}"
  vars:
    refusal: "{{ evacuate_plan | manila.migration.plan_refusal({'source': 'stor1@array7', 'objective': 'evacuate'}, required=true) }}"
"""

RETURN = r"""
_value:
  description: One or two sentences, empty if nothing is wrong.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import (
    explain_refusal,
)


def plan_refusal(
    plan: Any, wanted: Mapping[str, Any], required: bool = False, name: str = "evacuate_plan"
) -> str:
    """Return why the plan is refused, or an empty text."""
    return explain_refusal(plan, wanted, required, name)


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"plan_refusal": plan_refusal}
