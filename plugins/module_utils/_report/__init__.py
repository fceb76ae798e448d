# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans, migrations and pools as text, as a page and as files.

``text`` has the lines of modules and roles, ``view`` what the page shows, ``html`` the page,
``files`` the files of a report.  Pure.  May import ``_model``, ``_states`` and ``_engine``.
"""

from __future__ import annotations
