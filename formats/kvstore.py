"""The snapshot of a map that is not all UTF-8: JSON of ours, which a real raftexample refuses.

    {"walctl":1,"pairs":{"L2s=":"/w==","L2w=":""}}

Keys and values are base64, keys ascending by what they stand for; no spaces. raftexample reads a
snapshot into a map of strings: the number at the first key is none, and it ends itself rather than
start with the wrong bytes. A map that is all UTF-8, U+FFFD included, stays raftexample's JSON.
"""

import binascii
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from formats import jsonpairs
from formats.errors import LimitError, TruncatedError, WireError
from formats.jsonpairs import Batch
from formats.limits import SNAP_FILE_BYTES_MAX
from formats.raftexample import parse_store, store_chunks

MARK: Final = b'{"walctl":1,"pairs":'
_END: Final = b"}}"


def is_marked(data: bytes | memoryview) -> bool:
    """Whether a snapshot's data is in this form."""
    return bytes(data[: len(MARK)]) == MARK


def is_text(batches: Iterable[Batch]) -> bool:
    """Whether raftexample's JSON can hold these pairs as they are."""
    return all(jsonpairs.is_utf8(jsonpairs.joined(each)) for each in jsonpairs.bounded(batches))


def build_map(pairs: Mapping[bytes, bytes]) -> bytes:
    """A snapshot of this map, in the form that gives it back."""
    batch = [(key, pairs[key]) for key in sorted(pairs)]
    return b"".join(store_chunks([batch]) if is_text([batch]) else marked_chunks([batch]))


def marked_chunks(batches: Iterable[Batch]) -> Iterator[bytes]:
    """The marked form in pieces of about a MiB, of pairs that ascend through all batches."""
    yield MARK
    yield from jsonpairs.object_chunks(batches, _encoded)
    yield b"}"


def parse_map(data: bytes | memoryview) -> dict[bytes, bytes]:
    """The map in a snapshot, whichever form it has.

    Raises: FormatError, with the offset in `data` of what does not fit.
    """
    if not is_marked(data):
        return dict(parse_store(data).pairs)
    if len(data) > SNAP_FILE_BYTES_MAX:
        raise LimitError(f"{len(data)} bytes are more than a snapshot may have")
    return _parse_marked(bytes(data))


def _encoded(batch: Batch) -> bytes:
    encode = binascii.b2a_base64
    return jsonpairs.joined(
        [(encode(key, newline=False), encode(value, newline=False)) for key, value in batch]
    )


def _parse_marked(data: bytes) -> dict[bytes, bytes]:
    """The pairs behind the mark."""
    at = len(MARK) + 1
    if data[at - 1 : at] != b"{":
        raise WireError("expected { behind the mark", offset=at - 1)
    pairs: dict[bytes, bytes] = {}
    if data[at:] == _END:
        return pairs
    while (found := jsonpairs.read_plain(data, at)) is not None:
        _add(pairs, found.keys, found.values, at)
        at = found.position
    while True:
        # What is left is the last pair, or ones too long for the way above.
        key, colon = _word(data, at), b":"
        after = at + len(key) + 2
        if data[after : after + 1] != colon:
            raise _wrong(data, "a colon", after)
        value = _word(data, after + 1)
        after += len(value) + 3
        _add(pairs, [key], [value], at)
        if data[after:] == _END:
            return pairs
        if data[after : after + 1] != b",":
            raise _wrong(data, "a comma or the end", after)
        at = after + 1


def _add(pairs: dict[bytes, bytes], keys: list[bytes], values: list[bytes], at: int) -> None:
    """Take pairs over that stand at `at`."""
    try:
        fresh = dict(zip(map(_decoded, keys), map(_decoded, values), strict=True))
    except binascii.Error:
        raise WireError("a text that is no base64", offset=at) from None
    if len(fresh) < len(keys) or not pairs.keys().isdisjoint(fresh.keys()):
        raise WireError("a key that is there twice", offset=at)
    pairs.update(fresh)


def _decoded(word: bytes) -> bytes:
    return binascii.a2b_base64(word, strict_mode=True)


def _word(data: bytes, at: int) -> bytes:
    """The text between quotes at `at`."""
    stop = data.find(b'"', at + 1)
    if data[at : at + 1] != b'"' or stop < 0:
        raise _wrong(data, "a text", at)
    return data[at + 1 : stop]


def _wrong(data: bytes, wanted: str, at: int) -> WireError | TruncatedError:
    if at >= len(data):
        return TruncatedError(f"ends where {wanted} is expected", offset=len(data))
    return WireError(f"expected {wanted}", offset=at)
