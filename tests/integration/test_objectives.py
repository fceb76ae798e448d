# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks for other things than emptying a back end, and what their plans say."""

from __future__ import annotations

import json
from typing import Any

from conftest import ALPHA, BETA, GAMMA, Ansible, Manila, Run

SIZES = {ALPHA: 120, GAMMA: 200}
"""GiB."""


def contents(manila: Manila) -> dict[str, int]:
    """GiB of the shares in each pool."""
    found: dict[str, int] = {}
    for one in manila.api.shares.list(search_opts={"all_tenants": 1}):
        found[one.host] = found.get(one.host, 0) + one.size
    return found


def report_of(ansible: Ansible) -> dict[str, Any]:
    return json.loads((ansible.folder / "evacuation-report" / "report.json").read_text())


def rebalance(ansible: Ansible, phase: str, **variables: Any) -> Run:
    return ansible.playbook(
        "manila.migration.rebalance",
        evacuate_cloud="sandbox",
        evacuate_phase=phase,
        evacuate_poll_interval=0.5,
        evacuate_max_parallel_per_pool=5,
        **{"evacuate_destinations": ["sandbox@alpha", "sandbox@gamma"], **variables},
    )


def test_skewed_pools_are_rebalanced_to_within_the_tolerance(
    manila: Manila, ansible: Ansible
) -> None:
    manila.create_all([f"skewed-{n}" for n in range(12)], ALPHA, 8)
    before = manila.snapshot_of_world()
    plan = rebalance(ansible, "plan", evacuate_rate=56)
    assert plan.returncode == 0 and manila.snapshot_of_world() == before
    text = plan.by_name("Show what moves, and what can't")["msg"]
    # 30 % is the mean: 35 % of 120 GiB are the most that may stay.
    assert text[0] == (
        "rebalance sandbox@alpha, sandbox@gamma: 7 shares move, 56 GiB; copying takes at least "
        "3 min; pools are filled 0 to 80 % before and 28 to 33 % after"
    )

    run = rebalance(ansible, "all")
    assert run.returncode == 0, run.stdout
    filled = contents(manila)
    mean = sum(filled.values()) / sum(SIZES.values())
    assert all(abs(filled[pool] / size - mean) <= 0.05 for pool, size in SIZES.items())
    assert report_of(ansible)["summary"]["completed"] == 7
    assert {one.status for one in manila.api.services.list()} == {"enabled"}
    # How fast it went is what the next plan counts with.
    assert report_of(ansible)["rate"] > 0

    again = rebalance(ansible, "all")
    assert again.returncode == 0 and again.changed == 0
    more = ansible.evacuate("plan")
    assert "copying takes at least" in more.by_name("Show what moves, and what can't")["msg"][0]


def test_pools_are_emptied_into_others(manila: Manila, ansible: Ansible) -> None:
    manila.create_all([f"large-{n}" for n in range(3)], ALPHA, 10)
    manila.create_all(["small-0", "small-1"], BETA, 5)
    manila.create_all(["tiny-0", "tiny-1"], GAMMA, 2)
    variables = {
        "evacuate_source": "",
        "evacuate_objective": "consolidate",
        "evacuate_destinations": [ALPHA, BETA, GAMMA],
        "evacuate_plan_file": "plan.json",
    }
    assert ansible.evacuate("plan", **variables).returncode == 0
    plan = json.loads((ansible.folder / "plan.json").read_text())
    assert plan["emptied"] == [BETA, GAMMA]
    # Two phases, and the second in another process: what was chosen stays chosen.
    copy = ansible.evacuate("copy", **variables)
    assert copy.returncode == 0, copy.stdout
    cutover = ansible.evacuate("cutover", **variables)
    assert cutover.returncode == 0, cutover.stdout
    assert contents(manila) == {ALPHA: 44}
    assert ansible.evacuate("all", **{**variables, "evacuate_plan_file": ""}).changed == 0


def test_a_generation_is_replaced_by_a_map_of_types(manila: Manila, ansible: Ansible) -> None:
    shares = manila.create_all(["old-0", "old-1"], ALPHA, 2, "pinned-alpha")
    run = ansible.evacuate(
        "all",
        evacuate_destinations=["sandbox@gamma"],
        evacuate_share_type_map={"pinned-alpha": "replacement"},
    )
    assert run.returncode == 0, run.stdout
    for share in shares:
        now = manila.share(share)
        assert (now.host, now.share_type_name) == (GAMMA, "replacement")


def test_selected_shares_are_relocated_to_a_zone(manila: Manila, ansible: Ansible) -> None:
    manila.create_all(["far-0", "far-1"], ALPHA, 2)
    manila.create("small", ALPHA)
    run = ansible.evacuate(
        "all",
        evacuate_source="",
        evacuate_objective="relocate",
        evacuate_availability_zone="rack2",
        evacuate_select="[?size_gb > `1`]",
    )
    assert run.returncode == 0, run.stdout
    assert contents(manila) == {GAMMA: 4, ALPHA: 1}


def test_what_is_missing_or_wrong_is_said_in_one_sentence(manila: Manila, ansible: Ansible) -> None:
    manila.create("one", ALPHA)
    for variables, message in (
        ({"evacuate_source": ""}, "evacuate_source is missing: name the back end"),
        ({"evacuate_objective": "rebalance"}, "rebalance needs at least two pools"),
        (
            {"evacuate_objective": "relocate", "evacuate_availability_zone": "mars"},
            "there is no zone 'mars'; the zones with back ends are nova, rack2.",
        ),
        ({"evacuate_select": "[?size_gb >"}, "is no JMESPath expression over shares"),
        ({"evacuate_tolerance": -1, "evacuate_objective": "rebalance"}, "percent points"),
        ({"evacuate_rate": -5}, "rate must be 0 or more MiB per second, got: -5."),
    ):
        run = ansible.evacuate("copy", **variables)
        assert run.returncode == 2 and run.changed == 0
        assert message in run.last["msg"], run.last["msg"]
