"""`walctl cluster get`."""

from pathlib import Path

import click

from walctl.cli.cluster_ask import (
    ask_prefix,
    group_option,
    key_argument,
    read_option,
    timeout_option,
    told,
    via_option,
    words_of,
)
from walctl.cli.cluster_lab import lab_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.answers import Read
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("get", short_help="Read a value from a lab.")
@lab_argument
@key_argument
@click.option("--prefix", "is_prefix", is_flag=True, help="Every key that begins with KEY.")
@read_option
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
    is_prefix: bool,
    read: str,
    group: str | None,
    via: str | None,
    timeout: float,
) -> None:
    """Print what LAB, which is up, holds under KEY.

    Exits 0 with the value; 1 when there is no such key; 4 when there was no answer. What is no
    text is printed escaped; -o json has every byte. Our own engine lists keys as it stores them,
    %-escaped like URLs.

    \b
    Examples:
      walctl cluster get demo colour
      walctl cluster get demo colour --via n2 --read local
      walctl cluster get demo / --prefix -o json
    """
    if is_prefix:
        ask_prefix(
            ctx,
            screen,
            disk,
            lab,
            key,
            read=Read(read),
            group=group,
            via=via,
            timeout=timeout,
        )
    told(
        ctx,
        screen,
        disk,
        lab,
        lambda found, name, node: (
            lambda client: client.get(words_of(found, key), group=name, via=node, read=Read(read))
        ),
        group=group,
        via=via,
        timeout=timeout,
        is_read=True,
    )
