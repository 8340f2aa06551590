"""A comparison as a person sees it: the table first, then what it comes to; JSON; the picture."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.inspect.comparing import VOTERS, Records, compared_logs, knows, member
from tests.render.drawing import NARROW, Paper, too_long
from tests.repair.members import puts
from walctl.inspect.compare import Compared
from walctl.render import compare as render
from walctl.render import compare_picture as picture
from walctl.render.compare_document import document

A, B, C = VOTERS
COMMON = puts(4, 20, 2, A)
ALIKE = [member(node, COMMON, knows(2, A, 20)) for node in VOTERS]
STALE = [
    member(A, COMMON, puts(21, 23, 2, A, commit=20)),
    member(B, COMMON, puts(21, 30, 3, B), knows(3, B, 30)),
    member(C, COMMON, puts(21, 30, 3, B)),
]
PARTED = [
    member(A, COMMON, knows(2, A, 20)),
    member(B, puts(4, 9, 2, A), puts(10, 12, 2, A, salt=b"!"), puts(13, 20, 2, A)),
    member(C, COMMON),
]
CASES = {"alike": ALIKE, "stale": STALE, "parted": PARTED}

ALIKE_SCREEN = """\
cluster c0, 3 of 3 voters (n1's log as of 20)
      first  last  commit  term  db  log    verdict
  n1  1      20    20      2         clean  newest, safe
  n2  1      20    20      2         clean  as new, safe
  n3  1      20    20      2         clean  as new, safe

agree on     1–20 (all 3)
majority     2 of 3 voters hold 1–20
committed    up to 20, by n1
missing      nothing that was committed
newest safe  n1 (log to 20, last term 2)
terms        2: entries 4–20, votes for n1 by all 3; 1: entries 1–3
may be wiped n1, n2, n3 (one of them, not two): member remove first, then member
             add under a new id, with an empty directory
verdict      no two of them contradict each other                         exit 0
"""


def drawn(found: Compared, width: int = 80) -> str:
    paper = Paper(width)
    render.screenful(paper, found)
    return paper.text


@pytest.fixture(params=CASES)
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Compared:
    logs: list[Records] = CASES[request.param]
    return compared_logs(tmp_path, *logs)


def test_three_members_that_are_alike_at_80_columns(tmp_path: Path) -> None:
    assert drawn(compared_logs(tmp_path, *ALIKE)) == ALIKE_SCREEN


def test_no_line_is_wider_than_the_screen(found: Compared) -> None:
    commands = [each.finding.next for each in found.findings]
    commands += [each.next for each in found.judgements]
    for width in (NARROW, 60, 80, 120):
        assert too_long(drawn(found, width), width, *commands) == []


def test_the_verdict_is_the_last_line_and_names_the_exit_status(found: Compared) -> None:
    last = drawn(found).splitlines()[-1]
    assert last.startswith("verdict")
    assert last.endswith(f"exit {int(found.exit_status)}")


def test_a_contradiction_is_told_before_anything_else_and_nobody_may_be_wiped(
    tmp_path: Path,
) -> None:
    text = drawn(compared_logs(tmp_path, *PARTED))
    assert "DAMAGED  diverged-committed at 10 (n1, n2, n3)" in text
    assert "The payloads of 10 part at byte 10." in " ".join(text.split())
    assert "may be wiped nobody" in text
    assert "newest safe  none" in text
    assert "\n  walctl explain diverged-committed\n" in text


def test_the_document_is_plain_json_with_every_promised_key(found: Compared) -> None:
    told = json.loads(json.dumps(document(found), allow_nan=False))
    assert told["v"] == 1
    assert told["cluster_id"] == "c0"
    assert [each["node_id"] for each in told["members"]] == ["a1", "a2", "a3"]
    assert [each["name"] for each in told["members"]] == ["n1", "n2", "n3"]
    assert told["quorum"]["voters"] == ["a1", "a2", "a3"]
    assert told["quorum"]["committed_by"] in ("n1", "n2")
    assert {each["kind"] for each in told["sections"]} <= {"equal", "differs", "one", "none"}
    assert (
        sum(each["last"] - each["first"] + 1 for each in told["sections"])
        == (told["sections"][-1]["last"])
    )
    assert len(told["findings"]) == len(found.findings)
    if found.divergences:
        assert told["first_divergence"] in told["divergences"]


def test_the_picture_is_xml_of_its_own_without_script_or_link(found: Compared) -> None:
    root = ElementTree.fromstring(picture.svg(found))
    names = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in root.iter()}
    assert names <= {
        *("svg", "title", "style", "defs", "pattern", "rect", "line", "path", "text", "g"),
    }
    assert not any("href" in key for element in root.iter() for key in element.attrib)
    words = [element.text for element in root.iter() if element.text]
    assert {"n1", "n2", "n3"} <= set(words)
    assert any(word.startswith("commit ") for word in words)
    assert any(word.startswith("✗") for word in words) is any(
        not each.is_allowed for each in found.divergences
    )


def test_the_page_holds_the_picture_and_asks_nobody_for_anything(found: Compared) -> None:
    text = picture.html(found)
    assert "<svg " in text
    assert "<script" not in text
    assert not re.findall(r"(?:src|href)=", text)
    assert "default-src 'none'" in text
    parser = HTMLParser()
    parser.feed(text)
    parser.close()


def test_what_a_path_is_called_cannot_break_out_of_the_picture(tmp_path: Path) -> None:
    folder = tmp_path / "<b>&\x1b[31m\"'"
    folder.mkdir()
    found = compared_logs(folder, *ALIKE[:2])
    for given in found.given:
        object.__setattr__(given, "name", f"{folder.name}{given.name}")
    ElementTree.fromstring(picture.svg(found))
    for text in (picture.svg(found), picture.html(found), drawn(found)):
        assert "\x1b" not in text
    for text in (picture.svg(found), picture.html(found)):
        assert "<b>&\\" not in text


def test_the_size_of_the_picture_does_not_follow_the_entries(tmp_path: Path) -> None:
    sizes = []
    for last in (40, 400):
        logs = [member(node, puts(4, last, 2, A)) for node in VOTERS]
        sizes.append(len(picture.svg(compared_logs(tmp_path / str(last), *logs))))
    assert abs(sizes[0] - sizes[1]) < 100
