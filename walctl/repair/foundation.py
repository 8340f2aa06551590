"""What a salvaged member can stand on: a database that reads whole, or the beginning of the log.

    database    it has applied entry A: the log goes on from there, whatever is lost in front
    sent        the same with a `.snap.db`, which a leader sent and nobody put in place
    beginning   entry 1: etcd makes the database anew from the entries

Each reaches as far as readable entries follow without a hole. The one that reaches farthest is
taken, of equals the first: a database has what the entries in front of it did. Only entries count
whose bytes a checksum vouches for, or whose checksum the next record continues.
"""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from walctl.backend.check import check_tree
from walctl.backend.pages import PageError
from walctl.backend.schema import Witness, check_trailer, read_witness
from walctl.datadir.survey import Survey, applied_by
from walctl.fs.base import FileSystem
from walctl.inspect.log_checks import entry_range
from walctl.inspect.membership import is_foreign_database
from walctl.inspect.row import OVERWRITTEN
from walctl.model.record import Check
from walctl.repair.coverage import Readable
from walctl.snap.names import format_db_name

FILLED_MAX = 1_000_000
"""Entries that may stand in for lost ones: a wrong index must not ask for a log without end."""
INDEX_MAX = (1 << 63) - 1
"""An index beyond it is none that a log reaches."""


class Ground(enum.StrEnum):
    """What the member stands on; see the module."""

    DATABASE = "database"
    SENT = "sent"
    BEGINNING = "beginning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Lost entries `first..last`; what stands in for them has `term`."""

    first: int
    last: int
    term: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """One way to begin: behind entry `index` of `term`, on to entry `last`.

    `file` is the database, `None` for the beginning. `holes` are lost entries in between, where
    those may be passed over. `is_term_proven`: a file or the log says that entry's term, and it
    was not taken from its neighbours. `ends` says why it goes no farther; `is_at_hole`: because of
    lost entries that might be passed over.
    """

    ground: Ground
    index: int
    term: int
    last: int
    last_term: int
    file: Path | None = None
    witness: Witness | None = None
    is_term_proven: bool = True
    holes: tuple[Hole, ...] = ()
    ends: str = ""
    is_at_hole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The best foundation (`None`: there is none), and why others do not serve."""

    best: Foundation | None
    words: tuple[str, ...] = ()
    applied: int | None = None
    """What a database that reads whole has applied, whether it is the best or not."""


def choose(
    disk: FileSystem, survey: Survey, parts: Sequence[Readable], *, skips_holes: bool
) -> Choice:
    """The foundation that reaches farthest; `parts` are all readable ranges.

    Raises: AccessError.
    """
    live = sorted(
        (each for each in parts if each.status != OVERWRITTEN and is_vouched_for(each)),
        key=lambda each: each.first,
    )
    words: list[str] = []
    found: list[Foundation] = []
    for ground, path, witness in _databases(disk, survey, words):
        applied = applied_by(witness)
        if not applied or applied > INDEX_MAX:
            words.append(f"{path.name}: says of no entry that it has applied it")
            continue
        found.append(_on_database(survey, live, ground, path, witness, applied, skips_holes))
    applied_max = max((each.index for each in found), default=None)
    beginning = _reached(live, 0, 0, skips_holes=skips_holes)
    first = live[0].first if live else None
    is_begun = any(each.entry.index == 1 for each in survey.conf_changes)
    if first == 1 and not is_begun:
        words.append("entry 1 is no change of membership, as every log of etcd begins with one")
    elif beginning.last and (first == 1 or skips_holes):
        found.append(
            Foundation(
                ground=Ground.BEGINNING,
                index=0,
                term=0,
                last=beginning.last,
                last_term=beginning.term,
                holes=beginning.holes,
                ends=beginning.ends,
                is_at_hole=beginning.is_at_hole,
            )
        )
    elif first is None:
        words.append("the log has no entry that a checksum vouches for")
    else:
        words.append(f"the log begins at entry {first}, not at 1")
    best = max(found, key=lambda each: each.last, default=None)
    return Choice(best=best, words=tuple(words), applied=applied_max)


def is_vouched_for(part: Readable) -> bool:
    """Whether a checksum says of these entries that they are what was written."""
    return part.check in (Check.VERIFIED, Check.IMPLIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    last: int
    term: int
    holes: tuple[Hole, ...] = ()
    ends: str = ""
    is_at_hole: bool = False


def _reached(live: Sequence[Readable], index: int, term: int, *, skips_holes: bool) -> _Reached:
    """How far entries follow one another behind `index`, without a fall in term."""
    last, filled = index, 0
    holes: list[Hole] = []
    for part in live:
        if part.last <= last:
            continue
        low = max(part.first, last + 1)
        if part.term < term:
            ends = f"entry {low} has term {part.term}, and {last} in front of it {term}"
            return _Reached(last=last, term=term, holes=tuple(holes), ends=ends)
        if low > last + 1:
            lost = entry_range(last + 1, low - 1)
            filled += low - 1 - last
            if not skips_holes:
                ends = f"{lost} cannot be read"
                return _Reached(last=last, term=term, ends=ends, is_at_hole=True)
            if filled > FILLED_MAX:
                ends = f"{lost} cannot be read, and no more than {FILLED_MAX:,} can be passed over"
                return _Reached(last=last, term=term, holes=tuple(holes), ends=ends)
            holes.append(Hole(first=last + 1, last=low - 1, term=term or part.term))
        last, term = part.last, part.term
    return _Reached(last=last, term=term, holes=tuple(holes))


def _on_database(
    survey: Survey,
    live: Sequence[Readable],
    ground: Ground,
    path: Path,
    witness: Witness,
    applied: int,
    skips_holes: bool,
) -> Foundation:
    term, is_proven = _term_at(survey, live, witness, applied)
    here = next((each for each in live if each.first <= applied <= each.last), None)
    if here is not None and here.term != term:
        reached = _Reached(
            last=applied,
            term=term,
            ends=f"the database says that entry {applied} is of term {term}, the log {here.term}",
        )
    else:
        reached = _reached(live, applied, term, skips_holes=skips_holes)
    return Foundation(
        ground=ground,
        index=applied,
        term=term,
        last=reached.last,
        last_term=reached.term,
        file=path,
        witness=witness,
        is_term_proven=is_proven,
        holes=reached.holes,
        ends=reached.ends,
        is_at_hole=reached.is_at_hole,
    )


def _term_at(
    survey: Survey, live: Sequence[Readable], witness: Witness, index: int
) -> tuple[int, bool]:
    """The term of the entry that a database applied last, and whether anything says so.

    etcd before 3.5 does not store it. In a cluster that has no other member, any term will do that
    is not below those in front of it, nor above those behind.
    """
    if witness.term:
        return witness.term, True
    for part in live:
        if part.first <= index <= part.last:
            return part.term, True
    for placed in survey.marks:
        if placed.mark.index == index:
            return placed.mark.term, True
    for snap in survey.snaps:
        if snap.is_usable and snap.index == index:
            return snap.term or 1, True
    below = [part.term for part in live if part.last < index]
    above = [part.term for part in live if part.first > index]
    if below and above and below[-1] == above[0]:
        return below[-1], True
    guess = below[-1] if below else above[0] if above else 1
    return guess, False


def _databases(
    disk: FileSystem, survey: Survey, words: list[str]
) -> Iterator[tuple[Ground, Path, Witness]]:
    """Databases that read whole, the member's own first; `words` gets why others do not."""
    layout = survey.layout
    if layout.database is not None and survey.database_exists:
        problem = survey.database_problem
        if survey.database is None:
            why = "does not read" if problem is None else problem.reason
            words.append(f"{layout.database.name}: {why}")
        elif survey.database.defects or survey.tree_defects:
            words.append(f"{layout.database.name}: not all of its pages read")
        elif survey.has_good_trailer is False:
            words.append(f"{layout.database.name}: not what its SHA-256 was made of")
        elif is_foreign_database(survey):
            words.append(f"{layout.database.name}: another cluster's")
        else:
            yield Ground.DATABASE, layout.database, survey.database
    elif layout.database is not None:
        words.append("there is no database")
    for index in sorted(survey.snap_databases, reverse=True):
        assert layout.snap_dir is not None, "a snapshot's database lies among snapshots"
        path = layout.snap_dir / format_db_name(index=index)
        witness = _whole(disk, path)
        if witness is None:
            words.append(f"{path.name}: does not read whole")
        else:
            yield Ground.SENT, path, witness


def _whole(disk: FileSystem, path: Path) -> Witness | None:
    """What a database says, every page of which reads; `None` for any other."""
    try:
        witness = read_witness(disk, path)
        if witness.defects or check_tree(disk, path) != []:
            return None
        return None if witness.is_saved and not check_trailer(disk, path) else witness
    except PageError:
        return None
