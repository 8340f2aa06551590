"""`walctl cluster script`: a text that says who does what when, run and printed."""

import sys
from pathlib import Path

import click

from walctl.cli.options import PATH, pass_disk, pass_screen, quiet
from walctl.cli.world import real_path, writable
from walctl.cluster.script import Outcome, run
from walctl.cluster.script_file import SCRIPT_BYTES_MAX, decoded, load, save
from walctl.cluster.script_text import ScriptError
from walctl.errors import AccessError, ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen

STANDARD_INPUT = Path("-")
TOLD_MAX = 10
"""Directives that differ and are told one by one; the others are counted."""


@click.command("script", short_help="Run a Raft script, and print it with its actual outputs.")
@click.argument("path", type=PATH, metavar="FILE|-")
@click.option(
    "--rewrite",
    "is_rewrite",
    is_flag=True,
    help="Put the actual outputs into FILE, and print nothing.",
)
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context, screen: Screen, disk: FileSystem, /, path: Path, is_rewrite: bool
) -> None:
    """Run the Raft script in FILE, or on standard input, and print it with its actual outputs.

    A script is directives with the output that each is expected to give, in the language of the
    tests of etcd's Raft library. It is about a whole cluster, about quorums, or about changes of
    the membership. There is no network, no disk and no clock in it: the same script always gives
    the same. Lines of a log (INFO …, DEBUG …) in outputs are not compared, and none are printed.

    Exits 0 when every output is as expected; 1 when one differs, or when the core broke an
    invariant and stopped; 2 when the script cannot be run, with its line.

    \b
    Examples:
      walctl cluster script election.txt
      walctl cluster script election.txt --rewrite
      walctl cluster script - < election.txt
    """
    is_stream = path == STANDARD_INPUT
    if is_rewrite and is_stream:
        raise click.UsageError("--rewrite wants a FILE to write into.", ctx)
    name = "<stdin>" if is_stream else str(path)
    try:
        text = decoded(_standard_input()) if is_stream else load(disk, path)
    except ScriptError as error:
        raise UsageError(f"{name}:{error.message}") from error
    outcome = run(text)
    if not is_rewrite:
        screen.write_lines(outcome.text.encode())
    if outcome.stop is not None:
        _stopped(ctx, screen, name, outcome)
    if is_rewrite:
        if outcome.text != text:
            save(writable(disk), real_path(path), outcome.text)
        screen.note(f"{name}: {len(outcome.differing)} of {outcome.count} outputs were others")
        ctx.exit(ExitStatus.CLEAN)
    _tell_differing(screen, name, outcome)
    ctx.exit(ExitStatus.DAMAGE if outcome.differing else ExitStatus.CLEAN)


def _stopped(ctx: click.Context, screen: Screen, name: str, outcome: Outcome) -> None:
    """Say where the script came to a stop, and end. Raises: UsageError, for a bad script."""
    stop = outcome.stop
    assert stop is not None, "it has come to a stop"
    if not stop.is_panic:
        raise UsageError(f"{name}:{stop.line}: {stop.reason}")
    screen.error(f"{name}:{stop.line}: the core panicked: {stop.reason}")
    ctx.exit(ExitStatus.DAMAGE)


def _tell_differing(screen: Screen, name: str, outcome: Outcome) -> None:
    """Name the directives that print something else; where there are none, nothing is said."""
    for directive in outcome.differing[:TOLD_MAX]:
        screen.note(f"{name}:{directive.line}: {directive.name}: the output differs")
    if len(outcome.differing) > TOLD_MAX:
        screen.note(f"{name}: and {len(outcome.differing) - TOLD_MAX} more")


def _standard_input() -> bytes:
    """Raises: AccessError, when it is closed or does not read."""
    if sys.stdin is None:
        raise AccessError("standard input is closed")
    try:
        return sys.stdin.buffer.read(SCRIPT_BYTES_MAX + 1)
    except OSError as error:
        raise AccessError(f"standard input: {error.strerror or error}") from error
