"""What can go wrong with a disk in memory, as data; and the end of a program at any of its calls.

A `Fault` is a call that the disk refuses: the program is told, and lives on. A `KillAt` is the end
of the program (SIGKILL): what was done stays, nothing more is done, and nobody is told. Both are
counted from the moment they are set, from 0.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.nodes import Call
from walctl.fs.words import IO_ERROR


class Killed(BaseException):
    """The program ends here. No `Exception`, as nothing may catch it and go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The call `number` (0: the next one) of these `calls` (none: of any) fails with `reason`.

    `is_lasting`: all after it as well.
    """

    number: int
    calls: frozenset[Call] = frozenset()
    reason: str = IO_ERROR
    is_lasting: bool = False


class KillAt:
    """Ends the program before its call `number`; an `on_call` of the disk in memory.

    Every later call ends it again: what a program does in a `finally` is not done by a dead one.
    Only `calls` are counted (none: all). `number` is `None` to count a whole run: `count` then
    says how many places to die there are.
    """

    def __init__(self, number: int | None = None, calls: Collection[Call] = ()) -> None:
        self.number = number
        self.calls = frozenset(calls)
        self.count = 0
        self.is_dead = False

    def __call__(self, call: Call, path: Path) -> None:
        """See the class."""
        if self.is_dead:
            raise Killed(f"{path}: {call} by a dead program")
        if self.calls and call not in self.calls:
            return
        if self.count == self.number:
            self.is_dead = True
            raise Killed(f"{path}: killed before {call}, call {self.count}")
        self.count += 1


class Traffic:
    """What programs ask of one disk: counted, told to whoever wants to know, and made to fail.

    `on_call(call, path)` is called before every call, which counts as not made if it raises, and
    may change the disk: what it does there itself is neither counted nor told. `calls` counts them
    (asking an open file for its ranges or locks is none, nor is closing it). `on_read(path,
    offset, size)` is called before every read of an open file as well; `reads` and `bytes_read`
    count what was asked for and given, holes included.
    """

    def __init__(self, on_read: Callable[[Path, int, int], None] | None = None) -> None:
        self.on_read = on_read
        self.on_call: Callable[[Call, Path], None] | None = None
        self.calls = 0
        self.reads = 0
        self.bytes_read = 0
        self.process = 0
        self._armed: list[_Armed] = []
        self._is_telling = False

    def fail_call(self, fault: Fault) -> None:
        """Let calls to come fail as `fault` says."""
        self._armed.append(_Armed(fault))

    def before(self, call: Call, path: Path, *, asked: str = "", offset: int | None = None) -> None:
        """A call begins. Raises: AccessError, `asked` or the path and the reason, if it is to fail.

        What `on_call` raises comes out too.
        """
        if self._is_telling:
            return
        self.calls += 1
        if self.on_call is not None:
            self._is_telling = True
            try:
                self.on_call(call, path)
            finally:
                self._is_telling = False
        if not self._armed:
            return
        # All of them count, also where the first has failed the call already.
        reasons = [reason for armed in self._armed if (reason := armed.reason(call)) is not None]
        if reasons:
            place = "" if offset is None else f" at byte {offset}"
            raise AccessError(f"{asked or path}: {reasons[0]}{place}")


class _Armed:
    """A fault that was set, and how many calls it has seen."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._seen = 0

    def reason(self, call: Call) -> str | None:
        """Why this call fails; `None`: it does not, as far as this fault goes."""
        fault = self._fault
        if fault.calls and call not in fault.calls:
            return None
        seen, self._seen = self._seen, self._seen + 1
        is_hit = seen >= fault.number if fault.is_lasting else seen == fault.number
        return fault.reason if is_hit else None
