# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads everything that decides about the migration of one share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    NotFound,
)
from ansible_collections.manila.migration.plugins.module_utils._api.inventory_reader import (
    read_inventory,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    DRIVER,
    HOST,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.start import (
    mechanism_blockers,
    mechanism_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import (
    Details,
    Inventory,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.places import is_pool
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import Quota, Share
from ansible_collections.manila.migration.plugins.module_utils._scheduler.affinity import (
    named_in_hints,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import under_way

_FLAGS = (
    "preserve_metadata",
    "preserve_snapshots",
    "writable",
    "nondisruptive",
    "force_host_assisted_migration",
)

SHARE_ARGUMENTS: dict[str, Any] = {
    "share": {"required": True},
    **{name: {"type": "bool", "default": False} for name in _FLAGS},
    "new_share_type": {"aliases": ["new_share_type_id"]},
    "new_share_network": {"aliases": ["new_share_network_id"]},
}
"""Arguments of the modules that are about one share."""


def check_destination(destination: str) -> str | None:
    """What is wrong with a ``destination_pool``, in a sentence; None if nothing is."""
    if is_pool(destination):
        return None
    return f"destination_pool: {destination!r} names no pool; write it as host@backend#pool."


def asked_for(params: Mapping[str, Any]) -> Options:
    """The options that a module was given, but for a new share type and a new share network."""
    return Options(**{name: params[name] for name in _FLAGS})


def share_options(cloud: Cloud, params: Mapping[str, Any]) -> Options:
    """The options that a module was given.  Raises CloudError for names that are unknown."""
    new_type, new_network = params["new_share_type"], params["new_share_network"]
    return replace(
        asked_for(params),
        new_share_type_id=cloud.find_share_type(new_type).id if new_type else None,
        new_share_network_id=cloud.find_share_network(new_network) if new_network else None,
    )


def read_for_share(
    cloud: Cloud, share: Share, options: Options, data_node_access_ips: Sequence[str] | None = None
) -> tuple[Inventory, Details]:
    """What there is, and what is read of one share only when one is asked about.

    Raises CloudError.
    """
    inventory = read_inventory(cloud, share.host)
    # Left-overs are elsewhere, and a share that was never placed is nowhere.
    inventory = replace(
        inventory,
        shares=tuple({share.id: share, **inventory.shares_by_id}.values()),
        instances={**inventory.instances, share.id: cloud.instances_of(share.id)},
    )
    if options.new_share_network_id or share.share_network_id:
        networks = {one.id: one for one in cloud.share_networks()}
        inventory = replace(inventory, networks=networks)
    new_type = inventory.share_types.get(options.new_share_type_id or share.share_type_id or "")
    by_qos = new_type is not None and "default_qos_type" in new_type.extra_specs
    details = Details(
        snapshots=cloud.snapshots_of(share.id),
        rules=cloud.access_rules(share.id),
        quotas=_quotas(cloud, share, options),
        neighbours=_neighbours(cloud, share),
        qos_types=cloud.qos_types() if by_qos else None,
        data_node_access_ips=data_node_access_ips,
    )
    return inventory, details


def _quotas(cloud: Cloud, share: Share, options: Options) -> dict[str, dict[str, Quota]] | None:
    """The quotas that a new share type touches, None where Manila doesn't count it."""
    if not cloud.counts_new_types:
        return None
    new = options.new_share_type_id
    if new in (None, share.share_type_id) or not share.project_id:
        return {}
    try:
        return {
            "the quota of its project": cloud.quotas(share.project_id),
            "the quota of its project for the new share type": cloud.quotas(share.project_id, new),
        }
    except CloudError as error:
        if error.status_code == 403:  # a policy of its own
            return {}
        raise


def _neighbours(cloud: Cloud, share: Share) -> dict[str, list[str]]:
    """Where the shares are that affinity hints name."""
    found: dict[str, list[str]] = {}
    for other in filter(None, sorted(named_in_hints(share.metadata))):
        try:
            found[other] = [one.host for one in cloud.instances_of(other)]
        except NotFound:
            found[other] = []
    return found


@dataclass(frozen=True)
class Verdict:
    """What is known of one way to migrate a share before it is begun."""

    blockers: list[Reason]
    warnings: list[Reason]

    def as_dict(self) -> dict[str, Any]:
        """The form in which the module returns it."""
        return {
            "possible": not self.blockers,
            "blockers": [one.as_dict() for one in self.blockers],
            "warnings": [one.as_dict() for one in self.warnings],
        }


def judge(inventory: Inventory, migration: Migration, details: Details) -> dict[str, Verdict]:
    """Every blocker and warning at once, for each mechanism."""
    loads = under_way(inventory).loads
    return {
        mechanism: Verdict(
            mechanism_blockers(inventory, migration, mechanism, loads, details),
            mechanism_warnings(inventory, migration, mechanism, details),
        )
        for mechanism in (DRIVER, HOST)
    }
