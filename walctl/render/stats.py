"""How the figures of a log look: tables for people, the same figures as JSON."""

from collections.abc import Iterator
from functools import partial

from walctl.inspect.counting.document import (
    bytes_per_write,
    lease_id,
    ranked,
    size_range,
    stats_document,
)
from walctl.inspect.counting.figures import (
    RECORD_BYTES_OLD,
    REQUEST_BYTES_DEFAULT,
    STATE,
    Amount,
    Event,
    Figures,
)
from walctl.inspect.counting.prefix import KEY_BYTES_MAX
from walctl.inspect.counting.tally import Row, Tally
from walctl.inspect.stats import BigEntry, Stats
from walctl.payload.base import Privacy, Redaction
from walctl.render.prose import paragraph
from walctl.render.request_words import request_words
from walctl.render.screen import Output, Screen
from walctl.render.stats_table import INDENT, Line, size_words, table
from walctl.render.text import ELLIPSIS, counted, hex_id, index_range, quoted
from walctl.render.values import hidden

KEY_COLUMNS_MAX = 60
SEGMENT_COLUMNS = 37
"""Of a segment's name, which is to be copied whole."""
PICTURE_COLUMNS_MAX = 100
TERMS_SHOWN_MAX = 15


def show(screen: Screen, reports: list[Stats], redaction: Redaction) -> None:
    """All reports in the screen's form; ndjson has a line for each path."""
    if screen.output == Output.NDJSON:
        for report in reports:
            screen.row({"v": 1, **stats_document(report, redaction)})
    else:
        screen.show(
            reports,
            text=partial(_tables, redaction=redaction),
            document=lambda reports: {
                "v": 1,
                "reports": [stats_document(report, redaction) for report in reports],
            },
        )


def _tables(screen: Screen, reports: list[Stats], *, redaction: Redaction) -> None:
    """Every report that has figures, one below the other."""
    for number, report in enumerate(each for each in reports if each.error is None):
        if number:
            screen.line()
        one(screen, report, redaction)


def one(screen: Screen, report: Stats, redaction: Redaction = Redaction.AUTH) -> None:
    """One report on a screen."""
    figures = report.figures
    paragraph(screen, headline(report), indent=2, first="", style="bold")
    for note in _notes(report):
        paragraph(screen, note, indent=2)
    if not figures.all_records.count:
        return
    _amounts(screen, "records", figures.records)
    if not figures.entries.count:
        _segments(screen, report)
        return
    _amounts(screen, "requests", figures.requests)
    _prefixes(screen, report, redaction)
    _keys(screen, report, redaction)
    _leases(screen, report)
    _churn(screen, figures)
    _sizes(screen, figures)
    _biggest(screen, report, redaction)
    _limits(screen, figures)
    _terms(screen, report)
    _timeline(screen, report)
    _segments(screen, report)


def headline(report: Stats) -> str:
    """Whose log it is, how much of it there is, and which part of it was counted."""
    figures = report.figures
    parts = [report.understood_as]
    if report.node_id is not None:
        parts.append(f"member {hex_id(report.node_id)}, cluster {hex_id(report.cluster_id)}")
    records = figures.all_records
    held = f"{counted(len(report.segments), 'segment')}, {counted(records.count, 'record')}"
    if figures.entries.count:
        indexes = index_range(figures.first_index, figures.last_index)
        held += f", {counted(figures.entries.count, 'entry', 'entries')} {indexes}"
    parts.append(f"{held}, {size_words(records.bytes)}")
    return f"{report.path}: {'; '.join(parts)}"


def _notes(report: Stats) -> Iterator[str]:
    figures = report.figures
    if report.start is not None or report.stop is not None:
        start = "the beginning" if report.start is None else report.start
        stop = "the end" if report.stop is None else report.stop
        yield f"only from {start} to {stop}"
    if report.damages:
        places = counted(report.damages, "damaged place")
        size = size_words(report.damaged_bytes)
        yield f"{places} of {size} left out: `walctl verify` tells what is wrong"
    if figures.overwritten:
        entries = counted(figures.overwritten, "entry", "entries")
        yield f"{entries} of them overwritten by later leaders, and counted all the same"
    if figures.undecodable:
        payloads = counted(figures.undecodable, "payload")
        yield f"{payloads} could not be read as what they should be: counted as undecoded"
    if report.is_moving:
        yield "the log was written to while it was read: the figures are of no one moment"


def _amounts(screen: Screen, title: str, amounts: dict[str, Amount]) -> None:
    """Counts and bytes by type, most bytes first."""
    total = sum(amount.bytes for amount in amounts.values())
    lines = [
        Line(
            name,
            (f"{amount.count:,}", size_words(amount.bytes), _percent(amount.bytes, total)),
            amount.bytes / total if total else None,
        )
        for name, amount in ranked(amounts)
    ]
    screen.line()
    table(screen, (title, "count", "bytes", "share"), lines, optional=(2,))


def _prefixes(screen: Screen, report: Stats, redaction: Redaction) -> None:
    tally = report.figures.prefixes
    total = tally.total()[2]
    lines = [
        Line(
            _key(row.name, redaction) if row.name else "(keys without a prefix)",
            (
                _at_least(row.writes, row),
                _at_least(row.deletes, row),
                size_words(row.bytes),
                _percent(row.bytes, total),
            ),
            row.bytes / total if total else None,
        )
        for row in tally.top(report.wish.top)
    ]
    if lines:
        screen.line()
        heads = ("key prefixes, biggest first", "puts", "deletes", "bytes", "share")
        table(screen, heads, lines, optional=(1, 3, 0))
        _more(screen, tally, len(lines), "prefix", "prefixes", "bytes")


def _keys(screen: Screen, report: Stats, redaction: Redaction) -> None:
    tally = report.figures.keys
    total = tally.total()[0]
    lines = [
        Line(
            _key(row.name, redaction),
            (_at_least(row.writes, row), _at_least(row.deletes, row), size_words(row.bytes)),
            row.writes / total if total else None,
        )
        for row in tally.top(report.wish.top)
    ]
    if lines:
        screen.line()
        heads = ("keys, most written first", "puts", "deletes", "bytes")
        table(screen, heads, lines, optional=(1, 2))
        _more(screen, tally, len(lines), "key", "keys", "puts")


def _leases(screen: Screen, report: Stats) -> None:
    tally = report.figures.leases
    lines = [
        Line(lease_id(row.name), (_at_least(row.writes, row), size_words(row.bytes)))
        for row in tally.top(report.wish.top)
    ]
    if lines:
        screen.line()
        table(screen, ("leases, most puts first", "puts", "bytes"), lines, optional=(1,))
        _more(screen, tally, len(lines), "lease", "leases", "puts")


def _more(
    screen: Screen, tally: Tally[bytes] | Tally[int], shown: int, one: str, many: str, by: str
) -> None:
    """How many rows are not shown, and whether those that are can be relied on."""
    if tally.is_approximate:
        text = (
            f"approximate: there are more {many} than are kept, so the smaller ones were let go; "
            f"a row with + may have up to {tally.lost:,} more {by}"
        )
        paragraph(screen, text, indent=2)
    elif len(tally.rows) > shown:
        rest = counted(len(tally.rows) - shown, f"more {one}", f"more {many}")
        paragraph(screen, f"and {rest}; --top N shows N of them", indent=2)


def _churn(screen: Screen, figures: Figures) -> None:
    churn = figures.churn
    each = bytes_per_write(figures)
    lines = [
        Line(name, (value,))
        for name, value in (
            ("puts, those in transactions included", f"{churn.puts:,}"),
            ("deletes of a key", f"{churn.deletes:,}"),
            ("deletes of a range", f"{churn.range_deletes:,}"),
            ("requests to change keys, not v2's", f"{churn.writes:,}"),
            ("log for each of these", "" if each is None else size_words(each)),
            ("leases granted", f"{churn.granted:,}"),
            ("leases revoked", f"{churn.revoked:,}"),
            ("lease checkpoints", f"{churn.checkpoints:,}"),
        )
        if value not in ("", "0")
    ]
    if lines:
        screen.line()
        table(screen, ("churn", ""), lines)


def _sizes(screen: Screen, figures: Figures) -> None:
    total = figures.entries.count
    lines = []
    sizes = sorted(figures.sizes)
    for before, bits in zip([-1, *sizes], sizes, strict=False):
        if 0 <= before < bits - 1:
            lines.append(Line(ELLIPSIS, ("", "")))
        amount = figures.sizes[bits]
        low, high = size_range(bits)
        name = f"{low:,}–{high:,}" if low != high else f"{low:,}"
        numbers = (f"{amount.count:,}", size_words(amount.bytes))
        lines.append(Line(name, numbers, amount.count / total))
    screen.line()
    table(screen, ("bytes of payload", "entries", "bytes"), lines, optional=(1,))


def _biggest(screen: Screen, report: Stats, redaction: Redaction) -> None:
    if not report.biggest:
        return
    screen.line()
    screen.line("biggest entries", style="bold")
    for entry in report.biggest:
        big = entry.big
        place = f"{big.index} (term {big.term}) at {big.segment}:{big.offset}"
        screen.line(f"  {size_words(big.size):>8}  {place}")
        words = _words(entry, redaction, screen.width - 12)
        if words:
            screen.line(f"{'':12}{words}")


def _words(entry: BigEntry, redaction: Redaction, width_max: int) -> str:
    request, problem = entry.request, entry.problem
    return request_words(request, problem, None, redaction, width_max=width_max)


def _limits(screen: Screen, figures: Figures) -> None:
    limits = figures.limits
    screen.line()
    screen.line("etcd's limits", style="bold")
    near = f"{limits.requests_near:,} near, {limits.requests_beyond:,} beyond"
    text = f"requests: {near} {REQUEST_BYTES_DEFAULT:,} bytes, the default of --max-request-bytes"
    paragraph(screen, text, indent=4, first="  ")
    near = f"{limits.records_near:,} near, {limits.records_beyond:,} beyond"
    text = f"records: {near} {RECORD_BYTES_OLD:,} bytes, what etcd 3.4 and 3.5.0–3.5.4 read"
    paragraph(screen, text, indent=4, first="  ")


def _terms(screen: Screen, report: Stats) -> None:
    figures = report.figures
    terms = sorted(figures.terms.items())
    shown = terms[-TERMS_SHOWN_MAX:]
    total = figures.entries.bytes
    lines = [
        Line(
            f"term {term}",
            (
                index_range(each.first, each.last),
                f"{each.entries.count:,}",
                size_words(each.entries.bytes),
            ),
            each.entries.bytes / total if total else None,
        )
        for term, each in shown
    ]
    screen.line()
    table(screen, ("terms", "indexes", "entries", "bytes"), lines, optional=(2, 0))
    if len(terms) > len(shown):
        rest = counted(len(terms) - len(shown), "earlier term")
        paragraph(screen, f"and {rest}: -o json has them", indent=2)
    if len(shown) > 1:
        picture(screen, [(term, each.entries.count) for term, each in shown])


def picture(screen: Screen, terms: list[tuple[int, int]]) -> None:
    """Terms as stretches of one line, as long as they have entries, and long enough to be seen."""
    total = sum(count for _, count in terms)
    room = max(min(screen.width - INDENT, PICTURE_COLUMNS_MAX) - 2 * len(terms), 0)
    pieces = []
    for term, count in terms:
        width = 2 + int(room * count / total)
        label = f"|{term}"
        pieces.append((label if len(label) <= width else "|").ljust(width, "-"))
    screen.line(" " * INDENT + "".join(pieces))


def _timeline(screen: Screen, report: Stats) -> None:
    figures = report.figures
    shown = figures.events[-2 * TERMS_SHOWN_MAX :]
    if not shown:
        return
    screen.line()
    screen.line("timeline", style="bold")
    left = len(figures.events) - len(shown)
    if left:
        paragraph(screen, f"{counted(left, 'earlier step')}: -o json has them", indent=2)
    index = max(len("index"), *(len(str(event.index)) for event in shown))
    offset = max(len("offset"), *(len(str(event.offset)) for event in shown))
    segment = None
    for event in shown:
        if event.segment != segment:
            screen.line(f"  {'index':>{index}}  {'offset':>{offset}}  in {event.segment}")
            segment = event.segment
        first = f"  {event.index:>{index}}  {event.offset:>{offset}}  "
        paragraph(screen, _event_words(event, report), indent=len(first), first=first)
    if figures.events_left:
        rest = counted(figures.events_left, "more step", "more steps")
        paragraph(screen, f"{ELLIPSIS} and {rest}, which are not kept", indent=2)


def _event_words(event: Event, report: Stats) -> str:
    if event.kind == STATE:
        vote = "no vote"
        if event.vote:
            is_own = event.vote == report.node_id
            vote = f"vote for {hex_id(event.vote)}" + (" (itself)" if is_own else "")
        return f"state: term {event.term}, {vote}, commit {event.commit}"
    if event.is_empty:
        return f"a leader of term {event.term} begins with its empty entry"
    return f"first entry of term {event.term}"


def _segments(screen: Screen, report: Stats) -> None:
    is_whole = report.start is report.stop is None
    lines = [
        Line(
            each.name,
            (
                index_range(numbers.first_index, numbers.last_index) if numbers.entries else "",
                f"{numbers.records:,}",
                size_words(numbers.bytes),
                size_words(numbers.padding_bytes),
                size_words(each.size - each.end),
            ),
        )
        for each in report.segments
        for numbers in (each.numbers,)
        if numbers.records or is_whole
    ]
    screen.line()
    heads = ("segments", "indexes", "records", "bytes", "padding", "unused")
    table(screen, heads, lines, optional=(3, 4, 0, 2), name_min=SEGMENT_COLUMNS)


def _key(key: bytes, redaction: Redaction) -> str:
    if redaction.hides(Privacy.KEY):
        return hidden(len(key))
    cut = ELLIPSIS if len(key) >= KEY_BYTES_MAX else ""
    return quoted(key, width_max=KEY_COLUMNS_MAX) + cut


def _at_least(count: int, row: Row[bytes] | Row[int]) -> str:
    return f"{count:,}+" if row.missing_max else f"{count:,}"


def _percent(size: int, total: int) -> str:
    return f"{100 * size / total:.1f}%" if total else ""
