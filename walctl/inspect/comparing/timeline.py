"""Terms and votes across members: who voted for whom, and which entries each term has.

A term has one leader at most, since each member votes once in it. Where the files show two votes
of one member in one term, two leaders become possible; where they show two entries of one term at
one index, there were two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from walctl.inspect.comparing.given import Given
from walctl.model.finding import Code, Finding, Place, Severity

TERMS_MAX: Final = 10_000
"""Terms that are told, the newest of them."""


@dataclass(slots=True, kw_only=True)
class Ballot:
    """What one member's hard states say in one term.

    `votes` are ids in the order in which they were written, 0 left out. `commit_first` and
    `commit_last` are the lowest and the highest commit that it knew in this term.
    """

    votes: list[int] = field(default_factory=list)
    commit_first: int
    commit_last: int


@dataclass(slots=True, kw_only=True)
class Term:
    """One term: `ballots` by position of the member, `first` and `last` the live entries that it
    has in any log (`None`: none), `holders` the positions of who has some of them."""

    term: int
    ballots: dict[int, Ballot] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    holders: list[int] = field(default_factory=list)

    def leaders(self, needed: int) -> list[int]:
        """Ids for whom so many members voted that each won; more than one is a fault."""
        counts: dict[int, int] = {}
        for ballot in self.ballots.values():
            for vote in ballot.votes:
                counts[vote] = counts.get(vote, 0) + 1
        return sorted(each for each, count in counts.items() if needed and count >= needed)


def timeline(members: Sequence[Given]) -> list[Term]:
    """Every term that a hard state or a live entry names, ascending."""
    found: dict[int, Term] = {}
    for at, given in enumerate(members):
        for term, vote, first, last in _states(given):
            _add(found.setdefault(term, Term(term=term)), at, vote, first, last)
        for run in given.seen.log.live:
            row = found.setdefault(run.term, Term(term=run.term))
            row.first = run.first if row.first is None else min(row.first, run.first)
            row.last = run.last if row.last is None else max(row.last, run.last)
            if at not in row.holders:
                row.holders.append(at)
    return [found[term] for term in sorted(found)]


def _states(given: Given) -> Iterator[tuple[int, int, int, int]]:
    """Term, vote, lowest and highest commit of each run of hard states; one of term 0 is none."""
    for segment in given.seen.segments:
        for stretch in segment.digest.stretches:
            for run in stretch.votes:
                if run.term:
                    yield run.term, run.vote, run.commit_first, run.commit_last


def _add(row: Term, at: int, vote: int, first: int, last: int) -> None:
    ballot = row.ballots.setdefault(at, Ballot(commit_first=first, commit_last=last))
    ballot.commit_first = min(ballot.commit_first, first)
    ballot.commit_last = max(ballot.commit_last, last)
    if vote and vote not in ballot.votes:
        ballot.votes.append(vote)


def vote_findings(
    members: Sequence[Given], terms: Sequence[Term]
) -> Iterator[tuple[Finding, tuple[int, ...]]]:
    """Members that voted twice in a term, in one log or in two copies; and the positions of who
    shows it."""
    for row in terms:
        by_node: dict[int, dict[int, list[int]]] = {}
        for at, ballot in row.ballots.items():
            node = members[at].node_id
            for vote in ballot.votes:
                own = by_node.setdefault(-at - 1 if node is None else node, {})
                own.setdefault(vote, []).append(at)
        for votes in by_node.values():
            if len(votes) > 1:
                yield _double(members, row.term, votes)


def _double(
    members: Sequence[Given], term: int, votes: dict[int, list[int]]
) -> tuple[Finding, tuple[int, ...]]:
    told = ", ".join(
        f"{vote:x} by {' and '.join(members[at].name for at in who)}" for vote, who in votes.items()
    )
    involved = tuple(dict.fromkeys(at for who in votes.values() for at in who))
    finding = Finding(
        code=Code.DOUBLE_VOTE,
        severity=Severity.DAMAGE,
        place=Place(term=term),
        detail=f"In term {term} one member has voted for {told}: two leaders of one term become"
        " possible.",
        next=f"walctl explain {Code.DOUBLE_VOTE}",
    )
    return finding, involved
