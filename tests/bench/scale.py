# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud with ten thousand shares: what it takes to plan for it, and to look how it stands.

The shares are rows in the database of the sandbox, written by Manila's own models; the API, and the
collection in front of it, don't know the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))

from page import table, write

SHARES = int(os.environ.get("MANILA_BENCH_ROWS") or 10_000)
REQUEST = re.compile(rb"manila\.api\.openstack\.wsgi .*\] (?:GET|POST|PUT|DELETE) ")
PHASES = ("plan", "status")

ROWS = """
import sys, uuid
import sqlalchemy
from manila.common.config import CONF
from manila.db.sqlalchemy import models
from oslo_utils import timeutils
from sqlalchemy import orm

CONF([], project="manila", default_config_files=[sys.argv[1]])
now = timeutils.utcnow()
engine = sqlalchemy.create_engine(CONF.database.connection)
with orm.Session(engine) as session:
    zone = session.query(models.AvailabilityZone).filter_by(name="nova", deleted="False").one().id
    kind = session.query(models.ShareTypes).filter_by(name="standard", deleted="False").one().id
    shares, instances = [], []
    for number in range(int(sys.argv[2])):
        share = str(uuid.uuid4())
        shares.append(dict(
            id=share, deleted="False", created_at=now, updated_at=now, user_id="u", project_id="p",
            size=1, display_name=f"row-{number:05}", share_proto="NFS", snapshot_support=True,
        ))
        instances.append(dict(
            id=str(uuid.uuid4()), share_id=share, deleted="False", created_at=now, updated_at=now,
            host="sandbox@alpha#gold", status="available", access_rules_status="active",
            availability_zone_id=zone, share_type_id=kind, scheduled_at=now, launched_at=now,
        ))
    for model, rows in ((models.Share, shares), (models.ShareInstance, instances)):
        for begin in range(0, len(rows), 1000):
            session.execute(sqlalchemy.insert(model.__table__), rows[begin:begin + 1000])
    session.commit()
"""


def sandbox(*arguments: str) -> None:
    subprocess.run([os.environ["MANILA_SANDBOX"], *arguments], check=True, capture_output=True)


def main() -> None:
    """Write the rows, run the phases that only read, and write the table."""
    sandbox("reset")
    sandbox("grow", str(max(1, SHARES // 50)))
    python = Path(os.environ["MANILA_SANDBOX_VENV"]) / "bin" / "python"
    config = Path(os.environ["OS_CLIENT_CONFIG_FILE"]).parent / "etc" / "manila.conf"
    log = Path(os.environ["MANILA_SANDBOX_LOGS"]) / "manila-api.log"
    subprocess.run([python, "-c", ROWS, config, str(SHARES)], check=True)
    sandbox("refresh")
    rows = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for phase in PHASES:
            variables = {
                "evacuate_cloud": os.environ["OS_CLOUD"],
                "evacuate_source": "sandbox@alpha",
                "evacuate_phase": phase,
                "evacuate_plan_file": str(folder / "plan.json"),
                "evacuate_report_dir": str(folder / "report"),
            }
            answers = folder / "variables.yml"
            answers.write_text(yaml.safe_dump(variables))
            logged, output = log.stat().st_size, folder / "output"
            begun = time.monotonic()
            with output.open("w") as out:
                process = subprocess.Popen(
                    ["ansible-playbook", "manila.migration.evacuate", "-e", f"@{answers}"],
                    cwd=folder,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
                _pid, status, used = os.wait4(process.pid, 0)
            wall = time.monotonic() - begun
            print(output.read_text()[-1500:])
            with log.open("rb") as lines:
                lines.seek(logged)
                requests = len(REQUEST.findall(lines.read()))
            if status:
                raise SystemExit(f"{phase}: {status}")
            rows.append(
                [
                    phase,
                    str(requests),
                    f"{wall:.0f}",
                    f"{used.ru_utime + used.ru_stime:.0f}",
                    f"{used.ru_maxrss / 1024:.0f}",
                ]
            )
    sandbox("reset")
    head = ["Phase", "Requests", "s", "Processor s of the controller", "MB of its largest process"]
    write("scale", [f"{SHARES:,} shares at one back end.", "", *table(head, rows)])


if __name__ == "__main__":
    main()
