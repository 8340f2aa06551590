"""How far a group's entries are committed, and whose entries those are, by its members' logs.

An entry is committed when a member has written down a commit up to it, or when a majority of the
voters holds it and it is of the newest term that any of them has seen. The voters are those of the
membership as of the highest commit that was written down; behind a membership change that is held
by a majority, a majority of the changed membership is needed as well. Where nobody knows who
votes, only what was written down counts.

Logs of the same term at an index are the same up to there. Source: Raft paper, section 5.3.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from walctl.raft.quorum import joint_committed_index


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One member's log: `committed` by its own word, `term` is the newest that it knows of, and
    `terms` are those of its live entries by their indexes."""

    id: int
    committed: int
    term: int
    terms: Mapping[int, int]

    @property
    def last(self) -> int:
        """Index of its last live entry, 0 without one."""
        return max(self.terms, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voters:
    """Who votes behind entry `index`, in both halves of a membership."""

    index: int
    incoming: frozenset[int]
    outgoing: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What is committed: up to `last`, and `holder` has the entries that are."""

    last: int
    holder: Held


def extent(logs: Sequence[Held], voters: Iterable[Voters]) -> Extent:
    """See the module; `voters` ascending, the first as of the highest commit that was said."""
    said = max(logs, key=lambda each: (each.committed, each.last))
    newest = max(each.term for each in logs)
    reached = {
        each.id: max((index for index, term in each.terms.items() if term == newest), default=0)
        for each in logs
    }
    last: int | None = None
    for each in voters:
        if not each.incoming or (last is not None and last <= each.index):
            break
        found = joint_committed_index(
            each.incoming, each.outgoing, lambda node: reached.get(node, 0)
        )
        # What the membership before has committed up to its change stands, whoever votes then.
        last = found if last is None else max(each.index, min(last, found))
    if last is None or last <= said.committed:
        return Extent(last=said.committed, holder=said)
    return Extent(last=last, holder=next(each for each in logs if each.terms.get(last) == newest))


def newest_holder(logs: Sequence[Held]) -> Held:
    """Whose log is the newest: what a majority holds beyond what was said is in it."""
    return max(logs, key=lambda each: (each.terms.get(each.last, 0), each.last))


def agreed_last(log: Held, whole: Extent) -> int:
    """Up to where a member's entries are to be those that were committed: by its own word, and
    behind that as far as its terms are those of the holder. What stands above may be overwritten.
    """
    index = min(log.committed, log.last, whole.last)
    while index < min(whole.last, log.last):
        term = whole.holder.terms.get(index + 1)
        if term is None or log.terms.get(index + 1) != term:
            break
        index += 1
    return index
