"""How much of a member is read, with how many processes, and until when; nothing is judged here."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context

from walctl.datadir.chain import DigestTask, Mapper, one_by_one
from walctl.datadir.layout import Layout
from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey, applied_in, survey
from walctl.errors import AccessError, TimeOverError
from walctl.fs.base import FileSystem
from walctl.inspect.flow import Flow
from walctl.wal.fold import Digest

PARALLEL_BYTES_MIN = 24 << 20
"""A log that takes less than this on the disk is read in one process; another one costs more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much is read, and with how many processes.

    `is_quick` reads only what a start needs: the segments from the newest snapshot on. `is_over`
    is asked between segments; once it says yes, the check stops with an error that says where.
    `on_segment` is told of every segment that is done: position from 1, and how many there are.
    `shield` gives a context in which processes are started, so that no signal meets them half-way.
    """

    jobs: int = 1
    is_quick: bool = False
    is_over: Callable[[], bool] = lambda: False
    on_segment: Callable[[int, int], None] = lambda done, total: None
    shield: Callable[[], AbstractContextManager[None]] = nullcontext


ONE_PROCESS = Depth()
"""Everything, with one process."""


def survey_of(disk: FileSystem, layout: Layout, *, depth: Depth) -> Survey:
    """Survey a member with as many processes as `depth` allows.

    A quick one reads everything after all when the log does not mark the newest snapshot: a start
    then begins at an older one. Raises: as `examine`.
    """
    seen = survey(disk, layout, mapper=mapper_of(depth), is_quick=depth.is_quick)
    if depth.is_quick and newest_start(seen) < max(_usable_indexes(seen), default=0):
        return survey(disk, layout, mapper=mapper_of(depth))
    return seen


def flow_of(disk: FileSystem, layout: Layout, *, depth: Depth) -> Flow:
    """The log of a member, told from its beginning; surveyed only where it has to be."""
    return Flow(
        disk,
        layout,
        survey=lambda: survey_of(disk, layout, depth=depth),
        applied=lambda: applied_in(disk, layout),
    )


def _usable_indexes(seen: Survey) -> Iterator[int]:
    return (snap.index or 0 for snap in seen.snaps if snap.is_usable)


def mapper_of(depth: Depth) -> Mapper:
    """How the segments are gone through at this depth."""

    def mapper(
        function: Callable[[DigestTask], Digest | None], tasks: Sequence[DigestTask]
    ) -> Iterator[Digest | None]:
        total = len(tasks)
        allocated = sum(_allocated(task) for task in tasks) if depth.jobs > 1 else 0
        with ExitStack() as stack:
            results = iter(one_by_one(function, tasks))
            if depth.jobs > 1 and total > 1 and allocated >= PARALLEL_BYTES_MIN:
                context = get_context("fork" if "fork" in get_all_start_methods() else None)
                pool = ProcessPoolExecutor(min(depth.jobs, total), mp_context=context)
                stack.callback(pool.shutdown, cancel_futures=True)
                with depth.shield():
                    results = pool.map(function, tasks)
            for done, result in enumerate(results, start=1):
                yield result
                depth.on_segment(done, total)
                if done < total and depth.is_over():
                    name = tasks[done - 1].path.name
                    raise TimeOverError(f"time is over: read up to {name}, {done} of {total}")

    return mapper


def _allocated(task: DigestTask) -> int:
    """Bytes that the segment takes on the disk; 0 when it is not there any more."""
    try:
        stat = task.disk.stat(task.path)
    except AccessError:
        return 0
    return stat.size if stat.allocated_bytes is None else stat.allocated_bytes
