# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report: JSON, the page, the table of exports, what client_mounts takes.  Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable
from ansible_collections.manila.migration.plugins.module_utils._report.html.page import page

VERSION = 1
"""Of the form of a report, see docs/schemas/report.json."""

JSON, HTML, CSV, MOUNTS = "report.json", "report.html", "exports.csv", "client_mounts.json"

COLUMNS = ("kind", "id", "name", "project_id", "phase", "old", "new")

_LISTS = ("migrations", "unplaced", "remaining", "differences", "warnings", "excluded")


def complete(result: Mapping[str, Any], plan: Mapping[str, Any], written_at: str) -> dict[str, Any]:
    """Return a report: the result of a run, and what only the plan says of its migrations.

    Raises ValueError with a sentence where one of them is not of its form.
    """
    for where, given in (("result", result), ("plan", plan)):
        for key in _LISTS:
            entries = given.get(key) or []
            if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
                raise ValueError(f"{where}: '{key}' must be a list of dictionaries.")
        for one in given.get("migrations") or []:
            if "id" not in one:
                raise ValueError(f"{where}: every entry of 'migrations' needs an 'id'.")
    planned = {one["id"]: one for one in plan.get("migrations") or []}
    return {
        "version": VERSION,
        "written_at": written_at,
        "warnings": plan.get("warnings") or [],
        "excluded": plan.get("excluded") or [],
        **result,
        **({"rate": _rate(result["rate"])} if "rate" in result else {}),
        "migrations": [
            _with_plan(one, planned.get(one["id"], {})) for one in result.get("migrations") or []
        ],
    }


_WHOSE = {"phase": "phase", "source": "source", "cloud": "cloud", "workflow_job": "workflow job"}
"""What tells the results of runs apart, in words."""


def refuse_other_result(
    result: Mapping[str, Any], plan: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
    """Refuse the result, or the plan, of another run than the one that is reported on.

    AWX has been seen to hand the result of an earlier job to a later one.

    Args:
        result: What the role evacuate has set as ``evacuate_result``.
        plan: What it has set as ``evacuate_plan``, or an empty one.
        expected: ``phase``, ``source``, ``cloud`` and ``workflow_job``, each where it is known.
            A result that does not say its cloud or its workflow's job is of an older version, and
            these are not compared.

    Raises:
        ValueError: One sentence that says whose result or plan it is.
    """
    if not result:
        raise ValueError("result: it is empty, so there is nothing to report.")
    differences = [
        f"{words} {str(expected[name])!r}"
        for name, words in _WHOSE.items()
        if expected.get(name)
        and (name in result or name in ("phase", "source"))
        and str(result.get(name) or "") != str(expected[name])
    ]
    if differences:
        raise ValueError(
            f"result: it is of another run ({_whose(result)}), the report is for "
            f"{', '.join(differences)}: give the result of that run."
        )
    both = [name for name in _WHOSE if name != "phase" and plan.get(name) and result.get(name)]
    if any(str(plan[name]) != str(result[name]) for name in both):
        raise ValueError(
            f"plan: it is of another run ({_whose(plan)}) than the result ({_whose(result)}): give "
            "the one that was carried out, or none."
        )


def _whose(given: Mapping[str, Any]) -> str:
    """Of which run a result or a plan says that it is."""
    said = [f"{words} {str(given[name])!r}" for name, words in _WHOSE.items() if given.get(name)]
    return ", ".join(said) or "it does not say of which"


def exports_for_people(table: str) -> str:
    """Return the table of exports with its cells readable, a row a line, as a difference is shown."""
    text = io.StringIO()
    shown = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in csv.reader(io.StringIO(table, newline="")):
        shown.writerow(map(readable, row))
    return text.getvalue()


def _rate(given: Any) -> float | None:
    """MiB in a second.  ansible-core 2.18 makes a text of a number that a template returns alone."""
    if given in (None, ""):
        return None
    try:
        return float(given)
    except (TypeError, ValueError):
        raise ValueError(
            f"result: 'rate' must be a number of MiB a second, not {given!r}."
        ) from None


def _with_plan(record: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with what the plan adds: project, share type, options, the shares of a server.

    Each has its exports, if only none: those who move clients look for them everywhere.
    """
    none: dict[str, list[str]] = {"export_locations_before": [], "export_locations_after": []}
    shares = {one["id"]: {**none, **one} for one in planned.get("shares") or []}
    for one in record.get("shares") or []:
        shares[one["id"]] = {**none, **shares.get(one["id"], {}), **one}
    return {**none, **planned, **record, "shares": list(shares.values())}


def as_files(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of every file by its name."""
    moved = [one for one in client_mounts(report.get("migrations") or []) if one["after"]]
    return {
        JSON: json.dumps(report, indent=4, sort_keys=True) + "\n",
        HTML: page(report),
        CSV: exports_csv(report),
        MOUNTS: json.dumps({"client_mounts_exports": moved}, indent=2) + "\n",
    }


def mounted(records: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return what clients mount, each a share: those of share servers come in place of the servers."""
    for one in records:
        served = one.get("shares") or []
        for share in served if one.get("kind") == SHARE_SERVER else [one]:
            yield {
                "kind": share.get("kind") or SHARE,
                "id": share["id"],
                "name": share.get("name") or "",
                "project_id": one.get("project_id"),
                "phase": "failed" if one.get("error") else one.get("phase"),
                "before": share.get("export_locations_before") or [],
                "after": share.get("export_locations_after") or [],
            }


def client_mounts(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what clients have mounted and where it is afterwards, as the role client_mounts takes it."""
    return [
        {name: one[name] for name in ("id", "name", "before", "after")}
        for one in mounted(records)
        if one["before"]
    ]


def exports_csv(report: Mapping[str, Any]) -> str:
    """Old and new exports as a table for tools and spreadsheets, a line a share."""
    text = io.StringIO()
    table = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    table.writerow(COLUMNS)
    for one in mounted(report.get("migrations") or []):
        cells = {**one, "old": " | ".join(one["before"]), "new": " | ".join(one["after"])}
        table.writerow([_harmless(cells[name]) for name in COLUMNS])
    return text.getvalue()


def _harmless(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe goes before one."""
    text = "" if value is None else str(value)
    begin = text.lstrip()[:1] or None
    return f"'{text}" if begin in _FORMULA or text[:1] in _SPACES else text


_SPACES = ("\t", "\r", "\n")

_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
"""How a formula may begin, the wide forms of Chinese and Japanese keyboards included."""
