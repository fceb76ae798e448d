# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: the least that anybody must send to move shares, by threads, without any care.

``floor.py POOL TYPE PARALLEL POLL ID …`` keeps PARALLEL migrations at work, polls one list, and
completes what is copied.  No look before, no check afterwards, nothing that is waited for in vain.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openstack

HEADERS = {
    "X-OpenStack-Manila-API-Version": "2.73",
    "X-OpenStack-Manila-API-Experimental": "true",
}
COPIED, MOVED = "migration_driver_phase1_done", "migration_success"


def main(pool: str, new_type: str, parallel: int, poll: float, shares: Sequence[str]) -> None:
    """Move them all."""
    connection = openstack.connect()
    manila = connection.shared_file_system

    def act(share: str, action: str, body: Any) -> None:
        answer = manila.post(f"/shares/{share}/action", json={action: body}, headers=HEADERS)
        answer.raise_for_status()

    types = manila.get("/types", headers=HEADERS).json()["share_types"]
    start = {
        "host": pool,
        "new_share_type_id": next(one["id"] for one in types if one["name"] == new_type),
        "new_share_network_id": None,
        "force_host_assisted_migration": False,
        **dict.fromkeys(
            ("preserve_metadata", "writable", "nondisruptive", "preserve_snapshots"), False
        ),
    }
    waiting, at_work, completing = list(shares), set[str](), set[str]()
    with ThreadPoolExecutor(parallel) as threads:
        while waiting or at_work:
            sent = []
            while waiting and len(at_work) < parallel:
                share = waiting.pop()
                at_work.add(share)
                sent.append(threads.submit(act, share, "migration_start", start))
            for one in sent:
                one.result()
            time.sleep(poll)
            listed = manila.get("/shares/detail?all_tenants=1", headers=HEADERS).json()["shares"]
            sent = []
            for one in listed:
                if one["id"] not in at_work:
                    continue
                if one["task_state"] == "migration_error":
                    raise SystemExit(f"{one['id']}: {one['task_state']}")
                if one["task_state"] == COPIED and one["id"] not in completing:
                    completing.add(one["id"])
                    sent.append(threads.submit(act, one["id"], "migration_complete", None))
                if one["task_state"] == MOVED:
                    at_work.discard(one["id"])
            for answer in sent:
                answer.result()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
