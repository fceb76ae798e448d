# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in a real browser: what is seen, what can be done with it, and what names can't do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium, program

from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable
from ansible_collections.manila.migration.plugins.module_utils._report.files import complete
from ansible_collections.manila.migration.plugins.module_utils._report.html.page import page
from ansible_collections.manila.migration.tests.unit.plugins.module_utils.reports import (
    NASTY,
    make_report,
)

pytestmark = pytest.mark.skipif(
    program() is None, reason="no Chromium is here; tools/browser installs Debian's for root"
)

DESKTOP, PHONE = (1280, 900), (390, 844)
PHASES = ("plan", "copy", "cutover", "all", "cancel", "status")
SHOWN = "[...document.querySelectorAll('#migrations tbody')].filter(one => one.offsetHeight)"
WAYS = "[...document.querySelectorAll('#timeline li')].filter(one => one.offsetHeight)"
# As a person does: something is put in, and the picture after it is waited for.
STEP = """(async () => {
  %s;
  document.body.offsetHeight;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
})()"""
TYPE = "(i => { i.value = %r; i.dispatchEvent(new Event('input')); })(document.getElementById('filter'))"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def show(chromium: Chromium, tmp_path: Path) -> Iterator[Callable[..., Chromium]]:
    """Opens a made-up report, and sees to it that the page kept its peace."""

    def call(
        count: int, phase: str = "all", *, nasty: bool = False, size: tuple[int, int] = DESKTOP
    ) -> Chromium:
        result, plan = make_report(count, phase, nasty=nasty)
        file = tmp_path / "report.html"
        file.write_text(page(complete(result, plan, "2026-11-18T14:00:00Z")), encoding="utf-8")
        chromium.resize(*size)
        chromium.prefer()
        chromium.open(file)
        return chromium

    yield call
    assert (chromium.console, chromium.requests, chromium.dialogs) == ([], [], [])


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(("count", "phase"), [(0, "all"), *((30, phase) for phase in PHASES)])
def test_every_phase_is_shown_and_nothing_sticks_out(
    show: Callable[..., Chromium], count: int, phase: str, size: tuple[int, int]
) -> None:
    browser = show(count, phase, nasty=True, size=size)
    assert browser.eval("document.querySelector('h1').textContent") == "Evacuation of stor1@array7"
    assert browser.eval(f"{SHOWN}.length") == count
    assert browser.eval(f"{WAYS}.length > 0") == (count > 0 and phase != "plan")
    assert browser.eval("document.documentElement.scrollWidth") <= size[0]
    # Nothing of the body is cut off at the side either.
    outside = (
        "[...document.querySelectorAll('main *')].filter(one => !one.closest('.lane, .hidden, thead, #timeline .who')"
        " && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML)"
    )
    assert browser.eval(outside) == []


def test_names_stay_names(show: Callable[..., Chromium]) -> None:
    browser = show(40, nasty=True)
    names = browser.eval(
        "[...document.querySelectorAll('#migrations .name')].map(one => one.textContent)"
    )
    assert set(map(readable, NASTY)) <= {one.partition("/")[0] for one in names} | set(names)
    assert browser.eval("document.scripts.length") == 1
    made = "[...new Set([...document.querySelectorAll('body *')].map(one => one.localName))]"
    assert not {"img", "svg", "style", "title", "a", "iframe"} & set(browser.eval(made))
    handlers = "[...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => /^on/.test(a.name)))"
    assert browser.eval(handlers) is False


def test_a_script_that_got_in_all_the_same_would_not_run(
    chromium: Chromium, tmp_path: Path
) -> None:
    result, plan = make_report(3)
    text = page(complete(result, plan, "2026-11-18T14:00:00Z"))
    doors = "<script>document.title = 'in'</script><img src='http://192.0.2.1/x' onerror=\"document.title = 'in'\">"
    file = tmp_path / "report.html"
    file.write_text(text.replace("<main>", f"<main>{doors}"), encoding="utf-8")
    chromium.open(file)
    assert chromium.eval("document.title") == "Evacuation of stor1@array7"
    # It said so, and asked for nothing.
    assert any("Content Security Policy" in one for one in chromium.console)
    assert not [one for one in chromium.requests if not one.startswith("data:")]
    chromium.console.clear()


def test_filter_and_chips(show: Callable[..., Chromium]) -> None:
    browser = show(50)
    one = browser.eval("document.querySelector('#migrations .id').textContent")
    browser.eval(TYPE % one[:20].upper())
    assert browser.eval(f"{SHOWN}.length") == browser.eval(f"{WAYS}.length") == 1
    assert browser.eval("document.getElementById('shown').textContent") == "1 of 50 migrations"
    browser.eval(TYPE % "192.0.2. pool2")  # every word, wherever it is
    several = browser.eval(f"{SHOWN}.map(one => one.textContent)")
    assert 1 < len(several) < 50 and all("192.0.2." in one and "pool2" in one for one in several)
    browser.eval(TYPE % "nothing of this name")
    assert browser.eval(f"{SHOWN}.length") == 0
    browser.eval(TYPE % "")
    browser.eval("document.querySelector('.chips [data-state=failed]').click()")
    failed = browser.eval(f"{SHOWN}.map(one => one.querySelector('.state').textContent)")
    assert failed == ["✕ Failed"] * 4
    assert (
        browser.eval("document.querySelector('.chips [aria-pressed=true]').dataset.state")
        == "failed"
    )
    browser.eval("document.querySelector('.chips [data-state=\"\"]').click()")
    assert browser.eval(f"{SHOWN}.length") == 50


def test_sorting(show: Callable[..., Chromium]) -> None:
    browser = show(50)
    column = "{0}.map(one => one.rows[0].cells[{1}].{2})"

    def values(index: int, what: str = "textContent.trim()") -> Any:
        return browser.eval(column.format(SHOWN, index, what))

    def click(index: int) -> None:
        browser.eval(f"document.querySelector('thead [data-column=\"{index}\"]').click()")

    click(2)
    sizes = [int(one) for one in values(2, "dataset.value")]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    click(2)
    assert [int(one) for one in values(2, "dataset.value")] == sorted(sizes, reverse=True)
    assert browser.eval("document.querySelector('[aria-sort]').ariaSort") == "descending"
    click(0)
    assert values(0)[:4] == ["✕ Failed"] * 4
    # The shares of a share server stay with it.
    servers = browser.eval(
        f"{SHOWN}.filter(one => one.rows.length > 1).map(one => one.rows.length)"
    )
    assert servers == [4] * 4
    browser.eval(
        "(s => { s.value = '1'; s.dispatchEvent(new Event('change')); })(document.getElementById('order'))"
    )
    names = values(1, "querySelector('.name').textContent")
    assert (
        names[0] < names[-1]
        and browser.eval("document.querySelectorAll('[aria-sort]').length") == 1
    )


def test_two_thousand_are_no_burden(show: Callable[..., Chromium]) -> None:
    browser = show(2000)
    browser.eval(STEP % "0")  # the first picture
    steps = {
        "filter": TYPE % "billing",
        "more": TYPE % "billing data",
        "all again": TYPE % "",
        "sort": "document.querySelector('thead [data-column=\"1\"]').click()",
    }
    took = {}
    for name, step in steps.items():
        before = browser.work()
        browser.eval(STEP % step)
        took[name] = browser.work() - before
    print({name: f"{value:.2f} s" for name, value in took.items()})
    assert browser.eval(f"{SHOWN}.length") == 2000
    assert all(0 < value < 1 for value in took.values()), took


def test_it_prints(show: Callable[..., Chromium]) -> None:
    browser = show(50)
    paper = browser.pdf()
    assert paper.startswith(b"%PDF") and paper.count(b"/Type /Page\n") in range(3, 20)
    browser.prefer(media="print")
    assert browser.eval("getComputedStyle(document.querySelector('.chips')).display") == "none"
    assert (
        browser.eval("getComputedStyle(document.getElementById('timeline')).overflow") == "visible"
    )


def test_it_is_dark_where_that_is_asked_for(show: Callable[..., Chromium]) -> None:
    browser = show(5)
    colour = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    assert browser.eval(colour) > 200
    browser.prefer("dark")
    assert browser.eval(colour) < 60


def test_it_can_be_read_out(show: Callable[..., Chromium]) -> None:
    """Headings in order, tables with captions and scopes, names of what can be operated."""
    browser = show(50)
    levels = browser.eval(
        "[...document.querySelectorAll('h1,h2,h3')].map(one => Number(one.localName[1]))"
    )
    assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    assert browser.eval("[...document.querySelectorAll('table')].every(one => one.caption)")
    assert browser.eval("[...document.querySelectorAll('th')].every(one => one.scope)")
    assert browser.eval("document.documentElement.lang") == "en"
    tree = browser.send("Accessibility.getFullAXTree")["nodes"]
    roles = [one.get("role", {}).get("value") for one in tree]
    assert roles.count("table") == 3 and roles.count("columnheader") >= 13, Counter(roles)
    operable = [
        one
        for one, role in zip(tree, roles)
        if role in ("button", "searchbox", "combobox", "region")
    ]
    assert len(operable) > 15
    assert all(one.get("name", {}).get("value") for one in operable)
    # The timeline in words.
    lanes = browser.eval(
        "[...document.querySelectorAll('#timeline li .lane')].map(one => one.ariaLabel)"
    )
    assert len(lanes) > 40 and all("copied 2026-" in one for one in lanes)


def test_it_says_everything_without_its_script(
    show: Callable[..., Chromium], chromium: Chromium
) -> None:
    chromium.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser = show(20)
    finally:
        chromium.send("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.eval(f"{SHOWN}.length") == 20
    assert browser.eval("document.getElementById('tools').hidden")
