"""The backup: complete, ours alone, read back, never written over, and enough by itself."""

import json
from pathlib import Path

import pytest
import zstandard

from tests.repair.disks import (
    MEMBER,
    NOW,
    memory_disk,
    one_file,
    one_folder,
    put_on,
    read,
    small_member,
    tree,
    world,
)
from walctl.errors import AccessError, UsageError
from walctl.fs.nodes import Call
from walctl.fs.real import RealFileSystem
from walctl.inspect.verify import verify
from walctl.repair.apply import apply
from walctl.repair.backup import (
    MANIFEST,
    backups_folder,
    new_folder,
    packed_path,
    read_manifest,
    utc,
)
from walctl.repair.document import plan_of_text
from walctl.repair.packing import unpacked


def test_it_holds_every_file_as_it_was_and_what_was_said_of_them() -> None:
    disk = memory_disk()
    plan, before, report = one_folder(disk), tree(disk), verify(disk, MEMBER)
    stats = {name: disk.stat(MEMBER / "member" / name) for name in before}
    receipt = apply(world(disk), plan, tool="walctl 1.2")
    manifest = read_manifest(disk, receipt.backup)
    assert set(manifest.files) == set(before)
    for name, kept in manifest.files.items():
        path = packed_path(receipt.backup, name)
        with disk.open(path) as file:
            assert b"".join(unpacked(file, bytes_max=kept.stamp.size)) == before[name]
        assert kept.stamp == plan.bound.files[name]
        assert (kept.inode, kept.attributes.mode) == (stats[name].inode, stats[name].mode)
        assert kept.attributes.mtime_ns == stats[name].mtime_ns
    assert plan_of_text(read(disk, receipt.backup / "plan.json")) == plan
    findings = json.loads(read(disk, receipt.backup / "findings.json"))
    assert [each["code"] for each in findings["findings"]] == [
        str(each.code) for each in report.findings
    ]
    assert json.loads(read(disk, receipt.backup / MANIFEST))["tool"] == "walctl 1.2"


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    member = put_on(tmp_path / "n1")
    disk = RealFileSystem()
    receipt = apply(world(disk), one_file(disk, member))
    for path in (receipt.backup, *receipt.backup.rglob("*")):
        assert path.lstat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    assert backups_folder(member).lstat().st_mode & 0o777 == 0o700


def test_another_program_opens_it(tmp_path: Path) -> None:
    member = put_on(tmp_path / "n1")
    disk = RealFileSystem()
    receipt = apply(world(disk), one_file(disk, member))
    for name in receipt.bound.files:
        packed = packed_path(receipt.backup, name).read_bytes()
        plain = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        assert plain == small_member()[f"member/{name}"]


def test_two_of_one_second_have_two_names_and_none_is_written_over() -> None:
    disk = memory_disk()
    first = apply(world(disk), one_file(disk))
    held = {path: disk.everything()[path] for path in disk.everything() if "walctl" in str(path)}
    disk.write(
        MEMBER / "member" / "wal" / "0000000000000000-0000000000000000.wal",
        small_member()["member/wal/0000000000000000-0000000000000000.wal"],
    )
    second = apply(world(disk), one_file(disk))
    assert first.backup != second.backup
    assert second.backup.name == f"{first.backup.name}-2"
    assert {path: disk.everything()[path] for path in held} == held


def test_there_is_an_end_to_names_of_one_second() -> None:
    disk = memory_disk()
    root = Path("/b")
    for number in range(1, 1000):
        name = f"{utc(NOW)}-repair" + (f"-{number}" if number > 1 else "")
        disk.make_directory(root / name)
    with pytest.raises(AccessError, match="like it already"):
        new_folder(disk, root, kind="repair", now=NOW)


@pytest.mark.parametrize("name", ["wal/0000000000000000-0000000000000000.wal", "snap/db"])
def test_a_backup_that_does_not_read_back_ends_it(name: str) -> None:
    disk = memory_disk()
    plan = one_file(disk)
    before = tree(disk)
    seen: list[Path] = []

    def rot(call: Call, path: Path) -> None:
        # The first reading of a packed file is its proof.
        if call is Call.OPEN and path.name == f"{name.partition('/')[2]}.zst" and not seen:
            seen.append(path)
            disk.write_at(path, 40, b"\xff\x00\xff")

    disk.on_call = rot
    with pytest.raises(AccessError):
        apply(world(disk), plan)
    assert seen
    assert tree(disk) == before
    assert disk.names(MEMBER.parent) == ["n1"]


@pytest.mark.parametrize("moment", [-5.0, 0.0, NOW, 1e20])
def test_any_clock_gives_a_name(moment: float) -> None:
    assert len(utc(moment)) == len("20330518T033320Z")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'{"v":1,"kind":"other","tool":"","bound":{},"files":{}}',
        b'{"v":1,"kind":"walctl-backup","tool":"","bound":{},"files":{"wal/../x":{}}}',
        b'{"v":1,"kind":"walctl-backup","tool":"","bound":{},"files":{"wal/x":{}}}',
    ],
)
def test_a_manifest_that_is_none_of_ours_is_refused_and_its_path_told_once(text: bytes) -> None:
    disk = memory_disk()
    disk.write(Path("/b/manifest.json"), text)
    with pytest.raises(UsageError, match=r"^/b/manifest\.json: ") as error:
        read_manifest(disk, Path("/b"))
    assert error.value.message.count("manifest.json") == 1
