"""`walctl cluster put`."""

import os
import sys

import click

from walctl.cli.cluster_ask import Question, asks, key_argument
from walctl.cli.cluster_lab import lab_argument
from walctl.cluster.answers import Wait


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
@asks
def command(question: Question, value: str, wait: str) -> None:
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
    question.write(
        lambda client, key, group, via: client.put(key, data, group=group, via=via, wait=Wait(wait))
    )
