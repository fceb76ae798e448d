# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written for programs."""

from __future__ import annotations

import csv
import io
import json

import pytest

from ansible_collections.manila.migration.plugins.module_utils._report.files import (
    COLUMNS,
    as_files,
    client_mounts,
    complete,
    exports_csv,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.reports import (
    NASTY,
    make_report,
)

NOW = "2026-11-18T14:00:00Z"
SHARE = {
    "kind": "share",
    "id": "s1",
    "name": "data",
    "phase": "completed",
    "error": None,
    "export_locations_before": ["192.0.2.1:/a", "192.0.2.2:/a"],
    "export_locations_after": ["192.0.2.3:/b"],
    "shares": [],
}
MEMBER = {
    "id": "m1",
    "name": "web",
    "export_locations_before": ["192.0.2.1:/w"],
    "export_locations_after": [],
}
SERVER = {
    **SHARE,
    "kind": "share_server",
    "id": "v1",
    "name": "",
    "phase": "stuck",
    "error": "it is stuck",
    "shares": [MEMBER],
}


def report(*migrations, plan=(), **more):
    return complete({"migrations": list(migrations), **more}, {"migrations": list(plan)}, NOW)


@pytest.mark.parametrize(("rate", "read"), [("12.5", 12.5), ("", None), (None, None), (8.0, 8.0)])
def test_the_rate_is_a_number_also_where_ansible_makes_a_text_of_it(rate, read):
    assert report(SHARE, rate=rate)["rate"] == read


def test_a_rate_that_is_no_number_is_refused_in_one_sentence():
    with pytest.raises(
        ValueError, match=r"^result: 'rate' must be a number of MiB a second, not 'fast'.$"
    ):
        report(SHARE, rate="fast")


def rows(*migrations, plan=()):
    return list(
        csv.DictReader(io.StringIO(exports_csv(report(*migrations, plan=plan)), newline=""))
    )


def test_a_plan_adds_what_a_record_lacks_and_nothing_else():
    planned = {"id": "s1", "phase": "idle", "project_id": "p1", "size_gb": 3}
    (made,) = report(SHARE, plan=[planned])["migrations"]
    assert made == {**SHARE, "project_id": "p1", "size_gb": 3}


def test_shares_of_a_server_are_known_before_its_cutover():
    planned = {
        "id": "v1",
        "shares": [{"id": "m1", "name": "web", "size_gb": 2}, {"id": "m2", "name": "x"}],
    }
    (made,) = report(SERVER, plan=[planned])["migrations"]
    none = {"export_locations_before": [], "export_locations_after": []}
    assert made["shares"] == [{**MEMBER, "size_gb": 2}, {"id": "m2", "name": "x", **none}]
    (bare,) = report({**SERVER, "shares": []}, plan=[planned])["migrations"]
    assert bare["shares"] == [{**one, **none} for one in planned["shares"]]


def test_what_the_result_says_itself_counts():
    warning = {"code": "c", "message": "m"}
    made = complete({"migrations": [], "phase": "copy"}, {"warnings": [warning]}, NOW)
    assert (made["version"], made["written_at"], made["phase"]) == (1, NOW, "copy")
    assert made["warnings"] == [warning]
    assert complete({"warnings": []}, {"warnings": [warning]}, NOW)["warnings"] == []


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"migrations": "x"}, "result: 'migrations' must be a list of dictionaries."),
        ({"unplaced": ["s1"]}, "result: 'unplaced' must be a list of dictionaries."),
        ({"migrations": [{}]}, "result: every entry of 'migrations' needs an 'id'."),
    ],
)
def test_what_is_no_result_is_refused(result, message):
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.")):
        complete(result, {}, NOW)


def test_exports_are_a_line_a_share():
    found = rows(SHARE, SERVER, plan=[{"id": "s1", "project_id": "p1"}])
    assert [list(one.values()) for one in found] == [
        ["share", "s1", "data", "p1", "completed", "192.0.2.1:/a | 192.0.2.2:/a", "192.0.2.3:/b"],
        ["share", "m1", "web", "", "failed", "192.0.2.1:/w", ""],
    ]
    assert tuple(found[0]) == COLUMNS


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "\n", "\uff1d1", "\u3000=1"]
)
def test_no_cell_is_a_formula(name):
    (row,) = rows({**SHARE, "name": name})
    assert row["name"] == f"'{name}"


@pytest.mark.parametrize("name", [*NASTY, 'a,"b"\nc', "", "1-1"])
def test_names_come_back_from_the_table(name):
    (row,) = rows({**SHARE, "name": name, "export_locations_after": ["\\\\192.0.2.1\\a b"]})
    assert row["name"] in (name, f"'{name}")
    assert row["new"] == "\\\\192.0.2.1\\a b"


def test_client_mounts_get_every_share_that_was_moved():
    made = report(SHARE, SERVER, {**SHARE, "id": "s2", "export_locations_before": []})
    moved = {
        "id": "s1",
        "name": "data",
        "before": ["192.0.2.1:/a", "192.0.2.2:/a"],
        "after": ["192.0.2.3:/b"],
    }
    there = {"id": "m1", "name": "web", "before": ["192.0.2.1:/w"], "after": []}
    assert client_mounts(made["migrations"]) == [moved, there]
    # What has no new export can't be mounted.
    assert json.loads(as_files(made)["client_mounts.json"]) == {"client_mounts_exports": [moved]}


def test_the_files():
    result, plan = make_report(20, nasty=True)
    made = complete(result, plan, NOW)
    files = as_files(made)
    assert list(files) == ["report.json", "report.html", "exports.csv", "client_mounts.json"]
    assert json.loads(files["report.json"]) == made
    assert len(json.loads(files["client_mounts.json"])["client_mounts_exports"]) > 10
    assert as_files(made) == files
