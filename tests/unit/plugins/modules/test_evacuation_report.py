# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module writes, and when it doesn't."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from ansible_collections.manila.migration.plugins.modules import evacuation_report
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.reports import make_report

FILES = {"report.html", "report.json", "exports.csv", "client_mounts.json"}


PROFILES = "ansible.module_utils._internal._json._profiles"


@pytest.fixture
def write(tmp_path, monkeypatch):
    def call(
        result=None, plan=None, *, expected=None, check=False, folder="a/b", now=1_795_000_000
    ):
        monkeypatch.setattr(evacuation_report.time, "time", lambda: now)
        given = {
            "result": make_report(5)[0] if result is None else result,
            "plan": plan or {},
            "expected": expected or {},
            "directory": str(tmp_path / folder),
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        monkeypatch.setattr("ansible.module_utils.basic._ANSIBLE_ARGS", wrapped(given))
        monkeypatch.setattr("ansible.module_utils.basic._ANSIBLE_PROFILE", "legacy", raising=False)
        said = []
        monkeypatch.setattr("builtins.print", said.append)
        with pytest.raises(SystemExit):
            evacuation_report.main()
        return json.loads(said[-1])

    return call


def wrapped(given):
    return json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()


def test_it_writes_once_and_again_only_what_is_new(tmp_path, write):
    os.umask(0o022)
    folder = tmp_path / "a" / "b"
    first = write()
    assert first["changed"] and set(os.listdir(folder)) == FILES
    assert set(first["files"].values()) == {str(folder / name) for name in FILES}
    assert {(folder / name).stat().st_mode & 0o777 for name in FILES} == {0o644}
    times = {name: (folder / name).stat().st_mtime_ns for name in FILES}

    assert not write(now=1_795_009_999)["changed"]
    assert times == {name: (folder / name).stat().st_mtime_ns for name in FILES}

    (folder / "report.html").chmod(0o600)
    result = make_report(5)[0]
    result["migrations"][0]["export_locations_after"] = ["192.0.2.99:/new"]
    later = write(result, now=1_795_009_999)
    assert later["changed"] and set(os.listdir(folder)) == FILES
    assert "192.0.2.99:/new" in later["diff"]["after"]
    assert "192.0.2.99:/new" not in later["diff"]["before"]
    assert (folder / "report.html").stat().st_mode & 0o777 == 0o600
    written_at = json.loads((folder / "report.json").read_text())["written_at"]
    assert written_at == "2026-11-18T13:53:19Z"


def test_a_folder_that_is_made_is_its_owners_alone(tmp_path, write):
    write()
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_check_mode_writes_nothing(tmp_path, write):
    assert write(check=True)["changed"]
    assert os.listdir(tmp_path) == []
    write()
    assert not write(check=True)["changed"]


def test_names_that_utf_8_has_no_form_for(tmp_path, write, monkeypatch):
    # Where a controller is in the same process, it would refuse them before the module.
    with suppress(ImportError):  # which ansible-core 2.18 does not do
        monkeypatch.setattr(f"{PROFILES}._string_encoding_check_enabled", lambda: False)
    write(make_report(10, nasty=True)[0])
    for name in FILES:
        (tmp_path / "a" / "b" / name).read_bytes().decode("utf-8")
    assert not write(make_report(10, nasty=True)[0])["changed"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("report.json", "{"),
        ("report.json", "[" * 200_000),
        ("exports.csv", '"' + "x" * 200_000),  # a cell longer than Python takes
    ],
)
def test_an_old_file_that_is_no_report_is_replaced(tmp_path, write, name, text):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / name).write_text(text)
    assert write()["changed"]
    json.loads((tmp_path / "a" / "b" / "report.json").read_text())


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (
            {"migrations": 5},
            "The report can't be made of what was given: result: 'migrations' must be a list of dictionaries.",
        ),
    ],
)
def test_what_is_no_result_is_refused_in_one_sentence(write, result, message):
    said = write(result)
    assert said["failed"] and said["msg"] == message


RUN = {"phase": "cutover", "source": "stor1@array7", "cloud": "mycloud", "workflow_job": "41"}


def result_of(**run):
    return {**make_report(5, "cutover")[0], **RUN, **run}


@pytest.mark.parametrize(
    "expected",
    [{}, RUN, {"phase": "cutover"}, {name: "" for name in RUN}, {**RUN, "workflow_job": ""}],
)
def test_the_result_of_the_run_that_is_reported_on(tmp_path, write, expected):
    assert write(result_of(), expected=expected)["changed"]
    assert (tmp_path / "a" / "b" / "report.json").exists()


def test_what_an_older_result_does_not_say_is_not_compared(write):
    older = result_of()
    del older["cloud"], older["workflow_job"]
    assert write(older, expected=RUN)["changed"]


@pytest.mark.parametrize(
    ("run", "named"),
    [
        ({"phase": "copy"}, "phase 'copy', source 'stor1@array7', cloud 'mycloud'"),
        ({"source": "stor2@array9"}, "source 'stor2@array9'"),
        ({"cloud": "north"}, "cloud 'north'"),
        ({"workflow_job": "40"}, "workflow job '40'"),
        ({"workflow_job": ""}, "cloud 'mycloud')"),
        ({"phase": None, "source": None}, "(cloud 'mycloud'"),
        ({"source": "\x1b[31m\u202e"}, "source '\\x1b[31m\\u202e'"),
    ],
)
def test_the_result_of_another_run_is_refused_and_named(tmp_path, write, run, named):
    said = write(result_of(**run), expected=RUN)
    assert said["failed"] and named in said["msg"]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("expected", [{}, RUN])
def test_an_empty_result_is_refused(tmp_path, write, expected):
    assert write({}, expected=expected)["failed"]
    assert os.listdir(tmp_path) == []


def test_the_plan_of_another_run_is_refused(tmp_path, write):
    plan = {name: RUN[name] for name in ("source", "cloud", "workflow_job")}
    for name in plan:
        said = write(result_of(), {**plan, name: "other"})
        assert said["failed"] and "'other'" in said["msg"]
    assert os.listdir(tmp_path) == []
    assert write(result_of(), plan)["changed"]


def test_the_difference_is_readable_and_the_table_keeps_the_text(tmp_path, write):
    result = make_report(5)[0]
    name = "two\nlines\x1b[31m \u202egnp.exe"
    result["migrations"][0]["name"] = name
    diff = write(result)["diff"]["after"]
    assert all(line.isprintable() for line in diff.splitlines())
    with (tmp_path / "a" / "b" / "exports.csv").open(newline="") as table:
        rows = list(csv.reader(table))
    assert len(diff.splitlines()) == len(rows)
    assert name in [row[2] for row in rows]
    assert write(result)["diff"]["before"] == diff


def test_a_folder_that_cannot_be_made_is_named(tmp_path, write):
    (tmp_path / "a").write_text("")
    said = write()
    assert said["failed"]
    assert said["msg"].startswith("The report can't be written: ") and str(tmp_path) in said["msg"]


def test_it_needs_nothing_but_ansible():
    """The controller may be without openstacksdk, where somebody else did the migrations."""
    code = (
        "import sys; sys.modules['openstack'] = sys.modules['manilaclient'] = None; "
        f"import {evacuation_report.__name__}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
