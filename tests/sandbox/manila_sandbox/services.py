# SPDX-License-Identifier: GPL-3.0-or-later
"""How each process is started, and by what it is known to be healthy."""

from __future__ import annotations

import calendar
import json
import shutil
import signal
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from manila_sandbox.config_files import ConfigFiles, write
from manila_sandbox.errors import SandboxError
from manila_sandbox.install import RABBITMQ_SERVER, Installer, Say
from manila_sandbox.processes import ProcessTable, wait_until
from manila_sandbox.rest import Cloud, RestError, request
from manila_sandbox.settings import (
    BACKENDS,
    HOST,
    LOOPBACK,
    PERIODIC_INTERVAL,
    PROCESSES,
    SERVICE_DOWN_TIME,
    SHARE_BINARIES,
    Settings,
)

#: seconds a process may take until it is healthy
_PATIENCE = {"mariadb": 60, "rabbitmq": 90, "keystone": 60}
_DEFAULT_PATIENCE = 120


def port_answers(port: int) -> bool:
    """Say whether somebody accepts connections."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def _is_fresh(text: str | None, since: float) -> bool:
    """Say whether a timestamp of Manila is not older than a moment, nor than a heartbeat may be."""
    if not text:
        return False
    moment = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    return moment >= int(since) and time.time() - moment < SERVICE_DOWN_TIME


class Services:
    """The processes of the sandbox, from MariaDB to the scheduler."""

    def __init__(
        self,
        settings: Settings,
        table: ProcessTable,
        files: ConfigFiles,
        installer: Installer,
        say: Say,
    ) -> None:
        self.settings = settings
        self.table = table
        self.files = files
        self.installer = installer
        self._say = say
        self.cloud = Cloud(settings, "admin", files.secrets["admin"], "admin")

    # -- commands --------------------------------------------------------------------------

    def _environment(self, name: str) -> dict[str, str]:
        paths = self.settings.paths
        programs = f"{paths.root / 'bin'}:{self.installer.programs(name) / 'bin'}"
        return {
            "PATH": f"{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(paths.library),
            "PYTHONUNBUFFERED": "1",
            "MANILA_SANDBOX_BEHAVIOUR": str(paths.behaviour),
            "MANILA_SANDBOX_PUBLISH_SECONDS": str(PERIODIC_INTERVAL),
            "OS_KEYSTONE_CONFIG_DIR": str(paths.etc),
            "OS_KEYSTONE_CONFIG_FILES": "keystone.conf",
        }

    def _mariadb(self) -> Sequence[str]:
        data = self.settings.paths.data / "mariadb"
        password = self.files.secrets["database"]
        statements = [
            "CREATE USER IF NOT EXISTS 'sandbox'@'%';",
            f"ALTER USER 'sandbox'@'%' IDENTIFIED BY '{password}';",
            "GRANT ALL ON *.* TO 'sandbox'@'%';",
        ]
        init = self.settings.paths.etc / "mariadb-init.sql"
        write(init, "\n".join(statements) + "\n", 0o600)
        return [
            "/usr/sbin/mariadbd",
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            "--socket=mariadb.sock",
            f"--pid-file={self.settings.paths.run / 'mariadb.pid'}",
            f"--port={self.settings.ports.mariadb}",
            f"--bind-address={LOOPBACK}",
            f"--init-file={init}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
            "--max-connections=500",
            "--character-set-server=utf8mb4",
        ]

    def _rabbitmq_environment(self) -> dict[str, str]:
        paths, ports = self.settings.paths, self.settings.ports
        home = paths.data / "rabbitmq"
        home.mkdir(parents=True, exist_ok=True)
        return {
            "HOME": str(home),
            "RABBITMQ_NODENAME": "manila-sandbox@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(ports.rabbitmq),
            "RABBITMQ_DIST_PORT": str(ports.rabbitmq_dist),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(paths.logs),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(paths.etc / "rabbitmq-plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(paths.etc / "rabbitmq"),
            # schedulers that spin while they wait would take the processor from the others
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+sbwt none +sbwtdcpu none +sbwtdio none"
                " -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(ports.epmd),
        }

    def _arguments(self, name: str) -> list[str]:
        """Return what the launcher is given for a service."""
        etc = self.settings.paths.etc
        service, _at, backend = name.partition("@")
        port = self._port(name) or 0
        arguments = [service, str(port)]
        if name != "keystone":
            arguments += ["--config-file", str(etc / "manila.conf")]
        if backend:
            arguments += ["--config-file", str(etc / f"{backend}.conf")]
        if name != "keystone" and (etc / "local.conf").exists():
            # never written here: for those who configure the services themselves
            arguments += ["--config-file", str(etc / "local.conf")]
        return arguments

    def _launcher(self, name: str) -> list[str]:
        return [self.installer.program(name, "python"), "-m", "sandbox_drivers.launch"]

    def _command(self, name: str) -> tuple[Sequence[str], dict[str, str]]:
        if name == "mariadb":
            return self._mariadb(), {}
        if name == "rabbitmq":
            return [str(RABBITMQ_SERVER)], self._rabbitmq_environment()
        return [*self._launcher(name), *self._arguments(name)], self._environment(name)

    def _port(self, name: str) -> int | None:
        ports = self.settings.ports
        return {
            "mariadb": ports.mariadb,
            "rabbitmq": ports.rabbitmq,
            "keystone": ports.keystone,
            "manila-api": ports.manila,
        }.get(name)

    # -- health ----------------------------------------------------------------------------

    def alive(self, name: str) -> bool:
        """Say whether the process itself lives."""
        return self.table.note(name) is not None

    def up_to_date(self, name: str) -> bool:
        """Say whether a living process was started with the configuration of now."""
        note = self.table.note(name)
        return note is not None and note.fingerprint == self.files.fingerprint(name)

    def manila_services(self) -> list[dict[str, object]]:
        """Return Manila's own list of services."""
        return list(self.cloud.share("GET", "/services")["services"])

    def _heartbeats(self, names: Iterable[str]) -> bool:
        """Say whether Manila has fresh heartbeats of these, sent after they were started."""
        try:
            listed = self.manila_services()
        except RestError:
            return False
        for name in names:
            note = self.table.note(name)
            binary, _at, backend = name.partition("@")
            host = f"{HOST}@{backend}" if backend else HOST
            if note is None or not any(
                entry["binary"] == binary
                and entry["host"] == host
                and entry["state"] == "up"
                and _is_fresh(str(entry["updated_at"] or ""), note.since)
                for entry in listed
            ):
                return False
        return True

    def heartbeats_fresh(self) -> bool:
        """Say whether all of Manila's services send heartbeats."""
        return self._heartbeats((*SHARE_BINARIES, "manila-data", "manila-scheduler"))

    def healthy(self, name: str) -> bool:
        """Say whether a process does its work."""
        if not self.alive(name):
            return False
        if name == "keystone":
            return self._answers(self.settings.auth_url)
        if name == "manila-api":
            return self._answers(f"http://{LOOPBACK}:{self.settings.ports.manila}/")
        port = self._port(name)
        if port is not None:
            return port_answers(port)
        return self._heartbeats([name])

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            request("GET", url, seconds=10)
        except RestError:
            return False
        return True

    # -- start and stop --------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a process; whatever is left of an earlier one goes first."""
        if self.table.find().get(name):
            self.table.stop([name], signal.SIGKILL)
        port = self._port(name)
        if port is not None and port_answers(port):
            variable = self.settings.ports.variable("manila" if name == "manila-api" else name)
            raise SandboxError(
                f"port {port} of {LOOPBACK}, which {name} needs, is taken by another program;"
                f" set {variable} to a free one."
            )
        command, extra = self._command(name)
        self.table.start(
            name, command, extra, self.files.fingerprint(name), self.settings.paths.data
        )

    def start_together(self, names: Sequence[str]) -> None:
        """Start several services of Manila; they are forked from one process."""
        if len(names) < 3:
            for name in names:
                self.start(name)
            return
        self.table.stop([*names, "nursery"], signal.SIGKILL)
        paths = self.settings.paths
        plan = [
            {
                "log": str(paths.log(name)),
                "note": str(self.table.note_path(name)),
                "fingerprint": self.files.fingerprint(name),
                "command": self._arguments(name),
            }
            for name in names
        ]
        file = paths.etc / "nursery.json"
        config = str(paths.etc / "manila.conf")
        write(file, json.dumps({"config": config, "services": plan}))
        self.table.start(
            "nursery",
            [*self._launcher("manila"), "all", str(file)],
            self._environment("manila"),
            "",
            paths.data,
        )

        def born() -> bool:
            return all(self.alive(name) for name in names)

        # each notes itself, the last one perhaps after the nursery's end
        wait_until(lambda: born() or not self.alive("nursery"), 60)
        if not wait_until(born, 5):
            raise SandboxError("Manila's services did not start.", paths.log("nursery"))
        self.table.note_path("nursery").unlink(missing_ok=True)

    def wait(self, names: Sequence[str]) -> None:
        """Wait until processes are healthy; say which one is not and where its log is."""
        deadline = time.monotonic() + max(_PATIENCE.get(name, _DEFAULT_PATIENCE) for name in names)
        beating = [n for n in names if n.startswith("manila") and n != "manila-api"]
        plain = [name for name in names if name not in beating]

        def settled() -> bool:
            for name in names:
                if not self.alive(name):
                    raise SandboxError(f"{name} ended by itself.", self.settings.paths.log(name))
            if not all(self.healthy(name) for name in plain):
                return False
            return not beating or self._heartbeats(beating)

        if wait_until(settled, deadline - time.monotonic(), poll=0.25):
            return
        for name in names:
            if not self.healthy(name):
                raise SandboxError(
                    f"{name} runs but is not ready in time.", self.settings.paths.log(name)
                )

    def stop(self, names: Iterable[str], number: signal.Signals = signal.SIGTERM) -> None:
        """Stop processes with their workers; mounts of manila-data stay, as after a crash."""
        self.table.stop(names, number)

    # -- mounts ----------------------------------------------------------------------------

    def mounts(self) -> list[str]:
        """Return what is mounted under the mount location."""
        prefix = f"{self.settings.paths.mounts}/"
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
        return [point for point in points if point.startswith(prefix)]

    def unmount_leftovers(self) -> None:
        """Unmount what a killed manila-data left behind, and remove the empty mount points."""
        for point in reversed(self.mounts()):
            self.installer.step(
                "umount", ["umount", point], failure=f"{point} could not be unmounted"
            )
        if self.settings.paths.mounts.exists() and not self.mounts():
            for folder in self.settings.paths.mounts.iterdir():
                shutil.rmtree(folder, ignore_errors=True)

    # -- pools -----------------------------------------------------------------------------

    def expected_pools(self) -> set[str]:
        """Return the names of all pools; those of disabled services the scheduler drops."""
        services = self.cloud.share("GET", "/services")["services"]
        cordoned = {str(one["host"]) for one in services if one["status"] == "disabled"}
        return {
            backend.pool_host(pool.name)
            for backend in BACKENDS
            for pool in backend.pools
            if backend.host not in cordoned
        }

    def pools(self) -> list[dict[str, object]]:
        """Return the pools as the scheduler has them in its cache."""
        pools = self.cloud.share("GET", "/scheduler-stats/pools/detail")["pools"]
        return sorted(pools, key=lambda pool: str(pool["name"]))

    def all_pools_visible(self) -> bool:
        """Say whether the scheduler knows every pool."""
        try:
            return self.expected_pools() <= {str(pool["name"]) for pool in self.pools()}
        except RestError:
            return False

    # -- all -------------------------------------------------------------------------------

    def trim_logs(self) -> None:
        """Keep one older log of each process once a log is large."""
        for log in self.settings.paths.logs.glob("*.log"):
            if log.stat().st_size > 20_000_000:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                with log.open("r+b") as file:
                    file.truncate()

    def down(self) -> None:
        """Stop everything and see to it that nothing is left."""
        found = self.table.find()
        manila = [name for name in found if name.startswith(("manila", "step-"))]
        self.table.stop([*manila, "keystone"], signal.SIGTERM, patience=12)
        self.table.stop(["rabbitmq"], signal.SIGTERM, patience=15)
        self.table.stop(["mariadb"], signal.SIGTERM, patience=30)
        rest = self.table.find()
        self.table.stop(rest, signal.SIGKILL)
        self.unmount_leftovers()

    def broken(self) -> list[str]:
        """Return the processes that are not alive or were started with an older configuration."""
        return [name for name in PROCESSES if not self.up_to_date(name)]
