# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims in the reason of a cordon: who is at work, who was killed, who must leave it."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._api.errors import Unknown
from ansible_collections.manila.migration.plugins.module_utils._api.lease import Held, Lease
from ansible_collections.manila.migration.plugins.module_utils._api.lease_claim import LeaseClaim
from ansible_collections.manila.migration.plugins.module_utils._api.process_identity import (
    this_process,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service

HOST = "node@old"
CORDON = "manila.migration: being emptied since 2026-11-22T12:00:00Z"


class FakeCloud:
    """One service, and others that write while time passes."""

    def __init__(self, reason: str | None = CORDON, status: str = "disabled") -> None:
        self.service = Service("manila-share", HOST, status, "up", disabled_reason=reason)
        self.time = 0.0
        self.writes: list[str] = []
        self.broken = False
        self.others = lambda: None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.others()

    def share_managers(self) -> dict[str, Service]:
        return {HOST: self.service}

    def disable_service(self, host: str, reason: str | None) -> None:
        if self.broken:
            raise Unknown("no answer")
        self.writes.append(reason or "")
        self.service = replace(self.service, status="disabled", disabled_reason=reason)

    @property
    def reason(self) -> str:
        return self.service.disabled_reason or ""

    @property
    def claim(self) -> LeaseClaim | None:
        return LeaseClaim.of(self.reason)


def lease(cloud: FakeCloud, period: float = 10) -> Lease:
    return Lease(cloud, [HOST, HOST], period, cloud.sleep)  # type: ignore[arg-type]


def foreign(process: str = "1.2@elsewhere", beat: int = 7) -> str:
    return f"{CORDON}{LeaseClaim('abcd', 'root@far', process, beat, 10)}"


def test_a_claim_is_written_renewed_and_taken_away():
    cloud = FakeCloud()
    mine = lease(cloud)
    mine.take()
    assert cloud.claim
    assert cloud.reason.startswith(CORDON)
    mine.check(cloud.share_managers())
    assert len(cloud.writes) == 1
    cloud.time += 6
    mine.check(cloud.share_managers())
    assert [LeaseClaim.of(one).beat for one in cloud.writes] == [1, 2]
    mine.release()
    assert cloud.reason == CORDON


@pytest.mark.parametrize(
    ("reason", "status"),
    [(None, "enabled"), ("broken disk", "disabled"), (None, "disabled")],
)
def test_only_cordons_of_ours_carry_claims(reason, status):
    cloud = FakeCloud(reason, status)
    mine = lease(cloud)
    mine.take()
    mine.check(cloud.share_managers())
    mine.release()
    assert cloud.writes == []


def test_a_run_that_renews_its_claim_is_at_work():
    cloud = FakeCloud(foreign())

    def renew() -> None:
        if cloud.time >= 5:
            cloud.service = replace(cloud.service, disabled_reason=foreign(beat=8))

    cloud.others = renew
    with pytest.raises(
        Held, match="Another evacuation is at work at node@old: run abcd of root@far"
    ):
        lease(cloud).take()
    assert cloud.writes == []
    assert cloud.time < 10


def test_a_claim_that_is_not_renewed_is_waited_out():
    cloud = FakeCloud(foreign())
    lease(cloud).take()
    assert 25 <= cloud.time < 30
    assert cloud.claim
    assert cloud.claim.run != "abcd"


def test_on_the_same_machine_the_process_tells():
    own = this_process()
    with pytest.raises(Held):
        lease(FakeCloud(foreign(own))).take()
    number, _dot, _rest = own.partition(".")
    space = own.partition("@")[2]
    assert int(number) == os.getpid()
    for gone in (f"{number}.1@{space}", f"99999999.1@{space}"):
        cloud = FakeCloud(foreign(gone))
        lease(cloud).take()
        assert cloud.time == 0


def test_a_claim_that_was_overwritten_is_noticed():
    cloud = FakeCloud()
    mine = lease(cloud)
    mine.take()
    cloud.service = replace(cloud.service, disabled_reason=foreign())
    with pytest.raises(Held):
        mine.check(cloud.share_managers())
    mine.release()
    assert cloud.reason == foreign()


def test_a_cordon_that_was_taken_away_stays_away():
    cloud = FakeCloud()
    mine = lease(cloud)
    mine.take()
    cloud.service = replace(cloud.service, status="enabled", disabled_reason=None)
    cloud.time += 60
    mine.check(cloud.share_managers())
    mine.release()
    assert len(cloud.writes) == 1


def test_a_write_that_fails_is_no_reason_to_stop():
    cloud = FakeCloud()
    cloud.broken = True
    mine = lease(cloud)
    mine.take()
    cloud.broken = False
    cloud.time += 6
    mine.check(cloud.share_managers())
    assert cloud.claim
    cloud.broken = True
    mine.release()
    assert cloud.claim


def test_a_reason_never_gets_too_long_for_manila():
    cloud = FakeCloud("manila.migration: " + "x" * 237)
    lease(cloud).take()
    assert len(cloud.reason) == 255
    assert cloud.claim
