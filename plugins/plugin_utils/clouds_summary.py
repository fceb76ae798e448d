# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be said of runs in several clouds, each with a report of its own.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

VERSION = 1
"""Of the form of a summary."""


def clouds_summary(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One summary of all clouds, the same for people in ``text``, one ``error`` that names each.

    A record has the ``name`` of the cloud in the inventory, ``cloud``, ``source``, ``phase``, the
    ``summary`` of its run and its ``report``, empty if it did not get so far, and its ``error``.
    """
    clouds = {record["name"]: dict(record) for record in records}
    counts: dict[str, int] = {}
    for record in clouds.values():
        for name, number in record["summary"].items():
            counts[name] = counts.get(name, 0) + number
    return {
        "version": VERSION,
        "clouds": clouds,
        "summary": counts,
        "text": [*map(readable, map(_line, clouds.values())), f"all: {_counted(counts)}"],
        "error": " ".join(
            readable(f"{name}: {one['error']}") for name, one in clouds.items() if one["error"]
        ),
    }


def _line(record: Mapping[str, Any]) -> str:
    """What became of one cloud."""
    what = f"{record['name']}: {record['phase']} of {record['source']} in {record['cloud']}"
    report = f"; report: {record['report']}" if record["report"] else ""
    failed = ", failed" if record["error"] else ""
    return f"{what}{failed}: {_counted(record['summary'])}{report}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items()) or "nothing was done"
