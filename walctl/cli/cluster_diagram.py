"""`walctl cluster diagram`: a trace as a picture."""

from pathlib import Path

import click

from walctl.cli.cluster_check import is_lab_at
from walctl.cli.options import PATH, form, pass_open_disk, pass_screen, quiet
from walctl.cluster.lab import load
from walctl.cluster.quantities import parse_duration
from walctl.errors import AccessError, UsageError
from walctl.fs.above import lies_within
from walctl.fs.base import FileSystem
from walctl.render import diagram as pictures
from walctl.render import diagram_page, diagram_told
from walctl.render.screen import Screen
from walctl.sim.diagram import lay_out
from walctl.sim.trace_cut import cut
from walctl.sim.trace_file import Trace
from walctl.sim.trace_window import Wish, parse_around, survey

FORMS = {".svg": pictures.svg, ".html": diagram_page.page}


@click.command("diagram", short_help="Draw a trace: nodes, messages, roles, faults and requests.")
@click.argument("trace", type=PATH, metavar="LAB|TRACE")
@click.option(
    "--output",
    "target",
    type=PATH,
    metavar="FILE",
    required=True,
    help="The new file: NAME.svg, or NAME.html to search and filter in.",
)
@click.option(
    "--around",
    metavar="WHAT",
    help="What it is about: violation, I7 (the violation of that), 12.3s, or 'event 812'.",
)
@click.option(
    "--window",
    metavar="TIME",
    help="So long before and after that; 2s, if it is left out.",
)
@click.option("--nodes", metavar="N,…", help="These nodes alone, with the messages between them.")
@click.option("--group", metavar="G", help="This Raft group alone.")
@form("text", "json")
@quiet
@pass_open_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    trace: Path,
    target: Path,
    around: str | None,
    window: str | None,
    nodes: str | None,
    group: str | None,
) -> None:
    """Draw what happened in a run of the simulator (TRACE), or in LAB, as one new file.

    There is a lane for each node, from top to bottom, whose colour is its role; with several groups
    there is one for each member. An arrow is a message, from when it is sent to when it arrives; a
    stub with a cross is one that was lost. Faults are bands for as long as they last, a gap in a
    lane is a node that does not run, ticks at its left are writes and syncs, and at the right are
    the requests of clients. What was violated is red. Time goes by events, not by the clock: what
    is quiet takes little room.

    At most 2,000 messages are drawn. Where there are more, heartbeats are folded into one line;
    where that is not enough, what is nearest to the violation, or else the beginning, is drawn, and
    the picture says so.

    The page needs nothing else, and loads nothing. A line of TRACE that makes no sense is refused
    with its number, and then nothing is drawn.

    \b
    Examples:
      walctl cluster diagram fail-2f.jsonl --output why.svg
      walctl cluster diagram fail-2f.jsonl --output why.html --around violation --window 500ms
      walctl cluster diagram fail-2f.jsonl --output why.svg --around 'event 812' --nodes n1,n2
      walctl cluster diagram demo --output demo.html --around 12.3s
    """
    draw = FORMS.get(target.suffix.lower())
    if draw is None:
        raise UsageError(f"--output: expected NAME.svg or NAME.html, found {str(target)!r}")
    wish = Wish(
        around=None if around is None else parse_around(around),
        window_us=None if window is None else parse_duration(window),
        nodes=() if nodes is None else tuple(nodes.split(",")),
        group=group,
    )
    _demand_new(disk, target, trace)
    found = Trace(disk, events_of(disk, trace))
    made = lay_out(cut(found, wish, survey(found, wish)))
    disk.create(target, draw(made).encode("utf-8"))
    drawn = diagram_told.Drawn(target, made)
    screen.show(drawn, text=diagram_told.text, document=diagram_told.document)


def events_of(disk: FileSystem, path: Path) -> Path:
    """The event file of a lab, or the file itself. Raises: AccessError."""
    return load(disk, path).events_path if is_lab_at(disk, path) else path


def _demand_new(disk: FileSystem, target: Path, trace: Path) -> None:
    """Nothing is written over, and nothing goes into a lab's folder. Raises: AccessError."""
    if disk.exists(target):
        raise AccessError(f"{target}: there is such a file; nothing is ever written over")
    if is_lab_at(disk, trace) and lies_within(disk, target, trace):
        raise UsageError(f"{target}: expected a file outside of {trace}, which is only read")
