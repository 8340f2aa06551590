"""Known messages are found in every wrapping in which people paste them, and nothing is slow."""

import re
import time
from re import _parser  # type: ignore[attr-defined]  # the parsed form is the proof of the bounds

import pytest

from tests.inspect.panic_texts import ALL, WAS_IT, Said
from walctl.inspect.panic.page import Gravity, Shape
from walctl.inspect.panic.text import (
    HITS_MAX,
    PIECE_CHARS,
    TEXT_CHARS_MAX,
    closest,
    read_text,
)
from walctl.inspect.panics import PAGES, recognise

PANIC = f"tocommit(148) is out of range [lastIndex(123)]. {WAS_IT}"
NUMBERS = {"commit": 148, "last_index": 123}
SHAPES = [form for page in PAGES for form in page.shapes]
QUANTIFIER_MAX = 300
SECONDS_MAX = 2.0
"""For a megabyte; it takes some hundredths."""


@pytest.mark.parametrize("said", ALL, ids=lambda said: said.source)
def test_what_servers_said_is_known_with_its_numbers(said: Said) -> None:
    found = recognise(said.text)
    assert found is not None
    assert found.page.topic == said.topic
    assert {name: found.numbers[name] for name in said.numbers} == said.numbers


def test_every_page_has_a_text_that_somebody_pasted() -> None:
    assert {page.topic for page in PAGES} == {said.topic for said in ALL}


@pytest.mark.parametrize(
    "text",
    [
        PANIC,
        f"panic: {PANIC}\n\ngoroutine 88 [running]:\ngo.uber.org/zap/zapcore.(*CheckedEntry).Write",
        f'{{"level":"panic","ts":"2022-10-06T09:18:02.022Z","caller":"raft/log.go:237","msg":"{PANIC}"}}',
        '"message" : "{\\"level\\":\\"panic\\",\\"msg\\":\\"' + PANIC + '\\"}"',
        'time="2022" level=info msg="{\\\\\\"msg\\\\\\":\\\\\\"'
        + PANIC
        + '\\\\\\"}" component=etcd',
        f"2020-05-26 14:00:13.749838 C | raft: {PANIC}",
        f"May 21 16:29:42 centos-node-2 etcd[5481]: panic: {PANIC}",
        f"2021-10-14T14:01:06.593348171+05:30 stderr F panic: {PANIC}",
        f"\x1b[31mpanic: {PANIC}\x1b[0m\r\n",
        "tocommit(148) is out of range\n[lastIndex(123)]. Was the raft log",
        "panic: tocommit(148) is out of ra\nnge [lastIndex(123)]. Was",
        "│ panic: tocommit(148) is out of ra │\n│ nge [lastIndex(123)].       │",
    ],
)
def test_a_message_is_found_whatever_stands_around_it(text: str) -> None:
    found = recognise(text)
    assert found is not None
    assert found.page.topic == "tocommit-out-of-range"
    assert found.numbers == NUMBERS


def test_a_message_that_was_cut_off_is_known_with_the_numbers_that_are_left() -> None:
    found = recognise("panic: tocommit(148) is out of ra")
    assert found is not None
    assert found.numbers == {"commit": 148}


def test_what_a_server_died_of_counts_more_than_what_it_grumbled_before() -> None:
    log = "\n".join(
        [
            '{"level":"info","msg":"starting an etcd server","etcd-version":"3.5.9"}',
            '{"level":"warn","msg":"ignored file in WAL directory","path":"x.broken"}',
            '{"level":"info","msg":"repaired WAL","error":"unexpected EOF"}',
            '{"level":"warn","msg":"x","error":"etcdserver: request timed out"}',
            *["I | raft: nothing of note"] * 1000,
            '{"level":"fatal","msg":"discovery failed","error":"walpb: crc mismatch"}',
            f'{{"level":"panic","msg":"{PANIC}"}}',
        ]
    )
    reading = read_text([log], PAGES)
    found = [each.page.topic for each in reading.sightings]
    assert found[0] == "walpb-crc-mismatch", "of two that end a process the first"
    assert set(found) == {
        "walpb-crc-mismatch",
        "tocommit-out-of-range",
        "request-timed-out",
        "repaired-wal",
        "ignored-file-in-wal-directory",
        "discovery-failed",
        "raft-log-corrupted-truncated-or-lost",
    }
    assert reading.sightings[0].line == 1005
    assert reading.version == "3.5.9"


def test_lines_are_counted_over_pieces_that_are_cut_anywhere() -> None:
    log = "x" * 50 + "\n" + "nothing\n" * 150_000 + PANIC
    whole = read_text([log], PAGES).sightings[0]
    assert whole.line == 150_002
    for size in (1000, 65_537, PIECE_CHARS, PIECE_CHARS + 1):
        pieces = [log[start : start + size] for start in range(0, len(log), size)]
        reading = read_text(pieces, PAGES)
        first = reading.sightings[0]
        assert (first.line, first.numbers) == (150_002, NUMBERS)


def test_a_log_without_an_end_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walctl.inspect.panic.text.TEXT_CHARS_MAX", 1000)

    def endless() -> object:
        while True:
            yield "nothing of note\n"

    reading = read_text(endless(), PAGES)  # type: ignore[arg-type]
    assert reading.is_cut
    assert reading.sightings == []
    assert TEXT_CHARS_MAX < 1 << 30


def test_an_unknown_text_is_not_taken_for_a_known_one() -> None:
    for text in ("", " \n", "panic: runtime error", "unexpected EOF", "connection refused", "\0"):
        assert recognise(text) is None


def test_the_closest_pages_are_those_that_share_words() -> None:
    near = closest("wal read failed with an unexpected EOF", PAGES, count=3)
    assert "wal-unexpected-eof" in [page.topic for page in near]
    assert closest("my cat sat on the mat", PAGES, count=3) == []


def test_every_pattern_is_bounded() -> None:
    def bounds(parsed: object) -> list[int]:
        found: list[int] = []
        for item in parsed:  # type: ignore[attr-defined]
            op, value = item
            if "REPEAT" in str(op):
                found += [int(value[1]), *bounds(value[2])]
            elif str(op) == "SUBPATTERN":
                found += bounds(value[3])
            elif str(op) == "BRANCH":
                found += [each for branch in value[1] for each in bounds(branch)]
        return found

    for form in SHAPES:
        assert max(bounds(_parser.parse(form.pattern.pattern)), default=0) <= QUANTIFIER_MAX
        assert len(form.words) >= 7, "short words would be found everywhere"


@pytest.mark.parametrize("filler", ["", " ", "\\", '"', "1", "(", "\n", "[", "a\n"])
def test_a_hostile_megabyte_is_not_slow(filler: str) -> None:
    unit = filler.join(form.words for form in SHAPES) + filler * 100
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    started = time.process_time()
    read_text([text], PAGES)
    assert time.process_time() - started < SECONDS_MAX


@pytest.mark.slow
@pytest.mark.parametrize("form", SHAPES, ids=lambda form: form.words)
def test_no_pattern_is_slow_on_its_own_words_and_half_matches(form: Shape) -> None:
    seeds = [form.words, form.words + "1" * 19, re.sub(r"\W", "", form.words), '\\"' * 9]
    for seed in seeds:
        text = (seed * (1_000_000 // max(len(seed), 1) + 1))[:1_000_000]
        started = time.process_time()
        read_text([text], PAGES)
        assert time.process_time() - started < SECONDS_MAX


def test_only_so_many_windows_are_looked_into() -> None:
    panic = "1 state.commit 9 is out of range [1, 2]"
    noise = "nothing of note\n" * 2000
    assert recognise(noise + "state.commit \n" * HITS_MAX + panic) is None
    assert recognise(noise + "state.commit \n" * (HITS_MAX - 1) + panic) is not None


def test_frames_never_hide_what_they_frame() -> None:
    frames = [page for page in PAGES if page.gravity is Gravity.FRAME]
    assert frames
    for page in frames:
        found = recognise(f"{page.shapes[0].words}: wal: conflicting metadata found")
        assert found is not None
        assert found.page.topic == "wal-conflicting-metadata"
