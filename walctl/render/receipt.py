"""How a receipt looks: what was done, where the backup is, and how to take it back; and as JSON."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from walctl.errors import ExitStatus
from walctl.inspect.advice import quoted_word
from walctl.inspect.report import Report
from walctl.model.finding import Verdict
from walctl.render.prose import labelled, paragraph
from walctl.render.repair import COLUMN, ending
from walctl.render.screen import Screen
from walctl.render.text import counted, index_range
from walctl.repair.document import plan_document
from walctl.repair.plan import Plan, Stamp
from walctl.repair.receipt import Receipt, receipt_document
from walctl.repair.resume import Resumed
from walctl.replay.load import Started

Run: TypeAlias = tuple[int, int]
"""Indexes from the first to the last, both included."""
FILES_MAX = 6
"""Changed files that a screen names."""
RUNS_MAX = 4
"""Ranges of dropped entries that a screen names."""
_STARTS = {
    Verdict.CLEAN: "the server can be started",
    Verdict.HARMLESS: "it is safe to start the server",
    Verdict.DAMAGED: "do not start the server",
}


def show(screen: Screen, receipt: Receipt, *, plan: Plan | None = None) -> None:
    """A receipt in the screen's form; `plan` is what was carried out, if it was a plan."""
    screen.show(
        receipt,
        text=lambda screen, each: text(screen, each, plan=plan),
        document=lambda each: document(each, plan=plan),
    )


def document(receipt: Receipt, *, plan: Plan | None = None) -> dict[str, object]:
    """A receipt for JSON: its path, which `walctl undo` takes, and all that it says."""
    planned = {} if plan is None else plan_document(plan)
    return {
        "v": 1,
        **planned,
        "receipt": str(receipt.path),
        "backup": str(receipt.backup),
        "result": receipt_document(receipt),
        "exit": int(ExitStatus.CLEAN),
    }


def text(screen: Screen, receipt: Receipt, *, plan: Plan | None = None) -> None:
    """A receipt on a screen."""
    paragraph(screen, headline(receipt), indent=2, first="", style="bold green")
    _files(screen, receipt)
    labelled(screen, "entries", entries(receipt, plan=plan), column=COLUMN)
    if receipt.started is not None:
        labelled(screen, "Raft starts", started_words(receipt.started), column=COLUMN)
    if receipt.trial is not None:
        labelled(screen, "trial start", receipt.trial, column=COLUMN)
    style = "bold red" if receipt.verdict is Verdict.DAMAGED else None
    words = f"{receipt.verdict}: {_STARTS[receipt.verdict]}"
    paragraph(screen, words, indent=COLUMN, first="verify says".ljust(COLUMN), style=style)
    labelled(screen, "backup", str(receipt.backup), column=COLUMN)
    command = f"walctl undo {quoted_word(str(receipt.path))}"
    screen.line(f"{'take back'.ljust(COLUMN)}{command}", style="cyan")
    ending(screen, "done", ExitStatus.CLEAN)


def started_words(started: Started) -> str:
    """With what a Raft node started, in words."""
    state = started.hard_state
    begins = f"snapshot {started.snapshot_index}" if started.snapshot_index else "the beginning"
    is_empty = started.last_index < started.first_index
    held = "no entries" if is_empty else f"entries {started.first_index}–{started.last_index}"
    return f"from {begins} with {held}, commit {state.commit}, term {state.term}"


def show_elsewhere(screen: Screen, plan: Plan, target: Path, report: Report) -> None:
    """What was made at `target`, and what verify says of it, in the screen's form."""
    screen.show(
        report,
        text=lambda screen, report: elsewhere_text(screen, plan, target, report),
        document=lambda report: elsewhere_document(plan, target, report),
    )


def elsewhere_document(plan: Plan, target: Path, report: Report) -> dict[str, object]:
    """The same for JSON; the member itself is as it was, so there is no receipt."""
    return {
        **plan_document(plan),
        "receipt": None,
        "output_dir": str(target),
        "verdict": str(report.verdict),
        "exit": int(ExitStatus.CLEAN),
    }


def elsewhere_text(screen: Screen, plan: Plan, target: Path, report: Report) -> None:
    """The same on a screen."""
    told = f"{target}: made from {plan.bound.directory}"
    told += f", {plan.summary}" if plan.summary else ""
    paragraph(screen, told, indent=2, first="", style="bold green")
    labelled(screen, "verify says", f"{report.verdict}: {_STARTS[report.verdict]}", column=COLUMN)
    ending(screen, "done; the member itself was not changed", ExitStatus.CLEAN)


def show_resumed(screen: Screen, resumed: Resumed) -> None:
    """What became of an interrupted application, in the screen's form."""
    screen.show(resumed, text=resumed_text, document=resumed_document)


def resumed_document(resumed: Resumed) -> dict[str, object]:
    """The same for JSON; `resumed` is `nothing`, `finished` or `rolled-back`.

    `kept` is the backup that stayed, where somebody has written to the member since.
    """
    return {
        "v": 1,
        "directory": str(resumed.directory),
        "resumed": str(resumed.outcome),
        "words": resumed.words,
        "receipt": None if resumed.receipt is None else str(resumed.receipt),
        "kept": None if resumed.kept is None else str(resumed.kept),
        "exit": int(resumed.exit_status),
    }


def resumed_text(screen: Screen, resumed: Resumed) -> None:
    """The same on a screen."""
    paragraph(screen, f"{resumed.directory}: {resumed.words}", indent=2, first="", style="bold")
    if resumed.receipt is not None:
        command = f"walctl undo {quoted_word(str(resumed.receipt))}"
        screen.line(f"{'take back'.ljust(COLUMN)}{command}", style="cyan")
    ending(screen, str(resumed.outcome), resumed.exit_status)


def headline(receipt: Receipt) -> str:
    """What was done to which member, in one sentence."""
    place = receipt.bound.directory
    if receipt.kind == "undo":
        return f"{place}: taken back, every file is as it was before"
    return f"{place}: carried out" + (f", {receipt.summary}" if receipt.summary else "")


def entries(receipt: Receipt, *, plan: Plan | None = None) -> str:
    """What became of the log's entries: those before against those since.

    A plan knows which of those that the log has no more are kept by something else.
    """
    found = receipt.comparison
    parts = [f"{found.kept:,} kept", f"{found.dropped:,} dropped"]
    if found.changed:
        parts.append(f"{found.changed:,} changed")
    if found.added:
        parts.append(f"{found.added:,} added")
    told = ", ".join(parts)
    if found.dropped_runs:
        told += f" ({_dropped(joined(found.dropped_runs), plan)})"
    return told


def _dropped(runs: Sequence[Run], plan: Plan | None) -> str:
    """Where the entries are that the log has no more: in the database, if the plan says so."""
    drops = [drop for step in plan.steps for drop in step.drops] if plan is not None else []
    held = joined(
        (drop.first, drop.last)
        for drop in drops
        if drop.kind == "entry"
        and drop.kept_by == "database"
        and drop.first is not None
        and drop.last is not None
    )
    kept, rest = divided(runs, held)
    parts = []
    if kept:
        parts.append(f"entries {_ranges(kept)} are in the database")
    if rest:
        parts.append(f"entries {_ranges(rest)}; the backup has them")
    return "; ".join(parts)


def _ranges(runs: Sequence[Run]) -> str:
    shown = ", ".join(index_range(*run) for run in runs[:RUNS_MAX])
    hidden = len(runs) - RUNS_MAX
    return f"{shown} and {counted(hidden, 'more range')}" if hidden > 0 else shown


def joined(runs: Iterable[Run]) -> list[Run]:
    """Runs of indexes without those seams at which no index is missing: terms make some."""
    found: list[Run] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def divided(runs: Sequence[Run], held: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Of `runs` what `held` has, and what it has not; both are joined."""
    kept, rest = [], []
    position = 0
    for first, last in runs:
        while position < len(held) and held[position][0] <= last:
            start, stop = held[position]
            if start > first:
                rest.append((first, start - 1))
            if stop >= first:
                kept.append((max(first, start), min(last, stop)))
                first = stop + 1
            if stop > last:
                break
            position += 1
        if first <= last:
            rest.append((first, last))
    return kept, rest


def _files(screen: Screen, receipt: Receipt) -> None:
    changed = list(receipt.changed.items())
    for number, (name, (before, after)) in enumerate(changed[:FILES_MAX]):
        label = "files" if number == 0 else ""
        labelled(screen, label, f"{name} {_fate(before, after)}", column=COLUMN)
    if len(changed) > FILES_MAX:
        labelled(screen, "", f"and {len(changed) - FILES_MAX:,} more", column=COLUMN)


def _fate(before: Stamp | None, after: Stamp | None) -> str:
    if before is None:
        return "is new"
    return "is gone" if after is None else "was changed"
