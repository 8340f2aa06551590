"""verify: every byte of a member checked, and what its parts say of each other.

Reads, and never writes. Damage is in the report; only what keeps a path from being read at all
raises. The checks themselves are in `segment_checks`, `log_checks` and `member_checks`; how bad it
is, in `weigh`; what to do next, in `advice`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from formats.limits import FINDINGS_MAX
from walctl.datadir.layout import Layout, understand, understand_all
from walctl.datadir.survey import Survey
from walctl.errors import WalctlError
from walctl.fs.base import FileSystem
from walctl.inspect.advice import advised
from walctl.inspect.checksums import Checksums, compare_files
from walctl.inspect.log_checks import log_findings
from walctl.inspect.member_checks import member_findings
from walctl.inspect.payload_checks import payload_findings
from walctl.inspect.published import learn_urls
from walctl.inspect.reading import ONE_PROCESS, Depth, survey_of
from walctl.inspect.report import Report
from walctl.inspect.segment_checks import segment_findings
from walctl.inspect.start_points import start_points
from walctl.inspect.starts import Starts, starts_of
from walctl.inspect.summary import lost_words, summarise
from walctl.inspect.weigh import BLOCKING, asks_for_start, guarded, weighed
from walctl.model.finding import Severity, Verdict, verdict

_GRAVITY = {Severity.DAMAGE: 0, Severity.HARMLESS: 1, Severity.INFO: 2}
"""The worst comes first, and within one severity the order of the log."""


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
    checksums: Checksums | None = None,
) -> Report:
    """Check everything that `path` holds, and hold its files against `checksums` where given.

    What keeps it from being read becomes `Report.error`.
    """
    try:
        layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
        report = examine(disk, layout, depth=depth).report
        if checksums is not None:
            compared = compare_files(disk, layout, checksums, is_over=depth.is_over)
            report = replace(report, comparison=compared)
        return report
    except WalctlError as error:
        return Report(
            path=path, understood_as="", error=error.message, error_status=error.exit_status
        )


def verify_all(
    disk: FileSystem,
    path: Path,
    *,
    wal_dir: Path | None = None,
    snap_dir: Path | None = None,
    depth: Depth = ONE_PROCESS,
    checksums: Checksums | None = None,
) -> list[Report]:
    """The same for a path that may hold several logs side by side: a report for each."""
    try:
        layouts = understand_all(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
    except WalctlError:
        layouts = []
    if len(layouts) < 2:
        return [
            verify(disk, path, wal_dir=wal_dir, snap_dir=snap_dir, depth=depth, checksums=checksums)
        ]
    return [
        verify(disk, each.path, snap_dir=each.snap_dir, depth=depth, checksums=checksums)
        for each in layouts
    ]


def examine(disk: FileSystem, layout: Layout, *, depth: Depth = ONE_PROCESS) -> Examination:
    """Survey a member and judge it.

    Raises: WalctlError when a part that is there cannot be read, or time is over.
    """
    seen = survey_of(disk, layout, depth=depth)
    findings = [*segment_findings(seen), *log_findings(seen), *payload_findings(disk, seen)]
    findings = [weighed(finding, seen) for finding in findings]
    blocking = [
        finding.code
        for finding in findings
        if finding.code in BLOCKING and finding.severity is Severity.DAMAGE
    ]
    points = start_points(seen, blocking)
    findings += [weighed(finding, seen) for finding in member_findings(seen, points)]
    starts = starts_of(disk, seen) if any(map(asks_for_start, findings)) else Starts()
    findings = guarded(findings, starts)
    findings = [advised(finding, layout, starts.sentence) for finding in findings]
    if verdict(findings) is Verdict.DAMAGED:
        learn_urls(disk, seen)
    findings.sort(key=lambda finding: _GRAVITY[finding.severity])
    report = Report(
        path=layout.path,
        understood_as=str(layout.shape),
        summary=summarise(seen),
        findings=tuple(findings[:FINDINGS_MAX]),
        start_points=tuple(points),
        boots=starts.sentence,
        lost=lost_words(seen, is_clean=verdict(findings) is Verdict.CLEAN),
        notes=tuple(_notes(seen, len(findings))),
        is_partial=depth.is_quick,
        is_moving=seen.is_moving,
        is_member=layout.is_member,
        is_whole_member=layout.is_member and bool(seen.segments) and seen.database is not None,
    )
    return Examination(report=report, survey=seen)


def _notes(seen: Survey, count: int) -> Iterator[str]:
    yield from seen.notes
    for snap in seen.snaps:
        yield from (f"{snap.name}: {note}" for note in snap.notes)
    if seen.database is not None:
        yield from seen.database.notes
    if count > FINDINGS_MAX:
        yield f"{count:,} findings; only {FINDINGS_MAX:,} are kept, the worst of them"
