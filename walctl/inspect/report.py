"""What verify answers for one path: verdict, summary, findings, start points; values only."""

from dataclasses import dataclass, field
from pathlib import Path

from walctl.errors import ExitStatus
from walctl.inspect.checksums import Comparison
from walctl.model.finding import Finding, Severity, Verdict, verdict
from walctl.model.record import HardState

_STATUS = {
    Verdict.CLEAN: ExitStatus.CLEAN,
    Verdict.HARMLESS: ExitStatus.HARMLESS,
    Verdict.DAMAGED: ExitStatus.DAMAGE,
}

# Several paths: 4 over 1 over 3 over 0; and what makes no sense is never passed over.
_ORDER = (
    ExitStatus.USAGE,
    ExitStatus.UNFINISHED,
    ExitStatus.DAMAGE,
    ExitStatus.HARMLESS,
    ExitStatus.CLEAN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPoint:
    """A snapshot that a member could start from; index 0 is the beginning of the log.

    `last_index` is how far the log goes on from there without a hole. `blocked_by` are codes, and
    the point is usable when there are none. `set_aside`, told of the
    newest usable point only, are newer `.snap` files that would have to be moved away, because the
    server takes the newest one.
    """

    snapshot_index: int
    snapshot_term: int
    last_index: int
    blocked_by: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether nothing blocks it."""
        return not self.blocked_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of one member. Indexes are of entries that can be read; `None` where there are none.
    `holes` are gaps between them that no installed snapshot bridges.

    `records` and `entries` count what is readable, overwritten entries included; `bytes` are those
    of the segments up to the end of their frames. `applied_*` is what the database says.
    """

    segments: int
    holes: int
    records: int
    entries: int
    bytes: int
    first_index: int | None
    last_index: int | None
    hard_state: HardState | None
    node_id: int | None
    cluster_id: int | None
    snapshots: tuple[tuple[int, int], ...]
    """(index, term) of the usable `.snap` files, newest first."""
    applied_index: int | None = None
    applied_term: int | None = None
    version: str | None = None
    """Cluster version by the database or a snapshot, such as `3.5.0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer for one path.

    `boots` are sentences by version: what a start of the server would do; `lost` says what of the
    log cannot be read, and whether its effect is in the database. `is_member`: a server
    could be started on it; `is_whole_member`: log and database were both there to be judged.
    `is_moving`: a server was at work, so all of it is of a moment. `error` is set, and all
    else empty, when the path could not be examined. `notes` are facts that change no verdict.
    """

    path: Path
    understood_as: str
    summary: Summary | None = None
    findings: tuple[Finding, ...] = ()
    start_points: tuple[StartPoint, ...] = ()
    boots: str = ""
    lost: str = ""
    notes: tuple[str, ...] = field(default=())
    is_partial: bool = False
    """Only a part was read (`--quick`, `--time-limit`): no verdict on the rest."""
    is_moving: bool = False
    is_member: bool = False
    is_whole_member: bool = False
    comparison: Comparison | None = None
    """The files against a list of checksums, where one was given; it changes no verdict."""
    error: str | None = None
    error_status: ExitStatus = ExitStatus.UNFINISHED

    @property
    def verdict(self) -> Verdict:
        """The worst severity among the findings."""
        return verdict(list(self.findings))

    @property
    def exit_status(self) -> ExitStatus:
        """What a command that shows only this report ends with."""
        if self.error is not None:
            return self.error_status
        return ExitStatus.DAMAGE if self.is_unlike_list else _STATUS[self.verdict]

    @property
    def is_unlike_list(self) -> bool:
        """Whether files are not as the list of checksums has them."""
        return self.comparison is not None and bool(self.comparison.differences)

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of one severity, in order."""
        return [finding for finding in self.findings if finding.severity is severity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The answer to a service manager: may the server be started? `reason` is empty when it may."""

    is_open: bool
    status: ExitStatus
    reason: str = ""


def gate(reports: list[Report], *, is_strict: bool) -> Gate:
    """What a gate says of these paths; a strict one opens only for clean members, all of them.

    A gate that stays shut ends with the worst status of the reports, or with 4 where they do not
    say enough.
    """
    status = worst(reports)
    if any(report.is_partial for report in reports):
        return Gate(is_open=False, status=ExitStatus.UNFINISHED, reason="only a part was read")
    if is_strict and not all(report.is_whole_member for report in reports):
        reason = "not a whole member with its database"
        return Gate(is_open=False, status=ExitStatus.UNFINISHED, reason=reason)
    if status is ExitStatus.CLEAN or (status is ExitStatus.HARMLESS and not is_strict):
        return Gate(is_open=True, status=ExitStatus.CLEAN)
    is_damaged = any(report.verdict is Verdict.DAMAGED for report in reports)
    reason = {
        ExitStatus.HARMLESS: "not clean",
        ExitStatus.DAMAGE: "damaged" if is_damaged else "files are not as listed",
    }.get(status, "could not be read")
    return Gate(is_open=False, status=status, reason=reason)


def worst(reports: list[Report]) -> ExitStatus:
    """The exit status for several paths."""
    found = {report.exit_status for report in reports}
    return next((status for status in _ORDER if status in found), ExitStatus.CLEAN)
