"""`walctl replay --to-snapshot` and `--export`: the options, and what they set to work."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import update_wrapper
from pathlib import Path
from typing import TypeVar

import click

from walctl.cli.options import PATH
from walctl.cli.world import stop_requests, writable
from walctl.datadir.survey import Survey
from walctl.errors import ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.state import Wish, replayed
from walctl.render import state_files as render
from walctl.render.screen import Screen
from walctl.repair.state_file import save

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is to be made of the state; nothing, as a rule."""

    snapshot: Path | None = None

    @property
    def is_asked(self) -> bool:
        """Whether any file is."""
        return self.snapshot is not None

    def demand_sense(self, *, is_shown: bool) -> None:
        """Raise UsageError where something is to be shown as well."""
        if self.is_asked and is_shown:
            raise UsageError("--to-snapshot and --export go with neither --keys, --key nor --diff")


def files(function: Callable[..., R]) -> Callable[..., R]:
    """The options, as `files: Files`."""

    def wrapped(*args: object, to_snapshot: Path | None, **kwargs: object) -> R:
        return function(*args, files=Files(snapshot=to_snapshot), **kwargs)

    return click.option(
        "--to-snapshot",
        type=PATH,
        metavar="FILE",
        help="Write the state to this new file, which `etcdutl snapshot restore` takes, and print"
        " the commands that bring a cluster up from it.",
    )(update_wrapper(wrapped, function))


def made(
    screen: Screen, disk: FileSystem, target: FileSystem, seen: Survey, wish: Wish, files: Files
) -> ExitStatus:
    """Rebuild the state from `disk`, make on `target` what is asked for, and show it."""
    assert files.snapshot is not None, "asked before"
    with screen.progress(f"applying {seen.layout.path}") as step:
        found = replayed(disk, seen, replace(wish, on_step=step))
    with stop_requests() as is_stopped:
        saved = save(disk, writable(target), found, files.snapshot, is_stopped=is_stopped)
    render.show(screen, found, saved=saved)
    return found.exit_status
