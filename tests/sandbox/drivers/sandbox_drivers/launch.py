# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts services.

``launch.py SERVICE PORT [oslo.config arguments]`` starts one, ``launch.py all PLAN`` several.

manila-api and Keystone have no server of their own any more and are served by cheroot. The
others are Manila's own programs; only the interval in which capabilities are published to the
scheduler (a constant of 60 s) is shortened, and the database is asked more cheaply.

Importing Manila takes seconds of processor time, so ``all`` imports it once and then forks a
process for each service: each is a session of its own with its own log, as if it had been
started alone.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import time
import traceback
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

_IMPORTED_ONCE = (
    "manila.cmd.data",
    "manila.cmd.share",
    "manila.data.manager",
    "manila.db.sqlalchemy.api",
    "manila.network.standalone_network_plugin",
    "manila.share.manager",
    "pymysql",
    "sandbox_drivers.directory",
    "sandbox_drivers.dummy",
)


def _serve(application: Any, port: int) -> None:
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", port), application, numthreads=20, request_queue_size=128)

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    server.shutdown_timeout = 1
    try:
        server.start()
    except KeyboardInterrupt:
        server.stop()


def _shorten_publishing() -> None:
    from oslo_service import periodic_task

    periodic_task.DEFAULT_INTERVAL = float(os.environ["MANILA_SANDBOX_PUBLISH_SECONDS"])


def _spare_queries() -> None:
    """Ask what is on a host without the ORM where nothing is: several times a cycle, most places.

    manila-share asks in each of its periodic tasks; that was most of what an idle sandbox cost.
    """
    import sqlalchemy
    from manila.db.sqlalchemy import api

    from sandbox_drivers.releases import INSTANCES_BY_HOST

    for name, table in (
        (INSTANCES_BY_HOST, "share_instances"),
        ("share_server_get_all_by_host", "share_servers"),
    ):
        # deleted rows count: it depends on the context whether they are asked for
        anything = sqlalchemy.text(f"SELECT 1 FROM {table} WHERE host LIKE :host LIMIT 1")
        setattr(api, name, _unless_none(getattr(api, name), api.get_engine, anything))


def _unless_none(query: Any, get_engine: Any, anything: Any) -> Any:
    @wraps(query)
    def spared(context: Any, host: str, *args: Any, **kwargs: Any) -> Any:
        with get_engine().connect() as connection:
            if connection.execute(anything, {"host": f"{host}%"}).first() is None:
                return []
        return query(context, host, *args, **kwargs)

    return spared


def run(service: str, port: int, arguments: list[str]) -> None:
    """Run one service until it ends."""
    if service == "keystone":
        sys.argv = ["keystone"]
        from keystone.server.wsgi import initialize_public_application

        _serve(initialize_public_application(), port)
        return

    sys.argv = [service, *arguments]
    if service == "manila-api":
        from manila.wsgi.wsgi import initialize_application

        _serve(initialize_application(), port)
        return

    program = importlib.import_module(f"manila.cmd.{service.removeprefix('manila-')}")
    _shorten_publishing()
    if service == "manila-share":
        _spare_queries()
    program.main()


def _note(path: str, since: float, fingerprint: str) -> None:
    """Note this process for the sandbox command, as it does for those it starts itself."""
    started = int(Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()[19])
    note = {"pid": os.getpid(), "started": started, "since": since, "fingerprint": fingerprint}
    temporary = Path(f"{path}.new")
    temporary.write_text(json.dumps(note), encoding="utf-8")
    temporary.replace(path)


def _become(entry: dict[str, Any]) -> None:
    os.setsid()
    random.seed()
    log = os.open(entry["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    _note(entry["note"], time.time(), entry["fingerprint"])
    service, port, *arguments = entry["command"]
    run(service, int(port), arguments)


def _import_manila(config: str) -> None:
    """Import what the services share, while the options have the values of ``config``.

    The intervals of periodic tasks are read when the classes of the managers are made. The
    options are forgotten afterwards: each service registers and reads its own.
    """
    importlib.import_module("manila.cmd.share")
    from manila.common.config import CONF
    from oslo_log import log

    log.register_options(CONF)
    CONF(["--config-file", config], project="manila")
    _shorten_publishing()
    for module in _IMPORTED_ONCE:
        importlib.import_module(module)
    CONF.reset()


def run_all(plan: Path) -> None:
    """Import Manila, fork a process for each entry of a plan, and end."""
    todo = json.loads(plan.read_text(encoding="utf-8"))
    _import_manila(todo["config"])
    for entry in todo["services"]:
        if os.fork():
            continue
        status = 1
        try:
            _become(entry)
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)


def main() -> None:
    """Start what is named."""
    service, *rest = sys.argv[1:]
    if service == "all":
        run_all(Path(rest[0]))
        return
    run(service, int(rest[0]), rest[1:])


if __name__ == "__main__":
    main()
