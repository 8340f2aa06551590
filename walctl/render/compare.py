"""How members look side by side: a table, what they agree on, and what may be done with each; and
the same facts as JSON. The picture is drawn in `compare_picture`."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from walctl.inspect.agreement import Range
from walctl.inspect.compare import Compared
from walctl.inspect.comparing.given import Given
from walctl.inspect.comparing.judging import Judgement
from walctl.inspect.comparing.timeline import Term
from walctl.inspect.report import Report
from walctl.machine.mvcc import NEVER
from walctl.model.finding import Severity, Verdict
from walctl.render.prose import labelled, paragraph
from walctl.render.screen import Screen
from walctl.render.text import columns, counted, hex_id, index_range, printable

COLUMN = 13
HEADS = ("", "first", "last", "commit", "term", "db", "log", "verdict")
WORDS_MIN = 22
"""Columns that the last column of the table needs; with fewer a member is a block."""
RANGES_MAX = 4
TERMS_MAX = 4
FINDINGS_MAX = 12
_HEADINGS = {
    Severity.DAMAGE: ("DAMAGED", "bold red"),
    Severity.HARMLESS: ("HARMLESS", "yellow"),
    Severity.INFO: ("note", "dim"),
}
_STYLES = {Verdict.DAMAGED: "bold red", Verdict.HARMLESS: "yellow", Verdict.CLEAN: "green"}


def screenful(screen: Screen, found: Compared) -> None:
    """The whole answer as text; nothing when no directory could be read."""
    if not any(given.survey is not None for given in found.given):
        return
    paragraph(screen, headline(found), indent=2, first="", style="bold")
    _members(screen, found)
    _findings(screen, found)
    screen.line()
    for label, text in facts(found):
        labelled(screen, label, text, column=COLUMN)
    _next(screen, found)
    _verdict(screen, found)


def headline(found: Compared) -> str:
    """Which cluster, and how many of its voters were given."""
    parts = [
        "no cluster id in the logs"
        if found.cluster_id is None
        else f"cluster {hex_id(found.cluster_id)}"
    ]
    quorum = found.quorum
    if quorum.voters:
        total = counted(len(quorum.voters), "voter")
        parts.append(f"{len(quorum.present)} of {total} ({printable(quorum.source)})")
    else:
        parts.append("nobody says who votes")
    return ", ".join(parts)


def _members(screen: Screen, found: Compared) -> None:
    """A row for each directory; on a narrow screen a block."""
    rows = [
        cells(given, judgement)
        for given, judgement in zip(found.given, found.judgements, strict=True)
    ]
    table = [HEADS, *rows]
    widths = [max(columns(row[at]) for row in table) for at in range(len(HEADS) - 1)]
    indent = sum(widths) + 2 * len(HEADS)
    if indent + WORDS_MIN <= screen.width:
        for *values, words in table:
            line = "  ".join(
                _padded(text, width) for text, width in zip(values, widths, strict=True)
            )
            paragraph(screen, words or "-", indent=indent, first=f"  {line}  ")
        return
    for name, *values, words in rows:
        screen.line(name, style="bold")
        told = (f"{head} {value}" for head, value in zip(HEADS[1:], values, strict=False) if value)
        paragraph(screen, ", ".join(told), indent=2)
        paragraph(screen, words, indent=2)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def cells(given: Given, judgement: Judgement) -> tuple[str, ...]:
    """What the table says of one directory."""
    name = printable(given.name)
    if given.survey is None:
        return (name, *[""] * (len(HEADS) - 2), judgement.words)
    seen = given.survey
    last = seen.last_state
    term = "" if last is None else str(last.state.term)
    applied = "" if seen.applied is None else str(seen.applied)
    first = "" if seen.log.first is None else str(seen.log.first)
    commit = "" if last is None else str(last.state.commit)
    return name, first, str(given.last or ""), commit, term, applied, _log(given), judgement.words


def _log(given: Given) -> str:
    """What verify says of it, in a word."""
    return given.damage or str(given.report.verdict)


def _findings(screen: Screen, found: Compared) -> None:
    for each in found.findings[:FINDINGS_MAX]:
        heading, style = _HEADINGS[each.finding.severity]
        place = each.finding.place
        at = f" at {place.index}" if place.index is not None else ""
        screen.line()
        names = ", ".join(printable(name) for name in each.names)
        first = f"{heading:<9}{each.finding.code}{at} ({names})"
        paragraph(screen, first, indent=9, first="", style=style)
        paragraph(screen, each.finding.detail, indent=9)
    left = len(found.findings) - FINDINGS_MAX
    if left > 0:
        screen.line(f"{left:,} more are in the output of -o json")


def facts(found: Compared) -> Iterator[tuple[str, str]]:
    """What they agree on, what a majority holds, which copy is the good one; a line each."""
    for words, kind in (("agree on", "equal"), ("differ on", "differs"), ("one has", "one")):
        yield words, _where(found, kind)
    quorum = found.quorum
    if found.stopped_at is not None:
        yield "stopped", f"at {found.stopped_at}: the logs change too often to be followed further"
    yield "majority", _majority(found)
    if quorum.committed_to:
        by = found.members[quorum.committed_by or 0].name
        yield "committed", f"up to {quorum.committed_to}, by {printable(by)}{_beyond(found)}"
        lost = _ranges(quorum.lost)
        missing = f"{lost}: no given member has it" if lost else "nothing that was committed"
        yield "missing", missing
    newest = found.newest_safe
    yield "newest safe", "none" if newest is None else _newest(newest)
    yield "keys", _keys(found)
    yield "terms", _terms(found)
    yield from _wiping(found)


def _where(found: Compared, kind: str) -> str:
    """The indexes at which the logs stand so, and who has them."""
    told = []
    several = [each for each in found.sections if each.kind == kind]

    def who(position: int) -> tuple[int, ...]:
        return tuple(several[position].holders)

    for holders, group in groupby(range(len(several)), key=who):
        spans = [Range(first=several[at].first, last=several[at].last) for at in group]
        names = _names(found, holders)
        told.append(f"{_ranges(_joined(spans))} ({names})")
    return _shortened(told)


def _names(found: Compared, positions: Sequence[int]) -> str:
    if len(positions) == len(found.members) > 1:
        return "both" if len(positions) == 2 else f"all {len(positions)}"
    return ", ".join(printable(found.members[at].name) for at in positions)


def _joined(spans: Sequence[Range]) -> list[Range]:
    joined: list[Range] = []
    for span in spans:
        if joined and joined[-1].last + 1 == span.first:
            joined[-1] = Range(first=joined[-1].first, last=span.last)
        else:
            joined.append(span)
    return joined


def _ranges(spans: Sequence[Range]) -> str:
    return _shortened([index_range(span.first, span.last) for span in spans])


def _shortened(told: Sequence[str]) -> str:
    more = f", and {len(told) - RANGES_MAX} more" if len(told) > RANGES_MAX else ""
    return ", ".join(told[:RANGES_MAX]) + more


def _majority(found: Compared) -> str:
    quorum = found.quorum
    if not quorum.voters:
        return "not known: nobody says who votes"
    is_one = len(quorum.voters) == 1
    who = (
        "the one voter holds" if is_one else f"{quorum.needed} of {len(quorum.voters)} voters hold"
    )
    words = f"{who} {_ranges(quorum.held) or 'no entry'}"
    if quorum.absent:
        ids = ", ".join(hex_id(each) for each in quorum.absent)
        many = len(quorum.absent) > 1
        words += f"; of {ids} {'no logs were' if many else 'no log was'} given"
    return words


def _beyond(found: Compared) -> str:
    """What is behind the commit: perhaps committed, or merely written."""
    quorum = found.quorum
    words = ""
    if quorum.possible_to > quorum.committed_to:
        span = index_range(quorum.committed_to + 1, quorum.possible_to)
        words += f"; {span} may be committed too: so many may have it"
    if quorum.written_to > quorum.possible_to:
        span = index_range(quorum.possible_to + 1, quorum.written_to)
        words += f"; {span} merely written"
    return words


def _newest(given: Given) -> str:
    term = given.seen.log.live[-1].term if given.seen.log.live else None
    last = f", last term {term}" if term is not None else ""
    return f"{printable(given.name)} (log to {given.last}{last})"


def _keys(found: Compared) -> str:
    """The hashes of the key spaces."""
    spaces = found.spaces
    words = []
    if spaces.revision is not None:
        by_hash: dict[int, list[int]] = {}
        for at, each in enumerate(spaces.found):
            if each.hash is not None:
                by_hash.setdefault(each.hash, []).append(at)
        told = [f"{value} ({_names(found, who)})" for value, who in by_hash.items()]
        compacted = "" if spaces.compacted == NEVER else f", compacted at {spaces.compacted}"
        same = "differ: " if len(told) > 1 else ""
        words.append(f"HashKV at revision {spaces.revision}{compacted}: {same}{', '.join(told)}")
    problems = [
        f"{printable(given.name)}: {each.problem}"
        for given, each in zip(found.members, spaces.found, strict=True)
        if each.problem and given.seen.layout.is_member
    ]
    return "; ".join([*words, *problems])


def _terms(found: Compared) -> str:
    """The newest terms: their entries, and who was elected."""
    told = [_term(found, each) for each in reversed(found.terms[-TERMS_MAX:])]
    left = len(found.terms) - TERMS_MAX
    return "; ".join(told) + (f"; {left} older" if left > 0 else "")


def _term(found: Compared, row: Term) -> str:
    several = "entry" if row.first == row.last else "entries"
    entries = "no entry" if row.first is None else f"{several} {index_range(row.first, row.last)}"
    votes: dict[int, list[int]] = {}
    for at, ballot in row.ballots.items():
        for vote in ballot.votes:
            votes.setdefault(vote, []).append(at)
    told = [
        f"{_node(found, vote)} by {_names(found, who) if len(who) > 1 else _one(found, who[0])}"
        for vote, who in votes.items()
    ]
    return f"{row.term}: {entries}" + (f", votes for {', '.join(told)}" if told else "")


def _one(found: Compared, at: int) -> str:
    return printable(found.members[at].name)


def _node(found: Compared, node: int) -> str:
    """A member by the name of its directory, where that was given."""
    names = [given.name for given in found.members if given.node_id == node]
    return printable(names[0]) if names else hex_id(node)


def _wiping(found: Compared) -> Iterator[tuple[str, str]]:
    """Who may be replaced, and who must not, with the reason."""
    pairs = list(zip(found.given, found.judgements, strict=True))
    may = [printable(given.name) for given, said in pairs if said.may_be_replaced]
    one = " (one of them, not two)" if len(may) > 1 else ""
    yield (
        "may be wiped",
        f"{', '.join(may)}{one}: member remove first, then member add under a new id, with an"
        " empty directory"
        if may
        else "nobody",
    )
    reasons: dict[str, list[str]] = {}
    for given, said in pairs:
        if not said.may_be_replaced and said.why:
            reasons.setdefault(said.why, []).append(printable(given.name))
    for number, (why, names) in enumerate(reasons.items()):
        yield "must not" if not number else "", f"{', '.join(names)}: {why}"


def _next(screen: Screen, found: Compared) -> None:
    commands = [each.next for each in found.judgements if each.next]
    commands += [
        each.finding.next
        for each in found.findings
        if each.finding.next and each.finding.severity is not Severity.INFO
    ]
    for number, command in enumerate(list(dict.fromkeys(commands))[:RANGES_MAX]):
        if not number:
            screen.line("next")
        # A command is one line however narrow the screen is, so that it can be copied.
        screen.line(f"  {command}", style="cyan")


def _verdict(screen: Screen, found: Compared) -> None:
    words = verdict_words(found)
    status = f"exit {int(found.exit_status)}"
    gap = screen.width - COLUMN - len(words) - len(status)
    if gap < 1:
        labelled(screen, "verdict", f"{words}, {status}", column=COLUMN)
        return
    line = f"{'verdict'.ljust(COLUMN)}{words}{' ' * gap}{status}"
    screen.line(line, style=_STYLES[found.verdict])


def verdict_words(found: Compared) -> str:
    """The whole in a few words."""
    if len(found.members) < 2:
        return "nothing to compare: fewer than two members of one cluster"
    if any(not each.is_allowed for each in found.divergences):
        return "the logs contradict each other: do not start any of them"
    if found.spaces.differ:
        return "the key spaces differ: do not start any of them"
    damaged = [given.name for given in found.members if given.is_damaged]
    if damaged:
        return f"damaged: {', '.join(printable(each) for each in damaged)}"
    if found.verdict is Verdict.DAMAGED:
        return "not as one cluster has it: see above"
    if found.divergences:
        return "they differ only where a leader brings them into line"
    return "no two of them contradict each other"


def document(found: Compared) -> dict[str, object]:
    """The same for JSON; ids are hex strings, `walctl-compare(1)` says what the keys mean."""
    from walctl.render.compare_document import document as built

    return built(found)


def errors(reports: Sequence[Report]) -> list[str]:
    """Why directories could not be read."""
    return [report.error for report in reports if report.error is not None]
