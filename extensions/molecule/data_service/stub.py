# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a cloud: what the guard of restarts asks Manila, answered from a file.

``stub.py FOLDER`` starts it in the background and writes ``clouds.yaml`` into the folder;
``stub.py FOLDER stop`` ends it.  In ``state.json`` there is the ``task_state`` of the only share.
Without Keystone: clouds.yaml says ``auth_type: none``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[1])
HOST = "data-node"


def answer(path: str) -> object:
    """What Manila would say."""
    task_state = json.loads((FOLDER / "state.json").read_text("utf-8"))["task_state"]
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000000")
    status = "migrating" if task_state else "available"
    share = {
        "id": "5b1c8a39-5e3c-4a9d-8f8e-7a7f8d2c9e11",
        "name": "projects",
        "size": 1,
        "host": "stor1@a#pool",
        "status": status,
        "task_state": task_state,
    }
    places = ["stor1@a#pool"] + (["stor2@b#pool"] if task_state else [])
    services = [("manila-data", HOST), ("manila-share", "stor1@a")]
    answers: dict[str, object] = {
        "": {"versions": [{"id": "v2.0", "version": "2.80"}]},
        "services": {
            "services": [
                {
                    "binary": binary,
                    "host": host,
                    "status": "enabled",
                    "state": "up",
                    "updated_at": now,
                }
                for binary, host in services
            ]
        },
        "shares/detail": {"shares": [share]},
        "share_instances": {
            "share_instances": [
                {"id": f"{number}", "share_id": share["id"], "host": host, "status": status}
                for number, host in enumerate(places)
            ]
        },
        "share-servers": {"share_servers": []},
        "share-access-rules": {"access_list": []},
    }
    return answers.get(path.partition("?")[0].removeprefix("/v2").strip("/"))


class Handler(BaseHTTPRequestHandler):
    """Answers GETs."""

    def do_GET(self) -> None:
        """Answer one."""
        found = answer(self.path)
        body = json.dumps(found or {}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def stop() -> None:
    """End the one that runs, if one does."""
    try:
        os.kill(int((FOLDER / "stub.pid").read_text("utf-8")), signal.SIGTERM)
    except (OSError, ValueError):
        return
    (FOLDER / "stub.pid").unlink()


def start() -> None:
    """Serve in the background."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}/v2"
    clouds = f"clouds:\n  stub:\n    auth_type: none\n    auth:\n      endpoint: {url}\n"
    (FOLDER / "clouds.yaml").write_text(clouds, encoding="utf-8")
    (FOLDER / "state.json").write_text('{"task_state": null}', encoding="utf-8")
    pid = os.fork()
    if pid:
        (FOLDER / "stub.pid").write_text(str(pid), encoding="utf-8")
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    server.serve_forever()


if __name__ == "__main__":
    stop()
    if sys.argv[2:] != ["stop"]:
        start()
