"""`walctl replay`: the state that a member's files amount to, at any index."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import click

from walctl.cli import replay_files
from walctl.cli.options import (
    disk_of,
    jobs,
    one_path,
    output,
    pass_open_disk,
    pass_screen,
    split_layout,
)
from walctl.datadir.layout import understand
from walctl.datadir.survey import Survey
from walctl.errors import ExitStatus, UnsupportedError, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.history import between, history
from walctl.inspect.reading import Depth, survey_of
from walctl.inspect.state import AUTO, Wish, replayed
from walctl.machine.base import Machine
from walctl.machine.etcd import Etcd
from walctl.machine.kv import Kv
from walctl.payload.base import Redaction
from walctl.render import history as render_history
from walctl.render import replay as render
from walctl.render.screen import Screen
from walctl.replay.ground import Base
from walctl.replay.storedlog import StoredLog


def _key(_ctx: click.Context, _param: click.Parameter, value: str | None) -> bytes | None:
    """A key as the log has it: the bytes that were typed."""
    return None if value is None else os.fsencode(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of the state is to be shown; all of it in short, if nothing else."""

    keys: bool
    key: bytes | None
    history: bool
    diff: tuple[str, str] | None
    hidden: bool

    def demand_sense(self, *, has_until: bool) -> None:
        """Raise UsageError where two things are asked for at a time."""
        if (self.key is not None) + self.keys + (self.diff is not None) > 1:
            raise UsageError("--keys, --key and --diff: only one of them at a time")
        if self.history and self.key is None:
            raise UsageError("--history goes with --key")
        if self.diff is not None and has_until:
            raise UsageError("--diff says itself up to where")


def machine_of(name: str) -> Callable[[], Machine] | None:
    """Somebody's own machine, named MODULE:CLASS; `None` for a name without a colon.

    Raises: UsageError, when there is none of that name, or it is no machine.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        return None
    sys.path.insert(0, "")  # a module of the working folder too, as python -m has it
    try:
        made: Callable[[], Machine] = getattr(import_module(module), attribute)
        is_machine = all(callable(getattr(made(), each, None)) for each in ("apply", "digest"))
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise UsageError(f"--machine {name}: {error}") from error
    if not is_machine:
        raise UsageError(f"--machine {name}: expected a class with apply and digest")
    return made


@click.command("replay", short_help="Rebuild the state from the log, at any index.")
@one_path
@split_layout
@click.option(
    "--until",
    metavar="POSITION",
    help="The last entry that is applied: an index, `commit` (as without it), `last`, `first`,"
    " `snap`, each also as `last-100`; `-3` leaves out the last three committed ones.",
)
@click.option(
    "--uncommitted/--commit-only",
    "is_uncommitted",
    default=False,
    help="Apply entries that are not committed, too, which no member would; or, as without it,"
    " committed ones alone.",
)
@click.option(
    "--from-snapshot",
    "snapshot",
    type=click.IntRange(0),
    metavar="INDEX",
    help="Load Raft's storage from this snapshot (0: from none); else from the newest valid one.",
)
@click.option(
    "--base",
    type=click.Choice([each.value for each in Base]),
    help="Build the state on this alone; else on whatever is there, by two ways where there are"
    " two.",
)
@click.option(
    "--machine",
    default=AUTO,
    show_default=True,
    metavar="NAME",
    help="Whose state machine: `etcd`, `kv` (raftexample), `none`, or your own as MODULE:CLASS.",
)
@click.option("--keys", "is_keys", is_flag=True, help="Print the key space instead, key by key.")
@click.option("--key", metavar="KEY", callback=_key, help="Print this key alone.")
@click.option(
    "--history",
    "is_history",
    is_flag=True,
    help="With --key: every version of it, with entry, term, revision, request and lease.",
)
@click.option(
    "--diff",
    nargs=2,
    metavar="FROM TO",
    help="Print what changed from the state after one entry to that after another.",
)
@replay_files.files
@click.option(
    "--redact",
    type=click.Choice([Redaction.AUTH.value, Redaction.VALUES.value]),
    default=Redaction.AUTH.value,
    show_default=True,
    help="What is hidden: secrets, which are never shown here, or the values of keys too.",
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
    path: Path,
    wal_dir: Path | None,
    snap_dir: Path | None,
    until: str | None,
    is_uncommitted: bool,
    snapshot: int | None,
    base: str | None,
    machine: str,
    is_keys: bool,
    key: bytes | None,
    is_history: bool,
    diff: tuple[str, str] | None,
    redact: str,
    jobs: int,
    files: replay_files.Files,
) -> None:
    """Rebuild from the files in PATH what the member knew: keys, leases, users, members, as of any
    entry of the log.

    The log is loaded as a starting member loads it, and committed entries are applied to the state
    machine of its owner: from nothing where the log reaches back to entry 1, from the database
    where that reads, and by both ways where there are two; then the two states are held against
    each other, key by key. HashKV is the hash that a running member gives.

    Entries that are not committed are applied only with --uncommitted. Nothing in PATH is written;
    --to-snapshot and --export make new files elsewhere. Exits 1 where the two ways do not agree,
    where applying ended before its time, or where --key names no key; 4 where there is no way to
    the state. Damage that the state does not need is not asked for: that is verify's.

    \b
    Examples:
      walctl replay default.etcd
      walctl replay default.etcd --until commit-100 -o json
      walctl replay default.etcd --key /registry/pods/default/web --history
      walctl replay default.etcd --diff last-50 last
      walctl replay default.etcd --keys -o ndjson
      walctl replay default.etcd --export tables
      walctl replay default.etcd --to-snapshot /backup/state.db
    """
    hidden = Redaction(redact) is Redaction.VALUES
    asked = Asked(keys=is_keys, key=key, history=is_history, diff=diff, hidden=hidden)
    asked.demand_sense(has_until=until is not None)
    files.demand_sense(is_shown=is_keys or key is not None or diff is not None)
    with screen.progress(f"reading {path}") as step:
        layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
        seen = survey_of(disk, layout, depth=Depth(jobs=jobs, on_segment=step))
    wish = Wish(
        until=until,
        machine=machine,
        make=machine_of(machine),
        base=None if base is None else Base(base),
        is_uncommitted=is_uncommitted,
    )
    if files.is_asked:
        ctx.exit(replay_files.made(screen, disk, disk_of(ctx), seen, wish, files, hidden=hidden))
    ctx.exit(_answered(screen, disk, seen, wish, asked, snapshot=snapshot))


def _answered(
    screen: Screen,
    disk: FileSystem,
    seen: Survey,
    wish: Wish,
    asked: Asked,
    *,
    snapshot: int | None,
) -> ExitStatus:
    """Rebuild what is asked for, and show it."""
    with screen.progress(f"applying {seen.layout.path}") as step:
        wish = replace(wish, on_step=step)
        if asked.diff is not None:
            first, last = asked.diff
            changed = between(disk, seen, wish, first=first, last=last)
            found = changed.replayed
        elif asked.history and asked.key is not None:
            found, versions = history(disk, seen, wish, asked.key)
        else:
            found = replayed(disk, seen, wish)
    is_there = True
    is_of_keys = asked.keys or asked.key is not None
    if is_of_keys and not isinstance(found.machine, Etcd | Kv):
        raise UnsupportedError("--keys, --key: only states of etcd and raftexample have keys here")
    if asked.diff is not None:
        render_history.show_between(screen, changed, hidden=asked.hidden)
    elif asked.history and asked.key is not None:
        render_history.show_versions(screen, found, asked.key, versions, hidden=asked.hidden)
        is_there = bool(versions)
    elif asked.key is not None:
        is_there = render_history.show_key(screen, found, asked.key, hidden=asked.hidden)
    elif asked.keys:
        render_history.show_keys(screen, found, hidden=asked.hidden)
    elif seen.layout.wal_dir is None and snapshot is None and found.machine is not None:
        render.show(screen, found, None)
    else:
        with StoredLog.of(disk, seen, at=snapshot) as storage:
            render.show(screen, found, storage)
        return found.exit_status
    for finding in found.findings:
        screen.error(f"{finding.code}: {finding.detail}")
    return found.exit_status if is_there else ExitStatus.DAMAGE
