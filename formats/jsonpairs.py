"""Many pairs of a JSON object at once: what a step for each pair would take seconds for.

    "<key>":"<value>","<key>":"<value>", ...

A map may have a million pairs. What is here works on some hundred KiB at a time, so that other
threads can run meanwhile, and says `None` for what it does not know to be as Go has it: bytes that
are no UTF-8, U+FFFD, two control characters. `formats.raftexample` has the definition, which reads
and writes that too; a property test holds this to it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

Batch: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Pairs, ascending by their keys."""

BATCH_PAIRS_MAX: Final = 2048
BATCH_BYTES_MAX: Final = 1 << 20
"""A batch is no longer, unless it is a single pair."""
_WINDOW_BYTES: Final = 1 << 17
_PAIR_PIECES: Final = 4
"""Splitting at quotes gives for each pair its key, a colon, its value and a comma."""

_CONTROLS: Final = bytes(range(0x20))
_NOT_READ: Final = _CONTROLS + b"\\"
_NOT_WRITTEN: Final = _CONTROLS + b"\\<>&"
_SEPARATORS: Final = ("\u2028".encode(), "\u2029".encode())
_ESCAPED_IN_GO: Final = "<>&\u2028\u2029"
_SHORT_IN_PYTHON: Final = (b"\b", b"\f")
"""Python has short escapes for them, and Go has not."""
_REPLACEMENT: Final = "\ufffd".encode()


class Found(NamedTuple):
    """Pairs that were read, and where the next one begins."""

    keys: list[bytes]
    values: list[bytes]
    position: int


def bounded(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same pairs in batches that are not too long; none is empty."""
    for batch in batches:
        if len(batch) > BATCH_PAIRS_MAX:
            starts = range(0, len(batch), BATCH_PAIRS_MAX)
            yield from bounded(batch[each : each + BATCH_PAIRS_MAX] for each in starts)
        elif len(batch) > 1 and sum(len(value) for _, value in batch) > BATCH_BYTES_MAX:
            middle = len(batch) // 2
            yield from bounded((batch[:middle], batch[middle:]))
        elif batch:
            yield batch


def object_chunks(batches: Iterable[Batch], written: Callable[[Batch], bytes]) -> Iterator[bytes]:
    """A JSON object of all pairs, in pieces; `written` gives those of a batch."""
    lead = b"{"
    for batch in bounded(batches):
        yield lead + written(batch)
        lead = b","
    yield b"{}" if lead == b"{" else b"}"


def joined(batch: Batch) -> bytes:
    """The pairs as they are, between quotes."""
    return b'"' + b'","'.join([b'":"'.join(pair) for pair in batch]) + b'"'


def written(batch: Batch) -> bytes | None:
    """The pairs as Go writes them; `None`: the definition has to."""
    return _written_plain(batch) or _written_escaped(batch)


def _written_plain(batch: Batch) -> bytes | None:
    """As `written`, where that is as they are."""
    text = joined(batch)
    # As many quotes as belong here: none is in a text. A quote also ends what is half a character,
    # so the whole is UTF-8 when each text is.
    if text.count(b'"') != _PAIR_PIECES * len(batch):
        return None
    if len(text.translate(None, _NOT_WRITTEN)) != len(text):
        return None
    if not text.isascii() and (any(each in text for each in _SEPARATORS) or not is_utf8(text)):
        return None
    return text


def _written_escaped(batch: Batch) -> bytes | None:
    """As `written`, by Python's own writer of JSON, with what Go escapes besides."""
    whole = joined(batch)
    if any(char in whole for char in _SHORT_IN_PYTHON):
        return None
    try:
        pairs = {key.decode(): value.decode() for key, value in batch}
    except UnicodeDecodeError:
        return None
    text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))[1:-1]
    for char in _ESCAPED_IN_GO:
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


def read(data: bytes, position: int) -> Found | None:
    """Pairs from `position` on, where a key begins; one more follows them.

    `None`: the definition has to read the next one. So it has where U+FFFD stands.
    """
    return read_plain(data, position) or _read_escaped(data, position)


def read_plain(data: bytes, position: int) -> Found | None:
    """As `read`, of pairs without white space and escapes; they are as they stand there."""
    window = data[position : position + _WINDOW_BYTES]
    pieces = window.split(b'"')
    count = (len(pieces) - 2) // _PAIR_PIECES
    if count < 1 or pieces[0]:
        return None
    stop = _PAIR_PIECES * count + 1
    used = len(window) - sum(map(len, pieces[stop:])) - (len(pieces) - stop)
    plain = window[:used]
    if pieces[2:stop:4].count(b":") != count or pieces[4:stop:4].count(b",") != count:
        return None
    if len(plain.translate(None, _NOT_READ)) != used:
        return None
    if not plain.isascii() and (_REPLACEMENT in plain or not is_utf8(plain)):
        return None
    return Found(pieces[1:stop:4], pieces[3:stop:4], position + used)


def _read_escaped(data: bytes, position: int) -> Found | None:
    """As `read`, by Python's own reader of JSON, where that agrees with Go's."""
    window = data[position : position + _WINDOW_BYTES]
    # If this were no end of a pair, but a text of one comma, it would be no JSON up to here.
    stop = window.rfind(b'","')
    try:
        members = json.loads(f"{{{window[: stop + 1].decode()}}}", object_pairs_hook=list)
        # Halves of surrogate pairs do not encode, and what is no text is not for here.
        pairs = [(key.encode(), value.encode()) for key, value in members if type(value) is str]
    except (ValueError, RecursionError):
        return None
    if stop < 0 or len(pairs) < len(members) or any(map(_has_sign, pairs)):
        return None
    return Found([key for key, _ in pairs], [value for _, value in pairs], position + stop + 2)


def _has_sign(pair: tuple[bytes, bytes]) -> bool:
    key, value = pair
    return _REPLACEMENT in key or _REPLACEMENT in value


def is_utf8(text: bytes) -> bool:
    """Whether all of it is UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
