# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command, playbook, variable, module and option that a page names must be there.

Links are not looked at here: `tools/lint site` builds the pages, and takes a broken one for an
error.  EXAMPLES of modules are run by tests/integration/test_examples.py.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.manila.migration.plugins.module_utils._feasibility.codes import CODES

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("roles/*/README.md"),
        ROOT / "tests" / "sandbox" / "README.md",
    ]
)

# Programs of others, in commands whose arguments are not checked, and why.
NOT_OURS = {
    ".": "activates a virtual environment",
    "ansible-builder": "makes container images; an integration test runs its `create`",
    "ansible-galaxy": "installs from Galaxy, which no test reaches; tools/install does it from the tarball",
    "eval": "evaluates what `sandbox env` prints, as tools/with-sandbox does in every integration test",
    "export": "sets a variable of the shell",
    "kolla-ansible": "not part of the collection; what it would read is checked by molecule",
    "openstack": "python-openstackclient; test_policy.py makes the same role by Keystone's API",
    "openstack-ansible": "as kolla-ansible",
    "podman": "starts a container, which the machines of the tests can't",
    "pip": "installs from PyPI; molecule does it with the same requirements.txt",
    "python3": "makes a virtual environment",
}

# Variables that are no options of a role, and what they are.
OTHER_VARIABLES = {
    "client_mounts_result": "the role's result, a fact",
    "evacuate_group": "set around the tasks of a cutover group (roles/evacuate/tasks/cutover_group.yml)",
    "evacuate_group_migrations": "the same",
    "evacuate_result": "the role's result, a fact",
}


# -- what there is -------------------------------------------------------------------------------


@cache
def options_of_role(role: str) -> dict[str, Any]:
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    specs = yaml.safe_load(path.read_text(encoding="utf-8"))
    return dict(specs["argument_specs"]["main"]["options"])


ROLES = [path.name for path in (ROOT / "roles").iterdir()]
VARIABLES = {name: spec for role in ROLES for name, spec in options_of_role(role).items()}
PLAYBOOKS = {
    path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "playbooks").glob("*.yml")
}
MODULES = {path.stem: path for path in (ROOT / "plugins" / "modules").glob("*.py")}
FILTERS = [path.stem for path in (ROOT / "plugins" / "filter").glob("*.py")]


def constants(path: Path) -> dict[str, str]:
    """The strings that a file of documentation assigns to names."""
    return {
        target.id: node.value.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


@cache
def options_of_module(module: str) -> dict[str, Any]:
    """The options of a module, with those of the fragments it extends."""
    documentation = yaml.safe_load(constants(MODULES[module])["DOCUMENTATION"])
    options = dict(documentation.get("options", {}))
    for fragment in documentation.get("extends_documentation_fragment", []):
        if fragment == "openstack.cloud.openstack":
            options["cloud"] = {}
            continue
        file = ROOT / "plugins" / "doc_fragments" / f"{fragment.split('.')[2]}.py"
        for text in constants(file).values():
            options.update(yaml.safe_load(text).get("options") or {})
    return options


def takes(playbook: str, variable: str) -> bool:
    """Whether a playbook, or a role that it uses, reads a variable."""
    text = PLAYBOOKS[playbook]
    used = [role for role in ROLES if f"manila.migration.{role}" in text]
    return any(variable in options_of_role(role) for role in used) or bool(
        re.search(rf"\b{variable}\b", text)
    )


def allowed(spec: dict[str, Any], value: Any) -> bool:
    given = value if isinstance(value, list) else [value]
    return "choices" not in spec or all(one in spec["choices"] for one in given)


# -- what the pages say --------------------------------------------------------------------------


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    pattern = rf"^ *```{language}\n(.*?)^ *```$"
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def inline(page: Path) -> list[str]:
    """What stands between backticks, outside of blocks."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", text)


def commands(page: Path) -> Iterator[list[str]]:
    """Every command of a page, as words without assignments before it."""
    lines = "".join(blocks(page, "console")).replace("\\\n", " ").replace("&&\n", "&& ")
    written = [line[2:] for line in lines.splitlines() if line.startswith("$ ")]
    written += [one for one in inline(page) if one.split()[0] in CHECKS or " tests/sandbox/" in one]
    for line in written:
        words: list[str] = []
        for word in [*shlex.split(line.replace("…", "ELLIPSIS"), comments=True), "&&"]:
            if word == "&&":
                yield words
                words = []
            elif words or not re.match(r"[A-Z_]+=", word):
                words.append(word)


def extra_variables(words: list[str]) -> Iterator[tuple[str, Any]]:
    """Names and values behind -e; files are the yaml blocks of the page."""
    for option, value in zip(words, words[1:], strict=False):
        if option != "-e" or value.startswith("@"):
            continue
        if value.startswith("{"):
            yield from json.loads(value).items()
        elif "ELLIPSIS" not in value:
            name, _equals, given = value.partition("=")
            yield name, given


def check_playbook(words: list[str]) -> None:
    if "manila.migration." not in " ".join(words):
        return  # `ansible-playbook` alone
    name = words[1].removeprefix("manila.migration.")
    assert name in PLAYBOOKS
    for variable, value in extra_variables(words):
        assert takes(name, variable), f"{name} knows no {variable}"
        assert allowed(VARIABLES.get(variable, {}), value), f"{variable} can't be {value!r}"
    assert has_test(f"manila.migration.{name}"), f"no test runs {name}"


def check_adhoc(words: list[str]) -> None:
    module = words[words.index("-m") + 1].removeprefix("manila.migration.")
    options = options_of_module(module)
    for argument in words[words.index("-a") + 1].split():
        name, _equals, value = argument.partition("=")
        assert name in options and allowed(options[name], value), argument
    assert has_test(module)


def check_doc(words: list[str]) -> None:
    name = words[-1].removeprefix("manila.migration.")
    assert name in (ROLES if "role" in words else MODULES)


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in words[1:]:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def check_script(words: list[str]) -> None:
    assert (ROOT / words[0]).is_file()
    if words[0] == "tools/with-sandbox" and len(words) > 1:
        rest = words[3:] if words[1] == "--sandboxes" else words[1:]
        for word in rest:
            if word.startswith("tests/"):
                assert (ROOT / word).exists()


def check_sandbox(words: list[str]) -> None:
    parser = (ROOT / "tests" / "sandbox" / "manila_sandbox" / "cli.py").read_text(encoding="utf-8")
    for word in words[1:2]:
        assert re.search(rf'add_parser\(\s*"{word}"|"{word}"', parser)


def has_test(name: str) -> bool:
    """Whether an integration test or a scenario of molecule names it, or runs it as a job of AWX."""
    job = f'jobs.run("{name.rpartition(".")[2]}"'
    return name in texts_of_tests() or job in texts_of_tests()


@cache
def texts_of_tests() -> str:
    files = [*ROOT.glob("tests/integration/*.py"), *ROOT.glob("extensions/molecule/**/*.yml")]
    return "".join(file.read_text(encoding="utf-8") for file in files)


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "ansible-playbook": check_playbook,
    "ansible": check_adhoc,
    "ansible-doc": check_doc,
    "make": check_make,
    "tests/sandbox/sandbox": check_sandbox,
}

on_each_page = pytest.mark.parametrize(
    "page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES]
)


@on_each_page
def test_every_command_can_be_given(page: Path) -> None:
    for words in commands(page):
        if not words or words[0] in NOT_OURS:
            continue
        check = check_script if words[0].startswith("tools/") else CHECKS.get(words[0])
        assert check, f"what is {words[0]}? Add it to CHECKS, or to NOT_OURS with the reason"
        check(words)


@on_each_page
def test_every_script_is_there(page: Path) -> None:
    for text in inline(page):
        for path in re.findall(
            r"(?:^|\s)((?:tools|tests|plugins|roles|docs|extensions)/[\w./-]+)", text
        ):
            found = [*ROOT.glob(path), *ROOT.glob(f"{path}*")]
            assert found, f"there is no {path}"


@on_each_page
def test_every_variable_is_there(page: Path) -> None:
    prefixes = "|".join([*ROLES, "repair"])
    for text in inline(page):
        if text in CODES or text in MODULES:
            continue
        for name in re.findall(rf"(?<![\w./])(?:{prefixes})_\w+", text):
            known = name in VARIABLES or name in OTHER_VARIABLES
            assert known or any(takes(playbook, name) for playbook in PLAYBOOKS), name
        given = re.fullmatch(r"(\w+)(?:=|: )(\w+)", text)
        if given and given[1] in VARIABLES:
            value = yaml.safe_load(given[2])
            assert allowed(VARIABLES[given[1]], value), text


@on_each_page
def test_every_name_of_the_collection_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\bmanila\.migration\.(\w+)", text):
        assert name in {*MODULES, *FILTERS, *ROLES, *PLAYBOOKS, "all"}, name


@on_each_page
def test_every_yaml_is_right(page: Path) -> None:
    for block in blocks(page, "yaml"):
        told = yaml.safe_load(block)
        for mapping in mappings(told):
            for name, value in mapping.items():
                if name.startswith(tuple(f"{role}_" for role in ROLES)):
                    assert name in VARIABLES and allowed(VARIABLES[name], value), name
                elif name.startswith("manila.migration."):
                    options = options_of_module(name.removeprefix("manila.migration."))
                    for option, given in value.items():
                        assert option in options and allowed(options[option], given), option


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries in something."""
    if isinstance(value, dict):
        yield value
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from mappings(one)


def test_nothing_is_excused_that_no_page_names() -> None:
    used = {words[0] for page in PAGES for words in commands(page) if words}
    assert set(NOT_OURS) <= used | {"eval"}


def test_the_first_lines_of_playbooks_are_right() -> None:
    for text in PLAYBOOKS.values():
        for line in re.findall(r"^#   (ansible-playbook .*)$", text, re.MULTILINE):
            check_playbook(shlex.split(line))


def test_every_page_is_on_the_site() -> None:
    contents = (ROOT / "docs" / "site" / "contents.md").read_text(encoding="utf-8").split()
    named = {"docs/index.md"} | {
        f"{entry[1:] if entry.startswith('/') else f'docs/{entry}'}.md" for entry in contents
    }
    assert {str(page.relative_to(ROOT)) for page in PAGES} <= named
