"""Pieces of requests and rows as plain values for JSON."""

import pytest

from walctl.inspect.document import node_document
from walctl.payload.base import Privacy, Redaction, Text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("käse", "käse"),
        ("\udcff", {"data": "/w=="}),  # stands for the byte ff
        ("\ud800", {"data": "7aCA"}),  # stands for none, and JSON can name it all the same
    ],
)
def test_a_text_that_is_no_unicode_comes_as_its_bytes(text: str, shown: object) -> None:
    assert node_document(Text(text, Privacy.VALUE), Redaction.AUTH) == shown
    hidden = node_document(Text(text, Privacy.VALUE), Redaction.VALUES)
    assert hidden == {"redacted": True, "size": len(Text(text).data)}
