# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host-assisted or driver-assisted: which mechanisms the asked options leave, and what each needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.wording import some

DRIVER = "driver"


HOST = "host"


_DEMANDS = ("preserve_metadata", "preserve_snapshots", "writable", "nondisruptive")
"""What only drivers can promise."""


def _demands(options: Options) -> list[str]:
    return [name for name in _DEMANDS if getattr(options, name)]


# Few options are asked about for many shares: their answers are kept.
@cache
def mechanisms(options: Options) -> tuple[str, ...]:
    """What Manila would try, in this order: share/manager.py, migration_start()."""
    if options.force_host_assisted_migration:
        return (HOST,)
    return (DRIVER,) if _demands(options) else (DRIVER, HOST)


def forbidden(options: Options, ask: Callable[[str], list[Reason]]) -> list[Reason]:
    """What forbids every mechanism that Manila would try; nothing where one of them is open.

    ``ask`` says what forbids one.
    """
    found: list[Reason] = []
    for mechanism in mechanisms(options):
        reasons = ask(mechanism)
        if not reasons:
            return []
        found += reasons
    return list(dict.fromkeys(found))


def options_conflict(options: Options) -> Reason | None:
    """Forced host-assisted migration with something that only drivers can do: share/api.py."""
    flags = _demands(options)
    if not options.force_host_assisted_migration or not flags:
        return None
    return Reason(
        "options_conflict",
        f"force_host_assisted_migration excludes {', '.join(flags)}: a host-assisted migration "
        "can't promise that",
    )


@cache
def option_blockers(options: Options, mechanism: str) -> tuple[Reason, ...]:
    """What is asked for against what a mechanism can do: share/api.py, share/manager.py."""
    conflict = options_conflict(options)
    if conflict:
        return (conflict,)
    if mechanism not in mechanisms(options):
        if mechanism == DRIVER:
            return (
                Reason(
                    "host_forced", "force_host_assisted_migration is asked for: no driver is asked"
                ),
            )
        return (
            Reason(
                "driver_only",
                f"{', '.join(_demands(options))}: asked for, and only drivers can promise that",
            ),
        )
    return ()


def data_service_blockers(inventory: Inventory) -> list[Reason]:
    """Why nothing can be copied by the Data Service: share/manager.py casts, and doesn't look.

    Disabled or not, one that lives takes up what was cast.
    """
    services = inventory.data_services
    if services is None or any(one.alive for one in services):
        return []
    waits = "Manila would accept the start, and clients could only read until one comes"
    if services:
        where = some(sorted(one.host for one in services))
        return [Reason("data_service_down", f"manila-data ({where}) is down: {waits}")]
    return [Reason("data_service_missing", f"no manila-data service is registered: {waits}")]


def data_service_warnings(inventory: Inventory) -> list[Reason]:
    """What hinders people while the Data Service copies: share/api.py, data/rpcapi.py."""
    alive = [one for one in inventory.data_services or () if one.alive]
    enabled = [one for one in inventory.data_services or () if one.enabled]
    found = []
    if alive and not any(one.enabled for one in alive):
        found.append(
            Reason(
                "data_service_disabled",
                f"manila-data ({some(sorted(one.host for one in alive))}) is disabled: it copies all "
                "the same, and Manila neither tells the progress nor cancels",
            )
        )
    reached = {one.host for one in (*alive, *enabled)}
    if alive and len(reached) > 1:
        found.append(
            Reason(
                "data_service_several",
                f"there are {len(reached)} manila-data services ({some(sorted(reached))}): progress "
                "and cancel reach any of them, and fail at those that don't copy",
            )
        )
    return found


def plan_blockers(inventory: Inventory, mechanism: str) -> list[Reason]:
    """Why no share can be migrated at all, whichever it is, for a plan's ``mechanism``."""
    return data_service_blockers(inventory) if mechanism == HOST else []


def plan_warnings(inventory: Inventory, source: str, mechanism: str) -> list[Reason]:
    """What to know of a plan for the shares at ``source``, by its ``mechanism`` (auto too)."""
    found = []
    backend = backend_of(source)
    service = inventory.services.get(backend)
    if service is not None and not service.alive:
        found.append(
            Reason(
                "service_down",
                f"the manila-share service of {backend} is down: no share can leave until it is back",
            )
        )
    if mechanism == DRIVER:
        return found
    if mechanism != HOST:
        found += [
            Reason(one.code, f"what no driver moves can't be moved: {one.message}")
            for one in data_service_blockers(inventory)
        ]
    return found + data_service_warnings(inventory)
