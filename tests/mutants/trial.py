# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying mutants: each in a process of its own, forked from one that has everything loaded.

A mutant inside a function is tried in a fork of a process that has collected the tests: the code of
that one function is exchanged, and only tests that run one of its lines are run.  Any other mutant
(a constant, a table, a field of a dataclass) is tried in a fork that has imported nothing of the
collection yet, because others have copied such a value at their import.

In both the quickest tests come first, those that draw their examples last, and the first that fails
ends the trial.
"""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import os
import pickle
import resource
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.tmpdir import tmppath_result_key

from ansible_collections.manila.migration.tests.mutants.mutations import Mutant

KILLED = "killed"
SURVIVED = "survived"
TIMEOUT = "timeout"
UNCOVERED = "uncovered"
"""No test runs its line: it survives without a trial."""
BROKEN = "broken"
"""It could not be tried: an error of this program."""

CLOSED = "closed"
"""Its function has other free variables than before (``super()`` is one): it is tried as what lies
outside of functions."""

_EXIT_KILLED, _EXIT_SURVIVED, _EXIT_BROKEN, _EXIT_CLOSED = 3, 4, 5, 6

TIME_FACTOR = 20.0
TIME_EXTRA = 1.0
"""A test may take so many times as long as without a mutant, and so many seconds more, of the
processor's time; then the mutant counts as one that does not end."""

MEMORY = 4 << 30


@dataclass(frozen=True)
class Result:
    """What became of a mutant: one of the values above, and the seconds that it took."""

    mutant: Mutant
    outcome: str
    seconds: float


@dataclass
class Baseline:
    """What the tests do without a mutant."""

    seconds: dict[str, float] = field(default_factory=dict)
    """By test."""
    lines: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    """By test, the lines of mutated files that it runs."""
    failed: list[str] = field(default_factory=list)
    drawn: set[str] = field(default_factory=set)
    """Tests that draw their examples."""

    def order(self, tests: Iterable[str]) -> list[str]:
        """Tests in the order in which they are tried."""
        return sorted(tests, key=lambda one: (one in self.drawn, self.seconds[one], one))


class Trials:
    """Tries mutants of files that the same tests drive.

    Args:
        tree: The directory that holds ``ansible_collections``.
        tests: The test files.
        jobs: How many processes run at once.
        deadline: When to stop, by ``time.monotonic()``.
    """

    def __init__(
        self,
        tree: Path,
        tests: Sequence[str],
        sources: Mapping[str, str],
        jobs: int,
        deadline: float,
    ) -> None:
        self._tree = tree
        self._tests = list(tests)
        self._sources = dict(sources)
        self._jobs = jobs
        self._deadline = deadline
        self.baseline = Baseline()

    def run(self, mutants: Sequence[Mutant], tell: Callable[[Result], None]) -> None:
        """Try mutants in their order, and tell each result, until none is left or it is too late.

        Raises:
            RuntimeError: If a test fails without a mutant.
        """
        inside = [one for one in mutants if one.outer_line]
        outside = [one for one in mutants if not one.outer_line]
        loaded: list[str] = []
        for kind, *rest in self._in_child(lambda send: self._collect_and_try(inside, send)):
            if kind == "baseline":
                self.baseline, loaded = rest
                if self.baseline.failed:
                    raise RuntimeError(f"fails without a mutant: {self.baseline.failed[0]}")
            elif kind == "result" and rest[0].outcome == CLOSED:
                outside.append(rest[0].mutant)
            elif kind == "result":
                tell(rest[0])
        for name in loaded:
            try:
                importlib.import_module(name)
            except Exception:
                continue
        gc.freeze()
        order = self.baseline.order(self.baseline.seconds)
        for result in self._try(outside, lambda mutant: self._run_cold(mutant, order)):
            tell(result)

    def _in_child(self, work: Callable[[Callable[..., None]], None]) -> Iterator[tuple[Any, ...]]:
        """What a forked process sends while it works."""
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            with os.fdopen(writing, "wb") as stream:

                def send(*what: Any) -> None:
                    pickle.dump(what, stream)
                    stream.flush()

                status = 0
                try:
                    work(send)
                except BaseException as error:
                    print(f"mutants: {error!r}", file=sys.stderr)
                    status = 1
            os._exit(status)
        os.close(writing)
        with os.fdopen(reading, "rb") as received:
            while True:
                try:
                    yield pickle.load(received)
                except EOFError:
                    break
        _pid, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError("the tests could not be collected or run")

    # -- in the process that has the tests -------------------------------------------------------

    def _collect_and_try(self, mutants: Sequence[Mutant], send: Callable[..., None]) -> None:
        def loop(items: Sequence[pytest.Item]) -> None:
            loaded = [name for name in sys.modules if not _is_ours(name)]
            (baseline,) = self._in_child(lambda tell: tell(self._measure(items)))
            self.baseline = baseline[0]
            send("baseline", self.baseline, loaded)
            if self.baseline.failed:
                return
            by_name = {item.nodeid: item for item in items}
            runs: dict[tuple[str, int], set[str]] = defaultdict(set)
            for test, lines in self.baseline.lines.items():
                for line in lines:
                    runs[line].add(test)

            def chosen(mutant: Mutant) -> list[pytest.Item]:
                tests = set()
                for line in range(mutant.first_line, mutant.last_line + 1):
                    tests |= runs.get((mutant.path, line), set())
                return [by_name[one] for one in self.baseline.order(tests)]

            gc.collect()
            gc.freeze()
            covered = []
            for mutant in mutants:
                if chosen(mutant):
                    covered.append(mutant)
                else:
                    send("result", Result(mutant, UNCOVERED, 0.0))
            for result in self._try(covered, lambda one: self._run_hot(one, chosen(one))):
                send("result", result)

        if _pytest(self._tests, loop) != 0:
            raise RuntimeError("pytest could not collect the tests")

    def _measure(self, items: Sequence[pytest.Item]) -> Baseline:
        """Run all tests without a mutant, and note which lines they run."""
        _silence()
        baseline = Baseline()
        names = {self._file(path): path for path in self._sources}
        modules = [
            module
            for module in list(sys.modules.values())
            if getattr(module, "__file__", None) in names
        ]
        hit: set[tuple[str, int]] = set()

        def trace(frame: FrameType, event: str, _arg: object) -> Any:
            path = names.get(frame.f_code.co_filename)
            return None if path is None else lines

        def lines(frame: FrameType, event: str, _arg: object) -> Any:
            if event == "line":
                hit.add((names[frame.f_code.co_filename], frame.f_lineno))
            return lines

        for item in items:
            for module in modules:
                _forget(module)
            hit = set()
            start = time.process_time()
            threading.settrace(trace)
            sys.settrace(trace)
            try:
                passed = _run(item)
            finally:
                sys.settrace(None)
                threading.settrace(None)  # type: ignore[arg-type]
            if passed is None:
                continue  # skipped
            if not passed:
                baseline.failed.append(item.nodeid)
            baseline.seconds[item.nodeid] = time.process_time() - start
            baseline.lines[item.nodeid] = hit
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                baseline.drawn.add(item.nodeid)
        return baseline

    def _run_hot(self, mutant: Mutant, items: Sequence[pytest.Item]) -> bool:
        """Exchange the function's code, and run tests: whether all pass."""
        try:
            _exchange(self._file(mutant.path), mutant, mutant.apply(self._sources[mutant.path]))
        except ValueError:
            os._exit(_EXIT_CLOSED)
        except Exception:
            os._exit(_EXIT_BROKEN)
        return self._all_pass(items)

    # -- in a process that has nothing of the collection -----------------------------------------

    def _run_cold(self, mutant: Mutant, order: Sequence[str]) -> bool:
        path = self._file(mutant.path)
        text = mutant.apply(self._sources[mutant.path])
        ordinary = importlib.machinery.SourceFileLoader.get_code

        def get_code(loader: Any, fullname: str) -> CodeType | None:
            if loader.get_filename(fullname) == path:
                return compile(text, path, "exec", dont_inherit=True)
            return ordinary(loader, fullname)

        importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[assignment,method-assign]
        passed = []

        def loop(items: Sequence[pytest.Item]) -> None:
            # A table that is mutated may make other tests than before, which kills nothing.
            places = {name: place for place, name in enumerate(order)}
            passed.append(
                self._all_pass(sorted(items, key=lambda one: places.get(one.nodeid, len(order))))
            )

        # What is wrong with a mutant may show at its import, and then nothing is collected.
        self._limit(sum(self.baseline.seconds.values()))
        _pytest(self._tests, loop)
        return bool(passed and passed[0])

    # -- everywhere ------------------------------------------------------------------------------

    def _try(self, mutants: Sequence[Mutant], work: Callable[[Mutant], bool]) -> Iterator[Result]:
        """Fork for each mutant, as many at once as there are jobs."""
        running: dict[int, tuple[Mutant, float]] = {}
        waiting = iter(mutants)
        mutant = next(waiting, None)
        while running or mutant:
            late = time.monotonic() >= self._deadline
            if mutant and not late and len(running) < self._jobs:
                running[self._fork(work, mutant)] = mutant, time.monotonic()
                mutant = next(waiting, None)
                continue
            if not running:
                return
            pid, status = os.wait()
            tried, start = running.pop(pid)
            yield Result(tried, _outcome(status), time.monotonic() - start)
            if late:
                mutant = None

    def _fork(self, work: Callable[[Mutant], bool], mutant: Mutant) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            _silence()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            code = _EXIT_SURVIVED if work(mutant) else _EXIT_KILLED
        except BaseException:
            code = _EXIT_KILLED
        os._exit(code)

    def _all_pass(self, items: Sequence[pytest.Item]) -> bool:
        for item in items:
            self._limit(self.baseline.seconds.get(item.nodeid, 1.0))
            if _run(item) is False:
                return False
        return True

    @staticmethod
    def _limit(seconds: float) -> None:
        """End this process when it has taken too long, by the processor's time and by the clock."""
        limit = TIME_EXTRA + TIME_FACTOR * seconds
        signal.setitimer(signal.ITIMER_VIRTUAL, limit)
        signal.setitimer(signal.ITIMER_REAL, 10 * limit)

    def _file(self, path: str) -> str:
        return str(self._tree / "ansible_collections/manila/migration" / path)


_OUTCOMES = {_EXIT_KILLED: KILLED, _EXIT_SURVIVED: SURVIVED, _EXIT_CLOSED: CLOSED}


def _outcome(status: int) -> str:
    if os.WIFSIGNALED(status):
        return TIMEOUT if os.WTERMSIG(status) in (signal.SIGVTALRM, signal.SIGALRM) else KILLED
    return _OUTCOMES.get(os.WEXITSTATUS(status), BROKEN)


def _is_ours(name: str) -> bool:
    return name.startswith(("ansible_collections", "test_", "conftest", "tests"))


def _silence() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(null, stream)


def _pytest(tests: Sequence[str], loop: Callable[[Sequence[pytest.Item]], None]) -> int:
    """Let pytest collect tests, and do what ``loop`` does instead of running them.

    Returns pytest's exit status: where a file can't be collected it is not 0, and nothing is done.
    """

    class Plugin:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            if not session.testsfailed:
                loop(session.items)
            return True

    options = ["-qq", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
    return int(pytest.main([*options, "--no-header", "--no-summary", *tests], [Plugin()]))


def _run(item: pytest.Item) -> bool | None:
    """Run one test: whether it passes, None where it is skipped."""
    passed: bool | None = True
    item.stash[tmppath_result_key] = {}  # of reports, which nobody makes here
    try:
        item.ihook.pytest_runtest_setup(item=item)
        item.ihook.pytest_runtest_call(item=item)
    except pytest.skip.Exception:
        passed = None
    except BaseException:
        passed = False
    try:
        item.ihook.pytest_runtest_teardown(item=item, nextitem=None)
    except BaseException:
        passed = False
    return passed


def _exchange(path: str, mutant: Mutant, text: str) -> None:
    """Give a loaded function the code that it has in the mutated text.

    Raises ValueError where that has other free variables.
    """
    (module,) = (one for one in list(sys.modules.values()) if getattr(one, "__file__", "") == path)
    wanted = mutant.outer_name, mutant.outer_line
    code = next(
        one
        for one in _codes(compile(text, path, "exec", dont_inherit=True))
        if (one.co_qualname, one.co_firstlineno) == wanted
    )
    functions = [
        one
        for one in _functions(vars(module), module.__name__)
        if (one.__code__.co_qualname, one.__code__.co_firstlineno) == wanted
    ]
    assert functions, wanted
    for function in functions:
        function.__code__ = code
    _forget(module)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of the functions and methods of a module."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _functions(names: Mapping[str, Any], module: str) -> Iterator[FunctionType]:
    """The functions and methods of a module, however they are decorated."""
    for value in list(names.values()):
        if isinstance(value, type) and value.__module__ == module:
            yield from _functions(vars(value), module)
        candidates = [value]
        while candidates:
            one = candidates.pop()
            if isinstance(one, FunctionType):
                yield one
            if isinstance(one, property):
                candidates += [one.fget, one.fset, one.fdel]
            candidates += [
                inner
                for inner in (getattr(one, "__func__", None), getattr(one, "__wrapped__", None))
                if inner is not None and not isinstance(one, (type, ModuleType))
            ]


def _forget(module: ModuleType) -> None:
    """Empty the caches of a module: they hold what its functions said before."""
    for value in list(vars(module).values()):
        clear = getattr(value, "cache_clear", None)
        if clear and getattr(value, "__module__", None) == module.__name__:
            clear()
