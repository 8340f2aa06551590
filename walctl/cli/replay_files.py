"""`walctl replay --to-snapshot` and `--export`: the options, and what they set to work."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import update_wrapper
from pathlib import Path
from typing import TypeVar

import click

from walctl.cli.options import PATH
from walctl.cli.world import stop_requests, writable
from walctl.datadir.survey import Survey
from walctl.errors import AccessError, ExitStatus, StoppedError, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.export import export
from walctl.inspect.state import Wish, replayed
from walctl.render import state_files as render
from walctl.render.screen import Screen
from walctl.render.tables import FORMS, PARQUET, TableFile, demand_form, written_tables
from walctl.repair.state_file import Saved, demand_outside, save

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is to be made of the state; nothing, as a rule."""

    snapshot: Path | None = None
    export: Path | None = None
    form: str | None = None

    @property
    def is_asked(self) -> bool:
        """Whether any file is."""
        return self.snapshot is not None or self.export is not None

    def demand_sense(self, *, is_shown: bool) -> None:
        """Raise UsageError for what does not go together."""
        if self.is_asked and is_shown:
            raise UsageError("--to-snapshot and --export go with neither --keys, --key nor --diff")
        if self.form is not None and self.export is None:
            raise UsageError("--export-as goes with --export")

    def demand_room(self, target: FileSystem, seen: Survey) -> None:
        """Raise what would be in the way of the files, before anything is replayed."""
        if self.export is not None:
            demand_form(self.form or PARQUET)
        for path in filter(None, (self.snapshot, self.export)):
            if target.exists(path):
                raise AccessError(f"{path}: there is such a file; nothing is ever written over")
            demand_outside(target, seen.layout, path)


def files(function: Callable[..., R]) -> Callable[..., R]:
    """The options, as `files: Files`."""

    def wrapped(
        *args: object,
        to_snapshot: Path | None,
        export: Path | None,
        export_as: str | None,
        **kwargs: object,
    ) -> R:
        asked = Files(snapshot=to_snapshot, export=export, form=export_as)
        return function(*args, files=asked, **kwargs)

    update_wrapper(wrapped, function)
    for option in (
        click.option(
            "--to-snapshot",
            type=PATH,
            metavar="FILE",
            help="Write the state to this new file, which `etcdutl snapshot restore` takes, and"
            " print the commands that bring a cluster up from it.",
        ),
        click.option(
            "--export-as",
            type=click.Choice(FORMS),
            help=f"With --export: the form of the tables, {PARQUET} if not said.",
        ),
        click.option(
            "--export",
            type=PATH,
            metavar="DIR",
            help="Write the tables entries, requests and keys into this new directory, for DuckDB,"
            " pandas or Spark; walctl(7) has their columns.",
        ),
    ):
        option(wrapped)
    return wrapped


def made(
    screen: Screen,
    disk: FileSystem,
    target: FileSystem,
    seen: Survey,
    wish: Wish,
    files: Files,
    *,
    hidden: bool,
) -> ExitStatus:
    """Rebuild the state from `disk`, make on `target` what is asked for, and show it."""
    files.demand_room(target, seen)
    with ExitStack() as stack:
        is_stopped = stack.enter_context(stop_requests())
        step = stack.enter_context(screen.progress(f"applying {seen.layout.path}"))
        wish = replace(wish, on_step=_stepper(step, is_stopped))
        tables: list[TableFile] = []
        saved: Saved | None = None
        if files.export is None:
            found = replayed(disk, seen, wish)
        else:
            form = files.form or PARQUET
            with written_tables(writable(target), files.export, form) as (sinks, tables):
                found = export(
                    disk, seen, wish, sinks, is_value_hidden=hidden, is_stopped=is_stopped
                )
        if files.snapshot is not None:
            saved = save(disk, writable(target), found, files.snapshot, is_stopped=is_stopped)
    render.show(screen, found, saved=saved, folder=files.export, tables=tables)
    return found.exit_status


def _stepper(
    step: Callable[[int, int], None], is_stopped: Callable[[], bool]
) -> Callable[[int, int], None]:
    """Tells how far it is, and ends it when somebody asked for that."""

    def stepped(done: int, total: int) -> None:
        if is_stopped():
            raise StoppedError("stopped while the log was applied; nothing was made")
        step(done, total)

    return stepped
