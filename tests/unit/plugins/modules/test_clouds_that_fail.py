# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that takes a cloud does where the cloud can't be used: one sentence, no trace."""

from __future__ import annotations

import importlib
from pathlib import Path

import openstack
import pytest
import yaml
from keystoneauth1 import exceptions as keystone_errors

from ansible_collections.manila.migration.plugins import modules
from ansible_collections.manila.migration.plugins.modules import pool_info
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    CUT,
    FORBIDDEN,
    LATE,
    NEW,
    OLD,
    VERSIONS,
    connection,
    refusal,
    versions,
)

PLAN = {
    "version": 1,
    "migrations": [{"kind": "share", "id": "s1", "source": OLD, "destination": NEW}],
}

ARGUMENTS = {
    "data_service_rules": {"access_to": ["192.0.2.30"]},
    "evacuation": {"plan": PLAN},
    "evacuation_plan": {"source": "node@old"},
    "migration_repair": {"share": "s1"},
    "pool_info": {},
    "service_restart_check": {"binary": "manila-data"},
    "share_migration": {"share": "s1", "destination_pool": NEW},
    "share_migration_check": {"share": "s1", "destination_pool": NEW},
    "share_migration_info": {},
    "share_server_migration": {"share_server": "v1", "destination_host": "node@new"},
    "share_server_migration_check": {"share_server": "v1", "destination_host": "node@new"},
    "share_server_migration_info": {},
    "share_service": {"host": "node@old", "state": "disabled"},
}
"""The least that each of them takes."""


@pytest.fixture(params=list(ARGUMENTS))
def run(request, session, clock):
    module = importlib.import_module(f"{modules.__name__}.{request.param}")

    def call(**more):
        args = {"cloud": "mycloud", **ARGUMENTS[request.param]}
        return in_process.run(module, args, session=session, clock=clock, **more)

    return call


def test_these_are_all_modules_that_take_a_cloud():
    runtime = Path(pool_info.__file__).parents[2] / "meta" / "runtime.yml"
    group = yaml.safe_load(runtime.read_text(encoding="utf-8"))["action_groups"]["all"]
    assert sorted(ARGUMENTS) == sorted(group)


@pytest.mark.parametrize(
    "error",
    [
        openstack.exceptions.ConfigException("Cloud mycloud was not found."),
        openstack.exceptions.SDKException("No auth_url."),
        ValueError("unclosed quote\nin line 3"),
    ],
)
def test_a_configuration_that_cannot_be_used(session, run, error):
    def connect(**_config):
        raise error

    result = run(connect=connect)
    assert result["failed"] and str(error).split()[0] in result["msg"]
    assert "\n" not in result["msg"] and "Traceback" not in result["msg"]
    assert session.sent == []


def test_the_cloud_is_that_which_is_named(session, run):
    asked = []

    def connect(**config):
        asked.append(config["cloud"])
        return connection(session)

    session.expect("GET", VERSIONS, CUT)
    run(connect=connect)
    assert asked == ["mycloud"]


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        (None, None),
        (keystone_errors.Unauthorized("The request you have made requires authentication."), 401),
        (keystone_errors.EndpointNotFound(), None),
    ],
    ids=["not in the catalogue", "wrong credentials", "no endpoint"],
)
def test_keystone_gives_no_way_to_manila(session, run, endpoint, status):
    result = run(connect=lambda **_config: connection(session, endpoint))
    assert result["failed"] and result.get("status_code") == status
    assert session.sent == []


@pytest.mark.parametrize("trouble", [CUT, LATE], ids=["refused", "timed out"])
def test_manila_does_not_answer(session, run, clock, trouble):
    session.expect("GET", VERSIONS, trouble)
    result = run()
    assert result["failed"] and "no answer" in result["msg"] and clock.naps == []


def test_manila_is_too_old(session, run):
    session.expect("GET", VERSIONS, versions("2.60"))
    result = run()
    assert result["failed"] and "2.60" in result["msg"] and "2.73" in result["msg"]


def test_the_user_may_not_see_services(session, run):
    session.expect("GET", VERSIONS, versions("2.98"))
    session.expect("GET", "/services", FORBIDDEN, 403)
    result = run()
    assert result["failed"] and result["status_code"] == 403 and "admin role" in result["msg"]


def test_manila_is_broken_for_longer_than_reads_are_repeated(session, run, clock):
    session.expect("GET", VERSIONS, versions("2.98"))
    for _number in range(10):
        session.expect("GET", "/services", refusal("oh", 500), 500)
    result = run()
    assert result["failed"] and result["status_code"] == 500 and sum(clock.naps) <= 90


REQUIRED = [
    ("data_service_rules", "access_to"),
    ("evacuation", "plan"),
    ("service_restart_check", "binary"),
    ("share_migration", "share"),
    ("share_migration_check", "destination_pool"),
    ("share_migration_check", "share"),
    ("share_server_migration", "share_server"),
    ("share_server_migration_check", "destination_host"),
    ("share_server_migration_check", "share_server"),
    ("share_service", "host"),
    ("share_service", "state"),
]


@pytest.mark.parametrize("empty", [None, ""])
@pytest.mark.parametrize(("name", "option"), REQUIRED)
def test_a_required_argument_that_is_empty_is_named(session, name, option, empty):
    """Ansible itself makes an empty text of a null, and lets both pass."""
    module = importlib.import_module(f"{modules.__name__}.{name}")
    result = in_process.run(module, {**ARGUMENTS[name], option: empty}, session=session)
    assert result["failed"] and option in result["msg"] and session.sent == []


def test_no_password_is_in_a_result(session, clock):
    """Not in what the module returns of its arguments either."""
    auth = {"auth_url": "http://keystone.test/v3", "username": "admin", "password": "s3cret-word"}
    session.expect("GET", VERSIONS, CUT)
    result = in_process.run(pool_info, {"auth": auth}, session=session, clock=clock)
    assert result["failed"] and "s3cret-word" not in str(result)
