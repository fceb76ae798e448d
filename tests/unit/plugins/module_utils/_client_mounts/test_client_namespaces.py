# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other mount namespaces."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import (
    mountinfo,
    namespaces,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.client_samples import (
    TABLE,
)


@pytest.mark.parametrize(
    ("propagation", "expected"),
    [
        ((), False),
        (("shared:1",), True),
        (("master:1",), True),
        (("shared:7", "master:1"), True),
        (("shared:2",), False),
    ],
)
def test_mounts_of_other_namespaces(propagation: tuple[str, ...], expected: bool) -> None:
    # A container may have bound the mount elsewhere: its own group says nothing then.
    root = mountinfo.Mount(80, 1, "254:0", "/", "/", "rw", propagation, "ext4", "/dev/vda", "")
    other = mountinfo.Mount(90, 80, "0:45", "/", "/x", "rw", ("master:28",), "nfs4", "x", "")
    assert namespaces.is_tied(other, [root, other], TABLE[1], TABLE) is expected
