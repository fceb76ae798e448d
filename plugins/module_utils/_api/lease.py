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

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ansible_collections.manila.migration.plugins.module_utils._api.errors import CloudError
from ansible_collections.manila.migration.plugins.module_utils._api.lease_claim import (
    PREFIX,
    LeaseClaim,
    without_claim,
)
from ansible_collections.manila.migration.plugins.module_utils._api.manila_api import ManilaApi
from ansible_collections.manila.migration.plugins.module_utils._api.process_identity import (
    is_alive,
    is_dead,
    this_process,
    user_at_host,
)
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service

_LONGEST = 255
"""Characters that Manila keeps of a reason (api/v2/services.py)."""


class Held(Exception):
    """Another run is at work at the same back end."""


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
        self._mine = LeaseClaim(
            secrets.token_hex(4), user_at_host(), this_process(), 0, max(1, int(period + 0.999))
        )
        self._claimed: set[str] = set()
        self._renewed_at = 0.0

    @property
    def period(self) -> float:
        """Seconds after which the claims must be renewed."""
        return float(self._mine.period)

    def take(self) -> None:
        """LeaseClaim what is cordoned.  A claim that isn't renewed any more is waited out."""
        first: dict[str, tuple[LeaseClaim, float]] = {}
        while True:
            services = self._cloud.share_managers()
            now = self._cloud.now()
            held = {}
            for backend in self._backends:
                claim = LeaseClaim.of(_reason(services, backend))
                if claim is None or self._is_mine(claim) or is_dead(claim):
                    continue
                known, since = first.setdefault(backend, (claim, now))
                if is_alive(claim) or (claim.run == known.run and claim != known):
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
            claim = LeaseClaim.of(reason)
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
                claim = LeaseClaim.of(reason)
                if claim is not None and self._is_mine(claim):
                    self._cloud.disable_service(backend, without_claim(reason))
        except CloudError:
            pass
        self._claimed.clear()

    def _is_mine(self, claim: LeaseClaim) -> bool:
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
    """Return the reason of a cordon of this run; empty where there is none, or another run's."""
    service = services.get(backend)
    if service is None or service.enabled:
        return ""
    reason = service.disabled_reason or ""
    return reason if reason.startswith(PREFIX.rstrip()) else ""


def _sentence(backend: str, claim: LeaseClaim) -> str:
    return (
        f"Another evacuation is at work at {backend}: run {claim.run} of {claim.who}. Let it end, or "
        "stop it, and run this again; what runs in Manila goes on meanwhile."
    )
