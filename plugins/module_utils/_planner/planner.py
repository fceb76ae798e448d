# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: what goes where, and what can't go anywhere, and why.

``make_plan()`` turns an inventory and a request into a plan, a dictionary that can be printed,
kept in a file and read again (``plans``).  It changes nothing and asks nobody.  The
same input gives the same plan, whatever the order in which the cloud listed it.

Shares move one by one or, on share servers and unless they are to be split, with their server.
Whether a server can move only Manila and the drivers know: ``checks_to_ask()`` says what to ask
before a plan is made.

Manila's scheduler checks the capacity of a destination when the migration of a share starts but
sets nothing aside, so several that start together may overfill a pool; for share servers it isn't
even asked.  The planner adds up what it places.  Sizes are GiB, fills are percent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import (
    SCHEDULER_DOWN,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    plan_blockers,
    plan_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.pool import (
    pool_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share import (
    share_blockers,
    warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_replica import (
    replica_blockers,
    replica_pool_blockers,
    replica_warnings,
    request_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    check_blockers,
    place_blockers,
    server_blockers,
    server_warnings,
)
from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.locks import UNKNOWN
from ansible_collections.manila.migration.plugins.module_utils._model.markers import Mark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
    ShareServer,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._model.request import (
    CONSOLIDATE,
    REBALANCE,
    WHOLE,
    Request,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import (
    listed,
    many,
    readable,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.forecast import (
    forecast,
    traffic,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.grouping import (
    group_names,
    in_order,
    unknown_members,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.objectives import (
    Chosen,
    Level,
    consolidate,
    rebalance,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.packing import (
    Item,
    Placing,
    Site,
    arrange,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.plan_file import VERSION
from ansible_collections.manila.migration.plugins.module_utils._planner.request import (
    Scope,
    check_request,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.selection import (
    select_shares,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.affinity import (
    DIFFERENT_HOST,
    affinity_blockers,
    named_in_hints,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    capacity_invalid,
    scheduler_fails,
    weights,
    written_part,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    thinks_thin,
    uses_share_servers,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import under_way
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import (
    Claim,
    Room,
    claim_for,
    claims_aboard,
    settle,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Target,
    classify,
    may_migrate,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_replica,
    observe_server,
    observe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLING,
    COMPLETED,
    COMPLETING,
    FAILED,
    GOING,
    IDLE,
    MARKED,
    MIGRATING,
    MOVED,
    MOVING,
    RESTING,
    STUCK,
)

__all__ = ["Inventory", "Question", "Request", "checks_to_ask", "make_plan"]

SHARE_INSTANCE = "share_instance"


class Question(NamedTuple):
    """What to ask Manila: whether a share server can move to a back end, with these options."""

    server_id: str
    destination: str
    options: Options


def checks_to_ask(inventory: Inventory, request: Request) -> list[Question]:
    """What only Manila and the drivers know, and a plan depends on.

    Nothing is asked of what migrates already, and of what can't move for other reasons.  The
    answers belong into ``checks`` of the inventory; one that is missing is no objection.  Raises
    ValueError like ``make_plan``.
    """
    planner = _Planner(inventory, request, check_request(inventory, request))
    planner.sort_out()
    return planner.questions


def make_plan(inventory: Inventory, request: Request) -> dict[str, Any]:
    """The plan.  Raises ValueError, with one sentence, for a request that can't be meant."""
    types = check_request(inventory, request)
    return _Planner(inventory, request, types).plan()


# -- the plan --------------------------------------------------------------------------------

_GOING = GOING | {"migrating"}
"""Statuses of a source instance at the end of a migration."""

_IN_MOTION = frozenset({*MOVING.values(), "migrating_to", "creating"})
"""Statuses of an instance, of whatever share, that a migration may be working on."""

_UNUSED = frozenset({"active", "inactive", "error"})
"""Statuses of share servers without shares that nothing is about to be done with."""


class _Exclusions:
    """What is left out by name or ID, and how often each was met."""

    def __init__(self, names: Iterable[str]) -> None:
        self._met = {name: 0 for name in names if name}  # a form's empty field arrives as ""

    def __bool__(self) -> bool:
        return bool(self._met)

    def match(self, *names: str) -> bool:
        """Whether something with these names and IDs is left out."""
        hits = self._met.keys() & set(names)
        for hit in hits:
            self._met[hit] += 1
        return bool(hits)

    def match_part(self, *wholes: str | None) -> bool:
        """Whether something is left out as a part of these."""
        hits = self._met.keys() & set(wholes)
        for hit in hits:
            self._met[hit] = 1
        return bool(hits)

    def warnings(self) -> list[Reason]:
        """What was met more than once, and what wasn't met at all."""
        several = [
            Reason("exclude_several", f"{name!r} excludes {count} shares of that name")
            for name, count in sorted(self._met.items())
            if count > 1
        ]
        return several + [
            Reason("exclude_unknown", f"{name!r} is excluded, but nothing of that name is here")
            for name, count in sorted(self._met.items())
            if not count
        ]


class _Passenger(NamedTuple):
    """A share on a share server, the pool where it is there, and whether it shall not move."""

    share: Share
    host: str
    excluded: bool = False


@dataclass(frozen=True)
class _Group:
    """Shares that are alike in all that decides which pools can take them, size aside.

    ``sites`` are these pools, ``refusals`` why the others can't.
    """

    share_type: ShareType
    sites: Mapping[str, Site]
    refusals: Sequence[Reason]


class _Case(NamedTuple):
    """What shares of one pool that are alike have in common: worked out once for all of them."""

    options: Options
    share_type: ShareType | None
    group: _Group | None
    sites: Mapping[str, Site]
    order: tuple[Any, ...]
    thin: bool
    written: float


class _Waiting(NamedTuple):
    """Something that looks for a place, and what the plan says of it with one and without."""

    item: Item
    subject: Mapping[str, Any]
    refusals: Sequence[Reason]
    entry: Callable[[Placing], dict[str, Any]]


class _Planner:
    """One plan in the making."""

    def __init__(self, inventory: Inventory, request: Request, types: Mapping[str, str]) -> None:
        self.inventory = inventory
        self.request = request
        self.types = types
        self.scope = Scope(request, inventory)
        self.under_way = under_way(inventory)
        loads = self.under_way.loads
        self.pools = dict(sorted(inventory.pools_by_name.items()))
        self.rooms = {
            name: Room(pool, loads.get(name, NOTHING))
            for name, pool in self.pools.items()
            if self.scope.brings_to(name)
        }
        self.contents = self._contents() if request.chooses else {}
        self.weights = weights(room.pool for room in self.rooms.values())
        self.emptied: frozenset[str] = frozenset()
        self.backends = [
            Site(
                backend, tuple(room for room in self.rooms.values() if room.pool.backend == backend)
            )
            for backend in sorted({room.pool.backend for room in self.rooms.values()})
        ]
        self.warnings: list[Reason] = []
        self.exclusions = _Exclusions(request.exclude)
        self.doomed = self._doomed()
        self.blocked = plan_blockers(inventory, request.mechanism)
        self.groups: dict[tuple[Any, ...], _Group] = {}
        self.cases: dict[tuple[Any, ...], _Case] = {}
        self.ready: dict[tuple[str | None, str | None], Options] = {}
        self.failures: dict[tuple[str | None, bool], Reason | None] = {}
        self.staying: dict[str, list[str]] = {}
        """What can't move, by pool, where not everything has to."""
        self.excluded: list[dict[str, Any]] = []
        self.unplaced: list[dict[str, Any]] = []
        self.running: list[dict[str, Any]] = []
        self.waiting: list[_Waiting] = []
        self.group_of: dict[str, str] = {}
        self.questions: list[Question] = []
        self.full: dict[tuple[Any, ...], Sequence[Reason]] = {}

    def plan(self) -> dict[str, Any]:
        """What waits for a place to its place; with some objectives, what is chosen of it."""
        if not self.inventory.scheduler_up:
            self.warnings.append(SCHEDULER_DOWN)
        self.sort_out()
        self._gather()
        chosen = self._choose()
        while self._leave_incomplete(chosen):
            for room in self.rooms.values():
                room.reset()
            chosen = self._choose()
        self.warnings += chosen.warnings
        planned = []
        for one in self.waiting:
            placing = chosen.placings.get(one.item.id)
            if placing is not None:
                planned.append(one.entry(placing))
            elif not self.request.chooses or self.request.agreed:
                self._cannot(one.subject, self._no_room(one))
        missing = self._missing_members() if self.group_of else {}
        for entry in (*self.running, *planned):
            entry["group"] = self.group_of.get(entry["id"], "")
            entry["group_missing"] = missing.get(entry["group"], [])
        migrations = [
            entry
            for entries in (self.running, planned)
            for entry in in_order(entries, self.request.order, self._shares_of)
        ]
        self.unplaced.sort(key=_by_label)
        self.excluded.sort(key=_by_label)
        self._warn_of_pools(planned)
        self._warn_of_plan(planned)
        if self.inventory.locks is None and migrations:
            self.warnings.append(UNKNOWN)
        return {
            "version": VERSION,
            "source": self.request.source,
            "destinations": list(self.request.destinations),
            "objective": self.request.objective,
            "availability_zone": self.request.availability_zone or None,
            "share_servers": self.request.share_servers,
            "migrations": migrations,
            "unplaced": self.unplaced,
            "excluded": self.excluded,
            "warnings": [reason.as_dict() for reason in self.warnings],
            "pools": self._pools(migrations),
            "emptied": sorted(self.emptied),
            "summary": {
                "migrations": len(migrations),
                "running": len(self.running),
                "unplaced": len(self.unplaced),
                "excluded": len(self.excluded),
                "size_gb": sum(entry["size_gb"] for entry in migrations),
                "shares": sum(len(entry.get("shares", "1")) for entry in migrations),
                "expected_seconds": forecast(migrations, self.request.pace),
            },
        }

    def sort_out(self) -> None:
        """Everything at the source into one of: excluded, unplaced, running, waiting for a place."""
        takes_from = self.scope.takes_from
        aboard: dict[str, list[_Passenger]] = {}
        shares = self.inventory.shares_by_id
        instances = self.inventory.instances
        selected = select_shares(self.inventory, self.request.select, takes_from)
        for share_id in sorted(shares.keys() | instances.keys()):
            share = shares.get(share_id)
            several = instances.get(share_id, ())
            here = [one for one in several if takes_from(one.host)]
            if not here and not (share and (takes_from(share.host) or self._moving(share))):
                continue
            excluded = selected is not None and share_id not in selected
            if self.exclusions:
                excluded = self._excluded(share_id, share, here) or excluded
            berths = self._berths(share, here) if share else []
            if share and berths:
                for server_id, host in berths:
                    aboard.setdefault(server_id, []).append(_Passenger(share, host, excluded))
            elif excluded:
                self.excluded.append(self._share_subject(share_id, share, here))
                self._stays(share_id, share, here, "is left out as asked")
            elif share is None:
                self._leftovers(here, None)
            elif share.has_replicas or self._moving(share):
                self._sort_replica(share, here)
            else:
                self._sort_share(share, several, here)
        if not self.request.chooses:
            self._warn_of_arrivals()
        if self.request.moves_servers:
            self._sort_servers(aboard)
        self.warnings += self.exclusions.warnings()

    def _excluded(self, share_id: str, share: Share | None, here: Sequence[Instance]) -> bool:
        names = [share_id, *(one.id for one in here), share.name if share else ""]
        excluded = self.exclusions.match(*names)
        if not self.request.moves_servers:
            servers = [one.share_server_id for one in here]
            excluded = self.exclusions.match_part(*servers) or excluded
        return excluded

    # -- what is cut over together -----------------------------------------------------------

    def _shares_of(self, subject: Mapping[str, Any]) -> list[Share]:
        ids = [one["id"] for one in subject["shares"]] if "shares" in subject else [subject["id"]]
        shares = self.inventory.shares_by_id
        return [shares[one] for one in ids if one in shares]

    def _gather(self) -> None:
        """Find the cutover group of everything that moves, or should."""
        request = self.request
        if not (request.group_by or request.groups):
            return
        subjects = [
            *(one.subject for one in self.waiting),
            *self.running,
            *self.unplaced,
        ]
        parts = {one["id"]: self._shares_of(one) for one in subjects}
        self.group_of = group_names(parts, request.group_by, request.groups)
        shares = [share for several in parts.values() for share in several]
        self.warnings += [
            Reason("group_unknown", f"{name!r} is to be cut over in a group, but isn't to be moved")
            for name in unknown_members(shares, request.groups)
        ]

    def _missing_members(self) -> dict[str, list[str]]:
        """What can't move, by the group that it would be cut over with."""
        missing: dict[str, list[str]] = {}
        for one in self.unplaced:
            group = self.group_of.get(one["id"], "")
            apart = any(reason["code"] == "group_incomplete" for reason in one["reasons"])
            if group and not apart:
                missing.setdefault(group, []).append(one["label"])
        return {group: sorted(labels) for group, labels in missing.items()}

    def _leave_incomplete(self, chosen: Chosen) -> bool:
        """Leave out the groups of which somebody can't move; whether there were any."""
        if self.request.chooses or not self.group_of:
            return False
        for one in self.waiting:
            if one.item.id not in chosen.placings and self.group_of.get(one.item.id):
                self._cannot(one.subject, self._no_room(one))
        gone = {one["id"] for one in self.unplaced}
        missing = self._missing_members()
        left = []
        for one in self.waiting:
            others = missing.get(self.group_of.get(one.item.id, ""))
            if one.item.id not in gone and others:
                self._cannot(one.subject, [_incomplete(self.group_of[one.item.id], others)])
            elif one.item.id not in gone:
                left.append(one)
        parted = len(left) < len(self.waiting)
        self.waiting = left
        return parted

    # -- what is chosen --------------------------------------------------------------------

    def _choose(self) -> Chosen:
        """A place for what shall move.  Raises nothing: what finds none has none."""
        items = [one.item for one in self.waiting]
        rooms = self.rooms
        agreed = self.request.agreed
        if self.request.chooses and agreed is not None:
            # An older plan has chosen; what is where it wanted it is done.
            self.waiting = [
                one
                for one in self.waiting
                if agreed.get(one.item.id, one.item.host) != one.item.host
            ]
            items = [one.item for one in self.waiting]
        elif self.request.objective == REBALANCE:
            return rebalance(items, self._levels(), rooms, self.request.tolerance)
        elif self.request.objective == CONSOLIDATE:
            return self._consolidate(items)
        return Chosen(arrange(items, tuple(rooms.values()), self.request.placement))

    def _contents(self) -> dict[str, int]:
        """GiB of shares in each of the pools in question, when what runs will have ended."""
        contents = dict.fromkeys(self.rooms, 0)
        for share in self.inventory.shares:
            several = self.inventory.instances.get(share.id, ())
            leaves = GOING if len(several) == 1 else _GOING
            hosts = [one.host for one in several if one.status not in leaves]
            for host in hosts if several else [share.host]:
                if host in contents:
                    contents[host] += share.size_gb
        return contents

    def _levels(self) -> dict[str, Level]:
        return {
            name: Level(name, room.total, self.contents[name], self.weights[name])
            for name, room in self.rooms.items()
            if room.total
        }

    def _consolidate(self, items: Sequence[Item]) -> Chosen:
        kept: dict[str, str] = {}
        for name, why in self.staying.items():
            more = f", as {len(why) - 1} more do" if len(why) > 1 else ""
            kept[name] = f"{why[0]}{more}"
        leaving = []
        for entry in self.running:
            leaving.append(entry["source"])
            kept.setdefault(entry["destination"], f"{entry['label']} is on its way to it")
        for name in self.under_way.loads:
            kept.setdefault(name, "something is on its way to it")
        full = {name: size for name, size in self.contents.items() if size}
        full.update(
            {name: 0.0 for name in (*leaving, *kept) if name in self.rooms and name not in full}
        )
        kept = {name: why for name, why in kept.items() if name in full}
        chosen, self.emptied = consolidate(items, full, kept, leaving, self.rooms)
        return chosen

    def _stays(
        self, share_id: str, share: Share | None, here: Sequence[Instance], why: str
    ) -> None:
        """Note what is left where it is, where only some of everything moves."""
        hosts = {one.host for one in here} or ({share.host} if share else set())
        for host in hosts:
            name = (share.name if share else "") or share_id
            self.staying.setdefault(host, []).append(f"share {name} {why}")

    # -- what each share server is ---------------------------------------------------------

    def _berths(self, share: Share, here: Sequence[Instance]) -> list[tuple[str, str]]:
        """The share servers with which a share moves, and its pools there; none: by itself.

        A share that migrates by itself already goes on so.
        """
        if not self.request.moves_servers:
            return []
        left_over = not self.scope.takes_from(share.host) and not share.has_replicas
        alone = share.status == MOVING[SHARE] or self._moving(share) is not None
        if alone or left_over:
            return []
        if not here:
            return [(share.share_server_id, share.host)] if share.share_server_id else []
        return [(one.share_server_id, one.host) for one in here if one.share_server_id]

    def _sort_servers(self, aboard: Mapping[str, Sequence[_Passenger]]) -> None:
        # One that isn't listed was removed a moment ago, or is hidden: its shares don't move alone.
        servers = {
            one: ShareServer(one, backend_of(several[0].host), "missing")
            for one, several in aboard.items()
        }
        takes_from = self.scope.takes_from
        servers.update((one.id, one) for one in self.inventory.servers if takes_from(one.host))
        considered: list[_Passenger] = []
        unused: list[str] = []
        for server_id, server in sorted(servers.items()):
            passengers = sorted(
                aboard.get(server_id, ()), key=lambda one: (one.share.name, one.share.id, one.host)
            )
            out = {one.share.id: one.share for one in passengers if one.excluded}
            if self.exclusions.match(server_id) or (
                passengers and all(one.excluded for one in passengers)
            ):
                self.excluded.append(self._server_subject(server, passengers))
                continue
            self.excluded += [self._share_subject(one, share) for one, share in out.items()]
            if self._sort_running_server(server, passengers):
                continue
            if passengers:
                self._consider_server(server, passengers)
                considered += passengers
            elif server.status in _UNUSED and server_id not in self.inventory.on_servers:
                unused.append(server_id)
        self._warn_of_servers(considered, unused)

    def _sort_running_server(self, server: ShareServer, passengers: Sequence[_Passenger]) -> bool:
        """Take up, or name, a migration of a share server.  Returns whether there is one."""
        seen = observe_server(server.id, self.inventory.servers)
        phase = classify(seen, Target()) if seen else IDLE
        subject = self._server_subject(server, passengers)
        if seen and seen.moving and phase == STUCK:
            reason = Reason(
                "stuck",
                f"it has the status {server.status!r} and the task state {server.task_state!r}: "
                "migration_repair says what is wrong",
            )
            self._cannot(subject, [reason])
        elif seen and passengers and server.status == "error" and phase == FAILED:
            reason = Reason(
                "stuck",
                "the second phase of its migration failed, and it is in error with its destination "
                "and all its shares: migration_repair names what is concerned",
            )
            self._cannot(subject, [reason])
        elif seen and (seen.moving or (server.status in GOING and phase == COMPLETING)):
            self._adopt_server(server, seen, passengers, phase)
        else:
            return False
        return True

    def _adopt_server(
        self, server: ShareServer, seen: Observation, passengers: Sequence[_Passenger], phase: str
    ) -> None:
        """A migration away from the source that exists: it goes on, wherever it was started."""
        # The source comes first; at the end the instances of its shares are elsewhere already.
        places = [place.host for place in (seen.instances or ())[1:]]
        arrived = []
        if not passengers and seen.successor:
            arrived = [_Passenger(*one) for one in self.inventory.aboard(seen.successor)]
            passengers = arrived
        subject = self._server_subject(server, passengers)
        reasons = _excluded_shares(passengers)
        if not places:
            doing = "is being cancelled" if phase == CANCELLING else "was started a moment ago"
            reasons.append(
                Reason(
                    "destination_unknown",
                    f"its migration {doing}, where to is not known: ask again",
                )
            )
        elif len(places) > 1:
            reasons.append(
                Reason(
                    "stuck",
                    f"it migrates and has several destinations, at {', '.join(sorted(places))}: "
                    "migration_repair names them",
                )
            )
        elif not self.scope.brings_to_backend(places[0]):
            reasons.append(_elsewhere(places[0]))
        if reasons:
            self._cannot(subject, reasons)
            return
        options = self._server_options(server)
        # Where to was settled when it was started.
        networks = [
            one.share_network_id for one in self.inventory.servers if one.id == seen.successor
        ]
        network = networks[0] if networks else None
        options = replace(
            options, new_share_network_id=network if network != server.share_network_id else None
        )
        expected = {**self.under_way.places, **{one.share.id: one.host for one in arrived}}
        self.running.append(
            self._server_entry(server, passengers, places[0], options, phase, expected)
        )

    def _consider_server(self, server: ShareServer, passengers: Sequence[_Passenger]) -> None:
        options = self._server_options(server)
        claims = claims_aboard(self.inventory, server.id)
        reasons = _excluded_shares(passengers) + server_blockers(self.inventory, server)
        if self.request.mechanism == "host":
            reasons.append(
                Reason(
                    "options_conflict",
                    "mechanism 'host' is asked for, and only drivers move share servers: with "
                    "share_servers: split its shares move one by one",
                )
            )
        sites: dict[str, Site] = {}
        refused: list[tuple[str, list[Reason]]] = []
        for site in self.backends:
            found = place_blockers(self.inventory, server, site.name, options)
            if not found and not reasons:
                self.questions.append(Question(server.id, site.name, options))
            check = self.inventory.checks.get((server.id, site.name))
            if check is not None:
                found += check_blockers(self.inventory, server, options, check)
            found += _uncountable(site, claims)
            if found:
                refused.append((site.name, found))
            else:
                sites[site.name] = site
        refusals = _condensed(refused, "back end") + self._nowhere()
        subject = self._server_subject(server, passengers)
        if reasons or not sites:
            self._cannot(subject, reasons if sites else reasons + refusals)
            return

        def entry(placing: Placing) -> dict[str, Any]:
            expected = {claim.share_id: room.name for claim, room in zip(claims, placing.rooms)}
            return self._server_entry(
                server, passengers, placing.site.name, options, IDLE, expected
            )

        order = (len(sites), server.id)
        size_gb = sum(one.size_gb for one in claims)
        item = Item(server.id, size_gb, claims, sites, order, to_backend=True)
        self.waiting.append(_Waiting(item, subject, refusals, entry))

    def _server_options(self, server: ShareServer) -> Options:
        """What Manila shall be asked for.  Whether drivers only, or a type, is no question."""
        network = self.request.share_network_map.get(server.share_network_id or "")
        required = self.request.require
        return Options(
            writable="writable" in required,
            nondisruptive="nondisruptive" in required,
            preserve_snapshots="preserve_snapshots" in required,
            new_share_network_id=network if network != server.share_network_id else None,
        )

    def _warn_of_arrivals(self) -> None:
        """Share servers that migrate to what shall be emptied, or to the back end it is a pool of."""
        sources = {backend_of(place) for place in self.request.places}
        for server in sorted(self.inventory.servers, key=lambda one: one.id):
            if server.status != MOVING[SHARE_SERVER] or server.host in sources:
                continue
            seen = observe_server(server.id, self.inventory.servers)
            if seen and seen.destination in sources:
                count = len(self.inventory.aboard(server.id))
                self.warnings.append(
                    Reason(
                        "fills_source",
                        f"share server {server.id} with {many(count, 'share')} migrates from "
                        f"{server.host} to {seen.destination}",
                    )
                )

    def _warn_of_servers(self, considered: Sequence[_Passenger], unused: Sequence[str]) -> None:
        """What is different for share servers from what was asked, and those without shares."""
        if considered and "preserve_metadata" in self.request.require:
            self.warnings.append(
                Reason(
                    "metadata_not_asked",
                    "preserve_metadata is required, which can't be asked for with share servers: "
                    "their drivers decide",
                )
            )
        types = {one.share.share_type_id or "" for one in considered}
        mapped = sorted(
            self.inventory.share_types[old].name
            for old, new in self.types.items()
            if old in types and old != new
        )
        if mapped:
            self.warnings.append(
                Reason(
                    "type_kept",
                    f"{listed(mapped, 'share type')}: mapped to another share type, which shares "
                    "that move with their share servers do not get",
                )
            )
        grouped = [one for one in unused if one in self.inventory.grouped_servers]
        idle = [one for one in unused if one not in self.inventory.grouped_servers]
        for servers, end in (
            (
                idle,
                "Manila removes idle ones itself (automatic_share_server_cleanup), migration_repair "
                "what is left of migrations",
            ),
            (grouped, "share groups live on them and have to be removed first"),
        ):
            if servers:
                self.warnings.append(
                    Reason(
                        "empty_server",
                        f"share servers without shares: {listed(servers, 'share server')}; {end}",
                    )
                )

    # -- what each share is ----------------------------------------------------------------

    def _sort_share(
        self, share: Share, several: Sequence[Instance], here: Sequence[Instance]
    ) -> None:
        away = not self.scope.takes_from(share.host)
        if not away and share.status == RESTING[SHARE] and not share.task_state:
            self._consider(share, several)  # by far the most, and the cheapest
            return
        seen = observe_share(share, several or None)
        behind = [one for one in here if one.host != share.host]
        # Where pools are source and destination, what is at its end is among them too.
        ends = bool(behind) and (away or self.request.chooses)
        phase = classify(seen, Target(share.host if ends else None))
        if share.status == "migrating" and phase in MIGRATING:
            if away:
                if self.request.chooses:
                    return
                self.warnings.append(
                    Reason(
                        "fills_source",
                        f"share {share.name or share.id} migrates from {share.host} to "
                        f"{', '.join(sorted(one.host for one in here))}",
                    )
                )
                return
            self._adopt(share, several, share.host, seen.destination, phase)
        elif (
            ends
            and phase in (COMPLETING, COMPLETED)
            and all(one.status in _GOING for one in behind)
        ):
            # Manila serves it from the destination already and still deletes the source.
            self._adopt(share, several, behind[0].host, share.host, COMPLETING)
        elif share.status == "migrating" and phase == STUCK:
            reason = Reason(
                "stuck",
                f"it has the status 'migrating' and the task state {share.task_state!r}: find out "
                "which copy is good, and repair it",
            )
            self._cannot(self._share_subject(share.id, share), [reason])
        elif away and not share.has_replicas:
            self._leftovers(here, share)
        else:
            self._consider(share, several)

    def _adopt(
        self,
        share: Share,
        several: Sequence[Instance],
        source: str,
        destination: str | None,
        phase: str,
    ) -> None:
        """A migration away from the source that exists: it goes on, wherever it was started."""
        if destination is None:
            reason = Reason(
                "destination_unknown",
                "it was started a moment ago, where to is not known: ask again",
            )
            if len(several) > 1:
                places = ", ".join(sorted(f"{one.host} ({one.status})" for one in several))
                reason = Reason("instances", f"it migrates and has several instances, at {places}")
            self._cannot(self._share_subject(share.id, share), [reason])
        elif not self.scope.brings_to(destination):
            if not self.request.chooses:
                self._cannot(self._share_subject(share.id, share), [_elsewhere(destination)])
        else:
            new = next((one for one in several if one.host == destination), None)
            options = self._options(share)
            # What it becomes was settled when it was started.
            options = replace(
                options,
                new_share_type_id=_changed(new, several, "share_type_id"),
                new_share_network_id=_changed(new, several, "share_network_id"),
            )
            self.running.append(self._share_entry(share, source, destination, options, phase))

    def _leftovers(self, here: Iterable[Instance], share: Share | None) -> None:
        whose = (
            f"the share {share.name or share.id}, which is at {share.host}"
            if share
            else "a share that Manila does not list"
        )
        for one in sorted(here, key=lambda one: one.id):
            if self.request.chooses:
                self._stays(one.share_id, share, [one], f"has left an instance ({one.status!r})")
                continue
            reason = Reason(
                "leftover",
                f"at {one.host} an instance with the status {one.status!r} is left of {whose}",
            )
            subject = _share_subject(one.share_id, share, self._left_in_motion(one, share))
            entry = {**subject, "kind": SHARE_INSTANCE, "id": one.id}
            self.unplaced.append({**entry, "reasons": [reason.as_dict()]})

    def _consider(self, share: Share, several: Sequence[Instance]) -> None:
        case = self._case(share)
        group = case.group
        kept = self.inventory.snapshots(share.id)
        if self.doomed:
            kept = [one for one in kept if one.id not in self.doomed]
        reasons = share_blockers(share, several, kept, case.options, case.share_type)
        reasons += self.blocked
        subject = self._share_subject(share.id, share)
        if share.share_server_id and self.request.chooses and self.request.share_servers == WHOLE:
            self._stays(share.id, share, several, "is on a share server, and those are not split")
            return
        sites, order = case.sites, case.order
        hindrances: list[Reason] = []
        named = named_in_hints(share.metadata) if share.metadata else frozenset()
        if named:
            sites, hindrances = self._by_affinity(share, sites, named)
            order = (len(sites), *order[1:], share.id)
            if self.request.chooses:
                reasons.append(Reason("affinity", "it has an affinity hint"))
        if reasons or group is None or not sites:
            # All reasons at once: those of the pools too, if none of them could take it.
            if group and not sites:
                reasons += [*hindrances, *group.refusals]
            if self.request.chooses:
                why = reasons[0].message if reasons else "there is no other pool for it"
                self._stays(share.id, share, several, f"can't move: {why}")
            else:
                self._cannot(subject, reasons)
            return

        def entry(placing: Placing) -> dict[str, Any]:
            return self._share_entry(share, share.host, placing.site.name, case.options, IDLE)

        claim = Claim(
            share.id,
            share.size_gb,
            share.host,
            group.share_type,
            case.thin,
            share.snapshot_id is not None,
            case.written,
        )
        apart = frozenset((share.metadata.get(DIFFERENT_HOST) or "").split(",")) & named
        item = Item(share.id, share.size_gb, (claim,), sites, order, apart=apart)
        refusals = [*hindrances, *group.refusals]
        self.waiting.append(_Waiting(item, subject, refusals, entry))

    def _by_affinity(
        self, share: Share, sites: Mapping[str, Site], named: Iterable[str]
    ) -> tuple[dict[str, Site], list[Reason]]:
        """The pools to which a share's hints let it go, and why not to the others."""
        places = {
            one: {instance.host for instance in self.inventory.instances.get(one, ())}
            for one in named
        }
        refused = [(name, affinity_blockers(share.metadata, name, places)) for name in sites]
        allowed = {name: sites[name] for name, reasons in refused if not reasons}
        return allowed, _condensed([one for one in refused if one[1]], "pool")

    def _case(self, share: Share) -> _Case:
        """What holds for all shares like this one."""
        from_snapshot = share.snapshot_id is not None
        network = share.share_network_id
        key = (share.host, share.share_type_id, share.protocol, network, from_snapshot)
        case = self.cases.get(key)
        if case is not None:
            return case
        options = self._options(share)
        share_type = self.inventory.share_types.get(
            options.new_share_type_id or share.share_type_id or ""
        )
        pool = self.pools.get(share.host)
        written = written_part(pool) if pool else 1.0
        group, thin = None, True
        order: tuple[Any, ...] = ()
        sites: Mapping[str, Site] = {}
        if share_type is not None:
            kind = (
                share_type.id,
                share.protocol,
                options.new_share_network_id or "",
                from_snapshot,
                written,
            )
            group = self._group(share, share_type, options, kind)
            thin = thinks_thin(share_type)
            sites = {name: site for name, site in group.sites.items() if name != share.host}
            order = (len(sites), *kind, share.host if self.request.chooses else "")
        case = _Case(options, share_type, group, sites, order, thin, written)
        self.cases[key] = case
        return case

    # -- what each replica is --------------------------------------------------------------

    def _moving(self, share: Share) -> Observation | None:
        """A migration of a replica of a share away from the source that is not over."""
        if not share.metadata:
            return None
        mark = Mark.of(share.metadata)
        if mark is None or not self.scope.takes_from(mark.source):
            return None
        replicas = self.inventory.instances.get(share.id, ())
        seen = observe_replica(share, replicas, mark.source, mark.destination)
        return None if seen.task_state in (None, MARKED) else seen

    def _sort_replica(self, share: Share, here: Sequence[Instance]) -> None:
        """Replicas are moved one after the other: a share tells of one migration only."""
        if self.request.chooses:
            self._stays(share.id, share, here, "has replicas, which stay where they are")
            return
        waiting = sorted(here, key=lambda one: (one.host, one.id))
        seen = self._moving(share)
        if seen:
            self._adopt_replica(share, seen)
            waiting = [one for one in waiting if one.host != seen.host]
        elif waiting:
            self._consider_replica(share, waiting.pop(0).host)
        for one in waiting:
            reason = Reason(
                "second_replica",
                f"its replica at {one.host} is moved after the other one that is at the source",
            )
            self._cannot({**self._replica_subject(share), "id": one.id}, [reason])

    def _adopt_replica(self, share: Share, seen: Observation) -> None:
        """It goes on, wherever it was started; what failed, and what only is marked, too."""
        mark = Mark.of(share.metadata)
        if mark is None:
            return
        if not self.scope.brings_to(mark.destination):
            self._cannot(self._replica_subject(share), [_elsewhere(mark.destination)])
            return
        phase = COMPLETING if seen.task_state == MOVED else classify(seen, Target())
        self.running.append(
            self._replica_entry(share, mark.source, mark.destination, Options(), phase)
        )

    def _consider_replica(self, share: Share, source: str) -> None:
        old = share.share_type_id or ""
        share_type = self.inventory.share_types.get(old)
        network = None
        if share_type is not None and uses_share_servers(share_type):
            network = self.request.share_network_map.get(share.share_network_id or "")
        options = Options(
            new_share_network_id=network if network != share.share_network_id else None
        )
        reasons = replica_blockers(self.inventory, share, source, options)
        reasons += request_blockers(self.inventory, self.request, share, source)
        sites: Mapping[str, Site] = {}
        refusals: list[Reason] = []
        if share_type is not None:
            sites, refusals = self._replica_sites(share, share_type, source)
        subject = self._replica_subject(share)
        if reasons or share_type is None or not sites:
            self._cannot(subject, reasons if sites else reasons + refusals)
            return

        def entry(placing: Placing) -> dict[str, Any]:
            return self._replica_entry(share, source, placing.site.name, options, IDLE)

        claim = claim_for(share, source, share_type, self.pools)
        order = (len(sites), share_type.id, share.protocol, share.id)
        item = Item(share.id, share.size_gb, (claim,), sites, order)
        self.waiting.append(_Waiting(item, subject, refusals, entry))

    def _replica_sites(
        self, share: Share, share_type: ShareType, source: str
    ) -> tuple[dict[str, Site], list[Reason]]:
        """The pools that can take it, and why the others can't."""
        sites = {}
        refused: list[tuple[str, list[Reason]]] = []
        for room in self.rooms.values():
            reasons = replica_pool_blockers(self.inventory, share, share_type, room.pool, source)
            invalid = capacity_invalid(room.pool, share_type, share.snapshot_id is not None)
            if invalid:
                reasons.append(invalid)
            if reasons:
                refused.append((room.name, reasons))
            else:
                sites[room.name] = Site(room.name, (room,))
        return sites, _condensed(refused, "pool") + self._nowhere()

    def _replica_entry(
        self, share: Share, source: str, destination: str, options: Options, phase: str
    ) -> dict[str, Any]:
        old = share.share_type_id or ""
        found = self.inventory.lock_warnings(share.id)
        found += replica_warnings(self.inventory, share, source, self.types.get(old, old) != old)
        return {
            **self._share_entry(share, source, destination, options, phase),
            "kind": SHARE_REPLICA,
            "warnings": [reason.as_dict() for reason in found],
        }

    # -- what is asked for -----------------------------------------------------------------

    def _options(self, share: Share) -> Options:
        """What Manila shall be asked for: shared by all shares of one type and network."""
        key = share.share_type_id, share.share_network_id
        options = self.ready.get(key)
        if options is None:
            required = set(self.request.require)
            if self.request.mechanism == "driver" and not required:
                # Manila has no switch for "by the driver or not at all".  It falls back to a
                # host-assisted copy unless something is demanded that only drivers can do
                # (share/manager.py, migration_start): this is the least demand.
                required.add("preserve_metadata")
            old = share.share_type_id or ""
            new = self.types.get(old, old)
            share_type = self.inventory.share_types.get(new)
            network = None
            if share_type is not None and uses_share_servers(share_type):
                network = self.request.share_network_map.get(share.share_network_id or "")
            options = self.ready[key] = Options(
                preserve_metadata="preserve_metadata" in required,
                preserve_snapshots="preserve_snapshots" in required,
                writable="writable" in required,
                nondisruptive="nondisruptive" in required,
                force_host_assisted_migration=self.request.mechanism == "host",
                new_share_type_id=new if new != old else None,
                new_share_network_id=network if network != share.share_network_id else None,
            )
        return options

    def _group(
        self, share: Share, share_type: ShareType, options: Options, kind: tuple[Any, ...]
    ) -> _Group:
        """Which pools can take a share of this ``kind``, and why the others can't."""
        group = self.groups.get(kind)
        if group is None:
            sites = {}
            refused: list[tuple[str, list[Reason]]] = []
            from_snapshot = share.snapshot_id is not None
            for name, room in self.rooms.items():
                pool = room.pool
                service = self.inventory.services.get(pool.backend)
                reasons = pool_blockers(share, share_type, pool, service, options, "")
                invalid = capacity_invalid(pool, share_type, from_snapshot)
                if invalid:
                    reasons.append(invalid)
                fails = self._scheduler_fails(service.zone if service else None, from_snapshot)
                if fails and not invalid:
                    reasons.append(fails)
                if reasons:
                    refused.append((name, reasons))
                else:
                    sites[name] = Site(name, (room,))
            refusals = _condensed(refused, "pool") + self._nowhere()
            group = self.groups[kind] = _Group(share_type, sites, refusals)
        return group

    def _scheduler_fails(self, zone: str | None, from_snapshot: bool) -> Reason | None:
        key = zone, from_snapshot
        if key not in self.failures:
            self.failures[key] = scheduler_fails(
                self.pools.values(), self.inventory.services, zone, from_snapshot
            )
        return self.failures[key]

    def _nowhere(self) -> list[Reason]:
        """Why there is no place at all, whatever shall move."""
        if not self.inventory.scheduler_up:
            return [SCHEDULER_DOWN]
        if self.rooms:
            return []
        where = f" at {', '.join(self.request.destinations)}"
        return [
            Reason(
                "no_destination",
                "Manila's scheduler knows no pool"
                + (where if self.request.destinations else " beside the source"),
            )
        ]

    # -- what migrates ---------------------------------------------------------------------

    # What the plan has no place for may migrate all the same, whoever started it, and also what is
    # left out as asked.  No reason tells that: it is read from the states of everything there.

    def _share_subject(
        self, share_id: str, share: Share | None, here: Sequence[Instance] = ()
    ) -> dict[str, Any]:
        """Describe a share; ``here`` are its instances at the source, where Manila lists no share."""
        if share is not None:
            return _share_subject(share_id, share, self._migrates(share))
        return _share_subject(share_id, None, any(one.status in _IN_MOTION for one in here))

    def _replica_subject(self, share: Share) -> dict[str, Any]:
        return {**self._share_subject(share.id, share), "kind": SHARE_REPLICA}

    def _server_subject(
        self, server: ShareServer, passengers: Sequence[_Passenger]
    ) -> dict[str, Any]:
        seen = observe_server(server.id, self.inventory.servers)
        failed = seen is not None and seen.status == "error" and classify(seen, Target()) == FAILED
        migrating = (
            (seen is not None and (may_migrate(seen) or seen.copies != 1))
            # Its cutover failed, and which of two servers has the shares only the storage knows.
            or (failed and bool(passengers))
            or any(one.share.status == MOVING[SHARE_SERVER] for one in passengers)
        )
        return _server_subject(server, passengers, migrating)

    def _migrates(self, share: Share) -> bool:
        several = self.inventory.instances.get(share.id, ())
        if len(several) > 1 and not share.has_replicas:
            return True  # of two instances one is a migration's
        if share.status == RESTING[SHARE] and not share.task_state and not share.metadata:
            return False  # by far the most, and the cheapest
        return may_migrate(observe_share(share, several or None)) or bool(self._moving(share))

    def _left_in_motion(self, instance: Instance, share: Share | None) -> bool:
        """Tell whether a migration may still work on an instance that serves no share from here."""
        several = self.inventory.instances.get(instance.share_id, ())
        moving = share is not None and may_migrate(observe_share(share, several))
        return moving or instance.status in _IN_MOTION

    # -- what it says ----------------------------------------------------------------------

    def _no_room(self, waiting: _Waiting) -> Sequence[Reason]:
        item = waiting.item
        key = item.size_gb, item.order
        reasons = self.full.get(key)
        if reasons is None:
            tell = _no_room_for_server if waiting.subject["kind"] == SHARE_SERVER else _no_room
            reasons = self.full[key] = (Reason("no_capacity", tell(item)), *waiting.refusals)
        return reasons

    def _cannot(self, subject: Mapping[str, Any], reasons: Iterable[Reason]) -> None:
        self.unplaced.append({**subject, "reasons": [reason.as_dict() for reason in reasons]})

    def _share_entry(
        self, share: Share, source: str, destination: str, options: Options, phase: str
    ) -> dict[str, Any]:
        snapshots = self.inventory.snapshots(share.id)
        doomed = [one for one in snapshots if one.id in self.doomed and phase == IDLE]
        kept = [one for one in snapshots if one not in doomed] if doomed else snapshots
        found = self.inventory.lock_warnings(share.id) + warnings(share, kept, options)
        share_type = self.inventory.share_types.get(share.share_type_id or "")
        return {
            **_share_subject(share.id, share, phase != IDLE),
            "project_id": share.project_id,
            "source": source,
            "destination": destination,
            "phase": phase,
            "share_type": share_type.name if share_type else share.share_type_name,
            "options": dict(vars(options)),
            "delete_snapshots": [{"id": one.id, "name": one.name} for one in doomed],
            "warnings": [reason.as_dict() for reason in found],
        }

    def _server_entry(
        self,
        server: ShareServer,
        passengers: Sequence[_Passenger],
        destination: str,
        options: Options,
        phase: str,
        expected: Mapping[str, str],
    ) -> dict[str, Any]:
        """``expected`` are pools by the IDs of shares: the drivers may choose others."""
        check = self.inventory.checks.get((server.id, destination))
        found = server_warnings(self.inventory, server, check, destination)
        subject = self._server_subject(server, passengers)
        return {
            **subject,
            "project_id": server.project_id,
            "source": server.host,
            "destination": destination,
            "phase": phase,
            "options": dict(vars(options)),
            "warnings": [reason.as_dict() for reason in found],
            "shares": [
                {**one, "destination": expected.get(one["id"])} for one in subject["shares"]
            ],
        }

    def _doomed(self) -> frozenset[str]:
        """IDs of the snapshots that may be deleted, among those of what may move."""
        wanted = {name: 0 for name in self.request.delete_snapshots if name}
        found = set()
        for share in self.inventory.shares if wanted else ():
            if not self.scope.takes_from(share.host):
                continue
            for one in self.inventory.snapshots(share.id):
                for name in wanted.keys() & {one.id, one.name}:
                    wanted[name] += 1
                    found.add(one.id)
        for name, count in sorted(wanted.items()):
            if count > 1:
                # What is deleted is lost: no guesses.
                raise ValueError(
                    f"delete_snapshots: {count} snapshots are named {name!r}; use IDs."
                )
            if not count:
                self.warnings.append(
                    Reason(
                        "snapshot_unknown",
                        f"snapshot {name!r} shall be deleted, but no share here has one of that name",
                    )
                )
        return frozenset(found)

    def _warn_of_plan(self, planned: Sequence[Mapping[str, Any]]) -> None:
        """What is to be known before it starts, whichever pools are used."""
        doomed = [
            f"{snapshot['name'] or snapshot['id']} of {entry['label']}"
            for entry in planned
            for snapshot in entry.get("delete_snapshots", ())
        ]
        if doomed:
            self.warnings.append(
                Reason(
                    "snapshots_deleted",
                    f"{many(len(doomed), 'snapshot')} will be deleted before the copying, as asked: "
                    f"{', '.join(doomed)}",
                )
            )
        if not planned:
            return
        by_shares = any(one["kind"] == SHARE for one in planned)
        mechanism = self.request.mechanism if by_shares else "driver"
        sources = sorted({backend_of(one["source"]) for one in planned})
        found = [
            one for source in sources for one in plan_warnings(self.inventory, source, mechanism)
        ]
        self.warnings += dict.fromkeys(found)

    def _warn_of_pools(self, planned: Sequence[Mapping[str, Any]]) -> None:
        used, _going = traffic(planned)
        silent = [name for name in sorted(used) if self.rooms[name].used is None]
        if silent:
            self.warnings.append(
                Reason(
                    "capacity_unknown", f"{listed(silent, 'pool')}: the capacity is not reported"
                )
            )
        # Of share servers the scheduler knows nothing.
        own = [
            name
            for name in sorted({one["destination"] for one in planned if one["kind"] == SHARE})
            if self.pools[name].capabilities.get("filter_function") is not None
        ]
        if own:
            self.warnings.append(
                Reason(
                    "filter_function",
                    f"{listed(own, 'pool')}: the driver filters by a function of its own, which only "
                    "Manila's scheduler applies",
                )
            )

    def _pools(self, migrations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Source and possible destinations, before and after."""
        coming, going = traffic(migrations)
        begun_in, begun_out = traffic(self.running)
        listed = []
        for name, pool in self.pools.items():
            room = self.rooms.get(name)
            if room is None and not (self.request.places and self.scope.takes_from(name)):
                continue
            figures = room or Room(pool)
            used, more = figures.used, figures.load.written_gb
            more -= going.get(name, 0) * written_part(pool)
            if used is not None and name in self.contents:
                # As what chose the moves sees it: by what lies there when they have ended.
                used = self.contents[name] - begun_in.get(name, 0) + begun_out.get(name, 0)
                more = coming.get(name, 0) - going.get(name, 0)
                used, more = used * self.weights[name], more * self.weights[name]
            after = None if used is None else max(0.0, used + more)
            listed.append(
                {
                    "name": name,
                    "total_gb": pool.total_gb,
                    "free_gb": pool.free_gb,
                    "used_percent_before": _percent(used, figures.total),
                    "used_percent_after": _percent(after, figures.total),
                    "planned_gb_in": coming.get(name, 0),
                    "planned_gb_out": going.get(name, 0),
                }
            )
        return listed


def _share_subject(share_id: str, share: Share | None, migrating: bool) -> dict[str, Any]:
    return {
        "kind": SHARE,
        "id": share_id,
        "name": share.name if share else "",
        "label": readable((share.name if share else "") or share_id),
        "size_gb": share.size_gb if share else None,
        "migrating": migrating,
    }


def _server_subject(
    server: ShareServer, passengers: Sequence[_Passenger], migrating: bool
) -> dict[str, Any]:
    """Share servers have no names."""
    return {
        "kind": SHARE_SERVER,
        "id": server.id,
        "name": "",
        "label": f"share server {server.id}",
        "size_gb": sum(one.share.size_gb for one in passengers),
        "migrating": migrating,
        "shares": [
            {
                "id": one.share.id,
                "name": one.share.name,
                "size_gb": one.share.size_gb,
                "source": one.host,
            }
            for one in passengers
        ],
    }


def _elsewhere(destination: str) -> Reason:
    return Reason(
        "migrating_elsewhere",
        f"it already migrates to {destination}, which is not among the destinations: allow that, "
        "or cancel that migration",
    )


def _incomplete(group: str, others: Sequence[str]) -> Reason:
    return Reason(
        "group_incomplete",
        f"it is cut over together with {listed(list(others), 'share')} (group {group!r}), which "
        "can't move: mend that, or exclude it",
    )


def _excluded_shares(passengers: Iterable[_Passenger]) -> list[Reason]:
    names = {one.share.id: one.share.name or one.share.id for one in passengers if one.excluded}
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
    """The reason if no pool of a back end has figures to calculate with for one of the shares."""
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


def _no_room(item: Item) -> str:
    rooms = [site.rooms[0] for site in item.sites.values()]
    (claim,) = item.claims
    most = max(rooms, key=lambda room: room.holds(claim))
    return (
        f"{listed([room.name for room in rooms], 'pool')}: {item.size_gb} GiB are needed and, "
        f"with what is planned, there is room for {most.holds(claim):g} GiB"
        + (f" at most (at {most.name})" if len(rooms) > 1 else "")
    )


def _no_room_for_server(item: Item) -> str:
    def found(site: Site) -> int:
        lacking = settle(item.claims, site.rooms).lacking
        return item.size_gb - sum(one.size_gb for one in lacking)

    most = max(item.sites.values(), key=found)
    return (
        f"{listed(list(item.sites), 'back end')}: room is needed for "
        f"{many(len(item.claims), 'share')} with {item.size_gb} GiB together and, with what is "
        f"planned, {found(most)} GiB of that find some"
        + (f" at most (at {most.name})" if len(item.sites) > 1 else "")
    )


def _condensed(refused: Sequence[tuple[str, Sequence[Reason]]], noun: str) -> list[Reason]:
    """Why places can't take something: every reason of those that lack the least.

    A place of another kind altogether has a dozen reasons of its own, and nobody will mend those.
    """
    least = min((len(reasons) for _name, reasons in refused), default=0)
    places: dict[Reason, list[str]] = {}
    for name, reasons in refused:
        if len(reasons) == least:
            for reason in reasons:
                places.setdefault(reason, []).append(name)
    return [
        Reason(one.code, f"{listed(names, noun)}: {one.message}") for one, names in places.items()
    ]


def _changed(new: Instance | None, several: Sequence[Instance], name: str) -> str | None:
    """A property of the new instance where it is not what the others have, else None."""
    if new is None:
        return None
    value: str | None = getattr(new, name)
    return value if any(getattr(one, name) != value for one in several) else None


def _by_label(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """The order in which people look for something; IDs make it the same in every run."""
    return entry["kind"], entry["label"], entry["id"]


def _percent(used: float | None, total: float | None) -> float | None:
    return None if used is None or not total else round(100 * used / total, 1)
