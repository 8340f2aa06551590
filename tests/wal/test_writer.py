"""The writer's rules one by one: what is written, when it is synced, and what it refuses.

That the bytes are etcd's is proven against real logs (`tests/differential/test_writer.py`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.wal import builders
from tests.wal.writing import (
    DISK,
    SEGMENT,
    VOTERS,
    created,
    put,
    puts,
    read_back,
    segments,
    state,
)
from walctl.errors import AccessError, RefusedError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.writable import WritableFile, WritableFileSystem
from walctl.model.record import Entry, HardState, SnapshotMark
from walctl.wal.writer import PAYLOAD_BYTES_MAX, Wal

SEGMENT_AND_MORE = 4 * SEGMENT


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


# The head.


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


@pytest.mark.parametrize("is_closed", [True, False])
def test_both_disks_hold_the_same_bytes_in_the_end(folder: Path, is_closed: bool) -> None:
    memory = MemoryFileSystem()
    memory.make_directory(folder.parent)
    logs = [created(disk, folder) for disk in (DISK, memory)]
    for wal in logs:
        wal.save(state(), puts(1, 60, size=80))
        wal.save_snapshot(SnapshotMark(index=50, term=1, conf_state=VOTERS))
        wal.save(state(commit=60), puts(55, 61, term=2))
        wal.save(state(term=2, vote=0, commit=60))
        if is_closed:
            wal.close()
    held = memory.everything()
    assert {path: path.read_bytes() for path in folder.iterdir()} == {
        path: held[path] for path in held if path.parent == folder
    }
    for wal in logs:
        wal.close()


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
        with pytest.raises(RefusedError, match="expected term 0"):
            wal.save_snapshot(SnapshotMark(index=0, term=1, conf_state=VOTERS))
        wal.save_snapshot(SnapshotMark(index=0, term=0))
    assert read_back(folder) == []


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
