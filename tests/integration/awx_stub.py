# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of AWX's API as the modules of awx.awx need: it keeps what they make, and runs nothing.

How AWX makes the variables of a job of a template, its survey, the answers and what earlier jobs
of a workflow have set is repeated from AWX 24.6, ``_update_unified_job_kwargs`` in
awx/main/models/mixins.py and ``get_job_kwargs`` in awx/main/models/workflow.py.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = "/api/v2/"
TEMPLATES = ("job_templates", "workflow_job_templates")

Item = dict[str, Any]


class Awx:
    """The objects by their kinds, as the API names these."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[Item]] = {"organizations": []}
        self.associated: dict[str, list[int]] = {}
        self.create("organizations", {"name": "Default"})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Api", (_Api,), {"awx": self}))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()

    def named(self, kind: str, name: str) -> Item:
        """One object."""
        return next(one for one in self.kinds[kind] if one["name"] == f"manila.migration {name}")

    def find(self, kind: str, query: dict[str, str]) -> list[Item]:
        """The objects that a query means."""
        kinds = TEMPLATES if kind == "unified_job_templates" else [kind]
        return [
            one
            for each in kinds
            for one in self.kinds.get(each, [])
            if all(str(one.get(key)) == value for key, value in query.items())
        ]

    def create(self, kind: str, content: Item) -> Item:
        """Add an object."""
        items = self.kinds.setdefault(kind, [])
        number = sum(map(len, self.kinds.values())) + 1
        url = f"{ROOT}{kind}/{number}/"
        item = {
            **content,
            "id": number,
            "type": kind.removesuffix("s"),
            "url": url,
            "related": {"survey_spec": f"{url}survey_spec/"},
            "summary_fields": {},
            "scm_revision": "",
        }
        items.append(item)
        return item

    def edges(self) -> set[tuple[str, str, str]]:
        """The workflow as (node, when, next node)."""
        nodes = {one["id"]: one for one in self.kinds["workflow_job_template_nodes"]}
        return {
            (node["identifier"], when, nodes[number]["identifier"])
            for node in nodes.values()
            for when in ("success_nodes", "failure_nodes", "always_nodes")
            for number in self.associated.get(f"{node['url']}{when}/", [])
        }


class _Api(BaseHTTPRequestHandler):
    awx: Awx

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Lists, objects, what is associated, surveys."""
        kind, item, sub = self._meant()
        query = dict(parse_qsl(urlsplit(self.path).query))
        if sub == "survey_spec":
            self._answer(200, item.get("survey_spec", {}))
        elif sub:
            known = self.awx.associated.get(self.path, [])
            self._list([{"id": number} for number in known])
        elif item:
            self._answer(200, item)
        else:
            self._list(self.awx.find(kind, query))

    def do_POST(self) -> None:
        """Make an object, associate one, set a survey, make an approval."""
        kind, item, sub = self._meant()
        content = self._content()
        if sub == "survey_spec":
            item["survey_spec"] = content
            self._answer(200, {})
        elif sub == "create_approval_template":
            made = self.awx.create("workflow_approval_templates", content)
            item["related"]["unified_job_template"] = made["url"]
            self._answer(201, made)
        elif sub:
            self.awx.associated.setdefault(self.path, []).append(content["id"])
            self._answer(204, None)
        else:
            self._answer(201, self.awx.create(kind, content))

    def do_PATCH(self) -> None:
        """Change an object."""
        item = self._meant()[1]
        item.update(self._content())
        self._answer(200, item)

    def _meant(self) -> tuple[str, Item, str]:
        kind, number, sub, *_none = [*urlsplit(self.path).path[len(ROOT) :].split("/"), "", ""]
        found = self.awx.find(kind, {"id": number}) if number else []
        return kind, found[0] if found else {}, sub

    def _content(self) -> Item:
        content: Item = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return content

    def _list(self, items: list[Item]) -> None:
        self._answer(200, {"count": len(items), "next": None, "results": items})

    def _answer(self, status: int, content: Item | None) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _is_answer(question: Item, value: object) -> bool:
    """Whether AWX takes this for an answer, `_survey_element_validation` in the same file."""
    kind = question["type"]
    if kind in ("text", "textarea", "password"):
        return isinstance(value, str) and len(value) >= question.get("min", 0)
    if kind in ("integer", "float"):
        numbers = int if kind == "integer" else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if kind == "multiselect":
        return isinstance(value, list) and set(value) <= set(question["choices"])
    return value in question["choices"]


def answered(template: Item, answers: Item) -> Item:
    """The variables of a template, with the defaults of its survey and these answers."""
    variables: Item = json.loads(template.get("extra_vars") or "{}")
    for question in template.get("survey_spec", {}).get("spec", []):
        name, default = question["variable"], question["default"]
        if _is_answer(question, default):
            variables[name] = default
        assert name not in answers or _is_answer(question, answers[name]), question
    return {**variables, **answers}
