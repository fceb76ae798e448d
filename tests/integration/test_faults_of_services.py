# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of Manila is killed and started again.

Where Manila has no way back of its own (docs/design.md), the run must say so and touch nothing;
the test then goes the documented way by hand, and runs the same command again.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ALPHA, FILES1, GAMMA, Ansible, Manila, sandbox, wait_for
from fault_proxy import Proxy
from faults import (
    Evacuation,
    assert_at_source,
    assert_moved,
    cancel_by_hand,
    case,
    hashes,
    write_files,
)

START = "migration_start$"
COMPLETE = "migration_complete$"

GOES_ON = "it continues, and is moved once"
NAMED = (
    "the run ends as failed and names the share, which stays at its source; after the documented "
    "way out the same command moves it"
)


def restart(name: str) -> None:
    sandbox("stop", name, "--signal", "KILL")
    sandbox("start", name)


def evacuation(ansible: Ansible, **more: object) -> Evacuation:
    """One destination, so that it is known whose service is meant."""
    return Evacuation(ansible, destinations=["sandbox@gamma"], **more)


@pytest.mark.parametrize(
    ("whose", "state"),
    [
        case(
            f"{whose}-{state}",
            f"manila-share of the {end} is killed in `migration_{state}`",
            GOES_ON,
            whose,
            f"migration_{state}",
            quick=(whose, state) == ("alpha", "driver_in_progress"),
        )
        for whose, end, states in (
            ("alpha", "source", ("driver_in_progress", "driver_phase1_done")),
            (
                "gamma",
                "destination",
                ("driver_starting", "driver_in_progress", "driver_phase1_done", "completing"),
            ),
        )
        for state in states
    ],
)
def test_share_manager_resumes(
    manila: Manila, ansible: Ansible, proxy: Proxy, whose: str, state: str
) -> None:
    calls = "8" if state == "migration_driver_starting" else "0"
    sandbox("speed", "--copy-seconds", "8", "--complete-seconds", "8", "--call-seconds", calls)
    share = manila.create("one", ALPHA)
    command = evacuation(ansible)
    if state == "migration_driver_phase1_done":
        evacuation(ansible, phase="copy").succeed()
        restart(f"manila-share@{whose}")
        command.succeed()
    else:
        command.begin()
        manila.await_task_state(share, state)
        restart(f"manila-share@{whose}")
        run = command.end()
        assert run.returncode == 0, run.last
    assert_moved(manila, [share])
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 1


@pytest.mark.parametrize(
    ("state", "way_out"),
    [
        case(
            "driver_starting",
            "manila-share of the source is killed in `migration_driver_starting`",
            NAMED,
            "migration_driver_starting",
            "migration_driver_in_progress",
        ),
        case(
            "completing",
            "manila-share of the source is killed in `migration_completing`",
            NAMED,
            "migration_completing",
            "migration_driver_phase1_done",
        ),
    ],
)
def test_share_manager_halts(
    manila: Manila, ansible: Ansible, proxy: Proxy, state: str, way_out: str
) -> None:
    sandbox("speed", "--call-seconds", "6", "--complete-seconds", "6")
    share, other = manila.create_all(["one", "two"], ALPHA)
    command = evacuation(ansible, role=True, timeout=20, exclude=["two"]).begin()
    manila.await_task_state(share, state)
    restart("manila-share@alpha")
    run = command.end()
    assert run.returncode == 2 and "one" in run.last["msg"]
    assert state in run.stdout
    # Once more changes nothing: neither is it completed, nor cancelled, nor started.
    asked = len(proxy.seen("migration_"))
    assert command.run().returncode == 2
    assert not [one for one in proxy.seen("/action")[asked:] if "progress" not in one.line]
    sandbox("speed", "--call-seconds", "0", "--complete-seconds", "0.2")
    cancel_by_hand(manila, share, way_out)
    assert_at_source(manila, [share, other])
    command.succeed()
    assert_moved(manila, [share])
    assert_at_source(manila, [other])


@pytest.mark.fault(
    "manila-data is killed in the middle of a copy",
    "the run never completes it; the source keeps all files; after the documented way out the same "
    "command moves the share, all files have the same hashes",
)
def test_data_service_killed(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    share = manila.create("papers", FILES1, 1, "files")
    source = manila.folder(share)
    before = write_files(source, 60)
    command = Evacuation(ansible, source="sandbox@files1", role=True, timeout=20).begin()
    manila.await_task_state(share, "data_copying_in_progress")
    restart("manila-data")
    run = command.end()
    assert manila.share(share).task_state == "data_copying_error"
    assert run.returncode == 2 and "papers" in run.last["msg"]
    assert command.run().returncode == 2
    assert not proxy.seen(COMPLETE) and hashes(source) == before

    cancel_by_hand(manila, share, "data_copying_completed")
    for rule in manila.api.share_access_rules.access_list(share):
        if rule.access_to == "127.0.0.1":  # the data node's
            manila.api.shares.deny(share, rule.id)
    wait_for(lambda: len(manila.rules(share)) == 1)
    assert_at_source(manila, [share], FILES1)
    assert hashes(source) == before
    Evacuation(ansible, source="sandbox@files1", timeout=250).succeed()
    assert_moved(manila, [share], FILES1)
    assert hashes(manila.folder(share)) == before


@pytest.mark.fault(
    "manila-data is away when a copy is to begin",
    "the run waits and says for what; the share is moved in one run, all files have the same hashes",
)
def test_data_service_away(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    share = manila.create("papers", FILES1, 1, "files")
    before = write_files(manila.folder(share), 10)
    hold = proxy.hold(START, carried=False)
    command = Evacuation(ansible, source="sandbox@files1", timeout=200).begin()
    hold.wait()
    sandbox("stop", "manila-data", "--signal", "KILL")
    try:
        hold.release()
        manila.await_task_state(share, "migration_in_progress")
    finally:
        sandbox("start", "manila-data")
    run = command.end()
    assert run.returncode == 0, run.last
    assert_moved(manila, [share], FILES1)
    assert hashes(manila.folder(share)) == before
    assert len(proxy.carried(COMPLETE)) == 1


@pytest.mark.fault(
    "manila-share of the source is killed in `migration_in_progress` of a host-assisted migration",
    "the run ends as failed and names the share, the source keeps all files; after the documented "
    "way out the same command moves it, all files have the same hashes",
)
def test_share_manager_killed_before_the_copy(
    manila: Manila, ansible: Ansible, proxy: Proxy
) -> None:
    share = manila.create("papers", FILES1, 1, "files")
    source = manila.folder(share)
    before = write_files(source, 10)
    sandbox("speed", "--call-seconds", "8")
    command = Evacuation(ansible, source="sandbox@files1", role=True, timeout=20).begin()
    manila.await_task_state(share, "migration_in_progress")
    wait_for(lambda: any(one.status == "creating" for one in manila.instances(share)))
    restart("manila-share@files1")
    run = command.end()
    assert run.returncode == 2 and "papers" in run.last["msg"]
    assert hashes(source) == before and not proxy.seen(COMPLETE)

    sandbox("speed", "--call-seconds", "0")
    new = next(one for one in manila.instances(share) if one.host != FILES1)
    wait_for(lambda: manila.api.share_instances.get(new.id).status != "creating")
    manila.api.share_instances.reset_state(new.id, "migrating_to")
    cancel_by_hand(manila, share, "data_copying_completed")
    assert_at_source(manila, [share], FILES1)
    Evacuation(ansible, source="sandbox@files1", timeout=250).succeed()
    assert_moved(manila, [share], FILES1)
    assert hashes(manila.folder(share)) == before


@pytest.mark.fault(
    "manila-share of the source is killed at the end of a host-assisted cutover, while it removes the source",
    "the share serves from its destination, all files have the same hashes; nothing is sent twice",
)
def test_share_manager_killed_after_the_cutover(
    manila: Manila, ansible: Ansible, proxy: Proxy
) -> None:
    share = manila.create("papers", FILES1, 1, "files")
    before = write_files(manila.folder(share), 10)
    Evacuation(ansible, "copy", source="sandbox@files1").succeed()
    sandbox("speed", "--call-seconds", "8")
    command = Evacuation(ansible, "cutover", source="sandbox@files1", timeout=20).begin()
    wait_for(lambda: any(one.status == "deleting" for one in manila.instances(share)))
    restart("manila-share@files1")
    command.end()
    command.run()
    new = next(one for one in manila.instances(share) if one.host != FILES1)
    assert new.status == "available"
    exports = manila.api.share_instance_export_locations.list(new.id)
    (folder,) = (Path(one.path) for one in exports if one.is_admin_only)
    assert hashes(folder) == before
    assert len(proxy.carried(COMPLETE)) == 1


@pytest.mark.fault(
    "manila-scheduler is away when a migration is started",
    "it continues when the scheduler is up again, in one run",
)
def test_scheduler_away(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    share = manila.create("one", ALPHA)
    hold = proxy.hold(START, carried=False)
    command = evacuation(ansible, timeout=200).begin()
    hold.wait()
    sandbox("stop", "manila-scheduler", "--signal", "KILL")
    try:
        hold.release()
        manila.await_task_state(share, "migration_starting")
    finally:
        sandbox("start", "manila-scheduler")
    run = command.end()
    assert run.returncode == 0, run.last
    assert_moved(manila, [share])
    assert manila.share(share).host == GAMMA
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 1


@pytest.mark.fault(
    "manila-scheduler is killed right after a start was accepted",
    "nothing is started twice; the share is moved, or the run names it and leaves it at its source",
)
def test_scheduler_killed(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    share = manila.create("one", ALPHA)
    hold = proxy.hold(START, carried=True)
    command = evacuation(ansible, timeout=60).begin()
    hold.wait()
    restart("manila-scheduler")
    hold.release()
    run = command.end()
    assert len(proxy.carried(START)) == 1
    if run.returncode == 0:
        assert_moved(manila, [share])
        return
    # The scheduler took the order with it: Manila has no way back of its own.
    assert "one" in run.last["msg"] and manila.share(share).host == ALPHA
    assert len(manila.instances(share)) == 1
    manila.api.shares.reset_state(share, "available")
    manila.api.shares.reset_task_state(share, None)
    command.succeed()
    assert_moved(manila, [share])
