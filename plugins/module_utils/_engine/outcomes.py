# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the outcome of an action means, and what is compared after a cutover."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.manila.migration.plugins.module_utils._engine.advance import SETTLING, fail
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    BARRED,
    CANCEL,
    COMPLETE,
    HINDERED,
    OUTDATED,
    REACHED,
    RECORD,
    REFUSED,
    REMOVE,
    START,
    UNKNOWN,
    VERIFY,
    Action,
    Memory,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.waiting import wait
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COPYING,
    FAILED,
    PROMOTED,
    RESTING,
    SCHEDULING,
)


def after(
    memory: Memory,
    action: Action,
    outcome: str,
    now: float,
    message: str = "",
    status_code: int | None = None,
    found: Facts | None = None,
    patience: float = 600.0,
) -> Memory:
    """The memory after an action.

    ``outcome`` is ACCEPTED, REFUSED or UNKNOWN, the answer to the action's own request, or
    OUTDATED, HINDERED or BARRED where that was not sent.
    """
    track = memory.tracks[action.migration.id]
    label = action.migration.label
    track = replace(track, want=None, waiting_for=None)
    if outcome == OUTDATED:
        track = replace(track, look=True)
        if message and action.verb == START and action.migration.kind == SHARE_SERVER:
            track = replace(track, refusal=(message, status_code))
        elif message:
            # Something comes first that takes its time, and it is on its way.
            track = wait(replace(track, held=None), Reason("snapshots", message), now)
    elif outcome == HINDERED:
        held = track.held or (message, now)
        code = "snapshots" if action.verb == COMPLETE else "answer"
        track = wait(replace(track, look=True, held=held), Reason(code, message), held[1])
    elif outcome == BARRED:
        track = fail(track, f"{label} is not {_DONE[action.verb]}: {message}.")
        track = replace(track, status_code=status_code)
    elif action.verb == VERIFY:
        moved = track.phase == COMPLETED
        track = replace(track, look=True)
        if moved:
            track = replace(track, facts_after=found or track.facts_after)
        if outcome == ACCEPTED and track.task_state == PROMOTED:
            track = replace(track, checked=True)
        elif outcome == ACCEPTED:
            track = replace(track, outcome=REACHED)
        else:
            what = "was moved" if moved else _STAYS.get(track.task_state or "", _CANCELLED)
            held = track.held or (message, now)
            if now - held[1] >= min(patience, SETTLING):
                track = fail(track, f"{label} {what}, but {message}.")
            else:
                reason = Reason("settling", f"it {what}, but {message}")
                track = wait(replace(track, held=held), reason, held[1])
    elif action.verb == RECORD:
        done = outcome == ACCEPTED
        track = replace(track, look=True, recorded=track.recorded != done)
    elif outcome == REFUSED:
        what = "remove the source" if action.verb == REMOVE else f"{action.verb} the migration"
        track = fail(track, f"Manila refused to {what} of {label}: {message}")
        track = replace(track, status_code=status_code)
    else:
        track = replace(
            track,
            ours=True,
            look=track.look or outcome == UNKNOWN,
            sent={**track.sent, action.verb: outcome},
            sent_at={**track.sent_at, action.verb: now},
            held=None,
        )
        if action.verb == START:
            track = replace(track, started_at=now, since=now)
            if outcome == ACCEPTED:
                # Manila writes this state before it answers (share/api.py, migration_start).
                replica = action.migration.kind == SHARE_REPLICA
                begun = SCHEDULING if replica else "migration_starting"
                track = replace(track, phase=COPYING, task_state=begun, progress=0)
    failed = track.outcome == FAILED and memory.tracks[action.migration.id].outcome != FAILED
    tracks = {**memory.tracks, action.migration.id: track}
    return replace(memory, tracks=tracks, failures=memory.failures + failed)


_DONE = {START: "started", COMPLETE: "cut over", REMOVE: "removed", CANCEL: "cancelled"}


_CANCELLED = "was cancelled and stays where it was"


_STAYS = {PROMOTED: "is served from its destination, and its replica at the source was kept"}
"""How it stands with what was found not to be in order."""


def faults(migration: Migration, track: Track, found: Facts) -> list[str]:
    """What is not as it should be at the end of a migration, each as half a sentence.

    Before the replica at a source is removed, the place is not looked at: it is still there.
    """
    if track.task_state == PROMOTED:
        migration = replace(migration, options=Options(), destination=None)
        return differences(migration, track.facts_before, found, None)
    if track.phase == CANCELLED:
        unchanged = replace(migration, options=Options())
        return differences(unchanged, None, found, migration.source)
    destination = migration.destination or track.destination
    return differences(migration, track.facts_before, found, destination)


def differences(
    migration: Migration, before: Facts | None, found: Facts, destination: str | None
) -> list[str]:
    """What is not as it should be after a cutover, each as half a sentence.

    This is invariant 7 of docs/design.md.

    ``before`` is None where somebody else completed it: then only what must hold in any case is
    checked.
    """
    wrong = []
    if found.status != RESTING[migration.kind]:
        wrong.append(f"its status is {found.status!r}")
    if destination and found.host != destination:
        wrong.append(f"it is at {found.host}, not at {destination}")
    for wanted, has, what in (
        (migration.options.new_share_type_id, found.share_type_id, "share type"),
        (migration.options.new_share_network_id, found.share_network_id, "share network"),
    ):
        if wanted and wanted != has:
            wrong.append(f"its {what} is {has}, not {wanted}")
    if migration.kind == SHARE_SERVER:
        return wrong + _member_differences(before, found)
    if migration.kind == SHARE_REPLICA:
        if before is not None and before.copies != found.copies:
            wrong.append(f"it has {found.copies} replicas where {before.copies} are expected")
        # Manila 15 hands a new replica its rules, and never notes that it has: what waits
        # while the share's rules are 'active' waits for nothing (share/manager.py,
        # create_share_replica).
        unapplied = {one for one in found.unapplied if one[1] != "queued_to_apply"}
        found = replace(found, unapplied=frozenset(unapplied))
        return wrong + _share_differences(before, found)
    if found.copies != 1:
        wrong.append(f"it has {found.copies} instances")
    return wrong + _share_differences(before, found)


def _member_differences(before: Facts | None, found: Facts) -> list[str]:
    """What is wrong with the shares of a share server."""
    wrong = []
    if found.copies != 1:
        wrong.append("the server that it was moved from is still there")
    if not found.members:
        wrong.append("it has no shares")
    old = before.members if before else {}
    for share_id in sorted(set(old) - set(found.members)):
        wrong.append(f"share {old[share_id].name or share_id} is not on it")
    for share_id, share in sorted(found.members.items()):
        which = f"share {share.name or share_id}: "
        if share.status != "available":
            wrong.append(f"{which}its status is {share.status!r}")
        if backend_of(share.host) != backend_of(found.host):
            wrong.append(f"{which}it is at {share.host}")
        if share.copies != 1:
            wrong.append(f"{which}it has {share.copies} instances")
        wrong += [which + one for one in _share_differences(old.get(share_id), share)]
    return wrong


def _share_differences(before: Facts | None, found: Facts) -> list[str]:
    """What is wrong with the parts of one share."""
    wrong = []
    # A replica that only waits for a disaster may have none.
    needed = found.active or (before is not None and before.exports)
    if needed and not found.exports:
        wrong.append("it has no export location")
    if found.rules_status != "active":
        wrong.append(f"its access rules are {found.rules_status!r}")
    elif found.unapplied:
        # Their status may be a lie: Manila fails to lift the read-only access of a share server's
        # migration and calls it active (share/manager.py, _reset_read_only_access_rules_for_server;
        # docs/manila.md, "Access rules during a migration").
        rules = ", ".join(f"{rule} ({state})" for rule, state in sorted(found.unapplied))
        wrong.append(
            f"access rules are not in force ({rules}), so clients may only be able to read: any "
            "change of a rule of this share makes Manila apply all of them"
        )
    if before is not None:
        for lost in sorted(before.rules - found.rules):
            wrong.append(f"the access rule {' '.join(lost)} is missing")
        for new in sorted(found.rules - before.rules):
            wrong.append(f"the access rule {' '.join(new)} was not there before")
        for snapshot in sorted(set(before.snapshots) - set(found.snapshots)):
            wrong.append(f"its snapshot {snapshot} is missing")
    for snapshot, status in sorted(found.snapshots.items()):
        if status != "available":
            wrong.append(f"its snapshot {snapshot} is {status!r}")
    return wrong
