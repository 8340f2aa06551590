"""`walctl clean`: the backups that repairs have left, and what a server's purge would take."""

from collections.abc import Sequence
from pathlib import Path

import click

from walctl.cli.carry_out import maybe_real
from walctl.cli.options import one_path, output, pass_disk, pass_screen, quiet, split_layout
from walctl.cli.world import real_path, world_of
from walctl.datadir.layout import understand
from walctl.errors import ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.advice import path_word, quoted_word
from walctl.inspect.purge import purge_preview as preview
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.render import clean as render
from walctl.render.screen import Screen
from walctl.repair.cleaning import Backup, backups, demand_member, remove_backups
from walctl.wal.purge import KEPT


@click.command("clean", short_help="List the backups of repairs, and take old ones away.")
@one_path
@split_layout
@click.option(
    "--remove",
    "names",
    metavar="NAME",
    multiple=True,
    help="Choose the backup of this name (repeatable).",
)
@click.option("--remove-all", is_flag=True, help="Choose every backup.")
@click.option("--yes", "is_meant", is_flag=True, help="Take away for good what was chosen.")
@click.option(
    "--purge-preview",
    is_flag=True,
    help="Say which files a running etcd would remove by itself.",
)
@click.option(
    "--max-wals",
    type=click.IntRange(min=1),
    metavar="N",
    default=KEPT,
    show_default=True,
    help="With --purge-preview: the segments that etcd is told to keep.",
)
@click.option(
    "--max-snapshots",
    type=click.IntRange(min=1),
    metavar="N",
    default=KEPT,
    show_default=True,
    help="With --purge-preview: the snapshots that etcd is told to keep.",
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
    path: Path,
    wal_dir: Path | None,
    snap_dir: Path | None,
    names: tuple[str, ...],
    remove_all: bool,
    is_meant: bool,
    purge_preview: bool,
    max_wals: int,
    max_snapshots: int,
) -> None:
    """List the backups that repairs of the member at PATH have left beside it, oldest first.

    One that was put elsewhere (--backup-to) is not listed; walctl undo takes it all the same.

    A backup is never taken away by itself. Choose with --remove or --remove-all, look at what is
    marked, and say --yes: a repair whose backup is gone cannot be taken back. Files of the member
    itself are never touched. With --purge-preview it says instead what etcd would remove.

    \b
    Examples:
      walctl clean default.etcd
      walctl clean default.etcd --remove 20261123T172458Z-repair --yes
      walctl clean default.etcd --purge-preview --max-wals 3
    """
    is_choice = bool(names) or remove_all
    if purge_preview:
        if is_choice or is_meant:
            raise click.UsageError("--purge-preview removes nothing.", ctx)
        layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
        survey = survey_of(disk, layout, depth=ONE_PROCESS)
        purge = preview(survey, max_wals=max_wals, max_snapshots=max_snapshots)
        render.show_purge(screen, path, purge)
        ctx.exit(ExitStatus.CLEAN)
    if is_meant and not is_choice:
        raise click.UsageError("--yes goes with --remove or --remove-all.", ctx)
    directory = real_path(path)
    parts = {"wal_dir": maybe_real(wal_dir), "snap_dir": maybe_real(snap_dir)}
    demand_member(disk, directory, **parts)
    found = backups(disk, directory)
    chosen = _chosen(found, path, names, remove_all=remove_all)
    freed = None
    if is_meant:
        with world_of(screen, disk) as world:
            freed = remove_backups(world, directory, chosen)
    words = ["walctl clean", path_word(path)]
    words += ["--remove-all"] if remove_all else [f"--remove {quoted_word(name)}" for name in names]
    cleaning = render.Cleaning(
        path=path,
        found=found,
        chosen=chosen,
        freed_bytes=freed,
        command=" ".join([*words, "--yes"]),
    )
    render.show(screen, cleaning)
    ctx.exit(ExitStatus.CLEAN)


def _chosen(
    found: Sequence[Backup], path: Path, names: tuple[str, ...], *, remove_all: bool
) -> tuple[str, ...]:
    """The names that were chosen, each once. Raises: UsageError, for one that is none."""
    known = [backup.name for backup in found]
    for name in names:
        if name not in known:
            raise UsageError(f"{path}: expected the name of a backup that it has, found {name!r}")
    return tuple(known) if remove_all else tuple(dict.fromkeys(names))
