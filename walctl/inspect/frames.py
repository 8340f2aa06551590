"""Records that were scanned before as objects, for screens: frame after frame, read again."""

from collections.abc import Iterator

from formats import walpb
from formats.frame import LENGTH_FIELD_BYTES, split_length
from walctl.inspect.fate import Piece
from walctl.model.batch import Batch
from walctl.model.record import Check, Frame, Span
from walctl.wal.records import lift


def frames(batch: Batch, *, first_check: Check = Check.UNVERIFIABLE) -> Iterator[Frame]:
    """The records of a batch as objects, while it is current.

    `first_check` is what is known of the first frame where the batch has no seed for it; a record
    that begins the very first segment with checksum 0 needs none.
    """
    seed = batch.seed
    for at in batch.offsets:
        frame = _frame(batch.data, at, batch.segment, batch.base, seed, first_check)
        seed = frame.stored
        yield frame


def frames_of(piece: Piece, data: bytes) -> Iterator[Frame]:
    """The records of a piece as objects; `data` are all its bytes."""
    at, seed = 0, piece.seed
    while at < len(data):
        frame = frame_at(piece, data, at, seed)
        seed = frame.stored
        at += frame.span.length
        yield frame


def frame_at(piece: Piece, data: bytes, at: int, seed: int | None) -> Frame:
    """The record of a piece that lies at `at` of its bytes and continues the checksum `seed`."""
    return _frame(data, at, piece.segment, piece.start, seed, piece.first_check)


def _frame(
    data: memoryview | bytes,
    at: int,
    segment: str,
    base: int,
    seed: int | None,
    first_check: Check,
) -> Frame:
    word = int.from_bytes(data[at : at + LENGTH_FIELD_BYTES], "little")
    length = split_length(word)
    body = at + LENGTH_FIELD_BYTES
    record = walpb.RECORD.parse(data[body : body + length.record_bytes])
    stored = record.crc or 0
    start = base + at
    payload = record.data
    payload_stop = start + LENGTH_FIELD_BYTES + length.record_bytes
    is_known = seed is not None or (start == 0 and stored == 0)
    return Frame(
        segment=segment,
        span=Span(start, payload_stop + length.padding_bytes),
        payload=None if payload is None else Span(payload_stop - len(payload), payload_stop),
        record=lift(record.type, payload, stored),
        check=Check.VERIFIED if is_known else first_check,
        stored=stored,
        computed=stored if is_known else None,
    )
