"""Zstandard that can be read at any place: many small frames, and a table of them at the end.

    frame  frame  ...  frame  table        each frame up to 1 MiB of content, with its checksum

The table is zstd's own seekable format, a frame that every decoder skips; so `zstd -d` opens the
whole, and a reader who wants some bytes opens one frame. What others packed, as one long frame, is
unpacked once into memory, where zeros take no room.

What comes out is bounded, and so is the memory that getting there takes: a few bytes can ask for
gigabytes.

Source: contrib/seekable_format/zstd_seekable_compression_format.md of zstd.
"""

import struct
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import zstandard

from walctl.errors import AccessError
from walctl.fs.base import Stat

SUFFIX = ".zst"
"""What the name of a packed file ends with."""
LEVEL = 3
"""zstd's own default: faster than the disks that it is for."""
WINDOW_BYTES_MAX = 1 << 27
"""How far a frame may look back; `zstd -d` refuses more as well, unless asked."""
BLOCK_BYTES = 1 << 20
"""Content of one frame: what a read of a few bytes has to unpack."""
FRAME_BYTES_MAX = 16 << 20
"""Content of a frame of somebody else's table; larger ones are read as a stream."""
FRAMES_MAX = 1 << 20
"""Frames of one table: a tebibyte of ours."""
FRAMES_KEPT = 6
"""Unpacked frames that are kept for the next read."""
SPOOL_BYTES_MAX = 512 << 20
"""What is kept of a stream that can only be read from its beginning, zeros not counted."""
STREAM_BYTES_MAX = 64 << 30
"""What such a stream may open to, zeros counted."""
STEP_BYTES = 1 << 10
"""Packed bytes that are opened at a time.

Four of them can stand for 128 KiB (a block of one byte repeated), so this many make 32 MiB at
most; the package hands out all that came of one call.
"""
READ_BYTES = 1 << 20
_PIECE_BYTES = 1 << 16
_ZEROS_PACKED_BYTES_MAX = 256
"""A mebibyte of zeros takes some sixty bytes."""

_NOTE_MAGIC = 0x184D2A50
_TABLE_MAGIC = 0x184D2A5E
_FOOTER_MAGIC = 0x8F92EAB1
_HEAD = struct.Struct("<II")
_ROW = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
_CHECKSUM_FLAG = 0x80
NOTE_BYTES_MAX = 1 << 20


class Source(Protocol):
    """What is asked of a packed file."""

    @property
    def path(self) -> Path:
        """Its path, for errors."""

    def stat(self) -> Stat:
        """See `File.stat`."""

    def read_at(self, offset: int, size: int) -> bytes:
        """See `File.read_at`."""


class Content(Protocol):
    """What a packed file holds."""

    size: int

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end. Raises: AccessError."""

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `File.data_ranges`: large runs of zeros are left out, as holes are."""


def packed(blocks: Iterable[bytes], *, note: bytes = b"", level: int = LEVEL) -> Iterator[bytes]:
    """The blocks, one behind the other, in frames with a table at the end.

    `note` stands in front, where every decoder skips it. The same input gives the same bytes.
    """
    rows: list[tuple[int, int]] = []
    if note:
        head = _HEAD.pack(_NOTE_MAGIC, len(note)) + note
        rows.append((len(head), 0))
        yield head
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
    zeros = bytes(BLOCK_BYTES)
    packed_zeros = compressor.compress(zeros)
    for block in _even(blocks):
        frame = packed_zeros if block == zeros else compressor.compress(block)
        rows.append((len(frame), len(block)))
        yield frame
    table = b"".join(_ROW.pack(*row) for row in rows) + _FOOTER.pack(len(rows), 0, _FOOTER_MAGIC)
    yield _HEAD.pack(_TABLE_MAGIC, len(table)) + table


def note_of(file: Source) -> bytes:
    """What `packed` was given as its note; empty where there is none."""
    head = file.read_at(0, _HEAD.size)
    if len(head) < _HEAD.size:
        return b""
    magic, size = _HEAD.unpack(head)
    if magic != _NOTE_MAGIC or size > NOTE_BYTES_MAX:
        return b""
    return file.read_at(_HEAD.size, size)


def opened(file: Source) -> Content:
    """The content of a packed file; the caller owns `file` and keeps it open.

    Raises: AccessError, with the place, when it is damaged, ends early, or opens to too much.
    """
    rows = _table(file)
    if rows is None:
        return _Spooled(file)
    return _Framed(file, rows)


def is_packed(file: Source) -> bool:
    """Whether a file begins as zstd does, with a frame or with a note."""
    magic = int.from_bytes(file.read_at(0, 4), "little")
    return magic in (0xFD2FB528, _NOTE_MAGIC)


class _Framed:
    """Content of which every frame's place is known."""

    def __init__(self, file: Source, rows: list[tuple[int, int]]) -> None:
        self._file = file
        self._starts: list[int] = []
        self._frames: list[tuple[int, int, int]] = []
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        offset = start = 0
        for packed_bytes, plain_bytes in rows:
            if plain_bytes:
                self._starts.append(start)
                self._frames.append((offset, packed_bytes, plain_bytes))
            offset += packed_bytes
            start += plain_bytes
        self.size = start

    def read_at(self, offset: int, size: int) -> bytes:
        """See `Content.read_at`."""
        stop = min(offset + size, self.size)
        parts = []
        while offset < stop:
            position = bisect_right(self._starts, offset) - 1
            block = self._block(position)
            start = self._starts[position]
            part = block[offset - start : stop - start]
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `Content.data_ranges`."""
        stop = min(stop, self.size)
        while start < stop:
            position = bisect_right(self._starts, start) - 1
            end = min(self._starts[position] + self._frames[position][2], stop)
            if not self._is_zeros(position):
                yield start, end
            start = end

    def _is_zeros(self, position: int) -> bool:
        """Whether a frame holds nothing but zeros: none that takes more than a few bytes does."""
        if self._frames[position][1] > _ZEROS_PACKED_BYTES_MAX:
            return False
        block = self._block(position)
        return block.count(0) == len(block)

    def _block(self, position: int) -> bytes:
        block = self._kept.get(position)
        if block is not None:
            self._kept.move_to_end(position)
            return block
        offset, packed_bytes, plain_bytes = self._frames[position]
        frame = self._file.read_at(offset, packed_bytes)
        try:
            # A frame says how long its content is, and as much is reserved: so that is asked first.
            said = zstandard.get_frame_parameters(frame).content_size
            if said != plain_bytes:
                raise damaged(self._file, offset, f"its table says {plain_bytes:,} bytes of it")
            block = self._decompressor.decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise damaged(self._file, offset, f"a damaged zstd frame: {error}") from None
        self._kept[position] = block
        if len(self._kept) > FRAMES_KEPT:
            self._kept.popitem(last=False)
        return block


class _Spooled:
    """Content that can only be read from its beginning: unpacked once, its zeros left out."""

    def __init__(self, file: Source) -> None:
        self._pieces: dict[int, bytes] = {}
        kept = position = 0
        for piece in _even(streamed(file, bytes_max=STREAM_BYTES_MAX), size=_PIECE_BYTES):
            if piece.count(0) != len(piece):
                kept += len(piece)
                if kept > SPOOL_BYTES_MAX:
                    raise damaged(
                        file,
                        0,
                        "one zstd stream without a table of its frames: it opens to more than"
                        f" {SPOOL_BYTES_MAX >> 20} MiB, so unpack it first (zstd -d)",
                    )
                self._pieces[position] = piece
            position += len(piece)
        self.size = position

    def read_at(self, offset: int, size: int) -> bytes:
        """See `Content.read_at`."""
        stop = min(offset + size, self.size)
        parts = []
        while offset < stop:
            base = offset - offset % _PIECE_BYTES
            end = min(base + _PIECE_BYTES, stop)
            piece = self._pieces.get(base)
            parts.append(
                bytes(end - offset) if piece is None else piece[offset - base : end - base]
            )
            offset = end
        return b"".join(parts)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `Content.data_ranges`."""
        stop = min(stop, self.size)
        while start < stop:
            base = start - start % _PIECE_BYTES
            end = min(base + _PIECE_BYTES, stop)
            if base in self._pieces:
                yield start, end
            start = end


def streamed(file: Source, *, bytes_max: int) -> Iterator[bytes]:
    """What a file of one or more frames was before it was packed, in blocks, from its beginning.

    Raises: AccessError, with the place, when it is damaged, ends early, or opens to more than
    `bytes_max` (which is not handed out).
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    machine = decompressor.decompressobj()
    given = 0
    is_between = True
    for offset, part in packed_parts(file):
        rest = part
        while rest:
            if machine.eof:
                machine = decompressor.decompressobj()
            try:
                plain = machine.decompress(rest)
            except zstandard.ZstdError as error:
                words = f"no zstd frame or a damaged one: {error}"
                raise damaged(file, offset, words) from None
            given += len(plain)
            if given > bytes_max:
                raise damaged(file, offset, f"opens to more than {bytes_max:,} bytes")
            if plain:
                yield plain
            rest = machine.unused_data if machine.eof else b""
            is_between = machine.eof
    if not is_between:
        raise damaged(file, file.stat().size, "ends inside a zstd frame")


def _table(file: Source) -> list[tuple[int, int]] | None:
    """Packed and plain size of every frame; `None` where there is no table that can be used."""
    size = file.stat().size
    footer = file.read_at(max(0, size - _FOOTER.size), _FOOTER.size)
    if len(footer) < _FOOTER.size:
        return None
    count, flags, magic = _FOOTER.unpack(footer)
    row_bytes = 12 if flags & _CHECKSUM_FLAG else 8
    start = size - _FOOTER.size - count * row_bytes - _HEAD.size
    if magic != _FOOTER_MAGIC or count > FRAMES_MAX or start < 0:
        return None
    data = file.read_at(start, size - start)
    if len(data) != size - start or _HEAD.unpack_from(data) != (_TABLE_MAGIC, len(data) - 8):
        return None
    rows = [_ROW.unpack_from(data, _HEAD.size + at * row_bytes) for at in range(count)]
    is_usable = all(plain <= FRAME_BYTES_MAX for _, plain in rows)
    if sum(packed_bytes for packed_bytes, _ in rows) != start or not is_usable:
        return None
    return rows


def _even(blocks: Iterable[bytes], *, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The same bytes in blocks of `size`, the last one as it comes."""
    waiting = bytearray()
    for block in blocks:
        if not waiting and len(block) == size:
            yield bytes(block)
            continue
        waiting += block
        if len(waiting) >= size:
            whole = len(waiting) - len(waiting) % size
            for start in range(0, whole, size):
                yield bytes(waiting[start : start + size])
            del waiting[:whole]
    if waiting:
        yield bytes(waiting)


def packed_parts(file: Source) -> Iterator[tuple[int, bytes]]:
    """The packed bytes in small parts, each with its offset."""
    start = 0
    while window := file.read_at(start, READ_BYTES):
        for position in range(0, len(window), STEP_BYTES):
            yield start + position, window[position : position + STEP_BYTES]
        start += len(window)


def damaged(file: Source, offset: int, words: str) -> AccessError:
    """The error that names the place in a packed file."""
    return AccessError(f"{file.path}:{offset}: {words}")
