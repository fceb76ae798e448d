# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kind's planner says of something at the source.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar, Union

from ansible_collections.manila.migration.plugins.module_utils._model.migration import Options
from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._planner.entries import (
    MigrationEntry,
    Subject,
    UnplacedEntry,
    unplaced_entry,
)
from ansible_collections.manila.migration.plugins.module_utils._planner.packing import (
    Item,
    Placing,
)


class Candidate(NamedTuple):
    """Something that looks for a destination, and what the plan says of it with and without one.

    ``refusals`` say why other destinations can't take it.  ``by_scheduler`` says whether Manila's
    scheduler judges the destination, and the mechanism can be chosen.
    """

    item: Item
    subject: Subject
    refusals: Sequence[Reason]
    make_entry: Callable[[Placing], MigrationEntry]
    explain_shortage: Callable[[Item], str]
    by_scheduler: bool = False


class Unplaced(NamedTuple):
    """Something that can't move."""

    entry: UnplacedEntry

    @classmethod
    def because(cls, subject: Subject, *reasons: Reason) -> Unplaced:
        """Say why something can't move."""
        return cls(unplaced_entry(subject, reasons))


class Running(NamedTuple):
    """A migration that exists: it goes on, wherever it was started."""

    entry: MigrationEntry


class Excluded(NamedTuple):
    """Something that is left out as asked."""

    subject: Subject


class Staying(NamedTuple):
    """Something that stays in a pool, for objectives that move only some of what there is."""

    host: str
    why: str


class Question(NamedTuple):
    """What to ask Manila: whether a share server can move to a back end, with these options."""

    server_id: str
    destination: str
    options: Options


# A Reason is a warning of the plan.
Outcome = Union[Candidate, Unplaced, Running, Excluded, Staying, Question, Reason]

_Some = TypeVar("_Some")


def only(outcomes: Iterable[object], kind: type[_Some]) -> list[_Some]:
    """Return the outcomes of one class, in their order."""
    return [outcome for outcome in outcomes if isinstance(outcome, kind)]
