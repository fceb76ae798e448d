# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module says is readable, whoever said it first."""

from __future__ import annotations

import json

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    Refused,
)
from ansible_collections.manila.migration.plugins.module_utils._module.base import MigrationModule

RAW, SHOWN = "\x1b[31mred\n\u202e", "\\u001b[31mred\\u000a\\u202e"


class ExampleModule(MigrationModule):
    """Says what it is told to, in each way there is."""

    argument_spec = {"way": {}}

    def run(self):
        """Fail or warn."""
        way = self.params["way"]
        if way == "refuse":
            self.refuse(RAW, name=RAW)
        if way == "cloud":
            raise Refused(f"Manila: {RAW}", 409)
        if way == "sdk":
            raise self.sdk.exceptions.SDKException(RAW)
        self.warn(RAW)
        self.results["name"] = RAW


@pytest.fixture
def said(monkeypatch, tmp_path):
    def call(**arguments):
        (tmp_path / "clouds.yaml").write_text(
            "clouds: {here: {auth_type: none, auth: {endpoint: 'http://127.0.0.1:9'}}}"
        )
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
        text = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        monkeypatch.setattr("ansible.module_utils.basic._ANSIBLE_ARGS", text)
        monkeypatch.setattr("ansible.module_utils.basic._ANSIBLE_PROFILE", "legacy", raising=False)
        printed = []
        monkeypatch.setattr("builtins.print", printed.append)
        with pytest.raises(SystemExit):
            ExampleModule()()
        return json.loads(printed[-1])

    return call


@pytest.mark.parametrize(
    ("way", "message"),
    [("refuse", SHOWN), ("cloud", f"Manila: {SHOWN}"), ("sdk", f"openstacksdk: {SHOWN}")],
)
def test_failures(said, way, message):
    result = said(cloud="here", way=way)
    assert result["failed"] and result["msg"] == message
    assert result.get("name", RAW) == RAW


def test_warnings(said, monkeypatch):
    warned = []
    monkeypatch.setattr(
        "ansible.module_utils.basic.AnsibleModule.warn", lambda _module, text: warned.append(text)
    )
    assert said(cloud="here", way="warn")["name"] == RAW
    assert warned == [SHOWN]


def test_what_is_wrong_with_the_configuration(said):
    assert said(cloud="\x1b[31m\u202e")["msg"].isprintable()


def test_errors_of_the_cloud():
    assert str(CloudError(f"share {RAW}: refused")) == f"share {SHOWN}: refused"
