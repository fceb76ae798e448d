# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cutover group can be cut over, for the role evacuate."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cutover_readiness
short_description: Whether migrations can be cut over now
version_added: 1.1.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Takes the result of a cutover in check mode (the module M(manila.migration.evacuation), with
    RV(manila.migration.evacuation#module:migrations)). Returns whether all of it can be cut over, or what hinders that.
  - A migration that is being cut over, or is cut over, hinders nothing.
positional: _input, waited
options:
  _input:
    description: The result of the module.
    type: dict
    required: true
  waited:
    description:
      - For how many seconds it has been waited already.
      - A state that is unclear nearly always passes within seconds. After ten minutes nothing waits for it any more, as in
        the module M(manila.migration.evacuation) itself.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Wait until everything can be cut over
  manila.migration.evacuation:
    cloud: production
    plan: "{{ planned.plan }}"
    state: completed
    start_new: false
  check_mode: true
  register: rehearsed
  until: (rehearsed | manila.migration.cutover_readiness).state != 'waiting'
  retries: 60
  delay: 30
"""

RETURN = r"""
_value:
  description: The state, and why.
  type: dict
  contains:
    state:
      description:
        - V(ready) if nothing hinders it; V(waiting) if something does that may pass by itself; V(hindered) if something does that
          only an operator's action ends.
      type: str
    obstacles:
      description: What hinders it, each in a sentence. Empty if the module itself has failed, which has a message.
      type: list
      elements: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

ON_THE_WAY = frozenset({"completing", "completed"})
"""Phases of what is not waited for."""

CAN_BEGIN = frozenset({"operator", "slot"})
"""What a cutover that can begin waits for: an operator, and a free slot."""

PATIENCE_SECONDS = 600.0
"""As ``Limits.patience`` of the engine, but for the whole wait.

Each poll is a process of its own, which can't know for how long a state has been unclear.  A state
that becomes unclear later than this ends the wait at once.  A wait without an end for a migration
that is stuck would keep every other group waiting."""


def cutover_readiness(result: Any, waited: float = 0.0) -> dict[str, Any]:
    """Return whether a cutover can begin.  Raises AnsibleFilterError, with a sentence."""
    try:
        if "msg" in result:
            return {"state": "hindered", "obstacles": []}
        records = [record for record in result["migrations"] if record["phase"] not in ON_THE_WAY]
        waits = [record["waiting_for"] for record in records]
        hindrances = [wait for wait in waits if wait is None or wait["code"] not in CAN_BEGIN]
        obstacles = [record["error"] for record in records if record["error"]]
        obstacles += [wait["message"] for wait in hindrances if wait]
    except (KeyError, TypeError):
        raise AnsibleFilterError(
            "cutover_readiness: it takes the result of the module evacuation."
        ) from None
    state = "ready"
    if hindrances:
        passes = all(_passes(wait, waited) for wait in hindrances)
        state = "waiting" if passes else "hindered"
    return {"state": state, "obstacles": list(dict.fromkeys(obstacles))}


def _passes(waiting: Mapping[str, Any] | None, waited: float) -> bool:
    if waiting is None or not waiting["transient"]:
        return False  # without anything to wait for it has failed
    return waiting["code"] != "unclear" or waited < PATIENCE_SECONDS


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"cutover_readiness": cutover_readiness}
