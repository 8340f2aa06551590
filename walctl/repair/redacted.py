"""A log without what its clients put into it, in which everything else is still true of it.

Every frame stays where it is and as long as it is. Payloads are hidden (`hiding`), and the chain of
checksums is made anew over what is there now. Of what was wrong before, the same is wrong again, at
the same byte: a wrong bit is put back, then flipped again; a checksum that did not fit does not
fit; bytes that were no frame are none; zeros are zeros. Checksums of hidden bytes are not handed
on, because 32 bits of a short secret give it away.

A checksum takes one to five bytes, five of sixteen times fifteen. Where the new one needs another
width than the old one, the record's padding gives or takes a byte; where there is none to give,
free bytes of the last hidden value in front are chosen so that it fits. If that fails as well (a
thousand records in a row that hold nothing to hide), the frame gets eight bytes longer, and is
told: `Redactor.longer`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import crc32c

from formats import walpb
from formats.errors import FormatError
from formats.frame import LENGTH_FIELD_BYTES, build_frame, split_length
from formats.limits import WINDOW_BYTES
from formats.varint import build_varint, varint_stop, whole_varint
from formats.walpb import RecordType
from walctl.datadir.chain import Segment
from walctl.fs.base import File, FileSystem
from walctl.model.batch import Batch
from walctl.model.record import Entry, Metadata, Unknown
from walctl.payload.base import Redaction
from walctl.repair.hiding import Hidden, blotted, hidden_entry
from walctl.repair.redacted_snap import wide_varint
from walctl.wal.flip import Flip, bit_of_syndrome
from walctl.wal.kernel import Halt
from walctl.wal.records import lift, readings
from walctl.wal.scan import Damage, End, GoesOn, scan

GROUP_FRAMES_MAX = 1000
"""Frames behind one with free bytes that are held back until all their checksums fit."""
GROUP_BYTES_MAX = 16 << 20
TRIES_MAX = 1 << 16
WORK_MAX = 1 << 18
"""Frames that are gone through again for one checksum."""
WORK_BYTES_MAX = 64 << 20
_TWISTS = (0x2D5A3C17, 0x1B7E99A3, 0x5A0F66C9, 0x7C31E58B)
_NOBODYS_SEED = 0x5EED5EED
"""What the first frame goes on from where nobody knows what stood in front."""
_ZEROS = bytes(1 << 20)
_HEAD_BYTES_MAX = 64

Bytes: TypeAlias = bytes | memoryview


@dataclass(slots=True, kw_only=True)
class _Link:
    """One frame of the chain; positions are in `raw`, which is the frame without its wrong bit.

    The checksum varint is `[crc_start, crc_stop)`, the data `[data_start, data_stop)` (equal: there
    is none). `is_frozen`: its length field and padding have to stay. `flip` is byte and bit.
    """

    start: int
    raw: bytes
    crc_start: int
    crc_stop: int
    data_start: int
    data_stop: int
    hidden: Hidden
    stored: int
    is_frozen: bool
    flip: tuple[int, int] | None = None
    was_record: bool | None = None

    @property
    def width(self) -> int:
        """Bytes that its checksum takes now."""
        return self.crc_stop - self.crc_start

    @property
    def slack(self) -> int:
        """Bytes by which its checksum could be longer."""
        if self.is_frozen:
            return 0
        return split_length(int.from_bytes(self.raw[:LENGTH_FIELD_BYTES], "little")).padding_bytes

    def has_room_for(self, stored: int) -> bool:
        """Whether the frame stays as long as it is with this checksum.

        With a wrong bit in the checksum itself, bytes behind it can become part of something else:
        what was no record then has to be none again.
        """
        has_room = (stored.bit_length() + 6) // 7 <= self.width + self.slack
        if not has_room or self.flip is None or self.was_record is None:
            return has_room
        return _is_record(self.built(stored, self.hidden.data)) is self.was_record

    def built(self, stored: int, data: bytes) -> bytes:
        """The frame with another checksum and data."""
        raw = self.raw
        width = self.width
        if not width:  # a record that says no checksum has no place for one
            return raw[: self.data_start] + data + raw[self.data_stop :]
        shortest = build_varint(stored)
        shorter = width - len(shortest)
        if self.is_frozen or (shorter > 0 and self.slack + shorter >= LENGTH_FIELD_BYTES):
            shortest = wide_varint(stored, width)
        body = (
            raw[LENGTH_FIELD_BYTES : self.crc_start]
            + shortest
            + raw[self.crc_stop : self.data_start]
            + data
        )
        record_bytes = split_length(int.from_bytes(raw[:LENGTH_FIELD_BYTES], "little")).record_bytes
        record_stop = LENGTH_FIELD_BYTES + record_bytes
        body += raw[self.data_stop : record_stop]
        if len(shortest) != width or not self.is_frozen:
            return build_frame(body)
        whole = bytearray(raw[:LENGTH_FIELD_BYTES] + body + blotted(raw[record_stop:]))
        if self.flip is not None:
            position, bit = self.flip
            whole[position] ^= 1 << bit
        return bytes(whole)


@dataclass(slots=True)
class _Held:
    """What waits for the group to be settled: a link, or bytes, of the segment called so."""

    segment: str
    what: _Link | Bytes


@dataclass(slots=True)
class Redactor:
    """Goes through the segments of one log, in the order of their chain, once.

    `longer` are frames that had to grow, by segment and offset: what stands behind them in their
    segment has moved by eight bytes each.
    """

    disk: FileSystem
    folder: Path
    redaction: Redaction
    longer: list[tuple[str, int]] = field(default_factory=list)
    _origin: int | None = None
    """The checksum that the log has reached, as it was; `_running` is what it is now."""
    _running: int | None = None
    _aside: dict[int, int] = field(default_factory=dict)
    """What damaged records said their checksum was, and say now."""
    _ends: dict[int, int] = field(default_factory=lambda: {0: 0})
    """What segments ended with, and end with now."""
    _group: list[_Link] = field(default_factory=list)
    _group_seed: int = 0
    _group_bytes: int = 0
    _group_ends: list[tuple[int, int]] = field(default_factory=list)
    _variant: int = 0
    _held: deque[_Held] = field(default_factory=deque)

    def blocks(self, segments: Sequence[Segment]) -> Iterator[tuple[str, Bytes]]:
        """The bytes of all segments, in order, each block with the name of its segment.

        Raises: AccessError.
        """
        before: Segment | None = None
        for segment in segments:
            seed = 0 if segment.name.is_first else None
            last = before.digest.last_crc if before is not None else None
            if before is not None and last is not None and segment.seq == before.seq + 1:
                seed = last if segment.digest.head_crc != last else seed
            with self.disk.open(self.folder / segment.name.text) as file:
                yield from self._segment(file, segment.name.text, seed)
            end = segment.digest.last_crc
            if end is not None and end == self._origin and self._running is not None:
                self._ends[end] = self._running
                self._group_ends.append((end, len(self._group)))
            elif end is not None and end in self._aside:
                self._ends[end] = self._aside[end]
            before = segment
        yield from self._settled()

    def _segment(self, file: File, name: str, seed: int | None) -> Iterator[tuple[str, Bytes]]:
        is_fresh = True
        at = grown = 0
        longer_before = len(self.longer)
        for item in scan(file, segment=name, seed=seed):
            match item:
                case Batch():
                    if not is_fresh or item.seed is not None:
                        yield from self._go_on_from(item.seed)
                    for link in self._links(item):
                        if is_fresh and item.seed is None:
                            yield from self._begin(link)
                        is_fresh = False
                        yield from self._add(name, link)
                        at = link.start + len(link.raw)
                case Damage():
                    if is_fresh:
                        yield from self._go_on_from(item.seed)
                    yield from self._damage(file, name, item)
                    at = max(at, item.stop)
                case End():
                    grown = LENGTH_FIELD_BYTES * (len(self.longer) - longer_before)
                    for start in range(at + grown, item.size, len(_ZEROS)):
                        zeros = memoryview(_ZEROS)[: item.size - start]
                        self._held.append(_Held(name, zeros))
            is_fresh = False
        if not self._group:
            yield from self._settled()

    def _links(self, batch: Batch) -> Iterator[_Link]:
        """The frames of a batch."""
        view = batch.data
        for at in batch.offsets:
            length = split_length(int.from_bytes(view[at : at + LENGTH_FIELD_BYTES], "little"))
            stop = at + LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
            yield self._link(batch.base + at, bytes(view[at:stop]))

    def _link(self, start: int, raw: bytes, damage: Damage | None = None) -> _Link:
        """A whole frame taken apart, nothing in it left to hide.

        Raises: FormatError, where it holds no record.
        """
        length = split_length(int.from_bytes(raw[:LENGTH_FIELD_BYTES], "little"))
        body = raw[LENGTH_FIELD_BYTES : LENGTH_FIELD_BYTES + length.record_bytes]
        padding = raw[LENGTH_FIELD_BYTES + length.record_bytes :]
        raw_type, crc, data = _parts(body)
        is_wrong = damage is not None and damage.halt is not Halt.TYPE
        return _Link(
            start=start,
            raw=raw,
            crc_start=LENGTH_FIELD_BYTES + crc[0],
            crc_stop=LENGTH_FIELD_BYTES + crc[1],
            data_start=LENGTH_FIELD_BYTES + data[0],
            data_stop=LENGTH_FIELD_BYTES + data[1],
            hidden=self._hidden(raw_type, body[data[0] : data[1]], damage),
            stored=whole_varint(body[crc[0] : crc[1]]),
            is_frozen=is_wrong or not length.is_canonical or any(padding),
        )

    def _hidden(self, raw_type: int | None, data: bytes, damage: Damage | None) -> Hidden:
        """A record's data, hidden as what it is; where that is not known, as a whole."""
        is_entry = raw_type == RecordType.ENTRY
        is_known = raw_type in _KEPT
        keeps_zeros = False
        if damage is not None and damage.halt is Halt.TYPE:
            is_entry = isinstance(damage.recovered, Entry) or RecordType.ENTRY in damage.fits
            is_known = bool(damage.fits) or damage.recovered is not None
        elif damage is not None:
            keeps_zeros = damage.flip is None
        try:
            if is_entry:
                return hidden_entry(data, self.redaction, keeps_zeros=keeps_zeros)
        except FormatError:
            is_known = False
        return Hidden(data if is_known else blotted(data))

    # The chain.

    def _go_on_from(self, seed: int | None) -> Iterator[tuple[str, Bytes]]:
        """What the next record continues, given what it continued before."""
        if seed is not None and seed == self._origin and self._running is not None:
            return
        yield from self._settled()
        self._origin = seed
        if seed is None:
            self._running = None
        else:
            self._running = self._aside.get(seed, self._ends.get(seed, seed))

    def _begin(self, link: _Link) -> Iterator[tuple[str, Bytes]]:
        """The first frame of a segment, which is believed what it says of the one before."""
        is_head = link.data_start == link.data_stop
        yield from self._go_on_from(link.stored if is_head else None)

    def _add(self, name: str, link: _Link) -> Iterator[tuple[str, Bytes]]:
        """One more frame that its checksum vouches for, or that is taken on trust."""
        is_full = len(self._group) >= GROUP_FRAMES_MAX or self._group_bytes > GROUP_BYTES_MAX
        if self._running is None or link.hidden.free or is_full:
            yield from self._settled()
        seed = _NOBODYS_SEED if self._running is None else self._running
        if not self._group:
            self._group_seed = seed
        self._group.append(link)
        self._group_bytes += len(link.raw)
        self._held.append(_Held(name, link))
        stored = crc32c.crc32c(link.hidden.data, seed)
        if not link.has_room_for(stored):
            stored = self._chosen(stored)
        if not link.has_room_for(stored):
            self.longer.append((name, link.start))
        self._origin, self._running = link.stored, stored

    def _chosen(self, stored: int) -> int:
        """Choose the free bytes at the head of the group so that all of it fits; else `stored`."""
        head, *rest = self._group
        fixed = memoryview(head.hidden.data)[: head.hidden.fixed_bytes]
        behind_fixed = crc32c.crc32c(fixed, self._group_seed)
        work_bytes = self._group_bytes - len(fixed)
        tries = min(
            head.hidden.variants,
            TRIES_MAX,
            WORK_MAX // len(self._group),
            WORK_BYTES_MAX // max(work_bytes, 1),
        )
        for variant in range(self._variant + 1, tries):
            running = crc32c.crc32c(head.hidden.tail(variant), behind_fixed)
            reached = [running]
            fits = head.has_room_for(running)
            for link in rest:
                running = crc32c.crc32c(link.hidden.data, running)
                reached.append(running)
                fits = fits and link.has_room_for(running)
                if not fits:
                    break
            if fits:
                self._variant = variant
                for end, count in self._group_ends:
                    self._ends[end] = reached[count - 1] if count else self._group_seed
                return running
        return stored

    def _settled(self) -> Iterator[tuple[str, Bytes]]:
        """All that was held back; the group is over."""
        running = self._group_seed
        variant = self._variant
        for held in self._held:
            if isinstance(held.what, _Link):
                data = held.what.hidden.variant(variant)
                variant = 0
                running = crc32c.crc32c(data, running)
                yield held.segment, held.what.built(running, data)
            else:
                yield held.segment, held.what
        self._held.clear()
        self._group.clear()
        self._group_ends.clear()
        self._group_bytes = self._variant = 0

    # Damage.

    def _damage(self, file: File, name: str, damage: Damage) -> Iterator[tuple[str, Bytes]]:
        """The same damage in what stands there now."""
        flip, head = damage.flip, damage.head
        stop = damage.start
        try:
            if damage.halt is Halt.TYPE:
                raw = file.read_at(damage.start, damage.stop - damage.start)
                yield from self._add(name, self._link(damage.start, raw, damage))
                stop = damage.stop
            elif flip is not None:
                raw = _mended(file, damage.start, flip)
                link = self._link(damage.start, raw, damage)
                link.flip = (flip.offset - damage.start, flip.bit)
                if link.crc_start <= link.flip[0] < link.crc_stop:
                    link.was_record = _is_record(file.read_at(damage.start, len(raw)))
                yield from self._add(name, link)
                stop = flip.head.stop
            elif head is not None and damage.goes_on in (GoesOn.STORED, GoesOn.COMPUTED):
                yield from self._wrong(file, name, damage)
                stop = damage.stop
        except FormatError:
            pass
        if stop < damage.stop:
            yield from self._settled()
            for block in self._waste(file, damage, stop):
                yield name, block

    def _wrong(self, file: File, name: str, damage: Damage) -> Iterator[tuple[str, Bytes]]:
        """A whole frame whose checksum fits neither before nor now."""
        raw = file.read_at(damage.start, damage.stop - damage.start)
        link = self._link(damage.start, raw, damage)
        yield from self._settled()
        data = link.hidden.data
        computed = crc32c.crc32c(data, self._running or 0)
        stored = computed
        if damage.head is not None and damage.head.raw_type == RecordType.CRC:
            stored = self._ends.get(link.stored, link.stored)
        for twist in _TWISTS:
            is_wrong = stored != computed and bit_of_syndrome(stored ^ computed, len(data)) is None
            if is_wrong and link.has_room_for(stored):
                break
            stored = (computed ^ twist) & (1 << min(32, 7 * link.width)) - 1
        yield name, link.built(stored, data)
        goes_on_stored = damage.goes_on is GoesOn.STORED
        self._origin = link.stored if goes_on_stored else damage.computed
        self._running = stored if goes_on_stored else computed

    def _waste(self, file: File, damage: Damage, at: int) -> Iterator[Bytes]:
        """Bytes that are no frame, from `at` on: of a frame's head what its damage is known by, and
        behind it zeros where there are zeros."""
        kept = b""
        if at == damage.start:
            kept = _kept_head(file.read_at(at, _HEAD_BYTES_MAX), damage)[: damage.stop - at]
            if damage.head is not None:
                self._aside[damage.head.stored] = _stand_in_crc(damage.head.stored)
            yield kept
        position = at + len(kept)
        for low, high in (*file.data_ranges(position, damage.stop), (damage.stop, damage.stop)):
            for start in range(position, low, len(_ZEROS)):
                yield memoryview(_ZEROS)[: low - start]
            for start in range(low, high, WINDOW_BYTES):
                yield blotted(file.read_at(start, min(WINDOW_BYTES, high - start)))
            position = high


_KEPT = (RecordType.METADATA, RecordType.STATE, RecordType.CRC, RecordType.SNAPSHOT)


def _is_record(frame: bytes) -> bool:
    """Whether a record stands in the frame, as its length field has it."""
    length = split_length(int.from_bytes(frame[:LENGTH_FIELD_BYTES], "little"))
    try:
        walpb.RECORD.parse(frame[LENGTH_FIELD_BYTES : LENGTH_FIELD_BYTES + length.record_bytes])
    except FormatError:
        return False
    return True


def _mended(file: File, start: int, flip: Flip) -> bytes:
    """The frame at `start` with its wrong bit put back."""
    raw = bytearray(file.read_at(start, flip.head.stop - start))
    raw[flip.offset - start] ^= 1 << flip.bit
    return bytes(raw)


def _parts(body: bytes) -> tuple[int | None, tuple[int, int], tuple[int, int]]:
    """Of a record its type, and where its checksum and its data lie.

    Raises: FormatError.
    """
    stop = len(body)
    if stop > 3 and body[0] == 0x08 and body[1] < 0x80 and body[2] == 0x10:
        crc_stop = varint_stop(body, 3)
        if crc_stop == stop:
            return body[1], (3, stop), (stop, stop)
        if crc_stop > 0 and body[crc_stop] == 0x1A:
            start = varint_stop(body, crc_stop + 1)
            if start > 0 and start + whole_varint(body[crc_stop + 1 : start]) == stop:
                return body[1], (3, crc_stop), (start, stop)
    found = {span.name: span for span in walpb.RECORD.spans(body)}
    crc, data = found.get("crc"), found.get("data")
    return (
        walpb.RECORD.parse(body).type,
        (0, 0) if crc is None else (crc.value_start, crc.value_stop),
        (stop, stop) if data is None else (data.value_start, data.value_stop),
    )


def _kept_head(first: bytes, damage: Damage) -> bytes:
    """What is kept of the head of a frame that cannot be read.

    The length field, unless it is one that no frame could have: then it may be anything, and other
    bytes are as wrong. Of a record's head all up to the payload, another checksum in it.
    """
    if damage.halt in (Halt.ZERO, Halt.SHORT, Halt.GIVEN_UP) or len(first) < LENGTH_FIELD_BYTES:
        return b""
    length = split_length(int.from_bytes(first[:LENGTH_FIELD_BYTES], "little"))
    head = first[LENGTH_FIELD_BYTES : LENGTH_FIELD_BYTES + 3]
    is_record = len(head) == 3 and head[0] == 0x08 and head[2] == 0x10
    is_cut = len(head) < 3
    is_plausible = length.is_canonical and (is_record or is_cut or not any(head))
    if damage.halt is Halt.LENGTH and not is_plausible:
        return b""
    stop = LENGTH_FIELD_BYTES
    if not is_record:
        return first[:stop]
    crc_start = stop + 3
    crc_stop = varint_stop(first, crc_start)
    if crc_stop < 0 or crc_stop - crc_start > 5:
        return first[:crc_start]
    kept = first[:crc_start] + _stand_in(first[crc_start:crc_stop])
    stop = crc_stop
    if first[stop : stop + 1] == b"\x1a":
        stop = max(stop, varint_stop(first, stop + 1))
    if head[1] == RecordType.ENTRY and stop > crc_stop:
        for tag in (0x08, 0x10, 0x18, 0x22):
            behind = varint_stop(first, stop + 1) if first[stop : stop + 1] == bytes([tag]) else -1
            stop = max(stop, behind)
    elif stop > crc_stop:
        data = first[stop : stop + whole_varint(first[crc_stop + 1 : stop])]
        value = lift(head[1], data, 0)
        is_etcds = isinstance(value, Metadata) and value.node_id is not None
        if is_etcds or (not isinstance(value, Unknown) and head[1] in readings(data)):
            stop += len(data)  # numbers, and nothing else
    return kept + first[crc_stop:stop]


def _stand_in(varint: bytes) -> bytes:
    """Another checksum of the same width, the same for every one of that width; zeros stay."""
    low = (byte & 0x80 | (0x05 if position == 4 else 0x15) for position, byte in enumerate(varint))
    return bytes(new if old else 0 for old, new in zip(varint, low, strict=True))


def _stand_in_crc(stored: int) -> int:
    return whole_varint(_stand_in(build_varint(stored)))
