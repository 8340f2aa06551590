"""The picture of a trace as SVG and as a page: well-formed, alone, and nothing of a trace gets
loose in it."""

import base64
import hashlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sim.traces import Line, long, story, trace
from walctl.cluster.events import EventKind
from walctl.fs.memory import MemoryFileSystem
from walctl.render.diagram import svg
from walctl.render.diagram_page import SCRIPT, page
from walctl.sim.diagram import lay_out
from walctl.sim.diagram_shapes import Diagram
from walctl.sim.trace_cut import cut
from walctl.sim.trace_file import Trace
from walctl.sim.trace_window import Wish, survey

FIELDS = [
    "to",
    "from",
    "m",
    "y",
    "term",
    "idx",
    "lead",
    "for",
    "first",
    "last",
    "count",
    "f",
    "bytes",
    "us",
    "mode",
    "on",
    "args",
    "links",
    "kind",
    "node",
    "words",
    "what",
    "op",
    "key",
    "v",
    "rev",
    "why",
    "link",
    "id",
    "nodes",
    "voters",
    "learners",
    "outgoing",
]
SVG = "{http://www.w3.org/2000/svg}"
VOID = frozenset({"meta", "input"})
NASTY = '</title><script>alert(1)</script>" onload="x" & \x1b[2J \u202e <!--'

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")


def made_of(lines: Iterable[Line], **header: object) -> Diagram:
    disk, path = MemoryFileSystem(), Path("/run.jsonl")
    disk.create(path, trace(lines, **header))
    found = Trace(disk, path)
    return lay_out(cut(found, Wish(), survey(found, Wish())))


def nasty() -> list[Line]:
    """Every word that a trace may have, in the worst of ways."""
    lines: list[Line] = [
        {"t": 0, "n": NASTY, "k": "start"},
        {"t": 0, "n": "n2", "k": "start"},
        {"t": 1, "n": NASTY, "k": "role", "to": NASTY, "term": NASTY},
        {"t": 2, "n": NASTY, "k": "send", "to": "n2", "m": NASTY, "y": NASTY, "idx": NASTY},
        {"t": 3, "n": "n2", "k": "recv", "from": NASTY, "m": NASTY},
        {"t": 3, "n": NASTY, "k": "send", "to": "n2", "m": 2, "y": NASTY},
        {"t": 3, "k": "drop", "m": 2, "why": NASTY},
        {"t": 4, "n": NASTY, "k": "fsync", "f": NASTY, "us": 99_999},
        {"t": 5, "k": "fault", "on": NASTY, "args": {NASTY: NASTY, "kind": NASTY}},
        {"t": 6, "n": "n2", "k": "fault", "on": "disk", "args": {"words": NASTY}},
        {"t": 7, "c": NASTY, "k": "invoke", "op": 1, "f": NASTY, "key": NASTY, "v": NASTY},
        {"t": 8, "n": "n2", "k": "note", "words": NASTY},
        {"t": 8, "n": "n2", "k": "conf", "voters": [NASTY, 1, {}], "learners": [[NASTY]]},
        {"t": 9, "k": "note", "what": NASTY},
        {"t": 9, "k": "note", "words": {"deep": [NASTY]}},
    ]
    return [*lines, {"t": 10, "k": "violation", "id": NASTY, "words": NASTY, "nodes": [NASTY]}]


class Page(HTMLParser):
    """Whether tags are closed in order, and what a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def count_of(root: ET.Element, kind: str) -> int:
    return sum(kind in each.get("class", "").split() for each in root.iter(f"{SVG}g"))


def test_a_picture_is_well_formed_and_has_everything_of_the_story() -> None:
    made = made_of(story())
    root = ET.fromstring(svg(made))
    assert root.tag == f"{SVG}svg"
    # One more of the lost and of each kind: the legend's.
    assert count_of(root, "mark") == len(made.marks)
    assert count_of(root, "i") > len(made.arrows) + len(made.marks) + len(made.ticks)
    assert count_of(root, "again") == 1
    assert count_of(root, "dropped") == 3 + 1
    text = " ".join(root.itertext())
    for words in ("double-vote, seed 0x2f", "leader t1", "crash torn", "isolate n1", "disk lie"):
        assert words in text
    assert "I7: n2 voted for n1 and for n3 in term 2" in text
    assert "put x=c4-17" in text
    assert "1.204100 s · event 8 · n1 send: to 2, m 41, y MsgVote" in text
    assert "2.277 ms on its way" in text


def test_what_lies_within_the_picture_is_on_it() -> None:
    root = ET.fromstring(svg(made_of(story())))
    wide, high = float(root.get("width", 0)), float(root.get("height", 0))
    for each in root.iter(f"{SVG}line"):
        assert 0 <= float(each.get("x1", 0)) <= float(each.get("x2", 0)) <= wide
        assert float(each.get("y1", 0)) <= high


@pytest.mark.parametrize("draw", [svg, page])
def test_nothing_comes_from_elsewhere(draw: object) -> None:
    text = draw(made_of(story()))  # type: ignore[operator]
    text = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    for word in ("http:", "https:", "//cdn", "@import", "url(", "src=", 'href="http', "xlink"):
        assert word not in text


def test_nothing_of_a_trace_gets_loose_in_a_picture() -> None:
    made = made_of(nasty(), scenario=NASTY, seed=NASTY, tool=NASTY, engine=NASTY)
    root = ET.fromstring(svg(made))
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        "svg",
        "title",
        "style",
        "rect",
        "text",
        "g",
        "path",
        "polygon",
        "circle",
        "line",
    }
    for each in root.iter():
        assert not [name for name in each.attrib if name.startswith("on")]
    text = " ".join(root.itertext())
    assert "</title><script>alert(1)</script>" in text
    for char in "\x1b\u202e":
        assert char not in text
    assert r"\x1b[2J \u202e" in text


def test_nothing_of_a_trace_gets_loose_in_a_page() -> None:
    made = made_of(nasty(), scenario=NASTY, seed=NASTY, tool=NASTY, engine=NASTY)
    found = Page(page(made))
    assert found.open == []
    assert sum(tag == "script" for tag, _ in found.tags) == 1
    assert not [name for _, attrs in found.tags for name in attrs if name.startswith("on")]
    assert "\x1b" not in page(made)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.sampled_from(["n1", "n2", "pause", "cut", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner),
    max_leaves=4,
)
EVENTS = st.builds(
    lambda time, kind, node, fields: {**fields, "t": time, "k": str(kind), **node},
    st.integers(0, 9),
    st.sampled_from(list(EventKind)),
    st.sampled_from([{}, {"n": "n1"}, {"n": "n2"}, {"n": "n1", "g": "g2"}, {"c": 1}]),
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=6),
)


@pytest.mark.slow
@given(st.lists(EVENTS, max_size=25))
def test_whatever_fields_hold_there_is_a_picture(lines: list[Line]) -> None:
    made = made_of(lines)
    ET.fromstring(svg(made))
    assert Page(page(made)).open == []


def test_a_page_runs_its_own_script_alone() -> None:
    text = page(made_of(story()))
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert f"<script>{SCRIPT}</script>" in text
    assert "innerHTML" not in SCRIPT
    assert "eval" not in SCRIPT


def test_a_page_says_what_was_violated_and_leads_there() -> None:
    text = page(made_of(story()))
    assert '<a href="#violation-1">I7: n2 voted for n1 and for n3 in term 2</a>' in text
    assert text.count('id="violation-1"') == 1


@pytest.mark.slow
def test_a_part_of_a_trace_says_that_it_is_one_and_what_was_folded() -> None:
    text = " ".join(ET.fromstring(svg(made_of(long(30_000, heartbeat_share=0.5)))).itertext())
    assert "A part of the trace around the violation" in text
    assert "2,000 messages; the whole has " in text
    assert "At most 2,000 messages" in text
    assert re.search(r"[0-9,]+ heartbeats folded: ×N stands for N of them", text)
    assert re.search(r"×\d\d", text)


def test_an_empty_trace_and_one_without_nodes_are_pictures_too() -> None:
    for lines in ([], [{"t": 3, "k": "note", "words": "nothing"}]):
        made = made_of(lines)
        ET.fromstring(svg(made))
        assert Page(page(made)).open == []


def test_day_and_night_have_every_colour() -> None:
    text = svg(made_of(story()))
    day, _, rest = text.partition("@media (prefers-color-scheme:dark)")
    night = rest.partition("@media print")[0]
    for rule in (
        ".ground{fill",
        ".lane.leader{stroke",
        ".msg.vote path{stroke",
        ".bar.ok rect{fill",
    ):
        assert rule in day
        assert rule in night


@needs_node
def test_the_script_is_one_that_a_machine_understands(tmp_path: Path) -> None:
    path = tmp_path / "script.js"
    path.write_text(SCRIPT)
    done = subprocess.run(
        ["node", "--check", path], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
