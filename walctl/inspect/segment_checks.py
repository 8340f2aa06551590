"""What is wrong with the log as files: names, segments, their chain, and the bytes in them.

Works on a survey; reads no file. What the rules of Raft say of the entries is in `log_checks`.
"""

from collections.abc import Iterator
from itertools import pairwise

from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.log import Gap
from walctl.wal import names as wal_names


def segment_findings(survey: Survey) -> Iterator[Finding]:
    """Every finding about names, segments and bytes."""
    if survey.layout.wal_dir is None:
        return
    yield from _names(survey)
    yield from _segments(survey)
    yield from _damage(survey)
    yield from _identity(survey)
    yield from _oversize(survey)


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
    # The first gap of each segment is the one at its beginning.
    gaps = {gap.after.segment: gap for gap in reversed(list(survey.log.gaps()))}
    for before, here in pairwise(survey.segments):
        missing = here.seq - before.seq - 1
        rightful = misplaced.get(here.name.text)
        if rightful is not None and rightful in survey.wal_names:
            continue
        if rightful is not None:
            yield Finding(
                code=Code.SEGMENT_MISSING,
                severity=Severity.DAMAGE,
                place=Place(segment=rightful),
                detail=f"No segment has this name; {here.name.text} is the one that belongs here.",
            )
        elif missing > 0:
            yield _missing_between(gaps, before.name.text, here.name.text, missing)
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


def _missing_between(gaps: dict[str, Gap], before: str, here: str, missing: int) -> Finding:
    lost = gaps.get(here)
    entries = f", with entries {lost.first}–{lost.last}" if lost is not None else ""
    count = "a segment is" if missing == 1 else f"{missing} segments are"
    return Finding(
        code=Code.SEGMENT_MISSING,
        severity=Severity.DAMAGE,
        place=Place(segment=here, index=lost.first if lost is not None else None),
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
