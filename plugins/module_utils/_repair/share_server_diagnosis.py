# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the migration of a share server.  Pure.

``diagnose_server()`` looks at everything that is concerned, and returns a diagnosis.

Sources: share/manager.py and share/api.py of Manila 23.0.1, and what real kills of its services
left behind: docs/manila.md, "Failures of share servers", "What was seen with kills".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.moments import epoch
from ansible_collections.manila.migration.plugins.module_utils._model.places import covers
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Service,
    Share,
    ShareServer,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.diagnosis import (
    CANCEL,
    DELETE,
    RESET_STATUS,
    RESET_TASK_STATE,
    SHARE_INSTANCE,
    SNAPSHOT,
    Diagnosis,
    Step,
    diagnose_resting_copy,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    DESTINATION,
    observe_server,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLING,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    IDLE,
    LONGEST_CANCEL_SECONDS,
    MIGRATING,
    SERVER_STATES,
    STUCK,
    State,
)


@dataclass(frozen=True)
class ServerScene:
    """Everything that a share server's migration is concerned with, as it is now.

    ``server_id`` is that of the source, which may be gone.  ``servers`` are all of the cloud.
    ``shares``, ``instances`` and ``snapshots`` are those of the source and of its destinations;
    ``unapplied`` are access rules that are not in force, with their states, by share ID;
    ``services`` (manila-share) are by ``host@backend``.
    """

    server_id: str
    servers: Sequence[ShareServer]
    shares: Sequence[Share] = ()
    instances: Sequence[Instance] = ()
    snapshots: Sequence[Snapshot] = ()
    unapplied: Mapping[str, Collection[tuple[str, str]]] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)

    @property
    def source(self) -> ShareServer | None:
        """The server itself, None if it is gone."""
        return next((one for one in self.servers if one.id == self.server_id), None)

    @property
    def destinations(self) -> list[ShareServer]:
        """The servers that its migrations made, by ID."""
        made = [one for one in self.servers if one.source_id == self.server_id]
        return sorted(made, key=lambda one: one.id)

    def resources(self) -> list[dict[str, Any]]:
        """All of it, for somebody who has to decide."""
        source = self.source
        found: list[dict[str, Any]] = []
        for server in [source, *self.destinations] if source else self.destinations:
            role = "source" if server is source else "destination"
            found.append(
                {
                    "kind": SHARE_SERVER,
                    "id": server.id,
                    "name": "",
                    "role": role,
                    "host": server.host,
                    "status": server.status,
                    "task_state": server.task_state,
                }
            )
        names = {one.id: one.name for one in self.shares}
        for instance in self.instances:
            found.append(
                {
                    "kind": SHARE_INSTANCE,
                    "id": instance.id,
                    "name": names.get(instance.share_id, ""),
                    "share_id": instance.share_id,
                    "share_server_id": instance.share_server_id,
                    "host": instance.host,
                    "status": instance.status,
                    "read_only": instance.read_only,
                }
            )
        for snapshot in self.snapshots:
            found.append(
                {
                    "kind": SNAPSHOT,
                    "id": snapshot.id,
                    "name": snapshot.name,
                    "share_id": snapshot.share_id,
                    "status": snapshot.status,
                }
            )
        return found


def diagnose_server(
    scene: ServerScene,
    now: float,
    patience: float,
    driver_timeout: float = LONGEST_CANCEL_SECONDS[SHARE_SERVER],
) -> Diagnosis:
    """What is wrong with a share server's migration.

    ``patience`` is for how many seconds a state that should pass by itself must have lasted before
    it is called a halt, ``driver_timeout`` after how many at most a driver itself gives up a cancel or
    a cutover; ``now`` is in seconds since the epoch.
    """
    found = _diagnose_server(scene, now, patience, driver_timeout)
    if found.safe and not found.steps and found.code not in _BUSY:
        found = _rules_not_restored(scene) or found
    return replace(found, resources=scene.resources())


def suspect_servers(servers: Sequence[ShareServer], host: str) -> list[ShareServer]:
    """The share servers at ``host`` that may need a repair: sources, of migrations or leftovers."""
    by_id = {one.id: one for one in servers}
    found = {}
    for one in servers:
        source = by_id.get(one.source_id or "")
        left = source is not None and one.status in ("error", "inactive", DESTINATION)
        if left and source and covers(source.host, host):
            found[source.id] = source
        busy = SERVER_STATES.get(one.task_state or "", State(IDLE)).phase in MIGRATING
        suspicious = one.status in ("server_migrating", "error") or busy
        if one.source_id is None and suspicious and covers(one.host, host):
            found[one.id] = one
    return list(found.values())


_BUSY = frozenset({"running", "copied", "cancelling", "service_down"})


def _rules_not_restored(scene: ServerScene) -> Diagnosis | None:
    """Manila makes rules read-only where a driver needs that, and fails to apply them again.

    share/manager.py, _reset_read_only_access_rules_for_server(): seen after a cancel, a failed copy
    and a cutover that succeeded, with rules that stay 'queued_to_apply'.
    """
    names = sorted(one.name or one.id for one in scene.shares if scene.unapplied.get(one.id))
    if not names:
        return None
    return Diagnosis(
        "rules_not_restored",
        f"The access rules of {', '.join(names)} are not in force as they are listed: clients may "
        "still only be able to read. Allow or deny any one rule of each of these shares, and Manila "
        "applies all of them.",
        safe=False,
    )


def _diagnose_server(
    scene: ServerScene, now: float, patience: float, driver_timeout: float
) -> Diagnosis:
    seen = observe_server(scene.server_id, scene.servers)
    source = scene.source
    if seen is None:
        return Diagnosis("unknown", "It doesn't exist, and nothing took its place.", safe=False)
    changed = [epoch(one.updated_at) for one in (source, *scene.destinations) if one]
    age = now - max((one for one in changed if one is not None), default=now)
    lasting = age >= patience
    if seen.resting and seen.successor:
        return _moved(scene, seen.successor, lasting)
    if source is not None and seen.moving:
        return _moving(scene, source, age, lasting, driver_timeout, now)
    if source is not None and seen.resting:
        return _at_rest(scene, source)
    if source is not None and source.status == "error" and scene.destinations:
        return _phase2_failed(scene, source)
    if seen.state.phase in (COMPLETING, COMPLETED) and not lasting:
        return Diagnosis("running", "Its cutover is about to end.")
    return Diagnosis(
        "unknown",
        f"Its status is {seen.status!r} and its task state {seen.task_state!r}: no procedure is "
        "known for that.",
        safe=False,
    )


def _moved(scene: ServerScene, successor: str, lasting: bool) -> Diagnosis:
    """The cutover succeeded.  Manila removes the source at once, if it can."""
    source = scene.source
    steps = _remove_leftovers(scene)
    if source is not None and source.status != "error" and not lasting:
        return Diagnosis("running", f"It was moved to {successor}; Manila is removing it.")
    if source is not None:
        if any(one.share_server_id == source.id for one in scene.instances):
            return Diagnosis(
                "unknown",
                f"It was moved to {successor}, but shares are on it still.",
                safe=False,
            )
        return Diagnosis(
            "source_left",
            f"It was moved to {successor} with all its shares, and Manila failed to remove it "
            f"(status {source.status!r}).",
            steps=[*_remove(source), *steps],
        )
    if steps:
        return Diagnosis(
            "leftover",
            f"It was moved to {successor}. An earlier migration has left "
            f"{_listed(_left(scene))} behind.",
            steps=steps,
        )
    return Diagnosis("nothing", f"It was moved to {successor}, and nothing is left behind.")


def _moving(
    scene: ServerScene,
    source: ShareServer,
    age: float,
    lasting: bool,
    driver_timeout: float,
    now: float,
) -> Diagnosis:
    """Manila says that it migrates."""
    state = SERVER_STATES.get(source.task_state or "", State(STUCK))
    since = f"{source.task_state!r} for {age:.0f} s"
    copies = [one for one in scene.destinations if one.status == DESTINATION]
    service = scene.services.get(copies[0].host) if copies else None
    if state.phase == COPYING and not copies:
        # share/api.py writes the server's state before it finds out about the instances:
        # docs/manila.md, "The check and the start of a share server".
        others = {one.status for one in scene.instances} - {"available", "server_migrating"}
        if others and any(one.status == "available" for one in scene.instances):
            return Diagnosis(
                "start_refused",
                "Manila refused its start half-way, because an instance on it is "
                f"{', '.join(map(repr, sorted(others)))}. Nothing has begun.",
                steps=[
                    Step(RESET_STATUS, SHARE_SERVER, source.id, "active"),
                    Step(RESET_TASK_STATE, SHARE_SERVER, source.id, None),
                ],
            )
    goes_on = source.task_state in _GOES_ON or state.phase == COPIED
    if goes_on and service is not None and not service.alive:
        return Diagnosis(
            "service_down",
            f"The manila-share of {service.host} is down; the migration goes on when it is back.",
        )
    if state.phase == COPIED:
        carrier = min(scene.shares, key=lambda one: one.id, default=None)
        mark = CopyMark.of(carrier.metadata) if carrier else None
        return diagnose_resting_copy(mark, copies[0].id if copies else "", now, driver_timeout)
    if source.task_state == "migration_driver_in_progress" or not lasting:
        return Diagnosis("running", f"It has been in {since}.")
    way_back = _cancel(source, "migration_driver_in_progress") if copies else _release(scene)
    if state.phase == CANCELLING:
        # Manila sets this state before it calls the driver, and nothing else tells whether that call
        # has ended: share/manager.py, share_server_migration_cancel().
        given_up = age >= driver_timeout
        log = "the log of the destination's manila-share"
        said = [
            f"It has been in {since}: where a driver fails to cancel, Manila stays there.",
            f"The reason is in {log}."
            if given_up
            else f"The driver may still be at it, for up to {driver_timeout:.0f} s (driver_timeout): "
            f"look into {log}.",
            *(["With cancel_again: true it is cancelled once more."] if copies else []),
        ]
        return Diagnosis(
            "cancel_failed",
            " ".join(said),
            steps=way_back,
            safe=bool(copies) and given_up,
            cancels_again=bool(copies),
        )
    if state.phase == COMPLETING:
        return Diagnosis(
            "cutover_halted",
            f"It has been in {since}, and Manila has no way out. "
            f"{_slow_cutover(age, driver_timeout)}Look at the storage: only while "
            "the source serves its shares as before may the migration be taken back.",
            steps=_cancel(source, "migration_driver_phase1_done") if copies else (),
            safe=False,
        )
    return Diagnosis(
        "start_halted",
        f"It has been in {since}, and Manila has no way out. A manila-share that is only slow, or "
        "away, may still go on: look into the log of the destination's. If nothing works on it any "
        "more, the migration can be taken back.",
        steps=way_back,
        safe=False,
    )


def _slow_cutover(age: float, driver_timeout: float) -> str:
    if age >= driver_timeout:
        return ""
    return (
        f"The driver may still be at it, for up to {driver_timeout:.0f} s (driver_timeout): until then "
        "leave it alone. "
    )


_GOES_ON = frozenset({"migration_starting", "migration_driver_in_progress"})
"""States that a manila-share takes up when it comes back."""


def _at_rest(scene: ServerScene, source: ShareServer) -> Diagnosis:
    """The source is in use, whatever its last migration was."""
    code, what = _LAST.get(source.task_state or "", ("leftover", "It is in use."))
    steps = _remove_leftovers(scene)
    if SERVER_STATES.get(source.task_state or "", State(IDLE)).phase in MIGRATING:
        # A reset by hand, or the periodic task that wrote when the cancel had ended already.
        return Diagnosis(
            "stale_state",
            f"It is in use, and nothing works on it, but its task state is {source.task_state!r}: a "
            "migration would not be started.",
            steps=[Step(RESET_TASK_STATE, SHARE_SERVER, source.id, None), *steps],
        )
    if not steps:
        if code == "leftover":
            code = "nothing"
        return Diagnosis(code, f"{what} Nothing is left to be done.")
    return Diagnosis(
        code,
        f"{what} At the destination {_listed(_left(scene))} is left behind, without any share.",
        steps=steps,
    )


_LAST = {
    "migration_error": (
        "phase1_failed",
        "The first phase of its last migration failed; it is in use as before. The reason is in the "
        "log of the destination's manila-share.",
    ),
    "migration_cancelled": (
        "cancelled",
        "Its last migration was cancelled; it is in use as before.",
    ),
}


def _phase2_failed(scene: ServerScene, source: ShareServer) -> Diagnosis:
    """Both servers, the shares and their snapshots are in error; a driver knows why."""
    moved = [one for one in scene.instances if one.share_server_id != source.id]
    if moved:
        return Diagnosis(
            "phase2_failed",
            "The cutover of its last migration failed when some of its shares were at the "
            "destination already: no procedure is known for that. Look at the storage.",
            safe=False,
        )
    read_only = any(one.read_only for one in scene.instances)
    return Diagnosis(
        "phase2_failed",
        "The cutover of its last migration failed, and Manila can't tell which copy is good. Look at "
        "the storage, and at the log of the destination's manila-share: if the source serves its "
        "shares as before, everything can be set back to it; if the destination does, only the "
        "driver's vendor can help, since Manila's records point to the source."
        + (
            " The access rules are read-only by now, and stay so until a next migration has ended."
            if read_only
            else ""
        ),
        steps=[*_release(scene), *_remove_leftovers(scene)],
        safe=False,
    )


def _cancel(source: ShareServer, task_state: str) -> list[Step]:
    """Cancel once more, from a state in which Manila accepts that (share/api.py)."""
    return [
        Step(RESET_TASK_STATE, SHARE_SERVER, source.id, task_state),
        Step(CANCEL, SHARE_SERVER, source.id),
    ]


def _release(scene: ServerScene) -> list[Step]:
    """Give everything back to the source, which is in use again at the end."""
    steps = [
        Step(RESET_STATUS, SHARE_INSTANCE, one.id, "available")
        for one in scene.instances
        if one.status in _BOUND
    ]
    steps += [
        Step(RESET_STATUS, SNAPSHOT, one.id, "available")
        for one in scene.snapshots
        if one.status in _BOUND
    ]
    return [
        *steps,
        Step(RESET_TASK_STATE, SHARE_SERVER, scene.server_id, None),
        Step(RESET_STATUS, SHARE_SERVER, scene.server_id, "active"),
    ]


_BOUND = frozenset({"server_migrating", "error"})
"""What a migration makes of shares and snapshots, and leaves them in when it fails."""


def _left(scene: ServerScene) -> list[ShareServer]:
    """Destinations that nothing uses: no share is on them, and they are not about to get some."""
    used = {one.share_server_id for one in scene.instances}
    return [
        one
        for one in scene.destinations
        if one.id not in used and one.status in ("error", "inactive", DESTINATION)
    ]


def _remove_leftovers(scene: ServerScene) -> list[Step]:
    return [step for one in _left(scene) for step in _remove(one)]


def _remove(server: ShareServer) -> list[Step]:
    """Manila deletes share servers only in `error` or `active` (api/v2/share_servers.py)."""
    steps = [Step(DELETE, SHARE_SERVER, server.id)]
    if server.status != "error":
        steps.insert(0, Step(RESET_STATUS, SHARE_SERVER, server.id, "error"))
    return steps


def _listed(servers: Sequence[ShareServer]) -> str:
    return ", ".join(f"share server {one.id} at {one.host} ({one.status!r})" for one in servers)
