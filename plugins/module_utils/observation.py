# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of the API, read as the table of states wants them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from ansible_collections.manila.migration.plugins.module_utils.records import (
    Instance,
    Share,
    ShareServer,
)
from ansible_collections.manila.migration.plugins.module_utils.states import (
    MOVING,
    SHARE_SERVER,
    Observation,
    Place,
)

DESTINATION = "server_migrating_to"
"""The status of the share server that a migration makes, until its end."""


def epoch(text: str | None) -> float | None:
    """Seconds since the epoch of a time that Manila printed (UTC, without a zone)."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def observe_share(share: Share, instances: Sequence[Instance] | None) -> Observation:
    """A share and its instances; None where these were not asked for."""
    places = changed = started = None
    if instances is not None:
        places = tuple(Place(one.host, one.status) for one in instances)
        changed = _latest(one.updated_at or one.created_at for one in instances)
        if len(instances) > 1:
            started = _latest(one.created_at for one in instances)
    return Observation(
        id=share.id,
        name=share.name,
        size_gb=share.size_gb,
        status=share.status,
        host=share.host,
        task_state=share.task_state,
        instances=places,
        share_type_id=share.share_type_id,
        share_network_id=share.share_network_id,
        access_rules_status=share.access_rules_status,
        changed_at=changed,
        started_at=started,
    )


def observe_servers(planned: Iterable[str], servers: Iterable[ShareServer]) -> list[Observation]:
    """The share servers of a plan that exist, and all whose migration is not over."""
    by_id: dict[str, ShareServer] = {}
    made: dict[str, list[ShareServer]] = {}
    for server in servers:
        by_id[server.id] = server
        if server.source_id:
            made.setdefault(server.source_id, []).append(server)
    moving = {one.id for one in by_id.values() if one.status == MOVING[SHARE_SERVER]}
    # The source is done with, or gone, a moment before the destination is in use.
    moving |= {
        source
        for source, copies in made.items()
        if any(one.status == DESTINATION for one in copies)
    }
    wanted = sorted({*planned, *moving})
    found = (_observe_server(one, by_id.get(one), made.get(one, [])) for one in wanted)
    return [one for one in found if one]


def observe_server(server_id: str, servers: Iterable[ShareServer]) -> Observation | None:
    """A share server, found in the list of all of them; None where it doesn't exist any more."""
    listed = list(servers)
    source = next((one for one in listed if one.id == server_id), None)
    return _observe_server(server_id, source, [one for one in listed if one.source_id == server_id])


def _observe_server(
    server_id: str, source: ShareServer | None, made: Sequence[ShareServer]
) -> Observation | None:
    """One share server, from its own record and from those that its migrations made.

    A migration makes another server, and removes the first one at its end (share/manager.py,
    _server_migration_complete_driver).  From then on the new one speaks for the old one.  What
    is left of migrations that failed or were cancelled (``error``, ``inactive``) counts for
    nothing: Manila starts the next one beside it.
    """
    copies = [one for one in made if one.status == DESTINATION]
    arrived = [
        one for one in made if one.status == "active" and one.task_state == "migration_success"
    ]
    if arrived and (source is None or source.task_state == "migration_success"):
        new = arrived[-1]
        left = () if source is None else (Place(source.host, source.status),)
        return _observation(server_id, new, (Place(new.host, "active"), *left), new.id)
    # What is in use has no successor, whatever a broken migration has left beside it.
    in_use = source is not None and source.status == "active"
    successor = copies[0].id if len(copies) == 1 and not in_use else None
    places = tuple(Place(one.host, one.status) for one in copies)
    if source is not None:
        places = (Place(source.host, source.status), *places)
        started = _latest(one.created_at for one in copies)
        return _observation(server_id, source, places, successor, started)
    # Its removal may be written a moment before its successor's new status.
    return _observation(server_id, copies[0], places, successor) if copies else None


def _observation(
    server_id: str,
    server: ShareServer,
    places: tuple[Place, ...],
    successor: str | None,
    started_at: float | None = None,
) -> Observation:
    return Observation(
        id=server_id,
        kind=SHARE_SERVER,
        status=server.status,
        host=server.host,
        task_state=server.task_state,
        instances=places,
        share_network_id=server.share_network_id,
        changed_at=epoch(server.updated_at or server.created_at),
        started_at=started_at,
        successor=successor,
    )


def _latest(moments: Iterable[str | None]) -> float | None:
    return max((moment for moment in map(epoch, moments) if moment is not None), default=None)
