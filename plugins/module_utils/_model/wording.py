# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and lists in sentences, and text from outside where people read it.  Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

_NAMED = 3
"""How many things of a kind are named before the others are only counted."""

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""What shows nothing although Unicode counts it among letters, marks and symbols."""

_MARKS = 8
"""How many marks may be combined with one character: more, which no script has, cover other lines."""

_NAME_CELLS = 40
"""How wide a name may be in a table."""


def readable(text: object) -> str:
    r"""Show by its number, ``\u202e``, what cannot be seen in a text or changes what is around it.

    Names, metadata and messages come from tenants, operators and drivers.  Wherever people read
    them, on a terminal, in a job's log or on a page, they go through here; JSON and CSV keep them.

    Args:
        text: Any text, or a value that is written as one.

    Returns:
        The text in one line.  Numbers stand in it for control and format characters (line breaks,
        escape sequences, marks of direction, joiners), halves of surrogate pairs, separators other
        than the space, characters that Unicode has not assigned or left to private use, those that
        are drawn as nothing, marks that would be combined with what stands before the text, and
        those of a heap of marks on one character.
        Applied twice, it changes nothing more.
    """
    given = str(text)
    if given.isascii() and given.isprintable():
        return given
    shown: list[str] = []
    room = 0  # for marks on the character before
    for character in given:
        visible = character.isprintable() and not _INVISIBLE.match(character)
        if visible and unicodedata.category(character)[0] == "M":
            visible = room > 0
            room -= 1
        else:
            room = _MARKS if visible and character != " " else 0
        shown.append(character if visible else _number(character))
    return "".join(shown)


def _number(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def cells(text: str) -> int:
    """Count the columns of a terminal that a readable text takes: wide characters take two."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shortened(text: str, width: int = _NAME_CELLS) -> str:
    """Cut a readable text for a table: to ``width`` columns, of which the last is an ellipsis."""
    if cells(text) <= width:
        return text
    kept, taken = [], 0
    for character in text:
        taken += _cells(character)
        if taken >= width:
            break
        kept.append(character)
    return "".join(kept) + "…"


def padded(text: str, width: int) -> str:
    """Fill a readable text with spaces to ``width`` columns."""
    return text + " " * (width - cells(text))


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
