"""What is wrong with the log itself: segments, their chain, and the rules of every Raft log.

Works on a survey; reads no file. Snapshots and the database are in `member_checks`.
"""

from collections.abc import Iterator
from itertools import pairwise

from walctl.datadir.survey import Survey
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.log import Gap, Overwrite, StateStep
from walctl.wal import names as wal_names


def log_findings(survey: Survey) -> Iterator[Finding]:
    """Every finding about the log, in the order: names, bytes, rules of Raft."""
    if survey.layout.wal_dir is None:
        return
    yield from _names(survey)
    yield from _segments(survey)
    yield from _damage(survey)
    yield from _identity(survey)
    yield from _gaps(survey)
    yield from _terms(survey)
    yield from _states(survey)
    yield from _overwrites(survey)
    yield from _oversize(survey)


def newest_start(survey: Survey) -> int:
    """Index of the newest snapshot that etcd would take (readable, and marked in the log), or 0."""
    marked = {(placed.mark.term, placed.mark.index) for placed in survey.marks}
    usable = [
        snap.index or 0
        for snap in survey.snaps
        if snap.is_usable and (snap.term or 0, snap.index or 0) in marked
    ]
    return max(usable, default=0)


def _names(survey: Survey) -> Iterator[Finding]:
    for text in survey.wal_names:
        name = wal_names.parse(text)
        if name is None and text.endswith(".wal"):
            yield Finding(
                code=Code.SEGMENT_NAME,
                severity=Severity.HARMLESS,
                place=Place(segment=text),
                detail="The name is not of the form SEQ-INDEX.wal, so etcd passes the file over.",
            )
        elif name is not None and not name.is_canonical:
            yield Finding(
                code=Code.SEGMENT_NAME,
                severity=Severity.HARMLESS,
                place=Place(segment=text),
                detail=(
                    "etcd reads this name, but writes"
                    f" {wal_names.format_name(seq=name.seq, index=name.index)}."
                ),
            )
    for misplaced in survey.misplaced:
        yield Finding(
            code=Code.SEGMENT_NAME,
            severity=Severity.DAMAGE,
            place=Place(segment=misplaced.name.text),
            detail=(
                "Its first record continues the checksum of another segment than the one that its"
                f" name puts in front of it: its rightful name is {misplaced.rightful}."
            ),
        )
    yield from _leftovers(survey)


def _leftovers(survey: Survey) -> Iterator[Finding]:
    """Files in `wal/` and beside it that no log needs."""
    for text in survey.wal_names:
        if text.endswith(".wal"):
            continue
        spare = text.endswith(".tmp")
        what = (
            "A spare segment that etcd prepares ahead; a clean stop removes it, a kill does not."
            if spare
            else "A copy that etcd's own repair made before it cut a segment: the log lost its end"
            " once. Keep it."
            if text.endswith(".broken")
            else "Not a file of etcd's."
        )
        yield Finding(
            code=Code.LEFTOVER,
            severity=Severity.HARMLESS if text.endswith(".broken") else Severity.INFO,
            place=Place(segment=text),
            detail=what,
        )
    for text in survey.siblings:
        yield Finding(
            code=Code.LEFTOVER,
            severity=Severity.HARMLESS,
            place=Place(segment=text),
            detail="A log directory whose creation was not finished; etcd does not read it.",
        )


def _segments(survey: Survey) -> Iterator[Finding]:
    absent = list(_names_without_file(survey))
    yield from absent
    if not survey.segments:
        if not absent:
            yield _no_segments(survey)
        return
    yield from _first_segment(survey)
    misplaced = {each.name.text: each.rightful for each in survey.misplaced}
    for before, here in pairwise(survey.segments):
        missing = here.name.seq - before.name.seq - 1
        if here.name.text in misplaced:
            yield Finding(
                code=Code.SEGMENT_MISSING,
                severity=Severity.DAMAGE,
                place=Place(segment=misplaced[here.name.text]),
                detail=f"No segment has this name; {here.name.text} is the one that belongs here.",
            )
        elif missing > 0:
            yield _missing_between(survey, before.name.text, here.name.text, missing)
    last = len(survey.segments) - 1
    for position, segment in enumerate(survey.segments):
        digest = segment.digest
        if not digest.items:
            where = "the last segment" if position == last else "a sealed segment"
            yield Finding(
                code=Code.SEGMENT_EMPTY,
                severity=Severity.DAMAGE,
                place=Place(segment=digest.segment, offset=0),
                detail=(
                    f"{digest.size:,} bytes, and no record among them. etcd never leaves {where}"
                    " without its head, so records may have been lost here."
                ),
                stop=digest.size,
            )
        elif digest.head is not None and not digest.has_head:
            yield Finding(
                code=Code.SEGMENT_HEAD,
                severity=Severity.HARMLESS if position else Severity.DAMAGE,
                place=Place(segment=digest.segment, offset=0),
                detail=(
                    "The segment does not begin with a checksum and metadata record: etcd went on"
                    " writing to a segment that had been emptied."
                ),
            )
        for offset in digest.odd_padding[:1]:
            count = len(digest.odd_padding)
            frames = "frame" if count == 1 else "frames"
            yield Finding(
                code=Code.BAD_PADDING,
                severity=Severity.HARMLESS,
                place=Place(segment=digest.segment, offset=offset),
                detail=(
                    f"Padding or unused length bits are not zero ({count:,} {frames}). No checksum"
                    " covers them and etcd does not look at them."
                ),
            )


def _names_without_file(survey: Survey) -> Iterator[Finding]:
    """Segments of which there is a name, but no plain file behind it.

    A name in front of the first one that was read is none of these: a purge takes those away, and
    a quick check passes them over.
    """
    read = {segment.digest.segment for segment in survey.segments}
    first = min((segment.name.seq for segment in survey.segments), default=-1)
    for text in survey.wal_names:
        name = wal_names.parse(text)
        if name is not None and text not in read and name.seq > first:
            yield Finding(
                code=Code.SEGMENT_MISSING,
                severity=Severity.DAMAGE,
                place=Place(segment=text),
                detail=(
                    "There is this name, but no plain file behind it: it is a directory, a pipe, a"
                    " device, or a link that leads nowhere. What the segment held cannot be read."
                ),
                consequence="3.4–3.6: do not start: the name cannot be opened as a segment",
            )


def _no_segments(survey: Survey) -> Finding:
    where = "is missing" if survey.wal_missing else "holds no segment"
    return Finding(
        code=Code.SEGMENT_MISSING,
        severity=Severity.DAMAGE,
        place=Place(),
        detail=f"The log directory {where}. etcd takes that for a new member.",
    )


def _first_segment(survey: Survey) -> Iterator[Finding]:
    """A log that does not reach back to 1 needs a snapshot at its beginning."""
    first = survey.segments[0]
    begins = survey.log.first
    reaches = first.name.index == 0 and first.name.seq == 0
    if survey.layout.only_segment is not None or reaches:
        return
    reached = newest_start(survey)
    if survey.layout.snap_dir is None:
        # Without the snapshot files, the log's own markers have to be believed.
        reached = max((placed.mark.index for placed in survey.marks), default=0)
    if begins is None or begins - 1 <= reached:
        return
    yield Finding(
        code=Code.SEGMENT_MISSING,
        severity=Severity.DAMAGE,
        place=Place(segment=first.name.text, index=1),
        detail=(
            f"The log begins with entry {begins} and no usable snapshot reaches it: the segments"
            f" with entries 1–{begins - 1} are missing."
        ),
    )


def _missing_between(survey: Survey, before: str, here: str, missing: int) -> Finding:
    lost = [gap for gap in survey.log.gaps() if gap.after.segment >= here >= gap.before.segment]
    entries = f", with entries {lost[0].first}–{lost[0].last}" if lost else ""
    count = "a segment is" if missing == 1 else f"{missing} segments are"
    return Finding(
        code=Code.SEGMENT_MISSING,
        severity=Severity.DAMAGE,
        place=Place(segment=here, index=lost[0].first if lost else None),
        detail=f"Between {before} and {here} {count} missing{entries}.",
    )


def _damage(survey: Survey) -> Iterator[Finding]:
    for named in survey.named:
        yield named.finding()


def _identity(survey: Survey) -> Iterator[Finding]:
    for before, after in pairwise(survey.metadata):
        yield Finding(
            code=Code.METADATA_CONFLICT,
            severity=Severity.DAMAGE,
            place=Place(segment=after.segment, offset=after.offset),
            detail=(
                f"Metadata of member {_id(after.metadata.node_id)} of cluster"
                f" {_id(after.metadata.cluster_id)}, where the log so far was that of member"
                f" {_id(before.metadata.node_id)} of cluster {_id(before.metadata.cluster_id)}."
            ),
        )


def _id(value: int | None) -> str:
    return "unknown" if value is None else f"{value:x}"


def _gaps(survey: Survey) -> Iterator[Finding]:
    newest = newest_start(survey)
    for gap in survey.log.gaps():
        if is_legal_gap(survey, gap) or _is_explained(survey, gap):
            continue
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


def entry_range(first: int, last: int) -> str:
    """`entry 5`, or `entries 5–9`."""
    return f"entry {first}" if first == last else f"entries {first}–{last}"


def is_legal_gap(survey: Survey, gap: Gap) -> bool:
    """Whether a snapshot that was installed before the gap bridges it."""
    return any(
        placed.mark.index >= gap.after.first - 1
        and (placed.segment, placed.offset) < (gap.after.segment, gap.after.start)
        for placed in survey.marks
    )


def _is_explained(survey: Survey, gap: Gap) -> bool:
    """Whether damaged bytes, or a missing segment, already account for it."""
    for named in survey.named:
        lost = named.lost
        if lost is not None and lost[0] <= gap.first and (lost[1] is None or lost[1] >= gap.last):
            return True
    for before, here in pairwise(survey.segments):
        between = gap.before.segment <= before.name.text and here.name.text <= gap.after.segment
        if here.name.seq - before.name.seq > 1 and between:
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
    forced = any(each.replaced_term == each.run.term for each in survey.log.overwrites)
    for step in survey.steps:
        yield _state_step(step, forced=forced)
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


def _state_step(step: StateStep, *, forced: bool) -> Finding:
    before, after = step.before.state, step.after.state
    place = Place(
        segment=step.after.segment, offset=step.after.offset, index=after.commit, term=after.term
    )
    if after.term == before.term and before.vote and after.vote not in (before.vote,):
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
        severity=Severity.INFO if forced else Severity.DAMAGE,
        place=place,
        detail=(
            f"A hard state goes back: term {before.term}, commit {before.commit} is followed by"
            f" term {after.term}, commit {after.commit}."
            + (" The log was forced into a new cluster, which does that." if forced else "")
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


def _oversize(survey: Survey) -> Iterator[Finding]:
    for segment in survey.segments:
        for stretch in segment.digest.stretches:
            for run in stretch.oversize:
                yield Finding(
                    code=Code.ENTRY_TOO_LARGE,
                    severity=Severity.HARMLESS,
                    place=Place(
                        segment=run.segment, offset=run.start, index=run.first, term=run.term
                    ),
                    detail=(
                        f"A record of {run.stop - run.start:,} bytes: etcd 3.4 and 3.5.0–3.5.4"
                        " refuse to read 10 MiB and more, even what they wrote themselves."
                    ),
                    stop=run.stop,
                )
