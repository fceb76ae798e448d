# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that makes of migrations what clients mount."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.manila.migration.plugins.filter.client_exports import FilterModule

FILTER = FilterModule().filters()["client_exports"]
OLD, NEW = ["192.0.2.1:/a"], ["192.0.2.2:/a"]
SHARE = {
    "kind": "share",
    "id": "s1",
    "name": "data",
    "export_locations_before": OLD,
    "export_locations_after": [],
}


def test_a_share_is_itself_and_a_share_server_is_its_shares():
    member = {**SHARE, "id": "m1", "export_locations_after": NEW}
    server = {**SHARE, "kind": "share_server", "id": "v1", "shares": [member]}
    assert FILTER([SHARE, server]) == [
        {"id": "s1", "name": "data", "before": OLD, "after": []},
        {"id": "m1", "name": "data", "before": OLD, "after": NEW},
    ]


def test_what_has_no_export_is_left_out():
    assert FILTER([{**SHARE, "export_locations_before": []}]) == []


@pytest.mark.parametrize("given", [None, 5, "text", [5], [{"kind": "share"}]])
def test_what_is_no_list_of_migrations_is_refused_in_a_sentence(given):
    with pytest.raises(AnsibleFilterError, match=r"^client_exports must get the records"):
        FILTER(given)
