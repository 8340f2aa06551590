"""What all monitors of one group share: its members, and what is known of it for ever.

Tables go by index and are cut at `floor`, below which no member has an entry left; those by term
keep the newest terms. So memory follows the log that lives, not what has happened.
"""

from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from walctl.checker.member import Config, Member
from walctl.checker.replayed import Replayed
from walctl.checker.violation import Violated, Violation, moment, named

TERMS_MAX: Final = 4_096
"""So many terms are remembered: nobody is that far behind."""
PASSED_MAX: Final = 64


class Seen(NamedTuple):
    """Where an entry was first written: the term in front of it, its digest, by whom, and when."""

    before: int | None
    digest: int
    node: str
    time_us: int


class Agreed(NamedTuple):
    """What was first applied at an index."""

    term: int
    payload: bytes
    kind: int
    node: str
    time_us: int


class Acked(NamedTuple):
    """A write that a client was told of."""

    term: int
    node: str
    time_us: int


class Scene:
    """One group. `only` are the invariants that are watched (none: all): what breaks another is
    noted in `passed`, and the run goes on to show what comes of it."""

    __slots__ = (
        "acked",
        "acked_marks",
        "agreed",
        "by_id",
        "changes",
        "committed",
        "committed_marks",
        "configs",
        "entries",
        "first_index",
        "floor",
        "group",
        "leaders",
        "members",
        "now_us",
        "only",
        "passed",
        "replayed",
        "snapshots",
        "votes",
    )

    def __init__(
        self,
        group: str,
        now_us: Callable[[], int],
        only: Collection[str],
        replayed: Replayed | None,
    ) -> None:
        self.group = group
        self.now_us = now_us
        self.only = frozenset(only)
        self.passed: list[Violation] = []
        self.members: dict[str, Member] = {}
        self.by_id: dict[int, list[Member]] = {}
        self.floor = 0
        self.first_index = 0
        """Up to here stand the entries that the group was begun with."""
        self.entries: dict[int, dict[int, Seen]] = {}
        self.committed: dict[int, int] = {}
        """The term of an entry that is committed, by its index."""
        self.committed_marks: dict[int, int] = {}
        """The highest index that was committed in a term."""
        self.agreed: dict[int, Agreed] = {}
        self.acked: dict[int, Acked] = {}
        self.acked_marks: dict[int, int] = {}
        self.leaders: dict[int, tuple[Member, int]] = {}
        self.votes: dict[int, dict[int, tuple[int, str, int]]] = {}
        """Of a Raft id, by term: for whom, from which site, when."""
        self.configs: dict[int, tuple[Config, str]] = {}
        self.changes: dict[int, int] = {}
        """The term of a membership change in some log, by its index."""
        self.snapshots: dict[int, tuple[int, str, str]] = {}
        self.replayed = replayed

    def broken(
        self,
        invariant: str,
        words: str,
        *nodes: str,
        term: int = 0,
        index: int = 0,
        witnesses: tuple[str, ...] = (),
        also: tuple[str, ...] = (),
    ) -> None:
        """Raise Violated, if anybody watches for it."""
        violation = Violation(
            id=invariant,
            words=words,
            group=self.group,
            nodes=nodes,
            time_us=self.now_us(),
            term=term,
            index=index,
            witnesses=witnesses,
            also=also,
            suspects=tuple(each.name for each in self.members.values() if each.is_suspect),
        )
        if not self.only or not self.only.isdisjoint(violation.ids):
            raise Violated(violation)
        if len(self.passed) < PASSED_MAX:
            self.passed.append(violation)

    def add(self, name: str, raft_id: int) -> Member:
        """The member of a site, a new one if need be."""
        member = self.members.get(name)
        if member is None or member.id != raft_id:
            if member is not None:
                self.by_id[member.id].remove(member)
            member = self.members[name] = Member(name, raft_id)
            self.by_id.setdefault(raft_id, []).append(member)
        return member

    def drop(self, name: str) -> None:
        """A site that is gone for ever."""
        member = self.members.pop(name, None)
        if member is not None:
            self.by_id[member.id].remove(member)
            self.prune()

    def name_of(self, raft_id: int) -> str:
        """The site that goes by an id, or the id as Raft would have it."""
        sites = self.by_id.get(raft_id)
        return sites[0].name if sites else f"n{raft_id}"

    def names_of(self, raft_ids: tuple[int, ...]) -> str:
        """Several, for a person."""
        return named(tuple(map(self.name_of, raft_ids)))

    def prune(self) -> None:
        """Forget what no member has in its log any more; who was removed holds nothing up."""
        config = self.configs[max(self.configs)][0] if self.configs else None
        members = [
            each
            for each in self.members.values()
            if config is None or any(each.id in part for part in config)
        ]
        floor = min((each.base for each in members), default=self.floor)
        if floor <= self.floor:
            return
        if self.replayed is not None:
            self.replayed.cut(floor - 1, self.agreed)
        for index in range(self.floor, floor):
            self.entries.pop(index, None)
            self.committed.pop(index, None)
            self.agreed.pop(index, None)
            self.acked.pop(index, None)
            self.snapshots.pop(index, None)
            self.changes.pop(index, None)
        self.floor = floor

    def first_applied(self, index: int) -> tuple[str, ...]:
        """A witness of what stands at an index for ever; none where nobody has applied it."""
        agreed = self.agreed.get(index)
        if agreed is None:
            return ()
        words = f"{agreed.node} applied {index} of term {agreed.term}"
        return (f"{moment(agreed.time_us)}: {words}",)


def trim(table: dict[int, Any]) -> None:
    """Keep the newest half of a table by terms that has grown too long."""
    for term in sorted(table)[: len(table) // 2]:
        del table[term]
