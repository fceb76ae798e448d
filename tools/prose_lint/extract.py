# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the prose of the repository: of pages, options, tasks, messages and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt

# Stands for code, a value or a name inside a sentence: one word that no rule looks into.
CODE = "\N{OBJECT REPLACEMENT CHARACTER}"

# A string in a plugin is a message if so many words stand in a row.
_WORDS_OF_A_MESSAGE = 3
_DOCUMENTATION = {"DOCUMENTATION", "RETURN"}
_NO_PROSE = {"EXAMPLES"}
_DESCRIPTIONS = {"description", "short_description", "notes"}
_MESSAGES = {"fail_msg", "msg", "success_msg", "disabled_reason"}
_TASK_LISTS = {"block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"}

_markdown = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Passage:
    """A piece of prose, and where it begins.

    Args:
        path: the file, relative to the root of the repository.
        line: of the first line of `text`, from 1.
        kind: `page`, `option`, `task`, `message` or `docstring`; a kind has its longest sentence.
        text: without markup; code is replaced by `CODE`. Only pages have line breaks in it.
    """

    path: str
    line: int
    kind: str
    text: str


def passages(root: Path) -> Iterator[Passage]:
    """Collect every passage below the root of the repository, file by file."""
    for path in sorted(_files(root)):
        name = str(path.relative_to(root))
        yield from of_file(name, path.read_text(encoding="utf-8"))


def of_file(name: str, text: str) -> Iterator[Passage]:
    """Collect the passages of one file; its name, relative to the root, says how to read it."""
    if name.endswith(".md"):
        yield from _of_page(name, text)
    elif name.endswith(".py"):
        yield from _of_python(name, text)
    elif name.startswith("changelogs/"):
        yield from _of_fragment(name, yaml.compose(text))
    elif "argument_specs" in name:
        yield from _of_descriptions(name, yaml.compose(text), 0)
    else:
        yield from _of_tasks(name, yaml.compose(text))


def _files(root: Path) -> Iterator[Path]:
    yield from (root / name for name in ("README.md", "tests/sandbox/README.md"))
    for pattern in (
        "docs/*.md",
        "docs/site/*.md",
        "roles/*/README.md",
        "roles/*/meta/argument_specs.yml",
        "roles/*/tasks/**/*.yml",
        "roles/*/handlers/*.yml",
        "playbooks/*.yml",
        "changelogs/fragments/*.yml",
        "plugins/**/*.py",
    ):
        yield from root.glob(pattern)


# -- Markdown ------------------------------------------------------------------------------------


def _of_page(name: str, text: str) -> Iterator[Passage]:
    """Take paragraphs, headings, items and cells; fenced code is none of them."""
    for token in _markdown.parse(text):
        if token.type != "inline" or not token.map:
            continue
        parts = []
        for child in token.children or ():
            if child.type == "code_inline":
                parts.append(CODE)
            elif child.type in ("softbreak", "hardbreak"):
                parts.append("\n")
            elif child.type == "text":
                parts.append(child.content)
        yield Passage(name, token.map[0] + 1, "page", "".join(parts))


# -- YAML ----------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Replace the code in the markup of Ansible, of Jinja and of RST, and join the lines."""
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|``.+?``|`[^`]+`", CODE, text, flags=re.DOTALL)
    text = re.sub(r"\b(?:[CEMOPUV]|RV)\((?:[^()\\]|\\.|\([^()]*\))*\)", CODE, text)
    text = re.sub(r"\b[BI]\(([^()]*)\)", r"\1", text)
    text = re.sub(r"\b[LR]\(([^(),]*),[^()]*\)", r"\1", text)
    return " ".join(text.split())


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)


def _pairs(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), value


def _passage(name: str, node: yaml.ScalarNode, kind: str, above: int = 0) -> Passage:
    return Passage(name, above + node.start_mark.line + 1, kind, _plain(str(node.value)))


def _of_descriptions(name: str, node: yaml.Node | None, above: int) -> Iterator[Passage]:
    """Take what the documentation of a module or role says of options and results."""
    for key, value in _pairs(node):
        if key in _DESCRIPTIONS and not isinstance(value, yaml.MappingNode):
            for scalar in _scalars(value):
                yield _passage(name, scalar, "option", above)
        elif key != "sample":
            yield from _of_descriptions(name, value, above)
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _of_descriptions(name, item, above)


def _of_fragment(name: str, node: yaml.Node | None) -> Iterator[Passage]:
    for _section, value in _pairs(node):
        for scalar in _scalars(value):
            yield _passage(name, scalar, "option")


def _of_tasks(name: str, node: yaml.Node | None) -> Iterator[Passage]:
    """Take the names of plays and tasks, and the messages in the tasks' arguments."""
    for task in node.value if isinstance(node, yaml.SequenceNode) else ():
        for key, value in _pairs(task):
            if key == "name":
                for scalar in _scalars(value):
                    yield _passage(name, scalar, "task")
            elif key in _TASK_LISTS:
                yield from _of_tasks(name, value)
            else:
                for argument, text in _pairs(value):
                    if argument in _MESSAGES:
                        for scalar in _scalars(text):
                            yield _passage(name, scalar, "message")


# -- Python --------------------------------------------------------------------------------------


def _of_python(name: str, text: str) -> Iterator[Passage]:
    """Take the documentation of plugins, first paragraphs of docstrings, and messages.

    A message is any other string that reads like a sentence: so it doesn't matter whether it
    stands in a table of codes, in an exception or in a column of the report.
    """
    tree = ast.parse(text)
    taken: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            taken.add(node.value)
            first = str(ast.literal_eval(node.value)).split("\n\n", 1)[0]
            yield Passage(name, node.lineno, "docstring", _plain(first))
        elif isinstance(node, ast.Assign) and _is_text(node.value):
            called = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if called & _NO_PROSE:
                taken.add(node.value)
            elif called & _DOCUMENTATION or "/doc_fragments/" in name:
                taken.add(node.value)
                documentation = yaml.compose(str(ast.literal_eval(node.value)))
                yield from _of_descriptions(name, documentation, node.lineno - 1)
    for line, words in _messages(tree, taken):
        yield Passage(name, line, "message", words)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _messages(node: ast.AST, taken: set[ast.AST]) -> Iterator[tuple[int, str]]:
    if node in taken:
        return
    if isinstance(node, ast.JoinedStr):
        parts = [
            str(part.value) if isinstance(part, ast.Constant) else CODE for part in node.values
        ]
        text = "".join(parts)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _messages(part.value, taken)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _messages(child, taken)
        return
    words = rf"(?:[A-Za-z{CODE}'-]+[,:;.]? ){{{_WORDS_OF_A_MESSAGE - 1},}}[A-Za-z{CODE}'-]+"
    if re.search(words, text) and "\n" not in text.strip():
        assert isinstance(node, ast.expr)
        yield node.lineno, _plain(text)
