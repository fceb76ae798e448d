# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pool can't take a share: service, protocol, capabilities, zone and room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Pool,
    Service,
    Share,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    spec_matches,
)


def pool_blockers(
    share: Share,
    share_type: ShareType,
    pool: Pool,
    service: Service | None,
    options: Options,
    source: str,
) -> list[Reason]:
    """Every reason why ``pool`` can't take the share, its size aside (``fits`` does that).

    ``share_type`` is the type that the share will have, ``source`` the pool where it is.
    Of the share only the protocol counts, so one answer holds for all shares alike in that,
    in type, options and source; and, where ``pool`` is the source, type and share network.
    """
    found = []
    if (
        pool.name == source
        and options.new_share_type_id in (None, share.share_type_id)
        and options.new_share_network_id in (None, share.share_network_id)
    ):
        # Manila answers 200, does nothing and calls it a success: share/api.py.
        found.append(Reason("same_pool", "the share is in this pool already"))
    found += service_blockers(service)
    zones = share_type.extra_specs.get("availability_zones", "")
    if zones and service and service.zone and service.zone not in zones.split(","):
        # share/api.py; exact names, blanks count.
        found.append(
            Reason(
                "availability_zone",
                f"the share type {share_type.name!r} is for the availability zones {zones}, and "
                f"the pool is in {service.zone}",
            )
        )
    return found + _spec_blockers(share, share_type, pool)


def service_blockers(service: Service | None) -> list[Reason]:
    """utils.validate_service_host() in share/api.py, scheduler/host_manager.py."""
    if service is None:
        return [Reason("service_missing", "the pool has no manila-share service")]
    found = []
    if not service.enabled:
        why = f" ({service.disabled_reason})" if service.disabled_reason else ""
        found.append(
            Reason("service_disabled", f"the pool's manila-share service is disabled{why}")
        )
    if not service.alive:
        found.append(Reason("service_down", "the pool's manila-share service is down"))
    return found


# common/constants.py, ExtraSpecs.BOOLEAN: compared as truth values whatever the type says.
_BOOLEAN_SPECS = (
    "driver_handles_share_servers",
    "snapshot_support",
    "create_share_from_snapshot_support",
    "revert_to_snapshot_support",
    "mount_snapshot_support",
    "snapshot_inherit_share_access_support",
)


# scheduler/utils.py: no capabilities of pools.
_NOT_CAPABILITIES = ("availability_zones", "capabilities:availability_zones", "default_qos_type")


def _spec_blockers(share: Share, share_type: ShareType, pool: Pool) -> list[Reason]:
    """Extra specs against capabilities: scheduler/filters/capabilities.py, drivers/filter.py."""
    specs = {key: str(value) for key, value in share_type.extra_specs.items()}
    for key in _BOOLEAN_SPECS:
        if key in specs and not specs[key].startswith("<is>"):
            specs[key] = f"<is> {specs[key]}"
    if share.protocol:
        specs.setdefault("storage_protocol", f"<in> {share.protocol}")
    found = []
    for key, wants in sorted(specs.items()):
        scope = key.split(":")
        if key in _NOT_CAPABILITIES or (len(scope) > 1 and scope[0] != "capabilities"):
            continue
        path = scope[1:] if scope[0] == "capabilities" else scope
        has = _capability(pool, path)
        # Several values: one that fits is enough.
        if not any(spec_matches(one, wants) for one in (has if isinstance(has, list) else [has])):
            found.append(_mismatch(share, share_type, ":".join(path), wants, has))
    if specs.get("default_qos_type") and not pool.capabilities.get("qos_type_support"):
        found.append(_mismatch(share, share_type, "qos_type_support", "True", None))
    if "replication_type" in specs and pool.capabilities.get("replication_domain") is None:
        # scheduler/filters/share_replication.py
        found.append(_mismatch(share, share_type, "replication_domain", "any", None))
    return found


def _capability(pool: Pool, path: Sequence[str]) -> object:
    value: object = pool.capabilities
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _mismatch(share: Share, share_type: ShareType, key: str, wants: str, has: object) -> Reason:
    """The reason for one capability, in the words of what it is about."""
    kind = repr(share_type.name)
    reported = "reports none" if has is None else f"has {has!r}"
    if key == "share_backend_name":
        return Reason(
            "type_pinned",
            # Without a word of the pool: it is the same sentence for all of them.
            f"the share type {kind} is pinned to share_backend_name = {wants!r}: map it to another "
            "type (share_type_map, new_share_type)",
        )
    if key == "driver_handles_share_servers":
        return Reason(
            "share_servers",
            f"the share type {kind} asks for driver_handles_share_servers = {wants!r} and the pool "
            f"{reported}",
        )
    if key == "storage_protocol" and wants == f"<in> {share.protocol}":
        return Reason("protocol", f"the share needs {share.protocol} and the pool {reported}")
    return Reason(
        "protocol" if key == "storage_protocol" else "capability",
        f"the share type {kind} asks for {key} = {wants!r} and the pool {reported}",
    )
