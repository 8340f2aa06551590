"""`walctl cluster restart`."""

from walctl.cli.cluster_lab import node_command

command = node_command(
    "restart",
    "End a node, if it runs, and start it.",
    """End NODE of LAB as its administrator does, if it runs, and start it again.

    \b
    Examples:
      walctl cluster restart demo follower
    """,
)
