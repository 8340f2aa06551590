"""A space-time picture as an SVG: a lane for each node, time down, messages from lane to lane.

Nothing comes from elsewhere and nothing runs. Whatever comes out of a trace is escaped twice, for
the screen (`printable`) and for XML. `drawing` is the picture alone, for `diagram_page`.
"""

from collections.abc import Iterator
from html import escape
from math import atan2, degrees, hypot
from typing import Final

from walctl.cluster.events import EventKind
from walctl.render import diagram_words as words
from walctl.render.diagram_legend import label, legend, lines_of, text_of, tip
from walctl.render.diagram_look import (
    COLUMN,
    GUTTER,
    LETTER,
    MARGIN,
    STYLE,
    Places,
    Taken,
    classes,
)
from walctl.render.text import columns, printable
from walctl.sim.diagram import SILENCE_US
from walctl.sim.diagram_shapes import (
    Arrow,
    Band,
    Bar,
    Course,
    Diagram,
    Folded,
    Instant,
    Mark,
    Segment,
    Tick,
)
from walctl.sim.diagram_state import Look

TIME_GAP: Final = 30.0
"""Between two times that are written at least."""
NAMES_GAP: Final = 900.0
HEADS: Final = 30.0
"""Room for the names of lanes."""
LINE: Final = 16.0
LEGEND: Final = 40.0
SLOW_US: Final = 50_000
"""A sync that takes as long is told in words."""
STUB: Final = 78.0
"""So far goes what does not arrive."""
STUB_FALL: Final = 11.0
"""So much deeper it ends for each lane that it would have passed: two stubs of one node differ."""
WORDS_BELOW: Final = 10.5
"""Words of a lane stand below the arrow that ends there."""
_LABEL_LETTERS: Final = 44
_STUBS: Final = frozenset({Course.DROPPED, Course.LEAVING, Course.ENTERING})
_RESULTS: Final = {EventKind.OK: "ok", EventKind.FAIL: "fail"}


def svg(made: Diagram) -> str:
    """The picture, to be a file of its own."""
    places = Places(made)
    head = [*_head(made, places)]
    top = MARGIN + LINE * (2 + len(head)) + LEGEND
    height = top + HEADS * 2 + made.height + MARGIN
    size = f'width="{places.width:.0f}" height="{height:.0f}"'
    title = text_of(words.title(made))
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<svg xmlns="http://www.w3.org/2000/svg" class="map" role="img"'
        f' viewBox="0 0 {places.width:.0f} {height:.0f}" {size}>'
        f"<title>{title}</title><style>{STYLE}</style>",
        f'<rect class="ground" {size}/>',
        label(MARGIN, MARGIN + 10, words.title(made), "h"),
        *head,
        f'<g transform="translate({MARGIN},{top - LEGEND + 4:.0f})">{legend(made)}</g>',
        f'<g transform="translate(0,{top:.0f})">{heads(made, places)}</g>',
        f'<g transform="translate(0,{top + HEADS:.0f})">',
        *body(made, places, is_page=False),
        f'</g><g transform="translate(0,{top + HEADS + made.height:.0f})">'
        f"{heads(made, places)}</g></svg>\n",
    ]
    return "\n".join(parts)


def _head(made: Diagram, places: Places) -> Iterator[str]:
    letters = int((places.width - 2 * MARGIN) / (LETTER + 0.3))
    y = MARGIN + 12 + LINE
    for each in words.facts(made):
        yield label(MARGIN, y, each, "s", letters=letters)
        y += LINE
    for each in words.violations(made):
        yield label(MARGIN, y, each, "red b", letters=letters)
        y += LINE


def heads(made: Diagram, places: Places) -> str:
    """The names above lanes and clients, 30 high."""
    parts = [label(GUTTER - 4, 20, "time, s", "s e")]
    for position, lane in enumerate(made.cut.lanes):
        parts.append(label(places.lane(position), 20, str(lane), "n m", letters=24))
    if made.clients:
        if places.has_client_words:
            for position, client in enumerate(made.clients):
                parts.append(label(places.client(position), 20, client, "b", letters=14))
        else:
            count = f"{made.clients[0]} … {made.clients[-1]}"
            parts.append(label(places.client(0), 20, count, "b", letters=24))
    return "".join(parts)


def body(made: Diagram, places: Places, *, is_page: bool) -> Iterator[str]:
    """All that lies below the names. For a page, things can be pointed at more easily."""
    taken = Taken()
    yield from _times(made, places)
    yield '<g class="faults">'
    yield from (_band(each, places) for each in made.bands)
    yield '</g><g class="lanes">'
    yield from (_segment(each, places) for each in made.segments)
    yield "</g>"
    if not is_page:
        yield from _names(made, places)
    yield '<g class="disk">'
    yield from (_tick(each, places, taken) for each in made.ticks)
    yield '</g><g class="clients">'
    yield from (_bar(each, places) for each in made.bars)
    yield "</g>"
    above = [*_stands(made, places, taken)]
    above += ['<g class="words">', *(_mark(each, places, taken) for each in made.marks), "</g>"]
    above += ['<g class="faults">', *_band_labels(made, places, taken), "</g>"]
    above += [_instant(each, places, taken) for each in made.instants if not each.is_violation]
    wrong = [each for each in made.instants if each.is_violation]
    above += [_violation(each, number, places) for number, each in enumerate(wrong, 1)]
    yield '<g class="messages">'
    yield from (_fold(each, places, taken) for each in made.folds)
    # Where there is not room for all words, those of lost messages come first.
    arrows = sorted(made.arrows, key=lambda each: each.course is not Course.DROPPED)
    yield from (_arrow(each, places, taken, made, is_page) for each in arrows)
    yield "</g>"
    yield from above


def _thing(kind: str, told: str, inner: str, extra: str = "") -> str:
    """Something that says more when it is pointed at."""
    return f'<g class="i {kind}"{extra}><title>{lines_of(told)}</title>{inner}</g>'


def _across(kind: str, x0: float, x1: float, y: float) -> str:
    return f'<line class="{kind}" x1="{x0:.0f}" x2="{x1:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _box(kind: str, x: float, y: float, width: float, height: float) -> str:
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}/>'


def _times(made: Diagram, places: Places) -> Iterator[str]:
    free = -TIME_GAP
    right = places.width - MARGIN
    for each in made.moments:
        if each.silence_us >= SILENCE_US:
            yield label(GUTTER - 4, each.y - 9, words.silence_words(each.silence_us), "s e")
            free = min(free, each.y)
        if each.y >= free:
            yield _across("hair", GUTTER, right, each.y)
            yield label(GUTTER - 4, each.y + 3, words.seconds(each.time_us), "t")
            free = each.y + TIME_GAP


def _names(made: Diagram, places: Places) -> Iterator[str]:
    """The names of lanes again, where a long picture is scrolled to."""
    y = NAMES_GAP
    while y < made.height - NAMES_GAP / 3:
        for position, lane in enumerate(made.cut.lanes):
            yield label(places.lane(position) - 20, y, str(lane), "s e o", letters=14)
        y += NAMES_GAP


def _segment(each: Segment, places: Places) -> str:
    x = places.lane(each.lane)
    paused = " paused" if each.stand.is_paused else ""
    line = f'<path d="M{x:.1f} {each.top:.1f}V{each.bottom:.1f}" class="lane '
    line += f'{each.stand.look}{paused}"/>'
    return _thing("role", words.stand_words(each.stand), line)


def _stands(made: Diagram, places: Places, taken: Taken) -> Iterator[str]:
    """How each lane stands when the picture begins."""
    for position, lane in enumerate(made.cut.lanes):
        stand = made.cut.stands[lane]
        if stand.look is not Look.UNKNOWN or stand.term is not None:
            x = places.lane(position) + 9
            told = words.stand_words(stand)
            taken.take(x, 10, len(told))
            yield label(x, 10, told, "s o")


def _mark(each: Mark, places: Places, taken: Taken) -> str:
    x = places.lane(each.lane)
    kinds = {event.kind for event in each.events}
    said = words.mark_label(each.events)
    told = "\n".join(words.told(event) for event in each.events)
    taken.take(x + 9, each.y + WORDS_BELOW - 4, min(columns(said), _LABEL_LETTERS))
    style = "o"
    if kinds & {EventKind.CRASH, EventKind.FSERR}:
        style = "o red b"
    elif kinds & {EventKind.ROLE, EventKind.START, EventKind.STOP}:
        style = "o b"
    elif kinds & {EventKind.FAULT}:
        style = "o f b"
    dot = f'<circle class="dot" cx="{x:.1f}" cy="{each.y:.1f}" r="2.2"/>'
    return _thing(
        "mark", told, dot + label(x + 9, each.y + WORDS_BELOW, said, style, letters=_LABEL_LETTERS)
    )


def _tick(each: Tick, places: Places, taken: Taken) -> str:
    x, y, event = places.lane(each.lane), each.y, each.event
    is_sync = event.kind is EventKind.FSYNC
    us = event.fields.get("us")
    is_slow = isinstance(us, int) and us >= SLOW_US
    far = 17 if is_sync else 11
    inner = f'<path d="M{x - 6:.1f} {y:.1f}H{x - far:.1f}"/>'
    if is_sync:
        inner += f'<path d="M{x - far:.1f} {y - 2.5:.1f}v5"/>'
    if isinstance(us, int) and is_slow:
        taken.take(x - 70, y - 7, 12)
        inner += label(x - 7, y - 4, f"sync {us // 1000} ms", "s e o")
    return _thing("tick bad" if is_slow else "tick", words.told(event), inner)


def _arrow(each: Arrow, places: Places, taken: Taken, made: Diagram, is_page: bool) -> str:
    sign = 1 if each.target >= each.source else -1
    x0, x1 = places.lane(each.source) + 4 * sign, places.lane(each.target) - 6 * sign
    y0, y1 = each.top, each.bottom
    end = ""
    if each.course in (Course.DROPPED, Course.LEAVING):
        x1 = x0 + sign * STUB
        y1 = y0 + STUB_FALL * min(abs(each.target - each.source), 4)
        if each.course is Course.DROPPED:
            end = f'<path class="x" d="M{x1 - 4:.1f} {y1 - 4:.1f}l8 8m0 -8l-8 8"/>'
        else:
            end = f'<circle class="a" cx="{x1:.1f}" cy="{y1:.1f}" r="2.5"/>'
    elif each.course is Course.ENTERING:
        x0 = x1 - sign * STUB
    angle = atan2(y1 - y0, x1 - x0)
    line = f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
    if not end:
        end = tip(x1, y1, angle)
    hit = f'<path class="hit" d="{line}"/>' if is_page else ""
    said = _message_label(each, (x0, y0, x1, y1), taken)
    lanes = made.cut.lanes
    extra = f' data-n="{text_of(f"{lanes[each.source]} {lanes[each.target]}")}"' if is_page else ""
    return _thing(
        classes(each), words.message_told(each), f'{hit}<path d="{line}"/>{end}{said}', extra
    )


def _message_label(each: Arrow, line: tuple[float, float, float, float], taken: Taken) -> str:
    """The words of a message, along its line, where there is room; else it has none."""
    said = printable(words.message_label(each), width_max=_LABEL_LETTERS)
    if not said:
        return ""
    x0, y0, x1, y1 = line
    length = hypot(x1 - x0, y1 - y0) or 1
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    letters = columns(said)
    half = letters * LETTER / 2
    if dx < 0:  # words are read from left to right
        dx, dy = -dx, -dy
    if each.course in _STUBS:  # behind the end that hangs in the air
        is_entering = each.course is Course.ENTERING
        x, y = (x0, y0) if is_entering else (x1, y1)
        is_right = (x1 >= x0) is not is_entering
        x, kind = (x + 7, "s o") if is_right else (x - 7, "s o e")
        if not taken.is_free(x if is_right else x - 2 * half, y, 1.0, 0.0, letters):
            return ""
        return f'<text class="{kind}" x="{x:.1f}" y="{y + 3:.1f}">{escape(said)}</text>'
    for share in _along(abs(each.target - each.source)):
        x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
        if taken.is_free(x - dx * half, y - dy * half - 5, dx, dy, letters):
            turn = f"{degrees(atan2(dy, dx)):.1f} {x:.1f} {y:.1f}"
            return (
                f'<text class="s m o" x="{x:.1f}" y="{y - 3:.1f}" transform="rotate({turn})">'
                f"{escape(said)}</text>"
            )
    return ""


def _along(lanes: int) -> Iterator[float]:
    """Where on its arrow a label may stand: between two lanes, the last of them first."""
    for lane in range(max(lanes, 1), 0, -1):
        for between in (0.54, 0.4, 0.66):
            yield (lane - 1 + between) / max(lanes, 1)


def _fold(each: Folded, places: Places, taken: Taken) -> str:
    x0, x1 = sorted((places.lane(each.source), places.lane(each.target)))
    said = words.fold_label(each.fold)
    far = max(abs(each.target - each.source), 1)
    middle = x1 - (x1 - x0) / far / 2
    taken.take(middle - len(said) * LETTER / 2, each.y, len(said))
    line = f'<path d="M{x0 + 6:.1f} {each.y:.1f}H{x1 - 6:.1f}"/>'
    return _thing(
        "fold beat", words.fold_told(each.fold), line + label(middle, each.y + 3, said, "s m o")
    )


def _bar(each: Bar, places: Places) -> str:
    x, width = places.client(each.client), places.client_bar
    fate = "info" if each.ended is None else _RESULTS.get(each.ended.kind, "info")
    is_open = ' class="open"' if each.asked is None or each.ended is None else ""
    height = max(each.bottom - each.top, 3.0)
    inner = (
        f'<rect{is_open} x="{x:.1f}" y="{each.top:.1f}" width="{width:.0f}" height="{height:.1f}"'
        ' rx="2"/>'
    )
    if places.has_client_words:
        said = words.bar_label(each)
        if said:
            inner += label(x + width + 4, each.top + 8, said, "s o", letters=places.client_letters)
    return _thing(f"bar {fate}", words.bar_told(each), inner)


def _band(each: Band, places: Places) -> str:
    height = max(each.bottom - each.top, 2.0)
    told = words.told(each.event) + ("\nstill on when the picture ends" if each.is_open else "")
    if each.lane is not None:
        x = places.lane(each.lane) - 22
        inner = _box("own", x, each.top, 44, height)
        return _thing("fault", told, inner)
    x, stripe = places.stripe(0), places.stripe(each.column)
    wide = places.lanes_right - x
    inner = _box("whole", x, each.top, wide, height)
    inner += _box("stripe", stripe, each.top, COLUMN - 1.5, height)
    return _thing("fault", told, inner)


def _band_labels(made: Diagram, places: Places, taken: Taken) -> Iterator[str]:
    for each in made.bands:
        said = words.fault_label(each.event)
        is_whole = each.lane is None
        x = places.fault_words if each.lane is None else places.lane(each.lane) + 9
        letters = min(columns(said), _LABEL_LETTERS)
        taken.take(x, each.top, letters)
        y = each.top + (9.5 if is_whole else 3.5)
        yield label(x, y, said, "f b s o", letters=_LABEL_LETTERS)


def _instant(each: Instant, places: Places, taken: Taken) -> str:
    """Something of the whole cluster that is over at once."""
    x = places.fault_words
    said = words.mark_label([each.event])
    taken.take(x, each.y, min(columns(said), _LABEL_LETTERS))
    line = _across("edge", GUTTER + 8, places.lanes_right, each.y)
    inner = line + label(x, each.y - 2.5, said, "f s o", letters=_LABEL_LETTERS)
    return _thing("fault", words.told(each.event), inner)


def _violation(each: Instant, number: int, places: Places) -> str:
    """What must not be: across everything, with rings around the lanes that it names."""
    x = places.fault_words
    rings = "".join(
        f'<circle cx="{places.lane(lane):.1f}" cy="{each.y:.1f}" r="11"/>' for lane in each.lanes
    )
    line = _across("line", GUTTER, places.width - MARGIN, each.y)
    letters = max(int((places.width - MARGIN - x) / (LETTER + 1)), 10)
    said = label(x, each.y + 25, words.violation(each.event), "o red b", letters=letters)
    # What a link leads to is the words: a line as wide as the page would be scrolled to sideways.
    inner = f'{line}{rings}<g id="violation-{number}">{said}</g>'
    return _thing("wrong", words.told(each.event), inner)
