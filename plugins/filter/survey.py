# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX's surveys from argument specifications, for the playbook awx."""

from __future__ import annotations

DOCUMENTATION = r"""
name: survey
short_description: The survey of AWX that asks for variables of a role
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Makes of the options of an argument specification what the modules of C(awx.awx) take as C(survey_spec).
  - A list of texts is asked for as one text, separated by commas, a dictionary as JSON or C(key=value); the roles of this collection
    take both. A list of dictionaries can't be asked for.
positional: _input
options:
  _input:
    description: The options of an entry point, as C(meta/argument_specs.yml) of a role has them.
    type: dict
    required: true
  variables:
    description: The variables to ask for, in this order.
    type: list
    elements: str
    required: true
  name:
    description: What to call the survey.
    type: str
    required: true
  required:
    description: Variables that have to be answered although the role can do without.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Ask where to, and how many at a time
  ansible.builtin.debug:
    msg: "{{ specs.argument_specs.main.options | manila.migration.survey(['evacuate_destinations', 'evacuate_max_parallel'], 'copy') }}"
  vars:
    specs: "{{ lookup('ansible.builtin.file', 'roles/evacuate/meta/argument_specs.yml') | from_yaml }}"
"""

RETURN = r"""
_value:
  description: The survey, with C(name), C(description) and C(spec).
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.module_utils.survey import survey as make_survey


def survey(
    options: Any, variables: list[str], name: str, required: list[str] | None = None
) -> dict[str, Any]:
    """Return the survey.  Raises AnsibleFilterError, with a sentence."""
    try:
        return make_survey(options, variables, name, required or [])
    except ValueError as error:
        raise AnsibleFilterError(f"survey: {error}") from None


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"survey": survey}
