# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of the API, read as the table of states wants them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark, Mark
from ansible_collections.manila.migration.plugins.module_utils._model.moments import epoch
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
    ShareServer,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    IDLE,
    MARKED,
    MIGRATING,
    MOVED,
    MOVING,
    PROMOTED,
    SCHEDULING,
    SHARE_STATES,
    State,
)

ACTIVE = "active"
"""The state of the replica that a share is served from."""


SLACK = 5.0
"""Seconds by which the clocks of those who write a mark and a replica may differ."""


DESTINATION = "server_migrating_to"
"""The status of the share server that a migration makes, until its end."""


def observe_share(share: Share, instances: Sequence[Instance] | None) -> Observation:
    """A share and its instances; None where these were not asked for."""
    places = changed = started = None
    if instances is not None:
        places = tuple(Place(one.host, one.status, one.id) for one in instances)
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
        copy_mark=CopyMark.of(share.metadata),
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


def observe_replica(
    share: Share, instances: Sequence[Instance], source: str | None = None, to: str | None = None
) -> Observation:
    """The replica of a share that is moved, or is to be moved from ``source`` to ``to``.

    A share may have replicas for reasons of its own.  Which one a migration has made, only the
    mark tells; where it stands, the statuses of that one and of the one at the source.
    """
    mark = Mark.of(share.metadata)
    at = {one.host for one in instances}
    made = [one for one in instances if mark and _made_for(mark, one)]
    if mark and made and mark.source in at:
        return _replicating(share, mark, instances, made)
    host, task_state = share.host, None
    if source in at:
        host = str(source)
    elif to in at:
        host = str(to)
    if mark:
        arrived = any(one.host == mark.destination for one in made)
        task_state = MOVED if arrived else MARKED
        if arrived and source in (None, mark.source):
            host = mark.destination
    here = [one for one in instances if one.host == host]
    return Observation(
        id=share.id,
        kind=SHARE_REPLICA,
        name=share.name,
        size_gb=share.size_gb,
        status=share.status,
        host=host,
        task_state=task_state,
        instances=tuple(Place(one.host, one.status, one.id) for one in here),
        share_type_id=share.share_type_id,
        share_network_id=here[0].share_network_id if here else share.share_network_id,
        changed_at=_latest(one.updated_at or one.created_at for one in here),
        leads=any(one.replica_state == ACTIVE for one in here),
        copy_mark=CopyMark.of(share.metadata),
        obstacle=_occupied(instances, to) or _obstacle(share, instances),
    )


def _made_for(mark: Mark, one: Instance) -> bool:
    """Whether a replica is the one that a migration has made.

    Its record is older than the choice of its pool: share/api.py, create_share_replica().
    """
    created, since = epoch(one.created_at), epoch(mark.since.rstrip("Z"))
    young = created is not None and since is not None and created >= since - SLACK
    return young and one.host in ("", mark.destination)


def _replicating(
    share: Share, mark: Mark, instances: Sequence[Instance], made: Sequence[Instance]
) -> Observation:
    old = next(one for one in instances if one.host == mark.source)
    new = made[0]
    # Whatever else stands in either pool makes it unclear which one is meant.
    pair = [one for one in instances if one in made or one.host in (mark.source, mark.destination)]
    step = _step(old, new)
    return Observation(
        id=share.id,
        kind=SHARE_REPLICA,
        name=share.name,
        size_gb=share.size_gb,
        status="error" if step == "replica_promotion_error" else MOVING[SHARE_REPLICA],
        host=mark.source,
        task_state=step,
        instances=tuple(
            Place(mark.source, MOVING[SHARE_REPLICA], one.id)
            if one.host == mark.source
            else Place(mark.destination, one.status, one.id)
            for one in pair
        ),
        share_type_id=share.share_type_id,
        share_network_id=old.share_network_id,
        changed_at=_latest(one.updated_at or one.created_at for one in (old, new)),
        started_at=epoch(new.created_at),
        leads=old.replica_state == ACTIVE,
        copy_mark=CopyMark.of(share.metadata),
        obstacle=_obstacle(share, [one for one in instances if one not in made]),
    )


def _step(old: Instance, new: Instance) -> str:
    """What a migration from one replica to another is at: a name of ``REPLICA_STATES``."""
    if new.status == "deleting":
        return "replica_cancelling"
    if "replication_change" in (old.status, new.status):
        return "replica_promoting"  # the old one too: somebody may take the promotion back
    if new.replica_state == ACTIVE and new.status == "available":
        return "replica_removing" if old.status == "deleting" else PROMOTED
    leads = old.replica_state == ACTIVE
    if new.replica_state == ACTIVE or (leads and old.status == "error"):
        return "replica_promotion_error"
    if old.status == "deleting":
        return "replica_removing"
    if old.status == "error_deleting" and new.replica_state == "in_sync":
        return PROMOTED  # of two that served nobody, the new one has its place
    if new.status == "available":
        states = {"in_sync": "replica_in_sync", "out_of_sync": "replica_out_of_sync"}
        return states.get(new.replica_state or "", "replica_sync_error")
    statuses = {
        "creating": "replica_creating" if new.host else SCHEDULING,
        "error": "replica_error",
        "error_deleting": "replica_error",
    }
    return statuses.get(new.status, "replica_unclear")


def _occupied(instances: Sequence[Instance], to: str | None) -> str | None:
    if to is None or all(one.host != to for one in instances):
        return None
    return f"it has a replica at {to} already, which this migration has not made"


def _obstacle(share: Share, instances: Sequence[Instance]) -> str | None:
    """Why neither a replica may be added to these nor another one be made the active one."""
    if SHARE_STATES.get(share.task_state or "", _IDLE).phase in MIGRATING:
        return f"it is busy: its task state is {share.task_state!r}"  # _check_is_share_busy()
    for one in instances:
        if one.replica_state is None:
            return f"its instance at {one.host} is no replica"
        if one.status != "available":
            where = f"at {one.host}" if one.host else "without a pool"
            return f"its replica {where} is in the status {one.status!r}"
        if one.replica_state == "error":
            return f"its replica at {one.host} is in the replica state 'error'"
    active = sum(one.replica_state == ACTIVE for one in instances)
    if active != 1:
        return f"{active} of its replicas are active, not one"
    if len({one.host for one in instances}) < len(instances):
        return "two of its replicas are in the same pool"
    if share.access_rules_status == "error":
        return "its access rules are in error, so a new replica would not get all of them"
    return None


_IDLE = State(IDLE)


def _latest(moments: Iterable[str | None]) -> float | None:
    return max((moment for moment in map(epoch, moments) if moment is not None), default=None)
