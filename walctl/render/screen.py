"""Screen: the one object that commands hand their results to; how a kind of result looks is in
the module named after it.

Data goes to stdout, everything else to stderr. JSON never passes through rich, which would wrap
it at the width of a pipe. Streams, width and colour are handed in (the command line works them
out), so that output does not depend on where a test runs.
"""

import codecs
import enum
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TextIO, TypeVar

from walctl.render.text import printable

if TYPE_CHECKING:  # rich takes 0.1 s to import: only those who draw pay for it
    from rich.console import Console
    from rich.progress import Progress

WIDTH_PIPED = 80
WIDTH_MIN = 20
BYTES_PAST_MIN = 1 << 16
"""Bytes from which on it is worth while to go past the encoding of a stream."""
PROGRESS_STEPS_MIN = 4
"""Steps from which on a job is long enough for a progress bar."""

Result = TypeVar("Result")


class Output(enum.StrEnum):
    """The shape of what goes to stdout; a command offers those that it can fill."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"


class Screen:
    """Where results go.

    `width` is in columns. `output` is one of `Output`, or another word that a single command
    offers (a format of its own). With `quiet`, text, notes and progress are left out; JSON that
    was asked for and errors are not.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        *,
        output: str = Output.TEXT,
        width: int = WIDTH_PIPED,
        colour: bool = False,
        progress_shown: bool = False,
        quiet: bool = False,
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.output = output
        self.width = max(width, WIDTH_MIN)
        self.colour = colour
        self.quiet = quiet
        self._progress_shown = progress_shown and not quiet
        self._bar: Progress | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees what goes to stdout as it comes."""
        return self.stdout.isatty()

    @property
    def is_shared(self) -> bool:
        """Whether a process that was forked writes to the same stdout; one in memory is copied."""
        try:
            return self.stdout.fileno() >= 0
        except (OSError, ValueError):
            return False

    def show(
        self,
        result: Result,
        *,
        text: Callable[["Screen", Result], None],
        document: Callable[[Result], object],
    ) -> None:
        """Show one result: `text` draws it, `document` turns it into what JSON can hold."""
        if self.output == Output.JSON:
            self.show_json(document(result))
        elif self.output == Output.NDJSON:
            self.row(document(result))
        else:
            text(self, result)

    def show_json(self, document: object) -> None:
        """One JSON document, indented, ASCII only, with a newline at its end."""
        self.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")

    def row(self, document: object) -> None:
        """One line of newline-delimited JSON, ASCII only."""
        self.stdout.write(json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n")

    def show_stream(self, name: str, rows: Iterable[object]) -> None:
        """One JSON document whose list `name` is written row by row, as the rows come."""
        self.stdout.write('{"v":1,' + json.dumps(name) + ":[")
        for number, row in enumerate(rows):
            self.stdout.write(",\n" if number else "\n")
            self.stdout.write(json.dumps(row, separators=(",", ":"), allow_nan=False))
        self.stdout.write("\n]}\n")

    def write_lines(self, lines: bytes) -> None:
        """Lines that were made elsewhere, as they are: UTF-8 with a newline at each end."""
        if self.quiet and self.output == Output.TEXT:
            return
        buffer = getattr(self.stdout, "buffer", None)
        if buffer is None or len(lines) < BYTES_PAST_MIN or not _is_utf8(self.stdout):
            self.stdout.write(lines.decode("utf-8"))
            return
        self.stdout.flush()
        buffer.write(lines)

    def flush(self) -> None:
        """Hand on what is still waiting here."""
        self.stdout.flush()

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """One line of text, never wrapped; whatever is not printable is escaped.

        `style` is rich's (`bold red`) and is left out without colour.
        """
        if self.quiet:
            return
        text = printable(text)
        if style is None or not self.colour:
            self.stdout.write(text + "\n")
            return
        from rich.text import Text

        self.console.print(Text(text, style=style), soft_wrap=True)

    @cached_property
    def console(self) -> "Console":
        """rich's console on stdout at our width: markup, emoji codes and highlighting are off.

        What it is given must have been through `render.text`. With `quiet` it prints nothing.
        """
        return self._console(self.stdout, colour=self.colour)

    @cached_property
    def live_console(self) -> "Console":
        """The same for what changes in place; only where `is_terminal`."""
        return self._console(self.stdout, colour=self.colour, is_live=True)

    def note(self, text: str) -> None:
        """One line to stderr that is no error, such as what is being read; not when quiet."""
        if not self.quiet:
            self.stderr.write(printable(text) + "\n")

    def error(self, text: str) -> None:
        """One line to stderr, even when quiet."""
        self.stdout.flush()  # on a terminal the error stands below what came before it
        self.stderr.write(f"walctl: {printable(text)}\n")

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """A progress bar on stderr while the block runs; call what it gives with (done, total).

        Nothing is shown unless stderr is a terminal, and nothing for a job of a few steps: the
        bar is only made when it is first called with a `total` of `PROGRESS_STEPS_MIN` or more.
        """
        bar: Progress | None = None

        def step(done: int, total: int) -> None:
            nonlocal bar
            if not self._progress_shown or total < PROGRESS_STEPS_MIN:
                return
            if bar is None:
                from rich.progress import Progress

                console = self._console(self.stderr, colour=self.colour)
                bar = Progress(console=console, transient=True)
                bar.add_task(printable(label), total=total)
                bar.start()
                self._bar = bar
            bar.update(bar.task_ids[0], completed=done)

        try:
            yield step
        finally:
            if bar is not None:
                self._bar = None
                bar.stop()

    @contextmanager
    def above_progress(self) -> Iterator[None]:
        """The progress bar, where there is one, makes room for lines that the block prints."""
        bar = self._bar
        if bar is not None:
            bar.stop()
        try:
            yield
        finally:
            if bar is not None:
                self.stdout.flush()
                bar.start()

    def _console(self, stream: TextIO, *, colour: bool, is_live: bool = False) -> "Console":
        from rich.console import Console

        is_live = is_live or (stream is self.stderr and self._progress_shown)
        return Console(
            file=stream,
            width=self.width,
            color_system="standard" if colour else None,
            no_color=not colour,
            force_terminal=colour or is_live,
            force_interactive=is_live,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
            quiet=self.quiet,
        )


def _is_utf8(stream: TextIO) -> bool:
    """Whether the stream writes texts as UTF-8, so that bytes may go past it."""
    try:
        return codecs.lookup(stream.encoding or "").name == "utf-8"
    except LookupError:
        return False
