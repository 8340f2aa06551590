"""A digest says of a segment what its records say, and of each damaged record what is known."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus import needs_corpus, unpacked
from tests.wal.builders import ENTRY, METADATA, SNAPSHOT, STATE, Builder, entry, fresh, mark, state
from tests.wal.builders import metadata as metadata_of
from tests.wal.test_kernel import Row, by_definition, opened, saves, segments, whole
from walctl.fs.real import RealFileSystem
from walctl.model.log import Stretch, takes_back
from walctl.model.record import HardState
from walctl.wal.fold import Digest, digest
from walctl.wal.scan import Damage

SEGMENT = "0000000000000000-0000000000000000.wal"


def folded(data: bytes, *, seed: int | None = 0) -> Digest:
    return digest(opened(data), segment=SEGMENT, seed=seed)


def assert_says_what_the_rows_say(found: Digest, rows: list[Row]) -> None:
    (stretch,) = found.stretches
    assert found.items == [stretch]
    assert found.end == rows[-1].stop
    assert (stretch.span.start, stretch.span.stop) == (0, rows[-1].stop)
    assert (stretch.first_crc, stretch.crc) == (rows[0].crc, rows[-1].crc)
    assert stretch.frames == len(rows)
    entries = [row.value for row in rows if row.kind == ENTRY]
    assert stretch.entries == len(entries)
    unfolded = [(i, run.term) for run in stretch.runs for i in range(run.first, run.last + 1)]
    assert unfolded == [(each.index, each.term) for each in entries]
    changes = [placed.entry.index for placed in stretch.conf_changes]
    assert changes == [each.index for each in entries if each.type]
    marks = [(placed.mark.index, placed.mark.term) for placed in stretch.marks]
    assert marks == [row.value for row in rows if row.kind == SNAPSHOT]
    assert_states(stretch, [row for row in rows if row.kind == STATE])
    raw: list[Any] = []
    for row in rows:
        if row.kind == METADATA and raw[-1:] != [row.value]:
            raw.append(row.value)
    assert [placed.metadata.raw for placed in stretch.metadata] == raw


def assert_states(stretch: Stretch, rows: list[Row]) -> None:
    states = [
        HardState(term=term, vote=vote, commit=commit)
        for term, vote, commit in (r.value for r in rows)
    ]
    assert stretch.states_count == len(states)
    assert stretch.commit_max == max((each.commit for each in states), default=0)
    first, last = stretch.first_state, stretch.last_state
    if not states:
        assert first is None
        assert last is None
        return
    assert first is not None
    assert last is not None
    assert (first.offset, first.state) == (rows[0].start, states[0])
    assert (last.offset, last.state) == (rows[-1].start, states[-1])
    steps = [
        (rows[at].start, rows[at + 1].start)
        for at in range(len(states) - 1)
        if takes_back(states[at], states[at + 1])
    ]
    assert [(step.before.offset, step.after.offset) for step in stretch.steps] == steps


@settings(max_examples=30)
@given(saves())
def test_a_digest_of_a_built_log_says_what_its_records_say(log: Builder) -> None:
    data = log.done(zeros=64)
    assert_says_what_the_rows_say(folded(data, seed=None), by_definition(data))


@needs_corpus
@pytest.mark.parametrize(
    "name",
    [
        "a-single-20puts-34",
        pytest.param("b-single-allops-35", marks=pytest.mark.slow),
        pytest.param("h-20-small-segments-34", marks=pytest.mark.slow),
    ],
)
def test_a_digest_of_the_corpus_says_what_its_records_say(name: str) -> None:
    for path in segments(name):
        with RealFileSystem().open(path) as file:
            found = digest(file, segment=path.name)
        assert_says_what_the_rows_say(found, by_definition(whole(path)))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 5)), max_size=9))
def test_states_in_any_order_are_folded_to_first_last_and_steps(
    states: list[tuple[int, int, int]],
) -> None:
    log = fresh()
    for index, (term, vote, commit) in enumerate(states, 1):
        log.put(index)
        log.add(STATE, state(term + 3, vote, commit))
    data = log.done()
    (stretch,) = folded(data).stretches
    assert_states(stretch, [row for row in by_definition(data) if row.kind == STATE])


# The ends of a segment.


def test_a_head_is_the_checksum_record_at_offset_zero() -> None:
    log = Builder(0x1234).add(METADATA, metadata_of()).put(1)
    found = folded(log.done(), seed=None)
    assert found.has_head
    assert (found.head_crc, found.last_crc) == (0x1234, log.crc)


def test_a_segment_that_begins_otherwise_has_no_head() -> None:
    log = fresh().put(1)
    found = folded(bytes(log.data[log.frames[1].start :]), seed=0)
    assert not found.has_head
    assert (found.head_crc, found.last_crc) == (None, log.crc)
    assert folded(b"").head_crc is None
    assert folded(b"").last_crc is None


def test_behind_damage_at_the_end_the_checksum_is_not_known() -> None:
    log = fresh().puts(1, 3)
    found = folded(log.done()[:-3])
    assert isinstance(found.items[-1], Damage)
    assert found.last_crc is None


def test_behind_bytes_that_are_no_record_the_checksum_is_that_of_the_last_one() -> None:
    log = fresh().puts(1, 3)
    found = folded(log.done(zeros=4096) + b"\xee" * 9)
    assert isinstance(found.items[-1], Damage)
    assert found.last_crc == log.crc


def test_behind_a_record_of_no_type_the_checksum_is_the_one_it_stores() -> None:
    log = fresh().puts(1, 3).add(99, b"\xff")
    found = folded(log.done(zeros=64))
    assert isinstance(found.items[-1], Damage)
    assert found.last_crc == log.crc


# Damage between stretches.


def test_damage_parts_the_stretches_and_lies_between_them() -> None:
    log = fresh().puts(1, 9)
    hit = [each for each in log.frames if each.kind == ENTRY][4]
    data = bytearray(log.done(zeros=64))
    data[hit.start : hit.stop] = b"\xee" * (hit.stop - hit.start)
    before, damage, behind = folded(bytes(data)).items
    assert isinstance(before, Stretch)
    assert isinstance(damage, Damage)
    assert isinstance(behind, Stretch)
    assert before.span.stop == damage.start == hit.start
    assert behind.span.start == damage.stop == hit.stop
    assert behind.runs[0].first == 6


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (ENTRY, entry(2, 1, b"value")),
        (ENTRY, entry(2, 1, b"change", kind=1)),
        (STATE, state(1, 7, 1)),
        (SNAPSHOT, mark(1, 1, (7,))),
        (METADATA, metadata_of()),
    ],
)
@pytest.mark.parametrize("position", [0, 12, 20])
def test_a_mended_record_is_a_stretch_of_its_own(kind: int, payload: bytes, position: int) -> None:
    log = fresh().put(1).add(kind, payload).put(3)
    hit = log.frames[4]
    data = bytearray(log.done(zeros=64))
    data[hit.start + position] ^= 1
    before, damage, mended, behind = folded(bytes(data)).items
    assert isinstance(damage, Damage)
    assert isinstance(mended, Stretch)
    assert mended.is_recovered
    assert mended.frames == 1
    assert (mended.span.start, mended.span.stop, mended.crc) == (hit.start, hit.stop, hit.crc)
    counts = (mended.entries, len(mended.runs), mended.states_count, len(mended.marks))
    assert (
        counts
        == {
            ENTRY: (1, 1, 0, 0),
            STATE: (0, 0, 1, 0),
            SNAPSHOT: (0, 0, 0, 1),
            METADATA: (0, 0, 0, 0),
        }[kind]
    )
    assert len(mended.metadata) == (kind == METADATA)
    assert all(run.is_recovered for run in mended.runs)
    assert len(mended.conf_changes) == (payload == entry(2, 1, b"change", kind=1))
    assert isinstance(before, Stretch)
    assert isinstance(behind, Stretch)
    assert [run.first for run in behind.runs] == [3]


def test_the_size_of_a_digest_follows_the_leaders_and_not_the_length() -> None:
    log = fresh().puts(1, 300)
    (stretch,) = folded(log.done()).stretches
    assert len(stretch.runs) == 1
    assert stretch.states_count == 300
    assert stretch.steps == []
    assert stretch.save_batches == 300


@needs_corpus
def test_offsets_of_conf_changes_lead_to_their_frames() -> None:
    path = Path(unpacked("a-single-20puts-35")) / "n1" / "member" / "wal" / SEGMENT
    with RealFileSystem().open(path) as file:
        (stretch,) = digest(file, segment=SEGMENT, seed=0).stretches
        (change,) = stretch.conf_changes
        head = file.read_at(change.offset + 8, 3)
    assert head[:2] == b"\x08\x02"
    assert change.entry.index == 1
