"""`walctl cluster cas`."""

import os
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
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("cas", short_help="Store a value in a lab, if the key holds another.")
@lab_argument
@key_argument
@click.argument("words", metavar="[EXPECTED] VALUE", nargs=-1, required=True)
@click.option("--absent", "is_absent", is_flag=True, help="Only if there is no such key.")
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
    words: tuple[str, ...],
    is_absent: bool,
    group: str | None,
    via: str | None,
    timeout: float,
) -> None:
    """Store VALUE under KEY in LAB, which is up, if KEY holds EXPECTED (compare and swap).

    Exits 0 when it was done; 1 when it was certainly not done, and then prints what KEY holds, if
    anything (engine etcd does not tell); 4 when nobody can tell.

    \b
    Examples:
      walctl cluster cas demo colour blue green
      walctl cluster cas demo colour blue --absent
    """
    if len(words) != 2 - is_absent:
        raise click.UsageError("expected EXPECTED and VALUE, or --absent and VALUE alone.", ctx)
    *expected, value = map(os.fsencode, words)
    told(
        ctx,
        screen,
        disk,
        lab,
        lambda found, name, node: (
            lambda client: client.swap(
                words_of(found, key), expected[0] if expected else None, value, group=name, via=node
            )
        ),
        group=group,
        via=via,
        timeout=timeout,
    )
