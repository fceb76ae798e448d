# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mutants ``make mutants`` makes of a file."""

from __future__ import annotations

import pytest

pytest.importorskip("mutmut")  # where only the needs of these tests are installed

from ansible_collections.manila.migration.tests.mutants.mutations import (
    find_mutants,
)


def mutants(source: str) -> set[tuple[str, str, str]]:
    """Function, line before and line after of each mutant, which must be Python all."""
    found = find_mutants("x.py", source)
    for one in found:
        compile(one.apply(source), "x.py", "exec")
    return {(one.function, one.before, one.after) for one in found}


def test_tables_are_mutated():
    after = {
        after for _name, _before, after in mutants('TABLE = {\n    "a": f(1),\n    "b": 2,\n}\n')
    }
    assert {'"XXaXX": f(1),', '"a": f(2),', '"a": f(None),', '"b": 3,', ""} <= after


@pytest.mark.parametrize(
    ("source", "function", "after"),
    [
        ("class A:\n    x: int = 1\n", "A", "x: int = 2"),
        ("class A:\n    @property\n    def x(self):\n        return 1\n", "A.x", "return 2"),
        ("@cache\ndef f(x):\n    return x\n", "f", "return None"),
        ("def f(x):\n    def g():\n        return x\n    return g\n", "f.g", "return None"),
        ("def f(x):\n    if x:\n        g()\n", "f", "if not x:"),
        ("def f(x):\n    if x:\n        g()\n", "f", "pass"),
        ("def f(x, y):\n    return x and y\n", "f", "return x"),
        ("def f(x, y):\n    return x and y\n", "f", "return y"),
        ("def f(x, y):\n    return x and y\n", "f", "return x or y"),
        ("def f(x):\n    return x in (1, a)\n", "f", "return x in (a,)"),
        ("def f(x):\n    return x in (1, a)\n", "f", "return x in (1,)"),
        ("def f(x):\n    raise x\n", "f", "pass"),
        ("def f(x):\n    return [y for y in x if y]\n", "f", "return [y for y in x if not y]"),
        ("def f():\n    return (\n        a\n        + 1\n    )\n", "f", "+ 2"),
    ],
)
def test_what_is_mutated(source, function, after):
    assert (function, after) in {(name, new) for name, _old, new in mutants(source)}


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring of a file."""\n',
        'def f():\n    """short"""\n',
        "from a import b, c\n",
        "def f(x: dict[str, int]) -> tuple[int, int]: ...\n",
        "if TYPE_CHECKING:\n    x = 1\n",
        'TEXT = "a sentence"\n',
        'TEXT = f"a {x + 1}"\n',
        'TEXT = "one sentence" if x else "another"\n',
    ],
)
def test_what_is_not_mutated(source):
    assert mutants(source) == set()


def test_the_text_of_a_message_is_kept_and_its_code_is_not():
    after = {after for _name, _before, after in mutants('X = f("code", "a sentence")\n')}
    assert after == {
        "X = None",
        'X = f("XXcodeXX", "a sentence")',
        'X = f(None, "a sentence")',
        'X = f("a sentence")',
    }


def test_equal_ones_in_one_function_are_told_apart():
    found = find_mutants("x.py", "def f():\n    g()\n    h()\n    g()\n")
    assert [one.key[1:] for one in found if one.before == "g()"] == [
        ("f", "g()", "pass", 1),
        ("f", "g()", "pass", 2),
    ]


@pytest.mark.parametrize(
    ("source", "outer"),
    [
        ("X = 1\n", 0),
        ("def f(x=1):\n    pass\n", 0),
        ("class A:\n    x = 1\n", 0),
        ("def f():\n    return 1\n", 1),
        ("@cache\ndef f():\n    return 1\n", 1),
        ("\nclass A:\n    def f(self):\n        return 1\n", 3),
    ],
)
def test_only_within_a_function_its_code_alone_differs(source, outer):
    assert {one.outer_line for one in find_mutants("x.py", source) if "2" in one.after} == {outer}
