# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis' profile: the same histories in every run, unless more are asked for.

``MANILA_MIGRATION_EXAMPLES`` multiplies them: 1 is what every run of the tests does, and with
any other number they are new ones each time.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

TIMES = float(os.environ.get("MANILA_MIGRATION_EXAMPLES", "1"))

settings.register_profile(
    "manila_migration",
    deadline=None,
    database=None,
    derandomize=TIMES == 1,
    max_examples=max(1, int(100 * TIMES)),
    phases=[phase for phase in Phase if phase is not Phase.explain],  # it costs minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("manila_migration")
