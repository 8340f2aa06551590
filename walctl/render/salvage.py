"""What salvage tells a person: what can be read, what is lost, what was made of it, what now."""

from collections.abc import Iterator
from functools import partial

from formats.k8s import OBJECT_STARTS
from walctl.datadir.layout import Layout
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.inspect.advice import path_word
from walctl.inspect.counting.tally import Row
from walctl.inspect.doctor import SPARE_MEMBERS_MIN
from walctl.inspect.flow import surveyed
from walctl.inspect.log_checks import entry_range
from walctl.inspect.row import OVERWRITTEN
from walctl.inspect.select import Choice
from walctl.payload.auto import OBJECT_ROOT, AutoDecoder
from walctl.payload.base import Privacy, Redaction
from walctl.render.dump_json import JsonLines, encode
from walctl.render.dump_show import FormDraw
from walctl.render.prose import labelled, paragraph
from walctl.render.screen import Output, Screen
from walctl.render.text import counted, hex_id, index_range, quoted
from walctl.repair.coverage import Effect, Missing, Readable
from walctl.repair.foundation import Ground
from walctl.repair.salvage import RECORDS, REPORT, Salvage
from walctl.repair.salvage_document import salvage_document
from walctl.repair.survivor import Survivor

COLUMN = 10
RANGES_MAX = 6
"""Ranges, and missing ones, that a screen names; the report has all."""
PREFIXES_MAX = 4
PREFIX_COLUMNS = 30
BLIND = "without a database nobody knows what was committed: later entries may have been"
CLUSTER_MIN = 2
"""Voters from which on somebody else has, or had, what this member knew."""


def show(screen: Screen, salvage: Salvage, *, redaction: Redaction) -> None:
    """The result in the screen's form."""
    if screen.output == Output.JSON:
        screen.show_json(salvage_document(salvage, redaction))
    else:
        text(screen, salvage, redaction)


def report_bytes(salvage: Salvage, redaction: Redaction) -> bytes:
    """What `report.json` holds."""
    return encode(salvage_document(salvage, redaction)).encode("ascii") + b"\n"


def record_lines(
    disk: FileSystem, layout: Layout, decoder: AutoDecoder, redaction: Redaction, survey: Survey
) -> Iterator[bytes]:
    """Every row of a surveyed log as `dump -o ndjson` prints it, in blocks of whole lines."""
    assert layout.wal_dir is not None, "only a log has records"
    choice = Choice(disk=disk, folder=layout.wal_dir, decoder=decoder, redaction=redaction)
    form = JsonLines(redaction, object_root=OBJECT_ROOT)
    draw = FormDraw(choice, form, has_puts=decoder.strict, special=OBJECT_STARTS)
    for item in surveyed(disk, layout, survey):
        yield draw.item(item)


def text(screen: Screen, salvage: Salvage, redaction: Redaction) -> None:
    """One screen for a person, most important first."""
    found = salvage.coverage
    paragraph(screen, _headline(salvage), indent=2, first="", style="bold")
    screen.line()
    write = partial(labelled, screen, column=COLUMN)
    write("readable", _readable(found.readable))
    if found.prefixes:
        write("keys", _prefix_words(found.prefixes[:PREFIXES_MAX], redaction))
    for number, each in enumerate(found.missing[:RANGES_MAX]):
        write("" if number else "missing", _missing_words(each, redaction))
    more = len(found.missing) - RANGES_MAX
    if more > 0:
        least = "at least " if found.is_cut else ""
        write("", f"and {least}{counted(more, 'more range')}, in {REPORT}")
    if found.doubtful:
        write(
            "doubtful",
            f"{counted(len(found.doubtful), 'record')} that no checksum vouches for: shown in"
            f" {RECORDS}, and not built upon",
        )
    screen.line()
    if salvage.survivor is None:
        write("member", "none can be made that would start: " + "; ".join(salvage.refusals))
        write("next", f"what could be read is in {salvage.target / RECORDS}")
    else:
        _member(screen, salvage, salvage.survivor)


def _headline(salvage: Salvage) -> str:
    entries = counted(salvage.coverage.entries, "entry", "entries")
    name = f"{salvage.path}: {entries} salvaged into {salvage.target}"
    if salvage.lost or salvage.left_out is not None:
        return f"{name}; acknowledged data may be lost, see below"
    if salvage.survivor is None:
        return f"{name}; but there is no member that could be started"
    if not salvage.has_database:
        return f"{name}; nothing is known to be lost, but {BLIND}"
    return f"{name}; nothing that these files tell of is lost"


def _readable(parts: tuple[Readable, ...]) -> str:
    """Runs of indexes that count, then how many were overwritten."""
    live = sorted((p for p in parts if p.status != OVERWRITTEN), key=lambda p: p.first)
    ranges: list[tuple[int, int]] = []
    for part in live:
        if ranges and ranges[-1][1] + 1 >= part.first:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], part.last))
        else:
            ranges.append((part.first, part.last))
    words = ", ".join(index_range(*each) for each in ranges[:RANGES_MAX]) or "no entry"
    if len(ranges) > RANGES_MAX:
        words += f" and {counted(len(ranges) - RANGES_MAX, 'more range')}"
    terms = sorted({part.term for part in live})
    if terms:
        words += f" ({'terms' if len(terms) > 1 else 'term'} {index_range(terms[0], terms[-1])})"
    gone = sum(p.last - p.first + 1 for p in parts if p.status == OVERWRITTEN)
    if gone:
        words += f"; {gone:,} more that a later leader overwrote"
    mended = sum(p.is_mended for p in live)
    if mended:
        words += f"; of {mended:,} the one wrong bit, or the type, was put back"
    return words


def _missing_words(each: Missing, redaction: Redaction) -> str:
    end = "and on" if each.last is None else ""
    words = f"{index_range(each.first, each.last)}{end and ' ' + end}: {each.cause}"
    if each.segment is not None:
        words += f" ({each.segment}:{each.offset})"
    match each.effect:
        case Effect.KEPT:
            words += "; their effect is in the database"
        case Effect.PARTLY:
            words += f"; the database has the effect of those up to {each.kept_to}"
        case _:
            words += "" if each.is_bridged else "; nothing here has their effect"
    if each.near:
        words += f". Beside them stand {_prefix_words(each.near[:PREFIXES_MAX], redaction)}"
    return words


def _prefix_words(rows: tuple[Row[bytes], ...], redaction: Redaction) -> str:
    """`412 writes and 3 deletes below "key/"`."""
    told = []
    for row in rows:
        count = counted(row.writes, "write")
        if row.deletes:
            count += f" and {counted(row.deletes, 'delete')}"
        hidden = redaction.hides(Privacy.KEY)
        name = "a prefix that is hidden" if hidden else quoted(row.name, width_max=PREFIX_COLUMNS)
        told.append(f"{count} below {name}")
    return ", ".join(told)


def _member(screen: Screen, salvage: Salvage, survivor: Survivor) -> None:
    """The member that was made, and what its user has to know before he starts it."""
    write = partial(labelled, screen, column=COLUMN)
    write("member", _ground_words(survivor))
    write("lost", _lost_words(salvage, survivor))
    write(
        "ids",
        f"member {hex_id(survivor.node_id)} of cluster {hex_id(survivor.cluster_id)}, both new:"
        f" it knows nobody of cluster {hex_id(salvage.old_cluster_id)} and nobody there knows it",
    )
    write("ours", "; ".join(_invented_words(survivor)) or "nothing")
    screen.line()
    write("first", _first_words(salvage.cluster_size or 1))
    _command(screen, "next", f"walctl verify {path_word(salvage.target)}")
    _command(screen, "", f"etcd --data-dir {path_word(salvage.target)}")
    write("", "(and the old one's --name, --listen-… and --advertise-… options)")
    write("keep", f"{salvage.path} as it is, until you know that nothing of it is needed")


def _command(screen: Screen, label: str, command: str) -> None:
    """A command is one line however narrow the screen is, so it can be copied."""
    screen.line(f"{label.ljust(COLUMN)}{command}", style="cyan")


def _first_words(voters: int) -> str:
    """What may be better than the member that was made, by the size of the old cluster."""
    if voters >= SPARE_MEMBERS_MIN:
        return (
            f"the old cluster had {voters} voters. Where {voters // 2 + 1} of the {voters - 1}"
            " others are well, replace this one instead (`etcdctl member remove`, `member add`) and"
            " start none of what is here. Start it only where they are gone for good"
        )
    if voters >= CLUSTER_MIN:
        return (
            "the old cluster had 2 voters, and the other one may hold what is lost here: try"
            " `walctl repair --from` its directory. Start what is here only where it is gone for"
            " good"
        )
    return "a snapshot that was saved elsewhere may hold more than this: compare"


def _ground_words(survivor: Survivor) -> str:
    base = survivor.foundation
    count = survivor.last - survivor.first + 1
    entries = f"{counted(count, 'entry', 'entries')} {index_range(survivor.first, survivor.last)}"
    match base.ground:
        case Ground.BEGINNING:
            words = f"from the log's beginning: {entries}; etcd makes the database from them"
        case Ground.SENT:
            words = f"on the database that a leader sent, as of entry {base.index}"
        case _:
            words = f"on the database, as of entry {base.index}"
    if base.ground is not Ground.BEGINNING and count:
        words += f", and behind it {entries}"
    if survivor.uncommitted:
        words += f"; the last {survivor.uncommitted:,} of them nothing called committed"
    if survivor.unproven:
        words += f"; of {survivor.unproven:,} no checksum reaches the bytes"
    return words


def _lost_words(salvage: Salvage, survivor: Survivor) -> str:
    """What is not in the member, most important first."""
    told = []
    for each in salvage.lost[:RANGES_MAX]:
        is_open = each.last is None
        told.append(f"entries from {each.first} on" if is_open else _entries_of(each, survivor))
    if len(salvage.lost) > RANGES_MAX:
        told.append(f"{counted(len(salvage.lost) - RANGES_MAX, 'more range')}")
    words = ", ".join(told)
    if salvage.left_out is not None:
        first, last = salvage.left_out
        ends = survivor.foundation.ends
        words += f"{'; ' if words else ''}what can be read of {first}–{last} is not in it"
        words += f", because {ends}" if ends else ""
        if survivor.foundation.is_at_hole:
            words += " (--skip-holes passes over them)"
    if survivor.foundation.holes:
        words += "; what lost entries did to leases, users and permissions, later ones go without"
    if survivor.leases_behind:
        words += (
            f" ({counted(survivor.leases_behind, 'put')} behind them name a lease, and fail if it"
            " was granted by one)"
        )
    if not words and not salvage.has_database:
        return f"nothing that the log tells of; {BLIND}"
    return words or "nothing that these files tell of"


def _entries_of(each: Missing, survivor: Survivor) -> str:
    """A missing range, without the part that the database has applied."""
    first = max(each.first, survivor.foundation.index + 1)
    return entry_range(first, each.last or first)


def _invented_words(survivor: Survivor) -> Iterator[str]:
    """What nobody wrote before, shortly; the report lists each."""
    emptied = [each for each in survivor.invented if each.kind == "empty"]
    count = sum((each.last or 0) - (each.first or 0) + 1 for each in emptied)
    for each in survivor.invented:
        if each.kind in ("conf-change", "snapshot", "state"):
            where = f"entry {each.first} " if each.kind == "conf-change" else ""
            yield f"{where}{each.words}"
    if count:
        yield f"{counted(count, 'entry', 'entries')} emptied or filled in"
