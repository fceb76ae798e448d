# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud that is a script: requests in strict order, each with its answer.

Only the keystoneauth session is replaced; python-manilaclient and all of this collection above it
run as they are.  A request that the script doesn't expect next fails the test at once, also where
the product catches exceptions, and so does an expectation that is left over.

The fixtures ``session`` and ``clock`` (``conftest.py``) are these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import session as keystone_session
from requests import Response

ENDPOINT = "http://manila.test/share/v2"
VERSIONS = "http://manila.test/share/"
OLD, NEW = "node@old#pool", "node@new#pool"
NOW = 1_800_000_000.0

CUT = keystone_errors.ConnectFailure("Unable to establish connection: Connection refused")
"""The connection could not be made: nothing was sent."""

LATE = keystone_errors.ConnectTimeout("Request timed out")
"""No answer came: it may have been done."""

_ANY = object()


@dataclass
class Sent:
    """A request as it went out."""

    method: str
    url: str
    body: Any
    headers: dict[str, str]
    microversion: str | None


@dataclass
class Expected:
    """A request that has to come next.  ``answer`` is a body, an exception, or makes the body."""

    method: str
    url: str
    answer: Any
    status: int
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


@dataclass
class Session(keystone_session.Session):
    """A session that answers from a script."""

    script: list[Expected] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    date: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)
    failure: str = ""
    """The first difference from the script."""

    def expect(
        self,
        method: str,
        url: str,
        answer: Any = None,
        status: int = 200,
        body: Any = _ANY,
    ) -> None:
        """Expect this request next, with this body if one is given.

        ``answer`` is the body of the answer, a function that makes it when it is asked for, or an
        exception.
        """
        self.script.append(Expected(method, url, answer, status, body))

    def request(  # type: ignore[override]
        self, url: str, method: str, **more: Any
    ) -> Response:
        body = more.get("json")
        self.sent.append(
            Sent(method, url, body, more.get("headers") or {}, more.get("microversion"))
        )
        expected = self.script.pop(0) if self.script else None
        if expected is None or (method, url) != (expected.method, expected.url):
            self._fail(f"{method} {url} was sent ({body}), expected was {expected or 'nothing'}")
        elif expected.body is not _ANY and body != expected.body:
            self._fail(f"{method} {url} was sent with {body}, expected was {expected.body}")
        assert expected is not None
        answer = expected.answer() if callable(expected.answer) else expected.answer
        if isinstance(answer, Exception):
            raise answer
        response = Response()
        response.status_code = expected.status
        response._content = json.dumps(answer).encode() if answer is not None else b""
        response.headers["Content-Type"] = "application/json"
        if self.date:
            response.headers["Date"] = self.date
        response.headers.update(self.headers)
        return requests.hooks.dispatch_hook("response", self.session.hooks, response)

    def _fail(self, difference: str) -> None:
        before = [f"{entry.method} {entry.url}" for entry in self.sent[:-1]]
        self.failure = self.failure or "\n".join([difference, "after:", *before])
        pytest.fail(self.failure, pytrace=False)  # not an Exception: nothing catches it

    def changes(self) -> list[tuple[str, str, Any]]:
        """The requests that were not only reads: method, URL, body."""
        return [
            (entry.method, entry.url, entry.body)
            for entry in self.sent
            if entry.method != "GET" and entry.body != {"migration_get_progress": None}
        ]

    def close_script(self) -> None:
        """Fail if something was sent that was not expected, or expected and not sent."""
        assert not self.failure, self.failure
        assert [str(entry) for entry in self.script] == [], "expected, and never sent"


@dataclass
class Clock:
    """A clock that only moves when somebody sleeps.  May stand for the module ``time``."""

    now: float = NOW
    naps: list[float] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def text(self, before: float = 0) -> str:
        """The time as Manila prints it, some seconds ago."""
        at = datetime.fromtimestamp(self.now - before, tz=timezone.utc)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%f")


# -- what Manila answers ---------------------------------------------------------------------


def connection(session: Session, endpoint: Any = ENDPOINT) -> SimpleNamespace:
    """What openstacksdk's connect() returns, as far as it is used."""

    def get_endpoint() -> Any:
        if isinstance(endpoint, Exception):
            raise endpoint
        return endpoint

    config = SimpleNamespace(
        get_session_client=lambda _service: SimpleNamespace(get_endpoint=get_endpoint),
        get_region_name=lambda: "RegionOne",
        get_interface=lambda _service: "internal",
        get_auth_args=lambda: {"auth_url": "http://keystone.test/v3"},
    )
    return SimpleNamespace(config=config, session=session)


def versions(*offered: str) -> dict[str, Any]:
    return {"versions": [{"id": f"v{entry}", "version": entry} for entry in offered]}


def refusal(message: str, code: int = 400) -> dict[str, Any]:
    return {"badRequest": {"code": code, "message": message}}


FORBIDDEN = refusal("Access was denied to this resource.", 403)


def share(share_id: str = "s1", **more: Any) -> dict[str, Any]:
    return {
        "id": share_id,
        "name": f"name of {share_id}",
        "size": 3,
        "host": OLD,
        "status": "available",
        "task_state": None,
        "share_type": "type-1",
        "access_rules_status": "active",
        **more,
    }


def instance(
    instance_id: str, share_id: str = "s1", host: str = OLD, **more: Any
) -> dict[str, Any]:
    return {
        "id": instance_id,
        "share_id": share_id,
        "host": host,
        "status": "available",
        "created_at": "2027-01-15T08:00:00.000000",
        "updated_at": None,
        **more,
    }


def server(server_id: str = "v1", **more: Any) -> dict[str, Any]:
    return {
        "id": server_id,
        "host": "node@old",
        "status": "active",
        "share_network_id": "n1",
        **more,
    }


def service(host: str = "node@old", binary: str = "manila-share", **more: Any) -> dict[str, Any]:
    return {
        "binary": binary,
        "host": host,
        "status": "enabled",
        "state": "up",
        "updated_at": None,
        "disabled_reason": None,
        "zone": "nova",
        **more,
    }


ANY_SERVICES = (
    service("node@old"),
    service("node@new"),
    service("node", "manila-data"),
    service("node", "manila-scheduler"),
)


def live_services(
    clock: Clock, services: Sequence[dict[str, Any]] = ANY_SERVICES
) -> Callable[[], dict[str, Any]]:
    """Services whose last heartbeat is that of this moment, whenever they are asked for.

    Those that say when their last one was keep that.
    """
    return lambda: {
        "services": [
            {**entry, "updated_at": entry["updated_at"] or clock.text()} for entry in services
        ]
    }


MIGRATING = "/shares/detail?all_tenants=1&status=migrating"
MARKED = "/shares/detail?all_tenants=1&metadata=%7B%27manila_migration%27%3A+%27replica%27%7D"

TYPES = [
    {"id": "type-1", "name": "gold", "extra_specs": {"driver_handles_share_servers": "False"}},
    {"id": "type-2", "name": "tin", "extra_specs": {"share_backend_name": "old"}},
    {"id": "type-3", "name": "dhss", "extra_specs": {"driver_handles_share_servers": "True"}},
]

NETWORKS = [
    {"id": "n1", "name": "tenant", "share_network_subnets": [{"availability_zone": None}]},
    {"id": "n2", "name": "other", "share_network_subnets": [{"availability_zone": None}]},
]


def pool(name: str, servers: bool = False, **more: Any) -> dict[str, Any]:
    capabilities = {
        "share_backend_name": name.partition("@")[2].partition("#")[0],
        "driver_handles_share_servers": servers,
        "total_capacity_gb": 1000,
        "free_capacity_gb": 400,
        "provisioned_capacity_gb": 600,
        "allocated_capacity_gb": 500,
        "thin_provisioning": False,
        **more,
    }
    return {"name": name, "capabilities": capabilities}


def read_source(
    session: Session,
    clock: Clock,
    shares: Sequence[dict[str, Any]],
    instances: Sequence[dict[str, Any]],
    pools: Sequence[dict[str, Any]],
    servers: Sequence[dict[str, Any]] = (),
) -> None:
    """Expect the reads of everything at back end ``node@old``: ``inventory.read_inventory()``."""
    session.expect("GET", "/services", live_services(clock))
    url = "/share_instances?host=node%40old"
    session.expect("GET", url, {"share_instances": list(instances)})
    url = "/shares/detail?all_tenants=1&host=node%40old%23pool"
    session.expect("GET", url, {"shares": list(shares)})
    session.expect("GET", MIGRATING, {"shares": []})
    session.expect("GET", "/scheduler-stats/pools/detail", {"pools": list(pools)})
    if servers:
        session.expect("GET", "/share-servers", {"share_servers": list(servers)})
    session.expect("GET", MARKED, {"shares": []})
    session.expect("GET", "/resource-locks?all_projects=1", {"resource_locks": []})
    session.expect("GET", "/snapshots/detail?all_tenants=1&limit=1000&offset=0", {"snapshots": []})
    session.expect("GET", "/types?is_public=all", {"share_types": TYPES})
    if servers:
        session.expect("GET", "/share-networks/detail?all_tenants=1", {"share_networks": NETWORKS})
        session.expect("GET", "/share-groups/detail?all_tenants=1", {"share_groups": []})
