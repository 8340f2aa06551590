"""What it takes to judge histories: recorded ones, beside a checker in Go, and big ones of a
correct store.

The Go figures are of porcupine, on one thread, measured once on another machine; they stand in the
manifest of the recorded histories.
"""

import json
import random
import resource
import time
from dataclasses import replace

from tests.benchmarks.machine import Row
from tests.checker.recorded import HISTORIES
from walctl.checker.history import Fate, Function, History, Operation, numbered
from walctl.checker.linearizable import check
from walctl.checker.models import MODELS
from walctl.checker.recognise import history_of

COUNT = 100_000
CLIENTS = 30


def _big(*, keys: int, is_cas: bool) -> History:
    """What a correct store answers, one thing after the other, while about thirty are asked."""
    draws = random.Random(7)
    state: dict[bytes, bytes | None] = {}
    found: list[Operation] = []
    step = MODELS["kv"].step
    for at in range(COUNT):
        key = b"k%d" % draws.randrange(keys)
        function = draws.choice([Function.GET, Function.PUT, Function.PUT])
        if is_cas and draws.random() < 0.3:
            function = Function.CAS
        now = state.get(key)
        instant = 100 * at  # it takes effect
        asked = Operation(
            number=at,
            client=str(at % CLIENTS),
            function=function,
            key=key,
            call=instant - draws.randrange(3_000),
            end=instant + draws.randrange(3_000),
            fate=Fate.OK,
            value=None if function is Function.GET else b"v%d" % at,
            expected=now if function is Function.CAS else None,
            output=now if function is Function.GET else None,
            index=at + 1,
        )
        _, state[key] = step(now, asked)
        found.append(asked)
    return History(numbered(found))


def bench_checking(row: Row) -> None:
    """The rows of the table."""
    if HISTORIES is None:
        row("recorded histories: not found here", 0.0, "")
    else:
        manifest = json.loads((HISTORIES / "manifest.json").read_text())["histories"]
        data = [(HISTORIES / each["file"]).read_bytes() for each in manifest]
        start = time.perf_counter()
        verdicts = [check(history_of(each)).verdict for each in data]
        seconds = time.perf_counter() - start
        assert [each["expected"] for each in manifest] == verdicts
        go = sum(each.get("go119_ms") or 0 for each in manifest) / 1000
        mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        against = f"{go:.2f} s in Go 1.19 (recorded elsewhere); {mib} MiB at most so far"
        row(f"{len(data)} recorded histories, read and judged", seconds, against)
    for name, is_cas, has_indexes in (
        ("with indexes", True, True),
        ("unique values, no indexes", False, False),
        ("with cas, no indexes", True, False),
    ):
        history = _big(keys=10, is_cas=is_cas)
        if not has_indexes:
            bare = tuple(replace(each, index=None) for each in history.operations)
            history = replace(history, operations=bare)
        start = time.perf_counter()
        judgement = check(history)
        seconds = time.perf_counter() - start
        row(
            f"{COUNT:,} operations of {CLIENTS} clients, {name}",
            seconds,
            f"{judgement.verdict}, {judgement.steps:,} steps of search",
        )
