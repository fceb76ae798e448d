# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only access to OpenStack: connection, requests, records, the lease of a back end.

Knows Manila's requests, microversions and errors.  Reads are retried, actions never.  ``client.Cloud``
is the one class that callers see: ``transport`` sends, ``records`` and ``reader`` read, ``actions``
change.  May import ``_model``, ``_states``, ``_scheduler`` and ``_feasibility``, and through
``libraries`` alone python-manilaclient and keystoneauth.
"""

from __future__ import annotations
