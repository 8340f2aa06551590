"""One segment measured: its digest and its figures by one scan; what a process is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from walctl.datadir.chain import DigestTask
from walctl.errors import AccessError
from walctl.fs.base import File
from walctl.inspect.counting.figures import Figures
from walctl.inspect.counting.fold import Fold, Wish
from walctl.inspect.fate import piece_of
from walctl.inspect.flow import Covers
from walctl.inspect.frames import frames
from walctl.inspect.positions import Bounds
from walctl.inspect.row import OVERWRITTEN
from walctl.inspect.select import Fates
from walctl.inspect.status import Status
from walctl.model.batch import Batch
from walctl.model.record import Check, Entry, Frame, SnapshotMark
from walctl.wal.fold import Digest, digest


@dataclass(slots=True, kw_only=True)
class Measured(Digest):
    """A digest with the figures of the same records."""

    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What lies between two positions of a log that was surveyed.

    `reached` is the index that the log has reached in front of each segment, by its name.
    """

    bounds: Bounds
    status: Status
    reached: Mapping[str, int]


def measure(wish: Wish, part: Part | None, task: DigestTask) -> Measured | None:
    """Scan one segment and count the records in it, or in a part; `None` when it is gone.

    Raises: AccessError, as `run_task`.
    """
    try:
        with task.disk.open(task.path) as file:
            return _measured(file, wish, part, task)
    except AccessError:
        if task.disk.exists(task.path):
            raise
        return None


def _measured(file: File, wish: Wish, part: Part | None, task: DigestTask) -> Measured:
    name = task.path.name
    fold = Fold(name, wish)
    watch = fold.add
    if part is not None:
        fold.reached = part.reached.get(name, 0)
        watch = partial(_add_part, fold, part)
    found = digest(file, segment=name, seed=task.seed, watch=watch)
    return Measured(
        segment=found.segment,
        items=found.items,
        end=found.end,
        size=found.size,
        shrunk=found.shrunk,
        odd_padding=found.odd_padding,
        figures=fold.figures,
    )


def _add_part(fold: Fold, part: Part, batch: Batch) -> None:
    """Fold what a part has of a batch, and count what of it was overwritten."""
    piece = piece_of(batch, reached=fold.reached, first_check=Check.UNVERIFIABLE)
    if not part.bounds.misses(piece):
        for fate in piece.fates:
            part.status.settle(fate, batch.segment)
        if part.bounds.encloses(piece):
            fold.add(batch)
            fold.figures.overwritten += sum(
                each.last - max(each.kept, each.first - 1) for each in piece.fates
            )
        else:
            fold.add_some(batch, _chosen(fold, part, batch, Fates(piece.fates)))
    fold.reached = piece.last


def _chosen(fold: Fold, part: Part, batch: Batch, fates: Fates) -> Iterator[Frame]:
    """The frames of a batch that a part has."""
    for frame in frames(batch):
        record = frame.record
        if isinstance(record, Entry | SnapshotMark):
            fold.reached = record.index
        status = fates.status(frame)
        covers = Covers(fold.reached, fold.reached)
        if part.bounds.has(batch.segment, frame.span.start, covers):
            fold.figures.overwritten += status == OVERWRITTEN
            yield frame
