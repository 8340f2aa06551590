"""Explanations on screens of all widths."""

import json
from io import StringIO

import pytest

from walctl.inspect.explain import PAGES, explain, groups
from walctl.inspect.explanation import Explanation
from walctl.render.explain import document, listing, listing_document, page
from walctl.render.screen import Screen
from walctl.render.text import columns


def drawn(explanation: Explanation, width: int) -> str:
    out = StringIO()
    page(Screen(out, StringIO(), width=width), explanation)
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_screen_and_no_word_is_lost(width: int) -> None:
    for explanation in PAGES:
        text = drawn(explanation, width)
        assert max(map(columns, text.splitlines())) <= min(width, 100)
        words = " ".join(text.split())
        for part in (explanation.title, explanation.what, *explanation.do, *explanation.avoid):
            assert part in words


def test_a_page_reads_from_the_top() -> None:
    text = drawn(explain("snap-unmarked"), 80)
    assert text.startswith("snap-unmarked: A .snap file has no record in the log.\nSeverity: ")
    headings = [
        line for line in text.splitlines() if line and line[0].isupper() and ":" not in line
    ]
    assert headings == [
        "What it is",
        "Why it happens",
        "What etcd does",
        "What is lost",
        "What to do",
        "What not to do",
    ]


def test_a_command_is_never_broken_over_two_lines() -> None:
    assert "`cp -aLT --sparse=always DIR COPY`" in drawn(explain("crc-mismatch"), 60)


def test_the_list_has_every_topic_on_a_line_of_its_own() -> None:
    for width in (40, 80):
        out = StringIO()
        listing(Screen(out, StringIO(), width=width), groups())
        lines = out.getvalue().splitlines()
        assert max(map(columns, lines)) <= width
        first_words = [line.split()[0] for line in lines if line.startswith("  ") and line.strip()]
        assert [word for word in first_words if word in {str(p.topic) for p in PAGES}] == [
            str(p.topic) for p in PAGES
        ]


def test_json_says_all_that_the_page_says() -> None:
    assert json.loads(json.dumps(listing_document(groups())))["topics"][0] == {
        "topic": "torn-tail",
        "group": "bytes",
        "title": PAGES[0].title,
    }
    for explanation in PAGES:
        told = json.loads(json.dumps(document(explanation)))
        assert told["v"] == 1
        assert told["topic"] == explanation.topic
        assert told["do"] == list(explanation.do)
        assert [act["act"] for act in told["etcd"]] == [act.act for act in explanation.etcd]
        assert {"what", "why", "lost", "avoid", "see", "judged", "severities"} <= told.keys()
