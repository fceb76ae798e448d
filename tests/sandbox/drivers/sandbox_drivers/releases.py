# SPDX-License-Identifier: GPL-3.0-or-later
"""What the releases of Manila call differently. Which one this is shows in what it has."""

from __future__ import annotations

from manila import db

#: the name in db/api.py of the function that lists the share instances of a host; 15.1 has the other
INSTANCES_BY_HOST = next(
    name
    for name in ("share_instance_get_all_by_host", "share_instances_get_all_by_host")
    if hasattr(db, name)
)
instances_by_host = getattr(db, INSTANCES_BY_HOST)
