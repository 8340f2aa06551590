"""Who waits for what in one group's member: proposals for their entry, reads for their index.

A proposal is known by the index and term that its leader gave it. When an entry of another term is
applied there, it was certainly not done and never will be: an index is decided once. When a
leader's snapshot went past it, nobody can tell.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from walctl.cluster.answers import Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of what was asked of a member.

    `index` is the log's index that it is about; `value` what a condition met instead.
    """

    fate: Fate
    index: int | None = None
    words: str = ""
    value: bytes | None = None


Tell: TypeAlias = Callable[[Told], None]


@dataclass(slots=True)
class Proposals:
    """Those that have an index, by it."""

    _waiting: dict[int, tuple[int, Tell]] = field(default_factory=dict)

    def add(self, index: int, term: int, tell: Tell) -> None:
        """Somebody waits for the entry of this term at this index.

        Whoever waited for another one there, from when this member led before, has lost it from
        this log; some other member may have it, and bring it through.
        """
        if index in self._waiting:
            _, before = self._waiting.pop(index)
            before(Told(fate=Fate.UNKNOWN, words=f"entry {index} was overwritten here"))
        self._waiting[index] = (term, tell)

    def applied(self, index: int, term: int, told: Told) -> None:
        """The entry at `index` was applied; it is of this `term`, and this came of it."""
        found = self._waiting.pop(index, None)
        if found is None:
            return
        own, tell = found
        if own == term:
            tell(told)
        else:
            words = f"another entry was committed at {index}: the leader has changed"
            tell(Told(fate=Fate.FAIL, words=words))

    def passed(self, index: int) -> None:
        """A snapshot of another leader took the place of all up to `index`."""
        for at in [each for each in self._waiting if each <= index]:
            _, tell = self._waiting.pop(at)
            tell(Told(fate=Fate.UNKNOWN, words=f"a leader's snapshot went past entry {at}"))

    def end(self, words: str) -> None:
        """Nobody will ever tell them."""
        waiting, self._waiting = self._waiting, {}
        for _, tell in waiting.values():
            tell(Told(fate=Fate.UNKNOWN, words=words))

    def __len__(self) -> int:
        return len(self._waiting)


@dataclass(slots=True)
class Reads:
    """Reads, in three steps: gathered, asked for together, and waiting for their index.

    All that is gathered goes out with one question. A question that gets no answer (a leader that
    left, a message that was lost) is asked again with all that still waits for it.
    """

    _gathered: list[Tell] = field(default_factory=list)
    _asked: dict[bytes, list[Tell]] = field(default_factory=dict)
    _waiting: list[tuple[int, int, Tell]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)

    def gather(self, tell: Tell) -> None:
        """A read came."""
        self._gathered.append(tell)

    @property
    def is_gathered(self) -> bool:
        """Whether a question is to be asked."""
        return bool(self._gathered)

    @property
    def is_asked(self) -> bool:
        """Whether a question is on its way."""
        return bool(self._asked)

    def ask(self, context: bytes) -> None:
        """All that was gathered goes out under this name."""
        self._asked[context], self._gathered = self._gathered, []

    def ask_again(self) -> None:
        """What was asked has no answer: it is gathered once more."""
        asked, self._asked = self._asked, {}
        for tells in asked.values():
            self._gathered += tells

    def answered(self, context: bytes, index: int) -> None:
        """The question of this name may be read at `index`."""
        for tell in self._asked.pop(context, ()):
            self.wait(index, tell)

    def wait(self, index: int, tell: Tell) -> None:
        """A read waits until `index` is applied."""
        heapq.heappush(self._waiting, (index, next(self._order), tell))

    def applied(self, index: int) -> None:
        """Everything up to `index` is applied."""
        while self._waiting and self._waiting[0][0] <= index:
            _, _, tell = heapq.heappop(self._waiting)
            tell(Told(fate=Fate.OK, index=index))

    def end(self, words: str) -> None:
        """Nobody will ever answer. A read that was not answered changed nothing: it failed."""
        self.ask_again()
        tells = [*self._gathered, *(tell for _, _, tell in self._waiting)]
        self._gathered, self._waiting = [], []
        for tell in tells:
            tell(Told(fate=Fate.FAIL, words=words))
