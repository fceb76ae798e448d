# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner sends for one action, in which order, and what it tells the engine of the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    CANCEL,
    COMPLETE,
    RECORD,
    REMOVE,
    START,
    VERIFY,
    Action,
    Limits,
    Memory,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    INTERRUPTED,
    CopyMark,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Share,
    Snapshot,
)
from ansible_collections.manila.migration.plugins.module_utils._runner.runner import (
    Abandoned,
    Runner,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    COMPLETED,
    COMPLETING,
    COPYING,
    FAILED,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._runner.test_runner import (
    DONE,
    HERE,
    MOVED,
    NEW,
    OLD,
    FakeCloud,
    ServerCloud,
    at_source,
    migrating,
    server,
)

COPIES = "migration_driver_in_progress"


class Cloud(FakeCloud):
    """A cloud that notes what is written, and has every kind of request."""

    def __init__(self, *seen: Observation | Exception | None) -> None:
        super().__init__(*seen)  # type: ignore[arg-type]
        self.looks = 0
        self.marks: list[CopyMark] = []
        self.on_send: Callable[[], None] = lambda: None
        self.snapshots: list[Snapshot] = []
        self.networks: list[str | None] = []

    def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
        self.looks += bool(set(ids))
        seen, gone = super().observe(ids)
        return {key: one for key, one in seen.items() if one}, gone

    def _send(self, what: str) -> None:
        self.on_send()
        super()._send(what)

    def mark_copy(self, share_id: str, mark: CopyMark) -> None:
        self.marks.append(mark)
        super().mark_copy(share_id, mark)

    def unmark_copy(self, share_id: str) -> None:
        self._send(f"unmark copy of {share_id}")

    def mark(self, share_id: str, mark: Mark) -> None:
        self._send("mark")

    def unmark(self, share_id: str) -> None:
        self._send("unmark")

    def create_replica(self, share_id: str, pool: str, share_network_id: str | None) -> None:
        self.networks.append(share_network_id)
        self._send(f"create replica at {pool}")

    def promote_replica(self, replica_id: str) -> None:
        self._send(f"promote {replica_id}")

    def delete_replica(self, replica_id: str) -> None:
        self._send(f"delete {replica_id}")

    def snapshots_of(self, share_id: str) -> list[Snapshot]:
        return [one for one in self.snapshots if one.share_id == share_id]

    def delete_snapshot(self, snapshot_id: str) -> None:
        self._send(f"delete {snapshot_id}")

    def replica_facts(self, share_id: str, source: str, to: str | None) -> Facts:
        return Facts(NEW, "available", 1, exports=("e",))


def perform(
    cloud: FakeCloud,
    verb: str,
    track: Track | None = None,
    *,
    kind: str = SHARE,
    guard: Callable[[], None] | None = None,
    **migration: Any,
) -> tuple[Runner, Track]:
    """Perform one action of a plan of one.  Returns the runner, and the track after it."""
    places = (HERE, "n@new") if kind == SHARE_SERVER else (OLD, NEW)
    name = "v" if kind == SHARE_SERVER else "s"
    plan = [Migration(name, *places, kind=kind, **migration)]
    limits = Limits(goal=COMPLETED)
    run = Runner(cloud, plan, limits, timeout=9, poll_interval=1, guard=guard, sleep=cloud.sleep)
    run.memory = Memory({name: track or Track(seen=True, want=verb)})
    run.perform(Action(verb, plan[0]))
    return run, run.track(plan[0])


def replica(task_state: str, *places: Place, leads: bool = True, **more: Any) -> Observation:
    both = places or (Place(OLD, "replicating", "r0"), Place(NEW, "available", "r1"))
    seen = Observation("s", "replicating", OLD, task_state, both, kind=SHARE_REPLICA, leads=leads)
    return replace(seen, **more)


# -- what is sent ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "kind", "seen", "sent"),
    [
        (START, SHARE, at_source(), ["start"]),
        (COMPLETE, SHARE, migrating(DONE), ["complete"]),
        (CANCEL, SHARE, migrating(COPIES), ["mark copy", "cancel"]),
        (START, SHARE_REPLICA, replace(at_source(), kind=SHARE_REPLICA), ["mark", f"create replica at {NEW}"]),
        (COMPLETE, SHARE_REPLICA, replica("replica_in_sync"), ["promote r1"]),
        # Nobody is served from it: the new one takes its place when it goes.
        (COMPLETE, SHARE_REPLICA, replica("replica_in_sync", leads=False), ["delete r0"]),
        (CANCEL, SHARE_REPLICA, replica("replica_in_sync"), ["mark copy", "delete r1"]),
        (REMOVE, SHARE_REPLICA, replica("replica_promoted", leads=False), ["delete r0"]),
    ],
)  # fmt: skip
def test_what_is_sent_for_each_action(
    verb: str, kind: str, seen: Observation, sent: list[str]
) -> None:
    class Replicated(Cloud):
        def mark_copy(self, share_id: str, mark: CopyMark) -> None:
            super().mark_copy(share_id, mark)
            self.seen = [replace(self.seen[-1], copy_mark=mark)]  # type: ignore[type-var]

    guards: list[int] = []
    cloud = Replicated(seen)
    run, track = perform(cloud, verb, kind=kind, guard=lambda: guards.append(len(cloud.sent)))
    assert (cloud.sent, run.changed) == (sent, True)
    assert dict(track.sent) == {verb: ACCEPTED}
    # Whoever watches is asked right before each request.
    assert set(range(len(sent))) <= set(guards)


@pytest.mark.parametrize(
    ("verb", "kind", "seen"),
    [
        (START, SHARE, migrating(COPIES)),
        (COMPLETE, SHARE, migrating(COPIES)),
        (CANCEL, SHARE, at_source()),
        (CANCEL, SHARE, migrating("migration_starting")),
        (REMOVE, SHARE_REPLICA, replica("replica_in_sync")),
        # The look finds no replica where it should be.
        (REMOVE, SHARE_REPLICA, replica("replica_promoted", Place(NEW, "x", "r1"), leads=False)),
        (START, SHARE, CloudError("away")),
        (START, SHARE, None),
    ],
)
def test_what_the_last_look_rules_out_is_not_sent(verb: str, kind: str, seen: Any) -> None:
    cloud = Cloud(seen)
    run, track = perform(cloud, verb, kind=kind)
    assert (cloud.sent, run.changed) == ([], False)
    assert (dict(track.sent), track.outcome, track.want, track.look) == ({}, None, None, True)


def test_a_replica_is_made_in_the_network_that_was_asked_for() -> None:
    cloud = Cloud(replace(at_source(), kind=SHARE_REPLICA))
    options = Options(new_share_network_id="net")
    perform(cloud, START, kind=SHARE_REPLICA, options=options)
    assert cloud.networks == ["net"]


def test_snapshots_are_asked_for_by_share_and_named() -> None:
    cloud = Cloud(at_source())
    cloud.snapshots = [
        Snapshot("n2", "s", "available", name="b"),
        Snapshot("n1", "s", "available", name=""),
        Snapshot("n3", "s", "available", name="kept"),
        Snapshot("n1", "other", "available"),
    ]
    run, track = perform(cloud, START, delete_snapshots=("n1", "n2"))
    assert cloud.sent == ["delete n2", "delete n1"]
    assert run.changed
    assert track.waiting_for
    assert track.waiting_for.message.endswith(": b, n1")
    cloud = Cloud(at_source())
    cloud.snapshots = [Snapshot("n1", "s", "error_deleting", name="b")]
    _run, track = perform(cloud, START, delete_snapshots=("n1",))
    assert "snapshot b " in str(track.error)


def test_the_guard_is_asked_again_before_the_mark_of_a_replica() -> None:
    asked: list[int] = []

    def gone_at_second() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise Abandoned

    cloud = Cloud(replace(at_source(), kind=SHARE_REPLICA))
    with pytest.raises(Abandoned):
        perform(cloud, START, kind=SHARE_REPLICA, guard=gone_at_second)
    assert cloud.sent == []


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("afterwards", "outcome"),
    [
        (at_source(), FAILED),
        (CloudError("away"), FAILED),
        (migrating("migration_starting"), None),
        (replace(at_source(), status="extending"), None),
        (None, None),
    ],
)
def test_a_refusal_counts_where_nothing_has_changed(afterwards: Any, outcome: str | None) -> None:
    cloud = Cloud(at_source(), afterwards)
    cloud.answers["start"] = Refused("no", 409)
    run, track = perform(cloud, START)
    assert (track.outcome, dict(track.sent), run.changed) == (outcome, {}, False)
    assert track.status_code == (409 if outcome else None)
    assert cloud.looks == 2


@pytest.mark.parametrize(
    ("verb", "seen", "taken_back"),
    [
        (START, "replica_marked", True),
        (START, "replica_moved", True),
        (START, "replica_creating", False),
        (COMPLETE, "replica_marked", False),
    ],
)
def test_the_mark_of_a_start_that_was_refused_is_taken_back(
    verb: str, seen: str, taken_back: bool
) -> None:
    first = (
        replace(at_source(), kind=SHARE_REPLICA) if verb == START else replica("replica_in_sync")
    )
    resting = replace(at_source(seen), kind=SHARE_REPLICA)
    cloud = Cloud(*[first] * (2 if verb == START else 1), resting)
    for request in (f"create replica at {NEW}", "promote r1"):
        cloud.answers[request] = Refused("no", 413)
    guards: list[int] = []
    perform(cloud, verb, kind=SHARE_REPLICA, guard=lambda: guards.append(len(cloud.sent)))
    assert ("unmark" in cloud.sent) is taken_back
    if taken_back:
        assert guards[-1] == len(cloud.sent) - 1
    # A cloud that goes away then does not hide the refusal.
    cloud = Cloud(*[first] * (2 if verb == START else 1), CloudError("away"))
    for request in (f"create replica at {NEW}", "promote r1"):
        cloud.answers[request] = Refused("no", 413)
    _run, track = perform(cloud, verb, kind=SHARE_REPLICA)
    assert (track.outcome, track.status_code) == (FAILED, 413)


# -- a cancel is written down first --------------------------------------------------------------

COPY = CopyMark("i1", timestamp(1_000_000.0))
EARLIER = CopyMark("i0", timestamp(999_990.0))
THEIRS = CopyMark("i1", timestamp(999_990.0))
STALE = CopyMark("i1", timestamp(900_000.0))


def marked(mark: CopyMark | None, task_state: str = COPIES) -> Observation:
    return replace(migrating(task_state), copy_mark=mark)


@pytest.mark.parametrize("before", [None, EARLIER, STALE, CopyMark("i1")])
def test_a_cancel_names_its_copy_and_its_moment(before: CopyMark | None) -> None:
    cloud = Cloud(marked(before), marked(COPY))
    _run, track = perform(cloud, CANCEL)
    assert (cloud.sent, cloud.marks) == (["mark copy", "cancel"], [COPY])
    assert (track.own_mark, dict(track.sent)) == (COPY, {CANCEL: ACCEPTED})


def test_a_cancel_of_another_run_is_waited_for() -> None:
    cloud = Cloud(marked(THEIRS))
    run, track = perform(cloud, CANCEL)
    assert (cloud.sent, run.changed) == ([], False)
    assert (track.copy_mark, track.want, track.look) == (THEIRS, None, True)
    # A driver may need an hour, and shows nothing of it.
    for age, sent in ((3899.0, []), (3901.0, ["mark copy"])):
        cloud = Cloud(marked(CopyMark("i1", timestamp(1_000_000.0 - age))))
        perform(cloud, CANCEL)
        assert cloud.sent == sent
    # Of a replica the removal shows at once, unless the request itself is late.
    for age, sent in ((599.0, []), (601.0, ["mark copy"])):
        mark = CopyMark("r1", timestamp(1_000_000.0 - age))
        cloud = Cloud(replica("replica_in_sync", copy_mark=mark))
        perform(cloud, CANCEL, kind=SHARE_REPLICA)
        assert cloud.sent == sent


@pytest.mark.parametrize(
    "found",
    [
        marked(THEIRS),
        marked(None),
        replace(at_source(), copy_mark=COPY),
        marked(COPY, "migration_starting"),
    ],
)
def test_who_has_lost_the_race_for_the_mark_cancels_nothing(found: Observation) -> None:
    cloud = Cloud(marked(None), found)
    run, track = perform(cloud, CANCEL)
    assert (cloud.sent, run.changed) == (["mark copy"], True)
    assert (dict(track.sent), track.look, track.want) == ({}, True, None)


def test_where_it_is_unclear_which_copy_is_cancelled_nothing_is_written_down() -> None:
    cloud = Cloud(replace(migrating(COPIES), instances=None))
    _run, track = perform(cloud, CANCEL)
    assert (cloud.sent, dict(track.sent)) == (["cancel"], {CANCEL: ACCEPTED})
    cloud = Cloud(replace(migrating(COPIES), instances=None))
    cloud.answers["cancel"] = Refused("no", 400)
    perform(cloud, CANCEL)
    assert cloud.sent == ["cancel"]


@pytest.mark.parametrize(
    ("before", "sent", "marks"),
    [
        (None, ["unmark copy of s"], [COPY]),
        (EARLIER, ["unmark copy of s"], [COPY]),
        (STALE, ["mark copy"], [COPY, STALE]),
    ],
)
def test_a_refused_cancel_leaves_what_was_written_before(
    before: CopyMark | None, sent: list[str], marks: list[CopyMark]
) -> None:
    cloud = Cloud(marked(before), marked(COPY))
    cloud.answers["cancel"] = Refused("no", 409)
    _run, track = perform(cloud, CANCEL)
    assert (cloud.sent, cloud.marks) == (["mark copy", "cancel", *sent], marks)
    assert (track.outcome, track.status_code) == (FAILED, 409)
    assert (track.error or "").endswith(": no")


def test_a_refused_cancel_of_what_has_changed_stays_written_down() -> None:
    cloud = Cloud(marked(None), marked(COPY), marked(COPY, "migration_cancel_in_progress"))
    cloud.answers["cancel"] = Refused("no", 409)
    _run, track = perform(cloud, CANCEL)
    assert (cloud.sent, track.outcome) == (["mark copy", "cancel"], None)


def test_a_cloud_that_goes_away_does_not_hide_that_a_cancel_was_refused() -> None:
    cloud = Cloud(marked(None), marked(COPY))
    cloud.answers.update({"cancel": Refused("no", 409), "unmark copy of s": CloudError("away")})
    _run, track = perform(cloud, CANCEL)
    assert (track.outcome, track.status_code) == (FAILED, 409)


# -- the record of an interrupted copy ---------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "sent", "told"),
    [
        (marked(None, "data_copying_error"), ["mark copy"], True),
        (marked(CopyMark("i0"), "data_copying_error"), ["mark copy"], True),
        (marked(CopyMark("i1"), "data_copying_error"), [], True),
        (replace(at_source(), copy_mark=CopyMark("i1")), ["unmark copy of s"], True),
        (at_source(), ["unmark copy of s"], True),
        # Which copy is meant is not known.
        (replace(migrating("data_copying_error"), instances=None), [], False),
        (None, [], False),
    ],
)
def test_what_is_recorded(seen: Observation | None, sent: list[str], told: bool) -> None:
    cloud = Cloud(seen)
    run, track = perform(cloud, RECORD)
    assert (cloud.sent, run.changed, track.recorded) == (sent, told, told)
    assert (track.look, track.outcome) == (True, None)
    assert cloud.marks == ([CopyMark("i1")] if "mark copy" in sent else [])


class MarkedServers(ServerCloud):
    """Share servers of which one has shares; the first of these carries the mark."""

    def __init__(self, listed: Any, at: str, mark: str) -> None:
        super().__init__(listed)
        self.at, self.text = at, mark

    def shares(self, **filters: str) -> list[Share]:
        if filters != {"share_server_id": self.at}:
            return []
        metadata = {INTERRUPTED: self.text} if self.text else {}
        return [
            Share("b", "b", 1, NEW, "available"),
            Share("a", "a", 1, NEW, "available", metadata=metadata),
        ]

    def unmark_copy(self, share_id: str) -> None:
        self._send(f"unmark copy of {share_id}")

    def mark_copy(self, share_id: str, mark: CopyMark) -> None:
        self._send(f"mark copy {mark.copy} at {share_id}")


@pytest.mark.parametrize(
    ("task_state", "at", "mark", "sent"),
    [
        (COPIES, "v", "", ["mark copy v2 at a"]),
        (COPIES, "v", "v1", ["mark copy v2 at a"]),
        (COPIES, "v", "v2", []),
        (None, "v", "v2", ["unmark copy of a"]),
        # The new server has the shares now.
        ("migration_success", "v2", "v2", ["unmark copy of a"]),
        # It has no shares that could carry it.
        (COPIES, "else", "", []),
        ("migration_starting", "v", "", []),
    ],
)
def test_the_first_share_of_a_server_carries_the_record(
    task_state: str | None, at: str, mark: str, sent: list[str]
) -> None:
    cloud = MarkedServers(server(task_state), at, mark)
    _run, track = perform(cloud, RECORD, kind=SHARE_SERVER)
    assert cloud.sent == sent
    assert track.recorded is (bool(sent) or mark == "v2")


def test_a_server_without_shares_is_cancelled_without_a_mark() -> None:
    cloud = MarkedServers(server(COPIES), "else", "")
    perform(cloud, CANCEL, kind=SHARE_SERVER)
    assert cloud.sent == ["cancel"]
    cloud = MarkedServers(server(COPIES), "else", "")
    cloud.answers["cancel"] = Refused("no", 409)
    _run, track = perform(cloud, CANCEL, kind=SHARE_SERVER)
    assert (cloud.sent, track.outcome) == (["cancel"], FAILED)


def test_what_is_known_of_the_copy_of_a_share_stays_when_its_exports_are_asked_for() -> None:
    cloud = Cloud(marked(CopyMark("i1"), DONE))
    run = Runner(cloud, [Migration("s", OLD, NEW)], Limits(), timeout=9, poll_interval=1)
    run.preview()
    run.note_exports()
    track = run.track(run.plan[0])
    assert track.facts_before
    assert track.copy_mark == CopyMark("i1")


# -- the check at the end ----------------------------------------------------------------------


def test_the_mark_of_a_replica_goes_when_all_is_well() -> None:
    seen = replace(MOVED, kind=SHARE_REPLICA, task_state="replica_moved")
    track = Track(seen=True, ours=True, phase=COMPLETED, task_state="replica_moved")
    cloud = Cloud(replace(seen, copy_mark=CopyMark("r1")))
    run, after = perform(cloud, VERIFY, track, kind=SHARE_REPLICA)
    assert (cloud.sent, after.outcome) == (["unmark copy of s", "unmark"], "reached")
    assert run.changed
    cloud = Cloud(seen)
    cloud.answers["unmark"] = CloudError("away")
    _run, after = perform(cloud, VERIFY, track, kind=SHARE_REPLICA)
    assert (cloud.sent, after.outcome) == (["unmark"], None)
    assert after.waiting_for
    assert after.waiting_for.code == "settling"
    for other in (None, replace(seen, task_state=None)):
        cloud = Cloud(other)
        _run, after = perform(cloud, VERIFY, track, kind=SHARE_REPLICA)
        assert (cloud.sent, after.outcome) == ([], "reached")


def test_what_is_wrong_is_told_as_one_sentence_and_waited_for_as_long_as_patience_lasts() -> None:
    class Wrong(Cloud):
        def facts(self, *arguments: Any, **more: Any) -> Facts:
            return Facts(OLD, "error", 2)

    track = Track(seen=True, ours=True, phase=COMPLETED, destination=NEW)
    cloud = Wrong(MOVED)
    run, after = perform(cloud, VERIFY, track)
    assert (after.outcome, run.changed) == (None, False)
    assert after.waiting_for
    assert after.waiting_for.message.count(";") == 3
    assert after.facts_after == Facts(OLD, "error", 2)
    run.limits = replace(run.limits, patience=60)
    for seconds, outcome in ((59, None), (1, FAILED)):
        cloud.time += seconds
        run.perform(Action(VERIFY, run.plan[0]))
        assert run.track(run.plan[0]).outcome == outcome


def test_an_answer_that_was_lost_is_no_refusal() -> None:
    cloud = Cloud(migrating(DONE))
    cloud.answers["complete"] = Unknown("time-out")
    run, track = perform(cloud, COMPLETE)
    assert (dict(track.sent), track.outcome, run.changed) == ({COMPLETE: "unknown"}, None, True)


def test_a_check_costs_no_look_where_there_is_no_mark_to_be_removed() -> None:
    cloud = Cloud(MOVED)
    track = Track(seen=True, ours=True, phase=COMPLETED)
    for snapshots, asked in (({}, False), ({"n1": "available"}, True)):
        before = Facts(OLD, "available", 1, snapshots=snapshots)
        perform(cloud, VERIFY, replace(track, facts_before=before))
        assert (cloud.looks, cloud.asked[-1]) == (0, (None, asked))
    # A share that is served from its new replica has its mark until the old one is gone.
    promoted = Track(seen=True, ours=True, phase=COMPLETING, task_state="replica_promoted")
    _run, after = perform(cloud, VERIFY, promoted, kind=SHARE_REPLICA)
    assert (cloud.looks, after.checked) == (0, True)


def test_the_marks_stay_while_something_is_wrong() -> None:
    class Wrong(Cloud):
        def replica_facts(self, *arguments: Any) -> Facts:
            return Facts(NEW, "error", 1, exports=("e",))

    cloud = Wrong(replace(MOVED, kind=SHARE_REPLICA, task_state="replica_moved"))
    track = Track(seen=True, ours=True, phase=COMPLETED, task_state="replica_moved")
    _run, after = perform(cloud, VERIFY, track, kind=SHARE_REPLICA)
    assert (cloud.sent, after.outcome) == ([], None)


def raise_away(server_id: str) -> Facts:
    raise CloudError("away")


@pytest.mark.parametrize(
    ("status", "answer", "sent", "outcome"),
    [
        ("active", None, ["unmark copy of a"], "reached"),
        ("active", CloudError("away"), ["unmark copy of a"], "reached"),
        ("error", None, [], None),
    ],
)
def test_the_mark_of_a_server_goes_with_its_copy(
    status: str, answer: Exception | None, sent: list[str], outcome: str | None
) -> None:
    class Marked(MarkedServers):
        def server_facts(self, server_id: str) -> Facts:
            one = Facts("n@new#p", "available", 1, exports=("e",))
            members = {"a": replace(one, copy_mark=CopyMark("v2")), "b": one}
            return Facts("n@new", status, 1, members=members)

    cloud = Marked(server("migration_success"), "v2", "")
    if answer:
        cloud.answers["unmark copy of a"] = answer
    track = Track(seen=True, ours=True, phase=COMPLETED, destination="n@new")
    _run, after = perform(cloud, VERIFY, track, kind=SHARE_SERVER)
    assert (cloud.sent, after.outcome) == (sent, outcome)
    # What cannot be read at all is looked at again.
    cloud.server_facts = raise_away  # type: ignore[method-assign]
    cloud.sent.clear()
    _run, after = perform(cloud, VERIFY, track, kind=SHARE_SERVER)
    assert (cloud.sent, after.outcome) == ([], None)


# -- percents ----------------------------------------------------------------------------------


def test_only_what_is_planned_and_not_over_is_asked_for_its_progress() -> None:
    asked: list[str] = []

    class Crowd(Cloud):
        def observe(self, ids: Any) -> tuple[dict[str, Observation], set[str]]:
            return {one: replace(migrating(COPIES), id=one) for one in ids}, set()

        def migrating(self) -> list[Observation]:
            return [replace(migrating(COPIES), id=one) for one in ("s", "t", "theirs", "over")]

        def progress(self, kind: str, subject: str) -> int:
            asked.append(subject)
            return 50

    plan = [Migration(one, OLD, NEW) for one in ("s", "t", "over")]
    cloud = Crowd(at_source())
    run = Runner(cloud, plan, Limits(), timeout=9, poll_interval=1, sleep=cloud.sleep)
    run.memory = Memory({"over": Track(outcome=FAILED, phase=COPYING)})
    run.decide_next()
    assert sorted(asked) == ["s", "t"]
    assert (run.track(plan[0]).progress, run.track(plan[1]).progress) == (50, 50)


def test_the_plan_of_replicas_alone_reads_their_marks_where_caps_do_not_matter() -> None:
    class Marked(Cloud):
        reads = 0

        def marked(self) -> list[Any]:
            self.reads += 1
            return []

    for kind, crowded, reads in (
        (SHARE_REPLICA, False, 1),
        (SHARE, False, 0),
        (SHARE, True, 1),
    ):
        cloud = Marked(replace(at_source(), kind=kind))
        plan = [Migration("s", OLD, NEW, kind=kind)]
        run = Runner(
            cloud, plan, Limits(), timeout=9, poll_interval=1, crowded=crowded, sleep=cloud.sleep
        )
        run.decide_next()
        assert cloud.reads == reads
