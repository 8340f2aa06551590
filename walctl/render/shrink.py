"""A failing run that was made small: the scenario, what it took, and how to see it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from walctl.render.screen import Screen
from walctl.render.text import counted, printable
from walctl.sim.shrink import Shrunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Smaller:
    """What is shown: `path` is where the scenario was written (`None`: nowhere), `again` plays
    that."""

    shrunk: Shrunk
    without: Sequence[str]
    path: str | None
    again: str | None


def show(screen: Screen, found: Smaller) -> None:
    """The scenario, unless it was written; what it took is no part of it, and goes beside."""
    shrunk = found.shrunk
    if found.path is None:
        for line in shrunk.scenario.text.splitlines():
            screen.line(printable(line))
        screen.note(summary(shrunk))
        return
    screen.line(printable(shrunk.words), style="bold red")
    screen.line(summary(shrunk))
    screen.line(f"  small  {printable(found.path)}")
    screen.line(f"  again  {printable(found.again or '')}")


def summary(shrunk: Shrunk) -> str:
    """`212 decisions -> 6 in 341 runs, 18.2 s: nothing more can go`."""
    runs = counted(shrunk.runs, "run")
    before = counted(shrunk.before, "decision")
    return f"{before} -> {shrunk.after:,} in {runs}, {shrunk.seconds:.1f} s: {shrunk.end}"


def document(found: Smaller) -> dict[str, Any]:
    """For programs."""
    shrunk = found.shrunk
    return {
        "v": 1,
        "scenario": shrunk.scenario.text,
        "violation": None if shrunk.violation is None else shrunk.violation.id,
        "words": shrunk.words,
        "without": list(found.without),
        "before": shrunk.before,
        "after": shrunk.after,
        "runs": shrunk.runs,
        "seconds": round(shrunk.seconds, 3),
        "end": shrunk.end.name.lower(),
        "path": found.path,
    }
