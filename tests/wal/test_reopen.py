"""Taking up a log: what is there is read back equal, and what is not whole is refused as it is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wal import builders
from tests.wal.writing import (
    DISK,
    METADATA,
    SEGMENT,
    VOTERS,
    created,
    put,
    puts,
    read_back,
    segments,
    state,
)
from walctl.errors import AccessError, CorruptionError
from walctl.fs.memory import MemoryFileSystem
from walctl.model.record import Entry, HardState, SnapshotMark
from walctl.wal.names import format_name
from walctl.wal.writer import Wal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "wal"


def whole_log(folder: Path) -> bytes:
    """A small log with every kind of record; its bytes up to the zeros."""
    with created(DISK, folder, 1024) as wal:
        wal.save(state(), puts(1, 2, size=10))
        wal.save_snapshot(SnapshotMark(index=1, term=1, conf_state=VOTERS))
        wal.save(state(term=2, commit=2), puts(3, 4, term=2, size=11))
    return (folder / segments(folder)[0]).read_bytes().rstrip(b"\0")


def test_a_changed_bit_is_refused_with_its_place_or_changes_nothing(folder: Path) -> None:
    data = whole_log(folder)
    path = folder / segments(folder)[0]
    kept = read_back(folder)
    size = path.stat().st_size
    refused: list[str] = []
    for at in range(len(data)):
        hurt = bytearray(data)
        hurt[at] ^= 1 << at % 8
        path.write_bytes(bytes(hurt) + bytes(size - len(data)))
        try:
            assert read_back(folder) == kept, at
        except CorruptionError as error:
            refused.append(error.message)
            assert path.read_bytes() == bytes(hurt) + bytes(size - len(data)), "nothing changed"
            assert list(folder.iterdir()) == [path]
    assert all(words.startswith(f"{path.name}:") for words in refused)
    assert len(refused) > len(data) * 3 // 4, (
        "only padding, spare bits and a log's end change nothing"
    )


def test_a_log_cut_at_any_byte_is_refused_or_has_every_save_before_it(folder: Path) -> None:
    data = whole_log(folder)
    path = folder / segments(folder)[0]
    kept = read_back(folder)
    size = path.stat().st_size
    counts = set()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut] + bytes(size - cut))
        try:
            found = read_back(folder)
        except CorruptionError:
            continue
        assert found == kept[: len(found)]
        counts.add(len(found))
    assert counts == {0, 1, 2, 3, 4}


def test_bytes_behind_the_end_of_the_log_are_refused_and_not_wiped(folder: Path) -> None:
    data = whole_log(folder)
    path = folder / segments(folder)[0]
    hurt = data + bytes(64) + builders.frame(b"\x08\x02\x10\x01") + bytes(200)
    path.write_bytes(hurt)
    with pytest.raises(CorruptionError, match=rf"{path.name}:{len(data) + -len(data) % 8}: "):
        Wal.open(DISK, folder, index=0, term=0)
    assert path.read_bytes() == hurt


def test_a_segment_that_reads_as_zeros_is_refused(folder: Path) -> None:
    with created(DISK, folder) as wal:
        wal.save(state(), puts(1, 60, size=80))
        wal.save(state(), puts(61, 61))
    path = folder / segments(folder)[1]
    path.write_bytes(bytes(SEGMENT))
    with pytest.raises(CorruptionError, match=f"{path.name}:0: expected the head"):
        Wal.open(DISK, folder, index=0, term=0)


@pytest.mark.parametrize(
    ("index", "term", "words"),
    [
        (2, 2, "wal: snapshot mismatch"),
        (3, 1, "no marker of the snapshot at 3, term 1"),
    ],
)
def test_a_start_that_the_log_does_not_mark_is_refused(
    folder: Path, index: int, term: int, words: str
) -> None:
    with created(DISK, folder) as wal:
        wal.save(state(), puts(1, 3))
        wal.save_snapshot(SnapshotMark(index=2, term=1, conf_state=VOTERS))
    with pytest.raises(CorruptionError, match=words):
        Wal.open(DISK, folder, index=index, term=term)
    assert read_back(folder, index=2, term=1) == puts(3, 3)


def test_no_log_at_all_is_told(folder: Path) -> None:
    folder.mkdir()
    with pytest.raises(AccessError, match="no segment begins at or before index 0"):
        Wal.open(DISK, folder, index=0, term=0)


def test_two_writers_never_hold_a_log_together(folder: Path) -> None:
    with created(DISK, folder), pytest.raises(AccessError):
        Wal.open(DISK, folder, index=0, term=0)
    assert read_back(folder) == []


def test_entries_are_read_in_part_and_as_they_were_when_the_log_was_opened(folder: Path) -> None:
    with created(DISK, folder) as wal:
        for first in range(1, 100, 10):
            wal.save(state(), puts(first, first + 9, size=80))
    opened = Wal.open(DISK, folder, index=0, term=0, segment_bytes=SEGMENT)
    with opened.wal as wal:
        assert (opened.contents.first, opened.contents.last) == (1, 100)
        assert list(opened.contents.entries(first=37, last=83)) == puts(37, 83, size=80)
        wal.save(state(term=2), puts(90, 101, term=2))
        assert list(opened.contents.entries(first=99)) == puts(99, 100, size=80)
        assert list(opened.contents.entries(first=101)) == []


# Whatever is saved is read back.

PAYLOADS = st.none() | st.binary(max_size=80) | st.integers(0, 3000).map(bytes)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, HardState | None, list[Entry]]]:
    """Calls as a Raft node makes them: entries that follow or replace, states, a restart."""
    calls: list[tuple[str, int, HardState | None, list[Entry]]] = []
    last, term = 0, 1
    for _ in range(draw(st.integers(1, 12))):
        term += draw(st.integers(0, 1))
        first = draw(st.integers(max(1, last - 2), last + 1))
        payloads = draw(st.lists(PAYLOADS, max_size=6))
        entries = [put(first + at, term, payload) for at, payload in enumerate(payloads)]
        last = entries[-1].index if entries else last
        has_state = draw(st.booleans())
        told = state(term, draw(st.integers(0, 3)), draw(st.integers(0, last)))
        act = draw(st.sampled_from(["save", "save", "save", "sync", "reopen", "mark"]))
        calls.append((act, last, told if has_state else None, entries))
    return calls


@given(histories())
def test_whatever_is_saved_is_read_back_equal(
    history: list[tuple[str, int, HardState | None, list[Entry]]],
) -> None:
    disk, folder = MemoryFileSystem(), Path("/wal")
    wal = created(disk, folder)
    kept: list[Entry] = []
    told = HardState(term=0, vote=0, commit=0)
    for act, last, hard_state, entries in history:
        wal.save(hard_state, entries)
        kept = [*(each for each in kept if not entries or each.index < entries[0].index), *entries]
        told = hard_state or told
        if act == "sync":
            wal.sync()
        elif act == "mark" and last > 0:
            wal.save_snapshot(SnapshotMark(index=last, term=1, conf_state=VOTERS))
        elif act == "reopen":
            wal.close()
            wal = Wal.open(disk, folder, index=0, term=0, segment_bytes=SEGMENT).wal
    wal.close()
    opened = Wal.open(disk, folder, index=0, term=0)
    with opened.wal:
        assert list(opened.contents.entries()) == kept
        assert opened.contents.hard_state == told
        assert opened.contents.metadata.raw == METADATA


def test_a_segment_is_named_behind_every_marker_in_front_of_it() -> None:
    """A marker may outlive the Save that was to commit it; later it is started from after all."""
    disk, folder = MemoryFileSystem(), Path("/m/wal")
    disk.make_directory(folder.parent)
    with created(disk, folder) as wal:
        wal.save(state(), puts(1, 3))
        wal.save_snapshot(SnapshotMark(index=5, term=1, conf_state=VOTERS))
    opened = Wal.open(disk, folder, index=0, term=0, segment_bytes=SEGMENT)
    with opened.wal as wal:
        wal.save(None, [put(4, payload=b"x" * 2 * SEGMENT)])
        wal.save(state(commit=3))
        assert wal.segment == format_name(seq=1, index=6)
        wal.save(state(commit=6), puts(5, 6))
    assert read_back(folder, disk=disk, index=5, term=1) == puts(6, 6)
