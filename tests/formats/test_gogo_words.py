"""What etcd's parser says of malformed bytes, case by case: its words, and the field concerned."""

from typing import Any

import pytest

from formats import etcdserverpb, raftpb, snappb, walpb
from formats.codec import Codec
from formats.errors import FormatError, TruncatedError, WireError
from formats.fields import UnknownField
from formats.raftpb import ConfState, Snapshot, SnapshotMetadata
from tests.formats.schemas import TREE, Leaf, Tree

EOF = "unexpected EOF"
OVERFLOW = "proto: integer overflow"
NEGATIVE = "proto: negative length found during unmarshaling"

MALFORMED = [
    (walpb.RECORD, "08", EOF, 0),
    (walpb.RECORD, "0880", EOF, 0),
    (walpb.RECORD, "0802 80", EOF, 2),
    (walpb.RECORD, "0802 1000 1a0501", EOF, 4),
    (walpb.RECORD, "0802 1000 1a", EOF, 4),
    (walpb.RECORD, "0800 0000", "proto: Record: illegal tag 0 (wire type 0)", 2),
    (walpb.RECORD, "05", "proto: Record: illegal tag 0 (wire type 5)", 0),
    (walpb.RECORD, "fbffffff7f00", "proto: Record: illegal tag -1 (wire type 34359738363)", 0),
    (walpb.RECORD, "04", "proto: Record: wiretype end group for non-group", 0),
    (walpb.RECORD, "1c", "proto: Record: wiretype end group for non-group", 0),
    (walpb.RECORD, "0a00", "proto: wrong wireType = 2 for field Type", 0),
    (walpb.RECORD, "0802 1500000000", "proto: wrong wireType = 5 for field Crc", 2),
    (walpb.RECORD, "0802 1800", "proto: wrong wireType = 0 for field Data", 2),
    (walpb.RECORD, "1f", "proto: wrong wireType = 7 for field Data", 0),
    (walpb.RECORD, "26", "proto: illegal wireType 6", 0),
    (walpb.RECORD, "23 0f 24", "proto: illegal wireType 7", 0),
    (walpb.RECORD, "23 08", EOF, 0),
    (walpb.RECORD, "23 0800", EOF, 0),
    (walpb.RECORD, "2100", EOF, 0),
    (walpb.RECORD, "250000", EOF, 0),
    (walpb.RECORD, "08 80808080808080808080", OVERFLOW, 0),
    (walpb.RECORD, "80808080808080808080", OVERFLOW, 0),
    (walpb.RECORD, "08 808080808080808080", EOF, 0),
    (walpb.RECORD, "1a ffffffffffffffffff01", NEGATIVE, 0),
    (walpb.RECORD, "1a ffffffffffffffff7f", NEGATIVE, 0),  # its position would overflow
    (walpb.RECORD, "1a f3ffffffffffffff7f 00", EOF, 0),
    (walpb.RECORD, "1a00 22 f4ffffffffffffff7f", NEGATIVE, 2),  # counted from the message
    (walpb.RECORD, "0800 23 0a f3ffffffffffffff7f", EOF, 2),  # counted from the group
    (walpb.RECORD, "22 ffffffffffffffffff01", NEGATIVE, 0),
    (raftpb.ENTRY, "00", "proto: Entry: illegal tag 0 (wire type 0)", 0),
    (raftpb.HARD_STATE, "0a", "proto: wrong wireType = 2 for field Term", 0),
    (raftpb.CONF_STATE, "0d", "proto: wrong wireType = 5 for field Voters", 0),
    (raftpb.CONF_STATE, "0a0180", EOF, 0),
    (raftpb.CONF_STATE, "2a00", "proto: wrong wireType = 2 for field AutoLeave", 0),
    (raftpb.CONF_CHANGE, "0a00", "proto: wrong wireType = 2 for field ID", 0),
    (raftpb.CONF_CHANGE, "1a00", "proto: wrong wireType = 2 for field NodeID", 0),
    (raftpb.CONF_CHANGE_V2, "1203 0800 10", EOF, 4),
    (raftpb.CONF_CHANGE_V2, "1202 0a00", "proto: wrong wireType = 2 for field Type", 2),
    (raftpb.MESSAGE, "5a00", "proto: wrong wireType = 2 for field RejectHint", 0),
    (raftpb.MESSAGE, "1a00", "proto: wrong wireType = 2 for field From", 0),
    (raftpb.SNAPSHOT, "1204 0a02 0a01", EOF, 4),
    (raftpb.SNAPSHOT, "1201 00", "proto: SnapshotMetadata: illegal tag 0 (wire type 0)", 2),
    (snappb.SNAPSHOT, "00", "proto: snapshot: illegal tag 0 (wire type 0)", 0),
    (snappb.SNAPSHOT, "1000", "proto: wrong wireType = 0 for field Data", 0),
    (etcdserverpb.METADATA, "0a00", "proto: wrong wireType = 2 for field NodeID", 0),
    (etcdserverpb.METADATA, "1200", "proto: wrong wireType = 2 for field ClusterID", 0),
    (TREE, "900100 9501", "proto: wrong wireType = 5 for field KIND", 3),
    (TREE, "0c", "proto: tree: wiretype end group for non-group", 0),
]


@pytest.mark.parametrize(("codec", "text", "words", "offset"), MALFORMED)
def test_malformed_bytes_get_gogos_words_and_point_at_the_field(
    codec: Codec[Any], text: str, words: str, offset: int
) -> None:
    with pytest.raises(FormatError) as caught:
        codec.parse(bytes.fromhex(text))
    assert (caught.value.message, caught.value.offset) == (words, offset)
    assert isinstance(caught.value, TruncatedError if words == EOF else WireError)


ACCEPTED = [
    (walpb.RECORD, "08 8200", walpb.Record(type=2)),
    (walpb.RECORD, "08 82808080808080808000", walpb.Record(type=2)),
    (walpb.RECORD, "8800 02", walpb.Record(type=2)),
    (walpb.RECORD, "08 ffffffffffffffffff01", walpb.Record(type=-1)),
    (walpb.RECORD, "08 ffffffffffffffffff7f", walpb.Record(type=-1)),  # bits 64 to 69 fall off
    (walpb.RECORD, "10 ffffffff1f", walpb.Record(crc=0xFFFFFFFF)),
    (walpb.RECORD, "0801 0802", walpb.Record(type=2)),
    (walpb.RECORD, "1a0161 1a00", walpb.Record(data=b"")),
    (walpb.RECORD, "1001 0802", walpb.Record(type=2, crc=1)),
    (walpb.RECORD, "", walpb.Record()),
    (raftpb.ENTRY, "08 8080808010", raftpb.Entry(type=0)),
    (raftpb.ENTRY, "08 ffffffff0f", raftpb.Entry(type=-1)),
    (raftpb.CONF_STATE, "0801 0a020203 0804", ConfState(voters=(1, 2, 3, 4))),
    (raftpb.CONF_STATE, "0a00", ConfState()),
    (raftpb.CONF_STATE, "0a0181 01 2801", ConfState(voters=(129,), auto_leave=True)),
    (raftpb.CONF_STATE, "2802", ConfState(auto_leave=True)),
    (raftpb.CONF_STATE, "28 80808080808080808001", ConfState(auto_leave=True)),
    (raftpb.CONF_STATE, "28 80808080808080808002", ConfState(auto_leave=False)),
    (
        raftpb.SNAPSHOT,
        "1204 0a02 0801 1206 0a02 0802 1003",
        Snapshot(metadata=SnapshotMetadata(conf_state=ConfState(voters=(1, 2)), index=3)),
    ),
    (TREE, "2800 3200", Tree(leaf=Leaf())),
    (TREE, "3200 2800", Tree(version=0)),
    (TREE, "3203 0a0161 3202 1005", Tree(leaf=Leaf(lease=5))),  # replaced, not merged
    (TREE, "aa0602 2801 aa0602 3a00", Tree(only=Tree(value=b""))),
]


@pytest.mark.parametrize(("codec", "text", "message"), ACCEPTED)
def test_odd_bytes_mean_what_gogo_takes_them_for(
    codec: Codec[Any], text: str, message: Any
) -> None:
    assert codec.parse(bytes.fromhex(text)) == message
    assert codec.parse_exact(bytes.fromhex(text)) == message


UNKNOWN = ["2001", "210102030405060708", "2202 6162", "2501020304", "23 0801 1b 1c 24", "23 0c"]


@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_field_is_kept_as_it_was(text: str) -> None:
    raw = bytes.fromhex(text)
    kept = UnknownField(number=4, wire_type=raw[0] & 7, data=raw)
    record = walpb.RECORD.parse(b"\x08\x02" + raw + b"\x10\x03")
    assert record == walpb.Record(type=2, crc=3, unknown=(kept,))
    assert walpb.RECORD.build(record) == b"\x08\x02\x10\x03" + raw


def test_a_field_number_beyond_32_bits_is_cut_down_to_them() -> None:
    tag = ((1 << 32 | 1) << 3).to_bytes(5, "little")
    value = int.from_bytes(tag, "little")
    data = bytes([value >> shift & 0x7F | 0x80 for shift in range(0, 28, 7)])
    data += bytes([value >> 28 & 0x7F | 0x80, value >> 35])
    assert walpb.RECORD.parse(data + b"\x05") == walpb.Record(type=5)
