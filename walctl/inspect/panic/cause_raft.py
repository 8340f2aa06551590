"""What the numbers in Raft's panics tell, alone and held against the member's log.

`tocommit(X) is out of range [lastIndex(Y)]`: a leader tells each follower at most what that
follower has acknowledged, so X is a promise that this member once made and Y is what it has left.
`state.commit C is out of range [F, L]`: the member's own hard state calls C committed, and its log
runs from the snapshot F to L.

Source: raft-core notes 4.2 and 15; incidents I7, I8, I14, I15, I36 to I41.
"""

from walctl.inspect.panic.cause import (
    ASK,
    MOVING,
    PART,
    Facts,
    Fit,
    Judged,
    evidence_of,
    fits,
    refuted,
    unknown,
)
from walctl.model.finding import Code, Severity

FIRST_START_ENTRIES_MAX = 9
"""What a first start writes before anything else: one membership change a member."""
TAIL_ENTRIES_MAX = 100
"""A loss of up to this many entries looks like the end of a log, a longer one like an old copy."""

_TAIL_CODES = frozenset(
    {Code.TORN_TAIL, Code.DB_AHEAD, Code.SEGMENT_EMPTY, Code.ZERO_HOLE, Code.BAD_LENGTH}
)


def wiped(facts: Facts) -> Judged:
    """Whether the log was begun anew under an id that others know."""
    last = facts.number("last_index")
    if facts.survey is not None:
        return _begun_anew(facts)
    if last is None:
        return unknown("the text does not say where the log ends")
    if last == 0:
        return fits("lastIndex(0): its log held nothing at all when the leader spoke")
    if last <= FIRST_START_ENTRIES_MAX:
        return fits(
            f"lastIndex({last}) is what a first start writes, one membership change a member"
        )
    return refuted(f"a log that was begun anew would not have reached {last}")


def _begun_anew(facts: Facts) -> Judged:
    survey = facts.survey
    assert survey is not None
    first, last = survey.log.first, survey.log.last or 0
    if not last and not survey.marks:
        return fits("this directory holds no entry")
    if first == 1 and last <= len(survey.conf_changes):
        return fits(f"this log holds nothing but the {last} membership changes of a first start")
    return refuted(f"this log holds entries {first}–{last}, more than a first start writes")


def tail_lost(facts: Facts) -> Judged:
    """Whether the end of the log is gone, while the rest of the member remembers it."""
    if facts.survey is not None:
        return _remembered(facts)
    gap = _gap(facts)
    if gap is None:
        return unknown(ASK)
    if facts.number("last_index") == 0:
        return refuted("the whole log is gone, not its end")
    if gap <= TAIL_ENTRIES_MAX:
        return fits(f"{_entries(gap)} missing: few, as when the end of a log is lost")
    return unknown(f"{_entries(gap)} missing: many for the end of a log, but it can be")


def _remembered(facts: Facts) -> Judged:
    survey, report = facts.survey, facts.report
    assert survey is not None
    assert report is not None
    end = survey.last_index or 0
    if survey.applied is not None and survey.applied > end:
        return fits(
            f"the database has applied {survey.applied}, so this member held every entry up to"
            f" that; its log ends at {end}"
        )
    damage = [each for each in report.of(Severity.DAMAGE) if each.code in _TAIL_CODES]
    if damage:
        return fits(evidence_of(damage[0]))
    if facts.set_aside is not None:
        return fits(f"{facts.set_aside} lies beside the segments: a start has cut the log here")
    if survey.commit_max > end:
        return fits(f"a hard state calls {survey.commit_max} committed; the log ends at {end}")
    if not report.is_member:
        return unknown(PART)
    if report.is_moving:
        return unknown(MOVING)
    if survey.database_problem is not None:
        return unknown("the database does not read, so it cannot be asked what it has applied")
    return refuted("log, snapshots and database of this directory end together; none is cut")


def one_short(facts: Facts) -> Judged:
    """Whether exactly one entry is missing, the one that was written last."""
    gap = _gap(facts)
    if gap is None:
        return unknown("the text does not have both numbers")
    if gap == 1:
        return fits(f"only entry {facts.number('commit')} is missing, the one behind the last")
    return refuted(f"{_entries(gap)} missing, not one")


def older_copy(facts: Facts) -> Judged:
    """Whether the directory is whole in itself and simply older than what others remember."""
    survey, gap = facts.survey, _gap(facts)
    if survey is None:
        if gap is None or facts.number("last_index") == 0:
            return unknown(ASK)
        if gap > TAIL_ENTRIES_MAX:
            return fits(f"{_entries(gap)} missing: many, as in a copy or a disk image of long ago")
        return unknown(f"{_entries(gap)} missing: a copy of moments before looks the same")
    kept = _remembered(facts)
    if kept.fit is Fit.FITS:
        return refuted("its parts do not agree with each other, as those of one copy would")
    if _begun_anew(facts).fit is Fit.FITS:
        return refuted("the log was begun anew")
    if kept.fit is Fit.UNKNOWN:
        return kept
    return fits(
        f"log, snapshots and database agree with each other and simply end at {survey.last_index}"
    )


def id_again(facts: Facts) -> Judged:
    """Whether the log itself shows that this id was given up or given twice."""
    survey, members = facts.survey, facts.membership
    if survey is None or members is None:
        return unknown("compare the member id in the server's log with `etcdctl member list`")
    if len(survey.metadata) > 1:
        return fits("this log names more than one member or cluster")
    ids = {peer.id for peer in members.best.peers} if members.best is not None else set()
    if ids and members.own_id is not None and members.own_id not in ids:
        return fits(f"a committed change in this log removed this member, {members.own_id:x}")
    own = "unknown" if members.own_id is None else f"{members.own_id:x}"
    return unknown(f"this log does not show it; compare {own} with `etcdctl member list`")


def other_directory(facts: Facts) -> Judged:
    """Whether the text is of another directory, or of another time, than the one at hand."""
    last = facts.number("last_index")
    if last is None or facts.survey is None:
        return unknown("the text does not say where the log ends")
    if last in facts.ends:
        return refuted(f"this log ends at {last}, as the text says")
    ends = " or ".join(str(end) for end in sorted(facts.ends))
    return fits(f"this log ends at {ends}, the text says {last}: not the directory as it was then")


def commit_below_snapshot(facts: Facts) -> Judged:
    """Whether the hard state is older than the snapshot that the log starts from."""
    commit, first = facts.number("commit"), facts.number("first_index")
    if commit is None or first is None:
        return unknown("the text does not have both numbers")
    if commit < first:
        return fits(f"the hard state says {commit}, the snapshot is already at {first}")
    return refuted(f"the hard state's {commit} is not below the snapshot's {first}")


def nothing_behind_snapshot(facts: Facts) -> Judged:
    """Whether the log holds no entry at all behind its snapshot."""
    commit, first, last = (
        facts.number("commit"),
        facts.number("first_index"),
        facts.number("last_index"),
    )
    if commit is None or first is None or last is None:
        return unknown("the text does not have all numbers")
    if first == last and commit > last:
        return fits(f"[{first}, {last}]: behind the snapshot the server found no entry at all")
    return refuted(f"the server found entries up to {last}")


def entries_lost(facts: Facts) -> Judged:
    """Whether several entries that the hard state calls committed are not in the log."""
    gap, commit = _gap(facts), facts.number("commit")
    if gap is None or commit is None:
        return unknown(ASK)
    if gap <= 1:
        return refuted("at most one entry is missing")
    if facts.survey is None:
        return fits(f"{_entries(gap)} missing: {(facts.number('last_index') or 0) + 1}–{commit}")
    applied = facts.survey.applied or 0
    where = (
        f"their effect is in the database, which has applied {applied}"
        if applied >= commit
        else f"the database has applied {applied} only"
    )
    if (facts.survey.last_index or 0) >= commit:
        return refuted(f"walctl reads entries up to {facts.survey.last_index} in this log")
    return fits(f"{_entries(gap)} missing; {where}")


def cut_by_a_start(facts: Facts) -> Judged:
    """Whether an earlier start has cut the log and left the hard state as it was."""
    if facts.survey is None:
        return unknown("look for a `.wal.broken` file beside the segments")
    if facts.set_aside is None:
        return refuted("no `.wal.broken` file lies beside the segments")
    return fits(f"{facts.set_aside} lies beside the segments: a start has cut the log there")


def other_member(facts: Facts) -> Judged:
    """Whether the panic is another member's, or of another time, than the directory at hand."""
    if facts.survey is None or facts.membership is None:
        return unknown(ASK)
    said, own, commit = (
        facts.numbers.get("member_id"),
        facts.membership.own_id,
        facts.number("commit"),
    )
    if isinstance(said, str) and own is not None and int(said, 16) != own:
        return fits(f"the text is of member {said}, this directory is that of {own:x}")
    if commit is not None and facts.survey.commit != commit:
        return fits(f"the text says commit {commit}, the hard state here {facts.survey.commit}")
    return refuted("member and commit are those of the text")


def _gap(facts: Facts) -> int | None:
    commit, last = facts.number("commit"), facts.number("last_index")
    return commit - last if commit is not None and last is not None else None


def _entries(count: int) -> str:
    return "1 entry is" if count == 1 else f"{count:,} entries are"
