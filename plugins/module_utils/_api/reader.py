# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read how migrations stand: observations for the tables of states, progress, facts.

An observation or a fact takes several records; each method says how many requests it sends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    NotFound,
    http_status,
)
from ansible_collections.manila.migration.plugins.module_utils._api.libraries import (
    keystone_errors,
    manila_errors,
)
from ansible_collections.manila.migration.plugins.module_utils._api.parsers import (
    parse_paths,
    parse_unapplied_rules,
)
from ansible_collections.manila.migration.plugins.module_utils._api.records import Records
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    LISTED,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    ACTIVE,
    observe_replica,
    observe_server,
    observe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import PROMOTED

_FEW_SHARES = 4
"""Up to so many shares are read singly; for more, two lists cost fewer requests."""


_LISTED_PER_READ = 50
"""So many shares in a list cost Manila about what a share that is read by itself does."""


_PROMPT_SECONDS = 5.0
"""A service that is up has answered by then; a time-out takes longer (60 s)."""


class Reader(Records):
    """Observations of shares, share servers and replicas, and what must survive a cutover."""

    _listed = 0
    """The number of shares when all were listed last."""

    def migrating(self) -> list[Observation]:
        """List the shares that migrate in the whole cloud, whoever started them: one request."""
        return [observe_share(share, None) for share in self.shares(status="migrating")]

    def marked(self) -> list[tuple[Share, list[Instance]]]:
        """List the shares in the cloud that a replica is moved of, with all their replicas.

        Two requests, or one where there are none.
        """
        shares = [
            one for one in self.shares(metadata=repr(LISTED)) if Mark.of(one.metadata) is not None
        ]
        # Afterwards, for a replica never to be seen without the mark that was there before it.
        copies = self._copies({one.id for one in shares}) if shares else {}
        return [(one, copies[one.id]) for one in shares]

    def observe(self, ids: Iterable[str]) -> tuple[dict[str, Observation], set[str]]:
        """Observe some shares, instances included; beside it return the IDs that don't exist.

        Costs two requests a share for a few of them, and two lists of everything for many.
        """
        wanted = set(ids)
        found = {one.id: observe_share(one, copies) for one, copies in self._look_at(wanted)}
        return found, wanted - set(found)

    def observe_replicas(
        self, planned: Mapping[str, tuple[str, str | None]]
    ) -> tuple[dict[str, Observation], set[str]]:
        """Observe replicas: by the IDs of shares, from which pool to which they are to move.

        Costs and returns the same as ``observe``.
        """
        found = {
            one.id: observe_replica(one, copies, *planned[one.id])
            for one, copies in self._look_at(set(planned))
        }
        return found, set(planned) - set(found)

    def _look_at(self, wanted: set[str]) -> list[tuple[Share, list[Instance]]]:
        """Return those of the wanted shares that exist, with their instances."""
        if len(wanted) > max(_FEW_SHARES, self._listed // _LISTED_PER_READ):
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
        """Return the instances of the wanted shares: one request, which Manila doesn't cut into pages."""
        copies: dict[str, list[Instance]] = {share_id: [] for share_id in wanted}
        for instance in self.instances():
            if instance.share_id in copies:
                copies[instance.share_id].append(instance)
        return copies

    def progress(self, kind: str, subject: str) -> int | None:
        """Return the percentage copied, None if unknown.  Asks the service that copies: may be slow.

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
        """Say whether manila-data works on the copy of a share in ``data_copying_in_progress``.

        None if unknown.  Manila answers 500 if manila-data knows of no such copy, and
        also if it doesn't answer, but then only after a time-out (share/api.py; docs/manila.md,
        "The copy of the Data Service").
        """
        self.requests += 1
        begin = self._clock()
        try:
            self._client.shares.migration_get_progress(share_id)
        except (manila_errors.ClientException, keystone_errors.ClientException) as error:
            prompt = self._clock() - begin < _PROMPT_SECONDS
            return False if http_status(error) == 500 and prompt else None
        return True

    def facts(
        self, share_id: str, seen: Observation | None = None, has_snapshots: bool = True
    ) -> Facts:
        """Return what must survive a cutover: host, copies, rules, snapshots, export locations.

        With ``seen``, a look at the share that was just taken, three requests instead of five; with
        ``has_snapshots`` false, where there can't be any, one less.
        """
        if seen is None:
            seen = observe_share(self.share(share_id), self.instances_of(share_id))
        return self._facts(seen, len(seen.instances or ()), has_snapshots)

    def replica_facts(self, share_id: str, source: str, to: str | None) -> Facts:
        """Return the same of a replica that is moved: of the new one, once it serves the share."""
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
        """Return the same of a share server, with all its shares: three requests a share.

        Raises NotFound.
        """
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
