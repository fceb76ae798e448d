# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a run of the role evacuate, from what its steps returned.  Pure.

The role only runs modules and passes on what they return.  What failed, what remains, whether the
cordon may be lifted, and what the result is, is computed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

Entry = Mapping[str, Any]

MOVING_PHASES = ("copy", "cutover", "all")
"""Phases that bring everything at the source forward, so that what can't move is a failure."""

EMPTYING_PHASES = ("cutover", "all")
"""Phases after which nothing may be left at the source."""

COUNTS = ("copied", "completed", "failed", "cancelled", "waiting")


@dataclass(frozen=True)
class Steps:
    """What the steps of one run returned; an empty mapping for a step that did not run.

    ``planned`` and ``afterwards`` are results of the module evacuation_plan, ``moved``, ``replicated``
    and ``groups`` of the module evacuation.  ``problems`` are sentences about clients and tasks
    around cutovers, ``last_rate`` is the rate that an earlier run measured (GiB per hour).
    """

    phase: str
    source: str
    objective: str
    planned: Mapping[str, Any]
    cloud: str = ""
    workflow_job: str = ""
    check_mode: bool = False
    can_cordon: bool = False
    cordon_prefix: str = ""
    by_group: bool = False
    moved: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[Mapping[str, Any]] = ()
    replicated: Mapping[str, Any] = field(default_factory=dict)
    afterwards: Mapping[str, Any] = field(default_factory=dict)
    problems: Sequence[str] = ()
    last_rate: float | None = None

    @property
    def plan(self) -> Mapping[str, Any]:
        """The plan that the run followed."""
        plan: Mapping[str, Any] = self.planned["plan"]
        return plan

    @property
    def now(self) -> Mapping[str, Any]:
        """The last plan that was read: what is at the source now."""
        plan: Mapping[str, Any] = self.afterwards.get("plan", self.plan)
        return plan

    @property
    def subject(self) -> str:
        """What the run is about, in words."""
        return self.source if self.objective == "evacuate" else self.objective

    @property
    def runs(self) -> Sequence[Mapping[str, Any]]:
        """The results that have the record of each migration."""
        return self.groups if self.by_group else (self.moved,)


def compute_outcome(steps: Steps) -> dict[str, Any]:
    """Compute the outcome of a run.

    Returns:
        ``result``: what the role sets as ``evacuate_result``; its ``error`` is empty if the phase
        succeeded.  ``lift_cordon``: whether nothing migrates any more and the cordon is the role's.
        ``text``: lines for people.
    """
    summary = summarize(steps)
    records = [record for run in steps.runs for record in run.get("migrations") or ()]
    result = {
        "cloud": steps.cloud,
        "workflow_job": steps.workflow_job,
        "source": steps.source,
        "objective": steps.objective,
        "phase": steps.phase,
        "migrations": records or steps.plan["migrations"],
        "unplaced": steps.plan["unplaced"],
        "summary": summary,
        "pools": {"before": steps.plan["pools"], "after": steps.now["pools"]},
        "differences": steps.plan.get("differences") or [],
        "remaining": remaining(steps),
        "rate": steps.moved.get("rate") or steps.last_rate,
        "error": readable(" ".join(problems(steps))),
    }
    told = "text" if steps.phase == "status" else "brief"
    lines = [line for run in steps.runs for line in run.get(told) or ()]
    counts = ", ".join(f"{name} {count}" for name, count in summary.items())
    return {
        "result": result,
        "lift_cordon": may_lift_cordon(steps),
        "text": [*lines, f"{steps.phase} of {steps.subject}: {counts}"],
    }


def summarize(steps: Steps) -> dict[str, int]:
    """Count what is where; before anything ran, everything waits."""
    total = len(steps.plan["migrations"])
    counts = dict.fromkeys(COUNTS, 0) | {"waiting": total}
    summaries = [run["summary"] for run in steps.runs if run.get("summary")]
    if steps.by_group or summaries:
        counts = {name: sum(one.get(name, 0) for one in summaries) for name in COUNTS}
    return {"total": total, **counts, "unplaced": len(steps.plan["unplaced"])}


def remaining(steps: Steps) -> list[Entry]:
    """Return what is at the source now, and should not be."""
    return [*steps.now["migrations"], *steps.now["unplaced"]]


def unfinished_migrations(plan: Mapping[str, Any]) -> list[Entry]:
    """Return everything in a plan that migrates, or may: excluded and unplaced entries too.

    An entry that does not say so counts as one that migrates.  Raises KeyError or TypeError for
    what is no plan.
    """
    everything = [*plan["migrations"], *plan["unplaced"], *plan.get("excluded", ())]
    return [entry for entry in everything if entry.get("migrating", True)]


def may_lift_cordon(steps: Steps) -> bool:
    """Decide whether a cancelling run may enable the source again."""
    services = steps.afterwards.get("services") or ()
    ours = any(
        service["status"] == "disabled"
        and (service.get("disabled_reason") or "").startswith(steps.cordon_prefix)
        for service in services[:1]
    )
    return steps.can_cordon and ours and not unfinished_migrations(steps.now)


def problems(steps: Steps) -> list[str]:
    """Return everything that keeps the phase from being a success, each as a sentence."""
    told = [steps.replicated.get("msg"), steps.moved.get("msg")]
    if steps.by_group:
        told += [run.get("msg") for run in steps.groups]
    told += steps.problems
    if steps.afterwards.get("msg") and not steps.afterwards.get("skipped"):
        told.append(f"The source could not be read again. {steps.afterwards['msg']}")
    unplaced, left = steps.plan["unplaced"], remaining(steps)
    if unplaced and steps.phase in MOVING_PHASES:
        told.append(
            f"{len(unplaced)} can't move: {_labels(unplaced)}; their reasons are listed above and in "
            "the report."
        )
    if left and steps.phase in EMPTYING_PHASES and not steps.check_mode:
        state = (
            f"{steps.source} is not empty"
            if steps.objective == "evacuate"
            else f"The {steps.objective} is not done"
        )
        told.append(f"{state}: {len(left)} left ({_labels(left)}).")
    unfinished = unfinished_migrations(steps.now)
    if unfinished and steps.phase == "cancel" and not steps.check_mode:
        cordoned = ", and so left cordoned" if steps.can_cordon else ""
        told.append(
            f"{steps.subject}: still migrating or unclear{cordoned}: {_labels(unfinished)}."
        )
    return [one for one in told if one]


def _labels(entries: Iterable[Entry]) -> str:
    return ", ".join(str(entry["label"]) for entry in entries)
