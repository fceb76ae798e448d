# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a plan, as they are printed and kept in files.  Sizes are GiB.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from ansible_collections.manila.migration.plugins.module_utils._feasibility.share import (
    warnings as share_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable
from ansible_collections.manila.migration.plugins.module_utils._planner.context import Context
from ansible_collections.manila.migration.plugins.module_utils._planner.motion import (
    has_moving_status,
    is_share_migrating,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import IDLE


class _ServerShareSubject(TypedDict):
    id: str
    name: str
    size_gb: int
    source: str


class ServerShareEntry(_ServerShareSubject, total=False):
    """A share that moves with its share server; ``destination`` is the pool expected for it."""

    destination: str | None


class _Subject(TypedDict):
    kind: str
    id: str
    name: str
    label: str
    size_gb: int | None
    migrating: bool


class Subject(_Subject, total=False):
    """What an entry is about; only share servers have ``shares``."""

    shares: list[ServerShareEntry]


class UnplacedEntry(Subject):
    """What can't move, and why."""

    reasons: list[dict[str, str]]


class SnapshotEntry(TypedDict):
    """A snapshot that is deleted before its share moves."""

    id: str
    name: str


class _MigrationEntry(Subject):
    project_id: str | None
    source: str
    destination: str
    phase: str
    options: dict[str, object]
    warnings: list[dict[str, str]]
    group: str
    group_missing: list[str]


class MigrationEntry(_MigrationEntry, total=False):
    """One migration; share servers have neither a share type nor snapshots of their own.

    ``group`` is the cutover group, empty for none, ``group_missing`` who of it can't move.
    """

    share_type: str | None
    delete_snapshots: list[SnapshotEntry]


class PoolEntry(TypedDict):
    """A source or possible destination, before and after."""

    name: str
    total_gb: float | str | None
    free_gb: float | str | None
    used_percent_before: float | None
    used_percent_after: float | None
    planned_gb_in: int
    planned_gb_out: int


class Summary(TypedDict):
    """How much a plan does; ``expected_seconds`` is None where no pace is given."""

    migrations: int
    running: int
    unplaced: int
    excluded: int
    size_gb: int
    shares: int
    expected_seconds: int | None


class Plan(TypedDict):
    """A plan."""

    version: int
    source: str
    destinations: list[str]
    objective: str
    availability_zone: str | None
    share_servers: str
    migrations: list[MigrationEntry]
    unplaced: list[UnplacedEntry]
    excluded: list[Subject]
    warnings: list[dict[str, str]]
    pools: list[PoolEntry]
    emptied: list[str]
    summary: Summary


def by_label(entry: Subject) -> tuple[str, str, str]:
    """Return the order in which people look for something; IDs make it the same in every run."""
    return entry["kind"], entry["label"], entry["id"]


def as_dicts(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    """Return reasons in the form of a plan."""
    return [reason.as_dict() for reason in reasons]


def unplaced_entry(subject: Subject, reasons: Iterable[Reason]) -> UnplacedEntry:
    """Describe what can't move, and why."""
    return {**subject, "reasons": as_dicts(reasons)}


def share_subject(share_id: str, share: Share | None, migrating: bool) -> Subject:
    """Describe a share; Manila may not list it."""
    return {
        "kind": SHARE,
        "id": share_id,
        "name": share.name if share else "",
        "label": readable((share.name if share else "") or share_id),
        "size_gb": share.size_gb if share else None,
        "migrating": migrating,
    }


def describe_share(
    context: Context, share_id: str, share: Share | None, here: Sequence[Instance] = ()
) -> Subject:
    """Describe a share; ``here`` are its instances at the source, where Manila lists no share."""
    if share is not None:
        return share_subject(share_id, share, is_share_migrating(context, share))
    return share_subject(share_id, None, any(map(has_moving_status, here)))


def share_entry(
    context: Context, share: Share, source: str, destination: str, options: Options, phase: str
) -> MigrationEntry:
    """Describe the migration of a share."""
    inventory = context.inventory
    snapshots = inventory.snapshots(share.id)
    to_delete = [
        snapshot
        for snapshot in snapshots
        if snapshot.id in context.snapshots_to_delete and phase == IDLE
    ]
    kept = [snapshot for snapshot in snapshots if snapshot not in to_delete]
    losses = inventory.lock_warnings(share.id) + share_warnings(share, kept, options)
    share_type = inventory.share_types.get(share.share_type_id or "")
    return {
        **share_subject(share.id, share, phase != IDLE),
        "project_id": share.project_id,
        "source": source,
        "destination": destination,
        "phase": phase,
        "share_type": share_type.name if share_type else share.share_type_name,
        "options": dict(vars(options)),
        "delete_snapshots": [{"id": snapshot.id, "name": snapshot.name} for snapshot in to_delete],
        "warnings": as_dicts(losses),
        "group": "",
        "group_missing": [],
    }


def shares_in(subject: Subject, shares: Mapping[str, Share]) -> list[Share]:
    """Return the shares that move with something, of all by their IDs."""
    ids = [share["id"] for share in subject["shares"]] if "shares" in subject else [subject["id"]]
    return [shares[share_id] for share_id in ids if share_id in shares]
