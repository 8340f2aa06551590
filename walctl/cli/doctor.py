"""`walctl doctor`, and bare `walctl PATH`: the one-screen answer."""

from pathlib import Path

import click

from walctl.cli.interrupts import held_interrupts
from walctl.cli.options import (
    jobs,
    one_path,
    output,
    pass_judged_disk,
    pass_screen,
    quiet,
    split_layout,
)
from walctl.fs.base import FileSystem
from walctl.inspect.doctor import doctor
from walctl.inspect.reading import Depth
from walctl.render import doctor as render
from walctl.render.screen import Screen


@click.command("doctor", short_help="Say what a member is, what is damaged, and what now.")
@one_path
@split_layout
@jobs
@output("text", "json", "ndjson")
@quiet
@pass_judged_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    path: Path,
    wal_dir: Path | None,
    snap_dir: Path | None,
    jobs: int,
) -> None:
    """Say on one screen what PATH is: who this member is, whether it is damaged, what is lost,
    what a start of the server would do with it, and what to do now.

    `walctl PATH` is the same. Every check of verify is made; then the log is replayed, where that
    takes a moment, and held against the database. No lock is taken and no byte is changed. The
    exit status is that of verify (0 clean, 3 harmless, 1 damage, 4 not readable), and 1 where the
    database is not what the log makes.

    \b
    Examples:
      walctl doctor default.etcd
      walctl default.etcd
      walctl doctor /var/lib/etcd -o json
    """
    with screen.progress(f"reading {path}") as step:
        depth = Depth(jobs=jobs, on_segment=step, shield=held_interrupts)
        diagnosis = doctor(disk, path, wal_dir=wal_dir, snap_dir=snap_dir, depth=depth)
    screen.show(diagnosis, text=render.screenful, document=render.document)
    if diagnosis.report.error is not None:
        screen.error(diagnosis.report.error)
    ctx.exit(diagnosis.report.exit_status)
