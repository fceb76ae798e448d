# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripted cloud, for whoever asks for it: see ``scripted``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ansible_collections.manila.migration.tests.unit.plugins.scripted import Clock, Session


@pytest.fixture
def session() -> Iterator[Session]:
    # Not above: it takes the libraries of OpenStack, which most tests have no use for.
    from ansible_collections.manila.migration.tests.unit.plugins.scripted import Session

    session = Session()
    yield session
    session.close_script()


@pytest.fixture
def clock() -> Clock:
    from ansible_collections.manila.migration.tests.unit.plugins.scripted import Clock

    return Clock()
