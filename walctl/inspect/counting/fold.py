"""Batches of whole records folded to figures: the hot path of stats, one object a segment.

Most frames of a log of many small entries match one of a few shapes (`shapes`): they are
only collected, and counted together when their batch is done. What matches none is parsed by the
fast codec where its word counts, else by the definition, and its payload, where the fast codec
cannot say what it does, by the decoder. Tests hold the figures against those of rows that the
definition has read one by one.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from re import Match
from re import compile as pattern_of

from formats import raftpb, walpb
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.peek import peeker
from formats.varint import whole_varint
from walctl.inspect.counting.figures import Amount, Big, Figures
from walctl.inspect.counting.prefix import KEY_BYTES_MAX, PrefixRule
from walctl.inspect.counting.shapes import FRAME_BYTES_MAX, Shape, shape_of
from walctl.inspect.counting.timeline import event_of, events
from walctl.inspect.counting.touch import Touch, touch_of_payload, touch_of_request
from walctl.inspect.row import NOOP, UNDECODED
from walctl.inspect.standing import index_behind
from walctl.model.batch import Batch
from walctl.model.record import Entry, EntryKind, Frame
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Decoder, PayloadError
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.k8s import K8sDecoder
from walctl.wal.records import entry_kind, type_name

SHAPES_MAX = 512
SEEN_BEFORE = 64
"""Frames of one size that are parsed before a shape is made of the next."""
SHAPES_OF_A_SIZE_MAX = 8
SIZES_MAX = 4096
"""Sizes whose frames are counted; then the counting begins anew."""

_NOTHING = Shape(pattern=pattern_of(b"(?!)()"), frame_bytes=0, padding_bytes=0)
"""Matches no frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to count: how keys are grouped, how many big entries are kept, who reads payloads."""

    decoder: Decoder
    rule: PrefixRule = field(default_factory=PrefixRule)
    top: int = 10


class Fold:
    """Folds the batches of one segment, in file order; `figures` is complete after each."""

    def __init__(self, segment: str, wish: Wish, *, reached: int = 0) -> None:
        self.segment = segment
        self.figures = Figures()
        self._wish = wish
        self._prefix = wish.rule.finder()
        self._is_etcd = _asks_etcd_first(wish.decoder)
        self.reached = reached
        """The index that the log has reached: by its entries, and by snapshots beyond them."""
        self._here = self._other = _NOTHING
        self._used: set[Shape] = set()
        self._shape_count = 0
        self._by_word: dict[bytes, list[Shape]] = {}
        self._seen: Counter[tuple[bytes, int]] = Counter()
        self._seen_before = max(SEEN_BEFORE, wish.top)
        self._slice = Amount()
        self._big: list[Big] = []
        self._big_min = -1
        self._peek_record = peeker(walpb.RECORD)
        self._peek_entry = peeker(raftpb.ENTRY)

    def add(self, batch: Batch) -> None:
        """Fold a batch, all of it."""
        data, base, offsets = batch.data, batch.base, batch.offsets
        position = 0
        for run in batch.runs:
            start = bisect_left(offsets, run.start - base, position)
            stop = bisect_left(offsets, run.stop - base, start)
            self._walk(data, base, offsets[position:start])
            self._walk(data, base, offsets[start:stop])
            self._settle(run.term, run.first, run.last)
            position = stop
        self._walk(data, base, offsets[position:])
        self._settle()
        self._keep_big()
        for event in events(batch, reached=self.reached):
            self.figures.add_event(event)
        self.passed(batch)

    def passed(self, batch: Batch) -> None:
        """Know how far the log has come behind a batch, whether it was folded or not."""
        self.reached = batch.runs[-1].last if batch.runs else self.reached
        for placed in batch.marks[-1:]:
            if not batch.runs or placed.offset > batch.runs[-1].start:
                self.reached = index_behind(placed.mark, self.reached)

    def add_some(self, batch: Batch, chosen: Iterable[Frame]) -> None:
        """Fold some records of a batch, in file order; `chosen` sets `reached` as at each."""
        for frame in chosen:
            self._walk(batch.data, batch.base, [frame.span.start - batch.base])
            if isinstance(frame.record, Entry):
                self._settle(frame.record.term, frame.record.index, frame.record.index)
            else:
                self._settle()
            event = event_of(frame, reached=self.reached)
            if event is not None:
                self.figures.add_event(event)
        self._keep_big()

    def _walk(self, data: memoryview, base: int, offsets: Sequence[int]) -> None:
        """Collect the frames that have a shape, and count the others."""
        here, other = self._here, self._other
        match, keep = here.pattern.match, here.found.append
        self._used.add(here)
        for at in offsets:
            found = match(data, at)
            if found is None:
                found = other.pattern.match(data, at)
                if found is not None:
                    here, other = other, here
                else:
                    known = self._known(data, at)
                    if known is None:
                        self._one(data, base, at)
                        continue
                    (other, here), found = (here, known[0]), known[1]
                match, keep = here.pattern.match, here.found.append
                self._used.add(here)
            keep(found[1])
        self._here, self._other = here, other

    def _known(self, data: memoryview, at: int) -> tuple[Shape, Match[bytes]] | None:
        """The shape that the frame at `at` has, if it is known."""
        for shape in self._by_word.get(bytes(data[at : at + LENGTH_FIELD_BYTES]), ()):
            found = shape.pattern.match(data, at)
            if found is not None:
                return shape, found
        return None

    def _settle(self, term: int = 0, first: int = 0, last: int = 0) -> None:
        """Count what was collected; its entries are `first..last` of one term."""
        for shape in self._used:
            if shape.found:
                self._count(shape)
                shape.found.clear()
        self._used.clear()
        entries = self._slice
        if entries.count:
            self._slice = Amount()
            self.figures.covers(first, last)
            self.figures.add_term(term, first=first, last=last, entries=entries)

    def _count(self, shape: Shape) -> None:
        """Count the collected frames of a shape."""
        figures, count = self.figures, len(shape.found)
        size = count * shape.frame_bytes
        figures.padding_bytes += count * shape.padding_bytes
        if shape.put_bytes is None:
            figures.records.setdefault("state", Amount()).add(count, size)
            return
        figures.records.setdefault("entry", Amount()).add(count, size)
        figures.add_request("put", count, size)
        self._slice.add(count, size)
        self._add_sizes(shape.payload_bytes, count)
        figures.churn.puts += count
        figures.churn.writes += count
        found = shape.found
        if shape.lease_bytes:
            unit = figures.leases.unit(writes=1, size=shape.put_bytes)
            raw = Counter([each[-shape.lease_bytes :] for each in found])
            figures.leases.add_all({whole_varint(k): v for k, v in raw.items()}, unit)
            found = [each[: shape.key_bytes] for each in found]
        self._add_puts(Counter(found), shape.put_bytes)

    def _add_sizes(self, payload_bytes: int, count: int) -> None:
        figures = self.figures
        bits = payload_bytes.bit_length()
        figures.sizes.setdefault(bits, Amount()).add(count, count * payload_bytes)
        figures.payload_bytes += count * payload_bytes

    def _add_puts(self, counts: Counter[bytes], put_bytes: int) -> None:
        """Count puts of keys, each of the same bytes."""
        keys, prefixes, prefix = self.figures.keys, self.figures.prefixes, self._prefix
        keys.add_all(counts, keys.unit(writes=1, size=put_bytes))
        grouped: dict[bytes, int] = {}
        for key, count in counts.items():
            name = prefix(key)
            grouped[name] = grouped.get(name, 0) + count
        prefixes.add_all(grouped, prefixes.unit(writes=1, size=put_bytes))

    def _one(self, data: memoryview, base: int, at: int) -> None:
        """Count one frame that has no shape yet."""
        word = bytes(data[at : at + LENGTH_FIELD_BYTES])
        length = split_length(int.from_bytes(word, "little"))
        stop = at + LENGTH_FIELD_BYTES + length.record_bytes
        body = bytes(data[at + LENGTH_FIELD_BYTES : stop])
        record = self._peek_record(body) or walpb.RECORD.parse(body)
        size = LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
        name = type_name(record.type)
        self.figures.records.setdefault(name, Amount()).add(1, size)
        self.figures.padding_bytes += length.padding_bytes
        payload_bytes = -1
        if name == "entry":
            payload_bytes = self._entry(record.data or b"", base + at, size)
        elif name != "state":
            return
        if size <= FRAME_BYTES_MAX and self._shape_count < SHAPES_MAX:
            self._learn(word, payload_bytes, word + body + bytes(length.padding_bytes))

    def _learn(self, word: bytes, payload_bytes: int, frame: bytes) -> None:
        """Make a shape of a frame when many of its size have been seen.

        Those before it were parsed, so that of entries of one size the first are known by their
        place: the biggest entries are told by that.
        """
        if len(self._seen) > SIZES_MAX:
            self._seen.clear()
        self._seen[word, payload_bytes] += 1
        seen = self._seen[word, payload_bytes] - self._seen_before
        if not 0 < seen <= SHAPES_OF_A_SIZE_MAX or (payload_bytes >= 0 and not self._is_etcd):
            return
        shape = shape_of(frame)
        if shape is not None:
            self._by_word.setdefault(word, []).append(shape)
            self._shape_count += 1

    def _entry(self, data: bytes, offset: int, frame_bytes: int) -> int:
        """Count one entry; gives the bytes of its payload."""
        figures = self.figures
        entry = self._peek_entry(data) or raftpb.ENTRY.parse(data)
        payload = entry.data or b""
        size = len(payload)
        self._slice.add(1, frame_bytes)
        self._add_sizes(size, 1)
        figures.limits.add(payload_bytes=size, record_bytes=frame_bytes - LENGTH_FIELD_BYTES)
        if size > self._big_min:
            index, term = entry.index or 0, entry.term or 0
            self._big.append(
                Big(size=size, index=index, term=term, segment=self.segment, offset=offset)
            )
            if len(self._big) > self._wish.top:
                self._keep_big()
        touch = self._touch(payload, entry_kind(entry.type or 0))
        figures.add_request(touch.type, 1, frame_bytes)
        self._add_touch(touch)
        return size

    def _keep_big(self) -> None:
        """Keep the biggest of the entries that could be among them."""
        figures, top = self.figures, self._wish.top
        figures.keep_biggest(self._big, top)
        self._big.clear()
        if len(figures.biggest) >= top:
            self._big_min = figures.biggest[-1].size

    def _touch(self, payload: bytes, kind: EntryKind) -> Touch:
        """What an entry asks for."""
        if not payload:
            return Touch(type=NOOP)
        if self._is_etcd and kind is EntryKind.NORMAL:
            touch = touch_of_payload(payload)
            if touch is not None:
                return touch
        try:
            request = self._wish.decoder.decode(payload, kind)
        except PayloadError:
            self.figures.undecodable += 1
            request = None
        if request is None:
            return Touch(type=UNDECODED)
        return touch_of_request(request, len(payload))

    def _add_touch(self, touch: Touch) -> None:
        churn, leases = self.figures.churn, self.figures.leases
        keys, prefixes = self.figures.keys, self.figures.prefixes
        for whole, size, lease in touch.puts:
            key = whole[:KEY_BYTES_MAX]
            keys.add(key, keys.unit(writes=1, size=size))
            prefixes.add(self._prefix(key), prefixes.unit(writes=1, size=size))
            if lease:
                leases.add(lease, leases.unit(writes=1, size=size))
        self._add_deletes(touch)
        churn.puts += len(touch.puts)
        churn.deletes += len(touch.deletes)
        churn.range_deletes += len(touch.ranges)
        churn.writes += touch.writes
        churn.granted += touch.granted
        churn.revoked += touch.revoked
        churn.checkpoints += touch.checkpoints

    def _add_deletes(self, touch: Touch) -> None:
        """A deleted range counts for the prefix of its first key, and for no key."""
        keys, prefixes = self.figures.keys, self.figures.prefixes
        for key in touch.deletes:
            keys.add(key[:KEY_BYTES_MAX], keys.unit(deletes=1))
        for key in (*touch.deletes, *touch.ranges):
            prefixes.add(self._prefix(key[:KEY_BYTES_MAX]), prefixes.unit(deletes=1))


def _asks_etcd_first(decoder: Decoder) -> bool:
    """Whether a request of etcd is one to this decoder, so that it need not be asked for each."""
    is_strict = isinstance(decoder, AutoDecoder) and decoder.strict
    return is_strict or isinstance(decoder, EtcdDecoder | K8sDecoder)
