# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at work at a back end, written where everybody can read it.

Manila has no lock.  What comes nearest is the reason for which a manila-share is disabled: it is
shown to all administrators, lasts, and belongs to the back end that is being emptied.  A run
writes its claim there, renews it, and takes it away at its end.  It is no mutual exclusion: between
reading and writing there is a moment.  A claim that was overwritten is noticed at the next reading,
before anything more is sent.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.manila.migration.plugins.module_utils.cloud import CloudError
from ansible_collections.manila.migration.plugins.module_utils.manila_api import ManilaApi
from ansible_collections.manila.migration.plugins.module_utils.records import Service

PREFIX = "manila.migration: "
"""With what the reason of every cordon of ours begins."""

_LONGEST = 255
"""Characters that Manila keeps of a reason (api/v2/services.py)."""

_FORM = re.compile(
    r"; at work: run (?P<run>\w+) of (?P<who>\S+) \((?P<process>\S*)\), "
    r"sign of life (?P<beat>\d+), every (?P<period>\d+) s$"
)


class Held(Exception):
    """Another run is at work at the same back end."""


@dataclass(frozen=True)
class Claim:
    """One run's claim.  ``period`` is after how many seconds it is renewed at the latest."""

    run: str
    who: str
    process: str
    beat: int
    period: int

    def __str__(self) -> str:
        return (
            f"; at work: run {self.run} of {self.who} ({self.process}), sign of life {self.beat}, "
            f"every {self.period} s"
        )

    @classmethod
    def of(cls, reason: str | None) -> Claim | None:
        """The claim in the reason of a disabled service, None if there is none."""
        found = _FORM.search(reason or "")
        if not found:
            return None
        beat, period = int(found["beat"]), int(found["period"])
        return cls(found["run"], found["who"], found["process"], beat, period)


def without_claim(reason: str) -> str:
    """A reason as it was before anybody was at work."""
    return _FORM.sub("", reason)


class Lease:
    """The claims of one run, on those of ``backends`` that a cordon of ours is on.

    ``period`` is in seconds, and rounded up.  Raises Held, with one sentence, where somebody else
    is at work.
    """

    def __init__(
        self,
        cloud: ManilaApi,
        backends: Iterable[str],
        period: float,
        sleep: Callable[[float], None],
    ) -> None:
        self._cloud = cloud
        self._backends = sorted(set(backends))
        self._sleep = sleep
        self._mine = Claim(secrets.token_hex(4), _who(), _process(), 0, max(1, int(period + 0.999)))
        self._claimed: set[str] = set()
        self._renewed_at = 0.0

    @property
    def period(self) -> float:
        """Seconds after which the claims must be renewed."""
        return float(self._mine.period)

    def take(self) -> None:
        """Claim what is cordoned.  A claim that isn't renewed any more is waited out."""
        first: dict[str, tuple[Claim, float]] = {}
        while True:
            services = self._cloud.share_managers()
            now = self._cloud.now()
            held = {}
            for backend in self._backends:
                claim = Claim.of(_reason(services, backend))
                if claim is None or self._is_mine(claim) or _is_dead(claim):
                    continue
                known, since = first.setdefault(backend, (claim, now))
                if _is_alive(claim) or (claim.run == known.run and claim != known):
                    raise Held(_sentence(backend, claim))
                if claim.run != known.run:
                    first[backend] = (claim, now)
                elif now - since < 2.5 * claim.period:
                    held[backend] = claim
            if not held:
                break
            self._sleep(min(1.0, *(claim.period / 4 for claim in held.values())))
        for backend in self._backends:
            if _reason(services, backend):
                self._claimed.add(backend)
        self._write(services)

    def check(self, services: Mapping[str, Service]) -> None:
        """Look whether the claims still stand in a new reading, and renew them when it is time."""
        for backend in sorted(self._claimed):
            reason = _reason(services, backend)
            claim = Claim.of(reason)
            if claim is not None and not self._is_mine(claim):
                self._claimed.discard(backend)
                raise Held(_sentence(backend, claim))
            if claim is None and not reason:
                self._claimed.discard(backend)  # somebody has taken the cordon away
        if self._cloud.now() - self._renewed_at >= self.period / 2:
            self._write(services)

    def release(self) -> None:
        """Take the claims away.  What fails is left: it is waited out."""
        try:
            services = self._cloud.share_managers() if self._claimed else {}
            for backend in sorted(self._claimed):
                reason = _reason(services, backend)
                claim = Claim.of(reason)
                if claim is not None and self._is_mine(claim):
                    self._cloud.disable_service(backend, without_claim(reason))
        except CloudError:
            pass
        self._claimed.clear()

    def _is_mine(self, claim: Claim) -> bool:
        return claim.run == self._mine.run

    def _write(self, services: Mapping[str, Service]) -> None:
        self._mine = replace(self._mine, beat=self._mine.beat + 1)
        self._renewed_at = self._cloud.now()
        for backend in sorted(self._claimed):
            reason = without_claim(_reason(services, backend))
            claim = str(self._mine)
            try:
                self._cloud.disable_service(backend, reason[: _LONGEST - len(claim)] + claim)
            except CloudError:
                continue  # the next reading tells whether it stands


def _reason(services: Mapping[str, Service], backend: str) -> str:
    """The reason of a cordon of ours; empty where there is none, or somebody else's."""
    service = services.get(backend)
    if service is None or service.enabled:
        return ""
    reason = service.disabled_reason or ""
    return reason if reason.startswith(PREFIX.rstrip()) else ""


def _sentence(backend: str, claim: Claim) -> str:
    return (
        f"Another evacuation is at work at {backend}: run {claim.run} of {claim.who}. Let it end, or "
        "stop it, and run this again; what runs in Manila goes on meanwhile."
    )


# -- whose process ---------------------------------------------------------------------------


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no name for this number
        user = str(os.getuid())
    return re.sub(r"\s", "_", f"{user}@{socket.gethostname()}")[:60]


def _space() -> str:
    """What tells the processes of this machine, or container, from those of others."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            name = boot.read() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _started(pid: str) -> str | None:
    """When a process of this machine began, None if there is none of this number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    # proc(5): the state is the third field and the start the twenty-second; a zombie is dead.
    return None if fields[0] == "Z" else fields[19]


def _process() -> str:
    return f"{os.getpid()}.{_started('self')}@{_space()}"


def _here(claim: Claim) -> tuple[str, str] | None:
    """The number and begin of a claim's process, None if it doesn't run on this machine."""
    process, _at, space = claim.process.partition("@")
    pid, dot, started = process.partition(".")
    if not (space and dot and space == _space() and pid.isdigit()):
        return None
    return pid, started


def _is_dead(claim: Claim) -> bool:
    found = _here(claim)
    return found is not None and _started(found[0]) != found[1]


def _is_alive(claim: Claim) -> bool:
    found = _here(claim)
    return found is not None and _started(found[0]) == found[1]
