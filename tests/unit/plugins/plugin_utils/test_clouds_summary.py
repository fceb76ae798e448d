# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of several clouds together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.filter.clouds_summary import FilterModule
from ansible_collections.manila.migration.plugins.plugin_utils.clouds_summary import clouds_summary


def record(name: str, error: str = "", **summary: int) -> dict[str, Any]:
    return {
        "name": name,
        "cloud": f"cloud-{name}",
        "source": "stor1@array7",
        "phase": "copy",
        "summary": summary,
        "error": error,
        "report": f"evacuation-report/{name}/report.json" if summary else "",
    }


def test_counts_are_added_and_each_cloud_keeps_its_own() -> None:
    north, south = record("north", total=3, copied=3), record("south", total=2, failed=2)
    made = clouds_summary([north, south])
    assert made["summary"] == {"total": 5, "copied": 3, "failed": 2}
    assert made["clouds"] == {"north": north, "south": south}
    assert made["error"] == ""
    assert made["text"] == [
        "north: copy of stor1@array7 in cloud-north: total 3, copied 3; report: evacuation-report/north/report.json",
        "south: copy of stor1@array7 in cloud-south: total 2, failed 2; report: evacuation-report/south/report.json",
        "all: total 5, copied 3, failed 2",
    ]


def test_what_failed_is_named_with_its_cloud() -> None:
    made = clouds_summary(
        [record("north", "Nobody answers."), record("south", "1 failed.", total=1, failed=1)]
    )
    assert made["error"] == "north: Nobody answers. south: 1 failed."
    assert made["text"][0] == "north: copy of stor1@array7 in cloud-north, failed: nothing was done"
    assert made["text"][1].startswith("south: copy of stor1@array7 in cloud-south, failed: total 1")
    assert made["summary"] == {"total": 1, "failed": 1}


@pytest.mark.parametrize("records", [[{}], ["north"], None, [{"name": "north", "summary": []}]])
def test_the_filter_says_what_is_wrong(records: Any) -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"^clouds_summary must get one record for each cloud"
    ):
        FilterModule().filters()["clouds_summary"](records)
