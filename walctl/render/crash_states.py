"""The states that a disk may be left in where a node dies, and what members made of them."""

from collections.abc import Sequence

from walctl.render.screen import Screen
from walctl.render.simulated import WITNESSES_MAX, seconds
from walctl.render.text import counted, printable
from walctl.sim.crash_looking import Crash


def crash_line(screen: Screen, crash: Crash) -> None:
    """One death of a node: how many states its disk may be left in, and those that deceive."""
    refused = f", {crash.refused:,} refused by the member" if crash.refused else ""
    bad = f", {len(crash.bad):,} NOT FINE" if crash.bad else ""
    states = counted(crash.states, "state")
    style = "bold red" if crash.bad else None
    screen.line(f"t={seconds(crash.time_us)} s {crash.node}: {states}{refused}{bad}", style=style)
    for row in crash.bad[:WITNESSES_MAX]:
        for judged in row.judged:
            if not judged.verdict.is_fine:
                words = printable(judged.words)
                screen.line(f"  {row.state}: {judged.group}: {judged.verdict}: {words}")
    if len(crash.bad) > WITNESSES_MAX:
        screen.line(f"  and {len(crash.bad) - WITNESSES_MAX} more")


def crashes_end(screen: Screen, crashes: Sequence[Crash]) -> None:
    """All of them together."""
    if not crashes:
        screen.line("0 deaths of nodes: there was nothing to look at")
        return
    states = counted(sum(each.states for each in crashes), "state")
    bad = sum(len(each.bad) for each in crashes)
    words = f"{bad:,} lose or invent something" if bad else "nothing durable is lost in any"
    line = f"{counted(len(crashes), 'death')} of nodes, {states}: {words}"
    screen.line(line, style="bold red" if bad else "bold green")


def crashes_document(crashes: Sequence[Crash]) -> object:
    """The same for JSON."""
    return {
        "v": 1,
        "crashes": [
            {
                "t": each.time_us,
                "node": each.node,
                "states": each.states,
                "refused": each.refused,
                "bad": [
                    {
                        "keep": list(row.kept),
                        "state": row.state,
                        "groups": [
                            {"group": one.group, "verdict": one.verdict, "words": one.words}
                            for one in row.judged
                        ],
                    }
                    for row in each.bad
                ],
            }
            for each in crashes
        ],
    }
