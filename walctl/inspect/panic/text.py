"""Finding known messages in what a person pastes, or in a whole server's log.

The text may be anything: a line of zap's JSON with its quotes escaped once or more, capnslog's
prefix, a Go panic with a goroutine behind it, a journal or container prefix, a line that a
terminal has wrapped. It is read in pieces that end at a line, up to a bound, and nothing of it is
kept but the lines that matter.

Words are looked for as they stand, which is fast; a pattern is only ever tried in a window of a
few hundred characters around them, and only so many times, so no text makes it slow.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from walctl.inspect.panic.cause import Numbers
from walctl.inspect.panic.page import Page, Shape

TEXT_CHARS_MAX = 1 << 28
"""Of a log that is read; a server's log of days."""
PIECE_CHARS = 1 << 20
"""What is searched at a time."""
WRAPPED_CHARS_MAX = 1 << 14
"""A text of up to this length may be a paste with lines broken anywhere."""
WINDOW_BEFORE = 400
WINDOW_BEHIND = 700
HITS_MAX = 64
"""Windows that are looked into, of one form in one piece."""
EXCERPT_CHARS = 240

_VERSION_SHAPES = (
    Shape("etcd-version", re.compile(r'"etcd-version":\s?"(?P<version>\d[\w.+-]{0,30})')),
    Shape("etcd Version: ", re.compile(r"etcd Version: (?P<version>\d[\w.+-]{0,30})")),
)
_ESCAPED_QUOTE = re.compile(r'\\{1,16}"')
_BORDER = re.compile(r"[\u2500-\u257f]")
"""Characters of the boxes that terminal programs draw around what they show."""
_WORD = re.compile(r"[A-Za-z][A-Za-z']{2,30}")


@dataclass(slots=True, kw_only=True)
class Sighting:
    """One page's message in a text: its numbers, where it stood first, and the line around it."""

    page: Page
    numbers: dict[str, int | str]
    line: int
    excerpt: str


@dataclass(slots=True, kw_only=True)
class Reading:
    """What was found in a text, the message to explain first.

    `version` is the server's, where the text names it; `lines` is how many were read, `is_cut`
    whether there was more.
    """

    sightings: list[Sighting] = field(default_factory=list)
    version: str | None = None
    lines: int = 0
    is_cut: bool = False


def read_text(pieces: Iterable[str], pages: Sequence[Page]) -> Reading:
    """Look for the words of `pages` in a text; the gravest first, of those the earliest.

    Pieces may be cut anywhere. Of two pages in one line the one that comes first in `pages` counts.
    """
    reading = Reading()
    seen: dict[str, Sighting] = {}
    start: str | None = ""
    line = 1
    for piece in _at_lines(_bounded(pieces, reading)):
        _search(piece, line, pages, seen)
        reading.version = reading.version or _version(piece)
        line += piece.count("\n")
        start = start + piece if start is not None else None
        if start is not None and len(start) > WRAPPED_CHARS_MAX:
            start = None
    reading.lines = line
    _search_unwrapped(start or "", pages, seen)
    order = {page.topic: number for number, page in enumerate(pages)}
    reading.sightings = sorted(
        seen.values(), key=lambda each: (-each.page.gravity, each.line, order[each.page.topic])
    )
    return reading


def closest(text: str, pages: Sequence[Page], *, count: int) -> list[Page]:
    """The pages that share most of their words with `text`; none that shares fewer than two."""
    words = {word.lower() for word in _WORD.findall(text[:WRAPPED_CHARS_MAX])}
    shared: list[tuple[float, int, Page]] = []
    for number, page in enumerate(pages):
        own = {word.lower() for word in _WORD.findall(page.says)}
        common = len(own & words)
        if common >= 2:
            shared.append((-common / len(own), number, page))
    return [page for _, _, page in sorted(shared, key=lambda each: each[:2])[:count]]


def _bounded(pieces: Iterable[str], reading: Reading) -> Iterator[str]:
    left = TEXT_CHARS_MAX
    for piece in pieces:
        if len(piece) > left:
            reading.is_cut = True
            yield piece[:left]
            return
        left -= len(piece)
        yield piece


def _at_lines(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in pieces of about `PIECE_CHARS` that end with a line, where lines end."""
    held = ""
    for piece in pieces:
        held += piece
        start = 0
        while len(held) - start >= PIECE_CHARS:
            end = held.rfind("\n", start, start + PIECE_CHARS) + 1 or start + PIECE_CHARS
            yield held[start:end]
            start = end
        held = held[start:]
    if held:
        yield held


def _search(piece: str, line: int, pages: Sequence[Page], seen: dict[str, Sighting]) -> None:
    for page in pages:
        known = seen.get(page.topic)
        for form in page.shapes:
            if known is not None and not _adds(form, known.numbers):
                continue
            for window, position in _windows(piece, form.words):
                match = form.pattern.search(window)
                if match is None:
                    continue
                found = _numbers(match.groupdict())
                if known is None:
                    known = seen[page.topic] = Sighting(
                        page=page,
                        numbers=found,
                        line=line + piece.count("\n", 0, position),
                        excerpt=_excerpt(window, match),
                    )
                for name, value in found.items():
                    known.numbers.setdefault(name, value)
                break


def _search_unwrapped(text: str, pages: Sequence[Page], seen: dict[str, Sighting]) -> None:
    """Look into a short text once more, as if a terminal had broken its lines: for anything where
    nothing was known, else for the numbers that are still missing."""
    broken = [each.page for each in seen.values() if _is_wanting(each)] if seen else pages
    for joined in _unwrapped(text) if "\n" in text else ():
        _search(joined, 1, broken, seen)


def _is_wanting(sighting: Sighting) -> bool:
    return any(_adds(form, sighting.numbers) for form in sighting.page.shapes)


def _adds(form: Shape, numbers: Mapping[str, int | str]) -> bool:
    """Whether this form can tell a number that is not known yet."""
    return bool(form.pattern.groupindex.keys() - numbers.keys())


def _windows(piece: str, words: str) -> Iterator[tuple[str, int]]:
    """What stands around each place where `words` do, within their line; bounded."""
    position = piece.find(words)
    for _ in range(HITS_MAX):
        if position < 0:
            return
        stop = position + len(words)
        first = max(piece.rfind("\n", 0, position) + 1, position - WINDOW_BEFORE)
        end = piece.find("\n", stop, stop + WINDOW_BEHIND)
        last = end if end >= 0 else stop + WINDOW_BEHIND
        yield _ESCAPED_QUOTE.sub('"', piece[first:last]), position
        position = piece.find(words, last)


def _numbers(groups: Mapping[str, str | None]) -> dict[str, int | str]:
    """Ids and checksums stay as they are written, all else that has only digits is a number."""
    return {
        name: value if name.endswith(("_id", "_crc")) or not value.isdecimal() else int(value)
        for name, value in groups.items()
        if value is not None
    }


def _excerpt(window: str, match: re.Match[str]) -> str:
    """The message with some of its line around it, in one piece."""
    start = max(0, min(match.start(), len(window) - EXCERPT_CHARS))
    if match.start() < EXCERPT_CHARS // 4:
        start = 0
    return " ".join(window[start : start + EXCERPT_CHARS].split())


def _version(piece: str) -> str | None:
    for form in _VERSION_SHAPES:
        for window, _ in _windows(piece, form.words):
            match = form.pattern.search(window)
            if match is not None:
                return match["version"]
    return None


def _unwrapped(text: str) -> Iterator[str]:
    """A short text as it may have been before a terminal broke its lines."""
    lines = [_BORDER.sub("", line).strip() for line in text.splitlines()]
    yield " ".join(lines)
    yield "".join(lines)


def numbers_agree(one: Numbers, other: Numbers, free: frozenset[str]) -> bool:
    """Whether two texts name the same numbers, of those that both have and that are not `free`."""
    common = (one.keys() & other.keys()) - free
    return all(one[name] == other[name] for name in common)
