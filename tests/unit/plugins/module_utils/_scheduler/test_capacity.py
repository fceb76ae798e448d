# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much fits, and what is coming."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._model.inventory import Inventory
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Instance,
    Pool,
    Service,
    Share,
    ShareServer,
    ShareType,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.capacity import (
    NOTHING,
    Load,
    breaks_scheduler,
    capacity_invalid,
    fits,
    headroom,
    hides_promises,
    scheduler_fails,
    with_promises,
    written_part,
)
from ansible_collections.manila.migration.plugins.module_utils._scheduler.in_flight import under_way
from ansible_collections.manila.migration.plugins.module_utils._scheduler.rooms import (
    Claim,
    Room,
    claims_aboard,
    settle,
)

SOURCE = "node@old#pool"
TARGET = "node@new#pool"

SHARE = Share("id-1", "data", 10, SOURCE, "available", protocol="NFS", share_type_id="plain")
PLAIN = ShareType("plain", "plain", {"driver_handles_share_servers": "False"})
POOL = Pool(TARGET, 100, 50)


def instance(host=SOURCE, status="available", **more):
    return Instance(f"{host}-{status}", SHARE.id, host, status, **more)


def typed(**specs):
    return ShareType("t", "t", {"driver_handles_share_servers": "False", **specs})


# -- what fits -------------------------------------------------------------------------------

THIN = Pool("n@b#thin", 100, 50, 150, thin_provisioning=True, max_over_subscription_ratio=2)


@pytest.mark.parametrize(
    ("pool", "kind", "given", "room"),
    [
        (Pool("p", 100, 50), PLAIN, {}, 50),
        (Pool("p", 100, 50.9), PLAIN, {}, 50),
        (Pool("p", 100, 50, reserved_percentage=10), PLAIN, {}, 40),
        (Pool("p", 100, 50, reserved_percentage=10), PLAIN, {"from_snapshot": True}, 50),
        (Pool("p", 100, 50, reserved_snapshot_percentage=20), PLAIN, {"from_snapshot": True}, 30),
        (Pool("p", 100, 50), PLAIN, {"committed_gb": 20}, 30),
        (Pool("p", 100, 50), PLAIN, {"committed_gb": 60}, 0),
        (Pool("p", "unknown", "unknown", reserved_percentage=9), PLAIN, {}, math.inf),
        (Pool("p", 100, "unknown"), PLAIN, {"committed_gb": 500}, math.inf),
        (Pool("p", "unknown", 50), PLAIN, {"committed_gb": 10}, 40),
        (Pool("p", "unknown", 50, reserved_percentage=1), PLAIN, {}, 0),
        (Pool("p", "infinite", "infinite"), PLAIN, {}, 0),
        (Pool("p", 100, "infinite"), PLAIN, {}, 0),
        (Pool("p", "infinite", 50), PLAIN, {}, 0),
        (Pool("p", 0, 50), PLAIN, {}, 0),
        # thin: promises up to twice the capacity, or twice what is free
        (THIN, PLAIN, {}, 50),
        (replace(THIN, provisioned_gb=10), PLAIN, {}, 100),
        (replace(THIN, provisioned_gb=10), PLAIN, {"committed_gb": 30}, 40),
        (replace(THIN, provisioned_gb=10), PLAIN, {"committed_gb": 30, "written_gb": 5}, 90),
        (THIN, PLAIN, {"committed_gb": 30, "written_gb": 5}, 20),
        (THIN, typed(thin_provisioning="False"), {}, 50),
        (replace(THIN, free_gb=30), typed(thin_provisioning="False"), {}, 30),
        (replace(THIN, free_gb=30), typed(thin_provisioning="True"), {}, 50),
        (replace(THIN, free_gb=20), PLAIN, {}, 40),
        (replace(THIN, max_over_subscription_ratio=0.9), PLAIN, {}, 0),
        (
            replace(THIN, max_over_subscription_ratio=0.9),
            typed(thin_provisioning="False"),
            {},
            50,
        ),
        # not reported: allocated, else used
        (replace(THIN, provisioned_gb=None, allocated_gb=170), PLAIN, {}, 30),
        (replace(THIN, provisioned_gb=None), PLAIN, {}, 100),
    ],
)
def test_room_in_a_pool(pool, kind, given, room):
    assert headroom(pool, kind, **given) == room
    if room != math.inf:
        assert fits(pool, kind, room + 1, **given) is not None
    if room:
        assert fits(pool, kind, min(room, 10**6), **given) is None


def test_a_pool_without_room_says_the_figures():
    reason = fits(Pool("p", 100, 50, reserved_percentage=10), PLAIN, 41, committed_gb=5)
    assert reason is not None
    assert reason.code == "no_capacity"
    for figure in ("41 GiB", "35 GiB", "50 of 100 GiB", "10 %", "5 GiB"):
        assert figure in reason.message
    assert fits(Pool("p", 100, "infinite"), PLAIN, 1).code == "capacity_invalid"


amounts = st.integers(0, 500) | st.floats(0, 500)


@given(
    total=amounts,
    free=amounts,
    provisioned=amounts,
    reserved=st.integers(0, 100),
    ratio=st.floats(1, 20),
    thin=st.booleans(),
    thin_type=st.sampled_from([None, "True", "False"]),
    size=st.integers(1, 1000),
)
def test_room_is_what_the_scheduler_computes(
    total, free, provisioned, reserved, ratio, thin, thin_type, size
):
    """The scheduler's own steps in its own order, for one share at a time."""
    assume(free <= total)
    pool = Pool(
        "p",
        total,
        free,
        provisioned,
        reserved_percentage=reserved,
        thin_provisioning=thin,
        max_over_subscription_ratio=ratio,
    )
    kind = typed(**({"thin_provisioning": thin_type} if thin_type else {}))
    usable = math.floor(free - total * (float(reserved) / 100))
    if total <= 0:
        passes = False
    elif thin and thin_type != "False":
        passes = (provisioned + size) / float(total) <= ratio and usable * ratio >= size
    else:
        passes = usable >= size
    assert (fits(pool, kind, size) is None) is passes


@pytest.mark.parametrize(
    ("pool", "part"),
    [
        (Pool("p", 100, 50, 100), 1),
        (replace(THIN, provisioned_gb=200), 0.25),
        (replace(THIN, provisioned_gb=20), 1),
        (replace(THIN, provisioned_gb=None), 1),
        (replace(THIN, total_gb="unknown"), 1),
        (replace(THIN, free_gb=120), 0),
    ],
)
def test_the_written_part_of_what_is_promised(pool, part):
    assert written_part(pool) == part


def test_a_pool_without_valid_figures_names_them():
    assert "0.5" in capacity_invalid(replace(THIN, max_over_subscription_ratio=0.5), PLAIN).message


# -- what is under way -----------------------------------------------------------------------


def moving(task_state, thin=False, source_thin=False):
    share = replace(SHARE, status="migrating", task_state=task_state, size_gb=8)
    return Inventory(
        shares=[share],
        instances={share.id: [instance(status="migrating"), instance(TARGET, "migrating_to")]},
        pools=[
            replace(POOL, thin_provisioning=thin, provisioned_gb=0),
            Pool(SOURCE, 100, 75, 100, thin_provisioning=source_thin),
        ],
        share_types={"plain": PLAIN},
    )


@pytest.mark.parametrize(
    ("task_state", "thin", "source_thin", "load"),
    [
        ("migration_starting", False, False, Load(8, 8)),
        ("migration_driver_starting", False, True, Load(8, 8)),
        ("migration_in_progress", True, True, Load(8, 2)),
        ("data_copying_in_progress", False, False, None),
        ("data_copying_in_progress", True, False, Load(0, 8)),
        ("migration_driver_in_progress", True, True, Load(0, 2)),
        ("data_copying_completed", True, False, None),
        ("migration_driver_phase1_done", False, False, None),
    ],
)
def test_what_is_in_flight_and_not_reported_yet(task_state, thin, source_thin, load):
    found = under_way(moving(task_state, thin, source_thin)).loads
    assert found.get(TARGET, Load()) == (load or Load())


@pytest.mark.parametrize(
    ("task_state", "thin", "load"),
    [
        ("migration_in_progress", False, Load(8, 8)),
        ("migration_driver_starting", True, Load(8, 8)),
        ("migration_driver_in_progress", False, None),
        ("migration_driver_in_progress", True, Load(8, 8)),
        ("migration_driver_phase1_done", False, None),
        ("migration_driver_phase1_done", True, Load(8, 0)),
        ("migration_completing", True, Load(8, 0)),
        ("migration_cancel_in_progress", True, None),
        ("migration_error", True, None),
    ],
)
def test_a_share_server_brings_what_the_pools_of_its_destination_do_not_report(
    task_state, thin, load
):
    inventory = Inventory(
        shares=[replace(SHARE, status="server_migrating", size_gb=8, share_server_id="v")],
        pools=[replace(POOL, thin_provisioning=thin, provisioned_gb=0), Pool(SOURCE, 100, 50)],
        servers=[
            ShareServer("v", "node@old", "server_migrating", task_state),
            ShareServer("w", "node@new", "server_migrating_to", source_id="v"),
        ],
        share_types={"plain": PLAIN},
    )
    found = under_way(inventory)
    assert found.loads.get(TARGET, NOTHING) == (load or NOTHING)
    counts = task_state not in ("migration_cancel_in_progress", "migration_error")
    assert found.places == ({"id-1": TARGET} if counts else {})
    # Where to is not known yet, or a place that nobody knows.
    for servers in (
        inventory.servers[:1],
        [inventory.servers[0], replace(inventory.servers[1], host="x@y")],
    ):
        assert under_way(replace(inventory, servers=servers)) == ({}, {})


# -- what keeps the scheduler from calculating ------------------------------------------------


@pytest.mark.parametrize(
    ("total", "free", "reserved", "breaks"),
    [
        (100, 50, 5, False),
        (100, "unknown", 5, False),
        ("infinite", "unknown", 5, False),  # it looks no further
        ("infinite", "None", 5, False),
        (100, "None", 5, False),  # refused, for this pool only
        (100, "infinite", 5, True),
        (100, "inf", 5, True),
        ("infinite", 50, 5, True),
        ("None", 50, 5, True),
        (0, "infinite", 5, False),
        ("unknown", 50, 5, False),
        ("unknown", "infinite", 5, False),
        ("unknown", "infinite", 0, True),
    ],
)
def test_figures_that_break_the_scheduler(total, free, reserved, breaks):
    pool = Pool("n@b#p", total, free, reserved_percentage=reserved)
    assert breaks_scheduler(pool) is breaks
    assert not breaks or capacity_invalid(pool, PLAIN)


@pytest.mark.parametrize(
    ("service", "fails"),
    [
        (Service("manila-share", "n@b", "enabled", "up", zone="east"), True),
        (Service("manila-share", "n@b", "enabled", "up", zone="west"), False),
        (Service("manila-share", "n@b", "disabled", "up", zone="east"), False),
        (Service("manila-share", "n@b", "enabled", "up", fresh=False, zone="east"), False),
        (None, False),
    ],
)
def test_a_pool_breaks_the_scheduler_for_its_zone(service, fails):
    pools = [POOL, Pool("n@b#p", 100, "infinite")]
    services = {"n@b": service} if service else {}
    reason = scheduler_fails(pools, services, "east")
    assert (reason is not None) is fails
    if reason:
        assert reason.code == "capacity_invalid"
        assert "n@b#p" in reason.message and "zone east" in reason.message
    assert scheduler_fails([POOL], services, "east") is None


def test_promises_that_are_not_reported_are_the_sizes_of_the_shares():
    thin = Pool("n@b#thin", 100, 90, thin_provisioning=True, allocated_gb=10)
    pools = [POOL, thin, replace(thin, name="n@b#told", provisioned_gb=3)]
    copies = [Instance("i", one, thin.name, "available") for one in ("a", "b", "unlisted")]
    copies += [Instance("i", "a", "n@b#told", "migrating_to"), Instance("i", "b", TARGET, "error")]
    first, second, third = with_promises(pools, copies, {"a": 30, "b": 50})
    assert (first, second.provisioned_gb, third.provisioned_gb) == (POOL, 80, 3)
    assert [hides_promises(one) for one in pools] == [False, True, False]
    assert headroom(second, PLAIN) == 20


# -- rooms -----------------------------------------------------------------------------------


def claim(size, pool="old@b#gold", share_id="s"):
    return Claim(share_id, size, pool, PLAIN, thin=True)


def rooms(**free):
    return [Room(Pool(f"new@b#{name}", 100, gb)) for name, gb in sorted(free.items())]


@pytest.mark.parametrize(
    ("claims", "free", "chosen", "lacking"),
    [
        ([claim(5)], {"gold": 5, "iron": 90}, ["gold"], []),
        ([claim(5)], {"gold": 4, "iron": 90}, ["iron"], []),
        ([claim(5)], {"copper": 8, "iron": 9, "tin": 9}, ["iron"], []),
        # What doesn't tell is used where nothing that tells is left.
        ([claim(5), claim(5)], {"copper": "unknown", "iron": 9}, ["iron", "copper"], []),
        ([claim(5), claim(4), claim(2)], {"gold": 9, "iron": 1}, ["gold"] * 3, [2]),
        ([claim(5), claim(5)], {"gold": 4, "iron": 1}, ["gold"] * 2, [5, 5]),
        # What finds no room takes none from what follows.
        ([claim(9), claim(4)], {"gold": 8, "iron": 1}, ["gold"] * 2, [9]),
    ],
)
def test_which_pools_shares_of_one_server_are_expected_in(claims, free, chosen, lacking):
    settled = settle(claims, rooms(**free))
    assert [room.name.split("#")[1] for room in settled.rooms] == chosen
    assert [one.size_gb for one in settled.lacking] == lacking
    placed = sum(one.size_gb for one in claims) - sum(lacking)
    assert sum(load.committed_gb for load in settled.loads.values()) == placed


def test_what_has_arrived_needs_no_room_again():
    settled = settle([claim(50), claim(5, "old@b#other")], rooms(gold=1, iron=3), arrived=True)
    assert [room.name for room in settled.rooms] == ["new@b#gold", "new@b#iron"]
    assert settled.lacking == []


@pytest.mark.parametrize(
    ("pool", "first", "then"),
    [
        # What is reserved for shares from snapshots has to be left for one that starts last.
        (
            Pool("p", 100, 40, reserved_snapshot_percentage=20),
            claim(10)._replace(from_snapshot=True),
            {"like it": 10, "other": 10},
        ),
        (Pool("p", 100, 40, reserved_percentage=20), claim(10), {"like it": 10, "other": 10}),
        # A thin one of 20 GiB needs 10 GiB of free space when it starts.
        (
            replace(THIN, provisioned_gb=0, free_gb=30),
            claim(20)._replace(written=0.25),
            {"like it": 50, "other": 20},
        ),
    ],
)
def test_what_has_a_place_keeps_it_in_whatever_order_shares_start(pool, first, then):
    room = Room(pool)
    room.add(room.takes(first))
    thick = claim(1)._replace(share_type=typed(thin_provisioning="False"), thin=False)
    assert (room.holds(first._replace(size_gb=1)), room.holds(thick)) == tuple(then.values())


shares_wanted = st.tuples(
    st.integers(1, 30), st.booleans(), st.booleans(), st.sampled_from([0.25, 0.5, 1])
)


@given(
    st.lists(shares_wanted, min_size=3, max_size=8),
    st.integers(30, 80),
    st.sampled_from([0, 20]),
    st.sampled_from([0, 10, 33]),
    st.sampled_from([None, 1, 1.5, 2, 20]),
)
def test_what_finds_room_is_let_in_even_if_it_starts_last(
    wanted, free, reserved, snapshot_reserved, ratio
):
    pool = Pool(
        "p",
        100,
        free,
        100 - free,
        reserved_percentage=reserved,
        reserved_snapshot_percentage=snapshot_reserved,
        thin_provisioning=ratio is not None,
        max_over_subscription_ratio=ratio or 1,
    )
    room, placed = Room(pool), []
    for size, thick, from_snapshot, written in wanted:
        kind = typed(thin_provisioning=str(not thick))
        one = Claim("s", size, "old@b#p", kind, not thick, from_snapshot, written)
        if room.holds(one) >= size:
            room.add(room.takes(one))
            placed.append(one)
    for number, one in enumerate(placed):
        load = NOTHING
        for other in placed[:number] + placed[number + 1 :]:
            load = load.plus(room.takes(other))
        figures = load.committed_gb, one.from_snapshot, load.written_gb
        assert headroom(pool, one.share_type, *figures) >= one.size_gb


def test_a_room_remembers_what_was_there_before_anything_was_placed():
    room = Room(Pool("p", 100, 50), Load(10, 10))
    assert room.holds(claim(1)) == 40
    room.add(room.takes(claim(15)))
    assert (room.holds(claim(1)), room.holds(claim(1), Load(5, 5))) == (25, 20)
    room.reset()
    assert (room.load, room.holds(claim(1))) == (Load(10, 10), 40)


@pytest.mark.parametrize(
    ("pool", "more", "fill"),
    [
        (Pool("p", 100, 50), NOTHING, (False, 0.5)),
        (Pool("p", 100, 50), Load(20, 10), (False, 0.6)),
        (replace(THIN, provisioned_gb=10), Load(20, 10), (False, 0.6)),
        (replace(THIN, provisioned_gb=150), Load(20, 10), (False, 0.85)),
        (Pool("p", "unknown", 50), Load(20, 10), (True, 20)),
        (Pool("p", 100, "unknown"), Load(20, 10), (True, 20)),
        (Pool("p", 0, 0), Load(20, 10), (True, 20)),
    ],
)
def test_how_near_its_limits_a_pool_is(pool, more, fill):
    assert Room(pool).fill(more) == fill


def test_what_the_shares_on_a_server_want_largest_first():
    thick = ShareType("thick", "thick", {"thin_provisioning": "False"})
    small = replace(SHARE, id="small", size_gb=1, share_type_id="thick", snapshot_id="x")
    odd = replace(SHARE, id="odd", share_type_id="unknown")
    shares = [replace(one, share_server_id="v") for one in (small, SHARE, odd)]
    inventory = Inventory(
        shares=shares,
        share_types={"plain": PLAIN, "thick": thick},
        pools=[Pool(SOURCE, 100, 75, 50, thin_provisioning=True)],
    )
    claims = claims_aboard(inventory, "v")
    assert [one.share_id for one in claims] == ["id-1", "odd", "small"]
    assert [one.thin for one in claims] == [True, True, False]
    assert [one.from_snapshot for one in claims] == [False, False, True]
    assert {one.written for one in claims} == {0.5}
    assert claims_aboard(inventory, "w") == ()
