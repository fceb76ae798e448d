# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only door to OpenStack: everything that goes over the network goes through here.

Reads are raw GETs through python-manilaclient's session client (its Resource objects fetch
missing attributes one by one, and its list of share instances ignores filters); actions go
through its managers, which know how each microversion wants them.  Reads are retried, actions
never: an answer that got lost says nothing about what Manila did (class Unknown).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    NotFound,
    Refused,
    Unknown,
    auth_url,
    drop_retry_after,
    error_sentence,
    http_status,
    is_transient,
)
from ansible_collections.manila.migration.plugins.module_utils._api.libraries import (
    MISSING,
    api_versions,
    constants,
    keystone_errors,
    manila_client,
    manila_errors,
)
from ansible_collections.manila.migration.plugins.module_utils._api.parsers import (
    parse_instance,
    parse_paths,
    parse_pool,
    parse_service,
    parse_share,
    parse_share_network,
    parse_share_server,
    parse_snapshot,
    parse_unapplied_rules,
)
from ansible_collections.manila.migration.plugins.module_utils._model.binaries import SHARE_MANAGER
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.locks import describe_owner
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    LISTED,
    MARK,
    CopyMark,
    Mark,
)
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
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    ACTIVE,
    DESTINATION,
    observe_replica,
    observe_server,
    observe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import PROMOTED

T = TypeVar("T")


OLDEST_API = "2.73"
"""The newest API of Manila 15 (Zed), the oldest release this collection is tested with."""


_FEW = 4
"""Up to so many shares are read one by one; for more, two lists cost fewer requests."""


_WORTH = 50
"""So many shares in a list cost Manila about what one that is read by itself does."""


_PROMPT = 5.0
"""Seconds in which a service that is there has answered: time-outs take longer (60)."""


class Cloud:
    """One cloud's Manila, as one administrator."""

    def __init__(
        self,
        client: Any,
        skew: float = 0.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``skew`` is how many seconds the server's clock is ahead of ``clock``."""
        self._client = client
        self._skew = skew
        self._clock = clock
        self._sleep = sleep
        self.retry_seconds = 90.0
        self.requests = 0
        self.effects = 0
        """How many actions may have had an effect: those accepted, and those with no clear answer."""
        self._listed = 0
        """How many shares there were when all were listed last."""

    @classmethod
    def connect(cls, connection: Any) -> Cloud:
        """Open the door with an openstacksdk connection.

        Finds the endpoint by the cloud's own configuration and settles the microversion: the
        lower of what the server and python-manilaclient know.  Raises CloudError.
        """
        if MISSING:
            raise CloudError(
                f"python-manilaclient 6.3.0 or newer is needed on the host that runs the module: "
                f"{MISSING}."
            )
        config = connection.config
        try:
            endpoint = config.get_session_client("shared-file-system").get_endpoint()
        except Exception as error:  # plugins of keystoneauth raise bare ones for what is missing
            raise CloudError(error_sentence(error, auth_url(config)), http_status(error)) from None
        if not endpoint:
            raise CloudError(
                "The cloud's catalogue has no shared file system service (sharev2) for region "
                f"{config.get_region_name() or 'any'} and interface "
                f"{config.get_interface('shared-file-system') or 'public'}."
            )

        connection.session.session.hooks["response"].append(drop_retry_after)

        def client(version: str) -> Any:
            manila = manila_client.Client(
                api_version=api_versions.APIVersion(version),
                session=connection.session,
                service_catalog_url=endpoint,
                region_name=config.get_region_name(),
                timeout=60,
            )
            if not hasattr(manila.client, "endpoint_override"):
                # An older client's bare token ends in the middle of a long run.
                raise CloudError("python-manilaclient 6.3.0 or newer is needed; this one is older.")
            # Below 2.96 migrations are experimental; above, the header does no harm.
            manila.client.default_headers[constants.EXPERIMENTAL_HTTP_HEADER] = "true"
            return manila

        door = cls(client(OLDEST_API))
        door.retry_seconds = 0.0  # a wrong address shall be reported at once
        response, body = door._read(
            lambda: door._client.client.get_with_base_url(""), "the versions of the API", endpoint
        )
        version = _negotiate(body or {}, endpoint)
        local = time.time()
        return cls(client(version), skew=_skew(response, local))

    @property
    def api_version(self) -> str:
        """The microversion in use."""
        return str(self._client.api_version.get_string())

    @property
    def keeps_disabled_reason(self) -> bool:
        """Whether Manila stores why a service is disabled: from API 2.83 on."""
        return bool(self._client.api_version >= api_versions.APIVersion("2.83"))

    @property
    def counts_new_types(self) -> bool:
        """Whether a migration to a new share type is counted in quotas: from Manila 16 (2023.1) on.

        The API doesn't say; 15 is the only release supported whose newest API is 2.73.
        """
        return bool(self._client.api_version > api_versions.APIVersion("2.73"))

    @property
    def frees_addresses(self) -> bool:
        """Whether Manila frees the addresses of a share server moved without disruption.

        It did before Manila 20 (2025.1), whose newest API is 2.89; that of 19 is 2.87.
        """
        return bool(self._client.api_version < api_versions.APIVersion("2.88"))

    def now(self) -> float:
        """Now, by the server's clock, in seconds since the epoch."""
        return self._clock() + self._skew

    # -- reads -------------------------------------------------------------------------------

    def _read(self, call: Callable[[], T], what: str, where: str = "") -> T:
        """Do a read, again with growing pauses while the trouble is of the passing kind."""
        pause = 0.5
        deadline = self._clock() + self.retry_seconds
        while True:
            self.requests += 1
            try:
                return call()
            except (manila_errors.ClientException, keystone_errors.ClientException) as error:
                if not is_transient(error) or self._clock() + pause > deadline:
                    kind = NotFound if http_status(error) == 404 else CloudError
                    raise kind(
                        f"Could not read {what}: {error_sentence(error, where)}", http_status(error)
                    ) from None
            self._sleep(pause)
            pause = min(pause * 2, 15.0)

    def _get(self, path: str, key: str, what: str, **query: str) -> Any:
        """What a GET answers under ``key``."""
        url = path + (f"?{urlencode(query)}" if query else "")
        _response, body = self._read(lambda: self._client.client.get(url), what)
        if not isinstance(body, dict) or key not in body:
            raise NotFound(
                f"Could not read {what}: the answer has no {key!r}; what answers at {path} is not "
                "what was expected of Manila."
            )
        return body[key]

    def share(self, share_id: str) -> Share:
        """One share by its ID.  Raises NotFound."""
        path = f"/shares/{quote(share_id, safe='')}"
        return parse_share(self._get(path, "share", f"share {share_id}"))

    def find_share(self, name_or_id: str) -> Share:
        """One share by its ID or by a name that only one share has.  Raises CloudError."""
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
        """All shares of all projects that match ``filters`` (Manila's own names).

        Sends no ``limit``: with one, shares that have two instances repeat across pages, and
        the pages' markers are ignored: docs/manila.md, "Scheduler and lists".
        """
        listed = self._get(
            "/shares/detail", "shares", "the list of shares", all_tenants="1", **filters
        )
        unique = {share["id"]: parse_share(share) for share in listed}
        return list(unique.values())

    def soft_deleted_shares(self) -> list[Share]:
        """Shares in the recycle bin: they occupy their pool, and don't show in other lists."""
        return [
            replace(share, is_soft_deleted=True) for share in self.shares(is_soft_deleted="true")
        ]

    def instances(self, host: str | None = None) -> list[Instance]:
        """Share instances, all or those at ``host`` (a back end, with its pools, or a pool)."""
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
        """The instances of one share."""
        listed = self._get(
            f"/shares/{quote(share_id, safe='')}/instances",
            "share_instances",
            f"the instances of {share_id}",
        )
        return [parse_instance(instance) for instance in listed]

    def share_servers(self) -> list[ShareServer]:
        """All share servers: one request.

        Sends no filter: Manila answers an unknown one, ``limit`` too, with an empty list.
        """
        listed = self._get("/share-servers", "share_servers", "the list of share servers")
        return [parse_share_server(one) for one in listed]

    def find_share_server(self, server_id: str) -> ShareServer:
        """One share server by its ID, or else the one that took its place.  Raises NotFound."""
        servers = self.share_servers()
        for one in servers:
            if one.id == server_id:
                return one
        for one in servers:
            if one.source_id == server_id and one.status in ("active", DESTINATION):
                return one
        raise NotFound(f"There is no share server with the ID {server_id!r}.")

    def share_networks(self) -> list[ShareNetwork]:
        """All share networks of all projects, with the zones of their subnets."""
        listed = self._get(
            "/share-networks/detail",
            "share_networks",
            "the list of share networks",
            all_tenants="1",
        )
        return [parse_share_network(one) for one in listed]

    def grouped_servers(self) -> set[str]:
        """IDs of the share servers that share groups live on, groups without shares too."""
        listed = self._get(
            "/share-groups/detail", "share_groups", "the list of share groups", all_tenants="1"
        )
        return {one["share_server_id"] for one in listed if one.get("share_server_id")}

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

    def migrating(self) -> list[Observation]:
        """The shares that migrate in the whole cloud, whoever started them: one request."""
        return [observe_share(share, None) for share in self.shares(status="migrating")]

    def marked(self) -> list[tuple[Share, list[Instance]]]:
        """The shares in the cloud that a replica is moved of, with all their replicas.

        Two requests, or one where there are none.
        """
        shares = [
            one for one in self.shares(metadata=repr(LISTED)) if Mark.of(one.metadata) is not None
        ]
        # Afterwards, for a replica never to be seen without the mark that was there before it.
        copies = self._copies({one.id for one in shares}) if shares else {}
        return [(one, copies[one.id]) for one in shares]

    def observe(self, ids: Iterable[str]) -> tuple[dict[str, Observation], set[str]]:
        """A full look at some shares, instances included; beside it the IDs that don't exist.

        Costs two requests a share for a few of them, and two lists of everything for many.
        """
        wanted = set(ids)
        found = {one.id: observe_share(one, copies) for one, copies in self._look_at(wanted)}
        return found, wanted - set(found)

    def observe_replicas(
        self, planned: Mapping[str, tuple[str, str | None]]
    ) -> tuple[dict[str, Observation], set[str]]:
        """The same of replicas: by the IDs of shares, from which pool to which they are to move."""
        found = {
            one.id: observe_replica(one, copies, *planned[one.id])
            for one, copies in self._look_at(set(planned))
        }
        return found, set(planned) - set(found)

    def _look_at(self, wanted: set[str]) -> list[tuple[Share, list[Instance]]]:
        """Those of the wanted shares that exist, with their instances."""
        if len(wanted) > max(_FEW, self._listed // _WORTH):
            copies, listed = self._copies(wanted), self.shares()
            self._listed = len(listed)
            return [(one, copies[one.id]) for one in listed if one.id in wanted]
        found = []
        for share_id in sorted(wanted):
            try:
                found.append((self.share(share_id), self.instances_of(share_id)))
            except NotFound:
                continue
        return found

    def _copies(self, wanted: set[str]) -> dict[str, list[Instance]]:
        """The instances of the wanted shares: one request, which Manila doesn't cut into pages."""
        copies: dict[str, list[Instance]] = {share_id: [] for share_id in wanted}
        for instance in self.instances():
            if instance.share_id in copies:
                copies[instance.share_id].append(instance)
        return copies

    def progress(self, kind: str, subject: str) -> int | None:
        """Percent copied, None where nobody can tell.  Asks the service that copies: may be slow.

        Not retried: with manila-data away each call blocks for a minute: docs/manila.md,
        "Progress of a share".
        """
        self.requests += 1
        try:
            answer = self._manager(kind).migration_get_progress(subject)
        except (manila_errors.ClientException, keystone_errors.ClientException):
            return None
        # Of a share manilaclient returns the response, too.
        body = answer if kind == SHARE_SERVER else answer[1]
        percent = (body or {}).get("total_progress")
        return percent if isinstance(percent, int) else None

    def copying(self, share_id: str) -> bool | None:
        """Whether manila-data has the copy of a share in `data_copying_in_progress` in hand.

        None where nobody can tell.  Manila answers 500 if manila-data knows of no such copy, and
        also if it doesn't answer, but then only after a time-out (share/api.py; docs/manila.md,
        "The copy of the Data Service").
        """
        self.requests += 1
        begin = self._clock()
        try:
            self._client.shares.migration_get_progress(share_id)
        except (manila_errors.ClientException, keystone_errors.ClientException) as error:
            prompt = self._clock() - begin < _PROMPT
            return False if http_status(error) == 500 and prompt else None
        return True

    def facts(
        self, share_id: str, seen: Observation | None = None, has_snapshots: bool = True
    ) -> Facts:
        """What must survive a cutover: place, copies, rules, snapshots, export locations.

        With ``seen``, a look at the share that was just taken, three requests instead of five; with
        ``has_snapshots`` false, where there can't be any, one less.
        """
        if seen is None:
            seen = observe_share(self.share(share_id), self.instances_of(share_id))
        return self._facts(seen, len(seen.instances or ()), has_snapshots)

    def replica_facts(self, share_id: str, source: str, to: str | None) -> Facts:
        """The same of a replica that is moved: of the new one, once the share is served from it."""
        share, replicas = self.share(share_id), self.instances_of(share_id)
        seen = observe_replica(share, replicas, source, to)
        serving = seen.at(seen.destination if seen.task_state == PROMOTED else seen.host)
        here = next((one for one in replicas if serving and one.id == serving.id), None)
        copies = sum(one.host != source for one in replicas)
        facts = self._facts(observe_share(share, None), copies)
        if here is None:
            return replace(facts, host=seen.host)
        facts = replace(facts, host=seen.host, share_network_id=here.share_network_id)
        if here.replica_state == ACTIVE:
            return facts
        exports = self._get(
            f"/share-replicas/{here.id}/export-locations",
            "export_locations",
            f"the export locations of replica {here.id}",
        )
        good = here.status != "available" or here.replica_state == "in_sync"
        status = here.status if good else str(here.replica_state)
        return replace(facts, status=status, exports=parse_paths(exports), active=False)

    def server_facts(self, server_id: str) -> Facts:
        """The same of a share server, with all its shares: three requests a share."""
        servers = self.share_servers()
        seen = observe_server(server_id, servers)
        if seen is None:
            raise NotFound(f"There is no share server with the ID {server_id!r}.")
        at = seen.successor if seen.resting and seen.successor else server_id
        copies = Counter(
            one.share_id for one in self.instances(seen.host) if one.share_server_id == at
        )
        return Facts(
            host=seen.host,
            status=seen.status,
            copies=len(seen.instances or ()),
            share_network_id=seen.share_network_id,
            members={
                share.id: self._facts(observe_share(share, None), copies[share.id])
                for share in self.shares(share_server_id=at)
            },
        )

    def _facts(self, seen: Observation, copies: int, has_snapshots: bool = True) -> Facts:
        share_id = seen.id
        rules = self.access_rules(share_id)
        snapshots = self.snapshots_of(share_id) if has_snapshots else []
        exports = self._get(
            f"/shares/{quote(share_id, safe='')}/export_locations",
            "export_locations",
            f"the export locations of {share_id}",
        )
        return Facts(
            host=seen.host,
            status=seen.status,
            copies=copies,
            name=seen.name,
            share_type_id=seen.share_type_id,
            share_network_id=seen.share_network_id,
            rules=frozenset((rule.access_type, rule.access_to, rule.level) for rule in rules),
            rules_status=seen.access_rules_status,
            unapplied=parse_unapplied_rules(rules),
            snapshots={snapshot.id: snapshot.status for snapshot in snapshots},
            exports=parse_paths(exports),
            copy_mark=seen.copy_mark,
        )

    def unapplied_rules(self, share_id: str) -> frozenset[tuple[str, str]]:
        """The access rules of a share that are not in force as listed, each with its state."""
        return parse_unapplied_rules(self.access_rules(share_id))

    def access_rules(self, share_id: str) -> list[AccessRule]:
        """The access rules of one share."""
        path, what = "/share-access-rules", f"the access rules of {share_id}"
        return [
            AccessRule(
                id=one.get("id") or "",
                access_type=one["access_type"],
                access_to=one["access_to"],
                state=one.get("state") or "active",
                level=one["access_level"],
                created_at=one.get("created_at"),
            )
            for one in self._get(path, "access_list", what, share_id=share_id)
        ]

    def snapshots_of(self, share_id: str) -> list[Snapshot]:
        """The snapshots of one share."""
        listed = self._get(
            "/snapshots/detail",
            "snapshots",
            f"the snapshots of {share_id}",
            all_tenants="1",
            share_id=share_id,
        )
        return [parse_snapshot(one) for one in listed]

    def snapshot_instances(self, snapshot_id: str) -> list[str]:
        """The IDs of a snapshot's copies, one for each instance of its share."""
        listed = self._get(
            "/snapshot-instances",
            "snapshot_instances",
            f"the instances of snapshot {snapshot_id}",
            snapshot_id=snapshot_id,
        )
        return [one["id"] for one in listed]

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Have a snapshot deleted.  Raises Refused or Unknown."""
        self._act(lambda: self._client.share_snapshots.delete(snapshot_id))

    def snapshots(self) -> dict[str, list[Snapshot]]:
        """The snapshots of each share, of all projects."""
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

    def pools(self) -> list[Pool]:
        """Every pool that the scheduler has heard of, those of disabled services too."""
        listed = self._get("/scheduler-stats/pools/detail", "pools", "the list of pools")
        return [parse_pool(pool) for pool in listed]

    def services(self) -> list[Service]:
        """Manila's services.  Raises CloudError with a clear word for users who may not see them."""
        now = self.now()
        listed = self._get("/services", "services", "the list of services")
        return [parse_service(service, now) for service in listed]

    def share_managers(self) -> dict[str, Service]:
        """The manila-share services by ``host@backend``."""
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
        return [_lock(body) for body in listed]

    def share_types(self) -> list[ShareType]:
        """All share types, private ones too."""
        listed = self._get("/types", "share_types", "the list of share types", is_public="all")
        return [
            ShareType(one["id"], one["name"], dict(one.get("extra_specs") or {})) for one in listed
        ]

    def find_share_type(self, name_or_id: str) -> ShareType:
        """One share type by name or ID.  Raises NotFound, naming those that exist."""
        types = self.share_types()
        for one in types:
            if name_or_id in (one.id, one.name):
                return one
        names = ", ".join(sorted(one.name for one in types))
        raise NotFound(f"There is no share type {name_or_id!r}; there are: {names}.")

    def find_share_network(self, name_or_id: str) -> str:
        """The ID of a share network, by name or ID.  Raises CloudError."""
        found = [one.id for one in self.share_networks() if name_or_id in (one.id, one.name)]
        if not found:
            raise NotFound(f"There is no share network with the name or ID {name_or_id!r}.")
        if len(found) > 1:
            raise CloudError(
                f"{len(found)} share networks have the name {name_or_id!r}; use one ID of: "
                f"{', '.join(sorted(found))}."
            )
        return found[0]

    def quotas(self, project_id: str, share_type_id: str | None = None) -> dict[str, Quota]:
        """The quotas of a project, or those that it has for one share type, by resource."""
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
        """The names and IDs of all QoS types, None where Manila has none: before API 2.94."""
        if self._client.api_version < api_versions.APIVersion("2.94"):
            return None
        listed = self._get("/qos-types", "qos_types", "the list of QoS types")
        return {one[key] for one in listed for key in ("id", "name")}

    # -- actions -----------------------------------------------------------------------------

    def _act(self, call: Callable[[], Any]) -> None:
        """Send an action once.  Raises Refused or Unknown."""
        self.requests += 1
        try:
            call()
        except (manila_errors.ClientException, keystone_errors.ClientException) as error:
            status = http_status(error)
            # 429 comes from a proxy in front of Manila, which let nothing through.
            if status is not None and 400 <= status < 500:
                raise Refused(error_sentence(error), status) from None
            self.effects += 1
            raise Unknown(error_sentence(error), status) from None
        except (KeyError, TypeError):  # python-manilaclient takes answers apart
            self.effects += 1
            raise Unknown("the answer is not what was expected of Manila.") from None
        self.effects += 1

    def _manager(self, kind: str) -> Any:
        return self._client.share_servers if kind == SHARE_SERVER else self._client.shares

    def start(self, kind: str, subject: str, destination: str, options: Options) -> None:
        """Start the migration of a share or of a share server.  Raises Refused or Unknown."""
        if kind == SHARE_SERVER:
            self._act(
                lambda: self._client.share_servers.migration_start(
                    subject,
                    destination,
                    options.writable,
                    options.nondisruptive,
                    options.preserve_snapshots,
                    new_share_network_id=options.new_share_network_id,
                )
            )
            return
        self._act(
            lambda: self._client.shares.migration_start(
                subject,
                destination,
                options.force_host_assisted_migration,
                options.preserve_metadata,
                options.writable,
                options.nondisruptive,
                options.preserve_snapshots,
                new_share_network_id=options.new_share_network_id,
                new_share_type_id=options.new_share_type_id,
            )
        )

    def complete(self, kind: str, subject: str) -> None:
        """Cut over what is copied.  Raises Refused or Unknown; see the engine for when to send it."""
        self._act(lambda: self._manager(kind).migration_complete(subject))

    def cancel(self, kind: str, subject: str) -> None:
        """Cancel a migration.  Raises Refused or Unknown."""
        self._act(lambda: self._manager(kind).migration_cancel(subject))

    def mark(self, share_id: str, mark: Mark) -> None:
        """Write whose the replica is that a share will get.  Raises Refused or CloudError.

        A lost answer is no matter: the mark is looked for, and written again.
        """
        try:
            self._act(
                lambda: self._client.shares.set_metadata(share_id, {MARK: str(mark), **LISTED})
            )
        except Unknown as unknown:
            raise CloudError(str(unknown), unknown.status_code) from None

    def unmark(self, share_id: str) -> None:
        """Take the mark away; nothing happens where there is none.  Raises Refused or Unknown."""
        for key in (MARK, *LISTED):
            self._forget(share_id, key)

    def _forget(self, share_id: str, key: str) -> None:
        try:
            self._act(lambda: self._client.shares.delete_metadata(share_id, [key]))
        except Refused as refused:
            if refused.status_code != 404:
                raise

    def mark_copy(self, share_id: str, mark: CopyMark) -> None:
        """Write down that a copy must never be completed.  Raises Refused or Unknown."""
        self._act(lambda: self._client.shares.set_metadata(share_id, {INTERRUPTED: str(mark)}))

    def unmark_copy(self, share_id: str) -> None:
        """Take that away again.  Raises Refused or Unknown."""
        self._forget(share_id, INTERRUPTED)

    def create_replica(self, share_id: str, pool: str, share_network_id: str | None) -> None:
        """Have a replica made in a pool.  Raises Refused or Unknown."""
        self._act(
            lambda: self._client.share_replicas.create(
                share_id, scheduler_hints={"only_host": pool}, share_network=share_network_id
            )
        )

    def promote_replica(self, replica_id: str) -> None:
        """Have a share served from another replica.  Raises Refused or Unknown.

        Of an administrator Manila takes it for what is not in sync, too: see the engine.
        """
        self._act(lambda: self._client.share_replicas.promote(replica_id))

    def delete_replica(self, replica_id: str) -> None:
        """Remove a replica; Manila refuses it only for the last active one."""
        self._act(lambda: self._client.share_replicas.delete(replica_id))

    def reset_status(self, kind: str, subject: str, status: str) -> None:
        """Write a status.  ``kind`` is share_server, share_instance, snapshot or snapshot_instance."""
        self._act(lambda: self._resettable(kind).reset_state(subject, status))

    def reset_task_state(self, kind: str, subject: str, task_state: str | None) -> None:
        """Write a task state.  Raises Refused or Unknown."""
        self._act(lambda: self._manager(kind).reset_task_state(subject, task_state))

    def delete_server(self, server_id: str) -> None:
        """Delete a share server: Manila refuses that while a share is on it."""
        self._act(lambda: self._client.share_servers.delete(server_id))

    def delete_instance(self, instance_id: str) -> None:
        """Force-delete a share instance.  With a share's only one, Manila deletes the share."""
        self._act(lambda: self._client.share_instances.force_delete(instance_id))

    def _resettable(self, kind: str) -> Any:
        managers = {
            SHARE_SERVER: self._client.share_servers,
            "share_instance": self._client.share_instances,
            "snapshot": self._client.share_snapshots,
            "snapshot_instance": self._client.share_snapshot_instances,
        }
        return managers[kind]

    def allow(self, share_id: str, access_type: str, access_to: str, level: str) -> None:
        """Give a share an access rule.  Raises Refused or Unknown."""
        self._act(lambda: self._client.shares.allow(share_id, access_type, access_to, level))

    def deny(self, share_id: str, rule_id: str) -> None:
        """Take an access rule away from a share.  Raises Refused, which names a lock, or Unknown."""
        try:
            self._act(lambda: self._client.shares.deny(share_id, rule_id))
        except Refused as error:
            locks = self._locks_of_rule(rule_id) if error.status_code == 403 else []
            if not locks:
                raise
            # Manila refuses administrators, too: api/v2/shares.py, _check_for_access_rule_locks().
            names = "; ".join(f"lock {lock.id} of {describe_owner(lock)}" for lock in locks)
            raise Refused(
                f"Access rule {rule_id} of share {share_id} is locked, so Manila does not remove it: "
                f"{names}. Remove the lock first (openstack share lock delete {locks[0].id}).",
                status_code=403,
            ) from None

    def _locks_of_rule(self, rule_id: str) -> list[Lock]:
        try:
            listed = self.locks(resource_id=rule_id)
        except CloudError:
            return []  # what was refused is told in Manila's words
        return [lock for lock in listed or () if lock.action == "delete"]

    def enable_service(self, host: str) -> None:
        """Let the scheduler place shares at a back end again.  Raises Refused or Unknown."""
        self._act(lambda: self._client.services.enable(host, SHARE_MANAGER))

    def disable_service(self, host: str, reason: str | None) -> None:
        """Keep the scheduler from placing shares at a back end.  Raises Refused or Unknown."""
        services = self._client.services
        if reason and self.keeps_disabled_reason:
            self._act(lambda: services.disable(host, SHARE_MANAGER, disable_reason=reason))
        else:
            self._act(lambda: services.disable(host, SHARE_MANAGER))


def _lock(body: Mapping[str, Any]) -> Lock:
    return Lock(
        id=body["id"],
        kind=body["resource_type"],
        resource_id=body["resource_id"],
        action=body["resource_action"],
        context=body["lock_context"],
        user_id=body["user_id"],
        project_id=body["project_id"],
        reason=body.get("lock_reason") or "",
    )


def _negotiate(body: Mapping[str, Any], endpoint: str) -> str:
    """The newest microversion that both sides know.  Raises CloudError."""
    offered = [one for one in body.get("versions") or [] if one.get("version")]
    if not offered:
        raise CloudError(f"What answers at {endpoint} is no Manila with microversions.")
    newest = max(api_versions.APIVersion(one["version"]) for one in offered)
    known = api_versions.APIVersion(api_versions.MAX_VERSION)
    version = min(newest, known)
    if version < api_versions.APIVersion(OLDEST_API):
        raise CloudError(
            f"Manila at {endpoint} offers API {newest.get_string()}, python-manilaclient knows up "
            f"to {known.get_string()}; at least {OLDEST_API} (Manila 15, Zed) is needed."
        )
    return str(version.get_string())


def _skew(response: Any, local: float) -> float:
    """How far the server's clock is ahead of ours, from its Date header; 0 where there is none."""
    try:
        ahead = parsedate_to_datetime(response.headers["Date"]).timestamp() - local
    except (KeyError, TypeError, ValueError):
        return 0.0
    # The header counts whole seconds.
    return ahead if abs(ahead) > timedelta(seconds=2).total_seconds() else 0.0
