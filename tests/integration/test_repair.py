# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stuck migrations of shares, each caused, diagnosed, repaired and repeated."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import (
    ALPHA,
    BETA,
    CLOUD,
    FILES1,
    FILES2,
    GAMMA,
    PATIENCE,
    Ansible,
    Manila,
    migrate,
    sandbox,
    wait_for,
)
from test_data_service import Gate, fill, listing

RULE = [("ip", "192.0.2.10", "rw")]
DATA_NODE = "127.0.0.1"


def repair(share: str | None, **arguments: Any) -> dict[str, Any]:
    """A task of migration_repair, impatient and allowed to fail."""
    return {
        "manila.migration.migration_repair": {
            **({"share": share} if share else {}),
            "poll_interval": 0.5,
            "timeout": PATIENCE,
            "access_to": [DATA_NODE],
            **arguments,
        },
        "ignore_errors": True,
    }


def told(result: dict[str, Any]) -> tuple[str, bool]:
    """The code of a diagnosis, and whether its steps are safe."""
    return result["diagnosis"]["code"], result["diagnosis"]["safe"]


def is_well(manila: Manila, share: str, host: str) -> bool:
    """Whether a share is in use at a place, with nothing left beside."""
    found, copies = manila.share(share), manila.instances(share)
    held = [(one.status, one.cast_rules_to_readonly) for one in copies]
    rules = found.access_rules_status, manila.rules(share)
    # Compared as a whole, for a failure to say what is not well.
    assert (found.status, found.host, held, rules, found.metadata) == (
        "available",
        host,
        [("available", False)],
        ("active", RULE),
        {},
    )
    return True


def moves(share: str, pool: str, **more: Any) -> dict[str, Any]:
    """A task that migrates a share again."""
    return migrate(share=share, destination_pool=pool, state="completed", **more)


def copy_files(manila: Manila, share: str) -> None:
    """Have the Data Service begin to copy a share."""
    manila.api.shares.migration_start(share, FILES2, True, False, False, False, False)
    manila.await_task_state(share, "data_copying_in_progress")


class Mounts:
    """Where manila-data mounts what it copies."""

    @property
    def folder(self) -> Path:
        """The folder of all of them."""
        return Path(os.environ["MANILA_SANDBOX_MOUNTS"])

    def of(self, manila: Manila, share: str) -> Path:
        """That of the source of a share's migration."""
        (source,) = [one.id for one in manila.instances(share) if one.status == "migrating"]
        return self.folder / source

    def left(self) -> list[str]:
        """What is mounted there."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [
            one for one in (line.split()[4] for line in lines) if one.startswith(f"{self.folder}/")
        ]


@pytest.fixture
def mounts(manila: Manila) -> Iterator[Mounts]:
    found = Mounts()
    yield found
    for point in found.left():
        subprocess.run(["umount", point], check=True)


@pytest.fixture(autouse=True)
def everything_runs(world: None) -> Iterator[None]:
    yield
    sandbox("up")


def test_manila_data_dies_in_a_copy(
    manila: Manila, ansible: Ansible, mounts: Mounts, request: pytest.FixtureRequest
) -> None:
    share = manila.create("papers", FILES1, 1, "files")
    source = manila.folder(share)
    fill(source)
    gate = Gate(source)
    files = listing(source)
    copy_files(manila, share)
    wait_for(lambda: len(mounts.left()) == 2)
    sandbox("stop", "manila-data", "--signal", "KILL")
    silent = manila.heartbeat("manila-data")
    sandbox("start", "manila-data")
    manila.await_task_state(share, "data_copying_error")
    wait_for(lambda: manila.heartbeat("manila-data") > silent)
    (ansible.folder / "inventory").write_text(
        "[data_service]\nnode ansible_connection=local ansible_become=false "
        "ansible_python_interpreter='{{ ansible_playbook_python }}' "
        f"data_service_mount_tmp_location={mounts.folder}\n"
    )
    world = manila.snapshot_of_world()

    def playbook(**variables: Any) -> Any:
        return ansible.playbook(
            "manila.migration.repair",
            "--inventory",
            str(ansible.folder / "inventory"),
            repair_cloud=CLOUD,
            repair_access_to=[DATA_NODE],
            **variables,
        )

    # What copies still, as a cp that outlived its service, is named; nothing is given up or unmounted.
    orphan = subprocess.Popen(["cp", f"{mounts.of(manila, share)}/gate", f"{ansible.folder}/piece"])
    request.addfinalizer(orphan.kill)  # it would keep every later test from emptying the cloud
    shown = playbook(repair_source="sandbox@files1", repair_apply=True, repair_unmount=True)
    assert shown.returncode == 0, shown.stdout
    told_all = shown.by_name("Show each diagnosis")["results"][0]["msg"]
    assert told_all["diagnosis"].startswith("copy_interrupted: ") and told_all["safe"]
    assert "must never be cut over" in told_all["diagnosis"]
    assert any("migrating_to" in one for one in told_all["resources"])
    assert any(f"ip {DATA_NODE}" in one for one in told_all["resources"])
    assert shown.by_name("Show the processes that copy")["repair_copies"]
    assert len(mounts.left()) == 2 and manila.snapshot_of_world() == world
    gate.open()
    orphan.wait(PATIENCE)

    asked, rehearsed = ansible.tasks(
        repair("papers"), {**repair(share, state="repaired"), "check_mode": True}
    ).results
    assert told(asked) == ("copy_interrupted", True) and not asked["changed"]
    steps = asked["diagnosis"]["procedure"]
    assert [one.split(" ")[0] for one in steps] == ["reset", "ask", "write", "reset", "cancel"]
    assert not any("complete the" in one for one in steps)
    assert rehearsed["changed"] and rehearsed["actions"] == steps
    assert manila.snapshot_of_world() == world

    mended = playbook(repair_shares=["papers"], repair_apply=True, repair_unmount=True)
    assert mended.returncode == 0, mended.stdout
    result = mended.by_name("Repair migrations that can lose no data")["results"][0]
    assert told(result) == ("cancelled", True) and len(result["actions"]) == 6
    assert not mounts.left()
    wait_for(lambda: is_well(manila, share, FILES1))
    assert listing(source) == files
    again, moved, nothing = ansible.tasks(
        repair(share, state="repaired"), moves(share, FILES2), repair(share)
    ).results
    assert not again["changed"] and again["actions"] == []
    assert moved["migration"]["phase"] == "completed", moved
    assert listing(manila.folder(share)) == files and is_well(manila, share, FILES2)
    assert told(nothing) == ("nothing", True)


def test_a_copy_that_was_only_said_to_have_failed(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("papers", FILES1, 1, "files")
    source = manila.folder(share)
    fill(source)
    gate = Gate(source)
    copy_files(manila, share)
    # As the start of another manila-data does.
    manila.api.shares.reset_task_state(share, "data_copying_error")
    mended = ansible.tasks(repair(share, state="repaired")).last
    assert told(mended) == ("running", True) and len(mended["actions"]) == 2, mended
    assert manila.share(share).task_state == "data_copying_in_progress"
    gate.open()
    manila.await_task_state(share, "data_copying_completed")

    # Set back by hand, without a cancel: an instance is left, and clients may only read.
    (first,) = [one for one in manila.instances(share) if one.status == "migrating"]
    manila.api.share_instances.reset_state(first.id, "available")
    manila.api.shares.reset_task_state(share, None)
    patient, asked, mended, cancelled, well = ansible.tasks(
        repair(share),
        repair(share, patience=1),
        repair(share, patience=1, state="repaired"),
        migrate(share=share, destination_pool=FILES2),
        migrate(share=share, state="cancelled"),
    ).results
    assert told(patient) == ("running", True)
    assert told(asked) == ("leftover", True)
    assert mended["failed"] and told(mended) == ("rules_not_restored", False)
    assert len(mended["actions"]) == 1 and mended["actions"][0].startswith("force-delete")
    assert "The next migration lifts it" in mended["msg"]
    assert cancelled["changed"] and well["changed"], well
    wait_for(lambda: is_well(manila, share, FILES1))


@pytest.mark.fault(
    "manila-share is killed while its driver starts to copy",
    "`migration_repair` changes nothing by itself; with the source named as good, the share is idle and can be moved",
)
def test_manila_share_dies_at_the_start_of_a_driver(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("papers", ALPHA)
    sandbox("speed", "--call-seconds", "600")
    manila.start(share, GAMMA)
    manila.await_task_state(share, "migration_driver_starting")
    sandbox("stop", "manila-share@alpha", "--signal", "KILL")
    sandbox("start", "manila-share@alpha")
    sandbox("speed", "--call-seconds", "0")
    patient, asked, refused, mended, moved, nothing = ansible.tasks(
        repair(share),
        repair(share, patience=1),
        repair(share, patience=1, state="repaired"),
        repair(share, patience=1, state="repaired", good_copy="source"),
        moves(share, GAMMA),
        repair(share, state="repaired"),
    ).results
    assert told(patient) == ("running", True)
    assert told(asked) == ("start_halted", False)
    assert refused["failed"] and refused["actions"] == [] and not refused["changed"]
    # Where Manila is slow to free the share, that is a step of its own.
    assert mended["changed"] and told(mended) in (("cancelled", True), ("nothing", True)), mended
    assert moved["migration"]["phase"] == "completed", moved
    assert told(nothing) == ("nothing", True) and is_well(manila, share, GAMMA)


def test_services_that_are_waited_for(manila: Manila, ansible: Ansible) -> None:
    share, files = manila.create("papers", ALPHA), manila.create("files", FILES1, 1, "files")
    manila.stop("manila-scheduler")
    manila.start(share, GAMMA)
    asked = ansible.tasks(repair(share, state="repaired", patience=0)).last
    assert told(asked) == ("service_down", True) and not asked["changed"]
    sandbox("start", "manila-scheduler")
    manila.await_task_state(share, "migration_driver_phase1_done")
    manila.stop("manila-data")
    manila.api.shares.migration_start(files, FILES2, True, False, False, False, False)
    wait_for(lambda: "migrating_to" in [one.status for one in manila.instances(files)])
    copied, waiting = ansible.tasks(
        repair(share), repair(files, state="repaired", patience=0)
    ).results
    assert told(copied) == ("copied", True)
    assert told(waiting) == ("service_down", True) and not waiting["changed"]
    assert manila.share(files).task_state == "migration_in_progress"
    sandbox("start", "manila-data")
    manila.await_task_state(files, "data_copying_completed")
    for result in ansible.tasks(moves(share, GAMMA), moves(files, FILES2)).results:
        assert result["migration"]["phase"] == "completed", result
    wait_for(lambda: is_well(manila, share, GAMMA) and is_well(manila, files, FILES2))

    # A request that was on its way when the scheduler was stopped.
    (instance,) = manila.instances(share)
    manila.api.share_instances.reset_state(instance.id, "migrating")
    manila.api.shares.reset_task_state(share, "migration_starting")
    patient, asked, mended, moved = ansible.tasks(
        repair(share),
        repair(share, patience=1),
        repair(share, patience=1, state="repaired"),
        moves(share, BETA),
    ).results
    assert told(patient) == ("running", True) and told(asked) == ("start_lost", True)
    assert mended["changed"] and told(mended) == ("nothing", True), mended
    assert moved["migration"]["phase"] == "completed", moved


def test_a_cutover_that_failed(manila: Manila, ansible: Ansible) -> None:
    shares = manila.create_all(["back", "forth"], ALPHA)
    snapshots = {}
    for share in shares:
        snapshots[share] = manila.api.share_snapshots.create(share, name="kept").id
    for one in snapshots.values():
        wait_for(lambda one=one: manila.api.share_snapshots.get(one).status == "available")
    sandbox("fail", "migration_complete")
    for share in shares:
        manila.start(share, GAMMA)
    for share in shares:
        manila.await_task_state(share, "migration_driver_phase1_done")
        manila.api.shares.migration_complete(share)
    for share in shares:
        manila.await_task_state(share, "migration_error")
        assert {one.status for one in manila.instances(share)} == {"error"}
    sandbox("fail", "migration_complete", "--never")
    back, forth = shares
    patient, asked, refused, to_source, to_destination, *moved = ansible.tasks(
        repair(back),
        repair(back, patience=1),
        repair(back, patience=1, state="repaired"),
        repair(back, patience=1, state="repaired", good_copy="source"),
        repair(forth, patience=1, state="repaired", good_copy="destination"),
        moves(back, GAMMA, preserve_snapshots=True),
        moves(forth, ALPHA, preserve_snapshots=True),
    ).results
    assert told(patient) == ("running", True)  # a second complete looks like this, too
    assert told(asked) == ("phase2_failed", False)
    kinds = [one["kind"] for one in asked["diagnosis"]["resources"]]
    assert kinds[:4] == ["share", "share_instance", "share_instance", "snapshot"]
    assert refused["failed"] and "good_copy" in refused["msg"] and not refused["changed"]
    for run, host in ((to_source, ALPHA), (to_destination, GAMMA)):
        assert run["changed"] and told(run) == ("nothing", True), run
        held = [one for one in run["diagnosis"]["resources"] if one["kind"] == "share_instance"]
        assert [(one["host"], one["status"]) for one in held] == [(host, "available")]
    for run in moved:
        assert run["migration"]["phase"] == "completed", run
    for share, host in ((back, GAMMA), (forth, ALPHA)):
        assert is_well(manila, share, host)
        assert manila.api.share_snapshots.get(snapshots[share]).status == "available"


@pytest.mark.fault(
    "manila-share is killed in a cutover, which is stuck in `migration_completing`",
    "`migration_repair` changes nothing by itself; it keeps the instance that the operator names",
)
def test_a_cutover_that_came_to_a_halt(manila: Manila, ansible: Ansible) -> None:
    shares = manila.create_all(["back", "forth"], FILES1, 1, "files")
    files = {}
    for share in shares:
        fill(manila.folder(share))
        files[share] = listing(manila.folder(share))
        manila.api.shares.migration_start(share, FILES2, True, False, False, False, False)
    for share in shares:
        manila.await_task_state(share, "data_copying_completed")
    # Without the destination its rules are waited for; in that the source's manila-share dies.
    sandbox("stop", "manila-share@files2")
    for share in shares:
        manila.api.shares.migration_complete(share)
        manila.await_task_state(share, "migration_completing")
    sandbox("stop", "manila-share@files1", "--signal", "KILL")
    for process in ("manila-share@files1", "manila-share@files2"):
        sandbox("start", process)
    back, forth = shares
    word = {"patience": 1, "state": "repaired"}
    patient, asked, vague, to_source, to_destination, moved = ansible.tasks(
        repair(back),
        repair(back, patience=1),
        repair(back, **word, good_copy="source"),
        repair(back, **word, good_copy="source", mechanism="host"),
        repair(forth, **word, good_copy="destination"),
        moves(back, FILES2),
    ).results
    assert told(patient) == ("running", True)
    assert told(asked) == ("cutover_halted", False) and asked["diagnosis"]["procedure"] == []
    assert vague["failed"] and "name that (mechanism)" in vague["msg"]
    assert to_source["changed"] and told(to_source) == ("cancelled", True), to_source
    assert to_destination["changed"] and told(to_destination) == ("nothing", True), to_destination
    assert moved["migration"]["phase"] == "completed", moved
    for share in shares:
        assert manila.share(share).host == FILES2 and len(manila.instances(share)) == 1
        assert listing(manila.folder(share)) == files[share]


def test_a_share_looks_copied_while_its_driver_cancels(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("papers", ALPHA)
    manila.start(share, GAMMA)
    manila.await_task_state(share, "migration_driver_phase1_done")
    sandbox("speed", "--cancel-seconds", "600")
    manila.api.shares.migration_cancel(share)
    result = ansible.tasks(repair(share, state="repaired", patience=0)).last
    assert told(result) == ("copied", True) and not result["changed"]
    assert manila.share(share).task_state == "migration_driver_phase1_done"
    # The driver was at it all the time.
    sandbox("speed", "--cancel-seconds", "0")
    manila.await_task_state(share, "migration_cancelled")
    assert is_well(manila, share, ALPHA)


@pytest.mark.fault(
    "the source takes so long to delete that Manila times out",
    "`migration_repair` says that it runs, and to start nothing; the share is well when the source is gone",
)
def test_a_source_that_takes_long_to_delete(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("papers", FILES1, 1, "files")
    manila.api.shares.migration_start(share, FILES2, True, False, False, False, False)
    manila.await_task_state(share, "data_copying_completed")
    sandbox("speed", "--call-seconds", "600")
    manila.api.shares.migration_complete(share)
    wait_for(lambda: "deleting" in [one.status for one in manila.instances(share)])
    deleting = ansible.tasks(repair(share)).last
    assert (
        told(deleting) == ("running", True) and "on its way out" in deleting["diagnosis"]["message"]
    )
    # What Manila writes when it has waited for long enough, five minutes.
    (old,) = [one for one in manila.instances(share) if one.status == "deleting"]
    manila.api.shares.reset_task_state(share, "migration_error")
    manila.api.share_instances.reset_state(old.id, "available")
    flipped = ansible.tasks(repair(share)).last
    assert told(flipped) == ("running", True)
    assert "never start a migration now" in flipped["diagnosis"]["message"]
    sandbox("speed", "--call-seconds", "0")
    wait_for(lambda: len(manila.instances(share)) == 1)
    over, moved = ansible.tasks(repair(share, state="repaired"), moves(share, FILES1)).results
    assert told(over)[1] and not over["changed"] and over["diagnosis"]["procedure"] == []
    assert moved["migration"]["phase"] == "completed", moved
    assert is_well(manila, share, FILES1)


def test_bad_input_is_told_in_one_sentence_and_nothing_changes(
    manila: Manila, ansible: Ansible
) -> None:
    share = manila.create("papers", ALPHA)
    manila.api.shares.reset_state(share, "error")
    world = manila.snapshot_of_world()
    expected = [
        (repair("nope"), "no share with the name or ID 'nope'"),
        (repair(share, share_server="nope"), "mutually exclusive"),
        (repair(None), "one of the following is required"),
        (repair(None, share_server="nope", good_copy="destination"), "of share servers only the"),
        (repair(None, host="alpha"), "host must have the form"),
        (
            repair(None, host="sandbox@alpha", state="repaired"),
            "only one share or share server at a time",
        ),
        (repair(share, poll_interval=0), "more than 0 seconds"),
        (repair(share, state="repaired"), "is not repaired (unknown)"),
    ]
    results = ansible.tasks(*(task for task, _text in expected)).results
    for result, (task, text) in zip(results, expected, strict=True):
        assert result["failed"] and text in result["msg"], (task, result)
        assert "\n" not in result["msg"] and not result.get("changed")
    everything = ansible.module("migration_repair", host="sandbox@alpha")
    assert [one["name"] for one in everything["diagnoses"]] == ["papers"]
    assert manila.snapshot_of_world() == world
