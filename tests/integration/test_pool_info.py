# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module pool_info, and whether Manila agrees with its figures."""

from __future__ import annotations

from typing import Any

from conftest import ALPHA, BETA, FILES1, GAMMA, SILVER, Ansible, Manila, sandbox


def pools(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The pools by name."""
    return {one["name"]: one for one in result["pools"]}


def test_the_scheduler_lets_in_what_fits_and_no_more(manila: Manila, ansible: Ansible) -> None:
    found = pools(ansible.module("pool_info"))
    assert (found[BETA]["fits_thin_gb"], found[BETA]["fits_thick_gb"]) == (57, 57)
    assert (found[SILVER]["fits_thin_gb"], found[SILVER]["fits_thick_gb"]) == (80, 40)
    assert (found[BETA]["reserved_percentage"], found[BETA]["reserved_gb"]) == (5, 3)
    assert found[SILVER]["max_over_subscription_ratio"] == 2
    assert found[GAMMA]["max_over_subscription_ratio"] is None
    for source, pool, size in ((ALPHA, BETA, 57), (GAMMA, SILVER, 80)):
        for more, end in ((1, "migration_error"), (0, "migration_driver_phase1_done")):
            share = manila.create(f"{size + more} GiB", source, size + more)
            sandbox("refresh")
            manila.start(share, pool)
            manila.await_task_state(share, end)


def test_what_is_there_and_what_is_on_its_way(manila: Manila, ansible: Ansible) -> None:
    sandbox("speed", "--copy-seconds", "600")
    manila.create_all(["one", "two"], BETA, 3)
    moving = manila.create("moving", ALPHA, 8)
    thin = manila.create("thin", ALPHA, 8)
    sandbox("refresh")
    manila.start(moving, BETA)
    manila.start(thin, SILVER)
    for share in (moving, thin):
        manila.await_task_state(share, "migration_driver_in_progress")
    sandbox("refresh")
    found = pools(ansible.module("pool_info", host="sandbox@beta"))
    assert set(found) == {BETA, SILVER}
    assert (found[BETA]["shares"], found[SILVER]["shares"]) == (3, 1)
    # Of a pool that isn't thin the destination counts as soon as it is made.
    assert found[BETA]["coming_gb"] == 0 and found[BETA]["free_gb"] == 60 - 2 * 3 - 8
    assert found[SILVER]["coming_gb"] == 0 and found[SILVER]["coming_written_gb"] == 8


def test_where_a_type_can_go_and_services(manila: Manila, ansible: Ansible) -> None:
    manila.disable("sandbox@gamma", "firmware")
    pinned, plain, one, unknown, bad, no_type = ansible.tasks(
        *(
            {"manila.migration.pool_info": arguments, "ignore_errors": True}
            for arguments in (
                {"share_type": "pinned-alpha"},
                {"share_type": "standard"},
                {"host": FILES1},
                {"host": "sandbox@file"},
                {"host": "sandbox"},
                {"share_type": "nope"},
            )
        )
    ).results
    assert [name for name, pool in pools(pinned).items() if not pool["blockers"]] == [ALPHA]
    found = pools(plain)
    assert [name for name, pool in found.items() if not pool["blockers"]] == [ALPHA, BETA, SILVER]
    assert [reason["code"] for reason in found[GAMMA]["blockers"]] == ["service_disabled"]
    assert (found[SILVER]["fits_gb"], found[GAMMA]["fits_gb"]) == (80, 0)
    assert (found[GAMMA]["service_status"], found[GAMMA]["service_state"]) == ("disabled", "up")
    gamma = next(one for one in plain["services"] if one["host"] == "sandbox@gamma")
    assert gamma["alive"]
    assert gamma["disabled_reason"] == ("firmware" if manila.keeps_reasons else None)
    told = "sandbox@gamma is disabled" + (" (firmware)" if manila.keeps_reasons else "")
    assert any(told in line for line in plain["text"])
    assert list(pools(one)) == [FILES1]
    assert [service["host"] for service in one["services"]] == ["sandbox@files1"]
    for result, text in (
        (unknown, "there is no back end sandbox@file; there are: sandbox@files1, sandbox@files2, "),
        (bad, "must have the form host@backend or host@backend#pool"),
        (no_type, "no share type 'nope'"),
    ):
        assert result["failed"] and text in result["msg"] and "\n" not in result["msg"]
