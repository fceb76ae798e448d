# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which shares a JMESPath expression selects.  Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ansible_collections.manila.migration.plugins.module_utils._model.records import Share

if TYPE_CHECKING:
    from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory

FORM = "[?size_gb > `100`]"
"""What an expression may look like."""


def select_shares(
    inventory: Inventory, expression: str, at: Callable[[str], bool]
) -> frozenset[str] | None:
    """IDs of the shares ``at`` some pools that the expression selects; None if there is none.

    It is applied to the list of all of them, see ``describe``, and must give a list of these, or
    of their IDs.  Raises ValueError, with one sentence.
    """
    if not expression:
        return None
    try:
        # Only who selects needs it.
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ImportError:
        raise ValueError(
            "select: it needs the Python library jmespath, which is missing."
        ) from None
    shares = [
        describe(inventory, share)
        for share in sorted(inventory.shares, key=lambda one: one.id)
        if at(share.host)
    ]
    try:
        found = jmespath.search(expression, shares)
    except (JMESPathError, TypeError, ValueError) as error:
        raise ValueError(
            f"select: {expression!r} is no JMESPath expression over shares, such as {FORM!r}: "
            f"{' '.join(str(error).split())}"
        ) from None
    known = {one["id"] for one in shares}
    ids = {_id(one) for one in found} if isinstance(found, list) else {None}
    if not ids <= known:
        raise ValueError(
            f"select: {expression!r} gives no list of shares, nor of their IDs; write it like "
            f"{FORM!r}."
        )
    return frozenset(filter(None, ids))


def _id(found: Any) -> str | None:
    """The ID of what an expression gave, if it is a share or one."""
    named = found.get("id") if isinstance(found, dict) else found
    return named if isinstance(named, str) else None


def describe(inventory: Inventory, share: Share) -> dict[str, Any]:
    """What an expression may ask of a share.  Sizes are GiB."""
    share_type = inventory.share_types.get(share.share_type_id or "")
    return {
        "id": share.id,
        "name": share.name,
        "project_id": share.project_id,
        "size_gb": share.size_gb,
        "host": share.host,
        "status": share.status,
        "protocol": share.protocol,
        "share_type": share_type.name if share_type else share.share_type_name,
        "share_type_id": share.share_type_id,
        "share_network_id": share.share_network_id,
        "share_server_id": share.share_server_id,
        "availability_zone": share.availability_zone,
        "snapshots": len(inventory.snapshots(share.id)),
        "metadata": dict(share.metadata),
    }
