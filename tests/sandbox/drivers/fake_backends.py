# SPDX-License-Identifier: GPL-3.0-or-later
"""Back ends that are nothing but figures, so that Manila's scheduler can be asked about any.

``fake_backends.py MANILA_CONF`` is manila-share for all of them: it writes their service records
and their shares into Manila's database, reports their capabilities to the running scheduler as a
manila-share does, and takes the calls for the shares that the scheduler lets migrate.  It reads
orders, a line of JSON each, and answers with a line each; when the orders end, all traces are
removed.  Everything is named ``fake-…``, also a QoS type that is always there, in
releases of Manila that know such.

=============  ====================================  ==============================================
``do``         with                                  answer
=============  ====================================  ==============================================
``build``      ``backends``, ``types``, ``shares``   once the scheduler knows the back ends
``verdict``    ``share``                             ``accepted`` and, if so, ``pool``
``arrive``     ``share``, ``pool``, ``type``,        the share's copy is there, and the scheduler
               ``backends``                          has new reports of these back ends
``release``    ``share``                             the share is at rest again
``clear``                                            nothing is left
=============  ====================================  ==============================================
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import oslo_messaging
import sqlalchemy
from manila import context, rpc
from manila.common.config import CONF
from manila.db.sqlalchemy import models
from manila.scheduler.rpcapi import SchedulerAPI
from oslo_log import log
from sqlalchemy import orm

PREFIX = "fake-"
PATIENCE = 30.0
BEAT = 4.0
"""Seconds between two heartbeats."""
AHEAD = timedelta(seconds=15)
"""So far ahead are their times.  Manila allows service_down_time either way, 20 s in the sandbox,
and a busy machine shall not make back ends look dead."""


# What Manila 15.1 doesn't have.
QOS_TYPES = getattr(models, "QosTypes", None)
STATE_IS_STORED = hasattr(models.Service, "state")


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


class Accepted:
    """What the scheduler calls where it let a migration start: share/rpcapi.py, migration_start."""

    target = oslo_messaging.Target(version="1.99")

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[str, str]] = queue.Queue()

    def migration_start(self, ctxt: object, share_id: str, dest_host: str, **more: object) -> None:
        """Note it."""
        del ctxt, more
        self.calls.put((share_id, dest_host))


class FakeBackends:
    """The back ends, in Manila's database and in the memory of its scheduler."""

    def __init__(self) -> None:
        self.context = context.get_admin_context()
        self.scheduler = SchedulerAPI()
        self.engine = sqlalchemy.create_engine(CONF.database.connection, pool_pre_ping=True)
        self.accepted = Accepted()
        self.servers: dict[str, Any] = {}
        self.marks: dict[str, str] = {}
        self.beating: frozenset[str] = frozenset()
        threading.Thread(target=self._beat, daemon=True).start()

    # -- orders ----------------------------------------------------------------------------

    def build(
        self,
        backends: list[dict[str, Any]],
        types: list[dict[str, Any]],
        shares: list[dict[str, Any]],
    ) -> None:
        """Make everything, in place of what was there."""
        self.clear()
        with orm.Session(self.engine) as session:
            zones = {one.name: one.id for one in session.query(models.AvailabilityZone)}
            for zone in {one["zone"] for one in backends} - set(zones):
                zones[zone] = str(uuid.uuid4())
                session.add(_row(models.AvailabilityZone, id=zones[zone], name=zone))
            for one in types:
                specs = [
                    _row(models.ShareTypeExtraSpecs, key=key, value=value)
                    for key, value in one["extra_specs"].items()
                ]
                session.add(
                    _row(
                        models.ShareTypes,
                        id=one["id"],
                        name=PREFIX + one["id"],
                        is_public=True,
                        extra_specs=specs,
                    )
                )
            session.flush()
            for one in backends:
                session.add(
                    _row(
                        models.Service,
                        host=one["host"],
                        binary="manila-share",
                        topic=CONF.share_topic,
                        state="up" if one["up"] else "down",
                        disabled=not one["enabled"],
                        availability_zone_id=zones[one["zone"]],
                        updated_at=_now() + (AHEAD if one["up"] else -timedelta(hours=1)),
                    )
                )
            if QOS_TYPES:
                session.add(_row(QOS_TYPES, id=str(uuid.uuid4()), name=f"{PREFIX}qos"))
            for one in shares:
                self._add_share(session, one)
            session.commit()
        self.beating = frozenset(one["host"] for one in backends if one["up"])
        for host in {one["pool"].split("#")[0] for one in shares} - set(self.servers):
            target = oslo_messaging.Target(topic=CONF.share_topic, server=host)
            # rpc.get_server() of 15.1 makes one for eventlet, which nothing would run here.
            self.servers[host] = oslo_messaging.get_rpc_server(
                rpc.TRANSPORT,
                target,
                [self.accepted],
                executor="threading",
                serializer=rpc.RequestContextSerializer(None),
            )
            self.servers[host].start()
        self._report(backends)

    def verdict(self, share: str) -> dict[str, Any]:
        """Wait for the scheduler's answer to the start of a share's migration."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                called, pool = self.accepted.calls.get(timeout=0.02)
            except queue.Empty:
                if self._task_state(share) == "migration_error":
                    return {"accepted": False}
                continue
            if called == share:
                return {"accepted": True, "pool": pool}
        raise TimeoutError(f"no answer about share {share}")

    def arrive(self, share: str, pool: str, type: str, backends: list[dict[str, Any]]) -> None:  # noqa: A002
        """Let the copy of a share be where it goes to, and report what that makes of the pools."""
        with orm.Session(self.engine) as session:
            session.add(self._instance(share, pool, type, "migrating_to"))
            session.query(models.Share).filter_by(id=share).update(
                {"task_state": "migration_driver_in_progress"}
            )
            session.commit()
        self._report(backends)

    def release(self, share: str) -> None:
        """Forget that a share should migrate."""
        with orm.Session(self.engine) as session:
            session.query(models.Share).filter_by(id=share).update({"task_state": None})
            session.query(models.ShareInstance).filter_by(share_id=share).update(
                {"status": "available"}
            )
            session.commit()

    def clear(self) -> None:
        """Remove everything, and let the scheduler forget it."""
        self.delete()
        self.scheduler.get_pools(self.context, cached=False)

    def delete(self) -> None:
        """Remove everything from the database, also what an earlier process left."""
        self.beating = frozenset()
        self.marks = {}
        shares = f"SELECT id FROM shares WHERE display_name LIKE '{PREFIX}%'"
        types = f"SELECT id FROM share_types WHERE name LIKE '{PREFIX}%'"
        with self.engine.begin() as connection:
            for statement in (
                "SET FOREIGN_KEY_CHECKS=0",
                f"DELETE FROM share_metadata WHERE share_id IN ({shares})",
                f"DELETE FROM share_snapshots WHERE share_id IN ({shares})",
                "DELETE FROM share_snapshot_instances WHERE snapshot_id NOT IN "
                "(SELECT id FROM share_snapshots)",
                f"DELETE FROM share_instances WHERE share_id IN ({shares})",
                f"DELETE FROM shares WHERE display_name LIKE '{PREFIX}%'",
                f"DELETE FROM reservations WHERE share_type_id IN ({types})",
                f"DELETE FROM quota_usages WHERE share_type_id IN ({types})",
                f"DELETE FROM share_type_extra_specs WHERE share_type_id IN ({types})",
                f"DELETE FROM share_types WHERE name LIKE '{PREFIX}%'",
                f"DELETE FROM services WHERE host LIKE '{PREFIX}%'",
                *([f"DELETE FROM qos_types WHERE name LIKE '{PREFIX}%'"] if QOS_TYPES else []),
                f"DELETE FROM availability_zones WHERE name LIKE '{PREFIX}%'",
                "SET FOREIGN_KEY_CHECKS=1",
            ):
                connection.execute(sqlalchemy.text(statement))

    def close(self) -> None:
        """Leave nothing."""
        self.delete()
        for server in self.servers.values():
            server.stop()

    # -- what they need --------------------------------------------------------------------

    def _add_share(self, session: orm.Session, share: Mapping[str, Any]) -> None:
        session.add(
            _row(
                models.Share,
                id=share["id"],
                display_name=PREFIX + share["id"],
                size=share["size_gb"],
                share_proto=share["protocol"],
                project_id="0" * 32,
                user_id="0" * 32,
                snapshot_id=share.get("snapshot_id"),
                snapshot_support=True,
                share_metadata=[
                    _row(models.ShareMetadata, key=key, value=value)
                    for key, value in share.get("metadata", {}).items()
                ],
            )
        )
        session.flush()
        instance = self._instance(share["id"], share["pool"], share["type"], "available")
        session.add(instance)
        for host in share.get("was_at", ()):
            gone = self._instance(share["id"], host, share["type"], "deleted")
            gone.deleted = gone.id
            session.add(gone)
        session.flush()
        for _number in range(share.get("snapshots", 0)):
            snapshot = str(uuid.uuid4())
            session.add(
                _row(
                    models.ShareSnapshot,
                    id=snapshot,
                    share_id=share["id"],
                    project_id="0" * 32,
                    size=share["size_gb"],
                    share_size=share["size_gb"],
                    share_proto=share["protocol"],
                )
            )
            session.flush()
            session.add(
                _row(
                    models.ShareSnapshotInstance,
                    id=str(uuid.uuid4()),
                    snapshot_id=snapshot,
                    share_instance_id=instance.id,
                    status="available",
                )
            )

    @staticmethod
    def _instance(share: str, pool: str, share_type: str, status: str) -> Any:
        return _row(
            models.ShareInstance,
            id=str(uuid.uuid4()),
            share_id=share,
            host=pool,
            status=status,
            share_type_id=share_type,
        )

    def _task_state(self, share: str) -> str | None:
        with self.engine.connect() as connection:
            query = sqlalchemy.text("SELECT task_state FROM shares WHERE id = :id")
            found: str | None = connection.execute(query, {"id": share}).scalar()
            return found

    def _report(self, backends: Iterable[Mapping[str, Any]]) -> None:
        """Report capabilities, and wait until the scheduler counts with them."""
        for one in backends:
            mark = uuid.uuid4().hex
            pools = [{**pool, "fake_report": mark} for pool in one["capabilities"]["pools"]]
            self.scheduler.update_service_capabilities(
                self.context, "share", one["host"], {**one["capabilities"], "pools": pools}
            )
            if one["up"] and one["enabled"]:
                self.marks[one["host"]] = mark
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            pools = self.scheduler.get_pools(self.context, cached=False)
            seen = {
                (pool["name"].split("#")[0], pool["capabilities"].get("fake_report"))
                for pool in pools
                if pool["name"].startswith(PREFIX)
            }
            if seen == set(self.marks.items()):
                return
            time.sleep(0.05)
        raise TimeoutError("the scheduler doesn't take up the reports")

    def _beat(self) -> None:
        state = {"state": "up"} if STATE_IS_STORED else {}
        while True:
            time.sleep(BEAT)
            hosts = self.beating
            if hosts:
                with orm.Session(self.engine) as session:
                    session.query(models.Service).filter(models.Service.host.in_(hosts)).update(
                        {"updated_at": _now() + AHEAD, **state}
                    )
                    session.commit()


def _row(model: Any, **values: Any) -> Any:
    row = model()
    row.update(values)
    return row


def main() -> None:
    """Obey until the orders end."""
    log.register_options(CONF)
    log.set_defaults(default_log_levels=["sqlalchemy=ERROR"])
    CONF(["--config-file", sys.argv[1]], project="manila")
    # Answers have the standard output for themselves.
    answers, sys.stdout = sys.stdout, sys.stderr
    rpc.init(CONF)
    backends = FakeBackends()
    try:
        for line in sys.stdin:
            order = json.loads(line)
            try:
                answer = getattr(backends, order.pop("do"))(**order) or {}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        backends.close()


if __name__ == "__main__":
    main()
