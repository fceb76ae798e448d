# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX's surveys, made from what a role says of its variables.  Pure.

What AWX takes is in ``JobTemplateSurveySpec._validate_spec_data`` of awx/api/views, and what it
makes of the answers in awx/main/models/mixins.py: every answer is a text, a number or, to a
multiselect, a list of texts; the default of an optional question is an answer, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

LISTED = "Separate several by commas."
PAIRED = "As JSON, or as KEY=VALUE, separated by commas."

_TEXTS = frozenset({"str", "path"})
_NUMBERS = {"int": "integer", "float": "float"}
_MARKUP = re.compile(r"\b(?:RV|[BCEIMOPV])\(([^)]*)\)")


def survey(
    options: Mapping[str, Mapping[str, Any]],
    variables: Sequence[str],
    name: str,
    required: Collection[str] = (),
) -> dict[str, Any]:
    """The survey that asks for these variables, in their order.

    ``options`` are those of an argument specification.  What it requires has to be answered, and
    what is in ``required``.  Raises ValueError, with one sentence, for what no survey can ask.
    """
    missing = [one for one in (*variables, *required) if one not in options]
    if missing:
        raise ValueError(f"There is no variable {missing[0]}.")
    return {
        "name": name,
        "description": "",
        "spec": [
            {
                "question_name": _title(variable),
                "question_description": _description(options[variable]),
                "variable": variable,
                "required": bool(options[variable].get("required") or variable in required),
                **_answer(variable, options[variable]),
            }
            for variable in variables
        ],
    }


def _title(variable: str) -> str:
    """A variable without the prefix of its role: ``evacuate_max_parallel`` is "Max parallel"."""
    words = variable.split("_")[1:] or [variable]
    return " ".join(words).capitalize()


def _description(option: Mapping[str, Any]) -> str:
    """What is said of a variable as plain text, and how to write several."""
    said = option["description"]
    paragraphs = [said] if isinstance(said, str) else list(said)
    kind = option.get("type", "str")
    if kind == "dict":
        paragraphs.append(PAIRED)
    elif kind == "list" and not option.get("choices"):
        paragraphs.append(LISTED)
    return _MARKUP.sub(r"\1", " ".join(paragraphs))


def _answer(variable: str, option: Mapping[str, Any]) -> dict[str, Any]:
    """Type, default, limits and choices of a question."""
    kind, choices = option.get("type", "str"), option.get("choices")
    default = option.get("default", "")
    if kind == "bool":
        return _choice([True, False], default)
    if choices and kind in _TEXTS:
        return _choice(choices, default)
    if kind in _TEXTS:
        return {"type": "text", "default": default}
    if kind in _NUMBERS:
        return {"type": _NUMBERS[kind], "default": default}
    if kind == "list" and option.get("elements", "str") in _TEXTS:
        if choices:
            return {"type": "multiselect", "default": "\n".join(default), "choices": list(choices)}
        return {"type": "text", "default": ",".join(default)}
    if kind == "dict":
        # An empty text is no dictionary, so AWX shall not take one for an answer.
        return {"type": "textarea", "default": json.dumps(default or {}), "min": 2}
    raise ValueError(f"{variable} can't be asked for in a survey: nobody can type what it holds.")


def _choice(choices: Sequence[object], default: object) -> dict[str, Any]:
    """A question of which one answer is chosen; booleans are written as in YAML."""
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in choices]
    known = texts[list(choices).index(default)] if default in choices else ""
    return {"type": "multiplechoice", "default": known, "choices": texts}
