"""`walctl cluster cas`."""

import os

import click

from walctl.cli.cluster_ask import Question, asks, key_argument
from walctl.cli.cluster_lab import lab_argument


@click.command("cas", short_help="Store a value in a lab, if the key holds another.")
@lab_argument
@key_argument
@click.argument("words", metavar="[EXPECTED] VALUE", nargs=-1, required=True)
@click.option("--absent", "is_absent", is_flag=True, help="Only if there is no such key.")
@asks
def command(question: Question, words: tuple[str, ...], is_absent: bool) -> None:
    """Store VALUE under KEY in LAB, which is up, if KEY holds EXPECTED (compare and swap).

    Exits 0 when it was done; 1 when it was certainly not done, and then prints what KEY holds, if
    anything (engine etcd does not tell); 4 when nobody can tell.

    \b
    Examples:
      walctl cluster cas demo colour blue green
      walctl cluster cas demo colour blue --absent
    """
    if len(words) != 2 - is_absent:
        raise click.UsageError(
            "expected EXPECTED and VALUE, or --absent and VALUE alone.", question.ctx
        )
    *expected, value = map(os.fsencode, words)
    question.write(
        lambda client, key, group, via: client.swap(
            key, expected[0] if expected else None, value, group=group, via=via
        )
    )
