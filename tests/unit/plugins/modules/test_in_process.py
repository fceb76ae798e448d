# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""That the tools of these tests are strict."""

from __future__ import annotations

from contextlib import suppress
from types import ModuleType

import pytest

from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process
from ansible_collections.manila.migration.tests.unit.plugins.scripted import Session


def test_the_script_itself_is_strict():
    """What a product would catch, the script doesn't let it."""
    session = Session()
    session.expect("GET", "/services")
    with pytest.raises(pytest.fail.Exception, match="GET /shares was sent"), suppress(Exception):
        session.request("/shares", "GET")
    with pytest.raises(AssertionError, match="GET /shares was sent"):
        session.close_script()
    session = Session()
    session.expect("PUT", "/services/enable", body={"host": "a"})
    with pytest.raises(pytest.fail.Exception, match="was sent with"):
        session.request("/services/enable", "PUT", json={"host": "b"})
    session = Session()
    session.expect("GET", "/services")
    with pytest.raises(AssertionError, match="never sent"):
        session.close_script()


RETURN = """
name:
  description: A name.
  type: str
copies:
  description: Copies.
  type: list
  contains:
    id:
      description: An ID.
      type: str
"""


@pytest.fixture
def module():
    module = ModuleType("anything")
    module.RETURN = RETURN
    return module


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        ({"nom": "a"}, "doesn't document nom"),
        ({"name": 5}, "name is 5"),
        ({"copies": [{"id": "a"}, {"id": "b", "at": "c"}]}, "doesn't document copies.at"),
        ({"copies": [{"id": ["a"]}]}, "copies.id is"),
    ],
)
def test_a_key_that_is_not_documented_fails(module, result, complaint):
    with pytest.raises(AssertionError, match=complaint):
        in_process.check_documented(module, result)


def test_a_documented_key_that_is_missing_fails(module):
    in_process.check_documented(module, {"name": None, "copies": [{"id": "a"}], "changed": True})
    in_process.check_complete(module, {"name": "a", "copies": []})
    in_process.check_complete(module, {"copies": []}, without={"name"})
    for result in ({"name": "a"}, {"name": "a", "copies": [{"id": "a"}, {}]}):
        with pytest.raises(AssertionError, match="documented, and not returned"):
            in_process.check_complete(module, result)
