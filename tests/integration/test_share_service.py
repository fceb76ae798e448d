# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module share_service."""

from __future__ import annotations

from conftest import ALPHA, Ansible, Manila, wait_for


def test_cordon_and_uncordon(manila: Manila, ansible: Ansible) -> None:
    def task(state: str, **more: object) -> dict[str, object]:
        return {
            "manila.migration.share_service": {"host": "sandbox@beta", "state": state, **more},
            "diff": True,
        }

    disable = task("disabled", disabled_reason="firmware\n")  # as from a YAML block
    checked, first, second, silent, other, enabled, again = ansible.tasks(
        {**disable, "check_mode": True},
        disable,
        disable,
        task("disabled"),
        task("disabled", disabled_reason="end of life"),
        task("enabled"),
        task("enabled"),
    ).results
    assert checked["changed"] and checked["service"]["status"] == "disabled"
    assert first["changed"] and first["previous"]["status"] == "enabled"
    kept = "firmware" if manila.keeps_reasons else None
    assert kept or any("keeps no reason" in one for one in first["warnings"])
    assert first["diff"]["after"]["disabled_reason"] == kept
    assert not second["changed"]
    assert not silent["changed"] and silent["service"]["disabled_reason"] == kept
    assert other["changed"] == bool(kept) and other["previous"]["disabled_reason"] == kept
    assert enabled["changed"] and enabled["service"]["disabled_reason"] is None
    assert not again["changed"]
    services = {one.host: one for one in manila.api.services.list()}
    assert services["sandbox@beta"].status == "enabled"


def test_nothing_new_is_placed_at_what_is_disabled(manila: Manila, ansible: Ansible) -> None:
    def task(state: str) -> dict[str, object]:
        return {"manila.migration.share_service": {"host": "sandbox@alpha", "state": state}}

    def create(**more: object) -> str:
        made = manila.api.shares.create("NFS", 1, share_type="pinned-alpha", **more)
        wait_for(lambda: manila.share(made.id).status in ("available", "error"))
        return str(manila.share(made.id).status)

    ansible.tasks(task("disabled"))
    assert create() == "error"
    # An administrator who names it is let through: scheduler/drivers/filter.py, as of 23.
    by_name = "available" if manila.keeps_reasons else "error"
    assert create(scheduler_hints={"only_host": ALPHA}) == by_name
    ansible.tasks(task("enabled"))
    wait_for(lambda: create() == "available")  # once its pools are known again


def test_bad_input(manila: Manila, ansible: Ansible) -> None:
    expected = [
        ({"host": "sandbox", "state": "disabled"}, "must have the form host@backend"),
        ({"host": "sandbox@nope", "state": "disabled"}, "there are: sandbox@alpha"),
        (
            {"host": "sandbox@beta", "state": "enabled", "disabled_reason": "x"},
            "leave it out",
        ),
        (
            {"host": "sandbox@beta", "state": "disabled", "disabled_reason": "x" * 256},
            "255 characters",
        ),
    ]
    results = ansible.tasks(
        *(
            {"manila.migration.share_service": arguments, "ignore_errors": True}
            for arguments, _text in expected
        )
    ).results
    for result, (arguments, text) in zip(results, expected, strict=True):
        assert result["failed"] and text in result["msg"], (arguments, result)
