"""Smaller cases tried: each is played, and only the one that fails in the same way counts.

A case fails as it should when its scenario is as expected to its end, which says what is broken
(`expect violation I7`). So whatever is found here plays the same from its file. Nothing is tried
twice; when the runs or the seconds are used up, `SpentError` comes out of the next try.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from walctl.checker.history import Fate, History, Operation
from walctl.checker.linearizable import Verdict, check
from walctl.cluster.deeds import OneMessage
from walctl.cluster.scenario import Scenario, parse
from walctl.errors import ExitStatus, UsageError
from walctl.sim.case import Case
from walctl.sim.clockwork import Rank
from walctl.sim.onlooker import Onlooker
from walctl.sim.play import Outcome, Watch, play
from walctl.sim.safeguard import Safeguard, without
from walctl.sim.world import World

LINEARIZABILITY: Final = "I15"
_NAME: Final = "shrinking"


class SpentError(Exception):
    """No more runs, or no more time."""


class _Late(BaseException):
    """A run took longer than what it is a smaller one of: it comes up through a member, as a
    violation does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be tried: so many runs, and so long, by the clock of whoever asks."""

    runs_max: int = 2_000
    seconds_max: float = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """How a case fails: when, in virtual time; and what chance did to single messages then."""

    now_us: int
    outcome: Outcome
    drawn: tuple[OneMessage, ...]
    is_at_end: bool = False
    """It is seen when all has ended, and not before."""


class Trial:
    """Plays cases without the safeguards `missing`; `watch` looks on, as in `play`.

    `seconds` is a clock that only goes forward.
    """

    def __init__(
        self,
        *,
        watch: Watch | None,
        missing: Sequence[Safeguard],
        limits: Limits,
        seconds: Callable[[], float],
    ) -> None:
        self.runs = 0
        self._watch = watch
        self._missing = missing
        self._limits = limits
        self._seconds = seconds
        self._began = seconds()
        self._known: dict[bytes, Found | None] = {}

    @property
    def seconds(self) -> float:
        """How long all of it has taken until now."""
        return self._seconds() - self._began

    def found(self, case: Case, *, within_us: int | None = None) -> Found | None:
        """How the case fails; `None`: not as it should, or not within this virtual time.

        Raises: SpentError.
        """
        scenario = case.scenario(_NAME)
        key = hashlib.sha256(scenario.text.encode()).digest()
        if key not in self._known:
            self._demand_room()
            self._known[key] = self._found(scenario, within_us)
        return self._known[key]

    def played(
        self, scenario: Scenario, *, within_us: int | None = None
    ) -> tuple[Outcome, World, tuple[OneMessage, ...]] | None:
        """Play any scenario; `None` where it is not over within this virtual time.

        Raises: UsageError, for one that makes no sense.
        """
        self.runs += 1
        worlds: list[World] = []

        def watch(world: World) -> Onlooker:
            worlds.append(world)
            world.network.drawn = []
            if within_us is not None:
                world.clock.at(within_us, Rank.WATCH, _too_late)
            return Onlooker() if self._watch is None else self._watch(world)

        with without(self._missing):
            try:
                outcome = play(scenario, watch=watch)
            except _Late:
                return None
        return outcome, worlds[0], tuple(worlds[0].network.drawn or ())

    def _found(self, scenario: Scenario, within_us: int | None) -> Found | None:
        try:
            played = self.played(scenario, within_us=within_us)
        except UsageError:
            return None  # what is left makes no sense without what is gone
        if played is None:
            return None
        outcome, world, drawn = played
        if outcome.exit_status is not ExitStatus.CLEAN:
            return None
        now_us = outcome.now_us
        if outcome.violation is not None and outcome.violation.id == LINEARIZABILITY:
            now_us = earliest_us(world.clients.history())
        if not _is_readable(scenario):
            return None
        end_us = scenario.commands[-1].at_us
        return Found(now_us, outcome, drawn, end_us is not None and now_us >= end_us)

    def _demand_room(self) -> None:
        if self.runs >= self._limits.runs_max or self.seconds >= self._limits.seconds_max:
            raise SpentError


def _is_readable(scenario: Scenario) -> bool:
    """Whether its text says the same, read again."""
    try:
        again = parse(scenario.text, name=scenario.name)
    except UsageError:
        return False
    return (again.cluster, again.commands) == (scenario.cluster, scenario.commands)


def earliest_us(history: History) -> int:
    """When a history that has no order had none for the first time: a longer one has none either.

    Source: Herlihy and Wing, Linearizability, 1990: the property is prefix-closed.
    """
    ends = sorted(each.end for each in history.operations if each.end is not None)
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if check(_until(history, ends[middle])).verdict is Verdict.NOT_LINEARIZABLE:
            high = middle
        else:
            low = middle + 1
    return ends[low]


def _until(history: History, now_us: int) -> History:
    """What was known by then: of what had not ended, nothing."""
    operations: list[Operation] = []
    for each in history.operations:
        if each.end is not None and each.end <= now_us:
            operations.append(each)
        elif each.call <= now_us and not each.function.is_read:
            operations.append(replace(each, end=None, fate=Fate.UNKNOWN, output=None, index=None))
    return replace(history, operations=tuple(operations))


def _too_late() -> None:
    raise _Late
