"""The kernel against the definition: frame by frame, on real logs and on misleading ones."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import raftpb, walpb
from formats.frame import LENGTH_FIELD
from tests.corpus import needs_corpus, unpacked
from tests.wal.builders import (
    CRC,
    ENTRY,
    METADATA,
    SNAPSHOT,
    STATE,
    Builder,
    bytes_field,
    entry,
    fresh,
    mark,
    metadata,
    state,
    varint,
)
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.model.batch import Batch
from walctl.model.log import Run, StateRun
from walctl.wal import kernel
from walctl.wal.fold import Digest, digest
from walctl.wal.kernel import Halt
from walctl.wal.scan import Damage, End, scan
from walctl.wal.shapes import OLD_RECORD_BYTES_MAX

PATH = Path("/0000000000000000-0000000000000000.wal")
WINDOWS = [64, 4096, 65536, 4 << 20]


@dataclass(frozen=True, slots=True)
class Row:
    """One record, read by the definition alone."""

    start: int
    stop: int
    kind: int
    crc: int
    value: Any


def by_definition(data: bytes) -> list[Row]:
    """All records of a clean segment, one after the other; no window, no shortcut."""
    rows = []
    offset, running = 0, None
    while data[offset : offset + 8].strip(b"\0"):
        length = LENGTH_FIELD.parse(data[offset:])
        stop = offset + 8 + length.record_bytes + length.padding_bytes
        body = data[offset + 8 : offset + 8 + length.record_bytes]
        record = walpb.RECORD.parse_exact(body)
        if running is not None:
            assert crc32c.crc32c(record.data or b"", running) == (record.crc or 0), offset
        running = record.crc or 0
        rows.append(Row(offset, stop, record.type or 0, running, value_of(record)))
        offset = stop
    assert not data[offset:].strip(b"\0")
    return rows


def value_of(record: walpb.Record) -> Any:
    payload = record.data or b""
    match record.type:
        case 2:
            return raftpb.ENTRY.parse_exact(payload)
        case 3:
            found = raftpb.HARD_STATE.parse_exact(payload)
            return (found.term or 0, found.vote or 0, found.commit or 0)
        case 5:
            snapshot = walpb.SNAPSHOT.parse_exact(payload)
            return (snapshot.index or 0, snapshot.term or 0)
        case _:
            return record.data


def runs_of(rows: list[Row]) -> list[tuple[int, ...]]:
    """First, last, term, start, stop of each run of entries, by the rule and nothing else."""
    runs: list[list[int]] = []
    for row in rows:
        if row.kind != ENTRY:
            continue
        index, term = row.value.index or 0, row.value.term or 0
        if runs and runs[-1][1] + 1 == index and runs[-1][2] == term:
            runs[-1][1], runs[-1][4] = index, row.stop
        else:
            runs.append([index, index, term, row.start, row.stop])
    return [tuple(run) for run in runs]


def states_of(rows: list[Row]) -> list[tuple[int, ...]]:
    """Term, vote, count, first and last offset, first and last commit of each run of states."""
    runs: list[list[int]] = []
    for row in rows:
        if row.kind != STATE:
            continue
        term, vote, commit = row.value
        if runs and runs[-1][:2] == [term, vote] and commit >= runs[-1][6]:
            runs[-1][2] += 1
            runs[-1][4], runs[-1][6] = row.start, commit
        else:
            runs.append([term, vote, 1, row.start, row.start, commit, commit])
    return [tuple(run) for run in runs]


def plain_run(run: Run) -> tuple[int, ...]:
    return (run.first, run.last, run.term, run.start, run.stop)


def plain_states(run: StateRun) -> tuple[int, ...]:
    places = (run.first_offset, run.last_offset, run.commit_first, run.commit_last)
    return (run.term, run.vote, run.count, *places)


def batches(file: Any, window_bytes: int) -> Iterator[Batch]:
    """The batches of a segment in which the scan finds nothing wrong."""
    for item in scan(file, segment=PATH.name, window_bytes=window_bytes):
        if isinstance(item, Batch):
            yield item
        else:
            assert not isinstance(item, Damage), item
            assert isinstance(item, End)


def assert_equals_the_definition(file: Any, rows: list[Row], window_bytes: int) -> None:
    position = 0
    for batch in batches(file, window_bytes):
        count = len(batch.offsets)
        mine = rows[position : position + count]
        position += count
        assert [batch.base + offset for offset in batch.offsets] == [row.start for row in mine]
        assert (batch.start, batch.stop) == (mine[0].start, mine[-1].stop)
        assert (batch.first_crc, batch.crc) == (mine[0].crc, mine[-1].crc)
        assert [plain_run(run) for run in batch.runs] == runs_of(mine)
        assert [plain_states(run) for run in batch.states] == states_of(mine)
        assert batch.entries == sum(row.kind == ENTRY for row in mine)
        marks = [(placed.offset, placed.mark.index, placed.mark.term) for placed in batch.marks]
        assert marks == [(row.start, *row.value) for row in mine if row.kind == SNAPSHOT]
        raw = [(placed.offset, placed.metadata.raw) for placed in batch.metadata]
        assert raw == [(row.start, row.value) for row in mine if row.kind == METADATA]
        changes = [
            (placed.offset, placed.entry.raw_kind, placed.entry.index, placed.entry.payload)
            for placed in batch.conf_changes
        ]
        assert changes == [
            (row.start, row.value.type, row.value.index, row.value.data)
            for row in mine
            if row.kind == ENTRY and row.value.type
        ]
        assert batch.checkpoints == [row.start for row in mine if row.kind == CRC]
        assert not batch.odd_padding
    assert position == len(rows)


def segments(name: str) -> list[Path]:
    return sorted(unpacked(name).glob("**/*.wal"))


def whole(path: Path) -> bytes:
    """A segment without the zeros that it was preallocated with, but for some."""
    data = path.read_bytes()
    return data[: (len(data.rstrip(b"\0")) + 4096) // 8 * 8]


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "a-single-20puts-35",
        "s-small-snaps-34",
        "s-small-snaps-35",
        "b-single-allops-34",
        "b-single-allops-35",
        "d-cluster3-35",
        "d3-snapshot-received-35",
        "f-raftexample-35",
        "h-20-small-segments-34",
        "c-snapshots-segments-35",
        "m-segments-nosnap-35",
    ],
)
def test_every_segment_of_the_corpus_reads_as_the_definition_says(name: str) -> None:
    paths = segments(name)
    assert paths
    for path in paths:
        data = whole(path)
        rows = by_definition(data)
        assert len(rows) > 1
        with RealFileSystem().open(path) as file:
            for window_bytes in WINDOWS:
                assert_equals_the_definition(file, rows, window_bytes)


@needs_corpus
@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_a_small_real_log_reads_as_the_definition_says(window_bytes: int) -> None:
    (path,) = segments("a-single-20puts-34")
    rows = by_definition(whole(path))
    assert sum(row.kind == ENTRY for row in rows) > 20
    with RealFileSystem().open(path) as file:
        assert_equals_the_definition(file, rows, window_bytes)


# Logs of our own.


def opened(data: bytes) -> Any:
    return MemoryFileSystem({PATH: data}).open(PATH)


def without_hot_path(data: bytes, window_bytes: int) -> Digest:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel.Kernel, "_hot", lambda self, batch: None)
        return digest(opened(data), segment=PATH.name, window_bytes=window_bytes)


EDGES = [1, 126, 127, 128, 255, 256, 4351, 4352, 16382, 16383, 16384, (1 << 21) - 2, (1 << 35) - 2]
TERMS = st.one_of(st.integers(1, 3), st.sampled_from([127, 128, 1 << 32, (1 << 63) - 1]))


@st.composite
def saves(draw: st.DrawFn) -> Builder:
    """A log as etcd's raft may write it: batches of entries, states, overwrites, changes, marks."""
    log = fresh(draw(st.sampled_from([0, 5, 0x0FFFFFFF])))
    index = draw(st.sampled_from(EDGES))
    term = draw(TERMS)
    typeless = draw(st.booleans())
    wide = draw(st.sampled_from([1, 1, 1, 3]))
    sizes = st.one_of(st.none(), st.sampled_from([0, 1, 20, 20, 20, 100, 127, 128, 129, 700]))
    for _ in range(draw(st.integers(1, 8))):
        size = draw(sizes)
        for _ in range(draw(st.integers(0, 9))):
            data = None if size is None else bytes([index % 250 + 1]) * size
            kind = None if typeless else draw(st.sampled_from([0] * 9 + [1, 2]))
            log.add(ENTRY, entry(index, term, data, kind=kind, wide=wide))
            index += 1
        match draw(st.integers(0, 5)):
            case 0:
                index = max(1, index - draw(st.integers(0, 5)))
                term += 1
            case 1:
                log.add(SNAPSHOT, mark(index - 1, term, draw(st.sampled_from([(), (1, 2)]))))
            case _:
                log.add(STATE, state(term, draw(st.sampled_from([0, 7])), index - 1), wide=wide)
    return log


@settings(max_examples=40)
@given(saves(), st.sampled_from([64, 300, 4096, 4 << 20]))
def test_a_built_log_reads_as_the_definition_says(log: Builder, window_bytes: int) -> None:
    data = log.done(zeros=64)
    rows = by_definition(data)
    assert [(row.start, row.stop) for row in rows] == [(f.start, f.stop) for f in log.frames]
    assert_equals_the_definition(opened(data), rows, window_bytes)


@settings(max_examples=50)
@given(saves(), st.sampled_from([64, 300, 4096]))
def test_the_digest_does_not_depend_on_window_or_path(log: Builder, window_bytes: int) -> None:
    data = log.done(zeros=64)
    whole_digest = digest(opened(data), segment=PATH.name)
    assert digest(opened(data), segment=PATH.name, window_bytes=window_bytes) == whole_digest
    assert without_hot_path(data, window_bytes) == whole_digest


# Logs that no etcd writes, though their checksums fit.

PAYLOAD_34 = bytes([33]) + b"p" * 33
MISLEADING = {
    "an index that wraps at 127 into another field": [
        *(entry(index, 1, b"y" * 34) for index in (125, 126, 127)),
        b"\x08\x00\x10\x01\x18\x80\x22\x22" + PAYLOAD_34,
    ],
    "an index that wraps at 4351 into another field": [
        *(entry(index, 1, b"y" * 34) for index in (4349, 4350, 4351)),
        b"\x08\x00\x10\x01\x18\x00\x22\x22" + PAYLOAD_34,
    ],
    "a term that is given twice": [
        entry(4, 1, None),
        entry(5, 1, None),
        b"\x08\x00\x10\x01\x18\x06\x10\x02",
        entry(7, 1, None),
        entry(8, 1, None),
    ],
    "an index that is given twice": [
        entry(4, 1, None),
        b"\x08\x00\x10\x01\x18\x05\x18\x09",
        entry(6, 1, None),
        entry(10, 1, None),
    ],
}


@pytest.mark.parametrize("case", MISLEADING)
@pytest.mark.parametrize("window_bytes", [64, 4 << 20])
def test_a_misleading_entry_is_read_as_the_definition_says(case: str, window_bytes: int) -> None:
    log = fresh()
    for payload in MISLEADING[case]:
        log.add(ENTRY, payload)
    data = log.done(zeros=64)
    assert_equals_the_definition(opened(data), by_definition(data), window_bytes)


def test_an_entry_that_leaves_a_joint_membership_is_one_where_ids_are_as_small_as_terms() -> None:
    """It has no data, and so the shape of a hard state: term 2, vote 2, commit 4."""
    leave = b"\x08\x02\x10\x02\x18\x04"
    log = fresh()
    for payload in (entry(1, 1), entry(2, 2), entry(3, 2)):
        log.add(ENTRY, payload)
    log.add(STATE, state(2, 2, 3)).add(ENTRY, leave).add(STATE, state(2, 2, 4))
    found = digest(opened(log.done(zeros=64)), segment="a.wal")
    assert not found.damages
    runs = [(run.first, run.last) for each in found.stretches for run in each.runs]
    assert runs == [(1, 1), (2, 4)]
    # The same bytes in the place of an entry that is there are a state whose type is wrong.
    log = fresh().add(ENTRY, entry(1, 1)).add(ENTRY, entry(2, 2)).add(STATE, state(2, 2, 1))
    log.add(ENTRY, b"\x08\x02\x10\x02\x18\x02").add(STATE, state(2, 2, 2))
    assert [each.halt for each in digest(opened(log.done()), segment="a.wal").damages] == [
        Halt.TYPE
    ]


MISLEADING_STATES = {
    "a state without vote and commit behind one with": [
        state(3, 7, 5),
        state(3, 7, 6),
        b"\x08\x04",
        state(3, 7, 7),
        state(4, 7, 8),
    ],
    "a commit given twice": [state(3, 7, 5), state(3, 7, 5) + b"\x18\x06", state(3, 7, 9)],
    "a commit within an unknown field": [
        state(3, 7, 5),
        state(3, 7, 5) + bytes_field(15, b"\x18\x05"),
        state(3, 7, 5) + bytes_field(15, b"\x18\x09"),
        state(3, 7, 6),
    ],
    "a term behind the commit": [state(3, 7, 5) + b"\x08\x04", state(3, 7, 6), state(4, 7, 6)],
    "an overlong commit": [state(3, 7, 5), b"\x08\x03\x10\x07\x18\x86\x00", state(3, 7, 7)],
    "a commit beyond 64 bits": [
        state(3, 7, 5),
        b"\x08\x03\x10\x07\x18" + b"\xff" * 9 + b"\x7f",
        state(3, 7, 6),
    ],
    "a commit of ten bytes": [
        state(3, 7, 5),
        b"\x08\x03\x10\x07\x18" + b"\x86" + b"\x80" * 8 + b"\x00",
        state(3, 7, 6),
    ],
    "a commit beyond five bytes": [state(3, 7, 1 << 40), state(3, 7, 1 << 41), state(3, 7, 1)],
}


@pytest.mark.parametrize("case", MISLEADING_STATES)
def test_a_misleading_state_is_read_as_the_definition_says(case: str) -> None:
    log = fresh()
    for payload in MISLEADING_STATES[case]:
        log.add(STATE, payload)
    data = log.done(zeros=64)
    assert_equals_the_definition(opened(data), by_definition(data), 4 << 20)


def test_a_commit_of_eleven_bytes_is_refused_whatever_came_before_it() -> None:
    commit = b"\x86" + b"\x80" * 9 + b"\x00"
    log = fresh().add(STATE, state(3, 7, 5))
    # A state of that size in front, so that the length field is known to belong to states.
    log.add(STATE, state(3, 7, 5) + bytes_field(15, b"p" * 8)).add(STATE, state(3, 7, 6))
    log.add(STATE, b"\x08\x03\x10\x07\x18" + commit).add(STATE, state(3, 7, 9))
    data = log.done(zeros=64)
    found = digest(opened(data), segment=PATH.name)
    (damage,) = found.damages
    assert damage.start == log.frames[-2].start
    assert found == without_hot_path(data, 4 << 20)


@pytest.mark.slow
def test_terms_that_alternate_cost_no_more_than_their_number() -> None:
    log = fresh()
    for index in range(1, 16_001):
        log.put(index, 1 + index % 2).add(STATE, state(1 + index % 2, 7, index))
    started = time.perf_counter()
    (stretch,) = digest(opened(log.done()), segment=PATH.name).stretches
    assert time.perf_counter() - started < 3
    assert [run.commit_before for run in stretch.runs] == list(range(16_000))


def test_terms_of_one_two_and_nine_bytes_make_runs_of_their_own() -> None:
    log = fresh()
    for position, term in enumerate([1, 127, 128, (1 << 63) - 1]):
        for step in range(1, 4):
            log.put(3 * position + step, term)
    (stretch,) = digest(opened(log.done()), segment=PATH.name).stretches
    runs = [(run.first, run.last, run.term) for run in stretch.runs]
    assert runs == [(1, 3, 1), (4, 6, 127), (7, 9, 128), (10, 12, (1 << 63) - 1)]


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_checksums_of_every_width_are_read_by_the_hot_path_or_past_it(width: int) -> None:
    log = fresh()
    for index in range(1, 40):
        for salt in range(100_000):
            payload = entry(index, 1, varint(salt + 1, size=3))
            if width > 3 or len(varint(crc32c.crc32c(payload, log.crc))) <= max(width, 4):
                break
        log.add(ENTRY, payload)
    data = log.done(zeros=8)
    assert_equals_the_definition(opened(data), by_definition(data), 4 << 20)


def test_a_record_larger_than_the_window_is_read_whole() -> None:
    log = fresh().put(1).put(2, data=b"z" * 10_000).put(3).put(4)
    data = log.done(zeros=512)
    assert_equals_the_definition(opened(data), by_definition(data), 64)


@pytest.mark.slow
def test_a_record_that_old_releases_refuse_is_named_as_too_large() -> None:
    log = fresh().put(1).put(2, data=b"z" * OLD_RECORD_BYTES_MAX).put(3)
    (stretch,) = digest(opened(log.done()), segment=PATH.name).stretches
    assert [(run.first, run.start) for run in stretch.oversize] == [(2, log.frames[4].start)]


@settings(max_examples=30)
@given(saves(), st.integers(1, 7))
def test_padding_that_is_not_zero_is_noted_and_the_frame_kept(log: Builder, value: int) -> None:
    data = bytearray(log.done(zeros=64))
    padded = [each for each in log.frames if data[each.start + 7] & 7]
    if not padded:
        return
    data[padded[-1].stop - 1] = value
    found = digest(opened(bytes(data)), segment=PATH.name)
    assert found.odd_padding == [padded[-1].stop]
    assert not found.damages
    clean = digest(opened(log.done(zeros=64)), segment=PATH.name)
    assert replace(clean, odd_padding=found.odd_padding) == found


def test_reserved_bits_of_a_length_field_are_noted_and_the_frame_kept() -> None:
    log = fresh().puts(1, 5)
    for bit in range(3, 7):
        data = bytearray(log.done(zeros=64))
        data[log.frames[4].start + 7] ^= 1 << bit
        found = digest(opened(bytes(data)), segment=PATH.name)
        assert found.odd_padding == [log.frames[4].start]
        assert not found.damages


def test_a_conf_change_in_the_middle_of_a_run_is_kept_whole() -> None:
    log = fresh()
    for index in range(1, 12):
        log.add(ENTRY, entry(index, 1, b"abc", kind=1 if index == 6 else 0))
    (stretch,) = digest(opened(log.done()), segment=PATH.name).stretches
    assert [placed.entry.index for placed in stretch.conf_changes] == [6]
    assert [(run.first, run.last) for run in stretch.runs] == [(1, 11)]


def test_metadata_that_is_not_etcds_is_kept_as_it_is() -> None:
    log = Builder().add(METADATA, b"raftexample").add(METADATA, metadata(1, 2))
    (stretch,) = digest(opened(log.done()), segment=PATH.name).stretches
    raw = [placed.metadata.raw for placed in stretch.metadata]
    assert raw == [b"raftexample", metadata(1, 2)]
    assert stretch.metadata[0].metadata.node_id is None
    assert stretch.metadata[1].metadata.node_id == 1
