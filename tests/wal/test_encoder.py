"""The encoder: its shortcuts give the codecs' bytes, and its buffer keeps etcd's rule."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from formats import raftpb, walpb
from formats.frame import build_frame
from formats.walpb import RecordType
from tests.wal import builders
from walctl.fs.writable import WritableFile
from walctl.model.record import ConfState, Entry, EntryKind, HardState, SnapshotMark
from walctl.wal.encoder import (
    BUFFER_BYTES,
    PAGE_BYTES,
    Encoder,
    entry_bytes,
    frame_of,
    mark_bytes,
    state_bytes,
)

U64 = st.one_of(st.integers(0, 300), st.integers(0, (1 << 64) - 1))


@given(U64, U64, st.integers(-(1 << 31), (1 << 31) - 1), st.none() | st.binary(max_size=300))
def test_an_entry_has_the_bytes_of_the_definition(
    index: int, term: int, raw_kind: int, payload: bytes | None
) -> None:
    entry = Entry(
        index=index, term=term, kind=EntryKind.UNKNOWN, raw_kind=raw_kind, payload=payload
    )
    wanted = raftpb.Entry(type=raw_kind, term=term, index=index, data=payload)
    assert entry_bytes(entry) == raftpb.ENTRY.build(wanted)


@given(U64, U64, U64)
def test_a_state_has_the_bytes_of_the_definition(term: int, vote: int, commit: int) -> None:
    wanted = raftpb.HardState(term=term, vote=vote, commit=commit)
    told = HardState(term=term, vote=vote, commit=commit)
    assert state_bytes(told) == raftpb.HARD_STATE.build(wanted)


@given(
    st.sampled_from(list(RecordType)),
    st.one_of(st.integers(0, (1 << 32) - 1), st.sampled_from([0, (1 << 28) - 1, 1 << 28])),
    st.none() | st.integers(0, 20_000).map(bytes),
)
def test_a_frame_has_the_bytes_of_the_definition(
    kind: RecordType, crc: int, data: bytes | None
) -> None:
    record = walpb.RECORD.build(walpb.Record(type=int(kind), crc=crc, data=data))
    assert frame_of(kind, crc, data) == build_frame(record)


def test_a_marker_has_its_conf_state_only_where_there_is_one() -> None:
    assert mark_bytes(SnapshotMark(index=5, term=2)) == builders.mark(5, 2)
    voters = ConfState(voters=(1, 2))
    assert mark_bytes(SnapshotMark(index=5, term=2, conf_state=voters)) == builders.mark(
        5, 2, voters=(1, 2)
    )


class Sink:
    """A file that only keeps what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.writes: list[tuple[int, int]] = []

    def write_at(self, offset: int, data: bytes) -> None:
        assert offset == len(self.data), "a log is written in order"
        self.data += data
        self.writes.append((offset, offset + len(data)))


@given(st.lists(st.one_of(st.integers(0, 9000), st.integers(0, 300_000)), max_size=12))
def test_what_is_written_without_being_asked_for_ends_at_a_page(sizes: list[int]) -> None:
    sink = Sink()
    encoder = Encoder(cast(WritableFile, sink), crc=0, offset=0)
    wanted = b""
    for size in sizes:
        data = bytes([size % 251]) * size
        encoder.add(RecordType.ENTRY, data)
        wanted += frame_of(RecordType.ENTRY, encoder.crc, data)
        assert encoder.gathered_bytes <= BUFFER_BYTES
        assert encoder.written == len(sink.data)
    assert all(stop % PAGE_BYTES == 0 for _, stop in sink.writes)
    assert len(wanted) <= BUFFER_BYTES or sink.writes
    encoder.flush()
    assert bytes(sink.data) == wanted
