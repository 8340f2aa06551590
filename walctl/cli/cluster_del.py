"""`walctl cluster del`."""

import click

from walctl.cli.cluster_ask import Question, asks, key_argument
from walctl.cli.cluster_lab import lab_argument


@click.command("del", short_help="Take a key away from a lab.")
@lab_argument
@key_argument
@asks
def command(question: Question) -> None:
    """Take KEY away from LAB, which is up; a key that is not there is no failure.

    Exits 0 when it was done; 1 when it was certainly not done; 4 when nobody can tell.

    \b
    Examples:
      walctl cluster del demo colour
    """
    question.write(lambda client, key, group, via: client.delete(key, group=group, via=via))
