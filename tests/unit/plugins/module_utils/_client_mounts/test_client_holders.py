# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that hold mounts."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import holders


def test_mapped_files() -> None:
    maps = (
        "7f1 r--p 0 00:2d 1234   /srv/projects/lib with blank.so\n"
        "7f2 rw-p 0 00:00 0 \n"
        "7f3 rw-p 0 00:00 0      [heap]\n"
    )
    assert holders.mapped_files(maps) == [("0:45", "/srv/projects/lib with blank.so")]


def test_ten_processes_are_named() -> None:
    processes = [{"pid": pid, "command": "db", "user": "me"} for pid in range(12)]
    assert holders.holders_text(processes[:1]) == "db (pid 0, user me)"
    assert holders.holders_text(processes).endswith("db (pid 9, user me) and 2 more")
