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


ONCE = "the share is moved in the end, started and completed once"


@pytest.mark.parametrize(
    ("pattern", "harm"),
    [
        case("start-500", "a start is answered with 500", ONCE, START, answers(500)),
        case("start-503", "a start is answered with 503", ONCE, START, answers(503)),
        case(
            "start-429",
            "a start is answered with 429 and Retry-After",
            ONCE,
            START,
            answers(429, retry_after=1),
        ),
        case("start-cut", "the connection of a start is cut", ONCE, START, cuts),
        case("start-lost", "the answer to a start gets lost", ONCE, START, loses, quick=True),
        case("complete-500", "a complete is answered with 500", ONCE, COMPLETE, answers(500)),
        case("complete-503", "a complete is answered with 503", ONCE, COMPLETE, answers(503)),
        case(
            "complete-429",
            "a complete is answered with 429 and Retry-After",
            ONCE,
            COMPLETE,
            answers(429, retry_after=1),
        ),
        case("complete-cut", "the connection of a complete is cut", ONCE, COMPLETE, cuts),
        case(
            "complete-lost",
            "the answer to a complete gets lost",
            ONCE,
            COMPLETE,
            loses,
            quick=True,
        ),
        case(
            "start-late",
            "a start is carried out 5 s after whoever sent it has given up",
            ONCE,
            START,
            delays(65),
        ),
        case(
            "complete-late",
            "a complete is carried out 5 s after whoever sent it has given up",
            ONCE,
            COMPLETE,
            delays(65),
        ),
    ],
)
def test_actions(manila: Manila, ansible: Ansible, proxy: Proxy, pattern: str, harm: Harm) -> None:
    share = manila.create("one", ALPHA)
    harm(proxy, pattern)
    # Long enough for what is late; what nobody carries out is sent by the next run.
    timeout = 100 if harm.__qualname__.startswith("delays") else 20
    task = migrate(share=share, destination_pool=GAMMA, state="completed", timeout=timeout)
    assert any(not ansible.tasks(task).last.get("failed") for _try in range(3))
    assert_moved(manila, [share])
    assert len(proxy.carried(START)) == len(proxy.carried(COMPLETE)) == 1


STAYS = "the share is at its source, with one instance"


@pytest.mark.parametrize(
    "harm",
    [
        case("500", "a cancel is answered with 500", STAYS, answers(500)),
        case("503", "a cancel is answered with 503", STAYS, answers(503)),
        case(
            "429",
            "a cancel is answered with 429 and Retry-After",
            STAYS,
            answers(429, retry_after=1),
        ),
        case("cut", "the connection of a cancel is cut", STAYS, cuts),
        case("lost", "the answer to a cancel gets lost", STAYS, loses),
    ],
)
def test_cancels(manila: Manila, ansible: Ansible, proxy: Proxy, harm: Harm) -> None:
    share = manila.create("one", ALPHA)
    manila.start(share, GAMMA)
    manila.await_task_state(share, "migration_driver_phase1_done")
    harm(proxy, CANCEL)
    task = migrate(share=share, state="cancelled", timeout=20)
    assert any(not ansible.tasks(task).last.get("failed") for _try in range(3))
    assert_at_source(manila, [share])
    assert proxy.carried(CANCEL) and not proxy.carried(COMPLETE)


@pytest.mark.parametrize(
    "state",
    [
        case(
            "copying",
            "manila-api is away for a minute while it copies",
            "everything is moved in one run",
            "migration_driver_in_progress",
        ),
        case(
            "completing",
            "manila-api is away for a minute in a cutover",
            "everything is moved in one run",
            "migration_completing",
        ),
    ],
)
def test_api_away(manila: Manila, ansible: Ansible, proxy: Proxy, state: str) -> None:
    sandbox("speed", "--copy-seconds", "10", "--complete-seconds", "10")
    shares = manila.create_all(["one", "two"], ALPHA)
    command = Evacuation(ansible, timeout=300).begin()
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
