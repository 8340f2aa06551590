"""What a majority of the voters holds, what was committed, and what is merely written.

The voters are those of the newest membership that any of the given members knows, whether their
directories were given or not: one that was not given counts as holding nothing, and as one that
may hold anything. Of several copies of one member the one whose log is best counts.

    committed      a hard state, a snapshot or a database of a given member says so
    possible       no witness says so, but so many hold it or were not given that a majority may
    written        an entry that too few can have held: nobody can have been told that it is kept
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from walctl.inspect.agreement import Range, reach_of
from walctl.inspect.comparing.given import Given
from walctl.inspect.comparing.sections import Cell, Holds, Section, split_at
from walctl.inspect.membership import View, is_foreign_database


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """Who votes, and what they have; of one cluster.

    `voters` is empty when nobody says who votes; then nothing is said of a majority. `present`
    are the positions of the members that count, by voter id. `held` are the indexes that a
    majority of the voters holds, `committed_to` the highest index known to be committed,
    `possible_to` the highest that may be (never below it). `lost` are committed indexes that no
    given member has, `short` those that fewer hold than must have: some have lost them.
    """

    voters: frozenset[int] = frozenset()
    source: str = ""
    view_index: int = 0
    """As of which index the membership is."""
    present: Mapping[int, int]
    held: tuple[Range, ...] = ()
    committed_to: int = 0
    committed_by: int | None = None
    """The position of the member that says how far."""
    possible_to: int = 0
    written_to: int = 0
    lost: tuple[Range, ...] = ()
    short: tuple[Range, ...] = ()

    @property
    def needed(self) -> int:
        """How many voters a majority is; 0 when nobody says who votes."""
        return len(self.voters) // 2 + 1 if self.voters else 0

    @property
    def absent(self) -> tuple[int, ...]:
        """Voters of whom no directory that can be read was given."""
        return tuple(sorted(self.voters - set(self.present)))

    @property
    def held_to(self) -> int:
        """The highest index that a majority holds, together with all in front of it; 0: none."""
        return self.held[0].last if self.held and self.held[0].first == 1 else 0


def newest_view(members: Sequence[Given]) -> tuple[View, Given] | None:
    """The newest membership that any member knows, and who knows it.

    Of one age the log's is taken before the snapshot's, and that before the database's.
    """
    found: tuple[View, Given] | None = None
    for given in members:
        for view in given.membership.views:
            if view.source == "database" and is_foreign_database(given.seen):
                continue
            if found is None or _age(view) > _age(found[0]):
                found = view, given
    return found


def _age(view: View) -> tuple[int, bool, bool]:
    return view.index or 0, view.source == "log", view.source == "snapshot"


def present_voters(members: Sequence[Given], voters: frozenset[int]) -> dict[int, int]:
    """For each voter that was given the position of its best copy."""
    found: dict[int, int] = {}
    for at, given in enumerate(members):
        node = given.node_id
        if node is None or node not in voters or given.is_empty:
            continue
        if node not in found or _rank(given) > _rank(members[found[node]]):
            found[node] = at
    return found


def _rank(given: Given) -> tuple[tuple[int, int], bool]:
    """Of two copies the one with the better log counts; of equal ones the whole one."""
    return reach_of(given.seen), not given.is_damaged


def quorum_of(members: Sequence[Given], sections: Sequence[Section]) -> Quorum:
    """What the sections of these members, all of one cluster, come to."""
    newest = newest_view(members)
    voters = newest[0].voters if newest is not None else frozenset[int]()
    present = present_voters(members, voters)
    commits = [each.commit for each in members]
    committed = max(commits, default=0)
    absent, needed = len(voters) - len(present), len(voters) // 2 + 1
    held, lost, short = list[Range](), list[Range](), list[Range]()
    possible, settled = committed, _settled(members, committed)
    cuts = {*commits, *(each.covered for each in members), settled}
    for section in split_at(sections, cuts):
        winner = winning(members, section)
        had = has = 0
        for at in present.values():
            cell = section.cells[at]
            is_there = _has(members[at], section, cell, winner)
            has += is_there
            had += is_there or cell.holds is Holds.DAMAGED
        span = Range(first=section.first, last=section.last)
        is_committed = section.last <= committed
        is_judged = is_committed and settled < section.first
        if voters and has >= needed:
            held.append(span)
        elif voters and winner is not None and is_judged and had + absent < needed:
            short.append(span)
        if winner is not None and (not voters or has + absent >= needed):
            possible = max(possible, section.last)
        if is_committed and not any(
            cell.variant is not None or given.covered >= section.last
            for given, cell in zip(members, section.cells, strict=True)
        ):
            lost.append(span)
    return Quorum(
        voters=voters,
        source="" if newest is None else _source(*newest),
        view_index=0 if newest is None else newest[0].index or 0,
        present=present,
        held=_joined(held),
        committed_to=committed,
        committed_by=commits.index(committed) if committed else None,
        possible_to=possible,
        written_to=max((each.seen.log.last or 0 for each in members), default=0),
        lost=_joined(lost),
        short=_joined(short),
    )


def _settled(members: Sequence[Given], committed: int) -> int:
    """The index behind which the voters are those of today: the last membership change, or what no
    given log tells of. What is in front of it was committed by others, perhaps by fewer."""
    changes = (
        placed.entry.index
        for given in members
        for placed in given.seen.conf_changes
        if placed.entry.index <= committed
    )
    told_from = (given.seen.log.first for given in members if given.seen.log.first is not None)
    return max([*changes, min(told_from, default=1) - 1])


def _source(view: View, given: Given) -> str:
    """Whose word the membership is."""
    when = f" as of {view.index}" if view.index is not None else ""
    return f"{given.name}'s {view.source}{when}"


def winning(members: Sequence[Given], section: Section) -> int | None:
    """The variant that counts in a section: one that its holder knows to be committed, then the
    one of the highest term, then the one that most have; `None` without entries."""
    ranks: dict[int, tuple[bool, int, int]] = {}
    for given, cell in zip(members, section.cells, strict=True):
        if cell.variant is None:
            continue
        known, term, count = ranks.get(cell.variant, (False, cell.term or 0, 0))
        known = known or knows_committed(given, section.first)
        ranks[cell.variant] = (known, term, count + 1)
    return max(ranks, key=lambda variant: ranks[variant], default=None)


def knows_committed(given: Given, index: int) -> bool:
    """Whether a member's own entry at `index` is one that it knows to be committed."""
    return given.vouched_from <= index <= given.commit


def _has(given: Given, section: Section, cell: Cell, winner: int | None) -> bool:
    """Whether a member has the entries that count, or their effect."""
    is_same = cell.variant is not None and cell.variant == winner
    return is_same or given.covered >= section.last


def _joined(found: Sequence[Range]) -> tuple[Range, ...]:
    """Neighbours as one."""
    joined: list[Range] = []
    for each in found:
        if joined and joined[-1].last + 1 >= each.first:
            joined[-1] = Range(first=joined[-1].first, last=max(joined[-1].last, each.last))
        else:
            joined.append(each)
    return tuple(joined)
