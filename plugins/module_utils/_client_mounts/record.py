# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file on the client in which unmounted mounts are written down.  Imports `discovery`, `system`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.discovery import Entry
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import (
    ClientError,
    System,
)


class Record:
    """The entries, in the order of mounting; a change is written at once.

    Only root can read the file: options may hold a password.
    """

    def __init__(self, system: System, path: str) -> None:
        self.system = system
        self.path = path
        self.entries = self._read()

    def _read(self) -> list[Entry]:
        try:
            text = self.system.read_text(self.path)
        except FileNotFoundError:
            return []
        except OSError as error:
            if not self.system.is_root():
                return []  # nothing is changed then, and what is mounted is found without it
            raise ClientError(f"record: {self.path} cannot be read: {error.strerror}.") from None
        try:
            return [Entry(**entry) for entry in json.loads(text)["mounts"]]
        except (ValueError, KeyError, TypeError):
            raise ClientError(
                f"record: {self.path} must be a record of unmounted mounts, and is none."
            ) from None

    def keys(self) -> set[tuple[str, str]]:
        """Return the shares and targets that are written down."""
        return {entry.key for entry in self.entries}

    def add(self, entries: Iterable[Entry]) -> list[Entry]:
        """Write down mounts; of several over each other the last.  Returns those that are new."""
        known = self.keys()
        new = list({entry.key: entry for entry in entries if entry.key not in known}.values())
        self.replace([*self.entries, *new])
        return new

    def replace(self, entries: list[Entry]) -> None:
        """Keep just these."""
        if entries == self.entries:
            return
        self.entries = entries
        if not entries:
            self.system.remove(self.path)
            return
        text = json.dumps({"version": 1, "mounts": [entry.as_dict() for entry in entries]})
        self.system.write_text(self.path, text, secret=True)
