"""`walctl cluster`: what is done with a whole Raft cluster; the table of its commands."""

from collections.abc import Mapping

import click

from walctl.cli.lazy import Commands, Lazy
from walctl.errors import ExitStatus

COMMANDS: Mapping[str, Lazy] = {
    "script": Lazy(
        "walctl.cli.cluster_script", "Run a Raft script, and print it with its actual outputs."
    ),
    "check": Lazy(
        "walctl.cli.cluster_check", "Judge whether a history of requests is linearizable."
    ),
}
"""Every command of the group, in the order of its help; adding one is one line."""


@click.group(
    "cluster",
    cls=Commands,
    table=COMMANDS,
    short_help="Play a Raft cluster, by script.",
    invoke_without_command=True,
    subcommand_metavar="COMMAND ...",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Play a Raft cluster: the algorithm that etcd's members run among themselves, step by step.

    `script` runs a text that says who does what when, and shows all that happens. `check` says
    whether the requests of clients, and what they were told, are linearizable.

    \b
    Examples:
      walctl cluster script election.txt
      walctl cluster check history.edn
      walctl cluster script --help
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(ExitStatus.USAGE)
