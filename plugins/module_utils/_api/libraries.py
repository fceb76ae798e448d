# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenStack libraries, imported once and guarded: sanity tests and documentation run without them."""

from __future__ import annotations

try:
    from keystoneauth1 import exceptions as keystone_errors
    from manilaclient import api_versions
    from manilaclient import exceptions as manila_errors
    from manilaclient.common import constants
    from manilaclient.v2 import client as manila_client

    MISSING: str | None = None
except ImportError as error:  # reported by Cloud.connect(), in one sentence
    MISSING = str(error)
    keystone_errors = api_versions = manila_errors = constants = manila_client = None  # type: ignore[assignment]

__all__ = [
    "MISSING",
    "api_versions",
    "constants",
    "keystone_errors",
    "manila_client",
    "manila_errors",
]
