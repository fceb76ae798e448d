# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as data: what one wants done, and what is left of it when it is read again later.

A plan is a dictionary of plain values, made by ``placement.make_plan()``, printed, kept in files
and handed from one module to another: whoever reads one can't be sure who wrote it.  Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    options_conflict,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    CAPABILITIES,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.places import (
    is_backend,
    is_pool,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

VERSION = 1
"""Of the form of a plan."""


OPTION_NAMES = tuple(one.name for one in fields(Options))


_PLACES: dict[str, tuple[Callable[[str], bool], str]] = {
    SHARE: (is_pool, "host@backend#pool"),
    SHARE_SERVER: (is_backend, "host@backend"),
    SHARE_REPLICA: (is_pool, "host@backend#pool"),
}
"""What the places of a migration must look like."""


_OPTIONS: dict[str, tuple[str, ...]] = {
    SHARE: OPTION_NAMES,
    SHARE_SERVER: (*CAPABILITIES, "new_share_network_id"),
    SHARE_REPLICA: ("new_share_network_id",),
}
"""What can be asked for."""


def to_migrations(plan: Mapping[str, Any]) -> list[Migration]:
    """What a plan wants to be done, in its order.

    The plan may have been in anybody's hands: raises ValueError, with one sentence that says what
    is wrong where.
    """
    if not isinstance(plan, Mapping):
        raise ValueError("The plan is no dictionary: give what evacuation_plan returns as plan.")
    if plan.get("version") != VERSION:
        raise ValueError(
            f"The plan has the version {plan.get('version')!r}, not {VERSION}: make a new one."
        )
    entries = plan.get("migrations")
    if isinstance(entries, (str, Mapping)) or not isinstance(entries, Sequence):
        raise ValueError("The plan has no list of migrations.")
    migrations: list[Migration] = []
    known: set[str] = set()
    for number, entry in enumerate(entries, 1):
        migration = _to_migration(f"Migration {number} of the plan", entry)
        if migration.id in known:
            raise ValueError(
                f"Migration {number} of the plan repeats the "
                f"{migration.kind.replace('_', ' ')} {migration.id}."
            )
        known.add(migration.id)
        migrations.append(migration)
    return migrations


def _to_migration(which: str, entry: object) -> Migration:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{which} is no dictionary.")
    if not isinstance(entry.get("id"), str) or not entry["id"]:
        raise ValueError(f"{which} has no id.")
    which = f"{which} ({entry['id']})"
    kind = entry.get("kind", SHARE)
    if not isinstance(kind, str) or kind not in _PLACES:  # it may be anything, a list too
        raise ValueError(f"{which} is of the kind {kind!r}, which is not known.")
    is_place, form = _PLACES[kind]
    for name in ("source", "destination"):
        place = entry.get(name)
        if not isinstance(place, str) or not is_place(place):
            raise ValueError(f"{which} has the {name} {place!r}, which is not {form}.")
    if entry["source"] == entry["destination"]:
        raise ValueError(f"{which} has its source as destination, {entry['source']}.")
    _check_size(which, entry)
    if kind == SHARE_SERVER:
        _check_shares(which, entry.get("shares", []))
    snapshots_to_delete = entry.get("delete_snapshots", [])
    if not isinstance(snapshots_to_delete, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("id"), str) for one in snapshots_to_delete
    ):
        raise ValueError(f"{which} has delete_snapshots that are no list of snapshots with an id.")
    missing = entry.get("group_missing", [])
    # AWX hands plans on as extra variables, of which ansible-core makes null of empty texts.
    group = entry.get("group") or ""
    if not isinstance(group, str) or not isinstance(missing, list):
        raise ValueError(f"{which} has a group that is no name, or group_missing that is no list.")
    if snapshots_to_delete and kind != SHARE:
        raise ValueError(f"{which} has delete_snapshots, which only a share can have.")
    return Migration(
        id=entry["id"],
        source=entry["source"],
        destination=entry["destination"],
        name=str(entry.get("name") or ""),
        size_gb=entry.get("size_gb", 0),
        kind=kind,
        options=_to_options(which, kind, entry.get("options") or {}),
        delete_snapshots=tuple(one["id"] for one in snapshots_to_delete),
        group=group,
        group_missing=tuple(map(str, missing)),
    )


def _check_size(which: str, entry: Mapping[str, Any]) -> None:
    size = entry.get("size_gb", 0)
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ValueError(f"{which} has the size_gb {size!r}, which is no number of GiB.")


def _check_shares(which: str, shares: object) -> None:
    """The shares of a share server tell where each is expected; they may be missing."""
    if isinstance(shares, (str, Mapping)) or not isinstance(shares, Sequence):
        raise ValueError(f"{which} has shares that are no list.")
    for one in shares:
        if not isinstance(one, Mapping) or not isinstance(one.get("id"), str):
            raise ValueError(f"{which} has a share without an id.")
        its = f"{which}, share {one['id']},"
        _check_size(its, one)
        for name, optional in (("source", False), ("destination", True)):
            place = one.get(name)
            missing = place is None and optional
            if not missing and not (isinstance(place, str) and is_pool(place)):
                raise ValueError(
                    f"{its} has the {name} {place!r}, which is not {_PLACES[SHARE][1]}."
                )


def _to_options(which: str, kind: str, given: object) -> Options:
    if not isinstance(given, Mapping):
        raise ValueError(f"{which} has options that are no dictionary.")
    unknown = sorted(str(name) for name in set(given) - set(OPTION_NAMES))
    if unknown:
        raise ValueError(f"{which} has the unknown option {unknown[0]}.")
    for name, value in given.items():
        is_id = name.startswith("new_")
        if not (value is None or isinstance(value, str) if is_id else isinstance(value, bool)):
            wanted = "an ID" if is_id else "true or false"
            raise ValueError(f"{which} has the option {name} = {value!r}, which is not {wanted}.")
    options = Options(**given)
    conflict = options_conflict(options)
    if conflict:
        raise ValueError(f"{which} can't be: {conflict.message}.")
    for name in OPTION_NAMES:
        if getattr(options, name) and name not in _OPTIONS[kind]:
            kinds = f"{kind.replace('_', ' ')}s"
            raise ValueError(f"{which} has the option {name}, which {kinds} don't have.")
    return options


_MANNERS = ("objective", "share_servers", "availability_zone", "cloud", "workflow_job")
"""What a plan may say, beside its source, of what it was made for."""


def refuse_other_plan(agreed: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a plan that was made for something else.

    Args:
        agreed: The plan; what it does not say of itself is not compared, its source excepted.
        wanted: What it has to be for: ``source``, and ``objective``, ``share_servers``,
            ``availability_zone``, ``cloud`` and ``workflow_job`` (the ID of a workflow's job in
            AWX) as far as these are known.

    Raises:
        ValueError: One sentence that says what it was made for.
    """
    if (agreed.get("source") or "") != wanted["source"]:
        raise ValueError(
            f"It is a plan for {agreed.get('source')!r}, not for {wanted['source']!r}: give the one "
            "that was made for it, or none."
        )
    for name in _MANNERS:
        if name not in wanted or name not in agreed:
            continue
        given, expected = str(agreed[name] or ""), str(wanted[name] or "")
        if given != expected:
            raise ValueError(f"It is a plan with {name} {given!r}, not {expected!r}.")


def explain_refusal(
    plan: Any, wanted: Mapping[str, Any], required: bool = False, name: str = "evacuate_plan"
) -> str:
    """Say why a plan that was handed on cannot be carried out, before any cloud is asked.

    Args:
        plan: What was handed on, from anybody's hands; a text is read as JSON.
        wanted: As ``refuse_other_plan`` takes it.
        required: Whether there has to be one.
        name: The variable that the plan came from, for the sentence.

    Returns:
        One sentence, empty if nothing is wrong.
    """
    try:
        if isinstance(plan, str) and plan.strip():
            plan = json.loads(plan)
        if not plan or (isinstance(plan, str) and not plan.strip()):
            return _NO_PLAN if required else ""
        to_migrations(plan)
        refuse_other_plan(plan, wanted)
    except (json.JSONDecodeError, RecursionError):
        return f"{name}: The plan is no dictionary: give what evacuation_plan returns as plan."
    except ValueError as error:
        return readable(f"{name}: {error}")
    return ""


_NO_PLAN = (
    "evacuate_plan is empty, and evacuate_plan_required is true: the plan that was approved has not "
    "reached this job, so nothing is started. Run the workflow again from its phase plan, or give "
    "the approved plan as evacuate_plan."
)
