# SPDX-License-Identifier: GPL-3.0-or-later
"""MariaDB's data directory, the two databases, and emptying Manila's within a second."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

from manila_sandbox.config_files import ConfigFiles, write
from manila_sandbox.errors import SandboxError
from manila_sandbox.install import Installer
from manila_sandbox.settings import LOOPBACK, SHARE_TYPES, Settings

#: what a reset leaves as it is: the schema's version, services, types, quotas that were set
_KEPT_TABLES = frozenset(
    {
        "alembic_version",
        "availability_zones",
        "backend_info",
        "project_share_type_quotas",
        "project_user_quotas",
        "quota_classes",
        "quotas",
        "services",
        "share_group_type_share_type_mappings",
        "share_group_type_specs",
        "share_group_types",
        "share_type_extra_specs",
        "share_type_projects",
        "share_types",
    }
)


class Database:
    """Makes the databases, also again after a run that was killed in the middle of it."""

    def __init__(self, settings: Settings, files: ConfigFiles, installer: Installer) -> None:
        self._settings = settings
        self._files = files
        self._installer = installer
        self._data = settings.paths.data / "mariadb"

    def prepare_directory(self) -> None:
        """Make MariaDB's data directory, unless it was made to its end."""
        mark = self._data / ".complete"
        if mark.exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)
        for name in ("manila", "keystone"):
            self._mark(name).unlink(missing_ok=True)
        self._installer.step(
            "mariadb-install",
            [
                *("/usr/bin/mariadb-install-db", "--no-defaults", "--user=root"),
                f"--datadir={self._data}",
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            failure="MariaDB's data directory could not be made",
        )
        mark.touch()

    def execute(self, statements: str, database: str = "") -> str:
        """Run SQL and return what it prints."""
        command = [
            *("/usr/bin/mariadb", "--no-defaults", "--batch", "--skip-column-names"),
            *(f"--host={LOOPBACK}", f"--port={self._settings.ports.mariadb}", "--user=sandbox"),
            *([database] if database else []),
        ]
        environment = {**os.environ, "MYSQL_PWD": self._files.secrets["database"]}
        result = subprocess.run(
            command,
            input=statements,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if result.returncode:
            raise SandboxError(
                f"MariaDB refused a statement: {result.stderr.strip()[:300]}",
                self._settings.paths.log("mariadb"),
            )
        return result.stdout

    # -- schemas ---------------------------------------------------------------------------

    def _mark(self, name: str) -> Path:
        return self._settings.paths.data / f".{name}-complete"

    def schema_complete(self, name: str) -> bool:
        """Say whether a database was made by what is installed now."""
        mark = self._mark(name)
        return mark.exists() and mark.read_text(encoding="utf-8") == self._version(name)

    def _version(self, name: str) -> str:
        return self._installer.programs(name).name

    def make_schema(self, name: str) -> None:
        """Make or upgrade a database; one that was left half made is made anew."""
        if self.schema_complete(name):
            return
        mark = self._mark(name)
        if not mark.exists():
            charset = {"manila": self._settings.release.charset}.get(name, "utf8mb4")
            self.execute(
                f"DROP DATABASE IF EXISTS {name};CREATE DATABASE {name} CHARACTER SET {charset};"
            )
        config = str(self._settings.paths.etc / f"{name}.conf")
        command = {
            "manila": ["manila-manage", "--config-file", config, "db", "sync"],
            "keystone": ["keystone-manage", "--config-file", config, "db_sync"],
        }[name]
        program, *arguments = command
        self._installer.step(
            f"{name}-db",
            [self._installer.program(name, program), *arguments],
            failure=f"the tables of {name} could not be made",
        )
        if name == "keystone":
            self._bootstrap(config)
        write(mark, self._version(name))

    def _bootstrap(self, config: str) -> None:
        for repository in ("fernet", "credential"):
            folder = self._settings.paths.data / "keystone" / repository
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for key in ("0", "1"):
                if not (folder / key).exists():
                    write(folder / key, base64.urlsafe_b64encode(os.urandom(32)).decode(), 0o600)
        self._installer.step(
            "keystone-db",
            [
                *(self._installer.program("keystone", "keystone-manage"), "--config-file", config),
                *("bootstrap", "--bootstrap-username", "admin"),
                *("--bootstrap-project-name", "admin", "--bootstrap-role-name", "admin"),
                *("--bootstrap-region-id", "RegionOne"),
                *("--bootstrap-public-url", self._settings.auth_url),
                *("--bootstrap-admin-url", self._settings.auth_url),
                *("--bootstrap-internal-url", self._settings.auth_url),
            ],
            {"OS_BOOTSTRAP_PASSWORD": self._files.secrets["admin"]},
            failure="Keystone could not be given its first user",
        )

    # -- reset -----------------------------------------------------------------------------

    def empty_manila(self) -> None:
        """Delete every share, snapshot, network, server, message and usage, stuck or not."""
        tables = self.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema='manila'"
            " AND table_type='BASE TABLE'"
        ).split()
        statements = ["SET FOREIGN_KEY_CHECKS=0"]
        statements += [f"DELETE FROM `{table}`" for table in tables if table not in _KEPT_TABLES]
        names = ",".join(f"'{share_type.name}'" for share_type in SHARE_TYPES)
        foreign = f"SELECT id FROM share_types WHERE name NOT IN ({names}) OR deleted != 'False'"
        statements += [
            f"DELETE FROM share_type_extra_specs WHERE share_type_id IN ({foreign})",
            f"DELETE FROM share_type_projects WHERE share_type_id IN ({foreign})",
            f"DELETE FROM share_types WHERE name NOT IN ({names}) OR deleted != 'False'",
            "DELETE FROM share_group_type_share_type_mappings",
            "DELETE FROM share_group_type_specs",
            "DELETE FROM share_group_types WHERE name != 'default'",
            "DELETE FROM quotas",
            "DELETE FROM project_user_quotas",
            "DELETE FROM project_share_type_quotas",
            self._settings.release.enable_services,
            # what drivers/fake_backends.py left, if it was killed
            "DELETE FROM services WHERE host LIKE 'fake-%'",
            "DELETE FROM availability_zones WHERE name LIKE 'fake-%'",
        ]
        self.execute(";\n".join(["BEGIN", *statements, "COMMIT"]) + ";\n", "manila")
