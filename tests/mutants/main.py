# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``tools/mutants``: which changes of the program no unit test notices.

What is mutated and which tests drive it stands in pyproject.toml, ``[tool.mutants]``; mutants that
change nothing that matters stand in equivalent.toml beside this file, each with the reason.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomllib

from ansible_collections.manila.migration.tests.mutants.mutations import Mutant, find_mutants
from ansible_collections.manila.migration.tests.mutants.trial import (
    BROKEN,
    KILLED,
    SURVIVED,
    TIMEOUT,
    UNCOVERED,
    Result,
    Trials,
)

ROOT = Path(os.environ.get("MANILA_MIGRATION_ROOT") or Path(__file__).parents[2])
TREE = Path(__file__).resolve().parents[5]
EQUIVALENT = Path("tests/mutants/equivalent.toml")
PAGE = Path("docs/development.md")
MARK, END = "<!-- mutants -->", "<!-- end -->"

Key = tuple[str, str, str, str, int]


@dataclass(frozen=True)
class Target:
    """A part of the program, the tests that drive it, and the share of mutants they must kill."""

    name: str
    paths: tuple[str, ...]
    tests: tuple[str, ...]
    at_least: float


@dataclass
class Tally:
    """The figures of one target."""

    mutants: int = 0
    equivalent: int = 0
    killed: int = 0
    timeouts: int = 0
    survived: int = 0
    untried: int = 0
    seconds: float = 0.0

    @property
    def percent(self) -> float:
        """The share of killed ones among those that were tried and are not equivalent."""
        tried = self.killed + self.survived
        return 100.0 * self.killed / tried if tried else 100.0


def read_targets() -> list[Target]:
    """The targets of pyproject.toml, in its order."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    targets = []
    for one in settings["tool"]["mutants"]["target"]:
        paths, tests = _glob(one["paths"]), _glob(one["tests"])
        if not paths or not tests:
            what = "file" if not paths else "test"
            raise SystemExit(
                f"pyproject.toml, [[tool.mutants.target]] {one['name']!r}: there is no such {what}."
            )
        targets.append(Target(one["name"], paths, tests, one["at_least"]))
    return targets


def _glob(patterns: Sequence[str]) -> tuple[str, ...]:
    files = {str(one.relative_to(ROOT)) for pattern in patterns for one in ROOT.glob(pattern)}
    return tuple(sorted(files))


def read_equivalent() -> dict[Key, str]:
    """The mutants that are no different, and why."""
    entries = tomllib.loads((ROOT / EQUIVALENT).read_text(encoding="utf-8")).get("mutant", [])
    reasons: dict[Key, str] = {}
    for one in entries:
        key = one["file"], one["function"], one["before"], one["after"], one.get("number", 1)
        if not one.get("reason", "").strip():
            raise SystemExit(f"{EQUIVALENT}: a reason is missing for {_describe_key(key)}")
        if key in reasons:
            raise SystemExit(f"{EQUIVALENT}: twice: {_describe_key(key)}")
        reasons[key] = one["reason"]
    return reasons


def _describe_key(key: Key) -> str:
    path, function, before, after, number = key
    return f"{path}, {function}{f' ({number})' if number > 1 else ''}: {before} -> {after or '(nothing)'}"


def last_release() -> str:
    """The newest tag, else the commit that gave the collection its version."""
    tag = _git("describe", "--tags", "--abbrev=0", check=False)
    return tag or _git("log", "-1", "--format=%H", "-G^version:", "--", "galaxy.yml")


def _git(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise SystemExit(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip() if not done.returncode else ""


def changed_lines(path: str, base: str) -> dict[int, float]:
    """The lines of a file that are newer than a commit, and when each was written.

    A line that was only moved, from another file too, is as old as it was there.
    """
    said = _git("blame", "-w", "-C", "-C", "--line-porcelain", f"^{base}", "--", path)
    lines: dict[int, float] = {}
    number, moment, old = 0, 0.0, False
    for line in said.splitlines():
        if line.startswith("\t"):
            if not old:
                lines[number] = moment
        elif match := re.match(r"([0-9a-f^]{40}) \d+ (\d+)", line):
            uncommitted = not match[1].strip("0")
            number, moment, old = int(match[2]), math.inf if uncommitted else 0.0, False
        elif line.startswith("author-time ") and moment < math.inf:
            moment = float(line.split()[1])
        elif line == "boundary":
            old = True
    return lines


def choose(mutants: Sequence[Mutant], base: str) -> list[Mutant]:
    """Those on changed lines, the newest first."""
    newer = {path: changed_lines(path, base) for path in {one.path for one in mutants}}
    moments = {
        one: max(
            (newer[one.path].get(line, 0.0) for line in range(one.first_line, one.last_line + 1)),
            default=0.0,
        )
        for one in mutants
    }
    return sorted((one for one in mutants if moments[one]), key=lambda one: -moments[one])


def run(arguments: argparse.Namespace) -> int:
    """Try what is asked for.  Returns the exit status."""
    targets = read_targets()
    equivalent = read_equivalent()
    begun = time.monotonic()
    deadline = begun + 60 * arguments.minutes
    base = arguments.since or (last_release() if arguments.changed else None)
    wanted = [one for one in targets if _is_wanted(one, arguments.what)]
    if not wanted:
        names = ", ".join(one.name for one in targets)
        print(f"tools/mutants: nothing is called so; there are {names}, and their files.")
        return 2
    wrong = [
        f"{EQUIVALENT} names a file that is no target: {_describe_key(key)}"
        for key in equivalent
        if not any(key[0] in target.paths for target in targets)
    ]
    tallies: dict[str, Tally] = {}
    for target in wanted:
        paths = [one for one in target.paths if _is_file_wanted(target, one, arguments.what)]
        sources = {path: (ROOT / path).read_text(encoding="utf-8") for path in paths}
        mutants = [one for path in paths for one in find_mutants(path, sources[path])]
        keys = {one.key for one in mutants}
        wrong += [
            f"{EQUIVALENT} names a mutant that there is not (any more): {_describe_key(key)}"
            for key in equivalent
            if key[0] in paths and key not in keys
        ]
        chosen = choose(mutants, base) if base else mutants
        if arguments.function:
            chosen = [one for one in chosen if one.function in arguments.function]
        if base or arguments.function:
            chosen = [one for one in chosen if one.key not in equivalent]
        tally = tallies[target.name] = Tally(len(chosen))
        if not chosen:
            continue
        print(f"{target.name}: {len(chosen)} of {len(mutants)} mutants", flush=True)
        results = _try(target, sources, chosen, arguments.jobs, deadline, tally, equivalent)
        tally.untried = len(chosen) - len(results)
        wrong += [
            f"{EQUIVALENT} names a mutant that is killed: {_describe_key(result.mutant.key)}"
            for result in results
            if result.mutant.key in equivalent and result.outcome in (KILLED, TIMEOUT)
        ]
        whole = not base and not arguments.function and paths == list(target.paths)
        if whole and not tally.untried and not arguments.no_page:
            _write_page(target.name, tally, [one.name for one in targets])
    return _conclude(tallies, wanted, wrong, deadline, bool(base))


def _try(
    target: Target,
    sources: dict[str, str],
    chosen: Sequence[Mutant],
    jobs: int,
    deadline: float,
    tally: Tally,
    equivalent: dict[Key, str],
) -> list[Result]:
    results: list[Result] = []
    start = time.monotonic()

    def tell(result: Result) -> None:
        results.append(result)
        mutant = result.mutant
        if result.outcome == BROKEN:
            raise SystemExit(f"tools/mutants: can't be tried: {_describe_key(mutant.key)}")
        if mutant.key in equivalent:
            tally.equivalent += 1
        elif result.outcome in (SURVIVED, UNCOVERED):
            tally.survived += 1
            note = ", no test runs it" if result.outcome == UNCOVERED else ""
            number = f" ({mutant.number})" if mutant.number > 1 else ""
            print(
                f"survived: {mutant.path}:{mutant.first_line} {mutant.function}{number}{note}\n"
                f"    {mutant.before}\n -> {mutant.after}",
                flush=True,
            )
        else:
            tally.killed += 1
            tally.timeouts += result.outcome == TIMEOUT
        if len(results) % 250 == 0:
            seconds = time.monotonic() - start
            print(f"{target.name}: {len(results)} tried in {seconds:.0f} s", flush=True)

    tests = [str(ROOT / one) for one in target.tests]
    trials = Trials(TREE, tests, sources, jobs, deadline)
    try:
        trials.run(chosen, tell)
    except RuntimeError as error:
        raise SystemExit(f"tools/mutants: {target.name}: {error}") from None
    tally.seconds = time.monotonic() - start
    return results


def _is_wanted(target: Target, what: Sequence[str]) -> bool:
    return not what or any(_is_file_wanted(target, path, what) for path in target.paths)


def _is_file_wanted(target: Target, path: str, what: Sequence[str]) -> bool:
    return not what or any(one == target.name or path.endswith(one) for one in what)


def _conclude(
    tallies: dict[str, Tally],
    targets: Sequence[Target],
    wrong: Sequence[str],
    deadline: float,
    changed: bool,
) -> int:
    print()
    for target in targets:
        tally = tallies[target.name]
        if not tally.mutants:
            print(f"{target.name:15} no line has changed")
            continue
        late = f", {tally.untried} not tried: the time was up" if tally.untried else ""
        # What the time did not suffice for says nothing of the whole.
        low = not tally.untried and tally.percent < target.at_least
        print(
            f"{target.name:15} {tally.mutants} mutants, {tally.equivalent} equivalent, {tally.killed} "
            f"killed ({tally.timeouts} by the time limit), {tally.survived} survived{late}; "
            f"{tally.percent:.1f} % killed in {tally.seconds / 60:.1f} minutes"
            f"{f': FAILED, at least {target.at_least:g} % are wanted' if low else ''}"
        )
        if low:
            wrong = [*wrong, ""]
    for one in filter(None, wrong):
        print(f"tools/mutants: {one}")
    if changed and time.monotonic() >= deadline:
        print("tools/mutants: the newest lines were tried first; `make mutants` tries all of them")
    return 1 if wrong else 0


def _row(name: str, tally: Tally) -> str:
    figures = (
        str(tally.mutants),
        str(tally.equivalent),
        f"{tally.killed} ({tally.timeouts})",
        str(tally.survived),
        f"{tally.percent:.1f} %",
        f"{tally.seconds / 60:.0f}",
    )
    return f"| {' | '.join((name, *figures))} |"


def _write_page(name: str, tally: Tally, order: Sequence[str]) -> None:
    """Put the figures of a target into their row of the page; others keep theirs."""
    page = ROOT / PAGE
    text = page.read_text(encoding="utf-8")
    before, body = text.split(f"{MARK}\n", 1)
    body, after = body.split(END, 1)
    lines = body.splitlines() or [
        "| Part | Mutants | Equivalent | Killed (by the time limit) | Survived | Per cent killed | Minutes |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines[2:]}
    rows[name] = _row(name, tally)
    body = "\n".join([*lines[:2], *(rows[one] for one in order if one in rows), ""])
    page.write_text(f"{before}{MARK}\n{body}{END}{after}", encoding="utf-8")


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tools/mutants", description=__doc__)
    parser.add_argument("what", nargs="*", help="targets or files; all of them without one")
    parser.add_argument(
        "--changed", action="store_true", help="only lines that are newer than the last release"
    )
    parser.add_argument("--since", metavar="COMMIT", help="only lines that are newer than this")
    parser.add_argument("--function", action="append", help="only this function, class or constant")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--no-page", action="store_true", help="leave the page as it is")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
