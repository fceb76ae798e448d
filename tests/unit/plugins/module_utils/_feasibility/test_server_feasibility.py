# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for share servers, one by one and all at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._feasibility.share_server import (
    check_blockers,
    handles_servers,
    place_blockers,
    server_blockers,
    server_start_blockers,
    server_warnings,
    shares_on,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER
from ansible_collections.manila.migration.plugins.module_utils._model.migration import (
    Migration,
    Options,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import (
    Compatibility,
    Service,
    ShareNetwork,
    ShareType,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.planning import (
    OLD,
    ONE,
    aboard,
    instance,
    pool,
    server,
    server_pool,
    snapshots,
    tenants,
)

V = server(1)
NOTHING = Options()


def codes(reasons):
    return [reason.code for reason in reasons]


def stock(*shares, v=V, **more):
    return tenants(list(shares) or [aboard(1)], [v, *more.pop("others", ())], **more)


# -- the share server ------------------------------------------------------------------------


def test_a_healthy_server_has_no_blocker():
    assert server_blockers(stock(), V) == []


@pytest.mark.parametrize(
    ("code", "v", "shares", "more"),
    [
        ("status", replace(V, status="error"), [aboard(1)], {}),
        ("status", replace(V, status="server_network_change"), [aboard(1)], {}),
        ("busy", replace(V, task_state="migration_driver_in_progress"), [aboard(1)], {}),
        ("busy", replace(V, task_state="migration_completing"), [aboard(1)], {}),
        ("encryption", replace(V, is_encrypted=True), [aboard(1)], {}),
        ("no_shares", V, [aboard(1, on="v2")], {}),
        ("share_group", V, [aboard(1)], {"grouped_servers": frozenset({"v1"})}),
        (
            "unfinished_destination",
            V,
            [aboard(1)],
            {"others": [server(2, "n@one", "server_migrating_to", source_id="v1")]},
        ),
        # The shares.
        ("soft_deleted", V, [aboard(1), aboard(2, is_soft_deleted=True)], {}),
        ("status", V, [aboard(1), aboard(2, status="error")], {}),
        ("status", V, [aboard(1, status="migrating")], {}),
        ("share_group", V, [aboard(1, share_group_id="g")], {}),
        ("access_rules_error", V, [aboard(1, access_rules_status="error")], {}),
        ("busy", V, [aboard(1, task_state="data_copying_starting")], {}),
        ("snapshots", V, [aboard(1)], {"snapshots_by_share": snapshots(s1=["available", "error"])}),
    ],
)
def test_each_blocker_of_a_server_alone(code, v, shares, more):
    assert codes(server_blockers(stock(*shares, v=v, **more), v)) == [code]


@pytest.mark.parametrize(
    ("v", "shares", "more"),
    [
        # Old ends say nothing, nor does what is left of them.
        (replace(V, task_state="migration_error"), [aboard(1)], {}),
        (replace(V, task_state="migration_cancelled"), [aboard(1)], {}),
        (
            V,
            [aboard(1)],
            {"others": [server(2, "n@one", "error", source_id="v1", task_state="migration_error")]},
        ),
        (V, [aboard(1)], {"others": [server(2, "n@one", "server_migrating_to", source_id="v3")]}),
        (V, [aboard(1), aboard(2, on="v2", status="error")], {}),
        (V, [aboard(1, access_rules_status="syncing")], {}),
        (V, [aboard(1, task_state="migration_success")], {}),
        # Only Manila's check knows whether replicas are supported.
        (V, [aboard(1, has_replicas=True)], {}),
        (V, [aboard(1)], {"snapshots_by_share": snapshots(s1=["available"], s9=["error"])}),
    ],
)
def test_what_does_not_block_a_server(v, shares, more):
    assert server_blockers(stock(*shares, v=v, **more), v) == []


@pytest.mark.parametrize(
    ("share", "there", "blocked"),
    [
        (aboard(1), "error", True),
        (aboard(1), "available", True),  # a leftover that the share doesn't show
        (aboard(1, has_replicas=True), "available", False),
        (aboard(1, has_replicas=True), "error", True),
        (aboard(1, status="error"), "error", False),  # the status of the share says it already
    ],
)
def test_instances_on_it_that_hide_behind_a_share_elsewhere(share, there, blocked):
    share = replace(share, host=ONE, share_server_id="v9")
    instances = {
        "s1": [instance(share), instance(share, OLD, there, share_server_id="v1")],
        "s2": [instance(aboard(2))],
    }
    inventory = stock(share, aboard(2), instances=instances)
    assert [one.id for one in shares_on(inventory, "v1")] == ["s1", "s2"]
    found = codes(server_blockers(inventory, V))
    assert found == (["instances"] if blocked else ["status"] if share.status == "error" else [])


@pytest.mark.parametrize(("status", "blocked"), [("error", True), ("available", False)])
def test_instances_of_no_share_at_all(status, blocked):
    ghost = aboard(9)
    inventory = stock(instances={"s9": [instance(ghost, status=status)]})
    assert codes(server_blockers(inventory, V)) == (["instances"] if blocked else [])


def test_all_blockers_of_a_server_at_once_with_the_shares_named():
    v = replace(V, status="error", is_encrypted=True)
    bad = aboard(2, status="error", share_group_id="g", access_rules_status="error")
    found = server_blockers(stock(aboard(1), bad, v=v, grouped_servers=frozenset({"v1"})), v)
    assert codes(found) == [
        "status",
        "encryption",
        "share_group",
        "status",
        "share_group",
        "access_rules_error",
    ]
    assert all(reason.message.startswith("share share 2: ") for reason in found[3:])


# -- the destination -------------------------------------------------------------------------


def refusals(destination="n@one", options=NOTHING, inventory=None, v=V):
    return place_blockers(inventory or stock(), v, destination, options)


def zoned(zone, **more):
    one = Service("manila-share", "n@one", "enabled", "up", zone=zone)
    inventory = stock(**more)
    return replace(inventory, services={**inventory.services, "n@one": one})


def with_service(**more):
    inventory = stock()
    one = replace(inventory.services["n@one"], **more)
    return replace(inventory, services={**inventory.services, "n@one": one})


def network(**more):
    return {"networks": {"net": ShareNetwork("net", **more)}}


FAR = frozenset({"far"})
PICKY = ShareType("id-servers", "servers", {"availability_zones": "south,east"})


def test_a_good_back_end_has_no_blocker():
    assert refusals() == []


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("same_place", {"destination": "n@old"}),
        (
            "same_backend_name",
            {"destination": "m@old", "inventory": stock(pools=[server_pool("m@old#p")])},
        ),
        ("service_missing", {"destination": "n@lost"}),
        ("service_disabled", {"inventory": with_service(status="disabled")}),
        ("service_down", {"inventory": with_service(state="down")}),
        ("service_down", {"inventory": with_service(fresh=False)}),
        ("share_network", {"options": Options(new_share_network_id="lost")}),
        ("share_network", {"inventory": stock(**network(status="error"))}),
        ("share_network_subnet", {"inventory": zoned("near", **network(zones=FAR))}),
        ("share_servers", {"inventory": stock(pools=[server_pool(OLD), pool(ONE)])}),
        ("availability_zone", {"inventory": zoned("north", share_types={"id-servers": PICKY})}),
    ],
)
def test_each_blocker_of_a_back_end_alone(code, given):
    assert codes(refusals(**given)) == [code]


@pytest.mark.parametrize(
    "given",
    [
        # Another share network makes another place of it.
        {"destination": "n@old", "options": Options(new_share_network_id="new")},
        {"inventory": zoned("far", **network(zones=FAR))},
        {"inventory": zoned("near", **network(zones=FAR | {None}))},
        {"inventory": zoned(None, **network(zones=FAR))},
        {"inventory": zoned("south", share_types={"id-servers": PICKY})},
        # Manila looks for a part of the text.
        {"inventory": zoned("out", share_types={"id-servers": PICKY})},
        {"inventory": stock(pools=[pool(ONE), server_pool("n@one#q")])},
        # What isn't known is Manila's to say.
        {"v": replace(V, share_network_id=None)},
    ],
)
def test_what_does_not_block_a_back_end(given):
    assert refusals(**given) == []


def test_all_blockers_of_a_back_end_at_once_without_its_name():
    inventory = zoned("near", pools=[server_pool(OLD), pool(ONE)], **network(zones=FAR))
    dead = replace(inventory.services["n@one"], status="disabled", disabled_reason="firmware")
    dead = replace(dead, state="down")
    inventory = replace(
        inventory,
        services={"n@one": dead},
        share_types={"id-servers": PICKY},
    )
    found = refusals(inventory=inventory)
    assert codes(found) == [
        "service_disabled",
        "service_down",
        "share_network_subnet",
        "share_servers",
        "availability_zone",
    ]
    assert not any("n@one" in reason.message for reason in found)
    assert "firmware" in found[0].message


@pytest.mark.parametrize(
    ("reported", "answer"),
    [(True, True), (False, False), ([True], True), ([False], False), (None, True)],
)
def test_which_pools_handle_share_servers(reported, answer):
    assert handles_servers(pool(ONE, able={"driver_handles_share_servers": reported})) is answer


# -- Manila's own check ----------------------------------------------------------------------

ABLE = {
    "writable": True,
    "nondisruptive": True,
    "preserve_snapshots": True,
    "migration_cancel": True,
    "migration_get_progress": True,
    "share_network_id": "net",
}
UNABLE = {name: False if value is True else value for name, value in ABLE.items()}
SILENT = {name: None for name in ABLE}
ALL = Options(writable=True, nondisruptive=True, preserve_snapshots=True)
SNAPSHOTS = {"snapshots_by_share": snapshots(s1=["available"] * 2)}


def no(**supported):
    return Compatibility(False, {**ABLE, **supported})


@pytest.mark.parametrize(
    ("check", "options", "more", "expected"),
    [
        (Compatibility(True, ABLE), ALL, SNAPSHOTS, []),
        # It is Manila that says yes or no.
        (Compatibility(True, UNABLE), NOTHING, {}, []),
        (no(), NOTHING, {}, ["incompatible"]),
        (no(writable=False), NOTHING, {}, ["incompatible"]),
        (no(writable=False), Options(writable=True), {}, ["not_writable"]),
        (no(nondisruptive=False), Options(nondisruptive=True), {}, ["not_nondisruptive"]),
        (
            no(preserve_snapshots=False),
            Options(preserve_snapshots=True),
            {},
            ["not_preserve_snapshots"],
        ),
        (no(preserve_snapshots=False), NOTHING, SNAPSHOTS, ["snapshots"]),
        (no(preserve_snapshots=False), NOTHING, {}, ["incompatible"]),
        (
            Compatibility(False, UNABLE),
            ALL,
            SNAPSHOTS,
            ["not_writable", "not_nondisruptive", "not_preserve_snapshots", "snapshots"],
        ),
        # A driver that refuses says None of what it can: nothing follows of that.
        (Compatibility(False, SILENT), ALL, SNAPSHOTS, ["incompatible"]),
        # Manila itself, for another network: no driver was asked what it can.
        (
            Compatibility(False, UNABLE),
            replace(ALL, new_share_network_id="new"),
            SNAPSHOTS,
            ["not_nondisruptive"],
        ),
        (
            Compatibility(False, SILENT),
            replace(ALL, new_share_network_id="new"),
            {},
            ["incompatible"],
        ),
        (Compatibility(False, refusal="Service x is down."), ALL, {}, ["refused"]),
    ],
)
def test_what_the_check_says(check, options, more, expected):
    assert codes(check_blockers(stock(**more), V, options, check)) == expected


def test_a_refusal_for_replicas_names_all_of_them():
    shares = [aboard(1, has_replicas=True), aboard(2), aboard(3, has_replicas=True)]
    inventory = stock(*shares)
    refusal = "Share s3 has replicas. Remove the replicas of all shares in the share server."
    found = check_blockers(inventory, V, NOTHING, Compatibility(False, refusal=refusal))
    assert codes(found) == ["replicas", "replicas", "refused"]
    assert found[2].message.endswith("in the share server")
    found = check_blockers(inventory, V, NOTHING, Compatibility(False, refusal="Service is down."))
    assert codes(found) == ["refused"]


def test_snapshots_in_the_way_are_counted_and_their_shares_named():
    shares = [aboard(number) for number in range(1, 6)]
    statuses = {one.id: ["available"] * 2 for one in shares}
    inventory = stock(*shares, snapshots_by_share=snapshots(**statuses))
    (reason,) = check_blockers(inventory, V, NOTHING, no(preserve_snapshots=False))
    assert "10 snapshots" in reason.message
    assert "(share 1, share 2, share 3 and 2 more)" in reason.message


def pinned(to="OLD", key="share_backend_name"):
    specs = {"driver_handles_share_servers": "True", key: to}
    return {"share_types": {"id-servers": ShareType("id-servers", "servers", specs)}}


@pytest.mark.parametrize(
    ("check", "more", "expected"),
    [
        (Compatibility(True, ABLE), {}, []),
        (None, {}, []),
        (Compatibility(False, refusal="no"), {}, []),
        (Compatibility(True, SILENT), {}, []),
        (
            Compatibility(True, UNABLE),
            {},
            ["no_cancel", "no_progress", "read_only", "disruptive"],
        ),
        (
            None,
            {"others": [server(2, "n@one", "error", source_id="v1")]},
            ["leftover_destination"],
        ),
        (
            None,
            {
                "others": [
                    server(2, "n@one", "inactive", source_id="v1"),
                    server(3, "n@one", "active", source_id="v1"),
                    server(4, "n@one", "error", source_id="v5"),
                ]
            },
            ["leftover_destination"],
        ),
        (Compatibility(True, ABLE), {"frees_addresses": True}, ["addresses_freed"]),
        (Compatibility(True, SILENT), {"frees_addresses": True}, []),
        (None, {"frees_addresses": True}, []),
        (None, pinned(), ["type_pinned"]),
        (None, pinned(key="capabilities:share_backend_name"), ["type_pinned"]),
        # The destination has the name as well.
        (None, pinned("<or> OLD <or> ONE"), []),
    ],
)
def test_warnings_of_a_server(check, more, expected):
    assert codes(server_warnings(stock(**more), V, check, "n@one")) == expected


def test_replicas_are_a_warning_where_manila_says_yes():
    inventory = stock(aboard(1, has_replicas=True))
    assert codes(server_warnings(inventory, V, Compatibility(True, ABLE))) == ["replicas"]
    assert server_warnings(inventory, V, None) == []
    assert server_warnings(inventory, V, Compatibility(False, ABLE)) == []


def test_messages_are_fragments():
    found = server_blockers(stock(aboard(1, status="error")), replace(V, status="error"))
    found += check_blockers(stock(), V, ALL, Compatibility(False, UNABLE))
    found += server_warnings(stock(), V, Compatibility(True, UNABLE))
    found += refusals("n@lost")
    assert found
    assert not any(reason.message.endswith(".") for reason in found)


# -- one migration ---------------------------------------------------------------------------


def wish(destination="n@one", server_id="v1", **options):
    return Migration(server_id, "n@old", destination, kind=SHARE_SERVER, options=Options(**options))


@pytest.mark.parametrize(
    ("inventory", "migration", "check", "expected"),
    [
        (stock(), wish(), None, []),
        (stock(), wish(), Compatibility(True, ABLE), []),
        (stock(), wish(), no(), ["incompatible"]),
        (stock(), wish(server_id="v2"), None, ["status"]),
        (stock(aboard(1, status="error")), wish(None), None, ["status"]),
        (stock(aboard(1, size=101)), wish(), None, ["no_capacity"]),
        # Two pools of 100 GiB take three shares of 60 GiB only one by one.
        (stock(*(aboard(n, size=60) for n in range(3))), wish(), None, ["no_capacity"]),
        (stock(*(aboard(n, size=60) for n in range(2))), wish(), None, []),
        (stock(), wish("n@lost"), None, ["service_missing"]),
        (
            stock(aboard(1, status="error", size=101)),
            wish(new_share_network_id="lost"),
            no(),
            ["status", "share_network", "incompatible", "no_capacity"],
        ),
    ],
)
def test_one_migration_with_all_that_blocks_it(inventory, migration, check, expected):
    assert codes(server_start_blockers(inventory, migration, check)) == expected
