# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which running migrations forbid the restart of which service of Manila.

A table and the one function that reads it; no I/O.  The states are those of ``states``.  What a
restart does in each of them was read from release 23.0.1 (``manila/data/manager.py``,
``manila/share/manager.py``) and tried with real processes: docs/manila.md, "Services and restarts".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Service,
    Share,
    ShareServer,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable
from ansible_collections.manila.migration.plugins.module_utils._states.tables import BACKUP

DATA = "manila-data"
SHARE_MANAGER = "manila-share"
SCHEDULER = "manila-scheduler"

CODES: dict[str, str] = {
    "copying": "The Data Service copies, or is about to. SIGTERM ends a copy within seconds, like a "
    "kill, and any manila-data that starts declares all copies of the cloud failed.",
    "copied": "A copy of the Data Service waits for its cutover. Cut it over, or cancel it.",
    "copy_error": "A copy of the Data Service is said to have failed. It may still run, or be being "
    "cleaned up; if nothing moves, it needs a repair.",
    "backup": "The Data Service writes or restores a backup of the share.",
    "starting": "A migration is being started. Nothing takes that up after a restart.",
    "completing": "A migration is being cut over. Nothing takes that up after a restart.",
    "cancelling": "A migration is being cancelled. Nothing takes that up after a restart.",
    "replica": "A replica is being made, promoted or removed. Nothing takes that up after a restart.",
}
"""Every code that a blocker of a restart may have, with its meaning."""

# By binary, which task states forbid its restart, and why.  Not in it, for manila-share: the copies
# themselves.  A driver's is resumed by a periodic task (share/manager.py,
# migration_driver_continue), one of the Data Service doesn't need manila-share until it ends, and
# waits then.  Nor migration_driver_phase1_done, in which Manila's guide forbids it: docs/manila.md,
# "Where the guides differ from Manila".
# A driver's cancel of a share can't be in it, which is not resumed either: Manila
# shows the state from before all the while (share/manager.py, migration_cancel()).
FORBIDDEN: dict[str, dict[str, str]] = {
    DATA: {
        # The request to copy is sent in this state; it may be anywhere between the two services.
        "migration_in_progress": "copying",
        "data_copying_starting": "copying",
        "data_copying_in_progress": "copying",
        "data_copying_completing": "copying",
        "data_copying_completed": "copied",
        "data_copying_cancelled": "cancelling",
        # data/manager.py, init_host: another manila-data that starts writes it over running copies.
        "data_copying_error": "copy_error",
    },
    SHARE_MANAGER: {
        "migration_starting": "starting",
        "migration_in_progress": "starting",
        "migration_driver_starting": "starting",
        "migration_completing": "completing",
        "migration_cancel_in_progress": "cancelling",
        # The source's manila-share cleans up: share/manager.py, _migration_complete_host_assisted.
        "data_copying_cancelled": "cancelling",
        "data_copying_error": "copy_error",
        # Of the replica that is at the back end: share/manager.py, *_share_replica().
        "replica_creating": "replica",
        "replica_promoting": "replica",
        "replica_removing": "replica",
    },
    SCHEDULER: {
        # It is being asked for the place; at SIGTERM the request is lost.
        "migration_starting": "starting",
        "replica_scheduling": "replica",
    },
}

_REPLICA_STEPS = {
    "creating": "replica_creating",
    "replication_change": "replica_promoting",
    "deleting": "replica_removing",
}
"""What the manila-share of a replica is at, by the replica's status."""

BINARIES = tuple(FORBIDDEN)

# What may be seen while, or right after, Manila works on a share that it shows as available.
_WHILE_AVAILABLE = frozenset({"migration_completing", "migration_cancel_in_progress"})


@dataclass(frozen=True)
class Work:
    """A share or share server that something is, or may be, done to.

    ``hosts`` are the back ends that have a copy of it (``host@backend``), the source first.
    """

    label: str
    status: str
    task_state: str
    hosts: tuple[str, ...]
    copies: int = 1


def works(
    shares: Iterable[Share], instances: Iterable[Instance], servers: Iterable[ShareServer]
) -> list[Work]:
    """Everything in the cloud that has a task state that could forbid something."""
    relevant = {state for states in FORBIDDEN.values() for state in states}
    instances = list(instances)
    places: dict[str, list[str]] = {}
    for instance in instances:
        places.setdefault(instance.share_id, []).append(instance.host)
    copies_made = {instance.id for instance in instances}
    found = []
    for share in shares:
        mark = CopyMark.of(share.metadata)
        shown = [share.task_state] if share.task_state in relevant else []
        if share.status == "migrating" and mark and mark.cancelled_at:
            # Of a share nothing else shows a cancel: share/manager.py, migration_cancel.
            shown += ["migration_cancel_in_progress"] if mark.copy in copies_made else []
        hosts = [share.host, *places.get(share.id, [])]
        found += [
            Work(
                f"share {readable(share.name or share.id)}"
                + (f" ({share.id})" if share.name else ""),
                share.status,
                state or "",
                _backends(hosts),
                len(places.get(share.id, [])) or 1,
            )
            for state in dict.fromkeys(shown)
        ]
    for instance in instances:
        step = _REPLICA_STEPS.get(instance.status)
        if instance.replica_state is not None and step:
            step = step if instance.host else "replica_scheduling"
            whose = f"replica {instance.id} of share {instance.share_id}"
            found.append(Work(whose, instance.status, step, _backends([instance.host])))
    servers = list(servers)
    for server in servers:
        if server.status != "server_migrating":
            continue
        # The shares on it have no task state of their own; source and destination may differ.
        copies = [server, *(one for one in servers if _destination(one, server))]
        states = (one.task_state for one in copies if one.task_state in relevant)
        found += [
            Work(
                f"share server {server.id}",
                server.status,
                state or "",
                _backends(one.host for one in copies),
            )
            for state in dict.fromkeys(states)
        ]
    return found


def blockers(
    binary: str, host: str | None, running: Iterable[Work], services: Collection[Service]
) -> list[Reason]:
    """Why ``binary`` must not be restarted, nor another manila-data started; empty if it may.

    ``host`` is ``host@backend``, or ``host`` for all back ends of a node: a node's manila-share is
    one unit whatever the number of its back ends.  Only manila-share asks for it.

    A service that gives no sign of life breaks nothing by being started, and what waits for it is
    carried out then: no copy runs where no manila-data is alive.
    """
    alive = [
        one
        for one in services
        if one.binary == binary and one.alive and (binary != SHARE_MANAGER or serves(one, host))
    ]
    if not alive:
        return []
    backends = {one.host for one in alive}
    found = []
    for work in running:
        code = FORBIDDEN[binary].get(work.task_state)
        if code is None or _at_rest(work):
            continue
        if binary == SHARE_MANAGER and not backends.intersection(work.hosts):
            continue
        if work.status in BACKUP:
            code = "backup"
        found.append(Reason(code, f"{work.label}: {_explain(code, work)}"))
    return found


def serves(service: Service, host: str | None) -> bool:
    """Whether a manila-share is that of ``host``, a node or a back end."""
    return host is None or host in (service.host, service.host.split("@", 1)[0])


def as_dicts(services: Iterable[Service]) -> list[Mapping[str, object]]:
    """Services in the form in which the module returns them."""
    return [
        {"host": one.host, "status": one.status, "state": one.state, "alive": one.alive}
        for one in services
    ]


def _backends(hosts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(backend_of(host) for host in hosts if host))


def _destination(server: ShareServer, source: ShareServer) -> bool:
    return server.source_id == source.id and server.status == "server_migrating_to"


def _at_rest(work: Work) -> bool:
    """Whether a task state is only what an earlier migration or backup left: it is never cleared.

    An available share with one instance rests, whatever it says, but at the end of a cutover:
    there it is shown as available at its destination while the source is still being deleted.
    """
    return (
        work.status == "available" and work.copies == 1 and work.task_state not in _WHILE_AVAILABLE
    )


def _explain(code: str, work: Work) -> str:
    places = " to ".join(work.hosts) or "no pool yet"
    meaning = CODES[code].split(". ")[0].rstrip(".")
    return f"{work.task_state}, {places}: {meaning[0].lower()}{meaning[1:]}"
