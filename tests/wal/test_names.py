"""Names of segments: what etcd writes, what it takes, and how it goes through them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.wal.names import (
    SegmentName,
    format_name,
    in_order,
    is_continuous,
    parse,
    start_position,
)

U64 = st.integers(0, (1 << 64) - 1)


@given(U64, U64)
def test_a_name_that_etcd_writes_reads_back(seq: int, index: int) -> None:
    text = format_name(seq=seq, index=index)
    found = parse(text)
    assert found == SegmentName(text, seq, index)
    assert len(text) == 37
    assert found is not None
    assert found.is_canonical
    assert found.is_first == (seq == index == 0)


@pytest.mark.parametrize(
    ("text", "seq", "index"),
    [
        ("1-b7.wal", 1, 0xB7),
        ("000000000000000A-00000000000000B7.wal", 10, 0xB7),
        ("0000000000000001-00000000000000b7.wal.bak.wal", 1, 0xB7),
        ("1-2.walwal.wal", 1, 2),
    ],
)
def test_what_sscanf_takes_is_a_segment_but_not_canonical(text: str, seq: int, index: int) -> None:
    found = parse(text)
    assert found == SegmentName(text, seq, index)
    assert found is not None
    assert not found.is_canonical
    assert not found.is_first


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".wal",
        "notes.wal",
        "0000000000000001.wal",
        "0000000000000001-00000000000000b7.wa",
        "0000000000000001-00000000000000b7.wal.broken",
        "0000000000000001_00000000000000b7.wal",
        "00000000000000001-00000000000000b7.wal",
        "0000000000000001-000000000000000b7.wal",
        "-1-2.wal",
        "g-1.wal",
        "1-.wal",
        "٠-٠.wal",
        "0.tmp",
    ],
)
def test_any_other_name_is_passed_over(text: str) -> None:
    assert parse(text) is None


@given(st.text(alphabet="0123456789abcdefABg-.wl\n\u0660", max_size=40))
def test_any_text_is_a_segment_or_is_not(text: str) -> None:
    found = parse(text + ".wal")
    assert found is None or found.text == text + ".wal"


def test_a_name_whose_end_has_a_line_break_is_not_canonical() -> None:
    name = SegmentName(format_name(seq=1, index=2) + "\n", 1, 2)
    assert not name.is_canonical


@given(st.permutations([(0, 0), (1, 10), (2, 10), (9, 20), (10, 30), (255, 31), (256, 40)]))
def test_canonical_names_sort_as_numbers_and_as_strings(pairs: list[tuple[int, int]]) -> None:
    texts = [format_name(seq=seq, index=index) for seq, index in pairs]
    ordered = in_order([*texts, "0.tmp", "lost+found"])
    assert [(name.seq, name.index) for name in ordered] == sorted(pairs)


def test_names_that_are_not_canonical_sort_as_strings() -> None:
    assert [name.seq for name in in_order(["9-1.wal", "10-1.wal"])] == [0x10, 9]


@pytest.mark.parametrize(
    ("seqs", "expected"),
    [
        ([], True),
        ([0], True),
        ([5], True),
        ([0, 1, 2], True),
        ([5, 6, 7], True),
        ([0, 2, 3], True),
        ([1, 3], False),
        ([0, 1, 3], False),
        ([1, 1], False),
        ([2, 1], False),
    ],
)
def test_sequence_numbers_are_continuous_as_etcd_checks_it(seqs: list[int], expected: bool) -> None:
    names = [SegmentName(format_name(seq=seq, index=0), seq, 0) for seq in seqs]
    assert is_continuous(names) is expected


@given(st.lists(st.integers(0, 30), max_size=6).map(sorted), st.integers(0, 30))
def test_a_start_is_the_last_segment_that_does_not_begin_behind_the_snapshot(
    indexes: list[int], snapshot: int
) -> None:
    names = [SegmentName(str(seq), seq, index) for seq, index in enumerate(indexes)]
    possible = [seq for seq, index in enumerate(indexes) if index <= snapshot]
    assert start_position(names, snapshot) == (possible[-1] if possible else None)
