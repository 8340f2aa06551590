"""The places of a log at which something is missing, in the order of the file.

A seam is where two readable stretches meet that did not meet when they were written: bytes between
them are damaged, or whole segments are gone. Whether entries are missing there follows from the
last index in front and the first one behind; what the hard state was, from whether one stands
behind the last seam. The end of a log is a seam too where it was not seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from formats.walpb import RecordType
from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey
from walctl.inspect.membership import is_foreign_database
from walctl.model.finding import Code
from walctl.model.log import PlacedMark, Run, Stretch
from walctl.wal.scan import Damage

MISSING_MAX = 1000
"""Segments that are made anew at most; more are missing by a forged name, not by a fault."""


@dataclass(slots=True, kw_only=True)
class Seam:
    """One place: in front of item `item` of segment `position` (both count from 0).

    `reached` is the last index in front. `behind` is the index of the next entry behind it, `None`
    when another seam comes first, a marker bridges the gap, or the log ends. `missing` are the
    numbers of the segments that are gone here, all in front of segment `position`.
    """

    position: int
    item: int
    reached: int
    behind: int | None = None
    is_end: bool = False
    missing: tuple[int, ...] = ()


@dataclass(slots=True, kw_only=True)
class Seams:
    """Every seam of a log; `is_state_known` says whether a hard state stands behind the last."""

    found: list[Seam] = field(default_factory=list)
    is_state_known: bool = False

    @property
    def end(self) -> Seam | None:
        """The seam at the end of a log of which the end was not seen."""
        return self.found[-1] if self.found and self.found[-1].is_end else None


def witnessed(survey: Survey) -> int:
    """The highest index that any part of a member says was there once."""
    applied = 0 if is_foreign_database(survey) else survey.applied or 0
    snaps = (snap.index or 0 for snap in survey.snaps if snap.is_usable)
    return max(survey.last_index or 0, survey.commit_max, applied, max(snaps, default=0))


def is_end_seen(survey: Survey) -> bool:
    """Whether the log's last record is followed by nothing that may have been a record, and no
    witness knows of more.

    A torn last write is not taken for the end here: with peers at hand there is better proof.
    """
    if not survey.segments or not survey.segments[-1].digest.items:
        return False
    last = survey.segments[-1].digest.items[-1]
    if isinstance(last, Damage) and last not in _garbage(survey):
        return False
    return witnessed(survey) <= (survey.last_index or 0)


def seams_of(survey: Survey) -> Seams:
    """Walk the segments in chain order and note every place where something is missing."""
    walk = _Walk(survey)
    for position, segment in enumerate(survey.segments):
        walk.missing(position)
        items = segment.digest.items
        if not items and position < len(survey.segments) - 1:
            walk.open(Seam(position=position, item=0, reached=walk.reached))
        for at, item in enumerate(items):
            if isinstance(item, Stretch):
                walk.stretch(item)
            elif item.recovered is None and item not in walk.garbage:
                walk.damage(position, at)
    if not is_end_seen(survey) and survey.segments:
        walk.end()
    return Seams(found=walk.found, is_state_known=walk.is_state_known)


class _Walk:
    """Where the walk along a log stands."""

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self.garbage = _garbage(survey)
        self.reached = 0
        self.found: list[Seam] = []
        self.is_state_known = True
        self._is_open = False

    def open(self, seam: Seam) -> None:
        """A seam begins here; of one that is open already, only what is between counts."""
        self.found.append(seam)
        self._is_open, self.is_state_known = True, False

    def missing(self, position: int) -> None:
        """Note the segments that are gone in front of this one."""
        segments = self.survey.segments
        here = segments[position].seq
        if position:
            gone = range(segments[position - 1].seq + 1, here)
        else:
            begins = self.survey.log.first or 1
            is_needed = begins > 1 and newest_start(self.survey) < begins - 1
            gone = range(here) if is_needed else range(0)
        if gone:
            seqs = tuple(gone[: MISSING_MAX + 1])
            self.open(Seam(position=position, item=0, reached=self.reached, missing=seqs))

    def damage(self, position: int, at: int) -> None:
        """Damage at a segment's head belongs to the segments missing there.

        A whole head whose checksum does not fit tells of the end of the segment in front. What
        stood in the bytes of a head belongs behind a new one: a start from a snapshot goes by the
        index in a segment's name, and reads nothing of those in front.
        """
        segments = self.survey.segments
        last = self.found[-1] if self.found else None
        if at == 0 and last is not None and last.missing and last.position == position:
            return
        item = segments[position].digest.items[at]
        if at == 0 and position > 0 and isinstance(item, Damage) and is_chain_break(item):
            items = len(segments[position - 1].digest.items)
            self.open(Seam(position=position - 1, item=items, reached=self.reached))
        else:
            self.open(Seam(position=position, item=at, reached=self.reached))

    def stretch(self, stretch: Stretch) -> None:
        """Go along a readable stretch; its first entry closes the seam in front of it."""
        bridged = 0
        for event in in_order(stretch):
            if isinstance(event, PlacedMark):
                bridged = max(bridged, event.mark.index)
                self.reached = max(self.reached, event.mark.index)
                continue
            if self._is_open:
                seam = self.found[-1]
                seam.behind = event.first if bridged < event.first - 1 else None
                self._is_open = False
            self.reached = event.last
        if stretch.last_state is not None:
            self.is_state_known = True

    def end(self) -> None:
        """The end of the log was not seen: what follows its last record is a seam."""
        position = len(self.survey.segments) - 1
        items = self.survey.segments[position].digest.items
        last = self.found[-1] if self.found else None
        is_last = last is not None and (last.position, last.item) == (position, len(items) - 1)
        if last is not None and is_last and self._is_open and isinstance(items[-1], Damage):
            last.is_end = True  # the damage that ends the log
            return
        self.open(Seam(position=position, item=len(items), reached=self.reached, is_end=True))


def in_order(stretch: Stretch) -> Iterator[Run | PlacedMark]:
    """The runs and markers of a stretch, as they stand in the file."""
    events: list[tuple[int, Run | PlacedMark]] = [(run.start, run) for run in stretch.runs]
    events += [(placed.offset, placed) for placed in stretch.marks]
    yield from (event for _, event in sorted(events, key=lambda pair: pair[0]))


def is_chain_break(damage: Damage) -> bool:
    """Whether only the head's checksum does not fit what stands in front of it."""
    head = damage.head
    if head is None or damage.start != 0:
        return False
    return head.raw_type == RecordType.CRC and damage.stop == head.stop


def _garbage(survey: Survey) -> list[Damage]:
    """Bytes behind the end of a segment's records, in front of which the log had ended."""
    return [named.damage for named in survey.named if named.code is Code.TRAILING_GARBAGE]
