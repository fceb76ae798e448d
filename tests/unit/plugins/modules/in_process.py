# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's real main() in this process, on a scripted cloud.

``run()`` takes a module's arguments as a task gives them, and returns what Ansible would get.  The
arguments are checked, defaults filled in and values masked by Ansible itself.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Collection, Iterator, Mapping
from types import ModuleType
from typing import Any
from unittest import mock

import openstack
import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common import warnings
from ansible.module_utils.common.parameters import PASS_VARS

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import Runner
from ansible_collections.manila.migration.plugins.modules import (
    share_migration,
    share_server_migration,
)
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    VERSIONS,
    Clock,
    Session,
    connection,
    live_services,
    versions,
)

try:
    from ansible.module_utils import _internal
    from ansible.module_utils.testing import patch_module_args
except ImportError:  # ansible-core 2.18
    _internal = None

    @contextlib.contextmanager
    def patch_module_args(args: dict[str, Any]) -> Iterator[None]:
        given = json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()
        with mock.patch.object(basic, "_ANSIBLE_ARGS", given):
            yield


_ANSIBLES = frozenset(
    {"changed", "failed", "msg", "diff", "warnings", "deprecations", "exception", "invocation"}
)
"""Keys of a result that Ansible defines, not the module."""


def run(
    module: ModuleType,
    args: Mapping[str, Any],
    *,
    session: Session | None = None,
    clock: Clock | None = None,
    check: bool = False,
    connect: Any = None,
) -> dict[str, Any]:
    """Run a module and return its result, with ``warnings`` as plain texts.

    ``session`` is where its requests go; ``clock`` is what it, its cloud and its runner sleep on;
    ``connect`` stands for openstacksdk's function.  The keys of the result are compared with
    those that the module's RETURN documents.
    """
    clock = clock or Clock()
    given = {**args, "_ansible_check_mode": check, "_ansible_diff": True}
    if "inject_invocation" in PASS_VARS:  # from ansible-core 2.21 on only with -vvv
        given["_ansible_inject_invocation"] = True
    out = io.StringIO()
    for kept in ("_global_warnings", "_global_deprecations"):
        getattr(warnings, kept).clear()  # they outlive a module that is not a process
    with contextlib.ExitStack() as patches:
        patches.enter_context(patch_module_args(given))
        patches.enter_context(contextlib.redirect_stdout(out))
        patches.enter_context(_time_of(module, clock))
        if _internal is not None:
            # Where the tests of a plugin have imported a controller, warnings would be shown by it.
            patches.enter_context(mock.patch.object(_internal, "is_controller", False))
        if session is not None or connect is not None:
            connect = connect or (lambda **_config: connection(session))
            patches.enter_context(mock.patch.object(openstack, "connect", connect))
        with pytest.raises(SystemExit) as ended:
            module.main()
    result: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    assert bool(ended.value.code) is bool(result.get("failed"))
    result["warnings"] = [_plain(entry) for entry in result.get("warnings", [])]
    check_documented(module, result)
    return result


def _plain(warning: Any) -> str:
    """The text of a warning, which newer releases of ansible-core return as a record."""
    return warning if isinstance(warning, str) else str(warning["event"]["msg"])


@contextlib.contextmanager
def _time_of(module: ModuleType, clock: Clock) -> Iterator[None]:
    """Have a module, its cloud and its runner live by ``clock``."""
    with contextlib.ExitStack() as patches:
        if hasattr(module, "time"):
            patches.enter_context(mock.patch.object(module, "time", clock))
        defaults = (0.0, clock.time, clock.sleep)
        patches.enter_context(mock.patch.object(Cloud.__init__, "__defaults__", defaults))
        defaults_by_name = {**(Runner.__init__.__kwdefaults__ or {}), "sleep": clock.sleep}
        patches.enter_context(
            mock.patch.object(Runner.__init__, "__kwdefaults__", defaults_by_name)
        )
        yield


def open_cloud(session: Session, clock: Clock, version: str = "2.98", **more: Any) -> None:
    """Expect what every module that takes a cloud begins with: the versions and the services."""
    session.expect("GET", VERSIONS, versions(version))
    session.expect("GET", "/services", live_services(clock, **more))


# -- what RETURN says --------------------------------------------------------------------------


@functools.cache
def documentation(module: ModuleType) -> dict[str, Any]:
    """The module's DOCUMENTATION."""
    return dict(yaml.safe_load(module.DOCUMENTATION))


@functools.cache
def _returns(module: ModuleType) -> dict[str, Any]:
    return dict(yaml.safe_load(module.RETURN))


def check_documented(module: ModuleType, result: Mapping[str, Any]) -> None:
    """Fail if a result has keys that RETURN doesn't know, or values of other types."""
    _compare(_returns(module), {key: result[key] for key in result if key not in _ANSIBLES}, "")


def check_complete(
    module: ModuleType, result: Mapping[str, Any], without: Collection[str] = ()
) -> None:
    """Fail if a success lacks a key that RETURN documents, at any depth, ``without`` aside."""
    missing = set(_missing(_returns(module), result, ""))
    assert sorted(missing - {*without, "status_code"}) == [], "documented, and not returned"


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "list": (list,),
    "dict": (dict,),
    "raw": (object,),
}


def _contents(documented: Mapping[str, Any]) -> dict[str, Any]:
    """What RETURN says a dictionary contains, with that of the record that it refers to."""
    contents = dict(documented.get("contains") or {})
    for other in (share_migration, share_server_migration):
        name = other.__name__.rpartition(".")[2]
        if contents and f"M(manila.migration.{name})" in str(documented["description"]):
            contents = {**_returns(other)["migration"]["contains"], **contents}
    return contents


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [
        entry
        for entry in (value if isinstance(value, list) else [value])
        if isinstance(entry, dict)
    ]


def _compare(documented: Mapping[str, Any], result: Mapping[str, Any], where: str) -> None:
    for key, value in result.items():
        assert key in documented, f"RETURN doesn't document {where}{key}"
        expected = _TYPES[documented[key]["type"]]
        assert value is None or isinstance(value, expected), f"{where}{key} is {value!r}"
        contents = _contents(documented[key])
        for entry in _dicts(value) if contents else ():
            _compare(contents, entry, f"{where}{key}.")


def _missing(documented: Mapping[str, Any], result: Mapping[str, Any], where: str) -> list[str]:
    missing = []
    for key, about in documented.items():
        if key not in result:
            missing.append(f"{where}{key}")
            continue
        for entry in _dicts(result[key]):
            missing += _missing(_contents(about), entry, f"{where}{key}.")
    return missing
