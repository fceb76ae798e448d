# SPDX-License-Identifier: GPL-3.0-or-later
"""Share drivers of the sandbox and the launcher of its services; run by the sandbox's Python."""

from __future__ import annotations
