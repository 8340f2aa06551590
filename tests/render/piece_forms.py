"""A log drawn by its pieces, held against the same rows drawn one by one; for tests only."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from formats.k8s import OBJECT_STARTS
from walctl.cli.dump_decoder import object_root, reads_requests_of_etcd
from walctl.datadir.layout import Layout
from walctl.fs.base import FileSystem
from walctl.inspect.document import row_document
from walctl.inspect.fate import Piece
from walctl.inspect.filters import Filter, TermRange
from walctl.inspect.flow import Item
from walctl.inspect.positions import Bounds, Position
from walctl.inspect.reading import ONE_PROCESS, flow_of
from walctl.inspect.row import RecordRow, Row
from walctl.inspect.select import Choice
from walctl.inspect.where import parse_where
from walctl.payload.base import Decoder, Redaction
from walctl.render.dump_json import JsonLines
from walctl.render.dump_text import TextLines
from walctl.render.piece_lines import PieceLines

WIDTHS = (80, 120, 1000, None)
TERMINAL_COLUMNS = 80
"""What damage is wrapped at, where a record's line has no bound."""
NEAR_ROWS = 3
"""Rows between a piece's edge and the bound that cuts it."""


@dataclass(frozen=True, slots=True)
class Look:
    """How rows are drawn: as JSON, or as text with so many columns and maybe colours."""

    redaction: Redaction
    is_json: bool = False
    columns_max: int | None = None
    colour: bool = False
    path: Path | None = None

    def form(self, root: bytes | None) -> JsonLines | TextLines:
        """A form of its own, which remembers nothing; `root` is the decoder's."""
        if self.is_json:
            return JsonLines(self.redaction, path=self.path, object_root=root)
        return TextLines(
            self.redaction,
            width=self.columns_max or TERMINAL_COLUMNS,
            colour=self.colour,
            columns_max=self.columns_max,
        )


LOOKS = tuple(
    look
    for redaction in (Redaction.AUTH, Redaction.NONE, Redaction.VALUES, Redaction.ALL)
    for look in (
        Look(redaction, is_json=True),
        Look(redaction, is_json=True, path=Path('100%d/"ü"')),
        *(Look(redaction, columns_max=width) for width in WIDTHS),
        Look(redaction, columns_max=80, colour=True),
    )
)


class Drawing:
    """Pieces and rows of one choice in one look; pieces share what they remember, as in a dump."""

    def __init__(self, choice: Choice, decoder: Decoder, look: Look) -> None:
        root = object_root(decoder)
        special = () if root is None else OBJECT_STARTS
        has_puts = reads_requests_of_etcd(decoder)
        self.look = look
        self.choice = replace(choice, decoder=decoder, redaction=look.redaction)
        self._lines = PieceLines(self.choice, look.form(root), has_puts=has_puts, special=special)
        self._form = look.form(root)

    def demand_equal(self, item: Item, rows: list[Row] | None = None) -> None:
        """Both ways give the same bytes; `rows` are the item's where they are known."""
        rows = list(self.choice.rows(item)) if rows is None else rows
        expected = [self._expected(row) for row in rows]
        found = self._lines(item)
        if found == b"".join(expected):
            return
        # Only the first difference is of use: a piece has thousands of lines.
        at = 0
        for row, line in zip(rows, expected, strict=True):
            assert (row, found[at : at + len(line)]) == (row, line)
            at += len(line)
        assert found[at:] == b""

    def _expected(self, row: Row) -> bytes:
        line = self._form.row(row)
        if self.look.is_json:
            document = row_document(row, self.look.redaction)
            if self.look.path is not None:
                document = {"path": str(self.look.path), **document}
            assert line == json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"
        return line


def items_of(disk: FileSystem, layout: Layout) -> tuple[list[Item], Choice, bool]:
    """Everything in a log, the choice of all of it, and whether etcd wrote it."""
    assert layout.wal_dir is not None
    flow = flow_of(disk, layout, depth=ONE_PROCESS)
    items = list(flow.items())
    return items, Choice(disk=disk, folder=layout.wal_dir), flow.is_etcds


def cuts(choice: Choice, piece: Piece, rows: list[Row]) -> Iterator[Choice]:
    """Choices whose bounds lie inside a piece, by index and by offset."""
    found = [row for row in rows if isinstance(row, RecordRow)]
    if len(found) <= 2 * NEAR_ROWS:
        return
    order = {piece.segment: 0}
    for near, far in ((found[NEAR_ROWS], found[-NEAR_ROWS]), (found[0], found[len(found) // 2])):
        start = Position(segment=piece.segment, offset=near.frame.span.start)
        stop = Position(segment=piece.segment, offset=far.frame.span.start)
        yield replace(choice, bounds=Bounds(start=start, stop=stop, order=order))
    middle = (piece.first + piece.highest) // 2
    yield replace(choice, bounds=Bounds(start=Position(index=middle), order=order))
    yield replace(choice, bounds=Bounds(stop=Position(index=middle), order=order))


def filters(rows: list[Row]) -> Iterator[Filter]:
    """Filters that let some rows of a piece through, and not all; most of them know etcd's puts."""
    for are_etcds in (True, False):
        yield Filter(types=frozenset({"entry"}), payloads_are_etcds=are_etcds)
        yield Filter(request_types=frozenset({"txn"}), payloads_are_etcds=are_etcds)
        yield Filter(types=frozenset({"state"}), request_types=frozenset({"put"}))
    yield Filter(statuses=frozenset({"committed"}), payloads_are_etcds=True)
    yield Filter(terms=(TermRange(2, 2),), payloads_are_etcds=True)
    yield Filter(where=parse_where("size > 60 and index > 5"), payloads_are_etcds=True)
    found = [row for row in rows if isinstance(row, RecordRow) and row.request is not None]
    if found:
        middle = found[len(found) // 2]
        request = middle.request
        assert request is not None
        if request.request_id is not None:
            ids = frozenset({request.request_id})
            yield Filter(request_ids=ids, payloads_are_etcds=True)
        for touched in request.keys[:1]:
            yield Filter(keys=(touched.key,), payloads_are_etcds=True)
            yield Filter(prefixes=(touched.key[:-1],), payloads_are_etcds=True)
