"""Nothing that a redaction hides leaves in any view: every secret of a real log is looked for."""

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from tests.corpus import needs_corpus, unpacked
from tests.render.decoded import decoded_rows
from tests.render.drawing import Paper
from walctl.inspect.row import RecordRow, Row
from walctl.payload.base import Blob, Node, Privacy, Redaction, Text
from walctl.render import dump, dump_csv, dump_hex, dump_layout, dump_template
from walctl.render.screen import Screen

View = Callable[[Screen, Sequence[Row], Redaction], None]
LOGS = ("b-single-allops-34", "b-single-allops-35")
LENGTH_MIN = 5
"""Shorter pieces are in other words by chance."""


def by_template(screen: Screen, rows: Sequence[Row], redaction: Redaction) -> None:
    template = dump_template.parse_template("{request} {data} {text}")
    dump_template.lines(screen, rows, template, redaction=redaction)


VIEWS: dict[str, View] = {
    "text": lambda screen, rows, level: dump.lines(screen, rows, redaction=level, columns_max=None),
    "csv": lambda screen, rows, level: dump_csv.lines(screen, rows, redaction=level),
    "hex": lambda screen, rows, level: dump_hex.hex_lines(screen, rows, redaction=level),
    "hexdump": lambda screen, rows, level: dump_hex.hexdump_lines(
        screen, rows, redaction=level, columns_max=None
    ),
    "layout": lambda screen, rows, level: dump_layout.lines(
        screen, rows, redaction=level, columns_max=None
    ),
    "template": by_template,
}


@functools.cache
def rows_of(name: str) -> tuple[Row, ...]:
    return tuple(decoded_rows(unpacked(name) / "n1"))


def pieces_of(node: Node) -> Iterator[tuple[bytes, Privacy]]:
    if isinstance(node, Blob):
        yield node.data, node.privacy
    elif isinstance(node, Text):
        yield node.text.encode("utf-8", "surrogateescape"), node.privacy
    elif isinstance(node, Mapping):
        for each in node.values():
            yield from pieces_of(each)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for each in node:
            yield from pieces_of(each)


def said(draw: View, row: Row, redaction: Redaction) -> str:
    """All that a view says of a row, its bytes in hex without what stands between them."""
    paper = Paper()
    draw(paper, [row], redaction)
    pairs = re.findall(r"^ +[0-9]+  ((?:(?:[0-9a-f]{2}|--)  ?)+)", paper.text, re.MULTILINE)
    chars = "".join(line[64:] for line in paper.text.splitlines())
    return "\n".join([paper.text, re.sub(r"\s", "", "".join(pairs)), chars])


@needs_corpus
@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("view", VIEWS)
def test_no_view_shows_what_its_redaction_hides(name: str, view: str) -> None:
    looked = dict.fromkeys(Redaction, 0)
    for row in rows_of(name):
        if not isinstance(row, RecordRow) or row.request is None:
            continue
        found = [each for each in pieces_of(row.request.body) if len(each[0]) >= LENGTH_MIN]
        for redaction in Redaction:
            shown = None
            for data, privacy in found:
                if not redaction.hides(privacy):
                    continue
                # What also stands in an open piece of the same row may be seen there.
                if any(data in other for other, open_ in found if not redaction.hides(open_)):
                    continue
                shown = said(VIEWS[view], row, redaction) if shown is None else shown
                looked[redaction] += 1
                assert data.hex() not in shown, (redaction, data)
                assert data.decode("utf-8", "replace") not in shown, (redaction, data)
    assert looked[Redaction.NONE] == 0
    assert looked[Redaction.AUTH] >= 3
    assert looked[Redaction.ALL] > looked[Redaction.KEYS] > looked[Redaction.VALUES] > 10


@needs_corpus
@pytest.mark.parametrize("view", ["text", "hex", "hexdump", "layout", "template"])
def test_without_a_redaction_the_same_views_show_it(view: str) -> None:
    """So that the test above looks where it would be."""
    hits = 0
    for row in rows_of(LOGS[1]):
        if isinstance(row, RecordRow) and row.request is not None:
            shown = said(VIEWS[view], row, Redaction.NONE)
            for data, _ in pieces_of(row.request.body):
                if len(data) >= LENGTH_MIN:
                    text = data.decode("utf-8", "replace")
                    hits += data.hex() in shown or text in shown
    assert hits > 20
