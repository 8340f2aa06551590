"""How a lab stands, on a screen: a table, a live view of it, and its JSON.

A row is one node's member of one group. Where the terminal is narrow, columns go, the least
telling first; a name and a role are always there. A column that nobody has a word for is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from walctl.cluster.standing import LabStanding, NodeStanding, Standing
from walctl.render.screen import Screen
from walctl.render.text import columns, counted, printable

GAP: Final = "  "
WORDS_MAX: Final = 60
_STYLES: Final = {
    "leader": "green",
    "candidate": "yellow",
    "pre-candidate": "yellow",
    "paused": "yellow",
    "crashed": "red",
    "stopped": "dim",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column; of two that do not fit together the one of higher `rank` goes."""

    title: str
    rank: int
    cell: Callable[[NodeStanding, Standing], str]
    is_number: bool = True


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _range(member: Standing) -> str:
    if member.first is None and member.last is None:
        return "-"
    return f"{_count(member.first)}..{_count(member.last)}"


def _log(member: Standing) -> str:
    if member.segments is None:
        return "-"
    return f"{member.segments}, {(member.wal_bytes or 0) >> 20} MiB"


def _sync(member: Standing) -> str:
    return "-" if member.sync_us is None else f"{member.sync_us / 1000:.1f} ms"


COLUMNS: Final = (
    Column("node", 0, lambda node, member: node.name, is_number=False),
    Column("group", 5, lambda node, member: member.group, is_number=False),
    Column("role", 0, lambda node, member: member.role, is_number=False),
    Column("term", 1, lambda node, member: _count(member.term)),
    Column("leader", 4, lambda node, member: member.leader or "none", is_number=False),
    Column("commit", 2, lambda node, member: _count(member.commit)),
    Column("applied", 3, lambda node, member: _count(member.applied)),
    Column("log", 7, lambda node, member: _range(member)),
    Column("lag", 6, lambda node, member: _count(member.lag)),
    Column("segments", 9, lambda node, member: _log(member)),
    Column("fsync", 8, lambda node, member: _sync(member)),
    Column("clients at", 10, lambda node, member: f"127.0.0.1:{node.client_port}"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the view and its style."""

    text: str
    style: str | None = None


def lines(standing: LabStanding, width: int) -> list[Line]:
    """The view, no line wider than `width` where columns can be left out."""
    rows = [(node, member) for node in standing.nodes for member in _members(node)]
    is_one = len({member.group for _, member in rows if member.group}) <= 1
    if not is_one:
        rows.sort(key=lambda row: row[1].group)
    chosen = [each for each in COLUMNS if not (each.title == "group" and is_one)]
    table = _fitting(chosen, rows, width)
    drawn = [Line(_head(standing)), *table]
    drawn += [
        Line(f"{node.name}: {printable(node.words, width_max=WORDS_MAX)}")
        for node in standing.nodes
        if node.words
    ]
    drawn += [Line(f"fault: {printable(words)}", "yellow") for words in standing.faults]
    drawn += [
        Line(printable(each.line), None if each.is_as_foretold else "bold red")
        for each in standing.forecasts
    ]
    return drawn


def text(screen: Screen, standing: LabStanding) -> None:
    """The view, once."""
    for line in lines(standing, screen.width):
        screen.line(line.text, style=line.style)


def document(standing: LabStanding) -> object:
    """The view for JSON."""
    return {"v": 1, **asdict(standing)}


@contextmanager
def live(screen: Screen) -> Iterator[Callable[[LabStanding], None]]:
    """A view that changes in place while the block runs; call what it gives with each new state.

    Without a terminal every change of what matters is a line (or a document, for JSON).
    """
    if screen.is_terminal and screen.output == "text" and not screen.quiet:
        from rich.live import Live
        from rich.text import Text

        console = screen.live_console
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as shown:

            def draw(standing: LabStanding) -> None:
                body = Text(no_wrap=True)
                for line in lines(standing, screen.width):
                    body.append(printable(line.text) + "\n", style=line.style or "")
                body.append("Ctrl-C ends", style="dim")
                shown.update(body, refresh=True)

            yield draw
        return
    before: list[str] = []

    def tell(standing: LabStanding) -> None:
        if screen.output != "text":
            screen.row(document(standing))
            screen.flush()
            return
        now = list(_news(standing))
        for line in now:
            if line not in before:
                screen.line(line)
        if now != before:
            screen.flush()
        before[:] = now

    yield tell


def _news(standing: LabStanding) -> Iterator[str]:
    """What is worth a line when it changes: roles, terms, ends, faults; no counters."""
    for node in standing.nodes:
        for member in _members(node):
            term = "" if member.term is None else f" of term {member.term}"
            group = f" in group {member.group}" if len(node.groups) > 1 else ""
            state = "" if node.words.startswith(member.role) else f"{member.role}{term}{group}"
            yield f"{node.name}: {': '.join(each for each in (state, node.words) if each)}"
    for words in standing.faults:
        yield f"fault: {words}"
    for each in standing.forecasts:
        yield each.line


def _members(node: NodeStanding) -> Sequence[Standing]:
    """A row for each member of a group; one that says why, where there is no answer."""
    if node.groups:
        return node.groups
    if node.state != "running":
        return (Standing(group="", role=node.state),)
    return (Standing(group="", role="in no group" if _is_idle(node) else "no answer"),)


def _is_idle(node: NodeStanding) -> bool:
    """Whether it runs well, and has nothing to tell: there is no group that it is in."""
    return node.state == "running" and not node.groups and not node.words


def _head(standing: LabStanding) -> str:
    where = f"supervisor {standing.pid}" if standing.pid is not None else "down"
    up = sum(node.is_up or _is_idle(node) for node in standing.nodes)
    return (
        f"{standing.name}: engine {standing.engine}, {where},"
        f" {up} of {counted(len(standing.nodes), 'node')} up"
    )


def _fitting(
    chosen: Sequence[Column], rows: Sequence[tuple[NodeStanding, Standing]], width: int
) -> list[Line]:
    """The table, with as many columns as fit."""
    cells = {each.title: [printable(each.cell(*row)) for row in rows] for each in chosen}
    widths = {
        each.title: max([len(each.title), *(columns(cell) for cell in cells[each.title])])
        for each in chosen
    }
    # A column that says nothing of anybody takes the room of one that does.
    left = [each for each in chosen if any(cell != "-" for cell in cells[each.title])]
    while len(left) > 1 and sum(widths[each.title] + len(GAP) for each in left) - len(GAP) > width:
        worst = max(left, key=lambda each: each.rank)
        if worst.rank == 0:
            break
        left.remove(worst)

    def drawn(values: Sequence[str]) -> str:
        padded = [
            " " * (widths[each.title] - columns(value)) + value
            if each.is_number
            else value + " " * (widths[each.title] - columns(value))
            for each, value in zip(left, values, strict=True)
        ]
        return GAP.join(padded).rstrip()

    table = [Line(drawn([each.title for each in left]), "dim")]
    for number, (_, member) in enumerate(rows):
        values = [cells[each.title][number] for each in left]
        table.append(Line(drawn(values), _STYLES.get(member.role)))
    return table
