# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks everything that can be asked about the migration of one share server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._api.inventory_reader import (
    read_inventory,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    CAPABILITIES,
    check_blockers,
    place_blockers,
    server_blockers,
    server_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._model.locks import UNKNOWN
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import is_backend
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Compatibility,
    ShareServer,
)

SERVER_ARGUMENTS: dict[str, Any] = {
    "share_server": {"required": True, "aliases": ["share_server_id"]},
    **{name: {"type": "bool", "default": False} for name in CAPABILITIES},
    "new_share_network": {"aliases": ["new_share_network_id"]},
}
"""Arguments of the modules that are about one share server."""


def check_destination(destination: str) -> str | None:
    """What is wrong with a ``destination_host``, in a sentence; None if nothing is."""
    if is_backend(destination):
        return None
    backend = destination.partition("#")[0]
    hint = ""
    if is_backend(backend):
        hint = f" ({backend}): the driver chooses the pools"
    return f"destination_host: {destination!r} is no back end; write it as host@backend{hint}."


def server_options(cloud: Cloud, params: Mapping[str, Any]) -> Options:
    """The options that a module was given.  Raises CloudError for an unknown share network."""
    network = params["new_share_network"]
    return Options(
        **{name: params[name] for name in CAPABILITIES},
        new_share_network_id=cloud.find_share_network(network) if network else None,
    )


def requested_capabilities(destination: str, options: Options) -> dict[str, Any]:
    """What is asked for, in the form in which Manila's check repeats it."""
    return {
        **{name: getattr(options, name) for name in CAPABILITIES},
        "share_network_id": options.new_share_network_id,
        "host": destination,
    }


@dataclass(frozen=True)
class Verdict:
    """What is known of a share server's way to a back end before it is begun."""

    check: Compatibility
    blockers: list[Reason]
    warnings: list[Reason]

    @property
    def compatible(self) -> bool:
        """Whether nothing speaks against it, neither Manila nor what is seen here."""
        return self.check.compatible and not self.blockers


def judge(cloud: Cloud, server: ShareServer, destination: str, options: Options) -> Verdict:
    """Every blocker and warning at once, Manila's own check among them.  Raises CloudError."""
    inventory = read_inventory(cloud, server.host)
    inventory = replace(
        inventory,
        servers=cloud.share_servers(),
        networks={one.id: one for one in cloud.share_networks()},
        grouped_servers=frozenset(cloud.grouped_servers()),
    )
    blockers = server_blockers(inventory, server)
    blockers += [
        Reason(one.code, f"{destination}: {one.message}")
        for one in place_blockers(inventory, server, destination, options)
    ]
    check = cloud.check_server(server.id, destination, options)
    found = check_blockers(inventory, server, options, check)
    if blockers and check.refusal is not None:
        # Manila stopped at one of those that are known already.
        found = [one for one in found if one.code != "refused"]
    warnings = server_warnings(inventory, server, check)
    if inventory.locks is None:
        warnings.append(UNKNOWN)
    return Verdict(check, blockers + found, warnings)
