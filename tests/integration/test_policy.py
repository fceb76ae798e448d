# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/policy.yaml in place: what its role can do, and that it can do nothing else."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
import yaml
from conftest import ALPHA, BETA, CLOUD, GAMMA, SERVERS1, Ansible, Manila, sandbox, wait_for
from manilaclient import exceptions
from manilaclient.v2 import client as manila_client
from test_repair import repair

POLICY = Path(__file__).parents[2] / "docs" / "policy.yaml"
ROLE = "share_evacuator"

# Prints which of Manila's rules let somebody with some roles do something, to the own project, of
# which many requests ask first, or to another.
ASK_MANILA = """
import json, sys
from manila.common import config
from oslo_config import cfg
from manila import context, policies, policy
file, *roles = sys.argv[1:]
cfg.CONF(["--config-file", file], project="manila")
who = context.RequestContext(user_id="somebody", project_id="own", roles=roles)
rules = [rule.name for rule in policies.list_rules() if ":" in rule.name]
print(json.dumps([
    rule
    for rule in rules
    for project in ("own", "another")
    if policy.authorize(who, rule, {"project_id": project, "user_id": "other"}, do_raise=False)
]))
"""


class Operator:
    """A user who has just the role, and Ansible run as this user."""

    def __init__(self, manila: Manila, ansible: Ansible) -> None:
        self.manila = manila
        self.ansible = ansible
        clouds = yaml.safe_load(Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())
        auth = clouds["clouds"][CLOUD]["auth"]
        self.keystone = openstack.connect(cloud=CLOUD).identity
        self.remove()
        password = secrets.token_hex(16)
        user = self.keystone.create_user(name=ROLE, password=password, domain_id="default")
        role = self.keystone.create_role(name=ROLE)
        project = self.keystone.find_project(auth["project_name"])
        self.keystone.assign_project_role_to_user(project, user, role)
        auth.update({"username": ROLE, "password": password})
        file = ansible.folder / "clouds.yaml"
        file.write_text(yaml.safe_dump(clouds))
        ansible.environment["OS_CLIENT_CONFIG_FILE"] = str(file)
        session = openstack.connect(load_envvars=False, **clouds["clouds"][CLOUD]).session
        self.api = manila_client.Client(
            api_version=manila.version, session=session, service_catalog_url=manila.endpoint
        )

    def remove(self) -> None:
        """Remove the user and the role, also those that a killed test has left."""
        for kind in ("user", "role"):
            found = getattr(self.keystone, f"find_{kind}")(ROLE)
            if found:
                getattr(self.keystone, f"delete_{kind}")(found)


@pytest.fixture(scope="module")
def policy(world: None) -> Iterator[Path]:
    """Manila's API with the policy; the file that configures it."""
    if "MANILA_SANDBOX_VENV" not in os.environ:
        pytest.skip("configures Manila, so it needs the sandbox")
    local = Path(os.environ["OS_CLIENT_CONFIG_FILE"]).parent / "etc" / "local.conf"
    local.write_text(f"[oslo_policy]\npolicy_file = {POLICY}\n")
    try:
        sandbox("stop", "manila-api")
        sandbox("start", "manila-api")
        yield local
    finally:
        local.unlink()
        sandbox("stop", "manila-api")
        sandbox("start", "manila-api")


@pytest.fixture
def operator(policy: Path, manila: Manila, ansible: Ansible) -> Iterator[Operator]:
    operator = Operator(manila, ansible)
    yield operator
    operator.remove()


def test_the_role_is_enough_for_every_phase(operator: Operator) -> None:
    manila, ansible = operator.manila, operator.ansible
    shares = manila.create_all(["one", "two"], ALPHA)

    plan = ansible.evacuate("plan")
    assert plan.returncode == 0, plan.stdout
    for phase, place in (("copy", ALPHA), ("cancel", ALPHA), ("copy", ALPHA), ("cutover", None)):
        run = ansible.evacuate(phase)
        assert run.returncode == 0, run.stdout
        for share in shares:
            assert manila.share(share).host in ((place,) if place else (BETA, GAMMA))
    for share in shares:
        assert manila.rules(share) == [("ip", "192.0.2.10", "rw")]
        assert len(manila.instances(share)) == 1


def test_the_role_is_enough_for_servers_and_replicas(operator: Operator) -> None:
    manila, ansible = operator.manila, operator.ansible
    server = manila.create_server("tenant", "served", backend=SERVERS1)
    replicated = manila.create("replicated", "sandbox@mirror1#gold", share_type="replicated")
    hints = {"only_host": "sandbox@mirror2#silver"}
    manila.api.share_replicas.create(replicated, scheduler_hints=hints)
    wait_for(
        lambda: all(
            one.replica_state in ("active", "in_sync")
            for one in manila.api.share_replicas.list(replicated)
        )
    )

    for source in (SERVERS1, "sandbox@mirror1"):
        run = ansible.evacuate("all", evacuate_source=source)
        assert run.returncode == 0, run.stdout
    assert manila.server(server) is None
    (moved,) = (
        one for one in manila.api.shares.list(search_opts={"all_tenants": 1, "name": "served"})
    )
    assert not moved.host.startswith(SERVERS1)
    places = {one.host for one in manila.api.share_replicas.list(replicated)}
    assert places == {"sandbox@mirror2#gold", "sandbox@mirror2#silver"}


def test_resets_and_deletions_are_refused_in_one_sentence(operator: Operator) -> None:
    manila, ansible = operator.manila, operator.ansible
    stuck, share = manila.create("stuck", BETA), manila.create("plain", ALPHA)
    manila.api.shares.reset_task_state(stuck, "migration_driver_in_progress")
    snapshot = manila.api.share_snapshots.create(share, name="nightly").id
    wait_for(lambda: manila.api.share_snapshots.get(snapshot).status == "available")

    mended = ansible.tasks(repair(stuck, state="repaired")).last
    assert mended["diagnosis"]["code"] == "stale_state", mended
    assert mended["failed"] and "\n" not in mended["msg"]
    assert "this user may not do that; it takes the admin role, or one that" in mended["msg"]
    assert manila.share(stuck).task_state == "migration_driver_in_progress"

    emptied = ansible.evacuate("all", evacuate_delete_snapshots=["nightly"])
    assert emptied.returncode == 2
    report = json.loads((ansible.folder / "evacuation-report" / "report.json").read_text())
    # Older releases look whether the snapshot may be read, before they look at its deletion.
    first = r"policy allows it \((share:delete_snapshot|share_snapshot:get_snapshot)\)"
    assert re.search(first, report["migrations"][0]["error"])
    assert manila.share(share).host == ALPHA

    api = operator.api
    attempts: list[Callable[[], Any]] = [
        lambda: api.shares.delete(share),
        lambda: api.shares.force_delete(share),
        lambda: api.shares.soft_delete(share),
        lambda: api.shares.unmanage(share),
        lambda: api.shares.extend(share, 2),
        lambda: api.shares.update(share, display_name="mine"),
        lambda: api.shares.allow(share, "ip", "192.0.2.66", "rw"),
        lambda: api.shares.reset_state(share, "error"),
        lambda: api.shares.reset_task_state(share, None),
        lambda: api.share_instances.force_delete(manila.instances(share)[0].id),
        lambda: api.share_snapshots.delete(snapshot),
        lambda: api.share_snapshots.force_delete(snapshot),
        lambda: api.quotas.update("another", shares=1),
        lambda: api.share_types.create("mine", False),
    ]
    for attempt in attempts:
        with pytest.raises(exceptions.Forbidden):
            attempt()
    assert manila.share(share).status == "available" and manila.share(share).size == 1
    assert manila.api.share_snapshots.get(snapshot).status == "available"


@pytest.mark.parametrize("others", [[], ["member", "reader"]])
def test_no_other_rule_lets_the_role_in(policy: Path, others: list[str]) -> None:
    python = Path(os.environ["MANILA_SANDBOX_VENV"]) / "bin" / "python"
    answer = subprocess.run(
        [python, "-c", ASK_MANILA, policy, ROLE, *others],
        capture_output=True,
        text=True,
        check=True,
    )
    allowed = set(json.loads(answer.stdout.splitlines()[-1]))
    rules = yaml.safe_load(POLICY.read_text())
    named = {
        one for one, check in rules.items() if ":" in one and "rule:evacuation" in check.split()
    }
    # Manila 15 lacks some of them.
    assert allowed <= named
    assert "share:migration_complete" in allowed and "share:reset_task_state" not in allowed
