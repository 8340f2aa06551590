"""The table of commands, and the one place where exceptions become exit statuses.

Nothing here knows what a command does.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper

import click

from walctl.cli.lazy import Commands, Lazy
from walctl.errors import ExitStatus, WalctlError
from walctl.fs.base import FileSystem
from walctl.render.text import printable
from walctl.version import VERSION

FRONT_DOOR = "doctor"
"""The command that `walctl PATH` stands for."""

TRACEBACK_VARIABLE = "WALCTL_TRACEBACK"
COMPLETE_VARIABLE = "_WALCTL_COMPLETE"
"""Set by the shell's completion script, which `_WALCTL_COMPLETE=bash_source walctl` prints."""


UNTOUCHED = "no log was changed"
RESUME = "what was under way is rolled back or finished by walctl repair PATH --resume"


COMMANDS: Mapping[str, Lazy] = {
    "doctor": Lazy("walctl.cli.doctor", "Say what a member is, what is damaged, and what now."),
    "verify": Lazy("walctl.cli.verify", "Check a member's log, snapshots and database."),
    "dump": Lazy("walctl.cli.dump", "Print the records of a log."),
    "encode": Lazy("walctl.cli.encode", "Make the bytes of records from rows of dump."),
    "stats": Lazy(
        "walctl.cli.stats", "Count what a log holds: requests, key prefixes, sizes, terms."
    ),
    "replay": Lazy("walctl.cli.replay", "Rebuild the state from the log, at any index."),
    "compare": Lazy("walctl.cli.compare", "Hold the members of a cluster against each other."),
    "explain": Lazy(
        "walctl.cli.explain", "Tell what a code, an exit status or a server's message means."
    ),
    "repair": Lazy(
        "walctl.cli.repair",
        "Plan how a damaged member is put right; do it if told.",
        may_write=True,
    ),
    "apply": Lazy("walctl.cli.apply", "Carry out a plan that walctl repair wrote.", may_write=True),
    "surgery": Lazy(
        "walctl.cli.surgery", "Plan one low-level edit of a log; do it if told.", may_write=True
    ),
    "undo": Lazy("walctl.cli.undo", "Take a repair back, to the byte.", may_write=True),
    "salvage": Lazy("walctl.cli.salvage", "Rescue what can be read of a member that has no peers."),
    "clean": Lazy("walctl.cli.clean", "List the backups of repairs, and take old ones away."),
    "bundle": Lazy("walctl.cli.bundle", "Put the evidence of a member into one file to hand on."),
    "archive": Lazy(
        "walctl.cli.archive", "Pack sealed segments, each as one file, and put them back."
    ),
    "cluster": Lazy("walctl.cli.cluster", "Run a Raft cluster on this machine, and break it."),
}
"""Every command, in the order of `walctl --help`; adding one is one line."""


@click.group(
    "walctl",
    cls=Commands,
    table=COMMANDS,
    front_door=FRONT_DOOR,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    options_metavar="[-h | -V]",
    subcommand_metavar="COMMAND | PATH ...",
)
@click.version_option(
    VERSION, "-V", "--version", prog_name="walctl", message="%(prog)s %(version)s"
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """See what an etcd member's directory holds, whether it is whole, what the server would do
    with it, and put it right.

    PATH is a data directory (default.etcd), its member directory, a folder of .wal segments, one
    segment, a .snap file or a db file. `walctl PATH` is `walctl doctor PATH`. Commands that look
    lock nothing and change no byte, so a running member may be looked at too. A member is changed
    by repair --apply and --preen, by surgery --apply, by apply, and by undo; each keeps a backup.

    \b
    Examples:
      walctl default.etcd
      walctl explain crc-mismatch
      walctl repair default.etcd
      walctl COMMAND --help

    \b
    Exit status:
      0    clean, or done
      1    damage or a difference was found
      2    the command line is wrong
      3    only harmless findings: it is safe to start the server
      4    could not finish (I/O, permission, lock held, unsupported)
      5    refused: acknowledged data could be lost
      130  interrupted
    """
    if ctx.invoked_subcommand is None:
        # Nothing was asked, so nothing was checked: a script must not take that for "clean".
        click.echo(ctx.get_help(), err=True)
        ctx.exit(ExitStatus.USAGE)


def run(
    arguments: Sequence[str] | None = None,
    *,
    disk: FileSystem | None = None,
    group: click.Group = main,
) -> int:
    """Run `walctl` with `arguments` (`None`: those of the process); gives the exit status.

    Never raises, but ends the process by SIGPIPE when the reader of its output has gone.
    """
    _settle_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    entry = group.table.get(words[0]) if words and isinstance(group, Commands) else None
    comfort = RESUME if entry is not None and entry.may_write else UNTOUCHED
    return _flushed(_status_of(lambda: _called(group, words, disk), comfort))


def _called(group: click.Group, words: list[str], disk: FileSystem | None) -> object:
    """What click's own `main` does, but for its handling of errors: it swallows broken pipes."""
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from walctl.cli.completion import answer

        return answer(group, COMPLETE_VARIABLE, instruction)
    try:
        with group.make_context("walctl", words, obj=disk) as ctx:
            return group.invoke(ctx)
    except click.exceptions.Exit as ending:
        return ending.exit_code


def _status_of(call: Callable[[], object], comfort: str) -> int:
    """What `call` ends with; every exception is told in one line on stderr.

    `comfort` is what a bug of ours has not done.
    """
    try:
        result = call()
    except (click.Abort, KeyboardInterrupt):
        return ExitStatus.INTERRUPTED
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "walctl"
        _complain(f"{error.format_message()} (`{where} --help` tells more)")
        return ExitStatus.USAGE
    except click.ClickException as error:
        _complain(error.format_message())
        return ExitStatus.UNFINISHED
    except WalctlError as error:
        _complain(error.message)
        return error.exit_status
    except BrokenPipeError:
        return _end_by_sigpipe()
    except MemoryError:
        _complain("there is not enough memory for this")
        return ExitStatus.UNFINISHED
    except RecursionError:
        _traceback()
        _complain("the input nests deeper than walctl follows")
        return ExitStatus.UNFINISHED
    # The one place where catching everything is right: above it nobody is left to tell the person
    # at the terminal, who cannot do anything with a traceback on a bad day.
    except Exception as error:  # noqa: BLE001 - the edge of the program, see above
        return _unexpected(error, comfort)
    return result if isinstance(result, int) else ExitStatus.CLEAN


def _unexpected(error: Exception, comfort: str) -> int:
    if isinstance(error, OSError) and error.filename is None:
        # Files are read behind `walctl.fs`, which translates its errors: this was the output.
        return _output_failed(error)
    _traceback()
    # What an exception says may be bytes of a log, a password among them, and of any length. The
    # names of modules and files are none, and what a person has to know.
    words = f": {error}" if isinstance(error, ImportError | OSError) else ""
    _complain(
        f"internal error: {type(error).__name__}{words}{_place(error)} (this is a bug in walctl; "
        f"{comfort}. Set {TRACEBACK_VARIABLE}=1 to see what happened, with bytes of the "
        "log where they are part of it.)"
    )
    return ExitStatus.UNFINISHED


def _place(error: Exception) -> str:
    """Where an exception was raised: module and line, for a report."""
    steps = traceback.extract_tb(error.__traceback__)
    return f" at {os.path.basename(steps[-1].filename)}:{steps[-1].lineno}" if steps else ""


def _flushed(status: int) -> int:
    """`status`, if what was printed could be written: an answer that never arrived is none."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _end_by_sigpipe()
    except OSError as error:
        return _output_failed(error)
    return status


def _output_failed(error: OSError) -> int:
    _discard_output()
    _complain(f"cannot write the output: {error.strerror or error}")
    return ExitStatus.UNFINISHED


def _end_by_sigpipe() -> int:
    """Die as every filter does when its reader has gone: no word, and the status says SIGPIPE.

    Python ignores the signal; until here that is right, since a pipe that breaks must never stop
    a write to a disk half way.
    """
    _discard_output()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    return 128 + signal.SIGPIPE  # only where the signal is blocked


def _discard_output() -> None:
    """Send what is still buffered for stdout nowhere, or Python complains when it shuts down."""
    with suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)


def _complain(message: str) -> None:
    with suppress(OSError):  # without a stderr the exit status has to do
        sys.stderr.write(f"walctl: {printable(message)}\n")


def _traceback() -> None:
    if os.environ.get(TRACEBACK_VARIABLE):
        with suppress(OSError):
            for line in traceback.format_exc().splitlines():
                sys.stderr.write(printable(line) + "\n")


def _settle_streams() -> None:
    """Make both streams take every string, and be there even where the caller closed them."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it lives as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - it lives as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
