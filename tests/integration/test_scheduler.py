# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner plans, Manila's scheduler accepts; and what it says can't go, it refuses.

Clouds are made up (scenarios.py), shown to the running scheduler (fake_backends.py), read and
planned for by the collection itself, and each planned migration is started through the API.

In every other scenario the back ends report what has arrived after each start, as real ones do
sooner or later; in the others they report nothing new, as real ones do at first.

``MANILA_MIGRATION_SCENARIOS`` says how many: 100, or ``7-7`` for number seven alone.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest
import scenarios
from conftest import CLOUD, sandbox

sys.path[:0] = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":")

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._api.errors import Refused, Unknown
from ansible_collections.manila.migration.plugins.module_utils._api.inventory_reader import (
    read_inventory,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.request import Request
from ansible_collections.manila.migration.plugins.module_utils._planner.planner import make_plan
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    written_part,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    thinks_thin,
)

PROGRAM = Path(__file__).parents[1] / "sandbox" / "drivers" / "fake_backends.py"
HOW_MANY = os.environ.get("MANILA_MIGRATION_SCENARIOS", "12")
SAMPLE = 6
"""How many places that a reason rules out are tried all the same, in each scenario."""

ASKED_OF_THE_SCHEDULER = frozenset(
    {
        "availability_zone",
        "capability",
        "capacity_invalid",
        "no_capacity",
        "protocol",
        "service_disabled",
        "service_down",
        "share_servers",
        "type_pinned",
    }
)


class FakeBackends:
    """The program that plays back ends, driven by lines."""

    def __init__(self) -> None:
        python = Path(os.environ["MANILA_SANDBOX_VENV"]) / "bin" / "python"
        config = Path(os.environ["OS_CLIENT_CONFIG_FILE"]).parent / "etc" / "manila.conf"
        self.process = subprocess.Popen(
            [python, PROGRAM, config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, do: str, **order: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer


@pytest.fixture(scope="module")
def fakes(world: None) -> Iterator[FakeBackends]:
    if "MANILA_SANDBOX_VENV" not in os.environ:
        pytest.skip("back ends can be made up only in the sandbox")
    sandbox("reset")
    program = FakeBackends()
    yield program
    program.process.communicate()
    assert program.process.returncode == 0


@pytest.fixture(scope="module")
def cloud(world: None) -> Cloud:
    return Cloud.connect(openstack.connect(cloud=CLOUD))


@dataclass(frozen=True)
class Disagreement:
    """A place where one said yes and the other one no."""

    scenario: int
    said: str
    share: str
    pool: str
    why: str

    def __str__(self) -> str:
        return f"scenario {self.scenario}: {self.said}: {self.share} to {self.pool}: {self.why}"


class Trial:
    """One scenario, tried on the running scheduler."""

    def __init__(self, number: int, renewed: bool, fakes: FakeBackends, cloud: Cloud) -> None:
        self.scenario = scenarios.make(number)
        self.renewed = renewed
        # Stopped half-way, and planned anew: some of those whose reports follow.
        self.resumed = renewed and number % 3 == 0
        self.fakes = fakes
        self.cloud = cloud
        self.found: list[Disagreement] = []
        self.started: dict[str, str] = {}
        self.counts: Counter[str] = Counter()

    def run(self) -> None:
        scenario = self.scenario
        self.fakes(
            "build", backends=scenario.backends, types=scenario.types, shares=scenario.shares
        )
        plan = self._plan()
        # How much of a share takes space in a thin pool nobody knows: let it be what is assumed.
        known = self.inventory.pools_by_name
        for name in scenario.written:
            scenario.written[name] = written_part(known[name]) if name in known else 1
        if self.resumed:
            self._start(plan, plan["migrations"][: len(plan["migrations"]) // 2])
            plan = self._plan()
        self._start(plan, [one for one in plan["migrations"] if one["phase"] == "idle"])
        self._try_refused(plan)
        self.counts["scenarios"] += 1

    def _plan(self) -> dict[str, Any]:
        self.inventory = read_inventory(self.cloud, self.scenario.request["source"])
        plan = make_plan(self.inventory, Request(**self.scenario.request))
        self.counts["unplaced"] += len(plan["unplaced"])
        return plan

    def _start(self, plan: Mapping[str, Any], entries: list[dict[str, Any]]) -> None:
        """Start migrations in the plan's order: all have to be accepted."""
        for entry in entries:
            share, pool, options = entry["id"], entry["destination"], Options(**entry["options"])
            warned = self._warned(plan, pool)
            refusal = self._ask(share, pool, options)
            if refusal is None:
                self.counts["migrations"] += 1
                self.started[share] = pool
                self._arrive(share, pool, options)
            elif warned:
                self.counts["refused as warned of"] += 1
            else:
                self._note("planned, but refused", share, pool, refusal)

    @staticmethod
    def _warned(plan: Mapping[str, Any], pool: str) -> bool:
        """Whether the driver filters by a function of its own, which only the scheduler applies."""
        own = (one["message"] for one in plan["warnings"] if one["code"] == "filter_function")
        return any(map(names(pool), own))

    def _ask(self, share: str, pool: str, options: Options) -> str | None:
        """Start a migration.  Returns why it is refused, None if it is accepted."""
        try:
            self.cloud.start("share", share, pool, options)
        except (Refused, Unknown) as error:
            return str(error)
        answer = self.fakes("verdict", share=share)
        if not answer["accepted"]:
            return "the scheduler said no"
        assert answer["pool"] == pool
        return None

    def _arrive(self, share: str, pool: str, options: Options) -> None:
        if not self.renewed:
            return
        share_type = options.new_share_type_id or self.scenario.share(share)["type"]
        changed = self.scenario.arrive(share, pool, self._kind(share)[0])
        self.fakes("arrive", share=share, pool=pool, type=share_type, backends=changed)

    def _try_refused(self, plan: Mapping[str, Any]) -> None:
        """Try some places that were ruled out: all have to be refused."""
        tries = sorted(
            (entry["id"], pool, reason["code"], reason["message"])
            for entry in plan["unplaced"]
            if entry["kind"] == "share" and entry["id"] not in self.started
            for reason in entry["reasons"]
            if reason["code"] in ASKED_OF_THE_SCHEDULER
            for pool in filter(lambda pool: names(pool)(reason["message"]), self.scenario.pools())
            if reason["code"] != "no_capacity" or self._full(plan, entry["id"], pool)
        )
        chooser = random.Random(self.scenario.number)
        for share, pool, code, message in chooser.sample(tries, min(SAMPLE, len(tries))):
            self.counts[f"ruled out: {code}"] += 1
            if self._ask(share, pool, Options(new_share_type_id=self._new_type(share))) is None:
                self.fakes("release", share=share)
                self._note("ruled out, but accepted", share, pool, message)

    def _full(self, plan: Mapping[str, Any], share: str, pool: str) -> bool:
        """Whether the scheduler should know by now that there is no room for a share."""
        figures = self.scenario.pools()[pool]
        kinds = {self._kind(one) for one, place in self.started.items() if place == pool}
        return (
            # What is planned has come, and was counted once.
            self.renewed
            and not self.resumed
            and len(self.started) == len(plan["migrations"])
            # Shares that want different things leave room that others need who start later.
            and kinds <= {self._kind(share)}
            # The ratio is the scheduler's secret, the least possible one is assumed.
            and ("max_over_subscription_ratio" in figures or not scenarios.is_thin(figures))
        )

    def _kind(self, share: str) -> tuple[bool, bool]:
        share_type = self._new_type(share) or self.scenario.share(share)["type"]
        thin = thinks_thin(self.inventory.share_types[share_type])
        return thin, "snapshot_id" in self.scenario.share(share)

    def _new_type(self, share: str) -> str | None:
        old = self.scenario.share(share)["type"]
        new: str = self.scenario.request.get("share_type_map", {}).get(old, old)
        return new if new != old else None

    def _note(self, said: str, share: str, pool: str, why: str) -> None:
        self.found.append(Disagreement(self.scenario.number, said, share, pool, why))


def names(pool: str) -> Callable[[str], object]:
    """Whether a sentence names this pool."""
    return re.compile(rf"(^|[ (]){re.escape(pool)}([,: )]|$)").search


def numbers() -> tuple[int, int]:
    """The first number, and the one after the last."""
    first, dash, last = HOW_MANY.partition("-")
    return (int(first), int(last) + 1) if dash else (1, int(first) + 1)


@pytest.mark.parametrize("renewed", [False, True], ids=["reports stay", "reports follow"])
def test_the_scheduler_accepts_what_is_planned(
    renewed: bool, fakes: FakeBackends, cloud: Cloud
) -> None:
    found: list[Disagreement] = []
    counts: Counter[str] = Counter()
    for number in range(*numbers()):
        if number % 2 != renewed:
            continue
        trial = Trial(number, renewed, fakes, cloud)
        trial.run()
        found += trial.found
        counts += trial.counts
        print(number, *map(str, trial.found), sep="\n  ", flush=True)
    print(json.dumps(counts, indent=1))
    assert not found, "\n".join(["", *map(str, found)])
    # A test of nothing would pass, too.
    assert counts["migrations"] >= counts["scenarios"] or counts["scenarios"] < 5
