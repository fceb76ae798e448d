# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extra specs, compared as the scheduler compares them."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.records import ShareType
from ansible_collections.manila.migration.plugins.module_utils._scheduler.extra_specs import (
    spec_matches,
    thinks_thin,
)


@pytest.mark.parametrize(
    ("has", "wants", "answer"),
    [
        ("SSD", "ssd", True),
        ("ssd", "hdd", False),
        (True, "true", True),
        (True, "yes", True),
        (False, "true", False),
        (False, "0", True),
        (True, "maybe", False),
        ("true", "<is> True", True),
        (True, "<is> False", False),
        ("no", "<is> off", True),
        (False, "<is> whatever", True),
        ("nfs_cifs", "<in> NFS", True),
        ("nfs", "<in> cifs", False),
        (7, "<in> 7", False),  # the scheduler would fail
        ("a", "<or> b <or> a", True),
        ("c", "<or> b <or> a", False),
        ("a", "<or>", False),
        (1, "<or> 1", False),
        (5, "= 4", True),
        (3, "= 4", False),
        ("4.0", "== 4", True),
        (4, "!= 4", False),
        (5, ">= 5", True),
        (6, "<= 5", False),
        ("abc", ">= 5", False),
        (5, ">=", False),
        ("a", "s== a", True),
        ("a", "s!= a", False),
        ("a", "s< b", True),
        ("b", "s<= b", True),
        ("c", "s> b", True),
        ("a", "s>= b", False),
        (5, "s< b", False),  # the scheduler would fail
        (5, "5", False),  # a number is no text
        (None, "x", False),
        (None, "s!= x", False),
    ],
)
def test_the_operators_of_the_scheduler(has, wants, answer):
    assert spec_matches(has, wants) is answer


@pytest.mark.parametrize(
    ("specs", "thin"),
    [
        ({}, True),
        ({"thin_provisioning": "True"}, True),
        ({"thin_provisioning": "<is> True"}, True),
        ({"thin_provisioning": "<is> False"}, False),
        ({"thin_provisioning": "no"}, False),
        ({"thin_provisioning": "sometimes"}, False),
        ({"capabilities:thin_provisioning": "False"}, False),
        ({"thin_provisioning": "True", "capabilities:thin_provisioning": "False"}, True),
    ],
)
def test_which_types_are_thought_thin(specs, thin):
    assert thinks_thin(ShareType("t", "t", specs)) is thin
