"""The picture of a comparison: members from top to bottom, indexes from left to right, a colour for
each term. One SVG without scripts or anything from elsewhere, alone or in a page of its own.

Drawn from sections, so its size follows leaders, snapshots and faults, and not the entries. Long
sections are drawn shorter than they are: a tail of three entries behind a million is what counts.
Whatever comes out of a file or a path is escaped twice, for the screen and for XML.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from math import log2
from typing import Final

from walctl.inspect.compare import Compared
from walctl.inspect.comparing.given import Given
from walctl.inspect.comparing.quorum import winning
from walctl.inspect.comparing.sections import Cell, Holds, Section
from walctl.render import compare
from walctl.render.text import index_range, printable

NAME_CHARS_MAX: Final = 26
LEFT, TOP, ROW, BAR = 200, 76, 62, 26
WIDTH_MIN, WIDTH_MAX = 560.0, 2400.0
TICK_MIN, LABEL_MIN = 52.0, 30.0
MARK: Final = 9.0
"""Room that the mark of a snapshot takes; of those that are closer the newest is drawn."""
# Told apart by people who see red and green alike; a term's number stands beside its colour.
COLOURS: Final = (
    "#88ccee",
    "#ddcc77",
    "#44aa99",
    "#cc99cc",
    "#999933",
    "#6699cc",
    "#ee8866",
    "#bbcc33",
    "#aa8899",
    "#99ddff",
)
RED: Final = "#b00020"
STYLE: Final = (
    "text{font:12px sans-serif;fill:#222}.s{font-size:10px;fill:#555}.b{font-weight:bold}"
    ".w{font-size:11px;fill:#444}.t{font-size:10px;text-anchor:middle}"
)
PATTERNS: Final = (
    '<defs><pattern id="damage" width="6" height="6" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect width="6" height="6" fill="#fff"/>'
    f'<rect width="3" height="6" fill="{RED}"/></pattern>'
    '<pattern id="other" width="8" height="8" patternUnits="userSpaceOnUse"'
    f' patternTransform="rotate(-45)"><rect width="2" height="8" fill="{RED}"/></pattern></defs>'
)


@dataclass(frozen=True, slots=True)
class Axis:
    """Where an index stands: `firsts` begin the columns, `lefts` are their left edges and, at the
    end, the right edge of all."""

    firsts: tuple[int, ...]
    counts: tuple[int, ...]
    lefts: tuple[float, ...]

    def behind(self, index: int) -> float:
        """The right edge of an index; index 0 stands in front of all."""
        at = max(bisect_right(self.firsts, index) - 1, 0)
        share = min(max((index - self.firsts[at] + 1) / self.counts[at], 0.0), 1.0)
        return self.lefts[at] + share * (self.lefts[at + 1] - self.lefts[at])


def axis_of(sections: Sequence[Section]) -> Axis:
    """A column for each section, wide by the logarithm of what is in it."""
    counts = [each.last - each.first + 1 for each in sections] or [1]
    wishes = [22 + 12 * log2(count) for count in counts]
    total = sum(wishes)
    scale = min(max(total, WIDTH_MIN), WIDTH_MAX) / total
    lefts = accumulate((wish * scale for wish in wishes), initial=float(LEFT))
    firsts = tuple(each.first for each in sections) or (1,)
    return Axis(firsts, tuple(counts), tuple(lefts))


def svg(found: Compared) -> str:
    """The picture, to be a file of its own."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawing(found)}\n'


def drawing(found: Compared) -> str:
    """The picture as an element of XML."""
    axis = axis_of(found.sections)
    height = TOP + ROW * len(found.members) + 96
    width = axis.lefts[-1] + 40
    terms = sorted({cell.term for each in found.sections for cell in each.cells if cell.term})
    colours = {term: COLOURS[at % len(COLOURS)] for at, term in enumerate(terms)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height}"'
        f' width="{width:.0f}" height="{height}"><title>{_text(compare.headline(found))}</title>'
        f"<style>{STYLE}</style>{PATTERNS}",
        f'<rect width="{width:.0f}" height="{height}" fill="#fff"/>',
        _label(16, 24, compare.headline(found), "b"),
        _label(16, 42, compare.verdict_words(found)),
        *_divergences(found, axis),
        *_ticks(axis, found, TOP + ROW * len(found.members)),
    ]
    for at, given in enumerate(found.members):
        parts += _row(found, at, given, axis, colours)
    parts += _legend(colours, height - 40)
    return "\n".join([*parts, "</svg>"])


def _text(text: str) -> str:
    return escape(printable(text))


def _label(x: float, y: float, text: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{name}>{_text(text)}</text>'


def _divergences(found: Compared, axis: Axis) -> Iterator[str]:
    """Where members differ, a band from top to bottom: red where Raft does not allow it."""
    bottom = TOP + ROW * len(found.members)
    for each in found.divergences:
        left, right = axis.behind(each.first - 1), axis.behind(each.last)
        colour = "#f0e0c0" if each.is_allowed else "#ffd0d0"
        span = index_range(each.first, each.last)
        yield (
            f'<rect x="{left:.1f}" y="{TOP - 18}" width="{max(right - left, 2):.1f}"'
            f' height="{bottom - TOP + 18}" fill="{colour}">'
            f"<title>{_text(f'{each.code} {span}')}</title></rect>"
        )
        if not each.is_allowed:
            yield _label(left, TOP - 22, f"✗ {span}", "s")


def _ticks(axis: Axis, found: Compared, y: float) -> Iterator[str]:
    """Indexes below the rows, as many as there is room for."""
    yield (
        f'<line x1="{LEFT}" y1="{y}" x2="{axis.lefts[-1]:.1f}" y2="{y}" stroke="#888"/>'
        + _label(16, y + 16, "index", "s")
    )
    free = 0.0
    for section, left in zip(found.sections, axis.lefts, strict=False):
        if left >= free:
            yield f'<line x1="{left:.1f}" y1="{y}" x2="{left:.1f}" y2="{y + 4}" stroke="#888"/>'
            yield _label(left, y + 16, str(section.first), "s")
            free = left + TICK_MIN


def _row(
    found: Compared, at: int, given: Given, axis: Axis, colours: dict[int, str]
) -> Iterator[str]:
    """One member: its name, its sections, commit, database and snapshots."""
    top = TOP + ROW * at
    judged = found.judgements[found.given.index(given)]
    name = printable(given.name, width_max=NAME_CHARS_MAX)
    yield _label(16, top + 13, name, "b")
    yield _label(16, top + 28, printable(judged.words, width_max=NAME_CHARS_MAX + 4), "w")
    for section, left, right in zip(found.sections, axis.lefts, axis.lefts[1:], strict=False):
        cell = section.cells[at]
        if cell.holds is not Holds.BEYOND:
            yield _cell(section, cell, (left, right), top, colours)
        if cell.variant is not None and cell.variant != winning(found.members, section):
            yield _bar(left, right, top, "url(#other)", RED, "not the entry that counts")
    yield from _marks(given, axis, top)


def _cell(
    section: Section, cell: Cell, edges: tuple[float, float], top: int, colours: dict[int, str]
) -> str:
    """What a member has in one section."""
    left, right = edges
    width = right - left
    fill, stroke, words = "#eeeeee", "#fff", f"{cell.holds}"
    if cell.variant is not None:
        fill, words = colours.get(cell.term or 0, "#ccc"), f"term {cell.term}"
    elif cell.holds is Holds.DAMAGED:
        fill = "url(#damage)"
    elif cell.holds is Holds.MISSING:
        fill, stroke = "#fff", RED
    if section.variants > 1 and cell.variant is not None:
        stroke = RED
        words += f", entry {chr(ord('a') + cell.variant % 26)} of {section.variants}"
    told = f"{index_range(section.first, section.last)}: {words}"
    drawn = _bar(left, right, top, fill, stroke, told)
    short = str(cell.term) if cell.variant is not None else ""
    if section.variants > 1 and cell.variant is not None:
        short += chr(ord("a") + cell.variant % 26)
    if cell.holds is Holds.SNAPSHOT and width > 2 * LABEL_MIN:
        short = "snapshot"
    if short and width >= min(LABEL_MIN, 8.0 * len(short)):
        drawn += _label((left + right) / 2, top + 17, short, "t")
    return drawn


def _bar(left: float, right: float, top: int, fill: str, stroke: str, told: str) -> str:
    """A rectangle in a row; `told` is what is shown when it is pointed at."""
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{BAR}" fill="{fill}"'
        f' stroke="{stroke}"><title>{_text(told)}</title></rect>'
    )


def _marks(given: Given, axis: Axis, top: int) -> Iterator[str]:
    """Commit, database and snapshots, below the bar of a member."""
    seen = given.seen
    if seen.last_state is not None:
        commit = seen.last_state.state.commit
        x = axis.behind(commit)
        yield (
            f'<line x1="{x:.1f}" y1="{top - 5}" x2="{x:.1f}" y2="{top + BAR + 8}" stroke="#111"'
            f' stroke-width="2"><title>commit {commit}</title></line>'
        )
    free = axis.lefts[-1] + 2 * MARK
    for snap in [each for each in seen.snaps if each.is_usable]:
        x, y = axis.behind(snap.index or 0), top + BAR + 8
        if x > free - MARK:
            continue
        free = x
        yield (
            f'<path d="M{x:.1f} {y - 4}l4 4l-4 4l-4-4z" fill="#fff" stroke="#333">'
            f"<title>snapshot {snap.index}</title></path>"
        )
    if seen.applied is not None:
        x, y = axis.behind(seen.applied), top + BAR + 14
        yield (
            f'<path d="M{x:.1f} {y}l5 9h-10z" fill="#333">'
            f"<title>database at {seen.applied}</title></path>"
        )


def _legend(colours: dict[int, str], y: float) -> Iterator[str]:
    """What the shapes mean; the colours of the first terms and the last."""
    x = 16.0
    shapes = (
        ('<rect width="14" height="12" fill="url(#damage)"/>', "damaged"),
        ('<rect width="14" height="12" fill="#eee"/>', "a snapshot stands for it"),
        (f'<rect width="14" height="12" fill="#fff" stroke="{RED}"/>', "missing"),
        (f'<rect width="14" height="12" fill="#ddd" stroke="{RED}"/>', "differs (a, b …)"),
        ('<rect width="14" height="12" fill="url(#other)"/>', "does not count"),
        ('<line x1="7" y1="0" x2="7" y2="12" stroke="#111" stroke-width="2"/>', "commit"),
        ('<path d="M7 2l4 4l-4 4l-4-4z" fill="#fff" stroke="#333"/>', "snapshot"),
        ('<path d="M7 1l5 9h-10z" fill="#333"/>', "database"),
    )
    for shape, words in shapes:
        yield f'<g transform="translate({x:.0f} {y:.0f})">{shape}</g>'
        yield _label(x + 20, y + 10, words, "s")
        x += 34 + 5.6 * len(words)
    x, y = 16.0, y + 20
    yield _label(x, y + 10, "terms (columns are not to scale)", "s")
    x += 172
    shown = list(colours.items())
    for term, colour in shown[-len(COLOURS) :]:
        yield f'<rect x="{x:.0f}" y="{y:.0f}" width="14" height="12" fill="{colour}"/>'
        yield _label(x + 18, y + 10, str(term), "s")
        x += 28 + 6 * len(str(term))


PAGE_STYLE: Final = (
    "body{font:15px/1.45 sans-serif;color:#222;margin:1.5em;max-width:110em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em .2em 0;text-align:left}"
    "th{border-bottom:1px solid #999}.map{overflow-x:auto}dt{font-weight:bold}"
    "dd{margin:0 0 .4em 1.5em}.damage{color:#b00020}code{background:#f2f2f2}"
)


def html(found: Compared) -> str:
    """A page with the picture and the facts; needs nothing from elsewhere, and no script."""
    rows = [
        compare.cells(given, judged)
        for given, judged in zip(found.given, found.judgements, strict=True)
    ]
    head = "".join(f"<th>{_text(each)}</th>" for each in compare.HEADS)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(each)}</td>" for each in row) + "</tr>\n" for row in rows
    )
    findings = "".join(
        f'<li class="{each.finding.severity}"><b>{each.finding.code}</b>'
        f" ({_text(', '.join(each.names))}): {_text(each.finding.detail)}</li>\n"
        for each in found.findings[: 10 * compare.FINDINGS_MAX]
    )
    facts = "".join(
        f"<dt>{_text(label)}</dt><dd>{_text(text)}</dd>\n"
        for label, text in compare.facts(found)
        if text
    )
    title = _text(compare.headline(found))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{PAGE_STYLE}</style></head><body>\n"
        f"<h1>{title}</h1>\n<p><b>{_text(compare.verdict_words(found))}</b></p>\n"
        f'<div class="map">{drawing(found)}</div>\n'
        f"<table><tr>{head}</tr>\n{body}</table>\n<ul>{findings}</ul>\n<dl>{facts}</dl>\n"
        "</body></html>\n"
    )
