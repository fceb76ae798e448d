# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugins import is in requirements.txt, and nothing else is."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported() -> set[str]:
    """Names of the packages that are imported, wherever that stands in a file."""
    names = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"ansible", "ansible_collections"}


def test_requirements_are_what_is_imported() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = {re.split(r"[<>=]", one)[0] for one in lines if one and not one.startswith("#")}
    packages = packages_distributions()
    # openstack.cloud, whose authentication is used, imports the SDK; ansible-core brings PyYAML, the SDK keystoneauth1.
    needed = {packages[name][0] for name in imported()} | {"openstacksdk"}
    assert needed - {"PyYAML", "keystoneauth1"} == required
