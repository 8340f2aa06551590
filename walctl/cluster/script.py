"""Raft scripts: run one, and say what its directives print and which of them print something else.

There are three kinds, told apart by the first directive: a whole cluster (`script_interaction`),
the arithmetic of quorums (`script_quorum`), membership changes (`script_confchange`). A script has
no world around it: no file, no clock, no chance; the same text gives the same text.

Election timeouts are drawn at random by real nodes. Here every draw is the lowest, so that
`tick-election` is one timeout of a node that hears nothing. It makes no difference to a script of
the reference implementation, which draws at random: where a timeout matters, such a script says so
by `set-randomized-election-timeout`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from walctl.cluster.script_confchange import ConfChanges
from walctl.cluster.script_interaction import Interaction
from walctl.cluster.script_quorum import Quorum
from walctl.cluster.script_text import (
    Directive,
    Script,
    ScriptError,
    lines_of,
    matches,
    printed,
    read,
)
from walctl.raft.core import Draw
from walctl.raft.errors import RaftPanic

Handler = Callable[[Directive], str]

_KINDS: dict[str, Callable[[], Handler]] = {
    **dict.fromkeys(("committed", "vote"), Quorum),
    **dict.fromkeys(("simple", "enter-joint", "leave-joint"), ConfChanges),
}
"""Kinds of scripts by what their first directive may be; any other begins an interaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why and where a run came to no end; `is_panic`: the core broke an invariant there."""

    line: int
    reason: str
    is_panic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a script came to.

    `text` is the script with what its directives have printed, as far as it ran; empty where its
    syntax is wrong. `differing` are the directives that print something else than is expected.
    """

    text: str
    count: int
    differing: tuple[Directive, ...] = ()
    stop: Stop | None = None


def lowest(_count: int) -> int:
    """The draw of every node in a script; see the module."""
    return 0


def run(text: str, *, draw: Draw = lowest) -> Outcome:
    """Run a script from a fresh state to its end, or to where it cannot go on. Never raises."""
    try:
        script = read(text)
    except ScriptError as error:
        return Outcome(text="", count=0, stop=Stop(line=error.line, reason=error.reason))
    outputs: list[str] = []
    stop = _run(script, outputs, draw)
    done = script.directives[: len(outputs)]
    return Outcome(
        text=printed(script, outputs),
        count=len(script.directives),
        differing=tuple(
            directive
            for directive, output in zip(done, outputs, strict=True)
            if not matches(directive.expected, lines_of(output))
        ),
        stop=stop,
    )


def _run(script: Script, outputs: list[str], draw: Draw) -> Stop | None:
    """Collect the output of every directive, up to one that cannot be run."""
    handler: Handler | None = None
    for directive in script.directives:
        if handler is None:
            kind = _KINDS.get(directive.name)
            handler = Interaction(draw) if kind is None else kind()
        try:
            outputs.append(handler(directive))
        except ScriptError as error:
            return Stop(line=directive.line, reason=error.reason)
        except RaftPanic as panic:
            return Stop(line=directive.line, reason=str(panic), is_panic=True)
    return None
