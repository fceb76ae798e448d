# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of every module are such that the module takes them."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.manila.migration.plugins import modules
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process

NAMES = [entry.name for entry in pkgutil.iter_modules(modules.__path__)]

VALUES: dict[str, Any] = {"dict": {}, "list": [], "str": "text", "raw": "text", "path": "/text"}
"""What stands for a template, by the type of the option."""


class Accepted(BaseException):
    """The arguments were taken."""


def examples(module):
    return [
        (task["name"], key.rpartition(".")[2], args)
        for task in yaml.safe_load(module.EXAMPLES)
        for key, args in task.items()
        if key.startswith("manila.migration.")
    ]


def filled_in(args, options):
    """The arguments, with a value in the place of each template."""
    return {
        name: VALUES[options.get(name, {"type": "str"})["type"]]  # others are in fragments
        if isinstance(value, str) and value.startswith("{{")
        else value
        for name, value in args.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_module_has_examples_of_itself(name):
    module = importlib.import_module(f"{modules.__name__}.{name}")
    assert name in [used for _task, used, _args in examples(module)]


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_taken(name, monkeypatch):
    module = importlib.import_module(f"{modules.__name__}.{name}")
    accept = basic.AnsibleModule.__init__

    def stop(self, *args, **more):
        accept(self, *args, **more)
        raise Accepted

    monkeypatch.setattr(basic.AnsibleModule, "__init__", stop)
    for task, used, args in examples(module):
        documented = in_process.documentation(
            importlib.import_module(f"{modules.__name__}.{used}")
        )["options"]
        try:
            result = in_process.run(
                importlib.import_module(f"{modules.__name__}.{used}"), filled_in(args, documented)
            )
        except Accepted:
            continue
        pytest.fail(f"{task}: {result['msg']}")
