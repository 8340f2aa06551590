"""The writer's rules one by one: what is written, when it is synced, and what it refuses.

That the bytes are etcd's is proven against real logs (`tests/differential/test_writer.py`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import raftpb, walpb
from formats.frame import build_frame
from formats.walpb import RecordType
from tests.wal import builders
from walctl.errors import AccessError, CorruptionError, RefusedError, UsageError
from walctl.fs.real import RealFileSystem
from walctl.fs.writable import Lock, WritableFile, WritableFileSystem
from walctl.model.record import ConfState, Entry, EntryKind, HardState, SnapshotMark
from walctl.wal.encoder import (
    BUFFER_BYTES,
    PAGE_BYTES,
    Encoder,
    entry_bytes,
    frame_of,
    mark_bytes,
    state_bytes,
)
from walctl.wal.purge import purge, purgeable
from walctl.wal.writer import PAYLOAD_BYTES_MAX, Wal

METADATA = builders.metadata()
SEGMENT = 4096
SEGMENT_AND_MORE = 4 * SEGMENT
VOTERS = ConfState(voters=(1, 2), learners=(3,))
DISK = RealFileSystem()
U64 = st.one_of(st.integers(0, 300), st.integers(0, (1 << 64) - 1))


class Watched:
    """The real disk, that notes what is written and synced, and can be told to fail."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failing = ""

    @property
    def disk(self) -> WritableFileSystem:
        return cast(WritableFileSystem, self)

    def note(self, act: str, path: Path) -> None:
        if act == self.failing:
            raise AccessError(f"{path}: Input/output error")
        self.done.append(f"{act} {path.name}")

    def create_file(self, path: Path, *, mode: int = 0o600) -> "_WatchedFile":
        self.note("create", path)
        return _WatchedFile(self, DISK.create_file(path, mode=mode))

    def open_file(self, path: Path) -> "_WatchedFile":
        return _WatchedFile(self, DISK.open_file(path))

    def rename(self, source: Path, target: Path) -> None:
        self.note("rename", target)
        DISK.rename(source, target)

    def sync_dir(self, path: Path) -> None:
        self.note("sync_dir", path)
        DISK.sync_dir(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(DISK, name)


class _WatchedFile:
    def __init__(self, disk: Watched, file: WritableFile) -> None:
        self._disk, self._file = disk, file

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self._disk.note("write", self._file.path)
        self._file.write_at(offset, data)

    def sync(self) -> None:
        self._disk.note("sync", self._file.path)
        self._file.sync()

    def __enter__(self) -> "_WatchedFile":
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "wal"


def put(index: int, term: int = 1, payload: bytes | None = b"x") -> Entry:
    return Entry(index=index, term=term, kind=EntryKind.NORMAL, raw_kind=0, payload=payload)


def puts(first: int, last: int, term: int = 1, size: int = 40) -> list[Entry]:
    return [put(index, term, bytes([index % 251 + 1]) * size) for index in range(first, last + 1)]


def state(term: int = 1, vote: int = 7, commit: int = 0) -> HardState:
    return HardState(term=term, vote=vote, commit=commit)


def created(disk: WritableFileSystem, folder: Path, segment_bytes: int = SEGMENT) -> Wal:
    return Wal.create(disk, folder, metadata=METADATA, segment_bytes=segment_bytes)


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.wal"))


def read_back(folder: Path, *, index: int = 0, term: int = 0) -> list[Entry]:
    opened = Wal.open(DISK, folder, index=index, term=term, segment_bytes=SEGMENT)
    with opened.wal:
        return list(opened.contents.entries())


# The bytes.


@given(U64, U64, st.integers(-(1 << 31), (1 << 31) - 1), st.none() | st.binary(max_size=300))
def test_an_entry_has_the_bytes_of_the_definition(
    index: int, term: int, raw_kind: int, payload: bytes | None
) -> None:
    entry = Entry(
        index=index, term=term, kind=EntryKind.UNKNOWN, raw_kind=raw_kind, payload=payload
    )
    wanted = raftpb.Entry(type=raw_kind, term=term, index=index, data=payload)
    assert entry_bytes(entry) == raftpb.ENTRY.build(wanted)


@given(U64, U64, U64)
def test_a_state_has_the_bytes_of_the_definition(term: int, vote: int, commit: int) -> None:
    wanted = raftpb.HardState(term=term, vote=vote, commit=commit)
    told = HardState(term=term, vote=vote, commit=commit)
    assert state_bytes(told) == raftpb.HARD_STATE.build(wanted)


@given(
    st.sampled_from(list(RecordType)),
    st.one_of(st.integers(0, (1 << 32) - 1), st.sampled_from([0, (1 << 28) - 1, 1 << 28])),
    st.none() | st.integers(0, 20_000).map(bytes),
)
def test_a_frame_has_the_bytes_of_the_definition(
    kind: RecordType, crc: int, data: bytes | None
) -> None:
    record = walpb.RECORD.build(walpb.Record(type=int(kind), crc=crc, data=data))
    assert frame_of(kind, crc, data) == build_frame(record)


def test_a_marker_has_its_conf_state_only_where_there_is_one() -> None:
    assert mark_bytes(SnapshotMark(index=5, term=2)) == builders.mark(5, 2)
    voters = ConfState(voters=(1, 2))
    assert mark_bytes(SnapshotMark(index=5, term=2, conf_state=voters)) == builders.mark(
        5, 2, voters=(1, 2)
    )


class Sink:
    """A file that only keeps what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.writes: list[tuple[int, int]] = []

    def write_at(self, offset: int, data: bytes) -> None:
        assert offset == len(self.data), "a log is written in order"
        self.data += data
        self.writes.append((offset, offset + len(data)))


@given(st.lists(st.one_of(st.integers(0, 9000), st.integers(0, 300_000)), max_size=12))
def test_what_is_written_without_being_asked_for_ends_at_a_page(sizes: list[int]) -> None:
    sink = Sink()
    encoder = Encoder(cast(WritableFile, sink), crc=0, offset=0)
    wanted = b""
    for size in sizes:
        data = bytes([size % 251]) * size
        encoder.add(RecordType.ENTRY, data)
        wanted += frame_of(RecordType.ENTRY, encoder.crc, data)
        assert encoder.gathered_bytes <= BUFFER_BYTES
        assert encoder.written == len(sink.data)
    assert all(stop % PAGE_BYTES == 0 for _, stop in sink.writes)
    assert len(wanted) <= BUFFER_BYTES or sink.writes
    encoder.flush()
    assert bytes(sink.data) == wanted


def test_a_new_log_has_the_head_of_etcd_and_nothing_else(folder: Path) -> None:
    created(DISK, folder).close()
    assert [path.name for path in folder.iterdir()] == ["0000000000000000-0000000000000000.wal"]
    head = builders.fresh().done()
    data = (folder / "0000000000000000-0000000000000000.wal").read_bytes()
    assert data == head + bytes(SEGMENT - len(head))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / segments(folder)[0]).stat().st_mode & 0o777 == 0o600


def test_metadata_may_be_absent_and_stays_so_in_the_next_segment(folder: Path) -> None:
    with Wal.create(DISK, folder, metadata=None, segment_bytes=SEGMENT) as wal:
        wal.save(state(), puts(1, 60, size=80))
        wal.save(state(commit=1), puts(61, 62))
    expected = builders.frame(b"\x08\x01\x10\x00")
    assert (folder / segments(folder)[0]).read_bytes()[16:].startswith(expected)
    opened = Wal.open(DISK, folder, index=0, term=0)
    opened.wal.close()
    assert opened.contents.metadata.raw is None
    assert len(segments(folder)) == 2


# What is synced.


def test_a_save_is_synced_for_an_entry_a_vote_or_a_term_and_not_for_a_commit(
    folder: Path,
) -> None:
    watched = Watched()
    wal = created(watched.disk, folder, 64_000)

    def of(hard_state: HardState | None, entries: Sequence[Entry] = ()) -> list[str]:
        watched.done.clear()
        wal.save(hard_state, entries)
        return [each.partition(" ")[0] for each in watched.done]

    assert of(state(term=1, vote=0)) == ["write", "sync"]
    assert of(state(term=1, vote=7)) == ["write", "sync"]
    assert of(None, puts(1, 2)) == ["write", "sync"]
    assert of(state(term=1, vote=7, commit=1)) == []
    assert of(state(term=1, vote=7, commit=1)) == []
    assert of(None) == []
    assert of(HardState(term=0, vote=0, commit=0)) == []
    assert of(state(term=1, vote=7, commit=2), puts(3, 3)) == ["write", "sync"]
    wal.close()


def test_the_first_state_after_opening_is_synced_since_reading_does_not_count(
    folder: Path,
) -> None:
    with created(DISK, folder) as wal:
        wal.save(state(commit=1), puts(1, 1))
    watched = Watched()
    with Wal.open(watched.disk, folder, index=0, term=0).wal as wal:
        watched.done.clear()
        wal.save(state(commit=2))
        assert watched.done == [f"write {wal.segment}", f"sync {wal.segment}"]


def test_a_buffered_commit_is_written_by_the_next_sync_or_the_end(folder: Path) -> None:
    for ending in ("sync", "close"):
        place = folder.with_name(ending)
        wal = created(DISK, place)
        wal.save(state(), puts(1, 1))
        wal.save(state(commit=1))
        getattr(wal, ending)()
        wal.close()
        opened = Wal.open(DISK, place, index=0, term=0)
        opened.wal.close()
        assert opened.contents.hard_state == state(commit=1)


def test_a_marker_is_synced_and_raises_the_index_of_the_next_segment(folder: Path) -> None:
    watched = Watched()
    with created(watched.disk, folder) as wal:
        watched.done.clear()
        wal.save_snapshot(SnapshotMark(index=500, term=3, conf_state=VOTERS))
        assert watched.done == [f"write {wal.segment}", f"sync {wal.segment}"]
        wal.save(state(term=3, commit=500), puts(501, 560, size=80))
        wal.save(state(term=3, commit=500), puts(561, 561))
        assert wal.segment == "0000000000000001-0000000000000232.wal"


def test_a_segment_is_on_the_disk_before_it_has_its_name(folder: Path) -> None:
    watched = Watched()
    with created(watched.disk, folder) as wal:
        wal.save(state(), puts(1, 60, size=80))
        watched.done.clear()
        wal.save(state(commit=60), puts(61, 61))
        first, second = segments(folder)
        assert watched.done == [
            f"write {first}",
            f"sync {first}",
            "write 0.tmp",
            "sync 0.tmp",
            f"rename {second}",
            "sync_dir wal",
            "create 1.tmp",
        ]


# Cuts and the spare.


def test_segments_are_cut_by_what_the_file_has_before_the_save(folder: Path) -> None:
    with created(DISK, folder) as wal:
        wal.save(state(), puts(1, 100, size=80))
        assert len(segments(folder)) == 1, "more than a segment, but in the buffer when asked"
        wal.save(state(commit=100))
        assert segments(folder)[1:] == ["0000000000000001-0000000000000065.wal"]
    assert read_back(folder) == puts(1, 100, size=80)


def test_a_head_has_the_state_last_saved_by_this_process_and_none_before_one(
    folder: Path,
) -> None:
    with created(DISK, folder) as wal:
        wal.save(state(commit=9), puts(1, 60, size=80))
    with Wal.open(DISK, folder, index=0, term=0, segment_bytes=SEGMENT).wal as wal:
        wal.save(None, puts(61, 61))
        assert wal.segment == "0000000000000001-000000000000003e.wal"
    kinds = [kind for kind, _ in frames_in(folder / segments(folder)[1])]
    assert kinds == [builders.CRC, builders.METADATA]


def frames_in(path: Path) -> Iterator[tuple[int, bytes]]:
    """Type and record of each frame, by the simplest reading."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        word = int.from_bytes(data[at : at + 8], "little")
        if word == 0:
            return
        size = word & (1 << 56) - 1
        yield data[at + 9], data[at + 8 : at + 8 + size]
        at += 8 + size + (word >> 56 & 7)


def test_the_spare_alternates_goes_with_a_clean_end_and_stays_after_a_kill(folder: Path) -> None:
    wal = created(DISK, folder)
    assert (folder / "0.tmp").stat().st_size == SEGMENT
    wal.save(state(), puts(1, 60, size=80))
    wal.save(state(), puts(61, 61))
    assert {path.name for path in folder.glob("*.tmp")} == {"1.tmp"}
    wal.save(state(), puts(62, 120, size=80))
    wal.save(state(), puts(121, 121))
    assert {path.name for path in folder.glob("*.tmp")} == {"0.tmp"}
    with pytest.raises(RefusedError):
        wal.save(None, puts(500, 500))
    assert len(segments(folder)) == 3
    wal.close()
    assert not list(folder.glob("*.tmp"))


def test_what_is_left_in_a_spare_never_shows_behind_the_head_of_a_segment(folder: Path) -> None:
    created(DISK, folder).close()
    (folder / "0.tmp").write_bytes(b"\xfd" * 9000)
    (folder / "1.tmp").write_bytes(b"\xfd" * 100)
    with Wal.open(DISK, folder, index=0, term=0, segment_bytes=SEGMENT).wal as wal:
        for first in range(1, 180, 30):
            wal.save(state(), puts(first, first + 29, size=200))
    assert len(segments(folder)) > 3
    assert read_back(folder) == puts(1, 180, size=200)
    assert b"\xfd" * 8 not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_spare_that_cannot_be_made_is_no_reason_not_to_write(folder: Path) -> None:
    watched = Watched()
    with created(watched.disk, folder) as wal:
        wal.save(state(), puts(1, 60, size=80))
    watched.failing = "create"
    wal = Wal.open(watched.disk, folder, index=0, term=0, segment_bytes=SEGMENT_AND_MORE).wal
    wal.save(state(), puts(61, 61))
    watched.failing = ""
    wal.save(state(), puts(62, 260, size=80))
    wal.save(state(), puts(261, 261))
    wal.close()
    assert len(segments(folder)) == 2


# What is refused.


def test_an_entry_that_does_not_follow_is_refused_before_anything_is_written(
    folder: Path,
) -> None:
    with created(DISK, folder) as wal:
        wal.save(state(), puts(1, 5))
        before = (folder / wal.segment).read_bytes()
        for entries in ([put(7)], [put(6), put(8)], [put(0)], [put(6), put(7), put(0)]):
            with pytest.raises(RefusedError, match="expected an entry at"):
                wal.save(state(commit=9), entries)
        assert (folder / wal.segment).read_bytes() == before
        wal.save(state(), puts(3, 4, term=2))
        wal.save(state(), puts(5, 6, term=2))
    assert read_back(folder) == [*puts(1, 2), *puts(3, 6, term=2)]


def test_an_entry_that_nobody_could_read_back_is_refused(folder: Path) -> None:
    too_long = [put(1), put(2, payload=bytes(PAYLOAD_BYTES_MAX + 1))]
    with (
        created(DISK, folder) as wal,
        pytest.raises(RefusedError, match="expected no more than"),
    ):
        wal.save(state(), too_long)
    assert read_back(folder) == []


@pytest.mark.slow
def test_the_longest_entry_that_is_written_is_read_back(folder: Path) -> None:
    longest = put(1, payload=bytes(PAYLOAD_BYTES_MAX))
    with created(DISK, folder) as wal:
        wal.save(state(), [longest])
    assert read_back(folder) == [longest]


def test_a_marker_without_a_conf_state_is_refused_behind_index_zero(folder: Path) -> None:
    with created(DISK, folder) as wal:
        with pytest.raises(RefusedError, match="conf state"):
            wal.save_snapshot(SnapshotMark(index=1, term=1))
        wal.save_snapshot(SnapshotMark(index=0, term=0))


@pytest.mark.parametrize("name", ["0000000000000000-0000000000000000.wal", "precious"])
def test_a_log_is_not_created_over_anything(folder: Path, name: str) -> None:
    folder.mkdir()
    (folder / name).write_bytes(b"mine")
    with pytest.raises(AccessError, match="expected nothing, or an empty folder"):
        created(DISK, folder)
    assert (folder / name).read_bytes() == b"mine"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_log_is_created_over_an_empty_folder_and_a_broken_off_creation(folder: Path) -> None:
    folder.mkdir()
    aside = folder.with_name("wal.tmp")
    aside.mkdir()
    (aside / "0000000000000000-0000000000000000.wal").write_bytes(b"half")
    created(DISK, folder).close()
    assert list(folder.parent.iterdir()) == [folder]
    assert read_back(folder) == []


@pytest.mark.parametrize("act", ["write", "sync"])
def test_nothing_is_written_after_an_error_until_the_log_is_read_again(
    folder: Path, act: str
) -> None:
    watched = Watched()
    wal = created(watched.disk, folder)
    wal.save(state(), puts(1, 3))
    watched.failing = act
    with pytest.raises(AccessError, match=r"0\.wal: Input/output error"):
        wal.save(state(), puts(4, 4))
    watched.failing = ""
    with pytest.raises(AccessError, match="not written to any more, after"):
        wal.save(state(), puts(4, 4))
    with pytest.raises(AccessError, match="not written to any more, after"):
        wal.save_snapshot(SnapshotMark(index=1, term=1, conf_state=VOTERS))
    with pytest.raises(AccessError, match="not written to any more, after"):
        wal.sync()
    before = (folder / wal.segment).read_bytes()
    wal.close()
    assert (folder / wal.segment).read_bytes() == before
    assert read_back(folder)[:3] == puts(1, 3)


def test_a_closed_log_takes_nothing(folder: Path) -> None:
    wal = created(DISK, folder)
    wal.close()
    wal.close()
    with pytest.raises(AccessError, match="the log is closed"):
        wal.save(state(), puts(1, 1))


# Opening.


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


# Letting go, and purging.


def test_segments_in_front_of_a_snapshot_are_let_go_and_then_purged(folder: Path) -> None:
    with created(DISK, folder) as wal:
        for first in range(1, 420, 30):
            wal.save(state(), puts(first, first + 29, size=200))
        names = segments(folder)
        indexes = [int(name[17:33], 16) for name in names]
        assert len(names) > 6
        assert purge(DISK, folder, keep=2) == [], "the writer holds them all"

        wal.release_to(indexes[3])
        assert wal.held_segments == names[2:], "the one with the entry before it is kept"
        wal.release_to(indexes[3])
        wal.release_to(0)
        assert wal.held_segments == names[2:]
        assert purge(DISK, folder, keep=2) == names[:2]
        assert segments(folder) == names[2:]

        wal.release_to(1 << 60)
        assert wal.held_segments == names[-1:]
        assert purge(DISK, folder, keep=2) == names[2:-2]
        wal.save(state(), puts(421, 421))


def test_a_purge_stops_at_the_first_segment_that_somebody_holds(tmp_path: Path) -> None:
    names = [f"{seq:016x}-{seq:016x}.wal" for seq in range(6)]
    for name in names:
        (tmp_path / name).touch()
    with DISK.open_file(tmp_path / names[2]) as held:
        held.lock(Lock.RECORD)
        assert purge(DISK, tmp_path, keep=1) == names[:2]
    assert purge(DISK, tmp_path, keep=1) == names[2:5]


def test_what_a_purge_would_remove_is_told_without_touching_anything() -> None:
    names = ["c.wal", "a.wal", "b.wal", "0.tmp", "a.wal.broken", "d.mywal"]
    assert purgeable(names, keep=2) == ["a.wal", "b.wal"]
    assert purgeable(names, keep=2, held={"b.wal"}) == ["a.wal"]
    assert purgeable(names, keep=2, held={"a.wal"}) == []
    assert purgeable(names, keep=4) == purgeable([]) == []
    with pytest.raises(UsageError):
        purgeable(names, keep=0)


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
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[str, int, HardState | None, list[Entry]]],
) -> None:
    folder = tmp_path_factory.mktemp("history") / "wal"
    wal = created(DISK, folder)
    kept: list[Entry] = []
    told = HardState(term=0, vote=0, commit=0)
    for act, last, hard_state, entries in history:
        wal.save(hard_state, entries)
        kept = [*(each for each in kept if not entries or each.index < entries[0].index), *entries]
        told = hard_state or told
        if act == "sync":
            wal.sync()
        elif act == "mark":
            wal.save_snapshot(SnapshotMark(index=last, term=1, conf_state=VOTERS))
        elif act == "reopen":
            wal.close()
            wal = Wal.open(DISK, folder, index=0, term=0, segment_bytes=SEGMENT).wal
    wal.close()
    opened = Wal.open(DISK, folder, index=0, term=0)
    with opened.wal:
        assert list(opened.contents.entries()) == kept
        assert opened.contents.hard_state == told
        assert opened.contents.metadata.raw == METADATA
