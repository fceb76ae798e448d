# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prose linter finds words and long sentences where people read them, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.manila.migration.tools.prose_lint import __main__ as program
from ansible_collections.manila.migration.tools.prose_lint import baseline, extract, rules

ROOT = Path(__file__).parents[2]

PAGE = """\
# Mend it

It is `mend` here,
and mend there. [Mend](mend.md)

```yaml
name: mend
```

| Column | mend |
| --- | --- |
| `mend` | Mended |
"""

MODULE = '''\
"""Mend one migration.

Mend is not looked for here.
"""
DOCUMENTATION = r"""
module: mend
options:
  mend:
    description:
      - Mends it.
      - Not O(mend), V(mend\\\\)) or L(a page,https://mend.example.org).
    type: str
"""
EXAMPLES = r"""
- name: Mend a share
"""
CODES = {
    "mend": "mend the rules first",
}
STYLE = """
.mend { no: mend at all }
p { and: no mend here }
"""


class Mender:
    field: int
    """What to mend first."""

    def run(self):
        self.module.fail_json(
            msg=f"{self.mend} has to "
            f"be mended: {'the other mend here' if self.x else ''}",
        )
'''

TASKS = """\
- name: Mend {{ mend }}
  hosts: localhost
  tasks:
    - name: A block to mend
      block:
        - ansible.builtin.assert:
            that: mend
            fail_msg: "Mend it, {{ mend }}"
          register: mend
        - ansible.builtin.package:
            name: mend
"""

SPECS = """\
argument_specs:
  main:
    short_description: Mend
    options:
      mend:
        description: >-
          One line.
          Then mend.
        default: mend
"""


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("docs/page.md", PAGE, [1, 4, 4, 10, 12]),
        ("plugins/modules/one.py", MODULE, [1, 10, 18, 28, 32, 33]),
        ("roles/one/tasks/main.yml", TASKS, [1, 4, 8]),
        ("roles/one/meta/argument_specs.yml", SPECS, [3, 6]),
        ("changelogs/fragments/one.yml", "bugfixes:\n  - mend - ``mend``.\n", [2]),
    ],
)
def test_words_are_found_where_people_read_them(name: str, text: str, lines: list[int]) -> None:
    findings = list(rules.judge(extract.of_file(name, text)))
    assert sorted(finding.line for finding in findings) == lines
    assert {finding.path for finding in findings} == {name}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Wait for it.", 0),
        ("It came\nto a halt.", 1),
        ("COMES TO A HALT", 1),
        ("host@backend#pool", 0),
        ("of host@backend there", 0),
        ("the backend", 1),
        ("amendments are commendable", 0),
    ],
)
def test_a_phrase_is_found_as_words(text: str, found: int) -> None:
    assert len(list(rules.judge([extract.Passage("page.md", 1, "page", text)]))) == found


@pytest.mark.parametrize("kind", rules.MAX_WORDS)
def test_a_sentence_may_have_so_many_words(kind: str) -> None:
    limit = rules.MAX_WORDS[kind]
    good = " ".join(["word"] * limit) + ". And:\n" + " ".join(["word"] * (limit - 1)) + "."
    assert not list(rules.judge([extract.Passage("page.md", 7, kind, good)]))
    bad = " ".join(["word"] * limit) + ".\n" + f"A ({extract.CODE}) " + "word - " * (limit - 1)
    (finding,) = rules.judge([extract.Passage("page.md", 7, kind, bad)])
    assert (finding.line, str(limit + 1) in finding.text) == (8, True)


def test_every_pattern_can_be_written_and_has_an_alternative() -> None:
    for entry in [*rules.terms()["terms"], *rules.terms()["avoid"]]:
        assert entry.get("use") or entry["term"]
        assert set(entry.get("in", ())) <= set(rules.MAX_WORDS)
        for phrase in entry.get("find", ()):
            re.compile(phrase)


def test_the_baseline_names_files_before_folders() -> None:
    allowed = {"plugins": 3, "plugins/modules": 1, "plugins/modules/one.py": 5}
    assert baseline.entry_of("plugins/modules/one.py", allowed) == "plugins/modules/one.py"
    assert baseline.entry_of("plugins/modules/other.py", allowed) == "plugins/modules"
    assert baseline.entry_of("plugins/action/evacuation.py", allowed) == "plugins"
    assert baseline.entry_of("README.md", allowed) == "README.md"


def test_the_baseline_only_shrinks() -> None:
    findings = [rules.Finding("docs/a.md", 1, ""), rules.Finding("docs/b.md", 1, "")]
    assert baseline.grown(findings, {"docs": 2}) == set()
    assert baseline.grown(findings, {"docs": 1}) == {"docs"}
    assert baseline.grown(findings, {"docs/a.md": 1}) == {"docs/b.md"}
    assert baseline.shrunk(findings, {"docs": 9, "roles": 4}) == {"docs": 2}
    assert baseline.shrunk(findings, {"docs": 1}) == {"docs": 1}


def test_no_file_has_more_findings_than_the_baseline_allows() -> None:
    file = ROOT / "tools" / "prose_lint" / "baseline.yml"
    allowed = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    over = baseline.grown(rules.judge(extract.passages(ROOT)), allowed)
    assert not over, f"run tools/prose {' '.join(sorted(over))}"
    assert all((ROOT / name).exists() for name in allowed)


def test_the_glossary_is_that_of_the_terms() -> None:
    page = (ROOT / program.GLOSSARY_PAGE).read_text(encoding="utf-8")
    assert rules.glossary() in page
    assert program.with_glossary(page) == page
