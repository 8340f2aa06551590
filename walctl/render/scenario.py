"""A scenario as it is played: a line a command, and what it came to."""

from collections.abc import Sequence
from dataclasses import dataclass

from walctl.checker.violation import Violation
from walctl.cluster.scenario import Scenario
from walctl.cluster.scenario_run import Account, left_out
from walctl.cluster.steps import Step
from walctl.errors import ExitStatus
from walctl.render.screen import Screen
from walctl.render.simulated import seconds, witnesses
from walctl.render.text import counted, printable
from walctl.sim.play import Outcome
from walctl.sim.run import ENGINE, broken_by

VERDICTS = {ExitStatus.CLEAN: "holds", ExitStatus.DAMAGE: "does-not-hold"}
_MARKS = {True: "ok  ", False: "NOT ", None: "    "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scenario that was played in the simulator, and where its trace is."""

    outcome: Outcome
    without: Sequence[str]
    trace: str | None

    @property
    def violation(self) -> Violation | None:
        """The promise that was broken."""
        return broken_by(self.outcome)


def head(screen: Screen, scenario: Scenario, left_out: Sequence[str]) -> None:
    """Before it begins; `left_out` is what means nothing to those that play it."""
    screen.line(f"{printable(scenario.name)}: {printable(scenario.cluster.words)}")
    if scenario.story.text:
        screen.line(printable(scenario.story.text))
    if left_out:
        screen.line(f"for the simulator, left out: {', '.join(left_out)}")


def step_line(screen: Screen, step: Step) -> None:
    """One command that was done."""
    mark = "FAIL" if step.is_error else _MARKS[step.done.holds]
    words = f"  {printable(step.done.words)}" if step.done.words else ""
    screen.line(f"{step.at_us / 1e6:7.2f} s  {mark}  {printable(step.command.words)}{words}")


def end(screen: Screen, account: Account, kept: str | None) -> None:
    """What it came to."""
    name = printable(account.scenario.name)
    broken = next((step for step in account.steps if step.is_broken), None)
    match account.exit_status:
        case ExitStatus.CLEAN:
            screen.line(f"{name}: {_all_hold(account.expected)}")
        case _ if broken is not None:
            _broken_line(screen, name, broken)
    if kept is not None:
        screen.line(f"the lab is kept: {kept}")


def simulated_end(screen: Screen, played: Played) -> None:
    """The same for the simulator."""
    outcome, name = played.outcome, printable(played.outcome.scenario.name)
    violation = played.violation
    if violation is not None and not outcome.is_expected:
        moment = seconds(violation.time_us or outcome.now_us)
        screen.line(f"{name}: {printable(violation.line)} (t={moment} s)", style="bold red")
        witnesses(screen, violation)
    elif outcome.broken is not None:
        _broken_line(screen, name, outcome.broken)
    else:
        holding = sum(step.done.holds is not None for step in outcome.steps)
        screen.line(f"{name}: {_all_hold(holding)}")
    if played.trace is not None:
        screen.line(f"trace: {printable(played.trace)}")


def simulated_document(played: Played) -> object:
    """The same for JSON."""
    outcome, violation = played.outcome, played.violation
    return {
        "v": 1,
        "scenario": outcome.scenario.name,
        "engine": ENGINE,
        "without": list(played.without),
        "trace": played.trace,
        "verdict": VERDICTS.get(outcome.exit_status, "broken-off"),
        "violation": violation
        and {
            "id": violation.id,
            "words": violation.words,
            "t": violation.time_us or outcome.now_us,
            "expected": outcome.is_expected,
            "also": list(violation.also),
            "nodes": list(violation.nodes),
            "witnesses": list(violation.witnesses),
        },
        "steps": _steps(outcome.steps),
    }


def document(account: Account, kept: str | None) -> object:
    """The same for JSON."""
    return {
        "v": 1,
        "scenario": account.scenario.name,
        "engine": account.engine,
        "left_out": list(left_out(account.scenario.cluster, account.engine)),
        "lab": kept,
        "verdict": VERDICTS.get(account.exit_status, "broken-off"),
        "steps": _steps(account.steps),
    }


def _broken_line(screen: Screen, name: str, broken: Step) -> None:
    line, words = broken.command.line, printable(broken.done.words)
    if broken.is_error:
        screen.line(f"{name}:{line}: broken off: {words}")
    else:
        screen.line(f"{name}:{line}: does not hold: {printable(broken.command.words)}: {words}")


def _steps(steps: Sequence[Step]) -> list[object]:
    return [
        {
            "line": step.command.line,
            "command": step.command.words,
            "t": step.at_us,
            "holds": step.done.holds,
            "error": step.is_error,
            "words": step.done.words,
        }
        for step in steps
    ]


def _all_hold(count: int) -> str:
    if count == 1:
        return "the 1 expectation holds"
    return f"all {counted(count, 'expectation')} hold"
