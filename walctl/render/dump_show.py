"""How a dump gets onto its screen: item by item where nothing else is asked, or row by row.

What needs no more than one item at a time may be drawn by other processes. What counts rows or
looks around (a limit, the last ones, the neighbourhood of damage) comes as rows. Headings, the
head of a table and the frame of a JSON document are put around here, so that a view only draws.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TextIO

from walctl.inspect.fate import Piece
from walctl.inspect.filters import Gap
from walctl.inspect.flow import Item
from walctl.inspect.row import RecordRow, Row
from walctl.inspect.select import Choice
from walctl.inspect.workers import Shield, in_order
from walctl.render.dump_json import encode
from walctl.render.piece_lines import Form, PieceLines
from walctl.render.screen import Output, Screen
from walctl.render.text import counted

ShowRows = Callable[[Screen, Iterable[Row]], None]
"""Shows rows as a view does: with its headings, or the names of its columns, in front."""


class Draw(Protocol):
    """Turns what is to be seen into lines, without headings; may be sent to another process."""

    def item(self, item: Item) -> bytes:
        """The lines of the rows of an item that were asked for."""

    def parts(self, item: Item) -> Iterator[bytes]:
        """The same lines, in parts that are each ready to be shown."""

    def row(self, row: Row) -> bytes:
        """The lines of one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One form of a dump.

    `has_headings`: each segment begins with a line of its name, and what is left out is told.
    `path` is told above the first of them. `head` comes once, in front of everything.
    `is_alone`: only this process may draw it.
    """

    draw: Draw
    has_headings: bool = False
    path: Path | None = None
    head: bytes = b""
    is_alone: bool = False


class FormDraw:
    """A form that has templates for usual records; arguments as those of `PieceLines`."""

    def __init__(
        self, choice: Choice, form: Form, *, has_puts: bool, special: tuple[bytes, ...] = ()
    ) -> None:
        self._form = form
        self._lines = PieceLines(choice, form, has_puts=has_puts, special=special)

    def item(self, item: Item) -> bytes:
        """The lines of the rows of an item that were asked for."""
        return self._lines(item)

    def parts(self, item: Item) -> Iterator[bytes]:
        """The same lines, one by one."""
        return self._lines.parts(item)

    def row(self, row: Row) -> bytes:
        """The lines of one row."""
        return self._form.row(row)


class RowsDraw:
    """What a function draws on a screen, of which the first `skipped` lines are no row's.

    `stderr` takes the notes that it makes; without one they are lost.
    """

    def __init__(
        self,
        choice: Choice,
        show: ShowRows,
        *,
        width: int,
        colour: bool,
        skipped: int = 0,
        stderr: TextIO | None = None,
    ) -> None:
        self._choice = choice
        self._show = show
        self._width = width
        self._colour = colour
        self._skipped = skipped
        self._stderr = stderr

    def item(self, item: Item) -> bytes:
        """The lines of the rows of an item that were asked for."""
        return self._drawn(self._choice.rows(item))

    def parts(self, item: Item) -> Iterator[bytes]:
        """All of them."""
        yield self.item(item)

    def row(self, row: Row) -> bytes:
        """The lines of one row."""
        return self._drawn([row])

    def _drawn(self, rows: Iterable[Row]) -> bytes:
        paper = io.StringIO()
        stderr = self._stderr or io.StringIO()
        screen = Screen(paper, stderr, width=self._width, colour=self._colour)
        self._show(screen, rows)
        lines = paper.getvalue()
        for _ in range(self._skipped):
            lines = lines.partition("\n")[2]
        return lines.encode("utf-8", "backslashreplace")


class Sheet:
    """What a dump is written on: begun by the first log, ended by `end`, with a frame around all.

    `count` says how many lines or chunks of lines there were. Other processes are started in the
    context that `shield` gives.
    """

    def __init__(self, screen: Screen, *, shield: Shield = nullcontext) -> None:
        self.screen = screen
        self._shield = shield
        self.count = 0
        self._is_json = screen.output == Output.JSON
        self._is_begun = False
        self._segment: str | None = None

    def items(self, items: Iterable[Item], view: View, *, jobs: int) -> None:
        """Everything in the items, with several processes where there are many."""
        self.begin(view)
        segments: list[str] = []
        rest = iter(items)
        for item in islice(rest, 1):  # nobody should wait for the first line
            for lines in view.draw.parts(item):
                self._introduce(_segment_of(item), view)
                self._deliver(_as_items(lines) if self._is_json else lines)
        self.screen.flush()  # or another process writes what is still waiting here once more
        draw = _JsonItems(view.draw) if self._is_json else view.draw
        found = in_order(
            draw.item,
            _noted(rest, segments),
            jobs=1 if view.is_alone or not self.screen.is_shared else jobs,
            deliver=self._deliver,
            shield=self._shield,
        )
        with closing(found):  # whatever stops us here, the other processes end first
            for number, answer in enumerate(found):
                if answer.size:
                    self._introduce(segments[number], view)
                    self.screen.flush()
                    answer.hand_on()

    def rows(self, rows: Iterable[Row | Gap], view: View) -> None:
        """Rows, one after the other."""
        self.begin(view)
        for row in rows:
            lines = self._drawn(row, view)
            if lines:
                self._introduce(_segment(row), view)
                self.screen.write_lines(_as_items(lines) if self._is_json else lines)

    def _deliver(self, lines: bytes) -> None:
        """Write lines so that nothing of them waits here, also where here is another process."""
        self.screen.write_lines(lines)
        self.screen.flush()

    def begin(self, view: View) -> None:
        """The head of the view, once; an empty dump has one too."""
        if not self._is_begun:
            self.screen.write_lines(b'{"v":1,"records":[' if self._is_json else view.head)
        if view.has_headings and view.path is not None:
            if self.count:
                self.screen.line()
            self.screen.line(f"{view.path}:", style="bold")
        self._is_begun = True
        self._segment = None

    def end(self) -> None:
        """What closes the frame."""
        if self._is_json and self._is_begun:
            self.screen.write_lines(b"\n]}\n")

    def _introduce(self, segment: str | None, view: View) -> None:
        """What stands in front of the next lines: a heading, or what parts them from the last."""
        if view.has_headings and segment is not None and segment != self._segment:
            if self._segment is not None or (self.count and view.path is None):
                self.screen.line()
            self.screen.line(segment, style="bold")
            self._segment = segment
        if self._is_json:
            self.screen.write_lines(b",\n" if self.count else b"\n")
        self.count += 1

    def _drawn(self, row: Row | Gap, view: View) -> bytes:
        if not isinstance(row, Gap):
            return view.draw.row(row)
        if self.screen.output in (Output.JSON, Output.NDJSON):
            return encode({"v": 1, "kind": "gap", "rows": row.count}).encode("ascii") + b"\n"
        if view.has_headings:
            return f"{'…':>10}  {counted(row.count, 'row')} left out\n".encode()
        return b""


class _JsonItems:
    """Lines of JSON as the elements of a list: parted by commas, without a last newline."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def item(self, item: Item) -> bytes:
        """The elements of one item."""
        return _as_items(self._draw.item(item))


def _as_items(lines: bytes) -> bytes:
    return lines[:-1].replace(b"\n", b",\n")


def _noted(items: Iterable[Item], segments: list[str]) -> Iterator[Item]:
    """The items, with the segment of each noted: their lines come back in the same order."""
    for item in items:
        segments.append(_segment_of(item))
        yield item


def _segment_of(item: Item) -> str:
    return item.segment if isinstance(item, Piece) else _segment(item.row) or ""


def _segment(row: Row | Gap) -> str | None:
    if isinstance(row, Gap):
        return None
    return row.frame.segment if isinstance(row, RecordRow) else row.finding.place.segment
