"""What etcd returns, says and cuts on opening: held against its own WAL package, on all the corpus.

The truth is in the manifests: the `wal` packages of 3.4.23, 3.5.1 and 3.6.14 were run over every
directory. What is said below of 3.5.5 and later releases of 3.5 rests on their source alone.
"""

import contextlib
import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import raftpb, walpb
from formats.frame import build_frame
from formats.walpb import RecordType
from tests.corpus import manifest, names, needs_corpus, unpacked
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.wal import names as segment_names
from walctl.wal.decoder import Source, Version, Whole, decode, is_torn
from walctl.wal.fold import Digest, digest
from walctl.wal.owner import (
    Reading,
    ValidSnapshots,
    read_all,
    repair,
    repaired,
    valid_snapshots,
    verify,
)

DISK = RealFileSystem()
PEERS = {"3.4.23": Version.V3_4, "3.5.1": Version.V3_5_0, "3.6.14": Version.V3_6}

EXCUSED = {
    "dump_logs": "what the program etcd-dump-logs prints, which is more than a pass over the log",
    "renamed_by_the_tools": "what loading `.snap` files does; `datadir.boot` answers for that",
}
"""Recorded questions that are not answered here, with the reason; of the others none differs."""


def members() -> list[Any]:
    """Every member directory whose WAL etcd's package was asked about."""
    found = []
    for name in names():
        for member in sorted(asked(name)):
            segments = list(manifest(name)["files"])
            is_long = sum(path.endswith(".wal") for path in segments) > 1 or name.startswith("d")
            marks = [pytest.mark.slow] if is_long else []
            found.append(pytest.param(name, member, id=f"{name}-{member}", marks=marks))
    return found


def asked(name: str) -> dict[str, dict[str, Any]]:
    """By member, by version: what etcd's package answered."""
    said = manifest(name)
    if "per_member" in said:
        return {member: each["peers"] for member, each in said["per_member"].items()}
    if set(said["peers"]) & set(PEERS):
        return {said["members"][0]: said["peers"]}
    return dict(said["peers"])


def wal_folder(name: str, member: str) -> Path:
    folder = unpacked(name) / member
    return folder / "member" / "wal" if (folder / "member").is_dir() else folder


@functools.cache
def digests(name: str, member: str) -> dict[str, Digest]:
    folder = wal_folder(name, member)
    found = {}
    for segment in segment_names.in_order(DISK.names(folder)):
        with DISK.open(folder / segment.text) as file:
            found[segment.text] = digest(file, segment=segment.text)
    return found


@contextlib.contextmanager
def sources(name: str, member: str) -> Iterator[list[Source]]:
    folder = wal_folder(name, member)
    with contextlib.ExitStack() as stack:
        yield [
            Source(
                name=segment,
                file=stack.enter_context(DISK.open(folder / segment.text)),
                digest=digests(name, member)[segment.text],
            )
            for segment in segment_names.in_order(DISK.names(folder))
        ]


def newest_snapshot(name: str, member: str, valid: ValidSnapshots) -> tuple[int, int]:
    """Index and term that a server starts from, by the readable `.snap` files in the truth."""
    read = json.loads((unpacked(name) / "truth" / f"{member}.snaps.json").read_text())
    marks = {(mark.index, mark.term) for mark in valid.marks}
    for file in sorted(read, reverse=True):
        place = (read[file].get("index"), read[file].get("term"))
        if place in marks:
            return place
    return 0, 0


def as_recorded(reading: Reading, index: int, term: int) -> dict[str, Any]:
    """A reading in the form in which the manifests have it."""
    said: dict[str, Any] = {
        "start_index": index,
        "start_term": term,
        "entries": reading.entries,
        "first": reading.first,
        "last": reading.last,
    }
    error = reading.error
    if error is not None and error.is_on_opening:
        return said | {"open_error": error.words}
    state = reading.hard_state
    vote = f"{state.vote:x}"
    said["hardstate"] = {"term": state.term, "vote": vote, "commit": state.commit}
    if error is not None:
        said["readall_error"] = error.words
    if reading.metadata is not None and reading.metadata.node_id is not None:
        said["node_id"] = f"{reading.metadata.node_id:x}"
        said["cluster_id"] = f"{reading.metadata.cluster_id:x}"
    return said


def answers(name: str, member: str, version: Version) -> dict[str, Any]:
    """Everything that the manifests record of a version, as this model gives it."""
    with sources(name, member) as segments:
        events = list(decode(segments, version))
        valid = valid_snapshots(segments, version)
        index, term = newest_snapshot(name, member, valid)
        whole_log = read_all(segments, index=0, term=0, version=version, for_write=False)
        said: dict[str, Any] = {
            "records_end": str(events[-1]),
            "records": sum(
                event.stretch.frames if isinstance(event, Whole) else 1 for event in events[:-1]
            ),
            "valid_snapshots": [f"{mark.term} {mark.index}" for mark in valid.marks],
            "verify_from_0": checked(segments, 0, 0, version),
            "readall_from_0": as_recorded(whole_log, 0, 0),
            "repair": as_repaired(segments, version),
        }
        if valid.error is not None:
            told = f"ValidSnapshotEntries: {valid.error.words}"
            return said | {
                "valid_snapshots": [f"error: {valid.error.words}"],
                "verify_from_latest_snapshot": told,
                "readall_from_latest_snapshot": told,
            }
        latest = read_all(segments, index=index, term=term, version=version, for_write=False)
        said["verify_from_latest_snapshot"] = checked(segments, index, term, version)
        said["readall_from_latest_snapshot"] = as_recorded(latest, index, term)
    return said


def checked(segments: list[Source], index: int, term: int, version: Version) -> str:
    error = verify(segments, index=index, term=term, version=version).error
    return "ok" if error is None else f"error: {error.words}"


def as_repaired(segments: list[Source], version: Version) -> dict[str, Any]:
    done = repair(segments, version)
    said: dict[str, Any] = {
        "returned": str(done.returned).lower(),
        "files_added": [],
        "resized": {},
    }
    if done.cut_to is not None:
        said["files_added"] = [done.backup]
        said["resized"] = {done.segment: [segments[-1].size, done.cut_to]}
        after = repaired(segments, done)
        reading = read_all(after, index=0, term=0, version=version, for_write=True)
        said["last_index_after"] = reading.last
    return said


@needs_corpus
@pytest.mark.parametrize(("name", "member"), members())
def test_every_pass_gives_what_etcds_own_package_gave(name: str, member: str) -> None:
    for peer, version in PEERS.items():
        recorded = asked(name)[member][peer]
        given = answers(name, member, version)
        assert recorded.keys() <= given.keys() | EXCUSED.keys()
        for question in recorded.keys() - EXCUSED.keys():
            assert given[question] == recorded[question], (peer, question)


# Small logs, built here.


Item = tuple[int, bytes | None]


def entry(index: int, term: int, data: bytes = b"x") -> Item:
    built = raftpb.ENTRY.build(raftpb.Entry(type=0, term=term, index=index, data=data))
    return RecordType.ENTRY, built


def state(term: int, commit: int) -> Item:
    built = raftpb.HARD_STATE.build(raftpb.HardState(term=term, vote=7, commit=commit))
    return RecordType.STATE, built


def mark(index: int, term: int) -> Item:
    return RecordType.SNAPSHOT, walpb.SNAPSHOT.build(walpb.Snapshot(index=index, term=term))


METADATA: Item = (RecordType.METADATA, bytes.fromhex("08011002"))
CRC: Item = (RecordType.CRC, None)
SECOND = [CRC, METADATA, state(2, 2), entry(3, 2), state(2, 3), mark(2, 2), entry(4, 2)]
FIRST = [CRC, METADATA, mark(0, 0), entry(1, 1), state(1, 1), entry(2, 2), state(2, 2)]


def segments_of(*parts: list[Item], tail: bytes = bytes(64)) -> list[bytes]:
    """Segments with these records, one checksum chain through all of them."""
    running, built = 0, []
    for items in parts:
        frames = bytearray()
        for kind, data in items:
            running = crc32c.crc32c(data or b"", running)
            record = walpb.Record(type=kind, crc=running, data=data)
            frames += build_frame(walpb.RECORD.build(record))
        built.append(bytes(frames))
    return [*built[:-1], built[-1] + tail]


def opened(*segments: bytes, is_scanned: bool = True, seqs: range | None = None) -> list[Source]:
    """Sources over these bytes; without a scan every record is decoded by itself."""
    disk = MemoryFileSystem()
    found = []
    for seq, data in zip(seqs or range(len(segments)), segments, strict=True):
        text = segment_names.format_name(seq=seq, index=3 * seq)
        disk.write(Path("/") / text, data)
        name = segment_names.parse(text)
        assert name is not None
        file = disk.open(Path("/") / text)
        found.append(
            Source(
                name=name,
                file=file,
                digest=digest(file, segment=text)
                if is_scanned
                else Digest(segment=text, size=len(data)),
            )
        )
    return found


def all_answers(log: list[Source], version: Version) -> list[Any]:
    """What each pass says, and the end of the decoder."""
    return [
        str(list(decode(log, version))[-1]),
        valid_snapshots(log, version),
        verify(log, index=0, term=0, version=version),
        verify(log, index=2, term=2, version=version),
        read_all(log, index=0, term=0, version=version, for_write=True),
        read_all(log, index=2, term=2, version=version, for_write=False),
        replace(repair(log, version), dropped_bytes=0),
    ]


LOG = segments_of(FIRST, SECOND)


@pytest.mark.slow
@pytest.mark.parametrize("position", range(len(LOG)))
@pytest.mark.parametrize("bit", range(8))
def test_any_flipped_bit_reads_the_same_through_the_scan_as_record_by_record(
    position: int, bit: int
) -> None:
    for offset in range(len(LOG[position])):
        flipped = bytearray(LOG[position])
        flipped[offset] ^= 1 << bit
        log = [*LOG[:position], bytes(flipped), *LOG[position + 1 :]]
        by_scan, by_record = opened(*log), opened(*log, is_scanned=False)
        for version in (Version.V3_4, Version.V3_6):
            expected = all_answers(by_record, version)
            assert all_answers(by_scan, version) == expected, (offset, version)


@pytest.mark.slow
@pytest.mark.parametrize("position", range(len(LOG)))
def test_a_cut_at_any_byte_reads_the_same_through_the_scan_as_record_by_record(
    position: int,
) -> None:
    for cut in range(len(LOG[position])):
        log = [*LOG[:position], LOG[position][:cut], *LOG[position + 1 :]]
        by_scan, by_record = opened(*log), opened(*log, is_scanned=False)
        for version in Version:
            expected = all_answers(by_record, version)
            assert all_answers(by_scan, version) == expected, (cut, version)


def test_a_whole_log_is_read_to_its_last_entry_in_every_version() -> None:
    for version in Version:
        reading = read_all(opened(*LOG), index=0, term=0, version=version, for_write=True)
        assert reading.error is None
        assert (reading.first, reading.last, reading.entries) == (1, 4, 4)
        assert reading.hard_state.commit == 3
        assert reading.end_offset == len(LOG[1]) - 64
        marks = valid_snapshots(opened(*LOG), version).marks
        assert [(each.index, each.term) for each in marks] == [(0, 0), (2, 2)]


def test_a_zero_length_in_the_last_segment_is_the_end_and_nothing_is_said() -> None:
    frame = len(LOG[1]) - 64 - len(build_frame(walpb.RECORD.build(last_record())))
    zeroed = LOG[1][:frame] + bytes(8) + LOG[1][frame + 8 :]
    for version in Version:
        log = opened(LOG[0], zeroed)
        reading = read_all(log, index=0, term=0, version=version, for_write=True)
        assert (reading.error, reading.last, reading.end_offset) == (None, 3, frame)
        assert repair(log, version).cut_to is None


def last_record() -> walpb.Record:
    return walpb.Record(type=2, crc=1 << 31, data=entry(4, 2)[1])


def test_a_missing_segment_has_the_words_of_each_version() -> None:
    one, two, three = segments_of(FIRST, SECOND, [CRC, METADATA, entry(5, 2)])
    for version, words in {
        Version.V3_4: "wal: file not found",
        Version.V3_5_7: "wal: file not found",
        Version.V3_6: "[openAtIndex] selectWALFiles failed: wal: file sequence numbers"
        " (starting from 0) do not increase continuously",
    }.items():
        first, *others = opened(one, two, three, seqs=range(1, 6, 2))
        reading = read_all(
            [replace(first, name=replace(first.name, index=0)), *others],
            index=0,
            term=0,
            version=version,
            for_write=True,
        )
        assert reading.error is not None
        assert reading.error.is_on_opening
        assert reading.error.words == words


def test_a_missing_snapshot_record_is_an_error_only_for_readers() -> None:
    for version in Version:
        log = opened(*LOG)
        reading = read_all(log, index=3, term=2, version=version, for_write=False)
        assert reading.error is not None
        assert (reading.error.words, reading.last) == ("wal: snapshot not found", 4)
        writing = read_all(log, index=3, term=2, version=version, for_write=True)
        assert (writing.error, writing.last, writing.has_match) == (None, 4, False)
        checked_so = verify(log, index=3, term=2, version=version).error
        assert checked_so is not None
        assert checked_so.words == "wal: snapshot not found"


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([(RecordType.METADATA, b"\x08\x01\x10\x03")], "wal: conflicting metadata found"),
        ([mark(2, 1)], "wal: snapshot mismatch"),
        ([(9, b"")], "unexpected block type 9"),
        ([(RecordType.STATE, b"\x08")], "unmarshal should never fail (unexpected EOF)"),
    ],
)
def test_a_record_that_contradicts_stops_readers_with_etcds_words(
    items: list[Item], words: str
) -> None:
    log = opened(*segments_of(FIRST, [*SECOND, *items]))
    for version in Version:
        reading = read_all(log, index=2, term=2, version=version, for_write=True)
        assert reading.error is not None
        assert reading.error.words == words
        assert reading.error.is_panic is words.startswith("unmarshal")
        assert reading.error.offset == len(segments_of(FIRST, SECOND, tail=b"")[1])


def test_a_hard_state_that_became_a_snapshot_stops_all_but_3_4() -> None:
    was_state = (RecordType.SNAPSHOT, state(2, 3)[1])
    log = opened(*segments_of(FIRST, [*SECOND, was_state]))
    assert valid_snapshots(log, Version.V3_4).error is None
    for version in list(Version)[1:]:
        error = valid_snapshots(log, version).error
        assert error is not None
        assert error.is_panic
        assert error.words == (
            "unmarshal should never fail (proto: wrong wireType = 0 for field ConfState)"
        )


def test_a_length_beyond_the_file_is_fatal_or_cut_by_version() -> None:
    whole, behind = LOG[1][:-64], b"\x00\x00\x00\x00\x01\x00\x00\x00" + bytes(56)
    figures = (
        f"recBytes: 4294967296, fileSize({len(LOG[1])}) - offset({len(whole)})"
        " - padBytes(0) = entryLimit(64)"
    )
    place = f'"{segment_names.format_name(seq=1, index=3)}", {figures}'
    for version, words in {
        Version.V3_4: "wal: max entry size limit exceeded",
        Version.V3_5_0: "wal: max entry size limit exceeded",
        Version.V3_5_5: f"wal: max entry size limit exceeded, {figures}",
        Version.V3_5_7: "unexpected EOF: [wal] max entry size limit exceeded when decoding "
        + place,
        Version.V3_6: "unexpected EOF: [wal] max entry size limit exceeded when reading " + place,
    }.items():
        log = opened(LOG[0], whole + behind)
        reading = read_all(log, index=0, term=0, version=version, for_write=True)
        assert reading.error is not None
        assert reading.error.words == words
        is_cut = version in (Version.V3_5_7, Version.V3_6)
        assert reading.is_unexpected_eof is is_cut
        done = repair(log, version)
        assert (done.returned, done.cut_to) == (is_cut, len(whole) if is_cut else None)
        if is_cut:
            after = read_all(repaired(log, done), index=0, term=0, version=version, for_write=True)
            assert (after.error, after.last) == (None, 4)


@pytest.mark.slow
def test_an_entry_of_ten_mebibytes_is_refused_by_the_versions_that_could_write_it() -> None:
    large = entry(4, 2, bytes(10 << 20))
    log = opened(*segments_of(FIRST, [*SECOND[:-1], large, entry(5, 2)]))
    for version in Version:
        reading = read_all(log, index=0, term=0, version=version, for_write=True)
        if version.has_fixed_limit:
            assert reading.error is not None
            assert reading.error.words == "wal: max entry size limit exceeded"
        else:
            assert (reading.error, reading.last) == (None, 5)


@given(st.binary(min_size=1, max_size=2000), st.integers(0, 5000))
def test_a_frame_is_torn_when_one_of_its_sectors_is_all_zeros(data: bytes, offset: int) -> None:
    sectors: dict[int, bytes] = {}
    for position, byte in enumerate(data):
        sector = (offset + position) // 512
        sectors[sector] = sectors.get(sector, b"") + bytes((byte,))
    assert is_torn(data, offset) == any(not any(chunk) for chunk in sectors.values())
