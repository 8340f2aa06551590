"""Log and state as three tables (`export_rows`), row by row into whatever takes them.

Entries come as they are applied, so each is told with what became of it; then those that were not:
in front of what the state was built on, behind where applying ended, and, unless an end was asked
for, what is not committed. Where the first way to the state ends before its time, what it made of
its entries stays told, and the second one goes on. Overwritten entries are none of the log's, and
are not told. Memory follows the state, not the log.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from walctl.datadir.survey import Survey
from walctl.errors import StoppedError
from walctl.fs.base import FileSystem
from walctl.inspect.export_rows import Row, key_rows, plain_put_row, redaction_of, request_rows
from walctl.inspect.row import COMMITTED, NOOP, UNCOMMITTED, UNDECODED
from walctl.inspect.state import Replayed, Wish, replayed, until_of
from walctl.machine.base import Entry, Result
from walctl.machine.shortcut import simple_id, simple_put
from walctl.payload.base import Decoder, PayloadError, Redaction
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.raftexample import RaftexampleDecoder
from walctl.replay.apply import STEP_ENTRIES, committed, entries_between, live_runs
from walctl.replay.ground import Ground, Kind, kind_of
from walctl.wal.entry_frames import places_of
from walctl.wal.records import entry_kind

_DECODERS: dict[str, Decoder] = {Kind.ETCD: EtcdDecoder(), Kind.KV: RaftexampleDecoder()}
INT64_MAX = (1 << 63) - 1


class Sink(Protocol):
    """Takes the rows of one table."""

    def add(self, row: Row) -> None:
        """Put a row behind the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    """What takes the three tables."""

    entries: Sink
    requests: Sink
    keys: Sink


class Place(NamedTuple):
    """Where the frame of entry `number` is."""

    number: int
    segment: str
    offset: int
    frame_bytes: int


def export(
    disk: FileSystem,
    seen: Survey,
    wish: Wish,
    sinks: Sinks,
    *,
    is_value_hidden: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Replayed:
    """Rebuild the state as `replayed` does, and tell all of log and state.

    Raises: as `replayed`; what a sink raises; StoppedError, soon after `is_stopped` says so.
    """
    teller = _Teller(
        disk=disk,
        seen=seen,
        sinks=sinks,
        redaction=redaction_of(is_value_hidden=is_value_hidden),
        decoder=_DECODERS.get(kind_of(disk, seen) if wish.make is None else ""),
        is_stopped=is_stopped,
        last=until_of(seen, wish) if wish.until is not None else seen.log.last or 0,
    )
    try:
        found = replayed(disk, seen, replace(wish, watch=teller.watch, on_ground=teller.begin))
        teller.end(found)
    finally:
        teller.close()
    for row in key_rows(found.machine, teller.redaction):
        sinks.keys.add(row)
    return found


@dataclass(slots=True, kw_only=True)
class _Teller:
    """Turns entries into rows; `told` is the index of the last one."""

    disk: FileSystem
    seen: Survey
    sinks: Sinks
    redaction: Redaction
    decoder: Decoder | None
    is_stopped: Callable[[], bool]
    last: int
    told: int = 0
    safe: int = field(init=False)
    places: Generator[Place, None, None] = field(init=False)

    def __post_init__(self) -> None:
        self.safe, self.places = committed(self.seen), self._places()

    def begin(self, ground: Ground) -> None:
        """What the ground has applied comes first, without an outcome."""
        self._tell_unapplied(min(ground.applied, self.last))

    def watch(self, entry: Entry, result: Result) -> None:
        """An entry that was applied."""
        self._tell(entry, result)

    def end(self, found: Replayed) -> None:
        """What is left: the entry that ended the replay, and whatever is behind it."""
        stop = None if found.applied is None else found.applied.stop
        if stop is not None and stop.outcome is not None:
            self._tell_unapplied(stop.index - 1)
            for entry in entries_between(self.disk, self.seen, stop.index, stop.index):
                self._tell(entry, Result(stop.outcome, words=stop.words))
        self._tell_unapplied(self.last)

    def close(self) -> None:
        """Give back what was opened."""
        self.places.close()

    def _tell_unapplied(self, last: int) -> None:
        """The entries behind the last one told, up to `last`; gaps and damage are passed."""
        found = entries_between(self.disk, self.seen, self.told + 1, last, passes_damage=True)
        for entry in found:
            self._tell(entry, None)

    def _tell(self, entry: Entry, result: Result | None) -> None:
        index, data = entry.index, entry.data
        if index % STEP_ENTRIES == 0 and self.is_stopped():
            raise StoppedError(f"stopped at entry {index}: nothing was made")
        place = next(each for each in self.places if each.number == index)
        self.told = index
        kind = self._tell_requests(entry)
        if kind == UNDECODED and result is not None and result.kind:
            kind = result.kind
        self.sinks.entries.add(
            (
                _int64(index),
                _int64(entry.term),
                str(entry_kind(entry.type or 0)),
                COMMITTED if index <= self.safe else UNCOMMITTED,
                place.segment,
                place.offset,
                place.frame_bytes,
                len(data or b""),
                _utf8(kind),
                None if result is None else result.outcome.value,
                None if result is None else _utf8(result.words),
                None if result is None else result.revision,
            )
        )

    def _tell_requests(self, entry: Entry) -> str:
        """The rows of what an entry asks for; its kind."""
        data, add = entry.data, self.sinks.requests.add
        if not data:
            return NOOP
        if self.decoder is None:
            return UNDECODED
        if not entry.type and self.decoder.name == Kind.ETCD:
            # What most logs consist of; a test holds it to the way below.
            put = simple_put(data)
            if put is not None:
                add(plain_put_row(entry.index, put, simple_id(data), self.redaction))
                return "put"
        try:
            request = self.decoder.decode(data, entry_kind(entry.type or 0))
        except PayloadError:
            return UNDECODED
        if request is None:
            return UNDECODED
        for row in request_rows(entry.index, request, self.redaction):
            add(row)
        return request.type

    def _places(self) -> Generator[Place, None, None]:
        """Where each entry of the log stands, ascending; damaged frames are passed."""
        for run, file in live_runs(self.disk, self.seen):
            if not run.is_recovered:
                for index, (offset, frame_bytes) in enumerate(places_of(file, run), run.first):
                    yield Place(index, run.segment, offset, frame_bytes)


def _utf8(text: str | None) -> str | None:
    """A text that every format can hold: halves of surrogate pairs are escaped."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _int64(number: int) -> int | None:
    """A number as a table holds it; a forged one that does not fit is left out."""
    return number if number <= INT64_MAX else None
