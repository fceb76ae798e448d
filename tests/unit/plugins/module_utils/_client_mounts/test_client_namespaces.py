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
    # The mount's own group says nothing: a container may have bound it elsewhere, too.
    root = mountinfo.Mount(80, 1, "254:0", "/", "/", "rw", propagation, "ext4", "/dev/vda", "")
    target = TABLE[1].target
    other = mountinfo.Mount(90, 80, "0:45", "/", target, "rw", ("master:28",), "nfs4", "x", "")
    assert namespaces.is_tied(other, [root, other], TABLE[1], TABLE) is expected


@pytest.mark.parametrize(
    ("root", "target", "other", "expected"),
    [
        ("/", "/", "/opt/own", False),  # what it has mounted itself
        ("/srv", "/mnt", "/mnt/projects", True),  # its parent shows a folder of ours
        ("/srv", "/", "/projects", True),
        ("/", "/", "/projects", False),
    ],
)
def test_only_what_lies_at_the_same_place_goes_along(
    root: str, target: str, other: str, expected: bool
) -> None:
    """propagate_umount(), fs/pnode.c, looks for a mount at the same folder of each parent."""
    parent = mountinfo.Mount(80, 1, "254:0", root, target, "rw", ("master:1",), "ext4", "v", "")
    mount = mountinfo.Mount(90, 80, "0:45", "/", other, "rw", (), "nfs4", "x", "")
    assert namespaces.is_tied(mount, [parent, mount], TABLE[1], TABLE) is expected
