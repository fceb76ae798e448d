# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: what it looks at before it sends, when it stops, what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils._api.lease import Held
from ansible_collections.manila.migration.plugins.module_utils._api.lease_claim import LeaseClaim
from ansible_collections.manila.migration.plugins.module_utils._api.manila_api import ManilaApi
from ansible_collections.manila.migration.plugins.module_utils._engine.record import as_record
from ansible_collections.manila.migration.plugins.module_utils._engine.types import Limits
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Service,
    ShareServer,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils._runner import runner as under_test
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import (
    Abandoned,
    Runner,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COPIED,
    FAILED,
)

OLD, NEW = "n@old#p", "n@new#p"
DONE = "migration_driver_phase1_done"


def at_source(task_state: str | None = None) -> Observation:
    return Observation("s", "available", OLD, task_state, instances=(Place(OLD, "available"),))


def migrating(task_state: str) -> Observation:
    places = (Place(OLD, "migrating", "i0"), Place(NEW, "migrating_to", "i1"))
    return Observation("s", "migrating", OLD, task_state, instances=places)


MOVED = Observation("s", "available", NEW, "migration_success", (Place(NEW, "available"),))


class FakeCloud(ManilaApi):
    """A cloud with one share, whose observations come one by one; the last one stays."""

    def __init__(self, *seen: Observation | Exception) -> None:
        self.seen = list(seen)
        self.sent: list[str] = []
        self.asked: list[tuple[Observation | None, bool]] = []
        self.answers: dict[str, Exception] = {}
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
        if not set(ids):
            return {}, set()
        now = self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]
        if isinstance(now, Exception):
            raise now
        return {"s": now}, set()

    def migrating(self) -> list[Observation]:
        return []

    def share_servers(self) -> list[ShareServer]:
        return []

    def marked(self) -> list[Any]:
        return []

    def observe_replicas(self, planned: Any) -> tuple[dict[str, Observation], set[str]]:
        return self.observe(planned)

    def services(self) -> list[Service]:
        return [Service("manila-share", host, "enabled", "up") for host in ("n@old", "n@new")]

    def progress(self, kind: str, subject: str) -> int:
        return 50

    def facts(
        self, share_id: str, seen: Observation | None = None, has_snapshots: bool = True
    ) -> Facts:
        self.asked.append((seen, has_snapshots))
        return Facts(NEW, "available", 1, exports=("e",))

    def _send(self, what: str) -> None:
        self.sent.append(what)
        if what in self.answers:
            raise self.answers[what]

    def start(self, kind: str, subject: str, destination: str, options: Any) -> None:
        self._send("start")

    def complete(self, kind: str, subject: str) -> None:
        self._send("complete")

    def cancel(self, kind: str, subject: str) -> None:
        self._send("cancel")

    def mark_copy(self, share_id: str, mark: CopyMark) -> None:
        self._send("mark copy")


def drive(cloud: FakeCloud, goal: str = COMPLETED, **more: Any) -> Runner:
    limits = Limits(goal=goal, grace=more.pop("grace", 0))
    return Runner(
        cloud,
        more.pop("plan", [Migration("s", OLD, NEW)]),
        limits,
        timeout=more.pop("timeout", 100),
        poll_interval=1,
        sleep=cloud.sleep,
        **more,
    )


class SnapshotCloud(FakeCloud):
    """A cloud whose share has snapshots: what is deleted is there for one more look."""

    def __init__(self, *seen: Observation | Exception, status: str = "available") -> None:
        super().__init__(*seen)
        self.snapshots = {one: Snapshot(one, "s", status) for one in ("n1", "n2")}

    def snapshots_of(self, share_id: str) -> list[Snapshot]:
        found = list(self.snapshots.values())
        for one in found:
            if one.status == "deleting":
                del self.snapshots[one.id]
        return found

    def delete_snapshot(self, snapshot_id: str) -> None:
        self._send(f"delete {snapshot_id}")
        self.snapshots[snapshot_id] = replace(self.snapshots[snapshot_id], status="deleting")


def give_up(cloud: SnapshotCloud, *snapshots: str) -> Runner:
    return drive(cloud, COPIED, plan=[Migration("s", OLD, NEW, delete_snapshots=snapshots)])


def test_snapshots_that_are_given_up_are_gone_before_the_start() -> None:
    cloud = SnapshotCloud(*[at_source()] * 6, migrating(DONE))
    runner = give_up(cloud, "n1")
    runner.run()
    assert cloud.sent == ["delete n1", "start"]
    assert set(cloud.snapshots) == {"n2"}
    assert end(runner) == (COPIED, "reached")


def test_a_snapshot_that_is_not_deleted_ends_its_migration() -> None:
    cloud = SnapshotCloud(at_source(), status="error_deleting")
    runner = give_up(cloud, "n1")
    runner.run()
    assert cloud.sent == []
    error = str(runner.track(runner.plan[0]).error)
    assert (
        error
        == "share s is not started: its snapshot n1 could not be deleted (status 'error_deleting')."
    )


def test_a_lost_answer_to_the_deletion_of_a_snapshot_is_not_that_of_the_start() -> None:
    cloud = SnapshotCloud(*[at_source()] * 8, migrating(DONE))
    cloud.answers["delete n1"] = Unknown("504: gateway time-out", 504)
    runner = give_up(cloud, "n1")
    cloud.snapshots["n1"] = Snapshot("n1", "s", "available")
    runner.perform(runner.decide_next().actions[0])
    track = runner.track(runner.plan[0])
    assert (dict(track.sent), track.outcome, runner.changed) == ({}, None, True)
    assert track.waiting_for
    assert track.waiting_for.code == "answer"
    del cloud.answers["delete n1"]
    runner.run()
    assert cloud.sent == ["delete n1", "delete n1", "start"]
    assert end(runner) == (COPIED, "reached")


def test_deletions_of_snapshots_that_are_never_answered_end_in_a_failure_that_says_so() -> None:
    cloud = SnapshotCloud(at_source())
    cloud.answers["delete n1"] = Unknown("504: gateway time-out", 504)
    runner = give_up(cloud, "n1")
    runner.timeout = 2000
    runner.run()
    track = runner.track(runner.plan[0])
    assert (track.outcome, dict(track.sent)) == (FAILED, {})
    assert "delete its snapshot n1" in str(track.error)
    assert cloud.time - 1_000_000 < 1.1 * Limits().patience


def test_a_refused_deletion_of_a_snapshot_is_not_told_as_a_refused_start() -> None:
    cloud = SnapshotCloud(at_source())
    cloud.answers["delete n1"] = Refused("409: it is in use", 409)
    runner = give_up(cloud, "n1")
    runner.run()
    track = runner.track(runner.plan[0])
    assert (track.outcome, track.status_code) == (FAILED, 409)
    assert track.error == (
        "share s is not started: Manila refused to delete its snapshot n1: 409: it is in use."
    )
    assert not runner.changed


def test_a_snapshot_that_its_owner_deletes_meanwhile_hinders_nothing() -> None:
    class Cloud(SnapshotCloud):
        def delete_snapshot(self, snapshot_id: str) -> None:
            del self.snapshots[snapshot_id]
            raise Refused("404: there is none", 404)

    cloud = Cloud(*[at_source()] * 4, migrating(DONE))
    runner = give_up(cloud, "n1")
    runner.run()
    assert cloud.sent == ["start"]
    assert end(runner) == (COPIED, "reached")


@pytest.mark.parametrize(
    ("answer", "outcome", "status_code", "sent"),
    [
        (Refused("403: no", 403), FAILED, 403, {}),
        # The door says of a lost answer what it says of a read that failed.
        (CloudError("time-out"), None, None, {}),
    ],
)
def test_the_answer_to_the_mark_of_a_replica_is_not_that_of_its_start(
    answer: CloudError, outcome: str | None, status_code: int | None, sent: dict[str, str]
) -> None:
    class Cloud(FakeCloud):
        def mark(self, share_id: str, mark: Any) -> None:
            self._send("mark")

    cloud = Cloud(replace(at_source(), kind=SHARE_REPLICA))
    cloud.answers["mark"] = answer
    runner = drive(cloud, plan=[Migration("s", OLD, NEW, kind=SHARE_REPLICA)])
    runner.perform(runner.decide_next().actions[0])
    track = runner.track(runner.plan[0])
    assert (track.outcome, track.status_code, dict(track.sent)) == (outcome, status_code, sent)
    assert cloud.sent == ["mark"]


def test_nothing_is_deleted_of_what_must_not_be_started() -> None:
    cloud = SnapshotCloud(at_source(), replace(at_source(), host="n@third#p"))
    give_up(cloud, "n1").run()
    assert cloud.sent == []


def end(runner: Runner) -> tuple[str, str | None]:
    track = runner.track(runner.plan[0])
    return track.phase, track.outcome


def test_a_whole_migration() -> None:
    cloud = FakeCloud(
        at_source(),
        at_source(),
        migrating("migration_driver_in_progress"),
        migrating(DONE),
        migrating(DONE),
        migrating(DONE),
        MOVED,
    )
    runner = drive(cloud)
    runner.run()
    assert cloud.sent == ["start", "complete"]
    assert end(runner) == (COMPLETED, "reached")
    assert runner.changed
    # What was just read is not read again; what had no snapshot can't have got one on the way.
    assert cloud.asked == [(migrating(DONE), True), (MOVED, False)]


def test_the_look_before_a_start_finds_another_situation() -> None:
    elsewhere = replace(at_source(), host="n@third#p")
    cloud = FakeCloud(at_source(), elsewhere)
    runner = drive(cloud)
    runner.run()
    assert cloud.sent == []
    assert end(runner)[1] == FAILED


def test_the_look_before_a_complete_finds_that_somebody_was_faster() -> None:
    cloud = FakeCloud(migrating(DONE), migrating("migration_completing"), MOVED)
    runner = drive(cloud)
    runner.run()
    assert cloud.sent == []
    assert end(runner) == (COMPLETED, "reached")
    assert not runner.changed


def test_a_refusal_of_what_has_changed_meanwhile_is_no_failure() -> None:
    cloud = FakeCloud(at_source(), at_source(), migrating(DONE))
    cloud.answers["start"] = Refused("400: status", 400)
    runner = drive(cloud, COPIED)
    runner.run()
    assert end(runner) == (COPIED, "reached")


def test_a_refusal_is_told_with_its_status() -> None:
    cloud = FakeCloud(at_source())
    cloud.answers["start"] = Refused("Share limit exceeded.", 413)
    runner = drive(cloud)
    runner.run()
    track = runner.track(runner.plan[0])
    assert (track.outcome, track.status_code) == (FAILED, 413)
    assert "Share limit exceeded." in str(track.error)


def test_a_refusal_survives_a_cloud_that_goes_away() -> None:
    cloud = FakeCloud(at_source(), at_source(), CloudError("gone"), at_source())
    cloud.answers["start"] = Refused("no", 400)
    runner = drive(cloud)
    runner.run()
    assert end(runner)[1] == FAILED


def test_a_lost_answer_is_not_sent_again() -> None:
    cloud = FakeCloud(migrating(DONE), migrating(DONE), migrating(DONE), migrating(DONE), MOVED)
    cloud.answers["complete"] = Unknown("time-out")
    runner = drive(cloud)
    runner.run()
    assert cloud.sent == ["complete"]
    assert end(runner) == (COMPLETED, "reached")
    assert runner.changed


@pytest.mark.parametrize("goal", [COMPLETED, CANCELLED])
def test_nothing_is_sent_once_the_watcher_is_gone(goal: str) -> None:
    def gone() -> None:
        raise Abandoned

    cloud = FakeCloud(migrating(DONE))
    with pytest.raises(Abandoned):
        drive(cloud, goal, guard=gone).run()
    assert cloud.sent == []


def test_without_waiting_a_cutover_is_seen_through() -> None:
    cloud = FakeCloud(
        migrating(DONE),
        migrating(DONE),
        migrating(DONE),
        migrating(DONE),
        migrating("migration_completing"),
    )
    drive(cloud).run(wait=False)
    # The same again at once: it is completing by now, and nothing is sent.
    drive(cloud).run(wait=False)
    assert cloud.sent == ["complete"]


def test_without_waiting_a_start_is_all() -> None:
    cloud = FakeCloud(at_source(), at_source(), migrating(DONE))
    runner = drive(cloud)
    runner.run(wait=False)
    assert cloud.sent == ["start"]
    assert runner.track(runner.plan[0]).phase == "copying"


def test_at_the_deadline_one_more_look_and_nothing_new() -> None:
    copying = migrating("migration_driver_in_progress")
    cloud = FakeCloud(copying, copying, copying, migrating(DONE))
    runner = drive(cloud, timeout=3)
    runner.run()
    assert runner.timed_out
    assert cloud.sent == []
    assert runner.track(runner.plan[0]).phase == COPIED


def test_a_cloud_that_is_away_for_a_while_is_waited_for() -> None:
    cloud = FakeCloud(at_source(), at_source(), CloudError("away"), CloudError("away"), MOVED)
    runner = drive(cloud)
    runner.run()
    assert end(runner) == (COMPLETED, "reached")


@pytest.mark.parametrize("timeout", [5, 100_000])
def test_a_cloud_that_stays_away_ends_the_run(timeout: int) -> None:
    cloud = FakeCloud(at_source(), at_source(), CloudError("away"))
    with pytest.raises(CloudError):
        drive(cloud, timeout=timeout).run()
    assert cloud.time - 1_000_000 <= min(timeout, Limits().patience) + 2


def test_wrong_credentials_are_not_waited_for() -> None:
    cloud = FakeCloud(at_source(), at_source(), CloudError("no", 401))
    with pytest.raises(CloudError):
        drive(cloud).run()
    assert cloud.time == 1_000_001


def test_a_preview_sends_nothing() -> None:
    cloud = FakeCloud(at_source())
    decision = drive(cloud).preview()
    assert [one.verb for one in decision.actions] == ["start"]
    assert cloud.sent == []


def test_a_few_are_asked_for_their_progress_others_the_next_time() -> None:
    asked: list[list[str]] = []

    class Crowd(FakeCloud):
        def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
            seen = migrating("migration_driver_in_progress")
            return {one: replace(seen, id=one) for one in ids}, set()

        def progress(self, kind: str, subject: str) -> int:
            asked[-1].append(subject)
            return 1

        def services(self) -> list[Service]:
            asked.append([])
            return super().services()

    plan = [Migration(f"s{number}", OLD, NEW) for number in range(10)]
    cloud = Crowd(at_source())
    Runner(
        cloud,
        plan,
        Limits(),
        timeout=15,
        poll_interval=2.5,
        sleep=cloud.sleep,
    ).run()
    # Every second poll, 5 s after the one before.
    some = under_test.SAMPLES
    assert [len(one) for one in asked] == [some, 0, some, 0, some, 0, some]
    assert len({one for poll in asked for one in poll}) == len(plan)


# -- share servers ---------------------------------------------------------------------------

HERE, THERE = "n@old", "n@new"


def server(task_state: str | None, server_id: str = "v") -> list[ShareServer]:
    """A share server and what its migration has made, as listed in that task state."""
    source = ShareServer(server_id, HERE, "server_migrating", task_state)
    copy = ShareServer(
        f"{server_id}2", THERE, "server_migrating_to", task_state, source_id=server_id
    )
    if task_state is None:
        return [replace(source, status="active")]
    if task_state == "migration_starting":
        return [source]
    if task_state == "migration_success":
        return [replace(copy, status="active")]
    return [source, copy]


COPYING_SERVER = "migration_driver_in_progress"
WAY = (None, None, "migration_starting", COPYING_SERVER, DONE, DONE, "migration_completing")
"""What is seen on the way, with the looks before the start and before the complete."""


class ServerCloud(FakeCloud):
    """A cloud with share servers, whose lists come one by one; the last one stays."""

    def __init__(self, *listed: list[ShareServer] | Exception) -> None:
        super().__init__()
        self.listed = list(listed)
        self.asked: list[str] = []
        self.moved = False

    def share_servers(self) -> list[ShareServer]:
        self.asked.append("share_servers")
        now = self.listed.pop(0) if len(self.listed) > 1 else self.listed[0]
        if isinstance(now, Exception):
            raise now
        self.moved = any(one.id == "v2" and one.status == "active" for one in now)
        return now

    def migrating(self) -> list[Observation]:
        self.asked.append("migrating")
        return []

    def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
        assert not set(ids), "servers need no look of their own"
        return {}, set()

    def services(self) -> list[Service]:
        self.asked.append("services")
        return super().services()

    def progress(self, kind: str, subject: str) -> int:
        self.asked.append(f"progress of {kind}")
        return 40

    def server_facts(self, server_id: str) -> Facts:
        self.asked.append("facts")
        place = THERE if self.moved else HERE
        export = f"{place}:/a"
        return Facts(
            place,
            "active" if self.moved or "cancel" in self.sent else "server_migrating",
            1 if self.moved or "cancel" in self.sent else 2,
            members={"a": Facts(f"{place}#p", "available", 1, exports=(export,), name="data")},
        )

    def start(self, kind: str, subject: str, destination: str, options: Any) -> None:
        assert (kind, destination) == (SHARE_SERVER, THERE)
        super().start(kind, subject, destination, options)

    def complete(self, kind: str, subject: str) -> None:
        assert kind == SHARE_SERVER
        super().complete(kind, subject)

    def cancel(self, kind: str, subject: str) -> None:
        assert kind == SHARE_SERVER
        super().cancel(kind, subject)


def drive_server(cloud: ServerCloud, goal: str = COMPLETED, number: int = 1, **more: Any) -> Runner:
    names = ["v", *(f"v{one}" for one in range(10, 9 + number))]
    plan = [Migration(one, HERE, THERE, kind=SHARE_SERVER) for one in names]
    return drive(cloud, goal, plan=plan, **more)


def test_a_whole_migration_of_a_server() -> None:
    cloud = ServerCloud(*map(server, WAY), server("migration_success"))
    runner = drive_server(cloud)
    runner.run()
    assert cloud.sent == ["start", "complete"]
    assert end(runner) == (COMPLETED, "reached")
    assert runner.changed
    track = runner.track(runner.plan[0])
    assert (track.destination, track.successor) == (THERE, "v2")
    assert track.facts_before
    assert track.facts_after
    assert (track.facts_before.host, track.facts_after.host) == (HERE, THERE)
    record = as_record(runner.plan[0], track)
    assert record["destination_share_server_id"] == "v2"
    assert record["shares"] == [
        {
            "id": "a",
            "name": "data",
            "export_locations_before": ["n@old:/a"],
            "export_locations_after": ["n@new:/a"],
        }
    ]
    assert cloud.asked.count("facts") == 2


@pytest.mark.parametrize(
    ("number", "crowded", "task_state", "asked"),
    [
        (1, True, None, ["migrating", "services", "share_servers"]),
        (1, False, None, ["services", "share_servers"]),
        (30, True, "migration_starting", ["migrating", "services", "share_servers"]),
        (1, True, COPYING_SERVER, ["migrating", "progress", "services", "share_servers"]),
        (
            30,
            True,
            COPYING_SERVER,
            ["migrating", *["progress"] * under_test.SAMPLES, "services", "share_servers"],
        ),
    ],
)
def test_what_a_poll_costs(number: int, crowded: bool, task_state: str, asked: list[str]) -> None:
    """Invariant 10: one list for all share servers, progress of a few."""
    listed = [one for index in range(10, 9 + number) for one in server(task_state, f"v{index}")]
    cloud = ServerCloud([*listed, *server(task_state)])
    runner = drive_server(cloud, COPIED, number, crowded=crowded)
    for _unused in range(3):
        cloud.asked.clear()
        cloud.time += under_test.SAMPLED
        runner.decide_next()
        assert sorted(one.split()[0] for one in cloud.asked) == asked
    assert {runner.track(one).seen for one in runner.plan} == {True}


def test_a_plan_of_shares_alone_asks_for_servers_only_where_caps_matter() -> None:
    asked = []

    class Cloud(FakeCloud):
        def share_servers(self) -> list[ShareServer]:
            asked.append("share_servers")
            return server(COPYING_SERVER)

    for crowded in (False, True):
        runner = drive(Cloud(at_source()), crowded=crowded)
        runner.limits = replace(runner.limits, max_parallel=1)
        decision = runner.preview()
        assert bool(asked) == crowded
        assert [one.verb for one in decision.actions] == ([] if crowded else ["start"])
    assert runner.memory.others["v"].kind == SHARE_SERVER


def test_progress_is_asked_for_by_kind() -> None:
    cloud = ServerCloud(server(COPYING_SERVER))
    runner = drive_server(cloud, timeout=6)
    runner.run()
    assert cloud.asked.count("progress of share_server") == 2
    assert runner.track(runner.plan[0]).progress == 40


def test_the_look_before_a_complete_of_a_server_finds_that_somebody_was_faster() -> None:
    cloud = ServerCloud(server(DONE), server("migration_completing"), server("migration_success"))
    runner = drive_server(cloud)
    runner.run()
    assert cloud.sent == []
    assert end(runner) == (COMPLETED, "reached")
    assert not runner.changed


def test_the_look_before_a_start_finds_that_the_server_is_gone() -> None:
    cloud = ServerCloud(server(None), [])
    runner = drive_server(cloud)
    runner.run()
    assert cloud.sent == []
    assert end(runner)[1] == "reached"  # its owner deleted the last share in time


def test_a_server_that_was_never_there_is_gone() -> None:
    cloud = ServerCloud([])
    runner = drive_server(cloud)
    runner.run()
    assert end(runner) == ("idle", "reached")


def test_a_start_that_is_refused_half_way_is_told_with_its_status() -> None:
    cloud = ServerCloud(server(None), server(None), server("migration_starting"))
    cloud.answers["start"] = Refused("Share instance status must be available.", 400)
    runner = drive_server(cloud, timeout=2000)
    runner.run()
    track = runner.track(runner.plan[0])
    assert (track.outcome, track.status_code) == (FAILED, 400)
    assert "as if it migrated: Share instance status must be available. Ask" in str(track.error)
    assert cloud.sent == ["start"]


def test_a_refused_start_of_a_server_that_changed_nothing_fails_at_once() -> None:
    cloud = ServerCloud(server(None))
    cloud.answers["start"] = Refused("Share server v does not have shares.", 409)
    runner = drive_server(cloud)
    runner.run()
    track = runner.track(runner.plan[0])
    assert (track.outcome, track.status_code) == (FAILED, 409)
    assert cloud.time == 1_000_000


def test_a_lost_answer_about_a_server_is_not_sent_again() -> None:
    cloud = ServerCloud(*[server(DONE)] * 4, server("migration_success"))
    cloud.answers["complete"] = Unknown("time-out")
    runner = drive_server(cloud)
    runner.run()
    assert cloud.sent == ["complete"]
    assert end(runner) == (COMPLETED, "reached")
    assert runner.changed


def test_a_server_is_cancelled() -> None:
    cloud = ServerCloud(
        server(DONE),
        server(DONE),
        server("migration_cancel_in_progress"),
        [ShareServer("v", HERE, "active", "migration_cancelled")],
    )
    runner = drive_server(cloud, CANCELLED)
    runner.run()
    assert cloud.sent == ["cancel"]
    assert end(runner) == (CANCELLED, "reached")


def test_a_list_of_servers_that_is_away_for_a_while_is_waited_for() -> None:
    away = CloudError("away")
    cloud = ServerCloud(server(DONE), away, away, server("migration_success"))
    runner = drive_server(cloud)
    runner.run()
    assert cloud.sent == []  # it was the look before the complete that failed
    assert end(runner) == (COMPLETED, "reached")


def test_a_server_that_can_not_be_checked_is_checked_again() -> None:
    class Cloud(ServerCloud):
        failures = 3

        def server_facts(self, server_id: str) -> Facts:
            if self.moved and self.failures:
                self.failures -= 1
                raise CloudError("away")
            return super().server_facts(server_id)

    cloud = Cloud(server(DONE), server(DONE), server("migration_success"))
    runner = drive_server(cloud)
    runner.run()
    assert cloud.failures == 0
    assert end(runner) == (COMPLETED, "reached")


def test_the_exports_of_what_was_moved_before() -> None:
    cloud = ServerCloud(server("migration_success"))
    runner = drive_server(cloud)
    runner.run()
    assert cloud.sent == []
    assert not runner.changed
    migration = runner.plan[0]
    assert as_record(migration, runner.track(migration))["export_locations_after"] == []
    record = runner.with_exports(migration)
    assert record["export_locations_after"] == ["n@new:/a"]
    assert record["export_locations_before"] == []
    assert (record["phase"], record["destination_share_server_id"]) == (COMPLETED, "v2")


@pytest.mark.parametrize(("task_state", "verb"), [(None, "start"), (DONE, "complete")])
def test_a_preview_of_a_server_sends_nothing(task_state: str | None, verb: str) -> None:
    cloud = ServerCloud(server(task_state))
    runner = drive_server(cloud, grace=10)
    assert [one.verb for one in runner.preview().actions] == [verb]
    assert cloud.sent == []
    assert not runner.changed


def test_the_exports_of_a_share_that_was_moved_before() -> None:
    runner = drive(FakeCloud(MOVED))
    runner.run()
    assert runner.with_exports(runner.plan[0])["export_locations_after"] == ["e"]


def test_the_exports_of_what_is_copied_are_known_before_its_cutover() -> None:
    cloud = FakeCloud(migrating(DONE))
    runner = drive(cloud)
    runner.preview()
    assert as_record(runner.plan[0], runner.track(runner.plan[0]))["export_locations_before"] == []
    for _twice in range(2):
        runner.note_exports()
    record = as_record(runner.plan[0], runner.track(runner.plan[0]))
    assert record["export_locations_before"] == ["e"]
    assert len(cloud.asked) == 1


def test_the_exports_of_what_still_copies_are_not_asked_for() -> None:
    cloud = FakeCloud(migrating("migration_driver_in_progress"))
    runner = drive(cloud)
    runner.preview()
    runner.note_exports()
    assert cloud.asked == []


# -- pauses ----------------------------------------------------------------------------------


def test_it_asks_less_often_while_nothing_happens():
    cloud = FakeCloud(
        at_source(), at_source(), *[migrating("migration_driver_starting")] * 60, MOVED
    )
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        cloud.time += seconds

    run = drive(cloud)
    run._sleep = sleep
    run.run()
    # A twentieth of the time for which nothing has happened: 40 s are seen 2 s late at most.
    assert pauses[:21] == [1] * 21
    assert all(1 < pause <= 2 for pause in pauses[22:35])
    assert max(pauses) == 4


@pytest.mark.parametrize(("takes", "pause"), [(0.4, 0.6), (0.5, 0.5), (3, 0.5), (-9, 1)])
def test_the_time_that_a_look_takes_belongs_to_the_pause(takes: float, pause: float) -> None:
    # But a cloud that is slow has half of it to itself; and the clock may be set back.
    cloud = FakeCloud(at_source(), *[migrating("migration_driver_starting")] * 5, MOVED)
    pauses: list[float] = []
    observe, sleep = cloud.observe, cloud.sleep

    def slow(ids: Any) -> Any:
        cloud.time += takes if set(ids) else 0
        return observe(ids)

    cloud.observe = slow  # type: ignore[method-assign]
    cloud.sleep = lambda seconds: (pauses.append(seconds), sleep(seconds))  # type: ignore
    drive(cloud).run()
    # Where something is sent, one more look comes before it.
    assert pauses[1:4] == [pytest.approx(pause)] * 3


class QueueCloud(FakeCloud):
    """Two shares that are copied, and moved, as soon as that is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = {one: replace(at_source(), id=one) for one in ("s", "t")}

    def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
        return {one: self.shares[one] for one in ids}, set()

    def migrating(self) -> list[Observation]:
        return [one for one in self.shares.values() if one.moving]

    def start(self, kind: str, subject: str, destination: str, options: Any) -> None:
        self.shares[subject] = replace(migrating(DONE), id=subject)

    def complete(self, kind: str, subject: str) -> None:
        self.shares[subject] = replace(MOVED, id=subject)


def test_a_slot_that_is_free_is_taken_at_once():
    cloud = QueueCloud()
    run = drive(cloud, plan=[Migration(one, OLD, NEW) for one in ("s", "t")])
    run.limits = replace(run.limits, max_parallel=1)
    run.run()
    first, second = sorted(run.memory.tracks.values(), key=lambda one: one.started_at or 0)
    assert first.outcome == second.outcome == "reached"
    assert second.started_at == first.completed_at


def test_the_opening_of_the_window_is_not_slept_through():
    cloud = FakeCloud(migrating(DONE))
    opens = timestamp(cloud.time + 5.5), timestamp(cloud.time + 900)
    run = drive(cloud, timeout=30)
    window = CutoverWindow.parse({"start": opens[0], "end": opens[1]})
    run.limits = replace(run.limits, window=window)
    sent_at: list[float] = []
    cloud.complete = lambda kind, share_id: sent_at.append(cloud.time)  # type: ignore[method-assign]
    begun = cloud.time
    run.run()
    assert [one - begun for one in sent_at] == [5]


# -- claims ----------------------------------------------------------------------------------


class ClaimedCloud(FakeCloud):
    """Its source is cordoned, and others write into the reason."""

    reason = "manila.migration: being emptied"

    def services(self) -> list[Service]:
        old = Service("manila-share", "n@old", "disabled", "up", disabled_reason=self.reason)
        return [old, Service("manila-share", "n@new", "enabled", "up")]

    def share_managers(self) -> dict[str, Service]:
        return {one.host: one for one in self.services()}

    def disable_service(self, host: str, reason: str) -> None:
        self.reason = reason


def test_a_run_claims_its_source_while_it_works():
    cloud = ClaimedCloud(at_source(), at_source(), migrating(DONE), migrating(DONE), MOVED)
    reasons = []
    run = drive(cloud, lease=True, report=lambda run: reasons.append(cloud.reason))
    run.run()
    assert all("at work: run " in one for one in reasons)
    assert cloud.reason == ClaimedCloud.reason


def test_a_run_that_is_outrun_sends_nothing_more():
    cloud = ClaimedCloud(at_source(), at_source(), migrating(DONE))
    claim = LeaseClaim("other", "root@far", "1.2@elsewhere", 1, 10)

    def take_over(run: Runner) -> None:
        cloud.reason = f"{ClaimedCloud.reason}{claim}"

    run = drive(cloud, lease=True, report=take_over)
    with pytest.raises(Held, match="run other of root@far"):
        run.run()
    assert cloud.sent == ["start"]
    assert LeaseClaim.of(cloud.reason) == claim
