# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module share_migration and its info module."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from conftest import ALPHA, BETA, FILES1, FILES2, GAMMA, Ansible, Manila, migrate, sandbox


def test_two_phases_each_asked_twice(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("projects", ALPHA, 2, "pinned-alpha")
    snapshot = manila.api.share_snapshots.create(share, name="kept").id
    before = [
        one.path for one in manila.api.share_export_locations.list(share) if not one.is_admin_only
    ]
    where = {"share": "projects", "destination_pool": GAMMA, "new_share_type": "replacement"}
    copied, again, completed, over = ansible.tasks(
        migrate(**where, preserve_snapshots=True),
        migrate(**where, preserve_snapshots=True),
        migrate(**where, preserve_snapshots=True, state="completed"),
        migrate(**where, preserve_snapshots=True, state="completed"),
    ).results
    assert copied["changed"] and copied["migration"]["phase"] == "copied"
    assert copied["migration"]["mechanism"] == "driver"
    assert not again["changed"] and again["migration"]["phase"] == "copied"
    done = completed["migration"]
    assert completed["changed"] and done["phase"] == "completed" and done["error"] is None
    assert sorted(before) == done["export_locations_before"] != done["export_locations_after"]
    assert not over["changed"] and over["migration"]["phase"] == "completed"

    now = manila.share(share)
    assert (now.host, now.status, now.share_type_name) == (GAMMA, "available", "replacement")
    assert len(manila.instances(share)) == 1
    assert manila.rules(share) == [("ip", "192.0.2.10", "rw")]
    assert manila.api.share_snapshots.get(snapshot).status == "available"


def test_started_leaves_the_share_at_its_source(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("projects", ALPHA)
    result = ansible.tasks(migrate(share=share, destination_pool=BETA)).last
    assert result["migration"]["progress"] == 100
    now = manila.share(share)
    assert (now.host, now.task_state) == (ALPHA, "migration_driver_phase1_done")


def test_one_step_at_a_time(manila: Manila, ansible: Ansible) -> None:
    sandbox("speed", "--copy-seconds", "600")
    share = manila.create("projects", ALPHA)
    first, second = ansible.tasks(
        migrate(share=share, destination_pool=BETA, wait=False),
        migrate(share=share, destination_pool=BETA, state="completed", wait=False),
    ).results
    assert first["changed"] and first["migration"]["phase"] == "copying"
    assert not second["changed"] and second["migration"]["phase"] == "copying"
    assert second["migration"]["waiting_for"]["code"] in ("driver", "copy")


def test_cancel_twice_then_nothing_to_complete(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("projects", ALPHA)
    manila.start(share, BETA)
    manila.await_task_state(share, "migration_driver_phase1_done")
    gone, again, nothing = ansible.tasks(
        migrate(share=share, state="cancelled"),
        migrate(share=share, state="cancelled"),
        migrate(share=share, state="completed"),
    ).results
    assert gone["changed"] and gone["migration"]["phase"] == "cancelled"
    assert not again["changed"]
    assert nothing["failed"] and "is not migrating" in nothing["msg"]
    assert manila.share(share).host == ALPHA and len(manila.instances(share)) == 1


def test_migration_of_somebody_else(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("projects", ALPHA)
    manila.start(share, BETA)
    elsewhere, adopted = ansible.tasks(
        migrate(share=share, destination_pool=GAMMA, state="completed"),
        migrate(share=share, destination_pool=BETA, state="completed"),
    ).results
    assert elsewhere["failed"] and f"already migrates to {BETA}" in elsewhere["msg"]
    assert adopted["changed"] and adopted["migration"]["phase"] == "completed"
    assert manila.share(share).host == BETA


def test_timeout_is_a_failure_that_says_how_to_go_on(manila: Manila, ansible: Ansible) -> None:
    sandbox("speed", "--copy-seconds", "600")
    share = manila.create("projects", ALPHA)
    result = ansible.tasks(migrate(share=share, destination_pool=BETA, timeout=2)).last
    assert result["failed"] and result["changed"]
    assert "is copying" in result["msg"] and "run the task again" in result["msg"]
    assert result["migration"]["destination"] == BETA


def test_failure_in_the_driver_is_told(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("projects", ALPHA)
    sandbox("fail", "migration_continue")
    result = ansible.tasks(migrate(share=share, destination_pool=BETA)).last
    assert result["failed"] and "migration_error" in result["msg"]
    assert result["migration"]["phase"] == "failed"
    assert manila.share(share).host == ALPHA


def test_check_mode_sends_nothing(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("projects", ALPHA)
    running = manila.create("running", ALPHA)
    manila.start(running, BETA)
    manila.await_task_state(running, "migration_driver_phase1_done")
    world = manila.snapshot_of_world()
    results = ansible.tasks(
        migrate(share=share, destination_pool=BETA),
        migrate(share=running, state="completed"),
        migrate(share=running, state="cancelled"),
        migrate(share=share, state="cancelled"),
        options=("--check", "--diff"),
    ).results
    assert [one["changed"] for one in results] == [True, True, True, False]
    assert manila.snapshot_of_world() == world


def test_real_files_host_assisted(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("papers", FILES1, 1, "files")
    export = manila.folder(share)
    (export / "leer").mkdir()
    for number in range(20):
        (export / f"blatt-{number} \N{LATIN SMALL LETTER U WITH DIAERESIS}").write_bytes(
            os.urandom(10_000)
        )
    before = _hashes(export)
    result = ansible.tasks(
        migrate(
            share=share,
            destination_pool=FILES2,
            force_host_assisted_migration=True,
            state="completed",
        )
    ).last
    assert result["migration"]["phase"] == "completed", result
    assert result["migration"]["mechanism"] == "host"
    after = manila.folder(share)
    assert after != export and _hashes(after) == before
    assert manila.share(share).host == FILES2
    assert manila.rules(share) == [("ip", "192.0.2.10", "rw")]


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        )
        for path in sorted(folder.rglob("*"))
    }


def test_info(manila: Manila, ansible: Ansible) -> None:
    sandbox("speed", "--copy-seconds", "600")
    quiet, running = manila.create("quiet", ALPHA), manila.create("running", ALPHA)
    manila.start(running, BETA)
    manila.await_task_state(running, "migration_driver_in_progress")
    info = "manila.migration.share_migration_info"
    migrating, named, none = ansible.tasks(
        {info: {"with_progress": True}},
        {info: {"share": ["quiet", running]}},
        {info: {"host": "sandbox@gamma"}},
    ).results
    assert [one["id"] for one in migrating["migrations"]] == [running]
    record = migrating["migrations"][0]
    assert (record["source"], record["destination"]) == (ALPHA, BETA)
    assert record["phase"] == "copying" and isinstance(record["progress"], int)
    assert {one["host"] for one in record["instances"]} == {ALPHA, BETA}
    assert [(one["id"], one["phase"]) for one in named["migrations"]] == [
        (quiet, "idle"),
        (running, "copying"),
    ]
    assert none["migrations"] == []


def test_bad_input_is_told_in_one_sentence_and_nothing_starts(
    manila: Manila, ansible: Ansible
) -> None:
    manila.create("projects", ALPHA)
    manila.create("pinned", ALPHA, share_type="pinned-alpha")
    manila.create_all(["twin", "twin"], ALPHA)
    manila.api.services.disable("sandbox@beta", "manila-share")
    world = manila.snapshot_of_world()
    expected = [
        ({"destination_pool": "sandbox@beta"}, "write it as host@backend#pool"),
        ({"destination_pool": "sandbox@beta#nope"}, "there is no pool sandbox@beta#nope"),
        ({"destination_pool": "sandbox@nope#gold"}, "there is no pool sandbox@nope#gold"),
        ({"destination_pool": GAMMA, "share": "nope"}, "no share with the name or ID 'nope'"),
        ({"destination_pool": GAMMA, "share": "twin"}, "2 shares have the name 'twin'"),
        ({"destination_pool": GAMMA, "new_share_type": "nope"}, "no share type 'nope'"),
        ({"destination_pool": GAMMA, "share": "pinned"}, "'pinned-alpha' is pinned"),
        (
            {"destination_pool": GAMMA, "force_host_assisted_migration": True, "writable": True},
            "force_host_assisted_migration excludes writable",
        ),
        ({"destination_pool": GAMMA, "cloud": "nope"}, "nope was not found"),
        ({"destination_pool": GAMMA, "cloud": "sandbox-member"}, "admin role"),
        ({"destination_pool": GAMMA, "cloud": "sandbox-unreachable"}, "no answer"),
        ({}, "to start it, say where to"),
        (
            {"destination_pool": "sandbox@beta#silver"},
            "sandbox@beta#silver: the pool's manila-share",
        ),
        ({"destination_pool": GAMMA, "poll_interval": 0}, "more than 0 seconds"),
    ]
    results = ansible.tasks(
        *(migrate(**{"share": "projects", **arguments}) for arguments, _text in expected)
    ).results
    for result, (arguments, text) in zip(results, expected, strict=True):
        assert result["failed"] and text in result["msg"], (arguments, result)
        assert "\n" not in result["msg"]
    assert manila.snapshot_of_world() == world
