"""Records that a repair writes are, byte for byte, those of etcd for the same values."""

import pytest

from tests.repair.disks import read
from tests.repair.editing import CRC, WAL, fixture
from tests.repair.members import frames
from tests.wal.builders import (
    ENTRY,
    METADATA,
    SNAPSHOT,
    STATE,
    Builder,
    entry,
    mark,
    metadata,
    state,
)
from walctl.model.record import ConfState, Entry, EntryKind, HardState, SnapshotMark
from walctl.repair.newlog import Chain, build_metadata

FIRST = "0000000000000000-0000000000000000.wal"
TOP = (1 << 64) - 1


def test_the_head_of_a_log_is_the_one_that_etcd_wrote() -> None:
    data = read(fixture("etcd-3.5-three-puts"), WAL / FIRST)
    head = list(frames(data))[:3]
    assert [frame.kind for frame in head] == [CRC, METADATA, SNAPSHOT]
    chain = Chain().checkpoint().metadata(head[1].payload).mark(SnapshotMark(index=0, term=0))
    assert chain.data == data[: head[2].stop]


@pytest.mark.slow
def test_the_head_of_a_later_segment_is_the_one_that_etcd_wrote() -> None:
    disk = fixture("etcd-3.5-two-segments")
    data = read(disk, WAL / f"{1:016x}-{0x30:016x}.wal")
    first, second, third, *_ = frames(data)
    assert (first.kind, second.kind, third.kind) == (CRC, METADATA, STATE)
    assert third.payload is not None
    term, vote, commit = state_of(third.payload)
    seed = crc_of(data[first.start : first.stop])
    chain = Chain(seed).checkpoint().metadata(second.payload)
    chain.state(HardState(term=term, vote=vote, commit=commit))
    assert chain.data == data[: third.stop]


def crc_of(frame: bytes) -> int:
    """The checksum in the frame of a checksum record: `08 04 10` and a varint."""
    return varint_at(frame, 8 + 3)[0]


def varint_at(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def state_of(payload: bytes) -> tuple[int, int, int]:
    term, at = varint_at(payload, 1)
    vote, at = varint_at(payload, at + 1)
    return term, vote, varint_at(payload, at + 1)[0]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 1 << 32, TOP])
def test_every_record_is_as_one_made_by_hand(number: int) -> None:
    wanted = Builder(7)
    chain = Chain(7).checkpoint()
    wanted.add(METADATA, metadata(number, number))
    chain.metadata(build_metadata(node_id=number, cluster_id=number))
    wanted.add(SNAPSHOT, mark(number, number, (1, TOP)))
    conf = ConfState(voters=(1, TOP))
    chain.mark(SnapshotMark(index=number, term=number, conf_state=conf))
    wanted.add(STATE, state(number, number, number))
    chain.state(HardState(term=number, vote=number, commit=number))
    for payload in (None, b"", b"put"):
        wanted.add(ENTRY, entry(number, number, payload))
        chain.entry(
            Entry(index=number, term=number, kind=EntryKind.NORMAL, raw_kind=0, payload=payload)
        )
    wanted.add(METADATA, None)
    chain.metadata(None)
    assert chain.data == wanted.done()
    assert chain.crc == wanted.crc
