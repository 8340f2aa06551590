"""The scenarios that come with walctl: a list, the story of one, and how they stood the test."""

import textwrap
from collections.abc import Sequence
from typing import Final

from walctl.checker.violation import NAMES
from walctl.cluster.scenario import Scenario
from walctl.cluster.story import Story
from walctl.render.screen import Screen
from walctl.render.text import counted, printable
from walctl.sim.trials import Tried

GAP: Final = 2
TEXT_WIDTH_MIN: Final = 30
PROSE_WIDTH_MAX: Final = 100


def table(screen: Screen, scenarios: Sequence[Scenario]) -> None:
    """Name, what it is about in a line, tags."""
    width = max((len(each.name) for each in scenarios), default=0)
    room = screen.width - width - GAP
    for each in scenarios:
        name = printable(each.name)
        words = printable(first_sentence(each.story.text))
        tags = f" [{', '.join(each.story.tags)}]" if each.story.tags else ""
        if room < TEXT_WIDTH_MIN:
            screen.line(name)
            continue
        lines = textwrap.wrap(f"{words}{tags}", room) or [""]
        screen.line(f"{name:{width}}{' ' * GAP}{lines[0]}".rstrip())
        for line in lines[1:]:
            screen.line(f"{' ' * (width + GAP)}{line}")
    screen.line()
    screen.line(f"{counted(len(scenarios), 'scenario')}; tell me more: --show NAME")


def story(screen: Screen, scenario: Scenario) -> None:
    """What happens, what is right, what goes wrong without a protection; then the commands."""
    told = scenario.story
    screen.line(printable(scenario.name), style="bold")
    _prose(screen, told.text)
    if told.right:
        screen.line()
        _prose(screen, f"What is right: {told.right}")
    for each in told.broken:
        screen.line()
        names = ", ".join(f"{name} ({NAMES.get(name, '?')})" for name in each.ids)
        _prose(screen, f"Without {each.safeguard}: {each.words} Broken then: {names}.")
    if told.source:
        screen.line()
        _prose(screen, f"Source: {told.source}")
    if told.tags:
        _prose(screen, f"Tags: {', '.join(told.tags)}")
    screen.line()
    screen.line("The commands, one a line:")
    for line in commands(scenario):
        screen.line(f"  {printable(line)}")
    screen.line()
    screen.line(f"walctl cluster run {scenario.name} --engine sim")
    for each in told.broken:
        without = f"--without {each.safeguard}"
        screen.line(f"walctl cluster run {scenario.name} --engine sim {without}")


def commands(scenario: Scenario) -> list[str]:
    """The scenario's commands, without its comment."""
    return [scenario.cluster.words, *(each.words for each in scenario.commands)]


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence."""
    head, stop, _ = text.partition(". ")
    return head + stop.rstrip()


def tried_line(screen: Screen, found: Tried) -> None:
    """One run, as it should be or not."""
    without = f" without {found.without}" if found.without else ""
    mark = "ok " if found.is_right else "NOT"
    expected = "" if found.is_right else " or ".join(found.expected)
    wanted = f" (expected {expected})" if expected else ""
    line = f"{mark}  {printable(found.name)}{without}: {printable(found.words)}{wanted}"
    screen.line(line, style=None if found.is_right else "bold red")


def tried_end(screen: Screen, found: Sequence[Tried]) -> None:
    """All together."""
    plain = [each for each in found if each.without is None]
    broken = [each for each in found if each.without is not None]
    good = [sum(each.is_right for each in some) for some in (plain, broken)]
    screen.line(
        f"{good[0]} of {counted(len(plain), 'scenario')} as expected; {good[1]} of"
        f" {counted(len(broken), 'run')} without a protection fail as named"
    )


def table_document(scenarios: Sequence[Scenario]) -> object:
    """The list for JSON."""
    return {"v": 1, "scenarios": [_summary(each.name, each.story) for each in scenarios]}


def story_document(scenario: Scenario) -> object:
    """The story for JSON."""
    told = scenario.story
    return {
        "v": 1,
        **_summary(scenario.name, told),
        "source": told.source,
        "right": told.right,
        "commands": commands(scenario),
    }


def tried_document(found: Sequence[Tried]) -> object:
    """The verdicts for JSON."""
    return {
        "v": 1,
        "runs": [
            {
                "scenario": each.name,
                "without": each.without,
                "expected": list(each.expected),
                "right": each.is_right,
                "violation": None if each.violation is None else each.violation.id,
                "words": each.words,
                "t": each.time_us,
            }
            for each in found
        ],
    }


def _summary(name: str, told: Story) -> dict[str, object]:
    return {
        "name": name,
        "tags": list(told.tags),
        "text": told.text,
        "without": [
            {"safeguard": each.safeguard, "ids": list(each.ids), "words": each.words}
            for each in told.broken
        ],
    }


def _prose(screen: Screen, text: str) -> None:
    width = min(screen.width, PROSE_WIDTH_MAX)
    for line in textwrap.wrap(printable(text), width, break_on_hyphens=False) or [""]:
        screen.line(line)
