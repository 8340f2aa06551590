"""How large entries are, by two measures that must not be mixed.

The encoding size is what an entry takes on the wire, without a frame: limits of messages and of
what is read from storage go by it. The payload size is its data alone: the limit of uncommitted
entries and the window's bytes go by that.
"""

from collections.abc import Sequence

from walctl.raft.types import Entry


def _varint_bytes(value: int) -> int:
    return ((value | 1).bit_length() + 6) // 7


def encoding_bytes(entry: Entry) -> int:
    """Bytes of the entry's protobuf encoding; term and index always count, type and data where
    they are present."""
    size = 2 + _varint_bytes(entry.term) + _varint_bytes(entry.index)
    if entry.type is not None:
        size += 2
    if entry.data is not None:
        length = len(entry.data)
        size += 1 + _varint_bytes(length) + length
    return size


def payload_bytes(entries: Sequence[Entry]) -> int:
    """Bytes of the data of all of them."""
    return sum([len(entry.data) for entry in entries if entry.data])


def total_bytes(entries: Sequence[Entry]) -> int:
    """Bytes of the encodings of all of them."""
    return sum(map(encoding_bytes, entries))


def limited(entries: Sequence[Entry], bytes_max: int) -> Sequence[Entry]:
    """The longest front of `entries` whose encodings take at most `bytes_max`, but one at least."""
    total = 0
    for count, entry in enumerate(entries):
        total += encoding_bytes(entry)
        if total > bytes_max and count:
            return entries[:count]
    return entries
