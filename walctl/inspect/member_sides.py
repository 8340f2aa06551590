"""The places that say who belongs to the cluster, side by side, each as of its own index.

    log          the membership changes, up to what was committed or applied
    marker       the newest snapshot record of the log with a membership (etcd 3.5 and later)
    snapshot     Raft's membership in the newest `.snap` that reads
    v2-store     etcd's own list in that file: members, URLs, removed ids
    database     etcd's own list in buckets members and members_removed
    conf-state   Raft's membership in bucket meta (etcd 3.5 and later)

Each is held against the log: its changes on top of the oldest base that leads to the index without
a hole, which is the log's beginning, else a snapshot or a marker. Where no base does, nothing is
said of a place but what it says against itself. These do not count as differences:

    another index          a place is as of its own; what the log changed later is not missing
    a database of 3.4      may be newer than the index it names, which is written with keys alone
    confState              nobody rewrites it at `snapshot restore`: until the next change it names
                           the old cluster. It is written behind the index: one change late is fair
    names, client URLs     a database of 3.5 has none; they decide nothing

Works on a survey; reads no file.

Source: etcd-data-dir notes 6.5, 7.2, 7.5, 8.2, 8.4 and 9.9.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from walctl.backend.schema import MEMBERS, MEMBERS_REMOVED
from walctl.datadir.start import restored_index
from walctl.datadir.survey import Survey
from walctl.inspect.conf_changes import (
    BEGINNING,
    Standing,
    changes_between,
    of_conf_state,
    of_snapshot,
    standing,
    voters_of,
)
from walctl.inspect.membership import is_foreign_database
from walctl.model.finding import Place
from walctl.model.log import PlacedMark
from walctl.model.member import Member
from walctl.model.record import ConfState
from walctl.snap.reader import SnapFile


class Source(enum.StrEnum):
    """A place that names members; see the module."""

    LOG = "log"
    SNAPSHOT = "snapshot"
    MARKER = "marker"
    STORE = "v2-store"
    DATABASE = "database"
    CONF_STATE = "conf-state"


class Trait(enum.StrEnum):
    """In what two places differ about a member."""

    MEMBER = "member"
    """One of them does not have it."""
    VOTE = "vote"
    """It is a voter for one of them, a learner for the other."""
    REMOVED = "removed"
    """One of them does not know that it was removed for ever."""
    URLS = "peer-urls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a place says of `member`, and what was expected, in words such as `voter`, `removed`."""

    trait: Trait
    member: int
    said: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One place: what it says, and in what that differs from `expected`, of the same index.

    `expected` is `None` where nothing leads there; `base` is the index that it was worked out from.
    """

    source: Source
    place: Place
    said: Standing
    expected: Standing | None = None
    base: int | None = None
    differences: tuple[Difference, ...] = field(default=())


def sides(survey: Survey) -> tuple[Side, ...]:
    """All places of a member, the log first; those that are not there, or do not read, left out."""
    log = _log(survey)
    found = [] if log is None else [log]
    found += (_measured(survey, side) for side in _in_snapshots(survey))
    if not is_foreign_database(survey):
        found += (_measured(survey, side) for side in _in_database(survey))
    return tuple(found)


def _log(survey: Survey) -> Side | None:
    """The log up to the last entry that counts, as far as it is there."""
    index = min(max(survey.commit, survey.applied or 0), survey.log.last or 0)
    nobody = Side(source=Source.LOG, place=Place(index=index), said=replace(BEGINNING, index=index))
    found = next(_expected(survey, nobody, [index]), None)
    return None if found is None else replace(nobody, said=found[1])


def _in_snapshots(survey: Survey) -> Iterator[Side]:
    snap = next((each for each in survey.snaps if each.is_usable), None)
    if snap is not None and snap.conf_state is not None:
        place = Place(segment=snap.name, index=snap.index, term=snap.term)
        raft = of_conf_state(snap.index or 0, snap.conf_state)
        yield Side(source=Source.SNAPSHOT, place=place, said=raft)
        if snap.store is not None:
            said = _listed(raft.index, snap.store.members, snap.store.removed_members)
            yield Side(source=Source.STORE, place=place, said=said)
    marks = [each for each in _marks(survey) if each.mark.index]
    if marks:
        newest = max(marks, key=lambda each: each.mark.index)
        mark = newest.mark
        place = Place(
            segment=newest.segment, offset=newest.offset, index=mark.index, term=mark.term
        )
        yield Side(source=Source.MARKER, place=place, said=_of_mark(newest))


def _in_database(survey: Survey) -> Iterator[Side]:
    witness, index = survey.database, survey.applied
    if witness is None or index is None:
        return
    name = "db" if survey.layout.database is None else survey.layout.database.name
    place = Place(segment=name, index=index, term=witness.term)
    odd = {each.bucket for each in witness.defects} | {each for each, _ in survey.tree_defects}
    is_new = not index and not witness.members
    if not is_new and not odd & {"", MEMBERS.decode(), MEMBERS_REMOVED.decode()}:
        said = _listed(index, witness.members, witness.removed_members)
        yield Side(source=Source.DATABASE, place=place, said=said)
    if witness.conf_state is not None:
        raft = of_conf_state(index, witness.conf_state)
        yield Side(source=Source.CONF_STATE, place=place, said=raft)


def _listed(index: int, members: Iterable[Member], removed: Iterable[int]) -> Standing:
    """What a list of etcd's own says."""
    ordered = tuple(sorted(members, key=lambda each: each.id))
    conf = ConfState(
        voters=tuple(each.id for each in ordered if not each.is_learner),
        learners=tuple(each.id for each in ordered if each.is_learner),
    )
    return Standing(index=index, conf=conf, members=ordered, removed=frozenset(removed))


def _marks(survey: Survey) -> Iterator[PlacedMark]:
    """The markers with a membership that etcd believes."""
    for placed in survey.marks:
        if placed.mark.conf_state is not None and placed.mark.index <= survey.commit:
            yield placed


def _of_mark(placed: PlacedMark) -> Standing:
    return of_conf_state(placed.mark.index, placed.mark.conf_state or ConfState())


def _measured(survey: Survey, side: Side) -> Side:
    """A side with its differences from what is expected where it is nearest to that."""
    nearest: Side | None = None
    for base, expected in _expected(survey, side, _indexes(survey, side)):
        found = tuple(_differences(side, expected))
        if nearest is None or not found:
            nearest = replace(side, expected=expected, base=base, differences=found)
        if not found:
            break
    return nearest or replace(side, differences=tuple(_against_itself(side)))


def _indexes(survey: Survey, side: Side) -> list[int]:
    """As of which entries a place may be, the likeliest first; none where nobody can say."""
    index = side.said.index
    if side.source is Source.CONF_STATE:
        base = next(_bases(survey, side, index), BEGINNING).index
        since = max(restored_index(survey), base)
        is_written = any(changes_between(survey, since, index))
        return [index, index - 1] if is_written else []
    is_34 = survey.database is not None and survey.database.term is None
    if side.source is Source.DATABASE and is_34:
        last = survey.log.contiguous_from(index)
        later = changes_between(survey, index, last)
        return [index, *(each.entry.index for each in later)]
    return [index]


def _expected(survey: Survey, side: Side, indexes: Iterable[int]) -> Iterator[tuple[int, Standing]]:
    """Who belonged to the cluster as of these entries, each with the base that it is made from."""
    for index in indexes:
        base = next(_bases(survey, side, index), None)
        found = None if base is None else standing(survey, index, base=base)
        if base is not None and found is not None:
            yield base.index, found
    if side.source is Source.STORE and _whole_from(survey, side.said.index) is None:
        # Without a log the file can at least be held against itself.
        (snap,) = (each for each in survey.snaps if each.name == side.place.segment)
        yield side.said.index, of_conf_state(side.said.index, snap.conf_state or ConfState())


def _bases(survey: Survey, side: Side, index: int) -> Iterator[Standing]:
    """From where the log leads to `index`: those with URLs before those without, older first."""
    start = _whole_from(survey, index)
    if start is None:
        return
    if start == 0:
        yield BEGINNING
    is_snapshot = side.source is Source.SNAPSHOT
    last = index - 1 if is_snapshot else index
    snaps = [of_snapshot(each) for each in _snapshots(survey) if start <= (each.index or 0) <= last]
    snaps.sort(key=lambda each: (not each.is_told, each.index))
    yield from snaps
    last = index - 1 if is_snapshot or side.source is Source.MARKER else index
    marks = [_of_mark(each) for each in _marks(survey) if start <= each.mark.index <= last]
    yield from sorted(marks, key=lambda each: each.index)


def _snapshots(survey: Survey) -> Iterator[SnapFile]:
    return (each for each in survey.snaps if each.is_usable and each.conf_state is not None)


def _whole_from(survey: Survey, index: int) -> int | None:
    """The index behind which the log goes without a hole to `index`; `None` where it does not.

    What was read out of damaged frames is no ground to call other places wrong.
    """
    start = reached = -1
    for run in survey.log.live:
        if run.is_recovered:
            start = reached = -1
            continue
        if run.first != reached + 1 or start < 0:
            start = run.first - 1
        reached = run.last
        if start <= index <= reached:
            return start
    return None


def _role(said: Standing, member: int) -> str:
    if member in voters_of(said.conf):
        return "voter"
    if member in said.conf.learners:
        return "learner"
    return "removed" if member in said.removed else "no member"


def _differences(side: Side, expected: Standing) -> Iterator[Difference]:
    """In what a place differs from what is expected of it."""
    said = side.said
    is_told = said.is_told and expected.is_told
    ids = said.ids | expected.ids
    for member in sorted(ids):
        ours, theirs = _role(said, member), _role(expected, member)
        is_in_both = member in said.ids and member in expected.ids
        if ours != theirs:
            trait = Trait.VOTE if is_in_both else Trait.MEMBER
            yield Difference(trait=trait, member=member, said=ours, expected=theirs)
    for member in sorted((said.removed ^ expected.removed) - ids) if is_told else ():
        here, there = (
            "removed" if member in each.removed else "unknown" for each in (said, expected)
        )
        yield Difference(trait=Trait.REMOVED, member=member, said=here, expected=there)
    known = {each.id: each.peer_urls for each in expected.members}
    for each in said.members if is_told else ():
        urls = known.get(each.id)
        if urls and each.peer_urls and set(urls) != set(each.peer_urls):
            yield Difference(
                trait=Trait.URLS,
                member=each.id,
                said=",".join(each.peer_urls),
                expected=",".join(urls),
            )


def _against_itself(side: Side) -> Iterator[Difference]:
    """Members that a list has, although it has them as removed for ever too."""
    for member in sorted(side.said.ids & side.said.removed):
        role = _role(side.said, member)
        yield Difference(trait=Trait.MEMBER, member=member, said=role, expected="removed")
