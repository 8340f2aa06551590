"""How the explanation of a server's message looks, and the list of all that explain knows."""

from walctl.inspect.explanation import Explanation, Group
from walctl.inspect.panic.cause import Fit
from walctl.inspect.panic.page import Page
from walctl.inspect.panics import PanicReport, Weighed
from walctl.render import explain
from walctl.render.explain import INDENT
from walctl.render.prose import labelled, paragraph
from walctl.render.screen import Screen

COLUMN = 14
ALSO_MAX = 5
"""Other messages of a text that a screen names; JSON has all."""

_STYLE = {Fit.FITS: "bold red", Fit.UNKNOWN: "yellow", Fit.DOES_NOT_FIT: "dim"}
_LABEL = {Fit.FITS: "fits", Fit.UNKNOWN: "cannot tell", Fit.DOES_NOT_FIT: "does not fit"}

Listed = tuple[list[tuple[Group, tuple[Explanation, ...]]], tuple[Page, ...]]


def screenful(screen: Screen, report: PanicReport) -> None:
    """The whole answer: the message, what fits, what to do, what not to do."""
    page = report.page
    paragraph(screen, f"{page.topic}: {page.title}", style="bold")
    _seen(screen, report)
    explain.section(screen, "What it means", [page.means])
    _causes(screen, report)
    _steps(screen, report)
    avoid = [f"- {step}" for step in report.do_not]
    explain.section(screen, "What not to do", avoid, hanging="  ")
    _rest(screen, report)


def _seen(screen: Screen, report: PanicReport) -> None:
    labelled(screen, "said by", report.page.by, column=COLUMN)
    sighting = report.sighting
    if sighting is None:
        labelled(screen, "words", report.page.says, column=COLUMN)
        return
    where = f" (line {sighting.line:,})" if sighting.line > 1 else ""
    labelled(screen, "text", f"{sighting.excerpt}{where}", column=COLUMN)
    numbers = [f"{name} {value}" for name, value in sighting.numbers.items()]
    labelled(screen, "numbers", ", ".join(numbers), column=COLUMN)
    labelled(screen, "server", report.version or "", column=COLUMN)


def _causes(screen: Screen, report: PanicReport) -> None:
    screen.line()
    if report.path is None:
        screen.line("Causes, by the text alone", style="bold")
    else:
        paragraph(
            screen,
            f"Causes, held against {report.path} ({report.understood_as})",
            indent=2,
            first="",
            style="bold",
        )
    for each in report.causes:
        _cause(screen, each)
    labelled(screen, f"{INDENT}a start", report.foretold, column=COLUMN + len(INDENT))


def _cause(screen: Screen, weighed: Weighed) -> None:
    fit = weighed.judged.fit
    label = f"{INDENT}{_LABEL[fit]}"
    column = COLUMN + len(INDENT)
    text = weighed.cause.text
    if screen.width < column * 3:
        screen.line(label, style=_STYLE[fit])
        paragraph(screen, text, indent=2 * len(INDENT))
        paragraph(screen, f"→ {weighed.judged.evidence}", indent=2 * len(INDENT))
        return
    paragraph(screen, text, indent=column, first=label.ljust(column), style=_STYLE[fit])
    paragraph(screen, f"→ {weighed.judged.evidence}", indent=column + 2, first=" " * column)


def _steps(screen: Screen, report: PanicReport) -> None:
    screen.line()
    screen.line("What to do", style="bold")
    for number, step in enumerate(report.do, 1):
        paragraph(screen, step.text, indent=len(INDENT) + 3, first=f"{INDENT}{number}. ")
        if step.command:
            # A command is one line however narrow the screen is, so that it can be copied.
            screen.line(" " * (len(INDENT) + 3) + step.command, style="cyan")


def _rest(screen: Screen, report: PanicReport) -> None:
    """What else there is to know, least important last."""
    screen.line()
    for note in report.notes:
        labelled(screen, "note", note, column=COLUMN)
    for sighting in report.also[:ALSO_MAX]:
        text = f"{sighting.page.topic} (line {sighting.line:,})"
        labelled(screen, "also there", text, column=COLUMN)
    if len(report.also) > ALSO_MAX:
        labelled(screen, "", f"and {len(report.also) - ALSO_MAX} more", column=COLUMN)
    labelled(screen, "see also", ", ".join(map(str, report.page.see)), column=COLUMN)
    labelled(screen, "source", "; ".join(report.page.source), column=COLUMN)


def document(report: PanicReport) -> dict[str, object]:
    """The same facts for JSON."""
    page, sighting = report.page, report.sighting
    return {
        "v": 1,
        "kind": "panic",
        "program": page.by,
        "pattern": page.topic,
        "title": page.title,
        "means": page.means,
        "text": sighting.excerpt if sighting is not None else None,
        "line": sighting.line if sighting is not None else None,
        "version": report.version,
        "numbers": dict(report.numbers),
        "path": None if report.path is None else str(report.path),
        "understood_as": report.understood_as or None,
        "causes": [
            {
                "cause": each.cause.name,
                "verdict": each.judged.fit.value,
                "text": each.cause.text,
                "evidence": each.judged.evidence,
            }
            for each in report.causes
        ],
        "foretold": report.foretold,
        "do": [f"{step.text} {step.command}".rstrip() for step in report.do],
        "do_not": list(report.do_not),
        "also": [
            {"pattern": each.page.topic, "line": each.line, "text": each.excerpt}
            for each in report.also
        ],
        "notes": list(report.notes),
        "see": [str(topic) for topic in page.see],
        "source": list(page.source),
    }


def listing(screen: Screen, listed: Listed) -> None:
    """Every code and status, then every message, by its words."""
    groups, pages = listed
    explain.listing(screen, groups)
    screen.line()
    screen.line("messages of servers (paste the text)", style="bold")
    for page in pages:
        paragraph(screen, page.says, indent=2 * len(INDENT), first=INDENT)


def listing_document(listed: Listed) -> dict[str, object]:
    """The same for JSON: `topics` and `messages`."""
    groups, pages = listed
    messages = [
        {"topic": page.topic, "says": page.says, "program": page.by, "title": page.title}
        for page in pages
    ]
    return {**explain.listing_document(groups), "messages": messages}
