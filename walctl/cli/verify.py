"""`walctl verify`: every check, for one or many paths."""

from math import isnan
from pathlib import Path
from time import monotonic

import click

from walctl.cli.interrupts import held_interrupts
from walctl.cli.options import (
    PATH,
    jobs,
    output,
    pass_judged_disk,
    pass_screen,
    paths,
    quiet,
    split_layout,
)
from walctl.fs.base import FileSystem
from walctl.inspect.checksums import read_checksums
from walctl.inspect.reading import Depth
from walctl.inspect.report import gate as gate_of
from walctl.inspect.report import worst
from walctl.inspect.verify import verify_all
from walctl.render import verify as render
from walctl.render.screen import Screen


@click.command("verify", short_help="Check a member's log, snapshots and database.")
@paths
@split_layout
@click.option(
    "--gate",
    is_flag=True,
    help="For a service manager: exit 0 when the server may be started, else not 0.",
)
@click.option(
    "--gate-strict",
    is_flag=True,
    help="Like --gate, but only a clean member with its database may be started.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="A first look: only the segments from the newest snapshot on, not the rows of the"
    " database. No gate opens for it.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Stop with exit 4 at the first segment that ends after this time, and say how far the"
    " check came; nothing else is said.",
)
@click.option(
    "--manifest",
    type=PATH,
    metavar="FILE",
    help="Compare the files with a list that sha256sum made, its names relative to PATH or to"
    " the list's own directory. All files of the log and of snap have to be listed:"
    " one that differs, is missing or not listed is exit 1.",
)
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
    paths: tuple[Path, ...],
    wal_dir: Path | None,
    snap_dir: Path | None,
    gate: bool,
    gate_strict: bool,
    quick: bool,
    time_limit: float | None,
    manifest: Path | None,
    jobs: int,
) -> None:
    """Check every record that PATH holds, every page that its database uses, and what its parts
    say of each other.

    PATH is a data directory of etcd, its member folder, a folder of segments, one segment, a
    snapshot file or a database. Takes no lock and changes no byte. Exits 0 when clean, 3 when
    every finding is harmless, 1 on damage, 4 when a path could not be read.

    \b
    Examples:
      walctl verify default.etcd
      walctl verify /var/lib/etcd --wal-dir /fast/wal
      walctl verify --gate -q /var/lib/etcd && systemctl start etcd
      walctl verify -o json n1 n2 n3
      walctl verify --manifest SHA256SUMS default.etcd
    """
    if time_limit is not None and isnan(time_limit):
        raise click.BadParameter("not a number of seconds.", param_hint="--time-limit")
    over = None if time_limit is None else monotonic() + time_limit
    checksums = None if manifest is None else read_checksums(disk, manifest, here=Path.cwd())
    reports = []
    for path in paths:
        with screen.progress(f"reading {path}") as step:
            depth = Depth(
                jobs=jobs,
                is_quick=quick,
                is_over=lambda: over is not None and monotonic() >= over,
                on_segment=step,
                shield=held_interrupts,
            )
            reports += verify_all(
                disk, path, wal_dir=wal_dir, snap_dir=snap_dir, depth=depth, checksums=checksums
            )
    answer = gate_of(reports, is_strict=gate_strict) if gate or gate_strict else None
    render.show(screen, reports, answer)
    for report in reports:
        if report.error is not None:
            screen.error(report.error)
    ctx.exit(worst(reports) if answer is None else answer.status)
