"""What `cluster diagram` drew, in a few lines and in JSON."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from walctl.render import diagram_words as words
from walctl.render.screen import Screen
from walctl.sim.diagram_shapes import Diagram


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture that was made."""

    path: Path
    diagram: Diagram


def text(screen: Screen, drawn: Drawn) -> None:
    """The file, what it shows, and what was violated."""
    screen.line(f"{drawn.path}: {words.title(drawn.diagram)}")
    for each in words.facts(drawn.diagram):
        screen.line(each)
    for each in words.violations(drawn.diagram):
        screen.line(each, style="bold red")


def document(drawn: Drawn) -> object:
    """The same for programs."""
    made = drawn.diagram
    cut = made.cut
    times = [each.time_us for each in made.moments]
    courses = Counter(str(each.course) for each in made.arrows)
    return {
        "v": 1,
        "path": str(drawn.path),
        "scenario": cut.header.scenario,
        "seed": cut.header.seed,
        "lanes": [str(each) for each in cut.lanes],
        "events": cut.survey.events,
        "messages": cut.survey.messages,
        "drawn": {
            "first_us": times[0] if times else None,
            "last_us": times[-1] if times else None,
            "messages": dict(sorted(courses.items())),
            "folded": cut.folded,
            "is_cut_before": cut.is_cut_before,
            "is_cut_after": cut.is_cut_after,
        },
        "violations": list(words.violations(made)),
    }
