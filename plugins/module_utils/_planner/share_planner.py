# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan does with a share that moves by itself, and with what is left of one.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.manila.migration.plugins.module_utils._feasibility.mechanism import (
    plan_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._feasibility.share import (
    share_blockers,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
)
from ansible_collections.manila.migration.plugins.module_utils._model.request import WHOLE
from ansible_collections.manila.migration.plugins.module_utils._planner.context import (
    ENDING,
    Context,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    MigrationEntry,
    Subject,
    describe_share,
    share_entry,
    share_subject,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.motion import (
    is_instance_migrating,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.outcomes import (
    Candidate,
    Outcome,
    Running,
    Staying,
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
    explain_full_pools,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.share_sites import (
    Case,
    Cases,
    PoolGroup,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.affinity import (
    DIFFERENT_HOST,
    affinity_blockers,
    named_in_hints,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import Claim
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    observe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    COMPLETED,
    COMPLETING,
    IDLE,
    MIGRATING,
    RESTING,
    STUCK,
)

SHARE_INSTANCE = "share_instance"


def stay(
    share_id: str, share: Share | None, here: Sequence[Instance], why: str
) -> Iterator[Staying]:
    """Note what is left where it is, where only some of everything moves."""
    hosts = {instance.host for instance in here} or ({share.host} if share else set())
    name = (share.name if share else "") or share_id
    for host in hosts:
        yield Staying(host, f"share {name} {why}")


class SharePlanner:
    """Plans shares that have no replicas, and do not move with a share server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._cases = Cases(context)
        self._blocked = plan_blockers(context.inventory, context.request.mechanism)

    def plan(
        self, share: Share, instances: Sequence[Instance], here: Sequence[Instance]
    ) -> Iterator[Outcome]:
        """Plan one share; ``here`` are those of its instances that are at the source."""
        away = not self._context.scope.takes_from(share.host)
        if not away and share.status == RESTING[SHARE] and not share.task_state:
            return self._consider(share, instances)  # by far the most, and the cheapest
        seen = observe_share(share, instances or None)
        behind = [instance for instance in here if instance.host != share.host]
        # Where pools are source and destination, what is at its end is among them too.
        ends = bool(behind) and (away or self._context.request.chooses)
        phase = classify(seen, Target(share.host if ends else None))
        if share.status == "migrating" and phase in MIGRATING:
            if away:
                return self._warn_of_arrival(share, here)
            return self._take_up(share, instances, share.host, seen.destination, phase)
        if (
            ends
            and phase in (COMPLETING, COMPLETED)
            and all(instance.status in ENDING for instance in behind)
        ):
            # Manila serves it from the destination already and still deletes the source.
            return self._take_up(share, instances, behind[0].host, share.host, COMPLETING)
        if share.status == "migrating" and phase == STUCK:
            reason = Reason(
                "stuck",
                f"it has the status 'migrating' and the task state {share.task_state!r}: find out "
                "which copy is good, and repair it",
            )
            return iter([Unplaced.because(self._describe(share), reason)])
        if away and not share.has_replicas:
            return self.plan_leftovers(here, share)
        return self._consider(share, instances)

    def plan_leftovers(
        self, here: Iterable[Instance], share: Share | None
    ) -> Iterator[Staying | Unplaced]:
        """Name the instances at the source that serve no share."""
        whose = (
            f"the share {share.name or share.id}, which is at {share.host}"
            if share
            else "a share that Manila does not list"
        )
        for instance in sorted(here, key=lambda instance: instance.id):
            if self._context.request.chooses:
                why = f"has left an instance ({instance.status!r})"
                yield from stay(instance.share_id, share, [instance], why)
                continue
            reason = Reason(
                "leftover",
                f"at {instance.host} an instance with the status {instance.status!r} is left of "
                f"{whose}",
            )
            migrating = is_instance_migrating(self._context, instance, share)
            subject = share_subject(instance.share_id, share, migrating)
            subject["kind"], subject["id"] = SHARE_INSTANCE, instance.id
            yield Unplaced.because(subject, reason)

    def _describe(self, share: Share) -> Subject:
        return describe_share(self._context, share.id, share)

    def _warn_of_arrival(self, share: Share, here: Sequence[Instance]) -> Iterator[Reason]:
        """Name a share that migrates to what is to be emptied."""
        if not self._context.request.chooses:
            yield Reason(
                "fills_source",
                f"share {share.name or share.id} migrates from {share.host} to "
                f"{', '.join(sorted(instance.host for instance in here))}",
            )

    def _take_up(
        self,
        share: Share,
        instances: Sequence[Instance],
        source: str,
        destination: str | None,
        phase: str,
    ) -> Iterator[Running | Unplaced]:
        """Take up a migration away from the source that exists, wherever it was started."""
        if destination is None:
            reason = Reason(
                "destination_unknown",
                "it was started a moment ago, where to is not known: ask again",
            )
            if len(instances) > 1:
                places = ", ".join(
                    sorted(f"{instance.host} ({instance.status})" for instance in instances)
                )
                reason = Reason("instances", f"it migrates and has several instances, at {places}")
            yield Unplaced.because(self._describe(share), reason)
        elif not self._context.scope.brings_to(destination):
            if not self._context.request.chooses:
                yield Unplaced.because(self._describe(share), elsewhere(destination))
        else:
            new = next((instance for instance in instances if instance.host == destination), None)
            # What it becomes was settled when it was started.
            options = replace(
                self._cases.options(share),
                new_share_type_id=_changed(new, instances, "share_type_id"),
                new_share_network_id=_changed(new, instances, "share_network_id"),
            )
            yield Running(share_entry(self._context, share, source, destination, options, phase))

    def _consider(
        self, share: Share, instances: Sequence[Instance]
    ) -> Iterator[Candidate | Unplaced | Staying]:
        request = self._context.request
        case = self._cases.of(share)
        if share.share_server_id and request.chooses and request.share_servers == WHOLE:
            why = "is on a share server, and those are not split"
            yield from stay(share.id, share, instances, why)
            return
        reasons = self._blockers(share, instances, case)
        sites, order = case.sites, case.order
        hindrances: list[Reason] = []
        hinted = named_in_hints(share.metadata) if share.metadata else frozenset()
        if hinted:
            sites, hindrances = self._apply_hints(share, sites, hinted)
            order = (len(sites), *order[1:], share.id)
            if request.chooses:
                reasons.append(Reason("affinity", "it has an affinity hint"))
        group = case.group
        if not reasons and group is not None and sites:
            apart = frozenset((share.metadata.get(DIFFERENT_HOST) or "").split(",")) & hinted
            item = Item(
                share.id,
                share.size_gb,
                (_claim(share, case, group),),
                sites,
                order,
                apart=apart,
            )
            yield self._candidate(share, case, item, [*hindrances, *group.refusals])
            return
        # All reasons at once: those of the pools too, if none of them could take it.
        if group and not sites:
            reasons += [*hindrances, *group.refusals]
        if request.chooses:
            why = reasons[0].message if reasons else "there is no other pool for it"
            yield from stay(share.id, share, instances, f"can't move: {why}")
        else:
            yield Unplaced.because(self._describe(share), *reasons)

    def _blockers(self, share: Share, instances: Sequence[Instance], case: Case) -> list[Reason]:
        """Return what keeps a share from moving, wherever to."""
        kept = self._context.inventory.snapshots(share.id)
        to_delete = self._context.snapshots_to_delete
        if to_delete:
            kept = [snapshot for snapshot in kept if snapshot.id not in to_delete]
        reasons = share_blockers(share, instances, kept, case.options, case.share_type)
        return [*reasons, *self._blocked]

    def _candidate(
        self, share: Share, case: Case, item: Item, refusals: Sequence[Reason]
    ) -> Candidate:
        def make_entry(placing: Placing) -> MigrationEntry:
            return share_entry(
                self._context, share, share.host, placing.site.name, case.options, IDLE
            )

        return Candidate(
            item,
            self._describe(share),
            refusals,
            make_entry,
            explain_full_pools,
            by_scheduler=True,
        )

    def _apply_hints(
        self, share: Share, sites: Mapping[str, Site], hinted: Iterable[str]
    ) -> tuple[dict[str, Site], list[Reason]]:
        """Return the pools to which a share's hints let it go, and why not to the others."""
        places = {
            share_id: {
                instance.host for instance in self._context.inventory.instances.get(share_id, ())
            }
            for share_id in hinted
        }
        judged = [(name, affinity_blockers(share.metadata, name, places)) for name in sites]
        allowed = {name: sites[name] for name, reasons in judged if not reasons}
        refused = [(name, reasons) for name, reasons in judged if reasons]
        return allowed, condense(refused, "pool")


def _claim(share: Share, case: Case, group: PoolGroup) -> Claim:
    return Claim(
        share.id,
        share.size_gb,
        share.host,
        group.share_type,
        case.thin,
        share.snapshot_id is not None,
        case.written,
    )


def _changed(new: Instance | None, instances: Sequence[Instance], name: str) -> str | None:
    """Return a property of the new instance where the others have another one, else None."""
    if new is None:
        return None
    value: str | None = getattr(new, name)
    return value if any(getattr(instance, name) != value for instance in instances) else None
