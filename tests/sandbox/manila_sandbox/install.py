# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the programs: MariaDB and RabbitMQ from Debian, Manila and Keystone from PyPI.

A release of Manila that PyPI's libraries don't carry any more comes from Debian's packages. They
are unpacked, not installed: that starts no service, makes no user, asks no question, and leaves
the Python packages that others on this machine see as they are.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from manila_sandbox.errors import SandboxError
from manila_sandbox.processes import ProcessTable
from manila_sandbox.settings import DEFAULT_RELEASE, SOURCE_DIR, Release, Settings

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
_DEBIANS_PYTHON = "/usr/bin/python3"
_PROBE = (
    "import ensurepip, json, sys, venv;"
    "assert (3, 11) <= sys.version_info[:2] <= (3, 13);"
    "print(json.dumps([sys.executable, list(sys.version_info[:3])]))"
)
Say = Callable[[str], None]


def missing_packages(release: Release) -> list[str]:
    """Return the Debian packages of which a program is not there."""
    wanted = dict(_PACKAGES)
    if release.packages:
        wanted["python3"] = (_DEBIANS_PYTHON,)
    return [
        package
        for package, programs in wanted.items()
        if not all(os.access(program, os.X_OK) for program in programs)
    ]


def _distribution() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def check_platform(release: Release) -> None:
    """Refuse in one sentence where the sandbox can not run."""
    if not sys.platform.startswith("linux"):
        raise SandboxError(f"the sandbox needs Linux; {ELSEWHERE}.")
    if os.geteuid() != 0:
        raise SandboxError(
            f"the sandbox needs root (manila-data mounts shares), this is not; {ELSEWHERE}."
        )
    here = _distribution()
    if release.debian and (here.get("ID"), here.get("VERSION_ID")) != ("debian", release.debian):
        raise SandboxError(
            f"the release '{release.name}' is made of Debian {release.debian}'s packages of Manila"
            f" {release.manila} and needs Debian {release.debian}, this is"
            f" {here.get('PRETTY_NAME', 'another system')}; leave out MANILA_SANDBOX_RELEASE for"
            f" Manila {DEFAULT_RELEASE.manila}; {ELSEWHERE}."
        )
    missing = missing_packages(release)
    if missing and not shutil.which("apt-get"):
        raise SandboxError(
            f"{', '.join(missing)} missing and there is no apt-get to install them; {ELSEWHERE}."
        )


class Installer:
    """Installs what is missing; an interrupted installation is done again."""

    def __init__(self, settings: Settings, table: ProcessTable, say: Say) -> None:
        self._release = settings.release
        self._paths = settings.paths
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

    def programs(self, process: str) -> Path:
        """Return the folder with the programs of a process: ``bin/python``, ``etc/manila``.

        It is a virtual environment, or looks like one.
        """
        if self._release.packages and process != "keystone":
            return self._unpacked
        return self._venv

    def program(self, process: str, name: str) -> str:
        """Return the path of a program of a process."""
        return str(self.programs(process) / "bin" / name)

    @property
    def _venv(self) -> Path:
        digest = hashlib.sha256()
        for name in ("requirements.txt", "constraints.txt"):
            digest.update((SOURCE_DIR / name).read_bytes())
        return self._paths.venvs / digest.hexdigest()[:12]

    @property
    def _unpacked(self) -> Path:
        packages = " ".join(self._release.packages)
        return self._paths.unpacked / hashlib.sha256(packages.encode()).hexdigest()[:12]

    def ready(self) -> bool:
        """Say whether nothing is missing."""
        return not missing_packages(self._release) and all(
            _complete(self.programs(process)).exists() for process in ("keystone", "manila")
        )

    def install(self) -> None:
        """Bring packages and the virtual environment side by side, for all sandboxes."""
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
            for work in (self._bring_packages, self._install_venv)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    # -- Debian ----------------------------------------------------------------------------

    def _bring_packages(self) -> None:
        self._install_packages()
        if self._release.packages:
            self._unpack_packages()

    def _install_packages(self) -> None:
        missing = missing_packages(self._release)
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

    def _unpack_packages(self) -> None:
        """Unpack the release's packages and those they need that are not installed here."""
        folder = self._unpacked
        if _complete(folder).exists():
            return
        self._say(f"unpacking Manila {self._release.manila} from Debian's packages")
        shutil.rmtree(self._paths.unpacked, ignore_errors=True)
        archives = folder / "archives"
        (archives / "partial").mkdir(parents=True)
        download = (
            *("install", "--download-only", "--reinstall", "--no-install-recommends", "-y"),
            *("-o", f"Dir::Cache::archives={archives}", *self._release.packages),
        )
        try:
            self._apt(*download)
        except SandboxError:  # what it knows of Debian's packages is old, or nothing
            self._apt("update")
            self._apt(*download)
        for archive in sorted(archives.glob("*.deb")):
            self.step(
                "apt",
                ["dpkg-deb", "--extract", str(archive), str(folder)],
                failure=f"{archive.name} could not be unpacked",
            )
        shutil.rmtree(archives)
        _shape_like_venv(folder)
        _complete(folder).touch()
        self._say(f"Manila {self._release.manila} unpacked")

    # -- PyPI ------------------------------------------------------------------------------

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
        venv = self._venv
        if _complete(venv).exists():
            return
        interpreter = self._interpreter()
        self._say(f"installing Manila and Keystone for {interpreter}")
        shutil.rmtree(venv, ignore_errors=True)
        self.step(
            "pip",
            [interpreter, "-m", "venv", str(venv)],
            failure="the virtual environment could not be made",
        )
        self.step(
            "pip",
            [
                # the services compile what they import; that is less than half of it
                *(
                    str(venv / "bin" / "python"),
                    "-m",
                    "pip",
                    "install",
                    "--no-compile",
                    "--progress-bar=off",
                ),
                *("-r", str(SOURCE_DIR / "requirements.txt")),
                *("-c", str(SOURCE_DIR / "constraints.txt")),
            ],
            failure="pip could not install Manila and Keystone",
        )
        _complete(venv).touch()
        for other in self._paths.venvs.iterdir():
            if other.is_dir() and other != venv:
                shutil.rmtree(other, ignore_errors=True)
        self._say("Manila and Keystone installed")


def _complete(folder: Path) -> Path:
    """Return the mark of a folder of programs that was made to its end."""
    return folder / ".complete"


def _shape_like_venv(folder: Path) -> None:
    """Give unpacked packages a ``bin/python`` that finds them, programs that use it, and etc.

    The libraries that the Python packages are linked to were unpacked only where this machine
    lacks them, so they hide none of its own.
    """
    libraries = [*folder.glob("lib/*-linux-*"), *folder.glob("usr/lib/*-linux-*")]
    paths = {
        "PYTHONPATH": str(folder / "usr/lib/python3/dist-packages"),
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
    }
    exports = [f'export {name}="${{{name}:+${name}:}}{path}"' for name, path in paths.items()]
    lines = ["#!/bin/sh", *exports, f'exec {_DEBIANS_PYTHON} "$@"']
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    python = programs / "python"
    python.write_text("\n".join(lines) + "\n", encoding="utf-8")
    python.chmod(0o755)
    for program in (folder / "usr" / "bin").iterdir():
        first, _newline, rest = program.read_bytes().partition(b"\n")
        if first.startswith(b"#!") and b"python3" in first:
            ours = programs / program.name
            ours.write_bytes(f"#!{python}\n".encode() + rest)
            ours.chmod(0o755)
    shutil.copytree(folder / "usr/share/manila-common", folder / "etc/manila", dirs_exist_ok=True)


def _pip_variables() -> dict[str, str]:
    """Return what the user set for pip, proxies and certificates."""
    prefixes = ("PIP_", "SSL_", "REQUESTS_", "CURL_")
    proxies = ("http_proxy", "https_proxy", "no_proxy")
    return {
        key: value
        for key, value in os.environ.items()
        if key.startswith(prefixes) or key.lower() in proxies
    }
