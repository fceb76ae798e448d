# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page: for customers and managers, on paper, on a phone, in a mail.  Pure.

It asks for nothing over the network, and may not: its policy allows the one script that is in it.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._model.kinds import (
    HOST,
    SHARE_REPLICA,
    SHARE_SERVER,
)
from ansible_collections.manila.migration.plugins.module_utils._model.wording import many
from ansible_collections.manila.migration.plugins.module_utils._report.html_assets import (
    SCRIPT,
    STYLE,
)
from ansible_collections.manila.migration.plugins.module_utils._report.markup import (
    LINE_BREAK,
    Child,
    Markup,
    document,
    tag,
    verbatim,
)
from ansible_collections.manila.migration.plugins.module_utils._report.text import (
    called,
    duration,
    gib,
)
from ansible_collections.manila.migration.plugins.module_utils._report.view import (
    BARS,
    FORESEEN,
    LEGEND,
    LOOKS,
    VERBS,
    VERDICTS,
    Axis,
    Bar,
    Entry,
    Moments,
    bars_of,
    clock,
    join_names,
    moments_of,
    next_steps,
    state_of,
    tally,
    title_of,
    verdict,
    when,
)
from ansible_collections.manila.migration.plugins.module_utils._states.tables import COPYING


def page(report: Entry) -> str:
    """The whole page.  Whatever is missing in the report is left out of it."""
    digest = b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = title_of(report)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        verbatim("style", STYLE),
    )
    body = tag(
        "body",
        _header(report, title),
        tag(
            "main",
            _summary(report),
            _next_steps(report),
            _failures(report),
            _unplaced(report),
            _remaining(report),
            _pools(report),
            _migrations(report),
            _notes(report),
        ),
        _footer(report),
        verbatim("script", SCRIPT),
    )
    return document(head, body)


def _header(report: Entry, title: str) -> Markup:
    phase = str(report.get("phase") or "")
    written = when(report.get("written_at"))
    moments = moments_of(report)
    facts: list[Child] = [tag("span", "Phase ", tag("b", phase))] if phase else []
    if moments:
        facts.append(tag("span", _span(min(moments), max(moments))))
    if written is not None:
        facts.append(tag("span", f"Written {clock(written)} UTC"))
    kind, sentence = verdict(report)
    return tag(
        "header",
        tag("p", "OpenStack Manila", class_="over"),
        tag("h1", tag("bdi", title)),
        tag("p", facts, class_="facts"),
        tag(
            "p",
            tag("span", VERDICTS[kind], aria_hidden="true"),
            " ",
            sentence,
            class_=f"verdict {kind}",
        ),
    )


def _summary(report: Entry) -> Markup:
    migrations = join_names(report, "migrations")
    counts = tally(report)
    planned = report.get("phase") == "plan"
    total = len(migrations)
    size = sum(_number(one.get("size_gb")) for one in migrations)
    done = sum(
        _number(one.get("size_gb"))
        for one in migrations
        if state_of(one) in ("copied", "completed")
    )
    shares = sum(
        len(join_names(one, "shares")) if one.get("kind") == SHARE_SERVER else 1
        for one in migrations
    )
    tiles = [
        _tile(
            "To move" if planned else "Moved",
            str(total) if planned else f"{counts['completed']} of {total}",
            _kinds(migrations, shares),
        ),
        _tile(
            "Data" if planned else "Data copied",
            f"{_amount(size)} GiB" if planned else f"{_amount(done)} of {_amount(size)} GiB",
            "",
        ),
    ]
    tiles += [_tile("Failed", str(counts["failed"]), "", bad=True)] if counts["failed"] else []
    unplaced = join_names(report, "unplaced")
    stays = "stays where it is" if len(unplaced) == 1 else "stay where they are"
    tiles += [_tile("Can't move", str(len(unplaced)), stays, bad=True)] if unplaced else []
    tiles += _times(report, migrations, done)
    return _section("summary", "Summary", tag("dl", tiles, class_="tiles"), _outcome(counts))


def _times(report: Entry, migrations: Sequence[Entry], done: float) -> list[Markup]:
    moments = [Moments.of(one) for one in migrations]
    known = moments_of(report)
    copied = [one for one in moments if one.copied is not None and one.started is not None]
    tiles = []
    if known and max(known) > min(known):
        # From the first start to the last copy: a wait for the night is no slow copy.
        seconds = _between(
            min((one.started or 0 for one in copied), default=None),
            max((one.copied or 0 for one in copied), default=None),
        )
        note = (
            f"copying {1024 * done / seconds:,.0f} MiB/s together" if done and seconds > 0 else ""
        )
        tiles.append(_tile("Duration", duration(max(known) - min(known)), note))
    if report.get("rate"):
        tiles.append(_tile("Rate", f"{gib(report['rate'])} MiB/s", "of a single migration"))
    cutovers = [_between(one.cutover, one.completed) for one in moments]
    cutovers = [one for one in cutovers if one >= 0]
    if cutovers:
        tiles.append(
            _tile(
                "Cutover",
                duration(median(cutovers)),
                f"typical; the longest {duration(max(cutovers))}",
            )
        )
    return tiles


def _tile(name: str, value: str, note: str, *, bad: bool = False) -> Markup:
    said = [tag("dd", value, class_="value"), tag("dd", note, class_="note") if note else None]
    return tag("div", tag("dt", name), said, class_="tile bad" if bad else "tile")


def _kinds(migrations: Sequence[Entry], shares: int) -> str:
    servers = sum(one.get("kind") == SHARE_SERVER for one in migrations)
    replicas = sum(one.get("kind") == SHARE_REPLICA for one in migrations)
    parts = [many(shares, "share")]
    parts += [f"{many(servers, 'share server')}"] if servers else []
    parts += [f"{many(replicas, 'replica')}"] if replicas else []
    return ", ".join(parts)


def _outcome(counts: Mapping[str, int]) -> Markup | None:
    """One strip of all migrations, its parts labelled beneath."""
    total = sum(counts.values())
    if not total:
        return None
    there = [(state, count) for state, count in counts.items() if count][::-1]
    strip = [tag("i", class_=f"p-{state}", style=f"flex-grow:{count}") for state, count in there]
    key = [
        tag(
            "li",
            tag("i", class_=f"swatch p-{state}", aria_hidden="true"),
            f"{LOOKS[state].sign} {count} {LOOKS[state].many}",
        )
        for state, count in there
    ]
    return tag(
        "div", tag("div", strip, class_="stack", aria_hidden="true"), tag("ul", key, class_="key")
    )


def _next_steps(report: Entry) -> Markup | None:
    steps = next_steps(report)
    return (
        _section("next", "What to do next", tag("ol", [tag("li", one) for one in steps]))
        if steps
        else None
    )


def _failures(report: Entry) -> Markup | None:
    failed = [one for one in join_names(report, "migrations") if state_of(one) == "failed"]
    rows = [
        tag(
            "tr",
            _name_cell(one),
            tag("td", _route(one)),
            tag("td", one.get("error") or _doing(one)),
        )
        for one in failed
    ]
    if not rows:
        error = report.get("error")
        return (
            _section("failed", "Why the run failed", tag("p", str(error)))
            if error and not join_names(report, "unplaced")
            else None
        )
    return _section(
        "failed",
        "What failed, and why",
        _table("Failed migrations", ("Share", "From and to", "Why"), rows),
    )


def _unplaced(report: Entry) -> Markup | None:
    rows = [
        tag(
            "tr",
            _name_cell(one),
            tag("td", _size(one), class_="num"),
            tag("td", _reasons(join_names(one, "reasons"))),
        )
        for one in join_names(report, "unplaced")
    ]
    if not rows:
        return None
    return _section(
        "unplaced",
        "What can't move, and why",
        _table("What can't move", ("Share", "Size", "Why"), rows),
    )


def _remaining(report: Entry) -> Markup | None:
    left = join_names(report, "remaining")
    if not left or report.get("phase") in FORESEEN:
        return None
    where = (
        f"At {report['source']}"
        if report.get("source") and report.get("objective") == "evacuate"
        else "Not done"
    )
    names = tag(
        "ul",
        [
            tag("li", tag("bdi", _called(one)), f" ({_size(one)})" if _size(one) else None)
            for one in left
        ],
        class_="names",
    )
    return _section(
        "remaining",
        "What remains",
        tag("details", tag("summary", f"{where}: {len(left)}"), names, open=len(left) <= 12),
    )


def _notes(report: Entry) -> Markup | None:
    """What the plan warned of, what is different from the plan file, what was left out."""
    parts: list[Child] = []
    for heading, reasons in (
        ("Warnings", [*join_names(report, "warnings"), *_common_warnings(report)]),
        ("Different from the plan file", join_names(report, "differences")),
    ):
        parts += [tag("h3", heading), _reasons(reasons)] if reasons else []
    excluded = join_names(report, "excluded")
    if excluded:
        names = [tag("li", tag("bdi", _called(one))) for one in excluded]
        parts += [tag("h3", "Left out as asked"), tag("ul", names, class_="names")]
    return _section("notes", "To know", parts) if parts else None


def _common_warnings(report: Entry) -> list[dict[str, Any]]:
    """The warnings of single migrations, each once, with how many it is true of."""
    counts: dict[tuple[str, str], int] = {}
    for one in join_names(report, "migrations"):
        for warning in join_names(one, "warnings"):
            key = (str(warning.get("code", "")), str(warning.get("message", "")))
            counts[key] = counts.get(key, 0) + 1
    return [
        {"code": code, "message": f"{many(count, 'migration')}: {message}"}
        for (code, message), count in counts.items()
    ]


def _pools(report: Entry) -> Markup | None:
    pools = report.get("pools") or {}
    before = {str(one.get("name")): one for one in join_names(pools, "before")}
    after = {str(one.get("name")): one for one in join_names(pools, "after")}
    foreseen = report.get("phase") in FORESEEN
    changed: list[Markup] = []
    same: list[Markup] = []
    for name in sorted({**before, **after}):
        one, then = before.get(name, {}), after.get(name, {})
        now = then.get("used_percent_after" if foreseen else "used_percent_before")
        old = one.get("used_percent_before")
        coming = then.get("used_percent_after")
        moved = old != now or coming != old
        (changed if moved else same).append(
            _pool(name, then or one, old, now, None if foreseen else coming, foreseen)
        )
    if not changed and not same:
        return None
    others = (
        tag(
            "details",
            tag("summary", f"{many(len(same), 'pool')} unchanged"),
            tag("ul", same, class_="pools"),
        )
        if same
        else None
    )
    key = tag(
        "p",
        tag("i", class_="swatch before", aria_hidden="true"),
        "before ",
        tag("i", class_="swatch after", aria_hidden="true"),
        "planned" if foreseen else "now",
        class_="key",
    )
    return _section(
        "pools", "Pools before and after", key, tag("ul", changed, class_="pools"), others
    )


def _pool(name: str, pool: Entry, old: Any, now: Any, coming: Any, foreseen: bool) -> Markup:
    total = pool.get("total_gb")
    planned = f"planned {coming:.0f} %" if coming not in (None, now) else ""
    return tag(
        "li",
        tag(
            "div",
            tag("bdi", name),
            tag(
                "span",
                f"{_amount(total)} GiB"
                if isinstance(total, (int, float))
                else f"capacity {gib(total)}",
                class_="soft",
            ),
            class_="who",
        ),
        tag(
            "div",
            _fill("before", "before", old),
            _fill("after", "planned" if foreseen else "now", now),
            tag("span", planned, class_="soft") if planned else None,
            class_="bars",
        ),
    )


def _fill(class_: str, when: str, percent: Any) -> Markup:
    if not isinstance(percent, (int, float)):
        return tag("div", tag("span", f"{when}: not known", class_="soft"), class_="fill")
    width = max(0.0, min(100.0, float(percent)))
    strip = tag(
        "i",
        tag("i", class_=class_, style=f"width:{width:.1f}%"),
        class_="track",
        aria_hidden="true",
    )
    return tag(
        "div",
        strip,
        tag("span", tag("span", f"{when} ", class_="hidden"), f"{percent:.0f} %", class_="num"),
        class_="fill",
    )


def _migrations(report: Entry) -> Markup | None:
    migrations = join_names(report, "migrations")
    if not migrations:
        return None
    counts = tally(report)
    chips = [
        tag("button", f"All {len(migrations)}", type="button", data_state="", aria_pressed="true")
    ]
    chips += [
        tag(
            "button",
            f"{look.sign} {look.word} {counts[state]}",
            type="button",
            data_state=state,
            aria_pressed="false",
        )
        for state, look in LOOKS.items()
        if counts[state]
    ]
    order = [
        tag("option", text, value=str(index))
        for index, text in enumerate(COLUMNS)
        if index in SORTABLE
    ]
    tools = tag(
        "div",
        tag(
            "label",
            "Filter",
            tag(
                "input",
                type="search",
                id="filter",
                placeholder="name, ID, project, pool, export …",
                autocomplete="off",
                spellcheck="false",
            ),
            class_="search",
        ),
        tag("div", chips, class_="chips", role="group", aria_label="State"),
        tag("label", "Sort by", tag("select", order, id="order"), class_="order"),
        tag("output", many(len(migrations), "migration"), id="shown", aria_live="polite"),
        class_="tools",
        id="tools",
        hidden=True,
    )
    return _section(
        "migrations-title",
        "Every migration",
        tools,
        _timeline(report, migrations),
        _listing(migrations),
    )


def _timeline(report: Entry, migrations: Sequence[Entry]) -> Markup | None:
    now = when(report.get("written_at"))
    ways = [(index, one, bars_of(one, now)) for index, one in enumerate(migrations)]
    ways = [one for one in ways if one[2]]
    if not ways:
        return None
    ways.sort(key=lambda way: (way[2][0].begin, way[0]))
    begin = min(bars[0].begin for _index, _record, bars in ways)
    end = max(strip.end for _index, _record, bars in ways for strip in bars)
    axis = Axis(begin, max(end, begin + 1))
    classes = {_class(strip, one) for _index, one, bars in ways for strip in bars}
    legend = [
        tag("li", tag("i", class_=f"swatch b {class_}", aria_hidden="true"), text)
        for class_, text in LEGEND
        if class_ in classes or (class_ == "wait" and "wait read" in classes)
    ]
    ticks = [
        tag("span", text, style=f"left:{axis.at(moment):.2f}%") for moment, text in axis.ticks()
    ]
    rows = [_way(index, one, bars, axis) for index, one, bars in ways]
    return tag(
        "div",
        tag("h3", "When it happened", id="timeline-title"),
        tag("ul", legend, class_="key"),
        tag(
            "div",
            tag(
                "div",
                tag("span", "UTC", class_="who"),
                tag("div", ticks, class_="lane"),
                class_="axis",
                aria_hidden="true",
            ),
            tag("ol", rows),
            id="timeline",
            tabindex="0",
            role="region",
            aria_labelledby="timeline-title",
        ),
        class_="timeline",
    )


def _class(strip: Bar, record: Entry) -> str:
    """Whether clients can only read in it: the Data Service copies what nobody writes to."""
    return (
        f"{strip.what} read"
        if record.get("mechanism") == HOST and strip.what in ("copy", "wait")
        else strip.what
    )


def _way(index: int, record: Entry, bars: Sequence[Bar], axis: Axis) -> Markup:
    parts: list[Child] = []
    said = []
    for strip in bars:
        left, right = axis.at(strip.begin), axis.at(strip.end)
        parts.append(
            tag(
                "i",
                class_=f"b {_class(strip, record)}",
                style=f"left:{left:.2f}%;width:{right - left:.2f}%",
            )
        )
        said.append(f"{BARS[strip.what]} {_span(strip.begin, strip.end)}")
    state = state_of(record)
    if state in ("failed", "cancelled"):
        parts.append(
            tag(
                "i",
                LOOKS[state].sign,
                class_=f"end s-{state}",
                style=f"left:{axis.at(bars[-1].end):.2f}%",
            )
        )
    said.append(_doing(record))
    text = "; ".join(said)
    return tag(
        "li",
        tag("span", tag("bdi", _called(record)), class_="who", title=_called(record)),
        tag("span", parts, class_="lane", title=text, role="img", aria_label=text),
        data_row=index,
    )


def _span(begin: float, end: float) -> str:
    """``2026-11-22 10:00:05 to 10:12:00 (12 min)``."""
    form = "%H:%M:%S" if clock(begin)[:10] == clock(end)[:10] else "%Y-%m-%d %H:%M:%S"
    return (
        f"{clock(begin, '%Y-%m-%d %H:%M:%S')} to {clock(end, form)} UTC ({duration(end - begin)})"
    )


COLUMNS = ("State", "Share", "Size", "From and to", "Copying", "Cutover", "Exports, old and new")


SORTABLE = range(6)


def _listing(migrations: Sequence[Entry]) -> Markup:
    heads = [
        tag(
            "th",
            tag("button", text, type="button", data_column=index) if index in SORTABLE else text,
            scope="col",
        )
        for index, text in enumerate(COLUMNS)
    ]
    caption = tag("caption", "Every migration, with the old and the new exports", class_="hidden")
    return tag(
        "table",
        caption,
        tag("thead", tag("tr", heads)),
        [_body(one) for one in migrations],
        id="migrations",
    )


def _body(record: Entry) -> Markup:
    """A body of the table for each migration: the shares of a share server stay below it."""
    state = state_of(record)
    look = LOOKS[state]
    moments = Moments.of(record)
    copying = _between(moments.started, moments.copied)
    cutover = _between(moments.cutover, moments.completed)
    shown = tag("span", look.sign, aria_hidden="true"), " ", _doing(record)
    read_only = tag("span", "read only", class_="id") if record.get("mechanism") == HOST else None
    server = record.get("kind") == SHARE_SERVER
    row = tag(
        "tr",
        _cell(0, tag("span", shown, class_=f"state s-{state}"), value=list(LOOKS).index(state)),
        _name_cell(record, why=True),
        _cell(2, _size(record), value=_number(record.get("size_gb")), class_="num"),
        _cell(3, _route(record)),
        _cell(4, _took(copying), read_only, value=copying, class_="num"),
        _cell(5, _took(cutover), value=cutover, class_="num"),
        tag("td") if server else _exports(record),
    )
    members = [
        tag(
            "tr",
            tag("td"),
            _name_cell(one),
            _cell(2, _size(one), class_="num"),
            [tag("td")] * 3,
            _exports(one),
            class_="member",
        )
        for one in (join_names(record, "shares") if server else ())
    ]
    return tag("tbody", row, members, data_state=state)


def _between(begin: float | None, end: float | None) -> float:
    """Seconds, less than none where they are not known: sorted, these come first or last."""
    return -1 if begin is None or end is None else max(0.0, end - begin)


def _cell(
    column: int, *children: Child, value: float | None = None, class_: str | None = None
) -> Markup:
    sorted_by = None if value is None else f"{value:.0f}"
    label = COLUMNS[column]
    return tag("td", *children, LINE_BREAK, data_label=label, data_value=sorted_by, class_=class_)


def _exports(entry: Entry) -> Markup:
    """What clients mounted, and what they have to mount now, a line each."""
    lines = [
        tag(
            "span",
            tag("span", when, class_="when"),
            " ",
            tag("code", path),
            LINE_BREAK,
            class_=when,
        )
        for when, key in (("old", "export_locations_before"), ("new", "export_locations_after"))
        for path in join_names(entry, key)
    ]
    return tag("td", lines, class_="exports")


def _name_cell(entry: Entry, *, why: bool = False) -> Markup:
    """What it is called, and what else helps to find it; with ``why``, what it failed or waits for."""
    name, id_, project = _called(entry), str(entry.get("id") or ""), entry.get("project_id")
    notes: list[Child] = [] if id_ in name else [tag("span", tag("bdi", id_), class_="id")]
    if project:
        notes.append(tag("span", "project ", tag("bdi", project), class_="id"))
    if (entry.get("options") or {}).get("new_share_type_id"):
        notes.append(tag("span", "gets a new share type", class_="id"))
    if entry.get("kind") == SHARE_REPLICA:
        notes.append(tag("span", "by a new replica", class_="id"))
    error, waiting = entry.get("error"), (entry.get("waiting_for") or {}).get("message")
    if why and (error or waiting):
        notes.append(tag("span", error or waiting, class_="why s-failed" if error else "why"))
    lines = [[note, LINE_BREAK] for note in notes]
    return tag("th", tag("bdi", name, class_="name"), LINE_BREAK, lines, scope="row")


def _route(entry: Entry) -> Child:
    source, destination = entry.get("source"), entry.get("destination")
    return [
        tag("bdi", source or "?", class_="pool"),
        LINE_BREAK,
        tag("bdi", destination or "?", class_="pool to"),
    ]


def _doing(record: Entry) -> str:
    state, phase, progress = state_of(record), str(record.get("phase")), record.get("progress")
    if state != "running":
        return LOOKS[state].word
    return VERBS.get(phase, phase) + (
        f" {progress} %" if phase == COPYING and progress is not None else ""
    )


def _took(seconds: float) -> str:
    return "" if seconds < 0 else duration(seconds)


def _footer(report: Entry) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            "All times are UTC. This file needs no network. Beside it: report.json with all that is shown here, "
            "exports.csv with old and new exports, client_mounts.json for the role client_mounts.",
        ),
        tag("p", f"manila.migration, report version {report.get('version', '?')}"),
    )


def _section(id_: str, heading: str, *children: Child) -> Markup:
    return tag("section", tag("h2", heading, id=id_), *children, aria_labelledby=id_)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    columns = [tag("th", text, scope="col") for text in heads]
    return tag(
        "table",
        tag("caption", caption, class_="hidden"),
        tag("thead", tag("tr", columns)),
        tag("tbody", rows),
        class_="plain",
    )


def _reasons(reasons: Sequence[Entry]) -> Markup:
    items = [
        tag("li", one.get("message") or "", " ", tag("code", one.get("code") or "", class_="code"))
        for one in reasons
    ]
    return tag("ul", items, class_="reasons")


def _called(entry: Entry) -> str:
    return str(entry.get("label") or called({"kind": "", "name": "", "id": "?", **entry}))


def _size(entry: Entry) -> str:
    size = entry.get("size_gb")
    return f"{_amount(size)} GiB" if isinstance(size, (int, float)) else ""


def _amount(value: float) -> str:
    """``12,400``: a number for people."""
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def _number(value: Any) -> float:
    return value if isinstance(value, (int, float)) else 0
