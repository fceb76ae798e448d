# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the cloud, on scripts of requests and answers in strict order.

The real python-manilaclient runs; only the session below it is replaced (``scripted``).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from keystoneauth1 import exceptions as keystone_errors
from manilaclient import api_versions
from manilaclient.v2 import client as manila_client

from ansible_collections.manila.migration.plugins.module_utils._api import client
from ansible_collections.manila.migration.plugins.module_utils._api.client import Cloud
from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    NotFound,
    Refused,
    Unknown,
)
from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark, Mark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.records import Quota, Snapshot
from ansible_collections.manila.migration.plugins.module_utils._states.classify import (
    Observation,
    Place,
)
from ansible_collections.manila.migration.tests.unit.plugins.scripted import (
    CUT,
    ENDPOINT,
    LATE,
    NEW,
    NOW,
    OLD,
    Clock,
    Expected,
    Session,
    connection,
    instance,
    refusal,
    server,
    share,
    versions,
)


def open_door(session: Session, clock: Clock | None = None, version: str = "2.98") -> Cloud:
    clock = clock or Clock()
    client = manila_client.Client(
        api_version=api_versions.APIVersion(version),
        session=session,
        service_catalog_url=ENDPOINT,
    )
    return Cloud(client, clock=clock.time, sleep=clock.sleep)


# -- versions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "known", "settled"),
    [
        (["1.0", "2.99"], "2.98", "2.98"),  # the server is newer
        (["1.0", "2.73"], "2.98", "2.73"),  # the client is newer
        (["2.85"], "2.85", "2.85"),
        (["", "2.90"], "2.98", "2.90"),
    ],
)
def test_the_lower_version_counts(session, monkeypatch, offered, known, settled):
    monkeypatch.setattr(api_versions, "MAX_VERSION", known)
    session.expect("GET", "http://manila.test/share/", versions(*offered))
    cloud = Cloud.connect(connection(session))
    assert cloud.api_version == settled
    assert cloud.retry_seconds > 0
    session.expect("GET", "/shares/s1", {"share": share()})
    cloud.share("s1")
    assert session.sent[-1].microversion == settled


def test_the_experimental_header_is_always_sent(session):
    session.expect("GET", "http://manila.test/share/", versions("2.98"))
    session.expect("GET", "/shares/s1", {"share": share()})
    Cloud.connect(connection(session)).share("s1")
    assert session.sent[-1].headers["X-OpenStack-Manila-API-Experimental"] == "true"


@pytest.mark.parametrize(("offered", "known"), [("2.72", "2.98"), ("2.98", "2.72")])
def test_too_old_a_version_on_either_side(session, monkeypatch, offered, known):
    monkeypatch.setattr(api_versions, "MAX_VERSION", known)
    session.expect("GET", "http://manila.test/share/", versions(offered))
    with pytest.raises(CloudError) as error:
        Cloud.connect(connection(session))
    assert str(error.value) == (
        f"Manila at {ENDPOINT} offers API {offered}, python-manilaclient knows up to {known}; "
        "at least 2.73 (Manila 15, Zed) is needed."
    )


@pytest.mark.parametrize("body", [{}, {"versions": []}, {"versions": [{"id": "v1"}]}, None])
def test_what_answers_is_no_manila(session, body):
    session.expect("GET", "http://manila.test/share/", body)
    with pytest.raises(CloudError, match="is no Manila with microversions"):
        Cloud.connect(connection(session))


def test_no_manila_in_the_catalogue(session):
    with pytest.raises(CloudError) as error:
        Cloud.connect(connection(session, None))
    assert str(error.value) == (
        "The cloud's catalogue has no shared file system service (sharev2) for region RegionOne "
        "and interface internal."
    )


def test_wrong_credentials(session):
    denied = keystone_errors.Unauthorized("The request you have made requires authentication.")
    with pytest.raises(CloudError, match=r"credentials at http://keystone\.test/v3") as error:
        Cloud.connect(connection(session, denied))
    assert error.value.status_code == 401


def test_a_manila_that_does_not_answer_is_told_at_once(session):
    session.expect("GET", "http://manila.test/share/", CUT)
    with pytest.raises(CloudError, match="Could not read the versions of the API: no answer"):
        Cloud.connect(connection(session))
    assert len(session.sent) == 1


def test_a_missing_library_is_named(monkeypatch, session):
    monkeypatch.setattr(client, "MISSING", "No module named 'manilaclient'")
    with pytest.raises(CloudError, match=r"python-manilaclient 6.3.0 or newer is needed"):
        Cloud.connect(connection(session))


def test_the_clock_of_the_server(session):
    session.date = "Fri, 15 Jan 2027 08:00:00 GMT"
    session.expect("GET", "http://manila.test/share/", versions("2.98"))
    cloud = Cloud.connect(connection(session))
    cloud._clock = lambda: NOW
    assert abs(cloud._skew) > 2
    assert cloud.now() == NOW + cloud._skew


# -- retries ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [429, 500, 502, 503, 504, CUT, LATE], ids=lambda one: str(one)[:12]
)
def test_reads_are_repeated_with_growing_pauses(session, clock, trouble):
    for _unused in range(3):
        if isinstance(trouble, int):
            session.expect("GET", "/shares/s1", refusal("busy", trouble), trouble)
        else:
            session.expect("GET", "/shares/s1", trouble)
    session.expect("GET", "/shares/s1", {"share": share()})
    cloud = open_door(session, clock)
    assert cloud.share("s1").id == "s1"
    assert clock.naps == [0.5, 1.0, 2.0]
    assert cloud.requests == 4


def test_reads_are_not_repeated_for_ever(session, clock):
    for _unused in range(10):
        session.expect("GET", "/shares/s1", refusal("busy", 503), 503)
    with pytest.raises(CloudError, match=r"^Could not read share s1: .*busy") as error:
        open_door(session, clock).share("s1")
    assert error.value.status_code == 503
    assert clock.naps == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0]
    assert sum(clock.naps) <= 90


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_refused_read_is_not_repeated(session, clock, status):
    session.expect("GET", "/shares/s1", refusal("no", status), status)
    with pytest.raises(CloudError) as error:
        open_door(session, clock).share("s1")
    assert error.value.status_code == status
    assert isinstance(error.value, NotFound) is (status == 404)
    assert clock.naps == []


ACTIONS = [
    (lambda cloud: cloud.start("share", "s1", NEW, Options()), "POST", "/shares/s1/action"),
    (lambda cloud: cloud.complete("share", "s1"), "POST", "/shares/s1/action"),
    (lambda cloud: cloud.cancel("share", "s1"), "POST", "/shares/s1/action"),
    (
        lambda cloud: cloud.start("share_server", "s1", "node@new", Options()),
        "POST",
        "/share-servers/s1/action",
    ),
    (lambda cloud: cloud.complete("share_server", "s1"), "POST", "/share-servers/s1/action"),
    (lambda cloud: cloud.cancel("share_server", "s1"), "POST", "/share-servers/s1/action"),
    (
        lambda cloud: cloud.reset_status("share_server", "s1", "active"),
        "POST",
        "/share-servers/s1/action",
    ),
    (
        lambda cloud: cloud.reset_status("share_instance", "i1", "available"),
        "POST",
        "/share_instances/i1/action",
    ),
    (
        lambda cloud: cloud.delete_instance("i1"),
        "POST",
        "/share_instances/i1/action",
    ),
    (
        lambda cloud: cloud.reset_status("snapshot_instance", "y1", "available"),
        "POST",
        "/snapshot-instances/y1/action",
    ),
    (
        lambda cloud: cloud.reset_status("snapshot", "x1", "available"),
        "POST",
        "/snapshots/x1/action",
    ),
    (
        lambda cloud: cloud.reset_task_state("share_server", "s1", None),
        "POST",
        "/share-servers/s1/action",
    ),
    (lambda cloud: cloud.delete_server("s1"), "DELETE", "/share-servers/s1"),
    (lambda cloud: cloud.enable_service("node@old"), "PUT", "/services/enable"),
    (lambda cloud: cloud.disable_service("node@old", "x"), "PUT", "/services/disable"),
]


@pytest.mark.parametrize(("act", "method", "url"), ACTIONS)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_of_an_action_is_unknown_and_never_repeated(
    session, clock, act, method, url, status
):
    session.expect(method, url, refusal("oh", status), status)
    with pytest.raises(Unknown) as error:
        act(open_door(session, clock))
    assert error.value.status_code == status
    assert clock.naps == []


@pytest.mark.parametrize(("act", "method", "url"), ACTIONS)
@pytest.mark.parametrize("trouble", [CUT, LATE], ids=["cut", "late"])
def test_a_lost_answer_of_an_action_is_unknown_and_never_repeated(
    session, clock, act, method, url, trouble
):
    session.expect(method, url, trouble)
    with pytest.raises(Unknown, match="no answer"):
        act(open_door(session, clock))
    assert clock.naps == []


@pytest.mark.parametrize(("act", "method", "url"), ACTIONS)
@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 429])
def test_a_refused_action_was_not_done(session, clock, act, method, url, status):
    session.expect(method, url, refusal("Share is busy", status), status)
    with pytest.raises(Refused, match="Share is busy") as error:
        act(open_door(session, clock))
    assert error.value.status_code == status
    assert clock.naps == []


@pytest.mark.parametrize("answer", [None, {}, []], ids=["nothing", "empty", "list"])
@pytest.mark.parametrize(
    "act",
    [
        lambda cloud: cloud.mark_copy("s1", CopyMark("i1")),
        lambda cloud: cloud.allow("s1", "ip", "192.0.2.1", "rw"),
        lambda cloud: cloud.create_replica("s1", NEW, None),
    ],
    ids=["metadata", "allow", "replica"],
)
def test_an_answer_that_is_not_manilas_leaves_open_what_was_done(session, act, answer):
    cloud = open_door(session)
    session.request = lambda url, method, **more: Session.request(
        Session([Expected(method, url, answer, 200, more.get("json"))]), url, method, **more
    )
    with pytest.raises(Unknown, match="not what was expected"):
        act(cloud)
    assert cloud.effects == 1


@pytest.mark.parametrize("answer", [None, {}])
def test_a_check_of_a_share_server_that_manila_did_not_answer(session, answer):
    session.expect("POST", "/share-servers/v1/action", answer)
    with pytest.raises(CloudError, match="not what was expected"):
        open_door(session).check_server("v1", "node@new", Options())


def test_what_may_have_had_an_effect_is_counted(session):
    cloud = open_door(session)
    for answer, status in ((None, 202), (refusal("no", 409), 409), (refusal("oh", 500), 500)):
        session.expect("POST", "/shares/s1/action", answer, status)
        with suppress(CloudError):
            cloud.cancel("share", "s1")
    assert cloud.effects == 2


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("Access was denied to this resource.", ""),
        ("User does not have admin privileges.", ""),
        ("", ""),
        ("Policy doesn't allow share:delete to be performed.", " (share:delete)"),
    ],
)
def test_a_user_who_may_not_do_something_is_told_what_it_takes(session, clock, answer, named):
    session.expect("DELETE", "/share-servers/v1", refusal(answer, 403), 403)
    with pytest.raises(Refused) as error:
        open_door(session, clock).delete_server("v1")
    assert str(error.value) == (
        "this user may not do that; it takes the admin role, or one that Manila's policy "
        f"allows it{named}."
    )


# -- actions ---------------------------------------------------------------------------------


def test_what_a_start_says(session):
    session.expect("POST", "/shares/s1/action", status=202)
    options = Options(
        writable=True, preserve_metadata=True, new_share_type_id="t2", new_share_network_id="n2"
    )
    open_door(session).start("share", "s1", NEW, options)
    assert session.sent[0].body == {
        "migration_start": {
            "host": NEW,
            "force_host_assisted_migration": False,
            "preserve_metadata": True,
            "preserve_snapshots": False,
            "writable": True,
            "nondisruptive": False,
            "new_share_type_id": "t2",
            "new_share_network_id": "n2",
        }
    }


@pytest.mark.parametrize("version", ["2.73", "2.96", "2.98"])
def test_complete_and_cancel(session, version):
    session.expect("POST", "/shares/s1/action", status=202)
    session.expect("POST", "/shares/s1/action", status=202)
    cloud = open_door(session, version=version)
    cloud.complete("share", "s1")
    cloud.cancel("share", "s1")
    assert [one.body for one in session.sent] == [
        {"migration_complete": None},
        {"migration_cancel": None},
    ]
    assert {one.microversion for one in session.sent} == {version}


@pytest.mark.parametrize(
    ("version", "reason", "body"),
    [
        ("2.83", "emptied", {"disabled_reason": "emptied"}),
        ("2.82", "emptied", {}),
        ("2.83", None, {}),
    ],
)
def test_the_reason_of_a_cordon(session, version, reason, body):
    session.expect("PUT", "/services/disable", {})
    cloud = open_door(session, version=version)
    cloud.disable_service("node@old", reason)
    assert session.sent[0].body == {"host": "node@old", "binary": "manila-share", **body}
    assert cloud.keeps_disabled_reason is (version == "2.83")


@pytest.mark.parametrize(("version", "counts"), [("2.73", False), ("2.78", True)])
def test_whether_a_new_type_is_counted_in_quotas(session, version, counts):
    assert open_door(session, version=version).counts_new_types is counts


@pytest.mark.parametrize(("version", "frees"), [("2.73", True), ("2.87", True), ("2.89", False)])
def test_whether_addresses_are_freed(session, version, frees):
    assert open_door(session, version=version).frees_addresses is frees


def test_the_end_of_a_cordon(session):
    session.expect("PUT", "/services/enable", {})
    open_door(session).enable_service("node@old")
    assert session.sent[0].body == {"host": "node@old", "binary": "manila-share"}


def test_the_copies_of_a_snapshot(session):
    found = {"snapshot_instances": [{"id": "y1", "snapshot_id": "x1"}, {"id": "y2"}]}
    session.expect("GET", "/snapshot-instances?snapshot_id=x1", found)
    assert open_door(session).snapshot_instances("x1") == ["y1", "y2"]


# -- progress --------------------------------------------------------------------------------


def test_progress_is_a_get_from_2_98_on(session):
    session.expect("GET", "/shares/s1/migration-progress", {"total_progress": 40})
    assert open_door(session, version="2.98").progress("share", "s1") == 40


@pytest.mark.parametrize("version", ["2.97", "2.73"])
def test_progress_is_a_post_below(session, version):
    session.expect("POST", "/shares/s1/action", {"total_progress": 40})
    assert open_door(session, version=version).progress("share", "s1") == 40
    assert session.sent[0].body == {"migration_get_progress": None}


@pytest.mark.parametrize("answer", [400, 404, 500, 503, LATE], ids=lambda one: str(one)[:12])
def test_progress_that_nobody_can_tell_is_asked_for_once(session, clock, answer):
    if isinstance(answer, int):
        session.expect("GET", "/shares/s1/migration-progress", refusal("?", answer), answer)
    else:
        session.expect("GET", "/shares/s1/migration-progress", answer)
    assert open_door(session, clock).progress("share", "s1") is None
    assert clock.naps == []


@pytest.mark.parametrize(
    ("answer", "seconds", "copying"),
    [(200, 0, True), (500, 1, False), (500, 60, None), (400, 0, None), (503, 0, None)],
)
def test_whether_manila_data_copies(session, clock, answer, seconds, copying):
    """No such job is told at once; a service that is away is found out by a time-out."""
    body = {"total_progress": 40} if answer == 200 else refusal("?", answer)
    session.expect("GET", "/shares/s1/migration-progress", body, answer)
    request = session.request

    def slowly(*args, **more):
        clock.now += seconds
        return request(*args, **more)

    session.request = slowly
    assert open_door(session, clock).copying("s1") is copying


@pytest.mark.parametrize("body", [{}, {"total_progress": "40"}, {"total_progress": None}])
def test_progress_that_is_no_number(session, body):
    session.expect("GET", "/shares/s1/migration-progress", body)
    assert open_door(session).progress("share", "s1") is None


# -- lists -----------------------------------------------------------------------------------


def test_shares_are_listed_without_limit_and_once(session):
    twice = [share("s1"), share("s2"), share("s1")]
    session.expect("GET", "/shares/detail?all_tenants=1", {"shares": twice})
    assert [one.id for one in open_door(session).shares()] == ["s1", "s2"]


def test_the_recycle_bin(session):
    session.expect(
        "GET", "/shares/detail?all_tenants=1&is_soft_deleted=true", {"shares": [share()]}
    )
    assert open_door(session).soft_deleted_shares()[0].is_soft_deleted


def test_what_migrates_is_one_request(session):
    moving = share(status="migrating", task_state="migration_driver_phase1_done")
    session.expect("GET", "/shares/detail?all_tenants=1&status=migrating", {"shares": [moving]})
    (seen,) = open_door(session).migrating()
    assert (seen.id, seen.status, seen.host) == ("s1", "migrating", OLD)
    assert (seen.task_state, seen.instances) == ("migration_driver_phase1_done", None)


def test_hosts_that_only_begin_alike_are_left_out(session):
    hosts = [OLD, "node@old2#pool", "node@old", "node@old#pool2"]
    found = [instance(f"i{number}", host=host) for number, host in enumerate(hosts)]
    session.expect("GET", "/share_instances?host=node%40old", {"share_instances": found})
    session.expect("GET", "/share_instances?host=node%40old%23pool", {"share_instances": found})
    session.expect("GET", "/share_instances", {"share_instances": found})
    cloud = open_door(session)
    assert [one.host for one in cloud.instances("node@old")] == [OLD, "node@old", "node@old#pool2"]
    assert [one.host for one in cloud.instances(OLD)] == [OLD]
    assert len(cloud.instances()) == 4


def test_users_who_may_not_see_hosts_are_told(session):
    hidden = share()
    del hidden["host"]
    session.expect("GET", "/shares/s1", {"share": hidden})
    with pytest.raises(CloudError, match="Use credentials with the admin role") as error:
        open_door(session).share("s1")
    assert error.value.status_code == 403


def test_users_who_may_not_list_services_are_told(session):
    session.expect("GET", "/services", refusal("Access was denied to this resource.", 403), 403)
    with pytest.raises(CloudError, match="it takes the admin role"):
        open_door(session).share_managers()


def test_snapshots_are_read_over_pages(session):
    url = "/snapshots/detail?all_tenants=1&limit=1000&offset="
    many = [{"id": f"n{n}", "share_id": "s1", "status": "available"} for n in range(1000)]
    last = {"id": "x", "share_id": "s2", "status": "error", "name": "nightly"}
    session.expect("GET", url + "0", {"snapshots": many})
    session.expect("GET", url + "1000", {"snapshots": [last]})
    found = open_door(session).snapshots()
    assert len(found["s1"]) == 1000
    assert found["s2"] == [Snapshot("x", "s2", "error", "nightly")]


@pytest.mark.parametrize(
    ("named", "answer"),
    [
        ([], "There is no share with the name or ID 'data' in any project."),
        (["s2", "s1"], "2 shares have the name 'data'; use one ID of: s1, s2."),
    ],
)
def test_a_name_that_names_no_share_or_several(session, named, answer):
    session.expect("GET", "/shares/data", refusal("not found", 404), 404)
    session.expect(
        "GET",
        "/shares/detail?all_tenants=1&name=data",
        {"shares": [share(one) for one in named]},
    )
    with pytest.raises(CloudError) as error:
        open_door(session).find_share("data")
    assert str(error.value) == answer
    assert isinstance(error.value, NotFound) is (named == [])


def test_a_share_by_name_or_id(session):
    session.expect("GET", "/shares/s1", {"share": share()})
    session.expect("GET", "/shares/my%20data", refusal("not found", 404), 404)
    session.expect("GET", "/shares/detail?all_tenants=1&name=my+data", {"shares": [share()]})
    cloud = open_door(session)
    assert cloud.find_share("s1").id == "s1"
    assert cloud.find_share("my data").id == "s1"


def test_share_types_by_name_or_id(session):
    types = [{"id": "t1", "name": "gold", "extra_specs": {"a": "b"}}, {"id": "t2", "name": "tin"}]
    for _unused in range(3):
        session.expect("GET", "/types?is_public=all", {"share_types": types})
    cloud = open_door(session)
    assert cloud.find_share_type("gold").extra_specs == {"a": "b"}
    assert cloud.find_share_type("t2").name == "tin"
    with pytest.raises(NotFound, match="There is no share type 'lead'; there are: gold, tin"):
        cloud.find_share_type("lead")


def test_share_networks_by_name_or_id(session):
    networks = [{"id": "n1", "name": "a"}, {"id": "n2", "name": "b"}, {"id": "n3", "name": "b"}]
    for _unused in range(3):
        session.expect("GET", "/share-networks/detail?all_tenants=1", {"share_networks": networks})
    cloud = open_door(session)
    assert cloud.find_share_network("a") == "n1"
    with pytest.raises(NotFound, match="no share network with the name or ID 'c'"):
        cloud.find_share_network("c")
    with pytest.raises(
        CloudError, match="2 share networks have the name 'b'; use one ID of: n2, n3"
    ):
        cloud.find_share_network("b")


# -- looks -----------------------------------------------------------------------------------


def test_a_look_at_a_few_asks_for_each(session):
    copies = [
        instance("i1", status="migrating", updated_at="2027-01-15T08:05:00.000000"),
        instance("i2", host=NEW, status="migrating_to", created_at="2027-01-15T08:03:00.000000"),
    ]
    session.expect("GET", "/shares/s1", {"share": share(status="migrating")})
    session.expect("GET", "/shares/s1/instances", {"share_instances": copies})
    found, gone = open_door(session).observe(["s1"])
    seen = found["s1"]
    assert gone == set()
    assert seen.instances == (Place(OLD, "migrating", "i1"), Place(NEW, "migrating_to", "i2"))
    assert (seen.destination, seen.copies) == (NEW, 2)
    assert seen.changed_at == 1_800_000_300
    assert seen.started_at == 1_800_000_180


def test_a_look_at_what_is_gone(session):
    session.expect("GET", "/shares/s1", refusal("not found", 404), 404)
    assert open_door(session).observe(["s1"]) == ({}, {"s1"})


def test_a_look_at_what_goes_between_two_requests(session):
    session.expect("GET", "/shares/s1", {"share": share()})
    session.expect("GET", "/shares/s1/instances", refusal("not found", 404), 404)
    assert open_door(session).observe(["s1"]) == ({}, {"s1"})


def test_a_look_at_many_costs_two_requests(session):
    wanted = [f"s{number}" for number in range(5)]
    session.expect(
        "GET",
        "/share_instances",
        {"share_instances": [instance(f"i-{one}", one) for one in [*wanted, "x"]]},
    )
    session.expect(
        "GET",
        "/shares/detail?all_tenants=1",
        {"shares": [share(one) for one in [*wanted[:4], "x"]]},
    )
    found, gone = open_door(session).observe(wanted)
    assert set(found) == set(wanted[:4])
    assert gone == {"s4"}
    assert all(one.copies == 1 for one in found.values())


def test_in_a_large_cloud_more_are_asked_for_one_by_one(session):
    """What two lists of everything cost depends on how much there is."""
    everything = [f"s{number}" for number in range(300)]
    instances = [instance(f"i-{one}", one) for one in everything]
    session.expect("GET", "/share_instances", {"share_instances": instances})
    shares = [share(one) for one in everything]
    session.expect("GET", "/shares/detail?all_tenants=1", {"shares": shares})
    door = open_door(session)
    assert set(door.observe(everything)[0]) == set(everything)
    wanted = set(everything[:6])
    for one in sorted(wanted):
        session.expect("GET", f"/shares/{one}", {"share": share(one)})
        session.expect("GET", f"/shares/{one}/instances", {"share_instances": [instance("i", one)]})
    assert set(door.observe(wanted)[0]) == wanted


def test_a_look_at_nothing_costs_nothing(session):
    assert open_door(session).observe([]) == ({}, set())


def test_facts(session):
    session.expect("GET", "/shares/s1", {"share": share(share_network_id="n1")})
    session.expect("GET", "/shares/s1/instances", {"share_instances": [instance("i1")]})
    rule = {"access_type": "ip", "access_to": "192.0.2.7", "access_level": "rw", "id": "a1"}
    session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": [rule]})
    snapshots = [{"id": "x", "share_id": "s1", "status": "available"}]
    session.expect("GET", "/snapshots/detail?all_tenants=1&share_id=s1", {"snapshots": snapshots})
    exports = [
        {"path": "b"},
        {"path": "a", "is_admin_only": False},
        {"path": "c", "is_admin_only": True},
    ]
    session.expect("GET", "/shares/s1/export_locations", {"export_locations": exports})
    facts = open_door(session).facts("s1")
    assert (facts.host, facts.status, facts.copies) == (OLD, "available", 1)
    assert (facts.share_type_id, facts.share_network_id) == ("type-1", "n1")
    assert facts.rules == {("ip", "192.0.2.7", "rw")}
    assert facts.snapshots == {"x": "available"}
    assert facts.exports == ("a", "b")


def test_facts_of_what_was_just_looked_at(session):
    """The share and its instances aren't read again, nor snapshots where there can't be any."""
    session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": []})
    session.expect("GET", "/shares/s1/export_locations", {"export_locations": [{"path": "a"}]})
    seen = Observation(
        "s1",
        "available",
        NEW,
        instances=(Place(NEW, "available"),),
        name="one",
        share_type_id="type-2",
        share_network_id="n2",
        access_rules_status="error",
        copy_mark=CopyMark("i0"),
    )
    assert open_door(session).facts("s1", seen, has_snapshots=False) == Facts(
        NEW,
        "available",
        1,
        "type-2",
        "n2",
        rules_status="error",
        exports=("a",),
        name="one",
        copy_mark=CopyMark("i0"),
    )


# -- pools and services ----------------------------------------------------------------------


def test_pools(session):
    has = {
        "total_capacity_gb": 100.0,
        "free_capacity_gb": "unknown",
        "provisioned_capacity_gb": 12,
        "reserved_percentage": 5,
        "max_over_subscription_ratio": "20.0",
        "thin_provisioning": [True, False],
    }
    bare = {"total_capacity_gb": "infinite", "free_capacity_gb": float("inf")}
    bare["max_over_subscription_ratio"] = 0  # no default: the scheduler refuses it
    pools = [{"name": OLD, "capabilities": has}, {"name": NEW, "capabilities": bare}, {"name": "x"}]
    session.expect("GET", "/scheduler-stats/pools/detail", {"pools": pools})
    first, second, third = open_door(session).pools()
    assert (first.total_gb, first.free_gb, first.provisioned_gb) == (100.0, "unknown", 12.0)
    assert (first.reserved_percentage, first.max_over_subscription_ratio) == (5, 20.0)
    assert first.thin_provisioning
    assert first.backend == "node@old"
    assert (second.total_gb, second.free_gb) == ("infinite", "inf")
    assert (second.max_over_subscription_ratio, second.thin_provisioning) == (0, False)
    assert (third.total_gb, third.free_gb, third.max_over_subscription_ratio) == (
        "unknown",
        "unknown",
        1.0,
    )


@pytest.mark.parametrize(
    ("state", "beat", "alive"),
    [
        ("up", "2027-01-15T07:59:30.000000", True),
        ("up", "2027-01-15T07:59:00.000000", True),
        ("up", "2027-01-15T07:58:59.000000", False),  # killed: what is stored lags
        ("down", "2027-01-15T07:59:59.000000", False),  # the scheduler touched it
        ("stopped", "2027-01-15T07:59:59.000000", False),
        ("up", None, True),
        ("up", "yesterday", True),
    ],
)
def test_a_service_is_alive_when_both_say_so(session, state, beat, alive):
    service = {
        "binary": "manila-share",
        "host": "node@old",
        "status": "disabled",
        "state": state,
        "updated_at": beat,
        "disabled_reason": "emptied",
    }
    session.expect("GET", "/services", {"services": [service]})
    found = open_door(session).share_managers()["node@old"]
    assert found.alive is alive
    assert (found.enabled, found.disabled_reason) == (False, "emptied")


# -- share servers -----------------------------------------------------------------------------


MOVED = server(
    "v2",
    host="node@new",
    source_share_server_id="v1",
    task_state="migration_success",
    updated_at="2027-01-15T08:00:00",
)


def test_share_servers_are_listed_without_a_filter(session):
    body = {"share_servers": [server(), MOVED, server("v3", encryption_key_ref="k")]}
    session.expect("GET", "/share-servers", body)
    plain, moved, encrypted = open_door(session).share_servers()
    assert (plain.id, plain.host, plain.status, plain.source_id) == (
        "v1",
        "node@old",
        "active",
        None,
    )
    assert (moved.source_id, moved.task_state) == ("v1", "migration_success")
    assert (plain.is_encrypted, encrypted.is_encrypted) == (False, True)


@pytest.mark.parametrize(
    ("asked", "listed", "found"),
    [
        ("v1", [server(), MOVED], "v1"),
        ("v1", [MOVED], "v2"),
        ("v1", [{**MOVED, "status": "server_migrating_to"}], "v2"),
        ("v1", [{**MOVED, "status": "error"}], None),
        ("v9", [server(), MOVED], None),
    ],
)
def test_a_share_server_is_found_by_its_old_id_too(session, asked, listed, found):
    session.expect("GET", "/share-servers", {"share_servers": listed})
    if found:
        assert open_door(session).find_share_server(asked).id == found
    else:
        with pytest.raises(NotFound, match="no share server with the ID"):
            open_door(session).find_share_server(asked)


def test_the_check_of_a_share_server_names_every_parameter(session):
    supported = {"writable": True, "nondisruptive": False, "migration_cancel": True}
    answer = {"compatible": True, "supported_capabilities": supported}
    session.expect("POST", "/share-servers/v1/action", answer)
    options = Options(writable=True, preserve_snapshots=True)
    check = open_door(session).check_server("v1", "node@new", options)
    assert (check.compatible, check.supported, check.refusal) == (True, supported, None)
    # Without the last one Manila answers 500.
    assert session.sent[0].body == {
        "migration_check": {
            "host": "node@new",
            "writable": True,
            "nondisruptive": False,
            "preserve_snapshots": True,
            "new_share_network_id": None,
        }
    }


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refused_check_is_an_answer(session, status):
    session.expect("POST", "/share-servers/v1/action", refusal("It is related", status), status)
    check = open_door(session).check_server("v1", "node@new", Options())
    assert not check.compatible and check.supported == {}
    assert check.refusal is not None and check.refusal.startswith("It is related")


def test_a_forbidden_check_is_an_error(session):
    denied = refusal("Access was denied to this resource.", 403)
    session.expect("POST", "/share-servers/v1/action", denied, 403)
    with pytest.raises(CloudError, match="admin role"):
        open_door(session).check_server("v1", "node@new", Options())


def test_progress_of_a_share_server_is_posted_at_every_version(session):
    answer = {"total_progress": 40, "task_state": "", "destination_share_server_id": ""}
    session.expect("POST", "/share-servers/v1/action", answer)
    assert open_door(session, version="2.98").progress("share_server", "v1") == 40


def test_facts_of_a_share_server_are_those_of_its_successor(session):
    instance = {"id": "i1", "share_id": "s1", "host": NEW, "status": "available"}
    session.expect("GET", "/share-servers", {"share_servers": [MOVED]})
    session.expect(
        "GET",
        "/share_instances?host=node%40new",
        {"share_instances": [{**instance, "share_server_id": "v2"}]},
    )
    share = {"id": "s1", "name": "web", "host": NEW, "status": "available", "size": 1}
    session.expect("GET", "/shares/detail?all_tenants=1&share_server_id=v2", {"shares": [share]})
    session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": []})
    session.expect("GET", "/snapshots/detail?all_tenants=1&share_id=s1", {"snapshots": []})
    session.expect(
        "GET", "/shares/s1/export_locations", {"export_locations": [{"path": "10.0.0.2:/web"}]}
    )
    facts = open_door(session).server_facts("v1")
    assert (facts.host, facts.status, facts.copies) == ("node@new", "active", 1)
    member = facts.members["s1"]
    assert (member.name, member.host, member.copies) == ("web", NEW, 1)
    assert member.exports == ("10.0.0.2:/web",)


def test_share_networks_know_the_zones_of_their_subnets(session):
    body = {
        "share_networks": [
            {"id": "n1", "name": "one", "share_network_subnets": [{"availability_zone": None}]},
            {"id": "n2", "name": "two", "share_network_subnets": [{"availability_zone": "east"}]},
            {"id": "n3", "name": None, "status": "error", "share_network_subnets": []},
        ]
    }
    session.expect("GET", "/share-networks/detail?all_tenants=1", body)
    one, two, three = open_door(session).share_networks()
    assert (one.spans("east"), two.spans("east"), two.spans("west")) == (True, True, False)
    assert (three.name, three.status, three.spans("east")) == ("", "error", False)


def test_servers_of_share_groups(session):
    groups = [{"id": "g1", "share_server_id": "v1"}, {"id": "g2", "share_server_id": None}]
    session.expect("GET", "/share-groups/detail?all_tenants=1", {"share_groups": groups})
    assert open_door(session).grouped_servers() == {"v1"}


def test_quotas_of_a_project_and_of_one_of_its_types(session):
    body = {
        "id": "p1",
        "shares": {"limit": 5, "in_use": 3, "reserved": 1},
        "gigabytes": {"limit": -1, "in_use": 30, "reserved": 0},
        "share_networks": None,
    }
    session.expect("GET", "/quota-sets/p1/detail", {"quota_set": body})
    session.expect("GET", "/quota-sets/p1/detail?share_type=t1", {"quota_set": body})
    door = open_door(session)
    expected = {"shares": Quota(5, 4), "gigabytes": Quota(-1, 30)}
    assert (door.quotas("p1"), door.quotas("p1", "t1")) == (expected, expected)


def test_qos_types_by_name_and_id_where_there_are_any(session):
    session.expect("GET", "/qos-types", {"qos_types": [{"id": "q1", "name": "gold"}]})
    assert open_door(session).qos_types() == {"q1", "gold"}
    assert open_door(session, version="2.93").qos_types() is None


# -- replicas --------------------------------------------------------------------------------

WHEN = "2027-01-15T08:00:00Z"
MARKED = {"manila_migration_replica": f"{OLD} -> {NEW} since {WHEN}", "manila_migration": "replica"}
ALL_MARKED = "/shares/detail?all_tenants=1&metadata=%7B%27manila_migration%27%3A+%27replica%27%7D"


def replica(instance_id: str, host: str, state: str, **more: Any) -> dict[str, Any]:
    return instance(instance_id, host=host, replica_state=state, share_network_id="net", **more)


def test_shares_that_a_replica_is_moved_of_cost_one_request_or_two(session):
    session.expect("GET", ALL_MARKED, {"shares": [share(metadata={"manila_migration": "replica"})]})
    assert open_door(session).marked() == []
    session.expect("GET", ALL_MARKED, {"shares": [share(metadata=MARKED)]})
    listed = [replica("a", OLD, "active"), replica("b", NEW, "in_sync"), instance("c", "other")]
    session.expect("GET", "/share_instances", {"share_instances": listed})
    ((found, copies),) = open_door(session).marked()
    assert (found.id, [one.id for one in copies]) == ("s1", ["a", "b"])


def test_a_look_at_a_replica(session):
    session.expect("GET", "/shares/s1", {"share": share(metadata=MARKED)})
    listed = [replica("a", OLD, "active"), replica("b", NEW, "out_of_sync")]
    session.expect("GET", "/shares/s1/instances", {"share_instances": listed})
    session.expect("GET", "/shares/s2", refusal("none", 404), status=404)
    cloud = open_door(session)
    found, gone = cloud.observe_replicas({"s1": (OLD, NEW)})
    assert (found["s1"].task_state, found["s1"].destination) == ("replica_out_of_sync", NEW)
    assert gone == set()
    assert cloud.observe_replicas({"s2": (OLD, NEW)}) == ({}, {"s2"})
    assert cloud.observe_replicas({}) == ({}, set())


@pytest.mark.parametrize(
    ("copies", "host", "status", "count", "paths"),
    [
        # Before the promotion, after it, and when the old one is gone.
        (["active", "in_sync"], OLD, "available", 1, ("share",)),
        (["in_sync", "active"], OLD, "available", 1, ("share",)),
        ([None, "active"], NEW, "available", 1, ("share",)),
        # The share is served from elsewhere.
        (["in_sync", "in_sync"], OLD, "available", 1, ("a",)),
        ([None, "in_sync"], NEW, "available", 1, ("b",)),
    ],
)
def test_facts_of_a_replica(session, copies, host, status, count, paths):
    listed = [
        replica(name, pool, state)
        for name, pool, state in zip("ab", (OLD, NEW), copies)
        if state is not None
    ]
    session.expect("GET", "/shares/s1", {"share": share(metadata=MARKED)})
    session.expect("GET", "/shares/s1/instances", {"share_instances": listed})
    session.expect("GET", "/share-access-rules?share_id=s1", {"access_list": []})
    session.expect("GET", "/snapshots/detail?all_tenants=1&share_id=s1", {"snapshots": []})
    session.expect("GET", "/shares/s1/export_locations", {"export_locations": [{"path": "share"}]})
    if paths != ("share",):
        hidden = {"path": "hidden", "is_admin_only": True}
        session.expect(
            "GET",
            f"/share-replicas/{paths[0]}/export-locations",
            {"export_locations": [{"path": paths[0]}, hidden]},
        )
    facts = open_door(session).replica_facts("s1", OLD, NEW)
    assert (facts.host, facts.status, facts.copies, facts.exports) == (host, status, count, paths)
    assert (facts.share_network_id, facts.active) == ("net", paths == ("share",))


def test_a_mark_is_written_and_removed(session):
    session.expect("POST", "/shares/s1/metadata", {"metadata": {}})
    cloud = open_door(session)
    cloud.mark("s1", Mark(OLD, NEW, WHEN))
    assert session.sent[-1].body == {"metadata": MARKED}
    session.expect("POST", "/shares/s1/metadata", CUT)
    with pytest.raises(CloudError) as error:
        cloud.mark("s1", Mark(OLD, NEW, WHEN))
    assert not isinstance(error.value, Unknown)  # it is looked for, and written again
    session.expect("DELETE", "/shares/s1/metadata/manila_migration_replica", status=200)
    session.expect("DELETE", "/shares/s1/metadata/manila_migration", refusal("no", 404), 404)
    cloud.unmark("s1")
    session.expect(
        "DELETE", "/shares/s1/metadata/manila_migration_replica", refusal("no", 403), 403
    )
    with pytest.raises(Refused):
        cloud.unmark("s1")


@pytest.mark.parametrize("version", ["2.73", "2.98"])
def test_what_is_done_to_replicas(session, version):
    cloud = open_door(session, version=version)
    session.expect("POST", "/share-replicas", {"share_replica": {"id": "b"}}, 202)
    cloud.create_replica("s1", NEW, "net")
    assert session.sent[-1].body == {
        "share_replica": {
            "share_id": "s1",
            "scheduler_hints": {"only_host": NEW},
            "share_network_id": "net",
        }
    }
    session.expect("POST", "/share-replicas/b/action", None, 202)
    cloud.promote_replica("b")
    assert session.sent[-1].body == {"promote": None}
    session.expect("DELETE", "/share-replicas/a", None, 202)
    cloud.delete_replica("a")
    session.expect("POST", "/share-replicas/b/action", refusal("status"), 400)
    with pytest.raises(Refused):
        cloud.promote_replica("b")
    session.expect("DELETE", "/share-replicas/a", LATE)
    with pytest.raises(Unknown):
        cloud.delete_replica("a")


@pytest.mark.parametrize("status", [429, 503])
def test_an_answer_that_says_when_to_ask_again_is_waited_for(session, status):
    session.expect("GET", "http://manila.test/share/", versions("2.98"))
    cloud = Cloud.connect(connection(session))
    naps: list[float] = []
    cloud._sleep = naps.append
    # python-manilaclient makes no exception of it with this header.
    session.headers["Retry-After"] = "1"
    session.expect("GET", "/shares/s1", {"overLimit": {"code": status}}, status)
    session.expect("GET", "/shares/s1", {"share": share()})
    assert cloud.share("s1").id and naps == [0.5]


# -- resource locks --------------------------------------------------------------------------

LOCKS = "/resource-locks?all_projects=1"
DENY = "/shares/s1/action"


def lock(**more: Any) -> dict[str, Any]:
    return {
        "id": "l1",
        "user_id": "u1",
        "project_id": "p1",
        "lock_context": "user",
        "resource_type": "access_rule",
        "resource_id": "r1",
        "resource_action": "delete",
        "lock_reason": None,
        **more,
    }


def test_all_locks_of_the_cloud_in_one_request(session):
    session.expect("GET", LOCKS, {"resource_locks": [lock(), lock(id="l2", lock_reason="why")]})
    found = open_door(session, version="2.81").locks()
    assert found is not None
    assert [(one.id, one.kind, one.reason) for one in found] == [
        ("l1", "access_rule", ""),
        ("l2", "access_rule", "why"),
    ]


def test_an_older_manila_has_no_locks_and_is_not_asked(session):
    assert open_door(session, version="2.80").locks() == []


def test_locks_that_this_user_may_not_list_are_not_known(session):
    session.expect("GET", LOCKS, {"forbidden": {"code": 403, "message": "no"}}, status=403)
    assert open_door(session).locks() is None


def test_a_locked_access_rule_is_named_with_its_lock(session):
    session.expect("POST", DENY, {"forbidden": {"code": 403, "message": "locked"}}, status=403)
    listed = [lock(resource_action="show", id="l0"), lock(lock_reason="two\nlines")]
    session.expect("GET", f"{LOCKS}&resource_id=r1", {"resource_locks": listed})
    with pytest.raises(Refused) as told:
        open_door(session).deny("s1", "r1")
    message = str(told.value)
    assert told.value.status_code == 403
    assert "r1" in message and "s1" in message and "u1" in message and "l0" not in message
    assert message.endswith("(openstack share lock delete l1).")
    assert message.isprintable()


@pytest.mark.parametrize("answers", [True, False])
def test_another_refusal_of_an_access_rule_keeps_its_words(session, clock, answers):
    session.expect("POST", DENY, {"forbidden": {"code": 403, "message": "soft deleted"}}, 403)
    if answers:
        session.expect("GET", f"{LOCKS}&resource_id=r1", {"resource_locks": []})
    else:
        session.expect("GET", f"{LOCKS}&resource_id=r1", {"forbidden": {"code": 401}}, 401)
    with pytest.raises(Refused, match="soft deleted"):
        open_door(session, clock).deny("s1", "r1")


def test_a_refusal_that_is_not_about_rights_asks_for_no_locks(session):
    session.expect("POST", DENY, refusal("busy"), status=400)
    with pytest.raises(Refused, match="busy"):
        open_door(session).deny("s1", "r1")
