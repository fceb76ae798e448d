# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make surveys of AWX from argument specifications, for the playbook awx."""

from __future__ import annotations

DOCUMENTATION = r"""
name: survey
short_description: Make a survey of AWX for variables of a role
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Converts the options of an argument specification to the option C(survey_spec) of the modules of C(awx.awx).
  - The answer for a list of strings is one string, separated by commas. The answer for a dictionary is JSON or C(key=value). The
    roles of this collection accept these forms. A survey can't contain a list of dictionaries.
positional: _input
options:
  _input:
    description: Options of an entry point, as in C(meta/argument_specs.yml) of a role.
    type: dict
    required: true
  variables:
    description: The variables to ask for, in this order.
    type: list
    elements: str
    required: true
  name:
    description: Name of the survey.
    type: str
    required: true
  required:
    description: Variables that must be answered although the role does not require them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show a survey for destinations and limits
  ansible.builtin.debug:
    msg: "{{ specs.argument_specs.main.options | manila.migration.survey(['evacuate_destinations', 'evacuate_max_parallel'], 'copy') }}"
  vars:
    specs: "{{ lookup('ansible.builtin.file', 'roles/evacuate/meta/argument_specs.yml') | from_yaml }}"
"""

RETURN = r"""
_value:
  description: Survey with C(name), C(description) and C(spec).
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.plugin_utils.survey import survey as make_survey


def survey(
    options: Any, variables: list[str], name: str, required: list[str] | None = None
) -> dict[str, Any]:
    """Return the survey.  Raises AnsibleFilterError."""
    try:
        return make_survey(options, variables, name, required or [])
    except ValueError as error:
        raise AnsibleFilterError(f"survey: {error}") from None


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"survey": survey}
