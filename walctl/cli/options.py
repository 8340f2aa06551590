"""Arguments, options and types that commands share, and what commands are handed: disk and screen.

A command stacks them as decorators:

    @click.command("verify", short_help="…")
    @paths
    @output("text", "json", "ndjson")
    @quiet
    @pass_disk
    @pass_screen
    @click.pass_context
    def command(ctx, screen, disk, paths): ...

`output` and `quiet` reach the command as properties of its screen, not as arguments.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TextIO, TypeVar

import click
from click.shell_completion import CompletionItem

from walctl.fs.base import FileSystem
from walctl.fs.packed import PackedFileSystem
from walctl.render.screen import WIDTH_PIPED, Output, Screen

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    ParamType = click.ParamType[Path]
else:
    ParamType = click.ParamType  # generic only since click 8.4; any 8.x will do at run time

JOBS_MAX = 256
OUTPUT_KEY = "walctl.output"
QUIET_KEY = "walctl.quiet"


class PathType(ParamType):
    """A path as a name: whether it exists is for the command's engine to say, by its findings."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; the empty word, which Python takes for `.`, and NUL bytes are refused."""
        text = os.fspath(value)
        if not text:
            self.fail("a path may not be empty.", param, ctx)
        if "\0" in text:
            self.fail("a path may not hold a NUL byte.", param, ctx)
        return Path(text)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete file names."""
        return [CompletionItem(incomplete, type="file")]


PATH = PathType()


def paths(function: F) -> F:
    """`PATH…`: one or more, as `paths: tuple[Path, ...]`."""
    return click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")(function)


def paths_or_none(function: F) -> F:
    """`PATH…`: as `paths`, where an option asks for something that needs none."""
    return click.argument("paths", nargs=-1, type=PATH, metavar="PATH...")(function)


def one_path(function: F) -> F:
    """`PATH`: exactly one, as `path: Path`."""
    return click.argument("path", type=PATH, metavar="PATH")(function)


def split_layout(function: F) -> F:
    """`--wal-dir` and `--snap-dir`, as `wal_dir` and `snap_dir: Path | None`."""
    function = click.option(
        "--snap-dir",
        type=PATH,
        metavar="DIR",
        help="Where the snapshots and the database are, if not below PATH.",
    )(function)
    return click.option(
        "--wal-dir",
        type=PATH,
        metavar="DIR",
        help="Where the log's segments are, if not below PATH (etcd: --wal-dir).",
    )(function)


def output(*choices: str) -> Callable[[F], F]:
    """`-o/--output`: what the command can print; the first choice is the default."""
    return _form(choices, "-o", "--output")


def form(*choices: str) -> Callable[[F], F]:
    """`-o`: as `output`, for a command whose `--output` names a file that it makes."""
    return _form(choices, "-o", "form")


def _form(choices: Sequence[str], *names: str) -> Callable[[F], F]:
    return click.option(
        *names,
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        expose_value=False,
        callback=_remember(OUTPUT_KEY),
        help="The form of what goes to standard output.",
    )


def quiet(function: F) -> F:
    """`-q/--quiet`: no text, only errors and the exit status."""
    return click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_remember(QUIET_KEY),
        help="Print no text: the exit status is the answer. JSON and errors are still printed.",
    )(function)


def _cores() -> int:
    """Cores that this process may use, as far as the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), JOBS_MAX)
    return min(os.cpu_count() or 1, JOBS_MAX)


def jobs(function: F) -> F:
    """`-j/--jobs`, as `jobs: int`: how many files may be read at once, one a core by default."""
    return side_by_side("How many files to read at the same time.")(function)


def side_by_side(words: str) -> Callable[[F], F]:
    """`-j/--jobs` for what else can be done at the same time, as `words` say."""
    return click.option(
        "-j",
        "--jobs",
        type=click.IntRange(1, JOBS_MAX),
        metavar="N",
        default=_cores,
        show_default="one a core",
        help=words,
    )


def pass_disk(function: Callable[Concatenate[FileSystem, P], R]) -> Callable[P, R]:
    """Hand the command its disk: the operating system's, unless `run` was given another."""

    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(disk_of(click.get_current_context()), *args, **kwargs)

    return update_wrapper(wrapped, function)


def pass_open_disk(function: Callable[Concatenate[FileSystem, P], R]) -> Callable[P, R]:
    """The same disk for a command that reads: archives are folders on it, and archived segments
    are segments."""

    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        disk = PackedFileSystem(disk_of(click.get_current_context()))
        return function(disk, *args, **kwargs)

    return update_wrapper(wrapped, function)


def pass_judged_disk(function: Callable[Concatenate[FileSystem, P], R]) -> Callable[P, R]:
    """The same for a command that says what a server would do: none reads archived segments."""

    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        disk = PackedFileSystem(disk_of(click.get_current_context()), is_judged=True)
        return function(disk, *args, **kwargs)

    return update_wrapper(wrapped, function)


def pass_screen(function: Callable[Concatenate[Screen, P], R]) -> Callable[P, R]:
    """Hand the command its screen, as its options and the terminal want it."""

    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(screen_of(click.get_current_context()), *args, **kwargs)

    return update_wrapper(wrapped, function)


def disk_of(ctx: click.Context) -> FileSystem:
    """The disk of this run."""
    if isinstance(ctx.obj, FileSystem):
        return ctx.obj
    from walctl.fs.real import RealFileSystem  # not at import: `walctl --version` needs no disk

    return RealFileSystem()


def screen_of(ctx: click.Context) -> Screen:
    """The screen for the command of `ctx`; colour and progress only on a terminal."""
    return Screen(
        sys.stdout,
        sys.stderr,
        output=ctx.meta.get(OUTPUT_KEY, Output.TEXT),
        width=terminal_width(sys.stdout),
        colour=sys.stdout.isatty() and wants_colour(),
        progress_shown=sys.stderr.isatty(),
        quiet=ctx.meta.get(QUIET_KEY, False),
    )


def terminal_width(stream: TextIO) -> int:
    """Columns of the terminal behind `stream`; 80 when there is none or it does not know."""
    if not stream.isatty():
        return WIDTH_PIPED
    try:
        return os.get_terminal_size(stream.fileno()).columns or WIDTH_PIPED
    except OSError:
        return WIDTH_PIPED


def wants_colour() -> bool:
    """Whether the environment lets us colour a terminal (`NO_COLOR`, `TERM=dumb`)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _remember(key: str) -> Callable[[click.Context, click.Parameter, object], object]:
    def callback(ctx: click.Context, _param: click.Parameter, value: object) -> object:
        ctx.meta[key] = value
        return value

    return callback
