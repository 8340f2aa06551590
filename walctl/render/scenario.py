"""A scenario as it is played: a line a command, and what it came to."""

from collections.abc import Sequence

from walctl.cluster.scenario import Scenario
from walctl.cluster.scenario_run import Account, Step, left_out
from walctl.errors import ExitStatus
from walctl.render.screen import Screen
from walctl.render.text import counted, printable

_MARKS = {True: "ok  ", False: "NOT ", None: "    "}


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
            screen.line(f"{name}: all {counted(account.expected, 'expectation')} hold")
        case ExitStatus.DAMAGE if broken is not None:
            line = broken.command.line
            words = printable(broken.done.words)
            screen.line(f"{name}:{line}: does not hold: {printable(broken.command.words)}: {words}")
        case _ if broken is not None:
            screen.line(f"{name}:{broken.command.line}: broken off: {printable(broken.done.words)}")
    if kept is not None:
        screen.line(f"the lab is kept: {kept}")


def document(account: Account, kept: str | None) -> object:
    """The same for JSON."""
    return {
        "v": 1,
        "scenario": account.scenario.name,
        "engine": account.engine,
        "left_out": list(left_out(account.scenario.cluster, account.engine)),
        "lab": kept,
        "verdict": {0: "holds", 1: "does-not-hold"}.get(account.exit_status, "broken-off"),
        "steps": [
            {
                "line": step.command.line,
                "command": step.command.words,
                "t": step.at_us,
                "holds": step.done.holds,
                "error": step.is_error,
                "words": step.done.words,
            }
            for step in account.steps
        ],
    }
