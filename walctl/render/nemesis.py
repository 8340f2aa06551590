"""A nemesis at work: a line a deed, and what it came to."""

from collections.abc import Sequence

from walctl.cluster.nemesis import NemesisWish, Timed
from walctl.cluster.nemesis_run import Havoc, Struck
from walctl.render.screen import Screen
from walctl.render.text import counted, printable


def head(screen: Screen, wish: NemesisWish, seed: int) -> None:
    """Before it begins."""
    screen.line(
        f"seed {seed}: {', '.join(wish.faults)}; at most {wish.hurt_max} of"
        f" {counted(len(wish.nodes), 'node')} hurt at once"
    )


def struck_line(screen: Screen, struck: Struck) -> None:
    """One deed that was done."""
    mark = "    " if struck.is_done else "NOT "
    screen.line(f"{struck.at_us / 1e6:7.2f} s  {mark}  {printable(struck.words)}")


def plan_text(screen: Screen, steps: Sequence[Timed]) -> None:
    """A plan as it would be carried out, written as a scenario."""
    passed = 0
    for timed in steps:
        if timed.at_us > passed:
            screen.line(f"run for {(timed.at_us - passed) // 1000}ms")
        passed = max(passed, timed.at_us)
        screen.line(timed.deed.words)


def end(screen: Screen, havoc: Havoc) -> None:
    """What it came to."""
    early = ", ended early" if havoc.is_early else ""
    well = "all is well again" if not havoc.left else f"not well again: {'; '.join(havoc.left)}"
    screen.line(f"{counted(havoc.faults, 'fault')}{early}; {printable(well)}; seed {havoc.seed}")


def document(havoc: Havoc) -> object:
    """The same for JSON."""
    return {
        "v": 1,
        "seed": havoc.seed,
        "early": havoc.is_early,
        "left": list(havoc.left),
        "deeds": [
            {
                "t": each.at_us,
                "planned": each.timed.at_us,
                "command": each.timed.deed.words,
                "heal": each.timed.is_heal,
                "done": each.is_done,
                "words": each.words,
            }
            for each in havoc.struck
        ],
    }


def plan_document(steps: Sequence[Timed], seed: int) -> object:
    """A plan for JSON."""
    return {
        "v": 1,
        "seed": seed,
        "plan": [
            {"t": each.at_us, "command": each.deed.words, "heal": each.is_heal} for each in steps
        ],
    }
