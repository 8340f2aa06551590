"""One `.snap` file: etcd's verdict in its words, and what the file says all the same."""

import functools
import json
from pathlib import Path
from typing import Any

import crc32c
import pytest

from tests.corpus import manifest, names, needs_corpus, unpacked
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.fs.real import RealFileSystem
from walctl.model.record import ConfState
from walctl.snap.names import SnapName
from walctl.snap.reader import SnapFile, SnapProblemKind, judge, read_snap

PATH = Path("snap/0000000000000002-0000000000000003.snap")
# The smallest sound file: no data; conf state {voter 1}, index 3, term 2.
CONTENT = bytes.fromhex("120a0a0408012800 10031802".replace(" ", ""))
SMALLEST = bytes.fromhex("089788929d05 120c") + CONTENT


def envelope(content: bytes) -> bytes:
    """A sound envelope around `content`, written from the layout alone."""
    return b"\x08" + varint(crc32c.crc32c(content)) + b"\x12" + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def test_the_smallest_sound_file_reads() -> None:
    assert envelope(CONTENT) == SMALLEST
    snap = judge(PATH, SMALLEST)
    assert snap == SnapFile(
        path=PATH,
        name=PATH.name,
        parsed=SnapName(term=2, index=3),
        size=20,
        stored_crc=0x53A48417,
        computed_crc=0x53A48417,
        index=3,
        term=2,
        conf_state=ConfState(voters=(1,)),
    )
    assert snap.is_usable


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", "empty", "snap: empty snapshot"),
        (bytes.fromhex("0801"), "empty", "snap: empty snapshot"),
        (bytes.fromhex("08011200"), "empty", "snap: empty snapshot"),
        (bytes.fromhex("0800120c") + CONTENT, "empty", "snap: empty snapshot"),
        (bytes.fromhex("120c") + CONTENT, "empty", "snap: empty snapshot"),
        (bytes.fromhex("0801120c") + CONTENT, "crc", "snap: crc mismatch"),
        (SMALLEST[:-1], "undecodable", "unexpected EOF"),
        (SMALLEST + b"\0", "undecodable", "proto: snapshot: illegal tag 0 (wire type 0)"),
        (envelope(CONTENT[:-1]), "undecodable", "unexpected EOF"),
        (envelope(b"\x08\x01"), "undecodable", "proto: wrong wireType = 0 for field Data"),
    ],
)
def test_a_file_that_etcd_refuses_has_its_words(data: bytes, kind: str, words: str) -> None:
    snap = judge(PATH, data)
    assert snap.problem is not None
    assert (snap.problem.kind, snap.problem.words) == (kind, words)
    assert not snap.is_usable
    assert snap.size == len(data)


def test_a_place_inside_the_content_is_counted_from_the_start_of_the_file() -> None:
    snap = judge(PATH, envelope(b"\x08\x01"))
    assert snap.problem is not None
    assert snap.problem.offset == len(envelope(b"\x08\x01")) - 2
    later = judge(PATH, envelope(b"\x12\x00\x08\x01"))
    assert later.problem is not None
    assert later.problem.offset == len(envelope(b"\x12\x00\x08\x01")) - 2
    # A field behind the content moves its start, not its end.
    behind = judge(PATH, envelope(b"\x08\x01") + b"\x18\x01")
    assert behind.problem is not None
    assert behind.problem.offset == snap.problem.offset


def test_a_file_that_fails_its_checksum_still_says_what_it_was() -> None:
    snap = judge(PATH, bytes.fromhex("0801120c") + CONTENT)
    assert (snap.index, snap.term, snap.stored_crc) == (3, 2, 1)
    assert snap.problem is not None
    assert snap.problem.detail == "the file says 00000001, its data gives 53a48417"


def test_the_checksum_is_judged_before_what_it_covers() -> None:
    snap = judge(PATH, bytes.fromhex("08011202") + b"\x08\x01")
    assert snap.problem is not None
    assert snap.problem.kind is SnapProblemKind.CRC


def test_absent_fields_are_none_and_not_zero() -> None:
    snap = judge(PATH, envelope(b"\x12\x00"))
    assert (snap.index, snap.term, snap.conf_state, snap.data_bytes) == (None, None, None, None)
    assert snap.is_usable


def test_a_name_and_a_content_that_disagree_are_noted() -> None:
    other = PATH.with_name("0000000000000002-0000000000000004.snap")
    assert judge(other, SMALLEST).notes == (
        "its name says term 2, index 4; its content term 2, index 3",
    )
    (note,) = judge(Path("copy.snap"), SMALLEST).notes
    assert "not the one that etcd gives" in note
    assert judge(Path("copy.snap"), SMALLEST).parsed is None


@pytest.mark.parametrize("bit", range(8))
def test_a_flip_of_any_bit_is_a_problem_or_changes_nothing(bit: int) -> None:
    sound = judge(PATH, SMALLEST)
    for offset in range(len(SMALLEST)):
        flipped = bytearray(SMALLEST)
        flipped[offset] ^= 1 << bit
        snap = judge(PATH, bytes(flipped))
        # Bits 32 and up of the checksum's varint are not kept, by gogo neither.
        is_spare = offset == 5 and bit in (4, 5, 6)
        assert (snap.problem is None) == is_spare
        assert not is_spare or snap == sound


def test_a_cut_at_any_byte_is_a_problem() -> None:
    for size in range(len(SMALLEST)):
        snap = judge(PATH, SMALLEST[:size])
        assert snap.problem is not None
        assert snap.problem.kind in {SnapProblemKind.EMPTY, SnapProblemKind.UNDECODABLE}


def test_a_disk_that_does_not_give_the_file_is_in_the_value() -> None:
    disk = MemoryFileSystem({PATH: SMALLEST})
    disk.make_directory(Path("snap/folder.snap"))
    disk.fail(PATH, "Input/output error", Call.READ)
    for name in (PATH.name, "folder.snap", "absent.snap"):
        snap = read_snap(disk, PATH.with_name(name))
        assert snap.problem is not None
        assert (snap.problem.kind, snap.problem.words) == (SnapProblemKind.UNREADABLE, "")
        assert snap.name == name
        assert snap.problem.detail


def test_a_file_beyond_the_limit_is_not_read() -> None:
    disk = MemoryFileSystem({PATH: SMALLEST})
    disk.truncate(PATH, (1 << 30) + 1)
    snap = read_snap(disk, PATH)
    assert snap.problem is not None
    assert snap.problem.kind is SnapProblemKind.UNREADABLE
    assert (snap.size, disk.bytes_read) == ((1 << 30) + 1, 0)


def snap_truths(name: str) -> list[tuple[Path, dict[str, Any]]]:
    """Every `.snap` of a directory with what etcd's own reader said of it."""
    base = unpacked(name)
    found = []
    for file in sorted((base / "truth").glob("*.snaps.json")):
        member = file.name.removesuffix(".snaps.json")
        for folder in (base / member / "member" / "snap", base / f"{member}-snap"):
            said = json.loads(file.read_bytes())
            found += [(folder / each, said[each]) for each in said if folder.is_dir()]
    return found


@functools.cache
def with_snaps() -> list[str]:
    return [
        name
        for name in names()
        if any(path.endswith(".snap") for path in manifest(name).get("files", {}))
    ]


@needs_corpus
@pytest.mark.parametrize("name", with_snaps())
def test_every_file_says_what_etcd_read_in_it(name: str) -> None:
    truths = snap_truths(name)
    assert truths
    for path, said in truths:
        snap = read_snap(RealFileSystem(), path)
        if "error" in said:
            assert snap.problem is not None
            assert snap.problem.words == said["error"]
            continue
        assert snap.problem is None
        assert (snap.index, snap.term, snap.data_bytes) == (
            said["index"],
            said["term"],
            said["data_len"],
        )
        assert snap.conf_state == ConfState(
            voters=tuple(said["conf_state"]["voters"]),
            learners=tuple(said["conf_state"].get("learners", ())),
            auto_leave=said["conf_state"]["auto_leave"],
        )
        assert snap.parsed == SnapName(term=said["term"], index=said["index"])
        assert (snap.store is None) == (name == "f-raftexample-35")
        assert bool(snap.notes) == (name == "f-raftexample-35")


@needs_corpus
@pytest.mark.parametrize("version", ["34", "35"])
def test_a_flipped_snapshot_is_a_crc_mismatch_as_etcd_says(version: str) -> None:
    name = f"x-snap-flip-{version}"
    path = unpacked(name) / "n1" / manifest(name)["damage"]["file"]
    snap = read_snap(RealFileSystem(), path)
    assert snap.problem is not None
    assert (snap.problem.kind, snap.problem.words) == ("crc", "snap: crc mismatch")
    assert (snap.index, snap.term) == (404, 2)


@needs_corpus
def test_the_newest_store_has_the_members_that_the_server_told() -> None:
    snap = read_snap(
        RealFileSystem(),
        unpacked("d-cluster3-35") / "n1/member/snap/0000000000000006-00000000000017cc.snap",
    )
    assert snap.store is not None
    told = manifest("d-cluster3-35")["per_member"]["n1"]["truth"]["api"]["members"]
    assert [
        (f"{each.id:x}", each.name, list(each.peer_urls), each.is_learner)
        for each in snap.store.members
    ] == [(each["id"], each["name"], each["peerURLs"], each["learner"]) for each in told]
    assert all(each.client_urls for each in snap.store.members)
    assert snap.store.removed_members == (0xD2A16BF1CC2DD496,)
    assert snap.store.cluster_version == "3.5.0"


@needs_corpus
@pytest.mark.slow
def test_a_flip_of_any_byte_of_a_real_file_is_a_problem() -> None:
    path = unpacked("s-small-snaps-35") / "n1/member/snap/0000000000000002-0000000000000194.snap"
    data = path.read_bytes()
    for offset in range(len(data)):
        flipped = data[:offset] + bytes([data[offset] ^ 0x01]) + data[offset + 1 :]
        assert judge(path, flipped).problem is not None
