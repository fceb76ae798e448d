# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run itself is killed.

`kill -9`, then the same command once more.  Most moments are those of a request, which the proxy
keeps waiting until the run is dead: before it was carried out, or after.
"""

from __future__ import annotations

import pytest
from conftest import ALPHA, FILES1, GAMMA, Ansible, Manila, sandbox, wait_for
from fault_proxy import Proxy
from faults import Evacuation, assert_at_source, assert_moved, case, hashes, write_files

MOVED = "the same command moves everything, once"
START = "migration_start$"
COMPLETE = "migration_complete$"
CANCEL = "migration_cancel$"


@pytest.mark.parametrize(
    ("role", "pattern", "nth", "carried"),
    [
        case("reading", "killed while it reads", MOVED, False, "GET /shares/detail", 1, False),
        case("cordon", "killed right before the cordon", MOVED, True, "PUT /services", 1, False),
        case("cordoned", "killed right after the cordon", MOVED, True, "PUT /services", 1, True),
        case("start", "killed right before the first start", MOVED, False, START, 1, False),
        case(
            "started",
            "killed after the first start, before its answer",
            MOVED,
            False,
            START,
            1,
            True,
            quick=True,
        ),
        case(
            "both-started",
            "killed after the second start, before its answer",
            MOVED,
            False,
            START,
            2,
            True,
        ),
        case(
            "complete", "killed right before the first complete", MOVED, False, COMPLETE, 1, False
        ),
        case(
            "completed",
            "killed after the first complete, before its answer",
            MOVED,
            True,
            COMPLETE,
            1,
            True,
            quick=True,
        ),
        case(
            "both-completed",
            "killed after the second complete, before its answer",
            MOVED,
            False,
            COMPLETE,
            2,
            True,
        ),
        # Export locations are read twice for each share: before its cutover, and after.
        case("check", "killed while it checks", MOVED, False, "GET .*/export_locations", 3, False),
    ],
)
def test_killed(
    manila: Manila,
    ansible: Ansible,
    proxy: Proxy,
    role: bool,
    pattern: str,
    nth: int,
    carried: bool,
) -> None:
    shares = manila.create_all(["one", "two"], ALPHA)
    command = Evacuation(ansible, role=role)
    hold = proxy.hold(pattern, carried, skip=nth - 1)
    command.begin()
    hold.wait()
    command.kill()
    hold.drop()
    command.succeed()
    assert_moved(manila, shares)
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 2


@pytest.mark.parametrize(
    ("state", "whole"),
    [
        case(
            "copying-parent",
            "only ansible-playbook is killed while it copies",
            "what it started ends by itself; the same command moves everything, once",
            "migration_driver_in_progress",
            False,
            quick=True,
        ),
        case(
            "completing-parent",
            "only ansible-playbook is killed in a cutover",
            "what it started ends by itself; the same command moves everything, once",
            "migration_completing",
            False,
        ),
        case("copying", "killed while it copies", MOVED, "migration_driver_in_progress", True),
        case("completing", "killed in a cutover", MOVED, "migration_completing", True),
    ],
)
def test_killed_in_a_state(
    manila: Manila, ansible: Ansible, proxy: Proxy, state: str, whole: bool
) -> None:
    sandbox("speed", "--copy-seconds", "3", "--complete-seconds", "6")
    shares = manila.create_all(["one", "two"], ALPHA)
    command = Evacuation(ansible).begin()
    wait_for(lambda: any(manila.share(one).task_state == state for one in shares))
    command.kill(whole)
    command.succeed()
    assert_moved(manila, shares)
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 2


@pytest.mark.fault(
    "killed between copy and cutover, three times in a row, each time a little later",
    "the two phases end as without the kills",
)
def test_killed_again_and_again(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    shares = manila.create_all(["one", "two"], ALPHA)
    copy, cutover = Evacuation(ansible, "copy"), Evacuation(ansible, "cutover")
    for command, pattern in ((copy, START), (copy, START), (cutover, COMPLETE)):
        hold = proxy.hold(pattern, carried=True)
        command.begin()
        hold.wait()
        command.kill()
        hold.drop()
    copy.succeed()
    cutover.succeed()
    assert_moved(manila, shares)
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 2


@pytest.mark.fault(
    "a rebalancing is killed after its second start, and once more after a complete",
    "the same command levels the pools, with as many moves as without the kills",
)
def test_killed_rebalance(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    # 48 of 320 GiB are in use: 20 % of the 120 GiB of alpha are the most that may stay there.
    shares = manila.create_all([f"share-{n}" for n in range(6)], ALPHA, 8)
    places = ["sandbox@alpha", "sandbox@gamma"]
    command = Evacuation(ansible, role=True, playbook="rebalance", source="", destinations=places)
    for pattern in (START, COMPLETE):
        hold = proxy.hold(pattern, carried=True, skip=1 if pattern == START else 0)
        command.begin()
        hold.wait()
        command.kill()
        hold.drop()
    command.succeed()
    hosts = [manila.share(one).host for one in shares]
    assert (hosts.count(ALPHA), hosts.count(GAMMA)) == (3, 3)
    assert all(len(manila.instances(one)) == 1 for one in shares)
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 3


@pytest.mark.parametrize(
    "state",
    [
        case(
            "copying",
            "killed while manila-data copies files",
            "the same command moves the share, all files have the same hashes",
            "data_copying_in_progress",
        ),
        case(
            "completing",
            "killed in the cutover of a share that manila-data copied",
            "the same command ends well, all files have the same hashes",
            "migration_completing",
        ),
    ],
)
def test_killed_host_assisted(manila: Manila, ansible: Ansible, proxy: Proxy, state: str) -> None:
    sandbox("speed", "--call-seconds", "1")
    share = manila.create("papers", FILES1, 1, "files")
    before = write_files(manila.folder(share), 40)
    command = Evacuation(ansible, source="sandbox@files1").begin()
    manila.await_task_state(share, state)
    command.kill()
    command.succeed()
    assert_moved(manila, [share], FILES1)
    assert hashes(manila.folder(share)) == before
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 1


@pytest.mark.quick
@pytest.mark.fault(
    "killed while a driver is slow to cancel, which Manila does not show; then a cutover",
    "status names the cancel; the cutover waits for it and completes nothing; the share is at its source",
)
def test_a_cutover_while_a_driver_cancels(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    share = manila.create("one", ALPHA)
    sandbox("speed", "--cancel-seconds", "40")
    Evacuation(ansible, "copy", role=True).succeed()
    cancelling = Evacuation(ansible, "cancel", role=True).begin()
    wait_for(lambda: proxy.carried(CANCEL))
    cancelling.kill()
    assert manila.share(share).task_state == "migration_driver_phase1_done"

    status = ansible.evacuate("status").by_name("Set evacuate_result")
    (record,) = status["ansible_facts"]["evacuate_result"]["migrations"]
    assert (record["phase"], record["waiting_for"]["code"]) == ("copied", "cancelling")

    # It waits as long as the driver takes, and finds nothing that it could complete.
    cutover = Evacuation(ansible, "cutover", role=True).run()
    assert cutover.returncode != 0
    assert not proxy.carried(COMPLETE) and len(proxy.carried(CANCEL)) == 1
    assert_at_source(manila, [share])
    assert not manila.share(share).metadata
