"""`walctl cluster start`."""

from walctl.cli.cluster_lab import node_command

command = node_command(
    "start",
    "Start a node.",
    """Start NODE of LAB, which does not run. Its directory is as it was left.

    \b
    Examples:
      walctl cluster start demo n2
    """,
)
