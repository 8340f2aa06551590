"""`walctl cluster`: what is done with a whole Raft cluster; the table of its commands."""

from collections.abc import Mapping

import click

from walctl.cli.lazy import Commands, Lazy
from walctl.errors import ExitStatus

COMMANDS: Mapping[str, Lazy] = {
    "new": Lazy("walctl.cli.cluster_new", "Make a lab: a folder for a cluster on this machine."),
    "up": Lazy("walctl.cli.cluster_up", "Start a lab's nodes, and watch them."),
    "down": Lazy("walctl.cli.cluster_down", "End everything that a lab started."),
    "rm": Lazy("walctl.cli.cluster_rm", "Remove a lab that is down, with all its files."),
    "status": Lazy("walctl.cli.cluster_status", "Show how a lab's nodes stand."),
    "logs": Lazy("walctl.cli.cluster_logs", "Print what a lab's nodes printed."),
    "events": Lazy("walctl.cli.cluster_events", "Print what happened in a lab."),
    "start": Lazy("walctl.cli.cluster_start", "Start a node."),
    "kill": Lazy("walctl.cli.cluster_kill", "End a node as a power cut does to a process."),
    "pause": Lazy("walctl.cli.cluster_pause", "Let a node stand still."),
    "resume": Lazy("walctl.cli.cluster_resume", "Let a paused node go on."),
    "restart": Lazy("walctl.cli.cluster_restart", "End a node, if it runs, and start it."),
    "wipe": Lazy("walctl.cli.cluster_wipe", "Remove a node's directory."),
    "keep": Lazy("walctl.cli.cluster_keep", "Keep a copy of a node's directory, for rewind."),
    "rewind": Lazy(
        "walctl.cli.cluster_rewind", "Put an older copy in the place of a node's directory."
    ),
    "member": Lazy("walctl.cli.cluster_member", "List, add, promote, replace and remove members."),
    "transfer": Lazy("walctl.cli.cluster_transfer", "Hand the lead to another node."),
    "campaign": Lazy("walctl.cli.cluster_campaign", "Let a node try to become leader."),
    "snapshot": Lazy("walctl.cli.cluster_snapshot", "Let a node make a snapshot."),
    "compact": Lazy("walctl.cli.cluster_compact", "Let a node forget old entries."),
    "group": Lazy("walctl.cli.cluster_group", "List, add, move and drop Raft groups."),
    "net": Lazy("walctl.cli.cluster_net", "Break links between nodes, and heal them."),
    "disk": Lazy("walctl.cli.cluster_disk", "Let a node's disk fail, or damage its files."),
    "clock": Lazy("walctl.cli.cluster_clock", "Let a node's clock go wrong, and right again."),
    "nemesis": Lazy("walctl.cli.cluster_nemesis", "Break a lab in many ways, drawn from a seed."),
    "run": Lazy("walctl.cli.cluster_run", "Play a scenario, with real processes or simulated."),
    "sim": Lazy("walctl.cli.cluster_sim", "Run a whole cluster under a simulated clock."),
    "replay": Lazy("walctl.cli.cluster_replay", "Play a simulated run again, from its trace."),
    "shrink": Lazy("walctl.cli.cluster_shrink", "Make a failing simulated run small."),
    "scenarios": Lazy(
        "walctl.cli.cluster_scenarios", "List the scenarios that come with walctl, and play them."
    ),
    "supervise": Lazy(
        "walctl.cli.cluster_supervise", "Run a lab's nodes until told to end.", is_hidden=True
    ),
    "put": Lazy("walctl.cli.cluster_put", "Store a value in a lab."),
    "get": Lazy("walctl.cli.cluster_get", "Read a value from a lab."),
    "del": Lazy("walctl.cli.cluster_del", "Take a key away from a lab."),
    "cas": Lazy("walctl.cli.cluster_cas", "Store a value in a lab, if the key holds another."),
    "load": Lazy("walctl.cli.cluster_load", "Let clients ask a lab, and write down what they see."),
    "from": Lazy(
        "walctl.cli.cluster_from", "Make a lab of copies of real members, closed to the outside."
    ),
    "node": Lazy("walctl.cli.cluster_node", "Be one node of a lab.", is_hidden=True),
    "script": Lazy(
        "walctl.cli.cluster_script", "Run a Raft script, and print it with its actual outputs."
    ),
    "check": Lazy(
        "walctl.cli.cluster_check", "Judge whether a history of requests is linearizable."
    ),
    "diagram": Lazy(
        "walctl.cli.cluster_diagram", "Draw a trace: nodes, messages, roles, faults and requests."
    ),
    "export": Lazy(
        "walctl.cli.cluster_export", "Put a lab into one file, or its history into another format."
    ),
}
"""Every command of the group, in the order of its help; adding one is one line."""


@click.group(
    "cluster",
    cls=Commands,
    table=COMMANDS,
    short_help="Run a Raft cluster on this machine, and break it.",
    invoke_without_command=True,
    subcommand_metavar="COMMAND ...",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run a Raft cluster on this machine: real processes with real directories, in a lab.

    A lab is one folder. `new` makes it, `up` starts its nodes, and everything that is done to it
    and that happens in it is in one event file. `script` plays the algorithm alone, step by step,
    with no process and no clock.

    \b
    Examples:
      walctl cluster new demo --engine etcd
      walctl cluster up demo -d
      walctl cluster kill demo leader
      walctl cluster script election.txt
      walctl cluster check history.edn
      walctl cluster script --help
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(ExitStatus.USAGE)
