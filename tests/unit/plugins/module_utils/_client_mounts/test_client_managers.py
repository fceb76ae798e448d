# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that manage mounts."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import managers


@pytest.mark.parametrize(
    ("target", "unit"),
    [
        ("/srv/projects", "srv-projects.mount"),
        ("/srv/with blank", "srv-with\\x20blank.mount"),
        ("/srv/a-b/", "srv-a\\x2db.mount"),
        ("/.hidden", "\\x2ehidden.mount"),
        ("/", "-.mount"),
    ],
)
def test_units_of_systemd(target: str, unit: str) -> None:
    assert managers.unit_name(target) == unit
