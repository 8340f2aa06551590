"""`walctl cluster put`."""

import os
import sys
from pathlib import Path

import click

from walctl.cli.cluster_ask import (
    group_option,
    key_argument,
    timeout_option,
    told,
    via_option,
    words_of,
)
from walctl.cli.cluster_lab import lab_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.answers import Wait
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("put", short_help="Store a value in a lab.")
@lab_argument
@key_argument
@click.argument("value", metavar="VALUE|-")
@click.option(
    "--wait",
    type=click.Choice([each.value for each in Wait]),
    default=Wait.COMMIT.value,
    show_default=True,
    help="When it is told to be done: propose is what raftexample does, and may never happen.",
)
@group_option
@via_option
@timeout_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    lab: Path,
    key: str,
    value: str,
    wait: str,
    group: str | None,
    via: str | None,
    timeout: float,
) -> None:
    """Store VALUE (-: standard input, as it is) under KEY in LAB, which is up.

    Exits 0 when it was done; 1 when it was certainly not done; 4 when nobody can tell. In a lab of
    our own engine a key begins with a slash; one that does not gets it. The write stands in the
    lab's events, as one of `walctl cluster load` does, if it is of 512 KiB at most.

    \b
    Examples:
      walctl cluster put demo colour blue
      walctl cluster put demo blob - --via n2 < blob
    """
    data = sys.stdin.buffer.read() if value == "-" else os.fsencode(value)
    told(
        ctx,
        screen,
        disk,
        lab,
        lambda found, name, node: (
            lambda client: client.put(
                words_of(found, key), data, group=name, via=node, wait=Wait(wait)
            )
        ),
        group=group,
        via=via,
        timeout=timeout,
    )
