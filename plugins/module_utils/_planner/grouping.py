# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is cut over together, and what is copied first.  Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ansible_collections.manila.migration.plugins.module_utils._model.records import Share
from ansible_collections.manila.migration.plugins.module_utils._model.request import (
    LARGEST,
    METADATA,
    PROJECT,
    SINGLE,
    SMALLEST,
    Groups,
)

_Entry = TypeVar("_Entry", bound=Mapping[str, Any])


def check_grouping(group_by: str, groups: Groups, order: str) -> None:
    """Raises ValueError, with one sentence, for what can't be meant."""
    for name, value, words in (
        ("group_by", group_by, ("", PROJECT, SINGLE)),
        ("order", order, (LARGEST, SMALLEST)),
    ):
        if value not in words and not (value.startswith(METADATA) and value != METADATA):
            known = ", ".join(filter(None, words))
            raise ValueError(f"{name}: {value!r} is none of {known} and {METADATA}KEY.")
    where: dict[str, str] = {}
    for name, members in groups:
        if not name:
            raise ValueError("groups: a group has no name.")
        for member in members:
            if where.setdefault(member, name) != name:
                raise ValueError(f"groups: {member!r} is in {where[member]!r} and in {name!r}.")


def group_names(
    parts: Mapping[str, Iterable[Share]], group_by: str = "", groups: Groups = ()
) -> dict[str, str]:
    """The name of each migration's cutover group by ID, empty for none.

    ``parts`` are the shares that each moves.  What is listed in ``groups`` is in that one,
    whatever else is asked for.  A share server brings the groups of its shares together: they
    become one.
    """
    listed = {member: name for name, members in groups for member in members}
    named = {
        one: sorted({_group_of(share, group_by, listed) for share in shares} - {""})
        for one, shares in parts.items()
    }
    leader: dict[str, str] = {}

    def led_by(name: str) -> str:
        while leader.get(name, name) != name:
            name = leader[name]
        return name

    for names in named.values():
        for name in names[1:]:
            first, second = sorted((led_by(names[0]), led_by(name)))
            leader[second] = first
    together: dict[str, set[str]] = {}
    for names in named.values():
        for name in names:
            together.setdefault(led_by(name), set()).add(name)
    return {
        one: "+".join(sorted(together[led_by(names[0])])) if names else ""
        for one, names in named.items()
    }


def _group_of(share: Share, group_by: str, listed: Mapping[str, str]) -> str:
    name = listed.get(share.id) or listed.get(share.name)
    if name:
        return name
    if group_by == PROJECT:
        return share.project_id or ""
    if group_by == SINGLE:
        return share.id
    return share.metadata.get(group_by[len(METADATA) :], "") if group_by else ""


def unknown_members(shares: Iterable[Share], groups: Groups) -> list[str]:
    """What is listed as member of a group and is none of these shares."""
    known = {name for share in shares for name in (share.id, share.name)}
    return sorted({member for _name, members in groups for member in members} - known)


def in_order(
    entries: Iterable[_Entry],
    order: str,
    shares: Callable[[_Entry], Iterable[Share]],
) -> list[_Entry]:
    """Entries of a plan in the order in which they are to be started.

    The members of a cutover group follow each other, as none is cut over before all are copied; a
    group is as urgent as its most urgent member.
    """

    def urgency(entry: _Entry) -> tuple[float, int, str]:
        size = entry["size_gb"] or 0
        if order == SMALLEST:
            return 0.0, size, entry["id"]
        priority = 0.0
        if order.startswith(METADATA):
            key = order[len(METADATA) :]
            priority = min(
                (-_number(share.metadata.get(key)) for share in shares(entry)), default=0
            )
        return priority, -size, entry["id"]

    keyed = [(urgency(entry), entry) for entry in entries]
    first: dict[str, tuple[float, int, str]] = {}
    for key, entry in keyed:
        if entry["group"]:
            first[entry["group"]] = min(first.get(entry["group"], key), key)
    keyed.sort(key=lambda one: (first.get(one[1]["group"], one[0]), one[0]))
    return [entry for _key, entry in keyed]


def _number(text: str | None) -> float:
    """A priority; what is none counts as the least."""
    try:
        number = float(text or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
