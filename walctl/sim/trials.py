"""Scenarios put to the test: each has to hold, and has to fail where a protection is missing.

A scenario says in its story what goes wrong without a protection, and which promise that breaks.
If it then breaks none, or another one, the scenario does not show what it says it shows.
"""

from collections.abc import Generator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from walctl.checker.violation import Violation
from walctl.cluster.scenario import Scenario
from walctl.cluster.story import Broken
from walctl.errors import UsageError
from walctl.sim.many import Shield, in_order
from walctl.sim.play import Outcome
from walctl.sim.run import broken_by, run, stopped_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run to be made: a scenario as it is, or without the protection of `broken`."""

    scenario: Scenario
    broken: Broken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of a trial: whether it is as the scenario says, and what happened, in a line."""

    name: str
    without: str | None
    expected: tuple[str, ...]
    is_right: bool
    words: str
    violation: Violation | None = None
    time_us: int = 0


def trials(scenarios: Sequence[Scenario]) -> list[Trial]:
    """All runs that these scenarios call for."""
    found: list[Trial] = []
    for scenario in scenarios:
        found.append(Trial(scenario=scenario))
        found += [Trial(scenario=scenario, broken=each) for each in scenario.story.broken]
    return found


def tried(
    wanted: Sequence[Trial], *, jobs: int = 1, shield: Shield = nullcontext
) -> Generator[Tried, None, None]:
    """What came of each, in their order."""
    if len(wanted) == 1:
        yield try_one(wanted[0])
        return
    yield from in_order(try_one, wanted, jobs=jobs, lost=_lost, shield=shield)


def try_one(trial: Trial) -> Tried:
    """Play one."""
    broken = trial.broken
    try:
        outcome = run(trial.scenario, without=() if broken is None else (broken.safeguard,))
    except UsageError as error:
        return _tried(trial, error.message)
    found = broken_by(outcome)
    if broken is None:
        return _tried(trial, *_plain(outcome, found), outcome=outcome, found=found)
    if found is None:
        words = stopped_at(outcome) or "nothing was broken"
        return _tried(trial, words, outcome=outcome)
    is_right = any(each in broken.ids for each in found.ids)
    return _tried(trial, found.line, is_right, outcome=outcome, found=found)


def _plain(outcome: Outcome, found: Violation | None) -> tuple[str, bool]:
    """A run with all its protections: what happened, and whether it may."""
    if found is not None and not outcome.is_expected:
        return found.line, False
    stopped = stopped_at(outcome)
    expected = sum(step.done.holds is not None for step in outcome.steps)
    return (stopped, False) if stopped else (f"all {expected} expectations hold", True)


def _tried(
    trial: Trial,
    words: str,
    is_right: bool = False,
    *,
    outcome: Outcome | None = None,
    found: Violation | None = None,
) -> Tried:
    broken = trial.broken
    return Tried(
        name=trial.scenario.name,
        without=None if broken is None else broken.safeguard,
        expected=() if broken is None else broken.ids,
        is_right=is_right,
        words=words,
        violation=found,
        time_us=0 if outcome is None else outcome.now_us,
    )


def _lost(trial: Trial, words: str) -> Tried:
    return _tried(trial, words)
