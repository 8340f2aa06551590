"""`walctl cluster node`: one node's process, as the supervisor starts it; nothing for people."""

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from walctl.cli.options import PATH, pass_disk
from walctl.cli.world import writable
from walctl.cluster.node_life import live
from walctl.errors import AccessError
from walctl.fs.base import FileSystem


@click.command("node", hidden=True, short_help="Be one node of a lab.")
@click.argument("lab", type=PATH)
@click.argument("name")
@pass_disk
def command(disk: FileSystem, lab: Path, name: str) -> None:
    """Be one node of a lab, until standard input ends: what `walctl cluster up` starts.

    \b
    Examples:
      walctl cluster node LAB n1
    """
    if sys.stdin is None:
        raise AccessError("standard input is closed")
    live(writable(disk), lab, name, tell=_tell, standing_input=sys.stdin)


def _tell(event: Mapping[str, Any]) -> None:
    """A line that the supervisor reads; where it has gone, so will we."""
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")
        sys.stdout.flush()
