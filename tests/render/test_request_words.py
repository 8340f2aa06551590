"""Requests in one line: quoted, redacted, as wide as they may be."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.render.decoded import entry_row
from tests.render.drawing import Paper
from walctl.payload.base import (
    Blob,
    PayloadError,
    Privacy,
    Redaction,
    Request,
    Text,
    key_blob,
    value_blob,
)
from walctl.render import dump
from walctl.render.request_words import request_words
from walctl.render.text import columns, printable, quoted


def put(key: bytes, value: bytes) -> Request:
    """As the decoder of etcd gives it."""
    return Request(
        decoder="etcd",
        type="put",
        body={"put": {"key": key_blob(key), "value": value_blob(value)}},
        words=("put ", key_blob(key), " = ", value_blob(value)),
    )


def words(
    request: Request | None,
    *,
    redaction: Redaction = Redaction.AUTH,
    width_max: int | None = None,
    payload: bytes | None = b"\x08",
) -> str:
    return request_words(request, None, payload, redaction, width_max=width_max)


def line(request: Request | None, columns_max: int | None) -> str:
    paper = Paper()
    dump.record_line(paper, entry_row(b"abc\xff", request=request), columns_max=columns_max)
    return paper.text.rstrip("\n")


def test_words_of_ours_stand_as_they_are_and_values_are_quoted() -> None:
    assert words(put(b"k/000", b'say "x\\"\n')) == r'put "k/000" = "say \"x\\\"\x0a"'


@pytest.mark.parametrize(
    ("redaction", "text"),
    [
        (Redaction.NONE, 'user add "root" pw "x" put "k" = "vvv"'),
        (Redaction.AUTH, 'user add "root" pw <redacted 1 byte> put "k" = "vvv"'),
        (Redaction.VALUES, 'user add "root" pw <redacted 1 byte> put "k" = <redacted 3 bytes>'),
        (
            Redaction.KEYS,
            'user add "root" pw <redacted 1 byte> put <redacted 1 byte> = <redacted 3 bytes>',
        ),
        (
            Redaction.ALL,
            "user add <redacted 4 bytes> pw <redacted 1 byte> put <redacted 1 byte>"
            " = <redacted 3 bytes>",
        ),
    ],
)
def test_each_piece_is_hidden_by_what_it_reveals(redaction: Redaction, text: str) -> None:
    both = Request(
        decoder="etcd",
        type="x",
        body={},
        words=(
            "user add ",
            Text("root", Privacy.NAME),
            " pw ",
            Blob(b"x", Privacy.SECRET),
            *(" put ", key_blob(b"k"), " = ", value_blob(b"vvv")),
        ),
    )
    assert words(both, redaction=redaction) == text


def test_a_request_without_words_is_called_by_its_type() -> None:
    assert words(Request(decoder="mine", type="leave", body={})) == "leave"


def test_a_payload_that_no_decoder_reads_is_shown_where_it_is_text() -> None:
    assert words(None, payload="größe".encode()) == '"größe"'
    assert words(None, payload=b"\x08\x01") == ""
    assert words(None, payload=None) == ""
    long = "größe".encode() * 1000
    assert words(None, payload=long) == f'"{long.decode()}"'
    assert words(None, payload=b"a" + long, width_max=40).endswith('"…')


def test_a_payload_that_no_decoder_reads_is_hidden_where_it_may_hold_what_is_asked_for() -> None:
    def told(payload: bytes, redaction: Redaction) -> str:
        hides = entry_row(payload).hides_payload(redaction)
        return request_words(None, None, payload, redaction, width_max=None, hides_payload=hides)

    assert told(b"plain", Redaction.VALUES) == "<redacted 5 bytes>"
    assert told(b"plain", Redaction.AUTH) == '"plain"'
    assert told(b"\xa2\x3f\x08password", Redaction.AUTH) == "<redacted 11 bytes>"


def test_a_payload_that_cannot_be_decoded_is_called_so() -> None:
    problem = PayloadError("proto: illegal wireType 7", offset=3)
    assert request_words(None, problem, b"abc", Redaction.AUTH, width_max=None) == "undecoded"


def test_a_value_of_megabytes_is_cut_and_the_key_is_not() -> None:
    text = words(put(b"k/000", b"v" * (1 << 20)), width_max=1000)
    assert text.startswith('put "k/000" = "vvvv')
    assert text.endswith('v"…')
    assert columns(text) < 150


def test_the_longest_values_give_way_first() -> None:
    text = words(put(b"registry/pods/a", b"v" * 100), width_max=50)
    assert text == 'put "registry/pods/a" = "' + "v" * 22 + '"…'
    assert columns(text) <= 50


def test_without_a_width_everything_is_shown() -> None:
    assert words(put(b"k" * 500, b"v" * 5000)) == f'put "{"k" * 500}" = "{"v" * 5000}"'


PIECES = st.lists(
    st.one_of(
        st.sampled_from(["put ", " = ", " lease 694d"]),
        st.builds(Blob, st.binary(max_size=80), st.sampled_from(Privacy)),
        st.builds(
            Text,
            st.text(st.characters(codec=None, exclude_categories=()), max_size=80),
            st.sampled_from(Privacy),
        ),
    ),
    max_size=6,
)


@given(PIECES, st.sampled_from(Redaction), st.one_of(st.none(), st.integers(1, 200)))
def test_whatever_it_holds_it_is_one_harmless_line_within_its_width(
    pieces: list[str | Blob | Text], redaction: Redaction, width_max: int | None
) -> None:
    request = Request(decoder="x", type="x", body={}, words=tuple(pieces))
    text = words(request, redaction=redaction, width_max=width_max)
    assert text.isprintable()
    assert width_max is None or columns(text) <= width_max


@given(
    st.one_of(st.binary(max_size=20), st.text('ab"\\é\n', max_size=20).map(str.encode)),
    st.one_of(st.none(), st.integers(4, 20)),
)
def test_the_short_way_to_quotes_is_the_long_one(value: bytes, width_max: int | None) -> None:
    request = Request(decoder="x", type="x", body={}, words=(Blob(value),))
    assert words(request) == quoted(value)
    if width_max is not None and columns(quoted(value)) > width_max:
        narrow = max(width_max - 3, 4)
        cut = printable(quoted(value, width_max=narrow), width_max=width_max)
        assert words(request, width_max=width_max) == cut


def test_the_line_of_an_entry_says_what_it_asks_for_how_big_it_is_and_what_became_of_it() -> None:
    assert line(put(b"k/000", b"third"), 1000) == (
        "        80  entry     0000001a  verified      7  term 2"
        '  put "k/000" = "third"  4 bytes  committed'
    )


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_line_is_never_wider_than_the_terminal(width: int) -> None:
    text = line(put(b"k/000", b"v" * 1000), width)
    assert columns(text) <= width
    if width >= 80:
        assert text.endswith('"…  4 bytes  committed' if width >= 120 else '"…  committed')
        assert 'put "k/000"' in text


def test_full_shows_a_value_to_its_end() -> None:
    assert "v" * 5000 in line(put(b"k", b"v" * 5000), None)


def test_a_redaction_reaches_the_lines() -> None:
    paper = Paper()
    paper.stdout = io.StringIO()
    rows = [entry_row(b"abc\xff", request=put(b"k", b"secret value"))]
    dump.lines(paper, rows, redaction=Redaction.VALUES)
    assert 'put "k" = <redacted 12 bytes>' in paper.stdout.getvalue()
    assert "secret" not in paper.stdout.getvalue()
