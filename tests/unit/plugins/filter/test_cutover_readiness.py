# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that says whether a cutover group waits, can begin, or is given up."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.filter.cutover_readiness import (
    PATIENCE_SECONDS,
    FilterModule,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.record import as_record
from ansible_collections.manila.migration.plugins.module_utils._engine.types import Limits, Track
from ansible_collections.manila.migration.plugins.module_utils._engine.waiting import WAITING
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason

FILTER = FilterModule().filters()["cutover_readiness"]


def result(*codes, **more):
    """What the module returns of migrations that wait for these; None: of one that has failed."""
    records = []
    for number, code in enumerate(codes):
        migration = Migration(f"s{number}", "n@old#p", "n@one#p")
        reason = Reason(code, f"it waits ({code})") if code else None
        error = None if code else "It has failed."
        track = Track(phase="copied", waiting_for=reason, error=error)
        records.append(as_record(migration, track))
    return {"migrations": records, "summary": {}, **more}


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        ([], "ready"),
        (["operator"], "ready"),
        (["operator", "slot"], "ready"),
        (["operator", "driver"], "waiting"),
        (["operator", "window", "grace"], "waiting"),
        (["driver", "group_broken"], "hindered"),
        (["driver", None], "hindered"),
        (["operator", None], "hindered"),
    ],
)
def test_all_of_it_has_to_be_ready_and_one_can_hinder_it(codes, state):
    assert FILTER(result(*codes))["state"] == state


@pytest.mark.parametrize("code", WAITING)
def test_the_engine_says_what_passes(code):
    expected = "waiting" if WAITING[code].transient else "hindered"
    assert FILTER(result(code))["state"] == ("ready" if code in ("operator", "slot") else expected)


def test_what_is_unclear_is_waited_for_as_long_as_the_engine_bears_it():
    assert Limits().patience == PATIENCE_SECONDS
    assert FILTER(result("unclear", "operator"), PATIENCE_SECONDS - 1)["state"] == "waiting"
    assert FILTER(result("unclear", "operator"), PATIENCE_SECONDS)["state"] == "hindered"
    assert FILTER(result("driver"), 10 * PATIENCE_SECONDS)["state"] == "waiting"


@pytest.mark.parametrize("phase", ["completing", "completed"])
def test_what_is_cut_over_hinders_nothing(phase):
    found = result("completing")
    found["migrations"][0]["phase"] = phase
    assert FILTER(found) == {"state": "ready", "obstacles": []}


def test_what_hinders_it_is_said_once():
    assert FILTER(result("operator", "slot", "window", "window", None))["obstacles"] == [
        "It has failed.",
        "it waits (window)",
    ]


def test_a_rehearsal_that_failed_is_not_waited_for():
    assert FILTER(result("driver", msg="no such cloud")) == {"state": "hindered", "obstacles": []}
    assert FILTER({"msg": "no such cloud"}) == {"state": "hindered", "obstacles": []}


@pytest.mark.parametrize("given", [None, 5, {}, {"migrations": [5]}, {"migrations": [{}]}])
def test_what_is_no_result_is_refused_in_a_sentence(given):
    with pytest.raises(AnsibleFilterError, match=r"^cutover_readiness: it takes the result"):
        FILTER(given)
