# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a migration waits for, each reason with its code."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._engine.advance import value_or
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    CANCEL,
    COMPLETE,
    START,
    UNKNOWN,
    Limits,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    HOST,
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    CANCELLING,
    COMPLETING,
    COPIED,
    FAILED,
    IDLE,
    SCHEDULING,
    STUCK,
)


def waiting_code(track: Track) -> str | None:
    return track.waiting_for.code if track.waiting_for else None


WAITS_FOR_OPERATOR = {
    START: Reason("operator", "nothing hinders it, and nobody has started it"),
    COMPLETE: Reason("operator", "it is copied, and waits for somebody to cut over"),
    CANCEL: Reason(
        "operator", "its copy was interrupted: it must not be cut over, and waits to be cancelled"
    ),
}


FAILED_BEFORE = Reason(
    "operator",
    "its last migration failed (the reason is in Manila's logs), and nobody has started it again",
)


class Wait(NamedTuple):
    """What a code of ``waiting_for`` means, and whether a run that waits may see it end."""

    transient: bool
    meaning: str


# `transient` is what a run goes on for.  A service that is down or disabled counts as that: whoever
# is at work on it brings it back.  So does `unclear`: `_advance_stuck()` and its like bear it for the
# patience, as nearly all of it passes within seconds, and make a failure of what lasts.
WAITING: dict[str, Wait] = {
    "slot": Wait(
        True,
        "As many migrations are at work as `max_parallel` or "
        "`max_parallel_per_pool` allow, those of others included.",
    ),
    "operator": Wait(False, "Nothing hinders it; nobody has started it, or cut it over."),
    "grace": Wait(
        True,
        "It was met copied; for some seconds another process may already have asked"
        " for its cutover.",
    ),
    "window": Wait(
        True,
        "It is copied, and the cutover window is closed. The message says when it opens.",
    ),
    "window_over": Wait(
        False,
        "It is copied, and the cutover window will not open again, or not for long enough.",
    ),
    "window_short": Wait(
        False,
        "It is copied, and its cutover, with its group, takes longer than the "
        "cutover window is open.",
    ),
    "group": Wait(True, "It is copied, and waits for others of its cutover group."),
    "group_broken": Wait(False, "It is copied, and another one of its cutover group can't be."),
    "status": Wait(
        True,
        "Something else is done to it, an extension for example; a start has to wait for that.",
    ),
    "failures": Wait(False, "As many have failed as `max_failures` allows; nothing new is begun."),
    "not_started": Wait(False, "Nobody has copied it, and this run was told to start nothing."),
    "service_down": Wait(
        True,
        "The service that has to act gives no sign of life: manila-share of its "
        "source or destination, manila-scheduler, manila-data.",
    ),
    "service_disabled": Wait(
        True,
        "The manila-share service of its destination is disabled; Manila would refuse.",
    ),
    "cordoned": Wait(
        False,
        "The share has replicas and is served from a disabled back end: Manila's "
        "scheduler places no new one then.",
    ),
    "snapshots": Wait(
        True,
        "Its new replica is in sync and lacks snapshots that Manila is still "
        "making: a promotion would put these in error. Or the snapshots that the "
        "plan gives up are being deleted.",
    ),
    "driver": Wait(True, "The driver is copying."),
    "copy": Wait(True, "Manila, or the Data Service, is copying."),
    "completing": Wait(True, "Manila is cutting over."),
    "settling": Wait(
        True,
        "It is over, and not yet as it should be; two minutes are given to that.",
    ),
    "cancelling": Wait(
        True,
        "It is being cancelled, by this run or another one. Manila may show it as "
        "copied until the driver is done.",
    ),
    "answer": Wait(
        True,
        "The answer to its start or its cutover got lost; Manila may carry it out "
        "later. Or that to a request that comes first, such as the deletion of a "
        "snapshot: it is asked for again.",
    ),
    "unclear": Wait(
        True,
        "Task state and status contradict each other. Most of that passes; if it "
        "lasts for ten minutes, it is a failure.",
    ),
}
"""Every code that ``waiting_for`` may have; docs/reasons.md says the same."""


NOT_STARTED = Reason("not_started", "it was not copied: run the copy phase first")


def foreign_complete_hold(
    migration: Migration, track: Track, limits: Limits, reading: Reading, now: float
) -> Reason | None:
    """Why a complete must wait for somebody else's to show, None if there can't be one."""
    met_at = value_or(track.met_at, now)
    rested = now - met_at
    acting = reading.services.get(backend_of(acting_host(migration, track) or ""))
    # A manager that just died still counts as alive, and carries out at its return what was sent.
    silent = acting is not None and acting.beat is not None and acting.beat <= met_at
    # The complete of a replica shows before Manila answers.
    unsure = migration.kind != SHARE_REPLICA and (rested < limits.grace or silent)
    if START not in track.sent and limits.grace and unsure:
        return Reason(
            "grace",
            f"it was met copied; for {limits.grace:.0f} s it could be that another process has "
            "asked for its cutover already",
        )
    return None


def service_hold(
    reading: Reading, verb: str, pools: tuple[str, str | None], leads: bool
) -> Reason | None:
    """Why the services at the two ends let nothing begin, None if they do."""
    source, _destination = pools
    for host in pools:
        down = service_down(host, reading)
        if down:
            return down
        service = reading.services.get(backend_of(host or ""))
        if verb != START or service is None or service.enabled:
            continue
        if host != source:
            return Reason(
                "service_disabled", f"the manila-share service {service.host} is disabled"
            )
        if leads:
            # The scheduler learns the replication domain from the active replica's pool, among
            # those of enabled services only: scheduler/drivers/filter.py.
            return Reason(
                "cordoned",
                f"the manila-share service {service.host} is disabled, and Manila's scheduler "
                "places no replica of a share that is served from there: enable it until the "
                "replica is made",
            )
    return None


def acting_host(migration: Migration, track: Track) -> str | None:
    """Where the manager is that carries out a complete or a cancel.

    Of a share the source's, of the others the destination's (share/rpcapi.py).
    """
    if migration.kind == SHARE:
        return migration.source
    return track.destination or migration.destination


def service_down(host: str | None, reading: Reading) -> Reason | None:
    """A service that can't be believed to run.  Its death in a cutover leaves errors on both sides."""
    service = reading.services.get(backend_of(host or ""))
    if service is None or service.alive:
        return None
    return Reason(
        "service_down",
        f"the manila-share service {service.host} is down, its last sign of life is of "
        f"{service.updated_at or 'an unknown time'}",
    )


def running_reason(migration: Migration, track: Track, reading: Reading) -> Reason:
    """What a migration that nothing can be done for is waiting for."""
    destination = track.destination or migration.destination
    for host in (migration.source, destination):
        down = service_down(host, reading)
        if down:
            return down
    if track.phase in (IDLE, FAILED, CANCELLED) and START not in track.sent:
        return Reason("status", "its status does not allow a start yet")
    if START in track.sent and track.phase in (IDLE, FAILED, CANCELLED):
        return Reason("answer", "the answer to its start was lost; Manila may carry it out later")
    if track.phase == COPIED and track.sent.get(COMPLETE) == UNKNOWN:
        return Reason("answer", "the answer to its cutover was lost; it is not asked for twice")
    mark = track.copy_mark
    if mark and mark.cancelled_at and CANCEL not in track.sent and COMPLETE not in track.sent:
        return Reason(
            "cancelling",
            f"it is being cancelled since {mark.cancelled_at}, which a driver may take an hour for "
            f"(task state {track.task_state!r})",
        )
    if CANCEL in track.sent or track.phase == CANCELLING:
        return Reason("cancelling", f"Manila is cancelling it (task state {track.task_state!r})")
    if COMPLETE in track.sent or track.phase == COMPLETING:
        return Reason("completing", f"Manila is completing it (task state {track.task_state!r})")
    if track.phase == STUCK:
        return Reason("unclear", f"its task state {track.task_state!r} does not fit its status")
    binary = _worker_of(migration, track)
    if binary and reading.workers.get(binary) is False:
        return Reason("service_down", f"no {binary} is up and enabled; it goes on when one is")
    if migration.kind == SHARE_SERVER and track.task_state == "migration_starting":
        return Reason(
            "driver",
            "the destination's manila-share has not begun (task state 'migration_starting')",
        )
    who = {"driver": "the driver", "host": "manila-data"}.get(track.mechanism or "", "Manila")
    percent = "" if track.progress is None else f", {track.progress} %"
    return Reason(
        "driver" if track.mechanism == "driver" else "copy",
        f"{who} is copying it (task state {track.task_state!r}{percent})",
    )


def _worker_of(migration: Migration, track: Track) -> str | None:
    """The service beside manila-share that has to do the present step, where one surely has."""
    if migration.kind == SHARE_SERVER:
        return None
    if track.task_state in ("migration_starting", SCHEDULING):
        return "manila-scheduler"
    forced = migration.options.force_host_assisted_migration
    if track.mechanism == HOST or (forced and track.task_state == "migration_in_progress"):
        return "manila-data"
    return None


def wait(track: Track, reason: Reason, begun: float) -> Track:
    since = track.waiting_since
    if since is None or track.waiting_for is None or track.waiting_for.code != reason.code:
        since = begun
    # What Manila itself is at, it is at since its last step; known even by another process.
    if reason.code not in _OURS and track.since is not None:
        since = track.since
    if (track.waiting_for, track.waiting_since) == (reason, since):
        return track
    return replace(track, waiting_for=reason, waiting_since=since)


_OURS = frozenset({"slot", "failures", "not_started", "service_disabled", "cordoned", "grace"})
"""Reasons that lie in this run and not in a state of the share."""
