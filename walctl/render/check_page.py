"""A judged history as a page: a lane for each client, a bar for each operation from call to return.

The line through the bars is the longest order that was found, each operation at the instant at
which it can have taken effect. What could not be placed behind it is red. Every bar says, when it
is pointed at, what was asked, and the value once it had taken effect. Nothing is loaded from
elsewhere, and there is no script. Calls and returns stand at even distances, in their order: the
clock's own distances would hide what overlaps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from walctl.checker.history import Fate, Function, Operation, Value
from walctl.checker.linearizable import Judged, Judgement, Verdict, Way
from walctl.checker.models import State, step_of
from walctl.checker.parts import OPEN, Part
from walctl.render.check import (
    WAYS,
    Checked,
    asked_words,
    facts,
    headline,
    operation_words,
    place_words,
    value_words,
)
from walctl.render.text import counted, printable

KEYS_MAX: Final = 12
OPERATIONS_MAX: Final = 3_000
"""What a browser draws without a wait; of more on one key, those around where it went wrong."""
LEFT, TOP, LANE, BAR = 130, 30, 30, 20
STEPS: Final = ((24, 64), (80, 44), (1 << 62, 30))
"""Up to so many calls and returns, so many pixels for each."""
LABEL_PIXELS: Final = 6.4
"""Width of a letter in a bar."""
NAME_CHARS_MAX: Final = 15
SHORT_BYTES: Final = 12
COLOURS: Final = {Fate.OK: "#cfe3f5", Fate.UNKNOWN: "#f3e6c4", Fate.FAIL: "#e4e4e4"}
RED: Final = "#b00020"
LINE: Final = "#1b7f3b"
STYLE: Final = (
    "body{font:15px/1.45 sans-serif;color:#222;margin:1.5em}.map{overflow-x:auto;margin:.6em 0}"
    "h2{font-size:1.1em;margin:1.4em 0 .2em}.bad{color:#b00020}p{margin:.2em 0}"
    "svg text{font:11px sans-serif;fill:#222}svg .n{font-weight:bold}svg .w{fill:#fff}"
    "g.o:hover rect{stroke:#000;stroke-width:2}code{background:#f2f2f2}"
    ".key span{display:inline-block;width:1.1em;height:.8em;margin:0 .3em 0 1em;border:1px solid"
    " #777}"
)
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Point:
    """When an operation of the order takes effect: its number in it, the column, and the value that
    is there then."""

    number: int
    column: float
    state: State


@dataclass(frozen=True, slots=True)
class Drawn:
    """One picture: operations with the columns of their calls and ends, each `step` pixels wide,
    and where each of the order takes effect, by its position."""

    part: Part
    columns: int
    step: int
    lanes: Mapping[str, int]
    points: Mapping[int, Point]
    stuck: int | None

    def x(self, column: float) -> float:
        """Where an instant is drawn."""
        return LEFT + (column + 0.5) * self.step

    def y(self, operation: Operation) -> int:
        """Where the bar of an operation begins."""
        return TOP + LANE * self.lanes[operation.client]


def page(checked: Checked) -> str:
    """The whole page."""
    judgement = checked.judgement
    title = _text(headline(checked))
    is_bad = judgement.verdict is Verdict.NOT_LINEARIZABLE
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>\n"
        f"<h1{' class=bad' if is_bad else ''}>{title}</h1>\n"
        + "".join(f"<p>{_text(each)}</p>\n" for each in facts(judgement))
        + LEGEND
        + "".join(_section(checked, each) for each in _shown(judgement))
        + _rest(judgement)
        + "</body></html>\n"
    )


LEGEND: Final = (
    '<p class="key">'
    f'<span style="background:{COLOURS[Fate.OK]}"></span>ok'
    f'<span style="background:{COLOURS[Fate.UNKNOWN]}"></span>fate unknown: any time, or never'
    f'<span style="background:{COLOURS[Fate.FAIL]}"></span>a condition did not hold'
    f'<span style="background:{RED}"></span>cannot be placed'
    f'<span style="background:{LINE}"></span>the longest order found: each operation where it'
    " takes effect. Point at a bar for the value behind it.</p>\n"
)


def _shown(judgement: Judgement) -> Sequence[Judged]:
    """Bad keys before undecided ones before good ones, and no more than fit a page."""
    ranks = (Verdict.NOT_LINEARIZABLE, Verdict.UNKNOWN, Verdict.LINEARIZABLE)
    judged = [each for each in judgement.keys if each.way is not Way.STOPPED]
    return sorted(judged, key=lambda each: ranks.index(each.verdict))[:KEYS_MAX]


def _rest(judgement: Judgement) -> str:
    left = len(judgement.keys) - len(_shown(judgement))
    return f"<p>{counted(left, 'more key')} not drawn.</p>\n" if left > 0 else ""


def _section(checked: Checked, judged: Judged) -> str:
    judgement = checked.judgement
    name = _text(place_words(judged.place, judgement).removesuffix(": ") or "the register")
    verdict = _text(f"{judged.verdict} ({WAYS[judged.way]})")
    is_bad = judged.verdict is Verdict.NOT_LINEARIZABLE
    parts = [f"<h2{' class=bad' if is_bad else ''}>{name}: {verdict}</h2>\n"]
    small = checked.small_of(judged)
    if is_bad and len(small.part) < len(judged.part):
        parts.append(f"<p>{counted(len(small.part), 'operation')} that have no order alone:</p>\n")
        parts.append(_picture(judgement, small))
        parts.append(f"<p>All {counted(len(judged.part), 'operation')}:</p>\n")
    if judged.stuck is not None:
        words = f"{len(judged.order):,} of {counted(len(judged.part), 'operation')} in order; then"
        words += f" the value is {value_words(judged.state)}, and this cannot be:"
        mark = _mark(judged.part, judged.stuck)
        told = _text(operation_words(judged.stuck))
        parts.append(f'<p>{_text(words)} <a href="#{mark}">{told}</a></p>\n')
    parts.append(_picture(judgement, judged))
    return "".join(parts)


def _picture(judgement: Judgement, judged: Judged) -> str:
    drawn = _laid_out(judgement, judged)
    width = LEFT + (drawn.columns + 2) * drawn.step
    height = TOP + LANE * len(drawn.lanes) + 10
    pieces = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}">',
        *_lanes(drawn, width),
        *(_bar(drawn, position) for position in _window(drawn)),
        _line(drawn),
    ]
    return '<div class="map">' + "\n".join([*pieces, "</svg>"]) + "</div>\n"


def _window(drawn: Drawn) -> Sequence[int]:
    """Which operations are drawn, where they are too many."""
    count = len(drawn.part)
    if count <= OPERATIONS_MAX:
        return range(count)
    middle = len(drawn.points) if drawn.stuck is None else drawn.stuck
    first = min(max(middle - OPERATIONS_MAX // 2, 0), count - OPERATIONS_MAX)
    return range(first, first + OPERATIONS_MAX)


def _laid_out(judgement: Judgement, judged: Judged) -> Drawn:
    part = judged.part
    ranks = [*part.calls, *(end for end in part.ends if end < OPEN)]
    columns = max(ranks, default=0) + 1
    lanes: dict[str, int] = {}
    for each in part.operations:
        lanes.setdefault(each.client, len(lanes))
    at = {each.number: position for position, each in enumerate(part.operations)}
    return Drawn(
        part=part,
        columns=columns,
        step=next(step for most, step in STEPS if columns <= most),
        lanes=lanes,
        points=_points(judgement, judged, at),
        stuck=None if judged.stuck is None else at[judged.stuck.number],
    )


def _points(judgement: Judgement, judged: Judged, at: Mapping[int, int]) -> dict[int, Point]:
    """An instant for each operation of the order, by its position in the part.

    Each takes effect as early as it can: behind its own call and behind the one before it.
    """
    step = step_of(judgement.model, judgement.history)
    state: State = judgement.history.absent
    is_one = len(judged.part.places) == 1
    found: dict[int, Point] = {}
    instant = 0.0
    between = 1 / (len(judged.order) + 1)
    for number, each in enumerate(judged.order, 1):
        position = at[each.number]
        instant = max(instant + between, judged.part.calls[position] + 0.2)
        if is_one:
            _, state = step(state, each)
        found[position] = Point(number, instant, state if is_one else None)
    return found


def _lanes(drawn: Drawn, width: int) -> Iterator[str]:
    for client, lane in drawn.lanes.items():
        y = TOP + LANE * lane
        name = _text(printable(f"client {client}", width_max=NAME_CHARS_MAX))
        yield f'<text class="n" x="6" y="{y + 14}">{name}</text>'
        yield f'<line x1="{LEFT - 10}" y1="{y + 24}" x2="{width}" y2="{y + 24}" stroke="#eee"/>'


def _bar(drawn: Drawn, position: int) -> str:
    """One operation, with all that is known of it as what is shown when it is pointed at."""
    operation = drawn.part.operations[position]
    call, end = drawn.part.calls[position], drawn.part.ends[position]
    is_open = end >= OPEN
    left, right = drawn.x(call), drawn.x(drawn.columns + 1 if is_open else end)
    y = drawn.y(operation)
    is_stuck = position == drawn.stuck
    fill = RED if is_stuck else COLOURS[operation.fate]
    edge = ' stroke-dasharray="4 3"' if is_open else ""
    label = _label(operation, letters=max(int((right - left - 6) / LABEL_PIXELS), 1))
    told = [operation_words(operation)]
    if position in drawn.points:
        point = drawn.points[position]
        told.append(f"number {point.number} in the order; then the value is")
        told.append(value_words(point.state))
    elif is_stuck:
        told.append("cannot be placed behind the longest order")
    white = ' class="w"' if is_stuck else ""
    name = f' id="{_mark(drawn.part, operation)}"' if is_stuck else ""
    return (
        f'<g class="o"{name}><title>{chr(10).join(map(_text, told))}</title>'
        f'<rect x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{BAR}" rx="3"'
        f' fill="{fill}" stroke="{RED if is_stuck else "#777"}"{edge}/>'
        f'<text{white} x="{left + 4:.1f}" y="{y + 14}">{_text(label)}</text></g>'
    )


def _label(operation: Operation, *, letters: int) -> str:
    """As much of an operation as fits its bar: all in words, or `r 3`, `w 3`, `1→3`."""
    words = asked_words(operation).removesuffix(": ok")
    if len(words) <= letters:
        return words
    function = operation.function
    if function.is_read:
        words = f"r {_short(operation.output) if operation.fate is Fate.OK else '?'}"
    elif function is Function.CAS:
        words = f"{_short(operation.expected)}→{_short(operation.value)}"
    elif function is Function.DELETE:
        words = "del"
    else:
        words = f"{'a' if function is Function.APPEND else 'w'} {_short(operation.value)}"
    return printable(words, width_max=letters)


def _short(value: Value) -> str:
    """The end of a value, where values that were appended to differ."""
    return "∅" if value is None else printable(value[-SHORT_BYTES:])


def _line(drawn: Drawn) -> str:
    """The order, from one instant to the next."""
    shown = set(_window(drawn))
    points = [
        (drawn.x(point.column), drawn.y(drawn.part.operations[position]) + BAR)
        for position, point in drawn.points.items()
        if position in shown
    ]
    if not points:
        return ""
    line = " ".join(f"{x:.1f},{y}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y}" r="3" fill="{LINE}"/>' for x, y in points)
    return (
        f'<g pointer-events="none"><polyline points="{line}" fill="none" stroke="{LINE}"'
        f' stroke-width="1.6" stroke-opacity="0.75"/>{dots}</g>'
    )


def _mark(part: Part, operation: Operation) -> str:
    """What a link to the bar of an operation names; it may stand in two pictures."""
    return f"operation-{operation.number}-of-{len(part)}"


def _text(text: str) -> str:
    return escape(printable(text))
