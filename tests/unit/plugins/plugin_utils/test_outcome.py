# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the role evacuate has come to: result, problems, and whether the cordon may go."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.filter.evacuation_outcome import FilterModule

FILTER = FilterModule().filters()["evacuation_outcome"]

SOURCE, PREFIX = "stor1@array7", "manila.migration: "


def entry(name, **more):
    return {"id": name, "label": f"share {name}", "migrating": False, **more}


def planned(migrations=(), unplaced=(), excluded=(), **more):
    plan = {
        "migrations": list(migrations),
        "unplaced": list(unplaced),
        "excluded": list(excluded),
        "pools": [],
    }
    return {"plan": plan, **more}


def ran(msg="", **counts):
    result = {"migrations": [{"id": "s1"}], "summary": {"total": 1, **counts}, "brief": ["a line"]}
    return {**result, "msg": msg} if msg else result


def outcome(phase="copy", **more):
    steps = {"phase": phase, "source": SOURCE, "objective": "evacuate", "planned": planned()}
    return FILTER(steps | {"cordon_prefix": PREFIX, "can_cordon": True} | more)


def services(reason, status="disabled"):
    return [{"status": status, "disabled_reason": reason}]


def test_before_anything_ran_everything_waits():
    result = outcome("plan", planned=planned([entry("s1"), entry("s2")], [entry("s3")]))["result"]
    counts = {"total": 2, "copied": 0, "completed": 0, "failed": 0, "cancelled": 0, "waiting": 2}
    assert result["summary"] == {**counts, "unplaced": 1}
    assert [one["id"] for one in result["migrations"]] == ["s1", "s2"]
    assert [one["id"] for one in result["remaining"]] == ["s1", "s2", "s3"]
    assert result["error"] == "" and result["rate"] is None


def test_the_records_of_the_run_are_the_result():
    moved = ran(copied=1, waiting=0) | {"rate": 12.5}
    done = outcome("copy", planned=planned([entry("s1")]), moved=moved, last_rate=3.0)
    assert done["result"]["migrations"] == moved["migrations"]
    assert done["result"]["summary"]["copied"] == 1 and done["result"]["rate"] == 12.5
    assert done["text"][0] == "a line" and done["text"][-1].startswith(
        "copy of stor1@array7: total 1"
    )
    assert outcome("copy", last_rate=3.0)["result"]["rate"] == 3.0


def test_groups_are_added_up():
    groups = [ran(completed=1), ran("b: not cut over.", failed=1), {"msg": "c: no answer."}]
    done = outcome("cutover", by_group=True, groups=groups, planned=planned([entry("s1")] * 3))
    assert done["result"]["summary"] == {
        "total": 3,
        "copied": 0,
        "completed": 1,
        "failed": 1,
        "cancelled": 0,
        "waiting": 0,
        "unplaced": 0,
    }
    assert len(done["result"]["migrations"]) == 2
    assert done["result"]["error"].startswith("b: not cut over. c: no answer.")


@pytest.mark.parametrize(
    ("phase", "fails"),
    [("plan", 0), ("status", 0), ("cancel", 0), ("copy", 1), ("cutover", 1), ("all", 1)],
)
def test_what_cannot_move_fails_the_phases_that_move(phase, fails):
    now = planned()
    done = outcome(phase, planned=planned(unplaced=[entry("s1")]), afterwards=now)
    assert done["result"]["error"].count("share s1") == fails


@pytest.mark.parametrize(
    ("phase", "check", "fails"),
    [("copy", False, 0), ("cutover", False, 1), ("all", False, 1), ("cutover", True, 0)],
)
def test_what_remains_fails_the_phases_that_empty(phase, check, fails):
    now = planned([entry("s9")])
    done = outcome(phase, afterwards=now, check_mode=check)
    assert done["result"]["error"].count("share s9") == fails
    assert [one["id"] for one in done["result"]["remaining"]] == ["s9"]


def test_every_step_that_failed_is_named():
    done = outcome(
        "all",
        replicated={"msg": "1."},
        moved={"msg": "2."},
        problems=["3."],
        afterwards={"msg": "4.", "failed": True},
    )
    for number in "1234":
        assert f"{number}." in done["result"]["error"]
    assert "4." not in outcome(afterwards={"msg": "4.", "skipped": True})["result"]["error"]


@pytest.mark.parametrize("place", ["migrations", "unplaced", "excluded"])
@pytest.mark.parametrize("says", [True, None])
def test_what_migrates_keeps_the_cordon_wherever_the_plan_has_it(place, says):
    moving = entry("s1", migrating=True) if says else {"id": "s1", "label": "share s1"}
    now = planned(**{place: [moving]}, services=services(f"{PREFIX}being emptied"))
    done = outcome("cancel", afterwards=now)
    assert not done["lift_cordon"] and "share s1" in done["result"]["error"]


@pytest.mark.parametrize(
    ("listed", "can_cordon", "lifts"),
    [
        (services(f"{PREFIX}being emptied"), True, True),
        (services("maintenance"), True, False),
        (services(None), True, False),
        (services(f"{PREFIX}old", "enabled"), True, False),
        (services(f"{PREFIX}being emptied"), False, False),
        ([], True, False),
    ],
)
def test_only_a_cordon_of_this_role_is_lifted(listed, can_cordon, lifts):
    now = planned([entry("s1")], services=listed)
    done = outcome("cancel", afterwards=now, can_cordon=can_cordon)
    assert done["lift_cordon"] is lifts and done["result"]["error"] == ""


def test_text_from_outside_does_not_reach_the_error_raw():
    now = planned([entry("s1") | {"label": "share \x1b[31mred"}])
    assert "\x1b" not in outcome("cutover", afterwards=now)["result"]["error"]


@pytest.mark.parametrize("given", [None, 5, [], {}, {"phase": "copy"}, {"unknown": 1}])
def test_what_is_no_run_is_refused_in_a_sentence(given):
    with pytest.raises(AnsibleFilterError, match=r"^evacuation_outcome must get"):
        FILTER(given)
