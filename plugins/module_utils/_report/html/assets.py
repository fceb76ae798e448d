# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Style and script of the report's page.  Constants: nothing from a cloud ever gets into them."""

from __future__ import annotations

STYLE = """
:root {
  --bg: #f7f7f5; --card: #fff; --ink: #1d2530; --soft: #596473; --line: #dde1e6; --faint: #eceff2;
  --blue: #2f6f9f; --grey: #c3cad2; --cut: #c4501a; --cut2: #e79a70; --read: #d99a14;
  --good: #1f7350; --bad: #ab2a20; --open: #75560a; --badbg: #fbeeec; --goodbg: #ebf5f0; --openbg: #fbf4e2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #13171c; --card: #1a2027; --ink: #e4e8ec; --soft: #9ba7b4; --line: #313b46; --faint: #242c35;
    --blue: #5b9fd0; --grey: #56626f; --cut: #ec8148; --cut2: #8f4a24; --read: #e0b04c;
    --good: #62c296; --bad: #f38478; --open: #e0b964; --badbg: #33201f; --goodbg: #18302a; --openbg: #2f2a1b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem 1.5rem 3rem; max-width: 84rem; background: var(--bg); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; font-weight: 650; }
h2 { font-size: 1.15rem; margin: 0 0 .8rem; font-weight: 650; }
h3 { font-size: .95rem; margin: 1.2rem 0 .4rem; font-weight: 650; }
p { margin: 0 0 .6rem; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 1.1rem 1.25rem 1.25rem; margin: 0 0 1rem;
}
section > :last-child { margin-bottom: 0; }
.over { margin: 0; color: var(--soft); font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; }
.facts { color: var(--soft); display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; }
.facts b { color: var(--ink); }
.verdict {
  font-size: 1.1rem; padding: .7rem 1rem; border-radius: 8px; border-left: 5px solid;
  margin: 1rem 0;
}
.verdict > span { font-weight: 700; margin-right: .2rem; }
.verdict.good { background: var(--goodbg); border-color: var(--good); }
.verdict.open { background: var(--openbg); border-color: var(--open); }
.verdict.bad { background: var(--badbg); border-color: var(--bad); }
.soft, .note { color: var(--soft); font-size: .85rem; }
.hidden {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
code { font: .84em/1.45 ui-monospace, SFMono-Regular, Consolas, "DejaVu Sans Mono", monospace; }
ul, ol { margin: 0 0 .6rem; padding-left: 1.3rem; }
li { margin: .15rem 0; }
summary { cursor: pointer; color: var(--soft); }
details { margin-top: .6rem; }

.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1rem 1.5rem;
  margin: 0 0 1.2rem;
}
.tile dt { color: var(--soft); font-size: .85rem; }
.tile dd { margin: 0; }
.tile .value { font-size: 1.35rem; line-height: 1.25; font-weight: 600; letter-spacing: -.01em; }
.tile.bad .value { color: var(--bad); }

.stack { display: flex; height: 14px; border-radius: 4px; overflow: hidden; gap: 2px; }
.stack i { min-width: 4px; }
.key {
  list-style: none; padding: 0; margin: .5rem 0 .6rem; display: flex; flex-wrap: wrap;
  gap: .15rem 1.2rem; color: var(--soft); font-size: .85rem;
}
.key li { display: flex; align-items: center; gap: .45rem; }
p.key .swatch + .swatch, p.key { align-items: center; gap: .45rem; }
.swatch {
  display: inline-block; width: 26px; height: 11px; border-radius: 2px; flex: none;
  position: static;
}
.p-completed { background: var(--good); }
.p-copied { background: repeating-linear-gradient(90deg, var(--blue) 0 6px, var(--grey) 6px 9px); }
.p-running { background: var(--blue); }
.p-waiting { background: var(--faint); box-shadow: inset 0 0 0 1px var(--grey); }
.p-cancelled { background: repeating-linear-gradient(45deg, var(--grey) 0 3px, var(--faint) 3px 6px); }
.p-failed { background: repeating-linear-gradient(-45deg, var(--bad) 0 5px, var(--badbg) 5px 7px); }

.pools { list-style: none; padding: 0; margin: 0; }
.pools li {
  display: grid; grid-template-columns: minmax(10rem, 17rem) 1fr; gap: .2rem 1rem;
  padding: .45rem 0; border-top: 1px solid var(--faint); margin: 0;
}
.pools .who { display: flex; flex-direction: column; line-height: 1.35; }
.fill { display: flex; align-items: center; gap: .7rem; line-height: 1.3; }
.fill > span { flex: none; width: 4rem; font-size: .85rem; }
.fill > .soft { width: auto; }
.fill .num { text-align: right; }
.track {
  flex: 1; display: block; height: 10px; background: var(--faint); border-radius: 3px;
  overflow: hidden;
}
.track i { display: block; height: 100%; }
.before { background: repeating-linear-gradient(45deg, var(--grey) 0 3px, var(--soft) 3px 4px); }
.after { background: var(--blue); }
.bars > .soft { display: block; text-align: right; }

table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem; font-weight: 400; }
thead th {
  color: var(--soft); font-size: .82rem; border-bottom: 1px solid var(--grey); white-space: nowrap;
  vertical-align: bottom;
}
tbody tr { border-top: 1px solid var(--faint); }
.num { text-align: right; }
.plain { table-layout: fixed; }
.plain th, .plain td, #migrations th, #migrations td { overflow-wrap: anywhere; }
.plain th:first-child { width: 30%; }
.plain th:last-child, .plain td:last-child { width: 48%; }
.reasons { padding-left: 1.1rem; margin: 0; }
.code { color: var(--soft); font-size: .78em; }
.name { font-weight: 600; display: block; }
.id, .why { display: block; color: var(--soft); font-size: .78rem; line-height: 1.4; }
.names { columns: 3 16rem; }
.names li { margin: 0; }
.pool { display: block; font-size: .82rem; }
#migrations th, #migrations td { padding: .45rem; }
.pool.to::before { content: "→\\00a0"; color: var(--soft); }

/* Rows are grids and not a table's: what isn't on the screen then costs no layout, and 2,000 are quick. */
#migrations, #migrations thead, #migrations tbody { display: block; }
#migrations tbody { content-visibility: auto; contain-intrinsic-size: auto 92px; }
#migrations tr {
  display: grid;
  grid-template-columns: 7.4rem minmax(0, 25fr) 5.4rem minmax(0, 19fr) 5.4rem 4.4rem minmax(0, 27fr);
}
#migrations td.num { white-space: nowrap; }
.exports > span { display: grid; grid-template-columns: 1.9rem 1fr; margin-bottom: .15rem; }
.exports .when { color: var(--soft); font-size: .76rem; }
.exports .old code { color: var(--soft); }
.pool.to { padding-left: 1.1em; text-indent: -1.1em; }
.plain .num { text-align: left; }
thead button { all: unset; cursor: pointer; color: inherit; font: inherit; }
thead button::after { content: " ↕"; color: var(--grey); }
thead [aria-sort=ascending] button::after { content: " ↑"; color: var(--ink); }
thead [aria-sort=descending] button::after { content: " ↓"; color: var(--ink); }
:focus-visible {
  outline: 2px solid var(--blue); outline-offset: 2px;
}
#migrations .member th { padding-left: 1.5rem; }
.member .name { font-weight: 400; }
.member .name::before { content: "└ "; color: var(--grey); }
.state { font-weight: 600; white-space: nowrap; }
.s-failed { color: var(--bad); }
.s-completed { color: var(--good); }
.s-copied, .s-running { color: var(--blue); }
.s-cancelled, .s-waiting { color: var(--soft); }
[hidden] { display: none !important; }

.tools {
  position: sticky; top: 0; z-index: 2; background: var(--card); display: flex; flex-wrap: wrap; align-items: center;
  gap: .5rem .9rem; padding: .6rem 0; border-bottom: 1px solid var(--line); margin-bottom: .6rem;
}
.tools label {
  white-space: nowrap; color: var(--soft); font-size: .85rem; display: flex; align-items: center;
  gap: .5rem;
}
.tools .search { flex: 1 1 16rem; }
.tools input, .tools select, .chips button {
  font: inherit; font-size: .9rem; color: var(--ink); background: var(--bg);
  border: 1px solid var(--line); border-radius: 6px; padding: .3rem .6rem;
}
.tools input { width: 100%; min-width: 0; }
.chips { display: flex; flex-wrap: wrap; gap: .35rem; }
.chips button { cursor: pointer; font-size: .85rem; }
.chips [aria-pressed=true] { background: var(--ink); color: var(--card); border-color: var(--ink); }
.order { display: none !important; }
output { color: var(--soft); font-size: .85rem; margin-left: auto; }

.timeline h3 { margin-top: 0; }
#timeline {
  max-height: 34rem; overflow: auto; border: 1px solid var(--faint); border-radius: 6px;
  margin-bottom: 1.2rem;
}
#timeline ol { list-style: none; margin: 0; padding: .25rem 0; }
#timeline li, .axis {
  display: grid; grid-template-columns: 13rem 1fr; align-items: center; gap: .8rem;
  padding: 0 1.2rem 0 .6rem; margin: 0;
}
#timeline li { height: 20px; content-visibility: auto; contain-intrinsic-height: 20px; }
#timeline li:hover { background: var(--faint); }
#timeline .who { font-size: .8rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.axis {
  position: sticky; top: 0; height: 26px; background: var(--card);
  border-bottom: 1px solid var(--line); z-index: 1;
}
.axis .who { color: var(--soft); }
.lane { position: relative; display: block; height: 100%; }
.axis .lane span {
  position: absolute; bottom: 3px; font-size: .76rem; color: var(--soft); white-space: nowrap;
  padding-left: 4px;
}
.axis .lane span::before {
  content: ""; position: absolute; left: 0; bottom: -3px; height: 8px;
  border-left: 1px solid var(--grey);
}
.b { position: absolute; display: block; top: 5px; height: 10px; min-width: 2px; border-radius: 2px; }
.swatch.b { position: static; }
.copy { background: var(--blue); }
.wait { background: var(--faint); box-shadow: inset 0 0 0 1px var(--grey); }
.cutover {
  background: repeating-linear-gradient(-45deg, var(--cut) 0 4px, var(--cut2) 4px 6px);
  min-width: 4px; top: 2px; height: 16px;
}
.late { background: repeating-linear-gradient(90deg, var(--cut2) 0 3px, var(--faint) 3px 7px); }
.read { border-bottom: 4px solid var(--read); }
.end { position: absolute; top: 0; margin-left: 5px; font: 700 .8rem/20px sans-serif; }

footer { color: var(--soft); font-size: .82rem; padding: .5rem 0; }

@media screen and (max-width: 48rem) {
  body { padding: 1.1rem .8rem 2rem; font-size: 15px; }
  h1 { font-size: 1.4rem; }
  section { padding: .9rem .9rem 1rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .8rem 1rem; }
  .tile .value { font-size: 1.2rem; }
  .pools li { grid-template-columns: minmax(0, 1fr); }
  table, tbody, tr, td, th { display: block; width: auto !important; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { padding: .5rem 0; }
  th, td, #migrations th, #migrations td { padding: .1rem 0; }
  td:empty, td:has(> :empty:only-child) { display: none; }
  .num { text-align: left; }
  #migrations tr { display: flex; flex-direction: column; }
  #migrations tbody { contain-intrinsic-size: auto 200px; }
  #migrations tr:not(.member) > th { order: -1; }
  #migrations td[data-label]:not([data-label=State]):not(:has(> :empty:only-child))::before {
    content: attr(data-label) ": "; color: var(--soft); font-size: .8rem;
  }
  #migrations .member th { padding-left: 0; }
  .tools { position: static; }
  .order { display: flex !important; }
  output { margin-left: 0; }
  #timeline { max-height: 24rem; }
  #timeline li, .axis { grid-template-columns: 6.5rem minmax(0, 1fr); gap: .5rem; padding: 0 .8rem 0 .4rem; }
  .axis .lane span:nth-child(even) { display: none; }
}

@media print {
  @page { size: A4 landscape; margin: 12mm; }
  :root {
    --bg: #fff; --card: #fff; --ink: #111; --soft: #444; --line: #ccc; --faint: #eee; --blue: #2f6f9f; --grey: #b5bcc4;
    --cut: #c4501a; --cut2: #e79a70; --read: #d99a14; --good: #1f7350; --bad: #ab2a20; --open: #75560a;
    --badbg: #fff; --goodbg: #fff; --openbg: #fff;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  html { font-size: 12px; }
  body { padding: 0; max-width: none; font-size: 9.5pt; }
  section { border: 0; padding: 0; margin: 0 0 1.2rem; }
  h2, h3 { break-after: avoid; }
  .tile, .pools li, tbody tr, #timeline li { break-inside: avoid; }
  .tools > :not(output), thead button::after { display: none !important; }
  .tools { position: static; border: 0; padding: 0; }
  output { margin: 0; }
  #timeline { max-height: none; overflow: visible; border: 0; }
  #timeline li { height: 15px; content-visibility: visible; }
  .axis { position: static; }
  #migrations tbody { content-visibility: visible; }
  #migrations tr { font-size: 8.5pt; }
  #migrations th, #migrations td { padding: .25rem .4rem; }
  .b { top: 3px; height: 8px; }
  .cutover { top: 1px; height: 13px; }
  thead { display: table-header-group; }
}
"""

SCRIPT = """
"use strict";
(() => {
  const table = document.getElementById("migrations");
  if (!table) return;
  const bodies = Array.from(table.tBodies);
  const texts = bodies.map((body) => body.textContent.toLowerCase());
  const ways = new Map(Array.from(document.querySelectorAll("#timeline li"), (way) => [Number(way.dataset.row), way]));
  const tools = document.getElementById("tools");
  const input = document.getElementById("filter");
  const order = document.getElementById("order");
  const shown = document.getElementById("shown");
  const chips = Array.from(tools.querySelectorAll(".chips button"));
  const heads = Array.from(table.tHead.rows[0].cells);
  let state = "";

  function filter() {
    const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let count = 0;
    bodies.forEach((body, index) => {
      const match = (!state || body.dataset.state === state) && words.every((word) => texts[index].includes(word));
      body.hidden = !match;
      const way = ways.get(index);
      if (way) way.hidden = !match;
      count += match;
    });
    const all = bodies.length;
    const noun = all === 1 ? "migration" : "migrations";
    shown.textContent = count === all ? `${all} ${noun}` : `${count} of ${all} ${noun}`;
  }

  const compare = new Intl.Collator("en", {numeric: true}).compare;

  function sort(column, down) {
    const keyed = bodies.map((body) => {
      const cell = body.rows[0].cells[column];
      return [body, cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value)];
    });
    keyed.sort((a, b) => (typeof a[1] === "number" ? a[1] - b[1] : compare(a[1], b[1])) * (down ? -1 : 1));
    table.append(...keyed.map((one) => one[0]));
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    order.value = String(column);
  }

  input.addEventListener("input", filter);
  chips.forEach((chip) => chip.addEventListener("click", () => {
    state = chip.dataset.state;
    chips.forEach((one) => one.setAttribute("aria-pressed", String(one === chip)));
    filter();
  }));
  heads.forEach((head, index) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sort(index, head.getAttribute("aria-sort") === "ascending"));
  });
  order.addEventListener("change", () => sort(Number(order.value), false));
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  tools.hidden = false;
})();
"""
