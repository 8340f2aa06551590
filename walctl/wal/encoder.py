"""etcd's encoder: records into frames, and which bytes have reached the file so far.

Every byte that a log is written with is made here. The checksum runs on from record to record;
frames gather in a buffer, and what the buffer hands to the file is etcd's rule too, because a
segment is cut by what the file has, not by what was saved:

    up to 128 KiB            gathered
    a piece that would not   the buffer is topped up to the next multiple of 4096 of the file and
    fit                      written, then the whole pages of the piece, then the rest is gathered
    flush                    everything is written

A piece is a length field, or a record with its padding: a page may end between the two.

`entry_bytes`, `state_bytes` and `frame_of` are shortcuts past the codecs of `formats`; a property
test holds them to the codecs' bytes.

Source: etcd-data-dir notes 2.1, 2.3, 4.1 and 5.1.
"""

import functools
from collections.abc import Iterable
from typing import Final

import crc32c

from formats import raftpb, walpb
from formats.frame import build_frame, join_length
from formats.varint import build_varint
from formats.walpb import RecordType
from walctl.fs.writable import WritableFile
from walctl.model.record import ConfState, Entry, HardState, SnapshotMark

BUFFER_BYTES: Final = 128 << 10
"""As much is gathered before anything is written without being asked for."""
PAGE_BYTES: Final = 4096
"""What is written without being asked for ends at a multiple of this in the file."""

_FIVE_BYTES_MIN = 1 << 28
"""From here on a 32-bit number is a varint of five bytes: fifteen checksums of sixteen."""
_LENGTH_FIELD_BYTES = 8

_varint = functools.lru_cache(maxsize=1 << 12)(build_varint)


def entry_bytes(entry: Entry) -> bytes:
    """raftpb.Entry as etcd up to 3.6 writes it, which every version reads.

    Raises: WireError, when a number does not fit its field.
    """
    raw_kind, term, index, payload = entry.raw_kind, entry.term, entry.index, entry.payload
    if not (0 <= raw_kind < 0x80 and term >> 64 == index >> 64 == 0):
        return raftpb.ENTRY.build(raftpb.Entry(type=raw_kind, term=term, index=index, data=payload))
    head = b"\x08%c\x10%b\x18%b" % (raw_kind, _varint(term), build_varint(index))
    if payload is None:
        return head
    return b'%b"%b%b' % (head, _varint(len(payload)), payload)


def state_bytes(state: HardState) -> bytes:
    """raftpb.HardState: all three fields, also those that are zero.

    Raises: WireError, when a number does not fit its field.
    """
    term, vote, commit = state.term, state.vote, state.commit
    if not term >> 64 == vote >> 64 == commit >> 64 == 0:
        return raftpb.HARD_STATE.build(raftpb.HardState(term=term, vote=vote, commit=commit))
    return b"\x08%b\x10%b\x18%b" % (_varint(term), _varint(vote), build_varint(commit))


def mark_bytes(mark: SnapshotMark) -> bytes:
    """walpb.Snapshot; the conf state is there only where the mark has one.

    Raises: WireError, when a number does not fit its field.
    """
    conf = None if mark.conf_state is None else lower_conf_state(mark.conf_state)
    return walpb.SNAPSHOT.build(walpb.Snapshot(index=mark.index, term=mark.term, conf_state=conf))


def lower_conf_state(conf: ConfState) -> raftpb.ConfState:
    """A membership as etcd writes it: the flag is there also when it is false."""
    return raftpb.ConfState(
        voters=conf.voters,
        learners=conf.learners,
        voters_outgoing=conf.voters_outgoing,
        learners_next=conf.learners_next,
        auto_leave=conf.auto_leave,
    )


def frame_of(kind: RecordType, crc: int, data: bytes | None) -> bytes:
    """The frame of one record that stores `crc`: length field, record, padding."""
    if data is None:
        return build_frame(walpb.RECORD.build(walpb.Record(type=int(kind), crc=crc, data=data)))
    stored = build_varint(crc) if crc < _FIVE_BYTES_MIN else _five_bytes(crc)
    size = len(data)
    width = _varint(size)
    word = join_length(4 + len(stored) + len(width) + size)
    return b"%b\x08%c\x10%b\x1a%b%b%b" % (
        word.to_bytes(_LENGTH_FIELD_BYTES, "little"),
        kind,
        stored,
        width,
        data,
        _PADDINGS[word >> 56 & 7],
    )


def _five_bytes(crc: int) -> bytes:
    """A varint that takes five bytes: the seven bits of each group spread over a byte each, all but
    the last with its high bit."""
    spread = (
        0x80808080
        | crc & 0x7F
        | (crc & 0x3F80) << 1
        | (crc & 0x1FC000) << 2
        | (crc & 0xFE00000) << 3
        | (crc & 0xF0000000) << 4
    )
    return spread.to_bytes(5, "little")


_PADDINGS = tuple(bytes(count) for count in range(8))


class Encoder:
    """Appends records to one file, which stays its opener's.

    `crc` is the running checksum behind the last record, `written` the offset behind what the
    file was given: what is still gathered is not counted. After an error of the disk neither is
    true any more, and the object must not be used again.
    """

    def __init__(self, file: WritableFile, *, crc: int, offset: int) -> None:
        self.file = file
        self.crc = crc
        self.written = offset
        self._gathered = bytearray()

    @property
    def gathered_bytes(self) -> int:
        """Bytes that the file was not given yet."""
        return len(self._gathered)

    def add(self, kind: RecordType, data: bytes | None) -> None:
        """Append one record; a CRC record has no data and stores what runs.

        Raises: AccessError.
        """
        self.crc = crc32c.crc32c(data, self.crc) if data is not None else self.crc
        self._put(frame_of(kind, self.crc, data))

    def add_entries(self, entries: Iterable[Entry]) -> list[int]:
        """Append one record for each entry; the offsets of their frames in the file, and the one
        behind the last.

        Raises: AccessError.
        """
        checksum, kind, gathered = crc32c.crc32c, RecordType.ENTRY, self._gathered
        offsets: list[int] = []
        add_offset = offsets.append
        running = self.crc
        for entry in entries:
            data = entry_bytes(entry)
            running = checksum(data, running)
            frame = frame_of(kind, running, data)
            add_offset(self.written + len(gathered))
            if len(gathered) + len(frame) <= BUFFER_BYTES:
                gathered += frame
            else:
                self._put(frame)
        self.crc = running
        add_offset(self.written + len(gathered))
        return offsets

    def flush(self) -> None:
        """Give the file everything that was gathered.

        Raises: AccessError.
        """
        if self._gathered:
            self._write(bytes(self._gathered))
            self._gathered.clear()

    def sync(self) -> None:
        """Return once every record is on the disk.

        Raises: AccessError.
        """
        self.flush()
        self.file.sync()

    def _put(self, frame: bytes) -> None:
        self._gather(frame[:_LENGTH_FIELD_BYTES])
        self._gather(frame[_LENGTH_FIELD_BYTES:])

    def _gather(self, piece: bytes) -> None:
        """Take one piece; see the table at the top."""
        gathered = self._gathered
        if len(gathered) + len(piece) <= BUFFER_BYTES:
            gathered += piece
            return
        slack = -(self.written + len(gathered)) % PAGE_BYTES
        gathered += piece[:slack]
        if slack > len(piece):
            return  # the page is not full: nothing is written but whole pages
        rest = piece[slack:]
        self.flush()
        if len(rest) > PAGE_BYTES:
            whole = len(rest) - len(rest) % PAGE_BYTES
            self._write(rest[:whole])
            rest = rest[whole:]
        gathered += rest

    def _write(self, data: bytes) -> None:
        self.file.write_at(self.written, data)
        self.written += len(data)
