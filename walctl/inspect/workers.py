"""Work on the pieces of a log by several processes, with the answers in order.

A process is handed its next item only when its last answer was taken: so neither side ever waits
for the other with a full pipe, and what is on its way is bounded by an answer a process. Answers
are bytes and are not copied more often than a pipe does. The processes are forked where that is
possible, and end with the one that started them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from walctl.errors import WalctlError

T = TypeVar("T")

ALONE_ITEMS = 2
"""Items that are worked on here, before it is worth while to start other processes."""
END_SECONDS = 5.0


def in_order(function: Callable[[T], bytes], items: Iterable[T], *, jobs: int) -> Iterator[bytes]:
    """`function` of each item, in their order, by one process more than `jobs`; by this one for 1.

    One more, because each of them waits for its turn to be read. An error in an item is raised
    here when its turn comes. `function` is copied once into each process: what it remembers of
    items stays there.
    """
    found = iter(items)
    yield from map(function, islice(found, ALONE_ITEMS if jobs > 1 else None))
    with ExitStack() as stack:
        ring: deque[_Worker[T]] = deque()
        for item in found:
            if len(ring) <= jobs:
                worker = _Worker(function)
                stack.callback(worker.end)
            else:
                worker = ring.popleft()
                yield worker.answer()
            worker.ask(item)
            ring.append(worker)
        for worker in ring:
            yield worker.answer()


class _Worker(Generic[T]):
    """One process, which answers one item at a time."""

    def __init__(self, function: Callable[[T], bytes]) -> None:
        context = get_context("fork" if "fork" in get_all_start_methods() else None)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(function, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, item: T) -> None:
        """Hand it an item."""
        self._connection.send(item)

    def answer(self) -> bytes:
        """Its answer; raises what the function raised."""
        try:
            if not self._connection.recv():
                raise self._connection.recv()
            return self._connection.recv_bytes()
        except EOFError:
            self._process.join(END_SECONDS)
            code = self._process.exitcode
            raise WalctlError(f"a process that read for us ended by itself ({code})") from None

    def end(self) -> None:
        """Let it end, whatever it is doing."""
        self._connection.close()
        self._process.terminate()
        self._process.join(END_SECONDS)


def _work(function: Callable[[T], bytes], connection: Connection) -> None:
    """Answer until nobody asks any more."""
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            item = connection.recv()
            try:
                answer = function(item)
            except WalctlError as error:
                connection.send(False)
                connection.send(error)
                continue
            connection.send(True)
            connection.send_bytes(answer)
