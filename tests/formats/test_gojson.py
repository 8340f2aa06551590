"""JSON with Go's escapes; that real Go writes the same is shown by the corpus and a real etcd."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import gojson
from formats.errors import FormatError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)),
)


@pytest.mark.parametrize(
    ("value", "built"),
    [
        ("<&>", b'"\\u003c\\u0026\\u003e"'),
        ("\u2028\u2029", b'"\\u2028\\u2029"'),
        ("\b\f\n\r\t\x00\x1f", b'"\\u0008\\u000c\\n\\r\\t\\u0000\\u001f"'),
        ('\\b\\f"', b'"\\\\b\\\\f\\""'),
        ("é\x7f\U0001f600", '"é\x7f\U0001f600"'.encode()),
        ({"b": [1, True, None], "a": {}}, b'{"b":[1,true,null],"a":{}}'),
        (18446744073709551615, b"18446744073709551615"),
    ],
)
def test_escapes_are_those_of_go(value: object, built: bytes) -> None:
    assert gojson.build(value) == built


@given(VALUES)
def test_what_is_built_says_what_it_was_built_from(value: object) -> None:
    built = gojson.build(value)
    assert json.loads(built) == value
    assert not set(b"<>&") & set(built)


def test_what_is_no_json_of_go_is_refused() -> None:
    deep: Any = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(FormatError, match="nested"):
        gojson.build(deep)
    with pytest.raises(FormatError, match="surrogate"):
        gojson.build("\udfff")
    while deep:  # taken apart from outside, so that freeing it nests no calls
        deep = deep.pop()
