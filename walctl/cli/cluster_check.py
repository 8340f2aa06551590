"""`walctl cluster check`: whether clients were told what one correct store could say."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from walctl.checker.history import History, HistoryError
from walctl.checker.linearizable import Judgement, Limits, Verdict, check
from walctl.checker.models import MODELS, Model
from walctl.checker.recognise import HISTORY_BYTES_MAX, history_of
from walctl.checker.settle import with_logs
from walctl.checker.shrink import shrunk
from walctl.cli.options import PATH, output, pass_open_disk, pass_screen, quiet
from walctl.cluster.lab import EVENTS_FILE, is_lab, load
from walctl.cluster.oracle import history_for_logs, read_logs
from walctl.errors import AccessError, ExitStatus, UsageError
from walctl.fs.above import lies_within
from walctl.fs.base import FileSystem, Kind
from walctl.render import check as render
from walctl.render.screen import Screen

SECONDS_DEFAULT = 60.0
MEMORY_MIB_DEFAULT = 512
SMALL_MAX = 10
"""Bad keys whose history is made small; of more, with --all-keys, the others are only counted."""
SMALL_SECONDS = 5.0
"""How long that may take: a verdict is worth waiting for, its picture less."""
STATUSES = {
    Verdict.LINEARIZABLE: ExitStatus.CLEAN,
    Verdict.NOT_LINEARIZABLE: ExitStatus.DAMAGE,
    Verdict.UNKNOWN: ExitStatus.UNFINISHED,
    Verdict.NO_OPERATIONS: ExitStatus.UNFINISHED,
}


KEYS = """\b
Keys of -o json (bytes are objects with data in base64, and text):
  verdict: linearizable, not-linearizable, unknown, no-operations
  from_clients: the same, from the clients alone
  with_logs: null, or verdict, found, absent, left, foreign,
    contradictions[], bad[], groups[]
  with_logs.groups[]: group, first, last, nodes, alike, parted[],
    digest_index, digests
  path, format, model, steps
  operations: count, ok, fail, unknown
  keys[]: group, key, verdict, operations, steps, placed,
    way (search, unwritten, zones, indexes, or what there is no verdict
    for: steps, time, memory, stopped)
    of a bad one also: order[] (numbers), stuck, state, contradiction[]
  stuck, contradiction[]: number, client, function, key, value, expected,
    output, fate, mismatch, call, end, index
"""


@click.command(
    "check", epilog=KEYS, short_help="Judge whether a history of requests is linearizable."
)
@click.argument("path", type=PATH, metavar="LAB|FILE")
@click.option(
    "--model",
    "model_name",
    type=click.Choice(list(MODELS)),
    help="What the store is; by default the narrowest that knows all that was asked.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    default=SECONDS_DEFAULT,
    show_default=True,
    help="Seconds after which the verdict is unknown, if there is none.",
)
@click.option(
    "--memory-limit",
    type=click.IntRange(min=1),
    metavar="MIB",
    default=MEMORY_MIB_DEFAULT,
    show_default=True,
    help="Memory that searches may take; the biggest is given up when all need more.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Steps of search after which the verdict is unknown: the same on every machine.",
)
@click.option(
    "--all-keys", is_flag=True, help="Judge every key; else the first bad one ends the search."
)
@click.option(
    "--undivided",
    is_flag=True,
    help="Search all keys as one: the same verdict, far slower; for comparing checkers.",
)
@click.option(
    "--with-wal",
    is_flag=True,
    help="Ask the members' own logs in LAB as well: what became of requests that nobody answered,"
    " whether all that was acknowledged is there, and whether the members are alike.",
)
@click.option(
    "--html",
    type=PATH,
    metavar="FILE",
    help="Draw the operations into this new file: a page that needs nothing else.",
)
@output("text", "json")
@quiet
@pass_open_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    path: Path,
    model_name: str | None,
    time_limit: float,
    memory_limit: int,
    steps: int | None,
    all_keys: bool,
    undivided: bool,
    with_wal: bool,
    html: Path | None,
) -> None:
    """Say whether the requests of clients, with the answers that they got, are linearizable:
    whether each can have taken effect at one instant between its call and its return, in an order
    in which one correct store gives just these answers.

    LAB is the folder of a lab: its event file is judged. FILE is such a file, a log of Jepsen's
    operations on a register, or a history in EDN, of porcupine or of Jepsen; which, it says itself.
    Every key is judged by itself. A request that nobody saw the end of may have taken effect at
    any later time, or never. A key of which a read returned a value that nobody had begun to write
    is bad without a search; where every value was written once, or the answers name the log's
    index, no search is needed either.

    With --with-wal there is a second verdict: of the requests and the logs of all members of LAB
    together. A write that was acknowledged and is in no log is a finding of its own, as are one
    that was told to have failed and is done in the log, members that hold different entries, and
    members whose states differ. The lab had better be at rest.

    For a bad key it is told how many operations can be put in order, which one cannot be placed
    behind them, what the value is there, and a few operations that have no order even alone.

    Exits 0 when the history is linearizable, 1 when it is not, 4 when a limit was reached before
    or when there are no operations, 2 when a line of FILE cannot be understood.

    \b
    Examples:
      walctl cluster check demo
      walctl cluster check demo --with-wal
      walctl cluster check etcd_007.log --html why.html
      walctl cluster check history.edn --time-limit 600 -o json
    """
    if html is not None:
        _demand_new(disk, html, path)
    if with_wal and not is_lab_at(disk, path):
        raise UsageError(f"{path}: --with-wal wants the folder of a lab: a history has no logs")
    name, history = read_history(disk, path)
    model = _model(model_name, name, history)
    limits = Limits(
        steps=steps, memory_bytes=memory_limit << 20, is_over=_deadline(seconds=time_limit)
    )
    judgement = check(
        history,
        model=model,
        limits=limits,
        all_keys=all_keys,
        is_divided=not undivided,
        wants_orders=html is not None,
    )
    checked = _made_small(name, judgement)
    if with_wal:
        limits = replace(limits, is_over=_deadline(seconds=time_limit))
        checked = _with_logs(disk, path, history, limits, checked)
    if html is not None:
        _draw(disk, screen, html, checked)
    screen.show(checked, text=render.screenful, document=render.document)
    ctx.exit(STATUSES[checked.verdict])


def _model(model_name: str | None, name: str, history: History) -> Model | None:
    """Raises: UsageError, where the model does not know what was asked."""
    if model_name is None:
        return None
    model = MODELS[model_name]
    unknown = sorted({each.function for each in history.operations} - model.functions)
    if unknown:
        raise UsageError(f"{name}: the model {model_name} does not know {', '.join(unknown)}")
    return model


def read_history(disk: FileSystem, path: Path) -> tuple[str, History]:
    """The history of a lab, or in a file, with the file's name.

    Raises: AccessError; UsageError, with the line that makes no sense.
    """
    if disk.stat(path).kind is Kind.DIRECTORY:
        lab = load(disk, path)
        path = lab.events_path
        if not disk.exists(path):
            raise AccessError(
                f"{path.parent}: expected {EVENTS_FILE} in the lab, found none: it was never up"
            )
    with disk.open(path) as file:
        data = file.read_at(0, HISTORY_BYTES_MAX + 1)
    if len(data) > HISTORY_BYTES_MAX:
        raise AccessError(f"{path}: expected at most {HISTORY_BYTES_MAX:,} bytes, found more")
    try:
        return str(path), history_of(data)
    except HistoryError as error:
        raise UsageError(f"{path}:{error.line}: {error.message}") from error


def _deadline(*, seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed since now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _made_small(name: str, judgement: Judgement) -> render.Checked:
    limits = Limits(is_over=_deadline(seconds=SMALL_SECONDS))
    # Where keys were not told apart, a smaller history of all of them is no clearer.
    bad = [each for each in judgement.bad if len(each.part.places) == 1][:SMALL_MAX]
    small = {each.place: shrunk(judgement, each, limits) for each in bad}
    return render.Checked(name=name, judgement=judgement, small=small)


def is_lab_at(disk: FileSystem, path: Path) -> bool:
    """Whether it is the folder of a lab."""
    return disk.stat(path).kind is Kind.DIRECTORY and is_lab(disk, path)


def _with_logs(
    disk: FileSystem, path: Path, history: History, limits: Limits, checked: render.Checked
) -> render.Checked:
    """The same with what the members' logs say. Raises: AccessError."""
    lab = load(disk, path)
    groups = tuple(read_logs(disk, lab))
    logs = with_logs(history_for_logs(lab, history), [each.log for each in groups], limits)
    return replace(checked, logs=logs, groups=groups)


def _draw(disk: FileSystem, screen: Screen, html: Path, checked: render.Checked) -> None:
    from walctl.render import check_page

    disk.create(html, check_page.page(checked).encode("utf-8"))
    screen.note(f"drawn: {html}")


def _demand_new(disk: FileSystem, html: Path, path: Path) -> None:
    """Nothing is written over, and nothing goes into a lab's folder. Raises: AccessError."""
    if disk.exists(html):
        raise AccessError(f"{html}: there is such a file; nothing is ever written over")
    if lies_within(disk, html, path):
        raise UsageError(f"{html}: expected a file outside of {path}, which is only read")
