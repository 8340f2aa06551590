"""What etcd of a version would return, say and cut when it opens a log.

Four passes over what its decoder gives, each as etcd wrote it:

    ValidSnapshotEntries   all segments: the snapshots at or below the last commit
    ReadAll                from a snapshot on: entries, hard state, metadata
    Verify                 the same, with fewer questions asked
    Repair                 the last segment alone: cut it at an unexpected EOF

They differ in what stops them: a gap stops only ReadAll, different metadata and unknown types stop
ReadAll and Verify, and an unexpected EOF is an error only for a log opened for writing. What a
server makes of the results is in `datadir.boot`; what is true of the log, in `forensics`.

Source: etcd-data-dir notes 1.3, 1.4, 6.1 to 6.4, 6.7 and 6.8, checked against etcd 3.4.23, 3.5.1
and 3.6.14 on every directory of the corpus.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

from formats import raftpb, walpb
from formats.codec import Codec
from formats.errors import FormatError
from formats.fields import ALWAYS, UINT64, Field, UnknownField, message
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.walpb import RecordType
from walctl.model.batch import Batch
from walctl.model.log import PlacedMark, PlacedMetadata, PlacedState, Run, Stretch
from walctl.model.record import HardState, Metadata, SnapshotMark, Span
from walctl.wal.decoder import Ending, Loose, Source, Stop, Version, Whole, decode
from walctl.wal.kernel import Cursor
from walctl.wal.names import is_continuous, start_position
from walctl.wal.records import lift, lift_conf_state, lift_entry
from walctl.wal.scan import scan

NOT_FOUND = "wal: file not found"
NOT_MATCHED = "wal: snapshot not found"
NO_STATE: Final = HardState(term=0, vote=0, commit=0)


@message(go="Snapshot")
@dataclass(frozen=True, slots=True, kw_only=True)
class OldSnapshot:
    """walpb.Snapshot as etcd 3.4 has it: what later versions know as field 3 is unknown to it."""

    index: Annotated[int | None, Field(1, UINT64, ALWAYS)] = None
    term: Annotated[int | None, Field(2, UINT64, ALWAYS)] = None
    unknown: tuple[UnknownField, ...] = ()


_OLD_SNAPSHOT: Final = Codec(OldSnapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a pass ends with instead of a result: etcd's exact words.

    `offset` in `segment` is where it stopped; both are `None` when the log could not be opened.
    `is_panic`: the process dies of it on the spot. `is_unexpected_eof`: etcd would try a repair.
    """

    words: str
    segment: str | None = None
    offset: int | None = None
    is_panic: bool = False
    is_unexpected_eof: bool = False
    is_on_opening: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidSnapshots:
    """The snapshots that a server may start from, in file order; none of them with an `error`."""

    marks: tuple[SnapshotMark, ...] = ()
    error: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What Verify returns: the last hard state, or an error (`None`: it says all is well)."""

    hard_state: HardState | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What ReadAll returns; with an `error` most of it is empty, as it is there.

    `first` and `last` are indexes, `None` without entries. `segment` and `offset` are where the
    decoder stood at the end: in a log opened for writing, where etcd cuts the file and appends
    (`end_offset`; `None` when it did not get there). `has_match`: the record of the snapshot that
    it started from was there. `is_unexpected_eof` is set also where that is no error.
    """

    first: int | None = None
    last: int | None = None
    entries: int = 0
    hard_state: HardState = NO_STATE
    metadata: Metadata | None = None
    has_match: bool = False
    segment: str | None = None
    offset: int | None = None
    end_offset: int | None = None
    is_unexpected_eof: bool = False
    error: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What Repair returns and does to the last segment.

    `cut_to` is the segment's new size, `None` when nothing is cut; the whole file is copied to
    `backup` before. `dropped_bytes` are those cut off, up to the last that the scan saw written.
    `words` are what the decoder stopped with.
    """

    returned: bool
    segment: str | None = None
    cut_to: int | None = None
    dropped_bytes: int = 0
    words: str = ""

    @property
    def backup(self) -> str | None:
        """Name of the copy that etcd makes, and makes again over an older one."""
        return None if self.cut_to is None else f"{self.segment}.broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Odd:
    """A record that a pass may stop at: a payload that does not parse, or a type unknown to etcd.

    `kind` is the record's type; the words of a payload that does not parse are a panic.
    """

    offset: int
    kind: int
    words: str
    is_panic: bool


_Fact = Run | PlacedState | PlacedMark | PlacedMetadata | _Odd


def valid_snapshots(sources: Sequence[Source], version: Version) -> ValidSnapshots:
    """What ValidSnapshotEntries returns for all segments of a folder."""
    if not sources:
        return ValidSnapshots(error=_not_opened(NOT_FOUND))
    marks: list[SnapshotMark] = []
    commit = 0
    for event in decode(sources, version):
        if isinstance(event, Stop):
            if event.ending is Ending.ERROR:
                return ValidSnapshots(error=_stopped(event))
            break
        for fact in _facts(event, version):
            match fact:
                case PlacedMark(mark=mark):
                    marks.append(mark)
                case PlacedState(state=state):
                    commit = state.commit
                case _Odd(kind=RecordType.STATE | RecordType.SNAPSHOT, words=words):
                    return ValidSnapshots(error=_failed(event, fact, words))
                case _:
                    pass
    return ValidSnapshots(marks=tuple(mark for mark in marks if mark.index <= commit))


def verify(sources: Sequence[Source], *, index: int, term: int, version: Version) -> Verification:
    """What Verify returns for the log from the snapshot at `index` and `term` on."""
    chosen = _select(sources, index, version)
    if isinstance(chosen, str):
        return Verification(error=_not_opened(chosen))
    unread = {RecordType.ENTRY, RecordType.STATE} if version is Version.V3_4 else {RecordType.ENTRY}
    state = NO_STATE
    asked = _Asked(index=index, term=term)
    for event in decode(chosen, version):
        if isinstance(event, Stop):
            if event.ending is Ending.ERROR:
                return Verification(error=_stopped(event))
            break
        for fact in _facts(event, version):
            if isinstance(fact, _Odd) and fact.kind in unread:
                continue
            words = asked.take(fact)
            if words is not None:
                return Verification(error=_failed(event, fact, words))
            if isinstance(fact, PlacedState):
                state = fact.state
    if not asked.has_match:
        return Verification(error=Failure(words=NOT_MATCHED))
    return Verification(hard_state=state)


def read_all(
    sources: Sequence[Source], *, index: int, term: int, version: Version, for_write: bool
) -> Reading:
    """What ReadAll returns for a log opened at the snapshot at `index` and `term`.

    A log opened `for_write` must be read to its very end, but nothing is said when the record of
    that snapshot is missing. 3.6 hands back, with a gap, the entries in front of it.
    """
    chosen = _select(sources, index, version)
    if isinstance(chosen, str):
        prefix = "[openAtIndex] selectWALFiles failed: " if version.names_places else ""
        return Reading(error=_not_opened(prefix + chosen))
    asked = _Asked(index=index, term=term)
    state, count = NO_STATE, 0
    for event in decode(chosen, version):
        if isinstance(event, Stop):
            return _result(event, asked, state, count, for_write=for_write)
        for fact in _facts(event, version):
            words = asked.take(fact)
            if words is not None:
                return _failing(_failed(event, fact, words))
            if isinstance(fact, PlacedState):
                state = fact.state
            elif isinstance(fact, Run) and fact.last > index:
                # An entry takes the place of the one with its index and of all behind that.
                if max(fact.first, index + 1) - index - 1 > count:
                    return _at_gap(event, fact, asked, state, count, version)
                count = fact.last - index
    raise AssertionError("a decoder ends with a stop")


def repair(sources: Sequence[Source], version: Version) -> Repaired:
    """What Repair returns for a folder, and where it cuts the last segment."""
    if not sources:
        return Repaired(returned=False, words=NOT_FOUND)
    source = sources[-1]
    stop = next(event for event in decode([source], version) if isinstance(event, Stop))
    segment = source.name.text
    if stop.ending is not Ending.UNEXPECTED_EOF:
        returned = stop.ending is Ending.EOF
        return Repaired(returned=returned, segment=segment, words=stop.words)
    dropped = max(0, min(written_bytes(source), source.size) - stop.offset)
    return Repaired(
        returned=True,
        segment=segment,
        cut_to=stop.offset,
        dropped_bytes=dropped,
        words=stop.words,
    )


def repaired(sources: Sequence[Source], outcome: Repaired) -> list[Source]:
    """The segments as they are after that repair."""
    if outcome.cut_to is None:
        return list(sources)
    return [*sources[:-1], replace(sources[-1], cut=outcome.cut_to)]


def written_bytes(source: Source) -> int:
    """Where the zeros begin that nothing but zeros follow, as far as the scan has looked."""
    items = source.digest.items
    stops = (item.span.stop if isinstance(item, Stretch) else item.stop for item in items)
    return max(stops, default=0)


@dataclass(slots=True, kw_only=True)
class _Asked:
    """What ReadAll and Verify both hold a log to, besides its bytes."""

    index: int
    term: int
    metadata: Metadata | None = None
    has_match: bool = False

    def take(self, fact: _Fact) -> str | None:
        """Etcd's words when this record is where it stops."""
        match fact:
            case PlacedMetadata(metadata=metadata):
                known = self.metadata.raw if self.metadata is not None else None
                if known is not None and known != (metadata.raw or b""):
                    return "wal: conflicting metadata found"
                self.metadata = metadata
            case PlacedMark(mark=mark) if mark.index == self.index:
                if mark.term != self.term:
                    return "wal: snapshot mismatch"
                self.has_match = True
            case _Odd(words=words):
                return words
            case _:
                pass
        return None


def _select(sources: Sequence[Source], index: int, version: Version) -> Sequence[Source] | str:
    """The segments that are read for a snapshot at `index`, or why there are none."""
    names = [source.name for source in sources]
    position = start_position(names, index)
    if position is None:
        is_told = version.names_places and names
        return f"{NOT_FOUND} which matches the snapshot index '{index}'" if is_told else NOT_FOUND
    if not is_continuous(names[position:]):
        if not version.names_places:
            return NOT_FOUND
        start = f"(starting from {position})"
        return f"wal: file sequence numbers {start} do not increase continuously"
    return sources[position:]


def _facts(event: Whole | Loose, version: Version) -> list[_Fact]:
    """What a part of the log says, in the order of the file.

    Of the hard states of a whole part only the last one, at its end.
    """
    if isinstance(event, Loose):
        fact = _fact(event, version)
        return [] if fact is None else [fact]
    stretch = event.stretch
    facts: list[_Fact] = [*stretch.metadata, *stretch.marks, *stretch.runs]
    facts.sort(key=_offset_of)
    if stretch.last_state is not None:
        facts.append(stretch.last_state)
    return facts


def _offset_of(fact: _Fact) -> int:
    return fact.start if isinstance(fact, Run) else fact.offset


def _fact(loose: Loose, version: Version) -> _Fact | None:
    """One record by the rules of etcd's parser, which are laxer than those of the scan."""
    segment, offset = loose.source.name.text, loose.start
    try:
        match loose.raw_type:
            case RecordType.METADATA:
                metadata = lift(loose.raw_type, loose.data, loose.stored)
                assert isinstance(metadata, Metadata), "any bytes are metadata"
                return PlacedMetadata(segment=segment, offset=offset, metadata=metadata)
            case RecordType.ENTRY:
                return _run(loose, raftpb.ENTRY.parse(loose.data or b""))
            case RecordType.STATE:
                state = _hard_state(loose.data or b"")
                return PlacedState(segment=segment, offset=offset, state=state)
            case RecordType.CRC:
                return None
            case RecordType.SNAPSHOT:
                mark = _mark(loose.data or b"", version)
                return PlacedMark(segment=segment, offset=offset, mark=mark)
            case unknown:
                words = f"unexpected block type {unknown}"
                return _Odd(offset=offset, kind=unknown, words=words, is_panic=False)
    except FormatError as error:
        words = f"unmarshal should never fail ({error.message})"
        return _Odd(offset=offset, kind=loose.raw_type, words=words, is_panic=True)


def _run(loose: Loose, entry: raftpb.Entry) -> Run:
    lifted, _ = lift_entry(entry)
    return Run.of_one(loose.source.name.text, lifted, Span(loose.start, loose.stop))


def _hard_state(data: bytes) -> HardState:
    state = raftpb.HARD_STATE.parse(data)
    return HardState(term=state.term or 0, vote=state.vote or 0, commit=state.commit or 0)


def _mark(data: bytes, version: Version) -> SnapshotMark:
    if version is Version.V3_4:
        old = _OLD_SNAPSHOT.parse(data)
        return SnapshotMark(index=old.index or 0, term=old.term or 0)
    snapshot = walpb.SNAPSHOT.parse(data)
    conf = snapshot.conf_state
    return SnapshotMark(
        index=snapshot.index or 0,
        term=snapshot.term or 0,
        conf_state=None if conf is None else lift_conf_state(conf),
    )


def _result(stop: Stop, asked: _Asked, state: HardState, count: int, *, for_write: bool) -> Reading:
    """What ReadAll returns when the decoder has nothing more."""
    is_unexpected = stop.ending is Ending.UNEXPECTED_EOF
    if stop.ending is Ending.ERROR or (for_write and is_unexpected):
        return _failing(_stopped(stop))
    is_unmatched = not asked.has_match and not for_write
    return Reading(
        first=asked.index + 1 if count else None,
        last=asked.index + count if count else None,
        entries=count,
        hard_state=state,
        metadata=asked.metadata,
        has_match=asked.has_match,
        segment=stop.segment,
        offset=stop.offset,
        end_offset=stop.offset if for_write else None,
        is_unexpected_eof=is_unexpected,
        error=Failure(words=NOT_MATCHED) if is_unmatched else None,
    )


def _failing(failure: Failure) -> Reading:
    return Reading(
        segment=failure.segment,
        offset=failure.offset,
        is_unexpected_eof=failure.is_unexpected_eof,
        error=failure,
    )


def _at_gap(
    event: Whole | Loose, run: Run, asked: _Asked, state: HardState, count: int, version: Version
) -> Reading:
    """What ReadAll returns at an entry that does not follow: the state so far, not the metadata."""
    index = asked.index
    words = "wal: slice bounds out of range"
    if version.names_places:
        words += (
            f", snapshot[Index: {index}, Term: {asked.term}],"
            f" current entry[Index: {run.first}, Term: {run.term}], len(ents): {count}"
        )
    else:
        count = 0
    if isinstance(event, Whole):
        state = _state_before(event, run.start) or state
    return replace(
        _failing(_failed(event, run, words)),
        first=index + 1 if count else None,
        last=index + count if count else None,
        entries=count,
        hard_state=state,
    )


def _state_before(whole: Whole, offset: int) -> HardState | None:
    """The last hard state of a whole part in front of `offset`: that part is read once more."""
    stretch = whole.stretch
    cursor = Cursor(position=stretch.span.start, running=stretch.seed)
    found = None
    for batch in scan(whole.source.file, segment=stretch.segment, cursor=cursor):
        if not isinstance(batch, Batch) or batch.start >= offset:
            break
        found = _last_state(batch, offset) or found
    return found


def _last_state(batch: Batch, offset: int) -> HardState | None:
    """The last hard state of a batch in front of `offset`."""
    for position in reversed(batch.offsets[: bisect_left(batch.offsets, offset - batch.base)]):
        start = position + LENGTH_FIELD_BYTES
        word = int.from_bytes(batch.data[position:start], "little")
        record = walpb.RECORD.parse(batch.data[start : start + split_length(word).record_bytes])
        if record.type == RecordType.STATE:
            return _hard_state(record.data or b"")
    return None


def _not_opened(words: str) -> Failure:
    return Failure(words=words, is_on_opening=True)


def _stopped(stop: Stop) -> Failure:
    return Failure(
        words=stop.words,
        segment=stop.segment,
        offset=stop.offset,
        is_unexpected_eof=stop.ending is Ending.UNEXPECTED_EOF,
    )


def _failed(event: Whole | Loose, fact: _Fact, words: str) -> Failure:
    return Failure(
        words=words,
        segment=event.source.name.text,
        offset=_offset_of(fact),
        is_panic=isinstance(fact, _Odd) and fact.is_panic,
    )
