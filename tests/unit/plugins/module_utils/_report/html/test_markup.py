# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that is put into an element becomes an element."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable
from ansible_collections.manila.migration.plugins.module_utils._report.html.markup import (
    LINE_BREAK,
    document,
    tag,
    verbatim,
)


class Reader(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[object] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        if self.found and isinstance(self.found[-1], str):
            data = self.found.pop() + data  # the parser hands out texts in pieces
        self.found.append(data)


@given(st.text(min_size=1), st.text())
def test_text_and_attributes_come_back_as_text_and_attributes(inside, attribute):
    found = Reader(tag("p", inside, title=attribute)).found
    assert found == [("p", [("title", readable(attribute))]), readable(inside)]


def test_what_is_glued_together_is_escaped_again():
    assert tag("p", f"{tag('b', 'x')}") == "<p>&lt;b&gt;x&lt;/b&gt;</p>"
    assert tag("p", tag("b", "x") + "<i>") == "<p>&lt;b&gt;x&lt;/b&gt;&lt;i&gt;</p>"


def test_children_of_all_kinds():
    parts = tag("p", None, 1, 2.5, ["a", [tag("br"), "<"]], (tag("i", n) for n in (1, 2)))
    assert parts == "<p>12.5a<br>&lt;<i>1</i><i>2</i></p>"


def test_names_of_attributes():
    made = tag(
        "a", class_="x", aria_label="y", hidden=True, open=False, id=None, name="n", data_n=0
    )
    assert made == '<a class="x" aria-label="y" hidden name="n" data-n="0"></a>'


def test_a_line_of_the_page_is_broken_by_the_page_only():
    assert tag("p", "a\nb", LINE_BREAK, "c\u202e") == "<p>a\\u000ab\nc\\u202e</p>"


@pytest.mark.parametrize("text", ["a </script> b", "<!-- x"])
def test_a_script_can_not_end_itself(text):
    with pytest.raises(ValueError, match="would end it"):
        verbatim("script", text)
    assert verbatim("script", "1 < 2") == "<script>1 < 2</script>"


def test_a_page():
    assert document(tag("body", "&")) == (
        '<!DOCTYPE html>\n<html lang="en"><body>&amp;</body></html>\n'
    )
