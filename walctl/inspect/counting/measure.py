"""One segment measured: its digest and its figures by one scan; what a process is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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
from walctl.inspect.standing import index_behind, index_of
from walctl.inspect.status import Status
from walctl.model.batch import Batch
from walctl.model.record import Check, Frame
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
        watch = _Picker(fold, part).add
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


class _Picker:
    """Folds what a part has of each batch, and counts what of it was overwritten.

    Its `reached` is by the last entry or marker, whichever it is, as positions have it elsewhere.
    """

    def __init__(self, fold: Fold, part: Part) -> None:
        self._fold = fold
        self._part = part
        self._reached = fold.reached

    def add(self, batch: Batch) -> None:
        """Fold what the part has of the next batch."""
        fold, part = self._fold, self._part
        piece = piece_of(batch, reached=self._reached, first_check=Check.UNVERIFIABLE)
        if not part.bounds.misses(piece):
            for fate in piece.fates:
                part.status.settle(fate, batch.segment)
            if part.bounds.encloses(piece):
                fold.add(batch)
                fold.figures.overwritten += sum(
                    each.last - max(each.kept, each.first - 1) for each in piece.fates
                )
            else:
                fold.add_some(batch, self._chosen(batch, Fates(piece.fates)))
        fold.passed(batch)
        self._reached = piece.last

    def _chosen(self, batch: Batch, fates: Fates) -> Iterator[Frame]:
        """The frames of a batch that the part has."""
        fold, reached = self._fold, self._reached
        for frame in frames(batch):
            record = frame.record
            index, reached = index_of(record, reached), index_behind(record, reached)
            fold.reached = index_behind(record, fold.reached)
            status = fates.status(frame)
            if self._part.bounds.has(
                batch.segment, frame.span.start, frame.span.stop, Covers(index, index)
            ):
                fold.figures.overwritten += status == OVERWRITTEN
                yield frame
