# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a share can't be migrated wherever it goes, and what its owner should know before."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import cache

from ansible_collections.manila.migration.plugins.module_utils._data_service.options import (
    CANT_COPY,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    DRIVER,
    HOST,
    forbidden,
    mechanisms,
    option_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
    ShareType,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import many, some
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    uses_share_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.tables import MIGRATING


def share_blockers(
    share: Share,
    instances: Sequence[Instance],
    snapshots: Sequence[Snapshot],
    options: Options,
    share_type: ShareType | None,
) -> list[Reason]:
    """Every reason in the share itself, wherever it shall go: docs/manila.md, "The start of a share".

    ``instances`` are those of the share (empty: not known), ``snapshots`` those that it will have
    then, ``share_type`` the type that it will have: the new one, or its own.
    """
    return forbidden(
        options,
        lambda mechanism: common_share_blockers(
            share, instances, snapshots, options, share_type, mechanism
        ),
    )


def common_share_blockers(
    share: Share,
    instances: Sequence[Instance],
    snapshots: Sequence[Snapshot],
    options: Options,
    share_type: ShareType | None,
    mechanism: str,
) -> list[Reason]:
    """The same for one mechanism."""
    found = []
    replicas = sum(one.replica_state is not None for one in instances)
    has_replicas = share.has_replicas or replicas > 1
    if share.is_soft_deleted:
        found.append(Reason("soft_deleted", "it is in the recycle bin: restore it, or delete it"))
    if has_replicas:
        found.append(
            Reason("replicas", "it has replicas: Manila migrates a share only when it has none")
        )
    if share.share_group_id:
        found.append(
            Reason(
                "share_group",
                f"it belongs to the share group {share.share_group_id}: Manila does not migrate "
                "shares out of groups",
            )
        )
    if share.status != "available":
        found.append(Reason("status", f"its status is {share.status!r}, not 'available'"))
    if share.access_rules_status == "error":
        found.append(
            Reason("access_rules_error", "its access rules are in error: mend or remove them")
        )
    if (
        share.task_state
        and Observation(share.id, share.status, share.host, share.task_state).state.phase
        in MIGRATING
    ):
        # Backups show the same names: data/manager.py.
        found.append(
            Reason("busy", f"its task state is {share.task_state!r}: something works on it")
        )
    if len(instances) > 1 and not (has_replicas and replicas == len(instances)):
        places = ", ".join(sorted(f"{one.host or 'nowhere'} ({one.status})" for one in instances))
        found.append(
            Reason(
                "instances",
                f"it has {len(instances)} instances where one is expected, at {places}: Manila "
                "would mix them up, remove what is left over first",
            )
        )
    found += _snapshot_blockers(snapshots, mechanism)
    if mechanism == HOST and share.protocol.upper() in CANT_COPY:
        found.append(Reason("data_access", CANT_COPY[share.protocol.upper()]))
    found += option_blockers(options, mechanism)
    return found + _type_blockers(share, options, share_type)


def _snapshot_blockers(snapshots: Sequence[Snapshot], mechanism: str) -> list[Reason]:
    """share/manager.py: a driver gets all snapshots or none, the Data Service takes none."""
    if not snapshots:
        return []
    if mechanism == HOST:
        return [
            Reason(
                "snapshots",
                f"it has {_named(snapshots)}: host-assisted migration takes only shares without",
            )
        ]
    bad = [f"{one.name or one.id}: {one.status}" for one in snapshots if one.status != "available"]
    if not bad:
        return []
    return [
        Reason(
            "snapshots",
            f"{len(bad)} of its snapshots {'is' if len(bad) == 1 else 'are'} not available "
            f"({some(bad)}): drivers migrate only snapshots that are",
        )
    ]


def _named(snapshots: Sequence[Snapshot]) -> str:
    names = some([one.name or one.id for one in snapshots])
    return f"{many(len(snapshots), 'snapshot')} ({names})"


def _type_blockers(share: Share, options: Options, share_type: ShareType | None) -> list[Reason]:
    """What the share type forbids anywhere: share/api.py, share/share_types.py."""
    if share_type is None:
        # Manila answers with an internal error where there is none.
        which = f"of the ID {share.share_type_id}, which is not known"
        which = which if share.share_type_id else "that is missing"
        return [Reason("no_share_type", f"it has a share type {which}: give it a new share type")]
    found = []
    if options.new_share_type_id is not None:
        # Manila checks the limits of new types only (provision_filter_on_size).
        for key, word, exceeds in (
            ("provisioning:min_share_size", "at least", operator.lt),
            ("provisioning:max_share_size", "at most", operator.gt),
        ):
            limit = share_type.extra_specs.get(key, "").strip()
            if limit.isdigit() and exceeds(share.size_gb, int(limit)):
                found.append(
                    Reason(
                        "size_limit",
                        f"it has {share.size_gb} GiB, and its new share type {share_type.name!r} "
                        f"wants {word} {limit} GiB",
                    )
                )
    servers = uses_share_servers(share_type)
    if servers and not (options.new_share_network_id or share.share_network_id):
        found.append(
            Reason(
                "share_network",
                f"the share type {share_type.name!r} works with share servers and it has no share "
                "network: give it a new share network",
            )
        )
    if not servers and options.new_share_network_id:
        found.append(
            Reason(
                "share_network",
                f"the share type {share_type.name!r} works without share servers: a new share "
                "network must not be given",
            )
        )
    return found


def warnings(share: Share, snapshots: Sequence[Snapshot], options: Options) -> list[Reason]:
    """What does not prevent the migration of a share but may surprise somebody."""
    ways = mechanisms(options)
    found = common_warnings(share, snapshots, options, ways)
    if len(ways) > 1 and share.protocol.upper() in CANT_COPY:
        found.append(
            Reason(
                "data_access", f"only its driver can move it: {CANT_COPY[share.protocol.upper()]}"
            )
        )
    return found


@cache
def _disturbance(options: Options, ways: tuple[str, ...]) -> tuple[Reason, ...]:
    """What clients may notice while a share is copied in one of these ways."""
    if DRIVER not in ways:
        return (Reason("read_only", "clients can only read while manila-data copies"),)
    if options.writable:
        return ()
    # share/manager.py migration_start(): any error of a driver leads to a host-assisted
    # migration if nothing was asked that only drivers can do: docs/manila.md, "Which mechanism runs".
    return (
        Reason(
            "read_only",
            "clients can only read during the copy if the driver can't do better"
            + (" or Manila falls back to a host-assisted migration" if HOST in ways else ""),
        ),
    )


def common_warnings(
    share: Share, snapshots: Sequence[Snapshot], options: Options, ways: Sequence[str]
) -> list[Reason]:
    """What is to be said of a share that goes one of these ways."""
    found = list(_disturbance(options, tuple(ways)))
    if snapshots and DRIVER in ways and not options.preserve_snapshots:
        found.append(
            Reason(
                "snapshots",
                f"it has {_named(snapshots)}: a driver that keeps them will do so, any other makes "
                "the migration fail",
            )
        )
    if share.is_encrypted:
        # share/migration.py, share/manager.py: the destination instance is made without the key.
        found.append(
            Reason("encryption", "it has an encryption key, which Manila does not give to the copy")
        )
    return found
