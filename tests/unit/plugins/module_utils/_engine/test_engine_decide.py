# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done next, and what everything else waits for: slots, services, windows, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._engine import decide as engine
from ansible_collections.manila.migration.plugins.module_utils._engine.advance import SETTLING
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    ACCEPTED,
    BARRED,
    CANCEL,
    COMPLETE,
    GOALS,
    HINDERED,
    OUTDATED,
    REACHED,
    RECORD,
    REFUSED,
    REMOVE,
    START,
    UNKNOWN,
    VERIFY,
    Action,
    Decision,
    Limits,
    Memory,
    Other,
    Reading,
    Track,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COMPLETING,
    COPIED,
    COPYING,
    FAILED,
    IDLE,
    STUCK,
)

OLD, NEW, NEWER, OTHER = "old@array#p", "new@array#p", "newer@array#p", "other@array#p"
NOW = 1_000_000.0
DONE = "migration_driver_phase1_done"
COPIES = "migration_driver_in_progress"
MOVING = {SHARE: "migrating", SHARE_SERVER: "server_migrating", SHARE_REPLICA: "replicating"}
LATE_CANCEL = CopyMark("new", timestamp(NOW - 10.0))
RESTING = {SHARE: "available", SHARE_SERVER: "active", SHARE_REPLICA: "available"}


def moving(
    name: str, task_state: str | None, source: str = OLD, to: str = NEW, kind: str = SHARE, **more
) -> Observation:
    places = (Place(source, MOVING[kind], "old"), Place(to, "migrating_to", "new"))
    return replace(Observation(name, MOVING[kind], source, task_state, places, kind=kind), **more)


def resting(
    name: str, task_state: str | None = None, host: str = OLD, kind: str = SHARE, **more
) -> Observation:
    places = (Place(host, RESTING[kind], "old"),)
    return replace(Observation(name, RESTING[kind], host, task_state, places, kind=kind), **more)


def service(place: str, **more) -> Service:
    made = Service("manila-share", backend_of(place), "enabled", "up")
    return replace(made, **more)


def decide(
    plan: Iterable[Migration],
    seen: Iterable[Observation],
    *,
    tracks: Mapping[str, Track] | None = None,
    others: Mapping[str, Other] | None = None,
    services: Iterable[Service] = (),
    workers: Mapping[str, bool] | None = None,
    gone: Iterable[str] = (),
    memory: Memory | None = None,
    now: float = NOW,
    **limits,
) -> Decision:
    chosen = {"goal": COMPLETED, "max_parallel": 9, "max_parallel_per_pool": 9} | limits
    reading = Reading(
        {one.id: one for one in seen},
        frozenset(gone),
        {one.host: one for one in services},
        workers or {},
    )
    memory = memory or Memory(tracks or {}, others or {})
    return engine.decide(list(plan), reading, Limits(**chosen), now, memory)


def wants(decision: Decision) -> list[tuple[str, str]]:
    return [(one.verb, one.migration.id) for one in decision.actions]


def code(decision: Decision, name: str) -> str | None:
    reason = decision.memory.tracks[name].waiting_for
    return reason.code if reason else None


def since(decision: Decision, name: str) -> float | None:
    return decision.memory.tracks[name].waiting_since


def share(name: str, source: str = OLD, to: str | None = NEW, **more) -> Migration:
    return Migration(name, source, to, **more)


# -- the order -------------------------------------------------------------------------------


def test_what_ends_work_comes_before_what_begins_it():
    plan = [share(name) for name in ("start", "copied", "moved")]
    replica = share("promoted", kind=SHARE_REPLICA)
    seen = [
        resting("start"),
        moving("copied", DONE),
        resting("moved", "migration_success", NEW),
        moving("promoted", "replica_promoted", kind=SHARE_REPLICA),
    ]
    tracks = {"moved": Track(seen=True, ours=True), "promoted": Track(checked=True)}
    decision = decide([*plan, replica], seen, tracks=tracks)
    assert wants(decision) == [
        (VERIFY, "moved"),
        (REMOVE, "promoted"),
        (COMPLETE, "copied"),
        (START, "start"),
    ]
    assert not decision.finished


def test_a_cancel_needs_no_slot_and_no_window():
    plan = [share("a"), share("b")]
    seen = [moving("a", COPIES), moving("b", DONE)]
    decision = decide(plan, seen, goal=CANCELLED, max_parallel=1, max_parallel_per_pool=1)
    assert wants(decision) == [(CANCEL, "a"), (CANCEL, "b")]


def test_what_was_not_read_is_not_touched():
    tracks = {"a": Track(seen=True, phase=COPYING, ours=True)}
    decision = decide([share("a")], [], tracks=tracks)
    assert decision.memory.tracks["a"].phase == COPYING
    assert wants(decision) == []


def test_what_is_gone_is_read():
    decision = decide([share("a"), share("b")], [], gone=["a"])
    assert decision.memory.tracks["a"].outcome == REACHED
    assert decision.memory.tracks["b"].outcome is None


# -- services --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "goal", "task_state", "verb", "place"),
    [
        (SHARE, CANCELLED, COPIES, CANCEL, OLD),
        (SHARE_SERVER, CANCELLED, COPIES, CANCEL, NEW),
        (SHARE_REPLICA, CANCELLED, "replica_in_sync", CANCEL, NEW),
        (SHARE_REPLICA, COMPLETED, "replica_promoted", REMOVE, OLD),
    ],
)
def test_what_ends_work_waits_for_the_service_that_does_it(kind, goal, task_state, verb, place):
    seen = [moving("a", task_state, kind=kind)]
    tracks = {"a": Track(checked=True)}
    for down in (OLD, NEW):
        services = [service(one, state="down" if one == down else "up") for one in (OLD, NEW)]
        decision = decide(
            [share("a", kind=kind)], seen, tracks=tracks, services=services, goal=goal
        )
        if down == place:
            assert (wants(decision), code(decision, "a")) == ([], "service_down")
            assert since(decision, "a") == NOW
        else:
            assert wants(decision) == [(verb, "a")]


@pytest.mark.parametrize("down", [OLD, NEW])
@pytest.mark.parametrize("task_state", [None, DONE])
def test_nothing_begins_while_a_service_is_down(task_state, down):
    seen = moving("a", task_state) if task_state else resting("a")
    services = [service(OLD), service(NEW)]
    plan = [share("a")]
    assert len(wants(decide(plan, [seen], services=services))) == 1
    for change in ({"state": "down"}, {"fresh": False}):
        dead = [replace(one, **change) if one.host == backend_of(down) else one for one in services]
        decision = decide(plan, [seen], services=dead)
        assert (wants(decision), code(decision, "a")) == ([], "service_down")


@pytest.mark.parametrize(
    ("disabled", "leads", "task_state", "expected"),
    [
        (OLD, False, None, None),  # the cordon
        (OLD, True, None, "cordoned"),
        (NEW, False, None, "service_disabled"),
        (NEW, True, None, "service_disabled"),
        (NEW, False, DONE, None),  # what is copied may be cut over
        (OLD, True, DONE, None),
    ],
)
def test_a_service_that_is_disabled(disabled, leads, task_state, expected):
    seen = moving("a", task_state, leads=leads) if task_state else resting("a", leads=leads)
    services = [
        service(one, status="disabled" if one == disabled else "enabled") for one in (OLD, NEW)
    ]
    decision = decide([share("a")], [seen], services=services)
    assert code(decision, "a") == expected
    assert len(decision.actions) == (expected is None)
    assert decision.finished is (expected == "cordoned")


def test_the_destination_that_was_seen_counts():
    seen = moving("a", DONE, to=NEWER)
    services = [service(OLD), service(NEWER, state="down")]
    decision = decide([share("a", to=None)], [seen], services=services)
    assert code(decision, "a") == "service_down"


# -- slots -----------------------------------------------------------------------------------


def test_what_works_for_others_takes_a_slot_since_it_began():
    theirs = moving("theirs", COPIES, NEWER, OTHER, changed_at=NOW - 50)
    decision = decide([share("a")], [resting("a"), theirs], max_parallel=1)
    assert (wants(decision), code(decision, "a")) == ([], "slot")
    assert since(decision, "a") == NOW - 50


def test_slots_are_full_since_the_newest_step():
    plan = [share(name) for name in ("a", "b", "c")]
    tracks = {
        name: Track(seen=True, ours=True, phase=COPYING, task_state=COPIES, since=moment)
        for name, moment in (("a", NOW - 9), ("b", NOW - 70))
    }
    seen = [moving("a", COPIES), moving("b", COPIES), resting("c")]
    decision = decide(plan, seen, tracks=tracks, max_parallel=2)
    assert since(decision, "c") == NOW - 9
    # What is begun now is the newest.
    decision = decide([*plan, share("d")], [*seen, resting("d")], tracks=tracks, max_parallel=3)
    assert wants(decision) == [(START, "c")]
    assert since(decision, "d") == NOW


def test_a_slot_that_was_never_free_is_waited_for_since_now():
    decision = decide([share("a")], [resting("a")], max_parallel=0)
    assert (code(decision, "a"), since(decision, "a")) == ("slot", NOW)


@pytest.mark.parametrize(
    ("planned", "seen_at"), [(NEW, None), (None, NEW), (NEW, NEW), (OTHER, NEW)]
)
def test_a_copy_works_where_it_is_seen_else_where_it_is_planned(planned, seen_at):
    """Its destination may not be known to Manila yet, or not have been planned."""
    track = Track(seen=True, ours=True, phase=COPYING, destination=seen_at, since=NOW)
    plan = [share("a", to=planned), share("b", NEWER, NEW)]
    decision = decide(
        plan, [resting("b", host=NEWER)], tracks={"a": track}, max_parallel_per_pool=1
    )
    assert (wants(decision), code(decision, "b")) == ([], "slot")


@pytest.mark.parametrize(
    ("first", "second", "begins"),
    [
        ((OLD, NEW), (NEWER, OTHER), True),
        ((OLD, NEW), (OLD, OTHER), False),
        ((OLD, NEW), (NEWER, NEW), False),
        ((OLD, NEW), (NEW, NEWER), False),
        ((OLD, NEW), ("old@array#q", OTHER), True),  # another pool of the same back end
        (("old@array", "new@array"), ("old@array#q", OTHER), False),  # a share server's
        (("old@array#q", NEW), ("old@array", "other@array"), False),
        (("old@array", "new@array"), ("old@array", "other@array"), False),
        (("old@array", "new@array"), ("newer@array", "other@array"), True),
        (("old@array", "new@array"), ("newer@array", OTHER), True),
    ],
)
def test_where_two_must_not_work_at_once(first, second, begins):
    plan = [share("a", *first), share("b", *second)]
    seen = [resting("a", host=first[0]), resting("b", host=second[0])]
    decision = decide(plan, seen, max_parallel_per_pool=1)
    assert wants(decision) == ([(START, "a"), (START, "b")] if begins else [(START, "a")])


def test_a_share_server_is_at_work_in_the_fullest_pool_of_its_back_end():
    pools = ["old@array#p", "old@array#q", "old@array#q"]
    plan = [share(str(number), pool, f"b{number}@array#p") for number, pool in enumerate(pools)]
    seen = [resting(str(number), host=pool) for number, pool in enumerate(pools)]
    server = share("v", "old@array", "new@array", kind=SHARE_SERVER)
    idle = resting("v", host="old@array", kind=SHARE_SERVER)
    for limit, begins in ((3, True), (2, False)):
        decision = decide([*plan, server], [*seen, idle], max_parallel_per_pool=limit)
        assert ((START, "v") in wants(decision)) is begins
    # And a server beside it counts on top.
    other = share("w", "old@array", "new@array", kind=SHARE_SERVER)
    more = resting("w", host="old@array", kind=SHARE_SERVER)
    decision = decide([*plan, server, other], [*seen, idle, more], max_parallel_per_pool=3)
    assert (START, "w") not in wants(decision)


def test_no_place_is_taken_where_none_is_known():
    theirs = replace(moving("theirs", COPIES, NEWER), instances=None)
    decision = decide([share("a", to=None)], [moving("a", DONE), theirs], max_parallel_per_pool=1)
    assert wants(decision) == [(COMPLETE, "a")]
    unknown = replace(moving("a", DONE), instances=None)
    decision = decide([share("a", to=None)], [unknown], max_parallel_per_pool=1)
    assert wants(decision) == [(COMPLETE, "a")]


def test_a_rehearsal_takes_no_slots_and_says_that_somebody_must_begin():
    plan = [share("a"), share("b"), share("c")]
    seen = [moving("a", DONE), resting("b"), resting("c", "migration_error")]
    decision = decide(plan, seen, max_parallel=1, rehearsal=True)
    assert wants(decision) == [(COMPLETE, "a"), (START, "b"), (START, "c")]
    assert {code(decision, one) for one in "abc"} == {"operator"}
    assert {since(decision, one) for one in "abc"} == {NOW}
    reasons = [decision.memory.tracks[one].waiting_for for one in "abc"]
    assert len(set(reasons)) == 3


def test_who_waits_for_a_slot_is_asked_again_when_something_else_hinders_it():
    """Thousands that wait for a slot are passed over only while they would wait for the same."""
    plan = [share("a"), share("b")]
    theirs = moving("theirs", COPIES, NEWER, OTHER)
    seen = [resting("a"), theirs]
    first = decide(plan, [*seen, resting("b")], max_parallel=1, services=[service(NEW)])
    assert (code(first, "a"), code(first, "b")) == ("slot", "slot")
    down = [service(NEW, state="down")]
    again = decide(plan, [theirs], memory=first.memory, max_parallel=1, services=down)
    assert (code(again, "a"), code(again, "b")) == ("service_down", "service_down")
    disabled = [service(NEW, status="disabled")]
    again = decide(plan, [theirs], memory=first.memory, max_parallel=1, services=disabled)
    assert code(again, "a") == "service_disabled"
    other = [service(NEW), service(NEWER, state="down")]
    first_of_two = decide(plan, [*seen, resting("b")], max_parallel=1, services=other)
    other = [service(NEW, state="down"), service(NEWER)]
    again = decide(plan, [theirs], memory=first_of_two.memory, max_parallel=1, services=other)
    assert code(again, "a") == "service_down"
    up = [service(NEW)]
    same = decide(plan, [theirs], memory=first.memory, max_parallel=1, services=up)
    assert (code(same, "a"), same.memory.queue) == ("slot", first.memory.queue)
    for limits, expected in (
        ({"start_new": False}, "not_started"),
        ({"max_failures": 0}, "failures"),
    ):
        again = decide(plan, [theirs], memory=first.memory, max_parallel=1, services=up, **limits)
        assert code(again, "a") == expected


def test_what_could_be_waited_for_is_remembered_while_all_slots_are_taken():
    theirs = moving("theirs", COPIES, NEWER, OTHER)
    full = decide([share("a"), share("b")], [resting("a"), resting("b"), theirs], max_parallel=1)
    assert full.memory.queue[0] is full.memory.tracks["b"].waiting_for
    assert decide([share("a")], [resting("a"), theirs], max_parallel=2).memory.queue == ()
    assert decide([share("a")], [moving("a", DONE), theirs], max_parallel=1).memory.queue == ()


def test_who_comes_after_one_that_waits_as_before_is_told_what_it_waits_for():
    theirs = moving("theirs", COPIES, NEWER, OTHER)
    first = decide([share("a")], [resting("a"), theirs], max_parallel=1)
    plan = [share("a"), share("b")]
    again = decide(plan, [theirs, resting("b")], memory=first.memory, max_parallel=1)
    assert (code(again, "a"), code(again, "b")) == ("slot", "slot")


def test_a_cutover_that_waits_for_a_slot_is_asked_again_at_each_poll():
    theirs = moving("theirs", COPIES, NEWER, OTHER)
    first = decide([share("a")], [moving("a", DONE), theirs], max_parallel=1)
    assert code(first, "a") == "slot"
    later = decide(
        [share("a")], [theirs], memory=first.memory, max_parallel=1, window=window(-9, -1)
    )
    assert code(later, "a") == "window_over"


# -- others ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "other"),
    [
        (moving("x", COPIES, changed_at=5.0), Other(OLD, NEW, True, 5.0)),
        (moving("x", DONE), Other(OLD, NEW, False)),
        (moving("x", COPIES, kind=SHARE_SERVER), Other(OLD, NEW, True, kind=SHARE_SERVER)),
        (
            moving("x", "replica_promoted", kind=SHARE_REPLICA),
            Other(OLD, NEW, False, kind=SHARE_REPLICA),
        ),
        (replace(moving("x", COPIES), instances=None), Other(OLD, None, True)),
        (moving("x", "data_copying_error"), None),
        (resting("x"), None),
        (resting("x", "migration_completing", NEW), Other(NEW, None, True)),
    ],
)
def test_what_others_have_at_work(seen, other):
    assert decide([], [seen]).memory.others == ({"x": other} if other else {})


def test_what_rests_hides_no_others():
    seen = [resting("x"), moving("y", "data_copying_error"), moving("z", COPIES)]
    assert decide([], seen).memory.others == {"z": Other(OLD, NEW, True)}


def test_where_others_began_and_go_is_remembered():
    known = {"x": Other(OLD, NEW, True)}
    seen = replace(moving("x", "migration_completing"), host=NEW, instances=None)
    assert decide([], [seen], others=known).memory.others == {"x": Other(OLD, NEW, True)}
    # Before its cutover it is where Manila says that it is.
    seen = replace(moving("x", COPIES, NEWER), instances=None)
    assert decide([], [seen], others=known).memory.others == {"x": Other(NEWER, NEW, True)}
    # What has ended is forgotten.
    assert decide([], [resting("x", host=NEW)], others=known).memory.others == {}


def test_one_of_the_plan_that_is_settled_counts_when_it_works():
    settled = {"a": Track(seen=True, outcome=REACHED, phase=COPIED, destination=NEW)}
    seen = replace(moving("a", "migration_completing"), host=NEW, instances=None)
    decision = decide([share("a")], [seen], tracks=settled)
    assert decision.memory.others == {"a": Other(OLD, NEW, True)}
    assert decide([share("a")], [], tracks=settled).memory.others == {}
    running = {"a": Track(seen=True, ours=True, destination=NEW)}
    assert decide([share("a")], [seen], tracks=running).memory.others == {}


def test_what_manila_refused_to_start_works_nowhere():
    track = Track(seen=True, outcome=FAILED, refusal=("no.", 409))
    for state, works in (("migration_starting", False), (COPIES, True)):
        decision = decide([share("a")], [moving("a", state)], tracks={"a": track})
        assert ("a" in decision.memory.others) is works
        more = [moving("a", state), moving("theirs", COPIES)]
        assert "theirs" in decide([share("a")], more, tracks={"a": track}).memory.others
    plain = {"a": replace(track, refusal=None)}
    decision = decide([share("a")], [moving("a", "migration_starting")], tracks=plain)
    assert "a" in decision.memory.others


# -- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failed", "limit", "goal", "stops"),
    [(0, 1, COPIED, False), (1, 1, COPIED, True), (1, 2, COPIED, False), (2, 2, COMPLETED, True)],
)
def test_so_many_failures_stop_what_is_not_begun(failed, limit, goal, stops):
    plan = [share("a"), *(share(f"f{number}") for number in range(failed))]
    tracks = {f"f{number}": Track(outcome=FAILED) for number in range(failed)}
    decision = decide(plan, [resting("a")], tracks=tracks, max_failures=limit, goal=goal)
    assert code(decision, "a") == ("failures" if stops else None)
    assert decision.finished is stops
    assert decision.memory.failures == failed


@pytest.mark.parametrize(
    ("verb", "goal", "failures", "withheld"),
    [
        (START, COPIED, 0, False),
        (START, COPIED, 1, True),
        (COMPLETE, COMPLETED, 1, True),
        (START, CANCELLED, 1, False),
        (CANCEL, COPIED, 1, False),
        (REMOVE, COMPLETED, 1, False),
        (VERIFY, COMPLETED, 1, False),
        (RECORD, COMPLETED, 1, False),
    ],
)
def test_what_is_withheld_after_a_failure(verb, goal, failures, withheld):
    memory = Memory(failures=failures)
    answer = engine.withholds(Action(verb, share("a")), [], memory, Limits(goal), NOW)
    assert (answer is not None) is withheld


# -- windows ---------------------------------------------------------------------------------


def window(begin: float, end: float) -> CutoverWindow:
    start, stop = (timestamp(NOW + one) for one in (begin, end))
    return CutoverWindow.parse({"start": start, "end": stop})


def daily(begin: float, end: float) -> CutoverWindow:
    start, stop = (timestamp(NOW + one)[11:19] for one in (begin, end))
    return CutoverWindow.parse({"start": start, "end": stop})


@pytest.mark.parametrize(
    ("opening", "seconds", "expected", "finished"),
    [
        (None, 1e9, None, False),
        (window(-10, 100), 0.0, None, False),
        (window(-10, 100), 100.0, None, False),
        (window(-10, 100), 101.0, "window_over", True),
        (window(-10, 100), 110.0, "window_over", True),
        (window(-10, 100), 111.0, "window_short", True),
        (window(10, 100), 90.0, "window", False),
        (window(10, 100), 91.0, "window_short", True),
        (window(-100, -10), 0.0, "window_over", True),
        (daily(-10, 100), 101.0, "window", False),
        (daily(-10, 100), 111.0, "window_short", True),
    ],
)
def test_the_window_of_a_cutover(opening, seconds, expected, finished):
    decision = decide(
        [share("a")], [moving("a", DONE)], window=opening, cutover_seconds=seconds, max_parallel=1
    )
    assert code(decision, "a") == expected
    assert len(decision.actions) == (expected is None)
    assert decision.finished is finished
    withheld = engine.withholds(
        Action(COMPLETE, share("a")),
        [],
        Memory(),
        Limits(COMPLETED, window=opening, cutover_seconds=seconds),
        NOW,
    )
    assert (withheld is not None) is (expected is not None)
    # Starts disturb nobody.
    limits = Limits(COMPLETED, window=opening, cutover_seconds=seconds)
    assert engine.withholds(Action(START, share("a")), [], Memory(), limits, NOW) is None
    assert wants(decide([share("b")], [resting("b")], window=opening)) == [(START, "b")]


def test_when_a_window_opens_is_said():
    for opening, moment in ((window(60, 120), 60.0), (daily(-10, 100), 86_390.0)):
        decision = decide([share("a")], [moving("a", DONE)], window=opening, cutover_seconds=60.0)
        decision = (
            decision
            if moment == 60.0
            else decide([share("a")], [moving("a", DONE)], window=opening, cutover_seconds=105.0)
        )
        reason = decision.memory.tracks["a"].waiting_for
        assert reason
        assert timestamp(NOW + moment) in reason.message


@pytest.mark.parametrize(
    ("told", "seen", "fits"),
    [(50.0, 30.0, 50.0), (30.0, 50.0, 50.0), (0.0, 50.0, 50.0), (0.0, None, 0.0)],
)
def test_the_longest_cutover_counts(told, seen, fits):
    """Whether it was told beforehand, or seen to take so long."""
    done = Track(outcome=REACHED, phase=COMPLETED)
    if seen is not None:
        done = replace(done, completed_at=500.0 + seen, sent_at={COMPLETE: 500.0})
    tracks = {
        "done": done,
        "fast": replace(done, completed_at=501.0, sent_at={COMPLETE: 500.0}),
        "adopted": replace(done, completed_at=900.0, sent_at={START: 1.0}),
        "sent": replace(done, completed_at=None, sent_at={COMPLETE: 1.0}),
    }
    fits = max(fits, 1.0)
    plan = [share("a"), *map(share, tracks)]
    for end, begins in ((fits, True), (fits - 0.5, False)):
        opening = window(-100, 0)
        opening = replace(opening, end=window(-100, 200).end)
        decision = decide(
            plan,
            [moving("a", DONE)],
            tracks=tracks,
            window=opening,
            cutover_seconds=told,
            now=NOW + 200 - end,
        )
        assert (wants(decision) == [(COMPLETE, "a")]) is begins


def test_a_cutover_of_which_nothing_is_told_fits_until_the_window_closes():
    for left, begins in ((0.5, True), (0.0, False)):
        decision = decide(
            [share("a")], [moving("a", DONE)], window=window(-9, 100), now=NOW + 100 - left
        )
        assert (wants(decision) == [(COMPLETE, "a")]) is begins


# -- groups ----------------------------------------------------------------------------------


def group(*sources: str, **more) -> list[Migration]:
    return [share(f"g{number}", one, group="g", **more) for number, one in enumerate(sources)]


@pytest.mark.parametrize(
    ("sources", "parallel", "per_pool", "rounds"),
    [
        ((OLD, OLD, OLD), 9, 9, 1),
        ((OLD, OLD, OLD), 2, 9, 2),
        ((OLD, OLD, OLD, OLD), 2, 9, 2),
        ((OLD, OLD, OLD), 9, 1, 3),
        ((OLD, NEWER, OTHER), 9, 1, 1),
        ((OLD, OLD, NEWER), 9, 1, 2),
    ],
)
def test_a_group_needs_as_many_rounds_as_the_caps_make_of_it(sources, parallel, per_pool, rounds):
    plan = group(*sources)
    seen = [moving(one.id, DONE, one.source) for one in plan]
    for seconds, begins in ((100.0 / rounds, True), (101.0 / rounds, False)):
        decision = decide(
            plan,
            seen,
            window=window(-900, 100),
            cutover_seconds=seconds,
            max_parallel=parallel,
            max_parallel_per_pool=per_pool,
        )
        assert bool(decision.actions) is begins


def test_the_rest_of_a_group_needs_no_more_than_one_cutover():
    plan = group(OLD, OLD, OLD)
    seen = [moving(one.id, DONE) for one in plan[1:]]
    tracks = {"g0": Track(seen=True, phase=COMPLETING, ours=True)}
    decision = decide(
        plan,
        seen,
        tracks=tracks,
        window=window(-900, 100),
        cutover_seconds=100.0,
        max_parallel_per_pool=2,
    )
    assert wants(decision) == [(COMPLETE, "g1")]


@pytest.mark.parametrize(
    ("track", "along"),
    [
        (Track(phase=COPYING, ours=True, seen=True), False),
        (Track(phase=COMPLETING, ours=True, seen=True), True),
        (Track(phase=COMPLETED, ours=True, seen=True), True),
        (Track(phase=COMPLETED, outcome=REACHED), True),
        (Track(phase=COPIED, outcome=REACHED), True),
        (Track(phase=COPIED, sent={COMPLETE: UNKNOWN}), True),
        (Track(phase=STUCK, sent={COMPLETE: UNKNOWN}), False),
        (Track(phase=IDLE), False),
        (Track(phase=IDLE, outcome=REACHED), True),  # its owner deleted it
    ],
)
def test_who_keeps_a_group_from_its_cutover(track, along):
    plan = group(OLD, OLD)
    decision = decide(plan, [moving("g1", DONE)], tracks={"g0": track})
    assert ((COMPLETE, "g1") in wants(decision)) is along
    assert code(decision, "g1") == (None if along else "group")


@pytest.mark.parametrize("missing", [(), ("share x",)])
def test_a_group_that_is_not_whole_is_not_cut_over(missing):
    plan = group(OLD, OLD)
    plan[0] = replace(plan[0], group_missing=missing)
    seen = [moving("g0", DONE), moving("g1", DONE)]
    decision = decide(plan, seen)
    assert {code(decision, one) for one in ("g0", "g1")} == {"group_broken" if missing else None}
    assert decision.finished is bool(missing)


def test_a_group_with_a_failure_is_not_cut_over_and_names_it():
    plan = [*group(*[OLD] * 6), share("alone")]
    tracks = {f"g{number}": Track(outcome=FAILED) for number in range(5)}
    seen = [moving("g5", DONE), moving("alone", DONE)]
    decision = decide(plan, seen, tracks=tracks, max_failures=99)
    assert (code(decision, "g5"), wants(decision)) == ("group_broken", [(COMPLETE, "alone")])
    reason = decision.memory.tracks["g5"].waiting_for
    assert reason
    assert "share g0, share g1, share g2 and 2 more" in reason.message


def test_three_are_named_without_more():
    plan = group(*[OLD] * 4)
    tracks = {f"g{number}": Track(outcome=FAILED) for number in range(3)}
    decision = decide(plan, [moving("g3", DONE)], tracks=tracks, max_failures=99)
    reason = decision.memory.tracks["g3"].waiting_for
    assert reason
    assert "share g0, share g1, share g2 of its" in reason.message


@pytest.mark.parametrize(("phase", "first"), [(COMPLETING, "g1"), (COMPLETED, "g1"), (COPIED, "a")])
def test_what_belongs_to_a_group_that_has_begun_goes_first(phase, first):
    plan = [share("a"), *group(OLD, OLD)]
    tracks = {"g0": Track(seen=True, ours=True, phase=phase, sent={COMPLETE: ACCEPTED})}
    seen = [moving("a", DONE), moving("g1", DONE)]
    decision = decide(plan, seen, tracks=tracks)
    assert wants(decision)[0] == (COMPLETE, first)


def test_starts_keep_the_order_of_the_plan():
    plan = [share("a"), *group(OLD, OLD)]
    tracks = {"g0": Track(seen=True, ours=True, phase=COMPLETING)}
    decision = decide(plan, [resting("a"), resting("g1")], tracks=tracks)
    assert wants(decision) == [(START, "a"), (START, "g1")]


# -- a migration that was met copied ---------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "track", "grace", "beat", "expected"),
    [
        (SHARE, Track(met_at=NOW - 9), 10.0, None, "grace"),
        (SHARE, Track(met_at=NOW - 10), 10.0, None, None),
        (SHARE, Track(), 10.0, None, "grace"),
        (SHARE, Track(met_at=NOW - 9), 0.0, None, None),
        (SHARE, Track(met_at=NOW - 9, sent={START: ACCEPTED}), 10.0, None, None),
        (SHARE, Track(met_at=NOW - 99), 10.0, NOW - 99, "grace"),
        (SHARE, Track(met_at=NOW - 99), 10.0, NOW - 98, None),
        (SHARE, Track(met_at=NOW - 99), 0.0, NOW - 99, None),
        (SHARE_SERVER, Track(met_at=NOW - 9), 10.0, None, "grace"),
        (SHARE_REPLICA, Track(met_at=NOW - 9), 10.0, None, None),
        (SHARE_REPLICA, Track(met_at=NOW - 99), 10.0, NOW - 99, None),
    ],
)
def test_a_complete_of_another_run_is_given_time_to_show(kind, track, grace, beat, expected):
    state = "replica_in_sync" if kind == SHARE_REPLICA else DONE
    # A server's cutover is begun at its destination, a share's at its source.
    place = OLD if kind == SHARE else NEW
    services = [service(OLD, beat=NOW), service(NEW, beat=NOW)]
    services = [
        replace(one, beat=beat) if one.host == backend_of(place) else one for one in services
    ]
    decision = decide(
        [share("a", kind=kind)],
        [moving("a", state, kind=kind)],
        tracks={"a": track},
        services=services,
        grace=grace,
    )
    assert code(decision, "a") == expected


# -- what is written down of an interrupted copy ---------------------------------------------


@pytest.mark.parametrize(
    ("seen", "track", "written"),
    [
        # Met like this: there before this run.
        (moving("a", "data_copying_error"), None, True),
        (moving("a", "data_copying_error"), Track(), True),
        # It may pass: not at its first reading.
        (moving("a", "data_copying_error"), Track(seen=True), False),
        (moving("a", "data_copying_error"), Track(seen=True, tainted=True), True),
        (moving("a", COPIES), Track(seen=True, tainted=True), True),
        (moving("a", COPIES), Track(seen=True), False),
        (moving("a", COPIES, copy_mark=CopyMark("new")), Track(seen=True, tainted=True), False),
        (moving("a", COPIES, copy_mark=CopyMark("older")), Track(seen=True, tainted=True), True),
        (replace(moving("a", "data_copying_error"), instances=None), None, False),
        # Which copy is meant is not known.
        (
            replace(
                moving("a", "data_copying_error"),
                instances=(Place(OLD, "migrating"), Place(NEW, "x"), Place(NEWER, "x")),
            ),
            None,
            False,
        ),
        # What is over is taken away.
        (resting("a", copy_mark=CopyMark("older")), None, True),
        (resting("a"), None, False),
        (resting("a"), Track(seen=True, recorded=True), True),
        (
            replace(
                resting("a", copy_mark=CopyMark("x")), instances=(Place(OLD, "x"), Place(NEW, "x"))
            ),
            None,
            False,
        ),
    ],
)
@pytest.mark.parametrize("goal", [COPIED, CANCELLED])
def test_what_is_written_down_of_a_share(seen, track, written, goal):
    decision = decide([share("a")], [seen], tracks={"a": track} if track else {}, goal=goal)
    assert ((RECORD, "a") in wants(decision)) is written


@pytest.mark.parametrize(
    ("kind", "track", "change", "written"),
    [
        (SHARE_SERVER, Track(seen=True, tainted=True), {"successor": "v2"}, True),
        (SHARE_SERVER, Track(seen=True, tainted=True), {}, False),
        (SHARE_SERVER, Track(seen=True, tainted=True, recorded=True), {"successor": "v2"}, False),
        (SHARE_SERVER, Track(seen=True), {"successor": "v2"}, False),
        (
            SHARE_SERVER,
            Track(seen=True, tainted=True),
            {"successor": "v2", "status": "error"},
            False,
        ),
        (SHARE_REPLICA, Track(seen=True, tainted=True), {"successor": "v2"}, False),
        (
            SHARE_SERVER,
            Track(seen=True, tainted=True),
            {"successor": "v2", "instances": None},
            False,
        ),
    ],
)
def test_what_is_written_down_of_others(kind, track, change, written):
    seen = replace(moving("a", COPIES, kind=kind), **change)
    decision = decide([share("a", kind=kind)], [seen], tracks={"a": track})
    assert ((RECORD, "a") in wants(decision)) is written


# -- what is waited for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "seen", "track", "expected"),
    [
        (SHARE, resting("a", status="extending"), Track(), "status"),
        (SHARE, resting("a"), Track(sent={START: UNKNOWN}, sent_at={START: NOW}), "answer"),
        (
            SHARE,
            resting("a", "migration_error"),
            Track(sent={START: UNKNOWN}, sent_at={START: NOW}, since=NOW),
            "answer",
        ),
        (SHARE, moving("a", DONE), Track(sent={COMPLETE: UNKNOWN}), "answer"),
        (SHARE, moving("a", DONE), Track(sent={COMPLETE: ACCEPTED}), "completing"),
        (SHARE, moving("a", "migration_completing"), Track(), "completing"),
        (SHARE, moving("a", "migration_completing"), Track(sent={COMPLETE: UNKNOWN}), "completing"),
        (SHARE, moving("a", "migration_cancel_in_progress"), Track(), "cancelling"),
        (SHARE, moving("a", "data_copying_error"), Track(), "unclear"),
        (SHARE, moving("a", COPIES), Track(), "driver"),
        (SHARE, moving("a", COPIES, copy_mark=CopyMark("new")), Track(), "driver"),
        (SHARE, moving("a", COPIES, copy_mark=LATE_CANCEL), Track(), "cancelling"),
        (
            SHARE,
            moving("a", "migration_completing", copy_mark=LATE_CANCEL),
            Track(sent={COMPLETE: ACCEPTED}),
            "completing",
        ),
        (SHARE, moving("a", "data_copying_in_progress"), Track(), "copy"),
        (SHARE, moving("a", "migration_starting"), Track(), "copy"),
        (SHARE_SERVER, moving("a", "migration_starting", kind=SHARE_SERVER), Track(), "driver"),
        (SHARE_SERVER, moving("a", COPIES, kind=SHARE_SERVER), Track(), "driver"),
    ],
)
def test_what_a_migration_that_runs_waits_for(kind, seen, track, expected):
    track = replace(track, ours=True) if track.sent else track
    track = replace(track, sent_at={verb: NOW for verb in track.sent})
    decision = decide([share("a", kind=kind)], [seen], tracks={"a": track})
    assert {verb for verb, _id in wants(decision)} <= {RECORD}
    assert code(decision, "a") == expected
    assert not decision.finished
    down = [service(OLD), service(NEW, state="down")]
    decision = decide([share("a", kind=kind)], [seen], tracks={"a": track}, services=down)
    assert code(decision, "a") == "service_down"
    down = [service(OLD, state="down"), service(NEW)]
    decision = decide([share("a", kind=kind)], [seen], tracks={"a": track}, services=down)
    assert code(decision, "a") == "service_down"


@pytest.mark.parametrize("task_state", ["migration_error", "migration_cancelled"])
def test_what_has_ended_and_is_not_tidy_yet_does_not_copy(task_state):
    places = (Place(OLD, "available"), Place(NEW, "deleting"))
    track = Track(seen=True, ours=True, since=NOW)
    decision = decide(
        [share("a")], [resting("a", task_state, instances=places)], tracks={"a": track}
    )
    assert (wants(decision), code(decision, "a")) == ([], "status")


def test_the_service_at_the_other_end_is_known_from_the_plan_or_from_what_is_seen():
    down = [service(OLD), service(NEW, state="down")]
    for to in (NEW, None):
        for kind in (SHARE, SHARE_SERVER):
            plan = [share("a", to=to, kind=kind)]
            seen = moving("a", COPIES, kind=kind)
            seen = replace(seen, instances=None) if to else seen
            assert code(decide(plan, [seen], services=down), "a") == "service_down"
        cancel = decide(plan, [seen], services=down, goal=CANCELLED)
        assert (wants(cancel), code(cancel, "a")) == ([], "service_down")


def test_a_share_server_may_be_cut_over_where_nothing_tells_the_other_end():
    seen = replace(moving("a", DONE, kind=SHARE_SERVER), instances=None)
    plan = [share("a", to=None, kind=SHARE_SERVER)]
    assert wants(decide(plan, [seen], services=[service(OLD)], grace=1.0, now=NOW)) == []
    later = decide(
        plan, [seen], tracks={"a": Track(met_at=1.0)}, services=[service(OLD)], grace=1.0
    )
    assert wants(later) == [(COMPLETE, "a")]


def test_a_cancel_that_was_sent_is_waited_for():
    track = Track(seen=True, ours=True, sent={CANCEL: ACCEPTED}, sent_at={CANCEL: NOW})
    decision = decide([share("a")], [moving("a", COPIES)], tracks={"a": track}, goal=CANCELLED)
    assert (wants(decision), code(decision, "a")) == ([], "cancelling")


@pytest.mark.parametrize(
    ("kind", "task_state", "forced", "binary"),
    [
        (SHARE, "migration_starting", False, "manila-scheduler"),
        (SHARE_REPLICA, "replica_scheduling", False, "manila-scheduler"),
        (SHARE, "migration_in_progress", True, "manila-data"),
        (SHARE, "migration_in_progress", False, None),
        (SHARE, "data_copying_in_progress", False, "manila-data"),
        (SHARE, COPIES, False, None),
        (SHARE, COPIES, True, None),
        (SHARE_SERVER, "migration_starting", False, None),
    ],
)
def test_the_service_that_has_to_do_the_step_is_named(kind, task_state, forced, binary):
    options = Options(force_host_assisted_migration=forced)
    plan = [share("a", kind=kind, options=options)]
    seen = [moving("a", task_state, kind=kind)]
    for down in ("manila-scheduler", "manila-data"):
        for up in (False, True):
            decision = decide(plan, seen, workers={down: up})
            assert (code(decision, "a") == "service_down") is (down == binary and not up)


@pytest.mark.parametrize(
    ("code_before", "since_before", "expected"),
    [("driver", 5.0, 7.0), ("copy", 5.0, 7.0), (None, None, 7.0)],
)
def test_what_manila_is_at_it_is_at_since_its_last_step(code_before, since_before, expected):
    waiting = code_before and Reason(code_before, "m")
    track = Track(seen=True, ours=True, phase=COPYING, task_state=COPIES, since=7.0)
    track = replace(track, waiting_for=waiting, waiting_since=since_before)
    decision = decide([share("a")], [moving("a", COPIES)], tracks={"a": track})
    assert since(decision, "a") == expected


@pytest.mark.parametrize(
    ("before", "begun", "expected"),
    [("not_started", 5.0, 5.0), ("slot", 5.0, NOW), ("not_started", None, NOW)],
)
def test_what_lies_in_this_run_is_waited_for_since_it_was_so(before, begun, expected):
    waiting = Reason(before, "m")
    track = Track(seen=True, since=7.0, waiting_for=waiting, waiting_since=begun)
    decision = decide([share("a")], [], tracks={"a": replace(track, want=START)}, start_new=False)
    assert (code(decision, "a"), since(decision, "a")) == ("not_started", expected)


@pytest.mark.parametrize("expected", ["slot", "failures", "not_started", "service_disabled"])
def test_reasons_of_this_run_do_not_date_from_the_last_step_of_manila(expected):
    track = {"a": Track(seen=True, since=7.0, want=START)}
    limits = {
        "slot": {"max_parallel": 0},
        "failures": {"max_failures": 0},
        "not_started": {"start_new": False},
        "service_disabled": {"services": [service(NEW, status="disabled")]},
    }[expected]
    decision = decide([share("a")], [], tracks=track, **limits)
    assert (code(decision, "a"), since(decision, "a")) == (expected, NOW)


def test_nor_do_the_cordon_and_the_grace():
    cordoned = {"a": Track(seen=True, since=7.0, want=START, leads=True)}
    services = [service(OLD, status="disabled")]
    decision = decide([share("a")], [], tracks=cordoned, services=services)
    assert (code(decision, "a"), since(decision, "a")) == ("cordoned", NOW)
    met = {"a": Track(seen=True, since=7.0, met_at=NOW, want=COMPLETE, phase=COPIED, ours=True)}
    decision = decide([share("a")], [], tracks=met, grace=10.0)
    assert (code(decision, "a"), since(decision, "a")) == ("grace", NOW)


@pytest.mark.parametrize(
    ("limits", "finished"),
    [
        ({"max_failures": 0}, True),
        ({"start_new": False}, True),
        ({"max_parallel": 0}, False),
        ({"services": [service(NEW, state="down")]}, False),
        ({"services": [service(NEW, status="disabled")]}, False),
    ],
)
def test_when_no_waiting_will_help(limits, finished):
    assert decide([share("a")], [resting("a")], **limits).finished is finished


def test_what_is_still_to_be_written_down_is_no_end():
    """Of what was cancelled, the record of its interrupted copy is taken away."""
    seen = resting("a", copy_mark=CopyMark("older"))
    decision = decide([share("a")], [seen], goal=CANCELLED)
    assert decision.memory.tracks["a"].outcome == REACHED
    assert (wants(decision), decision.finished) == ([(RECORD, "a")], False)


def test_an_empty_plan_is_finished():
    decision = decide([], [])
    assert decision == Decision((), Memory(), True)


# -- what is assumed where nothing is said ---------------------------------------------------


def test_what_holds_unless_it_is_said():
    assert Limits() == Limits(
        goal="copied",
        max_parallel=5,
        max_parallel_per_pool=2,
        max_failures=1,
        window=None,
        cutover_seconds=0.0,
        copy_timeout=float("inf"),
        cutover_timeout=float("inf"),
        start_new=True,
        rehearsal=False,
        patience=600.0,
        grace=0.0,
    )
    assert (SETTLING, GOALS) == (120.0, ("copied", "completed", "cancelled"))
    names = (START, COMPLETE, CANCEL, REMOVE, VERIFY, RECORD)
    assert names == ("start", "complete", "cancel", "remove", "verify", "record")
    answers = (ACCEPTED, REFUSED, UNKNOWN, OUTDATED, HINDERED, BARRED, REACHED)
    assert answers == (
        "accepted",
        "refused",
        "unknown",
        "outdated",
        "hindered",
        "barred",
        "reached",
    )


def test_what_is_known_before_anything_was_read():
    track = Track()
    assert (track.phase, track.outcome, track.error, track.status_code) == (
        "idle",
        None,
        None,
        None,
    )
    assert (track.waiting_for, track.waiting_since, track.since, track.met_at) == (None,) * 4
    assert (track.task_state, track.mechanism, track.progress, track.destination) == (None,) * 4
    assert (track.origin, track.successor, track.refusal, track.held, track.want) == (None,) * 5
    assert (track.seen, track.ours, track.tainted, track.recorded) == (False,) * 4
    assert (track.leads, track.checked, track.look) == (False,) * 3
    assert (track.copy_mark, track.listed_mark, track.own_mark) == (None,) * 3
    assert (track.sent, track.sent_at) == ({}, {})
    assert (track.started_at, track.copied_at, track.completed_at) == (None,) * 3
    assert (track.facts_before, track.facts_after) == (None, None)
    assert Memory() == Memory({}, {}, 0, ())
    assert Reading() == Reading({}, frozenset(), {}, {})
    migration = Migration("s0", OLD, NEW)
    assert migration == Migration(
        "s0", OLD, NEW, "", 0, "share", Options(), delete_snapshots=(), group="", group_missing=()
    )
    assert Other(OLD, NEW, True) == Other(OLD, NEW, True, None, "share")


@pytest.mark.parametrize(
    ("kind", "name", "label"),
    [
        (SHARE, "n", "share n"),
        (SHARE, "", "share s0"),
        (SHARE_SERVER, "", "share server s0"),
        (SHARE_REPLICA, "n", "share replica n"),
    ],
)
def test_how_it_is_called(kind, name, label):
    assert Migration("s0", OLD, NEW, name, kind=kind).label == label
