"""Writes logs as etcd would, and as it would not: for tests of what reads them.

Bytes are put together by hand here: nothing of walctl and no codec takes part, so that a mistake
in those cannot hide in what they are tested with. Checksums always fit unless a test breaks them.
"""

from dataclasses import dataclass, field

import crc32c

METADATA, ENTRY, STATE, CRC, SNAPSHOT = range(1, 6)


def varint(value: int, *, size: int = 1) -> bytes:
    """`value` as a varint of at least `size` bytes."""
    groups = [value >> shift & 0x7F for shift in range(0, max(7 * size, value.bit_length()), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def bytes_field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def entry(
    index: int, term: int, data: bytes | None = b"x", *, kind: int | None = 0, wide: int = 1
) -> bytes:
    """A raftpb.Entry; `kind=None` leaves the type out, `wide` is the least size of the varints."""
    head = b"" if kind is None else b"\x08" + varint(kind)
    head += b"\x10" + varint(term, size=wide) + b"\x18" + varint(index, size=wide)
    return head + (b"" if data is None else bytes_field(4, data))


def state(term: int, vote: int, commit: int) -> bytes:
    return b"\x08" + varint(term) + b"\x10" + varint(vote) + b"\x18" + varint(commit)


def mark(index: int, term: int, voters: tuple[int, ...] = ()) -> bytes:
    """A walpb.Snapshot; with `voters` as etcd 3.5 writes it."""
    conf = b"".join(b"\x08" + varint(voter) for voter in voters) + b"\x28\x00"
    return b"\x08" + varint(index) + b"\x10" + varint(term) + bytes_field(3, conf) * bool(voters)


def metadata(node: int = 0x1234, cluster: int = 0x5678) -> bytes:
    return b"\x08" + varint(node) + b"\x10" + varint(cluster)


def frame(record: bytes) -> bytes:
    """Length field, record, padding."""
    padding = -len(record) % 8
    top = (0x80 | padding) << 56 if padding else 0
    return (len(record) | top).to_bytes(8, "little") + record + bytes(padding)


@dataclass(frozen=True, slots=True)
class Written:
    """One frame of a built log: where it lies, its type and its payload."""

    start: int
    stop: int
    kind: int
    payload: bytes | None
    crc: int


@dataclass(slots=True)
class Builder:
    """One segment in the making; it begins with `seed` as etcd's segments do."""

    seed: int = 0
    crc: int = 0
    data: bytearray = field(default_factory=bytearray)
    frames: list[Written] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.crc = self.seed
        self.add(CRC, None)

    def add(self, kind: int, payload: bytes | None, *, wide: int = 1) -> "Builder":
        """One more record; `wide` is the least size of its varints, but for the type's."""
        if payload is not None:
            self.crc = crc32c.crc32c(payload, self.crc)
        record = b"\x08" + varint(kind) + b"\x10" + varint(self.crc, size=wide)
        if payload is not None:
            record += b"\x1a" + varint(len(payload), size=wide) + payload
        start = len(self.data)
        self.data += frame(record)
        self.frames.append(Written(start, len(self.data), kind, payload, self.crc))
        return self

    def put(self, index: int, term: int = 1, data: bytes | None = b"x") -> "Builder":
        """An ordinary entry."""
        return self.add(ENTRY, entry(index, term, data))

    def puts(self, first: int, last: int, term: int = 1, size: int = 40) -> "Builder":
        """Entries `first..last`, each in a Save of its own with its hard state."""
        for index in range(first, last + 1):
            self.put(index, term, bytes([index % 251 + 1]) * size)
            self.add(STATE, state(term, 7, index - 1))
        return self

    def done(self, zeros: int = 0) -> bytes:
        """The segment, with zeros behind it as if preallocated."""
        return bytes(self.data) + bytes(zeros)


def fresh(seed: int = 0) -> Builder:
    """A segment with the head that etcd gives it: checksum, metadata, marker at 0."""
    return Builder(seed).add(METADATA, metadata()).add(SNAPSHOT, mark(0, 0))
