#!/usr/bin/python
# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the report of an evacuation."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evacuation_report
short_description: Write the report of an evacuation, for people and for programs
version_added: 1.0.0
author:
  - manila.migration contributors (@manila-migration)
description:
  - Writes four files into a folder. C(report.html) is for people, one page that needs no network. C(report.json) holds the same
    for programs. C(exports.csv) is a table of old and new exports. C(client_mounts.json) holds the variable C(client_mounts_exports).
  - It needs no cloud. The role C(evacuate) uses it; for files on the controller, delegate it to C(localhost).
  - It creates a missing folder, for its owner alone. Files are replaced as a whole and keep their permissions; the umask
    decides on new ones.
options:
  result:
    description: What the role C(evacuate) sets as C(evacuate_result).
    type: dict
    required: true
  plan:
    description:
      - The plan that was carried out, as M(manila.migration.evacuation_plan) returns it. It adds what a result doesn't have, the
        projects, new share types and warnings, and the shares of share servers that were not cut over yet.
      - One that says that it is for another source, cloud or job of a workflow than the result is refused.
    type: dict
    default: {}
  expected:
    description:
      - What the result has to be of. The result of another run is refused, and nothing is written.
      - Workflows hand on results by their name alone, and one of an earlier job may come in place of the last one's.
    type: dict
    default: {}
    version_added: 1.1.0
    suboptions:
      phase:
        description: The phase of the run.
        type: str
      source:
        description: What the run emptied, as C(evacuate_source).
        type: str
      cloud:
        description: The cloud of the run, as C(evacuate_cloud). Not compared where the result does not say it.
        type: str
      workflow_job:
        description: The ID of the job of a workflow in AWX that the run was part of. Not compared where the result does not say it.
        type: str
  directory:
    description: The folder for the files.
    type: path
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Shows C(exports.csv); the other files follow from the same and are too long to be read as differences.
  idempotent:
    support: full
    details: The time in the report is that of the last run that had something else to say.
extends_documentation_fragment:
  - manila.migration.attributes.standalone
seealso:
  - module: manila.migration.evacuation
  - module: manila.migration.evacuation_plan
"""

EXAMPLES = r"""
- name: Plan how to empty a back end
  manila.migration.evacuation_plan:
    cloud: mycloud
    source: stor1@array7
    share_type_map:
      array7: array9
  register: planned

- name: Write the plan as a page for those whose shares move
  manila.migration.evacuation_report:
    result:
      source: stor1@array7
      objective: evacuate
      phase: plan
      migrations: "{{ planned.plan.migrations }}"
      unplaced: "{{ planned.plan.unplaced }}"
      pools:
        before: "{{ planned.plan.pools }}"
        after: "{{ planned.plan.pools }}"
    plan: "{{ planned.plan }}"
    directory: "{{ playbook_dir }}/report"
  delegate_to: localhost
"""

RETURN = r"""
files:
  description: Paths of the files by C(html), C(json), C(csv) and C(mounts).
  type: dict
  returned: unless an argument was wrong
  sample:
    html: /srv/report/report.html
    json: /srv/report/report.json
    csv: /srv/report/exports.csv
    mounts: /srv/report/client_mounts.json
"""

import json
import os
import tempfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.manila.migration.plugins.module_utils._model.moments import timestamp
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable
from ansible_collections.manila.migration.plugins.module_utils._report.files import (
    CSV,
    HTML,
    JSON,
    MOUNTS,
    as_files,
    complete,
    exports_for_people,
    refuse_other_result,
)


class EvacuationReport:
    """Writes the files that are not as they should be."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.folder: str = module.params["directory"]
        names = {"html": HTML, "json": JSON, "csv": CSV, "mounts": MOUNTS}
        self.files = {kind: os.path.join(self.folder, name) for kind, name in names.items()}

    def run(self) -> None:
        """Make the texts, compare, write."""
        try:
            params = self.module.params
            refuse_other_result(params["result"], params["plan"], params["expected"])
        except ValueError as error:
            self._refuse(str(error))
            return
        try:
            texts = as_files(self._report())
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._refuse(
                f"The report can't be made of what was given: {' '.join(str(error).split())}"
            )
            return
        try:
            had = {name: self._read(name) for name in texts}
            stale = [name for name, text in texts.items() if had[name] != _encoded(text)]
            if not self.module.check_mode:
                os.makedirs(self.folder, 0o700, exist_ok=True)  # it names all tenants' shares
                for name in stale:
                    self._write(name, _encoded(texts[name]))
        except OSError as error:
            self._refuse(f"The report can't be written: {error}.", files=self.files)
            return
        before = (had[CSV] or b"").decode("utf-8", "replace")
        diff = {"before": exports_for_people(before), "after": exports_for_people(texts[CSV])}
        diff["before_header"] = diff["after_header"] = self.files["csv"]
        self.module.exit_json(changed=bool(stale), files=self.files, diff=diff)

    def _refuse(self, message: str, **known: Any) -> None:
        self.module.fail_json(msg=readable(message), **known)

    def _report(self) -> dict[str, object]:
        """The report, with the time of the one that is there if that says the same."""
        params = self.module.params
        report = complete(params["result"], params["plan"], timestamp(time.time()))
        try:
            old = json.loads(self._read(JSON) or b"")
            written_at = str(old["written_at"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return report
        now = json.loads(json.dumps({**report, "written_at": written_at}))
        return dict(now) if now == old else report

    def _read(self, name: str) -> bytes | None:
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            return file.read()

    def _write(self, name: str, text: bytes) -> None:
        path = os.path.join(self.folder, name)
        handle, scratch = tempfile.mkstemp(dir=self.folder, prefix=f".{name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text)
            self.module.atomic_move(scratch, path)
        finally:
            if os.path.exists(scratch):
                os.unlink(scratch)


def _encoded(text: str) -> bytes:
    # Names may hold what UTF-8 has no form for.
    return text.encode("utf-8", "backslashreplace")


def main() -> None:
    """Run the module."""
    spec = {
        "result": {"type": "dict", "required": True},
        "plan": {"type": "dict", "default": {}},
        "expected": {
            "type": "dict",
            "default": {},
            "options": {"phase": {}, "source": {}, "cloud": {}, "workflow_job": {}},
        },
        "directory": {"type": "path", "required": True},
    }
    EvacuationReport(AnsibleModule(spec, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
