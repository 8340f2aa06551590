"""undo: every byte, name and attribute comes back, or nothing changes and the reason is said."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.repair.disks import (
    MEMBER,
    OLDEST,
    PLANS,
    SEGMENT,
    attributes,
    memory_disk,
    one_file,
    one_folder,
    read,
    tree,
    world,
)
from walctl.errors import AccessError, UsageError, WalctlError
from walctl.fs.crash import Kept
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.verify import verify
from walctl.repair.apply import apply
from walctl.repair.backup import packed_path
from walctl.repair.undo import undo

SEGMENT_PATH = MEMBER / "member" / SEGMENT
DB = MEMBER / "member" / "snap" / "db"


@pytest.mark.parametrize("kind", PLANS)
def test_every_byte_name_and_attribute_comes_back(kind: str) -> None:
    disk = memory_disk()
    for number, path in enumerate((SEGMENT_PATH, DB, MEMBER / "member" / OLDEST)):
        marked = replace(
            disk.attributes(path),
            mode=0o600 | number,
            uid=1000 + number,
            gid=7,
            mtime_ns=1_600_000_000_000_000_001 + number,
            extended=(("user.note", bytes([number, 255])),),
        )
        disk.set_attributes(path, marked)
    disk.truncate(SEGMENT_PATH, 1 << 20)
    before, old, report = tree(disk), attributes(disk), verify(disk, MEMBER)
    room = {path: disk.stat(path).allocated_bytes for path in (SEGMENT_PATH, DB)}
    receipt = apply(world(disk), PLANS[kind](disk))
    assert tree(disk) != before
    undo(world(disk), receipt.path)
    assert tree(disk) == before
    assert attributes(disk) == old
    assert verify(disk, MEMBER) == report
    for path, taken in room.items():
        now = disk.stat(path).allocated_bytes
        assert now is not None
        assert taken is not None
        assert now <= taken


@pytest.mark.parametrize("kind", PLANS)
def test_an_undo_can_be_undone_and_that_again(kind: str) -> None:
    disk = memory_disk()
    before = tree(disk)
    receipt = apply(world(disk), PLANS[kind](disk))
    after = tree(disk)
    for wanted in (before, after, before):
        old, receipt = receipt, undo(world(disk), receipt.path)
        assert tree(disk) == wanted
        assert receipt.kind == "undo"
        assert receipt.undoes == str(old.path)
        assert receipt.bound.files == old.after
        assert receipt.after == old.bound.files


def test_a_backup_that_was_moved_elsewhere_still_takes_back() -> None:
    disk = memory_disk()
    before = tree(disk)
    receipt = apply(world(disk), one_folder(disk))
    disk.make_directory(Path("/safe"))
    disk.rename(receipt.backup, Path("/safe/it"))
    undo(world(disk), Path("/safe/it/receipt.json"))
    assert tree(disk) == before


def expect_refused(
    disk: MemoryFileSystem, receipt: Path, kind: type[WalctlError], words: str
) -> None:
    before = disk.everything()
    with pytest.raises(kind, match=words) as caught:
        undo(world(disk), receipt)
    assert "\n" not in caught.value.message
    assert disk.everything() == before


CHANGES: dict[str, Callable[[MemoryFileSystem], None]] = {
    "db": lambda disk: disk.write_at(DB, 100, b"\x01"),
    "0000.wal": lambda disk: disk.write_at(SEGMENT_PATH, 27000, b"\x01"),
    "0.tmp": lambda disk: disk.write(SEGMENT_PATH.parent / "0.tmp", b""),
    "15.snap": lambda disk: disk.remove(MEMBER / "member" / OLDEST),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_server_wrote_since_is_not_thrown_away(name: str) -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_file(disk))
    CHANGES[name](disk)
    expect_refused(disk, receipt.path, AccessError, rf"{name}: .*the server has written since")


def test_a_receipt_is_good_once() -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_file(disk))
    undo(world(disk), receipt.path)
    expect_refused(disk, receipt.path, AccessError, "taken back already: .*; nothing was changed")


def test_a_backup_that_is_damaged_or_gone_takes_nothing_back() -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_file(disk))
    packed = packed_path(receipt.backup, SEGMENT)
    data = read(disk, packed)
    for position in (0, 7, len(data) // 2, len(data) - 1):
        disk.write(packed, data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        expect_refused(disk, receipt.path, AccessError, r"wal")
    disk.write(packed, data[:-5])
    expect_refused(disk, receipt.path, AccessError, "ends inside")
    disk.remove(packed)
    expect_refused(disk, receipt.path, AccessError, "the backup does not have it")


def edited(
    disk: MemoryFileSystem, path: Path, change: Callable[[dict[str, object]], object]
) -> None:
    document = json.loads(read(disk, path))
    change(document)
    disk.write(path, json.dumps(document).encode())


def _files(document: dict[str, object]) -> dict[str, object]:
    bound = document["bound"]
    assert isinstance(bound, dict)
    files = bound["files"]
    assert isinstance(files, dict)
    return files


STAMP = {"size": 1, "sha256": "0" * 64}
EDITS: dict[str, Callable[[dict[str, object]], object]] = {
    "receipt": lambda d: d.update(kind="something"),
    "v": lambda d: d.update(v=2),
    "what": lambda d: d.update(what="theft"),
    "a member less": lambda d: d.pop("after"),
    "a member more": lambda d: d.update(more=1),
    "absolute": lambda d: _files(d).update({"/etc/passwd": STAMP}),
    "upwards": lambda d: _files(d).update({"wal/../../x": STAMP}),
    "deeper": lambda d: _files(d).update({"wal/a/b": STAMP}),
    "another room": lambda d: _files(d).update({"etc/passwd": STAMP}),
    "not in the manifest": lambda d: _files(d).update({"wal/x.wal": STAMP}),
    "other hash": lambda d: _files(d).update({"snap/db": STAMP}),
    "negative": lambda d: _files(d).update({"snap/db": {"size": -1, "sha256": "0" * 64}}),
    "not absolute": lambda d: d["bound"].update(directory="data/n1"),  # type: ignore[attr-defined]
    "folder upwards": lambda d: d["bound"].update(wal="../x/wal"),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("name", EDITS)
def test_a_receipt_that_is_none_of_ours_is_refused_in_one_line(name: str) -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_file(disk))
    edited(disk, receipt.path, EDITS[name])
    expect_refused(disk, receipt.path, UsageError, str(receipt.path))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"kind": 1, "kind": 1}']
)
def test_bytes_that_are_no_receipt_are_refused_in_one_line(data: bytes) -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_file(disk))
    disk.write(receipt.path, data)
    expect_refused(disk, receipt.path, UsageError, str(receipt.path))


@pytest.mark.slow
def test_a_receipt_cut_at_any_byte_or_with_any_bit_turned_never_does_a_third_thing() -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_file(disk))
    after = tree(disk)
    base = disk.crash(Kept())
    undo(world(base), receipt.path)
    before = tree(base)
    data = read(disk, receipt.path)
    for position in range(0, len(data), 7):
        for changed in (
            data[:position],
            data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :],
        ):
            again = disk.crash(Kept())
            again.write(receipt.path, changed)
            try:
                undo(world(again), receipt.path)
            except WalctlError:
                assert tree(again) == after
            else:
                assert tree(again) == before
