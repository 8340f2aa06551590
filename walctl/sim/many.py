"""Many runs side by side in processes of their own, with what came of them in order.

This is the only module of the simulator that knows of processes: a run is one thread, and what it
is handed and gives are values. Processes are forked where that is possible, so that nothing is
imported twice, and end with the one that started them; each is handed its next item when its last
answer has come. However many there are, answers come in the order of the items: a few may wait for
an earlier one, `AHEAD` at most. A process that dies takes one item with it, and no other.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection, wait
from typing import Final, Generic, TypeVar

from walctl.errors import WalctlError

T = TypeVar("T")
R = TypeVar("R")

AHEAD: Final = 64
END_SECONDS: Final = 5.0
FORK: Final = "fork"
Shield = Callable[[], AbstractContextManager[None]]
"""Gives a context in which processes are started, so that no signal meets them half-way."""
Lost = Callable[[T, str], R]
"""The answer for an item whose process died, for the words that tell of it."""


def in_order(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    jobs: int,
    lost: Lost[T, R],
    shield: Shield = nullcontext,
) -> Generator[R, None, None]:
    """`function` of each item, in their order, by `jobs` processes; by this one where none can be
    forked. Items and answers are values that can be pickled.

    A WalctlError in an item is raised here when its turn comes.
    """
    if FORK not in get_all_start_methods():
        yield from map(function, items)
        return
    crew = _Crew(function, shield)
    numbered = enumerate(items)
    done: dict[int, R | WalctlError] = {}
    turn, handed, has_more = 0, 0, True
    try:
        while True:
            while has_more and len(crew.busy) < jobs and handed - turn < AHEAD:
                found = next(numbered, None)
                has_more = found is not None
                if found is not None:
                    crew.ask(*found)
                    handed += 1
            if not crew.busy:
                return
            for position, item, answer in crew.answers():
                done[position] = lost(item, answer.words) if isinstance(answer, _Gone) else answer
            while turn in done:
                answer = done.pop(turn)
                turn += 1
                if isinstance(answer, WalctlError):
                    raise answer
                yield answer
    finally:
        crew.end()


class _Gone:
    """No answer will come; `words` say how its process ended."""

    def __init__(self, words: str) -> None:
        self.words = words


class _Crew(Generic[T, R]):
    """The processes: those that are busy, by their connections, and those that wait for work."""

    def __init__(self, function: Callable[[T], R], shield: Shield) -> None:
        self.busy: dict[Connection, tuple[_Worker, int, T]] = {}
        self._idle: list[_Worker] = []
        self._function = function
        self._shield = shield

    def ask(self, position: int, item: T) -> None:
        """Hand an item to one that has nothing to do, or to a new one."""
        if self._idle:
            worker = self._idle.pop()
        else:
            with self._shield():
                worker = _Worker(self._function)
        self.busy[worker.connection] = worker, position, item
        with suppress(OSError):  # it has died: that is seen when its answer is waited for
            worker.connection.send(item)

    def answers(self) -> Iterator[tuple[int, T, "R | WalctlError | _Gone"]]:
        """What has come, once something has."""
        for connection in wait(list(self.busy)):
            assert isinstance(connection, Connection), "what was waited for"
            worker, position, item = self.busy.pop(connection)
            try:
                answer = connection.recv()
            except (EOFError, OSError):
                answer = _Gone(worker.end())
            else:
                self._idle.append(worker)
            yield position, item, answer

    def end(self) -> None:
        """Let all of them end, whatever they are doing."""
        for worker in [*self._idle, *(worker for worker, _, _ in self.busy.values())]:
            worker.end()


class _Worker:
    """One process, which answers one item after the other."""

    def __init__(self, function: Callable[[T], R]) -> None:
        context = get_context(FORK)
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(function, theirs, self.connection), daemon=True
        )
        self._process.start()
        theirs.close()

    def end(self) -> str:
        """Let it end; how it did."""
        self.connection.close()
        self._process.join(0.1)
        self._process.terminate()
        self._process.join(END_SECONDS)
        code = self._process.exitcode
        how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit {code}"
        return f"the process that played it ended by itself ({how})"


def _work(function: Callable[[T], R], connection: Connection, theirs: Connection) -> None:
    """Answer until nobody asks any more.

    `theirs` is the other end. It was forked too, and while it is open here, nothing would tell
    this process that the one who asks was killed.
    """
    theirs.close()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            item = connection.recv()
            try:
                answer: R | WalctlError = function(item)
            except WalctlError as error:
                answer = error
            connection.send(answer)
