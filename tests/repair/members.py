"""Members' logs for tests of healing: taken apart and put together by hand, with no code of ours.

`Builder` writes what etcd would write; `frames` reads what etcd has written, so that a real log can
be cut into segments, damaged at a record, or given another payload.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.wal.builders import ENTRY, METADATA, SNAPSHOT, STATE, Builder, entry, state, varint

RESERVED_BYTES = 1 << 14
"""Zeros behind the last record: fewer than etcd reserves, so that tests are quick."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a segment; `payload` is `None` for a checksum record."""

    start: int
    stop: int
    kind: int
    payload: bytes | None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def frames(data: bytes) -> Iterator[Frame]:
    """The frames of a segment up to the first length field that is zero."""
    at = 0
    while at + 8 <= len(data):
        word = int.from_bytes(data[at : at + 8], "little")
        size, padding = word & (1 << 56) - 1, (word >> 56) & 7
        if not size:
            return
        body = data[at + 8 : at + 8 + size]
        kind, position = _varint(body, 1)
        _, position = _varint(body, position + 1)
        payload = None
        if position < len(body):
            count, position = _varint(body, position + 1)
            payload = body[position : position + count]
        yield Frame(at, at + 8 + size + padding, kind, payload)
        at += 8 + size + padding


def index_of(payload: bytes) -> tuple[int, int]:
    """Term and index of an entry as etcd writes it."""
    assert payload[0] == 0x08
    _, at = _varint(payload, 1)
    term, at = _varint(payload, at + 1)
    index, _ = _varint(payload, at + 1)
    return term, index


def written(folder: Path, items: Sequence[tuple[int, bytes]], cuts: Iterable[int] = ()) -> None:
    """Write records as a log of several segments: a new one begins in front of each item in `cuts`.

    The first two items are the metadata and the marker at 0; a segment's head is as etcd's.
    """
    folder.mkdir(parents=True)
    marks = {*cuts, len(items)}
    builder, begins, seq, reached, last_state = Builder(0), 0, 0, 0, None
    for position, (kind, payload) in enumerate([*items, (0, b"")]):
        if position in marks:
            name = f"{seq:016x}-{begins:016x}.wal"
            is_last = position == len(items)
            (folder / name).write_bytes(builder.done(RESERVED_BYTES if is_last else 0))
            if is_last:
                return
            seq, begins = seq + 1, reached + 1
            builder = Builder(builder.crc).add(METADATA, items[0][1])
            if last_state is not None:
                builder.add(STATE, last_state)
        builder.add(kind, payload)
        if kind == ENTRY:
            reached = index_of(payload)[1]
        if kind == STATE:
            last_state = payload


def bootstrap(node: int, voters: Sequence[int], cluster: int = 0xC0) -> list[tuple[int, bytes]]:
    """How the log of a new member begins: whose it is, and the voters as membership changes."""
    items = [(METADATA, b"\x08" + varint(node) + b"\x10" + varint(cluster)), (SNAPSHOT, _MARK)]
    for index, voter in enumerate(voters, start=1):
        change = b"\x08\x00\x10\x00\x18" + varint(voter)
        items.append((ENTRY, entry(index, 1, change, kind=1)))
    items.append((STATE, state(1, 0, len(voters))))
    return items


_MARK = b"\x08\x00\x10\x00"


def puts(
    first: int,
    last: int,
    term: int,
    vote: int,
    *,
    salt: bytes = b"",
    commit: int | None = None,
) -> list[tuple[int, bytes]]:
    """Entries in Saves of their own, each with the hard state behind it: with this `commit`, or
    that of the entry in front."""
    items = []
    for index in range(first, last + 1):
        items.append((ENTRY, entry(index, term, b"payload %d" % index + salt)))
        items.append((STATE, state(term, vote, index - 1 if commit is None else commit)))
    return items
