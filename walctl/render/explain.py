"""How an explanation looks, and the list of all of them."""

from walctl.inspect.explanation import Explanation, Group
from walctl.render.prose import paragraph
from walctl.render.screen import Screen

INDENT = "  "


def page(screen: Screen, explanation: Explanation) -> None:
    """One explanation, wrapped to the screen."""
    paragraph(screen, f"{explanation.topic}: {explanation.title}", style="bold")
    if explanation.severities:
        severities = " or ".join(severity.value for severity in explanation.severities)
        paragraph(screen, f"Severity: {severities}. {explanation.judged}".rstrip())
    if not explanation.is_reported:
        paragraph(screen, "This version of walctl does not look for it yet.")
    section(screen, "What it is", [explanation.what])
    section(screen, "Why it happens", [explanation.why] if explanation.why else [])
    acts = [f"{act.versions}: {act.act}" for act in explanation.etcd]
    section(screen, "What etcd does", acts, hanging="  ")
    section(screen, "What is lost", [explanation.lost] if explanation.lost else [])
    numbered = [f"{number}. {step}" for number, step in enumerate(explanation.do, 1)]
    section(screen, "What to do", numbered, hanging="   ")
    section(screen, "What not to do", [f"- {step}" for step in explanation.avoid], hanging="  ")
    if explanation.see:
        screen.line()
        paragraph(screen, f"See also: {', '.join(map(str, explanation.see))}")


def document(explanation: Explanation) -> dict[str, object]:
    """One explanation for JSON."""
    return {
        "v": 1,
        "topic": str(explanation.topic),
        "group": explanation.group.value,
        "title": explanation.title,
        "is_reported": explanation.is_reported,
        "severities": [severity.value for severity in explanation.severities],
        "judged": explanation.judged,
        "what": explanation.what,
        "why": explanation.why,
        "etcd": [{"versions": act.versions, "act": act.act} for act in explanation.etcd],
        "lost": explanation.lost,
        "do": list(explanation.do),
        "avoid": list(explanation.avoid),
        "see": [str(topic) for topic in explanation.see],
    }


def listing(screen: Screen, groups: list[tuple[Group, tuple[Explanation, ...]]]) -> None:
    """Every topic with its line, under the name of its group."""
    column = max(len(page.topic) for _, pages in groups for page in pages) + len(INDENT) * 2
    if screen.width < column * 2:
        column = len(INDENT) * 2  # too narrow for two columns: the line goes below its topic
    for number, (group, pages) in enumerate(groups):
        if number:
            screen.line()
        screen.line(group.value, style="bold")
        for page in pages:
            first = f"{INDENT}{page.topic}".ljust(column)
            if len(first) > column:
                screen.line(first)
                first = " " * column
            paragraph(screen, page.title, indent=column, first=first)


def listing_document(groups: list[tuple[Group, tuple[Explanation, ...]]]) -> dict[str, object]:
    """Every topic for JSON."""
    topics = [
        {"topic": str(page.topic), "group": group.value, "title": page.title}
        for group, pages in groups
        for page in pages
    ]
    return {"v": 1, "topics": topics}


def section(screen: Screen, heading: str, paragraphs: list[str], *, hanging: str = "") -> None:
    """A heading and its paragraphs; lines after the first of each are indented by `hanging`."""
    if not paragraphs:
        return
    screen.line()
    screen.line(heading, style="bold")
    for text in paragraphs:
        paragraph(screen, text, indent=len(INDENT + hanging), first=INDENT)
