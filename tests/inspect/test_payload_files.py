"""Payloads as files: byte for byte, never over anything, never into what is being read."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpus import fingerprint, needs_corpus, unpacked
from tests.render.decoded import entry_row, rows_with_bytes
from tests.render.drawing import DISK, laid
from walctl.datadir.layout import Layout, understand
from walctl.errors import AccessError, UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.inspect.payload_files import PayloadFiles, payload_files
from walctl.inspect.row import RecordRow
from walctl.model.record import Check, Span
from walctl.payload.base import Redaction, Request, value_blob

FOLDER = Path("/out")


def memory() -> MemoryFileSystem:
    """A disk with a data directory and an empty folder beside it."""
    segment = Path("/data/member/wal/0000000000000000-0000000000000000.wal")
    disk = MemoryFileSystem({segment: b"", Path("/data/member/snap/db"): b""})
    disk.make_directory(FOLDER)
    return disk


def opened(
    disk: MemoryFileSystem, folder: Path = FOLDER, redaction: Redaction = Redaction.AUTH
) -> PayloadFiles:
    return payload_files(disk, folder, understand(disk, Path("/data")), redaction=redaction)


def held(disk: MemoryFileSystem, folder: Path = FOLDER) -> dict[str, bytes]:
    found = {}
    for name in disk.names(folder):
        with disk.open(folder / name) as file:
            found[name] = file.read_at(0, 1 << 20)
    return found


def at(row: RecordRow, offset: int, *, check: Check = Check.VERIFIED) -> RecordRow:
    return replace(row, frame=replace(row.frame, span=Span(offset, offset + 8), check=check))


@needs_corpus
@pytest.mark.parametrize("name", ["a-single-20puts-35", "d-cluster3-35"])
def test_every_payload_is_saved_as_etcds_own_reader_tells_it(name: str, tmp_path: Path) -> None:
    member = unpacked(name) / "n1"
    before = fingerprint(member)
    layout = understand(DISK, member)
    files = payload_files(DISK, tmp_path / "new", layout, redaction=Redaction.NONE)
    rows = list(rows_with_bytes(member))
    assert list(files.passing(rows)) == rows
    said = json.loads((unpacked(name) / "truth" / "n1.waljson.from0.json").read_text())
    wanted = {
        f"{each['index']}-{each['term']}.bin": each["sha256"]
        for each in said["entries"]
        if each["len"]
    }
    saved = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert len(wanted) > 20
    assert wanted == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in saved.items()
        if data and name.count("-") == 1
    }
    assert files.saved == len(saved)
    assert files.saved_bytes == sum(map(len, saved.values()))
    assert fingerprint(member) == before


def test_names_say_which_entry_it_is_and_what_became_of_it() -> None:
    disk = memory()
    rows = [
        at(entry_row(b"live"), 80),
        at(entry_row(b"old", status="overwritten"), 160),
        at(entry_row(b"bad"), 240, check=Check.FAILED),
        at(entry_row(b"again"), 320),
        at(entry_row(b""), 400),
        entry_row(None),
    ]
    files = opened(disk, redaction=Redaction.NONE)
    assert list(files.passing(rows)) == rows
    assert held(disk) == {
        "7-2.bin": b"live",
        "7-2-160.bin": b"old",
        "7-2-240-failed.bin": b"bad",
        "7-2-320.bin": b"again",
        "7-2-400.bin": b"",
    }
    assert (files.saved, files.saved_bytes, files.hidden) == (5, 15, 0)


def test_the_same_place_in_two_segments_is_told_apart_by_the_segment() -> None:
    disk = memory()
    rows = [entry_row(b"1"), entry_row(b"2"), entry_row(b"3")]
    list(opened(disk).passing(rows))
    assert held(disk) == {"7-2.bin": b"1", "7-2-80.bin": b"2", "7-2-0-80.bin": b"3"}


def test_nothing_is_ever_written_over() -> None:
    disk = memory()
    files = opened(disk)
    with pytest.raises(AccessError, match="File exists"):
        list(files.passing([entry_row(b"1"), entry_row(b"2"), entry_row(b"3"), entry_row(b"4")]))
    assert sorted(held(disk).values()) == [b"1", b"2", b"3"]


def test_what_a_redaction_hides_is_counted_and_not_saved() -> None:
    disk = memory()
    secret = b"\xa2\x3f\x08password"
    put = Request(decoder="etcd", type="put", body={"put": {"value": value_blob(b"v")}})
    files = opened(disk, redaction=Redaction.VALUES)
    list(files.passing([entry_row(b"open", request=put), entry_row(secret)]))
    assert (held(disk), files.hidden) == ({}, 2)
    files = opened(disk)
    list(files.passing([entry_row(b"open", request=put), entry_row(secret)]))
    assert (held(disk), files.hidden) == ({"7-2.bin": b"open"}, 1)


def test_a_folder_is_made_where_none_is_but_not_the_ones_above_it() -> None:
    disk = memory()
    opened(disk, Path("/out/new"))
    assert disk.names(FOLDER) == ["new"]
    with pytest.raises(AccessError, match="No such file or directory"):
        opened(disk, Path("/out/far/new"))


def test_a_folder_with_anything_in_it_is_refused() -> None:
    disk = memory()
    disk.write(FOLDER / "note", b"")
    with pytest.raises(UsageError, match="/out: payloads are saved to a new or an empty folder"):
        opened(disk)
    with pytest.raises(UsageError, match="/out/note: payloads are saved to a folder"):
        opened(disk, FOLDER / "note")


@pytest.mark.parametrize(
    "folder",
    [
        "/data/new",
        "/data",
        "/data/member/wal/new",
        "/data/member/snap/empty",
        "/out/../data/member/new",
        "/link/new",
        "/out/link",
    ],
)
def test_a_folder_within_the_member_is_refused_however_it_is_reached(folder: str) -> None:
    disk = memory()
    disk.make_directory(Path("/data/member/snap/empty"))
    disk.link(Path("/link"), Path("/data/member"))
    disk.link(Path("/out/link"), Path("/data/member/snap/empty"))
    with pytest.raises(UsageError, match="lies within the member that is read"):
        opened(disk, Path(folder))
    assert disk.names(Path("/data/member")) == ["snap", "wal"]


def test_a_split_log_counts_as_the_member() -> None:
    disk = memory()
    layout = replace(understand(disk, Path("/data")), wal_dir=FOLDER)
    with pytest.raises(UsageError, match="lies within"):
        payload_files(disk, FOLDER / "new", layout, redaction=Redaction.AUTH)


def test_a_real_folder_within_a_real_member_is_refused(tmp_path: Path) -> None:
    member = laid("etcd-3.5-three-puts")
    layout = understand(DISK, member)
    (tmp_path / "link").symlink_to(member)
    before = fingerprint(member)
    for folder in (member / "new", tmp_path / "link" / "new", member / "member" / "wal" / "new"):
        with pytest.raises(UsageError, match="lies within"):
            payload_files(DISK, folder, layout, redaction=Redaction.AUTH)
    payload_files(DISK, tmp_path / "new", layout, redaction=Redaction.AUTH)
    assert fingerprint(member) == before


def one_segment(disk: MemoryFileSystem, path: str) -> Layout:
    disk.write(Path(path), b"")
    return understand(disk, Path(path))


def test_a_lone_segment_does_not_make_a_member_of_the_folder_it_was_copied_to() -> None:
    disk = memory()
    layout = one_segment(disk, "/copies/0000000000000000-0000000000000000.wal")
    payload_files(disk, Path("/copies/new"), layout, redaction=Redaction.AUTH)
    assert "new" in disk.names(Path("/copies"))
    layout = one_segment(disk, "/data/member/wal/0000000000000000-0000000000000000.wal")
    with pytest.raises(UsageError, match="lies within"):
        payload_files(disk, Path("/data/member/wal/x"), layout, redaction=Redaction.AUTH)


def test_a_disk_that_is_full_ends_it_with_its_word() -> None:
    disk = memory()
    files = opened(disk)
    disk.fail(FOLDER, "No space left on device", Call.CREATE)
    with pytest.raises(AccessError) as caught:
        list(files.passing([entry_row(b"1")]))
    assert caught.value.message == "/out/7-2.bin: No space left on device"
