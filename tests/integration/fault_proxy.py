# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of Manila's API that does harm as it is told, and records every request.

A rule names the requests that it means by a regular expression, which is searched in what
``Request.line`` says: ``POST /shares/ID/action migration_complete``, ``GET /services``.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Request:
    """One request that came, and what became of it."""

    method: str
    path: str
    """Without the version's prefix and the query."""
    action: str
    """The name of the action in the body of a POST to …/action, else empty."""
    body: str
    moment: float
    carried: int | None = None
    """The status that Manila answered; None if the request never got there."""

    @property
    def line(self) -> str:
        """What rules are searched in."""
        return f"{self.method} {self.path} {self.action}".rstrip()

    @property
    def subject(self) -> str:
        """The ID of what is acted on."""
        return self.path.split("/")[2] if self.path.count("/") > 1 else ""


Answer = tuple[int, list[tuple[str, str]], bytes]


@dataclass
class Rule:
    """What to do to the requests that it means: after ``skip`` of them, to every ``every``-th."""

    pattern: str
    harm: Callable[[Request, Callable[[], Answer]], Answer | None]
    times: float = 1
    skip: int = 0
    every: int = 1
    body: str = ""
    met: int = field(default=0, init=False)

    def takes(self, request: Request) -> bool:
        """Whether this request is to be harmed; counts it."""
        if not re.search(self.pattern, request.line) or not re.search(self.body, request.body):
            return False
        self.met += 1
        due, odd = divmod(self.met - self.skip - 1, self.every)
        return self.met > self.skip and odd == 0 and due < self.times


class Hold:
    """A request that is kept waiting, before or after it was carried out."""

    def __init__(self, carried: bool) -> None:
        self.reached = threading.Event()
        self.carried = carried
        self._dropped = False
        self._released = threading.Event()

    def harm(self, _request: Request, forward: Callable[[], Answer]) -> Answer | None:
        """Keep it waiting until it is released."""
        answer = forward() if self.carried else None
        self.reached.set()
        self._released.wait()
        return None if self._dropped else answer or forward()

    def wait(self, seconds: float = 300) -> None:
        """Wait until the request is there."""
        assert self.reached.wait(seconds), f"no such request within {seconds} s"

    def release(self) -> None:
        """Let it go on."""
        self._released.set()

    def drop(self) -> None:
        """Forget it, as whoever sent it is gone."""
        self._dropped = True
        self._released.set()


class Proxy:
    """The proxy; ``upstream`` is the address of Manila's endpoint."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._prefix = parts.path.rstrip("/")
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._holds: list[Hold] = []
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}{self._prefix}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening, and let go what is held."""
        for hold in self._holds:
            hold.drop()
        self._server.shutdown()
        self._server.server_close()

    # -- what tests ask for ------------------------------------------------------------------

    def answer(
        self, status: int, pattern: str, retry_after: int | None = None, **more: int
    ) -> None:
        """Answer with an error, and hand nothing on."""
        headers = [("Content-Type", "text/plain")]
        if retry_after is not None:
            headers.append(("Retry-After", str(retry_after)))
        body = http.client.responses[status].encode()
        self._add(pattern, lambda _request, _forward: (status, headers, body), **more)

    def cut(self, pattern: str, **more: int) -> None:
        """Close the connection, and hand nothing on."""
        self._add(pattern, lambda _request, _forward: None, **more)

    def lose(self, pattern: str, **more: int) -> None:
        """Hand it on, wait for the answer, and close the connection."""

        def harm(_request: Request, forward: Callable[[], Answer]) -> None:
            forward()

        self._add(pattern, harm, **more)

    def delay(self, seconds: float, pattern: str, **more: int) -> None:
        """Hand it on after a while."""

        def harm(_request: Request, forward: Callable[[], Answer]) -> Answer:
            time.sleep(seconds)
            return forward()

        self._add(pattern, harm, **more)

    def hold(self, pattern: str, carried: bool, **more: int) -> Hold:
        """Keep one waiting: ``carried`` says whether after it was carried out, or before."""
        hold = Hold(carried)
        self._holds.append(hold)
        self._add(pattern, hold.harm, **more)
        return hold

    def calm(self) -> None:
        """Do no more harm."""
        with self._lock:
            self._rules.clear()

    def seen(self, pattern: str) -> list[Request]:
        """The requests that came, in their order."""
        with self._lock:
            return [one for one in self.requests if re.search(pattern, one.line)]

    def carried(self, pattern: str) -> list[Request]:
        """Those of them that Manila accepted."""
        return [one for one in self.seen(pattern) if one.carried and one.carried < 300]

    def assert_completed_once(self) -> None:
        """No migration was completed twice: of each share at most once after each start."""
        asked: set[str] = set()
        for request in self.carried("migration_start|migration_complete"):
            if request.action == "migration_start":
                asked.discard(request.subject)
                continue
            assert request.subject not in asked, f"{request.line}: a second time"
            asked.add(request.subject)

    def _add(self, pattern: str, harm: Callable[..., Answer | None], **more: int) -> None:
        with self._lock:
            self._rules.append(Rule(pattern, harm, **more))  # type: ignore[arg-type]

    # -- what happens to a request -----------------------------------------------------------

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Write nothing."""

            def do_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                answer = proxy._treat(self, self.rfile.read(length))
                try:
                    if answer is None:
                        self.close_connection = True
                        self.connection.shutdown(socket.SHUT_RDWR)
                        return
                    status, headers, body = answer
                    self.send_response_only(status)
                    for name, value in headers:
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # whoever asked is gone

            do_GET = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815

        return Handler

    def _treat(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer | None:
        """Record a request, and do to it what the rules say.  None: close the connection."""
        path = urlsplit(handler.path).path.removeprefix(self._prefix)
        action = ""
        if path.endswith("/action"):
            action = next(iter(json.loads(body)), "")
        request = Request(handler.command, path, action, body.decode(), time.monotonic())
        with self._lock:
            self.requests.append(request)
            rule = next((one for one in self._rules if one.takes(request)), None)

        def forward() -> Answer:
            return self._forward(request, handler, body)

        try:
            return rule.harm(request, forward) if rule else forward()
        except (OSError, http.client.HTTPException):
            return None  # Manila is away

    def _forward(self, request: Request, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
        upstream = http.client.HTTPConnection(*self._upstream, timeout=300)
        try:
            headers = {
                name: value
                for name, value in handler.headers.items()
                if name.lower() not in (_HOP_BY_HOP | {"host"})
            }
            upstream.request(handler.command, handler.path, body or None, headers)
            response = upstream.getresponse()
            content = response.read()
            request.carried = response.status
            kept = [
                (name, value)
                for name, value in response.getheaders()
                if name.lower() not in _HOP_BY_HOP
            ]
            return response.status, kept, content
        finally:
            upstream.close()
