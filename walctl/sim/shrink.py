"""A failing run made small enough to be read: fewer decisions, as long as the same promise breaks.

Not seeds are shrunk but what was decided: faults and requests with their moments, and what became
of single messages. What comes out is a scenario that ends with `expect violation I7`. In turn, what
may save most first:

1. what comes after the violation is cut off
2. only the last few commands stay; no requests at all, no faults at all
3. links and disks always take equally long, snapshots come early, requests go to the leader: then
   what is left out changes less of what stays
4. whole classes of faults and requests go, then single ones (`reduce`); where that is a matter of
   luck, a few requests are tried with other seeds
5. nodes and groups go, clients and keys become one
6. chances of messages to be lost become a list of messages, which is reduced as well; 4 and 5 again
7. crashes become simpler, options usual and times round

each until nothing changes any more. A change of the cluster lets chance decide in another way: so
it is tried with a few other seeds too, and the seed goes where it is not needed.

Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002.
"""

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from walctl.checker.violation import Violation, named
from walctl.cluster.claim import Claim, ClaimKind
from walctl.cluster.deeds import Converge, Expect, MakeCluster, Net
from walctl.cluster.scenario import COMMANDS_MAX, Command, Scenario, parse
from walctl.cluster.story import Broken, Story
from walctl.errors import ClusterError
from walctl.sim.case import (
    Case,
    decisions,
    election_us,
    is_fault,
    is_message,
    is_operation,
    is_wait,
    kind_of,
    violation_of,
)
from walctl.sim.fewer_nodes import without_node
from walctl.sim.play import Outcome, Watch
from walctl.sim.reduce import reduced
from walctl.sim.safeguard import Safeguard
from walctl.sim.simpler import (
    GRIDS_US,
    anchored,
    calm,
    earlier_ends,
    fewer_clients,
    fewer_groups,
    fewer_keys,
    gaps,
    headers,
    plain_requests,
    rounded,
    rounded_one,
    simpler,
    small_logs,
    windows,
)
from walctl.sim.trial import LINEARIZABILITY, Found, Limits, SpentError, Trial

ROUNDS_MAX: Final = 6
NODES_MIN: Final = 3
OTHER_SEEDS: Final = (None, 1, 2, 3)
GAMBLED_SEEDS: Final = (None, *range(1, 8))
TIMED_MAX: Final = 40
"""Times are made round one by one where there are at most so many decisions."""
_BY_CHANCE: Final = frozenset({"loss", "dup", "reorder"})
_LATER_ELECTIONS: Final = 4
"""A smaller case may fail so many election timeouts later than the one before."""
_LONG_MIN: Final = 100
_PART_MIN: Final = 16
_PART_SEEDS: Final = (None, 1, 2)
"""Parts of a run are tried by themselves where there are more decisions; from so many on."""
_AFTER_US: Final = 150_000_000
"""So long a cluster may take that has to converge."""


class End(enum.StrEnum):
    """Why it went no further."""

    DONE = "nothing more can go"
    SPENT = "the runs or the seconds are used up"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where it is: runs and seconds until now, and how many decisions are left."""

    runs: int
    seconds: float
    decisions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """What came of it. `before` and `after` count decisions: neither waits nor expectations."""

    scenario: Scenario
    violation: Violation | None
    words: str
    before: int
    after: int
    runs: int
    seconds: float
    end: End


OnProgress = Callable[[Progress], None]


def shrink(
    scenario: Scenario,
    *,
    seconds: Callable[[], float],
    watch: Watch | None = None,
    without: Sequence[Safeguard] = (),
    limits: Limits | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Shrunk:
    """Make a failing scenario small. Ctrl-C ends it, with the best there is by then.

    `seconds` is a clock, `watch` looks on in each run, `without` are the safeguards that are
    missing. Raises: ClusterError, where no promise is broken; UsageError.
    """
    trial = Trial(watch=watch, missing=without, limits=limits or Limits(), seconds=seconds)
    case, found = _opened(scenario, trial)
    shrinker = _Shrinker(trial, case, found, on_progress)
    end = End.DONE
    try:
        shrinker.shrink()
    except SpentError:
        end = End.SPENT
    except KeyboardInterrupt:
        end = End.INTERRUPTED
    best, found = shrinker.best, shrinker.found
    before = decisions(scenario.commands)
    violation = found.outcome.violation
    told = f"Shrunk from {scenario.name}: {before} decisions to {best.decisions}."
    return Shrunk(
        scenario=parse(
            best.scenario(scenario.name, _story(told, without, violation, best.goal)).text,
            name=scenario.name,
        ),
        violation=violation,
        words=best.goal.words if violation is None else violation.line,
        before=before,
        after=best.decisions,
        runs=trial.runs,
        seconds=trial.seconds,
        end=end,
    )


def _story(
    told: str, without: Sequence[Safeguard], violation: Violation | None, goal: Claim
) -> Story:
    """Where the file is from, and what happens without the safeguard."""
    missing = tuple(each.name for each in without)
    if violation is not None and len(missing) == 1:
        return Story(text=told, broken=(Broken(*missing, violation.ids, violation.words),))
    words = goal.words if violation is None else violation.line
    return Story(text=f"{told} {f'Without {named(missing)}, ' if missing else ''}{words}")


# How it begins.


def _opened(scenario: Scenario, trial: Trial) -> tuple[Case, Found]:
    """The case as it is given, cut off behind what goes wrong. Raises: ClusterError."""
    played = trial.played(scenario)
    assert played is not None, "it has no bound"
    outcome, _, _ = played
    goal = _goal(outcome)
    if goal is None:
        raise ClusterError(f"{scenario.name}: {_nothing(outcome)}")
    done = sum(not _is_about_violations(each.command) for each in outcome.steps)
    commands = tuple(each for each in scenario.commands[:done] if not isinstance(each.deed, Expect))
    for case in _beginnings(scenario.cluster, commands, goal, outcome.now_us):
        found = trial.found(case)
        if found is not None:
            return case, found
    raise ClusterError(f"{scenario.name}: {goal.words} only as long as all of it is played")


def _beginnings(
    cluster: MakeCluster, commands: tuple[Command, ...], goal: Claim, now_us: int
) -> Iterator[Case]:
    """Ways to end the run, the shortest first."""
    case = Case(cluster=cluster, commands=commands, goal=goal)
    quiet = case.with_commands(each for each in commands if not isinstance(each.deed, Converge))
    begun = (each for each in quiet.commands if each.at_us is None or each.at_us <= now_us)
    timed = replace(quiet.with_commands(begun), end_us=now_us)
    is_timed = all(each.at_us is not None or is_message(each.deed) for each in commands)
    yield from (timed, quiet) if is_timed else (quiet, timed)
    yield case


def _goal(outcome: Outcome) -> Claim | None:
    """What is to fail again; `None`: nothing that can be told apart."""
    if outcome.violation is not None:
        return violation_of(outcome.violation.id)
    broken = outcome.broken
    if broken is not None and isinstance(broken.command.deed, Expect) and not broken.is_error:
        claim = broken.command.deed.claim
        if claim.what is ClaimKind.LINEARIZABLE and not claim.is_not:
            return violation_of(LINEARIZABILITY)
        if claim.what is ClaimKind.VERIFY and not claim.is_not:
            return replace(claim, is_not=True)
    return None


def _nothing(outcome: Outcome) -> str:
    """Why there is nothing to shrink."""
    broken = outcome.broken
    took = f"expected a run that breaks a promise, found none in {outcome.now_us / 1e6:.3f} s"
    if broken is None:
        return took
    return f"{took}; it ended at line {broken.command.line}: {broken.done.words}"


def _is_about_violations(command: Command) -> bool:
    deed = command.deed
    return isinstance(deed, Expect) and deed.claim.what is ClaimKind.VIOLATION


# What is tried.


class _Shrinker:
    """`best` is the smallest case that fails until now, and `found` how it does."""

    def __init__(self, trial: Trial, case: Case, found: Found, on_progress: OnProgress) -> None:
        self.best, self.found = case, found
        self._trial = trial
        self._on_progress = on_progress
        self._within_us = found.now_us + _AFTER_US

    def shrink(self) -> None:
        """All of it, until nothing changes. Raises: SpentError."""
        self._is_new(self.best)
        self._windows()
        self._parts()
        self._some((calm(self.best),), is_reseeded=True)
        self._some(small_logs(self.best))
        self.attempt(anchored(self.best))
        self._until_stuck(self._fewer)
        self._messages()
        self._until_stuck(self._fewer)
        self._until_stuck(self._plainer)
        self._round_end()

    def _fewer(self) -> None:
        """What is done, and who does it."""
        self._classes()
        self._gamble()
        for is_meant in (is_operation, is_fault, is_wait, is_message):
            self._reduce(is_meant)
        self._fewer_nodes()
        self._some(fewer_groups(self.best), is_reseeded=True)
        self._say_simply()

    def _plainer(self) -> None:
        """How and when it is done."""
        self._simpler_deeds()
        self._header()
        if self.best.decisions <= TIMED_MAX:
            self._squeeze()
            self._round()
        for is_meant in (is_operation, is_fault, is_message):
            self._reduce(is_meant)

    def _until_stuck(self, change: Callable[[], None]) -> None:
        for _ in range(ROUNDS_MAX):
            before = self.best
            change()
            if self.best == before:
                return

    def attempt(self, case: Case) -> bool:
        """Whether the case fails too; then it is the best. Raises: SpentError."""
        if case == self.best:
            return False
        if self.best.end_us is not None:
            last_us = max((each.at_us or 0 for each in case.commands), default=0)
            # What is seen at the end alone is not seen later.
            later_us = 0 if self.found.is_at_end else _LATER_ELECTIONS * election_us(case)
            case = replace(case, end_us=max(case.end_us or 0, last_us) + later_us)
        is_new = self._is_new(case)
        self._on_progress(
            Progress(
                runs=self._trial.runs,
                seconds=self._trial.seconds,
                decisions=self.best.decisions,
            )
        )
        return is_new

    def _is_new(self, case: Case) -> bool:
        """Whether it fails, and is another one than the best when it is cut off behind that."""
        found = self._trial.found(case, within_us=self._within_us)
        if found is None:
            return False
        trimmed = _trimmed(case, found)
        if trimmed == self.best:
            return False
        if self.best.goal.text == LINEARIZABILITY and trimmed != case:
            # What clients saw is judged at the end: an earlier end is another run.
            again = self._trial.found(trimmed)
            trimmed, found = (case, found) if again is None else (trimmed, again)
        self.best, self.found = trimmed, found
        return True

    def _some(self, cases: Iterable[Case], *, is_reseeded: bool = False) -> bool:
        """The first of these that fails, with other seeds where that may help."""
        for case in cases:
            if case == self.best:
                continue
            if self.attempt(case):
                return True
            if is_reseeded and any(self.attempt(case.with_seed(seed)) for seed in OTHER_SEEDS):
                return True
        return False

    def _reduce(self, is_meant: Callable[..., bool]) -> None:
        """As few commands of a kind as can be."""
        case = self.best
        numbered = list(enumerate(case.commands))
        meant = [at for at, each in numbered if is_meant(each.deed)]
        others = frozenset(at for at, _ in numbered) - frozenset(meant)

        def fails(kept: tuple[int, ...]) -> bool:
            chosen = others.union(kept)
            return self.attempt(case.with_commands(each for at, each in numbered if at in chosen))

        if meant:
            reduced(meant, fails)

    # Large cuts.

    def _windows(self) -> None:
        """The last few commands; nobody asks anything, nothing goes wrong."""
        self._keep_last(lambda command: True)
        self._keep_last(lambda command: is_operation(command.deed))
        self._keep_last(lambda command: is_fault(command.deed))

    def _parts(self) -> None:
        """Any part of the run by itself, with other chances: of a long run in which everything
        hangs on everything nothing else can go."""
        case, size = self.best, _PART_MIN
        is_long = case.end_us is not None and case.decisions > _LONG_MIN
        while is_long and size < len(case.commands) // 2:
            for part in windows(case, size):
                if any(self.attempt(part.with_seed(seed)) for seed in _PART_SEEDS):
                    return
            size *= 2

    def _keep_last(self, is_meant: Callable[[Command], bool]) -> None:
        """Of these commands as few of the last ones as fail; by powers of two."""
        case = self.best
        meant = [at for at, each in enumerate(case.commands) if is_meant(each)]
        count = 0
        while count < len(meant):
            gone = frozenset(meant[: len(meant) - count])
            left = (each for at, each in enumerate(case.commands) if at not in gone)
            if self.attempt(case.with_commands(left)):
                return
            count = max(1, 2 * count)

    def _classes(self) -> None:
        """Each class as a whole, the one with the most commands first."""
        counts: dict[str, int] = {}
        for each in self.best.commands:
            if not is_message(each.deed):
                kind = kind_of(each.deed)
                counts[kind] = counts.get(kind, 0) + 1
        for kind in sorted(counts, key=lambda each: -counts[each]):
            left = [each for each in self.best.commands if kind_of(each.deed) != kind]
            self.attempt(self.best.with_commands(left))

    def _gamble(self) -> None:
        """Only a few requests, with other chances: where it is a matter of luck which message is
        lost when, leaving out one after the other leads nowhere."""
        count = 1
        while count < sum(is_operation(each.deed) for each in self.best.commands) // 2:
            case = self.best
            meant = [at for at, each in enumerate(case.commands) if is_operation(each.deed)]
            for chosen in (meant[-count:], meant[:count]):
                gone = frozenset(meant) - frozenset(chosen)
                left = case.with_commands(
                    each for at, each in enumerate(case.commands) if at not in gone
                )
                if any(self.attempt(left.with_seed(seed)) for seed in GAMBLED_SEEDS):
                    return
            count *= 2

    # Other words for the same.

    def _say_simply(self) -> None:
        """Clients, keys and values."""
        self._some(fewer_clients(self.best))
        self._some(fewer_keys(self.best))
        for make in (fewer_clients, fewer_keys, plain_requests):
            for at, _ in enumerate(list(make(self.best))):
                cases = list(make(self.best))
                if at < len(cases):
                    self.attempt(cases[at])

    def _messages(self) -> None:
        """Messages by name instead of chances, if it still fails; then as few as can be."""
        drawn, case = self.found.drawn, self.best
        chances = [each for each in case.commands if _is_chance(each)]
        if chances and len(drawn) + len(case.commands) < COMMANDS_MAX:
            named = (Command(line=0, deed=each) for each in drawn)
            left = (each for each in case.commands if not _is_chance(each))
            self.attempt(case.with_commands((*named, *left)))
        self._reduce(is_message)

    def _fewer_nodes(self) -> None:
        """Down to three; which one goes is tried, the last one first."""
        while self.best.cluster.nodes > NODES_MIN:
            numbers = range(self.best.cluster.nodes, 0, -1)
            cases = (without_node(self.best, gone) for gone in numbers)
            if not self._some(cases, is_reseeded=True):
                return

    def _simpler_deeds(self) -> None:
        for at in range(len(self.best.commands)):
            if at >= len(self.best.commands):
                return
            case, command = self.best, self.best.commands[at]
            self._some(
                case.with_commands(
                    (*case.commands[:at], replace(command, deed=deed), *case.commands[at + 1 :])
                )
                for deed in simpler(command.deed)
            )

    # Times and options.

    def _squeeze(self) -> None:
        """Gaps become short."""
        at = 0
        while at < len(self.best.commands):
            self._some(gaps(self.best, at))
            at += 1
        self._some(earlier_ends(self.best))

    def _round(self) -> None:
        """Times become round."""
        for grid_us in GRIDS_US:
            if self.attempt(rounded(self.best, grid_us)):
                break
        at = 0
        while at < len(self.best.commands):
            self._some(rounded_one(self.best, at))
            at += 1

    def _round_end(self) -> None:
        """The violation is looked for at a round moment behind it."""
        end_us = self.best.end_us
        for grid_us in GRIDS_US if end_us is not None else ():
            later = replace(self.best, end_us=-(-(end_us or 0) // grid_us) * grid_us)
            if self._trial.found(later) is not None:
                self.best = later
                return

    def _header(self) -> None:
        """Options that say nothing new go."""
        for at, _ in enumerate(list(headers(self.best))):
            self.attempt(list(headers(self.best))[at])


def _trimmed(case: Case, found: Found) -> Case:
    """Without what comes after the violation; the end is the next round moment behind it."""
    if case.end_us is None or found.is_at_end:
        return case
    commands = tuple(
        each for each in case.commands if each.at_us is None or each.at_us <= found.now_us
    )
    return replace(case, commands=commands, end_us=found.now_us)


def _is_chance(command: Command) -> bool:
    return isinstance(command.deed, Net) and command.deed.verb in _BY_CHANCE
