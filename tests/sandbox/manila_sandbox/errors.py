# SPDX-License-Identifier: GPL-3.0-or-later
"""The one kind of failure that reaches the user as a sentence and not as a traceback."""

from __future__ import annotations

from pathlib import Path

_TAIL_LINES = 15


class SandboxError(Exception):
    """A foreseen problem: one sentence, and where there is one the log file to read."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log

    def report(self) -> str:
        """Return the sentence, the path of the log and the log's last lines."""
        lines = [f"sandbox: {self}"]
        if self.log is not None and self.log.exists():
            lines.append(f"sandbox: the log is {self.log}; its last lines:")
            text = self.log.read_text(encoding="utf-8", errors="replace")
            lines += [f"    {line}" for line in text.splitlines()[-_TAIL_LINES:]]
        return "\n".join(lines)
