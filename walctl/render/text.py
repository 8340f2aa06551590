"""Bytes of a log onto a screen, page or table: controls escaped, nothing interpreted.

Whatever comes out of a file, a file name or a command line goes through here before a terminal
sees it. What is escaped: everything that `str.isprintable` refuses (control characters with ESC
and newline, C1, bidi and other format characters, surrogates, unassigned code points, spaces
other than the plain one). Forms: `\\xNN` for a control character or a byte that is no UTF-8,
`\\uNNNN` and `\\UNNNNNNNN` for other code points. Nothing here knows rich; square brackets are
left as they are, because no console of ours reads markup.
"""

import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
UTF8_BYTES_MAX = 4


def printable(value: bytes | str, *, width_max: int | None = None) -> str:
    """`value` as one harmless line; with `width_max` at most that many columns, `…` at a cut.

    Applying it twice changes nothing, and a backslash stays one: use `quoted` where the reader
    must be able to tell a backslash from an escape. An escape is never cut in two.
    """
    text, is_cut = _decoded(value, width_max)
    if text.isprintable() and width_max is None:
        return text
    body, is_cut = _fitted((_escaped(char) for char in text), width_max, is_cut)
    return body + ELLIPSIS if is_cut else body


def quoted(value: bytes | str, *, width_max: int | None = None) -> str:
    """`value` in double quotes, quotes and backslashes escaped, so that no two values look alike.

    With `width_max`, what stands between the quotes takes less than that many columns where the
    end had to be left out; `…` follows the closing quote then.
    """
    text, is_cut = _decoded(value, width_max)
    pieces = ("\\" + char if char in '"\\' else _escaped(char) for char in text)
    body, is_cut = _fitted(pieces, width_max, is_cut)
    return f'"{body}"{ELLIPSIS}' if is_cut else f'"{body}"'


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes: wide characters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_char_columns(char) for char in text)


def hex_id(value: int | None) -> str:
    """A member or cluster id as etcd prints it: lower-case hex, no padding; `None` is unknown."""
    return "unknown" if value is None else f"{value:x}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 segment`, `3 segments`, `1,024 entries`; `many` defaults to `one` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def byte_count(count: int) -> str:
    """`4,096 bytes`."""
    return counted(count, "byte")


def index_range(first: int | None, final: int | None) -> str:
    """Log indexes `[first, final]` as `231–477`, `231` for one; an unknown end is `…`."""
    if first is not None and first == final:
        return str(first)
    return f"{ELLIPSIS if first is None else first}–{ELLIPSIS if final is None else final}"


def _decoded(value: bytes | str, width_max: int | None) -> tuple[str, bool]:
    """The text of `value`, and whether its end was left out, since no screen would show it."""
    is_cut = False
    if width_max is not None:
        # A value of megabytes is not worth decoding for a column of forty.
        kept = (width_max + 1) * UTF8_BYTES_MAX
        is_cut = len(value) > kept
        value = value[:kept]
    if isinstance(value, str):
        return value, is_cut
    return value.decode("utf-8", "surrogateescape"), is_cut


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    point = ord(char)
    if point < 0x80:
        return f"\\x{point:02x}"
    if 0xDC80 <= point <= 0xDCFF:  # a surrogate escape: the byte itself, as the file has it
        return f"\\x{point - 0xDC00:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _fitted(pieces: Iterator[str], width_max: int | None, is_cut: bool) -> tuple[str, bool]:
    """Whole pieces, and whether some are missing; one column is then left for the `…`."""
    if width_max is None:
        return "".join(pieces), False
    assert width_max > 0
    kept: list[str] = []
    used = 0
    for piece in pieces:
        kept.append(piece)
        used += columns(piece)
        if used > width_max:
            is_cut = True
            break
    while is_cut and kept and used > width_max - 1:
        used -= columns(kept.pop())
    return "".join(kept), is_cut


def _char_columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
