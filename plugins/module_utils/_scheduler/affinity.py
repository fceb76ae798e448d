# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which shares have to be in one pool, and which must not, as Manila's scheduler sees it.  Pure.

A share that was made with a scheduler hint keeps it in its metadata, and so do the shares that the
hint names (share/api.py, save_scheduler_hints).  The scheduler obeys it in migrations, too
(scheduler/filters/affinity.py): by where the instances of the named shares are when it is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ansible_collections.manila.migration.plugins.module_utils._model.reason import Reason
from ansible_collections.manila.migration.plugins.module_utils._model.wording import some

SAME_HOST = "__affinity_same_host"
DIFFERENT_HOST = "__affinity_different_host"
AFFINITY_KEYS = (SAME_HOST, DIFFERENT_HOST)
"""Metadata that the scheduler reads as hints: scheduler/drivers/filter.py."""


def named_in_hints(metadata: Mapping[str, str]) -> frozenset[str]:
    """The IDs of the shares whose places decide where a share with this metadata may be."""
    return frozenset(one for key in AFFINITY_KEYS for one in _named(metadata, key))


def affinity_blockers(
    metadata: Mapping[str, str], pool: str, places: Mapping[str, Collection[str]]
) -> list[Reason]:
    """Why the hints in a share's metadata keep it out of ``pool``.

    ``places`` are the pools of the instances of each share that is ``named_in_hints``, by its ID;
    a share that doesn't exist has none.  Who plans adds the pools that are planned for these
    shares: from its start on, a share that migrates has an instance there.
    """
    found = []
    for key in AFFINITY_KEYS:
        named = _named(metadata, key)
        if not named:
            continue
        gone = [one for one in named if not places.get(one)]
        hosts = [set(places.get(one, ())) for one in named]
        same = key == SAME_HOST
        where = set.intersection(*hosts) if same else set.union(*hosts)
        if gone:
            found.append(
                Reason(
                    "affinity",
                    f"it has the hint {key} = {metadata[key]}, and the scheduler refuses every pool "
                    f"as there is no share {some(gone)}",
                )
            )
        elif (pool in where) != same:
            at = f"at {some(sorted(where))}" if where else "at no pool together"
            found.append(
                Reason(
                    "affinity",
                    f"it must {'' if same else 'not '}be in one pool with {some(named)} ({key}), "
                    f"which {'is' if len(named) == 1 else 'are'} {at}",
                )
            )
    return found


def _named(metadata: Mapping[str, str], key: str) -> list[str]:
    # Blanks count, as in Manila.
    return metadata[key].split(",") if metadata.get(key) else []
