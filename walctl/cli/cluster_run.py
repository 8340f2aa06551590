"""`walctl cluster run`: a scenario played against real processes."""

import shutil
from pathlib import Path

import click

from walctl.cli.cluster_new import program_of
from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet
from walctl.cli.scenario_help import LANGUAGE
from walctl.cli.world import real_path, writable
from walctl.cluster.lab import Engine
from walctl.cluster.making import NewLab
from walctl.cluster.runtime import temporary_folder
from walctl.cluster.scenario import Scenario
from walctl.cluster.scenario_run import Account, Step, engine_of, left_out, play, read, wish_of
from walctl.fs.base import FileSystem
from walctl.render import scenario as render
from walctl.render.screen import Screen

HELP = f"""\
Play SCENARIO, a file or the name of one that comes with walctl: a lab is made for it, its
commands are done one after the other, and all of it is ended again.

The lab is in a temporary folder, which goes when all was as expected; it stays
with --keep, and wherever something was not.

Scenarios that come with walctl: leader-killed, pause-leader, rewound-member,
slow-disk, split-brain, torn-tail, wiped-member.

A scenario has one command a line, or several with `;` between them; the first
is the cluster. `#` begins a comment, and a word in double quotes may hold blanks, `;` and `#`.

\b
  cluster 3 tick=20ms; stabilize
  put k before; kill leader mode=torn
  run until leader within 10s; expect value k=before
  load clients=5 for 2s &; isolate leader; run for 1s; heal
  expect linearizable; expect digests equal; expect verify harmless

{LANGUAGE}

Exits 0 when all that was expected holds, 1 at the first that does not, 2 for
a file that makes no sense, 4 when a command could not be done.

\b
Examples:
  walctl cluster run leader-killed
  walctl cluster run split-brain --engine etcd
  walctl cluster run mine.scn --keep
"""


@click.command("run", help=HELP, short_help="Play a scenario against real processes.")
@click.argument("scenario", metavar="SCENARIO")
@click.option(
    "--engine",
    type=click.Choice(["walctl", "etcd"]),
    help="Whose members play it; as the scenario says, if left out, else walctl.",
)
@click.option("--etcd-bin", type=PATH, metavar="FILE", help="The etcd to run, for engine etcd.")
@click.option("--lab", type=PATH, metavar="DIR", help="Make the lab here, and keep it.")
@click.option("--keep", is_flag=True, help="Keep the lab that was made in a temporary folder.")
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
) -> None:
    """See `HELP`."""
    found = read(disk, scenario, real_path(Path(scenario)))
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


def _forget(folder: Path | None) -> None:
    """The temporary folder goes, whatever is in it."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
