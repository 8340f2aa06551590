"""`walctl cluster run`: a scenario played against real processes, or in the simulator."""

import shutil
from pathlib import Path

import click

from walctl.cli.cluster_new import program_of
from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet
from walctl.cli.scenario_help import LANGUAGE
from walctl.cli.sim_options import LIST, without_option
from walctl.cli.world import real_path, writable
from walctl.cluster.lab import Engine
from walctl.cluster.making import NewLab
from walctl.cluster.runtime import temporary_folder
from walctl.cluster.scenario import Scenario
from walctl.cluster.scenario_run import (
    Account,
    engine_of,
    is_simulated,
    left_out,
    play,
    wish_of,
)
from walctl.cluster.shipped import read
from walctl.cluster.steps import Step
from walctl.fs.base import FileSystem
from walctl.render import scenario as render
from walctl.render import simulated
from walctl.render.screen import Screen
from walctl.sim.run import record, run
from walctl.sim.safeguards import SAFEGUARDS
from walctl.sim.trace_out import TraceOut

HELP = f"""\
Play SCENARIO, a file or the name of one that comes with walctl (walctl cluster scenarios lists
them): a lab is made for it, its commands are done one after the other, and all of it is ended
again.

The lab is in a temporary folder, which goes when all was as expected; it stays
with --keep, and wherever something was not.

With engine sim no process is started: the members run under a simulated clock, network and disk,
every promise is checked at every event, and the same scenario is the same run each time. There
alone a protection of Raft can be taken away, to see what it is for (--without), and a trace of
all events be written (--trace).

A scenario has one command a line, or several with `;` between them; the first
is the cluster. `#` begins a comment, and a word in double quotes may hold blanks, `;` and `#`.

\b
  cluster 3 tick=20ms; stabilize
  put k before; kill leader mode=torn
  run until leader within 10s; expect value k=before
  load clients=5 for 2s &; isolate leader; run for 1s; heal
  expect linearizable; expect digests equal; expect verify harmless

{LANGUAGE}

Exits 0 when all that was expected holds, 1 at the first that does not or when a promise was
broken, 2 for a file that makes no sense, 4 when a command could not be done.

\b
Examples:
  walctl cluster run leader-killed
  walctl cluster run split-brain --engine etcd
  walctl cluster run mine.scn --keep
  walctl cluster run split-brain --engine sim --without one-vote-a-term --trace run.jsonl
"""


@click.command("run", help=HELP, short_help="Play a scenario, with real processes or simulated.")
@click.argument("scenario", metavar="SCENARIO")
@click.option(
    "--engine",
    type=click.Choice(["walctl", "etcd", "sim"]),
    help="Whose members play it; as the scenario says, if left out, else walctl.",
)
@click.option("--etcd-bin", type=PATH, metavar="FILE", help="The etcd to run, for engine etcd.")
@click.option("--lab", type=PATH, metavar="DIR", help="Make the lab here, and keep it.")
@click.option("--keep", is_flag=True, help="Keep the lab that was made in a temporary folder.")
@without_option
@click.option("--trace", type=PATH, metavar="FILE", help="Engine sim: write all events here.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    scenario: str,
    engine: str | None,
    etcd_bin: Path | None,
    lab: Path | None,
    keep: bool,
    without: tuple[str, ...],
    trace: Path | None,
) -> None:
    """See `HELP`."""
    if LIST in without:
        text, document = simulated.list_safeguards, simulated.safeguards_document
        screen.show(SAFEGUARDS, text=text, document=document)
        return
    found = read(disk, scenario, real_path(Path(scenario)))
    if is_simulated(found.cluster, engine):
        if keep or lab is not None or etcd_bin is not None:
            raise click.UsageError("--lab, --keep and --etcd-bin are for real processes.")
        ctx.exit(_simulated(screen, disk, found, without, trace))
    if without:
        raise click.UsageError(
            "--without: a protection can be taken away in the simulator alone: --engine sim."
        )
    if trace is not None:
        raise click.UsageError(
            "--trace is for engine sim; what happens in a lab is in its event file (--lab DIR)."
        )
    chosen = engine_of(found.cluster, engine)
    program = program_of(disk, etcd_bin) if chosen is Engine.ETCD else None
    temporary = temporary_folder() if lab is None else None
    path = real_path(lab or temporary or Path()) / ("" if lab else "lab")
    wish = wish_of(found.cluster, path, engine=chosen, program=program)
    account = None
    try:
        account = _played(screen, disk, found, wish)
    finally:
        if account is None:  # the lab did not come up, or Ctrl-C: what it left is of no use
            _forget(temporary)
    kept = str(path) if keep or lab is not None or account.exit_status else None
    if kept is None:
        _forget(temporary)
    if screen.output == "text":
        render.end(screen, account, kept)
    else:
        screen.show_json(render.document(account, kept))
    ctx.exit(account.exit_status)


def _played(screen: Screen, disk: FileSystem, scenario: Scenario, wish: NewLab) -> Account:
    """Play it, and show each command as it is done."""
    is_text = screen.output == "text"
    if is_text:
        render.head(screen, scenario, left_out(scenario.cluster, wish.engine))

    def on_step(step: Step) -> None:
        if is_text:
            render.step_line(screen, step)
            screen.flush()

    return play(writable(disk), scenario, wish, on_step=on_step)


def _simulated(
    screen: Screen,
    disk: FileSystem,
    scenario: Scenario,
    without: tuple[str, ...],
    trace: Path | None,
) -> int:
    """Play it under a simulated clock."""
    is_text = screen.output == "text"
    if is_text:
        render.head(screen, scenario, ())

    def on_step(step: Step) -> None:
        if is_text:
            render.step_line(screen, step)

    if trace is None:
        outcome = run(scenario, without=without, on_step=on_step)
    else:
        with TraceOut(writable(disk), trace) as out:
            outcome, _ = record(scenario, out.write, without=without, on_step=on_step)
    played = render.Played(
        outcome=outcome, without=without, trace=None if trace is None else str(trace)
    )
    screen.show(played, text=render.simulated_end, document=render.simulated_document)
    return outcome.exit_status


def _forget(folder: Path | None) -> None:
    """The temporary folder goes, whatever is in it."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
