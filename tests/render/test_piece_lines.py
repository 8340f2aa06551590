"""A log drawn piece by piece is the log drawn row by row, byte for byte, in every form."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpus import names, needs_corpus
from tests.inspect.answers import logs_in, member_path
from tests.render.drawing import CASES, DISK, laid
from tests.render.piece_forms import LOOKS, Drawing, cuts, filters, items_of
from walctl.datadir.layout import understand
from walctl.inspect.fate import Piece
from walctl.inspect.flow import Item
from walctl.inspect.row import RecordRow, Row
from walctl.inspect.select import Choice
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Decoder, Redaction
from walctl.payload.etcd import EtcdDecoder

LARGE_BYTES = 300_000
"""A piece of more bytes is one big entry: one in so many is looked at where all take too long."""
LARGE_SHARE = 24
FOREIGN_SHARE = 8
"""What etcd did not write has no usual frames: one piece in so many will do."""
CHANGED_SHARE = 12
"""Of the other pieces one in so many is drawn with filters and bounds too."""
CHANGED_ROWS = 400
"""Rows of such a piece out of which filters are made."""

_drawn: set[tuple[str, bytes]] = set()
"""Pieces that were compared, and for what: the damaged logs of the corpus are copies of a few."""


def digest_of(choice: Choice, item: Item) -> bytes:
    """What an item is, all its bytes included."""
    data = choice.bytes_of(item) if isinstance(item, Piece) else b""
    return hashlib.sha256(repr(item).encode() + data).digest()


def new_items(path: Path, purpose: str) -> Iterator[tuple[Choice, Item, bytes, bool]]:
    """Items of a log that no log before had, each with its digest; of big ones a few."""
    items, choice, is_etcds = items_of(DISK, understand(DISK, path))
    for item in items:
        digest = digest_of(choice, item)
        is_large = isinstance(item, Piece) and item.stop - item.start > LARGE_BYTES
        is_left_out = is_large and digest[1] % LARGE_SHARE > 0
        if not is_left_out and (purpose, digest) not in _drawn:
            _drawn.add((purpose, digest))
            yield choice, item, digest, is_etcds


def demand_all_looks(path: Path, decoder: Decoder) -> None:
    """Each new piece of a log in every look; chosen rows of it in some."""
    drawings: list[Drawing] = []
    for choice, item, digest, _ in new_items(path, decoder.name):
        decoded = replace(choice, decoder=decoder)
        drawings = drawings or [Drawing(decoded, decoder, look) for look in LOOKS]
        rows = list(decoded.rows(item))
        for drawing in drawings:
            drawing.demand_equal(item, rows)
        demand_chosen(decoded, decoder, item, rows, digest)


def demand_some_looks(path: Path) -> None:
    """Each new piece of a log in the usual looks and in another one; chosen rows of some."""
    drawings: dict[tuple[bool, int], Drawing] = {}
    for choice, item, digest, is_etcds in new_items(path, "some"):
        number = int.from_bytes(digest[:4], "big")
        if not is_etcds and number % FOREIGN_SHARE:
            continue
        is_plain = number % 3 == 0
        decoder: Decoder = EtcdDecoder() if is_plain else AutoDecoder(strict=is_etcds)
        decoded = replace(choice, decoder=decoder)
        rows = list(decoded.rows(item))
        for position in (0, 4, number % len(LOOKS)):
            key = (is_plain, position)
            if key not in drawings:
                drawings[key] = Drawing(decoded, decoder, LOOKS[position])
            drawings[key].demand_equal(item, rows)
        if number % CHANGED_SHARE == 0:
            demand_chosen(decoded, decoder, item, rows[:CHANGED_ROWS], digest)


def demand_chosen(
    choice: Choice, decoder: Decoder, item: Item, rows: list[Row], digest: bytes
) -> None:
    """With bounds that cut the item, and with filters; the digest says in which look."""
    if not isinstance(item, Piece):
        return
    chosen = list(cuts(choice, item, rows))
    chosen += [replace(choice, filter=each) for each in filters(rows)]
    chosen += [replace(cut, filter=each) for cut, each in zip(chosen, filters(rows), strict=False)]
    for place, each in enumerate(chosen):
        look = LOOKS[(digest[0] + place) % len(LOOKS)]
        Drawing(each, decoder, look).demand_equal(item)


@pytest.mark.parametrize("case", CASES)
def test_pieces_of_the_fixtures_are_drawn_as_their_rows(case: str) -> None:
    demand_some_looks(laid(case))


LONG = ("d-cluster3-35", "d3-snapshot-received-35", "f-raftexample-35", "h-20-small-segments-34")


@needs_corpus
@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=pytest.mark.slow) if each in LONG else each for each in names()],
)
def test_pieces_of_the_corpus_are_drawn_as_their_rows(name: str) -> None:
    for member in logs_in(name):
        demand_some_looks(member_path(name, member))


@pytest.mark.slow
@needs_corpus
@pytest.mark.parametrize("decoder", [EtcdDecoder(), AutoDecoder(strict=True)], ids=["etcd", "auto"])
@pytest.mark.parametrize("name", names())
def test_every_look_and_choice_of_the_corpus_is_drawn_as_its_rows(
    name: str, decoder: Decoder
) -> None:
    for member in logs_in(name):
        demand_all_looks(member_path(name, member), decoder)


def test_the_looks_hold_what_a_dump_can_ask_for() -> None:
    assert {look.redaction for look in LOOKS} == set(Redaction) - {Redaction.KEYS}
    assert LOOKS[0].is_json
    assert (LOOKS[4].columns_max, LOOKS[4].redaction) == (1000, Redaction.AUTH)


def test_a_difference_is_found_and_told_with_its_row() -> None:
    """The comparison can fail: one way is handed the rows of half an item."""
    items, choice, _ = items_of(DISK, understand(DISK, laid(CASES[0])))
    piece = next(item for item in items if isinstance(item, Piece))
    drawing = Drawing(choice, EtcdDecoder(), LOOKS[0])
    rows = list(drawing.choice.rows(piece))
    assert isinstance(rows[-1], RecordRow)
    drawing.demand_equal(piece, rows)
    with pytest.raises(AssertionError):
        drawing.demand_equal(piece, rows[: len(rows) // 2])
