# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mutants of a source file, as edits of its text.

The operators are those of mutmut 3.  mutmut itself leaves out code at module and class level and
decorated functions, because it puts all mutants of a function beside it; here each mutant is a
file of its own, so that tables of states, fields of dataclasses and properties are mutated too.
Operators that mutmut lacks are added: conditions, statements, and elements of collections.

Not mutated: text for people (a string with a space in it), because tests compare codes and values;
annotations, decorators, docstrings, and what only a type checker reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut import configuration
from mutmut.mutation.file_mutation import MutationVisitor, OuterFunctionProvider
from mutmut.mutation.mutators import (
    mutation_operators,
    operator_arg_removal,
    operator_assignment,
    operator_string,
)
from mutmut.mutation.pragma_handling import IgnoredCode


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    ``function`` is the qualified name of the innermost function or class around it, at module level
    that of the constant; ``before`` and ``after`` are the lines that differ, joined; ``first_line`` and
    ``last_line`` the lines of the statement, counted from 1.  ``outer_line`` is where the outermost
    function begins (0: none) whose code alone differs.  The edit replaces ``start`` to ``end`` of
    the text by ``text``.
    """

    path: str
    function: str
    before: str
    after: str
    first_line: int
    last_line: int
    outer_name: str
    outer_line: int
    start: int
    end: int
    text: str
    number: int = 1
    """Which it is of those that look the same in one function."""

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What identifies it as long as its line and its function stay what they are."""
        return self.path, self.function, self.before, self.after, self.number

    def apply(self, source: str) -> str:
        """The text of the mutated file."""
        return source[: self.start] + self.text + source[self.end :]


def find_mutants(path: str, source: str) -> list[Mutant]:
    """All mutants of one file, in the order of its lines.

    Args:
        path: The name of the file in the repository.
        source: Its text.
    """
    # mutmut reads its configuration from the working directory; none of it matters here.
    configuration._config = configuration._config or configuration.Config.__new__(
        configuration.Config
    )
    visitor = _Visitor(path, source)
    MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True).visit(visitor)
    unique = {(one.start, one.end, one.text): one for one in reversed(visitor.mutants)}
    counts: Counter[tuple[object, ...]] = Counter()
    mutants = []
    for one in sorted(unique.values(), key=lambda one: (one.start, one.end, one.text)):
        counts[one.key] += 1
        mutants.append(replace(one, number=counts[one.key]))
    return mutants


def _is_prose(node: cst.CSTNode | None) -> bool:
    """Whether a value is text for people: a string with a space in it."""
    if isinstance(node, cst.SimpleString):
        return " " in node.value
    if isinstance(node, cst.FormattedString):
        parts = [part for part in node.parts if isinstance(part, cst.FormattedStringText)]
        return any(" " in part.value for part in parts)
    if isinstance(node, cst.ConcatenatedString):
        return _is_prose(node.left) or _is_prose(node.right)
    if isinstance(node, cst.IfExp):
        return _is_prose(node.body) or _is_prose(node.orelse)
    return False


def _strings(node: cst.BaseString) -> Iterator[cst.CSTNode]:
    # Upper and lower case find what this finds.
    yield from list(operator_string(node))[:1]


def _arguments(node: cst.Call) -> Iterator[cst.CSTNode]:
    for mutated in operator_arg_removal(node):
        kept = [id(arg) for arg in mutated.args]
        changed = [arg for arg in node.args if id(arg) not in kept]
        if not any(_is_prose(arg.value) for arg in changed):
            yield mutated


def _operands(node: cst.BooleanOperation) -> Iterator[cst.CSTNode]:
    yield from (node.left, node.right)


def _returned(node: cst.Return) -> Iterator[cst.CSTNode]:
    if node.value is not None and not _is_name(node.value, "None"):
        yield node.with_changes(value=cst.Name("None"))


def _statements(node: cst.BaseSmallStatement) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.Raise) or isinstance(getattr(node, "value", None), cst.Call):
        yield cst.Pass()


def _elements(node: cst.Set | cst.List | cst.Tuple | cst.Dict) -> Iterator[cst.CSTNode]:
    """A collection without one of its elements."""
    if len(node.elements) < 2:  # an empty set has no literal; one element is mutated as what it is
        return
    for index in range(len(node.elements)):
        yield node.with_changes(
            elements=[one for place, one in enumerate(node.elements) if place != index]
        )


_ASSIGNMENTS = (cst.Assign, cst.AnnAssign)


def _assigned(node: cst.CSTNode) -> str:
    """The name that an assignment at module level gives a value to."""
    assert isinstance(node, _ASSIGNMENTS)
    target = node.target if isinstance(node, cst.AnnAssign) else node.targets[0].target
    return target.value if isinstance(target, cst.Name) else ""


def _is_name(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


_REPLACED: dict[Any, Any] = {operator_string: _strings, operator_arg_removal: _arguments}
_OPERATORS: list[tuple[type, Any]] = [
    *((kind, _REPLACED.get(operator, operator)) for kind, operator in mutation_operators),
    (cst.BooleanOperation, _operands),
    (cst.Return, _returned),
    (cst.Expr, _statements),
    (cst.Raise, _statements),
    (cst.Set, _elements),
    (cst.List, _elements),
    (cst.Tuple, _elements),
    (cst.Dict, _elements),
]


class _Visitor(MutationVisitor):
    """Walks through a file, and notes each mutant as an edit."""

    METADATA_DEPENDENCIES = (PositionProvider, OuterFunctionProvider)

    def __init__(self, path: str, source: str) -> None:
        super().__init__(_OPERATORS, IgnoredCode(set(), set(), set()))
        self.mutants: list[Mutant] = []
        self._path = path
        self._source = source
        self._lines = source.splitlines(keepends=True)
        self._offsets = [0]
        for line in self._lines:
            self._offsets.append(self._offsets[-1] + len(line))
        self._module = cst.Module([])  # to make text of nodes
        self._around: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if not super().on_visit(node):
            return False
        if isinstance(node, (cst.If, cst.While, cst.CompIf)) and not isinstance(
            node.test, (cst.Comparison, cst.BooleanOperation, cst.UnaryOperation)
        ):
            # Others change in what they are made of.
            negated = cst.UnaryOperation(cst.Not(), _in_parentheses(node.test))
            self._add(node.test, negated)
        self._around.append(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        super().on_leave(original_node)
        if self._around and self._around[-1] is original_node:
            self._around.pop()

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return False  # decorated ones are as good as others
        if isinstance(node, (cst.AssignTarget, cst.Import, cst.ImportFrom)) or _is_prose(node):
            return True
        if isinstance(node, (cst.Tuple, cst.List)) and self._around:
            around = self._around[-1]
            if isinstance(around, (cst.For, cst.CompFor)) and around.target is node:
                return True
        if isinstance(node, cst.If) and _is_name(node.test, "TYPE_CHECKING"):
            return True
        return super()._skip_node_and_children(node)

    def _create_mutations(self, node: cst.CSTNode) -> None:
        around = self._around[-1] if self._around else None
        if isinstance(around, (cst.Expr, cst.Await)) and isinstance(node, cst.BaseString):
            return  # a docstring
        for kind, operator in _OPERATORS:
            if isinstance(node, kind) and not (
                operator is operator_assignment and _is_prose(getattr(node, "value", None))
            ):
                for mutated in operator(node):
                    self._add(node, mutated)

    def _add(self, node: cst.CSTNode, mutated: cst.CSTNode) -> None:
        place = self.get_metadata(PositionProvider, node)
        start = self._offsets[place.start.line - 1] + place.start.column
        end = self._offsets[place.end.line - 1] + place.end.column
        around_it = getattr(mutated, "lpar", None)
        if around_it and around_it == getattr(node, "lpar", None):
            mutated = mutated.with_changes(lpar=[], rpar=[])  # they are no part of its place
        text = self._module.code_for_node(mutated).strip()
        if isinstance(mutated, cst.Tuple) and not mutated.lpar and len(mutated.elements) == 1:
            text = text if text.rstrip().endswith(",") else text + ","
        # Two operators may come to the same: the shortest edit shows it.
        while start < end and text and self._source[start] == text[0]:
            start, text = start + 1, text[1:]
        while start < end and text and self._source[end - 1] == text[-1]:
            end, text = end - 1, text[:-1]
        if start == end and not text:
            return
        around = [*self._around, node]
        names = [
            one.name.value for one in around if isinstance(one, (cst.FunctionDef, cst.ClassDef))
        ]
        names = names or [_assigned(one) for one in around if isinstance(one, _ASSIGNMENTS)]
        outer, outer_name = self._outer(around)
        first, last = self._statement(around)
        before, after = self._difference(place.start.line, place.end.line, start, end, text)
        self.mutants.append(
            Mutant(
                path=self._path,
                function=".".join(names),
                before=before,
                after=after,
                first_line=first,
                last_line=last,
                outer_name=outer_name,
                outer_line=outer,
                start=start,
                end=end,
                text=text,
            )
        )

    def _outer(self, around: list[cst.CSTNode]) -> tuple[int, str]:
        """Where the outermost function begins, with its decorators, if the change is in its body."""
        names = []
        for one, inner in zip(around, around[1:]):
            if isinstance(one, cst.ClassDef):
                names.append(one.name.value)
            if isinstance(one, cst.FunctionDef):
                names.append(one.name.value)
                if inner is not one.body:
                    return 0, ""
                top = one.decorators[0] if one.decorators else one
                return self.get_metadata(PositionProvider, top).start.line, ".".join(names)
        return 0, ""

    def _statement(self, around: list[cst.CSTNode]) -> tuple[int, int]:
        """The lines of a simple statement, or those of the part of a compound one that is meant."""
        part = around[-1]
        for one in reversed(around):
            if isinstance(one, (cst.BaseCompoundStatement, cst.Module, cst.IndentedBlock)):
                break
            part = one
        place = self.get_metadata(PositionProvider, part)
        return place.start.line, place.end.line

    def _difference(
        self, first: int, last: int, start: int, end: int, text: str
    ) -> tuple[str, str]:
        """The lines that differ, without those that do not, each side joined by spaces."""
        low, high = self._offsets[first - 1], self._offsets[last]
        # Of an expression over several lines the edit does not keep the indentation.
        old = [one.strip() for one in self._source[low:high].splitlines()]
        new = [
            one.strip()
            for one in (self._source[low:start] + text + self._source[end:high]).splitlines()
        ]
        while old and new and old[0] == new[0]:
            del old[0], new[0]
        while old and new and old[-1] == new[-1]:
            del old[-1], new[-1]
        return " ".join(old), " ".join(new)


def _in_parentheses(node: cst.BaseExpression) -> cst.BaseExpression:
    if isinstance(node, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)) or node.lpar:
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
