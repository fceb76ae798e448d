# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that keeps the cordon of a source while something there migrates."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.filter.unfinished_migrations import FilterModule

FILTER = FilterModule().filters()["unfinished_migrations"]


def plan(**lists):
    return {"migrations": [], "unplaced": [], "excluded": [], **lists}


@pytest.mark.parametrize("name", ["migrations", "unplaced", "excluded"])
def test_what_migrates_is_found_wherever_the_plan_has_it(name):
    still = {"id": "s1", "migrating": False}
    moves = {"id": "s2", "migrating": True}
    assert FILTER(plan(**{name: [still, moves]})) == [moves]


def test_what_does_not_say_so_counts():
    assert FILTER(plan(unplaced=[{"id": "s1"}])) == [{"id": "s1"}]


@pytest.mark.parametrize("given", [None, 5, "text", {}, plan(unplaced=[5])])
def test_what_is_no_plan_is_refused_in_a_sentence(given):
    with pytest.raises(AnsibleFilterError, match=r"^unfinished_migrations: it takes a plan"):
        FILTER(given)
