"""A segment folded to a digest: stretches of whole frames and the damage between them.

The digest is what crosses processes and what all judgement works on; its size follows the number
of leaders, restarts and faults that a log has seen, not its length. No judgement is made here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from formats.limits import WINDOW_BYTES
from walctl.fs.base import File
from walctl.model.batch import Batch
from walctl.model.log import (
    PlacedEntry,
    PlacedMark,
    PlacedMetadata,
    PlacedState,
    Run,
    StateStep,
    Stretch,
    add_run,
    add_state,
    takes_back,
)
from walctl.model.record import (
    Check,
    Checkpoint,
    Entry,
    EntryKind,
    HardState,
    Metadata,
    SnapshotMark,
    Span,
)
from walctl.wal.kernel import Cursor, Halt, Head
from walctl.wal.scan import Damage, End, GoesOn, scan


@dataclass(slots=True, kw_only=True)
class Digest:
    """One segment: `items` in file order, then where its frames end and how large the file is.

    `odd_padding` is as in `Batch`.
    """

    segment: str
    items: list[Stretch | Damage] = field(default_factory=list)
    end: int = 0
    size: int = 0
    shrunk: bool = False
    odd_padding: list[int] = field(default_factory=list)

    @property
    def stretches(self) -> list[Stretch]:
        """The whole parts."""
        return [item for item in self.items if isinstance(item, Stretch)]

    @property
    def damages(self) -> list[Damage]:
        """What lies between them."""
        return [item for item in self.items if isinstance(item, Damage)]

    @property
    def head(self) -> Stretch | None:
        """The stretch at offset 0, `None` when the segment does not begin with a whole frame."""
        first = self.items[0] if self.items else None
        return first if isinstance(first, Stretch) and first.span.start == 0 else None

    @property
    def has_head(self) -> bool:
        """Whether the first record is the checksum record that opens every segment."""
        return self.head is not None and 0 in self.head.checkpoints

    @property
    def head_crc(self) -> int | None:
        """The checksum that its head says the segment before ended with; `None` without a head."""
        return self.head.first_crc if self.has_head and self.head is not None else None

    @property
    def last_crc(self) -> int | None:
        """The checksum that the next segment has to begin with; `None` when it is not known.

        Where the last bytes are no record it is that of the last record in front of them: if a
        frame was lost there, the next segment's head does not fit.
        """
        match self.items[-1] if self.items else None:
            case Stretch(crc=crc):
                return crc
            case Damage(halt=Halt.ZERO, goes_on=GoesOn.NOT, seed=seed):
                return seed
            case Damage(halt=Halt.TYPE, check=Check.VERIFIED, head=Head(stored=stored)):
                return stored
            case _:
                return None


def digest(
    file: File,
    *,
    segment: str,
    seed: int | None = None,
    window_bytes: int = WINDOW_BYTES,
    cursor: Cursor | None = None,
    watch: Callable[[Batch], None] = lambda batch: None,
) -> Digest:
    """Scan a segment and fold it; `seed` as in `scan`. Never raises, whatever the bytes are.

    With a `cursor` it is the rest of a segment from there on, and the cursor moves to its end.
    `watch` is shown each batch while it is current, so that who wants more of the records than a
    digest has need not scan them again.
    """
    result = Digest(segment=segment)
    stretch: Stretch | None = None
    for item in scan(file, segment=segment, seed=seed, window_bytes=window_bytes, cursor=cursor):
        match item:
            case Batch():
                result.odd_padding += item.odd_padding
                if stretch is None:
                    stretch = begin(item)
                    result.items.append(stretch)
                watch(item)
                add(stretch, item)
            case Damage():
                stretch = None
                result.items.append(item)
                if item.recovered is not None:
                    result.items.append(_recovered(item))
            case End():
                result.end, result.size, result.shrunk = item.offset, item.size, item.shrunk
    return result


def begin(batch: Batch) -> Stretch:
    """The stretch that begins with a batch, which is then to be added to it."""
    return Stretch(
        segment=batch.segment,
        span=Span(batch.start, batch.start),
        seed=batch.seed,
        first_crc=batch.first_crc,
        crc=batch.crc,
    )


def add(stretch: Stretch, batch: Batch) -> None:
    """Fold one more batch, which must begin where the stretch ends."""
    stretch.span = Span(stretch.span.start, batch.stop)
    stretch.crc = batch.crc
    stretch.frames += len(batch.offsets)
    stretch.entries += batch.entries
    for run in batch.runs:
        _add_run(stretch, run)
    _add_states(stretch, batch)
    stretch.marks += batch.marks
    stretch.conf_changes += batch.conf_changes
    stretch.checkpoints += batch.checkpoints
    stretch.oversize += batch.oversize
    for placed in batch.metadata:
        # A log repeats its metadata in every segment; only what differs needs to be kept.
        if not stretch.metadata or stretch.metadata[-1].metadata != placed.metadata:
            stretch.metadata.append(placed)


def _add_run(stretch: Stretch, run: Run) -> None:
    last = stretch.runs[-1] if stretch.runs else None
    if last is not None and last.last + 1 == run.first and last.term == run.term:
        last.last, last.stop = run.last, run.stop
    else:
        run.commit_before = max(run.commit_before, stretch.commit_max)
        stretch.runs.append(run)


def _add_states(stretch: Stretch, batch: Batch) -> None:
    """Fold the runs of hard states; what is kept follows the votes, not the states."""
    for run in batch.states:
        stretch.states_count += run.count
        add_run(stretch.votes, run)
        stretch.commit_max = max(stretch.commit_max, run.commit_last)
        first = PlacedState(segment=run.segment, offset=run.first_offset, state=run.first_state)
        before = stretch.last_state
        if before is None:
            stretch.first_state = first
        elif takes_back(before.state, first.state):
            stretch.steps.append(StateStep(before=before, after=first))
        stretch.last_state = PlacedState(
            segment=run.segment, offset=run.last_offset, state=run.last_state
        )


def _recovered(damage: Damage) -> Stretch:
    """A stretch of the one record whose wrong bit or type is known."""
    segment, start, record = damage.segment, damage.start, damage.recovered
    head = damage.recovered_head
    stop = head.stop if head is not None else damage.stop
    stretch = Stretch(
        segment=segment,
        span=Span(start, stop),
        seed=damage.seed,
        first_crc=head.stored if head is not None else 0,
        crc=head.stored if head is not None else 0,
        frames=1,
        is_recovered=True,
    )
    match record:
        case Entry():
            stretch.entries = 1
            run = Run.of_one(segment, record, Span(start, stop))
            run.is_recovered = True
            stretch.runs.append(run)
            if record.kind is not EntryKind.NORMAL:
                placed = PlacedEntry(segment=segment, offset=start, entry=record)
                stretch.conf_changes.append(placed)
        case HardState():
            state = PlacedState(segment=segment, offset=start, state=record)
            stretch.first_state = stretch.last_state = state
            add_state(stretch.votes, segment, start, record)
            stretch.states_count, stretch.commit_max = 1, record.commit
        case SnapshotMark():
            stretch.marks.append(PlacedMark(segment=segment, offset=start, mark=record))
        case Metadata():
            stretch.metadata.append(PlacedMetadata(segment=segment, offset=start, metadata=record))
        case Checkpoint():
            stretch.checkpoints.append(start)
        case _:
            pass
    return stretch
