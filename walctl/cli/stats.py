"""`walctl stats`: what a log holds, in figures."""

import os
from pathlib import Path

import click

from walctl.cli.options import jobs, output, pass_open_disk, pass_screen, paths, split_layout
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.inspect.counting.fold import Wish
from walctl.inspect.counting.prefix import PrefixRule
from walctl.inspect.reading import Depth
from walctl.inspect.stats import Stats, stats
from walctl.payload.base import Redaction
from walctl.payload.registry import AUTO, decoder
from walctl.render import stats as render
from walctl.render.screen import Screen

DEPTH_MAX = 100
TOP_MAX = 1000
SEPARATOR_BYTES_MAX = 64


def _separator(_ctx: click.Context, _param: click.Parameter, value: str) -> bytes:
    """The bytes of a separator, as the keys have them."""
    separator = os.fsencode(value)
    if not 0 < len(separator) <= SEPARATOR_BYTES_MAX:
        raise click.BadParameter("it must have some bytes, and not too many.")
    return separator


@click.command("stats", short_help="Count what a log holds: requests, key prefixes, sizes, terms.")
@paths
@split_layout
@click.option(
    "-s",
    "--start",
    metavar="POSITION",
    help="Count from here on, as `walctl dump -s` takes it; else from the beginning.",
)
@click.option(
    "-e", "--end", metavar="POSITION", help="Count up to here, this record included; else all."
)
@click.option(
    "--prefix-separator",
    "separator",
    metavar="TEXT",
    default="/",
    show_default=True,
    callback=_separator,
    help="What parts the components of a key.",
)
@click.option(
    "--depth",
    type=click.IntRange(1, DEPTH_MAX),
    default=2,
    show_default=True,
    metavar="N",
    help="Components of a key's prefix: 2 counts /registry/pods/default/web under /registry/pods/.",
)
@click.option(
    "--top",
    type=click.IntRange(1, TOP_MAX),
    default=10,
    show_default=True,
    metavar="N",
    help="Rows of each list: prefixes, keys, leases, biggest entries.",
)
@click.option(
    "--redact",
    type=click.Choice([each.value for each in Redaction]),
    default=Redaction.AUTH.value,
    show_default=True,
    help="What is hidden: secrets, also values, also keys and their prefixes, also names; or none.",
)
@jobs
@output("text", "json", "ndjson")
@pass_open_disk
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
    start: str | None,
    end: str | None,
    separator: bytes,
    depth: int,
    top: int,
    redact: str,
    jobs: int,
) -> None:
    """Count what the log in PATH holds, and show what there is most of.

    Shows counts and bytes by type of record and of request, the biggest key prefixes, the most
    written keys, leases, a histogram of sizes, the biggest entries and those near etcd's limits,
    terms and who was voted for, and the segments.

    A key without a separator is counted under its beginning: up to the first of `: . _ - |`, or up
    to the first digit. Every entry that reads is counted, also those that a later leader has
    overwritten; how many those are is told. Of a transaction the puts of both branches count, as
    the log does not say which one was taken. Bytes of prefixes and keys are those of keys and
    values. Where there are too many keys to keep, the lists say that they are approximate.

    Damage is passed over and counted, and does not change the exit status: to judge is the
    business of verify. Exits 4 when a path could not be read.

    \b
    Examples:
      walctl stats default.etcd
      walctl stats default.etcd --depth 3 --top 20
      walctl stats default.etcd -s last-10000
      walctl stats -o json n1 n2 | jq '.reports[].prefixes.top[0]'
    """
    wish = Wish(decoder=decoder(AUTO), rule=PrefixRule(separator=separator, depth=depth), top=top)
    reports: list[Stats] = []
    for path in paths:
        with screen.progress(f"reading {path}") as step:
            reports += stats(
                disk,
                path,
                wish=wish,
                start=start,
                stop=end,
                wal_dir=wal_dir,
                snap_dir=snap_dir,
                depth=Depth(jobs=jobs, on_segment=step),
            )
    render.show(screen, reports, Redaction(redact))
    for report in reports:
        if report.error is not None:
            screen.error(report.error)
    ctx.exit(_worst({report.error_status for report in reports if report.error is not None}))


def _worst(found: set[ExitStatus]) -> ExitStatus:
    """The exit status for several paths: a wrong command line is never passed over."""
    order = (ExitStatus.USAGE, ExitStatus.UNFINISHED, ExitStatus.DAMAGE)
    return next((status for status in order if status in found), ExitStatus.CLEAN)
