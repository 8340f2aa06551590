"""A cause of a server's message, and the tests that hold it against the numbers in the text and
against the member's directory.

A test gives one of three verdicts with the sentence that it rests on, and never more than it saw:
without a directory most causes cannot be told, and what no file shows stays `cannot-tell` for
good. The pages (the modules `pages_*`) put the tests together; what Raft's numbers mean is in
`panic_cause_raft`.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from walctl.datadir.boot import Boot
from walctl.datadir.survey import Survey
from walctl.inspect.membership import Membership
from walctl.inspect.report import Report
from walctl.model.finding import Code, Finding, Severity, Verdict
from walctl.wal.decoder import Version

EVIDENCE_CHARS_MAX = 320
"""Of a finding's detail; the whole of it is what verify prints."""

ASK = "the text alone does not tell; give the member's directory as well"
PART = "this path is not a whole member, so what it lacks proves nothing"
MOVING = "a server is at work in this directory, so what is not found now proves nothing"


class Fit(enum.StrEnum):
    """How a cause stands against what is known; the best first."""

    FITS = "fits"
    UNKNOWN = "cannot-tell"
    DOES_NOT_FIT = "does-not-fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict, and the one sentence (without a full stop) that it rests on."""

    fit: Fit
    evidence: str


Numbers = Mapping[str, int | str]
"""What stands in the text: indexes and sizes as numbers, ids and checksums in hex as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a cause can be held against; the last four are `None` or empty without a path.

    `version` is the server's own, where the text names it.
    """

    numbers: Numbers = field(default_factory=dict)
    version: str | None = None
    report: Report | None = None
    survey: Survey | None = None
    membership: Membership | None = None
    boots: Mapping[Version, Boot] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """A number of the text; `None` where it was cut off or never stood there."""
        found = self.numbers.get(name)
        return found if isinstance(found, int) else None

    @property
    def ends(self) -> frozenset[int]:
        """Where the log ends: for each version of the server, and for walctl, which reads on
        behind damage."""
        ends = {boot.last_index for boot in self.boots.values() if boot.last_index is not None}
        if self.survey is not None:
            ends.add(self.survey.last_index or 0)
        return frozenset(ends)

    @property
    def set_aside(self) -> str | None:
        """The newest segment that a start has cut, by the whole copy that it left."""
        names = self.survey.wal_names if self.survey is not None else []
        return max((name for name in names if name.endswith(".wal.broken")), default=None)


Test = Callable[[Facts], Judged]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One way in which a message can come about.

    `name` is stable, for scripts. `do` comes before all else when the cause fits. A cause that
    `needs_path` is left out without a directory.
    """

    name: str
    text: str
    test: Test
    do: tuple[str, ...] = ()
    needs_path: bool = False


def fits(evidence: str) -> Judged:
    """The cause is what was seen."""
    return Judged(fit=Fit.FITS, evidence=evidence)


def unknown(evidence: str) -> Judged:
    """Nothing that is there speaks for it or against it."""
    return Judged(fit=Fit.UNKNOWN, evidence=evidence)


def refuted(evidence: str) -> Judged:
    """What is there speaks against it."""
    return Judged(fit=Fit.DOES_NOT_FIT, evidence=evidence)


def told(evidence: str) -> Test:
    """A cause that the text itself names."""
    return lambda facts: fits(evidence)


def elsewhere(evidence: str) -> Test:
    """A cause of which no file of the member says anything; `evidence` is where to look."""
    return lambda facts: unknown(evidence)


def found(
    *codes: Code,
    unless: Sequence[Code] = (),
    where: Callable[[Facts, Finding], bool] = lambda facts, finding: True,
) -> Test:
    """A cause that shows as one of `codes` among the findings, in a place that `where` admits.

    A finding of `unless` explains those of `codes`, which then count no more.
    """

    def test(facts: Facts) -> Judged:
        if facts.report is None:
            return unknown(ASK)
        of_note = [each for each in facts.report.findings if each.severity is not Severity.INFO]
        hidden = [each for each in of_note if each.code in unless]
        hits = [each for each in of_note if each.code in codes and where(facts, each)]
        if hits and not hidden:
            return fits(evidence_of(hits[0]))
        return _absent(facts, " or ".join(codes))

    return test


def intact(evidence: str) -> Test:
    """A cause that lies outside the files: it fits when they are whole and no start of a version
    that walctl knows would end with a message."""

    def test(facts: Facts) -> Judged:
        if facts.report is None:
            return unknown(ASK)
        if facts.report.verdict is Verdict.DAMAGED:
            return refuted("this directory is damaged, which explains the message")
        if not facts.report.is_whole_member or facts.report.is_moving:
            return _absent(facts, "damage")
        return fits(f"walctl reads this directory whole and finds no damage: {evidence}")

    return test


def in_last_segment(facts: Facts, finding: Finding) -> bool:
    """Whether the place is in the segment that the server writes to."""
    segments = facts.survey.segments if facts.survey is not None else []
    return bool(segments) and finding.place.segment == segments[-1].name.text


def sealed(facts: Facts, finding: Finding) -> bool:
    """Whether the place is in a segment that was complete when the next one was begun."""
    return not in_last_segment(facts, finding)


def behind_the_log(facts: Facts, finding: Finding) -> bool:
    """Whether the place lies behind all that can be read of the log."""
    index, last = finding.place.index, facts.survey.last_index if facts.survey else None
    return in_last_segment(facts, finding) and index is not None and index > (last or 0)


def inside_the_log(facts: Facts, finding: Finding) -> bool:
    """Whether entries can be read behind the place."""
    return not behind_the_log(facts, finding)


def either(*tests: Test) -> Test:
    """Several signs of one cause: the best verdict counts."""

    def test(facts: Facts) -> Judged:
        return min((each(facts) for each in tests), key=lambda judged: ORDER[judged.fit])

    return test


ORDER = {fit: number for number, fit in enumerate(Fit)}
"""The causes that fit come first."""


def evidence_of(finding: Finding) -> str:
    """A finding as evidence: its code, its place and the first sentences of its detail."""
    place = finding.place
    where = place.segment or ""
    if place.offset is not None:
        where += f":{place.offset}"
    detail = finding.detail.rstrip(".")
    if len(detail) > EVIDENCE_CHARS_MAX:
        detail = detail[:EVIDENCE_CHARS_MAX].rsplit(" ", 1)[0] + " …"
    return " ".join(filter(None, [f"{finding.code}", where])) + f": {detail}"


def _absent(facts: Facts, what: str) -> Judged:
    """What not finding something is worth in this path."""
    report = facts.report
    if report is not None and report.is_moving:
        return unknown(MOVING)
    if report is None or not report.is_member:
        return unknown(PART)
    return refuted(f"walctl finds no {what} in this directory")
