"""Runs of the simulator: what was broken and how to see it again, and what all runs came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from walctl.checker.violation import Violation
from walctl.render.screen import Screen
from walctl.render.text import counted, printable
from walctl.sim.campaign import Tally
from walctl.sim.replaying import Difference, Replayed
from walctl.sim.run import Report
from walctl.sim.safeguard import Safeguard

WITNESSES_MAX: Final = 12
HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A broken run as it is shown: `again` is the command that does it once more, `problem` says
    why there is no trace."""

    report: Report
    again: str
    small: str = ""
    problem: str = ""


def violated(screen: Screen, broken: Broken) -> None:
    """A promise that was broken, who saw what, and how to see it again."""
    report = broken.report
    assert report.violation is not None, "who calls has looked"
    screen.line(f"seed {report.seed:#x}: {violation_line(report)}", style="bold red")
    witnesses(screen, report.violation)
    if report.trace:
        screen.line(f"  trace  {report.trace}")
    if broken.problem:
        screen.line(f"  trace  not written: {broken.problem}")
    screen.line(f"  again  {broken.again}")
    if broken.small:
        screen.line(f"  small  {broken.small}")


def violation_line(report: Report) -> str:
    """`I7 one vote a term: … (t=3.204 s, event 812)`."""
    violation = report.violation
    assert violation is not None, "who calls has looked"
    event = "" if report.event is None else f", event {report.event}"
    place = f" ({violation.group})" if violation.group not in ("", "g1") else ""
    return f"{printable(violation.line)}{place} (t={seconds(violated_us(report))} s{event})"


def violated_us(report: Report) -> int:
    """When it was broken; of one that is seen at the end, that."""
    violation = report.violation
    return report.time_us if violation is None or not violation.time_us else violation.time_us


def witnesses(screen: Screen, violation: Violation) -> None:
    """What contradicts it, a line each."""
    for line in violation.witnesses[:WITNESSES_MAX]:
        screen.line(f"  {printable(line)}")
    more = len(violation.witnesses) - WITNESSES_MAX
    if more > 0:
        screen.line(f"  and {more} more")
    if violation.also:
        screen.line(f"  the same event breaks {', '.join(violation.also)}")


def untested(screen: Screen, report: Report) -> None:
    """A run that is no pass, and broke nothing."""
    screen.line(f"seed {report.seed:#x}: {printable(report.error)}", style="bold yellow")


def one(screen: Screen, report: Report) -> None:
    """A single run in which nothing was broken, or only what nobody keeps then."""
    if report.loss is not None:
        who = ", ".join(f"{node}: {how}" for node, how in report.forgotten)
        line = printable(report.loss.line)
        screen.line(f"seed {report.seed:#x}: lost, and noticed: {line} ({printable(who)})")
        return
    tally = Tally()
    tally.add(report)
    screen.line(f"seed {report.seed:#x}: {_sums(tally)}: nothing was broken")


def digest(screen: Screen, report: Report) -> None:
    """`SEED DIGEST`."""
    screen.line(f"{report.seed:#x} {report.digest}")


def summary(screen: Screen, tally: Tally, *, planned: int, elapsed: float) -> None:
    """What all runs came to; `elapsed` are seconds of this machine."""
    speed = ""
    if elapsed > 0:
        rate, pace = tally.messages / elapsed, tally.runs / elapsed
        speed = f"; {rate:,.0f} messages and {pace:,.2f} seeds a second"
    screen.line(f"{_seeds(tally, planned)}: {_sums(tally)}{speed}")
    if tally.errors:
        screen.line(
            f"{counted(tally.errors, 'seed')} tested nothing, or could not be played",
            style="bold yellow",
        )
    if tally.lost:
        seeds = counted(tally.lost, "seed")
        screen.line(f"{seeds} lost what no cluster keeps then, and it was noticed")
    if not tally.broken:
        if not tally.runs:
            return
        words = "nothing else was broken" if tally.lost else "nothing was broken"
        screen.line(words, style="bold green" if not tally.errors and tally.runs else None)
        return
    names = ", ".join(f"{name} {count}" for name, count in _sorted(tally.broken))
    runs = counted(tally.broken_runs, "seed")
    screen.line(f"{runs} broke a promise: {names}", style="bold red")


def replayed(screen: Screen, found: Replayed, name: str) -> None:
    """Whether a trace came out the same, and what was broken."""
    if found.is_other_tool:
        screen.line(f"{printable(name)}: written by walctl {printable(found.tool)}, played by this")
    if found.without:
        screen.line(f"without {', '.join(found.without)}")
    if found.difference is None:
        screen.line(f"every event is the same: {counted(found.lines - 1, 'event')}")
    else:
        difference(screen, found.difference, name)
    report = found.report
    if report.violation is not None:
        screen.line(violation_line(report), style="bold red")
        witnesses(screen, report.violation)
    else:
        screen.line(printable(found.stopped) or "nothing was broken")


def difference(screen: Screen, found: Difference, name: str) -> None:
    """The first line that is not the same."""
    screen.line(f"{printable(name)}:{found.line}: the first event that differs", style="bold red")
    screen.line(f"  before {printable(found.before or 'nothing: the trace ends here')}")
    screen.line(f"  now    {printable(found.now or 'nothing: the run has ended')}")


def determined(screen: Screen, found: Replayed, path: str) -> None:
    """Whether two runs of one seed were the same."""
    report = found.report
    if found.difference is not None:
        screen.line(f"seed {report.seed:#x}: two runs differ", style="bold red")
        difference(screen, found.difference, path)
    elif found.lines:
        events = counted(found.lines - 1, "event")
        screen.line(f"seed {report.seed:#x}: {events}, twice the same: {report.digest}")
    else:
        untested(screen, report)


def list_safeguards(screen: Screen, found: Sequence[Safeguard]) -> None:
    """Each protection that can be taken away, and what is to be seen then."""
    width = max(len(each.name) for each in found)
    for each in found:
        breaks = f" [{', '.join(each.breaks)}]" if each.breaks else ""
        screen.line(f"{each.name:{width}}  {each.words}{breaks}")


def safeguards_document(found: Sequence[Safeguard]) -> object:
    """The same for JSON."""
    return {
        "v": 1,
        "safeguards": [
            {"name": each.name, "words": each.words, "breaks": list(each.breaks)} for each in found
        ],
    }


def report_document(report: Report) -> dict[str, object]:
    """One run for JSON."""
    verdict = {0: "holds", 1: "violated"}.get(report.exit_status, "untested")
    return {
        "seed": f"{report.seed:#x}",
        "verdict": verdict,
        "violation": None if report.violation is None else violation_document(report),
        "error": report.error or None,
        "loss": None if report.loss is None else report.loss.line,
        "forgotten": dict(report.forgotten),
        "t": report.time_us,
        "messages": report.messages,
        "events": report.events,
        "elections": report.elections,
        "operations": report.operations,
        "succeeded": report.succeeded,
        "digest": report.digest,
        "trace": report.trace or None,
    }


def violation_document(report: Report) -> object:
    """What was broken, for JSON."""
    found = report.violation
    assert found is not None, "who calls has looked"
    return {
        "id": found.id,
        "words": found.words,
        "t": violated_us(report),
        "event": report.event,
        "group": found.group or None,
        "nodes": list(found.nodes),
        "term": found.term or None,
        "index": found.index or None,
        "witnesses": list(found.witnesses),
        "also": list(found.also),
    }


def summary_document(tally: Tally, *, planned: int, elapsed: float) -> dict[str, object]:
    """The sums, for JSON."""
    return {
        "seeds": planned,
        "done": tally.runs,
        "untested": tally.errors,
        "lost": tally.lost,
        "violations": dict(_sorted(tally.broken)),
        "t": tally.time_us,
        "messages": tally.messages,
        "events": tally.events,
        "elections": tally.elections,
        "operations": tally.operations,
        "succeeded": tally.succeeded,
        "elapsed_seconds": round(elapsed, 3),
    }


def replayed_document(found: Replayed) -> dict[str, object]:
    """A trace that was played again, for JSON."""
    differs = found.difference
    return {
        "v": 1,
        "tool": found.tool,
        "without": list(found.without),
        "same": differs is None,
        "events": found.lines - 1,
        "difference": differs
        and {"line": differs.line, "before": differs.before, "now": differs.now},
        "run": report_document(found.report),
    }


def seconds(time_us: int) -> str:
    """Virtual time to the millisecond."""
    return f"{time_us // 1_000_000}.{time_us // 1000 % 1000:03d}"


def _sums(tally: Tally) -> str:
    return (
        f"{_virtual(tally.time_us)}, {counted(tally.messages, 'message')},"
        f" {tally.succeeded:,} of {counted(tally.operations, 'operation')} done,"
        f" {counted(tally.elections, 'election')}"
    )


def _virtual(time_us: int) -> str:
    if time_us >= HOUR_US:
        return f"{time_us / HOUR_US:,.1f} virtual hours"
    return f"{time_us / 1e6:,.1f} virtual seconds"


def _seeds(tally: Tally, planned: int) -> str:
    if tally.runs == planned:
        return counted(planned, "seed")
    return f"{tally.runs:,} of {counted(planned, 'seed')}"


def _sorted(broken: dict[str, int]) -> list[tuple[str, int]]:
    """I2 before I10, and L after I."""
    return sorted(broken.items(), key=lambda each: (each[0][:1], int(each[0][1:])))
