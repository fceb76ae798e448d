# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the programs: MariaDB and RabbitMQ from Debian, Manila and Keystone from PyPI."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from manila_sandbox.errors import SandboxError
from manila_sandbox.processes import ProcessTable
from manila_sandbox.settings import SOURCE_DIR, Paths

ELSEWHERE = (
    'tests/sandbox/README.md, section "A cloud of your own", says how to run the integration'
    " tests against a cloud that exists"
)

RABBITMQ_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_PACKAGES: Mapping[str, Sequence[str]] = {
    "mariadb-server": ("/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db"),
    "mariadb-client": ("/usr/bin/mariadb", "/usr/bin/mariadb-admin"),
    "rabbitmq-server": (str(RABBITMQ_SERVER),),
    "mount": ("/usr/bin/mount", "/usr/bin/umount"),
}
_PROBE = (
    "import ensurepip, json, sys, venv;"
    "assert (3, 11) <= sys.version_info[:2] <= (3, 13);"
    "print(json.dumps([sys.executable, list(sys.version_info[:3])]))"
)
Say = Callable[[str], None]


def missing_packages() -> list[str]:
    """Return the Debian packages of which a program is not there."""
    return [
        package
        for package, programs in _PACKAGES.items()
        if not all(os.access(program, os.X_OK) for program in programs)
    ]


def check_platform() -> None:
    """Refuse in one sentence where the sandbox can not run."""
    if not sys.platform.startswith("linux"):
        raise SandboxError(f"the sandbox needs Linux; {ELSEWHERE}.")
    if os.geteuid() != 0:
        raise SandboxError(
            f"the sandbox needs root (manila-data mounts shares), this is not; {ELSEWHERE}."
        )
    missing = missing_packages()
    if missing and not shutil.which("apt-get"):
        raise SandboxError(
            f"{', '.join(missing)} missing and there is no apt-get to install them; {ELSEWHERE}."
        )


class Installer:
    """Installs what is missing; an interrupted installation is done again."""

    def __init__(self, paths: Paths, table: ProcessTable, say: Say) -> None:
        self._paths = paths
        self._table = table
        self._say = say

    # -- steps -----------------------------------------------------------------------------

    def step(
        self,
        name: str,
        command: Sequence[str],
        extra: Mapping[str, str] | None = None,
        *,
        marked: bool = True,
        seconds: float = 900,
        failure: str,
    ) -> None:
        """Run a command to its end with its output in a log; raise with that log if it fails."""
        log = self._paths.log(name)
        environment = {**os.environ, **(extra or {})}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if marked:
            environment = self._table.environment(
                f"step-{name}", {**_pip_variables(), **(extra or {})}
            )
        with log.open("ab") as output:
            output.write(f"$ {' '.join(command)}\n".encode())
            output.flush()
            try:
                result = subprocess.run(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    timeout=seconds,
                    close_fds=False,  # the lock of an installation is passed on
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise SandboxError(f"{failure} (no end after {seconds:.0f} s).", log) from None
        if result.returncode:
            raise SandboxError(f"{failure} (exit status {result.returncode}).", log)

    # -- everything ------------------------------------------------------------------------

    @property
    def venv(self) -> Path:
        """Return the virtual environment that belongs to the pinned requirements."""
        return self._paths.venvs / self._requirements_key()

    def python(self) -> str:
        """Return the interpreter of the virtual environment."""
        return str(self.venv / "bin" / "python")

    def ready(self) -> bool:
        """Say whether nothing is missing."""
        return not missing_packages() and self._complete_mark().exists()

    def install(self) -> None:
        """Install packages and the virtual environment side by side, for all sandboxes."""
        self._paths.venvs.mkdir(parents=True, exist_ok=True)
        with (self._paths.venvs / ".lock").open("w") as lock:
            # what a killed run left behind, pip perhaps, holds the lock until it ends
            os.set_inheritable(lock.fileno(), True)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting for another sandbox that installs")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.ready():
                self._install()

    def _install(self) -> None:
        errors: list[SandboxError] = []

        def guarded(work: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                try:
                    work()
                except SandboxError as error:
                    errors.append(error)

            return run

        threads = [
            threading.Thread(target=guarded(work))
            for work in (self._install_packages, self._install_venv)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    # -- Debian ----------------------------------------------------------------------------

    def _install_packages(self) -> None:
        missing = missing_packages()
        if not missing:
            return
        self._say(f"installing {', '.join(missing)}")
        self._apt("update")
        try:
            self._apt("install", "--no-install-recommends", "-y", *missing)
        except SandboxError:
            # an installation that was killed leaves packages half configured
            self.step(
                "apt",
                ["dpkg", "--configure", "-a"],
                {"DEBIAN_FRONTEND": "noninteractive"},
                marked=False,
                failure="dpkg could not finish an interrupted installation",
            )
            self._apt("install", "--no-install-recommends", "-y", *missing)
        self._say("packages installed")

    def _apt(self, *arguments: str) -> None:
        # not marked: a package installation must not be killed by the next run, but awaited
        self.step(
            "apt",
            ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments],
            {"DEBIAN_FRONTEND": "noninteractive"},
            marked=False,
            failure=f"apt-get {arguments[0]} failed",
        )

    # -- PyPI ------------------------------------------------------------------------------

    def _requirements_key(self) -> str:
        digest = hashlib.sha256()
        for name in ("requirements.txt", "constraints.txt"):
            digest.update((SOURCE_DIR / name).read_bytes())
        return digest.hexdigest()[:12]

    def _complete_mark(self) -> Path:
        return self.venv / ".complete"

    def _interpreter(self) -> str:
        chosen = os.environ.get("MANILA_SANDBOX_PYTHON")
        usual = ("/usr/bin/python3", "python3.11", "python3.12", "python3.13", sys.executable)
        for name in (chosen,) if chosen else usual:
            found = shutil.which(name)
            if not found:
                continue
            result = subprocess.run(
                [found, "-c", _PROBE], capture_output=True, text=True, check=False
            )
            if result.returncode == 0:
                return str(json.loads(result.stdout)[0])
        raise SandboxError(
            "no Python 3.11 to 3.13 with venv and ensurepip was found: install python3-venv, "
            "or set MANILA_SANDBOX_PYTHON."
        )

    def _install_venv(self) -> None:
        if self._complete_mark().exists():
            return
        interpreter = self._interpreter()
        self._say(f"installing Manila and Keystone for {interpreter}")
        shutil.rmtree(self.venv, ignore_errors=True)
        self.step(
            "pip",
            [interpreter, "-m", "venv", str(self.venv)],
            failure="the virtual environment could not be made",
        )
        self.step(
            "pip",
            [
                # the services compile what they import; that is less than half of it
                *(self.python(), "-m", "pip", "install", "--no-compile", "--progress-bar=off"),
                *("-r", str(SOURCE_DIR / "requirements.txt")),
                *("-c", str(SOURCE_DIR / "constraints.txt")),
            ],
            failure="pip could not install Manila and Keystone",
        )
        self._complete_mark().touch()
        for other in self._paths.venvs.iterdir():
            if other.is_dir() and other != self.venv:
                shutil.rmtree(other, ignore_errors=True)
        self._say("Manila and Keystone installed")


def _pip_variables() -> dict[str, str]:
    """Return what the user set for pip, proxies and certificates."""
    prefixes = ("PIP_", "SSL_", "REQUESTS_", "CURL_")
    proxies = ("http_proxy", "https_proxy", "no_proxy")
    return {
        key: value
        for key, value in os.environ.items()
        if key.startswith(prefixes) or key.lower() in proxies
    }
