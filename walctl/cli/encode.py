"""`walctl encode`: rows of dump back to the bytes of records."""

import base64
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from walctl.cli.options import PATH, output, pass_disk, pass_screen
from walctl.errors import AccessError, ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.inspect.encode import Encoded, encode_lines, parse_seed, split_lines
from walctl.inspect.encode_request import Era
from walctl.render.screen import Screen

READ_BYTES = 1 << 20
NOTES_MAX = 10
"""Rows that differ and are told one by one; the others are counted."""

RAW = "raw"
STANDARD_INPUT = Path("-")

PARTS: dict[str, Callable[[Encoded], bytes]] = {
    "frame": lambda found: found.frame,
    "record": lambda found: found.record,
    "data": lambda found: found.body.data or b"",
    "payload": lambda found: found.body.payload or b"",
}


@click.command("encode", short_help="Make the bytes of records from rows of dump.")
@click.argument("path", type=PATH, default=STANDARD_INPUT, metavar="[FILE|-]")
@click.option(
    "--part",
    type=click.Choice(list(PARTS)),
    default="frame",
    show_default=True,
    help="What to print of each record: `frame` (length field, record, padding), `record`, `data`"
    " (what its checksum covers), or `payload` (an entry's own bytes).",
)
@click.option(
    "--seed",
    metavar="CRC",
    help="The checksum in front of the first record (decimal, or hex as 0x…). All rows make one"
    " chain then. Without it the rows' own checksums say where a chain begins.",
)
@click.option(
    "--era",
    type=click.Choice([str(era) for era in Era]),
    default=str(Era.GOGO),
    show_default=True,
    help="Write as etcd up to 3.6 does, or as from 3.7 on.",
)
@output("hex", "base64", RAW)
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    path: Path,
    part: str,
    seed: str | None,
    era: str,
) -> None:
    """Make the bytes of records again from the rows that `walctl dump -o ndjson` prints.

    Reads FILE, or standard input, and prints one record a line; with -o raw the bytes alone, so
    that the rows of a whole segment give its bytes to the end of its records. It only prints: no
    log is ever written into.

    An entry's bytes come from its `data`, or, where that is missing, from its `request` (etcd's
    requests and changes of membership; ids in hex, bytes as `data` in base64 or as `text`). So
    leave `data` out to have an edited request built. Rows have to be dumped with --redact none,
    or what is hidden in them cannot be made.

    Exits 1 when a record is not byte for byte the one that its row came from, as far as its
    checksum and length tell, or when rows of damage were left out; each is named on standard
    error. Exits 2 at a row that says no record.

    \b
    Examples:
      walctl encode rows.ndjson
      walctl dump default.etcd --redact none -o ndjson | walctl encode -o raw > segment
      jq -c 'del(.data,.text) | .request.put.value = "new"' rows.ndjson | walctl encode
    """
    seed_crc = None if seed is None else parse_seed(seed)
    if screen.output == RAW and sys.stdout.isatty():
        raise UsageError("raw bytes would reach the terminal: send them elsewhere, or take -o hex")
    lines = split_lines(_standard_input() if path == STANDARD_INPUT else _chunks(disk, path))
    notes = _Notes(screen)
    for found in encode_lines(lines, seed=seed_crc, era=Era(era)):
        if not isinstance(found, Encoded):
            notes.add(found.line, f"left out, as it is no record: {found.kind}")
            continue
        _print(screen, PARTS[part](found))
        if found.note is not None:
            notes.add(found.line, found.note)
    ctx.exit(notes.done())


def _print(screen: Screen, data: bytes) -> None:
    if screen.output == RAW:
        sys.stdout.buffer.write(data)
    elif screen.output == "hex":
        screen.line(data.hex())
    else:
        screen.line(base64.b64encode(data).decode("ascii"))


class _Notes:
    """What differs, told as it comes, but not without end."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._count = 0

    def add(self, line: int, text: str) -> None:
        """One more."""
        self._count += 1
        if self._count <= NOTES_MAX:
            self._screen.error(f"line {line}: {text}")

    def done(self) -> ExitStatus:
        """What the command ends with."""
        if self._count > NOTES_MAX:
            self._screen.error(f"and {self._count - NOTES_MAX} more lines")
        return ExitStatus.DAMAGE if self._count else ExitStatus.CLEAN


def _standard_input() -> Iterator[bytes]:
    stream = sys.stdin
    if stream is None:  # closed by the caller
        return
    try:
        while chunk := stream.buffer.readline(READ_BYTES):
            yield chunk
    except OSError as error:
        raise AccessError(f"standard input: {error.strerror}") from error


def _chunks(disk: FileSystem, path: Path) -> Iterator[bytes]:
    offset = 0
    with disk.open(path) as file:
        while chunk := file.read_at(offset, READ_BYTES):
            yield chunk
            offset += len(chunk)
