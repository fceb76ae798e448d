# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How records of the API are read: which of them speak for what migrates."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    SHARE,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.markers import (
    LISTED,
    MARK,
    Mark,
)
from ansible_collections.manila.migration.plugins.module_utils._model.moments import epoch
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Share,
    ShareServer,
)
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Place,
    Target,
    classify,
)
from ansible_collections.manila.migration.plugins.module_utils._states.observe import (
    DESTINATION,
    observe_replica,
    observe_server,
    observe_servers,
    observe_share,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    COMPLETED,
    COMPLETING,
    MARKED,
    MOVED,
)

OLD, NEW, OTHER = "n@old", "n@new", "n@other"

NOON = "2026-05-04T12:00:00.000000"
LATER = "2026-05-04T12:01:40"
EPOCH = 1777896000.0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (NOON, EPOCH),
        (LATER, EPOCH + 100),
        ("2026-05-04T12:00:00.500000", EPOCH + 0.5),
        (None, None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_epoch(text, moment):
    assert epoch(text) == moment


# -- shares ----------------------------------------------------------------------------------

SHARE_RECORD = Share(
    "s", "name", 7, "n@old#p", "migrating", "migration_driver_in_progress", share_type_id="t"
)


def instance(number: int, host: str, status: str, created: str | None, updated: str | None):
    return Instance(str(number), "s", host, status, created_at=created, updated_at=updated)


@pytest.mark.parametrize(
    ("instances", "places", "changed", "started"),
    [
        (None, None, None, None),
        ([], (), None, None),
        (
            [("n@old#p", "available", NOON, None)],
            (Place("n@old#p", "available", "0"),),
            EPOCH,
            None,
        ),
        (
            [("n@old#p", "available", NOON, LATER)],
            (Place("n@old#p", "available", "0"),),
            EPOCH + 100,
            None,
        ),
        (
            [("n@old#p", "migrating", NOON, None), ("n@new#p", "creating", LATER, None)],
            (Place("n@old#p", "migrating", "0"), Place("n@new#p", "creating", "1")),
            EPOCH + 100,
            EPOCH + 100,
        ),
        (
            [("n@old#p", "migrating", None, None), ("n@new#p", "creating", None, None)],
            (Place("n@old#p", "migrating", "0"), Place("n@new#p", "creating", "1")),
            None,
            None,
        ),
    ],
)
def test_a_share_and_its_instances(instances, places, changed, started):
    records = instances and [instance(number, *one) for number, one in enumerate(instances)]
    seen = observe_share(SHARE_RECORD, [] if instances == [] else records)
    assert (seen.instances, seen.changed_at, seen.started_at) == (places, changed, started)
    assert (seen.kind, seen.successor) == (SHARE, None)
    assert (seen.id, seen.name, seen.size_gb, seen.host) == ("s", "name", 7, "n@old#p")


# -- share servers ---------------------------------------------------------------------------


def server(server_id: str, host: str, status: str, task_state: str | None = None, of=None):
    return ShareServer(server_id, host, status, task_state, source_id=of, share_network_id="net")


DONE = "migration_success"
PHASE1 = "migration_driver_phase1_done"
MOVING = server("a", OLD, "server_migrating", "migration_in_progress")
COPY = server("b", NEW, DESTINATION, PHASE1, "a")
ARRIVED = server("b", NEW, "active", DONE, "a")
BYSTANDERS = [
    server("x", OLD, "active"),
    server("y", NEW, DESTINATION, PHASE1, "x"),
    server("z", OTHER, "active", DONE, "w"),
]


@pytest.mark.parametrize(
    ("servers", "speaks", "places", "successor"),
    [
        pytest.param([], None, None, None, id="never heard of"),
        pytest.param([server("a", OLD, "active")], "a", [(OLD, "active")], None, id="idle"),
        # The destination is in the making, and names no source yet.
        pytest.param(
            [MOVING, server("b", NEW, "creating")],
            "a",
            [(OLD, "server_migrating")],
            None,
            id="destination not ready",
        ),
        pytest.param(
            [MOVING, COPY],
            "a",
            [(OLD, "server_migrating"), (NEW, DESTINATION)],
            "b",
            id="migrates",
        ),
        pytest.param(
            [COPY, MOVING],
            "a",
            [(OLD, "server_migrating"), (NEW, DESTINATION)],
            "b",
            id="in any order",
        ),
        pytest.param(
            [MOVING, COPY, server("c", OTHER, DESTINATION, None, "a")],
            "a",
            [(OLD, "server_migrating"), (NEW, DESTINATION), (OTHER, DESTINATION)],
            None,
            id="two destinations",
        ),
        pytest.param(
            [
                server("a", OLD, "active", "migration_error"),
                server("b", NEW, "error", "migration_error", "a"),
                server("c", OTHER, "inactive", "migration_cancelled", "a"),
                server("d", OTHER, "deleting", "migration_error", "a"),
                server("e", OTHER, "active", "migration_error", "a"),
            ],
            "a",
            [(OLD, "active")],
            None,
            id="what is left of others counts for nothing",
        ),
        pytest.param(
            [server("a", OLD, "active"), COPY],
            "a",
            [(OLD, "active"), (NEW, DESTINATION)],
            None,
            id="an older destination is no successor",
        ),
        pytest.param(
            [server("a", OLD, "error", "migration_error"), server("b", NEW, "error", None, "a")],
            "a",
            [(OLD, "error")],
            None,
            id="second phase failed",
        ),
        # The end of a cutover, in either order.
        pytest.param(
            [server("a", OLD, "inactive", DONE), COPY],
            "a",
            [(OLD, "inactive"), (NEW, DESTINATION)],
            "b",
            id="source is done with",
        ),
        pytest.param([COPY], "b", [(NEW, DESTINATION)], "b", id="source is gone"),
        pytest.param(
            [COPY, server("c", OTHER, DESTINATION, None, "a")],
            "b",
            [(NEW, DESTINATION), (OTHER, DESTINATION)],
            None,
            id="source is gone, two destinations",
        ),
        pytest.param(
            [server("a", OLD, "inactive", DONE), ARRIVED],
            "b",
            [(NEW, "active"), (OLD, "inactive")],
            "b",
            id="arrived, source is done with",
        ),
        pytest.param(
            [ARRIVED, server("a", OLD, "deleting", DONE)],
            "b",
            [(NEW, "active"), (OLD, "deleting")],
            "b",
            id="arrived, source is being removed",
        ),
        pytest.param(
            [ARRIVED, server("a", OLD, "error", DONE)],
            "b",
            [(NEW, "active"), (OLD, "error")],
            "b",
            id="arrived, source can't be removed",
        ),
        pytest.param([ARRIVED], "b", [(NEW, "active")], "b", id="arrived"),
        pytest.param(
            [server("a", OLD, "server_migrating", PHASE1), ARRIVED],
            "a",
            [(OLD, "server_migrating")],
            None,
            id="what migrates has not arrived",
        ),
        # It came from somewhere itself.
        pytest.param(
            [server("a", OLD, "active", DONE, "o")],
            "a",
            [(OLD, "active")],
            None,
            id="came here before",
        ),
        pytest.param(
            [
                server("b", NEW, "server_migrating", PHASE1, "a"),
                server("c", OTHER, DESTINATION, None, "b"),
            ],
            None,
            None,
            None,
            id="successor goes on",
        ),
        pytest.param(
            [server("b", NEW, "error", None, "a")], None, None, None, id="successor broken"
        ),
        pytest.param(
            [server("b", NEW, "active", "migration_error", "a")],
            None,
            None,
            None,
            id="gone, its successor has failed to go on",
        ),
    ],
)
def test_which_record_speaks_for_a_share_server(servers, speaks, places, successor):
    seen = observe_server("a", [*BYSTANDERS, *servers])
    if speaks is None:
        assert seen is None
        return
    assert seen
    record = next(one for one in servers if one.id == speaks)
    assert (seen.id, seen.kind, seen.share_network_id) == ("a", SHARE_SERVER, "net")
    assert (seen.host, seen.status, seen.task_state) == (
        record.host,
        record.status,
        record.task_state,
    )
    assert seen.instances == tuple(Place(*one) for one in places)
    assert seen.successor == successor


@pytest.mark.parametrize(
    ("source", "copy", "phase"),
    [
        (
            ("server_migrating", "migration_completing"),
            (DESTINATION, "migration_completing"),
            COMPLETING,
        ),
        (("inactive", DONE), (DESTINATION, "migration_completing"), COMPLETING),
        (None, (DESTINATION, "migration_completing"), COMPLETING),
        (("inactive", DONE), ("active", DONE), COMPLETING),
        (("deleting", DONE), ("active", DONE), COMPLETING),
        (None, ("active", DONE), COMPLETED),
    ],
)
def test_each_moment_of_a_cutover(source, copy, phase):
    servers = [server("b", NEW, *copy, of="a")]
    if source:
        servers.append(server("a", OLD, *source))
    seen = observe_server("a", servers)
    assert seen
    assert classify(seen, Target(NEW)) == phase


@pytest.mark.parametrize(
    ("source", "copy", "changed", "started"),
    [
        ((NOON, None), None, EPOCH, None),
        ((NOON, LATER), None, EPOCH + 100, None),
        ((None, None), None, None, None),
        ((NOON, None), (LATER, None), EPOCH, EPOCH + 100),
        (None, (NOON, LATER), EPOCH + 100, None),
    ],
)
def test_when_a_server_changed_and_its_migration_began(source, copy, changed, started):
    servers = []
    if source:
        times = dict(zip(("created_at", "updated_at"), source))
        servers.append(ShareServer("a", OLD, "server_migrating", **times))
    if copy:
        times = dict(zip(("created_at", "updated_at"), copy))
        servers.append(ShareServer("b", NEW, DESTINATION, source_id="a", **times))
    seen = observe_server("a", servers)
    assert seen
    assert (seen.changed_at, seen.started_at) == (changed, started)


@pytest.mark.parametrize(
    ("planned", "servers", "found"),
    [
        ([], [], []),
        ([], [server("x", OLD, "active")], []),
        (["x", "gone"], [server("x", OLD, "active"), server("y", OLD, "active")], ["x"]),
        ([], [MOVING, COPY], ["a"]),
        (["a"], [MOVING, COPY], ["a"]),
        (["q"], [MOVING, server("q", OLD, "error")], ["a", "q"]),
        # The last moment of a cutover is at work too, whoever it is for.
        ([], [server("a", OLD, "inactive", DONE), COPY], ["a"]),
        ([], [COPY], ["a"]),
        ([], [ARRIVED], []),
        (["a"], [ARRIVED], ["a"]),
        ([], [server("b", NEW, "error", None, "a")], []),
    ],
)
def test_what_is_read_of_all_servers(planned, servers, found):
    seen = observe_servers(planned, servers)
    assert [one.id for one in seen] == found
    assert seen == [observe_server(one, servers) for one in found]


# -- replicas --------------------------------------------------------------------------------

HERE, THERE, BESIDE = "n@old#p", "n@new#p", "n@other#p"
MADE = Mark(HERE, THERE, "2026-05-04T12:00:00Z")


def replicated(**more) -> Share:
    marked = {MARK: str(MADE), **LISTED} if more.pop("marked", True) else {}
    return Share("s", "name", 7, HERE, "available", metadata=marked, **more)


def copy(host: str, text: str = "available in_sync", at: str = LATER) -> Instance:
    status, state = text.split(" ")
    return Instance(f"r-{host}", "s", host, status, replica_state=state, created_at=at)


FIRST = copy(HERE, "available active", "2026-01-01T00:00:00")


@pytest.mark.parametrize(
    ("old", "new", "task_state"),
    [
        ("available active", "creating out_of_sync", "replica_creating"),
        ("available active", "available out_of_sync", "replica_out_of_sync"),
        ("available active", "available in_sync", "replica_in_sync"),
        ("available active", "available error", "replica_sync_error"),
        ("available active", "error error", "replica_error"),
        ("available active", "error_deleting error", "replica_error"),
        ("available active", "deleting in_sync", "replica_cancelling"),
        ("available active", "reverting in_sync", "replica_unclear"),
        ("available active", "replication_change in_sync", "replica_promoting"),
        # Both records change while it is promoted, one after the other.
        ("available in_sync", "replication_change in_sync", "replica_promoting"),
        ("available out_of_sync", "available active", "replica_promoted"),
        ("error error", "available active", "replica_promoted"),
        ("error_deleting error", "available active", "replica_promoted"),
        ("deleting in_sync", "available active", "replica_removing"),
        ("deleting in_sync", "available in_sync", "replica_removing"),
        ("error_deleting error", "available in_sync", "replica_promoted"),
        ("error active", "error in_sync", "replica_promotion_error"),
        ("error in_sync", "error active", "replica_promotion_error"),
        ("error active", "available in_sync", "replica_promotion_error"),
    ],
)
def test_two_replicas_tell_what_is_done(old, new, task_state):
    seen = observe_replica(replicated(), [copy(HERE, old, NOON), copy(THERE, new)], HERE, THERE)
    assert (seen.kind, seen.host, seen.task_state) == (SHARE_REPLICA, HERE, task_state)
    broken = task_state == "replica_promotion_error"
    assert seen.status == ("error" if broken else "replicating")
    assert seen.destination == (None if broken else THERE)
    assert seen.leads == old.endswith(" active")
    assert [one.id for one in seen.instances or ()] == [f"r-{HERE}", f"r-{THERE}"]
    assert (seen.started_at, seen.copies) == (EPOCH + 100, 2)


def test_a_replica_without_a_pool_is_ours_if_it_is_young():
    seen = observe_replica(replicated(), [FIRST, copy("", "creating out_of_sync")], HERE, THERE)
    assert (seen.task_state, seen.destination) == ("replica_scheduling", THERE)
    seen = observe_replica(replicated(), [FIRST, copy("", "error error")])
    assert seen.task_state == "replica_error"


@pytest.mark.parametrize("at", [NOON.replace("12:00:00", "11:59:30"), None, "yesterday"])
def test_a_replica_that_is_not_younger_than_the_mark_is_not_ours(at):
    seen = observe_replica(replicated(), [FIRST, copy(THERE, at=at)], HERE, THERE)
    assert (seen.task_state, seen.status, seen.host) == (MARKED, "available", HERE)
    assert "already, which this migration has not made" in str(seen.obstacle)


def test_clocks_may_differ_a_little():
    seen = observe_replica(replicated(), [FIRST, copy(THERE, at="2026-05-04T11:59:57")])
    assert seen.task_state == "replica_in_sync"


def test_one_elsewhere_is_neither():
    seen = observe_replica(replicated(), [FIRST, copy(BESIDE), copy(THERE)], HERE, THERE)
    assert (seen.task_state, seen.copies) == ("replica_in_sync", 2)
    assert seen.obstacle is None


def test_a_second_one_in_the_pool_shows():
    pair = [copy(THERE, at="2026-01-01T00:00:00"), copy(THERE)]
    assert observe_replica(replicated(), [FIRST, *pair], HERE, THERE).copies == 3


@pytest.mark.parametrize(
    ("instances", "marked", "host", "task_state", "phase"),
    [
        ([FIRST], False, HERE, None, "idle"),
        ([FIRST], True, HERE, MARKED, "cancelled"),
        ([copy(THERE, "available active")], False, THERE, None, COMPLETED),
        ([copy(THERE, "available active")], True, THERE, MOVED, COMPLETED),
        ([copy(BESIDE, "available active"), copy(THERE)], True, THERE, MOVED, COMPLETED),
        ([copy(BESIDE, "available active"), FIRST], False, HERE, None, "idle"),
    ],
)
def test_at_rest(instances, marked, host, task_state, phase):
    seen = observe_replica(replicated(marked=marked), instances, HERE, THERE)
    assert (seen.host, seen.task_state, seen.copies) == (host, task_state, 1)
    assert classify(seen, Target(THERE)) == phase
    assert not seen.moving


def test_what_was_moved_here_before_is_idle():
    seen = observe_replica(replicated(), [copy(THERE, "available active")], THERE, BESIDE)
    assert (seen.host, seen.task_state) == (THERE, MOVED)
    assert classify(seen, Target(BESIDE)) == "idle"


@pytest.mark.parametrize(
    "text",
    ["a -> b since x", "n@a#p -> n@b#p", "n@a#p since x", "", "n@a -> n@b#p since x"],
)
def test_no_mark(text):
    assert Mark.of({MARK: text}) is None


def test_a_mark_with_blanks_in_its_pools():
    mark = Mark("n@a#pool one", "n@b#pool since two", NOON)
    assert Mark.of({MARK: str(mark)}) == mark
