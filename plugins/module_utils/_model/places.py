# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places in Manila: ``host@backend`` and ``host@backend#pool``, and which covers which."""

from __future__ import annotations


def backend_of(host: str) -> str:
    """``host@backend`` of a pool's or a back end's name."""
    return host.split("#", 1)[0]


def is_pool(host: str) -> bool:
    """Whether ``host`` names a pool: ``host@backend#pool``, no part empty."""
    backend, hash_sign, pool = host.partition("#")
    return bool(hash_sign and pool) and is_backend(backend)


def is_backend(host: str) -> bool:
    """Whether ``host`` names a back end: ``host@backend``, no part empty."""
    node, at_sign, backend = host.partition("@")
    return bool(node and at_sign and backend) and "#" not in backend and "@" not in backend


def covers(place: str, host: str) -> bool:
    """Whether ``host`` (a pool) is ``place``, or a pool of the back end ``place``."""
    return place == host or (not is_pool(place) and backend_of(host) == place)
