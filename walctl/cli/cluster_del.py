"""`walctl cluster del`."""

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


@click.command("del", short_help="Take a key away from a lab.")
@lab_argument
@key_argument
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
    group: str | None,
    via: str | None,
    timeout: float,
) -> None:
    """Take KEY away from LAB, which is up; a key that is not there is no failure.

    Exits 0 when it was done; 1 when it was certainly not done; 4 when nobody can tell.

    \b
    Examples:
      walctl cluster del demo colour
    """
    told(
        ctx,
        screen,
        disk,
        lab,
        lambda found, name, node: (
            lambda client: client.delete(words_of(found, key), group=name, via=node)
        ),
        group=group,
        via=via,
        timeout=timeout,
    )
