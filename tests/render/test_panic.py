"""Explanations of messages on screens of all widths."""

import json

import pytest

from tests.render.drawing import DISK, Paper, laid, too_long
from walctl.inspect.explain import groups
from walctl.inspect.panics import PAGES, PanicReport, Where, explain_page, explain_text
from walctl.render.panic import document, listing, listing_document, screenful
from walctl.render.text import columns

TEXT = "panic: tocommit(458) is out of range [lastIndex(3)]. Was the raft log corrupted?"


def drawn(report: PanicReport, width: int) -> str:
    paper = Paper(width)
    screenful(paper, report)
    return paper.text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_screen_and_no_word_is_lost(width: int) -> None:
    for page in PAGES:
        report = explain_page(DISK, page)
        text = drawn(report, width)
        assert too_long(text, min(width, 100)) == []
        words = " ".join(text.split())
        for part in (page.title, page.means, *page.avoid, *(step.text for step in report.do)):
            assert part in words
        for each in report.causes:
            assert each.cause.text in words
            assert each.judged.evidence in words


def test_a_page_reads_from_the_top() -> None:
    text = drawn(explain_text(DISK, [TEXT]), 80)
    assert text.startswith("tocommit-out-of-range: The leader knows that this member")
    heads = ["said by", "text", "numbers", "What it means", "Causes, by the text alone"]
    heads += ["What to do", "What not to do", "see also", "source"]
    places = [text.index(f"\n{head}") for head in heads]
    assert places == sorted(places)
    fits, unknown, not_so = (
        text.index(f"\n  {w}") for w in ("fits", "cannot tell", "does not fit")
    )
    assert fits < unknown < not_so


def test_what_fits_is_coloured_and_the_commands_are_whole_lines() -> None:
    member = laid("flipped-bit-in-data")
    report = explain_text(DISK, ["walpb: crc mismatch"], Where(path=member))
    paper = Paper(60, colour=True)
    screenful(paper, report)
    assert "\x1b[1;31m" in paper.text
    text = drawn(report, 40)
    for step in report.do:
        if step.command:
            assert step.command in [line.strip() for line in text.splitlines()]
    assert f"walctl doctor {member}" in text


def test_other_messages_of_a_log_are_named_with_their_lines() -> None:
    log = "\n".join(["repaired WAL", "etcdserver: request timed out", TEXT])
    text = drawn(explain_text(DISK, [log]), 80)
    assert "also there    request-timed-out (line 2)" in text
    assert "(line 3)" in text


def test_json_says_all_that_the_screen_says() -> None:
    report = explain_text(DISK, [TEXT], Where(path=laid("etcd-3.5-three-puts")))
    told = json.loads(json.dumps(document(report)))
    assert (told["v"], told["kind"], told["line"]) == (1, "panic", 1)
    assert told["numbers"] == {"commit": 458, "last_index": 3}
    assert told["program"] == report.page.by
    assert [each["cause"] for each in told["causes"]] == [w.cause.name for w in report.causes]
    assert all(each["evidence"] for each in told["causes"])
    assert len(told["do"]) == len(report.do)
    assert told["do_not"] == list(report.do_not)
    assert told["path"] == str(laid("etcd-3.5-three-puts"))


@pytest.mark.parametrize("width", [40, 80])
def test_the_list_has_every_message_by_its_words(width: int) -> None:
    paper = Paper(width)
    listing(paper, (groups(), PAGES))
    words = " ".join(paper.text.split())
    assert all(" ".join(page.says.split()) in words for page in PAGES)
    assert max(map(columns, paper.text.splitlines())) <= width
    told = json.loads(json.dumps(listing_document((groups(), PAGES))))
    assert [each["says"] for each in told["messages"]] == [page.says for page in PAGES]
