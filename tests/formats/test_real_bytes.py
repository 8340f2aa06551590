"""Bytes that a real etcd wrote: each record and payload parses to what etcd reads, and re-encodes.

The frame walker here is a test's own and imports nothing that is under test.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from formats import etcdserverpb, frame, raftpb, snappb, walpb
from formats.codec import Codec
from formats.errors import FormatError
from tests.corpus import needs_corpus, unpacked
from tests.formats import gogo

# Head of segment 0 of a new single member of etcd 3.5.1: eight frames, then the ninth's start.
SEGMENT_HEAD = bytes.fromhex(
    "04000000000000840804100000000000"
    "1f000000000000810801 10acf785dd0d1a1508f3c9b18db7a7e3fc6010ebc5fbd4d6b5dbbbad01 00"
    "0e000000000000820805 10eccba5820d1a0408001000 0000"
    "6e000000000000820802 10b8e791c3091a6408011001 1801225c0800100018f3c9b18db7a7e3fc60224c7b22"
    "6964223a363938373737313538333239313734353532332c22706565725552"
    "4c73223a5b22687474703a2f2f3132372e302e302e313a3233383931225d2c22"
    "6e616d65223a226e31227d 0000"
    "10000000000000000803 108984a3840a1a06080110001801"
    "10000000000000000802 10c9e0b7d50b1a06080010021802"
)

# A log in the style of etcd 3.7: its entry 3 has no type, its conf change could have no id.
NEW_STYLE = bytes.fromhex(
    "04000000000000840804100000000000"
    "0e00000000000082080110a9f6f0ac0c1a04080110020000"
    "0e0000000000008208051099cffffd0d1a04080010000000"
    "1800000000000000080210a08ab4ec0a1a0e0801100118012206080010001801"
    "1000000000000000080310cbf3b583081a06080110001801"
    "100000000000000008021086c8c7ea061a06080010021802"
    "1d00000000000083080210d09dae990c1a1310021803220d22060a016b120176a206020807000000"
    "1000000000000000080310d8e79fb10b1a06080210011803"
)

SNAP = bytes.fromhex("0897 88929d05 120c 120a 0a04 0801 2800 1003 1802")

PAYLOADS: dict[int | None, Codec[Any]] = {
    1: etcdserverpb.METADATA,
    2: raftpb.ENTRY,
    3: raftpb.HARD_STATE,
    5: walpb.SNAPSHOT,
}


def frames(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Start, stop and record of each frame, by the specification and by no code of ours."""
    start = 0
    while start + 8 <= len(data) and any(data[start : start + 8]):
        size = int.from_bytes(data[start : start + 7], "little")
        stop = start + 8 + size + (data[start + 7] & 7 if data[start + 7] & 0x80 else 0)
        yield start, stop, data[start + 8 : start + 8 + size]
        start = stop


def same(codec: Codec[Any], data: bytes) -> Any:
    """Parse on both paths, check that they agree and that it builds back to `data`."""
    quick = codec.parse_fast(data)
    assert quick is not None
    assert quick == codec.parse_exact(data)
    assert codec.build(quick) == data
    return quick


def payload(record: walpb.Record) -> Any:
    return same(PAYLOADS[record.type], record.data) if record.data is not None else None


def records(data: bytes) -> list[tuple[walpb.Record, Any]]:
    read = [same(walpb.RECORD, record) for _, _, record in frames(data)]
    return [(record, payload(record)) for record in read]


def test_the_head_of_a_real_segment_reads_as_etcd_reads_it() -> None:
    read = records(SEGMENT_HEAD)
    assert [record.crc for record, _ in read] == [
        0,
        0xDBA17BAC,
        0xD04965EC,
        0x986473B8,
        0xA088C209,
        0xBAADF049,
    ]
    assert [inner for _, inner in read][:3] == [
        None,
        etcdserverpb.Metadata(node_id=0x60F98D3B71AC64F3, cluster_id=0xAD776DAD6A9EE2EB),
        walpb.Snapshot(index=0, term=0),
    ]
    entry = read[3][1]
    assert (entry.type, entry.term, entry.index) == (raftpb.EntryType.CONF_CHANGE, 1, 1)
    change = same(raftpb.CONF_CHANGE, entry.data)
    assert (change.id, change.type, change.node_id) == (0, 0, 0x60F98D3B71AC64F3)
    assert json.loads(change.context)["peerURLs"] == ["http://127.0.0.1:23891"]
    assert read[4][1] == raftpb.HardState(term=1, vote=0, commit=1)
    assert read[5][1] == raftpb.Entry(type=0, term=2, index=2, data=None)
    assert b"".join(frame.build_frame(r) for _, _, r in frames(SEGMENT_HEAD)) == SEGMENT_HEAD


def test_a_log_in_the_style_of_etcd_37_keeps_absent_and_zero_apart() -> None:
    inner = [each for _, each in records(NEW_STYLE)]
    assert inner[3].data == raftpb.CONF_CHANGE.build(raftpb.ConfChange(id=0, type=0, node_id=1))
    assert inner[5] == raftpb.Entry(type=0, term=2, index=2)
    assert inner[6].type is None
    assert inner[6].data == bytes.fromhex("22060a016b120176a20602 0807")
    assert inner[7] == raftpb.HardState(term=2, vote=1, commit=3)
    without_id = bytes.fromhex("10001801")
    assert same(raftpb.CONF_CHANGE, without_id) == raftpb.ConfChange(type=0, node_id=1)


def test_a_minimal_snap_file_reads_through_its_envelope() -> None:
    envelope = same(snappb.SNAPSHOT, SNAP)
    assert envelope.crc == 0x53A48417
    state = raftpb.ConfState(voters=(1,), auto_leave=False)
    metadata = raftpb.SnapshotMetadata(conf_state=state, index=3, term=2)
    assert same(raftpb.SNAPSHOT, envelope.data) == raftpb.Snapshot(metadata=metadata)


@pytest.mark.parametrize(
    "text", ["0800 1002 1818 2200", "08001002 1808", "0801 1002 18af2d 2202 0800", "1002 1803"]
)
def test_real_entries_build_back_byte_for_byte(text: str) -> None:
    same(raftpb.ENTRY, bytes.fromhex(text))


def verdict(codec: Codec[Any], data: bytes) -> Any:
    try:
        return codec.parse(data)
    except FormatError as error:
        return error.message


def gogos_verdict(codec: Codec[Any], data: bytes) -> Any:
    try:
        return gogo.unmarshal(codec.cls, data)
    except gogo.GogoError as error:
        return str(error)


REAL = [
    (walpb.RECORD, "0802 10c9e0b7d50b 1a06 080010021802"),
    (walpb.SNAPSHOT, "0801 1001 1a0c 08d2d7d2a2f5a6e2c119 2800"),
    (raftpb.SNAPSHOT, "0a037b7d20 1212 0a0c 08d2d7d2a2f5a6e2c119 2800 1001 1801"),
    (raftpb.CONF_CHANGE, "0800 1000 18f3c9b18db7a7e3fc60 22027b7d"),
    (snappb.SNAPSHOT, "0897 88929d05 120c 120a 0a04 0801 2800 1003 1802"),
]


@pytest.mark.parametrize(("codec", "text"), REAL)
def test_a_flip_of_any_bit_of_a_real_message_gets_the_verdict_of_gogo(
    codec: Codec[Any], text: str
) -> None:
    data = bytes.fromhex(text)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert verdict(codec, bytes(flipped)) == gogos_verdict(codec, bytes(flipped))


@pytest.mark.parametrize(("codec", "text"), REAL)
def test_a_cut_at_any_byte_of_a_real_message_gets_the_verdict_of_gogo(
    codec: Codec[Any], text: str
) -> None:
    data = bytes.fromhex(text)
    for cut in range(len(data)):
        assert verdict(codec, data[:cut]) == gogos_verdict(codec, data[:cut])


def line(name: str, start: int, stop: int, record: walpb.Record) -> str:
    """The line that the corpus's lister, built on etcd's own reader, has for this record."""
    inner = payload(record)
    kind = walpb.RecordType(record.type or 0)
    head = f"{name} {start} {stop} {kind.name.lower()} crc={record.crc:08x}"
    head += f" bytes={len(record.data or b'')}"
    if kind is walpb.RecordType.ENTRY:
        words = {0: "EntryNormal", 1: "EntryConfChange", 2: "EntryConfChangeV2"}
        size = len(inner.data or b"")
        return f"{head} {words[inner.type]} term={inner.term} index={inner.index} len={size}"
    if kind is walpb.RecordType.STATE:
        return f"{head} term={inner.term} vote={inner.vote:x} commit={inner.commit}"
    if kind is walpb.RecordType.SNAPSHOT:
        return f"{head} term={inner.term} index={inner.index}"
    return head


def listed(wal: Path, segments: int | None) -> Iterator[str]:
    for path in sorted(wal.glob("*.wal"))[:segments]:
        for start, stop, record in frames(path.read_bytes()):
            built = same(walpb.RECORD, record)
            yield line(path.name, start, stop, built)


MEMBERS = [
    ("s-small-snaps-35", "n1", None),
    ("b-single-allops-34", "n1", None),
    ("b-single-allops-35", "n1", None),
    ("d3-snapshot-received-35", "n2", None),
    pytest.param("d3-snapshot-received-35", "n3", None, marks=pytest.mark.slow),
    pytest.param("c-snapshots-segments-35", "n1", None, marks=pytest.mark.slow),
    ("h-20-small-segments-34", "n1", 2),
]


@needs_corpus
@pytest.mark.parametrize(("name", "member", "segments"), MEMBERS)
def test_every_record_reads_as_etcd_lists_it_and_builds_back(
    name: str, member: str, segments: int | None
) -> None:
    folder = unpacked(name)
    said = (folder / "truth" / f"{member}.walrecords.txt").read_text().splitlines()
    ours = list(listed(folder / member / "member" / "wal", segments))
    assert len(ours) > 100
    if segments is None:
        assert said[len(ours)].startswith("END ")
    for found, wanted in itertools.zip_longest(ours, said[: len(ours)]):
        assert found == wanted


@needs_corpus
@pytest.mark.parametrize("name", ["s-small-snaps-34", "s-small-snaps-35"])
def test_every_snap_file_reads_as_etcd_reads_it_and_builds_back(name: str) -> None:
    said = json.loads((unpacked(name) / "truth" / "n1.snaps.json").read_text())
    paths = sorted((unpacked(name) / "n1" / "member" / "snap").glob("*.snap"))
    assert [path.name for path in paths] == sorted(said)
    for path in paths:
        snapshot = same(raftpb.SNAPSHOT, same(snappb.SNAPSHOT, path.read_bytes()).data)
        wanted = said[path.name]
        metadata = snapshot.metadata
        assert (metadata.index, metadata.term) == (wanted["index"], wanted["term"])
        assert metadata.conf_state.voters == tuple(wanted["conf_state"]["voters"])
        assert hashlib.sha256(snapshot.data).hexdigest() == wanted["data_sha256"]
