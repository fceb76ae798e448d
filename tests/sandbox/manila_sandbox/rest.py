# SPDX-License-Identifier: GPL-3.0-or-later
"""A small REST client for Keystone and Manila, on the standard library: starts in no time."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from manila_sandbox.errors import SandboxError
from manila_sandbox.settings import Settings

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RestError(SandboxError):
    """An answer that is no success; ``status`` is 0 where there was no answer at all."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def request(
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 30,
) -> tuple[Any, Mapping[str, str]]:
    """Send a request, return the decoded answer and its headers."""
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(url, data=data, method=method)
    call.add_header("Accept", "application/json")
    if data is not None:
        call.add_header("Content-Type", "application/json")
    for key, value in (headers or {}).items():
        call.add_header(key, value)
    try:
        with _OPENER.open(call, timeout=seconds) as answer:
            text = answer.read()
            return (json.loads(text) if text else None), dict(answer.headers.items())
    except urllib.error.HTTPError as error:
        if error.code == 300:  # the list of versions, which has no other status
            return json.loads(error.read()), dict(error.headers.items())
        detail = error.read().decode(errors="replace")[:300]
        raise RestError(error.code, f"{method} {url}: {error.code} {detail}") from None
    except (OSError, ValueError) as error:
        raise RestError(0, f"{method} {url}: {error}") from None


class Cloud:
    """The sandbox's Keystone and Manila, as one user in one project."""

    def __init__(self, settings: Settings, user: str, password: str, project: str) -> None:
        self._settings = settings
        self._user = user
        self._password = password
        self._project = project
        self._token = ""

    def _authenticate(self) -> str:
        if not self._token:
            domain = {"id": "default"}
            user = {"name": self._user, "domain": domain, "password": self._password}
            body = {
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"name": self._project, "domain": domain}},
                }
            }
            _answer, headers = request("POST", f"{self._settings.auth_url}/auth/tokens", body)
            self._token = headers["X-Subject-Token"]
        return self._token

    def identity(self, method: str, path: str, body: Any = None) -> Any:
        """Call Keystone; ``path`` starts with a slash."""
        headers = {"X-Auth-Token": self._authenticate()}
        return request(method, self._settings.auth_url + path, body, headers)[0]

    def share(self, method: str, path: str, body: Any = None, seconds: float = 30) -> Any:
        """Call Manila; ``path`` starts with a slash."""
        headers = {
            "X-Auth-Token": self._authenticate(),
            "X-OpenStack-Manila-API-Version": self._settings.release.api_version,
            "X-OpenStack-Manila-API-Experimental": "True",
        }
        return request(method, self._settings.share_url + path, body, headers, seconds)[0]
