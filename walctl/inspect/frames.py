"""Records of a batch as objects, for screens: one frame after the other, read again."""

from collections.abc import Iterator

from formats import walpb
from formats.frame import LENGTH_FIELD_BYTES, split_length
from walctl.model.batch import Batch
from walctl.model.record import Check, Frame, Span
from walctl.wal.records import lift


def frames(batch: Batch, *, first_check: Check = Check.UNVERIFIABLE) -> Iterator[Frame]:
    """The records of a batch as objects, while it is current.

    `first_check` is what is known of the first frame where the batch has no seed for it; a record
    that begins the very first segment with checksum 0 needs none.
    """
    return whole_frames(
        batch.data,
        batch.offsets,
        segment=batch.segment,
        base=batch.base,
        seed=batch.seed,
        first_check=first_check,
    )


def whole_frames(
    data: memoryview | bytes,
    offsets: Iterator[int] | list[int],
    *,
    segment: str,
    base: int,
    seed: int | None,
    first_check: Check,
) -> Iterator[Frame]:
    """The frames at `offsets` of `data`, which is read from `base` of its file on.

    They were scanned before: their checksums fit, from `seed` on.
    """
    running = seed
    for offset in offsets:
        word = int.from_bytes(data[offset : offset + LENGTH_FIELD_BYTES], "little")
        length = split_length(word)
        body = offset + LENGTH_FIELD_BYTES
        record = walpb.RECORD.parse(data[body : body + length.record_bytes])
        stored = record.crc or 0
        start = base + offset
        payload = record.data
        payload_stop = start + LENGTH_FIELD_BYTES + length.record_bytes
        known = running is not None or (start == 0 and stored == 0)
        yield Frame(
            segment=segment,
            span=Span(start, payload_stop + length.padding_bytes),
            payload=None if payload is None else Span(payload_stop - len(payload), payload_stop),
            record=lift(record.type, payload, stored),
            check=Check.VERIFIED if known else first_check,
            stored=stored,
            computed=stored if known else None,
        )
        running = stored
