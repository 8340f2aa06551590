"""How a plan looks: on one screen what it costs, what it does, why, and what to type; and as JSON.

A person reads this on a bad day and decides with it about the only copy of something. So the class
comes first, then what may be lost, then what to do; a better way than this tool is named where
there may be one. What does not fit on a screen is counted, and is in the output of `-o json`.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from walctl.errors import ExitStatus
from walctl.inspect.advice import path_word, quoted_word
from walctl.render.prose import labelled, paragraph
from walctl.render.repair_words import gist, lost_words, named, step_details, step_words
from walctl.render.screen import Screen
from walctl.render.text import counted, printable
from walctl.repair.document import plan_document
from walctl.repair.healing import STRATEGY as HEALED
from walctl.repair.plan import Plan, PlanClass
from walctl.repair.ways_out import REJOIN

COLUMN = 14
LINES_MAX = 24
"""Lines of a screen at which a person does not have to scroll back."""
COSTLY_LINES_MAX = 36
"""Where something may be lost, the ways out are worth scrolling back for."""
STEP_COLUMN = 5

_HEADINGS = {
    PlanClass.NOTHING: "NOTHING to repair",
    PlanClass.FREE: "FREE",
    PlanClass.LOSS_POSSIBLE: "LOSS POSSIBLE",
    PlanClass.LOSS_PROVEN: "LOSS PROVEN",
}
_DEFAULTS = {
    PlanClass.NOTHING: "",
    PlanClass.FREE: "no acknowledged write is lost",
    PlanClass.LOSS_POSSIBLE: "acknowledged writes may be lost",
    PlanClass.LOSS_PROVEN: "acknowledged writes are lost",
}
_STYLES = {
    PlanClass.NOTHING: "bold green",
    PlanClass.FREE: "bold green",
    PlanClass.LOSS_POSSIBLE: "bold red",
    PlanClass.LOSS_PROVEN: "bold red",
}
ACCEPT = "--accept-loss"
BETTER_WAY = (
    "Not this tool, if more than half of the cluster's members are healthy without this one:"
    " replace it instead. They have everything that was acknowledged."
)
PREMISE = (
    "the directories that the other members were read from are those that they have now: nobody"
    " can see it from an older copy"
)
NOT_HERE = (
    "no entry that can be read here; what other members have, and this one lacks or has otherwise"
)
ALONE = "Ask for a snapshot or a backup that somebody saved before you accept a loss."


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A plan as it is put to a person.

    `command` is what carries it out (`walctl repair PATH --from n2 --apply`); `later` is what
    writes it into a file instead, empty where it is from one. `refused` is why a person who asked
    for it does not get it; empty when nobody asked.
    """

    plan: Plan
    path: Path
    command: str
    exit_status: ExitStatus
    later: str = ""
    plan_file: Path | None = None
    refused: str = ""

    def ended(self, exit_status: ExitStatus, *, refused: str) -> "Offer":
        """The same, with another ending: somebody asked for it, and `refused` is the answer."""
        return replace(self, exit_status=exit_status, refused=refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much of each part a screen shows."""

    steps: int = 12
    has_changes: bool = True
    """Whether it is said which bytes a step changes; what it drops and makes always is."""
    words: int = 4
    testimonies: int = 6


def _details(plan: Plan) -> Iterator[Detail]:
    """From most to least: what a person decides by goes last.

    A plan that costs something gives up witnesses alone: its steps, reasons and ways out are what
    a person has to read before he accepts anything, however long they are.
    """
    yield (detail := Detail())
    yield (detail := replace(detail, testimonies=2))
    if plan.plan_class.needs_consent:
        yield replace(detail, testimonies=0)
        return
    yield (detail := replace(detail, testimonies=1, words=3, steps=8))
    yield (detail := replace(detail, testimonies=0, words=2))
    yield (detail := replace(detail, words=1, steps=4))
    yield (detail := replace(detail, has_changes=False))
    yield replace(detail, steps=2)


def show(screen: Screen, offer: Offer) -> None:
    """A plan in the screen's form."""
    screen.show(offer, text=text, document=document)


def document(offer: Offer) -> dict[str, object]:
    """A plan for JSON; nothing was applied, so there is no receipt."""
    return {
        **plan_document(offer.plan),
        "receipt": None,
        "plan_file": None if offer.plan_file is None else str(offer.plan_file),
        "refused": offer.refused or None,
        "exit": int(offer.exit_status),
    }


def text(screen: Screen, offer: Offer) -> None:
    """A plan on a screen, with as much detail as fits."""
    _draw(screen, offer, _fitting(screen, offer))


def _fitting(screen: Screen, offer: Offer) -> Detail:
    """The most that takes no more than a screen, or the least there is."""
    lines_max = COSTLY_LINES_MAX if offer.plan.plan_class.needs_consent else LINES_MAX
    detail = Detail()
    for detail in _details(offer.plan):
        paper = io.StringIO()
        _draw(Screen(paper, paper, width=screen.width), offer, detail)
        if paper.getvalue().count("\n") <= lines_max:
            break
    return detail


def _draw(screen: Screen, offer: Offer, detail: Detail) -> None:
    plan = offer.plan
    paragraph(screen, headline(offer), indent=2, first="", style=_STYLES[plan.plan_class])
    if plan.strategy == HEALED:
        labelled(screen, "holds only if", PREMISE, column=COLUMN)
    if plan.plan_class.needs_consent and plan.steps:
        labelled(screen, "lost", named(plan, lost_words(plan) or NOT_HERE), column=COLUMN)
    _steps(screen, plan, detail)
    if plan.plan_class is not PlanClass.NOTHING:
        _certificate(screen, plan, detail)
    if plan.plan_class.needs_consent:
        _options(screen, plan)
        _consent(screen, offer)
    elif plan.steps:
        _ways(screen, offer)
    _ending(screen, offer)


def headline(offer: Offer) -> str:
    """What the plan is for and what it costs, in one sentence."""
    plan = offer.plan
    words = plan.summary or _DEFAULTS[plan.plan_class]
    told = f"plan for {offer.path}: {_HEADINGS[plan.plan_class]}"
    return f"{told}, {named(plan, words)}" if words else told


def _steps(screen: Screen, plan: Plan, detail: Detail) -> None:
    shown, hidden = plan.steps[: detail.steps], plan.steps[detail.steps :]
    for number, step in enumerate(shown, start=1):
        paragraph(screen, named(plan, step_words(step)), indent=STEP_COLUMN, first=f"{number:3}  ")
        _lines(screen, plan, step_details(step, has_changes=detail.has_changes))
    if not detail.has_changes and any(step.changes for step in shown):
        _lines(screen, plan, ["which bytes change: -o json has all"])
    if hidden:
        files = ", ".join(dict.fromkeys(step.act for step in hidden))
        paragraph(
            screen,
            f"and {counted(len(hidden), 'more step')} ({files}); -o json has all",
            indent=STEP_COLUMN,
        )
        _lines(screen, plan, gist(hidden))
    if plan.plan_class.needs_consent and not plan.steps:
        paragraph(screen, "There is nothing that could be carried out here.", indent=2)


def _lines(screen: Screen, plan: Plan, lines: Sequence[str]) -> None:
    for line in lines:
        paragraph(screen, named(plan, line), indent=STEP_COLUMN + 2, style="dim")


def _certificate(screen: Screen, plan: Plan, detail: Detail) -> None:
    certificate = plan.certificate
    words = list(certificate.words[: detail.words])
    if not words:
        reached = f"the result has everything up to entry {certificate.kept}"
        words.append(f"{reached}; witnesses name {certificate.witnessed}")
    if len(certificate.words) > detail.words:
        left_out = counted(len(certificate.words) - detail.words, "more reason")
        words.append(f"and {left_out}: -o json has all")
    if not certificate.is_end_known:
        words.append("the end of the log was not seen: later entries may have stood there")
    # Where each is why another way does not help, each is a line of its own.
    lines = words if plan.plan_class.needs_consent else ["; ".join(words)]
    for number, line in enumerate(lines):
        label = "" if number else "certificate"
        labelled(screen, label, named(plan, line), column=COLUMN)
    for each in certificate.testimonies[: detail.testimonies]:
        told = named(plan, f"{each.says}: {each.words}")
        labelled(screen, "", f"{told} ({each.place})", column=COLUMN)
    hidden = len(certificate.testimonies) - detail.testimonies
    if hidden > 0:
        more = "more " if detail.testimonies else ""
        told = counted(hidden, f"{more}witness", f"{more}witnesses")
        labelled(screen, "", f"{told}: -o json has all", column=COLUMN)


def _options(screen: Screen, plan: Plan) -> None:
    """The ways out, best first."""
    for number, option in enumerate(plan.options, start=1):
        label = "what now" if number == 1 else ""
        told = f"{number}. {option.name}" + ("" if option.is_possible else ": not here")
        labelled(screen, label, named(plan, f"{told}: {option.words}"), column=COLUMN)
        # What accepts the loss stands below, by itself, and is not to be typed in passing.
        for command in (each for each in option.commands if ACCEPT not in each):
            screen.line(" " * COLUMN + "   " + command, style="cyan")
    can_rejoin = any(each.is_possible and each.name == REJOIN for each in plan.options)
    better = BETTER_WAY if can_rejoin or not plan.options else ALONE
    labelled(screen, "" if plan.options else "what now", better, column=COLUMN)


def _consent(screen: Screen, offer: Offer) -> None:
    plan = offer.plan
    if plan.steps and plan.accept is not None:
        labelled(
            screen, "consent", "whoever accepts this loss types (a backup is made):", column=COLUMN
        )
        accept = quoted_word(plan.accept)
        screen.line(" " * COLUMN + f"   {offer.command} {ACCEPT} {accept}")


def _ways(screen: Screen, offer: Offer) -> None:
    """What to type; a command is one line however narrow the screen is, so it can be copied."""
    _command(screen, "apply", offer.command)
    if offer.later and offer.plan_file is None:
        _command(screen, "review later", offer.later)
    _command(screen, "take back", "walctl undo RECEIPT")


def _command(screen: Screen, label: str, command: str) -> None:
    screen.line(f"{label.ljust(COLUMN)}{command}", style="cyan")


def _ending(screen: Screen, offer: Offer) -> None:
    if offer.plan_file is not None:
        file = path_word(offer.plan_file)
        _command(screen, "written", f"{printable(str(offer.plan_file))}: walctl apply {file}")
    words = f"refused: {offer.refused}" if offer.refused else "nothing was changed"
    ending(screen, words, offer.exit_status, style="bold red" if offer.refused else None)


def ending(
    screen: Screen, words: str, exit_status: ExitStatus, *, style: str | None = None
) -> None:
    """The last line: what was done, and the status that the command ends with."""
    status = f"exit {int(exit_status)}"
    gap = screen.width - len(words) - len(status)
    if gap < 1:
        paragraph(screen, f"{words}, {status}", style=style)
    else:
        screen.line(f"{words}{' ' * gap}{status}", style=style)
