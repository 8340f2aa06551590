"""What may be done with each member: which is the newest safe one, which may be replaced.

A member may be replaced when the cluster can do without it for as long as that takes, and nothing
that a client was told of goes with it:

    it is known which member it is, who votes, and that no two logs contradict each other
    other voters, a majority of all, are whole, stand still, and hold every entry that is committed
    or may be
    everything committed is held by somebody, and no voter has lost what it had acknowledged

Replaced means taken out under its own id and let in under a new one with an empty directory. What
no bytes can show is that a directory is the member's present one.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from walctl.datadir.layout import Shape
from walctl.inspect.advice import path_word, repair_command
from walctl.inspect.agreement import contiguous, reach_of
from walctl.inspect.comparing.divergence import Divergence
from walctl.inspect.comparing.given import Given
from walctl.inspect.comparing.quorum import Quorum

COPY_ALL = "copy every directory before anything else"


class Standing(enum.StrEnum):
    """A member in a word; scripts rely on these."""

    NEWEST = "newest-safe"
    SAFE = "safe"
    """Holds all that the newest one holds."""
    BEHIND = "behind"
    DAMAGED = "damaged"
    DIVERGED = "diverged"
    SUSPECT = "suspect"
    """May have lost entries that it had acknowledged."""
    ASIDE = "aside"
    """Whole, while others contradict each other."""
    REPLACED_TAIL = "stale-tail"
    """Ends in entries that a leader will replace."""
    COPY = "copy"
    """Of a member of whom a newer copy was given."""
    REMOVED = "removed"
    LEARNER = "learner"
    FOREIGN = "foreign"
    EMPTY = "empty"
    MOVING = "moving"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What becomes of one directory: `words` say it, `may_be_replaced` is the answer to whoever
    wants to wipe it, `why` its reason, `next` the command that helps (empty: none)."""

    standing: Standing
    words: str
    may_be_replaced: bool = False
    why: str = ""
    next: str = ""

    @property
    def is_safe(self) -> bool:
        """Whether it is whole and may be built upon."""
        return self.standing in _SAFE


_SAFE = frozenset({Standing.NEWEST, Standing.SAFE, Standing.BEHIND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """All that a judgement rests on; of the members of one cluster."""

    members: Sequence[Given]
    quorum: Quorum
    divergences: Sequence[Divergence]
    odd_hashes: frozenset[int] = frozenset()
    """Positions of members whose key space is not that of the others."""

    def judged(self) -> list[Judgement]:
        """A judgement for each member, in their order."""
        standings = [self._standing(at) for at in range(len(self.members))]
        if self._is_contradictory:
            aside = [Standing.ASIDE if each in _SAFE else each for each in standings]
            return [self._judgement(at, aside) for at in range(len(aside))]
        whole = [at for at, each in enumerate(standings) if each in _SAFE]
        newest = max(whole, key=lambda at: reach_of(self.members[at].seen), default=None)
        reach = reach_of(self.members[newest].seen) if newest is not None else (0, 0)
        for at in whole:
            is_level = reach_of(self.members[at].seen) >= reach
            standings[at] = Standing.SAFE if is_level else Standing.BEHIND
        if newest is not None:
            standings[newest] = Standing.NEWEST
        return [self._judgement(at, standings) for at in range(len(self.members))]

    def _standing(self, at: int) -> Standing:
        """What a member is, before it is compared with the newest one."""
        given, quorum = self.members[at], self.quorum
        node = given.node_id
        if given.is_empty:
            return Standing.EMPTY
        if self._is_diverged(at):
            return Standing.DIVERGED
        if node in quorum.voters and quorum.present.get(node or 0) != at:
            return Standing.COPY
        if given.is_damaged:
            return Standing.DAMAGED
        if given.seen.is_moving:
            return Standing.MOVING
        if node is not None and quorum.voters and node not in quorum.voters:
            return Standing.LEARNER if self._is_learner(node) else Standing.REMOVED
        if self._lacks_what_it_may_have_had(at):
            return Standing.SUSPECT
        return Standing.REPLACED_TAIL if self._has_stale_tail(at) else Standing.SAFE

    @property
    def _is_contradictory(self) -> bool:
        """Whether two logs, or two key spaces, cannot both be of this cluster."""
        return bool(self.odd_hashes) or any(not each.is_allowed for each in self.divergences)

    def _lacks_what_it_may_have_had(self, at: int) -> bool:
        return any(
            contiguous(self.members[at].seen, span.first) < span.last
            and self.members[at].covered < span.last
            for span in self.quorum.short
        )

    def _is_diverged(self, at: int) -> bool:
        return at in self.odd_hashes or any(
            not each.is_allowed and any(at in variant.holders for variant in each.variants)
            for each in self.divergences
        )

    def _has_stale_tail(self, at: int) -> bool:
        return any(
            at in variant.holders
            for each in self.divergences
            if each.is_allowed and not each.is_passed
            for number, variant in enumerate(each.variants)
            if number != each.winner
        )

    def _is_learner(self, node: int) -> bool:
        views = (view for given in self.members for view in given.membership.views)
        return any(
            peer.id == node and peer.is_learner
            for view in views
            if (view.index or 0) >= self.quorum.view_index
            for peer in view.peers
        )

    def _judgement(self, at: int, standings: Sequence[Standing]) -> Judgement:
        given, standing = self.members[at], standings[at]
        why_not = self._why_not_replaced(at, standings)
        may = not why_not
        if standing in (Standing.EMPTY, Standing.REMOVED, Standing.COPY):
            may, why_not = False, "" if given.damage is None else why_not
        return Judgement(
            standing=standing,
            words=self._words(at, standing, may=may),
            may_be_replaced=may,
            why="the others hold all that was committed" if may else why_not,
            next=self._next(given, standing, standings),
        )

    def _words(self, at: int, standing: Standing, *, may: bool) -> str:
        given = self.members[at]
        damage = given.damage or ""
        copy = self.quorum.present.get(given.node_id or 0)
        match standing:
            case Standing.NEWEST:
                held = given.holds_to or given.last
                short = held < self.quorum.committed_to
                return "newest, safe" + (f", but ends before {self.quorum.committed_to}" * short)
            case Standing.SAFE:
                return "as new, safe"
            case Standing.BEHIND:
                return "behind, safe"
            case Standing.ASIDE:
                return "whole; wait until the others are judged"
            case Standing.SUSPECT:
                return "may have lost its end: do not start, do not wipe"
            case Standing.REPLACED_TAIL:
                return "its last entries will be replaced; safe"
            case Standing.DAMAGED if may:
                return "repair or replace it"
            case Standing.DAMAGED:
                return "repair first, do not wipe"
            case Standing.DIVERGED:
                return "contradicts others: do not start" + (f" ({damage})" if damage else "")
            case Standing.COPY if copy is not None:
                other = self.members[copy]
                older = "n older" if reach_of(given.seen) < reach_of(other.seen) else ""
                kind = f"a{older}{' damaged' * given.is_damaged} copy of"
                return f"{kind} {other.name}"
            case Standing.REMOVED:
                return "was removed from the cluster"
            case Standing.LEARNER:
                return "a learner, does not vote"
            case Standing.EMPTY if given.seen.database is not None:
                return "no log: only its keys are compared"
            case Standing.EMPTY:
                return "empty: it holds nothing"
            case _:
                return "a server is at work: stop it, or take a copy"

    def _why_not_replaced(self, at: int, standings: Sequence[Standing]) -> str:
        """Why a member must not be wiped; empty when it may be replaced."""
        given, quorum = self.members[at], self.quorum
        if not quorum.voters:
            return "nobody says who votes"
        if given.node_id is None:
            return "it does not say which member it is"
        if any(not each.is_allowed for each in self.divergences):
            return f"logs contradict each other: {COPY_ALL}"
        if self.odd_hashes:
            return f"key spaces differ: {COPY_ALL}"
        if quorum.lost:
            return f"committed entries are missing everywhere: {COPY_ALL}"
        if quorum.short:
            return "a voter has lost entries that it had acknowledged"
        others = [
            other
            for node, other in quorum.present.items()
            if node != given.node_id and standings[other] in (*_SAFE, Standing.REPLACED_TAIL)
        ]
        enough = [other for other in others if self.members[other].holds_to >= quorum.possible_to]
        if len(enough) < quorum.needed:
            told = "none" if not enough else f"only {len(enough)}"
            return (
                f"{told} of the other voters is known to be whole and to reach"
                f" {quorum.possible_to}; it takes {quorum.needed}"
            )
        return ""

    def _next(self, given: Given, standing: Standing, standings: Sequence[Standing]) -> str:
        """The command that helps this member."""
        layout = given.seen.layout
        if standing is Standing.DAMAGED and layout.is_member:
            peers = [
                other.seen.layout
                for other, each in zip(self.members, standings, strict=True)
                if each in _SAFE and other is not given and other.seen.layout.is_member
                if other.node_id is not None and other.node_id != given.node_id
            ]
            words = [repair_command(layout)]
            words += [f"--from {path_word(each.path)}" for each in peers]
            return " ".join(words)
        if standing in (Standing.DAMAGED, Standing.EMPTY, Standing.MOVING):
            return f"walctl doctor {path_word(layout.path)}"
        if standing is Standing.DIVERGED and layout.shape is not Shape.RAFTEXAMPLE:
            return f"walctl bundle {path_word(layout.path)}"
        return ""
