"""Who waits for what in one group's member: proposals for their entry, reads for their index.

A proposal is known by the index and term that its leader gave it. When an entry of another term is
applied there, it was certainly not done and never will be: an index is decided once. When a
leader's snapshot went past it, nobody can tell.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeAlias

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


READS_MAX: Final = 100_000
"""Reads that may wait until there is a leader to be asked."""

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
class Question:
    """Reads that are asked for together. `asked_us` is when that was first done, `term` that of the
    leader if it was ourselves, else 0; `age` and `patience` are in ticks. Every name that it was
    asked by stays good: it was asked after all of its reads came."""

    tells: list[Tell]
    asked_us: int
    term: int
    patience: int
    names: list[bytes] = field(default_factory=list)
    age: int = 0


@dataclass(slots=True)
class Reads:
    """Reads, in three steps: gathered, asked for together, and waiting for their index.

    All that is gathered goes out with one question. A question that gets no answer (a leader that
    left, a message that was lost) is asked again, each time after twice as long; an answer to any
    of these counts.
    """

    _gathered: list[Tell] = field(default_factory=list)
    _asked: dict[bytes, Question] = field(default_factory=dict)
    _waiting: list[tuple[int, int, Tell]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)

    def gather(self, tell: Tell) -> None:
        """A read came. Of too many that wait, one more is refused."""
        if len(self._gathered) >= READS_MAX:
            tell(Told(fate=Fate.FAIL, words="too many reads wait for a leader"))
        else:
            self._gathered.append(tell)

    @property
    def is_gathered(self) -> bool:
        """Whether a question is to be asked."""
        return bool(self._gathered)

    def ask(self, name: bytes, *, now_us: int, term: int, patience: int) -> None:
        """All that was gathered goes out under this name."""
        tells, self._gathered = self._gathered, []
        question = Question(tells, asked_us=now_us, term=term, patience=patience)
        self.ask_again(question, name)

    def ask_again(self, question: Question, name: bytes) -> None:
        """The same question under one more name."""
        question.names.append(name)
        self._asked[name] = question

    def tick(self) -> Iterator[Question]:
        """Time passes; the questions that are to be asked once more."""
        for question in {id(each): each for each in self._asked.values()}.values():
            question.age += 1
            if question.age >= question.patience:
                question.age, question.patience = 0, 2 * question.patience
                yield question

    def answered(self, name: bytes, index: int) -> Question | None:
        """The question of this name may be read at `index`; `None` when nobody waits for it."""
        question = self._asked.get(name)
        if question is None:
            return None
        for each in question.names:
            del self._asked[each]
        for tell in question.tells:
            self.wait(index, tell)
        return question

    def wait(self, index: int, tell: Tell) -> None:
        """A read waits until `index` is applied."""
        heapq.heappush(self._waiting, (index, next(self._order), tell))

    def applied(self, index: int) -> None:
        """Everything up to `index` is applied."""
        while self._waiting and self._waiting[0][0] <= index:
            _, _, tell = heapq.heappop(self._waiting)
            tell(Told(fate=Fate.OK, index=index))

    def give_up(self, words: str) -> None:
        """Nobody is there to be asked. A read that was not answered changed nothing: it failed."""
        questions = {id(each): each for each in self._asked.values()}.values()
        tells = [*self._gathered, *(tell for each in questions for tell in each.tells)]
        self._gathered, self._asked = [], {}
        for tell in tells:
            tell(Told(fate=Fate.FAIL, words=words))

    def end(self, words: str) -> None:
        """Nobody will ever answer, nor apply what is waited for."""
        self.give_up(words)
        waiting, self._waiting = self._waiting, []
        for _, _, tell in waiting:
            tell(Told(fate=Fate.FAIL, words=words))
