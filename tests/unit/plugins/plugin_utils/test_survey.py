# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveys are what AWX takes, whatever a role says of its variables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.manila.migration.plugins.filter.survey import FilterModule
from ansible_collections.manila.migration.plugins.plugin_utils.survey import survey

ROOT = Path(__file__).parents[4]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
AWX = yaml.safe_load((ROOT / "playbooks" / "vars" / "awx.yml").read_text(encoding="utf-8"))

TYPES = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": (float, int),
}


def options_of(role: str) -> dict[str, Any]:
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    specs = yaml.safe_load(path.read_text(encoding="utf-8"))
    found: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return found


def askable(options: dict[str, Any]) -> list[str]:
    def can_be_asked(name: str) -> bool:
        try:
            survey(options, [name], "any")
        except ValueError:
            return False
        return True

    return [name for name in options if can_be_asked(name)]


def refusals(spec: Any) -> list[str]:
    """What AWX would refuse (24.6, `_validate_spec_data` in awx/api/views/__init__.py)."""
    found = []
    if not (isinstance(spec["name"], str) and isinstance(spec["description"], str)):
        found.append("name or description is no text")
    if not spec["spec"]:
        found.append("no questions")
    variables = [one["variable"] for one in spec["spec"]]
    if len(variables) != len(set(variables)):
        found.append("a variable is asked for twice")
    for one in spec["spec"]:
        where, kind, default = one["variable"], one["type"], one.get("default", "")
        if not isinstance(one["question_name"], str) or not one["question_name"]:
            found.append(f"{where}: no question")
        if not isinstance(one["required"], bool):
            found.append(f"{where}: required is no boolean")
        if kind not in TYPES:
            found.append(f"{where}: there is no type {kind}")
        elif default != "" and not isinstance(default, TYPES[kind]):
            found.append(f"{where}: the default is no {kind}")
        if any(not isinstance(one.get(limit, 0), int) for limit in ("min", "max")):
            found.append(f"{where}: a limit is no integer")
        if str(default).startswith("$encrypted$"):
            found.append(f"{where}: a reserved word")
        if kind in ("multiplechoice", "multiselect"):
            if not all(isinstance(choice, str) for choice in one["choices"]):
                found.append(f"{where}: a choice is no text")
            if set(default.splitlines()) - set(one["choices"]):
                found.append(f"{where}: the default is no choice")
            if kind == "multiplechoice" and len(default.splitlines()) > 1:
                found.append(f"{where}: several defaults")
    return found


@pytest.mark.parametrize("role", ROLES)
def test_awx_takes_a_survey_of_all_variables_of_a_role(role: str) -> None:
    options = options_of(role)
    made = survey(options, askable(options), role)
    assert refusals(made) == []
    for question in made["spec"]:
        assert not re.search(r"\b[A-Z]+\(", question["question_description"]), question


@pytest.mark.parametrize("role", ROLES)
def test_a_role_takes_every_default_as_it_comes_from_awx(role: str) -> None:
    options = options_of(role)
    spec = survey(options, askable(options), role)["spec"]
    # To a multiselect AWX answers with a list. It marks texts as unsafe, and of an empty one that
    # is, ansible-core makes None from 2.19 on.
    answers = {
        one["variable"]: one["default"].splitlines()
        if one["type"] == "multiselect"
        else one["default"]
        for one in spec
        if one["default"] != "" or (one["type"] == "text" and not one["required"])
    }
    assert_taken(options, answers)
    assert_taken(options, {name: value or None for name, value in answers.items() if value == ""})


def assert_taken(options: dict[str, Any], answers: dict[str, Any]) -> None:
    validator = ArgumentSpecValidator(
        {
            name: {key: option[key] for key in ("type", "elements", "choices") if key in option}
            for name, option in options.items()
        }
    )
    taken = validator.validate(answers)
    assert taken.error_messages == []
    meant = {name: options[name]["default"] for name in answers if "default" in options[name]}
    for name, default in meant.items():
        assert taken.validated_parameters[name] == default or not answers[name]


def test_what_a_survey_cannot_ask_is_only_what_is_said_to_be() -> None:
    options = options_of("evacuate")
    assert set(options) - set(askable(options)) == {"evacuate_groups", "evacuate_plan"}


def test_the_surveys_of_playbooks_are_what_these_say_of_their_variables() -> None:
    repair = next(one for one in AWX["awx_templates"] if one["name"] == "repair")
    told = dict(
        re.findall(
            r"^# (repair_\w+) +(.*)$",
            (ROOT / "playbooks" / "repair.yml").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    told["repair_cloud"] = "name of the cloud in clouds.yaml"
    assert {name: one["description"] for name, one in repair["options"].items()} == {
        name: told[name] for name in repair["questions"]
    }
    made = survey(repair["options"], repair["questions"], "repair", repair["required"])
    assert refusals(made) == []
    assert [one["variable"] for one in made["spec"] if one["required"]] == repair["required"]


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ({}, {"type": "text", "default": ""}),
        ({"default": "any"}, {"type": "text", "default": "any"}),
        ({"type": "path"}, {"type": "text", "default": ""}),
        ({"type": "int", "default": 0}, {"type": "integer", "default": 0}),
        ({"type": "int"}, {"type": "integer", "default": ""}),
        ({"type": "float", "default": 0.5}, {"type": "float", "default": 0.5}),
        (
            {"type": "bool", "default": False},
            {"type": "multiplechoice", "default": "false", "choices": ["true", "false"]},
        ),
        (
            {"type": "bool"},
            {"type": "multiplechoice", "default": "", "choices": ["true", "false"]},
        ),
        (
            {"type": "str", "choices": ["a", "b"], "default": "b"},
            {"type": "multiplechoice", "default": "b", "choices": ["a", "b"]},
        ),
        (
            {"type": "list", "elements": "str", "choices": ["a", "b"], "default": ["b", "a"]},
            {"type": "multiselect", "default": "b\na", "choices": ["a", "b"]},
        ),
        (
            {"type": "list", "elements": "str", "default": ["a", "b"]},
            {"type": "text", "default": "a,b"},
        ),
        ({"type": "dict", "default": {}}, {"type": "textarea", "default": "{}", "min": 2}),
        (
            {"type": "dict", "default": {"old": "new"}},
            {"type": "textarea", "default": '{"old": "new"}', "min": 2},
        ),
    ],
    ids=json.dumps,
)
def test_every_kind_of_variable(option: dict[str, Any], answer: dict[str, Any]) -> None:
    (question,) = survey({"role_x": {"description": "Any.", **option}}, ["role_x"], "any")["spec"]
    assert {key: question[key] for key in answer} == answer
    assert set(question) == {
        *answer,
        "question_name",
        "question_description",
        "variable",
        "required",
    }


def test_a_question_has_plain_words() -> None:
    option = {
        "description": [
            "Names of O(role_other=x), as M(manila.migration.one) takes V(them).",
            "Or C(not).",
        ],
        "type": "list",
        "required": True,
    }
    (question,) = survey({"role_share_type_map": option}, ["role_share_type_map"], "any")["spec"]
    assert question["question_name"] == "Share type map"
    assert question["question_description"] == (
        "Names of role_other=x, as manila.migration.one takes them. Or not. Separate several by commas."
    )
    assert question["required"] is True


@pytest.mark.parametrize(
    ("variables", "required", "message"),
    [
        (["role_other"], [], "There is no variable role_other."),
        (["role_plain"], ["role_other"], "There is no variable role_other."),
        (
            ["role_several"],
            [],
            "role_several can't be asked for in a survey: nobody can type what it holds.",
        ),
    ],
)
def test_what_is_refused(variables: list[str], required: list[str], message: str) -> None:
    options = {
        "role_plain": {"description": "Any."},
        "role_several": {"description": "Any.", "type": "list", "elements": "dict"},
    }
    with pytest.raises(ValueError, match=re.escape(message)):
        survey(options, variables, "any", required)


def test_the_filter_says_what_is_wrong() -> None:
    ask = FilterModule().filters()["survey"]
    options = {"role_plain": {"description": "Any."}}
    assert ask(options, ["role_plain"], "any") == survey(options, ["role_plain"], "any")
    with pytest.raises(AnsibleFilterError, match=r"^survey: There is no variable"):
        ask(options, ["role_other"], "any")
