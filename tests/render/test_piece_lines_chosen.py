"""Parts of hand-made logs by pieces as row by row: bounds, filters, and what must not slip past.

A shortcut may not show what the long way hides, nor take a value for a plain one because the last
forty were.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.render.piece_forms import LOOKS, Drawing, cuts, filters
from tests.render.test_piece_lines_made import (
    DECODERS,
    REGISTRY,
    USUAL,
    demand_equal,
    log_of,
    logs,
    put,
)
from tests.wal.builders import (
    ENTRY,
    SNAPSHOT,
    STATE,
    Builder,
    bytes_field,
    entry,
    fresh,
    mark,
    state,
)
from walctl.inspect.fate import Piece
from walctl.inspect.positions import Bounds, Position

OPEN_REQUESTS = (
    bytes_field(10, b""),
    bytes_field(10, b"\x08\x01\x10\x07"),
    bytes_field(6, b"\x08\x05"),
    bytes_field(8, b"\x08\x3c\x10\x07"),
    bytes_field(9, b"\x08\x07"),
)
"""Requests of which nothing is ever hidden: alarm, compaction, lease grant and revoke."""


@pytest.mark.parametrize("look", range(len(LOOKS)))
def test_who_asked_is_hidden_though_what_was_asked_is_open(look: int) -> None:
    builder = fresh()
    index = 1
    for request in OPEN_REQUESTS:
        for user in (b"", b"root-of-all"):
            header = b"\x08\x09" + (bytes_field(2, user) if user else b"") + b"\x18\x03"
            builder.add(ENTRY, entry(index, 1, request + bytes_field(100, header)))
            index += 1
    demand_equal(builder, looks=(look,))


@pytest.mark.parametrize("value", [b"k8s\0\x0a\x02v1", b"k8s:enc:aescbc:v1:k:", b'{"kind":"Pod"}'])
@pytest.mark.parametrize("key", [REGISTRY, b"elsewhere" + REGISTRY])
def test_an_object_among_plain_values_of_its_length_is_drawn_as_its_row(
    key: bytes, value: bytes
) -> None:
    builder = fresh()
    for index in range(1, 2 * USUAL):
        is_plain = index % USUAL
        builder.add(ENTRY, entry(index, 1, put(key, b"x" * len(value) if is_plain else value)))
    demand_equal(builder)


@settings(max_examples=30)
@given(builder=logs(), look=st.integers(0, len(LOOKS) - 1))
def test_a_part_of_a_log_is_drawn_as_its_rows(builder: Builder, look: int) -> None:
    demand_parts(builder, look)


@pytest.mark.parametrize("look", [0, 4])
def test_a_part_of_a_log_with_marks_is_drawn_as_its_rows(look: int) -> None:
    """A mark of the member's own stands at an index that the entries around it have passed."""
    builder = fresh()
    for index in range(1, USUAL):
        builder.add(ENTRY, entry(index, 1, put(b"%06d" % index, b"value")))
        builder.add(STATE, state(1, 7, index))
        if index % 7 == 0:
            builder.add(SNAPSHOT, mark(index - 4, 1))
    demand_parts(builder, look)
    items, choice = log_of(builder)
    for index in range(USUAL + 1):
        for bounds in (Bounds(start=Position(index=index)), Bounds(stop=Position(index=index))):
            drawing = Drawing(replace(choice, bounds=bounds), DECODERS[0], LOOKS[look])
            for item in items:
                drawing.demand_equal(item)


def demand_parts(builder: Builder, look: int) -> None:
    """Both ways are equal for every part of the log that `cuts` and `filters` choose."""
    items, choice = log_of(builder)
    decoder = DECODERS[look % 2]
    choice = replace(choice, decoder=decoder)
    for item in items:
        if not isinstance(item, Piece):
            continue
        rows = list(choice.rows(item))
        chosen = list(cuts(choice, item, rows))
        chosen += [replace(choice, filter=each) for each in filters(rows)]
        for each in chosen:
            Drawing(each, decoder, LOOKS[look]).demand_equal(item)
