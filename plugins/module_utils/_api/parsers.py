# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse what the API answers into records.  Pure.  Raises CloudError where the user may not see enough."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.errors import CloudError
from ansible_collections.manila.migration.plugins.module_utils._model.moments import epoch
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    AccessRule,
    Capacity,
    Instance,
    Lock,
    Pool,
    Service,
    Share,
    ShareNetwork,
    ShareServer,
    Snapshot,
)


def parse_share(body: Mapping[str, Any]) -> Share:
    if "host" not in body:
        raise CloudError(
            "This user may not see where shares are kept: Manila shows the host of a share only to "
            "administrators. Use credentials with the admin role, or with one that Manila's policy "
            "treats alike.",
            403,
        )
    return Share(
        id=body["id"],
        name=body.get("name") or "",
        size_gb=int(body.get("size") or 0),
        host=body.get("host") or "",
        status=body["status"],
        task_state=body.get("task_state"),
        project_id=body.get("project_id"),
        protocol=body.get("share_proto") or "",
        share_type_id=body.get("share_type"),
        share_type_name=body.get("share_type_name"),
        share_network_id=body.get("share_network_id"),
        share_server_id=body.get("share_server_id"),
        share_group_id=body.get("share_group_id"),
        has_replicas=bool(body.get("has_replicas")),
        access_rules_status=body.get("access_rules_status") or "active",
        availability_zone=body.get("availability_zone"),
        snapshot_id=body.get("snapshot_id"),
        is_encrypted=bool(body.get("encryption_key_ref")),
        metadata=dict(body.get("metadata") or {}),
    )


def parse_snapshot(body: Mapping[str, Any]) -> Snapshot:
    return Snapshot(body["id"], body["share_id"], body["status"], body.get("name") or "")


def parse_instance(body: Mapping[str, Any]) -> Instance:
    return Instance(
        id=body["id"],
        share_id=body["share_id"],
        host=body.get("host") or "",
        status=body["status"],
        share_type_id=body.get("share_type_id"),
        share_network_id=body.get("share_network_id"),
        share_server_id=body.get("share_server_id"),
        replica_state=body.get("replica_state"),
        read_only=bool(body.get("cast_rules_to_readonly")),
        created_at=body.get("created_at"),
        updated_at=body.get("updated_at"),
    )


def parse_paths(exports: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the paths that clients mount, sorted."""
    return tuple(sorted(one["path"] for one in exports if not one.get("is_admin_only", False)))


def parse_access_rule(body: Mapping[str, Any]) -> AccessRule:
    return AccessRule(
        id=body.get("id") or "",
        access_type=body["access_type"],
        access_to=body["access_to"],
        state=body.get("state") or "active",
        level=body["access_level"],
        created_at=body.get("created_at"),
    )


def parse_unapplied_rules(rules: Iterable[AccessRule]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (f"{rule.access_type} {rule.access_to}", rule.state)
        for rule in rules
        if rule.state != "active"
    )


def parse_lock(body: Mapping[str, Any]) -> Lock:
    return Lock(
        id=body["id"],
        kind=body["resource_type"],
        resource_id=body["resource_id"],
        action=body["resource_action"],
        context=body["lock_context"],
        user_id=body["user_id"],
        project_id=body["project_id"],
        reason=body.get("lock_reason") or "",
    )


def parse_share_server(body: Mapping[str, Any]) -> ShareServer:
    return ShareServer(
        id=body["id"],
        host=body.get("host") or "",
        status=body["status"],
        task_state=body.get("task_state"),
        project_id=body.get("project_id"),
        share_network_id=body.get("share_network_id"),
        source_id=body.get("source_share_server_id"),
        is_encrypted=bool(body.get("encryption_key_ref")),
        created_at=body.get("created_at"),
        updated_at=body.get("updated_at"),
    )


def parse_share_network(body: Mapping[str, Any]) -> ShareNetwork:
    subnets = body.get("share_network_subnets") or []
    return ShareNetwork(
        id=body["id"],
        name=body.get("name") or "",
        status=body.get("status") or "active",
        zones=frozenset(one.get("availability_zone") for one in subnets),
    )


def parse_pool(body: Mapping[str, Any]) -> Pool:
    has = body.get("capabilities") or {}
    thin = has.get("thin_provisioning", False)
    ratio = parse_number(has.get("max_over_subscription_ratio"))
    return Pool(
        name=body["name"],
        total_gb=parse_capacity(has.get("total_capacity_gb", "unknown")),
        free_gb=parse_capacity(has.get("free_capacity_gb", "unknown")),
        provisioned_gb=parse_number(has.get("provisioned_capacity_gb")),
        allocated_gb=parse_number(has.get("allocated_capacity_gb")),
        reserved_percentage=parse_number(has.get("reserved_percentage")) or 0,
        reserved_snapshot_percentage=parse_number(has.get("reserved_snapshot_percentage")) or 0,
        # The scheduler has a default of its own, 20 unless configured: this one is never too much.
        max_over_subscription_ratio=1.0 if ratio is None else ratio,
        thin_provisioning=True in (thin if isinstance(thin, list) else [thin]),
        capabilities=dict(has),
    )


def parse_service(body: Mapping[str, Any], now: float) -> Service:
    beat = epoch(body.get("updated_at"))
    return Service(
        binary=body["binary"],
        host=body["host"],
        status=body["status"],
        state=body["state"],
        # 60 s is Manila's default for service_down_time; a cloud with a longer one reports
        # often enough all the same (report_interval, 10 s).
        fresh=beat is None or now - beat <= 60,
        beat=beat,
        disabled_reason=body.get("disabled_reason"),
        zone=body.get("zone"),
        updated_at=body.get("updated_at"),
    )


def parse_capacity(value: Any) -> Capacity:
    number = parse_number(value)
    return str(value) if number is None else number


def parse_number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
