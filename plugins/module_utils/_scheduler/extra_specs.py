# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extra specs of share types, read and compared as Manila's scheduler does it.  Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.records import ShareType

_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_FALSE = frozenset({"0", "f", "false", "off", "n", "no"})


def is_true(value: object) -> bool:
    """Whether Manila takes a text for a yes: oslo.utils, strutils."""
    return str(value).strip().lower() in _TRUE


def _by_number(compare: Callable[[float, float], bool]) -> Callable[[Any, str], bool]:
    return lambda has, wants: compare(float(has), float(wants))


_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "=": _by_number(operator.ge),  # at least: as the scheduler has it
    "==": _by_number(operator.eq),
    "!=": _by_number(operator.ne),
    ">=": _by_number(operator.ge),
    "<=": _by_number(operator.le),
    "<in>": lambda has, wants: wants in has,
    "<is>": lambda has, wants: is_true(has) is is_true(wants),
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}


def spec_matches(has: object, wants: str) -> bool:
    """Whether a capability satisfies an extra spec: scheduler/filters/extra_specs_ops.py.

    What makes the scheduler fail with an exception (a number compared with a text) is no match
    here: the migration would end in an error all the same.
    """
    if has is None:
        return False
    value: Any = has.lower() if isinstance(has, str) else has
    wants = wants.lower()
    words = wants.split()
    sign = words[0] if words else ""
    if sign == "<or>":
        return isinstance(value, str) and value in words[1::2]
    if sign not in _OPERATORS:
        if isinstance(value, bool):
            word = wants.strip()
            return word in (_TRUE if value else _FALSE)
        return bool(value == wants)
    if len(words) < 2:
        return False
    try:
        return bool(_OPERATORS[sign](value, words[1]))
    except (TypeError, ValueError):
        return False


def uses_share_servers(share_type: ShareType) -> bool:
    """Whether shares of the type live on share servers (and so need a share network)."""
    return is_true(share_type.extra_specs.get("driver_handles_share_servers", ""))


def thinks_thin(share_type: ShareType) -> bool:
    """Whether the scheduler may over-subscribe for shares of this type: scheduler/utils.py."""
    specs = share_type.extra_specs
    wish = specs.get("thin_provisioning", specs.get("capabilities:thin_provisioning"))
    if wish is None:
        return True
    word = str(wish).strip().lower()
    return word in _TRUE or (word not in _FALSE and spec_matches(True, str(wish)))
