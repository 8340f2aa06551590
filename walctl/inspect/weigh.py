"""How bad a finding is once the whole member is known: witnesses, and what a start would do.

The checks give a severity by what they see of one part. Here the database, the hard states, the
snapshots and the predicted starts are asked before anything may be called harmless.
"""

from dataclasses import replace

from walctl.datadir.survey import Survey
from walctl.inspect.membership import is_foreign_database
from walctl.inspect.start_points import snap_index
from walctl.inspect.starts import Starts
from walctl.model.finding import Code, Finding, Severity

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

AGAINST_RAFT = frozenset(
    {
        Code.DOUBLE_VOTE,
        Code.COMMITTED_OVERWRITTEN,
        Code.TERM_REGRESSION,
        Code.METADATA_CONFLICT,
        Code.CLUSTER_MISMATCH,
    }
)
"""What breaks Raft's rules: such a log is evidence, and is neither fast-forwarded nor edited."""

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


_OF_A_MOMENT = frozenset(
    {
        Code.TORN_TAIL,
        Code.DB_PAGE,
        Code.DB_BEHIND,
        Code.SNAP_MISSING,
        Code.SNAP_UNMARKED,
        Code.SNAPDB_MISSING,
        Code.MEMBERSHIP_DIFFERS,
    }
)
"""What reading one part after the other makes of a directory that a server writes to."""


def asks_for_start(finding: Finding) -> bool:
    """Whether a person has to know what a start would make of it."""
    return finding.severity is Severity.DAMAGE or (
        finding.severity is Severity.HARMLESS and finding.code in OF_A_START
    )


def weighed(finding: Finding, seen: Survey) -> Finding:
    """A finding, weighed by the other parts of the member.

    An entry that is too large for etcd 3.4 is damage where the database says that it is 3.4. What
    is read of a database or a log's end while a server writes proves nothing. A torn tail is
    harmless when every witness ends in front of it.
    """
    witness = seen.database
    if finding.code is Code.ENTRY_TOO_LARGE:
        version = (witness.cluster_version if witness is not None else None) or ""
        is_refused = version.startswith("3.4.")
        return replace(finding, severity=Severity.DAMAGE) if is_refused else finding
    if finding.code in _OF_A_MOMENT and seen.is_moving:
        return replace(
            finding,
            severity=Severity.INFO,
            detail=f"{finding.detail} A server is at work here: this may be of a moment.",
        )
    return _weighed_tear(finding, seen) if finding.code is Code.TORN_TAIL else finding


def _weighed_tear(finding: Finding, seen: Survey) -> Finding:
    """A torn tail, held against the database (which has to be there), hard states, snapshots.

    What stands behind the tear is cut with it, so only what is in front of it is kept.
    """
    witness = seen.database
    kept = _kept_index(finding, seen)
    if witness is None or witness.defects or seen.tree_defects or is_foreign_database(seen):
        return finding
    applied = seen.applied or 0
    newest_file = max(map(snap_index, seen.snaps), default=0)
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


def _kept_index(finding: Finding, seen: Survey) -> int:
    """The index that the log reaches in front of the finding's place."""
    place = (finding.place.segment or "", finding.place.offset or 0)
    runs = [run.last for run in seen.runs if (run.segment, run.start) < place]
    marks = [each.mark.index for each in seen.marks if (each.segment, each.offset) < place]
    return max(runs[-1] if runs else 0, *marks, 0)


def guarded(findings: list[Finding], starts: Starts) -> list[Finding]:
    """The findings, of which none is harmless that keeps every version from starting, or costs it
    entries: whatever a check thought of its own part, the outcome counts."""
    if starts.some_serve and not starts.drops_entries:
        return findings
    return [
        replace(finding, severity=Severity.DAMAGE)
        if finding.severity is Severity.HARMLESS and finding.code in OF_A_START
        else finding
        for finding in findings
    ]
