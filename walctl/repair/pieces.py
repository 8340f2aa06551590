"""What a file is put together from: literal bytes, spans of other files, frames re-chained.

A step of a plan does not hold the bytes of a file but says where they come from, so that a plan is
small, can be read, and gives the same bytes whenever it is carried out on the same files. Spans
are held against the hashes that the plan is bound to before anything is composed.

    Literal   bytes of the plan itself: a record head, a marker, one byte with its bit put back
    Copy      bytes [start, stop) of a source file, as they are
    Rechain   the frames of [start, stop) of a source file whose record type is wanted, each with
              its payload as it is and its checksum made anew, going on from `seed`
    Rebuild   a database with other rows in some of its buckets, written as a whole new file

Only frames that were verified, or that the plan lists, are ever re-chained (contract P10).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import crc32c

from formats import walpb
from formats.errors import FormatError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.limits import WINDOW_BYTES
from formats.walpb import RecordType
from walctl.backend.rebuild import Edit, rebuilt
from walctl.errors import AccessError
from walctl.fs.base import File
from walctl.wal.encoder import frame_of

SourceName: TypeAlias = str
"""A file by its name in the plan: `wal/NAME`, `snap/NAME`, or `peer1/wal/NAME` of a helper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """Bytes that the plan itself holds."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Bytes `[start, stop)` of a source."""

    source: SourceName
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechain:
    """The frames of `[start, stop)` of a source with these record types, chained on from `seed`.

    `start` and `stop` are where frames begin and end; what stands between must be whole frames.
    """

    source: SourceName
    start: int
    stop: int
    types: tuple[int, ...]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a top-level bucket that a rebuilt database has; a `value` of `None` removes it."""

    bucket: bytes
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """The database `source` as a whole new file, with `rows` in the place of what they name.

    A bucket in `cleared` loses all its rows first.
    """

    source: SourceName
    cleared: tuple[bytes, ...] = ()
    rows: tuple[Row, ...] = ()


Piece: TypeAlias = Literal | Copy | Rechain | Rebuild
Opener: TypeAlias = Callable[[SourceName], File]
"""Gives a source, open; whoever composes never closes it."""
Change: TypeAlias = Callable[[RecordType, bytes | None], bytes | None]
"""Gives the payload that a record of this type is to have, from the one that it has."""


def composed(pieces: tuple[Piece, ...], opener: Opener) -> Iterator[bytes]:
    """The bytes of a file, in blocks of no more than a window (or one frame).

    Raises: AccessError, when a source does not hold what the plan was made from; PageError, when
    a database that is rebuilt does not read.
    """
    for piece in pieces:
        match piece:
            case Literal(data=data):
                yield data
            case Copy():
                yield from _copied(piece, opener(piece.source))
            case Rechain():
                yield from (frame for frame, _ in rechained(piece, opener(piece.source)))
            case Rebuild(cleared=cleared, rows=rows):
                edits = (Edit(row.bucket, row.key, row.value) for row in rows)
                yield from rebuilt(opener(piece.source), cleared=cleared, rows=edits)


def _copied(piece: Copy, file: File) -> Iterator[bytes]:
    for start in range(piece.start, piece.stop, WINDOW_BYTES):
        wanted = min(WINDOW_BYTES, piece.stop - start)
        data = file.read_at(start, wanted)
        if len(data) != wanted:
            raise AccessError(f"{file.path}: ends before byte {piece.stop}: changed meanwhile")
        yield data


def rechained(
    piece: Rechain, file: File, change: Change | None = None
) -> Iterator[tuple[bytes, int]]:
    """Each frame made anew, and the checksum that the chain has reached behind it.

    `change` gives the payloads where they do not stay as they are.

    Raises: AccessError, when anything but whole frames stands in the span.
    """
    running, offset = piece.seed, piece.start
    while offset < piece.stop:
        field = file.read_at(offset, LENGTH_FIELD_BYTES)
        length = split_length(int.from_bytes(field, "little"))
        stop = offset + LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
        if len(field) < LENGTH_FIELD_BYTES or not length.record_bytes or stop > piece.stop:
            raise AccessError(f"{file.path}:{offset}: no whole frame: changed meanwhile")
        body = file.read_at(offset + LENGTH_FIELD_BYTES, length.record_bytes)
        try:
            record = walpb.RECORD.parse(body)
        except FormatError as error:
            raise AccessError(
                f"{file.path}:{offset}: {error.message}: changed meanwhile"
            ) from error
        if record.type in piece.types:
            kind, data = RecordType(record.type), record.data
            data = data if change is None else change(kind, data)
            running = crc32c.crc32c(data or b"", running)
            yield chained_frame(kind, data, running), running
        offset = stop


def chained_frame(kind: RecordType, data: bytes | None, crc: int) -> bytes:
    """The frame of one record that stores `crc`, as etcd writes it."""
    return frame_of(kind, crc, data)
