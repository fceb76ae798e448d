# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API answers with errors, late, or not at all."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import ALPHA, GAMMA, SANDBOX, Ansible, Manila, migrate, sandbox, wait_for
from fault_proxy import Proxy
from faults import Evacuation, assert_at_source, assert_moved, case

Harm = Callable[..., None]

READS = "^GET "
START = "migration_start$"
COMPLETE = "migration_complete$"
CANCEL = "migration_cancel$"


def answers(status: int, **more: int) -> Harm:
    return lambda proxy, pattern, **when: proxy.answer(status, pattern, **more, **when)


def cuts(proxy: Proxy, pattern: str, **when: Any) -> None:
    proxy.cut(pattern, **when)


def loses(proxy: Proxy, pattern: str, **when: Any) -> None:
    proxy.lose(pattern, **when)


def delays(seconds: float) -> Harm:
    return lambda proxy, pattern, **when: proxy.delay(seconds, pattern, **when)


UNNOTICED = "everything is moved in one run"


@pytest.mark.parametrize(
    "harm",
    [
        case("500", "every third read is answered with 500", UNNOTICED, answers(500)),
        case("503", "every third read is answered with 503", UNNOTICED, answers(503), quick=True),
        case(
            "429",
            "every third read is answered with 429 and Retry-After",
            UNNOTICED,
            answers(429, retry_after=1),
        ),
        case("cut", "the connection of every third read is cut", UNNOTICED, cuts),
        case("late", "every third read takes 3 s", UNNOTICED, delays(3)),
    ],
)
def test_reads(manila: Manila, ansible: Ansible, proxy: Proxy, harm: Harm) -> None:
    shares = manila.create_all(["one", "two"], ALPHA)
    # The first reads settle the version: a wrong address is to be told at once.
    harm(proxy, f"{READS}/shares|{READS}/share_instances|{READS}/services", every=3, times=1000)
    Evacuation(ansible).succeed()
    assert_moved(manila, shares)
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 2


HARMS: dict[str, tuple[str, Harm]] = {
    "500": ("{} is answered with 500", answers(500)),
    "503": ("{} is answered with 503", answers(503)),
    "429": ("{} is answered with 429 and Retry-After", answers(429, retry_after=1)),
    "cut": ("the connection of {} is cut", cuts),
    "lost": ("the answer to {} gets lost", loses),
    "late": ("{} is carried out 5 s after its sender has timed out", delays(65)),
}


@pytest.mark.parametrize(
    ("pattern", "harm", "timeout"),
    [
        case(
            f"{verb}-{name}",
            words.format(f"a {verb}"),
            "the share is moved, started and completed once",
            f"migration_{verb}$",
            harm,
            # Long enough for what is late; what nobody carries out is sent by the next run, which
            # leaves a copy that it meets alone for up to 20 s.
            100 if name == "late" else 40,
            quick=(verb, name) == ("complete", "lost"),
        )
        for verb in ("start", "complete")
        for name, (words, harm) in HARMS.items()
    ],
)
def test_actions(
    manila: Manila, ansible: Ansible, proxy: Proxy, pattern: str, harm: Harm, timeout: int
) -> None:
    share = manila.create("one", ALPHA)
    harm(proxy, pattern)
    task = migrate(share=share, destination_pool=GAMMA, state="completed", timeout=timeout)
    assert any(not ansible.tasks(task).last.get("failed") for _try in range(3))
    assert_moved(manila, [share])
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 1


@pytest.mark.parametrize(
    "harm",
    [
        case(
            name,
            words.format("a cancel"),
            "the share is at its source, with one instance",
            harm,
        )
        for name, (words, harm) in HARMS.items()
        if name != "late"
    ],
)
def test_cancels(manila: Manila, ansible: Ansible, proxy: Proxy, harm: Harm) -> None:
    share = manila.create("one", ALPHA)
    manila.start(share, GAMMA)
    manila.await_task_state(share, "migration_driver_phase1_done")
    harm(proxy, CANCEL)
    task = migrate(share=share, state="cancelled", timeout=20)
    failed = ansible.tasks(task).last.get("failed")
    if failed and "manila_migration_interrupted" in manila.share(share).metadata:
        # Nobody can know that it never got there: no second one follows by itself.
        sent = len(proxy.seen(CANCEL))
        assert ansible.tasks(task).last["failed"]
        assert len(proxy.seen(CANCEL)) == sent
        manila.api.shares.delete_metadata(share, ["manila_migration_interrupted"])
    assert any(not ansible.tasks(task).last.get("failed") for _try in range(2))
    assert_at_source(manila, [share])
    assert proxy.carried(CANCEL) and not proxy.carried(COMPLETE)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        case(
            "copying",
            "manila-api is away for a minute while it copies",
            "everything is moved in one run",
            "migration_driver_in_progress",
            START,
        ),
        case(
            "completing",
            "manila-api is away for a minute in a cutover",
            "everything is moved in one run",
            "migration_completing",
            COMPLETE,
        ),
    ],
)
def test_api_away(manila: Manila, ansible: Ansible, proxy: Proxy, state: str, action: str) -> None:
    sandbox("speed", "--copy-seconds", "20", "--complete-seconds", "20")
    shares = manila.create_all(["one", "two"], ALPHA)
    command = Evacuation(ansible, timeout=300).begin()
    # All of them: that an answer gets lost is another fault.
    wait_for(lambda: len(proxy.carried(action)) == 2)
    wait_for(lambda: any(manila.share(one).task_state == state for one in shares))
    sandbox("stop", "manila-api", "--signal", "KILL")
    try:
        time.sleep(60)  # this is the fault
    finally:
        sandbox("start", "manila-api")
    run = command.end()
    assert run.returncode == 0, run.last
    assert_moved(manila, shares)
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 2


@pytest.fixture
def tokens_of_a_minute(manila: Manila) -> Iterator[None]:
    """Keystone started with another life of tokens; the sandbox writes its file at each start."""

    def restart(environment: dict[str, str]) -> None:
        sandbox("stop", "keystone")
        done = subprocess.run(
            [SANDBOX, "start", "keystone"], env={**os.environ, **environment}, check=False
        )
        assert done.returncode == 0

    restart({"MANILA_SANDBOX_TOKEN_SECONDS": "60"})
    yield
    restart({})


@pytest.mark.fault(
    "the tokens of Keystone last a minute, and a copy more than two",
    "everything is moved in one run",
)
def test_short_tokens(
    manila: Manila, tokens_of_a_minute: None, ansible: Ansible, proxy: Proxy
) -> None:
    shares = manila.create_all(["one"], ALPHA)
    sandbox("speed", "--copy-seconds", "130")
    Evacuation(ansible, timeout=300).succeed()
    assert_moved(manila, shares)
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 1
