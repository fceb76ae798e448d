# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the migration of a share.  Pure.

``diagnose_share()`` looks at everything that is concerned, and returns a diagnosis.

The file is long on purpose: it is one decision tree, and each branch relies on what the branches
before it have excluded.  Whoever changes a branch must see all of them.  The scene that it looks at
and the words that it shares are in ``share_scene`` and ``diagnosis``.

Manila keeps no time of a share's task state, and a service that came back may have work waiting for
it.  So some of it can be told only after a while of looking: ``ShareScene.since`` says since when
nothing has changed, and a diagnosis that is ``undecided`` asks for another look.

Sources: share/manager.py, share/api.py, share/migration.py, data/manager.py and data/helper.py of
Manila 23.0.1, and what real kills of its services left behind: docs/manila.md, "Failures and the
way out", "What was seen with kills".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    DRIVER,
    HOST,
    SHARE,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark, Mark
from ansible_collections.manila.migration.plugins.module_utils._model.moments import epoch
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Service,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.diagnosis import (
    ACCESS_RULE,
    ASK,
    CANCEL,
    DELETE,
    DENY,
    RESET_STATUS,
    RESET_TASK_STATE,
    SHARE_INSTANCE,
    SNAPSHOT,
    Diagnosis,
    Step,
    diagnose_resting_copy,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.service_restarts import (
    DATA,
    SCHEDULER,
    SHARE_MANAGER,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_scene import (
    COPY,
    OVER,
    SOON,
    STARTING,
    ShareScene,
    rules_of_the_migration,
)
from ansible_collections.manila.migration.plugins.module_utils._repair.share_steps import (
    cancel_steps,
    release_steps,
    reset_task_state,
    take_steps,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_replica,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    BACKUP,
    ENDS,
    FAILED,
    IDLE,
    LONGEST_CANCEL_SECONDS,
    MIGRATING,
    SHARE_STATES,
    STUCK,
    State,
)

SETTLE = 60.0
"""Seconds in which a service that lives has given a new sign of life: Manila's service_down_time."""


_TORN = 3.0
"""Seconds for which a contradiction must last: a share and its instances are read one by one."""


SOURCE = "source"


DESTINATION = "destination"


_GOING = frozenset({"deleting", "error_deleting"})
"""Statuses of an instance whose deletion was asked for."""


def diagnose_share(
    scene: ShareScene,
    now: float,
    patience: float,
    driver_timeout: float = LONGEST_CANCEL_SECONDS[SHARE],
) -> Diagnosis:
    """What is wrong with a share's migration.

    ``patience`` is for how many seconds a state that should pass by itself must have lasted before
    it is called a halt, ``driver_timeout`` after how many at most a driver itself gives up a cancel or
    a cutover; ``now`` is in seconds since the epoch, by the server's clock.
    """
    view = _View(scene, now, patience, driver_timeout)
    found = _diagnose(view)
    if found.code == "unknown" and scene.since is not None and view.watched < _TORN:
        found = replace(found, undecided=_TORN - view.watched)
    return replace(found, resources=scene.resources())


@dataclass(frozen=True)
class _View:
    """A scene at a moment, and what can be read from it."""

    scene: ShareScene
    now: float
    patience: float
    driver_timeout: float = LONGEST_CANCEL_SECONDS[SHARE]

    @property
    def age(self) -> float:
        """Seconds since Manila last changed an instance: the task state may be younger."""
        changed = (epoch(one.updated_at or one.created_at) for one in self.scene.instances)
        return self.now - max((one for one in changed if one is not None), default=self.now)

    @property
    def watched(self) -> float:
        """For how many seconds nothing was seen to change."""
        return 0.0 if self.scene.since is None else self.now - self.scene.since

    @property
    def wait(self) -> float:
        """How much longer that has to be."""
        return max(0.0, self.patience - self.watched)

    def managers(self, *hosts: str) -> list[Service]:
        """The manila-share services of some pools, as far as they are known."""
        backends = {backend_of(one) for one in hosts}
        return [
            one
            for one in self.scene.services
            if one.binary == SHARE_MANAGER and one.host in backends
        ]

    def binaries(self, binary: str) -> list[Service]:
        """The services of a name."""
        return [one for one in self.scene.services if one.binary == binary]

    def down(self, *hosts: str) -> list[str]:
        """The back ends of some pools whose manila-share gives no sign of life."""
        alive = {one.host for one in self.managers(*hosts) if one.alive}
        return sorted({backend_of(one) for one in hosts} - alive)

    def settled(self, *services: Service) -> bool:
        """Whether these have given a sign of life since nothing changes any more.

        A service takes up what waited for it before its first heartbeat (manila/service.py).
        """
        since = self.scene.since
        return since is not None and all(
            one.beat is not None and one.beat > since for one in services
        )


def _diagnose(view: _View) -> Diagnosis:
    scene = view.scene
    share = scene.share
    mark = Mark.of(share.metadata)
    if mark is not None:
        return _replica(scene, mark)
    if share.status == "server_migrating":
        return Diagnosis(
            "running",
            f"It migrates with its share server {share.share_server_id}: ask about that one.",
        )
    if share.status in BACKUP:
        return Diagnosis("backup", f"The Data Service works on a backup ({share.status}).")
    if scene.sources:
        return _moving(view)
    if share.status == "available":
        found = _at_rest(view)
        more_to_do = found.undecided or found.steps or not found.safe
        return found if more_to_do else _rules(view) or found
    failed = [one for one in scene.instances if one.status == "error"]
    if len(failed) == len(scene.instances) == 2 and share.task_state == "migration_error":
        return _phase2_failed(view)
    if share.task_state in OVER and len(scene.instances) == 1 and share.status != "error":
        return Diagnosis("nothing", f"Its status is {share.status!r}: no migration works on it.")
    return _unknown(
        scene,
        " A share whose only instance is in error has not come to that by a migration; look at its "
        "messages, and at the log of its manila-share."
        if share.status == "error" and len(scene.instances) == 1
        else "",
    )


def _unknown(scene: ShareScene, more: str = "") -> Diagnosis:
    copies = ", ".join(f"{one.status!r} at {one.host or 'no pool'}" for one in scene.others())
    return Diagnosis(
        "unknown",
        f"Its status is {scene.share.status!r}, its task state {scene.task_state!r}, its instances "
        f"are {copies}: no procedure is known for that.{more}",
        safe=False,
    )


def _replica(scene: ShareScene, mark: Mark) -> Diagnosis:
    phase = observe_replica(scene.share, scene.instances).state.phase
    way = f"from {mark.source} to {mark.destination}"
    if phase in (STUCK, FAILED):
        return Diagnosis(
            "replica",
            f"A migration by replica {way} can't go on. Run evacuation again for its plan, to go on "
            "where things are; or with the state cancelled, which removes the new replica as long as "
            "the share is not served from it.",
            safe=False,
        )
    return Diagnosis(
        "replica",
        f"It is, or was, moved by replica {way} ({phase}). Run evacuation again for its plan: it goes "
        "on where things are, and with the state cancelled takes it back.",
    )


def _moving(view: _View) -> Diagnosis:
    scene = view.scene
    source = scene.sources[0]
    copies = scene.others(source)
    if len(scene.sources) > 1 or len(copies) > 1:
        return Diagnosis(
            "unknown",
            f"{len(scene.instances)} instances take part in its migration, of which Manila would pick "
            "any one: look which of them is used, and force-delete the others, never the one that is "
            "'migrating'.",
            safe=False,
        )
    down = view.down(source.host, *(one.host for one in copies if one.host))
    if down:
        taken_up = scene.task_state in _TAKEN_UP
        return Diagnosis(
            "service_down",
            f"The manila-share of {' and '.join(down)} is down. "
            + (
                "The migration goes on when it is back."
                if taken_up
                else "Start it and ask again: what it was at is perhaps not taken up."
            ),
        )
    if not copies:
        return _alone(view, source)
    copy = copies[0]
    if copy.status in (*_GOING, "inactive"):
        return _cancelling(view, source, copy)
    if scene.task_state in _BY_DATA:
        return _data_copy(view, source, copy)
    if scene.task_state in STARTING:
        return _starting(view, source, copy)
    if scene.task_state == "migration_driver_in_progress" and copy.status == COPY:
        return Diagnosis("running", "Its driver copies.")
    if scene.task_state == "migration_driver_phase1_done" and copy.status == COPY:
        mark = CopyMark.of(scene.share.metadata)
        return diagnose_resting_copy(mark, copy.id, view.now, view.driver_timeout)
    if scene.task_state == "migration_completing" and copy.status == COPY:
        return _completing(view, source, copy)
    if scene.task_state in ENDS or scene.task_state is None:
        return _ended(view, source, copy)
    return _wait(view) or _unknown(scene)


_BY_DATA = frozenset(name for name in SHARE_STATES if name.startswith("data_copying_"))


_TAKEN_UP = frozenset(
    {
        "migration_starting",
        "migration_driver_in_progress",
        "migration_driver_phase1_done",
        "data_copying_in_progress",
        "data_copying_completing",
        "data_copying_completed",
    }
)
"""States that wait for a manila-share until it comes back: the others it was in the middle of."""


def _wait(view: _View) -> Diagnosis | None:
    """That a state may pass by itself; None if it was watched for long enough."""
    if view.watched >= view.patience and view.watched > 0:
        return None
    return Diagnosis(
        "running",
        f"Its task state is {view.scene.task_state!r}. Manila keeps no time of that, and was seen to "
        f"stay there for {view.watched:.0f} s: only after {view.patience:.0f} s (patience) it is "
        "called a halt.",
        undecided=view.wait or SOON,
    )


def _last(view: _View, *services: Service) -> Diagnosis | None:
    """The same of what is as old as the instances' last change; services have to be settled."""
    if view.age < view.patience:
        return Diagnosis(
            "running",
            f"It has been in {view.scene.task_state!r} for {view.age:.0f} s.",
            undecided=view.patience - view.age,
        )
    return _settle(view, *services)


def _settle(view: _View, *services: Service) -> Diagnosis | None:
    if view.settled(*services):
        return None
    names = ", ".join(sorted({f"{one.binary} at {one.host}" for one in services}))
    return Diagnosis(
        "running",
        f"Its task state is {view.scene.task_state!r}. Whether anything still works on it shows "
        f"after a new sign of life of {names}.",
        undecided=SOON,
    )


def _alone(view: _View, source: Instance) -> Diagnosis:
    """Its migration has no second instance: not yet, or not any more."""
    scene = view.scene
    managers = view.managers(source.host)
    release = release_steps(scene, source)
    if scene.task_state == "migration_starting":
        schedulers = view.binaries(SCHEDULER)
        alive = [one for one in schedulers if one.alive]
        if not alive:
            return Diagnosis(
                "service_down", "No manila-scheduler is up; the start is carried out when one is."
            )
        return _last(view, *alive, *managers) or Diagnosis(
            "start_lost",
            f"It has been in 'migration_starting' for {view.age:.0f} s, though the scheduler and its "
            "manila-share are up: the start was lost, as it is when a scheduler is stopped at that "
            "moment. Nothing has begun.",
            steps=release,
        )
    if scene.task_state in STARTING:
        return _last(view, *managers) or Diagnosis(
            "start_halted",
            f"It has been in {scene.task_state!r} for {view.age:.0f} s without a second instance, and "
            "nothing takes that up after a restart of its manila-share. One that is only slow looks "
            "the same: look into its log.",
            steps=release,
            safe=False,
        )
    if scene.task_state in OVER:
        return _last(view, *managers) or Diagnosis(
            "stale_status",
            f"Its migration is over ({scene.task_state!r}) and has left one instance, the source, "
            "whose status was not set back: a manila-share was stopped in between.",
            steps=release,
        )
    known = scene.task_state in _CANCELLABLE
    return _last(view, *managers) or Diagnosis(
        "cancel_failed",
        f"Its task state is {scene.task_state!r}, and the second instance is gone: "
        + (
            "a manila-share was stopped in the middle of a cancel."
            if known
            else "look into the log of its manila-share for what works on it."
        ),
        steps=release,
        safe=known,
    )


_CANCELLABLE = frozenset(
    {
        "migration_driver_in_progress",
        "migration_driver_phase1_done",
        "data_copying_completed",
    }
)
"""States in which share/manager.py, migration_cancel(), removes the second instance."""


def _starting(view: _View, source: Instance, copy: Instance) -> Diagnosis:
    scene = view.scene
    if source.read_only and copy.status == COPY and scene.task_state == "migration_in_progress":
        # Rules are made read-only before the Data Service is asked: the request may wait for it.
        waits = _data_down(view, "it is asked to copy, and does so when it is back")
        if waits:
            return waits
    # Before `driver_starting` no driver has begun: what was made is removed like any other share.
    by_driver = scene.task_state == "migration_driver_starting"
    return _last(view, *view.managers(source.host, copy.host)) or Diagnosis(
        "start_halted",
        f"It has been in {scene.task_state!r} for {view.age:.0f} s, and nothing takes that up after "
        "a restart of a manila-share. One that is only slow looks the same: look into the log of "
        f"that of {backend_of(source.host)}. If nothing works on it any more, the migration can be "
        "cancelled.",
        steps=cancel_steps(scene, copy, DRIVER if by_driver else HOST),
        safe=False,
    )


def _cancelling(view: _View, source: Instance, copy: Instance) -> Diagnosis:
    """The second instance is on its way out: a cancel, or what Manila does after a failure."""
    return _last(view, *view.managers(source.host, copy.host)) or Diagnosis(
        "cancel_failed",
        f"The instance at {copy.host} has been {copy.status!r} for {view.age:.0f} s, and its "
        "manila-share is up: its removal was interrupted, and with it a cancel. A driver that needs "
        "longer for that looks the same: look into its log.",
        steps=[Step(DELETE, SHARE_INSTANCE, copy.id), *release_steps(view.scene, source)],
        safe=False,
    )


def _ended(view: _View, source: Instance, copy: Instance) -> Diagnosis:
    """A task state of the end, written before the status (share/manager.py, migration_start())."""
    return (
        _last(view, *view.managers(source.host, copy.host))
        or _wait(view)
        or _two_ways(
            view,
            source,
            copy,
            "start_halted",
            f"Its task state is {view.scene.task_state!r}, and both instances still take part in a "
            "migration: a manila-share was stopped in between.",
        )
    )


def _completing(view: _View, source: Instance, copy: Instance) -> Diagnosis:
    return _wait(view) or _two_ways(
        view,
        source,
        copy,
        "cutover_halted",
        f"Its cutover was seen to stand still for {view.watched:.0f} s, and Manila has no way out."
        + (
            f" A driver may still be at it, for up to {view.driver_timeout:.0f} s (driver_timeout): "
            "until then leave it alone."
            if view.watched < view.driver_timeout
            else ""
        ),
    )


def _two_ways(view: _View, source: Instance, copy: Instance, code: str, happened: str) -> Diagnosis:
    """Back to the source by a cancel, or on to the destination, as somebody says who has looked."""
    scene = view.scene
    mechanism = scene.mechanism or (DRIVER if scene.snapshots or not source.read_only else None)
    look = (
        f" Look at the storage: only while the instance at {source.host} serves the share as before "
        f"may the migration be taken back (good_copy: source); if the one at {copy.host} has all "
        "data, it can take its place (good_copy: destination), and the other is deleted."
    )
    if scene.good_copy == DESTINATION:
        return Diagnosis(code, happened + look, steps=take_steps(scene, copy, source), safe=False)
    if mechanism is None:
        return Diagnosis(
            code,
            happened + look + " Its states don't tell whether a driver or the Data Service has "
            "copied it: to take it back, name that (mechanism).",
            safe=False,
        )
    return Diagnosis(code, happened + look, steps=cancel_steps(scene, copy, mechanism), safe=False)


def _data_copy(view: _View, source: Instance, copy: Instance) -> Diagnosis:
    scene = view.scene
    state = scene.task_state
    # Whether manila-data had made its rules, and not begun to take them back: a copy that has failed
    # does so before manila-share is told of it, which might still be on the way.
    rules = rules_of_the_migration(scene)
    abandoned = bool(rules) and all(one.state == "active" for one in rules)
    if state == "data_copying_completed":
        mark = CopyMark.of(scene.share.metadata)
        recorded = mark == CopyMark(copy.id)
        if not abandoned and not recorded:
            return diagnose_resting_copy(mark, copy.id, view.now, view.driver_timeout)
        return _settle(view, *view.managers(source.host, copy.host)) or _interrupted(
            view, copy, [Step(CANCEL, SHARE, scene.share.id)], True
        )
    if state == "data_copying_in_progress" and scene.copying:
        return Diagnosis("running", "The Data Service copies.")
    down = _data_down(view, _CRASHED)
    if down:
        return down
    services = view.binaries(DATA)
    alone = len(services) == 1 and services[0].enabled
    waits = _settle(view, *view.managers(source.host, copy.host), *(s for s in services if s.alive))
    if state == "data_copying_in_progress" and not (alone and scene.copying is False):
        return Diagnosis(
            "running",
            "Whether the Data Service copies can't be asked: "
            + (
                "it did not answer."
                if alone
                else "that takes one manila-data that is enabled, and no other one registered."
            ),
        )
    if state in ("data_copying_error", "data_copying_in_progress"):
        # Any manila-data that starts writes the error, on running copies of others, too.
        ask = [Step(ASK, SHARE, scene.share.id)] if alone else []
        if ask and state == "data_copying_error":
            ask.insert(0, Step(RESET_TASK_STATE, SHARE, scene.share.id, "data_copying_in_progress"))
        return waits or _interrupted(
            view, copy, [*ask, *cancel_steps(scene, copy, HOST)], alone and abandoned
        )
    return waits or _wait(view) or _interrupted(view, copy, cancel_steps(scene, copy, HOST), False)


_CRASHED = (
    "if it died in the middle of this copy, it will say so as soon as it is started, and then the "
    "share can be repaired"
)


def _data_down(view: _View, more: str) -> Diagnosis | None:
    if any(one.alive for one in view.binaries(DATA)):
        return None
    return Diagnosis("service_down", f"No manila-data is up: {more}.")


def _interrupted(view: _View, copy: Instance, steps: Sequence[Step], safe: bool) -> Diagnosis:
    scene = view.scene
    rules = rules_of_the_migration(scene)
    unnamed = [one for one in rules if one.access_to not in scene.access_to]
    return Diagnosis(
        "copy_interrupted",
        f"The copy to {copy.host} by the Data Service has ended before its time "
        f"({scene.task_state!r}). What is there is not complete: it must never be cut over. The source "
        "has all data, and the way back is a cancel."
        + (
            ""
            if safe
            else " Whether nothing copies any more can't be proved from here: look on every node of "
            "manila-data, and whether messages wait for the manila-share of the source."
        )
        + (
            f" The access rule for {', '.join(sorted({one.access_to for one in unnamed}))} was made by "
            "Manila for this copy; name that in access_to, and it is removed afterwards."
            if unnamed
            else ""
        ),
        steps=steps,
        safe=safe,
    )


def _at_rest(view: _View) -> Diagnosis:
    scene = view.scene
    share = scene.share
    serving = [one for one in scene.instances if one.status == "available"]
    if share.has_replicas:
        return Diagnosis("nothing", "It has replicas, and no migration of ours works on them.")
    if len(scene.instances) > 1:
        return _several(view, serving)
    state = SHARE_STATES.get(share.task_state or "", State(IDLE))
    managers = view.managers(share.host)
    if state.phase in MIGRATING and share.task_state not in OVER:
        return _stale(view, managers)
    stuck = [one for one in scene.snapshots if one.status in ("migrating", COPY)]
    if stuck:
        return _last(view, *managers) or Diagnosis(
            "stale_status",
            f"It is in use at {share.host}, and of its snapshots {len(stuck)} are said to migrate.",
            steps=[Step(RESET_STATUS, SNAPSHOT, one.id, "available") for one in stuck],
        )
    code, what = _LAST.get(share.task_state or "", ("nothing", "Nothing migrates."))
    return Diagnosis(code, f"{what} It is in use at {share.host}, with one instance.")


_LAST = {
    "migration_error": (
        "phase1_failed",
        "Its last migration ended in an error; the reason is in the logs of the scheduler and of its "
        "manila-share. If only the removal of the source took too long, it is at its destination.",
    ),
    "migration_cancelled": ("cancelled", "Its last migration was cancelled."),
    "migration_success": (
        "nothing",
        "Its last migration has ended; a cancelled copy of the Data Service ends so, too.",
    ),
    "data_copying_error": (
        "backup",
        "A backup has failed, or manila-data was restarted after a cancel; nothing has to be done.",
    ),
    "data_copying_cancelled": (
        "backup",
        "A copy of the Data Service was cancelled; nothing has to be done.",
    ),
}


def _stale(view: _View, managers: Sequence[Service]) -> Diagnosis:
    """Available, with one instance: no migration works on it, but one may be about to end."""
    scene = view.scene
    alive = [one for one in view.binaries(DATA) if one.alive]
    waits = _settle(view, *managers, *alive)
    if scene.task_state == "migration_starting":
        alive = [one for one in view.binaries(SCHEDULER) if one.alive]
        waits = _settle(view, *managers, *alive) or _wait(view)
    return waits or Diagnosis(
        "stale_state",
        f"It is in use at {scene.share.host} with one instance, and nothing works on it, but its task "
        f"state is {scene.task_state!r}: a migration would not be started.",
        steps=[Step(RESET_TASK_STATE, SHARE, scene.share.id, None)],
    )


def _several(view: _View, serving: Sequence[Instance]) -> Diagnosis:
    """In use, and another instance is there: on its way out, or left behind."""
    scene = view.scene
    if len(serving) != 1:
        return _both_available(view, serving)
    keep = serving[0]
    left = scene.others(keep)
    names = ", ".join(f"{one.id} at {one.host or 'no pool'} ({one.status!r})" for one in left)
    down = view.down(*(one.host for one in left if one.host))
    if down:
        return Diagnosis(
            "service_down",
            f"It is in use at {keep.host}. Instance {names} can't be removed while the manila-share "
            f"of {' and '.join(down)} is down; if its removal was asked for already, that goes on then.",
        )
    managers = view.managers(*(one.host for one in scene.instances if one.host))
    waits = _last(view, *managers)
    if waits:
        return replace(
            waits,
            message=f"It is in use at {keep.host}, and instance {names} may be on its way out. Never "
            f"start a migration now. {waits.message}",
        )
    delete = [Step(DELETE, SHARE_INSTANCE, one.id) for one in left]
    busy = scene.task_state not in OVER
    clear = [Step(RESET_TASK_STATE, SHARE, scene.share.id, None)] if busy else []
    if all(one.status in _GOING for one in left):
        return Diagnosis(
            "source_left",
            f"It is in use at {keep.host}. The removal of instance {names} was asked for, and has not "
            "ended.",
            steps=[*delete, *clear],
        )
    unused = all(one.status in (COPY, "error", *_GOING) for one in left)
    cut_over = any(one.status == "inactive" for one in left)
    return Diagnosis(
        "source_left" if cut_over else "leftover",
        f"It is in use at {keep.host}. Instance {names} is left of a migration, and is used by nobody."
        + (
            ""
            if unused and not busy
            else f" Look whether anything works on it still (task state {scene.task_state!r}), and "
            f"whether the instance at {keep.host} has all data (good_copy says so)."
        ),
        steps=[*delete, *clear],
        safe=unused and not busy,
    )


def _both_available(view: _View, serving: Sequence[Instance]) -> Diagnosis:
    """What took too long to delete is set back to available: share/manager.py, migration_complete().

    docs/manila.md, "Failures and the way out".
    """
    scene = view.scene
    if len(serving) != 2 or len(scene.instances) != 2:
        return _wait(view) or _unknown(scene)
    old, new = scene.others()
    waits = _last(view, *view.managers(old.host, new.host)) or _wait(view)
    what = (
        f"Two instances are available, the older at {old.host}, the newer at {new.host}. So it looks "
        "when a cutover of the Data Service's copy has ended, and the removal of the source takes "
        "longer than Manila waits: the older one goes by itself, never start a migration now."
    )
    if waits:
        return replace(waits, message=f"{what} {waits.message}")
    drop = new if scene.good_copy == SOURCE else old
    clear = [] if scene.task_state in OVER else [reset_task_state(scene, None)]
    return Diagnosis(
        "source_left",
        f"{what} It was seen so for too long. Look at the storage which one has all data, and say so "
        "(good_copy: destination for the newer one): the other is deleted.",
        steps=[Step(DELETE, SHARE_INSTANCE, drop.id), *clear],
        safe=False,
    )


def _rules(view: _View) -> Diagnosis | None:
    """What a migration has left of its access rules on a share that is in use."""
    scene = view.scene
    left = [
        one
        for one in scene.rules
        if one.access_to in scene.access_to and scene.task_state and "deny" not in one.state
    ]
    if left and len(scene.instances) == 1 and scene.task_state in OVER:
        return Diagnosis(
            "rules_left",
            "Its last migration has left access rules of the Data Service behind: "
            f"{', '.join(sorted(one.access_to for one in left))}.",
            steps=[Step(DENY, ACCESS_RULE, one.id, scene.share.id) for one in left],
        )
    if len(scene.instances) == 1 and scene.instances[0].read_only:
        return Diagnosis(
            "rules_not_restored",
            "Clients may only read: Manila has made its access rules read-only for a migration and "
            "not lifted that, though it lists them as they were. No call of the API does. The next "
            "migration lifts it, when it is cancelled, fails, or has moved the share.",
            safe=False,
        )
    return None


def _phase2_failed(view: _View) -> Diagnosis:
    """Both instances and their snapshots are in error; only the driver knows why."""
    scene = view.scene
    old, new = scene.others()
    down = view.down(old.host, new.host)
    if down:
        return Diagnosis(
            "service_down",
            f"Its cutover has failed, and the manila-share of {' and '.join(down)} is down: start it "
            "first.",
        )
    if view.age < view.patience:
        # A second `complete` puts both into error while the first is still being carried out.
        return Diagnosis(
            "running",
            "Both instances are in error. That may pass if its cutover was asked for twice.",
            undecided=view.patience - view.age,
        )
    keep, drop = (new, old) if scene.good_copy == DESTINATION else (old, new)
    return Diagnosis(
        "phase2_failed",
        "The cutover of its last migration failed, and Manila can't tell which copy is good. Look at "
        f"the storage, and at the log of the manila-share of {backend_of(old.host)}: if the older "
        f"instance, at {old.host}, has all data, say so with good_copy: source; if it is the one at "
        f"{new.host}, with good_copy: destination. The other one is deleted then, by its driver.",
        steps=take_steps(scene, keep, drop),
        safe=False,
    )
