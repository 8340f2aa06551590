"""`walctl cluster load`."""

import re
from pathlib import Path

import click

from walctl.cli.cluster_ask import read_option
from walctl.cli.cluster_lab import lab_argument, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.answers import Fate, Read, Wait
from walctl.cluster.asking import key_of, load
from walctl.cluster.load import LoadPlan, LoadResult
from walctl.cluster.runtime import token
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.render import cluster_answer as render
from walctl.render.screen import Screen

NAME_CHARS = 6
"""How much of a token sets the clients of one load apart from all others."""
WEIGHT_MAX = 1000
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_VERBS = ("put", "get", "cas", "del")


def _mix(ctx: click.Context, parameter: click.Parameter, text: str) -> dict[str, int]:
    """`put=5,get=4` as weights."""
    mix: dict[str, int] = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        if name not in _VERBS or not weight.isdigit() or int(weight) > WEIGHT_MAX:
            raise click.BadParameter(
                f"{part!r}: expected put, get, cas or del with a weight of at most {WEIGHT_MAX},"
                " as put=5,get=4,cas=1"
            )
        mix["delete" if name == "del" else name] = int(weight)
    if not any(mix.values()):
        raise click.BadParameter("expected a weight above 0")
    return mix


def _seconds(ctx: click.Context, parameter: click.Parameter, text: str) -> float:
    found = _SECONDS.fullmatch(text)
    if found is None or float(found.group(1)) <= 0:
        raise click.BadParameter(f"{text!r}: expected a time as 500ms, 30s or 2m")
    return float(found.group(1)) * _UNITS[found.group(2)]


@click.command("load", short_help="Let clients ask a lab, and write down what they see.")
@lab_argument
@click.option("--clients", type=click.IntRange(1, 1000), default=5, show_default=True)
@click.option(
    "--rate",
    type=click.IntRange(0, 1_000_000),
    default=100,
    show_default=True,
    metavar="N",
    help="Requests a second of all clients together; 0: as many as there can be.",
)
@click.option("--keys", type=click.IntRange(1, 1_000_000), default=10, show_default=True)
@click.option(
    "--mix",
    default="put=5,get=4,cas=1",
    show_default=True,
    metavar="VERB=N,…",
    callback=_mix,
    help="How often which of put, get, cas and del.",
)
@click.option(
    "--for", "seconds", default="30s", show_default=True, metavar="TIME", callback=_seconds
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME",
    help="Which group, may be repeated; all, if left out.",
)
@click.option(
    "--via",
    multiple=True,
    metavar="NODE",
    help="Which nodes clients begin with, in turn; each finds the leader, if left out.",
)
@click.option(
    "--value-bytes",
    type=click.IntRange(0, 1_000_000),
    default=0,
    metavar="N",
    help="How long a value is at least.",
)
@read_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    lab: Path,
    clients: int,
    rate: int,
    keys: int,
    mix: dict[str, int],
    seconds: float,
    groups: tuple[str, ...],
    via: tuple[str, ...],
    value_bytes: int,
    read: str,
) -> None:
    """Let clients ask LAB, which is up, one thing after the other, and write down what they see.

    Every value is written once. What is written down goes to the lab's event file, where `walctl
    cluster check LAB` judges it. A request that nobody can tell the fate of is no failure; it is
    only counted. Ctrl-C ends it early. Exits 4 when no request was done at all.

    \b
    Examples:
      walctl cluster load demo --for 20s
      walctl cluster load demo --clients 64 --rate 0 --mix put=1 --value-bytes 100
    """
    found = opened(disk, lab)
    found.group()
    names = tuple(found.group(name).name for name in groups or (g.name for g in found.groups))
    plan = LoadPlan(
        name=token()[:NAME_CHARS],
        clients=clients,
        rate=rate or None,
        keys=keys,
        mix=mix,
        seconds=seconds,
        groups=names,
        key_prefix=key_of(found, b"k").decode(),
        value_bytes=value_bytes,
        via=tuple(found.node(name).name for name in via),
        read=Read(read),
        wait=Wait.COMMIT,
    )
    with screen.progress(f"load on {found.name}") as step:

        def tell(result: LoadResult, passed: float) -> None:
            step(min(int(passed * 10), int(seconds * 10)), int(seconds * 10))

        result = load(found, plan, on_progress=tell)
    screen.show(result, text=render.load_text, document=render.load_document)
    ctx.exit(ExitStatus.CLEAN if result.fates[Fate.OK] else ExitStatus.UNFINISHED)
