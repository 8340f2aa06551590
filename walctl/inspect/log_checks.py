"""What is wrong with the log as a log: the rules that hold for the entries and states of any Raft.

Works on a survey; reads no file. Names, segments and bytes are in `segment_checks`, snapshots and
the database in `member_checks`.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice, pairwise

from formats.limits import FINDINGS_MAX
from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.log import Gap, Overwrite, StateStep


def log_findings(survey: Survey) -> Iterator[Finding]:
    """Every finding about indexes, terms, commits and votes."""
    yield from _gaps(survey)
    yield from _terms(survey)
    yield from _states(survey)
    yield from _overwrites(survey)


def _gaps(survey: Survey) -> Iterator[Finding]:
    newest = newest_start(survey)
    for gap in islice(_holes(survey), FINDINGS_MAX):
        below = gap.last <= newest
        yield Finding(
            code=Code.INDEX_GAP,
            severity=Severity.HARMLESS if below else Severity.DAMAGE,
            place=Place(
                segment=gap.after.segment,
                offset=gap.after.start,
                index=gap.first,
                term=gap.after.term,
            ),
            detail=(
                f"Entry {gap.before.last} is followed by entry {gap.after.first}; no record has"
                f" {entry_range(gap.first, gap.last)}, and no snapshot was installed in between."
                + (f" A start reads only what is behind snapshot {newest}." if below else "")
            ),
        )


def _holes(survey: Survey) -> Iterator[Gap]:
    """Gaps that nothing makes legal and no damage accounts for."""
    for gap in survey.log.gaps():
        if not survey.is_bridged(gap) and not _is_explained(survey, gap):
            yield gap


def entry_range(first: int, last: int) -> str:
    """`entry 5`, or `entries 5–9`."""
    return f"entry {first}" if first == last else f"entries {first}–{last}"


def _is_explained(survey: Survey, gap: Gap) -> bool:
    """Whether damaged bytes, or a missing segment, already account for it."""
    for named in survey.named:
        lost = named.lost
        if lost is not None and lost[1] is not None and lost[0] <= gap.first <= gap.last <= lost[1]:
            return True
    for before, here in pairwise(survey.segments):
        between = gap.before.segment <= before.name.text and here.name.text <= gap.after.segment
        if here.seq - before.seq > 1 and between:
            return True
    return False


def _terms(survey: Survey) -> Iterator[Finding]:
    for before, after in survey.log.term_falls():
        yield Finding(
            code=Code.TERM_REGRESSION,
            severity=Severity.DAMAGE,
            place=Place(
                segment=after.segment, offset=after.start, index=after.first, term=after.term
            ),
            detail=(
                f"Entry {before.last} has term {before.term}, entry {after.first} behind it term"
                f" {after.term}: no Raft log goes back in term."
            ),
        )


def _states(survey: Survey) -> Iterator[Finding]:
    forced = _forced_places(survey) if survey.steps else []
    for step in survey.steps:
        yield _state_step(step, forced=_is_forced(forced, step), is_kept=_is_kept(survey, step))
    last, reaches = survey.last_state, survey.last_index or 0
    if last is not None and last.state.commit > reaches:
        yield Finding(
            code=Code.COMMIT_BEYOND_LOG,
            severity=Severity.DAMAGE,
            place=Place(
                segment=last.segment,
                offset=last.offset,
                index=last.state.commit,
                term=last.state.term,
            ),
            detail=(
                f"The last hard state says that entries up to {last.state.commit} are committed,"
                f" but the log ends at {reaches}."
            ),
        )


def _forced_places(survey: Survey) -> list[tuple[str, int]]:
    """Where `--force-new-cluster` wrote: membership changes in the place of entries of one term."""
    changed = {each.entry.index for each in survey.conf_changes}
    return sorted(
        (each.run.segment, each.run.start)
        for each in survey.log.overwrites
        if each.replaced_term == each.run.term and each.run.first in changed
    )


def _is_forced(places: list[tuple[str, int]], step: StateStep) -> bool:
    """Whether one of the sorted `places` lies between two hard states."""
    position = bisect_right(places, (step.before.segment, step.before.offset))
    after = (step.after.segment, step.after.offset)
    return position < len(places) and places[position] < after


def _is_kept(survey: Survey, step: StateStep) -> bool:
    """Whether a commit alone goes back, and all that was committed is there: then Raft commits it
    again, and nothing is lost."""
    before, after = step.before.state, step.after.state
    is_commit_alone = (before.term, before.vote) == (after.term, after.vote)
    return is_commit_alone and survey.log.contiguous_from(after.commit) >= before.commit


def _state_step(step: StateStep, *, forced: bool, is_kept: bool) -> Finding:
    before, after = step.before.state, step.after.state
    place = Place(
        segment=step.after.segment, offset=step.after.offset, index=after.commit, term=after.term
    )
    if after.term == before.term and before.vote and after.vote != before.vote:
        return Finding(
            code=Code.DOUBLE_VOTE,
            severity=Severity.DAMAGE,
            place=place,
            detail=(
                f"In term {after.term} the member had voted for {before.vote:x}, and then the"
                f" vote is {after.vote:x}: two leaders of one term become possible."
            ),
        )
    return Finding(
        code=Code.STATE_REGRESSION,
        severity=(Severity.INFO if forced else Severity.HARMLESS if is_kept else Severity.DAMAGE),
        place=place,
        detail=(
            f"A hard state goes back: term {before.term}, commit {before.commit} is followed by"
            f" term {after.term}, commit {after.commit}."
            + (" The log was forced into a new cluster, which does that." if forced else "")
            + (" The entries in between are all there." if is_kept and not forced else "")
        ),
    )


def _overwrites(survey: Survey) -> Iterator[Finding]:
    for each in survey.log.overwrites:
        if each.run.first <= each.commit_before and not each.run.is_recovered:
            yield _committed_overwritten(each)


def _committed_overwritten(each: Overwrite) -> Finding:
    last = min(each.replaced_last, each.commit_before)
    return Finding(
        code=Code.COMMITTED_OVERWRITTEN,
        severity=Severity.DAMAGE,
        place=Place(
            segment=each.run.segment,
            offset=each.run.start,
            index=each.run.first,
            term=each.run.term,
        ),
        detail=(
            f"Entries {each.run.first}–{last} of term {each.replaced_term} had been committed"
            f" (commit {each.commit_before}), and are written again with term {each.run.term}."
        ),
    )
