# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The invariants over thousands of histories of the production runner, drawn without looking for the worst.

Hypothesis looks for a few hundred that are bad (test_engine_properties.py); here is the mass, small
worlds for the most part.  ``MANILA_MIGRATION_EXAMPLES=20`` makes it a hundred thousand, as `make fuzz`
does.  A failure names the seed: ``history(4711)`` is the same again.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ansible_collections.manila.migration.plugins.module_utils._engine.types import GOALS
from ansible_collections.manila.migration.plugins.module_utils._states.tables import CANCELLED
from ansible_collections.manila.migration.tests.unit.conftest import TIMES
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._engine.test_engine_properties import (
    ALL,
    FOREIGN,
    POOLS,
    TOGETHER,
    World,
    assert_explained,
    assert_harmless,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.manila_model import (
    FAULTS,
)

HISTORIES = int(5_000 * TIMES)
CHUNK = 500

_FAULTS = sorted(frozenset(FAULTS) - FOREIGN)
"""Races with other people Hypothesis draws: of these some are lost, whoever is careful."""
_OFTEN = (("fresh", "copied by driver") * 4, ("fresh", "copied") * 3, ("alone", "copied") * 3)
"""Of what is met in other states, most sends nothing."""
_SHARES, _SERVERS, _REPLICAS = (often + met for often, met in zip(_OFTEN, ALL))


def draw(rng: random.Random) -> World:
    """A world of one to four migrations, faults and limits."""
    shares, servers, replicas = rng.choice(
        ((1, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (2, 1, 1))
    )
    faults = frozenset(rng.sample(_FAULTS, rng.choice((0, 1, 1, 2, 3))))
    if rng.random() < 0.3:
        faults = rng.choice(TOGETHER) - FOREIGN
    return World(
        shares=tuple(
            (rng.choice(_SHARES), rng.random() < 0.5, rng.randrange(len(POOLS)))
            for _unused in range(shares)
        ),
        servers=tuple(
            (rng.choice(_SERVERS), rng.randrange(len(POOLS))) for _unused in range(servers)
        ),
        replicas=tuple(
            (rng.choice(_REPLICAS), rng.randrange(len(POOLS))) for _unused in range(replicas)
        ),
        faults=faults,
        goal=rng.choice(GOALS),
        max_parallel=rng.randint(1, 3),
        max_parallel_per_pool=rng.randint(1, 2),
        max_failures=rng.choice((1, 2, 99)),
        # Of one that somebody started twice, only one of the two destinations is counted.
        others=0 if "double_start" in faults else rng.choice((0, 0, 1)),
        seed=rng.getrandbits(32),
        latency=rng.choice((0.0, 0.0, 2.0)),
        window=rng.choice((None, None, (0, 1), (1, 2))),
        interval=rng.choice((60.0, 90.0, 180.0)),
        grace=10.0,
        groups=rng.choice((0, 0, 1)),
        cutover_seconds=rng.choice((0.0, 60.0)),
    )


def history(seed: int) -> None:
    """One history: run through, or killed and run again a few times.  Raises AssertionError."""
    rng = random.Random(seed)
    world = draw(rng)
    loop = world.build()
    # What is carried out minutes later, for somebody who is gone by then, nobody can know of.
    kills = 0 if "answer_lost_later" in world.faults else rng.choice((0, 0, 1, 2))
    for _unused in range(kills):
        if rng.random() < 0.4:
            # It wanted something else: a cutover follows a cancel that was killed, say.
            loop.limits = replace(loop.limits, goal=rng.choice((CANCELLED, *GOALS)))
        # At a poll, or at a request: before Manila gets it, or when it has carried it out.
        loop.run(rng.choice((0, 0, 0, 1, 2, 4, 8)))
        if rng.random() < 0.7:
            loop.run(30, kill=(rng.choice((1, 1, 2, 3)), rng.random() < 0.5))
        loop.forget()
        loop.limits = replace(loop.limits, goal=world.goal)
    loop.run()
    assert_harmless(loop)
    assert_explained(loop)


@pytest.mark.parametrize("first", range(0, HISTORIES, CHUNK))
def test_histories(first):
    for seed in range(first, min(first + CHUNK, HISTORIES)):
        try:
            history(seed)
        except AssertionError as error:
            raise AssertionError(f"history({seed}): {error}") from None
