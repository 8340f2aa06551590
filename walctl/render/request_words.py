"""What an entry asks for, in one line: `put "k/000" = "third"`.

A decoder gives the words (`Request.words`), and here they get their quotes, their redaction and
their width. Whoever reads a log line by line wants to see every key: so when a line is too narrow,
the longest values give way first, and a short key stays whole beside a value of megabytes.
"""

from collections.abc import Iterator

from walctl.inspect.row import UNDECODED
from walctl.payload.base import Blob, PayloadError, Redaction, Request, Text
from walctl.render.text import ELLIPSIS, columns, printable, quoted
from walctl.render.values import hidden, size_of

VALUE_COLUMNS_MAX = 128
"""Columns of one value, unless all was asked for: what a person can still take in."""
VALUE_COLUMNS_MIN = 4
"""Fewer columns of a value tell nothing; a line is cut as a whole then."""
QUOTES_COLUMNS = 3
"""What stands around a value that was cut: two quotes and the mark that something is missing."""


def request_words(
    request: Request | None,
    problem: PayloadError | None,
    payload: bytes | None,
    redaction: Redaction,
    *,
    width_max: int | None,
    hides_payload: bool = False,
) -> str:
    """The request in a payload as one harmless line of at most `width_max` columns.

    `None` shows every value whole, however long. Without a request: that it could not be decoded,
    or the payload itself where it is a text and may be shown (not `hides_payload`), or nothing.
    """
    pieces = tuple(_pieces(request, problem, payload, hides_payload=hides_payload))
    if width_max is None:
        return "".join(_shown(piece, redaction, None) for piece in pieces)
    texts = [_shown(piece, redaction, VALUE_COLUMNS_MAX) for piece in pieces]
    if sum(map(columns, texts)) > width_max:
        _narrow(texts, pieces, redaction, width_max)
        return printable("".join(texts), width_max=width_max)
    return "".join(texts)


def _pieces(
    request: Request | None,
    problem: PayloadError | None,
    payload: bytes | None,
    *,
    hides_payload: bool,
) -> Iterator[str | Blob | Text]:
    if request is not None:
        yield from request.words or (request.type,)
    elif problem is not None:
        yield UNDECODED  # why, says the finding behind the record
    elif hides_payload:
        yield hidden(len(payload or b""))
    elif payload and _is_text(payload):
        yield Blob(payload)


def _is_text(payload: bytes) -> bool:
    """Whether a payload is a text: of one that begins as a text and is long, only the beginning."""
    head = payload[: VALUE_COLUMNS_MAX * 4]
    try:
        return head.decode("utf-8").isprintable()
    except UnicodeDecodeError as error:
        is_cut_there = len(payload) > len(head) and error.start > len(head) - 4
        return is_cut_there and head[: error.start].decode("utf-8").isprintable()


def _shown(piece: str | Blob | Text, redaction: Redaction, width_max: int | None) -> str:
    if isinstance(piece, str):
        return printable(piece)
    if redaction.hides(piece.privacy):
        return hidden(size_of(piece))
    return _quoted(piece.data if isinstance(piece, Blob) else piece.text, width_max)


def _quoted(value: bytes | str, width_max: int | None) -> str:
    """As `quoted`; most keys and values are plain ASCII, which needs no look at each character."""
    is_cut = width_max is not None and len(value) > width_max
    head = value[: width_max - 1] if width_max is not None and is_cut else value
    if head.isascii():
        text = head if isinstance(head, str) else head.decode("ascii")
        if text.isprintable() and '"' not in text and "\\" not in text:
            return f'"{text}"{ELLIPSIS}' if is_cut else f'"{text}"'
    return quoted(value, width_max=width_max)


def _narrow(
    texts: list[str],
    pieces: tuple[str | Blob | Text, ...],
    redaction: Redaction,
    width_max: int,
) -> None:
    """Shorten the longest values until all fits, or until they could not be told apart any more."""
    values = [
        position
        for position, piece in enumerate(pieces)
        if not isinstance(piece, str) and not redaction.hides(piece.privacy)
    ]
    values.sort(key=lambda position: columns(texts[position]))
    wide = sum(columns(texts[position]) for position in values)
    room = width_max - (sum(map(columns, texts)) - wide)
    for done, position in enumerate(values):
        share = room // (len(values) - done)
        if columns(texts[position]) > share:
            narrow = max(share - QUOTES_COLUMNS, VALUE_COLUMNS_MIN)
            texts[position] = _shown(pieces[position], redaction, narrow)
        room -= columns(texts[position])
