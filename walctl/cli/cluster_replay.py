"""`walctl cluster replay`: a simulated run once more, held against its trace."""

from contextlib import ExitStack
from pathlib import Path

import click

from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet
from walctl.cli.world import real_path, writable
from walctl.errors import UsageError
from walctl.fs.base import FileSystem
from walctl.render import simulated as render
from walctl.render.screen import Screen
from walctl.sim.replaying import replay
from walctl.sim.trace_out import TraceOut


@click.command("replay", short_help="Play a simulated run again, from its trace.")
@click.argument("trace", type=PATH, metavar="TRACE")
@click.option(
    "--trace", "target", type=PATH, metavar="OUT", help="Write the trace of the new run here."
)
@output("text", "json", "ndjson")
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    trace: Path,
    target: Path | None,
) -> None:
    """Play the run of TRACE again, in the simulator, and hold every event against it.

    A trace begins with all that its run was made of: the whole scenario, and the protections that
    were missing. So the same walctl does the same again, event by event. Another version may go
    another way; it is played all the same, and the first event that differs is named.

    Exits 0 when every event is the same and nothing was broken, 1 when a promise was broken or an
    event differs, 2 for a file that is no such trace.

    \b
    Examples:
      walctl cluster replay .walctl/fail-2f.jsonl
      walctl cluster replay run.jsonl --trace again.jsonl -o json
    """
    if target is not None and real_path(target) == real_path(trace):
        raise UsageError(f"{target}: expected another file than the one that is played")
    with ExitStack() as stack:
        out = stack.enter_context(TraceOut(writable(disk), target)) if target else None
        found = replay(disk, trace, sink=None if out is None else out.write)
    screen.show(
        found,
        text=lambda shown, each: render.replayed(shown, each, str(trace)),
        document=render.replayed_document,
    )
    ctx.exit(found.exit_status)
