"""`walctl bundle`: the evidence of a member in one file, before it is wiped."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from walctl.cli.options import (
    PATH,
    form,
    one_path,
    pass_disk,
    pass_screen,
    quiet,
    split_layout,
)
from walctl.cli.world import world_of
from walctl.datadir.layout import understand
from walctl.errors import AccessError, ExitStatus
from walctl.fs.base import FileSystem
from walctl.fs.packed import PackedFileSystem
from walctl.inspect.doctor import doctor
from walctl.payload.base import Redaction
from walctl.render import bundle as render
from walctl.render import doctor as render_doctor
from walctl.render import verify as render_verify
from walctl.render.screen import Screen
from walctl.repair.bundle import BUNDLE_SUFFIX, Wish, bundle, root_of
from walctl.repair.minimise import minimised
from walctl.version import VERSION

REDACTIONS = tuple(each.value for each in Redaction if each is not Redaction.AUTH)


@click.command("bundle", short_help="Put the evidence of a member into one file to hand on.")
@one_path
@split_layout
@click.option(
    "--output",
    type=PATH,
    metavar="FILE",
    help="The new file, called .tar.zst; in the current directory if not said.",
)
@click.option(
    "--redact",
    type=click.Choice(REDACTIONS),
    default=Redaction.KEYS.value,
    show_default=True,
    help="What is hidden: values; keys too; names and addresses too; or nothing. Passwords and"
    " tokens are hidden with each of the first three.",
)
@click.option(
    "--minimise",
    is_flag=True,
    help="Take away what is not needed to show the same findings: files, segments, records.",
)
@form("text", "json", "ndjson")
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
    wal_dir: Path | None,
    snap_dir: Path | None,
    output: Path | None,
    redact: str,
    minimise: bool,
) -> None:
    """Put segments, snapshots and database of PATH into one file, with what verify and doctor say.

    Do it before a member is wiped: what is gone cannot be looked into. What is hidden is replaced
    by letters of the same length, and the checksums are made anew so that whatever was wrong is
    wrong at the same byte: verify says of the bundle what it says of the member, and that is
    checked before the file gets its name. Every command that reads takes a bundle as PATH.

    \b
    Examples:
      walctl bundle default.etcd
      walctl bundle /var/lib/etcd --redact all --output /tmp/evidence.tar.zst
      walctl bundle damaged.etcd --minimise
      walctl doctor default.etcd-bundle.tar.zst
    """
    reader = PackedFileSystem(disk)
    layout = understand(reader, path, wal_dir=wal_dir, snap_dir=snap_dir)
    root = root_of(layout)
    target = output if output is not None else Path(root + BUNDLE_SUFFIX)
    diagnosis = doctor(reader, path, wal_dir=wal_dir, snap_dir=snap_dir)
    if diagnosis.report.error is not None:
        raise AccessError(diagnosis.report.error)
    redaction = Redaction(redact)
    documents = {"verify.json": render_verify.document([diagnosis.report], None)}
    if redaction is not Redaction.ALL:  # it names members and their addresses
        documents["doctor.json"] = render_doctor.document(diagnosis)
    steps: tuple[str, ...] = ()
    if minimise:
        with screen.progress(f"minimising {path}"):
            least = minimised(reader, layout)
        layout, reader, steps = least.layout, PackedFileSystem(least.disk), least.steps
    wish = Wish(
        redaction=redaction,
        documents={
            name: json.dumps(each, indent=1).encode("ascii") + b"\n"
            for name, each in documents.items()
        },
        about={
            "walctl": VERSION,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "taken_away": list(steps),
        },
    )
    with world_of(screen, disk) as world:
        made = bundle(
            world.disk,
            layout,
            target,
            wish,
            reader=reader,
            is_stopped=world.is_stopped,
            say=world.say,
        )
    made = replace(made, steps=steps)
    screen.show(made, text=render.lines, document=render.document)
    ctx.exit(ExitStatus.UNFINISHED if made.differences else ExitStatus.CLEAN)
