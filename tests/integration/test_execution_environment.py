# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an execution environment is made of: the lists in the collection, and that they are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from conftest import ALPHA, Ansible, Manila

ROOT = Path(__file__).parents[2]
COLLECTIONS = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":")[0]


def listed(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


REQUIRED = listed("requirements.txt")


def builder(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ansible_builder", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_ansible_builder_finds_in_the_collection() -> None:
    found = yaml.safe_load(builder("introspect", COLLECTIONS))
    said = "  # from collection manila.migration"
    assert found["python"] == [f"{one}{said}" for one in REQUIRED]
    assert found["system"] == [f"{one}{said}" for one in listed("bindep.txt")]


def test_the_definition_of_the_docs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "awx.md").read_text(encoding="utf-8")
    (definition,) = re.findall(r"^```yaml\n(version: 3\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "execution-environment.yml").write_text(definition)
    folders = ["--file", str(tmp_path / "execution-environment.yml"), "--context", str(tmp_path)]
    builder("create", *folders, "--output-filename", "Containerfile")
    assert "manila.migration" in (tmp_path / "_build" / "requirements.yml").read_text()
    base = yaml.safe_load(definition)["images"]["base_image"]["name"]
    assert f'"{base}"' in (tmp_path / "Containerfile").read_text()


def test_the_listed_packages_are_enough(manila: Manila, ansible: Ansible) -> None:
    share = manila.create("plain", ALPHA)
    venv = ansible.folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    # The versions are those that everything else is tested with.
    pip = [venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    pins = ["--constraint", ROOT / "tools" / "requirements-dev.txt"]
    subprocess.run([*pip, *pins, "ansible-core", *REQUIRED], check=True)
    ansible.environment["PATH"] = f"{venv}/bin:{os.environ['PATH']}"
    ansible.environment.pop("VIRTUAL_ENV", None)
    run = ansible.evacuate("all", evacuate_select="[?size_gb < `9`]")
    assert run.returncode == 0, run.stdout
    assert manila.share(share).host != ALPHA
