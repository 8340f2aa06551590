"""The segments of one member in the order of their checksum chain, each folded to its digest.

Segments are scanned on their own, each trusting its head, so that it may be done in any order and
in several processes. Then each joint is looked at: only the segment in front can say that a head
is wrong, that a name is, or vouch for a segment without a head.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.base import FileSystem
from walctl.wal import names as wal_names
from walctl.wal.fold import Digest, digest
from walctl.wal.names import SegmentName


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestTask:
    """One segment to be digested: picklable, so that it may be done in another process."""

    disk: FileSystem
    path: Path
    seed: int | None = None


def run_task(task: DigestTask) -> Digest | None:
    """Carry one task out; `None` when the file is not there any more, as a purge leaves it.

    Raises: AccessError when the file may not be read or the device fails.
    """
    try:
        with task.disk.open(task.path) as file:
            return digest(file, segment=task.path.name, seed=task.seed)
    except AccessError:
        if task.disk.exists(task.path):
            raise
        return None


Mapper = Callable[
    [Callable[[DigestTask], Digest | None], Sequence[DigestTask]], Iterable[Digest | None]
]
"""How the segments are gone through: one after the other, or several at a time."""


def one_by_one(
    function: Callable[[DigestTask], Digest | None], tasks: Sequence[DigestTask]
) -> Iterable[Digest | None]:
    """The plain mapper: lazily, in order."""
    return map(function, tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment of the log: its name as it is, what it holds, and its place `seq` in the chain
    (that of its name, unless it is misplaced)."""

    name: SegmentName
    digest: Digest
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """A segment whose name denies its place in the checksum chain; `rightful` is the right name."""

    name: SegmentName
    rightful: str


def in_chain_order(found: list[Segment]) -> tuple[list[Segment], list[Misplaced]]:
    """Segments in the order of their checksum chain, and those whose names say another one.

    Only a break between two names is a reason to look for a better place, and only a segment whose
    head stores exactly the checksum that the one in front ends with is moved.
    """
    ordered = list(found)
    misplaced: list[Misplaced] = []
    position = 1
    while position < len(ordered):
        before, here = ordered[position - 1], ordered[position]
        ends = before.digest.last_crc
        fits = ends is None or here.digest.head_crc in (None, ends)
        if not fits or (ends is not None and here.seq != before.seq + 1):
            better = next(
                (each for each in ordered[position:] if each.digest.head_crc == ends), None
            )
            if better is not None and ends is not None and better.seq != before.seq + 1:
                index = _next_index(ordered[:position], better)
                rightful = wal_names.format_name(seq=before.seq + 1, index=index)
                misplaced.append(Misplaced(name=better.name, rightful=rightful))
                ordered.remove(better)
                moved = replace(better, seq=before.seq + 1)
                ordered.insert(position, moved)
        position += 1
    return ordered, misplaced


def _next_index(before: list[Segment], segment: Segment) -> int:
    """The index that belongs into the name of `segment`, given those in front of it.

    That of the next entry when it was begun; without any entry in front, the one it has.
    """
    for each in reversed(before):
        for stretch in reversed(each.digest.stretches):
            if stretch.runs:
                return stretch.runs[-1].last + 1
    return segment.name.index


def check_joints(disk: FileSystem, folder: Path, segments: list[Segment]) -> None:
    """Scan a segment again with the checksum of the one in front, where its head does not fit it.

    Segments are scanned on their own first, each trusting its head; only the one in front can say
    that a head is wrong, or vouch for a segment that has none.
    """
    for position in range(1, len(segments)):
        before, here = segments[position - 1], segments[position]
        seed = before.digest.last_crc
        if seed is None or here.seq != before.seq + 1 or not here.digest.items:
            continue
        if here.digest.head_crc != seed:
            task = DigestTask(disk=disk, path=folder / here.name.text, seed=seed)
            again = run_task(task)
            if again is not None:
                segments[position] = replace(here, digest=again)
