"""Programs that are asked one line at a time: the process behind a decoder of somebody else.

A `LineProcess` writes one line and waits for one. What may go wrong is the program's to do and
ours to survive: it can hang, die, print too much, close a pipe, or fill its standard error while
we still write. So nothing is ever written to or read from a pipe that has not said it is ready,
all three pipes are looked after at the same time, and every wait has an end.

The program has no shell around it. It is started when it is asked first, its standard error is
kept for the message of an error (only the end of it), and it is ended by its process id: its
input is closed, then it is told to terminate, then it is killed, and each time it is waited for.
It has a process group of its own, so that Ctrl-C reaches us first and we end it.

There is no clock here: `timeout_seconds` bounds each silence of the program while an answer is
due, not the answer as a whole.
"""

import select
import selectors
import shlex
import subprocess
import weakref
from collections.abc import Sequence
from pathlib import PurePath
from types import TracebackType
from typing import IO, Self, cast

from walctl.errors import UsageError
from walctl.payload.errors import DecoderError, shown

TIMEOUT_SECONDS = 10.0
"""Longest silence of a program while an answer is due."""
LINE_BYTES_MAX = 64 << 20
"""Longest answer; as long as the longest record that is read."""
END_SECONDS = 1.0
"""How long a program may take to end after each way of telling it to."""
READ_BYTES = 1 << 16
LAST_WORDS_BYTES = 4096
"""How much of the end of standard error is kept."""
LAST_READS_MAX = 64
"""How often standard error is read for the last words; a program may print for ever."""


def split_command(command: str) -> tuple[str, ...]:
    """The words of a command line as a shell would split it; nothing in it is expanded.

    Raises: UsageError.
    """
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"decoder command {shown(command)}: {str(error).lower()}") from error
    if not words or not words[0]:
        raise UsageError("the decoder command is empty")
    if "\0" in command:
        raise UsageError(f"decoder command {shown(command)}: a word cannot hold a zero byte")
    return words


class LineProcess:
    """A program that answers every line with one line.

    Not for two threads, and it does not pickle. Use it in a `with` block, or `close` it; when it
    is forgotten, it is ended with us.
    """

    def __init__(self, argv: Sequence[str], *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._argv = tuple(argv)
        self._timeout_seconds = timeout_seconds
        self._child: _Child | None = None
        self._failure: str | None = None

    @property
    def name(self) -> str:
        """The program's name without its folder."""
        return PurePath(self._argv[0]).name or self._argv[0]

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return None if self._child is None else self._child.process.pid

    def ask(self, line: bytes) -> bytes:
        """The program's answer to `line`; neither has its newline.

        Whatever interrupts this ends the program, Ctrl-C included: an answer that comes after
        its question was given up would be taken for that of the next.
        Raises: DecoderError, which it will repeat when asked again.
        """
        assert b"\n" not in line
        if self._failure is not None:
            raise DecoderError(self._failure)
        if self._child is None:
            self._child = self._start()
        answer = None
        try:
            answer = self._child.exchange(line + b"\n", self._timeout_seconds)
        except _BrokenError as error:
            self._failure = self._described(error)
            raise DecoderError(self._failure) from error
        finally:
            if answer is None:
                self.close(is_patient=False)
        return answer

    def close(self, *, is_patient: bool = True) -> None:
        """End the program and wait for it; asking again would start it anew.

        A patient close lets it end by itself, since its input has ended.
        """
        if self._child is not None:
            child, self._child = self._child, None
            child.end(is_patient)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(is_patient=error is None)

    def _start(self) -> "_Child":
        try:
            return _Child(self._argv)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._failure = f"decoder {shown(self._argv[0])} cannot be started: {reason}"
            raise DecoderError(self._failure) from error

    def _described(self, error: "_BrokenError") -> str:
        """One line: which program, what it did, how it ended, and its last words."""
        child = self._child
        assert child is not None
        message = f"decoder {shown(self.name)} {error}"
        if error.is_ending:
            message += f"; {child.outcome()}"
        words = child.last_words()
        return f"{message}; it said {shown(words)}" if words else message


class _BrokenError(Exception):
    """The conversation with the program is over; never leaves this module."""

    def __init__(self, message: str, *, is_ending: bool = False) -> None:
        super().__init__(message)
        self.is_ending = is_ending


class _Child:
    """The running program and its three pipes."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        # Popen's pipes are raw files when nothing is buffered.
        self._stdin = cast(IO[bytes], self.process.stdin)
        self._stdout = cast(IO[bytes], self.process.stdout)
        self._stderr = cast(IO[bytes], self.process.stderr)
        self._selector = selectors.PollSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        self._said = b""
        self._is_mute = False
        self._finalizer = weakref.finalize(self, _end, self.process, is_patient=False)

    def exchange(self, line: bytes, timeout_seconds: float) -> bytes:
        """Write all of `line` and read one, as the pipes allow."""
        unasked = self._read(timeout_seconds=0)
        if unasked:
            raise _BrokenError(f"printed {shown(unasked)} that it was not asked for")
        waiting = memoryview(line)
        pieces: list[bytes] = []
        total = 0
        self._selector.register(self._stdin, selectors.EVENT_WRITE)
        try:
            while True:
                ready = {key.fileobj for key, _ in self._selector.select(timeout_seconds)}
                if not ready:
                    raise _BrokenError(f"has not answered for {timeout_seconds:g} seconds")
                if self._stderr in ready:
                    self._listen()
                if self._stdin in ready:
                    # A pipe that is ready takes as much as this without waiting, and no more.
                    waiting = waiting[self._write(waiting[: select.PIPE_BUF]) :]
                    if not waiting:
                        self._selector.unregister(self._stdin)
                if self._stdout in ready:
                    piece = self._heard()
                    pieces.append(piece)
                    total += len(piece)
                    if b"\n" in piece:
                        return self._answer(b"".join(pieces), is_early=bool(waiting))
                    if total > LINE_BYTES_MAX:
                        raise _BrokenError(
                            f"printed a line of more than {LINE_BYTES_MAX:,} bytes, beginning "
                            f"with {shown(pieces[0])}"
                        )
        finally:
            if self._stdin in self._selector.get_map():
                self._selector.unregister(self._stdin)

    def outcome(self) -> str:
        """How the program ended, once it did; it may take a moment to."""
        try:
            status = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return "it still runs"
        return f"it ended {f'with status {status}' if status >= 0 else f'by signal {-status}'}"

    def last_words(self) -> bytes:
        """The last line of standard error that says something, as far as it has been printed."""
        for _ in range(LAST_READS_MAX):
            if self._is_mute or not self._is_ready(self._stderr):
                break
            self._listen()
        lines = [each.strip() for each in self._said.splitlines()]
        return next((each for each in reversed(lines) if each), b"")

    def end(self, is_patient: bool) -> None:
        """See `LineProcess.close`."""
        self._finalizer.detach()
        self._selector.close()
        _end(self.process, is_patient=is_patient)

    def _write(self, piece: memoryview) -> int:
        try:
            return self._stdin.write(piece) or 0
        except BrokenPipeError as error:
            raise _BrokenError("reads no more", is_ending=True) from error

    def _heard(self) -> bytes:
        piece = self._stdout.read(READ_BYTES)
        if not piece:
            raise _BrokenError("closed its output before it answered", is_ending=True)
        return piece

    def _listen(self) -> None:
        """Keep the end of what standard error says, so that the program never waits for us."""
        piece = self._stderr.read(READ_BYTES)
        self._said = (self._said + piece)[-LAST_WORDS_BYTES:]
        if not piece:
            self._selector.unregister(self._stderr)
            self._is_mute = True

    def _read(self, *, timeout_seconds: float) -> bytes:
        """What is on standard output already; asked before a question, it should be nothing."""
        ready = {key.fileobj for key, _ in self._selector.select(timeout_seconds)}
        if self._stderr in ready:
            self._listen()
        return self._heard() if self._stdout in ready else b""

    def _is_ready(self, pipe: IO[bytes]) -> bool:
        return any(key.fileobj is pipe for key, _ in self._selector.select(0))

    def _answer(self, text: bytes, *, is_early: bool) -> bytes:
        line, _, rest = text.partition(b"\n")
        if rest or is_early:
            raise _BrokenError(f"printed {shown(rest or line)} that it was not asked for")
        if len(line) > LINE_BYTES_MAX:
            raise _BrokenError(f"printed a line of {len(line):,} bytes: {shown(line)}")
        return line.removesuffix(b"\r")


def _end(process: "subprocess.Popen[bytes]", *, is_patient: bool) -> None:
    """End the program by its id and wait until it is gone."""
    try:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        if is_patient and _is_gone(process):
            return
        process.terminate()
        if _is_gone(process):
            return
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()


def _is_gone(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True
