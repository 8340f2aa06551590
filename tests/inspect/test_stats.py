"""Figures of whole logs, held against what etcd's tools said and against a slow recount."""

import codecs
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fixtures.unpack import names as fixture_names
from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import DISK, logs_in, of_kind
from tests.inspect.recount import Recount, recounted
from tests.render.drawing import laid
from tests.wal import builders
from walctl.inspect.counting.figures import STATE, Figures
from walctl.inspect.counting.fold import Wish
from walctl.inspect.counting.prefix import PrefixRule
from walctl.inspect.positions import Position
from walctl.inspect.reading import Depth
from walctl.inspect.select import Selection
from walctl.inspect.stats import Stats, stats
from walctl.payload.auto import AutoDecoder
from walctl.payload.registry import decoder

AUTO = decoder("auto")
STRICT = AutoDecoder(strict=True)
"""What the automatic one is in a log of etcd."""
FIRST = "0000000000000000-0000000000000000.wal"
ALL = 10_000


def counted(path: Path, **more: Any) -> Stats:
    (found,) = stats(DISK, path, wish=Wish(decoder=AUTO, top=ALL), **more)
    assert found.error is None
    return found


def assert_same(found: Stats, truth: Recount) -> None:
    """Every figure that a slow recount has."""
    figures = found.figures
    assert {k: v.count for k, v in figures.records.items()} == truth.records
    assert {k: v.bytes for k, v in figures.records.items()} == truth.record_bytes
    assert {k: v.count for k, v in figures.requests.items()} == truth.requests
    assert {k: v.bytes for k, v in figures.requests.items()} == truth.request_bytes
    assert (figures.overwritten, figures.undecodable) == (truth.overwritten, truth.undecodable)
    assert_entries(figures, truth)
    assert_keys(figures, truth)
    assert_events(figures, truth)


def assert_entries(figures: Figures, truth: Recount) -> None:
    sizes = [size for size, _ in truth.sizes]
    bits = Counter(size.bit_length() for size in sizes)
    assert {k: v.count for k, v in figures.sizes.items()} == bits
    assert sum(v.bytes for v in figures.sizes.values()) == figures.payload_bytes == sum(sizes)
    biggest = sorted(truth.sizes, key=lambda each: -each[0])
    assert [(each.size, each.index) for each in figures.biggest] == biggest[:ALL]
    terms = {
        term: (len(indexes), min(indexes), max(indexes)) for term, indexes in truth.terms.items()
    }
    assert {
        term: (each.entries.count, each.first, each.last) for term, each in figures.terms.items()
    } == terms


def assert_keys(figures: Figures, truth: Recount) -> None:
    churn = figures.churn
    assert churn.puts == len(truth.puts)
    assert churn.deletes == sum(not end for _, end in truth.deletes)
    assert churn.range_deletes == sum(bool(end) for _, end in truth.deletes)
    assert churn.writes == truth.writes
    leases = (truth.leases[name] for name in ("granted", "revoked", "checkpoints"))
    assert (churn.granted, churn.revoked, churn.checkpoints) == tuple(leases)
    puts, sizes, held, held_sizes = Counter(), Counter(), Counter(), Counter()  # type: ignore[var-annotated]
    for key, size, lease in truth.puts:
        puts[key] += 1
        sizes[key] += size
        if lease:
            held[lease % 2**64] += 1
            held_sizes[lease % 2**64] += size
    deletes = Counter(key for key, end in truth.deletes if not end)
    rows = {row.name: (row.writes, row.deletes, row.bytes) for row in figures.keys.top(ALL)}
    assert rows == {key: (puts[key], deletes[key], sizes[key]) for key in puts | deletes}
    leased = {row.name: (row.writes, row.bytes) for row in figures.leases.top(ALL)}
    assert leased == {lease: (held[lease], held_sizes[lease]) for lease in held}
    prefix = PrefixRule().finder()
    grouped: Counter[bytes] = Counter()
    for key, size in sizes.items():
        grouped[prefix(key)] += size
    for key, _ in truth.deletes:
        grouped[prefix(key)] += 0
    found = {row.name: row.bytes for row in figures.prefixes.top(ALL)}
    assert found == grouped
    assert figures.prefixes.total() == (len(truth.puts), len(truth.deletes), sum(sizes.values()))


def assert_events(figures: Figures, truth: Recount) -> None:
    found = [
        (each.kind, each.offset, each.term, each.vote if each.kind == STATE else each.is_empty)
        for each in figures.events
    ]
    assert found == truth.events


@pytest.mark.parametrize("case", fixture_names())
def test_the_figures_of_a_fixture_are_those_of_its_rows(case: str) -> None:
    path = laid(case)
    assert_same(counted(path), recounted(path, STRICT))


def members(*kinds: str) -> list[Any]:
    """Every member of the corpus with a log; the large ones take their time."""
    cases = [(name, each) for kind in kinds for name in of_kind(kind) for each in logs_in(name)]
    return [
        pytest.param(name, each, marks=() if name in QUICK else pytest.mark.slow)
        for name, each in cases
    ]


QUICK = ("a-single-20puts-35", "s-small-snaps-34", "x-zero-page-mid-35", "x-torn-in-data-34")


@needs_corpus
@pytest.mark.parametrize(("name", "member"), members("scenario", "damage"))
def test_the_figures_of_the_corpus_are_those_of_its_rows(name: str, member: str) -> None:
    path = unpacked(name) / member
    is_etcds = (path / "member").is_dir()
    assert_same(counted(path), recounted(path, STRICT if is_etcds else AUTO))


@cache
def told_records(name: str, member: str) -> list[list[str]]:
    """What etcd's own decoder said of every record, and at last how it ended."""
    text = (unpacked(name) / "truth" / f"{member}.walrecords.txt").read_text()
    return [line.split() for line in text.splitlines()]


@needs_corpus
@pytest.mark.parametrize(("name", "member"), members("scenario"))
def test_the_figures_are_those_that_etcd_s_decoder_gives(name: str, member: str) -> None:
    *lines, end = told_records(name, member)
    assert (end[0], end[3]) == ("END", "EOF")
    figures = counted(unpacked(name) / member).figures
    counts, sizes = Counter[str](), Counter[str]()
    terms, bits = Counter[int](), Counter[int]()
    for _, start, stop, kind, *more in lines:
        counts[kind] += 1
        sizes[kind] += int(stop) - int(start)
        if kind == "entry":
            said = dict(each.split("=") for each in more if "=" in each)
            terms[int(said["term"])] += 1
            bits[int(said["len"]).bit_length()] += 1
    assert {k: (v.count, v.bytes) for k, v in figures.records.items()} == {
        kind: (counts[kind], sizes[kind]) for kind in counts
    }
    assert {term: each.entries.count for term, each in figures.terms.items()} == terms
    assert {k: v.count for k, v in figures.sizes.items()} == bits


_HEADER = re.compile(r'header:<(?:[^"<>]|"(?:\\.|[^"\\])*")*> (\w+):<')
_METHOD = re.compile(r"method=(\w+) ")
_PUT = re.compile(r'header:<[^>]*> put:<key:"((?:\\.|[^"\\])*)" ')


def told_requests(name: str, member: str) -> list[tuple[str, str]]:
    """Type and key of every request as etcd-dump-logs 3.5 printed it; the key of a put only."""
    path = unpacked(name) / "truth" / f"{member}.dump-logs-3.5.1.txt"
    _, _, listing = path.read_text().partition("\ttype\tdata\n")
    out = []
    for line in listing.splitlines():
        kind, _, data = re.sub(r"^ *\d+\t *\d+\t", "", line).partition("\t")
        header, method, put = _HEADER.match(data), _METHOD.match(data), _PUT.match(data)
        if kind == "conf":
            out.append(("conf_change", ""))
        elif header is not None:
            out.append((header[1], put[1] if put is not None else ""))
        elif method is not None:
            out.append((f"v2_{method[1].lower()}", ""))
        elif kind == "norm" and not data:
            out.append(("noop", ""))
    return out


@needs_corpus
@pytest.mark.parametrize(
    "name",
    ["a-single-20puts-34", "a-single-20puts-35", "b-single-allops-34", "b-single-allops-35"],
)
def test_requests_and_keys_are_those_that_etcd_dump_logs_printed(name: str) -> None:
    told = told_requests(name, "n1")
    figures = counted(unpacked(name) / "n1").figures
    assert figures.overwritten == 0
    requests = {kind: amount.count for kind, amount in figures.requests.items()}
    assert requests == Counter(kind for kind, _ in told)
    assert sum(requests.values()) == figures.entries.count
    keys = Counter(codecs.escape_decode(key)[0] for kind, key in told if kind == "put")
    puts = {row.name: row.writes for row in figures.keys.top(ALL)}
    if "txn" not in requests:
        assert {key: count for key, count in puts.items() if not key.startswith(b"/0/")} == keys
    assert all(puts[key] >= count for key, count in keys.items())


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-34", "b-single-allops-35"])
def test_no_shape_and_no_fast_codec_changes_a_figure(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = unpacked(name) / "n1"
    fast = counted(path)
    monkeypatch.setattr("walctl.inspect.counting.fold._asks_etcd_first", lambda decoder: False)
    assert counted(path).figures == fast.figures


# A part of a log.

BOUNDS = [(None, 30), (10, None), (10, 30), (1, 1), (0, 0), (40, 30), (10**9, None)]


@pytest.mark.parametrize("case", ["etcd-3.5-snapshots", "etcd-3.5-two-segments", "zero-page"])
@pytest.mark.parametrize(("start", "stop"), BOUNDS)
def test_a_part_between_indexes_has_the_figures_of_its_rows(
    case: str, start: int | None, stop: int | None
) -> None:
    path = laid(case)
    found = counted(
        path,
        start=None if start is None else str(start),
        stop=None if stop is None else str(stop),
    )
    wanted = Selection(
        start=None if start is None else Position(index=start),
        stop=None if stop is None else Position(index=stop),
    )
    assert_same(found, recounted(path, STRICT, wanted))


@pytest.mark.parametrize("case", ["etcd-3.5-snapshots", "flipped-bit-in-data"])
@pytest.mark.parametrize(("start", "stop"), [(0, 400), (400, 4000), (4000, 1 << 40)])
def test_a_part_between_offsets_has_the_figures_of_its_rows(
    case: str, start: int, stop: int
) -> None:
    path = laid(case)
    found = counted(path, start=f"{FIRST}:{start}", stop=f"{FIRST}:{stop}")
    wanted = Selection(
        start=Position(segment=FIRST, offset=start), stop=Position(segment=FIRST, offset=stop)
    )
    assert_same(found, recounted(path, STRICT, wanted))


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize(("start", "stop"), [(200, 600), (269, 269), (6145, None), (None, 553)])
def test_a_part_of_a_log_with_leaders_and_overwritten_entries(
    start: int | None, stop: int | None
) -> None:
    for member in ("n1", "n3"):
        path = unpacked("d-cluster3-35") / member
        found = counted(
            path,
            start=None if start is None else str(start),
            stop=None if stop is None else str(stop),
        )
        wanted = Selection(
            start=None if start is None else Position(index=start),
            stop=None if stop is None else Position(index=stop),
        )
        assert_same(found, recounted(path, STRICT, wanted))


@pytest.mark.parametrize("start", [None, "2", f"{FIRST}:72"])
def test_a_marker_behind_later_entries_takes_nothing_back_from_the_timeline(
    tmp_path: Path, start: str | None
) -> None:
    builder = builders.Builder()
    builder.add(builders.METADATA, builders.metadata())
    for index in (1, 2, 3):
        builder.add(builders.ENTRY, builders.entry(index, 1))
    builder.add(builders.SNAPSHOT, builders.mark(2, 1))
    builder.add(builders.STATE, builders.state(2, 0, 2))
    builder.add(builders.SNAPSHOT, builders.mark(9, 2))
    builder.add(builders.STATE, builders.state(3, 0, 9))
    (tmp_path / FIRST).write_bytes(bytes(builder.data) + bytes(4096))
    events = counted(tmp_path, start=start).figures.events
    assert [(event.term, event.index) for event in events if event.kind == "state"] == [
        (2, 3),
        (3, 9),
    ]


def test_named_positions_are_those_of_dump() -> None:
    path = laid("etcd-3.5-snapshots")
    last = counted(path).figures.last_index
    part = counted(path, start="last-9").figures
    assert (part.first_index, part.last_index, part.entries.count) == (last - 9, last, 10)


# Several processes.


@needs_corpus
@pytest.mark.slow
def test_several_processes_give_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walctl.inspect.reading.PARALLEL_BYTES_MIN", 1)
    for name in ("h-20-small-segments-34", "c-snapshots-segments-35"):
        path = unpacked(name) / "n1"
        alone, together = counted(path), counted(path, depth=Depth(jobs=3))
        assert together == alone
        assert len(alone.segments) > 1
        part = {"start": "commit-300", "stop": "last-20"}
        assert counted(path, **part) == counted(path, **part, depth=Depth(jobs=2))
