# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what Manila has, as records: one method for each list and each object of the API."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    NotFound,
)
from ansible_collections.manila.migration.plugins.module_utils._api.libraries import api_versions
from ansible_collections.manila.migration.plugins.module_utils._api.parsers import (
    parse_access_rule,
    parse_instance,
    parse_lock,
    parse_pool,
    parse_service,
    parse_share,
    parse_share_network,
    parse_share_server,
    parse_snapshot,
    parse_unapplied_rules,
)
from ansible_collections.manila.migration.plugins.module_utils._api.transport import Transport
from ansible_collections.manila.migration.plugins.module_utils._model.binaries import SHARE_MANAGER
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    AccessRule,
    Compatibility,
    Instance,
    Lock,
    Pool,
    Quota,
    Service,
    Share,
    ShareNetwork,
    ShareServer,
    ShareType,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import DESTINATION


class Records(Transport):
    """Reads of shares, instances, share servers, snapshots, pools, services, types, quotas, locks."""

    def share(self, share_id: str) -> Share:
        """Return one share by its ID.  Raises NotFound."""
        path = f"/shares/{quote(share_id, safe='')}"
        return parse_share(self._get(path, "share", f"share {share_id}"))

    def find_share(self, name_or_id: str) -> Share:
        """Return one share by its ID or by a name that only one share has.  Raises CloudError."""
        try:
            return self.share(name_or_id)
        except NotFound:
            pass
        named = self.shares(name=name_or_id)
        if not named:
            raise NotFound(f"There is no share with the name or ID {name_or_id!r} in any project.")
        if len(named) > 1:
            ids = ", ".join(sorted(share.id for share in named))
            raise CloudError(
                f"{len(named)} shares have the name {name_or_id!r}; use one ID of: {ids}."
            )
        return named[0]

    def shares(self, **filters: str) -> list[Share]:
        """List the shares of all projects that match ``filters`` (Manila's own names).

        Sends no ``limit``: with one, shares that have two instances repeat across pages, and
        the pages' markers are ignored: docs/manila.md, "Scheduler and lists".
        """
        listed = self._get(
            "/shares/detail", "shares", "the list of shares", all_tenants="1", **filters
        )
        unique = {share["id"]: parse_share(share) for share in listed}
        return list(unique.values())

    def soft_deleted_shares(self) -> list[Share]:
        """List the shares in the recycle bin: they occupy their pool, no other list has them."""
        return [
            replace(share, is_soft_deleted=True) for share in self.shares(is_soft_deleted="true")
        ]

    def instances(self, host: str | None = None) -> list[Instance]:
        """List share instances, all or those at ``host`` (a back end, with its pools, or a pool)."""
        query = {"host": host} if host else {}
        listed = self._get(
            "/share_instances", "share_instances", "the list of share instances", **query
        )
        found = [parse_instance(instance) for instance in listed]
        if host is None:
            return found
        # Manila's filter matches prefixes: backend `nfs` would bring `nfs2` along.
        return [one for one in found if host in (one.host, backend_of(one.host))]

    def instances_of(self, share_id: str) -> list[Instance]:
        """List the instances of one share."""
        listed = self._get(
            f"/shares/{quote(share_id, safe='')}/instances",
            "share_instances",
            f"the instances of {share_id}",
        )
        return [parse_instance(instance) for instance in listed]

    def access_rules(self, share_id: str) -> list[AccessRule]:
        """List the access rules of one share."""
        listed = self._get(
            "/share-access-rules",
            "access_list",
            f"the access rules of {share_id}",
            share_id=share_id,
        )
        return [parse_access_rule(one) for one in listed]

    def unapplied_rules(self, share_id: str) -> frozenset[tuple[str, str]]:
        """Return the access rules of a share that are not in force, each with its state."""
        return parse_unapplied_rules(self.access_rules(share_id))

    def snapshots(self) -> dict[str, list[Snapshot]]:
        """List the snapshots of each share, of all projects, by the IDs of the shares."""
        found: dict[str, list[Snapshot]] = {}
        offset = 0
        while True:
            # Manila hands out at most 1000 of these at a time (osapi_max_limit).
            page = self._get(
                "/snapshots/detail",
                "snapshots",
                "the list of snapshots",
                all_tenants="1",
                limit="1000",
                offset=str(offset),
            )
            for snapshot in page:
                found.setdefault(snapshot["share_id"], []).append(parse_snapshot(snapshot))
            if len(page) < 1000:
                return found
            offset += len(page)

    def snapshots_of(self, share_id: str) -> list[Snapshot]:
        """List the snapshots of one share."""
        listed = self._get(
            "/snapshots/detail",
            "snapshots",
            f"the snapshots of {share_id}",
            all_tenants="1",
            share_id=share_id,
        )
        return [parse_snapshot(one) for one in listed]

    def snapshot_instances(self, snapshot_id: str) -> list[str]:
        """List the IDs of a snapshot's instances, one for each instance of its share."""
        listed = self._get(
            "/snapshot-instances",
            "snapshot_instances",
            f"the instances of snapshot {snapshot_id}",
            snapshot_id=snapshot_id,
        )
        return [one["id"] for one in listed]

    def share_servers(self) -> list[ShareServer]:
        """List all share servers: one request.

        Sends no filter: Manila answers an unknown one, ``limit`` too, with an empty list.
        """
        listed = self._get("/share-servers", "share_servers", "the list of share servers")
        return [parse_share_server(one) for one in listed]

    def find_share_server(self, server_id: str) -> ShareServer:
        """Return one share server by its ID, or its successor.  Raises NotFound."""
        servers = self.share_servers()
        for one in servers:
            if one.id == server_id:
                return one
        for one in servers:
            if one.source_id == server_id and one.status in ("active", DESTINATION):
                return one
        raise NotFound(f"There is no share server with the ID {server_id!r}.")

    def check_server(self, server_id: str, host: str, options: Options) -> Compatibility:
        """Ask Manila, and with it the destination's driver, whether a share server can move.

        Manila's refusal to ask the driver is an answer too.  Raises CloudError.
        """
        what = f"the compatibility of share server {server_id} with {host}"
        try:
            # manilaclient sends new_share_network_id even when it is None; without it Manila
            # answers 500 (api/views/share_server_migration.py).
            body = self._read(
                lambda: self._client.share_servers.migration_check(
                    server_id,
                    host,
                    options.writable,
                    options.nondisruptive,
                    options.preserve_snapshots,
                    new_share_network_id=options.new_share_network_id,
                ),
                what,
            )
        except CloudError as error:
            if error.status_code not in (400, 404, 409):
                raise
            refusal = str(error).partition(f"{what}: ")[2]
            return Compatibility(False, refusal=refusal)
        if not isinstance(body, dict) or "compatible" not in body:
            raise CloudError(
                f"Could not read {what}: the answer is not what was expected of Manila."
            )
        return Compatibility(
            bool(body["compatible"]),
            dict(body.get("supported_capabilities") or {}),
        )

    def grouped_servers(self) -> set[str]:
        """Return the IDs of the share servers that have share groups, empty groups too."""
        listed = self._get(
            "/share-groups/detail", "share_groups", "the list of share groups", all_tenants="1"
        )
        return {one["share_server_id"] for one in listed if one.get("share_server_id")}

    def share_networks(self) -> list[ShareNetwork]:
        """List the share networks of all projects, with the zones of their subnets."""
        listed = self._get(
            "/share-networks/detail",
            "share_networks",
            "the list of share networks",
            all_tenants="1",
        )
        return [parse_share_network(one) for one in listed]

    def find_share_network(self, name_or_id: str) -> str:
        """Return the ID of a share network, by name or ID.  Raises CloudError."""
        found = [one.id for one in self.share_networks() if name_or_id in (one.id, one.name)]
        if not found:
            raise NotFound(f"There is no share network with the name or ID {name_or_id!r}.")
        if len(found) > 1:
            raise CloudError(
                f"{len(found)} share networks have the name {name_or_id!r}; use one ID of: "
                f"{', '.join(sorted(found))}."
            )
        return found[0]

    def share_types(self) -> list[ShareType]:
        """List all share types, private ones too."""
        listed = self._get("/types", "share_types", "the list of share types", is_public="all")
        return [
            ShareType(one["id"], one["name"], dict(one.get("extra_specs") or {})) for one in listed
        ]

    def find_share_type(self, name_or_id: str) -> ShareType:
        """Return one share type by name or ID.  Raises NotFound, naming those that exist."""
        types = self.share_types()
        for one in types:
            if name_or_id in (one.id, one.name):
                return one
        names = ", ".join(sorted(one.name for one in types))
        raise NotFound(f"There is no share type {name_or_id!r}; there are: {names}.")

    def quotas(self, project_id: str, share_type_id: str | None = None) -> dict[str, Quota]:
        """Return the quotas of a project, or those it has for one share type, by resource."""
        query = {"share_type": share_type_id} if share_type_id else {}
        listed = self._get(
            f"/quota-sets/{quote(project_id, safe='')}/detail",
            "quota_set",
            f"the quotas of project {project_id}",
            **query,
        )
        return {
            name: Quota(one["limit"], one["in_use"] + one["reserved"])
            for name, one in listed.items()
            if isinstance(one, dict)
        }

    def qos_types(self) -> set[str] | None:
        """Return the names and IDs of all QoS types, None before API 2.94, which has none."""
        if self._client.api_version < api_versions.APIVersion("2.94"):
            return None
        listed = self._get("/qos-types", "qos_types", "the list of QoS types")
        return {one[key] for one in listed for key in ("id", "name")}

    def pools(self) -> list[Pool]:
        """List the pools that the scheduler knows, those of disabled services too."""
        listed = self._get("/scheduler-stats/pools/detail", "pools", "the list of pools")
        return [parse_pool(pool) for pool in listed]

    def services(self) -> list[Service]:
        """List Manila's services.  Raises CloudError, which says so where this user may not see them."""
        now = self.now()
        listed = self._get("/services", "services", "the list of services")
        return [parse_service(service, now) for service in listed]

    def share_managers(self) -> dict[str, Service]:
        """Return the manila-share services by ``host@backend``."""
        return {one.host: one for one in self.services() if one.binary == SHARE_MANAGER}

    def locks(self, **filters: str) -> list[Lock] | None:
        """Return the resource locks of all projects; none before API 2.81.

        None where a policy of its own refuses the list.  Where it only refuses those of other
        projects, Manila leaves these out and says nothing (lock/api.py).  Raises CloudError.
        """
        if self._client.api_version < api_versions.APIVersion("2.81"):
            return []
        what = "the list of resource locks"
        try:
            listed = self._get(
                "/resource-locks", "resource_locks", what, all_projects="1", **filters
            )
        except CloudError as error:
            if error.status_code == 403:
                return None
            raise
        return [parse_lock(body) for body in listed]
