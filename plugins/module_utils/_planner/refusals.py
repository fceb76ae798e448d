# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why destinations can't take something, in few words.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.wording import listed, many
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import Candidate
from ansible_collections.manila.migration.plugins.module_utils._planner.packing import Item, Site
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import settle


def condense(refused: Sequence[tuple[str, Sequence[Reason]]], noun: str) -> list[Reason]:
    """Return every reason of the destinations that lack the least.

    One of another kind altogether has a dozen reasons of its own, which nobody will remove.
    """
    least = min((len(reasons) for _name, reasons in refused), default=0)
    names_by_reason: dict[Reason, list[str]] = {}
    for name, reasons in refused:
        if len(reasons) == least:
            for reason in reasons:
                names_by_reason.setdefault(reason, []).append(name)
    return [
        Reason(reason.code, f"{listed(names, noun)}: {reason.message}")
        for reason, names in names_by_reason.items()
    ]


def elsewhere(destination: str) -> Reason:
    """Return why a migration that exists is not a part of the plan."""
    return Reason(
        "migrating_elsewhere",
        f"it already migrates to {destination}, which is not among the destinations: allow that, "
        "or cancel that migration",
    )


def explain_full_pools(item: Item) -> str:
    """Say how much room the pools that could take a share have left."""
    rooms = [site.rooms[0] for site in item.sites.values()]
    (claim,) = item.claims
    most = max(rooms, key=lambda room: room.holds(claim))
    return (
        f"{listed([room.name for room in rooms], 'pool')}: {item.size_gb} GiB are needed and, "
        f"with what is planned, there is room for {most.holds(claim):g} GiB"
        + (f" at most (at {most.name})" if len(rooms) > 1 else "")
    )


def explain_full_backends(item: Item) -> str:
    """Say how much room the back ends that could take a share server have left."""

    def room_for(site: Site) -> int:
        lacking = settle(item.claims, site.rooms).lacking
        return item.size_gb - sum(claim.size_gb for claim in lacking)

    most = max(item.sites.values(), key=room_for)
    return (
        f"{listed(list(item.sites), 'back end')}: room is needed for "
        f"{many(len(item.claims), 'share')} with {item.size_gb} GiB together and, with what is "
        f"planned, {room_for(most)} GiB of that find some"
        + (f" at most (at {most.name})" if len(item.sites) > 1 else "")
    )


class Shortages:
    """Why there is no room for candidates: worked out once for all that are alike."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Sequence[Reason]] = {}

    def of(self, candidate: Candidate) -> Sequence[Reason]:
        """Return why a candidate has no destination."""
        item = candidate.item
        key = item.size_gb, item.order
        reasons = self._known.get(key)
        if reasons is None:
            shortage = Reason("no_capacity", candidate.explain_shortage(item))
            reasons = self._known[key] = (shortage, *candidate.refusals)
        return reasons
