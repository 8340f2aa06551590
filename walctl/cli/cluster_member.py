"""`walctl cluster member`: who is in a group, and changes of that."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, named, node_argument, node_meant, noting, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster import member_commands as members
from walctl.cluster.looking import CHOSEN_WORDS
from walctl.cluster.quorum_left import QuorumLeft
from walctl.cluster.up_down import status
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.render import cluster_members as render
from walctl.render.screen import Screen

_GROUP_HELP = "The group that is meant; all of them, if left out."


@click.group(
    "member",
    short_help="List, add, promote, replace and remove members.",
    invoke_without_command=True,
    subcommand_metavar="COMMAND ...",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """See who is in a group of a lab that is up, and change that, while it works on.

    \b
    Examples:
      walctl cluster member list demo
      walctl cluster member add demo
      walctl cluster member replace demo n1
      walctl cluster member remove demo n2
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(ExitStatus.USAGE)


@command.command("list", short_help="List the members of a group.")
@lab_argument
@click.option("--group", metavar="NAME", help=_GROUP_HELP)
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def list_members(screen: Screen, disk: FileSystem, /, lab: Path, group: str | None) -> None:
    """List the members of a group of LAB, as its cluster has them.

    \b
    Examples:
      walctl cluster member list demo
    """
    found = opened(disk, lab)
    rows = members.listed(disk, found, group)
    screen.show(rows, text=render.rows_text, document=render.rows_document)


@command.command("add", short_help="Add a member.")
@lab_argument
@click.argument("node", required=False, metavar="[NODE]")
@click.option("--group", metavar="NAME", help=_GROUP_HELP)
@click.option("--learner", "is_learner", is_flag=True, help="Give it no vote yet.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def add(
    screen: Screen,
    disk: FileSystem,
    /,
    lab: Path,
    node: str | None,
    group: str | None,
    is_learner: bool,
) -> None:
    """Add a member to a group of LAB: a new node, called NODE or by the next free name.

    It comes as a learner, takes the state, and gets its vote then. Where that was broken off, the
    same command goes on with it.

    \b
    Examples:
      walctl cluster member add demo
      walctl cluster member add demo n4 --learner
    """
    found = opened(disk, lab)
    changed = members.add(disk, found, group, node, is_learner=is_learner, note=noting(screen))
    screen.show(changed, text=render.changed_text, document=render.changed_document)


@command.command("promote", short_help="Give a learner its vote.")
@lab_argument
@node_argument
@click.option("--group", metavar="NAME", help=_GROUP_HELP)
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def promote(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Give NODE, a learner of a group of LAB, its vote, as soon as it has what it needs for that.

    \b
    Examples:
      walctl cluster member promote demo n4
    """
    found = opened(disk, lab)
    name = found.node(node).name
    changed = members.promote(disk, found, group, name, note=noting(screen))
    screen.show(changed, text=render.changed_text, document=render.changed_document)


@command.command("remove", short_help="Remove a member, and end it.")
@lab_argument
@node_argument
@click.option("--group", metavar="NAME", help=_GROUP_HELP)
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def remove(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Remove NODE from a group of LAB, and end its member. Its directory stays.

    NODE may be down, or lead. Removal makes the majority smaller: what is left is said before it is
    done, and where that could commit nothing, it is refused (exit status 5). Without --group, NODE
    leaves all groups, its process ends, and it is not added again; `member add` makes another.

    \b
    Examples:
      walctl cluster member remove demo n3
      walctl cluster member remove demo leader
    """
    found = opened(disk, lab)
    standing = status(disk, found)
    name = node if node not in CHOSEN_WORDS else named(found, standing, node, group=group)

    def warn(node: str, left: QuorumLeft) -> None:
        screen.note(render.quorum_words(node, left))

    changed = members.remove(disk, found, group, name, standing, warn=warn, note=noting(screen))
    screen.show(changed, text=render.changed_text, document=render.changed_document)


@command.command("replace", short_help="Let a node have the place of another.")
@lab_argument
@click.argument("old", metavar="OLD")
@click.argument("new", required=False, metavar="[NEW]")
@click.option("--group", metavar="NAME", help="The group; all that OLD has, if left out.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def replace(
    screen: Screen, disk: FileSystem, /, lab: Path, old: str, new: str | None, group: str | None
) -> None:
    """Let NEW, a new node of LAB, have the place of OLD, which may be down.

    NEW comes as a learner and takes the state. Then one change of the membership, by joint
    consensus, gives it the vote of OLD, so that the majority is never smaller (engine etcd has no
    such change: there NEW is promoted first, and OLD removed then). Where that was broken off, the
    same command goes on with it.

    \b
    Examples:
      walctl cluster member replace demo n3
      walctl cluster member replace demo leader n7 --group g2
    """
    found = opened(disk, lab)
    leaving = node_meant(disk, found, old, group=group)
    changed = members.replace(disk, found, group, leaving, new, note=noting(screen))
    screen.show(changed, text=render.changed_text, document=render.changed_document)
