# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of all services, and clouds.yaml."""

from __future__ import annotations

import hashlib
import json
import os
import secrets as randomness
import shutil
from collections.abc import Mapping
from pathlib import Path

from manila_sandbox.install import Installer
from manila_sandbox.settings import (
    BACKENDS,
    DEFAULT_SHARE_TYPE,
    HOST,
    LOOPBACK,
    PERIODIC_INTERVAL,
    REGION,
    REPORT_INTERVAL,
    SERVICE_DOWN_TIME,
    SOURCE_DIR,
    ZONE,
    Backend,
    Settings,
)

Stanzas = Mapping[str, Mapping[str, object]]

_UNLIMITED = (
    "shares",
    "gigabytes",
    "per_share_gigabytes",
    "snapshots",
    "snapshot_gigabytes",
    "share_networks",
    "share_replicas",
    "replica_gigabytes",
    "share_groups",
    "share_group_snapshots",
    "backups",
    "backup_gigabytes",
    "encryption_keys",
)

DEFAULT_BEHAVIOUR = {
    "copy_seconds": 3.0,
    "complete_seconds": 0.5,
    "cancel_seconds": 0.1,
    "call_seconds": 0.1,
    "pool_factor": 1.0,
    "fail": {},
    "refuse": {},
    "offer": {},
}


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file at once or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.chmod(mode)
    temporary.replace(path)


def _ini(stanzas: Stanzas) -> str:
    lines: list[str] = []
    for stanza, options in stanzas.items():
        lines += ["", f"[{stanza}]", *(f"{key} = {value}" for key, value in options.items())]
    return "\n".join(lines).lstrip() + "\n"


class ConfigFiles:
    """Generates every file from the settings and the secrets."""

    def __init__(self, settings: Settings, installer: Installer) -> None:
        self._settings = settings
        self._paths = settings.paths
        self._ports = settings.ports
        self._installer = installer
        self.secrets = self._secrets()

    def _secrets(self) -> dict[str, str]:
        path = self._paths.data / "secrets.json"
        names = ("admin", "member", "manila", "database")
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            if set(names) <= set(known):
                return dict(known)
        except (OSError, ValueError):
            pass
        made = {name: randomness.token_hex(12) for name in names}
        write(path, json.dumps(made), 0o600)
        return made

    def database_url(self, name: str) -> str:
        """Return the address of a database."""
        return (
            f"mysql+pymysql://sandbox:{self.secrets['database']}"
            f"@{LOOPBACK}:{self._ports.mariadb}/{name}?charset=utf8mb4"
        )

    # -- Manila ----------------------------------------------------------------------------

    def _manila_default(self) -> dict[str, object]:
        etc = self._paths.etc
        transport = f"rabbit://guest:guest@{LOOPBACK}:{self._ports.rabbitmq}/"
        return {
            "host": HOST,
            "my_ip": LOOPBACK,
            "state_path": self._paths.data / "manila",
            "api_paste_config": etc / "api-paste.ini",
            "rootwrap_config": etc / "rootwrap.conf",
            "transport_url": transport,
            "rpc_response_timeout": 60,
            "auth_strategy": "keystone",
            "storage_availability_zone": ZONE,
            "default_share_type": DEFAULT_SHARE_TYPE,
            "enabled_share_protocols": "NFS,CIFS",
            "enabled_share_backends": ",".join(backend.name for backend in BACKENDS),
            "report_interval": REPORT_INTERVAL,
            "service_down_time": SERVICE_DOWN_TIME,
            "periodic_interval": PERIODIC_INTERVAL,
            "periodic_fuzzy_delay": 0,
            "migration_driver_continue_update_interval": PERIODIC_INTERVAL,
            "server_migration_driver_continue_update_interval": PERIODIC_INTERVAL,
            "replica_state_update_interval": PERIODIC_INTERVAL,
            "graceful_shutdown_timeout": 5,
            "data_node_access_ips": LOOPBACK,
            "mount_tmp_location": self._paths.mounts,
            "check_hash": False,
            "osapi_share_workers": 1,
            "debug": False,
        }

    def _manila_backend(self, backend: Backend) -> dict[str, object]:
        common: dict[str, object] = {
            "share_backend_name": backend.name.upper(),
            "backend_availability_zone": backend.zone,
            "driver_handles_share_servers": backend.kind == "servers",
            "sandbox_pools": ",".join(pool.option() for pool in backend.pools),
        }
        if backend.kind == "directory":
            return {
                **common,
                "share_driver": "sandbox_drivers.directory.DirectoryDriver",
                "sandbox_storage": "directory",
                "sandbox_directory": self._paths.shares / backend.name,
                "share_mount_template": "mount --bind %(export)s %(path)s",
                "share_unmount_template": "umount %(path)s",
            }
        dummy: dict[str, object] = {
            **common,
            "share_driver": "sandbox_drivers.dummy.SandboxDummyDriver",
            "sandbox_storage": "mirrors" if backend.kind == "mirrors" else "dummy",
            "dummy_driver_default_driver_method_delay": 0,
            "dummy_driver_driver_methods_delays": "create_share:0",
        }
        if backend.kind == "mirrors":
            dummy["replication_domain"] = "mirrors"
        if backend.kind == "servers":
            dummy["network_api_class"] = (
                "manila.network.standalone_network_plugin.StandaloneNetworkPlugin"
            )
            dummy["admin_network_config_group"] = "admin_network"
            dummy.update(self._network(10))
        return dummy

    @staticmethod
    def _network(octet: int) -> dict[str, object]:
        return {
            "standalone_network_plugin_gateway": f"10.{octet}.0.1",
            "standalone_network_plugin_mask": 16,
            "standalone_network_plugin_network_type": "flat",
            "standalone_network_plugin_allowed_ip_ranges": f"10.{octet}.1.1-10.{octet}.9.254",
        }

    def _manila(self) -> Stanzas:
        return {
            "DEFAULT": self._manila_default(),
            "database": {
                "connection": self.database_url("manila"),
                "max_pool_size": 5,
                "max_overflow": 20,
                "max_retries": 60,
                "retry_interval": 1,
            },
            "keystone_authtoken": {
                "www_authenticate_uri": self._settings.auth_url,
                "auth_url": self._settings.auth_url,
                "auth_type": "password",
                "username": "manila",
                "password": self.secrets["manila"],
                "project_name": "service",
                "user_domain_id": "default",
                "project_domain_id": "default",
                "region_name": REGION,
                "service_token_roles_required": True,
            },
            "oslo_concurrency": {"lock_path": self._paths.data / "locks"},
            "coordination": {"backend_url": f"file://{self._paths.data / 'coordination'}"},
            "oslo_messaging_rabbit": {"rabbit_retry_interval": 1, "rabbit_interval_max": 3},
            "oslo_messaging_notifications": {"driver": "noop"},
            "quota": {name: -1 for name in _UNLIMITED},
            "admin_network": {
                "network_api_class": (
                    "manila.network.standalone_network_plugin.StandaloneNetworkPlugin"
                ),
                **self._network(11),
            },
            **{backend.name: self._manila_backend(backend) for backend in BACKENDS},
        }

    # -- Keystone --------------------------------------------------------------------------

    def _keystone(self) -> Stanzas:
        keys = self._paths.data / "keystone"
        return {
            "DEFAULT": {"debug": False},
            "database": {"connection": self.database_url("keystone"), "max_retries": 60},
            "token": {
                "provider": "fernet",
                "expiration": os.environ.get("MANILA_SANDBOX_TOKEN_SECONDS", "14400"),
            },
            "fernet_tokens": {"key_repository": keys / "fernet"},
            "credential": {"key_repository": keys / "credential"},
            "fernet_receipts": {"key_repository": keys / "fernet"},
            # without a cache a token takes seconds; Keystone is one process, so memory will do
            "cache": {"enabled": True, "backend": "dogpile.cache.memory"},
            "identity": {"password_hash_rounds": 4},
        }

    # -- what users read -------------------------------------------------------------------

    def _clouds(self) -> str:
        closed = f"http://{LOOPBACK}:{self._ports.closed}/v3"
        clouds = (
            ("sandbox", self._settings.auth_url, "admin", "admin"),
            ("sandbox-member", self._settings.auth_url, "member", "tenant"),
            ("sandbox-unreachable", closed, "admin", "admin"),
        )
        lines = ["clouds:"]
        for name, url, user, project in clouds:
            lines += [
                f"  {name}:",
                "    auth_type: password",
                f"    region_name: {REGION}",
                "    interface: public",
                "    identity_api_version: 3",
                "    auth:",
                f"      auth_url: {url}",
                f"      username: {user}",
                f"      password: {self.secrets[user]}",
                f"      project_name: {project}",
                "      user_domain_id: default",
                "      project_domain_id: default",
            ]
        return "\n".join(lines) + "\n"

    # -- writing ---------------------------------------------------------------------------

    def write(self) -> None:
        """Write all files and copy the drivers out of the work tree."""
        paths, etc = self._paths, self._paths.etc
        for folder in (etc, paths.mounts, paths.shares, paths.library):
            folder.mkdir(parents=True, exist_ok=True)
        paths.mounts.chmod(0o700)
        for folder_name in ("manila", "locks", "coordination", "keystone"):
            (paths.data / folder_name).mkdir(parents=True, exist_ok=True)
        manila, keystone = _ini(self._manila()), _ini(self._keystone())
        write(etc / "manila.conf", manila, 0o600)
        write(etc / "keystone.conf", keystone, 0o600)
        for backend in BACKENDS:
            stanza = {"DEFAULT": {"enabled_share_backends": backend.name}}
            write(etc / f"{backend.name}.conf", _ini(stanza))
        shipped = self._installer.programs("manila") / "etc" / "manila"
        shutil.copyfile(shipped / "api-paste.ini", etc / "api-paste.ini")
        directories = "/usr/sbin,/usr/bin,/sbin,/bin"
        rootwrap = {"filters_path": shipped / "rootwrap.d", "exec_dirs": directories}
        write(etc / "rootwrap.conf", _ini({"DEFAULT": rootwrap}))
        # rootwrap is called through sudo, whose secure path lacks the virtual environment;
        # all runs as root here, so the stand-in only has to run its arguments
        programs = paths.root / "bin"
        programs.mkdir(exist_ok=True)
        write(programs / "sudo", '#!/bin/sh\nexec "$@"\n', 0o755)
        write(etc / "rabbitmq-plugins", "[].\n")
        self._copy_drivers()
        write(paths.clouds, self._clouds(), 0o600)
        if not paths.behaviour.exists():
            write(paths.behaviour, json.dumps(DEFAULT_BEHAVIOUR) + "\n")

    def _copy_drivers(self) -> None:
        source = SOURCE_DIR / "drivers" / "sandbox_drivers"
        target = self._paths.library / "sandbox_drivers"
        target.mkdir(parents=True, exist_ok=True)
        for file in source.glob("*.py"):
            copy = target / file.name
            if not copy.exists() or copy.read_bytes() != file.read_bytes():
                write(copy, file.read_text(encoding="utf-8"))

    def fingerprint(self, process: str) -> str:
        """Return a digest of what a process was started with; another one means a restart."""
        digest = hashlib.sha256(str(self._installer.programs(process)).encode())
        names: list[str] = []
        if process == "keystone":
            names = ["keystone.conf"]
        elif process.startswith("manila"):
            names = ["manila.conf", "rootwrap.conf"]
            for file in sorted((self._paths.library / "sandbox_drivers").glob("*.py")):
                digest.update(file.read_bytes())
        for name in names:
            digest.update((self._paths.etc / name).read_bytes())
        digest.update(json.dumps(vars(self._ports)).encode())
        return digest.hexdigest()[:12]
