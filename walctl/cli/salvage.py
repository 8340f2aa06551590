"""`walctl salvage`: everything that can be had from a member without peers, beside it."""

from functools import partial
from pathlib import Path

import click

from walctl.cli.dump_options import redact
from walctl.cli.options import (
    PATH,
    jobs,
    one_path,
    output,
    pass_disk,
    pass_screen,
    quiet,
    split_layout,
)
from walctl.cli.world import real_path, world_of
from walctl.datadir.layout import understand
from walctl.fs.base import FileSystem
from walctl.inspect.reading import Depth, flow_of
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Redaction
from walctl.render import salvage as render
from walctl.render.screen import Screen
from walctl.repair.salvage import salvage


@click.command("salvage", short_help="Rescue what can be read of a member that has no peers.")
@one_path
@click.option(
    "--output-dir",
    type=PATH,
    required=True,
    metavar="DIR",
    help="Where all of it goes: a new or an empty directory, apart from PATH.",
)
@split_layout
@click.option(
    "--skip-holes",
    is_flag=True,
    help="Pass over lost entries within the log: empty ones stand in for them, and those behind"
    " count.",
)
@redact
@jobs
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
    path: Path,
    output_dir: Path,
    wal_dir: Path | None,
    snap_dir: Path | None,
    skip_holes: bool,
    redact: str,
    jobs: int,
) -> None:
    """Rescue what can be read of the member in PATH, also behind damage, into DIR.

    For a member that nobody else can help: where other members are well, let them make a new one;
    where `walctl repair` finds a way, take that. PATH is only read. DIR gets report.json (what is
    there, what is missing, which keys that concerns), records.ndjson (every readable record) and,
    where the files allow it, member/: a member of a new cluster of one, which can be started. It
    has new ids and no vote, and everything in it that nobody wrote before is listed. Exits 0 when
    there is such a member, 4 when there is none.

    \b
    Examples:
      walctl salvage default.etcd --output-dir rescued
      walctl salvage default.etcd --output-dir rescued --skip-holes -o json
    """
    layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
    redaction = Redaction(redact)
    with world_of(screen, disk) as world, screen.progress(f"reading {path}") as step:
        depth = Depth(jobs=jobs, on_segment=step)
        is_etcds = layout.wal_dir is not None and flow_of(disk, layout, depth=depth).is_etcds
        decoder = AutoDecoder(strict=is_etcds)
        result = salvage(
            world,
            layout,
            real_path(output_dir),
            decoder=decoder,
            rows=partial(render.record_lines, disk, layout, decoder, redaction),
            report=partial(render.report_bytes, redaction=redaction),
            skips_holes=skip_holes,
            depth=depth,
        )
    render.show(screen, result, redaction=redaction)
    ctx.exit(result.exit_status)
