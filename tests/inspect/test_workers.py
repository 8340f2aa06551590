"""Work by several processes: answers in order, errors at their turn, and nobody stays behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, environment
from walctl.errors import AccessError, CorruptionError, ExitStatus, WalctlError
from walctl.inspect.workers import ALONE_ITEMS, Answer, in_order
from walctl.payload.base import PayloadError

ITEMS = 60
SECONDS_MAX = 30
JOBS = [1, 2, 4]


def squared(number: int) -> bytes:
    """What the processes do here; some numbers go wrong, each in its way."""
    if number == -1:
        os._exit(9)
    if number == -2:
        raise CorruptionError("entry 7: damaged")
    if number == -3:
        raise PayloadError("no request", offset=12)
    if number == -4:
        raise MemoryError
    if number == -5:
        raise RecursionError("deep")
    if number == -6:
        time.sleep(SECONDS_MAX)
    time.sleep((number % 3) / 1000)  # answers come in another order than they are asked for
    return b"%d;" % (number * number)


class Written:
    """A pipe that this process and its children write to, and what came out of it."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)

    def write(self, answer: bytes) -> None:
        os.write(self._writer, answer)

    def read(self) -> bytes:
        try:
            return os.read(self._reader, 1 << 16)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


@pytest.fixture
def written() -> Iterator[Written]:
    """Where answers go; whoever was started has to be gone at the end."""
    before = children()
    pipe = Written()
    yield pipe
    pipe.close()
    assert children() <= before


def children() -> set[str]:
    """The processes that this one has started and not waited for, the ended ones too."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def hand_on(answers: Iterator[Answer]) -> int:
    """Deliver every answer; how many bytes they said to have."""
    size = 0
    for answer in answers:
        size += answer.size
        answer.hand_on()
    return size


def expected(numbers: range) -> bytes:
    return b"".join(b"%d;" % (number * number) for number in numbers)


@pytest.mark.parametrize("jobs", JOBS)
@pytest.mark.parametrize("count", [0, 1, ALONE_ITEMS, ALONE_ITEMS + 1, ALONE_ITEMS + 3, ITEMS])
def test_answers_come_in_the_order_of_the_items(written: Written, jobs: int, count: int) -> None:
    size = hand_on(in_order(squared, range(count), jobs=jobs, deliver=written.write))
    found = written.read()
    assert found == expected(range(count))
    assert size == len(found)


@pytest.mark.parametrize("jobs", JOBS)
def test_an_answer_that_nobody_wants_is_left_out(written: Written, jobs: int) -> None:
    for number, answer in enumerate(in_order(squared, range(30), jobs=jobs, deliver=written.write)):
        if number % 2:
            answer.hand_on()
    odd = b"".join(b"%d;" % (number * number) for number in range(1, 30, 2))
    assert written.read() == odd


@pytest.mark.parametrize("jobs", JOBS)
@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (-2, CorruptionError),
        (-3, PayloadError),
        (-4, MemoryError),
        (-5, RecursionError),
    ],
)
def test_an_error_comes_at_its_turn_as_what_it_is(
    written: Written, jobs: int, number: int, kind: type[Exception]
) -> None:
    items = [*range(ALONE_ITEMS + 7), number, 1, 2, 3]
    with pytest.raises(kind) as caught:
        hand_on(in_order(squared, items, jobs=jobs, deliver=written.write))
    assert written.read() == expected(range(ALONE_ITEMS + 7))
    if isinstance(caught.value, CorruptionError):
        assert caught.value.message == "entry 7: damaged"
        assert caught.value.exit_status is ExitStatus.DAMAGE
    if isinstance(caught.value, PayloadError):
        assert (caught.value.message, caught.value.offset) == ("no request", 12)


@pytest.mark.parametrize("jobs", JOBS)
def test_an_error_of_the_items_comes_behind_the_answers_before_it(
    written: Written, jobs: int
) -> None:
    def items() -> Iterator[int]:
        yield from range(ALONE_ITEMS + 5)
        raise AccessError("0.wal: gone")

    with pytest.raises(AccessError, match="gone"):
        hand_on(in_order(squared, items(), jobs=jobs, deliver=written.write))
    assert written.read() == expected(range(ALONE_ITEMS + 5))


@pytest.mark.parametrize("at", range(6))
def test_a_process_that_dies_is_one_error_and_no_hang(written: Written, at: int) -> None:
    items = list(range(ITEMS))
    items[ALONE_ITEMS + at] = -1
    with pytest.raises(WalctlError, match=r"ended by itself \(9\)"):
        hand_on(in_order(squared, items, jobs=2, deliver=written.write))
    assert written.read() == expected(range(ALONE_ITEMS + at))


@pytest.mark.parametrize("moment", ["before an answer", "before an item"])
def test_a_process_that_is_killed_does_not_pass_for_a_broken_pipe(
    written: Written, moment: str
) -> None:
    """A `BrokenPipeError` would end walctl as if the reader of its output had gone: silently."""
    answers = in_order(squared, range(ITEMS), jobs=2, deliver=written.write)
    for number, answer in enumerate(answers):
        is_there = number == ALONE_ITEMS + 4
        if not is_there or moment == "before an item":
            answer.hand_on()
        if is_there:
            break
    for child in multiprocessing.active_children():
        child.kill()
        child.join(SECONDS_MAX)
    rest = answers if moment == "before an item" else chain([answer], answers)
    with pytest.raises(WalctlError, match=r"ended by itself \(-9\)"):
        hand_on(rest)
    answers.close()


def test_who_stops_early_leaves_no_process(written: Written) -> None:
    answers = in_order(squared, range(ITEMS), jobs=4, deliver=written.write)
    for number, _ in enumerate(answers):
        if number == ALONE_ITEMS + 2:
            break
    assert len(multiprocessing.active_children()) == 5
    answers.close()
    assert multiprocessing.active_children() == []


def test_a_busy_process_is_not_waited_for(written: Written) -> None:
    items = [*range(ALONE_ITEMS), 1, -6, -6, -6]
    answers = in_order(squared, items, jobs=2, deliver=written.write)
    for _ in range(ALONE_ITEMS + 1):
        next(answers)
    before = time.monotonic()
    answers.close()
    assert time.monotonic() - before < 5


def test_an_interrupt_leaves_no_process(written: Written) -> None:
    def interrupted() -> Iterator[Answer]:
        yield from islice(answers, ALONE_ITEMS + 3)
        raise KeyboardInterrupt

    answers = in_order(squared, range(ITEMS), jobs=2, deliver=written.write)
    with pytest.raises(KeyboardInterrupt):
        hand_on(interrupted())
    answers.close()


@pytest.mark.slow
def test_processes_end_when_the_one_that_asks_is_killed() -> None:
    """Killed, it can tell nobody; each process notices by its pipe, though it inherited others'."""
    program = """
        import multiprocessing, os, signal
        from tests.inspect.test_workers import ALONE_ITEMS, squared
        from walctl.inspect.workers import in_order
        answers = in_order(squared, range(60), jobs=3, deliver=lambda answer: None)
        for number, answer in enumerate(answers):
            if number == ALONE_ITEMS + 3:
                print(*[child.pid for child in multiprocessing.active_children()], flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            answer.hand_on()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 4
        # The children have the pipe too: its end is theirs.
        assert process.stdout.read() == b""
        assert process.wait(SECONDS_MAX) == -signal.SIGKILL
    deadline = time.monotonic() + SECONDS_MAX
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)
