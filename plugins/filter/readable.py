# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from outside for people, for labels and messages of tasks."""

from __future__ import annotations

DOCUMENTATION = r"""
name: readable
short_description: Text from outside as it may be shown on a terminal
version_added: 1.1.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Names and metadata of shares are their owners' text, and messages may come from storage. C(ansible-playbook) prints the names of
    tasks, the labels of loops, and on ansible-core 2.19 and newer also what a failed task says, as they are.
  - What cannot be seen in a text or changes what is around it, such as line breaks, escape sequences and marks of direction, is shown by
    its number, C(\u202e), as in C(report.html). All other text stays.
positional: _input
options:
  _input:
    description: The text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Name what is in a plan
  ansible.builtin.debug:
    msg: "{{ item.size_gb }} GiB"
  loop: "{{ plan.migrations }}"
  loop_control:
    label: "{{ item.name | manila.migration.readable }}"
"""

RETURN = r"""
_value:
  description: The text, in one line.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.wording import (
    readable as make_readable,
)


def readable(text: Any) -> str:
    """Return the text as it may be shown."""
    return make_readable(text)


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"readable": readable}
