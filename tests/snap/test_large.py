"""The shortcut for large snapshot files gives what the definitions give."""

import crc32c
from hypothesis import example, given
from hypothesis import strategies as st

from formats import raftpb, snappb
from formats.errors import FormatError
from walctl.snap.large import data_in, joined

NUMBERS = st.integers(0, 2**64 - 1)
METADATA = st.builds(
    raftpb.SnapshotMetadata,
    conf_state=st.builds(
        raftpb.ConfState,
        voters=st.lists(NUMBERS, max_size=3).map(tuple),
        auto_leave=st.booleans(),
    ),
    index=NUMBERS,
    term=NUMBERS,
)
DATA = st.none() | st.binary(max_size=300)


def defined(data: bytes | None, metadata: raftpb.SnapshotMetadata) -> tuple[int, bytes]:
    """The file by the definitions."""
    content = raftpb.SNAPSHOT.build(raftpb.Snapshot(data=data, metadata=metadata))
    crc = crc32c.crc32c(content)
    return crc, snappb.SNAPSHOT.build(snappb.Snapshot(crc=crc, data=content))


def read_by_definition(found: bytes) -> bytes | None:
    """The data by the definitions; `None` also where the file does not count."""
    try:
        envelope = snappb.SNAPSHOT.parse(found)
        content = envelope.data or b""
        if not envelope.crc or envelope.crc != crc32c.crc32c(content):
            return None
        return raftpb.SNAPSHOT.parse(content).data
    except FormatError:
        return None


@given(DATA, METADATA)
def test_a_file_that_is_joined_is_the_defined_one(
    data: bytes | None, metadata: raftpb.SnapshotMetadata
) -> None:
    assert joined(data, metadata) == defined(data, metadata)
    assert data_in(joined(data, metadata)[1]) == data


@given(st.binary(max_size=60), METADATA, st.integers(0, 10_000), st.integers(0, 255))
@example(b"", raftpb.SnapshotMetadata(), 0, 0)
def test_whatever_is_changed_no_other_data_is_read_than_by_the_definition(
    data: bytes, metadata: raftpb.SnapshotMetadata, place: int, flip: int
) -> None:
    found = bytearray(defined(data, metadata)[1])
    found[place % len(found)] ^= flip
    assert data_in(bytes(found)) in (None, read_by_definition(bytes(found)))


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_whatever_the_content_is_no_other_data_is_read_than_by_the_definition(
    content: bytes, data: bytes
) -> None:
    field = b"\x0a" + bytes([len(data)]) + data
    for each in (content, field + content, field + field + content):
        made = snappb.SNAPSHOT.build(snappb.Snapshot(crc=crc32c.crc32c(each), data=each))
        assert data_in(made) in (None, read_by_definition(made))


def test_no_cut_file_is_read() -> None:
    _, made = defined(b"state", raftpb.SnapshotMetadata(index=3, term=2))
    assert [data_in(made[:cut]) for cut in range(len(made))] == [None] * len(made)
