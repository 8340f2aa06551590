"""Where following begins: so many records in front of the end that the log has now.

Segments are scanned from the newest backwards until enough records were seen. What is kept of that
is a place to begin at, the heads of some frames, and what the records behind say of those in front.
"""

from dataclasses import dataclass, field
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem, Kind
from walctl.inspect.marks import HEAD_BYTES, Mark
from walctl.inspect.reached import Outlook, Reached, Where
from walctl.inspect.tail import Tail
from walctl.model.batch import Batch
from walctl.model.finding import Place
from walctl.model.record import Check
from walctl.wal.kernel import Cursor
from walctl.wal.names import SegmentName
from walctl.wal.scan import Damage, End, scan


@dataclass(frozen=True, slots=True)
class _Step:
    """One batch of a scan: how to begin with it, how many records it has, and its last one."""

    cursor: Cursor
    first_check: Check
    records: int
    last: Mark


@dataclass(slots=True)
class _Scanned:
    """A segment as it was gone through."""

    steps: list[_Step] = field(default_factory=list)
    outlook: Outlook = field(default_factory=Outlook)

    @property
    def records(self) -> int:
        """Whole records in it."""
        return sum(step.records for step in self.steps)


@dataclass(slots=True)
class Start:
    """Where to begin: a segment, open, of which the first `hidden` records are not to be shown,
    and nothing in front of `offset`.

    `outlook` covers all that was there when the beginning was looked for.
    """

    tail: Tail
    outlook: Outlook
    hidden: int = 0
    offset: int = 0


def find_start(
    disk: FileSystem,
    folder: Path,
    names: list[SegmentName],
    *,
    last: int | None,
    place: Place | None,
) -> Start | None:
    """The beginning: with the `last` records (`None`: with all), or at `place`.

    `None` when there is no segment yet. Raises: AccessError.
    """
    outlook = Outlook()
    missing = last
    oldest: SegmentName | None = None
    for name in reversed(names):
        file = open_segment(disk, folder, name)
        if file is None:
            continue
        oldest = name
        with file:
            scanned = _scan(file, name)
        outlook = scanned.outlook.before(outlook)
        if place is not None:
            if place.segment == name.text:
                tail = tail_at_head(disk, folder, name, outlook.end)
                return None if tail is None else Start(tail, outlook, offset=place.offset or 0)
        elif missing is not None:
            if scanned.records >= max(missing, 1):
                return _among(disk, folder, name, scanned.steps, missing, outlook)
            missing -= scanned.records
    tail = tail_at_head(disk, folder, oldest, outlook.end) if oldest is not None else None
    return None if tail is None else Start(tail, outlook)


def _among(
    disk: FileSystem,
    folder: Path,
    name: SegmentName,
    steps: list[_Step],
    missing: int,
    outlook: Outlook,
) -> Start | None:
    """A beginning `missing` records in front of the end of a segment."""
    file = open_segment(disk, folder, name)
    if file is None:
        return None
    position = len(steps)
    records = 0
    while records < max(missing, 1):
        position -= 1
        records += steps[position].records
    step = steps[position]
    tail = Tail(
        file,
        segment=name.text,
        seed=seed_of(name),
        reached=Reached.at(name),
        marks=[each.last for each in steps[:position]],
        cursor=step.cursor,
        settled_until=settled_in(name, outlook.end),
    )
    tail.first_check = step.first_check
    return Start(tail, outlook, hidden=records - missing)


def open_segment(disk: FileSystem, folder: Path, name: SegmentName) -> File | None:
    """A segment, open; `None` when it is gone since it was listed, or is no plain file.

    Raises: AccessError when it may not be read.
    """
    path = folder / name.text
    try:
        return disk.open(path) if disk.stat(path).kind is Kind.FILE else None
    except AccessError:
        if disk.exists(path):
            raise
        return None


def tail_at_head(
    disk: FileSystem, folder: Path, name: SegmentName, end: Where = ("", 0)
) -> Tail | None:
    """A segment from its beginning, when what is in front of it was not read; `None`: gone.

    The log reached to `end` when it was last looked at. Raises: AccessError.
    """
    file = open_segment(disk, folder, name)
    if file is None:
        return None
    return Tail(
        file,
        segment=name.text,
        seed=seed_of(name),
        reached=Reached.at(name),
        settled_until=settled_in(name, end),
    )


def settled_in(name: SegmentName, end: Where) -> int:
    """Up to which offset of a segment there was a log before; all of one that is sealed is read
    as such anyway."""
    return end[1] if end[0] == name.text else 0


def seed_of(name: SegmentName) -> int | None:
    """The checksum that a segment begins with, as far as its name says so."""
    return 0 if name.is_first else None


def _scan(file: File, name: SegmentName) -> _Scanned:
    scanned = _Scanned()
    reached = Reached.at(name)
    first_check = Check.UNVERIFIABLE
    for item in scan(file, segment=name.text, seed=seed_of(name)):
        match item:
            case Batch():
                cursor = Mark(0, item.start, b"", item.seed, reached).cursor()
                scanned.outlook.add(item, reached)
                reached = reached.with_batch(item)
                mark = _last_mark(item, reached)
                scanned.steps.append(_Step(cursor, first_check, len(item.offsets), mark))
                first_check = Check.UNVERIFIABLE
            case Damage():
                if item.recovered is not None:
                    reached = reached.with_record(item.recovered)
                first_check = item.resumed
            case End():
                break
    return scanned


def _last_mark(batch: Batch, reached: Reached) -> Mark:
    """The last frame of a batch, to be known again."""
    at = batch.offsets[-1]
    head = bytes(batch.data[at : min(at + HEAD_BYTES, batch.stop - batch.base)])
    return Mark(batch.base + at, batch.stop, head, batch.crc, reached)
