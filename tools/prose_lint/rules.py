# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge prose: the project's terms, and the length of sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.manila.migration.tools.prose_lint.extract import CODE, Passage

TERMS = Path(__file__).with_name("terms.yml")

# The most words that a sentence may have. Who reads a message is in the middle of something else.
MAX_WORDS = {"page": 32, "option": 32, "docstring": 32, "message": 30, "task": 12}


@dataclass(frozen=True)
class Finding:
    """What is wrong with a passage, and where."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@cache
def terms() -> dict[str, list[dict[str, Any]]]:
    """Load the file of terms: `terms`, which make the glossary, too, and `avoid`."""
    loaded: dict[str, list[dict[str, Any]]] = yaml.safe_load(TERMS.read_text(encoding="utf-8"))
    return loaded


@cache
def _patterns() -> list[tuple[re.Pattern[str], str, frozenset[str]]]:
    """Make one pattern for each phrase to look for, with what to write instead, and the kinds."""
    patterns = []
    for entry in [*terms()["terms"], *terms()["avoid"]]:
        kinds = frozenset(entry.get("in", MAX_WORDS))
        for phrase in entry.get("find", entry.get("not", ())):
            spaced = phrase.replace(" ", r"\s+")
            pattern = re.compile(rf"(?<![\w.@#/-])(?:{spaced})(?![\w@#\[-])", re.IGNORECASE)
            patterns.append((pattern, entry.get("use") or entry["term"], kinds))
    return patterns


def judge(passages: Iterable[Passage]) -> Iterator[Finding]:
    """Report phrases to avoid and sentences that are too long.

    Args:
        passages: what to judge.

    Yields:
        A finding for each place, in the order of the passages.
    """
    for passage in passages:
        for pattern, instead, kinds in _patterns():
            if passage.kind not in kinds:
                continue
            for match in pattern.finditer(passage.text):
                line = passage.line + passage.text.count("\n", 0, match.start())
                found = " ".join(match[0].split())
                yield Finding(passage.path, line, f'"{found}": write {instead}')
        limit = MAX_WORDS[passage.kind]
        for line, words in _sentences(passage):
            if words > limit:
                text = f"a sentence of {words} words; the limit ({passage.kind}) is {limit}"
                yield Finding(passage.path, line, text)


def _sentences(passage: Passage) -> Iterator[tuple[int, int]]:
    """Divide a passage: the line of each sentence and the number of its words.

    A sentence ends with its mark, a blank and a capital letter or code. So an abbreviation can
    end one too early, which only makes the rule milder.
    """
    start = 0
    ends = [m.end() for m in re.finditer(rf'[.!?][")*]*\s+(?=["(*]*[A-Z{CODE}])', passage.text)]
    for end in [*ends, len(passage.text)]:
        sentence = passage.text[start:end]
        words = sum(any(c.isalnum() or c == CODE for c in word) for word in sentence.split())
        yield passage.line + passage.text.count("\n", 0, start), words
        start = end


def glossary() -> str:
    """Make the table of terms for the page of concepts, as Markdown.

    Returns:
        The lines of a table; words not to use stand in code marks, which no rule looks into.
    """
    rows = ["| Word | What is meant | Not |", "| --- | --- | --- |"]
    for entry in terms()["terms"]:
        avoided = ", ".join(f"`{phrase}`" for phrase in entry.get("not", ()))
        rows.append(f"| {entry['term']} | {entry['meaning']} | {avoided} |".replace("|  |", "| |"))
    return "\n".join(rows) + "\n"
