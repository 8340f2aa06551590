"""`walctl cluster group`: the groups of a lab."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, node_meant, noting, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cli.world import writable
from walctl.cluster import group_commands
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.render import cluster_operating as render
from walctl.render.screen import Screen


@click.group(
    "group",
    short_help="List, add, move and drop Raft groups.",
    invoke_without_command=True,
    subcommand_metavar="COMMAND ...",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """See which Raft groups a lab that is up has, and change that. Engine walctl alone has several.

    Each group has a log of its own on each of its nodes, in LAB/NODE/GROUP.

    \b
    Examples:
      walctl cluster group list demo
      walctl cluster group add demo g2 --on n1,n2,n3
      walctl cluster group move demo g2 --from n1 --to n4
      walctl cluster group drop demo g2
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(ExitStatus.USAGE)


@command.command("list", short_help="List the groups of a lab.")
@lab_argument
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def list_groups(screen: Screen, disk: FileSystem, /, lab: Path) -> None:
    """List the groups of LAB: the nodes that hold them, and who leads.

    \b
    Examples:
      walctl cluster group list demo
    """
    rows = group_commands.listed(disk, opened(disk, lab))
    screen.show(rows, text=render.groups_text, document=render.groups_document)


@command.command("add", short_help="Let a new group begin.")
@lab_argument
@click.argument("group", metavar="GROUP")
@click.option("--on", "nodes", metavar="NODE,...", required=True, help="The nodes it begins on.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def add(screen: Screen, disk: FileSystem, /, lab: Path, group: str, nodes: str) -> None:
    """Let a new group of LAB, called GROUP, begin on nodes that run; they are its first voters.

    \b
    Examples:
      walctl cluster group add demo g2 --on n1,n2,n3
    """
    names = [each.strip() for each in nodes.split(",") if each.strip()]
    if not names:
        raise click.UsageError("--on: expected names of nodes, with commas between them")
    changed = group_commands.begin(disk, opened(disk, lab), group, names, note=noting(screen))
    screen.show(changed, text=render.changed_text, document=render.changed_document)


@command.command("move", short_help="Move a group from one node to another.")
@lab_argument
@click.argument("group", metavar="GROUP")
@click.option("--from", "source", metavar="NODE", required=True, help="The node that it leaves.")
@click.option("--to", "target", metavar="NODE", required=True, help="The node that gets it.")
@click.option("--delete", "is_delete", is_flag=True, help="Remove the directory that it leaves.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def move(
    screen: Screen,
    disk: FileSystem,
    /,
    lab: Path,
    group: str,
    source: str,
    target: str,
    is_delete: bool,
) -> None:
    """Move the member of GROUP that one node of LAB has to another, while it is written to.

    The new member comes as a learner and takes the state. Then one change of the membership, by
    joint consensus, gives it the vote of the old one, whose member ends. No write is lost or done
    twice, and clients find the group at its new place. Where the move was broken off, wherever that
    was, the same command goes on with it.

    The directory that is left behind stays, and is used again if the group comes back.

    \b
    Examples:
      walctl cluster group move demo g2 --from n1 --to n4
      walctl cluster group move demo g2 --from n1 --to n4 --delete
    """
    found = opened(disk, lab)
    changed = group_commands.move(
        writable(disk),
        found,
        group,
        node_meant(disk, found, source, group=group),
        target,
        is_delete=is_delete,
        note=noting(screen),
    )
    screen.show(changed, text=render.changed_text, document=render.changed_document)


@command.command("drop", short_help="End a group.")
@lab_argument
@click.argument("group", metavar="GROUP")
@click.option("--delete", "is_delete", is_flag=True, help="Remove its directories as well.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def drop(screen: Screen, disk: FileSystem, /, lab: Path, group: str, is_delete: bool) -> None:
    """End all members of GROUP of LAB. Its directories stay, unless --delete is given; its
    name is not given again, as the history of its clients is under it.

    \b
    Examples:
      walctl cluster group drop demo g2
      walctl cluster group drop demo g2 --delete
    """
    changed = group_commands.drop(
        writable(disk), opened(disk, lab), group, is_delete=is_delete, note=noting(screen)
    )
    screen.show(changed, text=render.changed_text, document=render.changed_document)
