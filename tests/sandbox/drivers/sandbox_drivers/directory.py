# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver whose shares are directories of the machine.

It implements no migration: shares of it are moved by manila-data, which copies real files.  That
mounts the path, which only administrators see; clients are told an address with the path, as with
NFS.  The access rules are written beside the share: whoever serves it to clients obeys them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from manila.share import driver
from oslo_config import cfg

from sandbox_drivers import capacity
from sandbox_drivers.behaviour import steered

directory_opts = [
    cfg.StrOpt("sandbox_directory", help="The directory in which the shares are made."),
]


class DirectoryDriver(driver.ShareDriver):
    """The driver of the back ends files1 and files2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(False, *args, config_opts=[directory_opts, capacity.pool_opts], **kwargs)

    def _path(self, share: Any) -> Path:
        return Path(self.configuration.sandbox_directory) / f"share-{share['id']}"

    def _exports(self, share: Any) -> list[dict[str, Any]]:
        path = self._path(share)
        return [
            {"path": f"127.0.0.1:{path}", "metadata": {"preferred": True}, "is_admin_only": False},
            {"path": str(path), "metadata": {"preferred": False}, "is_admin_only": True},
        ]

    def _rules(self, share: Any) -> Path:
        return self._path(share).with_suffix(".rules")

    def do_setup(self, context: Any) -> None:
        """Make the directory of the back end."""
        Path(self.configuration.sandbox_directory).mkdir(parents=True, exist_ok=True)

    def check_for_setup_error(self) -> None:
        """Find nothing wrong."""

    @steered("call_seconds")
    def create_share(self, context: Any, share: Any, share_server: Any = None) -> Any:
        """Make a directory."""
        self._path(share).mkdir(parents=True, exist_ok=True)
        return self._exports(share)

    @steered("call_seconds")
    def delete_share(self, context: Any, share: Any, share_server: Any = None) -> None:
        """Remove the directory."""
        if self._path(share).exists():
            shutil.rmtree(self._path(share))
        self._rules(share).unlink(missing_ok=True)

    def ensure_share(self, context: Any, share: Any, share_server: Any = None) -> Any:
        """Say where the share is."""
        return self._exports(share)

    def extend_share(self, share: Any, new_size: int, share_server: Any = None) -> None:
        """Do nothing: directories have no size of their own."""

    def shrink_share(self, share: Any, new_size: int, share_server: Any = None) -> None:
        """Do nothing: directories have no size of their own."""

    @steered()
    def update_access(
        self, context: Any, share: Any, access_rules: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Write down who has which access."""
        rules = {rule["access_to"]: rule["access_level"] for rule in access_rules}
        new = self._rules(share).with_suffix(".new")
        new.write_text(json.dumps(rules), encoding="utf-8")
        new.replace(self._rules(share))

    def _update_share_stats(self, data: Any = None) -> None:
        super()._update_share_stats(
            {
                "storage_protocol": "NFS",
                "storage": self.configuration.sandbox_storage,
                "driver_name": "Directory",
                "snapshot_support": False,
                "create_share_from_snapshot_support": False,
                "pools": capacity.pools_info(self),
            }
        )
