# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another operator or another run works at the same time."""

from __future__ import annotations

import pytest
from conftest import ALPHA, BETA, Ansible, Manila, sandbox, wait_for
from fault_proxy import Proxy
from faults import Evacuation, assert_at_source, assert_moved, case

START = "migration_start$"
COMPLETE = "migration_complete$"


@pytest.mark.parametrize(
    "phases",
    [
        case(
            "copy-and-cutover",
            "the phases copy and cutover, each run twice at the same time",
            "everything is moved, started and completed once",
            ("copy", "cutover"),
        ),
        case(
            "all",
            "the phase all, run twice at the same time",
            "everything is moved, started and completed once",
            ("all",),
            quick=True,
        ),
    ],
)
@pytest.mark.needs_api("2.83")
def test_two_at_once(
    manila: Manila, ansible: Ansible, proxy: Proxy, phases: tuple[str, ...]
) -> None:
    shares = manila.create_all(["one", "two", "three"], ALPHA)
    for phase in phases:
        first, second = (Evacuation(ansible, phase, role=True).begin() for _run in range(2))
        # One of them may find that the other was faster, and say so.
        assert {first.end().returncode, second.end().returncode} <= {0, 2}
        Evacuation(ansible, phase).succeed()
    assert_moved(manila, shares)
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 3


@pytest.mark.fault(
    "a second run starts while the first is in its cutovers",
    "everything is moved, completed once",
)
@pytest.mark.needs_api("2.83")
def test_second_in_the_cutover(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    sandbox("speed", "--complete-seconds", "600")
    shares = manila.create_all(["one", "two"], ALPHA)
    first = Evacuation(ansible, role=True, timeout=600).begin()
    wait_for(lambda: proxy.carried(COMPLETE))
    second = Evacuation(ansible, role=True).run()
    assert "Another evacuation is at work" in second.last["msg"]
    sandbox("speed", "--complete-seconds", "0.2")
    assert first.end().returncode == 0
    Evacuation(ansible).succeed()
    assert_moved(manila, shares)
    assert len(proxy.carried(COMPLETE)) == 2


@pytest.mark.parametrize(
    "state",
    [
        case(
            "copying",
            "another operator cancels a migration while it is copied",
            "the run says so; the share is at its source; the same command moves it",
            "migration_driver_in_progress",
        ),
        case(
            "copied",
            "another operator cancels a migration that is copied",
            "the run says so; the share is at its source; the same command moves it",
            "migration_driver_phase1_done",
        ),
    ],
)
def test_cancelled_by_another(manila: Manila, ansible: Ansible, proxy: Proxy, state: str) -> None:
    sandbox("speed", "--copy-seconds", "5")
    share = manila.create("one", ALPHA)
    hold = proxy.hold(COMPLETE, carried=False)
    command = Evacuation(ansible).begin()
    if state == "migration_driver_phase1_done":
        hold.wait()
    manila.await_task_state(share, state)
    manila.api.shares.migration_cancel(share)
    wait_for(lambda: manila.share(share).status == "available")
    hold.release()
    run = command.end()
    assert run.returncode == 2 and "one" in run.last["msg"]
    assert_at_source(manila, [share])
    proxy.calm()
    command.succeed()
    assert_moved(manila, [share])


@pytest.mark.fault(
    "another operator completes what is copied, before the cutover",
    "the run takes it for what it is: moved, and sends no complete",
)
def test_completed_by_another(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    share = manila.create("one", ALPHA)
    sandbox("speed", "--complete-seconds", "4")
    Evacuation(ansible, "copy").succeed()
    manila.api.shares.migration_complete(share)
    Evacuation(ansible, "cutover").succeed()
    wait_for(lambda: manila.share(share).task_state == "migration_success")
    assert_moved(manila, [share])
    assert not proxy.seen(COMPLETE)


def evacuate_one_by_one(ansible: Ansible) -> Evacuation:
    return Evacuation(
        ansible,
        max_parallel=1,
        destinations=["sandbox@beta"],
        timeout=90,
    )


@pytest.mark.parametrize(
    "what",
    [
        case(
            "deleted",
            "a share that waits for its turn is deleted",
            "the others are moved",
            "deleted",
        ),
        case(
            "extended",
            "a share that waits for its turn is extended",
            "everything is moved, with the new size",
            "extended",
        ),
        case(
            "snapshot",
            "a share that waits for its turn is given a snapshot",
            "everything is moved, with the snapshot",
            "snapshot",
        ),
    ],
)
def test_changed_in_the_middle(manila: Manila, ansible: Ansible, proxy: Proxy, what: str) -> None:
    sandbox("speed", "--copy-seconds", "6")
    shares = manila.create_all(["one", "two"], ALPHA, 2)
    command = evacuate_one_by_one(ansible).begin()
    # Which of them is the first is the plan's to say.
    moving = wait_for(lambda: [one for one in shares if manila.share(one).status == "migrating"])
    (waiting,) = set(shares) - set(moving)
    snapshot = ""
    if what == "deleted":
        manila.api.shares.delete(waiting)
    elif what == "extended":
        manila.api.shares.extend(waiting, 5)
    else:
        snapshot = manila.api.share_snapshots.create(waiting, name="kept").id
    # What moves can't be changed: Manila refuses it, and the run goes on.
    for change in (
        lambda: manila.api.shares.delete(moving[0]),
        lambda: manila.api.shares.extend(moving[0], 5),
        lambda: manila.api.share_snapshots.create(moving[0]),
    ):
        with pytest.raises(Exception, match=r"HTTP 4\d\d"):
            change()
    assert command.end().returncode in (0, 2)
    command.succeed()
    assert_moved(manila, moving if what == "deleted" else shares)
    if what == "extended":
        assert manila.share(waiting).size == 5
    if snapshot:
        assert manila.api.share_snapshots.get(snapshot).status == "available"


@pytest.mark.fault(
    "the destination is full when a share is started",
    "the run says so, and the share is at its source; when there is room the same command moves it",
)
def test_full_destination(manila: Manila, ansible: Ansible, proxy: Proxy) -> None:
    share = manila.create("one", ALPHA, 20)
    hold = proxy.hold(START, carried=False)
    command = Evacuation(ansible, role=True, destinations=[BETA], timeout=90).begin()
    hold.wait()
    big = manila.create("big", BETA, 45)  # of 60, of which 3 are reserved
    sandbox("refresh")
    hold.release()
    run = command.end()
    assert run.returncode == 2 and "one" in run.last["msg"]
    assert_at_source(manila, [share])
    assert command.run().returncode == 2
    assert_at_source(manila, [share])
    manila.api.shares.delete(big)
    wait_for(lambda: all(one.id != big for one in manila.api.shares.list()))
    sandbox("refresh")
    command.succeed()
    assert_moved(manila, [share])
