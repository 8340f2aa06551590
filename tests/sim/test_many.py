"""Work by several processes: answers in order, and none of them is waited for in vain."""

import os
import signal
from collections.abc import Iterator

import pytest

from walctl.errors import UsageError
from walctl.sim.many import AHEAD, in_order


def squared(number: int) -> int:
    return number * number


def lost(number: int, words: str) -> int:
    assert "ended by itself" in words
    return -number


def unlucky(number: int) -> int:
    """One item is the end of whoever works on it."""
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 6:
        os._exit(3)
    return number


def refusing(number: int) -> int:
    if number == 4:
        raise UsageError("not this one")
    return number


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_answers_come_in_the_order_of_the_items_whatever_the_jobs(jobs: int) -> None:
    found = in_order(squared, range(30), jobs=jobs, lost=lost)
    assert list(found) == [number * number for number in range(30)]


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(in_order(squared, [], jobs=3, lost=lost)) == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_process_that_dies_takes_its_own_item_with_it_and_no_other(jobs: int) -> None:
    found = list(in_order(unlucky, range(12), jobs=jobs, lost=lost))
    assert found == [0, 1, 2, 3, 4, -5, -6, 7, 8, 9, 10, 11]


def test_how_a_process_ended_is_told() -> None:
    def told(number: int, words: str) -> int:
        said.append(words)
        return number

    said: list[str] = []
    list(in_order(unlucky, [5, 6], jobs=1, lost=told))
    assert [each.rpartition("itself ")[2] for each in said] == ["(killed by signal 9)", "(exit 3)"]


def test_an_error_is_raised_when_its_turn_comes() -> None:
    found = in_order(refusing, range(8), jobs=2, lost=lost)
    assert [next(found) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="not this one"):
        next(found)


def test_no_more_is_handed_out_than_may_wait_for_an_earlier_answer() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10 * AHEAD):
            taken.append(number)
            yield number

    found = in_order(squared, items(), jobs=2, lost=lost)
    next(found)
    assert len(taken) <= AHEAD + 2
    found.close()


def test_whoever_stops_in_the_middle_leaves_no_process() -> None:
    found = in_order(lambda number: os.getpid(), range(50), jobs=2, lost=lost)
    workers = {next(found) for _ in range(6)}
    found.close()
    assert os.getpid() not in workers
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
