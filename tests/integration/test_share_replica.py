# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares with replicas: a back end of them, a cancel, a kill between the two steps of a cutover."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest
import yaml
from conftest import CLOUD, Ansible, Manila, sandbox, wait_for

MIRROR1 = "sandbox@mirror1#gold"
MIRROR2 = "sandbox@mirror2#gold"
SILVER2 = "sandbox@mirror2#silver"


class Replicas:
    """Shares with replicas, as seen past the collection."""

    def __init__(self, manila: Manila) -> None:
        self.manila = manila

    def create(self, name: str, *pools: str) -> str:
        """Make a share with a replica in each pool, the first one active."""
        share = self.manila.create(name, pools[0], share_type="replicated")
        for pool in pools[1:]:
            self.manila.api.share_replicas.create(share, scheduler_hints={"only_host": pool})
            wait_for(lambda pool=pool: self.at(share).get(pool) == "available in_sync")
        return share

    def at(self, share: str) -> dict[str, str]:
        """Status and state of the replicas of a share by their pools."""
        return {
            one.host: f"{one.status} {one.replica_state}"
            for one in self.manila.api.share_replicas.list(share)
        }

    def marks(self, share: str) -> dict[str, str]:
        """What the migration left in the metadata."""
        found = dict(self.manila.share(share).metadata)
        return {key: value for key, value in found.items() if "migration" in key}


@pytest.fixture
def replicas(manila: Manila) -> Replicas:
    return Replicas(manila)


def evacuate(ansible: Ansible, phase: str, **more: Any) -> Any:
    return ansible.evacuate(phase, **{"evacuate_source": "sandbox@mirror1", **more})


def move(share: str, state: str, destination: str = MIRROR2, **more: Any) -> dict[str, Any]:
    """A task that moves one replica from mirror1, impatient and allowed to fail."""
    entry = {"id": share, "kind": "share_replica", "source": MIRROR1, "destination": destination}
    plan = {"version": 1, "migrations": [entry]}
    given = {"plan": plan, "state": state, "poll_interval": 0.5, "timeout": 600, **more}
    return {"manila.migration.evacuation": given, "ignore_errors": True}


def test_a_back_end_in_two_phases(manila: Manila, ansible: Ansible, replicas: Replicas) -> None:
    plain = replicas.create("plain", MIRROR1)  # of such a type, without a replica
    served = replicas.create("served", MIRROR1, SILVER2)
    standby = replicas.create("standby", SILVER2, MIRROR1)
    snapshot = manila.api.share_snapshots.create(served, name="kept").id
    wait_for(lambda: manila.api.share_snapshots.get(snapshot).status == "available")
    before = manila.instances(served)
    exports = [one.path for one in manila.api.share_export_locations.list(served)]

    planned = evacuate(ansible, "plan").by_name("Plan where everything goes")["plan"]
    kinds = {one["name"]: one["kind"] for one in planned["migrations"]}
    assert kinds == {"plain": "share", "served": "share_replica", "standby": "share_replica"}
    where = {one["name"]: one["destination"] for one in planned["migrations"]}
    assert where["served"] == where["standby"] == MIRROR2  # silver has a replica of each

    copied = evacuate(ansible, "copy")
    assert copied.returncode == 0, copied.stdout
    assert replicas.at(served)[MIRROR2] == "available in_sync"
    assert manila.share(served).host == MIRROR1
    assert replicas.marks(served)["manila_migration_replica"].startswith(f"{MIRROR1} -> {MIRROR2}")
    (service,) = [one for one in manila.api.services.list() if one.host == "sandbox@mirror1"]
    assert service.status == "disabled"
    again = evacuate(ansible, "copy")
    assert again.returncode == 0 and again.changed == 0, again.stdout
    info = ansible.module("share_migration_info")["migrations"]
    assert [one["kind"] for one in info if one["name"] == "served"] == ["share_replica"]

    done = evacuate(ansible, "cutover")
    assert done.returncode == 0, done.stdout
    records = {
        one["name"]: one
        for one in done.by_name("Summarize the run")["ansible_facts"]["evacuate_outcome"][
            "migrations"
        ]
    }
    assert {one["phase"] for one in records.values()} == {"completed"}
    assert replicas.at(served) == {MIRROR2: "available active", SILVER2: "available in_sync"}
    assert replicas.at(standby) == {SILVER2: "available active", MIRROR2: "available in_sync"}
    assert manila.share(plain).host.startswith("sandbox@mirror2#")
    assert replicas.marks(served) == replicas.marks(standby) == {}
    # The one for disasters is the same as before, and all that belongs to the share.
    (other,) = [one.id for one in before if one.host == SILVER2]
    assert other in [one.id for one in manila.instances(served)]
    assert manila.rules(served) == [("ip", "192.0.2.10", "rw")]
    assert manila.api.share_snapshots.get(snapshot).status == "available"
    new = records["served"]["export_locations_after"]
    assert set(records["served"]["export_locations_before"]) < set(exports)
    assert new and set(new).isdisjoint(exports)


def test_a_cancel_removes_the_new_replica_only(
    manila: Manila, ansible: Ansible, replicas: Replicas
) -> None:
    share = replicas.create("given-up", MIRROR1, SILVER2)
    sandbox("speed", "--copy-seconds", "60")
    started, cancelled, again = ansible.tasks(
        move(share, "copied", timeout=3), move(share, "cancelled"), move(share, "cancelled")
    ).results
    assert started["failed"] and "Run it again to continue" in started["msg"]
    assert started["migrations"][0]["task_state"].startswith("replica_")
    assert cancelled["migrations"][0]["phase"] == "cancelled", cancelled
    assert cancelled["changed"] and not again["changed"]
    assert replicas.at(share) == {MIRROR1: "available active", SILVER2: "available in_sync"}
    assert replicas.marks(share) == {}


def test_killed_between_promotion_and_removal(
    manila: Manila, ansible: Ansible, replicas: Replicas
) -> None:
    share = replicas.create("killed", MIRROR1)
    assert ansible.tasks(move(share, "copied")).last["summary"]["copied"] == 1
    # Long enough to be killed in, whatever else the machine does.
    sandbox("speed", "--complete-seconds", "30")
    play = ansible.folder / "cutover.yml"
    defaults = {"group/manila.migration.all": {"cloud": CLOUD}}
    play.write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "module_defaults": defaults,
                    "tasks": [move(share, "completed")],
                }
            ]
        )
    )
    process = subprocess.Popen(
        ansible.command(str(play)),
        cwd=ansible.folder,
        env=ansible.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: "replication_change" in " ".join(replicas.at(share).values()))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: replicas.at(share).get(MIRROR2) == "available active")
    assert MIRROR1 in replicas.at(share)

    # Even a run that only copies finishes it; one that cancels says that it can't.
    refused, finished = ansible.tasks(move(share, "cancelled"), move(share, "copied")).results
    assert "can't be cancelled" in refused["msg"]
    assert finished["migrations"][0]["phase"] == "completed", finished
    assert replicas.at(share) == {MIRROR2: "available active"}
    assert replicas.marks(share) == {}


def test_what_was_there_before_is_no_destination(
    manila: Manila, ansible: Ansible, replicas: Replicas
) -> None:
    share = replicas.create("twin", MIRROR1, MIRROR2)
    result = ansible.tasks(move(share, "copied")).last
    assert "has a replica at sandbox@mirror2#gold already" in result["msg"]
    assert not result["changed"] and replicas.marks(share) == {}
    gone = ansible.tasks(move(share, "cancelled")).last
    assert not gone["changed"]
    assert replicas.at(share) == {MIRROR1: "available active", MIRROR2: "available in_sync"}


def test_failures(manila: Manila, ansible: Ansible, replicas: Replicas) -> None:
    share, other = replicas.create("no-replica", MIRROR1), replicas.create("no-promotion", MIRROR1)
    sandbox("fail", "create_replica", share)
    failed, cancelled = ansible.tasks(move(share, "copied"), move(share, "cancelled")).results
    assert "The new replica of share replica" in failed["msg"] and "is in error" in failed["msg"]
    assert cancelled["migrations"][0]["phase"] == "cancelled", cancelled
    assert replicas.at(share) == {MIRROR1: "available active"}

    sandbox("fail", "promote_replica", other)
    copied, failed = ansible.tasks(move(other, "copied"), move(other, "completed")).results
    assert copied["summary"]["copied"] == 1
    assert "a promotion that fails leaves all replicas" in failed["msg"]
    assert replicas.at(other) == {MIRROR1: "error active", MIRROR2: "error in_sync"}
    # Nothing is touched any more, by nobody.
    for state in ("cancelled", "completed", "copied"):
        assert not ansible.tasks(move(other, state)).last["changed"]


def test_the_source_must_not_be_disabled(
    manila: Manila, ansible: Ansible, replicas: Replicas
) -> None:
    share = replicas.create("cordoned", MIRROR1)
    manila.api.services.disable("sandbox@mirror1", "manila-share")
    result = ansible.tasks(move(share, "copied")).last
    assert "places no replica of a share that is served from there" in result["msg"]
    assert replicas.marks(share) == {}
    # That is so: asked past the collection, Manila leaves the replica in error.
    manila.api.share_replicas.create(share, scheduler_hints={"only_host": MIRROR2})
    wait_for(lambda: replicas.at(share).get("") == "error error")
