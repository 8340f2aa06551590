"""What commands about a lab share: its argument, and its file opened."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet
from walctl.cli.world import real_path, writable
from walctl.cluster.copying.inside import is_confined
from walctl.cluster.hands import FaultDeed, do
from walctl.cluster.lab import Lab, load
from walctl.cluster.looking import CHOSEN_WORDS, chosen
from walctl.cluster.resting import Deed, rest
from walctl.cluster.running import supervisor_of
from walctl.cluster.runtime import draw, enter_network
from walctl.cluster.standing import LabStanding
from walctl.cluster.up_down import act, status
from walctl.fs.base import FileSystem
from walctl.render import cluster_lab as render
from walctl.render.screen import Screen

F = TypeVar("F", bound=Callable[..., Any])


def lab_argument(function: F) -> F:
    """`LAB`: the folder of a lab, as `lab: Path`."""
    return click.argument("lab", type=PATH, metavar="LAB")(function)


def node_argument(function: F) -> F:
    """`NODE`: a node's name, or a word that means one, as `node: str`."""
    return click.argument("node", metavar="NODE")(function)


def group_option(function: F) -> F:
    """`--group`: whose leader is meant, as `group: str | None`."""
    return click.option(
        "--group",
        metavar="NAME",
        help="Whose leader `leader` and `follower` mean; the first group, if left out.",
    )(function)


def opened(disk: FileSystem, lab: Path) -> Lab:
    """The lab in a folder; where it is up in a network of its own, this process goes there.

    Raises: AccessError.
    """
    found = load(disk, real_path(lab))
    if not is_confined(disk, found):
        supervisor = supervisor_of(disk, found)
        if supervisor is not None:
            enter_network(supervisor.pid)
    return found


def named(lab: Lab, standing: LabStanding, word: str, *, group: str | None) -> str:
    """The node that a word means now. Raises: UsageError, ClusterError."""
    return chosen(lab, standing, word, draw(), group=group)


def node_meant(disk: FileSystem, lab: Lab, word: str, *, group: str | None) -> str:
    """The same, with a look at the lab only where the word needs one; a name stays as it is."""
    return named(lab, status(disk, lab), word, group=group) if word in CHOSEN_WORDS else word


def noting(screen: Screen) -> Callable[[str], Awaitable[None]]:
    """Says each step of a change as it is done."""

    async def note(words: str) -> None:
        screen.note(words)

    return note


def done_with(
    screen: Screen, disk: FileSystem, lab: Path, node: str, action: str, *, group: str | None
) -> None:
    """Have the supervisor do something with a node, and say how it stands then.

    Raises: UsageError, ClusterError.
    """
    found = opened(disk, lab)
    told = act(found, node_meant(disk, found, node, group=group), action)
    screen.show(told, text=render.node_text, document=render.node_document)


def node_command(action: str, short_help: str, help: str) -> click.Command:
    """The command that has the supervisor do something with a node, and takes no more words."""

    @click.command(action, short_help=short_help, help=help)
    @lab_argument
    @node_argument
    @group_option
    @output("text", "json")
    @quiet
    @pass_disk
    @pass_screen
    def command(
        screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None
    ) -> None:
        done_with(screen, disk, lab, node, action, group=group)

    return command


def did(screen: Screen, disk: FileSystem, lab: Path, deed: FaultDeed, *, group: str | None) -> None:
    """Do a deed to a lab, and say what came of it. Raises: WalctlError."""
    outcome = do(writable(disk), opened(disk, lab), deed, group=group)
    screen.show(outcome, text=render.outcome_text, document=render.outcome_document)


def rested(screen: Screen, disk: FileSystem, lab: Path, node: str, deed: Deed) -> None:
    """Do something to the directory of a node that is down, and say what.

    Raises: UsageError, AccessError, ClusterError.
    """
    found = opened(disk, lab)
    args = rest(writable(disk), found, found.node(node).name, deed)
    told = render.Rested(node, deed.what, args)
    screen.show(told, text=render.rested_text, document=render.rested_document)
