"""`walctl dump`: the records of a log, one by one."""

from itertools import islice
from pathlib import Path

import click

from walctl.cli.options import jobs, one_path, output, pass_disk, pass_screen, split_layout
from walctl.datadir.layout import understand
from walctl.errors import UnsupportedError
from walctl.fs.base import FileSystem
from walctl.inspect.positions import bounds_of
from walctl.inspect.reading import Depth, flow_of
from walctl.inspect.select import TYPES, Choice
from walctl.render import dump as render
from walctl.render.screen import Screen


@click.command("dump", short_help="Print the records of a log.")
@one_path
@split_layout
@click.option(
    "-s",
    "--start",
    metavar="POSITION",
    help="First record: an index, `snap` (the snapshot that etcd would take), or SEGMENT:OFFSET.",
)
@click.option(
    "-e", "--end", metavar="POSITION", help="Last record: as --start; the record is included."
)
@click.option("-n", "--limit", type=click.IntRange(0), metavar="N", help="At most N rows.")
@click.option(
    "-r",
    "--type",
    "types",
    type=click.Choice(TYPES),
    multiple=True,
    help="Only records of this type; may be given several times.",
)
@jobs
@output("text", "ndjson", "json")
@pass_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    path: Path,
    wal_dir: Path | None,
    snap_dir: Path | None,
    start: str | None,
    end: str | None,
    limit: int | None,
    types: tuple[str, ...],
    jobs: int,
) -> None:
    """Print the records of the log in PATH, in the order of the file, damage in its place.

    Each record comes with its offset, its stored checksum and what is known of it (verified,
    implied, unverifiable, failed); each entry with its status: committed, uncommitted, or
    overwritten by a later leader. What a record that is no entry stands at is the index of the
    entry before it. Exits 0 also when there is damage: to judge is the business of verify.

    \b
    Examples:
      walctl dump default.etcd -s snap
      walctl dump default.etcd -s 231 -e 240 -r entry
      walctl dump default.etcd -s 0000000000000000-0000000000000000.wal:130536 -n 3
      walctl dump default.etcd -o ndjson | jq 'select(.type == "state")'
    """
    layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
    if layout.wal_dir is None:
        raise UnsupportedError(f"{path}: {layout.shape}, which holds no log")
    with screen.progress(f"reading {path}") as step:
        flow = flow_of(disk, layout, depth=Depth(jobs=jobs, on_segment=step))
        bounds = bounds_of(flow, start, end)
        choice = Choice(disk=disk, folder=layout.wal_dir, bounds=bounds, types=frozenset(types))
        rows = islice((row for item in flow.items() for row in choice.rows(item)), limit)
        if not render.show(screen, rows):
            render.nothing(screen, flow.survey.log)
