# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan does with share servers, which move with all their shares or with none.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    check_blockers,
    place_blockers,
    server_blockers,
    server_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
    ShareServer,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import listed, many
from ansible_collections.manila.migration.plugins.module_utils._planner.context import (
    Context,
    ServerShare,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    MigrationEntry,
    ServerShareEntry,
    Subject,
    as_dicts,
    describe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.exclusions import Exclusions
from ansible_collections.manila.migration.plugins.module_utils._planner.motion import (
    is_server_migrating,
    observe_moving_replica,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import (
    Candidate,
    Excluded,
    Outcome,
    Question,
    Running,
    Unplaced,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.packing import (
    Item,
    Placing,
    Site,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.refusals import (
    condense,
    elsewhere,
    explain_full_backends,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    capacity_invalid,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import (
    Claim,
    claims_aboard,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_server,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLING,
    COMPLETING,
    FAILED,
    GOING,
    IDLE,
    MOVING,
    STUCK,
)

_UNUSED = frozenset({"active", "inactive", "error"})
"""Statuses of share servers without shares that nothing is about to be done with."""


def share_servers_of(
    context: Context, share: Share, here: Sequence[Instance]
) -> list[tuple[str, str]]:
    """Return the share servers with which a share moves, and its pools there; none: by itself.

    A share that migrates by itself already goes on so.  ``here`` are its instances at the source.
    """
    if not context.request.moves_servers:
        return []
    left_over = not context.scope.takes_from(share.host) and not share.has_replicas
    alone = share.status == MOVING[SHARE] or observe_moving_replica(context, share) is not None
    if alone or left_over:
        return []
    if not here:
        return [(share.share_server_id, share.host)] if share.share_server_id else []
    return [
        (instance.share_server_id, instance.host) for instance in here if instance.share_server_id
    ]


class ServerPlanner:
    """Plans share servers."""

    def __init__(self, context: Context, exclusions: Exclusions) -> None:
        self._context = context
        self._exclusions = exclusions
        rooms = context.rooms.values()
        self._backends = [
            Site(backend, tuple(room for room in rooms if room.pool.backend == backend))
            for backend in sorted({room.pool.backend for room in rooms})
        ]

    def plan(self, shares_by_server: Mapping[str, Sequence[ServerShare]]) -> Iterator[Outcome]:
        """Plan all share servers of the source, and those with these shares."""
        # One that isn't listed was removed a moment ago, or is hidden: its shares don't move alone.
        servers = {
            server_id: ShareServer(server_id, backend_of(shares[0].host), "missing")
            for server_id, shares in shares_by_server.items()
        }
        takes_from = self._context.scope.takes_from
        inventory = self._context.inventory
        servers.update(
            (server.id, server) for server in inventory.servers if takes_from(server.host)
        )
        considered: list[ServerShare] = []
        unused: list[str] = []
        for server_id, server in sorted(servers.items()):
            shares = sorted(
                shares_by_server.get(server_id, ()),
                key=lambda server_share: (
                    server_share.share.name,
                    server_share.share.id,
                    server_share.host,
                ),
            )
            if self._exclusions.match(server_id) or (
                shares and all(server_share.excluded for server_share in shares)
            ):
                yield Excluded(self._describe(server, shares))
                continue
            excluded = {
                server_share.share.id: server_share.share
                for server_share in shares
                if server_share.excluded
            }
            for share_id, share in excluded.items():
                yield Excluded(describe_share(self._context, share_id, share))
            running = self._find_running(server, shares)
            if running:
                yield running
            elif shares:
                yield from self._consider(server, shares)
                considered += shares
            elif server.status in _UNUSED and server_id not in inventory.on_servers:
                unused.append(server_id)
        yield from self._warn_of_differences(considered)
        yield from self._warn_of_unused(unused)

    def warn_of_arrivals(self) -> Iterator[Reason]:
        """Name those that migrate to what is to be emptied, or to the back end it is a pool of."""
        inventory = self._context.inventory
        sources = {backend_of(place) for place in self._context.request.places}
        for server in sorted(inventory.servers, key=attrgetter("id")):
            if server.status != MOVING[SHARE_SERVER] or server.host in sources:
                continue
            seen = observe_server(server.id, inventory.servers)
            if seen and seen.destination in sources:
                count = len(inventory.aboard(server.id))
                yield Reason(
                    "fills_source",
                    f"share server {server.id} with {many(count, 'share')} migrates from "
                    f"{server.host} to {seen.destination}",
                )

    def _describe(self, server: ShareServer, shares: Sequence[ServerShare]) -> Subject:
        """Describe a share server, which has no name."""
        return {
            "kind": SHARE_SERVER,
            "id": server.id,
            "name": "",
            "label": f"share server {server.id}",
            "size_gb": sum(server_share.share.size_gb for server_share in shares),
            "migrating": is_server_migrating(self._context, server, shares),
            "shares": [
                {
                    "id": server_share.share.id,
                    "name": server_share.share.name,
                    "size_gb": server_share.share.size_gb,
                    "source": server_share.host,
                }
                for server_share in shares
            ],
        }

    def _find_running(
        self, server: ShareServer, shares: Sequence[ServerShare]
    ) -> Running | Unplaced | None:
        """Take up, or name, a migration of a share server, if there is one."""
        seen = observe_server(server.id, self._context.inventory.servers)
        if seen is None:
            return None
        phase = classify(seen, Target())
        if seen.moving and phase == STUCK:
            reason = Reason(
                "stuck",
                f"it has the status {server.status!r} and the task state {server.task_state!r}: "
                "migration_repair says what is wrong",
            )
            return Unplaced.because(self._describe(server, shares), reason)
        if shares and server.status == "error" and phase == FAILED:
            reason = Reason(
                "stuck",
                "the second phase of its migration failed, and it is in error with its destination "
                "and all its shares: migration_repair names what is concerned",
            )
            return Unplaced.because(self._describe(server, shares), reason)
        if seen.moving or (server.status in GOING and phase == COMPLETING):
            return self._take_up(server, seen, shares, phase)
        return None

    def _take_up(
        self, server: ShareServer, seen: Observation, shares: Sequence[ServerShare], phase: str
    ) -> Running | Unplaced:
        """Take up a migration away from the source that exists, wherever it was started."""
        inventory = self._context.inventory
        # The source comes first; at the end the instances of its shares are elsewhere already.
        places = [place.host for place in (seen.instances or ())[1:]]
        arrived = []
        if not shares and seen.successor:
            arrived = [ServerShare(share, host) for share, host in inventory.aboard(seen.successor)]
            shares = arrived
        reasons = [*_excluded_shares(shares), *self._destination_problems(places, phase)]
        if reasons:
            return Unplaced.because(self._describe(server, shares), *reasons)
        # Where to was settled when it was started.
        networks = [
            other.share_network_id for other in inventory.servers if other.id == seen.successor
        ]
        network = networks[0] if networks else None
        options = replace(
            self._options(server),
            new_share_network_id=network if network != server.share_network_id else None,
        )
        expected = {
            **self._context.under_way.places,
            **{server_share.share.id: server_share.host for server_share in arrived},
        }
        return Running(self._entry(server, shares, places[0], options, phase, expected))

    def _destination_problems(self, places: Sequence[str], phase: str) -> list[Reason]:
        """Return why a migration to these places can't be taken up."""
        if not places:
            doing = "is being cancelled" if phase == CANCELLING else "was started a moment ago"
            return [
                Reason(
                    "destination_unknown",
                    f"its migration {doing}, where to is not known: ask again",
                )
            ]
        if len(places) > 1:
            return [
                Reason(
                    "stuck",
                    f"it migrates and has several destinations, at {', '.join(sorted(places))}: "
                    "migration_repair names them",
                )
            ]
        if not self._context.scope.brings_to_backend(places[0]):
            return [elsewhere(places[0])]
        return []

    def _consider(
        self, server: ShareServer, shares: Sequence[ServerShare]
    ) -> Iterator[Question | Candidate | Unplaced]:
        options = self._options(server)
        claims = claims_aboard(self._context.inventory, server.id)
        reasons = _excluded_shares(shares) + server_blockers(self._context.inventory, server)
        if self._context.request.mechanism == "host":
            reasons.append(
                Reason(
                    "options_conflict",
                    "mechanism 'host' is asked for, and only drivers move share servers: with "
                    "share_servers: split its shares move one by one",
                )
            )
        sites: dict[str, Site] = {}
        refused: list[tuple[str, list[Reason]]] = []
        for site in self._backends:
            blockers = place_blockers(self._context.inventory, server, site.name, options)
            if not blockers and not reasons:
                yield Question(server.id, site.name, options)
            check = self._context.inventory.checks.get((server.id, site.name))
            if check is not None:
                blockers += check_blockers(self._context.inventory, server, options, check)
            blockers += _uncountable(site, claims)
            if blockers:
                refused.append((site.name, blockers))
            else:
                sites[site.name] = site
        refusals = condense(refused, "back end") + self._context.no_destination()
        subject = self._describe(server, shares)
        if reasons or not sites:
            yield Unplaced.because(subject, *(reasons if sites else reasons + refusals))
            return

        def make_entry(placing: Placing) -> MigrationEntry:
            expected = {claim.share_id: room.name for claim, room in zip(claims, placing.rooms)}
            return self._entry(server, shares, placing.site.name, options, IDLE, expected)

        order = (len(sites), server.id)
        size_gb = sum(claim.size_gb for claim in claims)
        item = Item(server.id, size_gb, claims, sites, order, to_backend=True)
        yield Candidate(item, subject, refusals, make_entry, explain_full_backends)

    def _options(self, server: ShareServer) -> Options:
        """Return what Manila is asked for.  Whether drivers only, or a type, is no question."""
        request = self._context.request
        network = request.share_network_map.get(server.share_network_id or "")
        return Options(
            writable="writable" in request.require,
            nondisruptive="nondisruptive" in request.require,
            preserve_snapshots="preserve_snapshots" in request.require,
            new_share_network_id=network if network != server.share_network_id else None,
        )

    def _entry(
        self,
        server: ShareServer,
        shares: Sequence[ServerShare],
        destination: str,
        options: Options,
        phase: str,
        expected: Mapping[str, str],
    ) -> MigrationEntry:
        """``expected`` are pools by the IDs of shares: the drivers may choose others."""
        inventory = self._context.inventory
        check = inventory.checks.get((server.id, destination))
        subject = self._describe(server, shares)
        placed: list[ServerShareEntry] = [
            {**share, "destination": expected.get(share["id"])} for share in subject["shares"]
        ]
        return {
            "kind": subject["kind"],
            "id": subject["id"],
            "name": subject["name"],
            "label": subject["label"],
            "size_gb": subject["size_gb"],
            "migrating": subject["migrating"],
            "shares": placed,
            "project_id": server.project_id,
            "source": server.host,
            "destination": destination,
            "phase": phase,
            "options": dict(vars(options)),
            "warnings": as_dicts(server_warnings(inventory, server, check, destination)),
            "group": "",
            "group_missing": [],
        }

    def _warn_of_differences(self, considered: Sequence[ServerShare]) -> Iterator[Reason]:
        """Say what is different for share servers from what was asked."""
        if considered and "preserve_metadata" in self._context.request.require:
            yield Reason(
                "metadata_not_asked",
                "preserve_metadata is required, which can't be asked for with share servers: "
                "their drivers decide",
            )
        types = {server_share.share.share_type_id or "" for server_share in considered}
        mapped = sorted(
            self._context.inventory.share_types[old].name
            for old, new in self._context.types.items()
            if old in types and old != new
        )
        if mapped:
            yield Reason(
                "type_kept",
                f"{listed(mapped, 'share type')}: mapped to another share type, which shares "
                "that move with their share servers do not get",
            )

    def _warn_of_unused(self, unused: Sequence[str]) -> Iterator[Reason]:
        """Name share servers without shares."""
        grouped = self._context.inventory.grouped_servers
        for servers, end in (
            (
                [server_id for server_id in unused if server_id not in grouped],
                "Manila removes idle ones itself (automatic_share_server_cleanup), migration_repair "
                "what is left of migrations",
            ),
            (
                [server_id for server_id in unused if server_id in grouped],
                "share groups live on them and have to be removed first",
            ),
        ):
            if servers:
                yield Reason(
                    "empty_server",
                    f"share servers without shares: {listed(servers, 'share server')}; {end}",
                )


def _excluded_shares(shares: Iterable[ServerShare]) -> list[Reason]:
    names = {
        server_share.share.id: server_share.share.name or server_share.share.id
        for server_share in shares
        if server_share.excluded
    }
    if not names:
        return []
    return [
        Reason(
            "excluded_share",
            f"{listed(list(names.values()), 'share')}: excluded, and a share server moves with "
            "all its shares or, if excluded itself, with none",
        )
    ]


def _uncountable(site: Site, claims: Iterable[Claim]) -> list[Reason]:
    """Return the reason if no pool of a back end has figures to calculate with for a share."""
    for claim in claims:
        if all(
            capacity_invalid(room.pool, claim.share_type, claim.from_snapshot)
            for room in site.rooms
        ):
            return [
                Reason(
                    "capacity_invalid",
                    "none of its pools reports capacities that can be calculated with",
                )
            ]
    return []
