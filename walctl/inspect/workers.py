"""Work on the pieces of a log by several processes, with the answers in order.

A process is handed its next item only when its last answer was taken: so neither side ever waits
for the other with a full pipe, and what is on its way is bounded by an answer a process. An answer
need not come here at all: when its turn has come, the process that has it may hand it on itself,
so that gigabytes of text are not copied from process to process. The processes are forked where
that is possible, and end with the one that started them.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from itertools import islice
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from typing import Final, Generic, Protocol, TypeVar

from walctl.errors import WalctlError

T = TypeVar("T")

ALONE_ITEMS = 8
"""Items that are worked on here, before it is worth while to start other processes."""
END_SECONDS = 5.0
FORK: Final = "fork"

Deliver = Callable[[bytes], None]
"""Where answers go in the end; a process that was forked calls it as this one would."""
Shield = Callable[[], AbstractContextManager[None]]
"""Gives a context in which processes are started, so that no signal meets them half-way."""


class Answer(Protocol):
    """The answer to one item; to be done with before the next one is asked for."""

    @property
    def size(self) -> int:
        """Its bytes."""

    def hand_on(self) -> None:
        """Deliver it. Raises what delivering raises."""


class _Here:
    """An answer of this process."""

    def __init__(self, answer: bytes, deliver: Deliver) -> None:
        self.size = len(answer)
        self._answer = answer
        self._deliver = deliver

    def hand_on(self) -> None:
        self._deliver(self._answer)


def in_order(
    function: Callable[[T], bytes],
    items: Iterable[T],
    *,
    jobs: int,
    deliver: Deliver,
    shield: Shield = nullcontext,
) -> Generator[Answer, None, None]:
    """`function` of each item, in their order, by one process more than `jobs`; by this one for 1.

    One more, because each of them waits for its turn. An error in an item is raised here when its
    turn comes, and so is one of `items`: what came before it is answered first. `function` is
    copied once into each process: what it remembers of items stays there.
    """
    whole = _Until(items)
    found = iter(whole)
    can_fork = FORK in get_all_start_methods()
    for item in islice(found, ALONE_ITEMS if jobs > 1 and can_fork else None):
        yield _Here(function(item), deliver)
    with ExitStack() as stack:
        ring: deque[_Worker[T]] = deque()
        for item in found:
            if len(ring) <= jobs:
                with shield():
                    worker = _Worker(function, deliver)
                    stack.callback(worker.end)
            else:
                worker = ring.popleft()
                yield worker.answer()
            worker.ask(item)
            ring.append(worker)
        for worker in ring:
            yield worker.answer()
    if whole.error is not None:
        raise whole.error


class _Until(Generic[T]):
    """Items until there are no more, or until `error` stopped them."""

    def __init__(self, items: Iterable[T]) -> None:
        self.error: WalctlError | None = None
        self._items = iter(items)

    def __iter__(self) -> Iterator[T]:
        try:
            yield from self._items
        except WalctlError as error:
            self.error = error


class _Worker(Generic[T]):
    """One process, which answers one item at a time; `size` is of its last answer."""

    def __init__(self, function: Callable[[T], bytes], deliver: Deliver) -> None:
        self.size = 0
        context = get_context(FORK)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(function, deliver, theirs, self._connection), daemon=True
        )
        self._process.start()
        theirs.close()

    def ask(self, item: T) -> None:
        """Hand it an item."""
        self._say(item)

    def answer(self) -> Answer:
        """Its answer, which is itself; raises what the function raised."""
        self.size = self._heard()
        return self

    def hand_on(self) -> None:
        """Let it deliver its answer."""
        self._say(True)
        self._heard()

    def _say(self, word: object) -> None:
        try:
            self._connection.send(word)
        except OSError:
            raise self._gone() from None

    def _heard(self) -> int:
        """The number that it says next; its error is raised here."""
        try:
            said = self._connection.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if isinstance(said, Exception):
            raise said
        assert isinstance(said, int), "a number or an error"
        return said

    def _gone(self) -> WalctlError:
        """What to say when it is not there any more: its pipe must not pass for that of stdout."""
        self._process.join(END_SECONDS)
        code = self._process.exitcode
        return WalctlError(f"a process that read for us ended by itself ({code})")

    def end(self) -> None:
        """Let it end, whatever it is doing."""
        self._connection.close()
        self._process.terminate()
        self._process.join(END_SECONDS)


def _work(
    function: Callable[[T], bytes], deliver: Deliver, connection: Connection, theirs: Connection
) -> None:
    """Answer until nobody asks any more: the next item, or to hand the last answer on.

    `theirs` is the other end. It was forked too, and while it is open here, nothing would tell
    this process that the one who asks was killed.
    """
    theirs.close()
    answer = b""
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            said = connection.recv()
            try:
                if said is True:
                    deliver(answer)
                    reply: int | Exception = len(answer)
                else:
                    answer = function(said)
                    reply = len(answer)
            except (WalctlError, OSError, MemoryError, RecursionError) as error:
                reply = error
            connection.send(reply)
