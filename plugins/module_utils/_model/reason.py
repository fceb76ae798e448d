# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reason: a stable code and a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable


@dataclass(frozen=True)
class Reason:
    """Why something can't be done, will lose something, or waits: a stable code and a sentence."""

    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The form in which modules return it."""
        return {"code": self.code, "message": readable(self.message)}
