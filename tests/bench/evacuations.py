# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to empty a back end of the sandbox: in four ways, in turns.

Shares of 1 GiB get a new share type on their way, and the driver's calls take no time.  Once they
are copied at once, so that nothing counts but what is asked for; once the driver needs some seconds
for a copy, as a fast array would.  Requests are counted where they arrive, in the log of the API.

===========================  ===============================================================
``MANILA_BENCH_ROUNDS``      how often each of them runs [3]
``MANILA_BENCH_SHARES``      how many shares those move that work in parallel [100]
``MANILA_BENCH_LOOP``        how many those move that take one after the other [3]
``MANILA_BENCH_COPIES``      seconds of a copy, with a place on the page each ["20 0"]
===========================  ===============================================================
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import openstack
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from page import spread, table, write

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("MANILA_BENCH_ROUNDS") or 3)
SHARES = int(os.environ.get("MANILA_BENCH_SHARES") or 100)
LOOP = int(os.environ.get("MANILA_BENCH_LOOP") or 3)
COPIES = (os.environ.get("MANILA_BENCH_COPIES") or "20 0").split()
PARALLEL = 10
POLL = 1.0
SOURCE, DESTINATION = "sandbox@alpha", "sandbox@gamma#gold"
OLD_TYPE, NEW_TYPE = "pinned-alpha", "replacement"
HEADERS = {"X-OpenStack-Manila-API-Version": "2.73"}
REQUEST = re.compile(r"manila\.api\.openstack\.wsgi .*\] (GET|POST|PUT|DELETE) \S+/v2(\S*)")


@dataclass(frozen=True)
class Run:
    """One evacuation: seconds by the clock, of the processor for whoever asked, and requests.

    ``busy`` is the part of all processors' time that somebody used, Manila above all.
    """

    shares: int
    wall: float
    cpu: float
    reads: int
    actions: int
    busy: float


class Bench:
    """The sandbox, and what is run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = openstack.connect()
        self.manila = self.connection.shared_file_system
        self.log = Path(os.environ["MANILA_SANDBOX_LOGS"]) / "manila-api.log"

    def sandbox(self, *arguments: str) -> None:
        subprocess.run([os.environ["MANILA_SANDBOX"], *arguments], check=True, capture_output=True)

    def shares(self) -> list[dict[str, Any]]:
        listed = self.manila.get("/shares/detail?all_tenants=1", headers=HEADERS)
        return list(listed.json()["shares"])

    def fill(self, count: int, copy: str) -> list[str]:
        """An empty cloud with some shares at the source."""
        self.sandbox("reset")
        speeds = {"--copy-seconds": copy, "--complete-seconds": "0", "--call-seconds": "0"}
        self.sandbox("speed", *chain(*speeds.items()))

        def make(number: int) -> None:
            body = {
                "name": f"share-{number:03}",
                "size": 1,
                "share_proto": "NFS",
                "share_type": OLD_TYPE,
            }
            answer = self.manila.post("/shares", json={"share": body}, headers=HEADERS)
            answer.raise_for_status()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(make, range(count)))
        while any(one["status"] != "available" for one in self.shares()):
            time.sleep(1)
        self.sandbox("refresh")
        return [one["id"] for one in self.shares()]

    def measure(self, command: Callable[[Sequence[str]], list[str]], count: int, copy: str) -> Run:
        """Run a command for new shares, and see that it has moved them."""
        shares = self.fill(count, copy)
        logged = self.log.stat().st_size
        output = self.folder / "output"
        begun, ticks = time.monotonic(), _ticks()
        with output.open("w") as out:
            process = subprocess.Popen(
                command(shares), cwd=self.folder, stdout=out, stderr=subprocess.STDOUT
            )
            _pid, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        idle, spent = (after - before for before, after in zip(ticks, _ticks()))
        requests = self._requests(logged)
        places = Counter((one["host"], one["share_type_name"]) for one in self.shares())
        if status or places != {(DESTINATION, NEW_TYPE): count}:
            raise SystemExit(f"{output.read_text()[-3000:]}\n{status}: {places}")
        print(output.read_text()[-2000:], flush=True)  # where a playbook's time went
        actions = sum(
            each
            for (method, path), each in requests.items()
            if method != "GET" and "/action" in path
        )
        reads = sum(each for (method, _path), each in requests.items() if method == "GET")
        cpu = used.ru_utime + used.ru_stime
        return Run(count, wall, cpu, reads, actions, 1 - idle / spent)

    def seconds_a_read(self) -> float:
        """What it takes to read one share, while nothing else is asked for."""
        path = f"/shares/{self.shares()[0]['id']}"
        begun = time.monotonic()
        for _number in range(100):
            self.manila.get(path, headers=HEADERS)
        return (time.monotonic() - begun) / 100

    def _requests(self, offset: int) -> Counter[tuple[str, str]]:
        with self.log.open("rb") as log:
            log.seek(offset)
            found = REQUEST.findall(log.read().decode())
        return Counter((method, path.partition("?")[0]) for method, path in found)


def _ticks() -> tuple[int, int]:
    """Of all processors since the boot: idle or waiting for a disk, and in sum; see proc(5)."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def floor(shares: Sequence[str]) -> list[str]:
    program = [sys.executable, str(HERE / "floor.py"), DESTINATION, NEW_TYPE]
    return [*program, str(PARALLEL), str(POLL), *shares]


def _playbook(book: str, folder: Path, variables: dict[str, Any]) -> list[str]:
    answers = folder / "variables.yml"
    answers.write_text(yaml.safe_dump(variables))
    return ["ansible-playbook", book, "-e", f"@{answers}"]


def collection(folder: Path, _shares: Sequence[str]) -> list[str]:
    return _playbook(
        "manila.migration.evacuate",
        folder,
        {
            "evacuate_cloud": os.environ["OS_CLOUD"],
            "evacuate_source": SOURCE,
            "evacuate_destinations": [DESTINATION],
            "evacuate_share_type_map": {OLD_TYPE: NEW_TYPE},
            "evacuate_phase": "all",
            "evacuate_max_parallel": PARALLEL,
            "evacuate_max_parallel_per_pool": PARALLEL,
            "evacuate_poll_interval": POLL,
            "evacuate_report_dir": str(folder / "report"),
        },
    )


def loop(folder: Path, shares: Sequence[str]) -> list[str]:
    variables = {
        "bench_pool": DESTINATION,
        "bench_type": NEW_TYPE,
        "bench_poll": POLL,
        "bench_shares": list(shares),
    }
    return _playbook(str(HERE / "loop.yml"), folder, variables)


def shell(shares: Sequence[str]) -> list[str]:
    return [str(HERE / "loop.sh"), DESTINATION, NEW_TYPE, str(POLL), *shares]


def main() -> None:
    """Measure in turns, and write the table."""
    os.environ["ANSIBLE_CALLBACKS_ENABLED"] = "ansible.posix.profile_tasks"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bench = Bench(folder)
        ways: dict[str, tuple[Callable[[Sequence[str]], list[str]], int]] = {
            "a. the floor: a bare script with threads": (floor, SHARES),
            "b. this collection: `manila.migration.evacuate`": (
                lambda shares: collection(folder, shares),
                SHARES,
            ),
            "c. a playbook that loops over one module": (lambda shares: loop(folder, shares), LOOP),
            "d. a shell loop around the client": (shell, LOOP),
        }
        for copy in COPIES:
            runs: dict[str, list[Run]] = defaultdict(list)
            for _round in range(ROUNDS):
                for name, (command, count) in ways.items():
                    runs[name].append(bench.measure(command, count, copy))
                    print(name, runs[name][-1], flush=True)
            write(f"evacuations {copy}", report(runs, bench.seconds_a_read()))
        bench.sandbox("reset")


def report(runs: dict[str, list[Run]], read: float) -> list[str]:
    """The table: seconds, ratios to the first one and to this collection, requests."""
    walls = _medians(runs, lambda one: one.wall)
    rows = []
    for (name, found), middle in zip(runs.items(), walls):
        rows.append(
            [
                name,
                str(found[0].shares),
                spread([one.wall for one in found]),
                f"{middle:.2f}",
                f"{middle / walls[0]:.2f}",
                f"{middle / walls[1]:.1f}",
                f"{statistics.median(one.actions / one.shares for one in found):.1f}",
                f"{statistics.median(one.reads / one.shares for one in found):.1f}",
                f"{statistics.median(one.cpu / one.shares for one in found):.2f}",
            ]
        )
    head = (
        "Way, Shares, s, s a share, to a, to b, Actions a share, Reads a share, Processor s a share"
    )
    return [
        f"{ROUNDS} runs of each, in turns: the median, and the range. a and b run {PARALLEL} migrations "
        f"in parallel. All poll every {POLL:.0f} s.",
        "",
        *table(head.split(", "), rows),
        "",
        f"b takes {more(runs):.2f} s a share more than a. It sends {asked(runs):.1f} more reads, which take "
        f"{read * asked(runs):.2f} s ({1000 * read:.0f} ms each on an idle machine). It needs "
        f"{computed(runs):.2f} s more of the processor, most of it for the start of Ansible's tasks, whose number "
        "doesn't grow with the shares. Neither costs time while other shares are being copied. "
        "Manila, its database and the clients share the processors of this machine, which were "
        f"{100 * busy(runs):.0f} % busy in a. Even the floor is only {walls[-1] / walls[0]:.2f} times as "
        "fast as d.",
    ]


def _medians(runs: dict[str, list[Run]], each: Callable[[Run], float]) -> list[float]:
    return [statistics.median(each(one) / one.shares for one in found) for found in runs.values()]


def more(runs: dict[str, list[Run]]) -> float:
    """Seconds a share that this collection takes more than the floor."""
    first, ours, *_loops = _medians(runs, lambda one: one.wall)
    return ours - first


def asked(runs: dict[str, list[Run]]) -> float:
    """Reads a share that it sends more."""
    first, ours, *_loops = _medians(runs, lambda one: one.reads)
    return ours - first


def computed(runs: dict[str, list[Run]]) -> float:
    """Seconds of the processor a share that it needs more."""
    first, ours, *_loops = _medians(runs, lambda one: one.cpu)
    return ours - first


def busy(runs: dict[str, list[Run]]) -> float:
    """The part of the machine's time that was used in the floor's runs."""
    return statistics.median(one.busy for one in next(iter(runs.values())))


if __name__ == "__main__":
    main()
