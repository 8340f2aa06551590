"""`walctl explain`: one page of words, what is behind a server's message, or the list of both."""

import codecs
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from walctl.cli.options import PATH, output, pass_judged_disk, pass_screen, split_layout
from walctl.errors import AccessError, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.explain import STANDARD_INPUT, explain_message, groups, page_of
from walctl.inspect.panics import PAGES, Where
from walctl.render import explain as render
from walctl.render import panic as render_panic
from walctl.render.screen import Screen

READ_BYTES = 1 << 20


@click.command(
    "explain", short_help="Tell what a code, an exit status or a server's message means."
)
@click.argument("topic", required=False, metavar="[CODE | STATUS | 'TEXT' | -]")
@click.argument("path", required=False, type=PATH, metavar="[PATH]")
@split_layout
@output("text", "json")
@pass_judged_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    topic: str | None,
    path: Path | None,
    wal_dir: Path | None,
    snap_dir: Path | None,
) -> None:
    """Tell what a finding's code, an exit status or a server's message means: what was seen, why
    it happens, what is lost, what to do, and what not to do.

    CODE is the word in front of a finding, such as torn-tail. STATUS is a number that walctl
    ended with, such as 3 or exit-3. TEXT is what etcd, k3s, Swarm, Fabric or Dgraph said before
    it ended: a panic, a line of its log, several lines, in quotes. With - a whole log is read
    from standard input, and the gravest message in it that is known is explained. Without
    anything, all of them are listed with one line each.

    With PATH, the directory of the member that said it, the numbers in the text and every cause
    are held against what the directory holds, and what a start would say now is foretold.
    Nothing in it is changed. The exit status is 0 when the text is explained, whatever PATH
    holds; 2 when it is not known.

    \b
    Examples:
      walctl explain crc-mismatch
      walctl explain 3
      walctl explain 'tocommit(458) is out of range [lastIndex(3)]' default.etcd
      journalctl -u etcd -n 100000 | walctl explain - /var/lib/etcd
      walctl explain db-ahead -o json
    """
    if topic is None:
        listed = (groups(), PAGES)
        screen.show(listed, text=render_panic.listing, document=render_panic.listing_document)
        return
    page = page_of(topic)
    if page is None:
        pieces = _standard_input(screen) if topic == STANDARD_INPUT else iter([topic])
        where = Where(path=path, wal_dir=wal_dir, snap_dir=snap_dir) if path else None
        report = explain_message(disk, topic, pieces, where)
        screen.show(report, text=render_panic.screenful, document=render_panic.document)
    elif path is not None:
        raise UsageError(f"{page.topic}: a path goes with a message; try walctl doctor {path}")
    else:
        screen.show(page, text=render.page, document=render.document)


def _standard_input(screen: Screen) -> Iterator[str]:
    """What comes on standard input, in pieces; bytes that are no UTF-8 become marks.

    A directory there (`< DIRECTORY`) ends Python itself, with words of its own and status 1,
    before anything of ours runs.

    Raises: AccessError when it is closed or does not read.
    """
    if sys.stdin is None:
        raise AccessError("standard input is closed")
    if sys.stdin.isatty():
        screen.note("paste the text, then Ctrl-D on a line of its own")
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        while piece := sys.stdin.buffer.read(READ_BYTES):
            yield decoder.decode(piece)
    except OSError as error:
        raise AccessError(f"standard input: {error.strerror or error}") from error
    yield decoder.decode(b"", final=True)
