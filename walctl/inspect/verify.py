"""verify: every byte of a member checked, and what its parts say of each other.

Reads, and never writes. Damage is in the report; only what keeps a path from being read at all
raises. The checks themselves are in `log_checks` and `member_checks`.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

from formats.limits import FINDINGS_MAX
from walctl.datadir.layout import Layout, understand
from walctl.datadir.survey import DigestTask, Mapper, Survey, one_by_one, survey
from walctl.errors import TimeOverError, WalctlError
from walctl.fs.base import FileSystem
from walctl.inspect.log_checks import entry_range, is_legal_gap, log_findings
from walctl.inspect.member_checks import member_findings
from walctl.inspect.report import Report, Summary
from walctl.inspect.segment_checks import segment_findings
from walctl.inspect.start_points import newest_start, start_points
from walctl.inspect.starts import starts_of
from walctl.model.finding import Code, Finding, Severity
from walctl.wal.fold import Digest

BLOCKING = frozenset(
    {
        Code.TORN_TAIL,
        Code.CRC_MISMATCH,
        Code.BAD_LENGTH,
        Code.BAD_RECORD,
        Code.TYPE_SUSPECT,
        Code.ZERO_HOLE,
        Code.CHAIN_BREAK,
        Code.SEGMENT_MISSING,
        Code.SEGMENT_NAME,
        Code.SEGMENT_HEAD,
        Code.SEGMENT_EMPTY,
        Code.METADATA_CONFLICT,
    }
)
"""Damage that blocks every start point: etcd reads all segments before it chooses one."""

OF_A_START = BLOCKING | {
    Code.INDEX_GAP,
    Code.COMMIT_BEYOND_LOG,
    Code.TERM_REGRESSION,
    Code.TRAILING_GARBAGE,
    Code.ENTRY_TOO_LARGE,
    Code.DB_AHEAD,
    Code.DB_BEHIND,
    Code.SNAPDB_MISSING,
}
"""Codes of which a start of the server is the consequence that a person wants to know."""

_GRAVITY = {Severity.DAMAGE: 0, Severity.HARMLESS: 1, Severity.INFO: 2}
"""The worst comes first, and within one severity the order of the log."""

PARALLEL_BYTES_MIN = 24 << 20
"""A log that takes less than this on the disk is read in one process; another one costs more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much is read, and with how many processes.

    `is_quick` reads only what a start needs: the segments from the newest snapshot on. `is_over`
    is asked between segments; once it says yes, the check stops with an error that says where.
    `on_segment` is told of every segment that is done: position from 1, and how many there are.
    """

    jobs: int = 1
    is_quick: bool = False
    is_over: Callable[[], bool] = lambda: False
    on_segment: Callable[[int, int], None] = lambda done, total: None


ONE_PROCESS = Depth()
"""Everything, with one process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A report with the survey that it was made from, for those who go on from there."""

    report: Report
    survey: Survey


def verify(
    disk: FileSystem,
    path: Path,
    *,
    wal_dir: Path | None = None,
    snap_dir: Path | None = None,
    depth: Depth = ONE_PROCESS,
) -> Report:
    """Check everything that `path` holds; what keeps it from being read becomes `Report.error`."""
    try:
        layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
        return examine(disk, layout, depth=depth).report
    except WalctlError as error:
        return Report(
            path=path, understood_as="", error=error.message, error_status=error.exit_status
        )


def examine(disk: FileSystem, layout: Layout, *, depth: Depth = ONE_PROCESS) -> Examination:
    """Survey a member and judge it.

    Raises: WalctlError when a part that is there cannot be read, or time is over.
    """
    seen = survey_of(disk, layout, depth=depth)
    findings = [*segment_findings(seen), *log_findings(seen)]
    findings = [_weighed(finding, seen) for finding in findings]
    blocking = [
        finding.code
        for finding in findings
        if finding.code in BLOCKING and finding.severity is Severity.DAMAGE
    ]
    points = start_points(seen, blocking)
    findings += member_findings(seen, points)
    boots = starts_of(disk, seen) if any(_asks_for_start(each) for each in findings) else ""
    findings = [_advised(finding, seen, boots) for finding in findings]
    findings.sort(key=lambda finding: _GRAVITY[finding.severity])
    report = Report(
        path=layout.path,
        understood_as=str(layout.shape),
        summary=summarise(seen),
        findings=_kept(findings),
        start_points=tuple(points),
        boots=boots,
        lost=lost_words(seen),
        notes=tuple(_notes(seen, len(findings))),
        is_partial=depth.is_quick,
        is_whole_member=layout.is_member and bool(seen.segments) and seen.database is not None,
    )
    return Examination(report=report, survey=seen)


def survey_of(disk: FileSystem, layout: Layout, *, depth: Depth) -> Survey:
    """Survey a member with as many processes as `depth` allows.

    A quick one reads everything after all when the log does not mark the newest snapshot: a start
    then begins at an older one. Raises: as `examine`.
    """
    seen = survey(disk, layout, mapper=_mapper(depth), is_quick=depth.is_quick)
    if depth.is_quick and newest_start(seen) < max(_usable_indexes(seen), default=0):
        return survey(disk, layout, mapper=_mapper(depth))
    return seen


def _usable_indexes(seen: Survey) -> Iterator[int]:
    return (snap.index or 0 for snap in seen.snaps if snap.is_usable)


def _kept(findings: list[Finding]) -> tuple[Finding, ...]:
    """As many findings as a report holds, in their order; the less severe ones go first."""
    if len(findings) <= FINDINGS_MAX:
        return tuple(findings)
    order = [Severity.DAMAGE, Severity.HARMLESS, Severity.INFO]
    worst_first = sorted(
        range(len(findings)), key=lambda position: order.index(findings[position].severity)
    )
    return tuple(findings[position] for position in sorted(worst_first[:FINDINGS_MAX]))


def _asks_for_start(finding: Finding) -> bool:
    """Whether a person has to know what a start would make of it."""
    return finding.severity is Severity.DAMAGE or (
        finding.severity is Severity.HARMLESS and finding.code in OF_A_START
    )


def lost_words(seen: Survey) -> str:
    """What of the log cannot be read, and whether the database has its effect; may be empty."""
    if not seen.segments:
        return ""
    applied = (seen.database.consistent_index or 0) if seen.database is not None else None
    reaches = seen.last_index or 0
    parts = [(gap.first, gap.last) for gap in seen.log.gaps() if not is_legal_gap(seen, gap)]
    words = [f"the text of {entry_range(*part)}" for part in parts]
    if applied is not None and applied > reaches:
        words.append(f"{entry_range(reaches + 1, applied)}, which the database has applied")
    if seen.last_state is not None and seen.last_state.state.commit > max(reaches, applied or 0):
        beyond = max(reaches, applied or 0) + 1
        words.append(f"{entry_range(beyond, seen.last_state.state.commit)}, which were committed")
    if not words:
        return ""
    text = "; ".join(words)
    last = max((part[1] for part in parts), default=0)
    if parts and applied is not None and applied >= last:
        text += f"; their effect is in the database, which has applied {applied}"
    elif parts and applied is not None:
        text += f"; the database has applied only {applied}"
    return text


def summarise(seen: Survey) -> Summary:
    """The figures of a member."""
    metadata = seen.metadata[0].metadata if seen.metadata else None
    witness = seen.database
    stores = [snap.store for snap in seen.snaps if snap.is_usable and snap.store is not None]
    version = witness.cluster_version if witness is not None else None
    if version is None and stores:
        version = stores[0].cluster_version
    return Summary(
        segments=len(seen.segments),
        records=seen.records,
        entries=seen.entries,
        bytes=seen.log_bytes,
        first_index=seen.log.first,
        last_index=seen.log.last,
        hard_state=seen.last_state.state if seen.last_state is not None else None,
        node_id=metadata.node_id if metadata is not None else None,
        cluster_id=metadata.cluster_id if metadata is not None else None,
        snapshots=tuple((s.index or 0, s.term or 0) for s in seen.snaps if s.is_usable),
        applied_index=witness.consistent_index if witness is not None else None,
        applied_term=witness.term if witness is not None else None,
        version=version,
    )


def _weighed(finding: Finding, seen: Survey) -> Finding:
    """A finding of the log, weighed by what the database and the hard state witness.

    An entry that is too large for etcd 3.4 is damage where the database says that it is 3.4.

    A torn tail is harmless when every witness ends at or before what is kept: the database, which
    has to be there, the commit of every hard state, and every snapshot file.
    """
    witness = seen.database
    if finding.code is Code.ENTRY_TOO_LARGE:
        version = (witness.cluster_version if witness is not None else None) or ""
        is_refused = version.startswith("3.4.")
        return replace(finding, severity=Severity.DAMAGE) if is_refused else finding
    if finding.code is not Code.TORN_TAIL:
        return finding
    if seen.is_moving:
        return replace(
            finding,
            severity=Severity.INFO,
            detail=f"{finding.detail} A server is at work here: this may be a write under way.",
        )
    kept = seen.last_index or 0
    if witness is None or witness.defects:
        return finding
    applied = witness.consistent_index or 0  # a new database has no index yet: nothing applied
    newest_file = max((snap.index or 0 for snap in seen.snaps), default=0)
    if max(applied, seen.commit_max, newest_file) > kept:
        return finding
    return replace(
        finding,
        severity=Severity.HARMLESS,
        detail=(
            f"{finding.detail} It is the unsynced last write: nothing beyond entry {kept} was"
            f" committed (hard state {seen.commit_max}) or applied (database {applied})."
        ),
    )


def _advised(finding: Finding, seen: Survey, boots: str) -> Finding:
    """The finding with its consequence and the next thing to do."""
    consequence = finding.consequence
    if not consequence and finding.code in OF_A_START and finding.severity is not Severity.INFO:
        consequence = boots
    return replace(finding, consequence=consequence, next=_next(finding, seen))


def _next(finding: Finding, seen: Survey) -> str:
    if finding.severity is not Severity.DAMAGE:
        return f"walctl explain {finding.code}"
    return (
        f"do not start the server; copy first: {copy_command(seen.layout.path)};"
        f" then: walctl explain {finding.code}"
    )


def copy_command(path: Path) -> str:
    """The plain command that makes a safe copy of a directory, with its holes."""
    return f"cp -a --sparse=always {shlex.quote(str(path))} {shlex.quote(str(path) + '.copy')}"


def _notes(seen: Survey, count: int) -> Iterator[str]:
    yield from seen.notes
    if seen.database is not None:
        yield from seen.database.notes
    if count > FINDINGS_MAX:
        yield f"{count:,} findings; only {FINDINGS_MAX:,} are kept, the worst of them"


def _mapper(depth: Depth) -> Mapper:
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
                results = pool.map(function, tasks)
            for done, result in enumerate(results, start=1):
                yield result
                depth.on_segment(done, total)
                if done < total and depth.is_over():
                    name = tasks[done - 1].path.name
                    raise TimeOverError(f"time is over: read up to {name}, {done} of {total}")

    return mapper


def _allocated(task: DigestTask) -> int:
    stat = task.disk.stat(task.path)
    return stat.size if stat.allocated_bytes is None else stat.allocated_bytes
