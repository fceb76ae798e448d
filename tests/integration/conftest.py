# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Integration tests: the installed collection, run by ansible-playbook, against a real Manila.

The Manila is the sandbox (tests/sandbox), or any cloud of one's own that has back ends of the
same names; see tests/sandbox/README.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest
import yaml
from fault_page import FaultPage
from fault_proxy import Proxy
from manilaclient import api_versions
from manilaclient.v2 import client as manila_client

SANDBOX = Path(__file__).parents[1] / "sandbox" / "sandbox"
CLOUD = "sandbox"
ALPHA = "sandbox@alpha#gold"
BETA = "sandbox@beta#gold"
SILVER = "sandbox@beta#silver"
GAMMA = "sandbox@gamma#gold"
FILES1 = "sandbox@files1#tree"
FILES2 = "sandbox@files2#tree"
SERVERS1 = "sandbox@servers1"
SERVERS2 = "sandbox@servers2"
SERVERS3 = "sandbox@servers3"

# Seconds to wait for what has to come: much, as that is free where nothing is wrong.
PATIENCE = 300


def sandbox(*arguments: str) -> str:
    """Run the sandbox's command."""
    done = subprocess.run([SANDBOX, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"sandbox {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until a condition is true and return what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


class Manila:
    """The cloud as seen past the collection: to prepare it, and to see what really happened."""

    def __init__(self) -> None:
        connection = openstack.connect(cloud=CLOUD)
        self.endpoint = connection.config.get_session_client("shared-file-system").get_endpoint()
        arguments = {"session": connection.session, "service_catalog_url": self.endpoint}
        newest = api_versions.APIVersion("2.98")
        probe = manila_client.Client(api_version=newest, **arguments)
        self.version = api_versions.discover_version(probe, newest)
        self.api = manila_client.Client(api_version=self.version, **arguments)

    @property
    def keeps_reasons(self) -> bool:
        """Whether Manila stores why a service is disabled."""
        return bool(self.version >= api_versions.APIVersion("2.83"))

    @property
    def counts_new_types(self) -> bool:
        """Whether Manila counts a migration to a new share type in quotas."""
        return bool(self.version > api_versions.APIVersion("2.73"))

    def disable(self, host: str, reason: str) -> None:
        """Disable a back end as another operator would, with a reason where Manila stores it."""
        more = {"disable_reason": reason} if self.keeps_reasons else {}
        self.api.services.disable(host, "manila-share", **more)

    def heartbeat(self, binary: str) -> str:
        """When a service of a binary has reported last."""
        services = self.api.services.list()
        return max(str(one.updated_at) for one in services if one.binary == binary)

    def stop(self, name: str) -> None:
        """Stop a service and wait until Manila knows: 15 only misses its heartbeats after a while."""
        sandbox("stop", name)
        binary, _at, backend = name.partition("@")
        wait_for(
            lambda: any(
                one.binary == binary and one.host.endswith(backend) and one.state != "up"
                for one in self.api.services.list()
            )
        )

    def create(self, name: str, pool: str, size: int = 1, share_type: str = "standard") -> str:
        """Make a share in a pool; with a rule, as clients need one."""
        return self.create_all([name], pool, size, share_type)[0]

    def create_all(
        self, names: list[str], pool: str, size: int = 1, share_type: str = "standard"
    ) -> list[str]:
        """Make several shares at once."""
        return self._await_shares(
            [
                self.api.shares.create(
                    "NFS",
                    size,
                    name=name,
                    share_type=share_type,
                    scheduler_hints={"only_host": pool},
                ).id
                for name in names
            ]
        )

    def create_server(self, name: str, *shares: str, backend: str = SERVERS1, size: int = 1) -> str:
        """Make a share server, which takes a share network of its own, with some shares."""
        network = self.api.share_networks.create(name=f"network of {name}").id
        made = [
            self.api.shares.create(
                "NFS",
                size,
                name=share,
                share_type="servers",
                share_network=network,
                scheduler_hints={"only_host": f"{backend}#gold"},
            ).id
            for share in shares
        ]
        self._await_shares(made)
        return str(self.share(made[0]).share_server_id)

    def folder(self, share: str) -> Path:
        """Where the files of a share of a directory back end are."""
        exports = self.api.share_export_locations.list(share)
        return Path(next(one.path for one in exports if one.is_admin_only))

    def _await_shares(self, made: list[str]) -> list[str]:
        for share_id in made:
            wait_for(lambda share_id=share_id: self.share(share_id).status == "available")
            self.api.shares.allow(share_id, "ip", "192.0.2.10", "rw")
        for share_id in made:
            wait_for(lambda share_id=share_id: self.share(share_id).access_rules_status == "active")
        return made

    def servers(self, host: str | None = None) -> list[Any]:
        """Return the share servers of a back end, or all."""
        listed = self.api.share_servers.list()
        return [one for one in listed if host in (None, one.host)]

    def server(self, server_id: str) -> Any:
        """Return one share server, None if it is gone."""
        return next((one for one in self.servers() if one.id == server_id), None)

    def shares_on(self, server_id: str) -> list[Any]:
        """Return the shares of a share server."""
        options = {"all_tenants": 1, "share_server_id": server_id}
        return list(self.api.shares.list(search_opts=options))

    def start_server(self, server_id: str, host: str) -> None:
        """Start the migration of a share server as another operator would."""
        self.api.share_servers.migration_start(server_id, host, False, False, False)

    def await_server(self, server_id: str, task_state: str, seconds: float = PATIENCE) -> None:
        """Wait for a step of a share server's migration."""
        wait_for(lambda: self.server(server_id).task_state == task_state, seconds)

    def share(self, share_id: str) -> Any:
        """Return one share, read again."""
        return self.api.shares.get(share_id)

    def instances(self, share_id: str) -> list[Any]:
        """Return the instances of a share."""
        return list(self.api.shares.list_instances(share_id))

    def rules(self, share_id: str) -> list[tuple[str, str, str]]:
        """Return the access rules of a share."""
        rules = self.api.share_access_rules.access_list(share_id)
        return sorted((one.access_type, one.access_to, one.access_level) for one in rules)

    def start(self, share_id: str, pool: str, **more: Any) -> None:
        """Start a migration as another operator would."""
        self.api.shares.migration_start(share_id, pool, False, False, False, False, False, **more)

    def await_task_state(self, share_id: str, state: str, seconds: float = PATIENCE) -> None:
        """Wait for a step of a migration."""
        wait_for(lambda: self.share(share_id).task_state == state, seconds)

    def snapshot_of_world(self) -> list[tuple[Any, ...]]:
        """Everything that a module could have changed, for tests of check mode."""
        shares = self.api.shares.list(search_opts={"all_tenants": 1})
        services = self.api.services.list()
        return sorted(
            [(one.id, one.status, str(one.task_state), one.host) for one in shares]
            + [(one.id, one.status, str(one.task_state), one.host) for one in self.servers()]
            + [
                (one.host, one.binary, one.status, str(getattr(one, "disabled_reason", None)))
                for one in services
            ]
        )


@dataclass
class Run:
    """What an ansible-playbook did."""

    returncode: int
    results: list[dict[str, Any]]
    changed: int
    stdout: str
    stderr: str

    @property
    def last(self) -> dict[str, Any]:
        """The result of the last task that ran."""
        return self.results[-1]

    def by_name(self, name: str) -> dict[str, Any]:
        """The result of the last task whose name ends like this."""
        return next(one for one in reversed(self.results) if one["task_name"].endswith(name))


class Ansible:
    """Runs playbooks in an empty folder, as a user does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
            "PWD": str(folder),  # as a shell would have it
            "ANSIBLE_HOME": str(folder / "ansible-home"),
        }

    def command(self, playbook: str, **variables: Any) -> list[str]:
        """The command line."""
        return ["ansible-playbook", playbook, "--extra-vars", json.dumps(variables)]

    def playbook(self, playbook: str, *options: str, **variables: Any) -> Run:
        """Run a playbook, by path or by FQCN, to its end."""
        done = subprocess.run(
            [*self.command(playbook, **variables), *options],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        return self.read(done.returncode, done.stdout, done.stderr)

    @staticmethod
    def read(returncode: int, stdout: str, stderr: str) -> Run:
        """Read what the JSON callback wrote."""
        assert "Traceback" not in stdout + stderr, stdout + stderr
        try:
            output = json.loads(stdout[stdout.index("{") :])
        except ValueError:
            raise AssertionError(f"no result: {stdout}{stderr}") from None
        results = [
            {**result, "task_name": task["task"]["name"]}
            for play in output["plays"]
            for task in play["tasks"]
            for result in task["hosts"].values()
            if not result.get("skipped")
        ]
        changed = sum(one["changed"] for one in output["stats"].values())
        return Run(returncode, results, changed, stdout, stderr)

    def tasks(self, *tasks: dict[str, Any], options: tuple[str, ...] = ()) -> Run:
        """Run a play of some tasks; failures of tasks don't end it."""
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/manila.migration.all": {"cloud": CLOUD}},
            "tasks": [{"name": f"task {n}", **task} for n, task in enumerate(tasks)],
        }
        path = self.folder / "play.yml"
        path.write_text(yaml.safe_dump([play]))
        return self.playbook(str(path), *options)

    def module(self, name: str, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run one module and return its result."""
        task = {f"manila.migration.{name}": arguments, "ignore_errors": True, "diff": True}
        return self.tasks({**task, "check_mode": check}).last

    def evacuate(self, phase: str, *options: str, **variables: Any) -> Run:
        """Run the playbook that the product exists for."""
        return self.playbook(
            "manila.migration.evacuate",
            *options,
            evacuate_cloud=CLOUD,
            evacuate_phase=phase,
            evacuate_poll_interval=0.5,
            **{
                "evacuate_source": "sandbox@alpha",
                "evacuate_max_parallel_per_pool": 5,
                **variables,
            },
        )


def migrate(**arguments: Any) -> dict[str, Any]:
    """A task of share_migration, impatient and allowed to fail."""
    return {
        "manila.migration.share_migration": {
            "poll_interval": 0.5,
            "timeout": PATIENCE,
            **arguments,
        },
        "ignore_errors": True,
    }


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker a sandbox of its own: the first the one that is meant, the next the next."""
    config.addinivalue_line("markers", "needs_api(version): skipped where Manila's API is older")
    config.pluginmanager.register(FaultPage(), "fault_page")
    own_cloud = "OS_CLIENT_CONFIG_FILE" in os.environ and "MANILA_SANDBOX_VENV" not in os.environ
    if own_cloud and config.getoption("numprocesses", None):
        raise pytest.UsageError("A cloud of your own is for one worker: leave out --numprocesses.")
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    if worker:
        first = int(os.environ.get("MANILA_SANDBOX_NUMBER", "0"))
        os.environ["MANILA_SANDBOX_NUMBER"] = str(first + worker)
        os.environ.pop("OS_CLIENT_CONFIG_FILE", None)  # it is the first one's


@pytest.fixture(scope="session")
def world() -> None:
    """A running sandbox."""
    if "OS_CLIENT_CONFIG_FILE" not in os.environ:
        sandbox("up")
        for line in sandbox("env").splitlines():
            name, _equals, value = line.removeprefix("export ").partition("=")
            os.environ[name] = value.strip("'\"")


@pytest.fixture
def manila(world: None, request: pytest.FixtureRequest) -> Manila:
    """An empty cloud at full speed."""
    manila = Manila()
    needed = request.node.get_closest_marker("needs_api")
    if needed and manila.version < api_versions.APIVersion(needed.args[0]):
        have = manila.version.get_string()
        pytest.skip(f"needs API {needed.args[0]}, this Manila has {have}")
    sandbox("reset")
    speed = ("--copy-seconds", "1", "--complete-seconds", "0.2", "--cancel-seconds", "0")
    sandbox("speed", *speed, "--call-seconds", "0")
    return manila


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    """Ansible in an empty folder."""
    return Ansible(tmp_path)


@pytest.fixture
def proxy(manila: Manila, ansible: Ansible) -> Iterator[Proxy]:
    """A proxy between Ansible and Manila's API; at the end, what must never have happened."""
    clouds = yaml.safe_load(Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())
    between = Proxy(manila.endpoint)
    clouds["clouds"][CLOUD]["shared_file_system_endpoint_override"] = between.endpoint
    file = ansible.folder / "clouds.yaml"
    file.write_text(yaml.safe_dump(clouds))
    ansible.environment["OS_CLIENT_CONFIG_FILE"] = str(file)
    yield between
    between.close()
    between.assert_completed_once()
