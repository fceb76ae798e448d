# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox consists of: release, paths, ports, back ends, share types.

No I/O but os.environ.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from manila_sandbox.errors import SandboxError

LOOPBACK = "127.0.0.1"
HOST = "sandbox"
REGION = "RegionOne"
ZONE = "nova"

#: the environment variable by which processes of a sandbox are recognised in /proc
MARK = "MANILA_SANDBOX_MARK"

SOURCE_DIR = Path(__file__).resolve().parent.parent

# Seconds. Heartbeats older than service_down_time make a service "down" for Manila.
REPORT_INTERVAL = 3
SERVICE_DOWN_TIME = 20
PERIODIC_INTERVAL = 2


@dataclass(frozen=True)
class Release:
    """A release of Manila, and all that the sandbox does differently for it.

    Its drivers run in every release; what these call differently is in
    ``drivers/sandbox_drivers/releases.py``.
    """

    name: str
    manila: str
    #: what the sandbox itself speaks to it
    api_version: str
    #: of its database; 15.1 makes indexes that are too long for utf8mb4
    charset: str
    #: SQL that enables all services; 15.1 has no reason for a disabled one
    enable_services: str
    #: the version of the Debian whose packages it is made of; "" if it comes from PyPI
    debian: str = ""
    packages: tuple[str, ...] = ()


RELEASES: tuple[Release, ...] = (
    Release(
        "hibiscus",
        "23.0.1",
        "2.98",
        "utf8mb4",
        "UPDATE services SET disabled=0, disabled_reason=NULL",
    ),
    Release(
        "zed",
        "15.1.0",
        "2.73",
        "utf8",
        "UPDATE services SET disabled=0",
        "12",
        (
            "manila-common",
            "manila-data",
            "manila-scheduler",
            "manila-share",
            "python3-cheroot",
            "python3-manila",
            "python3-pymysql",
        ),
    ),
)
DEFAULT_RELEASE = RELEASES[0]


@dataclass(frozen=True)
class Pool:
    """One pool of a back end; ``ratio`` above zero makes it thin."""

    name: str
    size: int
    reserved: int = 0
    ratio: float = 0.0

    def option(self) -> str:
        """Return the pool in the form the drivers' ``sandbox_pools`` option takes."""
        return f"{self.name}:{self.size}:{self.reserved}:{self.ratio}"


@dataclass(frozen=True)
class Backend:
    """One back end, served by a manila-share process of its own."""

    name: str
    kind: str  # "dummy", "servers", "mirrors" or "directory"
    pools: tuple[Pool, ...]
    zone: str = ZONE

    @property
    def host(self) -> str:
        """Return ``host@backend``."""
        return f"{HOST}@{self.name}"

    @property
    def process(self) -> str:
        """Return the name of the process that serves this back end."""
        return f"manila-share@{self.name}"

    def pool_host(self, pool: str) -> str:
        """Return ``host@backend#pool``."""
        return f"{self.host}#{pool}"


BACKENDS: tuple[Backend, ...] = (
    Backend("alpha", "dummy", (Pool("gold", 120),)),
    Backend("beta", "dummy", (Pool("gold", 60, reserved=5), Pool("silver", 40, ratio=2.0))),
    Backend("gamma", "dummy", (Pool("gold", 200),), zone="rack2"),
    Backend("servers1", "servers", (Pool("gold", 80), Pool("silver", 30))),
    Backend("servers2", "servers", (Pool("gold", 150), Pool("bronze", 20))),
    Backend("servers3", "servers", (Pool("gold", 100), Pool("silver", 40))),
    Backend("mirror1", "mirrors", (Pool("gold", 60), Pool("silver", 40))),
    Backend("mirror2", "mirrors", (Pool("gold", 80), Pool("silver", 40))),
    Backend("files1", "directory", (Pool("tree", 30), Pool("attic", 10))),
    Backend("files2", "directory", (Pool("tree", 50), Pool("cellar", 15))),
)

#: what the drivers' checks of compatibility answer; the last two are of share servers only,
#: as ``preserve_metadata`` is of shares only
CAPABILITIES = (
    "compatible",
    "writable",
    "nondisruptive",
    "preserve_metadata",
    "preserve_snapshots",
    "migration_cancel",
    "migration_get_progress",
)

SHARE_BINARIES = tuple(backend.process for backend in BACKENDS)

#: every long-lived process, in the order in which they are started
PROCESSES: tuple[str, ...] = (
    "mariadb",
    "rabbitmq",
    "keystone",
    *SHARE_BINARIES,
    "manila-data",
    "manila-api",
    "manila-scheduler",
)


@dataclass(frozen=True)
class ShareType:
    """A public share type with its extra specs (``storage`` names the kind of back end)."""

    name: str
    dhss: bool
    specs: dict[str, str] = field(default_factory=dict)


_SNAPSHOTS = {"snapshot_support": "True", "create_share_from_snapshot_support": "True"}

SHARE_TYPES: tuple[ShareType, ...] = (
    ShareType("standard", False, {"storage": "dummy", **_SNAPSHOTS}),
    ShareType(
        "pinned-alpha", False, {"storage": "dummy", "share_backend_name": "ALPHA", **_SNAPSHOTS}
    ),
    ShareType("replacement", False, {"storage": "dummy", **_SNAPSHOTS}),
    ShareType("servers", True, {"storage": "dummy", **_SNAPSHOTS}),
    ShareType(
        "replicated", False, {"storage": "mirrors", "replication_type": "readable", **_SNAPSHOTS}
    ),
    ShareType("files", False, {"storage": "directory"}),
    ShareType("pinned-files1", False, {"storage": "directory", "share_backend_name": "FILES1"}),
)
DEFAULT_SHARE_TYPE = "standard"


def backend(name: str) -> Backend:
    """Return the back end of that name."""
    for candidate in BACKENDS:
        if candidate.name == name:
            return candidate
    names = ", ".join(item.name for item in BACKENDS)
    raise SandboxError(f"there is no back end '{name}'; there are {names}.")


def chosen_release() -> Release:
    """Return which release is meant, the default one unless MANILA_SANDBOX_RELEASE names another."""
    name = os.environ.get("MANILA_SANDBOX_RELEASE") or DEFAULT_RELEASE.name
    for release in RELEASES:
        if release.name == name:
            return release
    known = ", ".join(f"{release.name} (Manila {release.manila})" for release in RELEASES)
    raise SandboxError(
        f"MANILA_SANDBOX_RELEASE={name} is no release known here; there are {known}."
    )


def sandbox_number() -> int:
    """Return which sandbox is meant, 0 unless MANILA_SANDBOX_NUMBER says another."""
    text = os.environ.get("MANILA_SANDBOX_NUMBER", "0")
    if text not in map(str, range(10)):
        raise SandboxError(f"MANILA_SANDBOX_NUMBER={text} is not a number from 0 to 9.")
    return int(text)


@dataclass(frozen=True)
class Ports:
    """The ports on 127.0.0.1; the base of each can be set by a variable of the environment."""

    keystone: int
    manila: int
    mariadb: int
    rabbitmq: int
    rabbitmq_dist: int
    epmd: int
    closed: int

    @staticmethod
    def variable(name: str) -> str:
        """Return the variable that overrides a port."""
        return f"MANILA_SANDBOX_{name.upper()}_PORT"

    @classmethod
    def from_environment(cls) -> Ports:
        """Read the bases; sandbox number n has its ports a hundred times n above them."""
        defaults = {
            "keystone": 25000,
            "manila": 28786,
            "mariadb": 23306,
            "rabbitmq": 25672,
            "rabbitmq_dist": 25673,
            "epmd": 24369,
            "closed": 28799,
        }
        values = {}
        for name, default in defaults.items():
            text = os.environ.get(cls.variable(name), str(default))
            if not text.isdigit() or not 0 < int(text) < 65536:
                raise SandboxError(f"{cls.variable(name)}={text} is not a port number.")
            values[name] = int(text) + 100 * sandbox_number()
        return cls(**values)


@dataclass(frozen=True)
class Paths:
    """Where everything lives; nothing of it is in the repository.

    ``shared`` is the folder of all sandboxes with what is the same for them, the virtual
    environment; ``home`` that of a release's sandboxes, a folder of its name in it unless it is the
    default one. Number 0 lies right in that, another one in a folder of its number.
    """

    shared: Path
    home: Path
    root: Path

    @classmethod
    def from_environment(cls, release: Release) -> Paths:
        """Return the paths of a release under MANILA_SANDBOX_DIR or the user's cache."""
        cache = os.environ.get("MANILA_MIGRATION_CACHE") or (
            f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/manila-migration"
        )
        chosen = os.environ.get("MANILA_SANDBOX_DIR") or f"{cache}/sandbox"
        shared = Path(chosen).expanduser().resolve()
        home = shared if release == DEFAULT_RELEASE else shared / release.name
        number = sandbox_number()
        return cls(shared, home, home / str(number) if number else home)

    @property
    def venvs(self) -> Path:
        """Return the folder of the virtual environments."""
        return self.shared / "venv"

    @property
    def unpacked(self) -> Path:
        """Return the folder of a release's programs that come from Debian's packages."""
        return self.home / "programs"

    @property
    def data(self) -> Path:
        """Return the folder of what ``down --purge`` deletes."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """Return the folder of the logs."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Return the folder of pids, the lock and the switches of the drivers."""
        return self.root / "run"

    @property
    def etc(self) -> Path:
        """Return the folder of the generated configuration."""
        return self.root / "etc"

    @property
    def library(self) -> Path:
        """Return the folder the drivers are copied to, so that no bytecode gets into the tree."""
        return self.root / "lib"

    @property
    def mounts(self) -> Path:
        """Return where manila-data mounts shares."""
        return self.data / "mounts"

    @property
    def shares(self) -> Path:
        """Return where the directory back ends keep their shares."""
        return self.data / "shares"

    @property
    def clouds(self) -> Path:
        """Return the clouds.yaml."""
        return self.root / "clouds.yaml"

    @property
    def behaviour(self) -> Path:
        """Return the switches the drivers read at every call."""
        return self.run / "behaviour.json"

    def log(self, name: str) -> Path:
        """Return the log of a process or a step."""
        return self.logs / f"{name}.log"


@dataclass(frozen=True)
class Settings:
    """Release, paths and ports together."""

    release: Release
    paths: Paths
    ports: Ports

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the environment once."""
        release = chosen_release()
        return cls(release, Paths.from_environment(release), Ports.from_environment())

    @property
    def auth_url(self) -> str:
        """Return the address of Keystone."""
        return f"http://{LOOPBACK}:{self.ports.keystone}/v3"

    @property
    def share_url(self) -> str:
        """Return the address of Manila."""
        return f"http://{LOOPBACK}:{self.ports.manila}/v2"
