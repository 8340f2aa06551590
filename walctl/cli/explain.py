"""`walctl explain`: one page of words, or the list of pages."""

import click

from walctl.cli.options import output, pass_screen
from walctl.inspect.explain import explain, groups
from walctl.render import explain as render
from walctl.render.screen import Screen


@click.command("explain", short_help="Tell what a code or an exit status means.")
@click.argument("topic", required=False, metavar="[CODE | STATUS]")
@output("text", "json")
@pass_screen
def command(screen: Screen, /, topic: str | None) -> None:
    """Tell what a finding's code or an exit status means: what was seen, why it happens, what
    etcd of each version does with it, what is lost, what to do, and what not to do.

    CODE is the word in front of a finding, such as torn-tail. STATUS is a number that walctl
    ended with, such as 3 or exit-3. Without either, all of them are listed with one line each.

    \b
    Examples:
      walctl explain crc-mismatch
      walctl explain 3
      walctl explain db-ahead -o json
    """
    if topic is None:
        screen.show(groups(), text=render.listing, document=render.listing_document)
    else:
        screen.show(explain(topic), text=render.page, document=render.document)
