# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What resource locks mean for a migration.  Pure.

A lock hinders no step of a migration.  It is asked about by calls of the API only: the deletion of
a share (share/api.py, prevent_locked_action_on_share) and of an access rule (api/v2/shares.py,
_check_for_access_rule_locks), by whomever, administrators too.  What share/manager.py itself
deletes, the source after a cutover and the copy after a cancel, are instances, of which nobody
asks; and locks belong to the share and the rule, which stay, with their IDs.  Two things undo a
lock: a rule that is the Data Service's own is deleted with its locks (data/helper.py,
allow_access_to_data_service(); db/sqlalchemy/api.py, share_instance_access_delete()), and so is
one whose last instance is deleted.

But a lock tells of somebody who uses the share in a way that no list of mounts shows.  Nova mounts
a share on the compute node, hands it to an instance by virtiofs, and locks the access rule that it
has made (nova/share/manila.py, allow()), which makes Manila lock the share as well
(api/v2/shares.py, _create_access_locks()).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import Lock
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

SHARE = "share"
DELETE = "delete"

_BY_ACCESS_LOCK = "Locked by access lock: "
"""How Manila begins the reason of a share's lock that it makes for one of an access rule:
common/constants.py, SHARE_LOCKED_BY_ACCESS_LOCK_REASON."""

_BY_NOVA = "Lock by nova"
"""The reason that Nova gives: nova/share/manila.py.  Nova's user may act in any context."""

_REASON_LENGTH = 100
"""Manila takes up to 1023 letters."""

UNKNOWN = Reason(
    "locks_unknown",
    "this user may not list resource locks, which tell of shares that are attached to instances: "
    "allow resource_lock:get_all and resource_lock:get_all_projects",
)


def locks_by_share(locks: Iterable[Lock]) -> dict[str, list[Lock]]:
    """Return what locks each share, by its ID: of what was locked with an access rule, that lock."""
    by_id = {lock.id: lock for lock in locks}
    by_share: dict[str, list[Lock]] = {}
    for lock in by_id.values():
        if lock.kind == SHARE and lock.action == DELETE:
            cause = by_id.get(lock.reason.removeprefix(_BY_ACCESS_LOCK), lock)
            by_share.setdefault(lock.resource_id, []).append(cause)
    return by_share


def lock_warnings(locks: Sequence[Lock], whose: str = "") -> list[Reason]:
    """Return what the locks of a share warn of; ``whose`` names the share where that isn't clear."""
    subject = f"share {whose}" if whose else "it"
    reasons = []
    for lock in sorted(locks, key=lambda lock: lock.id):
        if is_attachment(lock):
            reasons.append(
                Reason(
                    "attached_to_instance",
                    f"{subject} is attached to an instance: its access rule is locked by "
                    f"{describe_owner(lock)}. Detach it before the cutover: the compute node mounts "
                    "the export as it is now",
                )
            )
        else:
            reasons.append(
                Reason(
                    "locked",
                    f"{subject} is locked by {describe_owner(lock)}. A lock does not hinder a "
                    "migration: ask its owner what depends on the share before the cutover",
                )
            )
    return reasons


def is_attachment(lock: Lock) -> bool:
    """Tell whether a service that attaches shares to instances has made a lock."""
    return lock.context == "service" or lock.reason.startswith(_BY_NOVA)


def describe_owner(lock: Lock) -> str:
    """Describe who locks: user, project, context, reason."""
    # Tenants' text: a refusal of Manila shows it, too, where nobody else makes it readable.
    reason = lock.reason
    if len(reason) > _REASON_LENGTH:
        reason = f"{reason[:_REASON_LENGTH]}…"
    why = f", reason '{readable(reason)}'" if reason else ", without a reason"
    return f"user {lock.user_id} of project {lock.project_id} (context {lock.context}){why}"
