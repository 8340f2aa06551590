"""Whole histories with known verdicts: those that others recorded, and small ones made by hand."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.checker.recorded import HISTORIES, REPO, Recorded, needs_histories, recorded
from tests.cli.commands import environment
from walctl.checker.history import Function, History
from walctl.checker.linearizable import Limits, Verdict, Way, check
from walctl.checker.recognise import history_of
from walctl.checker.shrink import shrunk

WRITTEN = sorted((Path(__file__).parent / "histories").iterdir())
MIB = 1 << 20
WHOLE_SET = """
import resource, sys, time
from walctl.checker.linearizable import check
from walctl.checker.recognise import history_of
start = time.perf_counter()
verdicts = [check(history_of(open(name, "rb").read())).verdict for name in sys.argv[1:]]
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, *verdicts)
"""


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_a_history_made_by_hand_is_what_its_name_says(path: Path) -> None:
    history = history_of(path.read_bytes())
    good = Verdict.LINEARIZABLE
    expected = good if path.stem.endswith("-ok") else Verdict.NOT_LINEARIZABLE
    assert check(history).verdict is expected
    assert check(history, has_shortcuts=False).verdict is expected
    assert check(history, is_divided=False).verdict is expected


def test_the_contradiction_of_a_history_made_by_hand_is_what_a_person_would_point_at() -> None:
    judgement = check(history_of((WRITTEN[0].parent / "append-lost-bad.edn").read_bytes()))
    (bad,) = judgement.bad
    small = shrunk(judgement, bad)
    assert [each.function for each in small.part.operations] == ["append", "append", "get"]
    assert small.stuck is not None
    assert small.stuck.output == b"a"


def test_a_value_that_was_acknowledged_and_is_gone_needs_two_operations_to_say_so() -> None:
    judgement = check(history_of((WRITTEN[0].parent / "events-lost-bad.jsonl").read_bytes()))
    (bad,) = judgement.bad
    assert [each.function for each in shrunk(judgement, bad).part.operations] == ["put", "get"]


@needs_histories
@pytest.mark.parametrize("one", recorded(), ids=lambda one: one.path.stem)
def test_a_recorded_history_has_its_verdict(one: Recorded) -> None:
    history = history_of(one.path.read_bytes())
    judgement = check(history)
    assert len(history.operations) == one.operations
    assert judgement.verdict == one.expected
    for judged in judgement.bad:
        small = shrunk(judgement, judged)
        assert small.verdict is Verdict.NOT_LINEARIZABLE
        assert judged.stuck is not None


@needs_histories
@pytest.mark.slow
def test_the_recorded_set_takes_few_seconds_and_little_memory() -> None:
    names = [str(one.path) for one in recorded()]
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_SET, *names],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPO,
        env=environment(),
        timeout=60,
    )
    seconds, kib, *verdicts = done.stdout.split()
    assert verdicts == [one.expected for one in recorded()]
    assert int(kib) * 1024 < 500 * MIB
    assert float(seconds) < 9.0, "three times what is promised: a slow machine is no failure"


def _spoilt(history: History, *, at: int) -> History:
    """The same with a get that lost the latter half of what it saw."""
    operations = list(history.operations)
    position = next(
        position
        for position in range(at, len(operations))
        if operations[position].function is Function.GET
        and (operations[position].output or b"").count(b"y") > 1
    )
    seen = operations[position].output or b""
    operations[position] = replace(operations[position], output=seen[: len(seen) // 2])
    return replace(history, operations=tuple(operations))


@needs_histories
@pytest.mark.slow
@pytest.mark.parametrize("at", [300, 900, 1500])
def test_one_bad_key_among_hard_ones_is_found_whatever_the_order_of_keys(at: int) -> None:
    assert HISTORIES is not None
    history = history_of((HISTORIES / "kv" / "c50-ok.txt").read_bytes())
    for is_adverse in (False, True):
        start = time.perf_counter()
        judgement = check(
            _spoilt(history, at=at),
            arrange=(lambda parts: parts[::-1]) if is_adverse else None,
        )
        assert judgement.verdict is Verdict.NOT_LINEARIZABLE
        assert time.perf_counter() - start < 6.0


@needs_histories
@pytest.mark.slow
def test_keys_that_are_not_told_apart_end_with_unknown_and_within_memory() -> None:
    assert HISTORIES is not None
    history = history_of((HISTORIES / "kv" / "c50-ok.txt").read_bytes())
    limits = Limits(memory_bytes=64 * MIB)
    judgement = check(history, is_divided=False, limits=limits)
    assert judgement.verdict is Verdict.UNKNOWN
    assert [each.way for each in judgement.keys] == [Way.MEMORY]
    assert judgement.keys[0].order != ()


@needs_histories
@pytest.mark.slow
def test_a_key_that_takes_all_memory_is_given_up_and_the_others_are_judged() -> None:
    assert HISTORIES is not None
    history = history_of((HISTORIES / "kv" / "c50-ok.txt").read_bytes())
    judgement = check(history, limits=Limits(memory_bytes=8 * MIB))
    verdicts = [each.verdict for each in judgement.keys]
    assert judgement.verdict is Verdict.UNKNOWN
    assert verdicts.count(Verdict.LINEARIZABLE) >= 5
    assert set(verdicts) == {Verdict.LINEARIZABLE, Verdict.UNKNOWN}
