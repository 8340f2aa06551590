"""Who owns what moves between groups or members (I16): one owner at each moment, and all with it.

A *tablet* is what moves: a group that goes from one instance to another, or a predicate as Dgraph
has them; its owner is whoever may accept writes for it. A coordinator decides, in an order that all
see: `assigned` is that decision, the point of no return of a move.

    assigned(S) ── writes at S ── blocked ── copy to D ── assigned(D) ── unblocked ── writes at D
                                                              └── S's members delete, each once it
                                                                  knows the new owner
Rules, with the number that the notes on group moves give them:
    1  only the owner accepts writes, and nobody while they are blocked
    2  all that was acknowledged is with the owner, also of moves that failed half-way (3, 6, 7)
    4  a read is answered from a tablet that has all that was acknowledged before it was asked
    5  a member deletes a tablet only when it knows that somebody else owns it

Source: Dgraph, notes on the steps of a predicate move, and issues #2338, #4496, #4602.
"""

from collections.abc import Callable, Container
from typing import Final

from walctl.checker.violation import Violated, Violation, moment

_NOBODY: Final = ""


class _Tablet:
    __slots__ = ("acked", "assigned_us", "is_blocked", "owner")

    def __init__(self) -> None:
        self.owner = _NOBODY
        self.assigned_us = 0
        self.is_blocked = False
        self.acked: dict[str, int] = {}
        """Writes that count, by when they were acknowledged."""


class Owners:
    """See the module. Names of tablets, owners and writes are whatever tells them apart.

    Memory follows the writes that count: `overwritten` takes those away that a later one of the
    same key has replaced.
    """

    __slots__ = ("_now_us", "_tablets")

    def __init__(self, *, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._tablets: dict[str, _Tablet] = {}

    def assigned(self, tablet: str, owner: str) -> None:
        """From now on this is the owner; an assignment may be repeated."""
        it = self._tablet(tablet)
        if it.owner != owner:
            it.owner, it.assigned_us = owner, self._now_us()

    def blocked(self, tablet: str) -> None:
        """No write is accepted any more."""
        self._tablet(tablet).is_blocked = True

    def unblocked(self, tablet: str) -> None:
        """The move has ended, or failed."""
        self._tablet(tablet).is_blocked = False

    def accepted(self, tablet: str, owner: str, write: str) -> None:
        """Somebody has committed a write for a tablet."""
        it = self._tablet(tablet)
        if it.owner != owner:
            self._broken(
                f"{owner} accepts {write} for {tablet}, which {it.owner or 'nobody'} owns",
                owner,
                witnesses=self._since(tablet),
            )
        if it.is_blocked:
            words = f"{owner} accepts {write} for {tablet} while that is being moved"
            self._broken(words, owner, witnesses=self._since(tablet))

    def acknowledged(self, tablet: str, write: str) -> None:
        """A client was told that a write is done."""
        self._tablet(tablet).acked[write] = self._now_us()

    def overwritten(self, tablet: str, write: str) -> None:
        """A later write has replaced this one: nobody has to have it any more."""
        self._tablet(tablet).acked.pop(write, None)

    def answered(self, tablet: str, owner: str, held: Container[str], *, asked_us: int) -> None:
        """A read that was asked for at `asked_us` was answered out of `held`."""
        self._demand_all(tablet, owner, held, before_us=asked_us, verb="answers")

    def holds(self, tablet: str, owner: str, held: Container[str]) -> None:
        """What somebody has of a tablet; of the owner this is asked after each move and at the
        end."""
        if self._tablet(tablet).owner == owner:
            self._demand_all(tablet, owner, held, before_us=self._now_us() + 1, verb="owns")

    def deleted(self, tablet: str, owner: str, member: str, *, known_owner: str) -> None:
        """A member of `owner` deletes its copy, and takes `known_owner` for the owner."""
        if known_owner == owner:
            words = f"{member} deletes {tablet}, and takes {owner} for its owner still"
            self._broken(words, member, witnesses=self._since(tablet))
        it = self._tablet(tablet)
        if it.owner == owner:
            words = f"{member} deletes {tablet}, which {owner} owns"
            self._broken(words, member, witnesses=self._since(tablet))

    def _demand_all(
        self, tablet: str, owner: str, held: Container[str], *, before_us: int, verb: str
    ) -> None:
        for write, acked_us in self._tablet(tablet).acked.items():
            if acked_us < before_us and write not in held:
                self._broken(
                    f"{owner} {verb} {tablet} without {write}, which a client was told of",
                    owner,
                    witnesses=(
                        f"{moment(acked_us)}: {write} was acknowledged",
                        *self._since(tablet),
                    ),
                )

    def _tablet(self, name: str) -> _Tablet:
        found = self._tablets.get(name)
        if found is None:
            found = self._tablets[name] = _Tablet()
        return found

    def _since(self, tablet: str) -> tuple[str, ...]:
        it = self._tablet(tablet)
        if not it.owner:
            return ()
        return (f"{moment(it.assigned_us)}: {it.owner} became the owner of {tablet}",)

    def _broken(self, words: str, node: str, *, witnesses: tuple[str, ...]) -> None:
        raise Violated(
            Violation(
                id="I16", words=words, nodes=(node,), time_us=self._now_us(), witnesses=witnesses
            )
        )
