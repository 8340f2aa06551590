"""One run, from its scenario to a report: with whoever looks on, and without some protections.

A run that nobody wants to read is not recorded. When one has broken a promise, it is done again
and recorded: it is the same run, event by event. Its trace begins with all that it takes to play
it once more: the scenario's whole text and the protections that were missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from walctl.checker.violation import Violation
from walctl.cluster.answers import Fate
from walctl.cluster.events import EventKind, header
from walctl.cluster.scenario import Scenario
from walctl.cluster.steps import Step
from walctl.errors import ExitStatus, WalctlError
from walctl.sim.planning import SimWish, plan
from walctl.sim.play import OPERATIONS_MIN, Outcome, Watch, play
from walctl.sim.promised import promise
from walctl.sim.recorder import Recorder
from walctl.sim.safeguard import without as gone
from walctl.sim.safeguards import named
from walctl.sim.watching import Watching
from walctl.version import VERSION

ENGINE: Final = "sim"
TEXT: Final = "text"
WITHOUT: Final = "without"
"""Options of a trace's header: the scenario, and the protections that were missing."""

OnStep = Callable[[Step], None]
Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one run. `violation` is a promise that was broken and had to hold; `error` says
    why it could not be judged. `event` is the line of the trace that tells of the violation."""

    name: str
    seed: int
    violation: Violation | None = None
    error: str = ""
    loss: Violation | None = None
    """What was lost where more went wrong than a cluster survives: that is no fault of anybody's,
    as long as it was noticed, and `forgotten` names who had lost something before, and how."""
    forgotten: tuple[tuple[str, str], ...] = ()
    time_us: int = 0
    messages: int = 0
    events: int = 0
    elections: int = 0
    operations: int = 0
    succeeded: int = 0
    event: int | None = None
    digest: str | None = None
    trace: str = ""
    """Where the trace of it is."""

    @property
    def exit_status(self) -> ExitStatus:
        """0: nothing was broken; 1: something was; 4: nothing was tested, or it could not be."""
        if self.violation is not None:
            return ExitStatus.DAMAGE
        return ExitStatus.UNFINISHED if self.error else ExitStatus.CLEAN


def run(
    scenario: Scenario,
    *,
    without: Sequence[str] = (),
    recorder: Recorder | None = None,
    on_step: OnStep = lambda step: None,
    watch: Watch = Watching,
) -> Outcome:
    """Play a scenario; `watch` makes whoever looks on.

    Raises: UsageError, for a cluster or a protection that cannot be.
    """
    with gone(named(without)):
        return play(scenario, watch=watch, recorder=recorder, on_step=on_step)


def record(
    scenario: Scenario,
    sink: Sink,
    *,
    without: Sequence[str] = (),
    on_step: OnStep = lambda step: None,
) -> tuple[Outcome, str]:
    """Play a scenario, and hand each line of its trace to `sink`; its digest, over all lines but
    the header. What is broken is told in the last one. Raises: as `run`, and what `sink` raises."""
    sink(header_of(scenario, without))
    recorder = Recorder(_guarded(sink))
    try:
        outcome = run(scenario, without=without, recorder=recorder, on_step=on_step)
    except _SinkError as failure:
        raise failure.error from None
    violation = broken_by(outcome)
    if violation is not None and outcome.violation is None:
        fields = {"id": violation.id, "words": violation.words}
        recorder.tell(outcome.now_us, EventKind.VIOLATION, fields)
    return outcome, recorder.digest


def header_of(scenario: Scenario, without: Sequence[str]) -> bytes:
    """The first line of a run's trace: replay and shrink need no other file."""
    seed = scenario.cluster.seed
    return header(
        tool=VERSION,
        engine=ENGINE,
        seed=None if seed is None else f"{seed:#x}",
        scenario=scenario.name,
        options={WITHOUT: list(without), TEXT: scenario.text},
    )


def broken_by(outcome: Outcome) -> Violation | None:
    """The promise that was broken, also where it was an expectation that said so."""
    if outcome.violation is not None:
        return outcome.violation
    step = outcome.broken
    found = None if step is None else promise(step)
    if step is None or found is None:
        return None
    return Violation(id=found, words=step.done.words, time_us=step.at_us)


def stopped_at(outcome: Outcome) -> str:
    """The command at which a run ended early, and why; empty where it did not."""
    step = outcome.broken
    if step is None:
        return ""
    how = "broken off" if step.is_error else "does not hold"
    return f"line {step.command.line}, {step.command.words}: {how}: {step.done.words}"


def report_of(outcome: Outcome, *, digest: str | None = None) -> Report:
    """What a run came to; one in which too little was done is no pass."""
    violation = None if outcome.is_expected else broken_by(outcome)
    error, loss = "", None
    if violation is not None and outcome.scenario.cluster.is_unbounded and outcome.forgotten:
        violation, loss = None, violation
    elif violation is None and outcome.broken is not None:
        error = stopped_at(outcome)
    elif violation is None and outcome.is_undecided:
        error = "what clients saw could not be judged: it takes too long to find an order"
    elif violation is None and outcome.counts[Fate.OK] < OPERATIONS_MIN:
        error = (
            f"nothing was tested: {outcome.counts[Fate.OK]} of {sum(outcome.counts.values())}"
            f" operations succeeded, and {OPERATIONS_MIN} have to"
        )
    return Report(
        name=outcome.scenario.name,
        seed=outcome.scenario.cluster.seed or 0,
        violation=violation,
        error=error,
        loss=loss,
        forgotten=outcome.forgotten,
        time_us=outcome.now_us,
        messages=outcome.messages,
        events=outcome.events,
        elections=outcome.elections,
        operations=sum(outcome.counts.values()),
        succeeded=outcome.counts[Fate.OK],
        event=_event(outcome) if digest is not None and violation is not None else None,
        digest=digest,
    )


def _event(outcome: Outcome) -> int:
    """The line that tells of the violation: the last one of the run, or, of an expectation that
    said so, the one that `record` adds."""
    return outcome.lines - 1 if outcome.violation is not None else outcome.lines


def run_seed(wish: SimWish, without: Sequence[str] = ()) -> Report:
    """A run as its seed has it. Raises: UsageError."""
    return report_of(run(plan(wish), without=without))


def record_seed(wish: SimWish, sink: Sink, without: Sequence[str] = ()) -> Report:
    """The same, and its trace to `sink`. Raises: UsageError, and what `sink` raises."""
    outcome, digest = record(plan(wish), sink, without=without)
    return report_of(outcome, digest=digest)


class _SinkError(BaseException):
    """A line could not be written. What handles errors must not catch it on its way up through a
    member: it is none of the simulated world."""

    def __init__(self, error: WalctlError) -> None:
        super().__init__(error.message)
        self.error = error


def _guarded(sink: Sink) -> Sink:
    def take(line: bytes) -> None:
        try:
            sink(line)
        except WalctlError as error:
            raise _SinkError(error) from error

    return take
