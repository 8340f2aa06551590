"""A space-time picture as a page: the same SVG, with names that stay in sight, search and filters.

Everything is in the one file: no font, no style and no script comes from elsewhere, and the page
runs no script but the one below, which its hash says. Without scripts it is still the picture, and
whatever is pointed at says its words.
"""

import base64
import hashlib
from typing import Final

from walctl.render import diagram_words as words
from walctl.render.diagram import body, heads
from walctl.render.diagram_legend import legend, text_of
from walctl.render.diagram_look import STYLE, Places
from walctl.sim.diagram_shapes import Diagram

FILTERS: Final = (
    ("append", "append"),
    ("vote", "votes"),
    ("beat", "heartbeats"),
    ("snap", "snapshots"),
    ("other", "other"),
    ("disk", "disk"),
    ("words", "words"),
    ("clients", "clients"),
    ("faults", "faults"),
)
PAGE_STYLE: Final = (
    "html{scroll-padding-top:40vh}body{margin:0;width:max-content;min-width:100%;background:#fff;"
    "font:14px/1.45 ui-sans-serif,system-ui,'Helvetica Neue',Arial,sans-serif;color:#1f2430}"
    "main{padding:0 0 60vh}header{padding:14px 18px 4px;max-width:calc(100vw - 36px)}"
    "h1{font-size:18px;margin:0 0 2px}header p{margin:1px 0;color:#6b7280}"
    "header p.wrong{color:#c8102e;font-weight:600}a{color:inherit}"
    ".bar-top{position:sticky;top:0;z-index:2;background:#fffffff2;border-bottom:1px solid #dfe3ea}"
    "form{display:flex;flex-wrap:wrap;gap:2px 12px;align-items:center;padding:5px 18px;"
    "font-size:12.5px}form label{display:flex;gap:4px;align-items:center;white-space:nowrap}"
    "input[type=search]{font:inherit;padding:2px 6px;width:15em;border:1px solid #b6bdc8;"
    "border-radius:4px;background:transparent;color:inherit}output{color:#6b7280}"
    "svg{display:block}.hit{stroke-opacity:0;stroke-width:9!important;pointer-events:stroke}"
    ".i:hover>path:not(.hit){stroke-width:2.6}"
    ".searching .i{opacity:.16}.searching .i.found,.searching .role,.tracing .role{opacity:1}"
    ".tracing .msg{opacity:.12}.tracing .msg.on,.tracing .msg.found{opacity:1}"
    ".i.here>path:not(.hit),.i.here rect{stroke-width:3}.off{display:none}"
    "#card{position:fixed;right:14px;bottom:14px;max-width:46em;padding:8px 12px;border-radius:7px;"
    "background:#1f2430f2;color:#f5f7fa;font:12px/1.5 ui-monospace,Menlo,Consolas,monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere;pointer-events:none;z-index:3}"
    "#card:empty{display:none}"
    "@media(prefers-color-scheme:dark){body{background:#14171d;color:#e6e9ef}"
    ".bar-top{background:#14171df2;border-color:#2c3340}header p,output{color:#98a2b3}"
    "header p.wrong{color:#ff5b6e}#card{background:#e6e9eff5;color:#14171d}"
    "input[type=search]{border-color:#4b5463}}"
    "@media print{.bar-top form,#card{display:none}}"
)
SCRIPT: Final = """
"use strict";
(() => {
  const map = document.querySelector("#map");
  const card = document.querySelector("#card");
  const form = document.querySelector("form");
  const find = document.querySelector("#find");
  const count = document.querySelector("#count");
  const things = [...map.querySelectorAll("g.i")];
  const words = new Map();
  let pinned = null;
  let found = [];
  let at = -1;

  // The words move from the browser's own slow tooltip to the card.
  for (const thing of things) {
    const title = thing.querySelector("title");
    words.set(thing, title.textContent);
    thing.setAttribute("aria-label", title.textContent);
    title.remove();
  }

  const thingOf = (event) => event.target.closest ? event.target.closest("g.i") : null;

  function show(thing) {
    card.textContent = thing ? words.get(thing) : "";
  }

  function pin(thing) {
    if (pinned) pinned.classList.remove("here");
    pinned = thing;
    if (pinned) pinned.classList.add("here");
    show(pinned);
  }

  map.addEventListener("mouseover", (event) => show(thingOf(event) || pinned));
  map.addEventListener("mouseleave", () => show(pinned));
  map.addEventListener("click", (event) => pin(thingOf(event)));

  // A box each for what may be left out: a class of messages, or a whole layer of the picture.
  function filter() {
    for (const box of form.querySelectorAll("input[data-kind]")) {
      const kind = box.dataset.kind;
      const what = `.msg.${kind}, g.${kind}, .fold.${kind}`;
      for (const each of map.querySelectorAll(what)) {
        each.classList.toggle("off", !box.checked);
      }
    }
    const lost = form.querySelector("#lost").checked;
    if (lost) {
      for (const each of map.querySelectorAll(".msg:not(.dropped)")) each.classList.add("off");
    }
  }

  // The messages of one node stand out.
  function trace() {
    const node = form.querySelector("#node").value;
    map.classList.toggle("tracing", node !== "");
    for (const each of map.querySelectorAll(".msg")) {
      each.classList.toggle("on", (each.dataset.n || "").split(" ").includes(node));
    }
  }

  function search() {
    const text = find.value.trim().toLowerCase();
    for (const each of found) each.classList.remove("found");
    found = text ? things.filter((each) => words.get(each).toLowerCase().includes(text)) : [];
    for (const each of found) each.classList.add("found");
    map.classList.toggle("searching", text !== "");
    count.textContent = text ? `${found.length} found; Enter goes to the next` : "";
    at = -1;
  }

  function go(step) {
    const there = found.filter((each) => !each.closest(".off"));
    if (!there.length) return;
    at = (at + step + there.length) % there.length;
    const box = there[at].getBoundingClientRect();
    window.scrollBy({ top: box.top - window.innerHeight / 2, behavior: "smooth" });
    pin(there[at]);
    count.textContent = `${at + 1} of ${there.length}`;
  }

  form.addEventListener("change", () => { filter(); trace(); });
  find.addEventListener("input", search);
  form.addEventListener("submit", (event) => { event.preventDefault(); go(1); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { pin(null); find.value = ""; search(); }
    if (event.key === "/" && document.activeElement !== find) {
      event.preventDefault();
      find.focus();
    }
    if (event.target === find) return;
    if (event.key === "n") go(1);
    if (event.key === "p") go(-1);
  });
  form.hidden = false;
  filter();
})();
"""


def page(made: Diagram) -> str:
    """The whole page."""
    places = Places(made)
    title = text_of(words.title(made))
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    wrong = "".join(
        f'<p class="wrong"><a href="#violation-{number}">{text_of(each)}</a></p>\n'
        for number, each in enumerate(words.violations(made), 1)
    )
    wide = f'width="{places.width:.0f}"'
    return "".join(
        (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width">'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{title}</title>\n<style>{STYLE}{PAGE_STYLE}</style></head><body>\n"
            f"<header><h1>{title}</h1>\n{wrong}",
            *(f"<p>{text_of(each)}</p>\n" for each in words.facts(made)),
            f'<svg class="map" {wide} height="38">',
            f'<g transform="translate(0,4)">{legend(made)}</g></svg></header>\n',
            f'<div class="bar-top">{_form(made)}',
            f'<svg class="map" {wide} height="28">{heads(made, places)}</svg></div>\n',
            f'<main><svg class="map" id="map" role="img" {wide} height="{made.height:.0f}">\n',
            "\n".join(body(made, places, is_page=True)),
            f'\n</svg></main><div id="card"></div>\n<script>{SCRIPT}</script></body></html>\n',
        )
    )


def _form(made: Diagram) -> str:
    """What to look for and what to leave out; a page without scripts does not show it."""
    boxes = "".join(
        f'<label><input type="checkbox" checked data-kind="{kind}">{name}</label>'
        for kind, name in FILTERS
    )
    names = "".join(f"<option>{text_of(str(lane))}</option>" for lane in made.cut.lanes)
    return (
        '<form hidden><input type="search" id="find" placeholder="Find: MsgVote, idx 4, n2 … ( / )"'
        ' aria-label="Find"><output id="count"></output><label>messages of <select id="node">'
        f'<option value="">all</option>{names}</select></label>'
        f'{boxes}<label><input type="checkbox" id="lost">only lost</label></form>'
    )
