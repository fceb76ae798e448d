# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis of a migration is: a code, everything concerned, and the documented way out.

Manila gives up in many ways, and its states alone don't tell them apart: ``share_diagnosis`` and
``server_diagnosis`` look at everything that is concerned.  The steps of a diagnosis are *safe* when
no copy of any data can be lost by them.  Where only a look at the storage can tell which copy is
good, they are not, and are meant for somebody who says which one it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

CODES: dict[str, str] = {
    "nothing": "Nothing migrates, and nothing is left of an earlier migration.",
    "running": "The migration goes on.",
    "copied": "The first phase is done, the migration waits for its cutover.",
    "cancelling": "The migration is being cancelled; it may show as copied until that is over.",
    "service_down": "A service that has to act is down; nothing can be done before it is back.",
    "backup": "The Data Service writes or restores a backup of the share, or did: no migration.",
    "replica": "A replica of the share is moved, or was: that is not repaired here.",
    "phase1_failed": "The last migration failed; what it was about is in use as before.",
    "cancelled": "The migration was cancelled; the source is in use as before.",
    "start_refused": "Manila refused the start half-way, and left the share server as if it migrated.",
    "start_lost": "The scheduler lost the start of the migration: nothing has begun.",
    "start_halted": "The start of the migration came to a halt.",
    "copy_interrupted": "The copy of the Data Service was interrupted, and must never be completed.",
    "cancel_failed": "A cancel failed, came to a halt or takes long; Manila stays in the middle of it.",
    "phase2_failed": "The cutover failed; Manila can't tell which copy is good.",
    "cutover_halted": "The cutover came to a halt; Manila can't tell which copy is good.",
    "leftover": "An earlier migration left a share instance or share server behind, which nothing uses.",
    "stale_state": "It is in use, and its task state says that it migrates.",
    "stale_status": "Its migration is over, and its status says that it migrates.",
    "rules_not_restored": "Clients may still only read: access rules were not applied again.",
    "rules_left": "Access rules of the Data Service were left behind.",
    "source_left": "The migration succeeded, and the old copy was not removed.",
    "unknown": "The states contradict each other in a way that no procedure is known for.",
}
"""Every code that a diagnosis may have, with its meaning."""

WELL = frozenset({"nothing", "running", "copied", "cancelling", "service_down"})
"""Diagnoses of what needs no repair."""

# What a step does, and to what.
RESET_STATUS = "reset_status"
RESET_TASK_STATE = "reset_task_state"
CANCEL = "cancel"
DELETE = "delete"
DENY = "deny"
ALLOW = "allow"
ASK = "ask"
RECORD = "record"

# Options of migration_repair that are the word of somebody who has looked.
GOOD_COPY = "good_copy"
CANCEL_AGAIN = "cancel_again"

SHARE_INSTANCE = "share_instance"
SNAPSHOT = "snapshot"
ACCESS_RULE = "access_rule"


@dataclass(frozen=True)
class Step:
    """One call of Manila's API: ``verb`` on the resource ``id`` of the kind ``kind``.

    ``value`` is what is written, of an access rule the ID of its share, and of a record that of the
    copy that was interrupted.
    """

    verb: str
    kind: str
    id: str
    value: str | None = None

    @property
    def text(self) -> str:
        """The step in words, for somebody who would do it by hand."""
        what = f"{self.kind.replace('_', ' ')} {self.id}"
        if self.verb == CANCEL:
            return f"cancel the migration of {what}"
        if self.verb == DELETE:
            return f"{'force-delete' if self.kind == SHARE_INSTANCE else 'delete'} {what}"
        if self.verb == DENY:
            return f"deny {what} of share {self.value}"
        if self.verb == ALLOW:
            return (
                f"allow {self.value} to {what} again, if that access rule has gone with an instance"
            )
        if self.verb == ASK:
            return f"ask manila-data whether it copies {what}, and go on only if it says no"
        if self.verb == RECORD:
            return f"write into the metadata of {what} that its copy {self.value} was interrupted"
        name = self.verb.partition("_")[2].replace("_", " ")
        return f"reset the {name} of {what} to {self.value!r}"


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, what is concerned, and the steps that mend it."""

    code: str
    message: str
    resources: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[Step] = ()
    safe: bool = True
    """Whether the steps can't lose anything.  Otherwise they need somebody's word."""
    cancels_again: bool = False
    """Whether the steps repeat a cancel that Manila has accepted: the driver may still be at the first."""
    undecided: float = 0.0
    """After how many seconds, at the earliest, another look may tell more; 0 if all is said."""

    @property
    def well(self) -> bool:
        """Whether there is nothing to be repaired."""
        return self.code in WELL or (self.safe and not self.steps)

    @property
    def requires(self) -> str | None:
        """The option of migration_repair without which the steps are not taken, None if there is none."""
        if not self.steps:
            return None
        if self.cancels_again:
            return CANCEL_AGAIN
        return None if self.safe else GOOD_COPY

    def as_dict(self) -> dict[str, Any]:
        """The form in which the module returns it."""
        return {
            "code": self.code,
            "message": readable(self.message),
            "resources": [{**one, "text": _words(one)} for one in self.resources],
            "procedure": [readable(one.text) for one in self.steps],
            "safe": self.safe,
            "requires": self.requires,
        }


def diagnose_resting_copy(
    mark: CopyMark | None, copy_id: str, now: float, driver_timeout: float
) -> Diagnosis:
    """What a migration is at that Manila shows as copied; ``mark`` is that of its metadata.

    ``driver_timeout`` is for how many seconds a driver may be at a cancel.

    Of a share Manila shows nothing of a cancel until the driver is done (share/manager.py,
    migration_cancel): only the mark tells that it must not be cut over.
    """
    if mark is None or mark.copy != copy_id:
        return Diagnosis("copied", "It is copied, and waits for its cutover or a cancel.")
    if not mark.cancelled_at:
        return Diagnosis(
            "cancelling",
            "It shows as copied, and must never be cut over: its copy was interrupted, and a cancel "
            "is on its way. If this lasts, cancel it again.",
        )
    if mark.is_cancelled_within(driver_timeout, now):
        return Diagnosis(
            "cancelling",
            f"It is being cancelled since {mark.cancelled_at}. It shows as copied until the driver is "
            f"done, which may take up to {driver_timeout:.0f} s (driver_timeout).",
        )
    return Diagnosis(
        "cancel_failed",
        f"Its cancelling was begun at {mark.cancelled_at} and has not ended, so it must never be cut "
        "over. The reason is in the log of the manila-share that should have cancelled it. Cancel it "
        "again: share_migration, share_server_migration or evacuation with state: cancelled.",
        safe=False,
    )


def _words(resource: Mapping[str, Any]) -> str:
    """A resource in words."""
    kind, name = str(resource["kind"]).replace("_", " "), resource.get("name")
    said = [str(resource["status"])]
    if resource.get("task_state"):
        said.append(f"task state {resource['task_state']}")
    if resource.get("read_only"):
        said.append("read-only")
    where = f" at {resource['host']}" if resource.get("host") else ""
    return readable(
        f"{kind} {resource['id']}{f' ({name})' if name else ''}{where}: {', '.join(said)}"
    )
