# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML that is escaped by construction: elements are made by a function, never by pasting text.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Union

from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable


class Markup(str):
    """Text that is HTML.  Only this module makes it; what is glued to it elsewhere is escaped again."""

    __slots__ = ()


Child = Union[str, int, float, None, Iterable["Child"]]

_VOID = frozenset({"br", "input", "meta"})

LINE_BREAK = Markup("\n")
"""Ends a line of what is copied from a page as text.  One in a text from outside is shown by its number."""


def tag(element: str, /, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """Return an element.  Text in it and its attributes is escaped; None is left out.

    ``class_`` is the attribute ``class``, ``aria_label`` is ``aria-label``; True is one without a value.
    """
    parts = [f"<{element}"]
    for key, value in attributes.items():
        if value is not None and value is not False:
            parts.append(f" {key.rstrip('_').replace('_', '-')}")
            if value is not True:
                parts.append(f'="{escape(readable(value))}"')
    parts.append(">")
    if element not in _VOID:
        parts += [_inside(child) for child in children]
        parts.append(f"</{element}>")
    return Markup("".join(parts))


def verbatim(name: str, text: str) -> Markup:
    """Return an element of a script or a style sheet of our own, which HTML takes as it is.

    Raises ValueError where the text has an end tag or begins a comment.
    """
    if "</" in text or "<!--" in text:
        raise ValueError(f"the text of <{name}> would end it")
    return Markup(f"<{name}>{text}</{name}>")


def document(*children: Child) -> str:
    """Return a whole page in English."""
    return f"<!DOCTYPE html>\n{tag('html', *children, lang='en')}\n"


def _inside(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, (str, int, float)):
        return escape(readable(child), quote=False)
    return "".join(map(_inside, child))
