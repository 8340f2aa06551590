"""Sealed segments packed and put back: to the byte, holes too, and nothing else touched."""

import os
from pathlib import Path

import pytest
import zstandard

from fixtures.unpack import unpack
from tests.corpus import fingerprint, names, needs_corpus, unpacked
from walctl.errors import AccessError, StoppedError, UnsupportedError, UsageError
from walctl.fs.real import RealFileSystem
from walctl.repair.archive import archive, restore

DISK = RealFileSystem()


@pytest.fixture
def member(tmp_path: Path) -> Path:
    """A member with a sealed segment and one that is written to."""
    return unpack("etcd-3.5-two-segments", tmp_path / "n1")


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, in order."""
    return sorted(folder.rglob("*.wal"))


def where_data_is(path: Path) -> list[tuple[int, int]]:
    """What of a file is no hole."""
    with DISK.open(path) as file:
        return list(file.data_ranges(0, file.stat().size))


def test_every_segment_but_the_last_is_packed_and_comes_back(member: Path, tmp_path: Path) -> None:
    before = fingerprint(member)
    outcome = archive(DISK, [member])
    *sealed, last = segments(member)
    assert [each.source for each in outcome.done] == sealed
    assert [each.source for each in outcome.kept] == [last]
    assert fingerprint(member) == before
    again = restore(DISK, [tmp_path / "n1.archive"], output=tmp_path / "again")
    for source, made in zip(sealed, again.done, strict=True):
        assert made.path.name == source.name
        assert made.path.read_bytes() == source.read_bytes()
        assert made.path.stat().st_mtime_ns == source.stat().st_mtime_ns
        assert made.path.stat().st_mode == source.stat().st_mode


def test_zstd_itself_opens_what_was_packed(member: Path) -> None:
    done = archive(DISK, [member]).done[0]
    reader = zstandard.ZstdDecompressor().stream_reader(
        done.path.read_bytes(), read_across_frames=True
    )
    assert reader.read() == done.source.read_bytes()


def test_holes_are_holes_again(member: Path, tmp_path: Path) -> None:
    first = segments(member)[0]
    os.truncate(first, 80 << 20)
    archive(DISK, [member])
    done = restore(DISK, [tmp_path / "n1.archive"], output=tmp_path / "again").done[0]
    assert done.path.stat().st_size == 80 << 20
    assert done.path.stat().st_blocks * 512 < 8 << 20
    assert where_data_is(done.path) == where_data_is(first)


def test_a_second_time_finds_it_done_and_another_file_is_never_written_over(member: Path) -> None:
    done = archive(DISK, [member]).done[0]
    before = fingerprint(done.path.parent)
    assert archive(DISK, [member]).done[0].was_there
    assert fingerprint(done.path.parent) == before
    first = segments(member)[0]
    with first.open("r+b") as file:
        file.write(b"\1")
    with pytest.raises(AccessError, match="not an archive of"):
        archive(DISK, [member])
    assert fingerprint(done.path.parent) == before


def test_the_last_segment_is_not_archived_by_name_either(member: Path, tmp_path: Path) -> None:
    first, last = segments(member)
    with pytest.raises(UnsupportedError, match="only sealed segments"):
        archive(DISK, [last], output=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert archive(DISK, [first], output=tmp_path / "a").done[0].source == first


def test_an_archive_never_lies_in_the_log_itself(member: Path) -> None:
    before = fingerprint(member)
    with pytest.raises(UsageError, match="folder of the member"):
        archive(DISK, [member], output=member / "member" / "wal")
    assert fingerprint(member) == before


def test_a_damaged_archive_is_not_restored(member: Path, tmp_path: Path) -> None:
    done = archive(DISK, [member]).done[0]
    packed = bytearray(done.path.read_bytes())
    for position in range(0, len(packed), max(1, len(packed) // 40)):
        packed[position] ^= 0x10
        done.path.write_bytes(packed)
        try:
            made = restore(DISK, [done.path], output=tmp_path / "again").done[0]
        except AccessError:
            assert list((tmp_path / "again").glob("*")) == []
        else:  # nothing that matters: the table, say, without which it is a stream
            assert made.path.read_bytes() == done.source.read_bytes()
            made.path.unlink()
        packed[position] ^= 0x10


def test_who_stops_it_finds_no_half_of_a_file(member: Path, tmp_path: Path) -> None:
    asked = iter([False, False, True])
    with pytest.raises(StoppedError):
        archive(DISK, [member], output=tmp_path / "a", is_stopped=lambda: next(asked, True))
    assert list((tmp_path / "a").iterdir()) == []


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", [each for each in names() if each[0] in "chdmf"] or ["none"])
def test_every_sealed_segment_of_the_corpus_goes_and_comes_back(name: str, tmp_path: Path) -> None:
    for member in sorted(unpacked(name).iterdir()):
        if member.name == "truth" or not list(member.rglob("*.wal")):
            continue
        outcome = archive(DISK, [member], output=tmp_path / member.name)
        if not outcome.done:
            continue
        again = restore(DISK, [tmp_path / member.name], output=tmp_path / f"{member.name}.again")
        for each, made in zip(outcome.done, again.done, strict=True):
            assert made.path.name == each.source.name
            assert made.path.read_bytes() == each.source.read_bytes()
            assert where_data_is(made.path) == where_data_is(each.source)
