"""`walctl cluster pause`."""

from walctl.cli.cluster_lab import node_command

command = node_command(
    "pause",
    "Let a node stand still.",
    """Let NODE of LAB stand still (SIGSTOP), until `resume`.

    It keeps its connections, and answers nobody: to the others that is a slow node, not a dead one.

    \b
    Examples:
      walctl cluster pause demo leader
    """,
)
