"""A log in memory that somebody writes while it is followed: one step at each wait.

Only for tests. The log is etcd's by `tests/wal/builders.py`; nothing of what follows it takes part.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from formats.frame import SECTOR_BYTES
from tests.wal.builders import METADATA, STATE, Builder, fresh, metadata, state
from walctl.datadir.layout import Layout, Shape
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.event import Event, EventKind
from walctl.inspect.follow import LAST_RECORDS, follow
from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.model.finding import Place
from walctl.model.record import Check, Entry
from walctl.payload.base import Decoder
from walctl.wal.names import format_name

WAL = Path("/m/member/wal")
LAYOUT = Layout(path=Path("/m"), shape=Shape.DATA_DIR, wal_dir=WAL)
FIRST = "0000000000000000-0000000000000000.wal"

Step = Callable[[], None]
Item = Row | Event


def disk_with(files: dict[str, bytes]) -> MemoryFileSystem:
    """A log directory with these segments."""
    disk = MemoryFileSystem({WAL / name: data for name, data in files.items()})
    disk.make_directory(WAL)
    return disk


def followed(
    disk: MemoryFileSystem,
    steps: Iterable[Step],
    *,
    last: int | None = None,
    start: Place | None = None,
    quiet: int = 3,
    decoder: Decoder | None = None,
) -> list[Item]:
    """All that is given while one step is done at each wait, then `quiet` waits, then the end."""
    todo: Iterator[Step] = iter(steps)
    left = quiet

    def wait() -> bool:
        nonlocal left
        step = next(todo, None)
        if step is not None:
            step()
            return True
        left -= 1
        return left >= 0

    return list(follow(disk, LAYOUT, wait=wait, last=last, start=start, decoder=decoder))


def nothing() -> None:
    """A step in which nothing happens."""


def records(items: Iterable[Item]) -> list[RecordRow]:
    """The rows of whole records alone."""
    rows = [item for item in items if isinstance(item, RecordRow)]
    return [row for row in rows if row.frame.check is not Check.FAILED]


def findings(items: Iterable[Item]) -> list[FindingRow]:
    """The rows of damage alone."""
    return [item for item in items if isinstance(item, FindingRow)]


def events(items: Iterable[Item], kind: EventKind | None = None) -> list[Event]:
    """The events, but for the one that ends everything; with `kind` those of that kind."""
    found = [item for item in items if isinstance(item, Event)]
    if kind is None:
        return [event for event in found if event.kind is not EventKind.ENDED]
    return [event for event in found if event.kind is kind]


def places(items: Iterable[Item]) -> list[tuple[str, int]]:
    """Where the records stand that were given, in that order."""
    return [(row.frame.segment, row.frame.span.start) for row in records(items)]


def indexes(items: Iterable[Item]) -> list[int]:
    """The indexes of the entries that were given, in that order."""
    return [r.frame.record.index for r in records(items) if isinstance(r.frame.record, Entry)]


def statuses(items: Iterable[Item]) -> list[str | None]:
    """The statuses of the entries that were given, in that order."""
    return [row.status for row in records(items) if isinstance(row.frame.record, Entry)]


DEFAULT_LAST = LAST_RECORDS


ZEROS = 4 * SECTOR_BYTES
"""Preallocated bytes behind a log."""


def writes(
    disk: MemoryFileSystem, name: str, offset: int, data: bytes, size: int
) -> Iterator[Step]:
    """Steps that write `data` from `offset` on, `size` bytes at a time."""
    for at in range(0, len(data), size):
        piece = data[at : at + size]

        def step(at: int = at, piece: bytes = piece) -> None:
            disk.write_at(WAL / name, offset + at, piece)

        yield step


def log_of(*saves: tuple[int, int], size: int = 40, term: int = 1) -> Builder:
    """A first segment with entries `first..last` for each pair, and a hard state behind each."""
    log = fresh()
    for first, last in saves:
        for index in range(first, last + 1):
            log.put(index, term, bytes([index % 251 + 1]) * size)
        log.add(STATE, state(term, 7, last))
    return log


def frames_of(log: Builder, name: str = FIRST) -> list[tuple[str, int]]:
    """Where the records of a built segment stand."""
    return [(name, each.start) for each in log.frames]


def torn(log: Builder, keep: int) -> bytes:
    """The log with its last record's end replaced by zeros, `keep` bytes of it left."""
    start = log.frames[-1].start
    return log.done()[: start + keep] + bytes(len(log.data) - start - keep + ZEROS)


class Segment:
    """A built segment with its name."""

    def __init__(self, name: str, log: Builder) -> None:
        self.name = name
        self.log = log

    @property
    def data(self) -> bytes:
        return self.log.done()

    @property
    def frames(self) -> list[tuple[str, int]]:
        return frames_of(self.log, self.name)


def following_segment(before: Builder, index: int, *, seq: int = 1, saves: int = 3) -> Segment:
    """The segment that etcd would begin behind `before`, with `saves` Saves in it."""
    log = Builder(before.crc).add(METADATA, metadata()).add(STATE, state(1, 7, index - 1))
    log.puts(index, index + saves - 1)
    return Segment(format_name(seq=seq, index=index), log)


def chain(count: int) -> list[Segment]:
    """A log of so many segments."""
    segments = [Segment(FIRST, fresh().puts(1, 4))]
    for seq in range(1, count):
        index = 4 + (seq - 1) * 3 + 1
        segments.append(following_segment(segments[-1].log, index, seq=seq))
    return segments


def places_of(segments: list[Segment]) -> list[tuple[str, int]]:
    return [place for segment in segments for place in segment.frames]


def rebuilt(log: Builder, count: int) -> Builder:
    """A builder that goes on behind the first `count` records of `log`."""
    again = Builder(log.seed)
    for each in log.frames[1:count]:
        again.add(each.kind, each.payload)
    return again


def rewriting(
    disk: MemoryFileSystem, cut: int, after: Builder, *, is_at_once: bool
) -> Iterator[Step]:
    """A cut at `cut`, then what `after` has behind it; everything between two polls, or not."""
    path = WAL / FIRST

    def shrink() -> None:
        disk.truncate(path, cut)
        disk.truncate(path, len(after.data) + ZEROS)

    def write() -> None:
        disk.write_at(path, cut, after.done()[cut:])

    def both() -> None:
        shrink()
        write()

    yield from [nothing, nothing]
    yield from [both] if is_at_once else [shrink, nothing, write]
