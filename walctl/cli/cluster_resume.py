"""`walctl cluster resume`."""

from walctl.cli.cluster_lab import node_command

command = node_command(
    "resume",
    "Let a paused node go on.",
    """Let NODE of LAB go on, which was paused (SIGCONT).

    \b
    Examples:
      walctl cluster resume demo n2
    """,
)
