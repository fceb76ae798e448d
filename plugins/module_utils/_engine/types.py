# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into the engine and what comes out of it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from ansible_collections.manila.migration.plugins.module_utils._model.facts import Facts
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE
from ansible_collections.manila.migration.plugins.module_utils._model.markers import CopyMark
from ansible_collections.manila.migration.plugins.module_utils._model.migration import Migration
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.records import Service
from ansible_collections.manila.migration.plugins.module_utils._model.window import CutoverWindow
from ansible_collections.manila.migration.plugins.module_utils._states.classify import Observation
from ansible_collections.manila.migration.plugins.module_utils._states.tables import (
    BUSY,
    CANCELLED,
    COMPLETED,
    COPIED,
    FAILED,
    IDLE,
    STUCK,
)

START = "start"


COMPLETE = "complete"


CANCEL = "cancel"


REMOVE = "remove"
"""The second step of a replica's cutover: its source is removed when its destination serves."""


VERIFY = "verify"


RECORD = "record"
"""Bring in step what the metadata of a share say of an interrupted copy: no other process, and not
this one after a kill, could know it."""


GOALS = (COPIED, COMPLETED, CANCELLED)


REACHED = "reached"


ACCEPTED = "accepted"


REFUSED = "refused"


UNKNOWN = "unknown"


OUTDATED = "outdated"
"""The runner looked again, found another situation, and sent nothing."""


HINDERED = "hindered"
"""What must come before it has not happened yet: it was not sent, and is tried again."""


BARRED = "barred"
"""What must come before it was refused: it was not sent, and will not be."""


@dataclass(frozen=True)
class Limits:
    """What the operator allows.  The window is None when clients may be disturbed at any time."""

    goal: str = COPIED
    max_parallel: float = 5
    max_parallel_per_pool: float = 2
    max_failures: int = 1
    window: CutoverWindow | None = None
    cutover_seconds: float = 0.0
    """How long one cutover is expected to take: none is begun that would end after the window.  If
    one has been seen to take longer, that counts."""
    copy_timeout: float = math.inf
    """Seconds after which a copy that still goes on is called a failure, and left alone."""
    cutover_timeout: float = math.inf
    """The same for a cutover."""
    start_new: bool = True
    rehearsal: bool = False
    """Nothing will be done: say what everything waits for now, not after what a run would do."""
    patience: float = 600.0
    """Seconds after which a state without a way out, or a lost answer, is called a failure."""
    grace: float = 0.0
    """Seconds for which a share that is met copied rests before it is completed: a complete that
    another process has just sent doesn't show until Manila acts on it (seen: 5 s under load;
    docs/manila.md, "A complete is sent once")."""


@dataclass(frozen=True)
class Reading:
    """One reading of the cloud.

    ``seen`` holds everything that migrates in the cloud, whoever started it, and what was looked
    at beside that; ``gone`` what was looked at and doesn't exist; ``services`` the manila-share
    services by ``host@backend`` (empty: not known); ``workers`` whether any service of another
    binary is up and enabled.
    """

    seen: Mapping[str, Observation] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    services: Mapping[str, Service] = field(default_factory=dict)
    workers: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """What is known of one migration of the plan."""

    phase: str = IDLE
    outcome: str | None = None
    """None while work is left; REACHED or FAILED."""
    error: str | None = None
    status_code: int | None = None
    """HTTP status of the answer that was the reason of a failure."""
    waiting_for: Reason | None = None
    waiting_since: float | None = None
    since: float | None = None
    """Since when it is in its task_state."""
    met_at: float | None = None
    """When this run saw it for the first time."""
    task_state: str | None = None
    mechanism: str | None = None
    progress: int | None = None
    destination: str | None = None
    """Where Manila really moves it, once that is seen."""
    origin: tuple[str | None, str | None] | None = None
    """Share type and share network of the source, once it was seen to migrate."""
    successor: str | None = None
    """Of a share server: the ID of the one that its migration makes."""
    seen: bool = False
    ours: bool = False
    """Started or adopted by this run: its end is our business."""
    sent: Mapping[str, str] = field(default_factory=dict)
    """Action sent and how Manila answered: at most one entry an action, for ever."""
    sent_at: Mapping[str, float] = field(default_factory=dict)
    tainted: bool = False
    """An error or a cancel interrupted the copy: it must never be completed."""
    recorded: bool = False
    """Of a share server: that is written down in the metadata of one of its shares."""
    copy_mark: CopyMark | None = None
    """What is written down of the copy that is made now; of a share server as far as it was read."""
    listed_mark: CopyMark | None = None
    """What the metadata said when they were last read, of whichever copy."""
    own_mark: CopyMark | None = None
    """What this run has written down right before a cancel of its own."""
    refusal: tuple[str, int | None] | None = None
    """What Manila said, and its HTTP status, when a refused start was found begun all the same."""
    leads: bool = False
    """Of a replica: whether the share is served from the one at the source."""
    held: tuple[str, float] | None = None
    """What was found to hinder a cutover, or not to be in order after it, and when first."""
    checked: bool = False
    """Of a replica that was promoted: found in order, so that the one at the source can go."""
    look: bool = False
    want: str | None = None
    started_at: float | None = None
    copied_at: float | None = None
    completed_at: float | None = None
    facts_before: Facts | None = None
    facts_after: Facts | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.outcome is not None

    @property
    def busy(self) -> bool:
        """Whether it occupies a slot, now or as soon as Manila acts on what was sent."""
        if self.settled:
            return False
        if self.phase in BUSY or self.phase == STUCK:
            # Manila cleans up after an error, and a copy may go on behind a false one.
            return True
        if self.phase == COPIED:
            return COMPLETE in self.sent
        return START in self.sent and self.phase in (IDLE, FAILED, CANCELLED)


NEW_TRACK = Track()


@dataclass(frozen=True)
class Other:
    """A migration that is not ours to drive: somebody else's, or one of the plan that is settled."""

    source: str
    destination: str | None
    busy: bool
    since: float | None = None
    kind: str = SHARE


@dataclass(frozen=True)
class Memory:
    """What the engine remembers between two readings."""

    tracks: Mapping[str, Track] = field(default_factory=dict)
    others: Mapping[str, Other] = field(default_factory=dict)
    """By ID, migrations that this run has no (more) work with, but that may occupy slots."""
    failures: int = 0
    """How many of the tracks have failed."""
    queue: tuple[Hashable, ...] = ()
    """What all that waited for a slot could wait for, while all slots were taken."""

    def track(self, migration: Migration) -> Track:
        """What is known of one migration of the plan."""
        return self.tracks.get(migration.id, NEW_TRACK)


@dataclass(frozen=True)
class Action:
    """One thing to do: START, COMPLETE, REMOVE, CANCEL or VERIFY of one migration."""

    verb: str
    migration: Migration


@dataclass(frozen=True)
class Decision:
    """What to do now, what to remember, and whether anything can still happen."""

    actions: tuple[Action, ...]
    memory: Memory
    finished: bool
