# SPDX-License-Identifier: GPL-3.0-or-later
"""Manila's dummy driver with pools, honest figures and a copy that takes as long as it is told.

The class name contains "Dummy": the upstream driver takes a destination for compatible by that.
"""

from __future__ import annotations

import time
from typing import Any

from manila.share import utils as share_utils
from manila.tests.share.drivers import dummy as upstream

from sandbox_drivers import capacity
from sandbox_drivers.behaviour import answering, steered, switches

_CLOCK = "sandbox_copy"


class SandboxDummyDriver(upstream.DummyDriver):
    """The dummy driver of the back ends alpha, beta, gamma, servers1 to servers3, mirror1 and 2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(capacity.pool_opts)

    def _get_pools_info(self) -> list[dict[str, Any]]:
        return capacity.pools_info(self)

    # -- the copy: its progress is kept in the database and survives a restart ---------------

    def _clock_start(self, key: str) -> None:
        self.private_storage.update(key, {_CLOCK: f"0 {time.time()}"})

    def _clock_stop(self, key: str) -> None:
        self.private_storage.delete(key, _CLOCK)

    def _clock_read(self, key: str) -> float:
        text = self.private_storage.get(key, _CLOCK)
        if text is None:
            return 0.0
        done, moment = (float(part) for part in text.split())
        seconds = max(float(switches()["copy_seconds"]), 0.001)
        return min(100.0, done + (time.time() - moment) * 100 / seconds)

    def _clock_advance(self, key: str) -> bool:
        """Store the progress, so that a new speed counts from now on; say whether it is done."""
        progress = self._clock_read(key)
        self.private_storage.update(key, {_CLOCK: f"{progress} {time.time()}"})
        return progress >= 100

    def _clock_progress(self, key: str) -> dict[str, int]:
        return {"total_progress": int(self._clock_read(key))}

    # -- shares ------------------------------------------------------------------------------

    @steered("call_seconds")
    def create_share(self, context: Any, share: Any, share_server: Any = None) -> Any:
        """Create a share."""
        return super().create_share(context, share, share_server=share_server)

    @steered("call_seconds")
    def delete_share(self, context: Any, share: Any, share_server: Any = None) -> Any:
        """Delete a share."""
        return super().delete_share(context, share, share_server=share_server)

    @steered()
    def update_access(self, *args: Any, **kwargs: Any) -> Any:
        """Change the access rules."""
        return super().update_access(*args, **kwargs)

    @steered()
    @answering
    def migration_check_compatibility(self, *args: Any, **kwargs: Any) -> Any:
        """Say whether the destination is a dummy too."""
        return super().migration_check_compatibility(*args, **kwargs)

    @steered("call_seconds")
    def migration_start(self, context: Any, source_share: Any, *args: Any, **kwargs: Any) -> None:
        """Start the copy."""
        self._clock_start(source_share["id"])

    @steered()
    def migration_continue(
        self, context: Any, source_share: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Say whether the copy is done."""
        return self._clock_advance(source_share["id"])

    @steered()
    def migration_get_progress(
        self, context: Any, source_share: Any, *args: Any, **kwargs: Any
    ) -> dict[str, int]:
        """Return the progress of the copy."""
        return self._clock_progress(source_share["id"])

    @steered("complete_seconds")
    def migration_complete(self, context: Any, source_share: Any, *args: Any, **kwargs: Any) -> Any:
        """Cut over."""
        return super().migration_complete(context, source_share, *args, **kwargs)

    @steered("cancel_seconds")
    def migration_cancel(self, context: Any, source_share: Any, *args: Any, **kwargs: Any) -> None:
        """Forget the copy."""
        super().migration_cancel(context, source_share, *args, **kwargs)
        self._clock_stop(source_share["id"])

    # -- share servers -----------------------------------------------------------------------

    @steered("call_seconds")
    def _setup_server(self, *args: Any, **kwargs: Any) -> Any:
        return super()._setup_server(*args, **kwargs)

    @steered()
    @answering
    def share_server_migration_check_compatibility(self, *args: Any, **kwargs: Any) -> Any:
        """Say whether the destination is a dummy too."""
        return super().share_server_migration_check_compatibility(*args, **kwargs)

    @steered("call_seconds")
    def share_server_migration_start(
        self, context: Any, src_share_server: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Start the copy."""
        self._clock_start(src_share_server["id"])

    @steered()
    def share_server_migration_continue(
        self, context: Any, src_share_server: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Say whether the copy is done."""
        return self._clock_advance(src_share_server["id"])

    @steered()
    def share_server_migration_get_progress(
        self, context: Any, src_share_server: Any, *args: Any, **kwargs: Any
    ) -> dict[str, int]:
        """Return the progress of the copy."""
        return self._clock_progress(src_share_server["id"])

    @steered("complete_seconds")
    def share_server_migration_complete(
        self,
        context: Any,
        source_share_server: Any,
        dest_share_server: Any,
        shares: Any,
        snapshots: Any,
        new_network_allocations: Any,
    ) -> Any:
        """Cut over; a share keeps its pool's name where the destination has such a pool."""
        # without disruption nothing is set up at the destination: the addresses stay
        reused = not dest_share_server["identifier"]
        updates = super().share_server_migration_complete(
            context,
            source_share_server,
            source_share_server if reused else dest_share_server,
            shares,
            snapshots,
            new_network_allocations,
        )
        # this runs in the destination's process, so these are the destination's pools
        names = [pool["pool_name"] for pool in self._get_pools_info()]
        for instance in shares:
            pool = share_utils.extract_host(instance["host"], level="pool")
            if pool in names:
                updates["share_updates"][instance["id"]]["pool_name"] = pool
        return updates

    @steered("cancel_seconds")
    def share_server_migration_cancel(
        self, context: Any, src_share_server: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Forget the copy."""
        super().share_server_migration_cancel(context, src_share_server, *args, **kwargs)
        self._clock_stop(src_share_server["id"])

    # -- replicas ----------------------------------------------------------------------------

    @steered("call_seconds")
    def create_replica(
        self, context: Any, replica_list: Any, new_replica: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Make a replica, which is in sync when as much time has passed as a copy takes."""
        made = super().create_replica(context, replica_list, new_replica, *args, **kwargs)
        self._clock_start(new_replica["id"])
        return {**made, "replica_state": "out_of_sync"}

    @steered()
    def update_replica_state(
        self, context: Any, replica_list: Any, replica: Any, *args: Any, **kwargs: Any
    ) -> str:
        """Say whether a replica is in sync; what was once is no longer copied."""
        if self.private_storage.get(replica["id"], _CLOCK) is None:
            return "in_sync"
        if not self._clock_advance(replica["id"]):
            return "out_of_sync"
        self._clock_stop(replica["id"])
        return "in_sync"

    @steered("complete_seconds")
    def promote_replica(
        self, context: Any, replica_list: Any, replica: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Change over."""
        return super().promote_replica(context, replica_list, replica, *args, **kwargs)

    @steered("call_seconds")
    def delete_replica(
        self, context: Any, replica_list: Any, snapshots: Any, replica: Any, **kwargs: Any
    ) -> None:
        """Remove a replica."""
        super().delete_replica(context, replica_list, snapshots, replica, **kwargs)

    # -- figures -----------------------------------------------------------------------------

    def _update_share_stats(self, data: Any = None) -> None:
        super()._update_share_stats(data)
        self._stats["storage"] = self.configuration.sandbox_storage
