# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From AWX: what the playbook makes there, and its templates run as AWX runs them.

A job has a private data directory of its own, which is gone when the job is: the next one of a
workflow knows only what it is given as variables.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx_stub import Awx, answered
from conftest import ALPHA, CLOUD, SILVER, Ansible, Manila, Run

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
IMPATIENT = {"evacuate_poll_interval": 0.5}
SOURCE = {"evacuate_cloud": CLOUD, "evacuate_source": "sandbox@alpha"}
# What is typed into surveys is text.
TYPED = {
    **SOURCE,
    "evacuate_destinations": "sandbox@beta, sandbox@gamma",
    "evacuate_share_type_map": "pinned-alpha=replacement",
    "evacuate_require": ["writable"],
    "evacuate_max_parallel_per_pool": 5,
}


def set_up(awx: Awx, ansible: Ansible, **variables: Any) -> Run:
    ansible.environment |= {"CONTROLLER_HOST": awx.address, "CONTROLLER_OAUTH_TOKEN": "token"}
    return ansible.playbook(
        "manila.migration.awx",
        awx_image="registry.example.org/manila-migration:latest",
        awx_status=[
            {
                "cloud": CLOUD,
                "source": "sandbox@alpha",
                "rrule": "DTSTART:20260101T000000Z RRULE:FREQ=HOURLY;INTERVAL=1",
            }
        ],
        **variables,
    )


@pytest.fixture(scope="module")
def awx(world: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    """AWX after the playbook."""
    stub = Awx()
    ansible = Ansible(tmp_path_factory.mktemp("awx"))
    run = set_up(stub, ansible, awx_clouds_yaml=os.environ["OS_CLIENT_CONFIG_FILE"])
    assert run.returncode == 0, run.stdout
    yield stub
    stub.close()


class Marked(yaml.SafeDumper):
    """Writes texts as AWX does: nothing in them is a template (awx/main/utils/safe_yaml.py)."""

    def represent_data(self, data: Any) -> Any:
        """Mark a text."""
        if isinstance(data, str):
            return self.represent_scalar("!unsafe", data)
        return super().represent_data(data)


@dataclass
class Job:
    """What is left of a job when its directory is gone."""

    status: str
    events: list[dict[str, Any]]
    artifacts: dict[str, Any]
    stdout: str

    @property
    def failures(self) -> list[str]:
        """What the tasks that failed had to say."""
        failed = [one for one in self.events if one["event"] == "runner_on_failed"]
        return [
            one["event_data"]["res"].get("msg", "")
            for one in failed
            if not one["event_data"]["ignore_errors"]
        ]


class Jobs:
    """Runs the templates' jobs."""

    def __init__(self, awx: Awx, folder: Path) -> None:
        self.awx = awx
        self.folder = folder
        self.number = 0

    def run(self, name: str, answers: dict[str, Any], mesh: bool = False, **trusted: Any) -> Job:
        """Run a job of a template to its end, on an execution node of the mesh or right here.

        ``trusted`` is what stands in the template itself.
        """
        self.number += 1
        here, there = self.folder / f"job-{self.number}", self.folder / f"node-{self.number}"
        template = self.awx.named("job_templates", name)
        self._prepare(here, template, answers, trusted, there if mesh else here)
        arguments = ["--playbook", template["playbook"], "--ident", "1", str(here)]
        if mesh:
            # What each end leaves, only the stream between them brings over.
            sent = self._runner("transmit", *arguments)
            shutil.rmtree(here / "project")
            done = self._runner("worker", "--private-data-dir", str(there), stream=sent)
            shutil.rmtree(there)
            self._runner("process", "--ident", "1", str(here), stream=done)
        else:
            self._runner("run", *arguments)
        job = self._read(here / "artifacts" / "1")
        shutil.rmtree(here)
        return job

    def _prepare(
        self,
        folder: Path,
        template: dict[str, Any],
        answers: dict[str, Any],
        trusted: dict[str, Any],
        place: Path,
    ) -> None:
        """Fill a private data directory that will be used at a place."""
        shutil.copytree(PLAYBOOKS, folder / "project" / "playbooks")
        for name in ("env", "inventory"):
            (folder / name).mkdir()
        credential = self.awx.named("credentials", "clouds.yaml")["inputs"]["clouds_yaml"]
        (folder / "env" / "clouds").write_text(credential)
        (folder / "env" / "envvars").write_text(
            json.dumps({"OS_CLIENT_CONFIG_FILE": str(place / "env" / "clouds"), "PWD": str(place)})
        )
        (folder / "env" / "cmdline").write_text("--diff" if template["diff_mode"] else "")
        variables = answered(template, answers)
        (folder / "env" / "extravars").write_text(
            yaml.dump(variables, Dumper=Marked) + (yaml.safe_dump(trusted) if trusted else "")
        )
        host = self.awx.kinds["hosts"][0]
        (folder / "inventory" / "hosts.yml").write_text(
            yaml.safe_dump({"all": {"hosts": {host["name"]: json.loads(host["variables"])}}})
        )

    def _runner(self, *arguments: str, stream: bytes = b"") -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "ansible_runner", *arguments],
            input=stream,
            env={**os.environ, "ANSIBLE_HOME": str(self.folder / "ansible-home")},
            capture_output=True,
            check=False,
            timeout=600,
        )
        assert b"Traceback" not in done.stdout + done.stderr, done.stderr.decode()
        return done.stdout

    @staticmethod
    def _read(artifacts: Path) -> Job:
        paths = (artifacts / "job_events").glob("*.json")
        events = [json.loads(path.read_text()) for path in paths]
        events.sort(key=lambda one: one["counter"])
        last = next(one for one in reversed(events) if one["event"] == "playbook_on_stats")
        status = (artifacts / "status").read_text() if (artifacts / "status").exists() else "none"
        stdout = "\n".join(one["stdout"] for one in events)
        return Job(status, events, last["event_data"]["artifact_data"], stdout)


@pytest.fixture
def jobs(awx: Awx, manila: Manila, tmp_path: Path) -> Jobs:
    """AWX, ready to run jobs."""
    return Jobs(awx, tmp_path)


def test_the_playbook_changes_nothing_the_second_time(awx: Awx, ansible: Ansible) -> None:
    before = json.dumps([awx.kinds, awx.associated])
    again = set_up(awx, ansible)  # the credential is there
    assert again.returncode == 0, again.stdout
    assert again.changed == 0
    assert json.dumps([awx.kinds, awx.associated]) == before


def test_what_is_in_awx(awx: Awx) -> None:
    templates = awx.kinds["job_templates"] + awx.kinds["workflow_job_templates"]
    assert [one["allow_simultaneous"] for one in templates] == [False] * 9
    assert awx.edges() == {
        ("plan", "success_nodes", "approve-copy"),
        ("approve-copy", "success_nodes", "copy"),
        ("copy", "success_nodes", "approve-cutover"),
        ("copy", "failure_nodes", "report-copy"),
        ("approve-cutover", "success_nodes", "cutover"),
        ("cutover", "always_nodes", "report"),
    }
    # Each report has one job before it, and expects its result.
    expected = {
        one["identifier"]: one["extra_data"]
        for one in awx.kinds["workflow_job_template_nodes"]
        if one.get("extra_data")
    }
    assert expected == {
        "report-copy": {"report_phase": "copy"},
        "report": {"report_phase": "cutover"},
    }
    report = awx.named("job_templates", "report")
    asked_by_report = {one["variable"] for one in report["survey_spec"]["spec"]}
    assert asked_by_report == {"report_phase"}  # AWX drops what a node says and nobody asks for
    workflow_variables = json.loads(awx.named("workflow_job_templates", "evacuation")["extra_vars"])
    assert workflow_variables == {"evacuate_plan_required": True}
    approvals = {one["name"] for one in awx.kinds["workflow_approval_templates"]}
    assert approvals == {"Copy as planned", "Cut over now"}
    for template in awx.kinds["job_templates"]:
        assert (PLAYBOOKS.parent / template["playbook"]).is_file()
    # What the workflow asks for, the template that gets the answer would have asked for, too.
    asked = {
        one["variable"]
        for name in ("plan", "copy", "cutover")
        for one in awx.named("job_templates", name)["survey_spec"]["spec"]
    }
    workflow = awx.named("workflow_job_templates", "evacuation")
    assert {one["variable"] for one in workflow["survey_spec"]["spec"]} == asked
    (schedule,) = awx.kinds["schedules"]
    status = awx.named("job_templates", "status")
    assert schedule["unified_job_template"] == status["id"]
    needed = {one["variable"] for one in status["survey_spec"]["spec"] if one["required"]}
    assert set(schedule["extra_data"]) == needed
    credential_type = awx.named("credential_types", "clouds.yaml")
    assert credential_type["injectors"] == {
        "file": {"template": "{{ clouds_yaml }}"},
        "env": {"OS_CLIENT_CONFIG_FILE": "{{ tower.filename }}"},
    }


def test_the_workflow_from_plan_to_report(jobs: Jobs, awx: Awx, manila: Manila) -> None:
    shares = manila.create_all(["plain-0", "plain-1"], ALPHA)
    shares += manila.create_all(["pinned"], ALPHA, share_type="pinned-alpha")
    answers = answered(
        awx.named("workflow_job_templates", "evacuation"),
        {**TYPED, "evacuate_cutover_window": "start=00:00, end=23:59:59"},
    )
    answers["awx_workflow_job_id"] = 41  # as AWX gives it to every job of a workflow
    world = manila.snapshot_of_world()
    plan = jobs.run("plan", answers)
    assert plan.status == "successful", plan.stdout
    assert manila.snapshot_of_world() == world
    assert len(plan.artifacts["evacuate_plan"]["migrations"]) == 3

    # AWX loses what a job hands on, or hands on what was made for something else.
    wrong = jobs.run("copy", answers)
    assert wrong.status == "failed"
    assert [one[:23] for one in wrong.failures] == ["evacuate_plan is empty,"]
    other = {**plan.artifacts, **answers, "evacuate_source": "sandbox@files1"}
    wrong = jobs.run("copy", other)
    assert wrong.failures == [
        "evacuate_plan: It is a plan for 'sandbox@alpha', not for 'sandbox@files1': give the one that "
        "was made for it, or none."
    ]
    wrong = jobs.run("cutover", {**plan.artifacts, **answers, "awx_workflow_job_id": 42})
    assert wrong.failures == ["evacuate_plan: It is a plan with workflow_job '41', not '42'."]
    assert manila.snapshot_of_world() == world

    # What was approved is done, whatever a new plan would do.
    for entry in plan.artifacts["evacuate_plan"]["migrations"]:
        entry["destination"] = SILVER
    given = {**plan.artifacts, **answers}
    copy = jobs.run("copy", given, **IMPATIENT)
    assert copy.status == "successful", copy.stdout
    # The result is this job's, although an earlier one's was given.
    assert copy.artifacts["evacuate_result"]["phase"] == "copy"
    assert copy.artifacts["evacuate_result"]["summary"]["copied"] == 3
    assert any("3 copied" in one["stdout"] for one in copy.events)

    status = jobs.run("status", {**SOURCE})
    codes = {
        one["waiting_for"]["code"] for one in status.artifacts["evacuate_result"]["migrations"]
    }
    assert codes == {"operator"}, status.stdout

    given = {**plan.artifacts, **copy.artifacts, **answers}
    cutover = jobs.run("cutover", given, **IMPATIENT)
    assert cutover.status == "successful", cutover.stdout
    assert [manila.share(share).host for share in shares] == [SILVER] * 3

    # The result of the job before last in place of the last one's.
    stale = {**plan.artifacts, **copy.artifacts, **answers, "report_phase": "cutover"}
    wrong = jobs.run("report", stale)
    (message,) = wrong.failures
    assert wrong.status == "failed" and "phase 'copy'" in message

    given = {**plan.artifacts, **cutover.artifacts, **answers, "report_phase": "cutover"}
    report = jobs.run("report", given)
    assert report.status == "successful", report.stdout
    assert "completed 3" in report.stdout
    # Nothing is left of the file but its table in the output of the job.
    exports = manila.api.share_export_locations.list(shares[0])
    new = next(one.path for one in exports if not one.is_admin_only)
    assert new in report.stdout


def test_on_the_mesh_and_what_fails(jobs: Jobs, manila: Manila) -> None:
    shares = manila.create_all(["plain-0", "plain-1"], ALPHA)
    manila.create("pinned", ALPHA, share_type="pinned-alpha")
    copy = jobs.run("copy", SOURCE, mesh=True, **IMPATIENT)
    assert copy.artifacts["evacuate_result"]["summary"]["copied"] == 2, copy.stdout
    (message,) = copy.failures
    assert "1 can't move: pinned" in message
    report = jobs.run("report", copy.artifacts)
    assert report.status == "failed" and report.failures == [message]

    repair = jobs.run("repair", {"repair_cloud": CLOUD, "repair_source": "sandbox@alpha"})
    assert repair.status == "successful", repair.stdout

    cancel = jobs.run("cancel", SOURCE, **IMPATIENT)
    assert cancel.status == "successful", cancel.stdout
    assert [manila.share(share).host for share in shares] == [ALPHA] * 2


def test_the_data_service(jobs: Jobs) -> None:
    site = {"data_service_mode": "print", "data_service_data_node_access_ips": ["192.0.2.30"]}
    job = jobs.run("data service", {"data_service_cloud": CLOUD}, **site)
    assert job.status == "successful", job.stdout
