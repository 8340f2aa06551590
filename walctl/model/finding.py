"""Findings: what is wrong, how bad it is, where, and what to do; no format, no screen.

`Code` is the list that scripts rely on; `walctl explain CODE` has a page for each.
"""

import enum
from dataclasses import dataclass, field


class Code(enum.StrEnum):
    """Stable kebab-case names of everything that can be found."""

    TORN_TAIL = "torn-tail"
    CRC_MISMATCH = "crc-mismatch"
    BAD_LENGTH = "bad-length"
    BAD_PADDING = "bad-padding"
    BAD_RECORD = "bad-record"
    TYPE_SUSPECT = "type-suspect"
    ZERO_HOLE = "zero-hole"
    TRAILING_GARBAGE = "trailing-garbage"
    CHAIN_BREAK = "chain-break"
    SEGMENT_MISSING = "segment-missing"
    SEGMENT_NAME = "segment-name"
    SEGMENT_HEAD = "segment-head"
    SEGMENT_EMPTY = "segment-empty"
    METADATA_CONFLICT = "metadata-conflict"
    LEFTOVER = "leftover"

    INDEX_GAP = "index-gap"
    TERM_REGRESSION = "term-regression"
    COMMIT_BEYOND_LOG = "commit-beyond-log"
    STATE_REGRESSION = "state-regression"
    DOUBLE_VOTE = "double-vote"
    COMMITTED_OVERWRITTEN = "committed-overwritten"
    PAYLOAD_UNDECODABLE = "payload-undecodable"
    ENTRY_TOO_LARGE = "entry-too-large"

    SNAP_CRC = "snap-crc"
    SNAP_UNDECODABLE = "snap-undecodable"
    SNAP_MISSING = "snap-missing"
    SNAP_UNMARKED = "snap-unmarked"
    SNAPDB_MISSING = "snapdb-missing"

    DB_MISSING = "db-missing"
    DB_PAGE = "db-page"
    DB_BEHIND = "db-behind"
    DB_AHEAD = "db-ahead"
    DB_DIFFERS = "db-differs"

    DIVERGED_COMMITTED = "diverged-committed"
    DIVERGED_TAIL = "diverged-tail"
    CLUSTER_MISMATCH = "cluster-mismatch"
    MEMBERSHIP_DIFFERS = "membership-differs"
    HASH_DIFFERS = "hash-differs"


class Severity(enum.StrEnum):
    """How bad a finding is, for one who is about to start the server."""

    INFO = "info"
    """Worth knowing; nothing is wrong. Does not change the verdict."""
    HARMLESS = "harmless"
    """Not as it should be, but starting the server loses nothing."""
    DAMAGE = "damage"
    """Something is lost, or would be if the server were started."""


class Verdict(enum.StrEnum):
    """The answer for one path: the worst severity among its findings."""

    CLEAN = "clean"
    HARMLESS = "harmless"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where: a file name within the member, bytes from its start, a Raft position; all optional."""

    segment: str | None = None
    offset: int | None = None
    index: int | None = None
    term: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was seen.

    `detail` is the evidence in a sentence or two; `consequence` what the server would do with it,
    by version; `next` the exact command or act that helps. `stop` is the end of the bytes
    concerned in `place.segment` (half-open), where that is known.
    """

    code: Code
    severity: Severity
    place: Place = field(default_factory=Place)
    detail: str
    consequence: str = ""
    next: str = ""
    stop: int | None = None


def verdict(findings: list[Finding]) -> Verdict:
    """The worst severity decides; information alone leaves a path clean."""
    severities = {finding.severity for finding in findings}
    if Severity.DAMAGE in severities:
        return Verdict.DAMAGED
    if Severity.HARMLESS in severities:
        return Verdict.HARMLESS
    return Verdict.CLEAN
