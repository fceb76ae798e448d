# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold in every history, on a Manila that misbehaves: docs/design.md, "Invariants".

Hypothesis draws worlds: shares and share servers in all kinds of states, faults, other people,
limits.  The production runner drives them; each request is checked when it is
sent and each result when it is claimed; here the ends are checked.
A failing example names the world; the same one can be built again and looked at step by step.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._engine.record import summarize
from ansible_collections.manila.migration.plugins.module_utils._engine.types import (
    GOALS,
    REACHED,
    Limits,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import Mark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.places import backend_of
from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    CANCELLED,
    COMPLETED,
    COPIED,
    COPYING,
    FAILED,
    MIGRATING,
    STUCK,
)
from ansible_collections.manila.migration.tests.unit.conftest import TIMES
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    EVACUATION,
    FAULTS,
    FOREIGNER,
    Manila,
    Pace,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.model_cloud import (
    Evacuation,
)

SOURCE = "old@array#slow"
POOLS = ("new@disk#one", "new@disk#two", "other@box#one")

FOREIGN = frozenset(fault for fault in FAULTS if fault.startswith("foreign_"))
AWAY = frozenset({"share_manager_away", "share_manager_killed"})
OWN = frozenset(FAULTS) - FOREIGN - {"share_manager_killed"}
"""Without foreigners, and without what halts a migration for ever without a sign."""

# How a share of the plan is met.
IDLE_STATES = {
    "fresh": None,
    "failed before": "migration_error",
    "cancelled before": "migration_cancelled",
    "moved here before": "migration_success",
    "backup failed": "data_copying_error",
}
CLEAN = (*IDLE_STATES, "there already", "copied by driver", "copied by host")
DIRTY = (
    "copied elsewhere",
    "gone",
    "moved away",
    "leftover instance",
    "leftover there",
    "stuck",
    "rules in error",
)

# How a share server of the plan is met.
CLEAN_SERVERS = (
    "fresh",
    "failed before",
    "cancelled before",
    "moved here before",
    "there already",
    "copied",
)
DIRTY_SERVERS = (
    "copied elsewhere",
    "gone",
    "moved away",
    "older destination",
    "two destinations",
    "stuck start",
    "stuck cancel",
    "stuck cutover",
    "copied on beside a failed cancel",
    "in error",
    "source in error",
    "source not removed",
)

# How a share with replicas is met, of which one is to be moved.
CLEAN_REPLICAS = (
    "alone",
    "with another",
    "not active",
    "there already",
    "marked only",
    "marked elsewhere",
    "copied",
    "done but marked",
)
CUT_OVER_REPLICAS = ("promoted", "removing")
"""Clean, but no cancel is possible any more."""
DIRTY_REPLICAS = (
    *CUT_OVER_REPLICAS,
    "gone",
    "moved away",
    "copied elsewhere",
    "one there",
    "another in error",
    "new one in error",
    "without a pool",
    "all in error",
    "two there",
    "source not removed",
)

FORWARD = CLEAN_REPLICAS + CUT_OVER_REPLICAS

ALL = (CLEAN + DIRTY, CLEAN_SERVERS + DIRTY_SERVERS, CLEAN_REPLICAS + DIRTY_REPLICAS)

ENDING = tuple(one for one in DIRTY_SERVERS if not one.startswith("stuck"))
"""Without what Manila has left as if it went on: nothing tells that from what is slow."""

TOGETHER = (
    frozenset({"data_crash", "repair_in_the_open"}),
    frozenset({"false_data_error"}),
    frozenset({"answer_lost_later", "share_manager_away"}),
    frozenset({"answer_lost_done", "answer_lost_never"}),
    frozenset({"server_setup_fails", "server_start_fails", "server_delete_fails"}),
    frozenset({"server_copy_fails", "server_complete_fails", "share_manager_away"}),
    frozenset({"stuck_start", "double_start"}),
    frozenset({"read_only_stays"}),
    frozenset({"share_manager_killed"}),
    frozenset({"slow_cancel"}),
    frozenset({"slow_cancel", "driver_cancel_fails", "answer_lost_never"}),
    frozenset({"server_cancel_fails", "foreign_cancels"}),
    frozenset({"foreign_cancels", "foreign_completes", "share_manager_killed"}),
    frozenset({"replica_lags", "replica_looks_bad", "snapshots_late"}),
    frozenset({"replica_create_fails", "replica_update_fails", "replica_delete_fails"}),
    frozenset({"promotion_fails", "promotion_reverts", "share_manager_away"}),
    frozenset({"replica_delete_fails", "share_manager_away", "answer_lost_later"}),
)
"""Faults that are worst together, or that a draw of a few among many seldom meets."""


@dataclass(frozen=True)
class World:
    """One world, from which every run of the same history begins."""

    shares: tuple[tuple[str, bool, int], ...]
    """How each share of the plan is met, whether its driver can help, and its destination."""
    servers: tuple[tuple[str, int], ...] = ()
    """How each share server of the plan is met, and the pool whose back end is its destination."""
    replicas: tuple[tuple[str, int], ...] = ()
    """How each share with replicas of the plan is met, and the destination of one."""
    faults: frozenset[str] = frozenset()
    goal: str = COMPLETED
    max_parallel: int = 3
    max_parallel_per_pool: int = 2
    max_failures: int = 99
    others: int = 0
    """Migrations of shares that are not in the plan."""
    seed: int = 0
    latency: float = 0.0
    window: tuple[int, int] | None = None
    """Hours from the begin to the opening and to the end of the cutover window."""
    interval: float = 60.0
    grace: float = 0.0
    groups: int = 0
    """In so many cutover groups is what is planned; 0: each for itself."""
    cutover_seconds: float = 0.0

    def build(self) -> Evacuation:
        rng = random.Random(self.seed)
        # Slow enough that polls fall into every step of Manila's, or so fast that they jump over.
        pace = Pace(step=rng.choice((5.0, 15.0)))
        manila = Manila((SOURCE, *POOLS), faults=self.faults, seed=self.seed, pace=pace)
        plan = [
            _meet(manila, f"share-{number}", *share) for number, share in enumerate(self.shares)
        ]
        for number, server in enumerate(self.servers):
            plan.append(_meet_server(manila, f"server-{number}", *server))
        for number, replica in enumerate(self.replicas):
            plan.append(_meet_replica(manila, f"replicated-{number}", *replica))
        rng.shuffle(plan)
        if self.groups:
            plan = [replace(one, group=f"group-{rng.randrange(self.groups)}") for one in plan]
        for number in range(self.others):
            other, pool = f"other-{number}", rng.choice((SOURCE, *POOLS))
            if rng.random() < 0.5:
                manila.add_server(other, backend_of(pool))
            else:
                manila.add(other, pool, driver_assisted=rng.random() < 0.5)
            manila.at(rng.uniform(0, 1200), _attempt(manila, "start", other, rng.choice(POOLS)))
            manila.at(rng.uniform(600, 3000), _attempt(manila, "complete", other))
        for fault in sorted(self.faults & (FOREIGN | AWAY)):
            for _unused in range(3):
                manila.at(rng.uniform(0, 2400), _deed(manila, fault, rng))
        # A little before, so that things that were met are older than the run.
        manila.advance(1.0)
        window = None
        if self.window:
            begin, end = (manila.now + 3600 * hours for hours in self.window)
            window = CutoverWindow.parse({"start": timestamp(begin), "end": timestamp(end)})
        limits = Limits(
            goal=self.goal,
            max_parallel=self.max_parallel,
            max_parallel_per_pool=self.max_parallel_per_pool,
            max_failures=self.max_failures,
            window=window,
            cutover_seconds=self.cutover_seconds,
            grace=self.grace,
        )
        return Evacuation(manila, plan, limits, interval=self.interval, latency=self.latency)


def _meet(manila: Manila, share_id: str, how: str, driver: bool, pool: int) -> Migration:
    """Put a share of the plan into the state in which the evacuation meets it."""
    destination = POOLS[pool]
    elsewhere = POOLS[(pool + 1) % len(POOLS)]
    migration = Migration(share_id, SOURCE, destination, size_gb=1)
    if how == "gone":
        return migration
    share = manila.add(share_id, SOURCE, driver_assisted=driver, task_state=IDLE_STATES.get(how))
    if how == "there already":
        manila.teleport(share_id, destination)
    elif how == "moved away":
        manila.teleport(share_id, elsewhere)
    elif how == "copied by driver":
        manila.rest(share_id, "migration_driver_phase1_done", destination)
    elif how == "copied by host":
        manila.rest(share_id, "data_copying_completed", destination)
    elif how == "copied elsewhere":
        manila.rest(share_id, "migration_driver_phase1_done", elsewhere)
    elif how == "leftover instance":
        manila.leave_behind(share_id, destination)
        share.task_state = "migration_error"
    elif how == "leftover there":
        manila.teleport(share_id, destination)
        manila.leave_behind(share_id, SOURCE)
    elif how == "stuck":
        manila.rest(share_id, "data_copying_error", destination)
    elif how == "rules in error":
        share.rules_status = "error"
    return migration


# A row of independent misfortunes.
def _meet_server(  # noqa: C901
    manila: Manila, server_id: str, how: str, pool: int
) -> Migration:
    """Put a share server of the plan into the state in which the evacuation meets it."""
    source = backend_of(SOURCE)
    destination = backend_of(POOLS[pool])
    elsewhere = next(host for host in map(backend_of, POOLS) if host != destination)
    migration = Migration(server_id, source, destination, kind=SHARE_SERVER)
    server = manila.add_server(server_id, source, snapshots=("snap",))
    if how == "gone":
        del manila.servers[server_id]
    elif how == "failed before":
        server.task_state = "migration_error"
        manila.leave_server(server_id, destination)
    elif how == "cancelled before":
        server.task_state = "migration_cancelled"
        manila.leave_server(server_id, destination, "inactive")
    elif how == "moved here before":
        server.task_state, server.source_id = "migration_success", f"{server_id}-old"
    elif how == "there already":
        manila.teleport_server(server_id, destination)
    elif how == "moved away":
        manila.teleport_server(server_id, elsewhere)
    elif how.startswith("source "):
        manila.teleport_server(server_id, destination)
        left = manila.add_server(server_id, source, 0, task_state="migration_success")
        left.status = "error" if how == "source in error" else "inactive"
    elif how == "copied":
        manila.rest_server(server_id, destination)
    elif how == "copied elsewhere":
        manila.rest_server(server_id, elsewhere)
    elif how == "older destination":
        manila.leave_server(server_id, destination, "server_migrating_to")
    elif how == "two destinations":
        manila.rest_server(server_id, destination)
        manila.leave_server(server_id, elsewhere, "server_migrating_to")
    elif how == "stuck start":
        manila.rest_server(server_id, destination, "migration_starting").status = "error"
        server.refused = True
    elif how == "stuck cancel":
        manila.rest_server(server_id, destination, "migration_cancel_in_progress")
    elif how == "copied on beside a failed cancel":
        manila.copy_on(manila.rest_server(server_id, destination, "migration_cancel_in_progress"))
    elif how == "stuck cutover":
        manila.rest_server(server_id, destination, "migration_completing")
    elif how == "in error":
        manila.rest_server(server_id, destination, "migration_error").status = "error"
        server.status = "error"
    return migration


def _meet_replica(manila: Manila, share_id: str, how: str, pool: int) -> Migration:
    """Put a share with replicas into the state in which the evacuation meets it."""
    destination, elsewhere = POOLS[pool], POOLS[(pool + 1) % len(POOLS)]
    third = POOLS[(pool + 2) % len(POOLS)]
    migration = Migration(share_id, SOURCE, destination, kind=SHARE_REPLICA)
    if how == "gone":
        return migration
    at = {
        "with another": (SOURCE, third),
        "not active": (third, SOURCE),
        "there already": (destination, third),
        "done but marked": (destination, third),
        "moved away": (elsewhere,),
        "one there": (SOURCE, destination),
        "another in error": (SOURCE, third),
    }
    share = manila.add_replicated(share_id, *at.get(how, (SOURCE,)), snapshots=("snap",))
    mark = Mark(SOURCE, destination, timestamp(manila.now))
    news = {
        "copied": "available:in_sync",
        "copied elsewhere": "available:in_sync",
        "promoted": "available:active",
        "removing": "available:active",
        "source not removed": "available:active",
        "new one in error": "error:error",
        "all in error": "error:in_sync",
        "two there": "available:in_sync",
    }
    if how == "marked elsewhere":
        manila.mark(share_id, replace(mark, destination=elsewhere), FOREIGNER)
    elif how in ("marked only", "done but marked"):
        manila.mark(share_id, mark, FOREIGNER)
    elif how in news:
        if how == "copied elsewhere":
            mark = replace(mark, destination=elsewhere)
        manila.replicate(share_id, mark, news[how])
    elif how == "another in error":
        share.replicas[1].status = "error"
    elif how == "without a pool":
        manila.mark(share_id, mark, FOREIGNER)
        manila.create_replica(share_id, "nowhere@nowhere#x", FOREIGNER)
    old = share.replicas[0]
    if how in ("promoted", "removing", "source not removed"):
        old.state = "in_sync"
    if how == "removing":
        manila.delete_replica(share_id, old.id, FOREIGNER)
    elif how == "source not removed":
        old.status = "error_deleting"
    elif how == "all in error":
        old.status = "error"
    elif how == "two there":
        manila.replicate(share_id, mark, "available:in_sync")
    return migration


def _attempt(manila: Manila, verb: str, subject: str, *where: str):
    def act() -> None:
        if verb == "start":
            place = backend_of(where[0]) if manila.is_server(subject) else where[0]
            manila.start(subject, place, Options(), FOREIGNER)
        else:
            getattr(manila, verb)(subject, FOREIGNER)

    return act


def _deed(manila: Manila, fault: str, rng: random.Random):
    def act() -> None:
        subjects = sorted({*manila.shares, *manila.servers, *manila.replicated})
        backend = backend_of(rng.choice((SOURCE, *POOLS)))
        if fault == "share_manager_away":
            manila.stop_service(backend, rng.uniform(30, 900))
        elif fault == "share_manager_killed":
            manila.kill_service(backend, rng.uniform(30, 900))
        elif subjects:
            subject = rng.choice(subjects)
            if subject in manila.replicated:
                _meddle(manila, fault, subject, rng)
            elif fault == "foreign_starts":
                _attempt(manila, "start", subject, rng.choice(POOLS))()
            elif fault == "foreign_completes":
                manila.complete(subject, FOREIGNER)
            elif fault == "foreign_cancels":
                manila.cancel(subject, FOREIGNER)
            elif fault == "foreign_deletes":
                (manila.delete_server if manila.is_server(subject) else manila.delete)(subject)
            elif fault == "foreign_resets":
                reset = manila.reset_server if manila.is_server(subject) else manila.reset
                reset(subject, rng.choice([None, "migration_error"]))

    return act


def _meddle(manila: Manila, fault: str, share_id: str, rng: random.Random) -> None:
    """What other people do to a share with replicas."""
    share = manila.replicated[share_id]
    one = rng.choice(share.replicas)
    if fault == "foreign_starts":
        manila.create_replica(share_id, rng.choice(POOLS), FOREIGNER)
    elif fault == "foreign_completes":
        manila.promote_replica(share_id, one.id, FOREIGNER)
    elif fault == "foreign_cancels":
        manila.delete_replica(share_id, one.id, FOREIGNER)
    elif fault == "foreign_deletes":
        manila.delete_replicated(share_id)
    else:
        manila.unmark(share_id, FOREIGNER)


def _some(faults: frozenset[str]) -> st.SearchStrategy[frozenset[str]]:
    if not faults:
        return st.just(frozenset())
    drawn = st.frozensets(st.sampled_from(sorted(faults)), max_size=3)
    together = [some for some in TOGETHER if some <= faults]
    return st.one_of(drawn, st.sampled_from(together)) if together else drawn


def worlds(
    faults: frozenset[str] = frozenset(),
    states: tuple[str, ...] = CLEAN,
    servers: tuple[str, ...] = CLEAN_SERVERS,
    replicas: tuple[str, ...] = CLEAN_REPLICAS,
    goals: tuple[str, ...] = GOALS,
    **fixed,
) -> st.SearchStrategy[World]:
    pool = st.integers(0, len(POOLS) - 1)
    share = st.tuples(st.sampled_from(states), st.booleans(), pool)
    server = st.tuples(st.sampled_from(servers or CLEAN_SERVERS), pool)
    replica = st.tuples(st.sampled_from(replicas or CLEAN_REPLICAS), pool)
    chosen = {
        "shares": st.lists(share, max_size=5).map(tuple),
        "servers": st.lists(server, max_size=3 if servers else 0).map(tuple),
        "replicas": st.lists(replica, max_size=3 if replicas else 0).map(tuple),
        "faults": _some(faults),
        "goal": st.sampled_from(goals),
        "max_parallel": st.integers(1, 4),
        "max_parallel_per_pool": st.integers(1, 3),
        "others": st.integers(0, 3),
        "seed": st.integers(0, 2**32),
        "interval": st.sampled_from([20.0, 60.0, 90.0]),
        "groups": st.sampled_from([0, 0, 1, 2]),
    }
    chosen.update({name: st.just(value) for name, value in fixed.items()})
    return st.builds(World, **chosen).map(_with_countable_others)


def _with_countable_others(world: World) -> World:
    """Of one that somebody started twice, only one of the two destinations is counted."""
    return replace(world, others=0) if "double_start" in world.faults else world


def histories(number: int):
    """So many histories, times what the environment asks for."""
    return settings(max_examples=max(1, int(number * TIMES)))


def assert_harmless(loop: Evacuation) -> None:
    """Nothing that was sent broke a rule, and nothing was destroyed by what was sent."""
    assert loop.broken == []
    for violation in loop.manila.violations:
        ours = violation.who.count(EVACUATION)
        if violation.what.startswith("complete"):
            # Another person's complete a second before or after ours is a race that Manila
            # gives no means against; two of ours never happen.
            assert ours <= 1, violation
        else:
            assert ours == 0, violation


def assert_explained(loop: Evacuation) -> None:
    """What is not settled says what it waits for, what failed says why."""
    for migration in loop.plan:
        track = loop.track(migration.id)
        if track.outcome == FAILED:
            assert track.error, migration
            assert track.error.endswith((".", "?")), track.error
        elif track.outcome is None:
            assert track.waiting_for, migration
            assert track.waiting_since is not None, migration
            assert track.waiting_since <= loop.manila.now


def assert_moved(manila: Manila, migration: Migration) -> None:
    """It is in use at its destination."""
    if migration.kind == SHARE_SERVER:
        assert_server_is_there(manila, migration, COMPLETED)
    elif migration.kind == SHARE_REPLICA:
        assert_replica_is_there(manila, migration, COMPLETED)
    else:
        share = manila.shares[migration.id]
        assert (share.host, share.status) == (migration.destination, "available")


def assert_server_is_there(manila: Manila, migration: Migration, goal: str) -> None:
    """A share server is where the goal wants it, whole, with all its shares."""
    source = manila.servers.get(migration.id)
    successor = manila.successor_of(migration.id)
    copies = manila.copies_of(migration.id)
    if goal == COMPLETED or source is None:
        assert source is None
        assert successor
        assert (successor.host, successor.content) == (migration.destination, 1.0)
        assert copies == []
        server = successor
    elif goal == COPIED:
        assert [(one.host, one.content) for one in copies] == [(migration.destination, 1.0)]
        assert source.task_state == "migration_driver_phase1_done"
        assert successor is None
        return
    else:
        assert source.status == "active"
        assert copies == []
        server = source
    assert {one.status for one in server.members.values()} == {"available"}
    assert {backend_of(one.host) for one in server.members.values()} == {server.host}


def assert_replica_is_there(manila: Manila, migration: Migration, goal: str) -> None:
    """A share has its replica where the goal wants it, and as many as before, or one more."""
    share = manila.replicated[migration.id]
    places = {one.host: one for one in share.replicas}
    old, new = places.get(migration.source), places.get(migration.destination or "")
    assert share.active
    assert share.active.status == "available"
    assert all(one.content == 1.0 for one in share.replicas)
    assert len(places) == len(share.replicas)
    if goal == COMPLETED or old is None:
        assert new
        assert old is None
        assert share.metadata == {}
    elif goal == COPIED:
        assert new
        assert new.state == "in_sync"
        assert len(places) == share.expected + 1
        return
    else:
        assert new is None
        assert share.metadata == {}
    assert len(places) == share.expected


# -- nothing is ever harmed ------------------------------------------------------------------


@histories(400)
@given(
    world=worlds(frozenset(FAULTS), *ALL),
    max_failures=st.integers(1, 5),
    latency=st.sampled_from([0.0, 2.0]),
    window=st.sampled_from([None, (0, 1), (1, 2)]),
    cutover_seconds=st.sampled_from([0.0, 60.0, 1200.0]),
)
def test_no_history_harms(world, max_failures, latency, window, cutover_seconds):
    """Invariants 1 to 7, whatever goes wrong and whoever meddles."""
    world = replace(
        world,
        max_failures=max_failures,
        latency=latency,
        window=window,
        cutover_seconds=cutover_seconds,
    )
    loop = world.build().run()
    assert_harmless(loop)
    assert_explained(loop)


@histories(250)
@given(world=worlds(OWN, CLEAN + DIRTY, CLEAN_SERVERS + ENDING, ALL[2]))
def test_what_goes_wrong_comes_to_an_end(world):
    """With nobody meddling every fault ends in a result; no migration is waited for for ever."""
    loop = world.build().run()
    assert_harmless(loop)
    assert_explained(loop)
    assert not loop.timed_out
    for migration in loop.plan:
        track = loop.track(migration.id)
        reason = track.waiting_for
        assert track.settled or (reason and reason.code == "group_broken"), migration


# -- everything is reached when nothing goes wrong -------------------------------------------


@histories(250)
@given(world=worlds())
def test_without_misbehaviour_everything_is_reached(world):
    loop = world.build().run()
    assert_harmless(loop)
    assert loop.manila.violations == []
    assert not loop.timed_out
    for migration in loop.plan:
        track = loop.track(migration.id)
        assert track.outcome == REACHED, (migration, track)
        if migration.kind == SHARE_SERVER:
            assert_server_is_there(loop.manila, migration, world.goal)
            continue
        if migration.kind == SHARE_REPLICA:
            assert_replica_is_there(loop.manila, migration, world.goal)
            continue
        share = loop.manila.shares[migration.id]
        if world.goal == COMPLETED:
            assert (share.host, share.status) == (migration.destination, "available")
            assert share.instance.content == 1.0
        elif world.goal == COPIED:
            assert share.host in (SOURCE, migration.destination)
            assert share.host != SOURCE or share.task_state.endswith(("phase1_done", "completed"))
        else:
            assert share.status == "available"
        assert len(share.instances) == 1 or world.goal == COPIED
    counts = summarize(loop.plan, loop.memory)
    assert counts["failed"] == counts["waiting"] == 0


@histories(100)
@given(world=worlds())
def test_a_second_run_sends_nothing(world):
    first = world.build().run()
    calls = len(first.manila.calls)
    first.manila.advance(3600)
    second = Evacuation(first.manila, first.plan, first.limits).run()
    assert [call for call in second.manila.calls[calls:] if call.who == EVACUATION] == []
    assert second.polls <= 2
    assert all(second.track(one.id).outcome == REACHED for one in second.plan)


# -- killed and run again --------------------------------------------------------------------


@histories(200)
@given(
    world=worlds(goals=(COMPLETED, COPIED), replicas=FORWARD),
    kills=st.lists(st.integers(0, 12), max_size=4),
)
def test_killed_at_any_poll_it_ends_where_it_would_have_ended(world, kills):
    """Invariant 9, with a rest for what is met copied: a complete shows after a second here."""
    world = replace(world, grace=10.0)
    steady = world.build().run()
    loop = world.build()
    for polls in kills:
        loop.run(polls)
        loop.forget()
    loop.run()
    assert_harmless(loop)
    assert loop.manila.violations == []
    for migration in loop.plan:
        one, other = steady.track(migration.id), loop.track(migration.id)
        assert (one.outcome, one.phase) == (other.outcome, other.phase), migration
        if world.goal == COMPLETED:
            assert_moved(loop.manila, migration)


@histories(150)
@given(
    world=worlds(goals=(COMPLETED,), replicas=FORWARD, others=0),
    kills=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6), st.booleans()), max_size=4),
)
def test_killed_before_or_after_a_request(world, kills):
    """The same, killed at a request before or after it was carried out, and run again at once."""
    world = replace(world, grace=10.0)
    loop = world.build()
    for polls, request, carried_out in kills:
        loop.run(polls)
        loop.run(20, kill=(request, carried_out))
        loop.forget()
    loop.run()
    assert_harmless(loop)
    assert loop.manila.violations == []
    assert not loop.timed_out
    for migration in loop.plan:
        assert_moved(loop.manila, migration)


@histories(150)
@given(
    world=worlds(
        frozenset({"slow_cancel", "driver_cancel_fails", "answer_lost_never", "answer_lost_done"}),
        states=("fresh", "copied by driver", "copied by host"),
        servers=("copied", "fresh"),
        replicas=("copied", "alone"),
        goals=(COMPLETED, COPIED, CANCELLED),
        others=0,
    ),
    kills=st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 6), st.booleans()), min_size=1, max_size=3
    ),
)
def test_what_a_killed_run_cancels_is_neither_completed_nor_cancelled_twice(world, kills):
    """Invariant 11: whatever the next run wants, and wherever the one before it was killed."""
    loop = world.build()
    limits = loop.limits
    for polls, request, carried_out in kills:
        loop.run(polls)
        loop.forget()
        loop.limits = replace(limits, goal=CANCELLED)
        loop.run(20, kill=(request, carried_out))
        loop.forget()
        loop.limits = limits
    loop.run()
    assert_harmless(loop)
    assert_explained(loop)
    assert loop.manila.violations == []


@histories(150)
@given(
    world=worlds(
        frozenset({"data_crash", "repair_in_the_open"}),
        states=("fresh", "copied by host"),
        servers=(),
        replicas=(),
        goals=(COMPLETED, COPIED),
        others=0,
        interval=60.0,
    ),
    kills=st.lists(st.integers(1, 8), max_size=6),
)
def test_killed_while_an_operator_mends(world, kills):
    """An interrupted copy looks as if it was whole while somebody mends it by hand."""
    world = replace(
        world,
        faults=frozenset({"data_crash", "repair_in_the_open"}),
        shares=tuple((how, False, pool) for how, _driver, pool in world.shares),
        grace=10.0,
    )
    loop = world.build()
    for polls in kills:
        loop.run(polls)
        loop.forget()
    loop.run()
    assert_harmless(loop)
    assert loop.manila.violations == []


@histories(100)
@given(
    world=worlds(
        states=("copied by driver", "copied by host", "fresh"),
        servers=("copied", "fresh"),
        replicas=("copied", "promoted", "alone", "not active"),
        goals=(COMPLETED,),
        others=0,
        interval=20.0,
    ),
    kills=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from((SOURCE, *POOLS)), st.integers(5, 900)),
        min_size=1,
        max_size=3,
    ),
)
def test_killed_while_a_manager_is_away(world, kills):
    """What was sent waits for its manager; the next run doesn't send it again meanwhile.

    A manager that has just died still counts as alive, and so does one that is starting for who
    doesn't look at what it says of itself.
    """
    world = replace(world, grace=10.0)
    loop = world.build()
    for polls, pool, seconds in kills:
        loop.run(polls)
        actions = loop.poll().actions
        loop.manila.stop_service(backend_of(pool), seconds)
        for action in actions:
            loop.perform(action)
        loop.forget()
    loop.run()
    assert_harmless(loop)
    assert_explained(loop)
    assert loop.manila.violations == []


@histories(60)
@given(world=worlds(goals=(COMPLETED, COPIED), replicas=FORWARD, others=0), shift=st.floats(2, 100))
def test_two_at_once(world, shift):
    """Two evacuations with the same plan, never within the second that Manila needs to act."""
    one = world.build()
    two = Evacuation(one.manila, one.plan, one.limits, interval=37.0)
    done = 0
    while done < 2 and one.polls < 200:
        one.run(1)
        one.manila.advance(shift)
        two.run(1)
        done = sum(loop.finished for loop in (one, two))
    for loop in (one, two):
        assert_harmless(loop)
        for migration in loop.plan:
            assert loop.track(migration.id).outcome == REACHED, loop.track(migration.id)
    assert one.manila.violations == []


# -- reading changes nothing, and costs what it must -----------------------------------------


@histories(150)
@given(world=worlds(frozenset(FAULTS), *ALL), polls=st.integers(0, 15))
def test_deciding_sends_nothing_and_forgets_nothing(world, polls):
    """Invariant 8: a decision depends on what was read, and reading is all that it costs."""
    loop = world.build()
    loop.run(polls)
    before, calls = loop.memory, len(loop.manila.calls)
    decisions = []
    for _unused in range(2):
        loop.forget()  # what the runner keeps for itself: whom to ask next for its progress
        loop.memory = before
        decisions.append(loop.poll())
    first, second = decisions
    assert first == second
    assert [call for call in loop.manila.calls[calls:] if call.who == EVACUATION] == []
    # What is decided once more, without a new reading, is decided alike.
    assert len({(action.verb, action.migration.id) for action in first.actions}) == len(
        first.actions
    )


@histories(150)
@given(world=worlds(frozenset({"share_manager_away"}), *ALL))
def test_looks_are_for_what_begins_and_ends(world):
    """Invariant 10: beside what is met, only what began, ends or is unclear costs a look."""
    loop = world.build()
    met: set[str] = set()
    while loop.polls < 240 and not (loop.finished or loop.timed_out):
        before = loop.memory
        loop.run(1)
        for share_id in loop.looked[-1] & met & set(before.tracks):
            track = before.tracks[share_id]
            others_end = share_id in before.others
            assert not track.settled or others_end, (share_id, track)
            # What waits for its turn is looked at when somebody else begins or ended it.
            ours = track.ours or track.look or track.phase in MIGRATING | {STUCK}
            if share_id in loop.manila.replicated:
                began = bool(loop.manila.replicated[share_id].metadata)
            else:
                began = loop.manila.shares[share_id].attempt > 0
            assert ours or began or others_end, (share_id, track)
            # What copies is not looked at again, once it is known where to.
            steady = track.phase == COPYING and track.destination and track.ours and not track.look
            still = loop.track(share_id).phase == COPYING
            assert not (steady and still), (share_id, track)
        # One list says all that there is to know of share servers.
        assert not any(map(loop.manila.is_server, loop.looked[-1]))
        met |= loop.looked[-1]


def test_a_large_plan_at_work_costs_no_looks():
    """400 that wait and two that copy: after the first reading nothing is looked at."""
    shares, servers = (("fresh", True, 0),) * 200, (("fresh", 2),) * 100
    world = World(shares, servers, (("with another", 1),) * 100, goal=COPIED)
    loop = world.build()
    loop.run(1)
    assert len(loop.looked[0]) == 300
    loop.run(2)
    assert loop.looked[1:] == [set(), set()]
    reads = loop.manila.reads
    loop.poll()
    assert loop.manila.reads - reads <= 5
