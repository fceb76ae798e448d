# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written twice must agree: codes, defaults, names of modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import codes, managers
from ansible_collections.manila.migration.plugins.module_utils._data_service.options import OPTIONS
from ansible_collections.manila.migration.plugins.module_utils._engine.waiting import WAITING, Wait
from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import CODES
from ansible_collections.manila.migration.plugins.module_utils._repair import diagnosis
from ansible_collections.manila.migration.plugins.module_utils._repair import (
    service_restarts as restarts,
)

ROOT = Path(__file__).parents[2]


def documented(heading: str) -> list[str]:
    page = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    section = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([a-z0-9_]+)` \|", section, re.MULTILINE)


def test_codes_of_reasons_are_documented() -> None:
    assert documented("Why something can't move, or what to know before") == list(CODES)


def test_codes_of_diagnoses_are_documented() -> None:
    assert documented("What is wrong with a migration") == list(diagnosis.CODES)


def test_codes_of_waiting_are_documented() -> None:
    page = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    section = page.split("## What a migration waits for\n", 1)[1].split("\n## ", 1)[0]
    told = re.findall(r"^\| `([a-z_]+)` \| ([^|]*[^| ]) \| (yes|no) \|$", section, re.MULTILINE)
    assert {code: Wait(end == "yes", text) for code, text, end in told} == WAITING
    module = (ROOT / "plugins" / "modules" / "evacuation.py").read_text(encoding="utf-8")
    assert not [code for code in WAITING if f"V({code})" not in module]


def test_what_forbids_a_restart_is_documented() -> None:
    heading = "What forbids the restart of a service"
    page = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1]
    told = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]*[^| ]) \|$", page, re.MULTILINE))
    assert told == restarts.CODES
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    for column, binary in enumerate(("manila-data", "manila-share", "manila-scheduler"), start=1):
        table = {row[0]: row[column].strip(" `") for row in rows if row[column].strip()}
        assert table == restarts.FORBIDDEN[binary]


def test_files_that_the_page_for_developers_names_are_there() -> None:
    page = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
    section = page.split("## Where to put something\n", 1)[1].split("\n## ", 1)[0]
    for row in section.splitlines():
        named = re.findall(r"`([\w./-]+\.(?:py|md|yml|yaml|json))`", row)
        within = ("", "plugins/module_utils", "roles/data_service", "roles/evacuate")
        files = [
            next((ROOT / top / name for top in within if (ROOT / top / name).is_file()), None)
            for name in named
        ]
        assert None not in files, row
        texts = [file.read_text(encoding="utf-8") for file in files if file]
        for name in re.findall(r"`([A-Za-z_]*[A-Z]{2}[A-Z_]+|Limits)`", row):
            assert any(re.search(rf"^(?:class )?{name}\b", text, re.MULTILINE) for text in texts), (
                name,
                row,
            )


def test_every_module_that_takes_a_cloud_is_in_the_action_group() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    modules = {
        path.stem
        for path in (ROOT / "plugins" / "modules").glob("*.py")
        if "openstack.cloud.openstack" in path.read_text(encoding="utf-8")
    }
    assert set(runtime["action_groups"]["all"]) == modules


def test_every_option_of_the_data_service_is_in_its_table_and_a_variable() -> None:
    folder = ROOT / "roles" / "data_service"
    page = (folder / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| (.*) \| (.*) \| (manila-\w+) \| `(.*)` \|$", page, re.MULTILINE
    )
    assert rows == [
        (
            one.name,
            f"`{one.default}`" if one.default else "none",
            one.group,
            one.service,
            one.source,
        )
        for one in OPTIONS
    ]
    specs = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    variables = specs["argument_specs"]["main"]["options"]
    call = (folder / "tasks" / "options.yml").read_text(encoding="utf-8")
    for one in OPTIONS:
        if not one.per_backend:
            assert f"data_service_{one.name}" in variables and f" {one.name}: " in call


@pytest.mark.parametrize("role", [path.name for path in (ROOT / "roles").iterdir()])
def test_defaults_of_a_role_are_as_documented(role: str) -> None:
    folder = ROOT / "roles" / role
    specs = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((folder / "defaults" / "main.yml").read_text(encoding="utf-8"))
    computed = {name for name, value in defaults.items() if "{{" in str(value)}
    assert {name: spec["default"] for name, spec in options.items() if "default" in spec} == {
        name: value for name, value in defaults.items() if name not in computed
    }
    assert set(defaults) <= set(options)


def test_reasons_to_leave_a_mount_are_documented() -> None:
    page = (ROOT / "roles" / "client_mounts" / "README.md").read_text(encoding="utf-8")
    section = page.split("## What is left, and why\n", 1)[1].split("\n## ", 1)[0]
    told = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]*[^| ]) \|", section, re.MULTILINE))
    assert told == codes.CODES
    text = (ROOT / "plugins" / "modules" / "client_mounts.py").read_text(encoding="utf-8")
    flat = " ".join(text.split())
    assert f"One of {', '.join(f'V({code})' for code in codes.CODES)}." in flat
    programs = [managers.FSTAB, managers.AUTOFS, managers.SYSTEMD, managers.CONTAINER_ENGINE]
    programs += [managers.KUBELET, managers.NOVA, managers.CINDER]
    assert ", ".join(f"V({program})" for program in programs) in flat


def test_mounts_that_are_never_moved_are_the_same_in_the_role() -> None:
    path = ROOT / "roles" / "client_mounts" / "vars" / "main.yml"
    variables = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(variables["client_mounts_never_moved"]) == codes.NEVER_MOVED


def test_packages_of_the_data_service_are_as_documented() -> None:
    folder = ROOT / "roles" / "data_service"
    known = yaml.safe_load((folder / "vars" / "main.yml").read_text(encoding="utf-8"))
    packages = known["data_service_packages"]
    page = (folder / "README.md").read_text(encoding="utf-8").split("## Protocols\n", 1)[1]
    rows = re.findall(
        r"^\| ([A-Z, ]+) \| ([^|]*) \| ([^|]*) \|", page.split("\n## ", 1)[0], re.MULTILINE
    )
    told: dict[str, dict[str, list[str]]] = {"Debian": {}, "RedHat": {}}
    for protocols, *columns in rows:
        for protocol in protocols.split(", "):
            for family, cell in zip(told, columns, strict=True):
                told[family][protocol] = re.findall(r"`([\w-]+)`", cell)
    assert told == packages
    specs = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    choices = specs["argument_specs"]["main"]["options"]["data_service_protocols"]["choices"]
    for family in packages:
        assert sorted(packages[family]) == sorted(choices)
        assert set(known["data_service_units"][family]) == {"manila-data", "manila-share"}
        assert known["data_service_own_package"][family]


def headings(page: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE))


def rows_of_invariants() -> list[list[str]]:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = page.split("## Invariants\n", 1)[1].split("\n## ", 1)[0]
    return [
        [cell.strip() for cell in row.split("|")[1:-1]]
        for row in re.findall(r"^\| \d+ \|.*$", section, re.MULTILINE)
    ]


def sources(folder: str) -> dict[Path, str]:
    """The files of Python below a folder, with the breaks of lines in comments and docstrings gone."""
    return {
        path: re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text(encoding="utf-8"))
        for path in (ROOT / folder).rglob("*.py")
    }


def test_sections_that_code_refers_to_are_there() -> None:
    named = [
        (ROOT / "docs" / page, section, path.name)
        for folder in ("plugins", "tests")
        for path, text in sources(folder).items()
        for page, sections in re.findall(r'docs/(\w+\.md)((?:, "[^"]+")+)', text)
        for section in re.findall(r'"([^"]+)"', sections)
    ]
    assert [one for one in named if one[1] not in headings(one[0])] == []


def test_invariants_that_code_refers_to_are_there() -> None:
    numbers = [int(row[0]) for row in rows_of_invariants()]
    assert numbers == list(range(1, len(numbers) + 1))
    for folder in ("plugins", "tests"):
        for path, text in sources(folder).items():
            for first, last in re.findall(r"[Ii]nvariants? (\d+)(?: to (\d+))?", text):
                assert {int(first), int(last or first)} <= set(numbers), path


def test_what_enforces_and_watches_an_invariant_is_there() -> None:
    plugins, tests = ("\n".join(sources(folder).values()) for folder in ("plugins", "tests"))
    for number, _what, enforced, watched in rows_of_invariants():
        functions = re.findall(r"`(\w+)\(\)`", enforced)
        classes = re.findall(r"`(\w+)`", enforced)
        assert functions or classes, number
        for name in functions:
            assert f"def {name}(" in plugins, (number, name)
        for name in classes:
            assert f"class {name}" in plugins, (number, name)
        names = re.findall(r"`(test_\w+)`", watched)
        assert names, number
        for name in names:
            assert f"def {name}(" in tests, (number, name)
