"""What of a log can be read, and what of it is missing: by index, behind damage too.

    readable   ranges of entries of one term that share their fate and what vouches for them
    missing    indexes that no readable entry has: why, the terms around, what keys were written
               next to them, and whether the database has applied them, so that their effect is kept
    doubtful   records that parse but that no checksum vouches for: shown, and never built upon

Everything but the keys comes from the survey, so its size follows the damage, not the log.
"""

import enum
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from formats.limits import FINDINGS_MAX
from walctl.datadir.survey import Survey
from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem
from walctl.inspect.counting.prefix import KEY_BYTES_MAX, PrefixRule
from walctl.inspect.counting.tally import Row, Tally
from walctl.inspect.counting.touch import Touch, touch_of_payload, touch_of_request
from walctl.inspect.flow import damaged_frame
from walctl.inspect.log_checks import entry_range
from walctl.inspect.row import COMMITTED, OVERWRITTEN, UNCOMMITTED, UNKNOWN
from walctl.model.finding import Code
from walctl.model.log import Gap, Run, Stretch
from walctl.model.record import Check, Entry, EntryKind
from walctl.payload.base import Decoder, PayloadError
from walctl.wal.entry_frames import entries_of
from walctl.wal.forensics import Named
from walctl.wal.scan import Damage

PREFIXES_KEPT_MAX = 1000
"""Prefixes of keys that are counted apart."""
NEAR_ENTRIES = 64
"""Readable entries on either side of what is missing, whose keys may be those that it wrote."""
NEAR_PREFIXES = 5
NEAR_MISSING_MAX = 100
"""Missing ranges whose neighbours are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """Entries `first..last` of one term. `offset` is where the first stands, or the frames of the
    run that it is of begin; `is_mended`: read out of a damaged frame whose one wrong bit or type
    is known. `status` is as dump has it."""

    first: int
    last: int
    term: int
    status: str
    check: Check
    segment: str
    offset: int
    is_mended: bool = False


class Effect(enum.StrEnum):
    """What became of the effect of missing entries."""

    KEPT = "kept"
    """The database has applied them all."""
    PARTLY = "partly-kept"
    """The database has applied those up to `Missing.kept_to`."""
    LOST = "lost"
    """Nothing that can be read here has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Indexes `first..last` that no readable entry has; `last` is `None` where nobody knows how
    many there were. `near` are the prefixes that entries on both sides write to."""

    first: int
    last: int | None
    cause: str
    effect: Effect
    kept_to: int = 0
    term_before: int | None = None
    term_after: int | None = None
    segment: str | None = None
    offset: int | None = None
    is_bridged: bool = False
    """A snapshot that was installed says that this log never had, or no longer needs, them."""
    near: tuple[Row[bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """A frame that says it is entry `index` of `term`, which its checksum denies."""

    index: int | None
    term: int | None
    segment: str
    offset: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """All of it. `prefixes` are of the entries that count, most written first. `is_cut`: more is
    missing than `missing` names, behind the last of it."""

    readable: tuple[Readable, ...] = ()
    missing: tuple[Missing, ...] = ()
    doubtful: tuple[Doubtful, ...] = ()
    prefixes: tuple[Row[bytes], ...] = ()
    is_approximate: bool = False
    """There were more prefixes than are counted apart, so some figures may be too low."""
    undecodable: int = 0
    is_cut: bool = False

    @property
    def entries(self) -> int:
        """Readable entries that count."""
        return sum(
            each.last - each.first + 1 for each in self.readable if each.status != OVERWRITTEN
        )

    @property
    def lost(self) -> tuple[Missing, ...]:
        """What is missing with its effect, in part at least."""
        return tuple(
            each for each in self.missing if each.effect is not Effect.KEPT and not each.is_bridged
        )


class Keys:
    """Counts what entries write to, by the prefix of the key, in bounded memory."""

    def __init__(self, decoder: Decoder) -> None:
        self.tally: Tally[bytes] = Tally(PREFIXES_KEPT_MAX)
        self.undecodable = 0
        self._decoder = decoder
        self._prefix = PrefixRule().finder()

    def asked(self, entry: Entry) -> Touch | None:
        """What an entry does; `None` for one that asks for nothing, or nothing readable."""
        if not entry.payload:
            return None
        touch = self._touch(entry, entry.payload)
        self.undecodable += touch is None
        return touch

    def add(self, touch: Touch) -> None:
        """Count what one entry does."""
        tally, prefix = self.tally, self._prefix
        for key, size, _ in touch.puts:
            tally.add(prefix(key[:KEY_BYTES_MAX]), tally.unit(writes=1, size=size))
        for key in (*touch.deletes, *touch.ranges):
            tally.add(prefix(key[:KEY_BYTES_MAX]), tally.unit(deletes=1))

    def _touch(self, entry: Entry, payload: bytes) -> Touch | None:
        if entry.kind is EntryKind.NORMAL:
            touch = touch_of_payload(payload)
            if touch is not None:
                return touch
        try:
            request = self._decoder.decode(payload, entry.kind)
        except PayloadError:
            return None
        return None if request is None else touch_of_request(request, len(payload))


def live_entries(
    disk: FileSystem, survey: Survey, *, first: int = 1, last: int | None = None
) -> Iterator[Entry]:
    """The readable entries that count, ascending by index, from `first` to `last` (included).

    A mended one comes as the damage has it: its frame is not as it should be.
    Raises: AccessError, when a segment is not what it was when it was surveyed.
    """
    folder = survey.layout.wal_dir
    if folder is None:
        return
    mended = {
        (each.damage.segment, each.damage.start): each.damage.recovered for each in survey.named
    }
    with ExitStack() as stack:
        file: File | None = None
        for run in survey.log.live:
            low = max(run.first, first)
            high = run.last if last is None else min(run.last, last)
            if low > high:
                continue
            if run.is_recovered:
                entry = mended.get((run.segment, run.start))
                if not isinstance(entry, Entry) or entry.index != run.first:
                    raise AccessError(f"{run.segment}:{run.start}: changed while it was read")
                yield entry
                continue
            if file is None or file.path.name != run.segment:
                stack.close()  # a log may have more segments than a process may open files
                file = stack.enter_context(disk.open(folder / run.segment))
            yield from entries_of(file, run, first=low, last=high)


def coverage(
    disk: FileSystem,
    survey: Survey,
    decoder: Decoder,
    *,
    applied: int | None = None,
    on_entry: Callable[[], None] = lambda: None,
) -> Coverage:
    """What of the log of a surveyed member is there, and what is not.

    `applied` is what the best database that reads whole has applied (`None`: none does).
    `on_entry` is called for every entry that is read, and may raise. Raises: AccessError.
    """
    found = _missing(survey, applied or 0)
    missing = list(islice(found, FINDINGS_MAX))
    is_cut = next(found, None) is not None
    keys = Keys(decoder)
    near = [_Near(each, decoder) for each in missing[:NEAR_MISSING_MAX]]
    for entry in live_entries(disk, survey):
        on_entry()
        touch = keys.asked(entry)
        if touch is not None:
            keys.add(touch)
            _add_near(near, entry.index, touch)
    told = [replace(each.missing, near=tuple(each.keys.tally.top(NEAR_PREFIXES))) for each in near]
    return Coverage(
        readable=tuple(readable(survey)),
        missing=(*told, *missing[NEAR_MISSING_MAX:]),
        doubtful=tuple(_doubtful(survey)),
        prefixes=tuple(keys.tally.top(PREFIXES_KEPT_MAX)),
        is_approximate=keys.tally.is_approximate,
        undecodable=keys.undecodable,
        is_cut=is_cut,
    )


class _Near:
    """What entries on either side of missing ones write to."""

    def __init__(self, missing: Missing, decoder: Decoder) -> None:
        self.missing = missing
        self.keys = Keys(decoder)
        self.low = missing.first - NEAR_ENTRIES
        last = missing.first if missing.last is None else missing.last
        self.high = last + NEAR_ENTRIES


def _add_near(near: list[_Near], index: int, touch: Touch) -> None:
    """Count an entry for each range that it stands beside; they ascend, and seldom overlap."""
    position = bisect_left(near, index, key=lambda each: each.high)
    while position < len(near) and near[position].low <= index:
        near[position].keys.add(touch)
        position += 1


def readable(survey: Survey) -> Iterator[Readable]:
    """Every range of readable entries, in file order."""
    kept = {(run.segment, run.start): run.last for run in survey.log.live}
    known = [survey.commit_max] if survey.last_state is not None else []
    known += [survey.applied] if survey.applied is not None else []
    commit = max(known, default=None)
    for segment in survey.segments:
        resumed = Check.UNVERIFIABLE
        for item in segment.digest.items:
            if isinstance(item, Damage):
                resumed = item.resumed
                continue
            for run in item.runs:
                last = kept.get((run.segment, run.start), run.first - 1)
                for part in _by_check(item, run, resumed):
                    yield from _by_fate(part, last, commit)
            if not item.is_recovered:
                resumed = Check.UNVERIFIABLE


def _by_check(stretch: Stretch, run: Run, resumed: Check) -> Iterator[Readable]:
    """A run, its first entry apart where only what follows vouches for that one's frame."""
    whole = Readable(
        first=run.first,
        last=run.last,
        term=run.term,
        status=UNKNOWN,
        check=Check.VERIFIED,
        segment=run.segment,
        offset=run.start,
        is_mended=run.is_recovered,
    )
    is_taken_up = stretch.seed is None and run.start == stretch.span.start > 0
    if not is_taken_up or stretch.is_recovered:
        yield whole
        return
    yield replace(whole, last=run.first, check=resumed)
    if run.last > run.first:
        yield replace(whole, first=run.first + 1)


def _by_fate(part: Readable, kept: int, commit: int | None) -> Iterator[Readable]:
    """A range cut where its entries were overwritten, and where the commit ended."""
    live = min(part.last, kept)
    if commit is None:
        if live >= part.first:
            yield replace(part, last=live)
    else:
        settled = min(live, commit)
        if settled >= part.first:
            yield replace(part, last=settled, status=COMMITTED)
        if live >= max(part.first, settled + 1):
            yield replace(part, first=max(part.first, settled + 1), last=live, status=UNCOMMITTED)
    if part.last > live:
        yield replace(part, first=max(part.first, live + 1), status=OVERWRITTEN)


def _missing(survey: Survey, applied: int) -> Iterator[Missing]:
    """What no readable entry has, ascending."""
    log = survey.log
    first, last = log.first, log.last
    if first is not None and first > 1:
        snapped = any(s.is_usable and (s.index or 0) >= first - 1 for s in survey.snaps)
        cause = (
            "older than a snapshot: etcd removes such segments"
            if snapped
            else "the segments that had them are not here"
        )
        yield _of(1, first - 1, applied, cause=cause, term_after=log.live[0].term)
    for gap in log.gaps():
        yield _of_gap(survey, gap, applied)
    reached = last or 0
    witnessed = max(
        survey.commit_max,
        survey.applied or 0,
        max((placed.mark.index for placed in survey.marks), default=0),
        max((snap.index or 0 for snap in survey.snaps if snap.is_usable), default=0),
    )
    term = log.live[-1].term if log.live else None
    if witnessed > reached:
        cause = "a hard state, a snapshot or the database says that they were there"
        yield _of(reached + 1, witnessed, applied, cause=cause, term_before=term)
    unseen = _end_words(survey, is_beyond=witnessed > reached)
    if unseen is not None:
        cause, named = unseen
        end = max(reached, witnessed)
        yield _of(end + 1, None, applied, cause=cause, term_before=term, named=named)


def _end_words(survey: Survey, *, is_beyond: bool) -> tuple[str, Named | None] | None:
    """Why the end of the log was not seen, so that more may have stood there; `None` if it was.

    `is_beyond`: something says that the log went farther than its readable entries.
    """
    if not survey.segments:
        return "there is no segment", None
    final = survey.segments[-1]
    here = [
        named
        for named in survey.named
        if named.damage.segment == final.name.text and not named.behind.frames
    ]
    if here and not here[-1].is_mended and here[-1].code is not Code.TRAILING_GARBAGE:
        words = f"{here[-1].code}: what stood there cannot be read"
        if here[-1].code is Code.TORN_TAIL:
            words += ", and of a write that was never synced nobody was told"
        return words, here[-1]
    if not final.digest.items:
        return "the last segment is empty", None
    return (
        ("the log's end is not here, and what stood behind is not known", None)
        if is_beyond
        else None
    )


def _of_gap(survey: Survey, gap: Gap, applied: int) -> Missing:
    named = _damage_of(survey, gap)
    is_bridged = survey.is_bridged(gap)
    if is_bridged:
        cause = "a snapshot was installed instead"
    elif named is not None:
        cause = f"{named.code}: {named.damage.stop - named.damage.start:,} bytes cannot be read"
    elif _has_missing_segment(survey, gap):
        cause = "a segment is not here"
    else:
        cause = "no record has them"
    return _of(
        gap.first,
        gap.last,
        applied,
        cause=cause,
        term_before=gap.before.term,
        term_after=gap.after.term,
        named=named,
        is_bridged=is_bridged,
    )


def _of(
    first: int,
    last: int | None,
    applied: int,
    *,
    cause: str,
    term_before: int | None = None,
    term_after: int | None = None,
    named: Named | None = None,
    is_bridged: bool = False,
) -> Missing:
    effect, kept_to = Effect.LOST, 0
    if last is not None and applied >= last:
        effect, kept_to = Effect.KEPT, last
    elif applied >= first:
        effect, kept_to = Effect.PARTLY, applied
    return Missing(
        first=first,
        last=last,
        cause=cause,
        effect=effect,
        kept_to=kept_to,
        term_before=term_before,
        term_after=term_after,
        segment=None if named is None else named.damage.segment,
        offset=None if named is None else named.damage.start,
        is_bridged=is_bridged,
    )


def _damage_of(survey: Survey, gap: Gap) -> Named | None:
    """The damage that accounts for a gap."""
    for named in survey.named:
        lost = named.lost
        if lost is None or lost[0] > gap.first:
            continue
        if gap.last <= lost[1] if lost[1] is not None else named.before is gap.before:
            return named
    return None


def _has_missing_segment(survey: Survey, gap: Gap) -> bool:
    names = [segment.name.text for segment in survey.segments]
    places = {name: place for place, name in enumerate(names)}
    low, high = places.get(gap.before.segment, 0), places.get(gap.after.segment, 0)
    between = survey.segments[low : high + 1]
    return any(here.seq - before.seq > 1 for before, here in pairwise(between))


def _doubtful(survey: Survey) -> Iterator[Doubtful]:
    """Frames that are whole but whose checksum or type denies them, and nothing mends them."""
    for named in survey.named:
        damage = named.damage
        if damage.head is None or damage.recovered is not None or damage.head.payload is None:
            continue
        record = damaged_frame(damage).record
        entry = record if isinstance(record, Entry) else None
        yield Doubtful(
            index=None if entry is None else entry.index,
            term=None if entry is None else entry.term,
            segment=damage.segment,
            offset=damage.start,
            words=str(named.code),
        )


def missing_words(each: Missing) -> str:
    """`entries 231–241`, with an open end where nobody knows it."""
    return f"entry {each.first} and on" if each.last is None else entry_range(each.first, each.last)
