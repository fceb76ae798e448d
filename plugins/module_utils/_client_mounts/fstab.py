# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fstab as text: its lines, and new sources in them.  Pure; imports ``locations``, ``mountinfo``, ``options``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    AFTER,
    BEFORE,
    Resolve,
    Share,
    match,
    replacement,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.mountinfo import (
    escape,
    unescape,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.options import (
    split_options,
)


@dataclass(frozen=True)
class Line:
    """A line of fstab that names a file system; ``number`` counts from 0."""

    number: int
    source: str
    target: str
    type: str
    options: str

    @property
    def is_bind(self) -> bool:
        """Whether it mounts a folder a second time."""
        return bool({"bind", "rbind"} & set(split_options(self.options)))


_FIELD = re.compile(r"[^ \t]+")


def parse_fstab(text: str) -> list[Line]:
    """Read the lines that name file systems."""
    lines = []
    for number, line in enumerate(text.split("\n")):
        fields = _FIELD.findall(line.rstrip("\r"))
        if len(fields) >= 3 and not fields[0].startswith("#"):
            options = fields[3] if len(fields) > 3 else "defaults"
            plain = [unescape(field) for field in fields[:3]]
            plain[1] = plain[1].rstrip("/") or "/"
            lines.append(Line(number, plain[0], plain[1], plain[2], unescape(options)))
    return lines


def with_sources(text: str, sources: Mapping[int, str]) -> str:
    """Give lines other sources; every other character of the text stays."""
    lines = text.split("\n")
    for number, source in sources.items():
        first = _FIELD.search(lines[number])
        if first:
            line = lines[number]
            lines[number] = line[: first.start()] + escape(source) + line[first.end() :]
    return "\n".join(lines)


def moved_lines(
    lines: Iterable[Line], shares: Sequence[Share], side: str, resolve: Resolve
) -> dict[int, str]:
    """Return the new sources of the lines that name exports of the other side, by number of line."""
    other = BEFORE if side == AFTER else AFTER
    sources = {}
    for line in lines:
        old = match(line.source, line.options, shares, other, resolve)
        if old is None or not old.certain:
            continue
        now = match(line.source, line.options, [old.share], side, resolve)
        new = replacement(line.source, old, side)
        if new is not None and not (now and now.certain):
            sources[line.number] = new
    return sources
