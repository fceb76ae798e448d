# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in the format of oslo.config, read and merged with every other character kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.manila.migration.plugins.module_utils._data_service.options import REMOVED


@dataclass(frozen=True)
class Entry:
    """An assignment in a file: lines ``first`` to ``last`` (from 0), continuation lines included."""

    group: str
    name: str
    value: str
    first: int
    last: int


def entries(text: str) -> list[Entry]:
    """The assignments of a file, by the rules of ``oslo_config/iniparser.py``."""
    found: list[Entry] = []
    group = "DEFAULT"
    open_entry = False
    for number, line in enumerate(text.splitlines()):
        if not line.strip():
            open_entry = False
        elif line[0] in " \t":
            if open_entry:
                had = found[-1]
                value = f"{had.value}\n{line.strip()}"
                found[-1] = Entry(had.group, had.name, value, had.first, number)
        elif line.startswith("["):
            group, open_entry = line.strip()[1:].split("]", 1)[0], False
        elif line[0] not in "#;":
            match = re.match(r"([^=:]+)[=:](.*)", line)
            open_entry = match is not None
            if match:
                value = match[2].strip()
                if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                    value = value[1:-1]
                found.append(Entry(group, match[1].strip(), value, number, number))
        else:
            open_entry = False
    return found


def values(text: str) -> dict[str, dict[str, str]]:
    """What a file says, by group and option; of several assignments the last one counts."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries(text):
        found.setdefault(entry.group, {})[entry.name] = entry.value
    return found


def sections(text: str) -> list[str]:
    """The sections of a file in their order."""
    return list(dict.fromkeys(re.findall(r"^\[([^\]\n]+)\]", text, re.MULTILINE)))


def removed_options(text: str) -> list[str]:
    """A sentence for each option of a file that Manila doesn't know any more."""
    return [
        f"line {entry.first + 1}: {entry.name} in [{entry.group}] is ignored by Manila; use "
        f"{REMOVED[entry.name]} instead, and take this line out."
        for entry in entries(text)
        if entry.name in REMOVED
    ]


def merge(text: str, wanted: Mapping[str, Mapping[str, str]]) -> str:
    """The text of a file with options set; everything else in it, comments too, stays.

    An option that is there is set where it is.  A new one goes below its commented-out sample, or
    else to the end of its section, which is made if it is missing.
    """
    for group, options in wanted.items():
        for name, value in options.items():
            text = _set(text, group, name, value)
    return text


def _set(text: str, group: str, name: str, value: str) -> str:
    lines = text.splitlines()
    there = [one for one in entries(text) if (one.group, one.name) == (group, name)]
    if there and there[-1].value == value:
        return text
    line = f"{name} = {value}"
    if there:
        lines[there[-1].first : there[-1].last + 1] = [line]
        for one in reversed(there[:-1]):
            del lines[one.first : one.last + 1]
        return "\n".join(lines) + "\n"
    start = next((n for n, one in enumerate(lines) if one.startswith(f"[{group}]")), None)
    if start is None:
        lines += ["", f"[{group}]", line] if lines else [f"[{group}]", line]
        return "\n".join(lines) + "\n"
    end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith("[")), len(lines))
    sample = re.compile(rf"[#;]\s?{re.escape(name)}\s*=")
    place = next((n + 1 for n in range(start + 1, end) if sample.match(lines[n])), None)
    if place is None:
        place = _last(lines, start, end, lambda one: bool(one.strip()) and one[0] not in "#;")
        # Comments at the end belong to what follows; those that fill a section do not.
        if place == start + 1:
            place = _last(lines, start, end, lambda one: bool(one.strip()))
    lines.insert(place, line)
    return "\n".join(lines) + "\n"


def _last(lines: Sequence[str], start: int, end: int, says: Callable[[str], bool]) -> int:
    """The place behind the last line of a section that says something."""
    return next((n + 1 for n in range(end - 1, start, -1) if says(lines[n])), start + 1)
