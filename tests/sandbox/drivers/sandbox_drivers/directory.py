# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver whose shares are directories; the export location is the path, so it can be mounted.

It implements no migration: shares of it are moved by manila-data, which copies real files.
"""

from __future__ import annotations

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
        path = str(self._path(share))
        return [{"path": path, "metadata": {"preferred": True}, "is_admin_only": False}]

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

    def ensure_share(self, context: Any, share: Any, share_server: Any = None) -> Any:
        """Say where the share is."""
        return self._exports(share)

    def extend_share(self, share: Any, new_size: int, share_server: Any = None) -> None:
        """Do nothing: directories have no size of their own."""

    def shrink_share(self, share: Any, new_size: int, share_server: Any = None) -> None:
        """Do nothing: directories have no size of their own."""

    @steered()
    def update_access(self, *args: Any, **kwargs: Any) -> None:
        """Accept all rules: who can enter the directory can read the share."""

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
