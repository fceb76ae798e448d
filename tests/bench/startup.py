# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task costs before it does anything: ours that changes nothing, beside one of openstack.cloud.

Each playbook runs its task once and eleven times, in turns; ten of them are the difference, so that
the start of ansible-playbook is left out.  Beside that, what the imports of the module cost.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import openstack
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from page import spread, table, write

ROUNDS = int(os.environ.get("MANILA_BENCH_ROUNDS") or 3)
POOL = "sandbox@alpha#gold"
HEADERS = {"X-OpenStack-Manila-API-Version": "2.73"}
MODULES = "ansible_collections.manila.migration.plugins.module_utils"
IMPORTS = ("openstack", "manilaclient.v2.client", f"{MODULES}.cloud", f"{MODULES}.single")


def tasks() -> dict[str, dict[str, Any]]:
    """The tasks, by what stands in the table."""
    cloud = os.environ["OS_CLOUD"]
    return {
        "`manila.migration.share_migration`, the share is at its destination": {
            "manila.migration.share_migration": {
                "cloud": cloud,
                "share": "startup",
                "destination_pool": POOL,
                "state": "completed",
            }
        },
        "`manila.migration.share_migration_info` of one share": {
            "manila.migration.share_migration_info": {"cloud": cloud, "share": "startup"}
        },
        "`openstack.cloud.share_type_info`": {
            "openstack.cloud.share_type_info": {"cloud": cloud, "name": "standard"}
        },
    }


def run(folder: Path, task: dict[str, Any], times: int) -> float:
    """Seconds of a playbook with a task, so often."""
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task] * times}
    book = folder / "book.yml"
    book.write_text(yaml.safe_dump([play]))
    begun = time.monotonic()
    done = subprocess.run(["ansible-playbook", book], capture_output=True, text=True, check=False)
    if done.returncode or "changed=0" not in done.stdout:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return time.monotonic() - begun


def imports() -> list[list[str]]:
    """What is imported first costs most: each one in a process of its own, the best of five."""
    rows = []
    for name in IMPORTS:
        best = float("inf")
        for _try in range(5):
            found = subprocess.run(
                [sys.executable, "-X", "importtime", "-c", f"import {name}"],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]},
            )
            totals = re.findall(r"\|\s*(\d+) \| (\S.*)", found.stderr)
            best = min(best, next(int(each) for each, what in totals if what == name) / 1e6)
        rows.append([f"`{name.removeprefix(MODULES + '.')}`", f"{best:.2f}"])
    return rows


def main() -> None:
    """Measure, and write the tables."""
    connection = openstack.connect()
    manila = connection.shared_file_system
    subprocess.run([os.environ["MANILA_SANDBOX"], "reset"], check=True, capture_output=True)
    body = {
        "name": "startup",
        "size": 1,
        "share_proto": "NFS",
        "share_type": "standard",
        "scheduler_hints": {"only_host": POOL},
    }
    made = manila.post("/shares", json={"share": body}, headers=HEADERS).json()["share"]["id"]
    while manila.get(f"/shares/{made}", headers=HEADERS).json()["share"]["status"] != "available":
        time.sleep(0.5)
    found: dict[str, list[float]] = {name: [] for name in tasks()}
    with tempfile.TemporaryDirectory() as folder:
        for _round in range(ROUNDS):
            for name, task in tasks().items():
                once, often = (run(Path(folder), task, times) for times in (1, 11))
                found[name].append((often - once) / 10)
                print(name, found[name][-1], flush=True)
    last = statistics.median(found[next(reversed(found))])
    rows = [
        [name, spread(each, "{:.2f}"), f"{statistics.median(each) / last:.2f}"]
        for name, each in found.items()
    ]
    lines = [
        *table(["Task", "s", "to the last one"], rows),
        "",
        *table(["Imported alone", "s"], imports()),
    ]
    write("startup", lines)


if __name__ == "__main__":
    main()
