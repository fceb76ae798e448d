# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``sandbox`` command."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from manila_sandbox import content
from manila_sandbox.config_files import DEFAULT_BEHAVIOUR, ConfigFiles, write
from manila_sandbox.database import Database
from manila_sandbox.errors import SandboxError
from manila_sandbox.install import Installer, check_platform
from manila_sandbox.processes import ProcessTable, wait_until
from manila_sandbox.rest import Cloud, RestError
from manila_sandbox.services import Services
from manila_sandbox.settings import (
    BACKENDS,
    CAPABILITIES,
    PERIODIC_INTERVAL,
    PROCESSES,
    SHARE_BINARIES,
    Settings,
    backend,
    sandbox_number,
)

_BUSY_COPY = ("data_copying_", "migration_in_progress", "migration_completing")


class Sandbox:
    """Everything the sub-commands need."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._saying = threading.Lock()
        self.settings = Settings.from_environment()
        self.paths = self.settings.paths
        for folder in (self.paths.root, self.paths.data, self.paths.logs, self.paths.run):
            folder.mkdir(parents=True, exist_ok=True)
        self.paths.root.chmod(0o700)
        self.table = ProcessTable(self.paths)
        self.installer = Installer(self.settings, self.table, self.say)
        self.files = ConfigFiles(self.settings, self.installer)
        self.database = Database(self.settings, self.files, self.installer)
        self.services = Services(self.settings, self.table, self.files, self.installer, self.say)
        self.cloud = self.services.cloud
        self.tenant = Cloud(self.settings, "admin", self.files.secrets["admin"], "tenant")

    def say(self, text: str) -> None:
        """Print a line of progress with the seconds since the beginning."""
        number = sandbox_number()
        which = f"sandbox {number}: " if number else ""
        with self._saying:
            print(f"[{time.monotonic() - self._begin:6.1f} s] {which}{text}", flush=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one command at a time change the sandbox."""
        with (self.paths.run / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("waiting for another sandbox command")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # -- up --------------------------------------------------------------------------------

    def up(self) -> None:
        """Bring everything up, as far as it isn't."""
        check_platform(self.settings.release)
        self._stop_steps()
        if not self.installer.ready():
            self.installer.install()
        self.files.write()
        if self._is_up():
            self.say("the sandbox is up")
            return
        self.services.trim_logs()
        stale = [n for n in PROCESSES if self.table.find().get(n) and self._is_stale(n)]
        if stale:
            self.say(f"restarting, because of a new configuration: {', '.join(stale)}")
            self.services.stop(stale)
        self._start_mariadb_and_rabbitmq()
        self._start_services()
        self._await_services()
        self.say("the sandbox is up")

    def _is_stale(self, name: str) -> bool:
        return not self.services.up_to_date(name)

    def _stop_steps(self) -> None:
        steps = [name for name in self.table.find() if name.startswith("step-")]
        if steps:
            self.table.stop(steps, signal.SIGTERM)

    def _is_up(self) -> bool:
        if self.services.broken():
            return False
        try:
            listed = self.services.healthy("manila-api") and self.services.heartbeats_fresh()
            return listed and self.services.all_pools_visible()
        except RestError:
            return False

    def _start_mariadb_and_rabbitmq(self) -> None:
        services = self.services
        first = [name for name in ("mariadb", "rabbitmq") if not services.healthy(name)]
        if "mariadb" in first:
            self.database.prepare_directory()
        for name in first:
            services.start(name)
        services.wait(["mariadb"])
        self.say("MariaDB is up")
        schemas = [n for n in ("keystone", "manila") if not self.database.schema_complete(n)]
        if schemas:
            self.say(f"making the tables of {' and '.join(schemas)}")
            self._together([partial(self.database.make_schema, name) for name in schemas])

    def _start_services(self) -> None:
        """Start what needs MariaDB; all of it waits for RabbitMQ by itself."""
        services = self.services
        if not services.healthy("keystone"):
            services.start("keystone")
        if not services.alive("manila-data"):
            services.unmount_leftovers()
        if not services.alive("manila-api"):
            services.start("manila-api")
        workers = (*SHARE_BINARIES, "manila-data")
        services.start_together([name for name in workers if not services.alive(name)])

    def _await_rabbitmq(self) -> None:
        try:
            self.services.wait(["rabbitmq"])
        except SandboxError:
            # nothing in it outlives a restart anyhow, so a broken store is thrown away
            self.services.stop(["rabbitmq"], signal.SIGKILL)
            shutil.rmtree(self.paths.data / "rabbitmq" / "mnesia", ignore_errors=True)
            self.services.start("rabbitmq")
            self.services.wait(["rabbitmq"])

    @staticmethod
    def _together(works: Sequence[Callable[[], None]]) -> None:
        errors: list[SandboxError] = []

        def guarded(work: Callable[[], None]) -> None:
            try:
                work()
            except SandboxError as error:
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def _await_services(self) -> None:
        services = self.services
        self._await_rabbitmq()
        self.say("RabbitMQ is up")
        services.wait(["keystone"])
        content.ensure_identity(self.settings, self.cloud, self.files.secrets)
        self.say("Keystone is up")
        services.wait(["manila-api"])
        content.ensure_share_types(self.cloud)
        self.say("the API is up")
        self._await_beating([*SHARE_BINARIES, "manila-data"])
        self.say("all back ends are up")
        self._bring_scheduler()
        self.say("the scheduler shows all pools")

    def _bring_scheduler(self) -> None:
        """Start the scheduler after the back ends, and wait until it shows all pools.

        It asks the back ends for their pools when it starts, and they must be listening then.
        What it shows is a cache that is filled by the first question and then renewed only when
        something is scheduled: so a question that came too early is followed by such an order.
        """
        services = self.services
        if not services.alive("manila-scheduler"):
            services.start("manila-scheduler")
        services.wait(["manila-scheduler"])
        if wait_until(services.all_pools_visible, PERIODIC_INTERVAL, poll=0.5):
            return

        def renewed() -> bool:
            content.refresh_pools(services, self.cloud)
            return services.all_pools_visible()

        if not wait_until(renewed, 90, poll=PERIODIC_INTERVAL):
            raise SandboxError(
                "the scheduler does not show all pools.", self.paths.log("manila-scheduler")
            )

    def _await_beating(self, names: list[str]) -> None:
        """Wait for heartbeats; restart once what lives and has none."""
        try:
            self.services.wait(names)
        except SandboxError:
            sick = [name for name in names if not self.services.healthy(name)]
            if not sick:
                return
            self.say(f"restarting {', '.join(sick)}")
            self.services.stop(sick, signal.SIGKILL)
            for name in sick:
                self.services.start(name)
            self.services.wait(names)

    # -- down ------------------------------------------------------------------------------

    def down(self, purge: bool) -> None:
        """Stop everything; with ``purge`` delete the data too."""
        self.services.down()
        left = self.table.find()
        mounts = self.services.mounts()
        if left or mounts:
            raise SandboxError(f"still there: {left or mounts}.")
        if purge:
            for folder in (self.paths.data, self.paths.etc, self.paths.library, self.paths.logs):
                shutil.rmtree(folder, ignore_errors=True)
            self.paths.clouds.unlink(missing_ok=True)
            self.paths.behaviour.unlink(missing_ok=True)
        self.say("the sandbox is down" + (" and its data deleted" if purge else ""))

    # -- reset and fill --------------------------------------------------------------------

    def reset(self) -> None:
        """Empty the cloud."""
        write(self.paths.behaviour, json.dumps(DEFAULT_BEHAVIOUR) + "\n")
        if not self._is_up():
            self.up()
        if self._copying():
            self.say("stopping a copy that runs")
            self.services.stop(["manila-data"], signal.SIGKILL)
        self.database.empty_manila()
        self.services.unmount_leftovers()
        for found in self.paths.shares.glob("*/share-*"):
            if found.is_dir():
                shutil.rmtree(found, ignore_errors=True)
            else:
                found.unlink(missing_ok=True)
        if not self.services.alive("manila-data"):
            self.services.start("manila-data")
            self.services.wait(["manila-data"])
        content.ensure_share_types(self.cloud)
        empty = {pool: 0.0 for pool in self.services.expected_pools()}
        content.await_figures(self.services, self.cloud, empty)
        self.database.empty_manila()
        self.say("the cloud is empty")

    def _copying(self) -> bool:
        if self.services.mounts():
            return True
        shares = self.cloud.share("GET", "/shares/detail?all_tenants=1")["shares"]
        return any(str(share["task_state"]).startswith(_BUSY_COPY) for share in shares)

    def fill(self, name: str, count: int, files: int) -> None:
        """Put shares on a back end."""
        chosen = backend(name)
        self._require_up()
        content.Fill(self.services, self.cloud, self.tenant, chosen, self.say).run(count, files)
        content.wait_snapshots(self.cloud)

    def _require_up(self) -> None:
        if not self.services.healthy("manila-api"):
            raise SandboxError("the sandbox is not up; run 'tests/sandbox/sandbox up' first.")

    # -- single processes ------------------------------------------------------------------

    def stop(self, name: str, number: signal.Signals) -> None:
        """Stop one process."""
        self._check_name(name)
        self.services.stop([name], number)
        self.say(f"{name} is stopped")

    def start(self, name: str) -> None:
        """Start one process and wait until it is healthy."""
        self._check_name(name)
        self.files.write()
        if not self.services.alive(name):
            self.services.start(name)
        self.services.wait([name])
        self.say(f"{name} is up")

    @staticmethod
    def _check_name(name: str) -> None:
        if name not in PROCESSES:
            raise SandboxError(f"there is no '{name}'; there are {', '.join(PROCESSES)}.")

    def refresh(self) -> None:
        """Make the scheduler's figures those of now."""
        self._require_up()
        pools = self.services.expected_pools()
        wanted = content.allocated_by_pool(self.cloud, pools)
        visible = {str(pool["name"]) for pool in self.services.pools()}
        content.await_figures(
            self.services, self.cloud, {k: v for k, v in wanted.items() if k in visible}
        )
        self.say("the scheduler's figures are those of now")

    # -- status ----------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return the state of everything."""
        processes = []
        for name in PROCESSES:
            note = self.table.note(name)
            processes.append({"name": name, "pid": note.pid if note else None, "up": bool(note)})
        listed: list[dict[str, object]] = []
        pools: list[dict[str, Any]] = []
        try:
            if self.services.alive("manila-api") and self.services.alive("keystone"):
                listed = self.services.manila_services()
                pools = [_pool_record(pool) for pool in self.services.pools()]
        except RestError:
            pass
        records = [
            {
                "binary": entry["binary"],
                "host": entry["host"],
                "state": entry["state"],
                "status": entry["status"],
                "updated_at": entry["updated_at"],
            }
            for entry in listed
        ]
        missing = self.services.expected_pools() - {pool["name"] for pool in pools}
        healthy = (
            all(process["up"] for process in processes)
            and bool(listed)
            and self.services.heartbeats_fresh()
            and not missing
        )
        return {
            "healthy": healthy,
            "processes": processes,
            "services": records,
            "pools": pools,
            "missing_pools": sorted(missing),
        }

    def print_status(self, as_json: bool) -> int:
        """Print the state and return the exit status."""
        state = self.status()
        if as_json:
            print(json.dumps(state, indent=2))
            return 0 if state["healthy"] else 1
        for process in state["processes"]:
            print(
                f"{process['name']:<24}{'up' if process['up'] else 'DOWN':<6}"
                f"{process['pid'] or '-'}"
            )
        print()
        for entry in state["services"]:
            print(
                f"{entry['binary']:<20}{entry['host']:<20}{entry['state']:<9}"
                f"{entry['status']:<10}{entry['updated_at']}"
            )
        print()
        for pool in state["pools"]:
            thin = f"thin, ratio {pool['ratio']}" if pool["thin"] else "thick"
            print(
                f"{pool['name']:<28}{pool['free']:>7} of {pool['total']} GiB free, "
                f"{pool['allocated']} allocated, {pool['reserved']} % reserved, {thin}"
            )
        for name in state["missing_pools"]:
            print(f"{name:<28}MISSING")
        print("\nhealthy" if state["healthy"] else "\nNOT healthy")
        return 0 if state["healthy"] else 1

    # -- switches --------------------------------------------------------------------------

    def switch(self, **changes: Any) -> None:
        """Change switches of the drivers."""
        try:
            now = json.loads(self.paths.behaviour.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            now = {}
        now = {**DEFAULT_BEHAVIOUR, **now}
        now.update({key: value for key, value in changes.items() if value is not None})
        write(self.paths.behaviour, json.dumps(now) + "\n")
        self.say(json.dumps(now))

    def steer(self, name: str, what: str, victims: list[str], never: bool) -> None:
        """Make a driver method fail or a capability be refused or offered, or stop that."""
        try:
            steered = dict(json.loads(self.paths.behaviour.read_text("utf-8")).get(name, {}))
        except (OSError, ValueError):
            steered = {}
        if never:
            steered.pop(what, None)
        else:
            steered[what] = victims or ["*"]
        self.switch(**{name: steered})

    def print_environment(self) -> None:
        """Print what a shell evaluates to use the sandbox."""
        print(f"export OS_CLIENT_CONFIG_FILE={self.paths.clouds}")
        print("export OS_CLOUD=sandbox")
        print(f"export MANILA_SANDBOX_VENV={self.installer.programs('manila')}")
        print(f"export MANILA_SANDBOX_SHARES={self.paths.shares}")
        print(f"export MANILA_SANDBOX_MOUNTS={self.paths.mounts}")
        print(f"export MANILA_SANDBOX_LOGS={self.paths.logs}")


def _pool_record(pool: dict[str, Any]) -> dict[str, Any]:
    capabilities = pool["capabilities"]
    return {
        "name": pool["name"],
        "total": capabilities["total_capacity_gb"],
        "free": capabilities["free_capacity_gb"],
        "allocated": capabilities.get("allocated_capacity_gb"),
        "provisioned": capabilities.get("provisioned_capacity_gb"),
        "reserved": capabilities["reserved_percentage"],
        "thin": capabilities.get("thin_provisioning", False),
        "ratio": capabilities.get("max_over_subscription_ratio"),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring everything up, as far as it isn't")
    down = commands.add_parser("down", help="stop everything")
    down.add_argument("--purge", action="store_true", help="delete the data as well")
    status = commands.add_parser("status", help="show processes, services and pools")
    status.add_argument("--json", action="store_true", help="print JSON")
    names = f"one of {', '.join(PROCESSES)}"
    stop = commands.add_parser("stop", help="stop one process")
    stop.add_argument("name", help=names)
    stop.add_argument("--signal", choices=("TERM", "KILL"), default="TERM")
    start = commands.add_parser("start", help="start one process")
    start.add_argument("name", help=names)
    fill = commands.add_parser("fill", help="put shares on a back end")
    fill.add_argument("--backend", choices=[item.name for item in BACKENDS], default="alpha")
    fill.add_argument("--shares", type=int, default=20, help="how many (20)")
    fill.add_argument("--files", type=int, default=6, help="files in each directory share (6)")
    commands.add_parser("reset", help="empty the cloud, stuck or not")
    commands.add_parser("refresh", help="make the scheduler renew its figures of the pools")
    speed = commands.add_parser("speed", help="set how long things last, while all runs")
    speed.add_argument("--copy-seconds", type=float, help="a driver-assisted copy")
    speed.add_argument("--complete-seconds", type=float, help="a cut-over")
    speed.add_argument("--cancel-seconds", type=float, help="a cancel, of shares and share servers")
    speed.add_argument("--call-seconds", type=float, help="any other call of a driver")
    grow = commands.add_parser("grow", help="make the pools larger than they are, while all runs")
    grow.add_argument("factor", type=float, help="how many times")
    fail = commands.add_parser("fail", help="make a method of the drivers fail, while all runs")
    fail.add_argument("what", metavar="method", help="e.g. migration_continue")
    refuse = commands.add_parser("refuse", help="make the drivers lack a capability")
    offer = commands.add_parser("offer", help="make the drivers have a capability")
    for answer in (refuse, offer):
        answer.add_argument(
            "what", metavar="capability", choices=CAPABILITIES, help="one of %(choices)s"
        )
    for steered in (fail, refuse, offer):
        steered.add_argument("victims", nargs="*", help="back ends, share ids, server ids (all)")
        steered.add_argument("--never", action="store_true", help="let it be as usual again")
    commands.add_parser("env", help="print variables for a shell")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    sandbox = Sandbox()
    command = arguments.command
    if command == "status":
        return sandbox.print_status(arguments.json)
    if command == "env":
        sandbox.print_environment()
        return 0
    actions: dict[str, Callable[[], None]] = {
        "up": sandbox.up,
        "down": lambda: sandbox.down(arguments.purge),
        "stop": lambda: sandbox.stop(arguments.name, signal.Signals[f"SIG{arguments.signal}"]),
        "start": lambda: sandbox.start(arguments.name),
        "fill": lambda: sandbox.fill(arguments.backend, arguments.shares, arguments.files),
        "reset": sandbox.reset,
        "refresh": sandbox.refresh,
        **dict.fromkeys(
            ("fail", "refuse", "offer"),
            lambda: sandbox.steer(command, arguments.what, arguments.victims, arguments.never),
        ),
        "speed": lambda: sandbox.switch(
            copy_seconds=arguments.copy_seconds,
            complete_seconds=arguments.complete_seconds,
            cancel_seconds=arguments.cancel_seconds,
            call_seconds=arguments.call_seconds,
        ),
        "grow": lambda: sandbox.switch(pool_factor=arguments.factor),
    }
    with sandbox.locked():
        actions[command]()
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run the command line; foreseen problems end in one sentence."""
    try:
        return _run(_parser().parse_args(arguments))
    except SandboxError as error:
        print(error.report(), file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"sandbox: {error}; is another user the owner?", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, head perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("sandbox: interrupted; 'up' goes on, 'down' stops what was started.", file=sys.stderr)
        return 130
