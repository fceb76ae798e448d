# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options as they are written into files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._data_service.options import OPTIONS
from ansible_collections.manila.migration.plugins.module_utils._data_service.validation import (
    is_hardened,
    separate,
)


def render(
    options: Mapping[str, Any],
    backends: Mapping[str, Mapping[str, Any]],
    services: Sequence[str],
    protocols: Sequence[str] = (),
    harden_mounts: bool = False,
) -> dict[str, dict[str, str]]:
    """What to write, by group and option, as text that oslo.config reads back as it was meant.

    Only what one of ``services`` reads.  ``harden_mounts`` adds ``HARDENED`` to the mount options
    of the protocols in use for which they mean something.
    """
    values = dict(options)
    if harden_mounts:
        by_protocol = values.get("data_node_mount_options") or {}
        values["data_node_mount_options"] = is_hardened(by_protocol, protocols) or None
    groups: dict[str, dict[str, str]] = {}
    for group, given in {"DEFAULT": values, **backends}.items():
        for option in OPTIONS:
            if option.service not in services or option.per_backend == (group == "DEFAULT"):
                continue
            value = given.get(option.name)
            if value is not None:
                groups.setdefault(group, {})[option.name] = _text(option.name, value)
    return groups


def _text(name: str, value: Any) -> str:
    if name == "data_node_mount_options":
        text = ",".join(f"{key.lower()}:{separate(one)}" for key, one in sorted(value.items()))
    elif name == "protocol_access_mapping":
        text = ",".join(
            f"{key}:[{','.join(str(one).lower() for one in listed)}]"
            for key, listed in sorted(value.items())
        )
    elif isinstance(value, list):
        text = ",".join(value)
    else:
        text = str(value)
    # oslo.config replaces $name by the option of that name.
    return text.replace("$", "$$")
