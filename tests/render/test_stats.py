"""Figures on a screen: what stands first, at every width, and never what a key wants."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.render.drawing import CASES, DISK, Paper, laid
from tests.wal.builders import STATE, bytes_field, entry, fresh, mark, state
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.counting.fold import Wish
from walctl.inspect.counting.prefix import KEY_BYTES_MAX
from walctl.inspect.stats import Stats, stats
from walctl.payload.base import Redaction
from walctl.payload.etcd import EtcdDecoder
from walctl.render import stats as render
from walctl.render.stats_table import Line, size_words, table
from walctl.render.text import columns

GOLDEN = """\
/wal: folder of segments; member 1234, cluster 5678; 1 segment, 13 records, 8
  entries 1–8, 632 B

records     count  bytes  share
  entry         8  512 B  81.0%  ########################
  state         2   48 B   7.6%  ##
  metadata      1   32 B   5.1%  ##
  snapshot      1   24 B   3.8%  #
  crc           1   16 B   2.5%  #

requests  count  bytes  share
  put         6  448 B  87.5%  ##########################
  noop        2   64 B  12.5%  ####

key prefixes, biggest first  puts  deletes  bytes  share
  "/a/b/"                       4        0  206 B  97.2%  #####################
  "k"                           2        0    6 B   2.8%  #

keys, most written first  puts  deletes  bytes
  "/a/b/c"                   2        0  192 B  ##########
  "/a/b/d"                   2        0   14 B  ##########
  "k1"                       2        0    6 B  ##########

churn
  puts, those in transactions included      6
  requests to change keys, not v2's         6
  log for each of these                 105 B

bytes of payload  entries  bytes
  0                     2    0 B  ########
  …
  8–15                  2   28 B  ########
  16–31                 2   36 B  ########
  …
  64–127                2  214 B  ########

biggest entries
     107 B  1 (term 1) at 0000000000000000-0000000000000000.wal:72
            put "/a/b/c" = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"…
     107 B  5 (term 2) at 0000000000000000-0000000000000000.wal:352
            put "/a/b/c" = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"…
      18 B  2 (term 1) at 0000000000000000-0000000000000000.wal:208
            put "/a/b/d" = "v"
      18 B  6 (term 2) at 0000000000000000-0000000000000000.wal:488
            put "/a/b/d" = "v"
      14 B  3 (term 1) at 0000000000000000-0000000000000000.wal:256
            put "k1" = "v"
      14 B  7 (term 2) at 0000000000000000-0000000000000000.wal:536
            put "k1" = "v"
       0 B  4 (term 1) at 0000000000000000-0000000000000000.wal:296
       0 B  8 (term 2) at 0000000000000000-0000000000000000.wal:576

etcd's limits
  requests: 0 near, 0 beyond 1,572,864 bytes, the default of --max-request-bytes
  records: 0 near, 0 beyond 10,485,760 bytes, what etcd 3.4 and 3.5.0–3.5.4 read

terms     indexes  entries  bytes
  term 1      1–4        4  256 B  ###############
  term 2      5–8        4  256 B  ###############
  |1-------------------------------------|2-------------------------------------

timeline
  index  offset  in 0000000000000000-0000000000000000.wal
      1      72  first entry of term 1
      4     328  state: term 1, vote for 7, commit 4
      5     352  first entry of term 2
      8     608  state: term 2, vote for 7, commit 8

segments                                 indexes  records  bytes  unused
  0000000000000000-0000000000000000.wal      1–8       13  632 B    64 B
"""

WIDTHS = (40, 41, 60, 80, 100, 200)
NAME = "0000000000000000-0000000000000000.wal"


@functools.cache
def counted(case: str, top: int = 10) -> Stats:
    (found,) = stats(DISK, laid(case), wish=Wish(decoder=EtcdDecoder(), top=top))
    return found


def of_log(*payloads: bytes, terms: int = 1, **more: Any) -> Stats:
    """The figures of a log made of these payloads, each again in every term."""
    log = fresh()
    index = 0
    for term in range(1, terms + 1):
        for payload in payloads:
            index += 1
            log.add(2, entry(index, term, payload))
        log.add(STATE, state(term, 7, index))
    disk = MemoryFileSystem({Path("/wal") / NAME: log.done(64)})
    (found,) = stats(disk, Path("/wal"), wish=Wish(decoder=EtcdDecoder()), **more)
    assert found.error is None
    return found


def put(key: bytes, value: bytes = b"v") -> bytes:
    fields = bytes_field(1, key) + bytes_field(2, value)
    return bytes_field(4, fields) + bytes_field(100, b"\x08\x01")


def drawn(report: Stats, width: int = 80, redaction: Redaction = Redaction.AUTH) -> str:
    paper = Paper(width)
    render.one(paper, report, redaction)
    return paper.text


def test_the_figures_of_a_small_log_at_80_columns() -> None:
    text = drawn(of_log(put(b"/a/b/c", b"x" * 90), put(b"/a/b/d"), put(b"k1"), b"", terms=2))
    assert text == GOLDEN


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_screen(case: str, width: int) -> None:
    for line in drawn(counted(case), width).splitlines():
        is_one_word = len(line.split()) <= 2
        assert columns(line) <= width or NAME[:16] in line or is_one_word


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_ends_in_blanks(width: int) -> None:
    for line in drawn(of_log(put(b"a" * 300), put(b"b"), terms=40), width).splitlines():
        assert line == line.rstrip()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_segment_s_name_is_always_whole(width: int) -> None:
    assert NAME in drawn(counted("etcd-3.5-three-puts"), max(width, 80))


def test_colour_is_for_terminals_and_bars_are_plain_without() -> None:
    plain, colour = Paper(80), Paper(80, colour=True)
    for paper in (plain, colour):
        render.one(paper, counted("etcd-3.5-snapshots"))
    assert "\x1b" not in plain.text
    assert "#" in plain.text
    assert "\x1b[1m" in colour.text
    assert "█" in colour.text


def test_no_key_can_write_on_the_terminal_what_it_wants() -> None:
    report = of_log(put(b"\x1b[2J/\n\xff\xe2\x80\xae/x", b"\x1b[31m"))
    for width in WIDTHS:
        text = drawn(report, width)
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert '"\\x1b[2J/\\x0a\\xff\\u202e/"' in drawn(report, 200)


def test_a_long_key_is_cut_and_says_so() -> None:
    text = drawn(of_log(put(b"k" * (KEY_BYTES_MAX + 9))), 200)
    assert '"…' in text
    assert "k" * 70 not in text.partition("biggest entries")[0]


@pytest.mark.parametrize("redaction", [Redaction.KEYS, Redaction.ALL])
def test_hidden_keys_are_told_by_their_length(redaction: Redaction) -> None:
    text = drawn(of_log(put(b"secret/key", b"value")), 120, redaction)
    assert "secret" not in text
    assert "value" not in text
    assert "<redacted 10 bytes>" in text
    assert "<redacted 7 bytes>" in text
    assert "value" not in drawn(of_log(put(b"k", b"value")), 120, Redaction.VALUES)


def test_terms_are_drawn_as_long_as_they_have_entries() -> None:
    paper = Paper(60)
    render.picture(paper, [(1, 10), (2, 80), (30, 10)])
    (line,) = paper.text.splitlines()
    first, second, third = (len(each) for each in line.strip().split("|")[1:])
    assert first == third < second
    assert line.startswith("  |1---")
    assert "|30" in line
    assert len(line) <= 60


@pytest.mark.parametrize("count", [1, 15, 40])
@pytest.mark.parametrize("width", WIDTHS)
def test_however_many_terms_there_are_the_picture_fits(count: int, width: int) -> None:
    paper = Paper(width)
    render.picture(paper, [(term, 1) for term in range(1, min(count, render.TERMS_SHOWN_MAX) + 1)])
    assert max(map(len, paper.text.splitlines())) <= width


def test_more_terms_and_steps_than_a_screen_takes_are_counted() -> None:
    text = drawn(of_log(b"", terms=40))
    assert "and 25 earlier terms: -o json has them" in text
    assert "50 earlier steps: -o json has them" in text


def test_what_is_left_out_is_said() -> None:
    rows = [put(b"key%d/x" % n) for n in range(30)]
    text = drawn(of_log(*rows))
    assert "and 20 more prefixes; --top N shows N of them" in text
    assert "and 20 more keys; --top N shows N of them" in text


def test_lists_that_were_thinned_say_that_they_are_approximate() -> None:
    report = of_log(put(b"a/b"))
    for n in range(30):
        report.figures.keys.kept_max = 2
        report.figures.keys.add(b"%d" % n, report.figures.keys.unit(writes=1))
    assert "approximate: there are more keys than are kept" in " ".join(drawn(report).split())


def test_a_marker_alone_has_its_records_and_no_more() -> None:
    disk = MemoryFileSystem({Path("/wal") / NAME: fresh().add(5, mark(3, 1)).done(64)})
    (found,) = stats(disk, Path("/wal"), wish=Wish(decoder=EtcdDecoder()))
    text = drawn(found)
    assert "snapshot" in text
    assert "requests" not in text


def test_json_is_one_document_and_ndjson_a_line_for_each() -> None:
    reports = [counted("etcd-3.5-three-puts"), counted("zero-page")]
    one, many = Paper(output="json"), Paper(output="ndjson")
    for paper in (one, many):
        render.show(paper, reports, Redaction.AUTH)
    lines = [json.loads(line) for line in many.text.splitlines()]
    assert json.loads(one.text) == {
        "v": 1,
        "reports": [{k: v for k, v in line.items() if k != "v"} for line in lines],
    }
    assert many.text.isascii()


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1536, "1.54 kB"),
        (9_995, "10.0 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (64_000_000, "64.0 MB"),
        (640_000_000, "640 MB"),
        (10**30, "1000000000000 EB"),
    ],
)
def test_sizes_have_three_digits(size: int, words: str) -> None:
    assert size_words(size) == words


def test_a_narrow_table_gives_up_its_least_numbers_before_its_names() -> None:
    lines = [Line("a name of some length", ("1,000,000", "2,000,000", "3.00 MB"), 0.5)]
    wide, narrow = Paper(100), Paper(40)
    for paper in (wide, narrow):
        table(paper, ("names", "one", "two", "three"), lines, optional=(1, 0))
    numbers = ["1,000,000", "2,000,000", "3.00", "MB", "#" * 15]
    assert wide.text.splitlines()[1].split()[5:] == numbers
    assert "2,000,000" not in narrow.text
    assert "3.00 MB" in narrow.text
