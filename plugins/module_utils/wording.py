# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and lists in sentences.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

_NAMED = 3
"""How many things of a kind are named before the others are only counted."""


def many(count: int, noun: str) -> str:
    """``1 share``, ``2 shares``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def some(names: Sequence[str]) -> str:
    """The first few of a list: ``a, b, c and 2 more``."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def listed(names: Sequence[str], noun: str) -> str:
    """What something is true of: ``a, b`` or, if there are many, ``40 pools (a, b, c …)``."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{many(len(names), noun)} ({', '.join(names[:_NAMED])} …)"


def instead(name: str, known: Iterable[str]) -> str:
    """What could be meant by a name that isn't there, the most alike first: ``there are: a, b``."""
    names = sorted(set(known))
    near = sorted(names, key=lambda one: -SequenceMatcher(None, name, one).ratio())[:_NAMED]
    more = f" and {len(names) - len(near)} more" if len(names) > len(near) else ""
    return f"there are: {', '.join(near)}{more}" if near else "there is none at all"
