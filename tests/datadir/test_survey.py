"""What one directory says, put together: joints between segments, names, and a log that moves."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpus import copy_of, manifest, needs_corpus, unpacked
from tests.wal.builders import ENTRY, STATE, Builder, entry, fresh, metadata, state
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey, survey
from walctl.errors import AccessError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.model.finding import Code
from walctl.wal.names import format_name

WAL = Path("/d/member/wal")
METADATA = 1


def three() -> list[Builder]:
    """Three segments: entries 1-9, 10-19, 20-29."""
    first = fresh().puts(1, 9)
    second = Builder(first.crc).add(METADATA, metadata()).puts(10, 19)
    return [first, second, Builder(second.crc).add(METADATA, metadata()).puts(20, 29)]


NAMES = [
    format_name(seq=seq, index=index) for seq, index in enumerate([0, 10, 20])
]  # as etcd names them


def disk_of(
    segments: dict[str, bytes], on_read: Callable[[Path, int, int], None] | None = None
) -> MemoryFileSystem:
    files = {WAL / name: data for name, data in segments.items()}
    made = MemoryFileSystem(files, on_read=on_read)
    made.make_directory(WAL)
    return made


def logs(zeros: int = 64) -> dict[str, bytes]:
    return dict(zip(NAMES, (each.done(zeros) for each in three()), strict=True))


def surveyed(disk: MemoryFileSystem, *, is_quick: bool = False) -> Survey:
    return survey(disk, understand(disk, Path("/d")), is_quick=is_quick)


def runs(found: Survey) -> list[tuple[int, int]]:
    return [(run.first, run.last) for run in found.log.live]


def test_a_whole_log_is_one_of_all_its_segments() -> None:
    found = surveyed(disk_of(logs()))
    assert [segment.name.text for segment in found.segments] == NAMES
    assert (found.log.first, found.log.last, found.last_index) == (1, 29, 29)
    assert not list(found.log.gaps())
    assert found.entries == 29
    assert found.records == sum(len(each.frames) for each in three())
    assert found.log_bytes == sum(len(each.data) for each in three())
    assert found.commit_max == 28
    assert found.last_state is not None
    assert found.last_state.segment == NAMES[2]
    assert len(found.metadata) == 1
    assert not found.misplaced
    assert not found.named
    assert not found.steps
    assert not found.is_moving
    assert found.notes == []


def test_an_empty_and_a_missing_log_are_told_apart() -> None:
    found = surveyed(disk_of({}))
    assert (found.wal_missing, found.segments, found.last_index) == (False, [], None)
    bare = MemoryFileSystem()
    bare.make_directory(Path("/d/member/snap"))
    assert surveyed(bare).wal_missing


# Joints.


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(("byte", "bit"), [(11, 0), (11, 6), (9, 1), (0, 3)])
def test_a_wrong_bit_in_any_head_is_named_and_costs_nothing(
    position: int, byte: int, bit: int
) -> None:
    segments = logs()
    data = bytearray(segments[NAMES[position]])
    data[byte] ^= 1 << bit
    found = surveyed(disk_of({**segments, NAMES[position]: bytes(data)}))
    (named,) = found.named
    flip = named.damage.flip
    assert flip is not None
    assert (named.damage.segment, flip.offset, flip.bit) == (NAMES[position], byte, bit)
    assert named.is_mended
    assert runs(found)[-1][1] == 29
    assert not list(found.log.gaps())


def test_a_segment_that_does_not_continue_the_one_in_front_is_a_broken_chain() -> None:
    segments = logs()
    other = Builder(0x12345678).add(METADATA, metadata()).puts(20, 29)
    found = surveyed(disk_of({**segments, NAMES[2]: other.done()}))
    assert [named.code for named in found.named] == [Code.CHAIN_BREAK]
    assert found.named[0].damage.start == 0
    assert found.last_index == 29


def test_a_segment_without_a_head_is_checked_by_the_one_in_front() -> None:
    # What etcd does behind an emptied last segment: it appends with no head of its own.
    first = fresh().puts(1, 9)
    headless = Builder()
    headless.data.clear()
    headless.frames.clear()
    headless.crc = first.crc
    headless.puts(10, 12)
    found = surveyed(disk_of({NAMES[0]: first.done(), NAMES[1]: headless.done()}))
    assert not found.named
    assert not found.segments[1].digest.has_head
    assert found.segments[1].digest.stretches[0].seed == first.crc
    assert found.last_index == 12


def test_an_empty_segment_holds_nothing_and_breaks_nothing() -> None:
    found = surveyed(disk_of({**logs(), NAMES[2]: b""}))
    assert found.segments[2].digest.items == []
    assert not found.named
    assert found.last_index == 19


# Names.


def test_a_segment_whose_name_denies_its_place_is_read_where_it_belongs() -> None:
    segments = logs()
    wrong = format_name(seq=7, index=10)
    segments[wrong] = segments.pop(NAMES[1])
    found = surveyed(disk_of(segments))
    assert [(each.name.text, each.rightful) for each in found.misplaced] == [(wrong, NAMES[1])]
    assert [segment.name.text for segment in found.segments] == [NAMES[0], wrong, NAMES[2]]
    assert not list(found.log.gaps())
    assert found.last_index == 29
    assert not found.named


def test_a_missing_segment_is_a_gap_and_no_segment_is_moved_for_it() -> None:
    segments = logs()
    del segments[NAMES[1]]
    found = surveyed(disk_of(segments))
    assert not found.misplaced
    assert [(gap.first, gap.last) for gap in found.log.gaps()] == [(10, 19)]


def test_only_plain_files_that_etcd_would_open_are_segments() -> None:
    disk = disk_of({**logs(), "0.tmp": b"x", "notes.wal": b"x", "1.txt": b""})
    disk.make_directory(WAL / format_name(seq=3, index=30))
    disk.link(WAL / format_name(seq=4, index=40), Path("/nowhere"))
    found = surveyed(disk)
    assert [segment.name.text for segment in found.segments] == NAMES
    assert "0.tmp" in found.wal_names


def test_one_segment_alone_is_read_by_whatever_name() -> None:
    data = Builder(0x1234).add(METADATA, metadata()).puts(10, 19).done()
    for name in (NAMES[1], "a copy.wal"):
        disk = disk_of({name: data, NAMES[0]: b""})
        found = survey(disk, understand(disk, WAL / name))
        assert [segment.name.text for segment in found.segments] == [name]
        assert not found.named
        assert runs(found) == [(10, 19)]


def test_folders_beside_that_are_called_like_the_log_are_listed() -> None:
    disk = disk_of(logs())
    disk.make_directory(Path("/d/member/wal.broken"))
    disk.make_directory(Path("/d/member/walnut"))
    assert surveyed(disk).siblings == ["wal.broken"]


# States over segments.


def test_a_state_that_takes_something_back_across_segments_is_a_step() -> None:
    first = fresh().puts(1, 5)
    second = Builder(first.crc).add(ENTRY, entry(6, 1)).add(STATE, state(1, 7, 2))
    found = surveyed(disk_of({NAMES[0]: first.done(), NAMES[1]: second.done()}))
    (step,) = found.steps
    assert (step.before.segment, step.after.segment) == (NAMES[0], NAMES[1])
    assert (step.before.state.commit, step.after.state.commit) == (4, 2)
    assert found.commit_max == 4


def test_an_overwrite_in_a_later_segment_knows_what_was_committed_before() -> None:
    first = fresh().puts(1, 9)
    second = Builder(first.crc).add(ENTRY, entry(7, 2)).add(STATE, state(2, 7, 8))
    found = surveyed(disk_of({NAMES[0]: first.done(), NAMES[1]: second.done()}))
    (over,) = found.log.overwrites
    assert (over.run.first, over.replaced_last, over.commit_before) == (7, 9, 8)


# A log that moves.


class Once:
    """Does `act` before the read of a file, the `after`-th one of it."""

    def __init__(self, name: str, act: Callable[[MemoryFileSystem], None], after: int = 1) -> None:
        self.name = name
        self.act = act
        self.left = after
        self.disk: MemoryFileSystem | None = None

    def __call__(self, path: Path, offset: int, size: int) -> None:
        if path.name == self.name and self.disk is not None:
            self.left -= 1
            if self.left == 0:
                self.act(self.disk)


def moving(name: str, act: Callable[[MemoryFileSystem], None]) -> Survey:
    # The head of the first segment is looked at before, to tell whose directory it is.
    once = Once(name, act, after=2 if name == NAMES[0] else 1)
    disk = disk_of(logs(), once)
    once.disk = disk
    return surveyed(disk)


def test_a_segment_that_grows_while_it_is_read_is_a_moving_target() -> None:
    found = moving(NAMES[2], lambda disk: disk.write_at(WAL / NAMES[2], 5000, b"more"))
    assert found.is_moving
    assert found.notes == [f"moving target: {NAMES[2]} changed while it was read"]
    assert found.last_index == 29


def test_a_segment_that_is_cut_while_it_is_read_is_a_moving_target() -> None:
    found = moving(NAMES[2], lambda disk: disk.truncate(WAL / NAMES[2], 100))
    assert found.is_moving
    assert NAMES[2] in found.notes[0]


@pytest.mark.parametrize("purged", [NAMES[0], NAMES[1]])
def test_a_segment_purged_while_another_is_read_is_a_moving_target(purged: str) -> None:
    found = moving(NAMES[0], lambda disk: disk.remove(WAL / purged))
    assert found.is_moving
    assert any(purged in note for note in found.notes)
    assert found.last_index == 29


def test_a_segment_purged_between_listing_and_opening_is_passed_over() -> None:
    class Purging(MemoryFileSystem):
        def names(self, path: Path) -> list[str]:
            listed = super().names(path)
            if path == WAL and self.exists(WAL / NAMES[0]):
                self.remove(WAL / NAMES[0])
            return listed

    disk = Purging({WAL / name: data for name, data in logs().items()})
    found = surveyed(disk)
    assert [segment.name.text for segment in found.segments] == NAMES[1:]
    assert (found.log.first, found.last_index) == (10, 29)
    assert not found.named


def test_a_damaged_segment_that_was_purged_meanwhile_is_passed_over() -> None:
    segments = logs()
    data = bytearray(segments[NAMES[0]])
    data[200:260] = b"\xee" * 60
    once = Once(NAMES[2], lambda disk: disk.remove(WAL / NAMES[0]))
    disk = disk_of({**segments, NAMES[0]: bytes(data)}, once)
    once.disk = disk
    found = surveyed(disk)
    assert found.is_moving
    assert not found.named
    assert runs(found) == [(10, 19), (20, 29)]


def test_a_segment_that_may_not_be_read_stops_the_survey() -> None:
    disk = disk_of(logs())
    disk.fail_reads(WAL / NAMES[1], 0, 10)
    with pytest.raises(AccessError, match=f"{NAMES[1]}: Input/output error"):
        surveyed(disk)


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_that_another_process_holds_makes_a_moving_target(tmp_path: Path) -> None:
    folder = tmp_path / "member" / "wal"
    folder.mkdir(parents=True)
    for name, data in logs().items():
        (folder / name).write_bytes(data)
    disk = RealFileSystem()
    assert not survey(disk, understand(disk, tmp_path)).is_moving
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOLD, str(folder / NAMES[2])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        found = survey(disk, understand(disk, tmp_path))
        holder.communicate()
    assert found.is_moving
    assert found.notes == [f"moving target: a process holds the lock on {NAMES[2]}"]
    assert found.last_index == 29
    assert not survey(disk, understand(disk, tmp_path)).is_moving


# The corpus.


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("release", ["34", "35"])
def test_a_renamed_segment_of_the_corpus_is_told_its_rightful_name(release: str) -> None:
    folder = unpacked(f"x-renamed-seq-{release}") / "n1"
    found = survey(RealFileSystem(), understand(RealFileSystem(), folder))
    (misplaced,) = found.misplaced
    damage = manifest(f"x-renamed-seq-{release}")["damage"]
    assert misplaced.name.text == Path(damage["file"]).name
    assert damage["kind"] == f"renamed from {misplaced.rightful}"
    assert not list(found.log.gaps())
    assert not found.named


@needs_corpus
def test_a_survey_changes_no_byte_and_no_time(tmp_path: Path) -> None:
    folder = copy_of("a-single-20puts-35", tmp_path) / "n1"
    before = {path: path.stat() for path in folder.rglob("*")}
    found = survey(RealFileSystem(), understand(RealFileSystem(), folder))
    assert found.last_index is not None
    after = {path: path.stat() for path in folder.rglob("*")}
    assert set(before) == set(after)
    for path, stat in before.items():
        assert (stat.st_size, stat.st_mtime_ns, stat.st_mode) == (
            after[path].st_size,
            after[path].st_mtime_ns,
            after[path].st_mode,
        )


@needs_corpus
def test_a_quick_survey_reads_only_what_a_start_needs() -> None:
    folder = unpacked("c-snapshots-segments-35") / "n1"
    disk = RealFileSystem()
    found = survey(disk, understand(disk, folder), is_quick=True)
    whole = survey(disk, understand(disk, folder))
    assert found.last_index == whole.last_index
    assert 0 < len(found.segments) <= len(whole.segments)
    assert bool(found.notes) == (len(found.segments) < len(whole.segments))
