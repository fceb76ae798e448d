# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page without requests: ``page`` puts together what the other files render.

``view`` says what is shown, a file for each section makes elements of that.  ``markup`` alone writes
tags, and escapes whatever is in them.  Pure.
"""

from __future__ import annotations
