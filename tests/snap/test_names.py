"""Names in `snap/`: what each is, and the order in which etcd tries snapshots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.snap.names import (
    NameKind,
    SnapName,
    candidates,
    classify,
    format_db_name,
    format_name,
    parse,
    parse_db,
)

U64 = st.integers(0, (1 << 64) - 1)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("db", NameKind.DB),
        ("tmp123456", NameKind.ORPHAN_TMP),
        ("tmp.snap", NameKind.ORPHAN_TMP),
        ("db.tmp.4711", NameKind.DB_TMP),
        ("db.tmp.snap", NameKind.DB_TMP),
        ("0000000000000002-0000000000000194.snap", NameKind.SNAP),
        ("anything.snap", NameKind.SNAP),
        (".snap", NameKind.SNAP),
        ("0000000000001506.snap.db", NameKind.SNAP_DB),
        ("x.snap.db", NameKind.SNAP_DB),
        ("0000000000000002-0000000000000194.snap.broken", NameKind.BROKEN),
        ("db.bak", NameKind.OTHER),
        ("0000000000000002-0000000000000194.SNAP", NameKind.OTHER),
        ("", NameKind.OTHER),
    ],
)
def test_a_name_is_what_etcd_does_with_it(text: str, kind: NameKind) -> None:
    assert classify(text) is kind


@given(term=U64, index=U64)
def test_a_name_says_the_term_first_and_comes_back(term: int, index: int) -> None:
    text = format_name(term=term, index=index)
    assert text.split("-")[0] == f"{term:016x}"
    assert parse(text) == SnapName(term=term, index=index)
    assert classify(text) is NameKind.SNAP
    assert parse_db(format_db_name(index=index)) == index
    assert classify(format_db_name(index=index)) is NameKind.SNAP_DB


@pytest.mark.parametrize(
    "text",
    [
        "2-194.snap",
        "000000000000000g-0000000000000194.snap",
        "000000000000000A-0000000000000194.snap",
        "0000000000000002-0000000000000194.snap.broken",
        "0000000000000002-0000000000000194.snap\n",
        " 0000000000000002-0000000000000194.snap",
        "٠000000000000002-0000000000000194.snap",
        "0000000000001506.snap.db",
    ],
)
def test_a_name_that_etcd_never_writes_says_nothing(text: str) -> None:
    assert parse(text) is None


def test_candidates_are_tried_in_descending_order_of_strings() -> None:
    newest = format_name(term=3, index=1)
    older = format_name(term=2, index=900)
    texts = [older, "db", "z.snap", "tmp.snap", newest, "0000000000001506.snap.db", "a.broken"]
    assert candidates(texts) == ["z.snap", newest, older]
