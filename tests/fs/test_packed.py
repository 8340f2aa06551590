"""Archives as folders and packed segments as segments: the same bytes, and hostile ones refused."""

import io
import pickle
import random
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from fixtures.unpack import unpack
from tests.corpus import CORPUS, names, needs_corpus, unpacked
from walctl.errors import AccessError
from walctl.fs import tar, zstd
from walctl.fs.base import FileSystem, Kind
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.packed import PackedFileSystem
from walctl.fs.real import RealFileSystem
from walctl.inspect.report import Report
from walctl.inspect.verify import verify

HERE = Path("/disk")
ARCHIVE = HERE / "x.tar.zst"
PLAIN = random.Random(1).randbytes(300_000) + bytes(3 << 20) + b"the end"


def in_frames(data: bytes) -> bytes:
    """As we pack."""
    return b"".join(zstd.packed([data]))


def as_one_frame(data: bytes) -> bytes:
    """As everybody packs."""
    return zstandard.ZstdCompressor().compress(data)


def tarred(*items: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of these; every file's content is its name, repeated."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for item in items:
            archive.addfile(item, io.BytesIO((item.name.encode() * 999)[: item.size]))
    return out.getvalue()


def item(name: str, size: int = 5, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """One name of an archive."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size if kind == tarfile.REGTYPE else 0, kind, "else"
    return info


def disk_with(data: bytes, path: Path = ARCHIVE) -> PackedFileSystem:
    """A disk that holds one file."""
    return PackedFileSystem(MemoryFileSystem({path: data}))


def told(report: Report) -> tuple[object, ...]:
    """All that a report says, but the path, which the advice has in it too."""
    findings = [replace(each, next="") for each in report.findings]
    return findings, report.summary, report.start_points, report.boots, report.lost


@pytest.mark.parametrize("pack", [in_frames, as_one_frame])
def test_any_part_of_a_packed_segment_reads_as_it_was(pack: Callable[[bytes], bytes]) -> None:
    disk = disk_with(pack(PLAIN), HERE / "a.wal.zst")
    assert disk.names(HERE) == ["a.wal"]
    assert disk.stat(HERE / "a.wal").size == len(PLAIN)
    with disk.open(HERE / "a.wal") as file:
        assert file.read_at(0, len(PLAIN) + 9) == PLAIN
        draw = random.Random(2)
        for _ in range(200):
            start, size = draw.randrange(len(PLAIN) + 9), draw.randrange(1 << draw.randrange(22))
            assert file.read_at(start, size) == PLAIN[start : start + size]
        ranges = list(file.data_ranges(7, len(PLAIN)))
        starts, stops = [low for low, _ in ranges], [high for _, high in ranges]
        holes = zip([7, *stops], [*starts, len(PLAIN)], strict=True)
        assert not any(PLAIN[a:b].strip(b"\0") for a, b in holes)
        assert sum(b - a for a, b in ranges) < 3 << 20


def test_every_decoder_opens_what_we_pack_and_passes_over_the_note() -> None:
    packed = b"".join(zstd.packed([PLAIN], note=b"a note"))
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    assert reader.read() == PLAIN
    memory = MemoryFileSystem({HERE / "a.zst": packed})
    assert zstd.note_of(memory.open(HERE / "a.zst")) == b"a note"


def test_a_segment_that_is_there_itself_goes_before_its_packed_copy() -> None:
    disk = PackedFileSystem(
        MemoryFileSystem({HERE / "a.wal": b"itself", HERE / "a.wal.zst": in_frames(b"packed")})
    )
    assert disk.names(HERE) == ["a.wal"]
    assert disk.open(HERE / "a.wal").read_at(0, 99) == b"itself"


def test_who_judges_a_member_sees_packed_segments_as_a_server_does() -> None:
    wal = HERE / "member" / "wal"
    memory = MemoryFileSystem({wal / "a.wal.zst": in_frames(b"packed")})
    judged = PackedFileSystem(memory, is_judged=True)
    assert judged.names(wal) == ["a.wal.zst"]
    assert not judged.exists(wal / "a.wal")
    assert PackedFileSystem(memory).names(wal) == ["a.wal"]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_an_archive_of_every_form_is_a_folder(form: int) -> None:
    deep = "/".join(["n" * 40] * 2) + "/" + "x" * (200 if form != tarfile.USTAR_FORMAT else 50)
    data = tarred(item("n1/", kind=tarfile.DIRTYPE), item("./n1/a"), item(deep), form=form)
    disk = disk_with(in_frames(data))
    assert disk.stat(ARCHIVE).kind is Kind.DIRECTORY
    assert disk.names(ARCHIVE) == ["n1", "n" * 40]
    assert disk.open(ARCHIVE / "n1" / "a").read_at(1, 99) == b"/n1/"
    assert disk.stat(ARCHIVE / deep).size == 5
    assert not disk.exists(ARCHIVE / "n1" / "b")
    assert disk.stat(ARCHIVE / "n1" / "..").kind is Kind.DIRECTORY
    with pytest.raises(AccessError, match="No such file"):
        disk.open(ARCHIVE / "n1" / "b")
    with pytest.raises(AccessError, match="only read"):
        disk.create(ARCHIVE / "n1" / "b", b"")
    again = pickle.loads(pickle.dumps(PackedFileSystem(RealFileSystem(), is_judged=True)))
    assert again == PackedFileSystem(RealFileSystem(), is_judged=True)


HOSTILE = {
    "absolute": [item("/etc/passwd")],
    "dot-dot": [item("n1/../../x")],
    "symbolic link": [item("n1", kind=tarfile.SYMTYPE)],
    "hard link": [item("a"), item("b", kind=tarfile.LNKTYPE)],
    "device": [item("null", kind=tarfile.CHRTYPE)],
    "pipe": [item("pipe", kind=tarfile.FIFOTYPE)],
    "twice": [item("a/b"), item("a//b")],
    "file and folder": [item("a"), item("a", kind=tarfile.DIRTYPE)],
    "below a file": [item("a"), item("a/b")],
    "long name": [item("n/" * 3000 + "x")],
    "deep name": [item("n/" * 100 + "x")],
}


@pytest.mark.parametrize("items", HOSTILE.values(), ids=HOSTILE)
def test_what_has_no_place_in_an_archive_is_refused_with_its_place(
    items: list[tarfile.TarInfo],
) -> None:
    disk = disk_with(in_frames(tarred(*items)))
    with pytest.raises(AccessError, match=r"x\.tar\.zst:\d+: "):
        disk.names(ARCHIVE)


def test_too_many_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "NAMES_MAX", 3)
    disk = disk_with(in_frames(tarred(*[item(f"f{number}") for number in range(4)])))
    with pytest.raises(AccessError, match="more than 3 names"):
        disk.names(ARCHIVE)


@pytest.mark.parametrize("pack", [in_frames, as_one_frame])
def test_an_archive_cut_at_any_byte_is_one_line_with_a_place(
    pack: Callable[[bytes], bytes],
) -> None:
    whole = pack(tarred(item("n1/a", 700), item("n1/b", 3)))
    table = whole.find(b"\x5e\x2a\x4d\x18")
    for cut in range(4, table if table > 0 else len(whole), 3):  # without its table it is whole
        with pytest.raises(AccessError, match=r"x\.tar\.zst:\d+: ") as caught:
            disk_with(whole[:cut]).names(ARCHIVE)
        assert "\n" not in caught.value.message


def test_a_tar_that_lacks_its_end_is_refused() -> None:
    whole = tarred(item("n1/a", 700))
    with pytest.raises(AccessError, match="was cut"):
        disk_with(in_frames(whole[:1536])).names(ARCHIVE)
    with pytest.raises(AccessError, match="reach beyond"):
        disk_with(in_frames(whole[:1024])).names(ARCHIVE)


def test_any_byte_flipped_is_an_error_of_ours_or_no_matter() -> None:
    whole = bytearray(in_frames(tarred(item("n1/a", 700), item("n1/b", 3))))
    for position in range(len(whole)):
        whole[position] ^= 0x41
        disk = disk_with(bytes(whole))
        try:
            for name in disk.names(ARCHIVE / "n1"):
                disk.open(ARCHIVE / "n1" / name).read_at(0, 999)
        except AccessError:
            pass
        whole[position] ^= 0x41


def test_a_few_bytes_do_not_become_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zstd, "SPOOL_BYTES_MAX", 1 << 20)
    monkeypatch.setattr(zstd, "STREAM_BYTES_MAX", 64 << 20)
    bomb = as_one_frame(b"\1" * (8 << 20))
    with pytest.raises(AccessError, match="unpack it first"):
        disk_with(bomb).names(ARCHIVE)
    zeros = as_one_frame(bytes(65 << 20))
    with pytest.raises(AccessError, match="opens to more"):
        disk_with(zeros).names(ARCHIVE)


def test_a_table_that_lies_about_a_frame_is_refused() -> None:
    packed = bytearray(in_frames(b"x" * 5000))
    table = packed.rindex((5000).to_bytes(4, "little"))
    packed[table : table + 4] = (4999).to_bytes(4, "little")
    with pytest.raises(AccessError, match="its table says 4,999 bytes"):
        disk_with(bytes(packed), HERE / "a.wal.zst").open(HERE / "a.wal").read_at(0, 9)


def test_a_file_called_an_archive_that_is_none_is_refused() -> None:
    with pytest.raises(AccessError, match="does not begin as zstd does"):
        disk_with(b"plain text").names(ARCHIVE)


def packed_folder(disk: FileSystem, folder: Path) -> bytes:
    """A folder of the real disk as one of our archives."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(folder, arcname=folder.name)
    return in_frames(out.getvalue())


@pytest.mark.parametrize("case", ["flipped-bit-in-data", "etcd-3.5-snapshots", "zero-page"])
def test_verify_says_of_an_archive_what_it_says_of_the_folder(case: str, tmp_path: Path) -> None:
    folder = unpack(case, tmp_path / "n1")
    archive = tmp_path / "n1.tar.zst"
    archive.write_bytes(packed_folder(RealFileSystem(), folder))
    disk = PackedFileSystem(RealFileSystem())
    assert told(verify(disk, archive / "n1")) == told(verify(RealFileSystem(), folder))


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_an_archive_of_the_corpus_reads_as_the_directory_in_it(name: str) -> None:
    assert CORPUS is not None
    disk = PackedFileSystem(RealFileSystem())
    archive = CORPUS / f"{name}.tar.zst"
    for member in disk.names(archive):
        if member != "truth":
            expected = verify(RealFileSystem(), unpacked(name) / member)
            assert told(verify(disk, archive / member)) == told(expected)
