# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a whole evacuation costs the controller, and what it asks.

Engine, runner and the reading of answers are the real ones, in front of the model of Manila that
the unit tests use, whose clock is virtual.  The time that the model takes for itself is left out.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from manilaclient import api_versions

from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._engine.types import Limits
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import Runner
from ansible_collections.manila.migration.plugins.module_utils._states.tables import COMPLETED
from ansible_collections.manila.migration.tests.bench.page import table, write
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    Manila,
    Share,
)

SIZES = (10, 100, 1_000, 3_000, 10_000)
PARALLEL = 50
POLL = 15.0
OLD = [f"old@array#pool{n}" for n in range(10)]
NEW = [f"new@box{n // 5}#pool{n}" for n in range(20)]


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.gmtime(moment))


class Api:
    """The model behind python-manilaclient's session client: paths in, bodies out."""

    def __init__(self, manila: Manila) -> None:
        self.manila = manila
        self.cpu = 0.0
        self.api_version = api_versions.APIVersion("2.98")
        self.client = SimpleNamespace(get=self.get)
        self.shares = SimpleNamespace(
            migration_start=self._start,
            migration_complete=self._complete,
            migration_get_progress=lambda _share: (None, {"total_progress": 50}),
        )

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._apart(lambda: self.manila.advance(seconds))

    def _apart(self, call: Callable[[], Any]) -> Any:
        begun = time.process_time()
        try:
            return call()
        finally:
            self.cpu += time.process_time() - begun

    def _start(self, share: str, pool: str, *_rest: Any, **_more: Any) -> None:
        self._apart(lambda: self.manila.start(share, pool, Options()))

    def _complete(self, share: str) -> None:
        self._apart(lambda: self.manila.complete(share))

    def get(self, url: str) -> tuple[None, Any]:
        """What a GET answers; that it is read from JSON counts."""
        text = self._apart(lambda: json.dumps(self._body(url)))
        return None, json.loads(text)

    def _body(self, url: str) -> Any:
        parts = urlsplit(url)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = parts.path.strip("/").split("/")
        if path == ["shares", "detail"]:
            wanted = query.get("status")
            shares = [] if "metadata" in query else self.manila.shares.values()
            return {"shares": [self._share(one) for one in shares if wanted in (None, one.status)]}
        if path == ["share_instances"]:
            return {"share_instances": self._instances(self.manila.shares.values())}
        if path == ["services"]:
            return {"services": [self._service(host) for host in self._hosts()]}
        if path == ["share-access-rules"]:
            rules = self.manila.shares[query["share_id"]].rules
            keys = ("access_type", "access_to", "access_level")
            return {"access_list": [{**dict(zip(keys, one)), "state": "active"} for one in rules]}
        if path[0] == "shares":
            return self._of_share(self.manila.shares[path[1]], path[2:])
        return {{"share-servers": "share_servers"}.get(path[0], path[0]): []}

    def _of_share(self, share: Share, path: list[str]) -> Any:
        if path == ["instances"]:
            return {"share_instances": self._instances([share])}
        if path == ["export_locations"]:
            export = f"192.0.2.1:/{share.instance.id}"
            return {"export_locations": [{"path": export, "is_admin_only": False}]}
        return {"share": self._share(share)}

    @staticmethod
    def _share(one: Share) -> dict[str, Any]:
        return {
            "id": one.id,
            "name": one.id,
            "size": one.size_gb,
            "host": one.host,
            "status": one.status,
            "task_state": one.task_state,
            "share_type": one.instance.share_type_id,
            "access_rules_status": one.rules_status,
            "share_proto": "NFS",
            "metadata": {},
        }

    @staticmethod
    def _instances(shares: Iterable[Share]) -> list[dict[str, Any]]:
        return [
            {
                "id": one.id,
                "share_id": share.id,
                "host": one.host,
                "status": one.status,
                "share_type_id": one.share_type_id,
                "created_at": _time(one.created_at),
                "updated_at": _time(one.changed_at),
            }
            for share in shares
            for one in share.instances
        ]

    def _hosts(self) -> list[str]:
        return ["scheduler", *sorted({backend_of(one) for one in self.manila.pools})]

    def _service(self, host: str) -> dict[str, Any]:
        return {
            "binary": "manila-share" if "@" in host else "manila-scheduler",
            "host": host,
            "status": "enabled",
            "state": "up",
            "updated_at": _time(self.manila.now),
        }


def measure(count: int) -> dict[str, float]:
    """Evacuate so many shares: seconds of the processor, MB, polls, and what was asked."""
    manila = Manila([*OLD, *NEW])
    for number in range(count):
        manila.add(f"share-{number:05}", OLD[number % len(OLD)], 10)
    plan = [
        Migration(one.id, one.host, NEW[number % len(NEW)], name=one.id, size_gb=one.size_gb)
        for number, one in enumerate(manila.shares.values())
    ]
    api = Api(manila)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cloud = Cloud(api, clock=lambda: manila.now, sleep=api.advance)
    polls: list[int] = []
    runner = Runner(
        cloud,
        plan,
        Limits(goal=COMPLETED, max_parallel=PARALLEL, max_parallel_per_pool=PARALLEL),
        timeout=10_000_000,
        poll_interval=POLL,
        report=lambda _runner: polls.append(cloud.requests),
        sleep=api.advance,
    )
    begun = time.process_time()
    runner.run()
    cpu = time.process_time() - begun - api.cpu
    if any(runner.track(one).phase != COMPLETED for one in plan) or manila.violations:
        raise SystemExit("not everything was moved")
    actions = len(manila.calls)
    # The cheapest polls: nothing was started, cut over or checked, all that was asked is how it stands.
    least = min(late - early for early, late in zip(polls, polls[1:]))
    return {
        "cpu": cpu,
        "memory": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "polls": len(polls),
        "least": least,
        "actions": actions / count,
        "reads": (cloud.requests - actions) / count,
    }


def main() -> None:
    """Measure each size in a process of its own, and write the table."""
    rows = []
    for count in SIZES:
        command = [sys.executable, "-m", __spec__.name, str(count)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(ran.stdout)
        rows.append(
            [
                f"{count:,}",
                f"{found['cpu']:.2f}",
                f"{1000 * found['cpu'] / count:.1f}",
                f"{found['memory']:.0f}",
                f"{found['polls']:,.0f}",
                f"{1000 * found['cpu'] / found['polls']:.0f}",
                f"{found['least']:.0f}",
                f"{found['actions']:.1f}",
                f"{found['reads']:.1f}",
            ]
        )
        print(rows[-1], file=sys.stderr)
    head = "Shares, s, ms a share, MB, Polls, ms a poll, Requests of a poll, Actions a share, Reads a share"
    lines = [f"{PARALLEL} at once, a look every {POLL:.0f} s, each copy takes 5 min.", ""]
    write("controller", [*lines, *table(head.split(", "), rows)])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
    else:
        main()
