"""Steps of the timeline: when term and vote changed, and where a leader of a term began."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from formats import raftpb, walpb
from formats.frame import LENGTH_FIELD_BYTES, split_length
from walctl.inspect.counting.figures import ENTRY, STATE, Event
from walctl.inspect.standing import index_behind
from walctl.model.batch import Batch
from walctl.model.log import Run, StateRun
from walctl.model.record import Entry, Frame, HardState
from walctl.wal.records import lift_entry, type_name

LOOKED_BACK_MAX = 4
"""Frames in front of a hard state that are looked through for the entry before it."""


def events(batch: Batch, *, reached: int) -> Iterator[Event]:
    """The steps in a batch, in file order; `reached` is the index in front of it."""
    steps: list[Run | StateRun] = sorted([*batch.runs, *batch.states], key=_start_of)
    said = (-1, -1)
    entry_term = -1
    for step in steps:
        if isinstance(step, Run):
            if step.term != entry_term:
                entry_term = step.term
                yield _first_entry(batch, step)
        elif (step.term, step.vote) != said:
            said = (step.term, step.vote)
            yield Event(
                kind=STATE,
                segment=batch.segment,
                offset=step.first_offset,
                index=_index_before(batch, step.first_offset, reached),
                term=step.term,
                vote=step.vote,
                commit=step.commit_first,
            )


def event_of(frame: Frame, *, reached: int) -> Event | None:
    """The step that one record may be; whether it is one shows beside the one before."""
    match frame.record:
        case Entry(index=index, term=term, payload=payload):
            return Event(
                kind=ENTRY,
                segment=frame.segment,
                offset=frame.span.start,
                index=index,
                term=term,
                is_empty=not payload,
            )
        case HardState(term=term, vote=vote, commit=commit):
            return Event(
                kind=STATE,
                segment=frame.segment,
                offset=frame.span.start,
                index=reached,
                term=term,
                vote=vote,
                commit=commit,
            )
        case _:
            return None


def _first_entry(batch: Batch, run: Run) -> Event:
    entry = _entry_at(batch, run.start - batch.base)
    return Event(
        kind=ENTRY,
        segment=batch.segment,
        offset=run.start,
        index=run.first,
        term=run.term,
        is_empty=entry is not None and not entry.payload,
    )


def _index_before(batch: Batch, offset: int, reached: int) -> int:
    """The index that the log has reached in front of an offset, where its last entry is near."""
    start, index = _last_entry(batch, offset)
    if index is None:
        before = bisect_right(batch.runs, offset, key=lambda run: run.stop)
        start, index = 0, reached
        if before:
            start, index = batch.runs[before - 1].stop, batch.runs[before - 1].last
    marks = bisect_left(batch.marks, offset, key=lambda placed: placed.offset)
    mark = batch.marks[marks - 1] if marks else None
    return index if mark is None or mark.offset < start else index_behind(mark.mark, index)


def _last_entry(batch: Batch, offset: int) -> tuple[int, int | None]:
    """Where the last entry in front of an offset begins, and its index, where it is near."""
    offsets = batch.offsets
    position = bisect_left(offsets, offset - batch.base)
    for at in reversed(offsets[max(position - LOOKED_BACK_MAX, 0) : position]):
        entry = _entry_at(batch, at)
        if entry is not None:
            return batch.base + at, entry.index
    return 0, None


def _start_of(step: Run | StateRun) -> int:
    return step.start if isinstance(step, Run) else step.first_offset


def _entry_at(batch: Batch, at: int) -> Entry | None:
    """The entry in the frame at `at` of a batch; `None` for another record."""
    data = batch.data
    word = int.from_bytes(data[at : at + LENGTH_FIELD_BYTES], "little")
    start = at + LENGTH_FIELD_BYTES
    record = walpb.RECORD.parse(data[start : start + split_length(word).record_bytes])
    if type_name(record.type) != "entry" or record.data is None:
        return None
    return lift_entry(raftpb.ENTRY.parse(record.data))[0]
